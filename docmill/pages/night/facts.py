"""What a digest reports about a night, from the views. Does not depend on HTML.

What is usual is the median of the last nights of the same schedule, at most seven of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.orm import Session

from db import gates
from db.errors import NotFoundError
from db.sql import UtcDateTime, clock
from docmill.pages.night import terms
from docmill.pages.night.growth import Grown, grown
from docmill.pages.night.terms import DOCUMENT_CHARS, MOST_DOCUMENTS

#: Nights that tell what is usual, and nights of the chart.
USUAL_NIGHTS, CHART_NIGHTS = 7, 14
#: Rows of a list, and summaries.
MOST_ROWS, MOST_PAIRS, MOST_SUMMARIES = 15, 10, 5
#: A document this close to one that is shown tells nothing new.
TOO_CLOSE = 0.95
#: Two documents of this similarity are nearly the same, whatever is usual.
SURELY_CLOSE = 0.995

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Night:
    """All that a digest shows."""

    made_at: datetime
    time_zone: str
    #: Its row of v_night, and those of the nights before, the oldest first.
    row: Row
    history: Sequence[Row]
    #: The medians of the nights before: n_new, n_changed, n_error, seconds, label, neighbour.
    usual: Mapping[str, float]
    #: How many rows v_night_diff has, by change.
    n_changes: Mapping[str, int]
    extraction: Row | None
    labels: Sequence[Row]
    neighbours: Sequence[Row]
    #: The similarity from which two documents are close; None if there is nothing to compare with.
    close_from: float | None
    grown_labels: Sequence[Grown]
    grown_terms: Sequence[Grown]
    #: Word -> the key of a document with it.
    examples: Mapping[str, str]
    #: Documents that the words are from: of the night, and of the nights before.
    n_read: tuple[int, int]
    central: Sequence[Row]
    failures: Sequence[Row]
    models: Sequence[Row]
    throughput: Sequence[Row]
    jobs: Sequence[Row] = field(default_factory=list)
    #: Of a nightly plan: the steps that failed or were carried over, with the reason.
    steps: Sequence[Row] = field(default_factory=list)


def of(session: Session, run_id: int | None = None) -> Night:
    """A run's night; that of the newest run if none is named. NotFoundError if there is none."""
    row = _night(session, run_id)
    run_id = int(row["run_id"])
    history = _history(session, row, CHART_NIGHTS)
    usual_nights = [one for one in history if one["state"] == "finished"][-USUAL_NIGHTS:]
    before = [int(one["run_id"]) for one in usual_nights]
    close_from = _close_from(session, run_id)
    n_changes = _n_changes(session, [run_id, *before], close_from)
    words, examples, n_read = _terms(session, run_id, before)
    return Night(
        made_at=clock(session),
        time_zone=_one(session, _TIME_ZONE, run=run_id)["time_zone"],
        row=row,
        history=history,
        usual=_usual(usual_nights, n_changes),
        n_changes=n_changes[run_id],
        extraction=_extraction(session, run_id),
        labels=_rows(session, _LABELS, run=run_id, most=MOST_ROWS),
        neighbours=_neighbours(session, run_id, close_from),
        close_from=close_from,
        grown_labels=_labels(session, run_id, before),
        grown_terms=words[:MOST_ROWS],
        examples=examples,
        n_read=n_read,
        central=_central(session, run_id),
        failures=_failures(session, run_id),
        models=_models(session, run_id),
        throughput=_throughput(session, run_id, before),
        jobs=_rows(session, _JOBS, run=run_id),
        steps=_rows(session, _STEPS, run=run_id),
    )


# --- the night and those before -----------------------------------------------------------------------------------

_TIME_ZONE = "SELECT s.time_zone FROM run n JOIN schedule s ON s.id = n.schedule_id WHERE n.id = :run"
_JOBS = "SELECT job_id, kind, collection, state, n_documents FROM v_job_progress WHERE run_id = :run ORDER BY job_id"

_STEPS = """
SELECT t.name, t.state, t.note FROM night n JOIN night_step t ON t.night_id = n.id
WHERE n.run_id = :run AND t.state IN ('failed', 'carried over', 'cancelled') ORDER BY t.step
"""


