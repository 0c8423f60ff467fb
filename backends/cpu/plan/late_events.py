"""Room for the lists of synaptic events that land in later steps; `kernels.late_events` fills them."""

from __future__ import annotations

import numpy as np

from ..kernels.late_events import CHUNK, CHUNKS, NEVER
from .tables import Tables, aligned


class LateEvents:
    """The lists of a run, emptied whenever the host may have changed what they were made from: they are made again from the spikes that memory keeps.

    Parameters
    ----------
    most : what the lists of a part have room for; pages of memory that are not used are not taken
    dtype : of weights
    """

    def __init__(self, tables: Tables, *, most: int, dtype: type) -> None:
        self._tables, self._dtype, self._chunks = tables, dtype, 1 + most // CHUNK
        self._state: list[np.ndarray] = []
        self._terms: dict[str, np.ndarray] = {}
        self._pools: dict[int, list[np.ndarray]] = {}

    def forget(self) -> None:
        """Empty all lists."""
        for state in self._state:
            state[0], state[1:] = NEVER, 0
        for pool, *_ in self._pools.values():
            pool[:CHUNKS] = 0

    def lists(self, size: int) -> list[np.ndarray]:
        """Return what a projection keeps for a part of the network: next step, heads, tails, marks of ``size`` lists."""
        state = self._tables.keep(np.zeros(1 + 3 * size, np.int64))
        state[0] = NEVER
        self._state.append(state)
        return np.split(state, 1 + size * np.arange(3))

    def pool(self, part: int) -> list[np.ndarray]:
        """Return the pool of a part: its state, links of chunks, targets, weights."""
        if part not in self._pools:
            state, places = np.array([0, 0, self._chunks], np.int64), (self._chunks + 1) * CHUNK
            arrays = (
                state,
                np.empty(self._chunks + 1, np.int32),
                np.empty(places, np.int32),
                np.empty(places, self._dtype),
            )
            self._pools[part] = [self._tables.keep(a) for a in arrays]
        return self._pools[part]

    def term(self, population: str, size: int) -> np.ndarray:
        """Return zeros, one per neuron, in which the projections onto a population add up their terms, one after the other."""
        if population not in self._terms:
            self._terms[population] = self._tables.keep(aligned(np.zeros(size, self._dtype)))
        return self._terms[population]
