"""The declarations that cells and rules consist of: states, parameters, ports, handlers, links."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ..draws.values import Distribution, Table
from ..expr.printing import show
from ..expr.tree import Assign, Expr, names
from ..units import Quantity, Time, Unit
from .names import Per

Value: TypeAlias = Quantity | Distribution | Table
"""A value of a parameter or state as users write it; text may also read other parameters."""

EngineValue: TypeAlias = float | np.ndarray | Distribution | Table | Expr
"""A value in engine units; text over other parameters is a tree."""


@dataclass(frozen=True)
class State:
    """One number per neuron (or edge) that the equations change.

    Parameters
    ----------
    name : str
    unit : Unit
    derivative : Expr, optional
        None: only events and statements change the state.
    """

    name: str
    unit: Unit
    derivative: Expr | None = None


@dataclass(frozen=True)
class Parameter:
    """A named constant with its unit.

    Parameters
    ----------
    unit : str
        Such as ``"mV"``. Plain numbers of the parameter are in this unit, wherever they go in or
        come out.
    value : quantity, array, draw, table over time, or text over other parameters
    per : ``"source"``, ``"target"`` or ``"edge"``, optional
        In rules only: the parameter has one value for each. None: one value in all.
    """

    unit: str
    value: Value
    per: Per | None = None


@dataclass(frozen=True)
class Constant:
    """A parameter as a cell or rule keeps it: its value is in engine units."""

    name: str
    unit: Unit
    value: EngineValue
    per: Per | None = None


@dataclass(frozen=True)
class Definition:
    """A named sub-expression, computed wherever it is read."""

    name: str
    unit: Unit
    tree: Expr


@dataclass(frozen=True)
class Port:
    """A named input of a cell; contributions to it are summed.

    Parameters
    ----------
    unit : str
        Unit of the weights that arrive.
    into : str, optional
        The state that an arriving weight is added to. None: the sum of a step is a symbol of the
        equations.
    """

    unit: str
    into: str | None = None


@dataclass(frozen=True)
class Refractory:
    """For some time after a spike, a neuron emits no other.

    Parameters
    ----------
    time : time, or name of a parameter
        Counted from the spike.
    freezes : str or names
        States that keep their values during this time.
    """

    time: Time
    freezes: str | tuple[str, ...] = ()


@dataclass(frozen=True)
class Adaptive:
    """The method ``adaptive`` with its tolerances: ``method=ns.Adaptive(relative=1e-9)``.

    Each neuron takes sub-steps within dt, as many as it needs. A sub-step may have an error of
    ``absolute + relative * abs(x)`` in each state x.

    Parameters
    ----------
    relative : float
        In parts of the value.
    absolute : mapping state -> quantity, optional
        Of the states that are not named, 1e-9 in their own unit.
    sub_steps : int
        Sub-steps that a neuron may try in one step of dt. If they do not suffice, the run ends with
        an error.
    """

    relative: float = 1e-6
    absolute: Mapping[str, Quantity] | None = None
    sub_steps: int = 10_000


@dataclass(frozen=True)
class Handler:
    """Statements run on a trigger: ``"pre"``, ``"post"``, ``"step"`` or the name of a signal."""

    trigger: str
    statements: tuple[Assign, ...]


@dataclass(frozen=True)
class Link:
    """A symbol of a rule, bound to a value of a population or of an earlier projection.

    Parameters
    ----------
    symbol : str
    reference : Reference
        Such as ``glia["level"]``, made by populations and projections.
    unit : Unit, optional
        Unit of the parameter that the link replaces; None: it replaces none.
    """

    symbol: str
    # References belong to networks, a layer above; the language only passes them on.
    reference: Any
    unit: Unit | None = None


def decay_constant(variable: State) -> str | None:
    """Return the name of tau if the derivative is ``-x / tau``, else None."""
    if variable.derivative is None:
        return None
    # Printed text has one form for any brackets of the user. Only this form has a closed solution
    # that engines can apply when a variable is read, however long after its last change.
    text = show(variable.derivative)
    for candidate in names(variable.derivative) - {variable.name}:
        if text in (f"-{variable.name} / {candidate}", f"-({variable.name} / {candidate})"):
            return candidate
    return None
