"""Cells and the step against closed forms: traces, rates, potentials, noise, sources,
refractoriness, delays, times of spikes.
"""

import math

import numpy as np
import pytest

import neurosim as ns
from neurosim.models import cells

TAU, TAU_SYN, REST, THRESHOLD, R = 20.0, 5.0, -70.0, -50.0, 100.0
# Binary quarters of ms and less are whole numbers of steps to the last bit; 0.1 and 0.4 are not.
STEPS = [0.4, 0.25, 0.1, 0.0625]
COUNTER = ns.Cell("x : 1", receives={"in": ns.Port("1", into="x")}, name="counter")
# Above threshold for ever: only refractoriness decides in which steps it spikes.
RESTLESS = ns.Cell(
    parameters={"pause": "2 ms"}, spike="1 > 0", refractory=ns.Refractory("pause"), name="restless"
)


def network(dt: float, seed: int = 0) -> ns.Network:
    return ns.Network("test", dt=dt, seed=seed)


def run(net: ns.Network, time: float, backend: str) -> ns.Recording:
    return ns.simulate(net, time, backend=backend, progress=False)


def potential(time: np.ndarray, *, tau: float, tau_syn: float) -> np.ndarray:
    """Return the answer of tau dv/dt = -v + exp(-time / tau_syn), for time >= 0, beginning at v =
    0.
    """
    return np.where(
        time >= 0, tau_syn / (tau_syn - tau) * (np.exp(-time / tau_syn) - np.exp(-time / tau)), 0.0
    )


# ---- neurons under constant current


@pytest.mark.parametrize("dt", STEPS)
def test_the_voltage_under_constant_current_follows_the_closed_form(backend, dt):
    """Exact integration: only rounding remains, at any dt."""
    net = network(dt)
    neuron = net.population(
        "neuron", 1, cells.lif(tau=TAU, rest=REST, threshold=THRESHOLD, resistance=R, current=0.19)
    )
    net.record(neuron, "v")
    trace = run(net, 100, backend)["neuron"].trace("v")
    assert trace.values[:, 0] == pytest.approx(
        REST + R * 0.19 * (1 - np.exp(-trace.times() / TAU)), rel=1e-12
    )


@pytest.mark.parametrize("dt", STEPS)
@pytest.mark.parametrize("pause", [0.0, 2.0])
def test_intervals_under_constant_current_are_the_formula_rounded_up_to_steps(backend, dt, pause):
    """Reset in step k, frozen for r steps, then n steps until R I (1 - exp(-n dt / tau)) reaches
    the threshold: n + r steps in all.
    """
    current = np.array([0.21, 0.25, 0.4, 1.0, 5.0])
    net = network(dt)
    cell = cells.lif(tau=TAU, rest=REST, threshold=THRESHOLD, resistance=R, refractory=pause)
    neurons = net.population("neurons", 5, cell, current=current)
    net.record(neurons, "spikes")
    # The others take a thousand times as long for a step.
    time, least = (600, 8) if backend == "cpu" else (200, 2)
    spikes = run(net, time, backend)["neurons"].spikes
    climb = TAU * np.log(R * current / (R * current - (THRESHOLD - REST)))
    expected = np.ceil(climb / dt) + round(pause / dt)
    for neuron in range(5):
        intervals = np.diff(spikes.step[spikes.index == neuron])
        assert len(intervals) >= least
        assert set(intervals) == {expected[neuron]}
        assert 1000 / (intervals[0] * dt) == pytest.approx(
            1000 / (climb[neuron] + pause), rel=dt / climb[neuron]
        )


def test_a_current_that_ends_just_below_threshold_never_fires(backend):
    net = network(0.1)
    neurons = net.population(
        "neurons",
        2,
        cells.lif(rest=REST, threshold=THRESHOLD, resistance=R),
        current=[0.1999, 0.2001],
    )
    net.record(neurons, "spikes")
    assert list(run(net, 200, backend)["neurons"].spikes.count() > 0) == [False, True]


