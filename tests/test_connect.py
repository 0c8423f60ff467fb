"""Connectors: exact small cases, distributions within bounds fixed beforehand, independence of rows, every message."""

import itertools
import math
import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import scipy.sparse

from neurosim import rows, sampling
from neurosim.connect import (
    all_to_all,
    fixed_indegree,
    fixed_outdegree,
    fixed_probability,
    fixed_total_number,
    from_arrays,
    from_sparse,
    one_to_one,
)
from neurosim.errors import NetworkError
from neurosim.random import Stream

STREAM = Stream(7, "a to b")
RANDOM = [
    fixed_probability(0.3),
    fixed_probability(0.9, autapses=False),
    fixed_outdegree(4, autapses=False),
    fixed_outdegree(14),
    fixed_outdegree(30, multapses=True),
    fixed_indegree(4),
    fixed_indegree(13, autapses=False),
    fixed_indegree(30, autapses=False, multapses=True),
    fixed_total_number(40),
    fixed_total_number(200, autapses=False),
    fixed_total_number(400, autapses=False, multapses=True),
]


def joined(connector, sources, targets, *, recurrent=False, stream=STREAM):
    """Return the edges as a list of (source, target), absolute, after checking that they are well formed."""
    sources = np.arange(sources) if isinstance(sources, int) else np.asarray(sources)
    targets = np.arange(targets) if isinstance(targets, int) else np.asarray(targets)
    edges = connector.connect(stream, sources, targets, recurrent=recurrent)
    assert (edges.pointer.dtype, edges.target.dtype, edges.source().dtype) == (np.int64, np.int32, np.int32)
    assert edges.pointer.shape == (sources.size + 1,) and edges.pointer[0] == 0 and edges.pointer[-1] == edges.target.size
    for row in np.split(edges.target, edges.pointer[1:-1]):
        assert np.all(np.diff(row) >= 0)
    return list(zip(sources[edges.source()].tolist(), targets[edges.target].tolist(), strict=True))


def refused(match):
    return pytest.raises(NetworkError, match=match)


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


# Exact small cases


def test_one_to_one_joins_equal_positions():
    assert joined(one_to_one(), [4, 2, 9], [0, 4, 1]) == [(4, 0), (2, 4), (9, 1)]


def test_all_to_all_joins_every_pair_or_all_but_the_neuron_itself():
    assert joined(all_to_all(), 2, 3, recurrent=True) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert joined(all_to_all(autapses=False), [2, 5], [5, 1, 2], recurrent=True) == [(2, 5), (2, 1), (5, 1), (5, 2)]


def test_equal_indices_in_different_populations_are_no_autapse():
    assert joined(all_to_all(autapses=False), 2, 2, recurrent=False) == joined(all_to_all(), 2, 2)


@pytest.mark.parametrize("autapses", [True, False])
def test_probability_zero_joins_none_and_one_joins_all(autapses):
    everything = joined(all_to_all(autapses=autapses), 5, 5, recurrent=True)
    assert joined(fixed_probability(0, autapses=autapses), 5, 5, recurrent=True) == []
    assert joined(fixed_probability(1, autapses=autapses), 5, 5, recurrent=True) == everything


@pytest.mark.parametrize("p", [1e-300, 1e-17, 1 - 2**-53])
def test_probabilities_next_to_zero_and_one_are_no_special_case(p):
    assert len(joined(fixed_probability(p), 30, 30)) == round(p) * 900


def test_arrays_are_sorted_and_the_order_leads_back_to_the_user():
    sources, targets = np.array([2, 0, 2, 0, 2, 1]), np.array([1, 2, 0, 0, 1, 1])
    edges = from_arrays(sources, targets).connect(STREAM, np.arange(3), np.arange(3), recurrent=False)
    np.testing.assert_array_equal(edges.order, [3, 1, 5, 2, 0, 4])  # the two edges 2 -> 1 stay as given
    np.testing.assert_array_equal(edges.source(), sources[edges.order])
    np.testing.assert_array_equal(edges.target, targets[edges.order])
    np.testing.assert_array_equal(edges.pointer, [0, 2, 3, 6])


def test_sorted_arrays_need_no_order_and_empty_ones_make_no_edge():
    assert from_arrays([0, 0, 1], [0, 0, 1]).connect(STREAM, np.arange(2), np.arange(2), recurrent=False).order is None
    assert joined(from_arrays([], []), 2, 2) == []


