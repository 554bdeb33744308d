"""`make bench-extract`: text from files, beside kreuzberg, markitdown, pypdf and python-docx.

    python -m benchmarks.extraction [--data FOLDER] [--peers FOLDER] [--files N] [--documents N] [--skip-crowd]

1. Recall and order of a text that is known, by format. LibreOffice and python-hwpx write the files.
2. Files and pages a second on one core, and with two workers.
3. 60 damaged files: none is a quiet empty text; peak memory.
4. 10,000 files through two workers of which one is killed every 10 seconds: one outcome each.
5. Selections by metadata, beside pandas.

`make bench-extract` installs the peers in a virtual environment of their own (--peers), and LibreOffice on the machine.
What is not there (LibreOffice, a peer, the real files) is named and left out.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks import extraction_crowd, extraction_files, metadata_selections, report
from benchmarks.extraction_files import Known
from benchmarks.extraction_peers import PEERS
from readers.extraction import Extraction, ExtractionError
from readers.extraction.isolated import Parser

_SCRIPT = Path(__file__).with_name("extraction_peers.py")
_MIB = 1024 * 1024
#: Formats whose text a reader shows as it was written.
_REAL = ("*.pdf", "*.hwp", "*.htm")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument(
        "--peers", type=Path, default=Path(".bench-peers"), help="virtual environment of the peers"
    )
    parser.add_argument("--paragraphs", type=int, default=200, help="of each file that is made")
    parser.add_argument("--files", type=int, default=10_000, help="through two workers")
    parser.add_argument("--skip-crowd", action="store_true", help="leave out part 4")
    parser.add_argument("--documents", type=int, default=50_000, help="of part 5")
    options = parser.parse_args()
    print(report.machine())
    peers = _peers(options.peers)
    figures: dict[str, Any] = {}
    bars: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        known, missing = extraction_files.made(folder, options.paragraphs, options.peers / "bin" / "python")
        for each in missing:
            print(f"left out: {each}")
        _recall(known, peers, figures, bars)
        real = sorted(path for kind in _REAL for path in (options.data / "files_real").glob(kind))
        _speed([each.path for each in known] + real, peers, figures)
        _damaged([each.path for each in known], figures, bars)
    if not options.skip_crowd:
        extraction_crowd.run(options.files, figures, bars)
    _metadata(options.documents, figures, bars)
    report.end(figures, bars)


def _peers(folder: Path) -> dict[str, Path]:
    """The interpreter of each extractor that is there."""
    python = folder / "bin" / "python"
    found = {"docmill": Path(sys.executable)}
    for name in PEERS:
        module = {"python-docx": "docx"}.get(name, name)
        if name == "docmill":
            continue
        words = [str(python), "-c", f"import {module}"]
        if python.exists() and subprocess.run(words, capture_output=True, check=False).returncode == 0:
            found[name] = python
        else:
            print(f"left out: {name} is not in {folder}, where make installs it")
    return found


def _read(
    name: str, python: Path, paths: Sequence[Path], *, with_text: bool
) -> dict[Path, tuple[float, Any, str | None]]:
    """What one extractor finds in the files that it can read."""
    wanted = [path for path in paths if path.suffix[1:] in PEERS[name]]
    if not wanted:
        return {}
    command = [str(python), "-P", str(_SCRIPT), name, "text" if with_text else "size"]
    done = subprocess.run(
        command, input="\n".join(map(str, wanted)), capture_output=True, text=True, check=False
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    return {Path(path): (seconds, text, error) for path, seconds, text, error in lines}


def _recall(
    known: list[Known], peers: dict[str, Path], figures: dict[str, Any], bars: dict[str, Any]
) -> None:
    found: dict[str, dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for name, python in peers.items():
        texts = _read(name, python, [each.path for each in known], with_text=True)
        for each in known:
            if each.path in texts:
                text = texts[each.path][1] or ""
                found[each.format][name].append((recall(each.paragraphs, text), order(each.paragraphs, text)))
    rows = []
    for form, by_peer in found.items():
        row: list[Any] = [form]
        for name in peers:
            pairs = by_peer.get(name)
            row.append(
                " ".join(f"{least:.3f}" for least in map(min, zip(*pairs, strict=True))) if pairs else "-"
            )
        rows.append(row)
        least = [min(values) for values in zip(*by_peer["docmill"], strict=True)]
        for what, value in zip(("recall", "order"), least, strict=True):
            figures[f"{form} {what}"] = value
            bars[f"{form}: {what} of the known text"] = {"value": value, "at_least": 0.995}
    report.table(
        "Recall of characters, and share of paragraphs in order (the worse language)", ["", *peers], rows
    )


def recall(paragraphs: Sequence[str], text: str) -> float:
    """The share of the characters that are in the text, blanks aside."""
    wanted = Counter("".join("".join(paragraphs).split()))
    missing = wanted - Counter("".join(text.split()))
    return 1 - missing.total() / wanted.total()


def order(paragraphs: Sequence[str], text: str) -> float:
    """The share of the paragraphs that stand whole in the text, each after the one before; blanks aside."""
    squeezed = "".join(text.split())
    at = n_found = 0
    for paragraph in paragraphs:
        wanted = "".join(paragraph.split())
        place = squeezed.find(wanted, at)
        if place >= 0:
            n_found += 1
            at = place + len(wanted)
    return n_found / len(paragraphs)


def _speed(paths: list[Path], peers: dict[str, Path], figures: dict[str, Any]) -> None:
    """Each peer on the files that it can read, and docmill on the same ones; the second of two passes counts."""
    n_pages = _pages(paths)
    rows, of_pages = [], []
    for name, python in peers.items():
        theirs = _seconds(name, python, paths)
        ours = _seconds("docmill", peers["docmill"], paths)
        both = [path for path in theirs if path in ours]
        if not both:
            continue
        mine, other = sum(ours[path] for path in both), sum(theirs[path] for path in both)
        two = _with_two(name, python, both)
        rows.append([name, len(both), len(both) / other, len(both) / mine, other / mine, two])
        figures[f"{name} files/s"] = len(both) / other
        figures[f"{name} files/s, two workers"] = two
        if name != "docmill":
            figures[f"docmill/{name} speed"] = other / mine
        pdfs = [path for path in both if path.suffix == ".pdf" and n_pages.get(path)]
        n, seconds = sum(n_pages[path] for path in pdfs), sum(theirs[path] for path in pdfs)
        if pdfs:
            ratio = seconds / sum(ours[path] for path in pdfs)
            of_pages.append([name, len(pdfs), n, n / seconds, n * ratio / seconds, ratio])
            figures[f"{name} pages/s of PDF"] = n / seconds
    columns = ["", "files", "files/s", "docmill on the same", "ratio", "two workers"]
    report.table("Files a second on one core (those that both read)", columns, rows)
    columns = ["", "files", "pages", "pages/s", "docmill on the same", "ratio"]
    report.table("Pages of PDF a second on one core (files that both read)", columns, of_pages)


def _pages(paths: list[Path]) -> dict[Path, int]:
    """How many pages a file has that docmill reads."""
    parser, found = Parser(), {}
    for path in paths:
        with contextlib.suppress(ExtractionError):
            found[path] = parser.extract(path).figures.n_pages
    parser.close()
    return found


def _seconds(name: str, python: Path, paths: list[Path]) -> dict[Path, float]:
    wanted = [path for path in paths if path.suffix[1:] in PEERS[name]]
    _read(name, python, wanted[:1], with_text=False)
    found = _read(name, python, [*wanted[:4], *wanted], with_text=False)
    return {path: seconds for path, (seconds, size, _) in found.items() if size}


def _with_two(name: str, python: Path, paths: list[Path]) -> float:
    """Files a second of two processes, each with half of the files; starting them is not counted."""
    halves = [sorted(paths)[::2], sorted(paths)[1::2]]
    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(lambda half: _read(name, python, half, with_text=False), halves))
    return len(paths) / max(sum(seconds for seconds, *_ in each.values()) for each in found)


def _damaged(sound: list[Path], figures: dict[str, Any], bars: dict[str, Any]) -> None:
    files = extraction_files.damaged(sound)
    parser = Parser()
    outcomes: Counter[str] = Counter()
    quiet: list[str] = []
    neighbours = 0
    watch = _Watch(parser)
    watch.start()
    for name, data in files.items():
        try:
            found = parser.extract(data, name=name)
        except ExtractionError as error:
            outcomes[error.code] += 1
        else:
            texts = [each for _, each in found.documents()]
            errors = _has_errors(found)
            is_warned = bool(errors or [warned for text in texts for warned in text.warnings])
            outcomes["text, warned" if is_warned else "text"] += 1
            if not is_warned:
                print(
                    f"text without a warning: {name} ({sum(len(text.text) for text in texts):,} characters)"
                )
            if not texts and not errors:
                quiet.append(name)
        neighbours += parser.extract(b"A sound neighbour.").text == "A sound neighbour."
    peak = watch.stop()
    parser.close()
    report.table(
        f"{len(files)} damaged files", ["outcome", "files"], [list(each) for each in outcomes.most_common()]
    )
    figures |= {
        "damaged files": len(files), "damaged outcomes": dict(outcomes), "parser peak MiB": peak / _MIB,
    }  # fmt: skip
    bars["damaged files that are a quiet empty text"] = {"value": len(quiet), "at_most": 0}
    bars["neighbours of damaged files that are read"] = {"value": neighbours / len(files), "at_least": 1}
    bars["peak memory of the parsers, MiB"] = {"value": peak / _MIB, "at_most": 1024}
    for name in quiet:
        print(f"quiet: {name}")


def _has_errors(found: Extraction) -> bool:
    return any(
        member.error is not None or (member.extraction is not None and _has_errors(member.extraction))
        for member in found.members
    )


class _Watch(threading.Thread):
    """The most memory that a parser's process was seen to use, looked at every 10 ms."""

    def __init__(self, parser: Parser) -> None:
        super().__init__(daemon=True)
        self._parser, self._stopping = parser, threading.Event()
        self.peak = 0

    def run(self) -> None:
        while not self._stopping.wait(0.01):
            self.peak = max(self.peak, self._parser.n_bytes())

    def stop(self) -> int:
        self._stopping.set()
        self.join()
        return self.peak


def _metadata(n_documents: int, figures: dict[str, Any], bars: dict[str, Any]) -> None:
    """Part 5."""
    started = time.perf_counter()
    found, limits = metadata_selections.measure(n_documents)
    figures |= {f"metadata {what}": value for what, value in found.items()}
    figures["metadata seconds"] = time.perf_counter() - started
    bars |= limits


if __name__ == "__main__":
    main()