def test_constant_conductances_give_the_closed_form_of_the_shorter_time_constant(backend):
    """Coefficients that never change make exponential Euler exact."""
    leak, exc, inh, capacity = 0.01, 0.004, 0.02, 0.2
    net = network(0.5)
    cell = cells.lif_conductance(
        tau=capacity / leak, rest=-60, reversal_exc=0, reversal_inh=-80, capacity=capacity
    )
    neuron = net.population(
        "neuron", 1, cell, excitatory=exc, inhibitory=inh, tau_exc=1e18, tau_inh=1e18
    )
    net.record(neuron, "v")
    trace = run(net, 30, backend)["neuron"].trace("v")
    total = leak + exc + inh
    end = (leak * -60 + exc * 0 + inh * -80) / total
    assert trace.values[:, 0] == pytest.approx(
        end + (-60 - end) * np.exp(-trace.times() * total / capacity), rel=1e-12
    )


# ---- postsynaptic potentials


@pytest.mark.parametrize("dt", STEPS)
@pytest.mark.parametrize("tau_syn", [TAU_SYN, 40.0])
def test_the_potential_of_an_exponential_current_has_its_shape_height_and_time_of_peak(
    backend, dt, tau_syn
):
    """A spike of step 3 over a delay of 2 steps acts from the beginning of step 6 on."""
    net = network(dt)
    neuron = net.population(
        "neuron", 1, cells.lif(tau=TAU, tau_syn=tau_syn, rest=REST, resistance=R)
    )
    net.project(
        net.spike_source("source", 1, steps=[[3]]),
        neuron,
        ns.one_to_one(),
        weight=0.1,
        delay=2 * dt,
    )
    net.record(neuron, "v")
    trace = run(net, 60, backend)["neuron"].trace("v")
    time, voltage = trace.times() - 6 * dt, trace.values[:, 0] - REST
    assert voltage == pytest.approx(
        R * 0.1 * potential(time, tau=TAU, tau_syn=tau_syn),
        rel=1e-9,
        abs=1e-11,  # the voltage itself is -70 mV, of which rounding leaves so much
    )
    peak = TAU * tau_syn / (TAU - tau_syn) * math.log(TAU / tau_syn)
    assert abs(time[np.argmax(voltage)] - peak) < dt
    # the shape at its peak, simplified
    height = R * 0.1 * (tau_syn / TAU) ** (TAU / (TAU - tau_syn))
    assert voltage.max() == pytest.approx(height, rel=(dt / min(TAU, tau_syn)) ** 2)


def test_equal_time_constants_give_an_alpha_function(backend):
    net = network(0.1)
    neuron = net.population(
        "neuron", 1, cells.lif(tau=TAU, tau_syn=TAU, resistance=R, rest=0, threshold=10)
    )
    net.project(net.spike_source("source", 1, steps=[[0]]), neuron, ns.one_to_one(), weight=0.1)
    net.record(neuron, "v")
    trace = run(net, 100, backend)["neuron"].trace("v")
    time = trace.times() - 0.1
    assert trace.values[:, 0] == pytest.approx(
        R * 0.1 * time / TAU * np.exp(-time / TAU), rel=1e-11, abs=1e-13
    )


def test_excitation_and_inhibition_add_with_their_own_time_constants(backend):
    net = network(0.1)
    neuron = net.population(
        "neuron", 1, cells.lif_exponential(tau=TAU, tau_exc=2, tau_inh=8, capacity=0.5, rest=REST)
    )
    source = net.spike_source("source", 2, steps=[[0], [99]])
    net.project(source[:1], neuron, ns.one_to_one(), weight=0.3, port="excitatory")
    net.project(
        source[1:], neuron, ns.one_to_one(), weight=0.2, port="inhibitory", name="inhibition"
    )
    net.record(neuron, "v")
    trace = run(net, 60, backend)["neuron"].trace("v")
    resistance = TAU / 0.5
    excited = 0.3 * potential(trace.times() - 0.1, tau=TAU, tau_syn=2)
    inhibited = 0.2 * potential(trace.times() - 10.0, tau=TAU, tau_syn=8)
    assert trace.values[:, 0] == pytest.approx(REST + resistance * (excited - inhibited), rel=1e-12)


