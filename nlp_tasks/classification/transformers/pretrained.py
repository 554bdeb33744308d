"""`pretrained`: fine-tunes a transformers model from a local folder, such as KoELECTRA; and what is common to all
architectures that start from such a folder.

Nothing is downloaded, only safetensors weights are read, and code that comes with a model is never run. Needs the
package transformers, which is imported on use. A document that is longer than the model's input is read in windows; its
scores are the mean of theirs, weighted by their tokens.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nlp_tasks import heartbeat
from nlp_tasks.batching import by_length
from nlp_tasks.classification.architecture import Examples, Fitted, State, Terms, Training
from nlp_tasks.classification.attribution import heaviest
from nlp_tasks.errors import ModelFileError, TrainingError
from nlp_tasks.local_transformers import OFFLINE, library
from nlp_tasks.onnx_graphs.slot import Network, Slot
from nlp_tasks.torch_device import computed, mixed_precision

#: Tokens in a batch when labelling, including padding. On a CPU small batches are twice as fast as large ones: they
#: stay in the cache, and their windows have similar lengths.
BATCH_TOKENS, BATCH_TOKENS_ON_CPU = 8192, 1024
#: The class of transformers that loads a classifier.
AUTO = "AutoModelForSequenceClassification"
#: Models that count positions from the padding id on, so that not all of max_position_embeddings can be used.
COUNTED_AFTER_PADDING = ("camembert", "longformer", "mpnet", "roberta", "xlm-roberta")
#: The longest window, if the model has no limit of its own.
WINDOW_TOKENS = 512
#: Texts that are tokenized at a time.
CUT_TOGETHER = 64
#: What a network is traced with, alone and twice: of two lengths, and short.
TRACED = "the match today "


@dataclass(frozen=True)
class Windows:
    """The token windows of N texts, including special tokens."""

    inputs: list[dict[str, list[int]]]  # (W,) input_ids and the other inputs of the model
    owner: NDArray[np.int64]  # (W,) index of the text
    lengths: NDArray[np.int64]  # (W,)
    n_texts: int


@dataclass
class PretrainedModel:
    """A transformers model with its tokenizer."""

    model: Any
    tokenizer: Any
    device: str
    #: Computes instead of the model, whose weights are gone then (see `slot`).
    graph: Any = field(default=None, kw_only=True)

    def slot(self, output: str, second: str | None = None) -> Slot:
        """The model as a network that gives this part of its output. `second` as in `cut`."""
        windows = cut(self.tokenizer, self.model.config, [TRACED, TRACED * 2], second)
        inputs = {name: tensor.cpu() for name, tensor in pad(self, windows.inputs[:2]).items()}
        most = longest(self.tokenizer, self.model.config)
        axes = {0: torch.export.Dim("windows"), 1: torch.export.Dim("tokens", max=most)}
        network = Network(
            OneOutput(self.model, list(inputs), output), inputs, dict.fromkeys(inputs, axes), output
        )

        def put(graph: torch.nn.Module) -> None:
            self.graph = graph
            self.model = self.model.to("meta")

        return Slot("model", network, put)

    def by_graph(self, padded: Any) -> torch.Tensor:
        """What the graph gives for the inputs of a batch."""
        found: torch.Tensor = self.graph(*padded.values())
        return found

    def state(self) -> State:
        """The configuration of the model, the files of the tokenizer as text, and all weights."""
        tensors = {name: weight.cpu().numpy().copy() for name, weight in self.model.state_dict().items()}
        with tempfile.TemporaryDirectory() as folder:
            self.tokenizer.save_pretrained(folder)
            files = {path.name: path.read_text(encoding="utf-8") for path in Path(folder).iterdir()}
        return {
            "model": json.loads(self.model.config.to_json_string(use_diff=False)),
            "tokenizer": files,
        }, tensors


class OneOutput(torch.nn.Module):
    """A model of transformers that takes tensors by position and gives one."""

    def __init__(self, model: Any, names: list[str], output: str) -> None:
        super().__init__()
        self.model, self._names, self._output = model, names, output

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = getattr(self.model(**dict(zip(self._names, inputs, strict=True))), self._output)
        return found


@dataclass
class PretrainedClassifier(PretrainedModel):
    """A model that gives each text a score for each label."""

    batch_documents: int = 256
    batch_chars: int = 200_000
    decides = True

    def slots(self) -> list[Slot]:
        """The whole model."""
        return [self.slot("logits")]

    def outputs(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Scores (N, K)."""
        return self.logits(texts, heartbeat.beat)

    def logits(self, texts: Sequence[str], beat: Callable[[], None]) -> NDArray[np.float32]:
        """Scores (N, K): the mean of the windows' scores, weighted by their tokens."""
        windows = self.windows(texts)
        self.model.eval()
        sums = np.zeros((windows.n_texts, self.model.config.num_labels))
        with torch.inference_mode():
            for chosen in batches(windows, self.device):
                scores = forward(self, [windows.inputs[place] for place in chosen]).float().cpu().numpy()
                np.add.at(sums, windows.owner[chosen], scores * windows.lengths[chosen, None])
                beat()
        totals = np.bincount(windows.owner, weights=windows.lengths, minlength=windows.n_texts)
        return (sums / totals[:, None]).astype(np.float32)

    def windows(self, texts: Sequence[str]) -> Windows:
        """The windows of texts, as this model reads them."""
        return cut(self.tokenizer, self.model.config, texts)

    def explain(
        self, texts: Sequence[str], labels: Sequence[int], most: int, beat: Callable[[], None]
    ) -> list[Terms]:
        """Gradient times input: the embedding of each token times the gradient of the score, summed over its
        occurrences."""
        self.model.eval()
        found = []
        for text, label in zip(texts, labels, strict=True):
            windows = self.windows([text])
            total = float(windows.lengths.sum())
            pulls = [pair for window in windows.inputs for pair in self._pulls(window, label, total)]
            found.append(heaviest(pulls, most))
            beat()
        return found

    def _pulls(self, window: dict[str, list[int]], label: int, total: float) -> list[tuple[str, float]]:
        """The tokens of a window with what each adds to the score, to first order."""
        inputs = {name: torch.tensor([ids], device=self.device) for name, ids in window.items()}
        ids = inputs.pop("input_ids")
        vectors = self.model.get_input_embeddings()(ids).detach().requires_grad_()
        with torch.enable_grad():
            scores = self.model(inputs_embeds=vectors, **inputs).logits[0]
            pull = (scores[label] - scores.mean()) * len(window["input_ids"]) / total
            (gradient,) = torch.autograd.grad(pull, vectors)
        weights = (gradient * vectors).sum(dim=2)[0].tolist()
        tokens = self.tokenizer.convert_ids_to_tokens(window["input_ids"])
        special = set(self.tokenizer.all_special_ids)
        triples = zip(window["input_ids"], tokens, weights, strict=True)
        return [(token, weight) for id_, token, weight in triples if id_ not in special]


