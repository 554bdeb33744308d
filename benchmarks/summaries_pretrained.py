"""Summaries by a transformers model, compared with a plain loop over `model.generate`: greedy texts and speed.

The model is a small untrained BART with a tokenizer of whole words, which is made and saved here. The documents fit
into its window. CPU time of one thread, both sides in turn.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import report
from benchmarks.summaries_data import records

FOLDERS = ("ko_throughput_wiki", "en_topic_reuters_r8")
DOCUMENTS, ALONE, WINDOW, WRITTEN, ROUNDS = 384, 96, 1024, 32, 2
Bars = dict[str, dict[str, float]]


def measure(data: Path, seed: int, device: str) -> tuple[dict[str, Any], Bars]:
    """Figures and thresholds."""
    import torch

    from nlp_tasks.summarization.abstractive import pretrained
    from nlp_tasks.summarization.abstractive.decoding import Decoding

    torch.set_num_threads(1)
    how = Decoding(beams=1, no_repeat=0, max_tokens=WRITTEN)
    texts = _texts(data, seed)
    with TemporaryDirectory() as name:
        folder = Path(name)
        _save_bart(folder, texts, seed)
        ours = pretrained.open_folder(folder, device)
        work = {
            "docmill": lambda: ours.summarize(texts, how),
            "batches of 8": lambda: _in_order(ours, texts, how, 8),
            "one by one": lambda: _in_order(ours, texts[:ALONE], how, 1),
        }
        found = {name: _timed(do) for name, do in work.items()}
        best = {name: seconds for name, (_, seconds) in found.items()}
        for name in ("docmill", "batches of 8") * (ROUNDS - 1):
            best[name] = min(best[name], _timed(work[name])[1])
    best["one by one"] *= len(texts) / ALONE
    alone = found["one by one"][0]
    same = sum(a == b for a, b in zip(found["docmill"][0], alone, strict=False)) / len(alone)
    report.table(
        f"A small BART, {len(texts)} documents, greedy, {WRITTEN} tokens written, {device}",
        ["", "documents/s", "times batches of 8"],
        [[name, len(texts) / s, best["batches of 8"] / s] for name, s in best.items()],
    )
    ratio = best["batches of 8"] / best["docmill"]
    bars: Bars = {
        "greedy texts identical to generate one by one": {"value": same, "at_least": 1},
        "transformers, times unsorted batches of 8": {"value": ratio, "at_least": 2},
    }
    return {"seconds": best, "identical": same, "ratio": ratio, "documents": len(texts)}, bars


def _texts(data: Path, seed: int) -> list[str]:
    """Documents of both languages in random order, of any length up to the model's window."""
    found = [
        _cut(record["text"])
        for folder in FOLDERS
        for record in islice(records(data, folder, seed), DOCUMENTS // len(FOLDERS))
    ]
    random.Random(seed).shuffle(found)
    return found


def _cut(text: str) -> str:
    """The text, truncated to the number of words and marks that fit into the window."""
    pieces = _pieces(text)
    return text if len(pieces) <= WINDOW - 2 else text[: pieces[WINDOW - 2][1][0]]


def _pieces(text: str) -> list[tuple[str, tuple[int, int]]]:
    import tokenizers

    return list(tokenizers.pre_tokenizers.Whitespace().pre_tokenize_str(text))


def _save_bart(folder: Path, texts: list[str], seed: int, **shape: int) -> None:
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
        tokenizer_object=backend, model_max_length=WINDOW, **special
    ).save_pretrained(folder)
    torch.manual_seed(seed)
    small = {
        "d_model": 128, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4,
        "decoder_attention_heads": 4, "encoder_ffn_dim": 512, "decoder_ffn_dim": 512,
    }  # fmt: skip
    config = transformers.BartConfig(
        vocab_size=len(words), max_position_embeddings=WINDOW, init_std=0.2, **(small | shape)
    )
    transformers.BartForConditionalGeneration(config).save_pretrained(folder)


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


def _timed(work: Callable[[], list[str]]) -> tuple[list[str], float]:
    start = time.process_time()
    written = work()
    return written, time.process_time() - start
