"""The time loop: executes the operations of every partition, step by step.

A network is cut into partitions: ranges of neurons, and all edges onto them. Thread i executes
partitions i, i + n, i + 2n ...; all threads synchronise at a barrier after each phase. Results do
not depend on the number of threads.

Operations and their arguments are declared in `operations`. Printed kernels are called by address,
so that this loop is compiled once and serves every network. Delivery of static projections, ports
and recording are written here by hand.
"""

from __future__ import annotations

from neurosim.compiled.functions import lowest_bit

from .decays import rounded
from .functions import compiled, exp, expm1_ratio
from .intrinsics import (
    atomic_add,
    atomic_load,
    atomic_store,
    call,
    count_ones,
    load,
    load_arg,
    load_byte,
    load_double,
    load_index,
    load_long,
    load_short,
    nonzero_bytes,
    sleep,
    store,
    store_double,
    store_index,
    store_long,
)
from .operations import (
    ASSIGN,
    CALL,
    CATCH_UP,
    CODES,
    COLLECT,
    EVENTS,
    FOLD,
    GATHER,
    GATHERED,
    HISTORY,
    INTEGRATE,
    LONG,
    REPLAY,
    RESET,
    SIGNAL,
    SPIKE_VALUES,
    SPIKES,
    STATIC,
    STATIC_SHARED,
    TRACE,
    WIDTH,
)
from .sizes import (
    ARRIVED,
    FAILED,
    FULL,
    LATE,
    NOT_FINITE,
    REQUESTS,
    RESET_NOT_FINITE,
    STAGES,
    THREADS,
    WAITED,
    WRONG,
)

REAL = 8  # bytes of a number of the run's precision
INDEX = 4  # bytes of the index of a neuron that spiked

# Polls before a thread sleeps, and sleeps before a thread requests a stop. A sleep of 20 us takes
# 100 us, in which the other thread may reach the next barrier. A thread must poll for longer than
# that: otherwise the sleep of one makes the other sleep, and so on.
POLLS = 500_000
PATIENCE = 50
NAP = 20  # microseconds


@compiled
def request_of(shared, step):
    """Return the address of the requests to stop after a step."""
    return shared + LONG * (REQUESTS + 8 * (step % 3))


@compiled
def barrier(shared, step, thread):
    """Wait until all threads are here; return False if one failed before it began.

    Waiting threads poll for a while, then sleep, since another may need the core to arrive. Much
    waiting ends the run after the next step, so that the host can choose the number of threads
    anew.

    Parameters
    ----------
    shared : address of int64, see `sizes.THREADS`
    step : int
        The step in which the thread waits.
    thread : int
        Number of the calling thread.
    """
    # Counts only grow: if they were reset, a slow thread could miss that all had arrived, and wait
    # for ever.
    mine = atomic_load(shared + LONG * (ARRIVED + 8 * thread)) + 1
    atomic_store(shared + LONG * (ARRIVED + 8 * thread), mine)
    for other in range(load_long(shared, THREADS, "threads")):
        polls = 0
        while atomic_load(shared + LONG * (ARRIVED + 8 * other)) < mine:
            # No "pause" instruction of the processor: it may leave a virtual machine, and steps
            # then took two to five times as long.
            polls += 1
            if polls > POLLS:
                sleep(NAP)
                if atomic_load(shared + LONG * FAILED):
                    return False
                if atomic_add(shared + LONG * WAITED, 1) == PATIENCE:
                    atomic_add(request_of(shared, step + 1), LATE)
    return True


# ---- spikes of a population; `args` begin with its history


@compiled
def spikes_at(args, row, partition):
    """Return the address of the spikes of a partition in a row of the history, and their number.

    Parameters
    ----------
    args : address of arguments that begin with `HISTORY`
    row : int
        Step modulo the depth of the history.
    partition : int
        Partition of the neurons that spiked.
    """
    start = load_long(load_arg(args, HISTORY.starts), partition, "starts")
    first = row * load_arg(args, HISTORY.neurons) + start
    count_index = row * load_arg(args, HISTORY.partitions) + partition
    count = load_long(load_arg(args, HISTORY.counts), count_index, "counts")
    return load_arg(args, HISTORY.spikes) + INDEX * first, count


