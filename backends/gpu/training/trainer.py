"""Trainer: a network as a module of torch, whose named values learn."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from neurosim.draws.values import Table
from neurosim.errors import NetworkError, describe
from neurosim.ir.concrete import ConcreteNetwork
from neurosim.ir.concretise import concretise
from neurosim.ir.discretise import discretise
from neurosim.ir.memory import Memory
from neurosim.ir.program import Program, StaticProjection
from neurosim.ir.replaced_values import replace_values
from neurosim.network.network import Network

from .connections import Connection, connection_of
from .constants import PopulationValues
from .groups import Member, Recurrent, Series, Term, order_groups, run_group
from .interfaces import Input, read_batch, read_inputs, read_outputs
from .learnable import Learnable, divisors, learnables, read_train
from .limits import Bounds, read_bounds, read_widths
from .methods import Method, read_method
from .neurons import Neurons
from .surrogates import Surrogate, read_surrogate

# Of the smallest value at the start: equations divide by it.
_LEAST = 0.01
DTYPES = {"float32": torch.float32, "float64": torch.float64}


class SilenceWarning(UserWarning):
    """A network that does not spike during its first batch of training."""


class Trainer(nn.Module):
    """A network as a module of torch.

    Called with spikes or currents (T, B, N), it returns spikes or traces (T, B, N): T steps of B
    samples. With several inputs or outputs both are dictionaries by name. Each call begins with
    the network's initial states.

    Parameters
    ----------
    network : Network
    inputs : name or list of names
        Spike sources (``"pixels"``), whose spikes a batch holds; or parameters
        (``"hidden.current"``), whose values in engine units it holds.
    outputs : name or list of names
        Populations (``"output"``), for their spikes; or states (``"output.v"``), for their values
        at the end of each step.
    train : list of names
        What learns: projections (``"layer"``), parameters (``"hidden.tau"``) and initial states
        (``"hidden.v"``). A parameter with one value per neuron learns one per neuron.
    surrogate : str, Surrogate, or function such as ``snntorch.surrogate.fast_sigmoid()``
        The derivative of a spike, in the backward pass alone.
    width : mapping of population -> float, optional
        Unit of the surrogate's distance from the threshold, in engine units. By default the
        distance at the start, such as 20 mV from rest to threshold; 1 if that is 0.
    device : str or torch.device
    precision : "float32" or "float64"
    method : Method or str
        How gradients are computed.
    bounds : mapping of label -> (low, high), optional
        In engine units, None for no bound: each call begins by moving what learns back between its
        bounds. A positive parameter by which equations divide, such as a time constant, has the
        lower bound of a hundredth of its smallest value at the start.

    Raises
    ------
    NetworkError
        A name that does not exist or cannot learn, a wrong option.

    Attributes
    ----------
    learns : label -> Learnable
        What learns, in the user's order.
    """

    def __init__(
        self,
        network: Network,
        *,
        inputs: str | Sequence[str],
        outputs: str | Sequence[str],
        train: Sequence[str],
        surrogate: object = "fast_sigmoid",
        width: Mapping[str, float] | None = None,
        device: str | torch.device = "cpu",
        precision: Literal["float32", "float64"] = "float32",
        method: Method | str = "bptt",
        bounds: Mapping[str, Bounds] | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(network, Network):
            raise NetworkError(
                f"Trainer: found {describe(network)}, expected a Network. Make one with ns.Network."
            )
        if precision not in DTYPES:
            raise NetworkError(
                f"Trainer, precision: found {describe(precision)}, expected 'float32' or "
                "'float64'. Give one of these names."
            )
        self.source_network = network
        self.inputs = read_inputs(inputs, network)
        self.outputs = read_outputs(outputs, network, self.inputs)
        self.surrogate = read_surrogate(surrogate)
        self.method = read_method(method)
        self.dtype = DTYPES[precision]
        self.device = torch.device(device)
        self._build(network, train, read_widths(width, network))
        self.bounds = self._positive() | read_bounds(bounds, self.learns)
        self._watches_silence = True

    # ---- making

    def _build(self, network: Network, train: Sequence[str], widths: dict[str, float]) -> None:
        concrete = _with_driven(concretise(network), self.inputs)
        program = discretise(concrete)
        _require_trainable(program)
        self.program = program
        bounds = {p.name: np.array([0, p.size]) for p in program.populations.values()}
        self._memory = memory = Memory(program, concrete, bounds)
        replayed = {i.population for i in self.inputs if i.parameter is None}
        self._simulated = tuple(
            n for n, p in program.populations.items() if n not in replayed and not p.given
        )
        driven = {i.label for i in self.inputs}
        can_learn = learnables(program, concrete, simulated=self._simulated, driven=driven)
        self.learns: dict[str, Learnable] = {
            item.label: item for item in read_train(train, can_learn)
        }
        self._values = {
            name: PopulationValues(
                program.populations[name],
                network.populations[name],
                memory,
                seed=network.seed,
                dt=network.dt,
                device=self.device,
            )
            for name in self._simulated
        }
        self._connections = {
            p.name: self._connect(p, concrete)
            for p in program.projections.values()
            if isinstance(p, StaticProjection) and p.target in self._simulated
        }
        self._fixed = {
            name: self._tensor(c.layout(memory[name, "w"]))
            for name, c in self._connections.items()
            if name not in self.learns
        }
        for item in self.learns.values():
            self.register_parameter(item.key, nn.Parameter(self._initial_value(item)))
        self._neurons = {
            name: self._make_neurons(name, network, widths) for name in self._simulated
        }
        self._groups = order_groups(
            self._simulated, [(c.source, c.target) for c in self._connections.values()]
        )

    def _connect(self, p: StaticProjection, concrete: ConcreteNetwork) -> Connection:
        return connection_of(
            p,
            self._memory[p.name, "w"],
            learns=p.name in self.learns,
            same_step=concrete.projections[p.name].same_step,
            sources_size=self.program.populations[p.source].size,
            device=self.device,
        )

    def _initial_value(self, item: Learnable) -> Tensor:
        if item.sort == "weight":
            connection = self._connections[item.owner]
            return self._tensor(connection.layout(self._memory[item.owner, "w"]))
        return self._values[item.owner].start[item.name].to(self.dtype).clone()

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.array(values)).to(device=self.device, dtype=self.dtype)

    def _make_neurons(self, name: str, network: Network, widths: dict[str, float]) -> Neurons:
        p = self.program.populations[name]
        pause = None
        if p.code.refractory and self._memory[name, "_refractory"].any():
            pause = torch.from_numpy(self._memory[name, "_refractory"].astype(np.int64))
            pause = pause.to(self.device)
        neurons = Neurons(
            p,
            dt=network.dt,
            seed=network.seed,
            pause=pause,
            surrogate=self.surrogate,
            width=widths.get(name, 1.0),
            dtype=self.dtype,
            device=self.device,
        )
        if name not in widths and neurons.distance is not None:
            neurons.width = self._distance_at_start(neurons)
        return neurons

    def _distance_at_start(self, neurons: Neurons) -> float:
        """Return the median distance of a population from its threshold at the start."""
        start = self._values[neurons.name].start
        values = {name: value.to(self.dtype) for name, value in start.items()}
        distance = neurons.distance_at(values)
        width = float(distance.abs().median())
        return width if width > 0 and np.isfinite(width) else 1.0

    def _positive(self) -> dict[str, Bounds]:
        """Return the bounds of positive parameters by which equations divide."""
        result: dict[str, Bounds] = {}
        for item, parameter in self._learned():
            if item.sort == "parameter":
                least = float(parameter.detach().min())
                code = self.program.populations[item.owner].code
                if least > 0 and item.name in divisors(code):
                    result[item.label] = (_LEAST * least, None)
        return result

    # ---- a call

    def forward(self, batch: Tensor | Mapping[str, Tensor]) -> Tensor | dict[str, Tensor]:
        """Run all steps of a batch.

        Parameters
        ----------
        batch : (T, B, N) tensor, or label -> tensor
            Spikes, 0 or 1, or values of a parameter in engine units.

        Returns
        -------
        (T, B, N) tensor, or label -> tensor

        Raises
        ------
        NetworkError
            If tensors disagree in shape, or hold no spikes or no finite numbers.
        """
        self._keep_bounds()
        tensors = read_batch(batch, self.inputs, dtype=self.dtype, device=self.device)
        steps, samples, _ = next(iter(tensors.values())).shape
        spikes = {i.population: tensors[i.label] for i in self.inputs if i.parameter is None}
        spikes |= self._listed_spikes(spikes, steps)
        traces: dict[tuple[str, str], Tensor] = {}
        replica = torch.arange(samples, device=self.device).unsqueeze(1)
        operands = {name: c.prepare(self._weight(name)) for name, c in self._connections.items()}
        for names, _ in self._groups:
            members = {
                name: self._member(name, names, spikes, operands, tensors=tensors, samples=samples)
                for name in self._in_order(names)
            }
            spikes |= run_group(members, self.method, steps=steps, replica=replica)
            for name, member in members.items():
                traces |= {(name, s): torch.stack(t) for s, t in member.traces.items()}
        self._warn_of_silence(spikes)
        results = {
            o.label: spikes[o.population] if o.state is None else traces[o.population, o.state]
            for o in self.outputs
        }
        return results[self.outputs[0].label] if len(results) == 1 else results

    def _keep_bounds(self) -> None:
        with torch.no_grad():
            for label, (low, high) in self.bounds.items():
                self.get_parameter(self.learns[label].key).clamp_(low, high)

    def _weight(self, name: str) -> Tensor:
        return (
            self._fixed[name] if name in self._fixed else self.get_parameter(self.learns[name].key)
        )

    def _in_order(self, names: tuple[str, ...]) -> list[str]:
        """Return the populations of a group in the order of stages of a step."""
        within = [c for c in self._connections.values() if c.same_step]
        edges = [(c.source, c.target) for c in within]
        return [name for group, _ in order_groups(names, edges) for name in group]

    def _member(
        self,
        name: str,
        group: tuple[str, ...],
        spikes: Mapping[str, Tensor],
        operands: Mapping[str, tuple[Tensor, ...]],
        *,
        tensors: Mapping[str, Tensor],
        samples: int,
    ) -> Member:
        values, initial = self._values_now(name)
        courses = {
            str(i.parameter): tensors[i.label]
            for i in self.inputs
            if i.population == name and i.parameter is not None
        }
        p = self.program.populations[name]
        terms: dict[str, list[Term]] = {}
        for port in p.code.ports:
            into = [c for c in self._connections.values() if (c.target, c.port) == (name, port)]
            # Terms of the step before come first: they wait at the port when this step begins.
            into.sort(key=lambda c: c.same_step)
            terms[port] = _summed(
                Recurrent(c, operands[c.name], self.method)
                if c.source in group
                else Series(_deliver_all(c, operands[c.name], spikes[c.source]))
                for c in into
            )
        return Member(
            neurons=self._neurons[name],
            values=values,
            courses=courses,
            terms=terms,
            state=self._neurons[name].start(initial, samples),
            traced=tuple(
                dict.fromkeys(o.state for o in self.outputs if o.population == name and o.state)
            ),
        )

    def _values_now(self, name: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return parameters and constants of a population, and its initial states."""
        learned = {
            item.name: self.get_parameter(item.key).double()
            for item in self.learns.values()
            if item.sort != "weight" and item.owner == name
        }
        source = self._values[name]
        values = source(learned) if learned else source.start
        values = {key: value.to(self.dtype) for key, value in values.items()}
        states = self.program.populations[name].code.states
        return (
            {key: value for key, value in values.items() if key not in states},
            {key: values[key] for key in states},
        )

    def _listed_spikes(self, spikes: Mapping[str, Tensor], steps: int) -> dict[str, Tensor]:
        """Return the spikes of sources that are no inputs, (T, 1, N)."""
        result = {}
        for p in self.program.populations.values():
            if p.given and p.name not in spikes:
                series = torch.zeros(steps, 1, p.size, dtype=self.dtype, device=self.device)
                step = torch.from_numpy(self._memory[p.name, "_given_step"])
                index = torch.from_numpy(self._memory[p.name, "_given_index"]).long()
                early = step < steps
                series[step[early], 0, index[early]] = 1.0
                result[p.name] = series
        return result

    def _warn_of_silence(self, spikes: Mapping[str, Tensor]) -> None:
        if not (self.training and self._watches_silence):
            return
        self._watches_silence = False
        own = {n: s for n, s in spikes.items() if n in self._neurons}
        if own and not any(bool(s.any()) for s in own.values()):
            warnings.warn(
                f"Trainer: in the first batch no neuron of {', '.join(sorted(own))} spikes, so "
                "little or nothing can learn. Use larger weights or more input.",
                SilenceWarning,
                stacklevel=5,
            )

    # ---- afterwards

    def network(self) -> Network:
        """Return a network with the values of now, which every backend runs."""
        populations: dict[str, dict[str, np.ndarray]] = {}
        weights: dict[str, np.ndarray] = {}
        for item, parameter in self._learned():
            value = parameter.detach().double().cpu().numpy()
            if item.sort == "weight":
                weights[item.owner] = self._connections[item.owner].per_edge(value)
            else:
                populations.setdefault(item.owner, {})[item.name] = value
        return replace_values(self.source_network, populations=populations, weights=weights)

    def _learned(self) -> Iterator[tuple[Learnable, nn.Parameter]]:
        for item in self.learns.values():
            yield item, self.get_parameter(item.key)


