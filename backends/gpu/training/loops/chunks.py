"""Compiled steps: a population that no other acts on within a chunk, some steps at a time."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from ...tensors.compiled import with_own_code
from ..neurons import Neurons, NeuronState

Steps = Callable[..., tuple[NeuronState, list[Tensor], dict[str, list[Tensor]]]]


class CompiledSteps:
    """Chunks of steps compiled by torch, one program for each population.

    A chunk of another length, such as the last one, and batches of another size than the first
    run step by step: each would be compiled anew.

    Parameters
    ----------
    length : int
        Steps of a chunk.

    Attributes
    ----------
    seconds : float
        Time of compiling until now.
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self.seconds = 0.0
        self._programs: dict[str, Steps] = {}
        self._shapes: dict[str, tuple[int, bool]] = {}
        self._failed = False

    def serves(self, neurons: Neurons, *, steps: int, samples: int) -> bool:
        """Return whether a chunk of a population runs compiled.

        Parameters
        ----------
        neurons : Neurons
        steps : int
            Of the chunk.
        samples : int
        """
        if self._failed or steps != self.length or not neurons.can_be_compiled:
            return False
        shape = samples, torch.is_grad_enabled()
        return self._shapes.setdefault(neurons.name, shape) == shape

    def run(
        self,
        neurons: Neurons,
        state: NeuronState,
        *,
        values: Mapping[str, Tensor],
        series: Mapping[str, list[Tensor]],
        first: int,
        replica: Tensor,
        traced: tuple[str, ...],
    ) -> tuple[NeuronState, list[Tensor], dict[str, list[Tensor]]]:
        """Return the state after a chunk, the spikes of its steps, and traced states.

        Parameters
        ----------
        neurons : Neurons
        state : NeuronState
        values : name -> tensor
            Parameters and constants.
        series : port or parameter -> K tensors (B, N)
            What changes from step to step.
        first : int
            Step.
        replica : (B, 1) int64
        traced : names of states
        """
        known = neurons.name in self._programs
        if not known:
            program = _program_of(neurons, traced)
            self._programs[neurons.name] = torch.compile(
                with_own_code(program), fullgraph=True, dynamic=False
            )
        # A tensor: a number would be compiled into the program.
        k = torch.full((), first, dtype=torch.int64, device=replica.device)
        arguments = state, dict(values), dict(series), k, replica
        began = time.perf_counter()
        try:
            result = self._programs[neurons.name](*arguments)
        except (RuntimeError, OSError) as error:  # of torch, or of the compiler of this machine
            if known:
                raise
            self._failed = True
            warnings.warn(
                f"Trainer: steps could not be compiled ({type(error).__name__}); they run one by "
                "one, with the same numbers. A C++ compiler may be missing.",
                RuntimeWarning,
                stacklevel=2,
            )
            return _program_of(neurons, traced)(*arguments)
        if not known:
            self.seconds += time.perf_counter() - began
        return result


def _program_of(neurons: Neurons, traced: tuple[str, ...]) -> Steps:
    ports = set(neurons.code.ports)

    def program(
        state: NeuronState,
        values: dict[str, Tensor],
        series: dict[str, list[Tensor]],
        k: Tensor,
        replica: Tensor,
    ) -> tuple[NeuronState, list[Tensor], dict[str, list[Tensor]]]:
        spikes: list[Tensor] = []
        traces: dict[str, list[Tensor]] = {name: [] for name in traced}
        steps = len(next(iter(series.values())))
        for step in range(steps):
            now: dict[str, Any] = {name: parts[step] for name, parts in series.items()}
            arriving = {port: now.pop(port) for port in ports}
            state, fired = neurons.step(k + step, state, values | now, arriving, replica=replica)
            if fired is not None:
                spikes.append(fired)
            for name in traced:
                traces[name].append(state.values[name])
        return state, spikes, traces

    return program
