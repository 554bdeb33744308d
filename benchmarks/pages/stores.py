"""A store with many documents and outcomes, written by PostgreSQL itself.

Triggers and foreign keys are off while it is written, and secondary indexes are made afterwards: only what pages read
matters here. The full text index has 20 words of each document, drawn at random. The last night is a bad one: one job
failed as a whole, another in part and for several causes.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from sqlalchemy import text
from sqlalchemy.orm import Session

from db.store import Store
from scheduler.search.indexing import maintain_lists

#: Tables that are filled, and their secondary indexes made after it.
_LARGE = ("document", "outcome", "chunk", "summary", "summary_sentence", "classification", "keyword",
          "neighbour", "neighbour_term", "search_document")  # fmt: skip
#: Of the outcomes, this share is of small jobs.
_SMALL_SHARE = 0.05
_SMALL = 100
N_LARGE = 48
_NIGHTS = 400

_COLLECTIONS = """
INSERT INTO collection (id, name, created_at) VALUES (1, 'news', now()), (2, 'inbox', now()), (3, '편지', now())
"""
_DOCUMENTS = """
INSERT INTO document (id, collection_id, key, version, is_latest, text, content_hash, body_chars, label, source,
                      added_at)
SELECT n, CASE WHEN n <= {documents} * 0.8 THEN 1 WHEN n <= {documents} * 0.95 THEN 2 ELSE 3 END,
       'folder/' || md5(n::text), CASE WHEN n % 10 = 0 THEN 2 ELSE 1 END, true,
       '첫 문장입니다. ' || repeat(md5(n::text) || ' word. ', 8), sha256(n::text::bytea), 310,
       CASE WHEN n % 3 = 0 THEN 'sport' END, 'made:' || n, now() - n * interval '1 second'
FROM generate_series(1, {documents}) n
"""
_OLD_VERSIONS = """
INSERT INTO document (id, collection_id, key, version, is_latest, text, content_hash, body_chars, source, added_at)
SELECT {documents} + id, collection_id, key, 1, false, 'older ' || md5(key), sha256(key::bytea), 38, source,
       added_at - interval '9 days' FROM document WHERE version = 2 AND id <= {documents}
"""
_SCHEDULE = """
INSERT INTO schedule (id, name, cron, time_zone, requests, next_at, created_at, deadline)
VALUES (1, 'nightly', '0 2 * * *', 'Asia/Seoul', '[]', now() + interval '9 hours', now(), '07:00')
"""
_RUNS = """
INSERT INTO run (id, schedule_id, due_at, fired_at, started_at, ended_at, deadline_at, is_late, cause, state)
SELECT n, 1, at, at, at, at + interval '2 hours', at + interval '5 hours', false, 'time',
       CASE WHEN n = {nights} THEN 'failed' ELSE 'succeeded' END
FROM (SELECT n, now() - ({nights} - n) * interval '1 day' - interval '8 hours' AS at
      FROM generate_series(1, {nights}) n) r
"""
#: Large jobs belong to the last nights, three to a night; small ones are spread over all.
_JOBS = """
INSERT INTO job (id, kind, parameters, collection_id, priority, state, n_documents, n_ok, n_error, created_at,
                 started_at, finished_at, run_id, submitter)
SELECT j.id, (ARRAY['summarize', 'classify', 'similarity'])[1 + j.id % 3], '{{"top": 5}}', 1, 5, 'finished', j.n,
       j.n - j.failed, j.failed, r.due_at, r.due_at + interval '1 minute', r.due_at + interval '90 minutes',
       r.id, 'schedule nightly'
FROM ({jobs}) j JOIN run r ON r.id = j.run_id
"""
_JOB_NUMBERS = """
SELECT n AS id, {small} AS n, {small} / 100 AS failed, 1 + (n * {nights}::bigint / {n_small}) % {nights} AS run_id
FROM generate_series(1, {n_small}) n
UNION ALL
SELECT {n_small} + n, {large}, {failed_of_large}, {nights} - ({n_large} - n) / 3 FROM generate_series(1, {n_large}) n
"""
#: The last job failed as a whole, the one before in part, every other in one of 100.
_FAILED_OF_LARGE = "CASE {n_large} - n WHEN 0 THEN {large} WHEN 1 THEN {large} / 2 ELSE {large} / 100 END"
_IS_ERROR = "CASE {n_large} - j WHEN 0 THEN true WHEN 1 THEN d % 2 = 0 ELSE d % 100 = 0 END"
_CODE = """CASE {n_large} - j WHEN 0 THEN 'MODEL_MISSING'
           ELSE (ARRAY['EMPTY_TEXT', 'TOO_LONG', 'CORRUPT', 'POISON'])[1 + ((d / 100) % 100 >= 60)::int +
                ((d / 100) % 100 >= 90)::int + ((d / 100) % 100 >= 99)::int] END"""
_OUTCOMES_SMALL = """
INSERT INTO outcome (job_id, document_id, state, error_code, error_detail, written_at)
SELECT j, d, CASE WHEN d % 100 = 0 THEN 'error' ELSE 'ok' END, CASE WHEN d % 100 = 0 THEN 'EMPTY_TEXT' END,
       CASE WHEN d % 100 = 0 THEN 'the text is empty' END, now() - interval '30 days'
