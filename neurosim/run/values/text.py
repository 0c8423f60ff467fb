"""Text that `Run.set` gives to neurons: an expression over what they have at this moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...draws.values import Distribution
from ...errors import ModelError, NetworkError
from ...expr.evaluate import evaluate
from ...expr.parse import Parser
from ...expr.tree import names
from ...ir.memory import Memory
from ...model.dependence import require_constant
from ...network.populations import View
from ...network.values.population import (
    is_expression,
    name_draws,
    require_dimension,
    words_of,
    write_out,
)
from ...units import Unit


def read_set_text(
    view: View,
    name: str,
    value: Any,
    *,
    declared: Unit,
    memory: Memory,
    changed: Mapping[str, np.ndarray],
    step: int,
    where: str,
    sample: Callable[[Distribution, str], np.ndarray] | None = None,
) -> Any:
    """Return the values of an expression, (M,) in engine units; any other value as it is.

    Parameters
    ----------
    view : View
        M neurons.
    name : str
    value : object
        Of a `Run.set`.
    declared : Unit
        Of the name.
    memory : Memory
    changed : mapping
        Parameters that were given before in the same call.
    step : int
        The step that follows.
    where : str
        Begins messages.
    sample : function, optional
        Returns the numbers (M,) of a random draw in the text, which has a name of its own; without
        it draws are refused.

    Raises
    ------
    NetworkError
        Unknown names, units that do not fit, text over time.
    """
    population = view.population
    cell = population.cell
    words = words_of(cell, positions=population.positions is not None)
    try:
        if not is_expression(value, words, declared, where):
            return value
        tree = Parser(f"set {view.name!r}").expression(value, part=name)
        require_constant(tree, where, draws=sample is not None)
        tree = require_dimension(tree, value, words, declared=declared, where=where)
        tree, drawn = name_draws(tree, name)
        readable = words.keys() | drawn.keys()
        tree = write_out(tree, value, cell, words=readable, where=where)
    except ModelError as error:
        # Whatever is wrong with a value of `set` is one type of error.
        raise NetworkError(str(error)) from None
    values: dict[str, Any] = {
        "i": np.arange(population.size, dtype=np.float64),
        "N": float(population.size),
    }
    if population.positions is not None:
        values |= dict(zip("xyz", population.positions.T, strict=True))
    for key, distribution in drawn.items():
        assert sample is not None  # other texts with draws were refused
        # The text is evaluated for all neurons; those outside of the view are left out below.
        values[key] = np.zeros(population.size)
        values[key][view.indices] = sample(distribution, key)
    for read in names(tree) - values.keys():
        key = population.name, read
        # One call may set several names, of which later ones read earlier ones.
        if read in changed:
            values[read] = changed[read]
        elif (population.name, f"{read}@rows") in memory:
            # A table: the row of the step that follows, as that step will read it.
            values[read] = memory.row(*key, step)
        else:
            values[read] = memory.now(*key, step - 1)
    result = np.broadcast_to(evaluate(tree, values.__getitem__), population.size)
    return result[view.indices]
