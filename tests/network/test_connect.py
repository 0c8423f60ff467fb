"""Connectors: who is joined to whom where it can be said beforehand, degrees, estimates and
phrases.
"""

import math

import numpy as np
import pytest
import scipy.sparse
from support.connecting import RANDOM, STREAM, joined

from neurosim.network.wiring.connectors import (
    all_to_all,
    fixed_indegree,
    fixed_outdegree,
    fixed_probability,
    fixed_total_number,
    one_to_one,
)
from neurosim.network.wiring.edge_lists import from_arrays, from_sparse

# Exact small cases


def test_one_to_one_joins_equal_positions():
    assert joined(one_to_one(), [4, 2, 9], [0, 4, 1]) == [(4, 0), (2, 4), (9, 1)]


def test_all_to_all_joins_every_pair_or_all_but_the_neuron_itself():
    assert joined(all_to_all(), 2, 3, recurrent=True) == [
        (0, 0),
        (0, 1),
        (0, 2),
        (1, 0),
        (1, 1),
        (1, 2),
    ]
    assert joined(all_to_all(autapses=False), [2, 5], [5, 1, 2], recurrent=True) == [
        (2, 5),
        (2, 1),
        (5, 1),
        (5, 2),
    ]


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
    edges = from_arrays(sources, targets).connect(
        STREAM, np.arange(3), np.arange(3), recurrent=False
    )
    # the two edges 2 -> 1 stay as given
    np.testing.assert_array_equal(edges.order, [3, 1, 5, 2, 0, 4])
    np.testing.assert_array_equal(edges.source(), sources[edges.order])
    np.testing.assert_array_equal(edges.target, targets[edges.order])
    np.testing.assert_array_equal(edges.pointer, [0, 2, 3, 6])


def test_sorted_arrays_need_no_order_and_empty_ones_make_no_edge():
    assert (
        from_arrays([0, 0, 1], [0, 0, 1])
        .connect(STREAM, np.arange(2), np.arange(2), recurrent=False)
        .order
        is None
    )
    assert joined(from_arrays([], []), 2, 2) == []


def test_arrays_are_positions_in_views_and_copies():
    positions = np.array([1, 0])
    connector = from_arrays(positions, [0, 1])
    positions[:] = 7
    assert joined(connector, [10, 20], [5, 3]) == [(10, 3), (20, 5)]


@pytest.mark.parametrize("form", ["coo", "csr", "csc"])
def test_a_sparse_matrix_keeps_weights_duplicates_and_explicit_zeros(form):
    rows, columns, values = [2, 0, 2, 0, 1], [1, 2, 0, 0, 1], [1.5, 2.5, 3.5, 0.0, 5.5]
    matrix = scipy.sparse.coo_array((values, (rows, columns)), shape=(3, 4)).asformat(form)
    connector = from_sparse(matrix)
    edges = connector.connect(STREAM, np.arange(3), np.arange(4), recurrent=False)
    weights = connector.weights if edges.order is None else connector.weights[edges.order]
    triples = list(
        zip(edges.source().tolist(), edges.target.tolist(), weights.tolist(), strict=True)
    )
    assert triples == [(0, 0, 0.0), (0, 2, 2.5), (1, 1, 5.5), (2, 0, 3.5), (2, 1, 1.5)]


def test_duplicates_of_a_sparse_matrix_are_separate_edges_as_given():
    connector = from_sparse(
        scipy.sparse.coo_matrix(([3.0, 1.0, 2.0], ([1, 0, 1], [0, 0, 0])), shape=(2, 1))
    )
    edges = connector.connect(STREAM, np.arange(2), np.arange(1), recurrent=False)
    np.testing.assert_array_equal(connector.weights[edges.order], [1.0, 3.0, 2.0])


