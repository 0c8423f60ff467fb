"""Units that PyNN changes in one place and not in another: of weights and their bounds."""

import numpy as np
import pytest

pytest.importorskip("pyNN")
pytest.importorskip("nest")

import neurosim as ns  # noqa: E402
from neurosim.backends import pynn  # noqa: E402
from neurosim.backends.pynn.translation.targets import NEST  # noqa: E402
from neurosim.models import cells, plasticity  # noqa: E402

RULES = {
    "additive": plasticity.stdp(w_max="1e-6 mV", relative=True),
    "multiplicative": plasticity.stdp(w_max="1e-6 mV", relative=True, dependence="multiplicative"),
    "guetig": plasticity.stdp(w_max="1e-6 mV", relative=True, dependence="guetig", mu=0.5),
}
KINDS = {name: cells.lif_delta(current="0.25 nA") for name in RULES}
KINDS |= {
    f"izhikevich-{name}": cells.izhikevich(synapse="delta", current="10 mV/ms") for name in RULES
}
START = np.linspace(0.2e-6, 0.8e-6, 8)  # mV: too small to move a spike


def steps_to_learn() -> ns.Network:
    """Return cells of voltage steps that fire by a current alone, with edges of every kind."""
    stream = np.random.default_rng(3)
    net = ns.Network("voltage steps", dt="0.1 ms", seed=1)
    trains = [2 * np.sort(stream.choice(np.arange(5, 700), 15, replace=False)) for _ in range(4)]
    source = net.spike_source("source", 4, steps=[[*train.tolist(), 1490] for train in trains])
    for name, cell in KINDS.items():
        target = net.population(name, 2, cell)
        net.record(target, "spikes")
        for label, rule in (("learning", RULES[name.split("-")[-1]]), ("fixed", None)):
            edges = net.project(
                source,
                target,
                ns.all_to_all(),
                weight=START,
                delay="1 ms",
                rule=rule,
                port="synaptic",
                name=f"{label}-{name}",
            )
            net.record(edges, "w", every="150 ms")
    resources = net.population("resources", 1, cells.lif_delta(current="0 nA"))
    rule = plasticity.short_term(U=0.5, tau_rec="100 ms", unit="mV")
    net.project(source, resources, ns.all_to_all(), weight="2 mV", delay="1 ms", rule=rule)
    net.record(resources, "v")
    return net


@pytest.mark.process
def test_weights_of_voltage_steps_learn_and_are_read_on_nest_in_their_own_unit():
    net = steps_to_learn()
    here, there = (
        ns.simulate(net, "150 ms", backend=b, progress=False) for b in ("cpu", pynn.nest)
    )
    for name in KINDS:
        assert len(here[name].spikes) > 4
        a, b = (r[f"learning-{name}"].trace("w").values[-1] for r in (here, there))
        assert np.abs(a - START).max() > 0.01e-6
        # The Izhikevich cell is integrated by another scheme there: its spikes move.
        np.testing.assert_allclose(b, a, rtol=0.05 if "izhikevich" in name else 1e-6)
        fixed = there[f"fixed-{name}"].trace("w").values
        np.testing.assert_allclose(fixed, np.broadcast_to(START, fixed.shape), rtol=1e-12)
    a, b = (r["resources"].trace("v").values for r in (here, there))
    assert np.ptp(a) > 1
    # A weight moves v in the step in which it lands there, and here one later, after its decay.
    np.testing.assert_allclose(b[:-1], a[1:], atol=0.05)


def test_the_cells_whose_weights_pynn_multiplies_are_those_of_the_table():
    from pyNN.nest import standardmodels

    factors = {
        name: cell.receptor_scale
        for name in NEST.methods
        if (cell := getattr(standardmodels.cells, name, None)) and hasattr(cell, "receptor_scale")
    }
    assert factors == NEST.connected_weights


def test_a_script_says_why_a_bound_is_another(tmp_path):
    text = ns.export(steps_to_learn(), tmp_path / "out", backend=pynn.nest).read_text()
    assert "PyNN 0.13.0 multiplies weights into IF_curr_delta by 0.001 when it" in text
    assert "w_max=1e-06 * 0.001" in text and text.count(") / 0.001)") == 12


@pytest.mark.process
def test_plastic_weights_of_several_units_are_read_on_brian2_each_in_its_own():
    """PyNN has one unit for all of them, that of the last projection."""
    net = ns.Network("units", dt="0.1 ms", seed=1)
    source = net.spike_source("source", 2, steps=[[5, 50], [6, 60]])
    targets = {
        "current": (cells.lif(), "nA", "synaptic"),
        "voltage": (cells.lif_delta(), "mV", "synaptic"),
        "conductance": (cells.lif_conductance(), "uS", "excitatory"),
    }
    for name, (cell, unit, port) in targets.items():
        edges = net.project(
            source,
            net.population(name, 1, cell),
            ns.all_to_all(),
            weight=0.5e-6,
            delay="1 ms",
            port=port,
            dendritic_fraction=0,
            rule=plasticity.stdp(w_max=f"1e-6 {unit}", relative=True),
            name=f"to-{name}",
        )
        net.record(edges, "w", every="10 ms")
    result = ns.simulate(net, "10 ms", backend=pynn.brian2, progress=False)
    for name in targets:
        np.testing.assert_allclose(result[f"to-{name}"].trace("w").values, 0.5e-6, rtol=1e-9)
