"""How often somebody may ask: a bucket of tokens for each key, and for each client that shows none."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass

#: Buckets that are remembered; full ones are forgotten first.
MOST_BUCKETS = 10_000
WINDOW_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request may go on."""

    allowed: bool
    quota: int
    #: Requests that may follow at once.
    remaining: int
    #: Seconds until there is another token; 0 if there is one.
    wait_seconds: float

    def headers(self) -> dict[str, str]:
        """RateLimit fields (draft-ietf-httpapi-ratelimit-headers), and Retry-After of a refusal."""
        if not self.quota:
            return {}
        found = {
            "ratelimit-policy": f'"requests";q={self.quota};w={WINDOW_SECONDS}',
            "ratelimit": f'"requests";r={self.remaining};t={math.ceil(self.wait_seconds)}',
        }
        return found if self.allowed else found | {"retry-after": str(max(1, math.ceil(self.wait_seconds)))}


class Buckets:
    """Each holds `quota` tokens, which come back within a minute. In this process; 0 is no limit."""

    def __init__(self, quota: int) -> None:
        self._quota = quota
        self._lock = threading.Lock()
        #: Name -> (tokens, when they were counted).
        self._held: dict[str, tuple[float, float]] = {}

    def take(self, name: str) -> Verdict:
        """One token of a bucket."""
        if not self._quota:
            return Verdict(True, 0, 0, 0.0)
        with self._lock:
            tokens, now = self._now(name)
            allowed = tokens >= 1
            tokens -= 1 if allowed else 0
            self._held[name] = (tokens, now)
        rate = self._quota / WINDOW_SECONDS
        return Verdict(allowed, self._quota, int(tokens), max(0.0, (1 - tokens) / rate))

    def _now(self, name: str) -> tuple[float, float]:
        now = time.monotonic()
        if name not in self._held:
            self._forget_full(now)
        tokens, at = self._held.get(name, (float(self._quota), now))
        return min(self._quota, tokens + (now - at) * self._quota / WINDOW_SECONDS), now

    def _forget_full(self, now: float) -> None:
        if len(self._held) >= MOST_BUCKETS:
            self._held = {name: held for name, held in self._held.items() if now - held[1] < WINDOW_SECONDS}
        while len(self._held) >= MOST_BUCKETS:
            del self._held[next(iter(self._held))]
