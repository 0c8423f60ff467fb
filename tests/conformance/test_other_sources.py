"""Regular and gamma sources, and rates as text over time."""

from __future__ import annotations

import numpy as np
import pytest

import neurosim as ns

BACKENDS = ("reference", "cpu", "brian")


def network() -> ns.Network:
    net = ns.Network("net", dt="0.1 ms", seed=3)
    net.regular("clock", 3, rate=[100, 40, 0], phase=[0, 0.5, 0])
    net.gamma("gamma", 20, rate="100 Hz", shape=4)
    net.gamma("steady", 1, rate="100 Hz", shape=25)
    net.poisson("wave", 200, rate="(1 + sin(2*pi*t / (100*ms))) * 100*Hz")
    for population in net.populations.values():
        net.record(population, "spikes")
    return net


def test_sources_have_their_times_intervals_and_rates(backend, fast_backend):
    recording = ns.simulate(network(), "200 ms", backend=backend, progress=False)
    clock = recording["clock"].spikes
    assert clock.times()[clock.index == 0] == pytest.approx(np.arange(10, 201, 10))
    assert clock.times()[clock.index == 1] == pytest.approx(np.arange(12.5, 201, 25))
    assert not (clock.index == 2).any()
    gamma = recording["gamma"].spikes
    assert gamma.count().mean() == pytest.approx(20, rel=0.1)
    gaps = np.concatenate([np.diff(gamma.times()[gamma.index == n]) for n in range(20)])
    assert gaps.std() / gaps.mean() == pytest.approx(0.5, rel=0.15)
    times = recording["wave"].spikes.times() % 100
    # The integrals of 1 + sin over both halves are 50 +- 100/pi ms.
    assert (times <= 50).sum() / (times > 50).sum() == pytest.approx(
        (50 + 100 / np.pi) / (50 - 100 / np.pi), rel=0.25
    )
    assert len(times) == pytest.approx(200 * 0.2 * 100, rel=0.1)
    expected = ns.simulate(network(), "200 ms", backend=fast_backend, progress=False)
    for name in ("clock", "gamma", "wave"):
        np.testing.assert_array_equal(recording[name].spikes.step, expected[name].spikes.step)


def test_rates_and_shapes_out_of_range_are_refused():
    net = ns.Network("net", dt="1 ms", seed=3)
    for add, message in (
        (lambda: net.regular("a", 1, rate=-1), "rate"),
        (lambda: net.regular("a", 1, rate=1001), "rate"),
        (lambda: net.gamma("a", 1, rate=300, shape=4), "rate"),
        (lambda: net.gamma("a", 1, rate=1001, shape=1.5), "rate"),
        (lambda: net.gamma("a", 1, rate=10, shape=0.05), "expected one number of at least 0.1"),
        (lambda: net.gamma("a", 1, rate=10, shape=[1.5, 2]), "expected one number of at least"),
        (lambda: net.poisson("a", 1, rate="t"), "1/time|Hz|rate"),
    ):
        with pytest.raises(ns.NeurosimError, match=message):
            add()
    assert not net.populations


def renewal(*, rate: object = "50 Hz", shape: float = 2.5, size: int = 400) -> ns.Network:
    net = ns.Network("net", dt="0.5 ms", seed=5)
    net.record(net.gamma("gamma", size, rate=rate, shape=shape), "spikes")
    return net


SHAPES = [0.4, 1.7, 2.5, 12.3]


@pytest.mark.parametrize("shape", SHAPES)
def test_intervals_of_any_shape_have_its_mean_and_variation(fast_backend, shape):
    spikes = ns.simulate(renewal(shape=shape), "300 ms", backend=fast_backend)["gamma"].spikes
    gaps = np.concatenate([np.diff(spikes.of(n)) for n in range(400)])
    # 6000 spikes: five standard errors of their number, whose variance is the mean / shape.
    assert len(spikes) == pytest.approx(6000, abs=5 * np.sqrt(6000 / shape))
    # Long intervals are cut by the end of a recording, hence the bounds.
    assert gaps.std() / gaps.mean() == pytest.approx(shape**-0.5, rel=0.15)
    # The beginning is like the rest: sources begin in equilibrium.
    early = (spikes.times() <= 30).sum()
    assert early == pytest.approx(600, abs=5 * np.sqrt(600 / min(shape, 1)))


@pytest.mark.parametrize("shape", SHAPES)
def test_intervals_of_any_shape_are_the_same_on_every_engine(backend, fast_backend, shape):
    net = renewal(shape=shape, size=50)
    one, other = (ns.simulate(net, "50 ms", backend=name) for name in (backend, fast_backend))
    assert one["gamma"].spikes == other["gamma"].spikes and len(one["gamma"].spikes) > 60


def test_a_rate_as_text_has_no_more_than_a_spike_in_a_step_and_none_below_0(backend):
    net = ns.Network("net", dt="1 ms", seed=5)
    rate = "where(t < 20*ms, 5000*Hz, where(t < 40*ms, -100*Hz, 100*Hz))"
    for name, add in {
        "poisson": lambda: net.poisson("poisson", 50, rate=rate),
        "regular": lambda: net.regular("regular", 50, rate=rate),
        "gamma": lambda: net.gamma("gamma", 50, rate=rate, shape=2),
        "renewal": lambda: net.gamma("renewal", 50, rate=rate, shape=2.5),
    }.items():
        net.record(add(), "spikes")
        assert name in net.populations
    result = ns.simulate(net, "140 ms", backend=backend)
    for name in net.populations:
        step = result[name].spikes.step
        most = 10 if name == "gamma" else 20  # of two events per spike
        assert (step < 20).sum() == pytest.approx(50 * most, rel=0.15)
        # What a step could not emit is no debt, but for intervals drawn shorter than a step.
        assert (step[step < 40] >= 22).sum() <= (60 if name == "renewal" else 0)
        assert (step >= 40).sum() == pytest.approx(500, rel=0.3)


def test_set_checks_rates_of_gamma_sources(backend):
    net = ns.Network("net", dt="1 ms", seed=3)
    net.gamma("whole", 2, rate=100, shape=4)
    net.gamma("any", 2, rate=100, shape=2.5)
    run = ns.prepare(net, backend=backend)
    for name, rate in (("whole", 251), ("whole", -1), ("any", 1001), ("any", [1, -1])):
        with pytest.raises(ns.NetworkError, match=f"set '{name}', rate"):
            run.set(name, rate=rate)
    for name in ("whole", "any"):
        with pytest.raises(ns.NetworkError, match="the shape of the intervals of a source is fix"):
            run.set(name, shape=2)
        assert run.get(name, "rate") == 100
        run.set(name, rate=240)
