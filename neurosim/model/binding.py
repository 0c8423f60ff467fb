"""A rule between two cells: the meaning of every name at an edge, and each statement's domain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ..errors import ModelError, describe_unknown
from ..expr.dimensions import dimension, expect, resolve_units
from ..expr.phases import count_steps
from ..expr.printing import show, show_statement
from ..expr.tree import Assign, Expr, Unary, inline, names
from ..units import NUMBER, TIME, Exponents, find_unit
from .cell import Cell
from .integration.methods import choose
from .names import EVENTS, Action, Domain, Method, Per, Role, Side
from .rule import Rule
from .rule_equations import ClosedForm, closed_forms, rate_of


@dataclass(frozen=True)
class Symbol:
    """A name of a rule and its meaning.

    Parameters
    ----------
    name : str
    role : Role
    side : Domain
    exponents : Exponents
    origin : str
        The name at its owner: ``v`` for ``v_pre``.
    decay, inflow : str, optional
        Of a variable with a closed form, the parameter or coefficient that is its time constant,
        and the coefficient that flows in; see `rule_equations.ClosedForm`.
    """

    name: str
    role: Role
    side: Domain
    exponents: Exponents
    origin: str
    decay: str | None = None
    inflow: str | None = None


@dataclass(frozen=True)
class BoundEquations:
    """The equations of one side that are integrated in each step.

    Parameters
    ----------
    side : Side
    derivatives : (variable, tree)
        With definitions inlined.
    methods : (variable, method)
    """

    side: Side
    derivatives: tuple[tuple[str, Expr], ...]
    # Pairs in place of dictionaries keep the rule hashable.
    methods: tuple[tuple[str, Method], ...]


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
    frozen : bool
        Whether the assigned state of a cell keeps its value while the neuron is refractory.
    """

    action: Action
    side: Side
    target: str
    value: Expr
    frozen: bool = False


@dataclass(frozen=True)
class BoundRule:
    """A rule between two cells.

    Parameters
    ----------
    symbols : name -> Symbol
    handlers : (trigger, statements)
    coefficients : (name, tree)
        Of closed forms, over parameters: symbols that the host computes.
    equations : tuple of BoundEquations
        In the order in which sides are integrated.
    """

    symbols: dict[str, Symbol]
    handlers: tuple[tuple[str, tuple[BoundStatement, ...]], ...]
    coefficients: tuple[tuple[str, Expr], ...]
    equations: tuple[BoundEquations, ...]


# i and N need an end here, because an edge has two of each.
WORDS: dict[str, tuple[Domain, Exponents]] = {
    "t": ("one", TIME),
    "dt": ("one", TIME),
    "step": ("one", NUMBER),
    "i_pre": ("pre", NUMBER),
    "i_post": ("post", NUMBER),
    "N_pre": ("one", NUMBER),
    "N_post": ("one", NUMBER),
}
_PERS: dict[Side, Per] = {"edge": "edge", "pre": "source", "post": "target"}
_DOMAINS: dict[Per | None, Domain] = {
    None: "one",
    "source": "pre",
    "target": "post",
    "edge": "edge",
}


def bind(
    rule: Rule,
    source: Cell,
    target: Cell,
    *,
    links: Mapping[str, tuple[Domain, Exponents]],
    out: Exponents | None,
    where: str,
) -> BoundRule:
    """Bind a rule to the cells at both ends.

    Parameters
    ----------
    rule : Rule
    source, target : Cell
    links : symbol -> (domain, exponents)
    out : Exponents, optional
        Of the port; None: the projection names no port.
    where : str
        Begins messages.

    Raises
    ------
    ModelError
        Unknown names, units, a statement whose result would depend on the order of edges, a
        delivery without a port.
    """
    forms = closed_forms(rule)
    coefficients = _coefficients(rule, forms)
    symbols = _symbols(rule, source, target, links=links, where=where)
    symbols |= _closed_symbols(rule, forms, coefficients)
    own = _own_step(symbols)
    exponents = {name: symbol.exponents for name, symbol in symbols.items()}
    # All definitions are known at once: they may read each other in any order.
    known = {**exponents, **{d.name: d.unit.exponents for d in rule.definitions}}
    trees: dict[str, Expr] = {}
    for definition in rule.definitions:
        definition_where = f"{where}, definition {definition.name!r}"
        tree = _resolve(definition.tree, known, definition_where)
        expect(tree, known, definition.unit.exponents, where=definition_where)
        trees[definition.name] = tree
    handlers = []
    for handler in rule.handlers:
        handler_where = f"{where}, handler {handler.trigger!r}"
        bound = []
        for statement in handler.statements:
            _require_assignable(statement, rule, source, target, handler_where)
            statement = replace(statement, value=_resolve(statement.value, known, handler_where))
            _require_units(statement, known, out, handler_where)
            # Definitions are written out after the units, so that messages show the text as
            # written.
            value = count_steps(inline(statement.value, trees), own)
            statement = replace(statement, value=value)
            if statement.target in symbols and symbols[statement.target].role == "cell":
                bound.append(_bind_to_cell(statement, handler.trigger, symbols, handler_where))
                frozen = statement.target in _frozen_states(source, target)
                bound[-1] = replace(bound[-1], frozen=frozen)
            else:
                bound.append(_bind_statement(statement, handler.trigger, symbols, handler_where))
        handlers.append((handler.trigger, tuple(bound)))
    equations = _bind_equations(rule, symbols, forms, known=known, trees=trees, where=where)
    return BoundRule(symbols, tuple(handlers), tuple(coefficients.items()), equations)


