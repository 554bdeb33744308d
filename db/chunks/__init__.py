"""A chunk's life. Each transition is one function, and each function is a compare-and-set.

              open_some             claim              write(close=True)
    blocked ─────────────▶ ready ─────────▶ leased ────────────────────────▶ closed
                            ▲  ▲               │                               ▲
                            │  └───────────────┤ put_back, give_back           │
                            │                  │ crashed, lost, reap           │
                            └──────────────────┘                               │
    any state but closed ──────────────────────────────────────────────────────┘
                             close_with_error, close_many_with_error, close_part_with_error

    cutting   cut, add_stage              chunks are made, as blocked or ready
    opening   open_some                   blocked -> ready
    feeding   take_for_sending, unsend, unsend_jobs, set_priority
                                          which ready chunks the broker is told about (the state stays)
    claims    claim, claim_at_once        ready -> leased
              renew, suspect              the lease is extended (the state stays)
              write, write_at_once        outcomes and rows are stored; with close=True leased -> closed
              put_back, give_back         leased -> ready: requeued, and no document is blamed
    deaths    crashed, lost, reap         leased -> ready: requeued, and the death or loss is counted;
                                          a chunk of training is closed after the last death it may have
              crashed_late                counts a death that was first taken for a loss
    closing   close_with_error, close_many_with_error, close_part_with_error
                                          any state -> closed, whoever holds the chunk
    restored  end_every_claim             leased -> ready, in a store that was restored

Every claim increases the chunk's fence. Whatever a worker writes carries the fence of its claim. If the worker has
lost its lease in the meantime, the write matches no row and is dropped. Nothing here knows Redis.

A claim names the process that made it by its instance, which is random, since two workers may have the same name, and
since numbers of chunks and fences come again in a store that was restored from a backup.
A crash is the death of a process whose launcher lived to see it. A loss is a lease that ran out, or a process that
died with its launcher; it says nothing about a document.
"""

from db.chunks.claims import MAX_LOST_TOGETHER as MAX_LOST_TOGETHER
from db.chunks.claims import Claim as Claim
from db.chunks.claims import Holder as Holder
from db.chunks.claims import Written as Written
from db.chunks.claims import claim as claim
from db.chunks.claims import claim_at_once as claim_at_once
from db.chunks.claims import give_back as give_back
from db.chunks.claims import put_back as put_back
from db.chunks.claims import renew as renew
from db.chunks.claims import suspect as suspect
from db.chunks.claims import write as write
from db.chunks.claims import write_at_once as write_at_once
from db.chunks.closing import close_many_with_error as close_many_with_error
from db.chunks.closing import close_part_with_error as close_part_with_error
from db.chunks.closing import close_with_error as close_with_error
from db.chunks.closing import is_every_chunk_closed as is_every_chunk_closed
from db.chunks.cutting import ChunkSize as ChunkSize
from db.chunks.cutting import add_stage as add_stage
from db.chunks.cutting import cut as cut
from db.chunks.deaths import MAX_CRASHES as MAX_CRASHES
from db.chunks.deaths import MAX_LOST as MAX_LOST
from db.chunks.deaths import WHOLE_CHUNK as WHOLE_CHUNK
from db.chunks.deaths import crashed as crashed
from db.chunks.deaths import crashed_late as crashed_late
from db.chunks.deaths import expired as expired
from db.chunks.deaths import lost as lost
from db.chunks.deaths import reap as reap
from db.chunks.feeding import Message as Message
from db.chunks.feeding import Waiting as Waiting
from db.chunks.feeding import set_priority as set_priority
from db.chunks.feeding import take_for_sending as take_for_sending
from db.chunks.feeding import unsend as unsend
from db.chunks.feeding import unsend_jobs as unsend_jobs
from db.chunks.feeding import waiting as waiting
from db.chunks.opening import has_blocked_chunks as has_blocked_chunks
from db.chunks.opening import open_some as open_some
from db.chunks.restored import end_every_claim as end_every_claim
