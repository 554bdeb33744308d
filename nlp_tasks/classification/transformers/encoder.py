"""`encoder`: a logistic regression on the vectors of a frozen encoder. For few labels, and without a GPU.

The vectors come from a model that `docmill models import` made, or from the folder of one (`nlp_tasks.encoders`). Only
the last layer is trained: a convex problem, whose strength of regularisation is chosen by cross-validation. The model
version holds a copy of the encoder, so that it needs nothing else. A long text is read in windows.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from torch.nn import Module

from nlp_tasks import heartbeat, model_files
from nlp_tasks.classification.architecture import Examples, Fitted, State, Terms, Training, Unseen
from nlp_tasks.classification.attribution import heaviest
from nlp_tasks.classification.linear import cross_validation
from nlp_tasks.classification.transformers import logistic, vector_cache
from nlp_tasks.classification.transformers.logistic import Logistic
from nlp_tasks.encoders import Encoder, open_folder
from nlp_tasks.encoders.layers import as_numpy
from nlp_tasks.errors import ModelFileError, TrainingError
from nlp_tasks.onnx_graphs.slot import Slot
from nlp_tasks.text import located

#: Texts that are embedded between two signs of progress.
TOGETHER = 512
#: For attribution, at most this many different words of a text are left out, one by one.
MOST_WORDS = 100
#: Before the paths of files that are neither text nor tensors.
BYTES = "bytes"
#: After the digest of an encoder whose vectors a graph computes.
BY_GRAPH = " by ONNX Runtime"


@dataclass
class EncoderClassifier:
    """An encoder, and the weights of its vectors' numbers for each label."""

    encoder: Encoder
    #: What identifies the encoder's files.
    digest: str
    head: Logistic
    batch_documents: int = 1024
    batch_chars: int = 2_000_000

    def logits(self, texts: Sequence[str], beat: Callable[[], None]) -> NDArray[np.float32]:
        """Scores (N, K)."""
        return self.head.scores(vectors(self.encoder, self.digest, texts, lambda _: beat()))

    #: The largest score is that of the label.
    decides = True

    def slots(self) -> list[Slot]:
        """The encoder; none if it is a table of token vectors."""
        found: list[Slot] = self.encoder.slots() if hasattr(self.encoder, "slots") else []
        return [replace(slot, put=partial(self._put, slot)) for slot in found]

    def _put(self, slot: Slot, graph: Module) -> None:
        """Its vectors are cached apart from those of torch."""
        slot.put(graph)
        self.digest = f"{self.digest.removesuffix(BY_GRAPH)}{BY_GRAPH}"

    def outputs(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Scores (N, K), without the cache."""
        prompt = self.encoder.description.prompt()
        return self.head.scores(self.encoder.embed(texts, prompt, "mean", heartbeat.beat).vectors)

    def explain(
        self, texts: Sequence[str], labels: Sequence[int], most: int, beat: Callable[[], None]
    ) -> list[Terms]:
        """How much the score drops when all occurrences of a word are left out."""
        found = []
        for text, label in zip(texts, labels, strict=True):
            places = _places(text)
            words = list(places)
            variants = [text, *(_without(text, each) for each in places.values())]
            scores = self.logits(variants, beat)
            pulls = scores[:, label] - scores.mean(axis=1)
            found.append(heaviest(zip(words, (pulls[0] - pulls[1:]).tolist(), strict=True), most))
        return found

    def state(self) -> State:
        """The weights of the head, and the files of the encoder."""
        config, tensors = _packed(self.encoder.description.folder)
        head = {"head/matrix": self.head.matrix, "head/bias": self.head.bias, "head/mean": self.head.mean}
        return {"encoder": config, "digest": self.digest, "scale": self.head.scale}, tensors | head


def load(config: dict[str, Any], tensors: dict[str, NDArray[Any]], device: str) -> EncoderClassifier:
    """The classifier that `state` described."""
    matrix, bias, mean = (tensors[f"head/{name}"] for name in ("matrix", "bias", "mean"))
    head = Logistic(matrix, bias, mean, config["scale"])
    with tempfile.TemporaryDirectory() as folder:
        _unpack(config["encoder"], tensors, Path(folder))
        return EncoderClassifier(open_folder(Path(folder), device), config["digest"], head)


def fit(examples: Examples, training: Training) -> Fitted:
    """Embed all texts, choose the strength by cross-validation, then fit on all texts."""
    folder = Path(training.parameters.pretrained)
    try:
        encoder = open_folder(folder, training.device)
    except ModelFileError as error:
        raise TrainingError(
            f"arch encoder needs the folder of an encoder, or an imported model: {error}"
        ) from error
    digest = _digest(folder)
    texts = [*examples.texts, *examples.validation_texts]

    def progress(n_done: int) -> None:
        training.progress(n_done, len(texts), f"embedding, {n_done:,} of {len(texts):,}")

    rows = vectors(encoder, digest, texts, progress)
    labels = np.concatenate([examples.labels, examples.validation_labels])
    fold = cross_validation.folds(labels, len(examples.validation_texts))
    weights = examples.class_weights
    chosen, unseen = logistic.choose(rows, labels, weights, fold, lambda: training.progress(1, 1, "choosing"))
    head = logistic.fit(rows, labels, weights, chosen, lambda: training.progress(1, 1, "fitting"))
    is_scored = fold != cross_validation.ALWAYS_USED
    scored = Unseen(unseen[is_scored], labels[is_scored])
    return Fitted(EncoderClassifier(encoder, digest, head), unseen[len(examples.texts) :], scored)


def vectors(
    encoder: Encoder, digest: str, texts: Sequence[str], progress: Callable[[int], None]
) -> NDArray[np.float32]:
    """The vectors (N, D) of texts, from the cache where they are. `progress` gets the number done."""
    cache = vector_cache.of(digest, encoder.dimensions)
    missing = cache.missing(texts)
    prompt = encoder.description.prompt()
    for start in range(0, len(missing), TOGETHER):
        some = missing[start : start + TOGETHER]
        done = len(texts) - len(missing) + start
        cache.put(some, encoder.embed(some, prompt, "mean", lambda: progress(done)).vectors)  # noqa: B023
        progress(done + len(some))
    return cache.get(texts)


def _digest(folder: Path) -> str:
    """Of the manifest of a model version, or of every file of another folder."""
    manifest = folder / model_files.MANIFEST
    if manifest.is_file():
        return model_files.sha256_of(manifest)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    digests = [f"{path.relative_to(folder)} {model_files.sha256_of(path)}" for path in files]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _places(text: str) -> dict[str, list[tuple[int, int]]]:
    """Where the words of a text are, in the order in which they appear. They are in lower case, the text may not be,
    and the letters of a short word may be part of another one."""
    found: dict[str, list[tuple[int, int]]] = {}
    for start, end, word in located(text):
        if word in found or len(found) < MOST_WORDS:
            found.setdefault(word, []).append((start, end))
    return found


def _without(text: str, places: Sequence[tuple[int, int]]) -> str:
    """The text with a blank at each of these places."""
    ends = [0, *(end for _, end in places)]
    starts = [*(start for start, _ in places), len(text)]
    return " ".join(text[end:start] for end, start in zip(ends, starts, strict=True))


def _packed(folder: Path) -> State:
    """The files of an encoder: text as text, safetensors as tensors with the file's path before their names, the model
    of a tokenizer as its bytes."""
    files: dict[str, Any] = {}
    tensors: dict[str, NDArray[Any]] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".safetensors":
            tensors |= {f"encoder/{name}/{key}": tensor for key, tensor in as_numpy(path).items()}
        elif path.suffix == ".model":
            tensors[f"{BYTES}/{name}"] = np.frombuffer(path.read_bytes(), np.uint8)
        elif path.suffix in (".json", ".txt") and name != model_files.MANIFEST:
            files[name] = path.read_text(encoding="utf-8")
    return files, tensors


def _unpack(files: dict[str, Any], tensors: dict[str, NDArray[Any]], folder: Path) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    by_file: dict[str, dict[str, NDArray[Any]]] = {}
    for name, tensor in tensors.items():
        kind, _, rest = name.partition("/")
        file, _, key = rest.partition(".safetensors/")
        if kind == BYTES:
            (folder / rest).parent.mkdir(parents=True, exist_ok=True)
            (folder / rest).write_bytes(tensor.tobytes())
        elif kind == "encoder":
            by_file.setdefault(f"{file}.safetensors", {})[key] = tensor
    for name, of_file in by_file.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        save_file(of_file, folder / name, metadata={"format": "pt"})
