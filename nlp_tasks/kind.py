"""What a kind of work is: its parameters, the rows it makes, the stages that make them, its trainer.

Knows the shapes only. A kind lives in a module or package of its own and stands in `registry.KINDS`; its
module imports no torch and no gensim at import time (a client reads it to check parameters): heavy
imports belong in the functions that `Stage.open` and `Kind.train` name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nlp_tasks.errors import DocumentError


@dataclass(frozen=True, slots=True)
class Document:
    """One text as a runner sees it. `id` is the store's number of this version of the text."""

    id: int
    key: str
    text: str
    label: str | None = None


class Row(Protocol):
    """A frozen dataclass whose fields (int, float, str, bool, bytes, or one of them | None) are the columns of the
    result table `table`, less job_id and document_id. A document that may have several rows tells them apart by the
    fields that a class variable `key` names: `key: ClassVar[tuple[str, ...]] = ("rank",)`. Where rows are ordered by
    `score` and equal ones may change places, a class variable `tied` names the field that then differs. A class
    variable `headings` renames columns in tables for people, where the name of the field alone would mislead.
    """

    table: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]


#: What became of one document: its result rows, or the error that is its outcome.
Result: TypeAlias = "Sequence[Row] | DocumentError"


class Runner(Protocol):
    """A loaded model, or a method without one, ready to work on batches. One per process, used by one thread."""

    #: At most so many documents go through together ...
    batch_documents: int
    #: ... and at most so many characters, unless one document alone has more.
    batch_chars: int

    def run(self, documents: Sequence[Document]) -> Sequence[Result]:
        """One result per document, in the order given.

        A batch holds documents of similar length. Any exception makes the worker halve the batch until the
        document at fault stands alone; prefer a DocumentError in that document's place. The results do not
        depend on how documents are batched (up to rounding).
        """
        ...


@dataclass(frozen=True)
class Vectors:
    """The vectors of one model version over the latest documents of a collection, ordered by document id."""

    ids: NDArray[np.int64]  # (N,)
    keys: Sequence[str]  # (N,)
    matrix: NDArray[np.float32]  # (N, D)
    #: What else the kind keeps with a vector; empty unless wanted.
    terms: Sequence[bytes] = ()  # (N,) or none


@dataclass(frozen=True)
class Setup:
    """What a stage is opened with: once per process, model version and parameters."""

    #: An instance of the kind's parameters dataclass.
    parameters: Any
    #: A torch device: "cpu" or "cuda:0" (the launcher shows each worker one GPU only).
    device: str = "cpu"
    #: The folder of the model version; None for a kind without a model.
    model_dir: Path | None = None
    #: Loads the stored vectors; given to stages that want vectors.
    corpus: Callable[[], Vectors] | None = None
    #: Of each of some documents (by id), what the job of `JobInput` made of it and the reference it is compared
    #: with; given to kinds that have such an input.
    judged: Callable[[Sequence[int]], Mapping[int, tuple[str, str | None]]] | None = None
    #: To be called now and then (every second or so) in work that takes long inside one batch: it keeps the
    #: lease. Work that uses more CPU time than the lease has seconds and never calls it is taken for hung.
    beat: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class VectorsWanted:
    """Which stored vectors a stage reads."""

    #: With what else the kind keeps with a vector.
    with_terms: bool = False
    #: Of all collections, not of the job's own.
    all_collections: bool = False


@dataclass(frozen=True)
class Stage:
    """One pass over the documents of a job. Outcomes are written in the last one, errors in any."""

    name: str
    open: Callable[[Setup], Runner]
    #: Stages that read "nothing" get documents with an empty text, which spares the store the reading.
    reads: Literal["text", "nothing"] = "text"
    #: From the parameters, the stored vectors of the model version that the stage reads; None for none. The rows
    #: that an earlier stage keeps with the model version then have the fields `vector` and `terms`.
    vectors: Callable[[Any], VectorsWanted] | None = None


