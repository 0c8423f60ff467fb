"""The edges of a projection, their number before any draw, and the protocol of connectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..draws.sampling import blocks, index_type, sort_keys
from ..draws.streams import Stream
from ..errors import NetworkError

IntArray = NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Edges:
    """The edges of one projection, sorted by source, then target; equal pairs keep their order.

    A position counts within one of the two views that the projection joins. S sources, T targets,
    E edges.

    Attributes
    ----------
    pointer : (S + 1,) int64
        Edges ``pointer[s]`` to ``pointer[s + 1]`` leave the source at position s.
    target : (E,) integers
        Position of each edge's target, ascending within the edges of a source. uint16 takes half
        the memory of int32 and serves up to 65536 targets.
    order : (E,) integers, optional
        Edge e is entry ``order[e]`` of arrays of weights or delays that the user passes;
        None: entry e.
    trusted : bool
        Whether the network may take these edges unchecked. A check takes a nanosecond per edge.
    """

    pointer: NDArray[np.int64]
    target: IntArray
    order: IntArray | None = None
    trusted: bool = False

    @classmethod
    def from_pairs(
        cls,
        sources: ArrayLike,
        targets: ArrayLike,
        *,
        n_source: int,
        n_target: int,
    ) -> Edges:
        """Return edges that are listed one by one, in any order.

        Parameters
        ----------
        sources, targets : (E,) integers
            Positions of the two ends of each edge. Arrays of weights and delays follow this order.
        n_source, n_target : int
            Number of sources and of targets.

        Raises
        ------
        NetworkError
            If a position is negative or not below the number of neurons.
        """
        _check_positions(np.asarray(sources), n_source, end="sources")
        _check_positions(np.asarray(targets), n_target, end="targets")
        sources, targets = np.asarray(sources, np.int64), np.asarray(targets, np.int64)
        target = targets.astype(index_type(n_target))
        # Sorted lists, such as those of sparse matrices by rows, save the sort and the order.
        if ascend(sources, targets):
            pointer = np.searchsorted(sources, np.arange(n_source + 1))
            return cls(pointer, target, trusted=True)
        # Two stable sorts by counting: equal pairs keep the order of their weights.
        _, by_target = sort_keys(target, below=n_target)
        source = np.empty(target.size, index_type(n_source))
        for block in blocks(source.size, width=1):
            source[block] = sources[by_target[block]]
        pointer, by_source = sort_keys(source, below=n_source)
        for block in blocks(by_source.size, width=1):
            by_source[block] = by_target[by_source[block]]
        # Arrays that are as long as all edges are used again: what is freed between arrays that
        # stay goes back to the system only if it is large.
        order = by_target
        order[...] = by_source
        for block in blocks(order.size, width=1):
            target[block] = targets[order[block]]
        return cls(pointer, target, order, trusted=True)

    def source(self) -> NDArray[np.int32]:
        """Return the position of each edge's source, (E,)."""
        return np.repeat(np.arange(self.pointer.size - 1, dtype=np.int32), np.diff(self.pointer))

    def check(self, n_source: int, n_target: int) -> None:
        """Check that these are well-formed edges.

        Parameters
        ----------
        n_source, n_target : int
            Number of sources and of targets.

        Raises
        ------
        NetworkError
            If the pointer does not ascend from 0 to E with S + 1 entries, or targets do not ascend
            within a source, or a target is not below ``n_target``.
        """
        if self.pointer.shape != (n_source + 1,) or self.target.ndim != 1:
            raise NetworkError(
                f"edges: found a pointer of shape {self.pointer.shape} and targets of shape "
                f"{self.target.shape}, expected ({n_source + 1},) and (E,). "
                "Give a pointer with one entry per source and one more."
            )
        ends = int(self.pointer[0]), int(self.pointer[-1])
        if ends != (0, self.target.size) or (np.diff(self.pointer) < 0).any():
            raise NetworkError(
                f"edges: found a pointer from {ends[0]} to {ends[1]}, expected one that ascends "
                f"from 0 to the number of edges, {self.target.size}. "
                "Count the edges of each source."
            )
        _check_positions(self.target, n_target, end="targets")
        self._check_order()

    def _check_order(self) -> None:
        """Raise NetworkError unless targets ascend within the edges of each source."""
        for block in blocks(max(self.target.size - 1, 0), width=1):
            before = self.target[block]
            after = self.target[block.start + 1 : block.stop + 1]
            starts = np.flatnonzero(after < before) + block.start + 1
            # A target may be below the one before it only at the first edge of a source.
            if (self.pointer[np.searchsorted(self.pointer, starts)] != starts).any():
                raise NetworkError(
                    "edges: found targets that do not ascend within the edges of a source, "
                    "expected ascending positions. Sort them, or use Edges.from_pairs."
                )


