"""Models of transformers from a local folder: decoder-only (GPT-2, Llama, Qwen) and encoder-decoder (T5, BART, mBART).

Nothing is downloaded, only safetensors weights are read, and code that comes with a model is never run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from torch import Tensor

from nlp_tasks.errors import DocumentError, ModelFileError
from nlp_tasks.generation import alone, continuous, settings_of_model, shared_places, stopping
from nlp_tasks.generation.choosing import Sampling, choose, seed_of
from nlp_tasks.generation.constraint import Constraint, Follower
from nlp_tasks.generation.continuous import Budget
from nlp_tasks.generation.places import start_of
from nlp_tasks.generation.prompts import Encoded, PromptEncoder
from nlp_tasks.generation.writer import LENGTH, STOP, Prompt, Written
from nlp_tasks.local_transformers import OFFLINE, library
from nlp_tasks.torch_device import weights_type

#: Tokens in the cache, and tokens of prompts that are read in one call.
CACHE_TOKENS = {"cuda": 262_144, "cpu": 32_768}
PROMPT_TOKENS = {"cuda": 16_384, "cpu": 2_048}


@dataclass(frozen=True)
class Decoding:
    """How texts are written."""

    sampling: Sampling = field(default_factory=Sampling)
    seed: int = 0
    max_tokens: int = 128
    stops: tuple[str, ...] = ()
    #: What every text has to be; None for anything.
    constraint: Constraint | None = None


@dataclass
class Text:
    """A text that is being written."""

    prompt: Sequence[int]
    most: int
    key: str
    seed: int
    #: Tokens before the first one written, as the settings of a model count them.
    given: Sequence[int]
    processors: Sequence[settings_of_model.Process] = ()
    constraint: Constraint | None = None
    ids: list[int] = field(default_factory=list)
    reason: str = ""
    random: np.random.Generator = field(init=False)
    follower: Follower | None = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """See continuous.Writing."""
        self.ids, self.reason = [], ""
        self.random = np.random.default_rng(seed_of(self.key, self.seed))
        self.follower = self.constraint.follower(self.most) if self.constraint is not None else None


class LanguageModel:
    """A model with its tokenizer."""

    def __init__(self, model: Any, encoder: PromptEncoder, how: Decoding, device: str) -> None:
        self.model, self.device = model.to(device).eval(), device
        self.encoder, self.how = encoder, how
        where = device.partition(":")[0]
        #: Reduced permanently when the device runs out of memory.
        self.budget = Budget(CACHE_TOKENS[where], PROMPT_TOKENS[where])
        self.places = shared_places.of_model(model, device)
        self._ends = frozenset(settings_of_model.end_tokens(model))
        self._is_forced = model.generation_config.forced_eos_token_id is not None

    def write(
        self, prompts: Sequence[Prompt], beat: Callable[[], None] = lambda: None
    ) -> list[Written | DocumentError]:
        """See writer.Writer."""
        encoded: list[Encoded | DocumentError] = []
        for prompt in prompts:
            beat()
            encoded.append(self._encoded(prompt))
        texts = [
            self._text(prompt.key, found) if isinstance(found, Encoded) else None
            for prompt, found in zip(prompts, encoded, strict=True)
        ]
        self.complete([text for text in texts if text is not None], beat)
        return [
            found if isinstance(found, DocumentError) else self._written(found, text)
            for found, text in zip(encoded, texts, strict=True)
        ]

    def complete(self, texts: Sequence[Text], beat: Callable[[], None] = lambda: None) -> None:
        """Write all these texts."""
        if self.places is None:
            for text in texts:
                alone.write(self.model, text, self._chosen, self.device, beat)
        elif texts:
            continuous.write(self.places, texts, self._chosen, self.budget, beat)

    def _encoded(self, prompt: Prompt) -> Encoded | DocumentError:
        try:
            return self.encoder.encode(prompt, self.how.max_tokens)
        except DocumentError as error:
            return error

    def _text(self, key: str, found: Encoded) -> Text:
        most = min(self.how.max_tokens, found.room)
        given = [start_of(self.model)] if self.encoder.is_seq2seq else found.ids
        processors = (
            settings_of_model.processors(self.model, len(given), most, self.device)
            if self.places is not None
            else ()  # `generate`, which writes each text alone, does the same
        )
        return Text(found.ids, most, key, self.how.seed, given, processors, self.how.constraint)

    def _chosen(self, scores: Tensor, texts: Sequence[Any]) -> list[tuple[int, bool]]:
        """The next token of each text."""
        scores = scores.float()
        for row, text in enumerate(texts):
            settings_of_model.process(text.processors, text.given, text.ids, scores[row : row + 1])
            if text.follower is not None:
                text.follower.restrict(scores[row], text.most - len(text.ids))
        ids = choose(scores, self.how.sampling, [text.random for text in texts])
        return [(id_, self._add(text, id_)) for text, id_ in zip(texts, ids, strict=True)]

    def _add(self, text: Text, id_: int) -> bool:
        """Add a token; whether the text is finished with it."""
        if id_ in self._ends:
            # Some models are made to end when they have no tokens left.
            text.reason = LENGTH if self._is_forced and len(text.ids) + 1 >= text.most else STOP
        else:
            text.ids.append(id_)
            if (text.follower is not None and text.follower.has_ended(id_)) or stopping.has_stopped(
                text.ids, self.how.stops, self.encoder.decode
            ):
                text.reason = STOP
            elif len(text.ids) >= text.most:
                text.reason = LENGTH
        return bool(text.reason)

    def _written(self, found: Encoded, text: Text | None) -> Written | DocumentError:
        assert text is not None
        said = stopping.before(self.encoder.decode(text.ids), self.how.stops)
        reason = text.reason
        if text.follower is not None:
            if not text.follower.is_complete:
                return DocumentError(
                    "ANSWER_CUT",
                    f"no answer that the schema allows fits into {text.most} tokens: raise max_tokens",
                )
            said, reason = text.follower.text, LENGTH if text.follower.was_short else STOP
        return Written(said, reason, len(found.ids), len(text.ids), found.n_cut_chars)


def open_folder(
    folder: Path,
    encoder_of: Callable[[Any, Any], PromptEncoder],
    how: Callable[[Any, int], Decoding],
    device: str,
) -> LanguageModel:
    """The model of a local folder, in 16 bits on a GPU; ModelFileError if it cannot be read. `encoder_of` makes the
    encoder of prompts from the tokenizer and the model's config, `how` the decoding from the tokenizer and the size of
    the vocabulary."""
    transformers = library("generate", ModelFileError)
    if not (folder / "config.json").is_file():
        raise ModelFileError(
            f"no config.json in {folder}: `model` must be a folder on this machine with a transformers model"
        )
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **OFFLINE)
        config = transformers.AutoConfig.from_pretrained(folder, **OFFLINE)
        auto = (
            transformers.AutoModelForSeq2SeqLM
            if config.is_encoder_decoder
            else transformers.AutoModelForCausalLM
        )
        model = auto.from_pretrained(folder, use_safetensors=True, dtype=weights_type(device), **OFFLINE)
    except (OSError, ValueError, KeyError, ImportError, SafetensorError) as error:
        raise ModelFileError(f"transformers cannot read {folder}: {error}") from error
    head = model.get_output_embeddings()
    n_scores = config.vocab_size if head is None else head.weight.shape[0]
    return LanguageModel(model, encoder_of(tokenizer, config), how(tokenizer, n_scores), device)
