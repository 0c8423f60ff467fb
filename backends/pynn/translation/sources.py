"""Spike sources of a network as those of PyNN: lists of spikes, and Poisson sources."""

from __future__ import annotations

import numpy as np

from neurosim.backend.report_rows import Place
from neurosim.draws.values import Table
from neurosim.ir.concrete import ConcretePopulation
from neurosim.network.sources import POISSON

from .plan import PlannedPopulation, RateChanges, SpikeTimes
from .rows import Rows, format_range
from .targets import Target

_GIVE_SPIKES = "Give the spikes: net.spike_source."


def plan_given_spikes(
    p: ConcretePopulation,
    spikes: tuple[np.ndarray, np.ndarray],
    *,
    dt: float,
    target: Target,
    rows: Rows,
) -> PlannedPopulation:
    """Return a source of spikes that the user listed.

    Parameters
    ----------
    p : ConcretePopulation
    spikes : (S,) steps and (S,) indices
    dt : float, ms
    target : Target
    rows : Rows
        Collects the rows of the report.
    """
    place = Place("population", p.name)
    # By neuron, then time: PyNN takes a list of times per neuron, which the script cuts from one.
    step, index = spikes
    order = np.lexsort((step, index))
    # Rounded to 1e-9 ms: products with dt leave times such as 0.30000000000000004.
    times = np.round((step[order] + target.spike_offset) * dt, 9)
    if target.name == "nest":
        # PyNN subtracts a step. NEST takes a time that rounding leaves above a step for the next.
        times = np.where(times - dt > step[order] * dt, np.nextafter(times, 0.0), times)
    early = int((step < target.first_given_step).sum())
    if early:
        rows.impossible(
            place,
            f"{early} spikes of step 0: PyNN sends given spikes one step ahead to "
            f"{target.title}, which has no step before.",
            f"Begin with step {target.first_given_step}.",
        )
    if not step.size:
        rows.approximated(
            place,
            "SpikeSourceArray without spikes: it stays silent there, whatever a run sets here.",
            "Give its spikes: net.spike_source(name, size, times=...).",
        )
    note = "."
    if not target.spike_offset:
        note = "; they carry the time of the start of their step there, and are read back as given."
    if step.size:
        rows.exact(place, f"SpikeSourceArray with {step.size} spikes{note}")
    planned = SpikeTimes(index[order], times)
    return PlannedPopulation(p.name, p.size, "SpikeSourceArray", spikes=planned)


def plan_poisson(
    p: ConcretePopulation,
    *,
    dt: float,
    target: Target,
    rows: Rows,
) -> PlannedPopulation | None:
    """Return Poisson sources; those with a probability per step get the rate of the same mean.

    Parameters
    ----------
    p : ConcretePopulation
    dt : float, ms
    target : Target
    rows : Rows
        Collects the rows of the report.

    Returns
    -------
    The sources, or None if the target has none like these.
    """
    place = Place("population", p.name)
    parameter = "rate" if p.cell is POISSON else "p"
    value = p.parameters[parameter]
    table = value if isinstance(value, Table) else None
    if table is not None and target.changing_rates is None:
        rows.impossible(
            place,
            f"{parameter} changes over time, and PyNN silently keeps the first of "
            "SpikeSourcePoisson there.",
            _GIVE_SPIKES,
        )
        return None
    values = np.asarray(value.values if isinstance(value, Table) else value)
    if parameter == "p" and target.several_spikes and not np.all(values < 1):
        rows.impossible(
            place, "p is 1: no rate gives a spike in every step for sure.", _GIVE_SPIKES
        )
        return None
    per_step = values * dt if parameter == "rate" else values
    rate = per_step / dt * 1000.0
    by_cell = table is not None and target.changing_rates == "cell"
    cell = "SpikeSourcePoissonVariable" if by_cell else "SpikeSourcePoisson"
    duration = "" if table is None else f" in {len(values)} rows over time"
    rows.approximated(
        place,
        f"{cell} with {format_range(rate)} Hz ({parameter}){duration}: the mean input is the same, "
        f"the spikes are others{_differences(target, per_step, dt=dt)}.",
        "For the same spikes give them: net.spike_source.",
    )
    if table is None:
        return PlannedPopulation(p.name, p.size, cell, {"rate": number_or_array(rate)})
    # Every change stops the run on NEST, so that equal rows must not count as changes.
    changes = changed_rows(rate)
    rates = RateChanges(np.flatnonzero(changes) * table.every, rate[changes])
    return PlannedPopulation(p.name, p.size, cell, {"rate": number_or_array(rate[0])}, rates=rates)


def _differences(target: Target, per_step: np.ndarray, *, dt: float) -> str:
    """Return the differences from ours of sources with some spikes per step in the mean."""
    several = "; at most one comes in a step, as here"
    if target.several_spikes:
        # 1 - exp(-mean) is the probability that a Poisson process has a spike in a step.
        recorded = format_range(-np.expm1(-per_step) / dt * 1000.0)
        several = (
            "; several may come in one step there, here at most one. Recorded as one, they are "
            f"{recorded} Hz"
        )
    silent = "; none come in its first two steps" if target.late_poisson else ""
    return several + silent


def changed_rows(values: np.ndarray) -> np.ndarray:
    """Return which rows of a series, (T,) or (T, N), differ from the row before; the first does."""
    pairs = zip(values[:-1], values[1:], strict=True)
    return np.array([True, *(bool((now != before).any()) for before, now in pairs)])


def number_or_array(values: np.ndarray) -> float | np.ndarray:
    """Return a float for an array without dimensions, others as they are."""
    array = np.asarray(values)
    return float(array) if array.ndim == 0 else array
