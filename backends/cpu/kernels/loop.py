"""The time loop: a list of operations for each thread, carried out step by step; delivery, ports and recording are written here by hand.

An operation is a row of numbers: its code, then arguments, mostly addresses of arrays. Printed kernels are called by address,
so that this loop is compiled once and serves every network. A network is cut into parts: ranges of neurons and all edges onto them.
Each thread carries out every so many parts, phase by phase, and meets the others between phases; the numbers are the same for any threads.
"""

from __future__ import annotations

from neurosim.compiled.functions import lowest_bit

from .functions import compiled, exp
from .intrinsics import (
    atomic_add,
    atomic_load,
    atomic_store,
    call,
    load,
    load_byte,
    load_double,
    load_index,
    load_long,
    load_short,
    marked,
    ones,
    sleep,
    store,
    store_double,
    store_index,
    store_long,
)

WIDTH = 20  # numbers in a row
REAL = 8  # bytes of a number of the run's precision

(
    MEET,
    INTEGRATE,
    KERNEL,
    COLLECT,
    GIVEN,
    EVENTS,
    GATHER,
    LISTED,
    PORT,
    RESET,
    SPIKES,
    TRACE,
    SWEEP,
) = range(13)  # MEET begins a phase

# Numbers that threads share, each on a cache line of its own. A stop is asked for in one of three places, by the step that it shall end: a
# thread may wait in the next step while another has yet to read what was asked for in this one.
THREADS, WAITED, ASKED, FAILED, ARRIVED = (
    0,
    8,
    16,
    40,
    48,
)  # from ARRIVED on, for each thread, the number of barriers it has come to
NOT_FINITE = 1 << 32
LATE = 1 << 16
# Looks before a thread sleeps, and times that threads sleep before they ask for an end. A sleep of 20 microseconds takes a hundred, during
# which the other may come to the next barrier: it must look for longer than that, or each thread's sleep sends the other to sleep.
SPINS, PATIENCE = 500_000, 50


@compiled
def barrier(shared, step, thread):
    """Wait until all threads are here: spin for a while, then give the core away, for another may need it to arrive.

    Much waiting ends the run after the next step, so that the host may think again how many threads are best.
    Return False if a thread failed before it began: it will never come.
    """
    mine = atomic_load(shared + 8 * (ARRIVED + 8 * thread)) + 1
    atomic_store(shared + 8 * (ARRIVED + 8 * thread), mine)
    for other in range(load_long(shared, THREADS, "threads")):
        spins = 0
        while atomic_load(shared + 8 * (ARRIVED + 8 * other)) < mine:
            spins += 1  # without the processor's "pause": in a virtual machine it may leave the machine, and steps took two to five times as long
            if spins > SPINS:
                sleep(20)
                if atomic_load(shared + 8 * FAILED):
                    return False
                if atomic_add(shared + 8 * WAITED, 1) == PATIENCE:
                    atomic_add(shared + 8 * (ASKED + 8 * ((step + 1) % 3)), LATE)
    return True


@compiled
def collect(fired, start, stop, history):
    """Write the neurons that fired, ascending, from ``start`` on in a row of the history; return how many. ``start`` is a multiple of 64."""
    count = 0
    for block in range(start, stop, 64):
        found = marked(fired + block)  # the bytes are followed by room for a whole block
        while found:
            store_index(history, start + count, block + lowest_bit(found), "spikes")
            count += 1
            found &= found - 1
    return count


@compiled
def given(steps, neurons, size, step, start, stop, history):
    """As `collect`, for spikes given by the user."""
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        if load_long(steps, middle, "steps") < step:
            low = middle + 1
        else:
            high = middle
    count = 0
    while low < size and load_long(steps, low, "steps") == step:
        n = load_index(neurons, low, "neurons")
        if start <= n < stop:
            store_index(history, start + count, n, "spikes")
            count += 1
        low += 1
    return count


@compiled
def deliver(spikes, count, bounds, threads, thread, targets, load_target, weights, each, ring):
    """Add the weights of all edges of spiking sources that end in this thread's neurons."""
    weight = load(weights, 0, "weights")
    for s in range(count):
        row = load_index(spikes, s, "spikes")
        first, last = (
            load_long(bounds, row * threads + thread, "bounds"),
            load_long(bounds, row * threads + thread + 1, "bounds"),
        )
        if each:
            for e in range(first, last):
                n = load_target(targets, e, "targets")
                store(ring, n, load(ring, n, "ring") + load(weights, e, "weights"), "ring")
        else:
            for e in range(first, last):
                n = load_target(targets, e, "targets")
                store(ring, n, load(ring, n, "ring") + weight, "ring")


