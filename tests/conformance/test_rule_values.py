"""What statements of rules read: decaying variables, links, words, and values of the two ends."""

from __future__ import annotations

import pytest
from support.stepping import COUNTER, exp, network, prepare, traces

import neurosim as ns
from neurosim import Cell, Parameter, Rule

# ---- decays

DECAYING = Rule(
    pre="dx/dt = -x / tau : 1",
    edge="w : 1",
    handlers=[("pre", "x += 1; w = x"), ("night", "x *= 2")],
    parameters={"tau": "7 ms"},
    name="decaying",
)
WATCHED = Rule(
    pre="dx/dt = -x / tau : 1",
    edge="w : 1; read : 1",
    handlers=[("pre", "x += 1; w = x"), ("step", "read = x"), ("night", "x *= 2")],
    parameters={"tau": "7 ms"},
    name="watched",
)


@pytest.mark.parametrize("rule", [DECAYING, WATCHED], ids=["unread", "read in every step"])
def test_a_decaying_variable_is_its_last_assignment_times_one_exponential(backend, rule):
    """Lazy and eager engines agree to the last bit, so reading must be no assignment. Initial
    values count as assigned in step -1.
    """
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


def test_set_reset_signals_and_a_change_of_tau_count_as_assignments_at_the_end_of_the_step_before(
    backend,
):
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
    p = net.project(
        source,
        counters,
        ns.all_to_all(),
        weight=0.0,
        delay=[0.0, 2.0],
        dendritic_fraction=0.0,
        rule=DECAYING,
        name="p",
    )
    net.record(p, "x")
    values = prepare(net, backend, 8).result()["p"].trace("x").values
    assert values[:-2, 0].tolist() == values[2:, 1].tolist()
    assert values[1, 0] == 1.0 == values[3, 1]
    assert values[1, 1] == 0.0


# ---- links and what the two ends show

RAMP = Cell(
    "v : 1",
    parameters={"level": 0.0},
    step="v += 1",
    spike="v > 3.5",
    after_spike="v = 0",
    name="ramp",
)
PROBE = Rule(
    edge="w : 1; near : 1; mine : 1; theirs : 1",
    parameters={"far": 0.0},
    handlers=[("step", "near = far; mine = v_pre; theirs = v_post")],
    name="probe",
)


def test_a_link_reads_what_is_after_integration_and_before_reset(backend):
    """In step 3 the ramp reaches 4 and fires: an edge sees the 4, the recorder the 0."""
    net = network()
    ramp, counter = net.population("ramp", 1, RAMP), net.population("c", 1, COUNTER, v=7.0)
    p = net.project(
        ramp,
        counter,
        ns.all_to_all(),
        weight=0.0,
        port="x",
        rule=PROBE.reading(far=ramp["v"]),
        name="p",
    )
    net.record(p, "near", "mine", "theirs")
    net.record(ramp, "v")
    run = prepare(net, backend, 5)
    assert traces(run, "p", "near") == traces(run, "p", "mine") == [1, 2, 3, 4, 1]
    assert traces(run, "p", "theirs") == [7] * 5
    assert traces(run, "ramp", "v") == [1, 2, 3, 0, 1]


@pytest.mark.parametrize(
    ("along", "expected"),
    [
        ("source", [10, 10, 20, 20]),
        ("target", [10, 20, 10, 20]),
        ([1, 0, 0, 1], [20, 10, 10, 20]),
    ],
)
def test_a_link_of_many_values_is_read_by_source_by_target_or_by_index(backend, along, expected):
    net = network()
    ends = net.population("e", 2, COUNTER)
    far = net.population("f", 3, COUNTER, v=[0.0, 10.0, 20.0])
    p = net.project(
        ends,
        ends,
        ns.all_to_all(),
        weight=0.0,
        port="x",
        rule=PROBE.reading(far=far[1:]["v"].by(along)),
        name="p",
    )
    assert prepare(net, backend, 1).get(p, "near").tolist() == expected


def test_a_link_may_read_a_parameter_and_its_table_over_time(backend):
    net = network()
    ramp = net.population("ramp", 1, RAMP, level=ns.table([5.0, 6.0, 7.0], every="2 ms"))
    p = net.project(
        ramp, ramp, ns.all_to_all(), weight=0.0, rule=PROBE.reading(far=ramp["level"]), name="p"
    )
    net.record(p, "near")
    run = prepare(net, backend, 7)
    assert traces(run, "p", "near") == [5, 5, 6, 6, 7, 7, 7]
    # any number of rows, the first of them in force at the next step
    run.set(ramp, level=ns.table([1.0, 2.0], every="1 ms"))
    run.run(3.0)
    assert traces(run, "p", "near")[7:] == [1, 2, 2]


RUNNING = Rule(post="q : 1", edge="w : 1", handlers=[("step", "q += w")], name="running")
READER = Rule(
    edge="w : 1; got : 1",
    parameters={"z": 0.0},
    handlers=[("step", "got = z; out += z")],
    name="reader",
)


