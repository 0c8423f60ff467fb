"""Matching a rule to PyNN's pair STDP.

PyNN's rule has one decaying trace on each side, changes of the weight that are linear in a trace,
bounds of the weight, and one of four ways in which a change depends on the weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sympy

from neurosim.expr.printing import show_statement
from neurosim.expr.tree import Assign, Call, Expr, Name, inline, rewrite
from neurosim.model.declarations import decay_constant
from neurosim.model.rule import Rule

from .algebra import (
    ZERO,
    Symbolic,
    Unmatched,
    free_symbols,
    simplify,
    substitute,
    symbol,
    symbolic,
    vanishes,
)

# Weight dependences, as PyNN names its classes.
ADDITIVE = "AdditiveWeightDependence"
MULTIPLICATIVE = "MultiplicativeWeightDependence"
MIXED = "AdditivePotentiationMultiplicativeDepression"
GUETIG = "GutigWeightDependence"

_WEIGHT = symbol("w")
_LOW = symbol("~w_min")
_HIGH = symbol("~w_max")
# Change of the weight by a pair of full traces over its amplitude: potentiation, depression.
_LINEAR_DEPENDENCES: dict[str, tuple[Symbolic, Symbolic]] = {
    ADDITIVE: (_HIGH, _HIGH),
    MULTIPLICATIVE: (_HIGH - _WEIGHT, _WEIGHT - _LOW),
    MIXED: (_HIGH, _WEIGHT - _LOW),
}


@dataclass(frozen=True)
class PairRule:
    """Pair STDP as PyNN has it.

    Attributes
    ----------
    dependence : str
        Class of PyNN.
    timing : dict of str to Symbolic
        tau_plus, tau_minus, A_plus, A_minus over the rule's parameters; amplitudes are relative to
        w_max.
    weights : dict of str to Symbolic
        w_min, w_max, and for Guetig's dependence mu_plus and mu_minus.
    simultaneous : tuple of int
        Number of increments that the other side sees if both ends spike in one step: (of the
        source's trace, of the target's trace).
    order : tuple of str
        The order in which the target's spike changes the weight ("grow"), the source's spike
        changes it ("shrink"), and it is sent ("send"), if both ends spike in one step.
    """

    dependence: str
    timing: dict[str, Symbolic]
    weights: dict[str, Symbolic]
    simultaneous: tuple[int, int]
    order: tuple[str, ...]

    @property
    def sends_changed_weight(self) -> bool:
        """Whether the weight is sent after the source's spike changed it."""
        return self.order.index("send") > self.order.index("shrink")


@dataclass(frozen=True)
class _Statement:
    """A statement of a handler, and its value with definitions written out."""

    assign: Assign
    expanded: Expr

    @property
    def target(self) -> str:
        return self.assign.target


@dataclass(frozen=True)
class _Change:
    """The change of the weight at a spike, and the bounds that it is clipped to."""

    amount: Symbolic
    low: Symbolic
    high: Symbolic


@dataclass(frozen=True)
class _Dependence:
    """A weight dependence, its amplitudes, and the exponents of Guetig's."""

    name: str
    a_plus: Symbolic
    a_minus: Symbolic
    exponents: dict[str, Symbolic]


def match_pair_stdp(rule: Rule) -> PairRule:
    """Return a rule as PyNN's pair STDP.

    Parameters
    ----------
    rule : Rule

    Raises
    ------
    Unmatched
        With the first difference from PyNN's rule.
    """
    _require_pair_variables(rule)
    pre_trace = rule.pre[0].name
    post_trace = rule.post[0].name
    tau_plus = decay_constant(rule.pre[0])
    tau_minus = decay_constant(rule.post[0])
    at_pre = _statements(rule, "pre")
    at_post = _statements(rule, "post")
    pre_increment = _increment(at_pre, pre_trace)
    post_increment = _increment(at_post, post_trace)
    # In a pair rule a target's spike potentiates, by the source's trace, and the other way round.
    growth = _weight_change(at_post)
    shrinkage = _weight_change(at_pre)
    low = growth.low
    high = growth.high
    if not vanishes(low - shrinkage.low) or not vanishes(high - shrinkage.high):
        raise Unmatched("its two clips have different bounds, and PyNN's rule has one pair.")
    # PyNN's traces grow by 1: the increment of ours becomes part of the amplitude.
    plus = _change_per_trace(growth.amount, pre_trace) * pre_increment
    minus = -(_change_per_trace(shrinkage.amount, post_trace) * post_increment)
    dependence = _weight_dependence(plus, minus, low, high)
    _require_delivered_weight(at_pre)
    return PairRule(
        dependence.name,
        timing={
            "tau_plus": symbol(str(tau_plus)),
            "tau_minus": symbol(str(tau_minus)),
            "A_plus": dependence.a_plus,
            "A_minus": dependence.a_minus,
        },
        weights={"w_min": low, "w_max": high, **dependence.exponents},
        simultaneous=_simultaneous(rule, pre_trace, post_trace),
        order=_order(rule),
    )


