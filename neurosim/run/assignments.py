"""Assignments in an open run: all values are checked before the first is changed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..draws.ranges import NOT_NEGATIVE, POSITIVE, require_range
from ..draws.streams import Stream
from ..draws.values import Distribution, Table
from ..errors import NetworkError, describe_unknown
from ..model.declarations import decay_constant
from ..network.populations import Population, View
from ..network.projections import Drive, Projection
from ..network.sources import limits_of, read_spikes
from ..network.validation import read_quantity, read_table, to_steps
from ..units import Unit, unit

if TYPE_CHECKING:
    from .run import Run

Owner = Population | View | Projection | Drive


def declared(owner: Owner, name: str) -> Unit:
    """Return the unit of a state, parameter or variable.

    Raises
    ------
    NetworkError
        If the owner has nothing of this name.
    """
    if isinstance(owner, Drive):
        port = unit(owner.target.population.cell.port(owner.port).unit)
        units = {"rate": unit("Hz"), "weight": port}
    elif isinstance(owner, Projection):
        rule = owner.rule
        units = (
            {}
            if rule is None
            else {t.name: t.unit for t in (*rule.edge, *rule.pre, *rule.post, *rule.parameters)}
        )
        if rule is None:
            assert owner.port is not None  # a projection without a rule delivers to a port
            units["w"] = unit(owner.target.population.cell.port(owner.port).unit)
    else:
        cell = owner.cell if isinstance(owner, Population) else owner.population.cell
        units = {t.name: t.unit for t in (*cell.states, *cell.parameters)}
    if not isinstance(name, str) or name not in units:
        edges = isinstance(owner, Projection)
        kind = "projection" if edges else "drive" if isinstance(owner, Drive) else "population"
        fixed = (
            " Delays are fixed when a run is prepared: "
            "give another to net.project, and prepare again."
            if edges and name in ("delay", "back")
            else ""
        )
        raise NetworkError(
            describe_unknown(
                "state, parameter or variable", name, units, owner=f"{kind} {owner.name!r}"
            )
            + fixed
        )
    return units[name]


def assignments(run: Run, owner: Owner, values: dict[str, Any]) -> list[Callable[[], None]]:
    """Return functions that assign values and the parameters that follow them.

    Parameters
    ----------
    run : Run
    owner : Population, View, Projection or Drive
    values : dict of str to quantity, array, draw or table

    Raises
    ------
    NetworkError
        If a name is unknown, or a value has a wrong unit, shape or range.
    """
    view = owner.view if isinstance(owner, Population) else owner
    if isinstance(view, View) and view.population.given is not None:
        return [_given(run, view, values)]
    made = []
    if isinstance(owner, Projection) and "weight" in values:
        if "w" in values:
            raise NetworkError(
                f"set {owner.name!r}: found both w= and weight=, which are the same, expected "
                "one. Leave one out."
            )
        values = {"w" if name == "weight" else name: value for name, value in values.items()}
    changed: dict[str, np.ndarray] = {}  # parameters as they will be, texts over which follow
    for name, value in values.items():
        where = f"set {owner.name!r}, {name}"
        this = declared(owner, name)
        if isinstance(value, Table):
            made.append(_table(run, view, name, value, this, where))
        elif isinstance(view, View):
            made.append(_neurons(run, view, name, value, this, where, changed))
        else:
            made.append(_edges(run, view, name, value, this, where, changed))
    return made + _derived(run, view, changed)


def _derived(
    run: Run, view: View | Projection | Drive, changed: dict[str, np.ndarray]
) -> list[Callable[[], None]]:
    """Return functions that assign the parameters that follow changed ones.

    They also note which parameters have a value of their own from now on.
    """
    memory, owner = run.memory, view.name
    things = run.network.populations if isinstance(view, View) else run.network.projections
    if not changed or owner not in things or isinstance(view, Drive):
        return []
    where = f"set {owner!r}, {', '.join(changed)}"
    made = []
    derived = things[owner].derived.update(lambda name: memory[owner, name], changed, where=where)
    for name, new in derived.items():
        made.append(_parameter(run, view, name, new, new, f"{where}: {name}, which follows it"))
    for name in changed.keys() & things[owner].derived.trees.keys():
        follows = np.zeros(1, bool)
        if isinstance(view, View) and not view.whole:
            follows = np.array(
                np.broadcast_to(memory[owner, f"{name}@follows"], view.population.size)
            )
            follows[view.indices] = False
        made.append(partial(memory.write, owner, f"{name}@follows", follows))
    return made


def _given(run: Run, view: View, values: dict[str, Any]) -> Callable[[], None]:
    where = f"set {view.name!r}"
    for name in values.keys() - {"times", "steps"}:
        raise NetworkError(describe_unknown("value", name, ["times", "steps"], owner=where))
    if not view.whole:
        raise NetworkError(
            f"{where}: found a view, expected the whole source of given spikes. "
            "Give the spikes of all its neurons."
        )
    dt = run.program.dt
    step, index = read_spikes(
        len(view), dt, times=values.get("times"), steps=values.get("steps"), where=where
    )
    if step.size and step[0] < run.step:
        raise NetworkError(
            f"{where}: found a spike of neuron {index[0]} at {(step[0] + 1) * dt:g} ms (step "
            f"{step[0]}), but the run is at {run.time:g} ms; "
            f"expected {(run.step + 1) * dt:g} ms (step {run.step}) or later: "
            "times are model time, from the start of the run. "
            "Leave out what is past; add run.time to times from now."
        )

    def assign() -> None:
        run.memory[view.name, "_given_step"], run.memory[view.name, "_given_index"] = step, index

    return assign


def _table(
    run: Run, view: Any, name: str, value: Table, this: Unit, where: str
) -> Callable[[], None]:
    if not isinstance(view, View) or (view.name, f"{name}@rows") not in run.memory:
        raise NetworkError(
            f"{where}: found a table, expected a number or array: "
            f"{name!r} had no table when the run was prepared. "
            "Give it a table in the network; then tables of any length can be set."
        )
    if not view.whole:
        raise NetworkError(
            f"{where}: found a view, expected the whole population for a table. "
            f"Give a table of shape (T, {view.population.size})."
        )
    checked = read_table(value, this, size=view.population.size, dt=run.program.dt, where=where)
    require_range(checked, limits_of(view.population.cell), where=where, declared=this)
    return lambda: run.memory.put_parameter(view.name, name, checked, run.step)


def _neurons(
    run: Run,
    view: View,
    name: str,
    value: Any,
    this: Unit,
    where: str,
    changed: dict[str, np.ndarray],
) -> Callable[[], None]:
    memory, size, key = run.memory, view.population.size, (view.name, name)
    found = _values(run, value, this, "one per neuron", view.indices, where)
    if name in run.program.populations[view.name].code.states:
        return lambda: memory.put(*key, view.indices, found, run.step - 1)
    if (view.name, f"{name}@rows") in memory:
        require_range(found, limits_of(view.population.cell), where=where, declared=this)
        return partial(_columns, run, view, name, found)
    old = memory[key]
    if old.size < size and view.whole and np.ndim(found) == 0:
        new = np.array([found], np.float64)
    else:
        new = np.array(np.broadcast_to(old, size), np.float64)
        new[view.indices] = found
    changed[name] = new
    return _parameter(run, view, name, new, found, where)


def _columns(run: Run, view: View, name: str, found: Any) -> None:
    """Overwrite a table: all of it, or the columns of some neurons; other columns continue."""
    memory, size = run.memory, view.population.size
    if view.whole:
        row = np.array(np.broadcast_to(found, size), np.float64)
        memory.put_parameter(view.name, name, Table(row[None, :], 1), run.step)
        return
    rows = memory[view.name, name]
    rows = np.array(np.broadcast_to(rows, (len(rows), size)))
    rows[:, view.indices] = found
    memory[view.name, name] = rows


def _edges(
    run: Run,
    owner: Projection | Drive,
    name: str,
    value: Any,
    this: Unit,
    where: str,
    changed: dict[str, np.ndarray],
) -> Callable[[], None]:
    memory = run.memory
    if isinstance(owner, Drive):
        found = _values(run, value, this, "one per target", owner.target.indices, where)
        if name == "rate":
            require_range(found, NOT_NEGATIVE, where=where, declared=this)
        return _replacing(run, owner, name, np.asarray(found) * (owner.n if name == "rate" else 1))
    if (
        owner.rule is not None
        and np.size(value) > 1
        and any(p.name == name and p.per is None for p in owner.rule.parameters)
    ):
        raise NetworkError(
            f"{where}: found an array, expected one value for all edges. "
            f"Declare it in the rule with Parameter({this.text!r}, ..., per='edge')."
        )
    at, members = memory.locate(owner, name)
    found = _values(run, value, this, "one per edge or neuron", members, where)
    size = memory[owner.name, name].size
    if owner.rule is None and size == 1:
        return _replacing(run, owner, name, found)
    if owner.rule is None or (owner.name, name) in memory.initial:
        index = slice(None) if np.ndim(found) == 0 and size == members.size else at
        return lambda: memory.put(owner.name, name, index, found, run.step - 1)
    changed[name] = new = np.array(memory[owner.name, name], np.float64)
    new[at] = found
    return _parameter(run, owner, name, new, found, where)


def _replacing(run: Run, owner: Projection | Drive, name: str, found: Any) -> Callable[[], None]:
    new = np.atleast_1d(np.array(found, np.float64))

    def assign() -> None:
        run.memory[owner.name, name] = new

    return assign


def _parameter(
    run: Run, owner: View | Projection, name: str, new: np.ndarray, found: Any, where: str
) -> Callable[[], None]:
    """Return the assignment of a parameter; ``found`` are those of its values that are checked."""
    memory, decaying = run.memory, []
    if isinstance(owner, View):
        unit = declared(owner, name)
        require_range(found, limits_of(owner.population.cell), where=where, declared=unit)
        if name == run.program.populations[owner.name].refractory:
            require_range(
                found, NOT_NEGATIVE, where=f"{where}: refractory time (ms)", declared=unit
            )
            to_steps(found, run.program.dt, where=f"{where}: refractory time")
    elif owner.rule is not None:
        variables = (*owner.rule.edge, *owner.rule.pre, *owner.rule.post)
        decaying = [v.name for v in variables if decay_constant(v) == name]
        if decaying:
            require_range(found, POSITIVE, where=where, unit="ms", remedy="Give a positive time.")

    def assign() -> None:
        # A change of tau counts as an assignment of the variables that decay with it.
        for variable in decaying:
            memory.put(
                owner.name,
                variable,
                slice(None),
                memory.now(owner.name, variable, run.step - 1),
                run.step - 1,
            )
        memory.write(owner.name, name, new)

    return assign


def _values(run: Run, value: Any, this: Unit, each: str, members: np.ndarray, where: str) -> Any:
    """Return a number or one value per member, in engine units.

    The draw of a member does not depend on the other members that are set with it.
    """
    found = read_quantity(value, this, sizes={each: members.size}, where=where)
    if isinstance(found, Distribution):
        return found.sample(
            Stream(run.program.seed, f"{where}/{run.step}"), members, unit=this, where=where
        )
    return found
