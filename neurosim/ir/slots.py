"""Slots: which edges one event concerns, when delays differ between the edges of a neuron."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Slots:
    """One slot per (neuron, delay) that has edges; one per neuron where all edges share a delay.

    Attributes
    ----------
    delays : (D,) int64, ascending
        The distinct delays in steps.
    neuron : (S,) int32
        Ascending; within a neuron by delay.
    delay : (S,) int64
    pointer : (S + 1,) int64
        Slot s concerns ``edges[pointer[s]:pointer[s + 1]]``.
    edges : (E,) int64 or None
        Edge numbers, ascending within a slot; None: edge e stands at position e.
    of_edge : (E,) int32
        Slot of each edge.
    first : (N + 1,) int64
        Slots of neuron i are ``first[i]`` ... ``first[i + 1]``.
    """

    delays: np.ndarray
    neuron: np.ndarray
    delay: np.ndarray
    pointer: np.ndarray
    edges: np.ndarray | None
    of_edge: np.ndarray
    first: np.ndarray

    @property
    def uniform(self) -> bool:
        """Whether all edges share one delay, so that slot s is neuron s."""
        return self.delays.size == 1


def outgoing(pointer: np.ndarray, sources: np.ndarray, delay: int | np.ndarray) -> Slots:
    """Slots of the sources: edges lie sorted by source already."""
    n = pointer.size - 1
    if np.ndim(delay) == 0 or (delay.size and (delay == delay[0]).all()):
        return _uniform(n, pointer, None, sources, int(np.asarray(delay).flat[0]) if np.size(delay) else 0)
    return _split(n, sources, np.asarray(delay))


def incoming(size: int, targets: np.ndarray, delay: int | np.ndarray) -> Slots:
    """Slots of the targets: edges of one target in order of their sources."""
    if np.ndim(delay) == 0 or (delay.size and (delay == delay[0]).all()):
        pointer = np.zeros(size + 1, np.int64)
        np.cumsum(np.bincount(targets, minlength=size), out=pointer[1:])
        return _uniform(size, pointer, np.argsort(targets, kind="stable"), targets, int(np.asarray(delay).flat[0]) if np.size(delay) else 0)
    return _split(size, targets, np.asarray(delay))


def _uniform(n: int, pointer: np.ndarray, edges: np.ndarray | None, of_edge: np.ndarray, delay: int) -> Slots:
    everyone = np.arange(n + 1, dtype=np.int64)
    return Slots(np.array([delay], np.int64), everyone[:-1].astype(np.int32), np.full(n, delay, np.int64), pointer, edges, of_edge, everyone)


def _split(n: int, neurons: np.ndarray, delay: np.ndarray) -> Slots:
    order = np.lexsort((np.arange(neurons.size), delay, neurons))
    a, d = neurons[order], delay[order]
    begins = np.ones(order.size, bool)
    begins[1:] = (np.diff(a) != 0) | (np.diff(d) != 0)
    at = np.flatnonzero(begins)
    of_edge = np.empty(order.size, np.int32)
    of_edge[order] = np.cumsum(begins) - 1
    first = np.searchsorted(a[at], np.arange(n + 1)).astype(np.int64)
    return Slots(np.unique(delay), a[at].astype(np.int32), d[at], np.append(at, order.size), order, of_edge, first)
