"""The run put back: reset, snapshot, files, and streams on disk."""

from __future__ import annotations

import pytest
from support.messages import parts
from support.open_runs import CELL, LEARNING, STEPPED, network, prepared, same, states

import neurosim as ns
from neurosim import Cell, Network, NetworkError, Port, Refractory
from neurosim.recording import files


def test_a_reset_population_has_its_initial_states_no_refractoriness_and_empty_ports(backend):
    run = prepared(backend, 40)
    assert run.get("cells", "v").any()
    run.set("cells", tau=7.0)
    run.reset("cells")
    assert not run.get("cells", "v").any()
    assert not run.get("cells", "g").any()
    assert run.get("cells", "tau") == 7.0
    assert run.step == 40
    assert not run.memory["cells", "_port_x"].any()


@pytest.mark.parametrize(("reset", "spikes"), [(False, [1]), (True, [1, 3])])
def test_a_reset_neuron_is_not_refractory(backend, reset, spikes):
    """It fires in step 1, and what lands in step 2 finds it refractory, unless it was reset before
    step 3.
    """
    net = Network("net", dt=1)
    source = net.spike_source("source", 1, steps=[[0, 2]])
    pausing = Cell(
        "v : 1",
        receives={"x": Port("1", into="v")},
        spike="v > 0.5",
        after_spike="v = 0",
        refractory=Refractory("9 ms", "v"),
        name="pausing",
    )
    cells = net.population("cells", 1, pausing)
    net.project(source, cells, ns.all_to_all(), weight=1.0)
    net.record(cells, "spikes")
    run = prepared(backend, 2, net)
    if reset:
        run.reset(cells)
    run.run(5, progress=False)
    assert run.result()["cells"].spikes.step.tolist() == spikes


@pytest.mark.parametrize("fraction", [0.0, 1.0], ids=["before the synapse", "behind it"])
def test_a_reset_projection_loses_its_traces_and_the_spikes_in_flight_and_keeps_what_it_learned(
    backend, fraction
):
    net = Network("net", dt="0.5 ms")
    source = net.spike_source("source", 1, steps=[[2, 4]])
    cells = net.population("cells", 1, CELL, drive=0.0)
    plastic = net.project(
        source,
        cells,
        ns.all_to_all(),
        weight=0.5,
        delay="5 ms",
        dendritic_fraction=fraction,
        rule=LEARNING,
        name="plastic",
    )
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
    source = net.spike_source("source", 1, steps=[[2, 4]])
    cells = net.population("cells", 1, CELL, drive=0.0)
    net.project(
        source, cells, ns.all_to_all(), weight=0.5, delay="5 ms", rule=LEARNING, name="plastic"
    )
    assert prepared(backend, 26, net).get(cells, "g")[0] > 0.0


def test_a_snapshot_is_a_copy_and_restoring_it_leaves_the_clock_unless_asked(backend):
    run = prepared(backend, 20)
    snapshot, then = run.snapshot(), states(run)
    run.run(10, progress=False)
    run.set("cells", v=5.0, tau=3.0)
    run.restore(snapshot, clock=True)
    assert same(states(run), then) and run.result()["cells"].trace("v").values.shape[0] == 20
    run.run(10, progress=False)
    run.restore(snapshot)
    assert run.step == 40
    assert run.get("cells", "tau") == 10.0
    assert run.get("cells", "v").tolist() == then["cells", "v"].tolist()


@pytest.mark.parametrize("step", [4, 6, 7, 8])
def test_a_clock_set_back_into_a_stretch_keeps_every_row_before_it(backend, step):
    """The stretch begins in step 3 and records rows of w in steps 3, 7, 11: no row may be lost, nor
    stay that the run records again.
    """
    whole, earlier, run = prepared(backend, 20), prepared(backend, step), prepared(backend, 3)
    run.run(17 * 0.5, progress=False)
    run.restore(earlier.snapshot(), clock=True)
    assert run.result() == earlier.result()
    run.run((20 - step) * 0.5, progress=False)
    assert run.result()["cells"] == whole.result()["cells"]
    assert run.result()["plastic"] == whole.result()["plastic"]


