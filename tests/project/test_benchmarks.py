"""The comparison with other simulators: jobs, rates, ratios and limits, each seen to say no."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from time import sleep

import numpy as np
import pytest

pytest.importorskip(
    "benchmarks",
    reason="benchmarks are no part of the package: run python -m pytest where they are",
)

from benchmarks import (
    billion,
    cost,
    judging,
    limit,
    memory,
    report,
    speeds,
    startup,
    summary,
    threads,
    turns,
)
from benchmarks.peers import brian_networks, nest_networks
from benchmarks.peers.job import Job, Laps
from benchmarks.rows import PRECISIONS, ROWS, Against, Row
from benchmarks.turns import Entry

ROOT = Path(__file__).parents[2]
PEERS = {"brian": brian_networks, "nest": nest_networks}
SPEEDS = {"L1": 100.0, "L2": 50.0, "DRAM": 10.0}
MEMORY = limit.Memory(
    {"L1": 1000, "L2": 10_000},
    {(level, n): speed * n for level, speed in SPEEDS.items() for n in (1, 2)},
    event=1.0,
)
WORK = {
    "neurons": 10,
    "updates": 1000,
    "edges": 20,
    "targets": 80,
    "static": 300,
    "plastic": 0,
    "back": 0,
    "spikes": 5,
}


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
    near = {"e": [5.0, 5.1, 4.9], "i": [8.0, 8.1, 7.9]}
    far = {"e": [5.0, 5.1, 4.9], "i": [9.5, 9.4, 9.6]}
    assert judging.disagreement(near, near, 0.1) == ""
    assert judging.disagreement(near, far, 0.1).startswith("i 8.00 and 9.50 Hz")
    assert judging.disagreement(near, {"e": near["e"]}, 0.1).startswith(
        "populations e, i here, e there"
    )


def test_rates_that_vary_too_much_to_be_told_apart_are_not_said_to_agree():
    wild = {"e": [2.0, 5.0, 8.0]}
    assert "standard error" in judging.disagreement(wild, wild, 0.1)
    assert judging.disagreement({"e": [0.0, 0.0, 0.0]}, {"e": [0.0, 0.0, 0.0]}, 0.1) != "", (
        "silent networks show nothing"
    )


# ---- judging


def answer(seconds: float, rate: float = 5.0, threads: int = 1, **more: int) -> dict:
    parts = {"import": 0.1, "construction": 0.2, "compilation": 3.0, "simulation": seconds}
    return {
        "seconds": parts,
        "rates": {"e": rate},
        "threads": threads,
        "version": "0",
        **WORK,
        "spikes": round(rate * 1000),
    } | more


def entry(
    trials: list[float],
    runs: tuple[float, ...] = (),
    *,
    rate: float = 5.0,
    refused: str = "",
    **more: int,
) -> Entry:
    wobble = (0.0, 0.01, -0.01, 0.02)
    return Entry(
        [answer(s, **more) for s in trials],
        {i + 1: answer(s, rate + wobble[i], **more) for i, s in enumerate(runs)},
        refused,
    )


MINE = entry([9.0], (1.0, 1.1, 0.9))
AGAINST = Against("nest", (2.0, 2.0))
MADE_UP = Row("made-up", "cuba", 1000.0, (AGAINST,), limit.Traffic(numbers=2))


def judged(one: Entry, two: Entry | None = None, mine: Entry = MINE, row: Row = MADE_UP) -> dict:
    """Judge a made-up row against a peer with one and with two threads."""
    own, (c1, c2) = turns.ours(row, AGAINST, "float64"), turns.theirs(row, AGAINST)
    return judging.judge(
        row, AGAINST, "float64", {own: mine, c1: one, c2: two or entry([9.0])}, MEMORY
    )


def test_the_better_number_of_threads_of_the_peer_counts_and_trials_do_not():
    result = judged(entry([0.1], (4.0, 4.4, 3.6)), entry([0.2, 0.3], (3.0, 3.3, 2.7), threads=2))
    assert result["outcome"] == "reached" and result["ratio"]["median"] == pytest.approx(3.0)
    assert result["threads"] == {"ours": 1, "peer": 2}
    assert result["seconds"]["ours"]["median"] == 1.0
    assert result["phases"]["ours"]["import and compilation, first"] == pytest.approx(3.1)
    assert result["contestants"]["peer, 1 thread"] == {
        "trials": [0.1],
        "runs": [4.0, 4.4, 3.6],
        "refused": "",
    }
    assert result["contestants"]["peer, 2 threads"]["trials"] == [0.2, 0.3]


def test_a_missed_number_is_called_missed():
    result = judged(entry([1.0], (1.5, 1.6, 1.4)))
    assert result["outcome"] == "not reached" and judging.line(result)[-1] == "not reached"


@pytest.mark.parametrize(
    ("peer", "words"),
    [
        ((2.0, 2.4, 1.6), "reached, narrowly"),
        ((1.8, 2.4, 1.6), "not reached, narrowly"),
        ((2.2, 2.5, 2.0), "reached"),
        ((1.5, 1.6, 1.4), "not reached"),
    ],
)
def test_a_verdict_is_narrow_where_the_number_asked_lies_between_the_quartiles(peer, words):
    result = judged(entry([1.0], peer), mine=entry([1.0], (1.0, 1.0, 1.0)))
    assert judging.said(result) == words and result["narrow"] == words.endswith("narrowly")


def test_no_time_is_printed_where_rates_or_edges_differ():
    result = judged(entry([1.0], (4.0, 4.0, 4.0), rate=6.0))
    assert result["outcome"].startswith("rates differ: e 5.00 and 6.00 Hz")
    assert "seconds" not in result
    assert judging.line(result)[4:8] == [""] * 4
    assert result["spikes, ratio"] == pytest.approx(5 / 6, rel=0.01)
    assert result["rates by seed"]["peer"] == {"e": [6.0, 6.01, 5.99]}
    more = judged(entry([1.0], (4.0, 4.0, 4.0), edges=22))
    assert more["outcome"] == "edges differ: 20 and 22" and "seconds" not in more


def test_what_is_refused_is_skipped_in_the_words_of_the_refusal(monkeypatch):
    row = ROWS[0]
    entries = {c: Entry(refused="no such option (trial)") for c in turns.contestants(row)}
    assert (
        judging.judge(row, row.against[0], "float32", entries, MEMORY)["outcome"]
        == "skipped: no such option (trial)"
    )
    monkeypatch.setattr(turns, "find_spec", lambda name: None)
    monkeypatch.setattr(judging, "find_spec", lambda name: None)
    assert [c[0] for c in turns.contestants(row)] == ["neurosim"] * 4
    own = {c: entry([1.0], (1.0, 1.0, 1.0)) for c in turns.contestants(row)}
    assert (
        judging.judge(row, row.against[0], "float64", own, MEMORY)["outcome"]
        == "skipped: brian2 is not installed"
    )


def test_a_refusal_in_a_later_turn_is_named_and_leaves_the_turns_that_both_sides_finished():
    result = judged(
        entry([1.0], (3.0, 30.0, 3.0, 3.0)),
        entry([1.0], (2.0,), threads=2, refused="out of memory (turn 2)"),
    )
    assert result["threads"]["peer"] == 1 and result["ratio"]["repetitions"] == 3
    assert judging.line(result)[-1] == "reached; peer, 2 threads: out of memory (turn 2)"


# ---- networks that learn


def test_networks_that_learn_have_a_verdict_on_share_of_the_limit_and_cost_of_a_plastic_event():
    assert "learning" not in judged(entry([1.0], (4.0, 4.0, 4.0)))
    learns = replace(MADE_UP, learns=True)
    plastic = entry([1.0], (1000.0, 1000.0, 2000.0), threads=2, plastic=10_000, static=0)
    result = judged(entry([1.0], (4000.0, 4000.0, 4000.0)), mine=plastic, row=learns)
    least = limit.least_seconds(
        MEMORY, MADE_UP.traffic, WORK | {"plastic": 10_000, "static": 0}, threads=2
    )
    learning = result["learning"]
    assert learning["share"]["median"] == pytest.approx(least / 1000)
    assert learning["outcome"] == "reached"
    assert result["work"]["plastic"] == 10_000
    assert learning["ns per plastic event, at most"]["median"] == pytest.approx(
        1e9 * 2 * 1000 / 10_000
    )
    slow = judged(
        entry([1.0], (9e5, 9e5, 9e5)),
        mine=entry([1.0], (9e4, 9e4, 9e4), plastic=10_000, static=0),
        row=learns,
    )
    assert slow["outcome"] == "reached" and slow["learning"]["outcome"] == "not reached"
    assert judging.learning_line(slow)[-1] == "not reached"


def test_the_rows_that_learn_are_those_whose_network_has_a_learning_rule_in_the_peer():
    for row in ROWS:
        sources = [inspect.getsource(PEERS[a.program].NETWORKS[row.network]) for a in row.against]
        assert {"learning" in source for source in sources} == {row.learns}, row.name


# ---- taking turns


def competed(monkeypatch, tmp_path, seconds) -> dict[int | None, Entry]:
    """Compete over two turns.

    ``seconds`` gives, for each number of threads, the times of its runs, or the words of a refusal.
    """
    left = {threads: iter(values) for threads, values in seconds.items()}

    def run(c, row, seed, folder):
        value = next(left[c[1]])
        return {"refused": value} if isinstance(value, str) else answer(value)

    monkeypatch.setattr(turns, "run", run)
    monkeypatch.setattr(turns, "contestants", lambda row: turns.theirs(MADE_UP, AGAINST))
    return {c[1]: competitor for c, competitor in turns.compete(MADE_UP, 2, tmp_path).items()}


def test_a_number_of_threads_that_is_slower_in_two_trials_is_given_up(monkeypatch, tmp_path):
    entries = competed(monkeypatch, tmp_path, {1: [1.0, 1.0, 1.0, 1.0], 2: [2.0, 1.6]})
    assert entries[2].tried() == [2.0, 1.6] and not entries[2].runs and len(entries[1].runs) == 2


def test_one_slow_trial_does_not_decide_unless_it_is_very_slow(monkeypatch, tmp_path):
    entries = competed(monkeypatch, tmp_path, {1: [1.0, 1.0, 1.0, 1.0], 2: [2.9, 1.4, 1.0, 1.0]})
    assert len(entries[2].runs) == 2
    entries = competed(monkeypatch, tmp_path, {1: [1.0, 1.0, 1.0], 2: [3.1]})
    assert entries[2].tried() == [3.1] and not entries[2].runs
    entries = competed(monkeypatch, tmp_path, {1: [1.0, 1.0, 1.0], 2: [1.4, 1.4, 1.4]})
    assert len(entries[2].runs) == 2 and len(entries[2].trials) == 1


def test_who_refuses_does_not_run_again_and_is_quoted(monkeypatch, tmp_path):
    entries = competed(monkeypatch, tmp_path, {1: ["no room"], 2: [1.0, 1.0, "crash"]})
    assert entries[1] == Entry(refused="no room (trial)")
    assert list(entries[2].runs) == [1] and entries[2].refused == "crash (turn 2)"


# ---- tables


def test_the_summary_counts_what_was_never_measured():
    asked_for, learn = (
        sum(len(row.against) for row in rows) * len(PRECISIONS)
        for rows in (ROWS, [row for row in ROWS if row.learns])
    )
    one = judging.unmeasured(ROWS[0], ROWS[0].against[0], "float64") | {
        "outcome": "reached",
        "machine": {},
    }
    renamed = one | {"network": "a name of old"}
    text = summary.summary({"cpu": {"rows": [renamed, one]}})
    assert f"1 of {asked_for}" in text and f"0 of {learn}" in text and "a name of old" not in text
    assert text.count("**not measured**") == asked_for - 1 + learn


def test_the_summary_marks_rows_of_other_code_than_the_newest():
    machines = {"commit": "abc", "date": "2026-01"}, {"commit": "def", "date": "2026-02"}
    first, second = ({"outcome": "reached", "machine": machine} for machine in machines)
    rows = [
        judging.unmeasured(row, row.against[0], "float64") | more
        for row, more in zip(ROWS, (first, second), strict=False)
    ]
    text = summary.summary({"cpu": {"rows": rows}})
    assert f"| {ROWS[0].name} * |" in text
    assert f"| {ROWS[1].name} |" in text
    assert "of commit def" in text
    assert " * |" not in summary.summary({"cpu": {"rows": rows[:1]}})


def test_the_machine_is_described_with_the_code_and_where_there_is_no_git_without_it(monkeypatch):
    described = report.machine()
    assert {"commit", "date", "compiler"} <= described.keys()
    monkeypatch.setenv("PATH", "")
    without = report.machine()
    assert without["commit"] is None and without["compiler"] is None


def test_a_value_is_held_to_a_bound_from_either_side():
    assert report.held("a", 1.0, 2.0, unit="s")["outcome"] == "reached"
    assert report.held("a", 2.1, 2.0, unit="s")["outcome"] == "not reached"
    assert report.held("a", 1.0, 2.0, unit="x", least=True)["outcome"] == "not reached"
    assert "not reached" in report.verdicts([report.held("a", 3.0, 2.0, unit="s")])


# ---- limits


def test_the_least_time_is_state_at_its_level_and_the_slower_of_streaming_and_adding():
    traffic = limit.Traffic(numbers=2, weights=1)
    state = 1000 * 16 / 100.0  # 10 neurons of 16 bytes lie in L1
    assert limit.least_seconds(MEMORY, traffic, WORK, number=8) == pytest.approx(
        state + max(300 * 12 / 100.0, 300 * 1.0)
    )
    slow = WORK | {"edges": 1_000_000, "targets": 4_000_000}  # rows in DRAM, at 10 bytes a second
    assert limit.least_seconds(MEMORY, traffic, slow, number=8) == pytest.approx(
        state + 300 * 12 / 10.0
    )
    short = slow | {"targets": 2_000_000}
    assert limit.least_seconds(MEMORY, traffic, short, number=8) == pytest.approx(
        state + 300 * 10 / 10.0
    )
    assert limit.least_seconds(MEMORY, traffic, WORK, number=4) == pytest.approx(state / 2 + 300.0)
    assert limit.least_seconds(MEMORY, traffic, WORK, number=8, threads=2) == pytest.approx(
        state / 2 + 150.0
    )


def test_plastic_events_also_write_their_weights():
    traffic = limit.Traffic(numbers=2, weights=1)
    plastic = WORK | {
        "static": 0,
        "plastic": 300,
        "back": 200,
        "edges": 1_000_000,
        "targets": 4_000_000,
    }
    assert limit.least_seconds(MEMORY, traffic, plastic, number=8) == pytest.approx(
        160.0 + (300 * 12 + 500 * 8) / 10.0
    )


def test_the_measured_memory_has_finite_bandwidths_for_every_level():
    memory = limit.measure_memory(threads=(1,), seconds=0.005)
    assert set(memory.copy) == {(level, 1) for level in (*memory.sizes, "DRAM")}
    assert 0 < memory.event < 1e-6
    assert all(1e8 < speed < 1e13 for speed in memory.copy.values())
    assert memory.level(100) == "L1" and memory.level(1e12) == "DRAM"


def test_an_update_moves_changed_numbers_twice_and_keeps_them_once():
    small = limit.Memory({"L1": 8 * 4 * 100, "L2": 10**6}, {}, event=1.0)
    assert cost.STATE.update(small, 100) == (56, "L1")
    assert cost.STATE.update(small, 101) == (
        56,
        "L2",
    )
    assert cost.STATE.update(small, 200, number=4) == (28, "L1")
    assert cost.STATE.update(small, 200, threads=2) == (56, "L1")


# ---- bounds


def test_a_start_is_held_to_what_is_asked_of_a_known_and_of_a_new_network():
    starts = [
        {"network": name, "cache": cache, "seconds": {"in all": {"median": seconds}}}
        for name, cache, seconds in (
            ("CUBA 4000", "full", 1.1),
            ("CUBA 4000", "empty", 5.9),
            ("prediction reservoir", "empty", 6.1),
        )
    ]
    assert [value["outcome"] for value in startup.bounded(starts)] == [
        "not reached",
        "reached",
        "reached",
    ]
    assert "1.1 s | at most 1 | **not reached**" in summary.summary(
        {"startup": {"measures": startup.bounded(starts)}}
    )


def test_two_threads_and_the_share_of_the_choice_are_told_where_no_number_is_asked():
    net = threads.cuba(400)
    free, asked = (threads.speed_up("small", net, 5.0, number, 1) for number in (None, 1e9))
    assert (
        [r["unit"] for r in free]
        == [r["unit"] for r in asked]
        == ["times faster", "times faster", "%"]
    )
    assert [r["outcome"] for r in free[1:]] == ["", ""] and asked[1]["outcome"] == "not reached"
    assert free[1]["value"] > 0 and free[2]["value"] == 0.0, "a small network runs on one thread"
    assert "no number" in report.verdicts(free)
    assert "| no number |  |" in summary.summary({"threads": {"measures": free}})


def test_memory_is_measured_on_networks_of_the_kind_that_is_named():
    for name, edge_kind in memory.KINDS.items():
        net = memory.network(edge_kind, 1000)
        assert net.populations["neurons"].size == edge_kind.size
        assert (
            (net.projections["edges"].rule is not None)
            == edge_kind.plastic
            == name.startswith("plastic")
        )
    assert {edge_kind.size > 65_536 for edge_kind in memory.KINDS.values()} == {
        True,
        False,
    }
    assert any(edge_kind.rate for edge_kind in memory.KINDS.values())


# ---- processes


def asked(program: str, job: Job) -> dict:
    command = [sys.executable, "-m", f"benchmarks.peers.{program}_networks", job.dump()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.process
def test_our_process_reports_phases_rates_and_work():
    measured = asked("neurosim", Job("cuba", 50.0, seed=3, threads=1, arguments={"size": 400}))
    assert set(measured["seconds"]) == {"import", "construction", "compilation", "simulation"}
    assert all(seconds > 0 for seconds in measured["seconds"].values())
    assert measured["neurons"] == 400
    assert measured["updates"] == 400 * 500
    assert measured["threads"] == 1
    assert measured["plastic"] == 0
    assert measured["static"] == pytest.approx(measured["spikes"] * 80, rel=0.05)
    assert measured["spikes"] > 20
    rate = 0.8 * measured["rates"]["excitatory"] + 0.2 * measured["rates"]["inhibitory"]
    assert rate == pytest.approx(measured["spikes"] / 400 / 0.05)


@pytest.mark.process
def test_edges_that_bring_input_are_not_counted_for_peers_have_none():
    measured = asked("neurosim", Job("polychronous_network", 20.0, threads=1))
    assert measured["edges"] == 1000 * 100


@pytest.mark.process
def test_our_process_says_what_the_engine_refuses():
    assert (
        "threads"
        in asked("neurosim", Job("cuba", 50.0, threads=-1, arguments={"size": 400}))["refused"]
    )


@pytest.mark.process
@pytest.mark.skipif(find_spec("nest") is None, reason="NEST is not installed")
def test_nest_runs_a_network_and_reports_its_rates():
    measured = asked(
        "nest", Job("cuba", 50.0, seed=1, threads=1, arguments={"size": 400, "delay": 0.1})
    )
    assert measured["spikes"] > 20
    assert measured["seconds"]["simulation"] > 0
    assert set(measured["rates"]) == {"excitatory", "inhibitory"}
    assert measured["edges"] == pytest.approx(400 * 80, rel=0.05)


@pytest.mark.process
@pytest.mark.skipif(find_spec("nest") is None, reason="NEST is not installed")
def test_edges_of_nest_are_those_between_neurons():
    measured = asked(
        "nest", Job("plastic_balanced_network", 5.0, seed=1, threads=1, arguments={"size": 500})
    )
    assert measured["edges"] == 500 * (40 + 10), "not to recorders, nor from generators"


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.skipif(find_spec("brian2") is None, reason="Brian 2 is not installed")
def test_brian_builds_once_and_runs_again_without_compiling(tmp_path):
    job = Job("cuba", 50.0, threads=1, arguments={"size": 400}, folder=str(tmp_path))
    first, second = asked("brian", job), asked("brian", job)
    assert first["seconds"]["compilation"] > 0
    assert second["seconds"]["compilation"] == 0 == second["seconds"]["import"]
    assert all(
        measured["spikes"] > 20 and measured["seconds"]["simulation"] > 0
        for measured in (first, second)
    )
    assert np.isfinite(list(second["rates"].values())).all()
    assert second["edges"] == pytest.approx(400 * 80, rel=0.05)


def test_the_tables_of_the_readme_are_those_of_the_results_beside_it():
    results = {path.stem: json.loads(path.read_text()) for path in summary.RESULTS.glob("*.json")}
    text = summary.README.read_text()
    assert summary.summary(results) in text and summary.by_itself(results) in text
    assert summary.in_short(results) in summary.FRONT.read_text()


# ---- the picture of all processors


def ratio(median: float, cpu: str = "znver5", peer: str = "nest, 0.1 ms", **more: object) -> dict:
    row = judging.unmeasured(ROWS[0], ROWS[0].against[0], "float64")
    return (
        row | {"peer": peer, "machine": {"recognised as": cpu}, "ratio": {"median": median}} | more
    )


def test_rows_of_several_processors_stand_side_by_side():
    first, second = ratio(3.0, peer="brian"), ratio(2.0, "znver4", peer="brian")
    rows = [r for r in judging.in_order([first, second]) if "ratio" in r]
    assert [judging.processor(r) for r in rows] == ["znver5", "znver4"]
    assert "" not in {judging.line(r)[0] for r in rows}


def test_a_row_tells_its_processor_its_target_and_its_clock():
    other = ratio(2.0, clock="processor")
    other["machine"]["target"] = "x86-64-v3"
    words = judging.processor(other)
    assert words == "znver5, compiled for x86-64-v3, processor time"
    assert speeds.name_of(words) == "AMD EPYC (Zen 5), AVX2 alone, processor time"
    assert judging.processor({}) == ""


def test_of_the_delays_of_a_peer_the_better_counts_on_each_processor():
    later = ratio(9.0, peer="nest, 1.5 ms")
    best = speeds.best_of_peer([ratio(15.0), later, ratio(7.0, "znver4"), {"outcome": "skipped"}])
    assert [r["ratio"]["median"] for r in best] == [9.0, 7.0]
    assert speeds.times_asked(later) == 8.0


def test_the_picture_has_a_point_for_every_ratio_and_a_bar_for_everything_asked(
    tmp_path, monkeypatch
):
    drawn = []
    monkeypatch.setattr(speeds, "_point", lambda panel, r, mark: drawn.append((r["peer"], mark)))
    rows = [ratio(3.0, peer="brian"), ratio(2.0, "znver4", peer="brian"), ratio(9.0)]
    speeds.draw(rows, tmp_path / "speeds.png")
    assert drawn == [("brian", "o"), ("brian", "s"), ("nest, 0.1 ms", "o")]
    assert (tmp_path / "speeds.png").read_bytes().startswith(b"\x89PNG")


def test_on_a_busy_machine_every_side_has_one_thread_and_the_clock_of_the_processor():
    busy = replace(ROWS[0], clock="processor")
    assert {c[1] for c in turns.contestants(busy)} == {1}
    laps = Laps("processor")
    sleep(0.05)
    laps.lap("asleep")
    assert laps.seconds["asleep"] < 0.04
    laps = Laps("wall")
    sleep(0.05)
    laps.lap("asleep")
    assert laps.seconds["asleep"] >= 0.05


def test_a_target_reaches_the_compilers_of_both_sides(monkeypatch, tmp_path):
    environments = []

    def refused(command, *, env, **options):
        environments.append((env, json.loads(command[-1])))
        return subprocess.CompletedProcess(command, 1, "", "no")

    monkeypatch.setattr(turns.subprocess, "run", refused)
    for target in ("x86-64-v3", ""):
        row = replace(ROWS[0], target=target)
        turns.run(turns.contestants(row)[0], row, 1, tmp_path)
    (with_target, job), (without, plain) = environments
    assert with_target["NUMBA_CPU_NAME"] == job["target"] == "x86-64-v3"
    assert with_target["NUMBA_CPU_FEATURES"] == ""
    assert without.get("NUMBA_CPU_NAME") is None and plain["target"] == ""


# ---- one billion edges


def test_a_large_network_is_measured_beside_its_estimate(tmp_path, monkeypatch):
    words = ["billion", "--edges", "2e6", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", words)
    billion.main()
    (measure,) = json.loads((tmp_path / "billion.json").read_text())["measures"]
    assert measure["edges"] == 2_000_000 and measure["spikes"] > 0 and measure["build"] > 0
    assert measure["value"] == pytest.approx(abs(measure["peak"] / measure["foretold"] - 1))


def test_a_large_network_is_refused_before_it_drives_others_out_of_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["billion", "--out", str(tmp_path)])
    monkeypatch.setattr(billion, "available", lambda: 5e9)
    with pytest.raises(SystemExit, match="found 5.0 GB of free memory, expected 6"):
        billion.main()
    assert not any(tmp_path.iterdir())
