"""Resolution of a rule: its names, parameters, decays, triggers and assignments are checked."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from typing import Any

import numpy as np

from ..draws.ranges import POSITIVE, require_range
from ..draws.values import Table
from ..errors import ModelError, describe, describe_unknown
from ..expr.parse import Parser
from ..expr.printing import show
from ..expr.tree import Expr, names
from ..units import TIME
from .cell_resolution import require_unique
from .declarations import Constant, Handler, State, decay_constant
from .dependence import require_definitions, resolve_parameters
from .names import EVENTS, Per, Side
from .parts import RuleParts, find

# A decaying variable may have one time constant per owner of its values.
_TAU_PER: dict[Side, Per] = {"edge": "edge", "pre": "source", "post": "target"}


def resolve_rule(parts: RuleParts, parser: Parser) -> RuleParts:
    """Return the parts of a rule with parameters resolved and in order.

    Units of its statements are checked when a projection binds the rule, see `binding.bind`.

    Raises
    ------
    ModelError
        Names defined twice, derivatives other than a decay, triggers that look mistyped,
        assignments to anything but the rule's own variables, no handlers.
    """
    owner = parser.owner
    named = (*parts.variables, *parts.parameters, *parts.definitions)
    require_unique(owner, [*(p.name for p in named), *(link.symbol for link in parts.reads)])
    for parameter in parts.parameters:
        _require_parameter(parts, parameter, f"{owner}, parameter {parameter.name!r}")
    # No words here: an edge has two indices and two numbers of neurons.
    parts = replace(parts, parameters=resolve_parameters(parts.parameters, owner, {}))
    sides: tuple[tuple[Side, tuple[State, ...]], ...] = (
        ("edge", parts.edge),
        ("pre", parts.pre),
        ("post", parts.post),
    )
    for side, variables in sides:
        for variable in variables:
            # After resolution, because the unit of a time constant may follow from other
            # parameters.
            _require_decay(parts, variable, side, f"{owner}, equation of {variable.name}")
    statements = [statement for handler in parts.handlers for statement in handler.statements]
    # Units of definitions wait for the cells, their circles and sizes do not.
    require_definitions(parts.definitions, [s.value for s in statements], owner)
    assigned = {v.name for v in parts.variables}
    for handler in parts.handlers:
        _require_handler(handler, assigned, parser)
    if not parts.handlers:
        raise ModelError(
            f"{owner}: found no handlers, expected at least one: without it edges deliver and "
            "learn nothing. Write [('pre', 'out += w')]."
        )
    return parts


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


def _require_decay(parts: RuleParts, variable: State, side: Side, where: str) -> None:
    """Refuse a derivative that is no decay, and a time constant that is none."""
    if variable.derivative is None:
        return
    tau = decay_constant(variable)
    # A linked tau is no parameter: it could change between two assignments.
    if tau is None or tau not in {p.name for p in parts.parameters}:
        raise ModelError(
            f"{where}: {show(variable.derivative)!r} is not a decay '-{variable.name} / tau' with "
            "an unlinked parameter tau. Write anything else in a 'step' handler."
        )
    constant = find(parts.parameters, tau, "parameter", where)
    if constant.unit.exponents != TIME:
        raise ModelError(
            f"{where}: {tau!r} is {constant.unit}, but a time (ms) is expected. Give it in ms."
        )
    if constant.per not in (None, _TAU_PER[side]):
        owner = side if side == "edge" else f"{side} neuron"
        raise ModelError(
            f"{where}: {tau!r} has one value per {constant.per}, but {variable.name!r} one per "
            f"{owner}. Declare it with per={_TAU_PER[side]!r}, or give it one value."
        )
    require_range(
        constant.value,
        POSITIVE,
        where=f"{where}: time constant {tau!r}",
        unit=constant.unit,
        remedy="Give a positive time.",
        error=ModelError,
    )


def _require_handler(handler: Handler, variables: set[str], parser: Parser) -> None:
    where = f"{parser.owner}, handler {handler.trigger!r}"
    if handler.trigger not in EVENTS:
        _require_signal(handler.trigger, parser, where)
    for statement in handler.statements:
        if statement.target == "out":
            # A delivery has no old value: it can be added, not assigned or scaled.
            if statement.op != "+=":
                raise ModelError(
                    f"{where}: 'out {statement.op}' is not a delivery. Write 'out += ...'."
                )
        elif statement.target not in variables:
            raise _wrong_target(statement.target, {*variables, "out"}, where)


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


def _wrong_target(name: str, targets: set[str], where: str) -> ModelError:
    stem, _, end = name.rpartition("_")
    if end not in ("pre", "post"):
        return ModelError(f"{where}: {describe_unknown('variable', name, targets)}")
    # Users expect an end on every name; names of the rule itself have none.
    if stem in targets:
        return ModelError(
            f"{where}: found an assignment to {name!r}, expected a variable of the rule by its own "
            f"name, without '_{end}'. Write {stem!r}."
        )
    return ModelError(
        f"{where}: found an assignment to {name!r}, expected one of {', '.join(sorted(targets))}: "
        "a rule assigns its own variables, never the states of cells. "
        "Deliver to a port with 'out += ...'."
    )
