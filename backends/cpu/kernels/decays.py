"""Decay factors by the number of steps: what many edges ask for is looked up, not computed."""

from __future__ import annotations

from numba import njit

from .functions import compiled, exp
from .intrinsics import load

STEPS = 1 << 14  # in a table; later ones, which few edges ask for, are computed


@njit(error_model="numpy", nogil=True)
def _computed(steps, dt, tau):
    return exp(-(float(steps) * dt) / tau)


@compiled
def decayed(table, steps, dt, tau):
    """Return exp(-(steps * dt) / tau) from the table of tau; ``dt`` is of float64, as that of the table."""
    return load(table, steps, "decays") if steps < STEPS else _computed(steps, dt, tau)
