"""Views of nights: what a firing of a schedule did, and what it changed since the firing before."""

from __future__ import annotations

from collections.abc import Mapping

from db.view import View

#: Each night with the figures of its jobs. A job that runs has the counts of its chunks.
_COUNTED = """
SELECT j.run_id, COUNT(*) AS n_jobs,
       SUM(CASE WHEN j.state IN ('finished', 'cancelled') THEN 0 ELSE 1 END) AS n_jobs_open,
       SUM(j.n_documents) AS n_outcomes,
       SUM(COALESCE(j.n_ok, (SELECT SUM(k.n_ok) FROM chunk k WHERE k.job_id = j.id), 0)) AS n_ok,
       SUM(COALESCE(j.n_error, (SELECT SUM(k.n_error) FROM chunk k WHERE k.job_id = j.id), 0)) AS n_error,
       SUM((SELECT COUNT(*) FROM outcome o
            WHERE o.job_id = j.id AND o.state = 'error'
              AND o.error_code IN ('CANCELLED', 'CARRIED_OVER'))) AS n_cancelled,
       MIN(j.started_at) AS started_at, MAX(j.finished_at) AS finished_at
FROM job j WHERE j.run_id IS NOT NULL GROUP BY j.run_id
"""

#: Runs that never started are no nights for those after them: nothing came in to them.
_STARTED = "CASE WHEN n.state IN ('skipped', 'missed', 'queued') THEN 0 ELSE 1 END"
_ONE_AFTER_THE_OTHER = f"(PARTITION BY n.schedule_id, {_STARTED} ORDER BY n.id)"

#: A night ends with its last job. What came in belongs to the night that ended next.
_NIGHTS = f"""
SELECT n.id AS run_id, n.schedule_id, n.due_at, n.fired_at, n.fault, n.note, n.state AS run_state, n.awaits_more,
       {_STARTED} AS has_started, c.n_jobs, c.n_jobs_open, c.n_outcomes, c.n_ok,
       c.n_error, c.n_cancelled, c.started_at,
       CASE WHEN COALESCE(c.n_jobs_open, 0) = 0 THEN COALESCE(c.finished_at, n.fired_at) END AS ended_at,
       LAG(n.id) OVER {_ONE_AFTER_THE_OTHER} AS previous_run_id,
       LAG(COALESCE(c.finished_at, n.fired_at)) OVER {_ONE_AFTER_THE_OTHER} AS previous_ended_at
FROM run n LEFT JOIN ({_COUNTED}) c ON c.run_id = n.id
"""  # noqa: S608 (constants only)

#: The collections of documents that a night's jobs are about; of files, those that their texts go to.
_COLLECTIONS = """
SELECT DISTINCT j.run_id, COALESCE(c.files_of_id, c.id) AS collection_id
FROM job j JOIN collection c ON c.id = j.collection_id WHERE j.run_id IS NOT NULL
"""

_CAME_IN = """
d.added_at <= COALESCE(n.ended_at, d.added_at) AND (n.previous_ended_at IS NULL OR d.added_at > n.previous_ended_at)
"""


def _n_came_in(condition: str) -> str:
    return f"""(SELECT COUNT(*) FROM document d JOIN ({_COLLECTIONS}) w ON w.collection_id = d.collection_id
                WHERE w.run_id = n.run_id AND {condition} AND {_CAME_IN})"""  # noqa: S608


_NIGHT = f"""
SELECT n.run_id, s.name AS schedule, n.due_at, n.fired_at,
       CASE WHEN n.run_state IN ('queued', 'skipped', 'missed', 'cancelled', 'failed') THEN n.run_state
            WHEN n.fault IS NOT NULL THEN 'failed'
            WHEN n.n_jobs_open > 0 OR n.awaits_more THEN 'running'
            WHEN n.n_jobs IS NULL THEN 'nothing to do' ELSE 'finished' END AS state,
       CASE WHEN n.has_started = 1 THEN n.previous_run_id END AS previous_run_id,
       CAST(COALESCE(n.n_jobs, 0) AS BIGINT) AS n_jobs,
       {_n_came_in("d.version = 1")} AS n_new, {_n_came_in("d.version > 1")} AS n_changed,
       CAST(COALESCE(n.n_outcomes, 0) AS BIGINT) AS n_outcomes, CAST(COALESCE(n.n_ok, 0) AS BIGINT) AS n_ok,
       CAST(COALESCE(n.n_error, 0) AS BIGINT) AS n_error, CAST(COALESCE(n.n_cancelled, 0) AS BIGINT) AS n_cancelled,
       n.started_at, CASE WHEN n.n_jobs IS NULL THEN NULL ELSE n.ended_at END AS finished_at,
       SECONDS[n.started_at, n.ended_at] AS seconds, n.fault, n.note
FROM ({_NIGHTS}) n JOIN schedule s ON s.id = n.schedule_id
"""  # noqa: S608

