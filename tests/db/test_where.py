"""Selections by metadata: the same documents on both databases, whatever values there are; errors show the place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from db import where
from db.documents import NewDocument
from db.store import Store
from db.tables import Document
from tests.db.builders import add

#: By key. Every type under the same name, as files have them.
DOCUMENTS: dict[str, dict[str, Any]] = {
    "a": {"n": 9, "day": "2026-01-05", "firm": "Acme", "ok": True, "회사": "삼성 전자", "in": {"city": "Seoul"}},
    "b": {"n": "10", "day": "2026-01-05T00:30:00+09:00", "firm": "acme", "ok": False, "code": "007"},
    "c": {"n": 9.5, "day": "20260106", "firm": "Beta_1", "ok": "true", "code": 7, "in": {"city": "Pusan"}},
    "d": {"n": "n/a", "day": "2026-02-30", "firm": "Beta 1", "ok": "yes", "unit price": 3, "a.b": 1},
    "e": {"n": "1e2", "day": "2026/01/07", "firm": "100%", "tags": ["x"], "in": {"city": None}},
    "f": {"n": True, "day": 20260108, "firm": "a*b?[c]", "version": 7, "big": 2**60 + 1},
    "g": {"n": [9], "day": "tomorrow", "firm": "'; DROP TABLE document; --", "big": float(2**60), "날짜": "2026.01.09"},
    "h": {},
}  # fmt: skip


@pytest.fixture
def selected(store: Store) -> Callable[[str], str]:
    """The keys of the documents that a selection means, in one text."""
    new = [NewDocument(key, key * 3, "x" if key < "c" else None, "f", meta=m) for key, m in DOCUMENTS.items()]
    collection = add(store, new)
    add(store, [NewDocument("z", "z", None, "f", meta={"n": 9, "only_here": 1})], "another")

    def keys(text: str) -> str:
        with store.read() as session:
            query = select(Document.key).where(Document.collection_id == collection, Document.is_latest)
            return "".join(sorted(session.scalars(query.where(where.where(session, text, collection)))))

    return keys


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        # Numbers, also those that are texts; what is no number is not equal, and neither less nor greater.
        ("n > 9", "bce"),
        ("n >= 9", "abce"),
        ("9 < n", "bce"),
        ("n = 10", "b"),
        ("n = 9.50", "c"),
        ("n <> 9", "bcdefg"),
        ("not n > 9", "a"),
        ("n between 9 and 10", "abc"),
        ("n not between 9 and 10", "e"),
        ("n in (9, 100)", "ae"),
        ("n not in (9, 100)", "bcdfg"),
        ("n > -1 and n < 1e1", "ac"),
        ("n > '9'", "bcdef"),
        ("n = '10'", "b"),
        ("big = 1152921504606846977", "f"),
        ("big >= 1152921504606846976", "fg"),
        ("code = '007'", "b"),
        ("code = 7", "bc"),
        # Dates of several forms and zones; one that does not exist is a text.
        ("day >= '2026-01-05'", "acef"),
        ("day < '2026-01-05'", "b"),
        ("day = '2026-01-05'", "a"),
        ("day = '2026-01-04T15:30Z'", "b"),
        ("day = '2026-01-04 15:30'", "b"),
        ("day = date '2026-01-06'", "c"),
        ("day = '2026-02-30'", "d"),
        ("day = 20260106", "c"),
        ("day in ('2026-01-07', '2026-01-08', 'tomorrow')", "efg"),
        ("day between '2026-01-06' and '2026-01-07'", "ce"),
        ("day >= '20260106'", "cefg"),
        ("\"날짜\" > '2026-01-08'", "g"),
        # Truth values.
        ("ok", "ac"),
        ("not ok", "bd"),
        ("ok = true", "ac"),
        ("ok is not true", "bdefgh"),
        ("ok = false or ok is null", "befgh"),
        # Texts.
        ("firm = 'Acme'", "a"),
        ("firm in ('Acme', '100%')", "ae"),
        ("firm <> 'Acme'", "bcdefg"),
        ("firm < 'B'", "aeg"),
        ("firm like 'A%'", "a"),
        ("firm ilike 'A%'", "abf"),
        ("firm like 'Beta_1'", "cd"),
        (r"firm like 'Beta\_1'", "c"),
        (r"firm like '%\%'", "e"),
        ("firm like 'a*b?[c]'", "f"),
        ("firm not like '%a%'", "aeg"),
        ("firm like '%DROP%' or firm = '''; DROP TABLE document; --'", "g"),
        ("n like '9%'", "ac"),
        ("회사 = '삼성 전자'", "a"),
        ('"회사" like \'삼성__자\'', "a"),
        # Missing, nested, oddly named, built in.
        ("firm is null", "h"),
        ("tags is not null", "e"),
        ("\"in\".city is null", "bdefgh"),
        ("\"in\".city in ('Seoul', 'Pusan') and not \"in\".city = 'Pusan'", "a"),
        ('"unit price" = 3', "d"),
        ("a.b = 1", "d"),
        ('"a.b" = 1', "d"),
        ("version = 1", "abcdefgh"),
        ("meta.version = 7", "f"),
        ("key > 'f'", "gh"),
        ("key in ('a', 'h', 'z')", "ah"),
        ("label = 'x' and chars = 3", "ab"),
        ("label is null", "cdefgh"),
        ("collection = 'news'", "abcdefgh"),
        ("added_at > '2020-01-01'", "abcdefgh"),
        ("added_at < '2020-01-01T00:00:00+09:00'", ""),
        ("n = code", ""),
        ("key < firm", ""),
        ("(firm = 'Acme' or firm = 'acme') and not (n = 9 and ok)", "b"),
        ("FIRM_IS_NULL is null or firm is null", None),
    ],
)  # fmt: skip
def test_a_selection_means_the_same_everywhere(
    selected: Callable[[str], str], text: str, keys: str | None
) -> None:
    if keys is None:
        with pytest.raises(ValueError, match="no document has the field 'FIRM_IS_NULL'"):
            selected(text)
    else:
        assert selected(text) == keys
