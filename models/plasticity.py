"""Plasticity: the learning rules of the literature, after their authors' equations.

Arguments are parameters: quantities with a unit, plain numbers in the declared unit, draws, or
``ns.Parameter(unit, values, per="edge")`` for several values. Any may
follow a state of another population, as in ``stdp().reading(a_minus=glia["level"])``; a trace whose
time constant does is integrated in each step. Weights
``w`` have the unit of ``w_max`` and stay between ``w_min`` and ``w_max``. Amplitudes are in the
unit of the weights, or with ``relative=True`` multiples of ``w_max``, as in PyNN and NEST.

Within a step handlers run in order: the target's spike first; then the source's, which changes the
weight before it is delivered. So spikes of both that reach the synapse in one step count as "target
before source" in every rule that knows the order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, TypeVar

from neurosim.draws.ranges import NOT_NEGATIVE, POSITIVE, PROBABILITY, Limits, require_range
from neurosim.errors import ModelError, describe, describe_unknown
from neurosim.expr.parse import Parser
from neurosim.model.parsing import UNKNOWN, read_constant
from neurosim.model.rule import Rule

from ._declarations import Declarations, Declared, Option, ParameterValue, library, parameters

Choice = TypeVar("Choice")

# Position of a weight in its range; clipped, since weights may start outside.
_SHARE = "clip((w - w_min) / (w_max - w_min), 0, 1)"
# Factors of potentiation and depression.
DEPENDENCES = {
    "additive": ("", ""),  # Song, Miller & Abbott 2000
    "multiplicative": (f" * (1 - {_SHARE})", f" * {_SHARE}"),  # Rubin, Lee & Sompolinsky 2001
    "power-law": (" * (w / w_ref) ** mu", " * w / w_ref"),  # Morrison, Aertsen & Diesmann 2007
    # Guetig, Aharonov, Rotter & Sompolinsky 2003
    "guetig": (f" * (1 - {_SHARE}) ** mu", f" * {_SHARE} ** mu"),
}
# The trace that a spike of the source reads and the change of its own; the same for the target.
# Times of last spikes are ends of steps, so that 0, the initial value, means that there was none.
# After Morrison, Diesmann & Gerstner 2008, fig. 7.
PAIRINGS = {
    "all-to-all": ("y", "x += 1", "x", "y += 1"),
    "nearest": ("y", "x = 1", "x", "y = 1"),  # A: with the last spike of the other side
    "reduced-symmetric": (
        "where(last_post > last_pre, y, 0)",
        "x = 1; last_pre = t + dt",  # C: and only if none of its own side lies between
        "where(last_pre >= last_post, x, 0)",
        "y = 1; last_post = t + dt",
    ),
}

WEIGHT = "unit of w"
AMPLITUDE = "unit of w, or 1 if relative"

WEIGHTS: Declarations = {
    "relative": Option("bool", "Whether amplitudes are multiples of w_max."),
    "w_min": Declared(WEIGHT, "Smallest weight."),
    "w_max": Declared(WEIGHT, "Largest weight; gives all weights their unit.", NOT_NEGATIVE),
    "tau_plus": Declared("ms", "Time constant of the trace that spikes of the source leave."),
    "tau_minus": Declared("ms", "Time constant of the trace that spikes of the target leave."),
}
STDP: Declarations = {
    **WEIGHTS,
    "dependence": Option(
        "``additive``, ``multiplicative``, ``power-law`` or ``guetig``",
        "How a change depends on the weight.",
    ),
    "pairing": Option(
        "``all-to-all``, ``nearest`` or ``reduced-symmetric``", "Which spikes form pairs."
    ),
    "a_plus": Declared(
        AMPLITUDE,
        "A pair source before target, d apart, adds ``a_plus * exp(-d / tau_plus)``, times the "
        "factor of the dependence.",
    ),
    "a_minus": Declared(
        AMPLITUDE,
        "A pair target before source, d apart, takes ``a_minus * exp(-d / tau_minus)``, times the "
        "factor of the dependence.",
    ),
    "mu": Declared(
        "1", "Exponent of ``power-law`` (published: 0.4) and ``guetig`` (published: 0 to 1)."
    ),
    "w_ref": Declared(
        WEIGHT, "Of ``power-law``: the weight that changes by the bare amplitudes.", POSITIVE
    ),
}
TRIPLETS: Declarations = {
    **WEIGHTS,
    "pairing": Option("``all-to-all`` or ``nearest``", "Which spikes form pairs and triplets."),
    "a2_plus": Declared(AMPLITUDE, "Growth by a pair source before target."),
    "a3_plus": Declared(AMPLITUDE, "Further growth with an earlier spike of the target."),
    "a2_minus": Declared(AMPLITUDE, "Decrease by a pair target before source."),
    "a3_minus": Declared(AMPLITUDE, "Further decrease with an earlier spike of the source."),
    "tau_x": Declared("ms", "Time constant of the source's slow trace, for triplets."),
    "tau_y": Declared("ms", "Time constant of the target's slow trace, for triplets."),
}
REWARDED: Declarations = {
    **WEIGHTS,
    "a_plus": Declared(AMPLITUDE, "A pair source before target adds this to the eligibility c."),
    "a_minus": Declared(AMPLITUDE, "A pair target before source takes this from c."),
    "tau_c": Declared("ms", "Time constant of the eligibility."),
    "reward": Declared(
        "1",
        "Mostly the level of a population: ``reward_stdp().reading(reward=dopamine['level'])``.",
    ),
    "gain": Declared(
        "1/s", "In every step, after its spikes, w changes by ``gain * reward * c * dt``."
    ),
}
INHIBITORY: Declarations = {
    **WEIGHTS,
    "eta": Declared(
        AMPLITUDE,
        "A pair d apart, in either order, adds ``eta * exp(-d / tau)``; each spike of the source "
        "takes ``eta * 2 * target * tau``.",
    ),
    "target": Declared(
        "Hz", "Rate at which both balance if spikes of source and target are uncorrelated."
    ),
    "tau": Declared("ms", "Time constant of the traces on both sides."),
}
SHORT_TERM: Declarations = {
    "U": Declared("1", "Share of the resources that a first spike uses.", PROBABILITY),
    "tau_rec": Declared("ms", "Time constant of recovery from depression."),
    "tau_facil": Declared("ms", "Time constant of facilitation; None: no facilitation."),
    "per": Option(
        "``source`` or ``edge``",
        "Whether the edges of a source share its resources, or each has its own, as parameters per "
        "edge and links by target need.",
    ),
    "unit": Option(
        "str", "Of the weight, which does not change; a spike delivers ``w * u * (1 - spent)``."
    ),
}
THREE_FACTORS: Declarations = {
    "eta": Declared("ms**2", "Rate of learning."),
    "tau": Declared("ms", "Time constant of the activity x of the source."),
    "mean": Declared("1/ms", "Taken from the smoothed rate of the source to give x."),
    "target": Declared(
        "1",
        "The error is ``target - q``, but 0 if q is negative and the target below 0.01. Mostly the "
        "state of a teaching population, as ``attended`` and ``window`` are: "
        '``three_factor().reading(target=teacher["bump"].by("target"))``.',
    ),
    "attended": Declared("1", "Factor of the gate: 0 for targets that do not learn now."),
    "window": Declared("1", "The gate is open while this is 1, or z is above ``opens``."),
    "opens": Declared("1", "Level of z that opens the gate outside the window."),
    "most": Declared("1", "Largest value of z."),
}


@library("rule", STDP)
def stdp(
    *,
    dependence: str = "additive",
    pairing: str = "all-to-all",
    relative: bool = False,
    a_plus: ParameterValue = 0.01,
    a_minus: ParameterValue = 0.012,
    tau_plus: ParameterValue = "20 ms",
    tau_minus: ParameterValue = "20 ms",
    w_min: ParameterValue = 0.0,
    w_max: ParameterValue = "1 nA",
    mu: ParameterValue = 0.4,
    w_ref: ParameterValue = "w_max",
) -> Rule:
    """Pair STDP; weight dependences and pairings as named in ``DEPENDENCES`` and ``PAIRINGS``.

    Source: Morrison, Diesmann & Gerstner 2008.

    Parameters
    ----------
    Explained in `STDP`; `help` lists them here, with their defaults.
    """
    values = dict(locals())
    grow, shrink = _choose("stdp", "dependence", dependence, DEPENDENCES)
    from_pre, mark_pre, from_post, mark_post = _choose("stdp", "pairing", pairing, PAIRINGS)
    # Only this pairing asks which side spiked last.
    timed = pairing == "reduced-symmetric"
    w, amplitude, scale = _units("stdp", w_max, relative)
    # Only the parameters that the chosen dependence reads: any other could be set without effect.
    for name in ("mu", "w_ref"):
        if name not in grow:
            del values[name]
    growth = f"a_plus{scale} * {from_post}{grow}"
    decrease = f"a_minus{scale} * {from_pre}{shrink}"
    rule = Rule(
        edge=f"w : {w}",
        pre="dx/dt = -x / tau_plus : 1" + "; last_pre : ms" * timed,
        post="dy/dt = -y / tau_minus : 1" + "; last_post : ms" * timed,
        handlers=[
            ("post", f"w = clip(w + {growth}, w_min, w_max); {mark_post}"),
            ("pre", f"w = clip(w - {decrease}, w_min, w_max); out += w; {mark_pre}"),
        ],
        parameters=parameters(_with_units(STDP, w, amplitude), **values),
        name="stdp",
    )
    return _require_weights(rule, divides=_SHARE in shrink)


@library("rule", TRIPLETS)
def triplet_stdp(
    *,
    pairing: str = "all-to-all",
    relative: bool = False,
    a2_plus: ParameterValue = 0.0,
    a3_plus: ParameterValue = 6.5e-3,
    a2_minus: ParameterValue = 7.1e-3,
    a3_minus: ParameterValue = 0.0,
    tau_plus: ParameterValue = "16.8 ms",
    tau_minus: ParameterValue = "33.7 ms",
    tau_x: ParameterValue = "101 ms",
    tau_y: ParameterValue = "114 ms",
    w_min: ParameterValue = 0.0,
    w_max: ParameterValue = "1 nA",
) -> Rule:
    """Triplet STDP; the defaults are its minimal all-to-all model of visual cortex.

    The published amplitudes are changes relative to the weight at the start.

    Source: Pfister & Gerstner 2006, eqs. 3 and 4.

    Parameters
    ----------
    Explained in `TRIPLETS`; `help` lists them here, with their defaults.
    """
    values = dict(locals())
    # All-to-all traces count all spikes, nearest ones remember the last alone.
    mark = _choose("triplet_stdp", "pairing", pairing, {"all-to-all": "+=", "nearest": "="})
    w, amplitude, scale = _units("triplet_stdp", w_max, relative)
    # The slow traces are read before the spike adds to them: it is not its own predecessor.
    growth = f"r1 * (a2_plus + a3_plus * o2){scale}"
    decrease = f"o1 * (a2_minus + a3_minus * r2){scale}"
    rule = Rule(
        edge=f"w : {w}",
        pre="dr1/dt = -r1 / tau_plus : 1; dr2/dt = -r2 / tau_x : 1",
        post="do1/dt = -o1 / tau_minus : 1; do2/dt = -o2 / tau_y : 1",
        handlers=[
            ("post", f"w = clip(w + {growth}, w_min, w_max); o1 {mark} 1; o2 {mark} 1"),
            (
                "pre",
                f"w = clip(w - {decrease}, w_min, w_max); out += w; r1 {mark} 1; r2 {mark} 1",
            ),
        ],
        parameters=parameters(_with_units(TRIPLETS, w, amplitude), **values),
        name="triplet_stdp",
    )
    return _require_weights(rule)


@library("rule", REWARDED)
def reward_stdp(
    *,
    relative: bool = False,
    a_plus: ParameterValue = 0.025,
    a_minus: ParameterValue = 0.0375,
    tau_plus: ParameterValue = "20 ms",
    tau_minus: ParameterValue = "20 ms",
    tau_c: ParameterValue = "1000 ms",
    reward: ParameterValue = 0.0,
    gain: ParameterValue = "1 1/s",
    w_min: ParameterValue = 0.0,
    w_max: ParameterValue = "1 nA",
) -> Rule:
    """Reward-modulated STDP: pairs leave an eligibility ``c``, which reward turns into weight.

    The default amplitudes are those of the published program, 0.1 and 0.15, over its w_max of 4.

    Source: Izhikevich 2007, eqs. 1 and 2.

    Parameters
    ----------
    Explained in `REWARDED`; `help` lists them here, with their defaults.
    """
    values = dict(locals())
    w, amplitude, scale = _units("reward_stdp", w_max, relative)
    rule = Rule(
        edge=f"w : {w}; dc/dt = -c / tau_c : {w}",
        pre="dx/dt = -x / tau_plus : 1",
        post="dy/dt = -y / tau_minus : 1",
        handlers=[
            ("post", f"c += a_plus{scale} * x; y += 1"),
            ("pre", f"c -= a_minus{scale} * y; out += w; x += 1"),
            # After all events of the step, so that its spikes count.
            ("step", "w = clip(w + gain * reward * c * dt, w_min, w_max)"),
        ],
        parameters=parameters(_with_units(REWARDED, w, amplitude), **values),
        name="reward_stdp",
    )
    return _require_weights(rule)


@library("rule", INHIBITORY)
def inhibitory_stdp(
    *,
    relative: bool = False,
    eta: ParameterValue = 1e-3,
    target: ParameterValue = "5 Hz",
    tau: ParameterValue = "20 ms",
    w_min: ParameterValue = 0.0,
    w_max: ParameterValue = "1 nA",
) -> Rule:
    """Homeostatic STDP of inhibitory synapses, which drives the target's rate to a set value.

    Source: Vogels et al. 2011.

    Parameters
    ----------
    Explained in `INHIBITORY`; `help` lists them here, with their defaults.
    """
    values = dict(locals())
    w, amplitude, scale = _units("inhibitory_stdp", w_max, relative)
    # At the target rate both traces have the mean target * tau, so growth by either spike and the
    # constant decrease cancel.
    growth = f"eta{scale} * x"
    balance = f"eta{scale} * (y - 2 * target * tau)"
    rule = Rule(
        edge=f"w : {w}",
        pre="dx/dt = -x / tau : 1",
        post="dy/dt = -y / tau : 1",
        handlers=[
            ("post", f"w = clip(w + {growth}, w_min, w_max); y += 1"),
            ("pre", f"w = clip(w + {balance}, w_min, w_max); out += w; x += 1"),
        ],
        parameters=parameters(_with_units(INHIBITORY, w, amplitude), **values),
        name="inhibitory_stdp",
    )
    return _require_weights(rule)


@library("rule", SHORT_TERM)
def short_term(
    *,
    U: ParameterValue = 0.5,
    tau_rec: ParameterValue = "800 ms",
    tau_facil: ParameterValue | None = None,
    per: str = "source",
    unit: str = "nA",
) -> Rule:
    """Short-term depression and facilitation.

    Source: Tsodyks, Pawelzik & Markram 1998, with spikes that are short against ``tau_rec``.

    Parameters
    ----------
    Explained in `SHORT_TERM`; `help` lists them here, with their defaults.
    """
    side: Literal["pre", "edge"] = _choose(
        "short_term", "per", per, {"source": "pre", "edge": "edge"}
    )
    values: dict[str, ParameterValue] = {"U": U, "tau_rec": tau_rec}
    # Resources are counted as spent: a variable that decays to 0 costs nothing between spikes.
    use = "U"
    states = "dspent/dt = -spent / tau_rec : 1"
    facilitate = ""
    if tau_facil is not None:
        values["tau_facil"] = tau_facil
        use = "u"
        facilitate = "u += U * (1 - u); "
        states += "; du/dt = -u / tau_facil : 1"
    weight = f"w : {unit}"
    return Rule(
        edge=weight if side == "pre" else f"{weight}; {states}",
        pre=states if side == "pre" else "",
        handlers=[
            # The spike itself raises u before it uses it, as published.
            ("pre", f"{facilitate}out += w * {use} * (1 - spent); spent += {use} * (1 - spent)")
        ],
        parameters=parameters(SHORT_TERM, **values),
        name="short_term",
    )


@library("rule", THREE_FACTORS)
def three_factor(
    *,
    eta: ParameterValue = "0 ms**2",
    tau: ParameterValue = "40 ms",
    mean: ParameterValue = 0.0,
    target: ParameterValue = 0.0,
    attended: ParameterValue = 1.0,
    window: ParameterValue = 1.0,
    opens: ParameterValue = 0.15,
    most: ParameterValue = 2.0,
) -> Rule:
    """Gated three-factor rule: activity of the source, error of the target, attention.

    Each target reads out ``q``, the sum of w times the activity ``x`` of its sources, and ``z``,
    which is q between 0 and ``most``. The activity is the number of spikes per ms, smoothed over
    ``tau``, minus ``mean``. In every step, after its spikes, w changes by ``eta * gate * error *
    x``; the gate is open where a target is attended, and its window is open or its z above
    ``opens``. Nothing is delivered; other rules may link to q and z.

    Source: after Yamada & Chao 2025 (form: a choice).

    Parameters
    ----------
    Explained in `THREE_FACTORS`; `help` lists them here, with their defaults.
    """
    return Rule(
        edge="w : ms",
        pre="dr/dt = -r / tau : 1/ms; x : 1/ms",
        post="q : 1; z : 1; correction : ms**2",
        # A readout that is too low cannot go below 0: a target of nearly 0 is then reached.
        definitions="""gate = attended * max(window, z > opens) : 1
                       error = where(target < 0.01 and q < 0, 0, target - q) : 1""",
        handlers=[
            ("pre", "r += 1 / tau"),
            (
                "step",
                """x = r - mean
                   q = 0; q += w * x
                   z = clip(q, 0, most)
                   correction = eta * gate * error
                   w += correction * x""",
            ),
        ],
        parameters=parameters(THREE_FACTORS, **locals()),
        name="three_factor",
    )


def _units(rule: str, w_max: ParameterValue, relative: bool) -> tuple[str, str, str]:
    """Return the unit of the weights, that of the amplitudes, and the factor between them."""
    # The rule itself is parsed later: its text needs the unit first.
    weight = read_constant(Parser(f"rule {rule!r}"), "w_max", w_max).unit
    if weight == UNKNOWN:
        raise ModelError(
            f"rule {rule!r}, parameter 'w_max': found {describe(w_max)}, expected a quantity, "
            "which gives the weights their unit. Write one such as '1 nA', or "
            "ns.Parameter('nA', ...)."
        )
    return (weight.text, "1", " * w_max") if relative else (weight.text, weight.text, "")


def _with_units(declarations: Declarations, weight: str, amplitude: str) -> Declarations:
    """Return declarations with the units of weights and amplitudes filled in."""
    units = {WEIGHT: weight, AMPLITUDE: amplitude}
    return {
        name: replace(d, unit=units.get(d.unit, d.unit)) if isinstance(d, Declared) else d
        for name, d in declarations.items()
    }


def _require_weights(rule: Rule, *, divides: bool = False) -> Rule:
    """Return a rule whose largest weight is not below the smallest.

    Parameters
    ----------
    rule : Rule
    divides : bool
        The rule divides by the range of weights, which must not be empty then.
    """
    smallest = rule.parameter("w_min").value
    largest = rule.parameter("w_max")
    # Draws and arrays have no single value to compare; edges are clipped in any case.
    if isinstance(smallest, float | int):
        require_range(
            largest.value,
            Limits(above=smallest) if divides else Limits(least=smallest),
            where=f"rule {rule.name!r}, parameter 'w_max'",
            unit=largest.unit,
            error=ModelError,
        )
    return rule


def _choose(
    rule: str,
    option: str,
    name: str,
    choices: Mapping[str, Choice],
) -> Choice:
    """Return one of several choices by name."""
    if name not in choices:
        raise ModelError(
            f"rule {rule!r}: {describe_unknown(option, str(name), choices)} "
            f"Name one of them with {option}=..."
        )
    return choices[name]
