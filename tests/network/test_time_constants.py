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


@pytest.mark.parametrize("value", [0, "0 nF", [1, 0, 1]])
def test_a_divisor_that_is_no_time_is_not_zero(value):
    net = ns.Network("net", dt=1)
    message = (
        "population 'p', C: found 0 nF, expected another value: the equations of cell 'linear'"
    )
    with pytest.raises(ns.NetworkError, match=message):
        net.population("p", 3, LINEAR, C=value)
    net.population("p", 3, LINEAR, C="i * nF")
    with pytest.raises(ns.NetworkError, match=message):
        ns.prepare(net, backend="reference")


def test_set_refuses_a_divisor_of_zero_and_changes_nothing():
    net = ns.Network("net", dt=1)
    p = net.population("p", 3, LINEAR)
    run = ns.prepare(net, backend="reference")
    with pytest.raises(ns.NetworkError, match="set 'p', C: found 0 nF, expected another value"):
        run.set(p, g=5, C=[1, 0, 1])
    assert (run.get(p, "C"), run.get(p, "g")) == (1, 1)
    run.set(p, C=-1, g=0, b=0)  # neither sign nor other zeros matter
