"""The public contract for analysts: plain columns, no JSON, names instead of numbers.

Views may gain columns and never lose one. They are dropped before every migration and created after it; a store
whose views are not these is brought up to date by `docmill db upgrade` (SQLite: when it is opened).
"""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection, text

#: Of all the results for a key, the newest version's from the newest job come first.
_NEWEST = "PARTITION BY d.collection_id, d.key ORDER BY d.version DESC, r.job_id DESC"

_TIMES = "CASE {0} WHEN 1 THEN 'once' ELSE {0} || ' times' END"

#: Why a chunk waits that a worker could not see through: of those that wait, the one that failed most often.
_FAULT = f"""
SELECT 'chunk ' || k.seq || ' of ' || (SELECT MAX(s.seq) FROM chunk s WHERE s.job_id = k.job_id AND s.stage = k.stage)
       || CASE WHEN k.n_put_back > 0 THEN ' was put back ' || {_TIMES.format("k.n_put_back")}
               ELSE ' lost its worker ' || {_TIMES.format("(k.n_crashes + k.n_lost)")} END || ': ' || k.fault
FROM chunk k WHERE k.job_id = j.id AND k.state = 'ready' AND k.fault IS NOT NULL
ORDER BY k.n_put_back + k.n_crashes + k.n_lost DESC, k.id LIMIT 1
"""  # noqa: S608

#: n_error counts every document without a result; n_cancelled says how many of those nobody tried, because the job was
#: cancelled. An index holds the errors by job and code, so that the count reads no other outcome.
_JOB_PROGRESS = f"""
SELECT j.id AS job_id, j.kind, COALESCE(f.name, c.name) AS collection, j.state, j.n_documents,
       COALESCE(j.n_ok, (SELECT CAST(SUM(k.n_ok) AS BIGINT) FROM chunk k WHERE k.job_id = j.id), 0) AS n_ok,
       COALESCE(j.n_error, (SELECT CAST(SUM(k.n_error) AS BIGINT) FROM chunk k WHERE k.job_id = j.id), 0) AS n_error,
       CASE WHEN j.state IN ('cancelling', 'cancelled')
            THEN (SELECT COUNT(*) FROM outcome o
                  WHERE o.job_id = j.id AND o.state = 'error' AND o.error_code = 'CANCELLED')
            ELSE 0 END AS n_cancelled,
       (SELECT COUNT(*) FROM chunk k WHERE k.job_id = j.id) AS n_chunks,
       (SELECT COUNT(*) FROM chunk k WHERE k.job_id = j.id AND k.state = 'closed') AS n_chunks_closed,
       (SELECT COUNT(*) FROM chunk k WHERE k.job_id = j.id AND k.state = 'leased') AS n_chunks_leased,
       j.priority, j.model_ref AS model, v.version AS model_version, j.note, j.key AS job_key,
       j.run_id, j.after_job_id, j.created_at, j.started_at, j.finished_at, ({_FAULT}) AS fault
FROM job j JOIN collection c ON c.id = j.collection_id LEFT JOIN model_version v ON v.id = j.model_version_id
LEFT JOIN collection f ON f.id = c.files_of_id
"""  # noqa: S608

_LATEST_SUMMARY = f"""
SELECT collection, document_key, summary, method, n_sentences, job_id, document_id, document_version, is_current,
       n_sentences AS n_document_sentences
FROM (SELECT c.name AS collection, d.key AS document_key, r.summary, r.method, r.n_sentences, r.job_id,
             r.document_id, d.version AS document_version, d.is_latest AS is_current,
             ROW_NUMBER() OVER ({_NEWEST}) AS place
      FROM summary r JOIN document d ON d.id = r.document_id JOIN collection c ON c.id = d.collection_id) newest
WHERE place = 1
"""  # noqa: S608 (constants only)

_EVALUATION = """
SELECT r.job_id, r.summary_job_id, c.name AS collection, COUNT(*) AS n_documents, AVG(r.rouge_1) AS rouge_1,
       AVG(r.rouge_2) AS rouge_2, AVG(r.rouge_l) AS rouge_l, AVG(r.n_tokens) AS mean_tokens,
       AVG(r.n_reference_tokens) AS mean_reference_tokens
FROM summary_score r JOIN job j ON j.id = r.job_id JOIN collection c ON c.id = j.collection_id
GROUP BY r.job_id, r.summary_job_id, c.name
"""

_KEYWORDS = f"""
SELECT collection, document_key, rank, term, score, job_id, document_id, document_version, is_current
FROM (SELECT c.name AS collection, d.key AS document_key, r.rank, r.term, r.score, r.job_id, r.document_id,
             d.version AS document_version, d.is_latest AS is_current, RANK() OVER ({_NEWEST}) AS place
      FROM keyword r JOIN document d ON d.id = r.document_id JOIN collection c ON c.id = d.collection_id) newest
WHERE place = 1
"""  # noqa: S608