def test_a_link_to_an_earlier_projection_reads_its_variable_at_that_moment(backend):
    """Step handlers run in creation order, so what the first projection has summed in a step the
    second reads in the same step.
    """
    net = network()
    one, counter = net.population("one", 1, COUNTER), net.population("c", 2, COUNTER)
    first = net.project(
        one, counter, ns.all_to_all(), weight=[1.0, 2.0], port="x", rule=RUNNING, name="first"
    )
    second = net.project(
        one,
        counter,
        ns.all_to_all(),
        weight=0.0,
        port="x",
        rule=READER.reading(z=first["q"].by("target")),
        name="second",
    )
    net.record(second, "got")
    run = prepare(net, backend, 3)
    assert run.result()["second"].trace("got").values.tolist() == [[1, 2], [2, 4], [3, 6]]
    # graded delivery lands in its step and is integrated in the next
    assert run.get(counter, "v").tolist() == [
        1 + 2,
        2 + 4,
    ]


@pytest.mark.parametrize("tau", [4.0, [4.0, 8.0]], ids=["one time constant", "one per target"])
def test_a_linked_variable_that_decays_has_its_value_of_the_moment(backend, tau):
    rule = Rule(
        post="dq/dt = -q / tau : 1",
        edge="w : 1",
        handlers=[("pre", "q += w")],
        parameters={"tau": Parameter("ms", 4.0, per="target")},
        name="fading",
    )
    net = network()
    source, counter = net.spike_source("s", 1, steps=[[0]]), net.population("c", 2, COUNTER)
    first = net.project(
        source, counter, ns.all_to_all(), weight=1.0, port="x", tau=tau, rule=rule, name="first"
    )
    second = net.project(
        source,
        counter,
        ns.all_to_all(),
        weight=0.0,
        port="x",
        rule=READER.reading(z=first["q"].by("target")),
        name="second",
    )
    net.record(second, "got")
    values = prepare(net, backend, 3).result()["second"].trace("got").values
    constants = [4.0, 4.0] if tau == 4.0 else tau
    expected = [[exp(-step / constant) for constant in constants] for step in range(3)]
    assert values.tolist() == expected


def test_a_change_of_a_linked_state_is_seen_at_the_next_step(backend):
    net = network()
    far, ends = net.population("f", 1, COUNTER), net.population("e", 1, COUNTER)
    p = net.project(
        ends,
        ends,
        ns.all_to_all(),
        weight=0.0,
        port="x",
        rule=PROBE.reading(far=far["v"]),
        name="p",
    )
    run = prepare(net, backend, 1)
    run.set(far, v=9.0)
    assert run.get(p, "near") == 0.0
    run.run(1.0)
    assert run.get(p, "near") == 9.0


WORDS = Rule(
    edge="w : 1; where_from : 1; where_to : 1; when : ms; length : ms",
    name="words",
    handlers=[
        (
            "step",
            "where_from = i_pre + 100 * N_pre; where_to = i_post + 100 * N_post; when = t; "
            "length = dt",
        )
    ],
)


def test_views_at_both_ends_join_the_chosen_neurons_and_words_count_in_whole_populations(backend):
    net = network(0.5)
    a, b = net.population("a", 5, COUNTER), net.population("b", 7, COUNTER)
    p = net.project(
        a[[3, 1]],
        b[[2, 6, 0]],
        ns.from_arrays([0, 1, 1], [0, 1, 2]),
        weight=[1.0, 2.0, 3.0],
        port="x",
        rule=WORDS,
        name="p",
    )
    run = prepare(net, backend, 3)
    # edges in (source, target) order: 1 -> 0, 1 -> 6, 3 -> 2
    assert run.get(p, "w").tolist() == [3.0, 2.0, 1.0]
    assert run.get(p, "where_from").tolist() == [501, 501, 503]
    assert run.get(p, "where_to").tolist() == [700, 706, 702]
    assert run.get(p, "when").tolist() == [1.0] * 3 and run.get(p, "length").tolist() == [0.5] * 3


def test_values_per_source_and_target_follow_the_order_of_a_view(backend):
    rule = Rule(
        edge="w : 1",
        pre="q : 1",
        parameters={"e": Parameter("1", 0.0, per="source"), "f": Parameter("1", 0.0, per="target")},
        handlers=[("pre", "out += e * w + q + f")],
        name="sides",
    )
    net = network()
    source, counters = net.spike_source("s", 4, steps=[[0]] * 4), net.population("c", 4, COUNTER)
    p = net.project(
        source[[3, 1]],
        counters[[2, 0]],
        ns.one_to_one(),
        weight=[1.0, 2.0],
        rule=rule,
        e=[5.0, 7.0],
        q=[0.25, 0.5],
        f=[100.0, 200.0],
        name="p",
    )
    run = prepare(net, backend, 2)
    assert run.get(counters, "v").tolist() == [14.5 + 200, 0.0, 5.25 + 100, 0.0]
    assert run.get(p, "e").tolist() == [5.0, 7.0] and run.get(p, "q").tolist() == [0.25, 0.5]
