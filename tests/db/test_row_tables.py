"""Tables that are made from row dataclasses: every type of field, keys, owners, references, and what is refused."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect
from sqlalchemy.exc import IntegrityError

from db import migrations, results
from db.migrations import upgrade
from db.results import Rows
from db.store import Store
from db.tables import Base, result
from db.tables.model import ModelFigure
from tests.db.builders import a_job, sql


@dataclass(frozen=True)
class Everything:
    """A row with a field of every type."""

    table: ClassVar[str] = "everything"
    key: ClassVar[tuple[str, ...]] = ("place", "part")

    part: str
    place: int
    whole: int
    share: float
    words: str
    flag: bool
    raw: bytes
    whole_or_none: int | None
    share_or_none: float | None
    words_or_none: str | None
    flag_or_none: bool | None
    raw_or_none: bytes | None


@dataclass(frozen=True)
class OneEach:
    """A row without a key: one for each document."""

    table: ClassVar[str] = "one_each"

    score: float


@dataclass(frozen=True)
class PerVersion:
    """A row about a model version."""

    table: ClassVar[str] = "per_version"
    key: ClassVar[tuple[str, ...]] = ("name",)

    name: str
    value: float | None


NAMES = tuple(field.name for field in fields(Everything))
FULL = ("b", 1, 2**40, 0.25, "글 'quoted'", True, b"\x00\xff", 7, 0.5, "w", False, b"r")
EMPTY = ("a", 1, -1, -0.5, "", False, b"", None, None, None, None, None)


@pytest.fixture
def made(fresh: Store) -> Iterator[Store]:
    """A store with the tables of these rows."""
    result.from_row(Everything)
    result.from_row(OneEach)
    result.from_row(PerVersion, ModelFigure)
    upgrade(fresh)
    yield fresh
    _forget("everything", "one_each", "per_version")


def _forget(*names: str) -> None:
    """Other tests compare every table there is with their own stores."""
    for name in names:
        Base.metadata.remove(Base.metadata.tables[name])
        table: Any = result._made.pop(name)
        Base.registry._dispose_cls(table)
        table.__mapper__._set_dispose_flags()
        del table
    gc.collect()
    assert not result.from_rows() & set(names)
    assert not results.by_job() & set(names)


def document_of(store: Store, key: str = "k0") -> int:
    [(found,)] = sql(store, "SELECT id FROM document WHERE key = :key", key=key)
    return int(found)


def write(store: Store, job_id: int, *values: tuple[Any, ...]) -> None:
    with store.write() as session:
        results.write_rows(session, "everything", job_id, Rows(("document_id", *NAMES), list(values)))


def test_every_type_of_field_comes_back_as_it_was_written(made: Store) -> None:
    job_id = a_job(made, 1)
    document = document_of(made)
    write(made, job_id, (document, *FULL), (document, *EMPTY))

    with made.read() as session:
        found = list(results.rows_of(session, job_id, "everything"))

    assert found == [{"document_key": "k0"} | dict(zip(NAMES, row, strict=True)) for row in (EMPTY, FULL)]
    assert {type(row["flag"]) for row in found} == {bool}


@pytest.mark.parametrize("n", [3, 60])
def test_rows_come_back_by_document_and_key(made: Store, n: int) -> None:
    """Few rows and many are inserted in different ways."""
    job_id = a_job(made, n)
    documents = [document_of(made, f"k{i}") for i in range(n)]
    rows = [
        (document, part, place, *FULL[2:]) for document in documents for part in "ba" for place in (10, 9)
    ]
    write(made, job_id, *reversed(rows))

    with made.read() as session:
        found = [
            (row["document_key"], row["part"], row["place"])
            for row in results.rows_of(session, job_id, "everything")
        ]

    expected = sorted((i, part, place) for i in range(n) for part in "ab" for place in (9, 10))
    assert found == [(f"k{i}", part, place) for i, part, place in expected]


def test_the_tables_have_the_key_the_index_and_the_columns_of_their_rows(made: Store) -> None:
    there = inspect(made.engine)
    assert there.get_pk_constraint("everything")["constrained_columns"] == [
        "job_id",
        "document_id",
        "part",
        "place",
    ]
    assert there.get_pk_constraint("one_each")["constrained_columns"] == ["job_id", "document_id"]
    assert there.get_pk_constraint("per_version")["constrained_columns"] == ["model_version_id", "name"]
    for table in ("everything", "one_each"):
        [index] = [index for index in there.get_indexes(table) if index["column_names"] == ["document_id"]]
        assert index["name"] == f"ix_{table}_document_id"
    nullable = {column["name"] for column in there.get_columns("everything") if column["nullable"]}
    assert nullable == {name for name in NAMES if name.endswith("_or_none")}


def test_alembic_finds_no_difference(made: Store) -> None:
    def compared(thing: Any, name: str | None, kind: str, reflected: bool, other: Any) -> bool:
        """All but the references of rows about documents: on PostgreSQL triggers check them."""
        if not migrations.is_compared(thing, name, kind, reflected, other):
            return False
        return kind != "foreign_key_constraint" or "job_id" not in thing.table.c

    with made.engine.connect() as connection:
        options = {"compare_type": True, "include_object": compared}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []


def test_a_row_about_a_document_or_a_job_that_is_not_there_is_refused(made: Store) -> None:
    job_id = a_job(made, 1)
    document = document_of(made)
    for wrong in ((job_id, 4711), (4711, document)):
        with pytest.raises(IntegrityError):
            write(made, wrong[0], (wrong[1], *FULL))
    write(made, job_id, (document, *FULL))
    with pytest.raises(IntegrityError):
        write(made, job_id, (document, *FULL))
    change = "UPDATE everything SET document_id = 4711 RETURNING 1"
    with pytest.raises(IntegrityError):
        sql(made, change)


def test_a_row_about_a_model_version_that_is_not_there_is_refused(made: Store) -> None:
    with pytest.raises(IntegrityError):
        sql(
            made,
            "INSERT INTO per_version (model_version_id, name, value) VALUES (4711, 'f1', 0.5) RETURNING 1",
        )


def test_the_store_knows_whose_the_rows_are(made: Store) -> None:
    assert {"everything", "one_each"} <= results.by_job()
    assert "per_version" not in results.by_job() | results.by_model_version()


def test_making_a_table_again_is_harmless(made: Store) -> None:
    result.from_row(Everything)
    result.from_row(PerVersion, ModelFigure)
    upgrade(made)


# --- what is refused --------------------------------------------------------------------------------------------


def a_row(name: str = "a_row", key: object = (), **hints: object) -> type:
    body = {
        "__annotations__": {"table": ClassVar[str], "key": ClassVar[Any]} | hints,
        "table": name,
        "key": key,
    }
    return dataclass(frozen=True)(type("BadRow", (), body))


@pytest.mark.parametrize(
    "hint",
    [
        list[int],
        dict[str, str],
        tuple[int],
        int | str,
        int | str | None,
        complex,
        object,
        None,
        type[int],
        Any,
    ],
    ids=str,
)
def test_a_field_that_is_no_column_is_refused_in_a_sentence(hint: object) -> None:
    with pytest.raises(
        TypeError, match=r"^BadRow\.field: .* is no column type: use int, float, str, bool or bytes"
    ):
        result.from_row(a_row(field=hint))


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (a_row(key=("rank",), place=int), r"BadRow\.key: there is no field 'rank'; there are place"),
        (a_row(key=("rank",), rank=int | None), r"BadRow\.rank: a field of the key cannot be None"),
        (a_row(key="rank", rank=int), r'BadRow\.key has to be a tuple of field names: key = \("rank",\)'),
        (a_row(document_id=int), r"BadRow\.document_id: this name is taken"),
        (a_row(job_id=int), r"BadRow\.job_id: this name is taken"),
        (a_row(metadata=str), r"BadRow\.metadata: this name is taken"),
        (a_row(order=int), r"BadRow\.order: 'order' cannot be a name in SQL"),
        (a_row("my table", a=int), r"BadRow\.table: 'my table' cannot be a name in SQL"),
        (a_row("Table1", a=int), r"BadRow\.table: 'Table1' cannot be a name in SQL"),
        (a_row("x" * 41, a=int), r"at most 40"),
        (a_row("job", a=int), r"BadRow\.table: there is a table 'job' already, which is not for such rows"),
        (a_row("model_confusion", a=int), r"there is a table 'model_confusion' already, which is not for"),
        (a_row("keyword", a=int), r"there is a table 'keyword' already, with the columns document_id, job_id, rank"),
        (type("NoRow", (), {}), r"NoRow is no row: it has to be a dataclass with a class variable `table`"),
    ],
    ids=lambda value: "" if isinstance(value, type) else value[:40],
)  # fmt: skip
def test_a_row_that_can_be_no_table_is_refused_in_a_sentence(row: type, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        result.from_row(row)
    assert "a_row" not in Base.metadata.tables


def test_a_kind_with_such_a_row_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    from workers import kinds

    (tmp_path / "bad_rows_kind.py").write_text(
        "from dataclasses import dataclass\nfrom typing import ClassVar\n"
        "from nlp_tasks.kind import Kind, Stage\nfrom nlp_tasks.parameters import parameters\n"
        "@parameters\nclass None_:\n    pass\n"
        "@dataclass(frozen=True)\nclass BadRow:\n    table: ClassVar[str] = 'bad'\n    tags: list[str]\n"
        "KINDS = [Kind(name='tags', summary='Tags', parameters=None_, rows=(BadRow,), "
        "stages=(Stage('tag', lambda setup: None),))]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("DOCMILL_KIND_MODULES", "bad_rows_kind")
    kinds.all_kinds.cache_clear()
    with pytest.raises(ValueError, match=r"kind tags: BadRow\.tags: list\[str\] is no column type"):
        kinds.all_kinds()
