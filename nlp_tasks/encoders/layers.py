"""The layers that may follow a pooling: Dense, LayerNorm, Normalize. Weights are read from safetensors only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch.nn.functional import layer_norm, linear, normalize

from nlp_tasks.encoders.description import Module
from nlp_tasks.errors import ModelFileError

WEIGHTS = "model.safetensors"
#: Activations of a Dense, by the last part of their name.
ACTIVATIONS: dict[str, Any] = {
    "Identity": lambda vectors: vectors,
    "Tanh": torch.tanh,
    "ReLU": torch.relu,
    "GELU": torch.nn.functional.gelu,
    "SiLU": torch.nn.functional.silu,
    "Sigmoid": torch.sigmoid,
}


class Head:
    """The layers after the pooling, in float32."""

    def __init__(self, modules: Sequence[Module], device: str) -> None:
        layers = [_layer(module, device) for module in modules if module.type != "Dropout"]
        #: Whether the last layer scales vectors to length 1.
        self.normalizes = bool(layers) and layers[-1] is _unit
        self._body = layers[:-1] if self.normalizes else layers

    def body(self, vectors: torch.Tensor) -> torch.Tensor:
        """All layers but a Normalize at the end  # (N, D) -> (N, E)."""
        for layer in self._body:
            vectors = layer(vectors)
        return vectors

    def end(self, vectors: torch.Tensor) -> torch.Tensor:
        """The Normalize at the end, if there is one."""
        return _unit(vectors) if self.normalizes else vectors


def _unit(vectors: torch.Tensor) -> torch.Tensor:
    return normalize(vectors, dim=1)


def _layer(module: Module, device: str) -> Any:
    if module.type == "Normalize":
        return _unit
    tensors = {name: tensor.float().to(device) for name, tensor in tensors_of(module.folder).items()}
    if module.type == "LayerNorm":
        weight, bias = tensors["norm.weight"], tensors["norm.bias"]
        return lambda vectors: layer_norm(vectors, (len(weight),), weight, bias)
    return _dense(module, tensors)


def _dense(module: Module, tensors: dict[str, torch.Tensor]) -> Any:
    config = module.config
    for name in ("module_input_name", "module_output_name"):
        if (config.get(name) or "sentence_embedding") != "sentence_embedding":
            raise ModelFileError(f"{module.folder}: a Dense whose {name} is {config[name]!r} cannot be read")
    name = str(config.get("activation_function", "Tanh")).rpartition(".")[2]
    if name not in ACTIVATIONS:
        raise ModelFileError(
            f"{module.folder}: the activation {name!r} cannot be read: docmill reads {', '.join(ACTIVATIONS)}"
        )
    activate, weight, bias = ACTIVATIONS[name], tensors["linear.weight"], tensors.get("linear.bias")
    if not config.get("use_residual"):
        return lambda vectors: activate(linear(vectors, weight, bias))
    beside = tensors.get("residual.weight")
    return lambda vectors: (
        activate(linear(vectors, weight, bias)) + (vectors if beside is None else linear(vectors, beside))
    )


def tensors_of(folder: Path) -> dict[str, torch.Tensor]:
    """The weights of a module. ModelFileError if they are missing or damaged."""
    path = weights_of(folder)
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ModelFileError(f"{path} is damaged: {error}") from error


def as_numpy(path: Path) -> dict[str, NDArray[Any]]:
    """The tensors of a file. NumPy has no bfloat16: float32 holds the same numbers."""
    found = load_file(path)
    return {
        name: (each.float() if each.dtype == torch.bfloat16 else each).numpy() for name, each in found.items()
    }


def weights_of(folder: Path) -> Path:
    """The safetensors file of a module. ModelFileError if there is none, or only a pickle."""
    path = folder / WEIGHTS
    if not path.is_file():
        pickled = (folder / "pytorch_model.bin").is_file()
        why = "its weights are a pickle, which could run any code: save it as safetensors" if pickled else ""
        raise ModelFileError(f"{path} is missing{f': {why}' if why else ''}")
    return path
