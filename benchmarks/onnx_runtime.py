"""Neural models on a CPU by torch, by ONNX Runtime, and by ONNX Runtime with weights of 8 bits.

    python -m benchmarks.onnx_runtime [--texts 60] [--rounds 5] [--only encoder cnn ...]

Models have random weights and a realistic size: transformers are of MiniLM's (6 layers, 384 wide), networks are
docmill's own. Texts have random words and mixed lengths. All three run in turn, in one process, on one thread. Times
are CPU seconds, and ratios are medians over rounds. What 8 bits cost is measured on trained models by `docmill models
export --int8`: random scores are close together, so that labels say nothing here.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import report
from nlp_tasks.classification.neural import classifier, cnn, gru, lstm, transformer, word_ngrams
from nlp_tasks.classification.neural.network import Network
from nlp_tasks.classification.transformers.pretrained import PretrainedClassifier
from nlp_tasks.encoders import open_folder
from nlp_tasks.entities import bilstm_crf
from nlp_tasks.entities.features import Known
from nlp_tasks.entities.pretrained import PretrainedTagger
from nlp_tasks.onnx_graphs import checking
from nlp_tasks.onnx_graphs.session import Graph
from nlp_tasks.onnx_graphs.writing import quantize, write

N_WORDS, N_LABELS, N_TAGS = 20_000, 8, 13
LAYERS, HIDDEN, HEADS, WINDOW = 6, 384, 12, 256
ENCODERS = {
    "cnn": cnn.CnnEncoder, "gru": gru.GruEncoder, "lstm": lstm.LstmEncoder,
    "transformer": transformer.TransformerEncoder,
}  # fmt: skip


@dataclass(frozen=True)
class Tried:
    """A model: how to make it, always with the same weights, and what to do with it."""

    make: Callable[[], Any]
    run: Callable[[Any, Sequence[str]], Any]


def main() -> None:
    """Measure, print, and exit with 1 if a threshold is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=[])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(report.machine())
    texts = _texts(arguments.texts)
    figures: dict[str, Any] = {}
    bars: dict[str, dict[str, float]] = {}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, tried in _all(Path(folder), texts).items():
            if arguments.only and name not in arguments.only:
                continue
            figures[name] = found = _measured(tried, Path(folder), texts, arguments.rounds)
            bars[f"{name}: largest difference from torch"] = {
                "value": found["difference"], "at_most": checking.MOST_DIFFERENCE,
            }  # fmt: skip
            rows.append([name, *(found[each] for each in COLUMNS)])
            print(name, found, flush=True)
    report.table(f"{len(texts)} texts, one thread", ["model", *COLUMNS.values()], rows)
    report.end(figures, bars)


COLUMNS = {
    "torch": "torch, texts/s", "onnx": "times with ONNX", "int8": "times with int8", "difference": "difference",
    "int8_difference": "with int8",
}  # fmt: skip


def _measured(tried: Tried, folder: Path, texts: Sequence[str], rounds: int) -> dict[str, float]:
    models = {"torch": tried.make(), "onnx": tried.make(), "int8": tried.make()}
    for name in ("onnx", "int8"):
        for slot in models[name].slots():
            path = folder / f"{name}.onnx"
            write(slot.network, path)
            if name == "int8":
                quantize(path, folder / "8.onnx")
                path = folder / "8.onnx"
            slot.put(Graph(path))
    expected, exact, rounded = (model.outputs(texts) for model in models.values())
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(rounds):
        for name, model in models.items():
            start = time.process_time()
            tried.run(model, texts)
            seconds[name].append(time.process_time() - start)
    torch_seconds = np.array(seconds["torch"])
    return {
        "torch": len(texts) / float(np.median(torch_seconds)),
        "onnx": float(np.median(torch_seconds / np.array(seconds["onnx"]))),
        "int8": float(np.median(torch_seconds / np.array(seconds["int8"]))),
        "difference": checking.compared(expected, exact, None).largest_difference,
        "int8_difference": checking.compared(expected, rounded, None).largest_difference,
    }


