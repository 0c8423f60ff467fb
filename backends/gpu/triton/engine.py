"""The Triton engine: a step as a list of launches, and steps captured as a CUDA graph."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import torch
from triton.errors import TritonError

from neurosim.backend.engine import Chunk
from neurosim.ir.concrete import ConcreteNetwork
from neurosim.ir.memory import Key, Memory
from neurosim.ir.program import Program, StaticProjection
from neurosim.ir.spike_signals import find_signals

from ..static_sums import Delivery, is_pushed
from ..tensors.engine import SampleEngine
from ..tensors.samples import Samples
from . import kernels
from .launches import Device, Launch
from .populations import Populations
from .projections import RuleLaunches, RuleSteps, StaticTerms
from .pushing import Pushed
from .recording import Recording, spikes_of
from .words import NEVER, WRONG, words

# Steps of a graph: launching it costs as much as a few kernels.
GRAPH = 16
MOST_SAMPLES = 65_535  # axis 1 of a grid of CUDA
_BYTES = 2**28  # of the ring of spikes and of the buffers of samples
_MOST_STEPS = 4096  # of a stretch
_STEPS = "_given_step", "_given_index", "_since"


class TritonEngine:
    """Runs a Program over a Memory with Triton kernels.

    Parameters
    ----------
    program, network : Program, ConcreteNetwork
    device : torch.device
    precision : ``float64`` or ``float32``
    replica : int
        Replica word of the random numbers of the first sample.
    count : int
        B samples side by side.
    delivery : "pull", "push" or None
        Of static projections; see `static_sums.is_pushed`.
    interpreted : bool, optional
        Whether kernels run in Triton's interpreter; by default they do on the CPU device.

    Raises
    ------
    RuntimeError
        If a CUDA device cannot run so many samples, or Triton cannot build a kernel.

    Attributes
    ----------
    memory : Memory
        Of the first sample.
    samples : Samples
    engines : list of SampleEngine
        One for each sample.
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
        delivery: Delivery | None = None,
        interpreted: bool | None = None,
    ) -> None:
        if device.type == "cuda" and count > MOST_SAMPLES:
            raise RuntimeError(f"a launch has at most {MOST_SAMPLES} samples, found {count}")
        self.program = program
        self.replica = replica
        self.samples = Samples(
            program, network, count=count, dtype=np.dtype(precision).type, device=device
        )
        self.memory: Memory = self.samples.memories[0]
        self.engines = [SampleEngine(self, number) for number in range(count)]
        # Buffers have a fixed size: graphs hold their addresses.
        self._capacity = self._most_steps(count)
        # The clock is on the device, so that a captured graph runs any step without new arguments.
        self._clock = torch.tensor([0, 0, NEVER, replica], dtype=torch.int64, device=device)
        self._first = torch.zeros(1, dtype=torch.int64, device=device)
        interpreted = device.type == "cpu" if interpreted is None else interpreted
        self._device = self._open(precision, count, interpreted=interpreted)
        # A push lands in a later step: same-step projections are always folded.
        pushed = [
            projection
            for projection in program.projections.values()
            if isinstance(projection, StaticProjection)
            and not projection.same_step
            and is_pushed(projection.targets.size, delivery)
        ]
        # Before launches are built: they take the addresses of these arrays.
        self._copy_host_arrays()
        self._pushed = Pushed(self._device, pushed) if pushed else None
        self._rules = {
            name: RuleLaunches(self._device, projection)
            for name, projection in program.plastic.items()
        }
        self._populations = Populations(self._device, StaticTerms(self._device, self._pushed))
        self._recording = Recording(self._device, self._first, self._capacity)
        self._counts = torch.zeros(count, dtype=torch.int32, device=device)
        self._is_stale = True
        self._pulled = 0
        self._build()

    def _most_steps(self, count: int) -> int:
        """Return the most steps of a stretch, so that what it records fits."""
        memory = self.samples.memories[0]
        spikes = sum(population.size for population in self.program.populations.values())
        sampled = 0
        for probe in self.program.probes:
            if probe.variable != "spikes":
                positions, _ = memory.locate(probe.owner, probe.variable)
                # Of float64, in both precisions.
                sampled += 8 * positions.size
        bytes_per_step = max(count * (spikes + sampled), 1)
        fitting = min(_MOST_STEPS, _BYTES // bytes_per_step)
        return max(GRAPH, fitting)

    def _open(self, precision: str, count: int, *, interpreted: bool) -> Device:
        populations = self.program.populations.values()
        columns = {}
        width = 0
        for population in populations:
            columns[population.name] = width
            width += population.size
        # Spikes of the longest delay before a stretch, and those of the stretch itself.
        depth = self._capacity + max((population.history for population in populations), default=0)
        device = self._clock.device
        fired = torch.zeros((count, depth, max(width, 1)), dtype=torch.uint8, device=device)
        return Device(
            self.program,
            self.samples,
            words(precision, interpreted=interpreted),
            self._clock,
            fired,
            columns,
        )

    # ---- the steps

    def _build(self) -> None:
        """Lay out the launches of a step, and of each signal."""
        self._addresses = self._fingerprint()
        # Graphs hold addresses of arrays: those of an earlier layout must not run again.
        self._graphs: dict[int, torch.cuda.CUDAGraph] = {}
        rules = {name: rule.build() for name, rule in self._rules.items()}
        counts = self._counts if self._pushed is None else self._pushed.counts
        block = max(32, _power(counts.numel()))
        tick = self._device.launch(kernels.tick, 1, counts, counts.numel(), block=block)
        step = self._integrate(rules)
        step += self._recording.at_spikes()
        if self._pushed is not None:
            step += self._pushed.launches()
        # All rules phase by phase: a rule may read what another one has changed.
        for rule in rules.values():
            step += rule.equations
        for rule in rules.values():
            step += rule.events
        for rule in rules.values():
            step += rule.handlers.get("step", [])
        step += self._populations.sum_ports()
        step += self._populations.reset()
        step += self._populations.check()
        step += self._recording.launches()
        # One program of one sample: there is one clock.
        step.append(Launch(tick.kernel, (1, 1), tick.arguments, tick.constants))
        self._step = step
        self._signals = _signals(rules)
        if self._clock.device.type == "cuda":
            self._compile()

    def _integrate(self, rules: dict[str, RuleSteps]) -> list[Launch]:
        """Return phases 2 and 3, stage by stage."""
        launches: list[Launch] = []
        for number, names in enumerate(self.program.stages):
            if number > 0:
                for name, projection in self.program.plastic.items():
                    if projection.same_step and projection.target in names:
                        launches += rules[name].within
                launches += self._populations.sum_within(names)
            launches += self._populations.integrate(names)
        return launches

    def launches(self) -> list[Launch]:
        """Return the launches of a step and of all signals, in order."""
        launches = list(self._step)
        for part in self._signals.values():
            launches += part
        return launches

    def _run_steps(self, steps: int) -> None:
        if self._clock.device.type != "cuda":
            for _ in range(steps):
                self._run(self._step)
            return
        with torch.cuda.device(self._clock.device):
            # Few graphs: capturing one for each number of steps would take longer than the steps.
            for size in (GRAPH, 1):
                while steps >= size:
                    self._graph(size).replay()
                    steps -= size

    def _run(self, launches: list[Launch]) -> None:
        device = self._clock.device
        # Triton launches on the current device, which may be another one.
        with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
            for launch in launches:
                launch.run()

    def _graph(self, steps: int) -> torch.cuda.CUDAGraph:
        if steps not in self._graphs:
            graph = torch.cuda.CUDAGraph()
            # Other threads, such as those that load data, may use the device meanwhile.
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                for _ in range(steps):
                    self._run(self._step)
            self._graphs[steps] = graph
        return self._graphs[steps]

    def _compile(self) -> None:
        """Compile all kernels, without a step: a clock that is wrong stops everything.

        Raises
        ------
        RuntimeError
            If Triton cannot build one.
        """
        # Kernels are compiled at their first launch, which a capture of a graph does not allow.
        before = self._clock.clone()
        self._clock[WRONG] = -1
        try:
            self._run(self.launches())
        except TritonError as error:
            raise RuntimeError(str(error)) from error
        torch.cuda.synchronize(self._clock.device)
        self._clock.copy_(before)

    # ---- the protocol of engines

    def source(self) -> str:
        """Return the printed source of cells and rules."""
        return "\n\n".join(self._device.sources)

    def refresh(self) -> None:
        """Follow changes by the host; lay launches out anew if an array was replaced."""
        self.samples.follow()
        self._copy_host_arrays()
        self._is_stale = True
        if self._fingerprint() != self._addresses:
            self._build()

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
            Memory is not read before the next stretch, so that nothing is copied from the device.
        """
        self._follow_spikes(first)
        # The host may have emitted signals since the last stretch, which leave their own clock.
        self._set_clock(first, repeat=0)
        self._first.fill_(first)
        done = 0
        finite = True
        while done < min(steps, self._capacity) and finite:
            # A spike may emit a signal, whose handlers run before the next step.
            count = 1 if self.program.signals else min(steps, self._capacity)
            self._run_steps(count)
            now, _, wrong, _ = self._clock.tolist()
            # The device counts: it stops by itself at a value that is not finite.
            done = now - first
            finite = wrong == NEVER
            if self.program.signals and finite and self._is_signalled(now - 1):
                break
        chunks = [
            self._recording.collect(sample, first, done, finite=finite)
            for sample in range(len(self.samples.memories))
        ]
        if not more or not finite:
            self._pull(first + done + (not finite))
        return chunks

    def emit(
        self,
        signal: str,
        step: int,
        *,
        repeat: int = 0,
        sample: int | None = None,
    ) -> None:
        """Run the handlers of a signal; see `tensors.engine.EngineOfSamples.emit`."""
        self._set_clock(step, repeat=repeat)
        tensors = self.samples.tensors
        # Handlers run for all samples: those without the signal get their values back afterwards.
        before: dict[Key, torch.Tensor] = {}
        if sample is not None and len(self.samples.memories) > 1:
            for key, tensor in tensors.items():
                if key[0] in self.program.plastic:
                    before[key] = tensor.clone()
        self._run(self._signals.get(signal, []))
        for key, values in before.items():
            values[sample] = tensors[key][sample]
            tensors[key].copy_(values)
        self.samples.pull()

    def _set_clock(self, step: int, *, repeat: int) -> None:
        clock = torch.tensor([step, repeat, NEVER, self.replica], dtype=torch.int64)
        self._clock.copy_(clock)

    def _is_signalled(self, step: int) -> bool:
        self._pull_spikes(range(step, step + 1))
        return any(find_signals(self.program, memory, step) for memory in self.samples.memories)

    # ---- host and device

    def _copy_host_arrays(self) -> None:
        """Copy the arrays that only kernels of this engine read on the device."""
        for key in self.memory.arrays:
            if key[1] not in _STEPS and not key[1].endswith("@rows"):
                continue
            arrays = [memory.arrays[key] for memory in self.samples.memories]
            width = max(1, *(array.size for array in arrays))
            # A given spike of step -1 is never due.
            stacked = np.full((len(arrays), width), -1, arrays[0].dtype)
            for row, array in zip(stacked, arrays, strict=True):
                row[: array.size] = array
            held = self._device.structure.get(key)
            if held is not None and held.shape == stacked.shape:
                held.copy_(torch.from_numpy(stacked))
            else:
                self._device.hold(key, stacked, arrays[0].dtype.type)

    def _fingerprint(self) -> list[tuple]:
        """Return what launches depend on: addresses of arrays, and rates, which tables hold."""
        device = self._device
        tensors = {**self.samples.tensors, **self._host_tensors()}
        # Shapes too: an allocator may give a freed address to an array of another size.
        parts: list[tuple] = []
        for key, tensor in tensors.items():
            parts.append((key, tensor.data_ptr(), tuple(tensor.shape)))
        for memory in device.samples.memories:
            for name in self.program.drives:
                parts.append((name, memory[name, "rate"].tobytes()))
        return parts

    def _host_tensors(self) -> dict[Key, torch.Tensor]:
        structure = self._device.structure.items()
        return {key: tensor for key, tensor in structure if key in self.memory}

    def _follow_spikes(self, step: int) -> None:
        """Follow spikes of earlier steps that the host has replaced, and those in flight."""
        if self.samples.take_over():
            self._push_spikes(step)
        if self._is_stale and self._pushed is not None:
            self._pull_spikes(range(self._pulled, step))
            self._pushed.follow(step)
        self._is_stale = False

    def _push_spikes(self, step: int) -> None:
        device = self._device
        self._pulled = step
        # Filled on the host and copied once: a copy per step and sample costs a launch each.
        marks = torch.zeros_like(device.fired, device="cpu")
        for sample, memory in enumerate(self.samples.memories):
            for population in self.program.populations.values():
                column = device.columns[population.name]
                for emitted in range(step - population.history, step):
                    spikes = memory.spikes(population.name, emitted).astype(np.int64)
                    neurons = torch.from_numpy(spikes)
                    row = emitted % device.fired.shape[1]
                    marks[sample, row, column + neurons] = 1
        device.fired.copy_(marks)

    def _pull(self, step: int) -> None:
        """Copy everything to memory; its spikes end before a step."""
        self.samples.pull()
        self._pull_spikes(range(self._pulled, step))

    def _pull_spikes(self, steps: range) -> None:
        for sample, memory in enumerate(self.samples.memories):
            for population in self.program.populations.values():
                # Memory holds the history of a population alone, however long the stretch was.
                first = max(steps.start, steps.stop - population.history)
                last = range(first, steps.stop)
                step, neuron = spikes_of(self._device, population.name, sample, last)
                # One copy from the device for all steps, which are cut apart here.
                cuts = np.searchsorted(step, np.arange(last.start, last.stop + 1))
                for emitted, begin, end in zip(last, cuts[:-1], cuts[1:], strict=True):
                    memory.put_spikes(population.name, emitted, neuron[begin:end].astype(np.int32))
        self._pulled = max(self._pulled, steps.stop)


def _signals(rules: dict[str, RuleSteps]) -> dict[str, list[Launch]]:
    signals: dict[str, list[Launch]] = {}
    for rule in rules.values():
        for trigger, launches in rule.handlers.items():
            if trigger not in ("pre", "post", "step"):
                signals.setdefault(trigger, []).extend(launches)
    return signals


def _power(number: int) -> int:
    return 1 << max(number - 1, 0).bit_length()
