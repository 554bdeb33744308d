"""Break the code in named ways, one at a time, in a copy of it, and show which test catches each.

    python -m tests.mutants [--only WORDS]

Exit status 1 if a mutant survives. A mutant that no longer fits the code is an error, not a success.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPIED = ("db", "nlp_tasks", "workers", "scheduler", "tests", "pyproject.toml")


@dataclass(frozen=True)
class Mutant:
    """One way to break one file, and the tests that must notice."""

    name: str
    path: str
    before: str
    after: str
    #: Files of tests, or single ones, relative to tests/.
    tests: tuple[str, ...]
    #: SQLite is enough, unless what is broken is PostgreSQL's alone.
    on_postgres: bool = False


CHUNKS = ("db/test_chunks.py",)
JOBS = ("db/test_jobs.py",)
RUN = ("workers/test_chunk_run.py",)
BATCHES = ("workers/test_batches.py",)
TICK = ("scheduler/test_tick.py",)

MUTANTS = (
    Mutant("no reaper", "scheduler/tick.py", '("reap", self.reap),', "", TICK),
    Mutant(
        "fed once only",
        "db/chunks.py",
        "Chunk.sent_at < now(-resend_seconds)",
        "Chunk.sent_at < now(-1e9)",
        TICK,
    ),
    Mutant("no fence", "db/chunks.py", "Chunk.fence == held.fence, ", "", CHUNKS),
    Mutant(
        "no primary key on outcomes",
        "db/migrations/versions/2026_11_21_0001_first_tables.py",
        'sa.PrimaryKeyConstraint("job_id", "document_id", name=op.f("pk_outcome")),',
        "",
        JOBS,
    ),
    Mutant("lease never renewed", "workers/lease.py", "self._renew(note)", "pass", RUN),
    Mutant(
        "lease always renewed",
        "workers/chunk_run.py",
        "return ChunkRun(process, lease, kind).run()",
        "with lease.loading():\n            return ChunkRun(process, lease, kind).run()",
        ("workers/test_chunk_run.py::test_a_lease_is_not_renewed_while_nothing_ends",),
    ),
    Mutant(
        "batch error blamed on all its documents",
        "workers/batches.py",
        "        if len(documents) == 1:\n            return [blame(documents[0], error)]",
        "        return [blame(document, error) for document in documents]",
        BATCHES,
    ),
    Mutant(
        "infrastructure error blamed on documents",
        "workers/batches.py",
        "        if not_theirs(error):\n            raise\n",
        "",
        BATCHES,
    ),
    Mutant("two may claim one chunk", "db/chunks.py", '        Chunk.state == "ready",\n', "", CHUNKS),
    Mutant("a paused job is worked on", "db/chunks.py", '        job_in("running"),\n    )', "    )", JOBS),
    Mutant(
        "poison is tried for ever",
        "db/chunks.py",
        "if may_end and n_suspect >= alone:",
        "if False:",
        CHUNKS,
    ),
    Mutant(
        "a death is blamed on the next document too",
        "db/chunks.py",
        '"n_suspect_crashes": case((same, Chunk.n_suspect_crashes), else_=0),',
        '"n_suspect_crashes": Chunk.n_suspect_crashes,',
        CHUNKS,
    ),
    Mutant(
        "a fault of the machine counts as a crash",
        "db/chunks.py",
        '{"n_put_back": before + 1, "fault": fault}',
        '{"n_put_back": before + 1, "fault": fault, "n_crashes": Chunk.n_crashes + 1}',
        CHUNKS,
    ),
    Mutant(
        "a worker that lost its chunk is not told",
        "db/chunks.py",
        "    if not changed(session, statement.values(values)):",
        "    if changed(session, statement.values(values)) is None:",
        CHUNKS,
    ),
    Mutant(
        "a lost answer to a commit is taken for a failed one",
        "workers/chunk_run.py",
        "if tries > 1:",
        "if False:",
        RUN,
    ),
    Mutant(
        "no check that every document is counted",
        "db/migrations/versions/2026_11_21_0001_first_tables.py",
        """        sa.CheckConstraint(
            "state NOT IN ('finished', 'cancelled') OR n_ok + n_error = n_documents",
            name=op.f("ck_job_every_document_counted"),
        ),
