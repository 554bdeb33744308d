"""What a person meets every day: which store is used, what keeps a job from moving, tables that fit, any encoding."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.cells import cell_len
from sqlalchemy import text

from db.store import Store
from docmill.cli import app
from docmill.commands import tables
from tests.commands.conftest import Shell
from tests.db.builders import chunks_of, held
from tests.kinds import answer

DOCMILL = [sys.executable, "-m", "docmill.cli"]
#: A label that no narrow encoding has.
KOREAN = "서울은 한국의 수도이다. 한강이 그 가운데를 흐른다. 사람이 많이 산다."
#: What only reads, with what it needs to be asked.
READING = {
    "collections": "", "kinds": "", "status": "", "watch": "1", "results": "1", "similar": "k", "words nearest": "w",
    "words analogy": "a b c", "words export": "--to v.txt", "sql": "SELECT\u00a01",
    "verify": "1", "repro": "1 k", "doctor": "", "quarantine list": "", "quarantine show": "1 k",
    "schedule list": "", "models list": "", "models show": "m", "models export": "m out", "label list": "",
    "db show": "", "backup": "out", "documents list": "--collection c", "documents show": "k",
    "digest": "--to night.html",
    "export": "v_latest_label --to out.csv", "night list": "", "night show": "1",
    "notifications list": "", "retention plan": "", "retention show": "",
    "workers": "", "workers show": "w", "schedule history": "n", "schedule show": "n", "limits list": "",
    "metrics": "--once",
    "serve": "", "keys list": "", "search": "word", "batches list": "", "batches files": "", "pages": "--to copy",
}  # fmt: skip
#: What changes something that is there, and has nothing to put into a new store.
CHANGING = {
    "train": "classify --collection c", "submit": "summarize --collection c", "evaluate": "1", "cancel": "1",
    "pause": "1", "resume": "1", "retry": "1", "quarantine retry": "1", "quarantine release": "1",
    "schedule add": "n --cron 0\u00a02\u00a0*\u00a0*\u00a0* --job summarize\u00a0--collection\u00a0c",
    "schedule remove": "n", "schedule run": "n", "models promote": "m@1", "models rollback": "m",
    "label set": "k l", "label remove": "k", "collections remove": "c", "collections rename": "c d",
    "documents remove": "k --collection c", "night cancel": "1", "notifications retry": "1", "notifications test": "n",
    "retention off": "", "retention run": "", "schedule disable": "n", "schedule edit": "n --cron @daily",
    "schedule enable": "n", "workers drain": "h", "workers undrain": "h", "limits set": "--weight 2",
    "limits remove": "", "keys create": "n", "keys revoke": "n", "index": "",
    "batches cancel": "batch_00", "batches remove": "batch_00",
}  # fmt: skip
#: What makes a store, stays up, or is a world of its own.
OTHERS = {
    "add", "watch-folder", "restore", "db upgrade", "up", "worker", "scheduler", "flower", "demo", "devices", "alive",
    "night check", "night diff", "night schema", "night plan", "night run", "night schedule", "retention set",
    "models import",
}  # fmt: skip


def run(*words: object, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """docmill in a process of its own. A text that no encoding has would show in any case."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONIOENCODING"}
    return subprocess.run(
        [*DOCMILL, *map(str, words)],
        env=inherited | environment,
        cwd=cwd,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
    )


# --- which store ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [*READING, *CHANGING])
def test_no_command_makes_a_store_that_has_nothing_to_put_in(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DOCMILL_HOME")
    words = (READING | CHANGING)[command].split(" ")
    typed = [*command.split(), *(word.replace("\u00a0", " ") for word in words if word)]
    said = CliRunner().invoke(app, typed)

    assert list(tmp_path.iterdir()) == [], said.output
    if command not in ("kinds", "db show"):
        assert said.exit_code == 1, said.output
        assert f"there is no store at {tmp_path}/.docmill/docmill.db" in said.output
        assert "docmill add PATHS --collection NAME" in said.output


def test_every_command_is_known_to_make_a_store_or_not() -> None:
    # Reads the docs, which not every copy of the code has.
    from tests.commands.test_help import COMMANDS

    assert {" ".join(path) for path in COMMANDS} == {*READING, *CHANGING, *OTHERS}


def test_a_store_nearby_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell) -> None:
    (tmp_path / ".docmill").mkdir()
    (tmp_path / ".docmill" / "docmill.db").write_bytes(b"")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    for name in ("DOCMILL_HOME", "DOCMILL_DATABASE_URL"):
        monkeypatch.delenv(name)
    _forget()
    assert f"there is a store in {tmp_path}/.docmill" in shell("status", status=1).err


