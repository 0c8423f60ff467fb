"""Constants of cells and synapses that SpiNNaker computes before the run, from their parameters."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .exponentials import exp_to_fixed, exp_to_fraction
from .numbers import divide, wrap

# U0.32 has no one; this is its largest number, 1 - 2**-32.
_ALL_ONES = 0xFFFFFFFF


def membrane_resistance(tau_m: int, cm: int) -> int:
    """Return the resistance of a LIF cell, all in S16.15."""
    return wrap(divide(tau_m, cm))


def membrane_decay(tau_m: int, dt: int) -> int:
    """Return the factor by which a LIF cell nears its steady voltage in a step, in S16.15."""
    return exp_to_fixed(-divide(dt, tau_m))


def refractory_steps(tau_refrac: int, dt: int) -> int:
    """Return the whole steps of a refractory period, rounded up."""
    # A shift rounds down: of the opposite number, that is up.
    return -(-divide(tau_refrac, dt) >> 15)


def synaptic_decay(tau: int, dt: int) -> int:
    """Return the factor by which a synaptic current decays in a step, in U0.32."""
    return exp_to_fraction(-divide(dt, tau))


def synaptic_share(tau: int, dt: int) -> int:
    """Return the mean over a step of a current that begins at one, in U0.32."""
    # The integral of exp(-t / tau) over a step, as a part of the step.
    steps = divide(tau, dt)
    lost = _ALL_ONES - synaptic_decay(tau, dt)
    return (steps * lost >> 15) & _ALL_ONES


def map_distinct(
    function: Callable[..., int], *parameters: np.ndarray, dtype: type = np.int32
) -> np.ndarray:
    """Return a constant for every neuron, computed once for equal parameters.

    Parameters
    ----------
    function : function of whole numbers
    *parameters : (N,) int32
    dtype : type
        Of the result.
    """
    # The functions are of Python's whole numbers, which are slow; few cells of a network differ.
    rows = np.column_stack(parameters)
    distinct, inverse = np.unique(rows, axis=0, return_inverse=True)
    values = np.array([function(*map(int, row)) for row in distinct], dtype)
    return values[inverse.reshape(-1)]
