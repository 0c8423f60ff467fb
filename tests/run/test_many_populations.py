"""Thousands of populations are prepared in seconds: nothing is done for each pair of them."""

from __future__ import annotations

import neurosim as ns
from neurosim.backend import memory_estimate
from neurosim.ir import discretise


def test_a_cell_is_translated_once_and_a_delay_read_once_however_many_populations(monkeypatch):
    net = ns.Network("many", dt="1 ms", seed=1)
    cell = ns.Cell(
        "dv/dt = -v / (20 * ms) : mV",
        spike="v >= 10*mV",
        after_spike="v = 0*mV",
        receives={"in": ns.Port("mV", into="v")},
    )
    ring = [net.population(f"p{i}", 2, cell) for i in range(60)]
    for source, target in zip(ring, ring[1:] + ring[:1], strict=True):
        net.project(source, target, ns.all_to_all(), weight="1 mV", port="in")
    read = []
    bounds = memory_estimate._bounds
    monkeypatch.setattr(memory_estimate, "_bounds", lambda d: (read.append(d), bounds(d))[1])
    misses = discretise._translate.cache_info().misses
    program = ns.prepare(net, backend="reference").program
    assert discretise._translate.cache_info().misses == misses + 1
    assert len(read) == len(net.projections)
    for population in ring:
        (names,) = program.populations[population.name].contributions.values()
        assert [program.projections[n].target for n in names] == [population.name]
