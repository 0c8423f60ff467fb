"""Equations of a rule: those with a closed form between events, and those of every step."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ..expr.linear import ONE, ZERO, affine
from ..expr.tree import Binary, Expr, Name, Number, Unary, draws, inline, names, rewrite
from ..units import RATE, TABLE, Exponents, multiply
from .declarations import State
from .names import Per, Side
from .parts import RuleParts

# The parameters that a variable's closed form may read: those of its own owner, or one for all.
# Those of both ends belong to an edge, too.
_OWN: dict[Side, set[Per | None]] = {
    "edge": {None, "edge", "source", "target"},
    "pre": {None, "source"},
    "post": {None, "target"},
}


@dataclass(frozen=True)
class ClosedForm:
    """The equation ``dx/dt = inflow - x / tau``, constant but for x between two assignments.

    A time d after it was x0, the variable is ``x0 exp(z) + inflow d (exp(z) - 1) / z`` with
    ``z = -d / tau``. Both parts are exact for any sign of tau, and for an infinite one.

    Parameters
    ----------
    tau : Expr, ms
        Over parameters.
    inflow : Expr, optional
        Over parameters; None: x decays to 0.
    """

    tau: Expr
    inflow: Expr | None

    @property
    def time_constant(self) -> str | None:
        """The name of tau if it is a parameter by itself."""
        return self.tau.name if isinstance(self.tau, Name) else None

    @property
    def parameters(self) -> set[str]:
        """The parameters that the equation reads."""
        return names(self.tau) | (set() if self.inflow is None else names(self.inflow))


def closed_forms(rule: RuleParts) -> dict[str, ClosedForm]:
    """Return the closed forms of a rule's variables.

    Those have one that are linear in themselves with coefficients over parameters, and that no
    equation of the same side reads: such a pair is integrated together, in each step.

    Parameters
    ----------
    rule : RuleParts
    """
    trees_of_all = written_out(rule)
    forms: dict[str, ClosedForm] = {}
    for side, variables in rule.sides:
        trees = {v.name: trees_of_all[v.name] for v in variables if v.name in trees_of_all}
        lasting = {p.name for p in rule.parameters if p.per in _OWN[side]}
        for name, tree in trees.items():
            others = (other for key, other in trees.items() if key != name)
            form = _closed_form(name, tree, lasting)
            if form is not None and not any(name in names(other) for other in others):
                forms[name] = form
    return forms


def written_out(rule: RuleParts) -> dict[str, Expr]:
    """Return the derivatives of a rule's variables with definitions written out, units as numbers.

    Parameters
    ----------
    rule : RuleParts
    """
    own = {part.name for part in (*rule.variables, *rule.parameters, *rule.definitions)}
    own |= {link.symbol for link in rule.reads}
    definitions = {d.name: _with_units(d.tree, own) for d in rule.definitions}
    return {
        v.name: inline(_with_units(v.derivative, own), definitions)
        for v in rule.variables
        if v.derivative is not None
    }


def rate_of(variable: State) -> Exponents:
    """Return the unit that the derivative of a variable has.

    Parameters
    ----------
    variable : State
    """
    return multiply(variable.unit.exponents, RATE)


def _with_units(tree: Expr, own: Collection[str]) -> Expr:
    """Replace the names of units by numbers; names of cells are no units, since they have ends."""

    def read(node: Expr) -> Expr:
        if isinstance(node, Name) and node.name not in own and node.name in TABLE:
            return Number(TABLE[node.name][0], node.name)
        return node

    return rewrite(tree, read)


def _closed_form(name: str, tree: Expr, lasting: Collection[str]) -> ClosedForm | None:
    """Return the closed form of an equation, or None; ``lasting``: the names that it may read."""
    split = affine(tree, {name})
    if split is None or draws(tree):
        return None
    slope = split[0].get(name, ZERO)
    inflow = split[1]
    if (names(slope) | names(inflow)) - set(lasting):
        return None
    return ClosedForm(_time_constant(slope), None if inflow == ZERO else inflow)


def _time_constant(slope: Expr) -> Expr:
    """Return -1 / slope; the parameter itself of the common ``-1 / tau``."""
    match slope:
        case Unary(op="-", operand=Binary(op="/", left=left, right=Name() as tau)) if left == ONE:
            return tau
        case Binary(op="/", left=left, right=Name() as tau) if left == Unary("-", ONE):
            return tau
    return Binary("/", Number(-1.0), slope)
