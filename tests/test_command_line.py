"""The command line: what each command prints, what it leaves, and its exit codes."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import textwrap
import time
from functools import partial
from importlib.metadata import EntryPoint, PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pytest

import neurosim as ns
from neurosim import catalogue, doctor, verification
from neurosim.__main__ import main
from neurosim.columns import brief, columns
from neurosim.errors import unknown

DEFAULTS = {"size": 3, "gain": 1.5, "label": "plain", "feedback": True, "levels": (0.1, 0.2)}
LEAK = 'ns.Cell("dv/dt = -v / tau : 1", parameters={"tau": "10 ms"})'


def network(*, seed: int, size: int = 3, same_step: bool = False, **_: object) -> ns.Network:
    net = ns.Network("tiny", dt="1 ms", seed=seed)
    cells = net.population("cells", size, ns.Cell("v : 1", receives={"v": ns.Port("1", into="v")}, spike="v > 1", step="v = v"))
    if same_step:
        net.project(cells, cells, ns.one_to_one(), weight=1.0, same_step=True)
    return net


def demonstrate(*, seed: int, backend: str, out: Path, progress: bool, **settings: object) -> list[dict]:
    (out / "results.json").write_text(json.dumps({"seed": seed, "backend": backend, **settings}))
    return [
        {"quantity": "rate", "measured": 7.25, "expected": "5 to 10 Hz", "pass": True},
        {"quantity": "error", "measured": {"first": 0.91234567}, "expected": "below 0.5", "pass": False},
    ]


def square(backend: str) -> dict:
    return {"backend": backend, "squares": np.arange(4) ** 2}


def broken(backend: str) -> None:
    raise ns.NetworkError("the experiment has no electrodes")


def meet(backend: str, *, folder: Path, me: str, other: str) -> bool:
    """Wait until the other experiment runs as well."""
    (folder / me).touch()
    until = time.monotonic() + 60
    while not (folder / other).exists() and time.monotonic() < until:
        time.sleep(0.01)
    return (folder / other).exists()


def threads(backend: str) -> str:
    return os.environ.get("OPENBLAS_NUM_THREADS", "")


def endless(backend: str, *, folder: Path) -> None:
    (folder / str(os.getpid())).touch()
    time.sleep(600)


def check(identity: str, judge, needs: tuple[str, ...] = ("square",)) -> catalogue.Check:
    return catalogue.Check(identity, "as published", needs, judge)


def model(**changes: object) -> catalogue.Model:
    experiments = {"square": square, "broken": broken}
    given = {"settings": DEFAULTS, "network": network, "demonstrate": demonstrate, "experiments": experiments, **changes}
    return catalogue.Model("tiny", "three cells", **given)


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """Offer one model named tiny, with these checks, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def offer(**changes: object) -> catalogue.Model:
        made = model(**changes)

        def find(name: str) -> catalogue.Model:
            if name == made.name:
                return made
            raise ns.NetworkError(unknown("model", name, [made.name]))

        monkeypatch.setattr(catalogue, "find", find)
        return made

    return offer


def script(text: str) -> str:
    path = Path("script.py")
    path.write_text("import neurosim as ns\n" + text)
    return str(path)


