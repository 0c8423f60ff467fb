"""Values of edges, drawn or ordered; ends of edges as indices of whole populations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..draws.sampling import blocks, index_type, pointer_of
from ..draws.streams import Stream, user_stream
from ..draws.values import Distribution, Shared
from ..errors import NetworkError
from ..network.edges import Edges
from ..network.projections import Projection
from ..network.wiring.pair_texts import PairText
from ..units import Unit, unit

_ARRAYS = 8  # that are needed at a time while edges move


@dataclass(frozen=True, eq=False)
class Drawn:
    """Values of edges that are drawn at each use, to save the memory of storing them.

    ``numpy.asarray`` returns them, (E,), in engine units.

    Attributes
    ----------
    distribution : Distribution
    stream : Stream
    pointer : (S + 1,) int64
        Edges of each row of the source's view.
    unit : Unit
    where : str
        Begins messages.
    """

    distribution: Distribution
    stream: Stream
    pointer: np.ndarray
    unit: Unit
    where: str

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.distribution.sample_rows(
            self.stream, self.pointer, unit=self.unit, where=self.where
        ).astype(dtype or np.float64, copy=False)

    def parts(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Draw the values in order, some rows at a time: edges, and their values."""
        return self.distribution.sample_parts(
            self.stream, self.pointer, unit=self.unit, where=self.where
        )


def to_absolute(p: Projection, edges: Edges) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return edges between whole populations instead of views.

    Returns
    -------
    pointer : (N_source + 1,) int64
    targets : (E,) uint16 or int32
        Ascending within each source.
    moved : (E,) integers or None
        ``moved[e]``: position of edge e before view indices were mapped to population indices;
        None: order unchanged.
    """
    source = p.source.indices
    target = p.target.indices
    dtype = index_type(int(target.max()) + 1)
    counts = np.zeros(p.source.population.size, np.int64)
    counts[source] = np.diff(edges.pointer)
    pointer = pointer_of(counts)
    # Ascending views keep the order of edges: only the numbers of neurons change.
    if p.source.ascending and p.target.ascending:
        if target[-1] == target.size - 1:  # the view is the whole population, or its beginning
            return pointer, edges.target.astype(dtype, copy=False), None
        targets = np.empty(edges.target.size, dtype)
        for block in blocks(targets.size, width=1):
            targets[block] = target[edges.target[block]]
        return pointer, targets, None
    targets = np.empty(edges.target.size, dtype)
    moved = np.empty(targets.size, np.int32 if targets.size < 2**31 else np.int64)
    rows = np.argsort(source)
    old_begins = edges.pointer[rows]
    new_begins = pointer_of(np.diff(edges.pointer)[rows])
    # Some rows at a time: sorting all edges at once would take several arrays of their length.
    for block in blocks(rows.size, width=max(1, _ARRAYS * edges.target.size // rows.size)):
        positions = np.arange(new_begins[block.start], new_begins[block.stop])
        row = np.searchsorted(new_begins, positions, side="right") - 1
        old_positions = positions - new_begins[row] + old_begins[row]
        neurons = target[edges.target[old_positions]]
        # A stable sort: edges of one pair stay in the order of the user's weights.
        order = np.lexsort((neurons, row))
        targets[positions], moved[positions] = neurons[order], old_positions[order]
    return pointer, targets, moved


@dataclass(frozen=True, eq=False)
class EdgeValues:
    """Draws values of edges, or sorts the user's arrays like the edges.

    A value is drawn for a row of the source's view and a position within the row.

    Attributes
    ----------
    pointer : (S + 1,) int64
        Edges of each row of the source's view.
    order : (E,) indices or None
        The connector's order of the user's edges; None: the user's own order.
    moved : (E,) integers or None
        See `to_absolute`.
    absolute : (N_source + 1,) int64
        Edges of each source in the order of the network's edges.
    targets : (E,) indices
        Target of each edge, in the order of the network's edges.
    where : str
        Begins messages.
    """

    projection: Projection
    pointer: np.ndarray
    order: np.ndarray | None
    moved: np.ndarray | None
    seed: int
    absolute: np.ndarray
    targets: np.ndarray
    where: str

    @property
    def count(self) -> int:
        """Number of edges."""
        return int(self.pointer[-1])

    def __call__(
        self,
        name: str,
        value: Any,
        declared: Unit,
        *,
        redrawn: bool = False,
        named: bool = False,
    ) -> Any:
        """Return the values of all edges.

        Parameters
        ----------
        name : str
            Names the stream of draws.
        value : number, (E,), Shared, PairText or Distribution
        declared : Unit
            Unit of draws. The projection itself has that of a weight.
        redrawn : bool
            Whether draws may be returned as `Drawn`.
        named : bool
            Whether the name is a variable or parameter of the user's rule.

        Returns
        -------
        number, (E,), Shared or Drawn

        Raises
        ------
        NetworkError
            If an array does not match the number of edges.
        """
        where = f"{self.where}, {name}"
        if isinstance(value, Shared):
            index = value.index.astype(index_type(len(value.values)), copy=False)
            return Shared(value.values, self._arrange(index, where))
        if isinstance(value, np.ndarray):
            return self._arrange(np.asarray(value, np.float64), where)
        owner = self.projection.name
        stream = Stream(self.seed, f"{owner}/{name}")
        if named:
            stream = user_stream(self.seed, owner, name, of="projection")
        if isinstance(value, PairText):
            # Texts follow neurons, not positions: no value has to move.
            return value.at(
                stream,
                sources=np.arange(self.absolute.size - 1, dtype=np.int32),
                pointer=self.absolute,
                targets=self.targets,
            )
        if not isinstance(value, Distribution):
            return value
        of_weight = name == "weight" and not named
        drawn = Drawn(
            distribution=value,
            stream=stream,
            pointer=self.pointer,
            unit=_weight_unit(self.projection) if of_weight else declared,
            where=where,
        )
        # Draws follow the positions within the view, so values that moved have to be stored.
        if self.moved is not None:
            return _gather(drawn, self.moved)
        return drawn if redrawn else np.asarray(drawn)

    def _arrange(self, values: np.ndarray, where: str) -> np.ndarray:
        """Return the user's values in the order of edges, as an array that is not shared."""
        if values.size != self.count:
            raise NetworkError(
                f"{where}: found an array of length {values.size}, expected one for each of "
                f"{self.count} edges. Correct its length."
            )
        places = [array for array in (self.moved, self.order) if array is not None]
        # A copy, since a run changes weights and the user's array must not follow.
        return _gather(values, *places) if places else values.copy()


def _gather(values: np.ndarray | Drawn, *places: np.ndarray) -> np.ndarray:
    """Return values at places, or at places among places, as an array of its own."""
    count = places[0].size
    result = np.empty(count, values.dtype if isinstance(values, np.ndarray) else np.float64)
    array = np.asarray(values)  # above the result, so that its memory is used again
    # In blocks: NumPy turns all places at once into integers of 8 bytes.
    for block in blocks(count, width=1):
        at = places[0][block]
        for more in places[1:]:
            at = more[at]
        result[block] = array[at]
    return result


def _weight_unit(p: Projection) -> Unit:
    if p.rule is not None:
        return next(v.unit for v in p.rule.edge if v.name == "w")
    if p.port is None:
        raise NetworkError(f"projection {p.name!r}: found no port, expected one. Name a port.")
    return unit(p.target.population.cell.port(p.port).unit)
