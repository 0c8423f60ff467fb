"""Recordings keep what was recorded, to the last bit: in memory, in files, in parts, and in the formats of other tools."""

import os
import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from neurosim.errors import NetworkError
from neurosim.recording import PopulationRecording, ProjectionRecording, Recording, RecordingWriter, Spikes, Trace, concatenate

HEADER = {"network": "memory", "dt": 0.1, "steps": 40, "seed": 7, "backend": "cpu", "finished": True}
ROW = {"place": "ca3", "status": "approximated", "reason": "float32", "remedy": ""}


def spikes(first: int = 0, steps: int = 40) -> Spikes:
    """Five neurons; neuron i spikes in all steps k with k = 2 i (mod 10)."""
    step, index = np.nonzero(np.arange(first, first + steps)[:, None] % 10 == 2 * np.arange(5))
    return Spikes(index, step + first, size=5, dt=0.1, first=first, steps=steps)


def trace(first: int = 0, samples: int = 4, unit: str = "mV") -> Trace:
    """Members 4 and 1 every ten steps; the value is 100 * member + step, and NaN in step 20."""
    step = first + 10 * np.arange(samples)
    values = np.where(step == 20, np.nan, step)[:, None] + np.array([400.0, 100.0])
    return Trace(values, every=10, first=first, members=[4, 1], initial=[-1, -2], dt=0.1, unit=unit)


def loop(first: int = 0, samples: int = 4) -> ProjectionRecording:
    source, target = [0, 0, 1, 3, 3], [1, 2, 0, 4, 4]
    weights = first // 10 + np.arange(samples)[:, None] + 10.0 * np.arange(5)
    w = Trace(weights, every=10, first=first, members=np.arange(5), initial=np.zeros(5), dt=0.1, unit="nA")
    x = Trace(np.ones((samples, 4)), every=10, first=first, members=np.arange(4), initial=np.zeros(4), dt=0.1, unit="1", per="source")
    return ProjectionRecording("loop", "ca3", target_name="ca3", source=source, target=target, shape=(4, 5), traces={"w": w, "x": x})


def recording(first: int = 0, steps: int = 40) -> Recording:
    samples = steps // 10
    ca3 = PopulationRecording("ca3", 5, spikes(first, steps), {"v": trace(first, samples)})
    glia = PopulationRecording("glia", 1)
    header = HEADER | {"first": first, "steps": steps, "report": [ROW]}
    return Recording(header, {"ca3": ca3, "glia": glia}, {"loop": loop(first, samples)})


# Spikes and traces


def test_a_spike_of_step_k_has_the_time_of_the_end_or_of_the_start_of_the_step():
    found = Spikes([3, 1], [0, 9], size=4, dt=0.5, steps=10)
    assert found.times().tolist() == [0.5, 5.0]
    assert found.times("start").tolist() == [0.0, 4.5]
    with pytest.raises(NetworkError, match="there is no convention 'END'. Did you mean|The conventions are: end, start. Use one of these"):
        found.times("END")


def test_spikes_are_counted_and_found_by_neuron():
    found = spikes()
    assert len(found) == 20
    assert found.count().tolist() == [4, 4, 4, 4, 4] and found.count().dtype == np.int64
    assert found.of(3) == pytest.approx([0.7, 1.7, 2.7, 3.7])
    assert found.index.dtype == np.int32 and found.step.dtype == np.int64
    with pytest.raises(NetworkError, match="spikes of neuron 5: expected 0 to 4. Choose"):
        found.of(5)


def test_a_window_holds_whole_steps_and_knows_its_length():
    part = spikes().window(1.0, 2.0)
    assert (part.first, part.steps, part.duration) == (10, 10, 1.0)
    assert part.step.tolist() == [10, 12, 14, 16, 18]
    assert part == spikes(10, 10)
    assert spikes().window() == spikes()
    assert len(spikes().window(1.0, 1.0)) == 0


@pytest.mark.parametrize(("start", "stop"), [(0, 4.1), (-0.1, 1), (2, 1)])
def test_a_window_outside_of_the_recording_is_refused(start, stop):
    with pytest.raises(NetworkError, match=f"window {start} to {stop} ms: recorded were 0 to 4 ms. Choose"):
        spikes().window(start, stop)


