"""Writes the copy: the application is asked for each page as a reader would be, and what it links to comes next."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from db.access import Access, Role
from db.errors import StoreError
from db.store import Store
from docmill.web.app import STATIC, create_app
from docmill.web.static_copy import folder
from docmill.web.static_copy.asking import ask
from docmill.web.static_copy.limits import Limits, Pages
from docmill.web.static_copy.rewriting import Style, as_file

#: Who reads: the actions of other roles are not on the pages.
_READER = Access("a copy of the pages", Role.READ)


@dataclass(frozen=True)
class Copied:
    """What was written."""

    made_at: datetime
    n_pages: int
    n_bytes: int
    limits: Limits
    #: By the name of a page: how many are linked to and beyond the limits.
    n_left_out: dict[str, int]


def copy(store: Store, to: Path, limits: Limits, tell: Callable[[int], None]) -> Copied:
    """Write the pages of a store into a folder, which is replaced as a whole. `tell` is called with the number of pages
    so far. ValueError if the folder is not ours to replace; StoreError if the store fails in between, and the folder is
    then as it was."""
    with folder.replaced(to) as new:
        made = asyncio.run(_write(store, new, limits, tell))
        facts = asdict(made) | {"made_at": made.made_at.isoformat(), "docmill": version("docmill")}
        (new / folder.MARK).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return made


async def _write(store: Store, new: Path, limits: Limits, tell: Callable[[int], None]) -> Copied:
    app, style, now = create_app(store, everybody=_READER), Style(STATIC / "style.css"), datetime.now(UTC)
    about = f"A copy of {now:%Y-%m-%d %H:%M} UTC with {limits.words}."
    pages = Pages(app, limits)
    pages.begin()
    n_bytes = 0
    while (address := pages.next()) is not None:
        answer = await ask(app, address)
        if answer.status not in (200, 404):
            # 404: it was removed since the page that links to it was read. This file says so.
            raise StoreError(
                f"the page {address} has the status {answer.status}: `docmill doctor` says what is wrong"
            )
        text = as_file(answer.body, lambda href: pages.link(href, on=address), style, about)
        file = new / pages.files[address]
        file.parent.mkdir(parents=True, exist_ok=True)
        n_bytes += file.write_text(text, encoding="utf-8", newline="\n")
        tell(len(pages.files))
    left_out = {name: len(addresses) for name, addresses in sorted(pages.left_out.items())}
    return Copied(now, len(pages.files), n_bytes, limits, left_out)
