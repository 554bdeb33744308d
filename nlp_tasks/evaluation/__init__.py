"""The kind `evaluate`: compares the summaries of a job with reference summaries.

The work is done in `runner.py`; the measure is in `rouge.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from nlp_tasks.kind import Input, JobInput, Kind, Runner, Setup, Stage
from nlp_tasks.parameters import parameters


@parameters
class EvaluateParameters:
    """Which summaries are evaluated, and against which references."""

    job: Annotated[int, Field(ge=0, lt=2**63, description="number of the job that made the summaries")] = 0
    references: Annotated[
        str,
        Field(
            description="name of a set of references that docmill evaluate stored; empty for the documents' labels"
        ),
    ] = ""

    def __post_init__(self) -> None:
        if not self.references.isprintable():
            raise ValueError(
                "references must be the name of a stored set: docmill evaluate --references FILE makes one"
            )


@dataclass(frozen=True, slots=True)
class SummaryScoreRow:
    """ROUGE F1 (0 to 100) of a summary against its reference, over morphemes for Korean, otherwise over words."""

    table: ClassVar[str] = "summary_score"

    #: The job that made the summary.
    summary_job_id: int
    rouge_1: float
    rouge_2: float
    rouge_l: float
    #: Morphemes or words of the summary, and of the reference.
    n_tokens: int
    n_reference_tokens: int


def _inputs(parameters: EvaluateParameters) -> Sequence[Input]:  # noqa: ARG001 (the same for all parameters)
    return (JobInput("job", "summarize", "references"),)


def _open(setup: Setup) -> Runner:
    from nlp_tasks.evaluation.runner import Judge

    return Judge(setup)


EVALUATE = Kind(
    name="evaluate",
    summary="Compare a job's summaries with references: ROUGE-1, ROUGE-2 and ROUGE-L",
    parameters=EvaluateParameters,
    rows=(SummaryScoreRow,),
    stages=(Stage("compare", _open, reads="nothing"),),
    inputs=_inputs,
    chunk_documents=2_048,
    chunk_chars=20_000_000,
)

KINDS = (EVALUATE,)
