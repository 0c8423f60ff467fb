"""Three networks that simulators are compared on: CUBA and COBA of Brette et al. (2007), and the thousand neurons of Izhikevich (2003)."""

from __future__ import annotations

from neurosim import connect
from neurosim.errors import NetworkError
from neurosim.model import Cell, Port
from neurosim.network import Network
from neurosim.values import normal, uniform

from .cells import IZHIKEVICH_UNITS, QUADRATIC, lif_conductance, lif_exponential, parameters

INPUTS = 80  # synapses of one neuron: 2 % of 4000 (Brette et al. 2007, appendix B); kept at other sizes, so that the rate stays


def cuba(size: int = 4000, *, seed: int = 0) -> Network:
    """Return benchmark 2 of Brette et al. (2007): integrate-and-fire neurons with exponential currents, after Vogels & Abbott (2005).

    Parameters
    ----------
    size : int
        Neurons of population ``neurons``; the first four fifths excite. All spikes are recorded.

    Notes
    -----
    dt 0.1 ms. tau 20 ms, leak conductance 10 nS, hence 0.2 nF; rest -49 mV above the threshold of -50 mV, so that no stimulus is needed;
    reset -60 mV, 5 ms refractory. Synapses of 5 and 10 ms with peaks of 16.2 pA (0.27 nS at 60 mV) and 90 pA (4.5 nS at 20 mV), that is
    1.62 mV and 9 mV over the leak; no delay. Voltages begin between reset and threshold.
    """
    cell = lif_exponential(tau="20 ms", tau_exc="5 ms", tau_inh="10 ms", rest="-49 mV", reset="-60 mV", threshold="-50 mV",
                           refractory="5 ms", capacity="0.2 nF")
    return _sparse("cuba", size, cell, seed=seed, weights=("16.2 pA", "90 pA"), v=uniform("-60 mV", "-50 mV"))


def coba(size: int = 4000, *, seed: int = 0) -> Network:
    """Return benchmark 1 of Brette et al. (2007): integrate-and-fire neurons with exponential conductances, after Vogels & Abbott (2005).

    Parameters
    ----------
    size : int
        Neurons of population ``neurons``; the first four fifths excite. All spikes are recorded.

    Notes
    -----
    dt 0.1 ms. tau 20 ms, leak conductance 10 nS; rest and reset -60 mV, threshold -50 mV, 5 ms refractory. Synapses of 5 and 10 ms with
    6 nS towards 0 mV and 67 nS towards -80 mV; no delay. The paper starts the network with a stimulus of 50 ms; here voltages and
    conductances begin where the activity has them, at normal numbers, as in the scripts that Brian gives for it.
    """
    cell = lif_conductance(tau="20 ms", tau_exc="5 ms", tau_inh="10 ms", rest="-60 mV", threshold="-50 mV", reversal_exc="0 mV",
                           reversal_inh="-80 mV", refractory="5 ms", capacity="0.2 nF")
    return _sparse("coba", size, cell, seed=seed, weights=("6 nS", "67 nS"), v=normal("-65 mV", "5 mV"),
                   excitatory=normal("40 nS", "15 nS"), inhibitory=normal("200 nS", "120 nS"))


def izhikevich_2003(size: int = 1000, *, seed: int = 0) -> Network:
    """Return the network of Izhikevich (2003), IEEE Trans. Neural Networks 14:1569: all to all, heterogeneous, driven by noise.

    Parameters
    ----------
    size : int
        Neurons of population ``neurons``; the first four fifths excite. All spikes are recorded.

    Notes
    -----
    dt 1 ms. Weights, uniform up to 0.5 and down to -1 mV/ms, are currents of one step; they shrink with the size so that the sum of a
    neuron's weights stays. Thalamic noise of 5 (excitatory) and 2 mV/ms. Unlike in the published program, v is clipped at its peak of
    30 mV within a step.
    """
    excitatory = _excitatory(size)
    net = Network("izhikevich_2003", dt="1 ms", seed=seed)
    cell = _published_neuron()
    chosen = f"i < {excitatory}"
    neurons = net.population(
        "neurons", size, cell, rho=uniform(0, 1), a=f"where({chosen}, 0.02, 0.02 + 0.08 * rho) / ms",
        b=f"where({chosen}, 0.2, 0.25 - 0.05 * rho) / ms", c=f"where({chosen}, -65 + 15 * rho**2, -65) * mV",
        d=f"where({chosen}, 8 - 6 * rho**2, 2) * mV/ms", noise=f"where({chosen}, 5, 2) * mV/ms")
    strength, wiring = 1000 / size, connect.all_to_all()
    net.project(neurons[:excitatory], neurons, wiring, weight=uniform(0.0, 0.5 * strength), port="injected", name="excitation")
    net.project(neurons[excitatory:], neurons, wiring, weight=uniform(-strength, 0.0), port="injected", name="inhibition")
    net.record(neurons, "spikes")
    return net


def _published_neuron() -> Cell:
    """Return the neuron as the published program steps it: two half-steps of v, not clipped at the peak as in `cells.izhikevich`."""
    half_step = f"v = v + dt / 2 * ({QUADRATIC} - u + input)"
    return Cell(
        f"""dv/dt = {QUADRATIC} - u + input : mV
            du/dt = a * (b * v - u) : mV/ms
            input = injected + noise * normal() : mV/ms""",
        parameters=parameters(IZHIKEVICH_UNITS, a=0.02, b=0.2, c=-65.0, d=8.0, noise=0.0),
        receives={"injected": Port("mV/ms")},
        step=f"{half_step}; {half_step}; u = u + dt * a * (b * v - u)",
        spike="v >= 30 * mV",
        after_spike="v = c; u = u + d",
        initial={"v": "-65 mV", "u": "b * v"},
        name="izhikevich_published",
    )


def _sparse(name: str, size: int, cell: Cell, *, seed: int, weights: tuple[str, str], **initial: object) -> Network:
    """Return a network of excitatory and inhibitory neurons of one cell, wired at random, recording spikes."""
    excitatory = _excitatory(size)
    net = Network(name, dt="0.1 ms", seed=seed)
    neurons = net.population("neurons", size, cell, **initial)
    wiring = connect.fixed_probability(INPUTS / size)
    net.project(neurons[:excitatory], neurons, wiring, weight=weights[0], port="excitatory", name="excitation")
    net.project(neurons[excitatory:], neurons, wiring, weight=weights[1], port="inhibitory", name="inhibition")
    net.record(neurons, "spikes")
    return net


def _excitatory(size: int) -> int:
    """Return four fifths of a size."""
    if not isinstance(size, int) or size < INPUTS:
        raise NetworkError(f"balanced network, size: found {size!r}, expected a whole number of at least {INPUTS} neurons. "
                           "Published sizes are 4000 (CUBA, COBA) and 1000 (Izhikevich).")
    return size * 4 // 5
