"""Cell: the equations of one neuron, astrocyte or readout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..arguments import refuse_unknown
from ..expr.parse import Parser
from ..expr.tree import draws
from ..units import Time
from .cell_resolution import resolve_cell, statement_trees
from .declarations import Adaptive, Definition, Parameter, Port, Refractory, State, Value
from .names import Method, require_title
from .notation import cell_markdown, cell_text
from .parsing import (
    read_constants,
    read_crossing,
    read_mapping,
    read_method,
    read_pause,
    read_refractory,
    read_unit,
)
from .parts import CellParts


# Users pass texts, and fields hold trees: the constructor below turns one into the other.
@dataclass(frozen=True, init=False, repr=False)
class Cell(CellParts):
    """The equations of one neuron, astrocyte or readout.

    Parameters
    ----------
    equations : str
        Lines ``dx/dt = expression : unit``, ``x = expression : unit`` (a definition) or
        ``x : unit`` (a state that only events change). ``: unit (unless refractory)`` freezes a
        state while a neuron is refractory.
    parameters : mapping name -> quantity, `Parameter`, draw, or text over other parameters
    receives : mapping name -> `Port`
    spike : str, optional
        Condition of the one event; None for cells that do not spike. ``"crossing(v > 0*mV)"``:
        only in steps in which the condition becomes true, that is, at whose beginning it is false.
    after_spike : str
        Statements of the reset.
    refractory : `Refractory` or time, optional
        A bare time blocks emission only, as does a condition such as ``"v > -40*mV"``: no spike is
        emitted in steps at whose beginning it holds.
    step : str, optional
        Statements instead of an integration method.
    method : str or `Adaptive`, optional
        ``exact``, ``midpoint``, ``exponential_euler``, ``euler``, ``milstein``, ``heun``, ``rk4``,
        or ``adaptive``, whose tolerances `Adaptive` names. Unless it is named, each state has
        ``exact`` if its equation is linear with constant coefficients, else ``midpoint``; in a
        cell with noise ``exponential_euler`` if it is linear in the state, else ``euler``.
    initial : mapping state -> value
        States that are not named begin at 0.
    name : str
        For messages and reports: letters, digits, spaces and ``_ - . , : + ( ) /``.

    Raises
    ------
    ModelError
        Syntax, unknown or malformed names, units; at the line that makes the cell.
    """

    @refuse_unknown("ns.Cell")
    def __init__(
        self,
        equations: str = "",
        *,
        parameters: Mapping[str, Value | Parameter] | None = None,
        receives: Mapping[str, Port] | None = None,
        spike: str | None = None,
        after_spike: str = "",
        refractory: Refractory | Time | None = None,
        step: str | None = None,
        method: Method | Adaptive | None = None,
        initial: Mapping[str, Value] | None = None,
        name: str = "cell",
    ) -> None:
        require_title(name, "cell")
        parser = Parser(f"cell {name!r}")
        parsed = [(e, read_unit(parser, e)) for e in parser.equations(equations)]
        constants = read_mapping(parser.owner, "parameters", parameters)
        condition, crossing = read_crossing(spike)
        pause = read_pause(parser, refractory)
        states = tuple(
            State(e.name, unit, e.tree) for e, unit in parsed if e.derivative or e.tree is None
        )
        named_method, tolerances = read_method(parser, method, states)
        parts = CellParts(
            name=name,
            states=states,
            parameters=read_constants(parser, constants),
            definitions=tuple(
                Definition(e.name, unit, e.tree)
                for e, unit in parsed
                if not e.derivative and e.tree is not None
            ),
            receives=tuple(read_mapping(parser.owner, "receives", receives).items()),
            spike=None if condition is None else parser.expression(condition, part="spike"),
            after_spike=parser.statements(after_spike, part="after_spike"),
            refractory=read_refractory(
                parser,
                None if pause else refractory,
                frozen=tuple(e.name for e, _ in parsed if e.frozen),
            ),
            step=None if step is None else parser.statements(step, part="step"),
            method=named_method,
            initial=tuple(read_mapping(parser.owner, "initial", initial).items()),
            crossing=crossing,
            pause=pause,
            tolerances=tolerances,
        )
        # Fields are set once, when all of them are resolved: no unchecked cell is ever visible.
        super().__init__(**vars(resolve_cell(parts, parser)))

    def following(self, /, **courses: str) -> Cell:
        """Return a cell whose parameters follow expressions over time.

        ``lif().following(current="0.3*nA * sin(2*pi*t / (100*ms))")`` is a current over time. The
        parameter becomes a definition.

        Parameters
        ----------
        **courses : parameter -> expression
            Over ``t`` and every name that the equations of the cell may read.

        Raises
        ------
        ModelError
            Unknown parameters, and everything that the constructor refuses in a definition.
        """
        trees = [*statement_trees(self), *(d.tree for d in self.definitions)]
        # Draws of equal numbers give equal values, so new ones continue the count.
        used = (draw.key for tree in trees for draw in draws(tree))
        parser = Parser(f"cell {self.name!r}", first_draw=1 + max(used, default=-1))
        definitions = tuple(
            Definition(
                name,
                self.parameter(name).unit,
                parser.expression(text, part=f"course of {name}"),
            )
            for name, text in courses.items()
        )
        fields: dict[str, Any] = vars(self) | {
            "definitions": (*self.definitions, *definitions),
            "parameters": tuple(p for p in self.parameters if p.name not in courses),
        }
        # Trees are used again as they are, because the constructor takes texts. Resolving them a
        # second time changes nothing: names of units have become numbers.
        cell = object.__new__(Cell)
        CellParts.__init__(cell, **vars(resolve_cell(CellParts(**fields), parser)))
        return cell

    def __repr__(self) -> str:
        return cell_text(self)

    def _repr_markdown_(self) -> str:
        """Show the equations as mathematics in a notebook."""
        return cell_markdown(self)