def _coefficients(rule: Rule, forms: Mapping[str, ClosedForm]) -> dict[str, Expr]:
    """Return the coefficients of closed forms by name, but for parameters that serve as they are.

    Names of users do not begin with an underscore.
    """
    per = {p.name: p.per for p in rule.parameters}
    trees: dict[str, Expr] = {}
    for side, variables in rule.sides:
        for v in variables:
            if v.name not in forms:
                continue
            form = forms[v.name]
            tau = form.time_constant
            # A time constant of one end has to be spread over the edges.
            if tau is None or per[tau] not in (None, _PERS[side]):
                trees[f"_decay_{v.name}"] = form.tau
            if form.inflow is not None:
                trees[f"_inflow_{v.name}"] = form.inflow
    return trees


def _closed_symbols(
    rule: Rule, forms: Mapping[str, ClosedForm], coefficients: Mapping[str, Expr]
) -> dict[str, Symbol]:
    """Return the variables that have a closed form, and its coefficients."""
    per = {p.name: p.per for p in rule.parameters}
    symbols: dict[str, Symbol] = {}
    for side, variables in rule.sides:
        for v in variables:
            if v.name not in forms:
                continue
            decay = f"_decay_{v.name}"
            inflow = f"_inflow_{v.name}"
            for name, exponents in ((decay, TIME), (inflow, rate_of(v))):
                if name in coefficients:
                    shared = all(per[n] is None for n in names(coefficients[name]))
                    domain: Domain = "one" if shared else side
                    symbols[name] = Symbol(name, "parameter", domain, exponents, name)
            symbols[v.name] = Symbol(
                v.name,
                "variable",
                side,
                v.unit.exponents,
                v.name,
                decay=decay if decay in coefficients else forms[v.name].time_constant,
                inflow=inflow if inflow in coefficients else None,
            )
    return symbols


def _bind_equations(
    rule: Rule,
    symbols: Mapping[str, Symbol],
    forms: Mapping[str, ClosedForm],
    *,
    known: Mapping[str, Exponents],
    trees: Mapping[str, Expr],
    where: str,
) -> tuple[BoundEquations, ...]:
    """Return the equations that are integrated in each step; neurons before edges, which read them.

    Parameters
    ----------
    rule : Rule
    symbols : name -> Symbol
    forms : variable -> ClosedForm
        Of the variables that need no integration.
    known : name -> exponents
        Of symbols and definitions.
    trees : definition -> tree
    where : str
        Begins messages.
    """
    constants = {n for n, s in symbols.items() if s.role == "parameter" and s.side == "one"}
    bound = []
    for side, variables in sorted(rule.sides, key=lambda pair: pair[0] == "edge"):
        derivatives: dict[str, Expr] = {}
        for v in variables:
            if v.derivative is None or v.name in forms:
                continue
            equation = f"{where}, equation of {v.name}"
            tree = resolve_units(v.derivative, known, where=equation, noise=True)
            expect(tree, known, rate_of(v), where=equation)
            derivatives[v.name] = count_steps(inline(tree, trees), _own_step(symbols))
            _require_side(derivatives[v.name], side, symbols, equation)
        if derivatives:
            methods = choose(derivatives, rule.method, constants, where=where)
            bound.append(BoundEquations(side, tuple(derivatives.items()), tuple(methods.items())))
    return tuple(bound)


def _own_step(symbols: Mapping[str, Symbol]) -> set[str]:
    """Return ``step`` if it is a name of the rule and not the word of the language."""
    return set() if symbols["step"].role == "word" else {"step"}


def _require_side(
    tree: Expr,
    side: Side,
    symbols: Mapping[str, Symbol],
    where: str,
) -> None:
    """Refuse the equation of a neuron's variable that reads what differs between its edges."""
    other = sorted(n for n in names(tree) if symbols[n].side not in (side, "one"))
    if side == "edge" or not other:
        return
    neuron = "source" if side == "pre" else "target"
    raise ModelError(
        f"{where}: {show(tree)!r} reads {other[0]!r}, which differs between the edges of one "
        f"{neuron} neuron, expected names of that side. Make it an edge variable, or let edges add "
        "to it with '+=' in a 'step' handler."
    )


