"""docmill --version and --verbose: the version, and which store and Redis a command uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from docmill.commands.output import say, warn


def version(wanted: bool) -> None:
    """Print the version and exit."""
    if wanted:
        from importlib.metadata import version as installed

        say(f"docmill {installed('docmill')}")
        raise typer.Exit


def say_where() -> None:
    """The store and the Redis of this command, on stderr."""
    facts = where()
    warn(f"store: {facts['store']}" + ("" if facts["exists"] else ": does not exist yet"))
    warn(f"redis: {facts['redis']}")


def where() -> dict[str, Any]:
    """What the settings stand for, without passwords; nothing is created."""
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
    """Print on stderr that a store was created inside: it may be in the wrong folder."""
    from db.store import Store
    from workers.settings import settings

    store = Store(settings().url)
    was_made = store.is_made
    try:
        yield
    finally:
        if not was_made and store.is_made:
            warn(f"new store: {store.name}")
