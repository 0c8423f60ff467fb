"""The run held open: every verb, what ends a run early, and that bad input changes nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
from messages import parts

import neurosim as ns
from neurosim import Cell, Network, NetworkError, Parameter, Port, Refractory, Rule, SimulationError

CELL = Cell("""dv/dt = (drive - v + g) / tau : mV
               dg/dt = -g / tau_g : mV""",
            parameters={"tau": "10 ms", "tau_g": "3 ms", "drive": "0.9 mV", "theta": "1 mV", "pause": "1 ms"},
                receives={"x": Port("mV", into="g")},
            spike="v > theta", after_spike="v = 0", refractory=Refractory("pause", "v"), name="cell")
STEPPED = Cell("v : 1", parameters={"current": 0.0}, step="v += current", name="stepped")
LEARNING = Rule(pre="dx/dt = -x / tau : 1", post="dy/dt = -y / tau : 1", edge="w : mV; z : 1", name="learning",
                handlers=[("pre", "w = max(w - step * y, 0); out += w; x += 1"), ("post", "w = min(w + step * x, 2*mV); y += 1"),
                    ("night", "z += 1; y = 0")],
                parameters={"tau": "5 ms", "step": "0.1 mV", "each": Parameter("1", ns.uniform(0, 1), per="edge")})


def network(**values) -> Network:
    net = Network("net", dt="0.5 ms", seed=2)
    source = net.spike_source("source", 3, steps=[list(range(0, 200, 3)), list(range(1, 200, 5)), [7]])
    cells = net.population("cells", 5, CELL, **values)
    plastic = net.project(source, cells, ns.all_to_all(), weight=1.0, delay="2 ms", rule=LEARNING, name="plastic")
    net.project(cells, cells, ns.all_to_all(autapses=False), weight="0.1 mV", delay="1 ms", name="static")
    net.poisson("rates", 2, rate=ns.table([5.0, 6.0], every="1 ms"))
    net.bernoulli("chances", 2, p=0.5)
    net.poisson_drive(cells[:2], rate=100, weight=0.2, name="drive")
    net.record(cells, "spikes", "v")
    net.record(plastic, "w", every="2 ms")
    return net


def prepared(backend: str, steps: int = 0, net: Network | None = None) -> ns.Run:
    run = ns.prepare(net or network(), backend=backend)
    run.run(steps * run.program.dt, progress=False)
    return run


def states(run: ns.Run) -> dict:
    """Return all that a run's future depends on, its clock included."""
    return {key: array.copy() for key, array in run.memory.arrays.items()} | {"step": np.array(run.step)}


def same(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)


# ---- get and set


def test_what_is_set_is_read_back_with_units(backend):
    run = prepared(backend, 3)
    for owner, name, value, back in [
        ("cells", "tau", "0.02 s", 20.0), ("cells", "v", [0.1, 0.2, 0.3, 0.4, 0.5], [0.1, 0.2, 0.3, 0.4, 0.5]),
            ("cells", "g", "2 uV", [0.002] * 5),
        ("cells", "theta", [1, 2, 3, 4, 5], [1, 2, 3, 4, 5]), ("plastic", "w", 0.5, [0.5] * 15),
            ("plastic", "weight", np.arange(15.0) / 10, np.arange(15.0) / 10),
        ("plastic", "x", [1, 2, 3], [1, 2, 3]), ("plastic", "y", 4.0, [4.0] * 5), ("plastic", "tau", "0.007 s", 7.0),
            ("plastic", "each", 0.25, [0.25] * 15),
        ("static", "weight", "300 uV", 0.3), ("static", "w", np.arange(20.0), np.arange(20.0)), ("rates", "rate", "0.05 kHz", 50.0),
        ("chances", "p", [0.0, 1.0], [0.0, 1.0]), ("drive", "rate", [10.0, 20.0], [10.0, 20.0]), ("drive", "weight", "0.1 mV", 0.1),
    ]:
        run.set(owner, **{name: value})
        assert run.get(owner, name) == pytest.approx(back, rel=1e-12), name
    run.run(5, progress=False)


