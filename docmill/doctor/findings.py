"""What docmill doctor says of one thing."""

from __future__ import annotations

from dataclasses import dataclass

from workers.settings import Settings


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    ok: bool
    detail: str
    fix: str | None = None


def start_with(now_settings: Settings, part: str) -> str:
    """The command that starts a part: all of it together where Redis is the embedded one."""
    return f"docmill {part}" if now_settings.redis_url else "docmill up"