@compiled
def gather(ops, o, step, found):
    """List the slots (neuron, delay) whose event arrives in this step: oldest spike first, then by neuron; return how many.

    Arguments: 1 history, 2 counts, 3 segments, 4 neurons, 5 history steps, 6 segment starts, 7 delays, 8 number of delays, 9 since,
    10 for each 64 delays and each neuron which of them it has, as bits, and the slot of the first, 11 first segment, 12 last segment.
    """
    history, counts, segments = (
        load_long(ops, o + 1, "ops"),
        load_long(ops, o + 2, "ops"),
        load_long(ops, o + 3, "ops"),
    )
    size, steps, starts = (
        load_long(ops, o + 4, "ops"),
        load_long(ops, o + 5, "ops"),
        load_long(ops, o + 6, "ops"),
    )
    delays, since = (
        load_long(ops, o + 7, "ops"),
        load_long(load_long(ops, o + 9, "ops"), 0, "since"),
    )
    now, count = step % steps, 0
    for d in range(load_long(ops, o + 8, "ops") - 1, -1, -1):
        wait = load_long(delays, d, "delays")
        if step - wait < since:
            continue
        row = now - wait if now >= wait else now - wait + steps
        pairs = load_long(ops, o + 10, "ops") + 16 * (d >> 6) * size
        bit, before = d & 63, (1 << (d & 63)) - 1
        for segment in range(load_long(ops, o + 11, "ops"), load_long(ops, o + 12, "ops")):
            spikes = history + 4 * (row * size + load_long(starts, segment, "starts"))
            for s in range(load_long(counts, row * segments + segment, "counts")):
                n = load_index(spikes, s, "spikes")
                has = load_long(pairs, 2 * n, "pairs")
                store_index(
                    found,
                    count,
                    load_long(pairs, 2 * n + 1, "pairs") + ones(has & before),
                    "spikes",
                )
                count += has >> bit & 1
    return count


@compiled
def events(ops, o, step, thread):
    """Call a kernel, or `deliver`, with the spikes of the step that arrives now, segment by segment.

    Arguments: 1 history, 2 counts, 3 segments, 4 neurons, 5 history steps, 6 segment starts, 7 delay, 8 since, 9 first segment, 10 last
    segment, 11 kernel or 0, 12 its table; of `deliver`: 13 bounds, 14 targets, 15 whether they take 2 bytes, 16 weights, 17 number
    of weights, 18 ring.
    """
    history, counts, segments = (
        load_long(ops, o + 1, "ops"),
        load_long(ops, o + 2, "ops"),
        load_long(ops, o + 3, "ops"),
    )
    size, steps, starts = (
        load_long(ops, o + 4, "ops"),
        load_long(ops, o + 5, "ops"),
        load_long(ops, o + 6, "ops"),
    )
    emitted = step - load_long(ops, o + 7, "ops")
    if emitted < load_long(load_long(ops, o + 8, "ops"), 0, "since"):
        return
    row = emitted % steps
    for segment in range(load_long(ops, o + 9, "ops"), load_long(ops, o + 10, "ops")):
        count = load_long(counts, row * segments + segment, "counts")
        if count > 0:
            spikes = history + 4 * (row * size + load_long(starts, segment, "starts"))
            if load_long(ops, o + 11, "ops") != 0:
                call(
                    load_long(ops, o + 11, "ops"),
                    load_long(ops, o + 12, "ops"),
                    spikes,
                    count,
                    step,
                    thread,
                )
                continue
            bounds, targets, weights = (
                load_long(ops, o + 13, "ops"),
                load_long(ops, o + 14, "ops"),
                load_long(ops, o + 16, "ops"),
            )
            each, ring = load_long(ops, o + 17, "ops") > 1, load_long(ops, o + 18, "ops")
            if load_long(ops, o + 15, "ops") != 0:
                deliver(
                    spikes,
                    count,
                    bounds,
                    segments,
                    thread,
                    targets,
                    load_short,
                    weights,
                    each,
                    ring,
                )
            else:
                deliver(
                    spikes,
                    count,
                    bounds,
                    segments,
                    thread,
                    targets,
                    load_index,
                    weights,
                    each,
                    ring,
                )


