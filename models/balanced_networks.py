"""Balanced networks of Brette et al. (2007), CUBA and COBA, and of Izhikevich (2003)."""

from __future__ import annotations

from typing import Any

from neurosim.draws.values import normal, uniform
from neurosim.errors import NetworkError, describe
from neurosim.model.cell import Cell
from neurosim.model.declarations import Adaptive, Port
from neurosim.model.names import Method
from neurosim.network.network import Network
from neurosim.network.populations import Population
from neurosim.network.wiring import connectors as connect

from .cells import IZHIKEVICH, QUADRATIC, lif_conductance, lif_exponential, parameters

# Synapses of one neuron: 2 % of 4000 (Brette et al. 2007, appendix B). The same at other sizes, so
# that the rate stays.
INPUTS = 80


def cuba(
    size: int = 4000,
    *,
    inputs: int = INPUTS,
    delay: Any = 0.0,
    seed: int = 0,
) -> Network:
    """Return benchmark 2 of Brette et al. (2007): neurons with exponential currents.

    Parameters
    ----------
    size : int
        Neurons of population ``neurons``; the first four fifths excite. All spikes are recorded.
    inputs : int
        Synapses of one neuron on average; weights shrink as inputs grow, so that their sum stays
        that of the published 80.
    delay : quantity, ms
    seed : int
        Of all draws.

    Raises
    ------
    NetworkError
        If the size or the number of inputs is out of range.

    Notes
    -----
    dt 0.1 ms. tau 20 ms, leak conductance 10 nS, hence 0.2 nF. Rest is at -49 mV, above the
    threshold of -50 mV, so that no stimulus is needed; reset -60 mV, 5 ms refractory. Synapses of
    5 and 10 ms have peaks of 16.2 pA (0.27 nS at 60 mV) and 90 pA (4.5 nS at 20 mV), that is
    1.62 mV and 9 mV over the leak; published without delay. Voltages begin between reset and
    threshold.

    Source: Brette et al. 2007, benchmark 2 (CUBA), after Vogels & Abbott 2005.
    """
    cell = lif_exponential(
        tau="20 ms",
        tau_exc="5 ms",
        tau_inh="10 ms",
        rest="-49 mV",
        reset="-60 mV",
        threshold="-50 mV",
        refractory="5 ms",
        capacity="0.2 nF",
    )
    net, neurons = _recorded(
        "cuba", size, cell, inputs=inputs, seed=seed, v=uniform("-60 mV", "-50 mV")
    )
    _wire(
        net,
        neurons,
        inputs=inputs,
        weights=(0.0162 * INPUTS / inputs, 0.09 * INPUTS / inputs),
        delay=delay,
    )
    return net


def coba(
    size: int = 4000,
    *,
    delay: Any = 0.0,
    seed: int = 0,
    method: Method | Adaptive | None = None,
) -> Network:
    """Return benchmark 1 of Brette et al. (2007): neurons with exponential conductances.

    Parameters
    ----------
    size : int
        Neurons of population ``neurons``; the first four fifths excite. All spikes are recorded.
    delay : quantity, ms
    seed : int
        Of all draws.
    method : str, optional
        Integration method, see `Cell`; None: chosen per equation.

    Raises
    ------
    NetworkError
        If the size is out of range.

    Notes
    -----
    dt 0.1 ms. tau 20 ms, leak conductance 10 nS; rest and reset -60 mV, threshold -50 mV, 5 ms
    refractory. Synapses of 5 and 10 ms have 6 nS towards 0 mV and 67 nS towards -80 mV; published
    without delay. The paper starts the network with a stimulus of 50 ms. Here voltages and
    conductances begin at normal numbers, near their values in the active network, as in the
    scripts of Brian for this benchmark.

    Source: Brette et al. 2007, benchmark 1 (COBA), after Vogels & Abbott 2005.
    """
    cell = lif_conductance(
        tau="20 ms",
        tau_exc="5 ms",
        tau_inh="10 ms",
        rest="-60 mV",
        threshold="-50 mV",
        reversal_exc="0 mV",
        reversal_inh="-80 mV",
        refractory="5 ms",
        capacity="0.2 nF",
        method=method,
    )
    net, neurons = _recorded(
        "coba",
        size,
        cell,
        inputs=INPUTS,
        seed=seed,
        v=normal("-65 mV", "5 mV"),
        excitatory=normal("40 nS", "15 nS"),
        inhibitory=normal("200 nS", "120 nS"),
    )
    _wire(net, neurons, inputs=INPUTS, weights=(0.006, 0.067), delay=delay)
    return net


