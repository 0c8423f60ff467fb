"""Memory by address: the arrays of a run, its kernels, and numbers that threads share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from neurosim.compiled.addressed_arrays import (
    LONG,
    element_at,
    make_load,
    make_store,
    make_truth,
    tag,
)
from neurosim.compiled.addressed_arrays import (
    flag as flag,
)

from .sizes import LANES, SHORTS, TOGETHER

# Callers do not pass the first argument, the typing context, which type checkers cannot know.
_intrinsic = cast(Callable[[Any], Any], intrinsic)

_FIRST = ir.Constant(ir.IntType(32), 0)  # lane of a vector
_WINDOWS = sys.platform == "win32"
_sleep = types.ExternalFunction(
    *(("Sleep", types.void(types.uint32)) if _WINDOWS else ("usleep", types.int32(types.uint32)))
)

# `load` and `store` are of the run's precision: modules are rebuilt over others for float32.
load = load_double = make_load(types.float64, types.float64)
load_index = make_load(types.int32, types.int64)
load_long = make_load(types.int64, types.int64)
load_word = make_load(types.uint32, types.int64)
load_short = make_load(types.uint16, types.int64)
load_byte = make_load(types.uint8, types.int64)
store = store_double = make_store(types.float64, types.float64)
store_index = make_store(types.int32, types.int64)
store_long = make_store(types.int64, types.int64)
store_byte = make_store(types.uint8, types.int64)
truth = make_truth(types.float64)


@_intrinsic
def load_arg(typing, args, position):
    """Return the argument at a position.

    Parameters
    ----------
    typing : context of Numba
    args : address of int64
    position : int
        As `operations` declares it.
    """

    def code(context, builder, signature, values):
        value = builder.load(element_at(builder, types.int64, values[0], values[1]))
        value.set_metadata("tbaa", tag(builder.module, "args"))
        return value

    return types.int64(types.int64, types.int64), code


@_intrinsic
def count_ones(typing, word):
    """Return the number of bits that are set."""

    def code(context, builder, signature, values):
        return builder.ctpop(values[0])

    return types.int64(types.int64), code


@_intrinsic
def nonzero_bytes(typing, address):
    """Return which of the 64 bytes of a cache line are not 0, as bits."""

    def code(context, builder, signature, values):
        # One comparison of 64 bytes; the bits of its result are in the order of the bytes.
        line = ir.VectorType(ir.IntType(8), 64)
        value = builder.load(builder.inttoptr(values[0], line.as_pointer()))
        return builder.bitcast(
            builder.icmp_unsigned("!=", value, ir.Constant(line, [0] * 64)), LONG
        )

    return types.int64(types.int64), code


@_intrinsic
def count_levels(typing, words, levels, counts):
    """Add to counts how many of `TOGETHER` levels lie below each of `LANES` words.

    Parameters
    ----------
    typing : context of Numba
    words, levels : addresses of uint32
    counts : address of int32

    Returns
    -------
    int64
        Bits of the words above the last level.
    """

    def code(context, builder, signature, values):
        word = ir.IntType(32)
        row = ir.VectorType(word, LANES)
        lanes = ir.Constant(row, [0] * LANES)
        numbers, counted = (
            builder.inttoptr(address, row.as_pointer()) for address in (values[0], values[2])
        )
        level_at = builder.inttoptr(values[1], word.as_pointer())
        number = builder.load(numbers, align=4)
        count = builder.load(counted, align=4)
        above: Any = None
        for position in range(TOGETHER):
            level = builder.load(builder.gep(level_at, [LONG(position)]))
            first = builder.insert_element(ir.Constant(row, ir.Undefined), level, _FIRST)
            above = builder.icmp_unsigned(">", number, builder.shuffle_vector(first, first, lanes))
            count = builder.sub(count, builder.sext(above, row))
        builder.store(count, counted, align=4)
        return builder.zext(builder.bitcast(above, ir.IntType(LANES)), LONG)

    return types.int64(types.int64, types.int64, types.int64), code


@_intrinsic
def equal_shorts(typing, address, value):
    """Return which of `SHORTS` numbers of 2 bytes equal a value, as bits."""

    def code(context, builder, signature, values):
        short = ir.IntType(16)
        row = ir.VectorType(short, SHORTS)
        numbers = builder.load(builder.inttoptr(values[0], row.as_pointer()), align=2)
        undefined = ir.Constant(row, ir.Undefined)
        wanted = builder.insert_element(undefined, builder.trunc(values[1], short), _FIRST)
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), SHORTS), [0] * SHORTS)
        equal = builder.icmp_unsigned("==", numbers, builder.shuffle_vector(wanted, wanted, lanes))
        return builder.zext(builder.bitcast(equal, ir.IntType(SHORTS)), LONG)

    return types.int64(types.int64, types.int64), code


@_intrinsic
def fetch(typing, address):
    """Prefetch a cache line into the second-level cache."""

    def code(context, builder, signature, values):
        byte = ir.IntType(8).as_pointer()
        word = ir.IntType(32)
        function_type = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        function = cgutils.get_or_insert_function(builder.module, function_type, "llvm.prefetch.p0")
        read = word(0)
        second_level = word(2)
        data = word(1)
        builder.call(function, [builder.inttoptr(values[0], byte), read, second_level, data])
        return context.get_dummy_value()

    return types.void(types.int64), code


@_intrinsic
def call(typing, kernel, args, start, extent, step, partition):
    """Call the kernel at an address: (args, start, extent, step, partition) -> int64.

    Parameters
    ----------
    typing : context of Numba
    kernel : address of the function
    args : address of its arguments
    start, extent : int
        Its range, or address and number of the spikes that it handles.
    step, partition : int
    """

    def code(context, builder, signature, values):
        function_type = ir.FunctionType(LONG, [LONG] * 5)
        return builder.call(builder.inttoptr(values[0], function_type.as_pointer()), values[1:])

    return types.int64(*[types.int64] * 6), code


@njit(nogil=True)
def sleep(microseconds):
    """Let other threads have the core for some time."""
    _sleep(types.uint32(microseconds // 1000 if _WINDOWS else microseconds))


@_intrinsic
def atomic_add(typing, address, value):
    """Add to a number that other threads change; return its earlier value.

    Parameters
    ----------
    typing : context of Numba
    address : address of int64
    value : int
    """

    def code(context, builder, signature, values):
        target = builder.inttoptr(values[0], LONG.as_pointer())
        return builder.atomic_rmw("add", target, values[1], "seq_cst")

    return types.int64(types.int64, types.int64), code


@_intrinsic
def atomic_load(typing, address):
    """Read a number that other threads write."""

    def code(context, builder, signature, values):
        target = builder.inttoptr(values[0], LONG.as_pointer())
        return builder.load_atomic(target, "seq_cst", 8)

    return types.int64(types.int64), code


@_intrinsic
def atomic_store(typing, address, value):
    """Write a number that other threads read; they see everything that was written before it.

    Parameters
    ----------
    typing : context of Numba
    address : address of int64
    value : int
    """

    def code(context, builder, signature, values):
        target = builder.inttoptr(values[0], LONG.as_pointer())
        builder.store_atomic(values[1], target, "release", 8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), code
