"""Cell and Rule: what one neuron does, and what one edge does and learns, as equations with units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .errors import ModelError, unknown
from .expr.dimensions import dimension, expect, resolve_units
from .expr.parse import Equation, Parser
from .expr.printing import show
from .expr.tree import Assign, Expr, Lookup, Name, Number, inline, names, rewrite
from .units import NUMBER, TIME, Exponents, Unit, multiply, of, read, to_engine, unit
from .values import Distribution, Table

METHODS = ("exact", "exponential_euler", "euler", "heun", "rk4")
SIDES = (None, "source", "target", "edge")


@dataclass(frozen=True)
class State:
    """One number per neuron (or edge) that the equations change; ``derivative`` None: changed by events only."""

    name: str
    unit: Unit
    derivative: Expr | None = None


@dataclass(frozen=True)
class Parameter:
    """A named constant: ``value`` may be a quantity, an array, a draw, a table over time, or text over other parameters.

    ``per`` matters in rules only: None for one value, or ``"source"``, ``"target"``, ``"edge"`` for one each.
    """

    unit: str
    value: Any
    per: str | None = None


@dataclass(frozen=True)
class Constant:
    """A parameter as the cell keeps it: name, unit, and its value as given (text over others: as a tree)."""

    name: str
    unit: Unit
    value: Any
    per: str | None = None


@dataclass(frozen=True)
class Definition:
    """A named sub-expression, computed wherever it is read."""

    name: str
    unit: Unit
    tree: Expr


@dataclass(frozen=True)
class Port:
    """A named input; contributions to it are summed. ``into``: the state that an arriving weight jumps, or None."""

    unit: str
    into: str | None = None


@dataclass(frozen=True)
class Refractory:
    """For ``time`` after a spike no spike is emitted, and the states in ``freezes`` keep their values."""

    time: Any
    freezes: str | tuple[str, ...] = ()


@dataclass(frozen=True)
class Handler:
    """Statements run on a trigger: ``"pre"``, ``"post"``, ``"step"`` or the name of a signal."""

    trigger: str
    statements: tuple[Assign, ...]


@dataclass(frozen=True)
class Link:
    """A symbol of a rule bound to a state or parameter of a population, or to a variable of an earlier projection."""

    symbol: str
    reference: Any


@dataclass(frozen=True, init=False)
class Cell:
    """The equations of one neuron, astrocyte or readout.

    Parameters
    ----------
    equations : str
        Lines ``dx/dt = expression : unit``, ``x = expression : unit`` (a definition) or ``x : unit`` (a state changed by events only).
    parameters : mapping name -> quantity, `Parameter`, draw, or text over other parameters
    receives : mapping name -> `Port`
    spike : str, optional
        Condition of the one event; None for cells that do not spike.
    after_spike : str
        Statements of the reset.
    refractory : `Refractory` or time, optional
        A bare time blocks emission only.
    step : str, optional
        Statements instead of an integration method.
    method : str, optional
        ``exact``, ``exponential_euler``, ``euler``, ``heun`` or ``rk4``; unless named: exact where linear, else exponential Euler, else Euler.
    initial : mapping state -> value
    name : str
        For messages and reports.

    Raises
    ------
    ModelError
        Syntax, unknown names, units; at this line.
    """

    name: str
    states: tuple[State, ...]
    parameters: tuple[Constant, ...]
    definitions: tuple[Definition, ...]
    receives: tuple[tuple[str, Port], ...]
    spike: Expr | None
    after_spike: tuple[Assign, ...]
    refractory: Refractory | None
    step: tuple[Assign, ...] | None
    method: str | None
    initial: tuple[tuple[str, Any], ...]

    def __init__(self, equations: str = "", *, parameters: Mapping[str, Any] | None = None, receives: Mapping[str, Port] | None = None,
                 spike: str | None = None, after_spike: str = "", refractory: Any = None, step: str | None = None, method: str | None = None,
                 initial: Mapping[str, Any] | None = None, name: str = "cell") -> None:
        parser = Parser(f"cell {name!r}")
        parsed = parser.equations(equations)
        states = tuple(State(e.name, unit(e.unit), e.tree) for e in parsed if e.derivative or e.tree is None)
        definitions = tuple(Definition(e.name, unit(e.unit), e.tree) for e in parsed if not e.derivative and e.tree is not None)
        constants = tuple(constant(parser, key, value) for key, value in (parameters or {}).items())
        for key in receives or {}:
            parser.check_name(key, "port")
        if refractory is not None and not isinstance(refractory, Refractory):
            refractory = Refractory(refractory)
        if refractory and isinstance(refractory.freezes, str):
            refractory = replace(refractory, freezes=tuple(refractory.freezes.replace(",", " ").split()))
        keep = object.__setattr__
        keep(self, "name", name)
        keep(self, "states", states)
        keep(self, "parameters", constants)
        keep(self, "definitions", definitions)
        keep(self, "receives", tuple((receives or {}).items()))
        keep(self, "spike", parser.expression(spike, place="spike") if spike is not None else None)
        keep(self, "after_spike", parser.statements(after_spike, place="after_spike"))
        keep(self, "refractory", refractory)
        keep(self, "step", parser.statements(step, place="step") if step is not None else None)
        keep(self, "method", method)
        keep(self, "initial", tuple((initial or {}).items()))
        _check_cell(self)

    def state(self, name: str) -> State:
        """Return a state by name."""
        return _find(self.states, name, "state", f"cell {self.name!r}")

    def parameter(self, name: str) -> Constant:
        """Return a parameter by name."""
        return _find(self.parameters, name, "parameter", f"cell {self.name!r}")

    def port(self, name: str) -> Port:
        """Return a port by name."""
        for key, port in self.receives:
            if key == name:
                return port
        raise ModelError(unknown("port", name, [key for key, _ in self.receives], owner=f"cell {self.name!r}"))

    def symbols(self) -> dict[str, Exponents]:
        """Return the exponents of every name that the equations may read."""
        known = {s.name: s.unit.exponents for s in (*self.states, *self.parameters, *self.definitions)}
        known.update({key: port_exponents(self, port) for key, port in self.receives if key not in known})
        return known


@dataclass(frozen=True, init=False)
class Rule:
    """What an edge does and learns.

    Parameters
    ----------
    edge, pre, post : str
        Variables with units, one value per edge, source neuron, target neuron: ``w : nA``, or ``dx/dt = -x / tau : 1`` for a decaying one.
    handlers : sequence of (trigger, statements)
        Run in this order; ``out += expression`` is the delivery.
    parameters, definitions
        As in a `Cell`; definitions as text ``name = expression : unit``.
    reads : mapping symbol -> reference
        Links, such as ``{"level": glia["a"]}``; see also `reading`.

    Raises
    ------
    ModelError
        Syntax, unknown triggers, derivatives other than a decay; units are checked where the rule meets its cells.
    """

    name: str
    edge: tuple[State, ...]
    pre: tuple[State, ...]
    post: tuple[State, ...]
    reads: tuple[Link, ...]
    parameters: tuple[Constant, ...]
    definitions: tuple[Definition, ...]
    handlers: tuple[Handler, ...]

    def __init__(self, *, edge: str = "", pre: str = "", post: str = "", handlers: Iterable[tuple[str, str]] = (),
                 parameters: Mapping[str, Any] | None = None, definitions: str = "", reads: Mapping[str, Any] | None = None, name: str = "rule") -> None:
        parser = Parser(f"rule {name!r}")
        sides = {side: tuple(_variable(parser, e, side) for e in parser.equations(text)) for side, text in (("edge", edge), ("pre", pre), ("post", post))}
        constants = tuple(constant(parser, key, value) for key, value in (parameters or {}).items())
        named = tuple(Definition(e.name, unit(e.unit), _defined(parser, e)) for e in parser.equations(definitions))
        parsed = tuple(Handler(trigger, parser.statements(text, place=f"handler {trigger!r}")) for trigger, text in handlers)
        for symbol in reads or {}:
            parser.check_name(symbol, "link")
        keep = object.__setattr__
        keep(self, "name", name)
        for side, variables in sides.items():
            keep(self, side, variables)
        keep(self, "parameters", constants)
        keep(self, "definitions", named)
        keep(self, "reads", tuple(Link(symbol, reference) for symbol, reference in (reads or {}).items()))
        keep(self, "handlers", parsed)
        _check_rule(self, parser)

    def reading(self, **links: Any) -> Rule:
        """Return a rule whose parameters (time constants of decays excepted) follow a state of another population."""
        changed = object.__new__(Rule)
        for field in ("name", "edge", "pre", "post", "definitions", "handlers"):
            object.__setattr__(changed, field, getattr(self, field))
        for symbol in links:
            _find(self.parameters, symbol, "parameter", f"rule {self.name!r}")
            for variable in (*self.edge, *self.pre, *self.post):
                if variable.derivative is not None and symbol in names(variable.derivative):
                    raise ModelError(f"rule {self.name!r}: {symbol!r} is the time constant of {variable.name!r} and cannot be linked. "
                                     "Write the decay in a 'step' handler instead.")
        object.__setattr__(changed, "parameters", tuple(p for p in self.parameters if p.name not in links))
        object.__setattr__(changed, "reads", (*self.reads, *(Link(symbol, reference) for symbol, reference in links.items())))
        return changed

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the signals that the rule listens to."""
        return tuple(dict.fromkeys(h.trigger for h in self.handlers if h.trigger not in ("pre", "post", "step")))