@pytest.mark.parametrize(
    ("cell", "rest"),
    [(cells.lif_delta(tau=TAU, rest=REST), REST), (cells.leaky_readout(tau=TAU), 0)],
)
def test_jumps_of_the_voltage_decay_and_add(backend, cell, rest, weight=3):
    steps = np.array([0, 4, 5, 60])
    net = network(0.25)
    neuron = net.population("neuron", 1, cell)
    net.project(
        net.spike_source("source", 1, steps=[steps]), neuron, ns.one_to_one(), weight=weight
    )
    net.record(neuron, "v")
    trace = run(net, 40, backend)["neuron"].trace("v")
    since = trace.times()[:, None] - (steps + 1) * 0.25
    expected = rest + weight * np.where(since > 0, np.exp(-since / TAU), 0.0).sum(1)
    assert trace.values[:, 0] == pytest.approx(expected, rel=1e-12)


# ---- noise, sources and wiring: equivalence within bounds of four standard errors, seeds fixed

DECAY, SIGMA = 5.0, 2.0
NOISY = ns.Cell(
    "dx/dt = -x / tau + sigma * xi : mV",
    name="noisy",
    parameters={"tau": ns.Parameter("ms", DECAY), "sigma": ns.Parameter("mV/ms**0.5", SIGMA)},
)


def noisy_samples(backend: str, dt: float) -> np.ndarray:
    """Return 5000 neurons at 8 times, 4 decay times apart from 10 mV on; so samples of one neuron
    are nearly independent.
    """
    net = network(dt, seed=11)
    neurons = net.population("neurons", 5000, NOISY, x="10 mV")
    net.record(neurons, "x", every=4 * DECAY)
    return run(net, 32 * DECAY, backend)["neurons"].trace("x").values


@pytest.mark.parametrize("dt", [1.0, 0.25])
def test_a_noisy_linear_cell_has_mean_and_variance_of_the_scheme_and_nearly_those_of_the_process(
    backend, dt
):
    """35 000 samples n: standard errors sd/sqrt(n) of the mean, sqrt(2/n) of the variance;
    Euler-Maruyama divides it by 1 - dt/2 tau.
    """
    samples = noisy_samples(backend, dt)
    decay = 1 - dt / DECAY
    process = SIGMA**2 * DECAY / 2
    scheme = SIGMA**2 * dt / (1 - decay**2)
    late = samples[1:]
    assert abs(late.mean()) < 4 * math.sqrt(scheme / late.size)
    assert late.var() == pytest.approx(scheme, rel=4 * math.sqrt(2 / late.size))
    assert late.var() == pytest.approx(
        process, rel=dt / (2 * DECAY - dt) + 4 * math.sqrt(2 / late.size)
    )
    assert samples[0].mean() == pytest.approx(
        10 * decay ** (4 * DECAY / dt), abs=4 * math.sqrt(scheme / 5000)
    )
    correlation = np.mean(samples[0] * samples[1]) / scheme  # of neurons 4 decay times apart
    assert abs(correlation - decay ** (4 * DECAY / dt)) < 4 / math.sqrt(5000)


def test_the_bound_on_the_variance_tells_the_scheme_from_the_process(backend):
    """With dt = tau / 5 the two differ by a ninth, more than the bound of the test above."""
    process = SIGMA**2 * DECAY / 2
    late = noisy_samples(backend, 1.0)[1:]
    assert late.var() != pytest.approx(process, rel=4 * math.sqrt(2 / late.size))