def test_what_follows_a_snapshot_follows_it_at_any_later_time(backend):
    """Without noise and given spikes only the state matters: spikes in flight, traces and
    refractoriness move with it.
    """
    net = Network("net", dt="0.5 ms")
    cells = net.population("cells", 4, CELL, drive=[1.1, 1.4, 1.9, 3.0])
    plastic = net.project(
        cells,
        cells,
        ns.all_to_all(),
        weight=0.3,
        delay=ns.uniform(0.5, 4),
        round_delays=True,
        rule=LEARNING,
        name="plastic",
    )
    run = prepared(backend, 31, net)
    snapshot = run.snapshot()
    run.run(20, progress=False)
    first = [run.get(cells, "v"), run.get(plastic, "w"), run.get(plastic, "x")]
    run.run(13, progress=False)
    run.restore(snapshot)
    run.run(20, progress=False)
    assert run.step == 31 + 40 + 26 + 40
    assert all(
        (a == b).all()
        for a, b in zip(
            first, [run.get(cells, "v"), run.get(plastic, "w"), run.get(plastic, "x")], strict=True
        )
    )
    assert run.get(plastic, "w").std() > 0.01


def test_a_table_goes_on_from_a_restored_snapshot_where_it_was(backend):
    net = Network("net", dt=1)
    cells = net.population(
        "cells", 1, STEPPED, current=ns.table([1.0, 2.0, 3.0, 4.0], every="2 ms")
    )
    run = prepared(backend, 3, net)
    snapshot = run.snapshot()
    run.run(9, progress=False)
    run.restore(snapshot)
    run.run(3, progress=False)
    assert run.get(cells, "v").tolist() == [1 + 1 + 2 + (2 + 3 + 3)]


def test_a_state_is_loaded_into_the_same_network_with_the_same_probes_only(backend, tmp_path):
    path = tmp_path / "state.npz"
    prepared(backend, 9).save(path)
    for net, message in [
        (
            network(tau=3.0),
            (
                "load: ",
                "state.npz holds a state of network 'net' that differs from this one",
                "Prepare the same network, with the same seed.",
            ),
        )
    ]:
        with pytest.raises(NetworkError, match=parts(*message)):
            prepared(backend, 0, net).load(path)
    other = network()
    other.record(other["chances"], "spikes")
    run = prepared(backend, 0, other)
    before = states(run)
    with pytest.raises(
        NetworkError,
        match=parts(
            "was recorded with",
            "cells.spikes of 5",
            "expected",
            "chances.spikes of 2",
            "Record the same in both runs.",
        ),
    ):
        run.load(path)
    assert same(states(run), before)


def recording(cells, edges) -> Network:
    net = network()
    net.probes.clear()
    net.record(net["cells"][cells], "v")
    net.record(net["plastic"], "w", edges=edges)
    net.record(net["cells"][cells], "spikes")
    return net


@pytest.mark.parametrize(
    ("cells", "edges", "wrong"),
    [
        (slice(2, 4), [1, 2], ("cells.v of 2 every 1, cells.spikes of 2",)),
        (slice(2), [1, 3], ("plastic.w of 2 every 1;",)),
        ([1, 0], [1, 2], ("cells.v of 2 every 1, cells.spikes of 2",)),
        (slice(2), [2, 1], ("plastic.w of 2 every 1;",)),
    ],
)
def test_a_state_is_not_loaded_where_other_members_are_recorded(
    backend, tmp_path, cells, edges, wrong
):
    path = tmp_path / "state.npz"
    saved = prepared(backend, 9, recording(slice(2), [1, 2]))
    saved.save(path)
    run = prepared(backend, 0, recording(cells, edges))
    before = states(run)
    with pytest.raises(
        NetworkError,
        match=parts(
            "load: ",
            "was recorded with other neurons or edges of: ",
            *wrong,
            "expected those of this run.",
            "Record the same in both runs.",
        ),
    ):
        run.load(path)
    assert same(states(run), before)
    same_members = prepared(backend, 0, recording(slice(2), [1, 2]))
    same_members.load(path)
    assert same_members.result() == saved.result()


