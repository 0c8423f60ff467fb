"""Checks that numbers from a file of states are some that a run can have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from ...errors import NetworkError
from ...ir.memory import Key
from ...network.populations import Population
from ...network.projections import Drive, Projection
from ...network.sources import require_drive_rate, require_source_value
from ...network.timed_events import RegularUpdate
from ...network.values.coefficients import (
    Ends,
    require_rule_coefficients,
    require_update_coefficients,
)
from ...network.values.population import check_refractory_time, require_time_constants
from .assignments import Owner

# Names of users have no underscore in front; these sums are numbers of a run as well.
_SUMS = ("_port_", "_ring")


def require_finite(arrays: Mapping[Key, np.ndarray], *, where: str) -> None:
    """Raise NetworkError unless all numbers but computed constants are finite.

    Parameters
    ----------
    arrays : mapping of (owner, name) to array
    where : str
        Begins the message.
    """
    for (owner, name), array in arrays.items():
        constant = name.startswith("_") and not name.startswith(_SUMS)
        # A sum reads each value once and allocates nothing.
        if constant or array.dtype.kind != "f" or np.isfinite(array.sum(dtype=np.float64)):
            continue
        if not np.isfinite(array).all():
            raise NetworkError(
                f"{where}: array {name!r} of {owner!r} holds values that no run has, expected "
                "finite numbers. The state is damaged: load another copy or run again."
            )


def require_parameters(
    arrays: Mapping[Key, np.ndarray],
    owners: Iterable[Owner],
    *,
    ends: Mapping[str, Ends],
    updates: Iterable[RegularUpdate],
    dt: float,
    where: str,
) -> None:
    """Raise NetworkError unless all parameters have values that `set` would take.

    Parameters
    ----------
    arrays : mapping of (owner, name) to array
    owners : iterable of Population, Projection or Drive
    ends : mapping of str to Ends
        Edges of the projections with a rule.
    updates : iterable of RegularUpdate
    dt : float, ms
    where : str
        Begins the message.
    """

    def of_cells(population: Population, name: str) -> np.ndarray:
        return arrays[population.name, name]

    for update in updates:
        population = update.view.population
        values = {p.name: of_cells(population, p.name) for p in population.cell.parameters}
        part = f"{where}: every, population {population.name!r}"
        require_update_coefficients(update, values, where=part)
    for owner in owners:
        part = f"{where}: {owner.name!r}"
        if isinstance(owner, Population) and owner.source_spikes is None:
            _require_population(owner, arrays, dt=dt, where=part)
        elif isinstance(owner, Projection) and owner.rule is not None:
            values = {p.name: arrays[owner.name, p.name] for p in owner.rule.parameters}
            require_rule_coefficients(
                owner, values, of_cells=of_cells, where=part, ends=ends[owner.name]
            )
        elif isinstance(owner, Drive):
            # Memory holds the rate of all n trains of a target together.
            rate = arrays[owner.name, "rate"] / owner.n
            require_drive_rate(rate, n=owner.n, dt=dt, where=f"{part}, rate")


def _require_population(
    population: Population, arrays: Mapping[Key, np.ndarray], *, dt: float, where: str
) -> None:
    cell = population.cell
    values = {p.name: arrays[population.name, p.name] for p in cell.parameters}
    require_time_constants(where, cell, values)
    check_refractory_time(where, cell, values, dt)
    for p in cell.parameters:
        require_source_value(
            cell,
            values[p.name],
            size=population.size,
            dt=dt,
            where=f"{where}, {p.name}",
            declared=p.unit,
            shape=values.get("shape", 1.0),
        )