@compiled
def fold(port, ring, start, stop):
    """Add the term of a projection to a port, and begin the next term at 0."""
    for n in range(start, stop):
        store(
            port, n, load(port, n, "ring") + load(ring, n, "ring"), "ring"
        )  # one name: a projection may write to the port itself
        store(ring, n, 0.0, "ring")


@compiled
def record_spikes(ops, o, step, shared):
    """Append the spikes of this step. Arguments as of `events` to 6; 7 neurons to keep as bytes or 0, 8 neurons out, 9 steps out, 10 count, 11 room."""
    history, counts, segments = (
        load_long(ops, o + 1, "ops"),
        load_long(ops, o + 2, "ops"),
        load_long(ops, o + 3, "ops"),
    )
    size, steps, starts, keep = (
        load_long(ops, o + 4, "ops"),
        load_long(ops, o + 5, "ops"),
        load_long(ops, o + 6, "ops"),
        load_long(ops, o + 7, "ops"),
    )
    neurons, out, total = (
        load_long(ops, o + 8, "ops"),
        load_long(ops, o + 9, "ops"),
        load_long(ops, o + 10, "ops"),
    )
    done = load_long(total, 0, "total")
    row = step % steps
    for segment in range(segments):
        spikes = history + 4 * (row * size + load_long(starts, segment, "starts"))
        for s in range(load_long(counts, row * segments + segment, "counts")):
            n = load_index(spikes, s, "spikes")
            if keep == 0 or load_byte(keep, n, "keep"):
                store_index(neurons, done, n, "neurons")
                store_long(out, done, step, "out")
                done += 1
    store_long(total, 0, done, "total")
    if done + 2 * size > load_long(
        ops, o + 11, "ops"
    ):  # room for this step's spikes and for those of the step another thread may have begun
        atomic_add(shared + 8 * (ASKED + 8 * ((step + 1) % 3)), 1)


@compiled
def record_trace(ops, o, step):
    """Copy members. Arguments: 1 every, 2 out, 3 columns, 4 source, 5 index, 6 column of each, 7 count, 8 first step of the stretch;
    of a decaying variable 9 last steps (else 0), 10 time constants, 11 number of these, 12 dt.
    """
    every = load_long(ops, o + 1, "ops")
    if (step + 1) % every != 0:
        return
    row = (step + 1) // every - 1 - load_long(load_long(ops, o + 8, "ops"), 0, "first") // every
    out = load_long(ops, o + 2, "ops") + 8 * row * load_long(ops, o + 3, "ops")
    source, index, column = (
        load_long(ops, o + 4, "ops"),
        load_long(ops, o + 5, "ops"),
        load_long(ops, o + 6, "ops"),
    )
    last, tau, each = (
        load_long(ops, o + 9, "ops"),
        load_long(ops, o + 10, "ops"),
        load_long(ops, o + 11, "ops") > 1,
    )
    for m in range(load_long(ops, o + 7, "ops")):
        n = load_index(index, m, "index")
        value = load(source, n, "source")
        if last != 0:
            since = float(step - load_long(last, n, "last")) * load_double(
                load_long(ops, o + 12, "ops"), 0, "dt"
            )
            value = value * exp(-since / load(tau, n if each else 0, "tau"))
        store_double(out, load_index(column, m, "column"), value, "recorded")


