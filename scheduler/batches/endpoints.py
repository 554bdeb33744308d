"""Which kind stands for which path: each kind declares its own (nlp_tasks.endpoint)."""

from __future__ import annotations

from nlp_tasks.kind import Kind
from workers import kinds


def by_path() -> dict[str, Kind]:
    """Every kind that has an endpoint, by path. ValueError if two have the same."""
    found: dict[str, Kind] = {}
    for kind in kinds.all_kinds().values():
        if kind.endpoint is None:
            continue
        path = kind.endpoint.path
        if path in found:
            raise ValueError(f"the kinds {found[path].name} and {kind.name} have the same endpoint {path}")
        found[path] = kind
    return found
