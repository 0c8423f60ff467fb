"""Times late in a run: off the grid they are refused as early ones are, and messages show it."""

from __future__ import annotations

import numpy as np
import pytest
from support.messages import parts

import neurosim as ns
from neurosim import Cell, Network
from neurosim.network.validation import to_steps


@pytest.mark.parametrize("dt", [0.1, 0.05, 0.025, 0.3, 1 / 3, 0.01])
def test_multiples_of_dt_are_read_at_any_time(dt):
    late = np.random.default_rng(1).integers(0, 2**50, 20_000)
    for steps in (np.arange(50_000), late):
        assert np.array_equal(to_steps(steps * dt, dt, where="time"), steps)
    decimal = np.arange(2_000_000) / 10
    assert np.array_equal(to_steps(decimal, 0.1, where="time"), np.arange(2_000_000))


@pytest.mark.parametrize("late", [1.0, 50_000.0, 1e6, 1e8])
@pytest.mark.parametrize("excess", [0.0001, 0.01, 0.04, 0.05, 0.09])
def test_times_off_the_grid_are_refused_at_any_time(late, excess):
    with pytest.raises(
        ns.NetworkError,
        match=parts(
            f"time {late + excess:.12g} ms is not a multiple of dt (0.1 ms).",
            f"Use {late:.12g} ms or {late + 0.1:.12g} ms",
        ),
    ):
        to_steps(late + excess, 0.1, where="time")


def test_a_run_is_never_shorter_than_it_was_asked_to_be(backend):
    net = Network("net", dt="0.1 ms")
    net.population("cells", 1, Cell("v : 1", step="v = v", name="holding"))
    run = ns.prepare(net, backend=backend)
    with pytest.raises(ns.NetworkError, match=parts("duration 100000.07 ms is not a multiple")):
        run.run("100000.07 ms", progress=False)
    assert run.step == 0


def test_spikes_off_the_grid_are_rounded_if_asked(backend):
    net = Network("net", dt="0.1 ms")
    times = [[0.02, 0.16, 50_000.04], [0.25, 0.38]]
    with pytest.raises(ns.NetworkError, match=parts("a smaller dt, or round_times=True.")):
        net.spike_source("refused", 2, times=times)
    source = net.spike_source("source", 2, times=times, round_times=True)
    assert source.source_spikes is not None
    assert source.source_spikes[0].tolist() == [0, 1, 1, 3, 499_999]
    net.record(source, "spikes")
    run = ns.prepare(net, backend=backend)
    run.run("0.5 ms", progress=False)
    with pytest.raises(ns.NetworkError, match=parts("spike time 0.97 ms is not a multiple")):
        run.set(source, times=[[0.97], []])
    run.set(source, times=[[0.97], []], round_times=True)
    run.run("1 ms", progress=False)
    spikes = run.result()["source"].spikes
    assert spikes.step.tolist() == [0, 1, 1, 3, 9] and spikes.index.tolist() == [0, 0, 1, 1, 0]


def test_round_times_needs_times_and_is_a_truth():
    net = Network("net", dt="0.1 ms")
    with pytest.raises(ns.NetworkError, match=parts("found round_times=True without times=")):
        net.spike_source("source", 1, steps=[[1]], round_times=True)
    with pytest.raises(ns.NetworkError, match=parts("found round_times='yes', expected True")):
        net.spike_source("source", 1, times=[[1]], round_times="yes")  # pyright: ignore


def test_messages_of_late_runs_show_all_digits(backend):
    net = Network("net", dt="0.1 ms")
    source = net.spike_source("source", 1)
    run = ns.prepare(net, backend=backend)
    run.step = 12_345_678
    with pytest.raises(
        ns.NetworkError,
        match=parts("at 1234567.7 ms (step 12345676), but the run is at 1234567.8 ms;"),
    ):
        run.set(source, times=[[1234567.7]])
