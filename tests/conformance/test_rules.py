"""The step of the contract by hand: phases, delays, order of sums, and handlers of rules."""

from __future__ import annotations

import numpy as np
import pytest
from support.stepping import COUNTER, exp, network, prepare, traces

import neurosim as ns
from neurosim import Cell, Parameter, Port, Refractory, Rule

RELAY = Cell(
    "v : 1", receives={"x": Port("1", into="v")}, spike="v > 0.5", after_spike="v = 0", name="relay"
)
BIG = 1e16  # BIG + 1 == BIG: sums of it tell the order in which they were made


# ---- phases and delays


def test_what_lands_in_a_step_is_integrated_in_the_next(backend):
    net = network()
    source, counter = net.spike_source("s", 1, steps=[[2]]), net.population("c", 1, COUNTER)
    net.project(source, counter, ns.all_to_all(), weight=1.0)
    net.record(counter, "v")
    assert traces(prepare(net, backend, 5), "c", "v") == [0, 0, 0, 1, 1]


def test_an_arriving_weight_jumps_its_state_before_the_step_is_integrated(backend):
    leak = Cell(
        "dv/dt = -v / tau : 1",
        parameters={"tau": "4 ms"},
        receives={"x": Port("1", into="v")},
        name="leak",
    )
    net = network()
    source, cells = net.spike_source("s", 1, steps=[[0]]), net.population("c", 1, leak)
    net.project(source, cells, ns.all_to_all(), weight=1.0)
    net.record(cells, "v")
    assert traces(prepare(net, backend, 3), "c", "v") == [0.0, exp(-0.25), exp(-0.25) * exp(-0.25)]


STAMP = Rule(
    edge="w : 1; seen : ms; heard : ms",
    handlers=[("pre", "out += w; seen = t + 1*ms"), ("post", "heard = t + 1*ms")],
    name="stamp",
)


@pytest.mark.parametrize(
    ("delays", "axonal", "dendritic", "back"),
    [
        ({}, 0, 0, 0),
        ({"delay": 3.0}, 0, 3, 3),
        ({"delay": 3.0, "dendritic_fraction": 0.0}, 3, 0, 0),
        ({"delay": 4.0, "dendritic_fraction": 0.5}, 2, 2, 2),
        ({"delay": 4.0, "dendritic_fraction": 0.25, "back": 2.0}, 3, 1, 2),
    ],
)
def test_three_delays_part_a_projection(backend, delays, axonal, dendritic, back):
    """The source spikes in step 1: its handler runs in 1 + axonal, its delivery jumps the target in
    1 + axonal + dendritic + 1, where that
    fires; the returning spike is handled ``back`` steps later."""
    net = network()
    source, relay = net.spike_source("s", 1, steps=[[1]]), net.population("r", 1, RELAY)
    p = net.project(source, relay, ns.all_to_all(), weight=1.0, rule=STAMP, name="p", **delays)
    net.record(relay, "spikes")
    run = prepare(net, backend, 14)
    arrived = 1 + axonal + dendritic + 1
    assert list(run.result()["r"].spikes.step) == [arrived]
    assert (run.get(p, "seen"), run.get(p, "heard")) == (1 + axonal + 1, arrived + back + 1)


def test_delays_of_static_projections_and_delays_that_differ(backend):
    net = network()
    source = net.spike_source("s", 2, steps=[[0, 1], [0]])
    counters = net.population("c", 3, COUNTER)
    net.project(
        source,
        counters,
        ns.from_arrays([0, 0, 0, 1], [0, 1, 2, 2]),
        weight=[1.0, 1.0, 1.0, 10.0],
        delay=[0.0, 2.0, 3.0, 1.0],
        name="static",
    )
    net.record(counters, "v")
    values = prepare(net, backend, 7).result()["c"].trace("v").values
    assert values.T.tolist() == [
        [0, 1, 2, 2, 2, 2, 2],
        [0, 0, 0, 1, 2, 2, 2],
        [0, 0, 10, 10, 11, 12, 12],
    ]


