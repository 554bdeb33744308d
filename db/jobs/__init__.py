"""A job's life. Each transition is one function, and each function is a compare-and-set.

                         open_waiting              pause
    submit ──▶ waiting ──────────────▶ running ───────────▶ paused
      │           │                     ▲ │ │ ◀───────────────┤
      └───────────┼─────────────────────┘ │ │     resume      │
                  │ stop             stop │ │                 │ stop
                  ▼                       ▼ │ finish          │
              cancelling ◀────────────────┘ └────▶ finished   │
                │   ▲                                         │
         finish │   └─────────────────────────────────────────┘
                ▼
            cancelled

    submitting  submit                  a new job: waiting if it waits for another job, else running
    turns       in_the_way              which jobs run alone
    changing    open_waiting            waiting -> running
                pause, resume           running -> paused, paused -> running
                stop                    waiting, running or paused -> cancelling
                set_priority            the priority of a job that has not ended
    stopping    stop_some               closes the chunks of a cancelling job, step by step (the state stays)
    finishing   finish                  running -> finished, cancelling -> cancelled, once every chunk is closed

A job that has no document left to run is finished, even if every document failed. The state of its chunks is changed
by db.chunks alone.
"""

from db.jobs.changing import forget_runs as forget_runs
from db.jobs.changing import open_waiting as open_waiting
from db.jobs.changing import pause as pause
from db.jobs.changing import resume as resume
from db.jobs.changing import set_priority as set_priority
from db.jobs.changing import stop as stop
from db.jobs.finding import by_id as by_id
from db.jobs.finding import state_of as state_of
from db.jobs.finding import to_move as to_move
from db.jobs.finishing import Count as Count
from db.jobs.finishing import count_some as count_some
from db.jobs.finishing import erase_notes as erase_notes
from db.jobs.finishing import finish as finish
from db.jobs.stopping import STEP_DOCUMENTS as STEP_DOCUMENTS
from db.jobs.stopping import Part as Part
from db.jobs.stopping import Stopped as Stopped
from db.jobs.stopping import stop_some as stop_some
from db.jobs.submitting import NewJob as NewJob
from db.jobs.submitting import Submitted as Submitted
from db.jobs.submitting import submit as submit
from db.jobs.turns import in_the_way as in_the_way
from db.states import ENDED as ENDED
