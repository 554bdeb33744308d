"""What operators do to a cluster while a job runs: drain a host, and upgrade host after host (docs/production.md)."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.faults.cluster import END_SECONDS, Cluster
from tests.faults.hosts import NamedHost
from tests.faults.stack import Stack
from tests.newer_docmill import NEWER, newer_docmill
from tests.servers import until

#: A job that is longer than a drain.
N_DRAINED = 10_000
#: A job that is longer than an upgrade of all hosts, also on a busy machine.
N_UPGRADED = 20_000
#: Chunks that the others close while a host is drained.
N_CHUNKS_MEANWHILE = 5


def drain_host(stack: Stack, job_id: int) -> int:
    """A worker's host is drained, holds nothing and takes nothing while the others go on, and takes part again."""
    assert isinstance(stack, Cluster)
    cluster, host = stack, stack.c
    until(lambda: holds(cluster, host), "a chunk that the host holds", END_SECONDS)
    began = time.monotonic()
    cluster.run_on(cluster.a, "workers", "drain", host.name, "--wait", "--timeout", "60")
    cluster.took_seconds = time.monotonic() - began
    assert states(cluster, host) == {"drained"}
    assert not holds(cluster, host), "a drained host holds chunks"
    before, claimed = n_closed(cluster, job_id), claimed_by(cluster, host)
    until(lambda: n_closed(cluster, job_id) >= before + N_CHUNKS_MEANWHILE, "work of the others", END_SECONDS)
    assert claimed_by(cluster, host) == claimed, "a drained host claimed chunks"
    assert psutil.Process(cluster.worker_of[host.name].pid).children() == [], "its model is still loaded"
    cluster.run_on(cluster.a, "workers", "undrain", host.name)
    until(lambda: claimed_by(cluster, host) > claimed, "work of the host after the drain", END_SECONDS)
    return 1


def rolling_upgrade(flag: str) -> Callable[[Stack, int], int]:
    """Every host gets the newer version, one after the other, in the middle of the job. With BORNE, old and new workers
    work beside each other; with an empty flag, the old ones stop."""

    def inject(stack: Stack, _job_id: int) -> int:
        assert isinstance(stack, Cluster)
        folder = Path(tempfile.mkdtemp(prefix="dm-newer-", dir=stack.folder))
        _upgrade(stack, newer_docmill(folder / "tree", flag), is_borne=bool(flag))
        return 1

    return inject


def _upgrade(cluster: Cluster, tree: Path, *, is_borne: bool) -> None:
    a, b, c = cluster.a, cluster.b, cluster.c
    began = time.monotonic()
    cluster.tree_of["a"] = tree
    cluster.run_on(a, "db", "upgrade")
    assert cluster.rows("SELECT version_num FROM alembic_version") == [(NEWER,)]
    _replace_scheduler(cluster, a)
    if not is_borne:
        for host in (b, c):
            until(lambda host=host: states(cluster, host) == {"outdated"}, "the old workers stopped", 30)  # type: ignore[misc]
            assert not holds(cluster, host), "an outdated worker holds chunks"
    _replace_worker(cluster, c, tree, is_drained=is_borne)
    if is_borne:
        old, new = claimed_by(cluster, b), claimed_by(cluster, c)
        until(
            lambda: claimed_by(cluster, b) > old and claimed_by(cluster, c) > new,
            "work of an old and of a new worker beside each other",
            END_SECONDS,
        )
    _replace_worker(cluster, b, tree, is_drained=is_borne)
    _replace_scheduler(cluster, b)
    until(lambda: versions(cluster) == {NEWER}, "one version left", END_SECONDS)
    cluster.took_seconds = time.monotonic() - began


def _replace_worker(cluster: Cluster, host: NamedHost, tree: Path, *, is_drained: bool) -> None:
    """Install the newer version on a host; its old worker ends its batch and gives back the rest."""
    launcher, held = cluster.worker_of[host.name], claimed_by(cluster, host)
    if is_drained:
        cluster.run_on(host, "workers", "drain", host.name, "--exit", "--wait", "--timeout", "60")
    else:
        launcher.terminate()
    assert launcher.wait(END_SECONDS) == 0
    cluster.tree_of[host.name] = tree
    if is_drained:
        cluster.run_on(host, "workers", "undrain", host.name)
    cluster.start_worker(host)
    until(lambda: claimed_by(cluster, host) > held, f"work of the new worker on {host.name}", END_SECONDS)


def _replace_scheduler(cluster: Cluster, host: NamedHost) -> None:
    old = cluster.scheduler_of[host.name]
    old.terminate()
    old.wait(END_SECONDS)
    cluster.start_scheduler_on(host)


# --- what the store says of a host ----------------------------------------------------------------------------------


def holds(cluster: Cluster, host: NamedHost) -> bool:
    """Whether a worker of this host holds a chunk."""
    return bool(
        cluster.rows("SELECT id FROM chunk WHERE state = 'leased' AND worker = :name", name=_worker(host))
    )


def claimed_by(cluster: Cluster, host: NamedHost) -> int:
    """How many chunks this host was the last to claim: it grows with each that it claims and closes."""
    [(n,)] = cluster.rows(
        "SELECT count(*) FROM chunk WHERE state = 'closed' AND worker = :name", name=_worker(host)
    )
    return int(n)


def n_closed(cluster: Cluster, job_id: int) -> int:
    """The closed chunks of a job."""
    [(n,)] = cluster.rows("SELECT count(*) FROM chunk WHERE state = 'closed' AND job_id = :job", job=job_id)
    return int(n)


def states(cluster: Cluster, host: NamedHost) -> set[str]:
    """Of the workers on this host."""
    rows = cluster.rows("SELECT state FROM v_workers WHERE role = 'worker' AND host = :host", host=host.name)
    return {state for (state,) in rows}


def versions(cluster: Cluster) -> set[str]:
    """The schemas that the running workers and schedulers know."""
    return {schema for (schema,) in cluster.rows("SELECT DISTINCT schema_revision FROM v_workers")}


def _worker(host: NamedHost) -> str:
    return f"cpu-0@{host.name}"
