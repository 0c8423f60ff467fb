"""Delay groups: the edges of a neuron that have one delay, on which an event acts at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..draws.sampling import blocks, index_type, sort_keys
from ..errors import LoweringError


@dataclass(frozen=True, eq=False)
class DelayGroups:
    """One group per (neuron, delay) that has edges; one per neuron if all edges share a delay.

    Attributes
    ----------
    delays : (D,) int64, ascending, steps
        The distinct delays.
    neuron : (G,) uint16 or int32
        Neuron of each group, ascending; groups of one neuron are ordered by delay.
    delay : (G,) int64, steps
        Delay of each group.
    pointer : (G + 1,) int64
        Group g holds ``edges[pointer[g]:pointer[g + 1]]``.
    edges : (E,) int32 or None
        Edge numbers, ascending within a group; None: edge e stands at position e.
    first : (N + 1,) int64
        Groups ``first[i]`` to ``first[i + 1]`` are those of neuron i.
    """

    delays: np.ndarray
    neuron: np.ndarray
    delay: np.ndarray
    pointer: np.ndarray
    edges: np.ndarray | None
    first: np.ndarray

    @cached_property
    def of_edge(self) -> np.ndarray:
        """Group of each edge, (E,) uint16 or int32."""
        group_at = row_of_edge(self.pointer)
        if self.edges is None:
            return group_at
        groups = np.empty_like(group_at)
        groups[self.edges] = group_at
        return groups

    @cached_property
    def _keys(self) -> np.ndarray:
        """Neuron and delay of each group as one number, (G,) int64, ascending."""
        return self._key_of(self.neuron, self.delay)

    def find(self, neuron: np.ndarray, delay: np.ndarray) -> np.ndarray:
        """Return the groups of pairs of a neuron and a delay; those without edges are left out.

        Parameters
        ----------
        neuron : (P,) indices
        delay : (P,) int64, steps
            Each is one of `delays`.
        """
        wanted = self._key_of(neuron, delay)
        groups = np.searchsorted(self._keys, wanted)
        # Behind the last group stands none that could be equal.
        exists = groups < self._keys.size
        exists[exists] = self._keys[groups[exists]] == wanted[exists]
        return groups[exists]

    def _key_of(self, neuron: np.ndarray, delay: np.ndarray) -> np.ndarray:
        # As int64 first: products of the narrow types of indices would overflow.
        return neuron.astype(np.int64) * (self.delays[-1] + 1) + delay

    @property
    def uniform(self) -> bool:
        """Whether all edges share one delay, so that group i is neuron i."""
        return self.delays.size == 1


def row_of_edge(pointer: np.ndarray) -> np.ndarray:
    """Return the row of each edge of a sparse matrix, (E,) uint16 or int32."""
    count = pointer.size - 1
    return np.repeat(np.arange(count, dtype=index_type(count)), np.diff(pointer))


def positions_of(rows: np.ndarray, pointer: np.ndarray) -> np.ndarray:
    """Return the positions that rows of a sparse matrix hold, row by row, (P,) int64."""
    begins = pointer[rows]
    counts = pointer[rows + 1] - begins
    # The place of a position in the result, moved by as much as its row's first one is.
    return np.repeat(begins - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())


def outgoing(pointer: np.ndarray, delay: int | np.ndarray) -> DelayGroups:
    """Return the groups of the sources.

    Parameters
    ----------
    pointer : (N + 1,) int64
        Edges ``pointer[i]`` to ``pointer[i + 1]`` leave source i.
    delay : int or (E,), steps
    """
    count = pointer.size - 1
    shared = shared_delay(delay)
    if shared is not None:
        return _one_per_neuron(count, pointer, None, delay=shared)
    return _one_per_delay(count, row_of_edge(pointer), np.asarray(delay))


def incoming(size: int, targets: np.ndarray, delay: int | np.ndarray) -> DelayGroups:
    """Return the groups of the targets; the edges of one group are in order of their sources.

    Parameters
    ----------
    size : int
        Neurons of the target.
    targets : (E,) indices
    delay : int or (E,), steps

    Raises
    ------
    LoweringError
        If edges are too many to be numbered in 32 bits.
    """
    shared = shared_delay(delay)
    if shared is None:
        return _one_per_delay(size, targets, np.asarray(delay))
    _require_numbers(targets.size)
    pointer, edges = sort_keys(targets, below=size)
    return _one_per_neuron(size, pointer, edges, delay=shared)


def shared_delay(delay: int | np.ndarray) -> int | None:
    """Return the delay that all edges share in steps, 0 without edges; None if edges differ."""
    delays = np.asarray(delay)
    if delays.ndim == 0:
        return int(delays)
    # Any number would do; 0 needs the shortest memory of spikes.
    if delays.size == 0:
        return 0
    return int(delays[0]) if delays.min() == delays.max() else None


def _require_numbers(count: int) -> None:
    # Edge numbers are as many as edges: 4 bytes for each are worth a limit.
    if count >= 2**31:
        raise LoweringError(
            f"delay groups: found {count} edges in a projection with a rule or with delays that "
            f"differ, expected fewer than {2**31}. Split the projection into several."
        )


def _one_per_neuron(
    count: int,
    pointer: np.ndarray,
    edges: np.ndarray | None,
    *,
    delay: int,
) -> DelayGroups:
    everyone = np.arange(count + 1, dtype=np.int64)
    return DelayGroups(
        delays=np.array([delay], np.int64),
        neuron=everyone[:-1].astype(index_type(count)),
        delay=np.full(count, delay, np.int64),
        pointer=pointer,
        edges=edges,
        first=everyone,
    )


def _one_per_delay(count: int, neurons: np.ndarray, delay: np.ndarray) -> DelayGroups:
    """Number the pairs (neuron, delay) that occur, and sort edges by them."""
    _require_numbers(neurons.size)
    delays, pairs = _distinct(delay)
    # A pair is neuron * D + number of its delay: sorted pairs are sorted by neuron, then delay.
    # Numbers of pairs nearly always fit into 32 bits; the longer type doubles the memory.
    pairs = pairs if count * delays.size < 2**31 else pairs.astype(np.int64)
    for block in blocks(pairs.size, width=1):
        pairs[block] += np.multiply(neurons[block], delays.size, dtype=pairs.dtype)
    occurring, group = _distinct(pairs)
    del pairs  # they take as much memory as the edges of a large projection
    pointer, edges = sort_keys(group, below=occurring.size)
    neuron, number = np.divmod(occurring, delays.size)
    return DelayGroups(
        delays=delays,
        neuron=neuron.astype(index_type(count)),
        delay=delays[number],
        pointer=pointer,
        edges=edges,
        # A neuron without edges has no group: its range is empty.
        first=np.searchsorted(neuron, np.arange(count + 1)),
    )


def _distinct(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct values and the number of each value among them.

    Parameters
    ----------
    values : (E,) whole numbers, not negative

    Returns
    -------
    distinct : (K,) int64, ascending
    numbers : (E,) int32
    """
    limit = int(values.max(initial=0)) + 1
    # A table of all numbers below the limit takes less memory than sorting unless it is sparse.
    if limit > values.size // 4 + 1000:
        distinct, numbers = np.unique(values, return_inverse=True)
        return distinct.astype(np.int64), numbers.astype(np.int32)
    occurs = np.zeros(limit, bool)
    numbers = np.empty(values.size, np.int32)
    for block in blocks(values.size, width=1):
        occurs[values[block]] = True
    number = np.cumsum(occurs, dtype=np.int32) - np.int32(1)
    for block in blocks(values.size, width=1):
        numbers[block] = number[values[block]]
    return np.flatnonzero(occurs), numbers
