"""What stands in a text and is no word of it: links, e-mail addresses, mentions, file names, identifiers.

Knows patterns, not how important a word is. Works in time linear in the text's length.
"""

from __future__ import annotations

import re

_EXTENSIONS = (
    "7z avi bak bat bin bmp c cfg conf cpp cs css csv dat db dll doc docx eps exe gif gz h hwp hwpx htm html ico ini "
    "ipynb iso jar java jpeg jpg js json jsonl jsp key log m4a md mkv mov mp3 mp4 mpeg mpg msi odt ogg parquet pdf "
    "php png ppt pptx ps1 psd py rar rb rs rst rtf sh sql svg sys tar tgz tif tiff toml ts tsv txt wav webm webp wmv "
    "xhtml xls xlsx xml yaml yml zip"
)
#: The ends of file names.
EXTENSIONS = frozenset(_EXTENSIONS.split())
#: The ends of host names: the common ones, and those of countries whose pages Korean and English texts name.
_DOMAINS = (
    "com|net|org|edu|gov|mil|int|info|biz|io|ai|app|dev|me|tv|"
    "kr|jp|cn|tw|hk|uk|us|de|fr|eu|ca|au|in|ru|br|it|es|nl"
)
_PATH = r"[^\s<>\"'“”‘’()\[\]{}「」『』《》|가-힣ㄱ-ㆎ一-鿿ぁ-ヿ]"
_ADDRESS = re.compile(
    # with a scheme, or www: up to a blank or a letter that no address has (a Korean particle)
    rf"\b(?:(?:https?|ftp|file)://|www\.|mailto:){_PATH}+(?<![.,;:!?])"
    # e-mail; parts are as long as standards allow, which keeps the time linear
    r"|(?<![\w.+-])[A-Za-z0-9][\w.+-]{0,63}@[A-Za-z0-9][A-Za-z0-9.-]{0,254}\.[A-Za-z]{2,24}"
    # a name of a user
    r"|(?<![\w@])@[A-Za-z0-9_](?:[A-Za-z0-9_.]{0,29}[A-Za-z0-9_])?"
    # a host, maybe with a path; one label and a capital (Booking.com) is a name, see below
    rf"|(?<![\w.@/-])(?:[A-Za-z0-9](?:[A-Za-z0-9-]{{0,61}}[A-Za-z0-9])?\.){{1,5}}(?:{_DOMAINS})(?![A-Za-z0-9-])(?:[:/]{_PATH}*(?<![.,;:!?]))?"
    # a file, maybe with its folders
    rf"|(?<![\w.])(?:[A-Za-z]:[\\/]|[.~]{{0,2}}/)?(?:[\w-]{{1,64}}[\\/]){{0,8}}[\w-][\w.-]{{0,126}}\.(?P<extension>[A-Za-z0-9]{{1,8}})(?![A-Za-z0-9_])"
    # an identifier: a UUID, a hash, a key
    r"|\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b|\b(?=[A-Za-z]*\d[A-Za-z0-9]*[A-Za-z]|\d+[A-Za-z]+\d)[A-Za-z0-9]{16,}\b"
)
#: What may be an identifier, without any of the signs of addresses.
_LONG = re.compile(r"[A-Za-z0-9]{16}")
_HASHTAG = re.compile(r"(?<![\w&])[#＃](?=\w)")
#: So many characters beside an address say something, however long it is.
_A_SENTENCE_CHARS = 50
_BLANKS = re.compile(r"\s+")
#: Products that are called so.
_NAME_WITH_A_DOT = re.compile(r"(?:[A-Z][A-Za-z]+\.(?:js|io|rs)|[A-Z]+\.NET|d3\.js)\Z")
_NAME_OF_A_HOST = re.compile(r"[A-Z][A-Za-z0-9-]*\.[a-z]+\Z")


def masked(text: str, filler: str = " ") -> str:
    """The text with each address made of `filler`, so that all else stands where it stood.

    Of a name like Booking.com or Node.js nothing goes; of a hashtag only its mark.
    """
    if "." not in text and "@" not in text and "#" not in text and "-" not in text and not _LONG.search(text):
        return text
    text = _ADDRESS.sub(lambda match: filler * len(match[0]) if _is_address(match) else match[0], text)
    return _HASHTAG.sub(filler, text)


def is_mostly(sentence: str) -> bool:
    """Whether a sentence is there for a link, an address or a file: those are more of it than its words."""
    left = _BLANKS.sub("", masked(sentence))
    n_gone = len(_BLANKS.sub("", sentence)) - len(left)
    return n_gone > 0 and n_gone >= len(left) and len(left) < _A_SENTENCE_CHARS


def _is_address(match: re.Match[str]) -> bool:
    if match["extension"] is not None:
        named = _NAME_WITH_A_DOT.match(match[0]) is not None
        return match["extension"].lower() in EXTENSIONS and not named
    return _NAME_OF_A_HOST.match(match[0]) is None
