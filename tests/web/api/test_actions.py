"""What programs do: jobs and their results, models, labels, schedules, collections."""

from __future__ import annotations

import io
import json

import pyarrow.parquet as pq

from db import model_versions
from db.gates import Judged, Judgement
from db.store import Store
from db.tables import Job
from tests.db.builders import chunks_of, sql
from tests.web.api.conftest import Program, finish, lines


def _job(program: Program, n: int = 7) -> int:
    program.add("inbox", lines(n))
    return int(program.tell("/jobs", {"kind": "oracle", "collection": "inbox"}, 201)["id"])


def test_a_job_is_paused_resumed_moved_up_cancelled_and_retried(program: Program, store: Store) -> None:
    job = _job(program)
    assert program.tell(f"/jobs/{job}/pause")["state"] == "paused"
    assert program.tell(f"/jobs/{job}/pause")["state"] == "paused"
    assert program.tell(f"/jobs/{job}/resume")["state"] == "running"
    answer = program.patch(f"/v1/jobs/{job}", json={"priority": 9})
    assert program.told(answer, 200)["priority"] == 9
    assert {chunk.priority for chunk in chunks_of(store, job)} == {9}
    assert "is running: wait" in program.tell(f"/jobs/{job}/retry", {}, 409)["detail"]
    finish(store, job)
    whole = program.ask(f"/jobs/{job}")
    assert (whole["state"], whole["n_ok"], whole["n_error"], whole["share"]) == ("finished", 5, 2, 1.0)
    assert whole["submitter"] == "a operate key"
    assert program.tell(f"/jobs/{job}/cancel", {}, 409)["detail"].startswith(f"job {job} is finished")
    assert program.told(program.patch(f"/v1/jobs/{job}", json={"priority": 1}), 409)
    again = program.tell(f"/jobs/{job}/retry", {"where": "year = 3"}, 201)
    assert again["n_documents"] == 1
    assert program.tell(f"/jobs/{job}/retry", {"where": "year = 5"}, 409)["type"].endswith("nothing-to-do")
    assert program.tell(f"/jobs/{again['id']}/cancel")["state"] == "cancelling"
    found = program.ask("/jobs?state=open")["data"]
    assert [line["id"] for line in found] == [again["id"]]
    assert [line["id"] for line in program.ask("/jobs?state=failing&kind=oracle")["data"]] == [job]


def test_results_come_page_by_page_in_four_formats(program: Program, store: Store) -> None:
    job = _job(program, 12)
    path = f"/jobs/{job}/results"
    before = program.ask(path)
    assert (before["data"], before["job_state"], before["next"]) == ([], "running", None)
    finish(store, job)
    whole = program.ask(path)
    assert (len(whole["data"]), whole["job_state"], whole["next_after"]) == (10, "finished", None)
    assert whole["data"][0] == {
        "document_key": "k0", "rank": 1, "label": "label of k0", "score": 0.5, "reason": None,
    }  # fmt: skip
    pages, at = [], f"/v1{path}?limit=3"
    while at is not None:
        told = program.told(program.get(at), 200)
        pages.append(told["data"])
        at = told["next"]
    assert [len(page) for page in pages] == [3, 3, 3, 1]
    assert [row for page in pages for row in page] == whole["data"]
    answer = program.get(f"/v1{path}?format=jsonl&limit=3")
    assert [json.loads(line) for line in answer.text.splitlines()] == pages[0]
    assert answer.headers["docmill-job-state"] == "finished"
    link = answer.headers["link"]
    second = program.get(link[1 : link.index(">")])
    assert [json.loads(line) for line in second.text.splitlines()] == pages[1]
    table = program.get(f"/v1{path}?format=csv&limit=2")
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    assert table.text.splitlines()[:2] == [
        '"document_key","rank","label","score","reason"', '"k0",1,"label of k0",0.5,',
    ]  # fmt: skip
    parquet = program.get(f"/v1{path}?format=parquet")
    assert pq.read_table(io.BytesIO(parquet.content)).to_pylist() == whole["data"]
    failed = program.ask(f"/jobs/{job}/errors?limit=1")
    assert failed["data"] == [
        {
            "document_key": "k3",
            "error_code": "TOO_ODD",
            "error_detail": "it is too odd",
            "source": "request:4",
        }
    ]
    rest = program.told(program.get(failed["next"]), 200)
    assert [row["document_key"] for row in rest["data"]] == ["k4"]
    assert rest["next"] is None
    assert program.ask(f"/jobs/{job}/errors?code=OTHER")["data"] == []
    assert "choose one of classification" in program.ask(f"{path}?table=none", 422)["detail"]


