"""The command line: every command, what it prints, and the code with which it ends."""

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
from importlib.metadata import EntryPoint, version
from pathlib import Path

import numpy as np
import pytest

import neurosim as ns
from neurosim.cli import catalogue, doctor, verification
from neurosim.cli.main import main
from neurosim.compiled.cores import cores
from neurosim.errors import describe_unknown

DEFAULTS = {"size": 3, "gain": 1.5, "label": "plain", "feedback": True, "levels": (0.1, 0.2)}


def network(*, seed: int, size: int = 3, refused: bool = False, **_: object) -> ns.Network:
    net = ns.Network("tiny", dt="1 ms", seed=seed)
    net.population(
        "cells",
        size,
        ns.Cell("v : 1", receives={"v": ns.Port("1", into="v")}, spike="v > 1", step="v = v"),
    )
    if refused:
        exact = ns.Cell("dv/dt = -v / tau : 1", parameters={"tau": "1 ms"}, method="exact")
        net.population("varying", 1, exact, tau=ns.table([1.0, 2.0], every="1 ms"))
    return net


def demonstrate(
    *, seed: int, backend: str, out: Path, progress: bool, **settings: object
) -> list[dict]:
    (out / "results.json").write_text(
        json.dumps({"seed": seed, "backend": str(backend), **settings})
    )
    return [
        {"quantity": "rate", "measured": 7.25, "expected": "5 to 10 Hz", "pass": True},
        {
            "quantity": "error",
            "measured": {"first": 0.91234567},
            "expected": "below 0.5",
            "pass": False,
        },
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


def ends(process: int, *, seconds: float) -> bool:
    """Return whether a process ends in time."""
    latest = time.monotonic() + seconds
    while time.monotonic() < latest:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def check(identity: str, judge, needs: tuple[str, ...] = ("square",)) -> catalogue.Check:
    return catalogue.Check(identity, "as published", needs, judge)


def model(**changes: object) -> catalogue.Model:
    experiments = {"square": square, "broken": broken}
    parts = {
        "settings": DEFAULTS,
        "network": network,
        "demonstrate": demonstrate,
        "experiments": experiments,
        **changes,
    }
    return catalogue.Model("tiny", "three cells", **parts)


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """Offer one model named tiny, with these checks, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def offer(**changes: object) -> catalogue.Model:
        offered = model(**changes)

        def find(name: str) -> catalogue.Model:
            if name == offered.name:
                return offered
            raise ns.NetworkError(describe_unknown("model", name, [offered.name]))

        monkeypatch.setattr(catalogue, "find", find)
        return offered

    return offer


def test_help_shows_every_command_and_every_exit_code(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    printed = capsys.readouterr().out
    assert end.value.code == 0
    for command in ("list", "run", "check", "verify", "doctor"):
        assert f"\n    {command} " in printed
    for code in (
        "0 done",
        "1 a verification or a job of a sweep failed",
        "2 bad input",
        "3 a backend refuses",
        "4 a value",
        "130 interrupted",
    ):
        assert code in printed


@pytest.mark.process
def test_python_m_neurosim_is_the_same_command():
    done = subprocess.run(
        [sys.executable, "-m", "neurosim", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"neurosim {version('neurosim-snn')}\n"


@pytest.mark.parametrize(
    "arguments",
    [[], ["fly"], ["run"], ["run", "tiny", "--seed", "-1"], ["check", "tiny", "--frobnicate"]],
)
def test_wrong_usage_ends_with_code_2(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "usage: neurosim" in capsys.readouterr().err


def test_list_names_models_and_backends_and_says_which_cannot_be_loaded(monkeypatch, capsys):
    entries = {
        "neurosim.models": [EntryPoint("gone", "no_such_module:model", "neurosim.models")],
        "neurosim.backends": [
            EntryPoint("reference", "neurosim.backends.reference:backend", "neurosim.backends")
        ],
    }
    monkeypatch.setattr(doctor, "entry_points", lambda group: entries[group])
    assert main(["list"]) == 0
    printed = capsys.readouterr().out
    assert "gone" in printed and "cannot be loaded: No module named 'no_such_module'" in printed
    assert "reference" in printed and "installed" in printed


def test_run_gives_the_model_its_settings_and_prints_the_table_and_the_files_left(tiny, capsys):
    tiny()
    changes = ["--set", "gain=2", "--set", "feedback=false", "--set", "levels=0.3,0.4"]
    assert main(["run", "tiny", "--seed", "4", "--backend", "reference", *changes]) == 0
    left = Path("out/tiny/results.json")
    assert json.loads(left.read_text()) == {
        "seed": 4,
        "backend": "reference",
        "gain": 2.0,
        "feedback": False,
        "levels": [0.3, 0.4],
    }
    printed = capsys.readouterr().out
    assert "tiny on reference, seed 4" in printed and str(left) in printed
    assert "rate      7.25" in printed and "pass" in printed
    assert "first 0.9123" in printed and "MISS" in printed


def test_run_names_only_the_files_of_this_run(tiny, capsys):
    tiny()
    Path("elsewhere").mkdir()
    Path("elsewhere/old.txt").touch()
    os.utime("elsewhere/old.txt", (1, 1))
    assert main(["run", "tiny", "--backend", "reference", "--out", "elsewhere"]) == 0
    printed = capsys.readouterr().out
    assert "results.json" in printed and "old.txt" not in printed


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "gian=2",
            r"model 'tiny' has no setting 'gian'\. Did you mean 'gain'\? The settings are: "
            r"feedback, gain, label, levels, size\.",
        ),
        (
            "gain",
            r"--set gain: found no '=', expected name=value\. Write it such as --set size=1\.",
        ),
        (
            "size=2.5",
            r"--set size: found '2.5', expected a value of the kind of its default, 3\. "
            r"Correct it\.",
        ),
        (
            "feedback=1",
            r"--set feedback: found '1', expected a value of the kind of its default, True\.",
        ),
        ("gain=__import__('os')", r"expected a value of the kind of its default, 1.5"),
    ],
)
def test_a_wrong_setting_is_refused_with_what_is_expected(tiny, capsys, setting, message):
    tiny()
    assert main(["run", "tiny", "--backend", "reference", "--set", setting]) == 2
    printed = capsys.readouterr().err
    assert re.search("NetworkError: .*" + message, printed) and "Traceback" not in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "tinny"], "there is no model 'tinny'. Did you mean 'tiny'?"),
        (
            ["check", "tiny", "--backend", "referense"],
            "there is no backend 'referense'. Did you mean 'reference'?",
        ),
        (
            ["verify", "tiny", "--backend", "reference", "--checks", "B1,C2"],
            "model 'tiny' has no check 'C2'. The checks are: B1, B2.",
        ),
        (["run", "absent.py"], "run absent.py: there is no such file"),
        (
            ["run", "--seed", "3", "absent.py"],
            "run absent.py: found options before the script, expected none",
        ),
        (
            ["run", "tiny", "--backend", "reference", "--out", "file/below"],
            "cannot be made (Not a directory), expected a place to write to",
        ),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest_and_code_2(tiny, capsys, arguments, message):
    tiny(checks=(check("B1", lambda r: (1, True)), check("B2", lambda r: (1, True))))
    Path("file").touch()
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_check_prints_the_report_and_says_by_its_code_whether_the_backend_refuses(tiny, capsys):
    tiny(settings={"refused": False})
    assert main(["check", "tiny", "--backend", "reference"]) == 0
    assert "population 'cells'" in capsys.readouterr().out
    assert main(["check", "tiny", "--backend", "reference", "--set", "refused=true"]) == 3
    assert "impossible" in capsys.readouterr().out


@pytest.mark.process
def test_verify_judges_and_writes_every_check_and_a_miss_is_code_1(tiny, capsys):
    tiny(
        checks=(
            check(
                "B1",
                lambda r: (
                    {"sum": r["square"]["squares"].sum(), "on": r["square"]["backend"]},
                    True,
                ),
            ),
            check("B2", lambda r: (math.nan, False)),
            check("B3", lambda r: 1 / 0),
            check("B4", lambda r: (0, True), needs=("broken",)),
            check("B5", lambda r: (np.float64(0.5), np.bool_(True))),
        )
    )
    assert (
        main(["verify", "tiny", "--backend", "reference", "--json", "deep/down/checks.json"]) == 1
    )
    rows = json.loads(Path("deep/down/checks.json").read_text(), parse_constant=pytest.fail)
    assert [set(row) for row in rows] == [{"id", "measured", "expected", "pass"}] * 5
    assert [(row["id"], row["measured"], row["pass"]) for row in rows] == [
        ("B1", {"sum": 14, "on": "reference"}, True),
        ("B2", "nan", False),
        ("B3", "raised ZeroDivisionError: division by zero", False),
        ("B4", "experiment 'broken' raised NetworkError: the experiment has no electrodes", False),
        ("B5", 0.5, True),
    ]
    printed = capsys.readouterr().out
    assert "2 of 5 checks passed" in printed and "no electrodes" in printed


@pytest.mark.process
def test_verify_runs_only_what_the_chosen_checks_need(tiny, capsys):
    tiny(
        checks=(
            check("B1", lambda r: (list(r), True)),
            check("B2", lambda r: (0, True), needs=("broken",)),
        )
    )
    assert main(["verify", "tiny", "--backend", "reference", "--checks", "B1"]) == 0
    assert "1 of 1 checks passed" in capsys.readouterr().out
    assert main(["verify", "tiny", "--backend", "reference", "--checks", "B2,B1"]) == 1


def test_verify_without_checks_or_with_an_unknown_experiment_is_refused(tiny):
    with pytest.raises(
        ns.NetworkError,
        match="'tiny': found no acceptance checks, expected .* Run it instead: neurosim run tiny",
    ):
        verification.verify(tiny())
    with pytest.raises(
        ns.NetworkError, match="model 'tiny' has no experiment 'sqare'. Did you mean 'square'?"
    ):
        verification.verify(tiny(checks=(check("B1", lambda r: (0, True), needs=("sqare",)),)))


@pytest.mark.skipif(cores() < 2, reason="needs two cores")
@pytest.mark.process
def test_experiments_run_side_by_side(tmp_path):
    pair = {
        "a": partial(meet, folder=tmp_path, me="a", other="b"),
        "b": partial(meet, folder=tmp_path, me="b", other="a"),
    }
    paired = model(
        experiments=pair, checks=(check("B1", lambda r: (r, r["a"] and r["b"]), needs=("a", "b")),)
    )
    assert verification.verify(paired, backend="reference", progress=False)[0]["pass"]


@pytest.mark.process
def test_processes_of_experiments_do_linear_algebra_with_one_thread(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "5")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    threaded = model(
        experiments={"threads": threads},
        checks=(check("B1", lambda r: (r["threads"], True), needs=("threads",)),),
    )
    assert verification.verify(threaded, backend="reference", progress=False)[0]["measured"] == "1"
    assert os.environ["OPENBLAS_NUM_THREADS"] == "5" and "MKL_NUM_THREADS" not in os.environ


@pytest.mark.process
@pytest.mark.parametrize(("word", "code"), [("SIGINT", 130), ("SIGKILL", -9)])
def test_a_verify_that_is_interrupted_or_killed_ends_its_experiments(tmp_path, word, code):
    """The experiments would take ten minutes each."""
    text = f"""
        import functools, os, signal, sys, threading, time
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pathlib import Path
        import test_command_line as t
        from neurosim.cli import catalogue, verification
        from neurosim.cli.main import main

        if __name__ == "__main__":
            folder = Path({str(tmp_path)!r})
            checks = (t.check("B1", lambda r: (0, True), needs=("endless",)),)
            experiments = {{"endless": functools.partial(t.endless, folder=folder)}}
            catalogue.find = lambda name: t.model(experiments=experiments, checks=checks)

            def press():
                while not list(folder.glob("[0-9]*")):
                    time.sleep(0.05)
                os.kill(os.getpid(), signal.{word})

            threading.Thread(target=press).start()
            sys.exit(main(["verify", "tiny", "--backend", "reference"]))
        """
    path = tmp_path / "press.py"
    path.write_text(textwrap.dedent(text))
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=100)
    assert done.returncode == code, done.stderr
    (worker,) = tmp_path.glob("[0-9]*")
    assert ends(int(worker.name), seconds=30)


def test_options_of_a_backend_can_be_given_to_check_and_to_map(tiny, capsys):
    tiny()
    assert main(["check", "tiny", "--backend", "cpu", "--option", "threads=1"]) == 0
    capsys.readouterr()
    for backend in ("cpu", "reference"):
        assert main(["check", "tiny", "--backend", backend, "--option", "thread=1"]) == 2
        assert f"backend '{backend}' has no option 'thread'." in capsys.readouterr().err
    assert main(["check", "tiny", "--option", "threads"]) == 2
    assert (
        "--option threads: found no 'name=', expected name=value. "
        "Write it such as --option threads=2." in capsys.readouterr().err
    )
    # Brackets of Python that are no literal stay text.
    assert main(["check", "tiny", "--option", "threads={[1]: 2}"]) == 2
    assert "threads: found '{[1]: 2}'" in capsys.readouterr().err


def test_map_hands_its_options_to_the_backend(tiny, capsys):
    tiny()
    assert main(["map", "tiny", "--backend", "spinnaker", "--option", "boards=2"]) == 2
    assert "backend 'spinnaker' has no option 'boards'" in capsys.readouterr().err


@pytest.mark.process
def test_a_reader_that_has_seen_enough_ends_the_command_quietly():
    """As in ``neurosim check MODEL | head -1``."""
    words = [sys.executable, "-m", "neurosim", "check", "ca3-memory"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as done:
        assert done.stdout is not None and done.stderr is not None
        done.stdout.close()
        assert done.stderr.read() == ""
    assert done.returncode == 141