def test_arrays_are_positions_in_views_and_copies():
    given = np.array([1, 0])
    connector = from_arrays(given, [0, 1])
    given[:] = 7
    assert joined(connector, [10, 20], [5, 3]) == [(10, 3), (20, 5)]


@pytest.mark.parametrize("form", ["coo", "csr", "csc"])
def test_a_sparse_matrix_keeps_weights_duplicates_and_explicit_zeros(form):
    rows, columns, values = [2, 0, 2, 0, 1], [1, 2, 0, 0, 1], [1.5, 2.5, 3.5, 0.0, 5.5]
    matrix = scipy.sparse.coo_array((values, (rows, columns)), shape=(3, 4)).asformat(form)
    connector = from_sparse(matrix)
    edges = connector.connect(STREAM, np.arange(3), np.arange(4), recurrent=False)
    weights = connector.weights if edges.order is None else connector.weights[edges.order]
    found = list(zip(edges.source().tolist(), edges.target.tolist(), weights.tolist(), strict=True))
    assert found == [(0, 0, 0.0), (0, 2, 2.5), (1, 1, 5.5), (2, 0, 3.5), (2, 1, 1.5)]


def test_duplicates_of_a_sparse_matrix_are_separate_edges_as_given():
    connector = from_sparse(scipy.sparse.coo_matrix(([3.0, 1.0, 2.0], ([1, 0, 1], [0, 0, 0])), shape=(2, 1)))
    edges = connector.connect(STREAM, np.arange(2), np.arange(1), recurrent=False)
    np.testing.assert_array_equal(connector.weights[edges.order], [1.0, 3.0, 2.0])


@pytest.mark.parametrize("connector", [
    one_to_one(), all_to_all(autapses=False), fixed_probability(0.5), fixed_outdegree(0), fixed_indegree(0), fixed_total_number(0),
    fixed_outdegree(3), fixed_indegree(3), from_arrays([], []),
], ids=lambda c: c.show())
def test_empty_views_are_joined_by_no_edge(connector):
    assert joined(connector, 0, 0, recurrent=True) == []


# Degrees, autapses, multapses


@pytest.mark.parametrize("autapses", [True, False])
@pytest.mark.parametrize("multapses", [True, False])
@pytest.mark.parametrize("n", [0, 1, 5, 10, 11])
def test_degrees_are_exact_and_refused_edges_absent(n, autapses, multapses):
    sources, targets = [3, 1, 17, 30, 8], [8, 40, 3, 5, 6, 7, 1, 2, 90, 91, 92, 93]
    options = {"autapses": autapses, "multapses": multapses}
    by_source = joined(fixed_outdegree(n, **options), sources, targets, recurrent=True)
    by_target = joined(fixed_indegree(n, **options), targets, sources, recurrent=True) if multapses or n <= 4 else []
    total = joined(fixed_total_number(5 * n, **options), sources, targets, recurrent=True)
    assert [sum(s == source for s, _ in by_source) for source in sources] == [n] * 5
    assert not by_target or [sum(t == target for _, t in by_target) for target in sources] == [n] * 5
    assert len(total) == 5 * n
    for edges in (by_source, by_target, total):
        assert autapses or all(s != t for s, t in edges)
        assert multapses or len(set(edges)) == len(edges)


def test_the_greatest_number_without_multapses_makes_every_edge():
    everything = joined(all_to_all(autapses=False), 6, 6, recurrent=True)
    for connector in (fixed_outdegree(5, autapses=False), fixed_indegree(5, autapses=False), fixed_total_number(30, autapses=False)):
        assert joined(connector, 6, 6, recurrent=True) == everything


def test_multapses_do_occur_when_allowed():
    for connector in (fixed_outdegree(20, multapses=True), fixed_indegree(20, multapses=True), fixed_total_number(99, multapses=True)):
        edges = joined(connector, 6, 6)
        assert len(set(edges)) < len(edges)


# Distributions


