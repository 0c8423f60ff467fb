"""Weights of a projection as nodes of NIR: a convolution, a pooling, or a matrix of all pairs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurosim.draws.values import Shared
from neurosim.ir.concrete import ConcreteProjection
from neurosim.network.edges import Connector
from neurosim.network.wiring.grids import average_pooling, convolution

from .equations import Unmatched, Values
from .graph import Node, range_text

_MOST_WEIGHTS = 1 << 28  # of a dense matrix: 2 GiB
Grid = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Weights:
    """The weights of a projection, with the populations that they join.

    Parameters
    ----------
    projection : ConcreteProjection
    connector : Connector
        From which the projection was made.
    scale : number or (N,)
        Factor of all weights, by target.
    bias : number, (N,) or None
        Of the target; None if these nodes do not carry it.
    source_size, target_size : int
    source_grid, target_grid : tuple of int, or None
        Channels, rows and columns of a population that lies on a grid.
    """

    projection: ConcreteProjection
    connector: Connector
    scale: Values
    bias: Values | None
    source_size: int
    target_size: int
    source_grid: Grid | None
    target_grid: Grid | None

    def fit(self, connector: convolution | average_pooling) -> bool:
        """Return whether both populations lie on the grids of a connector."""
        return self.source_grid == tuple(connector.shape) and self.target_grid == tuple(
            connector.target_shape
        )

    def have_one_factor(self) -> bool:
        """Return whether one factor holds for all neurons: kernels are shared by all of them."""
        return not np.ptp(np.asarray(self.scale))

    def factor(self) -> float:
        """Return the factor of the first neuron."""
        return float(np.ravel(self.scale)[0])


@dataclass(frozen=True, eq=False)
class Layer:
    """Nodes that follow each other, by the suffixes of their names, and words about them."""

    nodes: tuple[tuple[str, Node], ...]
    description: str


def layer_of(weights: Weights) -> Layer:
    """Return weights as nodes: of a grid if NIR has such a node, else a matrix.

    Raises
    ------
    Unmatched
        If the matrix would be too large.
    """
    connector = weights.connector
    if isinstance(connector, convolution) and _is_one_kernel(weights, connector):
        return Layer((("", _convolve(weights, connector)),), f"Conv2d: {connector.show()}.")
    if isinstance(connector, average_pooling) and _is_one_pool(weights, connector):
        description = f"{connector.show()}: SumPool2d or AvgPool2d."
        return Layer(tuple(_pool(weights, connector)), description)
    return _multiply(weights)


def _is_one_kernel(weights: Weights, connector: convolution) -> bool:
    if not weights.fit(connector) or not weights.have_one_factor():
        return False
    return weights.bias is None or _is_per_channel(weights.bias, connector)


def _is_one_pool(weights: Weights, connector: average_pooling) -> bool:
    """Return whether pooling has a node; it has no bias and one weight."""
    has_one_weight = isinstance(weights.projection.weight, float | int | np.float64)
    has_factor = weights.have_one_factor()
    return weights.fit(connector) and weights.bias is None and has_factor and has_one_weight


def _is_per_channel(bias: Values, connector: convolution) -> bool:
    """Return whether all neurons of a channel have one bias, as a Conv2d has."""
    return not np.ptp(_bias_of_cells(bias, connector), axis=1).any()


def _bias_of_cells(bias: Values, connector: convolution) -> np.ndarray:
    """Return the bias of each neuron: (channels, cells of a channel)."""
    channels = connector.target_shape[0]
    of_neurons = np.broadcast_to(bias, math.prod(connector.target_shape))
    return of_neurons.reshape(channels, -1)


def _convolve(weights: Weights, connector: convolution) -> Node:
    outputs, inputs = connector.target_shape[0], connector.shape[0]
    weight: Any = weights.projection.weight
    values = weight.values if isinstance(weight, Shared) else weight
    scaled = np.asarray(values, np.float64) * weights.factor()
    bias = np.zeros(outputs)
    # A Conv2d has one bias per channel: that of the channel's first neuron.
    if weights.bias is not None:
        bias = _bias_of_cells(weights.bias, connector)[:, 0].copy()
    return Node(
        "Conv2d",
        {
            "input_shape": np.array(connector.shape[1:]),
            "weight": np.reshape(scaled, (outputs, inputs, *connector.window)),
            "stride": np.array(connector.stride),
            "padding": np.array(connector.padding),
            "dilation": np.array([1, 1]),
            "groups": np.array(1),
            "bias": bias,
        },
    )


def _pool(weights: Weights, connector: average_pooling) -> list[tuple[str, Node]]:
    cells = math.prod(connector.window)
    weight: Any = weights.projection.weight
    edge_weight = float(weight) * weights.factor()
    arrays = {
        "kernel_size": np.array(connector.window),
        "stride": np.array(connector.stride),
        "padding": np.array(connector.padding),
    }
    # Weights of 1 / cells make a mean; others are a sum, and a factor if they are not 1.
    if math.isclose(edge_weight * cells, 1.0, rel_tol=1e-12):
        return [("", Node("AvgPool2d", arrays))]
    total = ("", Node("SumPool2d", arrays))
    if edge_weight == 1.0:
        return [total]
    factors = np.full(connector.target_shape, edge_weight)
    return [total, (" scale", Node("Scale", {"scale": factors}))]


def _multiply(weights: Weights) -> Layer:
    matrix = _matrix_of(weights)
    nodes: list[tuple[str, Node]] = []
    # A matrix multiplies a vector: a grid is flattened before it.
    if weights.source_grid is not None:
        axes = {"start_dim": np.array(0), "end_dim": np.array(-1)}
        shape = np.array(weights.source_grid)
        nodes.append((" flat", Node("Flatten", {**axes, "input_type": shape})))
    arrays = {"weight": matrix}
    node_type = "Linear"
    if weights.bias is not None:
        arrays["bias"] = np.broadcast_to(weights.bias, weights.target_size).copy()
        node_type = "Affine"
    nodes.append(("", Node(node_type, arrays)))
    is_scaled = bool(np.any(np.asarray(weights.scale) != 1))
    scaled = f", times {range_text(weights.scale)}" if is_scaled else ""
    edges = weights.projection.targets.size
    extent = f"{node_type} {weights.target_size} x {weights.source_size}"
    return Layer(tuple(nodes), f"{extent}: {edges} edges{scaled}; others are 0.")


def _matrix_of(weights: Weights) -> np.ndarray:
    """Return the weights of all pairs, (targets, sources)."""
    rows, columns = weights.target_size, weights.source_size
    if rows * columns > _MOST_WEIGHTS:
        raise Unmatched(
            f"NIR has no lists of edges: a matrix of {rows} x {columns} weights is too large.",
            "Use smaller populations, or 'nest'.",
        )
    projection = weights.projection
    weight: Any = projection.weight
    of_edges = np.asarray(weight.values)[weight.index] if isinstance(weight, Shared) else weight
    factors = np.broadcast_to(weights.scale, rows)[projection.targets]
    matrix = np.zeros((rows, columns))
    pairs = (projection.targets.astype(np.intp), projection.sources)
    # Several edges of one pair add up.
    np.add.at(matrix, pairs, np.asarray(of_edges) * factors)
    return matrix
