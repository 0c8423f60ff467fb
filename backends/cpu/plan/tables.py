"""Tables of numbers for compiled code: addresses of arrays, kept up to date when the host replaces an array."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from neurosim.ir.memory import Key, Memory

LINE = 64  # bytes of a cache line


class Tables:
    """Blocks of int64 numbers whose entries stand for arrays.

    An entry is a number; an array or block of this object (its address); a key of the memory (the address of its array);
    or ``("size", key)`` (its number of elements).

    Attributes
    ----------
    kinds : key -> kind
        What printed source relies on; see `kind`.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._kept: list[np.ndarray] = []
        self._places: dict[Key, list[tuple[np.ndarray, int, int, bool]]] = {}
        self.kinds: dict[Key, str] = {}

    def keep(self, array: np.ndarray) -> np.ndarray:
        """Keep an array alive as long as the tables, contiguous."""
        array = np.ascontiguousarray(array)
        self._kept.append(array)
        return array

    def block(self, rows: Iterable[list[Any]], width: int) -> np.ndarray:
        """Return rows of entries as numbers, (R, width)."""
        rows = list(rows)
        made = self.keep(np.zeros((max(len(rows), 1), max(width, 1)), np.int64))
        for r, row in enumerate(rows):
            for c, entry in enumerate(row):
                self._fill(made, r, c, entry)
        return made[: len(rows)]

    def follow(self, replaced: set[Key]) -> None:
        """Write the addresses and sizes of replaced arrays to every place that names them."""
        for key in replaced:
            for made, r, c, size in self._places.get(key, ()):
                made[r, c] = self._memory[key].size if size else self._memory[key].ctypes.data

    def _fill(self, made: np.ndarray, r: int, c: int, entry: Any) -> None:
        if isinstance(entry, tuple):
            size = entry[0] == "size" and isinstance(entry[1], tuple)
            key = entry[1] if size else entry
            self._places.setdefault(key, []).append((made, r, c, size))
            made[r, c] = self._memory[key].size if size else self._memory[key].ctypes.data
        elif isinstance(entry, np.ndarray):
            made[r, c] = entry.ctypes.data
        else:
            made[r, c] = int(entry)


def aligned(array: np.ndarray) -> np.ndarray:
    """Return an array, or its copy, that is contiguous and begins on a cache line: what crosses lines is read and written at half the speed."""
    if array.flags.c_contiguous and array.ctypes.data % LINE == 0:
        return array
    room = np.empty(array.nbytes + LINE, np.uint8)
    first = -room.ctypes.data % LINE
    made = room[first : first + array.nbytes].view(array.dtype).reshape(array.shape)
    made[...] = array
    return made


def kind(memory: Memory, key: Key) -> str:
    """Return how many values stand behind a name: "one", "each" neuron; of a table "row" (one per row) or "rows" (one per row and neuron)."""
    array = memory[key]
    if (key[0], f"{key[1]}@rows") in memory:
        return "row" if array.shape[1] == 1 else "rows"
    return "one" if array.size == 1 else "each"
