"""What the pages "Coming from ..." say about Brian 2, NEST, PyNN and snnTorch, tried on each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import neurosim as ns
from neurosim.models import cells

COUNTER = ns.Cell("v : 1", receives={"in": ns.Port("1", into="v")}, name="counter")
RELAY = ns.Cell(
    "v : 1",
    receives={"in": ns.Port("1", into="v")},
    spike="v > 0",
    after_spike="v = 0",
    name="relay",
)


@pytest.fixture
def brian2() -> Any:
    brian2 = pytest.importorskip("brian2")
    brian2.prefs.codegen.target = "numpy"
    brian2.defaultclock.dt = 0.1 * brian2.ms
    return brian2


@pytest.fixture
def nest() -> Any:
    nest = pytest.importorskip("nest")
    nest.set_verbosity("M_ERROR")
    nest.ResetKernel()
    nest.resolution = 0.1
    return nest


# ---- Brian 2

TRACE = ns.Rule(
    edge="w : 1; x : 1", handlers=[("pre", "x = 1; out += 0 * w"), ("post", "w = x")], name="trace"
)


def learned(fraction: float) -> float:
    """Return the weight if the target fires while the spike of the source is on its way."""
    net = ns.Network("page", dt="0.1 ms")
    source = net.spike_source("source", 1, steps=[[10]])
    trigger = net.spike_source("trigger", 1, steps=[[20]])
    target = net.population("target", 1, RELAY)
    net.project(trigger, target, ns.one_to_one(), weight=1)
    edges = net.project(
        source,
        target,
        ns.one_to_one(),
        rule=TRACE,
        weight=0,
        delay="2 ms",
        dendritic_fraction=fraction,
        back=0,
    )
    run = ns.prepare(net, backend="reference")
    run.run("5 ms", progress=False)
    return float(np.asarray(run.get(edges, "w")).item())


@pytest.mark.simulator
def test_the_delay_of_a_plastic_synapse_lies_before_the_rule_in_brian(brian2):
    groups = [brian2.SpikeGeneratorGroup(1, [0], [t] * brian2.ms) for t in (1, 2)]
    synapse = brian2.Synapses(*groups, "w : 1\nx : 1", on_pre="x = 1", on_post="w = x")
    synapse.connect()
    synapse.pre.delay = 2 * brian2.ms
    brian2.Network(*groups, synapse).run(5 * brian2.ms)
    assert synapse.w[0] == learned(0.0) == 0
    assert learned(1.0) == 1


@pytest.mark.simulator
def test_a_jump_without_delay_shows_one_sample_earlier_in_brian(brian2):
    source = brian2.SpikeGeneratorGroup(1, [0], [1] * brian2.ms)
    group = brian2.NeuronGroup(1, "v : 1")
    synapse = brian2.Synapses(source, group, on_pre="v_post += 1")
    synapse.connect()
    monitor = brian2.StateMonitor(group, "v", record=True)
    brian2.Network(source, group, synapse, monitor).run(3 * brian2.ms)
    net = ns.Network("page", dt="0.1 ms")
    counter = net.population("counter", 1, COUNTER)
    net.project(net.spike_source("source", 1, steps=[[10]]), counter, ns.one_to_one(), weight=1)
    net.record(counter, "v")
    ours = ns.simulate(net, "3 ms", backend="reference", progress=False)["counter"].trace("v").of(0)
    # Sample k of Brian's is the state at the start of step k, ours that at its end.
    assert np.flatnonzero(monitor.v[0])[0] == 10 + 1
    assert np.flatnonzero(ours)[0] == 11


@pytest.mark.simulator
def test_poisson_groups_of_brian_spike_with_probability_rate_times_dt_as_ours(brian2):
    """0.8 per step; 100 000 draws have a standard deviation of 0.0013."""
    brian2.seed(1)
    group = brian2.PoissonGroup(100, 8000 * brian2.Hz)
    monitor = brian2.SpikeMonitor(group)
    brian2.Network(group, monitor).run(100 * brian2.ms)
    net = ns.Network("page", dt="0.1 ms", seed=1)
    net.record(net.poisson("group", 100, rate=8000), "spikes")
    ours = ns.simulate(net, "100 ms", backend="reference", progress=False)["group"].spikes
    assert monitor.num_spikes / 1e5 == pytest.approx(0.8, abs=0.006)
    assert len(ours) / 1e5 == pytest.approx(0.8, abs=0.006)


# ---- NEST


def potential(weight: float, port: str) -> float:
    """Return by how much a spike moves a neuron with currents that decay, in mV."""
    net = ns.Network("page", dt="0.1 ms")
    a = net.population("a", 1, cells.lif_exponential())
    source = net.spike_source("source", 1, times=[[1.0]])
    net.project(source, a, ns.one_to_one(), weight=weight, port=port, delay="1 ms")
    net.record(a, "v")
    trace = ns.simulate(net, "10 ms", backend="reference", progress=False)["a"].trace("v").of(0)
    return float(trace[-1] - trace[0])


@pytest.mark.simulator
def test_inhibition_is_a_negative_weight_in_nest_and_a_positive_one_into_our_port(nest):
    neuron = nest.Create("iaf_psc_exp")
    source = nest.Create("spike_generator", {"spike_times": [1.0]})
    nest.Connect(source, neuron, syn_spec={"weight": -100.0})
    before = neuron.V_m
    nest.Simulate(10.0)
    assert neuron.V_m < before - 0.1
    assert potential(0.1, "inhibitory") < -0.1
    assert potential(0.1, "excitatory") > 0.1


@pytest.mark.simulator
def test_multapses_are_allowed_in_nest_and_asked_for_here(nest):
    a = nest.Create("iaf_psc_exp", 4)
    nest.Connect(a, a, {"rule": "fixed_indegree", "indegree": 12})
    connections = nest.GetConnections(a, a)
    pairs = list(zip(connections.source, connections.target, strict=True))
    assert len(set(pairs)) < len(pairs) == 48 and any(i == j for i, j in pairs)
    net = ns.Network("page", dt="0.1 ms")
    ours = net.population("a", 4, cells.lif())
    net.project(ours, ours, ns.fixed_indegree(12), weight=1)
    with pytest.raises(ns.NetworkError, match="multapses=True"):
        ns.prepare(net, backend="reference")
    net = ns.Network("page", dt="0.1 ms")
    ours = net.population("a", 4, cells.lif())
    several = ns.fixed_indegree(12, multapses=True)
    edges = net.project(ours, ours, several, weight=1, name="several")
    connected = ns.prepare(net, backend="reference").edges(edges)
    assert np.any(connected.sources == connected.targets)


@pytest.mark.simulator
def test_a_delay_is_1_ms_in_nest_unless_given_and_0_here(nest):
    a = nest.Create("iaf_psc_exp", 2)
    nest.Connect(a[0], a[1])
    assert nest.GetConnections(a[0], a[1]).delay == 1.0
    with pytest.raises(nest.NESTError):
        nest.Connect(a[0], a[1], syn_spec={"delay": 0.0})
    net = ns.Network("page", dt="0.1 ms")
    ours = net.population("a", 2, cells.lif())
    edges = net.project(ours, ours, ns.one_to_one(), weight=1)
    assert np.all(ns.prepare(net, backend="reference").edges(edges).delays == 0)


@pytest.mark.simulator
def test_a_poisson_generator_of_nest_gives_each_target_its_own_train_as_a_drive_does(nest):
    """At 20 kHz and 0.1 ms two spikes per step in the mean, of which our population emits one."""
    generator = nest.Create("poisson_generator", {"rate": 20_000.0})
    parrots = nest.Create("parrot_neuron", 2)
    recorder = nest.Create("spike_recorder")
    nest.Connect(generator, parrots)
    nest.Connect(parrots, recorder)
    nest.Simulate(101.0)
    senders = np.asarray(recorder.events["senders"])
    counts = [
        np.bincount(np.round(recorder.events["times"][senders == n] * 10).astype(int))
        for n in parrots.tolist()
    ]
    assert max(counts[0]) > 1 and counts[0].tolist() != counts[1].tolist()
    net = ns.Network("page", dt="0.1 ms", seed=1)
    targets = net.population("targets", 2, COUNTER)
    net.poisson_drive(targets, n=1, rate=20_000, weight=1)
    net.record(targets, "v")
    result = ns.simulate(net, "100 ms", backend="reference", progress=False)["targets"]
    drives = np.diff(result.trace("v").values, axis=0)
    assert drives.max() > 1 and np.any(drives[:, 0] != drives[:, 1])
    assert drives.mean() == pytest.approx(2, abs=0.15)
    with pytest.raises(ns.NetworkError, match="rate"):
        net.poisson("population", 1, rate=20_000)


@pytest.mark.simulator
def test_times_of_spikes_in_nest_are_the_ends_of_their_steps_as_here(nest):
    tau, capacity, current = 10.0, 250.0, 500.0
    common = {"tau_m": tau, "C_m": capacity, "E_L": -70.0, "V_th": -55.0, "V_reset": -70.0}
    neuron = nest.Create("iaf_psc_delta", params=common | {"t_ref": 2.0, "I_e": current})
    recorder = nest.Create("spike_recorder")
    nest.Connect(neuron, recorder)
    nest.Simulate(100.0)
    net = ns.Network("page", dt="0.1 ms")
    cell = ns.Cell(
        "dv/dt = (rest - v) / tau + current / capacity : mV",
        parameters={
            "rest": "-70 mV",
            "tau": f"{tau} ms",
            "current": f"{current} pA",
            "capacity": f"{capacity} pF",
        },
        spike="v >= -55 * mV",
        after_spike="v = rest",
        refractory=ns.Refractory("2 ms", freezes="v"),
        initial={"v": "rest"},
    )
    net.record(net.population("a", 1, cell), "spikes")
    ours = ns.simulate(net, "100 ms", backend="reference", progress=False)["a"].spikes
    assert len(ours) > 3
    assert ours.times() == pytest.approx(np.asarray(recorder.events["times"]))


@pytest.mark.simulator
def test_the_current_of_a_generator_arrives_late_in_nest_and_a_parameter_at_once(nest):
    a, b = nest.Create("iaf_psc_exp"), nest.Create("iaf_psc_exp", params={"I_e": 300.0})
    nest.Connect(nest.Create("dc_generator", {"amplitude": 300.0}), a)
    meters = [nest.Create("voltmeter", {"interval": 0.1}) for _ in "ab"]
    for meter, neuron in zip(meters, (a, b), strict=True):
        nest.Connect(meter, neuron)
    nest.Simulate(5.0)
    generator, parameter = (np.flatnonzero(np.asarray(m.events["V_m"]) > -70.0)[0] for m in meters)
    assert generator - parameter >= 10  # the delay of 1 ms
    net = ns.Network("page", dt="0.1 ms")
    net.record(net.population("a", 1, cells.lif(), current="0.1 nA"), "v")
    trace = ns.simulate(net, "1 ms", backend="reference", progress=False)["a"].trace("v")
    assert trace.of(0)[0] > trace.initial[0]


@pytest.mark.simulator
def test_stdp_acts_when_the_source_fires_in_nest_and_when_it_happens_here(nest):
    """Source at 10 ms, target at 15 ms: the edge has grown before the next spike of the source."""
    times = {"source": 10.0, "target": 15.0}
    generators = {
        name: nest.Create("spike_generator", {"spike_times": [t]}) for name, t in times.items()
    }
    parrots = {name: nest.Create("parrot_neuron") for name in times}
    for name in times:
        nest.Connect(generators[name], parrots[name], syn_spec={"delay": 0.1})
    # Through port 1 a spike does not make the parrot fire, but counts for the rule.
    learning = {"synapse_model": "stdp_synapse", "weight": 1.0, "delay": 0.1, "receptor_type": 1}
    nest.Connect(parrots["source"], parrots["target"], syn_spec=learning)
    nest.Simulate(40.0)
    assert nest.GetConnections(parrots["source"], parrots["target"]).weight == 1.0
    net = ns.Network("page", dt="0.1 ms")
    source = net.spike_source("source", 1, times=[[10.0]])
    target = net.population("target", 1, RELAY)
    trigger = net.spike_source("trigger", 1, times=[[15.0]])
    net.project(trigger, target, ns.one_to_one(), weight=1)
    rule = ns.Rule(
        edge="w : 1",
        pre="dx/dt = -x / (20*ms) : 1",
        handlers=[("pre", "x += 1; out += 0 * w"), ("post", "w += 0.1 * x")],
    )
    edges = net.project(source, target, ns.one_to_one(), rule=rule, weight=1)
    run = ns.prepare(net, backend="reference")
    run.run("40 ms", progress=False)
    assert np.asarray(run.get(edges, "w")).item() > 1.05


# ---- PyNN


@pytest.mark.simulator
def test_pynn_has_delays_of_at_least_a_step_and_negative_weights_that_inhibit(nest):
    sim = pytest.importorskip("pyNN.nest")
    sim.setup(timestep=0.1)
    a = sim.Population(3, sim.IF_curr_exp())
    edges = sim.Projection(a, a, sim.AllToAllConnector(), sim.StaticSynapse(weight=0.1))
    assert {delay for _, _, delay in edges.get(["delay"], format="list")} == {0.1}
    assert any(i == j for i, j, _ in edges.get(["delay"], format="list"))
    source = sim.Population(1, sim.SpikeSourceArray(spike_times=[1.0]))
    sim.Projection(
        source,
        a,
        sim.AllToAllConnector(),
        sim.StaticSynapse(weight=-0.5),
        receptor_type="inhibitory",
    )
    a.record("v")
    sim.run(10.0)
    assert np.asarray(a.get_data().segments[0].filter(name="v")[0])[-1].max() < -65.1
    net = ns.Network("page", dt="0.1 ms")
    ours = net.population("a", 3, cells.lif())
    assert len(ns.prepare(net, backend="reference").memory["a", "v"]) == 3
    projection = net.project(ours, ours, ns.all_to_all(), weight=0.1)
    assert projection.edge_count().most == 9


# ---- snnTorch


def test_a_layer_of_snntorch_is_reset_one_step_after_its_spike():
    torch, snntorch = pytest.importorskip("torch"), pytest.importorskip("snntorch")
    inputs = [0.6, 0.7, 0.0, 0.9]
    potentials: dict[bool, list[float]] = {}
    for late in (True, False):
        layer = snntorch.Leaky(beta=0.9, reset_mechanism="subtract", reset_delay=late)
        mem = layer.reset_mem()
        potentials[late] = []
        for x in inputs:
            _, mem = layer(torch.tensor([x]), mem)
            potentials[late].append(float(mem))
    cell = ns.Cell(
        "mem : 1",
        parameters={"x": 0.0},
        step="mem = 0.9 * mem + x(t)",
        spike="mem > 1",
        after_spike="mem -= 1",
    )
    net = ns.Network("page", dt="1 ms")
    net.record(net.population("a", 1, cell, x=ns.table(inputs, every="1 ms")), "mem")
    ours = ns.simulate(net, "4 ms", backend="reference", progress=False)["a"].trace("mem").of(0)
    assert ours == pytest.approx(potentials[False], rel=1e-5)
    assert potentials[True][1] > 1 and potentials[False][1] < 1


@pytest.mark.parametrize(("same_step", "first"), [(True, 0), (False, 1)])
def test_layers_follow_each_other_within_a_step_only_if_asked_for(same_step, first):
    net = ns.Network("page", dt="1 ms")
    source = net.spike_source("source", 1, steps=[[0]])
    layer = net.population("layer", 1, RELAY)
    net.project(source, layer, ns.one_to_one(), weight=1, same_step=same_step)
    net.record(layer, "spikes")
    spikes = ns.simulate(net, "4 ms", backend="reference", progress=False)["layer"].spikes
    assert spikes.step.tolist() == [first]
