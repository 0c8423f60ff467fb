"""Arguments of compiled code as numbers: addresses follow when the host replaces an array."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from neurosim.ir.memory import Key, Memory

from ..codegen.printing import Layout
from ..kernels.operations import Argument, Pointer, Size, flatten

LINE = 64  # bytes of a cache line


class Tables:
    """Blocks of int64 numbers that stand for arguments, and the arrays that they point to.

    Parameters
    ----------
    memory : Memory
        Holds the arrays of keys.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        # An address does not keep its array alive: arrays that nothing else holds are held here.
        self._arrays: list[np.ndarray] = []
        self._addresses: dict[Key, list[np.ndarray]] = {}  # views of one number each
        self._sizes: dict[Key, list[np.ndarray]] = {}
        self._layouts: dict[Key, Layout] = {}

    def keep(self, array: np.ndarray) -> np.ndarray:
        """Keep an array alive as long as the tables; return it contiguous."""
        array = np.ascontiguousarray(array)
        self._arrays.append(array)
        return array

    def block(self, rows: Sequence[Sequence[Argument]], width: int) -> np.ndarray:
        """Return rows of arguments as numbers, (R, width) int64."""
        # At least one number: its address must be valid even if nothing reads it.
        block = self.keep(np.zeros((max(len(rows), 1), max(width, 1)), np.int64))
        for r, row in enumerate(rows):
            for c, argument in enumerate(row):
                self._write(block[r, c : c + 1], argument)
        return block[: len(rows)]

    def args(self, arguments: object) -> np.ndarray:
        """Return the arguments of a kernel, declared in `operations`, as numbers, (1, A) int64."""
        flat = flatten(arguments)
        return self.block([flat], len(flat))

    def follow(self, replaced: Iterable[Key]) -> None:
        """Write the addresses and sizes of replaced arrays wherever they stand."""
        for key in replaced:
            for cell in self._addresses.get(key, ()):
                cell[0] = self._memory[key].ctypes.data
            for cell in self._sizes.get(key, ()):
                cell[0] = self._memory[key].size

    def rely_on_layout(self, key: Key) -> Layout:
        """Return how values lie, and remember that printed source depends on it."""
        self._layouts[key] = layout_of(self._memory, key)
        return self._layouts[key]

    def are_outdated(self, replaced: Iterable[Key]) -> bool:
        """Return whether replaced arrays have a layout for which nothing was printed."""
        # Layouts that no printed source depends on may change freely.
        known = self._layouts.keys() & set(replaced)
        return any(self._layouts[key] != layout_of(self._memory, key) for key in known)

    def _write(self, cell: np.ndarray, argument: Argument) -> None:
        if isinstance(argument, Size):
            self._sizes.setdefault(argument.key, []).append(cell)
            cell[0] = self._memory[argument.key].size
        elif isinstance(argument, Pointer):
            argument.cells.append(cell)
        elif isinstance(argument, tuple):  # a key of the memory
            self._addresses.setdefault(argument, []).append(cell)
            cell[0] = self._memory[argument].ctypes.data
        elif isinstance(argument, np.ndarray):
            cell[0] = argument.ctypes.data
        else:
            cell[0] = int(argument)


def align(array: np.ndarray) -> np.ndarray:
    """Return an array, or its copy, that is contiguous and begins on a cache line.

    Vectors that cross cache lines are read and written at half the speed.
    """
    if array.flags.c_contiguous and array.ctypes.data % LINE == 0:
        return array
    room = np.empty(array.nbytes + LINE, np.uint8)
    first = -room.ctypes.data % LINE
    aligned = room[first : first + array.nbytes].view(array.dtype).reshape(array.shape)
    aligned[...] = array
    return aligned


def layout_of(memory: Memory, key: Key) -> Layout:
    """Return how the values behind a name lie."""
    array = memory[key]
    if (key[0], f"{key[1]}@rows") in memory:
        return "series" if array.shape[1] == 1 else "series_per_neuron"
    return "scalar" if array.size == 1 else "per_neuron"
