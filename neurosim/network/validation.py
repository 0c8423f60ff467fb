"""Checks of what users pass to a network: quantities, shapes, delays, expressions over parameters; with their messages."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..draws.ranges import NOT_NEGATIVE, require_range
from ..draws.values import Distribution, Table
from ..errors import ModelError, NetworkError, describe, describe_unknown
from ..expr.dimensions import dimension, resolve_units
from ..expr.parse import Parser
from ..expr.tree import Binary, Expr, Number, names
from ..model.cell import Cell
from ..model.dependence import require_constant
from ..units import LENGTH, NUMBER, Unit, of, read, to_engine, unit

MS = unit("ms")


def read_duration(value: Any, *, where: str, zero: bool = False) -> float:
    """Return a time in ms that is positive (or zero where that is allowed)."""
    time = to_engine(value, MS, where=where, error=NetworkError)
    if (
        isinstance(time, np.ndarray)
        or not np.isfinite(time)
        or time < 0
        or (time == 0 and not zero)
    ):
        raise NetworkError(
            f"{where}: found {describe(value)}, expected one {'time of 0 ms or more' if zero else 'time above 0 ms'}. Give it such as '100 ms'."
        )
    return time


LONGEST = 2**53  # steps: the largest range of whole numbers that float64 holds without gaps


def to_steps(time: Any, dt: float, *, where: str, rounded: bool | None = None) -> np.ndarray:
    """Return times (ms, number or array) in whole steps; an error where they are no multiple of dt, unless ``rounded``.

    None: there is no rounding to offer here.
    """
    exact = np.asarray(time, np.float64) / dt
    if not (np.abs(exact) < LONGEST).all():
        raise NetworkError(
            f"{where}: found {np.max(np.abs(time)):g} ms, expected less than {LONGEST * dt:g} ms (2**53 steps). Use a shorter time."
        )
    steps = np.rint(exact)
    wrong = np.abs(exact - steps) > 1e-6 * np.maximum(1.0, np.abs(exact))
    if not rounded and wrong.any():
        value = float(np.asarray(time)[wrong].flat[0]) if np.ndim(time) else float(time)
        low = np.floor(value / dt) * dt
        remedy = f"Use {low:.6g} ms or {low + dt:.6g} ms{' or' if rounded is None else ','} a smaller dt{'' if rounded is None else ', or round_delays=True'}."
        raise NetworkError(f"{where} {value:g} ms is not a multiple of dt ({dt:g} ms). {remedy}")
    return steps.astype(np.int64)


def read_whole_number(value: Any, *, where: str, least: int = 1, most: int | None = None) -> int:
    """Return a whole number of at least ``least``."""
    if (
        isinstance(value, bool)
        or not isinstance(value, int | np.integer)
        or value < least
        or most is not None
        and value > most
    ):
        limit = "" if most is None else f" and at most {most}"
        raise NetworkError(
            f"{where}: found {describe(value)}, expected a whole number of at least {least}{limit}. Change it."
        )
    return int(value)


def read_quantity(value: Any, declared: Unit, *, sizes: dict[str, int], where: str) -> Any:
    """Return a number, draw or array in engine units; arrays have one of ``sizes`` (what: length) and only finite values."""
    if isinstance(value, Distribution):
        value.check(declared, where=where)
        return value
    if isinstance(value, Table):
        raise NetworkError(
            f"{where}: found a table over time, expected {'a number, array or draw' if sizes else 'a number or draw'}. "
            "Only parameters of populations can be tables; a rule can link to them."
        )
    number = to_engine(value, declared, where=where, error=NetworkError)
    if not np.isfinite(number).all():
        raise NetworkError(
            f"{where}: found a value that is not finite (NaN or infinity), expected finite numbers. Replace it."
        )
    if isinstance(number, np.ndarray):
        require_shape(number, sizes, where)
    return number


def require_shape(array: np.ndarray, sizes: dict[str, int], where: str) -> None:
    """Refuse arrays that are not of one dimension and one of ``sizes`` (what: length); any length where there are none."""
    if array.ndim != 1 or sizes and array.size not in sizes.values():
        expected = "a number or an array of " + (
            " or ".join(f"length {length} ({what})" for what, length in sizes.items())
            or "one dimension"
        )
        raise NetworkError(
            f"{where}: found an array of shape {array.shape}, expected {expected}. Reshape it."
        )


def read_table(value: Table, declared: Unit, *, size: int, dt: float, where: str) -> Table:
    """Return a table in engine units with its duration of a row in steps."""
    rows = value.engine(declared, where=where)
    if rows.ndim == 2 and rows.shape[1] != size:
        raise NetworkError(
            f"{where}: found a table of shape {rows.shape}, expected (T,) or (T, {size}). Reshape it."
        )
    every = to_steps(
        read_duration(value.every, where=f"{where}, every"), dt, where=f"{where}: every"
    )
    return Table(np.ascontiguousarray(rows), int(every), None)


def population_values(
    owner: str, cell: Cell, size: int, given: dict[str, Any], *, dt: float, positions: bool
) -> dict[str, Any]:
    """Check what a population is given by name: parameters, initial values, and named draws for expressions over them.

    Returns
    -------
    dict
        Numbers, arrays (N,), draws, tables, and expressions as trees, in engine units (plain results of expressions are scaled when drawn).
    """
    declared = {thing.name: thing.unit for thing in (*cell.states, *cell.parameters)}
    parser = Parser(owner)
    extra = {
        k: _unit_of_draw(v)
        for k, v in given.items()
        if k not in declared and isinstance(v, Distribution)
    }
    known = (
        {"i": NUMBER, "N": NUMBER}
        | (dict.fromkeys("xyz", LENGTH) if positions else {})
        | {k: u.exponents for k, u in (declared | extra).items()}
    )
    checked = _defaults(owner, cell, size, given, dt)
    read_by_expressions: set[str] = set()
    for name, value in given.items():
        if name not in declared and name not in extra:
            raise NetworkError(
                describe_unknown(
                    "parameter or state", name, declared, owner=f"{owner} ({cell.name})"
                )
            )
        where = f"{owner}, {name}"
        this = declared.get(name) or extra[name]
        if isinstance(value, Table):
            if name in {s.name for s in cell.states}:
                raise NetworkError(
                    f"{where}: found a table, expected a number, array or draw: {name!r} is a state. Make it a parameter."
                )
            checked[name] = read_table(value, this, size=size, dt=dt, where=where)
        elif isinstance(value, str) and read(value, reserved=known) is None:
            checked[name] = expression(parser, value, known, this, name=name, where=where)
            read_by_expressions |= names(checked[name])
        else:
            checked[name] = read_quantity(value, this, sizes={"one per neuron": size}, where=where)
    for name in extra.keys() - read_by_expressions:
        raise NetworkError(
            f"{describe_unknown('parameter or state', name, declared, owner=f'{owner} ({cell.name})')} "
            f"A draw of another name must be read by an expression."
        )
    for name in extra:
        parser.check_name(name, "draw")
    _check_order(owner, {p.name: p.value for p in cell.parameters} | checked)
    return checked


def take_courses(owner: str, cell: Cell, values: dict[str, Any]) -> tuple[Cell, dict[str, Any]]:
    """Return the cell with those parameters that are given as text over time, and the other values."""
    parameters = {p.name for p in cell.parameters}
    texts = {
        n: v
        for n, v in values.items()
        if n in parameters and isinstance(v, str) and read(v, reserved=cell.symbols()) is None
    }
    courses = {n: v for n, v in texts.items() if "t" in names(Parser(owner).expression(v, place=n))}
    return (cell.following(**courses) if courses else cell), {
        n: v for n, v in values.items() if n not in courses
    }


def _defaults(
    owner: str, cell: Cell, size: int, given: dict[str, Any], dt: float
) -> dict[str, Any]:
    """Return the tables of a cell that a population does not replace, and refuse arrays of another length."""
    found: dict[str, Any] = {}
    for p in cell.parameters:
        if p.name in given:
            continue
        if isinstance(p.value, Table):
            found[p.name] = read_table(
                p.value, p.unit, size=size, dt=dt, where=f"{owner}, {p.name}"
            )
        if isinstance(p.value, np.ndarray):
            require_shape(p.value, {"one per neuron": size}, f"{owner}, {p.name}")
    return found


def _check_order(owner: str, values: dict[str, Any]) -> None:
    left = {name: names(value) for name, value in values.items() if isinstance(value, Expr)}
    tables = {name for name, value in values.items() if isinstance(value, Table)}
    for name, read_names in left.items():
        if read_names & tables:
            raise NetworkError(
                f"{owner}, {name}: its expression reads {', '.join(sorted(read_names & tables))}, a table over time, expected values for the "
                "whole run. Write it in an equation of the cell."
            )
    while ready := [name for name in left if not left[name] & left.keys()]:
        left = {name: read for name, read in left.items() if name not in ready}
    if left:
        raise ModelError(
            f"{owner}: {', '.join(sorted(left))} are written in a circle, expected one with a value. Give one of them a value."
        )


def refractory_steps(owner: str, cell: Cell, values: dict[str, Any], dt: float) -> None:
    """Refuse refractory times that are negative or no multiple of dt, as far as they are known before draws are made."""
    if cell.refractory is None:
        return
    time, where = cell.refractory.time, f"{owner}: refractory time"
    if isinstance(time, str) and read(time) is None:
        time = values.get(time, cell.parameter(time).value)
        if isinstance(time, Table):
            raise NetworkError(
                f"{where}: found a table, expected a number, array or draw. A refractory time is changed with run.set."
            )
        if isinstance(time, Distribution | Expr):
            return
    else:
        time = to_engine(time, MS, where=where)
    require_range(time, NOT_NEGATIVE, where=f"{where} (ms)", declared=MS)
    to_steps(time, dt, where=where)


def expression(
    parser: Parser, text: str, known: dict, declared: Unit, *, name: str, where: str
) -> Expr:
    """Parse an expression over parameters; its result has the unit of the parameter, or is a plain number in that unit."""
    tree = parser.expression(text, place=name)
    require_constant(tree, where)
    tree = resolve_units(tree, known, place=where)
    found = dimension(tree, known, place=where)
    if found not in (None, NUMBER, declared.exponents):
        raise ModelError(
            f"{where}: {text!r} is {of(found)}, but {declared} is expected. Multiply or divide it by what is missing."
        )
    if found == NUMBER and declared.plain != 1.0:
        tree = Binary("*", Number(declared.plain), tree)
    return tree


def _unit_of_draw(draw: Distribution) -> Unit:
    for argument in draw.arguments:
        if isinstance(argument, str) and read(argument):
            return read(argument)[1]
    return unit("1")
