"""Packaging and floors: setup lists the folders, imports point down, importing loads little."""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = {
    "neurosim": ROOT / "neurosim",
    "neurosim.models": ROOT / "models",
    "neurosim.backends": ROOT / "backends",
}
LATE = (
    "matplotlib",
    "scipy",
    "numba",
    "pint",
    "tqdm",
    "llvmlite",
    "torch",
    "brian2",
    "pyNN",
    "nir",
    "sympy",
    "neo",
    "xarray",
    "pynwb",
)

# Extras of which the Makefile installs the very versions that were tested.
PINNED = ("test", "lint", "docs", "bench")

# From the ground up; a package imports only from floors below its own. "neurosim" is the face,
# neurosim/__init__.py.
FLOORS = (
    {"distribution", "errors"},
    {"arguments", "whole_files"},
    {"units", "datasets"},
    {"quantities"},
    {"expr", "recording"},
    {"compiled"},
    {"draws"},
    {"analysis"},
    {"model"},
    {"network"},
    {"ir", "plot"},
    {"backend"},
    {"run"},
    {"sweeps"},
    {"neurosim"},
    {"gpu"},
    {"cli"},
    {"__main__"},
)

# The one file of the core that imports a backend, for users who train; nothing imports it.
DOORS = {"neurosim.gpu": "neurosim.backends.gpu"}


@cache
def files() -> dict[str, Path]:
    """Return the file of every module by the module's name; of a package, its __init__.py."""
    paths = {}
    for part, folder in PARTS.items():
        for path in folder.rglob("*.py"):
            inside = path.relative_to(folder).with_suffix("").parts
            if part != "neurosim" or inside[0] not in (
                "models",
                "backends",
            ):  # not through the links for editors
                paths[".".join([part, *inside]).removesuffix(".__init__")] = path
    return paths


def sources() -> dict[str, str]:
    return {name: path.read_text() for name, path in files().items()}


@cache
def packages() -> set[str]:
    return {
        name if path.name == "__init__.py" else name.rpartition(".")[0]
        for name, path in files().items()
    }


@cache
def import_statements(text: str) -> list[ast.ImportFrom | ast.Import]:
    """Return the statements of a source that import something at run time."""

    def walk(node: ast.AST) -> Iterator[ast.AST]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                continue  # an expression holds no statement
            if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
                yield from (later for part in child.orelse for later in [part, *walk(part)])
            else:
                yield child
                yield from walk(child)

    statements = walk(ast.parse(text))
    return [node for node in statements if isinstance(node, ast.ImportFrom | ast.Import)]


def imports(module: str, text: str) -> Iterator[tuple[str, ast.ImportFrom | ast.Import]]:
    """Yield the modules of this project that a module imports at run time, with the statement."""
    for node in import_statements(text):
        if isinstance(node, ast.Import):
            yield from (
                (alias.name, node)
                for alias in node.names
                if alias.name.partition(".")[0] in ("neurosim", "models", "backends")
            )
        else:
            package = module if module in packages() else module.rpartition(".")[0]
            base = (
                ".".join(package.split(".")[: len(package.split(".")) - node.level + 1])
                if node.level
                else ""
            )
            origin = ".".join(filter(None, [base, node.module]))
            if origin.partition(".")[0] in ("neurosim", "models", "backends"):
                for alias in node.names:
                    below = f"{origin}.{alias.name}"
                    yield (below if below in files() else origin), node


def wrong(texts: Mapping[str, str]) -> list[str]:
    """Return a sentence for each import that breaks the floor plan."""
    sentences = []
    for module, text in texts.items():
        for target, node in imports(module, text):
            reason = _reason(module, target, node)
            if reason:
                sentences.append(f"{module}, line {node.lineno}: imports {target}, {reason}")
    return sentences


def _reason(module: str, target: str, node: ast.ImportFrom | ast.Import) -> str:
    if not target.startswith("neurosim"):
        return "which would load it twice"
    if module.startswith(("neurosim.models", "neurosim.backends")):
        here, there = module.split(".")[:3], target.split(".")[:3]
        if there[1:2] not in (["models"], ["backends"]):
            return "but the core is imported absolutely" if getattr(node, "level", 0) else ""
        if here[1] != there[1]:
            return "but models and backends never import each other"
        if here[1] == "backends" and here != there:
            return "but backends never import each other"
        return (
            ""
            if getattr(node, "level", 0)
            else "but files of one folder import each other relatively"
        )
    if module in DOORS and target.startswith(DOORS[module]):
        return ""
    if target.startswith(("neurosim.models", "neurosim.backends")):
        return "but the core knows no model and no backend"
    own, other = floor(module), floor(target)
    inside = module.split(".")[1:2] == target.split(".")[1:2]
    return "" if inside or other < own else f"which lies on floor {other}, not below floor {own}"


