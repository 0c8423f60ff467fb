"""Static projections with heterogeneous delays: a calendar queue of synaptic events.

At emission, each synaptic event is appended to the list of its arrival step. A step therefore costs
as much as it emits and receives, however many delays there are. A list holds targets and weights in
chunks of one pool per partition. If the pool has no room, the list is marked as lossy, and its
events are searched among the spikes when its step has come. If many neurons fire in one step, all
lists on which their events would lie are marked: their events would take more room than the edges.

Order: emissions come step by step, within a step by source, and edges of a source as they stand. A
list therefore holds the oldest spike first, then ascending sources, then the order of the edges of
a pair: summed from its beginning, it is the term of the contract.
"""

from __future__ import annotations

from neurosim.compiled.functions import lowest_bit

from .functions import compiled
from .intrinsics import (
    equal_shorts,
    flag,
    load,
    load_arg,
    load_index,
    load_long,
    load_short,
    store,
    store_index,
    store_long,
)
from .loop import fold, spikes_at
from .operations import HISTORY, LANDING
from .sizes import (
    BURST,
    CHUNKS,
    EVENTS_PER_CHUNK,
    FREE,
    FRESH,
    LEAST_BURST,
    SHORTS,
)


@compiled
def take(pool, links):
    """Take a chunk; return 0 if there is none."""
    # Chunks that were freed first: their memory is still in the cache.
    chunk = load_long(pool, FREE, "pool")
    if chunk != 0:
        store_long(pool, FREE, load_index(links, chunk, "links"), "pool")
    elif load_long(pool, FRESH, "pool") < load_long(pool, CHUNKS, "pool"):
        chunk = load_long(pool, FRESH, "pool") + 1
        store_long(pool, FRESH, chunk, "pool")
    return chunk