def test_documents_are_listed_read_and_removed(program: Program) -> None:
    program.add("inbox", lines(5) + json.dumps({"id": "a/b c?", "text": "of a folder"}) + "\n")
    first = program.ask("/collections/inbox/documents?limit=4")
    assert [line["document_key"] for line in first["data"]] == ["k0", "k1", "k2", "k3"]
    rest = program.told(program.get(first["next"]), 200)
    assert [line["document_key"] for line in rest["data"]] == ["k4", "a/b c?"]
    chosen = program.ask("/collections/inbox/documents", params={"where": "year >= 3"})["data"]
    assert [(line["document_key"], line["meta"]) for line in chosen] == [
        ("k3", {"year": 3}),
        ("k4", {"year": 4}),
    ]
    found = program.ask("/collections/inbox/documents/a%2Fb%20c%3F")
    assert (found["text"], found["collection"], found["outcomes"]) == ("of a folder", "inbox", [])
    gone = program.delete("/v1/collections/inbox/documents/a%2Fb%20c%3F")
    assert (gone.json()["removed"], gone.json()["n_documents"]) == (False, 1)
    gone = program.delete("/v1/collections/inbox/documents/a%2Fb%20c%3F", params={"dry_run": "false"})
    assert (gone.json()["removed"], gone.json()["n_documents"]) == (True, 1)
    program.ask("/collections/inbox/documents/a%2Fb%20c%3F", 404)
    assert program.delete("/v1/collections/inbox/documents/none").status_code == 404
    some = program.tell("/collections/inbox/removals", {"keys": ["k0", "k1", "none"], "dry_run": False})
    assert (some["n_documents"], some["unknown"], some["removed"]) == (2, ["none"], True)
    assert program.tell("/collections/inbox/removals", {"where": "year = 4"})["n_documents"] == 1
    program.tell("/collections/inbox/removals", {}, 422)
    assert program.ask("/collections/inbox")["n_documents"] == 3
    assert (
        program.told(program.patch("/v1/collections/inbox", json={"name": "news"}), 200)["collection"]
        == "news"
    )
    assert [each["collection"] for each in program.ask("/collections?limit=1")["data"]] == ["news"]
    assert program.delete("/v1/collections/news").json()["removed"] is False
    assert program.delete("/v1/collections/news?dry_run=false").json()["removed"] is True
    assert program.ask("/collections")["data"] == []


def test_labels_are_given_listed_and_taken_away(program: Program) -> None:
    program.add("inbox", lines(4))
    at = "/v1/collections/inbox/documents/k1/label"
    assert program.told(program.put(at, json={"label": ["news", "sport"]}), 200)["labels"] == [
        "news",
        "sport",
    ]
    assert program.told(program.put(at, json={"label": "news"}), 200)["labels"] == ["news"]
    assert program.told(program.put(at, json={"label": []}), 200)["labels"] == []
    assert program.told(program.put(at, json={"label": "\x07"}), 422)["errors"][0]["pointer"] == "/label"
    assert program.put("/v1/collections/inbox/documents/k9/label", json={"label": "x"}).status_code == 404
    given = [{"key": "k2", "label": "a"}, {"key": "k3", "label": ["b", "c"]}, {"key": "k9", "label": "d"}]
    told = program.tell("/collections/inbox/labels", {"labels": given})
    assert (told["n_given"], told["unknown"]) == (2, ["k9"])
    wrong = program.tell(
        "/collections/inbox/labels",
        {"labels": [{"key": "k2", "label": "x"}, {"key": " ", "label": "x"}]},
        422,
    )
    assert wrong["errors"][0]["pointer"] == "/labels/1"
    first = program.ask("/labels?collection=inbox&limit=2")
    rest = program.told(program.get(first["next"]), 200)
    found = [(line["document_key"], line["rank"], line["label"]) for line in first["data"] + rest["data"]]
    assert found == [("k1", 1, None), ("k2", 1, "a"), ("k3", 1, "b"), ("k3", 2, "c")]
    assert program.told(program.delete(at), 200)["labels"] == []
    assert "GET /v1/labels" in program.told(program.delete(at), 404)["detail"]


