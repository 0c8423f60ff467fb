"""Random numbers over tensors have the bits of `neurosim.draws.streams`."""

from __future__ import annotations

import numpy as np
import pytest

from neurosim.draws import streams

torch = pytest.importorskip("torch")

from neurosim.backends.gpu.tensors import draws  # noqa: E402
from neurosim.backends.gpu.tensors.draw_chunks import MOST_STEPS, DrawChunks  # noqa: E402

KEYS = [(0, 0), (0xFFFFFFFF, 0xFFFFFFFF), streams.key_of(5, "cells/draw3")]
STEPS = [0, 1, 123_456_789, 1 << 33, -1]
REPLICAS = [0, 7, 0xFFFFFFFF]
CASES = [(k, s, r) for k in KEYS for s in STEPS for r in REPLICAS]


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
def test_draws_at_any_index_have_the_bits_of_numpy(distribution):
    index = np.random.default_rng(3).integers(0, 2**31, 100_000 // len(CASES) + 1)
    for key, step, replica in CASES:
        expected = getattr(streams, distribution)(key, index, step, replica=replica)
        result = getattr(draws, distribution)(key, torch.from_numpy(index), step, replica=replica)
        assert (result.numpy() == expected).all()


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
@pytest.mark.parametrize("size", [1, 4, 7, 1000])
def test_the_draws_of_a_population_are_made_by_blocks_and_samples_are_replicas(distribution, size):
    blocks = torch.arange((size + 3) // 4)
    replicas = torch.tensor([[2], [3], [0xFFFFFFFF]])
    for key, step, _ in CASES:
        rows = draws.draw_range(distribution, key, blocks, step, size=size, replica=replicas)
        for row, replica in zip(rows, replicas[:, 0], strict=True):
            expected = getattr(streams, distribution)(
                key, np.arange(size), step, replica=int(replica)
            )
            assert (row.numpy() == expected).all()


# The first of a chunk, the last, the next chunk, back again, far away.
TIMES = [0, 1, MOST_STEPS - 1, MOST_STEPS, 3, (1 << 33) + 5]
INDICES = {"range": np.arange(7), "some": np.array([2, 3, 5, 11, 400, 1 << 30])}


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
def test_draws_of_a_chunk_of_steps_have_the_bits_of_numpy_in_any_order(distribution, index):
    chunks = DrawChunks(
        distribution, (3, 4), torch.from_numpy(index), replica=9, dtype=torch.float64
    )
    assert chunks.steps == MOST_STEPS
    for step in TIMES:
        expected = getattr(streams, distribution)((3, 4), index, step, replica=9)
        assert (chunks.at(step).numpy() == expected).all()


@pytest.mark.parametrize("size", [6, 2000])
def test_samples_have_their_own_draws_in_a_chunk_of_steps(size):
    """Chunks of many numbers have fewer steps."""
    replicas = torch.arange(20)[:, None]
    index = torch.arange(size)
    chunks = DrawChunks("normal", (3, 4), index, replica=replicas, dtype=torch.float64)
    assert chunks.steps == (MOST_STEPS if size == 6 else 1)
    for step in (0, 5):
        for sample, row in enumerate(chunks.at(step)):
            expected = streams.normal((3, 4), np.arange(size), step, replica=sample)
            assert (row.numpy() == expected).all()


def test_draws_of_a_chunk_are_rounded_once_in_float32():
    index = torch.arange(100)
    chunks = DrawChunks("normal", (3, 4), index, replica=0, dtype=torch.float32)
    expected = streams.normal((3, 4), np.arange(100), 5).astype(np.float32)
    assert (chunks.at(5).numpy() == expected).all()


MEANS = [0.0, 1e-5, 0.01, 0.8, 3.0, 45.0, 699.0, 700.0, 701.0, 5000.0, -1.0, np.nan, 1e7]


@pytest.mark.parametrize("mean", MEANS)
def test_poisson_counts_have_the_bits_of_numpy(mean):
    targets = np.arange(3, 20_003)
    index = torch.from_numpy(targets)
    table = draws.PoissonTable.of(np.array([mean]), torch.device("cpu"))
    for step in (0, 99):
        expected = streams.poisson_counts((5, 6), targets, step, mean=mean, replica=4)
        result = table.counts(step, lambda k: draws.uniform((5, 6), index, k, replica=4))
        np.testing.assert_array_equal(result.numpy(), expected)


def test_poisson_counts_of_a_mean_per_target_have_the_bits_of_numpy():
    mean = np.tile(MEANS, 500)
    targets = np.arange(mean.size)
    table = draws.PoissonTable.of(mean, torch.device("cpu"))
    expected = streams.poisson_counts((5, 6), targets, 3, mean=mean)
    index = torch.from_numpy(targets)
    result = table.counts(3, lambda k: draws.uniform((5, 6), index, k))
    np.testing.assert_array_equal(result.numpy(), expected)
