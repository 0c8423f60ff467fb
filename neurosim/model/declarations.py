"""The parts that cells and rules are made of: states, parameters, definitions, ports, refractoriness, handlers and links."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..draws.values import Distribution, Table
from ..errors import ModelError, describe, describe_unknown
from ..expr.parse import Equation, Parser
from ..expr.printing import show
from ..expr.tree import Assign, Expr, names
from ..units import NUMBER, Unit, is_pint, of, read, to_engine, unit

SIDES = (None, "source", "target", "edge")


@dataclass(frozen=True)
class State:
    """One number per neuron (or edge) that the equations change; ``derivative`` None: changed by events only."""

    name: str
    unit: Unit
    derivative: Expr | None = None


@dataclass(frozen=True)
class Parameter:
    """A named constant: ``value`` may be a quantity, an array, a draw, a table over time, or text over other parameters.

    ``per`` matters in rules only: None for one value, or ``"source"``, ``"target"``, ``"edge"`` for one each.
    """

    unit: str
    value: Any
    per: str | None = None


@dataclass(frozen=True)
class Constant:
    """A parameter as the cell keeps it: name, unit, and its value as given (text over others: as a tree)."""

    name: str
    unit: Unit
    value: Any
    per: str | None = None


@dataclass(frozen=True)
class Definition:
    """A named sub-expression, computed wherever it is read."""

    name: str
    unit: Unit
    tree: Expr


@dataclass(frozen=True)
class Port:
    """A named input; contributions to it are summed. ``into``: the state that an arriving weight jumps, or None."""

    unit: str
    into: str | None = None


@dataclass(frozen=True)
class Refractory:
    """For ``time`` after a spike no spike is emitted, and the states in ``freezes`` keep their values."""

    time: Any
    freezes: str | tuple[str, ...] = ()


@dataclass(frozen=True)
class Handler:
    """Statements run on a trigger: ``"pre"``, ``"post"``, ``"step"`` or the name of a signal."""

    trigger: str
    statements: tuple[Assign, ...]


@dataclass(frozen=True)
class Link:
    """A symbol of a rule bound to a state or parameter of a population, or to a variable of an earlier projection.

    ``unit`` is that of the parameter which it replaces; None where it replaces none.
    """

    symbol: str
    reference: Any
    unit: Unit | None = None


def constant(parser: Parser, name: str, value: Any, *, others: Container[str]) -> Constant:
    """Read one parameter as the user gave it; quantities of unknown unit take the unit of their text, ``others`` are names that it may read."""
    parser.check_name(name, "parameter")
    place = f"{parser.owner}, parameter {name!r}"
    if isinstance(value, Parameter):
        declared, per = unit(value.unit, where=place), value.per
        if per not in SIDES:
            raise ModelError(f"{place}: {describe_unknown('side', per, [s for s in SIDES if s])}")
        return Constant(name, declared, _given(parser, value.value, declared, name, others), per)
    declared = of(NUMBER)
    if isinstance(value, str):
        found = read(value, reserved=others)
        if found is None:
            return Constant(
                name, Unit("?", NUMBER), parser.expression(value, place=f"parameter {name!r}")
            )
        declared = found[1]
    if is_pint(value):
        declared = unit(f"{value.units:~C}".replace("µ", "u").replace(" ", ""), where=place)
    if isinstance(value, Distribution):
        quantities = [read(a)[1] for a in value.arguments if isinstance(a, str) and read(a)]
        declared = quantities[0] if quantities else declared
    if isinstance(value, Table) and value.unit:
        declared = unit(value.unit, where=place)
    return Constant(name, declared, _given(parser, value, declared, name, others))


def _given(parser: Parser, value: Any, declared: Unit, name: str, others: Container[str]) -> Any:
    place = f"{parser.owner}, parameter {name!r}"
    if isinstance(value, Table):
        value.engine(declared, where=place, error=ModelError)
    if isinstance(value, Distribution):
        value.check(declared, where=place, error=ModelError)
    if isinstance(value, Distribution | Table):
        return value
    if isinstance(value, str) and read(value, reserved=others) is None:
        return parser.expression(value, place=f"parameter {name!r}")
    number = to_engine(value, declared, where=place)
    if not np.isfinite(number).all():
        raise ModelError(
            f"{place}: {describe(value)} is not finite, expected a number. Give a finite value."
        )
    return number


def variable(parser: Parser, equation: Equation, side: str) -> State:
    """Read a variable of a rule."""
    if equation.tree is not None and not equation.derivative:
        raise ModelError(
            f"{parser.owner}, {side} variable {equation.name!r}: a rule's variables are 'x : unit' or 'dx/dt = -x / tau : unit'. "
            "Put named sub-expressions under definitions=."
        )
    return State(
        equation.name,
        unit(equation.unit, where=f"{parser.owner}, equation of {equation.name}"),
        equation.tree,
    )


def definition(parser: Parser, equation: Equation) -> Definition:
    """Read a named sub-expression."""
    if equation.derivative or equation.tree is None:
        raise ModelError(
            f"{parser.owner}: definition {equation.name!r} is not of the form 'name = expression : unit'. Write it so."
        )
    return Definition(
        equation.name,
        unit(equation.unit, where=f"{parser.owner}, equation of {equation.name}"),
        equation.tree,
    )


def decay_constant(variable: State) -> str | None:
    """Return the name of tau in ``dx/dt = -x / tau``, or None where the derivative is anything else."""
    if variable.derivative is None:
        return None
    text = show(variable.derivative)
    for candidate in names(variable.derivative) - {variable.name}:
        if text in (f"-{variable.name} / {candidate}", f"-({variable.name} / {candidate})"):
            return candidate
    return None


def find(things: tuple, name: str, kind: str, owner: str) -> Any:
    """Return the part of a name."""
    for thing in things:
        if thing.name == name:
            return thing
    raise ModelError(describe_unknown(kind, name, [t.name for t in things], owner=owner))
