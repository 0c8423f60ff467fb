"""A network that is wired by text runs as the same network with listed edges, on every backend."""

from __future__ import annotations

import numpy as np

import neurosim as ns
from neurosim.ir.concretise import concretise
from neurosim.models import cells, plasticity

SITES = 10.0 * np.indices((6, 6, 1)).reshape(3, -1).T


def network() -> ns.Network:
    net = ns.Network("wired by text", dt="0.1 ms", seed=5)
    cell = cells.lif_exponential()
    net.population("field", 36, cell, positions=SITES, current=ns.uniform("1 nA", "3 nA"))
    net.record(net["field"], "spikes")
    net.record(net["field"], "v", every="1 ms")
    return net


def wire(net: ns.Network, connector, **values) -> ns.Projection:
    field = net["field"]
    return net.project(field, field, connector, port="excitatory", name="lateral", **values)


def by_text(**values) -> ns.Network:
    net = network()
    wire(
        net,
        ns.where("i != j", p="exp(-distance / (20*um)) * (current_pre > 1.2*nA)"),
        weight="0.4*nA * exp(-distance / (15*um)) * (1 + 0.1 * normal())",
        delay="0.5*ms + distance / (20*um/ms)",
        round_delays=True,
        box=("60 um", "60 um"),
        **values,
    )
    return net


def by_arrays(**values) -> ns.Network:
    edges = concretise(by_text()).projections["lateral"]
    net = network()
    wire(
        net,
        ns.from_arrays(edges.sources, edges.targets),
        weight=np.asarray(edges.weight),
        delay=np.asarray(edges.delay),
        round_delays=True,
        **values,
    )
    return net


def test_static_edges_by_text_act_as_listed_ones(backend):
    text, arrays = (ns.simulate(net, "60 ms", backend=backend) for net in (by_text(), by_arrays()))
    assert text["field"].spikes.index.size > 20
    assert np.array_equal(text["field"].spikes.step, arrays["field"].spikes.step)
    assert np.array_equal(text["field"].spikes.index, arrays["field"].spikes.index)
    assert np.array_equal(text["field"].trace("v").values, arrays["field"].trace("v").values)


def test_plastic_edges_by_text_act_as_listed_ones(backend):
    rule = {"rule": plasticity.stdp()}
    nets = by_text(**rule), by_arrays(**rule)
    for net in nets:
        net.record(net["lateral"], "w", every="20 ms")
    text, arrays = (ns.simulate(net, "60 ms", backend=backend) for net in nets)
    assert np.array_equal(text["lateral"].trace("w").values, arrays["lateral"].trace("w").values)
    assert not np.array_equal(*text["lateral"].trace("w").values[[0, -1]])
