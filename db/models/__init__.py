"""The tables. Everything is importable from here: `from db.models import Job`."""

from db.models.base import Base
from db.models.documents import Collection, Document
from db.models.jobs import CHUNK_STATES, JOB_STATES, Chunk, Job, Outcome
from db.models.models import Model, ModelAlias, ModelMetric, ModelVersion
from db.models.quarantine import Release
from db.models.results import (
    Classification,
    DocumentVector,
    Keyword,
    Neighbour,
    Summary,
    SummaryReference,
    SummaryScore,
    SummarySentence,
)
from db.models.schedules import Run, Schedule

__all__ = [
    "CHUNK_STATES",
    "JOB_STATES",
    "Base",
    "Chunk",
    "Classification",
    "Collection",
    "Document",
    "DocumentVector",
    "Job",
    "Keyword",
    "Model",
    "ModelAlias",
    "ModelMetric",
    "ModelVersion",
    "Neighbour",
    "Outcome",
    "Release",
    "Run",
    "Schedule",
    "Summary",
    "SummaryReference",
    "SummaryScore",
    "SummarySentence",
]
