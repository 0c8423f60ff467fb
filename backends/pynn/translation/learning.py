"""Plastic projections: rules with numbers, and how each differs on a target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from neurosim.backend.report_rows import Place
from neurosim.ir.concrete import ConcreteProjection
from neurosim.model.rule import Rule

from ..matching.algebra import Symbolic, Unmatched, show, value
from ..matching.pair_stdp import PairRule, match_pair_stdp
from ..matching.short_term import ShortTermRule, match_short_term
from .plan import PlannedProjection, PlannedRule, PlannedShortTerm
from .rows import Rows, format_range
from .targets import Target

MatchedRule = PairRule | ShortTermRule
Plasticity = PlannedRule | PlannedShortTerm


def match_plasticity(rule: Rule, place: Place, rows: Rows) -> MatchedRule | None:
    """Return a rule as one of PyNN, or report why it is none.

    Parameters
    ----------
    rule : Rule
        Of a projection.
    place : Place
        Of the projection.
    rows : Rows
        Collects the rows of the report.
    """
    # Pair STDP comes second: it answers with a reason why a rule is none, the first with None.
    try:
        if rule.assigned_states:
            raise Unmatched(
                f"it assigns {rule.assigned_states[0]!r}, and rules of PyNN assign no states of "
                "cells. Deliver to a port."
            )
        return match_short_term(rule) or match_pair_stdp(rule)
    except Unmatched as error:
        rows.impossible(
            place.of(f"rule {rule.name!r}"),
            f"is no rule of PyNN: {error}",
            "Run it on 'cpu', or fix its weights.",
        )
        return None


def plan_plasticity(
    p: ConcreteProjection,
    rule: MatchedRule,
    *,
    dt: float,
    target: Target,
    rows: Rows,
    negative: bool,
) -> Plasticity | None:
    """Return a rule with numbers, and report how it differs on a target.

    Parameters
    ----------
    p : ConcreteProjection
    rule : MatchedRule
        Its rule, as one of PyNN.
    dt : float, ms
    target : Target
    rows : Rows
        Collects the rows of the report.
    negative : bool
        Whether weights are or become negative on the target.

    Returns
    -------
    The rule, or None if the target has none like it.
    """
    planner = _RulePlanner(p, dt=dt, target=target, rows=rows)
    if isinstance(rule, ShortTermRule):
        return planner.short_term(rule)
    return planner.pair_stdp(rule, negative=negative)


# Pairs of what is done to a weight in a step, and a sentence if their order differs.
_ORDERED = (
    ("send", "grow", "here the weight is sent {} the target's spike changes it, there {}"),
    ("shrink", "grow", "here the source's spike changes the weight {} the target's, there {}"),
)


class _RulePlanner:
    def __init__(
        self,
        p: ConcreteProjection,
        *,
        dt: float,
        target: Target,
        rows: Rows,
    ) -> None:
        self._p = p
        self._dt = dt
        self._target = target
        self._rows = rows
        self._rule_aspect = f"rule {'' if p.rule is None else p.rule.name!r}"
        self._place = Place("projection", p.name, self._rule_aspect)

    def _aspect(self, name: str) -> Place:
        return self._place.of(f"{self._rule_aspect}, {name}")

    def _numbers(self, expressions: dict[str, Symbolic]) -> dict[str, float]:
        values: dict[str, Any] = dict(self._p.values)
        return {name: float(value(e, values)) for name, e in expressions.items()}

    # ---- pair STDP

    def pair_stdp(self, rule: PairRule, *, negative: bool) -> PlannedRule:
        # Expressions stand beside their numbers in the report: both sides can be checked by eye.
        timing = self._numbers(rule.timing)
        weights = self._numbers(rule.weights)
        numbers = _equations(rule.timing | rule.weights, timing | weights)
        absolute = rule.dependence in self._target.absolute_amplitudes
        written = ""
        if absolute:
            changes = {name: timing[name] * weights["w_max"] for name in ("A_plus", "A_minus")}
            timing |= changes
            values = ", ".join(f"{name} = {change:.7g}" for name, change in changes.items())
            written = f" {self._target.title} takes changes of the weight itself: {values}."
        self._rows.exact(self._place, f"SpikePairRule with {rule.dependence}: {numbers}.{written}")
        self._report_dependence(rule.dependence)
        if weights["w_min"] != 0 and not self._target.allows_least_weight:
            reason = f"it is {weights['w_min']:g}; on {self._target.title} it is 0."
            self._rows.impossible(self._aspect("w_min"), reason, "Set w_min to 0.")
        # With negative weights the bounds would change places, and potentiation would weaken.
        if weights["w_min"] < 0 or negative:
            self._rows.impossible(
                self._aspect("sign"),
                "PyNN's plastic weights are positive, and some of these are or become negative "
                "there.",
                "Begin at 0 or above, and send them to an excitatory port.",
            )
        self._report_timing()
        self._report_simultaneous(rule)
        self._report_memory()
        if not rule.sends_changed_weight:
            self._rows.approximated(
                self._aspect("order"),
                "here the weight is sent before a spike of the source changes it, there after.",
            )
        fraction = float(self._target.dendritic.share)
        return PlannedRule(rule.dependence, timing, weights, fraction, absolute=absolute)

    def _report_dependence(self, dependence: str) -> None:
        if dependence in self._target.dependences:
            return
        known = " and ".join(self._target.dependences)
        self._rows.impossible(
            self._aspect("dependence"),
            f"{dependence} is not there{self._target.dependence_note}; there is {known}.",
            "Use one that is there.",
        )

    def _report_timing(self) -> None:
        """Report when spikes of both ends reach the synapse, relative to each other."""
        # Only the distance of the two spikes matters to a pair rule, not when they meet.
        difference = (self._lag_there() - self._lag_here()) * self._dt
        if np.any(difference != 0):
            self._rows.approximated(
                self._aspect("timing"),
                f"at the synapse the source's spikes come {format_range(difference)} ms later, "
                "relative to the target's, than here.",
                self._target.timing_remedy.format(dt=self._dt),
            )
        else:
            self._rows.exact(
                self._aspect("timing"),
                "spikes of both ends reach the synapse at the same distance as here.",
            )

    def _total_steps(self) -> np.ndarray:
        delay: Any = self._p.delay
        return np.atleast_1d(np.rint(np.asarray(delay) / self._dt))

    def _lag_here(self) -> np.ndarray:
        """Return steps by which the source's spike reaches the synapse after the target's.

        Both neurons spike in the same step; (E,), or (1,) for equal delays.
        """
        total = self._total_steps()
        dendritic = np.rint(self._p.dendritic_fraction * total)
        # The target's spike takes as long back to the synapse as an input takes to the soma.
        back: Any = self._p.back
        if back is None:
            return (total - dendritic) - dendritic
        return (total - dendritic) - np.rint(np.atleast_1d(np.asarray(back)) / self._dt)

    def _lag_there(self) -> np.ndarray:
        """Return the same steps on the target."""
        target = self._target
        total = np.maximum(self._total_steps() + target.extra_delay, 1)
        # The delay that the target adds lies in its count of steps, not on the way to the synapse.
        axonal = total
        if target.dendritic.share:
            dendritic = target.dendritic.share * total + target.dendritic.steps
            axonal = total - target.extra_delay - dendritic
        return axonal - target.back.share * total - target.back.steps

    def _report_simultaneous(self, rule: PairRule) -> None:
        place = self._aspect("same step")
        there = self._target.simultaneous
        differences: list[str] = []
        if rule.simultaneous != there:
            differences.append(f"here {_counted(rule.simultaneous)}; there {_counted(there)}")
        for first, second, text in _ORDERED:
            here = rule.order.index(first) < rule.order.index(second)
            if here != (self._target.order.index(first) < self._target.order.index(second)):
                words = ("before", "after") if here else ("after", "before")
                differences.append(text.format(*words))
        if differences:
            self._rows.approximated(
                place,
                f"where spikes of both ends meet in one step: {'; '.join(differences)}.",
                "Order the handlers so, or keep such pairs apart.",
            )
        else:
            self._rows.exact(place, "spikes of both ends in one step count as here.")

    def _report_memory(self) -> None:
        """Report that a synapse forgets early spikes of its target."""
        remembered = self._target.remembered_spikes
        if remembered is not None:
            self._rows.approximated(
                self._aspect("memory"),
                f"of the target's spikes between two of the source, the last {remembered} change "
                "the weight there, here all: a target that spikes more than "
                f"{remembered} times as often as a source learns less.",
                "Keep rates of sources above a fifteenth of those of their targets.",
            )

    # ---- short-term plasticity

    def short_term(self, rule: ShortTermRule) -> PlannedShortTerm | None:
        expressions = {"U": rule.U, "tau_rec": rule.tau_rec}
        if rule.tau_facil is not None:
            expressions["tau_facil"] = rule.tau_facil
        numbers = self._numbers(expressions)
        text = _equations(expressions, numbers)
        if self._target.no_short_term is not None:
            self._rows.impossible(
                self._place,
                f"it is short-term plasticity ({text}), and {self._target.no_short_term}.",
                "Run it on 'nest' or 'cpu', or fix its weights.",
            )
            return None
        # The script sets one initial state for all synapses, that of rest.
        initial: dict[str, Any] = dict(self._p.initial)
        above_rest = [name for name, v in initial.items() if name != "w" and np.any(v)]
        if above_rest:
            reason = "it begins above 0; there all resources are at rest."
            self._rows.impossible(self._aspect(above_rest[0]), reason, "Begin at 0.")
        self._rows.exact(self._place, f"tsodyks2_synapse: {text}.")
        # NEST takes a tau_facil of 0 for no facilitation.
        return PlannedShortTerm(numbers["U"], numbers["tau_rec"], numbers.get("tau_facil", 0.0))


def _equations(expressions: dict[str, Symbolic], numbers: dict[str, float]) -> str:
    return "; ".join(f"{n} = {show(e)} = {numbers[n]:.7g}" for n, e in expressions.items())


def _counted(simultaneous: tuple[int, int]) -> str:
    words = {0: "not counted", 1: "counted"}
    source, target = (words[increments] for increments in simultaneous)
    return f"the source's spike {source} by the target's, the target's {target} by the source's"


def report_rules_of_populations(
    projections: Sequence[PlannedProjection], target: Target, rows: Rows
) -> None:
    """Report rules into one population that cannot have parameters of their own.

    Parameters
    ----------
    projections : sequence of PlannedProjection
        Of the plan.
    target : Target
    rows : Rows
        Collects the rows of the report.
    """
    rules: dict[str, list[PlannedRule]] = {}
    origins: dict[str, list[str]] = {}
    for q in projections:
        if q.rule is not None:
            rules.setdefault(q.target, []).append(q.rule)
            origins.setdefault(q.target, []).append(repr(q.origin))
    for name, own_rules in rules.items():
        place = Place("population", name)
        names = ", ".join(dict.fromkeys(origins[name]))
        # By text, since rules hold dicts and are no members of a set.
        if target.one_rule_per_population and len({repr(rule) for rule in own_rules}) > 1:
            rows.impossible(
                place,
                f"{names} differ in rule or parameters; "
                f"{target.title} has one rule per population.",
                "Give them the same rule, or each a population of its own.",
            )
        if target.tau_minus_of_neuron and len({r.timing["tau_minus"] for r in own_rules}) > 1:
            rows.impossible(
                place,
                f"{names} differ in tau_minus, which belongs to the neuron in {target.title}: "
                "the last holds for all.",
                "Give them the same tau_minus, or each a population of its own.",
            )
