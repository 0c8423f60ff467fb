"""Plasticity: the learning rules of the literature, each written once in the language after its authors' equations.

Arguments are parameters: quantities with a unit, plain numbers in engine units, draws, or ``ns.Parameter(unit, values, per="edge")`` for
several values. Any but the time constants of decays may follow a state of another population, as in
``stdp().reading(a_minus=glia["level"])``. Weights ``w`` have the unit of ``w_max`` and stay between ``w_min`` and ``w_max``. Amplitudes are
in the unit of the weights, or with ``relative=True`` multiples of ``w_max``, as in PyNN and NEST.

Within a step handlers run in order: the target's spike first; then the source's, which changes the weight before it is delivered. So spikes
of both that reach the synapse in one step count as "target before source" in every rule that knows the order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurosim.draws.ranges import NOT_NEGATIVE, POSITIVE, PROBABILITY, Limits, require_range
from neurosim.errors import ModelError, describe, describe_unknown
from neurosim.expr.parse import Parser
from neurosim.expr.tree import Name
from neurosim.model.declarations import Parameter
from neurosim.model.parsing import read_constant
from neurosim.model.rule import Rule
from neurosim.units import NUMBER, name_of

_SHARE = "clip((w - w_min) / (w_max - w_min), 0, 1)"  # of the range of weights
# Factors of potentiation and depression.
DEPENDENCES = {
    "additive": ("", ""),  # Song, Miller & Abbott 2000
    "multiplicative": (f" * (1 - {_SHARE})", f" * {_SHARE}"),  # Rubin, Lee & Sompolinsky 2001
    "power-law": (" * (w / w_ref) ** mu", " * w / w_ref"),  # Morrison, Aertsen & Diesmann 2007
    "guetig": (
        f" * (1 - {_SHARE}) ** mu",
        f" * {_SHARE} ** mu",
    ),  # Guetig, Aharonov, Rotter & Sompolinsky 2003
}
# What a spike of the source sees, and does to its trace; the same for the target. After Morrison, Diesmann & Gerstner 2008, fig. 7.
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


def stdp(
    *,
    dependence: str = "additive",
    pairing: str = "all-to-all",
    relative: bool = False,
    a_plus: Any = 0.01,
    a_minus: Any = 0.012,
    tau_plus: Any = "20 ms",
    tau_minus: Any = "20 ms",
    w_min: Any = 0.0,
    w_max: Any = "1 nA",
    mu: Any = 0.4,
    w_ref: Any = "w_max",
) -> Rule:
    """Pair STDP. Source: Morrison, Diesmann & Gerstner 2008; weight dependences and pairings as named in ``DEPENDENCES`` and ``PAIRINGS``.

    Parameters
    ----------
    dependence : ``additive``, ``multiplicative``, ``power-law`` or ``guetig``
    pairing : ``all-to-all``, ``nearest`` or ``reduced-symmetric``
    a_plus, a_minus : unit of w, or 1 if ``relative``
        A pair at distance d adds ``a_plus * exp(-d / tau_plus)`` or takes ``a_minus * exp(-d / tau_minus)``, times what depends on the weight.
    mu : 1
        Exponent of ``power-law`` (published: 0.4) and of ``guetig`` (published: from 0 to 1).
    w_ref : unit of w
        Of ``power-law``: the weight that changes by the bare amplitudes.
    """
    grow, shrink = _choose("stdp", "dependence", dependence, DEPENDENCES)
    from_pre, mark_pre, from_post, mark_post = _choose("stdp", "pairing", pairing, PAIRINGS)
    timed = pairing == "reduced-symmetric"
    w, a, scale = _units("stdp", w_max, relative)
    shape = {"mu": ("1", mu)} if "mu" in grow else {}
    return _rule(
        ranged=_SHARE in shrink,
        edge=f"w : {w}",
        pre="dx/dt = -x / tau_plus : 1" + "; last_pre : ms" * timed,
        post="dy/dt = -y / tau_minus : 1" + "; last_post : ms" * timed,
        handlers=[
            ("post", f"w = clip(w + a_plus{scale} * {from_post}{grow}, w_min, w_max); {mark_post}"),
            (
                "pre",
                f"w = clip(w - a_minus{scale} * {from_pre}{shrink}, w_min, w_max); out += w; {mark_pre}",
            ),
        ],
        parameters=_parameters(
            a_plus=(a, a_plus),
            a_minus=(a, a_minus),
            tau_plus=("ms", tau_plus),
            tau_minus=("ms", tau_minus),
            w_min=(w, w_min),
            w_max=(w, w_max),
            **shape,
            **({"w_ref": (w, w_ref)} if "w_ref" in grow else {}),
        ),
        name="stdp",
    )


def triplet_stdp(
    *,
    pairing: str = "all-to-all",
    relative: bool = False,
    a2_plus: Any = 0.0,
    a3_plus: Any = 6.5e-3,
    a2_minus: Any = 7.1e-3,
    a3_minus: Any = 0.0,
    tau_plus: Any = "16.8 ms",
    tau_minus: Any = "33.7 ms",
    tau_x: Any = "101 ms",
    tau_y: Any = "114 ms",
    w_min: Any = 0.0,
    w_max: Any = "1 nA",
) -> Rule:
    """Triplet STDP. Source: Pfister & Gerstner 2006, eqs. 3 and 4; the defaults are its minimal all-to-all model of visual cortex.

    Parameters
    ----------
    pairing : ``all-to-all`` or ``nearest``
    a2_plus, a3_plus, a2_minus, a3_minus : unit of w, or 1 if ``relative``
        Of pairs and of triplets. The published ones are changes relative to the weight at the start.
    """
    mark = _choose("triplet_stdp", "pairing", pairing, {"all-to-all": "+=", "nearest": "="})
    w, a, scale = _units("triplet_stdp", w_max, relative)
    return _rule(
        edge=f"w : {w}",
        pre="dr1/dt = -r1 / tau_plus : 1; dr2/dt = -r2 / tau_x : 1",
        post="do1/dt = -o1 / tau_minus : 1; do2/dt = -o2 / tau_y : 1",
        handlers=[
            (
                "post",
                f"w = clip(w + r1 * (a2_plus + a3_plus * o2){scale}, w_min, w_max); o1 {mark} 1; o2 {mark} 1",
            ),
            (
                "pre",
                f"w = clip(w - o1 * (a2_minus + a3_minus * r2){scale}, w_min, w_max); out += w; r1 {mark} 1; r2 {mark} 1",
            ),
        ],
        parameters=_parameters(
            a2_plus=(a, a2_plus),
            a3_plus=(a, a3_plus),
            a2_minus=(a, a2_minus),
            a3_minus=(a, a3_minus),
            tau_plus=("ms", tau_plus),
            tau_minus=("ms", tau_minus),
            tau_x=("ms", tau_x),
            tau_y=("ms", tau_y),
            w_min=(w, w_min),
            w_max=(w, w_max),
        ),
        name="triplet_stdp",
    )


def reward_stdp(
    *,
    relative: bool = False,
    a_plus: Any = 0.025,
    a_minus: Any = 0.0375,
    tau_plus: Any = "20 ms",
    tau_minus: Any = "20 ms",
    tau_c: Any = "1000 ms",
    reward: Any = 0.0,
    gain: Any = "1 1/s",
    w_min: Any = 0.0,
    w_max: Any = "1 nA",
) -> Rule:
    """Reward-modulated STDP: pairs leave an eligibility ``c`` at the edge, and reward makes weight of it. Source: Izhikevich 2007, eqs. 1 and 2.

    Parameters
    ----------
    a_plus, a_minus : unit of w, or 1 if ``relative``
        What a pair adds to ``c`` or takes from it; the defaults are those of the published program, 0.1 and 0.15, over its w_max of 4.
    reward : 1
        Mostly the level of a population: ``reward_stdp().reading(reward=dopamine["level"])``.
    gain : 1/s
        In every step, after its spikes, w changes by ``gain * reward * c * dt``.
    """
    w, a, scale = _units("reward_stdp", w_max, relative)
    return _rule(
        edge=f"w : {w}; dc/dt = -c / tau_c : {w}",
        pre="dx/dt = -x / tau_plus : 1",
        post="dy/dt = -y / tau_minus : 1",
        handlers=[
            ("post", f"c += a_plus{scale} * x; y += 1"),
            ("pre", f"c -= a_minus{scale} * y; out += w; x += 1"),
            ("step", "w = clip(w + gain * reward * c * dt, w_min, w_max)"),
        ],
        parameters=_parameters(
            a_plus=(a, a_plus),
            a_minus=(a, a_minus),
            tau_plus=("ms", tau_plus),
            tau_minus=("ms", tau_minus),
            tau_c=("ms", tau_c),
            reward=("1", reward),
            gain=("1/s", gain),
            w_min=(w, w_min),
            w_max=(w, w_max),
        ),
        name="reward_stdp",
    )


def inhibitory_stdp(
    *,
    relative: bool = False,
    eta: Any = 1e-3,
    target: Any = "5 Hz",
    tau: Any = "20 ms",
    w_min: Any = 0.0,
    w_max: Any = "1 nA",
) -> Rule:
    """Homeostatic STDP of inhibitory synapses, which drives the target's rate to a set value. Source: Vogels et al. 2011.

    Parameters
    ----------
    eta : unit of w, or 1 if ``relative``
        A pair at distance d adds ``eta * exp(-d / tau)``, whatever its order; each spike of the source takes ``eta * 2 * target * tau``.
    target : Hz
        The rate at which both balance if the spikes of source and target are uncorrelated.
    """
    w, a, scale = _units("inhibitory_stdp", w_max, relative)
    return _rule(
        edge=f"w : {w}",
        pre="dx/dt = -x / tau : 1",
        post="dy/dt = -y / tau : 1",
        handlers=[
            ("post", f"w = clip(w + eta{scale} * x, w_min, w_max); y += 1"),
            (
                "pre",
                f"w = clip(w + eta{scale} * (y - 2 * target * tau), w_min, w_max); out += w; x += 1",
            ),
        ],
        parameters=_parameters(
            eta=(a, eta), target=("Hz", target), tau=("ms", tau), w_min=(w, w_min), w_max=(w, w_max)
        ),
        name="inhibitory_stdp",
    )


def short_term(
    *,
    U: Any = 0.5,
    tau_rec: Any = "800 ms",
    tau_facil: Any = None,
    per: str = "source",
    unit: str = "nA",
) -> Rule:
    """Short-term depression and facilitation. Source: Tsodyks, Pawelzik & Markram 1998, with spikes that are short against ``tau_rec``.

    Parameters
    ----------
    U : 1
        Share of the resources that a first spike uses.
    tau_rec, tau_facil : ms
        Of recovery and of facilitation; None: no facilitation.
    per : ``source`` or ``edge``
        Whether the edges of a source share its resources, or each has its own, as parameters per edge and links by target need.
    unit : str
        Of the weight, which does not change; a spike delivers ``w * u * (1 - spent)``.
    """
    side = _choose("short_term", "per", per, {"source": "pre", "edge": "edge"})
    spent, facilitation = "dspent/dt = -spent / tau_rec : 1", "du/dt = -u / tau_facil : 1"
    use, states, facilitate = (
        ("U", spent, "")
        if tau_facil is None
        else ("u", f"{spent}; {facilitation}", "u += U * (1 - u); ")
    )
    weight = f"w : {unit}"
    return _rule(
        edge=weight if side == "pre" else f"{weight}; {states}",
        pre=states if side == "pre" else "",
        handlers=[
            ("pre", f"{facilitate}out += w * {use} * (1 - spent); spent += {use} * (1 - spent)")
        ],
        parameters=_parameters(
            U=("1", U),
            tau_rec=("ms", tau_rec),
            **({} if tau_facil is None else {"tau_facil": ("ms", tau_facil)}),
        ),
        name="short_term",
    )


def three_factor(
    *,
    eta: Any = "0 ms**2",
    tau: Any = "40 ms",
    mean: Any = 0.0,
    target: Any = 0.0,
    attended: Any = 1.0,
    window: Any = 1.0,
    opens: Any = 0.15,
    most: Any = 2.0,
) -> Rule:
    """Gated three-factor rule: activity of the source, error of the target, attention. Source: after Yamada & Chao 2025 (form: a choice).

    Each target reads out ``q``, the sum of w times the activity ``x`` of its sources, and ``z``, which is q between 0 and ``most``.
    In every step, after its spikes, w changes by ``eta * gate * error * x``. Nothing is delivered; other rules may link to q and z.

    Parameters
    ----------
    eta : ms**2
    tau, mean : ms, 1/ms
        x is the number of spikes per ms, smoothed over ``tau``, minus ``mean``.
    target : 1
        The error is ``target - q``, but 0 where q is negative and the target below 0.01. Mostly the state of a teaching population, as
        ``attended`` and ``window`` are: ``three_factor().reading(target=teacher["bump"].by("target"))``.
    attended, window : 1
        The gate is open where a target is attended, and its window is open or its z above ``opens``.
    """
    return _rule(
        edge="w : ms",
        pre="dr/dt = -r / tau : 1/ms; x : 1/ms",
        post="q : 1; z : 1; correction : ms**2",
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
        parameters=_parameters(
            eta=("ms**2", eta),
            tau=("ms", tau),
            mean=("1/ms", mean),
            target=("1", target),
            attended=("1", attended),
            window=("1", window),
            opens=("1", opens),
            most=("1", most),
        ),
        name="three_factor",
    )


def _units(rule: str, w_max: Any, relative: bool) -> tuple[str, str, str]:
    """Return the unit of the weights, that of the amplitudes, and the factor between them."""
    unit = read_constant(Parser(f"rule {rule!r}"), "w_max", w_max).unit.text
    if unit == "?":
        raise ModelError(
            f"rule {rule!r}, parameter 'w_max': found {describe(w_max)}, expected a quantity, which gives the weights their unit. "
            "Write one such as '1 nA', or ns.Parameter('nA', ...)."
        )
    return (unit, "1", " * w_max") if relative else (unit, unit, "")


def _parameters(**given: tuple[str, Any]) -> dict[str, Parameter]:
    """Return parameters of (unit, value); one that is a Parameter already keeps its own."""
    return {
        name: value if isinstance(value, Parameter) else Parameter(unit, value)
        for name, (unit, value) in given.items()
    }


def _rule(*, ranged: bool = False, **parts: Any) -> Rule:
    """Return a rule whose constants have a meaning; ``ranged``: it divides by the range of weights."""
    rule = Rule(**parts)
    given = {p.name: p for p in rule.parameters}
    limits = [("w_max", NOT_NEGATIVE), ("w_ref", POSITIVE), ("U", PROBABILITY)]
    if "w_min" in given:
        smallest = given["w_min"].value
        if isinstance(smallest, float | int):
            limits.append(("w_max", Limits(above=smallest) if ranged else Limits(least=smallest)))
    for name, bounds in limits:
        if name in given:
            p = given[name]
            value = (
                given[p.value.name].value if isinstance(p.value, Name) else p.value
            )  # w_ref is w_max unless given
            require_range(
                value,
                bounds,
                where=f"rule {rule.name!r}, parameter {name!r}",
                unit="" if p.unit.exponents == NUMBER else name_of(p.unit.exponents),
                error=ModelError,
            )
    return rule


def _choose(rule: str, what: str, name: str, choices: Mapping[str, Any]) -> Any:
    if name not in choices:
        raise ModelError(
            f"rule {rule!r}: {describe_unknown(what, str(name), choices)} Name one of them with {what}=..."
        )
    return choices[name]
