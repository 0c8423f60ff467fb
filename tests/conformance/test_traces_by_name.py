"""One variable recorded of two views at two intervals: each trace has a name."""

from __future__ import annotations

import numpy as np
import pytest

import neurosim as ns

CELL = ns.Cell("dv/dt = -v / tau : mV; u : mV", parameters={"tau": "5 ms"}, name="leaky")


def network() -> ns.Network:
    net = ns.Network("net", dt="0.1 ms", seed=1)
    net.population("cells", 6, CELL, v="(1 + i) * mV")
    return net


def test_a_variable_is_recorded_of_two_views_at_two_intervals(backend, tmp_path):
    net = network()
    cells = net["cells"]
    net.record(cells, "v", every="1 ms")
    net.record(cells[:2], "v", "u", every="0.2 ms")
    net.record(cells[3:4], "v", name="fine")
    recording = ns.simulate(net, "2 ms", backend=backend, progress=False)
    recorded = recording["cells"]
    assert list(recorded.traces) == ["v", "v[0:2]", "u", "fine"]
    assert [recorded.trace(name).values.shape for name in recorded.traces] == [
        (2, 6),
        (10, 2),
        (10, 2),
        (20, 1),
    ]
    np.testing.assert_array_equal(
        recorded.trace("v").values[:, :2], recorded.trace("v[0:2]").values[4::5]
    )
    np.testing.assert_array_equal(
        recorded.trace("v").values[:, 3], recorded.trace("fine").values[9::10, 0]
    )
    recording.save(tmp_path / "r.npz")
    assert ns.Recording.load(tmp_path / "r.npz") == recording


def test_names_of_traces_are_checked():
    net = network()
    cells = net["cells"]
    net.record(cells, "v")
    for owner, arguments, message in (
        (cells, {}, "'v' of 'cells' is recorded already.*name='v_fine'"),
        (cells[[1, 5, 3]], {}, "is recorded already"),
        (cells[:1], {"name": "a/b"}, "record, name: found 'a/b'"),
        (cells[:1], {"name": "u"}, "means something else"),
        (cells[:1], {"name": "v"}, "is recorded already"),
    ):
        with pytest.raises(ns.NetworkError, match=message):
            net.record(owner, "v", **arguments)
    with pytest.raises(ns.NetworkError, match="expected it with one variable"):
        net.record(cells[:1], "v", "u", name="fine")
    assert len(net.probes) == 1
