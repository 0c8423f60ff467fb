"""References to values of populations and projections, which the links of rules read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from numpy.typing import ArrayLike

from ..errors import NetworkError, describe
from ..quantities import as_array
from .edges import IntArray


class Named(Protocol):
    """A view of a population, or a projection: both make references to their values."""

    @property
    def name(self) -> str: ...


@dataclass(frozen=True, eq=False)
class Reference:
    """A state or parameter of a population, or a variable of a projection, for links of rules.

    Attributes
    ----------
    owner : View or Projection
    name : str
    along : "source", "target", (E,) integers or None
        Which value an edge reads; see `by`. None: the only one.
    which : (N,) integers, optional
        With "source" or "target": the value that belongs to each of these neurons.
    """

    # A protocol: views and projections make references, and importing them would be a circle.
    owner: Named
    name: str
    along: str | IntArray | None = None
    which: IntArray | None = None

    def by(self, along: str | ArrayLike, which: ArrayLike | None = None) -> Reference:
        """Say which value an edge reads.

        Parameters
        ----------
        along : "source", "target" or (E,) integers
            The value of the edge's source, of its target, or an index for each edge.
        which : (N,) integers, optional
            An index for each source or target, such as that of the region of each neuron, if there
            are fewer values than neurons. Without it neuron i reads value i.

        Raises
        ------
        NetworkError
            If ``along`` or ``which`` is anything else.
        """
        if isinstance(along, str):
            if along not in ("source", "target"):
                raise NetworkError(
                    f"link to {self.name!r}: .by() found {describe(along)}, "
                    "expected 'source', 'target' or an index array. Give one of these."
                )
            index = None if which is None else self._read_index(which, per=f"{along} neuron")
            return replace(self, along=along, which=index)
        if which is not None:
            raise NetworkError(
                f"link to {self.name!r}: .by() found indices of edges and of neurons, expected one "
                "of them. Give 'source' or 'target' first, or the indices of edges alone."
            )
        return replace(self, along=self._read_index(along, per="edge"), which=None)

    def _read_index(self, index: ArrayLike, *, per: str) -> IntArray:
        # Truth values are refused: as indices they would read values 0 and 1.
        values = as_array(index, where="link: indices")
        if values.ndim != 1 or values.dtype.kind not in "iu":
            raise NetworkError(
                f"link to {self.name!r}: .by() found an array of {values.dtype} with shape "
                f"{values.shape}, expected one whole index for each {per}. Give whole numbers."
            )
        return values
