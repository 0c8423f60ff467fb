"""Float32 leaves exact: bits for any threads, split and room; counts, delays and times; values as
they are read.
"""

from __future__ import annotations

import numpy as np
import pytest
from support.cpu_networks import differences, journey, pairs, plastic, same_bits, scattered, story

import neurosim as ns
from neurosim.backends.cpu.plan.late_events import LateEvents
from neurosim.models import cells, plasticity


@pytest.fixture(scope="module")
def played() -> ns.Run:
    """A run with tables, drives, delays, decaying variables, signals, traces, and changes in
    between.
    """
    return story(ns.prepare(plastic(), backend="cpu", precision="float32", threads=1))


@pytest.mark.parametrize(("threads", "parts"), [(2, 1), (3, 1), (1, 7), (2, 7)])
def test_neither_threads_nor_the_split_of_a_run_change_a_bit(played, threads, parts):
    assert (
        differences(
            story(
                ns.prepare(plastic(), backend="cpu", precision="float32", threads=threads),
                parts=parts,
            ),
            played,
        )
        == []
    )
    assert min(played.result()[p].spikes.index.size for p in "ab") > 500


def test_a_saved_run_and_a_snapshot_continue_to_the_last_bit(played, tmp_path):
    """Saved with two threads, continued with one; a changed bit of a weight is seen."""
    run = ns.prepare(plastic(), backend="cpu", precision="float32", threads=2)
    run.run("7 ms", progress=False)
    run.save(tmp_path / "state.npz")
    later = ns.prepare(plastic(), backend="cpu", precision="float32", threads=1)
    later.load(tmp_path / "state.npz")
    middle = later.snapshot()
    for either in (run, later):
        either.run("9 ms", progress=False)
    assert differences(run, later) == []
    later.restore(middle, clock=True)
    later.run("9 ms", progress=False)
    assert differences(run, later) == []
    later.restore(middle, clock=True)
    later.memory["learned", "w"][7] = np.nextafter(later.memory["learned", "w"][7], np.float32(1.0))
    later.run("9 ms", progress=False)
    assert "('learned', 'w')" in differences(run, later)


def test_spikes_on_their_way_land_alike_whether_their_lists_have_room_or_not(tmp_path, monkeypatch):
    journeys = [
        journey(
            ns.prepare(scattered(), backend="cpu", precision="float32", threads=threads), tmp_path
        )
        for threads in (1, 2)
    ]
    monkeypatch.setattr(
        "neurosim.backends.cpu.plan.delivery.LateEvents",
        lambda tables, most, dtype: LateEvents(tables, most=1, dtype=dtype),
    )
    journeys.append(journey(ns.prepare(scattered(), backend="cpu", precision="float32"), tmp_path))
    assert all(
        same_bits(a, b) for other in journeys[1:] for a, b in zip(journeys[0], other, strict=True)
    )


def test_deferred_post_handlers_leave_the_bits_of_those_that_are_not(monkeypatch):
    values = []
    for least in (16, 10**6):
        monkeypatch.setattr("neurosim.backends.cpu.plan.deferral.LEAST", least)
        run = ns.prepare(pairs(("pre", "post"), 1.0, "7 ms"), backend="cpu", precision="float32")
        assert bool(run.engine.delivery.deferral.sweeps) == (least == 16)
        run.run("60 ms", progress=False)
        values.append(
            [run.get("learned", name) for name in ("w", "c", "n")]
            + [run.result()["learned"].trace("w").values]
        )
    assert all(same_bits(a, b) for a, b in zip(*values, strict=True)) and np.ptp(values[0][0]) > 0.1


def test_counts_of_a_drive_delays_and_refractory_steps_are_those_of_float64():
    """Sums of small whole numbers are exact in float32, so that every count is visible."""
    cell = ns.Cell(
        "n : 1; v : 1",
        step="v = v + x; n = n + 1",
        receives={"x": ns.Port("1")},
        spike="v > 40",
        after_spike="v = 0",
        refractory="pause",
        parameters={"pause": "0.7 ms"},
    )
    net = ns.Network("counts", dt="0.1 ms", seed=5)
    p = net.population("p", 700, cell)
    net.poisson_drive(p[7:650], n=10, rate=3000, weight=1, port="x")
    net.poisson_drive(p[::3], n=10, rate=500, weight=2, port="x", name="apart")
    net.project(
        p,
        p,
        ns.fixed_probability(0.01),
        weight=1,
        delay=ns.uniform(0, 2),
        round_delays=True,
        port="x",
    )
    net.record(p, "spikes")
    outcomes = []
    for precision in ("float64", "float32"):
        run = ns.prepare(net, backend="cpu", precision=precision)
        run.run("20 ms", progress=False)
        outcomes.append(
            (run.result()["p"].spikes, run.get("p", "v"), run.memory["p", "_refractory"])
        )
    assert outcomes[0][0] == outcomes[1][0] and len(outcomes[0][0]) > 1000
    assert (outcomes[0][1] == outcomes[1][1]).all() and outcomes[0][2] == outcomes[1][2] == 7


