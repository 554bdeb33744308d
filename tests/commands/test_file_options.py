"""add, train --labels, train --pairs and evaluate --references read the same files, and say what was found."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.conftest import Shell
from tests.db.builders import sql

KEYS = ("문서1", "문서2")
VALUES = ("좋다는 글이다", "싫다는 글이다")
COMMANDS = {
    "documents": (("id", "text"), "add {file} --collection new"),
    "labels": (("key", "label"), "train classify --collection inbox --labels {file}"),
    "references": (("id", "summary"), "evaluate {job} --references {file}"),
    "pairs": (("id", "text", "summary"), "train summarizer --collection inbox --pairs {file}"),
}
FORMS = {
    "CP949": ("cp949", ",", "read as CP949"),
    "semicolons": ("utf-8", ";", "read with a semicolon between the fields"),
    "UTF-16 with tabs": ("utf-16", "\t", "read as UTF-16, with a tab between the fields"),
    "UTF-16 without a mark": ("utf-16-be", ",", "read as UTF-16-BE"),
    "CP949 with bars": ("cp949", "|", "read as CP949, with a vertical bar between the fields"),
}


@pytest.fixture
def inbox(shell: Shell, tmp_path: Path) -> Shell:
    """Two documents, labelled, with Korean keys, and job 1, their summaries."""
    (tmp_path / "inbox.csv").write_text(
        "".join(
            f"{a},{b},{c}\n"
            for a, b, c in zip(("id", *KEYS), ("text", *VALUES), ("label", "x", "y"), strict=True)
        )
    )
    shell("add", tmp_path / "inbox.csv", "--collection", "inbox")
    assert shell.done("summarize", "--collection", "inbox") == 1
    return shell


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("asked", [False, True])
def test_a_file_is_read_by_every_command(
    inbox: Shell, tmp_path: Path, command: str, form: str, asked: bool
) -> None:
    names, words = COMMANDS[command]
    encoding, mark, notice = FORMS[form]
    rows = [names, *((key, *[value] * (len(names) - 1)) for key, value in zip(KEYS, VALUES, strict=True))]
    file = tmp_path / "given.csv"
    file.write_bytes("".join(mark.join(row) + "\n" for row in rows).encode(encoding))
    options = ["--encoding", encoding, "--delimiter", mark.replace("\t", "tab")] if asked else []

    said = inbox(*words.format(file=file, job=1).split(), *options, "--json")

    assert (f"{file}: {notice}\n" in said.err + said.out) is (not asked and command != "documents")
    if command == "documents":
        assert [each["detail"] for each in said.json["notices"]] == (
            []
            if asked and form != "UTF-16 with tabs"
            else [notice.partition(", with")[0] if asked else notice]
        )
        assert sql(inbox.store, "SELECT COUNT(*) FROM v_latest_summary") == [(2,)]
        assert said.json["new"] == 2
    elif command == "labels":
        assert "the labels of 2 documents were set\n" in said.err
    elif command == "references":
        assert "2 references, 2 of documents in inbox, 0 bad" in said.err
    else:
        assert "inbox: 0 new, 2 changed, 0 unchanged" in said.err


def test_a_label_file_may_be_json_and_keys_lose_their_blanks(inbox: Shell, tmp_path: Path) -> None:
    file = tmp_path / "labels.json"
    file.write_text('[{"doc": {"key": " 문서1"}, "tag": ["b", "a"]}, {"doc": {"key": "문서2 "}, "tag": "c"}]')
    words = ("train", "classify", "--collection", "inbox", "--labels", file, "--json")
    said = inbox(*words, "--key-field", "doc.key", "--label-field", "tag")
    assert "the labels of 2 documents were set\n" in said.err
    rows = "SELECT document_key, label FROM given_label ORDER BY document_key, label"
    assert sql(inbox.store, rows) == [("문서1", "a"), ("문서1", "b"), ("문서2", "c")]


def test_labels_from_a_query_keep_keys_as_the_store_has_them(shell: Shell) -> None:
    from db.documents import NewDocument
    from tests.db.builders import add

    add(shell.store, [NewDocument(" 1", "a text", None, "f"), NewDocument("2", "more", None, "f")], "inbox")
    query = "SELECT key, 'x' FROM document"
    said = shell("train", "classify", "--collection", "inbox", "--labels-sql", query, "--json")
    assert "the labels of 2 documents were set\n" in said.err


def test_what_is_about_a_whole_file_is_shown_before_its_lines(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b"id,text\n" + b'k","\n' * 250)
    assert "BROKEN_QUOTING" in shell("add", file, "--collection", "new", status=1).err.splitlines()[0]


def test_many_notices_are_counted(shell: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    for n in range(25):
        (folder / f"{n}.txt").write_bytes("이것은 어느 날의 글이다".encode("cp949"))
    said = shell("add", folder, "--collection", "new")
    assert said.err.count("read as CP949") == 20
    assert "and 5 more such notes" in said.err
