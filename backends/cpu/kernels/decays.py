"""Decay factors by the number of steps: what many edges ask for is looked up, not computed."""

from __future__ import annotations

import numpy as np
from numba import njit

from neurosim.expr.functions import FUNCTIONS

from .access import load
from .functions import compiled, exp

STEPS = 1 << 14  # in a table; later ones, which few edges ask for, are computed


@njit(error_model="numpy", nogil=True)
def _computed(steps, dt, tau):
    return exp(-(float(steps) * dt) / tau)


@compiled
def decayed(table, steps, dt, tau):
    """Return exp(-(steps * dt) / tau) from the table of tau; ``dt`` is of float64, as that of the table."""
    return load(table, steps, "decays") if steps < STEPS else _computed(steps, dt, tau)


class Decays:
    """The table of one time constant, computed in float64."""

    def __init__(self, dt: float, dtype: type = np.float64) -> None:
        self.table, self._dt, self._tau = np.empty(STEPS, dtype), dt, np.nan

    def follow(self, tau: float) -> None:
        """Compute the table anew if the time constant has changed."""
        if tau != self._tau:
            self._tau = tau
            with np.errstate(all="ignore"):
                self.table[:] = FUNCTIONS["exp"](
                    -(np.arange(STEPS, dtype=np.float64) * self._dt) / tau
                )
