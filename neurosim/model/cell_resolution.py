"""Resolution of a cell: its names and units are checked, and names of units become numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..draws.values import Distribution, Table
from ..errors import ModelError, describe
from ..expr.dimensions import WORDS, expect, resolve_units
from ..expr.parse import Parser
from ..expr.tree import Assign, Expr, draws, inline, names
from ..quantities import to_engine
from ..units import NUMBER, TIME, Exponents, Unit, multiply, read, unit
from .declarations import Definition, Port, State, Value
from .dependence import require_definitions, resolve_parameters
from .integration.methods import choose
from .parts import CellParts, find

_PER_TIME = multiply(NUMBER, TIME, -1)
# Without t and dt: a parameter has one value for a run, whatever the step.
_PARAMETER_WORDS = {"i": NUMBER, "N": NUMBER}


def resolve_cell(parts: CellParts, parser: Parser) -> CellParts:
    """Return the parts of a cell with names of units resolved and parameters in order.

    Raises
    ------
    ModelError
        Names defined twice or not at all, units that do not agree, circles, a method that cannot
        take an equation, expressions that are too large.
    """
    owner = parser.owner
    # Ports come first: users may pass anything, and later checks read their fields.
    _require_ports(parts, parser)
    _require_unique_names(parts, owner)
    _require_consistency(parts, owner)
    parts = replace(parts, parameters=resolve_parameters(parts.parameters, owner, _PARAMETER_WORDS))
    # The time can be a parameter, whose unit may follow from others.
    _require_refractory(parts, owner)
    # Circles must be excluded before definitions are written out below.
    require_definitions(parts.definitions, list(statement_trees(parts)), owner)
    parts = _resolve_trees(parts, owner)
    # Only a check: a program chooses again, when it is known which parameters are tables.
    _require_method(parts, owner)
    for name, value in parts.initial:
        _require_initial(value, parts, parts.state(name).unit, f"{owner}, initial {name!r}")
    return parts


def read_update(parts: CellParts, text: str, owner: str) -> tuple[Assign, ...]:
    """Return statements over the states of a resolved cell, with units resolved.

    Parameters
    ----------
    parts : CellParts
    text : str
        Such as ``"v = rest + 5 * mV; u += 1"``.
    owner : str
        Begins messages.

    Raises
    ------
    ModelError
        Syntax, unknown names, units that do not agree, no statement.
    """
    trees = [*statement_trees(parts), *(d.tree for d in parts.definitions)]
    # Draws of equal numbers give equal values, so new ones continue the count of the cell.
    used = (draw.key for tree in trees for draw in draws(tree))
    parser = Parser(owner, first_draw=1 + max(used, default=-1))
    statements = parser.statements(text, part="statements")
    if not statements:
        raise ModelError(f"{owner}: found no statement, expected such as 'v = 0'. Write one.")
    scope = replace(_scope(parts, owner), noisy=_names_of_noise(parts.definitions))
    return tuple(
        scope.resolve_statement(s, _target(parts, s.target, owner), "statements")
        for s in statements
    )


def _target(parts: CellParts, name: str, owner: str) -> State:
    """Return the state that a statement assigns."""
    for parameter in parts.parameters:
        if parameter.name == name:
            raise ModelError(
                f"{owner}: found an assignment to the parameter {name!r}, expected a state. "
                f"Declare it in the equations, '{name} : {parameter.unit.text}', and give its "
                "value with initial=."
            )
    return find(parts.states, name, "state", owner)


def statement_trees(parts: CellParts) -> Iterable[Expr]:
    """Yield the trees of derivatives, statements and the spike condition."""
    yield from (s.derivative for s in parts.states if s.derivative is not None)
    yield from (s.value for s in (*parts.after_spike, *(parts.step or ())))
    if parts.spike is not None:
        yield parts.spike
    if parts.pause is not None:
        yield parts.pause


def require_unique(owner: str, names: Iterable[str]) -> None:
    """Refuse a name that occurs twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ModelError(
                f"{owner}: {name!r} is defined twice, expected each name once. Rename one of them."
            )
        seen.add(name)


