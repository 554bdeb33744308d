"""What can happen to a cluster of three hosts: `make cluster-test`. Each trial is a job with a fault in its middle, as
in the fault matrix, and every checker must find 0. Exit status 1 unless all is well and work went on in time.

    python -m tests.faults.cluster_trials [--only WORDS] [--list]

The last line is JSON: for each fault the longest pause between two outcomes, and the time from the fault's end to the
next outcome; for maintenance also how long it took: a host until it was drained, an upgrade until one version was left.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.faults import cluster_maintenance as maintenance
from tests.faults import cluster_results as results
from tests.faults.checkers import Findings
from tests.faults.cluster import Cluster
from tests.faults.hosts import NamedHost, missing_namespaces
from tests.faults.matrix import show_logs
from tests.faults.stack import LEASE_SECONDS, Stack
from tests.faults.trial import N_DOCUMENTS, RECOVERY_SECONDS, Fault, Row, run, spread
from tests.newer_docmill import BORNE
from tests.servers import missing_postgres, missing_redis

#: A link is cut for longer than the lease, so that others take over what was held.
CUT_SECONDS = LEASE_SECONDS + 2
#: A host that is gone without a word: its connections are given up after this time (tcp_user_timeout in db.store), and
#: each new connection tries it first (connect_timeout).
SILENCE_SECONDS = 20.0 + 5.0


def _cut(name: str) -> Callable[[Stack, int], int]:
    """The cable of a host is pulled for a while, and put back. A worker that waits for the store for longer than its
    lease is ended by its watchdog, which counts as a crash, and blames nobody."""

    def inject(stack: Stack, job_id: int) -> int:
        assert isinstance(stack, Cluster)
        host: NamedHost = getattr(stack, name)
        host.unplug()
        time.sleep(CUT_SECONDS)
        host.plug_in()
        return 1

    return inject


def _lose_worker(stack: Stack, job_id: int) -> int:
    assert isinstance(stack, Cluster)
    stack.lose(stack.c)
    return 1


def _lose_first(stack: Stack, job_id: int) -> int:
    """The host with the store's primary, Redis's primary and a scheduler. The operator promotes the standby; the rest
    happens by itself."""
    assert isinstance(stack, Cluster)
    stack.primary.wait_for_standby()
    before = stack.n_done(job_id)
    old = stack.sentinel.primary
    stack.lose(stack.a)
    stack.standby.promote()
    assert stack.n_done(job_id) >= before, "the standby has less than was committed"
    stack.sentinel.await_another(old)
    return 1


def _kill_workers_of_one_name(stack: Stack, job_id: int) -> int:
    """Workers on two hosts have the same name. A death of one is not counted for what the other holds."""
    assert isinstance(stack, Cluster)
    n = 0
    for _ in spread(stack, job_id, 2):
        stack.busy_child().kill()
        n += 1
    names = {name for (name,) in stack.rows("SELECT DISTINCT worker FROM chunk WHERE worker IS NOT NULL")}
    assert names == {"cpu-0@b"}, f"the workers' names are {names}"
    return n


def _kill_redis(stack: Stack, job_id: int) -> int:
    assert isinstance(stack, Cluster)
    stack.sentinel.fail_over()
    stack.sentinel.start()
    return 1


def _kill_postgres(stack: Stack, job_id: int) -> int:
    assert isinstance(stack, Cluster)
    stack.primary.wait_for_standby()
    before = stack.n_done(job_id)
    stack.primary.kill()
    stack.standby.promote()
    assert stack.n_done(job_id) >= before, "the standby has less than was committed"
    return 1


@dataclass(frozen=True)
class Group:
    """Faults that one cluster goes through, one after the other."""

    faults: tuple[Fault, ...]
    same_hostname: bool = False


GROUPS = (
    Group(
        (
            Fault(
                "drain of a worker's host (c)",
                maintenance.drain_host,
                harmless=True,
                n_documents=maintenance.N_DRAINED,
            ),
            Fault("cable of a worker's host (c)", _cut("c")),
            Fault("cable of the standby's host (b)", _cut("b")),
            Fault("cable of the first host (a)", _cut("a")),
            Fault("Redis failover by Sentinel", _kill_redis, harmless=True),
            Fault("PostgreSQL failover", _kill_postgres, harmless=True),
            Fault("a worker's host lost for good (c)", _lose_worker, harmless=True),
        )
    ),
    Group((Fault("two workers of one name, killed", _kill_workers_of_one_name),), same_hostname=True),
    Group(
        (
            Fault(
                "the first host lost for good (a)",
                _lose_first,
                recovery_seconds=RECOVERY_SECONDS + SILENCE_SECONDS,
            ),
        )
    ),
    *(
        Group(
            (
                Fault(
                    f"rolling upgrade, older code {verb}",
                    maintenance.rolling_upgrade(flag),
                    harmless=True,
                    n_documents=maintenance.N_UPGRADED,
                ),
            )
        )
        for verb, flag in (("goes on", BORNE), ("stops", ""))
    ),
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="faults whose name contains this")
    parser.add_argument("--list", action="store_true", help="only print the names of the faults")
    given = parser.parse_args(arguments)
    if given.list:
        print(*(fault.name for group in GROUPS for fault in group.faults), sep="\n")
        return 0
    if missing := missing_redis() or missing_postgres() or missing_namespaces():
        print(f"skipped: {missing}")
        return 0
    # So that the network and the servers are taken down.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    trials = [trial for group in GROUPS for trial in _trials(group, given.only)]
    results.show(trials)
    print(json.dumps(results.figures(trials)))
    return 0 if all(trial.row.is_clean for trial in trials) else 1


def _trials(group: Group, only: str) -> Iterator[results.Trial]:
    """Each fault of a group, on one cluster; after a trial that went wrong, on a new one."""
    cluster: Cluster | None = None
    try:
        for fault in (fault for fault in group.faults if only in fault.name):
            if cluster is None:
                cluster = _started(group)
            trial = _trial(cluster, fault)
            yield trial
            if not trial.row.is_clean:
                cluster.stop()
                cluster = None
    finally:
        if cluster is not None:
            cluster.stop()


def _started(group: Group) -> Cluster:
    cluster = Cluster(same_hostname=group.same_hostname)
    try:
        cluster.start([f"text {i}" for i in range(N_DOCUMENTS)])
    except BaseException:
        show_logs(cluster)
        cluster.stop()
        raise
    return cluster


def _trial(cluster: Cluster, fault: Fault) -> results.Trial:
    cluster.took_seconds = None
    with results.watching(cluster) as pauses:
        try:
            row = run(cluster, fault)
        except Exception as error:
            traceback.print_exc()
            complaint = f"{type(error).__name__}: {str(error)[:200]}"
            row = Row(fault.name, cluster.database, 0, 0, Findings(), 0.0, complaint)
    if not row.is_clean:
        show_logs(cluster)
    print(
        f"{fault.name}: {'clean' if row.is_clean else row.findings.words + ' ' + row.complaint}", flush=True
    )
    return results.Trial(row, pauses.longest, cluster.took_seconds)


if __name__ == "__main__":
    sys.exit(main())