def test_a_state_is_loaded_into_a_run_of_the_same_replica_only_which_the_header_tells(
    backend, tmp_path
):
    path = tmp_path / "state.npz"
    saved = ns.prepare(network(), backend=backend, replica=3)
    saved.run(20, progress=False)
    saved.save(path)
    run = prepared(backend)
    before = states(run)
    with pytest.raises(
        NetworkError,
        match=parts(
            "load: ",
            "holds a state of replica 3, expected one of replica 0",
            "Prepare the run with replica=3.",
        ),
    ):
        run.load(path)
    assert same(states(run), before) and run.result().header["replica"] == 0
    again = ns.prepare(network(), backend=backend, replica=saved.result().header["replica"])
    again.load(path)
    again.run(20, progress=False)
    saved.run(20, progress=False)
    assert again.result() == saved.result()


def test_a_state_goes_on_from_one_backend_on_another(tmp_path):
    path = tmp_path / "state.npz"
    prepared("reference", 21).save(path)
    run = prepared("cpu")
    run.load(path)
    run.run(20, progress=False)
    expected = prepared("reference", 61).result()
    assert run.result()["cells"] == expected["cells"]
    assert run.result()["plastic"] == expected["plastic"]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_run_that_has_recorded_nothing_records_from_the_snapshot_on_to_whose_clock_it_is_set(
    backend, tmp_path, streamed
):
    """41 steps: no multiple of the four steps between samples of w."""
    whole = prepared(backend, 41)
    run = ns.prepare(network(), backend=backend, stream=tmp_path / "run" if streamed else None)
    run.restore(whole.snapshot(), clock=True)
    start = run.get("cells", "v")
    for open_run in (whole, run):
        open_run.run(20, progress=False)
    recording, expected = run.result(), whole.result()
    headers = [recording.header] + (
        [files.unseal((tmp_path / "run" / files.HEADER).read_bytes(), "recording", where="")]
        if streamed
        else []
    )
    assert all((header["first"], header["steps"]) == (41, 40) for header in headers)
    assert recording["cells"].spikes == expected["cells"].spikes.window(20.5)
    for name, variable in (("cells", "v"), ("plastic", "w")):
        part, all_of_it = recording[name].trace(variable), expected[name].trace(variable)
        later = all_of_it.times() > 20.5
        assert part.times().tolist() == all_of_it.times()[later].tolist()
        assert (part.values == all_of_it.values[later]).all()
    assert recording["cells"].trace("v").initial.tolist() == start.tolist() and start.any()


def test_a_clock_is_not_set_forward_over_a_gap_in_the_recording(backend):
    ahead, run = prepared(backend, 60), prepared(backend, 20)
    before = states(run)
    with pytest.raises(
        NetworkError,
        match=parts(
            "restore: found a snapshot of 30 ms, and what is recorded ends at 10 ms",
            "a gap; expected none.",
            "Restore without clock=True, or into a run newly prepared, whose recording then "
            "begins there.",
        ),
    ):
        run.restore(ahead.snapshot(), clock=True)
    assert same(states(run), before)
    begin = prepared(backend).snapshot()
    for rewound in (
        ahead,
        run,
    ):  # back to the beginning: nothing is left of what was recorded, and any later time may follow
        rewound.restore(begin, clock=True)
        rewound.run(10, progress=False)
    assert run.result() == ahead.result() == prepared(backend, 20).result()


def test_the_initial_state_of_a_recording_is_that_before_its_first_step(backend):
    run = prepared(backend)
    run.set("cells", v=0.25)
    run.run(1, progress=False)
    run.set("cells", v=0.5)
    run.run(1, progress=False)
    assert run.result()["cells"].trace("v").initial.tolist() == [0.25] * 5