def _symbols(
    rule: Rule,
    source: Cell,
    target: Cell,
    *,
    links: Mapping[str, tuple[Domain, Exponents]],
    where: str,
) -> dict[str, Symbol]:
    symbols = {
        name: Symbol(name, "word", domain, exponents, name)
        for name, (domain, exponents) in WORDS.items()
    }
    ends: tuple[tuple[Side, Cell], ...] = (("pre", source), ("post", target))
    read = _names_read(rule)
    own = {part.name for part in (*rule.variables, *rule.parameters, *rule.definitions)}
    for end, cell in ends:
        for part in cell.observable:
            # Those that the rule reads alone: a run stores each of them in every step.
            name = f"{part.name}_{end}"
            if name in read - own - links.keys():
                symbols[name] = Symbol(name, "cell", end, part.unit.exponents, part.name)
        for part in (*cell.states, *cell.parameters):
            name = f"{part.name}_{end}"
            symbols[name] = Symbol(name, "cell", end, part.unit.exponents, part.name)
    # Checked between the two halves: the names so far are reserved, the rule's own come next.
    _require_free_names(rule, links, symbols, where)
    for side, variables in rule.sides:
        for v in variables:
            symbols[v.name] = Symbol(v.name, "variable", side, v.unit.exponents, v.name)
    for p in rule.parameters:
        symbols[p.name] = Symbol(p.name, "parameter", _DOMAINS[p.per], p.unit.exponents, p.name)
    for name, (domain, exponents) in links.items():
        symbols[name] = Symbol(name, "link", domain, exponents, name)
    return symbols


def _names_read(rule: Rule) -> set[str]:
    statements = (s for handler in rule.handlers for s in handler.statements)
    trees = [*(s.value for s in statements), *(d.tree for d in rule.definitions)]
    trees += [v.derivative for v in rule.variables if v.derivative is not None]
    return set().union(*map(names, trees))


def _require_free_names(
    rule: Rule,
    links: Iterable[str],
    symbols: Mapping[str, Symbol],
    where: str,
) -> None:
    """Refuse names of a rule that the language or one of the cells has already."""
    own = (*rule.variables, *rule.parameters, *rule.definitions)
    for name in (*(part.name for part in own), *links):
        if name not in symbols or name == "step":
            continue  # a rule may have a step of its own, such as that of a weight
        symbol = symbols[name]
        if symbol.role == "word":
            meaning = "a word of the language"
        else:
            end = "source" if symbol.side == "pre" else "target"
            meaning = f"{symbol.origin!r} of the {end} cell"
        raise ModelError(
            f"{where}: rule {rule.name!r} defines {name!r}, which is {meaning} already, expected "
            "each name once. Rename it in the rule."
        )


def _resolve(tree: Expr, known: Mapping[str, Exponents], where: str) -> Expr:
    """Resolve units; messages give the right form of a name that lacks its end or has none."""
    # Sorted, since a message must not depend on the order of a set.
    for name in sorted(names(tree) - known.keys()):
        if find_unit(name) is not None:
            continue
        stem, _, end = name.rpartition("_")
        if end in ("pre", "post") and stem in known:
            raise ModelError(
                f"{where}: there is no name {name!r}, expected what belongs to the rule by its own "
                f"name, without '_{end}'. Write {stem!r}."
            )
        ends = [f"{name}_{end}" for end in ("pre", "post") if f"{name}_{end}" in known]
        if ends:
            raise ModelError(
                f"{where}: {describe_unknown('name', name, known)} What belongs to a cell is named "
                f"with its end. Write {' or '.join(map(repr, ends))}."
            )
    return resolve_units(tree, known, where=where)


def _require_units(
    statement: Assign,
    known: Mapping[str, Exponents],
    out: Exponents | None,
    handler_where: str,
) -> None:
    where = f"{handler_where}: {show_statement(statement)!r}"
    expected = out if statement.target == "out" else known[statement.target]
    if expected is None:
        raise ModelError(
            f"{where}: it delivers, but the projection names no port. Name one with port=..."
        )
    if statement.op in ("=", "+=", "-="):
        expect(statement.value, known, expected, where=where)
    else:
        # A mismatch inside of the factor is reported before the unit of the factor.
        dimension(statement.value, known, where=handler_where)
        expect(statement.value, known, NUMBER, where=where)


