"""EdgeTable: the edges of one projection as arrays, and as a frame of pandas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..errors import NetworkError, describe_unknown
from .libraries import import_library

if TYPE_CHECKING:
    import pandas  # pyright: ignore[reportMissingImports]  # an extra that few need


@dataclass(frozen=True, eq=False)
class EdgeTable:
    """The edges of a projection at one moment, in (source, target) order; `Run.edges` returns it.

    Edges of one pair keep the order in which they were given. Arrays are copies.

    Parameters
    ----------
    name : str
        Of the projection.
    sources, targets : (E,) int32
        Neurons, counted in their whole populations.
    delays : (E,) float64, ms
        From a spike of the source to its effect, as the run has them: whole steps.
    variables : mapping of str to (E,) float64
        ``"w"``, and the other edge variables of a rule, each in the unit in which it was declared.
        Empty if a simulator does not tell them.
    units : mapping of str to str
        Unit of each variable.
    """

    name: str
    sources: np.ndarray
    targets: np.ndarray
    delays: np.ndarray
    variables: Mapping[str, np.ndarray]
    units: Mapping[str, str] = field(default_factory=dict)

    @property
    def weights(self) -> np.ndarray:
        """Weight of each edge, (E,), in the unit of the port, or that of the rule's ``w``.

        Raises
        ------
        NetworkError
            If there is no weight, or it is not known.
        """
        return self["w"]

    def __getitem__(self, variable: str) -> np.ndarray:
        """Return a variable of all edges, (E,).

        Raises
        ------
        NetworkError
            If there is no such variable, or it is not known.
        """
        if variable not in self.variables:
            owner = f"edges of {self.name!r}"
            unknown = describe_unknown("edge variable", variable, self.variables, owner=owner)
            hint = (
                ""
                if self.variables
                else " Either its rule has none, or the simulator tells none after a run: record "
                "'w' of all edges so that the last sample is at the end."
            )
            raise NetworkError(unknown + hint)
        return self.variables[variable]

    def __len__(self) -> int:
        return self.sources.size

    def frame(self) -> pandas.DataFrame:
        """Return a pandas frame with a row per edge.

        Returns
        -------
        pandas.DataFrame
            Columns "source", "target", "delay" (ms), then one per variable; a variable of one of
            these names is called "variable_delay".

        Raises
        ------
        NetworkError
            If pandas is not installed.
        """
        pandas = import_library(
            "pandas",
            where=f"edges of {self.name!r}, frame",
            install="pandas",
            arrays=".sources, .targets, .delays, .weights",
        )
        ends = {"source": self.sources, "target": self.targets, "delay": self.delays}
        variables = {
            f"variable_{name}" if name in ends else name: values
            for name, values in self.variables.items()
        }
        return pandas.DataFrame(ends | variables)

    def __repr__(self) -> str:
        columns = ", ".join(f"{name} ({unit})" for name, unit in self.units.items())
        return f"<{len(self)} edges of {self.name!r}: source, target, delay (ms), {columns}>"
