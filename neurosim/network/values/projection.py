"""Values that users pass to a projection: port, weights, delays, values of its rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

from ...draws.values import Distribution, DrawnQuantity, Shared, Weights
from ...errors import ModelError, NetworkError, describe, describe_unknown
from ...expr.parse import Parser
from ...model.cell import Cell
from ...model.rule import Rule
from ...units import Unit
from ...units import unit as unit_of
from ..edges import Connector
from ..populations import View
from ..validation import MS, EngineValue, read_quantity, require_shape, to_steps
from ..wiring.pair_texts import PairText, is_pair_text, read_pair_text, read_side_text
from ..wiring.pairs import Pairs, Side

PER_EDGE = "one per edge"
EdgeValue: TypeAlias = EngineValue | PairText
"""A value of edges that was read: in engine units, a draw, or text over pairs."""


def count_edges(
    connector: Connector,
    source: View,
    target: View,
    where: str,
) -> int | None:
    """Return the number of edges if it is known before draws are made, else None.

    Parameters
    ----------
    connector : Connector
    source, target : View
    where : str
        Begins the message.

    Raises
    ------
    NetworkError
        If the connector cannot join so many neurons.
    """
    recurrent = source.population is target.population
    try:
        return connector.count(len(source), len(target), recurrent=recurrent).known
    # Connectors do not know their projection: its name is put before their message.
    except NetworkError as error:
        raise NetworkError(f"{where}: {error}") from None


def default_port(cell: Cell, port: str | None) -> str | None:
    """Return the port, or the only one of the cell if none is named."""
    if port is None and len(cell.receives) == 1:
        return cell.receives[0][0]
    return port


def require_port(cell: Cell, port: str | None, where: str) -> str:
    """Return the name of a port; raise if none is named."""
    if port is not None:
        return port
    if not cell.receives:
        raise NetworkError(
            f"{where}: cell {cell.name!r} has no ports, expected a target that receives. "
            "Name another, or give its cell a port: receives={'v': ns.Port('mV', into='v')}."
        )
    valid = ", ".join(name for name, _ in cell.receives)
    raise NetworkError(
        f"{where}: no port given, expected one of {cell.name}'s ports: {valid}. Give port=..."
    )


def port_unit(
    cell: Cell,
    port: str,
    where: str,
    *,
    graded: bool = False,
) -> Unit:
    """Return the unit of a port.

    Parameters
    ----------
    cell : Cell
        Of the target.
    port : str
    where : str
        Begins the message.
    graded : bool
        Whether the port gets a value in each step, and no spikes.

    Raises
    ------
    NetworkError
        If the cell has no such port, or its port cannot take spikes.
    """
    try:
        declared = cell.port(port)
    except ModelError as error:
        raise NetworkError(f"{where}: {error}") from None
    # A value in every step is a signal of finite size; a spike without a state to jump is not.
    if declared.into is None and cell.step is None and not graded:
        raise NetworkError(
            f"{where}: spikes into port {port!r} of cell {cell.name!r}, which jumps no state: "
            "a pulse whose area would depend on dt. Give the port into=..., "
            "write the cell with step=..., or deliver in a 'step' handler."
        )
    return unit_of(declared.unit)


def unit_of_delivery(
    cell: Cell,
    port: str | None,
    rule: Rule | None,
    where: str,
) -> Unit | None:
    """Return the unit of the values that a projection delivers; None if it delivers nothing.

    Parameters
    ----------
    cell : Cell
        Of the target.
    port : str, optional
    rule : Rule, optional
        None: edges deliver their weights.
    where : str
        Begins the message.

    Raises
    ------
    NetworkError
        If the port is missing or unknown, or cannot take spikes.
    """
    triggers = {"pre"} if rule is None else _triggers_of_delivery(rule)
    if port is None and not triggers:
        return None
    name = require_port(cell, port, where)
    # Deliveries of "step" handlers reach the port in every step, as a current would.
    return port_unit(cell, name, where, graded=triggers <= {"step"})


def _triggers_of_delivery(rule: Rule) -> set[str]:
    """Return the triggers of the handlers that add to the port."""
    return {
        handler.trigger
        for handler in rule.handlers
        if any(statement.target == "out" for statement in handler.statements)
    }


def read_weights(
    weight: Weights | None,
    rule: Rule | None,
    connector: Connector,
    *,
    unit: Unit | None,
    edges: int | None,
    pairs: Pairs,
    where: str,
) -> EdgeValue | Shared | None:
    """Return the weights of a projection in engine units; None if its rule has none.

    Parameters
    ----------
    weight : quantity, array (E,), draw, `Shared`, text over pairs or None
        None: the weights of the connector; if it has none, 0 with a rule.
    rule : Rule, optional
        Weights are the initial values of its edge variable ``w``, in the unit of that variable.
    connector : Connector
    unit : Unit, optional
        Of the port: that of weights without a rule.
    edges : int, optional
        Number of edges, if it is known.
    pairs : Pairs
        That texts read.
    where : str
        Begins each message.

    Raises
    ------
    NetworkError
        If weights are missing or of a wrong unit or number, or the rule has no ``w``.
    """
    expected = unit if rule is None else _weight_unit(rule)
    if expected is None:
        if weight is not None:
            raise NetworkError(
                f"{where}: found weight={weight!r}, but rule {rule.name if rule else ''!r} has no "
                "edge variable 'w' to take it. Leave the weight out."
            )
        return None
    if weight is None:
        # No part of the protocol, because most connectors have no weights.
        weight = getattr(connector, "weights", None)
    if weight is None and rule is not None:
        # Like every other variable of a rule, w begins at 0.
        weight = 0.0
    if weight is None:
        raise NetworkError(f"{where}: no weight given, expected {expected}. Give weight=...")
    if not isinstance(weight, Shared):
        return _read_edge_value(
            weight, expected, edges=edges, pairs=pairs, where=where, part="weight"
        )
    require_shape(weight.index, _per_edge(edges), f"{where}, index of the shared weights")
    # Few values serve many edges: their number is free, the index has one entry per edge.
    values = read_quantity(weight.values, expected, sizes={}, where=f"{where}, shared weights")
    if isinstance(values, Distribution):
        raise NetworkError(
            f"{where}, shared weights: found {values}, expected numbers: a draw has no values "
            "before the network is prepared. Draw them with NumPy."
        )
    if np.size(values) == 1:
        return float(np.ravel(values)[0])  # needs no index
    return Shared(np.asarray(values), weight.index)


def _read_edge_value(
    value: DrawnQuantity,
    declared: Unit,
    *,
    edges: int | None,
    pairs: Pairs,
    where: str,
    part: str,
) -> EdgeValue:
    """Return a value of edges in engine units; text over pairs stays text."""
    if is_pair_text(value, pairs):
        text = read_pair_text(value, declared, pairs, parser=Parser(where), part=part)
        # One number in place of one for each edge: 2 * 10 pA is 20 pA.
        return text if text.differs else text.number()
    return read_quantity(value, declared, sizes=_per_edge(edges), where=f"{where}, {part}")


def _weight_unit(rule: Rule) -> Unit | None:
    return next((variable.unit for variable in rule.edge if variable.name == "w"), None)


def read_delays(
    delay: DrawnQuantity,
    *,
    dt: float,
    rounded: bool,
    edges: int | None,
    pairs: Pairs,
    where: str,
    part: str = "delay",
) -> EdgeValue:
    """Return delays in ms.

    Parameters
    ----------
    delay : time, array (E,), draw or text over pairs
    dt : float, ms
    rounded : bool
        Whether delays are rounded to whole steps.
    edges : int, optional
        Number of edges, if it is known.
    pairs : Pairs
        That texts read.
    where : str
        Begins each message.
    part : str
        The name of the delay, for messages.

    Raises
    ------
    NetworkError, ModelError
        If a delay is or can be negative, or is no multiple of dt and not rounded.
    """
    if is_pair_text(delay, pairs):
        # Whether values are multiples of dt is seen as soon as there are edges.
        text = read_pair_text(delay, MS, pairs, parser=Parser(where), part=part, least=0.0)
        if text.differs:
            return text
        delay = text.number()
    where = f"{where}: {part}"
    checked = read_quantity(delay, MS, sizes=_per_edge(edges), where=where)
    if isinstance(checked, Distribution):
        if checked.bounds(MS)[0] < 0:
            raise NetworkError(
                f"{where} drawn from {checked} can be negative, expected 0 ms or more. "
                "Give low='0 ms' or a larger bound."
            )
        # Whole milliseconds can be multiples of dt; this is checked after the draw.
        if not rounded and not checked.is_whole:
            raise NetworkError(
                f"{where} drawn from {checked} is in general no multiple of dt ({dt:.12g} ms). "
                "Give round_delays=True."
            )
        return checked
    # Before steps are counted, since rounding would turn -0.04 ms into 0.
    if (np.asarray(checked) < 0).any():
        raise NetworkError(
            f"{where} {np.min(checked):.12g} ms is negative, expected 0 ms or more. Correct it."
        )
    to_steps(checked, dt, where=where, rounded=rounded)
    return checked


def read_fraction(
    fraction: float,
    delay: EdgeValue,
    *,
    dt: float,
    rounded: bool,
    where: str,
) -> float:
    """Return the dendritic fraction of delays.

    Parameters
    ----------
    fraction : float (1)
    delay : number, (E,) array, draw or text, ms
    dt : float, ms
    rounded : bool
        Whether both parts of a delay are rounded to whole steps.
    where : str
        Begins each message.

    Raises
    ------
    NetworkError
        If it is no number from 0 to 1, or a part of a delay is no multiple of dt and not rounded.
    """
    number = read_quantity(fraction, unit_of("1"), sizes={}, where=f"{where}, dendritic_fraction")
    if not isinstance(number, float) or not 0.0 <= number <= 1.0:
        raise NetworkError(
            f"{where}: found dendritic_fraction {describe(fraction)}, "
            "expected one number from 0 to 1. Correct it."
        )
    if not isinstance(delay, Distribution | PairText):
        part_where = f"{where}: a part of the delay (dendritic_fraction {number:g})"
        # Spikes of both ends meet at the synapse, at a whole step.
        for part in (number, 1.0 - number):
            to_steps(part * np.asarray(delay), dt, where=part_where, rounded=rounded)
    return number


def read_rule_values(
    rule: Rule | None,
    values: Mapping[str, DrawnQuantity],
    *,
    counts: Mapping[str, int | None],
    pairs: Pairs,
    where: str,
) -> dict[str, EdgeValue]:
    """Return parameters and variables of a rule in engine units.

    Parameters
    ----------
    rule : Rule, optional
    values : mapping
        By name.
    counts : mapping
        Number of "source" and "target" neurons and, if it is known, of "edge"; else None.
    pairs : Pairs
        That texts of edges read.
    where : str
        Begins each message.

    Raises
    ------
    NetworkError
        An unknown name, a wrong unit or length, a time constant that is not positive.
    """
    declared = {} if rule is None else _declarations(rule)
    checked: dict[str, EdgeValue] = {}
    for name, value in values.items():
        if name not in declared:
            raise NetworkError(
                describe_unknown("parameter or variable", name, declared, owner=where)
            )
        unit, per = declared[name]
        if per == "edge":
            checked[name] = _read_edge_value(
                value, unit, edges=counts["edge"], pairs=pairs, where=where, part=name
            )
            continue
        if per is not None and is_pair_text(value, pairs):
            side: Side = "pre" if per == "source" else "post"
            checked[name] = read_side_text(
                value, unit, pairs, side=side, parser=Parser(where), part=name
            )
            continue
        count = counts[per] if per else None
        value_where = f"{where}, {name}"
        # An unknown number of edges leaves the length to the check after the draw.
        sizes = {f"one per {per}": count} if count else {}
        checked[name] = read_quantity(value, unit, sizes=sizes, where=value_where)
        if per is None and isinstance(checked[name], np.ndarray):
            raise NetworkError(
                f"{value_where}: found an array, expected one value. Declare the parameter with "
                "Parameter(..., per='source', 'target' or 'edge')."
            )
    if rule is not None:
        _check_defaults(rule, checked, counts, where)
    return checked


def _declarations(rule: Rule) -> dict[str, tuple[Unit, str | None]]:
    """Return unit and layout of each value of a rule, by name.

    Layout: one value per "source", "target" or "edge"; None: one in all.
    """
    declared = {parameter.name: (parameter.unit, parameter.per) for parameter in rule.parameters}
    for side, variables in (("edge", rule.edge), ("source", rule.pre), ("target", rule.post)):
        # The weight has an argument of its own.
        declared |= {v.name: (v.unit, side) for v in variables if v.name != "w"}
    return declared


def _check_defaults(
    rule: Rule,
    values: Mapping[str, EdgeValue],
    counts: Mapping[str, int | None],
    where: str,
) -> None:
    """Raise if an array among the rule's own parameters does not fit the projection."""
    for parameter in rule.parameters:
        count = counts[parameter.per] if parameter.per else None
        default = parameter.value
        if parameter.name in values or count is None or not isinstance(default, np.ndarray):
            continue
        sizes = {f"one per {parameter.per}": count}
        require_shape(default, sizes, f"{where}, {parameter.name}")


def _per_edge(edges: int | None) -> dict[str, int]:
    return {} if edges is None else {PER_EDGE: edges}
