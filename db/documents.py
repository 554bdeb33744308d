"""Documents are stored in batches: new ones are added, changed ones become a new version, the rest stays as it is."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, cast

from sqlalchemy import ColumnElement, Select, Table, bindparam, func, literal, null, select, update
from sqlalchemy.orm import Session

from db import bulk, erased
from db.compare_and_set import n_changed as n_rows_changed
from db.errors import NotFoundError
from db.sql import clock, insert_for, one_of
from db.streaming import streamed
from db.tables import Collection, Document, GivenLabel, Job, Outcome

_DOCUMENT: Any = Document.__table__.c
#: Keys looked up and rows sent in one statement.
BATCH = 2_000
#: A mistyped key is compared with at most this many keys, up to this many characters.
_KEYS_LOOKED_AT, _KEY_CHARS = 2_000, 200


#: Versions of a document of which outcomes are listed where their number is limited.
MOST_VERSIONS = 10


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A text as it was read, checked and normalised."""

    key: str
    text: str
    label: str | None
    source: str
    #: What tells its versions apart, if not the text: of a file, the digest of its bytes.
    identity: str | None = None
    #: What it counts for when a job is cut into chunks, if not its characters: of a file, its bytes.
    weight: int | None = None
    #: JSON values, at most as many as readers.metadata allows; None leaves what is stored as it is.
    meta: Mapping[str, Any] | None = None
    #: (start, end) of what is no prose in the text: headings and rows of tables.
    not_prose: tuple[tuple[int, int], ...] = ()

    @property
    def content_hash(self) -> bytes:
        """Equal for equal text and label (a separator that no text may hold keeps the two apart)."""
        return self.hash_with(self.label)

    def hash_with(self, label: str | None) -> bytes:
        """The content hash that this text has with another label."""
        what = self.text if self.identity is None else self.identity
        return hashlib.sha256(f"{label or ''}\0{what}".encode()).digest()


@dataclass(frozen=True, slots=True)
class Added:
    """How many documents of a batch were new, changed or unchanged, or had other metadata only."""

    n_new: int = 0
    n_changed: int = 0
    n_unchanged: int = 0
    #: Their text and label are unchanged; their results stand.
    n_meta_changed: int = 0

    @property
    def n_good(self) -> int:
        return self.n_new + self.n_changed + self.n_unchanged + self.n_meta_changed

    def __add__(self, other: Added) -> Added:
        return Added(
            self.n_new + other.n_new,
            self.n_changed + other.n_changed,
            self.n_unchanged + other.n_unchanged,
            self.n_meta_changed + other.n_meta_changed,
        )


def collection_id(session: Session, name: str, *, create: bool = False) -> int:
    """The number of a collection; made on demand, or NotFoundError with the names there are."""
    if create:
        collection = insert_for(session, Collection).values(name=name)
        session.execute(collection.on_conflict_do_nothing(index_elements=["name"]))
    people_know = Collection.files_of_id.is_(None) & Collection.removed_at.is_(None)
    found = session.scalar(select(Collection.id).where(Collection.name == name, people_know))
    if found is None:
        names = select(Collection.name).where(people_know).order_by(Collection.name)
        there_are = ", ".join(session.scalars(names.limit(20)))
        raise NotFoundError(
            f"there is no collection {name!r} (there are: {there_are or 'none yet'}); "
            f"`docmill add PATHS --collection {name}` makes it"
        )
    return found


