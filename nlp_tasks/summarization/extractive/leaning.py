"""Whether a sentence leans on what was said before it: "But he refused.", "이 때문에 배편이 끊겼다."

Looks at how a sentence begins, and at who is said to have spoken a quotation, in Korean and English. Rules and word
lists only: a sentence that names what it is about, but with a definite noun ("The company said"), is not recognised.
"""

from __future__ import annotations

import re

#: Marks before the first word: quotes, brackets, bullets.
_OPENING = re.compile(r"[\s\"'“”‘’(\[「『《〈<*•·\-–—○●▶■□]*")
#: Characters of a sentence that are examined from its beginning.
_BEGINNING_CHARS = 160

# --- English ------------------------------------------------------------------------------------------------------

#: A noun after "this" or "these" that names the time or the document itself: it is not told by an earlier sentence.
_OF_NOW = (
    r"years?|months?|weeks?|weekends?|mornings?|afternoons?|evenings?|days|spring|summer|autumn|fall|winter|seasons?|"
    r"century|decade|papers?|articles?|thesis|dissertation|reports?|chapter|section|documents?|agreements?|contracts?|act|"
    r"guide|manual|books?|petition|letter|polic(?:y|ies)|terms|regulations?|bill"
)
#: Adjectives after which "it is" tells of nothing earlier: "It is possible to".
_OF_NOTHING = (
    r"(?:im)?possible|(?:un)?necessary|(?:un)?important|essential|difficult|hard|easy|easier|useful|best|better|common|"
    r"worth|time|vital|crucial|reasonable|natural|too\s+(?:early|late|soon)|customary|usual|safe"
)
_ENGLISH = re.compile(
    rf"""
      (?:But|And|Yet|Therefore|Thus|Hence|Moreover|Furthermore|Nevertheless|Nonetheless|Similarly|Likewise|Afterwards?
        |Consequently|Accordingly|Additionally|Also|Besides|Otherwise|Conversely|Thereafter|Subsequently|Alternatively
        |Nor|Presumably|Of\s+course)\b(?!-)
    | (?:However|Meanwhile|Again|Still|Indeed|Finally|Later|Rather|Second(?:ly)?|Third(?:ly)?|That\s+is|In\s+fact),
    | So\b(?!\s+(?:many|much|few|little|far|long|called)\b|-)
    | Then\b(?!-)
    | Instead\b(?!\s+of\b)
    | As\s+(?:a\s+(?:result|consequence)\b(?!\s+of\b)|such\b)
    | (?:In|By)\s+contrast\b(?!\s+(?:to|with)\b)
    | In\s+addition\b(?!\s+to\b)
    | In\s+(?:(?:this|that|these|those)\s+(?:case|cases|way|respect|sense|regard)\b|other\s+words\b|turn\b|particular,)
    | (?:For\s+(?:example|instance|this\s+reason)|On\s+the\s+(?:other\s+hand|contrary)|If\s+so|If\s+not)\b
    | (?:At|By|Since|Until|From)\s+(?:that|the\s+same)\s+(?:time|point|moment|day|year)\b
    | At\s+the\s+time\b(?!\s+(?:of|when)\b)
    | (?:\w+\s+)?[Oo]f\s+(?:these|those|them)\b
    | (?:Unlike|Like|Besides|Despite|After|Before|Because\s+of|With|From)\s+(?:this|that|these|those|them|him|her|it)\b
    | (?:Using|Given|To\s+\w+|With|In|On|At|By|For|From|Under|During|After|Before|Since|Through|Throughout
        |Consistent\s+with)\s+(?:all\s+(?:of\s+)?)?(?:this|these|those|such)\b
      (?!\s+(?:\w+\s+)?(?:study|work|country|{_OF_NOW})\b|\s+(?:who|that|as|with|in)\b)
    | There(?:\s+(?:he|she|they|it)\b|,|fore\b|by\b)
    | (?:The\s+)?(?:latter|former|Latter|Former)\b(?=\s+(?:is|are|was|were|has|have|had|costs?|will|can|may)\b|,)
    | The\s+(?:latter|former|same|others?)\b(?!\s+day\s+Saints)
    | The\s+(?:two|three|four|pair|duo|trio)\b(?!-)
    | (?:He|She|They|Him|His|Their|Theirs|Her|Its)\b(?!-)
    | Such\b
    | Others\b
    | Other\b(?!\s+things\s+being)
    | Another\b(?=\s+(?:is|was|has|had|said|one|of|will|would|may|could)\b|,)
    | Both\b(?![^.]{{0,60}}\band\b)
    | Neither\b(?![^.]{{0,60}}\bnor\b)
    | Th(?:is|ese)\b(?!\s+(?:\w+\s+)?(?i:{_OF_NOW})\b)
    | That\b(?!\s+(?:\w+ing|an?|the|no|every|some|all|most|people)\b)
    | Those\b(?!\s+(?:who|whose|whom|which|that|with|without|in|of|on|at|from|under|over|aged|living|\w+ing)\b)
    | It\b(?!-|\s+(?:takes|took|rain|snow)
          |(?:['’]s|\s+(?:is|was|has\s+been|will\s+be|would\s+be|may\s+be|might\s+be|seems|appears|becomes|became|remains))
           (?:\s+\S+){{0,5}}?\s+(?:that|whether|how|why|who)\b
          |(?:['’]s|\s+(?:is|was|will\s+be|would\s+be|may\s+be|seems|becomes|became))
           (?:\s+(?:not|also|often|very|more|only|now|always|never))?\s+(?:{_OF_NOTHING})\b)
    """,
    re.VERBOSE,
)
_SAY = (
    r"(?:said|says|added|adds|told|explained|explains|insisted|insists|claimed|claims|warned|warns|argued|argues|noted|notes"
    r"|wrote|writes)"
)
#: A quotation of someone who is only called he, she or they.
_SPOKEN_BY_PRONOUN = re.compile(rf"[\"”’']\s*(?:(?:he|she|they|it)\s+{_SAY}|{_SAY}\s+(?:he|she|they))\b")
_SAID_AT_THE_END = re.compile(rf",\s+(?:he|she|they)\s+{_SAY}\W*\Z")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+")

