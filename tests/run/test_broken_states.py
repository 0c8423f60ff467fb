"""State files with valid checksums and wrong content: refused whole, or loaded without harm."""

from __future__ import annotations

import random
import resource
import zipfile

import numpy as np
import pytest
from support import broken_files
from support.messages import parts
from support.open_runs import network, prepared, same, states

import neurosim as ns
from neurosim import NetworkError, NeurosimError

COUNT = 300  # variants of some 1500, chosen at random


@pytest.mark.parametrize("seed", [1, 2])
def test_wrong_content_is_refused_and_changes_nothing_or_does_no_harm(fast_backend, seed, tmp_path):
    """On the engine whose compiled code would read and write anywhere: checks are those of all."""
    backend = fast_backend
    saved = prepared(backend, 30)
    saved.set("cells", v=ns.uniform(0, 1))  # its draws are counted
    saved.save(tmp_path / "state.npz")
    every = list(broken_files.variants(broken_files.read(tmp_path / "state.npz")))
    chosen = random.Random(seed).sample(every, COUNT)
    run, twin = prepared(backend, 7), prepared(backend, 7)
    before, recorded, begin = states(run), run.result(), run.snapshot()
    refused = 0
    for description, content in chosen:
        path = broken_files.write(tmp_path / "broken.npz", content)
        try:
            run.load(path)
        except NeurosimError as error:
            refused += 1
            assert "broken.npz" in str(error), description
            assert same(states(run), before) and run.result() == recorded, description
            continue
        try:
            run.run("3 ms", progress=False)
            run.result()
        except NeurosimError:
            pass
        run = prepared(backend, 7)
    assert refused > COUNT // 2
    for open_run in (run, twin):
        open_run.run("10 ms", progress=False)
    assert run.result() == twin.result() and same(states(run), states(twin))
    assert begin.step == 7


def test_a_snapshot_whose_arrays_were_changed_is_refused_and_changes_nothing(backend):
    run = prepared(backend, 20)
    before = states(run)
    for key, value in [
        (("plastic", "x@last"), 10**6),
        (("cells", "_history"), 99),
        (("cells", "_count"), 99),
        (("plastic", "_since"), 10**6),
        (("source", "_given_step"), -1),
        (("rates", "rate@rows"), 0),
        (("drive", "rate"), np.nan),
    ]:
        snapshot = run.snapshot()
        snapshot.arrays[key][...] = value
        with pytest.raises(
            NetworkError, match=parts("restore: the snapshot: array", repr(key[1]), "expected")
        ):
            run.restore(snapshot)
        assert same(states(run), before)
    snapshot = run.snapshot()
    del snapshot.arrays["cells", "v"]
    with pytest.raises(NetworkError, match=parts("found no array ('cells', 'v'), expected the")):
        run.restore(snapshot)
    snapshot.arrays["cells", "v"] = np.zeros(99)
    with pytest.raises(
        NetworkError, match=parts("array 'v' of 'cells' has the shape (99,)", "such as (5,)")
    ):
        run.restore(snapshot)
    snapshot.arrays["cells", "v"] = [0.0] * 5  # type: ignore[assignment]
    with pytest.raises(NetworkError, match=parts("the snapshot holds [0.0", "expected arrays")):
        run.restore(snapshot)
    assert same(states(run), before)


def test_an_archive_that_expands_is_refused_before_it_takes_memory(tmp_path):
    """0.5 MB of zeros that would take 0.5 GB."""
    run = prepared("reference", 3)
    run.save(tmp_path / "state.npz")
    header, arrays = broken_files.read(tmp_path / "state.npz")
    path = tmp_path / "bomb.npz"
    broken_files.write(path, (header, arrays), zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("memory/cells/_history.npy", "w", force_zip64=True) as entry:
            head = {"descr": "<i4", "fortran_order": False, "shape": (1 << 27,)}
            np.lib.format.write_array_header_1_0(entry, head)
            for _ in range(1 << 9):
                entry.write(bytes(1 << 20))
    assert path.stat().st_size < 1e6
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(
        NetworkError, match=parts("bomb.npz: cannot be read (entries of", "bytes in a file of")
    ):
        run.load(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1e5  # KB


def test_a_load_for_which_memory_is_too_small_changes_nothing(tmp_path, monkeypatch):
    """The parameter becomes one per neuron, for which a new array is needed."""
    other = prepared("reference", 9)
    other.set("cells", tau=[9.0, 10.0, 11.0, 12.0, 13.0])
    other.save(tmp_path / "state.npz")
    run = prepared("reference", 3)
    before, recorded = states(run), run.result()

    def no_memory(*_: object, **__: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(np, "array", no_memory)
        with pytest.raises((MemoryError, NetworkError)):
            run.load(tmp_path / "state.npz")
    assert same(states(run), before) and run.result() == recorded


@pytest.mark.parametrize("clock", [None, 1, "yes", np.array([True, False]), [True]])
def test_the_clock_is_restored_or_not(clock):
    run = prepared("reference", 3)
    before = states(run)
    with pytest.raises(NetworkError, match=parts("restore: found clock=", "expected True or")):
        run.restore(run.snapshot(), clock=clock)
    assert same(states(run), before)


def test_a_state_with_other_layouts_of_this_run_is_loaded(backend, tmp_path):
    """One value per neuron, another number of given spikes, a longer table."""
    other = prepared(backend, 9)
    other.set("cells", tau=[9.0, 10.0, 11.0, 12.0, 13.0])
    other.set("source", steps=[[50], [51], []])
    other.set("rates", rate=ns.table([1.0, 2.0, 3.0], every="1 ms"))
    other.save(tmp_path / "state.npz")
    run = ns.prepare(network(), backend=backend)
    run.load(tmp_path / "state.npz")
    for open_run in (run, other):
        open_run.run("30 ms", progress=False)
    assert same(states(run), states(other)) and run.result() == other.result()
