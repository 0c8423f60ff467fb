"""Infinite rates of rules are named before a run, and values in `set` before anything changes."""

from __future__ import annotations

import re

import numpy as np
import pytest

import neurosim as ns
from neurosim.models import cells

DISCHARGE = ns.Rule(
    edge="w : nA; dy/dt = -g * y / C : 1",
    handlers=[("pre", "out += w * y; y += 1")],
    parameters={"g": ns.Parameter("uS", 0.1), "C": ns.Parameter("nF", 1.0, per="edge")},
)


def connect(rule, *, source=slice(None), **values):
    net = ns.Network("net", dt="0.1 ms")
    source = net.spike_source("s", 3, steps=[[1], [2], [3]])[source]
    target = net.population("t", 2, cells.lif())
    net.project(source, target, ns.all_to_all(), rule=rule, weight="10 pA", name="p", **values)
    return net


def prepare(rule, **values):
    return ns.prepare(connect(rule, **values), backend="reference")


@pytest.mark.parametrize(
    ("value", "edge"),
    [
        ([1, 0, 1, 1, 1, 1], "edge 1"),
        ("2*nF - i*nF", r"edge 4 \(2 -> 0\)|edge 4"),
        (0, "0 nF, expected"),
    ],
)
def test_a_divisor_of_an_edge_is_named_at_the_line_of_the_projection(value, edge):
    message = "projection 'p' (s -> t), C: found 0 nF"
    with pytest.raises(ns.NetworkError, match=re.escape(message)) as error:
        connect(DISCHARGE, C=value)
    assert re.search(edge, str(error.value))
    assert "the equation of y divides by it. Give C another value." in str(error.value)


def test_a_divisor_that_is_drawn_is_named_when_edges_are_known():
    with pytest.raises(ns.NetworkError, match=r"C: found 0 nF for edge \d+ \(\d -> \d\), expected"):
        prepare(DISCHARGE, C=ns.integers(0, 2))


@pytest.mark.parametrize(
    ("value", "edge"),
    [
        ([1, 1, 1, 0, 1, 1], "edge 3 (1 -> 1)"),
        ("(i - 1) * nF", "edge 2 (1 -> 0)"),
        (ns.integers(0, 2), "edge"),
    ],
)
def test_set_names_the_edge_and_changes_nothing(value, edge):
    run = prepare(DISCHARGE)
    with pytest.raises(ns.NetworkError, match=re.escape(f"set 'p', C: found 0 nF for {edge}")):
        run.set("p", g=1, C=value)
    assert run.get("p", "g") == 0.1
    assert np.all(run.get("p", "C", per_edge=True) == 1)


@pytest.mark.parametrize("replica", [0, 3])
def test_each_replica_refuses_a_divisor_of_zero(replica):
    run = ns.prepare(connect(DISCHARGE), backend="cpu", replica=replica)
    with pytest.raises(ns.NetworkError, match="set 'p', C: found 0 nF for edge 5"):
        run.set("p", C=[1, 1, 1, 1, 1, 0])


SCALED = ns.Rule(
    pre="dx/dt = -x / (tau * tau_k) : 1",
    edge="w : nA; dy/dt = -y / (k * q) / ms : 1",
    post="dz/dt = pump / T - z / T : 1",
    definitions="T = R * C : ms",
    handlers=[("pre", "out += w * x / n"), ("post", "z += 1")],
    parameters={
        "tau": "10 ms",
        "n": 1.0,
        "k": ns.Parameter("1", 1.0, per="source"),
        "tau_k": ns.Parameter("1", 1.0, per="source"),
        "q": ns.Parameter("1", 1.0, per="target"),
        "pump": 1.0,
        "R": ns.Parameter("Mohm", 10.0, per="target"),
        "C": "1 nF",
    },
)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"tau_k": [1, 0]},
            "0 for 'tau * tau_k' for source neuron 2 (tau = 10 ms, tau_k = 0), exp",
        ),
        ({"R": [0, 1]}, "0 for 'R * C' for target neuron 0 (C = 1 nF, R = 0 Mohm), expected"),
        ({"R": 0}, "0 for 'R * C'"),
        ({"C": 0}, "0 for 'R * C'"),
        ({"n": 0}, "0, expected another value than 0: handler 'pre', out divides by it."),
        ({"k": [1, 0]}, "0 for 'k * q' for "),
    ],
)
@pytest.mark.parametrize("when", ["before", "set"])
def test_divisors_of_either_end_and_of_definitions_are_named(values, message, when):
    # Of a view, outside of which parameters have no values.
    run = prepare(SCALED, source=slice(1, None))
    with pytest.raises(ns.NetworkError, match=re.escape(f"found {message}")):
        if when == "set":
            run.set("p", **values)
        else:
            connect(SCALED, source=slice(1, None), **values)


