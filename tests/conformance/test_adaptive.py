"""The adaptive method: errors below a tolerance, whatever dt, on every engine that has it."""

import math
from typing import Any

import numpy as np
import pytest

import neurosim as ns

BACKENDS = ("reference", "cpu")


def relaxing(method: Any, *, dt: str = "1 ms") -> ns.Network:
    """Return a network of one neuron whose course over time has a closed form."""
    net = ns.Network("net", dt=dt)
    cell = ns.Cell(
        "dv/dt = (cos(t / ms) * 20*mV - v) / tau : mV; dg/dt = -g * g / (2*mV*ms) : mV",
        parameters={"tau": "1 ms"},
        initial={"g": "10 mV"},
        method=method,
        name="relaxing",
    )
    net.record(net.population("p", 1, cell), "v", "g", every="1 ms")
    return net


def errors(method: Any, backend, *, dt: str = "1 ms") -> list[float]:
    """Return the largest relative errors of both states over 10 ms."""
    traces = ns.simulate(relaxing(method, dt=dt), "10 ms", backend=backend)["p"]
    t = np.arange(1, 11)
    v = 10 * (np.cos(t) + np.sin(t) - np.exp(-t))
    g = 10 / (1 + 5 * t)
    return [
        float(np.max(np.abs(traces.trace(name).values[:, 0] - exact) / np.abs(exact).max()))
        for name, exact in (("v", v), ("g", g))
    ]


@pytest.mark.parametrize("relative", [1e-4, 1e-7, 1e-10])
def test_errors_follow_the_tolerance_and_not_dt(backend, relative):
    for dt in ("1 ms", "0.125 ms"):
        v, g = errors(ns.Adaptive(relative=relative), backend, dt=dt)
        assert max(v, g) < 10 * relative


def test_a_long_step_is_more_accurate_than_a_short_one_of_rk4(backend):
    assert max(errors("adaptive", backend)) < 1e-5 < max(errors("rk4", backend, dt="0.125 ms"))


def hodgkin_huxley(method: Any, *, dt: str) -> ns.Network:
    net = ns.Network("net", dt=dt, seed=2)
    cell = ns.Cell(
        """dv/dt = (current - 36*(n**4)*(v + 77*mV)*uS - 120*(m**3)*h*(v - 50*mV)*uS
                    - 0.3*(v + 54.4*mV)*uS + input) / (1*nF) : mV
           dm/dt = (1 - m) * exprel(-(v + 40*mV) / (10*mV))**(-1) / ms
                   - m * 4 * exp(-(v + 65*mV) / (18*mV)) / ms : 1
           dh/dt = (1 - h) * 0.07 * exp(-(v + 65*mV) / (20*mV)) / ms
                   - h / (1 + exp(-(v + 35*mV) / (10*mV))) / ms : 1
           dn/dt = (1 - n) * 0.1 / exprel(-(v + 55*mV) / (10*mV)) / ms
                   - n * 0.125 * exp(-(v + 65*mV) / (80*mV)) / ms : 1
           dinput/dt = -input / (2*ms) : nA""",
        parameters={"current": [f"{c} nA" for c in (0, 7, 10, 20)]},
        receives={"input": ns.Port("nA", into="input")},
        spike="crossing(v > 0*mV)",
        initial={"v": "-65 mV", "m": 0.05, "h": 0.6, "n": 0.32},
        method=method,
    )
    p = net.population("p", 4, cell)
    net.project(p, p, ns.all_to_all(), weight="1 nA", delay="1 ms")
    net.record(p, "spikes")
    net.record(p, "v", every="1 ms")
    return net


@pytest.fixture(scope="module")
def stiff_on_reference() -> ns.Recording:
    """40 ms of coupled stiff cells: the reference takes seconds for them."""
    return ns.simulate(hodgkin_huxley("adaptive", dt="0.5 ms"), "40 ms", backend="reference")


@pytest.fixture(scope="module")
def stiff(backend, stiff_on_reference) -> ns.Recording:
    if backend == "reference":
        return stiff_on_reference
    return ns.simulate(hodgkin_huxley("adaptive", dt="0.5 ms"), "40 ms", backend=backend)


def test_engines_agree_on_coupled_stiff_cells(stiff, stiff_on_reference):
    result, expected = stiff["p"], stiff_on_reference["p"]
    np.testing.assert_array_equal(result.trace("v").values, expected.trace("v").values)
    assert result.spikes == expected.spikes
    assert result.spikes.index.size == 10


def test_steps_too_long_for_fixed_methods_are_accurate(backend, stiff):
    # Uncoupled until 5 ms: spikes on the grid of 0.5 ms would come later than on a finer one.
    net = hodgkin_huxley(ns.Adaptive(relative=1e-8), dt="0.5 ms")
    exact = ns.simulate(net, "5 ms", backend=backend)["p"].trace("v").values
    np.testing.assert_allclose(stiff["p"].trace("v").values[:5], exact, rtol=0, atol=1e-4)
    with pytest.raises(ns.SimulationError):
        ns.simulate(hodgkin_huxley("rk4", dt="0.5 ms"), "10 ms", backend=backend)


