"""Workers without processes: they take messages from Redis, claim and write as real ones do, one chunk a round."""

from __future__ import annotations

import base64
import json
from collections import Counter

from db import chunks
from db.chunks import Claim, Holder, Written
from db.store import Store
from tests.db.builders import LEASE
from tests.servers import RedisServer


class LightWorkers:
    """Some workers that serve one kind. A round is the time that a chunk takes."""

    def __init__(self, store: Store, redis: RedisServer, n: int, queue: str = "docmill.oracle") -> None:
        self.store = store
        self.redis = redis
        self.queue = queue
        self.held: list[Claim | None] = [None] * n
        #: Chunks that were done, by job.
        self.done: Counter[int] = Counter()
        #: The most chunks of a job that were held at once.
        self.most: Counter[int] = Counter()
        #: Messages about chunks that could not be claimed.
        self.n_refused = 0

    def round(self) -> None:
        """Every worker ends its chunk; then each takes the next one that it can claim."""
        for place, claim in enumerate(self.held):
            if claim is not None:
                self._close(claim)
                self.done[claim.job_id] += 1
            self.held[place] = None
        self.take()

    def take(self) -> None:
        """Every worker without a chunk takes one, if there is a message about one that it can claim."""
        for place, claim in enumerate(self.held):
            if claim is None:
                self.held[place] = self._next(f"light.{place}")
        now = Counter(claim.job_id for claim in self.held if claim is not None)
        self.most |= now

    def _next(self, instance: str) -> Claim | None:
        while (chunk_id := self._pop()) is not None:
            with self.store.write() as session:
                claim = chunks.claim(session, chunk_id, Holder(instance, instance), LEASE)
            if claim is not None:
                return claim
            self.n_refused += 1
        return None

    def _pop(self) -> int | None:
        with self.redis.client() as client:
            # A list for each priority; the one of the most urgent has no number.
            for key in sorted(client.keys(f"{self.queue}*")):
                raw = client.rpop(key)
                if raw is not None:
                    return int(json.loads(base64.b64decode(json.loads(raw)["body"]))[0][0])
        return None

    def _close(self, claim: Claim) -> None:
        with self.store.write() as session:
            chunks.write(session, claim, Written(ok_ids=claim.document_ids), LEASE, close=True)
