"""The engine: the phases of a step over tensors of B samples."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch

from neurosim.backend.engine import Chunk
from neurosim.ir.concrete import ConcreteNetwork
from neurosim.ir.memory import Memory
from neurosim.ir.program import PlasticProjection, Program, StaticProjection

from .compiled import Compiler
from .delivery import whole_numbers
from .draws import PLAIN
from .populations import Clock, TensorPopulation
from .ports import TensorDrive, TensorEdges, add_terms
from .printing import words
from .reading import Reader
from .recording import TensorRecorder
from .rules import TensorRule
from .samples import Samples

# The sides whose spikes a projection delivers; a same-step one delivers those of sources earlier.
FORTH = frozenset({"pre"})
BACK = frozenset({"post"})
BOTH = FORTH | BACK
_NONE = 1 << 62  # a step that no run reaches


class TensorEngine:
    """Runs a Program over tensors; `neurosim.ir.program` defines the phases of a step.

    Parameters
    ----------
    program : Program
    network : ConcreteNetwork
    device : torch.device
    precision : str
        "float64" or "float32".
    replica : int
        Replica word of the random numbers of sample 0; that of sample b is larger by b.
    count : int
        B samples.
    compile : bool
        Whether `torch.compile` compiles cells, draws, and the statements of rules that all
        elements execute in each step.
    """

    def __init__(
        self,
        program: Program,
        network: ConcreteNetwork,
        *,
        device: torch.device,
        precision: str = "float64",
        replica: int = 0,
        count: int = 1,
        compile: bool = False,
    ) -> None:
        self.program = program
        self._must_read_history = False
        self._is_outdated = False
        self._unwritten = _NONE
        # Memory and tensors share numbers on the CPU, so both need the same type.
        dtype = np.float64 if precision == "float64" else np.float32
        self.samples = Samples(program, network, count=count, dtype=dtype, device=device)
        self.memory: Memory = self.samples.memories[0]
        self.engines = [SampleEngine(self, number) for number in range(count)]
        names = words(getattr(torch, precision))
        self._like = torch.zeros((), dtype=getattr(torch, precision), device=device)
        # One sample has a number, since fewer operations are then made per draw.
        replicas: Any = replica
        if count > 1:
            replicas = replica + torch.arange(count, device=device)[:, None]
        self._compiler = Compiler(program.name) if compile else None
        make = partial(
            TensorPopulation,
            program=program,
            samples=self.samples,
            words=names,
            replica=replicas,
            compiler=self._compiler,
        )
        self._populations = {name: make(p) for name, p in program.populations.items()}
        self._stages = [[self._populations[n] for n in names] for names in program.stages]
        self._reader = Reader(program, self.samples, self._populations)
        self._projections = {
            name: self._projection(p, names, replicas) for name, p in program.projections.items()
        }
        # In the order of creation, which is that of their handlers.
        self._rules = [p for p in self._projections.values() if isinstance(p, TensorRule)]
        functions = PLAIN if self._compiler is None else self._compiler.draws
        self._drives = {
            name: TensorDrive(drive, program, self.samples, replica=replicas, functions=functions)
            for name, drive in program.drives.items()
        }
        self._recorder = TensorRecorder(program, self.samples, self._populations, self._reader)

    def _projection(
        self, p: StaticProjection | PlasticProjection, names: dict[str, Any], replicas: Any
    ) -> TensorEdges | TensorRule:
        if isinstance(p, StaticProjection):
            return TensorEdges(p, self.samples, self._populations[p.source].ring)
        return TensorRule(
            p,
            self.program,
            self.samples,
            populations=self._populations,
            reader=self._reader,
            words=names,
            replica=replicas,
            compiler=self._compiler,
        )

    # ---- the verbs of an engine

    def source(self) -> str:
        computed = [p for p in self._populations.values() if not p.p.is_spike_source]
        parts = [p.functions.source for p in computed]
        parts += [rule.source for rule in self._rules]
        # Populations of one cell print the same source: it is returned once.
        return "\n\n".join(dict.fromkeys(parts))

    def refresh(self) -> None:
        # Once before the next step, however many samples the host has changed.
        self._is_outdated = True

    def _follow(self) -> None:
        """Follow the changes of the host."""
        if not self._is_outdated:
            return
        self._is_outdated = False
        self.samples.follow()
        for part in (*self._populations.values(), *self._projections.values()):
            part.follow()
        for drive in self._drives.values():
            drive.follow()
        self._reader.follow()
        self._must_read_history |= self.samples.take_over()

    def advance(self, first: int, steps: int, *, more: bool = False) -> Chunk:
        """Run steps of the only sample; see `neurosim.backend.engine.Engine.advance`.

        Parameters
        ----------
        first, steps : int
        more : bool
        """
        return self.advance_samples(first, steps, more=more)[0]

    def advance_samples(self, first: int, steps: int, *, more: bool = False) -> list[Chunk]:
        """Run steps of all samples; return a chunk for each.

        Parameters
        ----------
        first, steps : int
        more : bool
            Other steps follow before anybody reads memory.
        """
        self._follow()
        self._unwritten = min(self._unwritten, first)
        # Rings are filled from memory only if a host has replaced spikes there: it costs a copy.
        if self._must_read_history:
            for population in self._populations.values():
                population.read_history(first)
            self._must_read_history = False
        done = 0
        finite = True
        # Nobody differentiates this engine: torch records nothing and skips its counters.
        with torch.inference_mode():
            while done < steps and finite:
                # A step that is not finite ends the stretch, and is not recorded.
                clock = Clock.at(first + done, self.program.dt, self._like)
                finite = self._step(clock)
                if finite:
                    self._recorder.keep(clock)
                    done += 1
                    # The host runs handlers of signals, between this step and the next.
                    if self._emits_signals(clock.step):
                        break
        if not more or not finite:
            self._write(first + done + (not finite))
        chunks = self._recorder.chunks(done)
        if not finite:
            for sample, chunk in enumerate(chunks):
                chunk.finite = all(p.is_finite(sample) for p in self._populations.values())
        return chunks

    def _write(self, end: int) -> None:
        """Write everything that the host may read to memory, after the steps before ``end``."""
        for population in self._populations.values():
            population.write_history(self._unwritten, end)
        self._unwritten = _NONE
        self.samples.pull()

    def emit(
        self,
        signal: str,
        step: int,
        *,
        repeat: int = 0,
        sample: int | None = None,
    ) -> None:
        """Run the handlers of a signal at the end of a step; see `EngineOfSamples.emit`."""
        self._follow()
        clock = Clock.at(step, self.program.dt, self._like)
        with torch.inference_mode():
            for rule in self._rules:
                rule.repeat = repeat
                rule.handle_signal(signal, clock, sample)
                rule.repeat = 0
        self.samples.pull()

    # ---- a step

    def _step(self, clock: Clock) -> bool:
        """Run phases 1 to 5; return False if a state is not finite after 3 or 5."""
        populations = self._populations.values()
        for number, stage in enumerate(self._stages):
            if number > 0:
                self._deliver_within(stage, clock)
            for population in stage:
                population.integrate(clock)
        if not all(population.is_finite() for population in populations):
            return False
        self._recorder.detect(clock)
        self._deliver(clock)
        # Only resets and rules change states after the first check, so that the second one is
        # left out in quiet steps: on a GPU the host waits for each check.
        changed = any(rule.changes_cells for rule in self._rules)
        for population in populations:
            self._sum_ports(population.name, population.p.contributions, clock)
            population.reset(clock)
            spiked = population.ring.any[clock.step % population.p.history]
            changed = changed or spiked
        return not changed or all(population.is_finite() for population in populations)

    def _deliver_within(self, stage: list[TensorPopulation], clock: Clock) -> None:
        """Deliver the spikes of this step along the same-step projections onto a stage."""
        names = [population.name for population in stage]
        for p in self._projections.values():
            if p.p.same_step and p.p.target in names:
                p.deliver(clock, FORTH)
        for population in stage:
            self._sum_ports(population.name, population.p.same_step, clock)

    def _sum_ports(
        self, population: str, terms: Mapping[str, tuple[str, ...]], clock: Clock
    ) -> None:
        for port, inputs in terms.items():
            add_terms(inputs, (population, port), self.samples, drives=self._drives, clock=clock)

    def _deliver(self, clock: Clock) -> None:
        """Run phase 4 without the sums of ports: equations, events, then "step" handlers."""
        for rule in self._rules:
            rule.integrate(clock)
        # Same-step projections have delivered the spikes of their sources between the stages.
        for p in self._projections.values():
            p.deliver(clock, BACK if p.p.same_step else BOTH)
        for rule in self._rules:
            rule.handle_step(clock)

    def _emits_signals(self, step: int) -> bool:
        """Return whether neurons that emit a signal spiked in a step."""
        for signal in self.program.signals:
            ring = self._populations[signal.view.name].ring
            if ring.any[step % len(ring.any)]:
                members = whole_numbers(signal.view.indices, ring.spiked.device)
                spiked = ring.at(step)[:, members]
                if bool(spiked.any()):
                    return True
        return False


class EngineOfSamples(Protocol):
    """What the engine of one sample asks of that of all."""

    samples: Samples

    def emit(
        self,
        signal: str,
        step: int,
        *,
        repeat: int = 0,
        sample: int | None = None,
    ) -> None:
        """Run the handlers of a signal at the end of a step.

        Parameters
        ----------
        signal : str
        step : int
        repeat : int
            How often it was emitted there before.
        sample : int, optional
            The only one to which it is emitted; None: all.
        """
        ...

    def refresh(self) -> None: ...

    def source(self) -> str: ...


class SampleEngine:
    """The engine of one sample, as its run sees it; all samples run their steps together.

    Parameters
    ----------
    engine : EngineOfSamples
    sample : int
    """

    def __init__(self, engine: EngineOfSamples, sample: int) -> None:
        self._engine = engine
        self._sample = sample
        self.memory: Memory = engine.samples.memories[sample]

    def advance(self, first: int, steps: int, *, more: bool = False) -> Chunk:
        """Refuse to run: the batch does; see `TensorEngine.advance_samples`.

        Parameters
        ----------
        first, steps : int
        more : bool

        Raises
        ------
        TypeError
            Always: a mistake of the caller, not of a user.
        """
        raise TypeError("a sample of a batch runs no steps by itself")

    def emit(self, signal: str, step: int, *, repeat: int = 0) -> None:
        """Run the handlers of a signal for this sample alone.

        Parameters
        ----------
        signal : str
        step : int
        repeat : int
            How often it was emitted there before.
        """
        self._engine.emit(signal, step, repeat=repeat, sample=self._sample)

    def refresh(self) -> None:
        self._engine.refresh()

    def source(self) -> str:
        return self._engine.source()
