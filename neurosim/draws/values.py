"""Draws, tables over time and shared weights: values of parameters and edges besides numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import NetworkError, describe
from ..expr.functions import FUNCTIONS
from ..quantities import as_array, find_unit, to_engine
from ..units import Quantity, Unit
from ..units import unit as unit_of
from .binomial import binomial_counts
from .gamma import standard_gamma
from .sampling import draw_rows, row_parts, standard_rows
from .streams import Stream

StandardKind: TypeAlias = Literal["uniform", "normal"]
FloatArray: TypeAlias = NDArray[np.float64]
Counters: TypeAlias = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray | int]]
"""From positions among the values to the index and row of each in its stream."""

# Names of the functions below, which users read in reports.
Kind: TypeAlias = Literal[
    "uniform", "normal", "lognormal", "exponential", "integers", "gamma", "binomial"
]

PLAIN = unit_of("1")
_QUOTE = "'"
MOST_ATTEMPTS = 1000  # how often values outside of bounds are drawn again
_ARGUMENTS: dict[Kind, tuple[str, ...]] = {
    "uniform": ("low", "high"),
    "normal": ("mean", "sd"),
    "lognormal": ("median", "sigma"),
    "exponential": ("mean",),
    "integers": ("low", "high"),
    "gamma": ("shape", "scale"),
    "binomial": ("n", "p"),
}
# Arguments without a unit: they count something, or shape a distribution.
_PLAIN_ARGUMENTS = {"sigma", "shape", "n", "p"}
_POSITIVE_ARGUMENTS = {
    "lognormal": ("median",),
    "exponential": ("mean",),
    "gamma": ("shape", "scale"),
}


@dataclass(frozen=True, eq=False)
class _Rows:
    """Some rows of edges, and the draws of their counters.

    Attributes
    ----------
    stream : Stream
    pointer : (S + 1,) integers
        Row r has the edges ``pointer[r]`` to ``pointer[r + 1]``.
    first, stop : int
        The first row, and the row after the last.
    """

    stream: Stream
    pointer: np.ndarray
    first: int
    stop: int

    @property
    def edges(self) -> slice:
        return slice(int(self.pointer[self.first]), int(self.pointer[self.stop]))

    def counters(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        edges = self.edges.start + positions
        row = np.searchsorted(self.pointer, edges, side="right") - 1
        return edges - self.pointer[row], row

    def draw(
        self, distribution: StandardKind, name: str, positions: np.ndarray | None
    ) -> FloatArray:
        child = self.stream.child(name)
        if positions is None:
            return standard_rows(child, distribution, self.pointer, self.first, self.stop)
        return getattr(child, distribution)(*self.counters(positions))


@dataclass(frozen=True)
class Distribution:
    """A random draw, made when a network is prepared.

    Its stream depends on the seed of the network and the name of the owner, so that other objects
    do not change it.

    Attributes
    ----------
    kind : str
    arguments : tuple
        As the user wrote them.
    low, high : quantity, optional
        Bounds of a normal, lognormal or gamma draw: values outside are drawn again.
    """

    kind: Kind
    arguments: tuple[Any, ...]
    low: Any = None
    high: Any = None

    @property
    def unit(self) -> Unit:
        """The unit of the first argument or bound that names one, else that of plain numbers."""
        return find_unit([*self.arguments, self.low, self.high]) or PLAIN

    def check(self, unit: Unit, *, where: str, error: type[Exception] = NetworkError) -> None:
        """Raise unless each argument is one finite number of a fitting unit.

        Parameters
        ----------
        unit : Unit
            Of the values.
        where : str
            Begins each message.
        error : type, optional
            Raised for any problem.
        """
        numbers = {
            name: self._read(name, argument, unit, f"{where}, {self}: {name}", error)
            for name, argument in self._named_arguments()
        }
        # Zero is allowed: a study may switch the spread off.
        for name in ("sd", "sigma", "n"):
            if numbers.get(name, 0.0) < 0:
                raise error(
                    f"{where}, {self}: {name} is negative, expected 0 or more. Change its sign."
                )
        for name in _POSITIVE_ARGUMENTS.get(self.kind, ()):
            if numbers[name] <= 0:
                raise error(
                    f"{where}, {self}: {name} is not above zero, expected a positive number. "
                    "Correct it."
                )
        if not 0 <= numbers.get("p", 0.0) <= 1:
            raise error(
                f"{where}, {self}: p is {numbers['p']:g}, expected a probability from 0 to 1. "
                "Correct it."
            )
        low = numbers.get("low", -np.inf)
        high = numbers.get("high", np.inf)
        # Whole numbers exclude `high`: with equal bounds there is none to draw.
        if not (low < high or low == high and self.kind != "integers"):
            raise error(
                f"{where}, {self}: low is above high, expected low below high. Exchange them."
            )

    def bounds(self, unit: Unit) -> tuple[float, float]:
        """Return the smallest and the largest value that can be drawn, in engine units.

        Parameters
        ----------
        unit : Unit
            Of the values.
        """
        numbers = {
            name: self._read(name, argument, unit, str(self), NetworkError)
            for name, argument in self._named_arguments()
        }
        low = numbers.get("low", -np.inf)
        high = numbers.get("high", np.inf)
        if self.kind in _POSITIVE_ARGUMENTS:
            low = max(low, 0.0)
        if self.kind == "binomial":
            low = 0.0
            high = numbers["n"]
        if self.kind == "integers":
            high -= 1.0  # excluded, as in Python
        # Whole numbers are numbers of the unit, all others are in engine units already.
        scale = unit.size if self.is_whole else 1.0
        return low * scale, high * scale

    def _named_arguments(self) -> list[tuple[str, Any]]:
        bounds = (("low", self.low), ("high", self.high))
        return [
            *zip(_ARGUMENTS[self.kind], self.arguments, strict=True),
            *((name, bound) for name, bound in bounds if bound is not None),
        ]

    def _read(
        self,
        name: str,
        argument: Any,
        unit: Unit,
        where: str,
        error: type[Exception],
    ) -> float:
        """Return an argument as one number in engine units."""
        whole = self.kind == "integers" or name == "n"
        expected = PLAIN if whole or name in _PLAIN_ARGUMENTS else unit
        number = to_engine(argument, expected, where=where, error=error)
        single = not np.ndim(number) and np.isfinite(number)
        if not single or (whole and number != np.floor(number)):
            noun = "whole number" if whole else "finite number"
            raise error(f"{where} is {describe(argument)}, expected one {noun}. Correct it.")
        return float(number)

    def sample(
        self,
        stream: Stream,
        index: np.ndarray,
        *,
        row: np.ndarray | int = 0,
        unit: Unit,
        where: str,
    ) -> FloatArray:
        """Draw one value for each index; equal (row, index) give equal values.

        Parameters
        ----------
        stream : Stream
        index : (N,) integers
        row : (N,) integers, or one for all
        unit : Unit
            Of the values.
        where : str
            Begins each message.

        Returns
        -------
        (N,) in engine units
        """
        # Drawing and transforming are apart, because compiled code draws large numbers of edges.
        standard = self._draw_standard(stream, index, row)
        values = self._transform(standard, unit, where)
        rows = np.broadcast_to(np.asarray(row), index.shape)

        def counters(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return index[positions], rows[positions]

        self._redraw_outside(values, stream, counters, unit, where)
        return values

    def sample_rows(
        self,
        stream: Stream,
        pointer: np.ndarray,
        *,
        unit: Unit,
        where: str,
    ) -> FloatArray:
        """Draw one value for each edge.

        Parameters
        ----------
        stream : Stream
        pointer : (S + 1,) integers
            Edges ``pointer[r]`` to ``pointer[r + 1]`` lie in row r; there they have the indices
            0, 1, ...
        unit : Unit
            Of the values.
        where : str
            Begins each message.

        Returns
        -------
        (E,) in engine units
            Those of `sample` for the same rows and indices.
        """
        values = np.empty(pointer[-1])

        def fill(first: int, stop: int, standard: FloatArray) -> None:
            rows = _Rows(stream, pointer, first, stop)
            # Threads fill disjoint parts in place.
            values[rows.edges] = self._of_rows(rows, standard, unit, where)

        draw_rows(stream, self._standard_kind, pointer, fill)
        return values

    def sample_parts(
        self,
        stream: Stream,
        pointer: np.ndarray,
        *,
        unit: Unit,
        where: str,
    ) -> Iterator[tuple[slice, FloatArray]]:
        """Draw as `sample_rows`, in order and some rows at a time, to save memory.

        Parameters are explained there.

        Yields
        ------
        edges : slice
        values : (K,) in engine units
        """
        for first, stop in row_parts(pointer):
            standard = standard_rows(stream, self._standard_kind, pointer, first, stop)
            rows = _Rows(stream, pointer, first, stop)
            yield rows.edges, self._of_rows(rows, standard, unit, where)

    def _of_rows(
        self,
        rows: _Rows,
        standard: FloatArray,
        unit: Unit,
        where: str,
    ) -> FloatArray:
        """Return the values of some rows, made of their standard normal or uniform ones."""
        if self.kind == "gamma":
            standard = standard_gamma(self._shape(), standard, rows.draw)
        values = self._transform(standard, unit, where)
        self._redraw_outside(values, rows.stream, rows.counters, unit, where)
        return values

    def _redraw_outside(
        self,
        values: FloatArray,
        stream: Stream,
        counters: Counters,
        unit: Unit,
        where: str,
    ) -> None:
        """Draw values outside of the bounds again, in place, until none is left."""
        if self.low is None and self.high is None:
            return
        low, high = (
            default if bound is None else to_engine(bound, unit, where=where, error=NetworkError)
            for bound, default in ((self.low, -np.inf), (self.high, np.inf))
        )
        for attempt in range(1, MOST_ATTEMPTS):
            outside = np.flatnonzero((values < low) | (values > high))
            if not outside.size:
                return
            # Each attempt has a stream of its own, so that a redrawn value leaves all others as
            # they are.
            again = stream.child(f"again/{attempt}")
            standard = self._draw_standard(again, *counters(outside))
            values[outside] = self._transform(standard, unit, where)
        raise NetworkError(
            f"{where}: {self} still falls outside its bounds after {MOST_ATTEMPTS} draws. "
            "Widen the bounds."
        )

    @property
    def is_whole(self) -> bool:
        """Whether all values are whole numbers."""
        return self.kind in ("integers", "binomial")

    @property
    def _standard_kind(self) -> StandardKind:
        return "normal" if self._is_normal else "uniform"

    @property
    def _is_normal(self) -> bool:
        return self.kind in ("normal", "lognormal", "gamma")

    def _shape(self) -> float:
        return to_engine(self.arguments[0], PLAIN, where=str(self))

    def _draw_standard(
        self, stream: Stream, index: np.ndarray, row: np.ndarray | int
    ) -> FloatArray:
        # Bounded and unbounded draws begin with the same numbers: bounds change only what they cut.
        standard = stream.normal(index, row) if self._is_normal else stream.uniform(index, row)
        if self.kind != "gamma":
            return standard
        rows = np.broadcast_to(np.asarray(row), index.shape)

        def draw(distribution: StandardKind, name: str, positions: np.ndarray | None) -> FloatArray:
            selected = slice(None) if positions is None else positions
            return getattr(stream.child(name), distribution)(index[selected], rows[selected])

        return standard_gamma(self._shape(), standard, draw)

    def _transform(self, standard: FloatArray, unit: Unit, where: str) -> FloatArray:
        """Return values of this distribution made of standard normal or uniform ones."""

        def read(position: int) -> float:
            argument = self.arguments[position]
            argument_where = f"{where}, {self.kind}"
            return to_engine(argument, unit, where=argument_where, error=NetworkError)

        if self.is_whole:
            # Whole numbers of the unit, whose size in engine units need not be whole.
            return unit.size * self._whole_numbers(standard)
        if self.kind == "normal":
            return read(0) + read(1) * standard
        if self.kind == "lognormal":
            # The language's own functions: NumPy's differ in the last bit between processors.
            return read(0) * FUNCTIONS["exp"](float(self.arguments[1]) * standard)
        if self.kind == "exponential":
            return -read(0) * FUNCTIONS["log"](standard)
        if self.kind == "gamma":
            return read(1) * standard
        return read(0) + standard * (read(1) - read(0))

    def _whole_numbers(self, uniform: FloatArray) -> FloatArray:
        """Return whole numbers at quantiles."""
        first, second = (to_engine(a, PLAIN, where=str(self)) for a in self.arguments)
        if self.kind == "binomial":
            return binomial_counts(int(first), second, uniform)
        return np.floor(first + uniform * (second - first))

    def __repr__(self) -> str:
        # Quantities stand without quotes, as in reports.
        arguments = (
            f"{name}={describe(argument).strip(_QUOTE)}"
            for name, argument in self._named_arguments()
        )
        return f"{self.kind}({', '.join(arguments)})"


def uniform(low: Quantity, high: Quantity) -> Distribution:
    """Draw uniformly between two values.

    Parameters
    ----------
    low, high : quantity
        In the unit of the drawn value.
    """
    return Distribution("uniform", (low, high))


def normal(
    mean: Quantity,
    sd: Quantity,
    *,
    low: Quantity | None = None,
    high: Quantity | None = None,
) -> Distribution:
    """Draw from a normal distribution.

    Parameters
    ----------
    mean, sd : quantity
        In the unit of the drawn value; ``sd`` is the standard deviation.
    low, high : quantity, optional
        Values outside are drawn again.
    """
    return Distribution("normal", (mean, sd), low, high)


def lognormal(
    median: Quantity,
    sigma: float,
    *,
    low: Quantity | None = None,
    high: Quantity | None = None,
) -> Distribution:
    """Draw from a lognormal distribution: median * exp(sigma * z), z being standard normal.

    Parameters
    ----------
    median : quantity
        In the unit of the drawn value.
    sigma : float (1)
        Standard deviation of the logarithm.
    low, high : quantity, optional
        Values outside are drawn again.
    """
    return Distribution("lognormal", (median, sigma), low, high)


def exponential(mean: Quantity) -> Distribution:
    """Draw from an exponential distribution.

    Parameters
    ----------
    mean : quantity
        In the unit of the drawn value.
    """
    return Distribution("exponential", (mean,))


def integers(low: int, high: int) -> Distribution:
    """Draw whole numbers, all of them equally likely.

    Parameters
    ----------
    low, high : int (1)
        From ``low`` up to, but not including, ``high``.
    """
    return Distribution("integers", (low, high))


def gamma(
    shape: float,
    scale: Quantity,
    *,
    low: Quantity | None = None,
    high: Quantity | None = None,
) -> Distribution:
    """Draw from a gamma distribution, of mean shape * scale and variance shape * scale**2.

    Parameters
    ----------
    shape : float (1)
        Above 0; 1 is an exponential distribution.
    scale : quantity
        In the unit of the drawn value.
    low, high : quantity, optional
        Values outside are drawn again.
    """
    return Distribution("gamma", (shape, scale), low, high)


def binomial(n: int, p: float) -> Distribution:
    """Draw numbers of successes among independent trials.

    Parameters
    ----------
    n : int (1)
        Number of trials.
    p : float (1)
        Probability of a success, 0 to 1.
    """
    return Distribution("binomial", (n, p))


@dataclass(frozen=True, eq=False)
class Table:
    """A piecewise-constant time series.

    Row k holds from k * every to (k + 1) * every, the last row until the end. The first row begins
    at the step in which the table is set: at the start of a run, or at ``run.set``.

    Attributes
    ----------
    values : (T,) or (T, N)
        One value per row for all neurons, or one per neuron; plain numbers in the unit of the
        parameter, or of ``unit``.
    every : Time
        Duration of a row; a multiple of dt.
    unit : str, optional
    """

    values: np.ndarray
    every: Any
    unit: str | None = None

    def engine(
        self, declared: Unit, *, where: str, error: type[Exception] = NetworkError
    ) -> FloatArray:
        """Return the values in engine units.

        Parameters
        ----------
        declared : Unit
            The unit that the values must have, and that of plain numbers.
        where : str
            Begins each message.
        error : type, optional
            Raised if the unit of the table is another.
        """
        if self.unit is None:
            return np.asarray(to_engine(self.values, declared, where=where, error=error))
        # A unit that is named is checked against the parameter, which only now is known.
        own = unit_of(self.unit, where=f"{where}, table")
        if own.exponents != declared.exponents:
            raise error(
                f"{where}: the table is {own}, but {declared} is expected. "
                f"Give it in {declared.text}."
            )
        return self.values * own.size


def table(values: ArrayLike, *, every: Any, unit: str | None = None) -> Table:
    """Return a piecewise-constant time series for a parameter.

    Row k holds from k * every to (k + 1) * every, the last row until the end.

    Parameters
    ----------
    values : (T,) or (T, N)
        One value per row for all neurons, or one per neuron.
    every : time
        Duration of a row; a multiple of dt.
    unit : str, optional
        Of plain numbers; by default that of the parameter, or the first among the values.

    Raises
    ------
    NetworkError
        If the values have another number of dimensions, no row, or a number that is not finite.
    """
    named = find_unit(values)
    own = PLAIN
    if named is not None:
        # With units among the values, all are turned into the one unit of the table.
        own = named if unit is None else unit_of(unit, where="table")
        unit = own.text
    numbers = to_engine(values, own, where="table: values", error=NetworkError)
    array = np.asarray(own.from_engine(numbers))
    if array.ndim not in (1, 2) or array.size == 0:
        raise NetworkError(
            f"table: found values of shape {array.shape}, expected (T,) or (T, N) with at least "
            "one row. Reshape them."
        )
    if not np.isfinite(array).all():
        raise NetworkError(
            "table: found a value that is not finite, expected numbers. Replace NaN and infinity."
        )
    return Table(array, every, unit)


@dataclass(frozen=True, eq=False)
class Shared:
    """Weights that edges share: edge e has the weight ``values[index[e]]``.

    Transposed and convolutional wiring is written so.

    Attributes
    ----------
    values : (K,) in the unit of the port
    index : (E,) integers
        In the order of an array of weights.
    """

    values: Any
    index: np.ndarray


def shared(values: Quantity, *, index: ArrayLike) -> Shared:
    """Return weights that edges share: edge e has the weight ``values[index[e]]``.

    Parameters
    ----------
    values : (K,) in the unit of the port
    index : (E,) integers from 0 to K - 1
        In the order of an array of weights.

    Raises
    ------
    NetworkError
        If an index is no whole number or has no value.
    """
    where = "shared weights"
    # Only how many there are matters here: their unit is known to the projection.
    named = find_unit(values) or PLAIN
    count = np.size(to_engine(values, named, where=where, error=NetworkError))
    numbers = as_array(index, where=f"{where}, index")
    whole = numbers.ndim == 1 and numbers.dtype.kind in "iu"
    if not whole or (numbers.size and (numbers.min() < 0 or numbers.max() >= count)):
        raise NetworkError(
            f"shared weights: found an index of {numbers.dtype} with shape {numbers.shape}, "
            f"expected one whole number from 0 to {count - 1} for each edge. Correct the index."
        )
    # An index of 4 bytes per edge in place of a weight of 8.
    return Shared(values, numbers.astype(np.int32))


DrawnQuantity: TypeAlias = Quantity | Distribution
"""A quantity, or a draw of one value for each neuron or edge."""

ParameterValue: TypeAlias = Quantity | Distribution | Table
"""A quantity, a draw, a table over time, or text over other names."""

Weights: TypeAlias = Quantity | Distribution | Shared
"""Weights of edges: a quantity, one per edge, a draw, or a few that edges share."""
