"""The first page: was the night all right, and does anything need me?"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from statistics import median
from typing import Any

from markupsafe import Markup
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from db import job_lists, progress, quarantine, registry
from db.job_lists import JobFilter
from db.sql import now
from db.states import ENDED
from db.store import Store
from db.tables import Job, Model, ModelGate, ModelVersion
from docmill.doctor.obstacles import obstacles
from docmill.web import night_history, svg
from docmill.web.access import view
from docmill.web.night_history import USUAL, History, OneRun
from docmill.web.recent_failures import DAYS, RecentFailures
from docmill.web.rendering import duration, number, page, share, size
from docmill.web.store_size import StoreSize

Row = dict[str, Any]
#: Makes a line of the small multiples: what it shows, what is shown for each night, the values, what is usual.
Chart = Callable[[str, list[str], list[float], str], tuple[str, str, str, Markup]]

#: Running jobs that are shown, and jobs that ended last.
RUNNING, ENDED_LAST = 20, 10
#: Documents in quarantine and open jobs are counted up to this number.
MOST_COUNTED = 20


@view()
def overview(request: Request) -> Response:
    """What needs somebody, what runs, the last nights, workers and the store."""
    store: Store = request.app.state.store
    failures: RecentFailures = request.app.state.recent_failures
    store_size: StoreSize = request.app.state.store_size
    with store.read() as session:
        running = progress.unfinished(session, RUNNING)
        found: dict[str, Any] = {
            "running": running,
            "n_open": _open_jobs(session),
            "failures": failures.of(session),
            "stuck": obstacles(session, running),
            "refused": _refused(session),
            "n_quarantined": quarantine.count(session, MOST_COUNTED),
            "histories": [(one, _charts(one)) for one in night_history.of(session)],
            "ended": _ended(session),
            "hosts": _hosts(registry.alive(session, "worker")),
            "lost": registry.lost(session, 10),
            "size": store_size.of(session),
        }
    late = [history for history, _ in found["histories"] if history.is_overdue]
    n_needs: int = sum(len(found[name]) for name in ("failures", "stuck", "refused"))
    n_needs += sum(1 for one in found["lost"] if one.n_held)
    return page(
        request, "overview.html", days=DAYS, most_counted=MOST_COUNTED, late=late,
        n_needs=n_needs + len(late) + (1 if found["n_quarantined"] else 0), **found,
    )  # fmt: skip


def _ended(session: Session) -> list[job_lists.JobLine]:
    return job_lists.page(session, JobFilter(state="ended"), limit=ENDED_LAST)


def _open_jobs(session: Session) -> int:
    some = select(Job.id).where(Job.state.not_in(ENDED)).limit(MOST_COUNTED).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0


def _refused(session: Session) -> list[Row]:
    """Models of the last days that their gate kept out, the newest of each name."""
    missed = (
        select(ModelGate.model_version_id, func.count().label("n_missed"))
        .where(ModelGate.passed.is_(False))
        .group_by(ModelGate.model_version_id)
        .subquery()
    )
    newest = select(func.max(ModelVersion.id)).group_by(ModelVersion.model_id)
    query = (
        select(Model.name, ModelVersion.version, ModelVersion.id, missed.c.n_missed)
        .join(ModelVersion, ModelVersion.model_id == Model.id)
        .join(missed, missed.c.model_version_id == ModelVersion.id)
        .where(ModelVersion.id.in_(newest), ModelVersion.created_at > now(-DAYS * 86_400))
        .order_by(Model.name)
        .limit(10)
    )
    return [dict(row) | {"gate": _bars(session, row["id"])} for row in session.execute(query).mappings()]


def _bars(session: Session, version_id: int) -> list[Row]:
    """The bars that it missed."""
    query = select(ModelGate.name, ModelGate.value, ModelGate.at_least, ModelGate.at_most).where(
        ModelGate.model_version_id == version_id, ModelGate.passed.is_(False)
    )
    return [dict(row) for row in session.execute(query.order_by(ModelGate.name)).mappings()]


def _hosts(alive: list[Any]) -> dict[str, int]:
    """Host -> its workers that are alive."""
    found: dict[str, int] = {}
    for one in alive:
        found[one.host] = found.get(one.host, 0) + 1
    return found


def _charts(history: History) -> list[tuple[str, str, str, Markup]]:
    """(what, the last night's, the usual one, a bar for each night), on the same nights."""

    def chart(what: str, told: list[str], values: list[float], usual: str) -> tuple[str, str, str, Markup]:
        days = [f"{run.due_at:%Y-%m-%d}: {words}" for run, words in zip(history.runs, told, strict=True)]
        return what, told[-1], usual, svg.bars(values, days, f"{what}, the last {len(values)} nights")

    def each(words: Any) -> list[str]:
        return [words(run) for run in history.runs]

    def failed(run: OneRun) -> str:
        return f"{number(run.n_failed)} ({share(run.n_failed, run.n_documents)})"

    return [
        chart("Documents", each(lambda run: number(run.n_documents)),
              [float(run.n_documents) for run in history.runs], _usual(history.usual_documents)),
        chart("Failed", each(failed), [float(run.n_failed) for run in history.runs], _usual(history.usual_failed)),
        chart("Time", each(lambda run: duration(run.seconds)), [run.minutes for run in history.runs],
              duration(history.usual_seconds)),
        *_moves(history, chart),
        *_growth(history, chart),
    ]  # fmt: skip


def _moves(history: History, chart: Chart) -> list[tuple[str, str, str, Markup]]:
    """How many documents got another label; nothing for nights that give none."""
    found = [run.moves for run in history.runs]
    if not any(found):
        return []
    told = [
        "not counted" if one is None else f"{number(one.n_moved)} of {number(one.n_compared)}"
        for one in found
    ]
    values = [0.0 if one is None else float(one.n_moved) for one in found]
    return [chart("Labels that moved", told, values, _median(values[:-1]))]


def _growth(history: History, chart: Chart) -> list[tuple[str, str, str, Markup]]:
    """What came in, and by how much the store grew; nothing before the second night that was measured."""
    came = [run.growth.n_added if run.growth is not None else None for run in history.runs]
    sizes = [run.growth.store_bytes if run.growth is not None else None for run in history.runs]
    grown = [None, *(None if a is None or b is None else b - a for a, b in pairwise(sizes))]
    found = []
    if any(one is not None for one in came):
        values = [float(one or 0) for one in came]
        found.append(chart("Came in", [number(one) for one in came], values, _median(values[:-1])))
    if any(one is not None for one in grown):
        # What retention frees is no growth; the tooltip says it.
        bars = [float(max(0, one or 0)) for one in grown]
        usual = median(bars[:-1]) if len(bars) > 1 else None
        told = ["-" if one is None else f"{'-' if one < 0 else '+'}{size(abs(one))}" for one in grown]
        found.append(chart("Store", told, bars, "-" if usual is None else f"+{size(int(usual))}"))
    return found


def _median(values: list[float]) -> str:
    return _usual(median(values[-USUAL:]) if values else None)


def _usual(value: float | None) -> str:
    return "-" if value is None else number(round(value))


ROUTES = [Route("/", overview, name="overview")]
