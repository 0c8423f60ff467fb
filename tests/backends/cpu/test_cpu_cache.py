"""Compiled code on disk: a second start compiles nothing, wherever the cache is and whoever shares
it.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from neurosim.backends.cpu import cache
from neurosim.compiled import cache as core

SCRIPT = """
import hashlib, json, sys
from numba.core import event
import neurosim as ns
from neurosim.backends.cpu import cache

seen = event.RecordingListener()
with event.install_listener("numba:run_pass", seen):  # "numba:compile" leaves out kernels
    if sys.argv[1] == "demo":
        from neurosim.models.prediction_reservoir.network import Settings, build
        net = build(Settings(size=100, trial=50.0), 1)
        net.record(net["reservoir"], "spikes")
    else:
        net = ns.Network("small", dt="1 ms")
        cell = ns.Cell(
            "v : 1", step="v = v + i", spike="v > 90", after_spike="v = 0", name=sys.argv[1]
        )
        net.record(net.population("reservoir", 20, cell), "spikes")
    spikes = ns.simulate(net, "100 ms", backend="cpu", progress=False)["reservoir"].spikes
digest = hashlib.sha256(spikes.index.tobytes() + spikes.step.tobytes()).hexdigest()
print(json.dumps({"compiled": len(seen.buffer), "folder": str(cache.folder()),
                  "spikes": spikes.index.size, "digest": digest}))
"""


def environment(folder: Path, spare: Path | None = None) -> dict[str, str]:
    """Return an environment with a cache and, for what cannot be cached there, a folder for
    temporary files.
    """
    return {**os.environ, "NEUROSIM_CACHE": str(folder)} | (
        {} if spare is None else {"TMPDIR": str(spare), "TEMP": str(spare)}
    )


def started(name: str, folder: Path, spare: Path | None = None, **options) -> dict:
    """Run a network in a process of its own and return its report."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, name],
        env=environment(folder, spare),
        capture_output=True,
        text=True,
        **options,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def first(tmp_path_factory) -> tuple[Path, dict]:
    """A cache that one process has filled with the network of the demonstration, and what that
    process said.
    """
    folder = tmp_path_factory.mktemp("cache")
    return folder, started("demo", folder)


@pytest.mark.process
def test_the_second_start_of_the_demonstration_compiles_nothing(first):
    folder, said = first
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("*") if file.is_file()}
    again = started("demo", folder)
    assert said["compiled"] > 1000 and again["compiled"] == 0
    assert again["digest"] == said["digest"] and said["spikes"] > 100
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("*") if file.is_file()} == before


@pytest.mark.process
def test_another_cell_compiles_its_own_kernels_and_not_the_time_loop(first, tmp_path):
    """A copy of the cache, since the other tests want it as it was."""
    folder = shutil.copytree(first[0], tmp_path / "cache")
    before = {file.name for file in folder.rglob("*.py")}
    assert 0 < started("another", folder)["compiled"] < first[1]["compiled"] / 2
    assert [
        file.name.split("_")[0] for file in folder.rglob("*.py") if file.name not in before
    ] == ["another"]


def bound_by_permissions() -> None:
    """Let a process of the superuser, too, be stopped by a folder's permissions (Linux: no
    CAP_DAC_OVERRIDE after exec).
    """
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)


