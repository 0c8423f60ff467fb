"""Users see public names alone, and their type checkers see the types of neurosim."""

from __future__ import annotations

import ast
import configparser
import subprocess
import sys
from pathlib import Path

import pytest

import neurosim as ns

ROOT = Path(__file__).parents[2]


def test_dir_shows_public_names_alone():
    assert sorted(dir(ns)) == sorted([*ns.__all__, "__version__"])
    assert all(hasattr(ns, name) for name in dir(ns))


def test_type_checkers_and_python_find_each_public_name_in_the_same_file():
    """A type checker reads the imports; Python loads the file of a name when it is first read."""
    imports = {}
    for statement in ast.walk(ast.parse((ROOT / "neurosim" / "__init__.py").read_text())):
        if isinstance(statement, ast.ImportFrom) and statement.level:
            parts = [statement.module] if statement.module else []
            imports |= {alias.name: ".".join([*parts, alias.name]) for alias in statement.names}
    loaded = {name: f"{file}.{name}" for name, file in ns._FILES.items()} | ns._MODULES
    assert loaded == imports and sorted(imports) == sorted(ns.__all__)


def test_a_wrong_name_is_answered_with_the_right_one():
    done = subprocess.run(
        [sys.executable, "-c", "import neurosim; neurosim.Netwrok"], capture_output=True, text=True
    )
    assert done.stderr.endswith(
        "AttributeError: module 'neurosim' has no attribute 'Netwrok'. Did you mean: 'Network'?\n"
    )


IMPORTED = """
import sys, neurosim
print(*(name for name in sys.modules if name.startswith("neurosim.") or name == "numpy"))
neurosim.Network("net", dt="1 ms")
print(*(name for name in ("neurosim.plot", "neurosim.run", "scipy", "pint") if name in sys.modules))
"""


@pytest.mark.process
def test_the_import_loads_nothing_and_a_name_what_it_needs():
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True
    )
    assert done.stdout == "\n\n"


def test_the_marker_of_types_is_shipped():
    assert (ROOT / "neurosim" / "py.typed").is_file()
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert "py.typed" in setup["options.package_data"]["neurosim"].split()


def test_generated_code_is_also_called_source(backend):
    net = ns.Network("net", dt="1 ms")
    net.population("cells", 1, ns.Cell("dv/dt = -v / (5 * ms) : 1"))
    run = ns.prepare(net, backend=backend)
    assert run.generated_code and run.source == run.generated_code
