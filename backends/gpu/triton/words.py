"""The words of printed kernels: the language's functions and draws, compiled or interpreted.

The functions of this file are Triton: their code objects are rebuilt over the namespace of one
precision, for the compiler or for Triton's interpreter.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import isnan
from types import FunctionType
from typing import Any

import numpy as np
import triton
import triton.language as tl
from triton.runtime.interpreter import InterpretedFunction

from neurosim.draws import streams
from neurosim.expr import functions

from . import kernels

# Positions in the clock, int64: the step; how often a signal was emitted before; the half-step of
# the first value that is not finite (2k in phase 2 of step k, 2k + 1 in phase 5); the replica.
STEP, REPEAT, WRONG, REPLICA = range(4)
NEVER = 2**62  # no half-step is as late
_TYPES = {"float64": tl.float64, "float32": tl.float32}

# Names of the namespace in which the functions below are rebuilt.
_REAL: Any = tl.float64
_SINGLE: Any = False
_MASK: Any = 0xFFFFFFFF
_GRAIN: Any = streams._GRAIN
_TURN: Any = streams._TURN
_philox4x32: Any = None
_exp: Any = None
_expm1_ratio: Any = None
_log: Any = None
_sqrt_of: Any = None
_cos: Any = None
_sin: Any = None


# ---- primitives of `neurosim.expr.functions`


def _float(x):
    return tl.cast(x, tl.float64)


def _bits(x):
    return x.to(tl.int64, bitcast=True)


def _from_bits(x):
    return x.to(tl.float64, bitcast=True)


def _wide(x):
    # Of a Python number Triton would make a float32.
    if isinstance(x, tl.constexpr) or isinstance(x, float):
        return tl.full((), x, tl.float64)
    else:
        return x


def _where(condition, a, b):
    return tl.where(condition, _wide(a), _wide(b))


def _floor(x):
    return tl.floor(x)


def _sqrt(x):
    return tl.sqrt(x)


# ---- numbers


def _spread(x, n):
    """Return a literal as a number of each lane."""
    return tl.full(n.shape, x, _REAL)


def _real(x):
    """Return a number in the precision of the run."""
    return tl.cast(x, _REAL)


def _truth(condition):
    """Return a condition as 1.0 or 0.0."""
    # Numbers of the run's type: Python numbers would become float32.
    return tl.where(condition, tl.full((), 1.0, _REAL), tl.full((), 0.0, _REAL))


def _choose(condition, a, b):
    return tl.where(condition != 0, a, b)


def _divide(a, b):
    # In float32 the plain division is not the rounded one.
    if _SINGLE:
        return tl.div_rn(a, b)
    else:
        return a / b


def _row(rows, step):
    """Return the row of a table that is in force: `rows` has steps per row, first step, rows."""
    # Before the first row begins, and after the last one ends, the nearest row is in force.
    elapsed = tl.maximum(step - tl.load(rows + 1), 0)
    number = elapsed // tl.load(rows)
    last = tl.load(rows + 2) - 1
    return tl.minimum(number, last)


# ---- closed forms of a rule's variables


def _elapsed(step, last, dt):
    # One product, as the reference engine: a sum of steps would round once per step.
    return (step - last).to(tl.float64) * dt


def _decayed(base, elapsed, tau):
    return base * _real(_exp(-elapsed / tl.cast(tau, tl.float64)))


def _relaxed(base, elapsed, tau, inflow):
    # float64 in both precisions, and rounded once at the end: see `words`.
    exponent = -elapsed / tl.cast(tau, tl.float64)
    gain = _real(elapsed * _expm1_ratio(exponent))
    decay = _real(_exp(exponent))
    return base * decay + inflow * gain


# ---- draws


def _block(index, keys, clock, sample, later):
    """Return the four words of the block of each index, int64, ``later`` steps after the clock's.

    Notes
    -----
    ``keys`` are the two words of a stream.
    """
    # Four neighbours share a block of four words, so that draws do not depend on the lanes.
    block = index.to(tl.int64) >> 2
    # The words of a loop keep their shape.
    none = block * 0
    step = tl.load(clock) + later
    replica = (tl.load(clock + 3) + sample) & _MASK
    # A signal that is emitted again in a step draws other numbers: the repetition is in the key.
    k0 = tl.load(keys) ^ (tl.load(clock + 1) & _MASK)
    k1 = tl.load(keys + 1)
    low = (step & _MASK) + none
    high = ((step >> 32) & _MASK) + none
    return _philox4x32(block & _MASK, low, high, replica + none, k0, k1)


def _middle(word):
    # The middle of a grain is neither 0 nor 1: its logarithm is finite.
    return (word.to(tl.float64) + 0.5) * _GRAIN


def _uniform_wide(index, keys, clock, sample, later):
    w0, w1, w2, w3 = _block(index, keys, clock, sample, later)
    lane = index & 3
    early = tl.where(lane == 0, w0, w1)
    late = tl.where(lane == 2, w2, w3)
    return _middle(tl.where(lane < 2, early, late))


def _uniform(index, keys, clock, sample):
    return _real(_uniform_wide(index, keys, clock, sample, 0))


def _normal(index, keys, clock, sample):
    w0, w1, w2, w3 = _block(index, keys, clock, sample, 0)
    lane = index & 3
    # Two neighbours share one pair of words: the even one takes the cosine, the odd one the sine.
    first = _middle(tl.where(lane < 2, w0, w2))
    second = _middle(tl.where(lane < 2, w1, w3))
    radius = _sqrt_of(-2.0 * _log(first))
    angle = _TURN * second
    even = radius * _cos(angle)
    odd = radius * _sin(angle)
    return _real(tl.where((lane & 1) == 0, even, odd))


_PRIMITIVES = (_float, _bits, _from_bits, _wide, _where, _floor, _sqrt)
_ENGINE = (_spread, _real, _truth, _choose, _divide, _row, _elapsed, _decayed, _relaxed)
_DRAWS = (_block, _middle, _uniform_wide, _uniform, _normal)


# ---- the namespace


class _Nan(float):
    """Not a number, equal to itself: the compiler asks whether its constants have changed."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, float) and isnan(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = float.__hash__


