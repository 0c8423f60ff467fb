"""Propagators of many neurons are computed in blocks, and are those of all at once."""

from __future__ import annotations

import numpy as np

from neurosim.ir import propagators
from neurosim.ir.discretise import cell_program
from neurosim.models import cells


def test_blocks_give_the_bits_of_all_at_once(monkeypatch):
    monkeypatch.setattr(propagators, "_BLOCK", 16 * 7)  # 7 matrices of two states
    propagator = cell_program(cells.lif()).propagator
    assert propagator is not None
    values = {"tau": np.linspace(1, 30, 23), "tau_syn": np.array([5.0]), "resistance": 100.0}
    entries = propagators.linear_entries(propagator, values.__getitem__)
    matrix = propagators.linear_matrix(propagator, values.__getitem__)
    whole = propagators.propagate(propagator, matrix, 0.1)
    parts = propagators.propagate_in_blocks(propagator, entries, 0.1)
    assert parts.keys() == whole.keys() == set(propagator.names)
    assert all(np.array_equal(parts[name], whole[name]) for name in whole)
