"""The table of NEST's models: the name, parameters and variables of each standard cell and rule.

As PyNN 0.13 translates them for NEST 3.10; a test compares both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..matching.pair_stdp import ADDITIVE, GUETIG, MIXED, MULTIPLICATIVE
from ..matching.standard_cells import HALF_STEPS
from ..translation.plan import PlannedRule, PlannedShortTerm, Values

# PyNN's units are nA, nF and uS, NEST's pA, pF and nS.
PICO = 1000.0


@dataclass(frozen=True)
class NestModel:
    """One model of NEST.

    Attributes
    ----------
    name : str
        Of NEST.
    parameters : mapping of str to (str, float)
        PyNN's name -> NEST's, and the factor.
    fixed : mapping of str to value
        Further parameters.
    variables : mapping of str to (str, float)
        Recorded variable of PyNN -> NEST's, and the factor to PyNN's unit.
    weight : float
        Factor of weights.
    signed : bool
        Whether weights of the inhibitory receptor are negative in the plan already; NEST wants
        them so for conductances, too.
    """

    name: str
    parameters: Mapping[str, tuple[str, float]]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    weight: float = PICO
    signed: bool = True


_MEMBRANE = {
    "v_rest": ("E_L", 1.0),
    "v_reset": ("V_reset", 1.0),
    "cm": ("C_m", PICO),
    "tau_refrac": ("t_ref", 1.0),
    "v_thresh": ("V_th", 1.0),
    "i_offset": ("I_e", PICO),
}
_SYNAPSES = {"tau_syn_E": ("tau_syn_ex", 1.0), "tau_syn_I": ("tau_syn_in", 1.0)}
_CURRENTS = {**_MEMBRANE, "tau_m": ("tau_m", 1.0), **_SYNAPSES}
_REVERSALS = {"e_rev_E": ("E_ex", 1.0), "e_rev_I": ("E_in", 1.0)}
# NEST has the conductance of the leak in place of its time constant.
_CONDUCTANCES = {**_MEMBRANE, **_SYNAPSES, **_REVERSALS, "tau_m": ("g_L", PICO)}
_V = {"v": ("V_m", 1.0)}
_OF_CURRENTS = {**_V, "isyn_exc": ("I_syn_ex", 1e-3), "isyn_inh": ("I_syn_in", 1e-3)}
_OF_CONDUCTANCES = {**_V, "gsyn_exc": ("g_ex", 1e-3), "gsyn_inh": ("g_in", 1e-3)}
_QUADRATIC = {
    "a": ("a", 1.0),
    "b": ("b", 1.0),
    "c": ("c", 1.0),
    "d": ("d", 1.0),
    "i_offset": ("I_e", PICO),
}
_OF_QUADRATIC = {**_V, "u": ("U_m", 1.0)}

MODELS = {
    "IF_curr_exp": NestModel("iaf_psc_exp", _CURRENTS, variables=_OF_CURRENTS),
    "IF_curr_alpha": NestModel("iaf_psc_alpha", _CURRENTS, variables=_OF_CURRENTS),
    # Weights are steps of voltage, in mV.
    "IF_curr_delta": NestModel(
        "iaf_psc_delta", {**_MEMBRANE, "tau_m": ("tau_m", 1.0)}, variables=_V, weight=1.0
    ),
    "IF_cond_exp": NestModel(
        "iaf_cond_exp", _CONDUCTANCES, variables=_OF_CONDUCTANCES, signed=False
    ),
    "IF_cond_alpha": NestModel(
        "iaf_cond_alpha", _CONDUCTANCES, variables=_OF_CONDUCTANCES, signed=False
    ),
    "EIF_cond_exp_isfa_ista": NestModel(
        "aeif_cond_exp",
        {
            **_CONDUCTANCES,
            "v_spike": ("V_peak", 1.0),
            "a": ("a", 1.0),
            "b": ("b", PICO),
            "delta_T": ("Delta_T", 1.0),
            "tau_w": ("tau_w", 1.0),
        },
        variables={**_OF_CONDUCTANCES, "w": ("w", 1e-3)},
        signed=False,
    ),
    "HH_cond_exp": NestModel(
        "hh_cond_exp_traub",
        {
            "gbar_Na": ("g_Na", PICO),
            "gbar_K": ("g_K", PICO),
            "g_leak": ("g_L", PICO),
            "cm": ("C_m", PICO),
            "v_offset": ("V_T", 1.0),
            "e_rev_Na": ("E_Na", 1.0),
            "e_rev_K": ("E_K", 1.0),
            "e_rev_leak": ("E_L", 1.0),
            **_REVERSALS,
            **_SYNAPSES,
            "i_offset": ("I_e", PICO),
        },
        variables={
            **_OF_CONDUCTANCES,
            "m": ("Act_m", 1.0),
            "h": ("Inact_h", 1.0),
            "n": ("Act_n", 1.0),
        },
        signed=False,
    ),
    "Izhikevich": NestModel("izhikevich", _QUADRATIC, variables=_OF_QUADRATIC, weight=1.0),
    HALF_STEPS: NestModel(
        "izhikevich",
        _QUADRATIC,
        fixed={"consistent_integration": False},
        variables=_OF_QUADRATIC,
        weight=1.0,
    ),
    # A parrot repeats what a generator sends it: it counts its spikes as a neuron's.
    "SpikeSourceArray": NestModel("parrot_neuron", {}),
    "SpikeSourcePoisson": NestModel("parrot_neuron", {}),
}

_DEPENDENCES = {ADDITIVE: (0.0, 0.0), MULTIPLICATIVE: (1.0, 1.0), MIXED: (0.0, 1.0)}


def native_parameters(cell: str, parameters: Mapping[str, Values]) -> dict[str, Values]:
    """Return the parameters of NEST's model of a standard cell.

    Parameters
    ----------
    cell : str
        Name of PyNN's standard cell.
    parameters : mapping of str to number or (N,)
        PyNN's, in its units. A time constant of conductances is read with ``cm``.
    """
    model = MODELS[cell]
    native: dict[str, Values] = dict(model.fixed)
    for name, value in parameters.items():
        if name not in model.parameters:
            continue  # of a source: its generator has it
        new, factor = model.parameters[name]
        # g_L = C_m / tau_m: nF / ms is uS, and the factor makes nS of it.
        if name == "tau_m" and new == "g_L":
            value = parameters["cm"] / value
        native[new] = factor * value
    return native


def native_rule(
    rule: PlannedRule, target: str, receptor: str
) -> tuple[str, dict[str, float], float | None]:
    """Return NEST's synapse of a rule: name, parameters, and ``tau_minus`` of the target.

    Parameters
    ----------
    rule : PlannedRule
    target : str
        Standard cell of the target.
    receptor : str
        Of the projection.
    """
    timing = rule.timing
    plus = timing["A_plus"]
    mu = _DEPENDENCES.get(rule.dependence)
    if rule.dependence == GUETIG:
        mu = (rule.weights["mu_plus"], rule.weights["mu_minus"])
    if mu is None:
        raise ValueError(f"NEST has no weight dependence {rule.dependence!r}")
    factor = weight_factor(target, receptor)
    parameters = {
        "tau_plus": timing["tau_plus"],
        "lambda": plus,
        # Without growth NEST's depression is zero, whatever alpha is.
        "alpha": timing["A_minus"] / plus if plus else timing["A_minus"],
        "Wmax": factor * rule.weights["w_max"],
        "mu_plus": mu[0],
        "mu_minus": mu[1],
        # The default weight must have the sign of Wmax, though no edge has it.
        "weight": float(np.sign(factor)),
    }
    return "stdp_synapse", {k: float(v) for k, v in parameters.items()}, timing["tau_minus"]


def native_short_term(rule: PlannedShortTerm) -> tuple[str, dict[str, float]]:
    """Return NEST's synapse of short-term plasticity: name and parameters; it begins at rest."""
    return "tsodyks2_synapse", {
        "U": rule.U,
        "u": rule.U,
        "x": 1.0,
        "tau_rec": rule.tau_rec,
        "tau_fac": rule.tau_facil,
    }


def weight_factor(target: str, receptor: str) -> float:
    """Return the factor of weights of a plan for a target's standard cell and receptor."""
    model = MODELS[target]
    is_turned = receptor == "inhibitory" and not model.signed
    return -model.weight if is_turned else model.weight
