"""Checks of projections whose spikes arrive within the step in which they are emitted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from ..errors import NetworkError, describe
from ..expr.tree import names
from ..model.binding import BoundRule, BoundStatement
from .projections import Projection


def require_same_step(projection: Projection, earlier: Iterable[Projection], where: str) -> None:
    """Check that spikes of a same-step projection can arrive before its target is integrated.

    Parameters
    ----------
    projection : Projection
    earlier : iterable of Projection
        Those that the network has already.
    where : str
        Begins each message.

    Raises
    ------
    NetworkError
        If it has a delay, closes a circle of same-step projections, or has a rule whose "pre"
        handlers need what the step has not computed yet.
    """
    # Neither draws nor texts are 0 by their form, and nobody writes them to mean 0.
    if not isinstance(projection.delay, float | np.ndarray) or np.any(projection.delay):
        raise NetworkError(
            f"{where}: same_step=True, found delay {describe(projection.delay)} ms, expected 0: "
            "spikes arrive in the step in which they are emitted. Leave out the delay, or "
            "same_step."
        )
    circle = _find_circle(projection, earlier)
    if circle:
        raise NetworkError(
            f"{where}: same_step=True closes the circle {' -> '.join(circle)}, expected none: a "
            "population is integrated as a whole, after those whose spikes it receives within the "
            "step. Let one of the projections have a delay (0 or more), without same_step."
        )
    if projection.bound is not None:
        constants = {p.name for p in projection.target.population.cell.parameters}
        _require_rule(projection.bound, constants, where)


def _find_circle(projection: Projection, earlier: Iterable[Projection]) -> list[str]:
    """Return the populations along a circle that a projection closes, the first one twice."""
    following: dict[str, list[str]] = {}
    for p in earlier:
        if p.same_step:
            following.setdefault(p.source.name, []).append(p.target.name)
    first = projection.source.name
    ways = [[first, projection.target.name]]
    visited = set()
    while ways:
        way = ways.pop()
        last = way[-1]
        if last == first:
            return way
        # Once is enough: what can be reached from a population does not depend on the way to it.
        if last not in visited:
            visited.add(last)
            ways += [[*way, name] for name in following.get(last, ())]
    return []


def _require_rule(rule: BoundRule, constants: set[str], where: str) -> None:
    """Raise unless a rule delivers in "pre" handlers that can run before the target.

    ``constants`` are the parameters of the target, which a handler may read.
    """
    triggers = [trigger for trigger, _ in rule.handlers]
    delivering = {t for t, body in rule.handlers if any(s.action == "deliver" for s in body)}
    reason = ""
    if delivering != {"pre"}:
        reason = "it delivers in no 'pre' handler"
        if "step" in delivering:
            reason = "a 'step' handler delivers after the target was integrated"
    elif rule.equations:
        variables = ", ".join(v for e in rule.equations for v, _ in e.derivatives)
        reason = f"equations of {variables} take their step after the target was integrated"
    elif "post" in triggers and "pre" in triggers[triggers.index("post") :]:
        reason = (
            "its 'post' handler stands before a 'pre' handler, but a spike of the target follows "
            "those that arrive within the step"
        )
    else:
        late = _read_too_early(rule, constants)
        changed = _changed_too_early(rule)
        if late:
            reason = f"its 'pre' handler reads {late}, which the step has not computed yet"
        elif changed:
            reason = f"its 'pre' handler changes {changed}, and states change after all spikes"
    if reason:
        raise NetworkError(
            f"{where}: same_step=True, found a rule that cannot: {reason}; expected 'pre' handlers "
            "that come first, deliver, and read their edges and sources. Change the rule, or use "
            "a delay of 0, which the next step feels."
        )


def _changed_too_early(rule: BoundRule) -> str:
    """Return a state of a cell that a "pre" handler changes; or ``""``."""
    for statement in _statements_at_pre(rule):
        if statement.action in ("add_to_cell", "assign_cell"):
            return repr(statement.target)
    return ""


def _read_too_early(rule: BoundRule, constants: set[str]) -> str:
    """Return a name that a "pre" handler reads and that is new only after the target; or ``""``."""
    for statement in _statements_at_pre(rule):
        for name in sorted(names(statement.value) & rule.symbols.keys()):
            symbol = rule.symbols[name]
            # Links may lead to any population, the target included.
            of_target = symbol.role == "cell" and symbol.side == "post"
            if symbol.role == "link" or (of_target and symbol.origin not in constants):
                return repr(name)
    return ""


def _statements_at_pre(rule: BoundRule) -> Iterator[BoundStatement]:
    # Only these run before the target; all other handlers run after it in any case.
    for trigger, statements in rule.handlers:
        if trigger == "pre":
            yield from statements
