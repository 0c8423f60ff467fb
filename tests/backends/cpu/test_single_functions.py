"""Functions and draws in float32: errors as documented, normal numbers to 6 ulp, uniform numbers
between 0 and 1.
"""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit
from support.cpu_networks import same_bits

from neurosim.backends.cpu.kernels import single, single_functions
from neurosim.draws import streams as random


@njit
def mapped(function, x, y):
    for i in range(x.size):
        y[i] = function(x[i])


def computed(name: str, x: np.ndarray) -> np.ndarray:
    y = np.empty_like(x)
    mapped(getattr(single, name), x, y)
    return y


def sample() -> np.ndarray:
    """Return a million arguments of both signs and all sizes that matter, and the edges."""
    generator = np.random.default_rng(1)
    arguments = [
        generator.uniform(-105, 105, 500_000),
        generator.uniform(-1, 1, 250_000),
        np.ldexp(generator.uniform(-1, 1, 250_000), -20),
    ]
    return np.concatenate([*arguments, [0.0, -0.0, 1e-45, -1e-45, 88.72284, -103.97208]]).astype(
        np.float32
    )


TRUE = {
    "exp": (np.exp, 1.0),
    "expm1_ratio": (lambda z: np.where(z == 0, 1, np.expm1(z) / np.where(z == 0, 1, z)), 2.0),
    "tanh": (np.tanh, 0.5001),
    "sin": (np.sin, 0.5001),
    "cos": (np.cos, 0.5001),
    "log": (np.log, 0.5001),
    "sqrt": (np.sqrt, 0.5),
}


@pytest.mark.parametrize("name", TRUE)
def test_functions_keep_the_errors_that_they_document(name):
    true, bound = TRUE[name]
    x = sample()
    x = np.abs(x[x != 0]) if name in ("log", "sqrt") else x
    y, exact = computed(name, x), np.asarray(true(x.astype(np.longdouble)), np.float64)
    finite = np.abs(exact) < np.finfo(np.float32).max
    error = np.abs(y[finite] - exact[finite]) / np.spacing(np.abs(exact[finite]).astype(np.float32))
    assert error.max() <= bound and np.isinf(y[~finite]).all()
    # The control: the next number is another.
    following = np.nextafter(y[finite], np.float32(np.inf))
    assert np.abs(following - exact[finite]).max() > 0
    edges = computed(name, np.array([np.nan, np.inf], np.float32))
    assert np.isnan(edges[0])
    assert np.isnan(edges[1]) if name in ("sin", "cos") else edges[1] in (1.0, np.inf)


def test_simple_functions_are_exact():
    x = sample()
    for name, true in (("abs", np.abs), ("floor", np.floor)):
        assert same_bits(computed(name, x), true(x))

    @njit
    def two(x, y, low, high, out):
        for i in range(x.size):
            out[i, 0] = single.min(x[i], y[i])
            out[i, 1] = single.max(x[i], y[i])
            out[i, 2] = single.clip(x[i], low, high)
            out[i, 3] = single.where(x[i] < y[i], x[i], low)

    y, out = x[::-1].copy(), np.empty((x.size, 4), np.float32)
    two(x, y, np.float32(-0.5), np.float32(2), out)
    expected = [
        np.minimum(x, y),
        np.maximum(x, y),
        np.clip(x, np.float32(-0.5), np.float32(2)),
        np.where(x < y, x, np.float32(-0.5)),
    ]
    assert (out == np.array(expected).T).all()


@njit
def blocks(four, words, out):
    for i in range(words.shape[0]):
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = four(
            words[i, 0], words[i, 1], words[i, 2], words[i, 3]
        )


def words() -> np.ndarray:
    """Return random words, and those at the ends of the range and of quarter turns."""
    generator, most = np.random.default_rng(1), (1 << 32) - 1
    edges = np.array(
        [
            0,
            1,
            2,
            most,
            most - 1,
            *(k << 29 for k in range(1, 8)),
            *((k << 29) - 1 for k in range(1, 8)),
            3037000499,
            3037000500,
        ],
        np.uint64,
    )
    return np.concatenate(
        [
            generator.integers(0, 1 << 32, (500_000, 4), dtype=np.uint64),
            generator.choice(edges, (20_000, 4)),
        ]
    )


def test_normal_numbers_are_those_of_float64_to_six_ulp():
    w, numbers = words(), np.empty((520_000, 4), np.float32)
    blocks(single_functions.normal_block, w, numbers)
    exact = np.stack(random.normal_block(*w.T), axis=1)
    wrong = np.abs(numbers - exact) - 1e-14
    assert (wrong <= 6 * np.spacing(np.abs(exact).astype(np.float32))).all() and (wrong > 0).any()
    # The control: one bit in the middle of the words.
    blocks(single_functions.normal_block, w ^ np.uint64(1 << 8), numbers)
    assert (
        np.abs(numbers - exact) > 6 * np.spacing(np.abs(exact).astype(np.float32)) + 1e-14
    ).any()


def test_uniform_numbers_are_rounded_and_stay_between_0_and_1():
    w, numbers = words(), np.empty((520_000, 4), np.float32)
    blocks(single._uniform_block, w, numbers)
    rounded = np.stack(random.uniform_block(*w.T), axis=1).astype(np.float32)
    assert 0 < numbers.min() and numbers.max() < 1 and rounded.max() == 1
    assert (numbers == np.minimum(rounded, np.nextafter(np.float32(1), np.float32(0)))).all()
