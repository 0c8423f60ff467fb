"""The contract of a step, sentence by sentence, on networks so small that every number follows by hand."""

from __future__ import annotations

import numpy as np
import pytest

import neurosim as ns
from neurosim import Cell, Network, Parameter, Port, Refractory, Rule
from neurosim.expr.functions import FUNCTIONS

COUNTER = Cell("v : 1", receives={"x": Port("1", into="v")}, name="counter")
RELAY = Cell("v : 1", receives={"x": Port("1", into="v")}, spike="v > 0.5", after_spike="v = 0", name="relay")
BIG = 1e16  # BIG + 1 == BIG: sums of it tell the order in which they were made


def exp(x: float) -> float:
    """The language's own."""
    return float(FUNCTIONS["exp"](x))


def network(dt: float = 1.0) -> Network:
    return Network("contract", dt=dt)


def prepare(net: Network, backend: str, steps: int = 0) -> ns.Run:
    run = ns.prepare(net, backend=backend)
    run.run(steps * net.dt, progress=False)
    return run


def traces(run: ns.Run, owner: str, variable: str) -> list:
    """Return the values of a single member, one per step."""
    return [float(x) for x in run.result()[owner].trace(variable).values[:, 0]]


# ---- phases and delays


def test_what_lands_in_a_step_is_integrated_in_the_next(backend):
    net = network()
    source, counter = net.spike_source("s", 1, steps=[[2]]), net.population("c", 1, COUNTER)
    net.project(source, counter, ns.all_to_all(), weight=1.0)
    net.record(counter, "v")
    assert traces(prepare(net, backend, 5), "c", "v") == [0, 0, 0, 1, 1]


def test_an_arriving_weight_jumps_its_state_before_the_step_is_integrated(backend):
    leak = Cell("dv/dt = -v / tau : 1", parameters={"tau": "4 ms"}, receives={"x": Port("1", into="v")}, name="leak")
    net = network()
    source, cells = net.spike_source("s", 1, steps=[[0]]), net.population("c", 1, leak)
    net.project(source, cells, ns.all_to_all(), weight=1.0)
    net.record(cells, "v")
    assert traces(prepare(net, backend, 3), "c", "v") == [0.0, exp(-0.25), exp(-0.25) * exp(-0.25)]


STAMP = Rule(edge="w : 1; seen : ms; back : ms", handlers=[("pre", "out += w; seen = t + 1*ms"), ("post", "back = t + 1*ms")], name="stamp")


@pytest.mark.parametrize(("given", "axonal", "dendritic", "back"), [
    ({}, 0, 0, 0), ({"delay": 3.0}, 0, 3, 3), ({"delay": 3.0, "dendritic_fraction": 0.0}, 3, 0, 0),
        ({"delay": 4.0, "dendritic_fraction": 0.5}, 2, 2, 2),
    ({"delay": 4.0, "dendritic_fraction": 0.25, "back": 2.0}, 3, 1, 2),
])
def test_three_delays_part_a_projection(backend, given, axonal, dendritic, back):
    """The source spikes in step 1: its handler runs in 1 + axonal, its delivery jumps the target in 1 + axonal + dendritic + 1, where that
    fires; the returning spike is handled ``back`` steps later."""
    net = network()
    source, relay = net.spike_source("s", 1, steps=[[1]]), net.population("r", 1, RELAY)
    p = net.project(source, relay, ns.all_to_all(), weight=1.0, rule=STAMP, name="p", **given)
    net.record(relay, "spikes")
    run = prepare(net, backend, 14)
    arrived = 1 + axonal + dendritic + 1
    assert list(run.result()["r"].spikes.step) == [arrived]
    assert (run.get(p, "seen"), run.get(p, "back")) == (1 + axonal + 1, arrived + back + 1)


