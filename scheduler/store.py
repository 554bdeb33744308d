"""The store of the settings, opened once for each process."""

from __future__ import annotations

from functools import cache

from db import migrations
from db.errors import NoStoreError, OldSchemaError
from db.store import Store, open_store
from workers import kinds
from workers.settings import settings


@cache
def store() -> Store:
    """The store of the settings, opened once. NoStoreError if there is none yet; none is made."""
    try:
        return open_store(settings().url, create=False)
    except NoStoreError as error:
        raise NoStoreError(f"{error}{settings().other_stores}") from None


def make_store() -> Store:
    """The store of the settings, which is made if there is none yet. Call it once there is something to store."""
    kinds.all_kinds()
    open_store(settings().url).close()
    return store()


def open_for_work() -> Store:
    """A store of the settings that is safe and has the tables of every kind, for what runs jobs. Made if there is
    none. On SQLite, missing tables are made; on PostgreSQL they raise OldSchemaError."""
    kinds.all_kinds()
    opened = open_store(settings().url)
    try:
        opened.check_durability()
        check_tables(opened)
    except BaseException:
        opened.close()
        raise
    return opened


def check_tables(opened: Store) -> None:
    """OldSchemaError if a kind's result table is missing; SQLite's are made. Every kind has to be loaded."""
    missing = migrations.missing_tables(opened)
    if missing and opened.is_sqlite:
        migrations.upgrade(opened)
    elif missing:
        raise OldSchemaError(
            f"{opened.name} has no table {', '.join(missing)}, which a kind from another package needs: "
            "run `docmill db upgrade` where that package is installed"
        )
