"""What the folder of an encoder says about it: its modules in their order, its prompts, the sort of the model.

Reads JSON only, and imports neither torch nor transformers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from nlp_tasks.errors import ModelFileError

MODULES, PROMPTS = "modules.json", "config_sentence_transformers.json"
#: The files of a transformer module that hold the length of its input, from the newest name to older ones.
LENGTHS = (
    "sentence_bert_config.json", "sentence_roberta_config.json", "sentence_distilbert_config.json",
    "sentence_camembert_config.json", "sentence_albert_config.json", "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
)  # fmt: skip
#: Modules that can be read, by the last part of their type.
KNOWN = ("Transformer", "StaticEmbedding", "Pooling", "Dense", "LayerNorm", "Normalize", "Dropout")
#: Asks for no prompt at all.
NO_PROMPT = "none"


@dataclass(frozen=True)
class Module:
    """One step from a text to its vector."""

    #: One of KNOWN.
    type: str
    folder: Path
    #: Its own configuration; empty if it has none.
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Description:
    """An encoder, as its folder describes it."""

    folder: Path
    #: The first one reads texts.
    modules: tuple[Module, ...]
    #: Named texts that stand before a text: {"query": "query: "}.
    prompts: Mapping[str, str]
    #: The name of the prompt that is used unless another one is asked for.
    default_prompt: str | None
    #: What the model is compared by: "cosine", "dot", "euclidean" or "manhattan".
    similarity: str

    @property
    def is_static(self) -> bool:
        """Whether the vectors of tokens do not depend on other tokens."""
        return self.modules[0].type == "StaticEmbedding"

    def prompt(self, asked: str = "") -> str:
        """The text before each text: of the prompt of this name, else these words themselves; the default prompt's if
        nothing was asked for."""
        if not asked:
            return self.prompts.get(self.default_prompt or "", "")
        return self.prompts.get(asked, "" if asked == NO_PROMPT else asked)


def read(folder: Path) -> Description:
    """The description of a folder. ModelFileError names the file that is missing or says something else."""
    settings = _json(folder / PROMPTS) if (folder / PROMPTS).is_file() else {}
    named = settings.get("prompts") or {} if isinstance(settings, dict) else None
    if not isinstance(named, dict):
        raise ModelFileError(f"{folder / PROMPTS} is damaged: prompts must be texts by their names")
    # Many models name prompts that are empty: asked for by name, they stand for nothing.
    prompts = {str(name): str(text or "") for name, text in named.items()}
    default = settings.get("default_prompt_name")
    if default is not None and default not in prompts:
        default = None
    return Description(
        folder, _modules(folder), prompts, default, str(settings.get("similarity_fn_name") or "cosine")
    )


def is_model2vec(config: Mapping[str, Any]) -> bool:
    """Whether a config.json is one of model2vec, which reads texts a little differently than sentence-transformers."""
    return config.get("model_type") == "model2vec" or "StaticModel" in (config.get("architectures") or ())


def _modules(folder: Path) -> tuple[Module, ...]:
    if (folder / MODULES).is_file():
        listed = _json(folder / MODULES)
        if not isinstance(listed, list) or not listed:
            raise ModelFileError(f"{folder / MODULES} lists no modules")
        found = tuple(_module(folder, each) for each in listed)
        return _checked(folder, found)
    config = _json(folder / "config.json")
    if is_model2vec(config):
        static = Module("StaticEmbedding", folder, config)
        return (static, Module("Normalize", folder)) if config.get("normalize") else (static,)
    # As sentence-transformers reads a folder without modules.
    return Module("Transformer", folder), Module("Pooling", folder, {"pooling_mode": "mean"})


def _module(folder: Path, listed: Mapping[str, Any]) -> Module:
    path = PurePosixPath(str(listed.get("path", "")))
    if path.is_absolute() or ".." in path.parts:
        raise ModelFileError(f"{folder / MODULES}: the path {str(path)!r} leaves the folder")
    kind = str(listed.get("type", "")).rpartition(".")[2]
    if kind not in KNOWN:
        raise ModelFileError(
            f"{folder / MODULES}: the module {listed.get('type')!r} cannot be read: docmill reads {', '.join(KNOWN)}"
        )
    inner = folder / path
    names = LENGTHS if kind == "Transformer" else ("config.json",)
    config: dict[str, Any] = next((_json(inner / name) for name in names if (inner / name).is_file()), {})
    return Module(kind, inner, config)


def _checked(folder: Path, modules: tuple[Module, ...]) -> tuple[Module, ...]:
    types = [module.type for module in modules]
    if types[0] not in ("Transformer", "StaticEmbedding"):
        raise ModelFileError(f"{folder / MODULES}: the first module is {types[0]}, which reads no texts")
    if types[0] == "Transformer" and types[1:2] != ["Pooling"]:
        raise ModelFileError(
            f"{folder / MODULES}: no Pooling follows the Transformer: the model makes a vector for each token"
        )
    if "Transformer" in types[1:] or "StaticEmbedding" in types[1:] or "Pooling" in types[2:]:
        raise ModelFileError(
            f"{folder / MODULES}: the modules {', '.join(types)} cannot be read in this order"
        )
    return modules


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelFileError(f"{path} is missing: is {path.parent} the folder of a model?") from None
    except ValueError as error:
        raise ModelFileError(f"{path} is damaged: {error}") from error
