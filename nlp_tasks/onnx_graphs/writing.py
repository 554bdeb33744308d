"""Writes networks as ONNX graphs, and gives a graph weights of 8 bits."""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from nlp_tasks.errors import ModelFileError
from nlp_tasks.onnx_graphs.slot import Network


def need_packages(*, to_write: bool) -> None:
    """ModelFileError names the package of the extra `onnx` that is missing."""
    try:
        import onnxruntime  # noqa: F401

        if to_write:
            import onnx  # noqa: F401
            import onnxscript  # type: ignore[import-not-found, unused-ignore]  # noqa: F401
    except ImportError as missing:
        raise ModelFileError(
            f"ONNX needs the package {missing.name}: pip install 'docmill[onnx]'"
        ) from missing


def write(network: Network, path: Path) -> None:
    """The network as a graph, with its weights in the same file. ModelFileError if torch cannot write it."""
    dtype = torch.get_default_dtype()
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # one operator that ONNX does not have
    try:
        with quiet(), torch.no_grad():
            program = torch.onnx.export(
                network.module.eval(),
                tuple(network.inputs.values()),
                dynamo=True,
                verbose=False,
                input_names=list(network.inputs),
                output_names=[network.output],
                dynamic_shapes=_shapes(network),
            )
            assert program is not None
            program.save(str(path), external_data=False)
            if fixed := _fixed(network, program):
                raise ModelFileError(
                    f"torch cannot write this network as ONNX for inputs of any size: {fixed}; use the model in torch"
                )
    except (torch.onnx.OnnxExporterError, NotImplementedError) as error:
        raise ModelFileError(
            f"torch cannot write this network as ONNX: {_reason(error)}; use the model in torch"
        ) from error
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        torch.set_default_dtype(dtype)


def quantize(source: Path, target: Path, left_out: Sequence[str] = ()) -> None:
    """The graph with weights of 8 bits; activations become 8 bits as they come. `left_out`: operators that keep 32."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.registry import IntegerOpsRegistry

    graph = onnx.load(str(source))
    # Shapes that were noted for the traced example contradict those of the quantized graph.
    del graph.graph.value_info[:]
    operators = [name for name in IntegerOpsRegistry if name not in left_out]
    with quiet():
        quantize_dynamic(
            graph, str(target), weight_type=QuantType.QInt8, per_channel=True, op_types_to_quantize=operators
        )


def _shapes(network: Network) -> tuple[Any, ...]:
    """As the exporter takes them: those of `*inputs` are one tuple."""
    shapes = tuple(dict(network.axes[name]) for name in network.inputs)
    parameters = inspect.signature(network.module.forward).parameters.values()
    is_list = any(each.kind is inspect.Parameter.VAR_POSITIONAL for each in parameters)
    return (shapes,) if is_list else shapes


def _fixed(network: Network, program: torch.onnx.ONNXProgram) -> str:
    """The axes that should vary and have the size of the traced example in the graph; nothing if there are none."""
    shapes = {str(each.name): tuple(each.shape or ()) for each in program.model.graph.inputs}
    found = [
        f"axis {axis} of {name} is {shape[axis]}"
        for name, shape in shapes.items()
        for axis in network.axes[name]
        if isinstance(shape[axis], int)
    ]
    return ", ".join(found)


def _reason(error: BaseException) -> str:
    """The first line of what was the cause."""
    cause = error.__cause__ or error
    return f"{type(cause).__name__}: {str(cause).strip().partition(chr(10))[0][:300]}"


@contextmanager
def quiet() -> Iterator[None]:
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
