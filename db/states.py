"""The states of jobs, chunks and outcomes, and the error codes that docmill compares. The tables store their text.

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