def _require_pair_variables(rule: Rule) -> None:
    """Raise Unmatched if a rule has triggers, links or variables that pair STDP lacks."""
    # Only the first difference is reported: triggers and third factors, which no rewriting of the
    # rule removes, come before details of its variables.
    for trigger in [h.trigger for h in rule.handlers if h.trigger not in ("pre", "post")]:
        acts = "acts in every step" if trigger == "step" else f"listens to the signal {trigger!r}"
        raise Unmatched(f"it {acts}; PyNN's rules act on spikes alone.")
    if rule.reads:
        raise Unmatched(
            f"it reads {rule.reads[0].symbol!r} of a population or projection (a third factor), "
            "which no rule of PyNN does."
        )
    if [v.name for v in rule.edge] != ["w"] or rule.edge[0].derivative is not None:
        names = ", ".join(v.name for v in rule.edge)
        raise Unmatched(
            f"its edges have the variables {names}; those of PyNN's pair STDP have a weight alone."
        )
    for side, variables in (("source", rule.pre), ("target", rule.post)):
        if len(variables) != 1 or decay_constant(variables[0]) is None:
            names = ", ".join(v.name for v in variables) or "none"
            raise Unmatched(
                f"it has the {side} variables {names}; "
                "PyNN's pair STDP has one decaying trace per side."
            )
    for p in rule.parameters:
        if p.per is not None:
            raise Unmatched(
                f"its parameter {p.name!r} has one value per {p.per}; "
                "in PyNN it is one for the projection."
            )


def _statements(rule: Rule, trigger: str) -> list[_Statement]:
    definitions = {d.name: d.tree for d in rule.definitions}
    return [
        _Statement(statement, inline(statement.value, definitions))
        for handler in rule.handlers
        if handler.trigger == trigger
        for statement in handler.statements
    ]


def _increment(statements: Sequence[_Statement], trace: str) -> Symbolic:
    """Return the number that a spike adds to its own trace."""
    own = [s.assign for s in statements if s.target == trace]
    if len(own) != 1:
        raise Unmatched(
            f"its trace {trace!r} is changed {len(own)} times by a spike, expected once."
        )
    # A trace that is set, not added to, leaves itself in the difference: only nearest spikes count.
    added = sympy.expand(symbolic(own[0].result) - symbol(trace))
    if symbol(trace) in added.free_symbols or added == 0:
        raise Unmatched(
            f"{show_statement(own[0])!r}: not all pairs count (nearest spikes only); "
            "in PyNN's pair STDP all do."
        )
    return added


def _weight_change(statements: Sequence[_Statement]) -> _Change:
    own = [s for s in statements if s.target == "w"]
    if len(own) != 1 or own[0].assign.op not in ("=", "+=", "-="):
        raise Unmatched(
            f"a spike changes the weight in {len(own)} statements, expected one on each side."
        )
    assign = own[0].assign
    tree = own[0].expanded
    if assign.op != "=" or not (isinstance(tree, Call) and tree.function == "clip"):
        raise Unmatched(
            f"{show_statement(assign)!r}: the weight has no bounds, and in PyNN it has. "
            "Write w = clip(..., w_min, w_max)."
        )
    # PyNN clips by its own bounds, so that the change is compared without the clip.
    inner, low, high = tree.arguments[0], *(symbolic(a) for a in tree.arguments[1:])
    unclipped = _without_inner_clips(inner, low, high)
    return _Change(sympy.expand(symbolic(unclipped) - _WEIGHT), low, high)


def _without_inner_clips(tree: Expr, low: Symbolic, high: Symbolic) -> Expr:
    """Drop clips to 0 ... 1 of shares that stay within while the weight is between its bounds."""

    def drop(node: Expr) -> Expr:
        if not isinstance(node, Call) or node.function != "clip":
            return node
        # A linear share that is 0 at one bound and 1 at the other stays between them.
        inner, least, most = (symbolic(argument) for argument in node.arguments)
        at_bounds = [simplify(substitute(inner, {_WEIGHT: w})) for w in (low, high)]
        spans_unit = sorted(at_bounds, key=str) == [0, 1]
        is_linear = sympy.diff(inner, _WEIGHT, 2) == 0
        redundant = (least, most) == (0, 1) and spans_unit and is_linear
        return node.arguments[0] if redundant else node

    return rewrite(tree, drop)


