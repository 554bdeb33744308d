"""What must be true of a store once the system is quiet. Each checker returns how often it is not, so that every
figure of the fault matrix is 0. They ask the tables directly and share no code with what they check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from tests.faults.stack import Stack
from tests.kinds import answer


@dataclass(frozen=True)
class Expected:
    """What is known of a job from outside: its documents, and the codes that the planted ones must end in."""

    job_id: int
    #: document key -> text
    texts: Mapping[str, str]
    #: document key -> the codes of which one must be its outcome; the others must be ok.
    planted: Mapping[str, tuple[str, ...]]
    #: Documents may have been cancelled.
    cancelled: bool = False


@dataclass(frozen=True)
class Findings:
    """All zeros, or something is broken."""

    #: L: documents without an outcome.
    lost: int = 0
    #: U: outcomes of documents that the job does not have; F: errors of documents that are not planted, and
    #: planted ones without their error.
    unexpected: int = 0
    #: D: more than one outcome, or more than one result, for a document.
    duplicated: int = 0
    #: V: results that are not what the oracle says, and results without an outcome `ok`.
    wrong: int = 0
    #: R: finished jobs whose counts are not those of their outcomes.
    miscounted: int = 0
    #: K: chunks that nobody works on and nobody will.
    stuck: int = 0
    #: A: a job that was promised and is not there with all its documents.
    missing_jobs: int = 0

    def __add__(self, other: Findings) -> Findings:
        return Findings(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    @property
    def words(self) -> str:
        """The figures that are not 0."""
        bad = {field.name: getattr(self, field.name) for field in fields(self) if getattr(self, field.name)}
        return ", ".join(f"{n} {name}" for name, n in bad.items())


def check(stack: Stack, expected: Expected) -> Findings:
    """Every checker over one job that has ended."""
    return Findings(
        lost=lost(stack, expected),
        unexpected=unexpected(stack, expected) + misjudged(stack, expected),
        duplicated=duplicated(stack, expected.job_id),
        wrong=wrong(stack, expected),
        miscounted=miscounted(stack),
        stuck=stuck(stack),
        missing_jobs=missing_jobs(stack, expected),
    )


def lost(stack: Stack, expected: Expected) -> int:
    """L: documents of the job without an outcome."""
    return len(set(expected.texts) - set(_codes(stack, expected.job_id)))


def unexpected(stack: Stack, expected: Expected) -> int:
    """U: outcomes of documents that the job does not have."""
    return len(set(_codes(stack, expected.job_id)) - set(expected.texts))


def misjudged(stack: Stack, expected: Expected) -> int:
    """F: errors of innocent documents, and planted documents without the error that they must end in."""
    n = 0
    for key, code in _codes(stack, expected.job_id).items():
        allowed = expected.planted.get(key, ("ok",)) + (("CANCELLED",) if expected.cancelled else ())
        n += code not in allowed
    return n


def duplicated(stack: Stack, job_id: int) -> int:
    """D: documents with more than one outcome or more than one result row."""
    n = 0
    for table in ("outcome", "classification"):
        rows = stack.rows(
            f"SELECT document_id FROM {table} WHERE job_id = :job GROUP BY document_id HAVING count(*) > 1",
            job=job_id,
        )
        n += len(rows)
    return n


def wrong(stack: Stack, expected: Expected) -> int:
    """V: labels that are not the oracle's, and documents that are ok and have none, or the other way round."""
    rows = stack.rows(
        "SELECT d.key, r.label FROM classification r JOIN document d ON d.id = r.document_id WHERE r.job_id = :job",
        job=expected.job_id,
    )
    labels = dict(rows)
    n = sum(label != answer(expected.texts.get(key, "")) for key, label in labels.items())
    ok = {key for key, code in _codes(stack, expected.job_id).items() if code == "ok"}
    return n + len(ok ^ set(labels))


def miscounted(stack: Stack) -> int:
    """R: jobs that have ended whose counts are not those of their outcomes, and counters of the store that are not."""
    rows = stack.rows(
        "SELECT j.id FROM job j WHERE j.state IN ('finished', 'cancelled') AND ("
        " j.n_ok + j.n_error <> j.n_documents"
        " OR j.n_ok <> (SELECT count(*) FROM outcome o WHERE o.job_id = j.id AND o.state = 'ok')"
        " OR j.n_error <> (SELECT count(*) FROM outcome o WHERE o.job_id = j.id AND o.state = 'error'))"
    )
    counted = dict(stack.rows("SELECT label, SUM(n) FROM tally WHERE name = 'documents' GROUP BY label"))
    written = dict(
        stack.rows(
            "SELECT coalesce(error_code, 'ok'), count(*) FROM outcome GROUP BY coalesce(error_code, 'ok')"
        )
    )
    return len(rows) + sum(int(counted.get(code, 0)) != written.get(code, 0) for code in counted | written)


def stuck(stack: Stack) -> int:
    """K: chunks of jobs that have ended which are not closed, and leases that nobody will end."""
    rows = stack.rows(
        "SELECT c.id FROM chunk c JOIN job j ON j.id = c.job_id"
        " WHERE c.state <> 'closed' AND j.state IN ('finished', 'cancelled')"
    )
    return len(rows)


def missing_jobs(stack: Stack, expected: Expected) -> int:
    """A: whether the job that was promised is not there, or has another number of documents."""
    rows = stack.rows("SELECT n_documents FROM job WHERE id = :job", job=expected.job_id)
    return int([n for (n,) in rows] != [len(expected.texts)])


def _codes(stack: Stack, job_id: int) -> dict[str, str]:
    """document key -> "ok" or the code of its error."""
    rows = stack.rows(
        "SELECT d.key, o.error_code FROM outcome o JOIN document d ON d.id = o.document_id WHERE o.job_id = :job",
        job=job_id,
    )
    return {key: code or "ok" for key, code in rows}
