"""Kernels of phase 1 and of Poisson drives: the random numbers of a step for a range of neurons."""

from neurosim.compiled.functions import lowest_bit

from .functions import compiled
from .intrinsics import (
    count_levels,
    load,
    load_arg,
    load_double,
    load_index,
    load_word,
    store,
    store_double,
    store_index,
)
from .operations import DRAW, DRIVE
from .philox import (
    GRAIN,
    fill_normal,
    fill_uniform,
    fill_words,
    poisson_levels,
    poisson_sum,
    poisson_table,
)

# Counts are those of float64 in any precision: modules rebuilt for float32 replace `fill_uniform`
# alone.
from .philox import fill_uniform as fill_double
from .sizes import BLOCK, CELLS, LANES, TOGETHER

WORD = 4  # bytes of a word, a level or a count


@compiled
def uniforms(args, start, stop, step, partition):
    """Write the uniform numbers of a draw.

    Parameters
    ----------
    args : address of `DRAW`
    start, stop : int
        Range of neurons, whose numbers select the words of the generator.
    step : int
    partition : int
        Not read: a draw depends on neuron and step alone, for any partitions.
    """
    key0 = load_arg(args, DRAW.key0)
    key1 = load_arg(args, DRAW.key1)
    buffer = load_arg(args, DRAW.buffer)
    replica = load_arg(args, DRAW.replica)
    fill_uniform(buffer, start, stop, key0, key1, step, replica)
    return 0


@compiled
def normals(args, start, stop, step, partition):
    """Write the normal numbers of a draw.

    Parameters
    ----------
    args : address of `DRAW`
    start, stop : int
        Range of neurons.
    step : int
    partition : int
        Not read.
    """
    key0 = load_arg(args, DRAW.key0)
    key1 = load_arg(args, DRAW.key1)
    buffer = load_arg(args, DRAW.buffer)
    replica = load_arg(args, DRAW.replica)
    fill_normal(buffer, start, stop, key0, key1, step, replica)
    return 0


@compiled
def drive(args, start, stop, step, partition):
    """Add weight * count to a port, for the targets from ``start`` to ``stop``.

    Parameters
    ----------
    args : address of `DRIVE`
    start, stop : int
        Range of positions among the targets of the drive.
    step : int
    partition : int
        Not read.
    """
    rate = load_arg(args, DRIVE.rate)
    own_rate = load_arg(args, DRIVE.rate_count) > 1
    mean = load_double(rate, 0, "rate") * load_double(load_arg(args, DRIVE.dt), 0, "dt")
    scattered = load_arg(args, DRIVE.neighbours) == 0
    # Above the range there are no quantiles: several draws are added.
    if scattered or own_rate or not 0.0 <= mean <= 700.0:
        drive_each(args, start, stop, step)
    else:
        drive_alike(args, start, stop, step, mean)
    return 0


@compiled
def drive_each(args, start, stop, step):
    """Draw and count for one target after the other.

    Parameters
    ----------
    args : address of `DRIVE`
    start, stop : int
        Range of positions among the targets of the drive.
    step : int
    """
    port = load_arg(args, DRIVE.port)
    targets = load_arg(args, DRIVE.targets)
    key0 = load_arg(args, DRIVE.key0)
    key1 = load_arg(args, DRIVE.key1)
    replica = load_arg(args, DRIVE.replica)
    dt = load_double(load_arg(args, DRIVE.dt), 0, "dt")
    rate = load_arg(args, DRIVE.rate)
    own_rate = load_arg(args, DRIVE.rate_count) > 1
    weights = load_arg(args, DRIVE.weight)
    own_weight = load_arg(args, DRIVE.weight_count) > 1
    for m in range(start, stop):
        n = load_index(targets, m, "targets")
        mean = load_double(rate, m if own_rate else 0, "rate") * dt
        count = poisson_sum(mean, key0, key1, n, step, replica)
        weight = load(weights, m if own_weight else 0, "weight")
        store(port, n, load(port, n, "port") + weight * count, "port")


