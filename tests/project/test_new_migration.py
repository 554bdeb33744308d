"""`make migration` writes what was changed, in a copy of the tree; what it wrote makes the tables that the code has."""

from __future__ import annotations

from pathlib import Path

import pytest

from db.store import SCHEMA, Store
from tests.project.conftest import run

NEXT = f"{int(SCHEMA) + 1:04}"

#: Upgrades a store and prints what alembic would still change in it.
COMPARE = """
import sys
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from db import migrations
from db.store import Store
from db.tables import Base

about_documents = lambda thing: "job_id" in thing.table.c and "document_id" in thing.table.c
included = lambda thing, name, kind, *more: migrations.is_compared(thing, name, kind, *more) and (
    kind != "foreign_key_constraint" or not about_documents(thing)
)
store = Store(sys.argv[1])
migrations.upgrade(store)
with store.engine.connect() as connection:
    options = {"compare_type": True, "include_object": included}
    print(compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata), store.schema())
"""

REFERS = """
import sys
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from db.store import Store

with Store(sys.argv[1]).write() as session:
    try:
        session.execute(text("INSERT INTO twin (job_id, document_id, rank, twin_id) VALUES (1, 1, 1, 4711)"))
    except IntegrityError as error:
        print("refused")
"""

TWIN = '''

class Twin(JobDetail):
    """A document that is the same."""

    __tablename__ = "twin"

    rank: Mapped[int] = mapped_column(primary_key=True)
    twin_id: Mapped[int] = mapped_column(ForeignKey("document.id"))
    twin_job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"), index=True)
    score: Mapped[float | None]
'''

HOLIDAY = """class Holiday(Base):
    __tablename__ = "holiday"

    id: Mapped[Id]
    day: Mapped[datetime]
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), index=True)
    extra: Mapped[dict[str, Any]]


class Run(Base)"""

FAULT = "    fault: Mapped[str | None]\n"
#: A column that no view shows.
GOES = "    stopped_at: Mapped[datetime | None]\n"
#: What takes its place.
COLUMNS = """    remark: Mapped[str | None]
    ends_at: Mapped[datetime | None]
    share: Mapped[float | None]
    extra: Mapped[dict[str, Any] | None]
    raw: Mapped[bytes | None]
    flag: Mapped[bool | None]
    tries: Mapped[int] = mapped_column(server_default=text("0"))
"""


def edit(copy: Path, module: str, before: str, after: str) -> None:
    path = copy / "db" / "tables" / f"{module}.py"
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


def migrate(copy: Path, status: int = 0) -> str:
    return run(copy, "deploy/new-migration", "Something new", status=status)


@pytest.fixture
def url(fresh: Store) -> str:
    return fresh.url.render_as_string(hide_password=False)


def test_new_and_removed_columns_and_new_tables(copy: Path, url: str) -> None:
    edit(copy, "schedule", GOES, COLUMNS)
    edit(copy, "schedule", "import ForeignKey,", "import text, ForeignKey,")
    edit(copy, "schedule", "class Run(Base)", HOLIDAY)
    path = copy / "db" / "tables" / "result.py"
    path.write_text(path.read_text(encoding="utf-8") + TWIN, encoding="utf-8")

    assert f"_{NEXT}_something_new.py" in migrate(copy)
    assert "nothing has changed" in migrate(copy, status=1)

    assert run(copy, "-c", COMPARE, url).split() == ["[]", NEXT]
    assert run(copy, "-c", REFERS, url).strip() == "refused"


def test_what_sqlite_cannot_do_is_refused_with_the_way_out(copy: Path) -> None:
    edit(copy, "schedule", FAULT, "    fault: Mapped[str]\n    tries: Mapped[int]\n")
    edit(copy, "schedule", "    cron: Mapped[str]\n", "    cron: Mapped[int]\n")
    edit(copy, "schedule", 'UniqueConstraint("schedule_id", "due_at")', 'UniqueConstraint("due_at")')

    said = migrate(copy, status=1)

    for words in (
        "run.fault: SQLite cannot change the type of a column or whether it may be NULL",
        "schedule.cron: SQLite cannot change the type of a column",
        "run.tries: rows that are there need a value",
        "run: SQLite cannot add or remove a constraint",
    ):
        assert words in said
    assert not list((copy / "db" / "migrations" / "versions").glob(f"*_{NEXT}_*"))


def test_without_words_it_says_what_to_type(copy: Path) -> None:
    assert "make migration NAME=" in run(copy, "deploy/new-migration", status=1)