FROM (SELECT j, 1 + (j::bigint * {small} + n) % {documents} AS d
      FROM generate_series(1, {n_small}) j, generate_series(1, {small}) n) o
ORDER BY j, d
"""
_OUTCOMES_LARGE = """
INSERT INTO outcome (job_id, document_id, state, error_code, error_detail, written_at)
SELECT {n_small} + j, d, CASE WHEN {is_error} THEN 'error' ELSE 'ok' END, CASE WHEN {is_error} THEN {code} END,
       CASE WHEN {is_error} THEN 'what was seen at ' || d END, now() - ({n_large} - j) / 3 * interval '1 day'
FROM generate_series(1, {n_large}) j, generate_series(1, {large}) d
"""
_CHUNKS = """
INSERT INTO chunk (job_id, stage, seq, queue, priority, n_documents, n_ok, n_error, state, fence, n_put_back,
                   n_crashes, n_suspect_crashes, claimed_at, closed_at, document_ids)
SELECT j.id, 0, n, j.kind, 5, 256, 256, 0, 'closed', 1, 0, 0, 0, j.started_at + n * interval '5 seconds',
       j.started_at + (n + 2) * interval '5 seconds', '[1]'
FROM job j, LATERAL generate_series(1, (j.n_documents + 255) / 256) n WHERE j.state = 'finished'
"""
_RUNNING = """
INSERT INTO job (id, kind, parameters, collection_id, priority, state, n_documents, created_at, started_at)
SELECT {n_small} + {n_large} + n, 'summarize', '{{}}', 1, 5, 'running', {documents}, now(), now()
FROM generate_series(1, 3) n
"""
_RUNNING_CHUNKS = """
INSERT INTO chunk (job_id, stage, seq, queue, priority, n_documents, n_ok, n_error, state, fence, n_put_back,
                   n_crashes, n_suspect_crashes, ready_at, claimed_at, lease_until, closed_at, document_ids)
SELECT j.id, 0, n, 'summarize', 5, 256, CASE WHEN n <= 1000 THEN 250 ELSE 0 END, CASE WHEN n <= 1000 THEN 6 ELSE 0 END,
       CASE WHEN n <= 1000 THEN 'closed' WHEN n <= 1004 THEN 'leased' ELSE 'ready' END, 1, 0, 0, 0, now(),
       CASE WHEN n <= 1004 THEN now() END, CASE WHEN n BETWEEN 1001 AND 1004 THEN now() + interval '1 day' END,
       CASE WHEN n <= 1000 THEN now() END, '[1]'
