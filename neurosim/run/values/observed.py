"""Observed definitions between two steps: they follow what `Run.set` and `Run.reset` change."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...draws.values import Table
from ...expr.evaluate import evaluate
from ...expr.tree import draws, names
from ...ir.concrete import ConcreteNetwork
from ...ir.discretise import expand, find_definition
from ...ir.memory import Memory


def refresh_observed(network: ConcreteNetwork, memory: Memory, owner: str, step: int) -> None:
    """Compute the observed definitions of a population again from its present values.

    Those that read an input or a random draw keep the value of the step before, whose input and
    draws it was.

    Parameters
    ----------
    network : ConcreteNetwork
    memory : Memory
    owner : str
        Name of the population; of anything else nothing is done.
    step : int
        The step that follows.
    """
    observed = network.observed.get(owner, {})
    if not observed:
        return
    population = network.populations[owner]
    plain = expand(population.cell)
    known: dict[str, Any] = {
        "t": max(step - 1, 0) * network.dt,
        "dt": network.dt,
        "i": np.arange(population.size, dtype=np.float64),
        "N": float(population.size),
    }

    def value(name: str) -> Any:
        if name in known:
            return known[name]
        if isinstance(population.parameters.get(name), Table):
            return memory.row(owner, name, max(step - 1, 0))
        return memory.now(owner, name, step - 1)

    inputs = {f"_port_{name}" for name, _ in population.cell.receives}
    for definition in observed:
        tree = plain(find_definition(population.cell, definition))
        if draws(tree) or names(tree) & inputs:
            continue
        result = np.broadcast_to(evaluate(tree, value), population.size)
        memory.put(owner, definition, slice(None), result, step - 1)
