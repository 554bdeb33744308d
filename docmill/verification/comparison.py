"""Compares a recomputed result with the stored one. Knows rows and tolerances, no store."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nlp_tasks.errors import DocumentError

#: Two devices, or two sizes of batch, round differently: numbers may differ by this, absolute or relative.
TOLERANCE = 1e-3
#: The same where a model computed in 16 bits. bfloat16 has 8 bits of precision, and rounds at every layer.
ROUNDED = 2e-2


@dataclass(frozen=True)
class Difference:
    """One value that differs from the stored one."""

    document_key: str
    table: str
    #: The field, with the position of the row if there are several.
    what: str
    stored: str
    again: str


def differences(
    key: str,
    code: str | None,
    stored: dict[str, list[dict[str, Any]]],
    again: Sequence[Any] | DocumentError,
    tolerance: float = TOLERANCE,
) -> list[Difference]:
    """`code` is the stored error's, None for a result; `stored` holds the rows by table, in order."""
    code_again = again.code if isinstance(again, DocumentError) else None
    if code != code_again:
        return [Difference(key, "outcome", "code", code or "ok", code_again or "ok")]
    if isinstance(again, DocumentError):
        return []
    found: list[Difference] = []
    for table, rows in stored.items():
        fresh = [row for row in again if row.table == table]
        tied = getattr(fresh[0], "tied", None) if fresh else None
        found += [
            Difference(key, table, *words)
            for words in _in_table(rows, [*map(asdict, fresh)], tied, tolerance)
        ]
    return found


def _in_table(
    stored: list[dict[str, Any]], again: list[dict[str, Any]], tied: str | None, tolerance: float
) -> list[tuple[str, str, str]]:
    if len(stored) != len(again):
        return [("rows", str(len(stored)), str(len(again)))]
    if stored and tied is not None:
        stored = _ties_in_the_same_order(stored, again, tied, tolerance)
    found = []
    for place, (old, new) in enumerate(zip(stored, again, strict=True), start=1):
        for name, value in new.items():
            if not alike(old[name], value, tolerance):
                what = f"{name} {place}" if len(stored) > 1 else name
                found.append((what, _short(old[name]), _short(value)))
    return found


def alike(old: Any, new: Any, tolerance: float = TOLERANCE) -> bool:
    """Equal; or numbers, or vectors of them, equal up to rounding."""
    if isinstance(old, float) and isinstance(new, float):
        return math.isclose(old, new, rel_tol=tolerance, abs_tol=tolerance)
    if isinstance(old, bytes) and isinstance(new, bytes) and len(old) == len(new) and len(old) % 4 == 0:
        a, b = array("f", old), array("f", new)
        scale = max((abs(x) for x in a), default=0.0) or 1.0
        return all(abs(x - y) <= tolerance * scale for x, y in zip(a, b, strict=True))
    return bool(old == new)


def _ties_in_the_same_order(
    stored: list[dict[str, Any]], again: list[dict[str, Any]], tied: str, tolerance: float
) -> list[dict[str, Any]]:
    """Rows of equal score may change places, and the last one may be replaced by another of its score. Returns the
    stored rows with the field `tied` of such rows as it is now."""
    places = {row[tied]: row["score"] for row in again}
    last = again[-1]["score"]
    renamed = []
    for old, new in zip(stored, again, strict=True):
        as_good_now = alike(places.get(old[tied], last), old["score"], tolerance)
        tie = as_good_now and alike(old["score"], new["score"], tolerance)
        renamed.append(old | {tied: new[tied]} if tie else old)
    return renamed


def _short(value: Any) -> str:
    if isinstance(value, bytes):
        return "a vector" if len(value) % 4 == 0 else f"{len(value)} bytes"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 80 else text[:79] + "…"
