"""Quantities of users: numbers, arrays, text, quantities of pint and lists of these are read."""

from __future__ import annotations

from decimal import Decimal
from numbers import Real
from typing import Any, TypeGuard

import numpy as np

from .errors import ModelError, NetworkError, describe
from .units import NUMBER, PintQuantity, Unit, measure_pint, of, read, unit

# Lists hold lists at most so deep; one that contains itself has no end.
_DEEPEST = 16
# Kinds of NumPy that are no real numbers, and what messages call their items.
_KINDS = {
    "b": "truth values",
    "c": "complex numbers",
    "m": "spans of time",
    "M": "dates",
    "S": "bytes",
    "V": "records",
}


_MS = unit("ms")


class _Unreadable(Exception):
    """A value that is no quantity; the text says why and what to do."""


def to_engine(
    value: Any,
    declared: Unit,
    *,
    where: str,
    error: type[Exception] = ModelError,
) -> Any:
    """Return a quantity in engine units.

    Parameters
    ----------
    value : text, quantity of pint, number, array, or lists of these
        Plain numbers are in the declared unit.
    declared : Unit
        Its dimension is expected.
    where : str
        Begins messages.
    error : type of exception
        Raised for any problem.

    Returns
    -------
    float or float64 array
        A copy: later changes of the value do not change it.

    Raises
    ------
    ModelError or `error`
        If the dimension differs, or the value is no quantity, or one of another library.
    """
    try:
        return _read(value, declared, 0)
    except (_Unreadable, ModelError) as reason:
        raise error(f"{where}: {reason}") from None
    except MemoryError:
        raise
    except Exception as problem:  # the class of a value may be anybody's, and raise anything
        if _is_plain(value):  # a handler of a signal raised it, such as that of a time limit
            raise
        raise error(
            f"{where}: {describe(value)} cannot be read as a quantity "
            f"({type(problem).__name__}). {_remedy(declared)}"
        ) from problem


def read_time(value: Any, *, where: str, error: type[Exception] = NetworkError) -> float:
    """Return one time in ms.

    Parameters
    ----------
    value : text, quantity of pint, or number of ms
    where : str
        Begins the message.
    error : type of exception

    Raises
    ------
    NetworkError or `error`
        If it is no time, several ones, or not finite.
    """
    time = to_engine(value, _MS, where=where, error=error)
    if isinstance(time, np.ndarray) or not np.isfinite(time):
        raise error(f"{where}: found {describe(value)}, expected one time. Write such as '100 ms'.")
    return time


def as_array(value: Any, *, where: str, error: type[Exception] = NetworkError) -> np.ndarray:
    """Return NumPy's array of a value, such as one of indices, whose class may be anybody's.

    Parameters
    ----------
    value : array or list
    where : str
        Begins the message.
    error : type of exception

    Raises
    ------
    NetworkError or `error`
        If there is none.
    """
    try:
        return np.asarray(value)
    except MemoryError:
        raise
    except Exception as problem:  # the class of a value may be anybody's, and raise anything
        if _is_plain(value):
            raise
        raise error(
            f"{where}: {describe(value)} cannot be read as an array ({type(problem).__name__}). "
            "Give an array or a list of numbers."
        ) from problem


def find_unit(value: Any) -> Unit | None:
    """Return the unit that a value names, of a list the first; None if it has plain numbers only.

    Parameters
    ----------
    value : text, quantity of pint, number, array, or lists of these
        Anything else names no unit; `to_engine` refuses it.
    """
    try:
        return _find_unit(value, 0)
    except Exception:  # the class of a value may be anybody's, and raise anything
        return None


def _find_unit(value: Any, depth: int) -> Unit | None:
    if type(value) in (float, int) or depth > _DEEPEST:
        return None
    if isinstance(value, str):
        quantity = read(value)
        return quantity[1] if quantity and quantity[1].text != "1" else None
    if isinstance(value, np.ndarray):
        value = value.tolist() if value.dtype.kind in "OUT" and value.ndim else ()
    if isinstance(value, list | tuple):
        return next(filter(None, (_find_unit(item, depth + 1) for item in value)), None)
    if is_pint(value):
        return _unit_of_pint(value)
    return None


def _unit_of_pint(value: PintQuantity) -> Unit:
    # Pint's short form; two of its signs are not ASCII.
    return unit(f"{value.units:~C}".replace("µ", "u").replace("Ω", "ohm").replace(" ", ""))


def is_pint(value: object) -> TypeGuard[PintQuantity]:
    """Return whether a value is a quantity of pint; other libraries have ``units``, too."""
    return hasattr(value, "magnitude") and hasattr(value, "to_base_units")


def _read(value: Any, declared: Unit, depth: int) -> Any:
    """Return a value in engine units; `depth` counts the lists around it."""
    # The commonest first: loops set such arrays after every step.
    if type(value) is np.ndarray and value.dtype == np.float64 and value.ndim:
        return value * declared.size if declared.size != 1.0 else value.copy()
    if isinstance(value, str):
        return _read_text(value, declared, alone=depth == 0)
    if isinstance(value, list | tuple):
        return _read_items(value, declared, depth)
    if isinstance(value, np.ndarray) and value.dtype.kind in "OUT" and value.ndim == 0:
        return _read(value.item(), declared, depth)
    _require_own(value, declared)
    if is_pint(value):
        return _read_pint(value, declared)
    numbers = _numbers(value, declared)
    if isinstance(numbers, list):
        return _read_items(numbers, declared, depth)
    result = numbers * declared.size if declared.size != 1.0 else numbers
    return float(result) if numbers.ndim == 0 else result


