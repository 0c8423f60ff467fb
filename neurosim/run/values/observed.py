"""Observed definitions between two steps: they follow what `Run.set` and `Run.reset` change."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...draws.values import Table
from ...errors import NetworkError
from ...expr.evaluate import evaluate
from ...expr.tree import draws, names
from ...ir.concrete import ConcreteNetwork
from ...ir.discretise import expand, find_definition
from ...ir.memory import Memory


def refresh_observed(
    network: ConcreteNetwork,
    memory: Memory,
    owner: str,
    step: int,
) -> None:
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
    for definition in observed:
        result = _compute(network, memory, owner, definition, step)
        if result is not None:
            # As of the step before: that is what a reader between two steps is given.
            memory.put(owner, definition, slice(None), result, step - 1)


def definition_now(
    network: ConcreteNetwork,
    memory: Memory,
    owner: str,
    name: str,
    *,
    step: int,
) -> np.ndarray:
    """Return the value of a definition from the present values of a population, (N,).

    Parameters
    ----------
    network : ConcreteNetwork
    memory : Memory
    owner, name : str
        The population and the definition.
    step : int
        The step that follows.

    Raises
    ------
    NetworkError
        If it reads an input or a random draw, which exist within a step only.
    """
    # Stored ones may read inputs and draws of their step, which are gone by now.
    if name in network.observed.get(owner, {}):
        return memory.now(owner, name, step - 1)
    result = _compute(network, memory, owner, name, step)
    if result is None:
        raise NetworkError(
            f"get {owner!r}: found the definition {name!r}, which reads an input or a random draw "
            "of a step, expected one of states and parameters. Record it: then it is stored."
        )
    return result


def _compute(
    network: ConcreteNetwork,
    memory: Memory,
    owner: str,
    definition: str,
    step: int,
) -> np.ndarray | None:
    """Return a definition's value, (N,); None if it reads an input or a random draw."""
    population = network.populations[owner]
    tree = expand(population.cell)(find_definition(population.cell, definition))
    inputs = {f"_port_{name}" for name, _ in population.cell.receives}
    if draws(tree) or names(tree) & inputs:
        return None
    # Before the first step there is no step before, so the first one stands in for it.
    last = max(step - 1, 0)
    known: dict[str, Any] = {
        "t": last * network.dt,
        "dt": network.dt,
        "i": np.arange(population.size, dtype=np.float64),
        "N": float(population.size),
    }

    def value(name: str) -> Any:
        if name in known:
            return known[name]
        if isinstance(population.parameters.get(name), Table):
            return memory.row(owner, name, last)
        return memory.now(owner, name, step - 1)

    return np.broadcast_to(evaluate(tree, value), population.size)
