"""Which handlers of post-spikes are deferred, and the notes that a run keeps of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from neurosim.expr.tree import names
from neurosim.ir.program import PlasticProjection, RuleProgram

from ..kernels.deferral import CHUNK, DEPTH
from .tables import Tables

LEAST = 16  # edges per group: in shorter rows the search for spikes costs more than it saves


def deferrable(code: RuleProgram) -> bool:
    """Whether the "post" handler may wait: it assigns edge variables from these, parameters and pre variables that only "pre" handlers change."""
    symbols = dict(code.symbols)
    handlers = {
        trigger: [s for t, found in code.handlers if t == trigger for s in found]
        for trigger in ("pre", "post", "step")
    }
    post = [s for s in handlers["post"] if s.action != "assign" or s.side == "edge"]
    once = all(sum(t == trigger for t, _ in code.handlers) == 1 for trigger in ("pre", "post"))
    if (
        not once
        or not post
        or any(s.action != "assign" for s in post)
        or all(s.side != "edge" for s in handlers["pre"])
    ):
        return False
    written = {s.target for s in post}
    changing = {s.target for s in handlers["step"]} | {
        n for s in handlers["step"] for n in names(s.value)
    }
    read = [symbols[n] for n in written.union(*(names(s.value) for s in post)) if n in symbols]
    return not changing & written and all(
        s.role in ("parameter", "word")
        or s.role == "variable"
        and s.side != "post"
        and s.name not in changing
        for s in read
    )


class Deferral:
    """What a run has put off: notes of post-spikes, by projection and thread.

    Attributes
    ----------
    sweeps : projection -> calls, one per thread, by which all its edges catch up
    """

    def __init__(self, tables: Tables) -> None:
        self.sweeps: dict[str, list[tuple[Any, ...]]] = {}
        self._tables, self._settled = tables, True
        self._first = tables.keep(np.zeros(1, np.int64))  # notes count steps from here
        self._shared: tuple[np.ndarray, ...] = ()

    def begin(self, step: int) -> None:
        """Count steps from here, if nothing is put off."""
        if self._settled:
            self._first[0], self._settled = step, False

    def overdue(self, step: int) -> bool:
        """Whether steps will soon be too many to be counted in 32 bits."""
        return step - int(self._first[0]) >= 1 << 30

    def settle(self) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the calls after which nothing is put off, those of each projection together; all must be made, and then the next be asked for."""
        yield from self.sweeps.values()
        self._settled = True

    def notes(self, p: PlasticProjection, bounds: np.ndarray, thread: int) -> np.ndarray:
        """Return room for a thread's notes, in the order of the places above; ``bounds`` are the first targets of the threads."""
        slots, rows, keep = p.post_groups.neuron.size, p.pre_groups.neuron.size, self._tables.keep
        begin, end = p.post_groups.first[bounds[thread : thread + 2]]
        if thread == 0:  # spikes of targets are noted by the thread that owns them
            self._shared = (
                keep(np.zeros(slots, np.int32)),
                keep(np.full((DEPTH, slots), -1, np.int32)),
            )
        most = min(int(np.diff(p.pre_groups.pointer).max(initial=0)), CHUNK) * DEPTH + 1
        done, edges, when, full = (
            np.full(rows, -1, np.int32),
            np.zeros(most, np.int32),
            np.zeros(most, np.int32),
            np.zeros(1, np.int64),
        )
        return self._tables.block(
            [
                [
                    slots,
                    *self._shared,
                    keep(done),
                    keep(edges),
                    keep(when),
                    self._first,
                    keep(full),
                    rows,
                    begin,
                    end,
                ]
            ],
            11,
        )
