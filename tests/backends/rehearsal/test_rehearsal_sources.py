"""Poisson draws of the rehearsal: those of `neurosim.draws.streams`, by tables and by search."""

import numpy as np
import pytest

import neurosim as ns
from neurosim.backends.pynn.rehearsal.sources import CELLS, poisson_count, tabulate
from neurosim.draws import streams
from neurosim.models import cells


@pytest.mark.parametrize("mean", [0.0, 0.013, 1.0, 7.5, 120.0, 699.0])
def test_tables_of_poisson_counts_are_those_of_the_search(mean):
    uniform = streams.uniform((1, 2), np.arange(2000), 5)
    edges = (np.array([0, 1, 2**31, 2**32 - 1]) + 0.5) / 2**32
    numbers = np.concatenate([uniform, edges])
    quantiles, begins = tabulate(mean)
    counts = []
    for number in numbers:
        count = begins[int(number * CELLS)]
        while number >= quantiles[count]:
            count += 1
        counts.append(count)
    assert counts == streams.poisson(np.full(numbers.size, mean), numbers).tolist()
    assert poisson_count(mean, numbers[3]) == counts[3]


def driven(rate, steps=60):
    """Return the currents of 9 neurons of which 5 are driven, on cpu and in the rehearsal.

    They are given per spike: weights are whole steps of the machine, and the current that a drive
    brings is the difference of two samples.
    """
    net = ns.Network("driven", dt="1 ms", seed=4)
    cell = cells.lif_exponential(tau_exc="5 ms", tau_inh="5 ms", threshold="1000 mV")
    target = net.population("target", 9, cell)
    net.poisson_drive(target[2:7], n=1, rate=rate, weight="1 nA", port="excitatory", name="drive")
    # A large weight that is never sent makes room in the slots for many small ones.
    silent = net.spike_source("silent", 1)
    net.project(silent, target, ns.all_to_all(), weight="2000 nA", port="excitatory")
    net.record(target, "excitatory")
    traces = [
        ns.simulate(net, steps, backend=backend, progress=False)["target"].trace("excitatory")
        for backend in ("cpu", "spinnaker-rehearsal")
    ]
    return [np.diff(t.values, axis=0) + t.values[:-1] * (1 - np.exp(-0.2)) for t in traces]


@pytest.mark.parametrize("rate", ["900 Hz", [100.0, 200.0, 300.0, 800.0, 2500.0], "800 kHz"])
def test_drives_bring_the_counts_of_other_engines(rate):
    """One mean is read from a table, several are searched, and above 700 several draws are added.

    Here a sample has what is left of 1 nA after a step, there the mean of the step of arrival."""
    ours, theirs = driven(rate)
    ours = ours / np.exp(-0.2)
    share = 3892384920 / 2**32
    assert np.rint(ours[:, 2:7]).max() > 1
    # There a sample has the arrivals of the step that follows.
    assert np.rint(theirs[:-1] / share).tolist() == np.rint(ours[1:]).tolist()
    assert not theirs[:, [0, 1, 7, 8]].any()


@pytest.mark.parametrize("steps", [[50], [13, 37], [1] * 50])
def test_rates_over_time_and_by_neuron_give_the_spikes_of_other_engines(steps):
    rates = np.array([[100.0, 500.0, 0.0], [900.0, 0.0, 300.0]])
    net = ns.Network("rates", dt="1 ms", seed=2)
    net.poisson("both", 3, rate=ns.table(rates, every="20 ms", unit="Hz"))
    net.bernoulli("chance", 5, p=0.3)
    for population in net.populations.values():
        net.record(population, "spikes")
    results = []
    for backend in ("cpu", "spinnaker-rehearsal"):
        run = ns.prepare(net, backend=backend)
        for piece in steps:
            run.run(piece, progress=False)
        results.append(run.result())
    for name in ("both", "chance"):
        assert results[0][name].spikes == results[1][name].spikes
        assert len(results[0][name].spikes) > 20