#: A label that somebody gave goes before the newest model's, and stands alone where no model labelled the document.
#: `score` and `probability` are the same number; the first name is older.
_LATEST_LABEL = f"""
SELECT newest.collection, newest.document_key,
       CASE WHEN g.rank IS NULL THEN newest.label ELSE g.label END AS label,
       CASE WHEN g.rank IS NULL THEN newest.score ELSE 1.0 END AS score,
       CASE WHEN g.rank IS NULL THEN newest.reason ELSE NULL END AS reason,
       newest.model, newest.model_version, newest.job_id, newest.document_id, newest.document_version,
       newest.is_current, CASE WHEN g.rank IS NULL THEN 'model' ELSE g.source END AS label_source,
       newest.label AS model_label, CASE WHEN g.rank IS NULL THEN newest.score ELSE 1.0 END AS probability
FROM (SELECT c.id AS collection_id, c.name AS collection, d.key AS document_key, r.label, r.score, r.reason,
             m.name AS model, v.version AS model_version, r.job_id, r.document_id, d.version AS document_version,
             d.is_latest AS is_current, ROW_NUMBER() OVER ({_NEWEST}) AS place
      FROM classification r JOIN document d ON d.id = r.document_id JOIN collection c ON c.id = d.collection_id
      JOIN job j ON j.id = r.job_id LEFT JOIN model_version v ON v.id = j.model_version_id
      LEFT JOIN model m ON m.id = v.model_id
      WHERE r.rank = 1) newest
LEFT JOIN given_label g ON g.collection_id = newest.collection_id AND g.document_key = newest.document_key
                           AND g.rank = 1
WHERE newest.place = 1
UNION ALL
SELECT c.name, g.document_key, g.label, 1.0, NULL, NULL, NULL, NULL, d.id, d.version, d.is_latest, g.source, NULL,
       1.0
FROM given_label g JOIN collection c ON c.id = g.collection_id
JOIN document d ON d.collection_id = g.collection_id AND d.key = g.document_key AND d.is_latest
WHERE g.rank = 1 AND NOT EXISTS (SELECT 1 FROM classification r JOIN document o ON o.id = r.document_id
                                 WHERE o.collection_id = g.collection_id AND o.key = g.document_key AND r.rank = 1)
"""  # noqa: S608

_GIVEN_LABELS = """
SELECT c.name AS collection, g.document_key, g.rank, g.label, g.source, g.given_at
FROM given_label g JOIN collection c ON c.id = g.collection_id
"""

#: Beside the newest label that `classify` gave to the same version of the document by another version of the same
#: model: that is the label in use, whichever models of other names labelled it too. Two abstentions agree.
_SHADOW_AGREEMENT = """
SELECT s.job_id, c.name AS collection, m.name AS model, v.version AS model_version,
       COUNT(*) AS n_documents,
       SUM(CASE WHEN b.label = s.label OR (b.label IS NULL AND s.label IS NULL) THEN 1 ELSE 0 END) AS n_agreeing,
       AVG(CASE WHEN b.label = s.label OR (b.label IS NULL AND s.label IS NULL) THEN 1.0 ELSE 0.0 END) AS agreement
FROM shadow_label s JOIN job j ON j.id = s.job_id JOIN collection c ON c.id = j.collection_id
JOIN model_version v ON v.id = j.model_version_id JOIN model m ON m.id = v.model_id
JOIN classification b ON b.document_id = s.document_id AND b.rank = 1
     AND b.job_id = (SELECT MAX(n.job_id) FROM classification n JOIN job o ON o.id = n.job_id
                     JOIN model_version w ON w.id = o.model_version_id
                     WHERE n.document_id = s.document_id AND w.model_id = v.model_id AND w.id <> v.id)
GROUP BY s.job_id, c.name, m.name, v.version
"""

_OF_VERSIONS = "JOIN model_version v ON v.id = r.model_version_id JOIN model m ON m.id = v.model_id"

_MODEL_METRICS = f"""
SELECT m.name AS model, v.version AS model_version, r.name AS metric, r.value
FROM model_metric r {_OF_VERSIONS}
"""  # noqa: S608

_MODEL_LABELS = f"""
SELECT m.name AS model, v.version AS model_version, r.label, r.precision, r.recall, r.f1, r.support,
       r.n_predicted, r.threshold
FROM model_label_metric r {_OF_VERSIONS}
"""  # noqa: S608

_MODEL_CONFUSION = f"""
SELECT m.name AS model, v.version AS model_version, r.true_label, r.predicted_label, r.n_documents
FROM model_confusion r {_OF_VERSIONS}
"""  # noqa: S608

