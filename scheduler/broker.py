"""The scheduler's connection to Redis: it counts the waiting messages, and sends more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from celery import Celery
from kombu.exceptions import BatchPublishError  # type: ignore[attr-defined, unused-ignore]

from db.chunks import Message
from nlp_tasks.kind import Kind
from workers.app import PRIORITIES
from workers.names import TASK_NAME, queue_of
from workers.processes.redis_version import refuse_if_old
from workers.settings import settings


class Broker:
    """A connection to Redis through Celery; connects on first use and again after a loss."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._connection: Any = None

    def depth(self, kind: str, priority: int) -> int:
        """The messages of a kind and priority that wait in Redis. Those that workers hold do not count, since the
        entries of dead workers would stay among them."""
        channel = self._channel()
        return int(channel.client.llen(channel._q_for_pri(queue_of(kind), _celery_priority(priority))))

    def take_back(self, kind: str, priority: int) -> None:
        """Delete the messages of a kind and priority that no worker has taken yet."""
        channel = self._channel()
        channel.client.delete(channel._q_for_pri(queue_of(kind), _celery_priority(priority)))

    def depths(self, kinds: Iterable[str]) -> dict[tuple[str, int], int]:
        """(kind, priority) -> messages that wait, where there are any; in one round trip."""
        channel = self._channel()
        places = [(kind, priority) for kind in kinds for priority in PRIORITIES]
        with channel.client.pipeline(transaction=False) as pipeline:
            for kind, priority in places:
                pipeline.llen(channel._q_for_pri(queue_of(kind), _celery_priority(priority)))
            found = pipeline.execute()
        return {place: int(n) for place, n in zip(places, found, strict=True) if n}

    def memory_bytes(self) -> int:
        """What Redis says that it uses."""
        return int(self._channel().client.info("memory")["used_memory"])

    def send(self, messages: Iterable[Message], kinds: dict[str, Kind]) -> None:
        """Send messages, each with a description that Flower shows; in few round trips. If this fails, Redis may have
        got some of them."""
        connection = self._channel().connection.client
        with self._app.amqp.Producer(connection) as producer, _as_redis_says(), _batch(producer):
            for message in messages:
                self._app.send_task(
                    TASK_NAME,
                    args=(message.chunk_id,),
                    argsrepr=describe(message, kinds.get(message.kind)),
                    kwargsrepr="",
                    queue=queue_of(message.kind),
                    priority=_celery_priority(message.priority),
                    producer=producer,
                    retry=False,
                )

    def ping(self) -> None:
        """Raise the client's error if Redis does not answer."""
        self._channel().client.ping()

    def close(self) -> None:
        """Drop the connection; the next call makes a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _channel(self) -> Any:
        if self._connection is None:
            self._connection = self._app.connection_for_write()
            self._refuse_if_old(self._connection.default_channel.client)
        return self._connection.default_channel

    def _refuse_if_old(self, client: Any) -> None:
        try:
            refuse_if_old(str(client.info("server")["redis_version"]), settings().redis_name)
        except Exception:
            self.close()
            raise


def _batch(producer: Any) -> AbstractContextManager[Any]:
    """What is published in it is sent together. The stubs of kombu do not know it."""
    found: AbstractContextManager[Any] = producer.batch()
    return found


@contextmanager
def _as_redis_says() -> Iterator[None]:
    """The error of Redis in place of the one that says only that a batch has failed."""
    try:
        yield
    except BatchPublishError as error:
        raise (error.__cause__ or error) from None


def describe(message: Message, kind: Kind | None) -> str:
    """ "job 42, classify, chunk 7 of 40, 256 documents" """
    stage = ""
    if kind is not None and len(kind.stages) > 1:
        stage = f" ({kind.stages[message.stage].name})"
    documents = "1 document" if message.n_documents == 1 else f"{message.n_documents} documents"
    return (
        f"job {message.job_id}, {message.kind}{stage}, chunk {message.seq} of {message.n_chunks}, {documents}"
    )


def _celery_priority(priority: int) -> int:
    return PRIORITIES[-1] - priority
