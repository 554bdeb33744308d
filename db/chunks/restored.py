"""A store that was restored: no process of the time before holds a chunk any more."""

from __future__ import annotations

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from db.chunks.conditions import back_to_ready
from db.compare_and_set import n_changed
from db.states import ChunkState
from db.tables import Chunk, LostClaim


def end_every_claim(session: Session) -> int:
    """leased -> ready for every chunk, and no loss is counted. The fence goes up, so that a process which still holds
    one can write nothing. Messages that were sent before count as never sent. Returns how many chunks were held."""
    n_held = n_changed(
        session,
        update(Chunk)
        .where(Chunk.state == ChunkState.LEASED)
        .values(back_to_ready(0) | {"fence": Chunk.fence + 1}),
    )
    was_sent = update(Chunk).where(Chunk.state == ChunkState.READY, Chunk.sent_at.is_not(None))
    n_changed(session, was_sent.values(sent_at=None))
    session.execute(delete(LostClaim))
    return n_held
