"""The functions of the language, written once in basic arithmetic: all engines give the same bits.

A body below uses ``+ - * /``, comparisons, integer shifts and the few primitives of `PRIMITIVES`,
and takes no branch. It therefore vectorises, and gives the same bits wherever these operations are
those of IEEE 754 with rounding to nearest: `FUNCTIONS` holds the NumPy versions, `bind` rebuilds
the same code over the primitives of another engine. No step may be contracted (FMA) or reordered
(fast-math); the payload and the sign of a NaN are the only bits that may differ.

Errors in units in the last place (ulp), over all float64 arguments unless a range is named:

=============  ======  =============================================================================
function       error   at the edges
=============  ======  =============================================================================
exp            1       overflows to inf and underflows through the denormals to 0
log            1       -inf at 0, NaN below; denormal arguments are right
pow            1       as C99: x**0 = 1**y = 1, NaN for negative x and fractional y; denormals are
                       right
sin cos        1       for abs(x) < 1.6e6; then the error is at most that of abs(x) * 2**-52 in x;
                       NaN from 2**45 on
tanh           2.5
expm1_ratio    2       (exp(z) - 1) / z, which is 1 at 0
exprel         2       the same function
log10          1       exact for powers of ten; -inf at 0, NaN below
arctan         1       +-pi/2 at +-inf
sqrt floor     0
=============  ======  =============================================================================

abs, min, max, clip, where, sign, ceil, round (halves to even) and int (towards zero) are exact.
``x % y`` (`mod`) is exact, and ``x // y`` (`quotient`) the whole number that belongs to it, with
the signs of Python: the remainder has the sign of y. Both are NaN at y = 0, for infinite x, and
from abs(x / y) = 2**53 on, where float64 no longer tells neighbouring whole numbers apart. A NaN
among the arguments of any function but where gives NaN (pow: unless x is 1 or y is 0). Of two zeros
min and max return the second; ``clip(x, low, high)`` is ``min(max(x, low), high)``.

Methods and constants: Sun Microsystems, fdlibm 5.3 (1993): e_exp.c, e_log.c, k_sin.c, k_cos.c,
e_rem_pio2.c; exact sums and products: Dekker 1971, Numer. Math. 18, eqs. 4.14 and 5.5-5.7; Knuth,
TAOCP 2, 4.2.2, theorem B; arctan: fdlibm 5.3, s_atan.c.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

_INF = float("inf")
_NAN = float("nan")
_ABS_BITS = 0x7FFFFFFFFFFFFFFF  # all but the sign
# 1.5 * 2**52: adding it rounds to a whole number, which then stands in the low bits.
_MAGIC = 6755399441055744.0
_MAGIC_BITS = 0x4338000000000000
_SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
_TINY = 2.2250738585072014e-308  # the smallest normal number
_LOG2_E = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = (
    6.93147180369123816490e-01,
    1.90821492927058770002e-10,
)  # HIGH ends in 32 zeros: k * HIGH is exact
_TWO_OVER_PI = 0.6366197723675814
_PIO2_1, _PIO2_2, _PIO2_3 = (
    1.57079632673412561417e00,
    6.07710050630396597660e-11,
    2.02226624871116645580e-21,
)  # 33 bits each
_PIO2_REST = 8.47842766036889956997e-32
_TWO_THIRDS = 0.6666666666666666
_TWO_THIRDS_LOW = 3.700743415417188e-17
_SPLIT = 134217729.0  # 2**27 + 1
_LOG10_E = 0.4342944819032518
_LOG10_E_LOW = 1.098319650216765e-17
_MOST_WHOLE = 9007199254740992.0  # 2**53
# Arctangents of 0.5, 1, 1.5 and infinity, in two parts each.
_ATAN = (
    4.63647609000806093515e-01,
    7.85398163397448278999e-01,
    9.82793723247329054082e-01,
    1.57079632679489655800e00,
)
_ATAN_LOW = (
    2.26987774529616870924e-17,
    3.06161699786838301793e-17,
    1.39033110312309984516e-17,
    6.12323399573676603587e-17,
)

_float: Callable[..., Any] = lambda x: np.asarray(x, dtype=np.float64)  # noqa: E731
_bits: Callable[..., Any] = lambda x: x.view(np.int64)  # noqa: E731
_from_bits: Callable[..., Any] = lambda i: i.view(np.float64)  # noqa: E731
_where: Callable[..., Any] = np.where
_floor: Callable[..., Any] = np.floor
_sqrt: Callable[..., Any] = np.sqrt

PRIMITIVES = ("_float", "_bits", "_from_bits", "_where", "_floor", "_sqrt")
"""The functions that an engine must offer: conversion to float64, float64 <-> int64 views, select,
and floor and square root as IEEE 754 has them."""


def _bound(x, low, high):
    return _where(x < low, low, _where(x > high, high, x))


def _nearest(x):
    """Return the whole number nearest to x, abs(x) < 2**51, as float64 and as int64."""
    shifted = x + _MAGIC
    return shifted - _MAGIC, _bits(shifted) - _MAGIC_BITS


def _two_to(n):
    return _from_bits((n + 1023) << 52)


def _scale(x, n):
    """Return x * 2**n, abs(n) < 2000, rounded once.

    The first factor neither overflows nor underflows.
    """
    half = n >> 1
    return x * _two_to(half) * _two_to(n - half)


def _exp_parts(x, tail):
    """Return e and n with exp(x + tail) = (1 + e) * 2**n and abs(e) < 0.42."""
    m, n = _nearest(x * _LOG2_E)
    high = x - m * _LN2_HIGH
    low = m * _LN2_LOW - tail
    r = high - low
    z = r * r
    p = 6.61375632143793436117e-05 + z * (
        -1.65339022054652515390e-06 + z * 4.13813679705723846039e-08
    )
    c = r - z * (1.66666666666666019037e-01 + z * (-2.77777777770155933842e-03 + z * p))
    return high - (low - r * c / (2.0 - c)), n


def exp(x):
    x = _float(x)
    e, n = _exp_parts(_bound(x, -750.0, 720.0), 0.0)
    return _scale(1.0 + e, n)


def expm1_ratio(z):
    z = _float(z)
    e, n = _exp_parts(_bound(z, -750.0, 720.0), 0.0)
    half = n >> 1
    scale = _two_to(half)
    rest = n - half
    ratio = (e * scale + (scale - _two_to(-rest))) / _where(
        z == 0.0, 1.0, z
    )  # divided before it can overflow
    return _where(z == 0.0, 1.0, _where(z > 720.0, _INF, ratio * _two_to(rest)))


def tanh(x):
    x = _float(x)
    e, n = _exp_parts(2.0 * _bound(abs(x), 0.0, 22.0), 0.0)  # from 22 on it is 1
    scale = _two_to(n)
    t = e * scale + (scale - 1.0)
    large = t > 2.0
    part = _where(large, 2.0, t) / (t + 2.0)
    return _from_bits(_bits(_where(large, 1.0 - part, part)) ^ (_bits(x) >> 63) << 63)


def _log_parts(x):
    """Return k and m with x = m * 2**k and sqrt(1/2) <= m < sqrt(2); x positive and finite."""
    small = x < _TINY
    bits = _bits(_where(small, x * 18014398509481984.0, x))
    k = (bits - _SQRT_HALF_BITS) >> 52
    return _from_bits(k + _MAGIC_BITS) - _MAGIC - _where(small, 54.0, 0.0), _from_bits(
        bits - (k << 52)
    )


def log(x):
    x = _float(x)
    k, m = _log_parts(x)
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    even = w * (
        3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01)
    )
    p = 2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)
    r = even + z * (6.666666666666735130e-01 + w * p)
    half = 0.5 * f * f
    y = k * _LN2_HIGH - ((half - (s * (half + r) + k * _LN2_LOW)) - f)
    return _where(x > 0.0, _where(x < _INF, y, x), _where(x == 0.0, -_INF, _NAN))


def _product(a, b):
    """Return a * b rounded, and the error of that rounding (Dekker)."""
    p = a * b
    t = a * _SPLIT
    a1 = t - (t - a)
    a2 = a - a1
    t = b * _SPLIT
    b1 = t - (t - b)
    b2 = b - b1
    return p, ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2


def _times(a, a_low, b, b_low):
    """Return the product of two unevaluated sums as such a sum; relative error below 2**-100."""
    p, rest = _product(a, b)
    low = rest + (a * b_low + a_low * b)
    high = p + low
    return high, low - (high - p)


def _log_sum(x):
    """Return log(x) as an unevaluated sum of two, to 2**-64 of it; x positive and finite."""
    k, m = _log_parts(x)
    f = m - 1.0
    d = 2.0 + f
    s = f / d
    p, rest = _product(s, d)
    s_low = ((f - p) - rest - s * (f - (d - 2.0))) / d
    z, z_low = _times(s, s_low, s, s_low)
    # log(m) = s * (2 + z * (2/3 + z * (2/5 + ...))); all after 2/3 is small enough for one number
    q = 2 / 15 + z * (
        2 / 17 + z * (2 / 19 + z * (2 / 21 + z * (2 / 23 + z * (2 / 25 + z * (2 / 27)))))
    )
    q = z * (2 / 5 + z * (2 / 7 + z * (2 / 9 + z * (2 / 11 + z * (2 / 13 + z * q)))))
    high = _TWO_THIRDS + q
    w, w_low = _times(z, z_low, high, ((_TWO_THIRDS - high) + q) + _TWO_THIRDS_LOW)
    high = 2.0 + w
    y, y_low = _times(s, s_low, high, ((2.0 - high) + w) + w_low)
    base = k * _LN2_HIGH
    high = base + y
    low = ((base - high) + y) + (k * _LN2_LOW + y_low)
    total = high + low
    return total, low - (total - high)


def pow(x, y):
    x = _float(x)
    y = _float(y)
    size = abs(x)
    whole = _floor(y) == y
    odd = whole & (_floor(0.5 * y) * 2.0 != y)
    ordinary = (size > 0.0) & (size < _INF)
    high, low = _log_sum(_where(ordinary, size, 1.0))
    p, rest = _product(
        high, _bound(y, -1e20, 1e20)
    )  # beyond, the result is 0, 1 or inf all the same
    e, n = _exp_parts(_bound(p, -750.0, 720.0), rest + low * _bound(y, -1e20, 1e20))
    power = _where(ordinary, _scale(1.0 + e, n), _where((size == 0.0) == (y < 0.0), _INF, 0.0))
    # "== False", since 'not' and '~' differ between engines.
    power = _where((x < 0.0) & (size < _INF) & (whole == False), _NAN, power)  # noqa: E712
    power = _where(
        (x != x) | (y != y),
        _NAN,
        _where(odd, _from_bits(_bits(power) ^ (_bits(x) >> 63) << 63), power),
    )
    return _where((x == 1.0) | (y == 0.0), 1.0, power)


def _sum(a, b):
    """Return a + b rounded, and the error of that rounding (Knuth)."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def _quarter_turns(x):
    """Return r, r_low and n with x = n * pi/2 + r + r_low, abs(r) <= pi/4.

    For x from 0 to 1.6e6; Cody and Waite's reduction in three parts.
    """
    m, n = _nearest(x * _TWO_OVER_PI)
    r, low = _sum(x - m * _PIO2_1, -(m * _PIO2_2))
    r, rest = _sum(r, -(m * _PIO2_3))
    low = (low + rest) - m * _PIO2_REST
    high = r + low
    return high, low - (high - r), n


