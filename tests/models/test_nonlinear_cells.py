"""Adaptive exponential, Izhikevich 2007 and Hodgkin-Huxley neurons against SciPy's solution of
their equations, and closed forms.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

import neurosim as ns
from neurosim.ir.discretise import cell_program
from neurosim.models import cells

Slope = Callable[[float, np.ndarray], list[float]]
METHODS = {None: 2, "heun": 2, "rk4": 4}  # and their orders
BRETTE = {
    "capacity": 0.281,
    "leak": 0.03,
    "rest": -70.6,
    "threshold": -50.4,
    "slope": 2.0,
    "a": 0.004,
    "b": 0.0805,
    "tau_w": 144.0,
}
# Gerstner et al. 2014, table 6.1: tau_m, a (nS), tau_w, b (pA), reset; all with 500 Mohm, rest -70,
# threshold -50, slope 2 mV and 65 pA.
TABLE_6_1 = {
    "tonic": (20, 0, 30, 60, -55),
    "adapting": (20, 0, 100, 5, -55),
    "initial burst": (5, 0.5, 100, 7, -51),
    "bursting": (5, -0.5, 100, 7, -46),
}
PATTERNS = {
    name: {
        "capacity": 0.002 * tau,
        "leak": 0.002,
        "rest": -70.0,
        "threshold": -50.0,
        "slope": 2.0,
        "a": a / 1000,
        "b": b / 1000,
        "tau_w": tau_w,
        "reset": reset,
        "current": 0.065,
    }
    for name, (tau, a, tau_w, b, reset) in TABLE_6_1.items()
}


def solve(
    slope: Slope, start: list[float], time: float, *, peak: float = np.inf, begin: float = 0.0
):
    """Return SciPy's solution until ``time``, or until the first state climbs to ``peak``."""

    def reached(t, y):
        return y[0] - peak

    reached.terminal, reached.direction = True, 1
    events = reached if peak < np.inf else None
    solution = solve_ivp(
        slope,
        (begin, time),
        start,
        method="DOP853",
        rtol=1e-12,
        atol=1e-12,
        events=events,
        dense_output=True,
    )
    assert solution.success
    return solution


def train(
    slope: Slope, start: list[float], time: float, *, peak: float, reset: float, jump: float
) -> np.ndarray:
    """Return the times of all spikes: where the first state reaches ``peak`` it is reset, and the
    second jumps.
    """
    times: list[float] = []
    while (
        solution := solve(slope, start, time, peak=peak, begin=times[-1] if times else 0.0)
    ).status == 1:
        times.append(solution.t[-1])
        start = [reset, solution.y[1, -1] + jump]
    return np.array(times)


def recorded(
    cell: ns.Cell,
    backend: str,
    *names: str,
    time: float,
    dt: float,
    size: int = 1,
    every: float | None = None,
    **values,
):
    net = ns.Network("test", dt=dt)
    net.record(net.population("cell", size, cell, **values), *names, every=every)
    return ns.simulate(net, time, backend=backend, progress=False)["cell"]


# ---- the equations once more, as the oracle


def adex(p: dict[str, float], current: float) -> Slope:
    def slope(t, y):
        v, w = y
        run_away = p["leak"] * p["slope"] * np.exp((v - p["threshold"]) / p["slope"])
        return [
            (p["leak"] * (p["rest"] - v) + run_away - w + current) / p["capacity"],
            (p["a"] * (v - p["rest"]) - w) / p["tau_w"],
        ]

    return slope


def izhikevich(current: float) -> Slope:
    """Izhikevich 2007, Fig. 8.12, in pA and pF."""
    return lambda t, y: [
        (0.7 * (y[0] + 60) * (y[0] + 40) - y[1] + current) / 100,
        0.03 * (-2 * (y[0] + 60) - y[1]),
    ]