def test_a_divisor_of_both_ends_is_named_by_its_edge():
    run = prepare(SCALED, k=[2, 1, 1])
    with pytest.raises(ns.NetworkError, match=re.escape("'k * q' for edge 1 (0 -> 1) (k = 2, q")):
        run.set("p", q=[1, 0])
    with pytest.raises(ns.NetworkError, match=re.escape("'k * q' for edge 1 (0 -> 1) (k = 2, q")):
        prepare(SCALED, q="1 - i_post", k=[2, 1, 1])


def test_time_constants_of_texts_and_draws_are_checked_when_they_are_known():
    rule = ns.Rule(
        edge="w : nA; dy/dt = -y / tau : 1",
        handlers=[("pre", "out += w * y")],
        parameters={"tau": ns.Parameter("ms", 5.0, per="edge")},
    )
    with pytest.raises(ns.NetworkError, match="tau: found 0 ms for edge 0, expected more than 0"):
        connect(rule, tau="i * ms")
    with pytest.raises(ns.NetworkError, match=r"tau: found 0 ms for edge \d .*positive time"):
        prepare(rule, tau=ns.integers(0, 2))
    with pytest.raises(ns.NetworkError, match=r"tau: found 0 ms, expected .* It stands at index 2"):
        prepare(rule).set("p", tau=[1, 1, 0, 1, 1, 1])


def test_a_parameter_that_follows_is_checked_with_the_one_that_changes():
    rule = ns.Rule(
        edge="w : nA; dy/dt = -y / (1*ms) + 1/ms / n : 1",
        handlers=[("pre", "out += w * y")],
        parameters={"n": "m - 1", "m": 3.0},
    )
    run = prepare(rule)
    with pytest.raises(ns.NetworkError, match="set 'p', n: found 0, expected another value"):
        run.set("p", m=1)
    assert run.get("p", "m") == 3
    with pytest.raises(ns.NetworkError, match="n: found 0, expected another value than 0"):
        prepare(rule, m=1)


def test_a_divisor_that_a_condition_guards_may_be_zero():
    rule = ns.Rule(
        edge="w : nA; dy/dt = where(C > 0*nF, -g / C, 0/ms) * y : 1",
        handlers=[("pre", "out += clip(w / n, 0*nA, 1*nA)")],
        parameters={
            **{p.name: ns.Parameter(p.unit.text, 0.0) for p in DISCHARGE.parameters},
            "n": 0.0,
        },
    )
    run = prepare(rule, y=2.0)
    run.run("1 ms")
    assert np.all(run.get("p", "y") == 2)


CHARGED = ns.Cell(
    "area = C * k : nF; dv/dt = -v / (5*ms) : 1",
    parameters={"C": ns.Parameter("nF", 1.0), "k": 1.0},
    receives={"v": ns.Port("1", into="v")},
)
READERS = {
    "equation of an edge": (
        ns.Rule(edge="w : 1; dy/dt = -y / C_post * nF/ms : 1"),
        "C_post: found 0 nF for target neuron 1, expected another value than 0: the equation of y",
    ),
    "delivery": (
        ns.Rule(edge="w : 1", handlers=[("pre", "out += w * nF / C_pre")]),
        "C_pre: found 0 nF for source neuron 1, expected another value than 0: handler 'pre', out",
    ),
    "definition of a cell": (
        ns.Rule(edge="w : 1", handlers=[("pre", "w = w * nF / area_post")]),
        "0 for 'C_post * k_post' for target neuron 1 (C_post = 0 nF, k_post = 1), expected",
    ),
    "equation of a source": (
        ns.Rule(edge="w : 1", pre="dx/dt = -x / C_pre * nF/ms : 1"),
        "C_pre: found 0 nF for source neuron 1, expected another value than 0: the equation of x",
    ),
    "value of a target": (
        ns.Rule(edge="w : 1", post="x : 1", handlers=[("step", "x = nF / C_post")]),
        "C_post: found 0 nF for target neuron 1, expected another value than 0: handler 'step', x",
    ),
    "both ends": (
        ns.Rule(edge="w : 1", handlers=[("pre", "out += w * nF / (C_pre + C_post - 1 * nF)")]),
        "0 for 'C_pre + C_post - 1 * nF' for edge 1 (0 -> 1) (C_post = 0 nF, C_pre = 1 nF)",
    ),
    "with a parameter": (
        ns.Rule(
            edge="w : 1",
            parameters={"n": ns.Parameter("1", 2.0)},
            handlers=[("pre", "out += w * nF / (n * C_pre)")],
        ),
        "0 for 'n * C_pre' for source neuron 1 (C_pre = 0 nF, n = 2), expected",
    ),
}


