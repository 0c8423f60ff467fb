"""Draws of edges that are made part by part equal those that are made at once."""

from __future__ import annotations

import numpy as np
import pytest

import neurosim as ns
from neurosim.draws import sampling
from neurosim.draws.streams import Stream
from neurosim.ir.edge_values import Drawn
from neurosim.units import unit


@pytest.mark.parametrize(
    "distribution",
    [
        ns.uniform(1, 2),
        ns.normal(5, 2, low=4),
        ns.gamma(2, "3 ms"),
        ns.integers(1, 9),
    ],
    ids=str,
)
def test_parts_in_order_are_the_values_of_all_edges(distribution, monkeypatch):
    pointer = np.array([0, 0, 70, 75, 75, 300])
    drawn = Drawn(distribution, Stream(3, "edges"), pointer, unit("ms"), "delay")
    whole = np.asarray(drawn)
    monkeypatch.setattr(sampling, "BLOCK", 40)
    parts = list(drawn.parts())
    assert len(parts) == 2
    joined = np.full(300, np.nan)
    for edges, values in parts:
        joined[edges] = values
    assert joined.tolist() == whole.tolist()
