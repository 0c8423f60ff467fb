"""A spike condition that neither a reset nor refractoriness ends is a row of every report."""

from __future__ import annotations

import pytest

import neurosim as ns
from neurosim.models import cells


def spike_rows(backend: str, cell: ns.Cell, **values: object) -> list[str]:
    net = ns.Network("net", dt="0.1 ms")
    net.population("p", 2, cell, **values)
    mode = {"mode": "equations"} if backend == "brian" else {}
    rows = ns.check(net, backend=backend, **mode).rows
    return [f"{r.status}: {r.reason} {r.remedy}" for r in rows if r.place.aspect == "spikes"]


def cell(spike: str = "high > 10 * mV", **options: object) -> ns.Cell:
    return ns.Cell(
        "dv/dt = -v / tau : mV; high = v - 1 * mV : mV; u : 1",
        parameters={"tau": "5 ms", "pause": "0 ms"},
        spike=spike,
        **options,
    )


@pytest.mark.parametrize("backend", ["reference", "cpu", "brian"])
def test_a_condition_that_lasts_is_told_on_every_engine(backend):
    for lasting in (cell(), cell(after_spike="u += 1"), cell(refractory="0 ms")):
        (row,) = spike_rows(backend, lasting)
        assert row.startswith("approximated: every step in which the spike condition holds")
        assert 'Write spike="crossing(...)", give refractory=' in row
    assert len(spike_rows(backend, cell(refractory="pause"))) == 1


@pytest.mark.parametrize("backend", ["reference", "cpu", "brian"])
def test_resets_refractoriness_crossings_and_chance_end_a_condition(backend):
    assert spike_rows(backend, cell(after_spike="v = 0 * mV")) == []
    assert spike_rows(backend, cell(refractory="1 ms")) == []
    assert spike_rows(backend, cell(refractory="v > 5 * mV")) == []
    assert spike_rows(backend, cell(refractory="pause"), pause="1 ms") == []
    assert spike_rows(backend, cell("crossing(high > 10 * mV)")) == []
    assert spike_rows(backend, cell("uniform() < 0.1")) == []
    assert spike_rows(backend, cells.hodgkin_huxley()) == spike_rows(backend, cells.lif()) == []


def test_the_ways_out_make_one_spike_of_an_action_potential():
    counts = []
    for fit in (cell(), cell(refractory="50 ms"), cell("crossing(high > 10 * mV)", initial={})):
        net = ns.Network("net", dt="0.1 ms")
        p = net.population("p", 1, fit)
        net.record(p, "spikes")
        run = ns.prepare(net, backend="reference")
        run.run("1 ms")
        run.set(p, v="50 mV")
        run.run("20 ms", progress=False)
        counts.append(len(run.result()["p"].spikes))
    assert counts[0] > 50 and counts[1] == 1 and counts[2] <= 1
