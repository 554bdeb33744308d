"""The store of the settings, opened once for each process."""

from __future__ import annotations

from functools import cache

from db.errors import NoStoreError
from db.store import Store, open_store
from workers.settings import settings


@cache
def store() -> Store:
    """The store of the settings, opened once. If there is none yet, NoStoreError; none is made."""
    try:
        return open_store(settings().url, create=False)
    except NoStoreError as error:
        raise NoStoreError(f"{error}{settings().other_stores}") from None


def make_store() -> None:
    """Make the store of the settings if there is none yet. Called by what is about to write to it."""
    open_store(settings().url).close()
