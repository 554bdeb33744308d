"""Encoders as ONNX: the vectors of torch from a folder that needs neither docmill nor torch."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from nlp_tasks.encoders import open_folder
from nlp_tasks.errors import ModelFileError
from tests import encoder_folders

pytest.importorskip("transformers")

TEXTS = ["goal striker cup", "bank", "은행이 금리를 오늘", "the match today " * 9]


def test_another_program_gets_the_vectors_of_torch_from_the_folder(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    import tokenizers

    from nlp_tasks.encoders import onnx_export

    settings = {"prompts": {"query": "query : "}, "default_prompt_name": "query"}
    pooling = {"pooling_mode": ["mean", "cls"], "include_prompt": False}
    source = encoder_folders.sentence_transformer(tmp_path / "tiny", pooling, settings=settings)
    written = onnx_export.export(source, tmp_path / "out", int8=True)
    assert written.float32.largest_difference <= 1e-4
    assert written.int8 is not None
    assert 0.9 < written.int8.lowest_cosine < 1.0000001

    about = json.loads((tmp_path / "out" / "docmill.json").read_text())
    tokenizer = tokenizers.Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json"))
    tokenizer.enable_padding(pad_id=about["pad_id"])
    encoded = tokenizer.encode_batch([about["prompt"] + text for text in TEXTS])
    session = onnxruntime.InferenceSession(str(tmp_path / "out" / "model.onnx"))
    [vectors] = session.run(
        ["vectors"],
        {
            "input_ids": np.array([each.ids for each in encoded]),
            "attention_mask": np.array([each.attention_mask for each in encoded]),
        },
    )
    expected = open_folder(source).embed(TEXTS, "query : ", "truncate").vectors
    np.testing.assert_allclose(vectors, expected, atol=1e-4)
    assert vectors.shape[1] == about["dimensions"]
    assert about["int8"] == {
        "largest_difference": written.int8.largest_difference,
        "lowest_cosine": written.int8.lowest_cosine,
    }


def test_a_graph_that_gives_other_vectors_is_refused_and_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    from nlp_tasks.encoders import onnx_export
    from nlp_tasks.onnx_graphs import checking

    monkeypatch.setattr(checking, "MOST_DIFFERENCE", -1.0)
    source = encoder_folders.sentence_transformer(tmp_path / "tiny")
    with pytest.raises(ModelFileError, match=r"differ from torch's by up to .* use the model in torch"):
        onnx_export.export(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".onnx-*"))


def test_a_missing_package_and_other_models_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nlp_tasks.encoders import onnx_export

    source = encoder_folders.sentence_transformer(tmp_path / "tiny")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelFileError, match=r"onnxruntime: pip install 'docmill\[onnx\]'"):
        onnx_export.export(source, tmp_path / "out")
    trained = tmp_path / "trained"
    trained.mkdir()
    (trained / "weights.safetensors").touch()
    with pytest.raises(ModelFileError, match="leave --onnx out"):
        onnx_export.export(trained, tmp_path / "out")