def exponential() -> ns.Network:
    """Return a cell whose voltage would be infinite within the step of its spike."""
    net = ns.Network("net", dt="0.5 ms")
    cell = ns.Cell(
        """dv/dt = (-(v + 70*mV) + 2*mV * exp((v + 50*mV) / (2*mV)) + drive - w) / (10*ms) : mV
           dw/dt = -w / (100*ms) : mV""",
        parameters={"drive": "40 mV", "peak": "20 mV"},
        initial={"v": "-70 mV"},
        spike="v >= peak",
        after_spike="v = -70*mV; w += 1*mV",
        refractory=ns.Refractory("2 ms", freezes="v"),
        method="adaptive",
        name="exponential",
    )
    p = net.population("p", 2, cell)
    net.record(p, "spikes")
    net.record(p, "v", "w")
    net.record(p, "v", at="spikes")
    return net


def test_a_voltage_that_explodes_stays_at_its_threshold_until_the_reset(backend):
    result = ns.simulate(exponential(), "100 ms", backend=backend)["p"]
    spikes = result.spikes.of(0)
    assert spikes.size > 3
    values = result.at_spikes("v").values
    assert (values >= 20).all()
    # The last sub-step may overshoot, but not by more than its own tolerance lets it move.
    assert (values < 60).all()
    # Adaptation has decayed through all steps, those of spikes included.
    steps = result.spikes.step[result.spikes.index == 0]
    assert result.trace("w").values[-1, 0] == pytest.approx(
        sum(math.exp(-(200 - 1 - k) * 0.5 / 100) for k in steps), rel=1e-5
    )


def test_frozen_states_stay_through_sub_steps(backend):
    result = ns.simulate(exponential(), "30 ms", backend=backend)["p"]
    first = result.spikes.step[0]
    v = result.trace("v").values[:, 0]
    assert (v[first : first + 5] == -70).all()
    assert v[first + 5] > -70


def test_a_value_without_bound_ends_the_run_at_its_neuron(backend):
    net = ns.Network("net", dt="1 ms")
    cell = ns.Cell(
        "dx/dt = rate * x * x : 1",
        parameters={"rate": ns.Parameter("1/ms", np.array([0.0, 0.0, 0.7]))},
        initial={"x": 0.25},
        method=ns.Adaptive(sub_steps=500),
        name="quadratic",
    )
    net.record(net.population("p", 3, cell), "x")
    with pytest.raises(
        ns.SimulationError,
        match=r"population 'p', neuron 2: x is nan at 6 ms.*Method 'adaptive' of cell 'quadratic' "
        r"gives nan if 500 sub-steps within dt \(1 ms\) do not reach its tolerances",
    ) as error:
        ns.simulate(net, "10 ms", backend=backend)
    # 1 / (4 - 0.7 t) is infinite at 5.7 ms.
    recording = error.value.recording
    assert isinstance(recording, ns.Recording)
    assert recording["p"].trace("x").values[-1, 2] == pytest.approx(1 / 0.5, rel=1e-4)


def test_a_network_is_run_in_parts_as_in_one(backend, stiff):
    whole = stiff["p"]
    run = ns.prepare(hodgkin_huxley("adaptive", dt="0.5 ms"), backend=backend)
    run.run("7 ms")
    snapshot = run.snapshot()
    run.run("6 ms")
    run.restore(snapshot, clock=True)
    run.run("6 ms")
    parts = run.result()["p"]
    assert parts.spikes == whole.spikes.window("0 ms", "13 ms") and len(parts.spikes) > 0
    np.testing.assert_array_equal(run.get("p", "v"), whole.trace("v").values[12])


def test_a_definition_is_recorded_after_the_sub_steps(backend):
    net = ns.Network("net", dt="1 ms")
    cell = ns.Cell("dv/dt = -v / ms : mV; twice = 2 * v : mV", method="adaptive")
    p = net.population("p", 1, cell, v="1 mV")
    net.record(p, "v", "twice")
    result = ns.simulate(net, "3 ms", backend=backend)["p"]
    np.testing.assert_array_equal(result.trace("twice").values, 2 * result.trace("v").values)


def test_names_of_users_do_not_meet_words_of_the_loop(backend):
    def last(names: tuple[str, str], where: str) -> np.ndarray:
        x, c = names
        net = ns.Network("net", dt="1 ms")
        cell = ns.Cell(
            f"d{x}/dt = {c} * {x} * {x} / ms : 1", parameters={c: -1.5}, method="adaptive"
        )
        p = net.population("p", 2, cell, **{x: [1, 2]})
        net.record(p, x)
        return ns.simulate(net, "3 ms", backend=where)["p"].trace(x).values

    expected = last(("x", "c"), "reference")
    for names in (("nan", "length"), ("left", "below"), ("share", "kernel"), ("awake", "stop")):
        np.testing.assert_array_equal(last(names, backend), expected)
