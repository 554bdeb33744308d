"""Celery on Redis: acknowledged late, rejected if the process is lost, redelivered after the visibility timeout."""

from __future__ import annotations

import os

from celery import Celery

from benchmarks.queue_peers.tasks import submitting, work

app = Celery("peers", broker=f"redis+socket://{os.environ['PEERS_REDIS']}")
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    broker_transport_options={"visibility_timeout": float(os.environ["PEERS_LEASE"])},
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
)


@app.task(
    name="count",
    autoretry_for=(Exception,),
    max_retries=4,
    retry_backoff=1,
    retry_backoff_max=4,
    retry_jitter=False,
)
def count(job: int, documents: list[int]) -> None:
    work.run(job, documents)


def add(job: int, n: int, batch: int) -> None:
    """One message at a time: Celery has no other way."""
    with app.producer_pool.acquire(block=True) as producer:
        for documents in work.batches(n, batch):
            count.apply_async((job, documents), task_id=work.name(documents), producer=producer)


if __name__ == "__main__":
    submitting.submit(add)
