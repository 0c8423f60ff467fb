"""Cells: the common neurons of the literature, each in its author's equations.

Every argument but ``synapse`` is a parameter of the cell and takes what a parameter may be: a quantity with a unit, a plain number in the
unit of the default, one value per neuron, a draw, a table over time, or text over other parameters, as ``reset="rest"`` is. Port
``synaptic`` takes weights of either sign; cells with two kinds of synapses have ``excitatory`` and ``inhibitory``, both for positive
weights. While a neuron is refractory its voltage is frozen; its currents and conductances go on. ``method`` is that of a `Cell`: unless it
is named, a voltage whose equation is not linear in it (adaptive exponential, Izhikevich) is integrated by Euler's method. Time constants,
``capacity`` and ``slope`` are refused at or below zero where they are plain constants.
"""

from __future__ import annotations

from typing import Any

from neurosim.draws.ranges import POSITIVE, require_range
from neurosim.errors import ModelError, describe_unknown
from neurosim.model.cell import Cell
from neurosim.model.declarations import Parameter, Port, Refractory

UNITS = {
    "tau": "ms",
    "tau_syn": "ms",
    "tau_exc": "ms",
    "tau_inh": "ms",
    "refractory": "ms",
    "rest": "mV",
    "reset": "mV",
    "threshold": "mV",
    "peak": "mV",
    "reversal_exc": "mV",
    "reversal_inh": "mV",
    "resistance": "Mohm",
    "capacity": "nF",
    "leak": "uS",
    "current": "nA",
}
CURRENTS = {
    "excitatory": Port("nA", into="excitatory"),
    "inhibitory": Port("nA", into="inhibitory"),
}
CONDUCTANCES = {
    "excitatory": Port("uS", into="excitatory"),
    "inhibitory": Port("uS", into="inhibitory"),
}
ADEX_UNITS = UNITS | {"slope": "mV", "tau_w": "ms", "a": "uS", "b": "nA"}
# The quadratic of Izhikevich 2003, eq. 1, and the units of its parameters: v in mV, t in ms, currents in mV/ms.
QUADRATIC = "0.04 * v**2 / (mV * ms) + 5 * v / ms + 140 * mV / ms"
HODGKIN_HUXLEY_UNITS = UNITS | {
    "sodium": "uS",
    "potassium": "uS",
    "reversal_na": "mV",
    "reversal_k": "mV",
    "offset": "mV",
}
IZHIKEVICH_2007_UNITS = UNITS | {"k": "uS/mV", "a": "1/ms", "b": "uS", "c": "mV", "d": "nA"}
IZHIKEVICH_UNITS = {
    "a": "1/ms",
    "b": "1/ms",
    "c": "mV",
    "d": "mV/ms",
    "current": "mV/ms",
    "noise": "mV/ms",
    "tau_syn": "ms",
}
SYNAPSES = {"delta": Port("mV", into="v"), "exponential": Port("mV/ms", into="synaptic")}


def lif(
    *,
    tau: Any = "20 ms",
    tau_syn: Any = "5 ms",
    rest: Any = "-70 mV",
    reset: Any = "rest",
    threshold: Any = "-50 mV",
    refractory: Any = "2 ms",
    resistance: Any = "100 Mohm",
    current: Any = "0 nA",
) -> Cell:
    """Leaky integrate-and-fire neuron with one exponential current. Source: Gerstner et al. 2014, eqs. 1.5 and 3.1."""
    return _firing(
        "lif",
        """dv/dt = (rest - v + resistance * (synaptic + current)) / tau : mV
           dsynaptic/dt = -synaptic / tau_syn : nA""",
        receives={"synaptic": Port("nA", into="synaptic")},
        tau=tau,
        tau_syn=tau_syn,
        rest=rest,
        reset=reset,
        threshold=threshold,
        refractory=refractory,
        resistance=resistance,
        current=current,
    )


def lif_delta(
    *,
    tau: Any = "20 ms",
    rest: Any = "-70 mV",
    reset: Any = "rest",
    threshold: Any = "-50 mV",
    refractory: Any = "2 ms",
    resistance: Any = "100 Mohm",
    current: Any = "0 nA",
) -> Cell:
    """Leaky integrate-and-fire neuron whose voltage jumps by the weight of a spike. Source: Brunel 2000, eqs. 1 and 2."""
    return _firing(
        "lif_delta",
        "dv/dt = (rest - v + resistance * current) / tau : mV",
        receives={"synaptic": Port("mV", into="v")},
        tau=tau,
        rest=rest,
        reset=reset,
        threshold=threshold,
        refractory=refractory,
        resistance=resistance,
        current=current,
    )


