"""Propagators of linear groups beside SciPy's exponential of their block matrix."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

from neurosim.expr.tree import Number
from neurosim.ir.propagators import propagate
from neurosim.model.integration.methods import Propagator

DT = 0.5


def chain(tau: np.ndarray) -> tuple[Propagator, np.ndarray]:
    """Return the group x' = (y - x) / tau, y' = -y / 3, and its matrix for each time constant."""
    entry = Number(1.0)
    states, reach = ("x", "y"), frozenset({(0, 0), (0, 1), (1, 1)})
    matrix = np.zeros((tau.size, 2, 2))
    matrix[:, 0, 0], matrix[:, 0, 1], matrix[:, 1, 1] = -1 / tau, 1 / tau, -1 / 3
    return Propagator(states, ((entry, entry), (entry, entry)), reach), matrix


@pytest.mark.parametrize(
    "tau",
    [[5.0, 1.0, 9.0, 2.0], [1.0, 2.0, 5.0, 9.0], [5.0, 1.0, 5.0, 2.0, 1.0]],
    ids=["in any order", "ascending", "repeated"],
)
def test_each_neuron_gets_the_propagators_of_its_own_time_constant(tau):
    """Equal matrices are computed once; the results return to their neurons."""
    propagator, matrix = chain(np.array(tau))
    entries = propagate(propagator, matrix, DT)
    assert len(entries) == 6
    for neuron, own in enumerate(matrix):
        block = expm(np.block([[own, np.eye(2)], [np.zeros((2, 4))]]) * DT)
        for i, j in propagator.reach:
            p, q = entries[propagator.name("P", i, j)], entries[propagator.name("Q", i, j)]
            assert p[neuron] == pytest.approx(block[i, j], rel=1e-13)
            assert q[neuron] == pytest.approx(block[i, 2 + j], rel=1e-13)