@compiled
def collect(fired, start, stop, spikes):
    """List the neurons that fired, ascending, at their range of a row; return their number.

    Parameters
    ----------
    fired : address of bytes, one per neuron
    start, stop : int
        Range of neurons; ``start`` is a multiple of 64, since 64 neurons are read at once.
    spikes : address of a row of the history
    """
    count = 0
    for block in range(start, stop, 64):
        bits = nonzero_bytes(fired + block)  # room for a whole block follows the last byte
        while bits:
            store_index(spikes, start + count, block + lowest_bit(bits), "spikes")
            count += 1
            bits &= bits - 1
    return count


@compiled
def replay(args, step, spikes):
    """List the user's own spikes of a step, as `collect` does; return their number.

    Parameters
    ----------
    args : address of `REPLAY`
    step : int
    spikes : address of a row of the history
    """
    steps = load_arg(args, REPLAY.steps)
    neurons = load_arg(args, REPLAY.neurons)
    start = load_arg(args, REPLAY.start)
    stop = load_arg(args, REPLAY.stop)
    size = load_arg(args, REPLAY.size)
    low = 0
    high = size
    while low < high:  # the first spike of this step
        middle = (low + high) // 2
        if load_long(steps, middle, "steps") < step:
            low = middle + 1
        else:
            high = middle
    count = 0
    while low < size and load_long(steps, low, "steps") == step:
        n = load_index(neurons, low, "neurons")
        if start <= n < stop:
            store_index(spikes, start + count, n, "spikes")
            count += 1
        low += 1
    return count


@compiled
def request_signal(args, step, partition, shared):
    """Request a stop after this step if neurons of a partition spiked that emit a signal.

    Parameters
    ----------
    args : address of `SIGNAL`
    step, partition : int
    shared : address of int64, see `sizes.THREADS`
    """
    spikes, count = spikes_at(args, step % load_arg(args, HISTORY.depth), partition)
    members = load_arg(args, SIGNAL.members)
    for s in range(count):
        if members == 0 or load_byte(members, load_index(spikes, s, "spikes"), "members"):
            # In the last stage at most, so that all threads read it in the next phase.
            atomic_add(request_of(shared, step), FULL)
            return


# ---- phase 4


@compiled
def deliver(args, load_target, spikes, count, partition):
    """Add the weights of all edges of spiking sources that end in this partition.

    Parameters
    ----------
    args : address of `STATIC`
    load_target : function
        Reads the target of an edge, of 2 or 4 bytes.
    spikes : address of (count,) int32
        Sources that spiked, ascending.
    count : int
    partition : int
        Partition of the targets.
    """
    partitions = load_arg(args, HISTORY.partitions)
    bounds = load_arg(args, STATIC.bounds)
    targets = load_arg(args, STATIC.targets)
    weights = load_arg(args, STATIC.weights)
    per_edge = load_arg(args, STATIC.weight_count) > 1
    ring = load_arg(args, STATIC.ring)
    shared_weight = load(weights, 0, "weights")
    for s in range(count):
        source = load_index(spikes, s, "spikes")
        first = load_long(bounds, source * partitions + partition, "bounds")
        last = load_long(bounds, source * partitions + partition + 1, "bounds")
        if per_edge:
            for e in range(first, last):
                n = load_target(targets, e, "targets")
                store(ring, n, load(ring, n, "ring") + load(weights, e, "weights"), "ring")
        else:
            for e in range(first, last):
                n = load_target(targets, e, "targets")
                store(ring, n, load(ring, n, "ring") + shared_weight, "ring")


