"""How the processes of a sweep get functions: by module, by script, and what cannot be sent."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

import pytest
from support.sweep_functions import build, count

import neurosim as ns
from neurosim.sweeps.functions import digest, load, refer

HEAD = """
import neurosim as ns
from dataclasses import dataclass

@dataclass
class Size:
    neurons: int

def build(rate, seed):
    net = ns.Network("sources", dt="1 ms", seed=seed)
    net.record(net.poisson("e", Size(3).neurons, rate=f"{rate} Hz"), "spikes")
    return net

def measure(result):
    return {"spikes": len(result["e"].spikes)}
"""
CALL = """ns.sweep(build, {"rate": [50, 80]}, seeds=range(2), time="200 ms", measure=measure,
    folder="out", backend="reference", workers=2)
"""
NUMBERS = """print(table["spikes"].tolist())
"""


def python(script: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *words, script.name]
    return subprocess.run(command, cwd=script.parent, capture_output=True, text=True, timeout=120)


@pytest.mark.process
@pytest.mark.parametrize(
    "end",
    [
        f"table = {CALL}{NUMBERS}",
        f"if __name__ == '__main__':\n    table = {CALL}    {NUMBERS}",
        f"def main():\n    table = {CALL}    {NUMBERS}\nmain()",
    ],
    ids=["bare", "guarded", "in a function"],
)
@pytest.mark.parametrize("words", [(), ("-m", "neurosim", "run")], ids=["python", "neurosim run"])
def test_functions_of_a_script_run_in_processes(tmp_path, end, words):
    script = tmp_path / "script.py"
    script.write_text(f"{HEAD}\nprint('begin')\n{end}")
    done = python(script, *words)
    assert done.returncode == 0, done.stderr
    # Lines before the call are executed in each process, those after it in the first alone.
    numbers = done.stdout.removeprefix("begin\n")
    assert len(numbers.splitlines()) == 1 and numbers.startswith("[[")


@pytest.mark.process
def test_functions_of_a_module_beside_the_script_are_imported(tmp_path):
    (tmp_path / "mine.py").write_text(HEAD)
    script = tmp_path / "script.py"
    script.write_text(f"import neurosim as ns\nfrom mine import *\ntable = {CALL}{NUMBERS}")
    done = python(script)
    assert done.returncode == 0, done.stderr


@pytest.mark.process
def test_a_function_below_the_call_is_named(tmp_path):
    script = tmp_path / "script.py"
    later = "if __name__ == '__main__':\n    def build(rate, seed): ...\n"
    script.write_text(f"{HEAD.replace('def build', 'def other')}\n{later}    table = {CALL}")
    done = python(script)
    assert done.returncode == 1
    assert "found no function 'build' in" in done.stderr
    assert "above the first call of ns.sweep, expected it there" in done.stderr


def sweep(folder, function, measure=count, **options) -> ns.SweepTable:
    arguments = {"time": "20 ms", "backend": "reference", **options}
    return ns.sweep(function, {"size": [2]}, measure=measure, folder=folder, **arguments)


def test_a_function_within_a_function_runs_here_or_is_refused(tmp_path):
    def inside(size, seed):
        return build(50, size, seed)

    message = (
        "sweep, build: found inside, which is not defined at the top of a file, expected one that "
        "other processes can import. Put it at the top of a .py file"
    )
    with pytest.warns(UserWarning, match=f"{message}.* All jobs run in this process now"):
        assert not sweep(tmp_path / "out", inside).failed
    with pytest.raises(ns.NetworkError, match=message):
        sweep(tmp_path / "refused", inside, workers=2)
    assert not (tmp_path / "refused").exists()


def test_a_function_of_a_notebook_gets_a_clear_answer(tmp_path, monkeypatch):
    notebook = type(sys)("__main__")
    exec(
        "def build(size, seed):\n    from support import sweep_functions\n"
        "    return sweep_functions.build(50, size, seed)",
        vars(notebook),
    )
    monkeypatch.setitem(sys.modules, "__main__", notebook)
    message = "found build, which was typed into a notebook or a prompt.* or give workers=0"
    with pytest.raises(ns.NetworkError, match=message):
        sweep(tmp_path, notebook.build, workers=1)
    assert not sweep(tmp_path, notebook.build, workers=0).failed


def test_a_backend_that_is_no_name_runs_here_or_is_refused(tmp_path):
    from neurosim.backend.discovery import find

    function = functools.partial(build, 50)
    with pytest.raises(ns.NetworkError, match="found a partial, which is not defined at"):
        sweep(tmp_path, function, workers=1)
    with pytest.raises(ns.NetworkError, match="backend: found .*, expected the name of one"):
        sweep(tmp_path, fifty, backend=find("reference"), workers=1)


def fifty(size, seed):
    return build(50, size, seed)


def test_a_reference_finds_its_function_again():
    assert load(refer(count, "measure")) is count


def test_the_digest_of_a_function_follows_its_source(tmp_path):
    file = tmp_path / "measures.py"
    digests = []
    for text in ("return 1", "return 2", "return 1"):
        file.write_text(f"def measure(result):\n    {text}\n")
        names = {}
        exec(compile(file.read_text(), str(file), "exec"), names)
        digests.append(digest(names["measure"]))
    assert digests[0] == digests[2] != digests[1]
    assert digest(functools.partial(count, a=1)) != digest(functools.partial(count, a=2))
    prompt = {}
    exec("def first(x): return x + 1\ndef second(x): return x + 2", prompt)
    assert digest(prompt["first"]) != digest(prompt["second"])
