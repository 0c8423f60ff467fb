"""Memory by address: how compiled code reads and writes NumPy arrays, and calls other compiled code.

Every access names its array. Arrays of different names never overlap, and LLVM is told so (type-based alias metadata): loops
over many arrays are then vectorised, which they are not when it must fear that one array is another.
"""

from __future__ import annotations

import sys
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

_sleep = types.ExternalFunction(
    *(
        ("Sleep", types.void(types.uint32))
        if sys.platform == "win32"
        else ("usleep", types.int32(types.uint32))
    )
)

_WINDOWS = sys.platform == "win32"
_LONG = ir.IntType(64)
_LLVM = {
    types.float64: ir.DoubleType(),
    types.float32: ir.FloatType(),
    types.int64: _LONG,
    types.int32: ir.IntType(32),
    types.uint16: ir.IntType(16),
    types.uint8: ir.IntType(8),
}


def _tag(module: Any, name: str) -> Any:
    zero = ir.Constant(_LONG, 0)
    kind = module.add_metadata([name, module.add_metadata(["neurosim"]), zero])
    return module.add_metadata([kind, kind, zero])


def loader(kind: types.Type, result: types.Type) -> Any:
    """Return ``load(address, index, name)`` of elements of a kind."""

    @intrinsic(prefer_literal=True)
    def load(typing, at, index, name):
        if not isinstance(name, types.StringLiteral):
            return None

        def code(context, builder, signature, values):
            place = builder.gep(builder.inttoptr(values[0], _LLVM[kind].as_pointer()), [values[1]])
            value = builder.load(place)
            value.set_metadata("tbaa", _tag(builder.module, name.literal_value))
            return context.cast(builder, value, kind, result)

        return result(types.int64, types.int64, name), code

    return load


def storer(kind: types.Type, given: types.Type) -> Any:
    """Return ``store(address, index, value, name)`` of elements of a kind."""

    @intrinsic(prefer_literal=True)
    def store(typing, at, index, value, name):
        if not isinstance(name, types.StringLiteral):
            return None

        def code(context, builder, signature, values):
            place = builder.gep(builder.inttoptr(values[0], _LLVM[kind].as_pointer()), [values[1]])
            stored = builder.store(context.cast(builder, values[2], given, kind), place)
            stored.set_metadata("tbaa", _tag(builder.module, name.literal_value))
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, given, name), code

    return store


load = load_double = loader(
    types.float64, types.float64
)  # `load` and `store`: numbers of the run's precision
load_index = loader(types.int32, types.int64)
load_long = loader(types.int64, types.int64)
load_short = loader(types.uint16, types.int64)
load_byte = loader(types.uint8, types.int64)
store = store_double = storer(types.float64, types.float64)
store_index = storer(types.int32, types.int64)
store_long = storer(types.int64, types.int64)
store_byte = storer(types.uint8, types.int64)


@intrinsic
def truth(typing, condition):
    """A condition as 1.0 or 0.0."""
    return types.float64(types.boolean), lambda context, builder, signature, values: context.cast(
        builder, values[0], types.boolean, types.float64
    )


@intrinsic
def flag(typing, condition):
    """A condition as 1 or 0."""
    return types.int64(types.boolean), lambda context, builder, signature, values: builder.zext(
        context.cast(builder, values[0], types.boolean, types.boolean), _LONG
    )


@intrinsic
def ones(typing, word):
    """The number of bits that are set."""
    return types.int64(types.int64), lambda context, builder, signature, values: builder.ctpop(
        values[0]
    )


@intrinsic
def marked(typing, at):
    """Which of the 64 bytes of a cache line are not 0, as bits."""

    def code(context, builder, signature, values):
        line = ir.VectorType(ir.IntType(8), 64)
        found = builder.icmp_unsigned(
            "!=",
            builder.load(builder.inttoptr(values[0], line.as_pointer())),
            ir.Constant(line, [0] * 64),
        )
        return builder.bitcast(found, _LONG)

    return types.int64(types.int64), code


@intrinsic
def fetch(typing, at):
    """Begin to bring a cache line to the second level, for later."""

    def code(context, builder, signature, values):
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [builder.inttoptr(values[0], byte), word(0), word(2), word(1)])
        return context.get_dummy_value()

    return types.void(types.int64), code


@intrinsic
def call(typing, address, table, first, count, step, thread):
    """Call the kernel at an address: (table, first, count, step, thread) -> int64."""

    def code(context, builder, signature, values):
        kind = ir.FunctionType(_LONG, [_LONG] * 5)
        return builder.call(builder.inttoptr(values[0], kind.as_pointer()), values[1:])

    return types.int64(*[types.int64] * 6), code


@njit(nogil=True)
def sleep(microseconds):
    """Let other threads have the core for some time."""
    _sleep(types.uint32(microseconds // 1000 if _WINDOWS else microseconds))


def _atomic(operation: str) -> Any:
    @intrinsic
    def change(typing, at, value):
        def code(context, builder, signature, values):
            return builder.atomic_rmw(
                operation, builder.inttoptr(values[0], _LONG.as_pointer()), values[1], "seq_cst"
            )

        return types.int64(types.int64, types.int64), code

    return change


atomic_add = _atomic("add")


@intrinsic
def atomic_load(typing, at):
    """Read a number that other threads write."""

    def code(context, builder, signature, values):
        return builder.load_atomic(builder.inttoptr(values[0], _LONG.as_pointer()), "seq_cst", 8)

    return types.int64(types.int64), code


@intrinsic
def atomic_store(typing, at, value):
    """Write a number that other threads read; they see all that was written before it."""

    def code(context, builder, signature, values):
        builder.store_atomic(
            values[1], builder.inttoptr(values[0], _LONG.as_pointer()), "release", 8
        )
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), code
