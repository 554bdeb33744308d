"""Linear layers by oneDNN, for inference in float32 on a CPU.

oneDNN keeps a layer's weights in the order in which its products read them, and uses the widest instructions of any
maker's processor; torch's own linear layers go through MKL, which is slower where the processor is not Intel's.
Replacing a layer leaves no second copy of its weights.
"""

from __future__ import annotations

from typing import Any

import torch

#: Rows for which the weights are ordered. Any number can be multiplied.
ROWS = 1024


class PackedLinear(torch.nn.Module):
    """A linear layer for inference, with an exact GELU after it if asked for."""

    def __init__(self, layer: torch.nn.Linear, *, gelu: bool = False) -> None:
        super().__init__()
        # Named as in torch's layer: T5 reads the type of its layers' weights.
        self.weight = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach(), ROWS)
        self._bias = None if layer.bias is None else layer.bias.detach()
        self._after: tuple[str, list[float], str] = ("gelu", [], "none") if gelu else ("none", [], "")

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """(..., D) -> (..., E)."""
        found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(rows, self.weight, self._bias, *self._after)
        return found


def pack(model: Any) -> None:
    """Replace the linear layers of a model on a CPU, in place; leave it as it is where oneDNN is missing."""
    if not available():
        return
    for module in list(model.modules()):
        if _ends_in_gelu(module):
            module.dense = PackedLinear(module.dense, gelu=True)
            module.intermediate_act_fn = torch.nn.Identity()
        for name, layer in list(module.named_children()):
            if type(layer) is torch.nn.Linear and layer.weight.dtype == torch.float32:
                setattr(module, name, PackedLinear(layer))


def available() -> bool:
    """Whether this build of torch has what `PackedLinear` needs."""
    operators = torch.ops.mkldnn
    is_built: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return is_built and all(
        hasattr(operators, name) for name in ("_reorder_linear_weight", "_linear_pointwise")
    )


def _ends_in_gelu(module: Any) -> bool:
    """Whether a module is the first half of a BERT's feed-forward network, with an exact GELU."""
    activation = getattr(module, "intermediate_act_fn", None)
    dense = getattr(module, "dense", None)
    return (
        type(activation).__name__ == "GELUActivation"
        and getattr(activation, "act", None) is torch.nn.functional.gelu
        and type(dense) is torch.nn.Linear
        and dense.weight.dtype == torch.float32
    )
