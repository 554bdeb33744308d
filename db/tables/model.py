"""Trained models: a name, its immutable versions, and the names that move between them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base, CreatedAt, Id


class Model(Base):
    """A model under one name; `kind` is the kind of job that trains it, or `encoder` if it was imported."""

    __tablename__ = "model"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    created_at: Mapped[CreatedAt]


class ModelVersion(Base):
    """One immutable build. Its files lie in the models folder under `path` and match `manifest_sha256`."""

    __tablename__ = "model_version"
    __table_args__ = (UniqueConstraint("model_id", "version"),)

    id: Mapped[Id]
    model_id: Mapped[int] = mapped_column(ForeignKey("model.id"))
    version: Mapped[int]
    #: The training job, which makes at most one version, however often it runs; NULL if the model was imported.
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"), unique=True)
    #: Relative to the models folder, which may be mounted elsewhere on each machine.
    path: Mapped[str]
    manifest_sha256: Mapped[str]
    parameters: Mapped[dict[str, Any]]
    created_at: Mapped[CreatedAt]
    #: When its files and vectors were deleted, because its retention time was over. The row stays: results refer to it.
    pruned_at: Mapped[datetime | None]


class ModelFigure(Base):
    """A row that a training reports about its model beside the metrics (`Kind.figures`)."""

    __abstract__ = True

    model_version_id: Mapped[int] = mapped_column(
        ForeignKey("model_version.id"), primary_key=True, sort_order=-1
    )


class ModelMetric(Base):
    """One figure of a model version: accuracy, macro_f1, n_documents, ..."""

    __tablename__ = "model_metric"

    model_version_id: Mapped[int] = mapped_column(ForeignKey("model_version.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float]


class ModelLabelMetric(ModelFigure):
    """How well a model version does on one label, on documents that training did not see."""

    __tablename__ = "model_label_metric"

    #: The label.
    label: Mapped[str] = mapped_column(primary_key=True)
    #: Share of the documents that got the label and have it.
    precision: Mapped[float]
    #: Share of the documents that have the label and got it.
    recall: Mapped[float]
    #: Harmonic mean of precision and recall.
    f1: Mapped[float]
    #: Documents that have the label.
    support: Mapped[int]
    #: Documents that got the label.
    n_predicted: Mapped[int]
    #: The probability from which on it is given, where documents may have several labels.
    threshold: Mapped[float | None]


class ModelEntityMetric(ModelFigure):
    """How well a model version finds the entities of one label, in documents that training did not see."""

    __tablename__ = "model_entity_metric"

    #: The label.
    label: Mapped[str] = mapped_column(primary_key=True)
    #: Share of the found entities that are marked, with the same place and label.
    precision: Mapped[float]
    #: Share of the marked entities that were found.
    recall: Mapped[float]
    #: Harmonic mean of precision and recall.
    f1: Mapped[float]
    #: Marked entities, and found ones.
    support: Mapped[int]
    n_predicted: Mapped[int]


class ModelConfusion(ModelFigure):
    """How many documents of one label were given another label, or the same. Pairs without a document have no row."""

    __tablename__ = "model_confusion"

    #: The label that the documents have.
    true_label: Mapped[str] = mapped_column(primary_key=True)
    #: The label that they got.
    predicted_label: Mapped[str] = mapped_column(primary_key=True)
    #: Number of documents.
    n_documents: Mapped[int]


class ModelReliability(ModelFigure):
    """Decisions of about the same confidence: how sure the model was on average, and how often it was right."""

    __tablename__ = "model_reliability"

    #: From 0 (least sure).
    bin: Mapped[int] = mapped_column(primary_key=True)
    #: Number of decisions.
    n_decisions: Mapped[int]
    #: Their mean probability.
    confidence: Mapped[float]
    #: Share of them that were right.
    share_right: Mapped[float]


class ModelCurve(ModelFigure):
    """A figure of a model version after an epoch of its training."""

    __tablename__ = "model_curve"

    #: Which figure: loss, validation_loss, validation_accuracy.
    series: Mapped[str] = mapped_column(primary_key=True)
    #: From 1.
    epoch: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[float]


class ModelGate(Base):
    """One figure that the gate judged a model version by, when it was trained."""

    __tablename__ = "model_gate"

    model_version_id: Mapped[int] = mapped_column(ForeignKey("model_version.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float]
    at_least: Mapped[float | None]
    at_most: Mapped[float | None]
    passed: Mapped[bool]
    #: The champion of that moment; NULL when there was none.
    champion_version_id: Mapped[int | None] = mapped_column(ForeignKey("model_version.id"))


class ModelAlias(Base):
    """A movable name: jobs that ask for NAME get NAME@champion."""

    __tablename__ = "model_alias"

    model_id: Mapped[int] = mapped_column(ForeignKey("model.id"), primary_key=True)
    alias: Mapped[str] = mapped_column(primary_key=True)
    model_version_id: Mapped[int] = mapped_column(ForeignKey("model_version.id"))
    previous_version_id: Mapped[int | None] = mapped_column(ForeignKey("model_version.id"))
