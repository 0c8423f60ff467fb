"""Checks of new cells and rules: names, units, circles, and the size of what they compute; at the line where they are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np

from ..draws.ranges import POSITIVE, require_range
from ..draws.values import Distribution, Table
from ..errors import ModelError, describe, describe_unknown
from ..expr.dimensions import WORDS, dimension, expect, resolve_units
from ..expr.parse import Parser
from ..expr.printing import show
from ..expr.tree import (
    DEEPEST,
    LARGEST,
    Assign,
    Draw,
    Expr,
    Lookup,
    Name,
    draws,
    extent,
    inline,
    names,
    walk,
)
from ..units import NUMBER, TIME, Exponents, multiply, of, read, to_engine, unit
from .declarations import Definition, Port, decay_constant, find
from .methods import choose
from .names import EVENTS, METHODS

if TYPE_CHECKING:
    from .cell import Cell
    from .rule import Rule

_PER_TIME = multiply(NUMBER, TIME, -1)
_PARAMETER_WORDS = {"i": NUMBER, "N": NUMBER}
_TAU_PER = {"edge": (None, "edge"), "pre": (None, "source"), "post": (None, "target")}
keep = object.__setattr__  # cells and rules are frozen, and these checks finish their making


def check_mapping(owner: str, what: str, given: Any) -> dict[str, Any]:
    """Return what was given by name as a dictionary."""
    if given is not None and not isinstance(given, Mapping):
        raise ModelError(
            f"{owner}: found {what} {describe(given)}, expected a mapping of names. Write {what}={{'name': ...}}."
        )
    return dict(given or {})


def _unique(owner: str, found: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in found:
        if name in seen:
            raise ModelError(
                f"{owner}: {name!r} is defined twice, expected each name once. Rename one of them."
            )
        seen.add(name)


def check_cell(cell: Cell, parser: Parser) -> None:
    """Check a new cell, and replace the names of units in its trees by numbers."""
    owner = parser.owner
    _check_ports(cell, parser)
    into = {key for key, port in cell.receives if port.into is not None}
    _unique(
        owner,
        [
            *(s.name for s in (*cell.states, *cell.parameters, *cell.definitions)),
            *(k for k, _ in cell.receives if k not in into),
        ],
    )
    for p in cell.parameters:
        if p.per is not None:
            raise ModelError(
                f"{owner}, parameter {p.name!r}: found per={p.per!r}, which is for rules only. Leave it out: a population gives arrays."
            )
    if cell.method is not None and (not isinstance(cell.method, str) or cell.method not in METHODS):
        raise ModelError(f"{owner}: {describe_unknown('method', cell.method, METHODS)}")
    if cell.step is not None and cell.method is not None:
        raise ModelError(
            f"{owner}: has both 'step' and a method ({cell.method!r}), expected one of them. Leave one out."
        )
    if cell.after_spike and cell.spike is None:
        raise ModelError(
            f"{owner}: has after_spike but no spike condition, expected both. Add spike='...' or leave after_spike out."
        )
    infer_units(cell, owner, _PARAMETER_WORDS)
    _check_refractory(cell, owner)
    trees = [s.derivative for s in cell.states if s.derivative is not None] + [
        s.value for s in (*cell.after_spike, *(cell.step or ()))
    ]
    check_definitions(
        cell.definitions, trees if cell.spike is None else [*trees, cell.spike], owner
    )
    _resolve_cell(cell, owner)
    if cell.step is None:
        definitions = {d.name: d.tree for d in cell.definitions}
        derivatives = {
            s.name: inline(s.derivative, definitions)
            for s in cell.states
            if s.derivative is not None
        }
        choose(
            derivatives, cell.method, {p.name for p in cell.parameters}, where=owner
        )  # refuses what the named method cannot take
    for key, value in cell.initial:
        _check_initial(value, cell.state(key).unit, f"{owner}, initial {key!r}")


def _check_ports(cell: Cell, parser: Parser) -> None:
    named = {s.name for s in (*cell.states, *cell.parameters, *cell.definitions)}
    for key, port in cell.receives:
        parser.check_name(key, "port", read=getattr(port, "into", None) is None)
        if not isinstance(port, Port):
            raise ModelError(
                f"{parser.owner}, port {key!r}: found {describe(port)}, expected a Port. Write ns.Port('mV', into='v')."
            )
        this = unit(port.unit, where=f"{parser.owner}, port {key!r}")
        if port.into is None:
            continue
        state = find(cell.states, port.into, "state", f"{parser.owner}, port {key!r}: the cell")
        if state.unit.exponents != this.exponents:
            raise ModelError(
                f"{parser.owner}, port {key!r}: it is {this}, but its state {port.into!r} is {state.unit}. Give both one unit."
            )
        if key != port.into and key in named:
            raise ModelError(
                f"{parser.owner}: {key!r} is defined twice, expected each name once. Rename the port or the state."
            )


def _check_initial(value: Any, declared: Any, where: str) -> None:
    if isinstance(value, Distribution):
        value.check(declared, where=where, error=ModelError)
    elif not isinstance(value, Table) and not (isinstance(value, str) and read(value) is None):
        if not np.isfinite(to_engine(value, declared, where=where)).all():
            raise ModelError(
                f"{where}: {describe(value)} is not finite, expected a number. Give a finite value."
            )


def _check_refractory(cell: Cell, owner: str) -> None:
    if cell.refractory is None:
        return
    if cell.spike is None:
        raise ModelError(
            f"{owner}: has a refractory time but no spike condition, expected both. Add spike='...' or leave refractory out."
        )
    for frozen in cell.refractory.freezes:
        cell.state(frozen)
    time = cell.refractory.time
    if isinstance(time, str) and read(time) is None:
        expected = cell.parameter(time)
        if expected.unit.exponents != TIME:
            raise ModelError(
                f"{owner}, refractory: {time!r} is {expected.unit}, but a time (ms) is expected. Name a time."
            )
        return
    number = to_engine(time, unit("ms"), where=f"{owner}, refractory")
    if np.ndim(number) or not np.isfinite(number) or number < 0:
        raise ModelError(
            f"{owner}, refractory: found {describe(time)}, expected one time of 0 ms or more. Give it such as '2 ms', or name a parameter."
        )


def _resolve_cell(cell: Cell, owner: str) -> None:
    symbols = cell.symbols()
    states, parameters = {s.name for s in cell.states}, {p.name for p in cell.parameters}
    readable = WORDS | {
        k: v
        for k, v in symbols.items()
        if k in states or not any(k == key and port.into is not None for key, port in cell.receives)
    }
    noisy: set[str] = set()

    def checked(tree: Expr, place: str, expected: Exponents, noise: bool = False) -> Expr:
        where = f"{owner}, {place}"
        tree = resolve_units(tree, readable, place=where, tables=parameters, noise=noise)
        if not noise and names(tree) & noisy:
            raise ModelError(
                f"{where}: {', '.join(sorted(names(tree) & noisy))} contains xi, noise in continuous time, expected only in an equation "
                "'dx/dt = ...'. Write normal()."
            )
        expect(tree, symbols, expected, place=where)
        return tree

    def statements(found: tuple[Assign, ...], place: str) -> tuple[Assign, ...]:
        return tuple(
            replace(
                s,
                value=checked(
                    s.value,
                    place,
                    cell.state(s.target).unit.exponents if s.op in ("=", "+=", "-=") else NUMBER,
                ),
            )
            for s in found
        )

    keep(
        cell,
        "definitions",
        tuple(
            replace(d, tree=checked(d.tree, f"equation of {d.name}", d.unit.exponents, True))
            for d in cell.definitions
        ),
    )
    keep(
        cell,
        "states",
        tuple(
            s
            if s.derivative is None
            else replace(
                s,
                derivative=checked(
                    s.derivative,
                    f"equation of {s.name}",
                    multiply(s.unit.exponents, _PER_TIME),
                    True,
                ),
            )
            for s in cell.states
        ),
    )
    noisy |= _contain_noise(cell.definitions)
    if cell.spike is not None:
        keep(cell, "spike", checked(cell.spike, "spike", NUMBER))
    keep(cell, "after_spike", statements(cell.after_spike, "after_spike"))
    if cell.step is not None:
        keep(cell, "step", statements(cell.step, "step"))


def _contain_noise(definitions: tuple[Definition, ...]) -> set[str]:
    found = {d.name for d in definitions if any(draw.kind == "xi" for draw in draws(d.tree))}
    while grown := {d.name for d in definitions if names(d.tree) & found} - found:
        found |= grown
    return found


def infer_units(thing: Cell | Rule, owner: str, words: Mapping[str, Exponents]) -> None:
    """Resolve parameters written as text over others, give them their unit, and put them into an order of dependence."""
    constants = {p.name: p for p in thing.parameters}
    trees = {name: c.value for name, c in constants.items() if isinstance(c.value, Expr)}
    done = {name: c for name, c in constants.items() if name not in trees}
    for name in _in_order(
        trees,
        lambda left: (
            f"{owner}: parameters {left} are written in a circle, expected one with a value. Give one of them a value."
        ),
    ):
        place = f"{owner}, parameter {name!r}"
        check_constant(trees[name], place)
        known = {**words, **{k: c.unit.exponents for k, c in done.items()}}
        tree = resolve_units(trees[name], known, place=place)
        c = constants[name]
        if c.unit.text == "?":
            found = dimension(tree, known, place=place)
            c = replace(
                c, unit=replace(c.unit, text="1", exponents=NUMBER) if found is None else of(found)
            )
        else:
            expect(tree, known, c.unit.exponents, place=place)
        done[name] = replace(c, value=tree)
    keep(thing, "parameters", tuple(done.values()))


def check_constant(tree: Expr, place: str) -> None:
    """Refuse what has no value before a run: time, random draws, tables."""
    for node in walk(tree):
        if isinstance(node, Draw | Lookup) or isinstance(node, Name) and node.name in ("t", "dt"):
            what = "a random draw" if isinstance(node, Draw) else "time"
            raise ModelError(
                f"{place}: {show(tree)!r} depends on {what} ({show(node)}), expected a value for the whole run. "
                f"{'Give a draw such as ns.uniform(0, 1) a name of its own' if isinstance(node, Draw) else 'Write it in an equation'}."
            )


def _in_order(trees: Mapping[str, Expr], message: Callable[[str], str]) -> list[str]:
    """Return names so that each comes after those that it reads."""
    left = {name: names(tree) & trees.keys() for name, tree in trees.items()}
    order: dict[str, set[str]] = {}
    while left:
        ready = [name for name, read in left.items() if read <= order.keys()]
        if not ready:
            raise ModelError(message(", ".join(sorted(left))))
        for name in ready:
            order[name] = left.pop(name)
    return list(order)


def check_definitions(
    definitions: tuple[Definition, ...], readers: Iterable[Expr], owner: str
) -> None:
    """Refuse definitions that need themselves, and expressions that are too large with their definitions written out."""
    trees = {d.name: d.tree for d in definitions}
    extents: dict[str, tuple[int, int]] = {}

    def check(tree: Expr) -> tuple[int, int]:
        depth, size = extent(tree, extents)
        if depth > DEEPEST or size > LARGEST:
            raise ModelError(
                f"{owner}: {show(tree)[:80]!r} with its definitions written out has {size} operations, {depth} deep; expected at most {LARGEST}, "
                f"{DEEPEST} deep. Make one of the definitions a state, or write it in several statements."
            )
        return depth, size

    for name in _in_order(
        trees,
        lambda left: (
            f"{owner}, equation of {left}: it needs itself, expected a definition over other names. "
            "Make one of the names a state."
        ),
    ):
        extents[name] = check(trees[name])
    for tree in readers:
        check(tree)


def check_rule(rule: Rule, parser: Parser) -> None:
    """Check a new rule; the units of its statements are checked where it meets its cells."""
    owner = parser.owner
    variables = (*rule.edge, *rule.pre, *rule.post)
    _unique(
        owner,
        [
            *(v.name for v in (*variables, *rule.parameters, *rule.definitions)),
            *(link.symbol for link in rule.reads),
        ],
    )
    for p in rule.parameters:
        _check_rule_parameter(rule, p, f"{owner}, parameter {p.name!r}")
    infer_units(rule, owner, {})
    for side, found in (("edge", rule.edge), ("pre", rule.pre), ("post", rule.post)):
        for v in found:
            if v.derivative is not None:
                _check_decay(rule, v, side, f"{owner}, equation of {v.name}")
    check_definitions(
        rule.definitions, [s.value for h in rule.handlers for s in h.statements], owner
    )
    places = {v.name for v in variables} | {"out"}
    for handler in rule.handlers:
        place = f"{owner}, handler {handler.trigger!r}"
        if handler.trigger not in EVENTS:
            _check_signal(handler.trigger, parser, place)
        for statement in handler.statements:
            if statement.target not in places:
                _refuse_target(statement.target, places, place)
            if statement.target == "out" and statement.op != "+=":
                raise ModelError(
                    f"{place}: 'out {statement.op}' is not a delivery. Write 'out += ...'."
                )
    if not rule.handlers:
        raise ModelError(
            f"{owner}: found no handlers, expected at least one: without it edges deliver and learn nothing. Write [('pre', 'out += w')]."
        )


def _check_signal(name: Any, parser: Parser, place: str) -> None:
    parser.check_name(name, "signal", read=False)
    meant = get_close_matches(name.lower().removeprefix("on_"), EVENTS, n=1, cutoff=0.8)
    if meant:
        raise ModelError(
            f"{place}: found {describe(name)}, expected 'pre', 'post', 'step', or the name of a signal that cannot be mistaken "
            f"for one of these. Write {meant[0]!r}, or name the signal otherwise."
        )


def _refuse_target(name: str, places: set[str], place: str) -> None:
    stem, _, end = name.rpartition("_")
    if end not in ("pre", "post"):
        raise ModelError(f"{place}: {describe_unknown('variable', name, places)}")
    if stem in places:
        raise ModelError(
            f"{place}: found an assignment to {name!r}, expected a variable of the rule by its own name, without '_{end}'. Write {stem!r}."
        )
    raise ModelError(
        f"{place}: found an assignment to {name!r}, expected one of {', '.join(sorted(places))}: a rule assigns its own variables, never "
        "the states of cells. Deliver to a port with 'out += ...'."
    )


def _check_rule_parameter(rule: Rule, p: Any, place: str) -> None:
    if isinstance(p.value, Table):
        raise ModelError(
            f"{place}: found a table, expected a number, array or draw. Give a population the table as a parameter, and link to it."
        )
    if p.per is None and isinstance(p.value, np.ndarray):
        raise ModelError(
            f"{place}: found an array, expected one value. Declare it with Parameter(unit, values, per='source', 'target' or 'edge')."
        )
    if isinstance(p.value, Expr):
        for other in rule.parameters:
            if other.name in names(p.value) and other.per is not None:
                raise ModelError(
                    f"{place}: {show(p.value)!r} reads {other.name!r}, which has one value per {other.per}, expected parameters of one value. "
                    "Compute it in a definition."
                )


def _check_decay(rule: Rule, v: Any, side: str, place: str) -> None:
    tau = decay_constant(v)
    if tau is None or tau not in {p.name for p in rule.parameters}:
        raise ModelError(
            f"{place}: {show(v.derivative)!r} is not a decay '-{v.name} / tau' with an unlinked parameter tau. "
            "Write anything else in a 'step' handler."
        )
    found = find(rule.parameters, tau, "parameter", place)
    if found.unit.exponents != TIME:
        raise ModelError(
            f"{place}: {tau!r} is {found.unit}, but a time (ms) is expected. Give it in ms."
        )
    if found.per not in _TAU_PER[side]:
        raise ModelError(
            f"{place}: {tau!r} has one value per {found.per}, but {v.name!r} one per {side} {'neuron' if side != 'edge' else ''}".rstrip()
            + f". Declare it with per={_TAU_PER[side][1]!r}, or give it one value."
        )
    require_range(
        found.value,
        POSITIVE,
        where=f"{place}: time constant {tau!r}",
        unit="ms",
        remedy="Give a positive time.",
        error=ModelError,
    )
