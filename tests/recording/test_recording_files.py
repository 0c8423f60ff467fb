"""Recordings on disk and in other tools: nothing is lost, damage is noticed, parts are joined."""

import os
import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from support.messages import parts
from support.recordings import HEADER, ROW, recording, spikes, trace

from neurosim.errors import NetworkError
from neurosim.recording import files
from neurosim.recording.recorded import PopulationRecording
from neurosim.recording.recording import Recording, concatenate
from neurosim.recording.samples import Spikes, Trace
from neurosim.recording.writer import RecordingWriter


def some() -> Recording:
    """Spikes of two neurons of five."""
    return Recording(
        HEADER,
        {
            "ca3": PopulationRecording(
                "ca3", 5, Spikes([4, 4], [0, 9], size=5, dt=0.1, steps=40, members=[4, 2])
            )
        },
    )


# Files


def test_a_saved_recording_comes_back_equal(tmp_path):
    path = recording().save(tmp_path / "run.npz")
    back = Recording.load(path)
    assert back == recording()
    assert back["ca3"].spikes.index.dtype == np.int32
    assert back["loop"].shape == (4, 5)
    assert back["loop"].trace("x").per == "source"
    assert os.listdir(tmp_path) == ["run.npz"]


def test_recorded_members_are_loaded_again_and_a_file_that_names_none_is_of_all_neurons(
    tmp_path,
):
    path = some().save(tmp_path / "run.npz")
    assert Recording.load(path) == some()
    assert Recording.load(path)["ca3"].spikes.members.tolist() == [4, 2]
    header, arrays = files.read(recording().save(path), kind="recording")
    del header["populations"]["ca3"]["spikes"]["members"]
    files.write(
        path,
        header,
        kind="recording",
        arrays={
            name: array for name, array in arrays.items() if not name.endswith("spikes/members")
        },
    )
    assert Recording.load(path) == recording()


def test_a_file_is_plain_numpy_and_json(tmp_path):
    path = recording().save(tmp_path / "run.npz")
    with np.load(path, allow_pickle=False) as arrays:
        assert arrays["population/ca3/spikes/index"].tolist() == spikes().index.tolist()
        assert arrays["projection/loop/traces/w/values"].shape == (4, 5)
    with zipfile.ZipFile(path) as archive:
        assert b'"backend": "cpu"' in archive.read("header.json")


def test_any_damaged_byte_is_noticed_or_harmless(tmp_path):
    """Bytes that may change without notice are those of dates and the like: what is loaded is then
    still equal.
    """
    whole = Recording(HEADER, {"ca3": PopulationRecording("ca3", 5, spikes())})
    data = whole.save(tmp_path / "run.npz").read_bytes()
    broken, refused = tmp_path / "broken.npz", 0
    for position in range(0, len(data), 3):
        broken.write_bytes(data[:position] + bytes([data[position] ^ 0x55]) + data[position + 1 :])
        try:
            assert Recording.load(broken) == whole
        except NetworkError as error:
            refused += 1
            assert "broken.npz" in str(error)
    assert refused > len(data) // 6


def test_an_array_whose_length_was_changed_is_refused_by_its_checksum(tmp_path):
    """The rest of it would not be read: only a checksum of the whole tells."""
    path = files.write(tmp_path / "run.npz", {}, kind="recording", arrays={"x": np.zeros(9000)})
    data = path.read_bytes()
    assert data.count(b"(9000,)") == 1
    path.write_bytes(data.replace(b"(9000,)", b"(1000,)"))
    with pytest.raises(NetworkError, match="run.npz: cannot be read .Bad CRC-32"):
        files.read(path, kind="recording")


@pytest.mark.parametrize("keep", [0, 1, 100, 0.5, 0.999])
def test_a_file_cut_short_is_refused(tmp_path, keep):
    path = recording().save(tmp_path / "run.npz")
    data = path.read_bytes()
    path.write_bytes(data[: keep if isinstance(keep, int) else int(keep * len(data))])
    with pytest.raises(
        NetworkError,
        match=(
            r"run.npz: cannot be read .*; expected a neurosim recording \(\.npz\)\. "
            r"The file is damaged, cut short"
        ),
    ):
        Recording.load(path)


