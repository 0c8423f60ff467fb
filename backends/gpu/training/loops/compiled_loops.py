"""Compiled loops: those of all populations of a Trainer, compiled when they first run."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...tensors.draws import draw_range
from ...tensors.printing import draw_name
from ..neurons import Neurons, NeuronState
from ..terms import Recurrent, Series
from .course import Course, CourseResult
from .passes import Group, run_group
from .printing import LoopCell, names_read
from .work import Loops, Work

_PRECISIONS = {torch.float32: "float32", torch.float64: "float64"}


@dataclass(frozen=True)
class _Inputs:
    """What the loops of a course read.

    Attributes
    ----------
    states, values, series : name -> tensor
    ports : names
        Of those that spikes of the same course reach.
    """

    states: Mapping[str, Tensor]
    values: Mapping[str, Tensor]
    series: Mapping[str, Tensor]
    ports: tuple[str, ...]

    @property
    def by_name(self) -> dict[str, Tensor]:
        """States as ``state x``, values and series."""
        states = {f"state {name}": value for name, value in self.states.items()}
        return {**states, **self.values, **self.series}


class CompiledLoops:
    """The loops of all populations of a Trainer.

    Attributes
    ----------
    seconds : float
        Time of compiling until now.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._compiled: dict[tuple[str, LoopCell], Loops] = {}
        self._read: dict[str, frozenset[str]] = {}
        self._failed = False

    def __reduce__(self) -> tuple[type[CompiledLoops], tuple[()]]:
        # Machine code belongs to its process: a copy links its own when it first runs.
        return CompiledLoops, ()

    def run(
        self, courses: Sequence[Course], states: Sequence[NeuronState]
    ) -> list[CourseResult] | None:
        """Return the spikes and traces of courses; None if their loops cannot be compiled.

        Parameters
        ----------
        courses : sequence of Course
            One, or those of populations that act on each other, in the order of a step.
        states : sequence of NeuronState
            At their start.
        """
        code = courses[0].neurons.code
        if len(courses) == 1 and not (code.states or code.detect is not None):
            # An input that only holds values has nothing to compute.
            return [CourseResult(states[0], None, {})]
        inputs = [
            self._inputs(course, state) for course, state in zip(courses, states, strict=True)
        ]
        tensors: list[Tensor] = []
        for course, of_course in zip(courses, inputs, strict=True):
            tensors += of_course.by_name.values()
            tensors += _tensors_of_summands(course, of_course.ports)
        learns = any(tensor.requires_grad for tensor in tensors)
        differentiated = learns and torch.is_grad_enabled()
        works: list[Work] = []
        for course, of_course, state in zip(courses, inputs, states, strict=True):
            cell = _cell(course, of_course, differentiated=differentiated)
            loops = self._loops(course.neurons.name, cell)
            if loops is None:
                return None
            recurrent = {port: course.recurrent[port] for port in of_course.ports}
            works.append(Work(course, cell, loops, of_course.by_name, recurrent, state.until))
        results = run_group(Group(tuple(works)))
        return [
            CourseResult(NeuronState(final, work.until), spikes, traces)
            for work, (spikes, traces, final) in zip(works, results, strict=True)
        ]

    def _inputs(self, course: Course, state: NeuronState) -> _Inputs:
        neurons = course.neurons
        # A table that rules alone read is no input of the loops.
        read = self._names_read(neurons)
        values = {**course.values, **neurons.words}
        series = {**course.series, **_draws(course)}
        return _Inputs(
            states=state.values,
            values={name: value for name, value in values.items() if name in read},
            series={name: value for name, value in series.items() if name in read},
            ports=tuple(port for port in course.recurrent if f"_port_{port}" in read),
        )

    def _names_read(self, neurons: Neurons) -> frozenset[str]:
        if neurons.name not in self._read:
            self._read[neurons.name] = names_read(neurons.code, neurons.distance_tree)
        return self._read[neurons.name]

    def _loops(self, name: str, cell: LoopCell) -> Loops | None:
        if (name, cell) in self._compiled or self._failed:
            return self._compiled.get((name, cell))
        began = time.perf_counter()
        try:
            self._compiled[name, cell] = Loops(cell)
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


def _cell(course: Course, inputs: _Inputs, *, differentiated: bool) -> LoopCell:
    """Return the cell of a course with what its loops depend on."""
    neurons = course.neurons
    ports = {f"_port_{port}" for port in inputs.ports}
    values = {**course.values, **neurons.words}
    single = {name for name, value in values.items() if value.numel() == 1}
    wanted: set[str] = set()
    if differentiated:
        # States are always differentiated; of other inputs those that learn, to print less.
        both = {**inputs.values, **inputs.series}
        wanted = {name for name, tensor in both.items() if tensor.requires_grad} | ports
    return LoopCell(
        neurons.code,
        neurons.distance_tree,
        _PRECISIONS[neurons.dtype],
        neurons.pause is not None,
        single=frozenset(single),
        series=frozenset({*inputs.series, *ports}),
        traced=course.traced,
        wanted=frozenset(wanted),
        differentiated=differentiated,
        cut=differentiated and course.cuts is not None,
    )


def _tensors_of_summands(course: Course, ports: Sequence[str]) -> list[Tensor]:
    """Return the tensors behind ports that spikes of the same course reach."""
    tensors: list[Tensor] = []
    for port in ports:
        for term in course.recurrent[port]:
            if isinstance(term, Recurrent):
                tensors += term.operands
            elif isinstance(term, Series):
                tensors.append(term.values)
    return tensors


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
