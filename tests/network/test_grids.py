"""Convolution and average pooling: connectors between grids, held against torch."""

from __future__ import annotations

import numpy as np
import pytest
from pint import UnitRegistry
from support.messages import parts

import neurosim as ns

COUNTER = ns.Cell(
    "v : 1", receives={"x": ns.Port("1")}, step="v = x", spike="v > 1e9", name="counter"
)
SHAPES = {
    "plain": ((1, 5, 6), (2, 1, 3, 3), 1, 0),
    "stride": ((2, 8, 7), (3, 2, 3, 2), 2, 0),
    "padding": ((2, 5, 5), (1, 2, 3, 3), 1, 1),
    "both, unequal": ((3, 7, 10), (2, 3, 4, 3), (3, 2), (2, 1)),
    "a kernel of one cell": ((2, 4, 4), (3, 2, 1, 1), 1, 0),
    "a kernel as large as the grid": ((1, 4, 3), (2, 1, 4, 3), 1, 0),
    "a series": ((4, 1, 30), (5, 4, 1, 7), (1, 3), (0, 2)),
    "padding wider than the kernel": ((1, 3, 3), (1, 1, 2, 2), 2, 3),
}


def matrix_of(connector, n_source, n_target, **values):
    """Return the weights of a prepared projection as a matrix, sources by targets."""
    net = ns.Network("grids", dt="1 ms")
    source = net.spike_source("source", n_source)
    target = net.population("target", n_target, COUNTER)
    net.project(source, target, connector, name="edges", **values)
    edges = ns.prepare(net, backend="reference").edges("edges")
    matrix = np.zeros((n_source, n_target))
    np.add.at(matrix, (edges.sources, edges.targets), edges.weights)
    return matrix


@pytest.mark.parametrize(("shape", "kernel", "stride", "padding"), SHAPES.values(), ids=SHAPES)
def test_a_convolution_sums_edges_as_torch_does(shape, kernel, stride, padding):
    torch = pytest.importorskip("torch")
    generator = np.random.default_rng(1)
    weights = generator.normal(size=kernel)
    edges = ns.convolution(weights, shape=shape, stride=stride, padding=padding)
    spikes = generator.integers(0, 2, (4, *shape)).astype(float)
    expected = torch.nn.functional.conv2d(
        torch.tensor(spikes), torch.tensor(weights), stride=stride, padding=padding
    ).numpy()
    assert edges.target_shape == expected.shape[1:]
    matrix = matrix_of(edges, np.prod(shape), edges.target_size)
    np.testing.assert_allclose(
        spikes.reshape(4, -1) @ matrix, expected.reshape(4, -1), rtol=1e-12, atol=1e-12
    )


POOLS = {
    "default stride": ((2, 6, 8), 2, None, 0),
    "a remainder is left out": ((1, 7, 5), 3, None, 0),
    "overlapping": ((3, 6, 6), 3, 1, 0),
    "padding": ((1, 6, 5), (4, 3), (2, 1), (2, 1)),
}


@pytest.mark.parametrize(("shape", "size", "stride", "padding"), POOLS.values(), ids=POOLS)
def test_average_pooling_sums_edges_as_torch_does(shape, size, stride, padding):
    torch = pytest.importorskip("torch")
    spikes = np.random.default_rng(2).integers(0, 2, (3, *shape)).astype(float)
    edges = ns.average_pooling(size, shape=shape, stride=stride, padding=padding, weight=2.5)
    expected = 2.5 * torch.nn.functional.avg_pool2d(
        torch.tensor(spikes), size, stride=stride, padding=padding
    )
    matrix = matrix_of(edges, np.prod(shape), edges.target_size)
    assert edges.target_shape == tuple(expected.shape[1:])
    np.testing.assert_allclose(
        spikes.reshape(3, -1) @ matrix, expected.reshape(3, -1).numpy(), rtol=1e-12
    )


def test_a_kernel_is_stored_once_and_changed_by_set():
    kernel = np.arange(1.0, 9.0).reshape(2, 1, 2, 2)
    edges = ns.convolution(kernel, shape=(6, 6))
    net = ns.Network("once", dt="1 ms")
    source = net.spike_source("source", 36)
    target = net.population("target", edges.target_size, COUNTER)
    net.project(source, target, edges, name="edges")
    run = ns.prepare(net, backend="reference")
    assert run.memory["edges", "w"].size == 8
    assert (run.get("edges", "w") == kernel.ravel()).all()
    assert edges.count(36, 50, recurrent=False).known == run.edges("edges").weights.size == 200
    run.set("edges", w=-kernel.ravel())
    assert (run.edges("edges").weights.reshape(-1) < 0).all()


