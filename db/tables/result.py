"""One typed table for each sort of result row. The first columns say whose result it is; the rest are the fields
of the kind's row dataclass (a test compares the two).

A table that docmill's own queries name is a class here. The table of any other row class is made from its fields by
`from_row`, when its kind is loaded.
"""

from __future__ import annotations

import types
from functools import cache
from typing import Any

from sqlalchemy import ForeignKey, Index, false, text
from sqlalchemy.orm import Mapped, mapped_column

from db.tables import row_checks
from db.tables.base import Base, tables_of
from db.tables.model import ModelFigure


class JobResult(Base):
    """A row about a document, made by a job. Subclasses add their columns, and those of them that are in the key.

    What refers to job and document is checked by foreign keys on SQLite, and once a statement on PostgreSQL
    (db.migrations.result_tables makes either).
    """

    __abstract__ = True

    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), primary_key=True, sort_order=-2)
    document_id: Mapped[int] = mapped_column(
        ForeignKey("document.id"), primary_key=True, index=True, sort_order=-1
    )


class JobDetail(Base):
    """As JobResult, for rows that are read together with their job's result: no index by document."""

    __abstract__ = True

    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), primary_key=True, sort_order=-2)
    document_id: Mapped[int] = mapped_column(ForeignKey("document.id"), primary_key=True, sort_order=-1)


class VersionResult(Base):
    """A row about a document that belongs to a model version and outlives the job."""

    __abstract__ = True


def by_job() -> set[str]:
    """The tables whose rows belong to a job and a document."""
    return tables_of(JobResult, JobDetail)


def by_model_version() -> set[str]:
    """The tables whose rows belong to a document and a model version, and outlive the job."""
    return tables_of(VersionResult)


@cache
def is_by_model_version(table: str) -> bool:
    """Whether the rows of this table belong to a document and a model version. Asked with each write: found once."""
    [found] = [mapper.class_ for mapper in Base.registry.mappers if mapper.class_.__tablename__ == table]
    return issubclass(found, VersionResult)


def from_rows() -> set[str]:
    """The tables that were made from row classes."""
    return set(_made)


def from_row(row: type, owner: type[JobResult | ModelFigure] = JobResult) -> None:
    """Make the table of a row dataclass: `row.table`, its fields, and `row.key`, the fields that tell the rows of one
    owner apart. If there is a result table of that name with the same columns, it is the row's. TypeError with a
    sentence if the row can be no table (db.tables.row_checks)."""
    row_checks.check_row(row)
    name: str = row.table  # type: ignore[attr-defined]
    if name in Base.metadata.tables:
        siblings = tables_of(ModelFigure) if owner is ModelFigure else by_job() | by_model_version()
        row_checks.check_fits(row, set(Base.metadata.tables[name].c.keys()) if name in siblings else None)
        return
    key = row_checks.key_of(row)
    columns: dict[str, Any] = {}
    annotations: dict[str, Any] = {}
    mapped: Any = Mapped
    for field, hint in row_checks.column_types(row).items():
        columns[field] = mapped_column(primary_key=field in key)
        annotations[field] = mapped[hint]
    body = columns | {"__tablename__": name, "__annotations__": annotations, "__doc__": row.__doc__}
    _made[name] = types.new_class(
        f"{row.__name__}Table", (owner,), exec_body=lambda space: space.update(body)
    )


_made: dict[str, type[Base]] = {}


class Extraction(JobResult):
    """What came of a file: figures over all its texts."""

    __tablename__ = "extraction"

    title: Mapped[str | None]
    language: Mapped[str | None]
    media_type: Mapped[str]
    parser: Mapped[str]
    #: The version of docmill's extractor.
    extractor: Mapped[int]
    #: Texts that became documents.
    n_documents: Mapped[int]
    n_pages: Mapped[int]
    n_chars: Mapped[int]
    share_non_letters: Mapped[float]
    n_replaced: Mapped[int]
    n_tables_left_out: Mapped[int]
    n_chars_left_out: Mapped[int]
    n_warnings: Mapped[int]
    warnings: Mapped[str | None]


class ExtractionText(JobResult):
    """A text of a file; `text_key` is the key of the document that it became."""

    __tablename__ = "extraction_text"

    rank: Mapped[int] = mapped_column(primary_key=True)
    text_key: Mapped[str]
    #: The version of that document; NULL if it became none, since the file was replaced before it was read.
    text_version: Mapped[int | None]
    title: Mapped[str | None]
    language: Mapped[str | None]
    media_type: Mapped[str]
    parser: Mapped[str]
    n_pages: Mapped[int]
    n_chars: Mapped[int]
    n_tables_left_out: Mapped[int]


class ExtractionWarning(JobResult):
    """Something in a file that did not become text as it should have."""

    __tablename__ = "extraction_warning"

    rank: Mapped[int] = mapped_column(primary_key=True)
    #: Where inside a container; NULL for the file itself.
    member: Mapped[str | None]
    code: Mapped[str]
    detail: Mapped[str]