@pytest.mark.parametrize("p", [0.002, 0.1, 0.5, 0.97])
def test_fixed_probability_has_binomial_rows_and_even_columns(p):
    """20 000 rows of 500. Bounds are five standard deviations; that of a variance is sqrt(2 / rows) of it, 1 %, and 1.2 % at p = 0.002."""
    rows, columns = 20_000, 500
    edges = fixed_probability(p).connect(STREAM, np.arange(rows), np.arange(columns), recurrent=False)
    counts = np.diff(edges.pointer)
    assert counts.mean() == pytest.approx(columns * p, abs=5 * math.sqrt(columns * p * (1 - p) / rows))
    assert counts.var() == pytest.approx(columns * p * (1 - p), rel=0.06)
    assert np.corrcoef(counts[:-1], counts[1:])[0, 1] == pytest.approx(0, abs=5 / math.sqrt(rows))
    deviations = (np.bincount(edges.target, minlength=columns) - rows * p) / math.sqrt(rows * p * (1 - p))
    assert np.sum(deviations**2) == pytest.approx(columns, abs=5 * math.sqrt(2 * columns))


@pytest.mark.parametrize("p", [0.2, 0.6])
def test_fixed_probability_gives_each_set_of_targets_its_product_probability(p):
    edges = fixed_probability(p).connect(STREAM, np.arange(100_000), np.arange(4), recurrent=False)
    patterns = np.bincount(edges.source(), weights=2.0**edges.target, minlength=100_000).astype(int)
    sizes = np.array([k.bit_count() for k in range(16)])
    assert_frequencies(np.bincount(patterns, minlength=16), 100_000 * p**sizes * (1 - p) ** (4 - sizes))


def counted(connector, sources, targets, *, outcomes):
    """Count the outcomes of a recurrent projection over 2000 streams; each must be one of `outcomes`."""
    counts = dict.fromkeys(outcomes, 0)
    for seed in range(2000):
        counts[tuple(joined(connector, sources, targets, recurrent=True, stream=Stream(seed, "edges")))] += 1
    return list(counts.values())


def test_fixed_probability_without_autapses_keeps_the_probability_of_all_other_sets():
    outcomes = [tuple((1, k) for k in subset) for size in range(4) for subset in itertools.combinations([0, 2, 3], size)]
    sizes = np.array([len(edges) for edges in outcomes])
    found = counted(fixed_probability(0.4, autapses=False), [1], [0, 1, 2, 3], outcomes=outcomes)
    assert_frequencies(found, 2000 * 0.4**sizes * 0.6 ** (3 - sizes))


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("me, view", [(9, [0, 1, 2, 3, 4]), (2, [0, 1, 2, 3, 4, 5])])
def test_sets_of_targets_or_sources_are_equally_likely(n, me, view):
    """Two of five by first occurrences, three by complement; one neuron, so that an outcome is its set of partners."""
    subsets = list(itertools.combinations([k for k in view if k != me], n))
    outward = counted(fixed_outdegree(n, autapses=False), [me], view, outcomes=[tuple((me, k) for k in s) for s in subsets])
    inward = counted(fixed_indegree(n, autapses=False), view, [me], outcomes=[tuple((k, me) for k in s) for s in subsets])
    assert_frequencies(outward, [200] * 10)
    assert_frequencies(inward, [200] * 10)


@pytest.mark.parametrize("n", [1, 3])
def test_sets_of_pairs_of_a_total_number_are_equally_likely(n):
    pairs = [(s, t) for s in range(2) for t in range(3) if s != t]
    outcomes = list(itertools.combinations(pairs, n))
    assert_frequencies(counted(fixed_total_number(n, autapses=False), 2, 3, outcomes=outcomes), [500] * 4)


@pytest.mark.parametrize("multapses", [True, False])
def test_pairs_beyond_two_to_the_32_are_all_within_reach(multapses):
    """2**40 pairs: draws in steps of 2**-32 would reach one target in 256."""
    view = np.arange(2**20)
    edges = fixed_total_number(4000, multapses=multapses).connect(STREAM, view, view, recurrent=False)
    assert_frequencies(np.bincount(edges.target % 16, minlength=16), [250] * 16)


def test_a_probability_near_the_rounding_of_one_keeps_its_value():
    """1 - 1.6e-16 is stored as 1 - 1.1e-16 or 1 - 2.2e-16; 16 000 successes are expected, five deviations are 4 % of it."""
    p = 1.6e-16
    positions = sampling._successes(STREAM, np.arange(1000), trials=10**17, p=p, log_rest=sampling.log_of_rest(p))
    assert np.sum(positions < 10**17) == pytest.approx(16_000, rel=0.04)


