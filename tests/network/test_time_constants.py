"""Time constants of zero are named; slow states stay beside fast ones."""

from __future__ import annotations

import numpy as np
import pytest

import neurosim as ns
from neurosim.models import cells

OWN = ns.Cell(
    "dv/dt = (rest - v) / (tau * scale) : mV; dw/dt = rate * (1 - w) : 1; rate = 1 / tau_w : 1/ms",
    parameters={"tau": "10 ms", "tau_w": "5 ms", "rest": "0 mV", "scale": 1.0, "pause": "0 ms"},
    name="own",
)


@pytest.mark.parametrize("name", ["tau", "tau_w"])
@pytest.mark.parametrize("value", [0, "0 ms", "-2 ms", [5, 0, 5], ns.table([5, 0], every=1)])
def test_a_time_that_equations_divide_by_is_positive(name, value):
    net = ns.Network("net", dt=1)
    message = f"population 'p', {name}: found .* expected more than 0 ms. The equations of cell"
    with pytest.raises(ns.NetworkError, match=message):
        net.population("p", 3, OWN, **{name: value})
    assert net.populations == {}


def test_the_default_of_a_cell_is_checked_where_it_is_used_and_other_times_may_be_zero():
    zero = ns.Cell("dv/dt = -v / tau : 1", parameters={"tau": "0 ms"}, name="zero")
    net = ns.Network("net", dt=1)
    with pytest.raises(ns.NetworkError, match="population 'p', tau: found 0 ms"):
        net.population("p", 3, zero)
    net.population("p", 3, zero, tau="1 ms")
    net.population("q", 3, OWN)  # its pause of 0 ms divides nothing


@pytest.mark.parametrize("value", [ns.normal("1 ms", "5 ms"), "i * ms"])
def test_times_that_are_drawn_or_written_as_text_are_checked_when_they_are_known(value):
    net = ns.Network("net", dt=1)
    net.population("p", 30, OWN, tau=value)
    with pytest.raises(ns.NetworkError, match="population 'p', tau: found .* more than 0 ms"):
        ns.prepare(net, backend="reference")


def test_a_run_refuses_a_time_constant_of_zero_and_changes_nothing():
    net = ns.Network("net", dt=1)
    net.population("p", 3, OWN)
    run = ns.prepare(net, backend="reference")
    with pytest.raises(ns.NetworkError, match="set 'p', tau: found 0 ms, expected more than 0 ms"):
        run.set("p", v=1, tau=0)
    assert np.all(run.get("p", "v") == 0) and np.all(run.get("p", "tau") == 10)


@pytest.mark.parametrize("fast", ["1e-14 ms", "1e-9 ms", "1e-5 ms"])
def test_a_slow_state_is_right_beside_a_time_constant_near_zero(fast):
    net = ns.Network("net", dt="0.1 ms")
    cell = cells.lif(tau_syn=fast, threshold="1e6 mV", rest="0 mV", reset="0 mV")
    net.record(net.population("p", 1, cell, v="10 mV"), "v")
    trace = ns.simulate(net, "40 ms", backend="reference", progress=False)["p"].trace("v")
    np.testing.assert_allclose(trace.values[:, 0], 10 * np.exp(-trace.times() / 20), rtol=1e-12)


