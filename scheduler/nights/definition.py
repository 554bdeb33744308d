"""The model of a night's file. Field descriptions are in its JSON Schema, which editors show."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

#: "30 d" and the like.
_UNITS = {"s": 1, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|h|d|w)")
_FOLDER = re.compile(r"folder:([1-9]\d?)")
#: What paths have filled in.
PLACEHOLDER = re.compile(r"\{(\w*)\}")
_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%")

#: Names that are also steps, or words of the commands.
Name = Annotated[str, Field(min_length=1, max_length=100)]
Text = Annotated[str, Field(min_length=1)]


def seconds_of(text: str) -> float:
    """ "30 min" as seconds; ValueError with an example."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no duration: write 90 s, 30 min, 2 h, 30 d or 2 w")
    return float(found[1]) * _UNITS[found[2]]


def share_or_number(value: str | int) -> tuple[float, bool]:
    """ "10 %" as (0.1, True), 100 as (100, False)."""
    if isinstance(value, int):
        return float(value), False
    found = _SHARE.fullmatch(value.strip())
    if found is None:
        raise ValueError(f'{value!r} is neither a number nor a share: write 100 or "10 %"')
    return float(found[1]) / 100, True


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScheduleTable(_Table):
    """When the night begins, and when it ends."""

    cron: Annotated[
        Text,
        Field(
            description="minute, hour, day of month, month, day of week; or @daily", examples=["0 1 * * *"]
        ),
    ]
    time_zone: Annotated[Text, Field(description="of cron and finish_by", examples=["Asia/Seoul"])] = "UTC"
    finish_by: Annotated[
        Text | None,
        Field(description="the night stops at this time; what is left is carried over", examples=["07:00"]),
    ] = None
    deadline: Annotated[
        Text | None, Field(description="people are told if the night is not done by then", examples=["06:30"])
    ] = None
    catchup: Annotated[
        Literal["none", "latest", "all"], Field(description="nights that were missed while no scheduler ran")
    ] = "latest"
    overlap: Annotated[
        Literal["skip", "queue", "replace"], Field(description="a night that is due while one still runs")
    ] = "skip"

    @field_validator("finish_by", "deadline")
    @classmethod
    def _is_a_time(cls, value: str | None) -> str | None:
        from scheduler import cron

        return cron.check_local_time(value) if value is not None else None

    @model_validator(mode="after")
    def _has_a_cron(self) -> ScheduleTable:
        from scheduler import cron

        cron.check(self.cron, self.time_zone)
        return self


def folders_of(metadata: Mapping[str, str]) -> dict[str, int]:
    """{"company": "folder:1"} as {"company": 1}; ValueError with an example."""
    found = {name: _FOLDER.fullmatch(value.strip()) for name, value in metadata.items()}
    for name, match in found.items():
        if match is None or not name:
            raise ValueError(
                f'metadata.{name}: {metadata[name]!r} is unknown: write "folder:1" for the first folder'
            )
    return {name: int(match[1]) for name, match in found.items() if match is not None}


class SourceTable(_Table):
    """Where documents come from: what `docmill add` reads."""

    files: Annotated[
        str | tuple[str, ...] | None,
        Field(description="files, folders and patterns; relative ones start from the file's folder"),
    ] = None
    sql: Annotated[
        Text | None, Field(description="one SELECT with the columns id and text, or those named below")
    ] = None
    database: Annotated[
        Text | None, Field(description="of sql: a URL, or env:NAME for the variable that holds it")
    ] = None
    values: Annotated[dict[str, Any], Field(description="of the :names in sql")] = {}
    key_field: Text | None = None
    text_field: Text | None = None
    label_field: Text | None = None
    encoding: Text | None = None
    delimiter: Text | None = None
    metadata: Annotated[
        dict[str, str],
        Field(
            description='from the folders that a file lies in: { company = "folder:1", year = "folder:2" } counts '
            "below the folder that `files` names, or below what stands before a pattern"
        ),
    ] = {}

    @model_validator(mode="after")
    def _is_one(self) -> SourceTable:
        if (self.files is None) == (self.sql is None):
            raise ValueError("a source has either files or sql")
        if (self.sql is None) != (self.database is None):
            raise ValueError("sql needs database, and database needs sql")
        if self.metadata and self.files is None:
            raise ValueError("metadata is for files; of a query, every other column is kept as metadata")
        folders_of(self.metadata)
        return self


class WhenTable(_Table):
    """A training is due if one of these holds; without it, if any document or label is new."""

    new_documents: Annotated[
        str | int | None,
        Field(
            description='new or changed since the last training: a number, or "10 %" of all',
            examples=["10 %"],
        ),
    ] = None
    corrections: Annotated[
        int | None, Field(ge=1, description="labels that people gave since the last training")
    ] = None
    older_than: Annotated[str | None, Field(description="age of the newest version", examples=["30 d"])] = (
        None
    )
    drift: Annotated[
        float | None,
        Field(
            gt=0,
            description="of a classifier: population stability index of its labels of new documents, against those "
            "of earlier ones",
            examples=[0.25],
        ),
    ] = None

    @field_validator("older_than")
    @classmethod
    def _is_a_duration(cls, value: str | None) -> str | None:
        if value is not None:
            seconds_of(value)
        return value

    @field_validator("new_documents")
    @classmethod
    def _is_a_share(cls, value: str | int | None) -> str | int | None:
        if value is not None:
            share_or_number(value)
        return value


