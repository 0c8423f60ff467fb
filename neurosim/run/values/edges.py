"""Values of every edge of a projection, whoever shares them in memory."""

from __future__ import annotations

import numpy as np

from ...ir.memory import Memory
from ...ir.program import PlasticProjection, Program, StaticProjection


def edge_variables(p: StaticProjection | PlasticProjection) -> list[str]:
    """Return the names of the variables of which each edge has its own, in order of declaration."""
    if isinstance(p, StaticProjection):
        return ["w"]
    return [n for n, s in p.symbols.items() if s.role == "variable" and s.side == "edge"]


def delay_of_each_edge(p: StaticProjection | PlasticProjection, dt: float) -> np.ndarray:
    """Return the delay from a spike of the source to its effect, (E,) float64, ms."""
    steps = p.axonal if isinstance(p, StaticProjection) else p.axonal + p.dendritic
    # Rounded far below any dt, so that three steps of 0.1 ms read 0.3 and not 0.30000000000000004.
    return np.round(np.broadcast_to(steps, p.targets.size) * float(dt), 12)


def value_of_each_edge(
    program: Program,
    memory: Memory,
    owner: str,
    name: str,
    step: int,
) -> np.ndarray:
    """Return a weight, variable or parameter of a projection for each edge.

    Parameters
    ----------
    program : Program
    memory : Memory
    owner, name : str
        The projection, and what is read.
    step : int
        The step that comes next.

    Returns
    -------
    (E,) float64
        In engine units, a copy.
    """
    p = program.projections[owner]
    values = memory.now(owner, name, step - 1)
    if isinstance(p, StaticProjection) and p.shared is not None:
        return values[p.shared].astype(np.float64, copy=False)  # an array of its own
    # Unread parameters are no symbols: they have one value, or one per element of their side.
    if values.size > 1 and isinstance(p, PlasticProjection):
        values = values[_position_of_each_edge(p, name)]
    return np.array(np.broadcast_to(values, p.targets.size), np.float64)


def _position_of_each_edge(p: PlasticProjection, name: str) -> np.ndarray:
    """Return where each edge finds its value of a name, (E,) indices."""
    symbol = p.symbols[name]
    if symbol.side == "edge":
        return np.arange(p.targets.size)
    # A variable of an end is stored once per delay, at which its edges see it.
    if symbol.role == "variable":
        return p.groups(symbol.side).of_edge
    return p.sources if symbol.side == "pre" else p.targets
