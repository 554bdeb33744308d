"""What a client can do with word vectors: only where the models folder is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from db.store import Store
from docmill.client.operations.description import Operation, Steps
from docmill.errors import InvalidRequestError, UnsupportedError
from scheduler import words
from scheduler.words import NearWords


def nearest(given: str | Sequence[str], n: int, model: str | None) -> Operation[list[dict[str, Any]]]:
    """The words nearest to one word, or to several together."""
    several = [given] if isinstance(given, str) else list(given)
    return _asked(several, n, lambda store: words.nearest(store, several, n, model))


def analogy(a: str, b: str, c: str, n: int, model: str | None) -> Operation[list[dict[str, Any]]]:
    """The words that are to c as b is to a."""
    return _asked([a, b, c], n, lambda store: words.analogy(store, a, b, c, n, model))


def _asked(
    given: Sequence[str], n: int, ask: Callable[[Store], NearWords]
) -> Operation[list[dict[str, Any]]]:
    if not given:
        raise InvalidRequestError("name at least one word")
    if n < 1:
        raise InvalidRequestError(f"n must be at least 1, not {n}")

    def over_http() -> Steps[list[dict[str, Any]]]:
        raise UnsupportedError(
            "word vectors are read where the models folder is: use `docmill words` there, or "
            "Client('postgresql://...') with DOCMILL_MODELS_DIR"
        )

    return Operation(lambda stores: [asdict(word) for word in ask(stores.there()).words], over_http)
