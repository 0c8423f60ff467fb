"""Names and numbers of a script: identifiers of Python, and arrays that lie beside the script."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from .snippets import RESERVED_NAMES

_MOST_IN_TEXT = 6  # numbers of an array that a script spells out


def identifiers(names: Iterable[str]) -> dict[str, str]:
    """Return for each name an identifier of Python; all are different."""
    chosen: dict[str, str] = {}
    for name in names:
        # Names of the network may hold spaces, dots and arrows; two of them may become one.
        identifier = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
        if not identifier.isidentifier():
            identifier = f"n_{identifier}"
        while (
            keyword.iskeyword(identifier)
            or identifier in RESERVED_NAMES
            or hasattr(builtins, identifier)
            or identifier in chosen.values()
        ):
            identifier += "_"
        chosen[name] = identifier
    return chosen


class ScriptArrays:
    """Arrays that a script reads from a file; ``arrays`` is name -> array."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}

    def store(self, name: str, array: np.ndarray) -> str:
        """Keep an array for the file; return the expression that reads it in the script."""
        self.arrays[name] = array
        return f"arrays[{name!r}]"

    def text(self, name: str, values: Any) -> str:
        """Return the expression for values in the script; a large array goes into the file."""
        array = np.asarray(values)
        if array.ndim == 0:
            return repr(array.item())
        if array.size <= _MOST_IN_TEXT:
            return f"np.array({array.tolist()!r})"
        return self.store(name, array)