@compiled
def deliver_shared(args, load_target, spikes, count, partition):
    """Do what `deliver` does, for edges that share several weights.

    Parameters
    ----------
    args : address of `STATIC_SHARED`
    load_target, spikes, count, partition : as for `deliver`
    """
    partitions = load_arg(args, HISTORY.partitions)
    bounds = load_arg(args, STATIC_SHARED.bounds)
    targets = load_arg(args, STATIC_SHARED.targets)
    weights = load_arg(args, STATIC_SHARED.weights)
    positions = load_arg(args, STATIC_SHARED.positions)
    short = load_arg(args, STATIC_SHARED.short_positions)
    ring = load_arg(args, STATIC_SHARED.ring)
    for s in range(count):
        source = load_index(spikes, s, "spikes")
        first = load_long(bounds, source * partitions + partition, "bounds")
        last = load_long(bounds, source * partitions + partition + 1, "bounds")
        for e in range(first, last):
            n = load_target(targets, e, "targets")
            if short != 0:
                position = load_short(positions, e, "numbers")
            else:
                position = load_index(positions, e, "numbers")
            store(ring, n, load(ring, n, "ring") + load(weights, position, "weights"), "ring")


@compiled
def static(args, deliver_to, step, partition):
    """Deliver the spikes that arrive now along a static projection, in order of the sources.

    Parameters
    ----------
    args : address of arguments that begin with `STATIC`
    deliver_to : function
        `deliver` or `deliver_shared`.
    step : int
    partition : int
        Partition of the targets.
    """
    emitted = step - load_arg(args, STATIC.delay)
    if emitted < load_long(load_arg(args, STATIC.since), 0, "since"):
        return
    row = emitted % load_arg(args, HISTORY.depth)
    for origin in range(load_arg(args, HISTORY.partitions)):
        spikes, count = spikes_at(args, row, origin)
        if count > 0:
            if load_arg(args, STATIC.short) != 0:
                deliver_to(args, load_short, spikes, count, partition)
            else:
                deliver_to(args, load_index, spikes, count, partition)


@compiled
def events(args, step, partition):
    """Call a kernel with the spikes that arrive now, partition by partition of their source.

    Parameters
    ----------
    args : address of `EVENTS`
    step : int
    partition : int
        Partition of the targets of the edges that the kernel changes.
    """
    emitted = step - load_arg(args, EVENTS.delay)
    if emitted < load_long(load_arg(args, EVENTS.since), 0, "since"):
        return
    row = emitted % load_arg(args, HISTORY.depth)
    first = load_arg(args, EVENTS.first_partition)
    last = load_arg(args, EVENTS.last_partition)
    for origin in range(first, last):
        spikes, count = spikes_at(args, row, origin)
        if count > 0:
            kernel = load_arg(args, EVENTS.kernel)
            its_args = load_arg(args, EVENTS.args)
            call(kernel, its_args, spikes, count, step, partition)


@compiled
def gather(args, step):
    """List the delay groups whose event arrives now: oldest spike first, then by neuron."""
    history = load_arg(args, HISTORY.spikes)
    counts = load_arg(args, HISTORY.counts)
    partitions = load_arg(args, HISTORY.partitions)
    starts = load_arg(args, HISTORY.starts)
    neurons = load_arg(args, HISTORY.neurons)
    depth = load_arg(args, HISTORY.depth)
    first = load_arg(args, GATHER.first_partition)
    last = load_arg(args, GATHER.last_partition)
    delays = load_arg(args, GATHER.delays)
    groups = load_arg(args, GATHER.groups)
    since = load_long(load_arg(args, GATHER.since), 0, "since")
    now = step % depth
    count = 0
    # Long delays first: their spikes are the oldest, and the order of the contract is by age.
    for d in range(load_arg(args, GATHER.delay_count) - 1, -1, -1):
        delay = load_long(delays, d, "delays")
        if step - delay < since:
            continue
        row = now - delay if now >= delay else now - delay + depth
        # For 64 delays and each neuron: which of them it has, as bits, and its first group.
        members = load_arg(args, GATHER.members) + 2 * LONG * (d >> 6) * neurons
        bit = d & 63
        before = (1 << (d & 63)) - 1
        for origin in range(first, last):
            spikes = history + INDEX * (row * neurons + load_long(starts, origin, "starts"))
            for s in range(load_long(counts, row * partitions + origin, "counts")):
                n = load_index(spikes, s, "spikes")
                bits = load_long(members, 2 * n, "members")
                group = load_long(members, 2 * n + 1, "members") + count_ones(bits & before)
                store_index(groups, count, group, "spikes")  # overwritten if it is not one
                count += bits >> bit & 1
    store_long(load_arg(args, GATHER.count), 0, count, "group count")


