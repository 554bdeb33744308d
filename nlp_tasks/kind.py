"""The contract of a kind of job: its parameters, its result rows, the stages that make them, its training.

A kind has a module or package of its own and is listed in `registry.KINDS`. Its module must not import torch or gensim
at import time, because clients import it to check parameters: heavy imports belong into the functions in `Stage.open`
and `Kind.train`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeAlias

from nlp_tasks.endpoint import Endpoint
from nlp_tasks.model_servers import ModelServers
from readers.remote.policy import NOTHING, Policy

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nlp_tasks.errors import DocumentError


#: Servers of this machine only.
NO_SERVERS = ModelServers()


@dataclass(frozen=True, slots=True)
class Document:
    """A document as a runner gets it. `id` identifies this version of the text in the store."""

    id: int
    key: str
    text: str
    label: str | None = None
    #: (start, end) of headings and rows of tables in the text, in its order, where its source said so.
    not_prose: tuple[tuple[int, int], ...] = ()
    #: The other fields of its record, for kinds with `Kind.reads_meta`.
    meta: Mapping[str, Any] = field(default_factory=dict)


class Row(Protocol):
    """A frozen dataclass. Its fields (int, float, str, bool, bytes, or one of them | None) are the columns of the
    result table `table`, beside job_id and document_id. If a document may have several rows, a class variable `key`
    names the fields that distinguish them: `key: ClassVar[tuple[str, ...]] = ("rank",)`. If rows are ordered by `score`
    and rows with equal scores may change places, a class variable `tied` names the field that then differs.
    A class variable `headings` renames columns in tables for people, if the name of the field alone would mislead.
    """

    table: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]


class ListRow(Row, Protocol):
    """What later jobs need to bring a document's list of other documents up to date. It is no result: people do not see
    it, and its class is in `Stage.updates`, not in `Kind.rows`. One row for each document."""

    @property
    def least(self) -> float:
        """The score at which another document enters the list."""
        ...


@dataclass(frozen=True, slots=True)
class NewText:
    """A document that a runner makes of one: it is stored together with that one's outcome, as a new version where
    there is one of its key. Made of the files of a collection (`Kind.over_files`), it belongs to that collection."""

    key: str
    text: str
    #: Where it comes from, for people.
    source: str
    #: What the runner knows of it, storable as JSON (readers.metadata); what is known of its origin is added.
    meta: Mapping[str, Any] | None = None
    #: (start, end) of headings and rows of tables in the text, in its order.
    not_prose: tuple[tuple[int, int], ...] = ()
    label: str | None = None


@dataclass(frozen=True, slots=True)
class RowsAbout:
    """Result rows about another document than the one that was run, in a stage with `Stage.updates`. Stored together
    with that one's outcome; rows that the job has already stored about the other document stay as they are."""

    document_id: int
    rows: Sequence[Row]


#: What became of one document: its result rows, rows about others, and new documents, or the error that is its outcome.
Result: TypeAlias = "Sequence[Row | RowsAbout | NewText] | DocumentError"


class Runner(Protocol):
    """A loaded model, or a method without one, that processes batches. One per process, used by one thread."""

    #: Maximum number of documents in a batch ...
    batch_documents: int
    #: ... and of characters, unless a single document has more.
    batch_chars: int

    def run(self, documents: Sequence[Document]) -> Sequence[Result]:
        """One result per document, in the order given.

        A batch consists of documents of similar length. On any exception the worker halves the batch until the faulty
        document is alone; return a DocumentError for that document instead. The results must not depend on how
        documents are batched (up to rounding).
        """
        ...


@dataclass(frozen=True)
class Vectors:
    """The vectors of one model version over the latest documents of a collection, ordered by document id."""

    ids: NDArray[np.int64]  # (N,)
    keys: Sequence[str]  # (N,)
    matrix: NDArray[np.float32]  # (N, D)
    #: What the kind stores beside a vector; empty unless asked for.
    terms: Sequence[bytes] = ()  # (N,) or none
    #: By what the kind multiplies distances of a document; None for 1 everywhere.
    scales: NDArray[np.float64] | None = None  # (N,)


