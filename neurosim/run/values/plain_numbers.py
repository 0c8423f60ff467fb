"""Plain numbers of `Run.set` by the short way: a closed loop sets an input after every step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from math import isfinite
from typing import Any

import numpy as np

from ...draws.ranges import Limits
from ...expr.tree import names
from ...ir.concrete import ConcreteNetwork
from ...ir.memory import Key, Memory
from ...ir.program import Program
from ...model.cell import Cell
from ...model.coefficients import coefficients_of_cell
from ...model.time_constants import time_constants
from ...network.populations import Population, View
from ...network.projections import Drive, Projection
from ...network.sources import limits_of_drive, limits_of_source
from ...network.validation import FloatArray
from .assignments import Assignment, Owner, declared_unit
from .coefficient_readers import CoefficientReaders

_LARGEST = float(np.finfo(np.float64).max)
_MOST_INT = 2**53  # up to here whole numbers of Python are numbers of float64


@dataclass(frozen=True)
class _Input:
    """A state, parameter or rate whose values need no checks but that of their range.

    Attributes
    ----------
    scale : float
        Engine units in the declared one.
    least, most : float
        Both included, in engine units.
    """

    scale: float
    least: float = -_LARGEST
    most: float = _LARGEST

    @cached_property
    def is_unbounded(self) -> bool:
        """Whether all finite numbers are in the range: then their squares have a finite sum, or
        one of them is very large.
        """
        return self.least == -_LARGEST and self.most == _LARGEST

    def read(self, value: object, size: int) -> FloatArray | None:
        """Return plain numbers in engine units, () or (size,); None of anything else."""
        if type(value) is np.ndarray:
            if value.shape != (size,) or value.dtype.kind not in "fiu" or not size:
                return None
            numbers = np.asarray(value, np.float64)
            if self.scale != 1.0:
                numbers = numbers * self.scale
            if self.is_unbounded and isfinite(numbers.dot(numbers)):
                return numbers
            # Not a number is in no range, and comes out of both.
            least = np.minimum.reduce(numbers)
            most = np.maximum.reduce(numbers)
        elif type(value) in (float, np.float64) or _is_small_int(value):
            numbers = np.array(value, np.float64) * self.scale
            least = most = numbers
        else:
            return None
        return numbers if self.least <= least and most <= self.most else None


def _is_small_int(value: object) -> bool:
    return type(value) is int and -_MOST_INT <= value <= _MOST_INT


class PlainNumbers:
    """Assignments of plain numbers, for which all that depends on the name was found before.

    What it does not take is left to `Assignments`, which reads every value, or says what is wrong
    with it: nothing is refused here.

    Parameters
    ----------
    network : ConcreteNetwork
    program : Program
    memory : Memory
    readers : CoefficientReaders
    """

    def __init__(
        self,
        network: ConcreteNetwork,
        program: Program,
        memory: Memory,
        readers: CoefficientReaders,
    ) -> None:
        self._network = network
        self._readers = readers
        self._program = program
        self._memory = memory
        # None: values of this name are read by `Assignments` alone.
        self._inputs: dict[Key, _Input | None] = {}
        self._names: set[Key] = set()  # that were set before

    def check(self, owner: Owner, values: Mapping[str, Any]) -> list[Assignment] | None:
        """Return the assignments of values; None if any has to be read by `Assignments`.

        Parameters
        ----------
        owner : Population, View, Projection or Drive
        values : mapping of str to object
        """
        if isinstance(owner, Projection) or not values:
            return None
        assignments = []
        for name, value in values.items():
            key = owner.name, name
            entry = self._inputs[key] if key in self._inputs else self._find_again(owner, key)
            assignment = None if entry is None else self._assignment(owner, name, value, entry)
            if assignment is None:
                return None
            assignments.append(assignment)
        return assignments

    def _find_again(self, owner: Population | View | Drive, key: Key) -> _Input | None:
        """Return what `_find` returns for a name that is set again: most names are set once."""
        if key not in self._names:
            self._names.add(key)
            return None
        self._inputs[key] = entry = self._find(owner, key[1])
        return entry

    def _assignment(
        self,
        owner: Population | View | Drive,
        name: str,
        value: object,
        entry: _Input,
    ) -> Assignment | None:
        if isinstance(owner, Drive):
            numbers = entry.read(value, len(owner.target))
            if numbers is None:
                return None
            # Memory holds the rate of all n trains of a target together.
            rates = np.atleast_1d(numbers * float(owner.n))
            return partial(self._memory.__setitem__, (owner.name, name), rates)
        numbers = entry.read(value, len(owner))
        old = self._memory[owner.name, name]
        if numbers is None:
            return None
        if isinstance(owner, View) and not owner.whole:
            if old.size < owner.population.size:
                return None  # neurons that had one value get values of their own
            new = old.copy()
            new[owner.indices] = numbers
        elif numbers.shape == old.shape:
            new = numbers
        elif numbers.ndim:
            return None
        else:
            new = np.full(old.shape, numbers)
        return partial(self._memory.write, owner.name, name, new)

    def _find(self, owner: Population | View | Drive, name: str) -> _Input | None:
        """Return the scale and range of a name; None if its values need other checks."""
        # Numbers of 4 bytes may be too large, as may constants that follow from them.
        if self._memory.dtype != np.float64 or not _is_declared(owner, name):
            return None
        scale = declared_unit(owner, name).size
        if isinstance(owner, Drive):
            limits = limits_of_drive(n=owner.n, dt=self._program.dt)
            return _within(scale, limits) if name == "rate" else None
        cell = owner.cell if isinstance(owner, Population) else owner.population.cell
        if name in self._program.populations[owner.name].code.states:
            return _Input(scale)
        if self._needs_more(owner.name, name, cell):
            return None
        limits = limits_of_source(cell, dt=self._program.dt)
        return None if limits is None else _within(scale, limits)

    def _needs_more(self, population: str, name: str, cell: Cell) -> bool:
        """Whether a parameter is a table, or others, equations or rules depend on it."""
        followers = self._network.populations[population].derived.trees
        return (
            (population, f"{name}@rows") in self._memory
            or name == self._program.populations[population].refractory
            or name in followers
            or any(name in names(tree) for tree in followers.values())
            or name in time_constants(cell)
            or any(name in c.parameters for c in coefficients_of_cell(cell))
            or self._readers.has(population, name)
        )


def _is_declared(owner: Population | View | Drive, name: str) -> bool:
    if isinstance(owner, Drive):
        return name in ("rate", "weight")
    cell = owner.cell if isinstance(owner, Population) else owner.population.cell
    return any(part.name == name for part in (*cell.states, *cell.parameters))


def _within(scale: float, limits: Limits) -> _Input:
    least = -_LARGEST if limits.least is None else limits.least
    return _Input(scale, least, _LARGEST if limits.most is None else limits.most)
