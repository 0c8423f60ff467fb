"""Single precision: the words of printed source, and the hand-written loops, for float32.

Arithmetic, sqrt, floor, abs, min, max, clip and where are those of float32. exp, expm1_ratio and
normal numbers have series of their own, see `single_functions`. The other functions, and uniform
numbers, are those of float64, rounded once: to 0.5001 ulp of float32, and uniform() stays below 1.
The loops are the code objects of their modules over these words.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

from numba import njit, types
from numba.core.dispatcher import Dispatcher

from neurosim.compiled.addressed_arrays import make_load, make_store, make_truth
from neurosim.compiled.functions import bind
from neurosim.draws.compiled_streams import uniform_block

from . import decays as double_decays
from . import deferral, functions
from . import draws as double_draws
from . import late_events as double_late_events
from . import loop as double_loop
from .functions import compiled
from .philox import range_kernel
from .single_functions import PRIMITIVES, exp, expm1_ratio, normal_block

__all__ = [
    "abs",
    "arctan",
    "ceil",
    "clip",
    "cos",
    "decayed",
    "deferral",
    "draws",
    "exp",
    "expm1_ratio",
    "exprel",
    "float",
    "floor",
    "gained",
    "int",
    "late_events",
    "load",
    "log",
    "log10",
    "loop",
    "max",
    "min",
    "mod",
    "normal_at",
    "pow",
    "quotient",
    "relaxed",
    "round",
    "sign",
    "sin",
    "sqrt",
    "store",
    "tanh",
    "truth",
    "uniform_at",
    "where",
]

SIZE = 4  # bytes of a number
_BELOW_ONE = 1.0 - 2.0**-24  # the largest number below 1
# Of these only the functions without a constant of float64 are used.
_primitives: dict[str, Any] = PRIMITIVES | {"_ABS_BITS": 0x7FFFFFFF}
_EXACT = bind(_primitives, compiled)

float = PRIMITIVES["_float"]  # a number or integer as float32
load = make_load(types.float32, types.float32)
store = make_store(types.float32, types.float32)
truth = make_truth(types.float32)
abs, clip, floor, max, min, sqrt, where = (
    _EXACT[name] for name in ("abs", "clip", "floor", "max", "min", "sqrt", "where")
)


def _round(function: Any) -> Any:
    """Return a function of float64 for float32, of one argument."""

    @compiled
    def rounded(x):
        return float(function(x))

    return rounded


cos, log, sin, tanh = map(_round, (functions.cos, functions.log, functions.sin, functions.tanh))
arctan, log10 = map(_round, (functions.arctan, functions.log10))
# Exact in float64, and their results are numbers of float32.
ceil, int, round, sign = map(
    _round, (functions.ceil, functions.int, functions.round, functions.sign)
)
exprel = expm1_ratio
# Of times in steps: the host, which has float64, finds the same bits.
_decay = _round(functions.exp)


@compiled
def pow(x, y):
    return float(functions.pow(x, y))


@compiled
def mod(x, y):
    return float(functions.mod(x, y))


@compiled
def quotient(x, y):
    return float(functions.quotient(x, y))


# ---- draws


@compiled
def _uniform_block(w0, w1, w2, w3):
    a, b, c, d = uniform_block(w0, w1, w2, w3)
    return min(a, _BELOW_ONE), min(b, _BELOW_ONE), min(c, _BELOW_ONE), min(d, _BELOW_ONE)


_fill_uniform, uniform_at = range_kernel(_uniform_block, types.float32)
_fill_normal, normal_at = range_kernel(normal_block, types.float32)


# ---- loops


def _rebuild(module: ModuleType, **words: Any) -> Any:
    """Return a module's compiled functions, rebuilt over other words."""
    # By this name Numba's cache on disk finds the globals of compiled code.
    rebuilt = ModuleType(module.__name__)
    namespace = vars(rebuilt)
    namespace |= vars(module) | words
    for name, function in vars(module).items():
        if isinstance(function, Dispatcher) and function.__module__ == module.__name__:
            options = {k: v for k, v in function.targetoptions.items() if k != "nopython"}
            code = FunctionType(function.py_func.__code__, namespace, name)
            namespace[name] = njit(**options)(code)
    return rebuilt


_of_steps = _rebuild(double_decays, load=load, exp=_decay, rounded=float)
decayed: Callable[..., Any] = _of_steps.decayed
gained: Callable[..., Any] = _of_steps.gained
relaxed: Callable[..., Any] = _rebuild(double_decays, exp=exp, expm1_ratio=expm1_ratio).relaxed
loop = _rebuild(double_loop, load=load, store=store, exp=_decay, rounded=float, REAL=SIZE)
late_events = _rebuild(double_late_events, load=load, store=store, fold=loop.fold)
draws = _rebuild(
    double_draws, load=load, store=store, fill_uniform=_fill_uniform, fill_normal=_fill_normal
)