@pytest.mark.parametrize(
    "connector",
    [
        one_to_one(),
        all_to_all(autapses=False),
        fixed_probability(0.5),
        fixed_outdegree(0),
        fixed_indegree(0),
        fixed_total_number(0),
        fixed_outdegree(3),
        fixed_indegree(3),
        from_arrays([], []),
    ],
    ids=lambda c: c.show(),
)
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
    by_target = (
        joined(fixed_indegree(n, **options), targets, sources, recurrent=True)
        if multapses or n <= 4
        else []
    )
    total = joined(fixed_total_number(5 * n, **options), sources, targets, recurrent=True)
    assert [sum(s == source for s, _ in by_source) for source in sources] == [n] * 5
    assert (
        not by_target or [sum(t == target for _, t in by_target) for target in sources] == [n] * 5
    )
    assert len(total) == 5 * n
    for edges in (by_source, by_target, total):
        assert autapses or all(s != t for s, t in edges)
        assert multapses or len(set(edges)) == len(edges)


def test_the_greatest_number_without_multapses_makes_every_edge():
    everything = joined(all_to_all(autapses=False), 6, 6, recurrent=True)
    for connector in (
        fixed_outdegree(5, autapses=False),
        fixed_indegree(5, autapses=False),
        fixed_total_number(30, autapses=False),
    ):
        assert joined(connector, 6, 6, recurrent=True) == everything


def test_multapses_do_occur_when_allowed():
    for connector in (
        fixed_outdegree(20, multapses=True),
        fixed_indegree(20, multapses=True),
        fixed_total_number(99, multapses=True),
    ):
        edges = joined(connector, 6, 6)
        assert len(set(edges)) < len(edges)


# Estimates and phrases


@pytest.mark.parametrize(
    "connector",
    [*RANDOM, all_to_all(), one_to_one(), from_arrays([0], [3])],
    ids=lambda c: c.show(),
)
def test_no_more_edges_come_than_were_expected(connector):
    most = connector.count(16, 16, recurrent=True).most
    assert len(joined(connector, 16, 16, recurrent=True)) <= most <= 480


def test_the_estimate_of_a_probability_is_the_mean_and_six_deviations_but_never_more_than_all():
    some = fixed_probability(0.1).count(100, 1000, recurrent=False)
    assert some.most == pytest.approx(10_000 + 6 * math.sqrt(9000)) and not some.exact
    assert fixed_probability(0.9).count(2, 3, recurrent=False).most == 6


@pytest.mark.parametrize(
    "connector, recurrent, known",
    [
        (one_to_one(), True, 7),
        (all_to_all(), True, 49),
        (all_to_all(autapses=False), False, 49),
        (all_to_all(autapses=False), True, None),
        (fixed_probability(0.5), False, None),
        (fixed_indegree(4), True, 28),
        (fixed_outdegree(3), True, 21),
        (fixed_total_number(5), True, 5),
        (from_arrays([0, 0, 6], [3, 3, 0]), True, 3),
    ],
    ids=lambda value: value.show() if hasattr(value, "show") else str(value),
)
def test_the_number_of_edges_is_known_beforehand_where_chance_has_no_part(
    connector, recurrent, known
):
    assert connector.count(7, 7, recurrent=recurrent).known == known
    if known is not None:
        assert len(joined(connector, 7, 7, recurrent=recurrent)) == known


@pytest.mark.parametrize(
    "connector, phrase",
    [
        (one_to_one(), "one to one"),
        (all_to_all(), "all to all"),
        (fixed_probability(0.1, autapses=False), "fixed probability 0.1 without autapses"),
        (fixed_indegree(3), "fixed indegree 3"),
        (
            fixed_outdegree(3.0, autapses=False, multapses=True),
            "fixed outdegree 3 without autapses with multapses",
        ),
        (fixed_total_number(np.int32(3)), "fixed total number 3"),
        (from_arrays([0, 1], [1, 0]), "from arrays (2 edges)"),
        (
            from_sparse(scipy.sparse.coo_array(([1.0], ([0], [1])), shape=(2, 3))),
            "from sparse matrix of shape (2, 3) (1 edges)",
        ),
    ],
)
def test_connectors_show_as_a_short_phrase(connector, phrase):
    assert connector.show() == phrase