@compiled
def carry_out(ops, o, step, part, shared):
    """Carry out the operation at position ``o`` for a part of the network."""
    code = load_long(ops, o, "ops")
    if code == INTEGRATE:
        if call(
            load_long(ops, o + 1, "ops"),
            load_long(ops, o + 2, "ops"),
            load_long(ops, o + 3, "ops"),
            load_long(ops, o + 4, "ops"),
            step,
            part,
        ):
            atomic_add(shared + 8 * (ASKED + 8 * (step % 3)), NOT_FINITE)
    elif code == KERNEL:
        call(
            load_long(ops, o + 1, "ops"),
            load_long(ops, o + 2, "ops"),
            load_long(ops, o + 3, "ops"),
            load_long(ops, o + 4, "ops"),
            step,
            part,
        )
    elif (
        code == COLLECT or code == GIVEN
    ):  # 1 history, 2 counts, 3 segments, 4 neurons, 5 history steps, 6 start, 7 stop, 8 ... 10 what fired
        row = step % load_long(ops, o + 5, "ops")
        history = load_long(ops, o + 1, "ops") + 4 * row * load_long(ops, o + 4, "ops")
        start, end = load_long(ops, o + 6, "ops"), load_long(ops, o + 7, "ops")
        if code == COLLECT:
            found = collect(load_long(ops, o + 8, "ops"), start, end, history)
        else:
            found = given(
                load_long(ops, o + 8, "ops"),
                load_long(ops, o + 9, "ops"),
                load_long(ops, o + 10, "ops"),
                step,
                start,
                end,
                history,
            )
        store_long(
            load_long(ops, o + 2, "ops"), row * load_long(ops, o + 3, "ops") + part, found, "counts"
        )
    elif code == EVENTS:
        events(ops, o, step, part)
    elif code == GATHER:  # 13 found, 14 count
        store_long(
            load_long(ops, o + 14, "ops"),
            0,
            gather(ops, o, step, load_long(ops, o + 13, "ops")),
            "found count",
        )
    elif code == LISTED:  # 1 kernel, 2 its table, 3 found, 4 count
        call(
            load_long(ops, o + 1, "ops"),
            load_long(ops, o + 2, "ops"),
            load_long(ops, o + 3, "ops"),
            load_long(load_long(ops, o + 4, "ops"), 0, "found count"),
            step,
            part,
        )
    elif code == PORT:  # 1 port, 2 ring, 3 slots of the ring, 4 neurons, 5 start, 6 stop
        ring = load_long(ops, o + 2, "ops") + REAL * load_long(ops, o + 4, "ops") * (
            step % load_long(ops, o + 3, "ops")
        )
        fold(
            load_long(ops, o + 1, "ops"),
            ring,
            load_long(ops, o + 5, "ops"),
            load_long(ops, o + 6, "ops"),
        )
    elif code == RESET:  # as events to 6, 7 kernel, 8 table
        row = step % load_long(ops, o + 5, "ops")
        found = load_long(
            load_long(ops, o + 2, "ops"), row * load_long(ops, o + 3, "ops") + part, "counts"
        )
        if found > 0:
            begin = load_long(load_long(ops, o + 6, "ops"), part, "starts")
            spikes = load_long(ops, o + 1, "ops") + 4 * (row * load_long(ops, o + 4, "ops") + begin)
            call(
                load_long(ops, o + 7, "ops"),
                load_long(ops, o + 8, "ops"),
                spikes,
                found,
                step,
                part,
            )
    elif (
        code == SWEEP
    ):  # 1 kernel, 2 its table, 3 rows, 4 whether notes are full, 5 steps between records of an edge variable or 0
        every = load_long(ops, o + 5, "ops")
        if (
            load_long(load_long(ops, o + 4, "ops"), 0, "full")
            or every > 0
            and (step + 1) % every == 0
        ):
            call(
                load_long(ops, o + 1, "ops"),
                load_long(ops, o + 2, "ops"),
                0,
                load_long(ops, o + 3, "ops"),
                step,
                part,
            )
    elif code == SPIKES:
        record_spikes(ops, o, step, shared)
    elif code == TRACE:
        record_trace(ops, o, step)


@compiled
def run_steps(plan, parts, phases, first, steps, thread, shared):
    """Carry out ``steps`` steps from step ``first`` for the parts of the network that fall to a thread; return the number of steps done.

    A row of the plan for each part: address of its operations, then where each phase begins and the last one ends. Threads begin together,
    or not at all if one of them cannot, and meet between phases. A buffer that fills up ends the run after the step, in all threads alike;
    a value that is not finite ends it before the second phase.
    """
    threads = load_long(shared, THREADS, "threads")
    if threads > 1 and not barrier(shared, first, thread):
        return 0
    for step in range(first, first + steps):
        stop = False
        for phase in range(phases):
            if phase > 0 and threads > 1:
                barrier(shared, step, thread)
            if phase == 1:
                asked = atomic_load(shared + 8 * (ASKED + 8 * (step % 3)))
                if asked >= NOT_FINITE:
                    return step - first
                stop = asked != 0
            for part in range(thread, parts, threads):
                row = part * (phases + 2)
                ops = load_long(plan, row, "plan")
                for number in range(
                    load_long(plan, row + 1 + phase, "plan"),
                    load_long(plan, row + 2 + phase, "plan"),
                ):
                    carry_out(ops, number * WIDTH, step, part, shared)
        if stop:
            return step + 1 - first
    return steps
