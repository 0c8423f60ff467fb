"""The parts of a network as its author sees them: populations, views, projections, drives, probes and references to their values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..draws.streams import Stream
from ..errors import NetworkError, describe, describe_unknown
from ..model.binding import BoundRule
from ..model.cell import Cell
from ..model.rule import Rule
from ..units import Unit
from .wiring import Connector, EdgeCount, Edges

IntArray = np.ndarray


@dataclass(frozen=True, eq=False)
class Reference:
    """A state or parameter of a population, or a variable of a projection, for links."""

    owner: View | Projection
    name: str
    along: Any = None

    def by(self, along: Any) -> Reference:
        """Say which value an edge reads: ``"source"``, ``"target"``, or an index for each edge."""
        if not isinstance(along, str):
            along = np.asarray(along)
            if along.ndim != 1 or along.dtype.kind not in "iu":
                raise NetworkError(
                    f"link to {self.name!r}: .by() found an array of {along.dtype} with shape {along.shape}, "
                    "expected one whole index for each edge. Give whole numbers."
                )
        elif along not in ("source", "target"):
            raise NetworkError(
                f"link to {self.name!r}: .by() found {describe(along)}, expected 'source', 'target' or an index array. Give one of these."
            )
        return replace(self, along=along)


@dataclass(frozen=True, eq=False)
class Population:
    """A number of equal neurons (or astrocytes). Made by `Network.population`.

    ``population["v"]`` refers to a state for links; slices, masks and index lists give views.
    """

    name: str
    size: int
    cell: Cell
    values: dict[str, Any]
    positions: np.ndarray | None = None
    given: tuple[np.ndarray, np.ndarray] | None = (
        None  # (steps, indices) of a source of given spikes
    )

    def __getitem__(self, key: Any) -> Any:
        return self.view[key]

    def __len__(self) -> int:
        return self.size

    @property
    def view(self) -> View:
        """All of it as a view."""
        return View(self)

    def __repr__(self) -> str:
        return f"<population {self.name!r}: {self.size} x {self.cell.name}>"


@dataclass(frozen=True, eq=False)
class View:
    """Some neurons of a population, in the given order; ``chosen`` None: all of them."""

    population: Population
    chosen: IntArray | None = None

    @cached_property
    def indices(self) -> IntArray:
        """Neurons within the population, (M,) int32; made when first needed, for a view of all takes no memory."""
        return (
            np.arange(self.population.size, dtype=np.int32) if self.chosen is None else self.chosen
        )

    def __len__(self) -> int:
        return self.population.size if self.chosen is None else len(self.chosen)

    @property
    def name(self) -> str:
        """Name of the population."""
        return self.population.name

    @cached_property
    def whole(self) -> bool:
        """Whether the view is the population itself, in order."""
        return (
            self.chosen is None
            or len(self) == self.population.size
            and bool((np.diff(self.chosen) == 1).all())
        )

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            cell = self.population.cell
            valid = [s.name for s in (*cell.states, *cell.parameters)]
            if key not in valid:
                raise NetworkError(
                    describe_unknown(
                        "state or parameter", key, valid, owner=f"population {self.name!r}"
                    )
                )
            return Reference(self, key)
        return View(self.population, self._select(key).astype(np.int32))

    def _select(self, key: Any) -> IntArray:
        place = f"view of population {self.name!r}: {describe(key)}"
        try:
            at = (
                key
                if isinstance(key, slice)
                else np.atleast_1d(
                    np.asarray(key, int if isinstance(key, list) and not key else None)
                )
            )
            if not isinstance(at, slice) and (
                at.ndim != 1 or at.dtype.kind not in "iub" or isinstance(key, bool)
            ):
                raise IndexError("neither a slice, nor a mask, nor whole numbers in one dimension")
            indices = self.indices[at]
        except (IndexError, TypeError, ValueError) as error:
            raise NetworkError(
                f"{place} does not select from {len(self)} neurons ({error}). "
                "Use a slice, a mask of that length, or indices below it."
            ) from None
        if len(indices) == 0:
            raise NetworkError(
                f"{place} selects no neuron, expected at least one of {len(self)}. Change the selection."
            )
        if len(np.unique(indices)) != len(indices):
            raise NetworkError(
                f"{place} selects a neuron twice, expected each neuron once. Remove the repeated ones."
            )
        return indices

    def __repr__(self) -> str:
        return f"<view of {self.name!r}: {len(self)} of {self.population.size} neurons>"


@dataclass(frozen=True, eq=False)
class Projection:
    """Edges from one population to another. Made by `Network.project`.

    ``weight`` and ``delay`` are numbers in engine units, arrays, or draws; None where the connector or rule gives them.
    """

    name: str
    source: View
    target: View
    connector: Connector
    weight: Any
    delay: Any
    dendritic_fraction: float
    back: Any
    round_delays: bool
    same_step: bool
    port: str | None
    rule: Rule | None
    bound: BoundRule | None
    links: dict[str, Reference]
    values: dict[str, Any]

    @property
    def recurrent(self) -> bool:
        """Whether source and target are neurons of one population."""
        return self.source.population is self.target.population

    def edge_count(self) -> EdgeCount:
        """Return how many edges there will be, as far as it is known before any draw."""
        return self.connector.count(len(self.source), len(self.target), recurrent=self.recurrent)

    def connect(self, seed: int) -> Edges:
        """Draw the edges. Positions count within the two views."""
        stream = Stream(seed, f"{self.name}/edges")
        sources, targets = self.source.indices, self.target.indices
        try:
            edges = self.connector.connect(stream, sources, targets, recurrent=self.recurrent)
            if not isinstance(edges, Edges):
                raise NetworkError(
                    f"{self.connector.show()}: connect returned {describe(edges)}, expected Edges. "
                    "Make them with ns.Edges.from_pairs."
                )
            if not edges.trusted:
                edges.check(sources.size, targets.size)
        except NetworkError as error:
            where = f"projection {self.name!r} ({self.source.name} -> {self.target.name})"
            raise NetworkError(f"{where}: {error}") from None
        return edges

    def __getitem__(self, key: str) -> Reference:
        if not isinstance(key, str):
            raise NetworkError(
                f"projection {self.name!r}: found [{key!r}], expected the name of a variable: projections have no views. "
                "Record some of the edges with record(..., edges=[...]); set them all, with one value per edge."
            )
        valid = (
            []
            if self.rule is None
            else [v.name for v in (*self.rule.pre, *self.rule.post, *self.rule.parameters)]
        )
        if key not in valid:
            raise NetworkError(
                describe_unknown(
                    "pre or post variable", key, valid, owner=f"projection {self.name!r}"
                )
            )
        return Reference(self, key)

    def __repr__(self) -> str:
        rule = f", rule {self.rule.name}" if self.rule else ""
        return f"<projection {self.name!r}: {self.source.name} -> {self.target.name}, {self.connector.show()}{rule}>"


@dataclass(frozen=True, eq=False)
class Drive:
    """Poisson counts of ``n`` independent trains added to a port in every step. Made by `Network.poisson_drive`."""

    name: str
    target: View
    port: str
    n: int
    rate: Any
    weight: Any

    def __repr__(self) -> str:
        return f"<drive {self.name!r}: {self.n} Poisson trains -> {self.target.name}>"


@dataclass(frozen=True, eq=False)
class Probe:
    """What is recorded: spikes, or a variable every so many steps."""

    owner: View | Projection
    variable: str
    unit: Unit | None
    every: int = 1
    edges: IntArray | None = field(default=None)
