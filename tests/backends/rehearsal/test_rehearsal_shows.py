"""Networks whose differences from `cpu` the documentation tells, in small."""

import numpy as np
import pytest

import neurosim as ns
from benchmarks.rehearsal import BACKENDS, balanced, reservoir
from neurosim.analysis.changes import find_spike_changes
from neurosim.models.astrocyte_liquid import Liquid, Settings, frozen
from neurosim.models.astrocyte_liquid.frozen import counts_of_samples, input_spikes


def changes(net, duration):
    first, second = (
        ns.simulate(net, duration, backend=backend, progress=False) for backend in BACKENDS
    )
    return find_spike_changes(first, second)[-1]


@pytest.mark.parametrize("seed", [1, 2])
def test_a_balanced_network_spikes_as_often_and_in_other_steps(seed):
    """A trial with other numbers had 5247 spikes for 5553, which is 5.5 % less; the activity is
    chaotic, so that runs of half a second differ by as much either way."""
    network = changes(balanced(steps=500, seed=seed), 500)
    assert len(network.second) / len(network.first) == pytest.approx(1, abs=0.08)
    assert network.kept > 100
    assert network.moved > network.kept


def test_the_reservoir_keeps_its_rate_at_a_small_step():
    network = changes(reservoir(dt=0.1), 100)
    assert len(network.second) / len(network.first) == pytest.approx(1, abs=0.02)
    # Until chaos has grown most spikes are those of cpu, up to a few steps.
    assert network.kept + network.moved > 0.8 * len(network.first)


def test_the_reservoir_runs_away_at_a_step_of_one_millisecond():
    network = changes(reservoir(), 300)
    late = network.first.step >= 200, network.second.step >= 200
    assert late[1].sum() > 5 * late[0].sum()


def test_a_frozen_liquid_gives_nearly_the_counts_of_cpu():
    images = np.random.default_rng(0).uniform(0, 0.2, (3, 30))
    liquid = Liquid(Settings(side=4, inputs=30, density=0.5, gain=0.1), seed=1)
    liquid.self_organise(images)
    net = frozen(liquid, input_spikes(liquid, list(images)))
    counts = [
        counts_of_samples(
            ns.simulate(net, 1500, backend=backend, progress=False)["liquid"].spikes, samples=3
        )
        for backend in BACKENDS
    ]
    assert np.corrcoef(counts[0].ravel(), counts[1].ravel())[0, 1] > 0.99
    assert counts[1].sum() / counts[0].sum() == pytest.approx(1, abs=0.02)