def test_neurons_choose_independently_of_each_other():
    edges = fixed_outdegree(1).connect(STREAM, np.arange(20_000), np.arange(4), recurrent=False)
    assert_frequencies(np.bincount(edges.target[:-1] * 4 + edges.target[1:], minlength=16), [19_999 / 16] * 16)


@pytest.mark.parametrize("connector", [
    fixed_outdegree(1000, multapses=True), fixed_indegree(1000, multapses=True), fixed_total_number(12_000, multapses=True),
], ids=lambda c: c.show())
def test_pairs_with_multapses_are_even(connector):
    edges = connector.connect(STREAM, np.arange(12), np.arange(12), recurrent=False)
    assert_frequencies(np.bincount(edges.source() * 12 + edges.target, minlength=144), [12_000 / 144] * 144)


# Memory, and independence of rows, of blocks, of other streams


@pytest.mark.parametrize("connector", [c for c in RANDOM if not isinstance(c, fixed_total_number)], ids=lambda c: c.show())
def test_a_row_does_not_depend_on_which_other_rows_are_drawn(connector):
    inward = isinstance(connector, fixed_indegree)
    many, few = [*range(16)], [11, 3, 7]

    def rows(neurons):
        return joined(connector, *((many, neurons) if inward else (neurons, many)), recurrent=True)

    own = 1 if inward else 0
    assert sorted(rows(few)) == sorted(edge for edge in rows(many) if edge[own] in few)


@pytest.mark.parametrize("connector", RANDOM, ids=lambda c: c.show())
def test_blocks_and_widths_of_draws_do_not_change_the_edges(connector, monkeypatch):
    before = joined(connector, 16, 16, recurrent=True)
    monkeypatch.setattr(sampling, "BLOCK", 50)
    assert joined(connector, 16, 16, recurrent=True) == before
    monkeypatch.setattr(sampling, "_ample", lambda mean: 1)
    assert joined(connector, 16, 16, recurrent=True) == before


LARGER = [
    fixed_probability(1e-3), fixed_probability(0.5, autapses=False), fixed_outdegree(200), fixed_outdegree(450, autapses=False),
    fixed_outdegree(200, multapses=True), fixed_indegree(70, autapses=False), fixed_indegree(301), fixed_indegree(65, multapses=True),
    fixed_total_number(5000, autapses=False), fixed_total_number(200_000), fixed_total_number(5001, multapses=True),
]


@pytest.mark.parametrize("connector", [*RANDOM, *LARGER], ids=lambda c: c.show())
def test_compiled_code_draws_the_same_edges_as_numpy_whatever_the_blocks_and_threads(connector, monkeypatch):
    """Views in any order, which overlap in part, so that some rows have a refused edge and some have none; rows of several chunks of draws."""
    sources, targets = np.arange(16), np.arange(16)
    if connector in LARGER:
        sources, targets = np.random.default_rng(1).permutation(700)[:520], np.random.default_rng(2).permutation(700)[:513]
    expected = joined(connector, sources, targets, recurrent=True)
    monkeypatch.setattr(sampling, "MANY", 0)
    assert joined(connector, sources, targets, recurrent=True) == expected
    monkeypatch.setattr(rows, "BLOCK", 1 << 10)
    monkeypatch.setattr(rows, "cores", lambda: 3)
    assert joined(connector, sources, targets, recurrent=True) == expected


@pytest.mark.parametrize("many", [0, math.inf])
def test_order_sorts_keys_and_leaves_equal_ones_as_they_stand(many, monkeypatch):
    monkeypatch.setattr(sampling, "MANY", many)
    pointer, order = sampling.order(np.array([3, 1, 3, 0, 1, 3, 5], np.int32), below=7)
    assert order.tolist() == [3, 1, 4, 0, 2, 5, 6] and order.dtype == np.int32
    assert pointer.tolist() == [0, 1, 3, 3, 6, 6, 7, 7]


def test_few_edges_are_drawn_without_loading_numba():
    code = """import sys, numpy, neurosim as ns
from neurosim.random import Stream
for connector in (ns.fixed_probability(0.1), ns.fixed_indegree(9), ns.fixed_outdegree(9), ns.fixed_total_number(99)):
    connector.connect(Stream(0, "edges"), numpy.arange(99), numpy.arange(99), recurrent=True)
print("numba" in sys.modules)"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_second_process_draws_many_edges_without_compiling(tmp_path):
    code = """import numpy, neurosim as ns
