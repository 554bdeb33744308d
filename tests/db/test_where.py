"""Selections by metadata: the same documents on both databases, whatever values there are; errors show the place."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from db import where
from db.documents import NewDocument
from db.store import Store
from db.tables import Document
from readers.metadata import Cleaning
from tests.db.builders import add

NUMBERS = itertools.count()
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
        ("code in ('007', '7.0')", "bc"),
        ("n = '9.5'", "c"),
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
        ("n like '9%'", "a"),
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


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("", None, "is empty"),
        ("n >", 4, "a field or a value is missing"),
        ("n > 1 n < 3", 7, "and or or is missing"),
        ("firm Acme", 6, "and, or or a comparison is missing"),
        ("day > 2026-01-01", 11, "a date is written in single quotes"),
        ("(n > 1", 7, ") is missing"),
        ("n > 1)", 6, "not opened"),
        ("n == 1", 3, "write ="),
        ("n = 1 && ok", 7, "write and"),
        ("n = 'x", 5, "the quote is not closed"),
        ("n = “x”", 5, "straight quotes"),
        ("n = 1;", 6, "without a semicolon"),
        ("n = null", 5, "write is null"),
        ("lower(firm) = 'x'", 1, "no functions"),
        ("'a' = 'a'", 7, "one side of a comparison is a field"),
        ("'firm'", 7, "is a value, not a field"),
        ("n in 1", 6, "a list in parentheses"),
        ("n in (firm)", 7, "values, not fields"),
        ("firm like 5", 11, "a pattern in single quotes"),
        ("firm like 'x\\'", 11, "may not end in one"),
        ("n between 1 or 2", 13, "between 1 and 9"),
        ("n not > 1", 7, "after not comes"),
        ("n = 1e999", 5, "too large"),
        ("n = 12ab", 5, "12ab is no number"),
        ("ok > true", 6, "neither less nor greater"),
        ("added_at > 5", 12, "added_at is a time"),
        ("chars = 'many'", 9, "chars is a number"),
        ("compny = 'X'", 1, "no document has the field 'compny'"),
        ("frim = 'X'", 1, "did you mean firm?"),
        ("unitprice = 1", 1, 'did you mean "unit price"?'),
        ('firm = "Acme"', 8, "a text is written in single quotes, 'Acme'"),
        ("firm = Globex", 8, "a text is written in single quotes, 'Globex'"),
        ("only_here = 1", 1, "no document has the field"),
        ("n = 1 or " * 300 + "ok", 1801, "more than 200 conditions"),
        ("(" * 1000 + "ok" + ")" * 1000, 51, "inside one another"),
        ("not " * 5000 + "ok", None, "inside one another"),
    ],
)  # fmt: skip
def test_a_mistake_is_shown_in_its_place(
    selected: Callable[[str], str], text: str, place: int | None, why: str
) -> None:
    with pytest.raises(ValueError) as caught:
        selected(text)
    message = str(caught.value)
    assert why in message
    assert type(caught.value) is ValueError
    if place is not None:
        assert f"at character {place}:" in message
        marked, caret = message.split("\n")[-2:]
        assert caret.strip() == "^"
        assert marked[caret.index("^") :][:1] == (text + " ")[place - 1].strip()


def test_a_list_may_be_long(selected: Callable[[str], str]) -> None:
    texts = ", ".join(f"'k{i}'" for i in range(40_000))
    assert selected(f"key in ('a', {texts})") == "a"
    assert selected(f"n in ({', '.join(map(str, range(1_000)))})") == "abe"


def test_an_empty_collection_has_no_unknown_fields(store: Store) -> None:
    with store.read() as session:
        query = select(Document.key).where(where.where(session, "anything = 1", 4711))
        assert not session.scalars(query).all()


#: Whatever stands in files.
ODD = st.one_of(
    st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12),
    st.from_regex(r"\A-?[0-9]{1,3}(\.[0-9]{1,2})?(e-?[0-9]{1,2})?\Z"),
    st.from_regex(
        r"\A[0-9]{4}([-/.]?)[01][0-9]\1[0-3][0-9]"
        r"([T ][0-2][0-9]:[0-6][0-9](:[0-6][0-9](\.[0-9]{1,7})?)?( ?Z|[+-][01][0-9]:?[0-6][0-9])?)?\Z"
    ),
    st.lists(st.integers(), max_size=2), st.dictionaries(st.sampled_from("ab"), st.integers(), max_size=2),
)  # fmt: skip
LITERALS = st.one_of(
    st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(-1e9, 1e9), st.dates().map(str),
    st.datetimes().map(lambda moment: moment.isoformat()),
    st.sampled_from(["10", "2026", "20260105", "x", "", "é%_*["]),
)  # fmt: skip


def _written(value: Any) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value).lower()


SIGNS = ("=", "<>", "<", ">", "<=", ">=")


@pytest.fixture
def both(sqlite_store: Store, empty_postgres_store: Store) -> tuple[Store, Store]:
    return sqlite_store, empty_postgres_store


@given(values=st.lists(ODD, min_size=20, max_size=60), literals=st.lists(LITERALS, min_size=3, max_size=8))
@settings(
    max_examples=8,
    derandomize=True,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_value_is_an_error_and_both_databases_agree(
    both: tuple[Store, Store], values: list[Any], literals: list[Any]
) -> None:
    conditions = [
        f"x {sign} {_written(one)}" for one in literals for sign in SIGNS if not isinstance(one, bool)
    ]
    conditions += [
        f"x in ({', '.join(map(_written, literals))})",
        "x > y",
        "x = y",
        "x",
        "x like '%1%'",
        "x is null",
    ]
    metas = [cleaned for one, other in itertools.pairwise(values) if (cleaned := _clean(x=one, y=other))]
    new = [NewDocument(f"k{i}", "t", None, "f", meta=meta) for i, meta in enumerate(metas)]
    found = []
    for store in both:
        collection = add(store, new, f"news{next(NUMBERS)}")
        with store.read() as session:
            keys = select(Document.key).where(Document.collection_id == collection)
            found.append(
                [
                    sorted(session.scalars(keys.where(where.where(session, text, collection))))
                    for text in (*conditions, *(f"not ({each})" for each in conditions))
                ]
            )
    for text, one, other in zip(
        (*conditions, *(f"not ({each})" for each in conditions)), *found, strict=True
    ):
        assert one == other, (text, [metas[int(key[1:])] for key in {*one} ^ {*other}])


def _clean(**fields: Any) -> dict[str, Any]:
    return Cleaning().clean(fields, "f")
