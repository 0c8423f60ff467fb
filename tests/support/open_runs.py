"""A network with something of everything, and runs of it held open, for the tests of runs."""

from __future__ import annotations

import numpy as np

import neurosim as ns
from neurosim import Cell, Network, Parameter, Port, Refractory, Rule

CELL = Cell(
    """dv/dt = (drive - v + g) / tau : mV
               dg/dt = -g / tau_g : mV""",
    parameters={
        "tau": "10 ms",
        "tau_g": "3 ms",
        "drive": "0.9 mV",
        "theta": "1 mV",
        "pause": "1 ms",
    },
    receives={"x": Port("mV", into="g")},
    spike="v > theta",
    after_spike="v = 0",
    refractory=Refractory("pause", "v"),
    name="cell",
)
STEPPED = Cell("v : 1", parameters={"current": 0.0}, step="v += current", name="stepped")
LEARNING = Rule(
    pre="dx/dt = -x / tau : 1",
    post="dy/dt = -y / tau : 1",
    edge="w : mV; z : 1",
    name="learning",
    handlers=[
        ("pre", "w = max(w - step * y, 0); out += w; x += 1"),
        ("post", "w = min(w + step * x, 2*mV); y += 1"),
        ("night", "z += 1; y = 0"),
    ],
    parameters={
        "tau": "5 ms",
        "step": "0.1 mV",
        "each": Parameter("1", ns.uniform(0, 1), per="edge"),
    },
)


def network(**values) -> Network:
    net = Network("net", dt="0.5 ms", seed=2)
    source = net.spike_source(
        "source", 3, steps=[list(range(0, 200, 3)), list(range(1, 200, 5)), [7]]
    )
    cells = net.population("cells", 5, CELL, **values)
    plastic = net.project(
        source, cells, ns.all_to_all(), weight=1.0, delay="2 ms", rule=LEARNING, name="plastic"
    )
    net.project(
        cells, cells, ns.all_to_all(autapses=False), weight="0.1 mV", delay="1 ms", name="static"
    )
    net.poisson("rates", 2, rate=ns.table([5.0, 6.0], every="1 ms"))
    net.bernoulli("chances", 2, p=0.5)
    net.poisson_drive(cells[:2], rate=100, weight=0.2, name="drive")
    net.record(cells, "spikes", "v")
    net.record(plastic, "w", every="2 ms")
    return net


def prepared(backend: str, steps: int = 0, net: Network | None = None) -> ns.Run:
    run = ns.prepare(net or network(), backend=backend)
    run.run(steps * run.program.dt, progress=False)
    return run


def states(run: ns.Run) -> dict:
    """Return all that a run's future depends on, its clock included."""
    return {key: array.copy() for key, array in run.memory.arrays.items()} | {
        "step": np.array(run.step)
    }


def same(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)
