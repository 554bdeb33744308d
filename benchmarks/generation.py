"""Texts by language models, compared with `generate` of transformers: same weights, same documents, same tokens.

    python -m benchmarks.generation [--documents 96] [--device cpu]

The models have six layers of width 256 and random weights, which do not affect the speed. Prompts have 8 to 250 tokens,
texts 4 to 120, in random order. The peer writes unsorted batches of eight, padded on the left, and stops when the last
row of a batch has ended. On a CPU, times are CPU seconds of one thread, of both sides
in turn. Answers with a schema are checked with the package jsonschema.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import torch

from benchmarks import report
from nlp_tasks.errors import DocumentError
from nlp_tasks.generation import GENERATE, GenerateParameters
from nlp_tasks.generation.language_model import LanguageModel, Text
from nlp_tasks.kind import Document, Setup
from tests import language_models

#: The peer's batch, and the least ratio of speeds; the goal is 3.
BATCH, LEAST_RATIO = 8, 2.0
ROUNDS = 3
VOCABULARY = 8_000
_SPECIAL = {"eos_token_id": 0, "pad_token_id": 1, "bos_token_id": 2}
_DECODER = {
    "hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 6, "num_attention_heads": 8,
    "num_key_value_heads": 4, "max_position_embeddings": 512, "initializer_range": 0.1, "vocab_size": VOCABULARY,
}  # fmt: skip
_BART = {
    "d_model": 256, "encoder_layers": 6, "decoder_layers": 6, "encoder_attention_heads": 8,
    "decoder_attention_heads": 8, "encoder_ffn_dim": 1024, "decoder_ffn_dim": 1024, "max_position_embeddings": 512,
    "init_std": 0.1, "vocab_size": VOCABULARY, "forced_eos_token_id": None,
}  # fmt: skip
SHAPES: dict[str, dict[str, Any]] = {
    "llama": _DECODER,
    "gpt2": {"n_embd": 256, "n_layer": 6, "n_head": 8, "n_positions": 512, "vocab_size": VOCABULARY},
    "t5": {
        "d_model": 256,
        "d_kv": 32,
        "d_ff": 1024,
        "num_layers": 6,
        "num_heads": 8,
        "vocab_size": VOCABULARY,
    },
    "bart": _BART,
}
SCHEMAS: list[dict[str, Any]] = [
    {
        "type": "object",
        "properties": {
            "topic": {"enum": ["economy", "politics", "culture", "스포츠"]},
            "summary": {"type": "string", "maxLength": 40},
            "amount": {"type": ["number", "null"], "minimum": 0, "maximum": 1_000_000},
            "people": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"name": {"type": "string", "maxLength": 10}, "age": {"type": "integer"}},
                    "required": ["name"],
                },
                "maxItems": 3,
            },
            "sure": {"type": "boolean"},
        },
        "required": ["topic", "summary", "people", "sure"],
    },
    {"type": "array", "items": {"type": "integer", "minimum": -5, "maximum": 1_000}, "minItems": 1, "maxItems": 6},
    {"enum": ["yes", "no", "unknown"]},
    {
        "type": "object",
        "properties": {"score": {"type": "number", "minimum": 0.25, "maximum": 0.75}, "why": {"type": "string"}},
        "required": ["score"],
    },
]  # fmt: skip


def main() -> None:
    """Measure, print, and exit with 1 if a threshold is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=96)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(report.machine())
    figures: dict[str, Any] = {"documents": arguments.documents, "device": arguments.device}
    bars: dict[str, dict[str, float]] = {}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for arch, shape in SHAPES.items():
            found = _speed(Path(folder) / arch, arch, shape, arguments.documents, arguments.device)
            rows.append([arch, found["ours"], found["theirs"], found["ratio"], found["identical"]])
            figures[arch] = found
            bars[f"{arch}: times the documents a second of batches of {BATCH}"] = {
                "value": found["ratio"],
                "at_least": LEAST_RATIO,
            }
            bars[f"{arch}: share of texts with the tokens of generate alone"] = {
                "value": found["identical"],
                "at_least": 1.0,
            }
        figures["schema"] = _schemas(Path(folder) / "llama", arguments.device)
    title = f"{arguments.documents} documents of mixed lengths"
    report.table(title, ["", "docmill, docs/s", f"generate, batches of {BATCH}", "ratio", "identical"], rows)
    bars["share of answers that their schema allows"] = {"value": figures["schema"]["valid"], "at_least": 1.0}
    report.end(figures, bars)


