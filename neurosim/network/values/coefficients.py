"""Refuses values with which a rate of an equation would be infinite."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ...draws.sampling import blocks
from ...draws.values import Table
from ...errors import NetworkError
from ...expr.evaluate import evaluate
from ...expr.printing import show
from ...expr.tree import Name
from ...model.binding import BoundRule
from ...model.cell import Cell
from ...model.coefficients import (
    Coefficient,
    Demand,
    coefficients_of_cell,
    coefficients_of_rule,
    coefficients_of_update,
)
from ...model.declarations import Constant
from ...model.rule import Rule
from ..populations import Population
from ..projections import Projection
from ..timed_events import RegularUpdate
from .cell_parameters import CellParameter, definitions_of_cells, parameters_of_cells

_Numbers: TypeAlias = dict[str, np.ndarray]

ValuesOfCells: TypeAlias = Callable[[Population, str], object]
"""Returns the value of a parameter of a population."""

_WRONG: dict[Demand, Callable[[np.ndarray], np.ndarray]] = {
    "positive": lambda value: ~(value > 0.0),
    # An infinite divisor makes a rate of 0, one below 1e-308 an infinite rate, as 0 does.
    "not 0": lambda value: ~np.isfinite(1.0 / value),
    "finite": lambda value: ~np.isfinite(value),
}


@dataclass(frozen=True, eq=False)
class Ends:
    """Edges between whole populations, sorted by source, then target.

    Attributes
    ----------
    pointer : (N_source + 1,) int64
        Edges ``pointer[i]`` to ``pointer[i + 1]`` leave source i.
    targets : (E,) indices
    """

    pointer: np.ndarray
    targets: np.ndarray

    def sources(self, part: slice) -> np.ndarray:
        """Return the sources of some edges."""
        return np.searchsorted(self.pointer, np.arange(part.start, part.stop), side="right") - 1

    def joined(self, side: str) -> np.ndarray:
        """Return the neurons of one end that have an edge, ascending."""
        if side == "source":
            return np.flatnonzero(np.diff(self.pointer))
        return np.flatnonzero(np.bincount(self.targets)) if self.targets.size else self.targets

    def describe(self, edge: int) -> str:
        """Return an edge as messages say it, such as ``edge 3 (0 -> 2)``."""
        source = self.sources(slice(edge, edge + 1))[0]
        return f"edge {edge} ({source} -> {self.targets[edge]})"


def require_cell_coefficients(
    owner: str,
    cell: Cell,
    values: Mapping[str, object],
    *,
    changed: Collection[str] | None = None,
) -> None:
    """Raise if a divisor of a cell's equations is 0; those over draws and text are skipped.

    Parameters
    ----------
    owner : str
        Begins the message.
    cell : Cell
    values : mapping
        Of the population by name, in engine units; those left out have the cell's own.
    changed : names, optional
        Only coefficients that read one of these are checked.

    Raises
    ------
    NetworkError
    """
    for coefficient in _reading(coefficients_of_cell(cell), changed):
        constants = [cell.parameter(name) for name in coefficient.parameters]
        numbers = _read(constants, values)
        if numbers is None or _of_tables(numbers):
            continue
        _require(coefficient, numbers, constants, where=owner, member="neuron {}".format)


def require_update_coefficients(
    update: RegularUpdate,
    values: Mapping[str, object],
    *,
    where: str,
    changed: Collection[str] | None = None,
) -> None:
    """Raise if a divisor of statements at regular times is 0; draws and text are skipped.

    Parameters
    ----------
    update : RegularUpdate
    values : mapping
        Of the whole population by name, in engine units; those left out have the cell's own.
    where : str
        Begins the message.
    changed : names, optional
        Only coefficients that read one of these are checked.

    Raises
    ------
    NetworkError
    """
    cell = update.view.population.cell
    neurons = update.view.indices
    for coefficient in _reading(coefficients_of_update(cell, update.statements), changed):
        constants = [cell.parameter(name) for name in coefficient.parameters]
        numbers = _read(constants, values)
        if numbers is None or _of_tables(numbers):
            continue
        some = {n: v[..., neurons] if _is_per_neuron(v) else v for n, v in numbers.items()}
        describe = _describe_neurons("neuron", neurons)
        _require(coefficient, some, constants, where=where, member=describe)


def require_rule_coefficients(
    projection: Projection,
    values: Mapping[str, object],
    *,
    of_cells: ValuesOfCells,
    where: str,
    ends: Ends | None = None,
    changed: Collection[str] | None = None,
) -> None:
    """Raise if a divisor of a rule's equations or statements is 0; draws and text are skipped.

    Parameters
    ----------
    projection : Projection
    values : mapping
        Parameters by name, in engine units; those left out have the rule's own.
    of_cells : function of (population, parameter)
        Its value in engine units, one or one per neuron of the whole population.
    where : str
        Begins the message.
    ends : Ends, optional
        The order of values per edge; values per source and target are those of whole populations.
        None: values are those of the user, per neuron of a view or per edge of the connector.
    changed : names, optional
        Only coefficients that read one of these are checked.

    Raises
    ------
    NetworkError
    """
    rule = projection.rule
    bound = projection.bound
    if rule is None or bound is None:
        return
    cells = parameters_of_cells(projection)
    for coefficient in _reading(_of_rule(rule, bound, projection, cells), changed):
        constants = [
            cells[name].constant if name in cells else rule.parameter(name)
            for name in coefficient.parameters
        ]
        read = {
            name: parameter.spread(of_cells(parameter.population, parameter.name))
            for name, parameter in cells.items()
            if name in coefficient.parameters
        }
        numbers = _read(constants, {**values, **read})
        if numbers is None or _of_tables(numbers):
            continue
        parts = _parts(
            projection,
            numbers,
            constants,
            ends=ends,
            of_cells=read.keys(),
            everywhere=coefficient.everywhere,
        )
        for part, member in parts:
            _require(coefficient, part, constants, where=where, member=member)


def require_cells_at_edges(
    projection: Projection, seed: int, *, of_cells: ValuesOfCells, where: str
) -> None:
    """Raise if values per neuron of a cell make a coefficient infinite at an edge.

    Parameters
    ----------
    projection : Projection
        Its edges are drawn.
    seed : int
        Of the network.
    of_cells : function of (population, parameter)
    where : str
        Begins the message.

    Raises
    ------
    NetworkError
    """
    rule = projection.rule
    read = parameters_in_coefficients(projection).values()
    values = [of_cells(parameter.population, parameter.name) for parameter in read]
    arrays = [value for value in values if isinstance(value, np.ndarray)]
    # The edges of other views are sorted when the network is prepared.
    if rule is None or not projection.source.ascending or not arrays:
        return
    edges = projection.connect(seed)
    counts = np.zeros(projection.source.population.size, np.int64)
    counts[projection.source.indices] = np.diff(edges.pointer)
    pointer = np.concatenate([[0], np.cumsum(counts)])
    ends = Ends(pointer, projection.target.indices[edges.target])
    # Numbers of the rule that are many have the order of the user.
    numbers = {p.name: projection.values.get(p.name, p.value) for p in rule.parameters}
    ones = {name: value if np.ndim(value) == 0 else None for name, value in numbers.items()}
    require_rule_coefficients(projection, ones, of_cells=of_cells, where=where, ends=ends)


def parameters_in_coefficients(projection: Projection) -> dict[str, CellParameter]:
    """Return the parameters of cells in coefficients of a rule, by the rule's names.

    Parameters
    ----------
    projection : Projection
    """
    if projection.rule is None or projection.bound is None:
        return {}
    cells = parameters_of_cells(projection)
    coefficients = _of_rule(projection.rule, projection.bound, projection, cells)
    read = {name for coefficient in coefficients for name in coefficient.parameters}
    return {name: parameter for name, parameter in cells.items() if name in read}


def _of_rule(
    rule: Rule, bound: BoundRule, projection: Projection, cells: Collection[str]
) -> tuple[Coefficient, ...]:
    definitions = definitions_of_cells(projection)
    return coefficients_of_rule(rule, bound, read=cells, definitions=definitions)


def _reading(
    coefficients: tuple[Coefficient, ...], changed: Collection[str] | None
) -> Iterator[Coefficient]:
    """Yield the coefficients that read a changed name; None: all."""
    return (c for c in coefficients if changed is None or c.parameters & set(changed))


def _read(constants: list[Constant], values: Mapping[str, object]) -> _Numbers | None:
    """Return the numbers of constants: (), (K,), or rows of a table; None if one is unknown yet."""
    numbers: _Numbers = {}
    for constant in constants:
        value = values.get(constant.name, constant.value)
        if isinstance(value, Table):
            rows = np.asarray(value.values)
            numbers[constant.name] = rows if rows.ndim == 2 else rows[:, np.newaxis]
        elif isinstance(value, float | int | np.ndarray):
            numbers[constant.name] = np.asarray(value, np.float64)
        else:
            return None
    return numbers


def _of_tables(numbers: _Numbers) -> bool:
    """Whether rows of several tables are among the numbers, which come into force by themselves."""
    return sum(rows.ndim == 2 for rows in numbers.values()) > 1


def _is_per_neuron(value: np.ndarray) -> bool:
    """Whether the numbers of a parameter of a cell, or the rows of its table, are many."""
    return value.ndim > 0 and value.shape[-1] > 1


def _describe_neurons(noun: str, neurons: np.ndarray) -> Callable[[int], str]:
    return lambda k: f"{noun} {neurons[k]}"


def _parts(
    projection: Projection,
    numbers: _Numbers,
    constants: list[Constant],
    *,
    ends: Ends | None,
    of_cells: Collection[str],
    everywhere: bool,
) -> Iterator[tuple[_Numbers, Callable[[int], str]]]:
    """Yield numbers that belong together, and the function that describes one of their members.

    Parameters
    ----------
    projection : Projection
    numbers : mapping
    constants : list of Constant
    ends : Ends, optional
        None: edges are unknown.
    of_cells : names
        Of parameters of cells, whose numbers are those of whole populations.
    everywhere : bool
        Whether neurons without edges count.
    """
    of_populations = {name for name in of_cells if _is_per_neuron(numbers[name])}
    per = {
        c.name: c.per
        for c in constants
        if c.per is not None
        and (c.name in of_populations if c.name in of_cells else numbers[c.name].ndim)
    }
    all_of_populations = bool(of_populations) and of_populations == per.keys()
    if of_populations and ends is None and not (everywhere and all_of_populations):
        return  # a neuron may have no edge
    layouts = set(per.values())
    if layouts <= {"source"} or layouts <= {"target"}:
        side = "target" if "target" in layouts else "source"
        view = projection.target if side == "target" else projection.source
        neurons = view.indices
        if all_of_populations and everywhere:
            neurons = np.arange(view.population.size)
        elif of_populations and ends is not None and not everywhere:
            neurons = ends.joined(side)
        if ends is not None or of_populations:
            # Neurons outside of the view have no edges, and 0 in place of a value.
            numbers = {n: v[..., neurons] if n in per else v for n, v in numbers.items()}
        yield numbers, _describe_neurons(f"{side} neuron", neurons)
    elif ends is None:
        # The pairs of neurons are unknown before edges are drawn.
        if layouts == {"edge"}:
            yield numbers, "edge {}".format
    else:
        # A part at a time: as many numbers as edges would take memory.
        for part in blocks(ends.targets.size, width=1):
            index = {"source": ends.sources(part), "target": ends.targets[part], "edge": part}
            some = {n: v[..., index[per[n]]] if n in per else v for n, v in numbers.items()}
            yield some, lambda k, first=part.start: ends.describe(first + k)


def _require(
    coefficient: Coefficient,
    numbers: _Numbers,
    constants: list[Constant],
    *,
    where: str,
    member: Callable[[int], str],
) -> None:
    """Raise unless the values of a coefficient are as it demands."""
    value = np.asarray(evaluate(coefficient.tree, numbers.__getitem__))
    with np.errstate(all="ignore"):
        wrong = _WRONG[coefficient.demand](value)
    if not wrong.any():
        return
    index = np.unravel_index(np.argmax(wrong), wrong.shape)
    # Of a table the last axis counts neurons, unless a row has one value for all.
    whose = f" for {member(int(index[-1]))}" if wrong.ndim and wrong.shape[-1] > 1 else ""
    text = show(coefficient.tree)
    read = {
        c.name: c.unit.show(float(np.broadcast_to(numbers[c.name], wrong.shape)[index]))
        for c in sorted(constants, key=lambda c: c.name)
    }
    if isinstance(coefficient.tree, Name):
        what = f"{where}, {text}: found {read[text]}{whose}"
    else:
        listed = ", ".join(f"{name} = {number}" for name, number in read.items())
        what = f"{where}: found {value[index]:g} for {text!r}{whose}" + (listed and f" ({listed})")
    expected, remedy = _advise(coefficient, constants)
    raise NetworkError(f"{what}, expected {expected}. {remedy}.")


def _advise(coefficient: Coefficient, constants: list[Constant]) -> tuple[str, str]:
    """Return what a message says of expected values, and its remedy."""
    if coefficient.demand == "positive":
        return f"more than {constants[0].unit.show(0.0)}", "Give a positive time"
    readers = " or ".join(sorted(c.name for c in constants))
    remedy = f"Give {readers} another value" if readers else "Correct the text"
    if coefficient.demand == "not 0":
        return f"another value than 0: {coefficient.where} divides by it", remedy
    return f"a finite number: it is a factor in {coefficient.where}", remedy