def test_what_makes_a_store_says_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCMILL_HOME", str(tmp_path / "new"))
    (tmp_path / "a.txt").write_text("fine")
    for words in (("add", tmp_path / "a.txt", "--collection", "inbox"), ("db", "upgrade")):
        first, again = run(*words), run(*words)
        assert f"new store: sqlite:///{tmp_path}/new/docmill.db\n" in first.stderr
        assert "new store" not in again.stderr
        assert first.returncode == again.returncode == 0
        (tmp_path / "new" / "docmill.db").unlink()


def test_nothing_readable_makes_no_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCMILL_HOME", str(tmp_path / "new"))
    assert run("add", tmp_path / "nothing", "--collection", "inbox").returncode == 1
    assert not (tmp_path / "new").exists()


def test_verbose_and_db_show_say_which_store_and_redis(shell: Shell) -> None:
    said = shell("--verbose", "status")
    assert f"store: {shell.store.name}\n" in said.err
    assert "redis: unix://" in said.err
    assert "store: " not in said.out
    facts = shell("db", "show", "--json").json
    assert (facts["store"], facts["exists"]) == (shell.store.name, True)
    assert shell.store.name in shell("doctor", status=1).out


def test_the_version_is_told(shell: Shell) -> None:
    from importlib.metadata import version

    assert shell("--version").out == f"docmill {version('docmill')}\n"