def test_delays_that_differ_hold_for_each_edge_of_a_rule(backend):
    net = network()
    source, relays = net.spike_source("s", 1, steps=[[1]]), net.population("r", 2, RELAY)
    p = net.project(
        source,
        relays,
        ns.all_to_all(),
        weight=1.0,
        delay=[2.0, 4.0],
        dendritic_fraction=0.5,
        back=[0.0, 3.0],
        rule=STAMP,
        name="p",
    )
    run = prepare(net, backend, 14)
    assert run.get(p, "seen").tolist() == [1 + 1 + 1, 1 + 2 + 1]
    assert run.get(p, "heard").tolist() == [1 + 2 + 1 + 0 + 1, 1 + 4 + 1 + 3 + 1]


def test_refractoriness_after_a_spike_of_step_k_covers_the_steps_to_k_plus_r_and_jumps_are_lost(
    backend,
):
    cell = Cell(
        "v : 1",
        receives={"x": Port("1", into="v")},
        spike="v > 0.5",
        after_spike="v = 0",
        refractory=Refractory("2 ms", "v"),
        name="pausing",
    )
    net = network()
    source, cells = net.spike_source("s", 1, steps=[[0, 1, 2, 3, 4]]), net.population("c", 1, cell)
    net.project(source, cells, ns.all_to_all(), weight=1.0)
    net.record(cells, "spikes", "v")
    run = prepare(net, backend, 8)
    assert list(run.result()["c"].spikes.step) == [1, 4] and traces(run, "c", "v") == [0.0] * 8


def test_refractoriness_that_freezes_nothing_blocks_the_spike_alone(backend):
    cell = Cell(
        "v : 1",
        step="v += 1",
        spike="v > 0",
        after_spike="v = 0",
        refractory="2 ms",
        name="restless",
    )
    net = network()
    net.record(net.population("c", 1, cell), "spikes", "v")
    run = prepare(net, backend, 8)
    assert list(run.result()["c"].spikes.step) == [0, 3, 6]
    assert traces(run, "c", "v") == [
        0,
        1,
        2,
        0,
        1,
        2,
        0,
        1,
    ]


# ---- order of sums


def test_a_port_is_the_sum_of_its_projections_in_creation_order(backend):
    """((0 + BIG) - BIG) + 1 is 1; backwards, or by their names, it is 0."""
    net = network()
    source, counter = net.spike_source("s", 1, steps=[[0]]), net.population("c", 1, COUNTER)
    for name, weight in (("z", BIG), ("a", -BIG), ("m", 1.0)):
        net.project(source, counter, ns.all_to_all(), weight=weight, name=name)
    assert prepare(net, backend, 2).get(counter, "v").tolist() == [1.0]


@pytest.mark.parametrize(
    ("weights", "total"),
    [([BIG, 1.0, -BIG], 0.0), ([BIG, -BIG, 1.0], 1.0), ([1.0, BIG, -BIG], 0.0)],
)
def test_a_projection_adds_in_the_order_of_its_sources(backend, weights, total):
    net = network()
    source, counter = net.spike_source("s", 3, steps=[[0]] * 3), net.population("c", 1, COUNTER)
    net.project(source, counter, ns.all_to_all(), weight=weights)
    assert prepare(net, backend, 2).get(counter, "v").tolist() == [total]


def test_the_oldest_spike_is_added_first(backend):
    """Three edges that all land in step 4: from steps 1, 2 and 4, against the order of their
    sources.
    """
    net = network()
    source = net.spike_source("s", 3, steps=[[4], [2], [1]])
    counter = net.population("c", 1, COUNTER)
    net.project(source, counter, ns.all_to_all(), weight=[1.0, -BIG, BIG], delay=[0.0, 2.0, 3.0])
    assert prepare(net, backend, 6).get(counter, "v").tolist() == [1.0]


def test_the_oldest_spike_is_added_first_along_a_rule_too(backend):
    """As above; the weights of a rule are added by other code."""
    net = network()
    source = net.spike_source("s", 3, steps=[[4], [2], [1]])
    counter = net.population("c", 1, COUNTER)
    net.project(
        source,
        counter,
        ns.all_to_all(),
        weight=[1.0, -BIG, BIG],
        delay=[0.0, 2.0, 3.0],
        dendritic_fraction=0.0,
        rule=Rule(edge="w : 1", handlers=[("pre", "out += w")], name="passing"),
    )
    assert prepare(net, backend, 6).get(counter, "v").tolist() == [1.0]


