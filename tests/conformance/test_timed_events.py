"""Statements and functions at times inside of a run, and signals that spikes emit."""

from __future__ import annotations

import numpy as np
import pytest

import neurosim as ns

CELL = ns.Cell(
    """dv/dt = (rest - v) / tau : mV
       n : 1
       doubled = 2 * v : mV""",
    parameters={"tau": "5 ms", "rest": "-60 mV", "gain": 1.0},
    receives={"v": ns.Port("mV", into="v")},
    spike="v > -50 * mV",
    after_spike="v = rest",
    refractory=ns.Refractory("1 ms", freezes="v"),
    initial={"v": "-60 mV"},
    name="leaky",
)
COUNTING = ns.Rule(
    edge="w : mV; heard : 1; late : ms",
    handlers=[("pre", "out += w"), ("reward", "heard += 1; late = t; w = w + uniform() * mV")],
    name="counting",
)


def network(interval: str = "1 ms", view: slice = slice(None), text: str = "v += 2 * mV; n += 1"):
    net = ns.Network("net", dt="0.1 ms", seed=3)
    cells = net.population("cells", 5, CELL)
    net.every(interval, cells[view], text)
    net.record(cells, "v", "n", "spikes")
    return net


def counts(run: ns.Run) -> list[float]:
    return run.get("cells", "n").tolist()


def test_statements_run_at_the_beginning_of_their_steps(backend):
    run = ns.prepare(network(), backend=backend)
    run.run("0.1 ms", progress=False)
    assert counts(run) == [1] * 5  # at 0 ms
    run.run("0.9 ms", progress=False)
    assert counts(run) == [1] * 5  # that of 1 ms belongs to the next step
    run.run("0.1 ms", progress=False)
    assert counts(run) == [2] * 5
    run.run("3 ms", progress=False)
    trace = run.result()["cells"].trace("v")
    # v has decayed for one step after the jump that began it.
    assert trace.initial.tolist() == [-60] * 5
    assert trace.values[0, 0] == pytest.approx(-60 + 2 * np.exp(-0.1 / 5), rel=1e-12)


def test_statements_of_a_view_change_its_neurons_alone(backend):
    run = ns.prepare(network(view=slice(1, 4, 2), text="n = i + N * gain"), backend=backend)
    run.set("cells", gain=[1.0, 2.0, 3.0, 4.0, 5.0])
    run.run("1 ms", progress=False)
    assert counts(run) == [0, 11, 0, 23, 0]


def test_statements_read_time_definitions_and_what_was_assigned_before(backend):
    text = "n = t / (0.1 * ms); v = doubled + 50 * mV; n += where(v < -60 * mV, 1, 0)"
    run = ns.prepare(network("0.5 ms", text=text), backend=backend)
    run.run("1.1 ms", progress=False)
    assert counts(run) == [pytest.approx(11)] * 5
    above_rest, decay = 0.0, np.exp(-0.1 / 5)
    for steps in (5, 5, 1):  # from 0, 0.5 and 1 ms on
        above_rest = (2 * above_rest - 10) * decay**steps
    assert run.get("cells", "v") + 60 == pytest.approx([above_rest] * 5, rel=1e-12)


@pytest.mark.parametrize("pieces", [["20 ms"], ["0.3 ms", "0.7 ms", "9 ms", "10 ms"]])
def test_engines_agree_to_the_last_bit_however_a_run_is_cut(backend, pieces):
    text = "v += 6 * mV * uniform() + normal() * mV; n += uniform()"
    recordings = []
    for name, cut in (("reference", ["20 ms"]), (backend, pieces)):
        run = ns.prepare(network("0.7 ms", slice(None, None, 2), text), backend=name)
        for piece in cut:
            run.run(piece, progress=False)
        recordings.append(run.result()["cells"])
    assert recordings[0].spikes.index.size > 5
    for variable in ("v", "n"):
        np.testing.assert_array_equal(
            recordings[0].trace(variable).values, recordings[1].trace(variable).values
        )