def test_schedules_are_added_run_paused_and_removed(program: Program, store: Store) -> None:
    program.add("inbox", lines(3))
    wanted = {
        "name": "nightly", "cron": "0 2 * * *", "time_zone": "Asia/Seoul", "deadline": "07:00", "overlap": "queue",
        "jobs": [{"kind": "oracle", "collection": "inbox", "only_new": True}],
    }  # fmt: skip
    made = program.tell("/schedules", wanted, 201)
    assert (made["overlap"], made["deadline"], made["runs"], made["paused"]) == ("queue", "07:00", [], None)
    assert program.tell("/schedules", wanted, 409)["type"].endswith("conflict")
    for change, status in (({"cron": "every day"}, 422), ({"time_zone": "Mars"}, 422), ({"deadline": "25:00"}, 422),
                           ({"jobs": [{"kind": "none", "collection": "inbox"}]}, 422), ({"name": " x"}, 422),
                           ({"jobs": [{"kind": "oracle", "collection": "none"}]}, 404),
                           ({"catchup": "none", "catchup_within_seconds": 5}, 422)):  # fmt: skip
        program.tell("/schedules", wanted | {"name": "other"} | change, status)
    ran = program.tell("/schedules/nightly/run", {}, 201)
    assert [line["id"] for line in program.ask("/jobs")["data"]] == ran["jobs"]
    assert sql(store, "SELECT submitter FROM job")[0].submitter == "a operate key"
    assert program.ask("/schedules/nightly")["runs"][0]["cause"] == "hand"
    assert program.tell("/schedules/nightly/pause")["paused"] == "paused by a operate key"
    assert program.ask("/schedules")["data"][0]["next_at"] is None
    assert program.tell("/schedules/nightly/resume")["paused"] is None
    assert program.told(program.delete("/v1/schedules/nightly"), 200)["name"] == "nightly"
    program.ask("/schedules/nightly", 404)


def test_models_are_told_as_openais_clients_want_them_promoted_and_rolled_back(
    program: Program, store: Store
) -> None:
    program.add("inbox", lines(3))
    for quality in (0.5, 0.4):
        body = {
            "kind": "train-gated",
            "collection": "inbox",
            "model": "m",
            "parameters": {"quality": quality},
        }
        job = program.tell("/jobs", body, 201)["id"]
        _register(store, job, passed=quality == 0.5)
    found = program.ask("/models")
    assert (found["object"], [one["id"] for one in found["data"]]) == ("list", ["m@2", "m@1"])
    one = program.ask("/models/m")
    assert (one["id"], one["object"], one["owned_by"], one["aliases"]) == (
        "m@1",
        "model",
        "docmill",
        ["champion"],
    )
    assert isinstance(one["created"], int)
    assert one["metrics"] == {"quality": 0.5}
    refused = program.tell("/models/m@2/promote", {}, 409)["detail"]
    assert 'with "force": true it is promoted' in refused
    assert program.tell("/models/m@2/promote", {"force": True})["aliases"] == ["champion"]
    assert program.tell("/models/m/rollback")["id"] == "m@1"
    assert program.ask("/models/m@champion")["id"] == "m@1"
    assert program.ask("/models?model=none", 404)
    program.ask("/models/m@9", 404)
    kinds = {kind["kind"]: kind for kind in program.ask("/kinds")["data"]}
    assert kinds["oracle"]["parameters"]["properties"]["batch"]["default"] == 32
    assert kinds["oracle"]["tables"] == ["classification"]
    assert program.ask("/kinds/train-gated")["trains"] is True


def _register(store: Store, job_id: int, *, passed: bool) -> None:
    """What a worker does once it has trained a model."""
    with store.write() as session:
        champion = model_versions.champion(session, "m")
        quality = session.get_one(Job, job_id).parameters["quality"]
        figure = Judged("quality", quality, at_least=0.5, at_most=None, passed=passed)
        judgement = Judgement(champion.id, [figure]) if champion is not None else None
        model_versions.register(session, job_id, f"m/{job_id}", "0" * 64, {"quality": quality}, judgement)