FROM job j, LATERAL generate_series(1, j.n_documents / 256) n WHERE j.state = 'running'
"""
#: What jobs found about the documents of the last large jobs.
_FOUND = (
    "INSERT INTO summary (job_id, document_id, summary, method, n_sentences) "
    "SELECT {n_small} + {n_large} - j, d, 'A sentence of ' || d, 'centrality', 8 "
    "FROM generate_series(2, 5) j, generate_series(1, {large}) d",
    "INSERT INTO summary_sentence (job_id, document_id, position, start_char, end_char, score) "
    "SELECT {n_small} + {n_large} - j, d, 1, 10, 40, 0.5 FROM generate_series(2, 5) j, generate_series(1, {large}) d",
    "INSERT INTO classification (job_id, document_id, rank, label, score) "
    "SELECT {n_small} + {n_large} - j, d, 1, 'sport', 0.9 FROM generate_series(2, 5) j, generate_series(1, {large}) d",
    "INSERT INTO keyword (job_id, document_id, rank, term, score) "
    "SELECT {n_small} + {n_large} - 2, d, r, 'term' || d % 1000, 0.5 "
    "FROM generate_series(1, {large}) d, generate_series(1, 5) r",
    "INSERT INTO neighbour (job_id, document_id, rank, neighbour_id, score) "
    "SELECT {n_small} + {n_large} - 2, d, r, 1 + (d + r * 7) % {large}, 0.5 "
    "FROM generate_series(1, {large}) d, generate_series(1, 5) r",
    "INSERT INTO neighbour_term (job_id, document_id, neighbour_rank, rank, term, weight) "
    "SELECT {n_small} + {n_large} - 2, d, r, 1, 'term' || r, 0.5 "
    "FROM generate_series(1, {large}) d, generate_series(1, 5) r",
)  # fmt: skip


#: Words that no analysis changes: a few are in most documents, most of them in few.
_WORD = "'q' || translate(floor(20000 * power(random(), 6))::int::text, '0123456789', 'bcdfghjklm') || 'x'"
_SEARCH = (
    "INSERT INTO search_document (id, collection_id, n_words, words) SELECT d.id, d.collection_id, 20, "
    f"array_to_tsvector(array_agg(DISTINCT {_WORD})) "
    "FROM document d, generate_series(1, 20) WHERE d.is_latest GROUP BY d.id, d.collection_id",
    "INSERT INTO search_term (term, n_documents) SELECT word, ndoc FROM ts_stat('SELECT words FROM search_document')",
    "INSERT INTO search_term (term, n_documents) SELECT 'c^' || collection_id, count(*) FROM search_document "
    "GROUP BY collection_id",
    "INSERT INTO search_total (id, n_documents, n_words) SELECT 1, count(*), 20 * count(*) FROM search_document",
    "INSERT INTO search_list (term, floors, n_postings, n_removed, due_at) SELECT term, '{{}}', 0, 0, now() "
    "FROM search_term WHERE n_documents >= 2000 AND term NOT LIKE '%^%'",
)
#: What the last nights changed.
_GROWTH = (
    "INSERT INTO run_growth (run_id, store_bytes, newest_document_id, n_added, counted_to, counted_at) "
    "SELECT id, 8000000000 + id * 3000000, id * 100, 100, id * 100, ended_at FROM run",
    "INSERT INTO label_moves (job_id, n_compared, n_moved, counted_to, counted_at) "
    "SELECT id, n_ok, n_ok / 50, 1, finished_at FROM job WHERE kind = 'classify' AND state = 'finished'",
)


@dataclass(frozen=True)
class Size:
    """How much is written."""

    documents: int
    outcomes: int

    @property
    def n_small(self) -> int:
        """Jobs of _SMALL documents each."""
        return max(_NIGHTS, int(self.outcomes * _SMALL_SHARE) // _SMALL)

    @property
    def large(self) -> int:
        """Documents of each large job."""
        return min(self.documents, (self.outcomes - self.n_small * _SMALL) // N_LARGE)

    @property
    def last_job(self) -> int:
        """The job of the last night that failed as a whole; the one before failed in part."""
        return self.n_small + N_LARGE

    def values(self) -> dict[str, object]:
        """For the statements."""
        plain: dict[str, object] = {
            "documents": self.documents, "n_small": self.n_small, "large": self.large, "small": _SMALL,
            "n_large": N_LARGE, "nights": _NIGHTS,
        }  # fmt: skip
        parts = {"failed_of_large": _FAILED_OF_LARGE, "is_error": _IS_ERROR, "code": _CODE}
        found = plain | {name: part.format(**plain) for name, part in parts.items()}
        return found | {"jobs": _JOB_NUMBERS.format(**found)}


def fill(store: Store, size: Size) -> None:
    """Write everything, in some minutes for ten million outcomes."""
    statements = (_COLLECTIONS, _DOCUMENTS, _OLD_VERSIONS, _SCHEDULE, _RUNS, _JOBS, _OUTCOMES_SMALL, _OUTCOMES_LARGE,
                  _CHUNKS, _RUNNING, _RUNNING_CHUNKS, *_FOUND, *_SEARCH, *_GROWTH)  # fmt: skip
    with store.write() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("SET LOCAL maintenance_work_mem = '512MB'"))
        made_again = _drop_indexes(session)
        for statement in statements:
            session.execute(text(statement.format(**size.values())))
        for definition in made_again:
            session.execute(text(definition))
        for table in ("collection", "document", "schedule", "run", "job", "chunk"):
            sequence = (
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"
            )
            session.execute(text(sequence))
    url = store.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    while maintain_lists(store):
        pass


def word(number: int) -> str:
    """A word of the documents; the smaller its number, the more have it."""
    return "q" + str(number).translate(str.maketrans("0123456789", "bcdfghjklm")) + "x"


def _drop_indexes(session: Session) -> list[str]:
    """Those that no constraint needs; returns what makes them again."""
    found = session.execute(
        text(
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = ANY(:tables) "
            "AND indexname NOT IN (SELECT conname FROM pg_constraint)"
        ),
        {"tables": list(_LARGE)},
    ).all()
    for name, _ in found:
        session.execute(text(f'DROP INDEX "{name}"'))
    return [definition for _, definition in found]
