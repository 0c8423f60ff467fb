"""Links of a rule to values elsewhere in the network, checked when a projection is added."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..draws.values import Distribution
from ..errors import NetworkError, describe
from ..model.declarations import State
from ..model.names import Domain
from ..model.rule import Rule
from ..units import Exponents, Unit, of
from .edges import IntArray
from .populations import View
from .projections import Projection
from .references import Reference
from .validation import require_shape
from .wiring.pair_texts import PairText


def read_links(
    rule: Rule | None,
    source: View,
    target: View,
    *,
    owners: Mapping[str, object],
    edges: int | None,
    where: str,
) -> tuple[dict[str, Reference], dict[str, tuple[Domain, Exponents]]]:
    """Return the value that each link of a rule reads, and its layout.

    Parameters
    ----------
    rule : Rule, optional
    source, target : View
        The ends of the projection.
    owners : mapping
        The populations and projections that the network has already, by name.
    edges : int, optional
        Number of edges, if it is known.
    where : str
        Begins each message.

    Returns
    -------
    references : dict
        By symbol.
    sides : dict
        By symbol: one value per source neuron ("pre"), per target neuron ("post"), per edge
        ("edge") or in all ("one"); and the dimension.

    Raises
    ------
    NetworkError
        If a link refers to no value of the network, or its unit or number of values differs.
    """
    references: dict[str, Reference] = {}
    sides: dict[str, tuple[Domain, Exponents]] = {}
    for link in rule.reads if rule is not None else ():
        link_where = f"{where}, link {link.symbol!r}"
        reference = _require_reference(link.reference, owners, link_where)
        # If the number of edges is random, lengths are checked after the draw.
        if edges is not None and isinstance(reference.along, np.ndarray):
            require_shape(reference.along, {"one per edge": edges}, link_where)
        unit, length = _unit_and_length(reference, link_where)
        side = _side(reference, length, source=source, target=target, where=link_where)
        if link.unit is not None and unit.exponents != link.unit.exponents:
            raise NetworkError(
                f"{link_where}: {reference.name!r} of {reference.owner.name!r} is "
                f"{of(unit.exponents)}, but {link.unit} is expected, as of the "
                "parameter that it replaces. Link to a value of that unit."
            )
        references[link.symbol] = reference
        sides[link.symbol] = side, unit.exponents
    return references, sides


def _require_reference(reference: object, owners: Mapping[str, object], where: str) -> Reference:
    if not isinstance(reference, Reference):
        raise NetworkError(
            f"{where}: found {describe(reference)}, expected a state such as population['v'] "
            "or a variable such as projection['z']."
        )
    owner = reference.owner
    # Compared by identity: a population of another network may have the same name.
    if owners.get(owner.name) is not (owner.population if isinstance(owner, View) else owner):
        raise NetworkError(
            f"{where}: {owner.name!r} is no population or earlier projection of this network. "
            "Add it before this projection."
        )
    return reference


def _unit_and_length(reference: Reference, where: str) -> tuple[Unit, int]:
    """Return the unit of the values that a link refers to, and their number."""
    owner = reference.owner
    name = reference.name
    if isinstance(owner, View):
        cell = owner.population.cell
        parts = (*cell.states, *cell.parameters, *cell.observable)
        units = {declared.name: declared.unit for declared in parts}
        return units[name], len(owner)
    assert isinstance(owner, Projection)  # one of the network's, as `_require_reference` has seen
    declared, per = owner.linkable()[name]
    # Edges of different delays see a neuron's variable at different moments, so engines store it
    # once for each delay, and no single value could be linked.
    if isinstance(declared, State) and _delays_differ(owner, at_source=per == "source"):
        raise NetworkError(
            f"{where}: {name!r} has one value per neuron and delay of {owner.name!r}, "
            "expected one per neuron. Give the edges of that projection one delay."
        )
    if per == "edge":
        raise NetworkError(
            f"{where}: {name!r} has one value per edge of {owner.name!r}, expected a value per "
            "neuron. Link to a pre or post variable."
        )
    lengths = {"source": len(owner.source), "target": len(owner.target)}
    return declared.unit, 1 if per is None else lengths[per]


def _side(
    reference: Reference,
    length: int,
    *,
    source: View,
    target: View,
    where: str,
) -> Domain:
    """Return which part of an edge chooses its value: "pre", "post", "edge"; "one": none does."""
    along = reference.along
    value = f"{reference.name!r} of {reference.owner.name!r}"
    if along is None:
        if length != 1:
            raise NetworkError(
                f"{where}: {value} has {length} values, expected 1. "
                "Say which one an edge reads: .by('source'), .by('target') or .by(indices)."
            )
        return "one"
    if isinstance(along, str):
        expected = len(source if along == "source" else target)
        if reference.which is not None:
            require_shape(reference.which, {f"one per {along} neuron": expected}, where)
            _require_indices(reference.which, length, reference=reference, where=where)
        elif length != expected:
            raise NetworkError(
                f"{where}: {value} has {length} values, expected one for each of {expected} "
                f"{along} neurons. Link to as many, or say which one each neuron reads: "
                f".by({along!r}, indices)."
            )
        return "pre" if along == "source" else "post"
    _require_indices(along, length, reference=reference, where=where)
    return "edge"


def _require_indices(
    index: IntArray,
    length: int,
    *,
    reference: Reference,
    where: str,
) -> None:
    # Negative indices would silently count from the end.
    if index.size and (index.min() < 0 or index.max() >= length):
        raise NetworkError(
            f"{where}: found an index outside 0 ... {length - 1}, expected indices of "
            f"{reference.owner.name!r}. Correct the index array."
        )


def _delays_differ(projection: Projection, *, at_source: bool) -> bool:
    """Return whether spikes reach the edges of one neuron of this end after different delays."""
    # The two parts of a delay meet at the synapse: spikes of the source take the axonal one, spikes
    # of the target the dendritic one, or `back` in its place.
    delay = projection.delay
    part = projection.dendritic_fraction
    if at_source:
        part = 1.0 - part
    elif projection.back is not None:
        delay = projection.back
        part = 1.0
    # A draw counts as different, since its values are not known yet.
    return part > 0 and (isinstance(delay, Distribution | PairText) or np.unique(delay).size > 1)