def test_a_file_of_another_origin_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.arange(3))
    with pytest.raises(
        NetworkError, match="other.npz: cannot be read .*header.json.*another origin"
    ):
        Recording.load(tmp_path / "other.npz")
    with zipfile.ZipFile(tmp_path / "state.npz", "w") as archive:
        archive.writestr("header.json", '{"format": "neurosim state", "version": 1}')
    with pytest.raises(
        NetworkError,
        match=(
            "found the format 'neurosim state', version 1; "
            "expected 'neurosim recording', version 1. Load it with"
        ),
    ):
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
    with pytest.raises(
        NetworkError,
        match=parts(
            "run.npz: cannot be written (No space left on device), ",
            "expected a place that takes it. Choose another",
        ),
    ):
        recording(0, 10).save(path)
    assert Recording.load(path) == recording() and os.listdir(tmp_path) == ["run.npz"]


def test_a_save_makes_its_folder_and_says_where_it_cannot(tmp_path):
    """What hours of simulation gave is not lost to a folder that nobody made."""
    path = recording().save(tmp_path / "results" / "deep" / "run.npz")
    assert Recording.load(path) == recording()
    blocked = path / "below" / "run.npz"  # a file stands where a folder should
    with pytest.raises(
        NetworkError,
        match=parts(
            f"file {blocked}: cannot be written (",
            "), expected a place that takes it. Choose another, or make room",
        ),
    ):
        recording().save(blocked)
    with pytest.raises(NetworkError, match="cannot be written"):
        recording().save(tmp_path / "results")  # a folder stands where the file should
    assert os.listdir(path.parent) == ["run.npz"] and os.listdir(tmp_path) == ["results"]