def test_delays_of_static_projections_and_delays_that_differ(backend):
    net = network()
    source, counters = net.spike_source("s", 2, steps=[[0, 1], [0]]), net.population("c", 3, COUNTER)
    net.project(source, counters, ns.from_arrays([0, 0, 0, 1], [0, 1, 2, 2]), weight=[1.0, 1.0, 1.0, 10.0], delay=[0.0, 2.0, 3.0, 1.0],
        name="static")
    net.record(counters, "v")
    values = prepare(net, backend, 7).result()["c"].trace("v").values
    assert values.T.tolist() == [[0, 1, 2, 2, 2, 2, 2], [0, 0, 0, 1, 2, 2, 2], [0, 0, 10, 10, 11, 12, 12]]


def test_delays_that_differ_hold_for_each_edge_of_a_rule(backend):
    net = network()
    source, relays = net.spike_source("s", 1, steps=[[1]]), net.population("r", 2, RELAY)
    p = net.project(source, relays, ns.all_to_all(), weight=1.0, delay=[2.0, 4.0], dendritic_fraction=0.5, back=[0.0, 3.0], rule=STAMP,
        name="p")
    run = prepare(net, backend, 14)
    assert run.get(p, "seen").tolist() == [1 + 1 + 1, 1 + 2 + 1]
    assert run.get(p, "back").tolist() == [1 + 2 + 1 + 0 + 1, 1 + 4 + 1 + 3 + 1]


def test_refractoriness_after_a_spike_of_step_k_covers_the_steps_to_k_plus_r_and_jumps_are_lost(backend):
    cell = Cell("v : 1", receives={"x": Port("1", into="v")}, spike="v > 0.5", after_spike="v = 0", refractory=Refractory("2 ms", "v"),
        name="pausing")
    net = network()
    source, cells = net.spike_source("s", 1, steps=[[0, 1, 2, 3, 4]]), net.population("c", 1, cell)
    net.project(source, cells, ns.all_to_all(), weight=1.0)
    net.record(cells, "spikes", "v")
    run = prepare(net, backend, 8)
    assert list(run.result()["c"].spikes.step) == [1, 4] and traces(run, "c", "v") == [0.0] * 8


def test_refractoriness_that_freezes_nothing_blocks_the_spike_alone(backend):
    cell = Cell("v : 1", step="v += 1", spike="v > 0", after_spike="v = 0", refractory="2 ms", name="restless")
    net = network()
    net.record(net.population("c", 1, cell), "spikes", "v")
    run = prepare(net, backend, 8)
    assert list(run.result()["c"].spikes.step) == [0, 3, 6] and traces(run, "c", "v") == [0, 1, 2, 0, 1, 2, 0, 1]


# ---- order of sums


def test_a_port_is_the_sum_of_its_projections_in_creation_order(backend):
    """((0 + BIG) - BIG) + 1 is 1; backwards, or by their names, it is 0."""
    net = network()
    source, counter = net.spike_source("s", 1, steps=[[0]]), net.population("c", 1, COUNTER)
    for name, weight in (("z", BIG), ("a", -BIG), ("m", 1.0)):
        net.project(source, counter, ns.all_to_all(), weight=weight, name=name)
    assert prepare(net, backend, 2).get(counter, "v").tolist() == [1.0]


@pytest.mark.parametrize(("weights", "total"), [([BIG, 1.0, -BIG], 0.0), ([BIG, -BIG, 1.0], 1.0), ([1.0, BIG, -BIG], 0.0)])
def test_a_projection_adds_in_the_order_of_its_sources(backend, weights, total):
    net = network()
    source, counter = net.spike_source("s", 3, steps=[[0]] * 3), net.population("c", 1, COUNTER)
    net.project(source, counter, ns.all_to_all(), weight=weights)
    assert prepare(net, backend, 2).get(counter, "v").tolist() == [total]


def test_the_oldest_spike_is_added_first(backend):
    """Three edges that all land in step 4: from steps 1, 2 and 4, against the order of their sources."""
    net = network()
    source, counter = net.spike_source("s", 3, steps=[[4], [2], [1]]), net.population("c", 1, COUNTER)
    net.project(source, counter, ns.all_to_all(), weight=[1.0, -BIG, BIG], delay=[0.0, 2.0, 3.0])
    assert prepare(net, backend, 6).get(counter, "v").tolist() == [1.0]


