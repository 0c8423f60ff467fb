"""The functions of the language over tensors have the bits of NumPy's."""

from __future__ import annotations

import numpy as np
import pytest

from neurosim.expr.functions import ARITY
from neurosim.expr.functions import FUNCTIONS as OVER_NUMPY

torch = pytest.importorskip("torch")

from neurosim.backends.gpu.tensors.functions import FUNCTIONS, SINGLE, rounded_root  # noqa: E402

COUNT = 100_000
EDGES = np.array(
    [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, np.inf, np.nan, 5e-324, 1e-310, 2.3e-308, 1e308, 2.0**53 - 1]
    + [np.pi / 2, 709.78, 720.5, 745.2, 22.0, 1e6, 2.0**45, 1 + 2**-52, 1 - 2**-53]
)
EDGES = np.concatenate([EDGES, -EDGES])
WIDTHS = (1e-3, 1.0, 30.0, 1e4)


def arguments(count: int) -> list[np.ndarray]:
    """Return arguments of each size, any bits, and the edges, each with each."""
    random = np.random.default_rng(7)
    ordinary = [random.uniform(-1, 1, (count, COUNT // 8)) * width for width in WIDTHS]
    bits = random.integers(0, 1 << 64, (count, COUNT // 2), np.uint64, endpoint=False)
    edges = np.array(np.meshgrid(*[EDGES] * min(count, 2))).reshape(min(count, 2), -1)
    if count == 3:
        edges = np.vstack([edges, edges[:1]])
    return list(np.concatenate([*ordinary, bits.view(np.float64), edges], axis=1))


def count_different(a: np.ndarray, b: np.ndarray) -> int:
    """Return how many elements differ in a bit; any two NaN are equal."""
    same = (a.view(np.int64) == b.view(np.int64)) | (np.isnan(a) & np.isnan(b))
    return int((~same).sum())


@pytest.mark.parametrize("name", OVER_NUMPY)
def test_a_function_has_the_bits_of_numpy_in_each_of_100_000_arguments(name):
    numbers = arguments(ARITY[name])
    expected = OVER_NUMPY[name](*numbers)
    result = FUNCTIONS[name](*map(torch.from_numpy, numbers))
    assert result.dtype == torch.float64
    assert count_different(result.numpy(), expected) == 0


def test_the_square_root_is_the_rounded_one_of_two_million_numbers():
    """On the CPU torch.sqrt alone is wrong for more than 10 000 of them."""
    x = np.random.default_rng(1).uniform(0, 1e6, 2_000_000)
    assert count_different(rounded_root(torch.from_numpy(x)).numpy(), np.sqrt(x)) == 0
    # Next to powers of 4, where the distance of neighbours changes.
    ends = np.concatenate(
        [[s, np.nextafter(s, 0), np.nextafter(s, 5)] for s in 4.0 ** np.arange(9)]
    )
    assert count_different(rounded_root(torch.from_numpy(ends)).numpy(), np.sqrt(ends)) == 0


@pytest.mark.parametrize("name", OVER_NUMPY)
def test_numbers_and_tensors_mix_and_conditions_may_be_numbers(name):
    values = [np.array([0.0, 1.5, -2.0]), 0.75, 2.0][: ARITY[name]]
    expected = OVER_NUMPY[name](*values)
    result = FUNCTIONS[name](torch.from_numpy(values[0]), *values[1:])
    assert count_different(result.numpy(), np.asarray(expected)) == 0
    alone = FUNCTIONS[name](*[1.0] * ARITY[name])
    assert float(alone) == float(OVER_NUMPY[name](*[1.0] * ARITY[name]))


@pytest.mark.parametrize("name", OVER_NUMPY)
def test_in_float32_a_function_is_that_of_float64_rounded_once(name):
    numbers = [x[: COUNT // 2].astype(np.float32) for x in arguments(ARITY[name])]
    with np.errstate(over="ignore"):
        expected = OVER_NUMPY[name](*numbers).astype(np.float32)
    result = SINGLE[name](*map(torch.from_numpy, numbers))
    assert result.dtype == torch.float32
    np.testing.assert_array_equal(result.numpy(), expected)
