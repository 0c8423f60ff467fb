"""Passes: populations through their loops, forward and backward, as one function of autograd.

A population on which no spike of its own acts goes through all steps of a segment by one call.
Populations that act on each other go step by step: their spikes of a step are multiplied by the
weights of recurrent projections, and errors at their ports by the same weights on the way back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..terms import History, Recurrent, Series, Term, sum_at
from .work import Arrays, Caller, Work

# Numbers of a series that are computed together: those of all series stay in the second cache.
_CACHED = 1 << 17


@dataclass(frozen=True)
class _Summand:
    """A term of a port that spikes of the same course reach."""

    work: Work
    port: str
    term: Term

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Tensors by which is differentiated."""
        if isinstance(self.term, Recurrent):
            return self.term.operands
        return (self.term.values,) if isinstance(self.term, Series) else ()


class Group:
    """Populations that go through their loops together.

    Parameters
    ----------
    works : tuple of Work
        In the order of a step.
    """

    def __init__(self, works: tuple[Work, ...]) -> None:
        self.works = works
        self.summands: list[_Summand] = []
        for work in works:
            for port, terms in work.recurrent.items():
                self.summands += [_Summand(work, port, term) for term in terms]

    @property
    def tensors(self) -> list[Tensor]:
        """All by which is differentiated: inputs of each work, then those of summands."""
        tensors: list[Tensor] = []
        for work in self.works:
            tensors += work.inputs.values()
        for summand in self.summands:
            tensors += summand.tensors
        return tensors

    @property
    def recurrent(self) -> list[tuple[_Summand, Recurrent]]:
        """The summands that are made step by step."""
        return [
            (summand, summand.term)
            for summand in self.summands
            if isinstance(summand.term, Recurrent)
        ]

    def segments(self) -> list[slice]:
        """Return the steps whose states are computed again together."""
        length = max(1, _CACHED // max(work.size for work in self.works))
        steps = self.works[0].course.steps
        return [slice(first, min(first + length, steps)) for first in range(0, steps, length)]

    def parts(self, segment: slice) -> list[slice]:
        """Return the steps of a segment that one call runs."""
        if not self.summands:
            return [segment]
        return [slice(step, step + 1) for step in range(segment.start, segment.stop)]


def run_group(group: Group) -> list[tuple[Tensor | None, dict[str, Tensor], dict[str, Tensor]]]:
    """Return spikes, traces and last states of each population.

    Parameters
    ----------
    group : Group
    """
    tensors: tuple[Tensor, ...] = _Differentiable.apply(group, *group.tensors)  # type: ignore
    remaining = iter(tensors)
    results = []
    for work in group.works:
        # In the order in which `forward` returns them: spikes, traces, states.
        spikes = next(remaining) if work.spiking else None
        traces = {name: next(remaining) for name in work.cell.traced}
        states = {name: next(remaining) for name in work.cell.code.states}
        results.append((spikes, traces, states))
    return results


class _Differentiable(torch.autograd.Function):
    """A group in autograd's graph: of the states, those between segments alone are stored."""

    @staticmethod
    def forward(ctx: Any, group: Group, *tensors: Tensor) -> tuple[Tensor, ...]:
        remaining = iter(tensors)
        inputs = []
        for work in group.works:
            inputs.append({name: next(remaining).detach() for name in work.inputs})
        passed = _Forward(group, inputs)
        passed.run()
        if group.works[0].cell.differentiated:
            stored = [*passed.of_works(), *passed.of_projections()]
            ctx.group = group
            ctx.shapes = [tensor.shape for tensor in tensors]
            ctx.names = [list(tensors_by_name) for tensors_by_name in stored]
            flat: list[Tensor] = []
            for tensors_by_name in stored:
                flat += tensors_by_name.values()
            ctx.save_for_backward(*flat)
            ctx.set_materialize_grads(False)
        return tuple(passed.results())

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *gradients: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        group: Group = ctx.group
        remaining = iter(ctx.saved_tensors)
        stored = [{name: next(remaining) for name in names} for names in ctx.names]
        count = len(group.works)
        passed = _Backward(group, stored[:count], stored[count:], gradients=iter(gradients))
        passed.run()
        results: list[Tensor | None] = [None]
        for gradient, shape in zip(
            passed.results(ctx.needs_input_grad[1:]), ctx.shapes, strict=True
        ):
            # A value that was expanded for the loops has the sum of its copies' gradients.
            results.append(None if gradient is None else gradient.sum_to_size(shape))
        return tuple(results)


class _Forward:
    """The forward pass of a group."""

    def __init__(self, group: Group, inputs: list[dict[str, Tensor]]) -> None:
        self._group = group
        self._inputs = inputs
        self._segments = group.segments()
        self._arrays = [
            _start(work, values, self._segments[0].stop)
            for work, values in zip(group.works, inputs, strict=True)
        ]
        self._history: History = {work.name: [] for work in group.works}
        self._between: list[dict[str, list[Tensor]]] = []
        for work in group.works:
            self._between.append({name: [] for name in work.changing})

    def run(self) -> None:
        """Run all steps."""
        works = list(zip(self._group.works, self._arrays, strict=True))
        callers = [Caller(work, "forward", arrays) for work, arrays in works]
        for segment in self._segments:
            self._store_states()
            for steps in self._group.parts(segment):
                for (work, arrays), call in zip(works, callers, strict=True):
                    self._sum_ports(work, arrays, steps.start)
                    call(steps, segment)
                    if self._group.summands and work.spiking:
                        self._history[work.name].append(arrays.whole["spikes"][steps.start])

    def _store_states(self) -> None:
        """Store the states before a segment."""
        if not self._group.works[0].cell.differentiated:
            return
        for arrays, between in zip(self._arrays, self._between, strict=True):
            for name, ends in between.items():
                ends.append(arrays.fixed[name].clone())

    def _sum_ports(self, work: Work, arrays: Arrays, step: int) -> None:
        """Add up what arrives before a step, by the operations of steps one by one."""
        for port, terms in work.recurrent.items():
            total = sum_at(terms, step, self._history)
            if total is not None:
                arrays.whole[f"_port_{port}"][step] = total

    def results(self) -> list[Tensor]:
        """Return spikes, traces and last states of each population."""
        results: list[Tensor] = []
        for work, arrays in zip(self._group.works, self._arrays, strict=True):
            if work.until is not None:
                work.until = arrays.fixed["until"]
            if work.spiking:
                results.append(arrays.whole["spikes"])
            results += [arrays.whole[f"trace {name}"] for name in work.cell.traced]
            results += [arrays.fixed[f"state {name}"] for name in work.cell.code.states]
        return results

    def of_works(self) -> list[dict[str, Tensor]]:
        """Return what the backward pass reads of each work: its inputs, and states between."""
        stored = []
        works = zip(self._group.works, self._arrays, self._between, strict=True)
        for work, arrays, between in works:
            traces = {f"trace {name}" for name in work.cell.traced}
            results = {*work.changing, *traces, "spikes"}
            by_name = {**arrays.fixed, **arrays.whole}
            inputs = {name: array for name, array in by_name.items() if name not in results}
            states = {f"between {name}": torch.stack(ends) for name, ends in between.items()}
            stored.append(inputs | states)
        return stored

    def of_projections(self) -> list[dict[str, Tensor]]:
        """Return what the backward pass reads of each recurrent projection."""
        result = []
        for _, term in self._group.recurrent:
            spikes = self._spikes_of(term.connection.source)
            stored = {"rows": term.rows(spikes, self._history)}
            for number, operand in enumerate(term.operands):
                stored[f"operand {number}"] = operand
            result.append(stored)
        return result

    def _spikes_of(self, population: str) -> Tensor:
        names = [work.name for work in self._group.works]
        return self._arrays[names.index(population)].whole["spikes"]


def _start(work: Work, inputs: Mapping[str, Tensor], length: int) -> Arrays:
    """Return the arrays of a forward pass; ``length`` is that of a segment."""
    fixed: dict[str, Tensor] = {}
    whole: dict[str, Tensor] = {}
    steps = work.course.steps
    for name, tensor in inputs.items():
        if name.startswith("state "):
            # Loops change states in place.
            state = tensor.expand(work.shape)
            fixed[name] = state.clone(memory_format=torch.contiguous_format)
        elif name in work.cell.series:
            whole[name] = work.lay_out(name, tensor)
        else:
            fixed[name] = work.lay_out(name, tensor)
    fixed["@dt"] = torch.tensor(work.course.neurons.dt, dtype=torch.float64)
    pause = work.course.neurons.pause
    if work.until is not None and pause is not None:
        fixed |= {"pause": pause.expand(work.shape).contiguous(), "until": work.until.clone()}
    # Nothing arrives at first.
    whole |= {f"_port_{port}": work.new(steps).zero_() for port in work.recurrent}
    whole |= {f"trace {name}": work.new(steps) for name in work.cell.traced}
    if work.spiking:
        whole["spikes"] = work.new(steps)
    buffers = work.buffers(length) if work.cell.differentiated else {}
    return Arrays(fixed, whole, buffers)


class _Backward:
    """The backward pass of a group.

    Parameters
    ----------
    group : Group
    of_works, of_projections : list of name -> tensor
        By the forward pass.
    gradients : iterator
        Of its results; None: 0.
    """

    def __init__(
        self,
        group: Group,
        of_works: list[dict[str, Tensor]],
        of_projections: list[dict[str, Tensor]],
        *,
        gradients: Iterator[Tensor | None],
    ) -> None:
        self._group = group
        self._segments = group.segments()
        self._stored = of_works
        self._of_projections = of_projections
        sources = {term.connection.source for _, term in group.recurrent}
        self._errors: dict[str, Tensor | None] = {}
        self._arrays: list[Arrays] = []
        for work, stored in zip(group.works, of_works, strict=True):
            of_spikes = next(gradients) if work.spiking else None
            if work.name in sources:
                # Errors of later steps are added to those of the result.
                of_spikes = work.full(of_spikes, work.course.steps).clone()
            self._errors[work.name] = of_spikes
            self._arrays.append(_start_back(work, stored, self._segments[0].stop, gradients))
        self._into: dict[str, list[tuple[_Summand, Recurrent, tuple[Tensor, ...]]]] = {
            work.name: [] for work in group.works
        }
        for (summand, term), stored in zip(group.recurrent, of_projections, strict=True):
            operands = _operands_of(term, stored)
            self._into[summand.work.name].append((summand, term, operands))

    def run(self) -> None:
        """Run all steps, from the last to the first."""
        works = list(zip(self._group.works, self._arrays, strict=True))
        again = [Caller(work, "forward", arrays) for work, arrays in works]
        callers = [Caller(work, "backward", arrays) for work, arrays in works]
        for number, segment in reversed(list(enumerate(self._segments))):
            slopes = []
            for (work, arrays), stored, call in zip(works, self._stored, again, strict=True):
                _restore(work, arrays, stored, number)
                # What arrived at ports is known: all steps run again by one call.
                call(segment, segment)
                slopes.append(self._slope(work, arrays, segment))
            for steps in reversed(self._group.parts(segment)):
                for position in reversed(range(len(works))):
                    work, arrays = works[position]
                    self._read_errors(work, arrays, slopes[position], steps, segment)
                    callers[position](steps, segment)
                    self._send_back(work, arrays, steps.start)

    def _slope(self, work: Work, arrays: Arrays, segment: slice) -> Tensor | None:
        """Return the derivative of the spikes of a segment; None: nothing depends on them."""
        if self._errors[work.name] is None:
            return None
        neurons = work.course.neurons
        distance = arrays.buffers["distance"][: segment.stop - segment.start]
        if neurons.width == 1.0:
            return neurons.surrogate.derivative(distance).to(distance.dtype)
        slope = neurons.surrogate.derivative(distance / neurons.width) / neurons.width
        return slope.to(distance.dtype)

    def _read_errors(
        self,
        work: Work,
        arrays: Arrays,
        slope: Tensor | None,
        steps: slice,
        segment: slice,
    ) -> None:
        """Compute the derivative of the loss by the distance from threshold in some steps."""
        if not work.spiking:
            return
        errors = self._errors[work.name]
        rows = slice(steps.start - segment.start, steps.stop - segment.start)
        if errors is None or slope is None:
            arrays.buffers["error"][rows].zero_()
        else:
            torch.mul(errors[steps], slope[rows], out=arrays.buffers["error"][rows])

    def _send_back(self, work: Work, arrays: Arrays, step: int) -> None:
        """Add the errors at the ports of a step to those of the spikes that arrived then."""
        for summand, term, operands in self._into[work.name]:
            at_port = arrays.whole[f"gradient _port_{summand.port}"][step]
            for number in range(len(operands)):
                emitted = step - term.late(number)
                if emitted < 0 or term.method.cuts_spikes(emitted, step):
                    continue
                sent = term.connection.send_back(at_port, operands, number)
                errors = self._errors[term.connection.source]
                if sent is not None and errors is not None:
                    errors[emitted] += sent

    def results(self, needed: tuple[bool, ...]) -> list[Tensor | None]:
        """Return the gradients of the tensors of the group, None for those that have none."""
        results: list[Tensor | None] = []
        for work, arrays in zip(self._group.works, self._arrays, strict=True):
            by_name = {**arrays.fixed, **arrays.whole}
            for name in work.inputs:
                is_state = name.startswith("state ")
                key = name.replace("state", "carry", 1) if is_state else f"gradient {name}"
                results.append(by_name.get(key))
        arrays_of = dict(zip(self._into, self._arrays, strict=True))
        of_projections = iter(self._of_projections)
        for summand in self._group.summands:
            at_port = arrays_of[summand.work.name].whole[f"gradient _port_{summand.port}"]
            if isinstance(summand.term, Recurrent):
                needed_here = needed[len(results) : len(results) + len(summand.tensors)]
                stored = next(of_projections)
                results += _differentiate_operands(summand.term, at_port, stored, needed_here)
            else:
                results += [at_port for _ in summand.tensors]
        return results


def _start_back(
    work: Work, stored: Mapping[str, Tensor], length: int, gradients: Iterator[Tensor | None]
) -> Arrays:
    """Return the arrays of a backward pass; ``length`` is that of a segment."""
    cell = work.cell
    course = work.course
    fixed = {name: array for name, array in stored.items() if not name.startswith("between ")}
    whole = {name: fixed.pop(name) for name in cell.series if name in fixed}
    for name in cell.traced:
        whole[f"traced {name}"] = work.full(next(gradients), course.steps)
    for name in cell.wanted & cell.series:
        whole[f"gradient {name}"] = work.new(course.steps)
    if cell.cut and course.cuts is not None:
        steps = range(course.first, course.first + course.steps)
        # Factors by which the carried error is multiplied: 0 cuts it.
        passing = [float(not (k > 0 and course.cuts(k))) for k in steps]
        whole["pass"] = torch.tensor(passing, dtype=course.neurons.dtype)
    for name in cell.code.states:
        fixed[f"carry {name}"] = work.full(next(gradients)).clone()
    for name in cell.wanted - cell.series:
        fixed[f"gradient {name}"] = work.new().zero_()
    for name in work.changing:
        fixed[name] = torch.empty_like(stored[f"between {name}"][0])
    # The steps run again: their spikes and traces are known, and go into arrays of no use.
    unused = {"spikes": work.new(length)}
    unused |= {f"trace {name}": work.new(length) for name in cell.traced}
    return Arrays(fixed, whole, work.buffers(length) | unused)


def _restore(work: Work, arrays: Arrays, stored: Mapping[str, Tensor], number: int) -> None:
    """Restore the states before a segment."""
    for name in work.changing:
        arrays.fixed[name].copy_(stored[f"between {name}"][number])
    for name in work.cell.code.states:
        arrays.buffers[f"stored {name}"][0] = arrays.fixed[f"state {name}"]


def _operands_of(term: Recurrent, stored: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    """Return the operands of a projection, one for each delay."""
    return tuple(stored[f"operand {number}"] for number in range(len(term.operands)))


def _differentiate_operands(
    term: Recurrent,
    at_port: Tensor,
    stored: Mapping[str, Tensor],
    needed: tuple[bool, ...],
) -> list[Tensor | None]:
    """Return the gradients of the operands of a projection, by all steps at once."""
    operands = _operands_of(term, stored)
    results: list[Tensor | None] = []
    for number, is_needed in enumerate(needed):
        errors = at_port[term.late(number) :]
        rows = stored["rows"][: errors.shape[0]]
        gradient = None
        # A delay longer than the run brings nothing.
        if is_needed and errors.shape[0] > 0:
            gradient = term.connection.differentiate(errors, rows, operands, number)
        results.append(gradient)
    return results
