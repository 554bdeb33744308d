"""Labelling with a transformers model, compared with the pipeline of transformers: same weights, same documents.

    pip install transformers
    python -m benchmarks.classification_pretrained --data DIR [--documents 400]

The model has the shape of KoELECTRA-small and random weights, which do not affect the speed; its tokenizer is trained
on the documents. These are short reviews and petitions of mixed length, in random order, none longer than the model's
input (the pipeline would truncate it). Times are CPU seconds of one thread, of both sides in turn.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import classification_data, report
from nlp_tasks.classification.transformers.pretrained import PretrainedClassifier, cut

#: Shares of short reviews and of petitions; and the maximum length of a petition in characters.
SETS, LONGEST = {"ko_sentiment_nsmc": 0.6, "ko_topic_petitions": 0.4}, 700
VOCABULARY, TOKENS = 8_000, 512
#: The batch size of the pipeline, and the minimum ratio of speeds (issue 5).
BATCH, LEAST_RATIO = 32, 2.0
ROUNDS = 3


def main() -> None:
    """Measure, print, and exit with 1 if a threshold is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=400)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(report.machine())
    texts = _texts(arguments.data, arguments.documents)
    classifier = _classifier(texts)
    texts = [texts[place] for place in _read_at_once(classifier, texts)]
    pipeline = _pipeline(classifier)

    def ours() -> list[str]:
        labels = classifier.model.config.id2label
        return [labels[int(place)] for place in classifier.logits(texts, lambda: None).argmax(axis=1)]

    def theirs() -> list[str]:
        return [
            found["label"] for found in pipeline(texts, batch_size=BATCH, truncation=True, max_length=TOKENS)
        ]

    runs: list[tuple[float, float]] = []
    equal = 1.0
    for _ in range(ROUNDS):
        (seconds, mine), (their_seconds, them) = _timed(ours), _timed(theirs)
        runs.append((seconds, their_seconds))
        equal = min(equal, float(np.mean([a == b for a, b in zip(mine, them, strict=True)])))
    ratio = float(np.median([theirs_ / ours_ for ours_, theirs_ in runs]))
    rows = [
        ["docmill", len(texts) / float(np.median([run[0] for run in runs]))],
        [f"transformers' pipeline, batch {BATCH}", len(texts) / float(np.median([run[1] for run in runs]))],
    ]
    report.table(f"{len(texts)} documents of mixed length", ["", "documents/s"], rows)
    figures = {"documents": len(texts), "documents_per_second": {str(name): speed for name, speed in rows}}
    bars = {
        "times the pipeline's documents a second": {"value": ratio, "at_least": LEAST_RATIO},
        "share of equal predictions": {"value": equal, "at_least": 1.0},
    }
    report.end(figures, bars)


def _timed(run: Callable[[], list[str]]) -> tuple[float, list[str]]:
    start = time.process_time()
    found = run()
    return time.process_time() - start, found


def _texts(folder: Path, n: int) -> list[str]:
    random = np.random.default_rng(0)
    texts: list[str] = []
    for name, share in SETS.items():
        usable = [d.text for d in classification_data.load(folder, name) if len(d.text) <= LONGEST]
        texts += [usable[place] for place in random.choice(len(usable), int(n * share), replace=False)]
    return [texts[place] for place in random.permutation(len(texts))]


def _classifier(texts: list[str], **shape: int) -> PretrainedClassifier:
    """Of the shape of KoELECTRA-small, or another one."""
    import tokenizers
    import transformers  # type: ignore[import-not-found, unused-ignore]

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    backend = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token="[UNK]"))
    backend.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    trainer = tokenizers.trainers.WordPieceTrainer(
        vocab_size=VOCABULARY, special_tokens=special, show_progress=False
    )
    backend.train_from_iterator(texts, trainer)
    backend.post_processor = tokenizers.processors.TemplateProcessing(
        "[CLS] $A [SEP]", special_tokens=[(name, special.index(name)) for name in ("[CLS]", "[SEP]")]
    )
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        model_max_length=TOKENS,
    )  # fmt: skip
    small = {
        "embedding_size": 128, "hidden_size": 256, "num_hidden_layers": 12, "num_attention_heads": 4,
        "intermediate_size": 1024,
    }  # fmt: skip
    config = transformers.ElectraConfig(
        vocab_size=backend.get_vocab_size(), max_position_embeddings=TOKENS, num_labels=7, **(small | shape)
    )
    torch.manual_seed(0)
    model = transformers.ElectraForSequenceClassification(config).eval()
    return PretrainedClassifier(model, tokenizer, "cpu")


def _pipeline(classifier: PretrainedClassifier) -> Any:
    import transformers

    return transformers.pipeline(
        "text-classification", model=classifier.model, tokenizer=classifier.tokenizer, device="cpu"
    )


def _read_at_once(classifier: PretrainedClassifier, texts: list[str]) -> list[int]:
    """The texts that fit into one window."""
    owner = cut(classifier.tokenizer, classifier.model.config, texts).owner
    return [int(place) for place in np.flatnonzero(np.bincount(owner) == 1)]


if __name__ == "__main__":
    main()