def _with_driven(network: ConcreteNetwork, inputs: Sequence[Input]) -> ConcreteNetwork:
    """Return a network in which driven parameters are tables: no constant may depend on them."""
    populations = dict(network.populations)
    for item in inputs:
        if item.parameter is not None:
            p = populations[item.population]
            table = Table(np.zeros((1, 1)), 1)
            populations[p.name] = replace(p, parameters=p.parameters | {item.parameter: table})
    return replace(network, populations=populations)


def _require_trainable(program: Program) -> None:
    """Raise if a network has parts that the Trainer does not run."""
    if program.plastic:
        name = next(iter(program.plastic))
        raise NetworkError(
            f"Trainer: found projection {name!r} with a rule, expected projections without: "
            "training does not run rules. Leave the rule out, or run the network on a backend."
        )


def _deliver_all(c: Connection, operands: tuple[Tensor, ...], spikes: Tensor) -> Tensor:
    """Return what a projection adds to its port before each step, (T, B, N)."""
    steps = spikes.shape[0]
    total: Tensor | None = None
    for number, delay in enumerate(c.delays):
        late = 0 if c.same_step else min(delay + 1, steps)
        part = c.deliver(spikes[: steps - late], operands, number)
        if late:
            part = torch.cat([part.new_zeros(late, *part.shape[1:]), part])
        total = part if total is None else total + part
    return spikes.new_zeros(steps, spikes.shape[1], c.edges.size) if total is None else total


def _summed(terms: Iterator[Term]) -> list[Term]:
    """Return summands of which the first ones, if known for all steps, are summed already."""
    result: list[Term] = []
    for term in terms:
        if isinstance(term, Series) and len(result) == 1 and isinstance(result[0], Series):
            result[0] = Series(result[0].values + term.values)
        else:
            result.append(term)
    return result


__all__ = ["SilenceWarning", "Surrogate", "Trainer"]
