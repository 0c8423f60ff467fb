"""The values of a population with every draw made and every text evaluated."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..draws.streams import user_stream
from ..draws.values import Distribution
from ..errors import ModelError, NetworkError, describe_circle
from ..expr.evaluate import evaluate
from ..expr.tree import Expr, names
from ..units import Unit
from .populations import Population


def draw_population(population: Population, seed: int) -> tuple[dict[str, Any], dict[str, Expr]]:
    """Return the values of a population, and the expressions among them.

    Parameters
    ----------
    population : Population
    seed : int
        Of the network.

    Returns
    -------
    values : dict
        Name -> number, (N,) or `Table` in engine units: parameters, initial states, draws of other
        names, ``i``, ``N`` and positions.
    trees : dict
        Name -> expression of each value that is written as text, in order of dependence.

    Raises
    ------
    NetworkError, ModelError
        If an expression gives a value that is not finite, or expressions need each other.
    """
    values = _draw_values(population, seed)
    trees = _expressions(population)
    _evaluate_all(trees, values, where=f"population {population.name!r}")
    return values, trees


def _user_values(population: Population) -> dict[str, Any]:
    """Return parameters and initial states as the user wrote them, with defaults for the rest."""
    cell = population.cell
    defaults = {p.name: p.value for p in cell.parameters} | {s.name: 0.0 for s in cell.states}
    return defaults | population.values


def _expressions(population: Population) -> dict[str, Expr]:
    """Return the values that are written as text."""
    values = _user_values(population)
    return {name: value for name, value in values.items() if isinstance(value, Expr)}


def _draw_values(population: Population, seed: int) -> dict[str, Any]:
    """Return numbers, arrays and draws of a population, its positions, ``i`` and ``N``."""
    cell = population.cell
    units: dict[str, Unit] = {t.name: t.unit for t in (*cell.states, *cell.parameters)}
    # Every draw has a stream of its own: other parameters do not change it.
    everyone = np.arange(population.size)
    values: dict[str, Any] = {"i": everyone.astype(np.float64), "N": float(population.size)}
    if population.positions is not None:
        values |= dict(zip("xyz", population.positions.T, strict=True))
    for name, value in _user_values(population).items():
        if isinstance(value, Distribution):
            value = value.sample(
                user_stream(seed, population.name, name, of="population"),
                everyone,
                unit=units.get(name, value.unit),
                where=f"population {population.name!r}, {name}",
            )
        if not isinstance(value, Expr):
            values[name] = value
    return values


def _evaluate_all(trees: dict[str, Expr], values: dict[str, Any], *, where: str) -> None:
    """Evaluate expressions in order of dependence, and sort ``trees`` by it.

    Raises
    ------
    ModelError
        If expressions need each other.
    NetworkError
        If one gives a value that is not finite.
    """
    waiting = dict(trees)
    # Filled again below, since callers rely on the order of its keys.
    trees.clear()
    while waiting:
        ready = [name for name, tree in waiting.items() if not names(tree) & waiting.keys()]
        # Whatever is left waits for something else that is left.
        if not ready:
            raise ModelError(f"{where}: {describe_circle(sorted(waiting))}")
        for name in ready:
            trees[name] = waiting.pop(name)
            values[name] = evaluate(trees[name], values.__getitem__)
            if not np.isfinite(values[name]).all():
                raise NetworkError(
                    f"{where}, {name}: the expression gives a value that is not finite, "
                    "expected numbers. Correct it."
                )