@compiled
def fold(port, ring, start, stop):
    """Add the term of a projection to a port, and begin the next term at 0.

    Parameters
    ----------
    port : address of (N,)
    ring : address of (N,)
        The term of this step.
    start, stop : int
        Range of neurons.
    """
    for n in range(start, stop):
        # One name for both arrays: a projection may write to the port itself.
        store(port, n, load(port, n, "ring") + load(ring, n, "ring"), "ring")
        store(ring, n, 0.0, "ring")


# ---- phase 6


@compiled
def record_spikes(args, step, shared):
    """Append the spikes of this step to the buffer; request a stop when it may fill up.

    Parameters
    ----------
    args : address of `SPIKES`
    step : int
    shared : address of int64, see `sizes.THREADS`
    """
    members = load_arg(args, SPIKES.members)
    neurons = load_arg(args, SPIKES.neurons)
    steps = load_arg(args, SPIKES.steps)
    total = load_arg(args, SPIKES.count)
    done = load_long(total, 0, "total")
    row = step % load_arg(args, HISTORY.depth)
    for origin in range(load_arg(args, HISTORY.partitions)):
        spikes, count = spikes_at(args, row, origin)
        for s in range(count):
            n = load_index(spikes, s, "spikes")
            if members == 0 or load_byte(members, n, "members"):
                store_index(neurons, done, n, "neurons")
                store_long(steps, done, step, "out")
                done += 1
    store_long(total, 0, done, "total")
    # Room for two steps: another thread may have begun the next one before it sees the request.
    if done + 2 * load_arg(args, HISTORY.neurons) > load_arg(args, SPIKES.room):
        atomic_add(request_of(shared, step + 1), FULL)


@compiled
def record_at_spikes(args, step, partition, shared):
    """Append the values of the neurons of a partition that spike in this step.

    Parameters
    ----------
    args : address of `SPIKE_VALUES`
    step, partition : int
    shared : address of int64, see `THREADS`
    """
    members = load_arg(args, SPIKE_VALUES.members)
    neurons = load_arg(args, SPIKE_VALUES.neurons)
    steps = load_arg(args, SPIKE_VALUES.steps)
    out = load_arg(args, SPIKE_VALUES.out)
    values = load_arg(args, SPIKE_VALUES.values)
    total = load_arg(args, SPIKE_VALUES.count)
    done = load_long(total, 0, "total")
    row = step % load_arg(args, HISTORY.depth)
    spikes, count = spikes_at(args, row, partition)
    for s in range(count):
        n = load_index(spikes, s, "spikes")
        if members == 0 or load_byte(members, n, "members"):
            store_index(neurons, done, n, "neurons")
            store_long(steps, done, step, "out")
            store_double(out, done, load(values, n, "source"), "recorded")
            done += 1
    store_long(total, 0, done, "total")
    # As for spikes: room for two steps.
    if done + 2 * load_arg(args, HISTORY.neurons) > load_arg(args, SPIKE_VALUES.room):
        atomic_add(request_of(shared, step + 1), FULL)


