"""Networks as graphs of NIR, with a row of the report for everything in them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from neurosim.backend.report_rows import Place, Row, Status
from neurosim.draws.values import Shared
from neurosim.ir.concrete import ConcreteNetwork, ConcretePopulation, ConcreteProjection
from neurosim.network.network import Network
from neurosim.network.validation import to_steps
from neurosim.network.wiring.grids import average_pooling, convolution

from .equations import Firing, NeuronMatch, Unmatched, is_input, match_neurons
from .graph import Graph, Node

_MOST_WEIGHTS = 1 << 28  # of a dense matrix: 2 GiB
_SECOND = 1000.0  # ms
_ON_CPU = "Run it on 'cpu'."


def translate(network: Network, concrete: ConcreteNetwork) -> tuple[Graph, tuple[Row, ...]]:
    """Return the graph of a network, and its rows; parts that are impossible are left out.

    Parameters
    ----------
    network : Network
        Whose connectors say which projections are convolutions.
    concrete : ConcreteNetwork
        Of the same network.
    """
    builder = _Builder(network, concrete)
    builder.build()
    return Graph(builder.nodes, tuple(builder.edges)), tuple(builder.rows)


class _Builder:
    def __init__(self, network: Network, concrete: ConcreteNetwork) -> None:
        self._network = network
        self._concrete = concrete
        self._dt = concrete.dt
        self.nodes: dict[str, Node] = {}
        self.edges: list[tuple[str, str]] = []
        self.rows: list[Row] = []
        self._matches: dict[str, NeuronMatch] = {}
        self._shapes = _grids(network)
        self._names: dict[str, str] = {}

    def build(self) -> None:
        """Make all nodes, edges and rows."""
        self._report_run()
        # Populations first: a projection asks which of them are neurons of NIR.
        for p in self._concrete.populations.values():
            self._population(p)
        loops = _loops(self._concrete)
        # A network with same-step projections is meant step by step: then all delays are written.
        in_steps = any(q.same_step for q in self._concrete.projections.values())
        for q in self._concrete.projections.values():
            self._projection(q, is_loop=loops[q.source] == loops[q.target], in_steps=in_steps)
        self._outputs()

    def _row(
        self,
        place: Place,
        status: Status,
        reason: str,
        remedy: str = "",
    ) -> None:
        self.rows.append(Row(place, status, reason, remedy))

    def _report_run(self) -> None:
        self._row(
            Place("dt"),
            "approximated",
            "NIR is in continuous time, so a file holds no time step. Readers that step by "
            f"{self._dt:g} ms, and hold the input of a spike for one step, run what runs here.",
            f"Give them dt = {self._dt / _SECOND:g} s: norse.torch.from_nir(graph, dt=...).",
        )
        events = [(u.view.name, "statements") for u in self._concrete.updates]
        events += [(s.view.name, f"signal {s.name!r}") for s in self._concrete.signals]
        for owner, aspect in events:
            place = Place("population", owner, aspect)
            self._row(place, "impossible", "NIR has no events of its own.", _ON_CPU)
        for drive in self._concrete.drives.values():
            place = Place("drive", drive.name)
            remedy = "Give the spikes by a source, which is an input of the graph."
            self._row(place, "impossible", "NIR has no random input.", remedy)

    # ---- populations

    def _population(self, p: ConcretePopulation) -> None:
        place = Place("population", p.name)
        name = self._name(p.name)
        shape = np.array(self._shapes.get(p.name, (p.size,)))
        if is_input(p.cell, p.source_spikes):
            self.nodes[name] = Node("Input", {"shape": shape})
            self._row(
                place,
                "approximated",
                f"input {name!r} of {p.size}: a file holds no spikes; whoever runs it gives them.",
                "Give the same spikes there, in step k those of our step k.",
            )
            return
        ports = {q.port for q in self._concrete.projections.values() if q.target == p.name}
        try:
            match = match_neurons(p, (port for port in ports if port), dt=self._dt)
        except Unmatched as error:
            reason, remedy = error.args
            words = f"cell {p.cell.name!r} is no neuron of NIR: {reason}"
            self._row(place, "impossible", words, remedy or _ON_CPU)
            return
        self._matches[p.name] = match
        node = self._neuron(p, match, shape)
        self.nodes[name] = node
        self._report_neurons(p, match, node)

    def _neuron(self, p: ConcretePopulation, match: NeuronMatch, shape: np.ndarray) -> Node:
        m = match.membrane
        leaks = m.tau is not None
        leak = "LI" if leaks else "I"
        node_type = {"LI": "LIF", "I": "IF"}[leak] if match.firing else leak
        # NIR's times are in s. With a leak r is a ratio; without one it is a rate, per s there.
        arrays: dict[str, Any] = {"r": m.r if leaks else m.r * _SECOND}
        if m.tau is not None:
            arrays |= {"tau": m.tau / _SECOND, "v_leak": m.v_leak}
        if match.firing:
            arrays |= {"v_threshold": match.firing.threshold, "v_reset": match.firing.reset}
        if m.tau_syn is not None:
            # The type with a current calls the membrane's time constant by another name. One
            # without a leak does not exist: `_report_neurons` refuses it.
            node_type = f"Cuba{node_type}"
            arrays["tau_mem"] = arrays.pop("tau", np.nan)
            arrays |= {"tau_syn": m.tau_syn / _SECOND, "w_in": m.w_in}
        # NIR wants one number per neuron, in the shape of the population.
        numbers = {n: np.asarray(v, np.float64) for n, v in arrays.items()}
        whole = {n: np.broadcast_to(v, p.size) for n, v in numbers.items()}
        grids = {n: np.reshape(v, shape).copy() for n, v in whole.items()}
        return Node(node_type, grids)

    def _report_neurons(self, p: ConcretePopulation, match: NeuronMatch, node: Node) -> None:
        place = Place("population", p.name)
        if node.type in ("CubaIF", "CubaI"):
            reason = "a current into a voltage without leak is no neuron of NIR."
            self._row(place, "impossible", reason, "Let v leak, or let spikes act at once.")
            return
        values = ", ".join(f"{n} {_range(v)}" for n, v in node.arrays.items())
        self._row(
            place,
            "exact",
            f"cell {p.cell.name!r} is {node.type} by its equations ({match.voltage} is v; numbers "
            f"in our units, times in s): {values}.",
        )
        self._report_method(p, place)
        targets = {q.target for q in self._concrete.projections.values()}
        if np.any(match.membrane.bias) and p.name not in targets:
            self._row(
                place.of("bias"),
                "impossible",
                "a bias belongs to the weights of a projection in NIR, and nothing projects to it.",
                "Project to it from a source, or add the number to the equation of v.",
            )
        if match.firing:
            self._report_firing(p, match.firing, place)
        if np.any(match.initial != 0):
            self._row(
                place.of("initial values"),
                "approximated",
                f"v begins at {_range(match.initial)} here; NIR has no initial values, and readers "
                "begin at 0 or at v_leak.",
                "Begin at 0, with v_leak 0.",
            )
        else:
            self._row(place.of("initial values"), "exact", "v begins at 0, as readers begin.")

    def _report_method(self, p: ConcretePopulation, place: Place) -> None:
        own = "its own step statements" if p.cell.step is not None else p.cell.method or "exact"
        theirs = "NIR says none; readers take steps of Euler's method"
        if own in ("euler", "its own step statements"):
            self._row(place.of("method"), "exact", f"{own} here; {theirs}.")
        else:
            remedy = "Use method='euler' for the same numbers, or a smaller dt."
            self._row(place.of("method"), "approximated", f"{own} here; {theirs}.", remedy)

    def _report_firing(self, p: ConcretePopulation, firing: Firing, place: Place) -> None:
        spike: Any = p.cell.spike
        if spike.op == ">=":
            self._row(
                place.of("threshold"),
                "exact",
                "a spike needs v > v_threshold there and v >= threshold here, which differ at "
                "equality alone.",
            )
        self._row(
            place.of("reset"),
            "exact",
            f"v is set to {_range(firing.reset)} (v_reset); readers that reset otherwise run "
            "another neuron.",
        )

    # ---- projections

    def _projection(self, q: ConcreteProjection, *, is_loop: bool, in_steps: bool) -> None:
        place = Place("projection", q.name)
        if q.rule is not None:
            self._row(
                place,
                "impossible",
                f"it has the rule {q.rule.name!r}, and NIR has no plasticity or graded synapses.",
                "Fix its weights: a projection with weight= and without rule=.",
            )
            return
        from_input = self._is_input(q.source)
        if q.target not in self._matches or not (from_input or q.source in self._matches):
            return  # the population has said why
        if not from_input and self._matches[q.source].firing is None:
            reason = "its source never spikes here; in NIR its voltage would be sent."
            self._row(place, "impossible", reason, "Leave it out, or give the cell a spike.")
            return
        path = [self._name(q.source)]
        delay = self._delay(q, is_loop=is_loop, in_steps=in_steps)
        if delay is not None:
            path.append(self._add(f"{q.name} delay", Node("Delay", {"delay": delay})))
        for suffix, node in self._weights(q):
            path.append(self._add(f"{q.name}{suffix}", node))
        path.append(self._name(q.target))
        # A projection is a chain of nodes: each feeds the next.
        self.edges += list(zip(path[:-1], path[1:], strict=True))

    def _delay(self, q: ConcreteProjection, *, is_loop: bool, in_steps: bool) -> np.ndarray | None:
        """Return the delay of each source neuron in s, None for none; report it."""
        place = Place("projection", q.name, "delay")
        per_edge = self._delay_of_edges(q)
        # Written per source and read back per edge: a difference shows two delays of one source.
        steps = np.zeros(self._concrete.populations[q.source].size, np.int64)
        steps[q.sources] = per_edge
        if np.any(steps[q.sources] != per_edge):
            self._row(
                place,
                "impossible",
                "edges of one source differ in delay, and NIR's delays are per neuron.",
                "Use one projection for each delay.",
            )
            return None
        # Within a loop, readers feed a spike back in the next step by themselves.
        lag = 0 if q.same_step else 1
        total = steps + lag - (1 if is_loop else 0)
        if not is_loop and not q.same_step and not in_steps and not np.any(steps):
            self._row(
                place,
                "approximated",
                "spikes act in the step after theirs here, and in their own step there: all "
                "that follows comes one step earlier.",
                "Use same_step=True for the same steps.",
            )
            return None
        if not np.any(total):
            self._row(place, "exact", "spikes act in the same step as here.")
            return None
        milliseconds = total * self._dt
        self._row(
            place,
            "exact",
            f"a Delay node of {_range(milliseconds)} ms, so that spikes act in the same step as "
            "here; readers without delays refuse it.",
        )
        # A Delay follows its source, and has its shape.
        shape = self._shapes.get(q.source, (steps.size,))
        return np.reshape(milliseconds / _SECOND, shape)

    def _delay_of_edges(self, q: ConcreteProjection) -> np.ndarray:
        delays = np.asarray(0.0 if q.delay is None else q.delay, np.float64)
        where = f"projection {q.name!r}, delay"
        steps = to_steps(delays, self._dt, where=where, rounded=q.round_delays)
        return np.broadcast_to(steps, q.targets.size)

    def _weights(self, q: ConcreteProjection) -> Iterator[tuple[str, Node]]:
        """Yield suffix and node of the weights, and of what they need before and after them."""
        place = Place("projection", q.name, "weights")
        match = self._matches[q.target]
        scale = match.scales[q.port or ""]
        connector = self._network.projections[q.name].connector
        grids = isinstance(connector, convolution | average_pooling) and self._fits(q, connector)
        has_bias = bool(np.any(match.membrane.bias)) and self._is_first(q)
        # A kernel is shared by all neurons, so it takes one factor alone; else a matrix does it.
        is_uniform = not np.ptp(np.asarray(scale))
        factor = float(np.ravel(scale)[0])
        bias = match.membrane.bias if has_bias else np.zeros(1)
        if (
            grids
            and isinstance(connector, convolution)
            and is_uniform
            and _is_per_channel(bias, connector)
        ):
            yield "", self._convolution(q, connector, factor, has_bias)
            self._row(place, "exact", f"Conv2d: {connector.show()}.")
            return
        # Nodes of pooling have no bias and no weights.
        if grids and isinstance(connector, average_pooling) and not has_bias:
            if is_uniform and isinstance(q.weight, float | int | np.float64):
                yield from self._pooling(q, connector, factor)
                self._row(place, "exact", f"{connector.show()}: SumPool2d or AvgPool2d.")
                return
        weight = self._matrix(q, scale)
        if weight is None:
            return
        source_shape = self._shapes.get(q.source)
        # A matrix multiplies a vector: a grid is flattened before it.
        if source_shape is not None:
            arrays = {"start_dim": np.array(0), "end_dim": np.array(-1)}
            yield " flat", Node("Flatten", {**arrays, "input_type": np.array(source_shape)})
        if has_bias:
            bias = np.broadcast_to(match.membrane.bias, weight.shape[0]).copy()
            yield "", Node("Affine", {"weight": weight, "bias": bias})
        else:
            yield "", Node("Linear", {"weight": weight})
        scaled = "" if np.all(np.asarray(scale) == 1) else f", times {_range(scale)}"
        layer = "Affine" if has_bias else "Linear"
        dense = f"{layer} {weight.shape[0]} x {weight.shape[1]}"
        self._row(place, "exact", f"{dense}: {q.targets.size} edges{scaled}; others are 0.")

    def _matrix(self, q: ConcreteProjection, scale: Any) -> np.ndarray | None:
        populations = self._concrete.populations
        rows, columns = populations[q.target].size, populations[q.source].size
        if rows * columns > _MOST_WEIGHTS:
            self._row(
                Place("projection", q.name, "weights"),
                "impossible",
                f"NIR has no lists of edges: a matrix of {rows} x {columns} weights is too large.",
                "Use smaller populations, or 'nest'.",
            )
            return None
        weight: Any = q.weight
        values = np.asarray(weight.values)[weight.index] if isinstance(weight, Shared) else weight
        factors = np.broadcast_to(scale, rows)[q.targets]
        matrix = np.zeros((rows, columns))
        # Several edges of one pair add up.
        np.add.at(matrix, (q.targets.astype(np.intp), q.sources), np.asarray(values) * factors)
        return matrix

    def _convolution(
        self,
        q: ConcreteProjection,
        connector: convolution,
        scale: float,
        has_bias: bool,
    ) -> Node:
        outputs, inputs = connector.target_shape[0], connector.shape[0]
        weight: Any = q.weight
        values = weight.values if isinstance(weight, Shared) else weight
        scaled = np.asarray(values, np.float64) * scale
        kernel = np.reshape(scaled, (outputs, inputs, *connector.window))
        bias = np.zeros(outputs)
        # A Conv2d has one bias per channel: that of the channel's first neuron.
        if has_bias:
            whole = self._matches[q.target].membrane.bias
            grid = np.broadcast_to(whole, math.prod(connector.target_shape))
            bias = grid.reshape(outputs, -1)[:, 0].copy()
        return Node(
            "Conv2d",
            {
                "input_shape": np.array(connector.shape[1:]),
                "weight": kernel,
                "stride": np.array(connector.stride),
                "padding": np.array(connector.padding),
                "dilation": np.array([1, 1]),
                "groups": np.array(1),
                "bias": bias,
            },
        )

    def _pooling(
        self, q: ConcreteProjection, connector: average_pooling, scale: float
    ) -> Iterator[tuple[str, Node]]:
        cells = math.prod(connector.window)
        weight: Any = q.weight
        edge_weight = float(weight) * scale
        # Weights of 1 / cells make a mean; others are a sum, and a factor if they are not 1.
        mean = math.isclose(edge_weight * cells, 1.0, rel_tol=1e-12)
        arrays = {
            "kernel_size": np.array(connector.window),
            "stride": np.array(connector.stride),
            "padding": np.array(connector.padding),
        }
        yield "", Node("AvgPool2d" if mean else "SumPool2d", arrays)
        if not mean and edge_weight != 1.0:
            yield " scale", Node("Scale", {"scale": np.full(connector.target_shape, edge_weight)})

    def _fits(self, q: ConcreteProjection, connector: convolution | average_pooling) -> bool:
        ends = ((q.source, connector.shape), (q.target, connector.target_shape))
        return all(self._shapes.get(name) == tuple(shape) for name, shape in ends)

    def _is_first(self, q: ConcreteProjection) -> bool:
        """Whether a projection is the first onto its target, which carries the bias."""
        return next(p for p in self._concrete.projections.values() if p.target == q.target) is q

    # ---- names, inputs and outputs

    def _is_input(self, name: str) -> bool:
        p = self._concrete.populations[name]
        return is_input(p.cell, p.source_spikes)

    def _outputs(self) -> None:
        recorded = dict.fromkeys(probe.owner.name for probe in self._concrete.probes)
        populations = [name for name in recorded if name in self._matches]
        for probe in self._concrete.probes:
            place = Place("recording", probe.owner.name, probe.variable)
            if probe.owner.name in self._matches:
                self._row(place, "exact", "the population is an output of the graph.")
            else:
                self._row(place, "exact", "no output: whoever gives an input has its spikes.")
        # Without recordings, the output is whatever feeds nothing else.
        if not populations:
            sources = {q.source for q in self._concrete.projections.values()}
            populations = [name for name in self._matches if name not in sources]
        for name in populations:
            node = self.nodes[self._name(name)]
            shape = np.array(next(iter(node.arrays.values())).shape)
            title = "output" if len(populations) == 1 else f"{name} output"
            self.edges.append(
                (self._name(name), self._add(title, Node("Output", {"shape": shape})))
            )

    def _add(self, title: str, node: Node) -> str:
        name = self._unique(title)
        self.nodes[name] = node
        return name

    def _name(self, population: str) -> str:
        if population not in self._names:
            self._names[population] = self._unique(population)
        return self._names[population]

    def _unique(self, title: str) -> str:
        # Readers use names as attributes and as paths.
        # A title of other characters alone still needs a name.
        plain = re.sub(r"\W+", "_", title, flags=re.ASCII).strip("_") or "node"
        name, number = plain, 1
        while name in self.nodes or name in self._names.values():
            number += 1
            name = f"{plain}_{number}"
        return name


def _is_per_channel(bias: Any, connector: convolution) -> bool:
    """Return whether all neurons of a channel have one bias, as a Conv2d has."""
    shape = connector.target_shape
    grid = np.broadcast_to(bias, math.prod(shape)).reshape(shape[0], -1)
    return not np.ptp(grid, axis=1).any()


def _grids(network: Network) -> dict[str, tuple[int, ...]]:
    """Return the grids of populations at the ends of convolutions; none where they disagree."""
    grids: dict[str, set[tuple[int, ...]]] = {}
    for q in network.projections.values():
        if isinstance(q.connector, convolution | average_pooling):
            for view, shape in (
                (q.source, q.connector.shape),
                (q.target, q.connector.target_shape),
            ):
                population = view.population
                if len(view) == population.size:
                    grids.setdefault(population.name, set()).add(tuple(shape))
    return {name: shapes.pop() for name, shapes in grids.items() if len(shapes) == 1}


def _loops(network: ConcreteNetwork) -> dict[str, int]:
    """Return a number for each population, equal for those that reach each other."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    number = {name: i for i, name in enumerate(network.populations)}
    pairs = [(number[q.source], number[q.target]) for q in network.projections.values()]
    rows, columns = zip(*pairs, strict=True) if pairs else ((), ())
    ones = np.ones(len(pairs))
    matrix = coo_array((ones, (rows, columns)), shape=(len(number),) * 2)
    # Strongly connected: each reaches the other, so that spikes run in a loop.
    _, labels = connected_components(matrix, directed=True, connection="strong")
    return {name: int(labels[i]) for name, i in number.items()}


def _range(values: Any) -> str:
    array = np.asarray(values, np.float64)
    low, high = array.min(), array.max()
    return f"{low:.7g}" if low == high else f"{low:.7g} to {high:.7g}"