@pytest.mark.parametrize("rate", [5.0, 40.0, 400.0, 1000.0])
def test_poisson_sources_have_their_rate_their_intervals_and_no_memory(backend, rate):
    """1000 sources, 1000 steps of 1 ms: at most one spike per step, with p = rate dt."""
    net = network(1.0, seed=3)
    net.record(net.poisson("source", 1000, rate=rate), "spikes")
    spikes = run(net, 1000, backend)["source"].spikes
    p = rate / 1000
    assert len(spikes) == pytest.approx(1e6 * p, abs=4 * math.sqrt(1e6 * p * (1 - p)))
    # binomial: variance of the sample variance of 1000 nearly normal counts
    counts = spikes.count()
    assert counts.var() == pytest.approx(1000 * p * (1 - p), rel=4 * math.sqrt(2 / 1000))
    per_step = np.bincount(spikes.step, minlength=1000)
    assert per_step.var() == pytest.approx(1000 * p * (1 - p), rel=4 * math.sqrt(2 / 1000))
    raster = np.zeros((1000, 1000))
    raster[spikes.step, spikes.index] = 1.0
    pairs = np.mean(raster[1:] * raster[:-1])  # the same neuron in two steps that follow each other
    assert pairs == pytest.approx(p * p, abs=4 * math.sqrt(p * p / 999_000))
    neighbours = np.mean(raster[:, 1:] * raster[:, :-1])
    assert neighbours == pytest.approx(p * p, abs=4 * math.sqrt(p * p / 999_000))


def test_a_poisson_source_follows_the_table_of_its_rate(backend):
    """1000 sources, 100 steps per row."""
    net = network(1.0, seed=4)
    source = net.poisson("source", 1000, rate=ns.table([0.0, 100.0, 20.0], every="100 ms"))
    net.record(source, "spikes")
    counts = np.histogram(run(net, 400, backend)["source"].spikes.step, [0, 100, 200, 300, 400])[0]
    p = np.array([0.0, 100.0, 20.0, 20.0]) / 1000
    assert counts[0] == 0
    assert np.all(np.abs(counts - 1e5 * p) <= 4 * np.sqrt(1e5 * p * (1 - p)))


@pytest.mark.parametrize(("n", "rate"), [(1, 100.0), (100, 20.0)])
def test_a_poisson_drive_adds_counts_with_mean_and_variance_of_all_its_trains(backend, n, rate):
    """2000 targets for 500 ms; unlike a source, a drive counts several spikes of one step."""
    net = network(0.5, seed=5)
    target = net.population("target", 2000, COUNTER)
    net.poisson_drive(target, n=n, rate=rate, weight=1.0)
    net.record(target, "x", every="500 ms")
    counts = run(net, 500, backend)["target"].trace("x").values[0]
    mean = n * rate * 0.4995  # what the last of 1000 steps brings is felt in the next
    assert counts.mean() == pytest.approx(mean, abs=4 * math.sqrt(mean / 2000))
    assert counts.var() == pytest.approx(mean, rel=4 * math.sqrt((2 + 1 / mean) / 2000))


def test_a_drive_counts_far_more_spikes_per_step_than_one_draw_can(backend):
    """1500 per step, for 500 targets and 12 steps; exp(-1500) is zero."""
    net = network(0.5, seed=5)
    target = net.population("target", 500, COUNTER)
    net.poisson_drive(target, n=6000, rate=500.0, weight=1.0)
    net.record(target, "x")
    counts = np.diff(run(net, 13, backend)["target"].trace("x").values, axis=0)
    n, mean = counts.size, 1500.0
    assert counts.mean() == pytest.approx(mean, abs=4 * math.sqrt(mean / n))
    assert counts.var() == pytest.approx(mean, rel=4 * math.sqrt((2 + 1 / mean) / n))


def test_a_fixed_probability_gives_binomial_sums_of_weights_at_the_targets(backend):
    """500 sources spike once: each of 2000 targets counts its edges; no pair has two."""
    net = network(1.0, seed=6)
    source = net.spike_source("source", 500, steps=[[0]] * 500)
    target = net.population("target", 2000, COUNTER)
    net.project(source, target, ns.fixed_probability(0.1), weight=1.0)
    net.record(target, "x")
    counts = run(net, 2, backend)["target"].trace("x").values[-1]
    assert counts.mean() == pytest.approx(50, abs=4 * math.sqrt(45 / 2000))
    assert counts.var() == pytest.approx(45, rel=4 * math.sqrt(2 / 2000))


