"""Groups of populations that act on each other: what can be computed for all steps at once.

Populations that form no circle are computed one after the other, each for all steps; so their
input is one product of matrices. Those of a circle are computed together, step by step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from .gradients.methods import Method
from .loops.chunks import CompiledSteps
from .loops.compiled_loops import CompiledLoops
from .loops.course import Course, CourseResult
from .neurons import Neurons, NeuronState
from .terms import History, Recurrent, Series, Term, sum_at


def order_groups(names: Sequence[str], edges: Iterable[tuple[str, str]]) -> list[tuple[str, ...]]:
    """Return groups of nodes, each after those that it depends on.

    Parameters
    ----------
    names : sequence of str
    edges : (source, target) pairs

    Returns
    -------
    list of names in the given order
    """
    after: dict[str, set[str]] = {name: set() for name in names}
    for source, target in edges:
        if source in after and target in after:
            after[source].add(target)
    reach = {name: _reachable(name, after) for name in names}
    group_of: dict[str, tuple[str, ...]] = {}
    for name in names:
        circle = {other for other in reach[name] if name in reach[other]}
        # In the order of the names, so that all members of a circle have the same group.
        group_of[name] = tuple(other for other in names if other == name or other in circle)
    # Groups form no circle, so that they have an order.
    before: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for group in group_of.values():
        before[group] = set()
    for name in names:
        for other in after[name]:
            if group_of[other] != group_of[name]:
                before[group_of[other]].add(group_of[name])
    return list(TopologicalSorter(before).static_order())


def _reachable(name: str, after: dict[str, set[str]]) -> set[str]:
    visited: set[str] = set()
    pending = list(after[name])
    while pending:
        following = pending.pop()
        if following not in visited:
            visited.add(following)
            pending += after[following]
    return visited


@dataclass
class Member:
    """A population of a group during one call.

    Attributes
    ----------
    neurons : Neurons
    values : name -> tensor
    courses : parameter -> Series
        Parameters that change in each step.
    terms : port -> summands in the order of the sum
    state : NeuronState
    traced : names of states whose values of each step are asked for
    """

    neurons: Neurons
    values: dict[str, Tensor]
    courses: dict[str, Series]
    terms: dict[str, list[Term]]
    state: NeuronState
    traced: tuple[str, ...]


def run_group(
    members: dict[str, Member],
    method: Method,
    *,
    steps: int,
    replica: Tensor,
    chunk: int | None,
    compiled: CompiledSteps | CompiledLoops | None = None,
) -> tuple[dict[str, Tensor], dict[tuple[str, str], Tensor]]:
    """Run the populations of a group.

    Parameters
    ----------
    members : name -> Member
        In the order of a step; their states are those after the last step then.
    method : Method
    steps : int
        T.
    replica : (B, 1) int64
    chunk : int, optional
        Steps that are computed again in the backward pass, so that only their states are stored.
    compiled : CompiledSteps or CompiledLoops, optional

    Returns
    -------
    spikes : population -> (T, B, N)
    traces : (population, state) -> (T, B, N)
    """
    if isinstance(compiled, CompiledLoops):
        looped = _run_looped(
            members, method, steps=steps, replica=replica, chunk=chunk, compiled=compiled
        )
        if looped is not None:
            return looped
        compiled = None
    chunk_length = chunk or steps
    # A cut would be within the compiled steps, which are one function.
    is_one_function = _stands_alone(members) and not method.cuts_states(1)
    if chunk is not None or not is_one_function:
        compiled = None
    if compiled is not None:
        chunk_length = compiled.length
    history: History = {name: [] for name in members}
    traces: dict[tuple[str, str], list[Tensor]] = {
        (name, state): [] for name, member in members.items() for state in member.traced
    }
    for first in range(0, steps, chunk_length):
        range_of_steps = range(first, min(first + chunk_length, steps))
        part = _Part(members, method, range_of_steps, replica, compiled)
        states = {name: member.state for name, member in members.items()}
        if chunk is None or not torch.is_grad_enabled():
            states, new, recorded = part.run(states, history)
        else:
            # Draws depend on counters alone: there is no generator whose state must be restored.
            states, new, recorded = checkpoint(
                part.run, states, history, use_reentrant=False, preserve_rng_state=False
            )
        for name, member in members.items():
            member.state = states[name]
        for name, spikes in new.items():
            history[name] = history.get(name, []) + spikes
        for key, values in recorded.items():
            traces[key] += values
    spikes = {name: torch.stack(history[name]) for name in members if history[name]}
    return spikes, {key: torch.stack(values) for key, values in traces.items()}


@dataclass(frozen=True)
class _Part:
    """Some steps of a group, as a function without side effects."""

    members: dict[str, Member]
    method: Method
    steps: range
    replica: Tensor
    compiled: CompiledSteps | None

    def run(
        self, states: dict[str, NeuronState], earlier: History
    ) -> tuple[dict[str, NeuronState], History, dict[tuple[str, str], list[Tensor]]]:
        """Return the states after the steps, their spikes and traces, and recorded states."""
        if self.compiled is not None:
            (name,) = self.members
            steps = len(self.steps)
            samples = self.replica.shape[0]
            # A last part of another length runs step by step, with the same numbers.
            if self.compiled.serves(self.members[name].neurons, steps=steps, samples=samples):
                return self._run_compiled(name, states[name], self.compiled)
        # Copies: a checkpoint runs a part again, which must then find the same states.
        states = dict(states)
        history = {name: list(spikes) for name, spikes in earlier.items()}
        recorded: dict[tuple[str, str], list[Tensor]] = {}
        for k in self.steps:
            cut = k > 0 and self.method.cuts_states(k)
            for name, member in self.members.items():
                state = states[name].detached() if cut else states[name]
                ports = {
                    port: self._sum(member, terms, k, history)
                    for port, terms in member.terms.items()
                }
                values = member.values
                if member.courses:
                    values = values | {
                        parameter: course.steps[k] for parameter, course in member.courses.items()
                    }
                states[name], spikes = member.neurons.step(
                    k, state, values, ports, replica=self.replica
                )
                if spikes is not None:
                    history[name].append(spikes)
                for traced in member.traced:
                    recorded.setdefault((name, traced), []).append(states[name].values[traced])
        # The new spikes alone: a checkpoint must not hold those of earlier parts again.
        new: History = {}
        for name, spikes in history.items():
            before = len(earlier.get(name, []))
            new[name] = spikes[before:]
        return states, new, recorded

    def _run_compiled(
        self, name: str, state: NeuronState, compiled: CompiledSteps
    ) -> tuple[dict[str, NeuronState], History, dict[tuple[str, str], list[Tensor]]]:
        member = self.members[name]
        window = slice(self.steps.start, self.steps.stop)
        series: dict[str, list[Tensor]] = {}
        for parameter, course in member.courses.items():
            series[parameter] = list(course.steps[window])
        for port, terms in member.terms.items():
            first = terms[0] if terms else None
            if isinstance(first, Series):
                series[port] = list(first.steps[window])
            else:
                # One tensor of zeros for all steps: compiled steps take a series for each port.
                nothing = self._sum(member, [], self.steps.start, {})
                series[port] = [nothing] * len(self.steps)
        state, spikes, traces = compiled.run(
            member.neurons,
            state,
            values=member.values,
            series=series,
            first=self.steps.start,
            replica=self.replica,
            traced=member.traced,
        )
        recorded = {(name, traced): values for traced, values in traces.items()}
        new = {name: spikes} if spikes else {}
        return {name: state}, new, recorded

    def _sum(
        self,
        member: Member,
        terms: list[Term],
        k: int,
        history: History,
    ) -> Tensor:
        total = sum_at(terms, k, history)
        if total is not None:
            return total
        neurons = member.neurons
        shape = self.replica.shape[0], neurons.size
        return torch.zeros(shape, dtype=neurons.dtype, device=self.replica.device)


def _stands_alone(members: Mapping[str, Member]) -> bool:
    """Return whether a group is one population whose input is known for all steps."""
    if len(members) != 1:
        return False
    (member,) = members.values()
    return all(not terms or _are_one_series(terms) for terms in member.terms.values())


def _are_one_series(terms: list[Term]) -> bool:
    return len(terms) == 1 and isinstance(terms[0], Series)


def _run_looped(
    members: dict[str, Member],
    method: Method,
    *,
    steps: int,
    replica: Tensor,
    chunk: int | None,
    compiled: CompiledLoops,
) -> tuple[dict[str, Tensor], dict[tuple[str, str], Tensor]] | None:
    """Run the populations of a group by loops; None if they cannot be compiled."""
    cuts = any(method.cuts_states(k) for k in range(1, steps))
    # Populations that act on each other run whole: their loops store states alone anyway.
    is_cut_into_chunks = chunk is not None and _stands_alone(members)
    length = chunk if chunk is not None and is_cut_into_chunks else steps
    results: dict[str, list[CourseResult]] = {name: [] for name in members}
    for first in range(0, steps, length):
        window = slice(first, min(first + length, steps))
        courses = [
            Course(
                neurons=member.neurons,
                first=first,
                steps=window.stop - first,
                replica=replica,
                values=member.values,
                series=_series_of(member, window),
                recurrent=_recurrent_of(member),
                traced=member.traced,
                cuts=method.cuts_states if cuts else None,
            )
            for member in members.values()
        ]
        states = [member.state for member in members.values()]
        if is_cut_into_chunks and torch.is_grad_enabled():
            ends = checkpoint(
                compiled.run, courses, states, use_reentrant=False, preserve_rng_state=False
            )
        else:
            ends = compiled.run(courses, states)
        # The caller then runs the steps one by one.
        if ends is None:
            return None
        for (name, member), end in zip(members.items(), ends, strict=True):
            results[name].append(end)
            member.state = end.state
    return _join_results(members, results)


def _join_results(
    members: Mapping[str, Member], results: Mapping[str, list[CourseResult]]
) -> tuple[dict[str, Tensor], dict[tuple[str, str], Tensor]]:
    """Return the spikes and traces of successive chunks as those of all steps."""
    spikes: dict[str, Tensor] = {}
    traces: dict[tuple[str, str], Tensor] = {}
    for name, chunks in results.items():
        fired = [result.spikes for result in chunks if result.spikes is not None]
        if fired:
            spikes[name] = _join(fired)
        for state in members[name].traced:
            traces[name, state] = _join([result.traces[state] for result in chunks])
    return spikes, traces


def _recurrent_of(member: Member) -> dict[str, tuple[Term, ...]]:
    """Return the summands of the ports that spikes of the group reach."""
    return {
        port: tuple(terms)
        for port, terms in member.terms.items()
        if any(isinstance(term, Recurrent) for term in terms)
    }


def _series_of(member: Member, window: slice) -> dict[str, Tensor]:
    """Return what changes from step to step, in a window of steps."""
    series = {name: course.values[window] for name, course in member.courses.items()}
    for port, terms in member.terms.items():
        if len(terms) == 1 and isinstance(terms[0], Series):
            series[f"_port_{port}"] = terms[0].values[window]
    for name, values in series.items():
        # Rows of tables have no samples yet.
        if values.dim() == 2:
            series[name] = values.unsqueeze(1)
    return series


def _join(tensors: list[Tensor]) -> Tensor:
    """Return successive tensors as one; a single one is not copied."""
    return tensors[0] if len(tensors) == 1 else torch.cat(tensors)
