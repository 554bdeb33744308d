"""The layers that serve every kind name none: no kind, no result table and no parameter of one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from db.tables import result
from nlp_tasks.registry import KINDS

ROOT = Path(__file__).parents[2]
#: Commands and verbs about the results of particular kinds.
PARTICULAR = {
    "docmill/commands/evaluating.py",
    "docmill/commands/similar.py",
    # Files are registered for one kind: the one that extracts their texts.
    "docmill/commands/adding_files.py",
    "docmill/commands/documents.py",
    "docmill/commands/watching_folders.py",
    "scheduler/files.py",
    "scheduler/source_rows.py",
    # A night extracts what its sources hold, and exports the view of each kind.
    "scheduler/nights/exporting.py",
    "scheduler/nights/steps.py",
    # A search filters by labels, and uses the vectors of one kind.
    "docmill/commands/searching.py",
    "docmill/web/api/search.py",
    "scheduler/search/finding.py",
    "scheduler/search/nearest.py",
    "scheduler/search/query_vectors.py",
    # Vectors of words are asked for, and exported, by commands of their own.
    "docmill/commands/words.py",
    "scheduler/words.py",
    "scheduler/exports/word_vectors.py",
    # Models that are imported are encoders, with the figures of one.
    "docmill/commands/importing_models.py",
    "docmill/commands/model_figures.py",
    "scheduler/importing.py",
    # The page of a document shows what each kind found.
    "docmill/web/views/documents.py",
    "docmill/web/facts_of_documents.py",
}
GENERIC = [
    path.relative_to(ROOT).as_posix()
    for folder in ("docmill", "scheduler", "workers")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if not {"pages", "demo"} & set(path.parts) and path.relative_to(ROOT).as_posix() not in PARTICULAR
] + [
    "db/results.py",
    *sorted(
        str(path.relative_to(ROOT))
        for folder in ("db/chunks", "db/jobs")
        for path in (ROOT / folder).glob("*.py")
    ),
]
#: Words that mean something without any kind: "the summary of a kind", "the query of a user".
PLAIN = {
    "summary", "keyword", "query", "search", "method", "evidence", "position", "threshold", "references", "sentences",
    "terms", "seed", "job", "labels", "sample", "gate", "width", "window",
    "tables", "scope", "seconds", "pages", "chars", "memory", "html", "rules", "long", "field", "redact", "iterations",
    "records", "text_field", "key_field", "label_field", "encoding", "delimiter", "markup", "steps",
    "prompt", "system", "words", "units", "chat", "model", "stop", "schema", "example", "examples", "server", "timeout",
}  # fmt: skip
#: Examples in help texts and error messages.
ALLOWED = {
    # An element of HTML.
    ("docmill/web/static_copy/rewriting.py", "embed"),
    ("docmill/commands/submitting.py", "summarizer"),
    ("scheduler/nights/definition.py", "summarize"),
}
NAMES = set(KINDS) | {name.removeprefix("train-") for name in KINDS}
PARAMETERS = {
    field.name for kind in KINDS.values() for field in fields(kind.parameters) if len(field.name) > 3
}
TABLES = result.by_job() | {row.table for kind in KINDS.values() for row in (*kind.rows, *kind.figure_rows)}
#: The rows of `Stage.vectors` are part of the contract.
TABLES -= {"document_vector"}
FORBIDDEN = (NAMES | PARAMETERS | TABLES) - PLAIN
#: Classes of result tables, and kinds by their constants.
CLASSES = {
    mapper.class_.__name__ for mapper in result.Base.registry.mappers if mapper.local_table.name in TABLES
}


def found(path: str) -> Iterator[tuple[int, str]]:
    """(line, name) for each forbidden word in a string that is no docstring, and each class of a result table."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            for word in re.findall(r"[a-z][a-z0-9_-]*", node.value):
                if word in FORBIDDEN:
                    yield node.lineno, word
        elif isinstance(node, ast.Name | ast.alias) and (
            name := getattr(node, "id", "") or getattr(node, "name", "")
        ):
            if name in CLASSES:
                yield node.lineno, name
            if name.startswith("nlp_tasks.") and name.split(".")[1] in NAMES | {
                "classification",
                "summarization",
            }:
                yield node.lineno, name
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("nlp_tasks."):
            if node.module.split(".")[1] in NAMES | {"classification", "summarization", "evaluation"}:
                yield node.lineno, node.module
        elif isinstance(node, ast.Attribute) and node.attr in FORBIDDEN & PARAMETERS:
            yield node.lineno, node.attr


@pytest.mark.parametrize("path", GENERIC)
def test_a_generic_layer_names_no_kind(path: str) -> None:
    assert [each for each in found(path) if (path, each[1]) not in ALLOWED] == []


def test_what_is_allowed_is_needed() -> None:
    assert {(path, name) for path, name in ALLOWED if any(name == each for _, each in found(path))} == ALLOWED


def test_names_are_found_where_they_are() -> None:
    assert {name for _, name in found("docmill/pages/summaries.py")} >= {"summarize"}
    assert {name for _, name in found("docmill/commands/evaluating.py")} >= {"summarize"}
    assert {name for _, name in found("docmill/demo/tour.py")} >= {"train-similarity", "vector_size"}