def _change_per_trace(change: Symbolic, trace: str) -> Symbolic:
    """Return the factor by which a change of the weight is proportional to a trace."""
    # Proportional: the derivative has no trace, and nothing is left beside the product.
    factor = sympy.diff(change, symbol(trace))
    if symbol(trace) in factor.free_symbols or not vanishes(change - factor * symbol(trace)):
        raise Unmatched(
            f"its change of the weight is not proportional to the trace {trace!r}, "
            "as that of PyNN's pair STDP is."
        )
    return factor


def _weight_dependence(
    plus: Symbolic,
    minus: Symbolic,
    low: Symbolic,
    high: Symbolic,
) -> _Dependence:
    """Return the weight dependence of PyNN that two changes by a pair of full traces have.

    Parameters
    ----------
    plus, minus : Symbolic
        Potentiation and depression, both positive.
    low, high : Symbolic
        Bounds of the weight.
    """
    bounds = {_LOW: low, _HIGH: high}
    for name, shapes in _LINEAR_DEPENDENCES.items():
        amplitudes = [
            simplify(change / substitute(shape, bounds))
            for change, shape in zip((plus, minus), shapes, strict=True)
        ]
        # The right shape divides the weight out of the change, and leaves the amplitude.
        if not any(_WEIGHT in a.free_symbols for a in amplitudes):
            return _Dependence(name, amplitudes[0], amplitudes[1], {})
    dependence = _guetig_dependence(plus, minus, low, high)
    if dependence is None:
        raise Unmatched(
            "its dependence on the weight is none of PyNN's (additive, multiplicative, "
            "additive with multiplicative depression, Guetig's)."
        )
    return dependence


def _guetig_dependence(
    plus: Symbolic,
    minus: Symbolic,
    low: Symbolic,
    high: Symbolic,
) -> _Dependence | None:
    """Return Guetig's dependence if both changes are powers of the weight; w_min is 0 there."""
    powers = {
        power
        for change in (plus, minus)
        for power in change.atoms(sympy.Pow)
        if _WEIGHT in power.base.free_symbols and not power.exp.is_Integer
    }
    exponents = {power.exp for power in powers}
    if len(exponents) != 1:
        return None
    mu = exponents.pop()
    shapes = [high * (1 - _WEIGHT / high) ** mu, high * (_WEIGHT / high) ** mu]
    # Powers simplify only if sympy knows that their bases are positive: all symbols are, and the
    # weight is written so that it lies between 0 and w_max.
    positive = {s: sympy.Symbol(s.name, positive=True) for s in free_symbols(plus * minus)}
    w = positive[_WEIGHT]
    within_bounds = {w: w / (1 + w) * substitute(high, positive)}
    amplitudes = [
        simplify(
            substitute(substitute(substitute(change, {low: ZERO}) / shape, positive), within_bounds)
        )
        for change, shape in zip((plus, minus), shapes, strict=True)
    ]
    if any(w in a.free_symbols for a in amplitudes):
        return None
    real = {p: s for s, p in positive.items()}
    a_plus, a_minus = (substitute(a, real) for a in amplitudes)
    return _Dependence(GUETIG, a_plus, a_minus, {"mu_plus": mu, "mu_minus": mu})


def _simultaneous(rule: Rule, pre_trace: str, post_trace: str) -> tuple[int, int]:
    """Return how often a trace was raised before the other side reads it, if both ends spike."""
    # The handlers are executed in their order on two spikes of one step, by counting increments.
    increments = {pre_trace: 0, post_trace: 0}
    seen: dict[str, int] = {}
    for handler in rule.handlers:
        for statement in handler.statements:
            if statement.target in increments:
                increments[statement.target] += 1
            elif statement.target == "w":
                read = pre_trace if handler.trigger == "post" else post_trace
                seen[handler.trigger] = increments[read]
    return seen["post"], seen["pre"]


def _order(rule: Rule) -> tuple[str, ...]:
    """Return the order of what is done to the weight, if both ends spike in one step."""
    names = {("post", "w"): "grow", ("pre", "w"): "shrink", ("pre", "out"): "send"}
    statements = [(h.trigger, s.target) for h in rule.handlers for s in h.statements]
    return tuple(names[statement] for statement in statements if statement in names)


def _require_delivered_weight(statements: Sequence[_Statement]) -> None:
    """Raise Unmatched if the source's spike delivers something else than the weight, once."""
    deliveries = [s for s in statements if s.target == "out"]
    if (
        len(deliveries) != 1
        or deliveries[0].assign.op != "+="
        or deliveries[0].expanded != Name("w")
    ):
        raise Unmatched(
            "it delivers something else than its weight; PyNN's pair STDP delivers the weight."
        )