@pytest.mark.parametrize(
    ("index", "step", "message"),
    [
        ([0, 1], [1], r"index has shape \(2,\) and step \(1,\); expected \(S,\) for both"),
        ([5], [1], "found the neurons 5 to 5; expected 0 to 4. Check size"),
        ([-1], [1], "found the neurons -1 to -1; expected 0 to 4"),
        ([0], [40], "found the steps 40 to 40; expected 0 to 39. Check first and steps"),
        ([0, 1], [2, 1], r"out of order, or one twice; expected them sorted by \(step, index\). Use numpy.lexsort"),
        ([1, 0], [2, 2], "out of order"),
        ([1, 1], [2, 2], "one twice"),
    ],
)
def test_spikes_that_cannot_be_are_refused(index, step, message):
    with pytest.raises(NetworkError, match=message):
        Spikes(index, step, size=5, dt=0.1, steps=40)


def test_equality_is_by_values_to_the_last_bit_and_nan_equals_nan():
    assert spikes() == spikes() and trace() == trace() and recording() == recording()
    assert np.isnan(trace().values).any()
    assert spikes() != replace(spikes(), steps=41)
    assert spikes() != replace(spikes(), dt=0.1 + 1e-17 + 1e-16)
    values = trace().values.copy()
    values[0, 0] = np.nextafter(values[0, 0], np.inf)
    assert trace() != replace(trace(), values=values)
    other = recording()
    other.populations["ca3"].traces["v"] = replace(trace(), values=values)
    assert other != recording()
    assert spikes() != 3


def test_a_trace_sample_of_step_k_is_the_state_at_the_end_of_the_step():
    assert trace().times() == pytest.approx([0.1, 1.1, 2.1, 3.1])
    assert trace(first=30, samples=1).times() == pytest.approx([3.1])


def test_members_of_a_trace_are_found_by_their_index_in_the_population():
    assert trace().of(1).tolist()[:2] == [100, 110]
    assert trace().of(np.array([1, 4])).tolist()[0] == [100, 400]
    for missing in (2, 5, np.array([1, 0])):
        with pytest.raises(NetworkError, match=r"trace of member [250]: it was not recorded. Recorded were: 4, 1. Choose"):
            trace().of(missing)


def test_the_shapes_of_a_trace_must_agree():
    with pytest.raises(NetworkError, match=r"values have shape \(4, 2\), members \(3,\), initial \(2,\); expected \(T, M\), \(M,\) and \(M,\)"):
        replace(trace(), members=[1, 2, 3])


# Populations, projections, recordings


def test_what_was_not_recorded_is_answered_with_what_was():
    result = recording()
    with pytest.raises(NetworkError, match="population 'ca3' has no trace 'u'. The traces are: v. Call net.record\\(ca3, \"u\"\\) before the run"):
        result["ca3"].trace("u")
    with pytest.raises(NetworkError, match="population 'glia': its spikes were not recorded. Call net.record\\(glia, \"spikes\"\\) before the run"):
        _ = result["glia"].spikes
    with pytest.raises(NetworkError, match="projection 'loop' has no trace 'ww'. Did you mean 'w'"):
        result["loop"].trace("ww")
    with pytest.raises(NetworkError, match="the recording has no name 'ca4'. Did you mean 'ca3'.*: ca3, glia, loop. What is missing"):
        result["ca4"]
    with pytest.raises(NetworkError, match="its spikes are of 5 neurons, expected 6"):
        PopulationRecording("ca3", 6, spikes())


def test_a_recording_is_a_collection_of_names():
    result = recording()
    assert list(result) == result.names() == result._ipython_key_completions_() == ["ca3", "glia", "loop"]
    assert "ca3" in result and "ca4" not in result and len(result) == 3
    assert result["ca3"].spikes == spikes() and result["loop"].trace("w") == loop().trace("w")
    assert (result.dt, result.duration, result.report) == (0.1, 4.0, [ROW])


def test_a_header_must_say_dt_and_steps_and_hold_data_only():
    with pytest.raises(NetworkError, match="its header has no 'steps', only 'dt'. Add it"):
        Recording({"dt": 0.1})
    with pytest.raises(NetworkError, match="header of the recording: found <object.*expected numbers, texts, lists"):
        Recording(HEADER | {"thing": object()})
    assert Recording(HEADER | {"steps": np.int64(40), "shape": (1, 2)}).header["shape"] == [1, 2]


