"""The memory that training with a batch takes: measured on a few steps, before it starts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from neurosim.backend.free_memory import available
from neurosim.errors import NetworkError

# Part of the free memory that a batch may take: gradients and products need some as well.
_SHARE = 0.8


@dataclass(frozen=True)
class MemoryNeed:
    """Bytes that a forward and a backward pass take.

    Attributes
    ----------
    steps, samples : int
        T and B.
    fixed : float
        Whatever the batch.
    per_step : float
        Of each step of a sample, for the backward pass.
    series : float
        Of each step of a sample, whether or not steps are computed again.
    states : float
        Of the states of a sample.
    """

    steps: int
    samples: int
    fixed: float
    per_step: float
    series: float
    states: float

    def bytes(self, chunk: int | None = None) -> float:
        """Return the estimate.

        Parameters
        ----------
        chunk : int, optional
            Steps that are computed again together.
        """
        if chunk is None:
            per_step = self.series + self.per_step
            return self.fixed + self.samples * self.steps * per_step
        # Of one chunk all steps are stored at a time, of the others the states at their ends.
        stored = min(chunk, self.steps) * self.per_step
        boundaries = math.ceil(self.steps / chunk) * self.states
        return self.fixed + self.samples * (self.steps * self.series + stored + boundaries)

    @property
    def best_chunk(self) -> int:
        """The number of steps that takes the least memory."""
        # Where the derivative of chunk * per_step + steps / chunk * states is 0.
        best = math.sqrt(self.steps * self.states / max(self.per_step, 1.0))
        return max(1, min(self.steps, round(best)))


def measure_need(
    run: Callable[[int, int], Any],
    *,
    steps: int,
    samples: int,
    series: int,
    states: int,
    itemsize: int,
) -> MemoryNeed:
    """Return the memory that a batch takes.

    Parameters
    ----------
    run : function (steps, samples) -> tensors
        Runs a forward pass.
    steps, samples : int
        T and B.
    series, states : int
        Numbers that a sample stores in each step, and those of its states.
    itemsize : int
        Bytes of a number.
    """
    # Two samples already need all operations; differences between lengths are exact.
    short = _saved_bytes(lambda: run(2, 2))
    long = _saved_bytes(lambda: run(4, 2))
    # Two steps more, of two samples each.
    per_step = max(long - short, 0.0) / 4
    return MemoryNeed(
        steps=steps,
        samples=samples,
        fixed=max(short - 4 * per_step, 0.0),
        per_step=per_step,
        series=float(series * itemsize),
        states=float(states * itemsize),
    )


def _saved_bytes(run: Callable[[], Any]) -> float:
    """Return the bytes that autograd stores during a forward pass."""
    storages: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: Tensor) -> Tensor:
        # Several tensors may be views of one storage. It is held, so that no other takes its place.
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        results = run()
    total = float(sum(storage.nbytes() for storage in storages.values()))
    del results
    return total


def choose_chunk(need: MemoryNeed, chunk: int | None, *, device: torch.device) -> int | None:
    """Return the steps that are computed again together; None: none are.

    Parameters
    ----------
    need : MemoryNeed
    chunk : int, optional
        That the user chose.
    device : torch.device

    Raises
    ------
    NetworkError
        If the batch does not fit into the free memory.
    """
    free = _free_bytes(device) * _SHARE
    if chunk is None and need.bytes() > free:
        chunk = need.best_chunk
    estimate = need.bytes(chunk)
    if estimate > free:
        how = "" if chunk is None else f", {chunk} steps computed again at a time,"
        raise NetworkError(
            f"Trainer: training with {need.samples} samples of {need.steps} steps{how} takes about "
            f"{estimate / 1e9:.3g} GB, found {free / 1e9:.3g} GB that it may take; expected less. "
            "Use fewer samples in a batch, fewer steps, or precision='float32'."
        )
    return chunk


def _free_bytes(device: torch.device) -> float:
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    return available()
