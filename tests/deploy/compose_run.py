"""docker-compose.yml under fire: `make compose-test`.

1. The image is built and its size measured.
2. A job of 10,000 documents runs while each container is killed once; every document has exactly one outcome.
3. Every service answers as it should (tests/deploy/calls.py).
4. Another such job runs while the image is replaced: first that of the newest commit with an older schema, then this
   one's, which migrates the store.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.deploy import calls
from tests.deploy.lab import Lab, before_migration, checkout, missing

KILLED = ("worker-cpu", "redis", "scheduler", "postgres", "flower", "pages")
#: Of python:3.11-slim, which cannot be measured where a stand-in is used: what Docker says, rounded up.
BASE_MEGABYTES = 135
MOST_MEGABYTES = 1200
WORDS = [
    a + b
    for a in ("ba", "de", "ki", "lo", "mu", "na", "po", "ra", "si", "te")
    for b in ("ran", "mil", "tok", "sel", "vin", "dor")
]


def say(words: str) -> None:
    print(words, flush=True)


def write_documents(path: Path, n: int) -> None:
    """Texts of 120 sentences, all different: tens of milliseconds of work each."""
    dice = random.Random(15)
    with path.open("w") as file:
        for key in range(n):
            sentences = (" ".join(dice.choices(WORDS, k=9)).capitalize() + "." for _ in range(120))
            file.write(json.dumps({"key": f"{path.stem}-{key}", "text": " ".join(sentences)}) + "\n")


def write_settings(folder: Path, documents: Path) -> None:
    """.env as `make env` writes it, with a short lease, so that a lost worker costs seconds."""
    example = (folder / ".env.example").read_text()
    text = subprocess.run(
        [sys.executable, folder / "deploy" / "passwords"],
        input=example,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    quick = {
        "DOCUMENTS": str(documents),
        "DOCMILL_LEASE_SECONDS": "15",
        "CPU_WORKERS": "2",
        "FLOWER_PORT": "15555",
        "PAGES_PORT": "18484",
    }
    (folder / ".env").write_text(text + "".join(f"{name}={value}\n" for name, value in quick.items()))
    (folder / ".env").chmod(0o600)


def until(condition: Callable[[], bool], what: str, seconds: float = 900) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except (ConnectionError, ChildProcessError, ValueError):
            # Its container was just killed, or the server in it is starting.
            pass
        if time.monotonic() > end:
            sys.exit(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(1)


def start(lab: Lab) -> float:
    """Seconds until everything answers."""
    began = time.monotonic()
    lab.up()
    until(
        lambda: lab.exec("scheduler", "docmill", "alive", "scheduler").returncode == 0,
        "a scheduler that is alive",
    )
    until(
        lambda: lab.exec("worker-cpu", "docmill", "alive", "worker").returncode == 0, "a worker that is alive"
    )
    return time.monotonic() - began


def submit(lab: Lab, collection: str) -> int:
    lab.docmill("add", f"/documents/{collection}.jsonl", "--collection", collection)
    lab.docmill("submit", "summarize", "--collection", collection, "-p", "sentences=2", "--key", collection)
    [[job]] = lab.sql("SELECT max(job_id) FROM v_job_progress")
    return int(job)


def n_done(lab: Lab, job: int) -> int:
    [[n]] = lab.sql(f"SELECT n_ok + n_error FROM v_job_progress WHERE job_id = {job}")
    return int(n)


def has_ended(lab: Lab, job: int) -> bool:
    return lab.sql(f"SELECT state FROM v_job_progress WHERE job_id = {job}") == [["finished"]]


def wrong_outcomes(lab: Lab, job: int, n: int) -> list[str]:
    """Each document has exactly one outcome, and it is a result: nothing was lost, done twice or blamed."""
    [row] = lab.sql(
        "SELECT count(*), count(DISTINCT document_id), count(*) FILTER (WHERE state = 'ok') "
        f"FROM outcome WHERE job_id = {job}"
    )
    found = dict(zip(("outcomes", "documents", "results"), map(int, row), strict=True))
    return [f"{found[what]} {what} instead of {n}" for what in found if found[what] != n]


def finish(lab: Lab, job: int, n: int) -> int:
    until(lambda: has_ended(lab, job), f"the end of job {job}", 1800)
    wrong = wrong_outcomes(lab, job, n)
    say(f"  job {job}: " + (", ".join(wrong) if wrong else f"{n} documents, {n} results, none twice"))
    return len(wrong)


def kill_each(lab: Lab, job: int, n: int) -> None:
    """One after the other, each as soon as the work goes on after the one before."""
    before = 0
    for service in KILLED:
        until(lambda: n_done(lab, job) > before, "progress")  # noqa: B023
        before, began = n_done(lab, job), time.monotonic()
        if before >= n:
            sys.exit("the job ended before every container was killed: give it more --documents")
        by_itself = lab.kill(service)
        until(lambda: n_done(lab, job) > before, "progress")  # noqa: B023
        how = "restarted by the engine" if by_itself else "started again by hand"
        say(
            f"  {service:<11} killed at {before:>6} documents, {how}; more {time.monotonic() - began:.0f} s later"
        )


def measure(lab: Lab) -> int:
    said = lab.exec("scheduler", "du", "--summarize", "--bytes", "/opt/docmill").stdout
    megabytes = int(said.split()[0]) // 1_000_000
    total = megabytes + BASE_MEGABYTES
    say(f"image: {megabytes} MB in /opt/docmill, about {total} MB with its base (at most {MOST_MEGABYTES}); "
        f"{calls.components(lab)} libraries in sbom.json")  # fmt: skip
    return int(total > MOST_MEGABYTES)


def upgrade(old: Lab, new: Lab, n: int) -> int:
    """A job begins with the old image and ends with the new one, over the same volumes."""
    old.build()
    start(old)
    before = schema(old)
    job = submit(old, "upgrade")
    until(lambda: n_done(old, job) >= n // 5, "progress")
    done = n_done(old, job)
    began = time.monotonic()
    old.stop()
    new.build()
    start(new)
    until(lambda: n_done(new, job) > done, "progress")
    after = schema(new)
    say(f"upgrade: schema {before} stopped at {done} documents, {after} went on {time.monotonic() - began:.0f} s later "
        "(with the build of the image)")  # fmt: skip
    return finish(new, job, n) + (before == after)


def schema(lab: Lab) -> str:
    """The newest migration that the store has."""
    [[revision]] = lab.sql("SELECT version_num FROM alembic_version")
    return revision


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--commit", default="HEAD", help="what is tested")
    parser.add_argument(
        "--previous", help="what it is upgraded from; if not given, the newest commit with an older schema"
    )
    parser.add_argument("--only", choices=("kills", "upgrade"), help="one of the two jobs")
    options = parser.parse_args()
    if reason := missing():
        say(f"compose-test is skipped: {reason}")
        return 0
    work = Path(tempfile.mkdtemp(prefix="docmill-compose-", dir="/var/tmp"))
    documents = work / "documents"
    documents.mkdir(mode=0o755)
    work.chmod(0o755)
    for name in ("kills", "upgrade"):
        write_documents(documents / f"{name}.jsonl", options.documents)
    new = Lab(checkout(options.commit, work / "new"))
    previous = options.previous or before_migration(options.commit)
    say(f"upgraded from {previous}")
    old = Lab(checkout(previous, work / "old"))
    write_settings(new.folder, documents)
    shutil.copy(new.folder / ".env", old.folder / ".env")
    try:
        return _run(old, new, options.documents, options.only)
    finally:
        new.remove()
        shutil.rmtree(work)


def _run(old: Lab, new: Lab, n: int, only: str | None) -> int:
    n_faults = 0
    if only != "upgrade":
        new.build()
        say(f"up: everything answers after {start(new):.0f} s")
        n_faults += measure(new)
        job = submit(new, "kills")
        say(f"a job of {n} documents, and each container is killed once:")
        kill_each(new, job, n)
        n_faults += finish(new, job, n)
        say("calls:")
        n_faults += calls.ask_all(new, say)
        new.stop()
    if only != "kills":
        n_faults += upgrade(old, new, n)
    say(json.dumps({"figures": {"documents": n, "processors": os.cpu_count()},
                    "bars": {"faults": {"value": n_faults, "at_most": 0}}}))  # fmt: skip
    return int(n_faults > 0)


if __name__ == "__main__":
    sys.exit(main())