def test_several_edges_of_one_pair_all_deliver_in_the_order_given(backend):
    net = network()
    source, counter = net.spike_source("s", 1, steps=[[0]]), net.population("c", 1, COUNTER)
    net.project(source, counter, ns.from_arrays([0, 0, 0], [0, 0, 0]), weight=[BIG, -BIG, 1.0], name="kept")
    net.project(source, counter, ns.from_arrays([0, 0, 0], [0, 0, 0]), weight=[1.0, BIG, -BIG], name="lost")
    assert prepare(net, backend, 2).get(counter, "v").tolist() == [1.0]


def test_arrays_of_edges_follow_the_order_in_which_the_edges_were_given(backend):
    """Weights, delays, values per edge and link indices alike."""
    net = network()
    source, counters = net.spike_source("s", 3, steps=[[0]] * 3), net.population("c", 3, COUNTER)
    other = net.population("o", 3, COUNTER, v=[10.0, 20.0, 30.0])
    rule = Rule(edge="w : 1", parameters={"scale": Parameter("1", 1.0, per="edge"), "far": 0.0},
        handlers=[("pre", "out += w * scale + far")], name="ordered")
    p = net.project(source, counters, ns.from_arrays([2, 1, 0], [2, 1, 0]), weight=[1.0, 2.0, 3.0], scale=[100.0, 200.0, 300.0],
                    rule=rule.reading(far=other["v"].by([0, 1, 2])), name="p")
    run = prepare(net, backend, 2)
    assert run.get(counters, "v").tolist() == [3 * 300 + 30, 2 * 200 + 20, 1 * 100 + 10]
    assert run.get(p, "w").tolist() == [3.0, 2.0, 1.0]  # read back in (source, target) order


def test_one_value_for_all_edges_serves_each(backend):
    net = network()
    source, counters = net.spike_source("s", 2, steps=[[0]] * 2), net.population("c", 3, COUNTER)
    rule = Rule(edge="w : 1", parameters={"scale": Parameter("1", 2.0, per="edge")}, handlers=[("pre", "out += w * scale")],
        name="scaled_alike")
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
    p = net.project(source, relay, ns.all_to_all(), weight=1.0, rule=Rule(edge="w : 1", handlers=handlers, name="order"), name="p")
    return prepare(net, backend, 4).get(p, "w")


def test_handlers_run_in_tuple_order_where_spikes_of_both_sides_meet(backend):
    assert coincidence([("pre", "w += 1"), ("post", "w *= 10")], backend) == 20.0
    assert coincidence([("post", "w *= 10"), ("pre", "w += 1")], backend) == 11.0


def test_a_trigger_may_occur_again_and_step_handlers_come_last(backend):
    assert coincidence([("step", "w = -w"), ("pre", "w += 1"), ("post", "w *= 10"), ("pre", "w += 3")], backend) == -((-1.0 + 1) * 10 + 3)


SUMS = Rule(edge="w : 1; copy : 1", post="total : 1", pre="own : 1", name="total",
            handlers=[("pre", "total += w; copy = total; own = own + i_pre + 1"), ("night", "own += 2 * w; total = total / 4")])


def test_a_statement_is_finished_for_all_its_edges_before_the_next_begins(backend):
    """Every edge copies the total that all edges have made, and a sum is folded from 0 and added once: BIG + (1 + 1), not (BIG + 1) + 1."""
    net = network()
    source, counters = net.spike_source("s", 2, steps=[[0], [0]]), net.population("c", 2, COUNTER)
    p = net.project(source, counters, ns.all_to_all(), weight=1.0, port="x", rule=SUMS, total=[BIG, 5.0], name="p")
    run = prepare(net, backend, 1)
    assert run.get(p, "copy").tolist() == [BIG + 2, 7.0] * 2
    assert run.get(p, "own").tolist() == [1.0, 2.0]  # once per source neuron, whatever the number of its edges


