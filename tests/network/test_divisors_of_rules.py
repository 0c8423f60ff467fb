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