@pytest.mark.process
def test_a_killed_save_leaves_the_old_file(tmp_path):
    path = recording().save(tmp_path / "run.npz")
    code = (
        "import os, sys; from neurosim.recording import files; "
        "files.write_atomically(sys.argv[1], lambda f: "
        "(f.write(b'x'), f.flush(), os._exit(9)))"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == 9
    assert len(os.listdir(tmp_path)) == 2  # the unfinished file stays, under another name
    assert Recording.load(path) == recording()
    recording().save(tmp_path / "other.npz")  # the next writer of the folder removes it
    assert sorted(os.listdir(tmp_path)) == ["other.npz", "run.npz"]


def test_unfinished_files_are_removed_unless_somebody_writes_them(tmp_path):
    path = tmp_path / "run.npz"
    for name in (".run.npz.abcd.partial", ".part-1.npz.0123abcd.partial", ".letter.partial"):
        (tmp_path / name).write_bytes(b"half")

    def fill(file) -> None:
        inner = recording().save(path)  # another writer of the same file, meanwhile
        assert Recording.load(inner) == recording()
        file.write(b"outer")

    files.write_atomically(path, fill)
    assert path.read_bytes() == b"outer"
    assert sorted(os.listdir(tmp_path)) == [".letter.partial", "run.npz"]
    (tmp_path / "stream").mkdir()
    (tmp_path / "stream" / ".header.json.0123abcd.partial").write_bytes(b"half")
    RecordingWriter(tmp_path / "stream", HEADER)
    assert os.listdir(tmp_path / "stream") == ["header.json"]


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
    assert back.header["finished"] is False
    assert back.header["steps"] == 20
    assert "unfinished" in str(back)
    assert back["ca3"].spikes == spikes(0, 20) and back["ca3"].trace("v") == trace(0, 2)


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(
        NetworkError, match="found no header.json, expected one beside the parts. Name a folder"
    ):
        Recording.load(tmp_path)
    RecordingWriter(tmp_path / "run", HEADER)
    with pytest.raises(
        NetworkError,
        match=(
            "found a header but no part, expected at least one: nothing was written yet. "
            "Wait for the first part"
        ),
    ):
        Recording.load(tmp_path / "run")
    with pytest.raises(
        NetworkError, match="it holds other files; expected a new or empty folder. Choose another"
    ):
        RecordingWriter(tmp_path / "run", HEADER)
    (tmp_path / "run" / "header.json").write_text("{")
    with pytest.raises(
        NetworkError, match="header.json: .*expected the header of a neurosim recording in JSON"
    ):
        Recording.load(tmp_path / "run")


def test_a_missing_part_is_noticed(tmp_path):
    writer = RecordingWriter(tmp_path / "run", HEADER)
    paths = [writer.append(recording(first, 10)) for first in (0, 10, 20)]
    paths[1].unlink()
    with pytest.raises(
        NetworkError,
        match="a part ends before step 10 .* and the next begins with step 20 .*expected no gap",
    ):
        Recording.load(tmp_path / "run")


def test_of_a_run_in_parts_only_what_is_asked_for_is_read(tmp_path):
    """Damage of what is not asked for does no harm; of what is, it is noticed."""
    writer = RecordingWriter(tmp_path / "run", HEADER)
    for first in (0, 10):
        part = writer.append(recording(first, 10))
    with zipfile.ZipFile(part) as archive:
        entry = archive.getinfo("projection/loop/traces/w/values.npy")
    data = bytearray(part.read_bytes())
    data[entry.header_offset + entry.file_size] ^= 0x55  # within its numbers
    part.write_bytes(data)
    back = Recording.load(tmp_path / "run")
    assert back.names() == ["ca3", "glia", "loop"]
    assert "loop" in back
    assert "cortex" not in back
    assert back.header["steps"] == 20
    assert back["ca3"] == recording(0, 20)["ca3"] and back["ca3"] is back["ca3"]
    with pytest.raises(
        NetworkError, match="part-00000001.npz: cannot be read .*CRC.*The file is damaged"
    ):
        back["loop"]


def test_the_initial_state_is_that_of_the_first_part():
    later = recording(10, 10)
    later.populations["ca3"].traces["v"] = replace(trace(10, 1), initial=[5, 6])
    assert concatenate([recording(0, 10), later])["ca3"].trace("v") == trace(0, 2)


def test_parts_that_do_not_fit_are_not_joined():
    with pytest.raises(NetworkError, match="found no parts, expected at least one"):
        concatenate([])
    bare = Recording(HEADER | {"first": 10, "steps": 10}, {"ca3": PopulationRecording("ca3", 5)})
    with pytest.raises(
        NetworkError, match="one part holds .*ca3.spikes.*, the next .'ca3'.; expected the same"
    ):
        concatenate([recording(0, 10), bare])
    others = recording(10, 10)
    others.populations["ca3"] = PopulationRecording(
        "ca3", 5, replace(spikes(10, 10), members=[4, 3, 2, 1, 0]), others["ca3"].traces
    )
    with pytest.raises(
        NetworkError,
        match=(
            "concatenate: one part holds spikes of 5 neurons, another of 5 others; "
            "expected the same neurons. Give parts of"
        ),
    ):
        concatenate([recording(0, 10), others])
    shifted = recording(10, 10)
    shifted.populations["ca3"].traces["v"] = replace(trace(10, 1), first=11)
    with pytest.raises(
        NetworkError, match="trace 'v': a part begins with step 11, expected 10, the same members"
    ):
        concatenate([recording(0, 10), shifted])


def test_a_part_without_a_sample_of_a_sparse_trace_joins():
    """Samples every 10 steps, parts of 5: every second part has none."""
    parts = [recording(first, 5) for first in range(0, 40, 5)]
    for k, part in enumerate(parts):
        part.populations["ca3"].traces["v"] = (
            trace(5 * k, 1) if k % 2 == 0 else replace(trace(), values=np.empty((0, 2)))
        )
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
    assert v.times.rescale("ms").magnitude == pytest.approx(trace().times())
    assert str(v.dimensionality) == "mV"
    assert np.array_equal(v.magnitude, trace().values, equal_nan=True)
    assert v.array_annotations["member"].tolist() == [4, 1]
    assert block.annotations["header"]["seed"] == 7
    odd = (
        Recording(HEADER, {"a": PopulationRecording("a", 5, None, {"u": trace(unit="glubb")})})
        .to_neo()
        .segments[0]
        .analogsignals[0]
    )
    assert str(odd.dimensionality) == "dimensionless" and odd.annotations["unit"] == "glubb"


def test_other_tools_get_no_neuron_that_was_not_recorded():
    pytest.importorskip("neo"), pytest.importorskip("xarray"), pytest.importorskip("pynwb")
    trains = some().to_neo().segments[0].spiketrains
    assert [(train.annotations["neuron"], len(train)) for train in trains] == [(4, 2), (2, 0)]
    assert some().to_xarray()["ca3"]["spike_member"].values.tolist() == [4, 2]
    units = some().to_nwb().units
    assert units["neuron"][:] == [4, 2]
    assert units["spike_times"][0] == pytest.approx([0.0001, 0.001])


def test_xarray_gets_every_spike_sample_and_edge():
    pytest.importorskip("xarray")
    tree = recording().to_xarray()
    v = tree["ca3"]["v"]
    assert v.dims == ("v_time", "v_member") and v.attrs["units"] == "mV"
    assert v.sel(v_member=1).values[:2].tolist() == [100, 110]
    assert v["v_time"].values == pytest.approx(trace().times())
    assert tree["ca3"]["spike_time"].values == pytest.approx(spikes().times())
    assert tree["ca3"]["spike_neuron"].values.tolist() == spikes().index.tolist()
    assert tree["loop"]["target"].values.tolist() == [1, 2, 0, 4, 4]
    assert tree["loop"]["w"].shape == (4, 5)


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
        assert np.array_equal(v.data[:], trace().values, equal_nan=True)
        assert (
            v.rate,
            v.starting_time,
            v.unit,
        ) == (
            1000,
            pytest.approx(1e-4),
            "mV",
        )


def test_a_missing_library_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "neo", None)
    with pytest.raises(
        NetworkError,
        match=(
            r"to_neo: the library 'neo' cannot be imported .*Install it: "
            r"pip install 'neo>=0\.14'"
        ),
    ):
        recording().to_neo()