def _sin_cos(r, low):
    """Return sine and cosine of r + low, abs(r) <= pi/4."""
    z = r * r
    v = z * r
    p = -1.98412698298579493134e-04 + z * (
        2.75573137070700676789e-06
        + z * (-2.50507602534068634195e-08 + z * 1.58969099521155010221e-10)
    )
    p = 8.33333333332248946124e-03 + z * p
    sine = r - ((z * (0.5 * low - v * p) - low) - v * -1.66666666666666324348e-01)
    p = 2.48015872894767294178e-05 + z * (
        -2.75573143513906633035e-07
        + z * (2.08757232129817482790e-09 + z * -1.13596475577881948265e-11)
    )
    p = z * (4.16666666666666019037e-02 + z * (-1.38888888888741095749e-03 + z * p))
    half = 0.5 * z
    w = 1.0 - half
    return sine, w + (((1.0 - w) - half) + (z * p - r * low))


def _turn(x, first):
    """Return sin, cos, -sin or -cos of the rest of abs(x), by its quarter turn plus ``first``."""
    size = abs(x)
    r, low, n = _quarter_turns(size)
    sine, cosine = _sin_cos(r, low)
    turn = n + first
    value = _where(turn & 1 == 0, sine, cosine)
    return _where(size < 35184372088832.0, _from_bits(_bits(value) ^ (turn & 2) << 62), _NAN)


