"""What a parameter, weight, delay or initial value may be besides a number: a random draw, or a table over time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ..errors import NetworkError, describe
from ..expr.functions import FUNCTIONS
from ..units import Quantity, Unit, to_engine
from ..units import unit as unit_of
from .sampling import over_rows
from .streams import Stream

Places = Callable[
    [np.ndarray], tuple[np.ndarray, np.ndarray]
]  # positions among values -> index and row of each

PLAIN = unit_of("1")
_ARGUMENTS = {
    "uniform": ("low", "high"),
    "normal": ("mean", "sd"),
    "lognormal": ("median", "sigma"),
    "exponential": ("mean",),
    "integers": ("low", "high"),
}


@dataclass(frozen=True)
class Distribution:
    """A random draw, made when a network is prepared; from a stream keyed by the seed and the owner's name.

    ``low`` and ``high`` bound a normal or lognormal draw: what falls outside is drawn again.
    """

    kind: str
    arguments: tuple[Any, ...]
    low: Any = None
    high: Any = None

    def check(self, unit: Unit, *, where: str, error: type[Exception] = NetworkError) -> None:
        """Refuse arguments of another unit, that are no single finite number, or that no draw of this kind can have."""
        found = {
            n: self._number(n, a, unit, f"{where}, {self}: {n}", error) for n, a in self._named()
        }
        for name in ("sd", "sigma"):
            if found.get(name, 0.0) < 0:
                raise error(
                    f"{where}, {self}: {name} is negative, expected 0 or more. Change its sign."
                )
        for name in ("median", "mean"):
            if self.kind in ("lognormal", "exponential") and found.get(name, 1.0) <= 0:
                raise error(
                    f"{where}, {self}: {name} is not above zero, expected a positive number. Correct it."
                )
        low, high = found.get("low", -np.inf), found.get("high", np.inf)
        if not (low < high or low == high and self.kind != "integers"):
            raise error(
                f"{where}, {self}: low is above high, expected low below high. Exchange them."
            )

    def bounds(self, unit: Unit) -> tuple[float, float]:
        """Return the smallest and the largest value that can be drawn, in engine units."""
        found = {n: self._number(n, a, unit, str(self), NetworkError) for n, a in self._named()}
        low, high = found.get("low", -np.inf), found.get("high", np.inf)
        if self.kind in ("lognormal", "exponential"):
            low = max(low, 0.0)
        return low, high - 1.0 if self.kind == "integers" else high

    def _named(self) -> list[tuple[str, Any]]:
        limits = [(n, a) for n, a in (("low", self.low), ("high", self.high)) if a is not None]
        return [*zip(_ARGUMENTS[self.kind], self.arguments, strict=True), *limits]

    def _number(
        self, name: str, value: Any, unit: Unit, where: str, error: type[Exception]
    ) -> float:
        number = to_engine(
            value,
            PLAIN if self.kind == "integers" or name == "sigma" else unit,
            where=where,
            error=error,
        )
        if (
            np.ndim(number)
            or not np.isfinite(number)
            or self.kind == "integers"
            and number != np.floor(number)
        ):
            raise error(
                f"{where} is {describe(value)}, expected one {'whole' if self.kind == 'integers' else 'finite'} number. Correct it."
            )
        return float(number)

    def sample(
        self,
        stream: Stream,
        index: np.ndarray,
        *,
        row: np.ndarray | int = 0,
        unit: Unit,
        where: str,
    ) -> np.ndarray:
        """Draw one value in engine units for each (row, index); the same pair always gives the same value."""
        values = self._shaped(self._standard(stream, index, row), unit, where)
        row = np.broadcast_to(np.asarray(row), index.shape)
        self._draw_again(
            values, stream, lambda outside: (index[outside], row[outside]), unit, where
        )
        return values

    def sample_rows(
        self, stream: Stream, pointer: np.ndarray, *, unit: Unit, where: str
    ) -> np.ndarray:
        """Draw the values of `sample` for edges, (E,): ``pointer[r]`` to ``pointer[r + 1]`` lie in row r and have its indices 0, 1, ..."""
        values = np.empty(pointer[-1])

        def fill(first: int, stop: int, standard: np.ndarray) -> None:
            start = pointer[first]
            part = values[start : pointer[stop]]
            part[...] = self._shaped(standard, unit, where)

            def places(outside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
                row = np.searchsorted(pointer, start + outside, side="right") - 1
                return start + outside - pointer[row], row

            self._draw_again(part, stream, places, unit, where)

        over_rows(stream, "normal" if self._is_normal else "uniform", pointer, fill)
        return values

    def _draw_again(
        self, values: np.ndarray, stream: Stream, places: Places, unit: Unit, where: str
    ) -> None:
        """Replace values out of bounds."""
        low, high = (
            None if b is None else to_engine(b, unit, where=where, error=NetworkError)
            for b in (self.low, self.high)
        )
        if low is None and high is None:
            return
        for attempt in range(1, 1000):
            outside = np.flatnonzero(
                (values < (-np.inf if low is None else low))
                | (values > (np.inf if high is None else high))
            )
            if not outside.size:
                return
            values[outside] = self._shaped(
                self._standard(stream.child(f"again/{attempt}"), *places(outside)), unit, where
            )
        raise NetworkError(
            f"{where}: {self} still falls outside its bounds after 1000 draws. Widen the bounds."
        )

    @property
    def _is_normal(self) -> bool:
        return self.kind in ("normal", "lognormal")

    def _standard(self, stream: Stream, index: np.ndarray, row: np.ndarray | int) -> np.ndarray:
        return (stream.normal if self._is_normal else stream.uniform)(index, row)

    def _shaped(self, standard: np.ndarray, unit: Unit, where: str) -> np.ndarray:
        """Return what this distribution makes of standard normal or uniform draws."""

        def read(position: int) -> float:
            return to_engine(
                self.arguments[position], unit, where=f"{where}, {self.kind}", error=NetworkError
            )

        if self.kind == "normal":
            return read(0) + read(1) * standard
        if self.kind == "lognormal":
            return read(0) * FUNCTIONS["exp"](float(self.arguments[1]) * standard)
        if self.kind == "exponential":
            return -read(0) * FUNCTIONS["log"](standard)
        if self.kind == "integers":
            return np.floor(read(0) + standard * (read(1) - read(0)))
        return read(0) + standard * (read(1) - read(0))

    def __repr__(self) -> str:
        return f"{self.kind}({', '.join(f'{n}={a if isinstance(a, str) else describe(a)}' for n, a in self._named())})"


def uniform(low: Any, high: Any) -> Distribution:
    """Uniform between ``low`` and ``high``."""
    return Distribution("uniform", (low, high))


def normal(mean: Any, sd: Any, *, low: Any = None, high: Any = None) -> Distribution:
    """Normal; what falls outside ``low`` ... ``high`` is drawn again."""
    return Distribution("normal", (mean, sd), low, high)


def lognormal(median: Any, sigma: float, *, low: Any = None, high: Any = None) -> Distribution:
    """Lognormal: median * exp(sigma * standard normal)."""
    return Distribution("lognormal", (median, sigma), low, high)


def exponential(mean: Any) -> Distribution:
    """Exponential with the given mean."""
    return Distribution("exponential", (mean,))


def integers(low: int, high: int) -> Distribution:
    """Whole numbers from ``low`` up to, but not including, ``high``."""
    return Distribution("integers", (low, high))


@dataclass(frozen=True, eq=False)
class Table:
    """Values over time: row k is in force for ``every``, the last row for ever after.

    The first row begins at the step in which the table is set: at the start of a run, or at ``run.set``.

    Parameters
    ----------
    values : (T,) or (T, N)
        One value per row for all neurons, or one per neuron; plain numbers in the unit of the parameter, or of ``unit``.
    every : time
        Duration of a row; a multiple of dt.
    unit : text, optional
    """

    values: np.ndarray
    every: Any
    unit: str | None = None

    def engine(
        self, declared: Unit, *, where: str, error: type[Exception] = NetworkError
    ) -> np.ndarray:
        """Return the values in engine units."""
        if self.unit is None:
            return np.asarray(to_engine(self.values, declared, where=where, error=error))
        given = unit_of(self.unit, where=f"{where}, table")
        if given.exponents != declared.exponents:
            raise error(
                f"{where}: the table is {given}, but {declared} is expected. Give it in {declared.text}."
            )
        return self.values * given.size


def table(values: Any, *, every: Any, unit: str | None = None) -> Table:
    """Return a table over time; see `Table`."""
    array = to_engine(values, PLAIN, where="table: values", error=NetworkError)
    array = np.array(array, np.float64)
    if array.ndim not in (1, 2) or array.size == 0:
        raise NetworkError(
            f"table: found values of shape {array.shape}, expected (T,) or (T, N) with at least one row. Reshape them."
        )
    if not np.isfinite(array).all():
        raise NetworkError(
            "table: found a value that is not finite, expected numbers. Replace NaN and infinity."
        )
    return Table(array, every, unit)


@dataclass(frozen=True, eq=False)
class Shared:
    """Weights that edges share: edge e has the weight ``values[index[e]]``, as in transposed and convolutional wiring.

    Parameters
    ----------
    values : (K,)
        Quantities, or plain numbers in the unit of the port.
    index : (E,) whole numbers
        In the order in which an array of weights would be given.
    """

    values: Any
    index: np.ndarray


def shared(values: Any, *, index: Any) -> Shared:
    """Return weights that edges share; see `Shared`."""
    found = np.asarray(index)
    count = np.size(values)
    if (
        found.ndim != 1
        or found.dtype.kind not in "iu"
        or found.size
        and (found.min() < 0 or found.max() >= count)
    ):
        raise NetworkError(
            f"shared weights: found an index of {found.dtype} with shape {found.shape}, expected one whole number from 0 to {count - 1} "
            "for each edge. Correct the index."
        )
    return Shared(values, found.astype(np.int32))


DrawnQuantity: TypeAlias = Quantity | Distribution
"""A quantity, or a draw of one value for each neuron or edge."""

ParameterValue: TypeAlias = Quantity | Distribution | Table
"""A quantity, a draw, a table over time, or text over other names."""

Weights: TypeAlias = Quantity | Distribution | Shared
"""Weights of edges: a quantity, one per edge, a draw, or a few that edges share."""
