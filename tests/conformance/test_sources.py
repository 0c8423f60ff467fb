"""Time, draws and sources within a step: what a cell reads of them, given spikes, and counts of
drives.
"""

from __future__ import annotations

import numpy as np
import pytest
from support.stepping import COUNTER, network, prepare

import neurosim as ns
from neurosim import Cell, Network


def test_time_is_k_dt_in_every_phase_and_draws_are_constant_within_a_step(backend):
    cell = Cell(
        "at : ms; reset : ms; a : 1; b : 1; c : 1; noise = uniform() : 1",
        step="at = t; a = noise; b = noise; c = uniform()",
        spike="noise >= 0",
        after_spike="reset = t",
        name="words_of_a_cell",
    )
    net = network(0.1)
    cells = net.population("p", 3, cell)
    net.record(cells, "at", "reset", "a", "b", "c")
    traces = prepare(net, backend, 20).result()["p"].traces
    assert (
        traces["at"].values[:, 0].tolist()
        == [k * 0.1 for k in range(20)]
        == traces["reset"].values[:, 0].tolist()
    )
    assert (traces["a"].values == traces["b"].values).all()
    assert (traces["a"].values != traces["c"].values).all()
    assert len(np.unique(traces["a"].values)) == 60  # a new draw for each neuron and step


def test_draws_do_not_depend_on_what_else_is_in_the_network(backend):
    def draws(extra: bool) -> np.ndarray:
        net = Network("contract", dt=1.0, seed=5)
        if extra:
            net.population("another", 9, NORMAL)
        net.record(net.population("p", 4, NORMAL, start=ns.uniform(0, 1)), "v")
        return prepare(net, backend, 6).result()["p"].trace("v").values

    assert (draws(False) == draws(True)).all()


NORMAL = Cell("v : 1", parameters={"start": 0.0}, step="v = normal() + start", name="normal_draws")


def test_sources_of_given_spikes_return_them(backend):
    net = network(0.1)
    times = net.spike_source("times", 2, times=["0.3 ms", [0.1, 0.5]])
    steps = net.spike_source("steps", 2, steps=([1, 0, 0], [4, 7, 0]))
    net.record(times, "spikes")
    net.record(steps, "spikes")
    run = prepare(net, backend, 9)
    recording = run.result()
    assert [recording["times"].spikes.step.tolist(), recording["times"].spikes.index.tolist()] == [
        [0, 2, 4],
        [1, 0, 1],
    ]
    assert recording["times"].spikes.times() == pytest.approx([0.1, 0.3, 0.5])
    assert [recording["steps"].spikes.step.tolist(), recording["steps"].spikes.index.tolist()] == [
        [0, 4, 7],
        [0, 1, 0],
    ]
    run.set(times, steps=[[10], [9, 11]])
    run.run("0.4 ms")
    assert run.result()["times"].spikes.step.tolist() == [0, 2, 4, 9, 10, 11]


def test_a_drive_adds_poisson_counts_of_its_trains_to_each_target(backend):
    """n rate dt = 2 per step and target: the mean of 4000 counts within five standard errors, their
    variance within ten per cent.
    """
    net = network()
    counters = net.population("c", 40, COUNTER)
    drive = net.poisson_drive(counters, n=20, rate=100.0, weight=0.5, name="d")
    net.record(counters, "v")
    run = prepare(net, backend, 101)
    counts = np.diff(run.result()["c"].trace("v").values, axis=0) / 0.5
    assert counts.size == 4000 and (counts == np.floor(counts)).all()
    assert counts.mean() == pytest.approx(2.0, abs=5 * np.sqrt(2.0 / 4000))
    assert counts.var() == pytest.approx(2.0, rel=0.1)
    before = run.get(counters, "v")
    run.set(drive, rate=50.0)
    assert run.get(drive, "rate") == 50.0
    run.run(101.0, progress=False)
    halved = np.diff(run.result()["c"].trace("v").values[102:], axis=0) / 0.5
    assert halved.mean() == pytest.approx(1.0, abs=5 * np.sqrt(1.0 / halved.size))
    run.set(drive, rate=0.0)
    run.run(1.0)  # what was drawn in the last step lands
    before = run.get(counters, "v")
    run.run(10.0)
    assert (run.get(counters, "v") == before).all()


def test_a_bernoulli_source_has_its_probability_and_a_poisson_source_its_rate(backend):
    net = network()
    net.record(net.bernoulli("b", 3, p=[0.0, 0.3, 1.0]), "spikes")
    net.record(net.poisson("q", 1, rate=ns.table([0.0, 300.0], every="100 ms")), "spikes")
    recording = prepare(net, backend, 1100).result()
    counts = np.bincount(recording["b"].spikes.index, minlength=3)
    assert counts[0] == 0
    assert counts[2] == 1100
    assert counts[1] == pytest.approx(330, abs=5 * np.sqrt(1100 * 0.3 * 0.7))
    p = 0.3
    assert recording["q"].spikes.step.min() >= 100
    assert len(recording["q"].spikes) == pytest.approx(
        1000 * p, abs=5 * np.sqrt(1000 * p * (1 - p))
    )
