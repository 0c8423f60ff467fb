"""Precision: of what kind the numbers of a run are, and how printed source writes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_COMMON = "from neurosim.backends.cpu.kernels.deferral import CHUNK, EDGES, FIRST, WHEN, caught_up, fetch_row, forget, pending\n"
_KERNEL = '\nkernel = cfunc("int64(int64, int64, int64, int64, int64)", error_model="numpy", cache=True)\n'


@dataclass(frozen=True)
class Precision:
    """What differs between one precision and another.

    Attributes
    ----------
    name, dtype : as users and NumPy name it
    size : bytes of a number
    place : where the compiled loops `draws`, `deferral`, `loop`, `pending` are
    header : first lines of printed source
    dt, t : lines that make these words of the language; the time of a step is computed in float64
    exact_dt : the name of dt in float64
    literal : how a number is written, with the place of its digits
    """

    name: str
    dtype: type
    size: int
    place: str
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
    "neurosim.backends.cpu.kernels",
    f"""from numba import cfunc

from neurosim.backends.cpu.kernels.intrinsics import (
    flag, load, load_byte, load_index, load_long, load_short, store, store_byte, store_long, truth)
from neurosim.backends.cpu.kernels.decays import decayed
{_COMMON}from neurosim.backends.cpu.kernels.functions import (
    abs, clip, cos, exp, expm1_ratio, floor, log, max, min, pow, sin, sqrt, tanh, where)
from neurosim.backends.cpu.kernels.philox import normal_at, uniform_at
{_KERNEL}""",
    ("dt = load(load_long(table, 0, 'table'), 0, 'dt')",),
    "t = step * dt",
    "dt",
    "{}",
)

SINGLE = Precision(
    "float32",
    np.float32,
    4,
    "neurosim.backends.cpu.kernels.single",
    f"""from numba import cfunc

from neurosim.backends.cpu.kernels.intrinsics import (
    flag, load_byte, load_double, load_index, load_long, load_short, store_byte, store_long)
{_COMMON}from neurosim.backends.cpu.kernels.single import (
    abs, clip, cos, decayed, exp, expm1_ratio, float, floor, load, log, max, min, normal_at, pow, sin, sqrt, store, tanh, truth, uniform_at, where)
{_KERNEL}""",
    ("_dt = load_double(load_long(table, 0, 'table'), 0, 'dt')", "dt = float(_dt)"),
    "t = float(step * _dt)",
    "_dt",
    "float({})",
)

PRECISIONS = {p.name: p for p in (DOUBLE, SINGLE)}
