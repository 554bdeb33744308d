"""Writes an encoder for use without docmill and torch: an ONNX graph, its tokenizer, and what a program must know.

The graph takes the token ids of padded texts with their mask and gives the vectors of the texts: pooling and the layers
after it are part of it. Before anything is kept, ONNX Runtime must give the vectors that torch gives.
"""

from __future__ import annotations

import json
import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nlp_tasks.encoders import is_encoder, open_folder, pooling
from nlp_tasks.encoders.transformer_encoder import TransformerEncoder
from nlp_tasks.errors import ModelFileError

GRAPH, GRAPH_INT8, TOKENIZER, ABOUT = "model.onnx", "model.int8.onnx", "tokenizer.json", "docmill.json"
#: The largest difference of a number between ONNX Runtime and torch.
MOST_DIFFERENCE = 1e-4
#: Texts that the graph is checked with: of several lengths, in two languages, and longer than any window.
SAMPLE = (
    "a",
    "The bank raised interest rates.",
    "한국은행이 기준금리를 올렸다.",
    "Heavy rain closed two roads in the north of the city, and trains were late all morning.",
    "어제 저녁 서울에서 열린 경기에서 홈 팀이 두 골 차로 이겼고, 관중은 경기가 끝난 뒤에도 자리를 뜨지 않았다.",
    "The committee will publish its report on school funding in March. " * 60,
)


@dataclass(frozen=True)
class Check:
    """How far the vectors of a graph are from those of torch, on SAMPLE."""

    largest_difference: float
    #: 1 where no vector has turned.
    lowest_cosine: float


@dataclass(frozen=True)
class Exported:
    """What was written."""

    folder: Path
    float32: Check
    #: None unless asked for.
    int8: Check | None


class _Whole(torch.nn.Module):
    """From token ids to the vectors of texts."""

    def __init__(self, encoder: TransformerEncoder, n_left_out: int) -> None:
        super().__init__()
        self.model, self._encoder, self._n_left_out = encoder.model, encoder, n_left_out

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        hidden = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        pooled = pooling.pool(hidden, attention_mask.sum(dim=1), self._encoder.pooling, self._n_left_out)
        return self._encoder.head.end(self._encoder.head.body(pooled))


def export(source: Path, target: Path, *, int8: bool = False) -> Exported:
    """Write the encoder of a folder into another one. With `int8`, a graph whose weights have 8 bits is written too,
    and what that costs is measured. ModelFileError if the model cannot be written, or gives other vectors in ONNX
    Runtime; then `target` is as it was."""
    encoder = _opened(source)
    _packages()
    prompt = encoder.description.prompt()
    n_left_out = 0 if encoder.pools_prompt or not prompt else encoder.cutter.prompt_tokens(prompt)
    ids, mask = _batch(encoder, prompt)
    with torch.inference_mode():
        expected = _Whole(encoder, n_left_out)(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".onnx-") as made:
        folder = Path(made)
        _write_graph(encoder, n_left_out, folder / GRAPH)
        exact = _compared(folder / GRAPH, ids, mask, expected)
        if not exact.largest_difference <= MOST_DIFFERENCE:
            raise ModelFileError(
                f"{source} was not exported: ONNX Runtime's vectors differ from torch's by up to "
                f"{exact.largest_difference:.1e}, and {MOST_DIFFERENCE:.0e} is allowed; use the model in torch"
            )
        rounded = None
        if int8:
            _quantize(folder / GRAPH, folder / GRAPH_INT8)
            rounded = _compared(folder / GRAPH_INT8, ids, mask, expected)
        encoder.cutter.save(folder / TOKENIZER)
        about = _about(encoder, prompt) | {"float32": asdict(exact), "int8": rounded and asdict(rounded)}
        (folder / ABOUT).write_text(json.dumps(about, ensure_ascii=False, indent=1), encoding="utf-8")
        target.mkdir(exist_ok=True)
        (target / GRAPH_INT8).unlink(missing_ok=True)
        for path in folder.iterdir():
            path.replace(target / path.name)
    return Exported(target, exact, rounded)


def _opened(source: Path) -> TransformerEncoder:
    if not is_encoder(source):
        raise ModelFileError(
            f"{source} is a model that docmill has trained: only imported encoders can be exported as ONNX; "
            "leave --onnx out"
        )
    encoder = open_folder(source)
    if not isinstance(encoder, TransformerEncoder):
        raise ModelFileError(
            f"{source} is a table of token vectors, which needs no ONNX: its safetensors and tokenizer.json are enough"
        )
    return encoder


def _packages() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # type: ignore[import-not-found, unused-ignore]  # noqa: F401
    except ImportError as missing:
        raise ModelFileError(
            f"the export as ONNX needs the package {missing.name}: pip install 'docmill[onnx]'"
        ) from missing


def _batch(encoder: TransformerEncoder, prompt: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The sample as one padded batch  # (B, S), (B, S)."""
    windows = encoder.cutter.cut(SAMPLE, prompt, "truncate", lambda: None)
    width = int(windows.lengths.max())
    ids = np.full((len(windows.ids), width), encoder.pad_id, np.int64)
    for row, window in enumerate(windows.ids):
        ids[row, : len(window)] = window
    return ids, (np.arange(width) < windows.lengths[:, None]).astype(np.int64)


def _write_graph(encoder: TransformerEncoder, n_left_out: int, path: Path) -> None:
    ids = torch.full((2, 7 + n_left_out), encoder.pad_id)
    mask = torch.ones_like(ids)
    mask[1, -2:] = 0
    axes = {0: torch.export.Dim("texts"), 1: torch.export.Dim("tokens", max=encoder.max_tokens)}
    with _quiet():
        program = torch.onnx.export(
            _Whole(encoder, n_left_out).eval(),
            (ids, mask),
            dynamo=True,
            verbose=False,
            input_names=["input_ids", "attention_mask"],
            output_names=["vectors"],
            dynamic_shapes=(axes, axes),
        )
        assert program is not None
        program.save(str(path), external_data=False)


def _quantize(source: Path, target: Path) -> None:
    """Weights of 8 bits; activations become 8 bits as they come."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    graph = onnx.load(str(source))
    # Shapes that were noted for the traced example contradict those of the quantized graph.
    del graph.graph.value_info[:]
    with _quiet():
        quantize_dynamic(graph, str(target), weight_type=QuantType.QInt8, per_channel=True)


def _compared(
    path: Path, ids: NDArray[np.int64], mask: NDArray[np.int64], expected: NDArray[np.float32]
) -> Check:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    [found] = session.run(None, {"input_ids": ids, "attention_mask": mask})
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    cosines = (found * expected).sum(axis=1) / np.maximum(lengths, 1e-12)
    return Check(float(np.abs(found - expected).max()), float(cosines.min()))


def _about(encoder: TransformerEncoder, prompt: str) -> dict[str, Any]:
    """What a program needs beside the graph and the tokenizer."""
    return {
        "format": 1,
        "inputs": {"input_ids": "int64 (texts, tokens)", "attention_mask": "int64 (texts, tokens)"},
        "output": {"vectors": "float32 (texts, dimensions)"},
        "dimensions": encoder.dimensions,
        "max_tokens": encoder.max_tokens,
        "pad_id": encoder.pad_id,
        "padding": "at the end",
        "prompt": prompt,
        "prompts": dict(encoder.description.prompts),
        "normalized": encoder.head.normalizes,
        "similarity": encoder.description.similarity,
    }


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks about packages and names that do not matter here."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir", "root")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
