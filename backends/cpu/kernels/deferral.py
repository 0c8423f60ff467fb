"""Handlers of post-spikes put off until their edges are needed: spikes are noted, and a row of edges catches up when its source's spike arrives.

Edges lie by source, so that the edges of a target are far apart in memory; those of a source are neighbours. What a post-spike does to an
edge may wait where nothing that it reads changes until then, see `neurosim.backends.cpu.plan.deferral.deferrable`. Notes hold steps since the stretch began; a stretch ends,
and an edge variable is recorded, with nothing put off.
"""

from __future__ import annotations

from .functions import compiled
from .intrinsics import fetch, flag, load_index, load_long, store_index, store_long

DEPTH = 32  # spikes of a target that can be noted
CHUNK = 1024  # edges that catch up together

# Places in the notes of a thread
SLOTS, COUNTS, STEPS, DONE, EDGES, WHEN, FIRST, FULL, ROWS, BEGIN, END = range(11)


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
