"""The columns that tell the rows of a view apart. Views without an entry have no such columns."""

from __future__ import annotations

from collections.abc import Mapping

_DOCUMENT = ("collection", "document_key")
_VERSION = ("model", "model_version")

KEYS: Mapping[str, tuple[str, ...]] = {
    "v_latest_summary": _DOCUMENT,
    "v_evaluation": ("job_id", "summary_job_id"),
    "v_keywords": (*_DOCUMENT, "rank"),
    "v_entities": (*_DOCUMENT, "rank"),
    "v_redacted": _DOCUMENT,
    "v_generation": _DOCUMENT,
    "v_generation_fields": (*_DOCUMENT, "rank"),
    "v_latest_label": _DOCUMENT,
    "v_given_labels": (*_DOCUMENT, "rank"),
    "v_model_metrics": (*_VERSION, "metric"),
    "v_model_labels": (*_VERSION, "label"),
    "v_model_confusion": (*_VERSION, "true_label", "predicted_label"),
    "v_shadow_agreement": ("job_id",),
    "v_similar": (*_DOCUMENT, "rank"),
    "v_similar_terms": (*_DOCUMENT, "rank", "term_rank"),
    "v_search_recall": ("job_id",),
    "v_failures": ("job_id", "document_id"),
    "v_job_progress": ("job_id",),
    "v_extractions": _DOCUMENT,
    "v_night": ("run_id",),
    "v_night_diff": ("run_id", "change", "kind", *_DOCUMENT, "neighbour_key"),
    "v_label_trend": ("job_id", "collection", "label"),
    "v_throughput": ("job_id",),
}
