"""Rows of a report that every engine of the explicit step shares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..draws.values import Shared, Table
from ..expr.tree import inline, names
from ..ir.discretise import cell_program
from ..model.names import describe_method
from ..model.notation import describe_tolerances
from ..model.rule import Rule
from ..network.network import Network
from ..network.observed import observed_definitions
from ..network.populations import Population
from ..network.projections import Drive, Projection
from ..network.sources import POISSON
from ..network.timed_events import format_interval
from ..network.values.signs import describe_signs
from .report_rows import Place, Row
from .spike_counting import repeated_spikes_row


def explicit_step_rows(network: Network) -> Iterator[Row]:
    """Yield a row for each population, projection and drive of a network."""
    for population in network.populations.values():
        yield _population_row(population)
        repeated = repeated_spikes_row(population.name, population.cell, population.values)
        if repeated is not None:
            yield repeated
    for item in network.inputs:
        yield _input_row(item)
    yield from _outdated_definitions(network)
    for update in network.updates:
        interval = format_interval(update, network.dt)
        place = Place("population", update.view.name, "statements")
        yield Row(place, "exact", f"run between steps, every {interval}.")
    for signal in network.signals:
        place = Place("population", signal.view.name, f"signal {signal.name!r}")
        yield Row(place, "exact", "emitted after each step with a spike.")


def _population_row(population: Population) -> Row:
    place = Place("population", population.name)
    if population.source_spikes is not None:
        count = population.source_spikes[0].size
        text = f"{count} given spikes." if count else "no spikes: silent until run.set gives some."
        return Row(place, "exact", text)
    # A coefficient that changes over time cannot be in a propagator, so tables decide about
    # methods.
    tables = tuple(name for name, v in population.values.items() if isinstance(v, Table))
    try:
        program = cell_program(population.cell, tables)
    # Errors of a model are ValueErrors. A report never raises: it says in a row why a cell cannot
    # run.
    except ValueError as error:
        return Row(place, "impossible", str(error))
    if (population.cell.step, population.cell.spike) == (POISSON.step, POISSON.spike):
        # A rate that is text is a definition, no parameter.
        clipped = any(d.name == "rate" for d in population.cell.definitions)
        return Row(
            place,
            "exact",
            "a spike with probability rate * dt per step: the mean of a Poisson process, without "
            "several spikes in one step."
            + " Its rate, a text, counts as 0 below 0, and as 1/dt above."
            * clipped,
        )
    if population.cell.step is not None:
        return Row(place, "exact", "explicit step statements.")
    methods = [f"{state}: {describe_method(method)}" for state, method in program.methods]
    text = f"{'; '.join(methods) or 'no equations to integrate'}."
    tolerances = describe_tolerances(population.cell)
    return Row(place, "exact", f"{text} Error of a sub-step: {tolerances}." if tolerances else text)


def refuse_sub_steps(
    rows: Iterable[Row],
    network: Network,
    *,
    reason: str,
    remedy: str,
) -> Iterator[Row]:
    """Yield rows, those of cells that the adaptive method integrates as impossible.

    Parameters
    ----------
    rows : iterable of Row
    network : Network
    reason, remedy : str
        Of the refusal.
    """
    for row in rows:
        population = network.populations.get(row.place.owner)
        if population is None or row.place.kind != "population" or row.place.aspect:
            yield row
        elif population.source_spikes is None and population.cell.tolerances is not None:
            yield replace(row, status="impossible", reason=reason, remedy=remedy)
        else:
            yield row


def _input_row(item: Projection | Drive) -> Row:
    is_drive = isinstance(item, Drive)
    place = Place("drive" if is_drive else "projection", item.name)
    signs = describe_signs(item)
    remark = f" {signs[0].upper()}{signs[1:]}" if signs else ""
    if is_drive:
        return Row(place, "exact", f"Poisson counts.{remark}")
    remark = f"{_silent_ends(item)}{remark}"
    if item.same_step:
        remark = f" Spikes arrive within their step.{remark}"
    if item.rule is not None:
        text = f"rule {item.rule.name!r}.{_methods_of_rule(item)}{_hidden_behaviour(item.rule)}"
        if isinstance(item.weight, Shared):
            text += " Shared weights are written out: each edge changes its own."
        return Row(place, "exact", f"{text}{remark}")
    if isinstance(item.weight, Shared):
        return Row(place, "exact", f"{len(item.weight.values)} weights that edges share.{remark}")
    return Row(place, "exact", f"static weights.{remark}")


def _silent_ends(item: Projection) -> str:
    """Name the populations that never spike although edges wait for their spikes."""
    triggers = ["pre"] if item.rule is None else [h.trigger for h in item.rule.handlers]
    ends = [("pre", item.source.population), ("post", item.target.population)]
    silent = [
        population.name
        for trigger, population in ends
        if trigger in triggers
        and population.source_spikes is None
        and population.cell.spike is None
    ]
    return "".join(
        f" Population {name!r} never spikes: its cell has no spike condition."
        for name in dict.fromkeys(silent)
    )


def _methods_of_rule(item: Projection) -> str:
    """Name the methods of the variables that are integrated in each step."""
    equations = () if item.bound is None else item.bound.equations
    methods = [f"{v}: {describe_method(method)}" for e in equations for v, method in e.methods]
    return f" In each step {'; '.join(methods)}." if methods else ""


def _hidden_behaviour(rule: Rule) -> str:
    """Name the signals that a script must emit, and a rule that delivers nothing."""
    text = ""
    if rule.signals:
        noun = "signal" if len(rule.signals) == 1 else "signals"
        text = f" It listens to {noun} {', '.join(map(repr, rule.signals))}."
    if rule.assigned_states:
        return f"{text} It changes {', '.join(rule.assigned_states)}."
    # Both facts are easily overlooked: such a rule runs without an error and nothing happens.
    delivers = any(s.target == "out" for h in rule.handlers for s in h.statements)
    return text if delivers else f"{text} It delivers nothing."


def _outdated_definitions(network: Network) -> Iterator[Row]:
    """Yield a row for each definition that is stored while handlers change what it reads."""
    changed: dict[str, dict[str, str]] = {}
    for p in network.projections.values():
        for _, statements in () if p.bound is None else p.bound.handlers:
            for s in statements:
                if s.action == "add_to_cell" or s.action == "assign_cell":
                    owner = p.source if s.side == "pre" else p.target
                    state = p.bound.symbols[s.target].origin if p.bound is not None else ""
                    # One projection per state is enough for the row.
                    changed.setdefault(owner.population.name, {})[state] = p.name
    observed = observed_definitions(network) if changed else {}
    for population, states in changed.items():
        cell = network.populations[population].cell
        trees = {d.name: d.tree for d in cell.definitions}
        for definition in observed.get(population, ()):
            read = names(inline(trees[definition], trees))
            for state in sorted(states.keys() & read):
                yield Row(
                    Place("projection", states[state], "changed states"),
                    "impossible",
                    f"it changes states of cells, and the definition {definition!r} of "
                    f"{population!r}, which reads {state!r}, is stored before them in each step.",
                    f"Record {state!r} and compute {definition!r} from it, or make it a state.",
                )
