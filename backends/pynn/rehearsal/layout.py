"""A plan as arrays of the machine: neurons, edges, rules and histories in whole numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..translation.plan import Plan, PlannedPopulation, PlannedProjection
from ..translation.weight_scales import RECEPTORS, weight_scales
from .arithmetic import constants
from .arithmetic.numbers import to_fixed
from .cells import CELLS, LIF
from .loop import Populations
from .neurons import PEAK, Neurons
from .plasticity import REMEMBERED, History, PlasticEdges, Rules, decay_table
from .synapses import Edges

_LARGEST_WEIGHT = 65535


@dataclass(frozen=True)
class Numbering:
    """Where populations begin among all neurons, among all sources, and among those that learn."""

    neurons: dict[str, int]
    sources: dict[str, int]
    learners: dict[str, int]
    sizes: dict[str, int]
    neuron_count: int
    source_count: int
    learner_count: int


@dataclass(frozen=True, eq=False)
class Layout:
    """A plan as the machine holds it.

    Attributes
    ----------
    numbering : Numbering
    shifts : (population, receptor) -> int
        Bits by which weights are shifted to become S16.15.
    saturated : (2 N,) int64
        Sums of weights that were cut off so far, by slot.
    positions : projection of the plan -> (E,) int64
        Of its edges among those that learn.
    """

    numbering: Numbering
    shifts: dict[tuple[str, str], int]
    populations: Populations
    neurons: Neurons
    static: Edges
    plastic: PlasticEdges
    rules: Rules
    history: History
    saturated: np.ndarray
    positions: dict[str, np.ndarray]


def lay_out(plan: Plan, *, remembered: int = REMEMBERED) -> Layout:
    """Return a plan as arrays.

    Parameters
    ----------
    plan : Plan
        For SpiNNaker, of cells in `CELLS`.
    remembered : int
        Spikes of a target between two of a source.
    """
    numbering = _number(plan)
    scales = weight_scales(plan.populations, plan.projections, plan.dt)
    shifts = {key: scale.shift for key, scale in scales.items()}
    neurons = [population for population in plan.populations if population.cell in CELLS]
    rules, tables = _rules(plan, shifts)
    plastic, positions = _plastic(plan, numbering, shifts)
    # In a ring of fewer rows the longest delay would come round to the row of this step.
    delays = (_delays(projection, plan.dt) for projection in plan.projections)
    depth = 2 + max((int(steps.max(initial=1)) for steps in delays), default=1)
    return Layout(
        numbering,
        shifts,
        _populations(neurons, numbering, shifts, tables),
        _neurons(neurons, numbering, depth=depth, dt=plan.dt),
        _static(plan, numbering, shifts),
        plastic,
        rules,
        _history(numbering.learner_count, remembered),
        np.zeros(2 * numbering.neuron_count, np.int64),
        positions,
    )


def _number(plan: Plan) -> Numbering:
    neurons: dict[str, int] = {}
    sources: dict[str, int] = {}
    learners: dict[str, int] = {}
    learning = {projection.target for projection in plan.projections if projection.rule is not None}
    neuron_count = source_count = learner_count = 0
    for population in plan.populations:
        if population.is_drive:
            continue
        name, size = population.name, population.size
        sources[name] = source_count
        source_count += size
        if population.cell in CELLS:
            neurons[name] = neuron_count
            neuron_count += size
        if name in learning:
            learners[name] = learner_count
            learner_count += size
    sizes = {population.name: population.size for population in plan.populations}
    counts = (neuron_count, source_count, learner_count)
    return Numbering(neurons, sources, learners, sizes, *counts)


def _delays(projection: PlannedProjection, dt: float) -> np.ndarray:
    """Return the delays of edges in steps, (E,) int64."""
    # Delays of a plan are whole steps up to rounding.
    return np.rint(projection.delay / dt).astype(np.int64)


def store_weights(weights: np.ndarray, shift: int) -> np.ndarray:
    """Return weights as the machine stores them, uint16.

    Parameters
    ----------
    weights : (E,)
        In the unit of the receptor.
    shift : int
    """
    # The receptor has the sign: the machine subtracts inhibitory currents.
    stored = np.rint(np.abs(weights) * 2.0 ** (15 - shift))
    return np.minimum(stored, _LARGEST_WEIGHT).astype(np.uint16)


# ---- neurons


def _populations(
    populations: list[PlannedPopulation],
    numbering: Numbering,
    shifts: dict[tuple[str, str], int],
    tables: dict[str, np.ndarray],
) -> Populations:
    nothing = np.zeros(2, np.int64)
    names = [population.name for population in populations]
    sizes = [population.size for population in populations]
    cells = [CELLS[population.cell] for population in populations]
    # No weight meets a receptor without a shift, whose slots stay 0.
    shifts_of_receptors = [
        [shifts.get((name, receptor), 0) for name in names] for receptor in RECEPTORS
    ]
    traces = [tables.get(name, nothing) for name in names]
    begin = np.array([numbering.neurons[name] for name in names], np.int64)
    return Populations(
        begin=begin,
        end=begin + np.array(sizes, np.int64),
        cell=np.array(cells, np.int64),
        source=np.array([numbering.sources[name] for name in names], np.int64),
        shifts=np.array(shifts_of_receptors, np.int64).T.copy(),
        learner=np.array([numbering.learners.get(name, -1) for name in names], np.int64),
        # Reshaped, since a list of no populations has one axis alone.
        minus=np.array(traces, np.int64).reshape(-1, 2),
    )


def _neurons(
    populations: list[PlannedPopulation],
    numbering: Numbering,
    *,
    depth: int,
    dt: float,
) -> Neurons:
    count = numbering.neuron_count
    dt_of_each = np.full(count, int(to_fixed(dt)), np.int32)
    is_lif = _join(
        [np.full(population.size, CELLS[population.cell] == LIF) for population in populations],
        np.bool_,
    )

    def gather(name: str, default: float = 0.0) -> np.ndarray:
        """Return a parameter or initial state of all neurons; that of some cells alone."""
        columns = []
        for population in populations:
            numbers = population.parameters | population.initial
            column = to_fixed(numbers.get(name, default))
            columns.append(np.broadcast_to(column, population.size))
        return _join(columns, np.int32)

    def choose(lif: np.ndarray, izhikevich: np.ndarray) -> np.ndarray:
        """Return one column for both cells, so that the loop passes one set of arrays."""
        return np.where(is_lif, lif, izhikevich)

    # One for cells that lack the parameter, so that no quotient divides by zero.
    tau_m = gather("tau_m", 1.0)
    map_distinct = constants.map_distinct
    resistance = map_distinct(constants.membrane_resistance, tau_m, gather("cm", 1.0))
    factor = map_distinct(constants.membrane_decay, tau_m, dt_of_each)
    refractory = map_distinct(constants.refractory_steps, gather("tau_refrac"), dt_of_each)
    decay_exc, share_exc = _synapse(gather("tau_syn_E", 5.0), dt_of_each)
    decay_inh, share_inh = _synapse(gather("tau_syn_I", 5.0), dt_of_each)
    return Neurons(
        v=gather("v"),
        u=gather("u"),
        # A copy: steps become longer after a spike, dt does not.
        h=dt_of_each.copy(),
        timer=np.zeros(count, np.int32),
        exc=np.zeros(count, np.int32),
        inh=np.zeros(count, np.int32),
        total=np.zeros(count, np.int32),
        slots=np.zeros((depth, 2 * count), np.uint32),
        current=gather("i_offset"),
        first=choose(resistance, gather("a")),
        second=choose(factor, gather("b")),
        third=choose(gather("v_rest"), gather("c")),
        fourth=choose(gather("v_thresh"), gather("d")),
        reset=choose(gather("v_reset"), np.full(count, PEAK, np.int32)),
        refractory=refractory,
        decay_exc=decay_exc,
        decay_inh=decay_inh,
        share_exc=share_exc,
        share_inh=share_inh,
    )


def _synapse(tau: np.ndarray, dt_of_each: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the factor of a step and the mean over a step of synaptic currents, in U0.32."""
    map_distinct = constants.map_distinct
    decay = map_distinct(constants.synaptic_decay, tau, dt_of_each, dtype=np.uint32)
    share = map_distinct(constants.synaptic_share, tau, dt_of_each, dtype=np.uint32)
    return decay, share