def test_an_unknown_setting_is_told_with_the_nearest(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCMILL_DATABSE_URL", "sqlite:///x")
    monkeypatch.setenv("DOCMILL_ZZZ", "1")
    said = shell("collections").err
    assert (
        "DOCMILL_DATABSE_URL is not a setting, so it is ignored: did you mean DOCMILL_DATABASE_URL?" in said
    )
    assert "DOCMILL_ZZZ is not a setting" in said
    assert "DOCMILL_HOME" not in said


def _forget() -> None:
    from scheduler.store import store
    from workers.settings import settings

    settings.cache_clear()
    store.cache_clear()


# --- what keeps a job from moving -----------------------------------------------------------------------------


def rested(store: Store, seconds: int = 100) -> None:
    """As if the jobs had been submitted, and what was sent had been sent, so long ago."""
    for table, column in (("job", "created_at"), ("job", "started_at"), ("chunk", "sent_at")):
        if store.is_sqlite:
            moved = f"strftime('%Y-%m-%d %H:%M:%f000', {column}, '-{seconds} seconds')"
        else:
            moved = f"{column} - interval '{seconds} seconds'"
        _change(store, f"UPDATE {table} SET {column} = {moved} WHERE {column} IS NOT NULL")


def sent(store: Store) -> None:
    now = "strftime('%Y-%m-%d %H:%M:%f000', 'now')" if store.is_sqlite else "clock_timestamp()"
    _change(store, f"UPDATE chunk SET sent_at = {now}")


def _change(store: Store, statement: str) -> None:
    with store.write() as session:
        session.execute(text(statement))


def note(shell: Shell, job_id: int) -> str | None:
    obstacle: str | None = shell("status", job_id, "--json").json["obstacle"]
    # Not the time, which goes on.
    assert (obstacle or "").rpartition(" s: ")[2] in shell("status", job_id).out
    return obstacle


def test_status_says_what_is_missing(redis_url: str, shell_on_both: Shell) -> None:
    shell = shell_on_both
    shell.texts("a", "b", "c")
    job_id = shell.job("oracle", "--collection", "inbox", "-p", "batch=1")
    assert note(shell, job_id) is None, "nobody could have begun yet"
    rested(shell.store)
    missing = note(shell, job_id)
    assert missing is not None
    assert missing.startswith("no worker has worked on it for 1 min ")
    assert "no scheduler seems to run: start `docmill scheduler`" in missing
    sent(shell.store)
    assert "no worker takes its chunks: start `docmill worker`" in (note(shell, job_id) or "")
    held(shell.store, chunks_of(shell.store, job_id)[0].id)
    assert note(shell, job_id) is None, "a worker is at it"
    other = shell.job("oracle", "--collection", "inbox")
    rested(shell.store)
    sent(shell.store)
    assert f"the workers are busy with job {job_id}" in (note(shell, other) or "")
    after = shell.job("oracle", "--collection", "inbox", "--after", job_id)
    assert note(shell, after) == f"waiting for job {job_id}"


def test_status_says_at_once_that_nothing_runs(shell: Shell) -> None:
    shell.texts("a")
    job_id = shell.job("oracle", "--collection", "inbox")
    assert "nothing runs in " in (note(shell, job_id) or "")
    assert "start `docmill up`" in (note(shell, job_id) or "")
    shell.work(job_id)
    assert note(shell, job_id) is None


def test_what_was_cancelled_did_not_fail(shell_on_both: Shell) -> None:
    shell = shell_on_both
    shell.texts("a", "", "b")
    job_id = shell.job("oracle", "--collection", "inbox")
    shell("cancel", job_id)
    shell.work(job_id)
    row = shell("status", job_id, "--json").json
    assert (row["n_ok"], row["n_error"], row["n_cancelled"]) == (0, 3, 3)
    assert "0 ok, 0 failed, 3 cancelled" in shell("watch", job_id, status=4).out
    assert "why:" not in shell("watch", job_id, status=4).out
    assert "cancelled before any of its 3 documents" in shell("results", job_id).out
    view = shell("sql", "SELECT n_error, n_cancelled FROM v_job_progress", "--format", "jsonl")
    assert json.loads(view.out) == {"n_error": 3, "n_cancelled": 3}
    failed = shell.done("oracle", "--collection", "inbox")
    row = shell("status", failed, "--json").json
    assert (row["n_error"], row["n_cancelled"]) == (1, 0)


# --- what is printed ------------------------------------------------------------------------------------------


def test_results_and_given_labels_are_one_json_value(shell: Shell) -> None:
    shell.texts(*map(str, range(60)))
    job_id = shell.done("oracle", "--collection", "inbox")
    rows = shell("results", job_id, "--json").json
    assert [row["label"] for row in rows] == [answer(str(number)) for number in range(60)]
    assert shell("results", job_id, "--json", "--errors").json == []
    assert len(shell("results", job_id, "--json", "--limit", 7).json) == 7
    shell("label", "set", "k1", "good")
    assert [row["label"] for row in shell("label", "list", "--json").json] == ["good"]


def test_a_listed_schedule_is_what_job_takes(shell: Shell) -> None:
    from docmill.commands.schedules import as_words, parse_job

    shell.texts("a")
    for number, job in enumerate(
        (
            "summarize --collection inbox -p sentences=2 --priority 7 --new",
            "train classify --collection inbox --model m -p arch=linear",
            "classify --collection inbox --model m@3",
        )
    ):
        shell("schedule", "add", f"n{number}", "--cron", "0 2 * * *", "--job", job)
        assert job in shell("schedule", "list").out
        assert as_words(parse_job(job).as_json()) == job


def test_an_unknown_column_lists_those_of_the_view_the_nearest_first(shell_on_both: Shell) -> None:
    shell = shell_on_both
    for query in (
        "SELECT probabilty FROM v_latest_label",
        "SELECT l.probabilty FROM v_latest_label l",
        "SELECT 1 FROM v_latest_label WHERE probabilty > 1",
    ):
        said = shell("sql", query, status=2).err
        assert "v_latest_label has probability, " in said
        assert ", label_source" in said
    shell.texts("a")
    said = shell("train", "classify", "--collection", "inbox", "--labels-sql", "SELECT kye, label FROM document",
                 status=2).err  # fmt: skip
    assert "document has key, " in said


def test_a_label_has_a_probability_and_a_summary_says_whose_sentences_it_counts(shell_on_both: Shell) -> None:
    shell = shell_on_both
    shell.texts(KOREAN)
    shell.done("oracle", "--collection", "inbox")
    shell.done("summarize", "--collection", "inbox", "-p", "sentences=1")
    with shell.store.read() as session:
        assert session.execute(text("SELECT probability = score FROM v_latest_label")).scalar_one()
        counted = "SELECT n_document_sentences, n_sentences FROM v_latest_summary"
        assert tuple(session.execute(text(counted)).one()) == (3, 3)
    shell("label", "set", "k0", "good")
    with shell.store.read() as session:
        assert session.execute(text("SELECT probability FROM v_latest_label")).scalar_one() == 1.0


@pytest.fixture
def filled(shell: Shell) -> Shell:
    """A store with Korean in everything that is printed."""
    shell.texts(KOREAN, "", labels=["긍정", "부정"])
    shell.done("summarize", "--collection", "inbox", "-p", "sentences=1")
    shell("label", "set", "k0", "긍정")
    shell("schedule", "add", "밤마다", "--cron", "0 2 * * *", "--job", "summarize --collection inbox")
    return shell


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0"},
        pytest.param({"PYTHONIOENCODING": "ascii"}, marks=pytest.mark.long),
    ],
)
def test_any_encoding_of_the_output_is_survived(filled: Shell, environment: dict[str, str]) -> None:
    for words in (
        "results 1", "results 1 --format csv", "results 1 --html -", "label list --format jsonl", "schedule list",
        "label remove 없음", "add 없는파일.txt --collection 받은편지",
    ):  # fmt: skip
        said = run(*words.split(), **environment)
        assert "Traceback" not in said.stderr, (words, said.stderr)
        assert said.returncode in (0, 1, 2, 3), (words, said.stderr)
    (row, *_) = json.loads(run("results", 1, "--json", **environment).stdout)
    assert row["summary"] in KOREAN, "JSON loses nothing"