def test_slow_states_that_act_on_each_other_are_right_beside_a_fast_one():
    slow = "dv/dt = (s - v - w) / tau : 1; dw/dt = (v - w) / tau_w : 1"
    parameters = {"tau": "20 ms", "tau_w": "100 ms", "fast": "1e-14 ms"}
    pair = ns.Cell(f"{slow}; s : 1", parameters=parameters)
    three = ns.Cell(f"{slow}; ds/dt = -s / fast : 1", parameters=parameters)
    traces = []
    for cell in (pair, three):
        net = ns.Network("net", dt="0.1 ms")
        net.record(net.population("p", 1, cell, v=1.0), "v")
        run = ns.simulate(net, "100 ms", backend="reference", progress=False)
        traces.append(run["p"].trace("v").values)
    np.testing.assert_allclose(traces[1], traces[0], rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("fast", ["1e-13 ms", "1e-9 ms", "1e-5 ms"])
def test_a_fast_state_that_acts_back_on_a_slow_one_takes_none_of_its_digits(fast):
    """``tau v + fast s`` is constant, so that v stays as s follows it."""
    cell = ns.Cell(
        "dv/dt = (s - v) / tau + 0/ms * w : 1; ds/dt = (v - s) / fast : 1; dw/dt = 0/ms * v : 1",
        parameters={"tau": "20 ms", "fast": fast},
    )
    net = ns.Network("net", dt="0.1 ms")
    net.record(net.population("p", 1, cell, v=1.0, s=1.0), "v", "s")
    recorded = ns.simulate(net, "40 ms", backend="reference", progress=False)["p"]
    for name in ("v", "s"):
        np.testing.assert_allclose(recorded.trace(name).values, 1.0, rtol=1e-11)


STEPPED = ns.Cell(
    "v : mV; w : 1",
    parameters={"tau": "10 ms", "tau_w": "5 ms"},
    step="v = v - dt * v / tau; w = where(tau_w > 0*ms, w * exp(-dt / tau_w), 0)",
    name="stepped",
)


def test_a_time_that_step_statements_divide_by_is_named_unless_they_guard_it():
    net = ns.Network("net", dt=1)
    with pytest.raises(ns.NetworkError, match="population 'p', tau: found .* more than 0 ms"):
        net.population("p", 3, STEPPED, tau=0)
    net.population("p", 3, STEPPED, tau_w=0)
    run = ns.prepare(net, backend="reference")
    with pytest.raises(ns.NetworkError, match="set 'p', tau: found 0 ms, expected more than 0 ms"):
        run.set("p", tau=0)


LINEAR = ns.Cell(
    "dv/dt = (g * (rest - v) + drive / k) / C : mV; du/dt = where(b > 0, -1/ms / b, -1/ms) * u : 1",
    parameters={"C": "1 nF", "g": "1 nS", "rest": "-70 mV", "drive": "0 nA", "k": 1.0, "b": 0.0},
    name="linear",
)


@pytest.mark.parametrize(
    ("value", "number"),
    [(0, "0 nF"), ("0 nF", "0 nF"), ([1, 0, 1], "0 nF for neuron 1")],
)
def test_a_divisor_that_is_no_time_is_not_zero(value, number):
    net = ns.Network("net", dt=1)
    message = (
        f"population 'p', C: found {number}, expected another value than 0: the equation of v "
        "divides by it. Give C another value."
    )
    with pytest.raises(ns.NetworkError, match=message):
        net.population("p", 3, LINEAR, C=value)
    assert net.populations == {}


@pytest.mark.parametrize("value", ["i * nF", ns.integers(0, 2)])
def test_a_divisor_of_zero_is_found_in_texts_and_draws_before_the_run(value):
    net = ns.Network("net", dt=1)
    net.population("p", 3, LINEAR, C=value)
    with pytest.raises(ns.NetworkError, match="population 'p', C: found 0 nF for neuron 0, exp"):
        ns.prepare(net, backend="reference")


def test_set_refuses_a_divisor_of_zero_and_changes_nothing():
    net = ns.Network("net", dt=1)
    p = net.population("p", 3, LINEAR)
    run = ns.prepare(net, backend="reference")
    with pytest.raises(ns.NetworkError, match="set 'p', C: found 0 nF for neuron 1, expected"):
        run.set(p, g=5, C=[1, 0, 1])
    with pytest.raises(ns.NetworkError, match="set 'p', C: found 0 nF for neuron 2, expected"):
        run.set(p[1:], C="(2 - i) * nF")
    with pytest.raises(ns.NetworkError, match="set 'p', k: found 0, expected another value"):
        run.set(p, k=0)
    assert (run.get(p, "C"), run.get(p, "g"), run.get(p, "k")) == (1, 1, 1)
    run.set(p, C=-1, g=0, b=0)  # neither sign nor other zeros matter


MEMBRANE = ns.Cell(
    "dv/dt = -v / tau_m + drive / (a - b) : mV; tau_m = C / g : ms",
    parameters={"C": "1 nF", "g": "0.1 uS", "drive": "0 mV/ms", "a": 2.0, "b": 1.0},
    name="membrane",
)


def test_a_divisor_that_is_computed_is_named_with_all_that_it_reads():
    net = ns.Network("net", dt=1)
    net.population("leakless", 2, MEMBRANE, g=0)  # an infinite time constant is a rate of 0
    message = r"population 'p': found 0 for 'C / g' for neuron 1 \(C = 0 nF, g = 0.1 uS\), expected"
    with pytest.raises(ns.NetworkError, match=message):
        net.population("p", 2, MEMBRANE, C=[1, 0])
    with pytest.raises(ns.NetworkError, match="found nan for 'C / g' .*C = 0 nF, g = 0 uS"):
        net.population("p", 2, MEMBRANE, C=0, g=0)
    # Rows of two tables come into force at different times: the run finds what is not finite.
    net.population("tables", 2, MEMBRANE, a=ns.table([2, 1], every=1), b=ns.table([0] * 3, every=2))
    p = net.population("p", 2, MEMBRANE, a=ns.table([[3, 4], [2, 2]], every=1))
    run = ns.prepare(net, backend="reference")
    message = r"set 'p': found 0 for 'a - b' for neuron 1 \(a = 4, b = 4\), expected another value"
    with pytest.raises(ns.NetworkError, match=message):
        run.set("p", b=[1, 4])
    with pytest.raises(ns.NetworkError, match="set 'p': found 0 for 'a - b'"):
        run.set(p[1:], a=1)
    with pytest.raises(ns.NetworkError, match="set 'p': found 0 for 'a - b'"):
        run.set("p", a=ns.table([3, 1], every=1))
    run.run(3)
    assert np.all(np.isfinite(run.get("p", "v"))) and np.all(run.get("p", "b") == 1)


def test_a_divisor_within_a_function_may_be_zero():
    """A Boltzmann curve of slope 0 is a step: no term of the equation is divided by it."""
    cell = ns.Cell(
        "dx/dt = (1 / (1 + exp(-v / slope)) - x) / (2*ms) : 1; v : mV",
        parameters={"slope": "0 mV"},
        initial={"v": "1 mV"},
    )
    net = ns.Network("net", dt=1)
    net.population("p", 1, cell)
    run = ns.prepare(net, backend="reference")
    run.run(1)
    assert run.get("p", "x") == pytest.approx(1 - np.exp(-0.5))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dv/dt = -v / ((1 - 1) * ms) : 1", r"found 0 for '\(1 - 1\) \* ms', .* v .* the text"),
        (
            "dv/dt = exp(k) * v / ms : 1",
            r"found inf for 'exp\(k\)' \(k = 1000\), expected a finite",
        ),
        ("dv/dt = (1/k)**2 / ms / (k - k) : 1", r"found 0 for 'k - k' \(k = 1000\)"),
    ],
)
def test_an_infinite_factor_is_named(text, message):
    net = ns.Network("net", dt=1)
    with pytest.raises(ns.NetworkError, match=f"population 'p': {message}"):
        net.population("p", 2, ns.Cell(text, parameters={"k": 1000.0}))


