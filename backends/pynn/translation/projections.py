"""Projections and drives of a network as those of PyNN: edges split by receptor, delays counted as
the target counts them, rules as pair STDP.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neurosim.backend.report import Place
from neurosim.draws.values import Shared, Table
from neurosim.ir.concrete import (
    ConcreteDrive,
    ConcreteNetwork,
    ConcretePopulation,
    ConcreteProjection,
)
from neurosim.ir.free_memory import available

from ..matching.algebra import Unmatched, show, value
from ..matching.cells import CellMatch
from ..matching.pair_stdp import PairRule, match_pair_stdp
from ..matching.short_term import ShortTermRule, match_short_term
from .plan import PlannedPopulation, PlannedProjection, PlannedRule, PlannedShortTerm, Rows, span
from .targets import Target

_LEFT = 0.001  # share of a decaying current that is cut off, where edges stand for its steps
_BYTES = 40  # of an edge in NEST, about
_SLOTS = 576  # steps: the longest delay of SpiNNaker with up to 128 neurons per core
Learning = PlannedRule | PlannedShortTerm | None


@dataclass(frozen=True, eq=False)
class _Edges:
    """Edges on their way: (E,) each."""

    pre: np.ndarray
    post: np.ndarray
    weight: np.ndarray
    delay: np.ndarray
    number: np.ndarray

    def where(self, chosen: np.ndarray) -> _Edges:
        return _Edges(
            *(getattr(self, n)[chosen] for n in ("pre", "post", "weight", "delay", "number"))
        )


class Wiring:
    """Makes the projections of a plan; ``planned`` is what it made, ``sources`` are the populations
    that stand for drives.
    """

    def __init__(
        self, network: ConcreteNetwork, matches: Mapping[str, CellMatch], target: Target, rows: Rows
    ) -> None:
        self.network, self.matches, self.target, self.rows = network, matches, target, rows
        self.planned: list[PlannedProjection] = []
        self.sources: list[PlannedPopulation] = []
        for name in network.order:
            if name in network.projections:
                self._projection(network.projections[name])
            else:
                self._drive(network.drives[name])
        self._one_rule_per_target()

    # ---- projections

    def _projection(self, p: ConcreteProjection) -> None:
        place = Place("projection", p.name)
        if p.same_step:
            self.rows.impossible(
                place,
                "its spikes arrive in the step in which they are sent, and no target has that.",
                "Use a delay.",
            )
            return
        found = self._reachable(p.target, p.port, place)
        rule = None
        if p.rule is not None:
            try:
                rule = match_short_term(p.rule) or match_pair_stdp(p.rule)
            except Unmatched as error:
                self.rows.impossible(
                    place.of(f"rule {p.rule.name!r}"),
                    f"is no rule of PyNN: {error}",
                    "Run it on 'cpu', or fix its weights.",
                )
        if found is None or (p.rule is not None and rule is None):
            return
        later = self.target.later + bool(
            found.standard.decays
        )  # NEST's Izhikevich neuron feels a spike in the step in which it lands
        count = p.targets.size
        edges = _Edges(
            p.sources,
            p.targets.astype(np.int32),
            self._weights(p, place),
            self._delays(p.delay, count, later, place),
            np.arange(count),
        )
        planned_rule = (
            None
            if rule is None
            else self._short_term(p, rule, place)
            if isinstance(rule, ShortTermRule)
            else self._rule(p, rule, found, place)
        )
        self._place(
            p.name, p.source, self.network.populations[p.target], p.port, edges, planned_rule, place
        )

    def _reachable(self, target: str, port: str | None, place: Place) -> CellMatch | None:
        found = self.matches.get(target)
        if found is None:
            self.rows.impossible(
                place, f"its target {target!r} is no standard cell.", "See its row."
            )
        elif port is None or not found.ports.get(port):
            self.rows.impossible(
                place,
                f"what port {port!r} receives has no counterpart in {found.standard.name}: "
                "it is no jump of a synapse or voltage.",
                "Use another port.",
            )
            found = None
        elif any(
            isinstance(self.network.populations[target].parameters.get(s.name), Table)
            for r in found.ports[port]
            for s in _read(found, r)
        ):
            self.rows.impossible(
                place,
                "what its weights are multiplied by changes over time.",
                "Let a current follow the table.",
            )
            found = None
        return found

    def _weights(self, p: ConcreteProjection, place: Place) -> np.ndarray:
        given: Any = p.weight if p.rule is None else p.initial["w"]
        if isinstance(given, Shared):
            self.rows.exact(
                place.of("weights"),
                f"{given.values.size} shared values are written out, one per edge.",
            )
            given = given.values[given.index]
        return np.array(np.broadcast_to(np.asarray(given, np.float64), p.targets.size))

    def _delays(self, delay: Any, count: int, later: int, place: Place) -> np.ndarray:
        """Return delays of the target, ``later`` steps more than ours for the same step of arrival."""
        dt = self.network.dt
        ours = np.broadcast_to(np.rint(np.asarray(delay) / dt).astype(np.int64), count)
        there = np.maximum(ours + later, 1)
        raised = int((ours + later < 1).sum())
        plus = f", {later} step more than here, which is the same step of arrival" if later else ""
        if raised:
            self.rows.approximated(
                place.of("delay"),
                f"{raised} of {count} delays of 0 become {dt:g} ms, the shortest there: "
                "they arrive one step later.",
                f"Give a delay of {dt:g} ms.",
            )
        elif there.max(initial=0) > _SLOTS and self.target.name == "spinnaker":
            self.rows.impossible(
                place.of("delay"),
                f"{there.max()} steps; the longest there is {_SLOTS}.",
                "Shorten it, or use a longer dt.",
            )
        else:
            self.rows.exact(place.of("delay"), f"{span(there * dt)} ms{plus}.")
        return there * dt

    def _place(
        self,
        name: str,
        source: str,
        target: ConcretePopulation,
        port: str,
        edges: _Edges,
        rule: Learning,
        place: Place,
    ) -> None:
        """Split edges by receptor, and add them to the plan."""
        found = self.matches[target.name]
        receptors, signed = found.ports[port], found.standard.signed
        values = constant(target)
        texts, left = [], np.ones(edges.post.size, bool)
        for receptor in receptors:
            scale = np.broadcast_to(value(found.scale(receptor), values), target.size)[edges.post]
            weights = scale * edges.weight
            inhibitory = receptor == "inhibitory" and signed
            chosen = left & (
                weights <= 0
                if inhibitory and len(receptors) == 1
                else weights < 0
                if inhibitory
                else weights >= 0
            )
            left &= ~chosen
            if chosen.any():
                part = edges.where(chosen)
                sign = -1.0 if inhibitory and not self.target.signed else 1.0
                texts.append(
                    f"{chosen.sum()} edges, {receptor}, {span(sign * weights[chosen])} "
                    f"{found.standard.weight}"
                )
                self._add(name, source, target.name, receptor, part, sign * scale[chosen], rule)
        if found.standard.decays:
            self._decays(name, target, found, rule, place)
        if left.any():
            kind = (
                "conductances are positive"
                if not signed
                else f"port {port!r} reaches receptor {receptors[0]!r} alone"
            )
            self.rows.impossible(
                place.of("weights"),
                f"{left.sum()} of {left.size} weights are of the other sign "
                f"({span(edges.weight[left])}): {kind}.",
                "Send them to a port of their own.",
            )
        self.rows.exact(place.of("weights"), "; ".join(texts) + "." if texts else "no edges.")

    def _add(
        self,
        name: str,
        source: str,
        target: str,
        receptor: str,
        edges: _Edges,
        scale: np.ndarray,
        rule: Learning,
    ) -> None:
        for layer, chosen in enumerate(
            _layers(edges) if self.target.one_edge else [np.ones(edges.post.size, bool)]
        ):
            part = edges.where(chosen)
            label = f"{name}.{receptor}" + (f".{layer + 1}" if layer else "")
            factor = scale[chosen]
            made = rule if isinstance(rule, PlannedRule) else None
            if made is not None:
                made = replace(
                    made,
                    weights={
                        k: v if k.startswith("mu") else v * float(factor[0])
                        for k, v in made.weights.items()
                    },
                )
            self.planned.append(
                PlannedProjection(
                    label,
                    name,
                    source,
                    target,
                    receptor,
                    part.pre,
                    part.post,
                    factor * part.weight,
                    part.delay,
                    part.number,
                    factor,
                    made,
                    rule if isinstance(rule, PlannedShortTerm) else None,
                )
            )

    def _decays(
        self, name: str, target: ConcretePopulation, found: CellMatch, rule: Learning, place: Place
    ) -> None:
        """Let many edges stand for each that brings a decaying current, where the cell has no
        synapse that decays.
        """
        dt, values, edges = self.network.dt, constant(target), 0.0
        for at, q in enumerate(self.planned):
            if q.of == name:
                taus = np.broadcast_to(
                    value(found.parameters[found.standard.decays[q.receptor]], values), target.size
                )[q.post]
                steps = max(math.ceil(-math.log(_LEFT) * float(taus.max()) / dt), 1)
                self.planned[at] = replace(q, decay=taus, steps=steps)
                edges += float(steps) * taus.size
        where = place.of("synapse")
        if rule is not None:
            self.rows.impossible(
                where,
                "a current that decays is many edges there, which cannot learn as one.",
                "Fix its weights.",
            )
        elif edges * _BYTES > available():
            self.rows.impossible(
                where,
                "a current that decays is many edges there: "
                f"{edges:.3g}, which take about {edges * _BYTES / 1e9:.3g} GB, "
                f"of {available() / 1e9:.3g} GB that are free.",
                "Shorten the time constant, or use fewer edges.",
            )
        elif edges:
            self.rows.approximated(
                where,
                f"no Izhikevich cell of {self.target.title} has a current that decays: "
                "an edge stands for each step of it, "
                f"{edges:.3g} edges, until {100 * _LEFT:g} % are left.",
                "On 'spinnaker' it decays by itself.",
            )

    # ---- rules

    def _rule(
        self, p: ConcreteProjection, rule: PairRule, found: CellMatch, place: Place
    ) -> PlannedRule | None:
        """Return a rule with numbers, and report how it differs there."""
        where = place.of(f"rule {p.rule.name!r}")
        values = dict(p.values)
        timing = {n: float(value(e, values)) for n, e in rule.timing.items()}
        bounds = {n: float(value(e, values)) for n, e in rule.weights.items()}
        named = "; ".join(
            f"{n} = {show(e)} = {(timing | bounds)[n]:.7g}"
            for n, e in (rule.timing | rule.weights).items()
        )
        self.rows.exact(where, f"SpikePairRule with {rule.dependence}: {named}.")
        target = self.target
        if rule.dependence not in target.dependences:
            known = " and ".join(target.dependences)
            quiet = (
                " (PyNN takes it, and silently computes the additive one)"
                if target.name == "pynn-brian2"
                else ""
            )
            self.rows.impossible(
                where.of(f"{where.aspect}, dependence"),
                f"{rule.dependence} is not there{quiet}; there is {known}.",
                "Use one that is there.",
            )
        if bounds["w_min"] != 0 and not target.least_weight:
            self.rows.impossible(
                where.of(f"{where.aspect}, w_min"),
                f"it is {bounds['w_min']:g}; on {target.title} it is 0.",
                "Set w_min to 0.",
            )
        if bounds["w_min"] < 0 or np.any(
            np.asarray(
                value(
                    found.scale(found.ports[p.port][0]),
                    constant(self.network.populations[p.target]),
                )
            )
            < 0
        ):
            self.rows.impossible(
                where.of(f"{where.aspect}, sign"),
                "PyNN's plastic weights are positive, and these become negative there.",
                "Send them to an excitatory port.",
            )
        self._timing(p, where)
        self._meeting(rule, where)
        if not rule.sends_changed_weight:
            self.rows.approximated(
                where.of(f"{where.aspect}, order"),
                "here the weight is sent before a spike of the source changes it, there after.",
            )
        return PlannedRule(rule.dependence, timing, bounds, float(target.dendritic[0]))

    def _short_term(
        self, p: ConcreteProjection, rule: ShortTermRule, place: Place
    ) -> PlannedShortTerm | None:
        """Return short-term plasticity with numbers, where a target has it."""
        where, values = place.of(f"rule {p.rule.name!r}"), dict(p.values)
        named = {"U": rule.U, "tau_rec": rule.tau_rec} | (
            {} if rule.tau_facil is None else {"tau_facil": rule.tau_facil}
        )
        numbers = {n: float(value(e, values)) for n, e in named.items()}
        text = "; ".join(f"{n} = {show(e)} = {numbers[n]:.7g}" for n, e in named.items())
        if self.target.short_term is not None:
            self.rows.impossible(
                where,
                f"it is short-term plasticity ({text}), and {self.target.short_term}.",
                "Run it on 'nest' or 'cpu', or fix its weights.",
            )
            return None
        begun = [n for n, v in p.initial.items() if n != "w" and np.any(v)]
        if begun:
            self.rows.impossible(
                where.of(f"{where.aspect}, {begun[0]}"),
                "it begins above 0; there all resources are at rest.",
                "Begin at 0.",
            )
        self.rows.exact(where, f"tsodyks2_synapse: {text}.")
        return PlannedShortTerm(numbers["U"], numbers["tau_rec"], numbers.get("tau_facil", 0.0))

    def _timing(self, p: ConcreteProjection, where: Place) -> None:
        """Report where the spikes of both ends reach the synapse, relative to each other, here and
        there.
        """
        dt, target = self.network.dt, self.target
        total = np.atleast_1d(np.rint(np.asarray(p.delay) / dt))
        behind = np.rint(p.dendritic_fraction * total)
        back = behind if p.back is None else np.rint(np.atleast_1d(np.asarray(p.back)) / dt)
        here = (
            (total - behind) - back
            # steps by which the source's spike is later at the synapse than the target's, if fired
            # together
        )
        there_total = np.maximum(total + target.later, 1)
        there_behind = target.dendritic[0] * there_total + (
            target.dendritic[1] if target.dendritic[0] else 0
        )
        there = (
            (there_total - target.later - there_behind if target.dendritic[0] else there_total)
            - target.back[0] * there_total
            - target.back[1]
        )
        apart = (there - here) * dt
        if np.any(apart != 0):
            said = {"nest": "back= equal to it", "spinnaker": f"back= {dt:g} ms more than it"}.get(
                target.name
            )
            remedy = (
                f"Give all of the delay to the dendrite, and {said}."
                if said
                else "Use dendritic_fraction=0: the delay is along the axon there."
            )
            self.rows.approximated(
                where.of(f"{where.aspect}, timing"),
                f"at the synapse the source's spikes come {span(apart)} ms later, relative to the "
                "target's, than here.",
                remedy,
            )
        else:
            self.rows.exact(
                where.of(f"{where.aspect}, timing"),
                "spikes of both ends reach the synapse at the same distance as here.",
            )

    def _meeting(self, rule: PairRule, where: Place) -> None:
        words = {0: "not counted", 1: "counted"}
        if self.target.met is None:
            self.rows.approximated(
                where.of(f"{where.aspect}, same step"),
                "what spikes of both ends in one step do there was not probed: it takes a board.",
            )
        elif rule.simultaneous != self.target.met:
            here, there = (
                f"the source's spike {words[a]} by the target's, the target's {words[b]} by the "
                "source's"
                for a, b in (rule.simultaneous, self.target.met)
            )
            self.rows.approximated(
                where.of(f"{where.aspect}, same step"),
                f"where spikes of both ends meet in one step: here {here}; there {there}.",
                "Order the handlers so, or keep such pairs apart.",
            )
        else:
            self.rows.exact(
                where.of(f"{where.aspect}, same step"),
                "spikes of both ends in one step count as here.",
            )

    def _one_rule_per_target(self) -> None:
        """Report where two rules into one population cannot have parameters of their own."""
        by_target: dict[str, list[PlannedProjection]] = {}
        for p in self.planned:
            if p.rule is not None:
                by_target.setdefault(p.target, []).append(p)
        for target, plastic in by_target.items():
            names = ", ".join(repr(p.of) for p in plastic)
            if self.target.name == "spinnaker" and len({repr(p.rule) for p in plastic}) > 1:
                self.rows.impossible(
                    f"population {target!r}",
                    f"{names} differ in rule or parameters; SpiNNaker has one rule per population.",
                    "Give them the same rule, or each a population of its own.",
                )
            if (
                self.target.name == "nest"
                and len({p.rule.timing["tau_minus"] for p in plastic}) > 1
            ):
                self.rows.impossible(
                    f"population {target!r}",
                    f"{names} differ in tau_minus, which belongs to the neuron in NEST: "
                    "the last holds for all.",
                    "Give them the same tau_minus, or each a population of its own.",
                )

    # ---- drives

    def _drive(self, d: ConcreteDrive) -> None:
        place = Place("drive", d.name)
        if self._reachable(d.target, d.port, place) is None:
            return
        count, dt = d.indices.size, self.network.dt
        rate = np.asarray(d.rate, np.float64) * 1000.0
        source = f"{d.name} source"
        self.sources.append(
            PlannedPopulation(
                source,
                count,
                "SpikeSourcePoisson",
                {"rate": float(rate) if rate.ndim == 0 else rate},
                drive=True,
            )
        )
        limit = " (at most one spike per step there)" if self.target.name == "pynn-brian2" else ""
        self.rows.approximated(
            place,
            f"{count} SpikeSourcePoisson of {span(rate)} Hz{limit}, one for each target: "
            "the same statistics, other spikes.",
        )
        edges = _Edges(
            np.arange(count),
            d.indices,
            np.array(np.broadcast_to(np.asarray(d.weight, np.float64), count)),
            np.full(count, dt),
            np.arange(count),
        )
        self._place(d.name, source, self.network.populations[d.target], d.port, edges, None, place)


def _read(found: CellMatch, receptor: str) -> set[Any]:
    """Return what edges are computed from, besides their own values."""
    decay = found.parameters.get(found.standard.decays.get(receptor, ""))
    return found.scale(receptor).free_symbols | (decay.free_symbols if decay is not None else set())


def _layers(edges: _Edges) -> Iterator[np.ndarray]:
    """Yield the first edge of every pair, then the second of every pair that has one, and so on."""
    order = np.lexsort((edges.number, edges.post, edges.pre))
    pairs = (
        edges.pre[order].astype(np.int64) * (int(edges.post.max(initial=0)) + 1) + edges.post[order]
    )
    starts = np.r_[True, np.diff(pairs) != 0] if pairs.size else np.zeros(0, bool)
    rank = np.empty(pairs.size, np.int64)
    rank[order] = np.arange(pairs.size) - np.flatnonzero(starts)[np.cumsum(starts) - 1]
    for k in range(int(rank.max(initial=-1)) + 1):
        yield rank == k


def constant(population: ConcretePopulation) -> dict[str, Any]:
    """Return the parameters of a population that do not change over time."""
    return {n: v for n, v in population.parameters.items() if not isinstance(v, Table)}