def test_numbers_of_statements_differ_between_updates_steps_and_replicas(backend):
    net = ns.Network("net", dt="0.1 ms", seed=3)
    cells = net.population("cells", 4, CELL)
    net.every("0.1 ms", cells, "v = uniform() * mV - 60 * mV")
    net.every("0.1 ms", cells, "n = uniform()")
    drawn = []
    for options in ({}, {"replica": 1}):
        run = ns.prepare(net, backend=backend, **options)
        for _ in range(2):
            run.run("0.1 ms", progress=False)
            drawn.append(run.get("cells", "n"))
            drawn.append((run.get("cells", "v") + 60) / np.exp(-0.1 / 5))
    assert len(np.unique(np.round(drawn, 9))) == 2 * 2 * 2 * 4


def test_functions_are_called_at_their_times_and_may_change_the_run(backend):
    run = ns.prepare(network(), backend=backend)
    called = []

    def note(it: ns.Run) -> None:
        called.append((round(it.time, 9), it.get("cells", "n")[0]))
        it.set("cells", n=10 * it.get("cells", "n"))

    stop = run.each("2 ms", note)
    run.run("4 ms", progress=False)
    # Before the statements of the same time.
    assert called == [(0, 0), (2, 2)]
    assert counts(run) == [22] * 5
    run.run("0.1 ms", progress=False)
    assert called[2:] == [(4, 22)]
    stop()
    stop()
    run.run("4 ms", progress=False)
    assert len(called) == 3


def test_an_exception_of_a_function_leaves_a_run_that_continues(backend):
    straight = ns.prepare(network(), backend=backend)
    straight.run("6 ms", progress=False)
    run = ns.prepare(network(), backend=backend)
    called = []
    run.each("2 ms", lambda it: called.append(it.time))

    def fail(it: ns.Run) -> None:
        if it.time > 3 and len(called) < 10:
            called.extend([-1.0] * 10)
            raise ValueError("enough")

    run.each("1 ms", fail)
    with pytest.raises(ValueError, match="enough"):
        run.run("6 ms", progress=False)
    assert (run.time, run.interrupted) == (pytest.approx(4), True)
    run.run("2 ms", progress=False)
    assert [time for time in called if time >= 0] == pytest.approx([0, 2, 4])
    expected, continued = straight.result()["cells"], run.result()["cells"]
    np.testing.assert_array_equal(expected.trace("v").values, continued.trace("v").values)


def test_a_function_cannot_run_or_load(backend, tmp_path):
    run = ns.prepare(network(), backend=backend)
    snapshot = run.snapshot()
    for number, verb in enumerate(
        (
            lambda it: it.run("1 ms"),
            lambda it: it.load(tmp_path / "state"),
            lambda it: it.restore(snapshot, clock=True),
        )
    ):
        stop = run.each("0.1 ms", verb)
        with pytest.raises(ns.NetworkError, match="found a call by a function of run.each"):
            run.run("0.1 ms", progress=False)
        stop()
        run.run("0.1 ms", progress=False)
        assert run.step == number + 1


def signalling(view: slice = slice(None)) -> ns.Network:
    net = ns.Network("net", dt="0.1 ms", seed=3)
    source = net.spike_source("source", 3, steps=[[2, 7], [7], [4]])
    cells = net.population("cells", 2, CELL)
    net.project(source, cells, ns.all_to_all(), rule=COUNTING, weight="1 mV", name="edges")
    net.signal("reward", source[view])
    net.record(cells, "v")
    return net


def test_spikes_emit_their_signal_once_per_step(backend):
    run = ns.prepare(signalling(), backend=backend)
    run.run("0.2 ms", progress=False)
    assert run.get("edges", "heard").tolist() == [0] * 6
    run.run("0.1 ms", progress=False)  # step 2 ends with the spike, and the signal belongs to it
    assert run.get("edges", "heard").tolist() == [1] * 6
    assert run.get("edges", "late") == pytest.approx([0.2] * 6)
    run.run("1 ms", progress=False)
    assert run.get("edges", "heard").tolist() == [3] * 6
    assert run.get("edges", "late") == pytest.approx([0.7] * 6)