def test_a_signal_runs_at_once_over_all_edges_and_all_neurons(backend):
    net = network()
    source, counters = net.spike_source("s", 2), net.population("c", 2, COUNTER)
    p = net.project(source, counters, ns.from_arrays([0, 0, 1], [0, 1, 1]), weight=[1.0, 2.0, 4.0], port="x", rule=SUMS, total=8.0,
        name="p")
    run = prepare(net, backend)
    run.emit("night")
    assert run.get(p, "own").tolist() == [6.0, 8.0] and run.get(p, "total").tolist() == [2.0, 2.0]
    assert run.step == 0


def test_the_order_of_edges_leaves_no_trace_in_what_they_share(backend):
    """The same edges, given in another order, give the same sums to the last bit, for they are sorted before they are added."""
    generator = np.random.default_rng(0)
    sources, targets, weights = generator.integers(0, 9, 60), generator.integers(0, 4, 60), generator.normal(size=60)
    pairs = np.unique(sources * 4 + targets)
    sources, targets, weights = pairs // 4, pairs % 4, weights[:pairs.size]
    found = []
    for order in (np.arange(pairs.size), generator.permutation(pairs.size)):
        net = network()
        source, counters = net.spike_source("s", 9, steps=[[0]] * 9), net.population("c", 4, COUNTER)
        p = net.project(source, counters, ns.from_arrays(sources[order], targets[order]), weight=weights[order], port="x", rule=SUMS,
            name="p")
        found.append(prepare(net, backend, 1).get(p, "total").tolist())
    assert found[0] == found[1] and len(set(found[0])) == 4


# ---- decays


DECAYING = Rule(pre="dx/dt = -x / tau : 1", edge="w : 1", handlers=[("pre", "x += 1; w = x"), ("night", "x *= 2")],
    parameters={"tau": "7 ms"}, name="decaying")
WATCHED = Rule(pre="dx/dt = -x / tau : 1", edge="w : 1; read : 1",
    handlers=[("pre", "x += 1; w = x"), ("step", "read = x"), ("night", "x *= 2")],
               parameters={"tau": "7 ms"}, name="watched")


@pytest.mark.parametrize("rule", [DECAYING, WATCHED], ids=["unread", "read in every step"])
def test_a_decaying_variable_is_its_last_assignment_times_one_exponential(backend, rule):
    """Lazy and eager engines agree to the last bit, so reading must be no assignment. Initial values count as assigned in step -1."""
    net = network(0.1)
    source, counter = net.spike_source("s", 1, steps=[[4, 9]]), net.population("c", 1, COUNTER)
    p = net.project(source, counter, ns.all_to_all(), weight=0.0, x=3.0, rule=rule, name="p")
    net.record(p, "x")
    values = traces(prepare(net, backend, 14), "p", "x")
    first = 3.0 * exp(-(5.0 * 0.1) / 7.0) + 1.0
    second = first * exp(-(5.0 * 0.1) / 7.0) + 1.0
    assert values[:4] == [3.0 * exp(-((k + 1.0) * 0.1) / 7.0) for k in range(4)]
    assert values[4:9] == [first * exp(-(n * 0.1) / 7.0) for n in range(5)]
    assert values[9:] == [second * exp(-(n * 0.1) / 7.0) for n in range(5)]


def test_set_reset_signals_and_a_change_of_tau_count_as_assignments_at_the_end_of_the_step_before(backend):
    net = network(0.1)
    source, counter = net.spike_source("s", 1), net.population("c", 1, COUNTER)
    p = net.project(source, counter, ns.all_to_all(), weight=0.0, x=3.0, rule=DECAYING, name="p")
    run = prepare(net, backend, 5)
    run.set(p, x=2.0)
    run.run(0.3)
    after_set = 2.0 * exp(-(3.0 * 0.1) / 7.0)
    assert run.get(p, "x") == after_set
    run.emit("night")
    run.run(0.2)
    after_signal = (2.0 * after_set) * exp(-(2.0 * 0.1) / 7.0)
    assert run.get(p, "x") == after_signal
    run.set(p, tau="3 ms")
    assert run.get(p, "x") == after_signal
    run.run(0.4)
    assert run.get(p, "x") == after_signal * exp(-(4.0 * 0.1) / 3.0)
    run.reset(p)
    assert run.get(p, "x") == 3.0
    run.run(0.1)
    assert run.get(p, "x") == 3.0 * exp(-(1.0 * 0.1) / 3.0)


