"""Kernels that are the same for all networks: spikes, folds, drives, samples, and the clock.

A lane is one element of an array: a neuron, an edge, a delay group. Axis 1 of a grid is samples
side by side; an array that each sample has for itself has one row per sample. Phase 4 does nothing
from a value on that is not finite; see `words.WRONG`.

The order in which lanes run has no effect on any result.
"""

from __future__ import annotations

from typing import Any

import triton.language as tl

FIXED = 2.0**40  # parts of one in sums of fixed point
LANES = 128  # of a block of folds, see `folds.Fold`

# Names of the namespace in which the functions below are rebuilt.
_REAL: Any = None
_real: Any = None
_elapsed: Any = None
_decayed: Any = None
_relaxed: Any = None
_uniform_wide: Any = None
_row: Any = None
_FIXED: Any = FIXED
_NEXT_DRAW: Any = None


def _runs(clock, n, half_step):
    """Return for each lane whether no value was found in an earlier half-step that is not finite.

    Notes
    -----
    A block, since the interpreter joins no condition of one value with those of lanes.
    """
    return tl.load(clock + 2) + n * 0 >= half_step


def _running(clock, n):
    """Return for each lane whether phase 4 of a step runs."""
    return tl.load(clock + 2) + n * 0 >= 2 * tl.load(clock) + 1


def _is_due(clock, n, every):
    """Return for each lane whether a probe takes a sample at the end of this step."""
    step = tl.load(clock)
    # Steps of the run are counted, not those of a stretch: a run may be cut anywhere. `n * 0`
    # makes a block of the condition, see `_runs`.
    return ((step + 1) % every + n * 0 == 0) & _runs(clock, n, 2 * step + 2)


def _chunk_row(clock, every, first):
    """Return the row of this step's sample in a chunk that begins with step ``first``."""
    return (tl.load(clock) + 1) // every - 1 - tl.load(first) // every


