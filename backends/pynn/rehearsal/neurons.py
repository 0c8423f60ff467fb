"""One step of the neurons of a population: arrivals, update, threshold, reset, synaptic decay."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .arithmetic.products import LARGEST_SLOT, compile_body, decay, multiply
from .cells import LIF

# Constants of the program, as its compiler cut them off.
# Of v' = 0.04 v**2 + 5 v + 140 - u + I (Izhikevich 2003), in mV and ms.
_SQUARE = 1311  # 0.040008544921875
_FIVE = 5 << 15
_OFFSET = 140 << 15
PEAK = 30 << 15
_AFTER_SPIKE = 60620  # 1.85: steps are this much longer after a spike
_HALF = 1 << 14
_BLOCK = 64  # neurons


class Neurons(NamedTuple):
    """All neurons of a plan, population after population; S16.15 unless said.

    Attributes
    ----------
    v, u, h : (N,) int32
        Voltage; recovery and length of the next step of Izhikevich's cell.
    timer : (N,) int32
        Steps that a LIF cell is still refractory.
    exc, inh : (N,) int32
        Synaptic currents, both positive.
    total : (N,) int32
        Input of a step, which is of no use after it.
    slots : (depth, 2 N) uint32
        Sums of weights that arrive in later steps, excitatory ones first; row ``step % depth``.
    current : (N,) int32
        ``i_offset`` and injected currents.
    first, second, third, fourth : (N,) int32
        Of LIF: resistance, decay factor, v_rest, v_thresh. Of Izhikevich: a, b, c, d.
    reset : (N,) int32
        Of LIF: v_reset. Of Izhikevich: the peak at which it is reset.
    refractory : (N,) int32
        Steps of LIF.
    decay_exc, decay_inh, share_exc, share_inh : (N,) uint32
        U0.32: factors of a step, and the means of a step that arrivals are multiplied by.
    """

    v: np.ndarray
    u: np.ndarray
    h: np.ndarray
    timer: np.ndarray
    exc: np.ndarray
    inh: np.ndarray
    total: np.ndarray
    slots: np.ndarray
    current: np.ndarray
    first: np.ndarray
    second: np.ndarray
    third: np.ndarray
    fourth: np.ndarray
    reset: np.ndarray
    refractory: np.ndarray
    decay_exc: np.ndarray
    decay_inh: np.ndarray
    share_exc: np.ndarray
    share_inh: np.ndarray


# Several short loops over few arrays each: LLVM computes them on several neurons at once, which it
# gives up if it would have to compare the addresses of many arrays.


@compile_body
def take_arrivals(current, share, slots, shift, saturated):
    """Add the sums of a step's slots to a synaptic current, and clear the slots.

    Parameters
    ----------
    current : (N,) int32
        Changed.
    share : (N,) uint32
    slots : (N,) uint32
        Sums of weights, changed.
    shift : int
        Bits by which weights are shifted to become S16.15.
    saturated : (N,) int64
        Sums that a slot of 16 bits cut off so far; changed.
    """
    # Nearly always no slot is full, and one look for the largest sum shows it.
    largest = np.uint32(0)
    for i in range(slots.size):
        largest = max(largest, slots[i])
    # All terms are positive: a sum that is cut off once is what a slot that saturates holds.
    if largest > LARGEST_SLOT:
        for i in range(slots.size):
            if slots[i] > LARGEST_SLOT:
                slots[i] = LARGEST_SLOT
                saturated[i] += 1
    for i in range(current.size):
        arriving = np.int32(np.int64(slots[i]) << shift)
        current[i] = np.int32(current[i] + decay(arriving, share[i]))
    # The row comes round again after as many steps as the ring has rows, and must then be empty.
    slots[:] = 0


@compile_body
def decay_current(current, factor):
    """Let a synaptic current decay by a step.

    Parameters
    ----------
    current : (N,) int32
        Changed.
    factor : (N,) uint32
    """
    for i in range(current.size):
        current[i] = decay(current[i], factor[i])


@compile_body
def add_currents(total, exc, inh, current):
    """Write the input of a step: an ordinary sum, which wraps.

    Parameters
    ----------
    total : (N,) int32
        Written.
    exc, inh, current : (N,) int32
    """
    for i in range(total.size):
        total[i] = np.int32(exc[i] - inh[i] + current[i])


@compile_body
def lif_voltage(v, current, resistance, factor, rest):
    """Return the voltage of a LIF cell after a step of constant current.

    Parameters
    ----------
    v, current, resistance, factor, rest : int32
        S16.15.
    """
    # Exact for a constant current: the distance from the steady voltage shrinks by the factor.
    steady = np.int32(multiply(resistance, current) + rest)
    distance = np.int32(steady - v)
    return np.int32(steady - multiply(factor, distance))


@compile_body
def update_lif(v, timer, current, resistance, factor, rest):
    """Move the voltages of LIF cells by a step, unless they are refractory.

    Parameters
    ----------
    v, timer : (N,) int32
        Changed.
    current, resistance, factor, rest : (N,) int32
    """
    for i in range(v.size):
        moved = lif_voltage(v[i], current[i], resistance[i], factor[i], rest[i])
        v[i] = v[i] if timer[i] > 0 else moved
    # After the voltages: a timer of 1 still holds its neuron in this step.
    for i in range(v.size):
        timer[i] = max(timer[i] - np.int32(1), np.int32(0))


@compile_body
def izhikevich_step(v, u, h, current, a, b):
    """Return v and u of Izhikevich's cell after a midpoint step of length h.

    The products are grouped as the compiler groups them, which decides how they are rounded.

    Parameters
    ----------
    v, u, h, current, a, b : int32
        S16.15.
    """
    # Horner's form, (0.04 v + 5) v: another grouping rounds otherwise.
    before = np.int32(_OFFSET + current - u)
    factor = np.int32(multiply(_SQUARE, v) + _FIVE)
    slope = np.int32(before + multiply(factor, v))
    full = multiply(slope, h)
    middle = np.int32(v + multiply(full, _HALF))
    # `change` is that of u in half a step; v at the middle is computed with the old u.
    share = multiply(a, h)
    pull = np.int32(multiply(b, v) - u)
    change = multiply(multiply(pull, share), _HALF)
    factor_of_middle = np.int32(multiply(_SQUARE, middle) + _FIVE)
    quadratic = multiply(factor_of_middle, middle)
    slope_of_middle = np.int32(before - change + quadratic)
    new_v = np.int32(v + multiply(slope_of_middle, h))
    u_of_middle = np.int32(u + change)
    pull_of_middle = np.int32(multiply(b, middle) - u_of_middle)
    new_u = np.int32(u + multiply(pull_of_middle, share))
    return new_v, new_u


@compile_body
def update_izhikevich(v, u, h, current, a, b):
    """Move Izhikevich's cells by a step.

    Parameters
    ----------
    v, u : (N,) int32
        Changed.
    h, current, a, b : (N,) int32
    """
    for i in range(v.size):
        v[i], u[i] = izhikevich_step(v[i], u[i], h[i], current[i], a[i], b[i])


@compile_body
def find_at_least(v, threshold, fired):
    """Collect the neurons whose voltage is at their threshold or above; return their number.

    Parameters
    ----------
    v, threshold : (N,) int32
    fired : int32
        Receives the neurons, ascending.
    """
    count = 0
    for first in range(0, v.size, _BLOCK):
        voltages = v[first : first + _BLOCK]
        thresholds = threshold[first : first + _BLOCK]
        # Most blocks have no spike, which is found for several neurons at once.
        above = 0
        for i in range(voltages.size):
            above += voltages[i] >= thresholds[i]
        if above:
            for i in range(voltages.size):
                if voltages[i] >= thresholds[i]:
                    fired[count] = first + i
                    count += 1
    return count


@compile_body
def step_lif(neurons, inside, total, fired):
    """Update, test and reset LIF cells; refractory ones are tested too.

    Parameters
    ----------
    neurons : Neurons
        Changed.
    inside : slice
        Of the population.
    total : (N,) int32
        Input of the population.
    fired : int32
        Receives the neurons that spike.
    """
    v = neurons.v[inside]
    timer = neurons.timer[inside]
    update_lif(
        v, timer, total, neurons.first[inside], neurons.second[inside], neurons.third[inside]
    )
    count = find_at_least(v, neurons.fourth[inside], fired)
    reset = neurons.reset[inside]
    refractory = neurons.refractory[inside]
    for i in fired[:count]:
        v[i] = reset[i]
        timer[i] = refractory[i]
    return count


@compile_body
def step_izhikevich(neurons, inside, total, dt, fired):
    """Update, test and reset Izhikevich's cells.

    Parameters
    ----------
    neurons : Neurons
        Changed.
    inside : slice
        Of the population.
    total : (N,) int32
        Input of the population.
    dt : int
        S16.15, ms.
    fired : int32
        Receives the neurons that spike.
    """
    v = neurons.v[inside]
    u = neurons.u[inside]
    h = neurons.h[inside]
    update_izhikevich(v, u, h, total, neurons.first[inside], neurons.second[inside])
    # Only the step after a spike is longer.
    h[:] = dt
    count = find_at_least(v, neurons.reset[inside], fired)
    c = neurons.third[inside]
    d = neurons.fourth[inside]
    for i in fired[:count]:
        v[i] = c[i]
        u[i] = np.int32(u[i] + d[i])
        h[i] = multiply(dt, _AFTER_SPIKE)
    return count


@compile_body
def update_population(neurons, begin, end, cell, row, shifts, dt, fired, saturated):
    """Run one step of a population; return the number of its spikes.

    Parameters
    ----------
    neurons : Neurons
        Changed.
    begin, end : int
        Range of neurons.
    cell : LIF or IZHIKEVICH
    row : int
        Of the slots.
    shifts : (2,) int64
        Of both receptors.
    dt : int
        S16.15, ms.
    fired : int32
        Receives the neurons that spike, counted from ``begin``.
    saturated : (2 N,) int64
        Changed.
    """
    count = neurons.v.size
    inside = slice(begin, end)
    # Inhibitory slots of all neurons follow the excitatory ones of all.
    inside_inhibitory = slice(count + begin, count + end)
    exc = neurons.exc[inside]
    inh = neurons.inh[inside]
    total = neurons.total[inside]
    slots = neurons.slots[row]
    share = neurons.share_exc[inside]
    take_arrivals(exc, share, slots[inside], shifts[0], saturated[inside])
    share = neurons.share_inh[inside]
    take_arrivals(inh, share, slots[inside_inhibitory], shifts[1], saturated[inside_inhibitory])
    add_currents(total, exc, inh, neurons.current[inside])
    if cell == LIF:
        spikes = step_lif(neurons, inside, total, fired)
    else:
        spikes = step_izhikevich(neurons, inside, total, dt, fired)
    # The cells have read the currents of this step; only now do these decay.
    decay_current(exc, neurons.decay_exc[inside])
    decay_current(inh, neurons.decay_inh[inside])
    return spikes