def test_a_view_reads_and_changes_its_neurons_in_its_order(backend):
    run = prepared(backend, 3)
    view = run.owners["cells"][[3, 1]]
    run.set(run.owners["cells"], v=0.0, tau=10.0)
    run.set(view, v=[0.3, 0.1], tau="5 ms")
    assert run.get("cells", "v").tolist() == [0, 0.1, 0, 0.3, 0] and run.get(view, "v").tolist() == [0.3, 0.1]
    assert run.get("cells", "tau").tolist() == [10, 5, 10, 5, 10]
    run.set(run.owners["rates"][1:], rate=70.0)
    assert run.get("rates", "rate").tolist() == pytest.approx([6.0, 70.0])  # the table was at its second row


@pytest.mark.parametrize(("name", "value"), [("tau", 4.0), ("tau_g", 1.5), ("drive", [0.5, 1.5, 1.0, 2.0, 1.2]), ("theta", 0.7), ("pause",
    3.0),
                                             ("pause", [0.0, 1.0, 2.0, 0.5, 0.0]), ("v", 0.3)])
def test_a_value_set_at_the_start_acts_as_if_the_network_had_been_written_with_it(backend, name, value):
    """Propagators and other constants are computed again, refractory times counted again."""
    late, early = prepared(backend), prepared(backend, 60, network(**{name: value}))
    late.set("cells", **{name: value})
    late.run(30, progress=False)
    one, other = late.result()["cells"], early.result()["cells"]
    assert one.spikes == other.spikes and (one.trace("v").values == other.trace("v").values).all() and len(other.spikes) > 5


def test_changing_what_was_read_or_given_changes_no_run(backend):
    net = Network("net", dt=1)
    weights, start = np.ones(6), np.zeros(3)
    cells = net.population("cells", 3, CELL, v=start)
    static = net.project(cells, cells, ns.all_to_all(autapses=False), weight=weights, name="static")
    weights[:], start[:] = 7.0, 8.0
    run = prepared(backend, 0, net)
    run.get(cells, "v")[:] = 5.0
    run.get(static, "w")[:] = 5.0
    assert run.get(cells, "v").tolist() == [0.0] * 3 and run.get(static, "w").tolist() == [1.0] * 6
    new = np.full(3, 0.5)
    run.set(cells, v=new)
    new[:] = 9.0
    assert run.get(cells, "v").tolist() == [0.5] * 3


def test_an_open_run_does_not_notice_what_happens_to_its_network(backend):
    net = network()
    run = prepared(backend, 0, net)
    net.project(net["cells"], net["cells"], ns.all_to_all(), weight=1.0, name="more")
    net.record(net["chances"], "spikes")
    net.populations["cells"].values["drive"] = 5.0
    run.run(20, progress=False)
    assert run.result() == prepared(backend, 40).result() and "chances" not in run.result()
    assert "more" in [p.name for p in ns.prepare(net, backend=backend).network.projections.values()]


def test_a_table_set_in_a_run_begins_with_its_first_row(backend):
    net = Network("net", dt=1)
    cells = net.population("cells", 2, STEPPED, current=ns.table([1.0, 2.0], every="2 ms"))
    net.record(cells, "v")
    run = prepared(backend, 5, net)
    run.set(cells, current=ns.table([[10.0, 20.0], [30.0, 40.0], [50.0, 60.0]], every="1 ms"))
    run.run(2, progress=False)
    assert run.get(cells, "current").tolist() == [30.0, 40.0]
    run.run(2, progress=False)
    run.set(cells, current=100.0)
    run.run(1, progress=False)
    assert run.result()["cells"].trace("v").values.tolist() == [[1, 1], [2, 2], [4, 4], [6, 6], [8, 8], [18, 28], [48, 68], [98, 128],
        [148, 188], [248, 288]]


