"""The language's functions for Numba: code objects of `expr.functions` over LLVM operations."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from ..expr.functions import bind


def primitives(real: types.Float, whole: types.Integer) -> dict[str, Any]:
    """Return the primitives that `neurosim.expr.functions.bind` takes.

    Parameters
    ----------
    real : Numba type
        Of numbers.
    whole : Numba type
        Of integers with as many bits.
    """

    def operation(name: str) -> Any:
        @intrinsic
        def called(typing, x):
            def code(context, builder, signature, values):
                return builder.call(
                    builder.module.declare_intrinsic(name, [context.get_value_type(real)]), values
                )

            return real(real), code

        return called

    @intrinsic
    def number(typing, x):
        return real(x), lambda context, builder, signature, values: context.cast(
            builder, values[0], x, real
        )

    @intrinsic
    # A reinterpretation, not a conversion: the functions work on exponents and signs.
    def bits(typing, x):
        return whole(real), lambda context, builder, signature, values: builder.bitcast(
            values[0], context.get_value_type(whole)
        )

    @intrinsic
    def from_bits(typing, i):
        return real(whole), lambda context, builder, signature, values: builder.bitcast(
            values[0], context.get_value_type(real)
        )

    @intrinsic
    def where(typing, condition, a, b):
        """Select one of two computed values: without a branch, loops vectorise."""

        def code(context, builder, signature, values):
            return builder.select(
                context.cast(builder, values[0], condition, types.boolean), values[1], values[2]
            )

        return real(condition, real, real), code

    return {
        "_float": number,
        "_bits": bits,
        "_from_bits": from_bits,
        "_where": where,
        "_floor": operation("llvm.floor"),
        "_sqrt": operation("llvm.sqrt"),
    }


@intrinsic
def _lowest_bit(typing, word):
    """Return the position of the lowest bit that is set, 0 to 63, of a uint64 that is not 0."""

    def code(context, builder, signature, values):
        # The 1 promises that the word is not zero, which saves a branch on older processors.
        return builder.cttz(values[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), code


lowest_bit: Any = _lowest_bit  # called without `typing`, which Numba adds


# Divisions by zero give inf as in NumPy; inlined bodies let the caller's loop vectorise.
compiled = njit(
    error_model="numpy", nogil=True, forceinline=True
)  # never fastmath, which contracts and reorders

PRIMITIVES = primitives(types.float64, types.int64)
FUNCTIONS: dict[str, Any] = bind(PRIMITIVES, compiled)
"""The compiled functions by name: numbers in, one float64 out; callers inline them."""