@dataclass(frozen=True)
class Words:
    """What kernels of one precision call.

    Attributes
    ----------
    namespace : name -> function or constant
    interpreted : bool
        Whether kernels are walked by Triton's interpreter on the CPU, not compiled.
    """

    namespace: dict[str, Any]
    interpreted: bool

    def kernel(self, body: Callable[..., Any]) -> Any:
        """Return a function of a file of this engine as a kernel."""
        return self._launched(_over(body, self.namespace))

    def part(self, body: Callable[..., Any]) -> None:
        """Add a function that kernels call."""
        function = _over(body, self.namespace)
        # The interpreter calls plain functions much faster than kernels.
        self.namespace[body.__name__] = function if self.interpreted else triton.jit(function)

    def load(self, source: str, *, title: str) -> dict[str, Any]:
        """Return the kernels of printed source by name.

        Parameters
        ----------
        source : str
        title : str
            Stands in tracebacks in place of a file.
        """
        path = f"<neurosim {title} {hash(source):x}>"
        # Triton reads the lines of a function again, and so do tracebacks.
        linecache.cache[path] = len(source), None, source.splitlines(keepends=True), path
        printed: dict[str, Any] = {}
        # Printed names are kept apart: kernels of two sources may have the same one.
        exec(compile(source, path, "exec"), self.namespace, printed)
        return {name: self._launched(function) for name, function in printed.items()}

    def _launched(self, function: FunctionType) -> Any:
        return InterpretedFunction(function) if self.interpreted else triton.jit(function)


@cache
def words(precision: str, *, interpreted: bool) -> Words:
    """Return the words of a precision.

    Parameters
    ----------
    precision : ``float64`` or ``float32``
        In float32, functions and draws are computed in float64 and rounded once.
    interpreted : bool
    """
    # The compiler reads no global but those that are marked as constant.
    constant: Callable[[Any], Any] = (lambda value: value) if interpreted else tl.constexpr
    namespace: dict[str, Any] = {
        "tl": tl,
        "__name__": __name__,
        "isinstance": isinstance,
        "float": float,
        "range": range,
        "_REAL": _TYPES[precision],
    }
    numbers = {
        "_SINGLE": precision == "float32",
        "_MASK": _MASK,
        "_GRAIN": _GRAIN,
        "_TURN": _TURN,
        "_FIXED": kernels.FIXED,
        "_NEXT_DRAW": streams.NEXT_DRAW,
    }
    namespace |= {name: constant(value) for name, value in numbers.items()}
    result = Words(namespace, interpreted)
    for body in _PRIMITIVES:
        result.part(body)
    build = _identity if interpreted else triton.jit
    language = functions.bind(namespace | _constants(functions, constant), build)
    # The compiler looks up the types of arguments, which are int64 here.
    of_streams = _constants(streams, constant) | {"__name__": __name__, "Any": tl.int64}
    philox = _over(streams.philox4x32, of_streams)
    namespace |= language | {
        "_exp": language["exp"],
        "_expm1_ratio": language["expm1_ratio"],
        "_log": language["log"],
        "_sqrt_of": language["sqrt"],
        "_cos": language["cos"],
        "_sin": language["sin"],
        "_philox4x32": build(philox),
    }
    for body in _ENGINE + _DRAWS + kernels.PARTS:
        result.part(body)
    return result


def _identity(function: FunctionType) -> FunctionType:
    return function


def _over(body: Callable[..., Any], namespace: dict[str, Any]) -> FunctionType:
    assert isinstance(body, FunctionType)
    function = FunctionType(body.__code__, namespace, body.__name__)
    # They say which arguments the compiler knows.
    function.__annotations__ = body.__annotations__
    return function


def _constants(module: Any, constant: Callable[[Any], Any]) -> dict[str, Any]:
    """Return the numbers of a module, and its tuples of numbers, as kernels read them."""
    result = {}
    for name, value in vars(module).items():
        if name.startswith("__"):
            continue
        if isinstance(value, np.unsignedinteger):
            # Products of int64 wrap to the same low bits as those of words without a sign.
            result[name] = constant(int(value))
        elif isinstance(value, int | float | tuple):
            result[name] = constant(_Nan("nan") if value != value else value)
    return result