def test_the_time_of_a_step_is_rounded_once():
    """0.1 rounded and then multiplied would drift away from the time."""
    net = ns.Network("time", dt="0.1 ms")
    p = net.population("p", 1, ns.Cell("v : ms; w : 1", step="v = t; w = i + N"))
    net.record(p, "v")
    values = (
        ns.simulate(net, "500 ms", backend="cpu", precision="float32", progress=False)["p"]
        .trace("v")
        .values[:, 0]
    )
    exact = np.arange(5000) * 0.1
    assert same_bits(values, exact.astype(np.float32).astype(np.float64))
    assert (np.arange(5000) * np.float32(0.1).astype(np.float64)).astype(
        np.float32
    ).tolist() != exact.astype(np.float32).tolist()


def test_what_is_read_is_float64_and_what_is_held_float32():
    run = ns.prepare(plastic(), backend="cpu", precision="float32")
    run.run("10 ms", progress=False)
    held = {
        key: array.dtype.name for key, array in run.memory.arrays.items() if array.dtype.kind == "f"
    }
    assert {key for key, name in held.items() if name == "float64"} == {("input", "rate")}
    assert len(held) > 30
    assert (
        run.get("learned", "w").dtype
        == run.get("b", "v").dtype
        == run.result()["b"].trace("v").values.dtype
        == np.float64
    )
    assert all(p.weight is None for p in run.network.projections.values()), (
        "float64 weights would stay in memory beside those of the run"
    )


def test_a_decaying_variable_is_recorded_as_it_is_read():
    """Records are made by compiled code, `get` by NumPy."""
    net = ns.Network("decays", dt="0.1 ms")
    source = net.spike_source("source", 5, steps=[[k, 7 * k + 8] for k in range(5)])
    target = net.population("target", 5, cells.lif())
    net.project(
        source,
        target,
        ns.one_to_one(),
        weight=0.1,
        port="synaptic",
        rule=plasticity.stdp(),
        name="learned",
    )
    variable = plasticity.stdp().pre[0].name
    net.record(net["learned"], variable)
    run = ns.prepare(net, backend="cpu", precision="float32")
    seen = []
    for _ in range(50):
        run.run("0.1 ms", progress=False)
        seen.append(run.get("learned", variable))
    assert same_bits(np.array(seen), run.result()["learned"].trace(variable).values)
    assert np.ptp(seen) > 0.1


def test_reset_by_name_returns_to_the_rounded_weights_of_the_start():
    run = ns.prepare(plastic(), backend="cpu", precision="float32")
    start = run.get("learned", "w")
    run.run("10 ms", progress=False)
    assert (run.get("learned", "w") != start).any()
    run.reset("learned", "w")
    assert same_bits(run.get("learned", "w"), start)


def test_a_value_beyond_float32_ends_the_run_where_it_happens():
    net = ns.Network("explosion", dt="1 ms")
    net.population("p", 3, ns.Cell("v : 1", step="v = v * v", initial={"v": 2.0}))
    for precision, steps in (("float64", 9), ("float32", 6)):
        with pytest.raises(ns.SimulationError, match="v is inf"):
            run = ns.prepare(net, backend="cpu", precision=precision)
            run.run("50 ms", progress=False)
        assert run.step == steps


def test_a_decay_over_any_time_is_to_the_last_bit_what_is_read_between_steps():
    """Up to 16383 steps it is looked up; after more, a dt that is rounded to float32 would show."""
    late = 16_300 + 50 * np.arange(40)
    rule = ns.Rule(
        pre="dx/dt = -x / tau : 1",
        edge="w : mV; seen : 1",
        parameters={"tau": "200 ms"},
        handlers=[("pre", "seen = x; out += w; x += 1")],
    )
    runs = []
    for steps in ([[0, int(step)] for step in late], [[0]] * 40):
        net = ns.Network("late", dt="0.1 ms")
        source = net.spike_source("source", 40, steps=steps)
        one = net.population("one", 1, cells.lif_delta())
        net.project(
            source,
            one,
            ns.all_to_all(),
            weight=0.0,
            rule=rule,
            port="synaptic",
            delay="0.1 ms",
            name="learned",
        )
        runs.append(ns.prepare(net, backend="cpu", precision="float32", threads=1))
    runs[0].run("1900 ms", progress=False)
    expected = []
    for k, step in enumerate(late):
        runs[1].run(0.1 * (int(step) + 1 - runs[1].step), progress=False)
        expected.append(runs[1].get("learned", "x")[k])
    assert len(set(expected)) == 40 and runs[0].get("learned", "seen").tolist() == expected
