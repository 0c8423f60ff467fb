"""Phases 1 to 3 and 5 of the populations: sources, integrate, detect, reset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurosim.draws import streams
from neurosim.ir.program import PopulationProgram, Program

from .cells import CellFunctions, Values, cell_functions
from .compiled import Compiler
from .delivery import SpikeRing
from .draw_chunks import DrawChunks
from .draws import PLAIN
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


@dataclass(frozen=True)
class Phases:
    """What a population does by itself in a step, each part one function, which may be compiled.

    Attributes
    ----------
    integrate : values -> (..., N) bool, or None
        Phases 2 and 3: states are advanced, and ports emptied. Returns who spikes; None: nobody.
    reset : values -> None
        Phase 5, of the neurons of ``_spiked``; ``_pause_end`` is the last step of a refractory
        time that begins now.
    reads : function's name -> names
        Of ``values``, but for ``_spiked`` and ``_pause_end``.
    """

    integrate: Callable[[Values], Tensor | None]
    reset: Callable[[Values], None]
    reads: Mapping[str, tuple[str, ...]]


def phases_of(p: PopulationProgram, functions: CellFunctions) -> Phases:
    """Return the phases of a population.

    Parameters
    ----------
    p : PopulationProgram
    functions : CellFunctions
        Of its cell.
    """
    code = p.code
    states = code.states
    ports = tuple(f"_port_{port}" for port in code.ports)
    detect = functions.detect
    computed = {a.target for a in code.integrate} - set(states)
    of_detect = tuple(n for n in functions.reads.get("detect", ()) if n not in computed)
    # Neurons of a cell without a spike condition have no refractory time.
    active = ("_active",) if code.refractory and detect is not None else ()
    pauses = p.refractory is not None

    def integrate(values: Values) -> Tensor | None:
        new = functions.integrate(values)
        for name, value in new.items():
            if name in states:
                # In the order of their first assignments: a result that is another state's own
                # tensor is copied before that state changes.
                values[name].copy_(value)
        spiked = None
        if detect is not None:
            temporaries = {name: value for name, value in new.items() if name not in states}
            spiked = detect({**{name: values[name] for name in of_detect}, **temporaries})
            if active:
                spiked = spiked & values["_active"]
        for port in ports:
            values[port].zero_()
        return spiked

    def reset(values: Values) -> None:
        spiked = values["_spiked"]
        for name, value in functions.after(values).items():
            values[name].copy_(torch.where(spiked, value, values[name]))
        if pauses:
            values["_until"].copy_(torch.where(spiked, values["_pause_end"], values["_until"]))

    assigned = {a.target for a in code.integrate} & set(states)
    reset_names = {a.target for a in code.after} | ({"_until"} if pauses else set())
    of_integrate = {*functions.reads["integrate"], *of_detect, *active, *ports, *assigned}
    of_reset = {*functions.reads["after"], *reset_names}
    return Phases(
        integrate,
        reset,
        # Sorted: sets have no order, and the compiler asks whether it stays the same.
        {"integrate": tuple(sorted(of_integrate)), "reset": tuple(sorted(of_reset))},
    )


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
        count = len(samples.memories)
        device = samples.device
        self.ring = SpikeRing(p.history, samples=count, size=p.size, device=device)
        self._draws = {
            draw_name(d): DrawChunks(
                d.kind,
                streams.key_of(program.seed, f"{p.name}/draw{d.key}"),
                torch.arange(p.size, device=device),
                replica=replica,
                dtype=samples.dtype,
                functions=PLAIN if compiler is None else compiler.draws,
            )
            for d in p.code.draws
        }
        self.functions: CellFunctions = cell_functions(p.code, words)
        self._phases: Phases = phases_of(p, self.functions)
        if compiler is not None:
            self._phases = replace(
                self._phases,
                integrate=compiler.compiled(self._phases.integrate),
                reset=compiler.compiled(self._phases.reset),
            )
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
        size = self.p.size
        self._values["i"] = torch.arange(size, dtype=samples.dtype, device=samples.device)
        self._values["N"] = torch.tensor(float(size), dtype=samples.dtype, device=samples.device)
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
            return self._draws[name].at(step)
        if name == "_active":
            return step > self._values["_until"]
        return self.row(name, step)

    # ---- phases

    def integrate(self, clock: Clock) -> None:
        """Run phases 2 and 3, and store who spikes."""
        if self.p.is_spike_source:
            self.ring.put(clock.step, self._given_at(clock.step))
            return
        spiked = self._phases.integrate(self._read(self._phases.reads["integrate"], clock))
        spiked = self._nobody if spiked is None else spiked.expand(self._nobody.shape)
        self.ring.put(clock.step, spiked)

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
        values = self._read(self._phases.reads["reset"], clock)
        values["_spiked"] = self.ring.at(clock.step)
        if self.p.refractory is not None:
            values["_pause_end"] = clock.step + self._values["_refractory"]
        self._phases.reset(values)

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
