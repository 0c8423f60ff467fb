"""Values that change their layout in a run, from one for all to many or back: everything that reads
them follows: engines, recordings, `get`, snapshots and files.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import support.random_networks as rn

import neurosim as ns
from neurosim import Cell, Network, Port, Rule

CELL = Cell(
    "dv/dt = (a + b(t) + g - v) / tau : mV; dg/dt = -g / tau_g : mV",
    parameters={
        "tau": "8 ms",
        "tau_g": "3 ms",
        "a": "0.8 mV",
        "b": "0 mV",
        "reset": "a / 10",
        "pause": "0.5 ms",
    },
    receives={"x": Port("mV", into="g")},
    spike="v > 1*mV",
    after_spike="v = reset",
    refractory=ns.Refractory("pause", "v"),
    name="cell",
)
LEARNING = Rule(
    pre="dx/dt = -x / tau : 1",
    post="dy/dt = -y / tau : 1",
    edge="w : mV",
    handlers=[("pre", "out += w; w += gain * y; x += 1"), ("post", "w -= gain * x; y += 1")],
    parameters={"tau": "5 ms", "gain": "0.01 mV"},
    name="learning",
)
EDGES = 3 * 4
# Brian 2 compiles anew after each change, which takes a second.
BACKENDS = ("reference", "cpu")


def network() -> Network:
    net = Network("net", dt="0.1 ms", seed=5)
    source = net.spike_source("source", 3, steps=[range(0, 400, 7), range(3, 400, 11), [40, 90]])
    cells = net.population("cells", 4, CELL, b=ns.table([0.1, 0.2, 0.3], every="2 ms", unit="mV"))
    everyone = ns.all_to_all()
    weight, delays = "0.1 mV", 0.1 * np.arange(EDGES)
    alike = net.project(source, cells, everyone, weight=weight, delay="0.3 ms", name="alike")
    late = net.project(source, cells, everyone, weight=weight, delay=delays, name="late")
    rule = LEARNING.reading(gain=cells["a"].by("target"))
    learned = net.project(source, cells, everyone, rule=rule, weight=weight, name="learned")
    net.poisson_drive(cells[1:], rate=400, weight=0.2, name="drive")
    net.record(cells, "spikes", "v")
    for projection in (alike, learned):
        net.record(projection, "w", every="0.7 ms")
    net.record(late, "w", every="0.7 ms", edges=[2, 9])
    return net


# Name of a change -> owner, and what it is set to one after the other.
CHANGES: dict[str, tuple[str, list[dict]]] = {
    "weights": ("alike", [{"w": np.arange(EDGES) / 10}, {"w": 0.3}]),
    "weights with delays that differ": ("late", [{"w": np.arange(EDGES) / 9}, {"weight": 0.2}]),
    "a parameter that others follow": ("cells", [{"a": [0.9, 1.0, 1.1, 0.1]}, {"a": "0.9 mV"}]),
    "refractory times": ("cells", [{"pause": [0.1, 0.2, 0.9, 0.0]}, {"pause": "0.4 ms"}]),
    "a table": (
        "cells",
        [{"b": 0.3}, {"b": [0.1, 0.2, 0.3, 0.4]}, {"b": ns.table([0, 1], every=1)}],
    ),
    "a time constant": ("cells", [{"tau": [7.0, 8.0, 9.0, 10.0]}, {"tau": 8.0}]),
    "rates and weights of a drive": ("drive", [{"rate": [100, 900, 0]}, {"weight": [1, 0.1, 0.2]}]),
}  # fmt: skip


def play(run: ns.Run, change: str) -> ns.Run:
    owner, values = CHANGES[change]
    run.run("3.3 ms", progress=False)
    for value in values:
        run.set(owner, **value)
        run.run("3.3 ms", progress=False)
    return run


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.compiled
def test_engines_agree_when_one_value_becomes_many_and_back(change):
    expected = rn.outcome(play(ns.prepare(network(), backend="reference"), change))
    for threads in (1, 2):
        run = ns.prepare(network(), backend="cpu", threads=threads)
        assert rn.differences(expected, rn.outcome(play(run, change))) == []


def _prepared(backend: str) -> ns.Run:
    return ns.prepare(network(), backend=backend)


@pytest.mark.parametrize("name", ["alike", "late"])
def test_weights_set_to_an_array_are_recorded_and_returned_edge_by_edge(backend, name):
    run = _prepared(backend)
    run.run("1.4 ms", progress=False)
    assert run.get(name, "w") == 0.1
    weights = np.arange(EDGES) / 10
    run.set(name, w=weights)
    assert run.get(name, "w").tolist() == weights.tolist()
    run.run("1.4 ms", progress=False)
    run.set(name, w=0.5)
    run.run("0.7 ms", progress=False)
    values = run.result()[name].trace("w").values
    recorded = [2, 9] if name == "late" else slice(None)
    constant, changed = np.full(EDGES, 0.1)[recorded], weights[recorded]
    expected = [constant, constant, changed, changed, constant + 0.4]
    assert values.tolist() == np.array(expected).tolist()


@pytest.mark.parametrize("carry", ["snapshot", "file"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_state_fits_a_run_whose_values_have_another_layout(fast_backend, change, carry, tmp_path):
    """From one value to many and back, from the reference to the engine whose compiled code depends
    on layouts: into a run that was just prepared, and one that has gone through all of them.
    """
    backend = fast_backend
    owner, values = CHANGES[change]

    def carried(run: ns.Run) -> Callable[[ns.Run], None]:
        if carry == "snapshot":
            snapshot = run.snapshot()
            return lambda other: other.restore(snapshot, clock=True)
        run.save(tmp_path / f"{run.step}.npz")
        path = tmp_path / f"{run.step}.npz"
        return lambda other: other.load(path)

    def future(run: ns.Run) -> dict:
        run.run("2 ms", progress=False)
        outcome = rn.outcome(run)
        return {key: array for key, array in outcome.items() if key[0] == "memory"}

    run = ns.prepare(network(), backend="reference")
    run.run("3.3 ms", progress=False)
    early = carried(run)
    run.set(owner, **values[0])
    run.run("2.3 ms", progress=False)
    late = carried(run)
    expected_late = future(run)
    for restore in (late, early):
        played = play(_prepared(backend), change)
        fresh = _prepared(backend)
        restore(played)
        restore(fresh)
        both = future(played), future(fresh)
        assert rn.differences(*both) == []
        if restore is late:
            assert rn.differences(expected_late, both[0]) == []
