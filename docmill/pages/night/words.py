"""The digest's own words in English and Korean. What comes from documents is never translated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

LANGUAGES = ("en", "ko")

#: Name -> (English, Korean).
_WORDS: Mapping[str, tuple[str, str]] = {
    "title": ("{schedule}: night of {date}", "{schedule}: {date} 밤"),
    "finished": ("Finished at {time}.", "{time}에 끝났습니다."),
    "running": ("Still running: {n} of {all} jobs have ended.", "아직 실행 중: 작업 {all}개 중 {n}개가 끝났습니다."),
    "jobs_done": ("All {all} jobs have ended.", "작업 {all}개가 모두 끝났습니다."),
    "failed": ("It failed: {fault}", "실패했습니다: {fault}"),
    "queued": ("It waits for the run before it.", "이전 실행이 끝나기를 기다립니다."),
    "skipped": ("It was skipped: {fault}", "건너뛰었습니다: {fault}"),
    "missed": ("It was missed: {fault}", "놓쳤습니다: {fault}"),
    "cancelled": ("It was cancelled: {fault}", "취소되었습니다: {fault}"),
    "nothing to do": ("There was nothing to do.", "할 일이 없었습니다."),
    "when": ("Due {due} ({zone}). This page was made {made}.", "예정 {due} ({zone}). 이 문서는 {made}에 만들어졌습니다."),
    "usually": ("usually {value}", "보통 {value}"),
    "no_usual": ("no earlier night", "이전 밤 없음"),
    "new": ("new documents", "새 문서"),
    "changed": ("changed texts", "바뀐 글"),
    "errors": ("failures", "실패"),
    "flips": ("labels changed", "바뀐 분류"),
    "close": ("new close pairs", "새 유사 쌍"),
    "took": ("duration", "걸린 시간"),
    "needs": ("Failures", "실패"),
    "needs_about": ("By cause, each with one document and what to do.", "원인별로 문서 하나와 할 일입니다."),
    "recovered": ("{n} documents that had failed before have a result now.", "이전에 실패한 문서 {n}개에 이제 결과가 있습니다."),
    "step": ("step", "단계"),
    "came_to": ("what came of it", "결과"),
    "step failed": ("failed", "실패"),
    "step carried over": ("left for the next night", "다음 밤으로 넘김"),
    "step cancelled": ("cancelled", "취소됨"),
    "cause": ("cause", "원인"),
    "kind": ("job", "작업"),
    "count": ("documents", "문서 수"),
    "example": ("one of them", "예"),
    "remedy": ("what to do", "할 일"),
    "nights": ("Documents that came in, night by night", "밤마다 들어온 문서"),
    "nights_about": ("The last bar is this night; the line is the median of the nights before. A number above a bar in red counts failures.",
                     "마지막 막대가 이번 밤이고, 선은 이전 밤들의 중앙값입니다. 빨간 숫자는 실패한 수입니다."),
    "extraction": ("Files, and what was lost in extraction", "파일과 추출에서 잃은 것"),
    "files": ("files read", "읽은 파일"),
    "texts": ("texts", "글"),
    "pages": ("pages", "페이지"),
    "chars": ("characters", "글자"),
    "files_failed": ("files without text", "글을 얻지 못한 파일"),
    "tables_left_out": ("tables left out", "빠진 표"),
    "chars_left_out": ("characters left out with them", "표와 함께 빠진 글자"),
    "replaced": ("characters lost to a wrong encoding", "인코딩 때문에 잃은 글자"),
    "warned": ("files with a warning", "경고가 있는 파일"),
    "labels_grown": ("Labels that grew", "늘어난 분류"),
    "labels_grown_about": ("Share of the new documents, beside the nights before.", "새 문서에서 차지하는 비율을 이전 밤들과 견준 것입니다."),
    "terms_grown": ("Words that grew", "늘어난 낱말"),
    "terms_grown_about": ("In {now} documents of this night, beside {before} of the nights before. At most one in ten is expected to be chance.",
                          "이번 밤의 문서 {now}개를 이전 밤들의 {before}개와 견줬습니다. 열에 하나까지는 우연일 수 있습니다."),
    "this_night": ("this night", "이번 밤"),
    "before": ("before", "이전"),
    "flips_title": ("Labels that changed", "바뀐 분류"),
    "document": ("document", "문서"),
    "why": ("why", "이유"),
    "abstained": ("none (abstained)", "없음 (보류)"),
    "more": ("{n} more: docmill sql \"{query}\"", "{n}개 더: docmill sql \"{query}\""),
    "close_title": ("New documents that are close to others", "다른 문서와 가까운 새 문서"),
    "close_about": ("As close as the closest 5 % of the documents before, or nearly the same: a similarity of {score} or more.",
                    "이전 문서들 가운데 가장 가까운 5 %만큼 가깝거나 거의 같은 문서입니다: 유사도 {score} 이상."),
    "near": ("is near to", "가까운 문서"),
    "score": ("similarity", "유사도"),
    "central": ("The most central new documents", "가장 중심에 있는 새 문서"),
    "central_about": ("Their summaries; those that are near to the most others come first.", "요약입니다. 다른 문서들과 가장 가까운 것이 먼저 나옵니다."),
    "models": ("Models", "모델"),
    "passed": ("passed", "통과"),
    "refused": ("refused", "거절"),
    "not_judged": ("not judged", "평가하지 않음"),
    "champion": ("in use now", "지금 사용 중"),
    "model": ("model", "모델"),
    "gate": ("gate", "평가"),
    "figures": ("figures", "수치"),
    "speed": ("Throughput", "처리 속도"),
    "per_second": ("documents a second", "초당 문서"),
    "usual": ("usual", "보통"),
    "no_news": ("No news about: {names}.", "소식 없음: {names}."),
    "query": ("All of it in SQL", "SQL로 모두 보기"),
    "no_comparison": ("There is no earlier night to compare with.", "견줄 이전 밤이 없습니다."),
    "the text changed": ("the text changed", "글이 바뀜"),
    "another model version": ("another model version", "다른 모델 버전"),
    "seconds": ("{s} s", "{s}초"),
    "minutes": ("{m} min {s} s", "{m}분 {s}초"),
    "hours": ("{h} h {m} min", "{h}시간 {m}분"),
}  # fmt: skip


def words(language: str) -> Callable[..., str]:
    """A function from a name (and values) to words. ValueError for a language that is not known."""
    if language not in LANGUAGES:
        raise ValueError(f"there are no words in {language!r}: choose {' or '.join(LANGUAGES)}")
    place = LANGUAGES.index(language)

    def say(name: str, **values: object) -> str:
        return _WORDS[name][place].format(**values)

    return say


def day(moment: datetime, language: str) -> str:
    """ "26 Nov 2026", or "2026년 11월 26일" """
    if language == "ko":
        return f"{moment.year}년 {moment.month}월 {moment.day}일"
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}"


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