@compiled
def record_trace(args, step):
    """Copy the values of members into their columns; closed forms are applied up to now."""
    every = load_arg(args, TRACE.every)
    if (step + 1) % every != 0:
        return
    first = load_long(load_arg(args, TRACE.first), 0, "first")
    row = (step + 1) // every - 1 - first // every
    out = load_arg(args, TRACE.out) + LONG * row * load_arg(args, TRACE.columns)
    values = load_arg(args, TRACE.values)
    index = load_arg(args, TRACE.index)
    column = load_arg(args, TRACE.column)
    last = load_arg(args, TRACE.last)
    tau = load_arg(args, TRACE.tau)
    own_tau = load_arg(args, TRACE.tau_count) > 1
    inflow = load_arg(args, TRACE.inflow)
    own_inflow = load_arg(args, TRACE.inflow_count) > 1
    for m in range(load_arg(args, TRACE.count)):
        n = load_index(index, m, "index")
        value = load(values, n, "source")
        if last != 0:
            elapsed = float(step - load_long(last, n, "last"))
            elapsed = elapsed * load_double(load_arg(args, TRACE.dt), 0, "dt")
            exponent = -elapsed / load(tau, n if own_tau else 0, "tau")
            value = value * exp(exponent)
            if inflow != 0:
                gain = rounded(elapsed * expm1_ratio(exponent))
                value = value + load(inflow, n if own_inflow else 0, "inflow") * gain
        store_double(out, load_index(column, m, "column"), value, "recorded")


# ---- steps


@compiled
def execute(operation, step, partition, shared):  # noqa: C901  one branch per operation, flat
    """Execute an operation for a partition.

    Parameters
    ----------
    operation : address of a row of `operations.WIDTH` int64
    step : int
    partition : int
    shared : address of int64, see `sizes.THREADS`
    """
    code = load_arg(operation, 0)
    args = operation + LONG
    if code == CODES.integrate:
        kernel = load_arg(args, INTEGRATE.kernel)
        its_args = load_arg(args, INTEGRATE.args)
        start = load_arg(args, INTEGRATE.start)
        stop = load_arg(args, INTEGRATE.stop)
        if call(kernel, its_args, start, stop, step, partition):
            atomic_add(request_of(shared, step), NOT_FINITE)
    elif code == CODES.call:
        kernel = load_arg(args, CALL.kernel)
        its_args = load_arg(args, CALL.args)
        start = load_arg(args, CALL.start)
        extent = load_arg(args, CALL.extent)
        call(kernel, its_args, start, extent, step, partition)
    elif code == CODES.collect or code == CODES.replay:
        row = step % load_arg(args, HISTORY.depth)
        spikes = load_arg(args, HISTORY.spikes) + INDEX * row * load_arg(args, HISTORY.neurons)
        if code == CODES.collect:
            start = load_arg(args, COLLECT.start)
            stop = load_arg(args, COLLECT.stop)
            count = collect(load_arg(args, COLLECT.fired), start, stop, spikes)
        else:
            count = replay(args, step, spikes)
        count_index = row * load_arg(args, HISTORY.partitions) + partition
        store_long(load_arg(args, HISTORY.counts), count_index, count, "counts")
    elif code == CODES.static:
        static(args, deliver, step, partition)
    elif code == CODES.staticshared:
        static(args, deliver_shared, step, partition)
    elif code == CODES.events:
        events(args, step, partition)
    elif code == CODES.gather:
        gather(args, step)
    elif code == CODES.gathered:
        kernel = load_arg(args, GATHERED.kernel)
        its_args = load_arg(args, GATHERED.args)
        count = load_long(load_arg(args, GATHERED.count), 0, "group count")
        call(kernel, its_args, load_arg(args, GATHERED.groups), count, step, partition)
    elif code == CODES.fold:
        landing = load_arg(args, FOLD.neurons) * (step % load_arg(args, FOLD.depth))
        port = load_arg(args, FOLD.port)
        ring = load_arg(args, FOLD.ring) + REAL * landing
        fold(port, ring, load_arg(args, FOLD.start), load_arg(args, FOLD.stop))
    elif code == CODES.reset:
        spikes, count = spikes_at(args, step % load_arg(args, HISTORY.depth), partition)
        if count > 0:
            kernel = load_arg(args, RESET.kernel)
            its_args = load_arg(args, RESET.args)
            if call(kernel, its_args, spikes, count, step, partition):
                store_long(shared, WRONG + 8 * partition, 1, "wrong")
                atomic_add(request_of(shared, step + 1), RESET_NOT_FINITE)
    elif code == CODES.assign:
        kernel = load_arg(args, ASSIGN.kernel)
        its_args = load_arg(args, ASSIGN.args)
        start = load_arg(args, ASSIGN.start)
        extent = load_arg(args, ASSIGN.extent)
        if call(kernel, its_args, start, extent, step, partition):
            store_long(shared, WRONG + 8 * partition, 1, "wrong")
            atomic_add(request_of(shared, step + 1), RESET_NOT_FINITE)
    elif code == CODES.catchup:
        every = load_arg(args, CATCH_UP.every)
        full = load_long(load_arg(args, CATCH_UP.full), 0, "full")
        if full or every > 0 and (step + 1) % every == 0:
            kernel = load_arg(args, CATCH_UP.kernel)
            its_args = load_arg(args, CATCH_UP.args)
            call(kernel, its_args, 0, load_arg(args, CATCH_UP.groups), step, partition)
    elif code == CODES.spikes:
        record_spikes(args, step, shared)
    elif code == CODES.spikevalues:
        record_at_spikes(args, step, partition, shared)
    elif code == CODES.trace:
        record_trace(args, step)
    elif code == CODES.signal:
        request_signal(args, step, partition, shared)


