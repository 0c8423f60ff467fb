"""The exponential function of SpiNNaker 1, from a table of whole powers and two corrections.

Source: ``stdfix-exp.c`` of spinn_common, as compiled into the programs of sPyNNaker 7.4.1.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, localcontext

from .numbers import ONE, wrap

_WORD = 1 << 32
_MASK = _WORD - 1
# Coefficients of the series of 1 - exp(-y) between two entries of `_SIXTEENTHS`.
_SERIES = (5294, 4293434720, 2081624032)
_LOWEST_POWER = -13
# -15 log(2): a smaller exponential is below 2**-15, the grain of S16.15.
_ZERO_BELOW = -340695
# 16 log(2): a larger exponential does not fit into S16.15.
_FULL_ABOVE = 363408
LEAST_EXPONENT = _LOWEST_POWER * ONE  # below it the table of powers has no entry


def _round_to_word(number: Decimal) -> int:
    return int((number * _WORD).to_integral_value(ROUND_HALF_EVEN))


def _tables() -> tuple[list[int], list[int]]:
    """Return exp(z) for z from -13 to 12, and 1 - exp(-m / 16) for m from 0 to 15, times 2**32."""
    with localcontext() as context:
        # Far more digits than 64 bits have, so that each entry is rounded once.
        context.prec = 40
        powers = [_round_to_word(Decimal(z).exp()) for z in range(_LOWEST_POWER, 13)]
        sixteenths = [_round_to_word(1 - (Decimal(-m) / 16).exp()) for m in range(16)]
    return powers, sixteenths


_POWERS, _SIXTEENTHS = _tables()


def _scale(number: int, factor: int) -> int:
    """Return the upper bits of a 64-bit number times a factor, the lower word to the nearest."""
    low = (number & _MASK) * factor
    # From one below the half on: so the compiled program rounds.
    carry = (low & _MASK) >= 0x7FFFFFFF
    return (number >> 32) * factor + (low >> 32) + carry


def _series(y: int) -> int:
    first, second, third = _SERIES
    return first + (y * (second - (third * y >> 32)) >> 32)


def _exponential(exponent: int) -> int:
    """Return exp(exponent / 2**15) * 2**32 as 64 bits."""
    power = exponent >> 15
    rest = exponent - (power << 15)
    if rest == 0:
        return _POWERS[power - _LOWEST_POWER]
    # From the next whole power down: both corrections are subtracted.
    number = _POWERS[power + 1 - _LOWEST_POWER]
    rest = ONE - rest
    number -= _scale(number, _SIXTEENTHS[rest >> 11])
    return number - _scale(number, _series((rest & 0x7FF) << 17))


def exp_to_fixed(exponent: int) -> int:
    """Return the exponential of an S16.15 number as S16.15."""
    if exponent < _ZERO_BELOW:
        return 0
    if exponent > _FULL_ABOVE:
        return 0x7FFFFFFF
    # From 32 places behind the point to 15.
    return wrap(_exponential(exponent) >> 17)


def exp_to_fraction(exponent: int) -> int:
    """Return the exponential of an S16.15 number as U0.32; that of 0 has no place for its one.

    Parameters
    ----------
    exponent : int
        From `LEAST_EXPONENT` to 0.
    """
    return _exponential(exponent) & _MASK
