"""What the database says when it fails: whose fault it is; and never a statement or a value in its words."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from db import bulk
from db.database_errors import is_data_error, is_infrastructure_error, words
from db.store import Store
from db.tables import Keyword
from tests.db.builders import a_job, sql
from tests.servers import PostgresServer, until

#: A value that no message may hold, and a word of every statement below.
SECRET = "hunter2 is the password"
MARK = "/* canary */"


def _label(session: Session, label: Any, rank: Any = 1, score: Any = 1.0) -> None:
    session.execute(
        text(
            f"INSERT {MARK} INTO classification (job_id, document_id, rank, label, score, reason) "
            "SELECT job_id, document_id, :rank, :label, :score, :secret FROM job_and_document"
            .replace("job_and_document", "(SELECT j.id AS job_id, min(d.id) AS document_id FROM job j, document d "
                     "GROUP BY j.id) AS of_a_job")
        ),
        {"rank": rank, "label": label, "score": score, "secret": SECRET},
    )  # fmt: skip


def _copied(session: Session, rows: list[tuple[Any, ...]]) -> None:
    ((job_id, document_id),) = session.execute(
        text("SELECT j.id, min(d.id) FROM job j, document d GROUP BY j.id")
    )
    bulk.insert_tuples(
        session,
        Keyword.__table__,  # type: ignore[arg-type]
        ("document_id", "rank", "term", "score"),
        [(document_id, *row) for row in rows],
        owner=("job_id", job_id),
        skip_existing=False,
    )


def _twice(session: Session) -> None:
    _label(session, "a")
    _label(session, "b")


def _outcome(session: Session, state: str = "ok") -> None:
    session.execute(
        text(
            f"INSERT {MARK} INTO outcome (job_id, document_id, state, error_detail, written_at) "
            "SELECT j.id, min(d.id), :state, :secret, min(d.added_at) FROM job j, document d GROUP BY j.id"
        ),
        {"state": state, "secret": SECRET},
    )


def _outcome_twice(session: Session) -> None:
    _outcome(session)
    _outcome(session)


def _long_code(session: Session) -> None:
    session.execute(
        text(
            "INSERT INTO outcome (job_id, document_id, state, error_code, error_detail, written_at) "
            "SELECT j.id, min(d.id), 'error', (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 999) n), "
            "'', min(d.added_at) FROM job j, document d GROUP BY j.id"
        )
    )


def _prepared_twice(session: Session) -> None:
    for _ in range(2):
        session.execute(text(f"PREPARE twice {MARK} AS SELECT 1"))


def _run(statement: str) -> Callable[[Session], None]:
    def run(session: Session) -> None:
        session.execute(text(f"{statement} {MARK}"), {"secret": SECRET} if ":secret" in statement else {})

    return run


MANY = [(rank, SECRET, 1.0) for rank in range(1, 60)]

#: name -> (what is done, whether a value is at fault, the stores on which it is an error)
BOTH, PG, LITE = ("sqlite", "postgresql"), ("postgresql",), ("sqlite",)
CASES: dict[str, tuple[Callable[[Session], None], bool, tuple[str, ...]]] = {
    "a NUL in a text": (lambda s: _label(s, f"{SECRET}\0"), True, PG),
    "a lone surrogate": (lambda s: _label(s, f"{SECRET}\udc80"), True, BOTH),
    "a number beyond 64 bits": (lambda s: _label(s, "a", rank=2**70), True, BOTH),
    "a value of an unknown type": (lambda s: _label(s, object()), True, BOTH),
    "no value where one must be": (lambda s: _label(s, "a", score=None), True, BOTH),
    "a text where a number must be": (lambda s: _label(s, "a", rank=SECRET), True, PG),
    "two rows of one key": (_twice, True, BOTH),
    "a truth value for a number": (lambda s: _copied(s, [(True, "a", 1.0)]), True, PG),
    "a text that is too long for an index": (_long_code, True, PG),
    "two rows of one key among many": (lambda s: _copied(s, [*MANY, MANY[0]]), True, BOTH),
    "a NUL among many": (lambda s: _copied(s, [*MANY, (99, f"{SECRET}\0", 1.0)]), True, PG),
    "no value among many": (lambda s: _copied(s, [*MANY, (99, None, 1.0)]), True, BOTH),
    "a text for a number among many": (lambda s: _copied(s, [*MANY, (99, "x", SECRET)]), True, PG),
    "two outcomes": (_outcome_twice, False, BOTH),
    "an outcome that is none": (lambda s: _outcome(s, "perhaps"), False, BOTH),
    "a job that is not counted": (_run("UPDATE job SET state = 'finished', n_ok = 0, n_error = 0"), False, BOTH),
    "a syntax error": (_run("SELEC 1"), False, BOTH),
    "no such table": (_run("SELECT * FROM nothing WHERE 'x' = :secret"), False, BOTH),
    "no such column": (_run("SELECT nothing FROM job WHERE 'x' = :secret"), False, BOTH),
    "a prepared statement that is there": (_prepared_twice, False, PG),
    "a prepared statement that is not there": (_run("EXECUTE never"), False, PG),
    "a division by zero in our own statement": (_run("SELECT 1 / (SELECT 0) FROM job"), True, PG),
}  # fmt: skip


ON_EACH = [
    pytest.param(store, name, id=f"{name}-{store}") for name, (_, _, on) in CASES.items() for store in on
]


@pytest.mark.parametrize(("store", "name"), ON_EACH, indirect=["store"])
def test_an_error_is_told_apart_and_holds_neither_statement_nor_value(store: Store, name: str) -> None:
    run, is_data, _ = CASES[name]
    a_job(store, 1)

    with (
        pytest.raises((SQLAlchemyError, UnicodeEncodeError, OverflowError)) as caught,
        store.write() as session,
    ):
        run(session)

    error = caught.value
    assert (is_data_error(error), is_infrastructure_error(error)) == (is_data, False)
    for said in (str(error), words(error), "".join(_tracebacks(error))):
        for never in (SECRET, MARK, "INSERT", "[SQL", "parameters", "DETAIL", "CONTEXT", "LINE 1"):
            assert never not in said.replace("_INSERT", ""), said
    assert "\n" not in words(error)
    assert words(error)


def _tracebacks(error: BaseException | None) -> list[str]:
    """What a logged traceback says of each error in the chain, less the lines of code that it quotes."""
    said = []
    while error is not None:
        said += traceback.format_exception_only(error)
        error = error.__cause__ or error.__context__
    return said


def test_an_error_of_the_tables_is_not_waited_out(sqlite_store: Store) -> None:
    """SQLite says OperationalError of a table that is missing, as it does of a lock."""
    with pytest.raises(SQLAlchemyError) as caught:
        sql(sqlite_store, "SELECT * FROM nothing")
    assert not is_infrastructure_error(caught.value)


def test_a_lock_and_a_lost_connection_are_waited_out(postgres_store: Store) -> None:
    with postgres_store.write() as holder:
        holder.execute(text("LOCK TABLE job"))
        with pytest.raises(SQLAlchemyError) as locked, postgres_store.write() as other:
            other.execute(text("SELECT set_config('lock_timeout', '10', true); LOCK TABLE job"))
    with pytest.raises(SQLAlchemyError) as lost, postgres_store.write() as cut:
        cut.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    for error in (locked.value, lost.value):
        assert is_infrastructure_error(error)
        assert not is_data_error(error)
        assert "LOCK" not in words(error)


@pytest.mark.parametrize("behind_a_pooler", [False, True], ids=["direct", "behind a pooler"])
def test_every_transaction_has_the_same_settings(postgres_store: Store, behind_a_pooler: bool) -> None:
    """A direct connection is told once. Behind pgbouncer a session is another's the next time: there nothing may be
    said in it, and each transaction is told."""
    settings = {"lock_timeout": "30s", "idle_in_transaction_session_timeout": "30s", "timezone": "UTC"}
    store = Store(postgres_store.url.render_as_string(hide_password=False))
    if behind_a_pooler:
        event.listen(store.engine, "connect", _as_behind_a_pooler)

    def shown(session: Session) -> dict[str, Any]:
        return {name: session.scalar(text(f"SHOW {name}")) for name in settings}

    with store.write() as session:
        written = shown(session)
    with store.write_results() as session:
        results = shown(session)
    with store.read() as session:
        read = shown(session)
        raw: Any = session.connection().connection.driver_connection
        session.rollback()
        outside = raw.execute("SHOW lock_timeout").fetchone()[0]
    store.close()
    assert written == results == read == settings
    assert outside == ("0" if behind_a_pooler else "30s")


def _as_behind_a_pooler(connection: Any, record: Any) -> None:
    connection.execute("RESET ALL")
    record.info["docmill_is_direct"] = False


# --- infrastructure ---------------------------------------------------------------------------------------------------


def test_a_server_that_only_reads_is_left_and_waited_for(fresh: Store) -> None:
    """A primary that became a standby answers, and refuses every write. Its connections are not used again."""
    if fresh.is_sqlite:
        pytest.skip("SQLite has no standby")
    with fresh.write() as session:
        session.execute(text("CREATE TABLE here (n integer)"))
    with fresh.read() as session:
        before = session.scalar(text("SELECT pg_backend_pid()"))

    def write() -> None:
        with fresh.write() as session:
            session.execute(text("SET LOCAL transaction_read_only = on"))
            session.execute(text("INSERT INTO here VALUES (1)"))

    with pytest.raises(SQLAlchemyError) as caught:
        write()

    assert is_infrastructure_error(caught.value)
    assert words(caught.value) == "cannot execute INSERT in a read-only transaction"
    with fresh.read() as session:
        assert session.scalar(text("SELECT pg_backend_pid()")) != before


@pytest.mark.parametrize("how", ["terminated", "idle for too long", "refused", "too many"])
def test_a_lost_connection_is_no_fault_of_the_request(
    how: str, postgres_server: PostgresServer, empty_postgres_store: Store
) -> None:
    urls = {
        "refused": "postgresql://docmill@/postgres?host=/nowhere",
        "too many": f"postgresql://limited@/postgres?host={postgres_server.folder}",
    }
    if how == "too many":
        postgres_server.execute("DROP ROLE IF EXISTS limited")
        postgres_server.execute("CREATE ROLE limited LOGIN CONNECTION LIMIT 0")
    store = Store(urls.get(how, empty_postgres_store.url.render_as_string()))

    def write() -> None:
        with store.write() as session:
            pid = session.scalar(text("SELECT pg_backend_pid()"))
            if how == "terminated":
                postgres_server.execute(f"SELECT pg_terminate_backend({pid})")
            else:
                session.execute(text("SET LOCAL idle_in_transaction_session_timeout = '20ms'"))
            there = f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid}"
            until(lambda: not sql(empty_postgres_store, there), "the session being ended")
            session.execute(text("SELECT 1"))

    with pytest.raises(SQLAlchemyError) as caught:
        write()
    assert is_infrastructure_error(caught.value), repr(caught.value)
    store.close()


def test_of_several_hosts_each_failure_is_told() -> None:
    """The driver puts the last one first, which may be the standby that was found healthy."""
    store = Store("postgresql://docmill:canary@127.0.0.1:1,127.0.0.1:2/postgres")
    with pytest.raises(SQLAlchemyError) as caught:
        sql(store, "SELECT 1")
    assert is_infrastructure_error(caught.value)
    said = words(caught.value)
    assert "port 1 failed: Connection refused" in said
    assert "port 2 failed: Connection refused" in said
    assert "canary" not in said
    assert "\n" not in said