def test_a_name_that_is_no_text_is_survived(tmp_path: Path, shell: Shell) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xc7\xd1\xb1\xdb.jsonl")
    Path(path).write_text("not JSON\n")
    said = run("add", path, "--collection", "inbox")
    assert "NOT_JSON" in said.stderr
    assert "Traceback" not in said.stderr


def at_a_terminal(columns: int, *words: object, command: Sequence[str] = DOCMILL) -> str:
    """What a command prints on a terminal of this many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    cleared = {
        name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")
    }
    child = subprocess.Popen(
        [*command, *map(str, words)], stdout=theirs, stdin=theirs, env=cleared | {"TERM": "dumb"}
    )
    os.close(theirs)
    said = _all_of(ours)
    assert child.wait(timeout=60) == 0
    return said.replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [40, *(pytest.param(n, marks=pytest.mark.long) for n in (60, 80, 200))])
def test_tables_fit_the_terminal_and_lose_nothing(filled: Shell, columns: int) -> None:
    for words in ("status", "results 1", "schedule list", "kinds"):
        said = at_a_terminal(columns, *words.split())
        # The address of the store stays whole, so that it can be copied.
        lines = [line for line in said.splitlines() if not line.startswith("store: ")]
        assert max(map(cell_len, lines)) <= columns, said
    said = at_a_terminal(columns, "status")
    assert "summarize" in said, "no word is cut into pieces"
    assert "finished" in said
    together = "".join(at_a_terminal(columns, "results", 1).split())
    (row,) = json.loads(run("results", 1, "--json").stdout)
    assert max((part for part in row["summary"].split()), key=len) in together


#: One process for all of them: starting one takes longest.
SEVERAL = """
import json, sys
from docmill.cli import app
for words in json.loads(sys.argv[1]):
    print("###", *words, flush=True)
    try:
        app(words)
    except SystemExit as end:
        assert not end.code, (words, end.code)