def test_edges_between_two_neurons_select_their_weights():
    assert loop().between(3, 4).tolist() == [3, 4] and loop().between(4, 3).tolist() == []
    assert loop().trace("w").of(loop().between(3, 4))[-1].tolist() == [33, 43]


def test_the_matrix_is_source_by_target_at_a_sample_and_sums_the_edges_of_a_pair():
    assert loop().matrix("w").toarray().tolist() == [[0, 3, 13, 0, 0], [23, 0, 0, 0, 0], [0] * 5, [0, 0, 0, 0, 33 + 43]]
    assert loop().matrix("w", 1).toarray()[0].tolist() == [0, 1, 11, 0, 0]


def test_the_matrix_holds_only_the_edges_that_were_recorded():
    few = Trace([[7.0, 8.0]], every=1, first=0, members=[2, 1], initial=[0, 0], dt=0.1, unit="nA")
    assert replace(loop(), traces={"w": few}).matrix().toarray().tolist() == [[0, 0, 8, 0, 0], [7, 0, 0, 0, 0], [0] * 5, [0] * 5]


def test_a_matrix_of_what_is_no_edge_or_of_no_sample_is_refused():
    with pytest.raises(NetworkError, match="variable 'x': it has one value per source neuron, expected one per edge. Use trace"):
        loop().matrix("x")
    with pytest.raises(NetworkError, match="variable 'w': sample 4 of 4. Choose an earlier one"):
        loop().matrix("w", 4)


def test_the_printed_recording_names_everything_in_a_few_lines():
    assert str(recording()).splitlines() == [
        "memory: 4 ms in steps of 0.1 ms, backend cpu, seed 7",
        "  ca3   5 neurons   20 spikes, 1e+03 Hz  v of 2 neurons every 1 ms",
        "  glia  1 neuron    no spikes recorded",
        "  loop  ca3 -> ca3  5 edges              w of 5 edges every 1 ms, x of 4 source neurons every 1 ms",
        "  1 row of the backend's report, see .report",
    ]
    assert repr(Recording({"dt": 0.1, "steps": 0, "finished": False})) == "recording: 0 ms in steps of 0.1 ms, unfinished"


# Files


def test_a_saved_recording_comes_back_equal(tmp_path):
    path = recording().save(tmp_path / "run.npz")
    back = Recording.load(path)
    assert back == recording()
    assert back["ca3"].spikes.index.dtype == np.int32 and back["loop"].shape == (4, 5) and back["loop"].trace("x").per == "source"
    assert os.listdir(tmp_path) == ["run.npz"]


def test_a_file_is_plain_numpy_and_json(tmp_path):
    path = recording().save(tmp_path / "run.npz")
    with np.load(path, allow_pickle=False) as arrays:
        assert arrays["population/ca3/spikes/index"].tolist() == spikes().index.tolist()
        assert arrays["projection/loop/traces/w/values"].shape == (4, 5)
    with zipfile.ZipFile(path) as archive:
        assert b'"backend": "cpu"' in archive.read("header.json")


def test_any_damaged_byte_is_noticed_or_harmless(tmp_path):
    """Bytes that may change without notice are those of dates and the like: what is loaded is then still equal."""
    whole = Recording(HEADER, {"ca3": PopulationRecording("ca3", 5, spikes())})
    data = whole.save(tmp_path / "run.npz").read_bytes()
    broken, refused = tmp_path / "broken.npz", 0
    for place in range(0, len(data), 3):
        broken.write_bytes(data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :])
        try:
            assert Recording.load(broken) == whole
        except NetworkError as error:
            refused += 1
            assert "broken.npz" in str(error)
    assert refused > len(data) // 6


@pytest.mark.parametrize("keep", [0, 1, 100, 0.5, 0.999])
def test_a_file_cut_short_is_refused(tmp_path, keep):
    path = recording().save(tmp_path / "run.npz")
    data = path.read_bytes()
    path.write_bytes(data[: keep if isinstance(keep, int) else int(keep * len(data))])
    with pytest.raises(NetworkError, match=r"run.npz: cannot be read .*; expected a neurosim recording \(\.npz\)\. The file is damaged, cut short"):
        Recording.load(path)


