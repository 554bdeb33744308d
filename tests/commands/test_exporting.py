"""docmill export, and client.export."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from docmill.client import Client
from docmill.errors import ConflictError, InvalidRequestError, NotFoundError
from tests.commands.conftest import Shell


def test_a_job_is_exported_with_a_manifest(shell: Shell, tmp_path: Path) -> None:
    shell.texts("=1+1 한글", "a text")
    job = shell.done("oracle", "--collection", "inbox")
    to = tmp_path / "out" / "{date}" / "{name}.csv"
    said = shell("export", job, "--to", to, "--bom", "--name", "nightly", "--tz", "Asia/Seoul")
    [path] = (tmp_path / "out").glob("*/nightly.csv")
    assert said.out == f"{path}: 2 rows\n"
    assert path.read_bytes().startswith(b'\xef\xbb\xbf"document_key"')
    # The user asked for the file by name, so it has the permissions of the user's umask.
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
    manifest = json.loads(path.with_name("nightly.csv.manifest.json").read_text(encoding="utf-8"))
    again = shell("export", job, "--to", path, "--bom", "--json").json
    assert (again["sha256"], again["n_rows"], again["key"]) == (
        manifest["sha256"],
        2,
        ["document_key", "rank"],
    )


def test_only_what_has_changed(shell: Shell, tmp_path: Path) -> None:
    shell.texts("one", "two")
    words = ("export", "document", "--changed-since", "last", "--name", "d", "--to", tmp_path / "d.jsonl")
    assert shell(*words).out == f"{tmp_path}/d.jsonl: 2 rows (2 new, 0 changed, 0 gone)\n"
    shell.texts("one", "three")
    assert "2 rows (1 new, 1 changed, 0 gone)" in shell(*words).out
    assert "another --name" in shell(*words[:1], "SELECT 1 AS id", *words[2:], "--key", "id", status=1).err


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("v_similar",), 2, "either --to FILE or --to-table URL"),
        (("v_simlar", "--to", "x.csv"), 2, "did you mean v_similar?"),
        (("77", "--to", "x.csv"), 1, "there is no job 77"),
        (("SELECT scor FROM v_similar", "--to", "x.csv"), 2, "v_similar has score"),
        (("DROP TABLE job", "--to", "x.csv"), 2, "the query: "),
        (("v_similar", "--to", "/proc/nowhere/x.csv"), 1, "/proc/nowhere"),
    ],
)
def test_a_wrong_export_is_one_line_with_the_fix(
    shell: Shell,
    words: tuple[str, ...],
    status: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    shell.texts("a text")
    found = shell("export", *words, status=status).err
    assert said in found
    assert found.count("\n") == 1
    assert not (tmp_path / "x.csv").exists()


def test_the_client_exports(shell: Shell, tmp_path: Path) -> None:
    shell.texts("one", "two")
    seen: list[tuple[int, int | None]] = []
    with Client(shell.store.url.render_as_string(hide_password=False)) as client:
        made = client.export("document", to=tmp_path / "d.csv", tell=lambda *told: seen.append(told))
        assert (made.n_rows, made.format, seen) == (2, "csv", [(2, 2)])
        with pytest.raises(InvalidRequestError, match="no format"):
            client.export("document", to=tmp_path / "d")
        with pytest.raises(NotFoundError):
            client.export(9, to=tmp_path / "d.csv")
        client.export("document", to=tmp_path / "d.jsonl", changed_since="LAST", name="d")
        with pytest.raises(ConflictError):
            client.export("collection", to=tmp_path / "d.jsonl", changed_since="LAST", name="d")