def test_several_edges_of_one_pair_all_deliver_in_the_order_given(backend):
    net = network()
    source, counter = net.spike_source("s", 1, steps=[[0]]), net.population("c", 1, COUNTER)
    net.project(
        source, counter, ns.from_arrays([0, 0, 0], [0, 0, 0]), weight=[BIG, -BIG, 1.0], name="kept"
    )
    net.project(
        source, counter, ns.from_arrays([0, 0, 0], [0, 0, 0]), weight=[1.0, BIG, -BIG], name="lost"
    )
    assert prepare(net, backend, 2).get(counter, "v").tolist() == [1.0]


def test_arrays_of_edges_follow_the_order_in_which_the_edges_were_given(backend):
    """Weights, delays, values per edge and link indices alike."""
    net = network()
    source, counters = net.spike_source("s", 3, steps=[[0]] * 3), net.population("c", 3, COUNTER)
    other = net.population("o", 3, COUNTER, v=[10.0, 20.0, 30.0])
    rule = Rule(
        edge="w : 1",
        parameters={"scale": Parameter("1", 1.0, per="edge"), "far": 0.0},
        handlers=[("pre", "out += w * scale + far")],
        name="ordered",
    )
    p = net.project(
        source,
        counters,
        ns.from_arrays([2, 1, 0], [2, 1, 0]),
        weight=[1.0, 2.0, 3.0],
        scale=[100.0, 200.0, 300.0],
        rule=rule.reading(far=other["v"].by([0, 1, 2])),
        name="p",
    )
    run = prepare(net, backend, 2)
    assert run.get(counters, "v").tolist() == [3 * 300 + 30, 2 * 200 + 20, 1 * 100 + 10]
    assert run.get(p, "w").tolist() == [3.0, 2.0, 1.0]  # read back in (source, target) order


@pytest.mark.parametrize("side", ["source", "target"])
def test_neurons_read_the_value_of_their_region(backend, side):
    net = network()
    source = net.spike_source("s", 4, steps=[[0]] * 4)
    counters = net.population("c", 4, COUNTER)
    regions = net.population("regions", 2, COUNTER, v=[10.0, 20.0])
    rule = Rule(
        edge="w : 1", parameters={"level": 0.0}, handlers=[("pre", "out += w * level")], name="r"
    )
    # The views turn the order, and leave out a neuron.
    net.project(
        source[[3, 1, 0]],
        counters[[0, 2, 3]],
        ns.one_to_one(),
        weight=1.0,
        rule=rule.reading(level=regions["v"].by(side, [1, 0, 1])),
    )
    run = prepare(net, backend, 2)
    assert run.get(counters, "v").tolist() == [20.0, 0.0, 10.0, 20.0]


def test_one_value_for_all_edges_serves_each(backend):
    net = network()
    source, counters = net.spike_source("s", 2, steps=[[0]] * 2), net.population("c", 3, COUNTER)
    rule = Rule(
        edge="w : 1",
        parameters={"scale": Parameter("1", 2.0, per="edge")},
        handlers=[("pre", "out += w * scale")],
        name="scaled_alike",
    )
    p = net.project(source, counters, ns.all_to_all(), weight=1.0, rule=rule, name="p")
    run = prepare(net, backend, 2)
    assert run.get(counters, "v").tolist() == [4.0] * 3
    run.set(p, scale=np.arange(6.0))
    assert run.get(p, "scale").tolist() == [0, 1, 2, 3, 4, 5]


# ---- handlers


def coincidence(handlers: list[tuple[str, str]], backend: str) -> float:
    """Return w after a step in which a spike arrives and one returns."""
    net = network()
    source, relay = net.spike_source("s", 1, steps=[[3]]), net.population("r", 1, RELAY)
    kick = net.spike_source("kick", 1, steps=[[2]])
    net.project(kick, relay, ns.all_to_all(), weight=1.0)
    p = net.project(
        source,
        relay,
        ns.all_to_all(),
        weight=1.0,
        rule=Rule(edge="w : 1", handlers=handlers, name="order"),
        name="p",
    )
    return prepare(net, backend, 4).get(p, "w")


def test_handlers_run_in_tuple_order_where_spikes_of_both_sides_meet(backend):
    assert coincidence([("pre", "w += 1"), ("post", "w *= 10")], backend) == 20.0
    assert coincidence([("post", "w *= 10"), ("pre", "w += 1")], backend) == 11.0


