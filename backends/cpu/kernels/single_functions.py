"""Functions and normal numbers for float32 that take much longer in float64, rounded.

Errors in units in the last place (ulp) of float32, over all arguments:

============  ======  ========================================================================
function      error   at the edges
============  ======  ========================================================================
exp           1       overflows to inf and underflows through the denormals to 0
expm1_ratio   2       (exp(z) - 1) / z, which is 1 at 0
normal_block  6       of the float64 numbers of the same words; or by 1e-14, next to 0
============  ======  ========================================================================

A NaN gives NaN. No fused or reordered operation, no branch.

Source: coefficients are minimax fits of (exp(r) - 1 - r) / r**2 for abs(r) < ln(2) / 2, of
(log(1 + f) - f + f**2 / 2) / f**3 for sqrt(1/2) < 1 + f < sqrt(2), and of the remainders of sine
and cosine to pi / 4, by Lawson's algorithm (1961); ln(2) in two parts: Cody & Waite 1980.
"""

from __future__ import annotations

import numpy as np
from numba import types

from neurosim.compiled.functions import primitives

from .functions import compiled

PRIMITIVES = primitives(types.float32, types.int32)
_float, _bits, _from_bits, _where, _sqrt = (
    PRIMITIVES[name] for name in ("_float", "_bits", "_from_bits", "_where", "_sqrt")
)

_F = np.float32  # whole numbers and Python's own would make float64 of everything that they meet
_HALF = _F(0.5)
_ONE = _F(1)
_INF = _F(np.inf)
# 1.5 * 2**23: adding it rounds to a whole number, which then stands in the low bits.
_MAGIC = _F(12582912.0)
_MAGIC_BITS = 0x4B400000
_LOG2_E = _F(1.4426950408889634)
# HIGH has 10 bits: k * HIGH is exact.
_LN2_HIGH = _F(0.693359375)
_LN2_LOW = _F(-2.1219444005469058e-4)
_LEAST, _MOST = _F(-104.0), _F(104.0)  # exp of numbers beyond is 0 or inf
_EXP = (
    _F(0.4999999403953552),
    _F(0.1666652113199234),
    _F(0.04166838899254799),
    _F(0.008368716575205326),
    _F(0.001381459878757596),
)
_LOG = (
    _F(0.3333331346511841),
    _F(-0.25000008940696716),
    _F(0.2000211924314499),
    _F(-0.1666799634695053),
    _F(0.14219552278518677),
    _F(-0.1240558922290802),
    _F(0.11888162046670914),
    _F(-0.11675652116537094),
    _F(0.06746640056371689),
)
_SIN = _F(-0.16666655242443085), _F(0.008332177996635437), _F(-0.00019517292093951255)
_COS = _F(0.04166664555668831), _F(-0.001388736767694354), _F(2.443844459776301e-05)
_SQRT_HALF = _F(0.7071067811865476)
_SQRT_HALF_BITS = 0x3F3504F3
_GRAIN = _F(2.0**-32)
_ANGLE = _F(2.0 * np.pi * 2.0**-32)
_MINUS_TWO = _F(-2)


@compiled
def _two_to(n):
    return _from_bits((n + 127) << 23)


@compiled
def _exp_parts(x):
    """Return e and n with exp(x) = (1 + e) * 2**n and abs(e) < 0.42."""
    shifted = x * _LOG2_E + _MAGIC
    m = shifted - _MAGIC
    n = _bits(shifted) - _MAGIC_BITS
    r = (x - m * _LN2_HIGH) - m * _LN2_LOW
    p = _EXP[0] + r * (_EXP[1] + r * (_EXP[2] + r * (_EXP[3] + r * _EXP[4])))
    return r + r * r * p, n


@compiled
def _bounded(x):
    return _where(x < _LEAST, _LEAST, _where(x > _MOST, _MOST, x))


@compiled
def exp(x):
    e, n = _exp_parts(_bounded(_float(x)))
    # In two steps: 2**n itself would overflow at 128, and lacks denormals below 2**-126.
    half = n >> 1
    return (_ONE + e) * _two_to(half) * _two_to(n - half)


@compiled
def expm1_ratio(z):
    z = _float(z)
    e, n = _exp_parts(_bounded(z))
    half = n >> 1
    scale = _two_to(half)
    rest = n - half
    # Divided before the second factor: the product alone could overflow.
    divisor = _where(z == _F(0), _ONE, z)
    ratio = (e * scale + (scale - _two_to(-rest))) / divisor
    return _where(z == _F(0), _ONE, _where(z > _MOST, _INF, ratio * _two_to(rest)))


@compiled
def _radius(w):
    """Return sqrt(-2 log(u)) for the middle u of a word's part of (0, 1).

    Next to 1 it is computed from 1 - u, which is known better than u.
    """
    u = (_float(np.uint32(w)) + _HALF) * _GRAIN
    rest = (_float(~np.uint32(w)) + _HALF) * _GRAIN
    bits = _bits(u)
    k = (bits - _SQRT_HALF_BITS) >> 23
    f = _where(u > _SQRT_HALF, -rest, _from_bits(bits - (k << 23)) - _ONE)
    q = _LOG[4] + f * (_LOG[5] + f * (_LOG[6] + f * (_LOG[7] + f * _LOG[8])))
    q = _LOG[0] + f * (_LOG[1] + f * (_LOG[2] + f * (_LOG[3] + f * q)))
    whole = _where(u > _SQRT_HALF, _F(0), _float(k))
    log = whole * _LN2_HIGH + (f - (f * f * (_HALF - f * q) - whole * _LN2_LOW))
    return _sqrt(_MINUS_TWO * log)


@compiled
def _direction(w):
    """Return cosine and sine of the turn that a word names.

    Quarters of a turn are counted in whole numbers, so that nothing is lost by subtracting them.
    """
    quarter = (w + np.uint64(1 << 29)) >> np.uint64(30)
    a = (_float(np.int32(w - (quarter << np.uint64(30)))) + _HALF) * _ANGLE
    z = a * a
    sine = a + a * z * (_SIN[0] + z * (_SIN[1] + z * _SIN[2]))
    cosine = _ONE - (_HALF * z - z * z * (_COS[0] + z * (_COS[1] + z * _COS[2])))
    odd = quarter & np.uint64(1) != np.uint64(0)
    first = _where(odd, sine, cosine)
    second = _where(odd, cosine, sine)
    turn = np.int64(quarter)
    # The sign bit is flipped in place of a multiplication: exact, and without a branch.
    x = _from_bits(_bits(first) ^ ((turn + 1) & 2) << 30)
    y = _from_bits(_bits(second) ^ (turn & 2) << 30)
    return x, y


@compiled
def normal_block(w0, w1, w2, w3):
    """Return four standard normal numbers, as `compiled_streams.normal_block` does for float64.

    Parameters
    ----------
    w0, w1, w2, w3 : uint64
        Words of a block of the generator, of 32 bits each.

    Notes
    -----
    Source: Box & Muller 1958.
    """
    r0, (x0, y0) = _radius(w0), _direction(w1)
    r1, (x1, y1) = _radius(w2), _direction(w3)
    return r0 * x0, r0 * y0, r1 * x1, r1 * y1