def lif_exponential(
    *,
    tau: Any = "20 ms",
    tau_exc: Any = "5 ms",
    tau_inh: Any = "10 ms",
    rest: Any = "-65 mV",
    reset: Any = "rest",
    threshold: Any = "-50 mV",
    refractory: Any = "2 ms",
    capacity: Any = "1 nF",
    current: Any = "0 nA",
) -> Cell:
    """Leaky integrate-and-fire neuron with excitatory and inhibitory exponential currents. Source: Davison et al. 2008, IF_curr_exp."""
    return _firing(
        "lif_exponential",
        """dv/dt = (rest - v) / tau + (excitatory - inhibitory + current) / capacity : mV
           dexcitatory/dt = -excitatory / tau_exc : nA
           dinhibitory/dt = -inhibitory / tau_inh : nA""",
        receives=CURRENTS,
        tau=tau,
        tau_exc=tau_exc,
        tau_inh=tau_inh,
        rest=rest,
        reset=reset,
        threshold=threshold,
        refractory=refractory,
        capacity=capacity,
        current=current,
    )


def lif_conductance(
    *,
    tau: Any = "20 ms",
    tau_exc: Any = "5 ms",
    tau_inh: Any = "10 ms",
    rest: Any = "-60 mV",
    reset: Any = "rest",
    threshold: Any = "-50 mV",
    reversal_exc: Any = "0 mV",
    reversal_inh: Any = "-80 mV",
    refractory: Any = "5 ms",
    capacity: Any = "0.2 nF",
    current: Any = "0 nA",
) -> Cell:
    """Leaky integrate-and-fire neuron with exponential conductances. Source: Brette et al. 2007, benchmark 1 (COBA)."""
    return _firing(
        "lif_conductance",
        """dv/dt = (rest - v) / tau + (excitatory * (reversal_exc - v) + inhibitory * (reversal_inh - v) + current) / capacity : mV
           dexcitatory/dt = -excitatory / tau_exc : uS
           dinhibitory/dt = -inhibitory / tau_inh : uS""",
        receives=CONDUCTANCES,
        tau=tau,
        tau_exc=tau_exc,
        tau_inh=tau_inh,
        rest=rest,
        reset=reset,
        threshold=threshold,
        reversal_exc=reversal_exc,
        reversal_inh=reversal_inh,
        refractory=refractory,
        capacity=capacity,
        current=current,
    )


def lif_alpha(
    *,
    tau: Any = "10 ms",
    tau_exc: Any = "2 ms",
    tau_inh: Any = "2 ms",
    rest: Any = "-70 mV",
    reset: Any = "rest",
    threshold: Any = "-55 mV",
    refractory: Any = "2 ms",
    capacity: Any = "0.25 nF",
    current: Any = "0 nA",
) -> Cell:
    """Leaky integrate-and-fire neuron with alpha-shaped currents: one spike gives weight * s * exp(1 - s), s = time / tau_exc.

    The current has its peak, the weight, at tau_exc after the spike arrives. Source: Gewaltig and Diesmann 2007 (NEST), iaf_psc_alpha.
    """
    return _firing(
        "lif_alpha",
        """dv/dt = (rest - v) / tau + (alpha_exc - alpha_inh + current) / capacity : mV
           dalpha_exc/dt = (exp(1) * rise_exc - alpha_exc) / tau_exc : nA
           dalpha_inh/dt = (exp(1) * rise_inh - alpha_inh) / tau_inh : nA
           drise_exc/dt = -rise_exc / tau_exc : nA
           drise_inh/dt = -rise_inh / tau_inh : nA""",
        receives={
            "excitatory": Port("nA", into="rise_exc"),
            "inhibitory": Port("nA", into="rise_inh"),
        },
        tau=tau,
        tau_exc=tau_exc,
        tau_inh=tau_inh,
        rest=rest,
        reset=reset,
        threshold=threshold,
        refractory=refractory,
        capacity=capacity,
        current=current,
    )


