"""docmill metrics: every metric of the store can be had, from a process of its own, whatever is down."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from db import tallies
from db.migrations import upgrade
from db.store import Store
from db.tallies import Counted
from docmill.monitoring import store_metrics
from docmill.monitoring.store_metrics import StoreMetrics
from scheduler.broker import Broker
from tests.commands.conftest import Shell
from tests.db.builders import a_job, upgraded_to
from tests.servers import PostgresServer
from workers.app import make_app
from workers.metrics.catalogue import METRICS, Source
from workers.metrics.recorder import Counts

OF_STORE = {metric.name for metric in METRICS.values() if metric.source is Source.STORE}


def names(text: str) -> set[str]:
    return {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}


def test_once_prints_what_the_store_has(redis_url: str, shell: Shell) -> None:
    shell.texts("하나", "", "three")
    shell.done("oracle", "--collection", "inbox")
    shell.job("oracle", "--collection", "inbox", "--priority", 7)
    said = shell("metrics", "--once").out

    assert 'docmill_documents_total{code="",kind="oracle",outcome="ok"} 2.0' in said
    assert 'docmill_documents_total{code="EMPTY_TEXT",kind="oracle",outcome="error"} 1.0' in said
    assert 'docmill_result_rows_total{kind="oracle",table="classification"} 2.0' in said
    assert 'docmill_jobs_ended_total{kind="oracle",state="finished"} 1.0' in said
    assert 'docmill_ready_chunks{kind="oracle",priority="7"} 1.0' in said
    assert "docmill_store_up 1.0" in said
    assert "docmill_redis_up 1.0" in said
    assert names(said) <= OF_STORE


def test_what_is_down_is_reported_and_the_rest_is_there(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app()
    app.conf.broker_transport_options |= {"connect_retries_timeout": 0.1, "interval_start": 0.1}
    metrics = StoreMetrics(sqlite_store, Broker(app), "1")
    a_job(sqlite_store)
    counts = metrics.counts()
    assert (counts.gauges["docmill_store_up", ()], counts.gauges["docmill_redis_up", ()]) == (1, 0)
    assert counts.gauges["docmill_ready_chunks", ("oracle", "5")] == 1
    assert "redis: " in caplog.text

    with sqlite_store.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE tally")
    found = metrics._asked("store", metrics._of_store)
    assert found.gauges["docmill_store_up", ()] == 0
    assert {key[0] for key in found.gauges} == {"docmill_store_up", "docmill_scrape_duration_seconds"}


def test_a_store_that_was_away_is_asked_again(redis_url: str, caplog: pytest.LogCaptureFixture) -> None:
    server = PostgresServer()
    server.start()
    store = Store(server.url())
    try:
        upgrade(store)
        broker = Broker(make_app())
        metrics = StoreMetrics(store, broker, "1")
        up = ("docmill_store_up", ())
        assert metrics.counts().gauges[up] == 1
        server.kill()
        assert metrics.counts().gauges[up] == 0
        assert metrics.counts().gauges[up] == 0
        assert caplog.text.count("trying again at the next scrape") == 1
        server.start()
        assert metrics.counts().gauges[up] == 1
        broker.close()
    finally:
        store.close()
        server.stop()
        server.remove()


def test_a_kind_that_invents_codes_does_not_make_series_without_end(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_metrics, "MOST_CODES", 3)
    with sqlite_store.write() as session:
        for n in range(10):
            tallies.add(session, Counted.DOCUMENTS, "oracle", f"CODE_{n}", 2)
    with sqlite_store.read() as session:
        counts = Counts()
        store_metrics._counters(session, counts)
    values = {key[1][2]: n for key, n in counts.counters.items()}
    assert values == {"CODE_0": 2, "CODE_1": 2, "CODE_2": 2, "OTHER": 14}


def test_a_store_of_another_schema_is_still_reported(sqlite_store: Store) -> None:
    app = make_app()
    app.conf.broker_transport_options |= {"connect_retries_timeout": 0.1, "interval_start": 0.1}
    with upgraded_to(sqlite_store, "9999"):
        counts = StoreMetrics(sqlite_store, Broker(app), "1").counts()
    assert counts.gauges["docmill_store_schema_version", ()] == 9999


def test_it_serves_until_it_is_told_to_stop(sqlite_store: Store, redis_url: str) -> None:
    a_job(sqlite_store)
    url = sqlite_store.url.render_as_string(hide_password=False)
    process = subprocess.Popen(
        [sys.executable, "-m", "docmill.cli", "metrics", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"DOCMILL_DATABASE_URL": url},
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    try:
        with urllib.request.urlopen(line.split()[-1], timeout=20) as answer:
            assert b"docmill_ready_chunks" in answer.read()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        process.stdout.close()
