"""After a job whose runner quotes texts in its errors: no secret and no text anywhere but in the store."""

from __future__ import annotations

import json
from pathlib import Path

import psutil
import pytest

from tests.security.conftest import FAILING, TEXTS
from tests.security.production import BODY, CANARY, Production, listeners
from tests.servers import until

SECRETS = (CANARY.encode(), BODY.encode())


def test_the_texts_are_in_the_store_and_in_its_outcomes(production: Production) -> None:
    """Or the searches below would find nothing for the wrong reason."""
    texts = production.rows("SELECT text FROM document")
    codes = dict(production.rows("SELECT error_code, error_detail FROM v_failures WHERE job_id = 1"))

    assert sum(BODY in text for (text,) in texts) == len(TEXTS) + len(FAILING)
    assert set(codes) == {"RUNNER_ERROR", "REFUSED", "BAD_RESULT"}
    assert BODY in codes["RUNNER_ERROR"]


def test_no_log_and_no_other_file_holds_a_secret_or_a_text(production: Production) -> None:
    found = {
        f"{Path(name).name}: {line.decode()}"
        for name, content in production.written().items()
        for line in content.split(b"\n")
        if any(secret in line for secret in SECRETS)
    }

    assert found == set()


def test_no_command_line_holds_a_secret(production: Production) -> None:
    assert production.redis.process is not None
    processes = [*production.processes(), psutil.Process(production.redis.process.pid)]

    assert len(processes) >= 6  # Redis, the scheduler, the launcher, Celery, its child, Flower
    assert not [words for words in (" ".join(process.cmdline()) for process in processes) if CANARY in words]


def test_redis_never_held_a_secret_or_a_text(production: Production) -> None:
    written = production.redis.everything_ever_written()

    assert b"docmill.run_chunk" in written
    assert not [secret for secret in SECRETS if secret in written]


def test_flower_shows_no_secret_and_no_text(production: Production) -> None:
    """Every page and every answer that can be read."""
    workers = json.loads(production.ask_flower("/api/workers?refresh=1")[1])
    tasks = json.loads(production.ask_flower("/api/tasks")[1])
    task = next(iter(tasks))
    paths = [
        "/", "/workers", "/tasks", "/broker", "/metrics", "/api/workers", "/api/tasks", "/api/task/types",
        "/api/queues/length", f"/api/task/info/{task}", f"/task/{task}", *(f"/worker/{name}" for name in workers),
    ]  # fmt: skip

    answers = {path: production.ask_flower(path) for path in paths}

    assert workers
    # Failed tasks have an exception and a traceback, which are searched too.
    failed = next(key for key, known in json.loads(production.ask_flower("/api/tasks?state=FAILURE")[1]).items()
                  if "job 2," in known["args"])  # fmt: skip
    answers[f"/task/{failed}"] = page = production.ask_flower(f"/task/{failed}")
    assert "3 documents: 0 ok, 3 errors" in page[1]
    assert {path: status for path, (status, _) in answers.items() if status != 200} == {}
    assert not [path for path, (_, body) in answers.items() if CANARY in body or BODY in body]


# --- Flower itself --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("password", [None, "", "wrong"])
@pytest.mark.parametrize("path", ["/", "/workers", "/tasks", "/broker", "/api/workers", "/api/tasks"])
def test_flower_lets_nobody_in_without_the_password(
    production: Production, path: str, password: str | None
) -> None:
    assert production.ask_flower(path, password)[0] == 401


def test_flower_changes_nothing(production: Production) -> None:
    worker = until(
        lambda: next(iter(json.loads(production.ask_flower("/api/workers?refresh=1")[1])), None),
        "Flower's workers",
    )
    before = production.children()
    posts: dict[str, dict[str, str]] = {
        f"/api/worker/shutdown/{worker}": {},
        f"/api/worker/pool/restart/{worker}": {},
        f"/api/worker/pool/grow/{worker}": {"n": "1"},
        f"/api/worker/pool/shrink/{worker}": {"n": "1"},
        f"/api/worker/pool/autoscale/{worker}": {"min": "1", "max": "2"},
        f"/api/worker/queue/add-consumer/{worker}": {"queue": "other"},
        f"/api/worker/queue/cancel-consumer/{worker}": {"queue": "docmill.leaky"},
        "/api/task/apply/docmill.run_chunk": {},
        "/api/task/async-apply/docmill.run_chunk": {},
        "/api/task/send-task/docmill.run_chunk": {},
        "/api/task/abort/1": {},
        "/api/task/revoke/1": {},
        "/api/task/timeout/docmill.run_chunk": {"workername": worker, "hard": "1"},
        "/api/task/rate-limit/docmill.run_chunk": {"workername": worker, "ratelimit": "1"},
    }

    statuses = {path: production.ask_flower(path, form=form)[0] for path, form in posts.items()}

    assert set(statuses.values()) == {403}
    assert production.children() == before


def test_flower_is_on_loopback_alone(production: Production) -> None:
    assert production.flower is not None
    assert listeners([production.flower.pid]) == {f"127.0.0.1:{production.flower_port}"}
