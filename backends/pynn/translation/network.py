"""A network as a plan for one target, with rows of the report for everything in it."""

from __future__ import annotations

from neurosim.backend.report_rows import Place
from neurosim.backend.spike_counting import repeated_spikes_row
from neurosim.ir.concrete import ConcreteNetwork
from neurosim.network.sources import BERNOULLI, POISSON
from neurosim.network.timed_events import format_interval

from ..matching.cells import CellMatch
from .cores import assign_cores
from .neurons import NeuronPlan, match_population
from .plan import Plan, PlannedPopulation
from .recordings import Recordings
from .rows import Rows
from .sources import plan_given_spikes, plan_poisson
from .targets import Target
from .weight_scales import report_weights
from .wiring import Wiring


def translate(network: ConcreteNetwork, target: Target) -> Plan:
    """Return the plan of a network; parts that are impossible are left out of it.

    Parameters
    ----------
    network : ConcreteNetwork
        With all draws made.
    target : Target
        Simulator that the plan is for.
    """
    # One collection of rows for all parts, in the order in which a reader expects them.
    rows = Rows()
    _report_run(network, target, rows)
    neurons_and_sources, matches = _populations(network, target, rows)
    wiring = Wiring(network, matches, target=target, rows=rows)
    # Cores depend on the plastic edges, hence after the wiring.
    populations = tuple(
        assign_cores(p, wiring.projections, target=target, rows=rows)
        for p in neurons_and_sources + wiring.sources
    )
    # Steps of weights follow from all input of a receptor, so that no projection knows its own.
    if target.fixed_point:
        report_weights(populations, wiring.projections, network.dt, rows=rows)
    _report_events(network, target, rows)
    recordings = Recordings(network, matches, wiring.projections, target=target, rows=rows)
    return Plan(
        name=network.name,
        dt=network.dt,
        seed=network.seed,
        target=target,
        populations=populations,
        projections=tuple(wiring.projections),
        recordings=recordings.planned(),
        rows=rows.collected(),
    )


def _report_run(network: ConcreteNetwork, target: Target, rows: Rows) -> None:
    """Report time step, seed, and the way in which scripts run."""
    steps = f"steps of {network.dt:.12g} ms"
    if target.tic is not None and not _is_multiple(network.dt, target.tic):
        rows.impossible(
            Place("dt"),
            f"{steps}: {target.title} counts time in units of {target.tic:.12g} ms.",
            f"Use a dt that is a whole number of {target.tic:.12g} ms.",
        )
    elif target.real_time_step not in (None, network.dt):
        rows.approximated(
            Place("dt"),
            f"{steps}: a board takes {1 / network.dt:g} times as long as the time that it "
            "simulates (time_scale_factor).",
            "A dt of 1 ms runs in real time.",
        )
    else:
        rows.exact(Place("dt"), f"{steps}.")
    rows.exact(
        Place("seed"),
        f"{network.seed}: all draws before the run are made here; "
        f"{target.title} draws its own Poisson spikes.",
    )
    rows.exact(
        Place("run"),
        f"one stretch from the start, {target.process}; "
        "set, emit, reset, snapshot and save are not there.",
    )


def _report_events(network: ConcreteNetwork, target: Target, rows: Rows) -> None:
    """Report statements at times and signals, which need a run that is held open."""
    reason = f"{target.title} runs in one stretch, without events of ours."
    for update in network.updates:
        place = Place("population", update.view.name, "statements")
        interval = format_interval(update, network.dt)
        rows.impossible(
            place,
            f"every {interval}: {reason}",
            "Write a parameter as a table or text over t, or use 'cpu'.",
        )
    for signal in network.signals:
        place = Place("population", signal.view.name, f"signal {signal.name!r}")
        rows.impossible(place, reason, "Write a projection with a rule, or use 'cpu'.")


def _populations(
    network: ConcreteNetwork, target: Target, rows: Rows
) -> tuple[list[PlannedPopulation], dict[str, CellMatch]]:
    """Return the populations of a plan, and the match of each that has neurons."""
    planned: list[PlannedPopulation] = []
    matches: dict[str, CellMatch] = {}
    dt = network.dt
    for p in network.populations.values():
        if p.source_spikes is not None:
            planned.append(plan_given_spikes(p, p.source_spikes, dt=dt, target=target, rows=rows))
        elif p.cell is POISSON or p.cell is BERNOULLI:
            source = plan_poisson(p, dt=dt, target=target, rows=rows)
            planned += [] if source is None else [source]
        else:
            # Without a match there is nothing to build; projections to it report that themselves.
            match = match_population(p, target, rows)
            if match is not None:
                matches[p.name] = match
                neurons = NeuronPlan(p, match, dt=dt, target=target, rows=rows)
                repeated = repeated_spikes_row(p.name, p.cell, p.parameters)
                if repeated is not None:
                    reason = f"here {repeated.reason} {target.title} counts as its cell does."
                    rows.approximated(repeated.place, reason, repeated.remedy)
                planned.append(neurons.planned())
    return planned, matches


def _is_multiple(time: float, unit: float) -> bool:
    # Decimal fractions such as 0.1 and 0.001 ms are multiples of each other up to rounding alone.
    return abs(time / unit - round(time / unit)) < 1e-6
