"""An upgrade that older code can bear lets it go on; any other stops it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from db import compatibility, migrations, registry
from db.errors import NewerSchemaError
from db.store import SCHEMA, Store, newer_schema
from tests.db.builders import a_job, claim, sql, the_chunk, upgraded_to
from tests.db.members import register, state

VERSIONS = Path(migrations.__file__).parent / "versions"
OLDER = f"{int(SCHEMA) - 1:04}"
NEWER = "9999"


@contextmanager
def tolerated(store: Store, schema: str, since: str, at: str = NEWER) -> Iterator[None]:
    """What an upgrade to `schema` leaves which says that code since `since` may go on at the schema `at`."""
    with upgraded_to(store, schema):
        sql(store, "DELETE FROM tolerance RETURNING 1")
        sql(store, "INSERT INTO tolerance VALUES (:at, :since) RETURNING 1", at=at, since=since)
        yield


def test_an_upgrade_stores_what_its_migrations_say(fresh: Store) -> None:
    for _ in range(2):
        migrations.upgrade(fresh)
        script = ScriptDirectory.from_config(migrations.alembic_config())
        expected = (SCHEMA, compatibility.tolerated_since(script))
        assert [tuple(row) for row in sql(fresh, "SELECT * FROM tolerance")] == [expected]


@pytest.mark.parametrize("since", [OLDER, SCHEMA])
def test_code_that_the_newer_tables_bear_claims_and_starts(store: Store, since: str) -> None:
    register(store, "i1")
    chunk = the_chunk(store, a_job(store, 1))
    with tolerated(store, NEWER, since):
        store.check_schema()
        with store.read() as session:
            assert newer_schema(session) is None
            assert "schema 9999" in (newer_schema(session, tolerated=False) or "")
            assert registry.outdated(session) == []
        assert state(store) == "idle"
        assert claim(store, chunk.id) is not None


@pytest.mark.parametrize(
    ("since", "at"), [("9998", NEWER), (OLDER, "9998")], ids=["too old", "of another upgrade"]
)
def test_code_that_they_do_not_bear_claims_nothing_and_does_not_start(
    store: Store, since: str, at: str
) -> None:
    register(store, "i1")
    chunk = the_chunk(store, a_job(store, 1))
    with tolerated(store, NEWER, since, at):
        for refused in (lambda: claim(store, chunk.id), store.check_schema):
            with pytest.raises(NewerSchemaError, match="schema 9999"):
                refused()
        with store.read() as session:
            assert [one.instance for one in registry.outdated(session)] == ["i1"]
        assert state(store) == "outdated"
    assert the_chunk(store, chunk.job_id).state == "ready"


def test_older_code_never_upgrades_a_newer_store(store: Store) -> None:
    with tolerated(store, NEWER, OLDER):
        with pytest.raises(NewerSchemaError, match="install that version here"):
            migrations.upgrade(store)
        assert store.schema() == NEWER


# --- what a migration may do that says older code may go on --------------------------------------------------


def faults(source: str) -> list[str]:
    """What a migration does that older code cannot bear, as far as its text shows it."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if not (isinstance(node.func.value, ast.Name) and node.func.value.id == "op"):
            continue
        what, text = node.func.attr, ast.unparse(node)
        adds_a_duty = "nullable=False" in text and "server_default=" not in text
        if what not in ("create_table", "create_index", "add_column", "f", "drop_index"):
            found.append(what)
        elif (what == "add_column" and adds_a_duty) or (what == "create_index" and "unique=True" in text):
            found.append(text)
    return found


@pytest.mark.parametrize("path", sorted(VERSIONS.glob("*.py")), ids=lambda path: path.stem[11:15])
def test_a_migration_that_older_code_may_bear_only_adds(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    if compatibility.FLAG in source:
        assert faults(source) == []


@pytest.mark.parametrize(
    ("line", "is_borne"),
    [
        ("op.add_column('job', sa.Column('x', sa.Text(), nullable=True))", True),
        (
            "op.add_column('job', sa.Column('x', sa.Text(), nullable=False, server_default=sa.text('1')))",
            True,
        ),
        ("op.add_column('job', sa.Column('x', sa.Text(), nullable=False))", False),
        ("op.create_index('ix_x', 'job', ['x'])", True),
        ("op.create_index('ix_x', 'job', ['x'], unique=True)", False),
        ("op.drop_column('job', 'x')", False),
        ("op.execute('UPDATE job SET kind = 1')", False),
        ("op.batch_alter_table('job')", False),
    ],
)
def test_what_older_code_can_bear(line: str, is_borne: bool) -> None:
    assert (faults(line) == []) == is_borne
