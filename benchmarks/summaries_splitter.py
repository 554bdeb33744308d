"""The sentence splitter: the tests' gold cases, and time against length up to 10 MB."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.summaries_data import records
from nlp_tasks.sentences import split

GOLD = Path(__file__).parents[1] / "tests" / "nlp" / "sentences_gold.txt"
LENGTHS = (625_000, 2_500_000, 10_000_000)
TEXTS = {"en_news_bbc": "English news", "ko_summ_wikilead": "Korean encyclopedia"}


def measure(data: Path, seed: int) -> tuple[dict[str, Any], dict[str, dict[str, float]]]:
    """Figures and thresholds."""
    cases = _gold()
    right = {
        "docmill": sum(_ours(text) == want for text, want in cases) / len(cases),
        "textrankr's expression": sum(_textrankr(text) == want for text, want in cases) / len(cases),
        "every stop and a blank": sum(_naive(text) == want for text, want in cases) / len(cases),
    }
    report.table(
        f"Splitter, {len(cases)} gold cases", ["splitter", "right"], [list(row) for row in right.items()]
    )
    seconds = {name: _seconds(_prose(data, folder, seed)) for folder, name in TEXTS.items()}
    seconds["one token"] = _seconds("가" * LENGTHS[-1])
    rows = [[name, *times] for name, times in seconds.items()]
    report.table("Splitter, seconds", ["text", *(f"{n:,} characters" for n in LENGTHS)], rows)
    worst = max(times[-1] / times[0] for times in seconds.values())
    bars = {
        "gold cases right": {"value": right["docmill"], "at_least": 1},
        "splitting 16 times the text, times the seconds": {"value": worst, "at_most": 24},
    }
    return {"gold": right, "cases": len(cases), "lengths": LENGTHS, "seconds": seconds}, bars


def _gold() -> list[tuple[str, list[str]]]:
    lines = [
        line for line in GOLD.read_text(encoding="utf-8").split("\n") if line and not line.startswith(";;")
    ]
    cases = [line.replace("\\n", "\n").replace("\\r", "\r").replace("\\u2028", "\u2028") for line in lines]
    return [(case.replace("¦", ""), [part.strip() for part in case.split("¦")]) for case in cases]


def _ours(text: str) -> list[str]:
    return [text[start:end] for start, end in split(text)]


def _textrankr(text: str) -> list[str]:
    """The regular expression of textrankr 1.1, which here keeps the stops, for a fair comparison."""
    return _parts(r"(?<=[^0-9]\.)|(?<=[\n!?])", text)


def _naive(text: str) -> list[str]:
    return _parts(r"(?<=[.!?])\s|\n", text)


def _parts(expression: str, text: str) -> list[str]:
    return [part.strip() for part in re.split(expression, text) if part.strip()]


def _prose(data: Path, folder: str, seed: int) -> str:
    """10 MB of the texts in a folder, repeated if it has less."""
    parts: list[str] = []
    length = 0
    for text in cycle([record["text"] for record in records(data, folder, seed)]):
        parts.append(text)
        length += len(text) + 1
        if length >= LENGTHS[-1]:
            break
    return "\n".join(parts)


def _seconds(text: str) -> list[float]:
    return [round(_time(lambda n=n: split(text[:n], 1000)), 2) for n in LENGTHS]  # type: ignore[misc]


def _time(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start
