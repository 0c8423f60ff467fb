"""The numbers of SpiNNaker 1 and their products: S16.15 in 32 bits that wrap, decays in U0.32.

A number x is the whole number x * 2**15. Sums wrap modulo 2**32, products and decays are rounded
towards minus infinity, and nothing saturates. Constants are those of the compiler, which cuts off.

Source: the ARM programs of sPyNNaker 7.4.1, run in an emulator and compared with these definitions.
"""

from __future__ import annotations

import numpy as np
from numba import njit

LARGEST_SLOT = 65535  # sums of weights that meet in a slot end there

# Functions that kernels call are compiled into them; `load.load_loop` keeps the machine code. By
# itself LLVM leaves some of them as calls, which makes the loops around them five times as slow.
compile_body = njit(error_model="numpy", nogil=True, forceinline=True)


@compile_body
def multiply(a, b):
    """Return the product of two S16.15 numbers."""
    # 64 bits hold the whole product, and a shift to the right rounds towards minus infinity.
    return np.int32((np.int64(a) * np.int64(b)) >> 15)


@compile_body
def decay(x, factor):
    """Return the product of an S16.15 number and a U0.32 factor.

    Parameters
    ----------
    x : int32
    factor : uint32
    """
    # All 32 bits of the factor lie behind the point.
    return np.int32((np.int64(x) * np.int64(factor)) >> 32)
