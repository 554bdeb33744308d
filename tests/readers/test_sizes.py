"""Sizes: memory stays bounded and time linear, whatever the files hold. Each case runs in a process of its own."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

READ = """
import json, resource, sys
from pathlib import Path
from readers import Record, read
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
n, bad = 0, []
for item in read([Path(sys.argv[1])]):
    if isinstance(item, Record): n += 1
    else: bad.append(str(item))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([n, bad, (peak - before) / 1024]))
"""


def read_apart(path: Path) -> tuple[int, list[str], float]:
    """Documents, reports, and by how many MiB the memory grew."""
    done = subprocess.run(
        [sys.executable, "-c", READ, path.name, str(Path(__file__).parents[2])],
        cwd=path.parent,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        check=True,
        capture_output=True,
        timeout=100,
    )
    n, bad, grown = json.loads(done.stdout)
    return n, bad, grown


def test_a_text_file_of_500_megabytes_is_refused_in_little_memory(tmp_path):
    with (tmp_path / "a.txt").open("wb") as file:
        file.write(b"word " * 2000)
        file.truncate(500 * 2**20)
    n, bad, grown = read_apart(tmp_path / "a.txt")
    assert (n, bad) == (
        0,
        ["a.txt: TEXT_TOO_LONG: the text is longer than 10485760 bytes of UTF-8: split it (key a.txt)"],
    )
    assert grown < 40


@pytest.mark.parametrize("gibibytes", [0.2, pytest.param(2, marks=pytest.mark.slow)])
def test_gigabytes_without_a_line_end_are_passed_over_in_bounded_memory(tmp_path, gibibytes):
    with (tmp_path / "a.jsonl").open("wb") as file:
        file.write(b'{"id": "first", "text": "x"}\n{"id": "k", "text": "' + b"x" * 20_000)
        file.seek(int(gibibytes * 2**30))
        file.write(b'"}\n{"id": "last", "text": "x"}\n')
    n, bad, grown = read_apart(tmp_path / "a.jsonl")
    assert (n, bad) == (
        2,
        ["a.jsonl:2: LINE_TOO_LONG: the line is longer than 33554432 bytes; it was skipped"],
    )
    assert grown < 100


@pytest.mark.long
@pytest.mark.parametrize(("first", "between"), [(b"[", b","), (b"[\n", b",\n"), (b"", b"\n")])
def test_an_array_of_200_megabytes_is_read_in_bounded_memory(tmp_path, first, between):
    n = 100
    with (tmp_path / "a.json").open("wb") as file:
        file.write(first)
        for number in range(n):
            text = "글".encode() * 700_000
            file.write((between if number else b"") + b'{"id": %d,\n "text": "%b"}' % (number, text))
        file.write(b"]" if first else b"\n")
    found, bad, grown = read_apart(tmp_path / "a.json")
    assert (found, bad) == (n, [])
    assert grown < 100


def test_gigabytes_of_one_object_are_passed_over_in_bounded_memory(tmp_path):
    with (tmp_path / "a.json").open("wb") as file:
        file.write(b'[\n{"id": "first", "text": "x"},\n{"id": "k", "text": "')
        for _ in range(200):
            file.write(b"x" * 2**20)
        file.write(b'"},\n{"id": "last", "text": "x"}\n]\n')
    n, bad, grown = read_apart(tmp_path / "a.json")
    assert (n, [report.partition(": the")[0] for report in bad]) == (2, ["a.json:3: LINE_TOO_LONG"])
    assert grown < 200


def test_one_token_of_10_megabytes_is_read(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"id": "k", "text": "' + "가" * 3_000_000 + '"}\n')
    n, bad, grown = read_apart(tmp_path / "a.jsonl")
    assert (n, bad) == (1, [])
    assert grown < 150


def test_a_gzip_bomb_is_given_up(tmp_path):
    with gzip.open(tmp_path / "a.jsonl.gz", "wb", compresslevel=9) as file:
        file.write(b'{"id": "first", "text": "x"}\n')
        for _ in range(100):
            file.write(bytes(2**20))
    n, bad, grown = read_apart(tmp_path / "a.jsonl.gz")
    assert (n, bad) == (
        1,
        [
            "a.jsonl.gz: GZIP_BOMB: it unpacks to more than 200 times its size: unpack it yourself if you trust it"
        ],
    )
    assert grown < 100


def test_an_unclosed_quote_before_much_text_is_read_in_bounded_memory(tmp_path):
    with (tmp_path / "a.csv").open("wb") as file:
        file.write(b'id,text\nk,"open\n')
        for n in range(100_500):
            file.write(b"d%d,%b\n" % (n, b"x" * 100))
    n, bad, grown = read_apart(tmp_path / "a.csv")
    assert n == 100_500
    assert [report.partition(" inside")[0] for report in bad] == [
        "a.csv:2: UNCLOSED_QUOTE: the row goes on for 100001 lines"
    ]
    assert grown < 150


@pytest.mark.slow
def test_a_million_tiny_documents_are_read_in_less_than_a_minute(tmp_path):
    with (tmp_path / "a.jsonl").open("w") as file:
        for n in range(1_000_000):
            file.write(f'{{"id": "doc-{n}", "text": "배송이 빠르고 좋아요 {n}", "label": "긍정"}}\n')
    n, bad, grown = read_apart(tmp_path / "a.jsonl")
    assert (n, bad) == (1_000_000, [])
    assert grown < 150
