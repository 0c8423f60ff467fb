"""Course: a population whose input is known for all steps, as one loop each way.

A population within which no spike acts before the end of its course needs no step by step: its
loops keep the states of some neurons in the first cache while they go through all steps.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...tensors.draws import draw_range
from ...tensors.printing import draw_name
from ..neurons import Neurons, NeuronState
from .printing import LoopCell, names_read, print_loops

_HERE = Path(__file__).parent
# Neurons whose states stay in the first cache from step to step.
_BLOCK = 1024
# Numbers of a series that are computed together: those of all series stay in the second cache.
_CACHED = 1 << 17
_PRECISIONS = {torch.float32: "float32", torch.float64: "float64"}
Courses = Mapping[str, Tensor]


@dataclass(frozen=True)
class Course:
    """Some steps of a population.

    Attributes
    ----------
    neurons : Neurons
    first, steps : int
    replica : (B, 1) int64
    values : name -> (1,) or (N,)
        Parameters and constants.
    series : ``_port_x`` or parameter -> broadcasts with (T, B, N)
        What changes from step to step; ports without input are missing.
    traced : names of states
        Whose values of all steps are asked for.
    cuts : steps -> bool, or None
        Whether no gradient passes from before a step into its states; None: it always does.
    """

    neurons: Neurons
    first: int
    steps: int
    replica: Tensor
    values: Mapping[str, Tensor]
    series: Courses
    traced: tuple[str, ...]
    cuts: Callable[[int], bool] | None


@dataclass(frozen=True)
class CourseResult:
    """What a course leaves.

    Attributes
    ----------
    state : NeuronState
        After the last step.
    spikes : (T, B, N), or None
        None: the cell never spikes.
    traces : state -> (T, B, N)
    """

    state: NeuronState
    spikes: Tensor | None
    traces: dict[str, Tensor]


class CompiledLoops:
    """The loops of all populations of a Trainer.

    Attributes
    ----------
    seconds : float
        Time of compiling until now.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._compiled: dict[tuple[str, LoopCell], _Loops] = {}
        self._read: dict[str, frozenset[str]] = {}
        self._failed = False
        self._reported_circles: set[tuple[str, ...]] = set()

    def __reduce__(self) -> tuple[type[CompiledLoops], tuple[()]]:
        # Machine code belongs to its process: a copy links its own when it first runs.
        return CompiledLoops, ()

    def tell_circle(self, names: tuple[str, ...]) -> None:
        """Say once that populations that act on each other are not compiled.

        Parameters
        ----------
        names : tuple of str
        """
        if names in self._reported_circles:
            return
        self._reported_circles.add(names)
        warnings.warn(
            f"Trainer, compiled: the steps of {', '.join(names)} run one by one, with the same "
            "numbers: each reads spikes of the step before. Other populations are compiled.",
            RuntimeWarning,
            stacklevel=2,
        )

    def run(self, course: Course, state: NeuronState) -> CourseResult | None:
        """Return the spikes and traces of a course; None if its loops cannot be compiled.

        Parameters
        ----------
        course : Course
        state : NeuronState
        """
        neurons = course.neurons
        if not (neurons.code.states or neurons.code.detect is not None):
            # An input that only holds values has nothing to compute.
            return CourseResult(state, None, {})
        series = {**course.series, **_draws(course)}
        values = {**course.values, **neurons.words}
        inputs = {**{f"state {n}": v for n, v in state.values.items()}, **values, **series}
        read = self._names_read(neurons)
        # A table that rules alone read is no input of the loops.
        series = {n: v for n, v in series.items() if n in read}
        inputs = {n: v for n, v in inputs.items() if n in read or n.startswith("state ")}
        differentiated = torch.is_grad_enabled() and any(v.requires_grad for v in inputs.values())
        single = {n for n, v in values.items() if v.numel() == 1}
        # States are always differentiated; of other inputs those that learn, to print less.
        wanted: set[str] = set()
        if differentiated:
            learning = {n for n, v in inputs.items() if v.requires_grad}
            wanted = {n for n in learning if not n.startswith("state ")}
        cell = LoopCell(
            neurons.code,
            neurons.distance_tree,
            _PRECISIONS[neurons.dtype],
            neurons.pause is not None,
            single=frozenset(single),
            series=frozenset(series),
            traced=course.traced,
            wanted=frozenset(wanted),
            differentiated=differentiated,
            cut=differentiated and course.cuts is not None,
        )
        loops = self._loops(neurons.name, cell)
        if loops is None:
            return None
        work = _Work(course, cell, loops, tuple(inputs), state.until)
        # In the order in which `forward` returns them: spikes, traces, states.
        results = list(_Differentiable.apply(work, *inputs.values()))  # type: ignore[arg-type]
        spikes = results.pop(0) if neurons.code.detect is not None else None
        traces = {name: results.pop(0) for name in course.traced}
        final = dict(zip(neurons.code.states, results, strict=True))
        return CourseResult(NeuronState(final, work.until), spikes, traces)

    def _names_read(self, neurons: Neurons) -> frozenset[str]:
        if neurons.name not in self._read:
            self._read[neurons.name] = names_read(neurons.code, neurons.distance_tree)
        return self._read[neurons.name]

    def _loops(self, name: str, cell: LoopCell) -> _Loops | None:
        if (name, cell) in self._compiled or self._failed:
            return self._compiled.get((name, cell))
        began = time.perf_counter()
        try:
            self._compiled[name, cell] = _Loops(cell)
        # Of Numba and LLVM, on a machine that they do not know.
        except (RuntimeError, OSError, NotImplementedError) as error:
            self._failed = True
            warnings.warn(
                f"Trainer: steps could not be compiled ({type(error).__name__}: {error}); they run "
                "one by one, with the same numbers.",
                RuntimeWarning,
                stacklevel=2,
            )
            return None
        self.seconds += time.perf_counter() - began
        return self._compiled[name, cell]


