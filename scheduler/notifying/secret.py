"""The environment variables that destinations name. The only file of this package that reads the environment.

Their values reach the server or the program that they are for, and nothing else: no message, no log, no row.
"""

from __future__ import annotations

import os
from urllib.parse import unquote, urlsplit

#: Shorter parts are words of everyday messages.
MIN_SECRET_CHARS = 4


class DeliveryError(Exception):
    """A message was not accepted; it is tried again."""


def value(name: str) -> str:
    """The value, or DeliveryError that says where it has to be set."""
    found = os.environ.get(name, "").strip()
    if not found:
        raise DeliveryError(f"the environment variable {name} is not set where the scheduler runs")
    return found


def optional(name: str) -> str | None:
    """The value, if there is one."""
    return os.environ.get(name, "").strip() or None


def without(text: str, *secrets: str) -> str:
    """The text with every secret, and every part of a URL that can be one, replaced by ***."""
    hidden = {part for secret in secrets for part in (secret, *_parts(secret))}
    for part in sorted(hidden, key=len, reverse=True):
        if len(part) >= MIN_SECRET_CHARS:
            text = text.replace(part, "***")
    return text


def _parts(url: str) -> list[str]:
    """What may be secret in a URL: user, password, path and query."""
    try:
        split = urlsplit(url)
        found = [split.username or "", split.password or "", split.path, split.query]
    except ValueError:
        return []
    return [part for found_part in found for part in (found_part, unquote(found_part), found_part.strip("/"))]