def _texts(n: int) -> list[str]:
    """Of 3 to 240 words: titles, news items, articles."""
    random = np.random.default_rng(0)
    sizes = np.clip(np.exp(random.normal(3.5, 1.0, n)), 3, 240).astype(int)
    return [" ".join(f"word{number}" for number in random.integers(0, N_WORDS, size)) + "." for size in sizes]


def _all(folder: Path, texts: Sequence[str]) -> dict[str, Tried]:
    source = _encoder_folder(folder / "encoder")

    def logits(model: Any, some: Sequence[str]) -> Any:
        return model.logits(some, lambda: None)

    def find(model: Any, some: Sequence[str]) -> Any:
        return model.find(some)

    return {
        "encoder": Tried(
            partial(open_folder, source), lambda model, some: model.embed(some, "", "truncate").vectors
        ),
        "classifier pretrained": Tried(partial(_classifier, source), logits),
        **{
            f"classifier {name}": Tried(partial(_network, make, texts), logits)
            for name, make in ENCODERS.items()
        },
        "entities bilstm-crf": Tried(partial(_tagger, texts), find),
        "entities pretrained": Tried(partial(_token_classifier, source), find),
    }


def _encoder_folder(folder: Path) -> Path:
    """A transformer of MiniLM's size with a tokenizer of whole words."""
    import tokenizers
    import transformers

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", ".", *(f"word{number}" for number in range(N_WORDS))]
    backend = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="[UNK]")
    )
    backend.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    backend.post_processor = tokenizers.processors.TemplateProcessing(
        "[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", unk_token="[UNK]",
        model_max_length=WINDOW,
    ).save_pretrained(folder)  # fmt: skip
    torch.manual_seed(0)
    transformers.BertModel(_config(len(words)), add_pooling_layer=False).save_pretrained(folder)
    return folder


def _config(n_words: int, **more: Any) -> Any:
    import transformers

    return transformers.BertConfig(
        vocab_size=n_words, hidden_size=HIDDEN, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
        intermediate_size=4 * HIDDEN, max_position_embeddings=WINDOW, initializer_range=0.05, **more,
    )  # fmt: skip


def _transformer(source: Path, name: str, n: int) -> tuple[Any, Any]:
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(source)
    torch.manual_seed(0)
    return getattr(transformers, name)(_config(len(tokenizer), num_labels=n)).eval(), tokenizer


def _classifier(source: Path) -> PretrainedClassifier:
    return PretrainedClassifier(*_transformer(source, "BertForSequenceClassification", N_LABELS), "cpu")


def _token_classifier(source: Path) -> PretrainedTagger:
    names = ["O", *(f"{part}-{label}" for label in range(N_TAGS // 2) for part in "BI")]
    model = _transformer(source, "BertForTokenClassification", N_TAGS)
    return PretrainedTagger(PretrainedClassifier(*model, "cpu"), names)


def _network(make: Any, texts: Sequence[str]) -> classifier.NeuralClassifier:
    buckets = word_ngrams.learn(word_ngrams.split(texts, lambda: None), classifier.MOST_IDS)
    torch.manual_seed(0)
    return classifier.NeuralClassifier(Network(len(buckets), N_LABELS, make).eval(), buckets, "cpu")


def _tagger(texts: Sequence[str]) -> bilstm_crf.RecurrentTagger:
    known = Known(None, None)
    seen = {
        feature
        for text in texts
        for _, _, described in bilstm_crf.read(text, known)
        for features in described
        for feature in features
    }
    names = ["O", *(f"{part}-{label}" for label in range(N_TAGS // 2) for part in "BI")]
    torch.manual_seed(0)
    numbers = {feature: number for number, feature in enumerate(sorted(seen), start=1)}
    return bilstm_crf.RecurrentTagger(bilstm_crf.Network(len(numbers), names), names, numbers, known)


if __name__ == "__main__":
    main()
