"""When a request is sent again, and when a client gives up. Knows no library.

Sent again is what did not arrive or was not answered, and what the server refuses for now (429, 502, 503, 504). What
changes something carries an idempotency key, so that a request which arrived after all is carried out once.
"""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from docmill.errors import UnreachableStoreError

#: Statuses of a server, or of a proxy before it, that will answer otherwise later.
FOR_NOW = (429, 502, 503, 504)
_FIRST_SECONDS, _MOST_SECONDS = 0.2, 10.0


class Attempts:
    """The attempts of one request."""

    def __init__(self, place: str, retry_seconds: float) -> None:
        self._place = place
        self._until = time.monotonic() + retry_seconds
        self._n = 0

    def pause_after_answer(self, status: int, retry_after: str | None) -> float | None:
        """Seconds until the next attempt, at least as many as the server asks for; None if this answer stands."""
        if status not in FOR_NOW:
            return None
        pause = max(self._pause(), seconds_of(retry_after) or 0.0)
        return pause if time.monotonic() + pause <= self._until else None

    def pause_after_error(self, error: Exception) -> float:
        """Seconds until the next attempt. UnreachableStoreError if there is no time for one."""
        pause = self._pause()
        if time.monotonic() + pause > self._until:
            tried = f" (tried {self._n} times)" if self._n > 1 else ""
            words = str(error) or type(error).__name__
            raise UnreachableStoreError(
                f"{self._place} does not answer: {words}{tried}; is `docmill serve` running there?"
            ) from error
        return pause

    def _pause(self) -> float:
        """Twice as long each time, and never exactly as long as another client's."""
        self._n += 1
        return min(_MOST_SECONDS, _FIRST_SECONDS * 2.0 ** (self._n - 1)) * random.uniform(0.5, 1.0)


def seconds_of(retry_after: str | None) -> float | None:
    """What the header Retry-After means: seconds, or a time. None for neither."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        at = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