BAD = {
    "an unknown owner": ("cels", {"v": 1}, "run of 'net' has no population, projection or drive 'cels'.", "Did you mean 'cells'?"),
    "an owner that is none": (5, {"v": 1}, "run of 'net' has no population, projection or drive 5.",
        "are: cells, chances, drive, plastic, rates, source, static."),
    "an owner of another network": (lambda run: network()["cells"], {"v": 1},
        "run of 'net': found 'cells' of another network, expected that of the one which was prepared.", "Give it or its name."),
    "an unknown name": ("cells", {"v": 1, "vv": 1}, "population 'cells' has no state, parameter or variable 'vv'.",
        "Did you mean 'v'?"),
    "another unit": ("cells", {"v": 1, "tau": "1 mV"}, "set 'cells', tau: '1 mV' is a voltage (mV)", "but a time (ms) is expected.",
        "Give it in ms."),
    "another shape": ("cells", {"v": 1, "tau": [1, 2]}, "set 'cells', tau: found an array of shape (2,)", "of length 5 (one per neuron).",
        "Reshape it."),
    "NaN": ("cells", {"tau": 3, "v": float("nan")}, "set 'cells', v: found a value that is not finite", "expected finite numbers.",
        "Replace it."),
    "nothing": ("cells", {"v": None}, "set 'cells', v: None is not a quantity.", "Give a number"),
    "an expression": ("cells", {"v": "2*drive"}, "set 'cells', v: unit 'drive': there is no unit 'drive'."),
    "a draw of another unit": ("cells", {"tau": 3, "v": ns.uniform("0 ms", "1 ms")}, "set 'cells', v, uniform(low=0 ms, high=1 ms): low",
        "a voltage (mV) is expected."),
    "a refractory time between the steps": ("cells", {"v": 1, "pause": 0.25},
        "set 'cells', pause: refractory time 0.25 ms is not a multiple of dt (0.5 ms).",
                                            "Use 0 ms or 0.5 ms or a smaller dt."),
    "a negative refractory time": ("cells", {"v": 1, "pause": -1}, "refractory time (ms): found -1", "expected 0 or more."),
    "a table where there was none": ("cells", {"v": 1, "tau": ns.table([1], every=1)}, "set 'cells', tau: found a table",
        "'tau' had no table when the run was prepared.",
                                     "Give it a table in the network; then tables of any length can be set."),
    "a table of another width": ("rates", {"rate": ns.table([[1, 2, 3]], every=1)}, "set 'rates', rate: found a table of shape (1, 3)",
        "expected (T,) or (T, 2)."),
    "a table between the steps": ("rates", {"rate": ns.table([1], every=0.75)}, "set 'rates', rate: every 0.75 ms is not a multiple of dt",
        "Use 0.5 ms or 1 ms"),
    "a table for some": (lambda run: run.owners["rates"][:1], {"rate": ns.table([1], every=1)}, "set 'rates', rate: found a view",
        "expected the whole population for a table."),
    "a negative rate": ("rates", {"rate": -5}, "set 'rates', rate: found -5", "expected 0 or more.", "Correct it."),
    "a negative rate in a table": ("rates", {"rate": ns.table([5, -5], every=1)}, "set 'rates', rate: found -5", "expected 0 or more."),
    "a probability above 1": ("chances", {"p": [0.5, 2]}, "set 'chances', p: found 2", "expected 0 to 1."),
    "too many for a view": (lambda run: run.owners["cells"][1:3], {"tau": 3, "v": [1, 2, 3]},
        "set 'cells', v: found an array of shape (3,)", "of length 2 (one per neuron)."),
    "too few edges": ("plastic", {"w": np.ones(14)}, "set 'plastic', w: found an array of shape (14,)",
        "of length 15 (one per edge or neuron)."),
    "a matrix": ("plastic", {"w": np.ones((3, 5))}, "set 'plastic', w: found an array of shape (3, 5)", "of length 15"),
    "too few sources": ("plastic", {"w": 2, "x": [1, 2]}, "set 'plastic', x: found an array of shape (2,)", "of length 3"),
    "a time constant of zero": ("plastic", {"w": 2, "tau": 0}, "set 'plastic', tau: found 0 ms", "expected more than 0 ms.",
        "Give a positive time."),
    "a weight twice": ("plastic", {"w": 1, "weight": 2}, "set 'plastic': found both w= and weight=, which are the same", "expected one.",
        "Leave one out."),
    "a delay": ("plastic", {"delay": 1}, "has no state, parameter or variable 'delay'.", "are: each, step, tau, w, x, y, z."),
    "a static weight in nA": ("static", {"weight": "1 nA"}, "set 'static', w: '1 nA' is a current (nA)", "but a voltage (mV) is expected."),
    "a negative rate of a drive": ("drive", {"weight": 1, "rate": -1}, "set 'drive', rate: found -1", "expected 0 or more."),
    "an unknown value of a drive": ("drive", {"n": 5},
        "drive 'drive' has no state, parameter or variable 'n'.", "are: rate, weight."),
    "spikes of some": (lambda run: run.owners["source"][:1], {"steps": [[5]]}, "set 'source': found a view",
        "expected the whole source of given spikes."),
    "spikes twice": ("source", {"steps": [[1], [], []], "times": [[1], [], []]},
        "set 'source': expected either times= or steps=, found both.", "Give one."),
    "no spikes": ("source", {}, "set 'source': expected either times= or steps=, found neither.", "Give one."),
    "a state of given spikes": ("source", {"v": 1}, "set 'source' has no value 'v'.", "The values are: steps, times."),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_a_set_with_one_bad_value_among_several_changes_nothing(backend, case):
    owner, values, *message = case
    run = prepared(backend, 3)
    before = states(run)
    with pytest.raises(NetworkError, match=parts(*message)):
        run.set(owner(run) if callable(owner) else owner, **values)
    assert same(states(run), before)


def test_the_check_that_nothing_changed_sees_a_change():
    run = prepared("reference", 3)
    before = states(run)
    run.set("cells", v=run.get("cells", "v") + 1e-15)
    assert not same(states(run), before)


@pytest.mark.parametrize(("act", "message"), [
    (lambda run: run.get("cells", "vv"), ("has no state, parameter or variable 'vv'.", "Did you mean 'v'?")),
    (lambda run: run.get("cells", 5), ("has no state, parameter or variable 5.",)),
    (lambda run: run.get("source", "steps"), ("population 'source' has no state, parameter or variable 'steps'.",)),
    (lambda run: run.get([1], "v"), ("run of 'net' has no population, projection or drive [1].",)),
    (lambda run: run.emit("nigth"), ("emit: there is no signal 'nigth'.", "Did you mean 'night'?",
        "A rule listens to a signal with a handler of its name.")),
    (lambda run: run.reset("cells", "v", "tau"), ("reset: 'cells' has no state or variable 'tau'.", "are: g, v.")),
    (lambda run: run.reset("cels"), ("has no population, projection or drive 'cels'.", "Did you mean 'cells'?")),
    (lambda run: run.reset(run.owners["cells"][:2], "v"), ("reset: found <view of 'cells': 2 of 5 neurons>, expected a whole population.",
        "Use run.set")),
    (lambda run: run.restore(5), ("restore: found 5, expected a snapshot.", "Take it with run.snapshot().")),
    (lambda run: run.restore(prepared("reference", 0, network(tau=3.0)).snapshot()),
        ("restore: the snapshot is of another network (or seed)", "run.snapshot().")),
    (lambda run: run.run(-1), ("run: duration: found -1, expected one time of 0 ms or more.",)),
    (lambda run: run.run(0.75), ("run: duration 0.75 ms is not a multiple of dt (0.5 ms).", "Use 0.5 ms or 1 ms or a smaller dt.")),
    (lambda run: run.run(float("nan")), ("run: duration: found nan",)),
        (lambda run: run.run(1e300), ("run: duration: found 1e+300 ms, expected less than",)),
    (lambda run: run.run("1 mV"), ("run: duration: '1 mV' is a voltage (mV), but a time (ms) is expected.",)),
    (lambda run: run.run(None), ("run: duration: None is not a quantity.",)),
    (lambda run: run.result()["chances"], ("the recording has no name 'chances'.", "must be recorded with net.record.")),
])
def test_other_verbs_refuse_what_is_not_there_and_change_nothing(act, message):
    run = prepared("reference", 3)
    before = states(run)
    with pytest.raises(NetworkError, match=parts(*message)):
        act(run)
    assert same(states(run), before)


# ---- reset, snapshot, files


def test_a_reset_population_has_its_initial_states_no_refractoriness_and_empty_ports(backend):
    run = prepared(backend, 40)
    assert run.get("cells", "v").any()
    run.set("cells", tau=7.0)
    run.reset("cells")
    assert not run.get("cells", "v").any() and not run.get("cells", "g").any() and run.get("cells", "tau") == 7.0 and run.step == 40
    assert not run.memory["cells", "_port_x"].any()


@pytest.mark.parametrize(("reset", "spikes"), [(False, [1]), (True, [1, 3])])
def test_a_reset_neuron_is_not_refractory(backend, reset, spikes):
    """It fires in step 1, and what lands in step 2 finds it refractory, unless it was reset before step 3."""
    net = Network("net", dt=1)
    source = net.spike_source("source", 1, steps=[[0, 2]])
    pausing = Cell("v : 1", receives={"x": Port("1", into="v")}, spike="v > 0.5", after_spike="v = 0", refractory=Refractory("9 ms", "v"),
        name="pausing")
    cells = net.population("cells", 1, pausing)
    net.project(source, cells, ns.all_to_all(), weight=1.0)
    net.record(cells, "spikes")
    run = prepared(backend, 2, net)
    if reset:
        run.reset(cells)
    run.run(5, progress=False)
    assert run.result()["cells"].spikes.step.tolist() == spikes


@pytest.mark.parametrize("fraction", [0.0, 1.0], ids=["before the synapse", "behind it"])
def test_a_reset_projection_loses_its_traces_and_the_spikes_in_flight_and_keeps_what_it_learned(backend, fraction):
    net = Network("net", dt="0.5 ms")
    source, cells = net.spike_source("source", 1, steps=[[2, 4]]), net.population("cells", 1, CELL, drive=0.0)
    plastic = net.project(source, cells, ns.all_to_all(), weight=0.5, delay="5 ms", dendritic_fraction=fraction, rule=LEARNING,
        name="plastic")
    run = prepared(backend, 6, net)
    run.emit("night")
    run.set(plastic, w=0.75)
    run.reset("plastic")
    run.run(20, progress=False)
    assert run.get(cells, "g").tolist() == [0.0]  # both spikes were on their way
    assert (run.get(plastic, "x"), run.get(plastic, "z"), run.get(plastic, "w")) == (0.0, 1.0, 0.75)
    run.reset(plastic, "w", "z")
    assert (run.get(plastic, "w"), run.get(plastic, "z")) == (0.5, 0.0)


def test_spikes_that_are_not_reset_do_arrive(backend):
    """The negative control of the test above."""
    net = Network("net", dt="0.5 ms")
    source, cells = net.spike_source("source", 1, steps=[[2, 4]]), net.population("cells", 1, CELL, drive=0.0)
    net.project(source, cells, ns.all_to_all(), weight=0.5, delay="5 ms", rule=LEARNING, name="plastic")
    assert prepared(backend, 26, net).get(cells, "g")[0] > 0.0


def test_a_snapshot_is_a_copy_and_restoring_it_leaves_the_clock_unless_asked(backend):
    run = prepared(backend, 20)
    kept, then = run.snapshot(), states(run)
    run.run(10, progress=False)
    run.set("cells", v=5.0, tau=3.0)
    run.restore(kept, clock=True)
    assert same(states(run), then) and run.result()["cells"].trace("v").values.shape[0] == 20
    run.run(10, progress=False)
    run.restore(kept)
    assert run.step == 40 and run.get("cells", "tau") == 10.0 and run.get("cells", "v").tolist() == then["cells", "v"].tolist()


def test_what_follows_a_snapshot_follows_it_at_any_later_time(backend):
    """Without noise and given spikes only the state matters: spikes in flight, traces and refractoriness move with it."""
    net = Network("net", dt="0.5 ms")
    cells = net.population("cells", 4, CELL, drive=[1.1, 1.4, 1.9, 3.0])
    plastic = net.project(cells, cells, ns.all_to_all(), weight=0.3, delay=ns.uniform(0.5, 4), round_delays=True, rule=LEARNING,
        name="plastic")
    run = prepared(backend, 31, net)
    kept = run.snapshot()
    run.run(20, progress=False)
    first = [run.get(cells, "v"), run.get(plastic, "w"), run.get(plastic, "x")]
    run.run(13, progress=False)
    run.restore(kept)
    run.run(20, progress=False)
    assert run.step == 31 + 40 + 26 + 40
    assert all((a == b).all() for a, b in zip(first, [run.get(cells, "v"), run.get(plastic, "w"), run.get(plastic, "x")], strict=True))
    assert run.get(plastic, "w").std() > 0.01


def test_a_table_goes_on_from_a_restored_snapshot_where_it_was(backend):
    net = Network("net", dt=1)
    cells = net.population("cells", 1, STEPPED, current=ns.table([1.0, 2.0, 3.0, 4.0], every="2 ms"))
    run = prepared(backend, 3, net)
    kept = run.snapshot()
    run.run(9, progress=False)
    run.restore(kept)
    run.run(3, progress=False)
    assert run.get(cells, "v").tolist() == [1 + 1 + 2 + (2 + 3 + 3)]


def test_a_state_is_loaded_into_the_same_network_with_the_same_probes_only(backend, tmp_path):
    path = tmp_path / "state.npz"
    prepared(backend, 9).save(path)
    for net, message in [(network(tau=3.0), ("load: ", "state.npz holds a state of network 'net' that differs from this one",
        "Prepare the same network, with the same seed."))]:
        with pytest.raises(NetworkError, match=parts(*message)):
            prepared(backend, 0, net).load(path)
    other = network()
    other.record(other["chances"], "spikes")
    run = prepared(backend, 0, other)
    before = states(run)
    with pytest.raises(NetworkError, match=parts("was recorded with", "cells.spikes of 5", "expected", "chances.spikes of 2",
        "Record the same in both runs.")):
        run.load(path)
    assert same(states(run), before)


def test_a_state_goes_on_from_one_backend_on_another(tmp_path):
    path = tmp_path / "state.npz"
    prepared("reference", 21).save(path)
    run = prepared("cpu")
    run.load(path)
    run.run(20, progress=False)
    expected = prepared("reference", 61).result()
    assert run.result()["cells"] == expected["cells"] and run.result()["plastic"] == expected["plastic"]


def test_a_stream_on_disk_holds_what_a_run_in_memory_records(backend, tmp_path, monkeypatch):
    from neurosim import recorder

    monkeypatch.setattr(recorder, "_PART", 2000)  # bytes: many parts
    streamed = ns.simulate(network(), "100 ms", backend=backend, stream=tmp_path / "run", progress=False)
    assert len(list((tmp_path / "run").glob("part-*.npz"))) > 1
    held = ns.simulate(network(), "100 ms", backend=backend, progress=False)
    assert streamed["cells"] == held["cells"] and streamed["plastic"] == held["plastic"] and streamed.header["finished"] is True


def test_a_clock_is_not_set_back_before_what_is_on_disk_already(tmp_path):
    run = ns.prepare(network(), backend="reference", stream=tmp_path / "run")
    kept = run.snapshot()
    run.run(5, progress=False)
    run.result()  # writes what there is
    with pytest.raises(NetworkError, match=parts("restore: recordings since 5 ms are on disk already", "Restore without clock=True.")):
        run.restore(kept, clock=True)
    assert run.step == 10
    run.restore(kept)
    assert run.step == 10 and not run.get("cells", "v").any()


# ---- values that are not finite


def growing(backend: str, **values) -> ns.Run:
    net = Network("net", dt="0.5 ms")
    cells = net.population("cells", 4, Cell("v : 1; u : 1", parameters={"factor": 1.0}, step="u = u + 1; v = v * factor", name="growing"),
                           v=1.0, factor=[1.0, 1.0, 1e100, 1.0], **values)
    net.record(cells, "v")
    return ns.prepare(net, backend=backend)


def test_a_value_that_is_not_finite_ends_the_run_where_it_appears_and_what_was_recorded_is_kept(backend):
    """1e100 to the fourth power overflows in the fourth step, step 3, which ends at 2 ms; three steps are whole."""
    run = growing(backend)
    with pytest.raises(SimulationError, match=parts("population 'cells', neuron 2: v is inf at 2 ms", "expected a finite value.",
        "The run has ended",
                                                    "Try a smaller dt, another method, or bounded inputs.")) as caught:
        run.run("50 ms", progress=False)
    error = caught.value
    assert (error.population, error.index, error.variable, error.time) == ("cells", 2, "v", 2.0)
    values = error.recording["cells"].trace("v").values
    assert values.shape == (3, 4) and values[:, 2].tolist() == [1e100, 1e200, 1e300] and (values[:, 0] == 1.0).all()
    assert error.recording.header["finished"] is False and error.recording.header["steps"] == 3


def test_nan_is_found_too_and_is_no_spike(backend):
    net = Network("net", dt="1 ms")
    cells = net.population("cells", 2, Cell("v : 1", parameters={"a": 1.0}, step="v = a / (a - t / ms) * (a - t / ms) / (a - t / ms)",
        spike="v > 100", name="dividing"),
                           a=[2.0, 9.0])
    net.record(cells, "spikes")
    with pytest.raises(SimulationError, match=parts("population 'cells', neuron 0: v is nan at 3 ms")) as caught:
        prepared(backend, 20, net)
    assert len(caught.value.recording["cells"].spikes) == 0


def test_a_variable_of_a_rule_that_is_not_finite_is_named_with_its_edge(backend):
    net = Network("net", dt="1 ms")
    source = net.spike_source("source", 2, steps=[[1], [1, 2, 3, 4]])
    cells = net.population("cells", 2, STEPPED)
    rule = Rule(edge="w : 1; z : 1", handlers=[("pre", "z = (z + 1) * 1e200")], name="growing")
    net.project(source, cells, ns.all_to_all(), weight=0.0, rule=rule, name="p")
    with pytest.raises(SimulationError, match=parts("projection 'p', edge 2: z is inf at", "expected a finite value.")) as caught:
        prepared(backend, 20, net)
    assert (caught.value.population, caught.value.index, caught.value.variable) == ("p", 2, "z")
    assert caught.value.recording.header["finished"] is False


def test_simulate_passes_the_error_on_with_the_recording(backend):
    net = Network("net", dt="1 ms")
    net.record(net.population("cells", 1, Cell("v : 1", step="v = v * 1e200", initial={"v": 1.0}, name="bursting")), "v")
    with pytest.raises(SimulationError) as caught:
        ns.simulate(net, "1 s", backend=backend, progress=False)
    assert caught.value.recording["cells"].trace("v").values.ravel().tolist() == [1e200]


# ---- Ctrl-C


def interrupt_soon() -> threading.Timer:
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    return timer


def test_a_run_looks_up_as_seldom_as_the_one_before_it_learned_to(monkeypatch):
    """As often as it must, when steps come to take longer than a look may wait."""
    run, counts = prepared("reference"), []
    advance = run.engine.advance
    monkeypatch.setattr(run.engine, "advance", lambda first, count, **more: counts.append(count) or advance(first, count, **more))
    for longest, steps in ((1e9, 100), (1e9, 150), (0.0, 3), (0.0, 3)):
        monkeypatch.setattr("neurosim.run._STRETCH", longest)
        run.run(0.5 * steps, progress=False)
    assert counts == [64, 36, 150, 3, 1, 1, 1]


def test_an_interrupt_ends_a_run_between_two_steps_and_the_run_may_go_on(backend):
    run = prepared(backend)
    timer = interrupt_soon()
    with pytest.raises(KeyboardInterrupt):
        run.run("100000 s", progress=False)
    timer.join()
    reached = run.step
    assert 0 < reached < 2e8 and run.result().header["finished"] is False
    assert len(run.result()["cells"].trace("v").values) == reached
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    kept = {key: array for key, array in states(run).items() if key != "step"}
    assert all(np.isfinite(a).all() for a in kept.values() if a.dtype.kind == "f")
    run.run(10, progress=False)
    assert run.step == reached + 20 and run.result().header["finished"] is True
    compared = min(reached, 200)
    expected = prepared(backend, compared).result()["cells"].trace("v").values
    assert run.result()["cells"].trace("v").values[:compared].tolist() == expected.tolist()


def test_an_interrupted_simulation_returns_what_was_recorded(backend, capsys):
    timer = interrupt_soon()
    result = ns.simulate(network(), "100000 s", backend=backend, progress=False)
    timer.join()
    assert result.header["finished"] is False and len(result["cells"].spikes) > 0 and result.header["steps"] == len(result["cells"].trace("v").values)
    assert "interrupted at" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="signals of another kind")
