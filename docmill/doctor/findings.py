"""One finding of docmill doctor."""

from __future__ import annotations

from dataclasses import dataclass

from workers.settings import Settings


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    what: str
    ok: bool
    detail: str
    fix: str | None = None


def start_with(now_settings: Settings, part: str) -> str:
    """The command that starts a part; `docmill up` if the embedded Redis is used."""
    return f"docmill {part}" if now_settings.redis_url else "docmill up"
