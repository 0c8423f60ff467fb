"""Precision: the type of a run's numbers, and how printed source writes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurosim.errors import NetworkError

_KERNELS = "neurosim.backends.cpu.kernels"
_DEFERRAL = f"""from {_KERNELS}.deferral import CHUNK, caught_up, fetch_row, forget, pending
"""
_KERNEL = """from neurosim.backends.cpu.kernels.operations import NOTES

kernel = cfunc("int64(int64, int64, int64, int64, int64)")
"""


@dataclass(frozen=True)
class Precision:
    """The type of a run's numbers, and all that depends on it in printed source.

    Attributes
    ----------
    name : str
        As users write it.
    dtype : type
        Of NumPy.
    size : int
        Bytes of a number.
    kernels : str
        Module that holds the compiled loops `draws`, `deferral`, `loop`, `late_events`.
    header : str
        First lines of printed source.
    dt, t : tuple of str, str
        Lines that compute these words of the language; the time of a step is a float64 first.
    exact_dt : str
        The name of dt in float64.
    literal : str
        A number in printed source, with ``{}`` for its digits.
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
        """Return a number as printed source writes it.

        Raises
        ------
        NetworkError
            If it is too large: it would become infinite.
        """
        largest = float(np.finfo(self.dtype).max)
        if largest < abs(value) < np.inf:
            raise NetworkError(
                f"precision {self.name!r}: found the number {value:g} in equations (in engine "
                f"units), expected at most {largest:.3g}. Write a smaller one, or use "
                "precision='float64'."
            )
        # `repr` gives the shortest digits that read back to the same float64.
        return self.literal.format(repr(value))


DOUBLE = Precision(
    "float64",
    np.float64,
    8,
    _KERNELS,
    f"""from neurosim.compiled.cached import cfunc

{_DEFERRAL}from {_KERNELS}.decays import decayed, gained, relaxed
from {_KERNELS}.functions import (
    abs, arctan, ceil, clip, cos, exp, expm1_ratio, exprel, floor, int, log, log10, max, min, mod,
    pow, quotient, round, sign, sin, sqrt, tanh, where)
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
    f"""from neurosim.compiled.cached import cfunc

{_DEFERRAL}from {_KERNELS}.intrinsics import (
    flag, load_arg, load_byte, load_double, load_index, load_long, load_short, store_byte,
    store_long)
from {_KERNELS}.single import (
    abs, arctan, ceil, clip, cos, decayed, exp, expm1_ratio, exprel, float, floor, gained, int,
    load, log, log10, max, min, mod, normal_at, pow, quotient, relaxed, round, sign, sin, sqrt,
    store, tanh, truth, uniform_at, where)
{_KERNEL}""",
    ("_dt = load_double(load_arg(args, 0), 0, 'dt')", "dt = float(_dt)"),
    # The product is of float64: in float32, steps above 2**24 could not be told apart.
    "t = float(step * _dt)",
    "_dt",
    # A bare literal is a float64, and would make one of every expression in which it stands.
    "float({})",
)

PRECISIONS = {p.name: p for p in (DOUBLE, SINGLE)}