# --- Korean -------------------------------------------------------------------------------------------------------

#: A noun after 이 ("this") that names the text itself.
_ITSELF = r"법|법률|영|규칙|규정|조례|고시|훈령|예규|조약|협정|약관|계약|논문|글|책|보고서|문서|청원|소설집|장|절|조|항"
#: A word after 이 that is the title of a person of this surname.
_TITLE = (
    r"씨|군|양|옹|대통령|의원|대표|장관|총리|교수|회장|사장|위원장|총장|감독|선수|후보|부회장|원장|시장|지사|청장|검사|판사|변호사|"
    r"팀장|국장|실장|차관|수석|박사|작가|기자|소장|센터장|총재|이사장|본부장|부장|과장|전무|상무|이사|행장|관장|단장|대변인|코치|경위|대위"
)
#: A noun after 이번 ("this time's") that an earlier sentence tells of; 이번 주 is a time.
_OF_EARLIER = (
    r"연구|조사|결과|발견|사건|사고|결정|판결|발표|조치|행사|작업|합의|실험|논문|성과|기술|개발|사태|대책|방안|계획|협약|계약|인사|"
    r"제도|개정|대회|전시|공연|사업|선거|회의|회담|방문|수사|소송|분석|관측|시험|프로젝트"
)
_END = r"(?=[\s,])"
_KOREAN = re.compile(
    rf"""
      (?:그러나|하지만|그런데|그렇지만|그리고|그래서|그러므로|그러니까?|그러자|그러면|그렇다면|그래도|그럼에도|그럼|따라서|게다가
        |더구나|더욱이|더불어|뿐만\s?아니라|또|또한|즉|한편|한편으로는|반면|반면에|반면에는|반대로|마찬가지로|다만|단지|특히|특히나|물론|결국
        |결국에는|결과적으로|예컨대|가령|왜냐하면|요컨대|아울러|이어|이어서|앞서|오히려|대신|대신에|동시에|이듬해|이듬해에|이후|이후에
        |이후에는|이후에도|이후로|이후로는|이때|이때부터|이때의|이날|이날은|그날|당시|당시에|당시에는|당시의|당시는|그동안|그간|그중|그중에|그중에서도?|때문에
        |이외에도?|이뿐만?|이로써|이로|이렇게|그렇게|이처럼|그처럼|이같이|그같이|이만큼|그만큼|이렇듯|이래서|그제야|나아가|그에|그러다가?
        |여기|여기에|여기에는|여기에서는?|여기서|여기서는|거기|거기에|거기에는|거기서|둘\s다|둘은|양측은?|양국은?|양사는|이런|이러한|그런|그러한|저런
        |같은|똑같은|해당|상기|이른바\s이것|그나마|그제서야|이윽고|마침내|후에|후에는|훗날|그해|그해에|그해에는|하여튼|아무튼|어쨌든){_END}
    | 그\s?(?:후|뒤|때|무렵|다음|밖에|외에?|가운데|결과){_END}
    | 그\s(?!많던|누구)\S
    | 그(?:는|가|의|를|에게|에게는|도|와|와는|만|녀|들|것|곳|때|날|로)\S{{0,3}}{_END}
    | 이(?:는|를|를테면|에|에는|에도|와|와는|와도|것|들|곳|때문에)\S{{0,3}}{_END}
    | 이\s(?!(?:{_ITSELF}|{_TITLE})(?:[은는이가을를의에도과와]|에서|에게|으로|로|$|\s))\S
    | 이번\s(?:{_OF_EARLIER})(?:[은는이가을를의에도과와로]|에서|으로|에는)
    | (?:이번|이)엔{_END}
    | [가-힣]+[은는이가]\s(?:이를|이에|이것을|그것을|(?:이|그|이런|이러한|그러한)
      \s(?!(?:{_ITSELF}|{_TITLE})(?:[을를]|에게))[가-힣]+[을를]){_END}
    | 예를\s들[어면자]
    | (?:두|세|네)\s사람[은이의도]
    | (?:전자|후자)[는가의를]
    | 위(?:와\s같|의\s|\s(?:사건|표|그림|사실|글|내용|조항))
    """,
    re.VERBOSE,
)
#: Words that look like leaning ones: a time of year or of day after 같은 (값) and the like.
_KOREAN_FREE = re.compile(
    r"같은\s(?!날|해|달|시기|시간|자리|이유|방법|방식|기간|맥락|기준|조건|경우|점|논리|장소|팀|당|학교|회사)"
    r"|(?:단지|당시|또|대신|나아가)\s?[가-힣]*[를을]?\s?\Z"
    r"|이에(?:스|요|이)"
    r"|그(?:도|만|와|로)\s?\Z"
)
#: A quotation with a verb of saying, and nobody who says it.
_SPOKEN_BY_NOBODY = re.compile(
    r"[\"“][^\"”]*[\"”]\s?(?:이?라고|이?라며|라면서|고|며|면서)\s(?:(?![가-힣]+[은는이가께]\s)\S+\s){0,4}?"
    r"(?:말했|밝혔|덧붙였|강조했|설명했|전했|주장했|답했|지적했|했)다\W*\Z"
)


