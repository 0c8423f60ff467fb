"""Values of a population by name: parameters, initial values, and draws that expressions read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeAlias, TypeGuard

import numpy as np

from ...draws.ranges import NOT_NEGATIVE, POSITIVE, require_range
from ...draws.values import Distribution, ParameterValue, Table, normal, uniform
from ...errors import ModelError, NetworkError, describe_circle, describe_unknown
from ...expr.dimensions import WORDS, dimension, resolve_units
from ...expr.parse import Parser
from ...expr.tree import Binary, Draw, Expr, Name, Number, inline, names, rewrite
from ...model.cell import Cell
from ...model.dependence import require_constant
from ...model.time_constants import time_constants
from ...quantities import to_engine
from ...units import LENGTH, NUMBER, Exponents, Unit, of, read
from ..validation import MS, EngineValue, read_quantity, read_table, require_shape, to_steps
from .coefficients import require_cell_coefficients

PopulationValue: TypeAlias = EngineValue | Table | Expr


def read_population_values(
    owner: str,
    cell: Cell,
    size: int,
    values: Mapping[str, ParameterValue],
    *,
    dt: float,
    positions: bool,
) -> dict[str, PopulationValue]:
    """Return the values of a population in engine units.

    Parameters
    ----------
    owner : str
        Begins each message.
    cell : Cell
    size : int
        Number of neurons.
    values : mapping
        By name: parameters, initial values of states, and draws of other names.
    dt : float, ms
    positions : bool
        Whether expressions may read x, y and z.

    Returns
    -------
    dict
        Numbers, arrays (N,), draws, tables, and expressions. An expression gives a number in
        engine units when it is evaluated.

    Raises
    ------
    NetworkError, ModelError
        An unknown name, a wrong unit or shape, a value that is not finite, a draw that nothing
        reads, expressions that read each other in a circle.
    """
    declared = {part.name: part.unit for part in (*cell.states, *cell.parameters)}
    # A draw under a name of its own lets several expressions read the same numbers.
    draws = {
        name: value.unit
        for name, value in values.items()
        if name not in declared and isinstance(value, Distribution)
    }
    # First of all, since a mistyped name would cause misleading messages about values.
    _require_known(values, declared | draws, owner=owner, cell=cell, valid=declared)
    words = words_of(cell, positions=positions)
    words |= {name: unit.exponents for name, unit in draws.items()}
    parser = Parser(owner)
    checked = _read_defaults(owner, cell, size, values, dt=dt)
    for name, value in values.items():
        where = f"{owner}, {name}"
        expected = (declared | draws)[name]
        if isinstance(value, Table):
            _refuse_state(cell, name, where)
            checked[name] = read_table(value, expected, size=size, dt=dt, where=where)
        # "20 ms" is a quantity, other text an expression, in which names win over units.
        elif is_expression(value, words, expected, where):
            tree = parser.expression(value, part=name)
            require_constant(tree, where, draws=True)
            tree = require_dimension(tree, value, words, declared=expected, where=where)
            tree, drawn = name_draws(tree, name)
            checked |= drawn
            readable = words.keys() | drawn.keys()
            checked[name] = write_out(tree, value, cell, words=readable, where=where)
        else:
            sizes = {"one per neuron": size}
            checked[name] = read_quantity(value, expected, sizes=sizes, where=where)
    _check_draws(parser, draws, checked, owner=owner, cell=cell, valid=declared)
    # Defaults of the cell take part, because expressions may read them.
    _check_order(owner, {p.name: p.value for p in cell.parameters} | checked)
    return checked


def take_time_courses(
    owner: str, cell: Cell, values: Mapping[str, ParameterValue]
) -> tuple[Cell, dict[str, ParameterValue]]:
    """Give a cell those parameters that are text over time.

    Parameters
    ----------
    owner : str
        Begins each message.
    cell : Cell
    values : mapping
        By name, as the user wrote them.

    Returns
    -------
    cell : Cell
        The same one if no value is text over time.
    others : dict
        The remaining values.
    """
    parameters = {p.name for p in cell.parameters}
    courses: dict[str, str] = {}
    # Whether there are positions is checked when the text is read.
    reserved = {*words_of(cell, positions=True), *values}
    for name, value in values.items():
        if name not in parameters:
            continue
        unit = cell.parameter(name).unit
        if not is_expression(value, reserved, unit, f"{owner}, {name}"):
            continue
        # Only the tree tells the time t from the letter t in a longer name.
        words = {"t", "step"} - cell.symbols().keys()
        if words & names(Parser(owner).expression(value, part=name)):
            courses[name] = value
    others = {name: value for name, value in values.items() if name not in courses}
    return (cell.following(**courses) if courses else cell), others


def words_of(cell: Cell, *, positions: bool) -> dict[str, Exponents]:
    """Return the names that texts of a population may read, with their dimensions.

    Parameters
    ----------
    cell : Cell
    positions : bool
        Whether they may read x, y and z.
    """
    # Without t: a value that changes with time is an equation of the cell.
    words: dict[str, Exponents] = {"i": NUMBER, "N": NUMBER}
    if positions:
        words |= dict.fromkeys("xyz", LENGTH)
    named = (*cell.definitions, *cell.states, *cell.parameters)
    return words | {part.name: part.unit.exponents for part in named}


def is_expression(
    value: object,
    words: Collection[str],
    unit: Unit,
    where: str,
) -> TypeGuard[str]:
    """Return whether a value is text and no quantity, given the names that text may read."""
    return isinstance(value, str) and (
        read(value, reserved={*words, *WORDS}, declared=unit, where=where) is None
    )


def require_time_constants(owner: str, cell: Cell, values: Mapping[str, object]) -> None:
    """Raise unless times that equations divide by are positive, and other divisors not 0.

    Draws and text are skipped.

    Parameters
    ----------
    owner : str
        Begins each message.
    cell : Cell
    values : mapping
        Of the population by name, in engine units; those left out have the cell's own.
    """
    for name in sorted(time_constants(cell)):
        parameter = cell.parameter(name)
        value = values.get(name, parameter.value)
        if isinstance(value, Distribution):
            continue
        require_range(
            value,
            POSITIVE,
            where=f"{owner}, {name}",
            declared=parameter.unit,
            remedy=f"The equations of cell {cell.name!r} divide by it: give a positive time.",
        )
    require_cell_coefficients(owner, cell, values)


def check_refractory_time(
    owner: str,
    cell: Cell,
    values: Mapping[str, PopulationValue],
    dt: float,
) -> None:
    """Raise if the refractory time is negative or no multiple of dt; draws are skipped.

    Parameters
    ----------
    owner : str
        Begins each message.
    cell : Cell
    values : mapping
        Of the population by name, in engine units.
    dt : float, ms
    """
    if cell.refractory is None:
        return
    time = cell.refractory.time
    declared = MS
    where = f"{owner}: refractory time"
    if isinstance(time, str) and read(time) is None:
        # Text without a number is the name of a parameter, which the population may have set.
        parameter = cell.parameter(time)
        time = values.get(parameter.name, parameter.value)
        declared = parameter.unit
        if isinstance(time, Table):
            raise NetworkError(
                f"{where}: found a table, expected a number, array or draw. "
                "A refractory time is changed with run.set."
            )
        # These have no value yet; steps are checked again when the memory of a run is made.
        if isinstance(time, Distribution | Expr):
            return
    else:
        time = to_engine(time, MS, where=where)
    require_range(time, NOT_NEGATIVE, where=where, declared=declared)
    to_steps(time, dt, where=where)


def _require_known(
    values: Mapping[str, object],
    known: Mapping[str, Unit],
    *,
    owner: str,
    cell: Cell,
    valid: Mapping[str, Unit],
) -> None:
    for name in values:
        if name not in known:
            raise NetworkError(_unknown_name(name, owner, cell, valid))


def _unknown_name(
    name: str,
    owner: str,
    cell: Cell,
    valid: Mapping[str, Unit],
) -> str:
    return describe_unknown("parameter or state", name, valid, owner=f"{owner} ({cell.name})")


def _refuse_state(cell: Cell, name: str, where: str) -> None:
    if name in {state.name for state in cell.states}:
        raise NetworkError(
            f"{where}: found a table, expected a number, array or draw: {name!r} is a state. "
            "Make it a parameter."
        )


def _read_defaults(
    owner: str,
    cell: Cell,
    size: int,
    values: Mapping[str, ParameterValue],
    *,
    dt: float,
) -> dict[str, PopulationValue]:
    """Return the tables of a cell that the population does not replace; check its arrays."""
    tables: dict[str, PopulationValue] = {}
    # A cell does not know the size of its populations: its own arrays and tables are checked here.
    for p in cell.parameters:
        if p.name in values:
            continue
        where = f"{owner}, {p.name}"
        if isinstance(p.value, Table):
            tables[p.name] = read_table(p.value, p.unit, size=size, dt=dt, where=where)
        if isinstance(p.value, np.ndarray):
            require_shape(p.value, {"one per neuron": size}, where)
    return tables


def name_draws(tree: Expr, owner: str) -> tuple[Expr, dict[str, Distribution]]:
    """Return a tree that reads its random draws by name, and these draws.

    Parameters
    ----------
    tree : expression
    owner : str
        The name that has this value: draws of others do not change its numbers.
    """
    distributions = {"uniform": uniform(0, 1), "normal": normal(0, 1)}
    drawn: dict[str, Distribution] = {}

    def name(node: Expr) -> Expr:
        if not isinstance(node, Draw):
            return node
        # No name of a user has a dot.
        key = f"{owner}.{node.kind}{len(drawn)}"
        drawn[key] = distributions[node.kind]
        return Name(key)

    return rewrite(tree, name), drawn


def require_dimension(
    tree: Expr,
    text: str,
    words: Mapping[str, Exponents],
    *,
    declared: Unit,
    where: str,
) -> Expr:
    """Return an expression whose result is in engine units, its units resolved.

    Its dimension is that of the name; a plain number counts in its unit.

    Parameters
    ----------
    tree : expression
        The text as it was parsed.
    text : str
    words : mapping
        The names that the text may read.
    declared : Unit
        Of the name that has this value.
    where : str
        Begins messages.

    Raises
    ------
    ModelError
        Unknown names, units that do not fit.
    """
    tree = resolve_units(tree, words, where=where)
    result = dimension(tree, words, where=where)
    if result not in (None, NUMBER, declared.exponents):
        raise ModelError(
            f"{where}: {text!r} is {of(result)}, but {declared} is expected. "
            "Multiply or divide it by what is missing."
        )
    if result == NUMBER != declared.exponents and declared.size != 1.0:
        tree = Binary("*", Number(declared.size), tree)
    return tree


def write_out(
    tree: Expr,
    text: str,
    cell: Cell,
    *,
    words: Collection[str],
    where: str,
) -> Expr:
    """Return an expression with the definitions that it reads written out.

    Parameters
    ----------
    tree : expression
    text : str
        As the user wrote it.
    cell : Cell
    words : names
        That have a value before a run.
    where : str
        Begins messages.

    Raises
    ------
    ModelError
        Text over time, random draws or the inputs of a step.
    """
    expanded = inline(tree, {d.name: d.tree for d in cell.definitions})
    # Of the definitions too: one that reads time has no value before a run.
    require_constant(expanded, where)
    inputs = sorted(name for name in names(expanded) if name not in words)
    if inputs:
        raise ModelError(
            f"{where}: {text!r} reads {', '.join(map(repr, inputs))}, an input that exists "
            "within a step only, expected states and parameters. Write it without."
        )
    return expanded


def _check_draws(
    parser: Parser,
    draws: Mapping[str, Unit],
    values: Mapping[str, PopulationValue],
    *,
    owner: str,
    cell: Cell,
    valid: Mapping[str, Unit],
) -> None:
    """Raise if a draw of a name of its own is read by no expression, or the name is taken."""
    read_names = {
        name for value in values.values() if isinstance(value, Expr) for name in names(value)
    }
    # A draw that nobody reads is most likely a mistyped parameter.
    for name in draws.keys() - read_names:
        raise NetworkError(
            f"{_unknown_name(name, owner, cell, valid)} "
            "A draw of another name must be read by an expression."
        )
    for name in draws:
        parser.check_name(name, "draw")


def _check_order(owner: str, values: Mapping[str, object]) -> None:
    """Raise if expressions read tables, or each other in a circle."""
    unread = {name: names(value) for name, value in values.items() if isinstance(value, Expr)}
    tables = {name for name, value in values.items() if isinstance(value, Table)}
    for name, read_names in unread.items():
        if read_names & tables:
            raise NetworkError(
                f"{owner}, {name}: its expression reads {', '.join(sorted(read_names & tables))}, "
                "a table over time, expected values for the whole run. "
                "Write it in an equation of the cell."
            )
    # Each round removes the values that read no remaining one; a circle is never removed.
    while ready := [name for name in unread if not unread[name] & unread.keys()]:
        unread = {name: read_names for name, read_names in unread.items() if name not in ready}
    if unread:
        raise ModelError(f"{owner}: {describe_circle(sorted(unread))}")
