"""The comparison with other simulators measures what it says: jobs, rates, ratios and limits, each shown to say no."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("benchmarks", reason="benchmarks are no part of the package: run python -m pytest where they are")

from benchmarks import cpu, limit, report, summary
from benchmarks.peers import brian_networks, nest_networks
from benchmarks.peers.job import Job
from benchmarks.rows import ROWS, Against, Row

ROOT = Path(__file__).parent.parent
PEERS = {"brian": brian_networks, "nest": nest_networks}
SPEEDS = {"L1": 100.0, "L2": 50.0, "DRAM": 10.0}
MEMORY = limit.Memory({"L1": 1000, "L2": 10_000}, {(level, n): speed * n for level, speed in SPEEDS.items() for n in (1, 2)}, event=1.0)
WORK = {"neurons": 10, "updates": 1000, "edges": 20, "targets": 80, "static": 300, "plastic": 0, "back": 0}


def test_every_peer_has_every_network_it_is_held_against_with_the_arguments_of_the_row():
    for row in ROWS:
        for against in row.against:
            function = PEERS[against.program].NETWORKS[row.network]
            inspect.signature(function).bind(None, **{**row.arguments, **against.theirs})


def test_names_of_rows_and_of_peers_within_a_row_are_unique():
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert all(len({a.label for a in row.against}) == len(row.against) for row in ROWS)


# ---- rates


def test_rates_agree_only_if_every_population_is_shown_to_agree():
    near, far = {"e": [5.0, 5.1, 4.9], "i": [8.0, 8.1, 7.9]}, {"e": [5.0, 5.1, 4.9], "i": [9.5, 9.4, 9.6]}
    assert cpu.disagreement(near, near, 0.1) == ""
    assert cpu.disagreement(near, far, 0.1).startswith("i 8.00 and 9.50 Hz")
    assert cpu.disagreement(near, {"e": near["e"]}, 0.1).startswith("populations e, i here, e there")


def test_rates_that_vary_too_much_to_be_told_apart_are_not_said_to_agree():
    wild = {"e": [2.0, 5.0, 8.0]}
    assert "standard error" in cpu.disagreement(wild, wild, 0.1)
    assert cpu.disagreement({"e": [0.0, 0.0, 0.0]}, {"e": [0.0, 0.0, 0.0]}, 0.1) != "", "silent networks show nothing"


# ---- judging


def answer(seconds: float, rate: float = 5.0, threads: int = 1) -> dict:
    parts = {"import": 0.1, "construction": 0.2, "compilation": 3.0, "simulation": seconds}
    return {"seconds": parts, "rates": {"e": rate}, "threads": threads, "version": "0", **WORK}


def judged(*, peers: dict[int, list[float]], mine: tuple[float, ...] = (9.0, 1.0, 1.1, 0.9), rate: float = 5.0, asked: float = 2.0) -> dict:
    """Judge a made-up row; the first time of every contestant is the trial."""
    against = Against("nest", (asked, asked))
    row = Row("made-up", "cuba", 1000.0, (against,), limit.Traffic(numbers=2))
    wobble = (0.0, 0.01, -0.01, 0.0)
    reports = {cpu.ours(row, against, "float64"): [answer(s, 5.0 + w) for s, w in zip(mine, wobble, strict=False)]}
    for c in cpu.theirs(row, against):
        reports[c] = [answer(s, rate + w, c[1]) for s, w in zip(peers[c[1]], wobble, strict=False)]
    return cpu.judge(row, against, "float64", reports, MEMORY)


def test_the_better_number_of_threads_of_the_peer_counts_and_the_trial_does_not():
    result = judged(peers={1: [0.1, 4.0, 4.4, 3.6], 2: [0.1, 3.0, 3.3, 2.7]})
    assert result["outcome"] == "reached" and result["ratio"]["median"] == pytest.approx(3.0)
    assert result["threads"] == {"ours": 1, "peer": 2}
    assert result["seconds"]["ours"]["median"] == 1.0 and result["phases"]["ours"]["import and compilation, first"] == pytest.approx(3.1)


def test_a_missed_number_is_called_missed():
    result = judged(peers={1: [1.0, 1.5, 1.6, 1.4], 2: [9.0]})
    assert result["outcome"] == "not reached" and "not reached" in cpu.line(result)


def test_no_time_is_printed_where_rates_differ():
    result = judged(peers={1: [1.0, 4.0, 4.0, 4.0], 2: [9.0]}, rate=6.0)
    assert result["outcome"].startswith("rates differ: e 5.00 and 6.00 Hz") and "seconds" not in result
    assert "4" not in cpu.line(result)[3:9]


def test_what_is_refused_is_skipped_in_the_words_of_the_refusal(monkeypatch):
    row = ROWS[0]
    reports = {c: [{"refused": "no such option"}] for c in cpu.contestants(row)}
    assert cpu.judge(row, row.against[0], "float32", reports, MEMORY)["outcome"] == "skipped: no such option"
    monkeypatch.setattr(cpu, "find_spec", lambda name: None)
    assert [c[0] for c in cpu.contestants(row)] == ["neurosim"] * 4
    own = {c: [answer(1.0), answer(1.0)] for c in cpu.contestants(row)}
    assert cpu.judge(row, row.against[0], "float64", own, MEMORY)["outcome"] == "skipped: brian2 is not installed"


def test_a_peers_number_of_threads_is_given_up_after_the_trial_if_it_is_hopeless():
    one, two = ("nest", 1, "float64", "{}"), ("nest", 2, "float64", "{}")
    hopeless, worth = ({one: [answer(1.0)], two: [answer(seconds)]} for seconds in (1.6, 1.4))
    assert cpu._beaten(two, hopeless) and not cpu._beaten(one, hopeless) and not cpu._beaten(two, worth)
    assert cpu._beaten(one, {one: [{"refused": "no"}], two: [answer(1.0)]})


def test_a_value_is_held_to_a_bound_from_either_side():
    assert report.held("a", 1.0, 2.0, unit="s")["outcome"] == "reached" and report.held("a", 2.1, 2.0, unit="s")["outcome"] == "not reached"
    assert report.held("a", 1.0, 2.0, unit="x", least=True)["outcome"] == "not reached"
    assert "not reached" in report.verdicts([report.held("a", 3.0, 2.0, unit="s")])


# ---- limits


def test_the_least_time_is_state_at_its_level_and_the_slower_of_streaming_and_adding():
    traffic = limit.Traffic(numbers=2, weights=1)
    state = 1000 * 16 / 100.0  # 10 neurons of 16 bytes lie in L1
    assert limit.least_seconds(MEMORY, traffic, WORK, number=8) == pytest.approx(state + max(300 * 12 / 100.0, 300 * 1.0))
    slow = WORK | {"edges": 1_000_000, "targets": 4_000_000}  # rows in DRAM, at 10 bytes a second
    assert limit.least_seconds(MEMORY, traffic, slow, number=8) == pytest.approx(state + 300 * 12 / 10.0)
    short = slow | {"targets": 2_000_000}
    assert limit.least_seconds(MEMORY, traffic, short, number=8) == pytest.approx(state + 300 * 10 / 10.0)
    assert limit.least_seconds(MEMORY, traffic, WORK, number=4) == pytest.approx(state / 2 + 300.0)
    assert limit.least_seconds(MEMORY, traffic, WORK, number=8, threads=2) == pytest.approx(state / 2 + 150.0)


def test_plastic_events_also_write_their_weights():
    traffic, plastic = limit.Traffic(numbers=2, weights=1), WORK | {"static": 0, "plastic": 300, "back": 200, "edges": 1_000_000, "targets": 4_000_000}
    assert limit.least_seconds(MEMORY, traffic, plastic, number=8) == pytest.approx(160.0 + (300 * 12 + 500 * 8) / 10.0)


def test_the_measured_memory_has_finite_bandwidths_for_every_level():
    memory = limit.measure_memory(threads=(1,), seconds=0.005)
    assert set(memory.copy) == {(level, 1) for level in (*memory.sizes, "DRAM")} and 0 < memory.event < 1e-6
    assert all(1e8 < speed < 1e13 for speed in memory.copy.values())
    assert memory.level(100) == "L1" and memory.level(1e12) == "DRAM"


# ---- processes


def asked(program: str, job: Job) -> dict:
    command = [sys.executable, "-m", f"benchmarks.peers.{program}_networks", job.dump()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_our_process_reports_phases_rates_and_work():
    found = asked("neurosim", Job("cuba", 50.0, seed=3, threads=1, arguments={"size": 400}))
    assert set(found["seconds"]) == {"import", "construction", "compilation", "simulation"}
    assert all(seconds > 0 for seconds in found["seconds"].values())
    assert found["neurons"] == 400 and found["updates"] == 400 * 500 and found["threads"] == 1 and found["plastic"] == 0
    assert found["static"] == pytest.approx(found["spikes"] * 80, rel=0.05) and found["spikes"] > 20
    rate = (0.8 * found["rates"]["excitatory"] + 0.2 * found["rates"]["inhibitory"])
    assert rate == pytest.approx(found["spikes"] / 400 / 0.05)


def test_our_process_says_what_the_engine_refuses():
    assert "threads" in asked("neurosim", Job("cuba", 50.0, threads=-1, arguments={"size": 400}))["refused"]


@pytest.mark.skipif(find_spec("nest") is None, reason="NEST is not installed")
def test_nest_runs_a_network_and_reports_its_rates():
    found = asked("nest", Job("cuba", 50.0, seed=1, threads=1, arguments={"size": 400, "delay": 0.1}))
    assert found["spikes"] > 20 and found["seconds"]["simulation"] > 0 and set(found["rates"]) == {"excitatory", "inhibitory"}


@pytest.mark.slow
@pytest.mark.skipif(find_spec("brian2") is None, reason="Brian 2 is not installed")
def test_brian_builds_once_and_runs_again_without_compiling(tmp_path):
    job = Job("cuba", 50.0, threads=1, arguments={"size": 400}, folder=str(tmp_path))
    first, second = asked("brian", job), asked("brian", job)
    assert first["seconds"]["compilation"] > 0 and second["seconds"]["compilation"] == 0 == second["seconds"]["import"]
    assert all(found["spikes"] > 20 and found["seconds"]["simulation"] > 0 for found in (first, second))
    assert np.isfinite(list(second["rates"].values())).all()


def test_the_tables_of_the_readme_are_those_of_the_results_beside_it():
    found = {path.stem: json.loads(path.read_text()) for path in summary.RESULTS.glob("*.json")}
    text = summary.README.read_text()
    assert summary.summary(found) in text and summary.by_itself(found) in text
