"""Whether the sentence splitter finds the same sentences in texts after wrapping them at random widths.

    python -m benchmarks.wrapped_lines --data DIR [--seed 3]

DIR contains the folders below. Documents of four paragraphs are wrapped at words, by characters (English) or columns
(Korean: a syllable takes two), or broken at any character. F1 compares the sentence ends with those of the unwrapped
paragraphs. Lists of petition titles and reviews, one per line, must stay split.
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Callable
from pathlib import Path

from benchmarks import report
from benchmarks.summaries_data import records
from nlp_tasks.sentences import split

FOLDERS = ("ko_summ_wikilead", "ko_topic_petitions", "ko_longdoc_law", "en_news_bbc", "en_summ_scisummnet")
WIDTHS = ((22, 38), (39, 60), (61, 100))
PARAGRAPHS, TOGETHER = 400, 4
_WIDE = re.compile("[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3]")
_ENDED = re.compile(r"[.!?][\"”’)]*$")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=3)
    arguments = parser.parse_args()
    rows = [row for folder in FOLDERS for row in _rows(arguments.data, folder, arguments.seed)]
    heads = ["folder", "how", *(f"{low}-{high}" for low, high in WIDTHS)]
    report.table("F1 of sentence ends after wrapping", heads, rows)
    kept = [[name, n, _kept(lines, n)] for name, lines in _lists(arguments) for n in (2, 4, 20)]
    report.table("Share of line ends kept in lists", ["lines of", "together", "kept"], kept)
    report.end({"machine": report.machine(), "wrapped": rows, "lists": kept}, {})


def _rows(data: Path, folder: str, seed: int) -> list[list[object]]:
    drawn = random.Random(seed)
    paragraphs = _paragraphs(data, folder, seed)
    documents = [paragraphs[at : at + TOGETHER] for at in range(0, len(paragraphs), TOGETHER)]
    ways: dict[str, Callable[[str, int], str]] = {"at words": _at_words}
    if folder.startswith("ko"):
        ways["at any character"] = _anywhere
    return [
        [folder, how, *(_f1(documents, wrap, range(low, high + 1), drawn) for low, high in WIDTHS)]
        for how, wrap in ways.items()
    ]


def _paragraphs(data: Path, folder: str, seed: int) -> list[str]:
    found: list[str] = []
    for record in records(data, folder, seed):
        lines = [" ".join(line.split()) for line in record["text"].split("\n")]
        found += [line for line in lines if line.count(" ") > 7 and _ENDED.search(line)][:6]
        if len(found) >= PARAGRAPHS:
            break
    return found[:PARAGRAPHS]


def _at_words(text: str, width: int) -> str:
    """Wrapped at `width` characters, or at twice as many columns if most characters are wide."""
    is_wide = len(_WIDE.findall(text)) * 2 > len(text)
    lines: list[str] = []
    room = 0
    for word in text.split(" "):
        size = len(word) + (len(_WIDE.findall(word)) if is_wide else 0)
        if lines and size + 1 <= room:
            lines[-1] += f" {word}"
            room -= size + 1
        else:
            lines.append(word)
            room = width * (2 if is_wide else 1) - size
    return "\n".join(lines)


def _anywhere(text: str, width: int) -> str:
    return "\n".join(text[at : at + width].strip() for at in range(0, len(text), width))


def _f1(
    documents: list[list[str]], wrap: Callable[[str, int], str], widths: range, drawn: random.Random
) -> float:
    both = missed = wrong = 0
    for document in documents:
        width = drawn.choice(widths)
        true = _ends("\n\n".join(document))
        found = _ends("\n\n".join(wrap(paragraph, width) for paragraph in document))
        both, missed, wrong = both + len(true & found), missed + len(true - found), wrong + len(found - true)
    return round(2 * both / (2 * both + missed + wrong), 3)


def _ends(text: str) -> set[int]:
    """The sentence ends, counted in non-blank characters."""
    return {len("".join(text[:end].split())) for _, end in split(text)}


def _lists(arguments: argparse.Namespace) -> list[tuple[str, list[str]]]:
    fields = (("ko_topic_petitions", "title"), ("ko_sentiment_nsmc", "text"))
    return [
        (f"{folder} {field}", [" ".join((record.get(field) or "-").split()) for record in found][:2000])
        for folder, field in fields
        for found in [list(records(arguments.data, folder, arguments.seed))]
    ]


def _kept(lines: list[str], together: int) -> float:
    n_kept = n = 0
    for at in range(0, len(lines) - together + 1, together):
        group = lines[at : at + together]
        ends = _ends("\n".join(group))
        for place in range(1, together):
            n_kept += len("".join("".join(group[:place]).split())) in ends
            n += 1
    return round(n_kept / n, 3)


if __name__ == "__main__":
    main()