def floor(module: str) -> int:
    unit = "neurosim" if module == "neurosim" else module.split(".")[1]
    for number, units in enumerate(FLOORS):
        if unit in units:
            return number
    raise LookupError(f"{module} has no floor yet: give it one in FLOORS")


def circle(texts: Mapping[str, str]) -> list[str]:
    """Return modules that import each other in a circle, or nothing."""
    graph = {
        module: {t for t, _ in imports(module, text) if t in texts and t != module}
        for module, text in texts.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def listed(section: str, option: str) -> list[str]:
    return setup()[section][option].split("\n")[1:]


def test_setup_lists_exactly_the_packages_that_lie_in_the_folders():
    assert sorted(listed("options", "packages")) == sorted(packages())


def test_every_package_folder_has_its_init_file():
    assert not packages() - files().keys()


def test_a_checkout_links_models_and_backends_into_the_package():
    for name in ("models", "backends"):
        link = ROOT / "neurosim" / name
        assert link.resolve() == ROOT / name


def test_every_requirement_is_pinned_to_one_version():
    pinned = re.findall(
        r"^([\w.-]+)==[\w.!]+$", (ROOT / "constraints.txt").read_text(), re.MULTILINE
    )
    asked = [
        re.split(r"[^\w.-]", line)[0]
        for line in listed("options", "install_requires")
        + [line for extra in PINNED for line in listed("options.extras_require", extra)]
    ]
    assert len(asked) >= 8
    assert set(asked) <= set(pinned)


def test_imports_point_down():
    assert not wrong(sources())


def test_no_modules_import_each_other_in_a_circle():
    assert not circle(sources())


@pytest.mark.parametrize(
    ("module", "line", "reason"),
    [
        ("neurosim.units", "from .model.cell import Cell", "floor"),
        ("neurosim.expr.tree", "def later():\n    from ..network import Network", "floor"),
        ("neurosim.ir.program", "import neurosim", "floor"),
        (
            "neurosim.run.run",
            "from neurosim.backends.reference import engine",
            "the core knows no model",
        ),
        ("neurosim.network.network", "from ..models import cells", "the core knows no model"),
        ("neurosim.gpu", "from neurosim.backends.cpu import engine", "the core knows no model"),
        ("neurosim.models.cells", "from neurosim.backends import cpu", "never import each other"),
        (
            "neurosim.backends.cpu.kernels.loop",
            "from ...reference import engine",
            "backends never import each other",
        ),
        ("neurosim.models.cells", "from ..errors import ModelError", "imported absolutely"),
        (
            "neurosim.backends.cpu.kernels.loop",
            "from neurosim.backends.cpu import philox",
            "relatively",
        ),
        ("neurosim.models.cells", "import backends", "load it twice"),
    ],
)
def test_the_floor_plan_says_no_to_a_planted_import(module, line, reason):
    (said,) = wrong({module: line})
    assert said.startswith(f"{module}, line ") and reason in said


def test_a_planted_circle_is_found():
    planted = sources() | {"neurosim.expr.tree": "from .printing import show"}
    assert {"neurosim.expr.tree", "neurosim.expr.printing"} <= set(circle(planted))


def test_imports_for_type_checkers_are_free():
    text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .run import Run\n"
    assert not wrong({"neurosim.units": text})
    assert wrong({"neurosim.units": text + "else:\n    from .run import Run\n"})


@pytest.mark.process
def test_reading_all_public_names_loads_numpy_and_little_else():
    late = f"sorted(set(sys.modules) & set({LATE}))"
    code = f"import sys; from neurosim import *; print({late}, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] True"


@pytest.mark.process
def test_help_of_the_command_line_loads_no_more():
    code = f"""import sys
from neurosim.cli.main import main
try:
    main(["--help"])
except SystemExit:
    print(sorted(set(sys.modules) & set({LATE})))"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("\n[]")


@pytest.mark.process
@pytest.mark.parametrize("name", ["models", "backends"])
def test_importing_a_folder_under_its_own_name_is_refused(name):
    done = subprocess.run(
        [sys.executable, "-c", f"import {name}"], capture_output=True, text=True, cwd=ROOT
    )
    assert f"ImportError: imported as '{name}'" in done.stderr
    assert f"write 'import neurosim.{name}'" in done.stderr