def test_help_shows_every_command_and_every_exit_code(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    shown = capsys.readouterr().out
    assert end.value.code == 0
    for command in ("list", "run", "check", "verify", "doctor"):
        assert f"\n    {command} " in shown
    for code in ("0 done", "1 a verification failed", "2 bad input", "3 a backend refuses", "4 a value", "130 interrupted"):
        assert code in shown


def test_python_m_neurosim_is_the_same_command():
    done = subprocess.run([sys.executable, "-m", "neurosim", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"neurosim {version('neurosim')}\n"


@pytest.mark.parametrize("arguments", [[], ["fly"], ["run"], ["run", "tiny", "--seed", "-1"], ["check", "tiny", "--frobnicate"]])
def test_wrong_usage_ends_with_code_2(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "usage: neurosim" in capsys.readouterr().err


def test_list_names_models_and_backends_and_says_which_cannot_be_loaded(monkeypatch, capsys):
    entries = {"neurosim.models": [EntryPoint("gone", "no_such_module:model", "neurosim.models")],
               "neurosim.backends": [EntryPoint("reference", "neurosim.backends.reference:backend", "neurosim.backends")]}
    monkeypatch.setattr(doctor, "entry_points", lambda group: entries[group])
    assert main(["list"]) == 0
    shown = capsys.readouterr().out
    assert "gone" in shown and "cannot be loaded: No module named 'no_such_module'" in shown
    assert "reference" in shown and "installed" in shown


def test_run_gives_the_model_its_settings_and_prints_the_table_and_the_files_left(tiny, capsys):
    tiny()
    changes = ["--set", "gain=2", "--set", "feedback=false", "--set", "levels=0.3,0.4"]
    assert main(["run", "tiny", "--seed", "4", "--backend", "reference", *changes]) == 0
    left = Path("out/tiny/results.json")
    assert json.loads(left.read_text()) == {"seed": 4, "backend": "reference", "gain": 2.0, "feedback": False, "levels": [0.3, 0.4]}
    shown = capsys.readouterr().out
    assert "tiny on reference, seed 4" in shown and str(left) in shown
    assert "rate      7.25" in shown and "pass" in shown
    assert "first 0.9123" in shown and "MISS" in shown


def test_run_names_only_the_files_of_this_run(tiny, capsys):
    tiny()
    Path("elsewhere").mkdir()
    Path("elsewhere/old.txt").touch()
    os.utime("elsewhere/old.txt", (1, 1))
    assert main(["run", "tiny", "--backend", "reference", "--out", "elsewhere"]) == 0
    shown = capsys.readouterr().out
    assert "results.json" in shown and "old.txt" not in shown


@pytest.mark.parametrize(("given", "message"), [
    ("gian=2", r"model 'tiny' has no setting 'gian'\. Did you mean 'gain'\? The settings are: feedback, gain, label, levels, size\."),
    ("gain", r"--set gain: found no '=', expected name=value\. Write it such as --set size=1\."),
    ("size=2.5", r"--set size: found '2.5', expected a value of the kind of its default, 3\. Correct it\."),
    ("feedback=1", r"--set feedback: found '1', expected a value of the kind of its default, True\."),
    ("gain=__import__('os')", r"expected a value of the kind of its default, 1.5"),
])
def test_a_wrong_setting_is_refused_with_what_is_expected(tiny, capsys, given, message):
    tiny()
    assert main(["run", "tiny", "--backend", "reference", "--set", given]) == 2
    shown = capsys.readouterr().err
    assert re.search("NetworkError: .*" + message, shown) and "Traceback" not in shown


@pytest.mark.parametrize(("arguments", "message"), [
    (["run", "tinny"], "there is no model 'tinny'. Did you mean 'tiny'?"),
    (["check", "tiny", "--backend", "referense"], "there is no backend 'referense'. Did you mean 'reference'?"),
    (["verify", "tiny", "--backend", "reference", "--checks", "B1,C2"], "model 'tiny' has no check 'C2'. The checks are: B1, B2."),
    (["run", "absent.py"], "run absent.py: there is no such file"),
    (["run", "--seed", "3", "absent.py"], "run absent.py: found options before the script, expected none"),
    (["run", "tiny", "--backend", "reference", "--out", "file/below"], "cannot be made (Not a directory), expected a place to write to"),
])
def test_an_unknown_name_is_answered_with_the_nearest_and_code_2(tiny, capsys, arguments, message):
    tiny(checks=(check("B1", lambda r: (1, True)), check("B2", lambda r: (1, True))))
    Path("file").touch()
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_check_prints_the_report_and_says_by_its_code_whether_the_backend_refuses(tiny, capsys):
    tiny(settings={"same_step": False})
    assert main(["check", "tiny", "--backend", "reference"]) == 0
    assert "population 'cells'" in capsys.readouterr().out
    assert main(["check", "tiny", "--backend", "reference", "--set", "same_step=true"]) == 3
    assert "impossible" in capsys.readouterr().out


def test_verify_judges_and_writes_every_check_and_a_miss_is_code_1(tiny, capsys):
    tiny(checks=(
        check("B1", lambda r: ({"sum": r["square"]["squares"].sum(), "on": r["square"]["backend"]}, True)),
        check("B2", lambda r: (math.nan, False)),
        check("B3", lambda r: 1 / 0),
        check("B4", lambda r: (0, True), needs=("broken",)),
        check("B5", lambda r: (np.float64(0.5), np.bool_(True)))))
    assert main(["verify", "tiny", "--backend", "reference", "--json", "deep/down/checks.json"]) == 1
    rows = json.loads(Path("deep/down/checks.json").read_text(), parse_constant=pytest.fail)
    assert [set(row) for row in rows] == [{"id", "measured", "expected", "pass"}] * 5
    assert [(row["id"], row["measured"], row["pass"]) for row in rows] == [
        ("B1", {"sum": 14, "on": "reference"}, True), ("B2", "nan", False),
        ("B3", "raised ZeroDivisionError: division by zero", False),
        ("B4", "experiment 'broken' raised NetworkError: the experiment has no electrodes", False), ("B5", 0.5, True)]
    shown = capsys.readouterr().out
    assert "2 of 5 checks passed" in shown and "no electrodes" in shown


def test_verify_runs_only_what_the_chosen_checks_need(tiny, capsys):
    tiny(checks=(check("B1", lambda r: (list(r), True)), check("B2", lambda r: (0, True), needs=("broken",))))
    assert main(["verify", "tiny", "--backend", "reference", "--checks", "B1"]) == 0
    assert "1 of 1 checks passed" in capsys.readouterr().out
    assert main(["verify", "tiny", "--backend", "reference", "--checks", "B2,B1"]) == 1


def test_verify_without_checks_or_with_an_unknown_experiment_is_refused(tiny):
    with pytest.raises(ns.NetworkError, match="'tiny': found no acceptance checks, expected .* Run it instead: neurosim run tiny"):
        verification.verify(tiny())
    with pytest.raises(ns.NetworkError, match="model 'tiny' has no experiment 'sqare'. Did you mean 'square'?"):
        verification.verify(tiny(checks=(check("B1", lambda r: (0, True), needs=("sqare",)),)))


@pytest.mark.skipif(verification.cores() < 2, reason="needs two cores")
def test_experiments_run_side_by_side(tmp_path):
    pair = {"a": partial(meet, folder=tmp_path, me="a", other="b"), "b": partial(meet, folder=tmp_path, me="b", other="a")}
    made = model(experiments=pair, checks=(check("B1", lambda r: (r, r["a"] and r["b"]), needs=("a", "b")),))
    assert verification.verify(made, backend="reference", progress=False)[0]["pass"]


def test_processes_of_experiments_do_linear_algebra_with_one_thread(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "5")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    made = model(experiments={"threads": threads}, checks=(check("B1", lambda r: (r["threads"], True), needs=("threads",)),))
    assert verification.verify(made, backend="reference", progress=False)[0]["measured"] == "1"
    assert os.environ["OPENBLAS_NUM_THREADS"] == "5" and "MKL_NUM_THREADS" not in os.environ


def test_ctrl_c_during_verify_ends_the_experiments(tmp_path):
    """The experiments would take ten minutes each."""
    text = f"""
        import functools, os, signal, sys, threading, time
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pathlib import Path
        import test_command_line as t
        from neurosim import catalogue, verification
        from neurosim.__main__ import main

        if __name__ == "__main__":
            folder = Path({str(tmp_path)!r})
            checks = (t.check("B1", lambda r: (0, True), needs=("endless",)),)
            catalogue.find = lambda name: t.model(experiments={{"endless": functools.partial(t.endless, folder=folder)}}, checks=checks)

            def press():
                while not list(folder.glob("[0-9]*")):
                    time.sleep(0.05)
                os.kill(os.getpid(), signal.SIGINT)

            threading.Thread(target=press).start()
            sys.exit(main(["verify", "tiny", "--backend", "reference"]))
        """
    path = tmp_path / "press.py"
    path.write_text(textwrap.dedent(text))
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=100)
    assert done.returncode == 130, done.stderr
    (worker,) = tmp_path.glob("[0-9]*")
    with pytest.raises(ProcessLookupError):
        os.kill(int(worker.name), 0)


NET = 'net = ns.Network("n", dt="1 ms")\n'
UNKNOWN_NAME = '\nns.Cell("dv/dt = -v / tua : 1", parameters={"tau": "10 ms"})'
NO_NEURONS = NET + 'net.population("p", 0, ns.Cell("v : 1"))'
REFUSED = NET + '''
p = net.population("p", 1, ns.Cell("v : 1", receives={"v": ns.Port("1", into="v")}, spike="v > 1", step="v = v"))
net.project(p, p, ns.one_to_one(), weight=1.0, same_step=True)
ns.simulate(net, "1 ms", backend="reference")
'''
INFINITE = NET + 'net.population("p", 1, ns.Cell("v : 1", step="v = 1e300 * (v + 1)"))\nns.simulate(net, "9 ms", backend="reference")'


@pytest.mark.parametrize(("text", "code", "message"), [
    ("print('done')", 0, ""),
    (UNKNOWN_NAME, 2, "Did you mean 'tau'?"),
    (NO_NEURONS, 2, "NetworkError: population 'p', size: found 0"),
    (REFUSED, 3, "LoweringError: backend 'reference' cannot run"),
    (INFINITE, 4, "SimulationError: population 'p', neuron 0: v is inf"),
    ("raise KeyboardInterrupt", 130, "interrupted"),
])
@pytest.mark.filterwarnings("ignore:overflow")
def test_a_script_ends_with_the_exit_code_of_its_error(monkeypatch, tmp_path, capsys, text, code, message):
    monkeypatch.chdir(tmp_path)
    assert main(["run", script(text)]) == code
    shown = capsys.readouterr().err
    assert message in shown and "Traceback" not in shown


def test_an_error_in_a_script_names_its_line_and_with_traceback_the_way_to_it(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    path = script("\ndef build():\n    ns.Network('n', dt='0 ms')\n\nbuild()\n")
    assert main(["run", path]) == 2
    assert capsys.readouterr().err.endswith("at script.py, line 4\n")
    assert main(["run", "--traceback", path]) == 2
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_a_script_runs_as_main_with_its_own_arguments_and_folder(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    Path("inside").mkdir()
    Path("inside/beside.py").write_text("answer = 42")
    Path("inside/script.py").write_text("import sys, beside\nprint(__name__, sys.argv, beside.answer)\nsys.exit(7)")
    before = sys.argv, list(sys.path)
    with pytest.raises(SystemExit) as end:
        main(["run", "inside/script.py", "--seed", "other.py"])
    assert end.value.code == 7
    assert capsys.readouterr().out == "__main__ ['inside/script.py', '--seed', 'other.py'] 42\n"
    assert (sys.argv, sys.path) == before


def test_a_mistake_of_python_in_a_script_keeps_its_traceback(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ZeroDivisionError):
        main(["run", script("1 / 0")])


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
    done = subprocess.run([sys.executable, "-m", "neurosim", "run", str(path)], capture_output=True, text=True, timeout=60)
    assert done.stdout == "finished False after some True\n"
    assert done.returncode == 130


def test_doctor_shows_versions_and_the_command_for_what_is_missing(monkeypatch, capsys):
    def without_pint(name: str) -> str:
        if name == "pint":
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(doctor, "version", without_pint)
    assert main(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert version("numpy") in shown and "reference" in shown
    needs = next(p.needs for p in doctor.packages() if p.name == "pint")
    assert f"to install what core needs: {sys.executable} -m pip install 'pint{needs}'" in shown


def test_doctor_reads_extras_from_the_package_itself():
    assert ("test", "pytest") in {(p.feature, p.name) for p in doctor.packages()}
    assert ("core", "numpy") in {(p.feature, p.name) for p in doctor.packages()}


def test_doctor_says_how_much_compiled_code_is_kept_and_clears_it(monkeypatch, tmp_path, capsys):
    (tmp_path / "compiling").mkdir()
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels/one.bin").write_bytes(bytes(2_500_000))
    (tmp_path / "compiling/__init__.py").write_text("class backend:\n    summary = 'compiles'\n    missing = staticmethod(lambda: None)\n")
    (tmp_path / "compiling/cache.py").write_text(
        f"from pathlib import Path\ndef folder():\n    return Path({str(tmp_path / 'kernels')!r})\n"
        "def clear():\n    found = list(folder().iterdir())\n    [f.unlink() for f in found]\n    return len(found)\n")
    monkeypatch.syspath_prepend(tmp_path)
    entries = [EntryPoint("compiling", "compiling:backend", "neurosim.backends"),
               EntryPoint("absent", "no_such_module:backend", "neurosim.backends"),
               EntryPoint("reference", "neurosim.backends.reference:backend", "neurosim.backends")]
    monkeypatch.setattr(doctor, "entry_points", lambda group: entries)
    assert main(["doctor"]) == 0
    assert f"compiled code of compiling: 1 files, 2.5 MB in {tmp_path / 'kernels'}" in capsys.readouterr().out
    assert main(["doctor", "--clear-cache"]) == 0
    assert "compiled code of compiling: removed 1 files" in capsys.readouterr().out
    assert not list((tmp_path / "kernels").iterdir())


def test_columns_are_wrapped_to_the_width_and_lose_no_word():
    rows = [("id", "measured"), ("B1", "a long sentence that does not fit")]
    lines = columns(rows, width=22).splitlines()
    assert max(map(len, lines)) <= 22
    assert " ".join(columns(rows, width=22).split()) == "id measured B1 a long sentence that does not fit"
    assert columns(rows, width=80).splitlines()[1] == "B1  a long sentence that does not fit"


@pytest.mark.parametrize(("value", "shown"), [
    (0.123456, "0.1235"), (True, "yes"), (None, "-"), (12345678, "12345678"), ([1, 0.5], "[1, 0.5]"),
    ({"r": 0.97812, "n": [True]}, "r 0.9781, n [yes]"),
])
def test_values_are_shown_in_brief(value, shown):
    assert brief(value) == shown
