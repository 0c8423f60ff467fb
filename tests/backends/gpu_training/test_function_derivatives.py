"""Derivatives of the language's functions, against finite differences."""

from __future__ import annotations

import numpy as np
import pytest

from neurosim.expr.functions import ARITY, FUNCTIONS

torch = pytest.importorskip("torch")

from neurosim.backends.gpu.tensors.printing import words  # noqa: E402
from neurosim.backends.gpu.training.gradients.derivatives import STEPS, differentiable  # noqa: E402

SMOOTH = differentiable(words(torch.float64))
# Points at which each function is smooth, away from jumps and bends.
POINTS = {
    "exp": [(-3.0,), (0.0,), (2.5,)],
    "log": [(0.2,), (1.0,), (30.0,)],
    "log10": [(0.2,), (1.0,), (30.0,)],
    "pow": [(2.0, 3.5), (0.3, -1.2), (5.0, 0.0)],
    "sqrt": [(0.2,), (4.0,)],
    "sin": [(-2.0,), (0.0,), (7.0,)],
    "cos": [(-2.0,), (0.5,), (7.0,)],
    "tanh": [(-1.5,), (0.0,), (0.7,)],
    "arctan": [(-3.0,), (0.0,), (0.9,)],
    "expm1_ratio": [(-30.0,), (-0.05001,), (-0.01,), (0.0,), (1e-6,), (0.049,), (3.0,)],
    "exprel": [(-2.0,), (0.0,), (0.01,), (1.5,)],
    "abs": [(-2.0,), (3.0,)],
    "min": [(1.0, 2.0), (3.0, -1.0)],
    "max": [(1.0, 2.0), (3.0, -1.0)],
    "clip": [(0.5, 0.0, 1.0), (2.0, 0.0, 1.0), (-2.0, 0.0, 1.0)],
    "where": [(1.0, 2.0, 3.0), (0.0, 2.0, 3.0)],
    "mod": [(7.3, 2.0), (-7.3, 2.0), (7.3, -2.0)],
    "floor": [(2.3,)],
    "ceil": [(2.3,)],
    "round": [(2.3,)],
    "int": [(-2.3,)],
    "sign": [(-2.3,)],
    "quotient": [(7.3, 2.0)],
}


def difference(name: str, point: tuple[float, ...], position: int) -> float:
    """Return a derivative by central differences of two steps, extrapolated."""

    def central(step: float) -> float:
        above = [x + step * (i == position) for i, x in enumerate(point)]
        below = [x - step * (i == position) for i, x in enumerate(point)]
        return float(FUNCTIONS[name](*above) - FUNCTIONS[name](*below)) / (2 * step)

    return (4 * central(1e-3) - central(2e-3)) / 3


def test_every_function_of_the_language_has_points():
    assert POINTS.keys() == ARITY.keys()


@pytest.mark.parametrize("name", sorted(ARITY))
def test_derivatives_agree_with_finite_differences(name):
    for point in POINTS[name]:
        arguments = [torch.tensor([x], dtype=torch.float64, requires_grad=True) for x in point]
        value = SMOOTH[name](*arguments)
        assert value.item() == FUNCTIONS[name](*point)
        if not value.requires_grad:
            assert name in STEPS
            continue
        value.sum().backward()
        for position, argument in enumerate(arguments):
            if name == "where" and position == 0:
                continue  # a condition
            measured = 0.0 if argument.grad is None else argument.grad.item()
            expected = difference(name, point, position)
            assert measured == pytest.approx(expected, rel=1e-6, abs=1e-9), (point, position)


@pytest.mark.parametrize("name", STEPS)
def test_nothing_learns_through_functions_that_only_jump(name):
    arguments = [torch.tensor(x, dtype=torch.float64) for x in POINTS[name][0]]
    for position in range(len(arguments)):
        assert difference(name, POINTS[name][0], position) == 0


def test_values_in_float32_are_those_of_float64_rounded_once():
    single = differentiable(words(torch.float32))
    x = torch.linspace(-3, 3, 101, dtype=torch.float32, requires_grad=True)
    value = single["exp"](x)
    expected = FUNCTIONS["exp"](x.detach().numpy().astype(np.float64)).astype(np.float32)
    assert value.dtype == torch.float32 and (value.detach().numpy() == expected).all()
    value.sum().backward()
    assert x.grad is not None and x.grad.dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_literals_among_the_arguments_have_the_precision_of_the_run(dtype):
    """A literal that passed through float32 would give a trained network other bits."""
    power = differentiable(words(dtype))["pow"]
    x = torch.linspace(0.1, 3, 101, dtype=dtype)
    literal = float(torch.tensor(0.7, dtype=dtype))
    expected = torch.from_numpy(FUNCTIONS["pow"](x.double().numpy(), literal)).to(dtype)
    assert torch.equal(power(x, 0.7), expected)
    assert torch.equal(power(x.requires_grad_(True), 0.7).detach(), expected)
