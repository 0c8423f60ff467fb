"""The standard cells of PyNN in our language: the table that cells are matched against.

Each has PyNN's own names of parameters and PyNN's units, after Davison et al. 2008 and the
documentation of PyNN 0.13. A target that does something else under the same name has an entry in
``translation/targets.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from neurosim.expr.tree import Binary, Expr
from neurosim.model.cell import Cell
from neurosim.model.declarations import Port, Refractory

# NEST's Izhikevich neuron in its published half steps, in which a weight is a current that lasts
# for one step. The name is ours: PyNN has no standard cell for it.
HALF_STEPS = "IzhikevichHalfSteps"
SOFTWARE = frozenset({"nest", "pynn-brian2"})
EVERYWHERE = SOFTWARE | {"spinnaker"}

_MEMBRANE = ("v", "u", "w", "m", "h", "n")  # states of membranes; all others are of synapses


@dataclass(frozen=True)
class StandardCell:
    """One standard cell.

    Attributes
    ----------
    name : str
        Of PyNN.
    cell : Cell
        Its equations.
    receptors : dict of str to str
        Receptor type -> state that a weight is added to.
    weight : str
        Unit of weights.
    records : dict of str to str
        State -> name under which PyNN records it.
    targets : frozenset of str
        Targets on which the name has this meaning.
    signed : bool
        Whether negative weights go to the inhibitory receptor (currents and voltages); otherwise
        all weights are positive (conductances).
    twins : tuple of (str, str)
        Pairs of parameters that are equal if one port of ours serves both receptors.
    searched : tuple of str
        Parameters within functions of v, which are not solved for but tried.
    decays : dict of str to str
        Receptor -> time constant of a current that PyNN's cell lacks; many edges stand for that
        current, one per step of its decay.
    """

    name: str
    cell: Cell
    receptors: dict[str, str]
    weight: str
    records: dict[str, str]
    targets: frozenset[str]
    signed: bool = True
    twins: tuple[tuple[str, str], ...] = ()
    searched: tuple[str, ...] = ()
    decays: dict[str, str] = field(default_factory=dict)

    @property
    def synaptic(self) -> tuple[str, ...]:
        """States of synapses: a cell may lack them, and their scale is free."""
        return tuple(s.name for s in self.cell.states if s.name not in _MEMBRANE)

    @property
    def threshold(self) -> Expr | None:
        """Expression that v is compared with; None if targets detect spikes in their own way."""
        match self.cell.spike:
            case Binary(right=right):
                return right
        return None


# ---- equations

# Both synapses are written out, since PyNN's cells have two, each with its own time constant.
_EXPONENTIAL = """
    d{0}_exc/dt = -{0}_exc / tau_syn_E : {1}
    d{0}_inh/dt = -{0}_inh / tau_syn_I : {1}
    """
# An alpha function as two stages: the weight jumps the rise, scaled so that it peaks at the weight.
# 2.718281828459045 is e; the language has no constant for it.
_ALPHA = """
    d{0}_exc/dt = (2.718281828459045 * rise_exc - {0}_exc) / tau_syn_E : {1}
    drise_exc/dt = -rise_exc / tau_syn_E : {1}
    d{0}_inh/dt = (2.718281828459045 * rise_inh - {0}_inh) / tau_syn_I : {1}
    drise_inh/dt = -rise_inh / tau_syn_I : {1}
    """
_SYNAPTIC_CURRENT = "(gsyn_exc * (e_rev_E - v) + gsyn_inh * (e_rev_I - v) + i_offset)"
_LEAKY = "dv/dt = (v_rest - v) / tau_m + i_offset / cm : mV\n"
_LEAKY_CURRENT = "dv/dt = (v_rest - v) / tau_m + (isyn_exc + isyn_inh + i_offset) / cm : mV\n"
_LEAKY_CONDUCTANCE = f"dv/dt = (v_rest - v) / tau_m + {_SYNAPTIC_CURRENT} / cm : mV\n"
# a is in nS there: 0.001 uS makes it the uS of the other conductances.
_ADAPTIVE = f"""
    dv/dt = (v_rest - v + upstroke) / tau_m + ({_SYNAPTIC_CURRENT} - w) / cm : mV
    dw/dt = (0.001 * a * uS * (v - v_rest) - w) / tau_w : nA
    upstroke = delta_T * exp((v - v_thresh) / delta_T) : mV
    """
# Source: Izhikevich 2003, eqs. 1 and 2.
_QUADRATIC = "0.04 * v**2 / (mV * ms) + 5 * v / ms + 140 * mV / ms - u"
# Source: Traub & Miles 1991, as in Brette et al. 2007; v_offset moves their zero of the voltage.
_HODGKIN_HUXLEY = f"""
    dv/dt = (leak + sodium + potassium + {_SYNAPTIC_CURRENT}) / cm : mV
    dm/dt = alpha_m * (1 - m) - beta_m * m : 1
    dh/dt = alpha_h * (1 - h) - beta_h * h : 1
    dn/dt = alpha_n * (1 - n) - beta_n * n : 1
    leak = g_leak * (e_rev_leak - v) : nA
    sodium = gbar_Na * m**3 * h * (e_rev_Na - v) : nA
    potassium = gbar_K * n**4 * (e_rev_K - v) : nA
    x = (v - v_offset) / mV : 1
    alpha_m = 0.32 * (13 - x) / (exp((13 - x) / 4) - 1) / ms : 1/ms
    beta_m = 0.28 * (x - 40) / (exp((x - 40) / 5) - 1) / ms : 1/ms
    alpha_h = 0.128 * exp((17 - x) / 18) / ms : 1/ms
    beta_h = 4 / (1 + exp((40 - x) / 5)) / ms : 1/ms
    alpha_n = 0.032 * (15 - x) / (exp((15 - x) / 5) - 1) / ms : 1/ms
    beta_n = 0.5 * exp((10 - x) / 40) / ms : 1/ms
    """

# ---- parameters that several cells share, with PyNN's default values

_LEAK = {
    "tau_m": "20 ms",
    "cm": "1 nF",
    "v_rest": "-65 mV",
    "v_reset": "-65 mV",
    "v_thresh": "-50 mV",
    "tau_refrac": "0.1 ms",
    "i_offset": "0 nA",
}
_TIME_CONSTANTS = {"tau_syn_E": "5 ms", "tau_syn_I": "5 ms"}
_REVERSALS = {"e_rev_E": "0 mV", "e_rev_I": "-70 mV"}
_IZHIKEVICH = {
    "a": "0.02 1/ms",
    "b": "0.2 1/ms",
    "c": "-65 mV",
    "d": "2 mV/ms",
    "i_offset": "0 nA",
}

# ---- receptors and recorded variables

_CURRENTS = {"excitatory": "isyn_exc", "inhibitory": "isyn_inh"}
_CONDUCTANCES = {"excitatory": "gsyn_exc", "inhibitory": "gsyn_inh"}
_RISES = {"excitatory": "rise_exc", "inhibitory": "rise_inh"}
# A voltage step of either sign goes to v: one state serves both receptors.
_VOLTAGES = {"excitatory": "v", "inhibitory": "v"}
_CURRENT_RECORDS = {"isyn_exc": "isyn_exc", "isyn_inh": "isyn_inh"}
_CONDUCTANCE_RECORDS = {"gsyn_exc": "gsyn_exc", "gsyn_inh": "gsyn_inh"}
_ONE_TIME_CONSTANT = (("tau_syn_E", "tau_syn_I"),)


def _ports(unit: str, states: dict[str, str]) -> dict[str, Port]:
    return {receptor: Port(unit, into=state) for receptor, state in states.items()}


def _voltage_port() -> dict[str, Port]:
    return {"excitatory": Port("mV", into="v")}


def _leaky(
    name: str,
    equations: str,
    ports: dict[str, Port],
    **parameters: str,
) -> Cell:
    return Cell(
        equations,
        parameters={**_LEAK, **parameters},
        receives=ports,
        spike="v >= v_thresh",
        after_spike="v = v_reset",
        refractory=Refractory("tau_refrac", "v"),
        initial={"v": "v_rest"},
        name=name,
    )


def _izhikevich(equations: str, ports: dict[str, Port], **parameters: str) -> Cell:
    return Cell(
        f"du/dt = a * (b * v - u) : mV/ms\n{equations}",
        parameters={**_IZHIKEVICH, **parameters},
        receives=ports,
        spike="v >= 30 * mV",
        after_spike="v = c; u = u + d",
        name="Izhikevich",
    )


# ---- the table

_IF_CURR_EXP = StandardCell(
    "IF_curr_exp",
    _leaky(
        "IF_curr_exp",
        _LEAKY_CURRENT + _EXPONENTIAL.format("isyn", "nA"),
        _ports("nA", _CURRENTS),
        **_TIME_CONSTANTS,
    ),
    receptors=_CURRENTS,
    weight="nA",
    records={"v": "v", **_CURRENT_RECORDS},
    targets=EVERYWHERE,
    twins=_ONE_TIME_CONSTANT,
)
_IF_CURR_ALPHA = StandardCell(
    "IF_curr_alpha",
    _leaky(
        "IF_curr_alpha",
        _LEAKY_CURRENT + _ALPHA.format("isyn", "nA"),
        _ports("nA", _RISES),
        **_TIME_CONSTANTS,
    ),
    receptors=_RISES,
    weight="nA",
    records={"v": "v", **_CURRENT_RECORDS},
    targets=EVERYWHERE,
    twins=_ONE_TIME_CONSTANT,
)
_IF_CURR_DELTA = StandardCell(
    "IF_curr_delta",
    _leaky("IF_curr_delta", _LEAKY, _voltage_port()),
    receptors=_VOLTAGES,
    weight="mV",
    records={"v": "v"},
    targets=EVERYWHERE,
)
_IF_COND_EXP = StandardCell(
    "IF_cond_exp",
    _leaky(
        "IF_cond_exp",
        _LEAKY_CONDUCTANCE + _EXPONENTIAL.format("gsyn", "uS"),
        _ports("uS", _CONDUCTANCES),
        **_TIME_CONSTANTS,
        **_REVERSALS,
    ),
    receptors=_CONDUCTANCES,
    weight="uS",
    records={"v": "v", **_CONDUCTANCE_RECORDS},
    targets=EVERYWHERE,
    signed=False,
)
_IF_COND_ALPHA = StandardCell(
    "IF_cond_alpha",
    _leaky(
        "IF_cond_alpha",
        _LEAKY_CONDUCTANCE + _ALPHA.format("gsyn", "uS"),
        _ports("uS", _RISES),
        **_TIME_CONSTANTS,
        **_REVERSALS,
    ),
    receptors=_RISES,
    weight="uS",
    records={"v": "v", **_CONDUCTANCE_RECORDS},
    targets=SOFTWARE,  # sPyNNaker lacks this cell
    signed=False,
)
_EIF_COND_EXP = StandardCell(
    "EIF_cond_exp_isfa_ista",
    Cell(
        _ADAPTIVE + _EXPONENTIAL.format("gsyn", "uS"),
        parameters={
            **_LEAK,
            **_TIME_CONSTANTS,
            **_REVERSALS,
            "v_spike": "-40 mV",
            "delta_T": "2 mV",
            "a": 4.0,  # nS, a plain number here: PyNN's other conductances are in uS
            "b": "0.08 nA",
            "tau_w": "144 ms",
        },
        receives=_ports("uS", _CONDUCTANCES),
        spike="v >= v_spike",
        after_spike="v = v_reset; w = w + b",
        refractory=Refractory("tau_refrac", "v"),
        name="EIF_cond_exp_isfa_ista",
    ),
    receptors=_CONDUCTANCES,
    weight="uS",
    records={"v": "v", "w": "w", **_CONDUCTANCE_RECORDS},
    targets=SOFTWARE,
    signed=False,
    # They stand within the exponential of v, where no coefficient can be read off.
    searched=("delta_T", "v_thresh"),
)
_IZHIKEVICH_STEPS = StandardCell(
    "Izhikevich",
    # i_offset acts on 1 pF: 1 nA moves v by 1000 mV/ms, on SpiNNaker by 1 mV/ms.
    _izhikevich(f"dv/dt = {_QUADRATIC} + i_offset / pF : mV", _voltage_port()),
    receptors=_VOLTAGES,
    weight="mV",
    records={"v": "v", "u": "u"},
    targets=SOFTWARE,
)
_IZHIKEVICH_HALF_STEPS = StandardCell(
    HALF_STEPS,
    _izhikevich(
        f"dv/dt = {_QUADRATIC} + isyn_exc + isyn_inh + i_offset / pF : mV\n"
        + _EXPONENTIAL.format("isyn", "mV/ms"),
        _ports("mV/ms", _CURRENTS),
        **_TIME_CONSTANTS,
    ),
    receptors=_CURRENTS,
    weight="mV/ms",
    records={"v": "v", "u": "u"},
    targets=frozenset({"nest"}),
    twins=_ONE_TIME_CONSTANT,
    decays={"excitatory": "tau_syn_E", "inhibitory": "tau_syn_I"},
)
_IZHIKEVICH_CURRENTS = StandardCell(
    "Izhikevich",
    _izhikevich(
        f"dv/dt = {_QUADRATIC} + (isyn_exc + isyn_inh + i_offset) / nF : mV\n"
        + _EXPONENTIAL.format("isyn", "nA"),
        _ports("nA", _CURRENTS),
        **_TIME_CONSTANTS,
    ),
    receptors=_CURRENTS,
    weight="nA",
    records={"v": "v", "u": "u", **_CURRENT_RECORDS},
    targets=frozenset({"spinnaker"}),
    twins=_ONE_TIME_CONSTANT,
)
_HH_COND_EXP = StandardCell(
    "HH_cond_exp",
    Cell(
        _HODGKIN_HUXLEY + _EXPONENTIAL.format("gsyn", "uS"),
        parameters={
            **_TIME_CONSTANTS,
            **_REVERSALS,
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
        receives=_ports("uS", _CONDUCTANCES),
        name="HH_cond_exp",
    ),
    receptors=_CONDUCTANCES,
    weight="uS",
    records={"v": "v", "m": "m", "h": "h", "n": "n", **_CONDUCTANCE_RECORDS},
    targets=SOFTWARE,
    signed=False,
    searched=("v_offset",),
)

# In the order in which they are tried: of two that fit, the first is taken.
STANDARD_CELLS = (
    _IF_CURR_EXP,
    _IF_CURR_ALPHA,
    _IF_CURR_DELTA,
    _IF_COND_EXP,
    _IF_COND_ALPHA,
    _EIF_COND_EXP,
    _IZHIKEVICH_STEPS,
    _IZHIKEVICH_HALF_STEPS,
    _IZHIKEVICH_CURRENTS,
    _HH_COND_EXP,
)
