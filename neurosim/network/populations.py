"""Populations of equal neurons, and views of some of their neurons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from ..errors import NetworkError, describe, describe_unknown
from ..model.cell import Cell
from ..quantities import as_array
from .edges import IntArray
from .references import Reference

Selection: TypeAlias = slice | int | Sequence[int] | Sequence[bool] | NDArray[Any]
"""A slice, an index, indices, or a mask."""


# Two populations of equal cells are still two: they compare by identity.
@dataclass(frozen=True, eq=False)
class Population:
    """A number of equal neurons (or astrocytes); `Network.population` returns it.

    ``population["v"]`` refers to a state or parameter for links of rules. A slice, a mask or a list
    of indices gives a view: ``population[:100]``.

    Attributes
    ----------
    name : str
    size : int
        Number of neurons, N.
    cell : Cell
    values : dict
        Parameters and initial values by name, in engine units: numbers, arrays (N,), draws, tables
        over time, and expressions.
    positions : (N, 3), um, or None
    source_spikes : two arrays (S,), or None
        Steps and neurons of the spikes of a spike source, sorted by step, then neuron.
    """

    name: str
    size: int
    cell: Cell
    values: dict[str, Any]
    positions: np.ndarray | None = None
    source_spikes: tuple[np.ndarray, np.ndarray] | None = None

    @overload
    def __getitem__(self, key: str) -> Reference: ...

    @overload
    def __getitem__(self, key: Selection) -> View: ...

    def __getitem__(self, key: str | Selection) -> Reference | View:
        return self.view[key]

    def by(self, along: object) -> Reference:
        """Raise, as `View.by` does."""
        return self.view.by(along)

    def __len__(self) -> int:
        return self.size

    @property
    def view(self) -> View:
        """All neurons as a view."""
        return View(self)

    def __repr__(self) -> str:
        return f"<population {self.name!r}: {self.size} x {self.cell.name}>"

    def _ipython_key_completions_(self) -> list[str]:
        return self.view._ipython_key_completions_()


@dataclass(frozen=True, eq=False)
class View:
    """Some neurons of a population, in an order of their own.

    ``view["v"]`` refers to a state or parameter for links of rules; a slice, a mask or a list of
    indices gives a view of the view.

    Attributes
    ----------
    population : Population
    chosen : (M,) int32, or None
        Indices of the neurons; None: all of them.
    """

    population: Population
    chosen: IntArray | None = None

    @cached_property
    def indices(self) -> IntArray:
        """Neurons within the population, (M,) int32."""
        # Not made before it is needed: a view of all neurons takes no memory.
        if self.chosen is None:
            return np.arange(self.population.size, dtype=np.int32)
        return self.chosen

    def __len__(self) -> int:
        return self.population.size if self.chosen is None else len(self.chosen)

    @property
    def name(self) -> str:
        """Name of the population."""
        return self.population.name

    @property
    def label(self) -> str:
        """Name of the population, with the slice if the view is a regular one: ``a[10:20]``."""
        if self.whole:
            return self.name
        first = int(self.indices[0])
        last = int(self.indices[-1])
        if len(self) == 1:
            return f"{self.name}[{first}]"
        step = int(self.indices[1]) - first
        # Other views have no short name; names that clash get a number.
        if step < 1 or (np.diff(self.indices) != step).any():
            return self.name
        stride = f":{step}" if step > 1 else ""
        return f"{self.name}[{first}:{last + 1}{stride}]"

    @cached_property
    def whole(self) -> bool:
        """Whether the view is the population itself, in order."""
        if self.chosen is None:
            return True
        # A view may hold all neurons in another order, and then positions are not indices.
        return len(self) == self.population.size and bool((np.diff(self.chosen) == 1).all())

    @cached_property
    def ascending(self) -> bool:
        """Whether the neurons are in the order of their population."""
        return self.chosen is None or bool((np.diff(self.chosen) > 0).all())

    @overload
    def __getitem__(self, key: str) -> Reference: ...

    @overload
    def __getitem__(self, key: Selection) -> View: ...

    def __getitem__(self, key: str | Selection) -> Reference | View:
        if not isinstance(key, str):
            return View(self.population, self._select(key).astype(np.int32))
        valid = self._ipython_key_completions_()
        if key not in valid:
            owner = f"population {self.name!r}"
            raise NetworkError(describe_unknown("state or parameter", key, valid, owner=owner))
        return Reference(self, key)

    def by(self, along: object) -> Reference:
        """Raise, with the way out: a link is to a value of neurons.

        Raises
        ------
        NetworkError
        """
        values = self._ipython_key_completions_()
        example = values[0] if values else "v"
        raise NetworkError(
            f"population {self.name!r}: found .by({describe(along)}) of neurons, expected it of "
            f"one of their values. Name the value: population[{example!r}].by({describe(along)})."
        )

    def _ipython_key_completions_(self) -> list[str]:
        cell = self.population.cell
        return [part.name for part in (*cell.states, *cell.parameters, *cell.observable)]

    def _select(self, key: Selection) -> IntArray:
        """Return the neurons that a key selects, (M,), each of them once."""
        where = f"view of population {self.name!r}: {describe(key)}"
        try:
            indices = self.indices[key if isinstance(key, slice) else _read_selection(key)]
        except (IndexError, TypeError, ValueError) as error:
            raise NetworkError(
                f"{where} does not select from {len(self)} neurons ({error}). "
                "Use a slice, a mask of that length, or indices below it."
            ) from error.__cause__
        if len(indices) == 0:
            raise NetworkError(
                f"{where} selects no neuron, expected at least one of {len(self)}. "
                "Change the selection."
            )
        # Positions within a view must map to neurons one to one: autapses are found by them.
        if len(np.unique(indices)) != len(indices):
            raise NetworkError(
                f"{where} selects a neuron twice, expected each neuron once. "
                "Remove the repeated ones."
            )
        return indices

    def __repr__(self) -> str:
        return f"<view of {self.name!r}: {len(self)} of {self.population.size} neurons>"


def _read_selection(key: int | Sequence[int] | Sequence[bool] | NDArray[Any]) -> NDArray[Any]:
    """Return indices or a mask, one-dimensional."""
    empty = isinstance(key, list) and not key  # NumPy would make it an array of floats
    selection = np.atleast_1d(np.zeros(0, int) if empty else as_array(key, where="view"))
    # A single True is neither an index nor a mask.
    whole = selection.dtype.kind in "iub" and not isinstance(key, bool)
    if selection.ndim != 1 or not whole:
        raise IndexError("neither a slice, nor a mask, nor whole numbers in one dimension")
    return selection
