"""Compiled code of this engine on disk; see `neurosim.compiled.cache`."""

from __future__ import annotations

from pathlib import Path

from neurosim.compiled import cache
from neurosim.compiled.cache import clear, root
from neurosim.compiled.machine_code import Function

__all__ = ["HERE", "clear", "folder", "functions", "root"]

# The sources that printed code calls. The others write no more than its text, of which each file
# has a hash: after their edits, code of the same text is not compiled again.
HERE = Path(__file__).parent / "kernels"


def folder() -> Path | None:
    """Return the folder of this engine on this machine; None if there is no place for one."""
    return cache.folder(HERE)


def functions(name: str, source: str) -> dict[str, Function]:
    """Return the compiled functions of printed source by their names."""
    return cache.functions(name, source, engine=HERE)
