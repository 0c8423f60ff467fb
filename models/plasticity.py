"""Plasticity: the learning rules of the literature, each written once in the language, with its author's equations.

Every function returns a `Rule`. Its arguments are parameters: quantities with a unit, plain numbers in engine units, draws, or
``ns.Parameter(unit, values, per="edge")`` for several values; any of them but the time constants of decays may follow a state of another
population, as in ``stdp().reading(a_minus=glia["level"])``. Weights ``w`` have the unit of ``w_max`` and stay between ``w_min`` and
``w_max``. Amplitudes are in the unit of the weights, or with ``relative=True`` multiples of ``w_max``, as in PyNN and NEST.

What happens in one step happens in the order of the handlers: the target's spike first, then the source's, which changes the weight
before it is delivered. So a pair at zero distance counts as "post, then pre" in all rules that know both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurosim.errors import ModelError, unknown
from neurosim.expr.parse import Parser
from neurosim.model import Parameter, Rule
from neurosim.parts import constant

SHARE = "clip((w - w_min) / (w_max - w_min), 0, 1)"  # where a weight lies between its bounds
# Potentiation and depression per amplitude.
DEPENDENCES = {
    "additive": ("1", "1"),  # Song, Miller & Abbott 2000
    "multiplicative": (f"(1 - {SHARE})", SHARE),  # Rubin, Lee & Sompolinsky 2001
    "power-law": ("(w / w_ref) ** mu", "w / w_ref"),  # Morrison, Aertsen & Diesmann 2007, eq. 2
    "guetig": (f"(1 - {SHARE}) ** mu", f"{SHARE} ** mu"),  # Guetig et al. 2003, eq. 4
}
# What a spike does to the trace of its neuron, and which traces a pre- and a post-spike see; after Morrison, Diesmann & Gerstner 2008, fig. 7.
PAIRINGS = {
    "all-to-all": ("x += 1", "y += 1", "y", "x"),
    "nearest": ("x = 1", "y = 1", "y", "x"),  # A: each spike with the last one of the other side
    "reduced-symmetric": ("x = 1; last_pre = t + dt", "y = 1; last_post = t + dt",  # C: the same, but spikes that follow directly only
                          "where(last_post > last_pre, y, 0)", "where(last_pre >= last_post, x, 0)"),
}


def stdp(*, dependence: str = "additive", pairing: str = "all-to-all", relative: bool = False, a_plus: Any = 0.01, a_minus: Any = 0.012,
         tau_plus: Any = "20 ms", tau_minus: Any = "20 ms", w_min: Any = 0.0, w_max: Any = "1 nA", mu: Any = 0.4, w_ref: Any = "w_max") -> Rule:
    """Pair STDP. Source: Morrison, Diesmann & Gerstner 2008, eqs. 1-3 and fig. 7; weight dependences as named in ``DEPENDENCES``.

    Parameters
    ----------
    dependence : ``additive``, ``multiplicative``, ``power-law`` or ``guetig``
    pairing : ``all-to-all``, ``nearest`` or ``reduced-symmetric``
    a_plus, a_minus : unit of w, or 1 if ``relative``
        The change of a pair at distance d is ``a_plus * exp(-d / tau_plus)``, ``-a_minus * exp(-d / tau_minus)``, times the dependence.
    mu : 1
        Exponent of ``power-law`` (published: 0.4) and ``guetig`` (published: 0 to 1).
    w_ref : unit of w
        Weight at which ``power-law`` changes by the bare amplitudes.
    """
    grows, shrinks = _choice("dependence", dependence, DEPENDENCES)
    spike_pre, spike_post, seen_by_pre, seen_by_post = _choice("pairing", pairing, PAIRINGS)
    times = pairing == "reduced-symmetric"
    shape = {"mu": Parameter("1", mu)} if "mu" in grows else {}
    return _weighted(
        "stdp", w_max, relative,
        amplitudes={"a_plus": a_plus, "a_minus": a_minus},
        weights={"w_min": w_min} | ({"w_ref": w_ref} if dependence == "power-law" else {}),
        others={"tau_plus": _time(tau_plus), "tau_minus": _time(tau_minus)} | shape,
        pre="dx/dt = -x / tau_plus : 1" + ("; last_pre : ms" if times else ""),
        post="dy/dt = -y / tau_minus : 1" + ("; last_post : ms" if times else ""),
        handlers=[("post", f"w = clip(w + [a_plus] * {grows} * {seen_by_post}, w_min, w_max); {spike_post}"),
                  ("pre", f"w = clip(w - [a_minus] * {shrinks} * {seen_by_pre}, w_min, w_max); out += w; {spike_pre}")])


def triplet_stdp(*, pairing: str = "all-to-all", relative: bool = False, a2_plus: Any = 0.0, a3_plus: Any = 6.5e-3, a2_minus: Any = 7.1e-3,
                 a3_minus: Any = 0.0, tau_plus: Any = "16.8 ms", tau_minus: Any = "33.7 ms", tau_x: Any = "101 ms", tau_y: Any = "114 ms",
                 w_min: Any = 0.0, w_max: Any = "1 nA") -> Rule:
    """Triplet STDP. Source: Pfister & Gerstner 2006, eqs. 3 and 4; defaults of table 3, visual cortex, minimal all-to-all model.

    Parameters
    ----------
    pairing : ``all-to-all`` or ``nearest``
    a2_plus, a3_plus, a2_minus, a3_minus : unit of w, or 1 if ``relative``
        Of pairs and of triplets. The published ones are relative to the weight at the start.
    """
    step = _choice("pairing", pairing, {"all-to-all": "+=", "nearest": "="})
    taus = {"tau_plus": tau_plus, "tau_minus": tau_minus, "tau_x": tau_x, "tau_y": tau_y}
    return _weighted(
        "triplet_stdp", w_max, relative,
        amplitudes={"a2_plus": a2_plus, "a3_plus": a3_plus, "a2_minus": a2_minus, "a3_minus": a3_minus},
        weights={"w_min": w_min}, others={name: _time(tau) for name, tau in taus.items()},
        pre="dr1/dt = -r1 / tau_plus : 1; dr2/dt = -r2 / tau_x : 1",
        post="do1/dt = -o1 / tau_minus : 1; do2/dt = -o2 / tau_y : 1",
        handlers=[("post", f"w = clip(w + r1 * ([a2_plus] + [a3_plus] * o2), w_min, w_max); o1 {step} 1; o2 {step} 1"),
                  ("pre", f"w = clip(w - o1 * ([a2_minus] + [a3_minus] * r2), w_min, w_max); out += w; r1 {step} 1; r2 {step} 1")])


def reward_stdp(*, relative: bool = False, a_plus: Any = 0.025, a_minus: Any = 0.0375, tau_plus: Any = "20 ms", tau_minus: Any = "20 ms",
                tau_c: Any = "1000 ms", reward: Any = 0.0, rate: Any = "1 1/s", w_min: Any = 0.0, w_max: Any = "1 nA") -> Rule:
    """Reward-modulated STDP: pairs write to an eligibility trace, reward turns it into weight. Source: Izhikevich 2007, eqs. 1-3.

    Parameters
    ----------
    a_plus, a_minus : unit of w, or 1 if ``relative``
        Of the trace ``c`` of an edge, which decays with ``tau_c``; defaults of the published program, whose w_max is 4.
    reward : 1
        Follows the level of a population in most networks: ``reward_stdp().reading(reward=dopamine["level"])``.
    rate : 1/s
        ``dw/dt = rate * reward * c``, in every step, after the spikes of the step.
    """
    return _weighted(
        "reward_stdp", w_max, relative,
        amplitudes={"a_plus": a_plus, "a_minus": a_minus}, weights={"w_min": w_min},
        others={"tau_plus": _time(tau_plus), "tau_minus": _time(tau_minus), "tau_c": _time(tau_c), "reward": Parameter("1", reward),
                "rate": Parameter("1/s", rate)},
        pre="dx/dt = -x / tau_plus : 1", post="dy/dt = -y / tau_minus : 1", edge="dc/dt = -c / tau_c : {unit}",
        handlers=[("post", "c += [a_plus] * x; y += 1"),
                  ("pre", "c -= [a_minus] * y; out += w; x += 1"),
                  ("step", "w = clip(w + rate * reward * c * dt, w_min, w_max)")])


def inhibitory_stdp(*, relative: bool = False, eta: Any = 1e-3, target: Any = "5 Hz", tau: Any = "20 ms", w_min: Any = 0.0,
                    w_max: Any = "1 nA") -> Rule:
    """Inhibitory homeostatic STDP: near pairs strengthen, whatever their order; the target is driven to a rate. Source: Vogels et al. 2011, eq. 4 ff.

    Parameters
    ----------
    eta : unit of w, or 1 if ``relative``
        A pair at distance d adds ``eta * exp(-d / tau)``, a spike of the source takes ``eta * 2 * target * tau`` away.
    target : Hz
        At which both balance where the spikes of source and target are uncorrelated.
    """
    return _weighted(
        "inhibitory_stdp", w_max, relative,
        amplitudes={"eta": eta}, weights={"w_min": w_min}, others={"target": Parameter("Hz", target), "tau": _time(tau)},
        pre="dx/dt = -x / tau : 1", post="dy/dt = -y / tau : 1",
        handlers=[("post", "w = clip(w + [eta] * x, w_min, w_max); y += 1"),
                  ("pre", "w = clip(w + [eta] * (y - 2 * target * tau), w_min, w_max); out += w; x += 1")])


def short_term(*, U: Any = 0.5, tau_rec: Any = "800 ms", tau_facil: Any = None, per: str = "source", unit: str = "nA") -> Rule:
    """Short-term depression and facilitation. Source: Tsodyks, Pawelzik & Markram 1998, eqs. 2-4 with instantaneous inactivation.

    Parameters
    ----------
    U : 1
        Share of the resources that a first spike uses.
    tau_rec, tau_facil : ms
        Of the resources' recovery, and of facilitation; None: no facilitation.
    per : ``source`` or ``edge``
        All edges of a source share its resources, or each has its own, as links by target or parameters per edge need.
    unit : str
        Of the weight, which stays as it is; a spike delivers ``w * u * (1 - spent)``.
    """
    side = _choice("per", per, {"source": "pre", "edge": "edge"})
    u = "U" if tau_facil is None else "u"
    states = "dspent/dt = -spent / tau_rec : 1" + ("" if tau_facil is None else "; du/dt = -u / tau_facil : 1")
    taus = {"tau_rec": _time(tau_rec)} | ({} if tau_facil is None else {"tau_facil": _time(tau_facil)})
    variables = {"edge": f"w : {unit}"}
    variables[side] = f"{variables[side]}; {states}" if side == "edge" else states
    facilitate = "" if tau_facil is None else "u += U * (1 - u); "
    return Rule(**variables, handlers=[("pre", f"{facilitate}out += w * {u} * (1 - spent); spent += {u} * (1 - spent)")],
                parameters={"U": Parameter("1", U)} | taus, name="short_term")


def three_factor(*, eta: Any = "0 ms**2", tau: Any = "40 ms", mean: Any = 0.0, target: Any = 0.0, attended: Any = 1.0, window: Any = 1.0,
                 opens: Any = 0.15, most: Any = 2.0) -> Rule:
    """Gated three-factor rule: activity of the source, error of the target, attention. Source: after Yamada & Chao 2025, equations of this project.

    Each target reads out ``q``, the sum of ``w`` times the centred activity ``x`` of its sources, and ``z``, which is q between 0 and ``most``.
    In every step, after the spikes of the step, w changes by ``eta * gate * error * x``.

    Parameters
    ----------
    eta : ms**2
    tau : ms
        Of the activity of a source, in spikes per ms.
    mean : 1/ms
        Of this activity; one value, or one per source.
    target : 1
        What q is to become. It, ``attended`` and ``window`` mostly follow a population: ``.reading(target=teacher["bump"].by("target"))``.
        The error is ``target - q``, and 0 where q is below 0 and the target all but 0.
    attended, window : 1
        The gate is open where a target is attended and its window is open or its own z is above ``opens``.
    """
    return Rule(
        pre="""dr/dt = -r / tau : 1/ms
               x : 1/ms""",
        post="q : 1; z : 1; correction : ms**2",
        edge="w : ms",
        definitions="""gate = attended * max(window, z > opens) : 1
                       error = where(target < 0.01 and q < 0, 0, target - q) : 1""",
        handlers=[("pre", "r += 1 / tau"),
                  ("step", """x = r - mean
                              q = 0; q += w * x
                              z = clip(q, 0, most)
                              correction = eta * gate * error
                              w += correction * x""")],
        parameters={"eta": Parameter("ms**2", eta), "tau": _time(tau), "mean": mean if isinstance(mean, Parameter) else Parameter("1/ms", mean),
                    "opens": Parameter("1", opens), "most": Parameter("1", most), "target": Parameter("1", target),
                    "attended": Parameter("1", attended), "window": Parameter("1", window)},
        name="three_factor")
