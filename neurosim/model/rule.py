"""Rule: variables and handlers of an edge, which say what it delivers and learns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import ModelError, describe
from ..expr.parse import Parser
from ..expr.tree import Expr, names
from .declarations import (
    Constant,
    Definition,
    Handler,
    Link,
    State,
    constant,
    definition,
    find,
    variable,
)
from .names import EVENTS
from .resolution import check_mapping, check_rule, keep


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
