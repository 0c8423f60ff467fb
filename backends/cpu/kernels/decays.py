"""Decay factors by the number of steps, which many edges read from a table."""

from __future__ import annotations

from numba import njit

from .functions import compiled, exp
from .intrinsics import load

STEPS = 1 << 14  # in a table; later ones, which few edges read, are computed


@njit(error_model="numpy", nogil=True)
def _computed(steps, dt, tau):
    return exp(-(float(steps) * dt) / tau)


@compiled
def decayed(factors, steps, dt, tau):
    """Return exp(-(steps * dt) / tau) from the table of ``tau``.

    Parameters
    ----------
    factors : address of (STEPS,)
        The table of ``tau``.
    steps : int
    dt : float64, ms
        In any precision, since the table was computed from it.
    tau : float, ms
    """
    return load(factors, steps, "decays") if steps < STEPS else _computed(steps, dt, tau)
