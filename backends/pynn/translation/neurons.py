"""Populations of neurons as those of PyNN, with a row of the report for each of their parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy

from neurosim.backend.report_rows import Place
from neurosim.draws.values import Table
from neurosim.ir.concrete import ConcretePopulation
from neurosim.ir.discretise import cell_program

from ..matching.algebra import Symbolic, Unmatched, free_names, show, symbol, value
from ..matching.cells import CellMatch, match_cell
from .fixed_point import LARGEST, round_parameters
from .held_current import psp_ratio, refractory_steps
from .plan import PlannedPopulation, PlannedState, StepCurrent, Values
from .rows import Rows, format_range
from .sources import changed_rows, number_or_array
from .targets import Target

# Part of a time constant: nearer ones lose too many digits in their difference.
_SINGULAR = 1e-4


def match_population(p: ConcretePopulation, target: Target, rows: Rows) -> CellMatch | None:
    """Return the match of a population's cell, or None if it is no standard cell.

    If the cell itself has no match, expressions that parameters of 0 multiply are left out.

    Parameters
    ----------
    p : ConcretePopulation
        Population of neurons.
    target : Target
    rows : Rows
        Collects the rows of the report.
    """
    place = Place("population", p.name)
    try:
        match = _match(p, target)
    except Unmatched as error:
        rows.impossible(
            place,
            f"cell {p.cell.name!r} is no standard cell of PyNN on {target.title}: {error}",
            "Use a cell that is one, or run it on 'cpu'.",
        )
        return None
    name = match.standard.name
    if name in target.unusable:
        rows.impossible(
            place,
            f"cell {p.cell.name!r} is {name} by its equations, and {target.unusable[name]}.",
            "Run it on 'nest' or 'cpu'.",
        )
    return match


def _match(p: ConcretePopulation, target: Target) -> CellMatch:
    # The whole cell first: a parameter that happens to be 0 may still be one of the standard cell,
    # and then a change of it needs no other cell.
    try:
        return match_cell(p.cell, target.name)
    except Unmatched:
        zero = [n for n, v in constants(p).items() if not np.any(v)]
        if not zero:
            raise
        return match_cell(p.cell, target.name, zero=zero)


def constants(p: ConcretePopulation) -> dict[str, float | np.ndarray]:
    """Return the parameters of a population that do not change over time."""
    return {n: v for n, v in p.parameters.items() if not isinstance(v, Table)}


class NeuronPlan:
    """Makes one population of neurons of a plan.

    Parameters
    ----------
    p : ConcretePopulation
    match : CellMatch
        Of its cell.
    dt : float, ms
    target : Target
    rows : Rows
        Collects the rows of the report.
    """

    def __init__(
        self,
        p: ConcretePopulation,
        match: CellMatch,
        *,
        dt: float,
        target: Target,
        rows: Rows,
    ) -> None:
        self._p = p
        self._match = match
        self._dt = dt
        self._target = target
        self._rows = rows
        self._place = Place("population", p.name)
        self._tables = {n: v for n, v in p.parameters.items() if isinstance(v, Table)}
        self._parameters: dict[str, Values] = {}
        self._current: StepCurrent | None = None

    def planned(self) -> PlannedPopulation:
        """Return the population, and report everything in it."""
        p = self._p
        match = self._match
        standard = match.standard
        # Only states that a user meets there: those that PyNN records, or has under the same name.
        states = ", ".join(
            f"{mine} is {name}"
            for name, mine in match.states.items()
            if name in standard.records or name == mine
        )
        self._rows.exact(
            self._place, f"cell {p.cell.name!r} is {standard.name} by its equations: {states}."
        )
        self._set_parameters()
        self._report_replaced_parameters()
        self._report_singular_parameters()
        self._report_unread_parameters()
        self._report_ports()
        self._report_method()
        self._report_psp()
        self._report_spacing()
        return PlannedPopulation(
            p.name,
            p.size,
            standard.name,
            self._parameters,
            self._initial(),
            current=self._current,
            states={
                name: PlannedState(mine, scale_of_state(match, name, p))
                for name, mine in match.states.items()
            },
        )

    # ---- parameters

    def _set_parameters(self) -> None:
        match = self._match
        texts = []
        for name, expression in match.parameters.items():
            if expression is None:
                continue  # any value fits; PyNN's default remains
            read = free_names(expression)
            if read & self._tables.keys():
                self._set_current(name, expression)
                continue
            number = value(expression, self._p.parameters)
            text = f"{name} = {show(expression)}"
            texts.append(f"{text} = {format_range(number)}" if read else text)
            # The time constant of a decay is one of edges, not a parameter that the cell has there.
            if name not in match.standard.decays.values():
                self._parameters[name] = self._parameter(name, expression, number)
        self._rows.exact(self._place.of("parameters"), "; ".join(texts) + ".")

    def _parameter(self, name: str, expression: Symbolic, number: Any) -> Any:
        """Return a parameter as the target takes it, and report if it cannot or changes it."""
        place = self._place.of(name)
        target = self._target
        rows = self._rows
        if not np.isfinite(number).all():
            remedy = "Correct the parameters that it is made of."
            rows.impossible(place, f"{show(expression)} is not finite.", remedy)
        # Silent changes of a target, one after the other: each would give a run without complaint.
        shared = target.shared_parameters.get(self._match.standard.name, ())
        if name in shared and np.ndim(number) and np.ptp(number) > 0:
            rows.impossible(
                place,
                f"it is {format_range(number)}, and {target.title} silently takes the first "
                "neuron's value for all.",
                "Make one population per value.",
            )
        if name == "tau_refrac" and target.extra_refractory:
            number = number + target.extra_refractory * self._dt
            rows.exact(
                place, f"{format_range(number)} ms there: its count includes the step of the spike."
            )
        if name in target.positive_parameters and np.any(np.asarray(number) <= 0):
            rows.impossible(
                place,
                f"{show(expression)} is {format_range(number)}, and {target.title} takes positive "
                "ones.",
                "Let positive parameters multiply what the cell receives; weights have signs.",
            )
        if target.fixed_point:
            self._report_fixed_point(place, number)
        return number

    def _report_fixed_point(self, place: Place, number: Any) -> None:
        # The neuron with the largest error stands for all of them.
        rounded = round_parameters(number)
        if not np.array_equal(rounded, np.asarray(number)):
            worst = np.argmax(np.abs(rounded - number))
            before = np.ravel(number)[worst]
            after = np.ravel(rounded)[worst]
            reason = f"{before:.7g} becomes {after:.10g} (fixed point, steps of 2**-15)."
            self._rows.approximated(place, reason)
        if (np.abs(np.asarray(number)) >= LARGEST).any():
            self._rows.impossible(
                place,
                f"{format_range(number)} is out of the range of SpiNNaker's numbers, {LARGEST}.",
                "Choose other units.",
            )

    def _set_current(self, name: str, expression: Symbolic) -> None:
        """Let an ``i_offset`` follow tables.

        Its first value is a parameter, and a source adds the changes: PyNN's sources begin two
        steps late on NEST.
        """
        if name != "i_offset":
            self._rows.impossible(
                self._place.of(name),
                f"{show(expression)} changes over time; in PyNN only a current does.",
                "Let a current follow the table.",
            )
            return
        steps, values = self._series(expression)
        reason = (
            f"{show(expression)} follows {', '.join(sorted(self._tables))}: "
            f"StepCurrentSource with {steps.size} steps."
        )
        # A source acts two steps after its change, so that one in step 1 comes too late.
        if steps.size > 1 and steps[1] < 2 and self._target.name == "nest":
            late = "What changes after one step changes there after two."
            self._rows.approximated(self._place.of(name), f"{reason} {late}")
        else:
            self._rows.exact(self._place.of(name), reason)
        self._parameters[name] = number_or_array(values[0])
        if steps.size > 1:
            self._current = StepCurrent(steps[1:] * self._dt, values[1:] - values[0])

    def _series(self, expression: Symbolic) -> tuple[np.ndarray, np.ndarray]:
        """Return an expression over time: steps (T,) at which it changes, values (T,) or (T, N)."""
        read = [table for name, table in self._tables.items() if name in free_names(expression)]
        # Tables of different intervals: the expression can change wherever one of them does.
        starts = [np.arange(len(t.values)) * t.every for t in read]
        steps = np.unique(np.concatenate(starts))
        series = []
        for step in steps:
            now = {n: _table_row(table, step) for n, table in self._tables.items()}
            series.append(value(expression, {**self._p.parameters, **now}))
        # Some rows may be one number and others one per neuron.
        shape = np.broadcast_shapes(*(np.shape(v) for v in series))
        values = np.array([np.broadcast_to(v, shape) for v in series])
        changes = changed_rows(values)
        return steps[changes], values[changes]

    def _report_replaced_parameters(self) -> None:
        """Report parameters that the target silently computes from others."""
        parameters = self._parameters
        target = self._target
        names = {n: symbol(n) for n in self._match.parameters}
        for name, used in target.replaced_parameters.get(self._match.standard.name, ()):
            expression = sympy.parse_expr(used, local_dict=names)
            if not {name, *free_names(expression)} <= parameters.keys():
                continue  # a parameter at PyNN's own default agrees with what PyNN uses
            actual = value(expression, parameters)
            if not np.allclose(parameters[name], actual, rtol=1e-12):
                self._rows.impossible(
                    self._place.of(name),
                    f"it is {format_range(parameters[name])}, and {target.title} silently uses "
                    f"{used} = {format_range(actual)} instead.",
                    "Make them equal.",
                )

    def _report_singular_parameters(self) -> None:
        """Report time constants whose equality makes the results of the target no numbers."""
        parameters = self._parameters
        target = self._target
        for first, second in target.singular.get(self._match.standard.name, ()):
            if not {first, second} <= parameters.keys():
                continue
            a = np.asarray(parameters[first])
            b = np.asarray(parameters[second])
            if np.any(np.abs(a - b) <= _SINGULAR * np.abs(a)):
                self._rows.impossible(
                    self._place.of(f"{first} and {second}"),
                    f"they are equal, or differ by less than {_SINGULAR:g} of themselves "
                    f"({format_range(a)} and {format_range(b)} ms): {target.title} divides by "
                    "their difference, and the results are no numbers.",
                    "Change one of them by 0.1 %, or use 'nest' or 'cpu'.",
                )

    def _report_unread_parameters(self) -> None:
        # Two reasons why nothing depends on a parameter: it multiplies by 0, or nothing reads it.
        fixed = constants(self._p)
        for name in self._match.unread:
            is_zero = name in fixed and not np.any(fixed[name])
            zero = "is 0, and so is what it multiplies."
            unused = "is read by nothing that PyNN has."
            self._rows.exact(self._place.of(name), zero if is_zero else unused)

    # ---- ports, method, states

    def _report_ports(self) -> None:
        match = self._match
        for port, declared in self._p.cell.receives:
            place = self._place.of(f"port {port!r}")
            receptors = match.ports.get(port, ())
            if not receptors:
                self._rows.exact(
                    place, "has no counterpart, which matters only to what projects to it."
                )
                continue
            unit = declared.unit
            weight = match.standard.weight
            factors = {show(match.scale(r)) for r in receptors}
            scaled = f" times {', '.join(factors)}" if factors != {"1"} else ""
            self._rows.exact(
                place,
                f"receptor {' or, if negative, '.join(receptors)}; weights in "
                f"{unit if unit == weight else f'{unit} as {weight}'}{scaled}.",
            )

    def _report_method(self) -> None:
        """Report the integration methods here and there."""
        standard = self._match.standard
        target = self._target
        place = self._place.of("method")
        theirs = target.methods[standard.name]
        mine = self._own_method()
        # A decay in closed form adds a weight that has decayed for a part of the step already.
        jumps = {show(jump) for jump in self._match.jumps.values()} - {"1"}
        notes = ""
        if jumps and not target.fixed_point:
            notes += f" A weight counts {jumps.pop()} times at once here, and once there."
        detection = ""
        if standard.name in target.early_threshold:
            detection += (
                " A voltage step is compared with the threshold in the step in which it lands, "
                "one step before here."
            )
        if standard.threshold is None:
            detection += (
                " Spikes are detected in another way there: the threshold of this cell is not used."
            )
        strict = standard.name in target.strict_threshold
        notes += detection + (" A spike needs v > threshold there." if strict else "")
        reason = f"{mine} here, {theirs} there.{notes}"
        # Another scheme converges to the same solution; another detection of spikes need not.
        if mine != theirs:
            self._rows.approximated(place, reason, "A smaller dt brings both closer.")
        elif detection:
            self._rows.approximated(place, reason)
        else:
            self._rows.exact(place, reason)

    def _report_psp(self) -> None:
        """Report by how much PSPs differ where the input is held constant over a step."""
        name = self._match.standard.name
        if name not in self._target.held_currents:
            return
        synaptic = self._target.held_currents[name]
        place = self._place.of("PSP")
        if not synaptic:
            self._rows.approximated(
                place,
                f"the input of {name} is held constant over each step there; the size of the "
                "difference is not known.",
                "Use a cell with exponential currents, whose difference is known, or a smaller dt.",
            )
            return
        ratios = {
            tau: psp_ratio(self._parameters["tau_m"], self._parameters[tau], dt=self._dt)
            for tau in synaptic
            if tau in self._parameters
        }
        if not ratios:
            return
        names_of: dict[str, list[str]] = {}
        for tau, ratio in ratios.items():
            percent = format_range(np.round(100 * (ratio - 1), 2))
            text = f"{percent} % at {format_range(self._parameters[tau])} ms"
            names_of.setdefault(text, []).append(tau)
        texts = [f"{text} ({' and '.join(names)})" for text, names in names_of.items()]
        worst = max(np.max(ratio) for ratio in ratios.values())
        self._rows.approximated(
            place,
            "a current is held at its mean over each step there, so every PSP is larger than the "
            f"exact solution's by {' and '.join(texts)}.",
            f"A smaller dt, or weights divided by up to {worst:.4g}, where the exact size matters.",
        )

    def _report_spacing(self) -> None:
        """Report the least number of steps between two spikes, as the target counts it."""
        if not self._target.fixed_point or "tau_refrac" not in self._parameters:
            return
        period = np.asarray(self._parameters["tau_refrac"])
        here = np.rint(period / self._dt).astype(np.int64) + 1
        there = refractory_steps(period, dt=self._dt) + 1
        place = self._place.of("spacing")
        if np.array_equal(here, there):
            self._rows.exact(place, f"spikes are at least {format_range(there)} steps apart.")
        else:
            self._rows.approximated(
                place,
                f"spikes are at least {format_range(here)} steps apart here, and "
                f"{format_range(there)} there: the refractory period is divided by dt in fixed "
                "point, and its remainder counts as a step.",
                "Use a dt that is a whole number of 2**-15 ms, or a period of a step less.",
            )

    def _own_method(self) -> str:
        if self._p.cell.step is not None:
            return "its own step statements"
        methods = dict(cell_program(self._p.cell, ()).methods)
        return " and ".join(dict.fromkeys(m.replace("_", " ") for m in methods.values()))

    def _initial(self) -> dict[str, Values]:
        """Return initial values of states that PyNN can initialise; synapses begin at 0 there."""
        initial: dict[str, Values] = {}
        texts: dict[str, None] = {}
        for name, mine in self._match.states.items():
            # The targets take no initial values of synapses.
            start = self._p.initial[mine]
            if name not in self._match.standard.synaptic:
                initial[name] = float(start[0]) if np.ptp(start) == 0 else start
            elif np.any(start):
                self._rows.impossible(
                    self._place.of(f"state {mine!r}"),
                    f"begins at {self._range_of_state(mine)}; synapses begin at 0 on every target.",
                    "Begin at 0.",
                )
            texts[f"{mine} at {self._range_of_state(mine)}"] = None
        self._rows.exact(self._place.of("states"), f"begin: {', '.join(texts)}.")
        return initial

    def _range_of_state(self, name: str) -> str:
        """Return where a state begins, in the unit of its declaration."""
        declared = self._p.cell.state(name).unit
        text = format_range(declared.from_engine(self._p.initial[name]))
        return text if declared.text == "1" else f"{text} {declared.text}"


def _table_row(table: Table, step: int) -> np.ndarray:
    return table.values[min(step // table.every, len(table.values) - 1)]


def scale_of_state(match: CellMatch, state: str, p: ConcretePopulation) -> Values:
    """Return the factor that a state of the network is multiplied by on the target.

    Parameters
    ----------
    match : CellMatch
    state : str
        Of the standard cell.
    p : ConcretePopulation

    Returns
    -------
    float or (N,)
    """
    fixed: Mapping[str, Any] = constants(p)
    return value(match.scales[state], fixed)