#: Beside the newest earlier label of the same key.
_LABELS = """
SELECT j.run_id, CAST('label' AS TEXT) AS change, j.kind, c.name AS collection, d.key AS document_key,
       CAST('' AS TEXT) AS neighbour_key, e.label AS label_before, r.label AS label_after,
       CASE WHEN e.document_id <> r.document_id THEN 'the text changed'
            WHEN p.model_version_id <> j.model_version_id THEN 'another model version' END AS detail,
       CAST(NULL AS DOUBLE PRECISION) AS score, r.job_id, r.document_id, e.job_id AS previous_job_id
FROM job j JOIN classification r ON r.job_id = j.id JOIN document d ON d.id = r.document_id
JOIN collection c ON c.id = d.collection_id
JOIN document b ON b.collection_id = d.collection_id AND b.key = d.key
JOIN classification e ON e.document_id = b.id AND e.rank = 1
JOIN job p ON p.id = e.job_id
WHERE j.run_id IS NOT NULL AND r.rank = 1 AND (e.label <> r.label OR (e.label IS NULL) <> (r.label IS NULL))
  AND e.job_id = (SELECT MAX(x.job_id) FROM classification x JOIN document y ON y.id = x.document_id
                  WHERE y.collection_id = d.collection_id AND y.key = d.key AND x.rank = 1 AND x.job_id < r.job_id)
"""

#: The neighbours of the documents that came after the job before. In the first job, none is news.
_NEIGHBOURS = """
SELECT j.run_id, CAST('neighbour' AS TEXT), j.kind, c.name, d.key, m.key, CAST(NULL AS TEXT), CAST(NULL AS TEXT),
       CAST(NULL AS TEXT), CAST(r.score AS DOUBLE PRECISION), r.job_id, r.document_id, j.previous_job_id
FROM (SELECT i.*, (SELECT MAX(o.document_id) FROM outcome o WHERE o.job_id = i.previous_job_id) AS newest_before
      FROM (SELECT q.*, (SELECT MAX(p.id) FROM job p WHERE p.kind = q.kind AND p.collection_id = q.collection_id
                         AND p.id < q.id AND p.n_ok > 0) AS previous_job_id
            FROM job q WHERE q.run_id IS NOT NULL) i) j
JOIN neighbour r ON r.job_id = j.id AND r.document_id > j.newest_before
JOIN document d ON d.id = r.document_id JOIN collection c ON c.id = d.collection_id
JOIN document m ON m.id = r.neighbour_id
"""

#: A document of the same key, in an earlier job of the same kind: the newest outcome.
_BEFORE = """
JOIN document b ON b.collection_id = d.collection_id AND b.key = d.key
JOIN outcome e ON e.document_id = b.id JOIN job p ON p.id = e.job_id AND p.kind = j.kind
"""
_IS_NEWEST_BEFORE = """
e.job_id = (SELECT MAX(x.job_id) FROM outcome x JOIN document y ON y.id = x.document_id JOIN job z ON z.id = x.job_id
            WHERE y.collection_id = d.collection_id AND y.key = d.key AND z.kind = j.kind AND x.job_id < j.id)
"""

