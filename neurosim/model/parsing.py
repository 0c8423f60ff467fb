"""Texts and values of cells and rules become declarations, at the user's line."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from ..draws.values import Distribution, Table
from ..errors import ModelError, describe, describe_unknown, is_one_of
from ..expr.parse import Equation, Parser
from ..expr.tree import Expr
from ..quantities import find_unit, to_engine
from ..units import NUMBER, Unit, of, read, unit
from .declarations import (
    Constant,
    Definition,
    EngineValue,
    Handler,
    Parameter,
    Refractory,
    State,
    Value,
)
from .names import PERS, Side

Item = TypeVar("Item")
UNKNOWN = Unit("?", NUMBER)  # of a parameter that is text over others, until it is resolved


def read_mapping(owner: str, argument: str, value: Mapping[str, Item] | None) -> dict[str, Item]:
    """Return an argument that maps names to values as a dictionary; None is an empty one."""
    if value is not None and not isinstance(value, Mapping):
        raise ModelError(
            f"{owner}: found {argument} {describe(value)}, expected a mapping of names. "
            f"Write {argument}={{'name': ...}}."
        )
    # A copy, since the user's mapping may change later.
    return dict(value or {})


def read_constants(parser: Parser, values: Mapping[str, Value | Parameter]) -> tuple[Constant, ...]:
    """Read all parameters of a cell or rule."""
    return tuple(read_constant(parser, name, value, values) for name, value in values.items())


def read_constant(
    parser: Parser, name: str, value: Value | Parameter, others: Container[str] = ()
) -> Constant:
    """Read one parameter; without a declared unit it has that of its value.

    Parameters
    ----------
    parser : Parser
        Of the cell or rule that owns the parameter.
    name : str
    value : quantity, array, draw, table, text over other parameters, or `Parameter`
    others : names
        Parameters that text may read.
    """
    parser.check_name(name, "parameter")
    where = f"{parser.owner}, parameter {name!r}"
    if isinstance(value, Parameter):
        declared = unit(value.unit, where=where)
        per = value.per
        if per is not None and not is_one_of(per, PERS):
            raise ModelError(f"{where}: {describe_unknown('side', per, PERS)}")
        return Constant(
            name, declared, _engine_value(parser, name, value.value, declared, others), per
        )
    declared = _unit_of(value, others, where)
    return Constant(name, declared, _engine_value(parser, name, value, declared, others))


def _unit_of(value: Value, others: Container[str], where: str) -> Unit:
    """Return the unit that a value names; a plain number has none, text over others: `UNKNOWN`."""
    if isinstance(value, str):
        # Names of parameters win: "2*rho" is an expression if there is a parameter rho.
        quantity = read(value, reserved=others, where=where)
        return UNKNOWN if quantity is None else quantity[1]
    if isinstance(value, Table):
        return unit(value.unit, where=where) if value.unit else of(NUMBER)
    if isinstance(value, Distribution):
        return value.unit
    return find_unit(value) or of(NUMBER)


def _engine_value(
    parser: Parser, name: str, value: Value, declared: Unit, others: Container[str]
) -> EngineValue:
    where = f"{parser.owner}, parameter {name!r}"
    if isinstance(value, Table):
        # Called for its checks: a population converts the table, which knows its own dt.
        value.engine(declared, where=where, error=ModelError)
        return value
    if isinstance(value, Distribution):
        value.check(declared, where=where, error=ModelError)
        return value
    if (
        isinstance(value, str)
        and read(value, reserved=others, declared=declared, where=where) is None
    ):
        return parser.expression(value, part=f"parameter {name!r}")
    number = to_engine(value, declared, where=where)
    if not np.isfinite(number).all():
        raise ModelError(
            f"{where}: {describe(value)} is not finite, expected a number. Give a finite value."
        )
    return number


def read_variable(parser: Parser, equation: Equation, side: Side) -> State:
    """Read a variable of a rule."""
    _refuse_frozen(parser, equation)
    if equation.tree is not None and not equation.derivative:
        raise ModelError(
            f"{parser.owner}, {side} variable {equation.name!r}: a rule's variables are "
            "'x : unit' or 'dx/dt = expression : unit'. "
            "Put named sub-expressions under definitions=."
        )
    return State(equation.name, read_unit(parser, equation), equation.tree)


def read_definition(parser: Parser, equation: Equation) -> Definition:
    """Read a named sub-expression."""
    _refuse_frozen(parser, equation)
    if equation.derivative or equation.tree is None:
        raise ModelError(
            f"{parser.owner}: definition {equation.name!r} is not of the form "
            "'name = expression : unit'. Write it so."
        )
    return Definition(equation.name, read_unit(parser, equation), equation.tree)


def _refuse_frozen(parser: Parser, equation: Equation) -> None:
    if equation.frozen:
        raise ModelError(
            f"{parser.owner}, {equation.name!r}: found '(unless refractory)', expected it in cells "
            "alone: edges are never refractory. Leave it out."
        )


def read_unit(parser: Parser, equation: Equation) -> Unit:
    """Read the unit of an equation."""
    return unit(equation.unit, where=f"{parser.owner}, equation of {equation.name}")


def read_handlers(parser: Parser, handlers: Iterable[tuple[str, str]]) -> tuple[Handler, ...]:
    """Read the handlers of a rule: pairs of a trigger and statements."""
    # Text and mappings are iterable, too, but their items are no pairs.
    iterable = isinstance(handlers, Iterable) and not isinstance(
        handlers, str | Mapping | np.ndarray
    )
    pairs = [_as_tuple(pair) for pair in handlers] if iterable else []
    nothing = handlers is None or isinstance(handlers, str | Mapping) and not handlers
    if any(len(pair) != 2 for pair in pairs) or not (iterable or nothing):
        raise ModelError(
            f"{parser.owner}: found handlers {describe(handlers)}, expected pairs "
            "(trigger, statements). Write [('pre', 'out += w')]."
        )
    return tuple(
        Handler(trigger, parser.statements(text, part=f"handler {describe(trigger)}"))
        for trigger, text in pairs
    )


def _as_tuple(pair: Any) -> tuple[Any, ...]:
    """Return the items of a pair; none of a text, whose items are letters."""
    return tuple(pair) if isinstance(pair, list | tuple) else ()


def read_crossing(spike: str | None) -> tuple[str | None, bool]:
    """Return the condition of a spike, and whether it was written ``crossing(condition)``."""
    match = (
        re.fullmatch(r"\s*crossing\s*\((.*)\)\s*", spike, re.DOTALL)
        if isinstance(spike, str)
        else None
    )
    return (spike, False) if match is None else (match[1], True)


def read_pause(parser: Parser, refractory: Any) -> Expr | None:
    """Return a refractoriness that is written as a condition; None if it is anything else."""
    # Times and names of parameters hold neither comparisons nor `and`, `or`, `not`.
    if not isinstance(refractory, str) or not re.search(r"[<>=]|\b(and|or|not)\b", refractory):
        return None
    return parser.expression(refractory, part="refractory")


def read_refractory(
    parser: Parser, value: Refractory | Any, *, frozen: tuple[str, ...] = ()
) -> Refractory | None:
    """Read the refractory time of a cell.

    Parameters
    ----------
    parser : Parser
    value : Refractory or time, optional
        A bare time freezes no state of its own.
    frozen : names
        States that are frozen by their equations.
    """
    if value is None and frozen:
        raise ModelError(
            f"{parser.owner}: the equation of {frozen[0]} has '(unless refractory)', expected a "
            "refractory time with it: a condition freezes none. Give refractory='2 ms', or leave "
            "the words out."
        )
    if value is None:
        return None
    refractory = value if isinstance(value, Refractory) else Refractory(value)
    freezes: Any = refractory.freezes
    if isinstance(freezes, str):
        # Both separators are common in texts that list names.
        freezes = tuple(freezes.replace(",", " ").split())
    if not isinstance(freezes, tuple | list) or not all(isinstance(n, str) for n in freezes):
        raise ModelError(
            f"{parser.owner}, refractory: found freezes={describe(freezes)}, expected names of "
            "states. Write freezes='v'."
        )
    return replace(refractory, freezes=tuple(dict.fromkeys((*freezes, *frozen))))