def _require_unique_names(parts: CellParts, owner: str) -> None:
    own = (part.name for part in (*parts.states, *parts.parameters, *parts.definitions))
    # A port into a state is no symbol of the equations: it may have the name of its state.
    symbols = (key for key, port in parts.receives if port.into is None)
    require_unique(owner, [*own, *symbols])


def _require_ports(parts: CellParts, parser: Parser) -> None:
    own_names = {part.name for part in (*parts.states, *parts.parameters, *parts.definitions)}
    for key, port in parts.receives:
        where = f"{parser.owner}, port {key!r}"
        parser.check_name(key, "port", read=getattr(port, "into", None) is None)
        if not isinstance(port, Port):
            raise ModelError(
                f"{where}: found {describe(port)}, expected a Port. Write ns.Port('mV', into='v')."
            )
        port_unit = unit(port.unit, where=where)
        if port.into is None:
            continue
        state = find(parts.states, port.into, "state", f"{where}: the cell")
        if state.unit.exponents != port_unit.exponents:
            raise ModelError(
                f"{where}: it is {port_unit}, but its state {port.into!r} is {state.unit}. "
                "Give both one unit."
            )
        if key != port.into and key in own_names:
            raise ModelError(
                f"{parser.owner}: {key!r} is defined twice, expected each name once. "
                "Rename the port or the other."
            )


def _require_consistency(parts: CellParts, owner: str) -> None:
    """Refuse fields that do not go together."""
    for p in parts.parameters:
        if p.per is not None:
            raise ModelError(
                f"{owner}, parameter {p.name!r}: found per={p.per!r}, which is for rules only. "
                "Leave it out: a population gives arrays."
            )
    method = parts.method
    if parts.step is not None and method is not None:
        raise ModelError(
            f"{owner}: has both 'step' and a method ({method!r}), expected one of them. "
            "Leave one out."
        )
    if parts.after_spike and parts.spike is None:
        raise ModelError(
            f"{owner}: has after_spike but no spike condition, expected both. "
            "Add spike='...' or leave after_spike out."
        )


def _require_refractory(parts: CellParts, owner: str) -> None:
    if parts.spike is None and (parts.refractory, parts.pause) != (None, None):
        raise ModelError(
            f"{owner}: has a refractory time but no spike condition, expected both. "
            "Add spike='...' or leave refractory out."
        )
    if parts.refractory is None:
        return
    for frozen in parts.refractory.freezes:
        # Called for its error about unknown names.
        parts.state(frozen)
    time = parts.refractory.time
    if isinstance(time, str) and read(time) is None:
        if not time.isidentifier():
            raise ModelError(
                f"{owner}, refractory: found {describe(time)}, expected a time or the name of a "
                "parameter. Give it such as '2 ms', or a condition such as 'v > threshold'."
            )
        parameter = parts.parameter(time)
        # The value is checked by populations, which may replace it.
        if parameter.unit.exponents != TIME:
            raise ModelError(
                f"{owner}, refractory: {time!r} is {parameter.unit}, but a time (ms) is expected. "
                "Name a time."
            )
        return
    number = to_engine(time, unit("ms"), where=f"{owner}, refractory")
    if np.ndim(number) or not np.isfinite(number) or number < 0:
        raise ModelError(
            f"{owner}, refractory: found {describe(time)}, expected one time of 0 ms or more. "
            "Give it such as '2 ms', or name a parameter."
        )


def _require_initial(
    value: Value,
    parts: CellParts,
    declared: Unit,
    where: str,
) -> None:
    if isinstance(value, Distribution):
        value.check(declared, where=where, error=ModelError)
        return
    if isinstance(value, Table):
        return  # a population checks these two, which knows its parameters and the time step
    # A population has an index and a size, and may have positions.
    words = {*parts.symbols(), *WORDS, "x", "y", "z"}
    if isinstance(value, str):
        if read(value, reserved=words, declared=declared, where=where) is None:
            return
    if not np.isfinite(to_engine(value, declared, where=where)).all():
        raise ModelError(
            f"{where}: {describe(value)} is not finite, expected a number. Give a finite value."
        )


