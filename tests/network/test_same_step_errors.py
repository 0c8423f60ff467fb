"""What is refused of projections within a step, at the line that adds them."""

from __future__ import annotations

import numpy as np
import pytest
from support.messages import parts

import neurosim as ns

CELL = ns.Cell(
    "v : 1",
    parameters={"k": 1.0},
    receives={"x": ns.Port("1", into="v")},
    step="v = v + 0",
    spike="v >= 1",
    after_spike="v = 0",
)


def network():
    """Return three populations, joined a -> b -> c within the step."""
    net = ns.Network("net", dt="1 ms")
    a, b, c = (net.population(name, 4, CELL) for name in "abc")
    net.project(a, b, ns.one_to_one(), weight=1.0, same_step=True)
    net.project(b, c, ns.one_to_one(), weight=1.0, same_step=True)
    return net


def rule(*handlers, **parts_of_rule):
    return ns.Rule(edge="w : 1", handlers=list(handlers), name="own", **parts_of_rule)


SENDING = ("pre", "out += w")
CIRCLES = {
    "itself": ("a", "a", "a -> a"),
    "two": ("b", "a", "b -> a -> b"),
    "three": ("c", "a", "c -> a -> b -> c"),
}


@pytest.mark.parametrize(("source", "target", "circle"), CIRCLES.values(), ids=CIRCLES)
def test_circles_are_refused_with_their_populations(source, target, circle):
    net = network()
    with pytest.raises(
        ns.NetworkError,
        match=parts(
            f"({source} -> {target}): same_step=True closes the circle {circle}, expected none",
            "Let one of the projections have a delay (0 or more), without same_step.",
        ),
    ):
        net.project(net[source], net[target], ns.one_to_one(), weight=1.0, same_step=True)
    assert len(net.projections) == len(net.inputs) == 2
    # Without same_step the circle is closed by a delay.
    net.project(net[source], net[target], ns.one_to_one(), weight=1.0)


def test_views_of_one_population_are_a_circle():
    net = network()
    with pytest.raises(ns.NetworkError, match="closes the circle c -> c, expected none"):
        net.project(net["c"][:2], net["c"][2:], ns.one_to_one(), weight=1.0, same_step=True)


@pytest.mark.parametrize(
    "delay",
    ["1 ms", [0.0, 1.0, 0.0, 0.0], ns.integers(0, 2), "1*ms * i"],
    ids=["one", "one for each", "a draw", "text"],
)
def test_delays_are_refused(delay):
    net = network()
    with pytest.raises(
        ns.NetworkError,
        match=parts(
            "same_step=True, found delay",
            "expected 0: spikes arrive in the step in which they are emitted.",
            "Leave out the delay, or same_step.",
        ),
    ):
        net.project(net["a"], net["c"], ns.one_to_one(), weight=1.0, delay=delay, same_step=True)


@pytest.mark.parametrize("delay", [0, "0 ms", np.zeros(4)])
def test_delays_of_0_are_taken(delay):
    net = network()
    net.project(net["a"], net["c"], ns.one_to_one(), weight=1.0, delay=delay, same_step=True)


RULES = {
    "nothing delivered": (rule(("pre", "w += 1")), "it delivers in no 'pre' handler"),
    "delivered by the target": (rule(("post", "out += w")), "it delivers in no 'pre' handler"),
    "delivered in each step": (
        rule(SENDING, ("step", "out += 0.1 * w")),
        "a 'step' handler delivers after the target was integrated",
    ),
    "post before pre": (
        rule(("post", "w += 1"), SENDING),
        "its 'post' handler stands before a 'pre' handler",
    ),
    "equations that are integrated": (
        rule(SENDING, post="dy/dt = (v_post - y) / (10*ms) : 1"),
        "equations of y take their step after the target was integrated",
    ),
    "a state of the target": (
        rule(("pre", "out += w * v_post")),
        "its 'pre' handler reads 'v_post', which the step has not computed yet",
    ),
    "a state that is changed": (
        rule(("pre", "out += w; v_pre = 0")),
        "its 'pre' handler changes 'v_pre', and states change after all spikes",
    ),
    "a link": (
        lambda net: rule(("pre", "out += w * gain"), parameters={"gain": 1.0}).reading(
            gain=net["a"]["v"].by("source")
        ),
        "its 'pre' handler reads 'gain', which the step has not computed yet",
    ),
}


@pytest.mark.parametrize(("own", "message"), RULES.values(), ids=RULES)
def test_rules_that_need_what_the_step_has_not_computed_are_refused(own, message):
    net = network()
    with pytest.raises(
        ns.NetworkError,
        match=parts(
            f"same_step=True, found a rule that cannot: {message}",
            "Change the rule, or use a delay of 0, which the next step feels.",
        ),
    ):
        net.project(
            net["a"],
            net["c"],
            ns.one_to_one(),
            rule=own(net) if callable(own) else own,
            same_step=True,
        )
    assert len(net.projections) == 2


def test_parameters_of_the_target_and_states_of_the_source_are_read():
    net = network()
    own = rule(("pre", "out += w * k_post * v_pre"), ("post", "w += v_post"))
    net.project(net["a"], net["c"], ns.one_to_one(), rule=own, weight=1.0, same_step=True)


def test_reports_say_that_spikes_arrive_within_their_step():
    report = str(ns.check(network(), backend="reference"))
    assert "Spikes arrive within their step." in report