def test_a_file_of_another_origin_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.arange(3))
    with pytest.raises(NetworkError, match="other.npz: cannot be read .*header.json.*another origin"):
        Recording.load(tmp_path / "other.npz")
    with zipfile.ZipFile(tmp_path / "state.npz", "w") as archive:
        archive.writestr("header.json", '{"format": "neurosim state", "version": 1}')
    with pytest.raises(NetworkError, match="found the format 'neurosim state', version 1; expected 'neurosim recording', version 1. Load it with"):
        Recording.load(tmp_path / "state.npz")
    with pytest.raises(FileNotFoundError):
        Recording.load(tmp_path / "nothing.npz")


def test_pickled_objects_are_never_read(tmp_path):
    path = recording().save(tmp_path / "run.npz")
    np.save(tmp_path / "evil.npy", np.array([{}], object), allow_pickle=True)
    with zipfile.ZipFile(path, "a") as archive:
        archive.write(tmp_path / "evil.npy", "evil.npy")
    with pytest.raises(NetworkError, match="Object arrays cannot be loaded"):
        Recording.load(path)


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = recording().save(tmp_path / "run.npz")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        recording(0, 10).save(path)
    assert Recording.load(path) == recording() and os.listdir(tmp_path) == ["run.npz"]


def test_a_killed_save_leaves_the_old_file(tmp_path):
    path = recording().save(tmp_path / "run.npz")
    code = "import os, sys; from neurosim import files; files.write_atomically(sys.argv[1], lambda f: (f.write(b'x'), f.flush(), os._exit(9)))"
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == 9
    assert len(os.listdir(tmp_path)) == 2  # the unfinished file stays, under another name
    assert Recording.load(path) == recording()


def test_who_reads_while_a_file_is_replaced_reads_the_old_one(tmp_path):
    path = recording().save(tmp_path / "run.npz")
    old = path.read_bytes()
    with open(path, "rb") as reader:
        recording(0, 10).save(path)
        assert reader.read() == old
    assert Recording.load(path) == recording(0, 10)


# Parts


def test_a_run_written_in_parts_loads_as_one(tmp_path):
    writer = RecordingWriter(tmp_path / "run", HEADER | {"steps": 0})
    for first, steps in ((0, 10), (10, 20), (30, 10)):
        writer.append(recording(first, steps))
    writer.close(recording().header)
    assert Recording.load(tmp_path / "run") == recording()


def test_an_interrupted_run_loads_what_was_written(tmp_path):
    writer = RecordingWriter(tmp_path / "run", HEADER | {"steps": 40, "report": [ROW]})
    writer.append(recording(0, 10))
    writer.append(recording(10, 10))
    (tmp_path / "run" / ".part-00000002.npz.abcd.partial").write_bytes(b"half")
    back = Recording.load(tmp_path / "run")
    assert back.header["finished"] is False and back.header["steps"] == 20 and "unfinished" in str(back)
    assert back["ca3"].spikes == spikes(0, 20) and back["ca3"].trace("v") == trace(0, 2)


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(NetworkError, match="found no header.json, expected one beside the parts. Name a folder"):
        Recording.load(tmp_path)
    RecordingWriter(tmp_path / "run", HEADER)
    with pytest.raises(NetworkError, match="found a header but no part; expected at least one. The run ended before"):
        Recording.load(tmp_path / "run")
    with pytest.raises(NetworkError, match="it holds other files; expected a new or empty folder. Choose another"):
        RecordingWriter(tmp_path / "run", HEADER)
    (tmp_path / "run" / "header.json").write_text("{")
    with pytest.raises(NetworkError, match="header.json: .*expected the header of a neurosim recording in JSON"):
        Recording.load(tmp_path / "run")


def test_a_missing_part_is_noticed(tmp_path):
    writer = RecordingWriter(tmp_path / "run", HEADER)
    paths = [writer.append(recording(first, 10)) for first in (0, 10, 20)]
    paths[1].unlink()
    with pytest.raises(NetworkError, match="a part ends before step 10 .* and the next begins with step 20 .*expected no gap"):
        Recording.load(tmp_path / "run")


def test_the_initial_state_is_that_of_the_first_part():
    later = recording(10, 10)
    later.populations["ca3"].traces["v"] = replace(trace(10, 1), initial=[5, 6])
    assert concatenate([recording(0, 10), later])["ca3"].trace("v") == trace(0, 2)