class Documents(Protocol):
    """The documents of a training job; each iteration reads them anew, in the order of their ids."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Document]: ...


#: Called with (steps done, steps in all, what a person would like to read: "epoch 3 of 10, loss 0.41").
Progress: TypeAlias = Callable[[int, int, str], None]


class Train(Protocol):
    """Builds a model from documents into `model_dir` (exists, empty but for a checkpoint) and returns its metrics.

    Raises TrainingError if these documents cannot make a model. Must call `progress` at least every few
    seconds, which keeps the lease. The same documents, parameters and seed make the same model. It may keep its
    state in `model_dir/checkpoint`, from which it goes on if its worker was killed; it removes that at its end.
    """

    def __call__(
        self, documents: Documents, parameters: Any, device: str, model_dir: Path, progress: Progress
    ) -> dict[str, float]: ...


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure that a gate judges a new model by, with its bar."""

    #: Snake case, as metrics are named: "self_rank".
    name: str
    value: float
    at_least: float | None = None
    at_most: float | None = None

    @property
    def passed(self) -> bool:
        return (self.at_least is None or self.value >= self.at_least) and (
            self.at_most is None or self.value <= self.at_most
        )


@dataclass(frozen=True)
class Candidate:
    """A model that has just been trained, as its gate sees it."""

    #: What it was trained on.
    documents: Documents
    model_dir: Path
    #: What `Kind.train` returned.
    metrics: Mapping[str, float]
    #: The folder of the version in use, checked; None when there is none, and then the candidate is taken.
    champion_dir: Path | None
    device: str
    #: What `Kind.train` returned of the version in use; empty when there is none.
    champion_metrics: Mapping[str, float] = field(default_factory=dict)
    #: To be called every second or so: it keeps the lease.
    beat: Callable[[], None] = lambda: None


class Gate(Protocol):
    """Judges a candidate, beside the champion where there is one. Runs in the worker that trained it.

    Every figure is stored; the candidate becomes the champion when all have passed. Without a champion there is
    nothing to compare with and no bar to miss: the candidate is taken. The same models and documents give the same
    figures.
    """

    def __call__(self, candidate: Candidate) -> Sequence[Figure]: ...


@dataclass(frozen=True, slots=True)
class ModelInput:
    """A text parameter that names a model which another kind has trained. It is replaced by the version's full
    name when the job is submitted, and by the model's folder in the worker."""

    parameter: str
    #: The kind that trains it.
    trained_by: str


@dataclass(frozen=True, slots=True)
class JobInput:
    """A number parameter that names an earlier job over the same collection, whose results are read."""

    parameter: str
    kind: str
    #: The text parameter that names a stored set of references; empty for the documents' labels.
    references_parameter: str


Input: TypeAlias = "ModelInput | JobInput"


@dataclass(frozen=True)
class Kind:
    """One kind of job. Either `stages` (work on documents) or `train` (makes a model of them), not both."""

    name: str
    #: One line for --help and the docs.
    summary: str
    #: A class made by `nlp_tasks.parameters.parameters`: what a job of this kind can be asked for.
    parameters: type
    #: The result row classes that the stages make; each has a table of its own.
    rows: tuple[type[Row], ...] = ()
    stages: tuple[Stage, ...] = ()
    train: Train | None = None
    #: What a trained model's folder tells of it beside its metrics, as rows of these classes, each with a table of
    #: its own whose rows belong to a model version.
    figure_rows: tuple[type[Row], ...] = ()
    figures: Callable[[Path], Sequence[Row]] | None = None
    #: What a new model has to pass before it replaces the champion; None for nothing.
    gate: Gate | None = None
    #: The kind of model it needs, as the name of the kind that trains it: "train-classify"; None for none.
    model_from: str | None = None
    #: Whether a job with these parameters needs that model; without one, `--model` is refused.
    needs_model: Callable[[Any], bool] = lambda parameters: True  # noqa: ARG005
    #: From the parameters, what else of the store the job reads.
    inputs: Callable[[Any], Sequence[Input]] = lambda parameters: ()  # noqa: ARG005
    #: The metrics of a trained model that tell most, each with how it is written: {"accuracy": "accuracy {:.3f}"}.
    headline: Mapping[str, str] = field(default_factory=dict)
    #: Only documents that carry a label are selected (training a classifier).
    labelled_only: bool = False
    #: The field of a file of pairs whose value is learned from the text, and becomes the document's label ("summary");
    #: empty if a model of this kind is not trained on such pairs.
    pairs_field: str = ""
    #: Writes a trained model for other programs, from its folder into another one that exists. Returns the file's
    #: path and how to read it.
    export: Callable[[Path, Path], tuple[Path, str]] | None = None
    #: A chunk holds at most so many documents, and about so many characters.
    chunk_documents: int = 256
    chunk_chars: int = 1_000_000
