"""Signs and factors: of weights, of bounds of those that learn, and of currents that are read."""

import numpy as np
import pytest

pytest.importorskip("pyNN")

import neurosim as ns  # noqa: E402
from neurosim.backends import pynn  # noqa: E402
from neurosim.backends.pynn.simulator.run import ScriptRun  # noqa: E402
from neurosim.backends.pynn.translation.plan import Plan  # noqa: E402
from neurosim.ir.concretise import concretise  # noqa: E402
from neurosim.models import cells, plasticity  # noqa: E402


def fed(cell: ns.Cell, port: str, state: str, **values: object) -> ns.Network:
    """Return two neurons that two sources feed, which record a synaptic state."""
    net = ns.Network("fed", dt="1 ms", seed=1)
    source = net.spike_source("source", 2, times=[[3], [5]])
    neurons = net.population("neurons", 2, cell, **values)
    net.project(source, neurons, ns.all_to_all(), weight=0.1, delay="1 ms", port=port)
    net.record(neurons, state)
    return net


def plan_of(net: ns.Network, backend: pynn.PynnBackend) -> Plan:
    return backend._translate(concretise(net))


def impossible(net: ns.Network, backend: pynn.PynnBackend) -> str:
    rows = backend.lower(net).report.of("impossible")
    return " | ".join(f"{row.place}: {row.reason} {row.remedy}" for row in rows)


def read_from_board(net: ns.Network, arrays: dict[str, np.ndarray], state: str) -> np.ndarray:
    """Return the trace of a state for arrays of a board, of which it records one sample more."""
    concrete = concretise(net)
    report = pynn.spinnaker.lower(net).report
    run = ScriptRun(pynn.spinnaker._translate(concrete), concrete, report)
    run._results = {f"neurons.{name}": array for name, array in arrays.items()}
    run.step = 4
    return run.result()["neurons"].trace(state).values


MAGNITUDES = np.add.outer(np.arange(1.0, 6.0), [0.0, 0.5])  # samples by neurons


@pytest.mark.parametrize(
    ("cell", "port", "names"),
    [
        (cells.lif_exponential(), "inhibitory", {"gsyn_inh": 1}),  # the cell subtracts, as they do
        (cells.lif(), "synaptic", {"gsyn_exc": 1, "gsyn_inh": -1}),
        (cells.lif_exponential(), "excitatory", {"gsyn_exc": 1}),
        (cells.lif_conductance(), "inhibitory", {"gsyn_inh": 1}),
    ],
)
def test_a_board_records_magnitudes_of_inhibitory_currents(cell, port, names):
    """X = s_exc - s_inh + i_offset in its programme, and gsyn_inh is s_inh."""
    state = {"synaptic": "synaptic"}.get(port, port)
    arrays = {name: MAGNITUDES * (2 + i) for i, name in enumerate(names)}
    expected = sum(sign * arrays[name] for name, sign in names.items())
    trace = read_from_board(fed(cell, port, state), arrays, state)
    np.testing.assert_array_equal(trace, expected[1:])


@pytest.mark.parametrize("backend", [pynn.nest, pynn.spinnaker])
@pytest.mark.parametrize("weight", ["-0.1 nA", np.array([0.1, 0.1, -0.1, 0.1])])
def test_weights_that_learn_and_begin_below_0_are_refused(backend, weight):
    """NEST demands that they have the sign of their bound, and SpiNNaker takes magnitudes."""
    net = ns.Network("negative", dt="1 ms", seed=1)
    source = net.spike_source("source", 2, times=[[3], [5]])
    neurons = net.population("neurons", 2, cells.lif())
    net.project(
        source,
        neurons,
        ns.all_to_all(),
        weight=weight,
        rule=plasticity.stdp(w_max="1 nA"),
        delay="1 ms",
        name="learning",
    )
    text = impossible(net, backend)
    assert "sign" in text and "some of these are or become negative" in text
    assert "Begin at 0 or above" in text


def pulled(gain: object) -> ns.Network:
    """Return cells that multiply their input by a gain, which becomes a part of a capacity."""
    cell = ns.Cell(
        """dv/dt = (rest - v + resistance * (gain * synaptic + current)) / tau : mV
           dsynaptic/dt = -synaptic / (5 * ms) : nA""",
        parameters={
            "rest": "-70 mV",
            "resistance": "100 Mohm",
            "gain": 1.0,
            "current": "0.1 nA",
            "tau": "20 ms",
            "rest_time": "2 ms",
        },
        receives={"synaptic": ns.Port("nA", into="synaptic")},
        spike="v >= -50 * mV",
        after_spike="v = rest",
        refractory=ns.Refractory("rest_time", "v"),
        initial={"v": "-70 mV"},
    )
    return fed(cell, "synaptic", "v", gain=gain)