class ExtractionPage(JobDetail):
    """A page, slide or sheet of a text."""

    __tablename__ = "extraction_page"

    #: As in extraction_text.
    text_rank: Mapped[int] = mapped_column(primary_key=True)
    page: Mapped[int] = mapped_column(primary_key=True)
    start_char: Mapped[int]
    n_chars: Mapped[int]
    share_non_letters: Mapped[float]
    n_replaced: Mapped[int]
    n_tables: Mapped[int]


class ExtractionSection(JobDetail):
    """A heading of a text."""

    __tablename__ = "extraction_section"

    text_rank: Mapped[int] = mapped_column(primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True)
    level: Mapped[int]
    title: Mapped[str]
    start_char: Mapped[int]


class ExtractionTable(JobDetail):
    """A table of a text, and where it stands."""

    __tablename__ = "extraction_table"

    text_rank: Mapped[int] = mapped_column(primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True)
    page: Mapped[int | None]
    start_char: Mapped[int]
    in_text: Mapped[bool]
    n_rows: Mapped[int]
    n_columns: Mapped[int]
    n_chars: Mapped[int]


class ExtractionTableRow(JobDetail):
    """A row of a table that is not in its text."""

    __tablename__ = "extraction_table_row"

    text_rank: Mapped[int] = mapped_column(primary_key=True)
    table_rank: Mapped[int] = mapped_column(primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    #: A JSON array of texts.
    cells: Mapped[str]


class Summary(JobResult):
    """A document's summary."""

    __tablename__ = "summary"

    #: The chosen sentences in document order, separated by spaces; or what the model wrote.
    summary: Mapped[str]
    #: The value of the parameter `method`.
    method: Mapped[str]
    #: Sentences in the document.
    n_sentences: Mapped[int]


class SummarySentence(JobDetail):
    """A sentence of a summary: where it stands in the document's text, and its score."""

    __tablename__ = "summary_sentence"

    #: From 1, in document order.
    position: Mapped[int] = mapped_column(primary_key=True)
    #: `text[start_char:end_char]` is the sentence.
    start_char: Mapped[int]
    #: The first character after the sentence.
    end_char: Mapped[int]
    score: Mapped[float]


class SummaryReference(Base):
    """What people wrote as the summary of a document, in a set of references that jobs are judged by."""

    __tablename__ = "summary_reference"

    #: The set: its file's name and a digest of what is in it.
    name: Mapped[str] = mapped_column(primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("document.id"), primary_key=True, index=True)
    reference: Mapped[str]


class SummaryScore(JobResult):
    """ROUGE F1 (0 to 100) of the summary that another job made of a document, against its reference."""

    __tablename__ = "summary_score"

    #: The job that made the summary.
    summary_job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), index=True)
    #: Single tokens: morphemes or words.
    rouge_1: Mapped[float]
    #: Pairs of adjacent tokens.
    rouge_2: Mapped[float]
    #: The longest common subsequence.
    rouge_l: Mapped[float]
    #: Tokens of the summary.
    n_tokens: Mapped[int]
    #: Tokens of the reference.
    n_reference_tokens: Mapped[int]


class Keyword(JobResult):
    """A word or term that a document is about; rank 1 is the most important, with the score 1.0."""

    __tablename__ = "keyword"

    rank: Mapped[int] = mapped_column(primary_key=True)
    term: Mapped[str]
    score: Mapped[float]


class Entity(JobResult):
    """An entity of a document: `text` is what the document has from `start_char` to `end_char`."""

    __tablename__ = "entity"

    #: 1 for the first in the text.
    rank: Mapped[int] = mapped_column(primary_key=True)
    #: Offsets in characters (Unicode code points) of the stored text; the end is exclusive.
    start_char: Mapped[int]
    end_char: Mapped[int]
    #: A label of the model, or of a rule (DATE, MONEY, ...).
    label: Mapped[str]
    text: Mapped[str]
    #: The model's probability; of a rule 1, or less if only its form decided.
    score: Mapped[float]
    #: "model" or "rule".
    source: Mapped[str]
    #: The value in one form for all ways to write it; NULL if there is none.
    normal: Mapped[str | None]


class RedactedText(JobResult):
    """The text of a document with what it must not say replaced by labels."""

    __tablename__ = "redacted_text"

    text: Mapped[str]
    #: Places that were replaced.
    n_redacted: Mapped[int]


class Classification(JobResult):
    """A label of a document; rank 1 is the best. A NULL label is an abstention, with its reason."""

    __tablename__ = "classification"

    rank: Mapped[int] = mapped_column(primary_key=True)
    #: NULL if the model abstained.
    label: Mapped[str | None]
    #: Calibrated probability.
    score: Mapped[float]
    #: Why the model abstained; NULL if there is a label.
    reason: Mapped[str | None]


