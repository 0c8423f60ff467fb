"""Poisson draws of the rehearsal: those of `neurosim.draws.streams`, by tables and by search."""

import numpy as np
import pytest

import neurosim as ns
from neurosim.backends.pynn.rehearsal.sources import CELLS, level_of, poisson_count, tabulate
from neurosim.draws import streams
from neurosim.models import cells


@pytest.mark.parametrize("mean", [0.0, 0.013, 1.0, 7.5, 120.0, 699.0])
def test_tables_of_poisson_counts_are_those_of_the_search(mean):
    uniform = streams.uniform((1, 2), np.arange(2000), 5)
    levels, begins = tabulate(mean)
    # At each level, and one below: there a count begins.
    ends = [word for level in levels[:-1] for word in (level - 1, level) if 0 <= word < 2**32]
    words = [*(uniform * 2**32).astype(np.int64), 0, 1, 2**31, 2**32 - 1, *ends]
    numbers = (np.array(words) + 0.5) / 2**32
    counts = []
    for word in words:
        count = begins[word * CELLS >> 32]
        while word >= levels[count]:
            count += 1
        counts.append(count)
    assert counts == streams.poisson(np.full(numbers.size, mean), numbers).tolist()
    assert poisson_count(mean, numbers[3]) == counts[3]


def test_a_word_is_below_a_level_if_its_number_is_below_the_chance():
    grain = 2.0**-32
    chances = [0.0, 1e-300, 0.4 * grain, 0.5 * grain, 0.6 * grain, 1.5 * grain, 0.005, 0.3]
    chances += [0.5, np.nextafter(0.5, 1), 1 - 0.5 * grain, np.nextafter(1, 0), 1.0, 7.0]
    for chance, level in zip(chances, level_of(np.array(chances)), strict=True):
        words = [w for w in (0, 1, 2, level - 1, level, 2**32 - 1) if 0 <= w < 2**32]
        for word in words:
            assert (word < level) == ((word + 0.5) / 2**32 < chance), (chance, word)


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


def test_rates_that_a_run_sets_begin_at_the_next_step():
    net = ns.Network("later", dt="1 ms", seed=2)
    low = ns.table(np.full((1, 3), 20.0), every="20 ms", unit="Hz")
    net.record(net.poisson("both", 3, rate=low), "spikes")
    spikes = []
    for backend in ("cpu", "spinnaker-rehearsal"):
        run = ns.prepare(net, backend=backend)
        run.run(13, progress=False)
        rates = np.array([[900.0] * 3, [0.0] * 3])
        run.set("both", rate=ns.table(rates, every="20 ms", unit="Hz"))
        run.run(60, progress=False)
        spikes.append(run.result()["both"].spikes)
    assert spikes[0] == spikes[1]
    # The first row holds for 20 steps from the one in which it was set.
    assert spikes[1].step.max() in (31, 32) and len(spikes[1]) > 40