def sin(x):
    x = _float(x)
    return _from_bits(_bits(_turn(x, 0)) ^ (_bits(x) >> 63) << 63)


def cos(x):
    return _turn(_float(x), 1)


def sqrt(x):
    return _sqrt(_float(x))


def floor(x):
    return _floor(_float(x))


def exprel(x):
    return expm1_ratio(x)


def log10(x):
    x = _float(x)
    ordinary = (x > 0.0) & (x < _INF)
    high, low = _log_sum(_where(ordinary, x, 1.0))
    y, rest = _times(high, low, _LOG10_E, _LOG10_E_LOW)
    return _where(ordinary, y + rest, _where(x > 0.0, x, _where(x == 0.0, -_INF, _NAN)))


def arctan(x):
    x = _float(x)
    size = abs(x)
    first = size < 0.6875
    second = size < 1.1875
    third = size < 2.4375
    none = size < 0.4375
    above = _where(
        first, 2.0 * size - 1.0, _where(second, size - 1.0, _where(third, size - 1.5, -1.0))
    )
    below = _where(
        first, 2.0 + size, _where(second, size + 1.0, _where(third, 1.0 + 1.5 * size, size))
    )
    r = _where(none, size, above / below)
    base = _where(first, _ATAN[0], _where(second, _ATAN[1], _where(third, _ATAN[2], _ATAN[3])))
    low = _where(
        first,
        _ATAN_LOW[0],
        _where(second, _ATAN_LOW[1], _where(third, _ATAN_LOW[2], _ATAN_LOW[3])),
    )
    z = r * r
    w = z * z
    p = 4.97687799461593236017e-02 + w * 1.62858201153657823623e-02
    p = 9.09088713343650656196e-02 + w * (6.66107313738753120669e-02 + w * p)
    even = z * (3.33333333333329318027e-01 + w * (1.42857142725034663711e-01 + w * p))
    p = -7.69187620504482999495e-02 + w * (
        -5.83357013379057348645e-02 + w * -3.65315727442169155270e-02
    )
    odd = w * (-1.99999999998764832476e-01 + w * (-1.11111104054623557880e-01 + w * p))
    series = r * (even + odd)
    value = _where(none, r - series, base - ((series - low) - r))
    return _from_bits(_bits(value) ^ (_bits(x) >> 63) << 63)