@dataclass(frozen=True)
class Earlier:
    """What earlier jobs like this one (same kind, parameters, model version and collection) have found."""

    #: Every document that has a result, in this job or not, in ascending order. To all others, this job's documents are
    #: new.
    known: NDArray[np.int64]  # (K,)
    #: The id of the job that gave each of them its first result.
    since: NDArray[np.int64]  # (K,)
    #: The documents with a list that this job does not run, in ascending order ...
    ids: NDArray[np.int64]  # (M,)
    #: ... and `least` of the newest list of each.
    least: NDArray[np.float32]  # (M,)
    #: Which of some documents this job has already stored a list about.
    written: Callable[[Sequence[int]], Collection[int]]
    #: The newest lists of some documents: the document's id, the id of the job that made the list, and the row.
    lists: Callable[[Sequence[int]], Iterable[tuple[int, int, Any]]]


@dataclass(frozen=True)
class Setup:
    """What a stage is opened with, once per process, model version and parameters."""

    #: An instance of the kind's parameters dataclass.
    parameters: Any
    #: A torch device: "cpu" or "cuda:0" (each worker process sees only one GPU).
    device: str = "cpu"
    #: The folder of the model version; None for a kind without a model.
    model_dir: Path | None = None
    #: Loads the stored vectors; set for stages that want vectors.
    corpus: Callable[[], Vectors] | None = None
    #: Loads what earlier jobs found; set for stages that update other documents' results, but not when documents of a
    #: past job are run again.
    earlier: Callable[[], Earlier] | None = None
    #: For some documents (by id), the result of the job in `JobInput`, and the reference to compare it with; set for
    #: kinds that have such an input.
    judged: Callable[[Sequence[int]], Mapping[int, tuple[str, str | None]]] | None = None
    #: Lists the labelled documents in `LabelledInput`; set for kinds that have such an input.
    labelled: Callable[[], LabelledDocuments] | None = None
    #: The heartbeat: call it about every second during long work inside one batch. It keeps the lease; calling it often
    #: is cheap. A worker that uses more CPU time than the lease has seconds without calling it is considered hung.
    beat: Callable[[], None] = lambda: None
    #: Writes the content of an uploaded file, by its id, to a file; LookupError if it was deleted.
    uploads: Callable[[str, IO[bytes]], None] | None = None
    #: Which URLs this worker may read.
    remote: Policy = NOTHING
    #: Which model servers this worker may send texts to.
    servers: ModelServers = NO_SERVERS
    #: Where graphs of networks are kept on this machine: ONNX Runtime computes them. None: torch computes.
    graphs: Path | None = None


@dataclass(frozen=True, slots=True)
class VectorsWanted:
    """Which stored vectors a stage reads."""

    #: With what the kind stores beside a vector.
    with_terms: bool = False
    #: Of all collections, not only that of the job.
    all_collections: bool = False


@dataclass(frozen=True)
class Stage:
    """One pass over the documents of a job. Errors are written in any stage, other outcomes in the last one."""

    name: str
    open: Callable[[Setup], Runner]
    #: A stage that reads "nothing" gets documents with an empty text; the texts are not read from the store.
    reads: Literal["text", "nothing"] = "text"
    #: From the parameters, which stored vectors of the model version the stage reads; None for none. The rows that an
    #: earlier stage stores with the model version must then have the fields `vector`, `terms` and `scale`.
    vectors: Callable[[Any], VectorsWanted] | None = None
    #: The results of documents that the job does not run change with this job's documents: the stage also returns rows
    #: about those (`RowsAbout`). The class of the row that it adds to each result, so that this is possible.
    updates: type[ListRow] | None = None


