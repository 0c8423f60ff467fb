"""Graphs of NIR as networks: forward Euler, a spike's input held for one step, as readers do."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from neurosim.backend.free_memory import available
from neurosim.errors import NetworkError
from neurosim.model.cell import Cell
from neurosim.model.declarations import Parameter, Port
from neurosim.network.network import Network
from neurosim.network.validation import to_steps
from neurosim.network.wiring.edge_lists import from_arrays
from neurosim.network.wiring.grids import average_pooling, convolution

from .graph import FIELDS, NEURONS, OPTIONAL, Graph, Node, closing_pairs

_SECOND = 1000.0  # ms
_LEAK = "(v_leak - v + r * {current}) / tau"
_DIRECT = "(input + bias)"
# Slope of v, slope of the current: by type without its spikes.
_SLOPES = {
    "LI": (_LEAK.format(current=_DIRECT), ""),
    "I": (f"r * {_DIRECT}", ""),
    "CubaLI": (_LEAK.format(current="current"), f"(w_in * {_DIRECT} - current) / tau_syn"),
}
_SPIKING = {"LIF": "LI", "IF": "I", "CubaLIF": "CubaLI"}
_TIME_CONSTANTS = ("tau", "tau_mem", "tau_syn")
# Parameters that the equations above may read, with their units.
_PARAMETERS = {"r": "1", "v_leak": "1", "tau": "s", "tau_syn": "s", "w_in": "1"}
# Whole numbers of grids, by field: the least one, and how many there may be.
_LEAST = {"stride": 1, "dilation": 1, "kernel_size": 1, "padding": 0, "groups": 1}
_COUNTS = {"groups": (1,)}
# Ways between two populations are followed one by one: branches that meet again and again would
# take forever.
_MOST_NODES_FOLLOWED = 10_000_000


def network_of(
    graph: Graph,
    *,
    dt: Any,
    name: str,
    where: str,
) -> Network:
    """Return the network of a graph.

    Inputs are sources without spikes, outputs are recorded, and spikes act within their step
    unless they run in a loop or a Delay holds them.

    Parameters
    ----------
    graph : Graph
    dt : quantity
    name : str
        Of the network.
    where : str
        Begins messages.

    Raises
    ------
    NetworkError
        If a node or an edge has no counterpart.
    """
    return _Builder(graph, Network(name, dt=dt), where).network()


@dataclass(frozen=True, eq=False)
class _Path:
    """Nodes without neurons on the way from one population to another."""

    source: str
    target: str
    nodes: tuple[str, ...]


class _Builder:
    """Fills a network from a graph: first populations, then the paths between them."""

    def __init__(self, graph: Graph, net: Network, where: str) -> None:
        self._graph = graph
        self._net = net
        self._where = where
        self._names: dict[str, str] = {}  # of nodes that are populations, in the network
        # Of populations: the shape of their grid.
        self._shapes: dict[str, tuple[int, ...]] = {}

    def network(self) -> Network:
        """Return the network, with its populations, projections and recordings."""
        nodes = self._graph.nodes
        self._check_edges()
        for name, node in nodes.items():
            self._check_node(name, node)
            if node.type == "Input" or node.type in NEURONS:
                self._shapes[name] = _grid_of_neurons(node)
        # Biases belong to the cells, which are made before projections join them.
        paths = [path for name in self._shapes for path in self._paths(name)]
        biases = self._biases(paths)
        for name in self._shapes:
            self._add_population(name, nodes[name], biases.get(name, 0.0))
        # As the graph is written: inputs first, and no order but that of names otherwise.
        inputs = sorted(name for name, node in nodes.items() if node.type == "Input")
        closing = closing_pairs([*inputs, *sorted(nodes)], self._graph.edges)
        for path in paths:
            way = (path.source, *path.nodes, path.target)
            waits = any(pair in closing for pair in pairwise(way))
            self._add_projection(path, waits=waits)
        outputs = [name for name, node in nodes.items() if node.type == "Output"]
        # Several outputs may carry the spikes of one population.
        recorded: dict[str, None] = {}
        for name in outputs:
            recorded |= dict.fromkeys(self._graph.before(name))
        for source in recorded:
            self._record(source)
        return self._net

    def _check_edges(self) -> None:
        """Refuse edges from outputs and to inputs."""
        nodes = self._graph.nodes
        for source, target in self._graph.edges:
            if nodes[source].type == "Output" or nodes[target].type == "Input":
                raise self._fail(
                    f"an edge goes from {source!r}, of type {nodes[source].type}, to {target!r}, "
                    f"of type {nodes[target].type}; expected none from an Output or to an Input",
                    "Join the nodes before and behind them.",
                )

    def _fail(self, problem: str, remedy: str) -> NetworkError:
        return NetworkError(f"{self._where}: {problem}. {remedy}")

    def _check_node(self, name: str, node: Node) -> None:
        for field in FIELDS[node.type]:
            if node.arrays[field].size == 0:
                raise self._fail(f"{field} of node {name!r} is empty, expected numbers", "Fill it.")
        self._check_grid(name, node)
        if node.type in NEURONS:
            fields = [*FIELDS[node.type], *OPTIONAL.get(node.type, ())]
            shapes = [node.arrays[field].shape for field in fields if field in node.arrays]
            if len(set(shapes)) > 1:
                listed = ", ".join(map(str, shapes))
                raise self._fail(
                    f"arrays of node {name!r} have shapes {listed}, expected one shape",
                    "Correct it.",
                )
            # Divisors of the equations.
            for field in _TIME_CONSTANTS:
                if field in node.arrays and np.any(node.arrays[field] <= 0):
                    raise self._fail(
                        f"{field} of node {name!r} is not above 0", "Give a time constant in s."
                    )

    def _check_grid(self, name: str, node: Node) -> None:
        for field, least in _LEAST.items():
            values = np.ravel(node.arrays.get(field, least))
            counts = _COUNTS.get(field, (1, 2))
            if values.size not in counts or np.any(values < least):
                raise self._fail(
                    f"{field} of node {name!r} is {values[:5].tolist()}, expected "
                    f"{' or '.join(map(str, counts))} numbers of at least {least}",
                    "Correct it.",
                )
        if node.type == "Input":
            shape = np.ravel(node.arrays["shape"]).tolist()
            if min(shape) < 1:
                raise self._fail(
                    f"shape of node {name!r} is {shape}, expected numbers of at least 1",
                    "Correct it.",
                )
            self._require_room(name, math.prod(shape))

    def _require_room(self, name: str, numbers: int) -> None:
        """Refuse what a few bytes of a file can ask for, and no machine has."""
        # Matrices hold a number, its row and its column.
        if numbers * 24 > available():
            raise self._fail(
                f"node {name!r} needs {numbers:.3g} numbers, which do not fit into memory",
                "Use a larger machine, or correct its shape.",
            )

    @contextmanager
    def _of_node(self, name: str) -> Iterator[None]:
        """Say the node in errors of the connector that it becomes."""
        try:
            yield
        except NetworkError as error:
            raise NetworkError(f"{self._where}, node {name!r}: {error}") from error

    # ---- populations

    def _add_population(self, name: str, node: Node, bias: Any) -> None:
        size = math.prod(self._shapes[name])
        title = self._names[name] = self._free(name.replace(">", "_"))
        if node.type == "Input":
            self._net.spike_source(title, size)
            return
        values = {field: _plain(array) for field, array in node.arrays.items()}
        if node.type in _SPIKING:
            # Optional in a file; NIR's defaults are 0 here and 1 for w_in.
            values.setdefault("v_reset", 0.0)
        if node.type.startswith("Cuba"):
            values["tau"] = values.pop("tau_mem")
            values.setdefault("w_in", 1.0)
        cell = _cell(node.type)
        if np.size(bias) not in (1, size):
            raise self._fail(
                f"biases into node {name!r} are {np.size(bias)}, expected 1 or {size}",
                "Correct the shapes.",
            )
        self._net.population(title, size, cell, **values, bias=_plain(np.asarray(bias)))

    def _record(self, source: str) -> None:
        node = self._graph.nodes[source]
        if source not in self._shapes:
            raise self._fail(
                f"an output is fed by {source!r}, a {node.type}, expected neurons",
                "Let neurons feed it.",
            )
        # An output carries the spikes of neurons that spike, and the voltage of others.
        has_spikes = node.type in _SPIKING or node.type == "Input"
        population = self._net.populations[self._names[source]]
        self._net.record(population, "spikes" if has_spikes else "v")

    # ---- paths

    def _paths(self, source: str) -> Iterator[_Path]:
        """Yield the ways from a population to others, without neurons in between."""
        pending = [(name, ()) for name in self._graph.after(source)]
        followed = 0
        while pending:
            name, before = pending.pop()
            followed += len(before) + 1
            if followed > _MOST_NODES_FOLLOWED:
                raise self._fail(
                    f"more than {_MOST_NODES_FOLLOWED} nodes on the ways from {source!r} to other "
                    "neurons, expected few",
                    "Multiply nodes in a row into one, and add up nodes side by side.",
                )
            node = self._graph.nodes[name]
            if node.type in NEURONS:
                yield _Path(source, name, before)
            elif node.type != "Output":
                # Nodes without state that feed themselves would have no first value.
                if name in before:
                    raise self._fail(
                        f"node {name!r} feeds itself without neurons in between", "Add neurons."
                    )
                pending += [(after, (*before, name)) for after in self._graph.after(name)]

    def _biases(self, paths: list[_Path]) -> dict[str, np.ndarray]:
        """Return what affine nodes and convolutions add to the input of populations."""
        biases: dict[str, np.ndarray] = {}
        counted: set[tuple[str, str]] = set()
        for path in paths:
            shape = self._shapes[path.source]
            # None until a bias has come: nothing is multiplied for paths that have none.
            total: Any = None
            first = path.nodes[0] if path.nodes else ""
            for name in path.nodes:
                operator, bias, shape = self._operator(name, shape)
                total = None if total is None else operator @ total
                if np.any(bias):
                    total = bias if total is None else total + bias
            # A bias is one of its node, however many populations feed the node.
            if total is not None and (first, path.target) not in counted:
                counted.add((first, path.target))
                biases[path.target] = biases.get(path.target, np.float64(0.0)) + total
        return biases

    def _add_projection(self, path: _Path, *, waits: bool) -> None:
        source = self._net.populations[self._names[path.source]]
        target = self._net.populations[self._names[path.target]]
        if self._graph.nodes[path.source].type not in (*_SPIKING, "Input"):
            raise self._fail(
                f"{path.source!r} sends its voltage to {path.target!r}, expected spikes",
                "Let it feed an output alone.",
            )
        nodes = [self._graph.nodes[name] for name in path.nodes]
        steps = self._delay(path, nodes) - int(not waits)
        # Without a delay a spike acts in its own step, as readers compute layer after layer.
        timing: dict[str, Any] = {"same_step": True}
        if steps >= 0:
            timing = {"delay": steps * self._net.dt}
        pairs = zip(path.nodes, nodes, strict=True)
        weighted = [(name, node) for name, node in pairs if node.type not in ("Delay", "Flatten")]
        # A single convolution or pooling stays one, with its shared weights; any other chain of
        # nodes is multiplied out into one list of edges.
        grid = self._grid_of(path, weighted)
        if grid is not None:
            name = self._free(weighted[0][0])
            self._net.project(source, target, grid, port="input", name=name, **timing)
            return
        matrix = self._matrix(path)
        if matrix.shape != (target.size, source.size):
            raise self._fail(
                f"from {path.source!r} to {path.target!r}: found {matrix.shape[0]} x "
                f"{matrix.shape[1]} weights, expected {target.size} x {source.size}",
                "Correct the shapes.",
            )
        # A row of the matrix is a target; edges are listed by source.
        edges = matrix.T.tocoo()
        connector = from_arrays(edges.row, edges.col)
        title = weighted[0][0] if weighted else f"{path.source}->{path.target}"
        self._net.project(
            source, target, connector, weight=edges.data, port="input",
            name=self._free(title), **timing,
        )  # fmt: skip

    def _grid_of(
        self, path: _Path, weighted: list[tuple[str, Node]]
    ) -> convolution | average_pooling | None:
        """Return the connector of a path with one node of a grid among those with weights."""
        if len(weighted) != 1:
            return None
        name, node = weighted[0]
        if node.type == "Conv2d":
            return self._convolution(name, node, self._shape_before(path, name))
        if node.type in ("SumPool2d", "AvgPool2d"):
            return self._pooling(name, node, self._shape_before(path, name))
        return None

    def _free(self, title: str) -> str:
        """Return a name of the network for one of the graph, which may hold any characters."""
        # Sequential modules number their nodes; `->` joins the names of both ends.
        letters = re.sub(r"[^A-Za-z0-9_>-]", "_", title)
        title = letters if letters[:1].isalpha() else f"node_{letters}"
        name, number = title, 1
        while name in self._net.projections or name in self._net.populations:
            number += 1
            name = f"{title}_{number}"
        return name

    def _delay(self, path: _Path, nodes: list[Node]) -> np.ndarray | int:
        """Return the steps that Delay nodes add; per edge they must be one number."""
        total = np.float64(0.0)
        for node in nodes:
            if node.type == "Delay":
                delays = np.ravel(node.arrays["delay"])
                if np.any(delays < 0):
                    raise self._fail(
                        f"a delay of {path.source!r} is {delays.min():g} s, expected at least 0",
                        "Correct it.",
                    )
                total = total + _plain(delays)
        where = f"{self._where}: delay from {path.source!r} to {path.target!r}"
        steps = to_steps(np.asarray(total) * _SECOND, self._net.dt, where=where)
        if np.ndim(steps) and np.ptp(steps):
            raise self._fail(
                f"delays of {path.source!r} differ from neuron to neuron, expected one",
                "Use one Delay of one number.",
            )
        return int(np.ravel(steps)[0])

    # ---- weights

    def _matrix(self, path: _Path) -> Any:
        """Return the product of all nodes of a path, (targets, sources)."""
        from scipy.sparse import eye_array

        shape = self._shapes[path.source]
        matrix: Any = eye_array(math.prod(shape), format="csr")
        for name in path.nodes:
            operator, _, shape = self._operator(name, shape)
            matrix = operator @ matrix
        return matrix

    def _shape_before(self, path: _Path, name: str) -> tuple[int, ...]:
        """Return the shape that reaches a node of a path."""
        shape = self._shapes[path.source]
        for node in path.nodes[: path.nodes.index(name)]:
            _, _, shape = self._operator(node, shape)
        return shape

    def _operator(
        self, name: str, shape: tuple[int, ...]
    ) -> tuple[Any, np.ndarray, tuple[int, ...]]:
        """Return a node as matrix and bias, and the shape behind it."""
        from scipy.sparse import csr_array, diags_array, eye_array

        node = self._graph.nodes[name]
        size = math.prod(shape)
        none = np.zeros(1)
        match node.type:
            case "Delay":
                self._sized(name, node.arrays["delay"], size)
                return eye_array(size, format="csr"), none, shape
            case "Flatten":
                return eye_array(size, format="csr"), none, (size,)
            case "Scale":
                scale = self._sized(name, node.arrays["scale"], size)
                return diags_array(scale, format="csr"), none, shape
            case "Linear" | "Affine":
                weight = node.arrays["weight"]
                if weight.ndim != 2 or weight.shape[1] != size:
                    raise self._fail(
                        f"weights of node {name!r} have shape {weight.shape}, expected "
                        f"(outputs, {size})",
                        "Correct it.",
                    )
                if node.type == "Affine":
                    bias = self._sized(name, node.arrays["bias"], weight.shape[0])
                    return csr_array(weight), bias, (weight.shape[0],)
                return csr_array(weight), none, (weight.shape[0],)
            case "Conv2d":
                connector = self._convolution(name, node, shape)
                # One bias per channel, for all cells of its grid.
                cells = math.prod(connector.target_shape[1:])
                channels = connector.target_shape[0]
                bias = np.repeat(self._sized(name, node.arrays["bias"], channels), cells)
                return self._sparse(connector, connector.weights), bias, connector.target_shape
            case "SumPool2d" | "AvgPool2d":
                pool = self._pooling(name, node, shape)
                return self._sparse(pool, pool.weights), none, pool.target_shape
        raise self._fail(f"node {name!r} is a {node.type}, expected weights", "Correct it.")

    def _sized(self, name: str, values: np.ndarray, size: int) -> np.ndarray:
        """Return values for `size` neurons from one value, or from as many as there are neurons."""
        flat = np.ravel(values)
        if flat.size not in (1, size):
            raise self._fail(
                f"node {name!r} has {flat.size} values for {size} neurons, expected 1 or {size}",
                "Correct the shapes.",
            )
        return np.broadcast_to(flat, size)

    def _sparse(self, connector: convolution | average_pooling, weights: Any) -> Any:
        from scipy.sparse import csr_array

        from neurosim.draws.streams import Stream
        from neurosim.draws.values import Shared

        sources = np.arange(math.prod(connector.shape))
        targets = np.arange(connector.target_size)
        # A grid draws nothing: any stream will do.
        edges = connector.connect(Stream(0, "none"), sources, targets, recurrent=False)
        is_shared = isinstance(weights, Shared)
        values = np.asarray(weights.values)[weights.index] if is_shared else weights
        data = np.broadcast_to(values, edges.target.size)
        pairs = (edges.target, np.repeat(sources, np.diff(edges.pointer)))
        return csr_array((data, pairs), shape=(targets.size, sources.size))

    def _convolution(self, name: str, node: Node, shape: tuple[int, ...]) -> convolution:
        arrays = node.arrays
        kernel = arrays["weight"]
        if kernel.ndim != 4 or len(shape) != 3:
            raise self._fail(
                f"found a kernel {kernel.shape} over {shape}, expected (out, in, rows, columns) "
                "over (channels, rows, columns)",
                "Give the input a shape of three.",
            )
        groups = int(np.ravel(arrays["groups"])[0])
        if groups < 1 or kernel.shape[0] % groups or kernel.shape[1] * groups != shape[0]:
            raise self._fail(
                f"found a kernel {kernel.shape} in {groups} groups over {shape[0]} channels, "
                "expected (out, channels / groups, rows, columns), and as many in each group",
                "Correct it.",
            )
        dilation, padding = _pair(arrays["dilation"]), _pair(arrays["padding"])
        # A few numbers of the file make these large.
        window = _dilated_extent(kernel, dilation)
        self._require_room(name, shape[0] * kernel.shape[0] * math.prod(window))
        _, rows, columns = shape
        padded = (rows + 2 * padding[0]) * (columns + 2 * padding[1])
        self._require_room(name, max(shape[0], kernel.shape[0]) * padded)
        dilated = _dilate(_join_groups(kernel, groups), dilation)
        with self._of_node(name):
            return convolution(
                dilated, shape=shape, stride=_pair(arrays["stride"]), padding=padding
            )

    def _pooling(self, name: str, node: Node, shape: tuple[int, ...]) -> average_pooling:
        # Weights of average pooling are divided by the cells of the window.
        window = _pair(node.arrays["kernel_size"])
        with self._of_node(name):
            return average_pooling(
                window,
                shape=shape,
                stride=_pair(node.arrays["stride"]),
                padding=_pair(node.arrays["padding"]),
                weight=float(math.prod(window)) if node.type == "SumPool2d" else 1.0,
            )


def _join_groups(kernel: np.ndarray, groups: int) -> np.ndarray:
    """Return a kernel over all channels, with weights of 0 between groups.

    Parameters
    ----------
    kernel : (outputs, inputs of a group, rows, columns)
    groups : int
    """
    if groups == 1:
        return kernel
    outputs, inputs, *extent = kernel.shape
    joined = np.zeros((outputs, inputs * groups, *extent))
    for group, kernel_of_group in enumerate(np.split(kernel, groups)):
        size = len(kernel_of_group)
        group_outputs = slice(group * size, (group + 1) * size)
        group_inputs = slice(group * inputs, (group + 1) * inputs)
        joined[group_outputs, group_inputs] = kernel_of_group
    return joined


def _dilated_extent(kernel: np.ndarray, dilation: tuple[int, int]) -> tuple[int, int]:
    rows, columns = kernel.shape[2:]
    across_rows, across_columns = dilation
    return (rows - 1) * across_rows + 1, (columns - 1) * across_columns + 1


def _dilate(kernel: np.ndarray, dilation: tuple[int, int]) -> np.ndarray:
    """Return a kernel whose weights are `dilation` cells apart, with weights of 0 between them."""
    if dilation == (1, 1):
        return kernel
    dilated = np.zeros((*kernel.shape[:2], *_dilated_extent(kernel, dilation)))
    dilated[:, :, :: dilation[0], :: dilation[1]] = kernel
    return dilated


def _cell(node_type: str) -> Cell:
    """Return the cell of a type of node, stepped forward as readers step it."""
    voltage, current = _SLOPES[_SPIKING.get(node_type, node_type)]
    equations = [f"dv/dt = {voltage} : 1"]
    # The current of this step moves v: readers compute it first.
    step = [f"v = v + dt * {voltage}"]
    if current:
        equations.append(f"dcurrent/dt = {current} : 1")
        step.insert(0, f"current = current + dt * {current}")
    # The names between the marks of the equations, as in (v_leak - v + r * current) / tau.
    words = set(re.findall(r"\w+", f"{voltage} {current}"))
    parameters = {name: Parameter(unit, 0.0) for name, unit in _PARAMETERS.items() if name in words}
    # Without a time constant r alone makes a slope of its input.
    if "tau" not in parameters:
        parameters["r"] = Parameter("Hz", 0.0)
    parameters["bias"] = Parameter("1", 0.0)
    is_spiking = node_type in _SPIKING
    if is_spiking:
        parameters["v_threshold"] = Parameter("1", 0.0)
        parameters["v_reset"] = Parameter("1", 0.0)
    return Cell(
        "; ".join(equations),
        parameters=parameters,
        receives={"input": Port("1")},
        step="; ".join(step),
        spike="v > v_threshold" if is_spiking else None,
        after_spike="v = v_reset" if is_spiking else "",
        name=node_type,
    )


def _pair(values: np.ndarray) -> tuple[int, int]:
    # Files hold one number for both directions, or two.
    rows, columns = np.broadcast_to(np.ravel(values), 2)
    return int(rows), int(columns)


def _grid_of_neurons(node: Node) -> tuple[int, ...]:
    """Return the extents of an input or of neurons; one neuron if the node has none."""
    # Every type of neuron has r, one number for each.
    extents = node.arrays["shape"] if node.type == "Input" else node.arrays["r"].shape
    return tuple(int(extent) for extent in np.atleast_1d(extents)) or (1,)


def _plain(values: Any) -> Any:
    """Return one number if all are equal, else one for each neuron."""
    flat = np.ravel(values)
    return float(flat[0]) if flat.size and np.all(flat == flat[0]) else flat
