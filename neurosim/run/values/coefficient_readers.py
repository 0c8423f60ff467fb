"""What else must be checked if a parameter of a population changes: divisors elsewhere read it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from ...model.coefficients import coefficients_of_update
from ...network.projections import Projection
from ...network.timed_events import RegularUpdate
from ...network.values.coefficients import parameters_in_coefficients


@dataclass(frozen=True, eq=False)
class CoefficientReaders:
    """Rules, and statements at regular times, whose coefficients read parameters of populations.

    Parameters
    ----------
    owners : mapping of str to Population, Projection or Drive
    updates : tuple of RegularUpdate
    """

    owners: Mapping[str, object]
    updates: tuple[RegularUpdate, ...]

    def has(self, population: str, name: str) -> bool:
        """Return whether anything reads a parameter."""
        return (population, name) in self._of_rules or any(
            update.view.name == population and name in read for update, read in self._of_updates
        )

    def rules(
        self, population: str, changed: Collection[str]
    ) -> Iterator[tuple[Projection, set[str]]]:
        """Yield the projections that read a changed parameter, and the rule's names for these."""
        symbols: dict[str, set[str]] = {}
        for name in changed:
            for projection, symbol in self._of_rules.get((population, name), ()):
                symbols.setdefault(projection, set()).add(symbol)
        for projection, names in symbols.items():
            owner = self.owners[projection]
            assert isinstance(owner, Projection)
            yield owner, names

    def updates_of(self, population: str) -> Iterator[RegularUpdate]:
        """Yield the statements of a population whose coefficients read parameters."""
        return (u for u, read in self._of_updates if u.view.name == population and read)

    # Found when a parameter is first set: most runs set none that is read.
    @cached_property
    def _of_rules(self) -> dict[tuple[str, str], list[tuple[str, str]]]:
        readers: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for owner in self.owners.values():
            if isinstance(owner, Projection):
                for symbol, read in parameters_in_coefficients(owner).items():
                    key = read.population.name, read.name
                    readers.setdefault(key, []).append((owner.name, symbol))
        return readers

    @cached_property
    def _of_updates(self) -> list[tuple[RegularUpdate, set[str]]]:
        return [
            (
                update,
                {
                    name
                    for c in coefficients_of_update(update.view.population.cell, update.statements)
                    for name in c.parameters
                },
            )
            for update in self.updates
        ]
