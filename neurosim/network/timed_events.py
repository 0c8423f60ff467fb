"""What happens at given times or on spikes, between steps: statements and signals of a network."""

from __future__ import annotations

from dataclasses import dataclass

from ..expr.tree import Assign
from .populations import View


@dataclass(frozen=True, eq=False)
class RegularUpdate:
    """Statements over the states of some neurons at regular times; `Network.every` makes it.

    Attributes
    ----------
    view : View
    interval : int
        In steps: the statements run before every step whose number is a multiple of it.
    statements : statements
        With units resolved.
    number : int
        Counts the updates of a network; names the random numbers of the statements.
    """

    view: View
    interval: int
    statements: tuple[Assign, ...]
    number: int


@dataclass(frozen=True, eq=False)
class SpikeSignal:
    """A signal that the spikes of some neurons emit; `Network.signal` makes it."""

    name: str
    view: View


def format_interval(update: RegularUpdate, dt: float) -> str:
    """Return the interval of an update as text for rows and messages."""
    return f"{update.interval * dt:.12g} ms"