def _night(session: Session, run_id: int | None) -> Row:
    if run_id is None:
        found = _rows(session, "SELECT MAX(id) AS id FROM run")[0]["id"]
        if found is None:
            raise NotFoundError("there is no night yet: docmill schedule add, then docmill schedule run NAME")
        run_id = int(found)
    rows = _nights(session, "WHERE run_id = :run", run=run_id)
    if not rows:
        last = _rows(session, "SELECT run_id, schedule FROM v_night ORDER BY run_id DESC LIMIT 5")
        there_are = ", ".join(f"{one['run_id']} ({one['schedule']})" for one in last)
        raise NotFoundError(f"there is no run {run_id} (the last are: {there_are or 'none'})")
    return rows[0]


def _history(session: Session, row: Row, most: int) -> list[Row]:
    found = _nights(
        session,
        "WHERE schedule = :schedule AND run_id < :run "
        "AND state NOT IN ('nothing to do', 'queued', 'skipped', 'missed') ORDER BY run_id DESC LIMIT :most",
        schedule=row["schedule"], run=row["run_id"], most=most,
    )  # fmt: skip
    return found[::-1]


def _nights(session: Session, where: str, **values: Any) -> list[Row]:
    times = {name: UtcDateTime() for name in ("due_at", "fired_at", "started_at", "finished_at")}
    query = text(f"SELECT * FROM v_night {where}").columns(**times)  # noqa: S608 (constants only)
    return [dict(row) for row in session.execute(query, values).mappings()]


def _usual(nights: Sequence[Row], n_changes: Mapping[int, Mapping[str, int]]) -> dict[str, float]:
    if not nights:
        return {}
    names = ("n_new", "n_changed", "seconds", "n_outcomes")
    found = {name: float(median([one[name] or 0 for one in nights])) for name in names}
    # As the page shows tonight's: without what was cancelled.
    found["n_error"] = float(median([(one["n_error"] or 0) - (one["n_cancelled"] or 0) for one in nights]))
    for change in ("label", "neighbour", "failed", "recovered"):
        found[change] = float(median([n_changes[one["run_id"]].get(change, 0) for one in nights]))
    return found


#: A pair counts once, from whichever side, so the documents are in order.
_N_CHANGES = """
SELECT change, COUNT(*) AS n FROM (
    SELECT DISTINCT change, kind, collection, CASE WHEN document_key < neighbour_key OR change <> 'neighbour'
           THEN document_key ELSE neighbour_key END AS one, CASE WHEN document_key < neighbour_key
           OR change <> 'neighbour' THEN neighbour_key ELSE document_key END AS other
    FROM v_night_diff WHERE run_id = :run AND kind <> 'add' AND (change <> 'neighbour' OR score >= :close)) x
GROUP BY change
"""


def _n_changes(session: Session, runs: Sequence[int], close_from: float | None) -> dict[int, dict[str, int]]:
    # One by one, so that each is found by the jobs of its run.
    close = 2.0 if close_from is None else close_from
    return {
        run: {row["change"]: int(row["n"]) for row in _rows(session, _N_CHANGES, run=run, close=close)}
        for run in runs
    }


# --- what came in -------------------------------------------------------------------------------------------------

_EXTRACTION = """
SELECT COUNT(*) AS n_files, SUM(CASE WHEN o.state = 'ok' THEN 1 ELSE 0 END) AS n_ok,
       SUM(CASE WHEN o.error_code NOT IN ('CANCELLED', 'CARRIED_OVER') THEN 1 ELSE 0 END) AS n_error,
       SUM(r.n_documents) AS n_documents,
       SUM(r.n_pages) AS n_pages, SUM(r.n_chars) AS n_chars, SUM(r.n_tables_left_out) AS n_tables_left_out,
       SUM(r.n_chars_left_out) AS n_chars_left_out, SUM(r.n_replaced) AS n_replaced,
       SUM(CASE WHEN r.n_warnings > 0 THEN 1 ELSE 0 END) AS n_warned
FROM job j JOIN collection c ON c.id = j.collection_id JOIN outcome o ON o.job_id = j.id
LEFT JOIN extraction r ON r.job_id = o.job_id AND r.document_id = o.document_id
WHERE j.run_id = :run AND c.files_of_id IS NOT NULL
"""


def _extraction(session: Session, run_id: int) -> Row | None:
    row = _one(session, _EXTRACTION, run=run_id)
    return {name: int(value or 0) for name, value in row.items()} if row["n_files"] else None


# --- what is different --------------------------------------------------------------------------------------------

