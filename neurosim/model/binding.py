"""Where a rule meets its cells: what every name means at an edge, and over what each statement runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..errors import ModelError, describe_unknown
from ..expr.dimensions import dimension, expect, resolve_units
from ..expr.printing import show, show_statement
from ..expr.tree import Assign, Expr, inline, names
from ..units import NUMBER, TABLE, TIME, Exponents
from .cell import Cell
from .declarations import decay_constant
from .names import EVENTS, Action, Domain, Role, Side
from .rule import Rule


@dataclass(frozen=True)
class Symbol:
    """A name of a rule, and what it stands for.

    Parameters
    ----------
    name : str
    role : Role
    side : Domain
    exponents : Exponents
    origin : str
        The name at its owner: ``v`` for ``v_pre``.
    decay : str, optional
        Name of the time constant of a decaying variable.
    """

    name: str
    role: Role
    side: Domain
    exponents: Exponents
    origin: str
    decay: str | None = None


@dataclass(frozen=True)
class BoundStatement:
    """One statement with its domain.

    Parameters
    ----------
    action : Action
    side : Side
        Owner of the assigned variable; ``edge`` for a delivery.
    target : str
        Name of the assigned variable, or ``out``.
    value : Expr
        Definitions are inlined; the whole new value for ``assign``, else the added term.
    """

    action: Action
    side: Side
    target: str
    value: Expr


@dataclass(frozen=True)
class BoundRule:
    """A rule between two cells: its symbols and, per handler, (trigger, statements)."""

    symbols: dict[str, Symbol]
    handlers: tuple[tuple[str, tuple[BoundStatement, ...]], ...]


WORDS = {
    "t": ("one", TIME),
    "dt": ("one", TIME),
    "i_pre": ("pre", NUMBER),
    "i_post": ("post", NUMBER),
    "N_pre": ("one", NUMBER),
    "N_post": ("one", NUMBER),
}
_PER = {None: "one", "source": "pre", "target": "post", "edge": "edge"}


def bind(
    rule: Rule,
    source: Cell,
    target: Cell,
    *,
    links: Mapping[str, tuple[str, Exponents]],
    out: Exponents | None,
    where: str,
) -> BoundRule:
    """Bind a rule to the cells at both ends.

    Parameters
    ----------
    links : symbol -> (side, exponents)
    out : exponents of the port; None where the projection names no port.
    where : str
        Place for messages.

    Raises
    ------
    ModelError
        Unknown names, units, a statement whose result would depend on the order of edges, a delivery without a port.
    """
    symbols = _symbols(rule, source, target, links, where)
    exponents = {name: s.exponents for name, s in symbols.items()}
    known = {**exponents, **{d.name: d.unit.exponents for d in rule.definitions}}
    trees = {}
    for definition in rule.definitions:
        place = f"{where}, definition {definition.name!r}"
        trees[definition.name] = _resolve(definition.tree, known, place)
        expect(trees[definition.name], known, definition.unit.exponents, place=place)
    handlers = []
    for handler in rule.handlers:
        place = f"{where}, handler {handler.trigger!r}"
        bound = []
        for statement in handler.statements:
            statement = replace(statement, value=_resolve(statement.value, known, place))
            _check_units(statement, known, out, place)
            statement = replace(statement, value=inline(statement.value, trees))
            bound.append(_classify(statement, handler.trigger, symbols, place))
        handlers.append((handler.trigger, tuple(bound)))
    return BoundRule(symbols, tuple(handlers))


def _symbols(
    rule: Rule, source: Cell, target: Cell, links: Mapping[str, tuple[str, Exponents]], where: str
) -> dict[str, Symbol]:
    found = {
        name: Symbol(name, "word", side, exponents, name)
        for name, (side, exponents) in WORDS.items()
    }
    for end, cell in (("pre", source), ("post", target)):
        for thing in (*cell.states, *cell.parameters):
            name = f"{thing.name}_{end}"
            found[name] = Symbol(name, "cell", end, thing.unit.exponents, thing.name)
    own = (*rule.edge, *rule.pre, *rule.post, *rule.parameters, *rule.definitions)
    for name in [n for n in (*(thing.name for thing in own), *links) if n in found]:
        what = (
            "a word of the language"
            if name in WORDS
            else f"{found[name].origin!r} of the {'source' if found[name].side == 'pre' else 'target'} cell"
        )
        raise ModelError(
            f"{where}: rule {rule.name!r} defines {name!r}, which is {what} already, expected each name once. Rename it in the rule."
        )
    for side, variables in (("edge", rule.edge), ("pre", rule.pre), ("post", rule.post)):
        for v in variables:
            found[v.name] = Symbol(
                v.name, "variable", side, v.unit.exponents, v.name, decay_constant(v)
            )
    for p in rule.parameters:
        found[p.name] = Symbol(p.name, "parameter", _PER[p.per], p.unit.exponents, p.name)
    for symbol, (side, exponents) in links.items():
        found[symbol] = Symbol(symbol, "link", side, exponents, symbol)
    return found


def _resolve(tree: Expr, known: Mapping[str, Exponents], place: str) -> Expr:
    """Resolve units; what is named without its end, or with one that it has not, is answered with the right name."""
    for name in sorted(names(tree) - known.keys() - TABLE.keys()):
        stem, _, end = name.rpartition("_")
        if end in ("pre", "post") and stem in known:
            raise ModelError(
                f"{place}: there is no name {name!r}, expected what belongs to the rule by its own name, without '_{end}'. Write {stem!r}."
            )
        ends = [f"{name}_{end}" for end in ("pre", "post") if f"{name}_{end}" in known]
        if ends:
            raise ModelError(
                f"{place}: {describe_unknown('name', name, known)} What belongs to a cell is named with its end. Write {' or '.join(map(repr, ends))}."
            )
    return resolve_units(tree, known, place=place)


def _check_units(
    statement: Assign, known: Mapping[str, Exponents], out: Exponents | None, place: str
) -> None:
    expected = out if statement.target == "out" else known[statement.target]
    if statement.op in ("=", "+=", "-="):
        expect(statement.value, known, expected, place=f"{place}: {show_statement(statement)!r}")
    else:
        dimension(statement.value, known, place=place)
        expect(statement.value, known, NUMBER, place=f"{place}: {show_statement(statement)!r}")


def _classify(
    statement: Assign, trigger: str, symbols: Mapping[str, Symbol], place: str
) -> BoundStatement:
    text = show_statement(statement)
    if statement.target == "out":
        if trigger not in EVENTS:
            raise ModelError(
                f"{place}: {text!r}: a signal acts between steps and cannot deliver. Deliver in a 'pre', 'post' or 'step' handler."
            )
        return BoundStatement("deliver", "edge", "out", statement.value)
    side = symbols[statement.target].side
    if side == "edge":
        return BoundStatement("assign", "edge", statement.target, statement.result)
    read = {symbols[name].side for name in names(statement.value)}
    own_trigger = trigger not in ("pre", "post") or trigger == side
    if own_trigger and read <= {side, "one"}:
        return BoundStatement("assign", side, statement.target, statement.result)
    if statement.op == "+=" and statement.target not in names(statement.value):
        return BoundStatement("sum", side, statement.target, statement.value)
    neuron = "source" if side == "pre" else "target"
    if statement.op == "-=" and statement.target not in names(statement.value):
        raise ModelError(
            f"{place}: {text!r}: found '-=', expected '+=' where several edges share one {statement.target!r} per {neuron} neuron. "
            f"Write '{statement.target} += -({show(statement.value)})'."
        )
    reason = (
        "it reads the variable that edges add to"
        if statement.op == "+="
        else f"several edges share one {statement.target!r} per {neuron} neuron, and '{statement.op}' would keep the last edge's value"
    )
    raise ModelError(
        f"{place}: {text!r}: its result would depend on the order of edges: {reason}. Add with '+=' an expression that does not read "
        f"{statement.target!r}, or read only what belongs to the {neuron} side"
        + ("" if own_trigger else f" in a {side!r} or 'step' handler")
        + "."
    )
