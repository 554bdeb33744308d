"""Series for each alert: with the first it fires, with the second it does not. Written as promtool's tests want them:
'0x9' is ten times 0, '0+2x9' goes up by 2 each minute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: Minutes that a case lasts; it is looked at in the last one.
LONG = 120


@dataclass(frozen=True)
class Case:
    #: Series -> values.
    fires: dict[str, str]
    quiet: dict[str, str]
    minutes: int = LONG


def _level(series: str, bad: float, good: float, minutes: int = LONG) -> Case:
    """A gauge at a bad and at a good value."""
    return Case({series: f"{bad}x{minutes}"}, {series: f"{good}x{minutes}"}, minutes)


def _growth(series: str, fast: float, slow: float) -> Case:
    """A counter that grows by so much a minute."""
    return Case({series: f"0+{fast}x{LONG}"}, {series: f"0+{slow}x{LONG}"})


def _since(series: str, seconds: float) -> Case:
    """A time: time() in promtool starts at 0."""
    at = LONG * 60
    return Case({series: f"{at - seconds}x{LONG}"}, {series: f"{at - 5}x{LONG}"})


_OLD = 'docmill_oldest_ready_chunk_age_seconds{kind="classify",priority="5"}'
_READY = 'docmill_ready_chunks{kind="classify",priority="5"}'
_WORKERS = 'docmill_members{role="worker",state="alive"}'
_OK = 'docmill_documents_total{kind="classify",outcome="ok",code=""}'
_BAD = 'docmill_documents_total{kind="classify",outcome="error",code="EMPTY_TEXT"}'
_USED = 'docmill_device_memory_used_bytes{device="cuda-0"}'
_TOTAL = 'docmill_device_memory_total_bytes{device="cuda-0"}'

CASES: dict[str, Case] = {
    "DocmillTargetDown": _level('up{job="docmill-worker",instance="a:1"}', 0, 1),
    "DocmillMetricsMissing": Case({"other": f"1x{LONG}"}, {"docmill_store_up": f"0x{LONG}"}),
    "DocmillStoreDown": _level("docmill_store_up", 0, 1),
    "DocmillRedisDown": _level("docmill_redis_up", 0, 1),
    "DocmillScrapeSlow": _level('docmill_scrape_duration_seconds{part="store"}', 6, 0.1),
    "DocmillNoScheduler": _level('docmill_members{role="scheduler",state="alive"}', 0, 1),
    "DocmillNoWorker": Case(
        {_WORKERS: f"0x{LONG}", _READY: f"3x{LONG}"}, {_WORKERS: f"0x{LONG}", _READY: f"0x{LONG}"}
    ),
    "DocmillMembersLost": _level('docmill_members{role="worker",state="lost"}', 1, 0),
    "DocmillWorkNotTaken": Case(
        {_OLD: f"0+60x{LONG}", 'docmill_leases{kind="train"}': f"1x{LONG}"},
        {_OLD: f"0+60x{LONG}", 'docmill_leases{kind="classify"}': f"1x{LONG}"},
    ),
    "DocmillQueueOld": _level(_OLD, 30_000, 3_000),
    "DocmillLeasesNotRequeued": _level('docmill_expired_leases{kind="classify"}', 2, 0),
    "DocmillLeasesExpire": _growth(
        'docmill_chunk_requeues_total{kind="classify",reason="lease_expired"}', 1, 0.05
    ),
    "DocmillWorkersCrash": _growth('docmill_chunk_requeues_total{kind="classify",reason="crashed"}', 1, 0.05),
    "DocmillWorkPutBack": _growth('docmill_chunk_requeues_total{kind="classify",reason="put_back"}', 2, 0.1),
    "DocmillErrorShare": Case(
        {_OK: f"0+70x{LONG}", _BAD: f"0+30x{LONG}"}, {_OK: f"0+95x{LONG}", _BAD: f"0+5x{LONG}"}
    ),
    "DocmillQuarantineGrows": Case(
        {"docmill_quarantined_documents": f"0+1x{LONG}"}, {"docmill_quarantined_documents": f"500x{LONG}"}
    ),
    "DocmillScheduleOverdue": _since('docmill_schedule_next_timestamp_seconds{schedule="nightly"}', 1_800),
    "DocmillScheduleFails": _level('docmill_schedule_consecutive_failures{schedule="nightly"}', 2, 1),
    "DocmillSchedulePaused": _level('docmill_schedule_paused{schedule="nightly"}', 1, 0, 1_500),
    "DocmillNightMissed": Case(
        {'docmill_night_last_success_timestamp_seconds{night="nightly"}': "0x1800"},
        {'docmill_night_last_success_timestamp_seconds{night="nightly"}': "80000x1800"},
        1_800,
    ),
    "DocmillNotificationsStuck": _level('docmill_outstanding_notifications{state="dead"}', 1, 0),
    "DocmillSchedulerStepFails": _growth(
        'docmill_scheduler_step_failures_total{step="redis",instance="a:1"}', 5, 0.1
    ),
    "DocmillSchedulerStuck": _since('docmill_scheduler_last_turn_timestamp_seconds{step="redis"}', 2_400),
    "DocmillWorkerDown": _level('docmill_worker_up{device="cuda-0"}', 0, 1),
    "DocmillWorkerRestarts": _growth('docmill_worker_process_starts_total{device="cuda-0"}', 1, 0.01),
    "DocmillBatchesTooLarge": _growth(
        'docmill_worker_out_of_memory_total{device="cuda-0",kind="classify",instance="a:1"}', 1, 0.05
    ),
    "DocmillDeviceMemoryFull": Case(
        {_USED: f"99x{LONG}", _TOTAL: f"100x{LONG}"}, {_USED: f"60x{LONG}", _TOTAL: f"100x{LONG}"}
    ),
}


def as_tests(rules: str) -> dict[str, Any]:
    """What `promtool test rules` reads."""
    tests = []
    for alert, case in CASES.items():
        for series, n in ((case.fires, 1), (case.quiet, 0)):
            tests.append(
                {
                    "name": f"{alert} {'fires' if n else 'does not fire'}",
                    "interval": "1m",
                    "input_series": [{"series": name, "values": values} for name, values in series.items()],
                    "promql_expr_test": [
                        {
                            "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})',
                            "eval_time": f"{case.minutes}m",
                            "exp_samples": [{"labels": "{}", "value": n}] if n else [],
                        }
                    ],
                }
            )
    return {"rule_files": [rules], "evaluation_interval": "5m", "tests": tests}
