"""Connectors whose edges the user lists: arrays of positions, a sparse matrix."""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...draws.streams import Stream
from ...errors import NetworkError
from ...quantities import as_array
from ..edges import EdgeCount, Edges, IntArray, ascend


# Not compared by fields: arrays have no single truth value.
@dataclass(frozen=True, eq=False)
class from_arrays:
    """Make one edge for each entry of two arrays.

    Parameters
    ----------
    sources, targets : (E,) whole numbers
        Positions of the two ends of each edge within the two views, from 0. Arrays of weights and
        delays follow this order. A pair may occur several times.

    Raises
    ------
    NetworkError
        If the arrays differ in length or hold anything but whole numbers of at least 0; when the
        projection is added, if a position lies outside its view.
    """

    sources: NDArray[np.int64]
    targets: NDArray[np.int64]

    def __init__(self, sources: ArrayLike, targets: ArrayLike) -> None:
        object.__setattr__(self, "sources", _positions(sources, "sources"))
        object.__setattr__(self, "targets", _positions(targets, "targets"))
        if self.sources.size != self.targets.size:
            raise NetworkError(
                f"from_arrays: sources has {self.sources.size} entries and targets "
                f"{self.targets.size}, but each edge needs one of both. "
                "Give arrays of equal length."
            )

    @cached_property
    def ascending(self) -> bool:
        """Whether the edges are listed by source, then target."""
        return ascend(self.sources, self.targets)

    def count(self, n_source: int, n_target: int, *, recurrent: bool) -> EdgeCount:
        """Return the number of listed edges.

        Parameters are explained in `Connector.count`.

        Raises
        ------
        NetworkError
            If a position lies outside of its view.
        """
        ends = (("sources", self.sources, n_source), ("targets", self.targets, n_target))
        for name, positions, size in ends:
            # -1: a list without edges fits views of any size.
            largest = positions.max(initial=-1)
            if largest >= size:
                raise NetworkError(
                    f"{self.show()}: {name} holds {largest}, but the view has {size} neurons: "
                    f"expected {size - 1} or less. Positions count within the view, from 0."
                )
        return EdgeCount(self.sources.size)

    def connect(
        self,
        stream: Stream,
        sources: IntArray,
        targets: IntArray,
        *,
        recurrent: bool,
    ) -> Edges:
        """Return the listed edges.

        Parameters are explained in `Connector.connect`.

        Raises
        ------
        NetworkError
            If a position lies outside of its view.
        """
        n_source = sources.size
        n_target = targets.size
        self.count(n_source, n_target, recurrent=recurrent)
        return Edges.from_pairs(self.sources, self.targets, n_source=n_source, n_target=n_target)

    def show(self) -> str:
        """Return a short phrase for reports and messages."""
        return f"from arrays ({self.sources.size} edges)"


@dataclass(frozen=True, eq=False)
class from_sparse:
    """Make one edge for each stored entry of a sparse matrix.

    Explicit zeros and duplicates are edges, too. The stored values, in the matrix's own order, are
    the weights of a projection that names none.

    Parameters
    ----------
    matrix : (S, T) sparse matrix or array of SciPy
        Rows are sources, columns are targets; values in the unit of the port.

    Raises
    ------
    NetworkError
        If the matrix is not sparse or its values are not real; when the projection is added, if
        its shape is not that of the two views.
    """

    # The matrix itself is not stored, because its owner could change it later.
    matrix: InitVar[Any]
    shape: tuple[int, int] = field(init=False)
    pairs: from_arrays = field(init=False)
    weights: NDArray[np.float64] = field(init=False)

    def __post_init__(self, matrix: Any) -> None:
        # SciPy has many sparse classes; every one of them converts to this form.
        if not hasattr(matrix, "tocoo") or len(matrix.shape) != 2:
            raise NetworkError(
                f"from_sparse: the matrix is a {type(matrix).__name__}; expected a two-dimensional "
                "SciPy sparse matrix (sources, targets). "
                "Wrap a dense array in scipy.sparse.coo_array, or use from_arrays."
            )
        entries = matrix.tocoo()
        # Truth values are weights of 1, as in the adjacency matrix of a graph.
        if entries.data.dtype.kind not in "biuf":
            raise NetworkError(
                f"from_sparse: the stored values are {entries.data.dtype}; "
                "expected real numbers. Use their real part."
            )
        object.__setattr__(self, "shape", tuple(matrix.shape))
        object.__setattr__(self, "pairs", from_arrays(entries.row, entries.col))
        object.__setattr__(self, "weights", _read_only(entries.data, np.float64))

    def count(self, n_source: int, n_target: int, *, recurrent: bool) -> EdgeCount:
        """Return the number of stored entries.

        Parameters are explained in `Connector.count`.

        Raises
        ------
        NetworkError
            If the shape of the matrix is not (n_source, n_target).
        """
        if self.shape != (n_source, n_target):
            raise NetworkError(
                f"{self.show()}: there are {n_source} sources and {n_target} targets, "
                f"so the shape should be {(n_source, n_target)}. Rows are sources and columns are "
                "targets: transpose the matrix, or join other views."
            )
        return self.pairs.count(n_source, n_target, recurrent=recurrent)

    def connect(
        self,
        stream: Stream,
        sources: IntArray,
        targets: IntArray,
        *,
        recurrent: bool,
    ) -> Edges:
        """Return an edge for each stored entry.

        Parameters are explained in `Connector.connect`.

        Raises
        ------
        NetworkError
            If the shape of the matrix is not that of the views.
        """
        self.count(sources.size, targets.size, recurrent=recurrent)
        return self.pairs.connect(stream, sources, targets, recurrent=recurrent)

    def show(self) -> str:
        """Return a short phrase for reports and messages."""
        return f"from sparse matrix of shape {self.shape} ({self.weights.size} edges)"


def _read_only(values: ArrayLike, dtype: type[np.generic]) -> NDArray[Any]:
    """Return a copy that neither its owner nor the user can change."""
    copy = np.array(values, dtype=dtype)
    copy.setflags(write=False)
    return copy


def _positions(values: ArrayLike, name: str) -> NDArray[np.int64]:
    """Return values as (E,) positions."""
    array = as_array(values, where=f"from_arrays: {name}")
    # NumPy gives an empty list the type of floats.
    if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
        raise NetworkError(
            f"from_arrays: {name} has dtype {array.dtype} and shape {array.shape}; "
            "expected a one-dimensional array of integers. "
            "Convert whole numbers with .astype(int), a mask with np.flatnonzero."
        )
    positions = _read_only(array, np.int64)
    if positions.min(initial=0) < 0:
        raise NetworkError(
            f"from_arrays: {name} holds {positions.min()}; expected 0 or more. "
            "Positions count from the start of the view."
        )
    return positions
