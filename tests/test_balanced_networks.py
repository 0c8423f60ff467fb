"""The networks that simulators are compared on fire at the rates that other simulators report."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

import neurosim as ns
from neurosim.models.balanced_networks import coba, cuba, izhikevich_2003

# Network, Hz, accepted deviation, seeds, duration. The papers print no rates. Those of Brian 2, GeNN and NEST, one realisation each, are
# 5.3 to 5.6 Hz (CUBA, 1 s), 19.0 to 20.1 Hz (COBA, 1 s) and 7.16 to 7.18 Hz (Izhikevich, 10 s). Over 120 wirings of ours, half of them
# drawn by NumPy, the standard deviation between wirings was 0.22 Hz (CUBA) and 1.2 Hz (COBA), which sets the number of seeds.
PUBLISHED = [(cuba, 5.5, 0.5, 8, "1 s"), (coba, 19.5, 2.0, 10, "1 s"), (izhikevich_2003, 7.2, 0.4, 4, "5 s")]


def rates(build, *, seeds: int, time: str, backend: str, change: tuple[str, str] | None = None) -> np.ndarray:
    """Return the mean rate of each seed in Hz; ``change`` is a projection and its other weight."""
    found = []
    for seed in range(seeds):
        run = ns.prepare(build(seed=seed), backend=backend)
        if change is not None:
            run.set(change[0], w=change[1])
        run.run(time, progress=False)
        found.append(ns.measure.rate(run.result()["neurons"].spikes))
    return np.array(found)


def equivalent(values: np.ndarray, target: float, deviation: float) -> bool:
    """Return whether the mean differs from a target by less than a bound: two one-sided t-tests at 5 %."""
    half = t.ppf(0.95, values.size - 1) * values.std(ddof=1) / np.sqrt(values.size)
    return bool(abs(values.mean() - target) + half < deviation)


@pytest.mark.parametrize(("build", "rate", "deviation", "seeds", "time"), PUBLISHED)
def test_the_mean_rate_is_that_of_other_simulators(build, rate, deviation, seeds, time, fast_backend):
    found = rates(build, seeds=seeds, time=time, backend=fast_backend)
    assert equivalent(found, rate, deviation), found


@pytest.mark.parametrize(("build", "projection", "weaker"), [(cuba, "inhibition", "80 pA"), (coba, "excitation", "5.4 nS")])
def test_a_weight_that_is_a_tenth_too_small_is_noticed(build, projection, weaker, fast_backend):
    """The control of the test above: the published weights are 90 pA and 6 nS."""
    _, rate, deviation, seeds, time = next(row for row in PUBLISHED if row[0] is build)
    assert not equivalent(rates(build, seeds=seeds, time=time, backend=fast_backend, change=(projection, weaker)), rate, deviation)


@pytest.mark.parametrize("build", [cuba, coba, izhikevich_2003])
def test_small_versions_fire_and_are_the_same_on_every_backend(build, backend, fast_backend):
    """One neuron in five inhibits at any size, and the number of inputs per neuron does not depend on it."""
    net = build(200, seed=3)
    assert [len(p.source) for p in net.inputs] == [160, 40]
    found = ns.simulate(net, "50 ms", backend=backend)["neurons"].spikes
    assert found.index.size > 20 and found == ns.simulate(net, "50 ms", backend=fast_backend)["neurons"].spikes


@pytest.mark.parametrize("build", [cuba, coba])
def test_a_neuron_has_eighty_inputs_on_average(build, fast_backend):
    program = ns.prepare(build(400, seed=1), backend=fast_backend).program
    assert sum(p.targets.size for p in program.projections.values()) / 400 == pytest.approx(80, abs=2)


@pytest.mark.parametrize("size", [79, 0, -4, 100.0, "100"])
def test_a_size_that_cannot_hold_the_inputs_is_refused(size):
    message = r"balanced network, size: found .*, expected a whole number of at least 80 neurons\. Published sizes are"
    with pytest.raises(ns.NetworkError, match=message):
        cuba(size)
