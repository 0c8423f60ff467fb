"""A PyNN script as data: populations, projections and recordings, before anything is written."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from neurosim.backend.report_rows import Row

from .targets import Target

Values = float | np.ndarray  # one for all neurons, or (N,)

# Dataclasses with arrays have ``eq=False``: comparing arrays gives arrays, no truth value.


@dataclass(frozen=True, eq=False)
class SpikeTimes:
    """Spikes of a SpikeSourceArray, (S,) each, by index, then time in ms."""

    index: np.ndarray
    times: np.ndarray


@dataclass(frozen=True, eq=False)
class StepCurrent:
    """A current in nA that changes at times in ms: (T,) times, (T,) or (T, N) amplitudes."""

    times: np.ndarray
    amplitudes: np.ndarray


@dataclass(frozen=True, eq=False)
class RateChanges:
    """Rates in Hz that change at the beginning of steps: (T,) steps, (T,) or (T, N) rates."""

    steps: np.ndarray
    rates: np.ndarray


@dataclass(frozen=True, eq=False)
class PlannedState:
    """A state of the network, and the factor by which it becomes one of the standard cell."""

    name: str
    scale: Values


@dataclass(frozen=True, eq=False)
class PlannedPopulation:
    """One ``sim.Population``.

    Attributes
    ----------
    name : str
        Label.
    size : int
        Number of neurons N.
    cell : str
        PyNN's name of the cell.
    parameters, initial : dict of str to Values
        Name -> number, or (N,).
    spikes : SpikeTimes or None
        Of a SpikeSourceArray.
    current : StepCurrent or None
        Of an ``i_offset`` that changes over time, besides its parameter.
    rates : RateChanges or None
        Of Poisson sources that change over time.
    machine : dict of str to int
        Further arguments, which only this target knows.
    is_drive : bool
        Whether it stands for a Poisson drive, and is no population of the network.
    states : dict of str to PlannedState
        By state of the standard cell.
    """

    name: str
    size: int
    cell: str
    parameters: dict[str, Values] = field(default_factory=dict)
    initial: dict[str, Values] = field(default_factory=dict)
    spikes: SpikeTimes | None = None
    current: StepCurrent | None = None
    rates: RateChanges | None = None
    machine: dict[str, int] = field(default_factory=dict)
    is_drive: bool = False  # its neurons are not counted among those of the network
    states: dict[str, PlannedState] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class PlannedRule:
    """One ``sim.STDPMechanism``: its weight dependence, and arguments of timing and weights.

    Amplitudes are relative to w_max, or ``absolute``: changes of the weight itself.
    """

    dependence: str
    timing: dict[str, float]
    weights: dict[str, float]
    dendritic_fraction: float
    absolute: bool = False


@dataclass(frozen=True, eq=False)
class PlannedShortTerm:
    """One ``tsodyks2_synapse`` of NEST; ``tau_facil`` 0: no facilitation."""

    U: float
    tau_rec: float
    tau_facil: float


@dataclass(frozen=True, eq=False)
class PlannedDecay:
    """Currents that many edges stand for: time constants (E,) in ms, and steps of each decay.

    Each step is an edge of its own, with a longer delay.
    """

    time_constants: np.ndarray
    steps: int


@dataclass(frozen=True, eq=False)
class PlannedProjection:
    """One ``sim.Projection`` by explicit edges.

    Attributes
    ----------
    name : str
        Label.
    origin : str
        Projection or drive of the network that it is, or is a part of.
    source, target, receptor : str
    pre, post : (E,)
        Indices.
    weight : (E,)
        In the unit of the standard cell.
    delay : (E,) ms
    edges : (E,)
        Numbers of the edges within ``origin``.
    scale : (E,)
        Factor that weights of the network are multiplied by.
    rule, short_term : PlannedRule, PlannedShortTerm or None
        Plasticity, if it has any.
    decay : PlannedDecay or None
        Of edges that stand for a decaying current.
    """

    name: str
    origin: str
    source: str
    target: str
    receptor: str
    pre: np.ndarray
    post: np.ndarray
    weight: np.ndarray
    delay: np.ndarray
    # A projection of the network may be split by receptor or over several edges of one pair: with
    # `edges` and `scale`, recorded weights find back to the edges and the unit of the network.
    edges: np.ndarray
    scale: np.ndarray
    rule: PlannedRule | None = None
    short_term: PlannedShortTerm | None = None
    decay: PlannedDecay | None = None


@dataclass(frozen=True, eq=False)
class PlannedRecording:
    """One thing to record.

    Attributes
    ----------
    probe : int
        Number of the probe in the network.
    owner : str
        Population or projection of the network.
    variables : tuple of str
        PyNN's names; ours is their sum divided by ``scale``.
    subtracted : tuple of str
        Those of them that the target subtracts: the sum takes them with the other sign.
    members : (M,)
        Indices of neurons, or of edges.
    every : int
        Steps between samples.
    scale : Values
        Number, or (N,).
    """

    probe: int
    owner: str
    # Several names: a state of ours may be both receptors of a standard cell, and is their sum.
    variables: tuple[str, ...]
    members: np.ndarray
    every: int = 1
    scale: Values = 1.0
    subtracted: tuple[str, ...] = ()

    def sign(self, variable: str) -> float:
        """Return the sign with which a variable is a term of ours."""
        return -1.0 if variable in self.subtracted else 1.0

    @property
    def of_spikes(self) -> bool:
        """Whether spikes are recorded."""
        return self.variables == ("spikes",)

    @property
    def of_weights(self) -> bool:
        """Whether weights of a projection are recorded."""
        return self.variables == ("weight",)


@dataclass(frozen=True, eq=False)
class Plan:
    """A whole script, and the rows of its report.

    Attributes
    ----------
    name : str
        Of the network.
    dt : float, ms
    seed : int
        Of the network.
    target : Target
        Simulator that the script is for.
    """

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

    def parts(self, origin: str) -> list[PlannedProjection]:
        """Return the parts of a projection or drive of the network."""
        return [q for q in self.projections if q.origin == origin]
