"""Cell: the equations of one neuron, astrocyte or readout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from ..errors import ModelError, describe, describe_unknown
from ..expr.parse import Parser
from ..expr.tree import Assign, Expr, draws
from ..units import Exponents, unit
from .declarations import Constant, Definition, Port, Refractory, State, constant, find
from .resolution import check_cell, check_mapping, keep


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