def load(config: dict[str, Any], tensors: dict[str, NDArray[Any]], device: str) -> PretrainedClassifier:
    """The classifier that `state` described, of this version of docmill or an older one, whose models had the layers
    for labels that transformers has."""
    if "pooling" in config:
        from nlp_tasks.classification.transformers import pooled

        return pooled.load(config, tensors, device)
    return PretrainedClassifier(*restore(config, tensors, AUTO, device), device)


def restore(
    config: dict[str, Any], tensors: dict[str, NDArray[Any]], auto: str, device: str
) -> tuple[Any, Any]:
    """The model and the tokenizer that `state` described, made by the class `auto` of transformers."""
    transformers = library("arch pretrained", ModelFileError)
    settings = transformers.AutoConfig.for_model(**config["model"])
    made_by = getattr(transformers, auto)
    is_auto = hasattr(made_by, "from_config")  # which the class of one sort of models has not
    model = made_by.from_config(settings, trust_remote_code=False) if is_auto else made_by(settings)
    model.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})
    with tempfile.TemporaryDirectory() as folder:
        for name, text in config["tokenizer"].items():
            (Path(folder) / Path(name).name).write_text(text, encoding="utf-8")
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **OFFLINE)
    return model.to(device).eval(), tokenizer


def fit(examples: Examples, training: Training) -> Fitted:
    """Fine-tune the model in the folder `parameters.pretrained`."""
    from nlp_tasks.classification.transformers import fine_tuning

    return fine_tuning.fit(examples, training)


def open_folder(folder: Path, device: str) -> PretrainedClassifier:
    """The classifier of a local folder, with its own labels. TrainingError if it cannot be read."""
    return PretrainedClassifier(*read_folder(folder, AUTO, device), device)


