"""No command makes a job without documents: it says so, and nothing is there afterwards."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text

from tests.commands.conftest import Shell


def n_jobs(shell: Shell) -> int:
    with shell.store.read() as session:
        return int(session.execute(text("SELECT count(*) FROM job")).scalar_one())


def test_a_command_with_nothing_to_do_says_so_and_makes_no_job(shell_on_both: Shell, tmp_path: Path) -> None:
    shell = shell_on_both
    shell.texts("One sentence. Another one.", "Two sentences. And another.")
    done = shell.done("oracle", "--collection", "inbox")
    summarized = shell.done("summarize", "--collection", "inbox")
    shell("schedule", "add", "nightly", "--cron", "0 2 * * *", "--job", "oracle --collection inbox --new")
    (tmp_path / "page.html").write_text("<p>A page with a text of its own.</p>")
    shell("add", tmp_path / "page.html", "--collection", "files")
    shell("documents", "remove", "k1", "--collection", "inbox", "--yes")
    before = n_jobs(shell)
    page = tmp_path / "page.html"
    for command, status, words in (
        (f"retry {done}", 0, "nothing to do: no document failed in job"),
        (f"retry {summarized} --json", 0, "nothing to do: no document failed in job"),
        (
            "submit oracle --collection inbox --new",
            0,
            "nothing to do: collection 'inbox' has no new documents",
        ),
        ("submit oracle --collection inbox --new --unique --json", 0, "nothing to do"),
        ("submit oracle --collection inbox --new --exclusive --key once", 0, "nothing to do"),
        ("submit oracle --collection files", 0, "nothing to do: collection 'files' has no documents yet"),
        ("train classify --collection files", 1, "there is nothing to train on"),
        ("train similarity --collection files --json", 1, "there is nothing to train on"),
        (f"quarantine retry {done}", 1, "no document of job"),
        (f"evaluate {summarized} --references {page} --text-field text", None, ""),
        (f"add {page} --collection files", 0, "files: 0 new"),
        ("schedule run nightly", 0, "nothing to do, so no job was made"),
    ):
        said = shell(*command.split(), status=status)
        assert words in said.out + said.err, command
        assert n_jobs(shell) == before, command
        if "--json" in command and not status:
            assert said.json["job"] is None, command
