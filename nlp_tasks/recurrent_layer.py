"""One bidirectional recurrent layer over padded sequences, for torch and for ONNX."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

#: Where torch has the gates of a cell that ONNX wants first, second, ...: input, output, forget, cell for an LSTM; and
#: update, reset, hidden for a GRU.
LSTM_GATES, GRU_GATES = (0, 3, 1, 2), (1, 0, 2)


def states(layer: nn.LSTM | nn.GRU, padded: Tensor, lengths: Tensor) -> Tensor:
    """The states of both directions (B, S, 2H) of sequences (B, S, D), padded at the end; zeros beyond their lengths
    (B,)."""
    if torch.compiler.is_exporting():
        return _as_onnx_operator(layer, padded, lengths)
    packed = nn.utils.rnn.pack_padded_sequence(padded, lengths.cpu(), batch_first=True, enforce_sorted=False)
    found, _ = nn.utils.rnn.pad_packed_sequence(layer(packed)[0], batch_first=True)
    return found


def _as_onnx_operator(layer: nn.LSTM | nn.GRU, padded: Tensor, lengths: Tensor) -> Tensor:
    """ONNX's own operators know lengths, so that the backward direction begins at each sequence's end."""
    is_lstm = isinstance(layer, nn.LSTM)
    attributes: dict[str, Any] = {"hidden_size": layer.hidden_size, "direction": "bidirectional"}
    if not is_lstm:
        attributes["linear_before_reset"] = 1  # as in torch's GRU
    order = LSTM_GATES if is_lstm else GRU_GATES
    inputs = (
        padded.transpose(0, 1),
        _gates(layer, "weight_ih", order),
        _gates(layer, "weight_hh", order),
        torch.cat([_gates(layer, "bias_ih", order), _gates(layer, "bias_hh", order)], dim=1),
        lengths.int(),
    )
    shape = (padded.shape[1], 2, padded.shape[0], layer.hidden_size)
    found = torch.onnx.ops.symbolic(
        "LSTM" if is_lstm else "GRU", inputs, attributes, dtype=padded.dtype, shape=shape
    )
    return found.permute(2, 0, 1, 3).flatten(2)  # (S, 2, B, H) -> (B, S, 2H)


def _gates(layer: nn.LSTM | nn.GRU, name: str, order: tuple[int, ...]) -> Tensor:
    """Weights of both directions (2, ...), with the gates in ONNX's order."""
    size = layer.hidden_size
    both = [getattr(layer, f"{name}_l0{end}") for end in ("", "_reverse")]
    return torch.stack(
        [torch.cat([weight[size * gate : size * (gate + 1)] for gate in order]) for weight in both]
    )