def sign(x):
    x = _float(x)
    return _where(x > 0.0, 1.0, _where(x < 0.0, -1.0, x))


def ceil(x):
    return -_floor(-_float(x))


def int(x):
    x = _float(x)
    return _where(x < 0.0, -_floor(-x), _floor(x))


def round(x):
    x = _float(x)
    size = abs(x)
    # From 2**52 on all numbers are whole; adding it rounds smaller ones, halves to even.
    whole = _where(
        size < 4503599627370496.0, (size + 4503599627370496.0) - 4503599627370496.0, size
    )
    return _from_bits(_bits(whole) ^ (_bits(x) >> 63) << 63)


def _divide(x, y):
    """Return quotient and remainder of two sizes, both exact; NaN if the quotient is too large."""
    ratio = x / _where(y > 0.0, y, _NAN)
    whole = _floor(_where(ratio < _MOST_WHOLE, ratio, _NAN))
    p, rest = _product(whole, y)
    left = (x - p) - rest
    # The division may have rounded up to the next whole number, never further.
    whole = _where(left < 0.0, whole - 1.0, whole)
    p, rest = _product(whole, y)
    # An infinite divisor leaves everything, and its product with 0 is no number.
    endless = (y == _INF) & (x < _INF)
    return _where(endless, 0.0, whole), _where(endless, x, (x - p) - rest)


