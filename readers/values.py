"""Values of Python, pandas, Arrow and databases as those that JSON has. Requires none of these packages."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

#: Classes of pandas whose only value says that there is none.
_MISSING = ("NAType", "NaTType")


def plain_fields(fields: Mapping[Any, Any]) -> dict[str, Any]:
    """A record with plain values, and names that are texts."""
    return {str(name): plain(value) for name, value in fields.items()}


def plain(value: Any) -> Any:
    """None, a bool, number, text, list or dictionary: dates in ISO 8601, whole decimals as integers. NaN, NaT and NA
    are missing values. What has no such form (bytes, say) is returned as it is."""
    if value is None or type(value) in (str, bool, int):
        return value
    if isinstance(value, float):
        # Of numpy, too. Infinity is no JSON, and no fact about a document.
        return float(value) if math.isfinite(value) else None
    if type(value).__name__ in _MISSING:
        return None
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, UUID | PurePath):
        return str(value)
    if isinstance(value, Mapping):
        return plain_fields(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(each) for each in value]
    return _of_numpy(value)


def _number(value: Decimal) -> Any:
    if not value.is_finite():
        return None
    if value == value.to_integral_value() and abs(value.adjusted()) < 300:
        return int(value)
    # A float where it is the same number; the digits otherwise.
    return float(value) if Decimal(repr(float(value))) == value else str(value)


def _of_numpy(value: Any) -> Any:
    """A scalar or an array of numpy, known by what it can do."""
    if type(value).__name__ == "datetime64":
        said = str(value)
        return None if said == "NaT" else said
    if hasattr(value, "tolist") and type(value).__module__.partition(".")[0] == "numpy":
        found = value.tolist()
        return value if found is value else plain(found)
    return value
