"""backup and restore: consistent while others write, whole or not at all, and a fresh start for what is restored."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from db import chunks
from db.backup import programs, replacing, snapshot
from db.errors import FencedError
from db.migrations import upgrade
from db.store import Store
from docmill.backup import checking, making, restoring
from scheduler.store import store as opened
from tests.commands.conftest import Said, Shell
from tests.conftest import empty
from tests.db.builders import LEASE, add_documents, chunks_of, held, job_of, outcomes, sql, submit, write_ok
from tests.kinds import answer
from workers.running import chunk_run
from workers.settings import settings

#: make test tries these on SQLite, and make test-long on PostgreSQL too.
BOTH = pytest.mark.parametrize(
    "store", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)


@pytest.fixture(params=["folder", "tar.gz"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where a backup goes, in each form."""
    return tmp_path / "backups" / {"folder": "b"}.get(request.param, f"b.{request.param}")


def trained(shell: Shell, quality: float = 0.5, model: str = "m") -> Path:
    """A version of a model, made of two documents; the folder with its files."""
    shell.texts("a", "b", collection="learn")
    job = shell(
        "train", "gated", "--collection", "learn", "--model", model, "-p", f"quality={quality}", "--json"
    ).json["job"]
    shell.work(job)
    [path] = sql(shell.store, "SELECT path FROM model_version WHERE job_id = :j", j=job)
    return settings().models_path / path[0]


def restored(shell: Shell, *words: object, status: int = 0) -> Said:
    """`docmill restore`, as in a process of its own: nobody else has the store open."""
    shell.store.close()
    if opened.cache_info().currsize:
        opened().close()
    return shell("restore", *words, status=status)


def _quiet(*_: object) -> None:
    """Progress that nobody watches."""


def damage(store: Store) -> None:
    """The disk of the store and its models is lost."""
    shutil.rmtree(settings().models_path, ignore_errors=True)
    if store.file is None:
        with store.write() as session:
            for table in ("alembic_version", "outcome", "job", "document"):
                session.connection().exec_driver_sql(f"DROP TABLE {table} CASCADE")
        return
    store.file.write_bytes(b"this is no database" * 1000)


@pytest.fixture
def on_both(shell_on_both: Shell) -> Iterator[Shell]:
    """A shell on a store whose tables a test may damage: they are made anew for the others."""
    shell = shell_on_both
    yield shell
    if not shell.store.is_sqlite:
        if shell.store.schema() is None:
            replacing._clear(shell.store, [])
        upgrade(shell.store)
        empty(shell.store)


# --- the drill -------------------------------------------------------------------------------------------------


def test_a_job_that_was_backed_up_in_its_middle_ends_with_one_outcome_each(
    on_both: Shell, tmp_path: Path
) -> None:
    shell, store = on_both, on_both.store
    folder = trained(shell)
    job = submit(store, add_documents(store, 40), per_chunk=10).job_id
    first, second, third, fourth = chunks_of(store, job)
    chunk_run.run(shell.process, first.id)
    zombie = held(store, second.id, "old.1")

    made = shell("backup", tmp_path / "b", "--json").json
    assert made["rows"]["outcome"] == 12
    assert made["models"] == ["m@1"]

    # The old world goes on: a chunk that is ready in the backup is held by a process that lives on.
    late = held(store, third.id, "old.2")
    chunk_run.run(shell.process, fourth.id)
    damage(store)
    restored(shell, tmp_path / "b", status=1)
    said = restored(shell, tmp_path / "b", "--replace")
    assert "1 chunks that workers held are ready again" in said.out
    assert "Redis holds only hints" in said.out
    assert (folder / "quality").read_text() == "0.5"

    # The numbers of chunks and fences come again, and still nobody of the old world can write.
    new = held(store, third.id, "new.1")
    assert new.fence == late.fence
    for claim in (zombie, late):
        with pytest.raises(FencedError):
            write_ok(store, claim)
    with pytest.raises(FencedError), store.write() as session:
        chunks.renew(session, late, LEASE)
    write_ok(store, new)

    shell.work(job)
    assert set(outcomes(store, job).values()) == {"ok"}
    assert len(outcomes(store, job)) == 40
    assert all(chunk.n_lost == chunk.n_crashes == 0 for chunk in chunks_of(store, job))
    [(n, distinct)] = sql(
        store, "SELECT count(*), count(DISTINCT document_id) FROM outcome WHERE job_id = :j", j=job
    )
    assert n == distinct == 40
    # The oracle's rows of one chunk were never written by this test's own writer.
    sample = shell("verify", "--all", "--sample", 0, "--json").json
    assert (sample["faults"], sample["n_open"], sample["n_models"]) == ([], 0, 1)


