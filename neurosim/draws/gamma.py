"""Gamma distributed numbers of scale 1, made of normal and uniform draws by acceptance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..expr.functions import FUNCTIONS

FloatArray = NDArray[np.float64]
Draw = Callable[[Literal["uniform", "normal"], str, "NDArray[np.int64] | None"], FloatArray]
"""From the kind of a draw, the name of its stream and positions (None: all) to numbers."""

_exp = FUNCTIONS["exp"]
_log = FUNCTIONS["log"]


def standard_gamma(shape: float, normal: FloatArray, draw: Draw) -> FloatArray:
    """Return gamma distributed numbers of scale 1.

    Parameters
    ----------
    shape : float (1)
        Above 0.
    normal : (K,)
        Standard normal draws, the first attempt of each number.
    draw : callable
        Draws further numbers: ``accept`` and ``boost`` of all positions, ``again/1`` and so on of
        those that were rejected, at least 19 of 20 being accepted.

    Returns
    -------
    (K,)

    Notes
    -----
    Source: Marsaglia & Tsang 2000, ACM Trans. Math. Softw. 26, section 2; for shapes below 1 the
    identity of section 6.
    """
    boosted = shape < 1.0
    d = (shape + 1.0 if boosted else shape) - 1.0 / 3.0
    values, accepted = _attempt(d, normal, draw("uniform", "accept", None))
    waiting = np.flatnonzero(~accepted)
    attempt = 1
    while waiting.size:
        # A stream for each attempt: a number that is rejected changes no other one.
        again = f"again/{attempt}"
        new, accepted = _attempt(
            d, draw("normal", again, waiting), draw("uniform", f"{again}/accept", waiting)
        )
        values[waiting] = new
        waiting = waiting[~accepted]
        attempt = attempt + 1
    if boosted:
        values = values * _exp(_log(draw("uniform", "boost", None)) / shape)
    return values


def _attempt(
    d: float, normal: FloatArray, uniform: FloatArray
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return candidates, and which of them are accepted."""
    base = 1.0 + normal / np.sqrt(9.0 * d)
    v = base * base * base
    # Where v is not positive its logarithm is no number, and the candidate is rejected anyway.
    log_v = _log(np.where(v > 0.0, v, 1.0))
    accepted = (v > 0.0) & (_log(uniform) < 0.5 * normal * normal + d - d * v + d * log_v)
    return d * v, accepted
