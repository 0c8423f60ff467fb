"""A network as a plan for one target, with a row of the report for everything in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from neurosim.backend.report import Place
from neurosim.ir.concrete import ConcreteNetwork
from neurosim.network.probes import Probe
from neurosim.network.projections import Projection

from ..matching.algebra import value
from ..matching.cells import CellMatch
from .plan import Plan, PlannedPopulation, PlannedProjection, PlannedRecording, Rows
from .populations import populations
from .projections import Wiring, constant
from .targets import Target
from .weights import quantise

_SIZES = (256, 128, 64, 32, 16, 8, 4, 2, 1)  # neurons on a core of SpiNNaker
_ROW = 254  # plastic edges that a source may have to one core there


def translate(network: ConcreteNetwork, target: Target) -> Plan:
    """Return the plan of a network; where a row is impossible, what it is about is left out of the plan."""
    rows = Rows()
    _clock(network, target, rows)
    planned, matches = populations(network, target, rows)
    wiring = Wiring(network, matches, target, rows)
    made = tuple(_cores(p, wiring.planned, target, rows) for p in planned + wiring.sources)
    if target.name == "spinnaker":
        quantise(made, wiring.planned, network.dt, rows)
    recordings = [
        r
        for i, probe in enumerate(network.probes)
        if (r := _recording(i, probe, network, matches, wiring.planned, target, rows)) is not None
    ]
    return Plan(
        network.name,
        network.dt,
        network.seed,
        target,
        made,
        tuple(wiring.planned),
        tuple(recordings),
        tuple(rows.found),
    )


def _cores(
    p: PlannedPopulation, projections: list[PlannedProjection], target: Target, rows: Rows
) -> PlannedPopulation:
    """Give a population cores for its synapses where the machine has no program that does both, and smaller ones where its plastic rows are too long."""
    plastic = [q for q in projections if q.target == p.name and q.rule is not None]
    if target.name != "spinnaker" or not plastic:
        return p
    place, machine = Place("population", p.name, "cores"), dict(p.machine)
    rules = {q.rule.dependence for q in plastic}
    if not rules <= set(target.combined.get(p.cell, rules)):
        rows.exact(
            place,
            f"no program has {p.cell} with {', '.join(rules)}: neurons and synapses get a core each (n_synapse_cores=1).",
        )
        machine["n_synapse_cores"] = 1
    size = next((s for s in _SIZES if max(_longest_row(q, s) for q in plastic) <= _ROW), None)
    if size is None:
        rows.impossible(
            place,
            f"a source has more than {_ROW} plastic edges to one neuron.",
            "Use fewer edges of one pair.",
        )
    elif size != _SIZES[0] and size < p.size:
        rows.exact(
            place,
            f"{size} neurons on each: a source may have {_ROW} plastic edges to a core (neurons_per_core={size}).",
        )
        machine["neurons_per_core"] = size
    return replace(p, machine=machine)


def _longest_row(q: PlannedProjection, size: int) -> int:
    """Return the most edges that one source has to one core of so many neurons."""
    return int(
        np.unique(
            q.pre.astype(np.int64) * (int(q.post.max(initial=0)) // size + 1) + q.post // size,
            return_counts=True,
        )[1].max(initial=0)
    )


def _clock(network: ConcreteNetwork, target: Target, rows: Rows) -> None:
    if target.name == "spinnaker" and network.dt != 1.0:
        rows.approximated(
            Place("dt"),
            f"steps of {network.dt:g} ms: a board takes {1 / network.dt:g} times as long as the time that it simulates "
            f"(time_scale_factor).",
            "A dt of 1 ms runs in real time.",
        )
    else:
        rows.exact(Place("dt"), f"steps of {network.dt:g} ms.")
    rows.exact(
        Place("seed"),
        f"{network.seed}: all draws before the run are made here; {target.title} draws its own Poisson spikes.",
    )
    where = (
        "on the board that .spynnaker.cfg names (without one the network is only mapped)"
        if target.name == "spinnaker"
        else "in a process of its own"
    )
    rows.exact(
        Place("run"),
        f"one stretch from the start, {where}; set, emit, reset, snapshot and save are not there.",
    )


def _recording(
    number: int,
    probe: Probe,
    network: ConcreteNetwork,
    matches: Mapping[str, CellMatch],
    projections: Sequence[PlannedProjection],
    target: Target,
    rows: Rows,
) -> PlannedRecording | None:
    """Return what records a probe."""
    name, variable = probe.owner.name, probe.variable
    place = Place("recording", name, variable)
    every = f" every {probe.every * network.dt:g} ms" if probe.every > 1 else ""
    if isinstance(probe.owner, Projection):
        if variable != "w":
            rows.impossible(
                place, "PyNN records no variable of a synapse but its weight.", "Record 'w'."
            )
            return None
        if any(q.decay is not None for q in projections if q.of == name):
            rows.impossible(
                place,
                "many edges stand for each there.",
                "It is what it was given: record nothing.",
            )
            return None
        learns = any(q.rule is not None for q in projections if q.of == name)
        late = (
            " A weight is that of the last spike of its source: NEST changes it then."
            if learns and target.name == "nest"
            else ""
        )
        (rows.approximated if late else rows.exact)(
            place, f"weights are read{every or ' after every step'}.{late}"
        )
        count = network.projections[name].targets.size
        return PlannedRecording(
            number,
            name,
            ("weight",),
            np.arange(count) if probe.edges is None else probe.edges,
            probe.every,
        )
    members = np.asarray(probe.owner.indices)
    if variable == "spikes":
        rows.exact(place, "spikes, in our count of steps.")
        return PlannedRecording(number, name, ("spikes",), members)
    found = matches.get(name)
    theirs = (
        () if found is None else tuple(s for s, mine in found.states.items() if mine == variable)
    )
    recorded = (
        []
        if found is None
        else [target.records.get(n, n) for n in map(found.standard.records.get, theirs)]
    )
    if not theirs or None in recorded:
        rows.impossible(place, "PyNN does not record it there.", "Record another state.")
        return None
    jump = set(theirs) & set(found.standard.receptors.values())
    said = f"{' plus '.join(recorded)}{every}"
    if jump:
        rows.approximated(
            place, f"{said}; a sample includes what spikes add in its step, here the next one does."
        )
    else:
        rows.exact(place, f"{said}.")
    return PlannedRecording(
        number, name, tuple(recorded), members, probe.every, _scale(found, theirs[0], network, name)
    )


def _scale(found: CellMatch, state: str, network: ConcreteNetwork, name: str) -> float | np.ndarray:
    """Return what our state is multiplied by there."""
    return value(found.scales[state], constant(network.populations[name]))
