"""A sweep gives the numbers of single runs, and runs only what is missing."""

from __future__ import annotations

import concurrent.futures
import os

import numpy as np
import pytest
from support import sweep_functions
from support.sweep_functions import build, calls, count

import neurosim as ns
from neurosim.sweeps import jobs

GRID = {"rate": [50, 200], "size": [3, 5]}


def single(point: jobs.Point, backend: object) -> dict[str, float]:
    """Return the numbers of one run by itself."""
    network = build(**point.values, seed=point.seed)
    return count(ns.simulate(network, "300 ms", backend=backend))


def run(folder, *, backend, measure=count, **options) -> ns.SweepTable:
    options = {"time": "300 ms", "seeds": (4, 1), **options}
    return ns.sweep(build, GRID, measure=measure, folder=folder, backend=backend, **options)


def test_results_are_those_of_single_runs(tmp_path, backend):
    table = run(tmp_path, backend=backend, workers=0)
    assert len(table) == 8 and not table.failed
    for row in table.rows:
        assert row.values == single(row.point, backend)
    # In the order of the grid, seeds fastest.
    assert [row.point.seed for row in table.rows[:2]] == [4, 1]
    assert [row.point.values["size"] for row in table.rows[::2]] == [3, 5, 3, 5]
    assert table["spikes"].shape == (2, 2, 2)
    assert table["spikes"][1, 0, 1] == table.rows[5].values["spikes"]


@pytest.mark.process
@pytest.mark.parametrize("workers", [1, 3])
def test_the_number_of_workers_changes_no_result(tmp_path, fast_backend, workers):
    here = run(tmp_path / "here", backend=fast_backend, workers=0)
    assert run(tmp_path / "there", backend=fast_backend, workers=workers) == here


def test_the_order_of_the_grid_changes_no_result(tmp_path, fast_backend):
    table = run(tmp_path / "one", backend=fast_backend, workers=0)
    turned = ns.sweep(
        build,
        {"size": [5, 3], "rate": [200, 50]},
        seeds=(1, 4),
        time="300 ms",
        measure=count,
        folder=tmp_path / "two",
        backend=fast_backend,
        workers=0,
    )
    assert (turned["spikes"].T[::-1, ::-1, ::-1] == table["spikes"].transpose(2, 0, 1)).all()


def test_the_same_call_runs_nothing_again(tmp_path, fast_backend, monkeypatch):
    monkeypatch.setenv("MEASURED", str(tmp_path / "measured"))
    first = run(tmp_path / "sweep", backend=fast_backend, workers=0)
    assert calls(tmp_path / "measured") == 8
    monkeypatch.setattr(jobs, "simulate", None)
    assert run(tmp_path / "sweep", backend=fast_backend, workers=0) == first
    assert calls(tmp_path / "measured") == 8


def simulated(monkeypatch) -> list[int]:
    """Return a list to which each run from now on adds its seed."""
    seeds = []

    def simulate(network, *words, **options):
        seeds.append(network.seed)
        return ns.simulate(network, *words, **options)

    monkeypatch.setattr(jobs, "simulate", simulate)
    return seeds


def test_a_longer_grid_and_more_seeds_run_only_what_is_new(tmp_path, fast_backend, monkeypatch):
    run(tmp_path, backend=fast_backend, workers=0)
    seeds = simulated(monkeypatch)
    table = run(tmp_path, backend=fast_backend, workers=0, seeds=(4, 1, 7))
    assert seeds == [7, 7, 7, 7] and len(table) == 12


@pytest.mark.parametrize("change", [{"time": "200 ms"}, {"replica": 1}])
def test_another_time_or_option_runs_again_and_loses_nothing(
    tmp_path, fast_backend, monkeypatch, change
):
    before = run(tmp_path, backend=fast_backend, workers=0)
    seeds = simulated(monkeypatch)
    after = run(tmp_path, backend=fast_backend, workers=0, **change)
    assert len(seeds) == 8 and not np.array_equal(after["spikes"], before["spikes"])
    assert run(tmp_path, backend=fast_backend, workers=0) == before
    assert len(seeds) == 8


