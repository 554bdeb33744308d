"""docs/adding-a-kind.md, followed as it is written, in a copy of the tree."""

from __future__ import annotations

import re
from pathlib import Path

from tests.project.conftest import run

ROOT = Path(__file__).parents[2]
DOC = (ROOT / "docs" / "adding-a-kind.md").read_text(encoding="utf-8")

#: Adds two documents, sees a job of the new kind through as a worker does, and prints its rows.
SCRIPT = """
import sys, tempfile
from docmill import add, submit
from scheduler.broker import Broker
from scheduler.loop import Scheduler
from db.store import Store
from workers.running import chunk_run
from workers.processes.process import Process
from workers.settings import settings
from sqlalchemy import text

add(sys.argv[1], collection="news")
job = submit("language", collection="news", parameters={"chars": 100})
store = Store(settings().url)
process = Process(settings(), store, tempfile.TemporaryFile("w+"))
with store.read() as session:
    chunk_ids = session.scalars(text("SELECT id FROM chunk")).all()
for chunk_id in chunk_ids:
    chunk_run.run(process, chunk_id)
process.watch_no_more()
Scheduler(store, Broker(settings()), settings()).mover.move_jobs()
print(job.progress().state, sorted((row["document_key"], row["lang"]) for row in job.results()))
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOC, flags=re.DOTALL)


def add_the_kind(copy: Path) -> None:
    [module], [line] = blocks("python"), blocks("text")
    (copy / "nlp_tasks" / "language.py").write_text(module, encoding="utf-8")
    registry = copy / "nlp_tasks" / "registry.py"
    text = registry.read_text(encoding="utf-8")
    registry.write_text(text.replace("MODULES = (\n", f"MODULES = (\n{line}"), encoding="utf-8")


def test_a_kind_is_added_by_a_module_a_line_and_a_migration(copy: Path, tmp_path: Path) -> None:
    add_the_kind(copy)
    assert 'make migration NAME="Languages of documents"' in DOC
    assert "languages_of_documents.py" in run(copy, "deploy/new-migration", "Languages of documents")
    assert "nothing has changed" in run(copy, "deploy/new-migration", "Again", status=1)

    texts = tmp_path / "two.jsonl"
    texts.write_text(
        '{"id": "a", "text": "오늘은 비가 온다"}\n{"id": "b", "text": "It rains"}\n', encoding="utf-8"
    )
    said = run(copy, "-c", SCRIPT, str(texts))

    assert "finished [('a', 'ko'), ('b', 'en')]" in said
    assert "1 to 100,000" in run(copy, "-m", "docmill.cli", "kinds", "language").replace("10 to", "1 to")


def test_a_forgotten_migration_is_noticed(copy: Path) -> None:
    add_the_kind(copy)
    code = (
        "from db import migrations; from db.store import Store; from sqlalchemy import inspect\n"
        "store = Store('sqlite:///fresh.db'); migrations.upgrade(store)\n"
        "print('language' in inspect(store.engine).get_table_names())"
    )
    assert run(copy, "-c", code).strip() == "False"
    assert "languages.py" in run(copy, "deploy/new-migration", "Languages")
    assert run(copy, "-c", code).strip() == "True"