def rates(v: np.ndarray | float) -> list[tuple]:
    """Opening and closing of m, h and n as Brette et al. 2007 print them, v in mV; the 0/0 is left
    to expm1, which is right next to it.
    """
    x = v + 63
    return [
        (0.32 * (13 - x) / np.expm1((13 - x) / 4), 0.28 * (x - 40) / np.expm1((x - 40) / 5)),
        (0.128 * np.exp((17 - x) / 18), 4 / (1 + np.exp((40 - x) / 5))),
        (0.032 * (15 - x) / np.expm1((15 - x) / 5), 0.5 * np.exp((10 - x) / 40)),
    ]


def hodgkin_huxley(current: float, rest: float = -65.0) -> tuple[Slope, list[float]]:
    """Return the slope and the state at ``rest`` with all gates at their steady state."""

    def slope(t, y):
        v, m, h, n = y
        ions = 0.01 * (rest - v) + 20 * m**3 * h * (50 - v) + 6 * n**4 * (-90 - v)
        return [
            (ions + current) / 0.2,
            *(
                opening * (1 - g) - closing * g
                for (opening, closing), g in zip(rates(v), y[1:], strict=True)
            ),
        ]

    return slope, [rest, *(opening / (opening + closing) for opening, closing in rates(rest))]


# ---- order of the methods


