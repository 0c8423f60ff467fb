"""Spikes of the last steps in segments: other segments hold the same spikes."""

from __future__ import annotations

import numpy as np
import pytest

from neurosim.ir.spike_history import change_segments, write_spikes

BOUNDS = [[0, 6], [0, 3, 6], [0, 1, 5, 6], [0, 2, 4, 6]]
SPIKES = [[0, 1, 2, 3, 4, 5], [], [2, 3, 4], [0, 5]]


def written(bounds: list[int]) -> tuple[np.ndarray, np.ndarray]:
    history = np.zeros((len(SPIKES), 6), np.int32)
    count = np.zeros((len(SPIKES), len(bounds) - 1), np.int64)
    for step, neurons in enumerate(SPIKES):
        write_spikes(history, count, np.array(neurons), bounds=np.array(bounds), step=step)
    return history, count


def spikes(history: np.ndarray, count: np.ndarray, bounds: list[int]) -> list[list[int]]:
    return [
        [int(n) for k, begin in enumerate(bounds[:-1]) for n in row[begin : begin + sizes[k]]]
        for row, sizes in zip(history, count, strict=True)
    ]


@pytest.mark.parametrize("old", BOUNDS)
@pytest.mark.parametrize("new", BOUNDS)
def test_a_neuron_belongs_to_the_segment_that_begins_with_it(old, new):
    """A segment whose neurons all spiked has no room for the first one of the next."""
    moved = change_segments(*written(old), old=np.array(old), new=np.array(new))
    assert spikes(*moved, new) == SPIKES
    assert (moved[1] == written(new)[1]).all()