def _bind_statement(
    statement: Assign,
    trigger: str,
    symbols: Mapping[str, Symbol],
    handler_where: str,
) -> BoundStatement:
    """Return a statement with its domain, if its result does not depend on the order of edges."""
    where = f"{handler_where}: {show_statement(statement)!r}"
    target = statement.target
    if target == "out":
        if trigger not in EVENTS:
            raise ModelError(
                f"{where}: a signal acts between steps and cannot deliver. "
                "Deliver in a 'pre', 'post' or 'step' handler."
            )
        return BoundStatement("deliver", "edge", "out", statement.value)
    side = symbols[target].side
    if side == "one":
        raise TypeError(f"{where}: only variables are assigned")  # a rule checks this before
    # Nobody else has this variable, so no order can matter.
    if side == "edge":
        return BoundStatement("assign", "edge", target, statement.result)
    # A "post" handler runs on the edges of one target, hence on some edges of a source only.
    domains = {symbols[name].side for name in names(statement.value)}
    own_trigger = trigger not in ("pre", "post") or trigger == side
    # All edges of the neuron run the statement and compute the same value.
    if own_trigger and domains <= {side, "one"}:
        return BoundStatement("assign", side, target, statement.result)
    # No term reads the sum, and the contract of a step fixes the order in which terms are added.
    if statement.op == "+=" and target not in names(statement.value):
        return BoundStatement("sum", side, target, statement.value)
    raise _order_error(statement, side, own_trigger, where)


def _require_assignable(
    statement: Assign,
    rule: Rule,
    source: Cell,
    target: Cell,
    where: str,
) -> None:
    """Refuse an assignment to what is no variable of the rule and no state of a cell."""
    name = statement.target
    if name == "out" or name in {v.name for v in rule.variables}:
        return
    stem, _, end = name.rpartition("_")
    cell = source if end == "pre" else target
    states = [s.name for s in cell.states]
    if stem in states:
        return
    noun = "source" if end == "pre" else "target"
    owner = f"the {noun} cell {cell.name!r}"
    raise ModelError(
        f"{where}: {describe_unknown('state', stem, states, owner=owner)} A handler assigns "
        "variables of its rule and states of the cells at both ends; parameters of cells are set "
        "with run.set."
    )


def _frozen_states(source: Cell, target: Cell) -> set[str]:
    """Return the states that refractory neurons keep, by the names that they have in a rule."""
    frozen: set[str] = set()
    for end, cell in (("pre", source), ("post", target)):
        freezes = () if cell.refractory is None else cell.refractory.freezes
        states = (freezes,) if isinstance(freezes, str) else freezes
        frozen |= {f"{state}_{end}" for state in states}
    return frozen


def _bind_to_cell(
    statement: Assign,
    trigger: str,
    symbols: Mapping[str, Symbol],
    handler_where: str,
) -> BoundStatement:
    """Return a statement that changes a state of the cell at one end.

    All edges that the event reaches take part. Their terms are added, each neuron's once; or each
    neuron with such an edge gets a value that is the same for all its edges.
    """
    where = f"{handler_where}: {show_statement(statement)!r}"
    target = statement.target
    side = symbols[target].side
    if side == "one":
        raise TypeError(f"{where}: a state belongs to one end")
    read = names(statement.value)
    if statement.op in ("+=", "-=") and target not in read:
        term = statement.value if statement.op == "+=" else Unary("-", statement.value)
        return BoundStatement("add_to_cell", side, target, term)
    # Of a variable of the rule, a neuron has several values if its edges have several delays.
    domains = {symbols[n].side for n in read}
    own = not any(symbols[n].role == "variable" for n in read)
    once = trigger == side or (statement.op == "=" and target not in read)
    if own and once and domains <= {side, "one"}:
        return BoundStatement("assign_cell", side, target, statement.result)
    neuron = "source" if side == "pre" else "target"
    raise ModelError(
        f"{where}: its result would depend on the order of edges: several edges of a {neuron} "
        f"neuron may act at once. Add with '+=' an expression that does not read {target!r}, or "
        f"assign with '=' what belongs to the {neuron} neuron and is no variable of the rule."
    )


def _order_error(
    statement: Assign,
    side: Side,
    own_trigger: bool,
    where: str,
) -> ModelError:
    """Return the error for a statement whose result depends on the order of edges."""
    neuron = "source" if side == "pre" else "target"
    target = statement.target
    op = statement.op
    # The likeliest mistake gets a remedy that can be copied.
    if op == "-=" and target not in names(statement.value):
        return ModelError(
            f"{where}: found '-=', expected '+=' where several edges share one {target!r} per "
            f"{neuron} neuron. Write '{target} += -({show(statement.value)})'."
        )
    if op == "+=":
        reason = "it reads the variable that edges add to"
    else:
        reason = (
            f"several edges share one {target!r} per {neuron} neuron, and '{op}' would keep the "
            "last edge's value"
        )
    handlers = "" if own_trigger else f" in a {side!r} or 'step' handler"
    return ModelError(
        f"{where}: its result would depend on the order of edges: {reason}. Add with '+=' an "
        f"expression that does not read {target!r}, or read only what belongs to the {neuron} side"
        f"{handlers}."
    )