# ---- refractoriness


@pytest.mark.parametrize(
    ("dt", "pause", "interval"), [(1.0, 0.0, 1), (1.0, 1.0, 2), (0.5, 2.0, 5), (0.1, 0.3, 4)]
)
def test_after_a_spike_of_step_k_the_next_comes_in_step_k_plus_r_plus_1_at_the_earliest(
    backend, dt, pause, interval
):
    net = network(dt)
    net.record(net.population("neuron", 1, RESTLESS, pause=pause), "spikes")
    steps = run(net, 60 * dt, backend)["neuron"].spikes.step
    assert list(steps) == list(range(0, 60, interval))


def test_refractory_times_may_differ_between_neurons(backend):
    net = network(1.0)
    net.record(net.population("neurons", 3, RESTLESS, pause=[0.0, 1.0, 4.0]), "spikes")
    assert list(run(net, 60, backend)["neurons"].spikes.count()) == [60, 30, 12]


def test_a_frozen_voltage_loses_what_arrives_and_a_current_keeps_it(backend):
    """The spike of step 0 freezes v in steps 1 to 3; what lands in phase 4 of steps 0 to 2 meets it
    frozen, of step 3 free.
    """
    for landing, survives in [(0, False), (1, False), (2, False), (3, True)]:
        net = network(1.0)
        delta = net.population(
            "delta", 1, cells.lif_delta(rest=0, threshold=10, refractory=3), v=12.0
        )
        current = net.population(
            "current", 1, cells.lif(rest=0, threshold=10, refractory=3, tau_syn=50), v=12.0
        )
        source = net.spike_source("source", 1, steps=[[landing]])
        for target, weight in ((delta, 1.0), (current, 0.01)):
            net.project(source, target, ns.one_to_one(), weight=weight)
            net.record(target, "v", "spikes")
        result = run(net, 8, backend)
        assert list(result["delta"].spikes.step) == list(result["current"].spikes.step) == [0]
        assert list(result["delta"].trace("v").values[:3, 0]) == [0, 0, 0]
        assert (result["delta"].trace("v").values[-1, 0] > 0) == survives
        assert result["current"].trace("v").values[-1, 0] > 0


def test_a_voltage_that_is_not_frozen_moves_while_spikes_are_blocked(backend):
    climbing = ns.Cell(
        "dv/dt = 1 * mV/ms : mV",
        spike="v >= 2 * mV",
        after_spike="v = 0 * mV",
        refractory="5 ms",
        name="climbing",
    )
    net = network(1.0)
    net.record(net.population("neuron", 1, climbing), "spikes", "v")
    recorded = run(net, 20, backend)["neuron"]
    assert list(recorded.spikes.step) == [1, 7, 13, 19]
    assert list(recorded.trace("v").values[:9, 0]) == [1, 0, 1, 2, 3, 4, 5, 0, 1]


# ---- delays and times


@pytest.mark.parametrize("delay", [0, 1, 2, 7])
def test_what_lands_in_phase_4_of_step_k_plus_d_is_integrated_in_step_k_plus_d_plus_1(
    backend, delay
):
    net = network(0.5)
    target = net.population("target", 1, COUNTER)
    net.project(
        net.spike_source("source", 1, steps=[[3, 9]]),
        target,
        ns.one_to_one(),
        weight=1.0,
        delay=0.5 * delay,
    )
    net.record(target, "x")
    jumps = run(net, 12, backend)["target"].trace("x").values[:, 0]
    steps = np.arange(24)
    assert list(jumps) == list((steps >= 3 + delay + 1) * 1.0 + (steps >= 9 + delay + 1))


def test_delays_count_alike_from_neurons_and_from_sources(backend):
    net = network(1.0)
    ticking = net.population("ticking", 1, RESTLESS, pause=9.0)
    listed = net.spike_source("given", 1, steps=[range(0, 40, 10)])
    for source in (ticking, listed):
        target = net.population(f"after-{source.name}", 1, COUNTER)
        net.project(source, target, ns.one_to_one(), weight=1.0, delay=3.0)
        net.record(target, "x")
    result = run(net, 40, backend)
    jumps = result["after-ticking"].trace("x").values
    assert np.array_equal(jumps, result["after-given"].trace("x").values)
    assert list(np.flatnonzero(np.diff(jumps[:, 0])) + 1) == [4, 14, 24, 34]


