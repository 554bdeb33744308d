"""`python -m readers.extraction FILE...` as people see it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from readers.extraction.__main__ import main
from readers.extraction.records import CODES
from tests.readers.extraction import builders as make

ROOT = Path(__file__).parents[3]


def test_it_prints_what_is_found_and_what_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.docx").write_bytes(make.docx(make.ENGLISH, heading="Title"))
    (tmp_path / "b.zip").write_bytes(make.zipped({"x.txt": make.KOREAN, "y.pdf": make.encrypted_pdf()}))
    (tmp_path / "c.pdf").write_bytes(make.scanned_pdf())

    status = main([str(tmp_path / name) for name in ("a.docx", "b.zip", "c.pdf", "missing")])

    printed = capsys.readouterr()
    assert status == 1
    assert "title: Title" in printed.out
    assert "y.pdf: ENCRYPTED: the PDF asks for a password" in printed.out
    assert "c.pdf: SCANNED_NO_TEXT" in printed.err
    assert "missing: [Errno 2]" in printed.err


def test_it_prints_the_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.docx"
    path.write_bytes(make.docx(make.KOREAN, table=[["a", "b"], ["c", "d"]]))
    assert main(["--text", str(path)]) == 0
    assert capsys.readouterr().out == f"{make.KOREAN}\na\tb\nc\td\n"


def test_the_tests_have_what_the_extra_has() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert set(declared["project"]["optional-dependencies"]["files"]) <= set(
        declared["dependency-groups"]["dev"]
    )


def test_every_code_stands_in_the_docs() -> None:
    page = (ROOT / "docs/extraction.md").read_text()
    source = "".join(path.read_text() for path in (ROOT / "readers/extraction").rglob("*.py"))
    warnings = set(re.findall(r'warn\(\s*"([A-Z_]+)"', source))
    assert len(warnings) > 10
    assert {code for code in (*warnings, *CODES) if f"`{code}`" not in page} == set()