def add(
    session: Session, collection: int, documents: Sequence[NewDocument], *, anew: Container[str] = ()
) -> Added:
    """Store a batch (keys unique in it, at most BATCH documents). Adding the same batch again changes nothing,
    except that the keys in `anew` get a new version in any case. A version is a text: another label for the same text
    is noted in its row, counts as a change, and leaves the results that were made of the text. Two processes that add
    to one collection take turns, batch by batch. Submitting a job over it does not wait. Changed metadata alone is no
    new version either."""
    _lock(session, collection)
    stored = {
        row.key: row
        for row in session.execute(
            select(Document.key, Document.id, Document.version, Document.content_hash, Document.label).where(
                Document.collection_id == collection,
                Document.is_latest,
                one_of(Document.key, [document.key for document in documents]),
            )
        )
    }
    unknown = [document.key for document in documents if document.key not in stored]
    removed = _last_versions(session, collection, unknown)
    rows, outdated, labelled = [], [], []
    same: dict[int, Mapping[str, Any] | None] = {}
    relabelled: dict[int, Mapping[str, Any] | None] = {}
    known = metas(session, [row.id for row in stored.values()])
    moment = clock(session)
    for document in documents:
        digest, before = document.content_hash, stored.get(document.key)
        if before is not None and before.content_hash == digest and document.key not in anew:
            same[before.id] = document.meta
            continue
        if before is not None and document.key not in anew and is_only_label(document, before):
            labelled.append({"id": before.id, "label": document.label, "content_hash": digest})
            relabelled[before.id] = document.meta
            continue
        if before is not None:
            outdated.append(before.id)
        meta = document.meta
        if meta is None:
            meta = known[before.id] if before is not None else {}
        rows.append(
            {
                "collection_id": collection,
                "key": document.key,
                "version": before.version + 1 if before else removed.get(document.key, 0) + 1,
                "is_latest": True,
                "text": document.text,
                "content_hash": digest,
                "body_chars": len(document.text) if document.weight is None else document.weight,
                "label": document.label,
                "source": document.source,
                "not_prose": json.dumps(document.not_prose) if document.not_prose else None,
                "added_at": moment,
                "meta": meta,
            }
        )
    if outdated:
        session.execute(update(Document).where(Document.id.in_(outdated)).values(is_latest=False))
    if rows:
        bulk.insert_rows(session, Document.__table__, rows)  # type: ignore[arg-type]
    if labelled:
        session.execute(update(Document), labelled)
    n_meta = _replace_meta(session, same, known)
    _replace_meta(session, relabelled, known)
    n_new, n_changed = len(rows) - len(outdated), len(outdated) + len(labelled)
    return Added(n_new, n_changed, len(documents) - n_new - n_changed - n_meta, n_meta)


def remove(session: Session, collection: int, ids: Sequence[int]) -> int:
    """Take documents out of a collection: no version of them is the latest. Their results stay, and a document of the
    same key that is added later is its next version. Returns how many were there."""
    session.execute(select(Collection.id).where(Collection.id == collection).with_for_update(key_share=True))
    return n_rows_changed(
        session,
        update(Document)
        .where(Document.collection_id == collection, Document.is_latest, one_of(Document.id, ids))
        .values(is_latest=False),
    )


def _last_versions(session: Session, collection: int, keys: Sequence[str]) -> dict[str, int]:
    """The last version of those of these keys that were removed."""
    query = (
        select(Document.key, func.max(Document.version))
        .where(Document.collection_id == collection, one_of(Document.key, keys))
        .group_by(Document.key)
    )
    return {row.key: row[1] for row in session.execute(query)} if keys else {}


def is_only_label(document: NewDocument, before: Any) -> bool:
    """Whether a document differs from its stored version (content_hash, label) in nothing but the label."""
    return bool(before.content_hash == document.hash_with(before.label))


def set_meta(session: Session, wanted: Mapping[int, Mapping[str, Any] | None]) -> int:
    """Replace the metadata of documents, by id, where it differs; returns how many differed."""
    return _replace_meta(session, wanted, metas(session, list(wanted)))


