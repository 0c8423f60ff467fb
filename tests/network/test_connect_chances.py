"""Random connectors: each set of edges occurs as often as it should."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from support.connecting import STREAM, joined

from neurosim.draws import sampling
from neurosim.draws.streams import Stream
from neurosim.network.wiring.connectors import (
    fixed_indegree,
    fixed_outdegree,
    fixed_probability,
    fixed_total_number,
)


def assert_frequencies(observed, expected):
    """Refuse counts (K,) whose chi-square lies above its mean by five of its deviations or more."""
    observed, expected = np.asarray(observed, float), np.asarray(expected, float)
    assert np.all(expected > 50) and observed.sum() == pytest.approx(expected.sum())
    freedom = observed.size - 1
    assert np.sum((observed - expected) ** 2 / expected) < freedom + 5 * math.sqrt(2 * freedom)


def test_the_comparison_of_frequencies_refuses_a_bias_of_five_per_cent():
    assert_frequencies([10_100, 9_950, 9_950], [10_000] * 3)
    with pytest.raises(AssertionError):
        assert_frequencies([10_500, 9_750, 9_750], [10_000] * 3)


@pytest.mark.parametrize("p", [0.002, 0.1, 0.5, 0.97])
def test_fixed_probability_has_binomial_rows_and_even_columns(p):
    """20 000 rows of 500. Bounds are five standard deviations; that of a variance is sqrt(2 / rows)
    of it, 1 %, and 1.2 % at p = 0.002.
    """
    rows, columns = 20_000, 500
    edges = fixed_probability(p).connect(
        STREAM, np.arange(rows), np.arange(columns), recurrent=False
    )
    counts = np.diff(edges.pointer)
    assert counts.mean() == pytest.approx(
        columns * p, abs=5 * math.sqrt(columns * p * (1 - p) / rows)
    )
    assert counts.var() == pytest.approx(columns * p * (1 - p), rel=0.06)
    assert np.corrcoef(counts[:-1], counts[1:])[0, 1] == pytest.approx(0, abs=5 / math.sqrt(rows))
    deviations = (np.bincount(edges.target, minlength=columns) - rows * p) / math.sqrt(
        rows * p * (1 - p)
    )
    assert np.sum(deviations**2) == pytest.approx(columns, abs=5 * math.sqrt(2 * columns))


@pytest.mark.parametrize("p", [0.2, 0.6])
def test_fixed_probability_gives_each_set_of_targets_its_product_probability(p):
    edges = fixed_probability(p).connect(STREAM, np.arange(100_000), np.arange(4), recurrent=False)
    patterns = np.bincount(edges.source(), weights=2.0**edges.target, minlength=100_000).astype(int)
    sizes = np.array([k.bit_count() for k in range(16)])
    assert_frequencies(
        np.bincount(patterns, minlength=16), 100_000 * p**sizes * (1 - p) ** (4 - sizes)
    )


def count_choices(connector, neurons, view, *, streams):
    """Count the sets of partners of all neurons, in recurrent projections of several streams.

    A partner is told by its place among those that a neuron may choose. The view is a range from 0
    on; a neuron of the view does not choose itself.
    """
    inward = isinstance(connector, fixed_indegree)
    sides = (view, neurons) if inward else (neurons, view)
    counts = Counter()
    for seed in range(streams):
        partners = {neuron: [] for neuron in neurons}
        for pair in joined(connector, *sides, recurrent=True, stream=Stream(seed, "edges")):
            partner, own = pair if inward else pair[::-1]
            partners[own].append(partner - (partner > own))
        counts.update(tuple(places) for places in partners.values())
    return counts


def test_fixed_probability_without_autapses_keeps_the_probability_of_all_other_sets():
    counts = count_choices(fixed_probability(0.4, autapses=False), range(4), range(4), streams=500)
    outcomes = [s for size in range(4) for s in itertools.combinations(range(3), size)]
    assert set(counts) == set(outcomes)
    sizes = np.array([len(outcome) for outcome in outcomes])
    assert_frequencies([counts[s] for s in outcomes], 2000 * 0.4**sizes * 0.6 ** (3 - sizes))


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("fixed", [fixed_outdegree, fixed_indegree])
@pytest.mark.parametrize("neurons, view, streams", [(range(5, 2005), 5, 1), (range(6), 6, 334)])
def test_sets_of_targets_or_sources_are_equally_likely(fixed, n, neurons, view, streams):
    """Two of five by first occurrences, three by complement; with and without the neuron itself in
    the view.
    """
    counts = count_choices(fixed(n, autapses=False), neurons, range(view), streams=streams)
    assert set(counts) == set(itertools.combinations(range(5), n))
    total = len(neurons) * streams
    assert_frequencies(list(counts.values()), [total / 10] * 10)


@pytest.mark.parametrize("n", [1, 3])
def test_sets_of_pairs_of_a_total_number_are_equally_likely(n):
    pairs = [(s, t) for s in range(2) for t in range(3) if s != t]
    connector = fixed_total_number(n, autapses=False)
    counts = Counter(
        tuple(joined(connector, 2, 3, recurrent=True, stream=Stream(seed, "edges")))
        for seed in range(800)
    )
    assert set(counts) == set(itertools.combinations(pairs, n))
    assert_frequencies(list(counts.values()), [200] * 4)


@pytest.mark.parametrize("multapses", [True, False])
def test_pairs_beyond_two_to_the_32_are_all_within_reach(multapses):
    """2**40 pairs: draws in steps of 2**-32 would reach one target in 256."""
    view = np.arange(2**20)
    edges = fixed_total_number(4000, multapses=multapses).connect(
        STREAM, view, view, recurrent=False
    )
    assert_frequencies(np.bincount(edges.target % 16, minlength=16), [250] * 16)


def test_a_probability_near_the_rounding_of_one_keeps_its_value():
    """1 - 1.6e-16 is stored as 1 - 1.1e-16 or 1 - 2.2e-16; 16 000 successes are expected, five
    deviations are 4 % of it.
    """
    p = 1.6e-16
    positions = sampling._draw_successes(
        STREAM, np.arange(1000), trials=10**17, p=p, log_rest=sampling.log_of_rest(p)
    )
    assert np.sum(positions < 10**17) == pytest.approx(16_000, rel=0.04)


def test_neurons_choose_independently_of_each_other():
    edges = fixed_outdegree(1).connect(STREAM, np.arange(20_000), np.arange(4), recurrent=False)
    assert_frequencies(
        np.bincount(edges.target[:-1] * 4 + edges.target[1:], minlength=16), [19_999 / 16] * 16
    )


@pytest.mark.parametrize(
    "connector",
    [
        fixed_outdegree(1000, multapses=True),
        fixed_indegree(1000, multapses=True),
        fixed_total_number(12_000, multapses=True),
    ],
    ids=lambda c: c.show(),
)
def test_pairs_with_multapses_are_even(connector):
    edges = connector.connect(STREAM, np.arange(12), np.arange(12), recurrent=False)
    assert_frequencies(
        np.bincount(edges.source() * 12 + edges.target, minlength=144), [12_000 / 144] * 144
    )
