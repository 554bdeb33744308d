"""Chinese and Japanese terms, found without a dictionary: by script, by function words, and by repetition.

Japanese particles and endings are written in hiragana; the terms are between them: 電気バス, 計画. Chinese function
words have one or two characters (的, 宣布, 将); the terms are between them: 北京市政府, 交通计划. A longer stretch is
split at parts that occur in the text at least twice.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from nlp_tasks.keywords.word import Word

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff々〆"
_KANA = "\u3041-\u309f\u30a0-\u30ff\u31f0-\u31ff\uff66-\uff9f"
#: The letters of these scripts, for a character class.
LETTERS = _HAN + _KANA
#: The minimum and maximum length of a term, in characters.
_SHORTEST, _LONGEST = 2, 8
#: Longer stretches may be several words: they are split at repeated parts.
_ONE_WORD = 4
#: The maximum length of a repeated part.
_LONGEST_REPEATED = 6
_ideographs = re.compile(f"[{LETTERS}]")
_kana = re.compile("[\u3041-\u309f]")
#: Katakana and Han together: 電気バス. The sound mark ー belongs to katakana.
_japanese = re.compile(f"[{_HAN}\u30a1-\u30fa\u30fc\uff66-\uff9f]+")
_scripts = re.compile(f"[{_HAN}]+|[^{_HAN}]+")
_chinese = re.compile(f"[{_HAN}]+")

_NUMERALS = "一二三四五六七八九十百千万萬亿億兆两兩零〇"
#: Japanese: numbers with their counters, days and months, and nouns that only connect clauses.
_JAPANESE_LITTLE = re.compile(
    rf"[{_NUMERALS}]+(?:台|人|年|月|日|回|件|個|本|枚|円|歳|度|割|番|位|時|分|秒|倍|社|校|名)?|[月火水木金土日]曜日?"
    "|(?:昨|今|来|同|翌|先|前)(?:年度?|月|日|週)|場合|必要|可能|以上|以下|以外|以内|一部|全体|自分|問題|方法|今回|今後|現在"
    "|最近|今日|昨日|明日|時間|結果|理由|発表|予定|関係|部分|多数|同様|実施|説明|指摘"
)
#: Chinese, simplified and traditional: particles, pronouns, prepositions, conjunctions, adverbs, measure words, and
#: verbs of saying, thinking and being. Words of two characters come first: 因为 is not 因 + 为.
_CHINESE_LITTLE = re.compile(
    "因为|因為|所以|但是|然而|而且|并且|並且|如果|虽然|雖然|由于|由於|对于|對於|关于|關於|根据|根據|通过|通過|为了|為了|以及|"
    "或者|还是|還是|不是|就是|只是|都是|也是|这是|這是|这些|這些|那些|这个|這個|那个|那個|一个|一個|这样|這樣|那样|那樣|这种|"
    "這種|我们|我們|你们|你們|他们|他們|她们|她們|它们|自己|什么|什麼|怎么|怎麼|为什么|哪里|哪裡|这里|這裡|那里|那裡|没有|沒有|"
    "已经|已經|正在|曾经|曾經|仍然|依然|仍旧|不足|可以|可能|应该|應該|必须|必須|需要|能够|能夠|不能|不会|不會|不要|将会|將會|"
    "非常|十分|特别|特別|更加|比较|比較|最近|目前|现在|現在|今天|昨天|明天|今年|去年|明年|当时|當時|同时|同時|其中|其他|其它|"
    "对此|對此|此外|另外|例如|比如|甚至|尤其|尽管|儘管|不过|不過|之后|之後|之前|以后|以後|以前|以来|以來|之间|之間|方面|"
    "时候|時候|问题|問題|情况|情況|表示|认为|認為|宣布|指出|说明|說明|强调|強調|称赞|报道|報道|報導|显示|顯示|介绍|介紹|"
    "进行|進行|开始|開始|成为|成為|作为|作為|包括|具有|属于|屬於|继续|繼續|增加|减少|減少|提高|提出|发现|發現|要求|希望|"
    "相信|觉得|覺得|知道|看到|得到|受到|达到|達到|举行|舉行|召开|召開|欢迎|歡迎|担心|擔心|反对|反對|支持|批准|决定|決定|"
    "(?:星期|礼拜|禮拜|周|週)[一二三四五六日天]|上午|下午|晚上|早上|"
    rf"[{_NUMERALS}]+(?:辆|輛|个|個|名|位|年|月|日|号|號|次|元|家|项|項|种|種|座|所|条|條|件|只|隻|本|台|倍|岁|歲|人|天|"
    "小时|小時|分钟|分鐘)?|"
    "时间|時間|更多|许多|許多|一些|使用|利用|新的|"
    "[的了着著过過吗嗎呢吧啊呀在是有和与與及或而但就都也还還又再才只很太最更被把将將让讓从從到由对對为為给給跟"
    "于於因所之其此该該这這那哪某我你您他她它们們不没沒未请請则則且并並即却卻虽雖若说說]"
)


def words(text: str) -> list[Word]:
    """The terms of the Chinese and Japanese stretches of a text, with their places, in order."""
    if not _ideographs.search(text):
        return []
    spans = list(_japanese_spans(text) if _kana.search(text) else _chinese_spans(text))
    counts = _repeated(text[start:end] for start, end in spans)
    found = (part for span in spans for part in _fitting(text, span, counts))
    return [Word(text[start:end], start, end) for start, end in found if end - start >= _SHORTEST]


def _japanese_spans(text: str) -> Iterator[tuple[int, int]]:
    for run in _japanese.finditer(text):
        yield from _between(text, run.span(), _JAPANESE_LITTLE)


def _chinese_spans(text: str) -> Iterator[tuple[int, int]]:
    for run in _chinese.finditer(text):
        yield from _between(text, run.span(), _CHINESE_LITTLE)


def _between(text: str, span: tuple[int, int], little: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """The parts of a stretch between function words."""
    start, end = span
    for match in little.finditer(text, start, end):
        if match.start() > start:
            yield start, match.start()
        start = match.end()
    if start < end:
        yield start, end


def _repeated(parts: Iterator[str]) -> Counter[str]:
    """How often each sequence of characters occurs in the parts."""
    counts: Counter[str] = Counter()
    for part in parts:
        for length in range(_SHORTEST, min(_LONGEST_REPEATED, len(part)) + 1):
            counts.update(part[at : at + length] for at in range(len(part) - length + 1))
    return counts


def _fitting(text: str, span: tuple[int, int], counts: Counter[str]) -> Iterator[tuple[int, int]]:
    """A short stretch as it is; a longer one split into its repeated parts and the rest between them."""
    start, end = span
    if end - start <= _ONE_WORD:
        yield span
        return
    left = at = start
    while at < end - 1:
        lengths = range(min(_LONGEST_REPEATED, end - at), _SHORTEST - 1, -1)
        length = next((n for n in lengths if counts[text[at : at + n]] > 1), 0)
        if length:
            yield from _rest(left, at)
            yield at, at + length
            left = at = at + length
        else:
            at += 1
    yield from _rest(left, end)


def _rest(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The rest between terms; it is dropped if it is too long for a term."""
    if end - start <= _LONGEST:
        yield start, end
