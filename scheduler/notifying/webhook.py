"""A webhook: the message as JSON in a POST, signed as standardwebhooks.com describes it.

The variable NAME holds the URL. NAME_SECRET, if it is set, holds the key of the signature: text, or `whsec_` and
base64. A redirect is not followed: the message would go where nobody has agreed to it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import http.client
import json
import ssl
import time
from typing import Any
from urllib.parse import SplitResult, urlsplit

from db.notifications import Claimed
from scheduler.notifying import secret
from scheduler.notifying.deadline import DELIVERY_SECONDS, SILENCE_SECONDS, within
from scheduler.notifying.destinations import Destination
from scheduler.notifying.secret import DeliveryError


def deliver(destination: Destination, claimed: Claimed) -> None:
    """POST the message; DeliveryError unless the server answers 2xx."""
    url = secret.value(destination.variable)
    body = content(claimed)
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "docmill",
        "webhook-id": claimed.uid,
        "Idempotency-Key": claimed.uid,
        **_signature(destination, claimed.uid, int(time.time()), body),
    }
    status, location = _post(destination, url, body, headers)
    if 300 <= status < 400:
        where = f" to {urlsplit(location).hostname or 'another path'}" if location else ""
        raise DeliveryError(
            f"the server redirects{where}, which is not followed: set {destination.variable} to the final URL"
        )
    if not 200 <= status < 300:
        raise DeliveryError(f"the server answered {status} {http.client.responses.get(status, '')}".rstrip())


def content(claimed: Claimed) -> bytes:
    """What is sent, the same in every attempt. `text` is what chat servers show."""
    message = claimed.message
    values: dict[str, Any] = {
        "id": claimed.uid,
        "event": str(claimed.event),
        "owner": claimed.owner,
        "title": message.title,
        "body": message.body,
        "text": f"{message.title}\n{message.body}",
        "details": message.details,
    }
    return json.dumps(values, ensure_ascii=False, sort_keys=True).encode("utf-8", "backslashreplace")


def signature(key: str, uid: str, timestamp: int, body: bytes) -> str:
    """`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`."""
    signed = f"{uid}.{timestamp}.".encode() + body
    digest = hmac.new(_key(key), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def _key(key: str) -> bytes:
    if not key.startswith("whsec_"):
        return key.encode()
    try:
        return base64.b64decode(key.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise DeliveryError("the webhook's secret begins with whsec_, and is not base64 after that") from None


def _signature(destination: Destination, uid: str, timestamp: int, body: bytes) -> dict[str, str]:
    key = secret.optional(f"{destination.variable}_SECRET")
    signed = {"webhook-signature": signature(key, uid, timestamp, body)} if key else {}
    return {"webhook-timestamp": str(timestamp)} | signed


def _post(destination: Destination, url: str, body: bytes, headers: dict[str, str]) -> tuple[int, str | None]:
    parts = _parts(destination, url)
    connection = _connection(parts)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with within(DELIVERY_SECONDS, lambda: connection.sock) as check:
            connection.connect()
            check()
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheader("Location")
    except (OSError, http.client.HTTPException, ValueError) as error:
        words = secret.without(str(error) or type(error).__name__, url)
        raise DeliveryError(f"the server cannot be reached: {words}") from None
    finally:
        connection.close()


def _parts(destination: Destination, url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_url = False
    if not is_url or parts.username is not None:
        raise DeliveryError(f"{destination.variable} is no URL: write https://host/path, without a user")
    return parts


def _connection(parts: SplitResult) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    if parts.scheme == "http":
        return http.client.HTTPConnection(host, parts.port, timeout=SILENCE_SECONDS)
    context = ssl.create_default_context()
    return http.client.HTTPSConnection(host, parts.port, timeout=SILENCE_SECONDS, context=context)
