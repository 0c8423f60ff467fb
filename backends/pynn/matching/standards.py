"""The standard cells of PyNN in our language: the table against which the cells of a network are matched.

Each is written with PyNN's own names of parameters and in PyNN's units, after Davison et al. 2008 and the documentation of PyNN 0.13; what a
target does differently with the same name is a row of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from neurosim.model.cell import Cell
from neurosim.model.declarations import Port, Refractory

HALF_STEPS = "IzhikevichHalfSteps"  # NEST's Izhikevich neuron in its published half steps, in which a weight is a current that lasts for one step
SOFTWARE = frozenset({"nest", "pynn-brian2"})
EVERYWHERE = SOFTWARE | {"spinnaker"}
LEAK = {
    "tau_m": "20 ms",
    "cm": "1 nF",
    "v_rest": "-65 mV",
    "v_reset": "-65 mV",
    "v_thresh": "-50 mV",
    "tau_refrac": "0.1 ms",
    "i_offset": "0 nA",
}
TAUS = {"tau_syn_E": "5 ms", "tau_syn_I": "5 ms"}
REVERSALS = {"e_rev_E": "0 mV", "e_rev_I": "-70 mV"}


@dataclass(frozen=True)
class Standard:
    """One standard cell.

    Attributes
    ----------
    name : of PyNN
    cell : its equations
    receptors : receptor type -> state that a weight is added to
    weight : unit of weights
    records : state -> name under which PyNN records it
    units : parameter -> unit, where it is not an engine unit
    decays : receptor -> time constant of a current that PyNN's cell has not, and that many edges stand for: one per step of the decay
    signed : negative weights go to the inhibitory receptor (currents and voltages); else all weights are positive (conductances)
    twins : pairs of parameters that are equal where one port of ours serves both receptors
    optional : parameters of states that a cell may do without
    searched : parameters within functions of v, found by trying
    targets : where PyNN has it with this meaning
    """

    name: str
    cell: Cell
    receptors: dict[str, str]
    weight: str
    records: dict[str, str]
    targets: frozenset[str]
    signed: bool = True
    twins: tuple[tuple[str, str], ...] = ()
    optional: tuple[str, ...] = ()
    searched: tuple[str, ...] = ()
    units: tuple[tuple[str, str], ...] = ()
    decays: dict[str, str] = field(default_factory=dict)

    @property
    def synaptic(self) -> tuple[str, ...]:
        """States that a cell may lack, and whose scale is free: those of its synapses."""
        return tuple(
            s.name for s in self.cell.states if s.name not in ("v", "u", "w", "m", "h", "n")
        )


def _leaky(name: str, equations: str, ports: dict[str, Port], **parameters: str) -> Cell:
    return Cell(
        equations,
        parameters={**LEAK, **parameters},
        receives=ports,
        spike="v >= v_thresh",
        after_spike="v = v_reset",
        refractory=Refractory("tau_refrac", "v"),
        initial={"v": "v_rest"},
        name=name,
    )


_EXPONENTIAL = """d{0}_exc/dt = -{0}_exc / tau_syn_E : {1}
                  d{0}_inh/dt = -{0}_inh / tau_syn_I : {1}"""
_ALPHA = """d{0}_exc/dt = (2.718281828459045 * rise_exc - {0}_exc) / tau_syn_E : {1}
            drise_exc/dt = -rise_exc / tau_syn_E : {1}
            d{0}_inh/dt = (2.718281828459045 * rise_inh - {0}_inh) / tau_syn_I : {1}
            drise_inh/dt = -rise_inh / tau_syn_I : {1}"""
_CURRENT = "dv/dt = (v_rest - v) / tau_m + (isyn_exc + isyn_inh + i_offset) / cm : mV\n"
_SYNAPSES = "gsyn_exc * (e_rev_E - v) + gsyn_inh * (e_rev_I - v)"
_CONDUCTANCE = f"dv/dt = (v_rest - v) / tau_m + ({_SYNAPSES} + i_offset) / cm : mV\n"
_ADAPTIVE = f"""dv/dt = (v_rest - v + delta_T * exp((v - v_thresh) / delta_T)) / tau_m + ({_SYNAPSES} + i_offset - w) / cm : mV
                dw/dt = (0.001 * a * uS * (v - v_rest) - w) / tau_w : nA
             """
_QUADRATIC = "0.04 * v**2 / (mV * ms) + 5 * v / ms + 140 * mV / ms - u"
_HODGKIN_HUXLEY = f"""
    dv/dt = (g_leak * (e_rev_leak - v) + gbar_Na * m**3 * h * (e_rev_Na - v) + gbar_K * n**4 * (e_rev_K - v) + {_SYNAPSES} + i_offset) / cm : mV
    dm/dt = alpha_m * (1 - m) - beta_m * m : 1
    dh/dt = alpha_h * (1 - h) - beta_h * h : 1
    dn/dt = alpha_n * (1 - n) - beta_n * n : 1
    x = (v - v_offset) / mV : 1
    alpha_m = 0.32 * (13 - x) / (exp((13 - x) / 4) - 1) / ms : 1/ms
    beta_m = 0.28 * (x - 40) / (exp((x - 40) / 5) - 1) / ms : 1/ms
    alpha_h = 0.128 * exp((17 - x) / 18) / ms : 1/ms
    beta_h = 4 / (1 + exp((40 - x) / 5)) / ms : 1/ms
    alpha_n = 0.032 * (15 - x) / (exp((15 - x) / 5) - 1) / ms : 1/ms
    beta_n = 0.5 * exp((10 - x) / 40) / ms : 1/ms
    """


def _ports(unit: str, exc: str, inh: str) -> dict[str, Port]:
    return {"excitatory": Port(unit, into=exc), "inhibitory": Port(unit, into=inh)}


_REACH = {
    "i": {"isyn_exc": "isyn_exc", "isyn_inh": "isyn_inh"},
    "g": {"gsyn_exc": "gsyn_exc", "gsyn_inh": "gsyn_inh"},
}
_CURRENTS, _CONDUCTANCES = (
    {"excitatory": f"{x}syn_exc", "inhibitory": f"{x}syn_inh"} for x in "ig"
)
_RISES = {"excitatory": "rise_exc", "inhibitory": "rise_inh"}
_VOLTAGES = {"excitatory": "v", "inhibitory": "v"}
_TAU = (("tau_syn_E", "tau_syn_I"),)
_IZHIKEVICH = {"a": "0.02 1/ms", "b": "0.2 1/ms", "c": "-65 mV", "d": "2 mV/ms", "i_offset": "0 nA"}


def _izhikevich(equations: str, ports: dict[str, Port], **parameters: str) -> Cell:
    return Cell(
        f"du/dt = a * (b * v - u) : mV/ms\n{equations}",
        parameters={**_IZHIKEVICH, **parameters},
        receives=ports,
        spike="v >= 30 * mV",
        after_spike="v = c; u = u + d",
        name="Izhikevich",
    )


STANDARDS: tuple[Standard, ...] = (
    Standard(
        "IF_curr_exp",
        _leaky(
            "IF_curr_exp",
            _CURRENT + _EXPONENTIAL.format("isyn", "nA"),
            _ports("nA", "isyn_exc", "isyn_inh"),
            **TAUS,
        ),
        _CURRENTS,
        "nA",
        {"v": "v", **_REACH["i"]},
        EVERYWHERE,
        twins=_TAU,
    ),
    Standard(
        "IF_curr_alpha",
        _leaky(
            "IF_curr_alpha",
            _CURRENT + _ALPHA.format("isyn", "nA"),
            _ports("nA", "rise_exc", "rise_inh"),
            **TAUS,
        ),
        _RISES,
        "nA",
        {"v": "v", **_REACH["i"]},
        EVERYWHERE,
        twins=_TAU,
    ),
    Standard(
        "IF_curr_delta",
        _leaky(
            "IF_curr_delta",
            "dv/dt = (v_rest - v) / tau_m + i_offset / cm : mV",
            {"excitatory": Port("mV", into="v")},
        ),
        _VOLTAGES,
        "mV",
        {"v": "v"},
        EVERYWHERE,
    ),
    Standard(
        "IF_cond_exp",
        _leaky(
            "IF_cond_exp",
            _CONDUCTANCE + _EXPONENTIAL.format("gsyn", "uS"),
            _ports("uS", "gsyn_exc", "gsyn_inh"),
            **TAUS,
            **REVERSALS,
        ),
        _CONDUCTANCES,
        "uS",
        {"v": "v", **_REACH["g"]},
        EVERYWHERE,
        signed=False,
    ),
    Standard(
        "IF_cond_alpha",
        _leaky(
            "IF_cond_alpha",
            _CONDUCTANCE + _ALPHA.format("gsyn", "uS"),
            _ports("uS", "rise_exc", "rise_inh"),
            **TAUS,
            **REVERSALS,
        ),
        _RISES,
        "uS",
        {"v": "v", **_REACH["g"]},
        SOFTWARE,
        signed=False,
    ),
    Standard(
        "EIF_cond_exp_isfa_ista",
        Cell(
            _ADAPTIVE + _EXPONENTIAL.format("gsyn", "uS"),
            spike="v >= v_spike",
            after_spike="v = v_reset; w = w + b",
            parameters={
                **LEAK,
                **TAUS,
                **REVERSALS,
                "v_spike": "-40 mV",
                "delta_T": "2 mV",
                "a": 4.0,
                "b": "0.08 nA",
                "tau_w": "144 ms",
            },
            receives=_ports("uS", "gsyn_exc", "gsyn_inh"),
            refractory=Refractory("tau_refrac", "v"),
            name="EIF_cond_exp_isfa_ista",
        ),
        _CONDUCTANCES,
        "uS",
        {"v": "v", "w": "w", **_REACH["g"]},
        SOFTWARE,
        signed=False,
        searched=("delta_T", "v_thresh"),
        units=(("a", "nS"),),
    ),
    Standard(
        "Izhikevich",
        _izhikevich(
            f"dv/dt = {_QUADRATIC} + i_offset / pF : mV", {"excitatory": Port("mV", into="v")}
        ),
        _VOLTAGES,
        "mV",
        {"v": "v", "u": "u"},
        SOFTWARE,
    ),
    Standard(
        HALF_STEPS,
        _izhikevich(
            f"dv/dt = {_QUADRATIC} + isyn_exc + isyn_inh + i_offset / pF : mV\n"
            + _EXPONENTIAL.format("isyn", "mV/ms"),
            _ports("mV/ms", "isyn_exc", "isyn_inh"),
            **TAUS,
        ),
        _CURRENTS,
        "mV/ms",
        {"v": "v", "u": "u"},
        frozenset({"nest"}),
        twins=_TAU,
        decays={"excitatory": "tau_syn_E", "inhibitory": "tau_syn_I"},
    ),
    Standard(
        "Izhikevich",
        _izhikevich(
            f"dv/dt = {_QUADRATIC} + (isyn_exc + isyn_inh + i_offset) / nF : mV\n"
            + _EXPONENTIAL.format("isyn", "nA"),
            _ports("nA", "isyn_exc", "isyn_inh"),
            **TAUS,
        ),
        _CURRENTS,
        "nA",
        {"v": "v", "u": "u", **_REACH["i"]},
        frozenset({"spinnaker"}),
        twins=_TAU,
    ),
    Standard(
        "HH_cond_exp",
        Cell(
            _HODGKIN_HUXLEY + _EXPONENTIAL.format("gsyn", "uS"),
            receives=_ports("uS", "gsyn_exc", "gsyn_inh"),
            name="HH_cond_exp",
            parameters={
                **TAUS,
                **REVERSALS,
                "gbar_Na": "20 uS",
                "gbar_K": "6 uS",
                "g_leak": "0.01 uS",
                "cm": "0.2 nF",
                "v_offset": "-63 mV",
                "e_rev_Na": "50 mV",
                "e_rev_K": "-90 mV",
                "e_rev_leak": "-65 mV",
                "i_offset": "0 nA",
            },
        ),
        _CONDUCTANCES,
        "uS",
        {"v": "v", "m": "m", "h": "h", "n": "n", **_REACH["g"]},
        SOFTWARE,
        signed=False,
        searched=("v_offset",),
    ),
)
