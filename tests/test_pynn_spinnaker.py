"""Networks mapped onto SpiNNaker's virtual board by sPyNNaker itself, and weights and delays read back from there."""

import os
from functools import cache
from importlib.util import find_spec

import numpy as np
import pytest

pytest.importorskip("sympy")

import neurosim as ns  # noqa: E402
from neurosim.backends import pynn  # noqa: E402
from neurosim.backends.pynn.mapping import PYTHON  # noqa: E402
from neurosim.backends.pynn.weights import kept, scales  # noqa: E402
from neurosim.ir.concrete import concretise  # noqa: E402
from neurosim.models import ca3_memory, cells, plasticity  # noqa: E402
from neurosim.models.prediction_reservoir.network import DEFAULTS  # noqa: E402
from neurosim.models.prediction_reservoir.network import neuron as reservoir_neuron  # noqa: E402

board = pytest.mark.skipif(not os.environ.get(PYTHON) and find_spec("spynnaker") is None,
                           reason=f"sPyNNaker is not installed, and {PYTHON} names no other interpreter")


def many() -> ns.Network:
    """Return a network with weights and rates of all sizes: one large weight beside small ones, both signs, conductances, voltage steps, rules."""
    net = ns.Network("many", dt="1 ms", seed=1)
    slow, fast = net.poisson("slow", 50, rate=20), net.poisson("fast", 50, rate=2000)
    a = net.population("a", 300, cells.izhikevich(synapse="exponential"))
    b, d = net.population("b", 60, cells.lif_conductance()), net.population("d", 60, cells.lif_delta())
    net.project(slow, a, ns.fixed_probability(0.5), weight=ns.normal("5 mV/ms", "2 mV/ms"), delay=ns.integers(1, 20), port="synaptic", name="in")
    net.project(a[:100], a, ns.fixed_probability(0.02), weight="0.5 mV/ms", delay="2 ms", back="3 ms", port="synaptic", name="plastic",
                rule=plasticity.stdp(dependence="multiplicative", w_max="1 mV/ms"))
    net.project(a, a, ns.from_arrays([0], [1]), weight="50 mV/ms", delay="40 ms", port="synaptic", name="big")
    net.project(slow, b, ns.fixed_probability(0.5), weight=ns.uniform("1 nS", "10 nS"), delay="2 ms", port="excitatory", name="opens")
    net.project(fast, b, ns.fixed_probability(0.5), weight=ns.uniform("1 nS", "10 nS"), delay="2 ms", port="inhibitory", name="shunts")
    net.project(fast, d, ns.fixed_probability(0.5), weight=ns.normal("0 mV", "1 mV"), delay=ns.integers(0, 20), name="steps")
    return net


@cache
def mapped() -> object:
    return ns.map(many(), backend=pynn.spinnaker, time="100 ms")


@board
def test_weights_read_back_are_those_that_the_report_foresees():
    plan = pynn.spinnaker._plan(concretise(many()))
    expected = scales(plan.populations, plan.projections, plan.dt)
    ends = {p.of: p.target for p in plan.projections}
    found = mapped().projections
    assert {p.name for p in found} == set(ends)
    for p in found:
        assert p.step == expected[ends[p.name], p.receptor].step, p.name
        np.testing.assert_allclose(np.abs(p.weight), kept(p.wanted, p.step), rtol=1e-12, err_msg=p.name)
    worst = max(found, key=lambda p: p.error)
    assert worst.error > 0.01 and next(p for p in found if p.name == "in").by == "big"


@board
def test_delays_read_back_are_ours_and_one_step():
    net, found = many(), mapped()
    for p in found.projections:
        np.testing.assert_array_equal(p.delay, p.wanted_delay, err_msg=p.name)
    assert {p.name: set(p.delay) for p in found.projections if p.name in ("big", "opens")} == {"big": {41.0}, "opens": {3.0}}
    steps = [p for p in found.projections if p.name == "steps"]
    assert min(p.delay.min() for p in steps) == 1.0 and net.projections["steps"].delay.kind == "integers"


@board
def test_negative_weights_lie_at_the_inhibitory_receptor_with_their_magnitude():
    inside = [p for p in mapped().projections if p.name == "in"]
    assert {p.receptor for p in inside} == {"excitatory", "inhibitory"}
    assert sum(p.weight.size for p in inside) == concretise(many()).projections["in"].targets.size


