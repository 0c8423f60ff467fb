"""Projections and drives of a network as those of PyNN.

Edges are split by receptor, and delays are counted as the target counts them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neurosim.backend.free_memory import available
from neurosim.backend.report_rows import Place
from neurosim.draws.values import Shared
from neurosim.ir.concrete import (
    ConcreteDrive,
    ConcreteNetwork,
    ConcretePopulation,
    ConcreteProjection,
)

from ..matching.algebra import Symbolic, free_names, value
from ..matching.cells import CellMatch
from .learning import (
    MatchedRule,
    Plasticity,
    match_plasticity,
    plan_plasticity,
    report_rules_of_populations,
)
from .neurons import constants
from .plan import (
    PlannedDecay,
    PlannedPopulation,
    PlannedProjection,
    PlannedRule,
    PlannedShortTerm,
)
from .rows import Rows, format_range
from .sources import number_or_array
from .targets import Target

_CUT_OFF = 0.001  # of a decaying current that edges stand for, the part that is left out
_BYTES_PER_EDGE = 40  # in NEST, about
# Spikes per step of a source with at most one in a step: the variance of a sum of such sources is
# smaller than that of Poisson counts by this part.
_MOST_PER_STEP = 0.05
_MOST_SOURCES = 1_000_000  # of a drive
_MOST_FACTORS = 100  # of weights that learn


@dataclass(frozen=True, eq=False)
class _Edges:
    """Edges of a projection or of a part of it, (E,) each; weights in the unit of the port."""

    pre: np.ndarray
    post: np.ndarray
    weight: np.ndarray
    delay: np.ndarray
    number: np.ndarray

    def select(self, chosen: np.ndarray) -> _Edges:
        return _Edges(
            self.pre[chosen],
            self.post[chosen],
            self.weight[chosen],
            self.delay[chosen],
            self.number[chosen],
        )


@dataclass(frozen=True, eq=False)
class _Path:
    """The way from a source to a port: names, the match of the target's cell, and plasticity."""

    place: Place
    name: str
    source: str
    target: ConcretePopulation
    port: str
    match: CellMatch
    plasticity: Plasticity | None = None


