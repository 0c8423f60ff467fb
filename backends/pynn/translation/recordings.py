"""Probes of a network as recordings of PyNN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from neurosim.backend.report_rows import Place
from neurosim.ir.concrete import ConcreteNetwork
from neurosim.network.probes import Probe
from neurosim.network.projections import Projection
from neurosim.network.sources import BERNOULLI, POISSON

from ..matching.cells import CellMatch
from .neurons import scale_of_state
from .plan import PlannedProjection, PlannedRecording
from .rows import Rows
from .targets import Target


class Recordings:
    """Makes the recordings of a plan.

    Parameters
    ----------
    network : ConcreteNetwork
        With all draws made.
    matches : mapping of str to CellMatch
        Population -> match of its cell.
    projections : sequence of PlannedProjection
        Of the plan.
    target : Target
    rows : Rows
        Collects the rows of the report.
    """

    def __init__(
        self,
        network: ConcreteNetwork,
        matches: Mapping[str, CellMatch],
        projections: Sequence[PlannedProjection],
        *,
        target: Target,
        rows: Rows,
    ) -> None:
        self._network = network
        self._matches = matches
        self._target = target
        self._rows = rows
        self._projections = projections

    def planned(self) -> tuple[PlannedRecording, ...]:
        """Return all recordings that are possible, and report the others."""
        recordings = [self._recording(i, probe) for i, probe in enumerate(self._network.probes)]
        return tuple(r for r in recordings if r is not None)

    def _recording(self, number: int, probe: Probe) -> PlannedRecording | None:
        place = Place("recording", probe.owner.name, probe.label)
        if probe.at_spikes:
            self._rows.impossible(
                place,
                f"PyNN records {probe.variable!r} at intervals, not at spikes.",
                "Record it in each step, or use backend='cpu'.",
            )
            return None
        if probe.label != probe.variable:
            self._rows.impossible(
                place,
                f"PyNN records {probe.variable!r} of a population once, at one interval.",
                "Record all members in one call.",
            )
            return None
        if isinstance(probe.owner, Projection):
            return self._weights(number, probe, place)
        # An array, also for slices: the script sorts members, and results are put back in order.
        members = np.asarray(probe.owner.indices)
        if probe.variable == "spikes":
            cell = self._network.populations[probe.owner.name].cell
            if self._target.several_spikes and (cell is POISSON or cell is BERNOULLI):
                self._rows.approximated(
                    place, "spikes, in our count of steps; several of one step are one."
                )
            else:
                self._rows.exact(place, "spikes, in our count of steps.")
            return PlannedRecording(number, probe.owner.name, ("spikes",), members)
        return self._state(number, probe, place, members)

    def _interval(self, probe: Probe) -> str:
        return f" every {probe.every * self._network.dt:.12g} ms" if probe.every > 1 else ""

    def _weights(self, number: int, probe: Probe, place: Place) -> PlannedRecording | None:
        name = probe.owner.name
        if probe.variable != "w":
            self._rows.impossible(
                place, "PyNN records no variable of a synapse but its weight.", "Record 'w'."
            )
            return None
        parts = [q for q in self._projections if q.origin == name]
        # Edges of one decay have different weights, and none of them is that of the network's edge.
        if any(q.decay is not None for q in parts):
            self._rows.impossible(
                place,
                "many edges stand for each there.",
                "It is what it was given: record nothing.",
            )
            return None
        reason = f"weights are read{self._interval(probe) or ' after every step'}."
        if self._target.weights_lag and any(q.rule is not None for q in parts):
            self._rows.approximated(
                place,
                f"{reason} A weight is that of the last spike of its source: "
                f"{self._target.title} changes it then.",
            )
        else:
            self._rows.exact(place, reason)
        # All weights are read from PyNN, which cannot select; the edges of the probe follow here.
        edges = probe.edges
        if edges is None:
            edges = np.arange(self._network.projections[name].targets.size)
        return PlannedRecording(number, name, ("weight",), edges, probe.every)

    def _state(
        self,
        number: int,
        probe: Probe,
        place: Place,
        members: np.ndarray,
    ) -> PlannedRecording | None:
        name = probe.owner.name
        match = self._matches.get(probe.owner.name)
        states = (
            [] if match is None else [s for s, v in match.states.items() if v == probe.variable]
        )
        variables = [] if match is None else [self._recorded_name(match, s) for s in states]
        names = tuple(v for v in variables if v is not None)
        if match is None or not states or len(names) < len(variables):
            self._rows.impossible(place, "PyNN does not record it there.", "Record another state.")
            return None
        # One port of ours on two receptors: the state here is the sum of two there.
        reason = f"{' plus '.join(names)}{self._interval(probe)}"
        if set(states) & set(match.standard.receptors.values()):
            self._rows.approximated(
                place,
                f"{reason}; a sample includes what spikes add in its step, here the next one does.",
            )
        else:
            self._rows.exact(place, f"{reason}.")
        # Both receptors of a port have the same scale, see `matching.cells`.
        scale = scale_of_state(match, states[0], self._network.populations[name])
        subtracted = tuple(
            v for s, v in zip(states, names, strict=True) if self._is_subtracted(match, s)
        )
        return PlannedRecording(
            number, name, names, members, probe.every, scale, subtracted=subtracted
        )

    def _is_subtracted(self, match: CellMatch, state: str) -> bool:
        """Return whether a state is the magnitude of an inhibitory current on the target."""
        is_current = match.standard.signed and state.endswith("_inh")
        return is_current and not self._target.signed_weights

    def _recorded_name(self, match: CellMatch, state: str) -> str | None:
        """Return the target's name of a state, or None if it cannot be recorded."""
        name = match.standard.records.get(state)
        return None if name is None else self._target.recorded_names.get(name, name)