def test_a_stream_on_disk_holds_what_a_run_in_memory_records(backend, tmp_path, monkeypatch):
    from neurosim.run import recorder

    monkeypatch.setattr(recorder, "_PART", 2000)  # bytes: many parts
    streamed = ns.simulate(
        network(), "100 ms", backend=backend, stream=tmp_path / "run", progress=False
    )
    assert len(list((tmp_path / "run").glob("part-*.npz"))) > 1
    held = ns.simulate(network(), "100 ms", backend=backend, progress=False)
    assert streamed["cells"] == held["cells"]
    assert streamed["plastic"] == held["plastic"]
    assert streamed.header["finished"] is True


def test_a_part_is_written_after_half_a_minute_however_little_was_recorded(
    backend, tmp_path, monkeypatch
):
    """So that a killed run has lost no more than that: the folder is read while the run is open,
    and never finished.
    """
    now = 100.0
    monkeypatch.setattr("neurosim.run.recorder.monotonic", lambda: now)
    run = ns.prepare(network(), backend=backend, stream=tmp_path / "run")
    run.run(20, progress=False)
    with pytest.raises(NetworkError, match="found a header but no part.*Wait for the first part"):
        ns.Recording.load(tmp_path / "run")
    now += 31
    run.run(20, progress=False)
    now += 29
    run.run(20, progress=False)
    back = ns.Recording.load(tmp_path / "run")
    assert back.header["finished"] is False
    assert len(list((tmp_path / "run").glob("part-*.npz"))) == 1
    once = ns.prepare(network(), backend=backend)
    once.run(back.duration, progress=False)
    assert 20 < back.duration <= 40
    assert dict(back.populations) == once.result().populations
    assert dict(back.projections) == once.result().projections
    assert len(back["cells"].spikes) > 0


def test_later_parts_repeat_neither_edges_nor_members_without_a_sample(tmp_path, monkeypatch):
    monkeypatch.setattr("neurosim.run.recorder._PART", -1)  # a part for every stretch
    net = network()
    net.record(net.projections["static"], "w", every="8 ms")
    run = ns.prepare(net, backend="reference", stream=tmp_path / "run")
    for _ in range(10):
        run.run(2, progress=False)
    held = ns.simulate(net, "20 ms", backend="reference", progress=False)
    static = run.result()["static"]
    assert static == held["static"] and run.result()["plastic"] == held["plastic"]
    assert static.trace("w").values.shape == (2, 20)
    first, *later = (
        ns.Recording.load(part) for part in sorted((tmp_path / "run").glob("part-*.npz"))
    )
    assert len(first["static"].source) == 20
    assert all(len(part["static"].source) == 0 for part in later)
    assert [
        part["static"].trace("w").members.size
        for part in later
        if not len(part["static"].trace("w").values)
    ] == [0] * (len(later) - 2)


def test_a_stream_of_no_time_is_an_empty_recording(backend, tmp_path):
    empty = ns.simulate(network(), 0, backend=backend, stream=tmp_path / "run", progress=False)
    assert empty == ns.simulate(network(), 0, backend=backend, progress=False)
    assert len(empty["cells"].spikes) == 0


def test_traces_beyond_memory_are_refused_before_the_first_step_and_what_was_recorded_stays(
    backend, tmp_path, monkeypatch
):
    """A thousand years: 40 bytes for each 0.5 ms, and 120 for each 2 ms."""
    run = prepared(backend, 20)
    years = 1000 * 365 * 86400e3
    with pytest.raises(
        NetworkError,
        match=parts(
            "run: recording 3.1536e+13 ms needs about",
            "GB of memory, a copy for the result included, but",
            "The largest traces are cells.v (5 members every 0.5 ms): 2.52e+06 GB; "
            "plastic.w (15 members every 2 ms): 1.89e+06 GB.",
            "Record with a longer every=, fewer neurons or edges, or to disk: stream=",
        ),
    ):
        run.run(years, progress=False)
    assert run.step == 20 and run.result()["cells"].trace("v").values.shape == (20, 5)
    run.run(10, progress=False)
    assert run.result() == prepared(backend, 40).result()


