"""Graphs of NIR as plain data: nodes by name, with arrays, and edges between them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

# Types of nodes that are read and written, and the arrays that each must have.
FIELDS: Mapping[str, tuple[str, ...]] = {
    "Input": ("shape",),
    "Output": ("shape",),
    "Linear": ("weight",),
    "Affine": ("weight", "bias"),
    "Conv2d": ("input_shape", "weight", "stride", "padding", "dilation", "groups", "bias"),
    "SumPool2d": ("kernel_size", "stride", "padding"),
    "AvgPool2d": ("kernel_size", "stride", "padding"),
    "Flatten": ("start_dim", "end_dim"),
    "Scale": ("scale",),
    "Delay": ("delay",),
    "LIF": ("tau", "r", "v_leak", "v_threshold"),
    "IF": ("r", "v_threshold"),
    "LI": ("tau", "r", "v_leak"),
    "I": ("r",),
    "CubaLIF": ("tau_syn", "tau_mem", "r", "v_leak", "v_threshold"),
    "CubaLI": ("tau_syn", "tau_mem", "r", "v_leak"),
}
# Arrays that a file may lack: readers have defaults for them, or do without.
OPTIONAL: Mapping[str, tuple[str, ...]] = {
    "LIF": ("v_reset",),
    "IF": ("v_reset",),
    "CubaLIF": ("v_reset", "w_in"),
    "CubaLI": ("w_in",),
    "Flatten": ("input_type",),
}
NEURONS = ("LIF", "IF", "LI", "I", "CubaLIF", "CubaLI")


@dataclass(frozen=True, eq=False)
class Node:
    """One node: its type, and its arrays by NIR's names; times in s."""

    type: str
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes by name, and edges from one to another."""

    nodes: Mapping[str, Node]
    edges: tuple[tuple[str, str], ...]

    def after(self, name: str) -> list[str]:
        """Return the nodes that a node feeds."""
        return self._after.get(name, [])

    def before(self, name: str) -> list[str]:
        """Return the nodes that feed a node."""
        return self._before.get(name, [])

    # Looked up once for each node, which takes too long in lists of many edges.
    @cached_property
    def _after(self) -> Mapping[str, list[str]]:
        return _grouped(self.edges)

    @cached_property
    def _before(self) -> Mapping[str, list[str]]:
        return _grouped((target, source) for source, target in self.edges)


def loops_of(names: Iterable[str], pairs: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Return a number for each name, equal for those that reach each other.

    Parameters
    ----------
    names : iterable of str
    pairs : sequence of (str, str)
        Source and target of each connection.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    positions = {name: position for position, name in enumerate(names)}
    rows = [positions[source] for source, _ in pairs]
    columns = [positions[target] for _, target in pairs]
    ones = np.ones(len(pairs))
    matrix = coo_array((ones, (rows, columns)), shape=(len(positions),) * 2)
    # Strongly connected: each reaches the other, so that spikes run in a loop.
    _, labels = connected_components(matrix, directed=True, connection="strong")
    return {name: int(labels[position]) for name, position in positions.items()}


def closing_pairs(starts: Iterable[str], pairs: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the connections that lead back to a node on the way to them, and so close a loop.

    Readers compute node after node along the connections: what these carry waits for a step.

    Parameters
    ----------
    starts : iterable of str
        Where the ways begin, the first ones first.
    pairs : iterable of (str, str)
        Source and target of each connection, in the order in which they are followed.
    """
    after = _grouped(pairs)
    closing: set[tuple[str, str]] = set()
    followed: set[str] = set()
    for start in starts:
        way = {start: iter(after.get(start, ()))} if start not in followed else {}
        while way:
            name, targets = next(reversed(way.items()))
            target = next(targets, None)
            if target is None:
                del way[name]
                followed.add(name)
            elif target in way:
                closing.add((name, target))
            elif target not in followed:
                way[target] = iter(after.get(target, ()))
    return closing


def range_text(values: Any) -> str:
    """Return numbers as text: one if all are equal, else the least and the greatest."""
    array = np.asarray(values, np.float64)
    low, high = array.min(), array.max()
    return f"{low:.7g}" if low == high else f"{low:.7g} to {high:.7g}"


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for name, other in pairs:
        groups[name].append(other)
    return groups
