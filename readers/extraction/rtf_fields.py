"""What RTF says in fields and in its information group. Reads no files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

#: A reading above characters, as Word and LibreOffice write it: EQ \* jc2 \o\ad(\s\up 9(reading),characters).
_RUBY = re.compile(r"\s*EQ\s.*?\\o.*?\(\s*\\s\s*\\up\s*\d*\s*\(([^()]*)\)\s*[,;](.*)\)\s*\Z", re.DOTALL)
_LONGEST = 2_000


def shown(instruction: str) -> str:
    """The text of a field that has no other result than what its instruction holds: characters with a reading."""
    found = _RUBY.match(instruction) if len(instruction) <= _LONGEST else None
    return found[2].strip() if found else ""


def moment(parts: Mapping[str, int]) -> str | None:
    r"""The time in ISO 8601 of \creatim: yr, mo, dy, hr, min."""
    try:
        names = ("yr", "mo", "dy", "hr", "min", "sec")
        defaults = (0, 1, 1, 0, 0, 0)
        return datetime(*(parts.get(n, d) for n, d in zip(names, defaults, strict=True))).isoformat()  # type: ignore[arg-type]
    except (ValueError, OverflowError):
        return None