def test_a_run_is_refused_from_the_byte_on_that_is_not_available(monkeypatch):
    """200 steps of 5 neurons and 50 of 15 edges, a number of 8 bytes each: 14 000 bytes, needed
    twice, and those of the 20 steps before once.
    """
    monkeypatch.setattr("neurosim.backend.memory_estimate._LITTLE", 0)
    run = prepared("reference", 20)
    held = 8 * (20 * 5 + 5 * 15) + 12 * len(run.result()["cells"].spikes)
    monkeypatch.setattr("neurosim.backend.memory_estimate.available", lambda: 28_000 + held - 1.0)
    with pytest.raises(NetworkError, match="run: recording 100 ms needs about"):
        run.run(100, progress=False)
    monkeypatch.setattr("neurosim.backend.memory_estimate.available", lambda: 28_000.0 + held)
    run.run(100, progress=False)
    monkeypatch.setattr("neurosim.backend.memory_estimate.available", lambda: 0.0)
    run.run(0, progress=False)


def test_what_goes_to_disk_is_not_refused(tmp_path, monkeypatch):
    run = ns.prepare(network(), backend="reference", stream=tmp_path / "run")
    monkeypatch.setattr("neurosim.backend.memory_estimate._LITTLE", 0)
    monkeypatch.setattr("neurosim.backend.memory_estimate.available", lambda: 0.0)
    run.run(5, progress=False)
    assert run.step == 10


def test_what_a_run_forgot_needs_no_memory(monkeypatch):
    run = prepared("reference")
    start = run.snapshot()
    monkeypatch.setattr("neurosim.backend.memory_estimate._LITTLE", 0)
    monkeypatch.setattr("neurosim.backend.memory_estimate.available", lambda: 30_000.0)
    for _ in range(3):
        run.run(100, progress=False)
        run.restore(start, clock=True)


def test_a_clock_is_not_set_back_before_what_is_on_disk_already(tmp_path):
    run = ns.prepare(network(), backend="reference", stream=tmp_path / "run")
    snapshot = run.snapshot()
    run.run(5, progress=False)
    run.result()  # writes what there is
    with pytest.raises(
        NetworkError,
        match=parts(
            "restore: found a snapshot of 0 ms",
            "recordings until 5 ms are on disk already",
            "expected one of then or later. Restore without clock=True.",
        ),
    ):
        run.restore(snapshot, clock=True)
    assert run.step == 10
    run.restore(snapshot)
    assert run.step == 10 and not run.get("cells", "v").any()


def test_a_state_that_leaves_a_gap_behind_what_is_on_disk_is_not_loaded(tmp_path):
    path = tmp_path / "state.npz"
    prepared("reference", 30).save(path)
    run = ns.prepare(network(), backend="reference", stream=tmp_path / "run")
    run.run(5, progress=False)
    run.save(tmp_path / "own.npz")
    run.result()  # writes what there is
    before = states(run)
    for wrong in (path, tmp_path / "own.npz"):
        with pytest.raises(
            NetworkError,
            match=parts(
                "load: ",
                "found recordings from 0 ms on, and those of this run until 5 ms are on "
                "disk already",
                "expected what goes on from there. Load it into a run newly prepared.",
            ),
        ):
            run.load(wrong)
    assert same(states(run), before)
    run.save(path)
    run.run(5, progress=False)
    run.load(path)
    with pytest.raises(
        NetworkError,
        match="restore: found a snapshot of 2 ms, and recordings until 5 ms are on disk already",
    ):
        run.restore(prepared("reference", 4).snapshot(), clock=True)
    run.run(10, progress=False)
    assert run.result()["cells"] == prepared("reference", 30).result()["cells"]
