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
        # Terms of the step before come first: they wait at the port when a step begins.
        into = [c for c in self.connections.values() if (c.target, c.port) == (population, port)]
        return sorted(into, key=lambda c: c.same_step)

    def numbers_per_step(self) -> int:
        """Return how many numbers a sample stores in each step as series: spikes and input."""
        populations = self.program.populations.values()
        delivered = sum(c.edges.size for c in self.connections.values())
        return sum(p.size for p in populations) + delivered

    def numbers_of_states(self) -> int:
        """Return how many numbers the states of a sample are."""
        populations = (self.program.populations[name] for name in self.neurons)
        return sum(p.size * (len(p.code.states) + p.code.refractory) for p in populations)

    def needed(self, populations: set[str]) -> set[str]:
        """Return populations and all that act on them."""
        needed = set(populations)
        while True:
            more = {c.source for c in self.connections.values() if c.target in needed} - needed
            if not more:
                return needed
            needed |= more


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
    signals = {name: signal_of(p, settings.dtype) for name, p in program.plastic.items()}
    bounds = {p.name: np.array([0, p.size]) for p in program.populations.values()}
    memory = Memory(program, concrete, bounds)
    # Populations whose spikes are given are not computed, and projections onto them do nothing.
    replayed = {i.population for i in settings.inputs if i.parameter is None}
    sources = {n for n, p in program.populations.items() if p.is_spike_source}
    computed = [n for n in program.populations if n not in replayed | sources]
    driven = {i.label for i in settings.inputs}
    projections = [p for p in program.projections.values() if p.target in computed]
    can_learn = learnables(
        program,
        concrete,
        projections=[p.name for p in projections],
        simulated=computed,
        driven=driven,
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
        p.name: connection_of(
            p,
            network.projections[p.name],
            memory[p.name, "w"],
            learns=p.name in learns,
            sources_size=program.populations[p.source].size,
            device=settings.device,
        )
        for p in projections
    }
    connections |= {
        name: graded(connections[name], signal)
        for name, signal in signals.items()
        if name in connections
    }
    groups = _groups(computed, connections)
    for name in signals.keys() & connections.keys():
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


def _groups(
    names: Sequence[str], connections: Mapping[str, Connection]
) -> tuple[tuple[str, ...], ...]:
    """Return groups in order of dependence, and the populations of each in order of stages."""
    edges = [(c.source, c.target) for c in connections.values()]
    within = [(c.source, c.target) for c in connections.values() if c.same_step]
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
    p = program.populations[name]
    pause = None
    if p.code.refractory and memory[name, "_refractory"].any():
        pause = torch.from_numpy(memory[name, "_refractory"].astype(np.int64))
        pause = pause.to(settings.device)
    neurons = Neurons(
        p,
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
            p = populations[item.population]
            # Its values do not matter: each batch brings those of all steps.
            table = Table(np.zeros((1, 1)), 1)
            populations[p.name] = replace(p, parameters=p.parameters | {item.parameter: table})
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
    c: Connection, program: Program, groups: tuple[tuple[str, ...], ...]
) -> None:
    """Raise unless the source of a graded projection can be computed before its target."""
    group = next((g for g in groups if c.source in g), ())
    spikes = program.populations[c.source].code.detect is not None
    if spikes or c.target in group:
        wrong = "spikes" if spikes else "depends on the target"
        raise NetworkError(
            f"Trainer: found the graded projection {c.name!r} from {c.source!r}, which {wrong}; "
            "expected a source that does neither spike nor depend on the target. Use spikes."
        )
