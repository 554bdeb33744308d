"""Every kind of job has a page, and nothing in it is markup that a document brought."""

from __future__ import annotations

import re

from tests.commands.conftest import Shell
from tests.db.builders import a_job
from workers.kinds import all_kinds

EVIL = "<script>alert(1)</script>"


def test_a_job_of_every_kind_has_a_page_also_before_it_has_results(shell_on_both: Shell) -> None:
    shell = shell_on_both
    for name, kind in all_kinds().items():
        job = a_job(shell.store, 1, kind=name, model_ref="m" if kind.train else None)
        page = shell("results", job, "--html", "-").out
        assert "default-src 'none'" in page, name
        assert len(re.findall("<h1>", page)) == 1, name


def test_rows_are_shown_by_document_and_failures_with_their_cause(shell_on_both: Shell) -> None:
    shell = shell_on_both
    shell.texts(f"The mill {EVIL} grinds grain. The mill stands by the river.", "")
    page = shell("results", shell.done("keywords", "--collection", "inbox"), "--html", "-").out
    assert "<h2>k0</h2>" in page
    assert "mill</td>" in page
    assert "1 document failed" in page
    assert "<td>k1</td><td>" in page
    assert "<script" not in page


def test_a_page_has_at_most_the_documents_that_are_asked_for(shell: Shell) -> None:
    shell.texts("The mill grinds.", "The river flows.", "The wheel turns.")
    job = shell.done("oracle", "--collection", "inbox")
    said = shell("results", job, "--html", "-", "--limit", 2)
    assert said.out.count("<h2>k") == 2
    assert "there are more: --limit 3" in said.err
