"""Call: one batch through all groups of a network."""

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
from .interfaces import Input, Output
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
        needed = self.plan.needed({o.population for o in batch.outputs})
        self.spikes = self._given_spikes()
        # Once per call: a matrix made of edges serves all steps, and its gradient is summed once.
        self._operands = {
            name: c.prepare(batch.weights[name])
            for name, c in self.plan.connections.items()
            if c.target in needed
        }
        # In order of dependence: the input of a group is known before it runs.
        for group in self.plan.groups:
            if needed & set(group):
                self._run(group)
        results: dict[str, Tensor] = {}
        for o in batch.outputs:
            if o.state is None:
                results[o.label] = self.spikes[o.population]
            else:
                results[o.label] = self.traces[o.population, o.state]
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
        of_spikes = [i for i in settings.inputs if i.parameter is None]
        result = {i.population: self.batch.tensors[i.label] for i in of_spikes}
        # Listed spikes are the same for all samples: one row stands for them.
        for p in plan.program.populations.values():
            if p.is_spike_source and p.name not in result:
                series = torch.zeros(
                    self.batch.steps, 1, p.size, dtype=settings.dtype, device=settings.device
                )
                step = torch.from_numpy(plan.memory[p.name, "_given_step"])
                index = torch.from_numpy(plan.memory[p.name, "_given_index"]).long()
                # A batch may be shorter than the list of a source.
                early = step < self.batch.steps
                series[step[early], 0, index[early]] = 1.0
                result[p.name] = series
        return result

    # ---- members of a group

    def _member(self, name: str, group: tuple[str, ...]) -> Member:
        values, initial = self.batch.values[name]
        inputs: list[Input] = [
            i for i in self.settings.inputs if i.population == name and i.parameter is not None
        ]
        neurons = self.plan.neurons[name]
        outputs = [o for o in self.batch.outputs if o.population == name]
        sends = any(c.signal and c.source == name for c in self.plan.connections.values())
        sent = neurons.code.states if sends else ()
        driven = {str(i.parameter): Series(self.batch.tensors[i.label]) for i in inputs}
        tables = self._tables(name, set(driven))
        asked = [o.state for o in outputs if o.state]
        return Member(
            neurons=neurons,
            values=values,
            courses={**tables, **driven},
            terms={port: self._terms(name, port, group) for port in neurons.code.ports},
            state=neurons.start(initial, self.batch.replica.shape[0]),
            # A state may be an output and sent as well: it is stored once.
            traced=tuple(dict.fromkeys([*asked, *sent])),
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
        for c in self.plan.into(name, port):
            response = self._response(c) if self.settings.method.traces else None
            if c.source in group:
                term: Term = Recurrent(c, self._operands[c.name], self.settings.method, response)
            else:
                term = Series(self._deliver(c, response))
            first = result[0] if len(result) == 1 else None
            # Summed for all steps in one operation; the order of the sum stays that of creation.
            if isinstance(term, Series) and isinstance(first, Series):
                result[0] = Series(first.values + term.values)
            else:
                result.append(term)
        return result

    def _deliver(self, c: Connection, response: Response | None) -> Tensor:
        """Return what a projection adds to its port before each step, (T, B, N)."""
        spikes = self.spikes[c.source] if c.signal is None else self._signal(c)
        steps = spikes.shape[0]
        # One trace for all delays: a later arrival reads an earlier value of it.
        trace = None if response is None else response.over(spikes.detach())
        total: Tensor | None = None
        for number, delay in enumerate(c.delays):
            late = 0 if c.same_step else min(delay + 1, steps)
            early = None if trace is None else trace[: steps - late]
            part = c.deliver(spikes[: steps - late], self._operands[c.name], number, trace=early)
            if late:
                # Nothing has been sent before the first step.
                part = torch.cat([part.new_zeros(late, *part.shape[1:]), part])
            total = part if total is None else total + part
        if total is not None:
            return total
        return spikes.new_zeros(steps, spikes.shape[1], c.edges.size)

    def _signal(self, c: Connection) -> Tensor:
        """Return the numbers that the source of a graded projection sends, (T, B, N)."""
        if c.signal is None:
            raise LookupError(f"projection {c.name!r} sends spikes")
        member = self.members[c.source]
        states = {state: t for (owner, state), t in self.traces.items() if owner == c.source}
        courses = {name: course.values for name, course in member.courses.items()}
        sent = c.signal({**member.values, **courses, **states})
        shape = self.batch.steps, self.batch.replica.shape[0], member.neurons.size
        return sent.expand(shape)

    # ---- what methods of gradients need

    def _response(self, c: Connection) -> Response | None:
        """Return the response of the target of a projection that learns, for its traces."""
        if c.name not in self.plan.learns or not torch.is_grad_enabled():
            return None
        neurons = self.plan.neurons[c.target]
        values, initial = self.batch.values[c.target]
        # Traces are factors of a gradient, not paths of one.
        fixed = {name: value.detach() for name, value in {**values, **initial}.items()}
        states = [o.state for o in self.batch.outputs if o.population == c.target and o.state]
        direction = neurons.direction(fixed, states[0] if states else None)
        where = f"method 'ottt', projection {c.name!r}: population {c.target!r}"
        return response_of(neurons.affine(fixed, c.port), direction, where=where)

    def _curves(self, group: tuple[str, ...]) -> dict[str, tuple[str, RateCurve]]:
        """Return port and rate curve of a population that spikes; none if nothing is to learn."""
        name = group[0]
        neurons = self.plan.neurons[name]
        if neurons.distance is None or not torch.is_grad_enabled():
            return {}
        where = f"method 'dsr', population {name!r}"
        into = {c.port for c in self.plan.connections.values() if c.target == name}
        circle = any(c.source in group for c in self.plan.connections.values() if c.target in group)
        if circle or len(into) != 1:
            obstacle = "projections in a circle" if circle else f"inputs at {len(into)} ports"
            raise NetworkError(
                f"{where}: found {obstacle}, expected layers one after the other, each with input "
                "at one port. Use 'bptt'."
            )
        (port,) = into
        values, initial = self.batch.values[name]
        affine = neurons.affine({**values, **initial}, port)
        # A rate curve has one state. With more, `rate_curve` raises by the missing affine step.
        start = next(iter(initial.values())).expand(neurons.size) if len(initial) == 1 else None
        if start is None:
            affine = None
            start = neurons.zeros()
            after = start
            slope = start
        else:
            after, slope = neurons.reset_at({**values, **initial})
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

        for c in self.plan.connections.values():
            # A readout that never spikes has no rate of its own: it weighs as its source does.
            reads = c.source == name and self.plan.neurons[c.target].distance is None
            if c.target == name or reads:
                # A hook reads what multiplies the error, which is a rate in this method.
                c.slots.summary = summary

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
            into = [c.name for c in call.plan.connections.values() if c.target == name]
            for projection in into:
                if not bool(torch.isfinite(call.batch.weights[projection]).all()):
                    return f"projection {projection!r}"
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
            result += [
                NearThreshold(name, step, b, n, float(distance[b, n])) for b, n in near.tolist()
            ]
    return result