class Documents(Protocol):
    """The documents of a training job. Each iteration reads them again from the store, in the order of their ids."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Document]: ...


#: Called with (steps done, total steps, a note for people: "epoch 3 of 10, loss 0.41"). It is a heartbeat, too.
Progress: TypeAlias = Callable[[int, int, str], None]


class Train(Protocol):
    """Trains a model on documents, writes it into `model_dir` and returns its metrics.

    The folder exists, and is empty except for a checkpoint. Raises TrainingError if no model can be trained on these
    documents. Must call `progress` at least every few seconds, which keeps the lease. The same documents, parameters
    and seed give the same model. It may save its state in `model_dir/checkpoint`, to resume if its worker is killed,
    and must remove that at the end.
    """

    def __call__(
        self, documents: Documents, parameters: Any, device: str, model_dir: Path, progress: Progress
    ) -> dict[str, float]: ...


class ExportOnnx(Protocol):
    """See `Kind.export_onnx`."""

    def __call__(
        self, model_dir: Path, target: Path, *, int8: bool, documents: Documents | None
    ) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure by which a gate judges a new model, with its threshold."""

    #: In snake case, like metrics: "self_rank".
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
    """A model that has just been trained, for the gate to judge."""

    #: The documents that it was trained on.
    documents: Documents
    model_dir: Path
    #: The metrics that `Kind.train` returned.
    metrics: Mapping[str, float]
    #: The folder of the version in use, already verified; None if there is none, and then the candidate is accepted.
    champion_dir: Path | None
    device: str
    #: The metrics that `Kind.train` returned for the version in use; empty if there is none.
    champion_metrics: Mapping[str, float] = field(default_factory=dict)
    #: The heartbeat: call it about every second to keep the lease.
    beat: Callable[[], None] = lambda: None


class Gate(Protocol):
    """Judges a candidate, compared with the champion if there is one. Runs in the worker that trained it.

    All figures are stored; the candidate becomes the champion if all of them pass. Without a champion there is nothing
    to compare with, and the candidate is accepted. The same models and documents give the same figures.
    """

    def __call__(self, candidate: Candidate) -> Sequence[Figure]: ...


@dataclass(frozen=True, slots=True)
class ModelInput:
    """A text parameter that names a model trained by another kind. It is replaced by the full name of the version when
    the job is submitted, and by the folder of the model in the worker."""

    parameter: str
    #: The name of the kind that trains it.
    trained_by: str


@dataclass(frozen=True, slots=True)
class JobInput:
    """A number parameter that names an earlier job over the same collection; its results are read."""

    parameter: str
    kind: str
    #: The text parameter that names a stored set of references; empty for the documents' labels.
    references_parameter: str


@dataclass(frozen=True, slots=True)
class LabelledInput:
    """A text parameter that names a collection, whose labelled documents are read. When the job is submitted, it is
    replaced by NAME@N: the documents that were there then."""

    parameter: str


@dataclass(frozen=True)
class LabelledDocuments:
    """The labelled documents of a collection (`LabelledInput`)."""

    #: The label of each document, by its id, in ascending order.
    labels: Mapping[int, str]
    #: Some of them, by their ids.
    read: Callable[[Sequence[int]], Sequence[Document]]


Input: TypeAlias = "ModelInput | JobInput | LabelledInput"

#: Stands for a kind that trains where a model comes from: it was not trained but imported (`docmill models import`).
IMPORTED = "encoder"


@dataclass(frozen=True, slots=True)
class Others:
    """A document's result depends on other documents. Decides what a job over new documents only has to take."""

    #: The table of a row class whose rows name other documents: a result is outdated once a document that it names is.
    table: str
    #: Whether a job over some documents brings all other results up to date (`Stage.updates`). If not, a job over new
    #: documents takes all documents as soon as one has changed.
    are_updated: bool
    #: Whether the documents of other collections count as well.
    of_all_collections: bool = False
    #: The table of the class in `Stage.updates`, whose column `is_cut` tells which results lost a row by a removal.
    lists: str = ""