_LABELS = """
SELECT collection, document_key, label_before, label_after, detail, job_id FROM v_night_diff
WHERE run_id = :run AND change = 'label' ORDER BY collection, document_key LIMIT :most
"""
#: Each pair may be found from both sides, so the list is cut afterwards.
_NEIGHBOURS = """
SELECT collection, document_key, neighbour_key, score FROM v_night_diff
WHERE run_id = :run AND change = 'neighbour' AND score >= :close ORDER BY score DESC, document_key, neighbour_key
LIMIT 200
"""
#: How near the documents of the job before were to their nearest ones: what one in twenty reaches.
_NEAREST = """
SELECT r.score FROM neighbour r WHERE r.job_id = :job AND r.rank = 1 ORDER BY r.score DESC
LIMIT 1 OFFSET (SELECT COUNT(*) / 20 FROM neighbour WHERE job_id = :job AND rank = 1)
"""
_COMPARED_WITH = (
    "SELECT MAX(previous_job_id) AS job FROM v_night_diff WHERE run_id = :run AND change = 'neighbour'"
)
_TREND = "SELECT label, SUM(n_new) AS n FROM v_label_trend WHERE run_id IN :runs GROUP BY label"


def _close_from(session: Session, run_id: int) -> float | None:
    job = _one(session, _COMPARED_WITH, run=run_id)["job"]
    found = _rows(session, _NEAREST, job=job) if job is not None else []
    return min(float(found[0]["score"]), SURELY_CLOSE) if found else None


def _neighbours(session: Session, run_id: int, close_from: float | None) -> list[Row]:
    if close_from is None:
        return []
    pairs: dict[frozenset[str], Row] = {}
    for row in _rows(session, _NEIGHBOURS, run=run_id, close=close_from):
        pairs.setdefault(frozenset((row["document_key"], row["neighbour_key"])), row)
    return list(pairs.values())[:MOST_PAIRS]


def _labels(session: Session, run_id: int, before: Sequence[int]) -> list[Grown]:
    now, usual = _label_counts(session, [run_id]), _label_counts(session, before)
    return grown(now, sum(now.values()), usual, sum(usual.values()))


def _label_counts(session: Session, runs: Sequence[int]) -> Counter[str]:
    """Documents by label; those without one count as documents."""
    return Counter({row["label"] or "": int(row["n"] or 0) for row in _among(session, _TREND, runs)})


# --- words --------------------------------------------------------------------------------------------------------

_TEXTS = f"""
SELECT d.key, SUBSTR(d.text, 1, {DOCUMENT_CHARS}) AS text
FROM v_night_diff v JOIN document d ON d.id = v.document_id
WHERE v.run_id IN :runs AND v.change IN ('new', 'changed') ORDER BY d.id DESC LIMIT {MOST_DOCUMENTS}
"""  # noqa: S608 (constants only)


def _terms(
    session: Session, run_id: int, before: Sequence[int]
) -> tuple[list[Grown], dict[str, str], tuple[int, int]]:
    now, usual = terms.counted(_texts(session, [run_id])), terms.counted(_texts(session, before))
    found = grown(now.words, now.n_documents, usual.words, usual.n_documents)
    examples = {one.name: now.example[one.name] for one in found[:MOST_ROWS]}
    return found, examples, (now.n_documents, usual.n_documents)


def _texts(session: Session, runs: Sequence[int]) -> Iterable[tuple[str, str]]:
    return ((row["key"], row["text"]) for row in _among(session, _TEXTS, runs))


# --- the most central of the new documents ------------------------------------------------------------------------

#: What many documents are near to stands for them. Documents without neighbours come last, the longest first.
_CENTRAL = """
SELECT * FROM (
    SELECT c.name AS collection, d.key AS document_key, r.summary, d.body_chars, d.id AS document_id,
           (SELECT SUM(e.score) FROM neighbour e JOIN job q ON q.id = e.job_id
            WHERE q.run_id = :run AND e.document_id = d.id) AS nearness
    FROM v_night_diff v JOIN document d ON d.id = v.document_id JOIN collection c ON c.id = d.collection_id
    JOIN summary r ON r.document_id = d.id JOIN job j ON j.id = r.job_id AND j.run_id = :run
    WHERE v.run_id = :run AND v.change IN ('new', 'changed')) x
ORDER BY CASE WHEN nearness IS NULL THEN 1 ELSE 0 END, nearness DESC, body_chars DESC, document_id LIMIT 50
"""
_CLOSE = """
SELECT e.document_id, e.neighbour_id FROM neighbour e JOIN job q ON q.id = e.job_id
WHERE q.run_id = :run AND e.score >= :close AND e.document_id IN :runs
"""