def _draws(course: Course) -> dict[str, Tensor]:
    """Return the random numbers of all steps, (T, B, N)."""
    neurons = course.neurons
    size = neurons.size
    replica = course.replica
    numbers: dict[str, Tensor] = {}
    for draw, key in neurons.keys.items():
        # By the number of the step in the run: those of `Neurons.step`, whatever the course.
        steps = []
        for k in range(course.first, course.first + course.steps):
            drawn = draw_range(draw.kind, key, neurons.blocks, k, size=size, replica=replica)
            steps.append(drawn.to(neurons.dtype))
        numbers[draw_name(draw)] = torch.stack(steps)
    return numbers


class _Loops:
    """The compiled loops of a cell."""

    def __init__(self, cell: LoopCell) -> None:
        # Numba is imported here: who compiles nothing does not wait for it.
        from neurosim.compiled import cache

        source, self.entries = print_loops(cell)
        self.functions = cache.functions(f"loops_{cell.code.name}", source, engine=_HERE)


@dataclass
class _Work:
    """A course on its way through its loops.

    Attributes
    ----------
    names : of the tensors that follow, in their order
    until : (B, N) int64 or None
        Of the state before; after `forward` of the state after.
    """

    course: Course
    cell: LoopCell
    loops: _Loops
    names: tuple[str, ...]
    until: Tensor | None

    @property
    def shape(self) -> tuple[int, int]:
        """(B, N)."""
        return self.course.replica.shape[0], self.course.neurons.size

    def new(self, *rows: int, dtype: torch.dtype | None = None) -> Tensor:
        """Return an array of rows of M numbers, not yet written."""
        return torch.empty(*rows, *self.shape, dtype=dtype or self.course.neurons.dtype)

    def arrays(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return values and series as the loops read them."""
        result: dict[str, Tensor] = {}
        for name, tensor in tensors.items():
            if name in self.cell.series:
                result[name] = tensor.expand(self.course.steps, *self.shape).contiguous()
            elif name in self.cell.single:
                result[name] = tensor
            else:
                result[name] = tensor.expand(self.shape).contiguous()
        result["@dt"] = torch.tensor(self.course.neurons.dt, dtype=torch.float64)
        return result

    def segments(self) -> list[slice]:
        """Return the rows that are computed together."""
        size = self.shape[0] * self.shape[1]
        length = max(1, _CACHED // size)
        steps = self.course.steps
        return [slice(k, min(k + length, steps)) for k in range(0, steps, length)]

    def call(self, name: str, rows: slice, arrays: Mapping[str, Tensor]) -> None:
        """Call a loop for some steps of all neurons, block by block."""
        samples, neurons = self.shape
        size = samples * neurons
        counts = {
            "@_first": self.course.first + rows.start,
            "@_steps": rows.stop - rows.start,
            "@_size": size,
        }
        entries = self.loops.entries[name]
        words = [counts[e] if e in counts else arrays[e].data_ptr() for e in entries]
        # Held until the calls return: they read it by its address.
        arguments = np.array(words, np.int64)
        address = arguments.ctypes.data
        for start in range(0, size, _BLOCK):
            self.loops.functions[name].call(address, start, min(start + _BLOCK, size))


class _Differentiable(torch.autograd.Function):
    """A course in autograd's graph: of the states, those between segments alone are stored."""

    @staticmethod
    def forward(ctx: Any, work: _Work, *tensors: Tensor) -> tuple[Tensor, ...]:
        course = work.course
        cell = work.cell
        values = dict(zip(work.names, (t.detach() for t in tensors), strict=True))
        arrays = work.arrays({n: v for n, v in values.items() if not n.startswith("state ")})
        whole = {name: arrays[name] for name in cell.series}
        whole |= {f"trace {name}": work.new(course.steps) for name in cell.traced}
        if cell.code.detect is not None:
            whole["spikes"] = work.new(course.steps)
        arrays |= _start(work, values)
        between: dict[str, list[Tensor]] = {name: [] for name in _changing(work)}
        # The first segment is the longest: its buffers serve all.
        segments = work.segments()
        if cell.differentiated:
            arrays |= _buffers(work, segments[0].stop)
        for rows in segments:
            if cell.differentiated:
                for name, ends in between.items():
                    ends.append(arrays[name].clone())
            work.call("forward", rows, {**arrays, **_from(rows, whole)})
        if work.until is not None:
            work.until = arrays["until"]
        if cell.differentiated:
            ctx.work = work
            ctx.shapes = [t.shape for t in tensors]
            saved = {n: arrays[n] for n in (*work.names, "@dt", "pause") if n in arrays}
            saved = {n: a for n, a in saved.items() if not n.startswith("state ")}
            saved |= {f"between {name}": torch.stack(ends) for name, ends in between.items()}
            ctx.names = tuple(saved)
            ctx.save_for_backward(*saved.values())
            ctx.set_materialize_grads(False)
        spikes = [whole["spikes"]] if "spikes" in whole else []
        traces = [whole[f"trace {name}"] for name in cell.traced]
        return (*spikes, *traces, *(arrays[f"state {name}"] for name in cell.code.states))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *gradients: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        work: _Work = ctx.work
        arrays = dict(zip(ctx.names, ctx.saved_tensors, strict=True))
        result = _differentiate(work, arrays, list(gradients))
        # A value that was expanded for the loops has the sum of its copies' gradients.
        of_inputs = [
            result[name].sum_to_size(shape) if name in result else None
            for name, shape in zip(work.names, ctx.shapes, strict=True)
        ]
        return (None, *of_inputs)


def _start(work: _Work, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return copies of the states at the start, since loops change them in place."""
    result: dict[str, Tensor] = {}
    for name in work.cell.code.states:
        state = values[f"state {name}"].expand(work.shape)
        result[f"state {name}"] = state.clone(memory_format=torch.contiguous_format)
    pause = work.course.neurons.pause
    if work.until is not None and pause is not None:
        result |= {"pause": pause.expand(work.shape).contiguous(), "until": work.until.clone()}
    return result


def _changing(work: _Work) -> list[str]:
    """Return the arrays that steps change."""
    names = [f"state {name}" for name in work.cell.code.states]
    return names if work.until is None else [*names, "until"]


def _from(rows: slice, arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return arrays of rows from the first row of a segment on."""
    return {name: array[rows.start :] for name, array in arrays.items()}


def _differentiate(
    work: _Work, saved: Mapping[str, Tensor], gradients: list[Tensor | None]
) -> dict[str, Tensor]:
    """Return the gradients of states at the start, values and series, by name.

    Parameters
    ----------
    work : _Work
    saved : name -> tensor
        By the forward pass.
    gradients : of its results
        None: 0.
    """
    cell = work.cell
    course = work.course
    of_spikes = gradients.pop(0) if cell.code.detect is not None else None
    whole = {name: saved[name] for name in cell.series if name in saved}
    for name in cell.traced:
        whole[f"traced {name}"] = _full(gradients.pop(0), work, course.steps)
    for name in cell.wanted & cell.series:
        whole[f"gradient {name}"] = work.new(course.steps)
    if cell.cut and course.cuts is not None:
        steps = range(course.first, course.first + course.steps)
        # Factors by which the carried error is multiplied: 0 cuts it.
        passing = [float(not (k > 0 and course.cuts(k))) for k in steps]
        whole["pass"] = torch.tensor(passing, dtype=course.neurons.dtype)
    fixed = {n: a for n, a in saved.items() if n not in whole and not n.startswith("between ")}
    for name, gradient in zip(cell.code.states, gradients, strict=True):
        fixed[f"carry {name}"] = _full(gradient, work).clone()
    for name in cell.wanted - cell.series:
        fixed[f"gradient {name}"] = work.new().zero_()
    segments = work.segments()
    # The steps run again: their spikes and traces are known, and go into arrays of no use.
    buffers = _buffers(work, segments[0].stop) | _unused(work, segments[0].stop)
    buffers |= {name: torch.empty_like(saved[f"between {name}"][0]) for name in _changing(work)}
    for number, rows in reversed(list(enumerate(segments))):
        for name in _changing(work):
            buffers[name].copy_(saved[f"between {name}"][number])
        for name in cell.code.states:
            buffers[f"stored {name}"][0] = buffers[f"state {name}"]
        arrays = {**fixed, **buffers, **_from(rows, whole)}
        work.call("forward", rows, arrays)
        if cell.code.detect is not None:
            part = None if of_spikes is None else of_spikes[rows]
            _compute_errors(course.neurons, part, arrays)
        work.call("backward", rows, arrays)
    result = {f"state {name}": fixed[f"carry {name}"] for name in cell.code.states}
    both = {**fixed, **whole}
    return result | {name: both[f"gradient {name}"] for name in cell.wanted}


def _buffers(work: _Work, steps: int) -> dict[str, Tensor]:
    """Return what the backward loop reads of a segment: all segments use it in turn."""
    states = work.cell.code.states
    buffers = {f"stored {name}": work.new(steps + 1) for name in states}
    if work.cell.code.detect is not None:
        buffers |= {"distance": work.new(steps), "error": work.new(steps)}
    if work.until is not None:
        buffers["active"] = work.new(steps, dtype=torch.uint8)
    return buffers


def _unused(work: _Work, steps: int) -> dict[str, Tensor]:
    return {"spikes": work.new(steps)} | {
        f"trace {name}": work.new(steps) for name in work.cell.traced
    }


def _full(gradient: Tensor | None, work: _Work, *rows: int) -> Tensor:
    return work.new(*rows).zero_() if gradient is None else gradient.contiguous()


def _compute_errors(
    neurons: Neurons, gradient: Tensor | None, arrays: Mapping[str, Tensor]
) -> None:
    """Compute the derivative of the loss by the distance from threshold of each step."""
    if gradient is None:
        arrays["error"].zero_()
        return
    distance = arrays["distance"][: gradient.shape[0]]
    slope = neurons.surrogate.derivative(distance / neurons.width) / neurons.width
    errors = arrays["error"][: gradient.shape[0]]
    torch.mul(gradient, slope.to(distance.dtype), out=errors)
