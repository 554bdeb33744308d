"""Models that were trained elsewhere: imported by command, and used by every kind that takes one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from nlp_tasks.encoders import open_folder
from tests import encoder_folders
from tests.commands.conftest import Shell

pytest.importorskip("transformers")

TEXTS = (
    "goal striker cup",
    "goal match the striker",
    "bank money loan",
    "은행이 금리를 오늘",
    "금리를 은행이",
    "cup match",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    settings = {"prompts": {"query": "query : "}, "default_prompt_name": None}
    return encoder_folders.sentence_transformer(tmp_path / "tiny", settings=settings)


def vectors(shell: Shell, table: str) -> np.ndarray:
    """The vectors of the documents k0, k1, ... in a table."""
    query = f"SELECT v.vector FROM {table} v JOIN document d ON d.id = v.document_id ORDER BY d.key"
    with shell.store.read() as session:
        return np.array([np.frombuffer(row.vector, "<f4") for row in session.execute(text(query))])


def test_a_folder_becomes_a_version_that_is_shown_and_kept_whole(shell_on_both: Shell, folder: Path) -> None:
    shell = shell_on_both
    said = shell("models", "import", folder, "--name", "tiny").out
    assert said.startswith(f"tiny@1 was imported from {folder}: 16 dimensions, ")
    assert "was there already" in shell("models", "import", folder, "--name", "tiny").out
    again = shell("models", "import", folder, "--name", "tiny", "--prompt", "query", "--json").json
    assert (again["model"], again["new"]) == ("tiny@2", True)

    [newest, oldest] = shell("models", "list", "--json").json
    assert (newest["kind"], newest["aliases"], oldest["aliases"]) == ("encoder", ["champion"], [])
    assert newest["parameters"] == {"source": str(folder), "part": ".", "prompt": "query"}
    assert "16 dimensions, 12 tokens" in shell("models", "list").out
    assert f"from {folder}" in shell("models", "show", "tiny").out
    assert "tiny@champion is version 1 again" in shell("models", "rollback", "tiny").out
    assert "was imported" in shell("models", "export", "tiny", folder, status=2).err

    shell.texts(*TEXTS)
    assert "was made by encoder: choose another name" in shell(
        "train", "similarity", "--collection", "inbox", "--model", "tiny", status=1
    ).err  # fmt: skip


def test_every_document_gets_the_vector_of_the_model(shell_on_both: Shell, folder: Path) -> None:
    shell = shell_on_both
    shell("models", "import", folder, "--name", "tiny")
    shell.texts(*TEXTS, " ")
    shell.done("embed", "--collection", "inbox", "--model", "tiny")
    np.testing.assert_allclose(
        vectors(shell, "embedding"), open_folder(folder).embed(TEXTS, "", "truncate").vectors, atol=1e-5
    )
    errors = shell("sql", "SELECT document_key, error_code FROM v_failures", "--json").json
    assert errors == [{"document_key": "k6", "error_code": "EMPTY_TEXT"}]

    job = shell.done("embed", "--collection", "inbox", "-p", "dimensions=4", "-p", "prompt=query")
    found = vectors(shell, f"(SELECT * FROM embedding WHERE job_id = {job})")
    expected = open_folder(folder).embed(TEXTS, "query : ", "truncate").vectors[:, :4]
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-5)
    shell.done("embed", "--collection", "inbox", "-p", "dimensions=17")
    assert "17" in shell("sql", "SELECT error_detail FROM v_failures WHERE error_code = 'DIMENSIONS'").out


def test_neighbours_are_those_of_the_vectors(shell_on_both: Shell, folder: Path) -> None:
    shell = shell_on_both
    shell("models", "import", folder, "--name", "tiny")
    shell.texts(*TEXTS)
    refused = shell("submit", "similarity", "--collection", "inbox", "--model", "tiny", status=1).err
    assert "an imported model is used with -p method=embedding" in refused
    embedding = (
        "similarity",
        "--collection",
        "inbox",
        "-p",
        "method=embedding",
        "-p",
        "k=2",
        "-p",
        "terms=1",
    )
    shell.done(*embedding, "--model", "tiny")

    cosines = open_folder(folder).embed(TEXTS, "", "mean").vectors
    cosines = cosines @ cosines.T - 2 * np.eye(len(TEXTS))
    listed = "SELECT document_key, neighbour_key, score FROM v_similar ORDER BY document_key, rank"
    found = shell("sql", listed, "--json").json
    expected = [(f"k{row}", f"k{near}") for row in range(6) for near in np.argsort(-cosines[row])[:2]]
    assert [(row["document_key"], row["neighbour_key"]) for row in found] == expected
    np.testing.assert_allclose(
        [row["score"] for row in found], np.sort(cosines)[:, :-3:-1].ravel(), atol=1e-5
    )
    words = shell("sql", "SELECT term FROM neighbour_term", "--json").json
    assert {row["term"] for row in words} <= {word for each in TEXTS for word in each.split()} | {
        "은행",
        "금리",
    }

    # A search compares a free text with the same vectors.
    near = shell("similar", "--text", TEXTS[1], "--collection", "inbox", "--json").json
    assert (near[0]["document_key"], near[0]["score"]) == ("k1", pytest.approx(1, abs=1e-4))

    # A new document changes the lists that it enters, and no other.
    shell.texts("striker goal cup goal", collection="inbox")
    shell.done(*embedding, "--new")
    updated = shell("sql", listed, "--json").json
    shell.done(*embedding)
    anew = shell("sql", listed, "--json").json
    assert [list(row.values())[:2] for row in anew] == [list(row.values())[:2] for row in updated]
    assert [row["score"] for row in anew] == pytest.approx([row["score"] for row in updated], abs=1e-6)


def test_a_hybrid_counts_the_words_too(shell: Shell, folder: Path) -> None:
    shell("models", "import", folder, "--name", "tiny")
    texts = ("bank money loan", "bank rates bank", "goal cup match", "goal striker", "loan money today")
    shell.texts(*texts)
    shell.done("similarity", "--collection", "inbox", "-p", "method=hybrid-embedding", "-p", "k=2")

    words = [[word for word in each.split() if word != "today"] for each in texts]
    known = sorted({word for each in words for word in each})
    counts = np.array([[each.count(word) for word in known] for each in words], float)
    weights = counts**0.7 * (np.log(6 / (1 + (counts > 0).sum(axis=0))) + 1)
    vectors = open_folder(folder).embed(texts, "", "mean").vectors
    scores = sum(0.5 * unit @ unit.T for unit in map(_unit, (weights, vectors - vectors.mean(axis=0))))
    scores -= 9 * np.eye(len(texts))
    found = shell("sql", "SELECT score FROM v_similar ORDER BY document_key, rank", "--json").json
    np.testing.assert_allclose([row["score"] for row in found], np.sort(scores)[:, :-3:-1].ravel(), atol=1e-5)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_a_package_is_looked_into_and_its_code_is_never_run(
    shell: Shell, folder: Path, tmp_path: Path
) -> None:
    file = encoder_folders.wheel(tmp_path / "tiny_encoder-1.2-py3-none-any.whl", folder)
    assert (
        "tiny@1 was imported from tiny_encoder-1.2" in shell("models", "import", file, "--name", "tiny").out
    )
    site = tmp_path / "site"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        site,
        file,
    ]
    subprocess.run(pip, check=True, capture_output=True)
    code = f"""
