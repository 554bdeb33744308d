"""Trains docmill's own summarizer on documents whose label is their summary, and measures it.

Teacher forcing, AdamW with a linear warm-up and decay. The best epoch is the one with the highest ROUGE-L of greedy
decoding on the validation set (`tune_rouge_l` in evaluation.json). The held-out set is used once, at the end. The same
documents, parameters and seed give the same model on the same machine.
"""

from __future__ import annotations

import copy
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from torch import Tensor, nn

from nlp_tasks import model_files, sentences, training_curve
from nlp_tasks.batching import shuffled
from nlp_tasks.errors import TrainingError
from nlp_tasks.evaluation.rouge import rouge, rouge_tokens
from nlp_tasks.kind import Document, Documents, Progress
from nlp_tasks.summarization.abstractive import TrainSummarizerParameters, embeddings, encoder_input, subwords
from nlp_tasks.summarization.abstractive.decoding import Decoding
from nlp_tasks.summarization.abstractive.encoder_input import Source
from nlp_tasks.summarization.abstractive.model import OwnSummarizer
from nlp_tasks.summarization.abstractive.network import Network, Size
from nlp_tasks.summarization.abstractive.subwords import BEGIN, END, PAD, UNKNOWN, Subwords
from nlp_tasks.torch_device import mixed_precision, seeded

EVALUATION = "evaluation.json"
#: The number of merged tokens, beside single characters.
N_MERGES = 6_000
#: With fewer pairs the network only memorises them.
FEWEST_PAIRS = 20
#: Longer summaries are truncated: this model is for headlines and short abstracts.
TARGET_TOKENS = 60
#: The maximum size of the validation set, and its maximum share of the pairs.
VALIDATION_PAIRS, VALIDATION_SHARE = 150, 0.1
#: Batches whose pairs are sorted by length together.
SORTED_TOGETHER = 20
EPOCHS, BATCH_PAIRS, LEARNING_RATE, WARM_UP = 6, 32, 2e-3, 0.05
#: Share of the input tokens of the decoder that are masked in training, so that it relies on the document.
HIDDEN = 0.15


@dataclass(frozen=True)
class Pair:
    """A document and its summary, encoded for the network."""

    source: Source
    target: list[int]


@dataclass(frozen=True)
class Parts:
    """The documents, divided into three sets."""

    fit: list[Document]
    validation: list[Document]
    held_out: list[Document]


def train(
    documents: Documents,
    parameters: TrainSummarizerParameters,
    device: str,
    model_dir: Path,
    progress: Progress,
) -> dict[str, float]:
    """See kind.Train. Writes the model and evaluation.json into the folder, and seals it."""
    started = time.perf_counter()
    parts = divide(documents, parameters.held_out)

    def preparing() -> None:
        progress(0, 1, "splitting texts into tokens")

    vocabulary = subwords.learn(_texts(parts.fit), N_MERGES, preparing)
    pairs = [_pair(document, vocabulary, preparing) for document in parts.fit]
    size = Size(len(vocabulary), parameters.width)
    with seeded(parameters.seed, device):
        summarizer = OwnSummarizer(Network(size), size, vocabulary, device)
        embeddings.learn(summarizer.network.tokens, parts.fit, vocabulary, parameters.seed, progress)
        epochs = _fit(summarizer, pairs, parts.validation, parameters, progress)
    summarizer.save(model_dir)
    figures = _measure(summarizer, parts.held_out, lambda: progress(1, 1, "measuring"))
    best = max(epochs, key=lambda epoch: epoch["tune_rouge_l"])
    figures |= {"training_loss": best["loss"], "best_epoch": best["epoch"], "n_documents": float(len(pairs))}
    figures["seconds_to_train"] = time.perf_counter() - started
    evaluation = json.dumps({"epochs": epochs, **figures}, indent=1)
    (model_dir / EVALUATION).write_text(evaluation, encoding="utf-8")
    model_files.seal(model_dir)
    return figures


def divide(documents: Documents, share: float) -> Parts:
    """Divide the documents by a hash of their keys, so that most documents stay in their set when others are added."""
    usable = [one for one in documents if one.label and one.label.strip() and one.text.strip()]
    if len(usable) < FEWEST_PAIRS:
        raise TrainingError(
            f"{len(usable)} documents have a text and a summary (their label): at least {FEWEST_PAIRS} are needed, and "
            "about a thousand for useful results; docmill add --label-field NAME says which field is the summary"
        )
    ranked = sorted(usable, key=lambda one: (_rank(one.key), one.key))
    n_held_out = max(1, round(share * len(ranked)))
    n_validation = max(1, min(VALIDATION_PAIRS, round(VALIDATION_SHARE * len(ranked))))
    held_out, tune, fit = np.split(np.arange(len(ranked)), [n_held_out, n_held_out + n_validation])
    by_id = [
        sorted((ranked[place] for place in part), key=lambda one: one.id) for part in (fit, tune, held_out)
    ]
    return Parts(*by_id)