class Wiring:
    """Makes the projections of a plan.

    Parameters
    ----------
    network : ConcreteNetwork
        With all draws made.
    matches : mapping of str to CellMatch
        Population -> match of its cell.
    target : Target
    rows : Rows
        Collects the rows of the report.

    Attributes
    ----------
    projections : list of PlannedProjection
        Of the plan.
    sources : list of PlannedPopulation
        Populations that stand for drives.
    """

    def __init__(
        self,
        network: ConcreteNetwork,
        matches: Mapping[str, CellMatch],
        *,
        target: Target,
        rows: Rows,
    ) -> None:
        self._network = network
        self._matches = matches
        self._target = target
        self._rows = rows
        self.projections: list[PlannedProjection] = []
        self.sources: list[PlannedPopulation] = []
        for name in network.order:
            # In the order of the user: reports and scripts are read beside the user's own text.
            if name in network.projections:
                self._add_projection(network.projections[name])
            else:
                self._add_drive(network.drives[name])
        report_rules_of_populations(self.projections, target, rows)

    def _add_projection(self, p: ConcreteProjection) -> None:
        place = Place("projection", p.name)
        if p.same_step:
            self._rows.impossible(
                place,
                "its spikes arrive in the step in which they are sent, and no target has that.",
                "Use a delay.",
            )
            return
        # The rule is matched even if the target is out of reach: one report names both.
        match = self._reachable(p.target, p.port, place)
        rule: MatchedRule | None = None
        if p.rule is not None:
            rule = match_plasticity(p.rule, place, self._rows)
            if rule is None:
                return
        if match is None or p.port is None:
            return
        weights = self._weights(p, place)
        edges = _Edges(
            p.sources,
            p.targets.astype(np.int32),
            weights,
            self._delays(p, match, place),
            np.arange(weights.size),
        )
        plasticity = None
        if rule is not None:
            target = self._network.populations[p.target]
            # A cell may subtract its input: then positive weights become negative there.
            factor = value(match.scale(match.ports[p.port][0]), constants(target))
            factors = np.broadcast_to(factor, target.size)[edges.post]
            plasticity = plan_plasticity(
                p,
                rule,
                dt=self._network.dt,
                target=self._target,
                rows=self._rows,
                # A weight of 0 would grow with the sign of its factor.
                negative=bool((factors < 0).any() or (edges.weight < 0).any()),
            )
        target = self._network.populations[p.target]
        self._add_edges(_Path(place, p.name, p.source, target, p.port, match, plasticity), edges)

    def _reachable(self, target: str, port: str | None, place: Place) -> CellMatch | None:
        """Return the match of a target whose port has receptors, or report why there is none."""
        match = self._matches.get(target)
        if match is None:
            reason = f"its target {target!r} is no standard cell."
            self._rows.impossible(place, reason, "See its row.")
            return None
        if port is None or not match.ports.get(port):
            self._rows.impossible(
                place,
                f"what port {port!r} receives has no counterpart in {match.standard.name}: "
                "it is no jump of a synapse or voltage.",
                "Use another port.",
            )
            return None
        # A weight is one number in PyNN, so that no factor of it may follow a table.
        fixed = constants(self._network.populations[target]).keys()
        read = {n for r in match.ports[port] for n in _names_of_edges(match, r)}
        if read & (self._network.populations[target].parameters.keys() - fixed):
            self._rows.impossible(
                place,
                "what its weights are multiplied by changes over time.",
                "Let a current follow the table.",
            )
            return None
        return match

    def _weights(self, p: ConcreteProjection, place: Place) -> np.ndarray:
        """Return one weight per edge, (E,) in the unit of the port."""
        weight: Any = p.weight if p.rule is None else p.initial["w"]
        if isinstance(weight, Shared):
            self._rows.exact(
                place.of("weights"),
                f"{weight.values.size} shared values are written out, one per edge.",
            )
            weight = weight.values[weight.index]
        # A copy, since a broadcast array repeats one number in memory and cannot be written.
        return np.array(np.broadcast_to(np.asarray(weight, np.float64), p.targets.size))

    def _delays(self, p: ConcreteProjection, match: CellMatch, place: Place) -> np.ndarray:
        """Return delays of the target in ms, (E,), with the same step of arrival as ours."""
        # NEST's Izhikevich neuron feels a spike in the step in which it arrives.
        extra = self._target.extra_delay + bool(match.standard.decays)
        dt = self._network.dt
        count = p.targets.size
        place = place.of("delay")
        delay: Any = p.delay
        # In steps, which are whole numbers: adding to a time in ms would round.
        ours = np.broadcast_to(np.rint(np.asarray(delay) / dt).astype(np.int64), count)
        theirs = np.maximum(ours + extra, 1)
        raised = int((ours + extra < 1).sum())
        longest = self._target.longest_delay
        if raised:
            self._rows.approximated(
                place,
                f"{raised} of {count} delays of 0 become {dt:.12g} ms, the shortest there: "
                "they arrive one step later.",
                f"Give a delay of {dt:.12g} ms.",
            )
        elif longest is not None and theirs.max(initial=0) > longest:
            self._rows.impossible(
                place,
                f"{theirs.max()} steps; the longest there is {longest}.",
                "Shorten it, or use a longer dt.",
            )
        else:
            more = f", {extra} step more than here, which is the same step of arrival"
            text = f"{format_range(theirs * dt)} ms{more if extra else ''}."
            self._rows.exact(place, text)
        return theirs * dt

    def _add_edges(self, path: _Path, edges: _Edges) -> None:
        """Split edges by receptor, and add them to the plan."""
        match = path.match
        place = path.place.of("weights")
        receptors = match.ports[path.port]
        unit = match.standard.weight
        fixed = constants(path.target)
        texts: list[str] = []
        # Every edge goes to the first receptor that takes its sign; edges that are left have none.
        left = np.ones(edges.post.size, bool)
        for receptor in receptors:
            # A scale may differ between neurons: it belongs to the target of an edge.
            per_neuron = value(match.scale(receptor), fixed)
            scale = np.broadcast_to(per_neuron, path.target.size)[edges.post]
            weights = scale * edges.weight
            is_negative = receptor == "inhibitory" and match.standard.signed
            chosen = left & _of_sign(weights, is_negative, alone=len(receptors) == 1)
            left &= ~chosen
            if chosen.any():
                # Such targets subtract the input of their inhibitory receptor themselves.
                sign = -1.0 if is_negative and not self._target.signed_weights else 1.0
                sizes = format_range(sign * weights[chosen])
                texts.append(f"{chosen.sum()} edges, {receptor}, {sizes} {unit}")
                self._add_receptor(path, receptor, edges.select(chosen), sign * scale[chosen])
        if match.standard.decays:
            self._expand_decays(path)
        # Reported, not dropped in silence: such weights reach no receptor.
        if left.any():
            cause = "conductances are positive"
            if match.standard.signed:
                cause = f"port {path.port!r} reaches receptor {receptors[0]!r} alone"
            self._rows.impossible(
                place,
                f"{left.sum()} of {left.size} weights are of the other sign "
                f"({format_range(edges.weight[left])}): {cause}.",
                "Send them to a port of their own.",
            )
        self._rows.exact(place, "; ".join(texts) + "." if texts else "no edges.")

    def _add_receptor(
        self,
        path: _Path,
        receptor: str,
        edges: _Edges,
        scale: np.ndarray,
    ) -> None:
        """Add the edges to one receptor.

        In layers, if a pair may have one edge only; edges that learn also by the factor of their
        weights, since the bounds of a projection are numbers.
        """
        layers = [np.ones(edges.post.size, bool)]
        if self._target.one_edge_per_pair:
            layers = list(_layers(edges))
        rule = path.plasticity if isinstance(path.plasticity, PlannedRule) else None
        if rule is not None:
            layers = self._split_by_factor(path, layers, scale)
        for number, chosen in enumerate(layers, 1):
            part = edges.select(chosen)
            factor = scale[chosen]
            layer = f".{number}" if number > 1 else ""
            short_term = path.plasticity if isinstance(path.plasticity, PlannedShortTerm) else None
            self.projections.append(
                PlannedProjection(
                    name=f"{path.name}.{receptor}{layer}",
                    origin=path.name,
                    source=path.source,
                    target=path.target.name,
                    receptor=receptor,
                    pre=part.pre,
                    post=part.post,
                    weight=factor * part.weight,
                    delay=part.delay,
                    edges=part.number,
                    scale=factor,
                    # All factors of edges that learn are equal here.
                    rule=None if rule is None else _scaled(rule, float(factor[0])),
                    short_term=short_term,
                )
            )

    def _split_by_factor(
        self, path: _Path, layers: list[np.ndarray], scale: np.ndarray
    ) -> list[np.ndarray]:
        """Return layers in each of which weights have one factor, or report that they are many."""
        distinct = np.unique(scale)
        if distinct.size == 1:
            return layers
        if distinct.size > _MOST_FACTORS:
            self._rows.impossible(
                path.place.of("bounds"),
                f"weights are multiplied by {distinct.size} different factors "
                f"({format_range(distinct)}) there, and bounds are numbers of a projection: it "
                f"would be as many projections, of at most {_MOST_FACTORS}.",
                "Give the neurons equal parameters, or fix the weights.",
            )
            return layers
        parts = [layer & (scale == factor) for layer in layers for factor in distinct]
        return [part for part in parts if part.any()]

    def _expand_decays(self, path: _Path) -> None:
        """Let many edges stand for each, if the cell has no synapse that decays."""
        match = path.match
        dt = self._network.dt
        count = 0.0
        fixed = constants(path.target)
        size = path.target.size
        for position, q in enumerate(self.projections):
            if q.origin != path.name:
                continue
            expression = _decay(match, q.receptor)
            if expression is None:
                continue
            taus = np.broadcast_to(value(expression, fixed), size)[q.post]
            # As many as the slowest current needs: the faster ones have vanished by then.
            steps = max(math.ceil(-math.log(_CUT_OFF) * float(taus.max()) / dt), 1)
            self.projections[position] = replace(q, decay=PlannedDecay(taus, steps))
            count += float(steps) * taus.size
        self._report_decays(path, count)

    def _report_decays(self, path: _Path, count: float) -> None:
        # Edges multiply by the steps of a decay: a script that cannot run must not be written.
        place = path.place.of("synapse")
        memory = count * _BYTES_PER_EDGE
        if path.plasticity is not None:
            self._rows.impossible(
                place,
                "a current that decays is many edges there, which cannot learn as one.",
                "Fix its weights.",
            )
        elif memory > available():
            self._rows.impossible(
                place,
                f"a current that decays is many edges there: {count:.3g}, which take about "
                f"{memory / 1e9:.3g} GB, of {available() / 1e9:.3g} GB that are free.",
                "Shorten the time constant, or use fewer edges.",
            )
        elif count:
            self._rows.approximated(
                place,
                f"no Izhikevich cell of {self._target.title} has a current that decays: an edge "
                f"stands for each step of it, {count:.3g} edges, until {100 * _CUT_OFF:g} % are "
                "left.",
                "On 'spinnaker' it decays by itself.",
            )

    def _add_drive(self, d: ConcreteDrive) -> None:
        """Add Poisson sources for each driven neuron: several where each has one spike a step."""
        # One source for all would send the same spikes to every neuron.
        place = Place("drive", d.name)
        match = self._reachable(d.target, d.port, place)
        if match is None:
            return
        count = d.indices.size
        source = f"{d.name} source"
        rate = np.asarray(d.rate, np.float64)
        dt = self._network.dt
        trains = 1
        difference = ""
        if not self._target.several_spikes:
            most = float(rate.max(initial=0.0)) * dt
            trains = max(math.ceil(most / _MOST_PER_STEP), 1)
            difference = (
                f" A source has at most one spike per step there, so that the variance of the "
                f"counts is smaller by {100 * most / trains:.2g} %."
            )
        if trains * count > _MOST_SOURCES:
            self._rows.impossible(
                place,
                f"a source has at most one spike per step there: {trains} of them for each of "
                f"{count} targets would be needed.",
                "Use a smaller dt, or another backend.",
            )
            return
        hertz = rate * 1000.0 / trains
        rates = np.repeat(hertz, trains) if hertz.ndim else hertz
        parameters = {"rate": number_or_array(rates)}
        self.sources.append(
            PlannedPopulation(
                source, trains * count, "SpikeSourcePoisson", parameters, is_drive=True
            )
        )
        self._rows.approximated(
            place,
            f"{trains * count} SpikeSourcePoisson of {format_range(hertz)} Hz, {trains} for each "
            f"target: the same mean, other spikes.{difference}",
        )
        weights = np.array(np.broadcast_to(np.asarray(d.weight, np.float64), count))
        # The shortest delay everywhere; which step an independent Poisson spike is in is no matter.
        delays = np.full(trains * count, dt)
        number = np.repeat(np.arange(count), trains)
        edges = _Edges(
            np.arange(trains * count), d.indices[number], weights[number], delays, number
        )
        target = self._network.populations[d.target]
        self._add_edges(_Path(place, d.name, source, target, d.port, match), edges)


