"""Static projections whose delays differ: what a spike brings is put down, when it is emitted, in lists of the steps in which it lands.

So a step costs what is emitted and what lands in it, however many delays there are. A list holds targets and weights in chunks
of one pool; a list for which the pool has no room is marked, and its edges are searched again when its step has come.
Order: emissions come step by step, within a step by source, and edges of a source as they stand. A list therefore holds what lands
oldest spike first, then by source, then as the edges of a pair were given: summed from its beginning, it is the term.
"""

from __future__ import annotations

from .functions import compiled
from .intrinsics import load, load_index, load_long, load_short, store, store_index, store_long
from .loop import fold

CHUNK = 16  # places in one chunk of the pool, a power of two; chunk 0 is none

# Places in a table: what the operation `loop.EVENTS` has of the source, then these.
(
    HISTORY,
    COUNTS,
    SEGMENTS,
    NEURONS,
    STEPS,
    STARTS,
    SINCE,
    BOUNDS,
    DELAYS,
    TARGETS,
    WEIGHTS,
    EACH,
    SIZE,
    NEXT,
    HEADS,
    TAILS,
    LOST,
    POOL,
    LINKS,
    POOL_TARGETS,
    POOL_WEIGHTS,
    RING,
    PORT,
    SHORT_DELAYS,
    SHORT_TARGETS,
) = range(25)  # short: of 2 bytes
NEVER = -1 << 62  # before any step
FREE, FRESH, CHUNKS = range(
    3
)  # of a pool: first chunk of those given back, the last that was ever taken, how many there are


@compiled
def take(pool, links):
    """Take a chunk; return 0 if there is none."""
    chunk = load_long(pool, FREE, "pool")
    if chunk != 0:
        store_long(pool, FREE, load_index(links, chunk, "links"), "pool")
    elif load_long(pool, FRESH, "pool") < load_long(pool, CHUNKS, "pool"):
        chunk = load_long(pool, FRESH, "pool") + 1
        store_long(pool, FRESH, chunk, "pool")
    return chunk