@dataclass(frozen=True)
class Kind:
    """A kind of job. It has either `stages` (processes documents) or `train` (trains a model on them), not both."""

    name: str
    #: One line for --help and the docs.
    summary: str
    #: A class decorated with `nlp_tasks.parameters.parameters`: the parameters of a job of this kind.
    parameters: type
    #: The classes of the result rows; each has a table of its own.
    rows: tuple[type[Row], ...] = ()
    stages: tuple[Stage, ...] = ()
    train: Train | None = None
    #: The figures of a trained model beside its metrics, read from its folder as rows of these classes. Each class has
    #: a table of its own, whose rows belong to a model version.
    figure_rows: tuple[type[Row], ...] = ()
    figures: Callable[[Path], Sequence[Row]] | None = None
    #: Judges a new model before it replaces the champion; None to accept every model.
    gate: Gate | None = None
    #: The name of the kind that trains the model that this kind needs, such as "train-classify"; None for no model.
    model_from: str | None = None
    #: From the parameters, the makers of models that will do: kinds that train, or IMPORTED. None: `model_from` alone.
    models_from: Callable[[Any], Sequence[str]] | None = None
    #: Whether a job with these parameters needs that model; if not, `--model` is refused.
    needs_model: Callable[[Any], bool] = lambda parameters: True  # noqa: ARG005
    #: The parameters that a request with `--model` has unless it says otherwise: {"method": "model"}.
    with_model: Mapping[str, Any] = field(default_factory=dict)
    #: The parameter that is meant if a request with `--model` names a folder; empty if it cannot.
    model_folder: str = ""
    #: The parameters with which a job can use an imported model, if it cannot with the default ones.
    with_imported: Mapping[str, Any] = field(default_factory=dict)
    #: From the parameters, how a document's result depends on other documents of the collection; None for not at all.
    others: Callable[[Any], Others | None] = lambda parameters: None  # noqa: ARG005
    #: From the parameters, what else the job reads from the store.
    inputs: Callable[[Any], Sequence[Input]] = lambda parameters: ()  # noqa: ARG005
    #: Raises ValueError for parameters that no new request may have together. Jobs in the store are not checked: they
    #: may be older than the rule.
    check: Callable[[Any], None] = lambda parameters: None  # noqa: ARG005
    #: The most important metrics of a trained model, each with its format: {"accuracy": "accuracy {:.3f}"}.
    headline: Mapping[str, str] = field(default_factory=dict)
    #: Select only documents that have a label.
    labelled_only: bool = False
    #: Whether labels that people give where its models are used are labels to learn from.
    takes_corrections: bool = False
    #: Its training, or its stages, read the metadata of the documents.
    reads_meta: bool = False
    #: The field of a file of pairs whose value is learned from the text, and becomes the document's label ("summary");
    #: empty if a model of this kind is not trained on such pairs.
    pairs_field: str = ""
    #: Writes a trained model for other programs, from its folder into another one that exists. Returns the file's
    #: path and how to read it.
    export: Callable[[Path, Path], tuple[Path, str]] | None = None
    #: Writes a trained model as ONNX, from its folder into another one, which may exist. `int8`: also with weights of 8
    #: bits, whose loss is measured on the held-out part of the documents of the training, if they are still there.
    #: Returns what was written, for people.
    export_onnx: ExportOnnx | None = None
    #: Raise it when the kind's code gives other results than before: those of an older epoch do not stand any more, and
    #: the next night makes them anew.
    epoch: int = 1
    #: Its neural models compute in 16 bits where the device is good at that: numbers then agree to about 1 %.
    rounds: bool = False
    #: Its documents are the files of a collection; the text of each says where the file is.
    over_files: bool = False
    #: How programs ask for it in the form of OpenAI's API; None for not at all.
    endpoint: Endpoint | None = None
    #: Maximum number of documents in a chunk, and their approximate number of characters.
    chunk_documents: int = 256
    chunk_chars: int = 1_000_000

    def makers(self, parameters: Any) -> tuple[str, ...]:
        """Who makes the models that a job with these parameters may use; empty for a kind without a model."""
        if self.models_from is not None:
            return tuple(self.models_from(parameters))
        return () if self.model_from is None else (self.model_from,)