@pytest.mark.parametrize("backend", [pynn.nest, pynn.spinnaker])
def test_capacities_that_are_not_positive_are_refused_where_they_must_be(backend):
    text = impossible(pulled([1.0, -2.0]), backend)
    assert "cm" in text and "takes positive ones" in text
    assert not impossible(pulled([1.0, 2.0]), backend)
    assert not impossible(pulled([1.0, -2.0]), pynn.brian2)


def amplified(gain: object) -> ns.Network:
    """Return Izhikevich cells that multiply their input, with weights that learn."""
    cell = ns.Cell(
        """dv/dt = 0.04 * v**2 / (mV * ms) + 5 * v / ms + 140 * mV / ms - u
                   + gain * current / nF : mV
           du/dt = (0.2 * v / ms - u) * 0.02 / ms : mV/ms
           dcurrent/dt = -current / (5 * ms) : nA""",
        parameters={"gain": 1.0},
        receives={"synaptic": ns.Port("nA", into="current")},
        spike="v >= 30 * mV",
        after_spike="v = -65 * mV; u = u + 8 * mV / ms",
        initial={"v": "-65 mV", "u": "-13 mV/ms"},
    )
    net = ns.Network("amplified", dt="1 ms", seed=1)
    source = net.spike_source("source", 2, times=[[3], [5]])
    neurons = net.population("neurons", 3, cell, gain=gain)
    net.project(
        source,
        neurons,
        ns.all_to_all(),
        weight="0.1 nA",
        rule=plasticity.stdp(w_max="1 nA"),
        delay="1 ms",
        name="learning",
    )
    return net


def test_weights_with_different_factors_have_bounds_of_their_own():
    parts = plan_of(amplified([2.0, 3.0, 2.0]), pynn.spinnaker).projections
    assert [part.rule.weights["w_max"] for part in parts] == [2.0, 3.0]
    assert [part.post.tolist() for part in parts] == [[0, 2, 0, 2], [1, 1]]
    for part in parts:
        np.testing.assert_allclose(part.weight, 0.1 * part.rule.weights["w_max"])
        assert part.rule.timing["A_plus"] == pytest.approx(0.01 * part.rule.weights["w_max"])
    text = impossible(amplified([2.0, 3.0, 2.0]), pynn.spinnaker)
    assert "neurons" in text and "'learning' differ in rule or parameters" in text
    (part,) = plan_of(amplified(2.0), pynn.spinnaker).projections
    assert part.rule.weights["w_max"] == 2.0


def test_weights_of_very_many_factors_are_refused(monkeypatch):
    monkeypatch.setattr("neurosim.backends.pynn.translation.wiring._MOST_FACTORS", 1)
    text = impossible(amplified([2.0, 3.0, 2.0]), pynn.spinnaker)
    assert "multiplied by 2 different factors" in text and "bounds" in text


def two_signs(cell: ns.Cell, ports: dict[str, float]) -> ns.Network:
    net = ns.Network("signs", dt="0.1 ms", seed=1)
    source = net.spike_source("source", 2, times=[[3, 9], [5, 11]])
    neurons = net.population("neurons", 2, cell)
    for number, (port, weight) in enumerate(ports.items()):
        name = port.rstrip("+-")
        edges = ns.all_to_all()
        net.project(
            source, neurons, edges, weight=weight, port=name, delay="1 ms", name=f"edges{number}"
        )
        if number == 0 or name == port:
            net.record(neurons, name)
    return net


@pytest.mark.process
@pytest.mark.parametrize("backend", ["nest", "pynn-brian2"])
def test_simulators_return_synaptic_states_with_the_sign_of_the_network(backend):
    """At 15 ms, long after a spike: samples differ by what arrives in their step alone.

    Conductances are integrated by Euler steps on Brian 2.
    """
    if backend == "nest":
        pytest.importorskip("nest")
    both = {"excitatory": 0.1, "inhibitory": 0.2}
    for cell, ports in (
        (cells.lif_exponential(tau="21 ms"), both),
        (cells.lif(tau="21 ms"), {"synaptic+": 0.1, "synaptic-": -0.3}),
        (cells.lif_conductance(), {port: 0.01 * weight for port, weight in both.items()}),
    ):
        net = two_signs(cell, ports)
        here, there = (
            ns.simulate(net, "20 ms", backend=b, progress=False)["neurons"]
            for b in ("cpu", backend)
        )
        for state in {port.rstrip("+-") for port in ports}:
            ours = here.trace(state).values[150]
            assert ours.all()
            np.testing.assert_allclose(there.trace(state).values[150], ours, rtol=0.02)