class StepTable(_Table):
    """What a step does. A kind of jobs (`docmill kinds`), `train KIND`, or an action."""

    #: Actions have further keys, which their own models check.
    model_config = ConfigDict(extra="allow", frozen=True)

    do: Annotated[
        Text, Field(description="a kind of jobs, `train KIND`, export or digest", examples=["summarize"])
    ]
    name: Annotated[Name | None, Field(description="of the step, if two do the same")] = None
    collection: Annotated[Name | None, Field(description="if not the night's")] = None
    model: Annotated[
        Text | None, Field(description="NAME, NAME@VERSION or NAME@ALIAS; of a training, the model's name")
    ] = None
    parameters: Annotated[dict[str, Any], Field(description="of the kind")] = {}
    where: Annotated[Text | None, Field(description="which documents", examples=["lang = 'ko'"])] = None
    value: Annotated[
        Text | None,
        Field(
            description="which documents come first in a night that is too short", examples=["published desc"]
        ),
    ] = None
    priority: Annotated[int, Field(ge=0, le=9, description="0 (lowest) to 9 (highest)")] = 5
    after: Annotated[
        tuple[Name, ...], Field(description="names of earlier steps that must succeed first")
    ] = ()
    retry: Annotated[
        Literal["passing", "all", "none"] | tuple[str, ...],
        Field(
            description="which failed documents are tried again: those whose error says nothing about them "
            "(passing), all, none, or those with these error codes too"
        ),
    ] = "passing"
    when: Annotated[WhenTable | None, Field(description="of a training: when it is due")] = None
    time_limit: Annotated[
        Text | None, Field(description="the step stops after this time", examples=["30 min"])
    ] = None

    @field_validator("time_limit")
    @classmethod
    def _is_a_duration(cls, value: str | None) -> str | None:
        if value is not None:
            seconds_of(value)
        return value

    @property
    def others(self) -> dict[str, Any]:
        """The keys of an action."""
        return dict(self.model_extra or {})


def _as_tuple(value: Any) -> Any:
    """One path may be written without brackets."""
    return (value,) if isinstance(value, str) else value


class ReportTable(_Table):
    """The digest of each night, written at its end, also if a step has failed."""

    to: Annotated[
        tuple[Text, ...],
        BeforeValidator(_as_tuple, json_schema_input_type=str | tuple[str, ...]),
        Field(
            min_length=1,
            description="files; {date} is the night's date; relative ones start from the file's folder",
            examples=["reports/{date}.html"],
        ),
    ]
    language: Annotated[Literal["en", "ko"], Field(description="of the page")] = "en"

    @field_validator("to")
    @classmethod
    def _are_files(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            unknown = set(PLACEHOLDER.findall(one)) - {"date", "time"}
            if unknown or one.endswith("/"):
                raise ValueError(
                    f'{one!r}: write a file such as "reports/{{date}}.html"; there are {{date}} and {{time}}'
                )
        return value


class NotifyTable(_Table):
    """Who is notified of what. Secrets are in environment variables of the scheduler, never in the file."""

    on: Annotated[
        tuple[Text, ...],
        Field(
            min_length=1, description="late, failed, recovered, model refused, errors", examples=[["late"]]
        ),
    ]
    smtp: Annotated[Text | None, Field(description="env:NAME of a variable with the server's URL")] = None
    webhook: Annotated[Text | None, Field(description="env:NAME of a variable with the URL")] = None
    command: Annotated[Text | None, Field(description="env:NAME of a variable with the command")] = None
    to: Annotated[tuple[Text, ...], Field(description="addresses, for smtp")] = ()

    @property
    def destination(self) -> str:
        """As `docmill schedule add --to` accepts it."""
        channel = next(name for name in ("smtp", "webhook", "command") if getattr(self, name) is not None)
        return ":".join([channel, getattr(self, channel), *([",".join(self.to)] if self.to else [])])

    @model_validator(mode="after")
    def _is_a_rule(self) -> NotifyTable:
        from scheduler.notifying import destinations

        if [self.smtp, self.webhook, self.command].count(None) != 2:
            raise ValueError("write one of smtp, webhook and command")
        destinations.parse(self.destination)
        destinations.events(",".join(self.on))
        return self


class Definition(_Table):
    """A nightly plan."""

    name: Annotated[Name, Field(description="of the night; a schedule of this name fires it")]
    collection: Annotated[Name, Field(description="whose documents the steps take, and the sources add to")]
    schedule: ScheduleTable | None = None
    source: tuple[SourceTable, ...] = ()
    missing: Annotated[
        Literal["keep", "remove"],
        Field(
            description="documents that no source has any more: keep them, or remove them from the collection "
            "(their results stay in the store)"
        ),
    ] = "keep"
    step: Annotated[tuple[StepTable, ...], Field(min_length=1)]
    report: ReportTable | None = None
    notify: tuple[NotifyTable, ...] = ()


def schema() -> dict[str, Any]:
    """The JSON Schema of the file, without the keys of actions (`reading.schema`)."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Definition.model_json_schema()
