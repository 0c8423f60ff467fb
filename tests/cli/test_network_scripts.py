"""Networks of scripts on the command line: loaded and not run, with every mistake at its line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import neurosim as ns
from neurosim.cli.catalogue import Model, _load, names, source_of
from neurosim.cli.main import main

BUILD = """
def build(size=3, *, seed=0):
    net = ns.Network("mine", dt="1 ms", seed=seed)
    source = net.spike_source("source", size, steps=[[2]] * size)
    cell = ns.Cell("dv/dt = -v / tau : 1", parameters={"tau": "9 ms"},
                   receives={"in": ns.Port("1", into="v")}, name="leak")
    net.population("leaking", size, cell)
    return net
"""


@pytest.fixture
def write(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def write_script(text: str) -> str:
        Path("own.py").write_text(f"import neurosim as ns\n{text}")
        return "own.py"

    return write_script


def check(target: str, *words: str) -> int:
    return main(["check", target, "--backend", "reference", *words])


def test_the_only_network_of_a_script_is_checked_and_nothing_below_the_guard_runs(write, capsys):
    path = write(BUILD + "net = same = build()\nif __name__ == '__main__':\n    1 / 0\n")
    assert check(path) == 0
    assert "network 'mine' on backend 'reference': 2 exact" in capsys.readouterr().out


def test_a_function_of_a_script_takes_a_seed_and_settings(write, capsys):
    path = write(BUILD)
    assert check(f"{path}:build", "--set", "size=5", "--seed", "3") == 0
    assert "5 given spikes" in capsys.readouterr().out
    assert check(f"{path}:build", "--set", "sise=5") == 2
    assert "Did you mean 'size'?" in capsys.readouterr().err


def test_a_script_finds_the_modules_beside_it_and_its_own_name(write, tmp_path, capsys):
    Path("sizes_beside.py").write_text("SIZE = 4\n")
    path = write(
        f"import sys, sizes_beside\nassert sys.argv == ['own.py']\n{BUILD}net = build(4)\n"
    )
    assert check(path) == 0
    assert "4 given spikes" in capsys.readouterr().out


TWO = "a = ns.Network('a', dt='1 ms')\nb = ns.Network('b', dt='1 ms')\n"
RUNS = "net = ns.Network('a', dt='1 ms')\nns.simulate(net, '1 ms')\n"
PREPARES = "def build():\n    return ns.prepare(ns.Network('a', dt='1 ms'))\n"
SWEEPS = (
    "def build(seed): pass\n"
    "ns.sweep(build, {}, time='1 ms', measure=len, folder='out', backend='reference')\n"
)
MISTAKES = {
    "no network": ("x = 1\n", "", "found no network among its variables, expected one. Build"),
    "a function only": (BUILD, "", "Name the function that returns it, such as own.py:build"),
    "several": (TWO, "", r"found 2 networks (a, b), expected one. Name it, such as own.py:a"),
    "arguments": ("def build(size): pass\n", ":build", "without a default (size), expected"),
    "another value": ("def build(): return 3\n", ":build", "it returned 3, expected a Network"),
    "no such name": (BUILD, ":bild", "Did you mean 'build'?"),
    "no function": ("build = 3\n", ":build", "build is 3, expected a network, or a function"),
    "it runs": (RUNS, "", "found ns.simulate while it is loaded"),
    "it runs at its line": (RUNS, "", "\n  at own.py, line 3"),
    "a function that runs": (PREPARES, ":build", "found ns.prepare while it is loaded"),
    "it sweeps": (SWEEPS, ":build", "found ns.sweep while it is loaded"),
    "it ends": ("import sys\nsys.exit(7)\n", "", "ended itself (exit code 7)"),
    "an error of ours": ("\n\nns.Network('a', dt='0 ms')\n", "", "\n  at own.py, line 4"),
    "an error in a function": (
        "def build():\n    return ns.Network('a', dt='0 ms')\n",
        ":build",
        "\n  at own.py, line 3",
    ),
    "no file": (BUILD, "no.py", "there is no such file, expected a Python script"),
}


@pytest.mark.parametrize(("text", "name", "message"), MISTAKES.values(), ids=MISTAKES)
def test_each_mistake_of_a_script_is_answered(write, capsys, text, name, message):
    target = name if name.endswith(".py") else write(text) + name
    assert check(target) == 2
    assert message in capsys.readouterr().err


def test_a_seed_without_a_use_is_refused(write, capsys):
    assert check(write(BUILD + "net = build()\n"), "--seed", "3") == 2
    assert "own.py takes no seed, expected none" in capsys.readouterr().err


def test_a_mistake_of_python_is_shown_from_the_line_of_the_script(write, capsys, monkeypatch):
    # Brian 2 has a hook of its own, which another test of this process may have brought.
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    assert check(write("def build():\n    return 1 / 0\n") + ":build") == 1
    text = capsys.readouterr().err
    assert text.startswith('Traceback (most recent call last):\n  File "own.py", line 3, in build')
    assert text.rstrip().endswith("ZeroDivisionError: division by zero")


def test_a_script_may_run_networks_again_once_it_was_loaded(write):
    assert check(write(RUNS)) == 2
    ns.simulate(ns.Network("a", dt="1 ms"), "1 ms", backend="reference", progress=False)


def test_json_has_every_row_and_all_prints_them_one_by_one(write, capsys):
    path = write(
        BUILD + "net = build()\nnet.population('twin', 3, net.populations['leaking'].cell)"
    )
    assert check(path, "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert data["counts"] == {"exact": 3, "approximated": 0, "impossible": 0}
    assert [row["place"] for row in data["rows"]][1:] == [
        "population 'leaking'",
        "population 'twin'",
    ]
    assert check(path) == 0
    assert "2 populations ('leaking' and 'twin'): v: exact." in capsys.readouterr().out
    assert check(path, "--all") == 0
    assert "population 'twin': v: exact." in capsys.readouterr().out


@pytest.mark.parametrize(
    "name", ["cuba", "coba", "izhikevich-2003", "polychronous", "firing-pattern"]
)
def test_networks_of_the_library_are_checked_by_name(name, capsys):
    assert main(["check", name]) == 0
    assert " exact" in capsys.readouterr().out


def test_a_network_without_experiments_does_not_run(capsys):
    assert main(["run", "polychronous"]) == 2
    assert "found a network without experiments of its own" in capsys.readouterr().err


def test_an_unknown_firing_pattern_is_answered_with_the_known_ones(capsys):
    assert main(["check", "firing-pattern", "--set", "pattern=tonic spikin"]) == 2
    assert "Did you mean 'tonic spiking'" in capsys.readouterr().err


def test_a_script_is_exported_with_the_words_of_its_report(write, capsys):
    pytest.importorskip("sympy")
    cell = "from neurosim.models import cells\n"
    text = BUILD.replace("size, cell)", "size, cells.lif_exponential())")
    assert main(["export", write(cell + text) + ":build", "out", "--backend", "spinnaker"]) == 0
    assert "written: out/network.py" in capsys.readouterr().out
    assert main(["export", "own.py:build", "again", "--backend", "spinnaker", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["written"] == "again/network.py"
    assert data["rows"] == json.loads(Path("again/report.json").read_text())["rows"]


def test_an_exported_script_runs_the_time_that_was_asked_for(write):
    pytest.importorskip("sympy")
    cell = "from neurosim.models import cells\n"
    text = BUILD.replace("size, cell)", "size, cells.lif_exponential())")
    words = ["export", write(cell + text) + ":build", "out", "--backend", "nest"]
    assert main([*words, "--time", "325 ms"]) == 0
    script = Path("out/network.py").read_text()
    assert "325" in script and "1000" not in script


def test_a_model_exports_an_experiment_with_its_input(tmp_path, monkeypatch, capsys):
    pytest.importorskip("sympy")
    monkeypatch.chdir(tmp_path)
    assert main(["export", "ca3-memory", "out", "--backend", "spinnaker"]) == 0
    assert "SpikeSourceArray with 60 spikes" in capsys.readouterr().out
    assert main(["export", "ca3-memory", "small", "--set", "cues=2", "--backend", "nest"]) == 0
    assert "without spikes" not in capsys.readouterr().out


MODELS = [name for name in names() if isinstance(_load(name), Model)]


@pytest.mark.parametrize("name", MODELS)
def test_the_network_of_every_model_has_the_input_of_an_experiment(name):
    """Check, export and map take it: a network without input stays silent on a board."""
    net = source_of(name).build(seed=0)
    net.probes.clear()
    spiking = [p for p in net.populations.values() if p.cell.spike is not None]
    for population in spiking:
        net.record(population, "spikes")
    result = ns.simulate(net, 60 * net.dt, backend="cpu", progress=False)
    assert spiking and any(len(result[p.name].spikes) for p in spiking)