def _folded(
    total,
    edges,
    groups,
    begin,
    most,
    arrived,
    values,
    clock,
    TRIGGERED: tl.constexpr,
    STRIDE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Return sums over the edges of each lane, one after the other, and which lanes have any."""
    lane = tl.arange(0, BLOCK)
    running = _running(clock, lane)
    touched = lane < 0
    # All lanes of a block run as often as its longest one: shorter ones are filled up with edge -1.
    for position in range(0, most):
        offset = begin + position * BLOCK + lane
        edge = tl.load(edges + offset)
        active = (edge >= 0) & running
        if TRIGGERED:
            group = tl.load(groups + offset)
            active = active & (tl.load(arrived + group, mask=active, other=0) != 0)
        value = tl.load(values + edge * STRIDE, mask=active, other=0.0)
        # A lane without an event keeps its bits: adding 0.0 would turn -0.0 into 0.0.
        total = tl.where(active, total + value, total)
        touched = touched | active
    return total, touched


# ---- spikes


def clear_spikes(
    clock,
    fired,
    depth,
    width,
    column,
    size,
    BLOCK: tl.constexpr,
):
    """Empty this step's row of a population of given spikes."""
    step = tl.load(clock)
    n = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    lanes = (n < size) & _runs(clock, n, 2 * step)
    # int64: positions in a ring of all samples may exceed the range of int32.
    sample = tl.program_id(1).to(tl.int64)
    row = sample * depth + step % depth
    # A comparison in place of 0: it has the shape of the lanes in the interpreter too.
    tl.store(fired + row * width + column + n, (n < 0).to(tl.uint8), mask=lanes)


def give_spikes(
    clock,
    fired,
    depth,
    width,
    column,
    steps,
    indices,
    count,
    BLOCK: tl.constexpr,
):
    """Mark the neurons whose given spikes are of this step."""
    step = tl.load(clock)
    n = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    lanes = (n < count) & _runs(clock, n, 2 * step)
    sample = tl.program_id(1).to(tl.int64)
    at = sample * count + n
    due = tl.load(steps + at, mask=lanes, other=-1)
    lanes = lanes & (due == step)
    neuron = tl.load(indices + at, mask=lanes, other=0)
    row = sample * depth + step % depth
    tl.store(fired + row * width + column + neuron, (n >= 0).to(tl.uint8), mask=lanes)


def arrive(
    clock,
    fired,
    depth,
    width,
    column,
    since,
    neurons,
    delays,
    arrived,
    count,
    BLOCK: tl.constexpr,
):
    """Mark the delay groups that a spike reaches in this step."""
    step = tl.load(clock)
    sample = tl.program_id(1).to(tl.int64)
    n = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    lanes = n < count
    emitted = step - tl.load(delays + n, mask=lanes, other=0)
    # Of spikes before a reset none arrives.
    flying = lanes & (emitted >= tl.load(since + sample))
    neuron = tl.load(neurons + n, mask=lanes, other=0)
    row = sample * depth + emitted % depth
    at = fired + row * width + column + neuron
    spike = tl.load(at, mask=flying, other=0)
    tl.store(arrived + sample * count + n, spike, mask=lanes)


def list_spikes(
    clock,
    fired,
    depth,
    width,
    spikes,
    count,
    BLOCK: tl.constexpr,
):
    """Append the neurons of this step's spikes to a list, in any order."""
    step = tl.load(clock)
    sample = tl.program_id(1).to(tl.int64)
    n = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    lanes = (n < width) & _running(clock, n)
    row = sample * depth + step % depth
    spike = tl.load(fired + row * width + n, mask=lanes, other=0)
    lanes = lanes & (spike != 0)
    # Which lane gets which position differs from run to run. Sums over the list do not depend on
    # it, since they are of whole numbers.
    position = tl.atomic_add(count + sample + n * 0, 1, mask=lanes)
    tl.store(spikes + sample * width + position, n, mask=lanes)


def push(
    clock,
    spikes,
    count,
    width,
    pointer,
    targets,
    delays,
    weights,
    sums,
    depth,
    ports,
    PROGRAMS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Add the weights of all edges that leave spikes of this step, where and when they land."""
    step = tl.load(clock)
    sample = tl.program_id(1).to(tl.int64)
    # The length of the list is known on the device alone, and a captured graph has a fixed grid:
    # so a fixed number of programs share the list by strides.
    for item in range(tl.program_id(0), tl.load(count + sample), PROGRAMS):
        source = tl.load(spikes + sample * width + item)
        last = tl.load(pointer + source + 1)
        for begin in range(tl.load(pointer + source), last, BLOCK):
            edge = begin + tl.arange(0, BLOCK)
            lanes = edge < last
            # float64 in both precisions: parts of 2**-40 do not fit into the 24 bits of float32.
            weight = tl.load(weights + edge, mask=lanes, other=0.0).to(tl.float64)
            parts = tl.floor(weight * _FIXED + 0.5).to(tl.int64)
            delay = tl.load(delays + edge, mask=lanes, other=0)
            row = sample * depth + (step + delay) % depth
            target = tl.load(targets + edge, mask=lanes, other=0)
            # Of whole numbers: any order of these sums gives the same bits.
            tl.atomic_add(sums + row * ports + target, parts, mask=lanes)


# ---- sums over edges, from the left


def fold_port(
    clock,
    edges,
    groups,
    begins,
    mosts,
    arrived,
    arrived_size,
    values,
    values_size,
    port,
    size,
    TRIGGERED: tl.constexpr,
    STRIDE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Add the term of a static projection to its port."""
    block = tl.program_id(0)
    sample = tl.program_id(1).to(tl.int64)
    n = block * BLOCK + tl.arange(0, BLOCK)
    lanes = (n < size) & _running(clock, n)
    total, touched = _folded(
        tl.full((BLOCK,), 0.0, _REAL),
        edges,
        groups,
        tl.load(begins + block),
        tl.load(mosts + block),
        arrived + sample * arrived_size,
        values + sample * values_size,
        clock,
        TRIGGERED,
        STRIDE,
        BLOCK,
    )
    # Each projection is summed by itself and then added to the port: so all engines round alike.
    at = port + sample * size + n
    earlier = tl.load(at, mask=lanes)
    tl.store(at, earlier + total, mask=lanes)


def fold_ring(
    clock,
    edges,
    groups,
    begins,
    mosts,
    arrived,
    arrived_size,
    values,
    values_size,
    ring,
    depth,
    size,
    targets,
    delays,
    count,
    TRIGGERED: tl.constexpr,
    STRIDE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Add what a rule delivers to the terms of the steps in which it lands."""
    block = tl.program_id(0)
    sample = tl.program_id(1).to(tl.int64)
    n = block * BLOCK + tl.arange(0, BLOCK)
    lanes = (n < count) & _running(clock, n)
    delay = tl.load(delays + n, mask=lanes, other=0)
    landing = (tl.load(clock) + delay) % depth
    target = tl.load(targets + n, mask=lanes, other=0)
    at = ring + (sample * depth + landing) * size + target
    # Earlier handlers may have delivered to the same step: their sum continues, in edge order.
    total, touched = _folded(
        tl.load(at, mask=lanes, other=0.0),
        edges,
        groups,
        tl.load(begins + block),
        tl.load(mosts + block),
        arrived + sample * arrived_size,
        values + sample * values_size,
        clock,
        TRIGGERED,
        STRIDE,
        BLOCK,
    )
    # Most lanes have no event in most steps: they spare the write to memory.
    tl.store(at, total, mask=lanes & touched)


def fold_side(
    clock,
    edges,
    groups,
    begins,
    mosts,
    arrived,
    arrived_size,
    values,
    values_size,
    totals,
    reached,
    count,
    TRIGGERED: tl.constexpr,
    STRIDE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Sum what edges add to a variable of one side, and mark the delay groups with such an edge."""
    block = tl.program_id(0)
    sample = tl.program_id(1).to(tl.int64)
    n = block * BLOCK + tl.arange(0, BLOCK)
    lanes = n < count
    total, touched = _folded(
        tl.full((BLOCK,), 0.0, _REAL),
        edges,
        groups,
        tl.load(begins + block),
        tl.load(mosts + block),
        arrived + sample * arrived_size,
        values + sample * values_size,
        clock,
        TRIGGERED,
        STRIDE,
        BLOCK,
    )
    tl.store(totals + sample * count + n, total, mask=lanes)
    tl.store(reached + sample * count + n, touched.to(tl.uint8), mask=lanes)


# ---- terms of a port


def take_ring(
    clock,
    ring,
    depth,
    port,
    size,
    BLOCK: tl.constexpr,
):
    """Add the term of a rule to its port, and free its row for a later step."""
    sample = tl.program_id(1).to(tl.int64)
    n = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    lanes = (n < size) & _running(clock, n)
    row = sample * depth + tl.load(clock) % depth
    term = ring + row * size + n
    at = port + sample * size + n
    earlier = tl.load(at, mask=lanes)
    added = tl.load(term, mask=lanes)
    tl.store(at, earlier + added, mask=lanes)
    # The row belongs to a step one turn of the ring later, whose sum starts at 0.
    tl.store(term, tl.full((BLOCK,), 0.0, _REAL), mask=lanes)


def take_sums(
    clock,
    sums,
    depth,
    ports,
    column,
    port,
    size,
    BLOCK: tl.constexpr,
):
    """Add the sum of all projections that are pushed to a port, and free its row."""
    sample = tl.program_id(1).to(tl.int64)
    n = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    lanes = (n < size) & _running(clock, n)
    row = sample * depth + tl.load(clock) % depth
    term = sums + row * ports + column + n
    at = port + sample * size + n
    parts = tl.load(term, mask=lanes, other=0).to(tl.float64)
    # A power of two: the division is exact.
    added = _real(parts / _FIXED)
    earlier = tl.load(at, mask=lanes)
    tl.store(at, earlier + added, mask=lanes)
    tl.store(term, tl.full((BLOCK,), 0, tl.int64), mask=lanes)


def drive(
    clock,
    keys,
    targets,
    cumulated,
    columns,
    rows,
    draws,
    rows_size,
    most,
    weights,
    weights_size,
    port,
    size,
    count,
    half,
    STRIDE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Add weight * count to a port; `half` is the largest power of two up to `columns`.

    Quantiles stand in a row of `cumulated`, infinite where no more is added.
    """
    sample = tl.program_id(1).to(tl.int64)
    n = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    lanes = (n < count) & _running(clock, n)
    target = tl.load(targets + n, mask=lanes, other=0)
    # Samples with equal rates share their rows, and `rows_size` is 0.
    own = sample * rows_size + n
    mean = tl.load(rows + own, mask=lanes, other=0)
    row = cumulated + mean * columns
    wanted = tl.load(draws + own, mask=lanes, other=0)
    total = tl.full((BLOCK,), 0.0, tl.float64)
    # Lanes of a program run together: each draws as often as the highest rate needs, and what is
    # drawn beyond its own number is not counted.
    for number in range(0, most):
        later = tl.cast(number, tl.int64) * _NEXT_DRAW
        u = _uniform_wide(target, keys, clock, sample, later)
        position = tl.full((BLOCK,), 0, tl.int64)
        width = half + 0
        # Bisection with the same number of turns for all lanes: a lane cannot leave a loop alone.
        while width > 0:
            further = position + width
            inside = lanes & (further <= columns)
            quantile = tl.load(row + further - 1, mask=inside, other=float("inf"))
            below = quantile <= u
            position = tl.where(inside & below, further, position)
            width = width // 2
        # Counts are whole numbers, whose sums in float64 are exact.
        total = total + tl.where(wanted > number, position.to(tl.float64), 0.0)
    at = port + sample * size + target
    weight = tl.load(weights + sample * weights_size + n * STRIDE, mask=lanes, other=0.0)
    added = weight * _real(total)
    earlier = tl.load(at, mask=lanes)
    tl.store(at, earlier + added, mask=lanes)


# ---- samples, and the clock


def check(
    clock,
    values,
    size,
    BLOCK: tl.constexpr,
):
    """Find values of a state that are not finite after phase 5."""
    sample = tl.program_id(1).to(tl.int64)
    n = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    lanes = (n < size) & _running(clock, n)
    value = tl.load(values + sample * size + n, mask=lanes, other=0.0)
    # The difference is 0 for all numbers but infinite ones and NaN. The minimum keeps the first
    # half-step, whichever lane reports it first.
    wrong = lanes & (value - value != 0)
    half_step = 2 * tl.load(clock) + 1
    tl.atomic_min(clock + 2 + n * 0, half_step, mask=wrong)


def sample_values(
    clock,
    values,
    values_size,
    positions,
    out,
    capacity,
    count,
    every,
    first,
    BLOCK: tl.constexpr,
):
    """Write the values of a probe at the end of a step, if it is one of its steps."""
    sample = tl.program_id(1).to(tl.int64)
    n = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    lanes = (n < count) & _is_due(clock, n, every)
    position = tl.load(positions + n, mask=lanes, other=0)
    value = tl.load(values + sample * values_size + position, mask=lanes, other=0.0)
    # Chunks hold float64 in both precisions.
    row = sample * capacity + _chunk_row(clock, every, first)
    tl.store(out + row * count + n, value.to(tl.float64), mask=lanes)


def sample_table(
    clock,
    values,
    values_size,
    rows,
    rows_size,
    width,
    positions,
    out,
    capacity,
    count,
    every,
    first,
    BLOCK: tl.constexpr,
):
    """Write the values of a table that are in force in a step, as `sample_values`."""
    step = tl.load(clock)
    sample = tl.program_id(1).to(tl.int64)
    n = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    lanes = (n < count) & _is_due(clock, n, every)
    position = tl.load(positions + n, mask=lanes, other=0)
    in_force = _row(rows + sample * rows_size, step)
    table = values + sample * values_size + in_force * width
    value = tl.load(table + position, mask=lanes, other=0.0)
    row = sample * capacity + _chunk_row(clock, every, first)
    tl.store(out + row * count + n, value.to(tl.float64), mask=lanes)


def sample_course(
    clock,
    values,
    values_size,
    last,
    tau,
    tau_size,
    tau_positions,
    inflow,
    inflow_size,
    inflow_positions,
    positions,
    out,
    capacity,
    count,
    every,
    first,
    DT: tl.constexpr,
    INFLOW: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Write the values of a variable with a closed form, as `sample_values`."""
    step = tl.load(clock)
    sample = tl.program_id(1).to(tl.int64)
    n = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    lanes = (n < count) & _is_due(clock, n, every)
    position = sample * values_size + tl.load(positions + n, mask=lanes, other=0)
    value = tl.load(values + position, mask=lanes, other=0.0)
    assigned = tl.load(last + position, mask=lanes, other=0)
    elapsed = _elapsed(step, assigned, DT)
    tau_position = tl.load(tau_positions + n, mask=lanes, other=0)
    scale = tl.load(tau + sample * tau_size + tau_position, mask=lanes, other=1.0)
    # Known when the kernel is compiled, so that no lane pays for the branch that it does not take.
    if INFLOW:
        inflow_position = tl.load(inflow_positions + n, mask=lanes, other=0)
        at = inflow + sample * inflow_size + inflow_position
        rate = tl.load(at, mask=lanes, other=0.0)
        value = _relaxed(value, elapsed, scale, rate)
    else:
        value = _decayed(value, elapsed, scale)
    row = sample * capacity + _chunk_row(clock, every, first)
    tl.store(out + row * count + n, value.to(tl.float64), mask=lanes)


def tick(
    clock,
    counts,
    samples,
    BLOCK: tl.constexpr,
):
    """End a step: the clock moves on unless a value was not finite; lists of spikes are emptied."""
    step = tl.load(clock)
    n = tl.arange(0, BLOCK)
    tl.store(counts + n, n * 0, mask=n < samples)
    goes_on = _runs(clock, n, 2 * step + 2)
    tl.store(clock + n, step + 1, mask=(n == 0) & goes_on)
    # Later steps of a graph find nothing to do, phases 2 and 3 included.
    tl.store(clock + 2 + n, n * 0 - 1, mask=(n == 0) & (goes_on == 0))


PARTS = (_runs, _running, _is_due, _chunk_row, _folded)
KERNELS = (
    clear_spikes,
    give_spikes,
    arrive,
    list_spikes,
    push,
    fold_port,
    fold_ring,
    fold_side,
    take_ring,
    take_sums,
    drive,
    check,
    sample_values,
    sample_table,
    sample_course,
    tick,
)
