"""Checks of what users pass to a network: quantities, shapes, delays, expressions over parameters; with their messages."""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import ModelError, NetworkError, unknown
from .expr.dimensions import dimension, resolve_units
from .expr.parse import Parser
from .expr.tree import Binary, Expr, Number, names
from .model import Cell
from .units import NUMBER, Unit, of, read, to_engine, unit
from .values import Distribution, Table

MS = unit("ms")


def duration(value: Any, *, where: str, zero: bool = False) -> float:
    """Return a time in ms that is positive (or zero where that is allowed)."""
    time = to_engine(value, MS, where=where, error=NetworkError)
    if isinstance(time, np.ndarray) or not np.isfinite(time) or time < 0 or (time == 0 and not zero):
        raise NetworkError(f"{where}: found {value!r}, expected one {'time of 0 ms or more' if zero else 'positive time'}. Give it such as '100 ms'.")
    return time


def whole_steps(time: Any, dt: float, *, where: str, rounded: bool = False) -> np.ndarray:
    """Return times (ms, number or array) in whole steps; an error where they are no multiple of dt, unless ``rounded``."""
    exact = np.asarray(time, np.float64) / dt
    steps = np.rint(exact)
    wrong = np.abs(exact - steps) > 1e-6 * np.maximum(1.0, np.abs(exact))
    if not rounded and wrong.any():
        value = float(np.asarray(time)[wrong].flat[0]) if np.ndim(time) else float(time)
        low = np.floor(value / dt) * dt
        raise NetworkError(f"{where} {value:g} ms is not a multiple of dt ({dt:g} ms). "
                           f"Use {low:.6g} ms or {low + dt:.6g} ms, a smaller dt, or round_delays=True.")
    return steps.astype(np.int64)


def whole_number(value: Any, *, where: str, least: int = 1) -> int:
    """Return a whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise NetworkError(f"{where}: found {value!r}, expected a whole number of at least {least}. Change it.")
    return int(value)


def quantity(value: Any, declared: Unit, *, sizes: dict[str, int], where: str) -> Any:
    """Return a number, draw or array in engine units; arrays have one of ``sizes`` (what: length) and only finite values."""
    if isinstance(value, Distribution):
        for argument in value.arguments if value.kind != "lognormal" else value.arguments[:1]:
            to_engine(argument, declared, where=f"{where}, {value}", error=NetworkError)
        return value
    number = to_engine(value, declared, where=where, error=NetworkError)
    if not np.isfinite(number).all():
        raise NetworkError(f"{where}: found a value that is not finite (NaN or infinity), expected finite numbers. Replace it.")
    if isinstance(number, np.ndarray) and (number.ndim != 1 or sizes and number.size not in sizes.values()):
        expected = " or ".join(f"{length} ({what})" for what, length in sizes.items()) or "one dimension"
        raise NetworkError(f"{where}: found an array of shape {number.shape}, expected a number or an array of length {expected}. Reshape it.")
    return number


def table(value: Table, declared: Unit, *, size: int, dt: float, where: str) -> Table:
    """Return a table in engine units with its duration of a row in steps."""
    rows = to_engine(value.values if value.unit is None else value.values * unit(value.unit).size / declared.plain, declared, where=where, error=NetworkError)
    if value.unit is not None and unit(value.unit).exponents != declared.exponents:
        raise NetworkError(f"{where}: the table is {unit(value.unit)}, but {declared} is expected. Give it in {declared.text}.")
    if rows.ndim == 2 and rows.shape[1] != size:
        raise NetworkError(f"{where}: found a table of shape {rows.shape}, expected (T,) or (T, {size}). Reshape it.")
    every = whole_steps(duration(value.every, where=f"{where}, every"), dt, where=f"{where}: every")
    return Table(np.ascontiguousarray(rows), int(every), None)


def population_values(owner: str, cell: Cell, size: int, given: dict[str, Any], *, dt: float, positions: bool) -> dict[str, Any]:
    """Check what a population is given by name: parameters, initial values, and named draws for expressions over them.

    Returns
    -------
    dict
        Numbers, arrays (N,), draws, tables, and expressions as trees, in engine units (plain results of expressions are scaled when drawn).
    """
    declared = {thing.name: thing.unit for thing in (*cell.states, *cell.parameters)}
    parser = Parser(owner)
    extra = {k: _unit_of_draw(v) for k, v in given.items() if k not in declared and isinstance(v, Distribution)}
    known = {k: u.exponents for k, u in (declared | extra).items()} | {"i": NUMBER, "N": NUMBER} | ({k: unit("um").exponents for k in "xyz"} if positions else {})
    checked: dict[str, Any] = {}
    read_by_expressions: set[str] = set()
    for name, value in given.items():
        if name not in declared and name not in extra:
            raise NetworkError(unknown("parameter or state", name, declared, owner=f"{owner} ({cell.name})"))
        where = f"{owner}, {name}"
        this = declared.get(name) or extra[name]
        if isinstance(value, Table):
            if name in {s.name for s in cell.states}:
                raise NetworkError(f"{where}: found a table, expected a number, array or draw: {name!r} is a state. Make it a parameter.")
            checked[name] = table(value, this, size=size, dt=dt, where=where)
        elif isinstance(value, str) and read(value) is None:
            checked[name] = expression(parser, value, known, this, name=name, where=where)
            read_by_expressions |= names(checked[name])
        else:
            checked[name] = quantity(value, this, sizes={"one per neuron": size}, where=where)
    for name in extra.keys() - read_by_expressions:
        raise NetworkError(f"{unknown('parameter or state', name, declared, owner=f'{owner} ({cell.name})')} "
                           f"A draw of another name must be read by an expression.")
    return checked


def expression(parser: Parser, text: str, known: dict, declared: Unit, *, name: str, where: str) -> Expr:
    """Parse an expression over parameters; its result has the unit of the parameter, or is a plain number in that unit."""
    words = {k: v for k, v in known.items() if k != "t"}
    tree = resolve_units(parser.expression(text, place=name), words, place=where)
    if "t" in names(tree) or "dt" in names(tree):
        raise NetworkError(f"{where}: {text!r} depends on time, expected a value for the whole run. Give a table over time: ns.table(values, every=...).")
    found = dimension(tree, words, place=where)
    if found not in (None, NUMBER, declared.exponents):
        raise ModelError(f"{where}: {text!r} is {of(found)}, but {declared} is expected. Multiply or divide it by what is missing.")
    if found == NUMBER and declared.plain != 1.0:
        tree = Binary("*", Number(declared.plain), tree)
    return tree


def _unit_of_draw(draw: Distribution) -> Unit:
    for argument in draw.arguments:
        if isinstance(argument, str) and read(argument):
            return read(argument)[1]
    return unit("1")
