"""Wrong sweeps are refused with a clear error, and nothing that was done is lost."""

from __future__ import annotations

import errno
import json
import re
import subprocess
import sys

import pytest
from support.sweep_functions import build, count

import neurosim as ns
from neurosim.cli.main import main
from neurosim.sweeps import store

GRID = {"rate": [50], "size": [2, 3]}


def sweep(folder, function=build, grid=GRID, *, measure=count, **options) -> ns.SweepTable:
    options = {"time": "20 ms", "backend": "reference", "workers": 0, **options}
    return ns.sweep(function, grid, measure=measure, folder=folder, **options)


def no_size(rate, seed):
    return build(rate, 2, seed)


def no_seed(rate, size):
    return build(rate, size, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"grid": {"rate": [], "size": [1]}}, "grid, 'rate': found no values, expected at least"),
        ({"grid": {"rate": "50", "size": [1]}}, "grid, 'rate': found '50', expected a list"),
        ({"grid": {"rate": 50, "size": [1]}}, "grid, 'rate': found 50, expected a list"),
        ({"grid": {"rate": [5, 5], "size": [1]}}, r"found a value twice \(5\)"),
        ({"grid": {"rate": [float("nan")], "size": [1]}}, "found no number"),
        ({"grid": {"rate": [object()], "size": [1]}}, "expected numbers, texts, lists"),
        ({"grid": {"seed": [1]}}, "found the axis 'seed', expected .* Give seeds= instead"),
        ({"grid": {"a b": [1]}}, "found the axis 'a b', expected the name of an argument"),
        ({"grid": ["rate"]}, r"grid: found \['rate'\], expected a dictionary of axes"),
        ({"function": no_size}, r"no_size: found the arguments \(rate, seed\), expected .*'size'"),
        ({"function": no_seed}, r"no_seed: .* expected to be called with rate=, size=, seed="),
        ({"function": 5}, "build: found 5, expected a function"),
        ({"measure": None}, "measure: found None, expected a function"),
        ({"seeds": ()}, r"seeds: found \(\), expected one or more"),
        ({"seeds": 5}, "seeds: found 5, expected one or more .* such as range"),
        ({"seeds": [0, 0]}, "seeds: found .* different whole numbers"),
        ({"seeds": [-1]}, "seeds: found .* at least 0"),
        ({"seeds": [True]}, "seeds: found .* whole numbers"),
        ({"time": "2 mV"}, "sweep: time"),
        ({"workers": -1}, "sweep, workers: found -1"),
        ({"workers": None, "cluster": 5}, r"cluster: found 5, expected an executor with submit"),
        ({"stream": "x"}, "sweep, stream: found 'x', expected no such option"),
        ({"thread": 1}, "has no option 'thread'"),
        ({"backend": "cup"}, "there is no backend 'cup'"),
        ({"folder": ""}, "sweep, folder: found '', expected a path"),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_is_written(tmp_path, change, message):
    change = {"folder": tmp_path / "out", **change}
    with pytest.raises(ns.NetworkError, match=message):
        sweep(**change)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "found None, expected that it returns numbers by name"),
        ("many", "found 'many', expected"),
        ({}, "found nothing, expected"),
        ({"rate": "many"}, "found 'rate': 'many', expected"),
        ({"rate": [1, [2]]}, "found 'rate': .*, expected"),
    ],
)
def test_a_measure_that_returns_no_numbers_ends_the_sweep_and_loses_no_run(
    tmp_path, monkeypatch, value, message
):
    with pytest.raises(ns.NetworkError, match=message):
        sweep(tmp_path, measure=lambda result: value)
    assert len(list((tmp_path / "recordings").iterdir())) == 1
    # The same function again: the same error, and no other run.
    with pytest.raises(ns.NetworkError, match=message):
        sweep(tmp_path, measure=lambda result: value)
    assert len(list((tmp_path / "recordings").iterdir())) == 1
    assert not sweep(tmp_path).failed


def test_two_sweeps_on_one_folder_are_refused(tmp_path):
    def nested(rate, size, seed):
        with pytest.raises(ns.NetworkError, match="found another sweep at work there"):
            sweep(tmp_path)
        return build(rate, size, seed)

    assert len(sweep(tmp_path, nested)) == 2


