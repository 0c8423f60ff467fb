"""Compiled code of this engine on disk; see `neurosim.compiled.cache`."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from neurosim.compiled import cache
from neurosim.compiled.cache import clear, root

__all__ = ["HERE", "clear", "folder", "load", "root"]

HERE = Path(__file__).parent


def folder() -> Path | None:
    """Return the folder of this engine on this machine; None if there is no place for one."""
    return cache.folder(HERE)


def load(name: str, source: str) -> ModuleType:
    """Return the module of printed source, from its file where it is known."""
    return cache.load(name, source, engine=HERE)
