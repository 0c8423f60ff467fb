"""Matching a rule to short-term plasticity as NEST has it: a share of the resources that is used, spent and recovers, with or without facilitation."""

from __future__ import annotations

from dataclasses import dataclass

import sympy

from neurosim.expr.tree import inline
from neurosim.model.declarations import decay_constant
from neurosim.model.rule import Rule

from .algebra import Symbolic, Unmatched, symbol, symbolic, vanishes


@dataclass(frozen=True)
class ShortTerm:
    """Short-term plasticity after Tsodyks, Pawelzik and Markram 1998; expressions over the rule's parameters. No ``tau_facil``: no facilitation."""

    U: Symbolic
    tau_rec: Symbolic
    tau_facil: Symbolic | None


def match_short_term(rule: Rule) -> ShortTerm | None:
    """Return a rule as short-term plasticity, or None if it is something else.

    Raises
    ------
    Unmatched
        If a parameter has a value per neuron or edge.
    """
    states = [v for v in (*rule.pre, *rule.edge) if v.name != "w"]
    if (
        {h.trigger for h in rule.handlers} != {"pre"}
        or rule.post
        or rule.reads
        or not 1 <= len(states) <= 2
    ):
        return None
    if any(decay_constant(v) is None for v in states):
        return None
    trees = {d.name: d.tree for d in rule.definitions}
    found = {n: symbol(n) for n in ("out", "w", *(v.name for v in states))}
    for handler in rule.handlers:
        for statement in handler.statements:
            try:
                found[statement.target] = sympy.expand(
                    symbolic(inline(statement.result, trees), found)
                )
            except Unmatched:
                return None
    for spent in states:
        match = _as(found, spent.name, next((v.name for v in states if v is not spent), None))
        if match is not None:
            many = next((p for p in rule.parameters if p.per is not None), None)
            if many is not None:
                raise Unmatched(
                    f"its parameter {many.name!r} has one value per {many.per}; there it is one for the projection."
                )
            facilitates = next((v for v in states if v is not spent), None)
            return ShortTerm(
                match,
                symbol(decay_constant(spent)),
                None if facilitates is None else symbol(decay_constant(facilitates)),
            )
    return None


def _as(found: dict[str, Symbolic], spent: str, use: str | None) -> Symbolic | None:
    """Return U if a spike delivers w * u * (1 - spent) and spends u * (1 - spent), where u is U, or grows by U * (1 - u) first."""
    s, w = symbol(spent), symbol("w")
    given = sympy.expand(found["out"] - symbol("out"))
    used = sympy.cancel(given / (w * (1 - s)))
    share = used if use is None else used.subs(symbol(use), 0)
    if share == 0 or share.free_symbols & {s, w, symbol("out")} or found["w"] != w:
        return None
    wanted = share if use is None else symbol(use) + share * (1 - symbol(use))
    right = (
        vanishes(used - wanted)
        and vanishes(found[spent] - s - wanted * (1 - s))
        and (use is None or vanishes(found[use] - wanted))
    )
    return share if right else None