from numba.core import event
from neurosim import sampling
from neurosim.random import Stream
sampling.MANY = 0
seen = event.RecordingListener()
with event.install_listener("numba:run_pass", seen):
    edges = ns.fixed_indegree(9).connect(Stream(0, "edges"), numpy.arange(99), numpy.arange(99), recurrent=True)
print(len(seen.buffer), edges.target.sum())"""
    environment = {**os.environ, "NEUROSIM_CACHE": str(tmp_path)}
    first, second = (subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment).stdout.split()
                     for _ in range(2))
    assert int(first[0]) > 0 and second == ["0", first[1]]


@pytest.mark.parametrize("connector, most", [
    (fixed_probability(0.1), 4.5), (fixed_outdegree(500), 4.5), (fixed_indegree(500), 8.5), (fixed_total_number(1_000_000, multapses=True), 12.5),
], ids=lambda x: x.show() if hasattr(x, "show") else "")
def test_a_million_edges_need_little_memory_beside_their_targets(connector, most, monkeypatch):
    """Bytes per edge at the worst moment; 4 remain. One number more per edge, of 8 bytes, would break each bound."""
    monkeypatch.setattr(sampling, "MANY", 0)
    for module in (sampling, rows):
        monkeypatch.setattr(module, "BLOCK", 1 << 12)
    edges = connector.connect(STREAM, np.arange(2000), np.arange(2000), recurrent=False)  # compiles what is not
    count = edges.target.size
    del edges
    tracemalloc.start()
    edges = connector.connect(STREAM, np.arange(2000), np.arange(2000), recurrent=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert edges.target.size == count > 390_000 and peak < most * count + 500_000


def test_a_fixed_probability_needs_little_memory_beside_its_edges(monkeypatch):
    """A million edges are 4 MB, twice that while blocks are joined; candidates drawn all at once would take more than 50 MB."""
    monkeypatch.setattr(sampling, "BLOCK", 1 << 14)
    tracemalloc.start()
    edges = fixed_probability(0.1).connect(STREAM, np.arange(2000), np.arange(5000), recurrent=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert edges.target.nbytes == pytest.approx(4e6, rel=0.01) and peak < 12e6


@pytest.mark.parametrize("connector", RANDOM, ids=lambda c: c.show())
def test_equal_streams_draw_the_same_and_other_names_or_seeds_something_else(connector):
    drawn = joined(connector, 16, 16, recurrent=True)
    assert joined(connector, 16, 16, recurrent=True, stream=Stream(7, "a to b")) == drawn
    assert joined(connector, 16, 16, recurrent=True, stream=Stream(7, "a to c")) != drawn
    assert joined(connector, 16, 16, recurrent=True, stream=Stream(8, "a to b")) != drawn


# Estimates and phrases


@pytest.mark.parametrize("connector", [*RANDOM, all_to_all(), one_to_one(), from_arrays([0], [3])], ids=lambda c: c.show())
def test_no_more_edges_come_than_were_expected(connector):
    assert len(joined(connector, 16, 16, recurrent=True)) <= connector.expected(16, 16) <= 480


def test_the_estimate_of_a_probability_is_the_mean_and_six_deviations_but_never_more_than_all():
    assert fixed_probability(0.1).expected(100, 1000) == pytest.approx(10_000 + 6 * math.sqrt(9000))
    assert fixed_probability(0.9).expected(2, 3) == 6
    assert fixed_indegree(4).expected(10, 7) == 28 and fixed_outdegree(4).expected(10, 7) == 40


@pytest.mark.parametrize("connector, phrase", [
    (one_to_one(), "one to one"),
    (all_to_all(), "all to all"),
    (fixed_probability(0.1, autapses=False), "fixed probability 0.1 without autapses"),
    (fixed_indegree(3), "fixed indegree 3"),
    (fixed_outdegree(3.0, autapses=False, multapses=True), "fixed outdegree 3 without autapses with multapses"),
    (fixed_total_number(np.int32(3)), "fixed total number 3"),
    (from_arrays([0, 1], [1, 0]), "from arrays (2 edges)"),
    (from_sparse(scipy.sparse.coo_array(([1.0], ([0], [1])), shape=(2, 3))), "from sparse matrix of shape (2, 3) (1 edges)"),
])
def test_connectors_show_as_a_short_phrase(connector, phrase):
    assert connector.show() == phrase


# Messages


@pytest.mark.parametrize("p", [-0.1, 1.5, math.nan, "0.1", None])
def test_a_probability_outside_0_to_1_is_refused(p):
    with refused(r"fixed_probability: p is .*; expected a number from 0 to 1\. Give a fraction: 0\.1 is ten per cent"):
        fixed_probability(p)


@pytest.mark.parametrize("connector", [fixed_indegree, fixed_outdegree, fixed_total_number])
@pytest.mark.parametrize("n", [-1, 2.5, math.nan, math.inf, True, "3"])
def test_a_number_of_edges_that_is_negative_or_not_whole_is_refused(connector, n):
    with refused(rf"{connector.__name__}: n is .*; expected a whole number of edges, 0 or more\. Round it to an int"):
        connector(n)


@pytest.mark.parametrize("connector, most", [(fixed_outdegree, 7), (fixed_indegree, 5), (fixed_total_number, 35)])
def test_more_edges_than_possible_without_multapses_are_refused(connector, most):
    assert joined(connector(most), 5, 7)
    with refused(rf"{connector.__name__.replace('_', ' ')} {most + 1}: {most + 1} edges are asked for where only {most} "
                                           rf"different ones are possible\. Use n={most} or less, or multapses=True"):
        joined(connector(most + 1), 5, 7)


@pytest.mark.parametrize("connector, most", [(fixed_outdegree, 4), (fixed_indegree, 4), (fixed_total_number, 20)])
def test_refused_autapses_lower_what_is_possible(connector, most):
    with refused(f"without autapses: 10000000000000 edges are asked for where only {most} different ones"):
        joined(connector(10**13, autapses=False), 5, 5, recurrent=True)


@pytest.mark.parametrize("connector", [fixed_outdegree, fixed_indegree, fixed_total_number])
def test_edges_to_nobody_are_refused_even_with_multapses(connector):
    with refused(r"1 edges are asked for where only 0 different ones are possible\. Use n=0, or join other neurons"):
        joined(connector(1, autapses=False, multapses=True), 1, 1, recurrent=True)


def test_one_to_one_refuses_unequal_sizes():
    with refused("one to one: there are 3 sources and 4 targets; expected as many of the one as of the other. Join views"):
        joined(one_to_one(), 3, 4)


def test_arrays_of_unequal_length_are_refused():
    with refused("from_arrays: sources has 2 entries and targets 1, but each edge needs one of both. Give arrays of equal"):
        from_arrays([0, 1], [0])


@pytest.mark.parametrize("given, found", [([0.0, 1.0], r"float64 and shape \(2,\)"), ([True, False], r"bool and shape \(2,\)"),
                                          ([[0, 1]], r"int64 and shape \(1, 2\)"), (["0"], r"<U1 and shape \(1,\)")])
def test_arrays_that_hold_no_list_of_integers_are_refused(given, found):
    with refused(f"from_arrays: targets has dtype {found}; expected a one-dimensional array of integers. Convert"):
        from_arrays([0, 1], given)


def test_negative_positions_are_refused():
    with refused("from_arrays: sources holds -2; expected 0 or more. Positions count from the start of the view"):
        from_arrays([0, -2], [0, 1])


@pytest.mark.parametrize("sources, targets, name", [([0, 5], [0, 0], "sources"), ([0, 0], [5, 0], "targets")])
def test_positions_beyond_the_view_are_refused(sources, targets, name):
    with refused(rf"from arrays \(2 edges\): {name} holds 5, but the view has 4 neurons: expected 3 or less. Positions"):
        joined(from_arrays(sources, targets), [5, 6, 7, 8], 4)


def test_a_sparse_matrix_of_another_shape_is_refused():
    with refused(r"from sparse .*: there are 3 sources and 2 targets, so the shape should be \(3, 2\). .*transpose the matrix"):
        joined(from_sparse(scipy.sparse.eye_array(2, 3)), 3, 2)


def test_a_dense_matrix_is_refused():
    with refused("from_sparse: the matrix is a ndarray; expected a two-dimensional SciPy sparse matrix.*Wrap a dense array"):
        from_sparse(np.eye(3))


def test_complex_weights_are_refused():
    with refused("from_sparse: the stored values are complex128; expected real numbers. Use their real part"):
        from_sparse(scipy.sparse.eye_array(2, dtype=complex))