def _names_of_edges(match: CellMatch, receptor: str) -> set[str]:
    """Return the parameters of the target that values of edges depend on."""
    decay = _decay(match, receptor)
    return free_names(match.scale(receptor)) | (set() if decay is None else free_names(decay))


def _decay(match: CellMatch, receptor: str) -> Symbolic | None:
    """Return the time constant of a current that edges stand for."""
    return match.parameters.get(match.standard.decays.get(receptor, ""))


def _of_sign(weights: np.ndarray, negative: bool, *, alone: bool) -> np.ndarray:
    """Return which weights go to a receptor; 0 goes to the first that takes it."""
    if not negative:
        return weights >= 0
    # With two receptors, the excitatory one has taken the weights of 0 already.
    return weights <= 0 if alone else weights < 0


def _scaled(rule: PlannedRule, factor: float) -> PlannedRule:
    """Return a rule whose bounds and absolute changes are in the unit of the standard cell."""
    weights = {
        # Exponents of Guetig's dependence have no unit.
        name: bound if name.startswith("mu") else bound * factor
        for name, bound in rule.weights.items()
    }
    timing = {
        name: number * factor if rule.absolute and name in ("A_plus", "A_minus") else number
        for name, number in rule.timing.items()
    }
    return replace(rule, weights=weights, timing=timing)


def _layers(edges: _Edges) -> Iterator[np.ndarray]:
    """Yield the first edge of every pair, then the second of every pair that has one, and so on."""
    order = np.lexsort((edges.number, edges.post, edges.pre))
    targets = int(edges.post.max(initial=0)) + 1
    pairs = edges.pre[order].astype(np.int64) * targets + edges.post[order]
    # Equal pairs are neighbours after sorting; the rank of an edge is its distance from the first.
    starts = np.r_[True, np.diff(pairs) != 0] if pairs.size else np.zeros(0, bool)
    rank = np.empty(pairs.size, np.int64)
    rank[order] = np.arange(pairs.size) - np.flatnonzero(starts)[np.cumsum(starts) - 1]
    for k in range(int(rank.max(initial=-1)) + 1):
        yield rank == k
