"""A sweep that was killed, jobs that failed, and processes that died."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.sweep_functions import build, calls, count, die, fail_at_three

import neurosim as ns
from neurosim.cli.main import main

SCRIPT = """
import os, time
from pathlib import Path
import neurosim as ns

def build(rate, seed):
    net = ns.Network("sources", dt="1 ms", seed=seed)
    net.record(net.poisson("e", 3, rate=f"{rate} Hz"), "spikes")
    return net

def measure(result):
    with open("measured", "a") as file:
        file.write(f"{result.header['seed']}\\n")
    while len(Path("measured").read_text().split()) > 3 and not Path("go").exists():
        time.sleep(0.01)  # the sweep is killed here
    return {"spikes": len(result["e"].spikes)}

table = ns.sweep(
    build, {"rate": [50]}, seeds=range(8), time="20 ms", measure=measure, folder="out",
    backend="reference", workers=2,
)
print(table)
"""


def state(folder: Path) -> dict[str, int]:
    """Return the time of writing of each result."""
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("out/results/*.json")}


@pytest.mark.process
def test_a_killed_sweep_resumes_only_what_is_missing(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    process = subprocess.Popen([sys.executable, script.name], cwd=tmp_path)
    until = time.monotonic() + 120
    while len(state(tmp_path)) < 3:
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = state(tmp_path)
    (tmp_path / "measured").unlink()
    (tmp_path / "go").touch()
    done = subprocess.run([sys.executable, script.name], cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stderr
    after = state(tmp_path)
    assert len(after) == 8 and before.items() <= after.items()
    assert calls(tmp_path / "measured") == 8 - len(before) < 8
    assert not list(tmp_path.rglob("*.partial"))


def sweep(folder, function, *, workers=0, **options) -> ns.SweepTable:
    return ns.sweep(
        function,
        {"size": [2, 3, 4]},
        seeds=range(2),
        time="20 ms",
        measure=count,
        folder=folder,
        backend="reference",
        workers=workers,
        **options,
    )


@pytest.mark.process
@pytest.mark.parametrize("workers", [0, 2])
def test_a_job_that_fails_is_kept_with_its_error_and_tried_again_on_demand(
    tmp_path, monkeypatch, workers
):
    monkeypatch.setenv("MENDED", str(tmp_path / "mended"))
    table = sweep(tmp_path / "out", fail_at_three, workers=workers)
    assert [row.point.values["size"] for row in table.failed] == [3, 3]
    failure = table.failed[0].failure
    assert failure.error == "ValueError: three is not my number" and failure.phase == "build"
    assert failure.place.endswith("in fail_at_three")
    assert "sweep_functions.py, line " in failure.place and "Traceback" in failure.traceback
    assert "2 of 6 jobs failed:\n  size=3, seed 0: build: ValueError: three" in str(table)
    (tmp_path / "mended").touch()
    assert sweep(tmp_path / "out", fail_at_three, workers=workers) == table
    mended = sweep(tmp_path / "out", fail_at_three, workers=workers, retry=True)
    assert not mended.failed and len(mended) == 6
    assert sweep(tmp_path / "out", fail_at_three, workers=workers) == mended


@pytest.mark.filterwarnings("ignore:overflow")
def test_an_error_of_a_run_or_measure_is_kept_with_its_phase(tmp_path):
    def explode(size, seed):
        net = ns.Network("n", dt="1 ms", seed=seed)
        net.population("p", size, ns.Cell("v : 1", step="v = 1e300 * (v + 1)"))
        return net

    failures = [row.failure for row in sweep(tmp_path / "run", explode).failed]
    assert len(failures) == 6 and all(failure.phase == "run" for failure in failures)
    assert failures[0].error.startswith("SimulationError: population 'p', neuron 0: v is inf")

    def misread(result):
        return result["missing"].rate()

    grid = {"rate": [5], "size": [2]}
    arguments = {"time": "2 ms", "folder": tmp_path / "measure", "backend": "reference"}
    table = ns.sweep(build, grid, measure=misread, workers=0, **arguments)
    assert table.rows[0].failure.phase == "measure"
    assert table.rows[0].failure.place.endswith("in misread")
    # Its run was kept: the mended function needs no other.
    assert ns.sweep(build, grid, measure=count, workers=0, **arguments)["spikes"] >= 0


@pytest.mark.process
def test_a_process_that_dies_costs_its_own_job_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("TEST_PROCESS", str(os.getpid()))
    table = sweep(tmp_path, die, workers=2)
    assert [row.point.values["size"] for row in table.failed] == [3, 3]
    assert "ended by itself (exit code 7). Try it with workers=0" in str(table)
    assert not sweep(tmp_path, die, retry=True).failed


def test_ctrl_c_stores_what_was_done(tmp_path, monkeypatch):
    monkeypatch.setenv("MENDED", str(tmp_path / "mended"))

    def stop_at_three(size, seed):
        if size == 3:
            raise KeyboardInterrupt
        return build(100, size, seed)

    with pytest.raises(KeyboardInterrupt):
        sweep(tmp_path / "out", stop_at_three)
    assert len(state(tmp_path)) == 2


def test_the_command_ends_with_code_1_if_a_job_failed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    script = "def build(size, seed):\n    return 1 / size\n\ndef measure(result):\n    return 1\n"
    Path("my.py").write_text(script)
    words = ["sweep", "my.py", "--grid", "size=0,1", "--workers", "0"]
    assert main(words) == 1
    printed = capsys.readouterr().out
    assert "size=0, seed 0: build: ZeroDivisionError: division by zero (my.py, line 2" in printed
    assert "found 1.0, expected that it returns a Network" in printed
