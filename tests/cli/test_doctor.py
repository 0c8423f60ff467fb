"""What the doctor says of an installation, and how columns and values are printed."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, PackageNotFoundError, version
from pathlib import Path

import pytest

from neurosim.cli import doctor
from neurosim.cli.main import main
from neurosim.cli.tables import brief, columns


def test_doctor_shows_versions_and_the_command_for_what_is_missing(monkeypatch, capsys):
    def without_pint(name: str) -> str:
        if name == "pint":
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(doctor, "version", without_pint)
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert version("numpy") in printed and "reference" in printed
    needs = next(p.needs for p in doctor.packages() if p.name == "pint")
    assert f"to install what core needs: {sys.executable} -m pip install 'pint{needs}'" in printed


def test_doctor_reads_extras_from_the_package_itself():
    assert ("test", "pytest") in {(p.feature, p.name) for p in doctor.packages()}
    assert ("core", "numpy") in {(p.feature, p.name) for p in doctor.packages()}


@pytest.mark.parametrize(
    ("name", "top_level", "record"),
    [
        ("neurosim", "neurosim", "neurosim/__init__.py,,"),
        ("Neurosim", "", ""),
        ("other_brains", "neurosim", ""),
        ("other_brains", "", "neurosim/__init__.py,,"),
    ],
)
def test_doctor_names_another_distribution_that_is_imported_as_neurosim(
    name, top_level, record, monkeypatch, tmp_path, capsys
):
    install(tmp_path, name, top_level, record)
    monkeypatch.syspath_prepend(tmp_path)
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert f"\n{name} 3.1 in {tmp_path} is another distribution that is imported as" in printed
    assert f"{sys.executable} -m pip uninstall {name}, and in the checkout of" in printed


def test_doctor_takes_no_other_distribution_for_a_rival(monkeypatch, tmp_path):
    install(tmp_path, "neurosim_snn", "neurosim", "neurosim/__init__.py,,")
    install(tmp_path, "neurosimple", "neurosimple", "neurosimple/neurosim/__init__.py,,")
    monkeypatch.syspath_prepend(tmp_path)
    assert not [rival for rival in doctor.rivals() if str(rival.locate_file("")) == str(tmp_path)]


def test_metadata_that_a_build_left_in_a_checkout_is_no_rival(monkeypatch, tmp_path):
    install(tmp_path, "neurosim", "neurosim", "neurosim/__init__.py,,")
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert not [rival for rival in doctor.rivals() if str(rival.locate_file("")) == str(tmp_path)]


def install(folder: Path, name: str, top_level: str, record: str) -> None:
    """Write the metadata of a distribution that is not there."""
    metadata = folder / f"{name}-3.1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 3.1\n")
    (metadata / "top_level.txt").write_text(f"{top_level}\n")
    (metadata / "RECORD").write_text(record)
    # Some finders of distributions leave out recorded files that are not there.
    for line in record.splitlines():
        file = folder / line.split(",")[0]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def test_doctor_says_how_much_compiled_code_is_kept_and_clears_it(monkeypatch, tmp_path, capsys):
    (tmp_path / "compiling").mkdir()
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels/one.bin").write_bytes(bytes(2_500_000))
    (tmp_path / "compiling/__init__.py").write_text(
        "class backend:\n    summary = 'compiles'\n    missing = staticmethod(lambda: None)\n"
    )
    (tmp_path / "compiling/cache.py").write_text(
        f"from pathlib import Path\ndef folder():\n    return Path({str(tmp_path / 'kernels')!r})\n"
        "def clear():\n    found = list(folder().iterdir())\n"
        "    [f.unlink() for f in found]\n    return len(found)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    entries = [
        EntryPoint("compiling", "compiling:backend", "neurosim.backends"),
        EntryPoint("absent", "no_such_module:backend", "neurosim.backends"),
        EntryPoint("reference", "neurosim.backends.reference:backend", "neurosim.backends"),
    ]
    monkeypatch.setattr(doctor, "entry_points", lambda group: entries)
    assert main(["doctor"]) == 0
    assert (
        f"compiled code of compiling: 1 files, 2.5 MB in {tmp_path / 'kernels'}"
        in capsys.readouterr().out
    )
    assert main(["doctor", "--clear-cache"]) == 0
    assert "compiled code of compiling: removed 1 files" in capsys.readouterr().out
    assert not list((tmp_path / "kernels").iterdir())


def test_a_table_of_rows_of_unequal_length_is_a_mistake_and_no_shorter_table():
    with pytest.raises(ValueError):
        columns([("name", "number"), ("one",)], width=80)


def test_columns_are_wrapped_to_the_width_and_lose_no_word():
    rows = [("id", "measured"), ("B1", "a long sentence that does not fit")]
    lines = columns(rows, width=22).splitlines()
    assert max(map(len, lines)) <= 22
    assert (
        " ".join(columns(rows, width=22).split())
        == "id measured B1 a long sentence that does not fit"
    )
    assert columns(rows, width=80).splitlines()[1] == "B1  a long sentence that does not fit"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.123456, "0.1235"),
        (True, "yes"),
        (None, "-"),
        (12345678, "12345678"),
        ([1, 0.5], "[1, 0.5]"),
        ({"r": 0.97812, "n": [True]}, "r 0.9781, n [yes]"),
    ],
)
def test_values_are_shown_in_brief(value, text):
    assert brief(value) == text