@board
def test_cores_chips_and_programs_are_counted_and_a_rule_without_a_program_is_split():
    found = mapped()
    assert found.missing == ()
    assert found.per_population["a"] >= 4  # two slices of up to 256 neurons, each with a core for its synapses
    assert found.cores == sum(found.per_population.values()) == len(found.placements)
    assert (found.chips, found.boards) == (len({p[:2] for p in found.placements}), 1)
    assert found.sdram > 1e4
    assert "mapped, not run" in str(found) and "set by big" in str(found)
    assert not hasattr(found, "spikes")


@board
def test_the_picture_shows_every_core():
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.patches import Rectangle

    found = mapped()
    ax = found.plot()
    assert len([p for p in ax.patches if isinstance(p, Rectangle) and p.get_width() < 1]) == found.cores
    assert ax.get_title() == f"{found.cores} cores on {found.chips} chips"


@board
def test_one_large_weight_beside_small_ones_loses_those_that_the_report_says():
    net = ns.Network("scales", dt="1 ms")
    source, target = net.spike_source("source", 1, steps=[[1]]), net.population("target", 1000, cells.lif())
    net.project(source, target, ns.all_to_all(), weight=np.r_[50.0, np.full(999, 0.0005)], delay="1 ms", name="edge")
    (edge,) = ns.map(net, backend=pynn.spinnaker, time="10 ms").projections
    assert edge.lost == 999
    assert "999 of 1000 weights become 0" in str(pynn.spinnaker.check(net))


@board
def test_the_content_addressable_memory_maps_with_its_delays_and_its_weights_whole():
    net = ca3_memory.model.network(seed=0)
    found = ns.map(net, backend=pynn.spinnaker, time="100 ms")
    assert found.missing == () and found.cores == len(net.populations)
    for p in found.projections:
        assert p.error == 0.0 and p.lost == 0, p.name
        np.testing.assert_array_equal(p.delay, net.projections[p.name].delay + 1.0)


@board
@pytest.mark.parametrize("version", [3, 201])
def test_other_machines_are_mapped_too(version):
    net = ns.Network("small", dt="1 ms")
    net.project(net.spike_source("source", 1, steps=[[1]]), net.population("target", 5, cells.lif()), ns.all_to_all(), weight="1 nA", delay="1 ms")
    assert ns.map(net, backend=pynn.spinnaker, version=version, time="10 ms").cores == 2


@board
def test_a_reservoir_of_fixed_weights_and_cues_alone_maps():
    net = ns.Network("reservoir", dt="1 ms", seed=3)
    cells_ = net.population("reservoir", 400, reservoir_neuron(), bias=ns.uniform(0, 8), cue=10.0, cue_on=ns.table([1.0] * 50 + [0.0], every="1 ms"),
                            tau_s=DEFAULTS.tau_s, v=ns.uniform(-65, -55), u="b * v")
    wiring = ns.fixed_probability(0.1, autapses=False)
    net.project(cells_[:320], cells_, wiring, weight=ns.uniform(0, 0.3), port="synaptic", name="excitation")
    net.project(cells_[320:], cells_, wiring, weight=ns.uniform(-1, 0), port="synaptic", name="inhibition")
    net.record(cells_, "spikes")
    report = pynn.spinnaker.check(net)
    assert report.possible and "bias + cue*cue_on follows cue_on" in str(report)
    found = ns.map(net, backend=pynn.spinnaker, time="100 ms")
    assert found.missing == () and found.per_population == {"reservoir": 2}


def test_a_missing_sPyNNaker_and_an_unknown_machine_say_what_to_do(monkeypatch):
    net = ns.Network("empty", dt="1 ms")
    with pytest.raises(ns.NetworkError, match="a SpiNNaker machine has no version '7'"):
        ns.map(net, backend=pynn.spinnaker, version=7)
    monkeypatch.delenv(PYTHON, raising=False)
    monkeypatch.setattr("neurosim.backends.pynn.mapping.find_spec", lambda name: None)
    with pytest.raises(ns.NetworkError, match=f"{PYTHON} names no other interpreter. Make an environment"):
        ns.map(net, backend=pynn.spinnaker)
    with pytest.raises(ns.NetworkError, match="backend 'nest' cannot map a network"):
        ns.map(net, backend=pynn.nest)
