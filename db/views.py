"""The public contract for analysts: plain columns (JSON only for metadata), names instead of numbers.

Views may gain columns and never lose one. Each one is declared here with its query and a description of every
column; docs/sql.md is generated from this (`make docs`). A test compares the declared columns with the real ones.
"""

from __future__ import annotations

from collections.abc import Mapping

from db.view import DOCUMENT, View
from db.views_of_files import FILE_VIEWS
from db.views_of_generation import GENERATION_VIEWS
from db.views_of_nights import NIGHT_VIEWS
from db.views_of_workers import WORKER_VIEWS

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

#: What is summed up over a job's chunks. PostgreSQL reads them once, for all sums together; SQLite cannot join what
#: depends on the row before it, so it reads them by their index for each.
_CHUNK_SUMS = {
    "n_ok": "CAST(SUM(k.n_ok) AS BIGINT)",
    "n_error": "CAST(SUM(k.n_error) AS BIGINT)",
    "n_chunks": "COUNT(*)",
    "n_chunks_closed": "COUNT(CASE WHEN k.state = 'closed' THEN 1 END)",
    "n_chunks_leased": "COUNT(CASE WHEN k.state = 'leased' THEN 1 END)",
}
_OF_JOB = "FROM chunk k WHERE k.job_id = j.id"
_SUMS_ONE_BY_ONE = {name: f"(SELECT {what} {_OF_JOB})" for name, what in _CHUNK_SUMS.items()}
_SUMS_TOGETHER = f"SELECT {', '.join(f'{what} AS {name}' for name, what in _CHUNK_SUMS.items())} {_OF_JOB}"


def _job_progress(sums: Mapping[str, str], joined: str) -> str:
    """n_error counts every document without a result; n_cancelled says how many of those nobody tried, because the job
    was cancelled or the time of its night was over. An index holds the errors by job and code, so that the count reads
    no other outcome."""
    return f"""
SELECT j.id AS job_id, j.kind, COALESCE(f.name, c.name) AS collection, j.state, j.n_documents,
       COALESCE(j.n_ok, {sums["n_ok"]}, 0) AS n_ok, COALESCE(j.n_error, {sums["n_error"]}, 0) AS n_error,
       CASE WHEN j.state IN ('cancelling', 'cancelled')
            THEN (SELECT COUNT(*) FROM outcome o
                  WHERE o.job_id = j.id AND o.state = 'error' AND o.error_code IN ('CANCELLED', 'CARRIED_OVER'))
            ELSE 0 END AS n_cancelled,
       {sums["n_chunks"]} AS n_chunks, {sums["n_chunks_closed"]} AS n_chunks_closed,
       {sums["n_chunks_leased"]} AS n_chunks_leased,
       j.priority, j.model_ref AS model, v.version AS model_version, j.note, j.key AS job_key,
       j.run_id, j.after_job_id, j.created_at, j.started_at, j.finished_at, ({_FAULT}) AS fault, j.where_clause,
       j.submitter, j.is_exclusive,
       COALESCE((SELECT CAST(SUM(p.n_ok + p.n_error) AS BIGINT) FROM pruned p WHERE p.job_id = j.id), 0) AS n_pruned
FROM job j JOIN collection c ON c.id = j.collection_id LEFT JOIN model_version v ON v.id = j.model_version_id
LEFT JOIN collection f ON f.id = c.files_of_id{joined}
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

_ENTITIES = f"""
SELECT collection, document_key, rank, label, text, normal, start_char, end_char, score, source, model, model_version,
       job_id, document_id, document_version, is_current
FROM (SELECT c.name AS collection, d.key AS document_key, r.rank, r.label, r.text, r.normal, r.start_char, r.end_char,
             r.score, r.source, m.name AS model, v.version AS model_version, r.job_id, r.document_id,
             d.version AS document_version, d.is_latest AS is_current, RANK() OVER ({_NEWEST}) AS place
      FROM entity r JOIN document d ON d.id = r.document_id JOIN collection c ON c.id = d.collection_id
      JOIN job j ON j.id = r.job_id LEFT JOIN model_version v ON v.id = j.model_version_id
      LEFT JOIN model m ON m.id = v.model_id) newest
