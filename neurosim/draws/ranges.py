"""The range check of numbers, arrays, tables and draws, with its message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import NetworkError
from ..units import Unit
from .values import PLAIN, Distribution, Table


@dataclass(frozen=True)
class Limits:
    """Bounds of a value, in engine units; None: no bound.

    Attributes
    ----------
    above : float, optional
        The value must be greater than this.
    least, most : float, optional
        The value must lie between these, both included.
    """

    above: float | None = None
    least: float | None = None
    most: float | None = None

    def outside(self, values: np.ndarray) -> np.ndarray:
        """Return which values lie outside. NaN lies outside of any bound."""
        # Comparisons that NaN fails: written the other way round, NaN would pass.
        inside = np.ones(values.shape, bool)
        if self.above is not None:
            inside &= values > self.above
        if self.least is not None:
            inside &= values >= self.least
        if self.most is not None:
            inside &= values <= self.most
        return ~inside

    def phrase(self, unit: Unit = PLAIN) -> str:
        """Return the bounds in words, as numbers of a unit."""
        above, least, most = (
            None if bound is None else unit.show(bound)
            for bound in (self.above, self.least, self.most)
        )
        # One phrase if both ends are included, as people write ranges.
        if above is None and least is not None and most is not None:
            return f"{least} to {most}"
        bounds = (
            above and f"more than {above}",
            least and f"{least} or more",
            most and f"{most} or less",
        )
        return " and ".join(bound for bound in bounds if bound)


POSITIVE = Limits(above=0.0)
NOT_NEGATIVE = Limits(least=0.0)
PROBABILITY = Limits(least=0.0, most=1.0)


def require_range(
    value: Any,
    limits: Limits,
    *,
    where: str,
    declared: Unit | None = None,
    unit: Unit | None = None,
    remedy: str = "",
    error: type[Exception] = NetworkError,
) -> None:
    """Raise unless a value in engine units lies within its limits.

    Expressions are skipped: their values are not known yet.

    Parameters
    ----------
    value : float, array, Table, Distribution or anything else
        Of a draw, the smallest and the largest value that it can have are checked.
    limits : Limits
    where : str
        Begins the message.
    declared : Unit, optional
        The unit in which users write the value. Draws and tables, whose numbers have no unit of
        their own, are checked only with it.
    unit : Unit, optional
        In which the message names numbers; by default the declared one.
    remedy : str, optional
        Ends the message.
    error : type, optional

    Raises
    ------
    NetworkError or `error`
        If a value lies outside.
    """
    named = unit or declared or PLAIN
    if isinstance(value, Distribution):
        # Only the possible extremes are known: the draw is made when the network is prepared.
        if declared is not None and limits.outside(np.array(value.bounds(declared))).any():
            raise error(
                f"{where}: found {value}, which can fall outside, expected {limits.phrase(named)}. "
                "Bound the draw with low= and high=, or draw uniformly."
                + (f" {remedy}" if remedy else "")
            )
        return
    if isinstance(value, Table) and declared is not None:
        # Numbers of a table are in engine units as soon as it belongs to a population.
        value = value.values
    if not isinstance(value, float | int | np.ndarray):
        return
    values = np.atleast_1d(value)
    outside = limits.outside(values)
    if outside.any():
        first = np.unravel_index(np.argmax(outside), values.shape)
        indices = [str(k) for k, size in zip(first, values.shape, strict=True) if size > 1]
        position = f" It stands at index {', '.join(indices)}." if indices else ""
        raise error(
            f"{where}: found {named.show(values[first])}, expected {limits.phrase(named)}. "
            f"{remedy or 'Correct it.'}{position}"
        )
