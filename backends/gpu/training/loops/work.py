"""Work: a course on its way through its loops, and the arrays that they read and write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..terms import Term
from .course import Course
from .printing import LoopCell, print_loops

_HERE = Path(__file__).parent
# Neurons whose states stay in the first cache from step to step.
_BLOCK = 1024


class Loops:
    """The compiled loops of a cell.

    Parameters
    ----------
    cell : LoopCell

    Attributes
    ----------
    functions : name -> compiled function
        Of the address of its arguments, and of the range of neurons.
    entries : name -> names of its arguments
    """

    def __init__(self, cell: LoopCell) -> None:
        # Numba is imported here: who compiles nothing does not wait for it.
        from neurosim.compiled import cache

        source, self.entries = print_loops(cell)
        self.functions = cache.functions(f"loops_{cell.code.name}", source, engine=_HERE)


@dataclass
class Work:
    """A course on its way through its loops.

    Attributes
    ----------
    course : Course
    cell : LoopCell
    loops : Loops
    inputs : name -> tensor
        States at the start (``state x``), values and series.
    recurrent : port -> summands
        That the equations read.
    until : (B, N) int64 or None
        Of the state before; after the forward pass of the state after.
    """

    course: Course
    cell: LoopCell
    loops: Loops
    inputs: Mapping[str, Tensor]
    recurrent: Mapping[str, tuple[Term, ...]]
    until: Tensor | None

    @property
    def name(self) -> str:
        """The name of the population."""
        return self.course.neurons.name

    @property
    def shape(self) -> tuple[int, int]:
        """(B, N)."""
        return self.course.replica.shape[0], self.course.neurons.size

    @property
    def size(self) -> int:
        """Neurons of all samples."""
        samples, neurons = self.shape
        return samples * neurons

    @property
    def changing(self) -> list[str]:
        """The arrays that steps change."""
        names = [f"state {name}" for name in self.cell.code.states]
        if self.until is not None:
            names.append("until")
        return names

    @property
    def spiking(self) -> bool:
        """Whether the cell can spike."""
        return self.cell.code.detect is not None

    def new(self, *rows: int, dtype: torch.dtype | None = None) -> Tensor:
        """Return an array of rows of numbers, not yet written."""
        return torch.empty(*rows, *self.shape, dtype=dtype or self.course.neurons.dtype)

    def full(self, gradient: Tensor | None, *rows: int) -> Tensor:
        """Return a gradient; zeros if there is none."""
        return self.new(*rows).zero_() if gradient is None else gradient.contiguous()

    def lay_out(self, name: str, tensor: Tensor) -> Tensor:
        """Return a value or series as the loops read it."""
        if name in self.cell.series:
            return tensor.expand(self.course.steps, *self.shape).contiguous()
        if name in self.cell.single:
            return tensor
        return tensor.expand(self.shape).contiguous()

    def buffers(self, steps: int) -> dict[str, Tensor]:
        """Return what the backward loop reads of a segment: all segments use it in turn."""
        buffers = {f"stored {name}": self.new(steps + 1) for name in self.cell.code.states}
        if self.spiking:
            buffers |= {"distance": self.new(steps), "error": self.new(steps)}
        if self.until is not None:
            buffers["active"] = self.new(steps, dtype=torch.uint8)
        return buffers


@dataclass
class Arrays:
    """The arrays of a work during a pass.

    Attributes
    ----------
    fixed : name -> array
        Without steps.
    whole : name -> array
        With a row for each step of the course.
    buffers : name -> array
        With a row for each step of a segment.
    """

    fixed: dict[str, Tensor]
    whole: dict[str, Tensor]
    buffers: dict[str, Tensor] = field(default_factory=dict)


class Caller:
    """Calls a loop for some steps; addresses are computed from those of the first step.

    Parameters
    ----------
    work : Work
    loop : str
        ``forward`` or ``backward``.
    arrays : Arrays
        Which must stay where they are.
    """

    def __init__(self, work: Work, loop: str, arrays: Arrays) -> None:
        entries: Sequence[str] = work.loops.entries[loop]
        self._call = work.loops.functions[loop].call
        self._size = work.size
        self._starts = np.zeros(len(entries), np.int64)
        # How far entries move with each step, and with each step before a segment.
        self._strides = np.zeros(len(entries), np.int64)
        self._of_buffers = np.zeros(len(entries), np.int64)
        self._steps = entries.index("@_steps")
        for position, entry in enumerate(entries):
            if entry == "@_first":
                self._starts[position] = work.course.first
                self._strides[position] = 1
            elif entry == "@_size":
                self._starts[position] = work.size
            elif entry in arrays.fixed:
                self._starts[position] = arrays.fixed[entry].data_ptr()
            elif entry != "@_steps":
                array = arrays.whole[entry] if entry in arrays.whole else arrays.buffers[entry]
                self._starts[position] = array.data_ptr()
                self._strides[position] = array.stride(0) * array.element_size()
                if entry not in arrays.whole:
                    self._of_buffers[position] = self._strides[position]

    def __call__(self, steps: slice, segment: slice) -> None:
        """Run steps of a segment for all neurons, block by block.

        Parameters
        ----------
        steps, segment : slices of steps of the course
        """
        words = self._starts + steps.start * self._strides - segment.start * self._of_buffers
        words[self._steps] = steps.stop - steps.start
        # Words are held until the calls return: they read them by their address.
        address = words.ctypes.data
        # In a single step no state is read twice: blocks would only be more calls.
        block = _BLOCK if steps.stop - steps.start > 1 else self._size
        for start in range(0, self._size, block):
            self._call(address, start, min(start + block, self._size))