CLIMBS = {  # cell, current (nA), its solution, end (ms), first of three steps (ms)
    "adex_exponential": (cells.adex_exponential, 1.0, (adex(BRETTE, 1.0), [-70.6, 0.0]), 8.0, 0.25),
    "adex_conductance": (cells.adex_conductance, 1.0, (adex(BRETTE, 1.0), [-70.6, 0.0]), 8.0, 0.25),
    "izhikevich_2007": (cells.izhikevich_2007, 0.2, (izhikevich(200.0), [-60.0, 0.0]), 14.0, 0.5),
    "hodgkin_huxley": (cells.hodgkin_huxley, 1.0, hodgkin_huxley(1.0), 1.25, 0.025),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", CLIMBS)
def test_the_climb_to_the_first_spike_has_the_order_of_the_method(backend, name, method):
    make, current, solution, end, dt = CLIMBS[name]
    cell, expected = make(current=current, method=method), solve(*solution, end).y[0, -1]
    traces = [
        recorded(cell, backend, "v", time=end, dt=step, every=end).trace("v")
        for step in (dt, dt / 2, dt / 4)
    ]
    errors = [abs(trace.values[-1, 0] - expected) for trace in traces]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(METHODS[method], abs=0.4)
    assert np.log2(errors[1] / errors[2]) == pytest.approx(METHODS[method], abs=0.2)


def test_unless_named_all_that_is_not_linear_has_a_method_of_second_order():
    assert dict(cell_program(cells.adex_conductance()).methods)["v"] == "midpoint"
    assert dict(cell_program(cells.izhikevich_2007()).methods)["v"] == "midpoint"
    methods = dict(cell_program(cells.hodgkin_huxley()).methods)
    assert methods == dict.fromkeys("vmhn", "midpoint") | {
        "excitatory": "exact",
        "inhibitory": "exact",
    }


def test_at_common_steps_the_rate_of_a_hodgkin_huxley_cell_is_that_of_fine_ones(fast_backend):
    """0.3 nA for two seconds: 105 spikes with rk4 at 0.01 ms, 98 with exponential Euler at 0.1."""

    def count(method: str | None, dt: float) -> int:
        cell = cells.hodgkin_huxley(current="0.3 nA", method=method)
        return len(recorded(cell, fast_backend, "spikes", time=2000, dt=dt).spikes)

    right = count("rk4", 0.0125)
    assert abs(count(None, 0.1) - right) <= 0.01 * right + 1
    assert abs(count(None, 0.05) - right) <= 1
    assert count("exponential_euler", 0.1) < 0.95 * right


# ---- adaptive exponential


@cache
def patterns() -> list[np.ndarray]:
    """Spikes of the four patterns. From 0 mV, where the solver stops, to the peak of 20 mV v needs
    less than 1e-9 ms.
    """
    return [
        train(adex(p, p["current"]), [p["rest"], 0.0], 300, peak=0.0, reset=p["reset"], jump=p["b"])
        for p in PATTERNS.values()
    ]


def simulated_patterns(backend: str, method: str | None, dt: float) -> list[np.ndarray]:
    values = {key: [p[key] for p in PATTERNS.values()] for key in PATTERNS["tonic"]}
    spikes = recorded(
        cells.adex_exponential(method=method), backend, "spikes", time=300, dt=dt, size=4, **values
    ).spikes
    return [spikes.times()[spikes.index == neuron] for neuron in range(4)]


@pytest.mark.parametrize("dt", [0.1, 0.025])
@pytest.mark.parametrize(
    ("method", "late"), [("euler", 6), (None, 2.5), ("heun", 2.5), ("rk4", 1.5)]
)
def test_spikes_of_the_published_patterns_come_a_few_steps_after_those_of_the_solution(
    fast_backend, method, late, dt
):
    """A spike is seen at the end of its step and what the method is late adds up, so that spike n
    may be ``late`` n steps late.
    """
    for spikes, expected in zip(
        simulated_patterns(fast_backend, method, dt), patterns(), strict=True
    ):
        steps = (spikes - expected) / dt
        assert (steps > -1).all()
        assert (steps < late * np.arange(1, len(steps) + 1)).all()


def test_the_patterns_are_those_that_the_table_names(backend):
    tonic, adapting, initial, bursting = (
        np.diff(times) for times in simulated_patterns(backend, None, 0.1)
    )
    assert np.ptp(tonic[1:]) < 0.02 * tonic.mean()
    assert (np.diff(adapting) > 0).all()
    assert adapting[-1] / adapting[0] == pytest.approx(28.36 / 15.47, rel=0.02)  # of the solution
    assert initial[:3].max() < 7 < 30 < initial[4:].min()
    assert np.ptp(initial[5:]) < 0.02 * initial.max()
    assert set(np.diff(np.flatnonzero(bursting > 50))) == {4}
    assert np.sort(bursting)[-5] < 4


@pytest.mark.parametrize("a", [0.0, 0.001])
def test_without_a_fixed_point_the_neuron_fires_and_just_before_it_rests(backend, a):
    """Touboul and Brette 2008: with a / leak < tau_m / tau_w both fixed points meet at this v and
    current.
    """
    p = BRETTE | {"a": a}
    meet = p["threshold"] + p["slope"] * np.log(1 + a / p["leak"])
    rheobase = (p["leak"] + a) * (meet - p["slope"] - p["rest"])
    cell = cells.adex_exponential(a=a, method="rk4")
    start = {"current": rheobase * np.array([0.99, 1.01]), "v": meet, "w": a * (meet - p["rest"])}
    recording = recorded(cell, backend, "spikes", time=250, dt=0.25, size=2, **start)
    assert list(recording.spikes.count() > 0) == [False, True]


def test_a_fixed_point_loses_its_stability_at_the_current_of_the_hopf_bifurcation(backend):
    """Touboul and Brette 2008, for a / leak > tau_m / tau_w. v begins 0.01 mV beside each fixed
    point.
    """
    p = BRETTE | {"a": 0.02}
    ratio = p["capacity"] / p["leak"] / p["tau_w"]
    turn = p["threshold"] + p["slope"] * np.log(1 + ratio)  # the voltage
    hopf = (p["leak"] + p["a"]) * (turn - p["slope"] - p["rest"]) + p["slope"] * (
        p["a"] - p["leak"] * ratio
    )
    current = hopf * np.array([0.997, 1.003])
    rest = np.array(
        [
            brentq(
                lambda v, injected=injected: adex(p, injected)(0, [v, p["a"] * (v - p["rest"])])[0],
                -70,
                -49.5,
            )
            for injected in current
        ]
    )
    cell = cells.adex_exponential(a=p["a"], method="rk4")
    trace = recorded(
        cell,
        backend,
        "v",
        time=400,
        dt=0.5,
        size=2,
        current=current,
        v=rest + 0.01,
        w=p["a"] * (rest - p["rest"]),
    ).trace("v")
    away = np.abs(trace.values - rest)
    early, late = away[:200].max(axis=0), away[-200:].max(axis=0)
    assert late[0] < 0.5 * early[0]
    assert late[1] > 2 * early[1]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("make", [cells.adex_exponential, cells.adex_conductance])
def test_adaptation_does_not_follow_the_voltage_beyond_the_peak(backend, make, method):
    """At steps of 1 ms and with this narrow slope v would be 1e60 mV after a spike; w may jump by b
    and by one step at the peak.
    """
    recording = recorded(
        make(method=method, slope=0.5, current=2),
        backend,
        "spikes",
        "v",
        "w",
        time=60,
        dt=1,
        excitatory=0.01,
    )
    w = recording.trace("w").values[:, 0]
    steps = recording.spikes.step
    assert len(steps) > 5
    assert (np.diff(w)[steps - 1] <= 0.0805 + 1 / 144 * 0.004 * (20 + 70.6)).all()
    assert (recording.trace("v").values < 20).all()


def test_conductances_drive_the_voltage_towards_their_reversal(backend):
    """One excitatory and one inhibitory spike, arriving after 2 and 5 ms; the tolerance is that of
    rk4 at this step.
    """
    net = ns.Network("test", dt=0.125)
    neuron = net.population(
        "neuron",
        1,
        cells.adex_conductance(
            method="rk4", tau_exc=3, tau_inh=7, reversal_exc=-5, reversal_inh=-75
        ),
    )
    source = net.spike_source("source", 2, steps=[[15], [39]])
    net.project(
        source[:1], neuron, ns.one_to_one(), weight=0.02, port="excitatory", name="excitation"
    )
    net.project(
        source[1:], neuron, ns.one_to_one(), weight=0.05, port="inhibitory", name="inhibition"
    )
    net.record(neuron, "v")
    voltage = ns.simulate(net, 20, backend=backend)["neuron"].trace("v")

    def slope(t, y):
        excitatory, inhibitory = 0.02 * np.exp(-(t - 2) / 3), 0.05 * np.exp(-(t - 5) / 7) * (t >= 5)
        return adex(BRETTE, excitatory * (-5 - y[0]) + inhibitory * (-75 - y[0]))(t, y)

    first = solve(slope, [-70.6, 0.0], 5 - 1e-12, begin=2)
    second = solve(slope, list(first.y[:, -1]), 20, begin=5)
    after = voltage.times() > 2
    expected = np.where(
        voltage.times() <= 5, first.sol(voltage.times())[0], second.sol(voltage.times())[0]
    )[after]
    assert np.ptp(expected) > 5
    # the cell leaves its published rest by 1e-4 mV
    assert voltage.values[after, 0] == pytest.approx(expected, abs=2e-4)


# ---- Izhikevich 2007


def test_the_regular_spiking_neuron_fires_above_the_rheobase_of_its_parabola(backend):
    """The fixed points k x**2 - (k (vt - vr) + b) x + I = 0, x = v - vr, meet at I = (k (vt - vr) +
    b)**2 / 4 k = 51.43 pA.
    """
    meet = (0.7 * 20 - 2) / (2 * 0.7)
    rheobase = (0.7 * 20 - 2) ** 2 / (4 * 0.7) / 1000
    start = {"current": rheobase * np.array([0.99, 1.02]), "v": meet - 60, "u": -0.002 * meet}
    recording = recorded(
        cells.izhikevich_2007(method="rk4"), backend, "spikes", time=500, dt=0.5, size=2, **start
    )
    assert list(recording.spikes.count() > 0) == [False, True]


@pytest.mark.parametrize("dt", [0.1, 0.025])
@pytest.mark.parametrize(
    ("method", "early", "late"), [("euler", 0, 4.5), (None, 2, 1), ("rk4", 2, 1)]
)
def test_the_regular_spiking_neuron_fires_when_the_solution_does(
    fast_backend, method, early, late, dt
):
    """Currents of Izhikevich 2007, Fig. 8.12, and more; bounds in steps per spike. u jumps at the
    end of a step only, hence early.
    """
    currents = np.array([60.0, 70.0, 85.0, 100.0, 200.0])
    spikes = recorded(
        cells.izhikevich_2007(method=method),
        fast_backend,
        "spikes",
        time=500,
        dt=dt,
        size=5,
        current=currents / 1000,
    ).spikes
    for neuron, current in enumerate(currents):
        expected = train(izhikevich(current), [-60.0, 0.0], 500, peak=35, reset=-50, jump=100)
        steps = (spikes.times()[spikes.index == neuron] - expected) / dt
        number = np.arange(1, len(steps) + 1)
        assert (steps > -early * number).all()
        assert (steps < late * number).all()


def test_a_synaptic_current_adds_to_the_current_and_decays(backend):
    voltage = recorded(
        cells.izhikevich_2007(method="rk4", tau_syn=8),
        backend,
        "v",
        time=20,
        dt=0.125,
        synaptic=0.1,
    ).trace("v")
    slope = lambda t, y: izhikevich(100 * np.exp(-t / 8))(t, y)  # noqa: E731
    assert voltage.values[:, 0] == pytest.approx(
        solve(slope, [-60.0, 0.0], 20).sol(voltage.times())[0], abs=1e-5
    )


# ---- Hodgkin-Huxley


def test_without_input_the_neuron_stays_at_the_voltage_where_all_currents_cancel(backend):
    def current(v):
        m, h, n = (opening / (opening + closing) for opening, closing in rates(v))
        return 0.01 * (-65 - v) + 20 * m**3 * h * (50 - v) + 6 * n**4 * (-90 - v)

    rest = brentq(current, -66, -62)
    recording = recorded(
        cells.hodgkin_huxley(), backend, "spikes", "v", "m", "h", "n", time=40, dt=0.2, v=rest
    )
    assert len(recording.spikes.step) == 0
    assert recording.trace("v").values == pytest.approx(rest, abs=1e-9)
    for gate, (opening, closing) in zip("mhn", rates(rest), strict=True):
        assert recording.trace(gate).values == pytest.approx(
            opening / (opening + closing), abs=1e-12
        )


def test_gates_are_right_at_and_around_the_voltages_where_their_rates_are_0_over_0(backend):
    """From closed gates, one step of exponential Euler gives opening / (opening + closing) * (1 -
    exp(-(opening + closing) dt)).

    -50, -48 and -23 mV are singular to the last bit; 0.004 and 0.005 mV beside them the Taylor
    series ends.
    """
    beside = np.array([0.0, 1e-9, 1e-5, 0.0039, 0.0041, 0.0049, 0.0051, 0.3])
    v = np.concatenate(
        [center + sign * beside for center in (-50.0, -48.0, -23.0) for sign in (1, -1)]
    )
    recording = recorded(
        cells.hodgkin_huxley(method="exponential_euler"),
        backend,
        "m",
        "n",
        time=0.0625,
        dt=0.0625,
        size=len(v),
        v=v,
        m=0,
        n=0,
    )
    near = np.where(v == np.round(v), v + 1e-9, v)  # the oracle needs to be beside
    for gate, (opening, closing) in zip("mn", rates(near)[::2], strict=True):
        total = opening + closing
        assert recording.trace(gate).values[0] == pytest.approx(
            -opening / total * np.expm1(-total * 0.0625), rel=1e-9
        )


def test_one_spike_has_the_shape_of_the_solution(backend):
    """1 nA from rest, over the spike and the hyperpolarisation; 0.02 mV is what rk4 leaves at the
    steepest point of the climb.
    """
    slope, start = hodgkin_huxley(1.0)
    recording = recorded(
        cells.hodgkin_huxley(method="rk4", current=1.0), backend, "spikes", "v", time=6, dt=0.0125
    )
    solution = solve(slope, start, 6).sol(recording.trace("v").times())[0]
    assert solution.max() > 40
    assert solution.min() < -75
    assert len(recording.spikes.step) == 1
    assert recording.trace("v").values[:, 0] == pytest.approx(solution, abs=0.02)


@cache
def hodgkin_huxley_spikes(current: float, time: float, rest: float = -65.0) -> np.ndarray:
    """Return when v climbs through -20 mV."""
    solution = solve(*hodgkin_huxley(current, rest), time)
    grid = np.linspace(0, time, round(time / 0.01) + 1)
    v = solution.sol(grid)[0]
    climbs = np.flatnonzero((v[:-1] < -20) & (v[1:] >= -20))
    return np.array(
        [brentq(lambda t: solution.sol(t)[0] + 20, grid[k], grid[k + 1]) for k in climbs]
    )


@pytest.mark.parametrize(("method", "late"), [(None, 25), ("rk4", 0)])
def test_spikes_come_when_the_solution_climbs_through_the_threshold(fast_backend, method, late):
    """Nothing is reset, so rk4 is late by the end of the step only; the exponential Euler default
    by up to 25 more steps per spike.
    """
    dt, currents = 0.0125, np.array([0.0, 0.2, 0.6, 2.0])
    spikes = recorded(
        cells.hodgkin_huxley(method=method),
        fast_backend,
        "spikes",
        time=60,
        dt=dt,
        size=4,
        current=currents,
    ).spikes
    counts = []
    for neuron, current in enumerate(currents):
        expected = hodgkin_huxley_spikes(current, 60.0)
        simulated = spikes.times()[spikes.index == neuron]
        counts.append(len(simulated))
        steps = (simulated - expected[: len(simulated)]) / dt
        number = np.arange(1, len(steps) + 1)
        assert len(expected) - len(simulated) in ((0,) if method else (0, 1))
        assert (steps > -0.01).all()
        assert (steps < 1.05 + late * number).all()
    assert counts[0] == 0 < counts[1] < counts[2] < counts[3]


def test_with_the_leak_of_the_benchmark_the_neuron_fires_by_itself(fast_backend):
    spikes = recorded(
        cells.hodgkin_huxley(rest=-60, method="rk4"), fast_backend, "spikes", time=100, dt=0.0125
    ).spikes.times()
    assert len(spikes) == 2
    assert spikes == pytest.approx(hodgkin_huxley_spikes(0.0, 100.0, rest=-60.0), abs=0.013)


def test_a_voltage_held_above_the_threshold_spikes_once_per_refractory_time_and_a_step(backend):
    recording = recorded(
        cells.hodgkin_huxley(sodium=0, potassium=0, leak=10, rest=0, refractory=2),
        backend,
        "spikes",
        time=10,
        dt=0.5,
    )
    assert list(recording.spikes.step) == [0, 5, 10, 15]


def test_conductances_reach_the_neuron(backend):
    """Excitation and inhibition that begin with the run, without ion channels: a linear equation
    for SciPy.
    """
    cell = cells.hodgkin_huxley(method="rk4", sodium=0, potassium=0, tau_exc=2, tau_inh=4)
    voltage = recorded(cell, backend, "v", time=10, dt=0.05, excitatory=0.05, inhibitory=0.2).trace(
        "v"
    )

    def slope(t, y):
        return [
            (
                0.01 * (-65 - y[0])
                - 0.05 * np.exp(-t / 2) * y[0]
                + 0.2 * np.exp(-t / 4) * (-80 - y[0])
            )
            / 0.2
        ]

    assert voltage.values[:, 0] == pytest.approx(
        solve(slope, [-65.0], 10).sol(voltage.times())[0], abs=1e-6
    )


# ---- Brian 2, another program that steps these equations


ADEX = """dv/dt = (gL * (EL - v) + gL * DT * exp((v - VT) / DT) - w + I) / C : volt
          dw/dt = (a * (v - EL) - w) / tau_w : amp"""
TRAUB = """dv/dt = (leak - g_na * m*m*m * h * (v - ENa) - g_kd * n*n*n*n * (v - EK) + I) / Cm : volt
           leak = gl * (EL - v) : amp
           dm/dt = alpha_m * (1 - m) - beta_m * m : 1
           dn/dt = alpha_n * (1 - n) - beta_n * n : 1
           dh/dt = alpha_h * (1 - h) - beta_h * h : 1
           alpha_m = 0.32 * 4 / exprel((13*mV - v + VT) / (4*mV)) / ms : Hz
           beta_m = 0.28 * 5 / exprel((v - VT - 40*mV) / (5*mV)) / ms : Hz
           alpha_h = 0.128 * exp((17*mV - v + VT) / (18*mV)) / ms : Hz
           beta_h = 4 / (1 + exp((40*mV - v + VT) / (5*mV))) / ms : Hz
           alpha_n = 0.032 * 5 / exprel((15*mV - v + VT) / (5*mV)) / ms : Hz
           beta_n = 0.5 * exp((10*mV - v + VT) / (40*mV)) / ms : Hz"""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of a library that Brian uses
@pytest.mark.simulator
def test_brian_takes_the_same_steps(backend):
    """Its Euler and exponential Euler are the same schemes: only rounding is left, which the climb
    of a spike enlarges.
    """
    b = pytest.importorskip("brian2")
    b.prefs.codegen.target = "numpy"
    mV, uS, nF, nA, dt = b.mV, b.usiemens, b.nfarad, b.namp, 0.05 * b.ms
    adaptive = {
        "gL": 0.03 * uS,
        "EL": -70.6 * mV,
        "VT": -50.4 * mV,
        "DT": 2 * mV,
        "C": 0.281 * nF,
        "a": 0.004 * uS,
        "tau_w": 144 * b.ms,
        "I": 2 * nA,
        "nA": nA,
    }
    traub = {
        "gl": 0.01 * uS,
        "EL": -65 * mV,
        "ENa": 50 * mV,
        "EK": -90 * mV,
        "VT": -63 * mV,
        "g_na": 20 * uS,
        "g_kd": 6 * uS,
        "Cm": 0.2 * nF,
        "I": 1 * nA,
    }
    reset = "v = EL; w += 0.0805*nA"
    first = b.NeuronGroup(
        1, ADEX, threshold="v >= 20*mV", reset=reset, method="euler", dt=dt, namespace=adaptive
    )
    second = b.NeuronGroup(
        1,
        TRAUB,
        threshold="v >= -20*mV",
        refractory=3 * b.ms,
        method="exponential_euler",
        dt=dt,
        namespace=traub,
    )
    first.v, second.v = -70.6 * mV, -65 * mV
    second.m, second.h, second.n = hodgkin_huxley(1.0)[1][1:]
    ours = [
        cells.adex_exponential(current=2, method="euler"),
        cells.hodgkin_huxley(current=1, method="exponential_euler"),
    ]
    traces = [
        b.StateMonitor(group, "v", record=True, when="end", dt=dt) for group in (first, second)
    ]
    spikes = [b.SpikeMonitor(group) for group in (first, second)]
    b.Network(first, second, traces, spikes).run(30 * b.ms)
    for trace, spike, cell in zip(traces, spikes, ours, strict=True):
        recording = recorded(cell, backend, "spikes", "v", time=30, dt=0.05)
        assert len(recording.spikes.step) >= 2
        assert list(recording.spikes.step) == [round(float(t / dt)) for t in spike.t]
        assert recording.trace("v").values[:, 0] == pytest.approx(trace.v[0] / mV, abs=1e-8)