def _fit(
    summarizer: OwnSummarizer,
    pairs: Sequence[Pair],
    validation: Sequence[Document],
    parameters: TrainSummarizerParameters,
    progress: Progress,
) -> list[dict[str, float]]:
    """Train the network in place; returns the figures of each epoch."""
    network, device = summarizer.network, summarizer.device
    n_epochs = parameters.epochs or EPOCHS
    total = n_epochs * -(-len(pairs) // BATCH_PAIRS)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda done: min((done + 1) / (WARM_UP * total), (total - done) / (total * (1 - WARM_UP)))
    )
    random = np.random.default_rng(parameters.seed)
    lengths = np.array([len(pair.source) for pair in pairs])
    best, best_state, figures, note, done = -1.0, network.state_dict(), [], "", 0
    for epoch in range(1, n_epochs + 1):
        network.train()
        sums = np.zeros(2)  # of losses, and of tokens
        for chosen in shuffled(lengths, BATCH_PAIRS, random, SORTED_TOGETHER):
            losses, n = _step(network, [pairs[index] for index in chosen], random, device)
            (losses / n).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            done += 1
            sums += (float(losses.detach()), n)
            progress(done, total, f"epoch {epoch} of {n_epochs}, loss {sums[0] / sums[1]:.3f}{note}")
        tuned = scores(
            summarizer, validation, Decoding(beams=1), partial(progress, done, total, "validating")
        )[2]
        loss = float(sums[0] / sums[1])
        figures.append({"epoch": float(epoch), "loss": loss, "tune_rouge_l": tuned})
        training_curve.record(epoch, loss=loss, validation_rouge_l=tuned)
        note = f", validation ROUGE-L {tuned:.1f}"
        if tuned > best:
            best, best_state = tuned, copy.deepcopy(network.state_dict())
    network.load_state_dict(best_state)
    network.eval()
    return figures


def scores(
    summarizer: OwnSummarizer, documents: Sequence[Document], how: Decoding, beat: Callable[[], None]
) -> tuple[float, float, float]:
    """Mean ROUGE-1, ROUGE-2 and ROUGE-L of the summaries of the documents, against their labels."""
    written = summarizer.summarize([document.text for document in documents], how, beat=beat)
    return _means([rouge_tokens(text) for text in written], documents)


def _measure(
    summarizer: OwnSummarizer, documents: Sequence[Document], beat: Callable[[], None]
) -> dict[str, float]:
    """ROUGE of the model; and of the first sentence of each document, truncated to the length of the summary."""
    written = summarizer.summarize([document.text for document in documents], Decoding(), beat=beat)
    ours = [rouge_tokens(text) for text in written]
    leads = [
        _first_sentence(document.text)[: len(own)] for document, own in zip(documents, ours, strict=True)
    ]
    names = ("rouge_1", "rouge_2", "rouge_l")
    figures = dict(zip(names, _means(ours, documents), strict=True))
    figures |= dict(zip((f"lead_{name}" for name in names), _means(leads, documents), strict=True))
    return figures | {"n_held_out": float(len(documents))}


def _means(written: Sequence[Sequence[str]], documents: Sequence[Document]) -> tuple[float, float, float]:
    of_each = [
        rouge(tokens, rouge_tokens(document.label or ""))
        for tokens, document in zip(written, documents, strict=True)
    ]
    one, two, longest = (fmean(column) for column in zip(*of_each, strict=True))
    return one, two, longest


def _first_sentence(text: str) -> list[str]:
    start, end = sentences.split(text)[0]
    return rouge_tokens(text[start:end])


def _step(
    network: Network, pairs: Sequence[Pair], random: np.random.Generator, device: str
) -> tuple[Tensor, int]:
    """The sum of the losses of a batch, and the number of tokens."""
    batch = encoder_input.batch([pair.source for pair in pairs], device)
    longest = max(len(pair.target) for pair in pairs) + 1
    given = np.full((len(pairs), longest), PAD, np.int64)
    wanted = np.full((len(pairs), longest), PAD, np.int64)
    for row, pair in enumerate(pairs):
        given[row, : len(pair.target) + 1] = [BEGIN, *pair.target]
        wanted[row, : len(pair.target) + 1] = [*pair.target, END]
    hidden = random.random(given.shape) < HIDDEN
    given = np.where(hidden & (given > UNKNOWN), UNKNOWN, given)
    with mixed_precision(device):
        losses = network.losses(
            batch, torch.from_numpy(given).to(device), torch.from_numpy(wanted).to(device)
        )
    return losses.float().sum(), int((wanted != PAD).sum())


def _pair(document: Document, vocabulary: Subwords, beat: Callable[[], None]) -> Pair:
    beat()
    target = vocabulary.encode(document.label or "")[:TARGET_TOKENS]
    return Pair(encoder_input.read(document.text, vocabulary), target)


def _texts(documents: Sequence[Document]) -> Iterator[str]:
    for document in documents:
        yield document.text
        yield document.label or ""


def _rank(key: str) -> bytes:
    return hashlib.blake2b(f"held-out\0{key}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
