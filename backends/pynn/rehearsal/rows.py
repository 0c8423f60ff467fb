"""Rows of the report: what the rehearsal computes as the machine does, and what is not modelled."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from neurosim.backend.report_rows import Place, Row

from ..translation.plan import Plan, PlannedPopulation
from .arithmetic.exponentials import LEAST_EXPONENT
from .arithmetic.numbers import divide, to_fixed
from .cells import CELLS

SOURCES = ("SpikeSourceArray", "SpikeSourcePoisson", "SpikeSourcePoissonVariable")
_ADDITIVE = "AdditiveWeightDependence"
_SLOT_BITS = 14  # of a core: neurons, receptors and slots share them
_CORE_BITS = 8  # of the neurons of a core, if none asks for fewer
_REMEDY = "Run it on 'spinnaker', or on 'cpu'."


def rehearsal_rows(plan: Plan) -> tuple[Row, ...]:
    """Return the rows of a plan, and those of its rehearsal.

    Parameters
    ----------
    plan : Plan
        For SpiNNaker.
    """
    # The rehearsal is held open, unlike a board, and draws its Poisson spikes itself.
    planned = [row for row in plan.rows if row.place not in (Place("run"), Place("seed"))]
    return (*_rows_of_run(plan), *planned, *_rows_of_parts(plan))


def _rows_of_run(plan: Plan) -> Iterator[Row]:
    yield Row(Place("seed"), "exact", f"{plan.seed}: all draws are made here.")
    yield Row(
        Place("arithmetic"),
        "exact",
        "whole numbers as in the programs of sPyNNaker 7.4.1: states in S16.15, decays in U0.32, "
        "slots of 16 bits that saturate, weights in the steps of the mapping.",
    )
    yield Row(
        Place("machine"),
        "approximated",
        "not modelled: packets that come late or are dropped, the order of packets within a "
        "step, steps that take longer than real time, and clocks of chips that drift.",
        "Only a board shows them: run on 'spinnaker'.",
    )


def _rows_of_parts(plan: Plan) -> Iterator[Row]:
    for population in plan.populations:
        yield from _rows_of_population(population, plan)
    yield from _rows_of_rules(plan)
    yield from _rows_of_delays(plan)


def _rows_of_rules(plan: Plan) -> Iterator[Row]:
    # One of the parts of a projection stands for all: they have its rule.
    learning = {
        projection.origin: projection.rule
        for projection in plan.projections
        if projection.rule is not None
    }
    for origin, rule in learning.items():
        yield Row(
            Place("projection", origin, "variables"),
            "approximated",
            "traces are those of the machine, by source and by target: of the rule's variables "
            "only the weight is read and set, others stay as they begin.",
        )
        if rule.dependence != _ADDITIVE:
            yield Row(
                Place("projection", origin, "dependence"),
                "impossible",
                f"{rule.dependence}: its whole-number arithmetic is not known.",
                f"Use {_ADDITIVE}, fix its weights, or run it on 'spinnaker' or 'cpu'.",
            )


def _rows_of_population(population: PlannedPopulation, plan: Plan) -> Iterator[Row]:
    place = Place("population", population.name)
    if population.is_drive:
        place = Place("drive", population.name.removesuffix(" source"))
    if population.cell not in (*CELLS, *SOURCES):
        known = " and ".join(CELLS)
        yield Row(
            place.of("cell"),
            "impossible",
            f"{population.cell}: its whole-number arithmetic is not known; that of {known} is.",
            _REMEDY,
        )
    if population.cell.startswith("SpikeSourcePoisson"):
        yield Row(
            place.of("draws"),
            "approximated",
            "not modelled: the machine's own generator. Poisson spikes are drawn here, those of "
            "'cpu'; sources of a population have at most one in a step.",
            "For the same spikes on a board give them: net.spike_source.",
        )
    if population.current is not None:
        yield Row(
            place.of("current"),
            "approximated",
            "not modelled: the machine's current source. The current changes as on 'cpu', in the "
            "step for which it is given.",
        )
    if population.cell in CELLS:
        yield from _rows_of_time_constants(population, place, dt=plan.dt)


def _rows_of_time_constants(
    population: PlannedPopulation, place: Place, *, dt: float
) -> Iterator[Row]:
    step = int(to_fixed(dt))
    for name in ("tau_m", "cm", "tau_syn_E", "tau_syn_I"):
        if name not in population.parameters:
            continue
        values = population.parameters[name]
        least = int(np.min(to_fixed(values)))
        is_below_grain = least <= 0
        # Decays of membranes are known for every time constant, those of synapses are not.
        is_short = (
            name.startswith("tau_syn")
            and not is_below_grain
            and -divide(step, least) < LEAST_EXPONENT
        )
        if is_below_grain or is_short:
            yield Row(
                place.of(name),
                "impossible",
                f"it is {np.min(values):.7g} there: the machine's result is not known below "
                "2**-15, nor for time constants below dt / 13.",
                "Use a longer one, or a smaller dt.",
            )


def _rows_of_delays(plan: Plan) -> Iterator[Row]:
    """Yield rows for edges whose delays exceed the slots of a core."""
    targets = {population.name: population for population in plan.populations}
    late_edges: dict[str, int] = {}
    slots_of: dict[str, int] = {}
    for projection in plan.projections:
        slots = _slots(targets[projection.target])
        steps = np.rint(projection.delay / plan.dt)
        count = int((steps > slots).sum())
        late_edges[projection.origin] = late_edges.get(projection.origin, 0) + count
        slots_of[projection.origin] = slots
    for origin, count in late_edges.items():
        slots = slots_of[origin]
        if count:
            yield Row(
                Place("projection", origin, "delay extensions"),
                "approximated",
                f"not modelled: cores that hold back {count} edges with delays of more than "
                f"{slots} steps. Their spikes arrive as on 'cpu', in the step of their delay.",
                f"Use delays of at most {slots} steps.",
            )


def _slots(population: PlannedPopulation) -> int:
    """Return the slots of a receptor on the cores of a population."""
    # A core's slots share one address: bits that its neurons need are missing for delays.
    neurons = min(population.machine.get("neurons_per_core", 1 << _CORE_BITS), population.size)
    bits = max(int(neurons) - 1, 0).bit_length()
    # One bit of the address is the receptor.
    return 1 << (_SLOT_BITS - bits - 1)