def mod(x, y):
    x = _float(x)
    y = _float(y)
    _, left = _divide(abs(x), abs(y))
    left = _where(x < 0.0, -left, left)
    across = (left != 0.0) & ((x < 0.0) != (y < 0.0))
    return _where(left == 0.0, _from_bits(_bits(y) >> 63 << 63), _where(across, left + y, left))


def quotient(x, y):
    x = _float(x)
    y = _float(y)
    whole, left = _divide(abs(x), abs(y))
    opposite = (x < 0.0) != (y < 0.0)
    # Downwards, as the remainder has the sign of the divisor.
    return _where(opposite, -_where(left != 0.0, whole + 1.0, whole), whole)


def abs(x):
    return _from_bits(_bits(_float(x)) & _ABS_BITS)


def min(a, b):
    a = _float(a)
    b = _float(b)
    return _where((a < b) | (a != a), a, b)


def max(a, b):
    a = _float(a)
    b = _float(b)
    return _where((a > b) | (a != a), a, b)


def clip(x, low, high):
    return min(max(x, low), high)


def where(condition, a, b):
    return _where(condition, _float(a), _float(b))


_PARTS = (
    _bound,
    _nearest,
    _two_to,
    _scale,
    _exp_parts,
    _log_parts,
    _product,
    _times,
    _log_sum,
    _sum,
    _quarter_turns,
    _sin_cos,
    _turn,
    _divide,
)
_LANGUAGE = (
    exp,
    log,
    pow,
    sqrt,
    cos,
    sin,
    tanh,
    floor,
    abs,
    min,
    max,
    clip,
    where,
    expm1_ratio,
    exprel,
    log10,
    arctan,
    sign,
    ceil,
    int,
    round,
    mod,
    quotient,
)


def bind(
    primitives: Mapping[str, Callable[..., Any]], build: Callable[[FunctionType], Any] = lambda f: f
) -> dict[str, Any]:
    """Rebuild every function over the primitives of an engine, from the code objects of this file.

    Parameters
    ----------
    primitives : the names of `PRIMITIVES` -> functions
    build : function -> function
        Turns a Python function into one of the engine, such as `numba.njit`.

    Returns
    -------
    dict
        The functions of the language, ``expm1_ratio``, ``mod`` and ``quotient`` by name.
    """
    namespace = {**globals(), **primitives}
    for body in _PARTS + _LANGUAGE:
        namespace[body.__name__] = build(FunctionType(body.__code__, namespace, body.__name__))
    return {body.__name__: namespace[body.__name__] for body in _LANGUAGE}


def _quiet(body: FunctionType) -> Callable[..., NDArray[np.float64]]:
    def function(*arguments: ArrayLike) -> NDArray[np.float64]:
        with np.errstate(all="ignore"):
            return body(*arguments)[()]

    function.__name__ = function.__qualname__ = body.__name__
    return function


FUNCTIONS: dict[str, Callable[..., NDArray[np.float64]]] = {
    body.__name__: _quiet(body) for body in _LANGUAGE
}
"""The NumPy functions by name: numbers or arrays that broadcast in, float64 out, no warnings."""

ARITY = {body.__name__: body.__code__.co_argcount for body in _LANGUAGE}
