"""Forms of a projection's wiring that compiled loops read."""

from __future__ import annotations

import numpy as np

from neurosim.draws.sampling import index_type
from neurosim.ir.delay_groups import DelayGroups
from neurosim.ir.program import PlasticProjection, ProjectionProgram

WORD = 64  # delays whose presence one number holds as bits


def first_edges(
    p: ProjectionProgram, bounds: np.ndarray, groups: DelayGroups | None = None
) -> np.ndarray:
    """Return where the edges of each source begin in each partition; they end where the next begin.

    Parameters
    ----------
    p : ProjectionProgram
    bounds : (P + 1,)
        First neurons of the partitions of the target.
    groups : DelayGroups, optional
        Positions among the edges of delay groups, in place of those of sources.

    Returns
    -------
    (S * P + 1,) int64, or int32 if delays differ
    """
    pointer, edges = (p.pointer, None) if groups is None else (groups.pointer, groups.edges)
    begins = np.empty((pointer.size - 1, bounds.size - 1), np.int64)
    begins[:, 0] = pointer[:-1]
    for partition, bound in enumerate(bounds[1:-1], 1):
        # Targets ascend within a group: halve the ranges of all groups at once until each is empty.
        low = begins[:, partition - 1].copy()
        high = pointer[1:].copy()
        while (searched := np.flatnonzero(low < high)).size:
            middle = (low[searched] + high[searched]) // 2
            edge = middle if edges is None else edges[middle]
            below = p.targets[edge] < bound
            low[searched[below]] = middle[below] + 1
            high[searched[~below]] = middle[~below]
        begins[:, partition] = low
    flat = np.append(begins, pointer[-1])
    if groups is None or groups.uniform:
        return flat
    return flat.astype(np.int32)


def groups_by_bits(groups: DelayGroups) -> np.ndarray:
    """Return which delays each neuron has, as bits, and its first group of them, (W, N, 2) int64.

    There is a pair for every 64 delays and every neuron.
    """
    number = np.searchsorted(groups.delays, groups.delay)
    word, bit = np.divmod(number, WORD)
    words = -(-groups.delays.size // WORD)
    neurons = groups.first.size - 1
    shape = words, neurons
    position = word * neurons + groups.neuron
    members = np.zeros(shape, np.int64)
    np.add.at(members.ravel(), position, np.int64(1) << bit)
    counts = np.bincount(position, minlength=members.size).reshape(shape)
    # Groups of a neuron ascend by delay, so those of earlier words lie before.
    first = groups.first[:-1] + np.cumsum(counts, axis=0) - counts
    return np.stack((members, first), axis=-1)


def short_indices(p: PlasticProjection) -> frozenset[str]:
    """Return which arrays among the arguments of a rule hold indices of 2 bytes."""
    pre = p.groups("pre").neuron
    post = np.empty(0, np.int32) if p.post_groups is None else p.post_groups.neuron
    types = {
        "@targets": p.targets.dtype,
        "@pre_targets": p.targets.dtype,
        "@pre_neuron": pre.dtype,
        "@post_neuron": post.dtype,
        "@post_sources": index_type(p.pointer.size - 1),
        "@pre_of_edge": index_type(pre.size),
        "@post_pre_groups": index_type(pre.size),
        "@post_of_edge": index_type(post.size),
    }
    return frozenset(entry for entry, dtype in types.items() if dtype == np.uint16)


def ends_in_neighbours(p: ProjectionProgram) -> bool:
    """Return whether the edges of each source end in consecutive neurons, as of all-to-all."""
    has_edges = np.diff(p.pointer) > 0
    first = p.pointer[:-1][has_edges]
    last = p.pointer[1:][has_edges] - 1
    if (p.targets[last] - p.targets[first] != last - first).any():
        return False
    # Steps within a source are not negative, since targets ascend; those between do not count.
    steps = np.diff(p.targets)
    steps[first[1:] - 1] = 1
    return bool((steps == 1).all())
