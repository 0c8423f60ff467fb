"""The run put back: reset, snapshot, files, and streams on disk."""

from __future__ import annotations

import pytest
from messages import parts
from open_runs import CELL, LEARNING, STEPPED, network, prepared, same, states

import neurosim as ns
from neurosim import Cell, Network, NetworkError, Port, Refractory


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


def test_a_part_is_written_after_half_a_minute_however_little_was_recorded(backend, tmp_path, monkeypatch):
    """So that a killed run has lost no more than that: the folder is read while the run is open, and never finished."""
    now = 100.0
    monkeypatch.setattr("neurosim.recorder.monotonic", lambda: now)
    run = ns.prepare(network(), backend=backend, stream=tmp_path / "run")
    run.run(20, progress=False)
    with pytest.raises(NetworkError, match="found a header but no part.*Wait for the first part"):
        ns.Recording.load(tmp_path / "run")
    now += 31
    run.run(20, progress=False)
    now += 29
    run.run(20, progress=False)
    back = ns.Recording.load(tmp_path / "run")
    assert back.header["finished"] is False and len(list((tmp_path / "run").glob("part-*.npz"))) == 1
    once = ns.prepare(network(), backend=backend)
    once.run(back.duration, progress=False)
    assert 20 < back.duration <= 40 and dict(back.populations) == once.result().populations and dict(back.projections) == once.result().projections
    assert len(back["cells"].spikes) > 0


def test_later_parts_repeat_neither_edges_nor_members_without_a_sample(tmp_path, monkeypatch):
    monkeypatch.setattr("neurosim.recorder._PART", -1)  # a part for every stretch
    net = network()
    net.record(net.projections["static"], "w", every="40 ms")
    run = ns.prepare(net, backend="reference", stream=tmp_path / "run")
    for _ in range(10):
        run.run(10, progress=False)
    held = ns.simulate(net, "100 ms", backend="reference", progress=False)
    assert run.result()["static"] == held["static"] and run.result()["plastic"] == held["plastic"]
    assert run.result()["static"].trace("w").values.shape == (2, 20)
    first, *later = (ns.Recording.load(part) for part in sorted((tmp_path / "run").glob("part-*.npz")))
    assert len(first["static"].source) == 20 and all(len(part["static"].source) == 0 for part in later)
    assert [part["static"].trace("w").members.size for part in later if not len(part["static"].trace("w").values)] == [0] * (len(later) - 2)


def test_a_stream_of_no_time_is_an_empty_recording(backend, tmp_path):
    empty = ns.simulate(network(), 0, backend=backend, stream=tmp_path / "run", progress=False)
    assert empty == ns.simulate(network(), 0, backend=backend, progress=False) and len(empty["cells"].spikes) == 0


def test_traces_beyond_memory_are_refused_before_the_first_step_and_what_was_recorded_stays(backend, tmp_path, monkeypatch):
    """A thousand years: 40 bytes for each 0.5 ms, and 120 for each 2 ms."""
    run = prepared(backend, 20)
    years = 1000 * 365 * 86400e3
    with pytest.raises(NetworkError, match=parts("run: recording 3.1536e+13 ms needs about", "GB of memory, a copy for the result included, but",
                                                 "The largest traces are cells.v (5 members every 0.5 ms): 2.52e+06 GB; "
                                                 "plastic.w (15 members every 2 ms): 1.89e+06 GB.", "Record with a longer every=, fewer neurons or edges, or to disk: stream=")):
        run.run(years, progress=False)
    assert run.step == 20 and run.result()["cells"].trace("v").values.shape == (20, 5)
    run.run(10, progress=False)
    assert run.result() == prepared(backend, 40).result()


def test_a_run_is_refused_from_the_byte_on_that_is_not_available(monkeypatch):
    """200 steps of 5 neurons and 50 of 15 edges, a number of 8 bytes each: 14 000 bytes, needed twice, and those of the 20 steps before once."""
    monkeypatch.setattr("neurosim.ir.size._LITTLE", 0)
    run = prepared("reference", 20)
    held = 8 * (20 * 5 + 5 * 15) + 12 * len(run.result()["cells"].spikes)
    monkeypatch.setattr("neurosim.ir.size.available", lambda: 28_000 + held - 1.0)
    with pytest.raises(NetworkError, match="run: recording 100 ms needs about"):
        run.run(100, progress=False)
    monkeypatch.setattr("neurosim.ir.size.available", lambda: 28_000.0 + held)
    run.run(100, progress=False)
    monkeypatch.setattr("neurosim.ir.size.available", lambda: 0.0)
    run.run(0, progress=False)


def test_what_goes_to_disk_is_not_refused(tmp_path, monkeypatch):
    run = ns.prepare(network(), backend="reference", stream=tmp_path / "run")
    monkeypatch.setattr("neurosim.ir.size._LITTLE", 0)
    monkeypatch.setattr("neurosim.ir.size.available", lambda: 0.0)
    run.run(5, progress=False)
    assert run.step == 10


def test_what_a_run_forgot_needs_no_memory(monkeypatch):
    run = prepared("reference")
    start = run.snapshot()
    monkeypatch.setattr("neurosim.ir.size._LITTLE", 0)
    monkeypatch.setattr("neurosim.ir.size.available", lambda: 30_000.0)
    for _ in range(3):
        run.run(100, progress=False)
        run.restore(start, clock=True)


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
