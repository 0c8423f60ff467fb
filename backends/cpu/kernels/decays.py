"""Closed forms of variables of rules; factors by the number of steps come from tables."""

from __future__ import annotations

from numba import njit

from .functions import compiled, exp, expm1_ratio
from .intrinsics import load
from .sizes import STEPS


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


@compiled
def rounded(x):
    """Return a float64 in the run's precision."""
    return x


@njit(error_model="numpy", nogil=True)
def _computed_gain(steps, dt, tau):
    elapsed = float(steps) * dt
    return rounded(elapsed * expm1_ratio(-elapsed / tau))


@compiled
def gained(factors, steps, dt, tau):
    """Return d * expm1_ratio(-d / tau) for d = steps * dt from the table of ``tau``.

    Parameters
    ----------
    factors : address of (STEPS,)
        The table of ``tau``.
    steps : int
    dt : float64, ms
        In any precision, since the table was computed from it.
    tau : float, ms
    """
    return load(factors, steps, "gains") if steps < STEPS else _computed_gain(steps, dt, tau)


@compiled
def relaxed(base, inflow, elapsed, tau):
    """Return the value of a variable some time after it was ``base``.

    Parameters
    ----------
    base : float
    inflow : float
        Per ms.
    elapsed, tau : float, ms
    """
    exponent = -elapsed / tau
    return base * exp(exponent) + inflow * (elapsed * expm1_ratio(exponent))
