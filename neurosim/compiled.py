"""The functions of the language and the random draws for Numba: code objects of `expr.functions` and `random` over LLVM's operations."""

from __future__ import annotations

from types import FunctionType
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from neurosim import random
from neurosim.expr.functions import bind

_DOUBLE, _LONG = ir.DoubleType(), ir.IntType(64)


@intrinsic
def _float(typing, x):
    return types.float64(x), lambda context, builder, signature, values: context.cast(builder, values[0], x, types.float64)


@intrinsic
def _bits(typing, x):
    return types.int64(types.float64), lambda context, builder, signature, values: builder.bitcast(values[0], _LONG)


@intrinsic
def _from_bits(typing, i):
    return types.float64(types.int64), lambda context, builder, signature, values: builder.bitcast(values[0], _DOUBLE)


@intrinsic
def _where(typing, condition, a, b):
    """Select one of two values that are there already: no branch stands in the way of vectorising."""

    def code(context, builder, signature, values):
        return builder.select(context.cast(builder, values[0], condition, types.boolean), values[1], values[2])

    return types.float64(condition, types.float64, types.float64), code


def _llvm(name: str) -> Any:
    @intrinsic
    def operation(typing, x):
        def code(context, builder, signature, values):
            return builder.call(builder.module.declare_intrinsic(name, [_DOUBLE]), values)

        return types.float64(types.float64), code

    return operation


@intrinsic
def lowest_bit(typing, word):
    """Return the place of the lowest bit that is set, 0 to 63, of a uint64 that is not 0."""

    def code(context, builder, signature, values):
        return builder.cttz(values[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), code


compiled = njit(error_model="numpy", nogil=True, forceinline=True)  # never fastmath, which contracts and reorders

PRIMITIVES = {
    "_float": _float,
    "_bits": _bits,
    "_from_bits": _from_bits,
    "_where": _where,
    "_floor": _llvm("llvm.floor"),
    "_sqrt": _llvm("llvm.sqrt"),
}
FUNCTIONS: dict[str, Any] = bind(PRIMITIVES, compiled)
"""The compiled functions by name: numbers in, one float64 out; they are inlined where they are called."""

_NAMESPACE = {**vars(random), **{f"_{name}": FUNCTIONS[name] for name in ("log", "sqrt", "sin", "cos")}}


def _same(body: Any) -> Any:
    return compiled(FunctionType(body.__code__, _NAMESPACE, body.__name__))


philox4x32 = _same(random.philox4x32)
uniform_block = _same(random.uniform_block)
normal_block = _same(random.normal_block)
