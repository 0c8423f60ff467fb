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


def test_sources_have_their_times_intervals_and_rates(backend):
    found = ns.simulate(network(), "200 ms", backend=backend, progress=False)
    clock = found["clock"].spikes
    assert clock.times()[clock.index == 0] == pytest.approx(np.arange(10, 201, 10))
    assert clock.times()[clock.index == 1] == pytest.approx(np.arange(12.5, 201, 25))
    assert not (clock.index == 2).any()
    gamma = found["gamma"].spikes
    assert gamma.count().mean() == pytest.approx(20, rel=0.1)
    gaps = np.concatenate([np.diff(gamma.times()[gamma.index == n]) for n in range(20)])
    assert gaps.std() / gaps.mean() == pytest.approx(0.5, rel=0.15)
    times = found["wave"].spikes.times() % 100
    # The integrals of 1 + sin over both halves are 50 +- 100/pi ms.
    assert (times <= 50).sum() / (times > 50).sum() == pytest.approx(
        (50 + 100 / np.pi) / (50 - 100 / np.pi), rel=0.25
    )
    assert len(times) == pytest.approx(200 * 0.2 * 100, rel=0.1)
    expected = ns.simulate(network(), "200 ms", backend="reference", progress=False)
    for name in ("clock", "gamma", "wave"):
        np.testing.assert_array_equal(found[name].spikes.step, expected[name].spikes.step)


def test_rates_and_shapes_out_of_range_are_refused():
    net = ns.Network("net", dt="1 ms", seed=3)
    for add, message in (
        (lambda: net.regular("a", 1, rate=-1), "rate"),
        (lambda: net.regular("a", 1, rate=1001), "rate"),
        (lambda: net.gamma("a", 1, rate=300, shape=4), "rate"),
        (lambda: net.gamma("a", 1, rate=10, shape=1.5), "shape"),
        (lambda: net.poisson("a", 1, rate="t"), "1/time|Hz|rate"),
    ):
        with pytest.raises(ns.NeurosimError, match=message):
            add()
    assert not net.populations
