"""Which fields a selection may name: the built-in ones, and those that documents have."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.tables import Document
from db.where.operands import BUILT_IN, InMeta, Operand, in_meta
from db.where.syntax import Field, fail

#: Documents whose fields are looked at for a message, and names in it.
_LOOKED_AT, _NAMED = 2_000, 20


class Fields:
    """The fields of a collection, or of all; each is looked up once."""

    def __init__(self, session: Session, text: str, collection: int | None) -> None:
        self._session, self._text = session, text
        documents = select(Document.id).where(Document.is_latest)
        if collection is not None:
            documents = documents.where(Document.collection_id == collection)
        self._documents = documents
        self._found: dict[tuple[str, ...], Operand] = {}

    def operand(self, field: Field) -> Operand:
        """The field as SQL. ValueError if no document has it, unless there are no documents."""
        if field.steps not in self._found:
            self._found[field.steps] = self._look_up(field)
        return self._found[field.steps]

    def _look_up(self, field: Field) -> Operand:
        if len(field.steps) == 1 and (built_in := BUILT_IN.get(field.steps[0])) is not None:
            return built_in()
        for steps in _meanings(field.steps):
            if self.is_there(steps):
                return in_meta(steps)
        if self.has_documents():
            self.unknown(field)
        return in_meta(field.steps)

    def has_documents(self) -> bool:
        return self._session.scalar(self._documents.limit(1)) is not None

    def is_there(self, steps: tuple[str, ...]) -> bool:
        has_it = self._documents.where(InMeta(steps).is_not(None)).limit(1)
        return self._session.scalar(has_it) is not None

    def unknown(self, field: Field) -> NoReturn:
        """Raise ValueError, with the fields there are."""
        there = names(
            self._session.scalars(self._documents.with_only_columns(Document.meta).limit(_LOOKED_AT))
        )
        known = [*there, *BUILT_IN]
        close = difflib.get_close_matches(field.name, known, n=1)
        if not close:
            close = [name for name in known if name.lower() == field.name.lower()][:1]
        meant = f": did you mean {_written(close[0])}?" if close else ""
        beside_a_sign = self._text[: field.at].rstrip().endswith(("=", "<", ">"))
        if (field.quoted or beside_a_sign) and not close:
            meant = f": a text is written in single quotes, '{field.name}'"
        listed = ", ".join(map(_written, there[:_NAMED])) + (", ..." if len(there) > _NAMED else "")
        fail(
            self._text,
            field.at,
            f"no document has the field {field.name!r}{meant} (they have: {listed or 'no metadata'}; "
            f"every document has {', '.join(BUILT_IN)})",
        )


def check(session: Session, fields: Sequence[str], collection: int | None) -> None:
    """ValueError for a field of the metadata that no document of a collection has."""
    for name in fields:
        known = Fields(session, name, collection)
        if not any(map(known.is_there, _meanings(tuple(name.split("."))))) and known.has_documents():
            known.unknown(Field(tuple(name.split(".")), 0))


def names(metas: Iterable[Mapping[str, Any]]) -> list[str]:
    """The fields in some documents' metadata, those of objects as a.b, the most frequent first."""
    count: dict[str, int] = {}
    for meta in metas:
        for name in _names(meta, ""):
            if name in count or len(count) < 1_000:
                count[name] = count.get(name, 0) + 1
    return sorted(count, key=lambda name: -count[name])


def _names(inside: Mapping[str, Any], before: str) -> Iterator[str]:
    for name, value in inside.items():
        if not name:
            continue  # not a field of people's: db.files.CHOICE
        if isinstance(value, dict):
            yield from _names(value, f"{before}{name}.")
        else:
            yield before + name


def _written(name: str) -> str:
    """As it is written in a selection."""
    return ".".join(step if step.isidentifier() else f'"{step}"' for step in name.split("."))


def _meanings(steps: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """What a.b may mean: the field b of the object a, or a field whose own name has a dot; meta.a is a."""
    yield steps
    if len(steps) > 1:
        if steps[0] == "meta":
            yield from _meanings(steps[1:])
        yield (".".join(steps),)
