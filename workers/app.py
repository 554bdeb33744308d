"""The Celery app. Importing it connects to nothing and loads no model.

The settings follow what was measured on Celery 5.7 (docs/celery.md says why, one by one).
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, signals

from workers.processes import logs
from workers.settings import settings

#: Celery's Redis transport serves low numbers first; ours are the other way round.
PRIORITIES = range(10)

_READ_SECONDS = 5
#: kombu drops a connection that waits for a message after 1 s and twice this time of silence: its server may have gone
#: without a word.
_HEALTH_SECONDS = 10


def make_app() -> Celery:
    """A Celery app on the Redis of the settings."""
    app = Celery("docmill", broker=settings().broker_url, include=["workers.running.chunk_task"])
    app.conf.update(
        task_default_queue="docmill.none",
        task_create_missing_queues=True,
        # The store holds the results: Redis would keep them for a day and then forget.
        task_ignore_result=True,
        result_backend=None,
        # JSON in and out: a planted pickle is refused unread.
        task_serializer="json",
        accept_content=["json"],
        event_serializer="json",
        timezone="UTC",
        enable_utc=True,
        worker_concurrency=1,
        worker_pool="prefork",
        # A fork would inherit torch's threads and CUDA's state, both broken.
        worker_pool_start_method="spawn",
        # The default of 4 s takes a child that is importing torch for dead.
        worker_proc_alive_timeout=600,
        # A malformed message is refused, and does not end the worker.
        worker_consumer="workers.processes.consumer:Consumer",
        worker_prefetch_multiplier=1,
        # Early acknowledgement would hoard one message beside the one that runs.
        worker_disable_prefetch=True,
        # The lease in the store requeues lost work, not Redis.
        task_acks_late=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "visibility_timeout": 86_400,
            "unacked_restore_throttle": 1,
            "socket_timeout": _READ_SECONDS,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": _HEALTH_SECONDS,
            "priority_steps": list(PRIORITIES),
            # Kinds of one priority take turns: an urgent message of any of them still comes first.
            "queue_order_strategy": "round_robin",
            **settings().redis.transport_options(),
        },
        worker_send_task_events=True,
        task_send_sent_event=True,
        worker_hijack_root_logger=False,
        worker_enable_remote_control=True,
    )
    if settings().redis.is_tls:
        # Without this, a rediss:// connection would check no certificate.
        app.conf.update(broker_use_ssl=settings().redis.tls())
    return app


app = make_app()


@signals.worker_before_create_process.connect
def _log_in_one_format(**_: Any) -> None:
    """Else billiard logs in the child, in a format of its own, until our logging is set up there."""
    os.environ.pop("_MP_FORK_LOGLEVEL_", None)


@signals.setup_logging.connect
def _log_to_stderr(**_: Any) -> None:
    from billiard import util

    logs.to_stderr()
    # It reports the deaths of children, and has no handler of its own.
    util.get_logger().propagate = True
