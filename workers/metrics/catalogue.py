"""Every metric of docmill. Names and base units are by Prometheus' conventions.

No label has a document's key or a job's number: the number of series depends on kinds, error codes, devices and names
of schedules alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Sort(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Source(StrEnum):
    """Which /metrics has it."""

    STORE = "docmill metrics"
    SCHEDULER = "a scheduler"
    WORKER = "a worker"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric."""

    name: str
    sort: Sort
    source: Source
    help: str
    labels: tuple[str, ...] = ()
    #: Of a histogram: the upper bounds of its buckets, without infinity.
    buckets: tuple[float, ...] = ()

    @property
    def series(self) -> tuple[str, ...]:
        """The names that Prometheus stores."""
        if self.sort is Sort.HISTOGRAM:
            return (f"{self.name}_bucket", f"{self.name}_sum", f"{self.name}_count")
        return (self.name,)


_STEP_SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
_BATCH_SECONDS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
_CHUNK_SECONDS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
_SHARES = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)


def _counter(name: str, source: Source, help_: str, *labels: str) -> Metric:
    return Metric(name, Sort.COUNTER, source, help_, labels)


def _gauge(name: str, source: Source, help_: str, *labels: str) -> Metric:
    return Metric(name, Sort.GAUGE, source, help_, labels)


def _histogram(name: str, source: Source, help_: str, buckets: tuple[float, ...], *labels: str) -> Metric:
    return Metric(name, Sort.HISTOGRAM, source, help_, labels, buckets)


_STORE = (
    _gauge("docmill_build_info", Source.STORE, "1, with the version of docmill.", "version"),
    _gauge("docmill_store_up", Source.STORE, "1 if the store answered this scrape."),
    _gauge("docmill_store_schema_version", Source.STORE, "The newest migration of the store."),
    _gauge("docmill_store_size_bytes", Source.STORE, "What the store takes on its disk."),
    _gauge(
        "docmill_scrape_duration_seconds", Source.STORE,
        "How long this scrape asked: part is store or redis.", "part",
    ),
    _counter(
        "docmill_documents_total", Source.STORE,
        "Outcomes written: outcome is ok or error, code the error code.", "kind", "outcome", "code",
    ),
    _counter(
        "docmill_result_rows_total", Source.STORE,
        "Result rows written, by table.", "kind", "table",
    ),
    _counter(
        "docmill_chunk_requeues_total", Source.STORE,
        "Chunks that became ready again: lease_expired, worker_lost (with its whole machine), crashed (a process died "
        "over it), put_back (the infrastructure failed), given_back (the worker was stopped).", "kind", "reason",
    ),
    _counter("docmill_jobs_ended_total", Source.STORE, "Jobs that ended.", "kind", "state"),
    _counter(
        "docmill_notifications_total", Source.STORE, "Notifications that were sent, or given up (dead).",
        "event", "state",
    ),
    _gauge(
        "docmill_ready_chunks", Source.STORE, "Chunks that wait for a worker, up to 20,000 of each job.",
        "kind", "priority",
    ),
    _gauge(
        "docmill_oldest_ready_chunk_age_seconds", Source.STORE, "How long the oldest of them has waited.",
        "kind", "priority",
    ),
    _gauge("docmill_open_jobs", Source.STORE, "Jobs that have not ended.", "kind", "state"),
    _gauge("docmill_leases", Source.STORE, "Chunks that workers hold.", "kind"),
    _gauge(
        "docmill_expired_leases", Source.STORE, "Leases that ran out and were not requeued: no scheduler works.",
        "kind",
    ),
    _gauge("docmill_members", Source.STORE, "Registered workers and schedulers, alive or lost.", "role", "state"),
    _gauge("docmill_quarantined_documents", Source.STORE, "Documents in quarantine, up to 20,000."),
    _gauge(
        "docmill_outstanding_notifications", Source.STORE, "Notifications that are pending or dead.", "state"
    ),
    _gauge(
        "docmill_oldest_pending_notification_age_seconds", Source.STORE,
        "How long the oldest notification has waited.",
    ),
    _gauge(
        "docmill_schedule_last_success_timestamp_seconds", Source.STORE, "When a run last succeeded.", "schedule"
    ),
    _gauge("docmill_schedule_last_duration_seconds", Source.STORE, "How long that run took.", "schedule"),
    _gauge(
        "docmill_schedule_next_timestamp_seconds", Source.STORE,
        "When it is due; not there while it is paused.", "schedule",
    ),
    _gauge("docmill_schedule_running", Source.STORE, "1 while a run has not ended.", "schedule"),
    _gauge("docmill_schedule_paused", Source.STORE, "1 while it is paused.", "schedule"),
    _gauge(
        "docmill_schedule_consecutive_failures", Source.STORE, "Runs that failed since the last success.", "schedule"
    ),
    _gauge("docmill_night_last_success_timestamp_seconds", Source.STORE, "When a night was last done.", "night"),
    _gauge("docmill_night_last_duration_seconds", Source.STORE, "How long that night took.", "night"),
    _gauge("docmill_night_running", Source.STORE, "1 while a night of this name has not ended.", "night"),
    _gauge("docmill_redis_up", Source.STORE, "1 if Redis answered this scrape."),
    _gauge("docmill_redis_memory_bytes", Source.STORE, "Memory that Redis uses."),
    _gauge("docmill_redis_messages", Source.STORE, "Messages that wait in Redis.", "kind", "priority"),
)  # fmt: skip

