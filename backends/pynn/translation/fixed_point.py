"""Parameters on SpiNNaker: signed numbers with 16 places before the binary point and 15 after."""

from __future__ import annotations

from typing import Any

import numpy as np

LARGEST = 65536  # magnitudes of parameters are below
ONE = 1 << 15


def round_parameters(values: Any) -> np.ndarray:
    """Return numbers as SpiNNaker stores parameters: S16.15, to the nearest."""
    return np.rint(np.asarray(values, np.float64) * ONE) / ONE
