"""Handlers of post-spikes put off until their edges are needed: spikes are noted, and a row of edges catches up when its source's spike arrives.

Edges lie by source, so that the edges of a target are far apart in memory; those of a source are neighbours. What a post-spike does to an
edge may wait where nothing that it reads changes until then, see `deferrable`. Notes hold steps since the stretch began; a stretch ends,
and an edge variable is recorded, with nothing put off.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from neurosim.expr.tree import names
from neurosim.ir.program import ProjectionProgram, RuleProgram

from ..plan.tables import Tables
from .access import fetch, flag, load_index, load_long, store_index, store_long
from .functions import compiled

DEPTH = 32  # spikes of a target that can be noted
CHUNK = 1024  # edges that catch up together
LEAST = 16  # edges per slot: in shorter rows the search for spikes costs more than it saves

# Places in the notes of a thread
SLOTS, COUNTS, STEPS, DONE, EDGES, WHEN, FIRST, FULL, ROWS, BEGIN, END = range(11)


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


def pre_first(code: RuleProgram) -> bool:
    """Whether an arriving spike acts before a post-spike of the same step."""
    triggers = [trigger for trigger, _ in code.handlers]
    return triggers.index("pre") < triggers.index("post")


@compiled
def note(table, first, count, step, thread):
    """Note post-spikes. Table: see the places above; of every slot the latest spike stands in the first row of steps, the one before in the second."""
    now = step - load_long(load_long(table, FIRST, "t"), 0, "first")
    size, counts, steps = (
        load_long(table, SLOTS, "t"),
        load_long(table, COUNTS, "t"),
        load_long(table, STEPS, "t"),
    )
    for j in range(count):
        slot = load_index(first, j, "events")
        number = load_index(counts, slot, "counts")
        for k in range(number, 0, -1):
            store_index(
                steps, k * size + slot, load_index(steps, (k - 1) * size + slot, "steps"), "steps"
            )
        store_index(steps, slot, now, "steps")
        store_index(counts, slot, number + 1, "counts")
        if number + 2 == DEPTH:  # the last row stays empty, and ends every search
            store_long(load_long(table, FULL, "t"), 0, 1, "full")
    return 0


@compiled
def pending(notes, row, first, stop, edges, slots, load_slot):
    """List (edge, step) of all that `CHUNK` edges from ``first`` on have put off, each edge's later steps before its earlier ones; return how many."""
    size, steps = load_long(notes, SLOTS, "t"), load_long(notes, STEPS, "t")
    chosen, when = load_long(notes, EDGES, "t"), load_long(notes, WHEN, "t")
    seen = load_index(load_long(notes, DONE, "t"), row, "done")
    found = 0
    for k in range(first, min(first + CHUNK, stop)):
        edge = load_index(edges, k, "edges") if edges != 0 else k
        step = load_index(steps, load_slot(slots, edge, "slots"), "steps")
        store_index(chosen, found, edge, "chosen")
        store_index(when, found, step, "when")
        found += flag(step > seen)
    begin, end = 0, found
    while begin < end:
        steps += 4 * size
        for q in range(begin, end):
            edge = load_index(chosen, q, "chosen")
            step = load_index(steps, load_slot(slots, edge, "slots"), "steps")
            store_index(chosen, found, edge, "chosen")
            store_index(when, found, step, "when")
            found += flag(step > seen)
        begin, end = end, found
    return found


@compiled
def fetch_row(at, first, last, size):
    """Begin to bring elements ``first`` to ``last`` of an array, of ``size`` bytes each, nearer."""
    for byte in range(at + size * first, at + size * last, 64):
        fetch(byte)


@compiled
def caught_up(notes, row, step):
    """Remember that a row has caught up with ``step``."""
    store_index(
        load_long(notes, DONE, "t"),
        row,
        step - load_long(load_long(notes, FIRST, "t"), 0, "first"),
        "done",
    )


@compiled
def forget(notes):
    """Begin new notes: all rows have caught up."""
    size, counts, steps, done = (
        load_long(notes, SLOTS, "t"),
        load_long(notes, COUNTS, "t"),
        load_long(notes, STEPS, "t"),
        load_long(notes, DONE, "t"),
    )
    for slot in range(load_long(notes, BEGIN, "t"), load_long(notes, END, "t")):
        for k in range(load_index(counts, slot, "counts")):
            store_index(steps, k * size + slot, -1, "steps")
        store_index(counts, slot, 0, "counts")
    for row in range(load_long(notes, ROWS, "t")):
        store_index(done, row, -1, "done")
    store_long(load_long(notes, FULL, "t"), 0, 0, "full")


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

    def notes(self, p: ProjectionProgram, bounds: np.ndarray, thread: int) -> np.ndarray:
        """Return room for a thread's notes, in the order of the places above; ``bounds`` are the first targets of the threads."""
        slots, rows, keep = p.post_slots.neuron.size, p.pre_slots.neuron.size, self._tables.keep
        begin, end = p.post_slots.first[bounds[thread : thread + 2]]
        if thread == 0:  # spikes of targets are noted by the thread that owns them
            self._shared = (
                keep(np.zeros(slots, np.int32)),
                keep(np.full((DEPTH, slots), -1, np.int32)),
            )
        most = min(int(np.diff(p.pre_slots.pointer).max(initial=0)), CHUNK) * DEPTH + 1
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