def lif_conductance_alpha(
    *,
    tau: Any = "15 ms",
    tau_exc: Any = "0.2 ms",
    tau_inh: Any = "2 ms",
    rest: Any = "-70 mV",
    reset: Any = "rest",
    threshold: Any = "-55 mV",
    reversal_exc: Any = "0 mV",
    reversal_inh: Any = "-85 mV",
    refractory: Any = "2 ms",
    capacity: Any = "0.25 nF",
    current: Any = "0 nA",
) -> Cell:
    """Leaky integrate-and-fire neuron with conductances shaped as the currents of `lif_alpha`.

    Source: Gewaltig and Diesmann 2007 (NEST), iaf_cond_alpha, which resets to -60 mV unless told otherwise.
    """
    return _firing(
        "lif_conductance_alpha",
        """dv/dt = (rest - v) / tau + (alpha_exc * (reversal_exc - v) + alpha_inh * (reversal_inh - v) + current) / capacity : mV
           dalpha_exc/dt = (exp(1) * rise_exc - alpha_exc) / tau_exc : uS
           dalpha_inh/dt = (exp(1) * rise_inh - alpha_inh) / tau_inh : uS
           drise_exc/dt = -rise_exc / tau_exc : uS
           drise_inh/dt = -rise_inh / tau_inh : uS""",
        receives={
            "excitatory": Port("uS", into="rise_exc"),
            "inhibitory": Port("uS", into="rise_inh"),
        },
        tau=tau,
        tau_exc=tau_exc,
        tau_inh=tau_inh,
        rest=rest,
        reset=reset,
        threshold=threshold,
        reversal_exc=reversal_exc,
        reversal_inh=reversal_inh,
        refractory=refractory,
        capacity=capacity,
        current=current,
    )


def adex_exponential(
    *,
    capacity: Any = "0.281 nF",
    leak: Any = "0.03 uS",
    rest: Any = "-70.6 mV",
    threshold: Any = "-50.4 mV",
    slope: Any = "2 mV",
    peak: Any = "20 mV",
    reset: Any = "rest",
    tau_w: Any = "144 ms",
    a: Any = "0.004 uS",
    b: Any = "0.0805 nA",
    tau_exc: Any = "5 ms",
    tau_inh: Any = "10 ms",
    refractory: Any = "0 ms",
    current: Any = "0 nA",
    method: str | None = None,
) -> Cell:
    """Adaptive exponential integrate-and-fire neuron with exponential currents. Source: Brette and Gerstner 2005.

    A spike begins where v runs away past ``threshold``, and is cut at ``peak``. The step that reaches the peak may end anywhere above it:
    the equations read such voltages as the peak, so that neither exp nor the adaptation w follows them.
    """
    return _adex(
        "adex_exponential",
        """synaptic = excitatory - inhibitory : nA
           dexcitatory/dt = -excitatory / tau_exc : nA
           dinhibitory/dt = -inhibitory / tau_inh : nA""",
        receives=CURRENTS,
        method=method,
        capacity=capacity,
        leak=leak,
        rest=rest,
        threshold=threshold,
        slope=slope,
        peak=peak,
        reset=reset,
        tau_w=tau_w,
        a=a,
        b=b,
        tau_exc=tau_exc,
        tau_inh=tau_inh,
        refractory=refractory,
        current=current,
    )


def adex_conductance(
    *,
    capacity: Any = "0.281 nF",
    leak: Any = "0.03 uS",
    rest: Any = "-70.6 mV",
    threshold: Any = "-50.4 mV",
    slope: Any = "2 mV",
    peak: Any = "20 mV",
    reset: Any = "rest",
    tau_w: Any = "144 ms",
    a: Any = "0.004 uS",
    b: Any = "0.0805 nA",
    tau_exc: Any = "5 ms",
    tau_inh: Any = "10 ms",
    reversal_exc: Any = "0 mV",
    reversal_inh: Any = "-80 mV",
    refractory: Any = "0 ms",
    current: Any = "0 nA",
    method: str | None = None,
) -> Cell:
    """The neuron of `adex_exponential` with exponential conductances. Source: Brette and Gerstner 2005; PyNN's EIF_cond_exp_isfa_ista."""
    return _adex(
        "adex_conductance",
        """synaptic = excitatory * (reversal_exc - bounded) + inhibitory * (reversal_inh - bounded) : nA
           dexcitatory/dt = -excitatory / tau_exc : uS
           dinhibitory/dt = -inhibitory / tau_inh : uS""",
        receives=CONDUCTANCES,
        method=method,
        capacity=capacity,
        leak=leak,
        rest=rest,
        threshold=threshold,
        slope=slope,
        peak=peak,
        reset=reset,
        tau_w=tau_w,
        a=a,
        b=b,
        tau_exc=tau_exc,
        tau_inh=tau_inh,
        reversal_exc=reversal_exc,
        reversal_inh=reversal_inh,
        refractory=refractory,
        current=current,
    )