def izhikevich_2003(size: int = 1000, *, inputs: int | None = None, seed: int = 0) -> Network:
    """Return the network of Izhikevich (2003): all to all, heterogeneous, driven by noise.

    Parameters
    ----------
    size : int
        Neurons of population ``neurons``; the first four fifths excite. All spikes are recorded.
    inputs : int, optional
        Synapses of one neuron on average, at random; None: from all neurons, as published.
    seed : int
        Of all draws.

    Raises
    ------
    NetworkError
        If the size or the number of inputs is out of range.

    Notes
    -----
    dt 1 ms. Weights, uniform up to 0.5 and down to -1 mV/ms, are currents of one step. They shrink
    as inputs grow, so that the sum of a neuron's weights stays that of the published 1000. Thalamic
    noise of 5 (excitatory) and 2 mV/ms (inhibitory).

    Source: Izhikevich 2003, IEEE Trans. Neural Networks 14:1569, and its program.
    """
    excites = f"i < {_excitatory(size, inputs or size)}"
    net, neurons = _recorded(
        "izhikevich_2003",
        size,
        _published_neuron(),
        inputs=inputs or size,
        seed=seed,
        dt="1 ms",
        # One number per neuron decides about all its parameters, as in the program: types are mixed
        # along a line, not in a square.
        rho=uniform(0, 1),
        a=f"where({excites}, 0.02, 0.02 + 0.08 * rho) / ms",
        b=f"where({excites}, 0.2, 0.25 - 0.05 * rho) / ms",
        c=f"where({excites}, -65 + 15 * rho**2, -65) * mV",
        d=f"where({excites}, 8 - 6 * rho**2, 2) * mV/ms",
        noise=f"where({excites}, 5, 2) * mV/ms",
    )
    # The published sum of weights, spread over fewer or more inputs.
    strength = 1000 / (inputs or size)
    _wire(
        net,
        neurons,
        inputs=inputs,
        weights=(uniform(0.0, 0.5 * strength), uniform(-strength, 0.0)),
        ports=("injected", "injected"),
    )
    return net


def _published_neuron() -> Cell:
    """Return the neuron as the published program steps it.

    It takes two half-steps of v, which are not clipped at the peak as in `cells.izhikevich`.
    """
    half_step = f"v = v + dt / 2 * ({QUADRATIC} - u + input)"
    return Cell(
        f"""dv/dt = {QUADRATIC} - u + input : mV
            du/dt = a * (b * v - u) : mV/ms
            input = injected + noise * normal() : mV/ms""",
        parameters=parameters(IZHIKEVICH, a=0.02, b=0.2, c=-65.0, d=8.0, noise=0.0),
        receives={"injected": Port("mV/ms")},
        step=f"{half_step}; {half_step}; u = u + dt * a * (b * v - u)",
        spike="v >= 30 * mV",
        after_spike="v = c; u = u + d",
        initial={"v": "-65 mV", "u": "b * v"},
        name="izhikevich_published",
    )


def _recorded(
    name: str,
    size: int,
    cell: Cell,
    *,
    inputs: int,
    seed: int,
    dt: str = "0.1 ms",
    **initial: Any,
) -> tuple[Network, Population]:
    """Return a network of neurons of one cell whose spikes are recorded, not yet wired."""
    # Refused before anything is built.
    _excitatory(size, inputs)
    net = Network(name, dt=dt, seed=seed)
    neurons = net.population("neurons", size, cell, **initial)
    net.record(neurons, "spikes")
    return net, neurons


def _wire(
    net: Network,
    neurons: Population,
    *,
    inputs: int | None,
    weights: tuple[Any, Any],
    delay: Any = 0.0,
    ports: tuple[str, str] = ("excitatory", "inhibitory"),
) -> None:
    """Connect excitatory and inhibitory neurons to all: at random, or each to each.

    ``inputs`` None: each to each.
    """
    first = _excitatory(neurons.size, inputs or neurons.size)
    wiring = (
        connect.all_to_all() if inputs is None else connect.fixed_probability(inputs / neurons.size)
    )
    net.project(
        neurons[:first],
        neurons,
        wiring,
        weight=weights[0],
        delay=delay,
        port=ports[0],
        name="excitation",
    )
    net.project(
        neurons[first:],
        neurons,
        wiring,
        weight=weights[1],
        delay=delay,
        port=ports[1],
        name="inhibition",
    )


def _excitatory(size: int, inputs: int) -> int:
    """Return the number of excitatory neurons, four fifths of a size; raise if it is too small."""
    # With fewer neurons a probability of inputs / size would be above 1.
    if not isinstance(size, int) or size < INPUTS:
        raise NetworkError(
            f"balanced network, size: found {describe(size)}, expected a whole number of at least "
            f"{INPUTS} neurons. "
            "Published sizes are 4000 (CUBA, COBA) and 1000 (Izhikevich)."
        )
    if not isinstance(inputs, int) or not 1 <= inputs <= size:
        raise NetworkError(
            f"balanced network, inputs: found {describe(inputs)}, expected a whole number from 1 "
            f"to the size, {size}. "
            "Published are 80 (CUBA, COBA), and all (Izhikevich), which is inputs=None."
        )
    return size * 4 // 5
