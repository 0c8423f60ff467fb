"""Firing rates by method and step are as near to a fine solution as the language's page says."""

from __future__ import annotations

import pytest

import neurosim as ns
from benchmarks.methods import CELLS, count, error

WANG_BUZSAKI, HODGKIN_HUXLEY, CONDUCTANCE = CELLS
TIME = 1000.0  # ms; one spike of all neurons is about 0.05 %


@pytest.fixture(scope="module")
def exact() -> dict:
    return {name: count(build, 0.005, "rk4", time=TIME) for name, build in CELLS.items()}


# Default method, and bounds in % at 0.01, 0.05 and 0.1 ms: measured ones and half as much again.
BOUNDS = {
    WANG_BUZSAKI: (0.2, 0.6, 1.5),
    HODGKIN_HUXLEY: (0.2, 1.0, 2.7),
    CONDUCTANCE: (0.2, 0.7, 1.2),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_rates_of_the_default_method_are_near_a_fine_solution(name, exact):
    for step, bound in zip((0.01, 0.05, 0.1), BOUNDS[name], strict=True):
        counts = count(CELLS[name], step, None, time=TIME)
        assert abs(error(counts, exact[name])) < bound, step


@pytest.mark.parametrize("name", [WANG_BUZSAKI, HODGKIN_HUXLEY])
def test_the_fourth_order_is_nearer_and_the_first_far_off(name, exact):
    build = CELLS[name]
    assert abs(error(count(build, 0.05, "rk4", time=TIME), exact[name])) < 0.1
    assert error(count(build, 0.05, "euler", time=TIME), exact[name]) < -3


def test_a_cell_that_is_not_linear_in_v_takes_no_exponential_euler():
    with pytest.raises(ns.ModelError, match="it is not linear in v. Use method='euler'"):
        CELLS[WANG_BUZSAKI](0.1, "exponential_euler")


def test_an_unstable_method_is_told():
    with pytest.raises(ns.SimulationError, match="expected a finite"):
        count(CELLS[HODGKIN_HUXLEY], 0.1, "rk4", time=100.0)
