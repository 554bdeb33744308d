"""`docmill models export --onnx` of trained models: what is written and said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from db.documents import NewDocument
from tests.commands.conftest import Shell
from tests.db.builders import add

TEXTS = ("Kim left Busan today and watched the match", "Lee came to Seoul and paid the bank its rates")
LABELS, MARKS = ("sport", "money"), ([[0, 3, "PER"], [9, 14, "LOC"]], [[0, 3, "PER"], [12, 17, "LOC"]])


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "arch", "beside"),
    [("classify", "cnn", "buckets.safetensors"), ("entities", "bilstm-crf", "features.json")],
)
def test_the_loss_of_8_bits_is_measured_on_held_out_documents(
    shell: Shell, tmp_path: Path, kind: str, arch: str, beside: str
) -> None:
    pytest.importorskip("onnxruntime")
    new = [
        NewDocument(f"k{n}", f"{TEXTS[n % 2]} {n}", LABELS[n % 2], f"f:{n}", meta={"entities": MARKS[n % 2]})
        for n in range(60)
    ]
    add(shell.store, new, "inbox")
    words = ("train", kind, "--collection", "inbox", "--model", "m", "-p", f"arch={arch}", "-p", "epochs=2")
    shell.work(shell(*words, "--json").json["job"])

    said = shell("models", "export", "m", tmp_path / "out", "--int8").out

    about = json.loads((tmp_path / "out" / "docmill.json").read_text())
    assert about["float32"]["largest_difference"] <= 1e-4
    assert about["float32"]["changed_labels"] == 0
    assert 0 < about["int8"]["documents"] < 30
    assert f"m@1 is in {tmp_path / 'out' / 'model.onnx'}: largest difference from torch" in said
    assert (
        f"m@1 is in {tmp_path / 'out' / 'model.int8.onnx'}: on {about['int8']['documents']} documents" in said
    )
    assert (tmp_path / "out" / beside).is_file()
