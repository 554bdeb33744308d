"""From files to texts: the kind `extract`. Its documents are the files of a collection; the texts become documents of
that collection.

Light: the work is in `runner`, and in `readers.extraction`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from nlp_tasks.endpoint import Asked, BadRequestError, Endpoint, Results, Rows, Upload, without
from nlp_tasks.kind import Kind, Runner, Setup, Stage
from nlp_tasks.parameters import CHANGES_NO_RESULT, parameters
from readers.extraction import EXTRACTOR_VERSION
from readers.options import DEFAULT_KEY_FIELD, DEFAULT_LABEL_FIELD, DEFAULT_TEXT_FIELD, ReadOptions


@parameters
class ExtractParameters:
    """What is taken of a file, and how much it may cost."""

    html: Annotated[
        Literal["auto", "main", "whole"],
        Field(
            description="of a web page: its main content, the whole, or the main content where it has navigation"
        ),
    ] = "auto"
    tables: Annotated[
        Literal["apart", "inside"],
        Field(description="tables are left out of the text, or are lines of it with tabs between the cells"),
    ] = "apart"
    seconds: Annotated[
        float,
        Field(
            ge=1,
            le=86_400,
            description="time for one file",
            json_schema_extra={"unit": "seconds", "changes_results": False},
        ),
    ] = 300.0
    megabytes: Annotated[
        int,
        Field(ge=1, le=100_000, description="size of one file, and of all that is packed in it"),
        CHANGES_NO_RESULT,
    ] = 512
    records: Annotated[
        int, Field(ge=1, le=10_000_000, description="records of JSON, tables and Parquet inside one archive")
    ] = 200_000
    text_field: Annotated[
        str,
        Field(min_length=1, max_length=200, description="of records inside archives: the field of the text"),
    ] = DEFAULT_TEXT_FIELD
    key_field: Annotated[
        str,
        Field(min_length=1, max_length=200, description="of records inside archives: the field of the key"),
    ] = DEFAULT_KEY_FIELD
    label_field: Annotated[
        str,
        Field(min_length=1, max_length=200, description="of records inside archives: the field of the label"),
    ] = DEFAULT_LABEL_FIELD
    markup: Annotated[
        Literal["auto", "html", "text"],
        Field(description="of records inside archives: texts with tags, as `docmill add --as` takes them"),
    ] = "auto"
    encoding: Annotated[
        # Those of readers.options.ENCODINGS, which a test compares.
        Literal[
            "",
            "utf-8",
            "cp949",
            "utf-16",
            "utf-16-le",
            "utf-16-be",
            "cp1252",
            "cp932",
            "gb18030",
            "iso2022_kr",
            "iso2022_jp",
        ],
        Field(description="of records inside archives: the encoding; it is detected if none is given"),
    ] = ""
    delimiter: Annotated[
        str, Field(description="of tables inside archives: what separates the columns; detected if not given")
    ] = ""
    pages: Annotated[int, Field(ge=1, le=10_000_000, description="pages of one file")] = 20_000
    chars: Annotated[
        int, Field(ge=1_000, le=100_000_000, description="characters of one file's text and tables")
    ] = 50_000_000
    memory: Annotated[
        int,
        Field(
            ge=100,
            le=100_000,
            description="memory of the process that reads the files; one that needs more has the error MEMORY",
            json_schema_extra={"unit": "MiB"},
        ),
    ] = 900

    def __post_init__(self) -> None:
        _ = self.records_as

    @property
    def records_as(self) -> ReadOptions:
        """How records inside archives are read. ValueError for fields that do not fit together."""
        return ReadOptions(
            encoding=self.encoding or None,
            key_field=self.key_field,
            text_field=self.text_field,
            label_field=self.label_field,
            delimiter=self.delimiter or None,
            markup=self.markup,
        )


@dataclass(frozen=True, slots=True)
class ExtractionRow:
    """What came of one file: figures that show what was lost. Sums over all texts of a container."""

    table: ClassVar[str] = "extraction"

    title: str | None
    #: ISO 639-1; NULL where nothing tells it, or the texts differ.
    language: str | None
    media_type: str
    parser: str
    #: The version of docmill's extractor.
    extractor: int
    #: Texts that became documents.
    n_documents: int
    n_pages: int
    n_chars: int
    #: Digits, signs and punctuation, of what is not blank.
    share_non_letters: float
    #: Characters that stand for lost ones.
    n_replaced: int
    n_tables_left_out: int
    #: Of the tables and of page parts that are not main content.
    n_chars_left_out: int
    n_warnings: int
    #: The first of them.
    warnings: str | None


@dataclass(frozen=True, slots=True)
class ExtractionTextRow:
    """One text of a file, and the document that it became."""

    table: ClassVar[str] = "extraction_text"
    key: ClassVar[tuple[str, ...]] = ("rank",)

    #: From 1, in the order of the file.
    rank: int
    text_key: str
    title: str | None
    language: str | None
    media_type: str
    parser: str
    n_pages: int
    n_chars: int
    n_tables_left_out: int
    #: The version of the document; the store fills it in.
    text_version: int | None = None


@dataclass(frozen=True, slots=True)
class ExtractionWarningRow:
    """Something in a file that did not become text as it should have; or a member of a container that failed."""

    table: ClassVar[str] = "extraction_warning"
    key: ClassVar[tuple[str, ...]] = ("rank",)

    rank: int
    #: Where inside a container; NULL for the file itself.
    member: str | None
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class ExtractionPageRow:
    """A page, slide or sheet of a text: where it stands, and how much of it is text."""

    table: ClassVar[str] = "extraction_page"
    key: ClassVar[tuple[str, ...]] = ("text_rank", "page")

    #: The rank of the text, as in extraction_text.
    text_rank: int
    #: From 1.
    page: int
    start_char: int
    n_chars: int
    share_non_letters: float
    n_replaced: int
    n_tables: int


@dataclass(frozen=True, slots=True)
class ExtractionSectionRow:
    """A heading of a text, and the place where its section starts."""

    table: ClassVar[str] = "extraction_section"
    key: ClassVar[tuple[str, ...]] = ("text_rank", "rank")

    text_rank: int
    #: From 1, in the order of the text.
    rank: int
    #: 1 is the highest.
    level: int
    title: str
    start_char: int


@dataclass(frozen=True, slots=True)
class ExtractionTableRow:
    """A table of a text: its size, and the place where it stands."""

    table: ClassVar[str] = "extraction_table"
    key: ClassVar[tuple[str, ...]] = ("text_rank", "rank")

    text_rank: int
    rank: int
    #: None in a text without pages.
    page: int | None
    start_char: int
    #: Its rows are lines of the text.
    in_text: bool
    n_rows: int
    n_columns: int
    n_chars: int


@dataclass(frozen=True, slots=True)
class ExtractionTableLineRow:
    """A row of a table that is not in the text."""

    table: ClassVar[str] = "extraction_table_row"
    key: ClassVar[tuple[str, ...]] = ("text_rank", "table_rank", "line")

    text_rank: int
    table_rank: int
    #: From 1.
    line: int
    #: A JSON array of texts.
    cells: str


def _request(body: Mapping[str, Any]) -> Asked:
    """A request names an uploaded file in `file`."""
    file = body.get("file")
    if not isinstance(file, str) or not file:
        message = 'file must be the id of an uploaded file with the purpose user_data: {"file": "file-..."}'
        raise BadRequestError(message, param="file")
    if body.get("model") is not None:
        raise BadRequestError("extract uses no model: leave model out", param="model")
    return Asked((file,), without(body, ("file", "model", "user", "metadata")))


def _answer(results: Results) -> dict[str, Any]:
    """The texts, each with what is known of it, and figures that show what was lost."""
    [rows], [made] = results.rows, results.made
    [found] = rows[ExtractionRow.table]
    texts = dict(made)
    about = ("title", "language", "media_type", "n_pages", "n_chars")
    return {
        "object": "extraction",
        **{
            name: found[name]
            for name in ("title", "language", "media_type", "n_pages", "n_chars", "n_replaced")
        },
        "texts": [
            {
                "key": row["text_key"],
                **{name: row[name] for name in about},
                "text": texts.get(row["text_key"]),
            }
            for row in rows[ExtractionTextRow.table]
        ],
        "warnings": [
            {"member": row["member"], "code": row["code"], "message": row["detail"]}
            for row in rows[ExtractionWarningRow.table]
        ],
    }


def _file_text(upload: Upload) -> str:
    from nlp_tasks.extraction.stored_file import StoredFile

    return StoredFile.of_upload(upload).as_text()


def _made(rows: Rows) -> Sequence[tuple[str, int | None]]:
    return [(row["text_key"], row["text_version"]) for row in rows[ExtractionTextRow.table]]


def _open(setup: Setup) -> Runner:
    from nlp_tasks.extraction.runner import Extractor

    return Extractor(setup)


EXTRACT = Kind(
    name="extract",
    summary="Extract the texts of files: PDF, HWP, office, web pages, mail, archives",
    parameters=ExtractParameters,
    rows=(
        ExtractionRow,
        ExtractionTextRow,
        ExtractionWarningRow,
        ExtractionPageRow,
        ExtractionSectionRow,
        ExtractionTableRow,
        ExtractionTableLineRow,
    ),
    stages=(Stage("extract", _open),),
    epoch=EXTRACTOR_VERSION,
    over_files=True,
    endpoint=Endpoint("/v1/extract", _request, _answer, _file_text, _made),
    chunk_documents=64,
    chunk_chars=64_000_000,
)

KINDS = (EXTRACT,)