def constant(parser: Parser, name: str, value: Any) -> Constant:
    """Read one parameter as the user gave it; quantities of unknown unit take the unit of their text."""
    parser.check_name(name, "parameter")
    place = f"{parser.owner}, parameter {name!r}"
    per = None
    if isinstance(value, Parameter):
        declared, per = unit(value.unit), value.per
        if per not in SIDES:
            raise ModelError(f"{place}: {unknown('side', str(per), [s for s in SIDES if s])}")
        return Constant(name, declared, _given(parser, value.value, declared, name, place), per)
    if isinstance(value, str):
        found = read(value)
        if found is not None:
            return Constant(name, found[1], found[0] * found[1].size)
        return Constant(name, Unit("?", NUMBER), parser.expression(value, place=f"parameter {name!r}"))
    declared = of(NUMBER)
    if hasattr(value, "units") and hasattr(value, "magnitude"):
        declared = unit(f"{value.units:~C}".replace("µ", "u").replace(" ", ""))
    if isinstance(value, Distribution):
        quantities = [read(a)[1] for a in value.arguments if isinstance(a, str) and read(a)]
        declared = quantities[0] if quantities else declared
    if isinstance(value, Table) and value.unit:
        declared = unit(value.unit)
    return Constant(name, declared, _given(parser, value, declared, name, place))


