"""Edges of an open run: ends, delays and values of each, without recording."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest

import neurosim as ns

CELL = ns.Cell(
    "v : mV; g : nS",
    receives={"v": ns.Port("mV", into="v"), "g": ns.Port("nS", into="g")},
    step="v = 0.5 * v",
    name="halving",
)
LEARNED = ns.Rule(
    edge="w : mV; s : pA",
    pre="x : 1",
    post="y : 1",
    parameters={"gain": ns.Parameter("1", 2.0, per="source"), "rate": 3.0},
    handlers=[
        ("pre", "out += w; w = w * 2; x += 1"),
        ("post", "y += 1"),
        ("shift", "s = s + rate * gain * pA"),
    ],
    name="learned",
)


def network() -> ns.Network:
    net = ns.Network("net", dt="0.1 ms", seed=3)
    source = net.spike_source("source", 3, times=[[0.5], [], [0.3]])
    cells = net.population("cells", 2, CELL)
    net.project(source, cells, ns.all_to_all(), weight="5 nS", delay="0.3 ms", port="g", name="one")
    # Given out of order: edges come back by source, then target.
    net.project(
        source,
        cells,
        ns.from_arrays([2, 0, 2], [1, 0, 0]),
        weight=[3, 1, 2],
        delay=[0.3, 0.1, 0.2],
        port="v",
        name="many",
    )
    net.project(
        source[1:],
        cells,
        ns.all_to_all(),
        rule=LEARNED,
        weight="1 mV",
        delay="0.2 ms",
        dendritic_fraction=0.5,
        port="v",
        name="learned",
        gain=[5.0, 7.0],
    )
    return net


def test_edges_of_a_static_projection_have_one_delay_and_weight_each(backend):
    run = ns.prepare(network(), backend=backend)
    shared, many = run.edges("one"), run.edges("many")
    assert (len(shared), shared.sources.tolist()) == (6, [0, 0, 1, 1, 2, 2])
    assert shared.targets.tolist() == [0, 1] * 3
    assert shared.delays.tolist() == [0.3] * 6
    assert (shared.weights.tolist(), shared.units) == ([5.0] * 6, {"w": "nS"})
    assert (many.sources.tolist(), many.targets.tolist()) == ([0, 2, 2], [0, 0, 1])
    assert (many.delays.tolist(), many.weights.tolist()) == ([0.1, 0.2, 0.3], [1, 2, 3])
    run.set("one", w=[1, 2, 3, 4, 5, 6])
    run.set("many", w="2 V")
    assert run.edges("one").weights.tolist() == [1, 2, 3, 4, 5, 6]
    assert run.edges("many").weights.tolist() == [2000] * 3


def test_edges_of_a_rule_follow_its_run(backend):
    run = ns.prepare(network(), backend=backend)
    run.run("1 ms", progress=False)
    run.emit("shift")
    edges = run.edges("learned")
    assert (edges.sources.tolist(), edges.targets.tolist()) == ([1, 1, 2, 2], [0, 1, 0, 1])
    assert edges.delays.tolist() == [0.2] * 4
    assert edges.weights.tolist() == [1, 1, 2, 2]
    assert edges["s"].tolist() == pytest.approx([15, 15, 21, 21])
    assert edges.units == {"w": "mV", "s": "pA"}
    edges.weights[:] = 0  # a copy
    assert run.get("learned", "w").tolist() == [1, 1, 2, 2]


def test_get_returns_one_value_per_edge_of_what_edges_share(backend):
    run = ns.prepare(network(), backend=backend)
    run.run("1 ms", progress=False)
    assert run.get("one", "w") == 5
    assert run.get("one", "weight", per_edge=True).tolist() == [5] * 6
    assert run.get("learned", "x", per_edge=True).tolist() == [0, 0, 1, 1]
    assert run.get("learned", "y", per_edge=True).tolist() == [0] * 4
    assert run.get("learned", "gain", per_edge=True).tolist() == [5, 5, 7, 7]
    assert run.get("learned", "rate", per_edge=True).tolist() == [3] * 4


def test_what_has_no_edges_is_refused(backend):
    run = ns.prepare(network(), backend=backend)
    with pytest.raises(ns.NetworkError, match=r"edges: found .*'cells'.*expected a projection"):
        run.edges("cells")
    with pytest.raises(ns.NetworkError, match=r"get: found per_edge=True for .*'cells'"):
        run.get("cells", "v", per_edge=True)
    with pytest.raises(ns.NetworkError, match="edges of 'one' has no edge variable 's'"):
        run.edges("one")["s"]


def test_a_frame_has_a_row_per_edge_and_needs_pandas(backend, monkeypatch):
    edges = ns.prepare(network(), backend=backend).edges("many")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ns.NetworkError, match="frame: the library 'pandas'.*pip install pandas"):
        edges.frame()
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=dict))
    columns = {name: np.asarray(column).tolist() for name, column in edges.frame().items()}
    assert columns == {
        "source": [0, 2, 2],
        "target": [0, 0, 1],
        "delay": [0.1, 0.2, 0.3],
        "w": [1.0, 2.0, 3.0],
    }


def test_a_frame_has_variables_of_the_names_of_its_columns(monkeypatch):
    net = ns.Network("net", dt="1 ms")
    p = net.population("p", 1, ns.Cell("v : 1", receives={"v": ns.Port("1", into="v")}))
    rule = ns.Rule(edge="source : 1; delay : 1; w : 1", handlers=[("pre", "out += w")])
    edges = net.project(p, p, ns.all_to_all(), rule=rule, weight=3.0, name="e")
    run = ns.prepare(net, backend="reference")
    run.set(edges, source=5.0, delay=7.0)
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=dict))
    frame = {name: np.asarray(column).tolist() for name, column in run.edges(edges).frame().items()}
    assert frame == {
        "source": [0],
        "target": [0],
        "delay": [0],
        "variable_source": [5],
        "variable_delay": [7],
        "w": [3],
    }
