"""A kind that an installed package brings by an entry point: its table, a real job, and what is said without it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from db.store import Store
from tests.servers import PostgresServer

MODULE = '''
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from nlp_tasks.kind import Document, Kind, Result, Setup, Stage
from nlp_tasks.parameters import parameters


@parameters
class VowelParameters:
    """None."""


@dataclass(frozen=True)
class VowelRow:
    table: ClassVar[str] = "vowel_count"
    key: ClassVar[tuple[str, ...]] = ("vowel",)
    vowel: str
    n: int
    note: str | None = None


class Counter:
    batch_documents, batch_chars = 100, 100_000

    def __init__(self, setup: Setup) -> None:
        pass

    def run(self, documents: Sequence[Document]) -> Sequence[Result]:
        return [[VowelRow(vowel, one.text.count(vowel)) for vowel in "ae"] for one in documents]


KINDS = (Kind("vowels", "Count vowels", VowelParameters, (VowelRow,), (Stage("count", Counter),)),)
'''
#: Sees the job through as a worker and a scheduler do, without Redis.
WORK = """
import tempfile
from docmill import Client
from scheduler.broker import Broker
from scheduler.loop import Scheduler
from scheduler.store import open_for_work
from sqlalchemy import text
from workers.processes.process import Process
from workers.running import chunk_run
from workers.settings import settings

store = open_for_work()
client = Client()
client.add_records([{"id": "a", "text": "banana tree"}, {"id": "b", "text": "eel"}], collection="words")
job = client.submit("vowels", collection="words")
process = Process(settings(), store, tempfile.TemporaryFile("w+"))
with store.read() as session:
    chunks = session.scalars(text("SELECT id FROM chunk")).all()
for chunk in chunks:
    chunk_run.run(process, chunk)
process.watch_no_more()
Scheduler(store, Broker(settings()), settings()).mover.move_jobs()
print(job.progress().state, [(r["document_key"], r["vowel"], r["n"]) for r in job.results()])
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder as site-packages is after `pip install vowels`."""
    site = tmp_path / "site"
    (site / "vowels-1.0.dist-info").mkdir(parents=True)
    (site / "vowels.py").write_text(MODULE)
    (site / "vowels-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: vowels\nVersion: 1.0\n"
    )
    (site / "vowels-1.0.dist-info" / "entry_points.txt").write_text("[docmill.kinds]\nvowels = vowels\n")
    return site


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store that nobody has made."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/own.db"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    server.execute("DROP DATABASE IF EXISTS vowels")
    server.execute("CREATE DATABASE vowels")
    return server.url("vowels")


def run(url: str, *arguments: str, site: Path | None = None, status: int = 0) -> str:
    cleared = {name: value for name, value in os.environ.items() if name != "DOCMILL_KIND_MODULES"}
    environment = cleared | {"DOCMILL_DATABASE_URL": url} | ({"PYTHONPATH": str(site)} if site else {})
    said = subprocess.run(
        [sys.executable, "-P", *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert said.returncode == status, said.stdout + said.stderr
    return said.stdout + said.stderr


def docmill(url: str, *words: str, site: Path | None = None, status: int = 0) -> str:
    return run(url, "-m", "docmill.cli", *words, site=site, status=status)


def test_a_kind_of_a_package_has_its_table_and_its_rows(url: str, package: Path) -> None:
    docmill(url, "db", "upgrade", site=package)

    said = run(url, "-c", WORK, site=package)

    assert "finished [('a', 'a', 3), ('a', 'e', 2), ('b', 'a', 0), ('b', 'e', 2)]" in said
    [job] = json.loads(docmill(url, "status", "--json", site=package))
    assert (job["kind"], job["n_ok"]) == ("vowels", 2)
    # Where the package is not installed, other commands go on working.
    assert "vowels" in docmill(url, "status")


@pytest.mark.long
def test_a_missing_table_is_said_in_a_sentence(url: str, package: Path, tmp_path: Path) -> None:
    docmill(url, "db", "upgrade")
    text = tmp_path / "a.txt"
    text.write_text("banana")
    docmill(url, "add", str(text), "--collection", "words", site=package)

    said = docmill(url, "submit", "vowels", "--collection", "words", site=package, status=1)
    assert said == (
        "docmill: the store has no table 'vowel_count' for results of the kind 'vowels': run `docmill db upgrade`\n"
    )

    ready = "from scheduler.store import open_for_work; open_for_work().close()"
    if Store(url).is_sqlite:
        run(url, "-c", ready, site=package)
    else:
        said = docmill(url, "scheduler", site=package, status=1)
        assert (
            "has no table vowel_count, which a kind from another package needs: run `docmill db upgrade`"
            in said
        )
        docmill(url, "db", "upgrade", site=package)
    run(url, "-c", ready, site=package)
    assert "job 1" in docmill(url, "submit", "vowels", "--collection", "words", site=package)
