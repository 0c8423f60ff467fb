"""Slots: which edges one event concerns, when delays differ between the edges of a neuron."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..draws.sampling import blocks, index_type, order
from ..errors import LoweringError


@dataclass(frozen=True, eq=False)
class Slots:
    """One slot per (neuron, delay) that has edges; one per neuron where all edges share a delay.

    Attributes
    ----------
    delays : (D,) int64, ascending
        The distinct delays in steps.
    neuron : (S,) uint16 or int32
        Ascending; within a neuron by delay.
    delay : (S,) int64
    pointer : (S + 1,) int64
        Slot s concerns ``edges[pointer[s]:pointer[s + 1]]``.
    edges : (E,) int32 or None
        Edge numbers, ascending within a slot; None: edge e stands at position e.
    first : (N + 1,) int64
        Slots of neuron i are ``first[i]`` ... ``first[i + 1]``.
    """

    delays: np.ndarray
    neuron: np.ndarray
    delay: np.ndarray
    pointer: np.ndarray
    edges: np.ndarray | None
    first: np.ndarray

    @cached_property
    def of_edge(self) -> np.ndarray:
        """Slot of each edge, (E,); made when first asked for, which few do."""
        slot = owners(self.pointer)
        if self.edges is None:
            return slot
        found = np.empty_like(slot)
        found[self.edges] = slot
        return found

    @property
    def uniform(self) -> bool:
        """Whether all edges share one delay, so that slot s is neuron s."""
        return self.delays.size == 1


def owners(pointer: np.ndarray) -> np.ndarray:
    """Return for each place which range of a pointer holds it, (E,) uint16 or int32."""
    count = pointer.size - 1
    return np.repeat(np.arange(count, dtype=index_type(count)), np.diff(pointer))


def outgoing(pointer: np.ndarray, delay: int | np.ndarray) -> Slots:
    """Slots of the sources: edges ``pointer[i]`` to ``pointer[i + 1]`` leave source i."""
    n, single = pointer.size - 1, single_delay(delay)
    if single is not None:
        return _uniform(n, pointer, None, single)
    return _split(n, owners(pointer), delay)


def incoming(size: int, targets: np.ndarray, delay: int | np.ndarray) -> Slots:
    """Slots of the targets: edges of one target in order of their sources."""
    single = single_delay(delay)
    if single is None:
        return _split(size, targets, delay)
    _demand_numbers(targets.size)
    return _uniform(size, *order(targets, below=size), single)


def _demand_numbers(count: int) -> None:
    if count >= 2**31:
        raise LoweringError(
            f"slots: found {count} edges in a projection with a rule or with delays that differ, expected fewer than {2**31}. "
            "Split the projection into several."
        )


def single_delay(delay: int | np.ndarray) -> int | None:
    """Return the delay that all edges share, if they do."""
    if np.ndim(delay) == 0:
        return int(delay)
    if delay.size == 0:
        return 0
    return int(delay[0]) if delay.min() == delay.max() else None


def _uniform(n: int, pointer: np.ndarray, edges: np.ndarray | None, delay: int) -> Slots:
    everyone = np.arange(n + 1, dtype=np.int64)
    return Slots(
        np.array([delay], np.int64),
        everyone[:-1].astype(index_type(n)),
        np.full(n, delay, np.int64),
        pointer,
        edges,
        everyone,
    )


def _split(n: int, neurons: np.ndarray, delay: np.ndarray) -> Slots:
    """Number the pairs (neuron, delay) that occur, and sort edges by them."""
    _demand_numbers(neurons.size)
    delays, pairs = _distinct(delay)
    pairs = pairs if n * delays.size < 2**31 else pairs.astype(np.int64)
    for block in blocks(pairs.size, width=1):
        pairs[block] += np.multiply(neurons[block], delays.size, dtype=pairs.dtype)
    occur, pairs = _distinct(pairs)
    pointer, edges = order(pairs, below=occur.size)
    neuron, step = np.divmod(occur, delays.size)
    return Slots(
        delays,
        neuron.astype(index_type(n)),
        delays[step],
        pointer,
        edges,
        np.searchsorted(neuron, np.arange(n + 1)),
    )


def _distinct(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct whole numbers among values >= 0, ascending (K,) int64, and which of them each value is, (E,) int32."""
    most = int(values.max(initial=0)) + 1
    if most > values.size // 4 + 1000:  # a table of all would take more memory than it saves
        found, place = np.unique(values, return_inverse=True)
        return found.astype(np.int64), place.astype(np.int32)
    occurs, place = np.zeros(most, bool), np.empty(values.size, np.int32)
    for block in blocks(values.size, width=1):
        occurs[values[block]] = True
    number = np.cumsum(occurs, dtype=np.int32) - np.int32(1)
    for block in blocks(values.size, width=1):
        place[block] = number[values[block]]
    return np.flatnonzero(occurs), place
