"""Populations of a network as those of PyNN, and a row of the report for everything that they are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
from sympy import sympify

from neurosim.backend.report import Place
from neurosim.draws.values import Table
from neurosim.ir.concrete import ConcreteNetwork, ConcretePopulation
from neurosim.ir.discretise import cell_program
from neurosim.network.sources import BERNOULLI, POISSON

from ..matching.algebra import Unmatched, show, symbol, value
from ..matching.cells import CellMatch, match_cell
from .fixed_point import rounded
from .plan import PlannedPopulation, Rows, span
from .targets import Target

_SAME_RANDOM = "Poisson statistics are the same, the spikes are others"


def populations(
    network: ConcreteNetwork, target: Target, rows: Rows
) -> tuple[list[PlannedPopulation], dict[str, CellMatch]]:
    """Return the populations of a plan, and the match of each that has neurons."""
    planned, matches = [], {}
    for p in network.populations.values():
        place = Place("population", p.name)
        if p.given is not None:
            planned.append(_given(p, network.dt, target, rows, place))
        elif p.cell is POISSON or p.cell is BERNOULLI:
            made = _random(p, network.dt, target, rows, place)
            planned += [made] if made else []
        else:
            try:
                found = _matched(p, target)
            except Unmatched as error:
                rows.impossible(
                    place,
                    f"cell {p.cell.name!r} is no standard cell of PyNN on {target.title}: {error}",
                    "Use a cell that is one, or run it on 'cpu'.",
                )
                continue
            if found.standard.name in target.broken:
                rows.impossible(
                    place,
                    f"cell {p.cell.name!r} is {found.standard.name} by its equations, and {target.broken[found.standard.name]}.",
                    "Run it on 'nest' or 'cpu'.",
                )
            matches[p.name] = found
            planned.append(_neurons(p, found, network.dt, target, rows, place))
    return planned, matches


def _matched(p: ConcretePopulation, target: Target) -> CellMatch:
    """Return the match of a cell; if it has none, that of what is left of it where parameters are 0."""
    try:
        return match_cell(p.cell, target.name)
    except Unmatched:
        zero = [n for n, v in p.parameters.items() if not isinstance(v, Table) and not np.any(v)]
        if not zero:
            raise
        return match_cell(p.cell, target.name, zero=zero)


def _given(
    p: ConcretePopulation, dt: float, target: Target, rows: Rows, place: Place
) -> PlannedPopulation:
    step, index = p.given
    order = np.lexsort((step, index))
    times = np.round((step[order] + target.first) * dt, 9)
    if (
        target.name == "nest"
    ):  # PyNN subtracts a step, and NEST takes what rounding leaves above a step for the next one
        times = np.where(times - dt > step[order] * dt, np.nextafter(times, 0.0), times)
    if target.name == "nest" and (step == 0).any():
        rows.impossible(
            place,
            f"{(step == 0).sum()} spikes of step 0: PyNN sends given spikes one step ahead to NEST, which has no step before.",
            "Begin with step 1.",
        )
    rows.exact(
        place,
        f"SpikeSourceArray with {step.size} spikes"
        + (
            "."
            if target.first
            else "; they carry the time of the start of their step there, and are read back as given."
        ),
    )
    return PlannedPopulation(p.name, p.size, "SpikeSourceArray", spikes=(index[order], times))


def _random(
    p: ConcretePopulation, dt: float, target: Target, rows: Rows, place: Place
) -> PlannedPopulation | None:
    """Return Poisson sources; those with a probability per step get the rate that has it."""
    name = "rate" if p.cell is POISSON else "p"
    given = p.parameters[name]
    course = given.values if isinstance(given, Table) else None
    if course is not None and target.course is None:
        rows.impossible(
            place,
            f"{name} changes over time, and PyNN silently keeps the first of SpikeSourcePoisson there.",
            "Give the spikes: net.spike_source.",
        )
        return None
    given = given if course is None else course
    if p.cell is BERNOULLI and not np.all(np.asarray(given) < 1):
        rows.impossible(
            place,
            "p is 1: no rate gives a spike in every step for sure.",
            "Give the spikes: net.spike_source.",
        )
        return None
    rate = (
        np.asarray(given) * 1000.0
        if p.cell is POISSON
        else -np.log1p(-np.asarray(given)) / dt * 1000.0
    )
    many = (
        ""
        if target.name == "pynn-brian2"
        else "; several may come in one step there, which are recorded as one, here at most one"
    )
    many += "; none come in its first two steps" if target.name == "nest" else ""
    over = "" if course is None else f" in {len(course)} rows over time"
    cell = (
        "SpikeSourcePoissonVariable"
        if course is not None and target.course == "cell"
        else "SpikeSourcePoisson"
    )
    rows.approximated(
        place,
        f"{cell} with {span(rate)} Hz ({name}){over}: {_SAME_RANDOM}{many}.",
        "For the same spikes give them: net.spike_source.",
    )
    if course is None:
        return PlannedPopulation(
            p.name, p.size, cell, {"rate": float(rate) if rate.ndim == 0 else rate}
        )
    changes = np.r_[
        True, [bool((now != before).any()) for before, now in zip(rate[:-1], rate[1:], strict=True)]
    ]
    steps = np.flatnonzero(changes) * p.parameters[name].every
    return PlannedPopulation(
        p.name,
        p.size,
        cell,
        {"rate": float(rate[0]) if rate.ndim == 1 else rate[0]},
        rates=(steps, rate[changes]),
    )


def _neurons(
    p: ConcretePopulation, found: CellMatch, dt: float, target: Target, rows: Rows, place: Place
) -> PlannedPopulation:
    standard = found.standard
    named = ", ".join(
        f"{mine} is {s}" for s, mine in found.states.items() if s in standard.records or s == mine
    )
    rows.exact(place, f"cell {p.cell.name!r} is {standard.name} by its equations: {named}.")
    tables = {n: v for n, v in p.parameters.items() if isinstance(v, Table)}
    parameters, texts, current = {}, [], None
    for name, expression in found.parameters.items():
        if expression is None:
            continue
        read = {s.name for s in expression.free_symbols}
        if read & tables.keys():
            current = _course(name, expression, tables, p, dt, target, rows, place.of(name))
            if (
                current is not None
            ):  # what holds from the start is a parameter: PyNN's sources begin two steps late on NEST
                parameters[name] = float(current[1][0]) if current[1].ndim == 1 else current[1][0]
                current = (
                    (current[0][1:], current[1][1:] - current[1][0])
                    if current[0].size > 1
                    else None
                )
            continue
        got = value(expression, p.parameters)
        texts.append(f"{name} = {show(expression)}" + (f" = {span(got)}" if read else ""))
        if name not in standard.decays.values():
            parameters[name] = _checked(name, got, found, dt, target, rows, place.of(name))
    rows.exact(place.of("parameters"), "; ".join(texts) + ".")
    for name, used in target.instead.get(standard.name, ()):
        expression = sympify(used, {n: symbol(n) for n in found.parameters})
        if not {name, *(s.name for s in expression.free_symbols)} <= parameters.keys():
            continue
        there = value(expression, parameters)
        if not np.allclose(parameters[name], there, rtol=1e-12):
            rows.impossible(
                place.of(name),
                f"it is {span(parameters[name])}, and {target.title} silently uses {used} = {span(there)} instead.",
                "Make them equal.",
            )
    for name in found.unread:
        why = (
            "is 0, and so is what it multiplies."
            if not np.any(p.parameters[name])
            else "is read by nothing that PyNN has."
        )
        rows.exact(place.of(name), why)
    _ports(p, found, rows, place)
    _scheme(p, found, target, rows, place.of("method"))
    return PlannedPopulation(
        p.name, p.size, standard.name, parameters, _initial(p, found, rows, place), current=current
    )


def _course(
    name: str,
    expression: Any,
    tables: dict[str, Table],
    p: ConcretePopulation,
    dt: float,
    target: Target,
    rows: Rows,
    place: Place,
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return times and values of an ``i_offset`` that follows tables."""
    read = [tables[s.name] for s in expression.free_symbols if s.name in tables]
    if name != "i_offset":
        rows.impossible(
            place,
            f"{show(expression)} changes over time; in PyNN only a current does.",
            "Let a current follow the table.",
        )
        return None
    steps = np.unique(np.concatenate([np.arange(len(t.values)) * t.every for t in read]))
    values = []
    for k in steps:
        now = {n: t.values[min(k // t.every, len(t.values) - 1)] for n, t in tables.items()}
        values.append(value(expression, {**p.parameters, **now}))
    shape = np.broadcast_shapes(*(np.shape(v) for v in values))
    values = np.array([np.broadcast_to(v, shape) for v in values])
    changes = np.r_[
        True,
        [bool((now != before).any()) for before, now in zip(values[:-1], values[1:], strict=True)],
    ]
    steps, values = steps[changes], values[changes]
    text = f"{show(expression)} follows {', '.join(sorted(tables))}: StepCurrentSource with {steps.size} steps."
    if steps.size > 1 and steps[1] < 2 and target.name == "nest":
        rows.approximated(place, f"{text} What changes after one step changes there after two.")
    else:
        rows.exact(place, text)
    return steps * dt, values


def _checked(
    name: str, got: Any, found: CellMatch, dt: float, target: Target, rows: Rows, place: Place
) -> Any:
    """Return a parameter as the target takes it, and report where it cannot or changes it."""
    if not np.isfinite(got).all():
        rows.impossible(
            place,
            f"{show(found.parameters[name])} is not finite.",
            "Correct the parameters that it is made of.",
        )
    if name in target.alike.get(found.standard.name, ()) and np.ndim(got) and np.ptp(got) > 0:
        rows.impossible(
            place,
            f"it is {span(got)}, and {target.title} silently takes the first neuron's value for all.",
            "Make one population per value.",
        )
    if name == "tau_refrac" and target.longer:
        got = got + target.longer * dt
        rows.exact(place, f"{span(got)} ms there: its count includes the step of the spike.")
    if target.name == "spinnaker":
        kept = rounded(got)
        if not np.array_equal(kept, np.asarray(got)):
            worst = np.argmax(np.abs(kept - got))
            was, now = np.ravel(got)[worst], np.ravel(kept)[worst]
            rows.approximated(
                place, f"{was:.7g} becomes {now:.10g} (fixed point, steps of 2**-15)."
            )
        if (np.abs(np.asarray(got)) >= 65536).any():
            rows.impossible(
                place,
                f"{span(got)} is out of the range of SpiNNaker's numbers, 65536.",
                "Choose other units.",
            )
    return got


def _ports(p: ConcretePopulation, found: CellMatch, rows: Rows, place: Place) -> None:
    for port, declared in p.cell.receives:
        receptors = found.ports.get(port, ())
        if not receptors:
            rows.exact(
                place.of(f"port {port!r}"),
                "has no counterpart, which matters only to what projects to it.",
            )
            continue
        where = " or, if negative, ".join(receptors) if len(receptors) == 2 else receptors[0]
        factors = {show(found.scale(r)) for r in receptors}
        unit = (
            f"{declared.unit} as {found.standard.weight}"
            if declared.unit != found.standard.weight
            else declared.unit
        )
        rows.exact(
            place.of(f"port {port!r}"),
            f"receptor {where}; weights in {unit}"
            + (f" times {', '.join(factors)}." if factors != {"1"} else "."),
        )


def _scheme(
    p: ConcretePopulation, found: CellMatch, target: Target, rows: Rows, place: Place
) -> None:
    """Report the integration method here and there."""
    name = found.standard.name
    theirs = target.integrates[name]
    if p.cell.step is not None:
        mine = "its own step statements"
    else:
        methods = dict(cell_program(p.cell, ()).methods)
        mine = " and ".join(dict.fromkeys(m.replace("_", " ") for m in methods.values()))
    jumps = {show(j) for j in found.jumps.values()} - {"1"}
    kept = (
        f" A weight counts {jumps.pop()} times at once here, and once there."
        if jumps and target.name != "spinnaker"
        else ""
    )
    early = (
        " A voltage step is compared with the threshold in the step in which it lands, one step before here."
        if name in target.early
        else ""
    )
    strict = (
        " A spike needs v > threshold there."
        if target.name == "pynn-brian2" and name != "Izhikevich"
        else ""
    )
    if found.standard.cell.spike is None:
        early += (
            " Spikes are detected in another way there: the threshold of this cell is not used."
        )
    text = f"{mine} here, {theirs} there.{kept}{early}"
    if mine == theirs and not early:
        rows.exact(place, text + strict)
    else:
        rows.approximated(
            place, text + strict, "" if mine == theirs else "A smaller dt brings both closer."
        )


def _initial(p: ConcretePopulation, found: CellMatch, rows: Rows, place: Place) -> dict[str, Any]:
    """Return initial values of what PyNN can initialise; synapses begin at 0 there."""
    made, texts = {}, []
    for s, mine in found.states.items():
        start = p.initial[mine]
        if s in found.standard.synaptic:
            if np.any(start):
                rows.impossible(
                    place.of(f"state {mine!r}"),
                    f"begins at {span(start)}; synapses begin at 0 on every target.",
                    "Begin at 0.",
                )
        else:
            made[s] = float(start[0]) if np.ptp(start) == 0 else start
        texts.append(f"{mine} at {span(start)}")
    rows.exact(place.of("states"), f"begin: {', '.join(dict.fromkeys(texts))}.")
    return made