def test_a_divisor_of_a_step_statement_or_reset_is_not_zero():
    parameters = {"C": "1 nF", "n": 1.0, "current": "0 nA"}
    cell = ns.Cell(
        "v : mV",
        step="v = v + dt * current / C",
        spike="v > 1*mV",
        after_spike="v /= n",
        parameters=parameters,
    )
    net = ns.Network("net", dt=1)
    with pytest.raises(ns.NetworkError, match="C: found 0 nF, .*: the statement of v divides by"):
        net.population("p", 1, cell, C=0)
    with pytest.raises(ns.NetworkError, match="n: found 0, .*: the reset of v divides by it"):
        net.population("p", 1, cell, n=0)


@pytest.mark.parametrize("condition", ["v / n > 1", "v > k / n", "-v / n <= -1", "v % n == 0"])
@pytest.mark.parametrize("part", ["spike", "refractory"])
def test_a_divisor_of_a_condition_is_named(condition, part):
    conditions = {"spike": "v > 1"} | {part: condition}
    cell = ns.Cell("v : 1", parameters={"n": 1.0, "k": 1.0}, after_spike="v = 0", **conditions)
    net = ns.Network("net", dt=1)
    message = f"n: found 0 for neuron 1, expected another value than 0: the {part} condition divid"
    with pytest.raises(ns.NetworkError, match=message):
        net.population("p", 2, cell, n=[1, 0])
    net.population("p", 2, cell)


def test_a_condition_may_guard_a_divisor():
    cell = ns.Cell("v : 1", parameters={"n": 0.0}, spike="n > 0 and v / n > 1", after_spike="v = 0")
    net = ns.Network("net", dt=1)
    net.population("p", 1, cell)
