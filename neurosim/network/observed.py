"""Definitions that something reads from outside of their cell: records, rules and links."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..expr.tree import names
from .network import Network
from .populations import Population, View
from .projections import Projection


def observed_definitions(network: Network) -> dict[str, tuple[str, ...]]:
    """Return the observed definitions of each population that has some, in order of first use.

    A run stores them in each step, as it stores states; all others are computed where they stand.
    """
    observed: dict[str, dict[str, None]] = {}
    for population, name in _reads(network):
        if name in {definition.name for definition in population.cell.definitions}:
            observed.setdefault(population.name, {})[name] = None
    return {population: tuple(names) for population, names in observed.items()}


def _reads(network: Network) -> Iterator[tuple[Population, str]]:
    for probe in network.probes:
        if isinstance(probe.owner, View):
            yield probe.owner.population, probe.variable
    for projection in network.projections.values():
        yield from _reads_of_rule(projection)


def _reads_of_rule(projection: Projection) -> Iterator[tuple[Population, str]]:
    for reference in projection.links.values():
        if isinstance(reference.owner, View):
            yield reference.owner.population, reference.name
    if projection.bound is None:
        return
    ends: Mapping[str, View] = {"pre": projection.source, "post": projection.target}
    handlers = projection.bound.handlers
    equations = projection.bound.equations
    trees = [[s.value for s in statements] for _, statements in handlers]
    trees += [[tree for _, tree in side.derivatives] for side in equations]
    for read_together in trees:
        # Sorted: the order of a set differs from process to process, and that of first use is kept.
        for name in sorted(set().union(*map(names, read_together))):
            symbol = projection.bound.symbols.get(name)
            if symbol is not None and symbol.role == "cell":
                yield ends[symbol.side].population, symbol.origin
