"""What a projection is given, checked at the user's line: wiring, port, weights, delays, links, values of its rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..draws.ranges import POSITIVE, require_range
from ..draws.values import Distribution, Shared
from ..errors import ModelError, NetworkError, describe, describe_unknown
from ..model.cell import Cell
from ..model.declarations import State, decay_constant
from ..model.rule import Rule
from ..units import Exponents, Unit, of
from ..units import unit as unit_of
from .populations import Projection, Reference, View
from .validation import MS, read_quantity, require_shape, to_steps
from .wiring import Connector


def edge_count(connector: Connector, source: View, target: View, where: str) -> int | None:
    """Return the number of edges where it is known before draws are made."""
    recurrent = source.population is target.population
    try:
        return connector.count(len(source), len(target), recurrent=recurrent).known
    except NetworkError as error:
        raise NetworkError(f"{where}: {error}") from None


def port_unit(cell: Cell, port: str | None, rule: Rule | None, where: str) -> Unit | None:
    """Return the unit of a port that takes what is delivered; None where nothing is."""
    if port is None:
        if rule is not None and not any(
            s.target == "out" for h in rule.handlers for s in h.statements
        ):
            return None
        valid = ", ".join(k for k, _ in cell.receives) or "none"
        raise NetworkError(
            f"{where}: no port given, expected one of {cell.name}'s ports: {valid}. Give port=..."
        )
    try:
        found = cell.port(port)
    except ModelError as error:
        raise NetworkError(f"{where}: {error}") from None
    graded = rule is not None and not any(
        s.target == "out" for h in rule.handlers if h.trigger != "step" for s in h.statements
    )
    if found.into is None and cell.step is None and not graded:
        raise NetworkError(
            f"{where}: spikes into port {port!r} of cell {cell.name!r}, which jumps no state: a pulse whose area would depend on dt. "
            "Give the port into=..., write the cell with step=..., or deliver in a 'step' handler."
        )
    return unit_of(found.unit)


def weights(
    weight: Any,
    rule: Rule | None,
    connector: Connector,
    *,
    unit: Unit | None,
    edges: int | None,
    where: str,
) -> Any:
    """Return the weights of a projection in engine units: a number, (E,), a draw or shared ones; None where its rule has none."""
    w = next((v for v in rule.edge if v.name == "w"), None) if rule is not None else None
    if rule is not None and w is None:
        if weight is not None:
            raise NetworkError(
                f"{where}: found weight={weight!r}, but rule {rule.name!r} has no edge variable 'w' to take it. Leave the weight out."
            )
        return None
    if weight is None:
        weight = getattr(connector, "weights", None)
        if weight is None and w is None:
            raise NetworkError(f"{where}: no weight given, expected {unit}. Give weight=...")
        if weight is None:
            weight = 0.0
    this = w.unit if w is not None else unit
    if isinstance(weight, Shared):
        require_shape(weight.index, _per_edge(edges), f"{where}, index of the shared weights")
        return Shared(
            np.atleast_1d(
                read_quantity(weight.values, this, sizes={}, where=f"{where}, shared weights")
            ),
            weight.index,
        )
    return read_quantity(weight, this, sizes=_per_edge(edges), where=f"{where}, weight")


def delays(delay: Any, *, dt: float, rounded: bool, edges: int | None, where: str) -> Any:
    """Return delays in ms: a number, (E,) or a draw; none negative, all whole steps unless ``rounded``."""
    checked = read_quantity(delay, MS, sizes=_per_edge(edges), where=where)
    if isinstance(checked, Distribution):
        if checked.bounds(MS)[0] < 0:
            raise NetworkError(
                f"{where} drawn from {checked} can be negative, expected 0 ms or more. Give low='0 ms' or a larger bound."
            )
        if not rounded and checked.kind != "integers":
            raise NetworkError(
                f"{where} drawn from {checked} is in general no multiple of dt ({dt:g} ms). Give round_delays=True."
            )
        return checked
    if (np.asarray(checked) < 0).any():
        raise NetworkError(
            f"{where} {np.min(checked):g} ms is negative, expected 0 ms or more. Correct it."
        )
    to_steps(checked, dt, where=where, rounded=rounded)
    return checked


def links(
    rule: Rule | None,
    source: View,
    target: View,
    *,
    known: Mapping[str, Any],
    edges: int | None,
    where: str,
) -> tuple[dict[str, Reference], dict[str, tuple[str, Exponents]]]:
    """Return what each link of a rule reads, and its side and dimension; ``known``: what the network holds already, by name."""
    found: dict[str, Reference] = {}
    sides: dict[str, tuple[str, Exponents]] = {}
    for link in rule.reads if rule is not None else ():
        reference = link.reference
        place = f"{where}, link {link.symbol!r}"
        if not isinstance(reference, Reference):
            raise NetworkError(
                f"{place}: found {describe(reference)}, expected a state such as population['v'] or a variable such as projection['z']."
            )
        owner = reference.owner
        if known.get(owner.name) is not (owner.population if isinstance(owner, View) else owner):
            raise NetworkError(
                f"{place}: {owner.name!r} is no population or earlier projection of this network. Add it before this projection."
            )
        if edges is not None and isinstance(reference.along, np.ndarray):
            require_shape(reference.along, _per_edge(edges), place)
        found[link.symbol] = reference
        sides[link.symbol] = _link_side(reference, len(source), len(target), place)
        if link.unit is not None and sides[link.symbol][1] != link.unit.exponents:
            raise NetworkError(
                f"{place}: {reference.name!r} of {owner.name!r} is {of(sides[link.symbol][1])}, but {link.unit} is expected, as of the "
                "parameter that it replaces. Link to a value of that unit."
            )
    return found, sides


def rule_values(
    rule: Rule | None, values: dict[str, Any], *, counts: dict[str, int | None], where: str
) -> dict[str, Any]:
    """Return parameters and variables of a rule in engine units; ``counts``: number of sources, targets and, where known, edges."""
    checked: dict[str, Any] = {}
    declared = {} if rule is None else {p.name: (p.unit, p.per) for p in rule.parameters}
    if rule is not None:
        sides = (("edge", rule.edge), ("source", rule.pre), ("target", rule.post))
        declared |= {
            v.name: (v.unit, side) for side, variables in sides for v in variables if v.name != "w"
        }
    for name, value in values.items():
        if name not in declared:
            raise NetworkError(
                describe_unknown("parameter or variable", name, declared, owner=where)
            )
        this, per = declared[name]
        place = f"{where}, {name}"
        checked[name] = read_quantity(
            value,
            this,
            sizes={f"one per {per}": counts[per]} if per and counts[per] else {},
            where=place,
        )
        if per is None and isinstance(checked[name], np.ndarray):
            raise NetworkError(
                f"{place}: found an array, expected one value. Declare the parameter with Parameter(..., per='source', 'target' or 'edge')."
            )
    for p in rule.parameters if rule is not None else ():
        if p.name not in checked and isinstance(p.value, np.ndarray) and counts[p.per] is not None:
            require_shape(p.value, {f"one per {p.per}": counts[p.per]}, f"{where}, {p.name}")
    for v in (*rule.edge, *rule.pre, *rule.post) if rule is not None else ():
        if v.derivative is not None and decay_constant(v) in checked:
            require_range(
                checked[decay_constant(v)],
                POSITIVE,
                where=f"{where}, {decay_constant(v)}",
                unit="ms",
                remedy="Give a positive time.",
            )
    return checked


def _per_edge(edges: int | None) -> dict[str, int]:
    return {} if edges is None else {"one per edge": edges}


def _delays_differ(p: Projection, at_source: bool) -> bool:
    """Return whether spikes reach the edges of one neuron of this end after different delays."""
    delay, part = (
        (p.delay, 1.0 - p.dendritic_fraction)
        if at_source
        else (p.delay, p.dendritic_fraction)
        if p.back is None
        else (p.back, 1.0)
    )
    return part > 0 and (isinstance(delay, Distribution) or np.unique(delay).size > 1)


def _link_side(
    reference: Reference, n_source: int, n_target: int, place: str
) -> tuple[str, Exponents]:
    owner = reference.owner
    if isinstance(owner, View):
        cell = owner.population.cell
        thing = next(t for t in (*cell.states, *cell.parameters) if t.name == reference.name)
        length = len(owner)
    else:
        thing = next(
            t
            for t in (*owner.rule.pre, *owner.rule.post, *owner.rule.parameters)
            if t.name == reference.name
        )
        pre, post = [v.name for v in owner.rule.pre], [v.name for v in owner.rule.post]
        per = getattr(thing, "per", None)
        length = (
            len(owner.source)
            if thing.name in pre or per == "source"
            else len(owner.target)
            if thing.name in post or per == "target"
            else 1
        )
        if isinstance(thing, State) and _delays_differ(owner, thing.name in pre):
            raise NetworkError(
                f"{place}: {reference.name!r} has one value per neuron and delay of {owner.name!r}, expected one per neuron. "
                "Give the edges of that projection one delay."
            )
        if per == "edge":
            raise NetworkError(
                f"{place}: {reference.name!r} has one value per edge of {owner.name!r}, expected a value per neuron. "
                "Link to a pre or post variable."
            )
    along = reference.along
    if along is None:
        if length != 1:
            raise NetworkError(
                f"{place}: {reference.name!r} of {owner.name!r} has {length} values, expected 1. "
                "Say which one an edge reads: .by('source'), .by('target') or .by(indices)."
            )
        return "one", thing.unit.exponents
    if isinstance(along, str):
        expected = n_source if along == "source" else n_target
        if length != expected:
            raise NetworkError(
                f"{place}: {reference.name!r} of {owner.name!r} has {length} values, expected one for each of {expected} {along} neurons. "
                "Link to as many, or give .by(indices)."
            )
        return ("pre" if along == "source" else "post"), thing.unit.exponents
    if along.size and (along.min() < 0 or along.max() >= length):
        raise NetworkError(
            f"{place}: found an index outside 0 ... {length - 1}, expected indices of {owner.name!r}. Correct the index array."
        )
    return "edge", thing.unit.exponents