@pytest.mark.parametrize(
    "kernel",
    [
        [["1 pA", "2 pA"], ["3 pA", "0.004 nA"]],
        [[0.001, 0.002], [0.003, 0.004]],
        UnitRegistry().Quantity(np.array([[1.0, 2.0], [3.0, 4.0]]), "pA"),
    ],
    ids=["texts", "numbers", "pint"],
)
def test_kernels_have_units(kernel):
    cell = ns.Cell("v : nA", receives={"v": ns.Port("nA", into="v")})
    net = ns.Network("units", dt="1 ms")
    source, target = net.spike_source("source", 4), net.population("target", 1, cell)
    net.project(source, target, ns.convolution(kernel, shape=(2, 2)), name="edges")
    net.project(source, target, ns.average_pooling(2, shape=(2, 2), weight="8 pA"), name="mean")
    run = ns.prepare(net, backend="reference")
    assert run.edges("edges").weights == pytest.approx([0.001, 0.002, 0.003, 0.004], rel=1e-12)
    assert run.get("mean", "w") == pytest.approx(0.002, rel=1e-12)


def test_edges_of_grids_end_in_views():
    net = ns.Network("views", dt="1 ms")
    source = net.spike_source("source", 30)
    target = net.population("target", 9, COUNTER)
    kernel = np.array([[1.0, 2.0], [3.0, 4.0]])
    net.project(source[29:20:-1], target[[8, 1, 5, 2]], ns.convolution(kernel, shape=(3, 3)))
    edges = ns.prepare(net, backend="reference").edges("source->target.x")
    # The cell in the middle, source 25, is the last of the first window and the first of the last.
    middle = edges.sources == 25
    assert edges.targets[middle].tolist() == [1, 2, 5, 8]
    assert edges.weights[middle].tolist() == [3.0, 1.0, 2.0, 4.0]


REFUSED = {
    "a kernel of three dimensions": (
        lambda: ns.convolution(np.ones((2, 3, 3)), shape=(5, 5)),
        "convolution, kernel: found the shape (2, 3, 3)",
        "expected (target channels, source channels, rows, columns)",
    ),
    "an empty kernel": (
        lambda: ns.convolution(np.ones((0, 1, 3, 3)), shape=(5, 5)),
        "found the shape (0, 1, 3, 3)",
    ),
    "channels that differ": (
        lambda: ns.convolution(np.ones((2, 3, 3, 3)), shape=(1, 5, 5)),
        "found a kernel (2, 3, 3, 3) over a grid of 1 channels",
        "Correct the kernel or the shape.",
    ),
    "a kernel that is too large": (
        lambda: ns.convolution(np.ones((3, 4)), shape=(5, 3)),
        "found a window of width 4 over a grid of width 3 with padding 0, expected at most 3.",
        "Use a smaller window or more padding.",
    ),
    "a kernel of NaN": (
        lambda: matrix_of(ns.convolution([[np.nan]], shape=(2, 2)), 4, 4),
        "found a value that is not finite",
    ),
    "a kernel of text": (
        lambda: ns.convolution("abc", shape=(2, 2)),
        "convolution, kernel",
    ),
    "a shape of one number": (
        lambda: ns.convolution(np.ones((3, 3)), shape=25),
        "convolution, shape: found 25, expected (channels, height, width)",
    ),
    "a shape of four": (
        lambda: ns.average_pooling(2, shape=(1, 1, 5, 5)),
        "average_pooling, shape: found (1, 1, 5, 5)",
    ),
    "a stride of 0": (
        lambda: ns.convolution(np.ones((3, 3)), shape=(5, 5), stride=0),
        "convolution, stride: found 0, expected a whole number of at least 1",
    ),
    "three strides": (
        lambda: ns.convolution(np.ones((3, 3)), shape=(5, 5), stride=(1, 1, 1)),
        "found (1, 1, 1), expected a whole number, or two: (rows, columns)",
    ),
    "a negative padding": (
        lambda: ns.convolution(np.ones((3, 3)), shape=(5, 5), padding=(0, -1)),
        "convolution, padding: found -1, expected a whole number of at least 0",
    ),
    "padding of more than half a window": (
        lambda: ns.average_pooling(2, shape=(5, 5), padding=2),
        "found padding (2, 2) for a window (2, 2), expected at most half of it",
    ),
    "several weights of a mean": (
        lambda: ns.average_pooling(2, shape=(4, 4), weight=[1.0, 2.0]),
        "average_pooling, weight: found [1.0, 2.0], expected one number",
    ),
    "a source of another size": (
        lambda: matrix_of(ns.convolution(np.ones((2, 2)), shape=(3, 3)), 10, 4),
        "projection 'edges' (source -> target): convolution: found a source of 10 neurons, "
        "expected 9, a grid of 1 channels, height 3 and width 3.",
        "Give the population this size, or correct the shape.",
    ),
    "a target of another size": (
        lambda: matrix_of(ns.average_pooling(2, shape=(3, 6, 6)), 108, 28),
        "average_pooling: found a target of 28 neurons, expected 27",
    ),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_grids_that_do_not_fit_are_refused(case):
    act, *message = case
    with pytest.raises(ns.NetworkError, match=parts(*message)):
        act()
