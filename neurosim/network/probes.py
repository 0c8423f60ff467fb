"""Probes: the variables to record of a population or projection, and their interval."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from ..errors import NetworkError, describe, describe_unknown
from ..quantities import as_array
from ..units import Unit, unit
from .edges import IntArray
from .populations import View
from .projections import Projection


@dataclass(frozen=True, eq=False)
class Probe:
    """A request to record spikes, or a variable every so many steps or at spikes.

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
    trace : str
        Name of the trace in recordings if it is not that of the variable.
    at_spikes : bool
        Whether the variable is recorded of each neuron that spikes, as its spike finds it.
    """

    owner: View | Projection
    variable: str
    unit: Unit | None
    every: int = 1
    edges: IntArray | None = None
    trace: str = ""
    at_spikes: bool = False

    @property
    def label(self) -> str:
        """Name of the trace in recordings."""
        return self.trace or self.variable


def probe_neurons(view: View, variable: str, every: int) -> Probe:
    """Return a probe of spikes, a state or a definition of some neurons.

    Parameters
    ----------
    view : View
    variable : str
        ``"spikes"``, a state or a definition.
    every : int
        Steps between two samples.

    Raises
    ------
    NetworkError
        If there is no such state, or the neurons never spike.
    """
    cell = view.population.cell
    states = {part.name: part.unit for part in (*cell.states, *cell.observable)}
    if isinstance(variable, str) and variable == "spikes":
        # Listed spikes need no condition: such a cell has none and spikes nevertheless.
        if cell.spike is None and view.population.source_spikes is None:
            others = ", ".join(name for name in states if name != "spikes") or "none"
            renamed = " Rename its state 'spikes' to record it." if "spikes" in states else ""
            raise NetworkError(
                f"record: population {view.name!r} ({cell.name}) never spikes, expected one that "
                f"does. Record one of its states: {others}.{renamed}"
            )
        # The interval is left out: spikes between two samples would be lost.
        return Probe(view, variable, None)
    if not isinstance(variable, str) or variable not in states:
        owner = f"population {view.name!r}"
        valid = ["spikes", *states]
        unknown = describe_unknown("state", variable, valid, owner=owner)
        listed = isinstance(variable, list | tuple | set)
        remedy = " Give names one after another: net.record(population, 'v', 'u')."
        raise NetworkError(f"record: {unknown}{remedy if listed else ''}")
    return Probe(view, variable, states[variable], every)


def probe_at_spikes(view: View, variable: str) -> Probe:
    """Return a probe of a state or definition of some neurons at each of their spikes.

    Parameters
    ----------
    view : View
    variable : str
        A state or a definition.

    Raises
    ------
    NetworkError
        If there is no such state, or the neurons never spike.
    """
    if isinstance(variable, str) and variable == "spikes":
        raise NetworkError(
            "record: found 'spikes' with at='spikes', expected names of states. "
            "Record spikes in a call of their own."
        )
    probe = probe_neurons(view, variable, 1)
    # Called for its error about neurons that never spike.
    probe_neurons(view, "spikes", 1)
    return replace(probe, at_spikes=True)


def probe_edges(
    projection: Projection,
    variable: str,
    every: int,
    *,
    edges: ArrayLike | None,
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


def name_trace(
    probe: Probe,
    name: str | None,
    variables: Collection[str],
    *,
    recorded: Collection[tuple[str, str]],
) -> Probe:
    """Return a probe whose trace has a name of its own.

    Parameters
    ----------
    probe : Probe
    name : str, optional
        That the user gave.
    variables : names
        All that are recorded by the same call.
    recorded : (owner, name of a trace)
        Of everything that is recorded already.

    Raises
    ------
    NetworkError
        If the name is malformed or in use, or names the wrong thing.
    """
    if name is not None:
        _require_name(name, probe, variables)
        probe = replace(probe, trace=name)
    owner = probe.owner.name
    if (owner, probe.label) in recorded and name is None and isinstance(probe.owner, View):
        part = probe.owner.label.removeprefix(owner)
        # Spikes of a population are one list.
        if probe.unit is not None and part:
            probe = replace(probe, trace=f"{probe.variable}{part}")
    if (owner, probe.label) not in recorded:
        return probe
    remedy = "" if probe.unit is None else " Or give the further trace a name: name='v_fine'."
    raise NetworkError(
        f"record: {probe.label!r} of {owner!r} is recorded already. "
        f"Record all its members in one call.{remedy}"
    )


def _require_name(name: object, probe: Probe, variables: Collection[str]) -> None:
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][\w.-]*", name, re.ASCII):
        raise NetworkError(
            f"record, name: found {describe(name)}, expected letters, digits or one of '_ . -', "
            "beginning with a letter. Choose another name."
        )
    if len(variables) != 1 or probe.unit is None:
        raise NetworkError(
            f"record: found name={name!r} with {', '.join(map(repr, variables))}, expected it with "
            "one variable that has a trace. Record each in a call of its own."
        )
    if isinstance(probe.owner, View):
        others = [s.name for s in probe.owner.population.cell.states]
    else:
        others = list(_recordable(probe.owner))
    if name != probe.variable and name in (*others, "spikes"):
        raise NetworkError(
            f"record: found name={name!r} for {probe.variable!r}, expected none that means "
            "something else here. Choose another name."
        )
