"""Parameters as numbers of SpiNNaker 1: S16.15, the whole number x * 2**15 in 32 bits."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import numpy as np

ONE = 1 << 15


def wrap(number: int) -> int:
    """Return a whole number as 32 bits with a sign hold it."""
    # Python's remainder is never negative: moved up by 2**31 before it, and down after it.
    return (number + (1 << 31)) % (1 << 32) - (1 << 31)


def to_fixed(value: Any) -> np.ndarray:
    """Return parameters as the host writes them: S16.15 to the nearest, halves to even, int32.

    Parameters
    ----------
    value : number or (N,)
        Below 65536 in magnitude.
    """
    if np.ndim(value) == 0:
        # The host takes the decimal digits of one number, and the bits of many.
        scaled = Decimal(str(float(value))) * ONE
        return np.array(int(scaled.to_integral_value(ROUND_HALF_EVEN)), np.int32)
    return np.rint(np.asarray(value, np.float64) * ONE).astype(np.int32)


def to_float(numbers: np.ndarray) -> np.ndarray:
    """Return S16.15 as float64, which holds each of them exactly."""
    return numbers.astype(np.float64) / ONE


def divide(dividend: int, divisor: int) -> int:
    """Return the quotient of positive S16.15 numbers, rounded down."""
    # Shifted before the division, so that the quotient keeps its 15 places.
    return (dividend << 15) // divisor
