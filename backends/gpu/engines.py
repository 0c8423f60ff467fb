"""Chooses the engine of a run: Triton kernels on a CUDA device, tensors elsewhere."""

from __future__ import annotations

import subprocess
import warnings
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Protocol

from neurosim.backend.engine import Engine, SideBySide

if TYPE_CHECKING:
    import torch

    from neurosim.ir.concrete import ConcreteNetwork
    from neurosim.ir.program import Program


class SampleEngines(Engine, SideBySide, Protocol):
    """An engine of one sample or of several."""


def open_engine(
    program: Program,
    network: ConcreteNetwork,
    *,
    device: torch.device,
    precision: str,
    replica: int,
    count: int,
    compile: bool = False,
) -> SampleEngines:
    """Return the engine of a device; one message says why it is not the fastest.

    Parameters
    ----------
    program, network : Program, ConcreteNetwork
    device : torch.device
    precision : ``float64`` or ``float32``
    replica : int
        Replica word of the random numbers of the first sample.
    count : int
        Samples side by side.
    compile : bool
        Whether `torch.compile` compiles cells, draws, and statements that all elements execute;
        kernels of Triton are compiled anyway.

    Warns
    -----
    RuntimeWarning
        If Triton is missing on a CUDA device, or cannot build the kernels.
    """
    # Here, since a report needs nothing of torch, which takes seconds to import.
    from .tensors.engine import TensorEngine

    options = {"device": device, "precision": precision, "replica": replica, "count": count}

    def build(engine: Callable[..., SampleEngines]) -> SampleEngines:
        return engine(program, network, **options)

    if device.type == "cuda":
        try:
            from .triton.engine import TritonEngine

            return build(TritonEngine)
        # Without a C compiler Triton raises an OSError or a RuntimeError.
        except (ImportError, OSError, RuntimeError, subprocess.SubprocessError) as error:
            if type(error).__name__ == "OutOfMemoryError":
                raise
            _warn(program.name, str(error).strip().partition("\n")[0])
    return build(partial(TensorEngine, compile=compile))


def _warn(network: str, reason: str) -> None:
    warnings.warn(
        f"backend 'gpu', network {network!r}: Triton cannot build its kernels ({reason}). The run "
        "takes one operation of PyTorch after the other, which is slower. Install triton, and the "
        "C compiler that it needs.",
        RuntimeWarning,
        stacklevel=3,
    )
