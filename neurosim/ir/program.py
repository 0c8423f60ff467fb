"""Program: one time step, fully explicit. This file is the contract of a step.

Step k takes the network from time k*dt to (k+1)*dt. Signals act between steps: emitted before step
k, or by a spike of step k - 1, they belong to the end of step k - 1, after its recordings. The
statements of regular updates run before phase 1 of step k if k is a multiple of their interval;
their ``t`` is k*dt. Within a step:

1. sources: random numbers of the step are drawn, rows of tables come into force.
2. integrate: conditions that forbid a spike while they hold are evaluated, ports jump their
   states, the statements of each cell run; frozen states keep their values.
3. detect: the spike condition, for neurons that are not refractory.
4. deliver: the equations of rules that have no closed form, projections in creation order, first
   those of pre and post variables, then of edges; then projections in creation order, their "pre"
   and "post" handlers in tuple order; then "step" handlers, projections in creation order; then
   every port becomes the left fold from 0.0 of its terms, projections and drives in creation order.
5. reset: the statements after a spike.
6. record.

Projections within a step (``same_step``) divide phases 2 and 3 into stages: `Program.stages` has
the populations of each. Stage 0 is integrated and detected; then, for each further stage in turn,
the same-step projections onto its populations deliver the spikes of this step, in creation order,
every port of these populations adds their terms in creation order, and the populations are
integrated and detected. A port of a later stage is thus the left fold of the terms of phase 4 of
the step before, to which the same-step terms of this step are added. A same-step rule runs its
"pre" handlers there, the others in phase 4. Phases 4 to 6 come once, after the last stage. Draws,
tables and conditions at the beginning of a step know no stages: none depends on a spike of it.

A static projection of delay d adds the weights of spikes of step k - d to its term in step k. Terms
that land in phase 4 of step k are integrated in phase 2 of step k + 1. A rule's "pre" handlers run
``axonal`` steps after the spike, their deliveries land ``dendritic`` steps later, and its "post"
handlers run ``back`` steps after the target's spike. Edge e of a projection whose edges share
weights has the weight ``w[shared[e]]``. A term is a left fold from 0.0: in order of the step in
which the delivering statement ran, then of statements, then oldest spike first, then by source,
then in the user's order of the edges of one pair.

A variable of a rule whose equation has a closed form, ``dx/dt = inflow - x / tau``, and that was
assigned in step m, has in step k, with ``d = (k - m) * dt`` and ``z = -d / tau``, the value
``base * exp(z) + inflow * (d * expm1_ratio(z))``, or ``base * exp(z)`` without inflow. Initial
values, ``set``, ``reset`` and signals between steps k - 1 and k count as assignments of step k - 1,
and so does a change of tau or inflow. A sum into a pre or post variable assigns only neurons with
at least one active edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..expr.tree import Assign, Draw, Expr
from ..model.binding import BoundStatement, Symbol
from ..model.integration.methods import Propagator
from ..model.integration.sub_steps import SubSteps
from ..model.names import Domain
from ..network.probes import Probe
from ..network.timed_events import RegularUpdate, SpikeSignal
from .concrete import ConcreteDrive, ConcreteLink
from .delay_groups import DelayGroups, incoming, outgoing, row_of_edge

HELD = "_held"
"""The temporary of phase 2 that forbids a spike: a condition at the beginning of the step."""


# Compared by value: equal programs share one piece of compiled code.
@dataclass(frozen=True)
class CellProgram:
    """The statements of one cell; equal for all populations of equal equations and tables.

    Names in statements are states, parameters, ``_port_x`` (the sum that arrived at port x),
    constants and propagators that the host computes (``_c0`` ..., ``_P...`` and ``_Q...``), and
    temporaries, which begin with ``_``. The words are ``t``, ``dt``, ``i`` and ``N``.

    Attributes
    ----------
    name : str
    states, parameters, ports : names
    tables : names
        Parameters whose values change over time.
    integrate : statements of phase 2
    frozen : names
        States that keep their values while a neuron is refractory.
    detect : Expr or None
        The spike condition; None: the cell never spikes.
    after : statements of phase 5
    refractory : bool
        Whether the cell has a refractory time.
    draws : random numbers of a step, ascending by key
    hosted : (name, expression)
        Constants over parameters, in order of dependence.
    propagator : Propagator or None
        The exact step of the cell's linear group.
    methods : (state, method)
        Integration methods, for reports.
    sub_steps : SubSteps or None
        The loop of the adaptive method, which runs between the statements of phase 2.
    """

    name: str
    states: tuple[str, ...]
    parameters: tuple[str, ...]
    tables: tuple[str, ...]
    ports: tuple[str, ...]
    integrate: tuple[Assign, ...]
    frozen: tuple[str, ...]
    detect: Expr | None
    after: tuple[Assign, ...]
    refractory: bool
    draws: tuple[Draw, ...]
    hosted: tuple[tuple[str, Expr], ...]
    propagator: Propagator | None
    # Pairs in place of dictionaries keep the program hashable.
    methods: tuple[tuple[str, str], ...]
    sub_steps: SubSteps | None = None

    @property
    def around_sub_steps(self) -> tuple[tuple[Assign, ...], tuple[Assign, ...]]:
        """The statements of phase 2 before the loop of sub-steps, and those after it."""
        first = 0 if self.sub_steps is None else self.sub_steps.after
        return self.integrate[:first], self.integrate[first:]


@dataclass(frozen=True)
class RuleProgram:
    """The statements of one rule between two cells.

    Attributes
    ----------
    name : str
    symbols : (name, Symbol)
        Variables, parameters and links, and the words and states of cells that statements read.
    handlers : (trigger, statements)
    integrate : statements
        Of the equations that are integrated in each step, over all members of a side.
    hosted : (name, expression)
        Constants over those parameters that have one value, and coefficients of closed forms.
    propagators : tuple of Propagator
        The exact steps of the linear groups of equations.
    """

    name: str
    symbols: tuple[tuple[str, Symbol], ...]
    handlers: tuple[tuple[str, tuple[BoundStatement, ...]], ...]
    integrate: tuple[BoundStatement, ...]
    hosted: tuple[tuple[str, Expr], ...]
    propagators: tuple[Propagator, ...]


# Compared by identity from here on, because arrays have no single truth value.
@dataclass(frozen=True, eq=False)
class PopulationProgram:
    """A population and its cell's statements.

    Attributes
    ----------
    size : int
        N neurons.
    code : CellProgram
    refractory : float, str or None
        Refractory time in ms, or the parameter that holds it.
    is_spike_source : bool
        Whether its spikes are listed by the user.
    history : int, steps
        Steps for which spikes are stored: those of the longest delay, this step, and the next one,
        which another thread may have begun.
    contributions : port -> names
        The projections and drives of each port whose terms are folded in phase 4, in creation
        order.
    same_step : port -> names
        The projections of each port whose terms are added before phase 2, in creation order.
    """

    name: str
    size: int
    code: CellProgram
    refractory: str | float | None
    is_spike_source: bool
    history: int
    contributions: dict[str, tuple[str, ...]]
    same_step: dict[str, tuple[str, ...]]


@dataclass(frozen=True, eq=False)
class ProjectionProgram:
    """The edges of a projection, in (source, target) order: common to static and plastic ones.

    It is a base, not a part of either, since engines read ends and edges of both by the same names.

    Attributes
    ----------
    source, target : str
        Names of the populations at both ends.
    port : str or None
        Port of the target that deliveries are added to; None if the rule delivers nothing.
    pointer : (N_source + 1,) int64
        Edges ``pointer[i]`` to ``pointer[i + 1]`` leave source i.
    targets : (E,) uint16 or int32
        Target of each edge; the type is that of `neurosim.draws.sampling.index_type`.
    size : int
        Neurons of the target.
    axonal : int or (E,), steps
        Delay from source to synapse; one number if all edges share it.
    same_step : bool
        Whether spikes are delivered before the target is integrated; all delays are then 0.
    """

    name: str
    source: str
    target: str
    port: str | None
    pointer: np.ndarray
    targets: np.ndarray
    size: int
    axonal: int | np.ndarray
    same_step: bool

    @cached_property
    def pre_groups(self) -> DelayGroups:
        """Edges on which one arriving spike of a source acts, by source and delay."""
        # Made on demand: backends that translate edges for another simulator never need groups.
        return outgoing(self.pointer, self.axonal)

    @cached_property
    def sources(self) -> np.ndarray:
        """Source of each edge, (E,)."""
        return row_of_edge(self.pointer)


@dataclass(frozen=True, eq=False)
class StaticProjection(ProjectionProgram):
    """Edges that only add their weight to a port; their whole delay acts along the axon.

    Attributes
    ----------
    shared : (E,) uint16 or int32, or None
        Position of the weight of each edge among the K weights that edges share; None: one for
        each edge, or one for all.
    """

    # Narrower than in the base: without a rule there is always a delivery.
    port: str
    shared: np.ndarray | None


@dataclass(frozen=True, eq=False)
class PlasticProjection(ProjectionProgram):
    """Edges that follow a rule.

    Attributes
    ----------
    dendritic : int or (E,), steps
        Delay from synapse to port.
    back : int, (E,) or None, steps
        Delay from a spike of the target to the synapse; None without post handlers and variables.
    code : RuleProgram
    links : symbol of the rule -> location of its value
    """

    dendritic: int | np.ndarray
    back: int | np.ndarray | None
    code: RuleProgram
    links: dict[str, ConcreteLink]

    @cached_property
    def symbols(self) -> dict[str, Symbol]:
        """Symbols of the rule by name."""
        return dict(self.code.symbols)

    @cached_property
    def post_groups(self) -> DelayGroups | None:
        """Edges on which one returning spike of a target acts; None without post handlers."""
        # On demand as well: sorting the edges by target takes time and memory.
        return None if self.back is None else incoming(self.size, self.targets, self.back)

    def ends(self, side: Domain, edges: np.ndarray) -> np.ndarray:
        """Return the neuron at one end of some edges.

        Unlike `sources`, nothing as long as all edges is made for some of them.
        """
        if side == "post":
            return self.targets[edges]
        return np.searchsorted(self.pointer, edges, side="right") - 1

    def groups_of(self, side: Domain, edges: np.ndarray) -> np.ndarray:
        """Return the delay group at one end of some edges; see `ends`."""
        groups = self.groups(side)
        return self.ends(side, edges) if groups.uniform else groups.of_edge[edges]

    def groups(self, side: Domain) -> DelayGroups:
        """Return the delay groups of the sources ("pre") or of the targets ("post").

        Raises
        ------
        LookupError
            For the targets of a rule that has no post handler and no post variable.
        """
        groups = self.pre_groups if side == "pre" else self.post_groups
        if groups is None:
            raise LookupError(f"projection {self.name!r}: its rule knows no spikes of targets")
        return groups


@dataclass(frozen=True, eq=False)
class Program:
    """All that an engine needs, besides the values in `Memory`."""

    name: str
    dt: float
    seed: int
    populations: dict[str, PopulationProgram]
    projections: dict[str, StaticProjection | PlasticProjection]
    drives: dict[str, ConcreteDrive]
    probes: tuple[Probe, ...]
    updates: tuple[RegularUpdate, ...] = ()
    signals: tuple[SpikeSignal, ...] = ()

    @cached_property
    def plastic(self) -> dict[str, PlasticProjection]:
        """The projections that follow a rule, in creation order."""
        return {n: p for n, p in self.projections.items() if isinstance(p, PlasticProjection)}

    def shares_weights(self, name: str) -> bool:
        """Return whether edges of the projection of a name, if it is one, share few weights."""
        projection = self.projections.get(name)
        return isinstance(projection, StaticProjection) and projection.shared is not None

    @cached_property
    def stages(self) -> tuple[tuple[str, ...], ...]:
        """The populations of each stage, in creation order; one stage without same-step edges.

        A population is in the first stage that follows those of all its same-step sources.
        """
        stage = dict.fromkeys(self.populations, 0)
        within = [p for p in self.projections.values() if p.same_step]
        # The network refuses circles, so that each turn settles at least one more population.
        while late := [p for p in within if stage[p.target] <= stage[p.source]]:
            for p in late:
                stage[p.target] = max(stage[p.target], stage[p.source] + 1)
        count = 1 + max(stage.values(), default=0)
        return tuple(tuple(n for n in stage if stage[n] == s) for s in range(count))
