"""docmill add with files that a job has to read: every file has one outcome, and its text is a document."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from tests import real_files
from tests.commands.conftest import Shell

RATES = "The central bank raised its rate. Markets had expected that. The decision was unanimous."


def _rows(shell: Shell, query: str) -> list[dict[str, object]]:
    with shell.store.read() as session:
        return [dict(row) for row in session.execute(text(query)).mappings()]


def test_a_pdf_becomes_a_document(shell_on_both: Shell, tmp_path: Path) -> None:
    shell = shell_on_both
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "rates.pdf").write_bytes(real_files.pdf(RATES.replace(". ", ".\n"), "Second page."))
    said = shell("add", folder, "--collection", "inbox")
    assert said.lines == ["inbox: 0 new, 0 changed, 0 unchanged", "1 file is being extracted: job 1"]
    shell.work(1)
    [row] = _rows(shell, "SELECT * FROM v_extractions")
    assert (row["state"], row["collection"], row["document_key"]) == ("ok", "inbox", "rates.pdf"), str(row)
    [document] = _rows(shell, "SELECT d.* FROM document d JOIN collection c ON c.id = d.collection_id WHERE c.name = 'inbox'")
    assert "The central bank raised its rate." in str(document["text"])
    assert shell("add", folder, "--collection", "inbox").lines[1:] == ["1 file is extracted already"]
