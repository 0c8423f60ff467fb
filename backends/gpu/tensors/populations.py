"""Phases 1 to 3 and 5 of the populations: sources, integrate, detect, reset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurosim.draws import streams
from neurosim.ir.program import PopulationProgram, Program

from .cells import CellFunctions, cell_functions
from .compiled import Compiler
from .delivery import SpikeRing
from .draws import PLAIN, draw_range
from .printing import draw_name
from .samples import Samples


@dataclass(frozen=True)
class Clock:
    """The step that is computed, and its words as tensors.

    Attributes
    ----------
    step : int
    t, dt : () tensors
    """

    step: int
    t: Tensor
    dt: Tensor

    @classmethod
    def at(cls, step: int, dt: float, like: Tensor) -> Clock:
        """Return the words of a step; the time is a product of float64, then rounded.

        Parameters
        ----------
        step : int
        dt : float, ms
        like : () tensor
            Of the type and device of the run's numbers.
        """
        return cls(step, torch.full_like(like, step * dt), torch.full_like(like, dt))


class TensorPopulation:
    """A population of a program over tensors.

    Parameters
    ----------
    p : PopulationProgram
    program : Program
    samples : Samples
    words : names of functions -> functions
    replica : int or (B, 1) int64
        Replica words of the samples.
    compiler : Compiler, optional
        Of the statements of its cell, and of their draws.

    Attributes
    ----------
    ring : SpikeRing
    functions : CellFunctions
    """

    def __init__(
        self,
        p: PopulationProgram,
        program: Program,
        samples: Samples,
        *,
        words: Mapping[str, Any],
        replica: Any,
        compiler: Compiler | None = None,
    ) -> None:
        self.p = p
        self.name = p.name
        self._samples = samples
        self._replica = replica
        count = len(samples.memories)
        device = samples.device
        self.ring = SpikeRing(p.history, samples=count, size=p.size, device=device)
        self._blocks = torch.arange((p.size + 3) // 4, device=device)
        self._draws = {
            draw_name(d): (d.kind, streams.key_of(program.seed, f"{p.name}/draw{d.key}"))
            for d in p.code.draws
        }
        self.functions: CellFunctions = cell_functions(p.code, words)
        self._draw_functions = PLAIN if compiler is None else compiler.draws
        if compiler is not None:
            self.functions = compiler.cell(self.functions)
        self._nobody = torch.zeros((count, p.size), dtype=torch.bool, device=device)
        self._given_spikes = [GivenSpikes() for _ in samples.memories]
        self._values: dict[str, Tensor] = {}
        self.follow()

    # ---- the host's changes

    def follow(self) -> None:
        """Follow changes of memory by the host."""
        samples = self._samples
        self._values = {
            name: tensor
            for (owner, name), tensor in samples.tensors.items()
            if owner == self.name and name not in self.p.code.tables
        }
        dtype = torch.from_numpy(np.zeros(0, samples.memories[0].dtype)).dtype
        size = self.p.size
        self._values["i"] = torch.arange(size, dtype=dtype, device=samples.device)
        self._values["N"] = torch.tensor(float(size), dtype=dtype, device=samples.device)
        self._rows = {
            table: [tuple(map(int, m[self.name, f"{table}@rows"])) for m in samples.memories]
            for table in self.p.code.tables
        }
        if self.p.is_spike_source:
            self._given_spikes = [
                GivenSpikes(m[self.name, "_given_step"], m[self.name, "_given_index"])
                for m in samples.memories
            ]

    def read_history(self, step: int) -> None:
        """Read the spikes of the steps before ``step`` from memory, after it was replaced."""
        for earlier in range(step - self.p.history + 1, step):
            mask = self._nobody.clone()
            for sample, memory in enumerate(self._samples.memories):
                spikes = memory.spikes(self.name, earlier)
                neurons = torch.from_numpy(spikes.astype(np.int64))
                mask[sample, neurons] = True
            self.ring.put(earlier, mask)
        self.ring.put(step, self._nobody)

    def write_history(self, first: int, end: int) -> None:
        """Write the spikes of those steps from ``first`` to ``end`` that are stored to memory."""
        for step in range(max(first, end - self.p.history), end):
            quiet = not self.ring.any[step % self.p.history]
            mask = self._nobody if quiet else self.ring.at(step)
            spiked = mask.cpu().numpy()
            for memory, row in zip(self._samples.memories, spiked, strict=True):
                neurons = np.flatnonzero(row).astype(np.int32)
                memory.put_spikes(self.name, step, neurons)

    # ---- values by name

    def row(self, table: str, step: int) -> Tensor:
        """Return the row of a table that is in force at a step, (B, 1) or (B, N)."""
        tensor = self._samples.tensors[self.name, table]
        rows = []
        for every, first, count in self._rows[table]:
            # Before the first row and after the last one, the nearest is in force.
            number = max(step - first, 0) // every
            rows.append(min(number, count - 1))
        if len(set(rows)) == 1:
            return tensor[:, rows[0]]
        # A host may have given each sample a table with other times.
        return torch.stack([tensor[sample, row] for sample, row in enumerate(rows)])

    def value(self, name: str, step: int) -> Tensor:
        """Return a state or parameter as rules and probes read it, (B, 1) or (B, N)."""
        return self.row(name, step) if name in self._rows else self._values[name]

    def _read(self, names: tuple[str, ...], clock: Clock) -> dict[str, Tensor]:
        values = self._values
        special = {"t": clock.t, "dt": clock.dt}
        result: dict[str, Tensor] = {}
        for name in names:
            if name in values:
                result[name] = values[name]
            elif name in special:
                result[name] = special[name]
            else:
                result[name] = self._special(name, clock.step)
        return result

    def _special(self, name: str, step: int) -> Tensor:
        if name in self._draws:
            return self._draw(name, step)
        if name == "_active":
            return step > self._values["_until"]
        return self.row(name, step)

    def _draw(self, name: str, step: int) -> Tensor:
        distribution, key = self._draws[name]
        numbers = draw_range(
            distribution,
            key,
            self._blocks,
            step,
            size=self.p.size,
            replica=self._replica,
            functions=self._draw_functions,
        )
        return numbers.to(self._values["N"].dtype)

    # ---- phases

    def integrate(self, clock: Clock) -> None:
        """Run phases 2 and 3, and store who spikes."""
        if self.p.is_spike_source:
            self.ring.put(clock.step, self._given_at(clock.step))
            return
        functions = self.functions
        new = functions.integrate(self._read(functions.reads["integrate"], clock))
        spiked = self._nobody
        states = self.p.code.states
        for name, value in new.items():
            if name in states:
                # In the order of their first assignments: a result that is another state's own
                # tensor is copied before that state changes.
                self._values[name].copy_(value)
        if functions.detect is not None:
            temporaries = {name: value for name, value in new.items() if name not in states}
            names = tuple(n for n in functions.reads["detect"] if n not in temporaries)
            condition = functions.detect(self._read(names, clock) | temporaries)
            if self.p.code.refractory:
                condition = condition & (clock.step > self._values["_until"])
            spiked = condition.expand(self._nobody.shape)
        self.ring.put(clock.step, spiked)
        for port in self.p.code.ports:
            self._values[f"_port_{port}"].zero_()

    def _given_at(self, step: int) -> Tensor:
        spikes = [sample.at(step) for sample in self._given_spikes]
        if not any(neurons.size for neurons in spikes):
            return self._nobody
        mask = self._nobody.clone()
        for sample, neurons in enumerate(spikes):
            members = torch.from_numpy(neurons.astype(np.int64))
            mask[sample, members.to(mask.device)] = True
        return mask

    def reset(self, clock: Clock) -> None:
        """Run phase 5."""
        if self.p.is_spike_source or not self.ring.any[clock.step % self.p.history]:
            return
        spiked = self.ring.at(clock.step)
        functions = self.functions
        new = functions.after(self._read(functions.reads["after"], clock))
        for name, value in new.items():
            state = self._values[name]
            state.copy_(torch.where(spiked, value, state))
        if self.p.refractory is not None:
            until = self._values["_until"]
            pause = clock.step + self._values["_refractory"]
            until.copy_(torch.where(spiked, pause, until))

    def is_finite(self, sample: int | None = None) -> bool:
        """Return whether all states of one sample, or of all, are finite."""
        part = slice(None) if sample is None else sample
        states = [self._values[state][part] for state in self.p.code.states]
        if not states:
            return True
        # One number for all: a sum is not finite if a state is not. It may also overflow, so that
        # only the second look decides.
        total = torch.stack([state.sum() for state in states]).sum()
        return bool(torch.isfinite(total)) or all(bool(s.isfinite().all()) for s in states)


@dataclass(frozen=True)
class GivenSpikes:
    """The spikes that a user listed for one sample, by step.

    Attributes
    ----------
    steps : (S,) ascending
    neurons : (S,)
    """

    steps: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    neurons: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    def at(self, step: int) -> np.ndarray:
        """Return the neurons that spike in a step."""
        first, last = np.searchsorted(self.steps, [step, step + 1])
        return self.neurons[first:last]