"""
#: Commands that print tables.
LISTS = (
    "status", "status 1", "results 1", "results 2 --errors", "kinds", "kinds summarize", "collections",
    "documents list --collection inbox", "schedule list", "schedule history 밤마다", "models list", "label list",
    "quarantine list", "night list", "notifications list", "workers", "limits list", "keys list",
)  # fmt: skip


@pytest.mark.parametrize("columns", [60, pytest.param(40, marks=pytest.mark.long)])
def test_every_list_fits_the_terminal(filled: Shell, columns: int) -> None:
    filled.done("oracle", "--collection", "inbox")
    filled("keys", "create", "a-name-that-is-rather-long-for-a-column")
    filled("limits", "set", "--collection", "inbox", "--weight", "2")
    asked = json.dumps([words.split() for words in LISTS])
    said = at_a_terminal(columns, asked, command=[sys.executable, "-c", SEVERAL])
    assert f"store: {filled.store.name}" in said.split("### status 1")[0].splitlines()
    too_wide = [
        line
        for line in said.splitlines()
        if cell_len(line) > columns and not line.startswith(("###", "store: "))
    ]
    assert too_wide == []


def test_no_list_is_cut_or_coloured_in_a_pipe(filled: Shell) -> None:
    filled.done("oracle", "--collection", "inbox")
    asked = json.dumps([words.split() for words in LISTS])
    said = subprocess.run(
        [sys.executable, "-c", SEVERAL, asked], capture_output=True, text=True, env=os.environ | {"COLUMNS": "40"}
    ).stdout  # fmt: skip
    assert "\x1b" not in said
    assert "…" not in said
    assert KOREAN.split(". ")[0] in said.split("### results 1")[1].split("###")[0]
    assert "store: " not in said.split("### status 1")[0]


def test_a_pipe_gets_a_whole_row_on_a_line(shell: Shell) -> None:
    long = " ".join(f"단어{number}" for number in range(200)) + "."
    shell.texts(long)
    shell.done("summarize", "--collection", "inbox")
    said = run("results", 1).stdout
    head, rule, row = said.splitlines()
    assert long in row
    assert (set(rule), head.split()[0]) == ({"-", " "}, "document_key")


def test_columns_that_can_be_spared_go_before_a_table_becomes_blocks() -> None:
    rows = [{"job": "1", "note": "", "created": "2026-11-26 03:00:00", "kind": "summarize"}]
    widths = {"job": 3, "note": 4, "created": 19, "kind": 9}

    def chosen(width: int) -> list[str] | None:
        return tables._chosen(rows, list(rows[0]), ["created"], widths, width)

    assert chosen(80) == ["job", "note", "created", "kind"]
    assert chosen(32) == ["job", "created", "kind"]
    assert chosen(14) == ["job", "kind"]
    assert chosen(10) is None


# --- files and interruption -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_a_page_is_for_whom_the_umask_says_and_the_store_for_its_owner(
    filled: Shell,
    tmp_path: Path,
    mask: int,
    mode: int,
) -> None:
    before = os.umask(mask)
    try:
        said = run("results", 1, "--html", tmp_path / "page.html")
        run("db", "upgrade", DOCMILL_DATABASE_URL=f"sqlite:///{tmp_path}/own/docmill.db")
    finally:
        os.umask(before)
    assert said.returncode == 0, said.stderr
    assert (tmp_path / "page.html").stat().st_mode & 0o777 == mode
    assert (tmp_path / "own" / "docmill.db").stat().st_mode & 0o777 == 0o600


def test_an_interrupted_add_says_what_is_stored_and_how_to_go_on(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    path.write_text("".join(f'{{"id": "k{n}", "text": "text {n}"}}\n' for n in range(100_000)))
    adding = subprocess.Popen(
        [*DOCMILL, "add", str(path), "--collection", "inbox"], stderr=subprocess.PIPE, text=True
    )
    while not _count(shell.store):
        assert adding.poll() is None
    adding.send_signal(signal.SIGINT)
    _, said = adding.communicate(timeout=60)
    assert adding.returncode == 130
    assert "docmill: interrupted: " in said
    assert "documents of these files are in inbox" in said
    assert "run the same command again to continue" in said
    assert "Traceback" not in said


def test_add_shows_the_file_its_share_and_the_rate_in_60_columns(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / ("a-long-name-of-many-words-" * 4 + "리뷰.jsonl")
    path.write_text("".join(f'{{"id": "k{n}", "text": "text {n}"}}\n' for n in range(8_000)))
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 60, 0, 0))
    cleared = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    adding = subprocess.Popen(
        [*DOCMILL, "add", str(path), "--collection", "inbox"],
        stdout=subprocess.PIPE, stderr=theirs, env=cleared | {"TERM": "xterm"},
    )  # fmt: skip
    os.close(theirs)
    said = _all_of(ours)
    out, _ = adding.communicate(timeout=60)
    assert out == b"inbox: 8,000 new, 0 changed, 0 unchanged\n"
    lines = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in re.split(r"[\r\n]+", said)]
    assert any(re.search(r"리뷰\.jsonl \d+ %: [1-9][\d,]* documents, [\d,]+/s", line) for line in lines), (
        lines
    )
    assert max(map(cell_len, lines)) <= 60


def test_the_rate_is_that_of_the_last_seconds_and_a_share_of_bytes(tmp_path: Path) -> None:
    from db.documents import Added
    from docmill.commands.adding_progress import AddingProgress

    known = AddingProgress(lambda: None)
    assert known.line() == "0 documents"
    known.watch.begin("a\x1b[31m.jsonl")
    known.tell(Added(n_new=1_000), 2)
    (began, _), (ended, _) = known._batches
    known._batches = [(ended - 2, 0), (ended, 1_000)]
    assert known.line() == r"a\x1b[31m.jsonl: 1,000 documents, 2 bad, 500/s"
    assert began <= ended
    path = tmp_path / "b"
    path.write_bytes(b"x" * 200)
    with path.open("rb", buffering=0) as raw:
        known.watch.begin("b")
        known.watch.opened(raw, 200)
        raw.read(50)
        assert known.watch.share == 0.25
    assert known.watch.share == 1.0
    assert known.line().startswith("b 100 % (file 2): ")


def _all_of(ours: int) -> str:
    said = b""
    try:
        while piece := os.read(ours, 65536):
            said += piece
    except OSError:
        pass  # The other end is closed.
    os.close(ours)
    return said.decode()


def _count(store: Store) -> int:
    with store.read() as session:
        return int(session.execute(text("SELECT count(*) FROM document")).scalar_one())
