"""`shadow-classify`: labels documents with a candidate model, without replacing the labels of the model in use.

The labels are stored in a table of their own. How often both models agree helps to decide whether to promote the
candidate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from nlp_tasks.classification import ClassifyParameters, LabelRow
from nlp_tasks.errors import DocumentError
from nlp_tasks.kind import Document, Kind, Result, Runner, Setup, Stage
from nlp_tasks.parameters import parameters


@parameters
class ShadowParameters:
    """The parameters of `classify` that affect the best label."""

    min_score: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="threshold: a document whose best label has a lower probability gets no label, as in classify",
        ),
    ] = 0.0


@dataclass(frozen=True)
class ShadowRow:
    """The best label of a document by the candidate, or its abstention."""

    table: ClassVar[str] = "shadow_label"
    label: str | None
    score: float


class ShadowRunner:
    """Runs `classify`, and keeps the best label in another table."""

    def __init__(self, inner: Runner) -> None:
        self.inner = inner
        self.batch_documents, self.batch_chars = inner.batch_documents, inner.batch_chars

    def run(self, documents: Sequence[Document]) -> Sequence[Result]:
        """See kind.Runner."""
        return [
            found if isinstance(found, DocumentError) else _shadow(found)
            for found in self.inner.run(documents)
        ]


def _shadow(rows: Sequence[object]) -> Result:
    best = rows[0]
    assert isinstance(best, LabelRow)
    return [ShadowRow(best.label, best.score)]


def _open(setup: Setup) -> Runner:
    from dataclasses import replace

    from nlp_tasks.classification import runner

    parameters = ClassifyParameters(top_n=1, min_score=setup.parameters.min_score)
    return ShadowRunner(runner.open_runner(replace(setup, parameters=parameters)))


SHADOW_CLASSIFY = Kind(
    name="shadow-classify",
    summary="Label documents with a model that is not in use yet, to see how often it agrees with the model in use",
    parameters=ShadowParameters,
    rows=(ShadowRow,),
    stages=(Stage("predict", _open),),
    model_from="train-classify",
    chunk_documents=32_768,
    chunk_chars=2_000_000,
)

KINDS = (SHADOW_CLASSIFY,)
