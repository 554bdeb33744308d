"""Words that are never keywords."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Nouns for time, amount or circumstance, and others that are rarely what a document is about.
KOREAN = _words("""
    가운데 각각 거기 겨우 경우 과정 관련 그것 그동안 기존 나머지 내용 누구 다음 당시 당신 대부분 대상 동안
    때문 마련 마지막 모두 모습 무엇 문제 바탕 방법 방식 부분 부탁 사람 사실 사용 사이 사항 상황 생각 서로
    설명 수준 시작 실시 아래 아무 안녕 앞 얘기 어제 여기 여러 여러분 예정 오늘 오전 오후 올해 요즘 우리
    위 위치 이 이것 이날 이번 이상 이야기 이외 이용 이유 이전 이하 이후 일부 입장 자기 자신 자체 작년
    저희 전 전체 정도 제공 조금 주변 중 중심 지금 지난해 진행 차원 처음 최근 최대 최소 추진 측 크기 필요
    하나 한편 해당 현재 활용 후
""")

#: The ends of words that were hyphenated at the end of a line: pars ing, deriva tions.
ENGLISH_ENDS = _words("ing ings tion tions ation ations sion sions ment ments tional tive ness ity ities")

#: Function words, words that fit any document (numbers, times, saying, doing, having), and parts of contractions.
ENGLISH = _words("""
    a about above according across after again against ago al all almost alone along already also although
    always am among an and another any anyone anything are aren around as ask asked at away back based be
    became because become been before began behind being believe below best better between beyond big
    billion bn both but by call called came can cannot come comes coming could couldn day days de did didn
    different do does doesn doing don done down during each early eg either else enough et etc even ever
    every everyone everything expected far few fig figure find first five following for former found four
    from full further gave general get gets getting give given gives go goes going gonna good got great had
    hadn has hasn have haven having he held help her here hers herself high him himself his how however i ie
    if in include included includes including indeed instead into is isn it its itself just keep kept kind
    know known knows large last late later least left less let like likely little ll long look looking lot
    low made mainly make makes making man many may maybe me mean means might million mine more most mr mrs
    ms much must my myself near need needs neither never new next no nobody none nor not nothing now number
    of off often okay old on once one ones only onto open or order other others otherwise our ours out over
    own part per perhaps place please possible probably provide provided put quite rather re really right
    said same saw say saying says second see seem seemed seems seen set several shall she should shouldn
    show showed shown since six small so some someone something soon still such sure table take taken takes
    taking tell ten than that the their theirs them themselves then there therefore these they thing things
    think third this those though thought three through thus time times to today together told too took
    toward towards tried trillion true try turn two uh um under until up upon us use used uses using usually
    various ve very vs want wanted wants was wasn way ways we week weeks well went were weren what whatever
    when where whether which while who whole whom whose why will with within without won would wouldn yeah
    year years yes yet you your yours yourself hmm hm mm mhm oh ah eh huh okay ok yep yup nope wow hey
    alright anyway anyways gonna wanna gotta
""")

#: Korean nouns that fit documents of any subject. They may be parts of terms, and by themselves are rarely keywords.
KOREAN_FILLERS = _words("""
    가능 가능성 가치 각종 감소 개정 개인 거주 결과 결정 경력 경험 계기 관계 관리 관점 구분 구성
    근처 기간 기록 기본 기준 기타 기회 길이 내부 노력 능력 다양 다행 단계 답변 당일 도움 도중
    등등 말씀 매년 매일 명칭 목적 무단 문제점 미래 밤새 발견 발생 발표 방향 번호 변화 별명 보고
    보통 본인 부근 분야 사례 사무 사실상 상단 상태 생략 선정 선택 설정 설치 소식 순서 스스로
    시기 시절 시점 시행 시행일 신청 실제 약칭 언제 얼마 업무 여부 역할 연락 영향 외부 요구 요청
    우측 운영 유지 의견 의미 이름 이해 인근 인물 일반 일정 자리 전달 정리 제외 조건 존재 종류
    종전 주요 준비 중요 증가 지급 직전 직후 진짜 질문 차이 참고 참여 책임 출신 측면 통과 특성
    특징 평소 포함 하단 항상 해결 행위 현황 형태 혼자 확인 활동 효과 희망
""")
#: The same in English.
ENGLISH_FILLERS = _words("""
    ability access account action activity advantage analysis announcement approach attention author background
    benefit business candidate category cause challenge chairman circumstance collection comment company
    comparison component conclusion condition consequence content context contribution control customer data
    date deadline decision definition description direction director discussion document effect element
    environment error evidence existence expert expectation experiment factor failure feature figure firm
    framework function goal group idea impact implementation importance improvement increase influence
    information input introduction knowledge leader length limit limitation link loss manager market measure
    member method mistake network number object official operation opinion opportunity option organisation
    organization output overview parameter participant party pattern performance period phase player position
    possibility practice presence president prior problem procedure product progress project property
    proposal protection quality quantity question quarter range reaction region relation relationship
    representation requirement research resource response responsibility result role rule sample scheme season
    service session set setting share shareholder significance site size solution source staff standard
    status strategy structure studies study subject success suggestion summary support system target task
    team technique technology theory title topic training trend unit user variety
""")
#: Nouns (and adjectives) that end in "ly".
NO_ADVERBS = _words("""
    ally anomaly assembly belly billy bully butterfly daily early elderly emily family folly homily italy
    jelly july kelly lily monopoly oligopoly panoply rally reilly reply sally sicily supply tally weekly
    wooly
""")