@pytest.mark.process
@pytest.mark.skipif(
    not hasattr(os, "geteuid") or (os.geteuid() == 0 and sys.platform != "linux"),
    reason="needs permissions",
)
@pytest.mark.parametrize(("name", "compiles"), [("demo", False), ("readonly", True)])
def test_a_cache_that_cannot_be_written_is_used_as_far_as_it_goes(first, tmp_path, name, compiles):
    folder = shutil.copytree(first[0], tmp_path / "cache")
    spare = tmp_path / "spare"
    spare.mkdir()
    before = sorted(folder.rglob("*"))
    for path in (*before, folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        said = [started(name, folder, spare, preexec_fn=bound_by_permissions) for _ in range(2)]
    finally:
        for path in (folder, *before):
            path.chmod(0o755 if path.is_dir() else 0o644)
    assert sorted(folder.rglob("*")) == before
    assert all(spare in Path(s["folder"]).parents for s in said)
    assert (said[0]["compiled"] > 0) == compiles and said[1]["compiled"] == 0
    assert name != "demo" or said[0]["digest"] == first[1]["digest"]


@pytest.mark.process
def test_a_cache_that_cannot_be_made_is_replaced_by_a_temporary_one(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    said = [started("homeless", tmp_path / "file", tmp_path) for _ in range(2)]
    assert tmp_path in Path(said[0]["folder"]).parents
    assert said[0]["compiled"] > 0 and said[1]["compiled"] == 0


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs users")
def test_a_temporary_cache_of_somebody_else_is_not_run(tmp_path, monkeypatch):
    """Whoever made the folder could have put any code there."""
    monkeypatch.setenv("NEUROSIM_CACHE", str(tmp_path / "file"))
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    mine, other = fresh_folder(), os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: other)
    (tmp_path / f"neurosim-{other}").symlink_to(mine.parent)
    theirs = fresh_folder()
    assert mine.parent.parent == theirs.parent == tmp_path and theirs.name.startswith("neurosim-")
    core.folder.cache_clear()


def fresh_folder() -> Path:
    core.folder.cache_clear()
    return cache.folder()


@pytest.mark.process
def test_processes_that_start_together_share_an_empty_cache(tmp_path):
    command, pipe = [sys.executable, "-c", SCRIPT, "together"], subprocess.PIPE
    processes = [
        subprocess.Popen(command, env=environment(tmp_path), stdout=pipe, stderr=pipe, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert len({json.loads(out)["digest"] for out, _ in said}) == 1
    assert started("together", tmp_path)["compiled"] == 0
    assert not list(tmp_path.rglob("*.tmp"))


def test_clearing_removes_every_file_of_the_cache_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setenv("NEUROSIM_CACHE", str(tmp_path))
    monkeypatch.setattr(
        sys, "dont_write_bytecode", True
    )  # bytecode of printed source, which is cleared too, would be counted
    (tmp_path / "letter.txt").write_text("mine")
    core.folder.cache_clear()
    assert cache.clear() == 0
    for word in ("one", "two"):
        assert cache.load("cleared", f"said = {word!r}\n").said == word
    assert cache.clear() == 2
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
    assert cache.load("cleared", "said = 'three'\n").said == "three" and cache.clear() == 1


def test_a_change_of_the_engine_or_of_a_version_begins_another_folder(tmp_path, monkeypatch):
    """Numba's own cache does not notice edits in called files."""
    import numba

    before = core.key(cache.HERE)
    monkeypatch.setattr(numba, "__version__", "0.0.1")
    assert core.key(cache.HERE) != before
    monkeypatch.undo()
    assert core.key(cache.HERE) == before
    read = Path.read_bytes
    monkeypatch.setattr(
        Path,
        "read_bytes",
        lambda self: read(self) + (b"# edited" if self.name == "philox.py" else b""),
    )
    assert core.key(cache.HERE) != before


def test_the_digest_covers_every_file_of_the_core_whose_functions_are_compiled():
    from numba.core.dispatcher import Dispatcher

    names = [
        f"neurosim.{package}.{file.stem}"
        for package in ("expr", "compiled", "draws", "model", "network", "ir", "run")
        for file in (core.CORE / package).glob("*.py")
    ]
    compiled = {
        thing.py_func.__code__.co_filename
        for name in names
        for thing in vars(importlib.import_module(name)).values()
        if isinstance(thing, Dispatcher)
    }
    called = {str(core.CORE / name) for name in core.CALLED}
    assert (
        {
            str(core.CORE / name)
            for name in ("draws/compiled_edges.py", "draws/streams.py", "expr/functions.py")
        }
        < compiled
        <= called
    )
