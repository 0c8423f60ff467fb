"""Room for the lists of synaptic events that land in later steps; `kernels.late_events` fills them.

Memory and snapshots do not hold the lists. They are emptied whenever the host may have changed
spikes or weights, and are filled again from the spikes that memory keeps.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..kernels.sizes import CHUNKS, EVENTS_PER_CHUNK, NEVER
from .tables import Tables, align


class Lists(NamedTuple):
    """The lists of a projection in a partition: views of one array."""

    next: np.ndarray  # (1,) first step whose spikes are not yet in the lists
    heads: np.ndarray
    tails: np.ndarray
    lost: np.ndarray  # marks of lists that lack events


class Pool(NamedTuple):
    """Chunks of events, shared by the lists of a partition."""

    state: np.ndarray  # (3,) see `kernels.sizes.FREE`
    links: np.ndarray  # of each chunk the next one of its list
    targets: np.ndarray
    weights: np.ndarray


class LateEvents:
    """The lists of a run.

    Parameters
    ----------
    tables : Tables
        Keeps their arrays.
    most : int
        Events that a pool has room for.
    dtype : dtype
        Of weights.
    """

    def __init__(self, tables: Tables, *, most: int, dtype: np.dtype) -> None:
        self._tables = tables
        self._dtype = dtype
        self._chunks = 1 + most // EVENTS_PER_CHUNK
        self._state: list[np.ndarray] = []
        self._terms: dict[str, np.ndarray] = {}
        self.pools: dict[int, Pool] = {}

    def forget(self) -> None:
        """Empty all lists."""
        for state in self._state:
            state[0] = NEVER
            state[1:] = 0
        for pool in self.pools.values():
            pool.state[:CHUNKS] = 0

    def lists(self, depth: int) -> Lists:
        """Return ``depth`` lists of a projection for a partition."""
        # One array for all four views, so that `forget` empties them together.
        state = self._tables.keep(np.zeros(1 + 3 * depth, np.int64))
        state[0] = NEVER
        self._state.append(state)
        return Lists(*np.split(state, 1 + depth * np.arange(3)))

    def pool(self, partition: int) -> Pool:
        """Return the pool of a partition."""
        if partition not in self.pools:
            # Chunk 0 is none, hence one more. `empty`, since the system takes pages of memory only
            # when they are written: most pools stay nearly empty.
            keep = self._tables.keep
            room = (self._chunks + 1) * EVENTS_PER_CHUNK
            self.pools[partition] = Pool(
                state=keep(np.array([0, 0, self._chunks], np.int64)),
                links=keep(np.empty(self._chunks + 1, np.int32)),
                targets=keep(np.empty(room, np.int32)),
                weights=keep(np.empty(room, self._dtype)),
            )
        return self.pools[partition]

    def term(self, population: str, size: int) -> np.ndarray:
        """Return zeros, (N,), in which the projections onto a population add up their terms.

        They do so one after the other, and leave zeros.
        """
        if population not in self._terms:
            zeros = np.zeros(size, self._dtype)
            self._terms[population] = self._tables.keep(align(zeros))
        return self._terms[population]
