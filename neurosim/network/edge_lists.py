"""Connectors whose edges the user gives: arrays of positions, a sparse matrix."""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..draws.sampling import blocks, index_type
from ..draws.streams import Stream
from ..errors import NetworkError
from .connectors import Edges, IntArray


@dataclass(frozen=True, eq=False)
class from_arrays:
    """Make one edge for each entry of `sources` and `targets`, (E,) positions within the two views."""

    sources: IntArray
    targets: IntArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "sources", _positions(self.sources, "sources"))
        object.__setattr__(self, "targets", _positions(self.targets, "targets"))
        if self.sources.size != self.targets.size:
            raise NetworkError(
                f"from_arrays: sources has {self.sources.size} entries and targets {self.targets.size}, "
                "but each edge needs one of both. Give arrays of equal length."
            )

    def connect(
        self, stream: Stream, sources: IntArray, targets: IntArray, *, recurrent: bool
    ) -> Edges:
        for name, given, view in (
            ("sources", self.sources, sources),
            ("targets", self.targets, targets),
        ):
            largest = given.max(initial=-1)
            if largest >= view.size:
                raise NetworkError(
                    f"{self.show()}: {name} holds {largest}, but the view has {view.size} neurons: expected {view.size - 1} or less. "
                    "Positions count within the view, from 0."
                )
        pairs = self.sources * targets.size + self.targets
        if np.all(pairs[:-1] <= pairs[1:]):
            return _from_pairs(pairs, sources.size, targets.size)
        order = np.argsort(pairs, kind="stable")
        return _from_pairs(pairs[order], sources.size, targets.size, order=order)

    def expected(self, n_source: int, n_target: int) -> float:
        return float(self.sources.size)

    def show(self) -> str:
        return f"from arrays ({self.sources.size} edges)"


@dataclass(frozen=True, eq=False)
class from_sparse:
    """Make one edge for each stored entry of a SciPy sparse matrix (S, T), explicit zeros and duplicates included.

    `weights` (E,) holds the stored values in the matrix's own order, for a projection that is given none.
    """

    matrix: InitVar[Any]
    shape: tuple[int, int] = field(init=False)
    pairs: from_arrays = field(init=False)
    weights: NDArray[np.float64] = field(init=False)

    def __post_init__(self, matrix: Any) -> None:
        if not hasattr(matrix, "tocoo") or len(matrix.shape) != 2:
            raise NetworkError(
                f"from_sparse: the matrix is a {type(matrix).__name__}; expected a two-dimensional SciPy sparse matrix (sources, targets). "
                "Wrap a dense array in scipy.sparse.coo_array, or use from_arrays."
            )
        entries = matrix.tocoo()
        if entries.data.dtype.kind not in "biuf":
            raise NetworkError(
                f"from_sparse: the stored values are {entries.data.dtype}; expected real numbers. Use their real part."
            )
        object.__setattr__(self, "shape", tuple(matrix.shape))
        object.__setattr__(self, "pairs", from_arrays(entries.row, entries.col))
        object.__setattr__(self, "weights", _frozen(entries.data, np.float64))

    def connect(
        self, stream: Stream, sources: IntArray, targets: IntArray, *, recurrent: bool
    ) -> Edges:
        if self.shape != (sources.size, targets.size):
            raise NetworkError(
                f"{self.show()}: there are {sources.size} sources and {targets.size} targets, so the shape should be "
                f"{(sources.size, targets.size)}. Rows are sources and columns are targets: transpose the matrix, or join other views."
            )
        return self.pairs.connect(stream, sources, targets, recurrent=recurrent)

    def expected(self, n_source: int, n_target: int) -> float:
        return self.pairs.expected(n_source, n_target)

    def show(self) -> str:
        return f"from sparse matrix of shape {self.shape} ({self.weights.size} edges)"


def _frozen(values: Any, dtype: type[np.generic]) -> NDArray[Any]:
    """Return a copy that neither its owner nor the user can change."""
    copy = np.array(values, dtype=dtype)
    copy.setflags(write=False)
    return copy


def _positions(given: Any, name: str) -> NDArray[np.int64]:
    """Return `given` as (E,) positions."""
    found = np.asarray(given)
    if found.ndim != 1 or (found.dtype.kind not in "iu" and found.size):
        raise NetworkError(
            f"from_arrays: {name} has dtype {found.dtype} and shape {found.shape}; expected a one-dimensional array of integers. "
            "Convert whole numbers with .astype(int), a mask with np.flatnonzero."
        )
    positions = _frozen(found, np.int64)
    if positions.min(initial=0) < 0:
        raise NetworkError(
            f"from_arrays: {name} holds {positions.min()}; expected 0 or more. Positions count from the start of the view."
        )
    return positions


def _from_pairs(
    pairs: NDArray[np.int64],
    n_source: int,
    n_target: int,
    *,
    order: NDArray[np.int64] | None = None,
) -> Edges:
    """Return the edges for ascending `pairs`, (E,), each being source * n_target + target."""
    pointer = np.searchsorted(pairs, np.arange(n_source + 1) * n_target)
    target = np.empty(pairs.size, index_type(n_target))
    for block in blocks(pairs.size, width=1):
        target[block] = pairs[block] % n_target
    return Edges(pointer, target, order)
