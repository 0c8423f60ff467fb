"""Values of Poisson drives that are text over the target neurons."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...draws.streams import Stream
from ...expr.evaluate import evaluate
from ...expr.parse import Parser
from ...model.dependence import require_constant
from ...units import Unit, unit
from ..drawn_values import draw_population
from ..populations import View
from .population import is_expression, name_draws, require_dimension, words_of, write_out


def read_target_text(
    view: View,
    value: Any,
    declared: Unit,
    *,
    seed: int,
    where: str,
) -> Any:
    """Return the values of an expression for the target neurons; any other value as it is.

    Parameters
    ----------
    view : View
        M neurons.
    value : object
    declared : Unit
        Of the value.
    seed : int
        Of the network, by which the values of the population are drawn.
    where : str
        Begins messages.

    Returns
    -------
    (M,) in ``declared``, or the value

    Raises
    ------
    ModelError
        Unknown names, units that do not fit, text over time.
    """
    population = view.population
    words = words_of(population.cell, positions=population.positions is not None)
    if not is_expression(value, words, declared, where):
        return value
    tree = Parser(where).expression(value, part="text")
    require_constant(tree, where, draws=True)
    tree = require_dimension(tree, value, words, declared=declared, where=where)
    tree, drawn = name_draws(tree, "text")
    readable = words.keys() | drawn.keys()
    tree = write_out(tree, value, population.cell, words=readable, where=where)
    values = draw_population(population, seed)[0]
    everyone = np.arange(population.size)
    for key, distribution in drawn.items():
        # ``where`` names the drive and the value, and so makes the stream one of its own.
        stream = Stream(seed, f"{where}, {key}")
        values[key] = distribution.sample(stream, everyone, unit=unit("1"), where=where)
    numbers = np.broadcast_to(evaluate(tree, values.__getitem__), population.size)
    return numbers[view.indices] / declared.size