def charged(rule, *, connector=None, view=slice(None), **values):
    net = ns.Network("net", dt="0.1 ms")
    p = net.population("c", 3, CHARGED, **values)
    edges = connector or ns.all_to_all()
    net.project(p[view], p[view], edges, rule=rule, weight=1, port="v", name="p")
    return net


@pytest.mark.parametrize("reader", READERS)
def test_a_divisor_that_belongs_to_a_cell_is_named(reader):
    rule, message = READERS[reader]
    with pytest.raises(ns.NetworkError, match=re.escape(message)):
        charged(rule, C=[1, 0, 3])
    run = ns.prepare(charged(rule, C=[1, 2, 3]), backend="reference")
    for value in ([1, 0, 3], "(1 - i) ** 2 * nF"):
        with pytest.raises(ns.NetworkError, match=r"set 'c': projection 'p'.* 0"):
            run.set("c", C=value)
    with pytest.raises(ns.NetworkError, match="set 'c': projection 'p'"):
        # A second call takes the shorter way of plain numbers.
        run.set("c", C=np.array([4.0, 5.0, 6.0]))
        run.set("c", C=np.array([7.0, 8.0, 9.0]))
        run.set("c", C=np.array([1.0, 0.0, 3.0]))
    assert run.get("c", "C").tolist() == [7, 8, 9]


def test_a_divisor_of_a_cell_that_is_drawn_is_named_before_the_run():
    rule, _ = READERS["delivery"]
    with pytest.raises(ns.NetworkError, match=r"C_pre: found 0 nF for source neuron \d, expected"):
        ns.prepare(charged(rule, C=ns.integers(0, 1)), backend="reference")
    overflowing = ns.Rule(edge="w : 1", handlers=[("pre", "out += w * exp(1000 * k_post)")])
    with pytest.raises(ns.NetworkError, match=r"inf for 'exp\(1000 \* k_post\)' \(k_post = 1\)"):
        charged(overflowing)


@pytest.mark.parametrize("view", [slice(None), [2, 0]])
def test_a_divisor_of_a_neuron_without_edges_is_free(view):
    ends = ([0, 2], [2, 0]) if view == slice(None) else ([0, 1], [1, 0])
    net = charged(READERS["delivery"][0], C=[1, 0, 3], view=view, connector=ns.from_arrays(*ends))
    run = ns.prepare(net, backend="reference")
    run.set("c", C=[2, 0, 4])
    with pytest.raises(ns.NetworkError, match="C_pre: found 0 nF for source neuron 2"):
        run.set("c", C=[2, 1, 0])


def test_a_divisor_that_a_link_reads_is_named():
    net = ns.Network("net", dt="0.1 ms")
    glia = net.population("glia", 2, ns.Cell("q : 1", parameters={"n": 1.0}), n=[3, 1])
    p = net.population("c", 3, CHARGED)
    rule = ns.Rule(edge="w : 1", parameters={"n": 1.0}, handlers=[("pre", "out += w / n")])
    regions = [1, 0, 1]
    linked = rule.reading(n=glia["n"].by("target", regions))
    net.project(p, p, ns.all_to_all(), rule=linked, weight=1, port="v", name="by_target")
    one = rule.reading(n=glia[1]["n"])
    net.project(p, p, ns.all_to_all(), rule=one, weight=1, port="v", name="one")
    run = ns.prepare(net, backend="reference")
    message = "set 'glia': projection 'by_target', n: found 0 for target neuron 1, expected"
    with pytest.raises(ns.NetworkError, match=re.escape(message)):
        run.set("glia", n=[0, 1])
    with pytest.raises(ns.NetworkError, match="projection 'by_target', n: found 0 for target neur"):
        run.set("glia", n=[1, 0])
    run.set(glia[0], n=5)


@pytest.mark.parametrize("value", [0, [1, 0, 1], ns.integers(0, 1), "2 - i"])
def test_a_divisor_of_statements_at_times_is_named(value):
    cell = ns.Cell("v : 1; half = 2 * n : 1", parameters={"n": 1.0}, initial={"v": 1}, name="c")

    def network(**values):
        net = ns.Network("net", dt="0.1 ms")
        p = net.population("p", 3, cell, **values)
        net.every("1 ms", p[1:], "v = v / half")
        return net

    message = (
        r"every, population 'p'.*: found 0 for '2 \* n'.* \(n = 0\), .* statement of v divides"
    )
    with pytest.raises(ns.NetworkError, match=message):
        ns.prepare(network(n=value), backend="reference")
    run = ns.prepare(network(n=[0, 1, 1]), backend="reference")  # neuron 0 divides nothing
    for one in (np.array([0.0, 1.0, 1.0]),) * 2:
        run.set("p", n=one)
    with pytest.raises(ns.NetworkError, match="set 'p': every: found 0 for"):
        run.set("p", n=np.zeros(3))
    run.run("2 ms")
    assert run.get("p", "v").tolist() == [1, 0.25, 0.25]
