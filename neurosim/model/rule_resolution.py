"""Resolution of a rule: names, parameters, equations, triggers and assignments are checked."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from typing import Any

import numpy as np

from ..draws.ranges import POSITIVE, require_range
from ..draws.values import Table
from ..errors import ModelError, describe, describe_unknown, is_one_of
from ..expr.dimensions import expect, resolve_units
from ..expr.parse import Parser
from ..expr.printing import show
from ..expr.tree import Expr, names
from ..units import TIME
from .cell_resolution import require_unique
from .declarations import Adaptive, Constant, Handler, State
from .dependence import require_definitions, resolve_parameters
from .names import EVENTS, RULE_METHODS, Per, Side
from .parts import RuleParts, find
from .rule_equations import ClosedForm, closed_forms, rate_of

# The equation of a neuron's variable may read parameters that have one value per such neuron.
_PER: dict[Side, Per] = {"edge": "edge", "pre": "source", "post": "target"}


def resolve_rule(parts: RuleParts, parser: Parser) -> RuleParts:
    """Return the parts of a rule with parameters resolved and in order.

    Units of its statements are checked when a projection binds the rule, see `binding.bind`.

    Raises
    ------
    ModelError
        Names defined twice, equations whose names or units are wrong, an unknown method, triggers
        that look mistyped, assignments to anything but the rule's own variables, no handlers.
    """
    owner = parser.owner
    named = (*parts.variables, *parts.parameters, *parts.definitions)
    require_unique(owner, [*(p.name for p in named), *(link.symbol for link in parts.reads)])
    for parameter in parts.parameters:
        _require_parameter(parts, parameter, f"{owner}, parameter {parameter.name!r}")
    # No words here: an edge has two indices and two numbers of neurons.
    parts = replace(parts, parameters=resolve_parameters(parts.parameters, owner, {}))
    # Circles must be excluded before definitions are written out below.
    trees = [s.value for handler in parts.handlers for s in handler.statements]
    trees += [v.derivative for v in parts.variables if v.derivative is not None]
    # Units of definitions wait for the cells, their circles and sizes do not.
    require_definitions(parts.definitions, trees, owner)
    parts = _resolve_equations(parts, owner)
    assigned = {v.name for v in parts.variables}
    for handler in parts.handlers:
        _require_handler(handler, assigned, parser)
    if not parts.handlers and all(v.derivative is None for v in parts.variables):
        raise ModelError(
            f"{owner}: found no handlers, expected at least one: without it edges deliver and "
            "learn nothing. Write [('pre', 'out += w')]."
        )
    return parts


def _resolve_equations(parts: RuleParts, owner: str) -> RuleParts:
    """Return a rule whose equations are checked, after its parameters, which they read."""
    method = parts.method
    if method == "adaptive" or isinstance(method, Adaptive):
        raise ModelError(
            f"{owner}: found the method 'adaptive', expected one of "
            f"{', '.join(RULE_METHODS)}: sub-steps are for cells alone. Use method='rk4'."
        )
    if method is not None and not is_one_of(method, RULE_METHODS):
        raise ModelError(f"{owner}: {describe_unknown('method', method, RULE_METHODS)}")
    forms = closed_forms(parts)
    resolved = {
        side: tuple(
            _require_equation(parts, v, side, forms.get(v.name), f"{owner}, equation of {v.name}")
            for v in variables
        )
        for side, variables in parts.sides
    }
    return replace(parts, edge=resolved["edge"], pre=resolved["pre"], post=resolved["post"])


def _require_parameter(parts: RuleParts, parameter: Constant, where: str) -> None:
    value = parameter.value
    if isinstance(value, Table):
        raise ModelError(
            f"{where}: found a table, expected a number, array or draw. "
            "Give a population the table as a parameter, and link to it."
        )
    if parameter.per is None and isinstance(value, np.ndarray):
        raise ModelError(
            f"{where}: found an array, expected one value. Declare it with "
            "Parameter(unit, values, per='source', 'target' or 'edge')."
        )
    if not isinstance(value, Expr):
        return
    for other in parts.parameters:
        if other.name in names(value) and other.per is not None:
            raise ModelError(
                f"{where}: {show(value)!r} reads {other.name!r}, which has one value per "
                f"{other.per}, expected parameters of one value. Compute it in a definition."
            )


def _require_equation(
    parts: RuleParts,
    variable: State,
    side: Side,
    form: ClosedForm | None,
    where: str,
) -> State:
    """Return a variable whose equation has its units resolved; refuse what no edge can give it."""
    if variable.derivative is None:
        return variable
    for parameter in parts.parameters:
        if parameter.name in names(variable.derivative):
            _require_owner(parameter, variable, side, where)
    tau = None if form is None else form.time_constant
    if tau is not None:
        _require_time_constant(find(parts.parameters, tau, "parameter", where), where)
    own = {p.name: p.unit.exponents for p in (*parts.variables, *parts.parameters)}
    own |= {d.name: d.unit.exponents for d in parts.definitions}
    # Names of cells and links are known when a projection binds the rule.
    later = {n for n in names(variable.derivative) if n.endswith(("_pre", "_post"))}
    later |= {link.symbol for link in parts.reads}
    known = {*own, *later, "t", "dt"}
    tree = resolve_units(variable.derivative, known, where=where, noise=True)
    if not names(tree) & later:
        expect(tree, own, rate_of(variable), where=where)
    return replace(variable, derivative=tree)


def _require_owner(
    parameter: Constant,
    variable: State,
    side: Side,
    where: str,
) -> None:
    """Refuse a parameter that has other values than its variable, unless an edge reads it."""
    if side == "edge" or parameter.per in (None, _PER[side]):
        return
    raise ModelError(
        f"{where}: {parameter.name!r} has one value per {parameter.per}, but {variable.name!r} one "
        f"per {side} neuron. Declare it with per={_PER[side]!r}, or give it one value."
    )


def _require_time_constant(tau: Constant, where: str) -> None:
    if tau.unit.exponents != TIME:
        raise ModelError(
            f"{where}: {tau.name!r} is {tau.unit}, but a time (ms) is expected. Give it in ms."
        )
    require_range(
        tau.value,
        POSITIVE,
        where=f"{where}: time constant {tau.name!r}",
        unit=tau.unit,
        remedy="Give a positive time.",
        error=ModelError,
    )


def _require_handler(handler: Handler, variables: set[str], parser: Parser) -> None:
    where = f"{parser.owner}, handler {describe(handler.trigger)}"
    if not is_one_of(handler.trigger, EVENTS):
        _require_signal(handler.trigger, parser, where)
    for statement in handler.statements:
        if statement.target == "out":
            # A delivery has no old value: it can be added, not assigned or scaled.
            if statement.op != "+=":
                raise ModelError(
                    f"{where}: 'out {statement.op}' is not a delivery. Write 'out += ...'."
                )
        elif statement.target not in variables:
            _require_end(statement.target, {*variables, "out"}, where)


def _require_signal(name: Any, parser: Parser, where: str) -> None:
    """Refuse the name of a signal that looks like a mistyped event."""
    parser.check_name(name, "signal", read=False)
    # Signals have free names: a mistyped "pre" would be accepted and never come.
    meant = get_close_matches(name.lower().removeprefix("on_"), EVENTS, n=1, cutoff=0.8)
    if meant:
        raise ModelError(
            f"{where}: found {describe(name)}, expected 'pre', 'post', 'step', or the name of a "
            "signal that cannot be mistaken for one of these. "
            f"Write {meant[0]!r}, or name the signal otherwise."
        )


def _require_end(name: str, targets: set[str], where: str) -> None:
    """Refuse an assigned name that cannot be a state of the cell at one end.

    Which states there are is known when a projection binds the rule.
    """
    stem, _, end = name.rpartition("_")
    if end not in ("pre", "post"):
        raise ModelError(
            f"{where}: {describe_unknown('variable', name, targets)} States of cells are named "
            "with their end, such as 'v_post'. "
            f"A value that is only read is a definition: definitions='{name} = ... : 1'."
        )
    # Users expect an end on every name; names of the rule itself have none.
    if stem in targets:
        raise ModelError(
            f"{where}: found an assignment to {name!r}, expected a variable of the rule by its own "
            f"name, without '_{end}'. Write {stem!r}."
        )
