"""Matching a rule to PyNN's pair STDP: traces of both sides, changes that are linear in them, bounds, and a dependence on the weight."""

from __future__ import annotations

from dataclasses import dataclass

import sympy

from neurosim.expr.printing import show_statement
from neurosim.expr.tree import Assign, Call, Expr, Name, inline, rewrite
from neurosim.model.declarations import decay_constant
from neurosim.model.rule import Rule

from ..translation.targets import ADDITIVE, GUETIG, MIXED, MULTIPLICATIVE
from .algebra import Symbolic, Unmatched, symbol, symbolic, vanishes

_W, _MIN, _MAX = symbol("w"), symbol("~w_min"), symbol("~w_max")
# What a pair of full traces changes, over the amplitude: potentiation, depression.
DEPENDENCES: dict[str, tuple[Symbolic, Symbolic]] = {
    ADDITIVE: (_MAX, _MAX),
    MULTIPLICATIVE: (_MAX - _W, _W - _MIN),
    MIXED: (_MAX, _W - _MIN),
}


@dataclass(frozen=True)
class PairRule:
    """Pair STDP as PyNN has it.

    Attributes
    ----------
    dependence : class of PyNN
    timing : tau_plus, tau_minus, A_plus, A_minus as expressions over the rule's parameters; amplitudes relative to w_max
    weights : w_min, w_max, and mu_plus, mu_minus of Guetig's
    met : what spikes that meet in one step add to the traces that the other side sees: (of the source, of the target); None: something else
    sends : whether the weight is sent after it changed
    """

    dependence: str
    timing: dict[str, Symbolic]
    weights: dict[str, Symbolic]
    met: tuple[int, int] | None
    sends: bool


def match_rule(rule: Rule) -> PairRule:
    """Return a rule as PyNN's pair STDP.

    Raises
    ------
    Unmatched
        With the first thing that PyNN's rule has not.
    """
    _shape(rule)
    x, y = rule.pre[0].name, rule.post[0].name
    trees = {d.name: d.tree for d in rule.definitions}
    sides = {
        side: [
            (inline(s.value, trees), s)
            for h in rule.handlers
            if h.trigger == side
            for s in h.statements
        ]
        for side in ("pre", "post")
    }
    one_pre, one_post = _increment(sides["pre"], x), _increment(sides["post"], y)
    grow, low, high = _change(sides["post"])
    shrink, low_pre, high_pre = _change(sides["pre"])
    if not vanishes(low - low_pre) or not vanishes(high - high_pre):
        raise Unmatched("its two clips have different bounds, and PyNN's rule has one pair.")
    plus, minus = _linear(grow, x, one_pre), -_linear(shrink, y, one_post)
    dependence, a_plus, a_minus, more = _dependence(plus, minus, low, high)
    timing = {
        "tau_plus": symbol(decay_constant(rule.pre[0])),
        "tau_minus": symbol(decay_constant(rule.post[0])),
        "A_plus": a_plus,
        "A_minus": a_minus,
    }
    return PairRule(
        dependence,
        timing,
        {"w_min": low, "w_max": high, **more},
        _met(rule, x, y),
        _sends(sides["pre"]),
    )


def _shape(rule: Rule) -> None:
    """Refuse what pair STDP has not: other variables, triggers, links, parameters per neuron or edge."""
    for trigger in [h.trigger for h in rule.handlers if h.trigger not in ("pre", "post")]:
        what = "acts in every step" if trigger == "step" else f"listens to the signal {trigger!r}"
        raise Unmatched(f"it {what}; PyNN's rules act on spikes alone.")
    if rule.reads:
        raise Unmatched(
            f"it reads {rule.reads[0].symbol!r} of a population or projection (a third factor), which no rule of PyNN does."
        )
    if [v.name for v in rule.edge] != ["w"] or rule.edge[0].derivative is not None:
        raise Unmatched(
            f"its edges have the variables {', '.join(v.name for v in rule.edge)}; those of PyNN's pair STDP have a weight alone."
        )
    for side, variables in (("source", rule.pre), ("target", rule.post)):
        if len(variables) != 1 or decay_constant(variables[0]) is None:
            found = ", ".join(v.name for v in variables) or "none"
            raise Unmatched(
                f"it has the {side} variables {found}; PyNN's pair STDP has one decaying trace per side."
            )
    for p in rule.parameters:
        if p.per is not None:
            raise Unmatched(
                f"its parameter {p.name!r} has one value per {p.per}; in PyNN it is one for the projection."
            )


def _increment(statements: list[tuple[Expr, Assign]], name: str) -> Symbolic:
    """Return what a spike adds to its own trace."""
    own = [s for _, s in statements if s.target == name]
    if len(own) != 1:
        raise Unmatched(
            f"its trace {name!r} is changed {len(own)} times by a spike, expected once."
        )
    added = sympy.expand(symbolic(own[0].result) - symbol(name))
    if symbol(name) in added.free_symbols or added == 0:
        raise Unmatched(
            f"{show_statement(own[0])!r}: not all pairs count (nearest spikes only); in PyNN's pair STDP all do."
        )
    return added