_FAILED = f"""
SELECT j.run_id, CAST('failed' AS TEXT), j.kind, COALESCE(f.name, c.name), d.key, CAST('' AS TEXT), CAST(NULL AS TEXT),
       CAST(NULL AS TEXT), r.error_code || ': ' || COALESCE(r.error_detail, ''), CAST(NULL AS DOUBLE PRECISION),
       r.job_id, r.document_id, CAST(NULL AS BIGINT)
FROM job j JOIN outcome r ON r.job_id = j.id AND r.state = 'error' AND r.error_code NOT IN ('CANCELLED', 'CARRIED_OVER')
JOIN document d ON d.id = r.document_id JOIN collection c ON c.id = d.collection_id
LEFT JOIN collection f ON f.id = c.files_of_id
WHERE j.run_id IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM document b JOIN outcome e ON e.document_id = b.id
                  JOIN job p ON p.id = e.job_id AND p.kind = j.kind
                  WHERE b.collection_id = d.collection_id AND b.key = d.key AND e.state = 'error'
                    AND {_IS_NEWEST_BEFORE})
"""  # noqa: S608

_RECOVERED = f"""
SELECT j.run_id, CAST('recovered' AS TEXT), j.kind, COALESCE(f.name, c.name), d.key, CAST('' AS TEXT),
       CAST(NULL AS TEXT), CAST(NULL AS TEXT), e.error_code || ': ' || COALESCE(e.error_detail, ''),
       CAST(NULL AS DOUBLE PRECISION), r.job_id, r.document_id, e.job_id
FROM job j JOIN outcome r ON r.job_id = j.id AND r.state = 'ok'
JOIN document d ON d.id = r.document_id JOIN collection c ON c.id = d.collection_id
LEFT JOIN collection f ON f.id = c.files_of_id {_BEFORE}
WHERE j.run_id IS NOT NULL AND e.state = 'error' AND e.error_code NOT IN ('CANCELLED', 'CARRIED_OVER')
  AND {_IS_NEWEST_BEFORE}
"""  # noqa: S608

_DOCUMENTS = f"""
SELECT n.run_id, CASE WHEN d.version = 1 THEN 'new' ELSE 'changed' END, CAST('add' AS TEXT), c.name, d.key,
       CAST('' AS TEXT), CAST(NULL AS TEXT), CAST(NULL AS TEXT), d.source, CAST(NULL AS DOUBLE PRECISION),
       CAST(NULL AS BIGINT), d.id, CAST(NULL AS BIGINT)
FROM ({_NIGHTS}) n JOIN ({_COLLECTIONS}) w ON w.run_id = n.run_id
JOIN document d ON d.collection_id = w.collection_id JOIN collection c ON c.id = d.collection_id
WHERE {_CAME_IN}
"""  # noqa: S608

_NIGHT_DIFF = " UNION ALL ".join((_LABELS, _NEIGHBOURS, _FAILED, _RECOVERED, _DOCUMENTS))

#: n_new leaves out documents whose text had a label of an earlier job: what grows is what came in.
_LABEL_TREND = """
SELECT r.job_id, j.run_id, s.name AS schedule, c.name AS collection, r.label, COUNT(*) AS n_documents,
       SUM(CASE WHEN EXISTS (SELECT 1 FROM classification e WHERE e.document_id = r.document_id AND e.rank = 1
                             AND e.job_id < r.job_id) THEN 0 ELSE 1 END) AS n_new,
       j.created_at
FROM classification r JOIN job j ON j.id = r.job_id JOIN document d ON d.id = r.document_id
JOIN collection c ON c.id = d.collection_id LEFT JOIN run n ON n.id = j.run_id
LEFT JOIN schedule s ON s.id = n.schedule_id
WHERE r.rank = 1 GROUP BY r.job_id, j.run_id, s.name, c.name, r.label, j.created_at
"""

_THROUGHPUT = """
SELECT t.job_id, t.run_id, t.schedule, t.kind, t.collection, t.model, t.model_version, t.n_documents, t.n_workers,
       t.started_at, t.finished_at, t.seconds, t.n_documents / CASE WHEN t.seconds > 0 THEN t.seconds END
       AS documents_per_second
FROM (SELECT j.id AS job_id, j.run_id, s.name AS schedule, j.kind, COALESCE(f.name, c.name) AS collection,
             j.model_ref AS model, v.version AS model_version, j.n_documents,
             (SELECT COUNT(DISTINCT k.worker) FROM chunk k WHERE k.job_id = j.id) AS n_workers,
             j.started_at, j.finished_at, SECONDS[j.started_at, j.finished_at] AS seconds
      FROM job j JOIN collection c ON c.id = j.collection_id LEFT JOIN collection f ON f.id = c.files_of_id
      LEFT JOIN model_version v ON v.id = j.model_version_id LEFT JOIN run n ON n.id = j.run_id
      LEFT JOIN schedule s ON s.id = n.schedule_id
      WHERE j.state = 'finished' AND j.started_at IS NOT NULL) t
"""

