"""Spikes of the last steps of a population: a ring of steps, each cut into segments of neurons.

Attributes of a history, the same in all functions here:

history : (D, N) int32
    Row ``step % D`` holds the neurons that spiked in a step, each segment from its first neuron on.
count : (D, S) int64
    Spikes of each step and segment.
bounds : (S + 1,)
    First neuron of each segment; one segment per thread of an engine.
"""

from __future__ import annotations

import numpy as np


def read_spikes(
    history: np.ndarray,
    count: np.ndarray,
    *,
    bounds: np.ndarray,
    step: int,
) -> np.ndarray:
    """Return the neurons that spiked in one of the last steps, ascending.

    Parameters
    ----------
    history, count, bounds
        See above.
    step : int
    """
    position = step % history.shape[0]
    # Segments ascend, and so do the neurons of each: the whole is sorted without a sort.
    segments = zip(bounds[:-1], count[position], strict=True)
    return np.concatenate([history[position, begin : begin + size] for begin, size in segments])


def write_spikes(
    history: np.ndarray,
    count: np.ndarray,
    neurons: np.ndarray,
    *,
    bounds: np.ndarray,
    step: int,
) -> None:
    """Store the neurons that spiked in a step, each in its segment.

    Parameters
    ----------
    history, count : changed in place
    neurons : (S,) indices, ascending
    bounds
        See above.
    step : int
    """
    position = step % history.shape[0]
    for segment, (begin, end) in enumerate(zip(bounds[:-1], bounds[1:], strict=True)):
        # Each segment begins at a fixed place, so that threads write theirs without waiting.
        inside = neurons[(neurons >= begin) & (neurons < end)]
        history[position, begin : begin + inside.size] = inside
        count[position, segment] = inside.size


def change_segments(
    history: np.ndarray,
    count: np.ndarray,
    *,
    old: np.ndarray,
    new: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return copies of a history and its counts whose segments have other bounds.

    Parameters
    ----------
    old, new : (S + 1,)
        Bounds of the segments, before and after.
    """
    (depth, size), segments = history.shape, new.size - 1
    history = history.copy()
    positions = _find_positions(count, bounds=old, size=size)
    # A step's spikes ascend in both layouts, so they move as one list.
    spikes = history.flat[positions]
    segment = positions // size * segments + np.searchsorted(new, spikes, side="right") - 1
    count = np.bincount(segment, minlength=depth * segments).reshape(depth, segments)
    history.flat[_find_positions(count, bounds=new, size=size)] = spikes
    return history, count


def _find_positions(count: np.ndarray, *, bounds: np.ndarray, size: int) -> np.ndarray:
    """Return the positions of all spikes in a flat history of ``size`` neurons, step by step."""
    counts = count.ravel()
    first = (np.arange(count.shape[0])[:, None] * size + bounds[:-1]).ravel()
    return np.repeat(first - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