@compiled
def extend(args, position):
    """Begin the next chunk of a list; return its first position, or 0 after marking the list."""
    links = load_arg(args, LANDING.links)
    tails = load_arg(args, LANDING.tails)
    chunk = take(load_arg(args, LANDING.pool), links)
    if chunk == 0:
        store_long(load_arg(args, LANDING.lost), position, 1, "lost")
        return 0
    store_index(links, chunk, 0, "links")
    tail = load_long(tails, position, "tails")
    if tail == 0:
        store_long(load_arg(args, LANDING.heads), position, chunk, "heads")
    else:
        # The tail is the position after a full chunk, which is therefore the one before.
        store_index(links, tail // EVENTS_PER_CHUNK - 1, chunk, "links")
    return chunk * EVENTS_PER_CHUNK


@compiled
def load_either(address, index, short):
    """Return an index.

    Parameters
    ----------
    address : address of an array of indices
    index : int
        Position in the array.
    short : int
        Whether indices have 2 bytes, not 4.
    """
    return load_short(address, index, "numbers") if short else load_index(address, index, "numbers")


@compiled
def is_burst(args, emitted, partition):
    """Return whether the events of the spikes of one step are many, beside the edges.

    Parameters
    ----------
    args : address of `LANDING`
    emitted : int
        Step of the spikes.
    partition : int
        Partition of the targets.
    """
    partitions = load_arg(args, HISTORY.partitions)
    bounds = load_arg(args, LANDING.bounds)
    row = emitted % load_arg(args, HISTORY.depth)
    events = 0
    for origin in range(partitions):
        spikes, count = spikes_at(args, row, origin)
        for s in range(count):
            at = load_index(spikes, s, "spikes") * partitions + partition
            events += load_long(bounds, at + 1, "bounds") - load_long(bounds, at, "bounds")
    return events > LEAST_BURST and BURST * events * partitions > load_arg(args, LANDING.edges)


@compiled
def lose(args, emitted, step):
    """Mark the lists of all steps in which spikes of one step may land, from ``step`` on."""
    lost = load_arg(args, LANDING.lost)
    depth = load_arg(args, LANDING.depth)
    for landing in range(step, emitted + depth):
        store_long(lost, landing % depth, 1, "lost")


@compiled
def emit(args, emitted, step, partition):
    """Append the events of the spikes of one step, from those that land in ``step`` on.

    Parameters
    ----------
    args : address of `LANDING`
    emitted : int
        Step of the spikes.
    step : int
        Now.
    partition : int
        Partition of the targets.
    """
    partitions = load_arg(args, HISTORY.partitions)
    bounds = load_arg(args, LANDING.bounds)
    delays = load_arg(args, LANDING.delays)
    targets = load_arg(args, LANDING.targets)
    short_delays = load_arg(args, LANDING.short_delays)
    short_targets = load_arg(args, LANDING.short_targets)
    weights = load_arg(args, LANDING.weights)
    depth = load_arg(args, LANDING.depth)
    per_edge = load_arg(args, LANDING.weight_count) > 1
    tails = load_arg(args, LANDING.tails)
    pool_targets = load_arg(args, LANDING.pool_targets)
    pool_weights = load_arg(args, LANDING.pool_weights)
    row = emitted % load_arg(args, HISTORY.depth)
    now = emitted % depth
    for origin in range(partitions):
        spikes, count = spikes_at(args, row, origin)
        for s in range(count):
            source = load_index(spikes, s, "spikes")
            first = load_long(bounds, source * partitions + partition, "bounds")
            last = load_long(bounds, source * partitions + partition + 1, "bounds")
            for e in range(first, last):
                delay = load_either(delays, e, short_delays)
                if emitted + delay < step:
                    continue
                position = now + delay
                position = position - depth if position >= depth else position
                tail = load_long(tails, position, "tails")
                # An empty list (tail 0) and a full chunk both end on a multiple of it.
                if tail & (EVENTS_PER_CHUNK - 1) == 0:
                    tail = extend(args, position)
                    if tail == 0:
                        continue
                n = load_either(targets, e, short_targets)
                weight = load(weights, e if per_edge else 0, "weights")
                store_index(pool_targets, tail, n, "pool targets")
                store(pool_weights, tail, weight, "pool weights")
                store_long(tails, position, tail + 1, "tails")


@compiled
def equal_delays(args, first, last, age):
    """Return which of at most `SHORTS` edges have a delay, as bits.

    Parameters
    ----------
    args : address of `LANDING`
    first, last : int
        Range of edges, of which the first `SHORTS` count.
    age : int
        The delay.
    """
    delays = load_arg(args, LANDING.delays)
    short_delays = load_arg(args, LANDING.short_delays)
    size = min(last - first, SHORTS)
    # A whole vector is read, whose last numbers may belong to the next source.
    if short_delays and first + SHORTS <= load_arg(args, LANDING.edges):
        return equal_shorts(delays + 2 * first, age) & ((1 << size) - 1)
    equal = 0
    for k in range(size):
        equal |= flag(load_either(delays, first + k, short_delays) == age) << k
    return equal


@compiled
def search(args, emitted, step, partition):
    """Add to the term the events of the spikes of one step that land in ``step``.

    Parameters
    ----------
    args : address of `LANDING`
    emitted : int
        Step of the spikes.
    step : int
        Now.
    partition : int
        Partition of the targets.
    """
    partitions = load_arg(args, HISTORY.partitions)
    bounds = load_arg(args, LANDING.bounds)
    targets = load_arg(args, LANDING.targets)
    short_targets = load_arg(args, LANDING.short_targets)
    weights = load_arg(args, LANDING.weights)
    per_edge = load_arg(args, LANDING.weight_count) > 1
    term = load_arg(args, LANDING.term)
    row = emitted % load_arg(args, HISTORY.depth)
    for origin in range(partitions):
        spikes, count = spikes_at(args, row, origin)
        for s in range(count):
            source = load_index(spikes, s, "spikes")
            first = load_long(bounds, source * partitions + partition, "bounds")
            last = load_long(bounds, source * partitions + partition + 1, "bounds")
            for begin in range(first, last, SHORTS):
                equal = equal_delays(args, begin, last, step - emitted)
                while equal:
                    e = begin + lowest_bit(equal)
                    n = load_either(targets, e, short_targets)
                    weight = load(weights, e if per_edge else 0, "weights")
                    store(term, n, load(term, n, "ring") + weight, "ring")
                    equal &= equal - 1


@compiled
def end_of(chunk, following, tail):
    """Return where the events of a chunk end: only the last chunk is not full.

    Parameters
    ----------
    chunk, following : int
        A chunk, and the next one of its list; 0: there is none.
    tail : int
        Position after the last event of the list.
    """
    return tail if following == 0 else (chunk + 1) * EVENTS_PER_CHUNK


@compiled
def add_up(args, position):
    """Add the term of a list to the port.

    A neuron that occurs twice adds 0.0 the second time, which changes nothing: no sum that begins
    at 0.0 is -0.0.
    """
    term = load_arg(args, LANDING.term)
    port = load_arg(args, LANDING.port)
    links = load_arg(args, LANDING.links)
    pool_targets = load_arg(args, LANDING.pool_targets)
    pool_weights = load_arg(args, LANDING.pool_weights)
    head = load_long(load_arg(args, LANDING.heads), position, "heads")
    tail = load_long(load_arg(args, LANDING.tails), position, "tails")
    chunk = head
    while chunk != 0:
        following = load_index(links, chunk, "links")
        for k in range(chunk * EVENTS_PER_CHUNK, end_of(chunk, following, tail)):
            n = load_index(pool_targets, k, "pool targets")
            store(term, n, load(term, n, "ring") + load(pool_weights, k, "pool weights"), "ring")
        chunk = following
    # A second pass over the events, not over all neurons: most lists are short beside those. There
    # is none if the term is summed in the port itself.
    chunk = head if term != port else 0
    while chunk != 0:
        following = load_index(links, chunk, "links")
        for k in range(chunk * EVENTS_PER_CHUNK, end_of(chunk, following, tail)):
            n = load_index(pool_targets, k, "pool targets")
            store(port, n, load(port, n, "ring") + load(term, n, "ring"), "ring")
            store(term, n, 0.0, "ring")
        chunk = following


@compiled
def empty(args, position):
    """Empty a list: its chunks return to the pool."""
    pool = load_arg(args, LANDING.pool)
    links = load_arg(args, LANDING.links)
    heads = load_arg(args, LANDING.heads)
    tails = load_arg(args, LANDING.tails)
    last = load_long(tails, position, "tails")
    # The whole list is linked in front of the free chunks: one store, however long it is.
    if last != 0:
        store_index(links, (last - 1) // EVENTS_PER_CHUNK, load_long(pool, FREE, "pool"), "links")
        store_long(pool, FREE, load_long(heads, position, "heads"), "pool")
        store_long(heads, position, 0, "heads")
        store_long(tails, position, 0, "tails")
    store_long(load_arg(args, LANDING.lost), position, 0, "lost")


@compiled
def land(args, start, stop, step, partition):
    """Append the events of all spikes up to this step, and add the term of this step to the port.

    Spikes of earlier steps are missing in the lists after `plan.late_events.LateEvents.forget`.

    Parameters
    ----------
    args : address of `LANDING`
    start, stop : int
        Range of neurons of the partition.
    step : int
    partition : int
        Partition of the targets.
    """
    depth = load_arg(args, LANDING.depth)
    next_step = load_arg(args, LANDING.next)
    oldest = max(step - depth + 1, load_long(load_arg(args, LANDING.since), 0, "since"))
    for emitted in range(max(oldest, load_long(next_step, 0, "next")), step + 1):
        if is_burst(args, emitted, partition):
            lose(args, emitted, step)
        else:
            emit(args, emitted, step, partition)
    store_long(next_step, 0, step + 1, "next")
    position = step % depth
    if load_long(load_arg(args, LANDING.lost), position, "lost") == 0:
        add_up(args, position)
    else:
        for emitted in range(oldest, step + 1):
            search(args, emitted, step, partition)
        term = load_arg(args, LANDING.term)
        port = load_arg(args, LANDING.port)
        if term != port:
            fold(port, term, start, stop)
    empty(args, position)
    return 0