import sys
sys.path.insert(0, {str(site)!r})
from nlp_tasks.encoders import model_sources
source = model_sources.source("tiny-encoder")
print(source.name, [model.path for model in model_sources.models_in(source)], "tiny_encoder" in sys.modules)
"""
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert said.strip() == "tiny_encoder 1.2 ['tiny_encoder/model'] False"


PICKLE = b"\x80\x02" + bytes(2000)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "none holds weights"),
        ({"tiny_encoder/pytorch_model.bin": PICKLE}, "is a pickle of PyTorch"),
        ({"tiny_encoder/model.onnx": b"\0" * 2000}, "is a graph of ONNX"),
        ({"tiny_encoder/data.raw": b"\0" * 1_200_000}, "is no safetensors"),
        ({"../model/model.safetensors": b"", "../model/config.json": b"{}"}, "none holds weights"),
        ({"a/modules.json": b"[]", "b/modules.json": b"[]"}, "holds 2 models: choose one with --part"),
        ({"a/modules.json": b"[]"}, "lists no modules"),
        ({"a/config.json": b"{}", "a/model.safetensors": b"\0" * 100}, "transformers cannot read"),
        ({"a/small.bin": b"E5S1" + bytes(1_100_000)}, "is damaged"),
    ],
)
def test_a_package_without_a_model_is_refused_with_what_it_holds(
    shell: Shell, tmp_path: Path, files: dict[str, bytes], said: str
) -> None:
    file = encoder_folders.wheel(tmp_path / "tiny_encoder-1.2-py3-none-any.whl", None, **files)
    assert said in shell("models", "import", file, "--name", "tiny", status=2).err
    assert shell("models", "list", "--json").json == []
    assert not list((tmp_path / ".building").glob("*"))


def test_what_is_no_source_is_told_how_to_get_one(shell: Shell, folder: Path) -> None:
    assert "`pip install --no-deps no-such-package`" in shell(
        "models", "import", "no-such-package", "--name", "tiny", status=2
    ).err  # fmt: skip
    assert "no name for a model" in shell("models", "import", folder, "--name", "a@b", status=1).err


def test_weights_of_four_bits_are_unpacked(shell: Shell, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    pieces = {
        "<s>": 0.0,
        "<pad>": 0.0,
        "</s>": 0.0,
        "<unk>": 0.0,
        "▁": -2.0,
        "▁bank": -3.0,
        "▁rates": -3.0,
        "은행": -3.0,
    }
    shape = {"hidden": 32, "layers": 1, "heads": 2, "inner": 64, "places": 16}
    sizes = {
        "emb.word": (len(pieces) * 32,), "emb.pos": (16 * 32,), "emb.type": (64,), "emb.ln.w": (32,), "emb.ln.b": (32,),
        **{f"l0.{part}.w": (32 * 32,) for part in ("q", "k", "v", "ao")},
        **{f"l0.{part}.b": (32,) for part in ("q", "k", "v", "ao", "fo")},
        "l0.fi.w": (64 * 32,), "l0.fi.b": (64,), "l0.fo.w": (32 * 64,),
        **{f"l0.{part}.{sort}": (32,) for part in ("aln", "oln") for sort in ("w", "b")},
    }  # fmt: skip
    # Weights that 4 bits can hold exactly: whole numbers from -7 to 7, times a power of 2.
    weights = {name: (random.integers(-7, 8, size) / 8).astype(np.float32) for name, size in sizes.items()}
    for name, tensor in weights.items():
        if encoder_folders._is_packed(name):
            tensor[::32] = 7 / 8
    path = tmp_path / "small" / "model.bin"
    path.parent.mkdir()
    padding = bytes(1_000_000)
    path.write_bytes(encoder_folders.four_bits(weights, pieces, shape) + padding)
    shell("models", "import", path.parent, "--name", "small")

    [version] = shell("models", "list", "--json").json
    assert (version["metrics"]["dimensions"], version["metrics"]["max_tokens"]) == (32, 16)
    with shell.store.read() as session:
        place = session.execute(text("SELECT path FROM model_version")).scalar_one()
    folder = shell.process.settings.models_path / place
    from safetensors.numpy import load_file

    tensors = load_file(folder / "model.safetensors")
    np.testing.assert_allclose(
        tensors["encoder.layer.0.intermediate.dense.weight"].ravel(), weights["l0.fi.w"], atol=1e-3
    )
    np.testing.assert_allclose(
        tensors["embeddings.word_embeddings.weight"].ravel().astype(np.float32),
        weights["emb.word"],
        atol=1e-3,
    )
    encoder = open_folder(folder)
    assert encoder.description.prompt() == "query: "
    assert encoder.cutter._content("bank\n\nrates\x1f") == [5, 6]
    assert json.loads((folder / "config.json").read_text())["vocab_size"] == len(pieces)
