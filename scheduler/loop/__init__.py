"""The scheduler's loop: steps, each in its own thread.

    feeding    tell Redis about ready chunks
    reaping    requeue chunks whose lease has run out
    moving     move jobs on: start, open the next stage, close after a stop, finish
    schedules  (scheduler.firing) fire the schedules that are due; start and end their runs, and find late ones
    notifications  (scheduler.notifying) deliver what people are told
    batches    give batches of requests their next step (scheduler.batches), and delete files that have expired
    retention  (scheduler.retention) apply the retention policy of the store, if it has one and it is due
    search     (scheduler.search) bring the full text index up to date

A step runs when there is something to do for it (scheduler.loop.timing): a scheduler with nothing to do asks the store
one statement every few seconds, and is woken when a job is submitted.

Any number of schedulers may run. Every step is a compare-and-set in the store, so there is no leader, and no scheduler
is missed when it dies. Each step touches few rows at a time, so that neither a huge job nor a Redis that hangs holds up
the others.
"""

from scheduler.loop.scheduler import Scheduler as Scheduler
