"""What a client can do with trained models."""

from __future__ import annotations

from typing import Any

from db import model_versions
from docmill.client.http import model_calls as calls
from docmill.client.operations.description import Operation, Stores


def versions(name: str | None) -> Operation[list[dict[str, Any]]]:
    """Every version of every model, or of one, newest first."""

    def on_store(stores: Stores) -> list[dict[str, Any]]:
        with stores.there().read() as session:
            found = model_versions.listing(session, name)
        # Where the files are, and the number of a row, mean nothing outside.
        return [{key: value for key, value in row.items() if key not in ("id", "path")} for row in found]

    return Operation(on_store, lambda: calls.versions(name))


def promote(ref: str, alias: str, *, force: bool) -> Operation[str]:
    """An alias stands for a version; the result is NAME@VERSION."""

    def on_store(stores: Stores) -> str:
        with stores.there().write() as session:
            return model_versions.promote(session, ref, alias, force=force).ref

    return Operation(on_store, lambda: calls.promote(ref, alias, force=force))


def rollback(name: str, alias: str) -> Operation[str]:
    """An alias stands for the version before again; the result is NAME@VERSION."""

    def on_store(stores: Stores) -> str:
        with stores.there().write() as session:
            return model_versions.rollback(session, name, alias).ref

    return Operation(on_store, lambda: calls.rollback(name, alias))
