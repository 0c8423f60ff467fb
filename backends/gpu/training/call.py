"""A call of a Trainer: one batch through all groups of its network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from neurosim.errors import NetworkError

from .connections import Connection
from .gradients.rates import RateCurve, rate_curve
from .gradients.responses import Response, response_of
from .groups import Member, run_group
from .interfaces import Output
from .loops.chunks import CompiledSteps
from .loops.compiled_loops import CompiledLoops
from .plan import Plan, Settings
from .terms import Recurrent, Series, Term

Values = tuple[dict[str, Tensor], dict[str, Tensor]]
"""Parameters and constants of a population, and its initial states."""


@dataclass(frozen=True)
class Batch:
    """What a call is given.

    Attributes
    ----------
    tensors : label -> (T, B, N)
        The inputs.
    weights : projection -> Tensor
        As they learn.
    values : population -> Values
    outputs : tuple of Output
    replica : (B, 1) int64
        Replica word of each sample.
    chunk : int or None
        Steps that are computed again in the backward pass.
    compiled : CompiledSteps, CompiledLoops or None
    """

    tensors: Mapping[str, Tensor]
    weights: Mapping[str, Tensor]
    values: Mapping[str, Values]
    outputs: tuple[Output, ...]
    replica: Tensor
    chunk: int | None
    compiled: CompiledSteps | CompiledLoops | None = None

    @property
    def steps(self) -> int:
        """T."""
        return next(iter(self.tensors.values())).shape[0]


class Call:
    """Runs the groups of a plan, one after the other.

    Attributes
    ----------
    spikes : population -> (T, B, N)
    traces : (population, state) -> (T, B, N)
    members : population -> Member
        With the states after the last step.
    """

    def __init__(self, plan: Plan, settings: Settings, batch: Batch) -> None:
        self.plan = plan
        self.settings = settings
        self.batch = batch
        self.spikes: dict[str, Tensor] = {}
        self.traces: dict[tuple[str, str], Tensor] = {}
        self.members: dict[str, Member] = {}
        self._operands: dict[str, tuple[Tensor, ...]] = {}

    def run(self) -> dict[str, Tensor]:
        """Return the outputs by label."""
        batch = self.batch
        # One head of several may be asked for: what leads to the others alone is not computed.
        needed = self.plan.needed({output.population for output in batch.outputs})
        self.spikes = self._given_spikes()
        # Once per call: a matrix made of edges serves all steps, and its gradient is summed once.
        self._operands = {
            name: connection.prepare(batch.weights[name])
            for name, connection in self.plan.connections.items()
            if connection.target in needed
        }
        # In order of dependence: the input of a group is known before it runs.
        for group in self.plan.groups:
            if needed & set(group):
                self._run(group)
        results: dict[str, Tensor] = {}
        for output in batch.outputs:
            if output.state is None:
                results[output.label] = self.spikes[output.population]
            else:
                results[output.label] = self.traces[output.population, output.state]
        return results

    def _run(self, group: tuple[str, ...]) -> None:
        method = self.settings.method
        # Curves first: they say how projections onto a group sum up what they deliver to it.
        curves = self._curves(group) if method.rates else {}
        members = {name: self._member(name, group) for name in group}
        # Rates are differentiated in place of steps: a graph of the steps would only take memory.
        with torch.set_grad_enabled(torch.is_grad_enabled() and not curves):
            spikes, traces = run_group(
                members,
                method,
                steps=self.batch.steps,
                replica=self.batch.replica,
                chunk=self.batch.chunk,
                compiled=self.batch.compiled,
            )
        for name, (port, curve) in curves.items():
            currents = self._currents(members[name], port)
            spikes[name] = curve.differentiate(currents, spikes[name])
        self.spikes |= spikes
        self.traces |= traces
        self.members |= members

    def _given_spikes(self) -> dict[str, Tensor]:
        """Return the spikes of inputs, and of sources that list theirs, (T, 1, N)."""
        plan = self.plan
        settings = self.settings
        of_spikes = [item for item in settings.inputs if item.parameter is None]
        result = {item.population: self.batch.tensors[item.label] for item in of_spikes}
        for name, population in plan.program.populations.items():
            if population.is_spike_source and name not in result:
                result[name] = self._listed_spikes(name, population.size)
        return result

    def _listed_spikes(self, source: str, size: int) -> Tensor:
        """Return the spikes that a source lists, (T, 1, N): the same for all samples."""
        steps = self.batch.steps
        settings = self.settings
        series = torch.zeros(steps, 1, size, dtype=settings.dtype, device=settings.device)
        step = torch.from_numpy(self.plan.memory[source, "_given_step"])
        index = torch.from_numpy(self.plan.memory[source, "_given_index"]).long()
        # A batch may be shorter than the list of a source.
        early = step < steps
        series[step[early], 0, index[early]] = 1.0
        return series

    # ---- members of a group

    def _member(self, name: str, group: tuple[str, ...]) -> Member:
        values, initial = self.batch.values[name]
        neurons = self.plan.neurons[name]
        driven = {
            item.parameter: Series(self.batch.tensors[item.label])
            for item in self.settings.inputs
            if item.population == name and item.parameter is not None
        }
        outputs = self.batch.outputs
        stored = [output.state for output in outputs if output.population == name and output.state]
        # A graded projection reads all states of its source.
        for connection in self.plan.connections.values():
            if connection.signal is not None and connection.source == name:
                stored += neurons.code.states
        return Member(
            neurons=neurons,
            values=values,
            courses={**self._tables(name, set(driven)), **driven},
            terms={port: self._terms(name, port, group) for port in neurons.code.ports},
            state=neurons.start(initial, self.batch.replica.shape[0]),
            # A state may be an output and sent as well: it is stored once.
            traced=tuple(dict.fromkeys(stored)),
        )

    def _tables(self, name: str, driven: set[str]) -> dict[str, Series]:
        """Return the rows in force of tables that are no inputs, (T, 1) or (T, N)."""
        memory = self.plan.memory
        settings = self.settings
        result: dict[str, Series] = {}
        for table in self.plan.program.populations[name].code.tables:
            if table in driven:
                continue
            rows = np.stack([memory.row(name, table, k) for k in range(self.batch.steps)])
            values = torch.from_numpy(rows).to(device=settings.device, dtype=settings.dtype)
            result[table] = Series(values)
        return result

    def _terms(self, name: str, port: str, group: tuple[str, ...]) -> list[Term]:
        """Return summands; the first ones are summed already if they are known for all steps."""
        result: list[Term] = []
        for connection in self.plan.into(name, port):
            response = self._response(connection) if self.settings.method.traces else None
            if connection.source in group:
                operands = self._operands[connection.name]
                term: Term = Recurrent(connection, operands, self.settings.method, response)
            else:
                term = Series(self._deliver(connection, response))
            first = result[0] if len(result) == 1 else None
            # Summed for all steps in one operation; the order of the sum stays that of creation.
            if isinstance(term, Series) and isinstance(first, Series):
                result[0] = Series(first.values + term.values)
            else:
                result.append(term)
        return result

    def _deliver(self, connection: Connection, response: Response | None) -> Tensor:
        """Return what a projection adds to its port before each step, (T, B, N)."""
        is_graded = connection.signal is not None
        spikes = self._signal(connection) if is_graded else self.spikes[connection.source]
        steps = spikes.shape[0]
        operands = self._operands[connection.name]
        # One trace for all delays: a later arrival reads an earlier value of it.
        trace = None if response is None else response.over(spikes.detach())
        total: Tensor | None = None
        for number, delay in enumerate(connection.delays):
            late = 0 if connection.same_step else min(delay + 1, steps)
            early = None if trace is None else trace[: steps - late]
            arriving = connection.deliver(spikes[: steps - late], operands, number, trace=early)
            if late:
                # Nothing has been sent before the first step.
                nothing = arriving.new_zeros(late, *arriving.shape[1:])
                arriving = torch.cat([nothing, arriving])
            total = arriving if total is None else total + arriving
        if total is not None:
            return total
        return spikes.new_zeros(steps, spikes.shape[1], connection.edges.size)

    def _signal(self, connection: Connection) -> Tensor:
        """Return the numbers that the source of a graded projection sends, (T, B, N)."""
        if connection.signal is None:
            raise LookupError(f"projection {connection.name!r} sends spikes")
        member = self.members[connection.source]
        states = {state: self.traces[connection.source, state] for state in member.traced}
        courses = {name: course.values for name, course in member.courses.items()}
        sent = connection.signal({**member.values, **courses, **states})
        shape = self.batch.steps, self.batch.replica.shape[0], member.neurons.size
        return sent.expand(shape)

    # ---- what methods of gradients need

    def _response(self, connection: Connection) -> Response | None:
        """Return the response of the target of a projection that learns, for its traces."""
        if connection.name not in self.plan.learns or not torch.is_grad_enabled():
            return None
        neurons = self.plan.neurons[connection.target]
        values, initial = self.batch.values[connection.target]
        # Traces are factors of a gradient, not paths of one.
        fixed = {name: value.detach() for name, value in {**values, **initial}.items()}
        recorded = (
            output.state
            for output in self.batch.outputs
            if output.population == connection.target and output.state
        )
        direction = neurons.direction(fixed, next(recorded, None))
        where = f"method 'ottt', projection {connection.name!r}: population {connection.target!r}"
        return response_of(neurons.affine(fixed, connection.port), direction, where=where)

    def _curves(self, group: tuple[str, ...]) -> dict[str, tuple[str, RateCurve]]:
        """Return port and rate curve of a population that spikes; none if nothing is to learn."""
        name = group[0]
        neurons = self.plan.neurons[name]
        if neurons.distance is None or not torch.is_grad_enabled():
            return {}
        where = f"method 'dsr', population {name!r}"
        connections = self.plan.connections.values()
        ports = {connection.port for connection in connections if connection.target == name}
        is_circle = any(
            connection.source in group and connection.target in group for connection in connections
        )
        if is_circle or len(ports) != 1:
            obstacle = "projections in a circle" if is_circle else f"inputs at {len(ports)} ports"
            raise NetworkError(
                f"{where}: found {obstacle}, expected layers one after the other, each with input "
                "at one port. Use 'bptt'."
            )
        (port,) = ports
        values, initial = self.batch.values[name]
        affine = neurons.affine({**values, **initial}, port)
        if len(initial) == 1:
            start = next(iter(initial.values())).expand(neurons.size)
            after, slope = neurons.reset_at({**values, **initial})
        else:
            # A rate curve has one state. With more, `rate_curve` raises, since no step is affine.
            affine = None
            start = after = slope = neurons.zeros()
        curve = rate_curve(
            affine,
            start=start,
            before=start,
            after=after,
            slope=slope,
            pause=neurons.pause,
            where=where,
        )
        self._sum_up(name, curve)
        return {name: (port, curve)}

    def _sum_up(self, name: str, curve: RateCurve) -> None:
        """Let the projections onto a population, and readouts, store weighted rates as rows."""
        weights = curve.weights(self.batch.steps).mean(2, keepdim=True)

        def summary(x: Tensor) -> Tensor:
            # One row stands for steps that are all the same.
            return x[0] if x.shape[0] == 1 else (x * weights[: x.shape[0]]).sum(0)

        for connection in self.plan.connections.values():
            # A readout that never spikes has no rate of its own: it weighs as its source does.
            target = self.plan.neurons[connection.target]
            is_readout = connection.source == name and target.distance is None
            if connection.target == name or is_readout:
                # A hook reads what multiplies the error, which is a rate in this method.
                connection.slots.summary = summary

    def _currents(self, member: Member, port: str) -> Tensor:
        total: Tensor | None = None
        for term in member.terms[port]:
            if isinstance(term, Series):
                total = term.values if total is None else total + term.values
        if total is None:
            raise LookupError(f"port {port!r} has no input")
        return total


def find_fault(call: Call) -> str:
    """Return the first population of a call that holds a value that is not finite, or ''."""
    for group in call.plan.groups:
        for name in group:
            # Causes before effects: weights, then values, then the states that follow from them.
            for connection in call.plan.connections.values():
                weight = call.batch.weights[connection.name]
                if connection.target == name and not bool(torch.isfinite(weight).all()):
                    return f"projection {connection.name!r}"
            values, initial = call.batch.values[name]
            for label, value in {**values, **initial}.items():
                if not label.startswith("_") and not bool(torch.isfinite(value).all()):
                    return f"population {name!r}, {label}"
            if name in call.members:
                for state, value in call.members[name].state.values.items():
                    if not bool(torch.isfinite(value).all()):
                        return f"population {name!r}, {state}"
    return ""


@dataclass(frozen=True)
class NearThreshold:
    """A neuron so near its threshold that rounding may decide whether it spikes.

    Attributes
    ----------
    population : str
    step, sample, neuron : int
    distance : float
        From the threshold, in engine units; negative below it.
    """

    population: str
    step: int
    sample: int
    neuron: int
    distance: float


def find_near_threshold(call: Call, within: float) -> list[NearThreshold]:
    """Run a call; return the neurons that come within a part of their width of the threshold.

    Parameters
    ----------
    call : Call
    within : float (1)
    """
    distances: dict[str, list[Tensor]] = {name: [] for name in call.plan.neurons}
    # The distances are handed out while a step is computed: nothing stores them in training.
    try:
        for name, neurons in call.plan.neurons.items():
            neurons.watch = distances[name].append
        call.run()
    finally:
        for neurons in call.plan.neurons.values():
            neurons.watch = None
    result = []
    for name, steps in distances.items():
        for step, distance in enumerate(steps):
            near = torch.nonzero(distance.abs() <= within * call.plan.neurons[name].width)
            for sample, neuron in near.tolist():
                value = float(distance[sample, neuron])
                result.append(NearThreshold(name, step, sample, neuron, value))
    return result