def test_a_network_that_changed_runs_again(tmp_path, fast_backend, monkeypatch):
    run(tmp_path, backend=fast_backend, workers=0)
    seeds = simulated(monkeypatch)

    def twice(rate, size, seed):
        net = build(2 * rate, size, seed)
        return net

    monkeypatch.setattr(twice, "__qualname__", "build")
    arguments = {"seeds": (4, 1), "time": "300 ms", "measure": count, "folder": tmp_path}
    ns.sweep(twice, GRID, backend=fast_backend, workers=0, **arguments)
    assert len(seeds) == 8


def test_other_records_run_again(tmp_path, fast_backend, monkeypatch):
    run(tmp_path, backend=fast_backend, workers=0)
    seeds = simulated(monkeypatch)

    def fewer(rate, size, seed):
        net = build(rate, size, seed)
        net.probes.clear()
        net.record(net.populations["e"][:2], "spikes")
        return net

    monkeypatch.setattr(fewer, "__qualname__", "build")
    arguments = {"seeds": (4, 1), "time": "300 ms", "measure": count, "folder": tmp_path}
    ns.sweep(fewer, GRID, backend=fast_backend, workers=0, **arguments)
    assert len(seeds) == 8


def test_another_measure_reads_the_recordings_and_runs_nothing(tmp_path, fast_backend, monkeypatch):
    counted = run(tmp_path, backend=fast_backend, workers=0)
    monkeypatch.setattr(jobs, "simulate", None)
    twice = run(tmp_path, backend=fast_backend, workers=0, measure=lambda r: 2 * r["e"].rate())
    neurons = np.array([3, 5])[:, None]
    assert np.allclose(twice["value"], 2 * counted["spikes"] / (0.3 * neurons))


def test_without_recordings_another_measure_runs_again(tmp_path, fast_backend, monkeypatch):
    run(tmp_path, backend=fast_backend, workers=0, keep=False)
    assert not any((tmp_path / "recordings").iterdir())
    seeds = simulated(monkeypatch)
    run(tmp_path, backend=fast_backend, workers=0, measure=sweep_functions.profile, keep=False)
    assert len(seeds) == 8


def test_a_recording_that_cannot_be_read_is_made_again(tmp_path, fast_backend, monkeypatch):
    run(tmp_path, backend=fast_backend, workers=0)
    spoilt = min((tmp_path / "recordings").iterdir())
    spoilt.write_bytes(spoilt.read_bytes()[:-30])
    seeds = simulated(monkeypatch)
    run(tmp_path, backend=fast_backend, workers=0, measure=sweep_functions.profile)
    assert len(seeds) == 1


def test_threads_of_an_executor_take_jobs_too(tmp_path, fast_backend):
    """Their outcomes carry the recordings, since an executor may not see the folder."""
    with concurrent.futures.ThreadPoolExecutor(2) as cluster:
        table = run(tmp_path, backend=fast_backend, cluster=cluster)
        assert table == run(tmp_path / "here", backend=fast_backend, workers=0)
        assert len(list((tmp_path / "recordings").iterdir())) == 8
        again = run(tmp_path, backend=fast_backend, cluster=cluster, measure=len)
    assert (again["value"] == 1).all()


@pytest.mark.process
def test_a_measure_in_another_process_may_print(tmp_path, fast_backend, capfd):
    table = ns.sweep(
        sweep_functions.build,
        {"rate": [50], "size": [3]},
        time="10 ms",
        measure=print_and_count,
        folder=tmp_path,
        backend=fast_backend,
        workers=1,
    )
    assert table.failed == [] and "counting" in capfd.readouterr().err


def print_and_count(result: ns.Recording) -> float:
    print("counting", flush=True)
    os.write(1, b"more\n")
    return len(result["e"].spikes)