WHERE place = 1
"""  # noqa: S608

_REDACTED = f"""
SELECT collection, document_key, text, n_redacted, job_id, document_id, document_version, is_current
FROM (SELECT c.name AS collection, d.key AS document_key, r.text, r.n_redacted, r.job_id, r.document_id,
             d.version AS document_version, d.is_latest AS is_current, ROW_NUMBER() OVER ({_NEWEST}) AS place
      FROM redacted_text r JOIN document d ON d.id = r.document_id JOIN collection c ON c.id = d.collection_id) newest
WHERE place = 1
"""  # noqa: S608

#: A label given by a person takes precedence over the newest label of a model, and needs none of a model.
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

#: A document's newest list may be empty: such a job gave it the outcome `ok` and no row.
_LISTS = """
SELECT n.job_id, n.document_id, n.rank, n.neighbour_id, n.score FROM neighbour n
UNION ALL
SELECT w.job_id, w.document_id, NULL, NULL, NULL FROM outcome w JOIN job j ON j.id = w.job_id
WHERE j.kind = 'similarity' AND w.state = 'ok'
  AND NOT EXISTS (SELECT 1 FROM neighbour n WHERE n.job_id = w.job_id AND n.document_id = w.document_id)
"""

_SIMILAR = f"""
SELECT collection, document_key, neighbour_key, neighbour_collection, rank, score, job_id, document_id,
       neighbour_id, is_current
FROM (SELECT c.name AS collection, d.key AS document_key, n.key AS neighbour_key,
             o.name AS neighbour_collection, r.rank, r.score, r.job_id, r.document_id, r.neighbour_id,
             d.is_latest AS is_current, RANK() OVER ({_NEWEST}) AS place
      FROM ({_LISTS}) r JOIN document d ON d.id = r.document_id JOIN collection c ON c.id = d.collection_id
      LEFT JOIN document n ON n.id = r.neighbour_id LEFT JOIN collection o ON o.id = n.collection_id) newest
WHERE place = 1 AND neighbour_id IS NOT NULL
"""  # noqa: S608

_SIMILAR_TERMS = f"""
SELECT s.collection, s.document_key, s.neighbour_key, s.neighbour_collection, s.rank, t.rank AS term_rank, t.term,
       t.weight, s.job_id, s.document_id, s.neighbour_id, s.is_current
FROM ({_SIMILAR}) s
JOIN neighbour_term t ON t.job_id = s.job_id AND t.document_id = s.document_id AND t.neighbour_rank = s.rank
"""  # noqa: S608

_SEARCH_RECALL = """
SELECT r.job_id, c.name AS collection, COUNT(*) AS n_documents,
       CAST(SUM(r.n_found) AS DOUBLE PRECISION) / NULLIF(SUM(r.n_nearest), 0) AS recall,
       COUNT(CASE WHEN r.n_found < r.n_nearest THEN 1 END) AS n_incomplete,
       MAX(r.n_lists) AS n_lists, MAX(r.n_read) AS n_read
FROM neighbour_recall r JOIN job j ON j.id = r.job_id JOIN collection c ON c.id = j.collection_id
GROUP BY r.job_id, c.name
"""

_FAILURES = """
SELECT r.job_id, j.kind, COALESCE(f.name, c.name) AS collection, d.key AS document_key, r.error_code, r.error_detail,
       d.source, d.version AS document_version, r.document_id, r.written_at
FROM outcome r JOIN job j ON j.id = r.job_id JOIN document d ON d.id = r.document_id
JOIN collection c ON c.id = d.collection_id LEFT JOIN collection f ON f.id = c.files_of_id
WHERE r.state = 'error'
"""

#: The latest version of every document that people know. Files of which documents are made are in v_extractions.
_DOCUMENTS = """
SELECT c.name AS collection, d.key AS document_key, d.version,
       CASE WHEN g.rank IS NULL THEN d.label ELSE g.label END AS label,
       d.body_chars AS chars, d.added_at, d.meta, d.source, d.id AS document_id
