"""Forms of a projection's wiring that compiled loops read."""

from __future__ import annotations

import numpy as np

from neurosim.draws.sampling import index_type
from neurosim.ir.delay_groups import DelayGroups
from neurosim.ir.program import PlasticProjection, ProjectionProgram


def by_bits(slots: DelayGroups) -> np.ndarray:
    """Return for each 64 delays and each neuron which of them it has, as bits, and the slot of the first of these, (W, N, 2)."""
    word, bit = np.divmod(np.searchsorted(slots.delays, slots.delay), 64)
    shape = -(-slots.delays.size // 64), slots.first.size - 1
    place, has = word * shape[1] + slots.neuron, np.zeros(shape, np.int64)
    np.add.at(has.ravel(), place, np.int64(1) << bit)
    counts = np.bincount(place, minlength=has.size).reshape(shape)
    return np.stack((has, slots.first[:-1] + np.cumsum(counts, axis=0) - counts), axis=-1)


def narrow(p: PlasticProjection) -> frozenset[str]:
    """Return the arrays of indices among the entries of a rule's table that have 2 bytes for each."""
    pre, post = (
        p.pre_groups.neuron,
        p.post_groups.neuron if p.post_groups is not None else np.empty(0, np.int32),
    )
    types = {
        "@targets": p.targets.dtype,
        "@pre_targets": p.targets.dtype,
        "@pre_neuron": pre.dtype,
        "@post_neuron": post.dtype,
        "@post_sources": index_type(p.pointer.size - 1),
        "@pre_of_edge": index_type(pre.size),
        "@post_pre_slots": index_type(pre.size),
        "@post_of_edge": index_type(post.size),
    }
    return frozenset(entry for entry, kind in types.items() if kind == np.uint16)


def neighbours(p: ProjectionProgram) -> bool:
    """Whether the edges of each source end in neighbours, ascending, as those of all-to-all wiring do."""
    first, last = (end[np.diff(p.pointer) > 0] for end in (p.pointer[:-1], p.pointer[1:] - 1))
    if (p.targets[last] - p.targets[first] != last - first).any():
        return False
    steps = np.diff(
        p.targets
    )  # within a row they ascend, so that none is negative; those between rows do not count
    steps[first[1:] - 1] = 1
    return bool((steps == 1).all())