def _speed(folder: Path, arch: str, shape: dict[str, Any], n: int, device: str) -> dict[str, float]:
    folder.mkdir()
    special = {name: value for name, value in _SPECIAL.items() if arch != "t5" or name != "bos_token_id"}
    language_models.save(folder, arch, **special, **shape)
    writer = _writer(folder, device)
    prompts, lengths = _documents(n)
    # Texts end where the benchmark says, on both sides.
    writer._ends = frozenset()
    writer.model.generation_config.eos_token_id = None
    runs, written = [], []
    for _ in range(ROUNDS):
        ours, written = _timed(lambda: _ours(writer, prompts, lengths), device)
        theirs, _ = _timed(lambda: _theirs(writer, prompts, lengths), device)
        runs.append((ours, theirs))
    alone = [_batch(writer, [p], [length])[0] for p, length in zip(prompts, lengths, strict=True)]
    return {
        "ours": n / float(np.median([one for one, _ in runs])),
        "theirs": n / float(np.median([one for _, one in runs])),
        "ratio": float(np.median([theirs / ours for ours, theirs in runs])),
        "identical": float(np.mean([a == b for a, b in zip(written, alone, strict=True)])),
    }


def _writer(folder: Path, device: str, **parameters: Any) -> LanguageModel:
    chosen = GenerateParameters(model=str(folder), **parameters)
    stage: Any = GENERATE.stages[0].open(Setup(parameters=chosen, device=device))
    return stage._writer  # type: ignore[no-any-return]


def _documents(n: int) -> tuple[list[list[int]], list[int]]:
    """Tokens of prompts, and the lengths of texts."""
    random = np.random.default_rng(0)
    sizes = np.clip(random.lognormal(4, 0.9, n), 8, 250).astype(int)
    lengths = np.clip(random.lognormal(3.3, 0.8, n), 4, 120).astype(int)
    prompts = [random.integers(3, VOCABULARY, size).tolist() for size in sizes]
    return prompts, lengths.tolist()


def _ours(writer: LanguageModel, prompts: Sequence[list[int]], lengths: Sequence[int]) -> list[list[int]]:
    texts = [
        Text(prompt, length, str(number), 0, prompt)
        for number, (prompt, length) in enumerate(zip(prompts, lengths, strict=True))
    ]
    writer.complete(texts)
    return [text.ids for text in texts]


def _theirs(writer: LanguageModel, prompts: Sequence[list[int]], lengths: Sequence[int]) -> list[list[int]]:
    found: list[list[int]] = []
    for start in range(0, len(prompts), BATCH):
        found += _batch(writer, prompts[start : start + BATCH], lengths[start : start + BATCH])
    return found


def _batch(writer: LanguageModel, prompts: Sequence[list[int]], lengths: Sequence[int]) -> list[list[int]]:
    from transformers import StoppingCriteriaList

    longest = max(map(len, prompts))
    ids = torch.tensor([[1] * (longest - len(p)) + p for p in prompts], device=writer.device)
    seen = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts], device=writer.device)
    ends = torch.tensor(lengths, device=writer.device)
    before = 1 if writer.encoder.is_seq2seq else longest

    def ended(written: torch.Tensor, _: Any, **__: Any) -> torch.Tensor:
        return written.shape[1] - before >= ends

    with torch.inference_mode():
        found = writer.model.generate(
            input_ids=ids, attention_mask=seen, do_sample=False, num_beams=1, max_new_tokens=max(lengths),
            max_length=None, stopping_criteria=StoppingCriteriaList([ended]), pad_token_id=1,
        )  # fmt: skip
    return [row[before : before + length] for row, length in zip(found.tolist(), lengths, strict=True)]


def _timed(run: Callable[[], list[list[int]]], device: str) -> tuple[float, list[list[int]]]:
    clock = time.process_time if device == "cpu" else time.perf_counter
    start = clock()
    found = run()
    return clock() - start, found


def _schemas(folder: Path, device: str, n: int = 40) -> dict[str, float]:
    """Answers of an untrained model, which writes whatever it is allowed to, with few tokens and with many."""
    documents = [
        Document(number, f"k{number}", "the bank raised rates " * number) for number in range(1, n + 1)
    ]
    n_valid = n_answers = 0
    started = time.process_time()
    for schema in SCHEMAS:
        for most, temperature in ((120, 0.0), (120, 1.0), (240, 1.5)):
            parameters = GenerateParameters(
                model=str(folder), schema=json.dumps(schema), max_tokens=most, temperature=temperature
            )
            found = GENERATE.stages[0].open(Setup(parameters=parameters, device=device)).run(documents)
            n_answers += len(found)
            n_valid += sum(_is_valid(result, schema) for result in found)
    return {"answers": n_answers, "valid": n_valid / n_answers, "seconds": time.process_time() - started}


def _is_valid(result: Any, schema: dict[str, Any]) -> bool:
    if isinstance(result, DocumentError):
        print(f"an error instead of an answer: {result}")
        return False
    try:
        jsonschema.validate(json.loads(result[0].text), schema)
    except (ValueError, jsonschema.ValidationError) as error:
        print(f"not valid: {result[0].text[:200]!r}: {error}")
        return False
    return True


if __name__ == "__main__":
    main()