FROM document d JOIN collection c ON c.id = d.collection_id
LEFT JOIN given_label g ON g.collection_id = d.collection_id AND g.document_key = d.key AND g.rank = 1
WHERE d.is_latest AND c.files_of_id IS NULL
"""


_PRUNED = """
SELECT p.job_id, j.kind, COALESCE(f.name, c.name) AS collection, p.policy, p.n_ok, p.n_error, p.first_at, p.last_at
FROM pruned p JOIN job j ON j.id = p.job_id JOIN collection c ON c.id = j.collection_id
LEFT JOIN collection f ON f.id = c.files_of_id
"""


_ORIGIN = {
    "job_id": "the job that made this row",
    "document_id": "the version of the document that it was made from (`document.id`)",
}
_VERSION = {"document_version": "number of that version; the first one is 1"}
_CURRENT = {"is_current": "false if the document's text has changed since"}
_MODEL = {"model": "name of the model", "model_version": "number of its version"}
_NEIGHBOUR = {
    "neighbour_key": "key of the similar document",
    "neighbour_collection": "collection of the similar document",
    "rank": "1 for the most similar document",
}
_NEIGHBOUR_ID = {"neighbour_id": "the version of the similar document (`document.id`)"}

VIEWS: Mapping[str, View] = {
    "v_documents": View(
        about="The latest version of each document, with its [metadata](metadata.md).",
        query=_DOCUMENTS,
        columns={
            **DOCUMENT,
            "version": "number of this version; the first one is 1",
            "label": "the label that a person gave, otherwise the one that came with the document; NULL if none",
            "chars": "number of characters of the text",
            "added_at": "when this version was added",
            "meta": "the other fields of its record: JSON; a field is `meta ->> 'company'`",
            "source": "the file and line, or the file, that it was read from",
            "document_id": "this version of the document (`document.id`)",
        },
        notes="The text is in the table `document`.",
    ),
    "v_latest_summary": View(
        about="The newest summary of each document.",
        query=_LATEST_SUMMARY,
        columns={
            **DOCUMENT,
            "summary": "the summary",
            "method": "how it was made: the value of the parameter `method`",
            "n_sentences": "older name of `n_document_sentences`",
            **_ORIGIN,
            **_VERSION,
            **_CURRENT,
            "n_document_sentences": "number of sentences in the document, not in the summary",
        },
        notes="Table `summary_sentence` has one row for each sentence of a summary.",
    ),
    "v_evaluation": View(
        about="How well the summaries of a job agree with reference summaries (`docmill evaluate`).",
        query=_EVALUATION,
        columns={
            "job_id": "the evaluation job",
            "summary_job_id": "the job that made the summaries",
            "collection": "name of the collection",
            "n_documents": "number of documents compared",
            "rouge_1": "mean ROUGE-1 (F1, 0 to 100)",
            "rouge_2": "mean ROUGE-2 (F1, 0 to 100)",
            "rouge_l": "mean ROUGE-L (F1, 0 to 100)",
            "mean_tokens": "mean length of the summaries, in tokens (morphemes or words)",
            "mean_reference_tokens": "mean length of the references, in tokens",
        },
        notes="Table `summary_score` has the scores of each document.",
    ),
    "v_keywords": View(
        about="The keywords of each document, from the newest `keywords` job.",
        query=_KEYWORDS,
        columns={
            **DOCUMENT,
            "rank": "1 for the most important keyword",
            "term": "the keyword: a word or several words",
            "score": "importance relative to the document's first keyword, which has 1",
            **_ORIGIN,
            **_VERSION,
            **_CURRENT,
        },
    ),
    "v_entities": View(
        about="The entities of each document, from the newest `entities` job.",
        query=_ENTITIES,
        columns={
            **DOCUMENT,
            "rank": "1 for the first one in the text",
            "label": "what it is: a label of the model, or of a rule (`DATE`, `MONEY`, `PHONE`, ...)",
            "text": "as the document has it, from `start_char` to `end_char`",
            "normal": "the value in one form for all ways to write it; NULL if there is none",
            "start_char": "offset in characters, from 0",
            "end_char": "offset of the first character after it",
            "score": "probability by the model; for a rule 1, or less if only its form decided",
            "source": "`model` or `rule`",
            **_MODEL,
            **_ORIGIN,
            **_VERSION,
            **_CURRENT,
        },
    ),
    "v_redacted": View(
        about="The text of each document without what it must not say, from the newest `entities` job with `redact`.",
        query=_REDACTED,
        columns={
            **DOCUMENT,
            "text": "the text; each place is replaced by its label in brackets",
            "n_redacted": "number of places that were replaced",
            **_ORIGIN,
            **_VERSION,
            **_CURRENT,
        },
    ),
    "v_latest_label": View(
        about="The label of each document: the one that a person gave, otherwise the newest one from a model.",
        query=_LATEST_LABEL,
        columns={
            **DOCUMENT,
            "label": "the label; NULL if the model abstained",
            "score": "older name of `probability`",
            "reason": "why the model abstained; NULL if there is a label",
            **_MODEL,
            "job_id": "the job that labelled the document; NULL if no model did",
            "document_id": _ORIGIN["document_id"],
            **_VERSION,
            **_CURRENT,
            "label_source": "`model`; for a label that a person gave `human` (`docmill label set`), `file:line` "
            "(`train --labels`) or `sql` (`train --labels-sql`)",
            "model_label": "the label from the model, also where a person gave another one",
            "probability": "calibrated probability of the label; 1 for a label that a person gave",
        },
        notes="A document with several labels appears with its first label; table `classification` has all of them, "
        "by `rank`.",
    ),
    "v_given_labels": View(
        about="Every label that a person gave.",
        query=_GIVEN_LABELS,
        columns={
            **DOCUMENT,
            "rank": "1 for the first label of the document, 2 for the second, and so on",
            "label": "the label; NULL means that no label applies",
            "source": "where it comes from, as `label_source` of `v_latest_label`",
            "given_at": "when it was given",
        },
    ),
    "v_model_metrics": View(
        about="Every metric of every model version.",
        query=_MODEL_METRICS,
        columns={**_MODEL, "metric": "name of the metric", "value": "its value"},
    ),
    "v_model_labels": View(
        about="How well a classifier predicts each label, measured on held-out documents.",
        query=_MODEL_LABELS,
        columns={
            **_MODEL,
            "label": "the label",
            "precision": "share of the documents that got the label and have it",
            "recall": "share of the documents that have the label and got it",
            "f1": "harmonic mean of precision and recall",
            "support": "number of documents that have the label",
            "n_predicted": "number of documents that got the label",
            "threshold": "probability from which the label is given; NULL where a document has one label",
        },
    ),
    "v_model_confusion": View(
        about="Number of held-out documents by their true and their predicted label.",
        query=_MODEL_CONFUSION,
        columns={
            **_MODEL,
            "true_label": "the label that the documents have",
            "predicted_label": "the label that they got",
            "n_documents": "number of documents; pairs of labels without any have no row",
        },
    ),
    "v_shadow_agreement": View(
        about="How often the labels of a `shadow-classify` job agree with the labels in use.",
        query=_SHADOW_AGREEMENT,
        columns={
            "job_id": "the `shadow-classify` job",
            "collection": "name of the collection",
            **_MODEL,
            "n_documents": "number of documents compared: those that also have a label in use",
            "n_agreeing": "number of documents with the same label from both",
            "agreement": "`n_agreeing / n_documents`",
        },
        notes="In use is the newest label that `classify` gave the document with another version of the same model. "
        "Labels given by people are not compared. Table `shadow_label` has the labels of the job.",
    ),
    "v_similar": View(
        about="The most similar documents of each document, from the newest `similarity` job that changed its list.",
        query=_SIMILAR,
        columns={
            **DOCUMENT,
            **_NEIGHBOUR,
            "score": "from -1 to 1: of vectors and words together, or with `method=doc2vec` the cosine of the vectors",
            **_ORIGIN,
            **_NEIGHBOUR_ID,
            **_CURRENT,
        },
    ),
    "v_similar_terms": View(
        about="The words that a document and a similar document share, the most important ones.",
        query=_SIMILAR_TERMS,
        columns={
            **DOCUMENT,
            **_NEIGHBOUR,
            "term_rank": "1 for the word with the largest weight",
            "term": "the word",
            "weight": "the word's share of the tf-idf cosine of the two documents",
            **_ORIGIN,
            **_NEIGHBOUR_ID,
            **_CURRENT,
        },
    ),
    "v_search_recall": View(
        about="How much of what is nearest a `similarity` job with `search=index` has found.",
        query=_SEARCH_RECALL,
        columns={
            "job_id": "the job",
            "collection": "name of the collection",
            "n_documents": "number of documents that were also searched exactly",
            "recall": "share of their nearest documents that are on their lists",
            "n_incomplete": "number of these documents whose list lacks one",
            "n_lists": "number of lists of the index",
            "n_read": "number of lists that were read for each document",
        },
        notes="Table `neighbour_recall` has the counts of each document.",
    ),
    "v_failures": View(
        about="Every document that failed in a job.",
        query=_FAILURES,
        columns={
            "job_id": "the job",
            "kind": "the job's kind",
            **DOCUMENT,
            "error_code": "what went wrong; see the error codes below",
            "error_detail": "what was seen, in a sentence",
            "source": "where the document came from: file and line",
            **_VERSION,
            "document_id": "the version of the document that failed (`document.id`)",
            "written_at": "when the error was recorded",
        },
    ),
    "v_job_progress": View(
        about="Every job and how far it is.",
        query=_job_progress(_SUMS_ONE_BY_ONE, ""),
        on_postgresql=_job_progress(
            {name: f"sums.{name}" for name in _CHUNK_SUMS}, f" CROSS JOIN LATERAL ({_SUMS_TOGETHER}) sums"
        ),
        columns={
            "job_id": "number of the job",
            "kind": "kind of the job",
            "collection": "name of the collection",
            "state": "`waiting`, `running`, `paused`, `cancelling`, `finished` or `cancelled`",
            "n_documents": "number of documents in the job",
            "n_ok": "number of documents with a result",
            "n_error": "number of documents with an error; `n_ok + n_error` are done",
            "n_cancelled": "how many of `n_error` were not tried, because the job was cancelled (error code "
            "CANCELLED) or left for the next night (CARRIED_OVER); `n_error - n_cancelled` failed",
            "n_chunks": "number of chunks in the job",
            "n_chunks_closed": "number of chunks that are done",
            "n_chunks_leased": "number of chunks that workers are working on now",
            "priority": "0 (lowest) to 9 (highest)",
            "model": "the model as it was asked for: `NAME`, `NAME@3` or `NAME@alias`",
            "model_version": "number of the version that is used; NULL until the job starts",
            "note": "what a worker last reported about its progress",
            "job_key": "key that the submitter chose; NULL if none",
            "run_id": "the run of the schedule that submitted the job; NULL if none",
            "after_job_id": "the job that has to finish first; NULL if none",
            "created_at": "when the job was submitted",
            "started_at": "when it started",
            "finished_at": "when it ended",
            "fault": "why a chunk is waiting after its worker failed; NULL if none is",
            "where_clause": "the selection (`--where`) that chose its documents; NULL for all",
            "submitter": "who submitted the job; NULL if an older version of docmill did",
            "is_exclusive": "whether no other job of its collection and kind runs beside it",
            "n_pruned": "how many of these outcomes were [pruned](retention.md)",
        },
    ),
    "v_pruned": View(
        about="How many outcomes of each job were pruned, and by which policy.",
        query=_PRUNED,
        columns={
            "job_id": "the job",
            "kind": "the job's kind",
            "collection": "name of the collection",
            "policy": "which part of the [policy](retention.md), in words",
            "n_ok": "number of outcomes `ok` that were pruned",
            "n_error": "number of errors that were pruned",
            "first_at": "when the first of them were pruned",
            "last_at": "when the last of them were pruned",
        },
        notes="The outcomes that are there and those that were pruned are together `n_documents` of the job.",
    ),
    **FILE_VIEWS,
    **GENERATION_VIEWS,
    **NIGHT_VIEWS,
    **WORKER_VIEWS,
}

#: The digest of the views of every docmill so far, the newest last. When you change a view, append the new digest,
#: which the test of this tuple prints. Its length is the number by which an older docmill knows newer views.
DIGESTS = ("cafcbab6a89ca69f", "ef8045dc4b68d6bc", "5359d9ccfb02db98", "7513376de521bc63", "a9363c1fc1e616d5")