def test_parts_that_do_not_fit_are_not_joined():
    with pytest.raises(NetworkError, match="found no parts, expected at least one"):
        concatenate([])
    bare = Recording(HEADER | {"first": 10, "steps": 10}, {"ca3": PopulationRecording("ca3", 5)})
    with pytest.raises(NetworkError, match="one part holds .*ca3.spikes.*, the next .'ca3'.; expected the same"):
        concatenate([recording(0, 10), bare])
    shifted = recording(10, 10)
    shifted.populations["ca3"].traces["v"] = replace(trace(10, 1), first=11)
    with pytest.raises(NetworkError, match="trace 'v': a part begins with step 11, expected 10, the same members"):
        concatenate([recording(0, 10), shifted])


def test_a_part_without_a_sample_of_a_sparse_trace_joins():
    """Samples every 10 steps, parts of 5: every second part has none."""
    parts = [recording(first, 5) for first in range(0, 40, 5)]
    for k, part in enumerate(parts):
        part.populations["ca3"].traces["v"] = trace(5 * k, 1) if k % 2 == 0 else replace(trace(), values=np.empty((0, 2)))
        part.projections.clear()
    assert concatenate(parts)["ca3"] == recording()["ca3"]


# Other tools


def test_neo_gets_every_spike_and_sample():
    pytest.importorskip("neo")
    block = recording().to_neo()
    trains, signals = block.segments[0].spiketrains, block.segments[0].analogsignals
    assert len(trains) == 5 and trains[3].annotations == {"population": "ca3", "neuron": 3}
    assert trains[3].rescale("ms").magnitude == pytest.approx([0.7, 1.7, 2.7, 3.7])
    v = next(signal for signal in signals if signal.name == "ca3.v")
    assert v.times.rescale("ms").magnitude == pytest.approx(trace().times()) and str(v.dimensionality) == "mV"
    assert np.array_equal(v.magnitude, trace().values, equal_nan=True) and v.array_annotations["member"].tolist() == [4, 1]
    assert block.annotations["header"]["seed"] == 7
    odd = Recording(HEADER, {"a": PopulationRecording("a", 5, None, {"u": trace(unit="glubb")})}).to_neo().segments[0].analogsignals[0]
    assert str(odd.dimensionality) == "dimensionless" and odd.annotations["unit"] == "glubb"


def test_xarray_gets_every_spike_sample_and_edge():
    pytest.importorskip("xarray")
    tree = recording().to_xarray()
    v = tree["ca3"]["v"]
    assert v.dims == ("v_time", "v_member") and v.attrs["units"] == "mV"
    assert v.sel(v_member=1).values[:2].tolist() == [100, 110] and v["v_time"].values == pytest.approx(trace().times())
    assert tree["ca3"]["spike_time"].values == pytest.approx(spikes().times())
    assert tree["ca3"]["spike_neuron"].values.tolist() == spikes().index.tolist()
    assert tree["loop"]["target"].values.tolist() == [1, 2, 0, 4, 4] and tree["loop"]["w"].shape == (4, 5)


def test_nwb_gets_every_spike_and_sample(tmp_path):
    pynwb = pytest.importorskip("pynwb")
    path = tmp_path / "run.nwb"
    with pynwb.NWBHDF5IO(path, "w") as out:
        out.write(recording().to_nwb(identifier="run 1"))
    with pynwb.NWBHDF5IO(path, "r") as source:
        file = source.read()
        assert file.identifier == "run 1" and len(file.units) == 5
        assert file.units["spike_times"][3] == pytest.approx([0.0007, 0.0017, 0.0027, 0.0037])
        assert file.units["population"][3] == "ca3" and file.units["neuron"][3] == 3
        v = file.acquisition["ca3.v"]
        assert np.array_equal(v.data[:], trace().values, equal_nan=True) and (v.rate, v.starting_time, v.unit) == (
            1000,
            pytest.approx(1e-4),
            "mV",
        )


def test_a_missing_library_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "neo", None)
    with pytest.raises(NetworkError, match=r"to_neo: the library 'neo' cannot be imported .*Install it: pip install 'neurosim\[interop\]'"):
        recording().to_neo()
