"""Cells: the common neurons of the literature, each in its author's equations.

Every argument but ``synapse`` is a parameter of the cell and takes what a parameter may be: a quantity with a unit, a plain number in the
unit of the default, one value per neuron, a draw, a table over time, or text over other parameters, as ``reset="rest"`` is. Port
``synaptic`` takes weights of either sign; cells with two kinds of synapses have ``excitatory`` and ``inhibitory``, both for positive
weights. While a neuron is refractory its voltage is frozen; its currents and conductances go on.
"""

from __future__ import annotations

from typing import Any

from neurosim.errors import ModelError, unknown
from neurosim.model import Cell, Parameter, Port, Refractory

UNITS = {
    "tau": "ms", "tau_syn": "ms", "tau_exc": "ms", "tau_inh": "ms", "refractory": "ms",
    "rest": "mV", "reset": "mV", "threshold": "mV", "reversal_exc": "mV", "reversal_inh": "mV",
    "resistance": "Mohm", "capacity": "nF", "current": "nA",
}
# The quadratic of Izhikevich 2003, eq. 1, and the units of its parameters: v in mV, t in ms, currents in mV/ms.
QUADRATIC = "0.04 * v**2 / (mV * ms) + 5 * v / ms + 140 * mV / ms"
IZHIKEVICH_UNITS = {"a": "1/ms", "b": "1/ms", "c": "mV", "d": "mV/ms", "current": "mV/ms", "noise": "mV/ms", "tau_syn": "ms"}
SYNAPSES = {"delta": Port("mV", into="v"), "exponential": Port("mV/ms", into="synaptic")}


def lif(*, tau: Any = "20 ms", tau_syn: Any = "5 ms", rest: Any = "-70 mV", reset: Any = "rest", threshold: Any = "-50 mV",
        refractory: Any = "2 ms", resistance: Any = "100 Mohm", current: Any = "0 nA") -> Cell:
    """Leaky integrate-and-fire neuron with one exponential current. Source: Gerstner et al. 2014, eqs. 1.5 and 3.1."""
    return _firing(
        "lif",
        """dv/dt = (rest - v + resistance * (synaptic + current)) / tau : mV
           dsynaptic/dt = -synaptic / tau_syn : nA""",
        receives={"synaptic": Port("nA", into="synaptic")},
        tau=tau, tau_syn=tau_syn, rest=rest, reset=reset, threshold=threshold, refractory=refractory, resistance=resistance,
        current=current,
    )


def lif_delta(*, tau: Any = "20 ms", rest: Any = "-70 mV", reset: Any = "rest", threshold: Any = "-50 mV", refractory: Any = "2 ms",
              resistance: Any = "100 Mohm", current: Any = "0 nA") -> Cell:
    """Leaky integrate-and-fire neuron whose voltage jumps by the weight of a spike. Source: Brunel 2000, eqs. 1 and 2."""
    return _firing(
        "lif_delta",
        "dv/dt = (rest - v + resistance * current) / tau : mV",
        receives={"synaptic": Port("mV", into="v")},
        tau=tau, rest=rest, reset=reset, threshold=threshold, refractory=refractory, resistance=resistance, current=current,
    )


def lif_exponential(*, tau: Any = "20 ms", tau_exc: Any = "5 ms", tau_inh: Any = "10 ms", rest: Any = "-65 mV", reset: Any = "rest",
                    threshold: Any = "-50 mV", refractory: Any = "2 ms", capacity: Any = "1 nF", current: Any = "0 nA") -> Cell:
    """Leaky integrate-and-fire neuron with excitatory and inhibitory exponential currents. Source: Davison et al. 2008, IF_curr_exp."""
    return _firing(
        "lif_exponential",
        """dv/dt = (rest - v) / tau + (excitatory - inhibitory + current) / capacity : mV
           dexcitatory/dt = -excitatory / tau_exc : nA
           dinhibitory/dt = -inhibitory / tau_inh : nA""",
        receives={"excitatory": Port("nA", into="excitatory"), "inhibitory": Port("nA", into="inhibitory")},
        tau=tau, tau_exc=tau_exc, tau_inh=tau_inh, rest=rest, reset=reset, threshold=threshold, refractory=refractory,
        capacity=capacity, current=current,
    )


