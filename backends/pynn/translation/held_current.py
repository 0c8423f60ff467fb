"""Closed forms of cells on SpiNNaker: the size of a PSP, and the least distance of spikes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .fixed_point import ONE

_NEAR = 1e-6  # part of a time constant; nearer ones are taken for equal


def psp_ratio(tau_m: Any, tau_syn: Any, *, dt: float) -> np.ndarray:
    """Return a PSP of a leaky cell on SpiNNaker, in parts of the exact one.

    A decaying current is held at its mean over each step there. Both PSPs go as F**n - D**n, with
    the factors F and D by which membrane and current decay in a step, so one number says it all.

    Parameters
    ----------
    tau_m, tau_syn : ms
        Of membrane and current.
    dt : float, ms

    Returns
    -------
    (N,) or ()
    """
    tau_m, tau_syn = np.broadcast_arrays(*(np.asarray(t, np.float64) for t in (tau_m, tau_syn)))
    membrane = -np.expm1(-dt / tau_m)
    mean_current = -np.expm1(-dt / tau_syn) * tau_syn / dt
    # Equal time constants: the limit of the quotients of differences below.
    equal = np.abs(tau_m - tau_syn) <= _NEAR * tau_m
    difference = np.where(equal, 1.0, tau_m - tau_syn)
    factors = np.exp(-dt / tau_m) - np.exp(-dt / tau_syn)
    slope = np.where(equal, np.exp(-dt / tau_m) * dt / tau_m**2, factors / difference)
    return membrane * mean_current / (tau_syn * slope)


def refractory_steps(tau_refrac: Any, *, dt: float) -> np.ndarray:
    """Return the refractory steps that SpiNNaker counts: of the quotient in fixed point, its end.

    Parameters
    ----------
    tau_refrac : ms
    dt : float, ms
    """
    period = np.rint(np.asarray(tau_refrac, np.float64) * ONE).astype(np.int64)
    step = int(np.rint(dt * ONE))
    quotient = (period * ONE) // step
    return -(-quotient // ONE)
