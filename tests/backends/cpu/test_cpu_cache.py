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


def cache_of(said: dict) -> Path:
    """Return the folder of the engine that a process has told."""
    return Path(said["folder"])


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
    printed = {file.stem for file in cache_of(said).glob("*.py")}
    assert len(printed) > 5 and {file.stem for file in cache_of(said).glob("*.code")} == printed
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
    """Let a process of the superuser, too, be stopped by permissions (Linux: no CAP_DAC_OVERRIDE
    and no CAP_DAC_READ_SEARCH after exec).
    """
    if os.geteuid() == 0:
        for capability in (1, 2):
            ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)


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
    assert all(spare in Path(s["folder"]).parents for s in said) and not list(spare.iterdir())
    assert [s["compiled"] > 0 for s in said] == [compiles] * 2
    assert name != "demo" or said[0]["digest"] == first[1]["digest"]


def damage_content(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0x55
    file.write_bytes(content)


def put_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()
    (file / "letter.txt").write_text("not code")


DAMAGES = {
    "a wrong byte": damage_content,
    "cut short": lambda file: file.write_bytes(file.read_bytes()[:40]),
    "empty": lambda file: file.write_bytes(b""),
    "other content": lambda file: file.write_bytes(b"raise SystemExit(3)" * 99),
    "a folder": put_folder,
    "no permission": lambda file: file.chmod(0),
}


@pytest.fixture(scope="module")
def small(first, tmp_path_factory) -> tuple[Path, dict]:
    """A cache that holds a small network as well, and the report of the process that added it."""
    folder = shutil.copytree(first[0], tmp_path_factory.mktemp("small") / "cache")
    return folder, started("small", folder)


@pytest.mark.process
@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs permissions")
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_heals_itself_once(small, tmp_path, damage):
    """The time loop takes long to compile: its files, too, are damaged in one way alone."""
    folder = shutil.copytree(small[0], tmp_path / "cache")
    files = list(folder.rglob("*.*" if damage == "a wrong byte" else "small_*.*"))
    assert {".py", ".code"} == {file.suffix for file in files}
    for file in files:
        DAMAGES[damage](file)
    first, second = (started("small", folder, preexec_fn=bound_by_permissions) for _ in range(2))
    assert first["compiled"] > 0 and second["compiled"] == 0
    assert first["digest"] == second["digest"] == small[1]["digest"]


WARNED = '''
import sys, tempfile, warnings
def refuse(**options):
    raise OSError(28, "No space left on device")
if sys.argv[1] == "no place at all":
    tempfile.mkdtemp = refuse
warnings.simplefilter("error")  # a second message would end the process
from neurosim.compiled import cache
told = []
cache.warnings.warn = lambda message, *_, **__: told.append(message)
if sys.argv[1] == "others may write":
    import neurosim as ns
    net = ns.Network("small", dt="1 ms")
    cell = ns.Cell("v : 1", step="v = v + i", spike="v > 90", after_spike="v = 0", name="small")
    net.record(net.population("reservoir", 20, cell), "spikes")
    spikes = ns.simulate(net, "100 ms", backend="cpu", progress=False)["reservoir"].spikes
    assert len(spikes) > 100
else:  # as a run loads its kernels, without the time loop, which takes long to compile
    from neurosim.backends.cpu.cache import functions
    for number in (1, 2):
        source = f"""from neurosim.compiled.cached import cfunc

@cfunc("int64(int64)")
def add(x):
    return x + {number}
"""
        assert functions("add", source)["add"].call(4) == 4 + number
print(len(told), *told)
'''
WITHOUT = {
    "a file in place of the folder": ({"NEUROSIM_CACHE": "file"}, "cannot be made ("),
    "no home": ({"NEUROSIM_CACHE": "", "HOME": "", "XDG_CACHE_HOME": "x"}, ""),
    "others may write": ({"NEUROSIM_CACHE": "open"}, "others may write"),
    "no place at all": ({"NEUROSIM_CACHE": "file"}, "cannot be made ("),
}


@pytest.mark.process
@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs permissions")
@pytest.mark.parametrize("case", WITHOUT)
def test_a_run_goes_on_without_a_cache_and_says_so_once(tmp_path, case):
    (tmp_path / "file").write_text("not a folder")
    (tmp_path / "open" / "neurosim").mkdir(parents=True)
    (tmp_path / "open" / "neurosim").chmod(0o777)
    (tmp_path / "spare").mkdir()
    changes, reason = WITHOUT[case]
    paths = {n: str(tmp_path / v) if v not in ("", "x") else v for n, v in changes.items()}
    done = subprocess.run(
        [sys.executable, "-c", WARNED, case],
        env={**os.environ, "TMPDIR": str(tmp_path / "spare"), **paths},
        capture_output=True,
        text=True,
        cwd=tmp_path,
        preexec_fn=bound_by_permissions,
    )
    assert done.returncode == 0, done.stderr
    assert reason in done.stdout
    assert done.stdout.startswith("1 neurosim: compiled code is not kept, because ")
    assert not list((tmp_path / "spare").iterdir())  # the spare place is removed at the end
    assert not list((tmp_path / "open" / "neurosim").iterdir())


def test_a_user_whom_the_system_does_not_know_has_no_folder(monkeypatch):
    for name in ("NEUROSIM_CACHE", "XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # what it does then
    assert core.root() is None
    monkeypatch.setattr(core.atexit, "register", lambda _: None)
    core.folder.cache_clear()
    spare = cache.folder()
    assert spare is not None and spare.stat().st_mode & 0o777 == 0o700
    assert "there is no home folder" in core.store(cache.HERE).reason
    shutil.rmtree(spare)
    core.folder.cache_clear()


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs users")
def test_a_folder_of_somebody_else_is_neither_read_nor_written(tmp_path, monkeypatch):
    """Whoever made the folder could have put any code there."""
    monkeypatch.setenv("NEUROSIM_CACHE", str(tmp_path))
    mine = fresh_folder()
    assert mine.parent == tmp_path / "neurosim" and mine.stat().st_mode & 0o777 == 0o700
    owner = os.getuid() or 12345
    if os.getuid() == 0:
        os.chown(mine, owner, owner)
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    monkeypatch.setattr(core.atexit, "register", lambda _: None)
    spare = fresh_folder()
    store = core.store(cache.HERE)
    assert tmp_path not in spare.parents and store.read == (spare,)
    assert "belongs to another user" in store.reason
    shutil.rmtree(spare)
    core.folder.cache_clear()


def test_a_full_disk_is_told_once_and_stops_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("NEUROSIM_CACHE", str(tmp_path))
    monkeypatch.setattr(core, "_warned", [])
    core.folder.cache_clear()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(core, "write_whole", full)
    with pytest.warns(
        RuntimeWarning, match="because .*No space left on device.*Make room"
    ) as warned:
        for number in (1, 2):
            assert core.load("full", f"said = {number}\n", engine=cache.HERE).said == number
    assert len(warned) == 1
    core.folder.cache_clear()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize("damage", ["a pipe", "a device", "a link to itself"])
def test_what_cannot_be_read_to_its_end_is_no_code(tmp_path, monkeypatch, damage):
    monkeypatch.setenv("NEUROSIM_CACHE", str(tmp_path))
    monkeypatch.setattr(core, "_loaded", {})
    files = fresh_folder()
    source = "said = 1\n"
    stem = core._stem("damaged", source)
    for name in (f"{stem}.py", f"{stem}.code"):
        if damage == "a pipe":
            os.mkfifo(files / name)
        else:
            (files / name).symlink_to("/dev/zero" if damage == "a device" else name)
    store = core.store(cache.HERE)
    assert store.load(f"{stem}.code") is None
    store.save(f"{stem}.code", b"machine code")
    assert core.load("damaged", source, engine=cache.HERE).said == 1
    assert (files / f"{stem}.py").read_text() == source
    assert store.load(f"{stem}.code") == b"machine code"
    core.folder.cache_clear()


def test_a_relative_folder_in_a_current_folder_that_is_gone_is_told(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    monkeypatch.setenv("NEUROSIM_CACHE", "relative")
    monkeypatch.setattr(core.atexit, "register", lambda _: None)
    spare = fresh_folder()
    assert "cannot be told" in core.store(cache.HERE).reason
    shutil.rmtree(spare)
    core.folder.cache_clear()


def fresh_folder() -> Path:
    core.folder.cache_clear()
    folder = cache.folder()
    assert folder is not None
    return folder


@pytest.mark.process
def test_processes_that_start_together_share_a_cache_that_lacks_their_code(small, tmp_path):
    folder = shutil.copytree(small[0], tmp_path / "cache")
    command, pipe = [sys.executable, "-c", SCRIPT, "together"], subprocess.PIPE
    processes = [
        subprocess.Popen(command, env=environment(folder), stdout=pipe, stderr=pipe, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    reports = [json.loads(out) for out, _ in said]
    assert len({report["digest"] for report in reports}) == 1
    assert any(report["compiled"] for report in reports)
    assert started("together", folder)["compiled"] == 0
    assert not list(folder.rglob("*.tmp"))


def test_clearing_removes_every_file_of_the_cache_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setenv("NEUROSIM_CACHE", str(tmp_path))
    # bytecode of printed source, which is cleared too, would be counted
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "letter.txt").write_text("mine")
    core.folder.cache_clear()
    assert cache.clear() == 0
    for word in ("one", "two"):
        assert core.load("cleared", f"said = {word!r}\n", engine=cache.HERE).said == word
    assert cache.clear() == 2
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
    three = core.load("cleared", "said = 'three'\n", engine=cache.HERE)
    assert three.said == "three" and cache.clear() == 1


def test_a_change_of_the_engine_or_of_a_version_begins_another_folder(tmp_path, monkeypatch):
    """Numba's own cache does not notice edits in called files."""
    before = core.key(cache.HERE)
    monkeypatch.setattr(core, "version", lambda distribution: "0.0.1")
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


def test_edits_of_the_engine_that_no_compiled_code_calls_compile_nothing_again(monkeypatch):
    before = core.key(cache.HERE)
    read, others = Path.read_bytes, ("engine.py", "printing.py", "delivery.py", "workers.py")
    monkeypatch.setattr(
        Path,
        "read_bytes",
        lambda self: read(self) + (b"# edited" if self.name in others else b""),
    )
    assert core.key(cache.HERE) == before


def test_the_digest_covers_every_file_of_the_engine_whose_functions_are_compiled():
    from numba.core.dispatcher import Dispatcher
    from numba.extending import _Intrinsic

    engine = cache.HERE.parent
    files = {path for path in engine.rglob("*.py") if path.name != "__init__.py"}
    names = [".".join(path.relative_to(engine).with_suffix("").parts) for path in files]
    functions = [
        member.py_func if isinstance(member, Dispatcher) else member._defn
        for name in names
        for member in vars(importlib.import_module(f"neurosim.backends.cpu.{name}")).values()
        if isinstance(member, Dispatcher | _Intrinsic)
    ]
    compiled = {Path(function.__code__.co_filename) for function in functions}
    engines = {path for path in compiled if engine in path.parents}
    assert len(engines) > 4 and {path.parent for path in engines} == {cache.HERE}


def test_the_digest_covers_every_file_of_the_core_whose_functions_are_compiled():
    from numba.core.dispatcher import Dispatcher

    names = [
        f"neurosim.{package}.{file.stem}"
        for package in ("expr", "compiled", "draws", "model", "network", "ir", "run")
        for file in (core.CORE / package).glob("*.py")
    ]
    compiled = {
        member.py_func.__code__.co_filename
        for name in names
        for member in vars(importlib.import_module(name)).values()
        if isinstance(member, Dispatcher)
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


WARM = """
import sys
import neurosim as ns
net = ns.Network("small", dt="1 ms")
cell = ns.Cell("v : 1", step="v = v + i", spike="v > 90", after_spike="v = 0", name="small")
net.record(net.population("reservoir", 20, cell), "spikes", "v")
recording = ns.simulate(net, "100 ms", backend="cpu", progress=False)
assert len(recording["reservoir"].spikes) > 100
slow = {"numba", "scipy", "matplotlib", "pint", "tqdm", "sympy", "torch", "pandas"}
print(*sorted(slow & sys.modules.keys()))
"""


@pytest.mark.process
def test_a_run_whose_code_is_known_imports_no_compiler_and_nothing_else_that_is_slow(small):
    """Numba alone takes longer to import than a small network takes to run."""
    done = subprocess.run(
        [sys.executable, "-c", WARM],
        env=environment(small[0]),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "\n"


def test_code_that_belongs_to_one_process_is_not_stored(tmp_path, monkeypatch):
    """Code that raises calls functions of Numba: a process without it would end when it links."""
    monkeypatch.setenv("NEUROSIM_CACHE", str(tmp_path))
    core.folder.cache_clear()
    source = """from neurosim.compiled.cached import cfunc

@cfunc("int64(int64, int64)")
def half(x, y):
    {}
"""
    for line, is_stored in (("return x // 2 + y", True), ("return sum(range(0, x, y))", False)):
        functions = cache.functions("half", source.format(line))
        assert functions["half"].call(6, 3) == (6 if is_stored else 3)
        (folder,) = (tmp_path / "neurosim").iterdir()
        assert len(list(folder.glob("*.code"))) == 1
    core.folder.cache_clear()
