"""Projections within a step: spikes run through stages, in the order that the contract says."""

from __future__ import annotations

import numpy as np
import pytest

import neurosim as ns
from neurosim.ir.concretise import concretise
from neurosim.ir.discretise import discretise

# Numbers are equal to the last bit on engines of the explicit step alone.
BACKENDS = ("reference", "cpu", "brian", "gpu")

ADDING = ns.Cell(
    "v : 1",
    receives={"x": ns.Port("1", into="v")},
    step="v = v + 0",
    spike="v >= 1",
    after_spike="v = 0",
    name="adding",
)


def chain(*, names="abc", size=3, cell=ADDING, weight=1.0):
    """Return a source of given spikes and populations, each joined to the next within the step."""
    net = ns.Network("chain", dt="1 ms")
    net.spike_source("source", size, steps=[[0, 5], [1], [2, 5], *[[]] * (size - 3)])
    # In reverse order: stages follow from projections, not from the order of creation.
    for name in names[::-1]:
        net.population(name, size, cell)
        net.record(net[name], "spikes")
    for first, second in zip(("source", *names), names, strict=False):
        net.project(net[first], net[second], ns.one_to_one(), weight=weight, same_step=True)
    return net


def steps_of(result, name):
    spikes = result[name].spikes
    return list(zip(spikes.step.tolist(), spikes.index.tolist(), strict=True))


def test_a_spike_runs_through_all_layers_in_one_step(backend):
    result = ns.simulate(chain(), "10 ms", backend=backend)
    emitted = [(0, 0), (1, 1), (2, 2), (5, 0), (5, 2)]
    assert [steps_of(result, name) for name in "abc"] == [emitted] * 3


def test_without_same_step_each_layer_is_a_step_later(backend):
    """The control: a delay of 0 is felt in the next step."""
    net = chain(names="a")
    late = net.population("late", 3, ADDING)
    net.project(net["a"], late, ns.one_to_one(), weight=1.0)
    net.record(late, "spikes")
    assert steps_of(ns.simulate(net, "10 ms", backend=backend), "late") == [
        (1, 0),
        (2, 1),
        (3, 2),
        (6, 0),
        (6, 2),
    ]


def test_a_population_waits_for_all_whose_spikes_it_receives_within_the_step(backend):
    """a -> b -> c and a -> c: c is in the third stage and adds both spikes of the same step."""
    net = chain(names="abc", weight=1.0)
    net.project(net["a"], net["c"], ns.one_to_one(), weight=0.5, same_step=True)
    net.record(net["c"], "v")
    spiking = ns.Cell("v : 1", receives={"x": ns.Port("1", into="v")}, step="v = v + 0", name="sum")
    last = net.population("sum", 3, spiking)
    net.project(net["c"], last, ns.one_to_one(), weight=0.25, same_step=True)
    net.project(net["a"], last, ns.one_to_one(), weight=0.5, same_step=True)
    net.record(last, "v")
    program = discretise(concretise(net))
    assert program.stages == (("source",), ("a",), ("b",), ("c",), ("sum",))
    values = ns.simulate(net, "6 ms", backend=backend)["sum"].trace("v").values
    assert values[0].tolist() == [0.75, 0.0, 0.0]
    assert values[-1].tolist() == [1.5, 0.75, 1.5]


def test_terms_of_the_step_are_added_to_the_port_of_the_step_before(backend):
    """(0.1 + 0.2) + 0.3 and 0.1 + (0.2 + 0.3) differ in the last bit, and so do other orders."""
    reading = ns.Cell("v : 1", receives={"x": ns.Port("1")}, step="v = x", name="reading")
    net = ns.Network("fold", dt="1 ms")
    before = net.spike_source("before", 1, steps=[[0]])
    now = net.spike_source("now", 2, steps=[[1], [1]])
    target = net.population("target", 1, reading)
    # Two edges of one projection are one term; terms of the step come after those of the port.
    net.project(now, target, ns.all_to_all(), weight=[0.7, 0.1], same_step=True)
    net.project(before, target, ns.one_to_one(), weight=0.3)
    net.project(now[:1], target, ns.one_to_one(), weight=0.2, same_step=True)
    net.project(before, target, ns.one_to_one(), weight=0.6)
    net.record(target, "v")
    values = ns.simulate(net, "3 ms", backend=backend)["target"].trace("v").values.ravel()
    expected = ((0.3 + 0.6) + (0.7 + 0.1)) + 0.2
    assert expected not in (((0.7 + 0.1) + 0.3) + 0.2 + 0.6, (0.7 + 0.1) + 0.2 + (0.3 + 0.6))
    assert values.tolist() == [0.0, expected, 0.0]