@compiled
def drive_alike(args, start, stop, step, mean):
    """Draw block by block for consecutive neurons of one rate; counts are read from tables.

    Parameters
    ----------
    args : address of `DRIVE`
    start, stop : int
        Range of positions among the targets of the drive.
    step : int
    mean : float
        Spikes per step (1), from 0 to 700.
    """
    levels = load_arg(args, DRIVE.levels)
    quantiles = load_arg(args, DRIVE.quantiles) + 8
    # The mean in front of the tables tells whether they are still those of the current rate.
    if load_double(quantiles, -1, "quantiles") != mean:
        store_double(quantiles, -1, mean, "quantiles")
        poisson_table(mean, quantiles, load_arg(args, DRIVE.begins))
        poisson_levels(quantiles, levels)
    targets = load_arg(args, DRIVE.targets)
    shift = load_index(targets, start, "targets") - start if start < stop else 0
    near = load_index(levels, 0, "levels")
    for first in range(start, stop, BLOCK):
        size = min(BLOCK, stop - first)
        if near > 0:
            compare_counts(args, first + shift, size, step)
        else:
            search_counts(args, first + shift, size, step)
        add_counts(args, first, first + shift, size)


@compiled
def compare_counts(args, n, size, step):
    """Draw the counts of a block of neurons by comparing its words with levels.

    Parameters
    ----------
    args : address of `DRIVE`
    n, size : int
        First neuron, and number of neurons.
    step : int
    """
    key0 = load_arg(args, DRIVE.key0)
    key1 = load_arg(args, DRIVE.key1)
    replica = load_arg(args, DRIVE.replica)
    words = load_arg(args, DRIVE.words)
    counts = load_arg(args, DRIVE.counts)
    levels = load_arg(args, DRIVE.levels)
    quantiles = load_arg(args, DRIVE.quantiles) + 8
    near = load_index(levels, 0, "levels")
    # Numbers of neurons decide the words of a block, and it is written at its beginning.
    fill_words(words - WORD * n, n, n + size, key0, key1, step, replica)
    for m in range(size):
        store_index(counts, m, 0, "counts")
    # Lanes behind the last neuron are counted too: their room is there, and nobody reads it.
    for m in range(0, size, LANES):
        beyond = 0
        for level in range(1, near, TOGETHER):
            beyond = count_levels(words + WORD * m, levels + WORD * level, counts + WORD * m)
        while beyond:
            lane = m + lowest_bit(beyond)
            u = (load_word(words, lane, "words") + 0.5) * GRAIN
            count = near
            while u >= load_double(quantiles, count, "quantiles"):
                count += 1
            store_index(counts, lane, count, "counts")
            beyond &= beyond - 1


@compiled
def search_counts(args, n, size, step):
    """Draw the counts of a block of neurons by a search for each; see `compare_counts`."""
    key0 = load_arg(args, DRIVE.key0)
    key1 = load_arg(args, DRIVE.key1)
    replica = load_arg(args, DRIVE.replica)
    drawn = load_arg(args, DRIVE.uniforms)
    counts = load_arg(args, DRIVE.counts)
    quantiles = load_arg(args, DRIVE.quantiles) + 8
    begins = load_arg(args, DRIVE.begins)
    fill_double(drawn - 8 * n, n, n + size, key0, key1, step, replica)
    for m in range(size):
        u = load_double(drawn, m, "drawn")
        count = load_index(begins, int(u * CELLS), "begins")
        while u >= load_double(quantiles, count, "quantiles"):
            count += 1
        store_index(counts, m, count, "counts")


@compiled
def add_counts(args, first, n, size):
    """Add weight * count to a port, for a block of neurons.

    Parameters
    ----------
    args : address of `DRIVE`
    first : int
        Position of the first neuron among the targets of the drive.
    n, size : int
        First neuron, and number of neurons.
    """
    port = load_arg(args, DRIVE.port)
    weights = load_arg(args, DRIVE.weight)
    own_weight = load_arg(args, DRIVE.weight_count) > 1
    counts = load_arg(args, DRIVE.counts)
    if own_weight:
        for m in range(size):
            added = load(weights, first + m, "weight") * load_index(counts, m, "counts")
            store(port, n + m, load(port, n + m, "port") + added, "port")
        return
    weight = load(weights, 0, "weight")
    for m in range(size):
        added = weight * load_index(counts, m, "counts")
        store(port, n + m, load(port, n + m, "port") + added, "port")
