"""Files that programs upload and download, kept in the store in blocks, so that no server has to have a disk.

A file that is being written is seen by nobody; if its writer is gone, it expires.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from typing import IO, Any

from sqlalchemy import ColumnElement, Select, delete, exists, insert, select, update
from sqlalchemy.orm import Session

from db.compare_and_set import changed, n_changed
from db.errors import ConflictError, NotFoundError
from db.sql import now, one_of
from db.states import BatchPhase
from db.store import Store
from db.tables import ApiFile, ApiFileBlock, RequestBatch

#: Bytes of each block of an uploaded file but the last.
BLOCK_BYTES = 256 * 1024
#: The purpose of what a batch writes.
OUTPUT = "batch_output"
#: An upload that takes longer is given up.
UPLOAD_SECONDS = 3_600.0
#: Files that one step deletes, and blocks of one file.
_MOST_EXPIRED, _MOST_BLOCKS = 20, 64


def is_public_id(text: str) -> bool:
    """Whether this may be the id of a file or batch. Others are not even looked for: they may hold characters that no
    database takes."""
    return re.fullmatch(r"[a-z]{1,10}[-_][0-9a-f]{1,40}", text) is not None


def begin(
    session: Session, filename: str, purpose: str, owner: str, *, seconds: float | None = None
) -> ApiFile:
    """A new file without content. Unless it is whole after these seconds, if some are given, it is deleted."""
    made = ApiFile(
        public_id=f"file-{secrets.token_hex(12)}",
        filename=filename,
        purpose=purpose,
        n_bytes=0,
        owner=owner,
        is_whole=False,
        expires_at=None if seconds is None else now(seconds),
    )
    session.add(made)
    session.flush()
    return made


def append(session: Session, file_id: int, blocks: Sequence[tuple[int, bytes]]) -> None:
    """Write some blocks, by their numbers, of a file that is being written. ConflictError if it is not any more."""
    n_bytes = sum(len(data) for _, data in blocks)
    grown = update(ApiFile).where(ApiFile.id == file_id, ApiFile.is_whole.is_(False))
    if not changed(session, grown.values(n_bytes=ApiFile.n_bytes + n_bytes)):
        raise ConflictError("the file was deleted while it was written: upload it again")
    rows = [{"file_id": file_id, "seq": seq, "data": data} for seq, data in blocks]
    session.execute(insert(ApiFileBlock.__table__), rows)  # type: ignore[arg-type]


def complete(session: Session, file_id: int, sha256: str | None, seconds: float | None) -> None:
    """The file is whole: from now on it is seen, for some seconds or until somebody deletes it."""
    whole = update(ApiFile).where(ApiFile.id == file_id, ApiFile.is_whole.is_(False))
    values = {"is_whole": True, "sha256": sha256, "expires_at": None if seconds is None else now(seconds)}
    if not changed(session, whole.values(values)):
        raise ConflictError("the file was deleted while it was written: upload it again")


def unfinished(session: Session, public_id: str) -> ApiFile:
    """A file that is being written; ConflictError if it was deleted."""
    found = session.scalar(select(ApiFile).where(ApiFile.public_id == public_id, ApiFile.is_whole.is_(False)))
    if found is None:
        raise ConflictError(f"file {public_id} was deleted while it was written")
    return found


def needed(session: Session, public_id: str) -> ApiFile:
    """The file of this id, also after its time, for the batch that needs it; NotFoundError if it was deleted."""
    found = session.scalar(select(ApiFile).where(ApiFile.public_id == public_id, ApiFile.is_whole.is_(True)))
    if found is None:
        raise NotFoundError(f"there is no file {public_id!r} any more")
    return found


def find(session: Session, public_id: str, *, lock: bool = False) -> ApiFile:
    """The file of this id, held until the transaction ends if it is to be; NotFoundError."""
    query = select(ApiFile).where(ApiFile.public_id == public_id, *_is_seen())
    found = None
    if is_public_id(public_id):
        found = session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise NotFoundError(f"there is no file {public_id!r}: it was deleted, has expired, or never was")
    return found


def page(
    session: Session, *, after: str | None, limit: int, purpose: str | None = None, newest_first: bool = True
) -> list[ApiFile]:
    """Files in the order of their creation, those after a file if one is given. NotFoundError for an unknown one."""
    query = select(ApiFile).where(*_is_seen())
    if purpose is not None:
        query = query.where(ApiFile.purpose == purpose)
    if after is not None:
        place = find(session, after).id
        query = query.where(ApiFile.id < place if newest_first else ApiFile.id > place)
    return list(
        session.scalars(query.order_by(ApiFile.id.desc() if newest_first else ApiFile.id).limit(limit))
    )


def read(session: Session, file_id: int, seq: int, limit: int) -> list[tuple[int, bytes]]:
    """Some blocks with their numbers, from number `seq`. What a batch writes has gaps between the numbers."""
    query = select(ApiFileBlock.seq, ApiFileBlock.data).where(
        ApiFileBlock.file_id == file_id, ApiFileBlock.seq >= seq
    )
    return [(row.seq, row.data) for row in session.execute(query.order_by(ApiFileBlock.seq).limit(limit))]


def copy_to(store: Store, public_id: str, target: IO[bytes]) -> None:
    """Write the content of a file to another one. LookupError if it was deleted."""
    with store.read() as session:
        query = select(ApiFile.id, ApiFile.n_bytes).where(
            ApiFile.public_id == public_id, ApiFile.is_whole.is_(True)
        )
        found = session.execute(query).one_or_none()
    if found is None:
        raise LookupError(public_id)
    n_bytes = sum(target.write(block) for block in content(store, found.id))
    if n_bytes != found.n_bytes:
        raise LookupError(public_id)


def by_ids(session: Session, public_ids: Sequence[str]) -> dict[str, ApiFile]:
    """Those of these files that there are, by id."""
    known = [public_id for public_id in public_ids if is_public_id(public_id)]
    query = select(ApiFile).where(one_of(ApiFile.public_id, known), *_is_seen())
    return {file.public_id: file for file in session.scalars(query)}


def content(store: Store, file_id: int, at_once: int = 4) -> Iterator[bytes]:
    """Every block, some in each transaction."""
    seq = 0
    while True:
        with store.read() as session:
            blocks = read(session, file_id, seq, at_once)
        yield from (data for _, data in blocks)
        if len(blocks) < at_once:
            return
        seq = blocks[-1][0] + 1


def delete_file(session: Session, public_id: str) -> None:
    """Delete a file. ConflictError while a batch needs it, NotFoundError if there is none."""
    found = find(session, public_id, lock=True)
    using = select(RequestBatch.public_id).where(RequestBatch.input_file == public_id, _is_open()).limit(1)
    if (batch := session.scalar(using)) is not None:
        raise ConflictError(
            f"batch {batch} still reads file {public_id}: cancel it, or wait until it has ended"
        )
    _hide(session, [found.id])


def forget(session: Session, public_ids: Sequence[str]) -> None:
    """Nobody sees these files from now on, unless a batch still reads one; the scheduler deletes them."""
    needed_now = exists().where(RequestBatch.input_file == ApiFile.public_id, _is_open())
    ids = session.scalars(select(ApiFile.id).where(one_of(ApiFile.public_id, public_ids), ~needed_now)).all()
    _hide(session, ids)


def old(session: Session, after: int, seconds: float, limit: int) -> list[ApiFile]:
    """Uploaded files that are older than some seconds, and that no batch in the store has read. What a batch wrote goes
    with the batch."""
    query = select(ApiFile).where(
        ApiFile.id > after,
        ApiFile.created_at < now(-seconds),
        ApiFile.is_whole.is_(True),
        ApiFile.purpose != OUTPUT,
        ~exists().where(RequestBatch.input_file == ApiFile.public_id),
    )
    return list(session.scalars(query.order_by(ApiFile.id).limit(limit)))


def sweep(session: Session) -> int:
    """Delete some of the files that have expired; returns how many rows were deleted."""
    ids = list(session.scalars(expired().limit(_MOST_EXPIRED)))
    if not ids:
        return 0
    _hide(session, ids)
    blocks = select(ApiFileBlock.file_id, ApiFileBlock.seq).where(one_of(ApiFileBlock.file_id, ids))
    rows = session.execute(blocks.limit(_MOST_BLOCKS)).all()
    for file_id in {row.file_id for row in rows}:
        last = max(row.seq for row in rows if row.file_id == file_id)
        first = ApiFileBlock.file_id == file_id
        n_changed(session, delete(ApiFileBlock).where(first, ApiFileBlock.seq <= last))
    if len(rows) < _MOST_BLOCKS:
        n_changed(session, delete(ApiFile).where(one_of(ApiFile.id, ids)))
    return len(rows) + len(ids)


def expires() -> Select[Any]:
    """When the next file that no batch needs expires."""
    return _expiring(select(ApiFile.expires_at)).order_by(ApiFile.expires_at).limit(1)


def expired() -> Select[int]:
    """The files that are to be deleted."""
    return _expiring(select(ApiFile.id)).where(ApiFile.expires_at <= now()).order_by(ApiFile.expires_at)


def _hide(session: Session, ids: Sequence[int]) -> None:
    """Nobody sees these files from now on; the scheduler deletes them."""
    gone = update(ApiFile).where(one_of(ApiFile.id, ids))
    n_changed(session, gone.values(is_whole=False, expires_at=now()))


def _expiring(query: Select[Any]) -> Select[Any]:
    needed = exists().where(RequestBatch.input_file == ApiFile.public_id, _is_open())
    return query.where(ApiFile.expires_at.is_not(None), ~needed)


def _is_open() -> ColumnElement[bool]:
    return RequestBatch.phase != BatchPhase.DONE


def _is_seen() -> tuple[ColumnElement[bool], ...]:
    alive = (ApiFile.expires_at.is_(None)) | (ApiFile.expires_at > now())
    return (ApiFile.is_whole.is_(True), alive)