def test_refractory_targets_lose_spikes_of_the_step_and_resets_come_after_all_of_them(backend):
    resting = ns.Cell(
        "v : 1; count : 1",
        receives={"x": ns.Port("1", into="v")},
        step="v = v + 0",
        spike="v >= 1",
        after_spike="v = 0; count += 1",
        refractory=ns.Refractory("2 ms", "v"),
        name="resting",
    )
    net = ns.Network("pause", dt="1 ms")
    source = net.spike_source("source", 1, steps=[[0, 1, 2, 3]])
    first, second = (net.population(name, 1, resting) for name in ("first", "second"))
    net.project(source, first, ns.one_to_one(), weight=1.0, same_step=True)
    net.project(first, second, ns.one_to_one(), weight=0.6, same_step=True)
    # A rule reads the state of the first as its spike left it: the reset has not come yet.
    seen = ns.Rule(edge="w : 1", handlers=[("pre", "out += v_pre")], name="seen")
    copy = net.population("copy", 1, ns.Cell("v : 1", receives={"x": ns.Port("1")}, step="v = x"))
    net.project(first, copy, ns.one_to_one(), rule=seen, same_step=True)
    for population in (first, second, copy):
        net.record(population, "v")
    net.record(first, "spikes")
    result = ns.simulate(net, "5 ms", backend=backend)
    assert result["first"].spikes.step.tolist() == [0, 3]
    assert result["first"].trace("v").values.ravel().tolist() == [0.0] * 5
    assert result["second"].trace("v").values.ravel().tolist() == [0.6, 0.6, 0.6, 0.0, 0.0]
    assert result["copy"].trace("v").values.ravel().tolist() == [1.0, 0.0, 0.0, 1.0, 0.0]


def test_a_rule_within_the_step_sends_before_the_target_spikes_and_learns_after(backend):
    """The spike of the target is an effect of that of the source: both traces are 1 at "post"."""
    learning = ns.Rule(
        pre="dx/dt = -x / tau : 1",
        edge="w : 1",
        handlers=[("pre", "out += w; x += 1"), ("post", "w += 0.25 * x")],
        parameters={"tau": "10 ms"},
        name="learning",
    )
    net = ns.Network("learning", dt="1 ms")
    source = net.spike_source("source", 1, steps=[[1, 4]])
    target = net.population("target", 1, ADDING)
    edges = net.project(
        source, target, ns.one_to_one(), rule=learning, weight=1.0, same_step=True, name="edges"
    )
    net.record(edges, "w", "x")
    net.record(target, "spikes")
    result = ns.simulate(net, "6 ms", backend=backend)
    assert result["target"].spikes.step.tolist() == [1, 4]
    later = 1.25 + 0.25 * (1 + np.exp(-0.3))
    assert result["edges"].trace("w").values.ravel() == pytest.approx(
        [1.0, 1.25, 1.25, 1.25, later, later], rel=1e-14
    )


def test_signals_of_a_later_stage_end_their_step(backend):
    listening = ns.Rule(edge="w : 1", handlers=[("pre", "out += w"), ("teach", "w *= 2")])
    net = chain(names="ab")
    other = net.population("other", 3, ADDING)
    edges = net.project(
        net["a"], other, ns.one_to_one(), rule=listening, weight=0.125, name="edges"
    )
    net.signal("teach", net["b"])
    net.record(edges, "w")
    values = ns.simulate(net, "7 ms", backend=backend)["edges"].trace("w").values
    # The signal comes after the records of its step.
    assert values[:, 0].tolist() == [0.125, 0.25, 0.5, 1.0, 1.0, 1.0, 2.0]


def test_a_value_that_is_not_finite_in_a_later_stage_ends_the_step_in_which_it_appears(backend):
    growing = ns.Cell(
        "v : 1", receives={"x": ns.Port("1")}, step="v = where(x > 0, 1e300 * x * 1e300, 0)"
    )
    net = chain(names="ab", size=200)
    grown = net.population("grown", 200, growing)
    net.project(net["b"], grown, ns.one_to_one(), weight=1.0, same_step=True)
    run = ns.prepare(net, backend=backend)
    run.set("source", steps=[[]] * 100 + [[4]] + [[]] * 99)
    with pytest.raises(ns.SimulationError, match="'grown', neuron 100.*inf"):
        run.run("10 ms")
    assert run.time == 4.0


def test_runs_restored_between_steps_go_on_alike(backend):
    net = chain(weight=0.5, size=70)
    net.project(net["c"], net["a"], ns.one_to_one(), weight=0.5, delay="2 ms", name="back")
    run = ns.prepare(net, backend=backend)
    run.set("source", steps=[[i % 3, 4 + i % 3, 9] for i in range(70)])
    run.run("5 ms")
    snapshot = run.snapshot()
    run.run("9 ms")
    first = run.snapshot()
    run.restore(snapshot, clock=True)
    run.run("9 ms")
    second = run.snapshot()
    for key, array in first.arrays.items():
        assert np.array_equal(array, second.arrays[key]), key


def test_networks_without_same_step_have_one_stage():
    net = ns.Network("one", dt="1 ms")
    a, b = (net.population(name, 2, ADDING) for name in "ab")
    net.project(a, b, ns.one_to_one(), weight=1.0)
    net.project(b, a, ns.one_to_one(), weight=1.0)
    assert discretise(concretise(net)).stages == (("a", "b"),)
