"""Tables of decay factors, computed by the host in float64; `kernels.decays` reads them."""

from __future__ import annotations

import numpy as np

from neurosim.expr.functions import FUNCTIONS

from ..kernels.decays import STEPS


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
