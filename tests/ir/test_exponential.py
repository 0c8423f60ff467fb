"""The exponential of small matrices beside SciPy's."""

import numpy as np
import pytest
from scipy.linalg import expm

from neurosim.ir.propagators import exponential


@pytest.mark.parametrize("size", [1, 2, 4, 6, 12])
def test_the_exponential_of_matrices_agrees_with_scipy(size):
    """From nothing to speak of to dozens of squarings, decaying and growing, each matrix of a stack
    by its own norm.
    """
    draws = np.random.default_rng(size)
    scales = np.repeat([1e-9, 1e-3, 0.1, 1.0, 10.0], 20)[:, None, None]
    matrices = scales * (
        draws.standard_normal((100, size, size)) - draws.uniform(0, 2, (100, 1, 1)) * np.eye(size)
    )
    computed, expected = exponential(matrices), expm(matrices)
    norm, size_of = np.abs(matrices).sum(axis=1).max(axis=1), np.abs(expected).max(axis=(1, 2))
    assert (
        np.abs(computed - expected).max(axis=(1, 2)) <= 1e-13 * (1 + norm) * size_of
    ).all()  # squaring multiplies the rounding


def test_a_stack_gives_what_each_gives_alone():
    matrices = np.array([[[-1e-3, 2e-3], [0.0, -5e-3]], [[-40.0, 7.0], [1.0, -90.0]]])
    assert np.array_equal(
        exponential(matrices),
        np.concatenate([exponential(matrices[:1]), exponential(matrices[1:])]),
    )


def test_exact_where_it_can_be():
    """Nothing to do gives the identity; a matrix without cycles gives its polynomial; decay too
    fast to represent gives 0.
    """
    assert np.array_equal(exponential(np.zeros((1, 3, 3)))[0], np.eye(3))
    assert exponential(np.array([[[0.0, 0.5], [0.0, 0.0]]]))[0] == pytest.approx(
        np.array([[1.0, 0.5], [0.0, 1.0]]), rel=1e-15
    )
    assert np.array_equal(exponential(np.array([[[-1e6, 1.0], [0.0, -1e6]]]))[0], np.zeros((2, 2)))


@pytest.mark.parametrize("fast", [2e3, 1e6, 1e10, 1e14])
@pytest.mark.parametrize(("b", "c"), [(0.3, -0.2), (0.5, 0.4), (0.3, 0.0)])
def test_slow_and_fast_states_that_act_on_each_other_keep_their_digits(fast, b, c):
    """By the eigenvalues, written so that nothing cancels; c = 0 with another coefficient of 0."""
    a = 0.1
    both = -(a + fast)
    second = 0.5 * (both - np.sqrt(both**2 - 4 * (a * fast - b * c)))
    first = (a * fast - b * c) / second
    weight = np.exp(first) / (first - second)
    upper = -a - second
    expected = weight * np.array([[upper, b], [c, b * c / upper]])
    computed = exponential(np.array([[[-a, b], [c, -fast]]]))[0]
    np.testing.assert_allclose(computed, expected, rtol=1e-12, atol=1e-300)
