"""Values that users pass to a network, read into engine units: times, numbers, arrays, tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..draws.values import Distribution, DrawnQuantity, Table
from ..errors import NetworkError, describe
from ..quantities import to_engine
from ..units import Unit, unit

FloatArray: TypeAlias = NDArray[np.float64]
EngineValue: TypeAlias = float | FloatArray | Distribution
"""A quantity that was read: a number or array in engine units, or a draw."""

MS = unit("ms")
_TOLERANCE = 1e-5  # steps by which a time may differ from a multiple of dt
_ROUNDOFF = np.finfo(np.float64).eps
MOST_STEPS = 2**53  # the largest range of whole numbers that float64 holds without gaps


def read_duration(value: object, *, where: str, zero: bool = False) -> float:
    """Return one time in ms.

    Parameters
    ----------
    value : time
    where : str
        Begins the message.
    zero : bool
        Whether 0 ms is allowed.

    Raises
    ------
    NetworkError
        If it is no time, several ones, not finite or negative.
    """
    time = to_engine(value, MS, where=where, error=NetworkError)
    single = not isinstance(time, np.ndarray) and np.isfinite(time)
    if not single or time < 0 or (time == 0 and not zero):
        limit = "of 0 ms or more" if zero else "above 0 ms"
        raise NetworkError(
            f"{where}: found {describe(value)}, expected one time {limit}. "
            "Give it such as '100 ms'."
        )
    return float(time)


def to_steps(
    time: float | FloatArray,
    dt: float,
    *,
    where: str,
    rounded: bool | None = None,
    option: str = "round_delays",
) -> NDArray[np.int64]:
    """Return times in whole steps.

    Parameters
    ----------
    time : number or array, ms
    dt : float, ms
        Length of a step.
    where : str
        Begins the message.
    rounded : bool, optional
        Whether times are rounded to whole steps. None: they are not, and the message does not
        offer it.
    option : str
        Name of the argument that the message offers.

    Raises
    ------
    NetworkError
        If a time is no multiple of dt and not rounded, or too long to count its steps.
    """
    exact = np.asarray(time, np.float64) / dt
    if not (np.abs(exact) < MOST_STEPS).all():
        raise NetworkError(
            f"{where}: found {np.max(np.abs(time)):g} ms, expected less than "
            f"{MOST_STEPS * dt:g} ms (2**53 steps). Use a shorter time."
        )
    steps = np.rint(exact)
    # Decimal times have no exact floats: 0.3 / 0.1 is 2.9999999999999996. The tolerance is a part
    # of a step at any time: relative to the time, it would pass whole steps late in a run.
    wrong = np.abs(exact - steps) > np.maximum(_TOLERANCE, 4 * _ROUNDOFF * np.abs(exact))
    if not rounded and wrong.any():
        first = float(np.asarray(time)[wrong].flat[0])
        low = np.floor(first / dt)
        choices = f"{low * dt:.12g} ms or {(low + 1) * dt:.12g} ms"
        remedy = (
            f"Use {choices} or a smaller dt."
            if rounded is None
            else f"Use {choices}, a smaller dt, or {option}=True."
        )
        raise NetworkError(
            f"{where} {first:.12g} ms is not a multiple of dt ({dt:.12g} ms). {remedy}"
        )
    return steps.astype(np.int64)


def read_flag(value: object, *, where: str) -> bool:
    """Return whether something is asked for.

    Parameters
    ----------
    value : bool
    where : str
        Begins the message.

    Raises
    ------
    NetworkError
        If it is anything but True or False.
    """
    if not isinstance(value, bool | np.bool_):
        raise NetworkError(f"{where}: found {describe(value)}, expected True or False. Change it.")
    return bool(value)


def read_whole_number(
    value: object,
    *,
    where: str,
    least: int = 1,
    most: int | None = None,
) -> int:
    """Return a whole number.

    Parameters
    ----------
    value : object
    where : str
        Begins the message.
    least, most : int
        Bounds, both included; None: no upper one.

    Raises
    ------
    NetworkError
        If it is no integer or outside of the bounds.
    """
    # Stands for every value that is no integer: too small for any caller.
    number = least - 1
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        number = int(value)
    if number < least or (most is not None and number > most):
        limit = "" if most is None else f" and at most {most}"
        raise NetworkError(
            f"{where}: found {describe(value)}, expected a whole number of at least "
            f"{least}{limit}. Change it."
        )
    return number


def read_quantity(
    value: DrawnQuantity | Table,
    declared: Unit,
    *,
    sizes: Mapping[str, int],
    where: str,
) -> EngineValue:
    """Return a number or array in engine units, or a draw whose arguments have the unit.

    Parameters
    ----------
    value : number, quantity, array or draw
    declared : Unit
        Of plain numbers; that which quantities must have.
    sizes : mapping
        Allowed lengths of an array, each with words for what it counts, such as "one per edge";
        if empty, any length.
    where : str
        Begins the message.

    Raises
    ------
    NetworkError
        If the unit or length differs, or a number is not finite.
    """
    if isinstance(value, Distribution):
        # Arguments of a draw are checked now, at the user's line; its values do not exist yet.
        value.check(declared, where=where)
        return value
    if isinstance(value, Table):
        expected = "a number, array or draw" if sizes else "a number or draw"
        raise NetworkError(
            f"{where}: found a table over time, expected {expected}. "
            "Only parameters of populations can be tables; a rule can link to them."
        )
    number = to_engine(value, declared, where=where, error=NetworkError)
    if not np.isfinite(number).all():
        raise NetworkError(
            f"{where}: found a value that is not finite (NaN or infinity), "
            "expected finite numbers. Replace it."
        )
    if isinstance(number, np.ndarray):
        require_shape(number, sizes, where)
    return number


def require_shape(array: np.ndarray, sizes: Mapping[str, int], where: str) -> None:
    """Raise unless an array has one dimension and one of the lengths; see `read_quantity`."""
    if array.ndim == 1 and (not sizes or array.size in sizes.values()):
        return
    lengths = " or ".join(f"length {length} ({words})" for words, length in sizes.items())
    raise NetworkError(
        f"{where}: found an array of shape {array.shape}, expected a number or an array of "
        f"{lengths or 'one dimension'}. Reshape it."
    )


def read_table(
    value: Table,
    declared: Unit,
    *,
    size: int,
    dt: float,
    where: str,
) -> Table:
    """Return a table in engine units whose rows are counted in steps.

    Parameters
    ----------
    value : Table
    declared : Unit
        Of the table's plain numbers.
    size : int
        Number of neurons.
    dt : float, ms
    where : str
        Begins the message.

    Raises
    ------
    NetworkError
        If the unit or the number of columns differs, or a row does not take whole steps.
    """
    rows = value.engine(declared, where=where)
    if rows.ndim == 2 and rows.shape[1] != size:
        raise NetworkError(
            f"{where}: found a table of shape {rows.shape}, expected (T,) or (T, {size}). "
            "Reshape it."
        )
    duration = read_duration(value.every, where=f"{where}, every")
    every = to_steps(duration, dt, where=f"{where}: every")
    # Engines read one row per step, which should lie in one piece.
    return Table(np.ascontiguousarray(rows), int(every), None)