#: Words that may be the subject or the topic of a sentence, and those that only look so: verbs before a noun, adverbs,
#: words that stand for something said before.
_SUBJECT = re.compile(r"[가-힣A-Za-z\d)\]」』》〉\"'”’%](?:[은는이가도]|께서|에서는|에는)(?=[\s,])")
_NO_SUBJECT = re.compile(
    r"(?:[되하있없않]는|[가-힣](?:받|많|같|높|낮|작|좋|깊|넓|젊|얻|맞|맡|않|짧|길|얇|굵|남|찾|믿|잡|죽|낳)은"
    r"|(?:없|같|많|깊|높|길|굳|일찍|함께)이|에도|해도|어도|아도|라도|지도|고도|서도)\Z"
    r"|\A(?:이는|이것[은이]|그것[은이]|그[는가]|그녀[는가]|그들[은이]|이들[은이])\Z"
)
#: A statement in the style of books and news. Letters and speech leave out "I".
_STATEMENT = re.compile(r"(?<![니까])다\W*\Z")


def has_no_subject(sentence: str) -> bool:
    """Whether a Korean statement leaves out what it is about, which an earlier sentence says: "1998년에 은퇴했다."

    It can follow the sentence before it, but cannot open a summary. Never true where a word looks like a subject.
    """
    if not _STATEMENT.search(sentence) or not "가" <= sentence[-2:-1] <= "힣":
        return False
    for match in _SUBJECT.finditer(sentence):
        word = sentence[: match.end()].rpartition(" ")[2]
        if not _NO_SUBJECT.search(word):
            return False
    return True


def leans(sentence: str, *, has_subject_before: bool = True) -> bool:
    """Whether a reader needs an earlier sentence to understand this one. A statement that leaves out its subject leans
    only if a sentence before it has one."""
    opening = _OPENING.match(sentence)
    start = opening.end() if opening else 0
    beginning = sentence[start : start + _BEGINNING_CHARS]
    if "가" <= beginning[:1] <= "힣":
        if _KOREAN.match(beginning) and not _KOREAN_FREE.match(beginning):
            return True
    elif _ENGLISH.match(beginning):
        return True
    return (has_subject_before and has_no_subject(sentence)) or _spoken_by_unknown(sentence, start)


def _spoken_by_unknown(sentence: str, start: int) -> bool:
    """Whether it is a quotation without a name of who said it."""
    if start and sentence[start - 1] in "\"“'‘":
        spoken = _SPOKEN_BY_PRONOUN.search(sentence) or _SPOKEN_BY_NOBODY.match(sentence)
        return spoken is not None
    end = _SAID_AT_THE_END.search(sentence)
    return end is not None and not _NAME.search(sentence, 1, end.start())
