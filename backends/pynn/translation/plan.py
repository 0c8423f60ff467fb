"""What a PyNN script says, as data: populations, projections, recordings; made from a network, and written, run or mapped afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neurosim.backend.report import Place, Row

from .targets import Target

Values = float | np.ndarray


@dataclass(frozen=True, eq=False)
class PlannedPopulation:
    """One ``sim.Population``.

    Attributes
    ----------
    parameters, initial : numbers, or one per neuron
    spikes : of a SpikeSourceArray, (indices, times in ms), by index, then time
    current : of an ``i_offset`` over time, (times in ms, (T,) or (T, N) values in nA)
    rates : of Poisson sources over time, (steps, (T,) or (T, N) values in Hz)
    machine : further arguments that only this target knows
    drive : whether it stands for a Poisson drive, and is no population of the network
    """

    name: str
    size: int
    cell: str
    parameters: dict[str, Values] = field(default_factory=dict)
    initial: dict[str, Values] = field(default_factory=dict)
    spikes: tuple[np.ndarray, np.ndarray] | None = None
    current: tuple[np.ndarray, np.ndarray] | None = None
    rates: tuple[np.ndarray, np.ndarray] | None = None
    machine: dict[str, Any] = field(default_factory=dict)
    drive: bool = False


@dataclass(frozen=True, eq=False)
class PlannedRule:
    """One ``sim.STDPMechanism``."""

    dependence: str
    timing: dict[str, float]
    weights: dict[str, float]
    dendritic_fraction: float


@dataclass(frozen=True, eq=False)
class PlannedShortTerm:
    """One ``tsodyks2_synapse`` of NEST; ``tau_facil`` 0: no facilitation."""

    U: float
    tau_rec: float
    tau_facil: float


@dataclass(frozen=True, eq=False)
class PlannedProjection:
    """One ``sim.Projection`` by explicit edges.

    Attributes
    ----------
    of : projection or drive of the network that it is of, or a part of
    pre, post, weight, delay : (E,)
    edges : (E,) numbers of the edges within that projection
    scale : (E,) what our weight is multiplied by
    decay : of a current that many edges stand for, its time constant (E,) in ms; ``steps`` of it, each an edge with a longer delay
    """

    name: str
    of: str
    source: str
    target: str
    receptor: str
    pre: np.ndarray
    post: np.ndarray
    weight: np.ndarray
    delay: np.ndarray
    edges: np.ndarray
    scale: np.ndarray
    rule: PlannedRule | None = None
    short_term: PlannedShortTerm | None = None
    decay: np.ndarray | None = None
    steps: int = 1


@dataclass(frozen=True, eq=False)
class PlannedRecording:
    """One thing to record: probe number, owner, PyNN's names of the variables (summed, divided by ``scale``), every so many steps."""

    probe: int
    owner: str
    variables: tuple[str, ...]
    members: np.ndarray
    every: int = 1
    scale: Values = 1.0


@dataclass(frozen=True, eq=False)
class Plan:
    """A whole script, and the rows of the report that made it."""

    name: str
    dt: float
    seed: int
    target: Target
    populations: tuple[PlannedPopulation, ...]
    projections: tuple[PlannedProjection, ...]
    recordings: tuple[PlannedRecording, ...]
    rows: tuple[Row, ...]

    def population(self, name: str) -> PlannedPopulation:
        """Return a population by name."""
        return next(p for p in self.populations if p.name == name)


@dataclass
class Rows:
    """Rows of a report as they are found."""

    found: list[Row] = field(default_factory=list)

    def exact(self, place: Place, reason: str) -> None:
        """Add what will be as it is here."""
        self.found.append(Row(place, "exact", reason))

    def approximated(self, place: Place, reason: str, remedy: str = "") -> None:
        """Add what will differ, and by how much."""
        self.found.append(Row(place, "approximated", reason, remedy))

    def impossible(self, place: Place, reason: str, remedy: str = "") -> None:
        """Add what cannot be run."""
        self.found.append(Row(place, "impossible", reason, remedy))


def span(values: Any) -> str:
    """Return a number, or the range of several, for a reason."""
    found = np.asarray(values, np.float64)
    if found.size == 0:
        return "none"
    low, high = found.min(), found.max()
    return f"{low:.7g}" if low == high else f"{low:.7g} to {high:.7g}"
