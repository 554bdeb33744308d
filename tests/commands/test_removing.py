"""docmill documents and docmill collections: what is there, and how it is removed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from docmill import Client
from docmill.errors import NotFoundError
from tests.commands.conftest import Shell


def test_documents_are_listed_and_shown(shell: Shell) -> None:
    shell.texts("one", "둘", labels=["a", None])
    assert shell("documents", "list", "--collection", "inbox").lines[2].split()[:2] == ["k0", "1"]
    rows = shell("documents", "list", "--collection", "inbox", "--format", "jsonl", "--limit", "1").json
    assert (rows["document_key"], rows["label"], rows["body_chars"]) == ("k0", "a", 3)
    assert "1 of 2 documents" in shell("documents", "list", "--collection", "inbox", "--limit", "1").out
    shell("label", "set", "k1", "좋음", "--collection", "inbox")
    shell.done("oracle", "--collection", "inbox")
    facts = shell("documents", "show", "k1", "--json").json
    assert (facts["text"], facts["given_labels"], facts["outcomes"][0]["outcome"]) == ("둘", ["좋음"], "ok")
    said = shell("documents", "show", "k1").out
    assert "좋음" in said
    assert said.rstrip().endswith("둘")


def test_nothing_is_removed_without_yes(shell: Shell) -> None:
    shell.texts("one", "two")
    said = shell("documents", "remove", "k0", "--collection", "inbox").out
    assert "1 document would be removed" in said
    assert "nothing was removed yet: add --yes" in said
    shell("collections", "remove", "inbox")
    assert shell("collections", "--json").json == [{"collection": "inbox", "n_documents": 2}]


def test_documents_are_removed_by_key_file_and_standard_input(shell: Shell, tmp_path: Path) -> None:
    shell.texts("one", "two", "three", "four")
    keys = tmp_path / "keys.txt"
    keys.write_bytes("\ufeffk0\r\n\r\n k1 \n".encode())
    said = shell("documents", "remove", "k3", "--keys", keys, "--collection", "inbox", "--yes", "--json").json
    assert (said["removed"], said["n_documents"], said["unknown"]) == (True, 3, [])
    from docmill.cli import app

    words = ["documents", "remove", "--keys", "-", "--collection", "inbox", "--yes"]
    found = CliRunner().invoke(app, words, input="k2\n")
    assert "inbox: 1 document was removed" in found.stdout
    assert "has no documents" in shell("documents", "list", "--collection", "inbox").out


def test_documents_are_removed_by_their_metadata(shell: Shell) -> None:
    with Client() as client:
        client.add_records(
            ({"id": f"k{i}", "text": "t", "year": 2020 + i} for i in range(4)), collection="inbox"
        )
        words = ("--collection", "inbox", "--where", "year >= 2022")
        assert len(shell("documents", "list", *words, "--format", "jsonl").lines) == 2
        assert "2 documents would be removed" in shell("documents", "remove", *words).out
        assert "not by both" in shell("documents", "remove", "k0", *words, status=2).err
        shell("documents", "remove", *words[:3], "year >", status=2)
        shell("documents", "remove", *words, "--yes")
        assert [row["document_key"] for row in client.documents("inbox", where="year > 0")] == ["k0", "k1"]
        assert client.remove(collection="inbox", where="year = 2020", dry_run=False).found.n_documents == 1


def test_what_cannot_be_removed_is_named(shell: Shell, tmp_path: Path) -> None:
    shell.texts("one")
    said = shell("documents", "remove", "k0", "nobody", "--collection", "inbox", status=3)
    assert "there is no document nobody" in said.err
    shell("documents", "remove", "nobody", "--collection", "inbox", status=1)
    assert "say which documents" in shell("documents", "remove", "--collection", "inbox", status=2).err
    (tmp_path / "bad").write_bytes(b"k0\n\xff\n")
    bad = shell("documents", "remove", "--keys", tmp_path / "bad", "--collection", "inbox", status=2)
    assert f"{tmp_path}/bad:2: the keys must be UTF-8" in bad.err
    (tmp_path / "empty").write_text("\n")
    said = shell("documents", "remove", "--keys", tmp_path / "empty", "--collection", "inbox", status=2)
    assert "holds no keys" in said.err
    (tmp_path / "bad").write_text("k0\na\x1bb\n")
    said = shell("documents", "remove", "--keys", tmp_path / "bad", "--collection", "inbox", status=2)
    assert "bad:2" in said.err
    assert "there is no collection" in shell("documents", "remove", "k", "--collection", "no", status=1).err
    assert "there is no collection" in shell("collections", "remove", "no", "--yes", status=1).err
    shell("documents", "show", "nobody", status=1)


def test_a_removal_tells_which_models_and_jobs_had_the_documents(shell: Shell) -> None:
    shell.texts(*[f"text {i}" for i in range(6)], labels=list("abababa")[:6])
    shell.work(shell("train", "gated", "--collection", "inbox", "--model", "m", "--json").json["job"])
    shell.done("oracle", "--collection", "inbox")
    shell.job("oracle", "--collection", "inbox")
    said = shell("documents", "remove", "k0", "--collection", "inbox", "--yes").out
    assert "models were trained on some of them, and stay: m@1" in said
    assert "job 3 (oracle, running) has not ended" in said
    shell.work(3)
    assert "REMOVED" in shell("results", "3", "--errors").out
    for job in (2, 3):
        checked = shell("verify", job, "--json").json
        assert (checked["n_checked"], checked["n_left_out"], checked["differences"]) == (5, 1, [])
    shell("repro", "2", "(removed 1)", status=1)


def test_collections_are_renamed_and_removed(shell: Shell) -> None:
    shell.texts("one")
    assert shell("collections", "rename", "inbox", "새 이름").out == "inbox is now 새 이름\n"
    shell("collections", "rename", "inbox", "other", status=1)
    shell("collections", "rename", "새 이름", " ", status=2)
    shell("collections", "remove", "새 이름", "--yes")
    assert shell("collections", "--json").json == []
    shell.texts("again", collection="새 이름")
    assert shell("collections", "--json").json == [{"collection": "새 이름", "n_documents": 1}]


def test_the_client_removes_too(shell: Shell) -> None:
    shell.texts("one", "two", "three")
    with Client() as client:
        planned = client.remove("k0", "nobody", collection="inbox")
        assert (planned.done, planned.found.n_documents, planned.unknown) == (False, 1, ["nobody"])
        assert client.remove("k0", collection="inbox", dry_run=False).done
        assert [row["document_key"] for row in client.documents("inbox")] == ["k1", "k2"]
        client.rename_collection("inbox", "outbox")
        assert not client.remove_collection("outbox").done
        assert client.remove_collection("outbox", dry_run=False).found.n_documents == 2
        with pytest.raises(NotFoundError):
            client.remove("k1", collection="outbox")
    assert json.loads(shell("collections", "--json").out) == []