def test_ctrl_c_at_a_process_ends_it_cleanly_with_what_was_recorded(backend, tmp_path):
    script = textwrap.dedent(f"""
        import sys
        import neurosim as ns
        net = ns.Network("net", dt=1)
        cells = net.population("cells", 3, ns.Cell("v : 1", step="v += 0.4", spike="v > 1", after_spike="v = 0"))
        net.record(cells, "spikes")
        run = ns.prepare(net, backend={backend!r})
        print("ready", flush=True)
        try:
            run.run("100000 s", progress=False)
        except KeyboardInterrupt:
            result = run.result()
            result.save({str(tmp_path / "kept.npz")!r})
            print(result.header["finished"], result.header["steps"], len(result["cells"].spikes), flush=True)
    """)
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True)
    try:
        assert process.stdout.readline().strip() == "ready"
        threading.Event().wait(0.4)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, err
    finished, steps, spikes = out.split()
    assert finished == "False" and int(steps) > 100 and int(spikes) == 3 * (int(steps) // 3)
    assert ns.Recording.load(tmp_path / "kept.npz").header["steps"] == int(steps)


# ---- check


class Undrawn:
    """A connector that must not be asked to draw."""

    def expected(self, n_source: int, n_target: int) -> float:
        return 10.0

    def show(self) -> str:
        return "undrawn"

    def connect(self, *arguments, **options):
        raise AssertionError("edges were drawn")


def test_check_draws_nothing_and_says_row_by_row_what_will_run(backend):
    net = network()
    net.project(net["cells"], net["cells"], Undrawn(), weight=1.0, name="undrawn")
    report = ns.check(net, backend=backend)
    assert report.possible and {row.status for row in report.rows} == {"exact"}
    assert [row.place for row in report.rows] == ["population 'source'", "population 'cells'", "population 'rates'",
        "population 'chances'", "projection 'plastic'",
                                                  "projection 'static'", "drive 'drive'", "projection 'undrawn'"]
    assert "v: exact; g: exact." in str(report) and "rule 'learning'." in str(report)


def test_the_recording_says_where_it_comes_from(backend):
    header = prepared(backend, 5).result().header
    assert {k: header[k] for k in ("network", "dt", "seed", "first", "steps", "backend", "finished", "report")} == {
        "network": "net", "dt": 0.5, "seed": 2, "first": 0, "steps": 5, "backend": backend, "finished": True, "report": []}
    assert header["versions"].keys() >= {"neurosim", "numpy", "python"} and len(header["hash"]) == 32


@pytest.mark.parametrize("replica", [-1, 0.5, "a", 1 << 32])
def test_a_replica_that_is_no_word_of_32_bits_is_refused(backend, replica):
    net = ns.Network("replica", dt="1 ms")
    net.poisson("p", 1, rate=10)
    with pytest.raises(ns.NetworkError, match=f"backend '{backend}', replica: .*whole number"):
        ns.prepare(net, backend=backend, replica=replica)
