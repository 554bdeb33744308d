"""The table of calls: what each service of docker-compose.yml must answer when everything is up."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.deploy.lab import Lab

#: Asks a page from inside a container, with Flower's password if told to; prints the status and the body.
ASK = """
import os, sys, urllib.error, urllib.request, base64
request = urllib.request.Request(sys.argv[1], method=sys.argv[2], data=b"" if sys.argv[2] == "POST" else None)
if sys.argv[3] == "known":
    login = os.environ["FLOWER_BASIC_AUTH"].encode()
    request.add_header("Authorization", "Basic " + base64.b64encode(login).decode())
try:
    with urllib.request.urlopen(request, timeout=30) as answer:
        print(answer.status, answer.read().decode())
except urllib.error.HTTPError as error:
    print(error.code)
"""


@dataclass(frozen=True)
class Call:
    """One question to one service, and what its answer must be like."""

    what: str
    service: str
    command: tuple[str, ...]
    #: A pattern that the output contains.
    answers: str
    #: Whether the command itself must fail.
    fails: bool = False


def page(
    what: str, service: str, url: str, answers: str, *, method: str = "GET", who: str = "nobody"
) -> Call:
    return Call(what, service, ("python", "-c", ASK, url, method, who), answers)


FLOWER = "http://127.0.0.1:5555"
PAGES = "http://127.0.0.1:8484"
CALLS = (
    Call("the scheduler is alive", "scheduler", ("docmill", "alive", "scheduler"), r"scheduler: alive"),
    Call("the worker is alive", "worker-cpu", ("docmill", "alive", "worker"), r"worker: alive"),
    Call("doctor finds nothing", "scheduler", ("docmill", "doctor"), r"ok\s+store"),
    Call("the store and Redis are those of Compose", "scheduler", ("docmill", "db", "show"), r"postgresql.*docmill"),
    Call("jobs are listed", "scheduler", ("docmill", "status"), r"summarize"),
    Call("Redis answers docmill's user", "redis",
         ("sh", "-c", "REDISCLI_AUTH=$REDIS_PASSWORD redis-cli --user docmill ping"), r"PONG"),
    Call("Redis refuses everybody else", "redis", ("redis-cli", "ping"), r"NOAUTH"),
    Call("PostgreSQL answers", "postgres", ("pg_isready", "--host", "127.0.0.1"), r"accepting connections"),
    Call("the reader cannot write", "postgres",
         ("sh", "-c", "PGPASSWORD=$READER_PASSWORD psql -U reader -h 127.0.0.1 docmill -c 'DELETE FROM outcome' 2>&1"),
         r"read-only transaction|permission denied", fails=True),
    page("Flower is healthy", "flower", f"{FLOWER}/healthcheck", r"^200"),
    page("Flower asks who is there", "flower", f"{FLOWER}/workers", r"^401"),
    page("Flower lets its user in", "flower", f"{FLOWER}/workers", r"^200[\s\S]*docmill", who="known"),
    page("Flower counts tasks for Prometheus", "flower", f"{FLOWER}/metrics", r"^200[\s\S]*flower_"),
    page("Flower stops no worker", "flower", f"{FLOWER}/api/worker/shutdown/x", r"^40[35]", method="POST", who="known"),
    page("the pages are healthy", "pages", f"{PAGES}/health", r"^200 ok"),
    page("the pages ask who is there", "pages", PAGES, r"^200[\s\S]*Sign in"),
    page("the pages take no key that nobody made", "pages", f"{PAGES}/login", r"^4\d\d", method="POST"),
    Call("the user is a plain one", "worker-cpu", ("id", "-u"), r"^10001$"),
    Call("the program cannot be changed", "worker-cpu", ("touch", "/opt/docmill/x"), r"", fails=True),
    Call("the image lists its contents", "scheduler", ("cat", "/opt/docmill/sbom.json"), r'"bomFormat": "CycloneDX"'),
    Call("nothing trimmed is missed", "scheduler", ("python", "/opt/docmill/check"), r"every module can be imported"),
    Call("nothing goes out", "scheduler",
         ("python", "-c", "import socket; socket.create_connection(('192.0.2.1', 443), timeout=3)"), r"", fails=True),
)  # fmt: skip

#: Only with docmill's own metrics.
METRICS = (
    page("the scheduler has metrics", "scheduler", "http://127.0.0.1:9464/metrics", r"^200[\s\S]*docmill_"),
    page("the worker has metrics", "worker-cpu", "http://127.0.0.1:9464/metrics", r"^200[\s\S]*docmill_"),
    Call(
        "the store has metrics",
        "scheduler",
        ("docmill", "metrics", "--once"),
        r"docmill_documents_total\{",
    ),
)


def health_checks(lab: Lab) -> list[Call]:
    """The `healthcheck` of each service that runs, as Docker would call it."""
    calls = []
    for name, service in lab.services.items():
        test = service.get("healthcheck", {}).get("test")
        if test and set(service.get("profiles", ["cpu"])) == {"cpu"}:
            command = test[1:] if test[0] == "CMD" else ["sh", "-c", test[1].replace("$$", "$")]
            calls.append(Call(f"{name} is healthy", name, tuple(command), r""))
    return calls


def fault(lab: Lab, call: Call) -> str | None:
    """What is wrong with the answer, if anything is."""
    done = lab.exec(call.service, *call.command, seconds=120)
    said = done.stdout + done.stderr
    if (done.returncode != 0) != call.fails and "redis-cli" not in call.command:
        return f"exit status {done.returncode}: {said[-300:]}"
    return None if re.search(call.answers, said, re.M) else f"answered {said[:300]!r}"


def all_calls(lab: Lab) -> list[Call]:
    has_metrics = lab.exec("scheduler", "docmill", "metrics", "--help").returncode == 0
    return [*health_checks(lab), *CALLS, *(METRICS if has_metrics else ())]


def ask_all(lab: Lab, say: Callable[[str], None]) -> int:
    """Prints the table; returns the number of faults."""
    n_faults = 0
    for call in all_calls(lab):
        wrong = fault(lab, call)
        n_faults += wrong is not None
        say(
            f"  {'ok   ' if wrong is None else 'FAULT'} {call.service:<11} {call.what}{f': {wrong}' if wrong else ''}"
        )
    return n_faults


def components(lab: Lab) -> int:
    """How many libraries the image says it has."""
    return len(json.loads(lab.exec("scheduler", "cat", "/opt/docmill/sbom.json").stdout)["components"])
