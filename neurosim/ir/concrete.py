"""ConcreteNetwork: a network after all random draws; arrays in engine units, times in ms."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..draws.sampling import blocks
from ..draws.values import Shared, Table
from ..model.binding import BoundRule
from ..model.cell import Cell
from ..model.names import Domain
from ..model.rule import Rule
from ..network.populations import View
from ..network.probes import Probe
from ..network.timed_events import RegularUpdate, SpikeSignal
from .delay_groups import row_of_edge
from .derived import Derived
from .edge_values import Drawn

Value = float | np.ndarray | Table
"""A parameter: a number, one number per neuron or edge, or a table over time."""

Delay = float | np.ndarray | Drawn
"""A delay in ms: one number, or (E,)."""

# Files of states and recordings hold the digest, so a renamed field is digested by its old name.
_DIGESTED_AS = {"derived": "written", "source_spikes": "given"}


@dataclass(frozen=True, eq=False)
class ConcretePopulation:
    """A population with the values of its parameters and states.

    Attributes
    ----------
    size : int
        N neurons.
    parameters : name -> number, (N,) or table
    derived : Derived
        Parameters that are written as text over others.
    initial : state -> (N,)
    refractory : float, str or None
        Refractory time in ms, or the parameter that holds it.
    source_spikes : ((S,) steps, (S,) indices) or None
        The spikes of a source whose user lists them.
    """

    name: str
    size: int
    cell: Cell
    parameters: dict[str, Value]
    derived: Derived
    initial: dict[str, np.ndarray]
    refractory: str | float | None
    source_spikes: tuple[np.ndarray, np.ndarray] | None


@dataclass(frozen=True, eq=False)
class ConcreteLink:
    """The location of the value of a rule's symbol.

    Attributes
    ----------
    owner, name : str
        The population or projection that is read, and its state, parameter or variable.
    side : Domain
        The end by whose neurons the value is read; ``one`` if all edges read the same.
    index : (1,), (N,), (E,) indices or None
        Neuron of the owner for all edges, for each neuron of the side, or for each edge; None:
        each neuron reads the one of its own index.
    """

    owner: str
    name: str
    side: Domain
    index: np.ndarray | None


@dataclass(frozen=True, eq=False)
class ConcreteProjection:
    """Edges sorted by source, then target, and their values.

    Attributes
    ----------
    source, target : str
        Names of the populations at both ends; edges hold indices of whole populations.
    pointer : (N_source + 1,) int64
        Edges ``pointer[i]`` to ``pointer[i + 1]`` leave source i.
    targets : (E,) uint16 or int32
        Target of each edge; the type is that of `neurosim.draws.sampling.index_type`.
    weight : number, (E,), Shared or None
        Weight of a static projection, in the unit of its port; None with a rule. The index of
        shared weights is uint16 or int32, in the order of edges.
    delay, back : number or (E,), ms
        Without ``back``, spikes of the target return after the dendritic part of the delay.
    dendritic_fraction : 1
        Part of the delay that acts between synapse and port.
    values : name -> number, (N,) or (E,)
        Parameters of the rule.
    initial : name -> number, (N,) or (E,)
        Variables of the rule at the start.
    """

    name: str
    source: str
    target: str
    port: str | None
    pointer: np.ndarray
    targets: np.ndarray
    weight: Value | Shared | None
    delay: Delay | None
    dendritic_fraction: float
    back: Delay | None
    round_delays: bool
    same_step: bool
    rule: Rule | None
    bound: BoundRule | None
    links: dict[str, ConcreteLink]
    values: dict[str, Value]
    derived: Derived
    initial: dict[str, np.ndarray | Drawn | float]

    @property
    def sources(self) -> np.ndarray:
        """Source of each edge, (E,) int32."""
        # Not stored, because the pointer says the same in the memory of the neurons.
        return row_of_edge(self.pointer).astype(np.int32, copy=False)


@dataclass(frozen=True, eq=False)
class ConcreteDrive:
    """Poisson spike trains that are added to a port.

    Attributes
    ----------
    indices : (M,) indices
        The neurons of the target that are driven.
    rate : number or (M,), 1/ms
        Expected spikes of all trains of one neuron.
    weight : number or (M,)
        Added for each spike, in the unit of the port.
    """

    name: str
    target: str
    indices: np.ndarray
    port: str
    rate: float | np.ndarray
    weight: float | np.ndarray


@dataclass(frozen=True, eq=False)
class ConcreteNetwork:
    """A network after all draws.

    Attributes
    ----------
    dt : float, ms
    order : tuple of str
        Projections and drives in creation order, the order of every sum at a port.
    observed : population -> definition -> (N,)
        Definitions that are recorded or read by rules, with their values at the start.
    """

    name: str
    dt: float
    seed: int
    populations: dict[str, ConcretePopulation]
    projections: dict[str, ConcreteProjection]
    drives: dict[str, ConcreteDrive]
    order: tuple[str, ...]
    probes: tuple[Probe, ...]
    updates: tuple[RegularUpdate, ...] = ()
    signals: tuple[SpikeSignal, ...] = ()
    observed: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)

    def hash(self) -> str:
        """Return a digest of everything that a run depends on."""
        heading = repr((self.name, self.dt, self.seed, self.order))
        digest = hashlib.blake2b(heading.encode(), digest_size=16)
        # Probes are left out: recording does not change a run.
        owners = (*self.populations.values(), *self.projections.values(), *self.drives.values())
        for owner in owners:
            fields = {_DIGESTED_AS.get(name, name): value for name, value in vars(owner).items()}
            _update(digest, fields)
        for item in (*self.updates, *self.signals):
            digest.update(
                repr([v for v in vars(item).values() if not isinstance(v, View)]).encode()
            )
            digest.update(item.view.name.encode())
            _update(digest, item.view.indices)
        return digest.hexdigest()

    def outline(self) -> ConcreteNetwork:
        """Return the network without static weights and delays.

        A run needs no more: its memory holds the weights and its program the delays.
        """
        return replace(
            self,
            projections={
                name: replace(p, weight=None, delay=None, back=None)
                for name, p in self.projections.items()
            },
        )


def _update(digest: Any, value: Any) -> None:
    """Add a value to the digest of a network."""
    match value:
        case np.ndarray():
            _update_array(digest, value)
        case Drawn():
            _update_drawn(digest, value)
        case dict():
            # Sorted, since equal networks may have made their dictionaries in different orders.
            for key in sorted(value):
                digest.update(key.encode())
                _update(digest, value[key])
        case Table():
            _update(digest, value.values)
            _update(digest, value.every)
        case ConcreteLink() | Derived() | Shared():
            _update(digest, vars(value))
        case tuple():
            for item in value:
                _update(digest, item)
        case BoundRule():
            pass  # rule and cells determine it
        case _:
            digest.update(repr(_content(value)).encode())


def _content(value: Any) -> Any:
    """Return the parts of a cell or rule on which a run depends: all but names and parameters."""
    match value:
        # Values of parameters are digested with their population, and a name changes nothing.
        case Cell():
            # Only where they are used, so that files of other networks stay valid.
            more = (value.crossing, value.pause) if value.crossing or value.pause else ()
            more += () if value.tolerances is None else (value.tolerances,)
            return (
                value.states,
                value.definitions,
                value.spike,
                value.after_spike,
                value.step,
                value.method,
                value.refractory,
                *more,
            )
        case Rule():
            content = value.edge, value.pre, value.post, value.handlers, value.definitions
            return content if value.method is None else (*content, value.method)
    return value


def _update_drawn(digest: Any, drawn: Drawn) -> None:
    # The digest is that of the numbers, so it does not depend on whether they are stored.
    digest.update(str(np.dtype(np.float64)).encode())
    for _, part in drawn.parts():
        if part.size:
            digest.update(np.ascontiguousarray(part).data.cast("B"))


def _update_array(digest: Any, array: np.ndarray) -> None:
    # Equal indices give equal digests, however many bytes they take.
    dtype = np.dtype(np.int32) if array.dtype == np.uint16 else array.dtype
    digest.update(str(dtype).encode())
    if array.size == 0:
        return
    # Arrays that are converted are converted in blocks, to save memory.
    for part in blocks(array.size, width=1) if dtype != array.dtype else [...]:
        digest.update(np.ascontiguousarray(array[part], dtype).data.cast("B"))
