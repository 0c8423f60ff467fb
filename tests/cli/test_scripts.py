"""Scripts run from the command line: the line of an error, its exit code, and Ctrl-C."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from neurosim.cli.main import main

LEAK = 'ns.Cell("dv/dt = -v / tau : 1", parameters={"tau": "10 ms"})'


def script(text: str) -> str:
    path = Path("script.py")
    path.write_text("import neurosim as ns\n" + text)
    return str(path)


NET = 'net = ns.Network("n", dt="1 ms")\n'
UNKNOWN_NAME = '\nns.Cell("dv/dt = -v / tua : 1", parameters={"tau": "10 ms"})'
NO_NEURONS = NET + 'net.population("p", 0, ns.Cell("v : 1"))'
REFUSED = (
    NET
    + """
cell = ns.Cell("dv/dt = -v / tau : 1", parameters={"tau": "1 ms"}, method="exact")
net.population("p", 1, cell, tau=ns.table([1.0, 2.0], every="1 ms"))
ns.simulate(net, "1 ms", backend="reference")
"""
)
INFINITE = NET + (
    'net.population("p", 1, ns.Cell("v : 1", step="v = 1e300 * (v + 1)"))\nns.simulate(net, "9 '
    'ms", backend="reference")'
)


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("print('done')", 0, ""),
        (UNKNOWN_NAME, 2, "Did you mean 'tau'?"),
        (NO_NEURONS, 2, "NetworkError: population 'p', size: found 0"),
        (REFUSED, 3, "LoweringError: backend 'reference' cannot run"),
        (INFINITE, 4, "SimulationError: population 'p', neuron 0: v is inf"),
        ("raise KeyboardInterrupt", 130, "interrupted"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow")
def test_a_script_ends_with_the_exit_code_of_its_error(
    monkeypatch, tmp_path, capsys, text, code, message
):
    monkeypatch.chdir(tmp_path)
    assert main(["run", script(text)]) == code
    printed = capsys.readouterr().err
    assert message in printed and "Traceback" not in printed


def test_an_error_in_a_script_names_its_line_and_with_traceback_the_way_to_it(
    monkeypatch, tmp_path, capsys
):
    monkeypatch.chdir(tmp_path)
    path = script("\ndef build():\n    ns.Network('n', dt='0 ms')\n\nbuild()\n")
    assert main(["run", path]) == 2
    assert capsys.readouterr().err.endswith("at script.py, line 4\n")
    assert main(["run", f"./{path}"]) == 2
    assert capsys.readouterr().err.endswith("at ./script.py, line 4\n")
    assert main(["run", "--traceback", path]) == 2
    assert capsys.readouterr().err.startswith(
        'Traceback (most recent call last):\n  File "script.py", line 6, in <module>\n'
    )


def test_a_script_runs_as_main_with_its_own_arguments_and_folder(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    Path("inside").mkdir()
    Path("inside/beside.py").write_text("answer = 42")
    Path("inside/script.py").write_text(
        "import sys, beside\nprint(__name__, sys.argv, beside.answer)\nsys.exit(7)"
    )
    before = sys.argv, list(sys.path)
    with pytest.raises(SystemExit) as end:
        main(["run", "inside/script.py", "--seed", "other.py"])
    assert end.value.code == 7
    assert capsys.readouterr().out == "__main__ ['inside/script.py', '--seed', 'other.py'] 42\n"
    assert (sys.argv, sys.path) == before


MISTAKES = {
    "inside a function": "\ndef work():\n    return 1 / 0\n\nwork()\n",
    "inside neurosim": "ns.Network()",
    "of syntax": "\nprint('begins'\n",
    "in a chain": (
        "try:\n    {}['a']\nexcept KeyError as error:\n    raise ValueError('no a') from error\n"
    ),
    "while another is handled": (
        "try:\n    ns.Network('n', dt='0 ms')\nexcept ns.NetworkError:\n    1 / 0\n"
    ),
    "shown by itself": (
        "import sys\nsys.excepthook = lambda kind, error, trace: "
        "print('own', kind.__name__, trace.tb_lineno, file=sys.stderr)\n1 / 0\n"
    ),
}


@pytest.mark.process
@pytest.mark.parametrize("text", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_of_python_in_a_script_is_shown_as_python_shows_it(monkeypatch, tmp_path, text):
    monkeypatch.chdir(tmp_path)
    path = str(Path(script(text)).resolve())
    ours, pythons = (
        subprocess.run([sys.executable, *words, path], capture_output=True, text=True, timeout=60)
        for words in (["-m", "neurosim", "run"], [])
    )
    assert (ours.returncode, ours.stdout, ours.stderr) == (
        pythons.returncode,
        pythons.stdout,
        pythons.stderr,
    )
    assert ours.returncode == 1 and ours.stderr


def test_a_mistake_in_neurosim_is_not_taken_for_one_of_a_script(monkeypatch):
    monkeypatch.setattr("neurosim.cli.doctor.models", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["list"])


@pytest.mark.process
def test_ctrl_c_that_ends_a_run_cleanly_still_ends_with_code_130(tmp_path):
    path = tmp_path / "long.py"
    path.write_text(f"""
import os, signal, threading
import neurosim as ns

def work():
    net = ns.Network("long", dt="1 ms")
    net.population("p", 1, {LEAK})
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    result = ns.simulate(net, "100000 s", backend="reference", progress=False)
    print("finished", result.header["finished"], "after some", result.duration > 0)

work()
""")
    done = subprocess.run(
        [sys.executable, "-m", "neurosim", "run", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "finished False after some True\n"
    assert done.returncode == 130