_RUN = {"run_id": "the night: a firing of a schedule"}
_DOCUMENT = {"collection": "name of the collection", "document_key": "the document's key"}

NIGHT_VIEWS: Mapping[str, View] = {
    "v_night": View(
        about="Every night, that is every firing of a schedule, with its figures.",
        query=_NIGHT,
        columns={
            **_RUN,
            "schedule": "name of the schedule",
            "due_at": "when it was due",
            "fired_at": "when it fired",
            "state": "`queued` behind the run before it, `running`, `finished`, `nothing to do`, `failed` (no job "
            "could be submitted, or one gave no result), `cancelled`; `skipped` or `missed` if it never started",
            "previous_run_id": "the night before of the same schedule; NULL if none",
            "n_jobs": "number of jobs",
            "n_new": "documents that came into the collections of its jobs since the night before ended",
            "n_changed": "documents whose text changed in that time",
            "n_outcomes": "documents of its jobs, each counted once for each job",
            "n_ok": "how many of them have a result",
            "n_error": "how many of them have an error",
            "n_cancelled": "how many of `n_error` were not tried, because their job was cancelled, or left for the "
            "next night",
            "started_at": "when its first job started",
            "finished_at": "when its last job ended; NULL if one has not",
            "seconds": "the time between both",
            "fault": "why no job could be submitted; NULL if some could",
            "note": "why it was skipped or missed, what failed, or what was carried over",
        },
    ),
    "v_night_diff": View(
        about="What is different after a night: documents, labels, close neighbours, failures.",
        query=_NIGHT_DIFF,
        columns={
            **_RUN,
            "change": "`new`, `changed` (the text), `label`, `neighbour`, `failed` or `recovered`",
            "kind": "kind of the job; `add` for `new` and `changed`",
            **_DOCUMENT,
            "neighbour_key": "key of the document that it is near to; empty for other changes",
            "label_before": "the label that a job gave it last before; NULL if the model abstained",
            "label_after": "the label now",
            "detail": "why, or what went wrong: `CODE: detail`",
            "score": "similarity of the two documents",
            "job_id": "the job of the night; NULL for `new` and `changed`",
            "document_id": "the version of the document (`document.id`)",
            "previous_job_id": "the job that it is compared with",
        },
        notes="A neighbour is listed if the document came in after the similarity job before. A failure is listed if "
        "the document had not failed in the job of the same kind before. Ask for one `run_id` and `change`.",
    ),
    "v_label_trend": View(
        about="How many documents each job gave each label.",
        query=_LABEL_TREND,
        columns={
            "job_id": "the job",
            "run_id": "the night that it belongs to; NULL if it was submitted by hand",
            "schedule": "name of the schedule",
            "collection": "name of the collection",
            "label": "the label; NULL if the model abstained",
            "n_documents": "number of documents with it",
            "n_new": "how many of them no job had labelled before",
            "created_at": "when the job was submitted",
        },
    ),
    "v_throughput": View(
        about="How fast each finished job was.",
        query=_THROUGHPUT,
        columns={
            "job_id": "the job",
            "run_id": "the night that it belongs to; NULL if it was submitted by hand",
            "schedule": "name of the schedule",
            "kind": "kind of the job",
            "collection": "name of the collection",
            "model": "the model as it was asked for; NULL if none",
            "model_version": "number of the version that was used",
            "n_documents": "number of documents",
            "n_workers": "number of workers that worked on it last",
            "started_at": "when it started",
            "finished_at": "when it ended",
            "seconds": "the time between both",
            "documents_per_second": "`n_documents / seconds`",
        },
    ),
}
