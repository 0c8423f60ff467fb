"""The cortical microcircuit of Potjans & Diesmann (2014), four layers, at any scale.

Source: Potjans & Diesmann 2014, Cerebral Cortex 24:785; four layers under 1 mm² of cortex.
"""

from __future__ import annotations

import math

import numpy as np

from neurosim.draws.values import normal
from neurosim.errors import NetworkError, describe
from neurosim.network.network import Network
from neurosim.network.wiring import connectors as connect

from .cells import lif

# Potjans & Diesmann 2014, tables 4 and 5: sizes, probabilities of a connection to a row's
# population from a column's, external inputs.
NAMES = ("L23E", "L23I", "L4E", "L4I", "L5E", "L5I", "L6E", "L6I")
SIZES = (20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948)
PROBABILITIES = (
    (0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0, 0.0076, 0.0),
    (0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0, 0.0042, 0.0),
    (0.0077, 0.0059, 0.0497, 0.1350, 0.0067, 0.0003, 0.0453, 0.0),
    (0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0, 0.1057, 0.0),
    (0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0),
    (0.0548, 0.0269, 0.0257, 0.0022, 0.0600, 0.3158, 0.0086, 0.0),
    (0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252),
    (0.0364, 0.0010, 0.0034, 0.0005, 0.0277, 0.0080, 0.0658, 0.1443),
)
EXTERNAL = (1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100)
BACKGROUND = 8.0  # Hz, of each external input
TAU, TAU_SYN, CAPACITY = 10.0, 0.5, 0.25  # ms, ms, nF
# mV at the peak of an excitatory input; inhibition over excitation; relative standard deviation of
# weights.
POTENTIAL = 0.15
RELATIVE = -4.0
SPREAD = 0.1
DELAYS, DELAY_SPREAD = (1.5, 0.75), 0.5  # ms, excitatory and inhibitory; relative sd
# Hz, at full scale. They are those of the implementation that the authors publish with NEST, in
# which they serve the same scaling.
RATES = (0.971, 2.868, 4.746, 5.396, 8.142, 9.078, 0.991, 7.523)


def cortical_microcircuit(scale: float = 0.1, *, seed: int = 0) -> Network:
    """Return the microcircuit, recording all spikes of its populations ``L23E`` to ``L6I``.

    Parameters
    ----------
    scale : float, 1
        Of neurons and of inputs per neuron alike, 0.01 to 1. Below 1 weights grow by
        1/sqrt(scale), and a current replaces the mean input that is lost, so that mean and
        variance of the input stay (van Albada, Helias & Diesmann 2015, PLoS Comput. Biol.
        11:e1004490, eqs. 2-6).
    seed : int
        Of all draws.

    Raises
    ------
    NetworkError
        If the scale is out of range.

    Notes
    -----
    dt 0.1 ms. Rest and reset -65 mV, threshold -50 mV, 2 ms refractory; voltages begin at -58 mV
    with a standard deviation of 10 mV. Both kinds of input have one time constant and therefore
    share one current.

    Source: Potjans & Diesmann 2014, tables 4 and 5.
    """
    if not isinstance(scale, int | float) or not 0.01 <= scale <= 1:
        raise NetworkError(
            f"cortical microcircuit, scale: found {describe(scale)}, expected a number from 0.01 "
            "to 1. Full scale is 1."
        )
    net = Network("cortical_microcircuit", dt="0.1 ms", seed=seed)
    sizes = scaled_sizes(scale)
    peak = peak_current()
    cell = lif(
        tau=TAU,
        tau_syn=TAU_SYN,
        rest="-65 mV",
        reset="-65 mV",
        threshold="-50 mV",
        refractory="2 ms",
        resistance=TAU / CAPACITY,
    )
    populations = [
        net.population(name, int(size), cell, v=normal("-58 mV", "10 mV"), current=float(current))
        for name, size, current in zip(NAMES, sizes, missing_current(scale), strict=True)
    ]
    counts = scaled_edges(scale)
    weights = mean_weights() / math.sqrt(scale)
    # Pairs of populations without an edge, such as from layer 6I to others, need no projection.
    for target, source in np.argwhere(counts > 0):
        weight = weights[target, source]
        delay = DELAYS[source % 2]
        # A normal number may change its sign, which would turn excitation into inhibition.
        bounds = {"low": 0.0} if weight > 0 else {"high": 0.0}
        net.project(
            populations[source],
            populations[target],
            connect.fixed_total_number(int(counts[target, source]), multapses=True),
            weight=normal(weight, SPREAD * abs(weight), **bounds),
            # At least one step, as NEST demands.
            delay=normal(delay, DELAY_SPREAD * delay, low=0.1),
            round_delays=True,
            port="synaptic",
            name=f"{NAMES[source]}_{NAMES[target]}",
        )
    for population, inputs in zip(populations, EXTERNAL, strict=True):
        net.poisson_drive(
            population,
            n=round(inputs * scale),
            rate=BACKGROUND,
            weight=peak / math.sqrt(scale),
            port="synaptic",
            name=f"background_{population.name}",
        )
        net.record(population, "spikes")
    return net


def peak_current() -> float:
    """Return the jump of current, nA, after which the voltage rises by ``POTENTIAL``.

    It follows from the solution of the two linear equations.
    """
    ratio = TAU / TAU_SYN
    height = ratio ** (-TAU_SYN / (TAU - TAU_SYN)) - ratio ** (-TAU / (TAU - TAU_SYN))
    return POTENTIAL * CAPACITY * (TAU - TAU_SYN) / (TAU * TAU_SYN * height)


def scaled_sizes(scale: float) -> np.ndarray:
    """Return the number of neurons of each population, (8,)."""
    return np.round(np.array(SIZES) * scale).astype(int)


def mean_weights() -> np.ndarray:
    """Return the mean weights at full scale, (8 targets, 8 sources) nA."""
    weights = np.tile(peak_current() * np.array([1.0, RELATIVE]), (8, 4))
    # From the excitatory neurons of layer 4 to those of layers 2/3, as published.
    weights[0, 2] *= 2
    return weights


def inputs_per_neuron() -> np.ndarray:
    """Return the number of edges per target neuron at full scale, (8, 8)."""
    # The probability is that of at least one edge. A pair may have several, so there are more
    # edges than probability times pairs.
    pairs = np.outer(SIZES, SIZES)
    return np.log(1 - np.array(PROBABILITIES)) / np.log(1 - 1 / pairs) / np.array(SIZES)[:, None]


def scaled_edges(scale: float) -> np.ndarray:
    """Return the number of edges to each population from each, (8, 8)."""
    return np.round(inputs_per_neuron() * scale * scaled_sizes(scale)[:, None]).astype(int)


def missing_current(scale: float) -> np.ndarray:
    """Return the current, (8,) nA, that replaces the mean input lost by the scaling."""
    inside = (mean_weights() * inputs_per_neuron() * RATES).sum(axis=1)
    outside = peak_current() * np.array(EXTERNAL) * BACKGROUND
    return (1 - math.sqrt(scale)) * TAU_SYN * (inside + outside) / 1000
