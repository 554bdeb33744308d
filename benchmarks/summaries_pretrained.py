"""Summaries by a transformers model, compared with a plain loop over `model.generate`: greedy texts and speed.

The models are small untrained BARTs with a tokenizer of whole words, which are made and saved here. On CPU: processor
time of one thread, both sides in turn, the median ratio.

    python -m benchmarks.summaries --data DIR --parts pretrained [--share 0.5]
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import report
from benchmarks.summaries_data import records

FOLDERS = ("ko_throughput_wiki", "en_topic_reuters_r8")
ALONE, WINDOW, WRITTEN, ROUNDS = 48, 1024, 32, 3
Bars = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Mixture:
    """Documents, and the model that reads them."""

    name: str
    documents: int
    #: The least ratio of speeds.
    at_least: float
    folders: tuple[str, ...] = FOLDERS
    window: int = WINDOW
    written: int = WRITTEN
    #: Added to the score of the end token: texts end at different lengths.
    end_bias: float = 0.0
    shape: dict[str, int] = field(default_factory=dict)


MIXTURES = (
    Mixture("mixed lengths", 384, 3),
    Mixture("mixed lengths, texts of 1 to 64 tokens", 384, 3, written=64, end_bias=6.0),
    Mixture("nearly all as long as the window", 192, 2, ("en_news_bbc", "ko_topic_petitions"), 512),
    Mixture("mixed lengths, width 256", 96, 2, shape={"d_model": 256}),
)


def measure(data: Path, seed: int, device: str, share: float = 1.0) -> tuple[dict[str, Any], Bars]:
    """Figures and thresholds; `share` scales the number of documents."""
    import torch

    torch.set_num_threads(1)
    found = {mixture.name: _measure(mixture, data, seed, device, share) for mixture in MIXTURES}
    report.table(
        f"Small BARTs, greedy, {device}",
        [
            "",
            "documents",
            "tokens written",
            "docmill, docs/s",
            "batches of 8",
            "one by one",
            "ratio",
            "identical",
        ],
        [[name, *figures.values()] for name, figures in found.items()],
    )
    bars: Bars = {}
    for mixture in MIXTURES:
        figures = found[mixture.name]
        bars[f"{mixture.name}: times unsorted batches of 8"] = {
            "value": figures["ratio"],
            "at_least": mixture.at_least,
        }
        bars[f"{mixture.name}: texts identical to generate one by one"] = {
            "value": figures["identical"],
            "at_least": 1,
        }
    return found, bars


def _measure(mixture: Mixture, data: Path, seed: int, device: str, share: float) -> dict[str, float]:
    from nlp_tasks.summarization.abstractive import pretrained
    from nlp_tasks.summarization.abstractive.decoding import Decoding

    how = Decoding(beams=1, no_repeat=0, max_tokens=mixture.written)
    texts = _texts(data, seed, mixture.folders, max(round(share * mixture.documents), 8), mixture.window)
    with TemporaryDirectory() as name:
        folder = Path(name)
        _save_bart(folder, texts, seed, mixture.window, mixture.end_bias, **mixture.shape)
        ours = pretrained.open_folder(folder, device)
        runs: list[tuple[float, float]] = []
        written: list[str] = []
        for _ in range(ROUNDS):
            written, seconds = _timed(lambda: ours.summarize(texts, how), device)
            runs.append((seconds, _timed(lambda: _in_order(ours, texts, how, 8), device)[1]))
        alone, of_alone = _timed(lambda: _in_order(ours, texts[:ALONE], how, 1), device)
        tokens = [len(ours.tokenizer(text)["input_ids"]) - 2 for text in written]
    own, theirs = (len(texts) / median(column) for column in zip(*runs, strict=True))
    return {
        "documents": len(texts),
        "tokens": sum(tokens) / len(tokens),
        "docs_a_second": own,
        "batches_of_8": theirs,
        "one_by_one": len(alone) / of_alone,
        "ratio": median(batches / seconds for seconds, batches in runs),
        "identical": sum(a == b for a, b in zip(written, alone, strict=False)) / len(alone),
    }


def _texts(
    data: Path,
    seed: int,
    folders: tuple[str, ...] = FOLDERS,
    n: int = 384,
    window: int = WINDOW,
) -> list[str]:
    """Documents in random order, of any length up to the model's window."""
    found = [
        _cut(record["text"], window)
        for folder in folders
        for record in islice(records(data, folder, seed), n // len(folders))
    ]
    random.Random(seed).shuffle(found)
    return found


def _cut(text: str, window: int) -> str:
    """The text, truncated to the number of words and marks that fit into the window."""
    pieces = _pieces(text)
    return text if len(pieces) <= window - 2 else text[: pieces[window - 2][1][0]]


def _pieces(text: str) -> list[tuple[str, tuple[int, int]]]:
    import tokenizers

    return list(tokenizers.pre_tokenizers.Whitespace().pre_tokenize_str(text))


def _save_bart(
    folder: Path, texts: list[str], seed: int, window: int = WINDOW, end_bias: float = 0.0, **shape: int
) -> None:
    """A small BART, or one of another shape."""
    import tokenizers
    import torch
    import transformers

    counts = Counter(word for text in texts for word, _ in _pieces(text))
    words = ["<s>", "<pad>", "</s>", "<unk>", *(word for word, _ in counts.most_common(8_000))]
    backend = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>")
    )
    backend.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    backend.post_processor = tokenizers.processors.TemplateProcessing(
        "<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    special = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, model_max_length=window, **special
    ).save_pretrained(folder)
    torch.manual_seed(seed)
    small = {
        "d_model": 128, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4,
        "decoder_attention_heads": 4, "encoder_ffn_dim": 512, "decoder_ffn_dim": 512,
    }  # fmt: skip
    config = transformers.BartConfig(
        vocab_size=len(words), max_position_embeddings=window, init_std=0.2, **(small | shape)
    )
    model = transformers.BartForConditionalGeneration(config)
    model.final_logits_bias[0, 2] = end_bias
    model.save_pretrained(folder)


def _in_order(ours: Any, texts: list[str], how: Any, size: int) -> list[str]:
    """A plain loop over `model.generate`, in batches of a fixed size, in the order of the documents."""
    import torch

    written: list[str] = []
    for start in range(0, len(texts), size):
        inputs = ours.tokenizer(texts[start : start + size], padding=True, return_tensors="pt").to(
            ours.device
        )
        with torch.inference_mode():
            ids = ours.model.generate(
                input_ids=inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
                num_beams=1,
                do_sample=False,
                max_new_tokens=how.max_tokens,
            )
        written += ours.tokenizer.batch_decode(ids, skip_special_tokens=True)
    return [text.strip() for text in written]


def _timed(work: Callable[[], list[str]], device: str) -> tuple[list[str], float]:
    clock = time.process_time if device == "cpu" else time.perf_counter
    start = clock()
    written = work()
    return written, clock() - start
