"""The language's functions and draws in Triton have the bits of the definition."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("triton")

import torch  # noqa: E402

from neurosim.backends.gpu.triton.words import words  # noqa: E402
from neurosim.draws import streams  # noqa: E402
from neurosim.expr.functions import ARITY, FUNCTIONS  # noqa: E402

COUNT = 100_000
SPECIAL = np.array(
    [0, -0.0, np.inf, -np.inf, np.nan, 1, -1, 0.5, -1.5, 2.5, 5e-324, 1e-310, 1e300, 2.0**53, -45]
)
KERNEL = """
def run(x, y, z, out, count, BLOCK: tl.constexpr):
    n = tl.arange(0, BLOCK)
    lanes = n < count
    x = tl.load(x + n, mask=lanes)
    y = tl.load(y + n, mask=lanes)
    z = tl.load(z + n, mask=lanes)
    tl.store(out + n, {call}, mask=lanes)
"""
DRAWS = """
def run(keys, clock, out, count, BLOCK: tl.constexpr):
    n = tl.arange(0, BLOCK)
    tl.store(out + n, {kind}(n, keys, clock, 2), mask=n < count)
"""


def values() -> list[np.ndarray]:
    random = np.random.default_rng(3)
    wide = random.normal(0, 1, COUNT) * np.exp(random.normal(0, 20, COUNT))
    near = random.normal(0, 3, COUNT)
    pairs = SPECIAL.size**2
    wide[:pairs] = np.repeat(SPECIAL, SPECIAL.size)
    near[:pairs] = np.tile(SPECIAL, SPECIAL.size)
    return [wide, near, random.normal(0, 3, COUNT)]


def interpreted(source: str):
    return words("float64", interpreted=True).load(source, title="test")["run"]


@pytest.mark.parametrize("name", sorted(ARITY))
def test_a_function_has_the_bits_of_the_definition_in_the_interpreter(name):
    arguments = values()
    names = ["(x > 0)" if name == "where" else "x", "y", "z"][: ARITY[name]]
    kernel = interpreted(KERNEL.format(call=f"{name}({', '.join(names)})"))
    out = torch.zeros(COUNT, dtype=torch.float64)
    kernel[(1,)](*map(torch.from_numpy, arguments), out, COUNT, BLOCK=1 << 17)
    if name == "where":
        arguments[0] = arguments[0] > 0
    expected = FUNCTIONS[name](*arguments[: ARITY[name]])
    differ = out.numpy().view(np.int64) != expected.view(np.int64)
    assert not (differ & ~(np.isnan(expected) & np.isnan(out.numpy()))).any()


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
def test_a_draw_has_the_bits_of_the_definition_late_in_a_run_and_for_any_sample(distribution):
    key = streams.key_of(5, "cells/draw0")
    step = 2**40 + 3
    repeats = 4
    clock = torch.tensor([step, repeats, 0, 7])
    out = torch.zeros(5000, dtype=torch.float64)
    kernel = interpreted(DRAWS.format(kind=f"_{distribution}"))
    kernel[(1,)](torch.tensor(key), clock, out, out.numel(), BLOCK=8192)
    draw = getattr(streams, distribution)
    expected = draw(streams.repeated(key, repeats), np.arange(5000), step, replica=7 + 2)
    assert (out.numpy() == expected).all()
