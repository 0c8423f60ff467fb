"""Probes: the variables to record of a population or projection, and their interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..errors import NetworkError, describe, describe_unknown
from ..quantities import as_array
from ..units import Unit, unit
from .populations import View
from .projections import Projection
from .wiring import IntArray


@dataclass(frozen=True, eq=False)
class Probe:
    """A request to record spikes, or a variable every so many steps.

    Attributes
    ----------
    owner : View or Projection
    variable : str
    unit : Unit or None
        None: spikes.
    every : int
        In steps.
    edges : (M,) int64, or None
        Recorded edges of a projection; None: all.
    """

    owner: View | Projection
    variable: str
    unit: Unit | None
    every: int = 1
    edges: IntArray | None = None


def probe_neurons(view: View, variable: str, every: int) -> Probe:
    """Return a probe of spikes or of a state of some neurons.

    Parameters
    ----------
    view : View
    variable : str
        ``"spikes"`` or a state.
    every : int
        Steps between two samples.

    Raises
    ------
    NetworkError
        If there is no such state, or the neurons never spike.
    """
    cell = view.population.cell
    states = {state.name: state.unit for state in cell.states}
    if isinstance(variable, str) and variable == "spikes":
        # Listed spikes need no condition: such a cell has none and spikes nevertheless.
        if cell.spike is None and view.population.given is None:
            raise NetworkError(
                f"record: population {view.name!r} ({cell.name}) never spikes, expected one that "
                f"does. Record one of its states: {', '.join(states) or 'none'}."
            )
        # The interval is left out: spikes between two samples would be lost.
        return Probe(view, variable, None)
    if not isinstance(variable, str) or variable not in states:
        owner, valid = f"population {view.name!r}", ["spikes", *states]
        raise NetworkError(f"record: {describe_unknown('state', variable, valid, owner=owner)}")
    return Probe(view, variable, states[variable], every)


def probe_edges(
    projection: Projection, variable: str, every: int, *, edges: ArrayLike | None
) -> Probe:
    """Return a probe of a variable of some or all edges, or of a pre or post variable.

    Parameters
    ----------
    projection : Projection
    variable : str
    every : int
        Steps between two samples.
    edges : (M,) whole numbers, optional
        Numbers of the recorded edges; None: all.

    Raises
    ------
    NetworkError
        If there is no such variable or edge.
    """
    units = _recordable(projection)
    if not isinstance(variable, str) or variable not in units:
        owner = f"projection {projection.name!r}"
        raise NetworkError(f"record: {describe_unknown('variable', variable, units, owner=owner)}")
    members = None if edges is None else _edge_numbers(edges, projection)
    return Probe(projection, variable, units[variable], every, members)


def _recordable(projection: Projection) -> dict[str, Unit]:
    """Return the units of the variables of a projection that can be recorded, by name."""
    rule = projection.rule
    if rule is not None:
        return {v.name: v.unit for v in (*rule.edge, *rule.pre, *rule.post)}
    if projection.port is None:
        return {}
    # Without a rule the weight is the only variable, and it is added to the port as it stands.
    return {"w": unit(projection.target.population.cell.port(projection.port).unit)}


def _edge_numbers(edges: ArrayLike, projection: Projection) -> IntArray:
    """Return the numbers of recorded edges, (M,) int64."""
    numbers = as_array(edges, where="record: edges")
    # The largest number that is possible: how many edges there are may be random.
    most = projection.edge_count().most
    whole = numbers.ndim == 1 and numbers.dtype.kind in "iu" and numbers.size > 0
    if not whole or numbers.min() < 0 or numbers.max() >= most:
        raise NetworkError(
            f"record: found edges {describe(edges)}, expected whole numbers from 0 to "
            f"{most - 1:.0f}, in one dimension. Correct edges."
        )
    return numbers.astype(np.int64)
