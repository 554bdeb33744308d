"""A client's connection straight to the store."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from db.store import Store, check
from docmill.client.addition import Addition
from docmill.client.operations.description import Operation, Rows
from docmill.errors import only_docmill_errors
from scheduler import adding
from scheduler import store as settings_store
from scheduler.adding import Report
from workers import kinds

T = TypeVar("T")


class StoreConnection:
    """Connects on first use. Threads may share it."""

    def __init__(self, database_url: str) -> None:
        with only_docmill_errors():
            self._store = Store(database_url)
        self._is_checked = False

    def run(self, operation: Operation[T]) -> T:
        """Carry out an operation."""
        with only_docmill_errors():
            return operation.on_store(self)

    def rows(self, rows: Rows[T]) -> Generator[T]:
        """The rows, read as they are asked for."""
        with only_docmill_errors():
            yield from rows.on_store(self)

    def add(self, addition: Addition) -> Report:
        """Store documents."""
        with only_docmill_errors():
            if addition.records is not None:
                return adding.add_records(
                    self.made,
                    addition.records,
                    collection=addition.collection,
                    options=addition.options,
                    tell=addition.tell,
                )
            return adding.add(
                self.made,
                collection=addition.collection,
                source=addition.source,
                options=addition.options,
                tell=addition.tell,
                extract=addition.extract,
                extract_again=addition.extract_again,
            )

    def close(self) -> None:
        """Close the connections. The next call opens new ones."""
        self._store.close()

    def there(self) -> Store:
        """The store, checked once. NoStoreError if there is none; none is made."""
        if not self._is_checked:
            check(self._store, create=False)
            self._is_checked = True
        return self._store

    def made(self) -> Store:
        """The same, made if there is none."""
        if not self._store.is_made:
            kinds.all_kinds()
        check(self._store)
        return self.there()


class SharedStoreConnection(StoreConnection):
    """The store of the settings, which this process shares and which is looked up at every call."""

    def __init__(self) -> None:
        pass

    def close(self) -> None:
        """Nothing: others use that store too."""

    def there(self) -> Store:
        return settings_store.store()

    def made(self) -> Store:
        return settings_store.make_store()