def test_spikes_of_a_view_emit_like_a_script_that_watches_them(backend):
    watched = ns.prepare(signalling(slice(2, 3)), backend=backend)
    watched.run("1.5 ms", progress=False)
    by_hand = ns.prepare(signalling(slice(2, 3)), backend="reference")
    by_hand.set("source", steps=[[2, 7], [7], []])
    by_hand.run("0.5 ms", progress=False)
    by_hand.emit("reward")
    by_hand.run("1 ms", progress=False)
    assert watched.get("edges", "heard").tolist() == [1] * 6
    # The spike of the third source is missing by hand, which changes v alone.
    assert watched.get("edges", "w").tolist() == by_hand.get("edges", "w").tolist()


def test_cells_emit_signals_on_any_number_of_threads(backend):
    def outcome(name: str, **options) -> tuple:
        net = ns.Network("net", dt="0.1 ms", seed=5)
        cells = net.population("cells", 200, CELL, rest=ns.uniform("-58 mV", "-40 mV"))
        net.project(
            cells, cells, ns.fixed_indegree(5), rule=COUNTING, weight="0.2 mV", name="edges"
        )
        net.signal("reward", cells[150:])
        net.record(cells, "spikes")
        run = ns.prepare(net, backend=name, **options)
        run.run("30 ms", progress=False)
        return run.get("edges", "w").tolist(), run.result()["cells"].spikes.step.tolist()

    expected = outcome("reference")
    assert outcome(backend) == expected and len(set(expected[1])) > 3
    if backend == "cpu":
        assert outcome(backend, threads=2) == expected


def test_wrong_events_are_refused_at_their_line():
    net = network()
    cells = net["cells"]
    for arguments, error, message in (
        (("1 ms", cells, "x = 1"), ns.ModelError, "no state 'x'"),
        (("1 ms", cells, "v = 1"), ns.ModelError, "mV"),
        (("1 ms", cells, "v = xi * mV"), ns.ModelError, "xi is noise"),
        (("1 ms", cells, ""), ns.ModelError, "found no statement"),
        (("0.15 ms", cells, "n = 1"), ns.NetworkError, "every: interval"),
        (("1 ms", "cells", "n = 1"), ns.NetworkError, "every: found 'cells'"),
        ((cells, "1 ms", "n = 1"), ns.NetworkError, "in place of the interval, expected a time"),
    ):
        with pytest.raises(error, match=message):
            net.every(*arguments)
    assert len(net.updates) == 1
    with pytest.raises(ns.NetworkError, match="signal: .*'reward'.*Add the projection first"):
        net.signal("reward", cells)
    net = signalling()
    with pytest.raises(ns.NetworkError, match="emit 'reward' already"):
        net.signal("reward", net["source"])
    run = ns.prepare(network(), backend="reference")
    with pytest.raises(ns.NetworkError, match="each: found 3, expected a function"):
        run.each("1 ms", 3)
    with pytest.raises(ns.NetworkError, match="each: interval"):
        run.each("0.05 ms", print)


def test_events_belong_to_the_hash_and_to_the_report():
    assert ns.prepare(network(), backend="reference")._hash != (
        ns.prepare(network("2 ms"), backend="reference")._hash
    )
    report = ns.check(network(), backend="reference")
    assert any("every 1 ms" in row.reason for row in report.rows)


def test_functions_are_called_again_after_the_clock_was_set_back(backend):
    net = ns.Network("net", dt="1 ms")
    net.population("p", 1, ns.Cell("v : 1"))
    run = ns.prepare(net, backend=backend)
    times = []
    run.each("2 ms", lambda running: times.append(running.time))
    run.run("4 ms")
    before = run.snapshot()
    run.run("1 ms")
    run.restore(before, clock=True)
    run.run("3 ms")
    assert times == [0, 2, 4, 4, 6]
