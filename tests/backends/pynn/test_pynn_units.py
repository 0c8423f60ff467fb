"""A cell declared in V, pA, s and pF: reports and results of PyNN's targets are in these units."""

import numpy as np
import pytest

pytest.importorskip("pyNN")

import neurosim as ns  # noqa: E402
from neurosim.backends import pynn  # noqa: E402

BOTH = [pynn.nest, pynn.brian2]
VOLTS = ns.Cell(
    """dv/dt = (rest - v) / tau + (exc + current) / capacity : V
       dexc/dt = -exc / tau_syn : pA""",
    parameters={
        "rest": ns.Parameter("V", -0.065),
        "reset": ns.Parameter("V", -0.065),
        "threshold": ns.Parameter("V", -0.05),
        "tau": ns.Parameter("s", 0.02),
        "tau_syn": ns.Parameter("s", 0.005),
        "capacity": ns.Parameter("pF", 250),
        "current": ns.Parameter("pA", 100),
    },
    receives={"exc": ns.Port("pA", into="exc")},
    spike="v >= threshold",
    after_spike="v = reset",
    refractory=ns.Refractory("2 ms", freezes="v"),
    initial={"v": -0.065},
    name="volts",
)


def network() -> ns.Network:
    net = ns.Network("units", dt="0.1 ms")
    source = net.spike_source("source", 1, times=[[2, 4]])
    target = net.population("target", 2, VOLTS, v=[-0.065, -0.06])
    synapses = net.project(
        source, target, ns.all_to_all(), weight=[400, 800], delay="1 ms", name="synapses"
    )
    net.record(target, "v", "spikes", every="1 ms")
    net.record(synapses, "w", every="5 ms")
    return net


@pytest.mark.parametrize("backend", BOTH, ids=lambda b: b.name)
def test_results_are_in_the_declared_units_and_agree_with_the_cpu_engine(backend):
    if backend is pynn.nest:
        pytest.importorskip("nest")
    recording = ns.simulate(network(), "10 ms", backend=backend, progress=False)
    expected = ns.simulate(network(), "10 ms", backend="cpu", progress=False)
    trace, same = recording["target"].trace("v"), expected["target"].trace("v")
    assert trace.unit == same.unit == "V"
    assert trace.initial.tolist() == same.initial.tolist() == [-0.065, -0.06]
    np.testing.assert_allclose(trace.values, same.values, atol=1e-12)
    weights = recording["synapses"].trace("w")
    assert weights.unit == "pA"
    np.testing.assert_allclose(weights.values, [[400, 800]] * 2, rtol=1e-12)


def test_states_of_the_report_are_in_the_declared_units():
    texts = [str(row) for row in ns.check(network(), backend=pynn.nest)["target"]]
    assert any("begin: v at -0.065 to -0.06 V, exc at 0 pA." in text for text in texts)