@pytest.mark.parametrize(
    ("unit", "engine", "own"),
    [
        ("V", 50.0, 0.05),
        ("pA", 0.2, 200.0),
        ("1/s", 0.007, 7.0),
        ("Hz", 7.0, 7.0),
        ("umolar", 2e-22, 0.2),
        ("mV", -65.0, -65.0),
        ("kelvins per furlong", 3.0, 3.0),
    ],
)
def test_numbers_of_earlier_files_are_turned_into_the_unit_beside_them(tmp_path, unit, engine, own):
    """Earlier runs recorded engine units under the declared unit, rates in Hz excepted."""
    trace = Trace(
        np.full((2, 1), engine),
        every=1,
        first=0,
        members=np.arange(1),
        initial=np.array([engine]),
        dt=0.1,
        unit=unit,
    )
    population = PopulationRecording("ca3", 1, None, {"x": trace})
    path = Recording(HEADER, {"ca3": population}).save(tmp_path / "run.npz")
    assert Recording.load(path)["ca3"].trace("x").values[0, 0] == engine
    header, arrays = files.read(path, kind="recording")
    assert header.pop("units") == "declared"
    files.write(path, header, kind="recording", arrays=arrays)
    loaded = Recording.load(path)["ca3"].trace("x")
    assert loaded.unit == unit
    np.testing.assert_allclose([*loaded.values[:, 0], *loaded.initial], own, rtol=1e-14)
