"""Every fault by name."""

from __future__ import annotations

from tests.faults import (
    database_faults,
    disk_faults,
    document_faults,
    network_faults,
    notification_faults,
    people_faults,
    process_faults,
    redis_faults,
    replica_faults,
    restore_faults,
    scheduler_faults,
    sentinel_faults,
    worker_faults,
)
from tests.faults.trial import Fault

FAULTS: tuple[Fault, ...] = (
    *process_faults.FAULTS,
    *redis_faults.FAULTS,
    *sentinel_faults.FAULTS,
    *database_faults.FAULTS,
    *disk_faults.FAULTS,
    *replica_faults.FAULTS,
    *network_faults.FAULTS,
    *document_faults.FAULTS,
    *people_faults.FAULTS,
    *scheduler_faults.FAULTS,
    *worker_faults.FAULTS,
    *notification_faults.FAULTS,
    *restore_faults.FAULTS,
)