def test_a_trigger_may_occur_again_and_step_handlers_come_last(backend):
    assert coincidence(
        [("step", "w = -w"), ("pre", "w += 1"), ("post", "w *= 10"), ("pre", "w += 3")], backend
    ) == -((-1.0 + 1) * 10 + 3)


SUMS = Rule(
    edge="w : 1; copy : 1",
    post="total : 1",
    pre="own : 1",
    name="total",
    handlers=[
        ("pre", "total += w; copy = total; own = own + i_pre + 1"),
        ("night", "own += 2 * w; total = total / 4"),
    ],
)


def test_a_statement_is_finished_for_all_its_edges_before_the_next_begins(backend):
    """Every edge copies the total that all edges have made, and a sum is folded from 0 and added
    once: BIG + (1 + 1), not (BIG + 1) + 1.
    """
    net = network()
    source, counters = net.spike_source("s", 2, steps=[[0], [0]]), net.population("c", 2, COUNTER)
    p = net.project(
        source,
        counters,
        ns.all_to_all(),
        weight=1.0,
        port="x",
        rule=SUMS,
        total=[BIG, 5.0],
        name="p",
    )
    run = prepare(net, backend, 1)
    assert run.get(p, "copy").tolist() == [BIG + 2, 7.0] * 2
    # once per source neuron, whatever the number of its edges
    assert run.get(p, "own").tolist() == [
        1.0,
        2.0,
    ]


def test_a_signal_runs_at_once_over_all_edges_and_all_neurons(backend):
    net = network()
    source, counters = net.spike_source("s", 2), net.population("c", 2, COUNTER)
    p = net.project(
        source,
        counters,
        ns.from_arrays([0, 0, 1], [0, 1, 1]),
        weight=[1.0, 2.0, 4.0],
        port="x",
        rule=SUMS,
        total=8.0,
        name="p",
    )
    run = prepare(net, backend)
    run.emit("night")
    assert run.get(p, "own").tolist() == [6.0, 8.0] and run.get(p, "total").tolist() == [2.0, 2.0]
    assert run.step == 0


def test_a_signal_reads_decaying_variables_at_the_moment_between_two_steps(backend):
    """x is 1 in step 0. Between steps 2 and 3 it has decayed over two steps, for the signal as for
    `get`, and it decays from there.
    """
    rule = Rule(
        pre="dx/dt = -x / tau : 1",
        edge="w : 1",
        handlers=[("pre", "x += 1"), ("night", "w = x; x += 1")],
        parameters={"tau": "4 ms"},
        name="remembering",
    )
    net = network()
    source, counter = net.spike_source("s", 1, steps=[[0]]), net.population("c", 1, COUNTER)
    p = net.project(source, counter, ns.all_to_all(), weight=0.0, port="x", rule=rule, name="p")
    run = prepare(net, backend, 3)
    before = run.get(p, "x")
    run.emit("night")
    assert run.get(p, "w") == before == pytest.approx(exp(-0.5), rel=1e-15)
    assert run.get(p, "x") == 1 + before
    run.run("1 ms", progress=False)
    assert run.get(p, "x") == pytest.approx((1 + before) * exp(-0.25), rel=1e-15)


def test_the_order_of_edges_leaves_no_trace_in_what_they_share(backend):
    """The same edges, given in another order, give the same sums to the last bit, for they are
    sorted before they are added.
    """
    generator = np.random.default_rng(0)
    sources = generator.integers(0, 9, 60)
    targets = generator.integers(0, 4, 60)
    weights = generator.normal(size=60)
    pairs = np.unique(sources * 4 + targets)
    sources, targets, weights = pairs // 4, pairs % 4, weights[: pairs.size]
    totals = []
    for order in (np.arange(pairs.size), generator.permutation(pairs.size)):
        net = network()
        source = net.spike_source("s", 9, steps=[[0]] * 9)
        counters = net.population("c", 4, COUNTER)
        p = net.project(
            source,
            counters,
            ns.from_arrays(sources[order], targets[order]),
            weight=weights[order],
            port="x",
            rule=SUMS,
            name="p",
        )
        totals.append(prepare(net, backend, 1).get(p, "total").tolist())
    assert totals[0] == totals[1] and len(set(totals[0])) == 4