def _central(session: Session, run_id: int) -> list[Row]:
    rows = _rows(session, _CENTRAL, run=run_id)
    close = {
        (row["document_id"], row["neighbour_id"])
        for row in _among(session, _CLOSE, [row["document_id"] for row in rows], run=run_id, close=TOO_CLOSE)
    }
    found: list[Row] = []
    for row in rows:
        if len(found) == MOST_SUMMARIES:
            break
        others = {one["document_id"] for one in found}
        if not any(
            (row["document_id"], other) in close or (other, row["document_id"]) in close for other in others
        ):
            found.append(row)
    return found


# --- what failed --------------------------------------------------------------------------------------------------

_FAILURES = """
SELECT f.kind, f.error_code, COUNT(*) AS n, MIN(f.document_id) AS document_id, MAX(f.job_id) AS job_id,
       MIN(f.collection) AS collection
FROM v_failures f JOIN job j ON j.id = f.job_id WHERE j.run_id = :run
  AND f.error_code NOT IN ('CANCELLED', 'CARRIED_OVER')
GROUP BY f.kind, f.error_code ORDER BY n DESC, f.kind, f.error_code
"""
_EXAMPLE = """
SELECT f.document_key, f.error_detail, f.source, f.job_id, f.collection FROM v_failures f JOIN job j ON j.id = f.job_id
WHERE j.run_id = :run AND f.document_id = :document AND f.kind = :kind AND f.error_code = :code
"""


def _failures(session: Session, run_id: int) -> list[Row]:
    return [
        dict(row)
        | dict(
            _one(
                session,
                _EXAMPLE,
                run=run_id,
                document=row["document_id"],
                kind=row["kind"],
                code=row["error_code"],
            )
        )
        for row in _rows(session, _FAILURES, run=run_id)
    ]


# --- models and speed ---------------------------------------------------------------------------------------------

_MODELS = """
SELECT v.id, m.name AS model, v.version, j.kind, j.id AS job_id,
       (SELECT COUNT(*) FROM model_alias a WHERE a.model_version_id = v.id AND a.alias = 'champion') AS is_champion
FROM model_version v JOIN model m ON m.id = v.model_id JOIN job j ON j.id = v.job_id
WHERE j.run_id = :run ORDER BY m.name, v.version
"""
_THROUGHPUT = """
SELECT run_id, kind, SUM(n_documents) AS n_documents, SUM(seconds) AS seconds FROM v_throughput
WHERE run_id IN :runs GROUP BY run_id, kind ORDER BY kind
"""


def _models(session: Session, run_id: int) -> list[Row]:
    return [dict(row) | {"gate": gates.of(session, row["id"])} for row in _rows(session, _MODELS, run=run_id)]


def _throughput(session: Session, run_id: int, before: Sequence[int]) -> list[Row]:
    speeds: dict[str, list[float]] = {}
    now: list[Row] = []
    for row in _among(session, _THROUGHPUT, [run_id, *before]):
        speed = float(row["n_documents"]) / max(float(row["seconds"]), 0.001)
        if row["run_id"] == run_id:
            now.append(dict(row) | {"n_documents": int(row["n_documents"]), "speed": speed})
        else:
            speeds.setdefault(row["kind"], []).append(speed)
    return [
        dict(row) | {"usual": median(speeds[row["kind"]]) if row["kind"] in speeds else None} for row in now
    ]


# --- queries ------------------------------------------------------------------------------------------------------


def _rows(session: Session, query: str, **values: Any) -> list[Row]:
    return [dict(row) for row in session.execute(text(query), values).mappings()]


def _one(session: Session, query: str, **values: Any) -> Row:
    return _rows(session, query, **values)[0]


def _among(session: Session, query: str, runs: Sequence[int], **values: Any) -> list[Row]:
    """The rows of a query in which :runs is a list."""
    if not runs:
        return []
    statement = text(query).bindparams(bindparam("runs", expanding=True))
    return [dict(row) for row in session.execute(statement, values | {"runs": list(runs)}).mappings()]
