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
from ...model.cell import Cell
from ...model.coefficients import (
    Coefficient,
    Demand,
    coefficients_of_cell,
    coefficients_of_rule,
)
from ...model.declarations import Constant
from ..projections import Projection

_Numbers: TypeAlias = dict[str, np.ndarray]

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
        # Rows of several tables come into force at different times.
        if numbers is None or sum(rows.ndim == 2 for rows in numbers.values()) > 1:
            continue
        _require(coefficient, numbers, constants, where=owner, member="neuron {}".format)


def require_rule_coefficients(
    projection: Projection,
    values: Mapping[str, object],
    *,
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
    for coefficient in _reading(coefficients_of_rule(rule, bound), changed):
        constants = [rule.parameter(name) for name in coefficient.parameters]
        numbers = _read(constants, values)
        if numbers is None:
            continue
        for part, member in _parts(projection, numbers, constants, ends):
            _require(coefficient, part, constants, where=where, member=member)


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


def _parts(
    projection: Projection,
    numbers: _Numbers,
    constants: list[Constant],
    ends: Ends | None,
) -> Iterator[tuple[_Numbers, Callable[[int], str]]]:
    """Yield numbers that belong together, and the function that describes one of their members."""
    per = {c.name: c.per for c in constants if c.per is not None and numbers[c.name].ndim}
    layouts = set(per.values())
    if layouts <= {"source"} or layouts <= {"target"}:
        side = "target" if "target" in layouts else "source"
        neurons = (projection.target if side == "target" else projection.source).indices
        if ends is not None:
            # Neurons outside of the view have no edges, and 0 in place of a value.
            numbers = {n: v[neurons] if n in per else v for n, v in numbers.items()}
        yield numbers, lambda k: f"{side} neuron {neurons[k]}"
    elif ends is None:
        # The pairs of neurons are unknown before edges are drawn.
        if layouts == {"edge"}:
            yield numbers, "edge {}".format
    else:
        # A part at a time: as many numbers as edges would take memory.
        for part in blocks(ends.targets.size, width=1):
            index = {"source": ends.sources(part), "target": ends.targets[part], "edge": part}
            some = {n: v[index[per[n]]] if n in per else v for n, v in numbers.items()}
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
