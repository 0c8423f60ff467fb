"""Networks as graphs of NIR, with a row of the report for everything in them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from neurosim.backend.report_rows import Place, Row, Status
from neurosim.ir.concrete import ConcreteNetwork, ConcretePopulation, ConcreteProjection
from neurosim.network.network import Network
from neurosim.network.validation import to_steps
from neurosim.network.wiring.grids import average_pooling, convolution

from .equations import Firing, NeuronMatch, Unmatched, is_input, match_neurons
from .graph import Graph, Node, closing_pairs, loops_of, range_text
from .layers import Layer, Weights, layer_of
from .steps import steps_as_readers

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
    """Collects nodes, edges and rows: first of populations, then of projections and recordings."""

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
        for population in self._concrete.populations.values():
            self._add_population(population)
        projections = self._concrete.projections.values()
        pairs = [(projection.source, projection.target) for projection in projections]
        loops = loops_of(self._concrete.populations, pairs)
        # A network with same-step projections is meant step by step: then all delays are written.
        in_steps = any(projection.same_step for projection in projections)
        closing = self._closing_pairs(pairs)
        for projection in projections:
            source, target = projection.source, projection.target
            # Within a loop a step more or less would change the rhythm of all.
            self._add_projection(
                projection,
                waits=(source, target) in closing,
                in_steps=in_steps or loops[source] == loops[target],
            )
        self._add_outputs()

    def _closing_pairs(self, pairs: list[tuple[str, str]]) -> set[tuple[str, str]]:
        """Return the connections over which readers of the file let spikes wait for a step."""
        populations = self._concrete.populations
        names = sorted(populations, key=self._name)
        inputs = [name for name in names if self._is_input(name)]
        return closing_pairs([*inputs, *names], pairs)

    def _report(
        self,
        place: Place,
        status: Status,
        reason: str,
        remedy: str = "",
    ) -> None:
        self.rows.append(Row(place, status, reason, remedy))

    def _report_run(self) -> None:
        self._report(
            Place("dt"),
            "approximated",
            "NIR is in continuous time, so a file holds no time step. Readers that step by "
            f"{self._dt:g} ms, and hold the input of a spike for one step, run what runs here.",
            f"Give them dt = {self._dt / _SECOND:g} s: norse.torch.from_nir(graph, dt=...).",
        )
        events = [(update.view.name, "statements") for update in self._concrete.updates]
        signals = self._concrete.signals
        events += [(signal.view.name, f"signal {signal.name!r}") for signal in signals]
        for owner, aspect in events:
            place = Place("population", owner, aspect)
            self._report(place, "impossible", "NIR has no events of its own.", _ON_CPU)
        for drive in self._concrete.drives.values():
            place = Place("drive", drive.name)
            remedy = "Give the spikes by a source, which is an input of the graph."
            self._report(place, "impossible", "NIR has no random input.", remedy)

    # ---- populations

    def _add_population(self, population: ConcretePopulation) -> None:
        place = Place("population", population.name)
        name = self._name(population.name)
        shape = np.array(self._shapes.get(population.name, (population.size,)))
        if is_input(population.cell, population.source_spikes):
            self.nodes[name] = Node("Input", {"shape": shape})
            self._report(
                place,
                "approximated",
                f"input {name!r} of {population.size}: a file holds no spikes; whoever runs it "
                "gives them.",
                "Give the same spikes there, in step k those of our step k.",
            )
            return
        projections = self._concrete.projections.values()
        onto = [projection for projection in projections if projection.target == population.name]
        ports = {projection.port for projection in onto if projection.port}
        try:
            match = match_neurons(population, ports, dt=self._dt)
        except Unmatched as error:
            reason, remedy = error.args
            words = f"cell {population.cell.name!r} is no neuron of NIR: {reason}"
            self._report(place, "impossible", words, remedy or _ON_CPU)
            return
        self._matches[population.name] = match
        node = self._node_of(population, match, shape)
        self.nodes[name] = node
        self._report_neurons(population, match, node)

    def _node_of(
        self, population: ConcretePopulation, match: NeuronMatch, shape: np.ndarray
    ) -> Node:
        membrane = match.membrane
        leaks = membrane.tau is not None
        node_type = "LI" if leaks else "I"
        # NIR's times are in s. With a leak r is a ratio; without one it is a rate, per s there.
        arrays: dict[str, Any] = {"r": membrane.r if leaks else membrane.r * _SECOND}
        if membrane.tau is not None:
            arrays |= {"tau": membrane.tau / _SECOND, "v_leak": membrane.v_leak}
        if match.firing:
            node_type = f"{node_type}F"
            arrays |= {"v_threshold": match.firing.threshold, "v_reset": match.firing.reset}
        if membrane.tau_syn is not None:
            # The type with a current calls the membrane's time constant by another name. One
            # without a leak does not exist: `_report_neurons` refuses it.
            node_type = f"Cuba{node_type}"
            arrays["tau_mem"] = arrays.pop("tau", np.nan)
            arrays |= {"tau_syn": membrane.tau_syn / _SECOND, "w_in": membrane.w_in}
        # NIR wants one number per neuron, in the shape of the population.
        grids = {}
        for field, values in arrays.items():
            of_neurons = np.broadcast_to(np.asarray(values, np.float64), population.size)
            grids[field] = np.reshape(of_neurons, shape).copy()
        return Node(node_type, grids)

    def _report_neurons(
        self, population: ConcretePopulation, match: NeuronMatch, node: Node
    ) -> None:
        place = Place("population", population.name)
        if node.type in ("CubaIF", "CubaI"):
            reason = "a current into a voltage without leak is no neuron of NIR."
            self._report(place, "impossible", reason, "Let v leak, or let spikes act at once.")
            return
        arrays = node.arrays.items()
        numbers = ", ".join(f"{field} {range_text(values)}" for field, values in arrays)
        self._report(
            place,
            "exact",
            f"cell {population.cell.name!r} is {node.type} by its equations ({match.voltage} is v; "
            f"numbers in our units, times in s): {numbers}.",
        )
        self._report_method(population, place)
        targets = {projection.target for projection in self._concrete.projections.values()}
        if np.any(match.membrane.bias) and population.name not in targets:
            self._report(
                place.of("bias"),
                "impossible",
                "a bias belongs to the weights of a projection in NIR, and nothing projects to it.",
                "Project to it from a source, or add the number to the equation of v.",
            )
        if match.firing:
            self._report_firing(population, match.firing, place)
        if np.any(match.initial != 0):
            self._report(
                place.of("initial values"),
                "approximated",
                f"v begins at {range_text(match.initial)} here; NIR has no initial values, and "
                "readers begin at 0 or at v_leak.",
                "Begin at 0, with v_leak 0.",
            )
        else:
            self._report(place.of("initial values"), "exact", "v begins at 0, as readers begin.")

    def _report_method(self, population: ConcretePopulation, place: Place) -> None:
        cell = population.cell
        has_step = cell.step is not None
        method = "its own step statements" if has_step else cell.method or "exact"
        methods = f"{method} here; NIR says none; readers take steps of Euler's method."
        if not has_step and method != "euler":
            remedy = "Use method='euler' for the same numbers, or a smaller dt."
            self._report(place.of("method"), "approximated", methods, remedy)
            return
        projections = self._concrete.projections.values()
        ports = {
            projection.port or ""
            for projection in projections
            if projection.target == population.name
        }
        if not has_step or steps_as_readers(population, ports, dt=self._dt):
            self._report(place.of("method"), "exact", methods)
            return
        self._report(
            place.of("method"),
            "approximated",
            f"{method} here, which are not those of readers: Euler's method, a current that an "
            "input drives before the voltage that reads it.",
            "Write step= so: current = current + dt * (its equation); v = v + dt * (its equation).",
        )

    def _report_firing(self, population: ConcretePopulation, firing: Firing, place: Place) -> None:
        spike: Any = population.cell.spike
        if spike.op == ">=":
            self._report(
                place.of("threshold"),
                "exact",
                "a spike needs v > v_threshold there and v >= threshold here, which differ at "
                "equality alone.",
            )
        self._report(
            place.of("reset"),
            "exact",
            f"v is set to {range_text(firing.reset)} (v_reset); readers that reset otherwise run "
            "another neuron.",
        )

    # ---- projections

    def _add_projection(
        self, projection: ConcreteProjection, *, waits: bool, in_steps: bool
    ) -> None:
        place = Place("projection", projection.name)
        if projection.rule is not None:
            self._report(
                place,
                "impossible",
                f"it has the rule {projection.rule.name!r}, and NIR has no plasticity or graded "
                "synapses.",
                "Fix its weights: a projection with weight= and without rule=.",
            )
            return
        is_from_input = self._is_input(projection.source)
        has_source = is_from_input or projection.source in self._matches
        if projection.target not in self._matches or not has_source:
            return  # the population has said why
        if not is_from_input and self._matches[projection.source].firing is None:
            reason = "its source never spikes here; in NIR its voltage would be sent."
            self._report(place, "impossible", reason, "Leave it out, or give the cell a spike.")
            return
        path = [self._name(projection.source)]
        delay = self._delay(projection, waits=waits, in_steps=in_steps)
        if delay is not None:
            path.append(self._add(f"{projection.name} delay", Node("Delay", {"delay": delay})))
        layer_place = Place("projection", projection.name, "weights")
        try:
            layer = self._layer(projection)
        except Unmatched as error:
            self._report(layer_place, "impossible", *error.args)
            return
        path += [self._add(f"{projection.name}{suffix}", node) for suffix, node in layer.nodes]
        self._report(layer_place, "exact", layer.description)
        path.append(self._name(projection.target))
        # A projection is a chain of nodes: each feeds the next.
        self.edges += list(zip(path[:-1], path[1:], strict=True))

    def _delay(
        self, projection: ConcreteProjection, *, waits: bool, in_steps: bool
    ) -> np.ndarray | None:
        """Return the delay of each source neuron in s, None for none; report it."""
        place = Place("projection", projection.name, "delay")
        per_edge = self._delay_of_edges(projection)
        # Written per source and read back per edge: a difference shows two delays of one source.
        # Sources without edges take that of the first one, so that equal delays stay one number.
        size = self._concrete.populations[projection.source].size
        steps = np.full(size, per_edge[0] if per_edge.size else 0, np.int64)
        steps[projection.sources] = per_edge
        if np.any(steps[projection.sources] != per_edge):
            self._report(
                place,
                "impossible",
                "edges of one source differ in delay, and NIR's delays are per neuron.",
                "Use one projection for each delay.",
            )
            return None
        # Where a loop closes, readers feed a spike back in the next step by themselves.
        total = steps + int(not projection.same_step) - int(waits)
        if np.any(total < 0):
            self._report(
                place,
                "impossible",
                "it acts within the step here, and closes a loop for readers that begin at the "
                "inputs: they let it wait for the next step.",
                "Let another connection of the loop be same_step=True, or none.",
            )
            return None
        if not in_steps and not np.any(steps):
            self._report(
                place,
                "approximated",
                "spikes act in the step after theirs here, and in their own step there: all "
                "that follows comes one step earlier.",
                "Use same_step=True for the same steps.",
            )
            return None
        if not np.any(total):
            self._report(place, "exact", "spikes act in the same step as here.")
            return None
        milliseconds = total * self._dt
        self._report(
            place,
            "exact",
            f"a Delay node of {range_text(milliseconds)} ms, so that spikes act in the same step "
            "as here; readers without delays refuse it.",
        )
        # A Delay follows its source, and has its shape.
        shape = self._shapes.get(projection.source, (steps.size,))
        return np.reshape(milliseconds / _SECOND, shape)

    def _delay_of_edges(self, projection: ConcreteProjection) -> np.ndarray:
        """Return the delay of each edge in steps."""
        delays = np.asarray(0.0 if projection.delay is None else projection.delay, np.float64)
        where = f"projection {projection.name!r}, delay"
        steps = to_steps(delays, self._dt, where=where, rounded=projection.round_delays)
        return np.broadcast_to(steps, projection.targets.size)

    def _layer(self, projection: ConcreteProjection) -> Layer:
        source, target = projection.source, projection.target
        match = self._matches[target]
        has_bias = bool(np.any(match.membrane.bias)) and self._is_first(projection)
        weights = Weights(
            projection,
            connector=self._network.projections[projection.name].connector,
            scale=match.scales[projection.port or ""],
            bias=match.membrane.bias if has_bias else None,
            source_size=self._concrete.populations[source].size,
            target_size=self._concrete.populations[target].size,
            source_grid=self._shapes.get(source),
            target_grid=self._shapes.get(target),
        )
        return layer_of(weights)

    def _is_first(self, projection: ConcreteProjection) -> bool:
        """Return whether a projection is the first onto its target, which carries the bias."""
        for other in self._concrete.projections.values():
            if other.target == projection.target:
                return other is projection
        return False

    # ---- names, inputs and outputs

    def _is_input(self, name: str) -> bool:
        population = self._concrete.populations[name]
        return is_input(population.cell, population.source_spikes)

    def _add_outputs(self) -> None:
        recorded = dict.fromkeys(probe.owner.name for probe in self._concrete.probes)
        populations = [name for name in recorded if name in self._matches]
        for probe in self._concrete.probes:
            place = Place("recording", probe.owner.name, probe.variable)
            if probe.owner.name in self._matches:
                self._report(place, "exact", "the population is an output of the graph.")
            else:
                self._report(place, "exact", "no output: whoever gives an input has its spikes.")
        # Without recordings, the output is whatever feeds nothing else.
        if not populations:
            sources = {projection.source for projection in self._concrete.projections.values()}
            populations = [name for name in self._matches if name not in sources]
        for name in populations:
            node = self.nodes[self._name(name)]
            shape = np.array(next(iter(node.arrays.values())).shape)
            title = "output" if len(populations) == 1 else f"{name} output"
            output = self._add(title, Node("Output", {"shape": shape}))
            self.edges.append((self._name(name), output))

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


def _grids(network: Network) -> dict[str, tuple[int, ...]]:
    """Return the grids of populations that convolutions and poolings join, if all agree."""
    grids: dict[str, set[tuple[int, ...]]] = {}
    for projection in network.projections.values():
        if isinstance(projection.connector, convolution | average_pooling):
            connector = projection.connector
            source_end = (projection.source, connector.shape)
            target_end = (projection.target, connector.target_shape)
            for view, shape in (source_end, target_end):
                population = view.population
                if len(view) == population.size:
                    grids.setdefault(population.name, set()).add(tuple(shape))
    return {name: shapes.pop() for name, shapes in grids.items() if len(shapes) == 1}
