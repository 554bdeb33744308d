"""The tables. Everything is importable from here: `from db.tables import Job`."""

from db.tables.access import AccessKey, WebSession
from db.tables.base import Base
from db.tables.device import BatchSize, DeviceFault
from db.tables.document import Collection, Document
from db.tables.export import Export, ExportRow
from db.tables.growth import LabelMoves, RunGrowth
from db.tables.idempotency import IdempotentRequest
from db.tables.job import Chunk, Job, Outcome
from db.tables.label import GivenLabel
from db.tables.limit import JobLimit
from db.tables.model import (
    Model,
    ModelAlias,
    ModelConfusion,
    ModelCurve,
    ModelEntityMetric,
    ModelGate,
    ModelLabelMetric,
    ModelMetric,
    ModelReliability,
    ModelVersion,
)
from db.tables.night import Night, NightPlan, NightPlanPart, NightPlanStep, NightStep
from db.tables.notification import Notification, NotificationRule
from db.tables.quarantine import Release
from db.tables.removal import Removal
from db.tables.request import ApiFile, ApiFileBlock, RequestBatch, RequestGroup, RequestLine
from db.tables.result import (
    Classification,
    DocumentVector,
    Embedding,
    Entity,
    Extraction,
    ExtractionPage,
    ExtractionSection,
    ExtractionTable,
    ExtractionTableRow,
    ExtractionText,
    ExtractionWarning,
    Generation,
    GenerationField,
    Keyword,
    LabelTerm,
    Neighbour,
    NeighbourList,
    NeighbourRecall,
    NeighbourTerm,
    RedactedText,
    ShadowLabel,
    Summary,
    SummaryReference,
    SummaryScore,
    SummarySentence,
)
from db.tables.retention import Pruned, RetentionPass, RetentionPolicy
from db.tables.schedule import Run, Schedule
from db.tables.search import (
    SearchDocument,
    SearchList,
    SearchPosting,
    SearchTerm,
    SearchTotal,
    SearchWaiting,
)
from db.tables.tally import Tally
from db.tables.version import Tolerance
from db.tables.view import ViewDigest
from db.tables.worker import Drain, LostClaim, Worker

__all__ = [
    "AccessKey",
    "ApiFile",
    "ApiFileBlock",
    "Base",
    "BatchSize",
    "Chunk",
    "Classification",
    "Collection",
    "DeviceFault",
    "Document",
    "DocumentVector",
    "Drain",
    "Embedding",
    "Entity",
    "Export",
    "ExportRow",
    "Extraction",
    "ExtractionPage",
    "ExtractionSection",
    "ExtractionTable",
    "ExtractionTableRow",
    "ExtractionText",
    "ExtractionWarning",
    "Generation",
    "GenerationField",
    "GivenLabel",
    "IdempotentRequest",
    "Job",
    "JobLimit",
    "Keyword",
    "LabelMoves",
    "LabelTerm",
    "LostClaim",
    "Model",
    "ModelAlias",
    "ModelConfusion",
    "ModelCurve",
    "ModelEntityMetric",
    "ModelGate",
    "ModelLabelMetric",
    "ModelMetric",
    "ModelReliability",
    "ModelVersion",
    "Neighbour",
    "NeighbourList",
    "NeighbourRecall",
    "NeighbourTerm",
    "Night",
    "NightPlan",
    "NightPlanPart",
    "NightPlanStep",
    "NightStep",
    "Notification",
    "NotificationRule",
    "Outcome",
    "Pruned",
    "RedactedText",
    "Release",
    "Removal",
    "RequestBatch",
    "RequestGroup",
    "RequestLine",
    "RetentionPass",
    "RetentionPolicy",
    "Run",
    "RunGrowth",
    "Schedule",
    "SearchDocument",
    "SearchList",
    "SearchPosting",
    "SearchTerm",
    "SearchTotal",
    "SearchWaiting",
    "ShadowLabel",
    "Summary",
    "SummaryReference",
    "SummaryScore",
    "SummarySentence",
    "Tally",
    "Tolerance",
    "ViewDigest",
    "WebSession",
    "Worker",
]
