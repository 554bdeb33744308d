"""The tables. Everything is importable from here: `from db.models import Job`."""

from db.models.base import Base
from db.models.documents import Collection, Document
from db.models.jobs import CHUNK_STATES, JOB_STATES, Chunk, Job, Outcome
from db.models.labels import GivenLabel
from db.models.models import (
    Model,
    ModelAlias,
    ModelConfusion,
    ModelGate,
    ModelLabelMetric,
    ModelMetric,
    ModelReliability,
    ModelVersion,
)
from db.models.quarantine import Release
from db.models.results import (
    Classification,
    DocumentVector,
    Keyword,
    LabelTerm,
    Neighbour,
    NeighbourTerm,
    ShadowLabel,
    Summary,
    SummaryReference,
    SummaryScore,
    SummarySentence,
)
from db.models.schedules import Run, Schedule
from db.models.workers import LostClaim, Worker

__all__ = [
    "CHUNK_STATES",
    "JOB_STATES",
    "Base",
    "Chunk",
    "Classification",
    "Collection",
    "Document",
    "DocumentVector",
    "GivenLabel",
    "Job",
    "Keyword",
    "LabelTerm",
    "LostClaim",
    "Model",
    "ModelAlias",
    "ModelConfusion",
    "ModelGate",
    "ModelLabelMetric",
    "ModelMetric",
    "ModelReliability",
    "ModelVersion",
    "Neighbour",
    "NeighbourTerm",
    "Outcome",
    "Release",
    "Run",
    "Schedule",
    "ShadowLabel",
    "Summary",
    "SummaryReference",
    "SummaryScore",
    "SummarySentence",
    "Worker",
]
