"""The OpenAPI document: valid, whole, and what any client makes of it gets only answers that it declares."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, given
from schemathesis import checks

from db.store import Store
from docmill.web.api.openapi import document
from docmill.web.api.rate import Buckets
from docmill.web.api.routes import operations
from tests.db.builders import sql
from tests.web.api.conftest import Program, Served, finish, lines, with_key

#: It never ends.
ENDLESS = "/v1/events"
ANSWERS = [
    checks.not_a_server_error, checks.status_code_conformance, checks.content_type_conformance,
    checks.response_headers_conformance, checks.response_schema_conformance, checks.negative_data_rejection,
]  # fmt: skip


def test_every_operation_is_described() -> None:
    paths = document()["paths"]
    for one in operations():
        told = paths["/v1" + one.path][one.method.lower()]
        assert told["operationId"] == one.name
        assert told["summary"].endswith("."), one.name
        assert {"401", "403", "422", "429", "503"} <= set(told["responses"])
        names = ("{" in one.path or one.name in KNOW_NAMES) and one.name != "add_documents"
        assert ("404" in told["responses"]) == names, one.name
    assert len({one.name for one in operations()}) == len(operations())
    schemas = document()["components"]["schemas"]
    for name in re.findall(r"#/components/schemas/([^\"']+)", str(document())):
        assert name in schemas


#: What `make test` tries: building what to send takes longest.
FEW = {"submit_job", "list_results", "set_label", "remove_documents", "get_document"}
#: Operations that name something in their query or body.
KNOW_NAMES = {"submit_job", "add_schedule", "list_models", "list_labels", "search"}


def test_whatever_the_description_allows_is_answered_as_it_declares(sqlite_store: Store) -> None:
    with with_key(sqlite_store) as program:
        _fill(program, sqlite_store)
        _ask_whatever(program, 2, FEW)


@pytest.mark.long
def test_much_of_what_the_description_allows_is_answered_as_it_declares(
    program: Program, store: Store
) -> None:
    _fill(program, store)
    _ask_whatever(program, 60)


@pytest.mark.long
def test_schemathesis_finds_no_server_error_and_no_undeclared_answer(
    served: Served, store: Store, tmp_path: Path
) -> None:
    served.app.state.buckets = Buckets(0)
    program = with_key(store)
    _fill(program, store)
    command = [
        Path(sys.executable).parent / "st", "run", f"http://127.0.0.1:{served.port}/v1/openapi.json",
        "--header", f"Authorization: {program.headers['authorization']}", "--exclude-path", ENDLESS,
        # A description cannot say which names exist, nor what a selection or a cursor is.
        "--exclude-checks", "positive_data_acceptance", "--phases", "examples,coverage,fuzzing,stateful",
        "--max-examples", "20", "--suppress-health-check", "all", "--seed", "1", "--warnings", "off",
    ]  # fmt: skip
    said = subprocess.run([*map(str, command)], capture_output=True, text=True, cwd=tmp_path)
    assert said.returncode == 0, said.stdout[-5_000:]


def _fill(program: Program, store: Store) -> None:
    """Something for each operation to find."""
    program.add("inbox", lines(6))
    finish(store, program.tell("/jobs", {"kind": "oracle", "collection": "inbox"}, 201)["id"])
    body: Any = {"name": "0", "cron": "@daily", "jobs": [{"kind": "oracle", "collection": "inbox"}]}
    program.tell("/schedules", body, 201)
    program.put("/v1/collections/inbox/documents/k1/label", json={"label": "a"})
    assert sql(store, "SELECT count(*) AS n FROM outcome")[0].n == 6


def _ask_whatever(program: Program, n: int, names: Collection[str] = ()) -> None:
    schema = schemathesis.openapi.from_dict(document())
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path != ENDLESS and (not names or operation.definition.raw["operationId"] in names):
            _ask(program, operation, n)


def _ask(program: Program, operation: Any, n: int) -> None:
    @hypothesis.settings(
        max_examples=n,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        sent = case.as_transport_kwargs(base_url="http://localhost")
        answer = program.request(
            sent["method"], sent["url"], params=sent.get("params"), json=sent.get("json"), content=sent.get("data"),
            headers={name: value for name, value in dict(sent.get("headers") or {}).items() if value is not None},
        )  # fmt: skip
        assert answer.status_code < 500, answer.text
        case.validate_response(answer, checks=ANSWERS)

    ask()
