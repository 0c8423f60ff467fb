"""SpikeValues: one variable of each neuron that spikes, at the moment of its spikes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import NetworkError
from ..units import Time
from .joining import join_spikes
from .libraries import import_library
from .samples import Convention, Spikes, equal, read_array

if TYPE_CHECKING:
    import pandas  # pyright: ignore[reportMissingImports]  # an extra that few need


@dataclass(frozen=True, eq=False)
class SpikeValues:
    """One variable of some neurons at each of their spikes, as the spike finds it.

    It is the value at the end of the step of the spike, integrated, before the reset.

    Parameters
    ----------
    spikes : Spikes
        S spikes, sorted by (step, index).
    values : (S,) float64, in ``unit``
        Value of each.
    unit : str

    Raises
    ------
    NetworkError
        If there are more or fewer values than spikes.
    """

    spikes: Spikes
    values: np.ndarray
    unit: str

    def __post_init__(self) -> None:
        values = read_array(self.values, np.float64, where="values at spikes")
        object.__setattr__(self, "values", values)
        if values.shape != self.spikes.index.shape or not isinstance(self.unit, str):
            raise NetworkError(
                f"values at spikes: found values of shape {values.shape} for {len(self.spikes)} "
                f"spikes, in {self.unit!r}; expected one for each, in a unit. Check values."
            )

    __eq__ = equal

    def __len__(self) -> int:
        return len(self.values)

    @property
    def index(self) -> np.ndarray:
        """Neuron of each value, (S,) int32."""
        return self.spikes.index

    @property
    def step(self) -> np.ndarray:
        """Step of each value, (S,) int64."""
        return self.spikes.step

    def times(self, convention: Convention = "end") -> np.ndarray:
        """Return the time of each value, (S,) in ms; see `Spikes.times`."""
        return self.spikes.times(convention)

    def of(self, neuron: int) -> np.ndarray:
        """Return the values at the spikes of one member, in the order of time.

        Parameters
        ----------
        neuron : int
            Index in the population.

        Returns
        -------
        float64, in ``unit``

        Raises
        ------
        NetworkError
            If the neuron does not exist, or was not recorded.
        """
        self.spikes.of(neuron)  # called for its errors
        return self.values[self.index == neuron]

    def window(self, start: Time | None = None, stop: Time | None = None) -> SpikeValues:
        """Return the values between two times; see `Spikes.window`."""
        spikes = self.spikes.window(start, stop)
        begin = int(np.searchsorted(self.step, spikes.first))
        return replace(self, spikes=spikes, values=self.values[begin : begin + len(spikes)])

    def frame(self) -> pandas.DataFrame:
        """Return a pandas frame with a row per spike.

        Returns
        -------
        pandas.DataFrame
            Columns "neuron", "time" (ms) and "value".

        Raises
        ------
        NetworkError
            If pandas is not installed.
        """
        pandas = import_library(
            "pandas",
            where="values at spikes, frame",
            install="pandas",
            arrays=".index, .times(), .values",
        )
        return pandas.DataFrame({"neuron": self.index, "time": self.times(), "value": self.values})

    def __repr__(self) -> str:
        return f"<{len(self)} values at spikes, in {self.unit}>"


def join_values(parts: Sequence[SpikeValues]) -> SpikeValues:
    """Return the values of successive parts of one run.

    Raises
    ------
    NetworkError
        If the parts are of different neurons.
    """
    spikes = join_spikes([part.spikes for part in parts])
    if spikes is None:
        raise NetworkError("concatenate: found no part, expected at least one. Give some.")
    values = np.concatenate([part.values for part in parts])
    return SpikeValues(spikes, values, parts[0].unit)
