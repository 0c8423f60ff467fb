"""Precision: the type of a run's numbers, and how printed source writes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_KERNELS = "neurosim.backends.cpu.kernels"
_DEFERRAL = f"""from {_KERNELS}.deferral import CHUNK, caught_up, fetch_row, forget, pending
"""
_KERNEL = """from neurosim.backends.cpu.kernels.operations import NOTES

kernel = cfunc("int64(int64, int64, int64, int64, int64)", error_model="numpy", cache=True)
"""


@dataclass(frozen=True)
class Precision:
    """What differs between one precision and another.

    Attributes
    ----------
    name, dtype : as users and NumPy name it
    size : bytes of a number
    kernels : module that holds the compiled loops `draws`, `deferral`, `loop`, `late_events`
    header : first lines of printed source
    dt, t : lines that compute these words of the language; the time of a step is a float64 first
    exact_dt : the name of dt in float64
    literal : how a number is written, with a place for its digits
    """

    name: str
    dtype: type
    size: int
    kernels: str
    header: str
    dt: tuple[str, ...]
    t: str
    exact_dt: str
    literal: str

    def number(self, value: float) -> str:
        """Return a number as printed source writes it."""
        return self.literal.format(repr(value))


DOUBLE = Precision(
    "float64",
    np.float64,
    8,
    _KERNELS,
    f"""from numba import cfunc

{_DEFERRAL}from {_KERNELS}.decays import decayed
from {_KERNELS}.functions import (
    abs, clip, cos, exp, expm1_ratio, floor, log, max, min, pow, sin, sqrt, tanh, where)
from {_KERNELS}.intrinsics import (
    flag, load, load_arg, load_byte, load_index, load_long, load_short, store, store_byte,
    store_long, truth)
from {_KERNELS}.philox import normal_at, uniform_at
{_KERNEL}""",
    ("dt = load(load_arg(args, 0), 0, 'dt')",),
    "t = step * dt",
    "dt",
    "{}",
)

SINGLE = Precision(
    "float32",
    np.float32,
    4,
    f"{_KERNELS}.single",
    f"""from numba import cfunc

{_DEFERRAL}from {_KERNELS}.intrinsics import (
    flag, load_arg, load_byte, load_double, load_index, load_long, load_short, store_byte,
    store_long)
from {_KERNELS}.single import (
    abs, clip, cos, decayed, exp, expm1_ratio, float, floor, load, log, max, min, normal_at, pow,
    sin, sqrt, store, tanh, truth, uniform_at, where)
{_KERNEL}""",
    ("_dt = load_double(load_arg(args, 0), 0, 'dt')", "dt = float(_dt)"),
    "t = float(step * _dt)",
    "_dt",
    "float({})",
)

PRECISIONS = {p.name: p for p in (DOUBLE, SINGLE)}
