"""The step `export`: views, or the results of a query, as files or as a table of another database.

It is made anew if the scheduler dies in the middle: a file is there whole or not at all, a table is written in one
transaction, and changed rows count as exported in the transaction in which the step ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from db import exports
from db.exports import Attempt
from db.nights import running
from db.view_keys import KEYS
from scheduler.exports import making, request, source
from scheduler.exports.manifest import Manifest
from scheduler.exports.request import ExportRequest, Format, Mode
from scheduler.nights import actions
from scheduler.nights.actions import Action, Setting
from scheduler.nights.definition import PLACEHOLDER, Text

EXPORT = "export"
#: Kind -> the view of its newest results: what is exported unless the file says what.
VIEWS: Mapping[str, str] = {
    "extract": "v_extractions",
    "classify": "v_latest_label",
    "summarize": "v_latest_summary",
    "keywords": "v_keywords",
    "entities": "v_entities",
    "generate": "v_generation",
    "similarity": "v_similar",
}


class ExportKeys(BaseModel):
    """The keys of a step that exports."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    what: Annotated[
        Text | None,
        Field(
            description="a view, a table or one SELECT; if not given, the newest results of the night's collection, "
            "a file for each kind of the steps before"
        ),
    ] = None
    to: Annotated[
        Text | None,
        Field(description="a file or folder; {date} and {time} are the night's", examples=["out/{date}"]),
    ] = None
    to_table: Annotated[
        Text | None,
        Field(
            description="env:NAME of a variable with the table's URL; env:NAME/table",
            examples=["env:REPORTS_URL/labels"],
        ),
    ] = None
    format: Annotated[Format | None, Field(description="of files; by the suffix of `to` if not given")] = None
    mode: Annotated[Mode, Field(description="of a table: replace all rows, or update them by key")] = (
        Mode.REPLACE
    )
    key: Annotated[
        tuple[Text, ...], Field(description="the columns that tell rows apart; known for views")
    ] = ()
    only_changed: Annotated[
        bool, Field(description="only rows that have changed since this step exported last")
    ] = False
    bom: Annotated[bool, Field(description="CSV begins with the mark by which Excel knows UTF-8")] = False
    raw: Annotated[bool, Field(description="CSV has texts as they are that a spreadsheet would run")] = False
    seconds: Annotated[float, Field(gt=0, description="how long a query may take")] = 3_600

    @model_validator(mode="after")
    def _can_be(self) -> ExportKeys:
        for words in self._wrong():
            raise ValueError(words)
        try:
            request.check(self.request(self.what or "v_night", "a step", self.to))
        except ValueError as error:
            raise ValueError(str(error).replace("--to-table", "to_table").replace("--", "")) from None
        return self

    def _wrong(self) -> Iterator[str]:
        if (self.to is None) == (self.to_table is None):
            yield 'write where to: either to = "out/{date}" or to_table = "env:NAME/table"'
        if self.to_table is not None and not self.to_table.startswith("env:"):
            yield "to_table: write env:NAME/table, not the URL itself: it may hold a password"
        if self.what is None and self.to_table is not None:
            yield 'to_table needs what, such as what = "v_latest_label"'
        if self.what is not None and self.what.strip().isdecimal():
            yield "what: a night exports views and queries; leave it out for what the steps before made"
        if self.is_word:
            source.view(self.what or "")
        elif self.what is not None and not self.key and (self.only_changed or self.mode is Mode.UPSERT):
            yield 'key is missing: name the columns that tell rows apart, such as key = ["collection", "document_key"]'
        if self.to is not None:
            yield from self._wrong_path(self.to)

    def _wrong_path(self, to: str) -> Iterator[str]:
        for name in PLACEHOLDER.findall(to):
            if name not in ("date", "time", "name"):
                yield f"to: {{{name}}} is unknown: there are {{date}}, {{time}} and {{name}}"
        if self.format is None and (_is_folder(to) or Path(to).suffix[1:].lower() not in list(Format)):
            yield f'format is missing: format = "parquet", or one of {", ".join(Format)}'
        if self.what is None and not _is_folder(to) and "{name}" not in to:
            yield 'to: without what, several files are written: name a folder, such as to = "out/{date}"'

    @property
    def is_word(self) -> bool:
        """Whether `what` is the name of a view or table."""
        return self.what is not None and re.fullmatch(r"\w+", self.what.strip()) is not None

    def request(self, what: str, name: str, to: str | None) -> ExportRequest:
        """One export."""
        return ExportRequest(
            what=what, to=to, to_table=self.to_table, format=self.format, mode=self.mode, key=self.key,
            changed_since=request.LAST if self.only_changed else None, name=name if self.only_changed else None,
            bom=self.bom, raw=self.raw, seconds=self.seconds,
        )  # fmt: skip


def export(setting: Setting) -> str:
    """Make the exports of a step. Doing it twice leaves the same."""
    keys = ExportKeys.model_validate(setting.keys)
    made: list[Manifest] = []
    attempts: list[Attempt] = []
    for wanted in _requests(setting, keys):
        setting.beat()
        made.append(making.export(setting.store, wanted, lambda *_: setting.beat(), attempts.append))
    setting.at_end.extend(partial(exports.count, attempt=attempt) for attempt in attempts)
    return (
        "; ".join(f"{one.to}: {one.n_rows:,} rows" for one in made)
        or "the steps before have no results to export"
    )


def _requests(setting: Setting, keys: ExportKeys) -> Iterator[ExportRequest]:
    for name, what in _whats(setting, keys):
        to = None if keys.to is None else str(_path(setting, keys.to, keys.format, name))
        wanted = keys.request(what, f"{setting.name}/{setting.step_name}/{name}", to)
        yield replace(wanted, key=wanted.key or KEYS.get(name, ()))


def _whats(setting: Setting, keys: ExportKeys) -> Iterator[tuple[str, str]]:
    """(name, what) of each export."""
    if keys.what is not None:
        yield keys.what.strip() if keys.is_word else setting.step_name.replace(" ", "-"), keys.what.strip()
        return
    with setting.store.read() as session:
        before = {
            row.action for row in running.steps_of(session, setting.night_id) if row.step < setting.step
        }
    collection = setting.collection.replace("'", "''")
    for kind, view in VIEWS.items():
        if kind in before:
            order = ", ".join(KEYS[view])
            yield view, f"SELECT * FROM {view} WHERE collection = '{collection}' ORDER BY {order}"  # noqa: S608


def _path(setting: Setting, to: str, format_: Format | None, name: str) -> Path:
    path = setting.path(to.replace("{name}", name))
    return path / f"{name}.{format_}" if _is_folder(to) else path


def _is_folder(to: str) -> bool:
    return to.endswith("/") or not Path(to).suffix


def _note(keys: Mapping[str, Any]) -> str:
    told = ExportKeys.model_validate(keys)
    what = told.what if told.is_word else None
    return (
        f"writes {what or ('a query' if told.what else 'the newest results')} to {told.to or told.to_table}"
    )


actions.register(
    Action(
        EXPORT, "write views or queries to files or a table", export, keys=ExportKeys, note=_note, tells=True
    )
)