def _require_method(parts: CellParts, owner: str) -> None:
    """Refuse a named method that cannot take one of the equations."""
    if parts.step is not None:
        return
    definitions = {d.name: d.tree for d in parts.definitions}
    derivatives = {
        s.name: inline(s.derivative, definitions) for s in parts.states if s.derivative is not None
    }
    choose(derivatives, parts.method, {p.name for p in parts.parameters}, where=owner)


@dataclass(frozen=True)
class _Scope:
    """The names that the equations of a cell may read."""

    owner: str
    readable: Mapping[str, Exponents]
    symbols: Mapping[str, Exponents]
    tables: set[str]
    noisy: frozenset[str] = frozenset()

    def resolve(
        self,
        tree: Expr,
        expected: Exponents,
        *,
        part: str,
        noise: bool = False,
    ) -> Expr:
        """Return a tree with units resolved; its own unit must be the expected one."""
        where = f"{self.owner}, {part}"
        tree = resolve_units(tree, self.readable, where=where, tables=self.tables, noise=noise)
        noisy = names(tree) & self.noisy
        if noisy and not noise:
            raise ModelError(
                f"{where}: {', '.join(sorted(noisy))} contains xi, noise in continuous time, "
                "expected only in an equation 'dx/dt = ...'. Write normal()."
            )
        expect(tree, self.symbols, expected, where=where)
        return tree

    def resolve_definition(self, definition: Definition) -> Definition:
        part = f"equation of {definition.name}"
        expected = definition.unit.exponents
        # Noise is allowed here: whether a derivative or a statement reads the definition is checked
        # at its readers.
        tree = self.resolve(definition.tree, expected, part=part, noise=True)
        return replace(definition, tree=tree)

    def resolve_state(self, state: State) -> State:
        if state.derivative is None:
            return state
        part = f"equation of {state.name}"
        expected = multiply(state.unit.exponents, _PER_TIME)
        derivative = self.resolve(state.derivative, expected, part=part, noise=True)
        return replace(state, derivative=derivative)

    def resolve_statement(self, statement: Assign, state: State, part: str) -> Assign:
        # Factors of *= and /= are plain numbers.
        sums = statement.op in ("=", "+=", "-=")
        expected = state.unit.exponents if sums else NUMBER
        return replace(statement, value=self.resolve(statement.value, expected, part=part))


def _scope(parts: CellParts, owner: str) -> _Scope:
    """Return the names that statements of a cell may read."""
    symbols = parts.symbols()
    states = {s.name for s in parts.states}
    jumps = {key for key, port in parts.receives if port.into is not None}
    # A port that jumps a state has no value in between which equations could read.
    readable = {name: e for name, e in symbols.items() if name in states or name not in jumps}
    parameters = {p.name for p in parts.parameters}
    return _Scope(owner, WORDS | readable, symbols, parameters)


def _resolve_trees(parts: CellParts, owner: str) -> CellParts:
    scope = _scope(parts, owner)
    definitions = tuple(scope.resolve_definition(d) for d in parts.definitions)
    resolved_states = tuple(scope.resolve_state(s) for s in parts.states)
    # Only equations of change may contain noise: from here on, names that hold it are refused.
    scope = replace(scope, noisy=_names_of_noise(definitions))

    def resolve(statements: tuple[Assign, ...], part: str) -> tuple[Assign, ...]:
        return tuple(
            scope.resolve_statement(s, _target(parts, s.target, owner), part) for s in statements
        )

    spike = parts.spike
    pause = parts.pause
    return replace(
        parts,
        definitions=definitions,
        states=resolved_states,
        spike=None if spike is None else scope.resolve(spike, NUMBER, part="spike"),
        pause=None if pause is None else scope.resolve(pause, NUMBER, part="refractory"),
        after_spike=resolve(parts.after_spike, "after_spike"),
        step=None if parts.step is None else resolve(parts.step, "step"),
    )


def _names_of_noise(definitions: tuple[Definition, ...]) -> frozenset[str]:
    """Return the names of definitions that contain xi, directly or through others."""
    noisy = {d.name for d in definitions if any(draw.kind == "xi" for draw in draws(d.tree))}
    # In rounds, because definitions may name each other in any order.
    while grown := {d.name for d in definitions if names(d.tree) & noisy} - noisy:
        noisy |= grown
    return frozenset(noisy)
