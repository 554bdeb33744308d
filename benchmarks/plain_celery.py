"""Celery as in its tutorial: one message per document, results in Redis."""

from __future__ import annotations

import os

from celery import Celery

_broker = f"redis+socket://{os.environ.get('PLAIN_REDIS', '')}"
app = Celery("plain", broker=_broker, backend=_broker)
app.conf.broker_connection_retry_on_startup = True
#: Sends without subscribing to each result, which would take most of the time.
sender = Celery("plain", broker=_broker)


@app.task(name="nothing")
def nothing(document_id: int) -> int:
    """Does nothing with a document."""
    return document_id