def leaky_readout(*, tau: Any = "20 ms") -> Cell:
    """Leaky integrator without spikes: ``v`` is a weighted sum of spikes, slowly forgotten. Source: Gerstner et al. 2014, eq. 1.5."""
    receives = {"synaptic": Port("1", into="v")}
    return _cell(
        "dv/dt = -v / tau : 1",
        parameters=parameters(UNITS, tau=tau),
        receives=receives,
        name="leaky_readout",
    )


def izhikevich(
    *,
    synapse: str,
    a: Any = "0.02 1/ms",
    b: Any = "0.2 1/ms",
    c: Any = "-65 mV",
    d: Any = "8 mV/ms",
    current: Any = "0 mV/ms",
    noise: Any = None,
    tau_syn: Any = "5 ms",
) -> Cell:
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
        raise ModelError(
            f"cell 'izhikevich': {describe_unknown('synapse', str(synapse), SYNAPSES)} Name one of them with synapse=..."
        )
    exponential, noisy = synapse == "exponential", noise is not None
    optional = ({"tau_syn": tau_syn} if exponential else {}) | ({"noise": noise} if noisy else {})
    half_step = f"v = min(v + dt / 2 * ({QUADRATIC} - u + input), 30 * mV)"
    return _cell(
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


def izhikevich_2007(
    *,
    capacity: Any = "0.1 nF",
    k: Any = "0.0007 uS/mV",
    rest: Any = "-60 mV",
    threshold: Any = "-40 mV",
    a: Any = "0.03 1/ms",
    b: Any = "-0.002 uS",
    c: Any = "-50 mV",
    d: Any = "0.1 nA",
    peak: Any = "35 mV",
    tau_syn: Any = "5 ms",
    current: Any = "0 nA",
    method: str | None = None,
) -> Cell:
    """Izhikevich neuron in physical units, with one exponential current. Source: Izhikevich 2007, eqs. 8.5 and 8.6.

    The defaults are his regular spiking neuron (Fig. 8.12). He gives pF, pA and mV; here nF, nA, uS: his k, b, d and C are divided by 1000.
    """
    return _cell(
        """dv/dt = (k * (v - rest) * (v - threshold) - u + synaptic + current) / capacity : mV
           du/dt = a * (b * (v - rest) - u) : nA
           dsynaptic/dt = -synaptic / tau_syn : nA""",
        parameters=parameters(
            IZHIKEVICH_2007_UNITS,
            capacity=capacity,
            k=k,
            rest=rest,
            threshold=threshold,
            a=a,
            b=b,
            c=c,
            d=d,
            peak=peak,
            tau_syn=tau_syn,
            current=current,
        ),
        receives={"synaptic": Port("nA", into="synaptic")},
        spike="v >= peak",
        after_spike="v = c; u += d",
        initial={"v": "rest"},
        method=method,
        name="izhikevich_2007",
    )


def hodgkin_huxley(
    *,
    capacity: Any = "0.2 nF",
    leak: Any = "0.01 uS",
    sodium: Any = "20 uS",
    potassium: Any = "6 uS",
    rest: Any = "-65 mV",
    reversal_na: Any = "50 mV",
    reversal_k: Any = "-90 mV",
    offset: Any = "-63 mV",
    threshold: Any = "-20 mV",
    refractory: Any = "3 ms",
    tau_exc: Any = "5 ms",
    tau_inh: Any = "10 ms",
    reversal_exc: Any = "0 mV",
    reversal_inh: Any = "-80 mV",
    current: Any = "0 nA",
    method: str | None = None,
) -> Cell:
    """Hodgkin-Huxley neuron after Traub and Miles 1991, with exponential conductances. Source: Brette et al. 2007, benchmark 3 (COBAHH).

    ``rest`` is the reversal of the leak: -65 mV as in PyNN's HH_cond_exp; at the -60 mV of the benchmark the neuron fires without input.
    ``offset`` shifts the gates m, h and n along the voltage; they begin at their steady state for the initial v. The source names no event:
    here a neuron spikes where v is at ``threshold`` or above, at most once per ``refractory``, in which nothing is frozen; a voltage that
    is held above the threshold gives a train of spikes. Exponential Euler, its method unless one is named, is stable at steps of 0.1 ms,
    but there each spike comes up to 2 ms late; heun and rk4 need steps of about 0.02 ms, and with rk4 spikes are then right to the step.
    """
    rates, steady = _traub_rates("x"), _traub_rates("((v - offset) / mV)")
    gates = [
        f"d{gate}/dt = ({opening}) / ms * (1 - {gate}) - ({closing}) / ms * {gate} : 1"
        for gate, (opening, closing) in rates.items()
    ]
    return _cell(
        """dv/dt = (channels + excitatory * (reversal_exc - v) + inhibitory * (reversal_inh - v) + current) / capacity : mV
           channels = leak * (rest - v) + sodium * m**3 * h * (reversal_na - v) + potassium * n**4 * (reversal_k - v) : nA
           x = (v - offset) / mV : 1
           dexcitatory/dt = -excitatory / tau_exc : uS
           dinhibitory/dt = -inhibitory / tau_inh : uS
        """
        + "\n".join(gates),
        parameters=parameters(
            HODGKIN_HUXLEY_UNITS,
            capacity=capacity,
            leak=leak,
            sodium=sodium,
            potassium=potassium,
            rest=rest,
            reversal_na=reversal_na,
            reversal_k=reversal_k,
            offset=offset,
            threshold=threshold,
            refractory=refractory,
            tau_exc=tau_exc,
            tau_inh=tau_inh,
            reversal_exc=reversal_exc,
            reversal_inh=reversal_inh,
            current=current,
        ),
        receives=CONDUCTANCES,
        spike="v >= threshold",
        refractory="refractory",
        method=method,
        name="hodgkin_huxley",
        initial={"v": "rest"}
        | {
            gate: f"({opening}) / ({opening} + {closing})"
            for gate, (opening, closing) in steady.items()
        },
    )


def _traub_rates(x: str) -> dict[str, tuple[str, str]]:
    """Return how fast each gate opens and closes (1/ms), ``x`` mV above the offset. Source: Brette et al. 2007, appendix B."""
    return {
        "m": (f"1.28 * {_linoid(f'(13 - {x}) / 4')}", f"1.4 * {_linoid(f'({x} - 40) / 5')}"),
        "h": (f"0.128 * exp((17 - {x}) / 18)", f"4 / (1 + exp((40 - {x}) / 5))"),
        "n": (f"0.16 * {_linoid(f'(15 - {x}) / 5')}", f"0.5 * exp((10 - {x}) / 40)"),
    }


def _linoid(z: str) -> str:
    """Return z / (exp(z) - 1), by its Taylor series around the 0/0 at z = 0; both are right to 1e-12 where they meet."""
    return f"where(abs({z}) < 0.001, 1 - ({z}) / 2 + ({z})**2 / 12, ({z}) / (exp({z}) - 1))"


def _adex(
    name: str, synapses: str, *, receives: dict[str, Port], method: str | None, **given: Any
) -> Cell:
    return _firing(
        name,
        """dv/dt = (leak * (rest - bounded) + leak * slope * exp((bounded - threshold) / slope) - w + synaptic + current) / capacity : mV
           dw/dt = (a * (bounded - rest) - w) / tau_w : nA
           bounded = min(v, peak) : mV
        """
        + synapses,
        receives=receives,
        units=ADEX_UNITS,
        spike="v >= peak",
        after_spike="v = reset; w += b",
        method=method,
        **given,
    )


def _firing(
    name: str,
    equations: str,
    *,
    receives: dict[str, Port],
    units: dict[str, str] = UNITS,
    spike: str = "v >= threshold",
    after_spike: str = "v = reset",
    method: str | None = None,
    **given: Any,
) -> Cell:
    """Return a cell with a reset and a voltage that is frozen while refractory."""
    return _cell(
        equations,
        parameters=parameters(units, **given),
        receives=receives,
        spike=spike,
        after_spike=after_spike,
        refractory=Refractory("refractory", "v"),
        initial={"v": "rest"},
        method=method,
        name=name,
    )


def _cell(equations: str, **parts: Any) -> Cell:
    """Return a cell whose time constants, capacity and slope, by which its equations divide, are above zero where they are plain constants."""
    cell = Cell(equations, **parts)
    for p in cell.parameters:
        if p.name.startswith("tau") or p.name in ("capacity", "slope"):
            require_range(
                p.value,
                POSITIVE,
                where=f"cell {cell.name!r}, parameter {p.name!r}",
                unit=p.unit.text,
                error=ModelError,
            )
    return cell


def parameters(units: dict[str, str], **given: Any) -> dict[str, Parameter]:
    """Return parameters in the units of a table, so that plain numbers are read in them."""
    return {name: Parameter(units[name], value) for name, value in given.items()}
