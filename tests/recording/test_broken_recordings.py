"""Recordings with valid checksums and wrong content: refused, or loaded without harm."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from support import broken_files
from support.messages import parts
from support.recordings import HEADER, recording

from neurosim.errors import NetworkError, NeurosimError
from neurosim.recording.recorded import ProjectionRecording
from neurosim.recording.recording import Recording
from neurosim.recording.samples import Spikes, Trace
from neurosim.recording.writer import RecordingWriter

COUNT = 400  # variants of some 3000, chosen at random


def read_all(recording: Recording) -> None:
    """Ask for everything that a recording holds."""
    str(recording), recording.duration
    for population in recording.populations.values():
        if population.recorded is not None:
            population.spikes.times(), population.spikes.count()
        for trace in population.traces.values():
            trace.times()
    for projection in recording.projections.values():
        for name, trace in projection.traces.items():
            if trace.per == "member" and len(trace.values):
                projection.edges(name), projection.matrix(name)


@pytest.mark.parametrize("seed", [1, 2])
def test_wrong_content_of_a_file_is_refused_or_does_no_harm(seed, tmp_path):
    content = broken_files.read(recording().save(tmp_path / "run.npz"))
    every = list(broken_files.variants(content))
    refused = 0
    for description, changed in random.Random(seed).sample(every, COUNT):
        path = broken_files.write(tmp_path / "broken.npz", changed)
        try:
            read_all(Recording.load(path))
        except NeurosimError as error:
            refused += 1
            assert "broken.npz" in str(error), description
    assert refused > COUNT // 3


@pytest.mark.parametrize("part", ["part-00000000.npz", "part-00000001.npz"])
def test_wrong_content_of_a_part_is_refused_or_does_no_harm(part, tmp_path):
    writer = RecordingWriter(tmp_path / "run", HEADER)
    for first in (0, 10):
        writer.append(recording(first, 10))
    path = tmp_path / "run" / part
    every = list(broken_files.variants(broken_files.read(path)))
    refused = 0
    for _, changed in random.Random(part).sample(every, 200):
        broken_files.write(path, changed)
        try:
            read_all(Recording.load(tmp_path / "run"))
        except NeurosimError:
            refused += 1
    assert refused > 60


def test_a_wrong_header_of_a_folder_is_refused_or_does_no_harm(tmp_path):
    writer = RecordingWriter(tmp_path / "run", HEADER)
    writer.append(recording())
    path = tmp_path / "run" / "header.json"
    header = json.loads(path.read_text())
    refused = 0
    for _, (changed, _) in broken_files.variants((header, {})):
        path.write_text(json.dumps(changed))
        try:
            read_all(Recording.load(tmp_path / "run"))
        except NetworkError as error:
            refused += 1
            assert "header" in str(error)
    assert refused > 50
    for content in (b"\xff\xfe", b"[" * 100_000, b""):
        path.write_bytes(content)
        with pytest.raises(NetworkError, match=parts("header.json: ", "expected the header of")):
            Recording.load(tmp_path / "run")
    path.unlink()
    path.mkdir()
    with pytest.raises(NetworkError, match=parts("header.json: cannot be read (Is a directory)")):
        Recording.load(tmp_path / "run")


def test_a_part_that_is_a_folder_and_a_path_that_is_none_are_refused(tmp_path):
    writer = RecordingWriter(tmp_path / "run", HEADER)
    writer.append(recording(0, 10))
    (tmp_path / "run" / "part-00000001.npz").mkdir()
    with pytest.raises(NetworkError, match=parts("part-00000001.npz: cannot be read")):
        Recording.load(tmp_path / "run")
    for path in (None, 5, b"run.npz", "", "run\0.npz", np.zeros(2)):
        with pytest.raises(NetworkError, match=parts("load: found ", "expected a path. Give it")):
            Recording.load(path)  # type: ignore[arg-type]
    with pytest.raises(NetworkError, match="cannot be read .*File name too long"):
        Recording.load("x" * 5000)


def test_a_later_part_read_by_itself_has_no_edges_and_says_so(tmp_path):
    part = recording(10, 10)
    loop = part.projections["loop"]
    fields = {name: getattr(loop, name) for name in ("target_name", "shape", "traces")}
    part.projections["loop"] = ProjectionRecording(
        "loop", loop.source_name, source=loop.source[:0], target=loop.target[:0], **fields
    )
    back = Recording.load(part.save(tmp_path / "part.npz"))
    assert back["loop"].trace("w") == loop.trace("w")
    with pytest.raises(
        NetworkError, match=parts("'loop'", "expected members below 0, the number of edges")
    ):
        back["loop"].edges("w")


TRACE = {"every": 1, "first": 0, "members": [0], "initial": [0.0], "dt": 1.0, "unit": "mV"}
SPIKES = {"size": 3, "dt": 1.0, "steps": 9}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Trace([[1.0]], **TRACE | {"every": 0}),
            "trace: found every = 0, expected a whole",
        ),
        (lambda: Trace([[1.0]], **TRACE | {"dt": 0}), "trace: found dt = 0, expected a finite"),
        (lambda: Trace([["a"]], **TRACE), "trace: values: found values of type <U1, expected num"),
        (lambda: Trace([[1.0], [2.0, 3.0]], **TRACE), "trace: values: .*expected an array of num"),
        (lambda: Trace([[1.0]], **TRACE | {"members": [-1]}), "trace: found the member -1"),
        (lambda: Trace([[1.0]], **TRACE | {"per": "all"}), "found per = 'all', expected 'member'"),
        (lambda: Spikes([0], [0], **SPIKES | {"size": 2**40}), "found size = 1099511627776"),
        (lambda: Spikes([2**40], [0], **SPIKES), "spikes: index: found 1099511627776 to"),
        (lambda: Spikes([0.5], [0], **SPIKES), "spikes: index: found values of type float64"),
        (lambda: Recording({"dt": 0.1, "steps": -1}), "header of the recording: found steps = -1"),
        (lambda: Recording({"dt": "1", "steps": 1}), "header of the recording: found dt = '1'"),
        (
            lambda: ProjectionRecording(
                "a", "b", target_name="c", source=[0], target=[5], shape=(1, 5)
            ),
            "projection 'a': found targets from 5 to 5, expected 0 to 4. Check shape.",
        ),
    ],
)
def test_spikes_traces_and_edges_check_what_they_are_made_of(make, message):
    with pytest.raises(NetworkError, match=message):
        make()