def read_folder(folder: Path, auto: str, device: str, **options: Any) -> tuple[Any, Any]:
    """The model and the tokenizer of a local folder, read by the class `auto` of transformers. TrainingError if they
    cannot be read."""
    transformers = library("arch pretrained", TrainingError)
    read_config(folder)
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **OFFLINE)
        model = getattr(transformers, auto).from_pretrained(
            folder,
            **options,
            use_safetensors=True,
            ignore_mismatched_sizes=True,
            dtype=torch.float32,
            **OFFLINE,
        )
    except (OSError, ValueError, KeyError) as error:
        raise TrainingError(f"transformers cannot read {folder}: {error}") from error
    return model.to(device), tokenizer


def read_config(folder: Path) -> Any:
    """The configuration of the model in a local folder; TrainingError if there is none."""
    transformers = library("arch pretrained", TrainingError)
    if not (folder / "config.json").is_file():
        raise TrainingError(
            f"no config.json in {folder}: `pretrained` must be a folder with a transformers model"
        )
    try:
        return transformers.AutoConfig.from_pretrained(folder, **OFFLINE)
    except (OSError, ValueError, KeyError) as error:
        raise TrainingError(f"transformers cannot read {folder}: {error}") from error


def cut(tokenizer: Any, config: Any, texts: Sequence[str], second: str | None = None) -> Windows:
    """All windows of the texts; a text that fits into the model's input has one. `second` is added to each window."""
    inputs: list[dict[str, list[int]]] = []
    owner: list[int] = []
    for first in heartbeat.beating(range(0, len(texts), CUT_TOGETHER)):
        some, whose = _cut(tokenizer, config, texts[first : first + CUT_TOGETHER], second)
        inputs += some
        owner += [first + place for place in whose]
    lengths = np.array([len(window["input_ids"]) for window in inputs], np.int64)
    return Windows(inputs, np.array(owner, np.int64), lengths, len(texts))


def _cut(
    tokenizer: Any, config: Any, texts: Sequence[str], second: str | None
) -> tuple[list[dict[str, list[int]]], list[int]]:
    """The windows of some texts, and the index of the text of each."""
    encoded = tokenizer(
        list(texts),
        None if second is None else [second] * len(texts),
        truncation=True if second is None else "only_first",
        max_length=longest(tokenizer, config),
        stride=0,
        return_overflowing_tokens=True,
    )
    owner = list(encoded.pop("overflow_to_sample_mapping"))
    names = [name for name in encoded if name in tokenizer.model_input_names]
    return [{name: encoded[name][place] for name in names} for place in range(len(owner))], owner


def longest(tokenizer: Any, config: Any) -> int:
    """The maximum number of tokens in a window."""
    places = getattr(config, "max_position_embeddings", WINDOW_TOKENS)
    if config.model_type in COUNTED_AFTER_PADDING:
        places -= config.pad_token_id + 1
    return int(min(tokenizer.model_max_length, places))


def forward(classifier: PretrainedModel, inputs: Sequence[dict[str, list[int]]]) -> torch.Tensor:
    """Scores (B, K) of some windows."""
    padded = pad(classifier, inputs)
    if classifier.graph is not None:
        return classifier.by_graph(padded)

    def scores() -> torch.Tensor:
        logits: torch.Tensor = classifier.model(**padded).logits
        return logits

    return computed(classifier.device, scores)


def hidden_states(model: PretrainedModel, inputs: Sequence[dict[str, list[int]]]) -> torch.Tensor:
    """The last hidden states (B, S, D) of some windows, in one batch, in 16 bits where the device is good at that."""
    padded = pad(model, inputs)
    if model.graph is not None:
        return model.by_graph(padded)
    with mixed_precision(model.device):
        found: torch.Tensor = model.model(**padded).last_hidden_state
    return found


def pad(model: PretrainedModel, inputs: Sequence[dict[str, list[int]]]) -> Any:
    """The inputs of a batch on the model's device."""
    return model.tokenizer.pad(list(inputs), return_tensors="pt").to(model.device)


def batches(windows: Windows, device: str) -> Iterator[NDArray[np.int64]]:
    """Indexes of all windows, in batches of similar length."""
    return by_length(windows.lengths, BATCH_TOKENS_ON_CPU if device == "cpu" else BATCH_TOKENS)