def test_edges_that_differ_in_delay_have_a_trace_each(backend):
    """Two spikes; the late edge's trace is that of the early one, two steps later."""
    net = network()
    source, counters = net.spike_source("s", 1, steps=[[1, 3]]), net.population("c", 2, COUNTER)
    p = net.project(source, counters, ns.all_to_all(), weight=0.0, delay=[0.0, 2.0], dendritic_fraction=0.0, rule=DECAYING, name="p")
    net.record(p, "x")
    values = prepare(net, backend, 8).result()["p"].trace("x").values
    assert values[:-2, 0].tolist() == values[2:, 1].tolist() and values[1, 0] == 1.0 == values[3, 1] and values[1, 1] == 0.0


# ---- links and what the two ends show


RAMP = Cell("v : 1", parameters={"level": 0.0}, step="v += 1", spike="v > 3.5", after_spike="v = 0", name="ramp")
PROBE = Rule(edge="w : 1; near : 1; mine : 1; theirs : 1", parameters={"far": 0.0},
    handlers=[("step", "near = far; mine = v_pre; theirs = v_post")], name="probe")


def test_a_link_reads_what_is_after_integration_and_before_reset(backend):
    """In step 3 the ramp reaches 4 and fires: an edge sees the 4, the recorder the 0."""
    net = network()
    ramp, counter = net.population("ramp", 1, RAMP), net.population("c", 1, COUNTER, v=7.0)
    p = net.project(ramp, counter, ns.all_to_all(), weight=0.0, port="x", rule=PROBE.reading(far=ramp["v"]), name="p")
    net.record(p, "near", "mine", "theirs")
    net.record(ramp, "v")
    run = prepare(net, backend, 5)
    assert traces(run, "p", "near") == traces(run, "p", "mine") == [1, 2, 3, 4, 1] and traces(run, "p", "theirs") == [7] * 5
    assert traces(run, "ramp", "v") == [1, 2, 3, 0, 1]


@pytest.mark.parametrize(("along", "expected"), [
    ("source", [10, 10, 20, 20]), ("target", [10, 20, 10, 20]), ([1, 0, 0, 1], [20, 10, 10, 20]),
])
def test_a_link_of_many_values_is_read_by_source_by_target_or_by_index(backend, along, expected):
    net = network()
    ends, far = net.population("e", 2, COUNTER), net.population("f", 3, COUNTER, v=[0.0, 10.0, 20.0])
    p = net.project(ends, ends, ns.all_to_all(), weight=0.0, port="x", rule=PROBE.reading(far=far[1:]["v"].by(along)), name="p")
    assert prepare(net, backend, 1).get(p, "near").tolist() == expected


def test_a_link_may_read_a_parameter_and_its_table_over_time(backend):
    net = network()
    ramp = net.population("ramp", 1, RAMP, level=ns.table([5.0, 6.0, 7.0], every="2 ms"))
    p = net.project(ramp, ramp, ns.all_to_all(), weight=0.0, rule=PROBE.reading(far=ramp["level"]), name="p")
    net.record(p, "near")
    run = prepare(net, backend, 7)
    assert traces(run, "p", "near") == [5, 5, 6, 6, 7, 7, 7]
    run.set(ramp, level=ns.table([1.0, 2.0], every="1 ms"))  # any number of rows, the first of them in force at the next step
    run.run(3.0)
    assert traces(run, "p", "near")[7:] == [1, 2, 2]


RUNNING = Rule(post="q : 1", edge="w : 1", handlers=[("step", "q += w")], name="running")
READER = Rule(edge="w : 1; got : 1", parameters={"z": 0.0}, handlers=[("step", "got = z; out += z")], name="reader")


