"""A plan as arrays of the machine: neurons, edges, rules and histories in whole numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..translation.plan import Plan, PlannedPopulation, PlannedProjection
from ..translation.weight_scales import RECEPTORS, weight_scales
from .arithmetic import constants
from .arithmetic.numbers import to_fixed
from .cells import CELLS
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
    cells = [p for p in plan.populations if p.cell in CELLS]
    rules, tables = _rules(plan, shifts)
    plastic, positions = _plastic(plan, numbering, shifts)
    # In a ring of fewer rows the longest delay would come round to the row of this step.
    longest = [int(_delays(q, plan.dt).max(initial=1)) for q in plan.projections]
    depth = 2 + max(longest, default=1)
    return Layout(
        numbering,
        shifts,
        _populations(cells, numbering, shifts, tables),
        _neurons(cells, numbering, depth=depth, dt=plan.dt),
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
    learning = {q.target for q in plan.projections if q.rule is not None}
    counts = [0, 0, 0]
    for p in plan.populations:
        if p.is_drive:
            continue
        sources[p.name] = counts[1]
        counts[1] += p.size
        if p.cell in CELLS:
            neurons[p.name] = counts[0]
            counts[0] += p.size
        if p.name in learning:
            learners[p.name] = counts[2]
            counts[2] += p.size
    sizes = {p.name: p.size for p in plan.populations}
    return Numbering(neurons, sources, learners, sizes, *counts)


def _delays(q: PlannedProjection, dt: float) -> np.ndarray:
    """Return the delays of edges in steps, (E,) int64."""
    # Delays of a plan are whole steps up to rounding.
    return np.rint(q.delay / dt).astype(np.int64)


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
    cells: list[PlannedPopulation],
    numbering: Numbering,
    shifts: dict[tuple[str, str], int],
    tables: dict[str, np.ndarray],
) -> Populations:
    nothing = np.zeros(2, np.int64)
    begins = [numbering.neurons[p.name] for p in cells]
    sizes = [p.size for p in cells]
    sources = [numbering.sources[p.name] for p in cells]
    # No weight meets a receptor without a shift, whose slots stay 0.
    of_receptors = [[shifts.get((p.name, r), 0) for r in RECEPTORS] for p in cells]
    learners = [numbering.learners.get(p.name, -1) for p in cells]
    traces = [tables.get(p.name, nothing) for p in cells]
    begin = np.array(begins, np.int64)
    return Populations(
        begin=begin,
        end=begin + np.array(sizes, np.int64),
        cell=np.array([CELLS[p.cell] for p in cells], np.int64),
        source=np.array(sources, np.int64),
        # Reshaped, since a list of no populations has one axis alone.
        shifts=np.array(of_receptors, np.int64).reshape(-1, 2),
        learner=np.array(learners, np.int64),
        minus=np.array(traces, np.int64).reshape(-1, 2),
    )


def _neurons(
    cells: list[PlannedPopulation],
    numbering: Numbering,
    *,
    depth: int,
    dt: float,
) -> Neurons:
    count = numbering.neuron_count
    step = int(to_fixed(dt))

    def gather(name: str, default: float = 0.0) -> np.ndarray:
        """Return a parameter or initial state of all neurons; that of some cells alone."""
        values = [
            np.broadcast_to(to_fixed((p.parameters | p.initial).get(name, default)), p.size)
            for p in cells
        ]
        return np.concatenate([np.zeros(0, np.int32), *values])

    def per_cell(lif: np.ndarray, izhikevich: np.ndarray) -> np.ndarray:
        # Both cells share columns, so that the loop passes one set of arrays.
        sizes = [p.size for p in cells]
        is_lif = np.repeat([p.cell == "IF_curr_exp" for p in cells], sizes)
        return np.where(is_lif, lif, izhikevich)

    dt_of_each = np.full(count, step, np.int32)
    # One for cells that lack the parameter, so that no quotient divides by zero.
    tau_m = gather("tau_m", 1.0)
    tau_exc = gather("tau_syn_E", 5.0)
    tau_inh = gather("tau_syn_I", 5.0)
    map_distinct = constants.map_distinct
    resistance = map_distinct(constants.membrane_resistance, tau_m, gather("cm", 1.0))
    factor = map_distinct(constants.membrane_decay, tau_m, dt_of_each)
    refractory = map_distinct(constants.refractory_steps, gather("tau_refrac"), dt_of_each)
    decays, shares = (
        [map_distinct(function, tau, dt_of_each, dtype=np.uint32) for tau in (tau_exc, tau_inh)]
        for function in (constants.synaptic_decay, constants.synaptic_share)
    )
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
        first=per_cell(resistance, gather("a")),
        second=per_cell(factor, gather("b")),
        third=per_cell(gather("v_rest"), gather("c")),
        fourth=per_cell(gather("v_thresh"), gather("d")),
        reset=per_cell(gather("v_reset"), np.full(count, PEAK, np.int32)),
        refractory=refractory,
        decay_exc=decays[0],
        decay_inh=decays[1],
        share_exc=shares[0],
        share_inh=shares[1],
    )


# ---- edges


def slots_of_edges(q: PlannedProjection, numbering: Numbering) -> np.ndarray:
    """Return the slot of each edge within a row of slots, (E,) uint32."""
    begin = numbering.neurons[q.target]
    base = begin + RECEPTORS.index(q.receptor) * numbering.neuron_count
    return (q.post + base).astype(np.uint32)


def _static(plan: Plan, numbering: Numbering, shifts: dict[tuple[str, str], int]) -> Edges:
    parts = [q for q in plan.projections if q.rule is None and q.source in numbering.sources]
    source = _join([q.pre + numbering.sources[q.source] for q in parts], np.int64)
    delay = _join([_delays(q, plan.dt) for q in parts], np.int64)
    slot = _join([slots_of_edges(q, numbering) for q in parts], np.uint32)
    weight = _join(
        [store_weights(q.weight, shifts[q.target, q.receptor]) for q in parts], np.uint16
    )
    # By source, then delay, then target: edges of a group are read one after the other.
    order = np.lexsort((slot, delay, source))
    source = source[order]
    delay = delay[order]
    begins = np.ones(source.size, bool)
    begins[1:] = (np.diff(source) != 0) | (np.diff(delay) != 0)
    first = np.flatnonzero(begins)
    return Edges(
        groups=np.searchsorted(source[first], np.arange(numbering.source_count + 1)),
        delay=delay[first],
        first=np.append(first, source.size),
        slot=slot[order],
        weight=weight[order],
    )


def _plastic(
    plan: Plan, numbering: Numbering, shifts: dict[tuple[str, str], int]
) -> tuple[PlasticEdges, dict[str, np.ndarray]]:
    """Return the edges that learn, and by projection where they are."""
    parts = [q for q in plan.projections if q.rule is not None]
    part = _join([np.full(q.pre.size, n) for n, q in enumerate(parts)], np.int64)
    source = _join([q.pre + numbering.sources[q.source] for q in parts], np.int64)
    order = np.lexsort((source, part))
    source = source[order]
    part = part[order]
    begins = np.ones(source.size, bool)
    begins[1:] = (np.diff(source) != 0) | (np.diff(part) != 0)
    first = np.flatnonzero(begins)
    by_source = np.argsort(source[first], kind="stable")
    position_of = np.empty(source.size, np.int64)
    position_of[order] = np.arange(source.size)
    ends = np.cumsum([q.pre.size for q in parts])
    edges = PlasticEdges(
        rows=np.searchsorted(source[first][by_source], np.arange(numbering.source_count + 1)),
        row=by_source,
        rule=part[first],
        last=np.zeros(first.size, np.int64),
        trace=np.zeros(first.size, np.int16),
        first=np.append(first, source.size),
        slot=_join([slots_of_edges(q, numbering) for q in parts], np.uint32)[order],
        learner=_join([q.post + numbering.learners[q.target] for q in parts], np.int64)[order],
        delay=_join([_delays(q, plan.dt) for q in parts], np.int64)[order],
        weight=_join(
            [store_weights(q.weight, shifts[q.target, q.receptor]) for q in parts], np.uint16
        )[order],
    )
    positions = {
        q.name: position_of[end - q.pre.size : end] for q, end in zip(parts, ends, strict=True)
    }
    return edges, positions


def _join(arrays: list[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate([np.zeros(0, dtype), *arrays]).astype(dtype, copy=False)


# ---- plasticity


def _rules(plan: Plan, shifts: dict[tuple[str, str], int]) -> tuple[Rules, dict[str, np.ndarray]]:
    """Return the rules, and by population the table of the traces of its neurons."""
    tables: list[np.ndarray] = []
    bounds: dict[float, tuple[int, int]] = {}

    def bounds_of(tau: float) -> tuple[int, int]:
        if tau not in bounds:
            table = decay_table(tau, plan.dt)
            bounds[tau] = (sum(t.size for t in tables), table.size)
            tables.append(table)
        return bounds[tau]

    parts = [(q, q.rule) for q in plan.projections if q.rule is not None]
    plus = [bounds_of(rule.timing["tau_plus"]) for _, rule in parts]
    minus = [bounds_of(rule.timing["tau_minus"]) for _, rule in parts]

    def fixed(value: list[float]) -> np.ndarray:
        return np.array([to_fixed(number) for number in value], np.int64)

    rules = Rules(
        table=_join(tables, np.int32),
        plus=np.array(plus, np.int64).reshape(-1, 2),
        minus=np.array(minus, np.int64).reshape(-1, 2),
        # Written as they are given: this dependence takes changes of the weight itself.
        raise_by=fixed([rule.timing["A_plus"] for _, rule in parts]),
        lower_by=fixed([rule.timing["A_minus"] for _, rule in parts]),
        least=fixed([rule.weights["w_min"] for _, rule in parts]),
        most=fixed([rule.weights["w_max"] for _, rule in parts]),
        shift=np.array([shifts[q.target, q.receptor] for q, _ in parts], np.int64),
    )
    by_target = {
        q.target: np.array(table, np.int64) for (q, _), table in zip(parts, minus, strict=True)
    }
    return rules, by_target


def _history(learners: int, remembered: int) -> History:
    return History(
        entries=np.ones(learners, np.int64),
        times=np.zeros((learners, remembered + 1), np.int64),
        traces=np.zeros((learners, remembered + 1), np.int16),
    )
