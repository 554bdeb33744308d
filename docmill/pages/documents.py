"""What the pages about documents share: the frame, the style, and a line with a document's metadata.

One HTML file that loads nothing: no scripts, no fonts, no images, and a policy that forbids them.
Everything from documents is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark; --line: light-dark(#d8d8d8, #444); --soft: light-dark(#666, #aaa);
        --mark: light-dark(#ffe89a, #6b5500); --page: light-dark(#fff, #1b1b1b); --box: light-dark(#fafafa, #232323); }
body { margin: 0 auto; padding: 1.5rem; max-width: 90rem; background: var(--page); line-height: 1.6;
       font-family: system-ui, "Apple SD Gothic Neo", "Malgun Gothic", "Noto Sans CJK KR", "Noto Sans KR", sans-serif; }
h1 { font-size: 1.4rem; margin: 0; }
h2 { font-size: 1rem; margin: 0 0 .5rem; overflow-wrap: anywhere; }
p.facts, span.facts { color: var(--soft); font-size: .85rem; font-weight: normal; }
article p.facts { margin: -.4rem 0 .5rem; overflow-wrap: anywhere; }
article { border-top: 1px solid var(--line); padding: 1rem 0; }
.sides { display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); gap: 1.5rem; }
.sides > div { white-space: pre-wrap; overflow-wrap: anywhere; max-height: 70vh; overflow-y: auto;
               background: var(--box); border: 1px solid var(--line); border-radius: .4rem; padding: .8rem 1rem; }
[lang=ko] { word-break: keep-all; }
mark { background: var(--mark); color: inherit; border-radius: .2rem; }
mark:target { outline: 2px solid currentColor; }
@media (max-width: 50rem) { .sides { grid-template-columns: 1fr; } }
"""
#: Of the metadata of a document, at most this many fields are shown, with values of at most this many characters.
_META_FIELDS, _META_CHARS = 12, 120
#: Nothing is loaded or run, whatever a document holds.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(title: str, facts: str, articles: Iterable[str], style: str) -> Iterator[str]:
    """The page, piece by piece; articles are HTML."""
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}{style}</style>\n</head>\n<body>\n"
        f'<h1>{escape(title)}</h1>\n<p class="facts">{escape(facts)}</p>\n'
    )
    yield from articles
    yield "</body>\n</html>\n"


def metadata(meta: Mapping[str, Any]) -> str:
    """The metadata in a line: what is short of it."""
    shown = [
        f"{name}: {value}"
        for name, value in meta.items()
        if not isinstance(value, dict | list) and len(str(value)) <= _META_CHARS
    ]
    return f'<p class="facts">{escape(" · ".join(shown[:_META_FIELDS]))}</p>\n' if shown else ""
