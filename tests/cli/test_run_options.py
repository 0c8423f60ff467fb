"""Options of a backend, given to `neurosim run` on the command line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from neurosim.cli.main import main


def command(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "neurosim", *words], capture_output=True, text=True, cwd=folder
    )


@pytest.mark.process
def test_run_gives_the_options_to_the_backend_and_says_so(tmp_path):
    """A thread changes no bit, float32 does."""
    results = {}
    for name, options in (
        ("plain", []),
        ("one", ["threads=1"]),
        ("single", ["precision=float32", "threads=1"]),
    ):
        words = [word for value in options for word in ("--option", value)]
        done = command(
            "run",
            "prediction-reservoir",
            "--out",
            name,
            "--set",
            "size=40",
            "--set",
            "trials=2",
            "--set",
            "tests=1",
            *words,
            folder=tmp_path,
        )
        results[name] = json.loads((tmp_path / name / "results.json").read_text())
        assert done.returncode == 0 and results[name]["backend"] == ", ".join(["cpu", *options])
        assert done.stdout.startswith(
            f"prediction-reservoir on {results[name]['backend']}, seed 0\n"
        )
    assert results["plain"]["blocks"] == results["one"]["blocks"] != results["single"]["blocks"]


@pytest.mark.process
@pytest.mark.parametrize(
    ("option", "message"),
    [
        (
            "thread=1",
            "NetworkError: backend 'cpu' has no option 'thread'. "
            "Did you mean 'threads'? The options are: precision, replica, threads.",
        ),
        (
            "threads",
            "NetworkError: --option threads: found no 'name=', expected name=value. "
            "Write it such as --option threads=2.",
        ),
        (
            "precision=single",
            "NetworkError: backend 'cpu', precision: "
            "found 'single', expected 'float64' (equal to the reference) or 'float32'.",
        ),
    ],
)
def test_run_refuses_wrong_options_before_it_makes_a_folder(tmp_path, option, message):
    done = command("run", "ca3-memory", "--option", option, folder=tmp_path)
    assert done.returncode == 2 and done.stdout == "" and not any(tmp_path.iterdir())
    assert done.stderr.startswith(message) and "Traceback" not in done.stderr


def test_an_option_that_the_model_sets_itself_is_refused(tmp_path, capsys):
    """Each of its runs draws noise of its own."""
    assert (
        main(
            [
                "run",
                "prediction-reservoir",
                "--out",
                str(tmp_path),
                "--set",
                "size=40",
                "--option",
                "replica=9",
            ]
        )
        == 2
    )
    message = (
        r"backend 'cpu', option 'replica': found 9, expected none: "
        r"the model sets it, to \d\. Leave it out\."
    )
    assert re.search(message, capsys.readouterr().err)


def test_a_script_is_given_no_options_of_backends(tmp_path, capsys):
    (tmp_path / "script.py").write_text("import sys; print(sys.argv[1:])")
    assert main(["run", "--option", "threads=1", str(tmp_path / "script.py")]) == 2
    assert "found options before the script, expected none" in capsys.readouterr().err
    assert main(["run", str(tmp_path / "script.py"), "--option", "threads=1"]) == 0
    assert capsys.readouterr().out == "['--option', 'threads=1']\n"