@compiled
def run_phase(row, phase, step, partition, shared):
    """Execute the operations of a partition in a phase.

    Parameters
    ----------
    row : address of the partition's row of the plan
    phase, step, partition : int
    shared : address of int64, see `sizes.THREADS`
    """
    operations = load_long(row, 0, "plan")
    begin = load_long(row, 1 + phase, "plan")
    end = load_long(row, 2 + phase, "plan")
    for number in range(begin, end):
        execute(operations + LONG * WIDTH * number, step, partition, shared)


@compiled
def run_steps(plan, partitions, phases, first, steps, thread, shared):
    """Execute ``steps`` steps from step ``first`` for the partitions of a thread.

    Threads begin together, or not at all if one of them cannot.

    Parameters
    ----------
    plan : address of (partitions, phases + 2) int64
        For each partition the address of its operations, then the number of the first operation of
        each phase, and their total.
    partitions, phases : int
    first, steps : int
        First step, and number of steps.
    thread : int
        Number of the calling thread.
    shared : address of int64, see `sizes.THREADS`

    Returns
    -------
    int
        Steps done. A full buffer ends the run after the step, in all threads alike; a value that
        is not finite ends it before phase 4 of its step, which then does not count. One that a
        reset has made ends it before phase 4 of the next step, or at the end; its step then
        counts, although it is not whole.
    """
    threads = load_long(shared, THREADS, "threads")
    stages = load_long(shared, STAGES, "threads")
    if threads > 1 and not barrier(shared, first, thread):
        return 0
    for step in range(first, first + steps):
        stop = False
        for phase in range(phases):
            if phase > 0 and threads > 1:
                barrier(shared, step, thread)
            if phase == stages:
                requests = atomic_load(request_of(shared, step))
                if requests >= NOT_FINITE:
                    return step - first
                stop = requests != 0
            partition = thread
            while partition < partitions:  # `range` would check that there are threads
                # Otherwise the wrong value stays to be found; threads agree to stop later.
                if phase >= stages or load_long(shared, WRONG + 8 * partition, "wrong") == 0:
                    row = plan + LONG * partition * (phases + 2)
                    run_phase(row, phase, step, partition, shared)
                partition += threads
        if stop:
            return step + 1 - first
    return steps