def lif_conductance(*, tau: Any = "20 ms", tau_exc: Any = "5 ms", tau_inh: Any = "10 ms", rest: Any = "-60 mV", reset: Any = "rest",
                    threshold: Any = "-50 mV", reversal_exc: Any = "0 mV", reversal_inh: Any = "-80 mV", refractory: Any = "5 ms",
                    capacity: Any = "0.2 nF", current: Any = "0 nA") -> Cell:
    """Leaky integrate-and-fire neuron with exponential conductances. Source: Brette et al. 2007, benchmark 1 (COBA)."""
    return _firing(
        "lif_conductance",
        """dv/dt = (rest - v) / tau + (excitatory * (reversal_exc - v) + inhibitory * (reversal_inh - v) + current) / capacity : mV
           dexcitatory/dt = -excitatory / tau_exc : uS
           dinhibitory/dt = -inhibitory / tau_inh : uS""",
        receives={"excitatory": Port("uS", into="excitatory"), "inhibitory": Port("uS", into="inhibitory")},
        tau=tau, tau_exc=tau_exc, tau_inh=tau_inh, rest=rest, reset=reset, threshold=threshold, reversal_exc=reversal_exc,
        reversal_inh=reversal_inh, refractory=refractory, capacity=capacity, current=current,
    )


def leaky_readout(*, tau: Any = "20 ms") -> Cell:
    """Leaky integrator without spikes: ``v`` is a weighted sum of spikes, slowly forgotten. Source: Gerstner et al. 2014, eq. 1.5."""
    receives = {"synaptic": Port("1", into="v")}
    return Cell("dv/dt = -v / tau : 1", parameters=parameters(UNITS, tau=tau), receives=receives, name="leaky_readout")


def izhikevich(*, synapse: str, a: Any = "0.02 1/ms", b: Any = "0.2 1/ms", c: Any = "-65 mV", d: Any = "8 mV/ms", current: Any = "0 mV/ms",
               noise: Any = None, tau_syn: Any = "5 ms") -> Cell:
    """Izhikevich neuron in its published half-steps of v, each clipped at the peak of 30 mV. Source: Izhikevich 2003, eqs. 1-3 and program.

    Parameters
    ----------
    synapse : str
        Of port ``synaptic``: ``"delta"``, voltage steps (mV), or ``"exponential"``, currents (mV/ms) that decay with ``tau_syn``.
        Both act from the beginning of a step. What port ``injected`` receives (mV/ms) lasts for one step, as in the published program.
    a, b, c, d : 1/ms, 1/ms, mV, mV/ms
    current : mV/ms
    noise : mV/ms, optional
        Standard deviation of a normal number that is added to the current, drawn afresh in each step; so its effect depends on dt.
    """
    if synapse not in SYNAPSES:
        raise ModelError(f"cell 'izhikevich': {unknown('synapse', str(synapse), SYNAPSES)} Name one of them with synapse=...")
    exponential, noisy = synapse == "exponential", noise is not None
    optional = ({"tau_syn": tau_syn} if exponential else {}) | ({"noise": noise} if noisy else {})
    half_step = f"v = min(v + dt / 2 * ({QUADRATIC} - u + input), 30 * mV)"
    return Cell(
        f"""dv/dt = {QUADRATIC} - u + input : mV
            du/dt = a * (b * v - u) : mV/ms
            input = current + injected {"+ synaptic" if exponential else ""} {"+ noise * normal()" if noisy else ""} : mV/ms
            {"dsynaptic/dt = -synaptic / tau_syn : mV/ms" if exponential else ""}""",
        parameters=parameters(IZHIKEVICH_UNITS, a=a, b=b, c=c, d=d, current=current, **optional),
        receives={"synaptic": SYNAPSES[synapse], "injected": Port("mV/ms")},
        step=f"""{half_step}
                 {half_step}
                 u = u + dt * a * (b * v - u)
                 {"synaptic = synaptic * exp(-dt / tau_syn)" if exponential else ""}""",
        spike="v >= 30 * mV",
        after_spike="v = c; u = u + d",
        initial={"v": "-65 mV", "u": "b * v"},
        name="izhikevich",
    )


def _firing(name: str, equations: str, *, receives: dict[str, Port], **given: Any) -> Cell:
    """Return a cell with threshold, reset and a voltage that is frozen while refractory."""
    return Cell(equations, parameters=parameters(UNITS, **given), receives=receives, spike="v >= threshold", after_spike="v = reset",
                refractory=Refractory("refractory", "v"), initial={"v": "rest"}, name=name)


def parameters(units: dict[str, str], **given: Any) -> dict[str, Parameter]:
    """Return parameters in the units of a table, so that plain numbers are read in them."""
    return {name: Parameter(units[name], value) for name, value in given.items()}
