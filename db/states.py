"""The states of jobs, chunks, outcomes, runs, notifications and batches of requests, and the error codes that docmill
compares. The tables store their text.

How a job moves from state to state is in db.jobs, how a chunk does is in db.chunks.
"""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    """Where a job stands."""

    #: It waits for another job to end.
    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    #: It was stopped, and its open chunks are being closed.
    CANCELLING = "cancelling"
    FINISHED = "finished"
    CANCELLED = "cancelled"


#: A job in one of these states never changes again.
ENDED = (JobState.FINISHED, JobState.CANCELLED)
#: A job in one of these states still has work to do, or may have again.
UNFINISHED = (JobState.WAITING, JobState.RUNNING, JobState.PAUSED)


class ChunkState(StrEnum):
    """Where a chunk stands."""

    #: An earlier stage, or another job, has to end first.
    BLOCKED = "blocked"
    READY = "ready"
    #: A worker process holds it.
    LEASED = "leased"
    CLOSED = "closed"


class WorkerPhase(StrEnum):
    """What a launcher is doing with one of its workers. What people are shown is in the view `v_workers`."""

    #: It takes no messages yet: it loads its modules, or waits for Redis.
    STARTING = "starting"
    RUNNING = "running"
    #: It was told to stop because it is drained, and ends its batch.
    DRAINING = "draining"
    #: It holds nothing and claims nothing. Its launcher waits.
    DRAINED = "drained"


class DrainLevel(StrEnum):
    """What a drain names."""

    #: Every worker of a host, also those that start later.
    HOST = "host"
    #: The workers of one name, also those that start later.
    NAME = "name"
    #: One worker, until it ends.
    INSTANCE = "instance"


class OutcomeState(StrEnum):
    """How a job ended for one document."""

    OK = "ok"
    ERROR = "error"


class NightState(StrEnum):
    """Where a night stands."""

    #: Its plan is being made.
    PLANNING = "planning"
    RUNNING = "running"
    #: Its time is over: its jobs are being stopped.
    STOPPING = "stopping"
    DONE = "done"
    #: A step failed; the others were done.
    FAILED = "failed"
    #: Its time was over first: what was left is carried over to the next night.
    CARRIED_OVER = "carried over"
    CANCELLED = "cancelled"


#: A night in one of these states never changes again.
NIGHT_ENDED = (NightState.DONE, NightState.FAILED, NightState.CARRIED_OVER, NightState.CANCELLED)


class StepState(StrEnum):
    """Where a step of a night stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    #: It had nothing to do.
    SKIPPED = "skipped"
    FAILED = "failed"
    CARRIED_OVER = "carried over"
    CANCELLED = "cancelled"


#: A step in one of these states is over.
STEP_ENDED = tuple(state for state in StepState if state not in (StepState.WAITING, StepState.RUNNING))


class RunState(StrEnum):
    """Where one firing of a schedule stands."""

    #: It starts when the run before it has ended.
    QUEUED = "queued"
    RUNNING = "running"
    #: Every job has ended and gave results, or there was nothing to do.
    SUCCEEDED = "succeeded"
    #: No job could be submitted, or one gave no result at all.
    FAILED = "failed"
    #: One of its jobs was cancelled.
    CANCELLED = "cancelled"
    #: It never started: the run before it had not ended.
    SKIPPED = "skipped"
    #: It never started: no scheduler ran at its time.
    MISSED = "missed"


#: A run in one of these states has not ended.
OPEN_RUNS = (RunState.QUEUED, RunState.RUNNING)


class RunCause(StrEnum):
    """Why a run was made."""

    #: Its time came.
    TIME = "time"
    #: Its time came while no scheduler ran.
    CATCH_UP = "catch-up"
    #: Somebody asked for it.
    HAND = "hand"


class Catchup(StrEnum):
    """What becomes of the times that were missed while no scheduler ran."""

    NONE = "none"
    #: The last of them is run.
    LATEST = "latest"
    #: Each of them is run, one after the other.
    ALL = "all"


class Overlap(StrEnum):
    """What becomes of a time that comes while the schedule's run before it has not ended."""

    SKIP = "skip"
    #: It waits for the end of that run; one run waits at most.
    QUEUE = "queue"
    #: The jobs of that run are cancelled.
    REPLACE = "replace"


class NotificationState(StrEnum):
    """Where a notification stands."""

    PENDING = "pending"
    SENT = "sent"
    #: Its destination did not take it for a day: it is not tried again by itself.
    DEAD = "dead"


class Event(StrEnum):
    """The events that people are notified of."""

    #: A run was not done by its deadline.
    LATE = "late"
    FAILED = "failed"
    #: The first run that succeeded after one that failed or was late.
    RECOVERED = "recovered"
    #: A gate refused the model that a run trained.
    MODEL_REFUSED = "model refused"
    #: A job's share of errors is above the limit.
    ERRORS = "errors"
    #: Somebody tests the destination.
    TEST = "test"


class RequestState(StrEnum):
    """Where a batch of requests stands, as programs are told (OpenAI's names)."""

    #: Its lines are being checked.
    VALIDATING = "validating"
    #: Lines are not as they should be: nothing was run.
    FAILED = "failed"
    IN_PROGRESS = "in_progress"
    #: Its output files are being written.
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    #: Its completion window was over first. What was done until then is in the output file.
    EXPIRED = "expired"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


class BatchPhase(StrEnum):
    """What the scheduler does next for a batch of requests."""

    #: Check the lines of the input file.
    READING = "reading"
    #: Store their documents.
    ADDING = "adding"
    #: Submit the jobs.
    SUBMITTING = "submitting"
    #: Wait for the jobs.
    RUNNING = "running"
    #: Write the output files.
    WRITING = "writing"
    DONE = "done"


class ErrorCode(StrEnum):
    """The codes of errors that docmill itself gives to documents. Kinds have codes of their own beside these."""

    #: Worker processes died while they ran this document alone.
    POISON = "POISON"
    #: The work on it hung.
    TIMEOUT = "TIMEOUT"
    #: It needs more memory than the worker has.
    MEMORY = "MEMORY"
    #: Worker processes died over a chunk that is run as a whole (training).
    CRASHED = "CRASHED"
    #: The job was cancelled first.
    CANCELLED = "CANCELLED"
    #: The time of the night was over first: the next night takes it.
    CARRIED_OVER = "CARRIED_OVER"
    #: The model that the job waited for was not made.
    NO_MODEL = "NO_MODEL"
    #: No model could be trained on it and the others.
    TRAINING_FAILED = "TRAINING_FAILED"
    #: The store refuses its result.
    BAD_RESULT = "BAD_RESULT"
    #: The document was removed before the job had a result for it.
    REMOVED = "REMOVED"
    #: The runner raised an unexpected exception.
    RUNNER_ERROR = "RUNNER_ERROR"


#: A document whose last outcome has one of these codes goes into quarantine.
HARMFUL = (ErrorCode.POISON, ErrorCode.TIMEOUT, ErrorCode.MEMORY, ErrorCode.CRASHED)
#: Errors that say nothing about the document: another job may well succeed with it.
PASSING = (
    ErrorCode.CANCELLED,
    ErrorCode.CARRIED_OVER,
    ErrorCode.NO_MODEL,
    ErrorCode.RUNNER_ERROR,
    ErrorCode.BAD_RESULT,
    ErrorCode.TRAINING_FAILED,
)
