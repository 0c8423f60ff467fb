"""Texts and values of cells and rules become declarations, at the user's line."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from numbers import Real
from typing import Any, TypeVar

import numpy as np

from ..draws.values import Distribution, Table
from ..errors import ModelError, describe, describe_unknown, is_one_of
from ..expr.parse import Equation, Parser
from ..expr.tree import Expr
from ..quantities import find_unit, to_engine
from ..units import NUMBER, Unit, of, read, unit
from .declarations import (
    Adaptive,
    Constant,
    Definition,
    EngineValue,
    Handler,
    Parameter,
    Refractory,
    State,
    Value,
)
from .integration.sub_steps import Tolerances
from .names import METHODS, PERS, Method, Side
from .parts import find

Item = TypeVar("Item")
_FINEST = 1e-13
_COARSEST = 0.1
_MOST = 10_000_000
_ABSOLUTE = 1e-9  # in the unit of the state
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
    parser: Parser,
    name: str,
    value: Value | Parameter,
    others: Container[str] = (),
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
    parser: Parser,
    name: str,
    value: Value,
    declared: Unit,
    others: Container[str],
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


def read_method(
    parser: Parser, method: Any, states: tuple[State, ...]
) -> tuple[Method | None, Tolerances | None]:
    """Read the method of a cell, and the tolerances of an adaptive one.

    Parameters
    ----------
    parser : Parser
    method : str, Adaptive or None
    states : tuple of State
        Of the cell.
    """
    if method is None:
        return None, None
    if isinstance(method, Adaptive):
        return "adaptive", _read_tolerances(parser, method, states)
    if not is_one_of(method, METHODS):
        raise ModelError(f"{parser.owner}: {describe_unknown('method', method, METHODS)}")
    if method == "adaptive":
        return method, _read_tolerances(parser, Adaptive(), states)
    return method, None


def _read_tolerances(parser: Parser, adaptive: Adaptive, states: tuple[State, ...]) -> Tolerances:
    where = f"{parser.owner}, method 'adaptive'"
    relative: Any = adaptive.relative
    # Below, rounding alone exceeds it; above, nothing is accurate.
    if not _is_number(relative) or not _FINEST <= float(relative) <= _COARSEST:
        raise ModelError(
            f"{where}: found relative={describe(relative)}, expected a number from {_FINEST:g} to "
            f"{_COARSEST:g}. Write such as relative=1e-6."
        )
    most: Any = adaptive.sub_steps
    if isinstance(most, bool) or not isinstance(most, int | np.integer) or not 1 <= most <= _MOST:
        raise ModelError(
            f"{where}: found sub_steps={describe(most)}, expected a whole number from 1 to "
            f"{_MOST}. Write such as sub_steps=10000."
        )
    absolute = read_mapping(where, "absolute", adaptive.absolute)
    for name in absolute:
        if find(states, name, "state", where).derivative is None:
            raise ModelError(
                f"{where}: found absolute={{{name!r}: ...}}, expected states with an equation: "
                f"{name!r} has none. Leave it out."
            )
    return Tolerances(
        float(relative),
        tuple(
            (s.name, _read_absolute(absolute.get(s.name, _ABSOLUTE), s, where))
            for s in states
            if s.derivative is not None
        ),
        int(most),
    )


def _read_absolute(value: Any, state: State, where: str) -> float:
    where = f"{where}, absolute tolerance of {state.name}"
    number = to_engine(value, state.unit, where=where)
    if np.ndim(number) or not 0 < float(number) < np.inf:
        raise ModelError(
            f"{where}: found {describe(value)}, expected one value above 0. "
            f"Write such as '1e-6 {state.unit.text}'."
        )
    return float(number)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