def _given(parser: Parser, value: Any, declared: Unit, name: str, place: str) -> Any:
    if isinstance(value, Distribution | Table):
        return value
    if isinstance(value, str) and read(value) is None:
        return parser.expression(value, place=f"parameter {name!r}")
    number = to_engine(value, declared, where=place)
    if not np.isfinite(number).all():
        raise ModelError(f"{place}: {value!r} is not finite, expected a number. Give a finite value.")
    return number


def _find(things: tuple, name: str, kind: str, owner: str) -> Any:
    for thing in things:
        if thing.name == name:
            return thing
    raise ModelError(unknown(kind, name, [t.name for t in things], owner=owner))


def _unique(owner: str, found: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in found:
        if name in seen:
            raise ModelError(f"{owner}: {name!r} is defined twice. Rename one of them.")
        seen.add(name)


def port_exponents(cell: Cell, port: Port) -> Exponents:
    """Return the dimension of what arrives at a port."""
    return unit(port.unit).exponents


def _check_cell(cell: Cell) -> None:
    owner = f"cell {cell.name!r}"
    into = {key for key, port in cell.receives if port.into is not None}
    _unique(owner, [*(s.name for s in (*cell.states, *cell.parameters, *cell.definitions)), *(k for k, _ in cell.receives if k not in into)])
    for key, port in cell.receives:
        if port.into is not None and cell.state(port.into).unit.exponents != unit(port.unit).exponents:
            raise ModelError(f"{owner}, port {key!r}: it is {unit(port.unit)}, but its state {port.into!r} is {cell.state(port.into).unit}. Give both one unit.")
        if port.into is not None and key != port.into and key in cell.symbols() and key in {s.name for s in (*cell.states, *cell.parameters)}:
            raise ModelError(f"{owner}: {key!r} is defined twice. Rename the port or the state.")
    if cell.method is not None and cell.method not in METHODS:
        raise ModelError(f"{owner}: {unknown('method', cell.method, METHODS)}")
    if cell.step is not None and cell.method is not None:
        raise ModelError(f"{owner}: has both 'step' and a method ({cell.method!r}), expected one of them. Leave one out.")
    _check_refractory(cell, owner)
    resolve_cell(cell, owner)
    for key, _ in cell.initial:
        cell.state(key)


def _check_refractory(cell: Cell, owner: str) -> None:
    if cell.refractory is None:
        return
    if cell.spike is None:
        raise ModelError(f"{owner}: has a refractory time but no spike condition. Add spike='...' or leave refractory out.")
    for frozen in cell.refractory.freezes:
        cell.state(frozen)
    time = cell.refractory.time
    if isinstance(time, str) and read(time) is None:
        expected = cell.parameter(time)
        if expected.unit.exponents != TIME:
            raise ModelError(f"{owner}, refractory: {time!r} is {expected.unit}, but a time (ms) is expected. Name a time.")
    else:
        to_engine(time, unit("ms"), where=f"{owner}, refractory")


def resolve_cell(cell: Cell, owner: str) -> None:
    """Replace unit names by numbers in every tree of a new cell and check all units; definitions may not be circular."""
    infer_units(cell, owner)
    symbols = cell.symbols()
    ports_into = {key for key, port in cell.receives if port.into is not None}
    readable = {k: v for k, v in symbols.items() if k not in ports_into or k in {s.name for s in cell.states}}

    def checked(tree: Expr, place: str, expected: Exponents | None) -> Expr:
        where = f"{owner}, {place}"
        tree = resolve_units(tree, readable, place=where)
        _check_tables(cell, tree, where)
        if expected is None:
            dimension(tree, symbols, place=where)
        else:
            expect(tree, symbols, expected, place=where)
        return tree

    def statements(found: tuple[Assign, ...], place: str) -> tuple[Assign, ...]:
        for s in found:
            cell.state(s.target)
        return tuple(_check_statement(s, symbols[s.target], lambda tree, e: checked(tree, place, e)) for s in found)

    keep = object.__setattr__
    keep(cell, "definitions", tuple(replace(d, tree=checked(d.tree, f"equation of {d.name}", d.unit.exponents)) for d in cell.definitions))
    check_circles(cell.definitions, owner)
    per_time = multiply(NUMBER, TIME, -1)
    keep(cell, "states", tuple(s if s.derivative is None else replace(s, derivative=checked(
        s.derivative, f"equation of {s.name}", multiply(s.unit.exponents, per_time))) for s in cell.states))
    if cell.spike is not None:
        keep(cell, "spike", checked(cell.spike, "spike", NUMBER))
    keep(cell, "after_spike", statements(cell.after_spike, "after_spike"))
    if cell.step is not None:
        keep(cell, "step", statements(cell.step, "step"))


def _check_statement(statement: Assign, target: Exponents, checked) -> Assign:
    expected = target if statement.op in ("=", "+=", "-=") else NUMBER
    return replace(statement, value=checked(statement.value, expected))


def _check_tables(cell: Cell, tree: Expr, where: str) -> None:
    def look(node: Expr) -> Expr:
        if isinstance(node, Lookup) and node.table not in {p.name for p in cell.parameters}:
            raise ModelError(f"{where}: {unknown('table', node.table, [p.name for p in cell.parameters])}")
        return node

    rewrite(tree, look)


def infer_units(owner_of: Cell | Rule, owner: str) -> None:
    """Give parameters written as text over others their unit, in order of dependence."""
    pending = {p.name for p in owner_of.parameters if p.unit.text == "?"}
    constants = {p.name: p for p in owner_of.parameters}
    while pending:
        ready = sorted(n for n in pending if not names(constants[n].value) & pending)
        if not ready:
            raise ModelError(f"{owner}: parameters {', '.join(sorted(pending))} are written in a circle. Give one of them a value.")
        for name in ready:
            known = {k: c.unit.exponents for k, c in constants.items() if k not in pending}
            place = f"{owner}, parameter {name!r}"
            tree = resolve_units(constants[name].value, known, place=place)
            constants[name] = replace(constants[name], value=tree, unit=of(dimension(tree, known, place=place) or NUMBER))
            pending.discard(name)
    known = {k: c.unit.exponents for k, c in constants.items()}
    for name, c in constants.items():
        if isinstance(c.value, Expr):
            place = f"{owner}, parameter {name!r}"
            tree = resolve_units(c.value, known, place=place)
            expect(tree, known, c.unit.exponents, place=place)
            constants[name] = replace(c, value=tree)
    object.__setattr__(owner_of, "parameters", tuple(constants.values()))


def check_circles(definitions: tuple[Definition, ...], owner: str) -> None:
    """Refuse definitions that need themselves."""
    trees = {d.name: d.tree for d in definitions}
    for name in trees:
        seen, front = set(), names(trees[name]) & trees.keys()
        while front:
            if name in front:
                raise ModelError(f"{owner}, equation of {name}: it needs itself. Make one of the names a state.")
            seen |= front
            front = {n for f in front for n in names(trees[f]) & trees.keys()} - seen


def _variable(parser: Parser, equation: Equation, side: str) -> State:
    if equation.derivative:
        return State(equation.name, unit(equation.unit), equation.tree)
    if equation.tree is not None:
        raise ModelError(f"{parser.owner}, {side} variable {equation.name!r}: a rule's variables are 'x : unit' or 'dx/dt = -x / tau : unit'. "
                         "Put named sub-expressions under definitions=.")
    return State(equation.name, unit(equation.unit))


def _defined(parser: Parser, equation: Equation) -> Expr:
    if equation.derivative or equation.tree is None:
        raise ModelError(f"{parser.owner}: definition {equation.name!r} is not of the form 'name = expression : unit'. Write it so.")
    return equation.tree


def decay_constant(variable: State) -> str | None:
    """Return the name of tau in ``dx/dt = -x / tau``, or None where the derivative is anything else."""
    match variable.derivative:
        case None:
            return None
        case _:
            text = show(variable.derivative)
            for candidate in names(variable.derivative) - {variable.name}:
                if text in (f"-{variable.name} / {candidate}", f"-({variable.name} / {candidate})"):
                    return candidate
    return None


def _check_rule(rule: Rule, parser: Parser) -> None:
    owner = parser.owner
    variables = (*rule.edge, *rule.pre, *rule.post)
    _unique(owner, [*(v.name for v in (*variables, *rule.parameters, *rule.definitions)), *(link.symbol for link in rule.reads)])
    infer_units(rule, owner)
    check_circles(rule.definitions, owner)
    for variable in variables:
        if variable.derivative is None:
            continue
        tau = decay_constant(variable)
        if tau is None or tau not in {p.name for p in rule.parameters}:
            raise ModelError(f"{owner}, equation of {variable.name}: {show(variable.derivative)!r} is not a decay '-{variable.name} / tau' "
                             "with an unlinked parameter tau. Write anything else in a 'step' handler.")
        if rule_parameter(rule, tau).unit.exponents != TIME:
            raise ModelError(f"{owner}, equation of {variable.name}: {tau!r} is {rule_parameter(rule, tau).unit}, but a time (ms) is expected. "
                             "Give it in ms.")
    places = {v.name for v in variables} | {"out"}
    for handler in rule.handlers:
        if handler.trigger not in ("pre", "post", "step"):
            parser.check_name(handler.trigger, "signal")
        for statement in handler.statements:
            if statement.target not in places:
                raise ModelError(f"{owner}, handler {handler.trigger!r}: {unknown('variable', statement.target, places)}")
            if statement.target == "out" and statement.op != "+=":
                raise ModelError(f"{owner}, handler {handler.trigger!r}: 'out {statement.op}' is not a delivery. Write 'out += ...'.")


def rule_parameter(rule: Rule, name: str) -> Constant:
    """Return a parameter of a rule by name."""
    return _find(rule.parameters, name, "parameter", f"rule {rule.name!r}")


__all__ = ["Cell", "Rule", "Port", "Parameter", "Refractory", "inline", "Number", "Name"]
