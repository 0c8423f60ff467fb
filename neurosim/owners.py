"""What may be read and changed by name in an open run: units, shapes, and assignments that are all checked before the first is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .checks import at_least, quantity, table, whole_steps
from .consistency import check_positive
from .errors import NetworkError, unknown
from .model import decay_constant
from .population import Drive, Population, Projection, View
from .random import Stream
from .sources import given_spikes, in_range
from .units import Unit, unit
from .values import Distribution, Table

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
        units = {} if rule is None else {t.name: t.unit for t in (*rule.edge, *rule.pre, *rule.post, *rule.parameters)}
        if rule is None:
            units["w"] = unit(owner.target.population.cell.port(owner.port).unit)
    else:
        cell = owner.cell if isinstance(owner, Population) else owner.population.cell
        units = {t.name: t.unit for t in (*cell.states, *cell.parameters)}
    if not isinstance(name, str) or name not in units:
        edges = isinstance(owner, Projection)
        kind = "projection" if edges else "drive" if isinstance(owner, Drive) else "population"
        fixed = " Delays are fixed when a run is prepared: give another to net.project, and prepare again." if edges and name in ("delay", "back") else ""
        raise NetworkError(unknown("state, parameter or variable", name, units, owner=f"{kind} {owner.name!r}") + fixed)
    return units[name]


def assignments(run: Run, owner: Owner, values: dict[str, Any]) -> list[Callable[[], None]]:
    """Return one closure per value, each checked: shapes, units, finite values, delays."""
    view = owner.view if isinstance(owner, Population) else owner
    if isinstance(view, View) and view.population.given is not None:
        return [_given(run, view, values)]
    made = []
    if isinstance(owner, Projection) and "weight" in values:
        if "w" in values:
            raise NetworkError(f"set {owner.name!r}: found both w= and weight=, which are the same, expected one. Leave one out.")
        values = {"w" if name == "weight" else name: value for name, value in values.items()}
    for name, value in values.items():
        where = f"set {owner.name!r}, {name}"
        this = declared(owner, name)
        if isinstance(value, Table):
            made.append(_table(run, view, name, value, this, where))
        elif isinstance(view, View):
            made.append(_neurons(run, view, name, value, this, where))
        else:
            made.append(_edges(run, view, name, value, this, where))
    return made


def _given(run: Run, view: View, values: dict[str, Any]) -> Callable[[], None]:
    where = f"set {view.name!r}"
    for name in values.keys() - {"times", "steps"}:
        raise NetworkError(unknown("value", name, ["times", "steps"], owner=where))
    if not view.whole:
        raise NetworkError(f"{where}: found a view, expected the whole source of given spikes. Give the spikes of all its neurons.")
    step, index = given_spikes(len(view), run.program.dt, times=values.get("times"), steps=values.get("steps"), where=where)

    def assign() -> None:
        run.memory[view.name, "_given_step"], run.memory[view.name, "_given_index"] = step, index

    return assign


def _table(run: Run, view: Any, name: str, value: Table, this: Unit, where: str) -> Callable[[], None]:
    if not isinstance(view, View) or (view.name, f"{name}@rows") not in run.memory:
        raise NetworkError(f"{where}: found a table, expected a number or array: {name!r} had no table when the run was prepared. "
                           "Give it a table in the network; then tables of any length can be set.")
    if not view.whole:
        raise NetworkError(f"{where}: found a view, expected the whole population for a table. Give a table of shape (T, {view.population.size}).")
    checked = table(value, this, size=view.population.size, dt=run.program.dt, where=where)
    in_range(view.population.cell, name, checked, where=where)
    return lambda: run.memory.put_parameter(view.name, name, checked, run.step)


def _neurons(run: Run, view: View, name: str, value: Any, this: Unit, where: str) -> Callable[[], None]:
    found = _values(run, value, this, {"one per neuron": len(view)}, len(view), where)
    size, key = view.population.size, (view.name, name)
    in_range(view.population.cell, name, found, where=where)
    if name == run.program.populations[view.name].refractory:
        at_least(found, this, where=f"{where}: refractory time (ms)")
        whole_steps(found, run.program.dt, where=f"{where}: refractory time")

    def assign() -> None:
        if (view.name, f"{name}@rows") in run.memory:
            row = np.array(np.broadcast_to(run.memory.now(view.name, name, run.step), size))
            row[view.indices] = found
            run.memory.put_parameter(view.name, name, Table(row[None, :], 1), run.step)
            return
        array = run.memory[key]
        if array.size < size:
            if view.whole and np.ndim(found) == 0:
                array[0] = found
                return
            run.memory[key] = array = np.full(size, array[0])
        array[view.indices] = found

    return assign


def _edges(run: Run, owner: Projection | Drive, name: str, value: Any, this: Unit, where: str) -> Callable[[], None]:
    memory, step = run.memory, run.step - 1
    if isinstance(owner, Drive):
        found = _values(run, value, this, {"one per target": len(owner.target)}, len(owner.target), where)
        if name == "rate":
            at_least(found, this, where=where)
        scale = owner.n if name == "rate" else 1

        def assign_drive() -> None:
            memory[owner.name, name] = np.atleast_1d(np.array(np.asarray(found) * scale, np.float64))

        return assign_drive
    if owner.rule is not None and np.size(value) > 1 and any(p.name == name and p.per is None for p in owner.rule.parameters):
        raise NetworkError(f"{where}: found an array, expected one value for all edges. Declare it in the rule with Parameter({this.text!r}, ..., per='edge').")
    at, members = memory.locate(owner, name)
    found = _values(run, value, this, {"one per edge or neuron": members.size}, members.size, where)
    decaying = [] if owner.rule is None else [v.name for v in (*owner.rule.edge, *owner.rule.pre, *owner.rule.post) if decay_constant(v) == name]
    if decaying:
        check_positive(found, where, NetworkError)

    def assign() -> None:
        for variable in decaying:  # a change of tau counts as an assignment of the variables that decay with it
            memory.put(owner.name, variable, slice(None), memory.now(owner.name, variable, step), step)
        if (owner.name, name) not in memory.initial and owner.rule is not None and memory[owner.name, name].size < members.size:
            memory[owner.name, name] = np.full(members.size, memory[owner.name, name][0])
        array = memory[owner.name, name]
        if owner.rule is None and array.size == 1:
            memory[owner.name, name] = np.atleast_1d(np.array(found, np.float64))
        elif np.ndim(found) == 0 and (owner.rule is None or array.size == members.size):
            memory.put(owner.name, name, slice(None), found, step)
        else:
            memory.put(owner.name, name, at, found, step)

    return assign


def _values(run: Run, value: Any, this: Unit, sizes: dict[str, int], count: int, where: str) -> Any:
    found = quantity(value, this, sizes=sizes, where=where)
    if isinstance(found, Distribution):
        return found.sample(Stream(run.program.seed, f"{where}/{run.step}"), np.arange(count), unit=this, where=where)
    return found
