"""The figures of the code's shape, on a made-up checkout whose figures are known."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("benchmarks", reason="benchmarks are no part of the package")

from benchmarks.shape import circles, docstrings, lines, modules
from benchmarks.shape.__main__ import main

FILES = {
    "neurosim/__init__.py": '''
        """Face."""
        from . import plot
        from .network.network import Network, connect
        from .errors import Failure
        __all__ = ["Network", "connect", "plot"]
        ''',
    "neurosim/errors.py": "class Failure(Exception): ...",
    "neurosim/plot.py": '''
        def raster(spikes, ax, color):
            """Draw."""
        def _private(a, b, c): ...
        ''',
    "neurosim/network/__init__.py": "",
    "neurosim/network/network.py": '''
        from ..errors import Failure
        class Network:
            """A network.

            Parameters
            ----------
            name, dt, seed
            """
            def __init__(self, name, dt, seed): ...
            def connect(self, source, target): ...
            def add(self, source, target, *, weight):
                """Add.

                Parameters
                ----------
                source, target, weight
                """
        def connect(a, b, c): ...
        def internal(a, b, c): ...
        ''',
    "models/__init__.py": "",
    "models/cells.py": "def lif(tau, rest, threshold): ...",
    "backends/__init__.py": "",
    "backends/cpu/__init__.py": "def check(a, b): ...",
}
CIRCLE = {
    "neurosim/ir/__init__.py": "",
    "neurosim/ir/program.py": "def late():\n    from ..network import validation",
    "neurosim/network/validation.py": """
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from ..ir.program import late
        """,
}


def checkout(root: Path, files: dict[str, str]) -> dict[str, modules.Module]:
    """Write files and read them as modules."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(line.removeprefix(" " * 8) for line in text.splitlines()))
    return modules.read(root)


def test_functions_that_users_call_are_found_through_imports_and_public_modules(tmp_path):
    checked_out = checkout(tmp_path, FILES)
    users = modules.called_by_users(checked_out)
    assert {node.name for node in users} == {"Network", "connect", "raster", "lif"}
    rows = [row for module in checked_out.values() for row in docstrings.explained(module, users)]
    assert {row.name: (row.users, row.explained) for row in rows} == {
        "neurosim.plot.raster": (True, False),
        "neurosim.network.network.Network": (True, True),
        "neurosim.network.network.Network.add": (True, True),
        "neurosim.network.network.connect": (True, False),
        "neurosim.network.network.internal": (False, False),
        "neurosim.models.cells.lif": (True, False),
    }


def test_tokens_comments_and_long_lines_are_counted():
    long = "value = " + "1" * 100
    text = f'"""Caption\n\nof two lines."""\n\n# why\nx = f(1)  # how\n{long}\n{long}{"1" * 20}\n'
    module = modules.Module("m", "models", Path("m.py"))
    object.__setattr__(module, "text", text)
    counts = lines.count(text, module.tree)
    assert (counts.lines, counts.filled, counts.code) == (8, 6, 3)
    assert (counts.tokens, counts.comments) == (6 + 3 + 3, 2)
    assert (counts.over_100, counts.over_120) == (2, 1)


def test_circles_of_files_and_packages_count_late_imports_and_those_for_type_checkers(tmp_path):
    assert circles.of_files(checkout(tmp_path, FILES)) == []
    checked_out = checkout(tmp_path, CIRCLE)
    assert circles.of_files(checked_out) == [["neurosim.ir.program", "neurosim.network.validation"]]
    assert circles.of_packages(checked_out) == [["neurosim.ir", "neurosim.network"]]


@pytest.mark.process
def test_a_missed_aim_is_named_and_gives_exit_code_1(tmp_path, capsys):
    checkout(tmp_path, FILES | CIRCLE)
    assert main(["--root", str(tmp_path), "--no-types", "--list"]) == 1
    printed = capsys.readouterr().out
    rows = {line.split("  ")[0]: line for line in printed.splitlines()}
    assert rows["tokens per line of code"].endswith("reached")
    assert rows["circles of imports, files"].endswith("missed")
    assert rows["type errors"].endswith("not measured")
    # plot and Network are public, and the doors of their packages and of errors are not
    assert "that are not public: Failure, errors, network\n" in printed
    assert "circle: neurosim.ir, neurosim.network" in printed


@pytest.mark.process
def test_all_aims_reached_gives_exit_code_0(tmp_path, capsys):
    files = {
        "neurosim/__init__.py": "# why\n__all__ = []\ndef __dir__(): return __all__",
        "models/__init__.py": "",
        "backends/__init__.py": "",
    }
    checkout(tmp_path, files)
    assert main(["--root", str(tmp_path), "--no-types"]) == 0
    assert "missed" not in capsys.readouterr().out
