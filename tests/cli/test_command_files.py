"""Files that commands are given: what cannot be written, or is no script, is refused before the
work, with code 2 and no traceback.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from support.backends import ready

import neurosim as ns
from neurosim.cli import verification
from neurosim.cli.catalogue import find
from neurosim.cli.main import main

CLOSED = Path("/proc")  # takes no files, not even from root
closed = pytest.mark.skipif(not CLOSED.is_dir(), reason="needs a folder that takes no files")


@pytest.fixture
def recording(tmp_path, monkeypatch) -> str:
    """Return the name of a recording in the folder in which the test runs; ``folder`` and ``file``
    lie beside it.
    """
    monkeypatch.chdir(tmp_path)
    net = ns.Network("one", dt="1 ms")
    net.record(net.population("p", 2, ns.Cell("v : 1", step="v = v + 1", spike="v > 2")), "spikes")
    ns.simulate(net, "5 ms", backend="reference", progress=False).save("a.npz")
    Path("folder").mkdir()
    Path("file").touch()
    return "a.npz"


def refused(arguments: list[str], capsys) -> str:
    """Return what a command says that ends with code 2 and has done nothing."""
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        ("a.xyz", "picture a.xyz: found the ending '.xyz', expected one of avif, "),
        ("folder", "picture folder: found the ending '', expected one of "),
        (
            "file/a.png",
            "folder file: cannot be made (File exists), expected a place to write to. "
            "Choose another.",
        ),
    ],
)
@pytest.mark.parametrize("command", ["compare", "map"])
def test_a_picture_that_cannot_be_drawn_is_refused(recording, capsys, command, picture, message):
    words = ["compare", recording, recording] if command == "compare" else ["map", "ca3-memory"]
    assert f"NetworkError: {message}" in refused([*words, "--picture", picture], capsys)


def test_the_remedy_for_a_picture_is_one(recording, capsys):
    assert "Name it such as a.png." in refused(
        ["compare", recording, recording, "--picture", "a.xyz"], capsys
    )
    assert main(["compare", recording, recording, "--picture", "deep/a.png"]) == 0
    assert Path("deep/a.png").read_bytes()[:4] == b"\x89PNG"
    assert "written: deep/a.png" in capsys.readouterr().out


def test_a_folder_in_place_of_the_file_of_checks_is_refused(recording, capsys):
    message = (
        "NetworkError: file folder: found a folder, expected the name of a file. "
        "Add one, such as folder/results.json."
    )
    assert message in refused(
        ["verify", "ca3-memory", "--checks", "A13", "--json", "folder"], capsys
    )


@pytest.mark.parametrize(
    "words",
    [
        ["run", "ca3-memory", "--set", "cues=0", "--out", "new/deep"],
        ["run", "ca3-memory", "--set", "cues=0"],
        ["run", "ca3-memory", "--out", "new/" + 300 * "x"],
        ["verify", "ca3-memory", "--checks", "Z1", "--json", "new/deep/checks.json"],
        ["compare", "a.npz", "file", "--picture", "new/deep/a.png"],
        ["map", "ca3-memory", "--set", "cues=0", "--picture", "new/deep/a.png"],
    ],
    ids=lambda words: f"{words[0]} {words[-1]}"[:30],
)
def test_a_command_that_is_refused_leaves_no_folder(recording, capsys, words):
    assert main(words) == 2
    assert sorted(map(str, Path().iterdir())) == ["a.npz", "file", "folder"]


def test_a_folder_that_was_there_stays_and_so_does_what_holds_something(recording, capsys):
    assert main(["run", "ca3-memory", "--set", "cues=0", "--out", "folder/new"]) == 2
    assert not list(Path("folder").iterdir())
    assert main(["compare", recording, recording, "--picture", "new/deep/a.png"]) == 0
    assert Path("new/deep/a.png").is_file()


@closed
@pytest.mark.parametrize(
    "words",
    [
        ["run", "ca3-memory", "--out", "/proc"],
        ["verify", "ca3-memory", "--json", "/proc/checks.json"],
        ["map", "ca3-memory", "--picture", "/proc/a.png"],
    ],
    ids=lambda words: words[0],
)
def test_a_folder_that_takes_no_files_is_refused(capsys, words):
    assert "NetworkError: folder /proc: cannot be written to (" in refused(words, capsys)


@pytest.mark.parametrize("backend", ["nest", "pynn-brian2"])
def test_a_folder_that_cannot_be_made_for_an_export_is_refused(recording, capsys, backend):
    ready(backend)
    message = (
        "NetworkError: export: file/below cannot be made (Not a directory), expected a new "
        "or empty folder. Choose another one."
    )
    assert message in refused(["export", "ca3-memory", "file/below", "--backend", backend], capsys)


def test_a_file_that_is_no_script_is_not_taken_for_a_model(recording, capsys):
    message = (
        "run file: found a file, expected a Python script, whose name ends in .py, or the "
        "name of a model. Rename it, or see neurosim list."
    )
    assert f"NetworkError: {message}" in refused(["run", "file"], capsys)
    Path("ca3-memory").touch()
    # the model, not the file
    assert "there is no backend 'none'" in refused(
        ["run", "ca3-memory", "--backend", "none"], capsys
    )


@pytest.mark.parametrize("checks", ["", " , "])
def test_no_check_at_all_is_no_verification(checks, capsys):
    message = (
        "NetworkError: model 'ca3-memory', checks: found none, expected one or more of A1, A2, "
    )
    assert message in refused(["verify", "ca3-memory", "--checks", checks], capsys)
    with pytest.raises(ns.NetworkError, match=r"Name them, or leave it out for all\."):
        verification.verify(find("ca3-memory"), checks=[])


@pytest.mark.parametrize("name", ["nest", "pynn-brian2", "spinnaker"])
def test_a_simulator_with_a_clock_of_its_own_verifies_nothing(name, capsys):
    ready(name)
    message = (
        f"model 'ca3-memory', backend '{name}': "
        "found a simulator with a clock of its own, expected an engine, such as 'cpu'"
    )
    printed = refused(["verify", "ca3-memory", "--backend", name, "--checks", "A13"], capsys)
    assert f"NetworkError: {message}" in printed
    assert (
        "Verify on an engine; recordings of both can be compared: "
        "neurosim compare A B --statistical"
    ) in printed


@pytest.mark.parametrize("name", ["reference", "brian"])
@pytest.mark.process
def test_an_engine_is_asked_for_its_verdict(name, capsys):
    assert main(["verify", "ca3-memory", "--backend", ready(name), "--checks", "A1"]) == 0
    assert "1 of 1 checks passed" in capsys.readouterr().out