@BOTH
def test_a_restored_store_answers_as_before(on_both: Shell, tmp_path: Path) -> None:
    shell = on_both
    trained(shell)
    shell.texts("one", "two", "three")
    job = shell.done("oracle", "--collection", "inbox")
    shell("backup", tmp_path / "b.tar")
    damage(shell.store)
    restored(shell, tmp_path / "b.tar", "--replace")
    said = shell("verify", "--all", "--json").json
    assert (said["faults"], said["differences"], said["n_checked"]) == ([], [], 3)
    assert {
        row["label"] for row in map(json.loads, shell("results", job, "--format", "jsonl").out.splitlines())
    } == {answer(text) for text in ("one", "two", "three")}
    # And it goes on: what protects outcomes is there too, and new rows get new numbers.
    assert shell.done("oracle", "--collection", "inbox", "--key", "again") > job
    with pytest.raises(Exception, match="outcome"):
        sql(shell.store, "DELETE FROM outcome WHERE job_id = :j RETURNING 1", j=job)


# --- consistent ------------------------------------------------------------------------------------------------


@BOTH
def test_a_backup_is_of_one_moment_while_others_write(
    on_both: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Documents are added between any two pieces of the copy; a copy that took some of them would not add up."""
    shell, n = on_both, 0
    monkeypatch.setattr(snapshot, "_PAGES", 20)
    shell.texts(*(f"text {i} " * 50 for i in range(200)))

    def tell(what: str, n_bytes: int, of: int | None) -> None:
        nonlocal n
        if what == "store":
            n += 1
            add_documents(shell.store, 5, f"meanwhile{n}")

    making.make(settings(), tmp_path / "b", tell)
    assert n > 0
    [(there,)] = sql(shell.store, "SELECT count(*) FROM document")
    assert there == 200 + 5 * n
    restored(shell, tmp_path / "b", "--replace")
    assert sql(shell.store, "SELECT count(*) FROM document") == [(200,)]


@BOTH
def test_models_that_are_pruned_meanwhile_are_not_in_the_backup(on_both: Shell, tmp_path: Path) -> None:
    shell = on_both
    folder = trained(shell)
    trained(shell, 0.6)
    is_pruned = False

    def tell(what: str, n_bytes: int, of: int | None) -> None:
        nonlocal is_pruned
        if what == "store" and not is_pruned:
            is_pruned = True
            pruned_at = "strftime('%Y-%m-%d %H:%M:%f', 'now')" if shell.store.is_sqlite else "now()"
            sql(
                shell.store, f"UPDATE model_version SET pruned_at = {pruned_at} WHERE version = 1 RETURNING 1"
            )
            shutil.rmtree(folder)

    made = making.make(settings(), tmp_path / "b", tell)
    assert [model.ref for model in made.models()] == ["m@2"]
    assert checking.check(tmp_path / "b", _quiet).problems == []


def test_a_model_without_its_files_is_refused_or_left_out(shell: Shell, tmp_path: Path) -> None:
    folder = trained(shell)
    (folder / "quality").write_text("0.9")
    said = shell("backup", tmp_path / "b", status=1)
    assert f"{folder}/quality is damaged" in said.err
    assert "--incomplete" in said.err
    assert list(tmp_path.glob("b*")) == list(tmp_path.glob(".b*")) == []

    said = shell("backup", tmp_path / "b", "--incomplete", status=3)
    assert "without the files of m@1" in said.err
    restored(shell, tmp_path / "b", "--check")
    (folder / "quality").unlink()
    assert "missing or damaged of m@1" in restored(shell, tmp_path / "b", "--replace", status=3).err


# --- whole or not at all ---------------------------------------------------------------------------------------


def test_a_backup_is_checked_and_restored_in_each_form(shell: Shell, target: Path) -> None:
    trained(shell)
    shell("backup", target)
    assert "is whole" in restored(shell, target, "--check").out
    damage(shell.store)
    restored(shell, target, "--replace")
    assert shell("verify", "--all", "--json").json["faults"] == []
    assert "exists already" in shell("backup", target, status=1).err


@pytest.mark.parametrize("what", ["store.sqlite", "quality", "manifest.json", "missing", "more"])
def test_damage_is_named_and_nothing_is_restored(shell: Shell, tmp_path: Path, what: str) -> None:
    trained(shell)
    backup = tmp_path / "b"
    shell("backup", backup)
    if what == "missing":
        next(backup.rglob("quality")).unlink()
    elif what == "more":
        (backup / "more").touch()
    else:
        path = next(backup.rglob(what))
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(bytes(content))
    assert shell.store.file is not None
    named = {"missing": "quality is missing", "manifest.json": "manifest"}.get(what, what)
    assert named in restored(shell, backup, "--check", status=1).err
    before = shell.store.file.read_bytes()
    assert named in restored(shell, backup, "--replace", status=1).err
    assert shell.store.file.read_bytes() == before
    assert list(settings().models_path.glob(".restoring*")) == []


@pytest.mark.parametrize("suffix", [".tar", ".tgz"])
def test_a_file_that_is_cut_off_is_no_backup(shell: Shell, tmp_path: Path, suffix: str) -> None:
    shell.texts("a")
    path = tmp_path / f"b{suffix}"
    shell("backup", path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    said = restored(shell, path, "--check", status=1).err
    assert str(path) in said
    assert "Traceback" not in said
    path.write_bytes(b"no tar at all")
    assert "is no backup" in restored(shell, path, "--check", status=1).err


def test_a_backup_cannot_write_outside_its_place(shell: Shell, tmp_path: Path) -> None:
    shell.texts("a")
    shell("backup", tmp_path / "b.tar")
    outside = tmp_path / "outside"
    with tarfile.open(tmp_path / "b.tar", "a") as tar:
        outside.write_text("x")
        tar.add(outside, "models/../../../outside2")
    restored(shell, tmp_path / "b.tar", "--replace", status=1)
    assert not (tmp_path / "outside2").exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interrupted_backup_leaves_nothing(shell: Shell, target: Path, error: type[BaseException]) -> None:
    trained(shell)

    def tell(what: str, n_bytes: int, of: int | None) -> None:
        if what == "writing the store":
            raise error

    with pytest.raises(error):
        making.make(settings(), target, tell)
    assert list(target.parent.iterdir()) == []


def test_what_a_killed_backup_left_is_removed_by_the_next(shell: Shell, tmp_path: Path) -> None:
    shell.texts("a")
    target = tmp_path / "backups" / "b.tar"
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom docmill.backup import making\n"
        "from workers.settings import settings\n"
        "making.make(settings(), Path(sys.argv[1]), lambda *_: os._exit(9))"
    )
    said = subprocess.run([sys.executable, "-c", script, target], check=False)
    assert said.returncode == 9
    assert [path.name.startswith(".") for path in target.parent.iterdir()] == [True]
    shell("backup", target)
    assert [path.name for path in target.parent.iterdir()] == [target.name]


# --- what a restore refuses ------------------------------------------------------------------------------------


@BOTH
def test_a_store_that_holds_something_is_not_replaced_unless_told(on_both: Shell, tmp_path: Path) -> None:
    shell = on_both
    shell.texts("a")
    shell("backup", tmp_path / "b")
    shell.texts("b", collection="later")
    said = restored(shell, tmp_path / "b", status=1).err
    assert "holds 2 rows of collection" in said
    assert "--replace" in said
    restored(shell, tmp_path / "b", "--replace")
    assert sql(shell.store, "SELECT name FROM collection") == [("inbox",)]
    if not shell.store.is_sqlite:
        empty(shell.store)
        restored(shell, tmp_path / "b")


@BOTH
def test_a_store_with_workers_is_not_replaced(on_both: Shell, tmp_path: Path) -> None:
    from db import registry

    shell = on_both
    shell.texts("a")
    shell("backup", tmp_path / "b")
    member = registry.Member("x", "worker", "cpu-0@here", "here", 1, "cpu", "oracle", "0", "0")
    with shell.store.write() as session:
        registry.beat(session, [member])
    for words in (("restore", tmp_path / "b", "--replace"), ("restore", "--recovered")):
        assert "worker cpu-0@here ran on" in shell(*words, status=1).err


def test_a_store_in_use_is_not_replaced(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.texts("a")
    shell("backup", tmp_path / "b")
    with closing(sqlite3.connect(shell.store.file or "")) as other:
        other.execute("SELECT count(*) FROM document").fetchone()
        assert "is in use: stop" in restored(shell, tmp_path / "b", "--replace", status=1).err
    restored(shell, tmp_path / "b", "--replace")


def test_a_backup_of_the_other_database_or_a_newer_docmill_is_refused(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.texts("a")
    shell("backup", tmp_path / "b")
    monkeypatch.setattr(restoring, "SCHEMA", "0001")
    assert "install docmill" in restored(shell, tmp_path / "b", "--replace", status=1).err
    monkeypatch.undo()
    from workers.settings import Settings

    other = Settings(database_url="postgresql://nowhere/x")
    with pytest.raises(Exception, match="is a backup of SQLite"):
        restoring.restore(other, tmp_path / "b", lambda *_: None, replace=True)


def test_what_is_named_wrongly_is_told(shell: Shell, tmp_path: Path) -> None:
    shell.texts("a")
    assert "there is no backup at" in restored(shell, tmp_path / "nothing", status=1).err
    (tmp_path / "empty").mkdir()
    assert "is no backup" in restored(shell, tmp_path / "empty", status=1).err
    assert "--recovered" in restored(shell, status=2).err
    assert "--all" in shell("verify", status=2).err
    assert "--all" in shell("verify", 1, "--all", status=2).err


# --- a fresh start ---------------------------------------------------------------------------------------------


def test_what_trainings_of_the_lost_time_left_is_set_aside(shell: Shell, tmp_path: Path) -> None:
    """Numbers of jobs come again. A folder or a checkpoint of the lost job 2 is not one of the new job 2."""
    trained(shell)
    shell("backup", tmp_path / "b")
    later = trained(shell, 0.7, "other")
    checkpoint = settings().models_path / ".building" / "job-2-9" / "checkpoint"
    checkpoint.mkdir(parents=True)
    said = restored(shell, tmp_path / "b", "--replace", "--json").json
    assert said["strays"] == [".building", f"other/{later.name}"]
    assert not later.exists()
    assert not checkpoint.exists()
    assert (Path(said["strays_at"]) / "other" / later.name / "quality").read_text() == "0.7"
    assert trained(shell, 0.8, "other") == later


@BOTH
def test_a_store_that_was_recovered_by_other_means_starts_anew(on_both: Shell) -> None:
    shell, store = on_both, on_both.store
    job = submit(store, add_documents(store, 4), per_chunk=2).job_id
    old = held(store, chunks_of(store, job)[0].id, "old.1")
    assert "1 chunks that workers held are ready again" in restored(shell, "--recovered").out
    with pytest.raises(FencedError):
        write_ok(store, old)
    shell.work(job)
    assert job_of(store, job).n_ok == 4
    assert all(chunk.n_lost == 0 for chunk in chunks_of(store, job))


# --- PostgreSQL's programs -------------------------------------------------------------------------------------


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Puts a program into the only place where programs are looked for."""
    monkeypatch.setattr(programs, "_DEBIAN", tmp_path / "none")
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setattr(shutil, "which", lambda name: _which(folder, name))

    def put(name: str, script: str) -> Path:
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
        return folder / name

    return put


def _which(folder: Path, name: str) -> str | None:
    return str(folder / name) if (folder / name).exists() else None


def test_a_missing_or_old_pg_dump_is_told(
    empty_postgres_store: Store, program: Callable[[str, str], Path], tmp_path: Path
) -> None:
    with pytest.raises(Exception, match=r"pg_dump was not found: install postgresql-client-\d+"):
        snapshot.take(empty_postgres_store, tmp_path / "dump", _quiet)
    program("pg_dump", 'echo "pg_dump (PostgreSQL) 9.6.1"')
    with pytest.raises(
        Exception, match=r"pg_dump is of version 9, and the server of \d+.*Install postgresql-client"
    ):
        snapshot.take(empty_postgres_store, tmp_path / "dump", _quiet)


def test_no_password_is_on_a_command_line(
    postgres_store: Store, program: Callable[[str, str], Path], tmp_path: Path
) -> None:
    [*_, binary] = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_dump"))
    program("pg_dump", f'echo "$@" >> {tmp_path}/seen; exec {binary} "$@"')
    url = postgres_store.url.set(password="s3cret").update_query_dict({"sslpassword": "t0psecret"})
    store = Store(url.render_as_string(hide_password=False))
    snapshot.take(store, tmp_path / "dump", _quiet)
    store.close()
    seen = (tmp_path / "seen").read_text()
    assert "--format=custom" in seen
    assert "s3cret" not in seen
    assert "t0psecret" not in seen
    program(
        "pg_dump",
        'case "$1" in --version) echo "pg_dump (PostgreSQL) 99.1";; *) echo "pg_dump: error: no" >&2; exit 1;; esac',
    )
    with pytest.raises(Exception, match=r"pg_dump failed on postgresql.*: pg_dump: error: no") as caught:
        snapshot.take(store, tmp_path / "dump2", _quiet)
    assert "s3cret" not in str(caught.value)
    store.close()


def test_rows_that_are_missing_after_a_restore_are_told(shell: Shell) -> None:
    shell.texts("a")
    with pytest.raises(Exception, match="document: 1 rows instead of 7"):
        replacing.check_rows(shell.store, {"document": 7, "collection": 1})


def test_a_damaged_store_is_told_by_every_command_with_the_fix(shell: Shell) -> None:
    shell.texts("a")
    shell.store.close()
    damage(shell.store)
    for words in (("status",), ("backup", "x"), ("verify", "--all"), ("collections",)):
        said = shell(*words, status=1).err
        assert "file is not a database; `docmill restore BACKUP --replace`" in said
