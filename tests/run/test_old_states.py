"""States written by earlier versions are read, and runs continue from them to the last bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import neurosim as ns

# Written after 40 ms by the code before the packages of 0.1.0 were laid out by layer, on the
# reference: python tests/run/test_old_states.py writes such a file.
WRITTEN = Path(__file__).parent / "states" / "before_layout.npz"


def network() -> ns.Network:
    """Return a network with spikes in flight, decaying variables, unequal delays, recordings."""
    cell = ns.Cell(
        "dv/dt = (bias - v) / tau : 1; dg/dt = -g / tau : 1",
        parameters={"tau": "8 ms", "bias": 1.2},
        receives={"x": ns.Port("1", into="v")},
        spike="v >= 1",
        after_spike="v = 0; g += 1",
        refractory=ns.Refractory("2 ms", "v"),
        name="cell",
    )
    rule = ns.Rule(
        pre="dx/dt = -x / tau : 1",
        post="dy/dt = -y / tau : 1",
        edge="w : 1",
        handlers=[
            ("pre", "w = clip(w - 0.02 * y, 0, 1); out += 0.1 * w; x += 1"),
            ("post", "w = clip(w + 0.02 * x, 0, 1); y += 1"),
        ],
        parameters={"tau": "10 ms"},
        name="pair",
    )
    net = ns.Network("before", dt="1 ms", seed=4)
    cells = net.population("cells", 12, cell, v=ns.uniform(0, 1), bias="1.1 + i / N")
    net.project(
        cells,
        cells,
        ns.fixed_probability(0.4),
        rule=rule,
        weight=0.5,
        delay=ns.integers(1, 6),
        port="x",
        name="loop",
    )
    net.record(cells, "spikes", "g")
    net.record(net["loop"], "w", every="5 ms")
    return net


def test_a_state_of_the_code_before_is_read_and_continues_to_the_last_bit(backend):
    straight, loaded = (ns.prepare(network(), backend=backend) for _ in range(2))
    straight.run("40 ms")
    loaded.load(WRITTEN)
    for run in (straight, loaded):
        run.run("30 ms")
    assert loaded.result()["cells"] == straight.result()["cells"]
    assert loaded.result()["loop"] == straight.result()["loop"]
    np.testing.assert_array_equal(loaded.get("loop", "w"), straight.get("loop", "w"))
    assert len(straight.result()["cells"].spikes) > 30


def test_a_state_of_another_network_is_still_refused(backend):
    net = network()
    net.population("more", 1, ns.Cell("v : 1"))
    with pytest.raises(ns.NetworkError, match="differs from this one"):
        ns.prepare(net, backend=backend).load(WRITTEN)


if __name__ == "__main__":
    run = ns.prepare(network(), backend="reference")
    run.run("40 ms")
    run.save(WRITTEN)