""",
        "",
        JOBS,
    ),
    Mutant(
        "the next stage does not wait for the one before",
        "db/jobs.py",
        '.where(earlier.job_id == job_id, earlier.state != "closed")',
        '.where(earlier.job_id == job_id, earlier.state == "blocked")',
        JOBS,
    ),
    Mutant(
        "a job finishes before its chunks",
        "db/jobs.py",
        'Job.state.in_(("running", "cancelling")), ~still_open)',
        'Job.state.in_(("running", "cancelling")))',
        JOBS,
    ),
    Mutant(
        "outcomes may be changed",
        "db/migrations/versions/2026_11_21_0001_first_tables.py",
        "    _refuse_changes_of_outcomes(is_postgres)\n\n",
        "\n",
        JOBS,
    ),
    Mutant(
        "Redis is filled without a window",
        "scheduler/tick.py",
        "min(n_ready, self.settings.window) - self.broker.depth(kind, priority)",
        "n_ready",
        TICK,
    ),
    Mutant(
        "messages that Redis refused are forgotten",
        "scheduler/tick.py",
        "chunks.unsend(session, [message.chunk_id for message in messages])",
        "pass",
        TICK,
    ),
    Mutant(
        "many schedulers fire a schedule many times",
        "db/schedules.py",
        "return start_run(session, schedule.id, latest_due) if result.rowcount == 1 else None",
        "return start_run(session, schedule.id, clock(session))",
        ("db/test_schedules.py",),
    ),
    Mutant(
        "a death before the first document is blamed on the last suspect",
        "db/chunks.py",
        " and chunk.suspect_fence == chunk.fence",
        "",
        CHUNKS,
    ),
    Mutant(
        "a missed schedule fires ahead of its time",
        "scheduler/nightly.py",
        "if found <= moment",
        "",
        ("db/test_schedules.py",),
    ),
    Mutant(
        "rows about documents that are not there",
        "db/migrations/versions/2026_11_21_0007_references_by_statement.py",
        "RAISE foreign_key_violation USING MESSAGE = format('{table}: there",
        "RAISE NOTICE USING MESSAGE = format('{table}: there",
        ("db/test_migrations.py",),
        on_postgres=True,
    ),
    Mutant(
        "a changed document replaces the old one in silence",
        "db/documents.py",
        "before.version + 1 if before else 1",
        "1",
        ("db/test_documents.py",),
    ),
    Mutant(
        "a death frees all that workers of its name hold",
        "db/chunks.py",
        '    of_worker = Chunk.instance.startswith(f"{instance}.", autoescape=True)\n'
        '    return (Chunk.state == "leased", or_(Chunk.instance == instance, of_worker))',
        "    name = select(Chunk.worker).where(Chunk.instance == instance).limit(1).scalar_subquery()\n"
        '    return (Chunk.state == "leased", Chunk.worker == name)',
        CHUNKS,
    ),
    Mutant(
        "a death frees what other processes of its worker hold",
        "db/chunks.py",
        "or_(Chunk.instance == instance, of_worker)",
        'Chunk.instance.startswith(instance.partition(".")[0])',
        CHUNKS,
    ),
    Mutant("a claim does not look at the schema", "db/chunks.py", ", _schema_is_known())", ")", CHUNKS),
    Mutant(
        "a lost lease makes the chunk careful at once",
        "db/chunks.py",
        "row.n_lost > MAX_LOST_TOGETHER",
        "row.n_lost > 0",
        CHUNKS,
    ),
    Mutant(
        "a loss counts as a crash",
        "db/chunks.py",
        '"n_lost": chunk.n_lost + 1,',
        '"n_lost": chunk.n_lost + 1, "n_crashes": chunk.n_crashes + 1,',
        CHUNKS,
    ),
    Mutant(
        "a hang whose lease ran out first is forgotten",
        "db/chunks.py",
        "    if lost is None:\n        return False\n",
        "    return False\n",
        CHUNKS,
    ),
    Mutant(
        "what nobody saw counts as a crash",
        "workers/process.py",
        "    elif is_witness:",
        "    elif True:",
        ("workers/test_burying.py",),
    ),
    Mutant(
        "a process that is alive is taken for dead",
        "workers/last_words.py",
        "    except BlockingIOError:\n        return True",
        "    except BlockingIOError:\n        return False",
        ("workers/test_last_words.py",),
    ),
    Mutant(
        "newer tables are blamed on documents",
        "workers/chunk_run.py",
        "            self._insist_on_a_known_schema(error)\n",
        "",
        RUN,
    ),
    Mutant(
        "older code upgrades newer tables",
        "db/migrations/__init__.py",
        "        store.refuse_newer(_schema(connection))\n",
        "",
        ("db/test_migrations.py",),
    ),
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="mutants whose name contains this")
    chosen = [mutant for mutant in MUTANTS if parser.parse_args(arguments).only in mutant.name]
    survivors = 0
    for mutant in chosen:
        with tempfile.TemporaryDirectory(prefix="docmill-mutant-") as folder:
            catcher = caught_by(mutant, _break(Path(folder), mutant))
        survivors += catcher is None
        print(f"{mutant.name:56} {catcher or 'SURVIVES'}", flush=True)
    print(f"{len(chosen) - survivors} of {len(chosen)} mutants caught")
    return 1 if survivors else 0


def caught_by(mutant: Mutant, copy: Path) -> str | None:
    """The first test that fails on the broken copy; None if all pass."""
    files = [str(copy / "tests" / name) for name in mutant.tests]
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        "-k",
        "postgresql" if mutant.on_postgres else "not postgresql",
        *files,
    ]
    said = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    if said.returncode == 0:
        return None
    found = re.search(r"^(?:FAILED|ERROR) (\S+)", said.stdout, re.MULTILINE)
    if found is None or said.returncode != 1:
        raise RuntimeError(
            f"{mutant.name}: the tests could not run:\n{said.stdout[-2000:]}{said.stderr[-2000:]}"
        )
    return found[1]


def _break(folder: Path, mutant: Mutant) -> Path:
    """A copy of the code with the mutation in it."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy(source, folder / name)
    path = folder / mutant.path
    text = path.read_text(encoding="utf-8")
    if text.count(mutant.before) != 1:
        raise RuntimeError(f"{mutant.name}: {mutant.path} no longer holds, once, {mutant.before!r}")
    path.write_text(text.replace(mutant.before, mutant.after), encoding="utf-8")
    return folder


if __name__ == "__main__":
    sys.exit(main())
