"""Numbers, exponentials and constants of SpiNNaker, against vectors of its own programs.

The vectors were computed by the ARM programs of sPyNNaker 7.4.1 in an emulator. Each test says in
its docstring how one of them follows by hand.
"""

import math

import numpy as np
import pytest

from neurosim.backends.pynn.rehearsal.arithmetic import constants, exponentials, products
from neurosim.backends.pynn.rehearsal.arithmetic.numbers import to_fixed, to_float, wrap

EXPONENTIALS = [
    (-1, 32766, 4294830979),
    (-1638, 31170, 4085544196),
    (-6553, 26828, 3516490311),
    (-32768, 12054, 1580030169),
    (-65537, 4434, 581242167),
    (-109226, 1168, 153221915),
]
MEMBRANES = [  # tau_m, cm, tau_refrac, dt; resistance, factor, refractory steps
    (20, 1, 0.1, 1, 655360, 31170, 1),
    (3, 0.27, 1, 1, 364103, 23479, 1),
    (0.5, 0.14, 1, 1, 117016, 4434, 1),
    (20, 1, 2, 0.1, 655360, 32605, 20),
]
SYNAPSES = [  # tau, dt; decay, share
    (5, 1, 3516490311, 3892384920),
    (0.3, 1, 153198536, 1242480068),
    (5, 0.1, 4209972212, 4249494765),
    (100, 1, 4252324052, 4264324300),
]


def fixed(number):
    return int(to_fixed(number))


@pytest.mark.parametrize(("exponent", "number", "fraction"), EXPONENTIALS)
def test_exponentials_are_those_of_the_machine(exponent, number, fraction):
    """Of -32768, that is -1: the table's exp(-1) * 2**32 = 1580030169, shifted by 17 is 12054."""
    assert exponentials.exp_to_fixed(exponent) == number
    assert exponentials.exp_to_fraction(exponent) == fraction


def test_exponentials_err_by_less_than_their_grain():
    """The series ends after its third term, which leaves 5294 * 2**-32 near whole sixteenths."""
    for exponent in range(-200_000, 1, 997):
        exact = math.exp(exponent / 32768)
        assert exponentials.exp_to_fixed(exponent) / 32768 == pytest.approx(exact, abs=2**-14)


def test_exponentials_end_in_nothing_and_in_the_largest_number():
    assert exponentials.exp_to_fixed(-340696) == 0
    assert exponentials.exp_to_fixed(363409) == 0x7FFFFFFF
    # One has no place in a fraction of 32 bits.
    assert exponentials.exp_to_fraction(0) == 0


@pytest.mark.parametrize(
    ("tau_m", "cm", "tau_refrac", "dt", "resistance", "factor", "steps"), MEMBRANES
)
def test_constants_of_membranes_are_those_of_the_machine(
    tau_m, cm, tau_refrac, dt, resistance, factor, steps
):
    """20 ms / 1 nF: 20 * 2**15 = 655360. dt / tau_m is 1638 (of 1638.4), whose exponential above
    is 31170. 0.27 nF is 8847 of 8847.36, so that 98304 * 2**15 / 8847 is 364103, not 364089."""
    assert constants.membrane_resistance(fixed(tau_m), fixed(cm)) == resistance
    assert constants.membrane_decay(fixed(tau_m), fixed(dt)) == factor
    assert constants.refractory_steps(fixed(tau_refrac), fixed(dt)) == steps


@pytest.mark.parametrize(("tau", "dt", "decay", "share"), SYNAPSES)
def test_constants_of_synapses_are_those_of_the_machine(tau, dt, decay, share):
    """The share is the mean of the decaying current, tau / dt (1 - exp(-dt / tau)): of 5 ms
    5 * (2**32 - 1 - 3516490311) = 3892384920, that is 0.90627."""
    assert constants.synaptic_decay(fixed(tau), fixed(dt)) == decay
    assert constants.synaptic_share(fixed(tau), fixed(dt)) == share
    mean = tau / dt * (1 - math.exp(-dt / tau))
    # dt / tau is cut off to parts of 2**-15: 0.01 has 327 of them.
    assert share / 2**32 == pytest.approx(mean, rel=tau / dt / 32768 + 2e-4)


def test_products_round_down_and_wrap():
    assert products.multiply(-1, 1) == -1  # to the nearest it would be 0
    assert products.multiply(3, 16384) == 1
    assert products.multiply(-3, 16384) == -2
    assert products.multiply(1 << 30, 1 << 30) == wrap(1 << 45)
    assert products.decay(np.int32(-1), np.uint32(1)) == -1
    assert products.decay(np.int32(1), np.uint32(0xFFFFFFFF)) == 0


def test_parameters_are_rounded_to_nearest_and_halves_to_even():
    """0.02 * 2**15 is 655.36; 2**-16 is half of a step, and 3 * 2**-16 one and a half."""
    assert fixed(0.02) == 655
    assert [fixed(n * 2**-16) for n in (1, 3, -1, -3)] == [0, 2, 0, -2]
    assert to_fixed(np.array([1, 3]) * 2**-16).tolist() == [0, 2]
    assert to_float(to_fixed(np.array([-64.5]))) == -64.5


def test_equal_neurons_share_a_constant():
    """20 and 3 ms over 1 nF: 20 and 3 Mohm in S16.15."""
    tau = to_fixed(np.array([20.0, 3.0, 20.0]))
    resistances = constants.map_distinct(constants.membrane_resistance, tau, to_fixed(np.ones(3)))
    assert resistances.tolist() == [655360, 98304, 655360]
