"""The Korean collection under examples/ is what its README says."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from readers import ReadOptions, Record, read

EXAMPLES = Path(__file__).parents[2] / "examples"
DOCUMENTS = EXAMPLES / "documents"


def test_the_collection_is_read_but_for_one_broken_line():
    others: list[str] = []
    found = list(read([DOCUMENTS], takes=lambda file: others.append(file.name) is None))
    assert {name.partition("/")[0] for name in others} == {"files"}
    records = [item for item in found if isinstance(item, Record)]
    assert [
        (Path(item.source).name, item.line, item.code) for item in found if not isinstance(item, Record)
    ] == [
        ("reviews.jsonl", 13, "NOT_JSON"),
    ]
    places = Counter(Path(item.source.partition(":")[0]).relative_to(DOCUMENTS).parts[0] for item in records)
    assert places == {
        "filings": 14,
        "news.jsonl": 20,
        "reviews.jsonl": 24,
        "crash-me.jsonl": 1,
        "tickets-cp949.csv": 16,
    }
    reviews = [item.label for item in records if "reviews" in item.source]
    assert Counter(reviews) == {"긍정": 13, "부정": 11}
    assert "75 documents" in (EXAMPLES / "README.md").read_text()


def test_the_tickets_are_read_with_the_flag():
    tickets = list(read([DOCUMENTS / "tickets-cp949.csv"], ReadOptions(encoding="cp949")))
    assert len(tickets) == 16
    assert all(isinstance(ticket, Record) for ticket in tickets)