_SIMILAR = f"""
SELECT collection, document_key, neighbour_key, neighbour_collection, rank, score, job_id, document_id,
       neighbour_id, is_current
FROM (SELECT c.name AS collection, d.key AS document_key, n.key AS neighbour_key,
             o.name AS neighbour_collection, r.rank, r.score, r.job_id, r.document_id, r.neighbour_id,
             d.is_latest AS is_current, RANK() OVER ({_NEWEST}) AS place
      FROM neighbour r JOIN document d ON d.id = r.document_id JOIN collection c ON c.id = d.collection_id
      JOIN document n ON n.id = r.neighbour_id JOIN collection o ON o.id = n.collection_id) newest
WHERE place = 1
"""  # noqa: S608

_SIMILAR_TERMS = f"""
SELECT s.collection, s.document_key, s.neighbour_key, s.neighbour_collection, s.rank, t.rank AS term_rank, t.term,
       t.weight, s.job_id, s.document_id, s.neighbour_id, s.is_current
FROM ({_SIMILAR}) s
JOIN neighbour_term t ON t.job_id = s.job_id AND t.document_id = s.document_id AND t.neighbour_rank = s.rank
"""  # noqa: S608

_FAILURES = """
SELECT r.job_id, j.kind, COALESCE(f.name, c.name) AS collection, d.key AS document_key, r.error_code, r.error_detail,
       d.source, d.version AS document_version, r.document_id, r.written_at
FROM outcome r JOIN job j ON j.id = r.job_id JOIN document d ON d.id = r.document_id
JOIN collection c ON c.id = d.collection_id LEFT JOIN collection f ON f.id = c.files_of_id
WHERE r.state = 'error'
"""

#: The files of which documents are made, each with what came of it last. A file of which nothing came yet is waiting.
_EXTRACTIONS = """
SELECT c.name AS collection, d.key AS document_key, d.version AS document_version, d.source AS path,
       d.body_chars AS n_bytes, COALESCE(o.state, 'waiting') AS state, o.error_code, o.error_detail,
       r.title, r.language, r.media_type, r.parser, r.extractor, r.n_documents, r.n_pages, r.n_chars,
       r.share_non_letters, r.n_replaced, r.n_tables_left_out, r.n_chars_left_out, r.n_warnings, r.warnings,
       o.job_id, d.id AS document_id, o.written_at
FROM document d JOIN collection files ON files.id = d.collection_id JOIN collection c ON c.id = files.files_of_id
LEFT JOIN outcome o ON o.document_id = d.id
                   AND o.job_id = (SELECT MAX(l.job_id) FROM outcome l WHERE l.document_id = d.id)
LEFT JOIN extraction r ON r.job_id = o.job_id AND r.document_id = d.id
WHERE d.is_latest
"""

VIEWS = {
    "v_job_progress": _JOB_PROGRESS,
    "v_latest_summary": _LATEST_SUMMARY,
    "v_evaluation": _EVALUATION,
    "v_keywords": _KEYWORDS,
    "v_latest_label": _LATEST_LABEL,
    "v_given_labels": _GIVEN_LABELS,
    "v_model_metrics": _MODEL_METRICS,
    "v_model_labels": _MODEL_LABELS,
    "v_model_confusion": _MODEL_CONFUSION,
    "v_shadow_agreement": _SHADOW_AGREEMENT,
    "v_similar": _SIMILAR,
    "v_similar_terms": _SIMILAR_TERMS,
    "v_failures": _FAILURES,
    "v_extractions": _EXTRACTIONS,
}


def digest() -> str:
    """A fingerprint of all views as this version has them. It is stored beside them, so that a store with older
    ones is noticed."""
    return hashlib.sha256(repr(sorted(VIEWS.items())).encode()).hexdigest()[:16]


def stored_digest(connection: Connection) -> str | None:
    """The fingerprint of the views that a store has; None before it kept one."""
    if not connection.dialect.has_table(connection, "view_digest"):
        return None
    found: str | None = connection.scalar(text("SELECT digest FROM view_digest"))
    return found


def drop(connection: Connection) -> None:
    """Drop every view, so that the tables under them can change."""
    for name in VIEWS:
        connection.execute(text(f"DROP VIEW IF EXISTS {name}"))


def create(connection: Connection) -> None:
    """Create every view as this version has it, and store their fingerprint."""
    for name, query in VIEWS.items():
        connection.execute(text(f"CREATE VIEW {name} AS {query}"))
    connection.execute(text("DELETE FROM view_digest"))
    connection.execute(text("INSERT INTO view_digest (digest) VALUES (:digest)"), {"digest": digest()})
