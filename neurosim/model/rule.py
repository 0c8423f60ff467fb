"""Rule: the variables and handlers of an edge, which define its deliveries and its learning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..arguments import refuse_unknown
from ..errors import ModelError
from ..expr.parse import Parser
from ..expr.tree import Expr, names
from .declarations import Link, Parameter, State, Value
from .names import Method, Side, require_title
from .notation import rule_markdown, rule_text
from .parsing import read_constants, read_definition, read_handlers, read_mapping, read_variable
from .parts import RuleParts
from .rule_resolution import resolve_rule


# As for cells, the constructor takes texts while the fields hold trees.
@dataclass(frozen=True, init=False, repr=False)
class Rule(RuleParts):
    """The variables of an edge, and the statements that deliver and learn.

    Parameters
    ----------
    edge, pre, post : str
        Variables with units, one value per edge, source neuron, target neuron: ``w : nA``, or
        with an equation, ``dx/dt = (1 - x) / tau : 1``. An equation that is linear in its variable
        with coefficients over parameters is solved between events; others take a step of `method`
        in each step, after phase 2, and read all else as it is then.
    handlers : sequence of (trigger, statements)
        They run in this order. A trigger is ``"pre"`` or ``"post"`` (a spike of the source or
        target), ``"step"``, or the name of a signal. ``out += expression`` is the delivery.
    parameters : mapping name -> quantity, `Parameter`, draw, or text over other parameters
    definitions : str
        Named sub-expressions, ``name = expression : unit``.
    reads : mapping symbol -> reference
        Links, such as ``{"level": glia["a"]}``; see also `reading`.
    method : str, optional
        Of the variables that are integrated in each step: those of `Cell`, chosen as there unless
        named.
    name : str
        For messages and reports: letters, digits, spaces and ``_ - . , : + ( ) /``.

    Raises
    ------
    ModelError
        Syntax, malformed names, no handlers, triggers that look mistyped, an unknown method.
        Units of handlers are checked when a projection binds the rule to its cells.
    """

    @refuse_unknown("ns.Rule")
    def __init__(
        self,
        *,
        edge: str = "",
        pre: str = "",
        post: str = "",
        handlers: Iterable[tuple[str, str]] = (),
        parameters: Mapping[str, Value | Parameter] | None = None,
        definitions: str = "",
        reads: Mapping[str, Any] | None = None,
        method: Method | None = None,
        name: str = "rule",
    ) -> None:
        require_title(name, "rule")
        parser = Parser(f"rule {name!r}")
        constants = read_mapping(parser.owner, "parameters", parameters)
        links = read_mapping(parser.owner, "reads", reads)
        for symbol in links:
            # Before the network is known, which checks the values behind the symbols.
            parser.check_name(symbol, "link")
        parts = RuleParts(
            name=name,
            edge=_variables(parser, edge, "edge"),
            pre=_variables(parser, pre, "pre"),
            post=_variables(parser, post, "post"),
            parameters=read_constants(parser, constants),
            definitions=tuple(read_definition(parser, e) for e in parser.equations(definitions)),
            reads=tuple(Link(symbol, reference) for symbol, reference in links.items()),
            handlers=read_handlers(parser, handlers),
            method=method,
        )
        super().__init__(**vars(resolve_rule(parts, parser)))

    def reading(self, /, **links: Any) -> Rule:
        """Return a rule whose parameters follow states of populations.

        An equation that reads a link is integrated in each step.

        Parameters
        ----------
        **links : parameter -> reference
            Such as ``a_minus=glia["level"]``.

        Raises
        ------
        ModelError
            Unknown parameters, and parameters that others read.
        """
        for symbol in links:
            self._require_linkable(symbol, links.keys())
        fields: dict[str, Any] = vars(self) | {
            "parameters": tuple(p for p in self.parameters if p.name not in links),
            "reads": (
                *self.reads,
                # The unit of the parameter is required of the value that replaces it.
                *(Link(name, link, self.parameter(name).unit) for name, link in links.items()),
            ),
        }
        # Nothing is resolved anew: no parameter that is left out was needed by another.
        rule = object.__new__(Rule)
        RuleParts.__init__(rule, **fields)
        return rule

    def _require_linkable(self, symbol: str, linked: Iterable[str]) -> None:
        """Refuse to link a parameter that other parameters read."""
        self.parameter(symbol)
        for p in self.parameters:
            # A parameter that is linked itself is not computed from its text any more.
            if p.name not in linked and isinstance(p.value, Expr) and symbol in names(p.value):
                raise ModelError(
                    f"rule {self.name!r}: {symbol!r} is read by parameter {p.name!r}, which is not "
                    "computed anew in each step, and cannot be linked. "
                    f"Make {p.name!r} a definition."
                )

    def __repr__(self) -> str:
        return rule_text(self)

    def _repr_markdown_(self) -> str:
        """Show variables and handlers as mathematics in a notebook."""
        return rule_markdown(self)


def _variables(parser: Parser, text: str, side: Side) -> tuple[State, ...]:
    return tuple(read_variable(parser, equation, side) for equation in parser.equations(text))
