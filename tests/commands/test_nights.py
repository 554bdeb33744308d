"""docmill night: a bad file is named by line, key and fix; plans are printed; a schedule runs the copy that it has."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from sqlalchemy import text

from scheduler import firing
from scheduler.nights.lines import lines_of
from tests.commands.conftest import Shell

NIGHT = """\
name = "news"
collection = "news"

[schedule]
cron = "0 1 * * *"
time_zone = "Asia/Seoul"
finish_by = "07:00"

[[source]]
files = "in.jsonl"

[[step]]
do = "oracle"
parameters = { batch = 8 }
"""
_STEP = NIGHT[NIGHT.index('do = "oracle"') :]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "in.jsonl").write_text('{"id": "a", "text": "text a"}\n{"id": "b", "text": "text b"}\n')
    path = tmp_path / "night.toml"
    path.write_text(NIGHT)
    return path


@pytest.mark.parametrize(
    ("wrong", "instead", "line", "words"),
    [
        ('name = "news"', 'nmae = "news"', 1, "nmae: there is no such key: did you mean 'name'?"),
        ('collection = "news"', "", 1, "collection is missing"),
        ('cron = "0 1 * * *"', 'cron = "* * * * * *"', 4, "six fields"),
        ('finish_by = "07:00"', 'finish_by = "7 pm"', 7, "finish_by"),
        ('do = "oracle"', 'do = "orcale"', 13, "there is no such step: did you mean 'oracle'?"),
        ("batch = 8", 'batch = "many"', 14, "batch must be a whole number"),
        ("batch = 8", "btach = 8", 14, "there is no parameter 'btach': did you mean 'batch'?"),
        ('files = "in.jsonl"', 'files = "in.jsonl"\nsql = "SELECT 1"', 9, "either files or sql"),
        ('do = "oracle"', 'do = "oracle"\nafter = ["add", "nobody"]', 14, "after names 'nobody'"),
        ('do = "oracle"', 'do = "oracle"\nretry = "often"', 14, "retry"),
        ('name = "news"', "name = news", 1, "this is no TOML"),
        ('files = "in.jsonl"', 'files = "in.jsonl"\nmetadata = { a = "path:1" }', 9, 'write "folder:1"'),
        (
            _STEP,
            'do = "train gated"\nvalue = "size desc"',
            14,
            "value has no effect here, since a training takes all",
        ),
        (
            _STEP,
            'do = "train gated"\nwhen = { drift = 0.2 }',
            14,
            "drift compares labels, and train-gated trains a model that gives none",
        ),
        (_STEP, 'do = "evaluate"\nwhere = "a = 1"', 14, "where has no effect here, since it takes what"),
        ('do = "oracle"', 'do = "export"', 14, "parameters is for a kind of jobs: leave it out"),
        (_STEP, 'do = "export"\nto = "out"', 12, 'format is missing: format = "parquet"'),
        (_STEP, 'do = "export"\nto = "o.csv"\nwhat = "v_lables"', 12, "there is no view or table 'v_lables'"),
        (_STEP, 'do = "export"\nto_table = "sqlite:///x/t"\nwhat = "job"', 12, "write env:NAME/table"),
        (_STEP, 'do = "export"\nto = "{day}.csv"\nwhat = "job"', 12, "{day} is unknown: there are {date}"),
        (
            _STEP,
            'do = "export"\nformt = "csv"\nto = "out"',
            14,
            "there is no key 'formt': did you mean 'format'?",
        ),
        (_STEP, 'do = "digest"', 12, "to is missing (files; {date} is the night's date"),
        (_STEP, 'do = "digest"\nto = "out/"', 14, "write a file such as"),
    ],
)
def test_a_bad_file_is_named_by_line_key_and_fix(
    shell: Shell, file: Path, wrong: str, instead: str, line: int, words: str
) -> None:
    file.write_text(NIGHT.replace(wrong, instead, 1))
    said = shell("night", "check", file, status=2)
    assert words in said.err, said.err
    assert f"line {line}:" in said.err, said.err
    assert shell("night", "plan", file, status=2).err.startswith(f"docmill: {file}, line {line}:")


def test_every_key_has_its_line() -> None:
    toml = 'a = 1\n[b.c]\nd = """\nx\n"""\ne = { f = 1 }\n\n[[g]]\nh = [\n  1,\n  2,\n]\n# k = 1\n[[g]]\ni.j = 2\n'
    tomllib.loads(toml)
    found = lines_of(toml)
    assert found[("a",)] == 1
    assert (found[("b", "c")], found[("b", "c", "d")], found[("b", "c", "e", "f")]) == (2, 3, 6)
    assert (found[("g", 0)], found[("g", 0, "h", 1)], found[("g", 1)], found[("g", 1, "i", "j")]) == (
        8,
        9,
        14,
        15,
    )


def test_a_plan_is_printed_with_the_documents_behind_it(shell: Shell, file: Path) -> None:
    said = shell("night", "plan", file)
    assert "Plan 1 for news" in said.out
    assert "not measured yet" in said.out
    assert f"docmill night run {file} --plan 1" in said.out
    listed = shell("night", "plan", file, "--documents", "oracle", "--json").json
    assert listed == [{"document_key": key, "step": "oracle", "reason": "new"} for key in ("a", "b")]
    assert "it has: add, extract, oracle" in shell("night", "plan", file, "--documents", "x", status=2).err


def test_a_night_is_run_shown_and_listed(shell: Shell, file: Path) -> None:
    night = shell("night", "run", file, "--json").json["night"]
    _work(shell)
    shown = shell("night", "show", night, "--json").json
    assert (shown["state"], shown["steps"][2]["n_ok"]) == ("done", 2)
    assert shell("night", "show", "news", "--json").json == shown
    assert [one["night"] for one in shell("night", "list", "--json").json] == [night]
    assert shell("schedule", "list", "--json").json == []
    # Other parameters: the reason says which.
    file.write_text(NIGHT.replace("batch = 8", "seconds = 0.001"))
    [one, _] = shell("night", "plan", file, "--documents", "oracle", "--json").json
    assert one["reason"] == "other parameters: batch 8 -> 32, seconds 0.0 -> 0.001 (job 1)"


def test_a_schedule_runs_the_copy_that_it_has(shell: Shell, file: Path) -> None:
    assert "is not scheduled" in shell("night", "check", file).out
    assert "01:00 (Asia/Seoul)" in shell("night", "schedule", file).out
    assert f"night {file}" in shell("schedule", "list").out
    assert "has this file" in shell("night", "check", file).out
    file.write_text("# A comment.\n" + NIGHT)
    assert "which means the same" in shell("night", "check", file).out
    file.write_text(NIGHT.replace("batch = 8", "batch = 9"))
    assert "has another copy" in shell("night", "check", file).out
    assert "step oracle.parameters.batch: 8 -> 9" in shell("night", "diff", file).out

    firing.run_now(shell.store, "news")
    _work(shell)
    with shell.store.read() as session:
        assert '"batch": 8' in str(session.scalar(text("SELECT parameters FROM job")))
        rows = session.execute(text("SELECT n.state, r.id FROM night n JOIN run r ON r.id = n.run_id")).all()
    assert [row[0] for row in rows] == ["done"]
    firing.end_runs(shell.store)
    [run] = shell("schedule", "history", "news", "--json").json
    assert run["state"] == "succeeded", run

    shell("night", "schedule", file)
    assert "has this file" in shell("night", "check", file).out


def test_the_schedule_of_a_night_takes_no_name_of_another(shell: Shell, file: Path) -> None:
    shell.texts("A text.")
    added = shell("schedule", "add", "news", "--cron", "0 2 * * *", "--job", "oracle --collection inbox")
    assert added.status == 0
    said = shell("night", "schedule", str(file), status=1)
    assert f"change `name` in {file}" in said.err
    assert "docmill schedule remove news" in said.err


def test_a_night_can_be_cancelled(shell: Shell, file: Path) -> None:
    night = shell("night", "run", file, "--json").json["night"]
    shell("night", "cancel", night)
    assert shell("night", "show", night, "--json").json["state"] == "cancelled"
    assert "has ended already" in shell("night", "cancel", night, status=1).err


def test_the_schema_is_one(shell: Shell) -> None:
    schema = shell("night", "schema").json
    assert schema["additionalProperties"] is False
    assert "step" in schema["required"]
    step = schema["$defs"]["StepTable"]
    assert step["additionalProperties"] is False
    assert {"do", "parameters", "only_changed", "to", "language"} <= step["properties"].keys()
    assert {"type": "string"}.items() <= schema["$defs"]["ReportTable"]["properties"]["to"]["anyOf"][
        0
    ].items()


def _work(shell: Shell) -> None:
    """What a scheduler and a worker do until every night has ended."""
    for _ in range(60):
        shell.scheduler.nights.move()
        with shell.store.read() as session:
            jobs = session.scalars(
                text("SELECT id FROM job WHERE state NOT IN ('finished', 'cancelled')")
            ).all()
            n_open = session.scalar(text("SELECT COUNT(*) FROM night WHERE finished_at IS NULL"))
        if not n_open:
            return
        for job in jobs:
            shell.work(job)
    raise AssertionError("a night does not end")
