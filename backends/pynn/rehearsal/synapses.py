"""Static synapses: weights of 16 bits that sources add to the slots of later steps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .arithmetic.products import compile_body


class Edges(NamedTuple):
    """All static edges of a plan, by source, then delay.

    Attributes
    ----------
    groups : (S + 1,) int64
        Groups ``groups[s]`` to ``groups[s + 1]`` leave source s.
    delay : (G,) int64
        Of all edges of a group, in steps of the machine.
    first : (G + 1,) int64
        Edges ``first[g]`` to ``first[g + 1]`` are those of group g.
    slot : (E,) uint32
        Neuron, or the number of neurons plus it for inhibitory edges.
    weight : (E,) uint16
    """

    groups: np.ndarray
    delay: np.ndarray
    first: np.ndarray
    slot: np.ndarray
    weight: np.ndarray


@compile_body
def deliver_static(edges, spiking, step, slots):
    """Add the weights of all edges of the sources that spike in a step.

    Parameters
    ----------
    edges : Edges
    spiking : (S,) int32
        Sources.
    step : int
    slots : (depth, 2 N) uint32
        Changed.
    """
    depth = slots.shape[0]
    for source in spiking:
        for group in range(edges.groups[source], edges.groups[source + 1]):
            sums = slots[(step + edges.delay[group]) % depth]
            inside = slice(edges.first[group], edges.first[group + 1])
            # Numba checks indices into parts of arrays that begin at 0 for no sign.
            slot = edges.slot[inside]
            weight = edges.weight[inside]
            for edge in range(slot.size):
                sums[slot[edge]] += np.uint32(weight[edge])
