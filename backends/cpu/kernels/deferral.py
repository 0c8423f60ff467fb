"""Deferred handlers of post-spikes: spikes are noted, and edges catch up when their source fires.

Edges lie by source, so that the edges of a target are far apart in memory, and those of a source
are neighbours. The effect of a post-spike on an edge may be deferred if nothing that it reads
changes until then (`plan.deferral.deferrable`). Notes hold steps since the stretch began. Nothing
is deferred any more when a stretch ends or an edge variable is recorded.
"""

from __future__ import annotations

from .functions import compiled
from .intrinsics import fetch, flag, load_arg, load_index, load_long, store_index, store_long
from .operations import NOTES
from .sizes import CHUNK, DEPTH

LINE = 64  # bytes of a cache line
INDEX = 4  # bytes of a step in the notes


@compiled
def note(notes, groups, count, step, partition):
    """Note the post-spikes of delay groups.

    Of every group, the latest spike stands in the first row of steps, the one before in the second.

    Parameters
    ----------
    notes : address of `NOTES`
    groups : address of (count,) int32
        Delay groups of the targets that spiked.
    count : int
    step : int
        Now.
    partition : int
        Not read: every kernel is called with these five arguments.
    """
    now = step - load_long(load_arg(notes, NOTES.first), 0, "first")
    size = load_arg(notes, NOTES.groups)
    counts = load_arg(notes, NOTES.counts)
    steps = load_arg(notes, NOTES.steps)
    for j in range(count):
        group = load_index(groups, j, "events")
        number = load_index(counts, group, "counts")
        # Newest first: `pending` then stops at the first row without a step that is still open.
        for k in range(number, 0, -1):
            earlier = load_index(steps, (k - 1) * size + group, "steps")
            store_index(steps, k * size + group, earlier, "steps")
        store_index(steps, group, now, "steps")
        store_index(counts, group, number + 1, "counts")
        if number + 2 == DEPTH:  # the last row stays empty, and ends every search
            store_long(load_arg(notes, NOTES.full), 0, 1, "full")
    return 0


@compiled
def pending(notes, pre_group, first, stop, edges, groups, load_group):
    """List (edge, step) of all that `CHUNK` edges from ``first`` on have deferred.

    Later steps of an edge come before its earlier ones.

    Parameters
    ----------
    notes : address of `NOTES`
        The list is written to its ``edges`` and ``when``.
    pre_group : int
        Delay group of the source of the edges.
    first, stop : int
        Range of positions among the edges of all groups.
    edges : address of the edges of the group, or 0 if they are ``first`` ... ``stop``
    groups : address of the delay group of the target of each edge
    load_group : function
        Reads an element of ``groups``, of 2 or 4 bytes.

    Returns
    -------
    int
        Number of entries in the list.
    """
    size = load_arg(notes, NOTES.groups)
    steps = load_arg(notes, NOTES.steps)
    chosen = load_arg(notes, NOTES.edges)
    when = load_arg(notes, NOTES.when)
    done = load_index(load_arg(notes, NOTES.done), pre_group, "done")
    count = 0
    # Every edge is written and only counted if it has deferred something: no branch to mispredict.
    for k in range(first, min(first + CHUNK, stop)):
        edge = load_index(edges, k, "edges") if edges != 0 else k
        step = load_index(steps, load_group(groups, edge, "groups"), "steps")
        store_index(chosen, count, edge, "chosen")
        store_index(when, count, step, "when")
        count += flag(step > done)
    # Round q examines the q-th latest spike of the edges that are left. Their list only shrinks, so
    # the work is proportional to the deferred events, not to edges times `DEPTH`.
    begin = 0
    end = count
    while begin < end:
        steps += INDEX * size
        for q in range(begin, end):
            edge = load_index(chosen, q, "chosen")
            step = load_index(steps, load_group(groups, edge, "groups"), "steps")
            store_index(chosen, count, edge, "chosen")
            store_index(when, count, step, "when")
            count += flag(step > done)
        begin = end
        end = count
    return count


@compiled
def fetch_row(address, first, last, size):
    """Prefetch elements ``first`` to ``last`` of an array, of ``size`` bytes each.

    Parameters
    ----------
    address : address of the array
    first, last : int
        Range of elements, ``last`` excluded.
    size : int
        Bytes of an element.
    """
    for byte in range(address + size * first, address + size * last, LINE):
        fetch(byte)


@compiled
def caught_up(notes, pre_group, step):
    """Remember that the edges of a group have caught up with ``step``.

    Parameters
    ----------
    notes : address of `NOTES`
    pre_group : int
        Delay group of the source of the edges.
    step : int
        Post-spikes up to this step are done.
    """
    first = load_long(load_arg(notes, NOTES.first), 0, "first")
    store_index(load_arg(notes, NOTES.done), pre_group, step - first, "done")


@compiled
def forget(notes):
    """Begin new notes after all edges have caught up."""
    size = load_arg(notes, NOTES.groups)
    counts = load_arg(notes, NOTES.counts)
    steps = load_arg(notes, NOTES.steps)
    done = load_arg(notes, NOTES.done)
    for group in range(load_arg(notes, NOTES.begin), load_arg(notes, NOTES.end)):
        for k in range(load_index(counts, group, "counts")):
            store_index(steps, k * size + group, -1, "steps")
        store_index(counts, group, 0, "counts")
    for pre_group in range(load_arg(notes, NOTES.pre_groups)):
        store_index(done, pre_group, -1, "done")
    store_long(load_arg(notes, NOTES.full), 0, 0, "full")
