"""The model that `pretrained` fine-tunes: a transformer, a pooling of its last hidden states, and a linear layer.

The pooling is that of the folder (sentence-transformers), or the mean. So the model can start as `encoder` ends: with
the solution of a logistic regression on its vectors, and not with a layer of random numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from nlp_tasks.classification.architecture import State
from nlp_tasks.classification.transformers import pretrained
from nlp_tasks.classification.transformers.logistic import Logistic
from nlp_tasks.classification.transformers.pretrained import PretrainedClassifier, Windows
from nlp_tasks.encoders import description, pooling, transformer_encoder
from nlp_tasks.encoders.windows import lower_case
from nlp_tasks.errors import ModelFileError, TrainingError
from nlp_tasks.torch_device import computed

#: The class of transformers that makes a model without layers for labels, but for encoders of an encoder-decoder.
AUTO = "AutoModel"


class Scores(NamedTuple):
    """The output, named as models of transformers name it."""

    logits: torch.Tensor  # (B, K)


class PooledModel(torch.nn.Module):
    """Scores are a linear function of pooled vectors, which are centred and scaled first."""

    mean: torch.Tensor  # (D,)
    scale: torch.Tensor  # ()

    def __init__(self, body: Any, modes: tuple[str, ...], *, is_normalized: bool) -> None:
        """`body`: a model of transformers, whose configuration has the number of labels. `is_normalized`: vectors have
        length 1."""
        super().__init__()
        self.body, self.modes, self.is_normalized = body, modes, is_normalized
        self.config = body.config
        width = len(modes) * self.config.hidden_size
        self.head = torch.nn.Linear(width, self.config.num_labels)
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(()))

    def vectors(self, **inputs: torch.Tensor) -> torch.Tensor:
        """Pooled vectors of windows that are padded at the end  # (B, D)."""
        hidden = self.body(**inputs).last_hidden_state  # (B, S, D)
        mask = inputs.get("attention_mask")
        if mask is None:
            mask = torch.ones(hidden.shape[:2], dtype=torch.int64, device=hidden.device)
        found = pooling.pool(hidden, mask.sum(dim=1), self.modes)
        return torch.nn.functional.normalize(found, dim=1) if self.is_normalized else found

    def forward(self, **inputs: torch.Tensor) -> Scores:
        """Scores of windows."""
        return Scores(self.head((self.vectors(**inputs) - self.mean) / self.scale))

    def get_input_embeddings(self) -> torch.nn.Module:
        """As models of transformers have it."""
        found: torch.nn.Module = self.body.get_input_embeddings()
        return found

    def start_from(self, head: Logistic) -> None:
        """Score as this regression does."""
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(head.matrix.T))
            self.head.bias.copy_(torch.from_numpy(head.bias))
            self.mean.copy_(torch.from_numpy(head.mean))
            self.scale.fill_(head.scale)


@dataclass
class PooledClassifier(PretrainedClassifier):
    """The model with its tokenizer, and the text that stands before each text."""

    prompt: str = ""

    def windows(self, texts: Sequence[str]) -> Windows:
        """The windows of texts. Only the first window of a text begins with the prompt."""
        prompted = [self.prompt + text for text in texts] if self.prompt else texts
        return pretrained.cut(self.tokenizer, self.model.config, prompted)

    def vectors(self, windows: Windows, beat: Callable[[], None]) -> NDArray[np.float32]:
        """The vectors (N, D) of texts: means of their windows', weighted by tokens. The linear layer gives of them what
        `logits` gives."""
        self.model.eval()
        sums = np.zeros((windows.n_texts, self.model.head.in_features))
        with torch.inference_mode():
            for chosen in pretrained.batches(windows, self.device):
                found = self._vectors([windows.inputs[place] for place in chosen])
                np.add.at(sums, windows.owner[chosen], found * windows.lengths[chosen, None])
                beat()
        totals = np.bincount(windows.owner, weights=windows.lengths, minlength=windows.n_texts)
        return (sums / totals[:, None]).astype(np.float32)

    def _vectors(self, inputs: Sequence[dict[str, list[int]]]) -> NDArray[np.float32]:
        padded = pretrained.pad(self, inputs)
        found: NDArray[np.float32] = (
            computed(self.device, lambda: self.model.vectors(**padded)).float().cpu().numpy()
        )
        return found

    def _pulls(self, window: dict[str, list[int]], label: int, total: float) -> list[tuple[str, float]]:
        """As of any model, without the tokens of the prompt."""
        found = super()._pulls(window, label, total)
        prompt = self.tokenizer(self.prompt, add_special_tokens=False)["input_ids"] if self.prompt else []
        special = set(self.tokenizer.all_special_ids)
        said = [id_ for id_ in window["input_ids"] if id_ not in special]
        return found[len(prompt) :] if said[: len(prompt)] == prompt else found

    def state(self) -> State:
        """The state of the transformer with its tokenizer, and how its hidden states become scores."""
        config, tensors = super().state()
        kept = {"pooling": self.model.modes, "is_normalized": self.model.is_normalized}
        return config | kept | {"prompt": self.prompt}, tensors


def load(config: dict[str, Any], tensors: dict[str, NDArray[Any]], device: str) -> PooledClassifier:
    """The classifier that `state` described."""
    body_tensors = {
        name.removeprefix("body."): array for name, array in tensors.items() if name.startswith("body.")
    }
    auto = transformer_encoder.ENCODERS.get(config["model"]["model_type"], AUTO)
    body, tokenizer = pretrained.restore(config, body_tensors, auto, "cpu")
    model = PooledModel(body, tuple(config["pooling"]), is_normalized=config["is_normalized"])
    model.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})
    return PooledClassifier(model.to(device).eval(), tokenizer, device, prompt=config["prompt"])


def open_folder(folder: Path, n_labels: int, device: str) -> PooledClassifier:
    """The model of a local folder, with a layer of random numbers for `n_labels` labels. TrainingError if it cannot be
    read."""
    if not any((folder / name).is_file() for name in (description.MODULES, "config.json")):
        pretrained.read_config(folder)  # says what a folder must have
    try:
        told = description.read(folder)
        if told.is_static:
            raise TrainingError(
                f"the model in {folder} has a vector for each token and no layers: there is nothing to fine-tune, use "
                "-p arch=encoder"
            )
        reader, pooled, *after = told.modules
        body, tokenizer = transformer_encoder.read(reader, torch.float32)
    except ModelFileError as error:
        raise TrainingError(str(error)) from error
    tokenizer.model_max_length = transformer_encoder.longest(reader, tokenizer, body.config)
    tokenizer.padding_side = "right"
    if reader.config.get("do_lower_case") and tokenizer.is_fast:
        lower_case(tokenizer.backend_tokenizer)
    body.config.num_labels = n_labels
    is_normalized = bool(after) and after[-1].type == "Normalize"
    model = PooledModel(body, pooling.modes(pooled.config), is_normalized=is_normalized)
    return PooledClassifier(model.to(device), tokenizer, device, prompt=told.prompt())
