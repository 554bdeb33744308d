"""Scaling of workers on Kubernetes: KEDA's queries give true answers on a real store, as the user who may only read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from db.store import Store
from tests.db.builders import a_job, chunks_of, claim, write_ok
from tests.deploy import chart

Objects = list[dict[str, Any]]

#: https://keda.sh/docs/latest/scalers/postgresql/
REQUIRED = {"query", "targetQueryValue", "host", "port", "userName", "dbName", "sslmode"}


def triggers(objects: Objects, part: str) -> dict[str, dict[str, Any]]:
    [scaled] = [
        each
        for each in chart.of_kind(objects, "ScaledObject")
        if each["metadata"]["labels"]["app.kubernetes.io/component"] == part
    ]
    return {trigger["name"]: trigger for trigger in scaled["spec"]["triggers"]}


def test_a_trigger_has_what_keda_requires_and_strings_alone(everything: Objects) -> None:
    for part in ("worker-cpu", "worker-gpu"):
        for trigger in triggers(everything, part).values():
            assert trigger["type"] == "postgresql"
            assert set(trigger["metadata"]) == REQUIRED
            assert all(isinstance(value, str) for value in trigger["metadata"].values())
            assert trigger["metadata"]["userName"] == "reader"


def test_the_password_is_that_of_the_reader(everything: Objects) -> None:
    [authentication] = chart.of_kind(everything, "TriggerAuthentication")
    [reference] = authentication["spec"]["secretTargetRef"]

    assert reference == {"parameter": "password", "name": "docmill-passwords", "key": "reader-password"}
    for part in ("worker-cpu", "worker-gpu"):
        for trigger in triggers(everything, part).values():
            assert trigger["authenticationRef"] == {"name": authentication["metadata"]["name"]}


def test_it_scales_a_deployment_that_names_no_number_itself(everything: Objects) -> None:
    deployments = {each["metadata"]["name"]: each for each in chart.of_kind(everything, "Deployment")}

    for scaled in chart.of_kind(everything, "ScaledObject"):
        target = deployments[scaled["spec"]["scaleTargetRef"]["name"]]
        # With a number, each `helm upgrade` would set it back.
        assert "replicas" not in target["spec"]
        assert scaled["spec"]["minReplicaCount"] <= scaled["spec"]["maxReplicaCount"]


@pytest.fixture
def reader(empty_postgres_store: Store) -> Iterator[Store]:
    """The store; the queries of `asks` run as the reader of deploy/postgres.sql."""
    with empty_postgres_store.write() as session:
        session.execute(text("CREATE ROLE scaler; GRANT SELECT ON ALL TABLES IN SCHEMA public TO scaler"))
    yield empty_postgres_store
    with empty_postgres_store.write() as session:
        session.execute(text("DROP OWNED BY scaler; DROP ROLE scaler"))


def asks(store: Store, trigger: dict[str, Any]) -> float:
    with store.write() as session:
        session.execute(text("SET LOCAL ROLE scaler"))
        session.execute(text("SET LOCAL transaction_read_only = on"))
        return float(session.execute(text(trigger["metadata"]["query"])).scalar_one())


def test_workers_are_asked_for_while_chunks_wait_or_are_worked_on(everything: Objects, reader: Store) -> None:
    oldest, n_open = (triggers(everything, "worker-cpu")[name] for name in ("oldest", "open"))

    assert (asks(reader, oldest), asks(reader, n_open)) == (0, 0)
    job = a_job(reader, 30, per_chunk=10)
    with reader.write() as session:
        session.execute(text("UPDATE job SET started_at = started_at - interval '10 minutes'"))
    assert 600 <= asks(reader, oldest) < 660
    assert asks(reader, n_open) == 3
    # All are worked on: nothing waits, and the workers stay.
    claims = [claim(reader, chunk.id) for chunk in chunks_of(reader, job)]
    assert (asks(reader, oldest), asks(reader, n_open)) == (0, 3)
    for each in claims:
        write_ok(reader, each)
    assert (asks(reader, oldest), asks(reader, n_open)) == (0, 0)


def test_only_the_kinds_of_the_worker_count(everything: Objects, reader: Store) -> None:
    a_job(reader, 10, per_chunk=10)

    assert asks(reader, triggers(everything, "worker-gpu")["open"]) == 0
    assert asks(reader, triggers(everything, "worker-cpu")["open"]) == 1


def test_a_long_queue_is_not_counted_to_its_end(everything: Objects, reader: Store) -> None:
    a_job(reader, 250, per_chunk=1)

    # 10 workers at most, 20 chunks each.
    assert asks(reader, triggers(everything, "worker-cpu")["open"]) == 200
