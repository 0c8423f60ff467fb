"""The backends on this machine, found by their entry points."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from ..errors import NetworkError, describe, describe_unknown
from .lowering import Backend

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


def names() -> list[str]:
    """Return the names of the backends on this machine."""
    return sorted(entry.name for entry in _entries())


def find(backend: str | Backend) -> Backend:
    """Return a backend by name; a backend itself is returned as it is.

    Parameters
    ----------
    backend : str or Backend

    Raises
    ------
    NetworkError
        If there is none of this name, or a package that it needs is not installed.
    """
    if not isinstance(backend, str):
        # The one method that is called decides: a backend of another package inherits from nothing
        # here.
        if isinstance(backend, bytes | bytearray) or not hasattr(backend, "lower"):
            raise NetworkError(
                f"backend: found {describe(backend)}, expected the name of a backend, "
                "such as 'cpu'. Give one of these names."
            )
        return backend
    loaded: Backend = _entry(backend).load()
    # Loading imports no simulator, so a backend whose packages are missing can say how to get them.
    missing = loaded.missing()
    if missing:
        raise NetworkError(f"backend {backend!r} is not installed: {missing}")
    return loaded


# Reading the entry points of all packages takes as long as preparing a small network. A name that
# there is not is looked up again: its package may be installed meanwhile.
@cache
def _entry(name: str) -> EntryPoint:
    for entry in _entries():
        if entry.name == name:
            return entry
    raise NetworkError(describe_unknown("backend", name, names()))


def _entries() -> Iterable[EntryPoint]:
    from importlib.metadata import entry_points  # slow to import: only when a backend is asked for

    return entry_points(group="neurosim.backends")
