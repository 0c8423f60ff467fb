"""Figures that other programs give: type errors by pyright, names by importing neurosim."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from .modules import FOLDERS

NAMES = """
import json, neurosim
public = set(neurosim.__all__)
print(json.dumps([n for n in dir(neurosim) if not n.startswith("_") and n not in public]))
"""


def type_errors(root: Path) -> Counter[str]:
    """Return the number of errors of pyright by folder, with the checkout's own settings."""
    command = [sys.executable, "-m", "pyright", "--project", str(root), "--outputjson"]
    done = subprocess.run(
        [*command, "--pythonpath", sys.executable], capture_output=True, text=True, cwd=root
    )
    diagnostics = json.loads(done.stdout)["generalDiagnostics"]
    errors = [
        Path(diagnostic["file"]) for diagnostic in diagnostics if diagnostic["severity"] == "error"
    ]
    return Counter(path.resolve().relative_to(root.resolve()).parts[0] for path in errors)


def unlisted_names(root: Path) -> list[str]:
    """Return the names in dir(neurosim), right after its import, that are no public name."""
    done = subprocess.run(
        [sys.executable, "-c", NAMES], capture_output=True, text=True, cwd=root, check=True
    )
    return json.loads(done.stdout)


def largest_folder(root: Path) -> int:
    """Return the number of Python files in the fullest folder of the core itself."""
    core = root / "neurosim"
    paths = [path.relative_to(core) for path in core.rglob("*.py")]
    return max(Counter(path.parent for path in paths if path.parts[0] not in FOLDERS).values())