@compiled
def extend(table, place):
    """Begin a list's next chunk, after its place ``place``; return the first place in it, or 0 and mark the list."""
    links, tails = load_long(table, LINKS, "t"), load_long(table, TAILS, "t")
    chunk = take(load_long(table, POOL, "t"), links)
    if chunk == 0:
        store_long(load_long(table, LOST, "t"), place, 1, "lost")
        return 0
    store_index(links, chunk, 0, "links")
    tail = load_long(tails, place, "tails")
    if tail == 0:
        store_long(load_long(table, HEADS, "t"), place, chunk, "heads")
    else:
        store_index(links, tail // CHUNK - 1, chunk, "links")
    return chunk * CHUNK


@compiled
def put_down(table, emitted, step, thread):
    """Put down what the spikes of one step bring from ``step`` on."""
    segments, starts, steps = (
        load_long(table, SEGMENTS, "t"),
        load_long(table, STARTS, "t"),
        load_long(table, STEPS, "t"),
    )
    bounds, delays, targets = (
        load_long(table, BOUNDS, "t"),
        load_long(table, DELAYS, "t"),
        load_long(table, TARGETS, "t"),
    )
    weights, each, size = (
        load_long(table, WEIGHTS, "t"),
        load_long(table, EACH, "t") > 1,
        load_long(table, SIZE, "t"),
    )
    tails, to, value = (
        load_long(table, TAILS, "t"),
        load_long(table, POOL_TARGETS, "t"),
        load_long(table, POOL_WEIGHTS, "t"),
    )
    short_delays, short_targets = (
        load_long(table, SHORT_DELAYS, "t"),
        load_long(table, SHORT_TARGETS, "t"),
    )
    row, now = emitted % steps, emitted % size
    for segment in range(segments):
        count = load_long(load_long(table, COUNTS, "t"), row * segments + segment, "counts")
        spikes = load_long(table, HISTORY, "t") + 4 * (
            row * load_long(table, NEURONS, "t") + load_long(starts, segment, "starts")
        )
        for s in range(count):
            first = load_index(spikes, s, "spikes") * segments + thread
            for e in range(
                load_long(bounds, first, "bounds"), load_long(bounds, first + 1, "bounds")
            ):
                delay = (
                    load_short(delays, e, "delays")
                    if short_delays
                    else load_index(delays, e, "delays")
                )
                if emitted + delay < step:
                    continue
                place = now + delay
                place = place - size if place >= size else place
                tail = load_long(tails, place, "tails")
                if tail & (CHUNK - 1) == 0:
                    tail = extend(table, place)
                    if tail == 0:
                        continue
                n = (
                    load_short(targets, e, "targets")
                    if short_targets
                    else load_index(targets, e, "targets")
                )
                store_index(to, tail, n, "pool targets")
                store(value, tail, load(weights, e if each else 0, "weights"), "pool weights")
                store_long(tails, place, tail + 1, "tails")


@compiled
def search(table, emitted, step, thread):
    """Add to the term what spikes of one step bring in ``step``."""
    segments, row = load_long(table, SEGMENTS, "t"), emitted % load_long(table, STEPS, "t")
    bounds, ring, delays = (
        load_long(table, BOUNDS, "t"),
        load_long(table, RING, "t"),
        load_long(table, DELAYS, "t"),
    )
    short_delays, short_targets = (
        load_long(table, SHORT_DELAYS, "t"),
        load_long(table, SHORT_TARGETS, "t"),
    )
    targets = load_long(table, TARGETS, "t")
    for segment in range(segments):
        begin = load_long(load_long(table, STARTS, "t"), segment, "starts")
        spikes = load_long(table, HISTORY, "t") + 4 * (row * load_long(table, NEURONS, "t") + begin)
        for s in range(
            load_long(load_long(table, COUNTS, "t"), row * segments + segment, "counts")
        ):
            first = load_index(spikes, s, "spikes") * segments + thread
            for e in range(
                load_long(bounds, first, "bounds"), load_long(bounds, first + 1, "bounds")
            ):
                if (
                    emitted
                    + (
                        load_short(delays, e, "delays")
                        if short_delays
                        else load_index(delays, e, "delays")
                    )
                    == step
                ):
                    n = (
                        load_short(targets, e, "targets")
                        if short_targets
                        else load_index(targets, e, "targets")
                    )
                    weight = load(
                        load_long(table, WEIGHTS, "t"),
                        e if load_long(table, EACH, "t") > 1 else 0,
                        "weights",
                    )
                    store(ring, n, load(ring, n, "ring") + weight, "ring")


@compiled
def end_of(chunk, following, tail):
    """Return the end of a chunk's places."""
    return tail if following == 0 else (chunk + 1) * CHUNK


@compiled
def add_up(table, place):
    """Add the term of a list to the port. A neuron that occurs twice adds 0.0 the second time, which changes nothing: no sum from 0.0 is -0.0."""
    ring, port, links = (
        load_long(table, RING, "t"),
        load_long(table, PORT, "t"),
        load_long(table, LINKS, "t"),
    )
    to, value = load_long(table, POOL_TARGETS, "t"), load_long(table, POOL_WEIGHTS, "t")
    head, tail = (
        load_long(load_long(table, HEADS, "t"), place, "heads"),
        load_long(load_long(table, TAILS, "t"), place, "tails"),
    )
    chunk = head
    while chunk != 0:
        following = load_index(links, chunk, "links")
        for k in range(chunk * CHUNK, end_of(chunk, following, tail)):
            n = load_index(to, k, "pool targets")
            store(ring, n, load(ring, n, "ring") + load(value, k, "pool weights"), "ring")
        chunk = following
    chunk = head if ring != port else 0
    while chunk != 0:
        following = load_index(links, chunk, "links")
        for k in range(chunk * CHUNK, end_of(chunk, following, tail)):
            n = load_index(to, k, "pool targets")
            store(port, n, load(port, n, "ring") + load(ring, n, "ring"), "ring")
            store(ring, n, 0.0, "ring")
        chunk = following


@compiled
def give_back(table, place):
    """Empty a list."""
    pool, links = load_long(table, POOL, "t"), load_long(table, LINKS, "t")
    heads, tails = load_long(table, HEADS, "t"), load_long(table, TAILS, "t")
    last = load_long(tails, place, "tails")
    if last != 0:
        store_index(links, (last - 1) // CHUNK, load_long(pool, FREE, "pool"), "links")
        store_long(pool, FREE, load_long(heads, place, "heads"), "pool")
        store_long(heads, place, 0, "heads")
        store_long(tails, place, 0, "tails")
    store_long(load_long(table, LOST, "t"), place, 0, "lost")


@compiled
def land(table, start, stop, step, thread):
    """Put down what this step's spikes bring, and those before that were not yet, and add the term of this step to the port."""
    size, since = load_long(table, SIZE, "t"), load_long(load_long(table, SINCE, "t"), 0, "since")
    oldest = max(step - size + 1, since)
    for emitted in range(max(oldest, load_long(load_long(table, NEXT, "t"), 0, "next")), step + 1):
        put_down(table, emitted, step, thread)
    store_long(load_long(table, NEXT, "t"), 0, step + 1, "next")
    place = step % size
    if load_long(load_long(table, LOST, "t"), place, "lost") == 0:
        add_up(table, place)
    else:
        for emitted in range(oldest, step + 1):
            search(table, emitted, step, thread)
        ring, port = load_long(table, RING, "t"), load_long(table, PORT, "t")
        if ring != port:
            fold(port, ring, start, stop)
    give_back(table, place)
    return 0