def test_each_edge_of_a_projection_has_its_own_delay(backend):
    net = network(1.0)
    targets = net.population("targets", 4, COUNTER)
    net.project(
        net.spike_source("source", 1, steps=[[2]]),
        targets,
        ns.all_to_all(),
        weight=1.0,
        delay=np.array([0.0, 5.0, 1.0, 12.0]),
    )
    net.record(targets, "x")
    assert list((run(net, 20, backend)["targets"].trace("x").values > 0).argmax(0)) == [3, 8, 4, 15]


def test_a_spike_of_step_k_has_the_time_of_its_end_and_given_times_come_back(backend):
    """v = 1, 2, 3 mV at 0.5, 1.0, 1.5 ms: the state at 1.5 ms, the end of step 2, is the first at
    threshold.
    """
    climbing = ns.Cell(
        "dv/dt = 2 * mV/ms : mV", spike="v >= 3 * mV", after_spike="v = -100 * mV", name="climbing"
    )
    net = network(0.5)
    neuron = net.population("neuron", 1, climbing)
    source = net.spike_source("source", 2, times=[[0.5, 4.0], [2.5]])
    net.record(neuron, "spikes")
    net.record(source, "spikes")
    result = run(net, 5, backend)
    spikes = result["neuron"].spikes
    assert (list(spikes.step), list(spikes.times()), list(spikes.times("start"))) == (
        [2],
        [1.5],
        [1.0],
    )
    listed = result["source"].spikes
    assert (list(listed.step), list(listed.index), list(listed.times())) == (
        [0, 4, 7],
        [0, 1, 0],
        [0.5, 2.5, 4.0],
    )


def test_a_spike_at_time_0_is_refused_with_the_first_possible_time():
    with pytest.raises(
        ns.NetworkError,
        match=(
            r"population 'source': found a spike at 0 ms; "
            r".* is dt \(0.5 ms\).*Use 0.5 ms, or steps=."
        ),
    ):
        network(0.5).spike_source("source", 1, times=[[0.0]])


def test_traces_begin_after_the_first_step_and_keep_the_initial_state_beside(backend):
    net = network(0.5)
    neuron = net.population("neuron", 1, cells.leaky_readout(tau=TAU), v=1.0)
    net.record(neuron, "v", every=1.0)
    trace = run(net, 3, backend)["neuron"].trace("v")
    assert (list(trace.initial), list(trace.times())) == ([1.0], [1.0, 2.0, 3.0])
    assert trace.values[:, 0] == pytest.approx(np.exp(-np.array([1.0, 2.0, 3.0]) / TAU), rel=1e-13)


def test_a_value_set_between_runs_reaches_the_constants_computed_from_it(backend):
    """An engine may hold arrays of its own in place of those that it was prepared with."""
    leak = ns.Cell(
        "dv/dt = (bias - v) / tau : 1",
        parameters={"tau": "8 ms", "bias": "0.5"},
        # Not a constant of its own, so that Brian 2 holds an array of its own for the parameter.
        spike="v * bias > 10",
        after_spike="v = 0",
    )
    net = ns.Network("set", dt="1 ms", seed=1)
    cells = net.population("cells", 2, leak, bias=ns.uniform(0.5, 0.6))
    net.record(cells, "v")
    prepared = ns.prepare(net, backend=backend)
    part = 1 - math.exp(-1 / 8)
    expected = np.zeros(2)
    bias = prepared.get(cells, "bias").copy()
    for value in (None, 0.1, 0.9):
        if value is not None:
            bias[0] = value
            prepared.set(cells[[0]], bias=value)
        prepared.run("1 ms", progress=False)
        expected += part * (bias - expected)
        assert prepared.get(cells, "v") == pytest.approx(expected, rel=1e-12)
