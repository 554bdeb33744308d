"""A file of requests, read part by part from where a phase has got to."""

from __future__ import annotations

from sqlalchemy.orm import Session

from db import api_files
from db.api_files import BLOCK_BYTES
from db.tables import RequestBatch
from scheduler.batches.checking import MOST_LINE_BYTES, Part, split, too_long

#: Blocks of a part: 2 MB. A longer line takes more.
PART_BLOCKS = 8


def next_part(session: Session, batch: RequestBatch) -> Part:
    """The lines that come next. LineError for one that is too long; NotFoundError if the file is gone."""
    file = api_files.needed(session, batch.input_file)
    first, skipped = divmod(batch.position, BLOCK_BYTES)
    blocks = PART_BLOCKS
    while True:
        data = b"".join(data for _, data in api_files.read(session, file.id, first, blocks))[skipped:]
        at_end = batch.position + len(data) >= file.n_bytes
        part = split(data, batch.position, batch.line, at_end=at_end)
        if at_end or part.position > batch.position:
            return part
        if len(data) > MOST_LINE_BYTES:
            raise too_long(batch.line + 1)
        blocks *= 2