def metas(session: Session, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """The metadata of documents, by id."""
    document = Document.__table__.c
    rows = session.execute(select(document.id, document.meta).where(one_of(document.id, ids))) if ids else ()
    return dict(map(tuple, rows))


def _replace_meta(
    session: Session, wanted: Mapping[int, Mapping[str, Any] | None], stored: Mapping[int, Mapping[str, Any]]
) -> int:
    changed = [
        {"id_": id_, "new": dict(meta)}
        for id_, meta in wanted.items()
        if meta is not None and not _is_same(meta, stored[id_])
    ]
    if changed:
        table = cast(Table, Document.__table__)
        session.execute(
            update(table).where(table.c.id == bindparam("id_")).values(meta=bindparam("new")), changed
        )
    return len(changed)


def _is_same(new: Mapping[str, Any], stored: Mapping[str, Any]) -> bool:
    """As JSON, where true is not 1. PostgreSQL returns 1e300 as a whole number."""
    before, after = (json.dumps(each, sort_keys=True) for each in (stored, new))
    return before == after or json.dumps(_floats(stored), sort_keys=True) == after


def _floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _floats(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_floats(each) for each in value]
    return float(value) if isinstance(value, int) and abs(value) > 2**64 else value


@dataclass(frozen=True, slots=True)
class Text:
    """A version of a document, as kinds read it."""

    id: int
    key: str
    text: str
    label: str | None
    not_prose: tuple[tuple[int, int], ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)


def texts(session: Session, ids: Sequence[int], *, with_text: bool = True) -> list[Text]:
    """The documents of these ids that were not removed, in the order of their ids; with empty texts if unwanted."""
    if (ends := _range(ids)) is not None:
        values = {"b_low": ends[0], "b_high": ends[1]}
        rows = session.connection().execute(_texts_of_a_range(with_text=with_text), values)
    else:
        rows = session.connection().execute(_texts(with_text=with_text).where(one_of(_DOCUMENT.id, ids)))
    return [Text(id_, key, text, label, _spans(found)) for id_, key, text, label, found in rows]


@cache
def _texts(*, with_text: bool) -> Select[int, str, str, str, str]:
    """What is read of documents. Of the plain table, not the mapped class: with many rows, the mapper would take a
    large part of the time."""
    body: ColumnElement[str] = _DOCUMENT.text if with_text else literal("").label("text")
    spans: ColumnElement[Any] = _DOCUMENT.not_prose if with_text else null().label("not_prose")
    query = select(_DOCUMENT.id, _DOCUMENT.key, body, _DOCUMENT.label, spans).order_by(_DOCUMENT.id)
    return query.where(_DOCUMENT.erased_at.is_(None))


@cache
def _texts_of_a_range(*, with_text: bool) -> Select[int, str, str, str, str]:
    """The same with ids from b_low to b_high: built once, since every chunk runs it."""
    ranged = _texts(with_text=with_text).where(_DOCUMENT.id.between(bindparam("b_low"), bindparam("b_high")))
    return ranged.execution_options(docmill_prepare=True)


def _spans(stored: str | None) -> tuple[tuple[int, int], ...]:
    return tuple((start, end) for start, end in json.loads(stored)) if stored else ()


def _lock(session: Session, collection: int) -> None:
    """Wait for others that change this collection's documents. NotFoundError if it was removed meanwhile."""
    mine = select(Collection.removed_at).where(Collection.id == collection).with_for_update(key_share=True)
    row = session.execute(mine).one_or_none()
    if row is None or row.removed_at is not None:
        raise NotFoundError("the collection was removed meanwhile: add the documents again to make it anew")


def _range(ids: Sequence[int]) -> tuple[int, int] | None:
    """The first and last of consecutive ids, which most chunks have."""
    low, high = min(ids, default=0), max(ids, default=-1)
    return (low, high) if high - low + 1 == len(set(ids)) else None


def stream(
    session: Session, ids: Sequence[int], batch: int = 500, *, with_meta: bool = False
) -> Iterator[Text]:
    """The same for any number of ids, loaded batch by batch, with their metadata if it is wanted."""
    ordered = sorted(ids)
    for start in range(0, len(ordered), batch):
        some = ordered[start : start + batch]
        found = texts(session, some)
        if with_meta:
            rows = session.execute(select(Document.id, Document.meta).where(one_of(Document.id, some)))
            metas = {row.id: row.meta for row in rows}
            found = [replace(text, meta=metas.get(text.id) or {}) for text in found]
        yield from found


def existing(session: Session, ids: Sequence[int]) -> list[int]:
    """Those of these documents that were not removed, in the same order."""
    removed = erased.among(session, ids) if erased.any_erased(session) else set()
    return [id_ for id_ in ids if id_ not in removed]


def count(session: Session, collection: int) -> int:
    """Latest documents of a collection."""
    counted = select(func.count()).where(Document.collection_id == collection, Document.is_latest)
    return session.scalar(counted) or 0


def names(session: Session) -> list[str]:
    """The names of the collections, in order."""
    people_know = Collection.files_of_id.is_(None) & Collection.removed_at.is_(None)
    return list(session.scalars(select(Collection.name).where(people_know).order_by(Collection.name)))


def collections(session: Session) -> list[tuple[str, int]]:
    """Every collection with its number of latest documents, by name."""
    rows = session.execute(
        select(Collection.name, func.count(Document.id))
        .outerjoin(Document, (Document.collection_id == Collection.id) & Document.is_latest)
        .where(Collection.files_of_id.is_(None), Collection.removed_at.is_(None))
        .group_by(Collection.name)
        .order_by(Collection.name)
    )
    return [(name, n) for name, n in rows]


def listing(
    session: Session, collection: int, where: str | None = None, *, limit: int | None = None
) -> Iterator[dict[str, Any]]:
    """The latest documents of a collection, those that a selection means (db.where) or all, in the order in which they
    were added, without their texts."""
    from db.where import where as selected

    conditions = () if where is None else (selected(session, where, collection),)
    query = (
        select(
            Document.key.label("document_key"), Document.version, Document.body_chars, Document.label,
            Document.source, Document.added_at,
        )
        .where(Document.collection_id == collection, Document.is_latest, *conditions)
        .order_by(Document.id)
        .limit(limit)
    )  # fmt: skip
    yield from streamed(session, query)


def facts(
    session: Session, key: str, collection: str | None = None, most_outcomes: int | None = None
) -> dict[str, Any]:
    """All about one document, with its text, the numbers of its versions, the labels that people gave it, and its
    outcomes, newest job first, all or at most so many. NotFoundError if there is none of this key, or if several
    collections have one and none is named."""
    number = collection_of_key(session, key, collection)
    row = (
        session.execute(
            select(
                Collection.name.label("collection"), Document.key.label("document_key"), Document.version,
                Document.body_chars, Document.label, Document.source, Document.added_at, Document.text,
            )
            .join(Collection, Collection.id == Document.collection_id)
            .where(Document.collection_id == number, Document.key == key, Document.is_latest)
        )
        .mappings()
        .one()
    )  # fmt: skip
    given = select(GivenLabel.label).where(
        GivenLabel.collection_id == number, GivenLabel.document_key == key, GivenLabel.label.is_not(None)
    )
    versions = select(Document.id, Document.version).where(
        Document.collection_id == number, Document.key == key
    )
    if most_outcomes is not None:
        # Those of the newest jobs are of the newest versions.
        versions = versions.order_by(Document.version.desc()).limit(MOST_VERSIONS)
    outcomes = [
        one
        for id_, version in session.execute(versions)
        for one in _outcomes(session, id_, version, most_outcomes)
    ]
    found = dict(row)
    text = found.pop("text")
    return {
        **found,
        "given_labels": list(session.scalars(given.order_by(GivenLabel.rank))),
        "outcomes": sorted(outcomes, key=lambda one: -int(one["job"]))[:most_outcomes],
        "text": text,
    }


def _outcomes(session: Session, document_id: int, version: int, most: int | None) -> list[dict[str, Any]]:
    """Of one version of a document, newest job first."""
    query = (
        select(
            Outcome.job_id.label("job"), Job.kind, literal(version).label("document_version"),
            func.coalesce(Outcome.error_code, "ok").label("outcome"), Outcome.error_detail.label("detail"),
            Outcome.written_at,
        )
        .join(Job, Job.id == Outcome.job_id)
        .where(Outcome.document_id == document_id)
        .order_by(Outcome.job_id.desc())
        .limit(most)
    )  # fmt: skip
    return [dict(each) for each in session.execute(query).mappings()]


def collection_of_key(session: Session, key: str, collection: str | None) -> int:
    """The one collection that has a document of this key."""
    query = (
        select(Collection.id, Collection.name)
        .join(Document, Document.collection_id == Collection.id)
        .where(Document.key == key, Document.is_latest.is_(True), Collection.files_of_id.is_(None))
        .order_by(Collection.name)
    )
    if collection is not None:
        collection_id(session, collection)
        query = query.where(Collection.name == collection)
    found = session.execute(query).all()
    if not found:
        where = f" in collection {collection!r}" if collection is not None else ""
        hint = did_you_mean(session, key, collection) or "`docmill collections` lists what there is"
        raise NotFoundError(f"there is no document {key!r}{where}: {hint}")
    if len(found) > 1:
        names = ", ".join(row.name for row in found)
        raise NotFoundError(
            f"several collections have a document {key!r} ({names}): choose with --collection"
        )
    return int(found[0].id)


def batches(documents: Iterable[NewDocument]) -> Iterator[list[NewDocument]]:
    """Batches for `add`: at most BATCH documents and, unless one alone is longer, about 8 million characters."""
    batch: list[NewDocument] = []
    n_chars = 0
    for document in documents:
        if batch and (len(batch) == BATCH or n_chars + _size(document) > 8_000_000):
            yield batch
            batch, n_chars = [], 0
        batch.append(document)
        n_chars += _size(document)
    if batch:
        yield batch


def _size(document: NewDocument) -> int:
    """About its characters: of metadata, 50 a field, and what is long in it."""
    meta = document.meta or {}
    return len(document.text) + sum(
        50 + (len(v) if isinstance(v, str | list | dict) else 0) for v in meta.values()
    )


def did_you_mean(session: Session, key: str, collection: str | None = None) -> str:
    """ "did you mean 'report-17'?" for a key that a document nearly has; nothing if none is near. Looks at some of
    those that begin alike."""
    beginning = key[: max(1, min(3, len(key) // 2))]
    query = (
        select(Document.key)
        .join(Collection, Collection.id == Document.collection_id)
        .where(Document.is_latest, Document.key.startswith(beginning, autoescape=True))
        .limit(_KEYS_LOOKED_AT)
    )
    if collection is not None:
        query = query.where(Collection.name == collection)
    close = difflib.get_close_matches(key[:_KEY_CHARS], session.scalars(query), n=1)
    return f"did you mean {close[0]!r}?" if close else ""
