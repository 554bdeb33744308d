"""One typed table per sort of result row. The first columns say whose result it is; the rest are the row's
fields, as the kind's row dataclass in nlp_tasks has them (a test holds the two together)."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base


class Summary(Base):
    """A document's summary."""

    __tablename__ = "summary"

    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("document.id"), primary_key=True, index=True)
    summary: Mapped[str]
    method: Mapped[str]
    #: Sentences in the document.
    n_sentences: Mapped[int]


class SummarySentence(Base):
    """A sentence of a summary: where it stands in the document's text, and its score."""

    __tablename__ = "summary_sentence"

    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("document.id"), primary_key=True)
    #: From 1, in document order.
    position: Mapped[int] = mapped_column(primary_key=True)
    #: text[start_char:end_char] is the sentence.
    start_char: Mapped[int]
    end_char: Mapped[int]
    score: Mapped[float]


class SummaryReference(Base):
    """What people wrote as the summary of a document, in a set of references that jobs are judged by."""

    __tablename__ = "summary_reference"

    #: The set: its file's name and a digest of what is in it.
    name: Mapped[str] = mapped_column(primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("document.id"), primary_key=True, index=True)
    reference: Mapped[str]


class SummaryScore(Base):
    """ROUGE F1 (0 to 100) of the summary that another job made of a document, against its reference."""

    __tablename__ = "summary_score"

    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("document.id"), primary_key=True, index=True)
    #: The job that made the summary.
    summary_job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), index=True)
    rouge_1: Mapped[float]
    rouge_2: Mapped[float]
    rouge_l: Mapped[float]
    n_tokens: Mapped[int]
    n_reference_tokens: Mapped[int]


class Keyword(Base):
    """A word or term that a document is about; rank 1 is the most important, with the score 1.0."""

    __tablename__ = "keyword"

    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("document.id"), primary_key=True, index=True)
    rank: Mapped[int] = mapped_column(primary_key=True)
    term: Mapped[str]
    score: Mapped[float]


class Classification(Base):
    """A label of a document; rank 1 is the best. A NULL label is an abstention, with its reason."""

    __tablename__ = "classification"

    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("document.id"), primary_key=True, index=True)
    rank: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str | None]
    #: Calibrated probability.
    score: Mapped[float]
    reason: Mapped[str | None]


class ShadowLabel(Base):
    """The best label of a document by a model that is not in use yet; a NULL label is an abstention."""

    __tablename__ = "shadow_label"

    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("document.id"), primary_key=True)
    label: Mapped[str | None]
    score: Mapped[float]


class LabelTerm(Base):
    """A term of a document that weighed for the label it got; rank 1 weighed most."""

    __tablename__ = "label_term"

    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("document.id"), primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str]
    term: Mapped[str]
    #: What it added to the label's score, above what it added to the other labels' on average.
    weight: Mapped[float]


class Neighbour(Base):
    """A document near another one; rank 1 is the nearest, score is their cosine."""

    __tablename__ = "neighbour"

    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("document.id"), primary_key=True, index=True)
    rank: Mapped[int] = mapped_column(primary_key=True)
    neighbour_id: Mapped[int] = mapped_column(ForeignKey("document.id"))
    score: Mapped[float]


class NeighbourTerm(Base):
    """A word that a document shares with a neighbour; rank 1 weighs most."""

    __tablename__ = "neighbour_term"

    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("document.id"), primary_key=True)
    neighbour_rank: Mapped[int] = mapped_column(primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True)
    term: Mapped[str]
    #: Its share of the tf-idf cosine of the two documents.
    weight: Mapped[float]


class DocumentVector(Base):
    """A document's vector under one model version, kept so that no document is inferred twice."""

    __tablename__ = "document_vector"
    __table_args__ = (Index("ix_document_vector_model_version_id", "model_version_id"),)

    document_id: Mapped[int] = mapped_column(ForeignKey("document.id"), primary_key=True)
    model_version_id: Mapped[int] = mapped_column(ForeignKey("model_version.id"), primary_key=True)
    #: float32, little-endian.
    vector: Mapped[bytes]
    #: The document's words that the model knows: int32 numbers, then uint16 counts, little-endian.
    terms: Mapped[bytes | None]
