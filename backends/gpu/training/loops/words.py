"""The words of printed loops: functions of the language and access to arrays, for Numba."""

from __future__ import annotations

from collections.abc import Mapping
from math import factorial
from typing import Any

import numpy as np
from numba import types

from neurosim.compiled.addressed_arrays import flag, make_load, make_store, make_truth
from neurosim.compiled.functions import FUNCTIONS, bind, compiled, primitives

_exp = FUNCTIONS["exp"]
_log = FUNCTIONS["log"]
_where = FUNCTIONS["where"]
_abs = FUNCTIONS["abs"]
# Of float32 too they need no float64: their results are exact.
_EXACT = ("abs", "floor", "max", "min", "sqrt", "where")
# Below it the closed form cancels; the series is then exact.
_SMALL = 0.05
_SERIES = tuple((k + 1) / factorial(k + 2) for k in reversed(range(9)))


@compiled
def ratio_slope(y, z):
    """Return the derivative of ``expm1_ratio`` at z, where its value is y."""
    # Horner's scheme, from the highest power down.
    series = 0.0
    for coefficient in _SERIES:
        series = series * z + coefficient
    # Both branches are computed, and a division by 0 must not happen in the one not taken.
    safe = _where(z == 0.0, 1.0, z)
    return _where(_abs(z) < _SMALL, series, (_exp(z) - y) / safe)


@compiled
def power_slope(y, x):
    """Return the derivative of a power by its exponent; at x = 0 it is 0."""
    return y * _where(x > 0.0, _log(_where(x > 0.0, x, 1.0)), 0.0)


def _in_double(function: Any, real: Any, arguments: int) -> Any:
    """Return a function of float64 for another type: computed in float64, rounded once."""
    if arguments == 1:

        @compiled
        def one(x):
            return real(function(x))

        return one

    @compiled
    def two(x, y):
        return real(function(x, y))

    return two


def _words(real: types.Float, whole: types.Integer) -> Mapping[str, Any]:
    own = primitives(real, whole)
    functions = dict(FUNCTIONS)
    if real != types.float64:
        number = own["_float"]
        words: dict[str, Any] = {**own, "_ABS_BITS": 0x7FFFFFFF}
        exact = bind(words, compiled)
        functions = {
            name: exact[name] if name in _EXACT else _in_double(body, number, _arity(body))
            for name, body in FUNCTIONS.items()
            if name != "clip"
        }
    return {
        **functions,
        **{f"double_{name}": FUNCTIONS[name] for name in ("cos", "sin", "sign", "pow", "floor")},
        "double": primitives(types.float64, types.int64)["_float"],
        "flag": flag,
        "inf": float("inf"),
        "load": make_load(real, real),
        "load_byte": make_load(types.uint8, types.int64),
        "load_double": make_load(types.float64, types.float64),
        "load_long": make_load(types.int64, types.int64),
        "nan": float("nan"),
        "power_slope": power_slope,
        "ratio_slope": ratio_slope,
        "real": own["_float"],
        "store": make_store(real, real),
        "store_byte": make_store(types.uint8, types.int64),
        "store_long": make_store(types.int64, types.int64),
        "truth": make_truth(real),
        "zero": np.float64(0.0) if real == types.float64 else np.float32(0.0),
    }


def _arity(body: Any) -> int:
    return body.py_func.__code__.co_argcount


WORDS = {
    "float64": _words(types.float64, types.int64),
    "float32": _words(types.float32, types.int32),
}
"""Precision -> name in printed source -> meaning."""
