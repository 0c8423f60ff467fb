"""Tables of closed forms, computed by the host in float64; `kernels.decays` reads them."""

from __future__ import annotations

import numpy as np

from neurosim.expr.functions import FUNCTIONS

from ..kernels.sizes import STEPS


class DecayTable:
    """The factors of one time constant.

    Parameters
    ----------
    dt : float
        ms
    dtype : dtype
        Of the run's numbers.
    with_gains : bool
        Whether something flows into a variable.

    Attributes
    ----------
    factors : (STEPS,)
        exp(-(k * dt) / tau) for k steps.
    gains : (STEPS,)
        k * dt * expm1_ratio(-(k * dt) / tau); empty unless ``with_gains``.
    """

    def __init__(self, dt: float, dtype: np.dtype, *, with_gains: bool) -> None:
        self.factors = np.empty(STEPS, dtype)
        self._dt = dt
        self._tau = np.nan
        self.gains = np.empty(STEPS if with_gains else 0, dtype)

    def follow(self, tau: float) -> None:
        """Compute the factors anew if the time constant (ms) has changed."""
        if tau != self._tau:
            self._tau = tau
            # The operations and their order are those of `kernels.decays`: equal to the last bit.
            elapsed = np.arange(STEPS, dtype=np.float64) * self._dt
            with np.errstate(all="ignore"):  # any tau is allowed; results that are not finite show
                exponents = -elapsed / tau
                self.factors[:] = FUNCTIONS["exp"](exponents)
                if self.gains.size:
                    self.gains[:] = elapsed * FUNCTIONS["expm1_ratio"](exponents)
