"""Requests about models."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from docmill.client.http import paging
from docmill.client.http.exchange import part
from docmill.client.operations.description import Answer, Call, Steps, one

Row = dict[str, Any]

#: What a version has there besides, for OpenAI's clients.
_BESIDES = ("id", "object", "created", "owned_by")


def versions(name: str | None) -> Steps[list[Row]]:
    """GET /v1/models"""
    return one(Call("GET", "/v1/models", _versions, {} if name is None else {"model": name}))


def promote(ref: str, alias: str, *, force: bool) -> Steps[str]:
    """POST /v1/models/NAME@VERSION/promote"""
    return one(_change(ref, "promote", {"alias": alias, "force": force}))


def rollback(name: str, alias: str) -> Steps[str]:
    """POST /v1/models/NAME/rollback"""
    return one(_change(name, "rollback", {"alias": alias}))


def _change(ref: str, what: str, body: Row) -> Call[str]:
    path = f"/v1/models/{part(ref)}/{what}"
    return Call("POST", path, lambda answer: str(answer.json()["id"]), body=body, idempotency_key=uuid4().hex)


def _versions(answer: Answer) -> list[Row]:
    turned = paging.with_times("created_at", "pruned_at")
    rows = [turned(row) for row in answer.json()["data"]]
    return [{name: value for name, value in row.items() if name not in _BESIDES} for row in rows]
