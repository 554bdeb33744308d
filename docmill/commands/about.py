"""What docmill this is, and which store it works on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from docmill.commands.output import say, warn


def version(wanted: bool) -> None:
    """Print the version, and leave."""
    if wanted:
        from importlib.metadata import version as installed

        say(f"docmill {installed('docmill')}")
        raise typer.Exit


def say_where() -> None:
    """The store and the Redis of this command, on stderr."""
    facts = where()
    warn(f"store: {facts['store']}" + ("" if facts["exists"] else ": there is none yet"))
    warn(f"redis: {facts['redis']}")


def where() -> dict[str, Any]:
    """What the settings lead to; nothing is made, and no password is in it."""
    from db.store import Store
    from workers.settings import settings

    store = Store(settings().url)
    return {
        "store": store.name,
        "exists": store.is_made,
        "redis": settings().redis_name,
        "home": str(settings().home_path),
        "models": str(settings().models_path),
    }


@contextmanager
def telling_of_a_new_store() -> Iterator[None]:
    """For what makes a store where there is none: it says so on stderr, since it may be in the wrong folder."""
    from db.store import Store
    from workers.settings import settings

    store = Store(settings().url)
    was_made = store.is_made
    try:
        yield
    finally:
        if not was_made and store.is_made:
            warn(f"new store: {store.name}")