def ascend(sources: IntArray, targets: IntArray) -> bool:
    """Return whether pairs of positions are sorted by source, then target."""
    for block in blocks(max(sources.size - 1, 0), width=1):
        after = slice(block.start + 1, block.stop + 1)
        same = sources[block] == sources[after]
        if not (
            (sources[block] < sources[after]) | same & (targets[block] <= targets[after])
        ).all():
            return False
    return True


def append(array: IntArray, parts: Sequence[IntArray]) -> IntArray:
    """Return an array with parts behind it, in its own memory where the system can extend that."""
    first = array.size
    array.resize(first + sum(part.size for part in parts), refcheck=False)
    for part in parts:
        array[first : first + part.size] = part
        first += part.size
    return array


def _check_positions(positions: IntArray, size: int, *, end: str) -> None:
    if positions.size and (positions.min() < 0 or positions.max() >= size):
        raise NetworkError(
            f"edges: found {end} from {positions.min()} to {positions.max()}, expected positions "
            f"from 0 to {size - 1}. Positions count within the view."
        )


@dataclass(frozen=True)
class EdgeCount:
    """How many edges a connector makes, as far as it is known before any draw.

    Attributes
    ----------
    most : number
        Edges to reserve memory for. Of a random number: its mean plus six standard deviations.
    exact : bool
        Whether there are always as many. Arrays of weights and delays are then checked when the
        projection is added, else when the network is prepared.
    """

    most: float
    exact: bool = True

    @property
    def known(self) -> int | None:
        """The number of edges; None if it is random."""
        return int(self.most) if self.exact else None


@runtime_checkable
class Connector(Protocol):
    """The wiring of a projection: any object with these three methods.

    A connector that has weights of its own has them as an attribute ``weights``, (E,) in the unit
    of the port, for projections that name none.

    Examples
    --------
    Each source connects to its next ``n`` neighbours on a ring::

        @dataclass(frozen=True)
        class ring:
            n: int

            def count(self, n_source, n_target, *, recurrent):
                return ns.EdgeCount(n_source * self.n)

            def connect(self, stream, sources, targets, *, recurrent):
                source = np.repeat(np.arange(sources.size), self.n)
                step = np.tile(np.arange(1, self.n + 1), sources.size)
                return ns.Edges.from_pairs(
                    source,
                    (source + step) % targets.size,
                    n_source=sources.size,
                    n_target=targets.size,
                )

            def show(self):
                return f"ring of {self.n}"
    """

    def count(self, n_source: int, n_target: int, *, recurrent: bool) -> EdgeCount:
        """Return how many edges there will be, without drawing any.

        Parameters
        ----------
        n_source, n_target : int
            Number of sources and of targets.
        recurrent : bool
            Whether both are neurons of one population.

        Raises
        ------
        NetworkError
            If so many neurons cannot be joined in this way. The message begins with the connector;
            the network prepends the projection.
        """
        ...

    def connect(
        self,
        stream: Stream,
        sources: IntArray,
        targets: IntArray,
        *,
        recurrent: bool,
    ) -> Edges:
        """Return the edges between two views.

        Parameters
        ----------
        stream : Stream
            The only source of chance: its draws depend on the seed of the network and the name of
            the projection. The result should depend on nothing else but the arguments.
        sources : (S,) integers
            Indices of the neurons within their population: distinct, in any order. As the rows of
            the stream they make the draws of a neuron independent of the view.
        targets : (T,) integers
            The same of the targets.
        recurrent : bool
            Whether both are neurons of one population. An edge between equal indices is then an
            autapse.

        Raises
        ------
        NetworkError
            As for `count`, and if there are too few neurons.
        """
        ...

    def show(self) -> str:
        """Return a short phrase for reports and messages, such as ``"all to all"``."""
        ...
