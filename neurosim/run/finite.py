"""Watches whether the variables of rules stay finite: as often as that costs little beside the
computing, and before anything is handed out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir.memory import Memory
from ..ir.program import Program

_SHARE = 0.05  # of the time of computing that goes into looking
_COST = 1e-10  # seconds for a byte that is looked at


@dataclass(frozen=True)
class Wrong:
    """A value that is not finite, and the step at whose beginning all were."""

    projection: str
    variable: str
    member: str  # "edge" or "neuron"
    index: int
    value: float
    since: int


class Watch:
    """What may be spent on looking, and the step at which all variables were last seen to be
    finite.

    A run earns a share of its time of computing. It may look while it lasts if it has earned twice
    the cost, so that the look at its end is paid
    for; the first end is free. Many short runs share one look: what they leave open is seen by a
    later run, or before a result or copy is made.
    """

    def __init__(self, program: Program, memory: Memory) -> None:
        self._memory = memory
        self._watched = [
            (p.name, name, "edge" if symbol.side == "edge" else "neuron")
            for p in program.plastic.values()
            for name, symbol in p.code.symbols
            if symbol.role == "variable"
        ]
        self._cost = _COST * sum(
            memory[projection, name].nbytes for projection, name, _ in self._watched
        )
        self._earned = self._cost
        self.seen = 0

    def due(self, elapsed: float, *, more: bool) -> bool:
        """Say whether to look after ``elapsed`` seconds of computing; ``more``: the run goes on."""
        self._earned += _SHARE * elapsed
        return self._earned >= (2 if more else 1) * self._cost

    def look(self, step: int) -> Wrong | None:
        """Return a value that is not finite at the beginning of ``step``, unless it was looked at
        before.
        """
        if step == self.seen:
            return None
        since, self.seen = self.seen, step
        self._earned = max(self._earned - self._cost, 0.0)
        for projection, name, member in self._watched:
            values = self._memory[projection, name]
            if not np.isfinite(values.sum()):
                wrong = np.flatnonzero(~np.isfinite(values))
                if wrong.size:
                    return Wrong(
                        projection, name, member, int(wrong[0]), float(values[wrong[0]]), since
                    )
        return None
