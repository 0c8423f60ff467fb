"""Spikes of the last stretch, and the memory of many short stretches."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import neurosim as ns
from neurosim.backend.engine import Chunk
from neurosim.run.joined_chunks import JoinedChunks


def counting(*, recorded: bool = True) -> ns.Network:
    """Neuron i spikes in the steps i, i + 5, i + 10 ..."""
    net = ns.Network("counting", dt="1 ms")
    cell = ns.Cell("n : 1", step="n = n + 1", spike="(n - i) % 5 == 0", name="counter")
    population = net.population("p", 5, cell, n=-1.0)
    if recorded:
        net.record(population, "spikes")
        net.record(population[1:3], "n", every="2 ms")
    return net


def test_a_loop_reads_the_spikes_of_each_step(backend):
    run = ns.prepare(counting(), backend=backend)
    assert len(run.spikes("p")) == 0
    for step in range(150):  # longer than the chunks that are joined
        run.run("1 ms", progress=False)
        spikes = run.spikes("p")
        assert spikes.index.tolist() == [step % 5] and spikes.step.tolist() == [step]
        assert (spikes.first, spikes.steps) == (step, 1)
    run.run("10 ms", progress=False)
    assert run.spikes("p").step.tolist() == list(range(150, 160))
    assert run.spikes(run.owners["p"][3:]).index.tolist() == [3, 4, 3, 4]
    whole = ns.simulate(counting(), "160 ms", backend=backend)
    assert run.result()["p"] == whole["p"]


def test_restored_and_loaded_runs_begin_another_stretch(backend, tmp_path):
    run = ns.prepare(counting(), backend=backend)
    run.run("3 ms")
    start = run.snapshot()
    run.save(tmp_path / "state")
    run.run("4 ms")
    run.restore(start, clock=True)
    assert len(run.spikes("p")) == 0
    run.run("1 ms")
    assert run.spikes("p").step.tolist() == [3]
    run.load(tmp_path / "state")
    assert len(run.spikes("p")) == 0


def test_spikes_that_are_not_at_hand_are_refused_with_the_remedy(backend, tmp_path, monkeypatch):
    run = ns.prepare(counting(recorded=False), backend=backend)
    with pytest.raises(ns.NetworkError, match="'p'.*not recorded.*Call record"):
        run.spikes("p")
    with pytest.raises(ns.NetworkError, match="no population, projection or drive 'q'"):
        run.spikes("q")
    monkeypatch.setattr("neurosim.run.recorder._PART", 0)
    streamed = ns.prepare(counting(), backend=backend, stream=tmp_path / "stream")
    streamed.run("10 ms")
    with pytest.raises(ns.NetworkError, match="on disk already.*shorter stretches"):
        streamed.spikes("p")


def chunk(step: int) -> Chunk:
    fired = np.array([step % 3], np.int32), np.array([step], np.int64)
    return Chunk(1, spikes={0: fired}, traces={1: np.full((1, 2), float(step))})


def test_many_short_chunks_become_few_and_hold_the_same():
    chunks = JoinedChunks()
    for step in range(10_000):
        chunks.append(step, chunk(step))
    assert len(chunks) <= 3 * 63
    assert [start for start, _ in chunks] == list(
        np.cumsum([0, *(part.steps for _, part in chunks)])[:-1]
    )
    steps = np.concatenate([part.spikes[0][1] for _, part in chunks])
    samples = np.concatenate([part.traces[1] for _, part in chunks])
    assert steps.tolist() == list(range(10_000)) and samples[:, 0].tolist() == steps.tolist()
    assert [start for start, _ in chunks.since(9_999)] == [9_999]
    assert chunks.since(10_000) == [] and len(chunks.since(0)) == len(chunks)


def test_chunks_with_missing_steps_between_them_stay_apart():
    chunks = JoinedChunks()
    for step in range(63):
        chunks.append(step, chunk(step))
    chunks.append(70, chunk(70))
    assert len(chunks) == 64


def test_thousands_of_short_recorded_stretches_take_little_beside_their_data():
    run = ns.prepare(counting(), backend="reference")
    run.run("200 ms", progress=False)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(2000):
            run.run("1 ms", progress=False)
        per_stretch = (tracemalloc.get_traced_memory()[0] - before) / 2000
    finally:
        tracemalloc.stop()
    assert per_stretch < 80  # 20 are data; a chunk of each stretch took 900


def test_spikes_that_a_loop_reads_are_those_that_a_check_would_make(backend):
    """They are made without the checks of `Spikes`, which take longer than a step."""
    run = ns.prepare(counting(), backend=backend)
    run.run("12 ms", progress=False)
    for view in ("p", run.owners["p"][1:4]):
        spikes = run.spikes(view)
        checked = ns.Spikes(
            spikes.index,
            spikes.step,
            size=spikes.size,
            dt=spikes.dt,
            steps=spikes.steps,
            first=spikes.first,
            members=spikes.members,
        )
        assert checked == spikes
        assert (spikes.index.dtype, spikes.step.dtype) == (np.int32, np.int64)
        assert spikes.members.dtype == np.int32
        assert spikes.members is not run.owners["p"].view.indices


def test_what_a_loop_reads_belongs_to_the_loop(backend):
    run = ns.prepare(counting(), backend=backend)
    run.run("12 ms", progress=False)
    before = run.result()["p"].spikes.index.copy()
    spikes = run.spikes("p")
    spikes.index[:] = 0
    spikes.members[:] = 0
    assert (run.result()["p"].spikes.index == before).all()
    assert run.spikes("p").index.tolist() == before.tolist()
    assert run.spikes("p").members.tolist() == [0, 1, 2, 3, 4]