def test_a_link_to_an_earlier_projection_reads_its_variable_at_that_moment(backend):
    """Step handlers run in creation order, so what the first projection has summed in a step the second reads in the same step."""
    net = network()
    one, counter = net.population("one", 1, COUNTER), net.population("c", 2, COUNTER)
    first = net.project(one, counter, ns.all_to_all(), weight=[1.0, 2.0], port="x", rule=RUNNING, name="first")
    second = net.project(one, counter, ns.all_to_all(), weight=0.0, port="x", rule=READER.reading(z=first["q"].by("target")), name="second")
    net.record(second, "got")
    run = prepare(net, backend, 3)
    assert run.result()["second"].trace("got").values.tolist() == [[1, 2], [2, 4], [3, 6]]
    assert run.get(counter, "v").tolist() == [1 + 2, 2 + 4]  # graded delivery lands in its step and is integrated in the next


def test_a_change_of_a_linked_state_is_seen_at_the_next_step(backend):
    net = network()
    far, ends = net.population("f", 1, COUNTER), net.population("e", 1, COUNTER)
    p = net.project(ends, ends, ns.all_to_all(), weight=0.0, port="x", rule=PROBE.reading(far=far["v"]), name="p")
    run = prepare(net, backend, 1)
    run.set(far, v=9.0)
    assert run.get(p, "near") == 0.0
    run.run(1.0)
    assert run.get(p, "near") == 9.0


WORDS = Rule(edge="w : 1; where_from : 1; where_to : 1; when : ms; length : ms", name="words",
             handlers=[("step", "where_from = i_pre + 100 * N_pre; where_to = i_post + 100 * N_post; when = t; length = dt")])


def test_views_at_both_ends_join_the_chosen_neurons_and_words_count_in_whole_populations(backend):
    net = network(0.5)
    a, b = net.population("a", 5, COUNTER), net.population("b", 7, COUNTER)
    p = net.project(a[[3, 1]], b[[2, 6, 0]], ns.from_arrays([0, 1, 1], [0, 1, 2]), weight=[1.0, 2.0, 3.0], port="x", rule=WORDS, name="p")
    run = prepare(net, backend, 3)
    # edges in (source, target) order: 1 -> 0, 1 -> 6, 3 -> 2
    assert run.get(p, "w").tolist() == [3.0, 2.0, 1.0]
    assert run.get(p, "where_from").tolist() == [501, 501, 503] and run.get(p, "where_to").tolist() == [700, 706, 702]
    assert run.get(p, "when").tolist() == [1.0] * 3 and run.get(p, "length").tolist() == [0.5] * 3


def test_values_per_source_and_target_follow_the_order_of_a_view(backend):
    rule = Rule(edge="w : 1", pre="q : 1", parameters={"e": Parameter("1", 0.0, per="source"), "f": Parameter("1", 0.0, per="target")},
                handlers=[("pre", "out += e * w + q + f")], name="sides")
    net = network()
    source, counters = net.spike_source("s", 4, steps=[[0]] * 4), net.population("c", 4, COUNTER)
    p = net.project(source[[3, 1]], counters[[2, 0]], ns.one_to_one(), weight=[1.0, 2.0], rule=rule, e=[5.0, 7.0], q=[0.25, 0.5],
        f=[100.0, 200.0], name="p")
    run = prepare(net, backend, 2)
    assert run.get(counters, "v").tolist() == [14.5 + 200, 0.0, 5.25 + 100, 0.0]
    assert run.get(p, "e").tolist() == [5.0, 7.0] and run.get(p, "q").tolist() == [0.25, 0.5]


# ---- cells


def test_time_is_k_dt_in_every_phase_and_draws_are_constant_within_a_step(backend):
    cell = Cell("at : ms; reset : ms; a : 1; b : 1; c : 1; noise = uniform() : 1", step="at = t; a = noise; b = noise; c = uniform()",
        spike="noise >= 0",
                after_spike="reset = t", name="words_of_a_cell")
    net = network(0.1)
    cells = net.population("p", 3, cell)
    net.record(cells, "at", "reset", "a", "b", "c")
    found = prepare(net, backend, 20).result()["p"].traces
    assert found["at"].values[:, 0].tolist() == [k * 0.1 for k in range(20)] == found["reset"].values[:, 0].tolist()
    assert (found["a"].values == found["b"].values).all() and (found["a"].values != found["c"].values).all()
    assert len(np.unique(found["a"].values)) == 60  # a new draw for each neuron and step


