"""Groups of populations that act on each other: what can be computed for all steps at once.

Populations that form no circle are computed one after the other, each for all steps; so their
input is one product of matrices. Those of a circle are computed together, step by step.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Protocol

import torch
from torch import Tensor

from .connections import Connection
from .methods import Method
from .neurons import Neurons, NeuronState


def order_groups(
    names: Sequence[str], edges: Iterable[tuple[str, str]]
) -> list[tuple[tuple[str, ...], bool]]:
    """Return groups of nodes, each after those that it depends on.

    Parameters
    ----------
    names : sequence of str
    edges : (source, target) pairs

    Returns
    -------
    list of (names in the given order, whether they form a circle)
    """
    after: dict[str, set[str]] = {name: set() for name in names}
    for source, target in edges:
        if source in after and target in after:
            after[source].add(target)
    reach = {name: _reachable(name, after) for name in names}
    group_of = {
        name: tuple(o for o in names if o == name or (o in reach[name] and name in reach[o]))
        for name in names
    }
    before: dict[tuple[str, ...], set[tuple[str, ...]]] = {g: set() for g in group_of.values()}
    for name in names:
        for other in after[name]:
            if group_of[other] != group_of[name]:
                before[group_of[other]].add(group_of[name])
    ordered = TopologicalSorter(before).static_order()
    return [(group, group[0] in reach[group[0]]) for group in ordered]


def _reachable(name: str, after: dict[str, set[str]]) -> set[str]:
    visited: set[str] = set()
    pending = list(after[name])
    while pending:
        following = pending.pop()
        if following not in visited:
            visited.add(following)
            pending += after[following]
    return visited


class Term(Protocol):
    """A summand of a port."""

    def at(self, k: int, history: dict[str, list[Tensor]]) -> Tensor | None:
        """Return what phase 2 of step k reads, (B, N); None: nothing."""
        ...


@dataclass(frozen=True)
class Series:
    """A summand that is known for all steps, (T, B, N)."""

    values: Tensor

    def at(self, k: int, history: dict[str, list[Tensor]]) -> Tensor | None:
        return self.values[k]


@dataclass(frozen=True)
class Recurrent:
    """A projection within a group, whose spikes are made step by step."""

    connection: Connection
    operands: tuple[Tensor, ...]
    method: Method

    def at(self, k: int, history: dict[str, list[Tensor]]) -> Tensor | None:
        total: Tensor | None = None
        for number, delay in enumerate(self.connection.delays):
            emitted = k if self.connection.same_step else k - 1 - delay
            if emitted < 0:
                continue
            spikes = history[self.connection.source][emitted]
            if self.method.cuts_spikes(emitted, k):
                spikes = spikes.detach()
            part = self.connection.deliver(spikes, self.operands, number)
            total = part if total is None else total + part
        return total


@dataclass
class Member:
    """A population of a group during one call.

    Attributes
    ----------
    neurons : Neurons
    values : name -> tensor
    courses : parameter -> (T, B, N) or (T, 1, N)
        Parameters that change in each step.
    terms : port -> summands in the order of the sum
    state : NeuronState
    traced : names of states whose traces are asked for
    """

    neurons: Neurons
    values: dict[str, Tensor]
    courses: dict[str, Tensor]
    terms: dict[str, list[Term]]
    state: NeuronState
    traced: tuple[str, ...]
    traces: dict[str, list[Tensor]] = field(default_factory=dict)


def run_group(
    members: dict[str, Member],
    method: Method,
    *,
    steps: int,
    replica: Tensor,
) -> dict[str, Tensor]:
    """Run the populations of a group; return the spikes of those that spike, (T, B, N).

    Parameters
    ----------
    members : name -> Member
        In the order of a step.
    method : Method
    steps : int
        T.
    replica : (B, 1) int64
    """
    history: dict[str, list[Tensor]] = {name: [] for name in members}
    for member in members.values():
        member.traces = {name: [] for name in member.traced}
    for k in range(steps):
        cut = k > 0 and method.cuts_states(k)
        for name, member in members.items():
            spikes = _step(member, k, history, cut=cut, replica=replica)
            if spikes is not None:
                history[name].append(spikes)
    return {name: torch.stack(spikes) for name, spikes in history.items() if spikes}


def _step(
    member: Member, k: int, history: dict[str, list[Tensor]], *, cut: bool, replica: Tensor
) -> Tensor | None:
    state = member.state.detached() if cut else member.state
    ports: dict[str, Tensor] = {}
    for port, terms in member.terms.items():
        total: Tensor | None = None
        for term in terms:
            part = term.at(k, history)
            if part is not None:
                total = part if total is None else total + part
        ports[port] = torch.zeros_like(_example(member, replica)) if total is None else total
    values = member.values
    if member.courses:
        values = values | {name: course[k] for name, course in member.courses.items()}
    member.state, spikes = member.neurons.step(k, state, values, ports, replica=replica)
    for name, trace in member.traces.items():
        trace.append(member.state.values[name])
    return spikes


def _example(member: Member, replica: Tensor) -> Tensor:
    neurons = member.neurons
    return torch.empty(replica.shape[0], neurons.size, dtype=neurons.dtype, device=replica.device)
