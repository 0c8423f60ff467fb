"""The fields of a cell and of a rule, and how to find one of them by its name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from ..errors import ModelError, describe_unknown
from ..expr.tree import Assign, Expr, draws, inline
from ..units import Exponents, unit
from .declarations import Constant, Definition, Handler, Link, Port, Refractory, State, Value
from .integration.sub_steps import Tolerances
from .names import EVENTS, Method, Side


class _Named(Protocol):
    @property
    def name(self) -> str: ...


Part = TypeVar("Part", bound=_Named)


@dataclass(frozen=True)
class CellParts:
    """The fields of a `Cell`, before and after their names are resolved."""

    name: str
    states: tuple[State, ...]
    parameters: tuple[Constant, ...]
    definitions: tuple[Definition, ...]
    receives: tuple[tuple[str, Port], ...]
    spike: Expr | None
    after_spike: tuple[Assign, ...]
    refractory: Refractory | None
    step: tuple[Assign, ...] | None
    method: Method | None
    initial: tuple[tuple[str, Value], ...]
    # Whether a spike needs the condition to have been false at the beginning of the step.
    crossing: bool = False
    # No spike is emitted in a step at whose beginning this holds.
    pause: Expr | None = None
    # Of the method "adaptive" alone.
    tolerances: Tolerances | None = None

    def state(self, name: str) -> State:
        """Return a state by name; raise ModelError if there is none."""
        return find(self.states, name, "state", f"cell {self.name!r}")

    def parameter(self, name: str) -> Constant:
        """Return a parameter by name; raise ModelError if there is none."""
        return find(self.parameters, name, "parameter", f"cell {self.name!r}")

    def port(self, name: str) -> Port:
        """Return a port by name; raise ModelError if there is none."""
        for key, port in self.receives:
            # An array would compare element by element.
            if isinstance(name, str) and key == name:
                return port
        valid = [key for key, _ in self.receives]
        raise ModelError(describe_unknown("port", name, valid, owner=f"cell {self.name!r}"))

    @property
    def observable(self) -> tuple[Definition, ...]:
        """The definitions that others may read: those without noise in continuous time."""
        trees = {d.name: d.tree for d in self.definitions}
        return tuple(
            d
            for d in self.definitions
            if not any(draw.kind == "xi" for draw in draws(inline(d.tree, trees)))
        )

    def symbols(self) -> dict[str, Exponents]:
        """Return the exponents of every name that the equations may read."""
        named = (*self.states, *self.parameters, *self.definitions)
        exponents = {part.name: part.unit.exponents for part in named}
        for key, port in self.receives:
            # A state wins over the port of its name, which jumps it.
            exponents.setdefault(key, unit(port.unit).exponents)
        return exponents


AnyCell = TypeVar("AnyCell", bound=CellParts)


@dataclass(frozen=True)
class RuleParts:
    """The fields of a `Rule`, before and after their names are resolved."""

    name: str
    edge: tuple[State, ...]
    pre: tuple[State, ...]
    post: tuple[State, ...]
    reads: tuple[Link, ...]
    parameters: tuple[Constant, ...]
    definitions: tuple[Definition, ...]
    handlers: tuple[Handler, ...]
    method: Method | None

    def parameter(self, name: str) -> Constant:
        """Return a parameter by name; raise ModelError if there is none."""
        return find(self.parameters, name, "parameter", f"rule {self.name!r}")

    @property
    def sides(self) -> tuple[tuple[Side, tuple[State, ...]], ...]:
        """The variables by side: those of edges, of sources and of targets."""
        return ("edge", self.edge), ("pre", self.pre), ("post", self.post)

    @property
    def variables(self) -> tuple[State, ...]:
        """All variables: those of edges, of sources and of targets."""
        return (*self.edge, *self.pre, *self.post)

    @property
    def assigned_states(self) -> tuple[str, ...]:
        """The states of cells that handlers assign, such as ``v_post``."""
        own = {"out", *(v.name for v in self.variables)}
        targets = (s.target for handler in self.handlers for s in handler.statements)
        return tuple(dict.fromkeys(target for target in targets if target not in own))

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the signals that the rule listens to."""
        # Without repetition, in the order of the handlers.
        triggers = (handler.trigger for handler in self.handlers)
        return tuple(dict.fromkeys(t for t in triggers if t not in EVENTS))


def find(
    parts: Iterable[Part],
    name: str,
    noun: str,
    owner: str,
) -> Part:
    """Return the part of a name.

    Parameters
    ----------
    parts : states, parameters or other named parts
    name : str
    noun : str
        The thing that has the name, such as ``state``, for messages.
    owner : str
        Begins the message.

    Raises
    ------
    ModelError
        If no part has this name.
    """
    # An iterator could not be walked a second time for the message.
    parts = tuple(parts)
    for part in parts:
        if isinstance(name, str) and part.name == name:
            return part
    valid = [part.name for part in parts]
    raise ModelError(describe_unknown(noun, name, valid, owner=owner))


class Identical(Generic[AnyCell]):
    """A cell that equals itself alone, for caches: equal cells may differ in the sign of a zero."""

    def __init__(self, cell: AnyCell) -> None:
        self.cell = cell

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identical) and self.cell is other.cell

    def __hash__(self) -> int:
        return id(self.cell)
