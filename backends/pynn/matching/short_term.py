"""Matching a rule to short-term plasticity as NEST has it.

A spike uses a share of the resources, which then recover. With facilitation the share grows with
each spike, and decays.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy

from neurosim.expr.tree import inline
from neurosim.model.declarations import State, decay_constant
from neurosim.model.rule import Rule

from .algebra import ZERO, Symbolic, Unmatched, substitute, symbol, symbolic, vanishes


@dataclass(frozen=True)
class ShortTermRule:
    """Short-term plasticity after Tsodyks, Pawelzik and Markram 1998.

    Attributes
    ----------
    U, tau_rec : Symbolic
        Over the rule's parameters.
    tau_facil : Symbolic or None
        None: no facilitation.
    """

    U: Symbolic
    tau_rec: Symbolic
    tau_facil: Symbolic | None


def match_short_term(rule: Rule) -> ShortTermRule | None:
    """Return a rule as short-term plasticity, or None if it is something else.

    Parameters
    ----------
    rule : Rule

    Raises
    ------
    Unmatched
        If a parameter has a value per neuron or edge.
    """
    states = _decaying_states(rule)
    after_spike = None if states is None else _after_spike(rule, states)
    if states is None or after_spike is None:
        return None
    # The names of a user say nothing: each state is tried as the one that resources are spent from.
    for spent in states:
        others = [v for v in states if v is not spent]
        facilitation = others[0] if others else None
        used = None if facilitation is None else facilitation.name
        share = _share(after_spike, spent.name, used)
        if share is not None:
            _require_one_value(rule)
            return ShortTermRule(
                share,
                _time_constant(spent),
                None if facilitation is None else _time_constant(facilitation),
            )
    return None


def _decaying_states(rule: Rule) -> list[State] | None:
    """Return the one or two decaying states of a rule that acts on spikes of the source alone."""
    if {h.trigger for h in rule.handlers} != {"pre"} or rule.post or rule.reads:
        return None
    # Resources may be a variable of the source, shared by its edges, or of each edge.
    states = [v for v in (*rule.pre, *rule.edge) if v.name != "w"]
    if not 1 <= len(states) <= 2 or any(decay_constant(v) is None for v in states):
        return None
    return states


def _after_spike(rule: Rule, states: list[State]) -> dict[str, Symbolic] | None:
    """Return all values after a spike of the source, over those before; None if it compares."""
    definitions = {d.name: d.tree for d in rule.definitions}
    names = ("out", "w", *(v.name for v in states))
    values: dict[str, Symbolic] = {name: symbol(name) for name in names}
    for handler in rule.handlers:
        for statement in handler.statements:
            try:
                result = symbolic(inline(statement.result, definitions), values)
            except Unmatched:
                return None  # a rule that compares or chooses is left to `pair_stdp` to refuse
            values[statement.target] = sympy.expand(result)
    return values


def _share(after_spike: dict[str, Symbolic], spent: str, used: str | None) -> Symbolic | None:
    """Return U of short-term plasticity, or None if a rule is something else.

    A spike delivers w * u * (1 - spent) and spends u * (1 - spent). Without facilitation u is U;
    with it, u is the state ``used`` after it grew by U * (1 - used).
    """
    x = symbol(spent)
    w = symbol("w")
    out = symbol("out")
    delivered = sympy.expand(after_spike["out"] - out)
    u = sympy.cancel(delivered / (w * (1 - x)))
    # At rest (used = 0) the share is U itself, with and without facilitation.
    share = u if used is None else substitute(u, {symbol(used): ZERO})
    if share == 0 or share.free_symbols & {x, w, out} or after_spike["w"] != w:
        return None
    expected = share if used is None else symbol(used) + share * (1 - symbol(used))
    equal = (
        vanishes(u - expected)
        and vanishes(after_spike[spent] - x - expected * (1 - x))
        and (used is None or vanishes(after_spike[used] - expected))
    )
    return share if equal else None


def _require_one_value(rule: Rule) -> None:
    for parameter in rule.parameters:
        if parameter.per is not None:
            raise Unmatched(
                f"its parameter {parameter.name!r} has one value per {parameter.per}; "
                "there it is one for the projection."
            )


def _time_constant(state: State) -> Symbolic:
    return symbol(str(decay_constant(state)))
