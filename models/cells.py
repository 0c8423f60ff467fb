"""Cells: the common neurons of the literature, each in the equations of its authors.

A parameter may be a quantity with a unit, a plain number in the unit that its documentation names,
one value per neuron, a draw, a table over time, or text over other parameters, as ``reset="rest"``
is. Port ``synaptic`` takes weights of either sign; cells with two kinds of synapses have the ports
``excitatory`` and ``inhibitory``, both for positive weights (`SignWarning` tells others). While a
neuron is refractory its voltage is frozen; its currents and conductances keep changing. Unless a
``method`` is named, voltages and gates whose equations are not linear with constant coefficients
are integrated by the midpoint method, of second order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from neurosim.draws.ranges import POSITIVE
from neurosim.errors import ModelError, describe_unknown
from neurosim.model.cell import Cell
from neurosim.model.declarations import Adaptive, Port, Refractory
from neurosim.model.names import Method

from ._declarations import Declarations, Declared, Option, ParameterValue, library, parameters


@dataclass(frozen=True)
class _Synapses:
    """Synapses of a cell: their states in the cell, and the ports at which spikes arrive.

    Parameters
    ----------
    equations : str
        Of the states.
    receives : mapping of str to Port
    """

    equations: str
    receives: Mapping[str, Port]


def _exponential(unit: str) -> _Synapses:
    """Return synapses whose states, ``excitatory`` and ``inhibitory``, decay from each spike."""
    return _Synapses(
        f"""dexcitatory/dt = -excitatory / tau_exc : {unit}
            dinhibitory/dt = -inhibitory / tau_inh : {unit}""",
        {name: Port(unit, into=name) for name in ("excitatory", "inhibitory")},
    )


def _alpha(unit: str) -> _Synapses:
    """Return synapses whose states, ``alpha_exc`` and ``alpha_inh``, rise and fall after a spike.

    A spike adds weight * s * exp(1 - s), s = time / tau_exc: its peak is the weight.
    """
    # Two equal low-pass filters in a row turn a spike into an alpha function; exp(1) scales its
    # peak to 1.
    return _Synapses(
        f"""dalpha_exc/dt = (exp(1) * rise_exc - alpha_exc) / tau_exc : {unit}
            dalpha_inh/dt = (exp(1) * rise_inh - alpha_inh) / tau_inh : {unit}
            drise_exc/dt = -rise_exc / tau_exc : {unit}
            drise_inh/dt = -rise_inh / tau_inh : {unit}""",
        {"excitatory": Port(unit, into="rise_exc"), "inhibitory": Port(unit, into="rise_inh")},
    )


CURRENTS = _exponential("nA")
CONDUCTANCES = _exponential("uS")
ALPHA_CURRENTS = _alpha("nA")
ALPHA_CONDUCTANCES = _alpha("uS")
ONE_CURRENT = _Synapses(
    "dsynaptic/dt = -synaptic / tau_syn : nA", {"synaptic": Port("nA", into="synaptic")}
)
# The quadratic of Izhikevich 2003, eq. 1, and the units of its parameters: v in mV, t in ms,
# currents in mV/ms.
QUADRATIC = "0.04 * v**2 / (mV * ms) + 5 * v / ms + 140 * mV / ms"
SYNAPSES = {"delta": Port("mV", into="v"), "exponential": Port("mV/ms", into="synaptic")}

# Every parameter is explained once, here, and named once more, in a signature: the functions below
# hand on `locals()`, which are exactly their arguments as long as they have no other variable.
# Equations divide by time constants, capacities and slopes: these must be positive.
LIF: Declarations = {
    "tau": Declared("ms", "Membrane time constant.", POSITIVE),
    "tau_syn": Declared("ms", "Time constant of the decay of the synaptic current.", POSITIVE),
    "tau_exc": Declared("ms", "Time constant of excitatory synapses.", POSITIVE),
    "tau_inh": Declared("ms", "Time constant of inhibitory synapses.", POSITIVE),
    "rest": Declared("mV", "Voltage at rest, to which the leak draws."),
    "reset": Declared("mV", "Voltage after a spike."),
    "threshold": Declared("mV", "A neuron spikes when its voltage is here or above."),
    "reversal_exc": Declared("mV", "Reversal voltage of excitatory synapses."),
    "reversal_inh": Declared("mV", "Reversal voltage of inhibitory synapses."),
    "refractory": Declared("ms", "Time after a spike without another one; v is frozen."),
    "resistance": Declared("Mohm", "Membrane resistance: steady voltage per current."),
    "capacity": Declared("nF", "Membrane capacitance.", POSITIVE),
    "leak": Declared("uS", "Leak conductance."),
    "current": Declared("nA", "Input current besides that of synapses."),
    "method": Option("str, optional", "Integration method, see `Cell`; None: chosen per equation."),
}
ADEX: Declarations = {
    **LIF,
    "threshold": Declared("mV", "Voltage from which the exponential term dominates (V_T)."),
    "slope": Declared("mV", "Width of the exponential upstroke (Delta_T).", POSITIVE),
    "peak": Declared("mV", "Voltage at which a spike is cut and the neuron reset."),
    "tau_w": Declared("ms", "Time constant of the adaptation current w.", POSITIVE),
    "a": Declared("uS", "Subthreshold adaptation: steady w per voltage above rest."),
    "b": Declared("nA", "Spike-triggered adaptation: current that each spike adds to w."),
}
READOUT: Declarations = {
    "tau": Declared("ms", "Time constant with which spikes are forgotten.", POSITIVE),
    "method": LIF["method"],
}
IZHIKEVICH: Declarations = {
    "synapse": Option(
        '"delta" or "exponential"',
        "Port ``synaptic`` takes steps of voltage (mV), or currents (mV/ms) that decay.",
    ),
    "a": Declared("1/ms", "Rate of the recovery variable u."),
    "b": Declared("1/ms", "Sensitivity of u to the voltage."),
    "c": Declared("mV", "Voltage after a spike."),
    "d": Declared("mV/ms", "Step of u at a spike."),
    "current": Declared("mV/ms", "Input current besides that of the ports."),
    "noise": Declared(
        "mV/ms",
        "Standard deviation of a normal number that is added to the current, drawn afresh in each "
        "step: its effect depends on dt. None: no noise.",
    ),
    "tau_syn": Declared(
        "ms", "Time constant of the synaptic current, if it is exponential.", POSITIVE
    ),
    "method": Option(
        "str, optional",
        "Integration method in place of the published half-steps, see `Cell`.",
    ),
}
IZHIKEVICH_2007: Declarations = {
    **LIF,
    "k": Declared("uS/mV", "Curvature of the current near rest and threshold."),
    "threshold": Declared("mV", "Instantaneous threshold v_t, above which the voltage escapes."),
    "peak": Declared("mV", "Voltage at which a spike is cut and the neuron reset."),
    "a": Declared("1/ms", "Rate of the recovery current u."),
    "b": Declared("uS", "Sensitivity of u to the voltage above rest."),
    "c": Declared("mV", "Voltage after a spike."),
    "d": Declared("nA", "Step of u at a spike."),
}
HODGKIN_HUXLEY: Declarations = {
    **LIF,
    "rest": Declared("mV", "Reversal voltage of the leak."),
    "sodium": Declared("uS", "Largest conductance of the sodium channels."),
    "potassium": Declared("uS", "Largest conductance of the potassium channels."),
    "reversal_na": Declared("mV", "Reversal voltage of sodium."),
    "reversal_k": Declared("mV", "Reversal voltage of potassium."),
    "offset": Declared("mV", "Shift of the gates m, h and n along the voltage."),
    "refractory": Declared("ms", "Time after a spike without another one; nothing is frozen."),
}


@library("cell", LIF)
def lif(
    *,
    tau: ParameterValue = "20 ms",
    tau_syn: ParameterValue = "5 ms",
    rest: ParameterValue = "-70 mV",
    reset: ParameterValue = "rest",
    threshold: ParameterValue = "-50 mV",
    refractory: ParameterValue = "2 ms",
    resistance: ParameterValue = "100 Mohm",
    current: ParameterValue = "0 nA",
    method: Method | Adaptive | None = None,
) -> Cell:
    """Leaky integrate-and-fire neuron with one exponential current.

    Port ``synaptic`` adds its weights: negative ones inhibit.

    Source: Gerstner et al. 2014, eqs. 1.5 and 3.1.

    Parameters
    ----------
    Explained in `LIF`; `help` lists them here, with their defaults.
    """
    return _firing(
        "lif",
        "dv/dt = (rest - v + resistance * (synaptic + current)) / tau : mV",
        synapses=ONE_CURRENT,
        method=method,
        values=locals(),
    )


@library("cell", LIF)
def lif_delta(
    *,
    tau: ParameterValue = "20 ms",
    rest: ParameterValue = "-70 mV",
    reset: ParameterValue = "rest",
    threshold: ParameterValue = "-50 mV",
    refractory: ParameterValue = "2 ms",
    resistance: ParameterValue = "100 Mohm",
    current: ParameterValue = "0 nA",
    method: Method | Adaptive | None = None,
) -> Cell:
    """Leaky integrate-and-fire neuron whose voltage jumps by the weight of a spike.

    Port ``synaptic`` adds its weights: negative ones inhibit.

    Source: Brunel 2000, eqs. 1 and 2.

    Parameters
    ----------
    Explained in `LIF`; `help` lists them here, with their defaults.
    """
    return _firing(
        "lif_delta",
        "dv/dt = (rest - v + resistance * current) / tau : mV",
        # A weight is a step of voltage: there is no state between a spike and v.
        synapses=_Synapses("", {"synaptic": Port("mV", into="v")}),
        method=method,
        values=locals(),
    )


@library("cell", LIF)
def lif_exponential(
    *,
    tau: ParameterValue = "20 ms",
    tau_exc: ParameterValue = "5 ms",
    tau_inh: ParameterValue = "10 ms",
    rest: ParameterValue = "-65 mV",
    reset: ParameterValue = "rest",
    threshold: ParameterValue = "-50 mV",
    refractory: ParameterValue = "2 ms",
    capacity: ParameterValue = "1 nF",
    current: ParameterValue = "0 nA",
    method: Method | Adaptive | None = None,
) -> Cell:
    """Leaky integrate-and-fire neuron with excitatory and inhibitory exponential currents.

    Port ``inhibitory`` is subtracted: its positive weights inhibit.

    Source: Davison et al. 2008, IF_curr_exp.

    Parameters
    ----------
    Explained in `LIF`; `help` lists them here, with their defaults.
    """
    return _firing(
        "lif_exponential",
        "dv/dt = (rest - v) / tau + (excitatory - inhibitory + current) / capacity : mV",
        synapses=CURRENTS,
        method=method,
        values=locals(),
    )


@library("cell", LIF)
def lif_conductance(
    *,
    tau: ParameterValue = "20 ms",
    tau_exc: ParameterValue = "5 ms",
    tau_inh: ParameterValue = "10 ms",
    rest: ParameterValue = "-60 mV",
    reset: ParameterValue = "rest",
    threshold: ParameterValue = "-50 mV",
    reversal_exc: ParameterValue = "0 mV",
    reversal_inh: ParameterValue = "-80 mV",
    refractory: ParameterValue = "5 ms",
    capacity: ParameterValue = "0.2 nF",
    current: ParameterValue = "0 nA",
    method: Method | Adaptive | None = None,
) -> Cell:
    """Leaky integrate-and-fire neuron with exponential conductances.

    Weights of both ports are conductances, and positive: those of ``inhibitory`` inhibit by
    ``reversal_inh``.

    Source: Brette et al. 2007, benchmark 1 (COBA).

    Parameters
    ----------
    Explained in `LIF`; `help` lists them here, with their defaults.
    """
    return _firing(
        "lif_conductance",
        """dv/dt = (rest - v) / tau + (excitatory * (reversal_exc - v)
                    + inhibitory * (reversal_inh - v) + current) / capacity : mV""",
        synapses=CONDUCTANCES,
        method=method,
        values=locals(),
    )


@library("cell", LIF)
def lif_alpha(
    *,
    tau: ParameterValue = "10 ms",
    tau_exc: ParameterValue = "2 ms",
    tau_inh: ParameterValue = "2 ms",
    rest: ParameterValue = "-70 mV",
    reset: ParameterValue = "rest",
    threshold: ParameterValue = "-55 mV",
    refractory: ParameterValue = "2 ms",
    capacity: ParameterValue = "0.25 nF",
    current: ParameterValue = "0 nA",
    method: Method | Adaptive | None = None,
) -> Cell:
    """Leaky integrate-and-fire neuron with alpha-shaped currents.

    A spike gives the current weight * s * exp(1 - s), s = time / tau_exc: its peak is the weight,
    at tau_exc after the spike arrives.

    Port ``inhibitory`` is subtracted: its positive weights inhibit.

    Source: Gewaltig and Diesmann 2007 (NEST), iaf_psc_alpha.

    Parameters
    ----------
    Explained in `LIF`; `help` lists them here, with their defaults.
    """
    return _firing(
        "lif_alpha",
        "dv/dt = (rest - v) / tau + (alpha_exc - alpha_inh + current) / capacity : mV",
        synapses=ALPHA_CURRENTS,
        method=method,
        values=locals(),
    )


@library("cell", LIF)
def lif_conductance_alpha(
    *,
    tau: ParameterValue = "15 ms",
    tau_exc: ParameterValue = "0.2 ms",
    tau_inh: ParameterValue = "2 ms",
    rest: ParameterValue = "-70 mV",
    reset: ParameterValue = "rest",
    threshold: ParameterValue = "-55 mV",
    reversal_exc: ParameterValue = "0 mV",
    reversal_inh: ParameterValue = "-85 mV",
    refractory: ParameterValue = "2 ms",
    capacity: ParameterValue = "0.25 nF",
    current: ParameterValue = "0 nA",
    method: Method | Adaptive | None = None,
) -> Cell:
    """Leaky integrate-and-fire neuron with conductances shaped as the currents of `lif_alpha`.

    Weights of both ports are conductances, and positive: those of ``inhibitory`` inhibit by
    ``reversal_inh``.

    Source: Gewaltig and Diesmann 2007 (NEST), iaf_cond_alpha; its default reset
    is -60 mV.

    Parameters
    ----------
    Explained in `LIF`; `help` lists them here, with their defaults.
    """
    return _firing(
        "lif_conductance_alpha",
        """dv/dt = (rest - v) / tau + (alpha_exc * (reversal_exc - v)
                    + alpha_inh * (reversal_inh - v) + current) / capacity : mV""",
        synapses=ALPHA_CONDUCTANCES,
        method=method,
        values=locals(),
    )


@library("cell", ADEX)
def adex_exponential(
    *,
    capacity: ParameterValue = "0.281 nF",
    leak: ParameterValue = "0.03 uS",
    rest: ParameterValue = "-70.6 mV",
    threshold: ParameterValue = "-50.4 mV",
    slope: ParameterValue = "2 mV",
    peak: ParameterValue = "20 mV",
    reset: ParameterValue = "rest",
    tau_w: ParameterValue = "144 ms",
    a: ParameterValue = "0.004 uS",
    b: ParameterValue = "0.0805 nA",
    tau_exc: ParameterValue = "5 ms",
    tau_inh: ParameterValue = "10 ms",
    refractory: ParameterValue = "0 ms",
    current: ParameterValue = "0 nA",
    method: Method | Adaptive | None = None,
) -> Cell:
    """Adaptive exponential integrate-and-fire neuron with exponential currents.

    A spike begins when v escapes past ``threshold``, and is cut at ``peak``. The step that reaches
    the peak may end anywhere above it: the equations read such voltages as the peak, so that
    neither exp nor the adaptation w follows them.

    Port ``inhibitory`` is subtracted: its positive weights inhibit.

    Source: Brette and Gerstner 2005.

    Parameters
    ----------
    Explained in `ADEX`; `help` lists them here, with their defaults.
    """
    return _adex(
        "adex_exponential",
        "synaptic = excitatory - inhibitory : nA",
        synapses=CURRENTS,
        method=method,
        values=locals(),
    )


@library("cell", ADEX)
def adex_conductance(
    *,
    capacity: ParameterValue = "0.281 nF",
    leak: ParameterValue = "0.03 uS",
    rest: ParameterValue = "-70.6 mV",
    threshold: ParameterValue = "-50.4 mV",
    slope: ParameterValue = "2 mV",
    peak: ParameterValue = "20 mV",
    reset: ParameterValue = "rest",
    tau_w: ParameterValue = "144 ms",
    a: ParameterValue = "0.004 uS",
    b: ParameterValue = "0.0805 nA",
    tau_exc: ParameterValue = "5 ms",
    tau_inh: ParameterValue = "10 ms",
    reversal_exc: ParameterValue = "0 mV",
    reversal_inh: ParameterValue = "-80 mV",
    refractory: ParameterValue = "0 ms",
    current: ParameterValue = "0 nA",
    method: Method | Adaptive | None = None,
) -> Cell:
    """The neuron of `adex_exponential` with exponential conductances.

    Weights of both ports are conductances, and positive: those of ``inhibitory`` inhibit by
    ``reversal_inh``.

    Source: Brette and Gerstner 2005; PyNN's EIF_cond_exp_isfa_ista.

    Parameters
    ----------
    Explained in `ADEX`; `help` lists them here, with their defaults.
    """
    return _adex(
        "adex_conductance",
        """synaptic = (excitatory * (reversal_exc - bounded)
                       + inhibitory * (reversal_inh - bounded)) : nA""",
        synapses=CONDUCTANCES,
        method=method,
        values=locals(),
    )


@library("cell", READOUT)
def leaky_readout(
    *, tau: ParameterValue = "20 ms", method: Method | Adaptive | None = None
) -> Cell:
    """Leaky integrator without spikes: ``v`` is a weighted sum of spikes, slowly forgotten.

    Port ``synaptic`` adds its weights, of either sign.

    Source: Gerstner et al. 2014, eq. 1.5.

    Parameters
    ----------
    Explained in `READOUT`; `help` lists them here, with their defaults.
    """
    return Cell(
        "dv/dt = -v / tau : 1",
        parameters=parameters(READOUT, tau=tau),
        receives={"synaptic": Port("1", into="v")},
        method=method,
        name="leaky_readout",
    )


@library("cell", IZHIKEVICH)
def izhikevich(
    *,
    synapse: str,
    a: ParameterValue = "0.02 1/ms",
    b: ParameterValue = "0.2 1/ms",
    c: ParameterValue = "-65 mV",
    d: ParameterValue = "8 mV/ms",
    current: ParameterValue = "0 mV/ms",
    noise: ParameterValue | None = None,
    tau_syn: ParameterValue = "5 ms",
    method: Method | Adaptive | None = None,
) -> Cell:
    """Izhikevich neuron in its published half-steps of v, each clipped at the peak of 30 mV.

    Port ``synaptic`` acts from the beginning of a step. Values that port ``injected`` receives
    (mV/ms) last for one step, as in the published program.

    Both ports add their weights: negative ones inhibit.

    Source: Izhikevich 2003, eqs. 1-3 and program.

    Parameters
    ----------
    Explained in `IZHIKEVICH`; `help` lists them here, with their defaults.
    """
    if synapse not in SYNAPSES:
        raise ModelError(
            f"cell 'izhikevich': {describe_unknown('synapse', str(synapse), SYNAPSES)} "
            "Name one of them with synapse=..."
        )
    # Only the parameters that the chosen equations read: any other could be set without effect.
    values: dict[str, ParameterValue] = {"a": a, "b": b, "c": c, "d": d, "current": current}
    term = decay = decay_step = ""
    # Two models in one: published inputs are steps of v; currents that decay are common in
    # networks.
    if synapse == "exponential":
        values["tau_syn"] = tau_syn
        term = " + synaptic"
        decay = "dsynaptic/dt = -synaptic / tau_syn : mV/ms"
        decay_step = "synaptic = synaptic * exp(-dt / tau_syn)"
    if noise is not None:
        values["noise"] = noise
        term += " + noise * normal()"
    # Two halves for numerical stability, as in the published program. The equations beside the
    # steps are those that are printed, and that other simulators integrate.
    half_step = f"v = min(v + dt / 2 * ({QUADRATIC} - u + input), 30 * mV)"
    step = f"""{half_step}
               {half_step}
               u = u + dt * a * (b * v - u)
               {decay_step}"""
    return Cell(
        f"""dv/dt = {QUADRATIC} - u + input : mV
            du/dt = a * (b * v - u) : mV/ms
            input = current + injected{term} : mV/ms
            {decay}""",
        parameters=parameters(IZHIKEVICH, **values),
        receives={"synaptic": SYNAPSES[synapse], "injected": Port("mV/ms")},
        step=step if method is None else None,
        method=method,
        # A constant of the published equations, not a parameter.
        spike="v >= 30 * mV",
        after_spike="v = c; u = u + d",
        initial={"v": "-65 mV", "u": "b * v"},
        name="izhikevich",
    )


@library("cell", IZHIKEVICH_2007)
def izhikevich_2007(
    *,
    capacity: ParameterValue = "0.1 nF",
    k: ParameterValue = "0.0007 uS/mV",
    rest: ParameterValue = "-60 mV",
    threshold: ParameterValue = "-40 mV",
    a: ParameterValue = "0.03 1/ms",
    b: ParameterValue = "-0.002 uS",
    c: ParameterValue = "-50 mV",
    d: ParameterValue = "0.1 nA",
    peak: ParameterValue = "35 mV",
    tau_syn: ParameterValue = "5 ms",
    current: ParameterValue = "0 nA",
    method: Method | Adaptive | None = None,
) -> Cell:
    """Izhikevich neuron in physical units, with one exponential current.

    The defaults are his regular spiking neuron (Fig. 8.12). He gives pF, pA and mV; here units are
    nF, nA and uS: his k, b, d and C are divided by 1000.

    Port ``synaptic`` adds its weights: negative ones inhibit.

    Source: Izhikevich 2007, eqs. 8.5 and 8.6.

    Parameters
    ----------
    Explained in `IZHIKEVICH_2007`; `help` lists them here, with their defaults.
    """
    values = locals()
    return Cell(
        """dv/dt = (k * (v - rest) * (v - threshold) - u + synaptic + current) / capacity : mV
           du/dt = a * (b * (v - rest) - u) : nA
        """
        + ONE_CURRENT.equations,
        parameters=parameters(IZHIKEVICH_2007, **values),
        receives=ONE_CURRENT.receives,
        spike="v >= peak",
        # Not frozen: the published neuron has no refractory time.
        after_spike="v = c; u += d",
        initial={"v": "rest"},
        method=method,
        name="izhikevich_2007",
    )


@library("cell", HODGKIN_HUXLEY)
def hodgkin_huxley(
    *,
    capacity: ParameterValue = "0.2 nF",
    leak: ParameterValue = "0.01 uS",
    sodium: ParameterValue = "20 uS",
    potassium: ParameterValue = "6 uS",
    rest: ParameterValue = "-65 mV",
    reversal_na: ParameterValue = "50 mV",
    reversal_k: ParameterValue = "-90 mV",
    offset: ParameterValue = "-63 mV",
    threshold: ParameterValue = "-20 mV",
    refractory: ParameterValue = "3 ms",
    tau_exc: ParameterValue = "5 ms",
    tau_inh: ParameterValue = "10 ms",
    reversal_exc: ParameterValue = "0 mV",
    reversal_inh: ParameterValue = "-80 mV",
    current: ParameterValue = "0 nA",
    method: Method | Adaptive | None = None,
) -> Cell:
    """Hodgkin-Huxley neuron after Traub and Miles 1991, with exponential conductances.

    ``rest`` is -65 mV as in PyNN's HH_cond_exp; at the -60 mV of the benchmark the neuron fires
    without input. The gates begin at their steady state for the initial v. The source names no
    event: here a neuron spikes if v is at ``threshold`` or above, at most once per ``refractory``;
    a voltage that is held above the threshold gives a train of spikes. The midpoint method, its own
    unless one is named, is stable at steps of 0.1 ms and right to 2 % of the rate there.
    ``exponential_euler`` takes about half as long, and each spike comes up to 2 ms late; heun and
    rk4 need steps of about 0.02 ms, and with rk4 spikes are then right to the step.

    Weights of both ports are conductances, and positive: those of ``inhibitory`` inhibit by
    ``reversal_inh``.

    Source: Brette et al. 2007, benchmark 3 (COBAHH).

    Parameters
    ----------
    Explained in `HODGKIN_HUXLEY`; `help` lists them here, with their defaults.
    """
    values = locals()
    # The gates begin at their steady state, so that no spike marks the start of a run.
    rates = _traub_rates("x")
    steady = _traub_rates("((v - offset) / mV)")
    gates = [
        f"d{gate}/dt = ({opening}) / ms * (1 - {gate}) - ({closing}) / ms * {gate} : 1"
        for gate, (opening, closing) in rates.items()
    ]
    steady_states = {
        gate: f"({opening}) / ({opening} + {closing})"
        for gate, (opening, closing) in steady.items()
    }
    return Cell(
        """dv/dt = (channels + excitatory * (reversal_exc - v) + inhibitory * (reversal_inh - v)
                    + current) / capacity : mV
           channels = (leak * (rest - v) + sodium * m**3 * h * (reversal_na - v)
                       + potassium * n**4 * (reversal_k - v)) : nA
           x = (v - offset) / mV : 1
        """
        + "\n".join([CONDUCTANCES.equations, *gates]),
        parameters=parameters(HODGKIN_HUXLEY, **values),
        receives=CONDUCTANCES.receives,
        spike="v >= threshold",
        # Nothing is frozen: the spike itself must run its course; only a second event is refused.
        refractory="refractory",
        method=method,
        name="hodgkin_huxley",
        initial={"v": "rest"} | steady_states,
    )


def _traub_rates(x: str) -> dict[str, tuple[str, str]]:
    """Return how fast each gate opens and closes (1/ms), ``x`` mV above the offset.

    Source: Brette et al. 2007, appendix B.
    """
    return {
        "m": (f"1.28 * {_linoid(f'(13 - {x}) / 4')}", f"1.4 * {_linoid(f'({x} - 40) / 5')}"),
        "h": (f"0.128 * exp((17 - {x}) / 18)", f"4 / (1 + exp((40 - {x}) / 5))"),
        "n": (f"0.16 * {_linoid(f'(15 - {x}) / 5')}", f"0.5 * exp((10 - {x}) / 40)"),
    }


def _linoid(z: str) -> str:
    """Return z / (exp(z) - 1), by its Taylor series around the 0/0 at z = 0.

    Both are right to 1e-12 where they meet.
    """
    # Both branches are computed for all neurons; `where` drops the NaN of the quotient at 0.
    return f"where(abs({z}) < 0.001, 1 - ({z}) / 2 + ({z})**2 / 12, ({z}) / (exp({z}) - 1))"


def _adex(
    name: str,
    synaptic: str,
    *,
    synapses: _Synapses,
    method: Method | Adaptive | None,
    values: Mapping[str, ParameterValue],
) -> Cell:
    # The step that reaches the peak may overshoot it by far: exp(v) would then not be finite.
    return _firing(
        name,
        """dv/dt = (leak * (rest - bounded) + leak * slope * exp((bounded - threshold) / slope)
                    - w + synaptic + current) / capacity : mV
           dw/dt = (a * (bounded - rest) - w) / tau_w : nA
           bounded = min(v, peak) : mV
        """
        + synaptic,
        synapses=synapses,
        declarations=ADEX,
        spike="v >= peak",
        after_spike="v = reset; w += b",
        method=method,
        values=values,
    )


def _firing(
    name: str,
    equations: str,
    *,
    synapses: _Synapses,
    values: Mapping[str, ParameterValue],
    declarations: Declarations = LIF,
    spike: str = "v >= threshold",
    after_spike: str = "v = reset",
    method: Method | Adaptive | None = None,
) -> Cell:
    """Return a cell with a reset and a voltage that is frozen while refractory."""
    return Cell(
        f"{equations}\n{synapses.equations}",
        parameters=parameters(declarations, **values),
        receives=synapses.receives,
        spike=spike,
        after_spike=after_spike,
        refractory=Refractory("refractory", "v"),
        initial={"v": "rest"},
        method=method,
        name=name,
    )
