"""A network with other values: those of training, or of a run that is to be repeated."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np

from ..draws.values import Shared
from ..network.network import Network
from ..network.populations import Population, View
from ..network.projections import Projection
from ..network.references import Reference
from .edge_values import to_absolute


def replace_values(
    network: Network,
    *,
    populations: Mapping[str, Mapping[str, np.ndarray]],
    weights: Mapping[str, np.ndarray],
) -> Network:
    """Return a network that differs in some values and shares everything else.

    Parameters
    ----------
    network : Network
        Not changed.
    populations : population -> parameter or initial state -> (1,) or (N,)
        In engine units.
    weights : projection -> (E,) or (K,)
        In engine units and in the order of edges in memory: by source, then target. Of shared
        weights, those that edges share.
    """
    result = copy(network)
    result.populations = {
        name: replace(p, values=p.values | _values(populations.get(name, {})))
        for name, p in network.populations.items()
    }
    exchange = _Exchange(result.populations, {})
    result.inputs = []
    result.projections = {}
    result.drives = {}
    # In creation order: links refer to earlier projections.
    for owner in network.inputs:
        if isinstance(owner, Projection):
            weight = weights.get(owner.name)
            new = replace(
                owner,
                source=exchange.view(owner.source),
                target=exchange.view(owner.target),
                links={symbol: exchange.reference(r) for symbol, r in owner.links.items()},
                weight=owner.weight if weight is None else _weight(owner, weight, network.seed),
            )
            exchange.projections[owner.name] = new
            result.projections[owner.name] = new
            result.inputs.append(new)
        else:
            drive = replace(owner, target=exchange.view(owner.target))
            result.drives[owner.name] = drive
            result.inputs.append(drive)
    result.probes = [replace(p, owner=exchange.owner(p.owner)) for p in network.probes]
    result.updates = [replace(u, view=exchange.view(u.view)) for u in network.updates]
    result.signals = [replace(s, view=exchange.view(s.view)) for s in network.signals]
    return result


class _Exchange:
    """Finds the new owner in place of the old one."""

    def __init__(
        self, populations: dict[str, Population], projections: dict[str, Projection]
    ) -> None:
        self.populations = populations
        self.projections = projections

    def view(self, view: View) -> View:
        return View(self.populations[view.name], view.chosen)

    def owner(self, owner: Any) -> Any:
        return self.view(owner) if isinstance(owner, View) else self.projections[owner.name]

    def reference(self, reference: Reference) -> Reference:
        return replace(reference, owner=self.owner(reference.owner))


def _values(values: Mapping[str, np.ndarray]) -> dict[str, Any]:
    # One value for all stays a number, as its user wrote it.
    return {n: float(v[0]) if v.size == 1 else v.astype(np.float64) for n, v in values.items()}


def _weight(p: Projection, weight: np.ndarray, seed: int) -> Any:
    """Return weights in the order in which the user of a projection gives them."""
    if isinstance(p.weight, Shared):
        return Shared(weight.astype(np.float64), p.weight.index)
    edges = p.connect(seed)
    _, _, moved = to_absolute(p, edges)
    position = np.arange(weight.size) if edges.order is None else np.asarray(edges.order)
    position = position if moved is None else position[moved]
    result = np.empty(weight.size)
    result[position] = weight
    return result
