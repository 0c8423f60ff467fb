"""Plan: everything that a network is in training besides the values that learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from neurosim.draws.values import Table
from neurosim.errors import NetworkError
from neurosim.ir.concrete import ConcreteNetwork
from neurosim.ir.concretise import concretise
from neurosim.ir.discretise import discretise
from neurosim.ir.memory import Memory
from neurosim.ir.program import Program
from neurosim.network.network import Network

from .connections import Connection, connection_of, graded
from .constants import PopulationValues
from .graded import signal_of
from .gradients.methods import Method
from .gradients.surrogates import Surrogate
from .groups import order_groups
from .interfaces import Input, Output
from .learnable import Learnable, learnables, read_train
from .neurons import Neurons


@dataclass(frozen=True)
class Settings:
    """Options of a Trainer.

    Attributes
    ----------
    inputs : tuple of Input
    outputs : tuple of Output
    train : names
    surrogate : Surrogate
    widths : population -> float
    method : Method
    dtype : torch.dtype
    device : torch.device
    """

    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    train: Sequence[str]
    surrogate: Surrogate
    widths: Mapping[str, float]
    method: Method
    dtype: torch.dtype
    device: torch.device


@dataclass(frozen=True, eq=False)
class Plan:
    """A network as operations over samples.

    Attributes
    ----------
    hash : str
        Of the network as it was given.
    program : Program
    memory : Memory
        Values at the start.
    learns : label -> Learnable
    values : population -> PopulationValues
        Of the populations that are computed.
    neurons : population -> Neurons
    connections : projection -> Connection
    groups : populations that act on each other, in order of dependence
    """

    hash: str
    program: Program
    memory: Memory
    learns: dict[str, Learnable]
    values: dict[str, PopulationValues]
    neurons: dict[str, Neurons]
    connections: dict[str, Connection]
    groups: tuple[tuple[str, ...], ...]

    def into(self, population: str, port: str) -> list[Connection]:
        """Return the connections to a port, in the order of its sum."""
        into = [
            connection
            for connection in self.connections.values()
            if connection.target == population and connection.port == port
        ]
        # Terms of the step before come first: they wait at the port when a step begins.
        return sorted(into, key=lambda connection: connection.same_step)

    def numbers_per_step(self) -> int:
        """Return how many numbers a sample stores in each step as series: spikes and input."""
        spikes = sum(population.size for population in self.program.populations.values())
        delivered = sum(connection.edges.size for connection in self.connections.values())
        return spikes + delivered

    def numbers_of_states(self) -> int:
        """Return how many numbers the states of a sample are."""
        count = 0
        for name in self.neurons:
            population = self.program.populations[name]
            per_neuron = len(population.code.states) + int(population.code.refractory)
            count += population.size * per_neuron
        return count

    def needed(self, populations: set[str]) -> set[str]:
        """Return populations and all that act on them."""
        needed = set(populations)
        connections = self.connections.values()
        while True:
            sources = {link.source for link in connections if link.target in needed}
            if sources <= needed:
                return needed
            needed |= sources


def make_plan(network: Network, settings: Settings) -> Plan:
    """Return the plan of a network.

    Raises
    ------
    NetworkError
        A name that cannot learn, or a part that training does not run.
    """
    # The hash is that of the user's network; driven parameters change only what is computed.
    as_described = concretise(network)
    concrete = _with_driven(as_described, settings.inputs)
    program = discretise(concrete)
    _require_trainable(program)
    signals = {
        name: signal_of(projection, settings.dtype) for name, projection in program.plastic.items()
    }
    bounds = {name: np.array([0, p.size]) for name, p in program.populations.items()}
    memory = Memory(program, concrete, bounds)
    computed = _computed(program, settings.inputs)
    projections = [
        projection for projection in program.projections.values() if projection.target in computed
    ]
    can_learn = learnables(
        program,
        concrete,
        projections=[projection.name for projection in projections],
        simulated=computed,
        driven={item.label for item in settings.inputs},
    )
    learns = {item.label: item for item in read_train(settings.train, can_learn)}
    values = {
        name: PopulationValues(
            program.populations[name],
            network.populations[name],
            memory,
            seed=network.seed,
            dt=network.dt,
            device=settings.device,
        )
        for name in computed
    }
    connections = {
        projection.name: connection_of(
            projection,
            network.projections[projection.name],
            memory[projection.name, "w"],
            learns=projection.name in learns,
            sources_size=program.populations[projection.source].size,
            device=settings.device,
        )
        for projection in projections
    }
    graded_names = signals.keys() & connections.keys()
    for name in graded_names:
        connections[name] = graded(connections[name], signals[name])
    groups = _groups(computed, connections)
    for name in graded_names:
        _require_smooth_source(connections[name], program, groups)
    return Plan(
        hash=as_described.hash(),
        program=program,
        memory=memory,
        learns=learns,
        values=values,
        neurons={name: _neurons(program, memory, values[name], name, settings) for name in values},
        connections=connections,
        groups=groups,
    )


def _computed(program: Program, inputs: Sequence[Input]) -> list[str]:
    """Return the populations whose steps are computed: those without given spikes.

    Projections onto the others do nothing.
    """
    replayed = {item.population for item in inputs if item.parameter is None}
    return [
        name
        for name, population in program.populations.items()
        if name not in replayed and not population.is_spike_source
    ]


def _groups(
    names: Sequence[str], connections: Mapping[str, Connection]
) -> tuple[tuple[str, ...], ...]:
    """Return groups in order of dependence, and the populations of each in order of stages."""
    edges = []
    within = []
    for connection in connections.values():
        edge = (connection.source, connection.target)
        edges.append(edge)
        if connection.same_step:
            within.append(edge)
    groups = []
    for group in order_groups(names, edges):
        stages = order_groups(group, within)
        groups.append(tuple(name for stage in stages for name in stage))
    return tuple(groups)


def _neurons(
    program: Program,
    memory: Memory,
    values: PopulationValues,
    name: str,
    settings: Settings,
) -> Neurons:
    population = program.populations[name]
    pause = None
    if population.code.refractory and memory[name, "_refractory"].any():
        pause = torch.from_numpy(memory[name, "_refractory"].astype(np.int64))
        pause = pause.to(settings.device)
    neurons = Neurons(
        population,
        dt=program.dt,
        seed=program.seed,
        pause=pause,
        surrogate=settings.surrogate,
        width=settings.widths.get(name, 1.0),
        dtype=settings.dtype,
        device=settings.device,
    )
    # A surrogate as wide as the usual distance reaches most neurons before anything is learnt.
    if name not in settings.widths and neurons.distance is not None:
        start = {key: value.to(settings.dtype) for key, value in values.start.items()}
        neurons.width = _width(neurons.distance_at(start))
    return neurons


def _width(distances: Tensor) -> float:
    """Return the median distance from the threshold; 1 if it is no positive number."""
    width = float(distances.abs().median())
    return width if 0 < width < float("inf") else 1.0


def _with_driven(network: ConcreteNetwork, inputs: Sequence[Input]) -> ConcreteNetwork:
    """Return a network in which driven parameters are tables: no constant may depend on them."""
    populations = dict(network.populations)
    for item in inputs:
        if item.parameter is not None:
            population = populations[item.population]
            # Its values do not matter: each batch brings those of all steps.
            table = Table(np.zeros((1, 1)), 1)
            parameters = population.parameters | {item.parameter: table}
            populations[population.name] = replace(population, parameters=parameters)
    return replace(network, populations=populations)


def _require_trainable(program: Program) -> None:
    """Raise if a network has parts that training does not run."""
    if program.drives:
        name = next(iter(program.drives))
        raise NetworkError(
            f"Trainer: found the drive {name!r}, expected none: training does not draw Poisson "
            "counts. Give the input as spikes of a source, or as values of a parameter."
        )
    if program.updates:
        raise NetworkError(
            "Trainer: found statements at regular times (net.every), expected none: training "
            "does not run them. Leave them out."
        )
    for population in program.populations.values():
        if population.code.sub_steps is not None:
            raise NetworkError(
                f"Trainer, population {population.name!r}: found the method 'adaptive', expected "
                "one whose neurons all take the same steps. Use method='rk4'."
            )


def _require_smooth_source(
    connection: Connection, program: Program, groups: tuple[tuple[str, ...], ...]
) -> None:
    """Raise unless the source of a graded projection can be computed before its target."""
    source, target = connection.source, connection.target
    is_circle = any(source in group and target in group for group in groups)
    has_spikes = program.populations[source].code.detect is not None
    if has_spikes or is_circle:
        obstacle = "spikes" if has_spikes else "depends on the target"
        raise NetworkError(
            f"Trainer: found the graded projection {connection.name!r} from {source!r}, which "
            f"{obstacle}; expected a source that does neither spike nor depend on the target. Use "
            "spikes."
        )
