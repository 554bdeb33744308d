"""From documents to results over HTTP."""

from __future__ import annotations

import json

from tests.web.api.conftest import Program


def test_documents_go_in_and_a_job_comes_out(program: Program) -> None:
    lines = "".join(json.dumps({"id": f"k{n}", "text": f"text {n}"}) + "\n" for n in range(5))
    told = program.add("inbox", lines + "{broken\n" + '{"id": "x"}\n')
    assert (told["n_new"], told["n_bad"]) == (5, 2)
    assert [bad["line"] for bad in told["bad"]] == [6, 7]
    job = program.tell("/jobs", {"kind": "oracle", "collection": "inbox"}, 201)
    assert job == {"id": job["id"], "n_documents": 5, "created": True}
    whole = program.ask(f"/jobs/{job['id']}")
    assert whole["state"] == "running"
    assert program.ask("/jobs")["data"][0]["id"] == job["id"]
    assert program.ask(f"/jobs/{job['id']}/results")["data"] == []
    assert program.ask("/openapi.json")["openapi"] == "3.1.0"