class ShadowLabel(JobDetail):
    """The best label of a document by a model that is not in use yet; a NULL label is an abstention."""

    __tablename__ = "shadow_label"

    #: NULL if the model abstained.
    label: Mapped[str | None]
    #: Calibrated probability.
    score: Mapped[float]


class LabelTerm(JobDetail):
    """A term of a document that weighed for the label it got; rank 1 weighed most."""

    __tablename__ = "label_term"

    rank: Mapped[int] = mapped_column(primary_key=True)
    #: The label that the document got.
    label: Mapped[str]
    #: A word, a character n-gram or a morpheme.
    term: Mapped[str]
    #: What it added to the label's score, above what it added to the other labels' on average.
    weight: Mapped[float]


class Neighbour(JobResult):
    """A document near another one; rank 1 is the nearest."""

    __tablename__ = "neighbour"

    rank: Mapped[int] = mapped_column(primary_key=True)
    neighbour_id: Mapped[int] = mapped_column(ForeignKey("document.id"), index=True)
    score: Mapped[float]


class NeighbourList(JobResult):
    """Of a document's neighbours, what later jobs need to bring them up to date."""

    __tablename__ = "neighbour_list"
    __table_args__ = (
        Index(
            "ix_neighbour_list_is_cut",
            "document_id",
            sqlite_where=text("is_cut"),
            postgresql_where=text("is_cut"),
        ),
    )

    least: Mapped[float]
    bound: Mapped[float]
    stored: Mapped[bytes]
    #: A removal has deleted a neighbour that was removed: the list may have another one in its place.
    is_cut: Mapped[bool] = mapped_column(server_default=false())


class NeighbourTerm(JobDetail):
    """A word that a document shares with a neighbour; rank 1 weighs most."""

    __tablename__ = "neighbour_term"

    #: `rank` of the neighbour in table `neighbour`.
    neighbour_rank: Mapped[int] = mapped_column(primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True)
    #: The word.
    term: Mapped[str]
    #: Its share of the tf-idf cosine of the two documents.
    weight: Mapped[float]


class NeighbourRecall(JobDetail):
    """What a search by an index has found of a document's nearest, for a sample of a job's documents."""

    __tablename__ = "neighbour_recall"

    #: Neighbours that an exact search finds.
    n_nearest: Mapped[int]
    #: Those of them that are on the document's list.
    n_found: Mapped[int]
    #: Lists of the index.
    n_lists: Mapped[int]
    #: Lists that are read for a document.
    n_read: Mapped[int]


class Embedding(JobResult):
    """A document's vector, as programs compare it: of length 1, so that a scalar product is a score of similarity."""

    __tablename__ = "embedding"

    #: float32, little-endian.
    vector: Mapped[bytes]
    #: Tokens of the document.
    n_tokens: Mapped[int]


class DocumentVector(VersionResult):
    """A document's vector under one model version, kept so that no document is inferred twice."""

    __tablename__ = "document_vector"
    __table_args__ = (Index("ix_document_vector_model_version_id", "model_version_id"),)

    document_id: Mapped[int] = mapped_column(ForeignKey("document.id"), primary_key=True)
    model_version_id: Mapped[int] = mapped_column(ForeignKey("model_version.id"), primary_key=True)
    #: float32, little-endian.
    vector: Mapped[bytes]
    #: The document's words that the model knows: int32 numbers, then uint16 counts, little-endian.
    terms: Mapped[bytes | None]
    #: What its distances are multiplied by in a hybrid score; NULL for 1.
    scale: Mapped[float | None]


class Generation(JobResult):
    """What a language model wrote for a document."""

    __tablename__ = "generation"

    text: Mapped[str]
    #: "stop": the model ended it, or a stop string did; "length": it has as many tokens as it might have.
    finish_reason: Mapped[str]
    #: Tokens of the prompt and of the text; NULL where a server did not tell.
    n_prompt_tokens: Mapped[int | None]
    n_tokens: Mapped[int | None]
    #: Characters at the document's end that the prompt left out.
    n_cut_chars: Mapped[int]
    #: The folder of the model, or what the server calls it; NULL for a model that docmill trained.
    model: Mapped[str | None]


class GenerationField(JobResult):
    """A value of an answer with a schema: that of the column of its type is set."""

    __tablename__ = "generation_field"

    #: 1 for the first in the answer.
    rank: Mapped[int] = mapped_column(primary_key=True)
    #: "amount", "buyer.name", "items[0].price"; "" if the whole answer is one value.
    path: Mapped[str]
    #: "text", "number", "boolean" or "null"; "object" and "array" for an empty one.
    type: Mapped[str]
    text: Mapped[str | None]
    number: Mapped[float | None]
    boolean: Mapped[bool | None]
