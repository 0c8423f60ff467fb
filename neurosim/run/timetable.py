"""Timetable of a run: callbacks and statements at regular times, and where a stretch must end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..ir.memory import Memory
from ..ir.program import Program
from ..ir.regular_updates import StateUpdate


@dataclass(eq=False)
class _Callback:
    function: Callable[[], object]
    interval: int
    last: int = -1  # the step before which it was called last


class Timetable:
    """What happens before steps whose number is a multiple of an interval.

    Parameters
    ----------
    program : Program
    memory : Memory
    replica : int
        Replica word of the random numbers.
    """

    def __init__(self, program: Program, memory: Memory, *, replica: int) -> None:
        self._updates = [StateUpdate(u, program, memory, replica=replica) for u in program.updates]
        self._callbacks: list[_Callback] = []

    def add(self, function: Callable[[], object], interval: int) -> Callable[[], None]:
        """Add a callback; return the function that removes it."""
        callback = _Callback(function, interval)
        self._callbacks.append(callback)

        def remove() -> None:
            if callback in self._callbacks:
                self._callbacks.remove(callback)

        return remove

    def next_after(self, step: int) -> int | None:
        """Return the first step after ``step`` before which something happens."""
        if not (self._updates or self._callbacks):
            return None
        events = (*self._updates, *self._callbacks)
        return min(((step // e.interval + 1) * e.interval for e in events), default=None)

    def call(self, step: int) -> bool:
        """Call the callbacks that are due before a step; return whether there were any.

        One that was called before this step already is not called again: an exception of a later
        one may have ended the run here.
        """
        if not self._callbacks:
            return False
        due = [c for c in self._callbacks if step % c.interval == 0 and c.last != step]
        for callback in due:
            callback.last = step
            callback.function()
        return bool(due)

    def update(self, step: int) -> bool:
        """Run the statements that are due before a step; return whether there were any."""
        if not self._updates:
            return False
        due = [u for u in self._updates if step % u.interval == 0]
        for update in due:
            update.run(step)
        return bool(due)

    def turn_back(self) -> None:
        """Forget which callbacks were called, since the clock was set."""
        for callback in self._callbacks:
            callback.last = -1
