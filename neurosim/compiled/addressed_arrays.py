"""Arrays by address: how compiled code reads and writes memory of NumPy and PyTorch.

Every access names its array. Arrays of different names never overlap, and LLVM is told so
(type-based alias metadata). Loops over many arrays are then vectorised; without it, LLVM must
assume that a store to one array may change another.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

LONG = ir.IntType(64)
_LLVM = {
    types.float64: ir.DoubleType(),
    types.float32: ir.FloatType(),
    types.int64: LONG,
    types.int32: ir.IntType(32),
    types.uint32: ir.IntType(32),
    types.uint16: ir.IntType(16),
    types.uint8: ir.IntType(8),
}


def tag(module: Any, name: str) -> Any:
    """Return the alias metadata of an array's name."""
    zero = ir.Constant(LONG, 0)
    scalar = module.add_metadata([name, module.add_metadata(["neurosim"]), zero])
    return module.add_metadata([scalar, scalar, zero])


def element_at(
    builder: Any,
    element: types.Type,
    address: Any,
    index: Any,
) -> Any:
    """Return the pointer to an element of an array."""
    return builder.gep(builder.inttoptr(address, _LLVM[element].as_pointer()), [index])


def make_load(element: types.Type, result: types.Type) -> Any:
    """Return ``load(address, index, name)``, which returns an element as another type."""

    @intrinsic(prefer_literal=True)
    def load(typing, address, index, name):
        # None makes Numba try the literal type: the tag needs the name when code is compiled.
        if not isinstance(name, types.StringLiteral):
            return None

        def code(context, builder, signature, values):
            value = builder.load(element_at(builder, element, values[0], values[1]))
            value.set_metadata("tbaa", tag(builder.module, name.literal_value))
            return context.cast(builder, value, element, result)

        return result(types.int64, types.int64, name), code

    return load


def make_store(element: types.Type, source: types.Type) -> Any:
    """Return ``store(address, index, value, name)``, which takes values of another type."""

    @intrinsic(prefer_literal=True)
    def store(typing, address, index, value, name):
        if not isinstance(name, types.StringLiteral):
            return None

        def code(context, builder, signature, values):
            value = context.cast(builder, values[2], source, element)
            stored = builder.store(value, element_at(builder, element, values[0], values[1]))
            stored.set_metadata("tbaa", tag(builder.module, name.literal_value))
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, source, name), code

    return store


def make_truth(real: types.Float) -> Any:
    """Return ``truth(condition)``, which is 1.0 or 0.0 of a type."""

    @intrinsic
    def truth(typing, condition):
        def code(context, builder, signature, values):
            return context.cast(builder, values[0], types.boolean, real)

        return real(types.boolean), code

    return truth


@intrinsic
def _flag(typing, condition):
    """Return a condition as 1 or 0."""

    def code(context, builder, signature, values):
        bit = context.cast(builder, values[0], types.boolean, types.boolean)
        return builder.zext(bit, LONG)

    return types.int64(types.boolean), code


flag: Any = _flag  # called without `typing`, which Numba adds
