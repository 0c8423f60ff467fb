"""The distribution is neurosim-snn, and no text tells anyone to install neurosim from an index."""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from neurosim import Recording
from neurosim.backends import brian, pynn
from neurosim.distribution import DISTRIBUTION
from neurosim.recording import conversion

ROOT = Path(__file__).parents[2]
TEXTS = {".py", ".md", ".rst", ".txt", ".cfg", ".toml", ".ini", ".yml", ".yaml", ".cff", ".ipynb"}
NAMES = {"Makefile", "run"}
BUILT = {"build", "dist", "out", "_build"}

ASKS = re.compile(r"\b(?:version|requires|distribution|metadata|files)\(\s*['\"]neurosim['\"]")
INSTALLS = re.compile(r"\bpip3?['\",\s]+install\b(.*)")
WORD = re.compile(r"[\w.\[\],<>=!~/-]+")


def texts() -> Iterator[Path]:
    """Yield the texts of the repository, without what is built or installed in it."""
    for path in sorted(ROOT.rglob("*")):
        folders = path.relative_to(ROOT).parts[:-1]
        if BUILT & set(folders) or any(f.endswith(".egg-info") for f in folders):
            continue
        if any(f.startswith(".") and f != ".ci" for f in folders):
            continue
        if path.is_file() and (path.suffix in TEXTS or path.name in NAMES):
            yield path


def faults(text: str) -> list[str]:
    """Return the places where a text installs neurosim by name, or asks for the wrong version."""
    joined = re.sub(r"[\"']\s*\n\s*[rf]*[\"']|\\\n", "", text)  # literals and commands of two lines
    asked = [match[0] for match in ASKS.finditer(joined)]
    installed = [
        match[0]
        for match in INSTALLS.finditer(joined)
        if any(word.lower().startswith("neurosim") for word in WORD.findall(match[1]))
    ]
    return asked + installed


def test_no_text_installs_neurosim_from_an_index_or_asks_for_its_version():
    read = list(texts())
    faults_by_file = {str(path.relative_to(ROOT)): faults(path.read_text()) for path in read}
    assert {name: lines for name, lines in faults_by_file.items() if lines} == {}
    names = {path.relative_to(ROOT).as_posix() for path in read}
    assert {"README.md", "Makefile", "setup.cfg", ".ci/run", "neurosim/run/run.py"} <= names
    assert {"notebooks/introduction.ipynb", "docs/language.md", "benchmarks/README.md"} <= names


@pytest.mark.parametrize(
    "text",
    [
        "Run `PIP install 'neurosim[pynn]'`.",
        "PIP install neurosim",
        'PIP install -U "neurosim-snn"',
        "raise Error('PIP install '\n    'neurosim[pynn]')",
        "[sys.executable, '-m', 'PIP', 'install', 'neurosim']",
        "PIP install \\\n    neurosim",
        "VERSION('neurosim')",
        'importlib.metadata.VERSION("neurosim")',
    ],
)
def test_a_planted_text_is_found(text):
    # written so that this file does not hold what it forbids
    assert faults(text.replace("PIP", "pip").replace("VERSION", "version"))


@pytest.mark.parametrize(
    "text",
    [
        "pip install '.[pynn]'",
        "pip uninstall neurosim",
        "pip install -c constraints.txt .",
        "pip install brian2==2.9.0 'numpy<2.4'",
        f"version('{DISTRIBUTION}')",
        "It makes the pip installation of neurosim shorter.",
    ],
)
def test_other_texts_are_left_in_peace(text):
    assert not faults(text)


def setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_the_code_names_the_distribution_as_setup_does():
    assert setup()["metadata"]["name"] == DISTRIBUTION


def test_messages_name_requirements_as_setup_does():
    extras = setup()["options.extras_require"]
    assert set(conversion.REQUIREMENTS.values()) <= set(extras["interop"].split())
    named = {text for requirements in pynn.REQUIREMENTS.values() for text in requirements}
    core = set(setup()["options"]["install_requires"].split())
    assert named <= set(extras["pynn"].split()) | core
    assert set(extras["pynn"].split()) <= named


def test_a_backend_whose_packages_are_missing_names_them(monkeypatch):
    for module in (pynn, brian):
        monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert pynn.spinnaker.missing() == "sympy missing. Run: pip install 'sympy>=1.13'"
    assert pynn.brian2.missing() == (
        "PyNN, brian2, sympy missing. "
        "Run: pip install PyNN==0.13.0 brian2==2.9.0 'numpy<2.4' 'sympy>=1.13'"
    )
    requirements = setup()["options.extras_require"]["brian"].split()
    command = shlex.join(["pip", "install", *requirements])
    assert brian.backend.missing() == f"brian2 is missing. Run: {command}"


def test_a_recording_that_carries_the_old_name_is_read(tmp_path):
    versions = {"neurosim": "0.1.0", "numpy": np.__version__}
    Recording({"dt": 0.1, "steps": 1, "versions": versions}).save(tmp_path / "old.npz")
    assert Recording.load(tmp_path / "old.npz").header["versions"]["neurosim"] == "0.1.0"
