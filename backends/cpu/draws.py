"""Kernels of phase 1 and of Poisson drives: random numbers of a step, written to buffers for a range of neurons."""

from .access import load, load_index, load_long, store
from .functions import compiled
from .philox import fill_normal, fill_uniform, poisson_count, uniform_at


@compiled
def uniforms(table, start, stop, step, thread):
    """Table: buffer, key words, replica."""
    fill_uniform(load_long(table, 0, "t"), start, stop, load_long(table, 1, "t"), load_long(table, 2, "t"), step, load_long(table, 3, "t"))
    return 0


@compiled
def normals(table, start, stop, step, thread):
    """Table: buffer, key words, replica."""
    fill_normal(load_long(table, 0, "t"), start, stop, load_long(table, 1, "t"), load_long(table, 2, "t"), step, load_long(table, 3, "t"))
    return 0


@compiled
def drive(table, start, stop, step, thread):
    """Add weight * count to a port. Table: port, key words, replica, neuron of each target, rate and its size, weight and its size, dt."""
    port, targets = load_long(table, 0, "t"), load_long(table, 4, "t")
    rate, rates = load_long(table, 5, "t"), load_long(table, 6, "t")
    weight, weights = load_long(table, 7, "t"), load_long(table, 8, "t")
    dt = load(load_long(table, 9, "t"), 0, "dt")
    for m in range(start, stop):
        n = load_index(targets, m, "targets")
        u = uniform_at(load_long(table, 1, "t"), load_long(table, 2, "t"), n, step, load_long(table, 3, "t"))
        count = poisson_count(load(rate, m if rates > 1 else 0, "rate") * dt, u)
        store(port, n, load(port, n, "port") + load(weight, m if weights > 1 else 0, "weight") * count, "port")
    return 0
