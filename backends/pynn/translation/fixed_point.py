"""The numbers of SpiNNaker: parameters with 15 binary places, and weights of 16 bits whose scale each population and receptor has for itself."""

from __future__ import annotations

from typing import Any

import numpy as np

ONE = 1 << 15


def rounded(values: Any) -> np.ndarray:
    """Return numbers as SpiNNaker keeps parameters: S16.15, to the nearest."""
    return np.rint(np.asarray(values, np.float64) * ONE) / ONE
