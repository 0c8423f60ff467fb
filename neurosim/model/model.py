"""Cell and Rule: what one neuron does, and what one edge does and learns, as equations with units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from ..errors import ModelError, describe, describe_unknown
from ..expr.parse import Parser
from ..expr.tree import Assign, Expr, draws, names
from ..units import Exponents, unit
from .declarations import (
    EVENTS,
    Constant,
    Definition,
    Handler,
    Link,
    Parameter,
    Port,
    Refractory,
    State,
    constant,
    decay_constant,
    definition,
    find,
    variable,
)
from .resolution import METHODS, check_cell, check_mapping, check_rule, keep

__all__ = [
    "Cell",
    "Constant",
    "Definition",
    "Handler",
    "Link",
    "METHODS",
    "Parameter",
    "Port",
    "Refractory",
    "Rule",
    "State",
    "decay_constant",
    "rule_parameter",
]


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

    def __init__(
        self,
        equations: str = "",
        *,
        parameters: Mapping[str, Any] | None = None,
        receives: Mapping[str, Port] | None = None,
        spike: str | None = None,
        after_spike: str = "",
        refractory: Any = None,
        step: str | None = None,
        method: str | None = None,
        initial: Mapping[str, Any] | None = None,
        name: str = "cell",
    ) -> None:
        parser = Parser(f"cell {name!r}")
        parsed = parser.equations(equations)
        units = {
            e.name: unit(e.unit, where=f"{parser.owner}, equation of {e.name}") for e in parsed
        }
        given = check_mapping(parser.owner, "parameters", parameters)
        keep(self, "name", name)
        keep(
            self,
            "states",
            tuple(
                State(e.name, units[e.name], e.tree)
                for e in parsed
                if e.derivative or e.tree is None
            ),
        )
        keep(
            self,
            "parameters",
            tuple(constant(parser, key, value, others=given) for key, value in given.items()),
        )
        keep(
            self,
            "definitions",
            tuple(
                Definition(e.name, units[e.name], e.tree)
                for e in parsed
                if not e.derivative and e.tree is not None
            ),
        )
        keep(self, "receives", tuple(check_mapping(parser.owner, "receives", receives).items()))
        keep(self, "spike", parser.expression(spike, place="spike") if spike is not None else None)
        keep(self, "after_spike", parser.statements(after_spike, place="after_spike"))
        keep(self, "refractory", _refractory(refractory, parser))
        keep(self, "step", parser.statements(step, place="step") if step is not None else None)
        keep(self, "method", method)
        keep(self, "initial", tuple(check_mapping(parser.owner, "initial", initial).items()))
        check_cell(self, parser)

    def following(self, **courses: str) -> Cell:
        """Return a cell whose parameters follow an expression over time, ``t``, and over what the cell's equations may read.

        ``lif().following(current="0.3*nA * sin(2*pi*t / (100*ms))")`` is a current over time. The parameter becomes a definition.
        """
        changed = object.__new__(Cell)
        for field in fields(Cell):
            keep(changed, field.name, getattr(self, field.name))
        trees = [s.derivative for s in self.states if s.derivative is not None] + [
            d.tree for d in self.definitions
        ]
        trees += [s.value for s in (*self.after_spike, *(self.step or ()))] + (
            [] if self.spike is None else [self.spike]
        )
        parser = Parser(
            f"cell {self.name!r}",
            first_draw=1 + max((d.key for tree in trees for d in draws(tree)), default=-1),
        )
        made = tuple(
            Definition(
                name, self.parameter(name).unit, parser.expression(text, place=f"course of {name}")
            )
            for name, text in courses.items()
        )
        keep(changed, "definitions", (*self.definitions, *made))
        keep(changed, "parameters", tuple(p for p in self.parameters if p.name not in courses))
        check_cell(changed, parser)
        return changed

    def state(self, name: str) -> State:
        """Return a state by name."""
        return find(self.states, name, "state", f"cell {self.name!r}")

    def parameter(self, name: str) -> Constant:
        """Return a parameter by name."""
        return find(self.parameters, name, "parameter", f"cell {self.name!r}")

    def port(self, name: str) -> Port:
        """Return a port by name."""
        for key, port in self.receives:
            if isinstance(name, str) and key == name:
                return port
        raise ModelError(
            describe_unknown(
                "port", name, [key for key, _ in self.receives], owner=f"cell {self.name!r}"
            )
        )

    def symbols(self) -> dict[str, Exponents]:
        """Return the exponents of every name that the equations may read."""
        known = {
            s.name: s.unit.exponents for s in (*self.states, *self.parameters, *self.definitions)
        }
        known.update(
            {key: unit(port.unit).exponents for key, port in self.receives if key not in known}
        )
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
        Syntax, no handlers, triggers that look mistyped, derivatives other than a decay; units are checked where the rule meets its cells.
    """

    name: str
    edge: tuple[State, ...]
    pre: tuple[State, ...]
    post: tuple[State, ...]
    reads: tuple[Link, ...]
    parameters: tuple[Constant, ...]
    definitions: tuple[Definition, ...]
    handlers: tuple[Handler, ...]

    def __init__(
        self,
        *,
        edge: str = "",
        pre: str = "",
        post: str = "",
        handlers: Iterable[tuple[str, str]] = (),
        parameters: Mapping[str, Any] | None = None,
        definitions: str = "",
        reads: Mapping[str, Any] | None = None,
        name: str = "rule",
    ) -> None:
        parser = Parser(f"rule {name!r}")
        given, links = (
            check_mapping(parser.owner, "parameters", parameters),
            check_mapping(parser.owner, "reads", reads),
        )
        for symbol in links:
            parser.check_name(symbol, "link")
        keep(self, "name", name)
        for side, text in (("edge", edge), ("pre", pre), ("post", post)):
            keep(self, side, tuple(variable(parser, e, side) for e in parser.equations(text)))
        keep(
            self,
            "parameters",
            tuple(constant(parser, key, value, others=given) for key, value in given.items()),
        )
        keep(
            self, "definitions", tuple(definition(parser, e) for e in parser.equations(definitions))
        )
        keep(self, "reads", tuple(Link(symbol, reference) for symbol, reference in links.items()))
        keep(self, "handlers", _handlers(parser, handlers))
        check_rule(self, parser)

    def reading(self, **links: Any) -> Rule:
        """Return a rule whose parameters (time constants of decays excepted) follow a state of another population."""
        changed = object.__new__(Rule)
        for field in ("name", "edge", "pre", "post", "definitions", "handlers"):
            keep(changed, field, getattr(self, field))
        for symbol in links:
            rule_parameter(self, symbol)
            for v in (*self.edge, *self.pre, *self.post):
                if v.derivative is not None and symbol in names(v.derivative):
                    raise ModelError(
                        f"rule {self.name!r}: {symbol!r} is the time constant of {v.name!r} and cannot be linked. "
                        "Write the decay in a 'step' handler instead."
                    )
            for p in self.parameters:
                if p.name not in links and isinstance(p.value, Expr) and symbol in names(p.value):
                    raise ModelError(
                        f"rule {self.name!r}: {symbol!r} is read by parameter {p.name!r}, which is not computed anew in each step, "
                        f"and cannot be linked. Make {p.name!r} a definition."
                    )
        keep(changed, "parameters", tuple(p for p in self.parameters if p.name not in links))
        keep(
            changed,
            "reads",
            (
                *self.reads,
                *(
                    Link(symbol, reference, rule_parameter(self, symbol).unit)
                    for symbol, reference in links.items()
                ),
            ),
        )
        return changed

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the signals that the rule listens to."""
        return tuple(dict.fromkeys(h.trigger for h in self.handlers if h.trigger not in EVENTS))


def rule_parameter(rule: Rule, name: str) -> Constant:
    """Return a parameter of a rule by name."""
    return find(rule.parameters, name, "parameter", f"rule {rule.name!r}")


def _handlers(parser: Parser, handlers: Any) -> tuple[Handler, ...]:
    pairs = (
        []
        if isinstance(handlers, str | Mapping) or not isinstance(handlers, Iterable)
        else list(handlers)
    )
    if (
        any(isinstance(p, str) or not isinstance(p, Iterable) or len(tuple(p)) != 2 for p in pairs)
        or not pairs
        and handlers
    ):
        raise ModelError(
            f"{parser.owner}: found handlers {describe(handlers)}, expected pairs (trigger, statements). Write [('pre', 'out += w')]."
        )
    return tuple(
        Handler(trigger, parser.statements(text, place=f"handler {trigger!r}"))
        for trigger, text in pairs
    )


def _refractory(given: Any, parser: Parser) -> Refractory | None:
    if given is None:
        return None
    found = given if isinstance(given, Refractory) else Refractory(given)
    freezes = found.freezes
    if isinstance(freezes, str):
        freezes = tuple(freezes.replace(",", " ").split())
    if not isinstance(freezes, tuple | list):
        raise ModelError(
            f"{parser.owner}, refractory: found freezes={describe(freezes)}, expected names of states. Write freezes='v'."
        )
    return replace(found, freezes=tuple(freezes))
