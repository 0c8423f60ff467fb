"""Edges of a network whose draws are made: their ends within whole populations, and the values that each has of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..draws.sampling import blocks, index_type, pointer_of
from ..draws.streams import Stream
from ..draws.values import Distribution, Shared
from ..errors import NetworkError
from ..network.projections import Projection
from ..network.wiring import Edges
from ..units import Unit, unit


@dataclass(frozen=True, eq=False)
class Drawn:
    """Initial values of edges, drawn whenever they are asked for: kept, they would take as much memory as the values of a run.

    ``numpy.asarray`` gives them, (E,), in engine units.
    """

    distribution: Distribution
    stream: Stream
    pointer: np.ndarray  # of rows in the source's view
    unit: Unit
    where: str

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.distribution.sample_rows(
            self.stream, self.pointer, unit=self.unit, where=self.where
        ).astype(dtype or np.float64, copy=False)


def absolute(p: Projection, edges: Edges) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return row pointer and targets over whole populations, and how edges moved (None: not at all)."""
    n, source, target = p.source.population.size, p.source.indices, p.target.indices
    kind = index_type(int(target.max()) + 1)
    rows = np.argsort(source)
    counts = np.zeros(n, np.int64)
    counts[source] = np.diff(edges.pointer)
    pointer = pointer_of(counts)
    if (np.diff(source) > 0).all() and (np.diff(target) > 0).all():
        if target[-1] == target.size - 1:
            return pointer, edges.target.astype(kind, copy=False), None
        targets = np.empty(edges.target.size, kind)
        for block in blocks(targets.size, width=1):
            targets[block] = target[edges.target[block]]
        return pointer, targets, None
    targets, moved = np.empty(edges.target.size, kind), np.empty(edges.target.size, np.int64)
    begins, place = edges.pointer[rows], pointer_of(np.diff(edges.pointer)[rows])
    for block in blocks(rows.size, width=max(1, edges.target.size // rows.size)):
        there = np.arange(place[block.start], place[block.stop])
        row = np.searchsorted(place, there, side="right") - 1
        edge = there - place[row] + begins[row]
        found = target[edges.target[edge]]
        order = np.lexsort((found, row))
        targets[there], moved[there] = found[order], edge[order]
    return pointer, targets, moved


@dataclass(frozen=True, eq=False)
class EdgeValues:
    """Draws or arranges values per edge: drawn by (source position, position within the row); arrays as the user ordered them.

    `order` is that of the connector, `moved` says where edges stood before indices became absolute; None: they stand as they stood.
    """

    projection: Projection
    pointer: np.ndarray
    order: np.ndarray | None
    moved: np.ndarray | None
    seed: int
    where: str

    @property
    def count(self) -> int:
        return int(self.pointer[-1])

    def __call__(self, name: str, value: Any, declared: Unit, *, again: bool = False) -> Any:
        """Return a number as it is, else an array or, where it can be drawn `again`, that which draws it."""
        where = f"{self.where}, {name}"
        if isinstance(value, Shared):
            return Shared(value.values, self._arranged(value.index, where))
        if isinstance(value, np.ndarray):
            return self._arranged(np.asarray(value, np.float64), where)
        if not isinstance(value, Distribution):
            return value
        if name == "weight":
            declared = _weight_unit(self.projection)
        drawn = Drawn(
            value,
            Stream(self.seed, f"{self.projection.name}/{name}"),
            self.pointer,
            declared,
            where,
        )
        if self.moved is not None:
            return np.asarray(drawn)[self.moved]
        return drawn if again else np.asarray(drawn)

    def _arranged(self, values: np.ndarray, where: str) -> np.ndarray:
        """Return the user's values in the order of edges, as an array of our own."""
        if values.size != self.count:
            raise NetworkError(
                f"{where}: found an array of length {values.size}, expected one for each of {self.count} edges. Correct its length."
            )
        if self.order is not None:
            values = values[self.order]
        return values.copy() if self.moved is None else values[self.moved]


def _weight_unit(p: Projection) -> Unit:
    if p.rule is not None:
        return next(v.unit for v in p.rule.edge if v.name == "w")
    return unit(p.target.population.cell.port(p.port).unit)
