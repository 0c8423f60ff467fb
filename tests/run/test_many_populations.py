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


def test_names_of_a_network_are_a_view_of_it_not_a_copy_for_each_new_name():
    net = ns.Network("named", dt="1 ms")
    names = net.owners()
    source = net.poisson("source", 2, rate="10 Hz")
    cell = ns.Cell("dv/dt = -v / (20 * ms) : mV", receives={"in": ns.Port("mV", into="v")})
    target = net.population("target", 2, cell)
    drive = net.poisson_drive(target, port="in", n=1, rate="1 Hz", weight="1 mV", name="drive")
    edges = net.project(source, target, ns.all_to_all(), weight="1 mV", port="in", name="edges")
    assert list(names) == ["source", "target", "edges", "drive"]
    assert [names["edges"], names["drive"]] == [edges, drive]
    assert net.drives == {"drive": drive}