# ---- edges


def slots_of_edges(projection: PlannedProjection, numbering: Numbering) -> np.ndarray:
    """Return the slot of each edge within a row of slots, (E,) uint32."""
    begin = numbering.neurons[projection.target]
    base = begin + RECEPTORS.index(projection.receptor) * numbering.neuron_count
    return (projection.post + base).astype(np.uint32)


@dataclass(frozen=True, eq=False)
class _Columns:
    """The edges of several projections, one projection after the other; (E,) each."""

    number: np.ndarray  # of the projection among these
    source: np.ndarray
    delay: np.ndarray
    slot: np.ndarray
    weight: np.ndarray


def _gather_edges(
    projections: list[PlannedProjection],
    numbering: Numbering,
    shifts: dict[tuple[str, str], int],
    *,
    dt: float,
) -> _Columns:
    numbers, sources, delays, slots, weights = [], [], [], [], []
    for number, projection in enumerate(projections):
        shift = shifts[projection.target, projection.receptor]
        numbers.append(np.full(projection.pre.size, number))
        sources.append(projection.pre + numbering.sources[projection.source])
        delays.append(_delays(projection, dt))
        slots.append(slots_of_edges(projection, numbering))
        weights.append(store_weights(projection.weight, shift))
    return _Columns(
        number=_join(numbers, np.int64),
        source=_join(sources, np.int64),
        delay=_join(delays, np.int64),
        slot=_join(slots, np.uint32),
        weight=_join(weights, np.uint16),
    )