def _read_items(items: list[Any] | tuple[Any, ...], declared: Unit, depth: int) -> np.ndarray:
    if depth == _DEEPEST:
        raise _Unreadable(
            f"found lists within lists, more than {_DEEPEST} deep, expected an array of numbers. "
            "A list that contains itself has no end: correct it."
        )
    # Most lists are of numbers alone, and long ones should not be walked item by item.
    if all(
        issubclass(item_type, _NUMBERS) and item_type is not bool
        for item_type in set(map(type, items))
    ):
        return np.asarray(_read(_array(items, declared), declared, depth))
    arrays = [np.asarray(_read(item, declared, depth + 1)) for item in items]
    if len({array.shape for array in arrays}) > 1:
        raise _no_quantity(items, declared, "its rows differ in length")
    return np.array(arrays, np.float64)


def _is_plain(value: Any) -> bool:
    """Return whether a value is a number or an array of numbers, which raise nothing themselves."""
    array = type(value) is np.ndarray and value.dtype.kind in "fiu"
    return array or type(value) in _NUMBERS


# Types of which NumPy takes the number and nothing else.
_NUMBERS = (float, int, np.floating, np.integer)


def _numbers(value: Any, declared: Unit) -> np.ndarray | list[Any]:
    """Return a new array of a value's numbers, or the items of an array that are read one by one.

    Python's own truth values are refused as those of arrays are.
    """
    if isinstance(value, np.ma.MaskedArray):
        raise _no_quantity(
            value, declared, "masked", "Fill the gaps with numpy.ma.filled, or leave them out."
        )
    if isinstance(value, Decimal) or isinstance(value, Real) and not isinstance(value, np.generic):
        value = value if isinstance(value, bool) else _float(value, declared)
    array = np.asarray(value)
    if array.dtype.kind in "OUT" and array.ndim:
        return array.tolist()
    if array.dtype.kind in _KINDS:
        raise _no_quantity(value, declared, _KINDS[array.dtype.kind])
    if array.dtype.kind not in "fiu":
        raise _no_quantity(value, declared)
    return _array(array, declared)


def _float(value: Any, declared: Unit) -> float:
    try:
        return float(value)
    except OverflowError:
        raise _no_quantity(value, declared, "too large for a float") from None


def _array(value: Any, declared: Unit) -> np.ndarray:
    try:
        return np.array(value, np.float64)
    except OverflowError:
        raise _no_quantity(value, declared, "with a number too large for a float") from None


def _no_quantity(
    value: Any,
    declared: Unit,
    reason: str = "",
    remedy: str = "",
) -> _Unreadable:
    because = f" ({reason})" if reason else ""
    return _Unreadable(
        f"{describe(value)}{because} is not a quantity. {remedy or _remedy(declared)}"
    )


def _remedy(declared: Unit) -> str:
    if declared.exponents == NUMBER:
        return "Give a number or an array."
    return f"Give a number, an array, or text such as '20 {declared.text}'."


def _read_text(text: str, declared: Unit, *, alone: bool) -> float:
    try:
        quantity = read(text)
    except ModelError as reason:
        raise _Unreadable(str(reason)) from None
    if quantity is None:
        form = "" if declared.exponents == NUMBER else f" and a unit, such as '20 {declared.text}'"
        raise _Unreadable(f"{describe(text)} is not a quantity. Write a number{form}.")
    number, own = quantity
    if own.exponents == NUMBER and declared.exponents != NUMBER:
        raise _Unreadable(
            f"{describe(text)} has no unit, but {declared} is expected. "
            f"Write '{number:g} {declared.text}'."
        )
    if own.text == "1":
        # Alone it is an expression like any other; among others it is a column read as text.
        if not alone:
            raise _Unreadable(
                f"found the text {describe(text)}, expected a number. Write {number:g}."
            )
        own = declared  # a plain number, which counts in the declared unit
    if own.exponents != declared.exponents:
        raise _Unreadable(
            f"{describe(text)} is {own}, but {declared} is expected. Give it in {declared.text}."
        )
    return number * own.size


def _read_pint(value: PintQuantity, declared: Unit) -> Any:
    numbers = _numbers(value.magnitude, declared)
    if isinstance(numbers, list):  # of objects, which pint does not convert
        raise _no_quantity(value, declared)
    try:
        # As text is read, so that both give the same bits; pint rounds on its way to SI units.
        own = _unit_of_pint(value)
        number = numbers * own.size
        exponents = own.exponents
    except ModelError:  # it does not count from zero, such as degrees Celsius
        number, exponents = measure_pint(value)
    if exponents != declared.exponents:
        raise _Unreadable(
            f"{value} is {of(exponents)}, but {declared} is expected. Give it in {declared.text}."
        )
    return float(number) if np.ndim(number) == 0 else number


def _require_own(value: Any, declared: Unit) -> None:
    """Refuse a quantity of another library: NumPy would drop its unit without a word."""
    # Our own tables have a unit, and are refused as tables.
    if type(value) in _NUMBERS or is_pint(value) or type(value).__module__.startswith("neurosim."):
        return
    carried = (getattr(value, name, None) for name in ("dim", "dimensions", "unit", "units"))
    if all(item is None or callable(item) for item in carried):
        return
    library = type(value).__module__.partition(".")[0]
    example = "nA" if declared.exponents == NUMBER else declared.text
    raise _Unreadable(
        f"found a quantity of another library ({library}.{type(value).__name__}), expected "
        f"text, plain numbers or pint's. Write it as text, such as '0.3 {example}', or give its "
        f"numbers in {declared.text}."
    )
