"""Keys, texts and labels of Python, pandas, Arrow and databases as those that JSON has. Requires none of these
packages. What becomes of other fields, `metadata` knows."""

from __future__ import annotations

from datetime import date, time
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

#: Classes of pandas whose only value says that there is none.
_MISSING = ("NAType", "NaTType")


def plain(value: Any) -> Any:
    """None, a bool, number, text or list: dates in ISO 8601, whole decimals as integers. NaN, NaT and NA are missing
    values. What has no such form (bytes, say) is returned as it is."""
    if type(value) in (str, int, bool) or value is None:
        return value
    if type(value).__name__ in _MISSING or (isinstance(value, float | Decimal) and value != value):
        return None
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value.is_finite() and value == value.to_integral_value() else value
    if isinstance(value, UUID | PurePath):
        return str(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(each) for each in value]
    if type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "tolist"):
        found = value.tolist()
        return found if type(found) is type(value) else plain(found)
    return value