def _static(plan: Plan, numbering: Numbering, shifts: dict[tuple[str, str], int]) -> Edges:
    projections = [
        projection
        for projection in plan.projections
        if projection.rule is None and projection.source in numbering.sources
    ]
    edges = _gather_edges(projections, numbering, shifts, dt=plan.dt)
    # By source, then delay, then target: edges of a group are read one after the other.
    order = np.lexsort((edges.slot, edges.delay, edges.source))
    source = edges.source[order]
    delay = edges.delay[order]
    first = _find_begins(source, delay)
    return Edges(
        groups=np.searchsorted(source[first], np.arange(numbering.source_count + 1)),
        delay=delay[first],
        first=np.append(first, source.size),
        slot=edges.slot[order],
        weight=edges.weight[order],
    )


def _plastic(
    plan: Plan, numbering: Numbering, shifts: dict[tuple[str, str], int]
) -> tuple[PlasticEdges, dict[str, np.ndarray]]:
    """Return the edges that learn, and by projection their positions among these."""
    projections = [projection for projection in plan.projections if projection.rule is not None]
    edges = _gather_edges(projections, numbering, shifts, dt=plan.dt)
    learners = [
        projection.post + numbering.learners[projection.target] for projection in projections
    ]
    order = np.lexsort((edges.source, edges.number))
    source = edges.source[order]
    rule = edges.number[order]
    first = _find_begins(source, rule)
    by_source = np.argsort(source[first], kind="stable")
    plastic = PlasticEdges(
        rows=np.searchsorted(source[first][by_source], np.arange(numbering.source_count + 1)),
        row=by_source,
        rule=rule[first],
        last=np.zeros(first.size, np.int64),
        trace=np.zeros(first.size, np.int16),
        first=np.append(first, source.size),
        slot=edges.slot[order],
        learner=_join(learners, np.int64)[order],
        delay=edges.delay[order],
        weight=edges.weight[order],
    )
    position_of = np.empty(source.size, np.int64)
    position_of[order] = np.arange(source.size)
    positions = {}
    begin = 0
    for projection in projections:
        end = begin + projection.pre.size
        positions[projection.name] = position_of[begin:end]
        begin = end
    return plastic, positions


def _find_begins(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the positions at which one of two sorted columns has another value than before."""
    begins = np.ones(first.size, bool)
    begins[1:] = (np.diff(first) != 0) | (np.diff(second) != 0)
    return np.flatnonzero(begins)


def _join(arrays: list[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate([np.zeros(0, dtype), *arrays]).astype(dtype, copy=False)


# ---- plasticity


class _DecayTables:
    """Tables of decays one after the other, one for each time constant.

    Parameters
    ----------
    dt : float, ms
    """

    def __init__(self, dt: float) -> None:
        self._dt = dt
        self._bounds: dict[float, tuple[int, int]] = {}
        self.tables: list[np.ndarray] = []

    def bounds_of(self, tau: float) -> tuple[int, int]:
        """Return begin and length of a table, which is computed if it is missing."""
        if tau not in self._bounds:
            table = decay_table(tau, self._dt)
            begin = sum(other.size for other in self.tables)
            self._bounds[tau] = (begin, table.size)
            self.tables.append(table)
        return self._bounds[tau]


def _rules(plan: Plan, shifts: dict[tuple[str, str], int]) -> tuple[Rules, dict[str, np.ndarray]]:
    """Return the rules, and by population the bounds of the table of its neurons' traces."""
    decays = _DecayTables(plan.dt)
    learning = [
        (projection, projection.rule)
        for projection in plan.projections
        if projection.rule is not None
    ]
    rules = [rule for _, rule in learning]
    plus = [decays.bounds_of(rule.timing["tau_plus"]) for rule in rules]
    minus = [decays.bounds_of(rule.timing["tau_minus"]) for rule in rules]
    shift = [shifts[projection.target, projection.receptor] for projection, _ in learning]
    columns = Rules(
        table=_join(decays.tables, np.int32),
        plus=np.array(plus, np.int64).reshape(-1, 2),
        minus=np.array(minus, np.int64).reshape(-1, 2),
        # Written as they are given: this dependence takes changes of the weight itself.
        raise_by=_fixed([rule.timing["A_plus"] for rule in rules]),
        lower_by=_fixed([rule.timing["A_minus"] for rule in rules]),
        least=_fixed([rule.weights["w_min"] for rule in rules]),
        most=_fixed([rule.weights["w_max"] for rule in rules]),
        shift=np.array(shift, np.int64),
    )
    by_target = {}
    for (projection, _), bounds in zip(learning, minus, strict=True):
        by_target[projection.target] = np.array(bounds, np.int64)
    return columns, by_target


def _fixed(values: list[float]) -> np.ndarray:
    """Return numbers in S16.15, each converted by itself."""
    return np.array([to_fixed(value) for value in values], np.int64)


def _history(learners: int, remembered: int) -> History:
    return History(
        entries=np.ones(learners, np.int64),
        times=np.zeros((learners, remembered + 1), np.int64),
        traces=np.zeros((learners, remembered + 1), np.int16),
    )