def _change(statements: list[tuple[Expr, Assign]]) -> tuple[Symbolic, Symbolic, Symbolic]:
    """Return the change of the weight within its bounds, and the bounds."""
    own = [(tree, s) for tree, s in statements if s.target == "w"]
    if len(own) != 1 or own[0][1].op not in ("=", "+=", "-="):
        raise Unmatched(
            f"a spike changes the weight in {len(own)} statements, expected one on each side."
        )
    tree, statement = own[0]
    if statement.op != "=" or not (isinstance(tree, Call) and tree.function == "clip"):
        raise Unmatched(
            f"{show_statement(statement)!r}: the weight has no bounds, and in PyNN it has. Write w = clip(..., w_min, w_max)."
        )
    inner, low, high = tree.arguments
    low, high = symbolic(low), symbolic(high)
    return sympy.expand(symbolic(_shares(inner, low, high)) - symbol("w")), low, high


def _shares(tree: Expr, low: Symbolic, high: Symbolic) -> Expr:
    """Leave out clips to 0 ... 1 of what stays in there while the weight stays within its bounds."""

    def change(node: Expr) -> Expr:
        if isinstance(node, Call) and node.function == "clip":
            inner, least, most = (symbolic(a) for a in node.arguments)
            ends = [sympy.simplify(inner.subs(symbol("w"), w)) for w in (low, high)]
            if (
                (least, most) == (0, 1)
                and sorted(ends, key=str) == [0, 1]
                and sympy.diff(inner, symbol("w"), 2) == 0
            ):
                return node.arguments[0]
        return node

    return rewrite(tree, change)


def _linear(change: Symbolic, trace: str, unit: Symbolic) -> Symbolic:
    """Return what one spike's worth of a trace changes; the change is this times the trace."""
    factor = sympy.diff(change, symbol(trace))
    if symbol(trace) in factor.free_symbols or not vanishes(change - factor * symbol(trace)):
        raise Unmatched(
            f"its change of the weight is not proportional to the trace {trace!r}, as that of PyNN's pair STDP is."
        )
    return factor * unit


def _dependence(
    plus: Symbolic, minus: Symbolic, low: Symbolic, high: Symbolic
) -> tuple[str, Symbolic, Symbolic, dict[str, Symbolic]]:
    """Return the weight dependence of PyNN, its amplitudes, and the exponents of Guetig's."""
    w = symbol("w")
    for name, shapes in DEPENDENCES.items():
        found = [
            sympy.simplify(k / shape.subs({_MIN: low, _MAX: high}))
            for k, shape in zip((plus, minus), shapes, strict=True)
        ]
        if not any(w in f.free_symbols for f in found):
            return name, found[0], found[1], {}
    powers = {
        p
        for k in (plus, minus)
        for p in k.atoms(sympy.Pow)
        if w in p.base.free_symbols and not p.exp.is_Integer
    }
    if powers and len({p.exp for p in powers}) == 1:
        mu = powers.pop().exp
        reach = [high * (1 - w / high) ** mu, high * (w / high) ** mu]
        place = {s: sympy.Symbol(s.name, positive=True) for s in (plus * minus).free_symbols}
        inside = {
            place[w]: place[w] / (1 + place[w]) * high.subs(place)
        }  # a weight between 0 and w_max
        found = [
            sympy.simplify((k.subs(low, 0) / r).subs(place).subs(inside))
            for k, r in zip((plus, minus), reach, strict=True)
        ]
        if not any(place[w] in f.free_symbols for f in found):
            back = {v: k for k, v in place.items()}
            return GUETIG, found[0].subs(back), found[1].subs(back), {"mu_plus": mu, "mu_minus": mu}
    raise Unmatched(
        "its dependence on the weight is none of PyNN's (additive, multiplicative, additive with multiplicative depression, Guetig's)."
    )


def _met(rule: Rule, x: str, y: str) -> tuple[int, int] | None:
    """Return what both spikes add to the traces that the other sees when they meet: (of the source, of the target)."""
    raised = {x: 0, y: 0}
    seen: dict[str, int] = {}
    for handler in rule.handlers:
        for s in handler.statements:
            if s.target in raised:
                raised[s.target] += 1
            elif s.target == "w":
                seen[handler.trigger] = raised[x if handler.trigger == "post" else y]
    return seen["post"], seen["pre"]


def _sends(statements: list[tuple[Expr, Assign]]) -> bool:
    """Whether the weight that is sent is the one after the change."""
    targets = [s.target for _, s in statements]
    sent = [(tree, s) for tree, s in statements if s.target == "out"]
    if len(sent) != 1 or sent[0][1].op != "+=" or sent[0][0] != Name("w"):
        raise Unmatched(
            "it delivers something else than its weight; PyNN's pair STDP delivers the weight."
        )
    return targets.index("out") > targets.index("w")
