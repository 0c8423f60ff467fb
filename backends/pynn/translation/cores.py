"""Cores of SpiNNaker that populations with plastic synapses need."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from neurosim.backend.report_rows import Place

from .plan import PlannedPopulation, PlannedProjection
from .rows import Rows
from .targets import Target

_NEURONS_PER_CORE = (256, 128, 64, 32, 16, 8, 4, 2, 1)
_LONGEST_ROW = 254  # plastic edges that a source may have to one core


def assign_cores(
    p: PlannedPopulation,
    projections: Iterable[PlannedProjection],
    *,
    target: Target,
    rows: Rows,
) -> PlannedPopulation:
    """Return a population with the arguments that lay it out on cores.

    Synapses get cores of their own if no program has both cell and rule. Cores hold fewer neurons
    if a source has too many plastic edges to one core.

    Parameters
    ----------
    p : PlannedPopulation
        Population of the plan.
    projections : iterable of PlannedProjection
        Of the plan.
    target : Target
    rows : Rows
        Collects the rows of the report.
    """
    plastic = [q for q in projections if q.target == p.name and q.rule is not None]
    if target.combined_cores is None or not plastic:
        return p
    place = Place("population", p.name, "cores")
    machine = dict(p.machine)
    rules = {q.rule.dependence for q in plastic if q.rule is not None}
    # sPyNNaker compiles one program per pair of cell and rule, and ships a few of these pairs.
    if not rules <= set(target.combined_cores.get(p.cell, rules)):
        rows.exact(
            place,
            f"no program has {p.cell} with {', '.join(rules)}: neurons and synapses get a core "
            "each (n_synapse_cores=1).",
        )
        machine["n_synapse_cores"] = 1
    # A core has room for so many plastic edges of one source; fewer neurons make shorter rows.
    size = _largest_core(plastic)
    if size is None:
        rows.impossible(
            place,
            f"a source has more than {_LONGEST_ROW} plastic edges to one neuron.",
            "Use fewer edges of one pair.",
        )
    elif size != _NEURONS_PER_CORE[0] and size < p.size:
        rows.exact(
            place,
            f"{size} neurons on each: a source may have {_LONGEST_ROW} plastic edges to a core "
            f"(neurons_per_core={size}).",
        )
        machine["neurons_per_core"] = size
    return replace(p, machine=machine)


def _largest_core(plastic: list[PlannedProjection]) -> int | None:
    """Return the most neurons of a core to which no source has too many edges."""
    for size in _NEURONS_PER_CORE:
        if max(_longest_row(q, size) for q in plastic) <= _LONGEST_ROW:
            return size
    return None


def _longest_row(q: PlannedProjection, size: int) -> int:
    """Return the most edges that one source has to one core of so many neurons."""
    # One number per pair of source and core; int64, since their product may exceed 32 bits.
    cores = int(q.post.max(initial=0)) // size + 1
    pairs = q.pre.astype(np.int64) * cores + q.post // size
    return int(np.unique(pairs, return_counts=True)[1].max(initial=0))
