"""Kernels of phase 1 and of Poisson drives: random numbers of a step, written to buffers for a range of neurons."""

from .functions import compiled
from .intrinsics import load, load_double, load_index, load_long, store, store_double
from .philox import CELLS, MOST, fill_normal, fill_uniform, poisson_count, poisson_table, uniform_at
from .philox import fill_uniform as fill_double


@compiled
def uniforms(table, start, stop, step, thread):
    """Table: buffer, key words, replica."""
    fill_uniform(
        load_long(table, 0, "t"),
        start,
        stop,
        load_long(table, 1, "t"),
        load_long(table, 2, "t"),
        step,
        load_long(table, 3, "t"),
    )
    return 0


@compiled
def normals(table, start, stop, step, thread):
    """Table: buffer, key words, replica."""
    fill_normal(
        load_long(table, 0, "t"),
        start,
        stop,
        load_long(table, 1, "t"),
        load_long(table, 2, "t"),
        step,
        load_long(table, 3, "t"),
    )
    return 0


BLOCK = 256  # uniform numbers that are drawn together
ROOM = (
    BLOCK,
    1 + MOST,
    CELLS,
)  # of a drive: uniform numbers; their mean and its quantiles; where the search for a count begins


@compiled
def drive(table, start, stop, step, thread):
    """Add weight * count to a port. Table: port, key words, replica, neuron of each target, rate and its size, weight and its size, dt,
    whether the targets are neighbours, arrays of `ROOM`. Counts are those of float64 in any precision.
    """
    port, targets = load_long(table, 0, "t"), load_long(table, 4, "t")
    k0, k1, replica = load_long(table, 1, "t"), load_long(table, 2, "t"), load_long(table, 3, "t")
    rate, rates = load_long(table, 5, "t"), load_long(table, 6, "t")
    weight, weights = load_long(table, 7, "t"), load_long(table, 8, "t")
    dt = load_double(load_long(table, 9, "t"), 0, "dt")
    mean = load_double(rate, 0, "rate") * dt
    if load_long(table, 10, "t") == 0 or rates > 1 or not 0.0 <= mean <= 700.0:
        for m in range(start, stop):
            n = load_index(targets, m, "targets")
            count = poisson_count(
                load_double(rate, m if rates > 1 else 0, "rate") * dt,
                uniform_at(k0, k1, n, step, replica),
            )
            store(
                port,
                n,
                load(port, n, "port") + load(weight, m if weights > 1 else 0, "weight") * count,
                "port",
            )
        return 0
    drawn, quantiles, begins = (
        load_long(table, 11, "t"),
        load_long(table, 12, "t") + 8,
        load_long(table, 13, "t"),
    )
    if load_double(quantiles, -1, "quantiles") != mean:
        store_double(quantiles, -1, mean, "quantiles")
        poisson_table(mean, quantiles, begins)
    shift = load_index(targets, start, "targets") - start if start < stop else 0
    for first in range(start, stop, BLOCK):
        n, length = first + shift, min(BLOCK, stop - first)
        fill_double(drawn - 8 * n, n, n + length, k0, k1, step, replica)
        for m in range(length):
            u = load_double(drawn, m, "drawn")
            count = load_index(begins, int(u * CELLS), "begins")
            while u >= load_double(quantiles, count, "quantiles"):
                count += 1
            store(
                port,
                n + m,
                load(port, n + m, "port")
                + load(weight, first + m if weights > 1 else 0, "weight") * count,
                "port",
            )
    return 0