@pytest.mark.process
def test_a_sweep_of_another_process_is_refused_until_it_ends(tmp_path):
    code = (
        "import sys; from neurosim.sweeps.store import open_store; from pathlib import Path\n"
        f"with open_store(Path({str(tmp_path / 'out')!r}), build='build', axes=['rate', 'size']):\n"
        "    print('open', flush=True); sys.stdin.readline()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as other:
        assert other.stdout.readline() == "open\n"
        with pytest.raises(ns.NetworkError, match="another sweep at work"):
            sweep(tmp_path / "out")
        other.kill()
        other.wait()
        # A process that was killed leaves no lock.
        assert not sweep(tmp_path / "out").failed


def test_the_folder_of_another_sweep_is_refused_and_left_alone(tmp_path):
    first = sweep(tmp_path)

    def other(rate, size, seed):
        return build(rate, size, seed)

    for function, grid in ((other, GRID), (lambda rate, seed: None, {"rate": [1]})):
        with pytest.raises(ns.NetworkError, match="found another sweep, of 'build' over rate, siz"):
            sweep(tmp_path, function, grid)
    assert sweep(tmp_path) == first


@pytest.mark.parametrize("name", ["notes.txt", "results"])
def test_a_folder_with_other_files_is_refused(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(ns.NetworkError, match="found other files, expected a new or empty folder"):
        sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with pytest.raises(ns.NetworkError, match="found a file, expected a new or empty folder"):
        sweep(tmp_path / name)
    with pytest.raises(ns.NetworkError, match="cannot be written .*Allow writing there"):
        sweep(tmp_path / name / "below")


def test_a_full_disk_ends_the_sweep_and_what_was_stored_stays(tmp_path, monkeypatch):
    write_whole = store.write_whole
    written = []

    def write_some(path, fill, **options):
        if path.suffix == ".json" and len(written) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(path)
        write_whole(path, fill, **options)

    monkeypatch.setattr(store, "write_whole", write_some)
    grid = {"rate": [50], "size": [2, 3, 4, 5]}
    with pytest.raises(ns.NetworkError, match="No space left on device.*Make room, and call again"):
        sweep(tmp_path, grid=grid)
    stored = {path: path.stat().st_mtime_ns for path in tmp_path.glob("results/*")}
    assert len(stored) == 2
    monkeypatch.setattr(store, "write_whole", write_whole)
    assert not sweep(tmp_path, grid=grid).failed
    assert all(path.stat().st_mtime_ns == time for path, time in stored.items())


def test_a_full_disk_of_recordings_ends_the_sweep_at_once(tmp_path, monkeypatch):
    from neurosim.recording import files

    def refuse(path, fill):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "write_whole", refuse)
    with pytest.raises(ns.NetworkError, match="size=2, seed 0: .*No space left on device"):
        sweep(tmp_path)
    monkeypatch.undo()
    assert not sweep(tmp_path).failed


@pytest.mark.parametrize("spoil", [lambda t: t[:-9], lambda t: t.replace('"values"', '"volumes"')])
def test_a_damaged_result_is_named(tmp_path, spoil):
    first = sweep(tmp_path)
    path = next(tmp_path.glob("results/*"))
    path.write_text(spoil(path.read_text()))
    message = f"{re.escape(str(path))}: cannot be read .* Remove the file, and call again"
    with pytest.raises(ns.NetworkError, match=message):
        sweep(tmp_path)
    path.unlink()
    assert sweep(tmp_path) == first


def test_files_hold_plain_json(tmp_path):
    """NaN is no JSON: strict readers would refuse it."""
    assert (
        sweep(tmp_path, measure=lambda r: {"a": float("nan"), "b": [1, -float("inf")]}) is not None
    )

    def refuse(text):
        raise AssertionError(text)

    for path in tmp_path.rglob("*.json"):
        json.loads(path.read_text(), parse_constant=refuse)
    again = sweep(tmp_path, measure=lambda r: {"a": float("nan"), "b": [1, -float("inf")]})
    assert again["b"].tolist() == [[[[1, -float("inf")]], [[1, -float("inf")]]]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--grid", "rate"], "--grid rate: found no '=', expected name=value,value"),
        (["--grid", "rate=1", "--grid", "rate=2"], "found this axis twice"),
        (["--grid", "rate=,"], "grid, 'rate': found no values"),
        (["--grid", "rate=1", "--seeds", "x"], "sweep: found --seeds x, expected whole numbers"),
        (["--grid", "rate=1", "--option", "x"], "--option x: found no 'name='"),
    ],
)
def test_wrong_words_of_the_command_are_refused(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    text = "def build(rate, seed): ...\ndef measure(result): ...\n"
    (tmp_path / "my.py").write_text(text)
    assert main(["sweep", "my.py", *words]) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "sweeps").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def build(seed): ...\n", "my.py: found no function 'measure', expected build and measu"),
        (None, "cannot be read .*expected a Python script"),
    ],
)
def test_a_script_without_the_functions_is_refused(tmp_path, monkeypatch, capsys, text, message):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / "my.py").write_text(text)
    assert main(["sweep", "my.py"]) == 2
    assert re.search(message, capsys.readouterr().err)
