"""What connectors refuse, and in which words."""

import math

import numpy as np
import pytest
import scipy.sparse
from support.connecting import joined

from neurosim.errors import NetworkError
from neurosim.network.wiring.connectors import (
    fixed_indegree,
    fixed_outdegree,
    fixed_probability,
    fixed_total_number,
    one_to_one,
)
from neurosim.network.wiring.edge_lists import from_arrays, from_sparse


def refused(match):
    return pytest.raises(NetworkError, match=match)


@pytest.mark.parametrize("p", [-0.1, 1.5, math.nan, "0.1", None])
def test_a_probability_outside_0_to_1_is_refused(p):
    with refused(
        r"fixed_probability: p is .*; expected a number from 0 to 1\. Give a fraction: "
        r"0\.1 is ten per cent"
    ):
        fixed_probability(p)


@pytest.mark.parametrize("connector", [fixed_indegree, fixed_outdegree, fixed_total_number])
@pytest.mark.parametrize("n", [-1, 2.5, math.nan, math.inf, True, "3"])
def test_a_number_of_edges_that_is_negative_or_not_whole_is_refused(connector, n):
    with refused(
        rf"{connector.__name__}: n is .*; expected a whole number of edges, 0 or more\. "
        r"Round it to an int"
    ):
        connector(n)


@pytest.mark.parametrize(
    "connector, most", [(fixed_outdegree, 7), (fixed_indegree, 5), (fixed_total_number, 35)]
)
def test_more_edges_than_possible_without_multapses_are_refused(connector, most):
    assert joined(connector(most), 5, 7)
    with refused(
        rf"{connector.__name__.replace('_', ' ')} {most + 1}: "
        rf"{most + 1} edges are asked for where only {most} "
        rf"different ones are possible\. Use n={most} or less, or multapses=True"
    ):
        joined(connector(most + 1), 5, 7)


@pytest.mark.parametrize(
    "connector, most", [(fixed_outdegree, 4), (fixed_indegree, 4), (fixed_total_number, 20)]
)
def test_refused_autapses_lower_what_is_possible(connector, most):
    with refused(
        f"without autapses: 10000000000000 edges are asked for where only {most} different ones"
    ):
        joined(connector(10**13, autapses=False), 5, 5, recurrent=True)


@pytest.mark.parametrize("connector", [fixed_outdegree, fixed_indegree, fixed_total_number])
def test_edges_to_nobody_are_refused_even_with_multapses(connector):
    with refused(
        r"1 edges are asked for where only 0 different ones are possible\. "
        r"Use n=0, or join other neurons"
    ):
        joined(connector(1, autapses=False, multapses=True), 1, 1, recurrent=True)


def test_one_to_one_refuses_unequal_sizes():
    with refused(
        "one to one: there are 3 sources and 4 targets; "
        "expected as many of the one as of the other. Join views"
    ):
        joined(one_to_one(), 3, 4)


def test_arrays_of_unequal_length_are_refused():
    with refused(
        "from_arrays: sources has 2 entries and targets 1, but each edge needs one of both. "
        "Give arrays of equal"
    ):
        from_arrays([0, 1], [0])


@pytest.mark.parametrize(
    "targets, dtype",
    [
        ([0.0, 1.0], r"float64 and shape \(2,\)"),
        ([True, False], r"bool and shape \(2,\)"),
        ([[0, 1]], r"int64 and shape \(1, 2\)"),
        (["0"], r"<U1 and shape \(1,\)"),
    ],
)
def test_arrays_that_hold_no_list_of_integers_are_refused(targets, dtype):
    with refused(
        f"from_arrays: targets has dtype {dtype}; expected a one-dimensional array of integers. "
        "Convert"
    ):
        from_arrays([0, 1], targets)


def test_negative_positions_are_refused():
    with refused(
        "from_arrays: sources holds -2; expected 0 or more. "
        "Positions count from the start of the view"
    ):
        from_arrays([0, -2], [0, 1])


@pytest.mark.parametrize(
    "sources, targets, name", [([0, 5], [0, 0], "sources"), ([0, 0], [5, 0], "targets")]
)
def test_positions_beyond_the_view_are_refused(sources, targets, name):
    with refused(
        rf"from arrays \(2 edges\): {name} holds 5, but the view has 4 neurons: "
        r"expected 3 or less. Positions"
    ):
        joined(from_arrays(sources, targets), [5, 6, 7, 8], 4)


def test_a_sparse_matrix_of_another_shape_is_refused():
    with refused(
        r"from sparse .*: there are 3 sources and 2 targets, so the shape should be \(3, 2\). "
        r".*transpose the matrix"
    ):
        joined(from_sparse(scipy.sparse.eye_array(2, 3)), 3, 2)


def test_a_dense_matrix_is_refused():
    with refused(
        "from_sparse: the matrix is a ndarray; expected a two-dimensional SciPy sparse "
        "matrix.*Wrap a dense array"
    ):
        from_sparse(np.eye(3))


def test_complex_weights_are_refused():
    with refused(
        "from_sparse: the stored values are complex128; expected real numbers. Use their real part"
    ):
        from_sparse(scipy.sparse.eye_array(2, dtype=complex))
