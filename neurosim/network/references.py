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
    """

    # A protocol: views and projections make references, and importing them would be a circle.
    owner: Named
    name: str
    along: str | IntArray | None = None

    def by(self, along: str | ArrayLike) -> Reference:
        """Say which value an edge reads.

        Parameters
        ----------
        along : "source", "target" or (E,) integers
            The value of the edge's source, of its target, or an index for each edge.

        Raises
        ------
        NetworkError
            If ``along`` is anything else.
        """
        if isinstance(along, str):
            if along not in ("source", "target"):
                raise NetworkError(
                    f"link to {self.name!r}: .by() found {describe(along)}, "
                    "expected 'source', 'target' or an index array. Give one of these."
                )
            return replace(self, along=along)
        # Truth values are refused below: as indices they would read values 0 and 1.
        index = as_array(along, where="link: indices")
        if index.ndim != 1 or index.dtype.kind not in "iu":
            raise NetworkError(
                f"link to {self.name!r}: .by() found an array of {index.dtype} with shape "
                f"{index.shape}, expected one whole index for each edge. Give whole numbers."
            )
        return replace(self, along=index)
