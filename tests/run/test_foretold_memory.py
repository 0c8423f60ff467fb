"""Foretold memory of networks on the reference engine, texts over pairs included."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from support.refusals import LIF

import neurosim as ns
from neurosim.backend.memory_estimate import items
from neurosim.draws.sampling import sort_keys

RULE = ns.Rule(
    pre="dx/dt = -x / tau : 1",
    post="dy/dt = -y / tau : 1",
    edge="w : mV",
    handlers=[
        ("pre", "w = w - y * mV; out += w; x += 1; y += 1; v_post += 0*mV * i_pre"),
        ("post", "w = w + x * mV; y += 1"),
    ],
    parameters={"tau": "20 ms"},
)


def build(connector, rule, *, targets):
    net = ns.Network("measured", dt=0.5)
    source = net.spike_source("source", 1000, steps=[[0]] * 10 + [[]] * 990)
    target = net.population("target", targets, LIF)
    net.project(source, target, connector, weight=1.0, rule=rule)
    return net


@pytest.fixture
def traced():
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.parametrize("n", [4, "3 + i % 3", ns.integers(3, 6)], ids=["four", "text", "draw"])
def test_pairs_with_several_edges_take_the_memory_that_was_foretold(n, traced):
    for targets in (10, 1000):  # the first loads what the second needs
        net = build(ns.where(p=0.25, n=n), None, targets=targets)
        tracemalloc.reset_peak()
        held = tracemalloc.get_traced_memory()[0]
        ns.prepare(net, backend="reference").run(0.5)
        peak = tracemalloc.get_traced_memory()[1] - held
    assert 0.88 < peak / sum(size for _, size in items(net)) < 1.1


@pytest.mark.parametrize(
    "connector",
    [ns.where(p=0.125, n=4), ns.fixed_probability(0.5), ns.fixed_indegree(500)],
    ids=lambda connector: connector.show(),
)
def test_edges_of_a_rule_that_numpy_sorts_take_the_memory_that_was_foretold(connector, traced):
    """Just below a million, from which on edges are sorted by compiled code."""
    for targets in (10, 1900):
        net = build(connector, RULE, targets=targets)
        tracemalloc.reset_peak()
        held = tracemalloc.get_traced_memory()[0]
        ns.prepare(net, backend="reference").run(0.5)
        peak = tracemalloc.get_traced_memory()[1] - held
    assert 0.88 < peak / sum(size for _, size in items(net)) < 1.1


@pytest.mark.parametrize("below", [1, 7, 40_000, 300_000])
@pytest.mark.parametrize("count", [0, 3, 200_000])
def test_keys_are_sorted_part_by_part_as_in_one(below, count):
    dtype = np.uint16 if below <= 1 << 16 else np.int32
    keys = np.random.default_rng(1).integers(0, below, count).astype(dtype)
    pointer, order = sort_keys(keys, below=below)
    assert (order == np.argsort(keys, kind="stable")).all() and order.dtype == np.int32
    assert (np.diff(pointer) == np.bincount(keys, minlength=below)).all() and pointer[0] == 0


def test_events_of_a_rule_need_no_array_as_long_as_all_edges(traced):
    run = ns.prepare(build(ns.all_to_all(), RULE, targets=500), backend="reference")
    tracemalloc.reset_peak()
    held = tracemalloc.get_traced_memory()[0]
    run.run(0.5)
    # 5000 of half a million edges are reached by spikes.
    assert tracemalloc.get_traced_memory()[1] - held < 1_000_000


@pytest.mark.parametrize(
    "connector",
    [
        ns.where(n="3 + i % 3"),
        ns.where("i < 10", n="i + 1"),
        ns.where("j % 7 == 0", p=0.5, n="1 + j % 2"),
        ns.where(p="0.1 + 0.8 * (i % 3 == 1)", n="1 + 3 * (i % 3 == 1)"),
        ns.where(p=0.5, n=ns.binomial(4, 0.5)),
    ],
    ids=lambda connector: connector.show(),
)
def test_the_number_of_edges_is_foretold_whatever_number_a_pair_has(connector):
    """Numbers are those of pairs that are joined, not of a grid on which a text may repeat."""
    net = ns.Network("net", dt=0.5)
    a = net.population("a", 300, LIF)
    p = net.project(a, a, connector, weight=1.0)
    edges = p.connect(net.seed).target.size
    assert edges <= p.edge_count().most < 1.06 * edges
