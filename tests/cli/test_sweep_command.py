"""`neurosim sweep`: a script's functions over the grid of the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from neurosim.cli.main import main

FUNCTIONS = """
import neurosim as ns

def build(rate, seed, size=3):
    net = ns.Network("sources", dt="1 ms", seed=seed)
    net.record(net.poisson("e", size, rate=f"{rate} Hz"), "spikes")
    return net

def measure(result):
    return {"steps": result.header["steps"], "neurons": result["e"].size}
"""
CALL = """
ns.sweep(build, {"rate": [5, 10], "size": [2]}, seeds=range(2), time="3 ms", measure=measure,
    folder="mine", backend="reference", workers=0)
"""
HERE = ("--workers", "0", "--backend", "reference")


@pytest.fixture
def printed_lines(tmp_path, monkeypatch, capsys):
    """Return a function that runs the command over a script and returns its printed lines."""
    monkeypatch.chdir(tmp_path)

    def run(text: str, *words: str) -> list[list[str]]:
        Path("my.py").write_text(text)
        assert main(["sweep", "my.py", *words]) == 0
        return [line.split() for line in capsys.readouterr().out.splitlines()]

    return run


def test_the_functions_of_a_script_run_over_the_grid(printed_lines):
    lines = printed_lines(FUNCTIONS, "--grid", "rate=5,10", "--seeds", "2", "--time", "2 ms", *HERE)
    assert lines[0] == ["rate", "seeds", "steps", "neurons"]
    assert lines[1][:3] == ["5", "2", "2"] and lines[2][0] == "10"
    assert lines[-1] == ["written:", "sweeps/my/table.csv,", "sweeps/my/picture.png"]
    assert Path("sweeps/my/sweep.json").exists() and Path("sweeps/my/picture.png").exists()
    table = Path("sweeps/my/table.csv").read_text().splitlines()
    assert table[:2] == ["rate,seed,steps,neurons,error", "5,0,2,3,"] and len(table) == 5


def test_without_a_time_runs_last_one_second(printed_lines):
    assert printed_lines(FUNCTIONS, "--grid", "rate=5", *HERE)[1][1] == "1000"


@pytest.mark.parametrize("guard", ["", "if __name__ == '__main__':\n    "])
def test_the_call_of_a_script_is_the_same_sweep_as_the_command(printed_lines, guard):
    """The command continues what the script began, and replaces what it names."""
    text = FUNCTIONS + guard + CALL.strip()
    lines = printed_lines(text)
    assert (
        lines[0] == ["rate", "size", "seeds", "steps", "neurons"]
        and lines[-1][1] == "mine/table.csv,"
    )
    results = {path: path.stat().st_mtime_ns for path in Path("mine/results").iterdir()}
    assert len(results) == 4 and lines[1][:3] == ["5", "2", "2"]
    lines = printed_lines(text, "--grid", "rate=5,10,20", "--seeds", "3")
    assert [line[0] for line in lines[1:4]] == ["5", "10", "20"]
    assert len(list(Path("mine/results").iterdir())) == 9
    assert all(path.stat().st_mtime_ns == time for path, time in results.items())
    assert printed_lines(text, "--out", "other", "--time", "5 ms")[1][3] == "5"


def test_lists_of_seeds_and_texts_are_read(printed_lines):
    text = FUNCTIONS.replace('f"{rate} Hz"', "rate")
    lines = printed_lines(
        text, "--grid", "rate=5 Hz, 0.1 kHz", "--seeds", "3,7-8", "--no-recordings", *HERE
    )
    assert [line[:4] for line in lines[1:3]] == [
        ["5", "Hz", "3", "1000"],
        ["0.1", "kHz", "3", "1000"],
    ]
    assert not any(Path("sweeps/my/recordings").iterdir())


@pytest.mark.process
def test_the_command_uses_processes(printed_lines):
    words = ("--grid", "rate=5,10", "--workers", "2", "--backend", "reference")
    assert len(printed_lines(FUNCTIONS, *words)) == 5
