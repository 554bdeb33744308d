"""The digest of a night: one HTML file that a person reads in the morning."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from docmill.pages.night import facts, page
from docmill.pages.night.facts import Night

if TYPE_CHECKING:
    from db.store import Store

__all__ = ["digest", "write"]


def digest(store: Store, run_id: int | None = None, language: str = "en") -> str:
    """The digest of a run, or of the newest one: an HTML page that loads nothing. NotFoundError if there is none."""
    return page.page(_night(store, run_id), language)


def write(store: Store, to: str, run_id: int | None = None, language: str = "en") -> Path:
    """Write it to a file, whole or not at all; {date} in the name is the night's date in the time zone of its
    schedule. Returns the file. ValueError for another name in braces."""
    from scheduler.exports.whole_file import whole

    for name in _PLACEHOLDER.findall(to):
        if name != "{date}":
            raise ValueError(f"{to}: {name} is unknown: there is {{date}}")
    night = _night(store, run_id)
    date = night.row["due_at"].astimezone(ZoneInfo(night.time_zone))
    path = Path(to.replace("{date}", f"{date:%Y-%m-%d}"))
    with whole(path) as part:
        part.write_text(page.page(night, language), encoding="utf-8")
    return path


_PLACEHOLDER = re.compile(r"\{\w+\}")


def _night(store: Store, run_id: int | None) -> Night:
    with store.read() as session:
        return facts.of(session, run_id)
