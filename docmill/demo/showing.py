"""The results of the demo in a form that people can judge: summaries, entities, neighbours with their shared words,
predicted and true labels, and the document that failed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import text

from db.store import Store
from docmill.commands.output import one_line, say
from docmill.demo import corpora

#: Lines are cut to this width, so that they fit a terminal of 80 columns.
WIDTH = 76
#: The number of held-out tickets that are shown.
SHOWN_TICKETS = 6
#: Entities of each language that are shown: the first ones of as many labels.
SHOWN_ENTITIES = 3
#: Two texts that are more similar than this are the same report, which shows nothing.
SAME_REPORT = 0.8
#: Shorter texts have too few words to compare.
LEAST_CHARS = 150


def everything(store: Store, jobs: dict[str, int]) -> None:
    """Print it all."""
    for part in (_files, _summaries, _entities, _neighbours, _labels):
        part(store)
    _failure(store, jobs["fragile"])


def _rows(store: Store, statement: str, **values: object) -> list[dict[str, Any]]:
    with store.read() as session:
        return [dict(row) for row in session.execute(text(statement), values).mappings()]


def _files(store: Store) -> None:
    say("\nFILES: what was extracted, and how each text begins")
    for row in _rows(
        store,
        "SELECT e.document_key, e.state, e.error_code, e.parser, e.n_pages, e.n_chars, e.language, d.text "
        "FROM v_extractions e LEFT JOIN collection c ON c.name = e.collection "
        "LEFT JOIN document d ON d.collection_id = c.id AND d.key = e.document_key AND d.is_latest "
        "WHERE e.collection = :c ORDER BY e.document_key",
        c=corpora.FILES,
    ):
        if row["state"] != "ok":
            say(f"  {row['document_key']}: {row['error_code'] or row['state']}")
            continue
        pages = f", pages: {row['n_pages']}" if row["n_pages"] else ""
        say(
            f"  {row['document_key']}: {row['n_chars']} characters, {row['language']}{pages} ({row['parser']})"
        )
        say(f"    {_cut(' '.join(row['text'].split()), WIDTH - 4)}")


def _summaries(store: Store) -> None:
    say("\nSUMMARIES: the most important sentences of a text")
    for collection in (corpora.NEWS, corpora.KOREAN):
        for row in _rows(
            store,
            "SELECT document_key, summary, n_document_sentences AS n FROM v_latest_summary "
            "WHERE collection = :c AND n_document_sentences > 5 ORDER BY document_key LIMIT 1",
            c=collection,
        ):
            say(f"  {row['document_key']}, {row['n']} sentences:")
            for line in _wrapped(row["summary"], 3):
                say(f"    {line}")


def _entities(store: Store) -> None:
    say("\nENTITIES: dates, amounts and contacts, and each value in one form")
    for collection in (corpora.NEWS, corpora.KOREAN):
        rows = _rows(
            store,
            "SELECT document_key, label, text, normal FROM v_entities WHERE collection = :c AND normal IS NOT NULL "
            "ORDER BY document_key, rank",
            c=collection,
        )
        first_of = {row["label"]: row for row in reversed(rows)}
        for label in sorted(first_of)[:SHOWN_ENTITIES]:
            row = first_of[label]
            said = f"{label:8} {row['text']} = {row['normal']}"
            say(f"  {_cut(said + '  (' + row['document_key'] + ')', WIDTH)}")


def _neighbours(store: Store) -> None:
    say("\nNEAREST NEIGHBOURS: texts about the same topic, and the words they share")
    for collection in (corpora.NEWS, corpora.KOREAN):
        for row in _nearest(store, collection, 2):
            say(f"  {row['score']:.2f}  {_cut(row['document_text'], WIDTH - 8)}")
            say(f"        {_cut(row['neighbour_text'], WIDTH - 8)}")
            say(f"        shared: {', '.join(_shared(store, row))}")


def _nearest(store: Store, collection: str, n: int) -> Iterator[dict[str, Any]]:
    """The most similar pairs that are not the same report, each document once."""
    seen: set[int] = set()
    for row in _rows(
        store,
        "SELECT s.document_id, s.neighbour_id, s.job_id, s.score, d.text AS document_text, n.text AS neighbour_text "
        "FROM v_similar s JOIN document d ON d.id = s.document_id JOIN document n ON n.id = s.neighbour_id "
        "WHERE s.rank = 1 AND s.collection = :c AND s.score < :same "
        "AND d.body_chars > :least AND n.body_chars > :least ORDER BY s.score DESC, s.document_id",
        c=collection,
        same=SAME_REPORT,
        least=LEAST_CHARS,
    ):
        pair = {row["document_id"], row["neighbour_id"]}
        if not pair & seen:
            seen |= pair
            yield row
            n -= 1
        if not n:
            return


def _shared(store: Store, pair: dict[str, Any]) -> list[str]:
    rows = _rows(
        store,
        "SELECT term FROM v_similar_terms WHERE job_id = :j AND document_id = :d AND neighbour_id = :n "
        "AND rank = 1 ORDER BY term_rank LIMIT 5",
        j=pair["job_id"],
        d=pair["document_id"],
        n=pair["neighbour_id"],
    )
    return [row["term"] for row in rows]


def _labels(store: Store) -> None:
    rows = _rows(
        store,
        "SELECT l.label, l.probability, d.label AS truth, d.text FROM v_latest_label l "
        "JOIN document d ON d.id = l.document_id WHERE l.collection = :c ORDER BY l.document_id",
        c=corpora.NEW_TICKETS,
    )
    (learned,) = _rows(
        store,
        "SELECT COUNT(*) AS n FROM document d JOIN collection c ON c.id = d.collection_id "
        "WHERE c.name = :c AND d.is_latest",
        c=corpora.TICKETS,
    )
    n_right = sum(row["label"] == row["truth"] for row in rows)
    say(f"\nLABELS: a model was trained on {learned['n']} tickets; it never saw these")
    say(f"  {'true':8}  {'model':8}  sure  text")
    for row in _a_fair_few(rows):
        mark = " " if row["label"] == row["truth"] else "!"
        said = f"{row['truth']:8} {mark}{row['label'] or '-':8}  {row['probability']:.2f}"
        say(f"  {said}  {_cut(row['text'], WIDTH - len(said) - 4)}")
    share = n_right / max(1, len(rows))
    say(f"  right: {n_right} of {len(rows)} held-out tickets ({share:.0%}); ! marks a wrong one.")


def _a_fair_few(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tickets at equal distances, whether right or wrong. If all of them are right, the last is replaced by one that is
    not."""
    step = max(1, len(rows) // SHOWN_TICKETS)
    chosen = rows[step // 2 :: step][:SHOWN_TICKETS]
    wrong = [row for row in rows if row["label"] != row["truth"]]
    if wrong and not any(row in wrong for row in chosen):
        chosen[-1] = wrong[0]
    return chosen


def _failure(store: Store, job_id: int) -> None:
    say("\nTHE DOCUMENT THAT FAILED: it crashes its worker; the others of its job are done")
    for row in _rows(
        store,
        "SELECT document_key, error_code, error_detail FROM v_failures WHERE job_id = :j",
        j=job_id,
    ):
        for line in _wrapped(f"{row['document_key']}: {row['error_code']}: {row['error_detail']}", 3):
            say(f"  {line}")


def _wrapped(value: str, most: int) -> list[str]:
    """At most `most` lines that fit; wide characters count twice."""
    lines: list[str] = [""]
    for word in value.split():
        if cells(lines[-1]) + cells(word) + 1 > WIDTH - 4:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    if len(lines) > most:
        lines = [*lines[: most - 1], _cut(" ".join(lines[most - 1 :]), WIDTH - 4)]
    return [one_line(line) for line in lines]


def _cut(value: str, width: int) -> str:
    """As much of a text as fits on a line."""
    line = one_line(value)
    if cells(line) <= width:
        return line
    while cells(line) >= width:
        line = line[:-1]
    return f"{line.rstrip()}…"


def cells(value: str) -> int:
    """The number of terminal columns that a text takes."""
    from rich.cells import cell_len

    return cell_len(value)
