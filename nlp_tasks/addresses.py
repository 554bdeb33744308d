"""Links, e-mail addresses, mentions, file names and identifiers: the parts of a text that are not words.

Knows patterns, not how important a word is. Time is linear in the length of the text.
"""

from __future__ import annotations

import re

_EXTENSIONS = (
    "7z avi bak bat bin bmp c cfg conf cpp cs css csv dat db dll doc docx eps exe gif gz h hwp hwpx htm html ico ini "
    "ipynb iso jar java jpeg jpg js json jsonl jsp key log m4a md mkv mov mp3 mp4 mpeg mpg msi odt ogg parquet pdf "
    "php png ppt pptx ps1 psd py rar rb rs rst rtf sh sql svg sys tar tgz tif tiff toml ts tsv txt wav webm webp wmv "
    "xhtml xls xlsx xml yaml yml zip"
)
#: File name extensions.
EXTENSIONS = frozenset(_EXTENSIONS.split())
#: Top-level domains: the common ones, and those of countries that Korean and English texts link to.
_DOMAINS = (
    "com|net|org|edu|gov|mil|int|info|biz|io|ai|app|dev|me|tv|"
    "kr|jp|cn|tw|hk|uk|us|de|fr|eu|ca|au|in|ru|br|it|es|nl"
)
_PATH = r"[^\s<>\"'“”‘’()\[\]{}「」『』《》|가-힣ㄱ-ㆎ一-鿿ぁ-ヿ]"
_ADDRESS = re.compile(
    # with a scheme, or www: up to a blank or a letter that cannot be in an address (a Korean particle)
    rf"\b(?:(?:https?|ftp|file)://|www\.|mailto:){_PATH}+(?<![.,;:!?])"
    # e-mail; the parts are at most as long as the standards allow, which keeps the time linear
    r"|(?<![\w.+-])[A-Za-z0-9][\w.+-]{0,63}@[A-Za-z0-9][A-Za-z0-9.-]{0,254}\.[A-Za-z]{2,24}"
    # a user name
    r"|(?<![\w@])@[A-Za-z0-9_](?:[A-Za-z0-9_.]{0,29}[A-Za-z0-9_])?"
    # a host, perhaps with a path; a single capitalised label (Booking.com) is a name, see below
    rf"|(?<![\w.@/-])(?:[A-Za-z0-9](?:[A-Za-z0-9-]{{0,61}}[A-Za-z0-9])?\.){{1,5}}(?:{_DOMAINS})(?![A-Za-z0-9-])(?:[:/]{_PATH}*(?<![.,;:!?]))?"
    # a file, perhaps with its folders
    rf"|(?<![\w.])(?:[A-Za-z]:[\\/]|[.~]{{0,2}}/)?(?:[\w-]{{1,64}}[\\/]){{0,8}}[\w-][\w.-]{{0,126}}\.(?P<extension>[A-Za-z0-9]{{1,8}})(?![A-Za-z0-9_])"
    # an identifier: a UUID, a hash, a key
    r"|\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b|\b(?=[A-Za-z]*\d[A-Za-z0-9]*[A-Za-z]|\d+[A-Za-z]+\d)[A-Za-z0-9]{16,}\b"
)
#: May be an identifier, although the text has none of the characters that addresses have.
_LONG = re.compile(r"[A-Za-z0-9]{16}")
_HASHTAG = re.compile(r"(?<![\w&])[#＃](?=\w)")
#: A sentence with at least this many other characters says something, however long its address is.
_A_SENTENCE_CHARS = 50
_BLANKS = re.compile(r"\s+")
#: Product names with a dot.
_NAME_WITH_A_DOT = re.compile(r"(?:[A-Z][A-Za-z]+\.(?:js|io|rs)|[A-Z]+\.NET|d3\.js)\Z")
_NAME_OF_A_HOST = re.compile(r"[A-Z][A-Za-z0-9-]*\.[a-z]+\Z")


def masked(text: str, filler: str = " ") -> str:
    """The text with every character of an address replaced by `filler`; all other offsets stay the same.

    Names such as Booking.com or Node.js are kept; a hashtag loses only its mark.
    """
    if "." not in text and "@" not in text and "#" not in text and "-" not in text and not _LONG.search(text):
        return text
    text = _ADDRESS.sub(lambda match: filler * len(match[0]) if _is_address(match) else match[0], text)
    return _HASHTAG.sub(filler, text)


def is_mostly(sentence: str) -> bool:
    """Whether a sentence consists mostly of links, addresses or file names."""
    left = _BLANKS.sub("", masked(sentence))
    n_gone = len(_BLANKS.sub("", sentence)) - len(left)
    return n_gone > 0 and n_gone >= len(left) and len(left) < _A_SENTENCE_CHARS


def _is_address(match: re.Match[str]) -> bool:
    if match["extension"] is not None:
        named = _NAME_WITH_A_DOT.match(match[0]) is not None
        return match["extension"].lower() in EXTENSIONS and not named
    return _NAME_OF_A_HOST.match(match[0]) is None