_SCHEDULER = (
    _histogram(
        "docmill_scheduler_step_seconds", Source.SCHEDULER,
        "Duration of one turn of a step of the loop.", _STEP_SECONDS, "step",
    ),
    _counter(
        "docmill_scheduler_step_failures_total", Source.SCHEDULER,
        "Turns that failed: the store, Redis or something unexpected.", "step",
    ),
    _gauge(
        "docmill_scheduler_last_turn_timestamp_seconds", Source.SCHEDULER, "When the step last ended a turn.", "step"
    ),
    _counter("docmill_scheduler_messages_total", Source.SCHEDULER, "Messages sent to Redis.", "kind"),
)  # fmt: skip

_WORKER = (
    _gauge("docmill_worker_up", Source.WORKER, "1 while the worker of this device stays up.", "device"),
    _counter(
        "docmill_worker_process_starts_total", Source.WORKER,
        "Processes started: more than one says that processes died.", "device",
    ),
    _counter("docmill_worker_documents_total", Source.WORKER, "Documents whose results were written.", "device",
             "kind"),
    _counter(
        "docmill_worker_chunks_total", Source.WORKER,
        "Chunks: result is done, failed (only errors), put_back, stopped or dropped.", "device", "kind", "result",
    ),
    _histogram("docmill_worker_chunk_seconds", Source.WORKER, "From claim to close.", _CHUNK_SECONDS, "device",
               "kind"),
    _histogram("docmill_worker_batch_seconds", Source.WORKER, "A batch in the model.", _BATCH_SECONDS, "device",
               "kind"),
    _histogram(
        "docmill_worker_batch_fill_ratio", Source.WORKER,
        "How much of the documents, or of the characters, that a batch may have it had.", _SHARES, "device", "kind",
    ),
    _counter(
        "docmill_worker_out_of_memory_total", Source.WORKER, "Batches that did not fit and were halved.", "device",
        "kind",
    ),
    _histogram(
        "docmill_worker_model_load_seconds", Source.WORKER, "Opening a model, or a kind without one.",
        _CHUNK_SECONDS, "device", "kind",
    ),
    _gauge("docmill_worker_busy", Source.WORKER, "Processes that hold a chunk.", "device"),
    _gauge("docmill_worker_resident_memory_bytes", Source.WORKER, "Memory of the processes.", "device"),
    _gauge("docmill_worker_device_allocated_bytes", Source.WORKER, "Device memory that torch holds.", "device"),
    _gauge("docmill_device_memory_used_bytes", Source.WORKER, "Memory in use on the GPU, by anyone.", "device"),
    _gauge("docmill_device_memory_total_bytes", Source.WORKER, "Memory of the GPU.", "device"),
    _gauge("docmill_device_utilisation_ratio", Source.WORKER, "Share of time in which the GPU worked.", "device"),
)  # fmt: skip

METRICS: dict[str, Metric] = {metric.name: metric for metric in (*_STORE, *_SCHEDULER, *_WORKER)}