def test_draws_do_not_depend_on_what_else_is_in_the_network(backend):
    def draws(extra: bool) -> np.ndarray:
        net = Network("contract", dt=1.0, seed=5)
        if extra:
            net.population("another", 9, NORMAL)
        net.record(net.population("p", 4, NORMAL, start=ns.uniform(0, 1)), "v")
        return prepare(net, backend, 6).result()["p"].trace("v").values

    assert (draws(False) == draws(True)).all()


NORMAL = Cell("v : 1", parameters={"start": 0.0}, step="v = normal() + start", name="normal_draws")


def test_sources_of_given_spikes_return_them(backend):
    net = network(0.1)
    times, steps = net.spike_source("times", 2, times=["0.3 ms", [0.1, 0.5]]), net.spike_source("steps", 2, steps=([1, 0, 0], [4, 7, 0]))
    net.record(times, "spikes")
    net.record(steps, "spikes")
    run = prepare(net, backend, 9)
    found = run.result()
    assert [found["times"].spikes.step.tolist(), found["times"].spikes.index.tolist()] == [[0, 2, 4], [1, 0, 1]]
    assert found["times"].spikes.times() == pytest.approx([0.1, 0.3, 0.5])
    assert [found["steps"].spikes.step.tolist(), found["steps"].spikes.index.tolist()] == [[0, 4, 7], [0, 1, 0]]
    run.set(times, steps=[[10], [9, 11]])
    run.run("0.4 ms")
    assert run.result()["times"].spikes.step.tolist() == [0, 2, 4, 9, 10, 11]


def test_a_drive_adds_poisson_counts_of_its_trains_to_each_target(backend):
    """n rate dt = 2 per step and target: the mean of 4000 counts within five standard errors, their variance within ten per cent."""
    net = network()
    counters = net.population("c", 40, COUNTER)
    drive = net.poisson_drive(counters, n=20, rate=100.0, weight=0.5, name="d")
    net.record(counters, "v")
    run = prepare(net, backend, 101)
    counts = np.diff(run.result()["c"].trace("v").values, axis=0) / 0.5
    assert counts.size == 4000 and (counts == np.floor(counts)).all()
    assert counts.mean() == pytest.approx(2.0, abs=5 * np.sqrt(2.0 / 4000)) and counts.var() == pytest.approx(2.0, rel=0.1)
    before = run.get(counters, "v")
    run.set(drive, rate=50.0)
    assert run.get(drive, "rate") == 50.0
    run.run(101.0, progress=False)
    halved = np.diff(run.result()["c"].trace("v").values[102:], axis=0) / 0.5
    assert halved.mean() == pytest.approx(1.0, abs=5 * np.sqrt(1.0 / halved.size))
    run.set(drive, rate=0.0)
    run.run(1.0)  # what was drawn in the last step lands
    before = run.get(counters, "v")
    run.run(10.0)
    assert (run.get(counters, "v") == before).all()


def test_a_bernoulli_source_has_its_probability_and_a_poisson_source_its_rate(backend):
    net = network()
    net.record(net.bernoulli("b", 3, p=[0.0, 0.3, 1.0]), "spikes")
    net.record(net.poisson("q", 1, rate=ns.table([0.0, 300.0], every="100 ms")), "spikes")
    found = prepare(net, backend, 1100).result()
    counts = np.bincount(found["b"].spikes.index, minlength=3)
    assert counts[0] == 0 and counts[2] == 1100 and counts[1] == pytest.approx(330, abs=5 * np.sqrt(1100 * 0.3 * 0.7))
    p = 1 - np.exp(-0.3)
    assert found["q"].spikes.step.min() >= 100 and len(found["q"].spikes) == pytest.approx(1000 * p, abs=5 * np.sqrt(1000 * p * (1 - p)))
