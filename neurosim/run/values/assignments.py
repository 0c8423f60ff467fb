"""Assignments in an open run: all values are checked before the first is changed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from ...draws.ranges import NOT_NEGATIVE, POSITIVE, require_range
from ...draws.values import Distribution, Table
from ...errors import NetworkError, describe_unknown, is_one_of
from ...ir.concrete import ConcreteNetwork
from ...ir.memory import Memory
from ...ir.program import Program
from ...model.declarations import Constant, Definition
from ...model.rule_equations import closed_forms
from ...model.time_constants import time_constants
from ...network.populations import Population, View
from ...network.projections import Drive, Projection
from ...network.sources import (
    has_shape,
    read_spikes,
    require_drive_rate,
    require_source_value,
)
from ...network.validation import read_quantity, read_table, to_steps
from ...network.values.coefficients import (
    Ends,
    require_cell_coefficients,
    require_rule_coefficients,
    require_update_coefficients,
)
from ...network.values.signs import warn_of_signs
from ...quantities import to_engine
from ...units import NUMBER, TIME, Unit, unit
from ..call_streams import ALL, CallStreams
from .coefficient_readers import CoefficientReaders
from .edge_text import read_edge_text
from .text import read_set_text

Assignment = Callable[[], None]
"""Assigns a value that was checked."""

Owner = Population | View | Projection | Drive


def declared_unit(owner: Owner, name: str) -> Unit:
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
        units = {}
        if rule is not None:
            parts = (*rule.edge, *rule.pre, *rule.post, *rule.parameters)
            units = {part.name: part.unit for part in parts}
        else:
            assert owner.port is not None  # a projection without a rule delivers to a port
            units["w"] = unit(owner.target.population.cell.port(owner.port).unit)
    else:
        cell = owner.cell if isinstance(owner, Population) else owner.population.cell
        units = {part.name: part.unit for part in (*cell.states, *cell.parameters)}
    if not isinstance(name, str) or name not in units:
        edges = isinstance(owner, Projection)
        noun = "projection" if edges else "drive" if isinstance(owner, Drive) else "population"
        fixed = ""
        if edges and name in ("delay", "back"):
            fixed = (
                " Delays are fixed when a run is prepared: "
                "give another to net.project, and prepare again."
            )
        elif isinstance(owner, Population | View) and is_one_of(name, _definitions(owner)):
            fixed = f" {name!r} follows from its text: set a parameter that it reads, or a table."
        raise NetworkError(
            describe_unknown(
                "state, parameter or variable", name, units, owner=f"{noun} {owner.name!r}"
            )
            + fixed
        )
    return units[name]


def _definitions(owner: Population | View) -> set[str]:
    """Return the names that equations or text over time define."""
    cell = owner.cell if isinstance(owner, Population) else owner.population.cell
    return {d.name for d in cell.definitions}


def find_observable(owner: Owner, name: str) -> Definition | None:
    """Return the definition of a name that a population or view has; None: there is none."""
    if not isinstance(owner, Population | View):
        return None
    cell = owner.cell if isinstance(owner, Population) else owner.population.cell
    return next((d for d in cell.observable if d.name == name), None)


def _unit_of_text(declared: Unit, written: bool) -> Unit:
    """Return the unit of values that were read: what text gives is in engine units already."""
    return replace(declared, size=1.0) if written else declared


@dataclass(frozen=True, eq=False)
class Assignments:
    """Checks the values of a `Run.set` between two steps, and returns their assignments.

    Parameters
    ----------
    network : ConcreteNetwork
    program : Program
    memory : Memory
    step : int
        The step that follows.
    streams : CallStreams
        Of draws.
    readers : CoefficientReaders
    """

    network: ConcreteNetwork
    program: Program
    memory: Memory
    step: int
    streams: CallStreams
    readers: CoefficientReaders
    _drawn: list[tuple[str, np.ndarray]] = field(default_factory=list, init=False)

    def check(self, owner: Owner, values: dict[str, Any]) -> list[Assignment]:
        """Return the assignments of values, and of the parameters that follow them.

        All are returned before any is made: an error changes nothing.

        Parameters
        ----------
        owner : Population, View, Projection or Drive
        values : dict of str to quantity, array, draw or table

        Raises
        ------
        NetworkError
            If a name is unknown, or a value has a wrong unit, shape or range.
        """
        view = owner.view if isinstance(owner, Population) else owner
        # A source of given spikes has no cell, so it has nothing but its spikes.
        if isinstance(view, View) and view.population.source_spikes is not None:
            return [self._check_spikes(view, values)]
        if isinstance(owner, Projection) and "weight" in values and not owner.declares("weight"):
            if "w" in values:
                raise NetworkError(
                    f"set {owner.name!r}: found both w= and weight=, which are the same, expected "
                    "one. Leave one out."
                )
            values = {"w" if name == "weight" else name: value for name, value in values.items()}
        assignments: list[Assignment] = []
        # Parameters as they will be: those written as text over them follow the new values.
        changed: dict[str, np.ndarray] = {}
        for name, value in values.items():
            # The text also names the stream of draws: other words would be other numbers.
            where = f"set {owner.name!r}, {name}"
            unit = declared_unit(owner, name)
            if isinstance(value, Table):
                assignments.append(self._check_table(view, name, value, unit, where))
            elif isinstance(view, View):
                assignments.append(self._check_neurons(view, name, value, unit, where, changed))
            else:
                assignments.append(self._check_edges(view, name, value, unit, where, changed))
        assignments += self._derive(view, changed)
        # Draws are counted when they are assigned: a refused call changes no later draw.
        return assignments + [partial(self.streams.count, *drawn) for drawn in self._drawn]

    def _derive(
        self, view: View | Projection | Drive, changed: dict[str, np.ndarray]
    ) -> list[Assignment]:
        """Return the assignments of parameters that follow changed ones.

        They also note which parameters have a value of their own from now on.
        """
        owner = view.name
        concrete = self.network.populations if isinstance(view, View) else self.network.projections
        if not changed or owner not in concrete or isinstance(view, Drive):
            return []
        where = f"set {owner!r}, {', '.join(changed)}"
        derived = concrete[owner].derived
        assignments: list[Assignment] = []
        followers = derived.update(lambda name: self.memory[owner, name], changed, where=where)
        if self.memory.dtype != np.float64:
            self.memory.require_constants(owner, changed | followers)
        for name, new in followers.items():
            self.memory.round(new, where=f"{where}: {name}, which follows it")
            part = f"{where}: {name}, which follows it"
            assignments.append(self._check_parameter(view, name, new, new, part))
        self._require_coefficients(view, changed | followers)
        for name in changed.keys() & derived.trees.keys():
            # A parameter that is set stops following; of a view, only for its neurons.
            follows = np.zeros(1, bool)
            if isinstance(view, View) and not view.whole:
                follows = np.array(
                    np.broadcast_to(self.memory[owner, f"{name}@follows"], view.population.size)
                )
                follows[view.indices] = False
            assignments.append(partial(self.memory.write, owner, f"{name}@follows", follows))
        return assignments

    def _require_coefficients(
        self, owner: View | Projection, changed: dict[str, np.ndarray]
    ) -> None:
        """Raise if changed parameters make a rate infinite; tables are given by their rows."""
        where = f"set {owner.name!r}"
        if isinstance(owner, View):
            cell = owner.population.cell
            values = self._values_of(owner.name, cell.parameters) | changed
            require_cell_coefficients(where, cell, values, changed=changed)
            for update in self.readers.updates_of(owner.name):
                part = f"{where}: every"
                require_update_coefficients(update, values, where=part, changed=changed)
            for projection, names in self.readers.rules(owner.name, changed):
                part = f"{where}: projection {projection.name!r}"
                self._require_rule(projection, (owner.name, changed), names, where=part)
        elif owner.rule is not None:
            self._require_rule(owner, (owner.name, changed), changed.keys(), where=where)

    def _require_rule(
        self,
        projection: Projection,
        new: tuple[str, dict[str, np.ndarray]],
        names: Collection[str],
        *,
        where: str,
    ) -> None:
        """Raise if a coefficient that reads one of some names of a rule is infinite.

        Parameters
        ----------
        projection : Projection
        new : (owner, values by name)
            Those that change.
        names : names
        where : str
            Begins the message.
        """
        changing, changed = new

        def value(owner: str, name: str) -> np.ndarray:
            return (
                changed[name] if owner == changing and name in changed else self.memory[owner, name]
            )

        rule = projection.rule
        assert rule is not None  # only rules have coefficients
        values = {p.name: value(projection.name, p.name) for p in rule.parameters}
        plastic = self.program.plastic[projection.name]
        require_rule_coefficients(
            projection,
            values,
            of_cells=lambda population, name: value(population.name, name),
            where=where,
            ends=Ends(plastic.pointer, plastic.targets),
            changed=names,
        )

    def _values_of(self, owner: str, constants: tuple[Constant, ...]) -> dict[str, np.ndarray]:
        """Return the parameters of an owner in memory; rows of a table as they are."""
        return {c.name: self.memory[owner, c.name] for c in constants}

    def _check_spikes(self, view: View, values: dict[str, Any]) -> Assignment:
        where = f"set {view.name!r}"
        for name in values.keys() - {"times", "steps", "round_times"}:
            raise NetworkError(describe_unknown("value", name, ["times", "steps"], owner=where))
        # The list is replaced as a whole: of a view, spikes of the others would be lost.
        if not view.whole:
            raise NetworkError(
                f"{where}: found a view, expected the whole source of given spikes. "
                "Give the spikes of all its neurons."
            )
        dt = self.program.dt
        steps, neurons = read_spikes(
            len(view),
            dt,
            times=values.get("times"),
            steps=values.get("steps"),
            where=where,
            rounded=values.get("round_times", False),
        )
        # Spikes are sorted by step, so the first is the earliest.
        if steps.size and steps[0] < self.step:
            raise NetworkError(
                f"{where}: found a spike of neuron {neurons[0]} at {(steps[0] + 1) * dt:.12g} ms "
                f"(step {steps[0]}), but the run is at {self.step * dt:.12g} ms; "
                f"expected {(self.step + 1) * dt:.12g} ms (step {self.step}) or later: "
                "times are model time, from the start of the run. "
                "Leave out what is past; add run.time to times from now."
            )

        def assign() -> None:
            # Replaced as a whole, since their number changes; engines notice it in `refresh`.
            self.memory[view.name, "_given_step"] = steps
            self.memory[view.name, "_given_index"] = neurons

        return assign

    def _check_table(
        self,
        view: View | Projection | Drive,
        name: str,
        value: Table,
        unit: Unit,
        where: str,
    ) -> Assignment:
        if not isinstance(view, View) or (view.name, f"{name}@rows") not in self.memory:
            raise NetworkError(
                f"{where}: found a table, expected a number or array: "
                f"{name!r} had no table when the run was prepared. "
                "Give it a table in the network; then tables of any length can be set."
            )
        size = view.population.size
        if not view.whole:
            raise NetworkError(
                f"{where}: found a view, expected the whole population for a table. "
                f"Give a table of shape (T, {size})."
            )
        table = read_table(value, unit, size=size, dt=self.program.dt, where=where)
        self._require_source_value(view, table, unit, where)
        rows = np.asarray(table.values)
        self._require_coefficients(view, {name: rows if rows.ndim == 2 else rows[:, np.newaxis]})
        # For its error: values too large for 4 bytes are refused before anything changes.
        self.memory.round(table.values, where=where)
        return partial(self.memory.put_parameter, view.name, name, table, self.step)

    def _check_neurons(
        self,
        view: View,
        name: str,
        value: Any,
        unit: Unit,
        where: str,
        changed: dict[str, np.ndarray],
    ) -> Assignment:
        memory = self.memory
        size = view.population.size
        key = (view.name, name)
        evaluated = read_set_text(
            view,
            name,
            value,
            declared=unit,
            memory=memory,
            changed=changed,
            step=self.step,
            sample=partial(self._sample, "one per neuron", where, view.indices),
            where=where,
        )
        scale = _unit_of_text(unit, evaluated is not value)
        numbers = self._read(evaluated, scale, "one per neuron", view.indices, where)
        if name in self.program.populations[view.name].code.states:
            # A state has no range: any value may be reached by its equation.
            return partial(memory.put, *key, view.indices, numbers, self.step - 1)
        if (view.name, f"{name}@rows") in memory:
            self._require_source_value(view, numbers, unit, where)
            rows = self._rows(view, name, numbers)
            self._require_coefficients(view, {name: rows})
            if view.whole:
                return partial(memory.put_parameter, *key, Table(rows, 1), self.step)
            return partial(memory.__setitem__, key, rows)
        old = memory[key]
        # One value for all stays one: N equal values would cost memory, and prepare the cell again.
        if old.size < size and view.whole and np.ndim(numbers) == 0:
            new = np.array([numbers], np.float64)
        elif view.whole and np.shape(numbers) == (size,):
            new = numbers  # a copy already
        else:
            new = np.array(np.broadcast_to(old, size), np.float64)
            new[view.indices] = numbers
        changed[name] = new
        return self._check_parameter(view, name, new, numbers, where)

    def _rows(self, view: View, name: str, numbers: Any) -> np.ndarray:
        """Return the rows of a table with new columns: all of one row, or those of a view."""
        size = view.population.size
        if view.whole:
            return np.array(np.broadcast_to(numbers, size), np.float64)[np.newaxis]
        rows = self.memory[view.name, name]
        # A copy: `broadcast_to` returns a view that cannot be written.
        rows = np.array(np.broadcast_to(rows, (len(rows), size)))
        rows[:, view.indices] = numbers
        return rows

    def _check_edges(
        self,
        owner: Projection | Drive,
        name: str,
        value: Any,
        unit: Unit,
        where: str,
        changed: dict[str, np.ndarray],
    ) -> Assignment:
        memory = self.memory
        text = value
        value = read_edge_text(
            owner,
            name,
            text,
            declared=unit,
            program=self.program,
            memory=memory,
            changed=changed,
            step=self.step,
            where=where,
            sample=partial(self._sample, "one per edge", where),
        )
        scale = _unit_of_text(unit, value is not text)
        if isinstance(owner, Drive):
            numbers = self._read(value, scale, "one per target", owner.target.indices, where)
            if name == "rate":
                require_drive_rate(numbers, n=owner.n, dt=self.program.dt, where=where)
                # Memory holds the rate of all n trains of a target together: their sum is a Poisson
                # train.
                numbers = np.asarray(numbers) * owner.n
            else:
                warn_of_signs(owner, numbers)
            return self._replace(owner, name, numbers)
        if (
            owner.rule is not None
            and any(p.name == name and p.per is None for p in owner.rule.parameters)
            and not isinstance(value, Distribution)
            and np.size(to_engine(value, scale, where=where, error=NetworkError)) > 1
        ):
            raise NetworkError(
                f"{where}: found an array, expected one value for all edges. "
                f"Declare it in the rule with Parameter({unit.text!r}, ..., per='edge')."
            )
        positions, members = memory.locate(owner, name)
        length = "one per edge or neuron"
        size = memory[owner.name, name].size
        if self.program.shares_weights(owner.name):
            positions = members = np.arange(size)
            length = "one per shared weight"
        numbers = self._read(value, scale, length, members, where)
        if name == "w":
            warn_of_signs(owner, numbers)
        if owner.rule is None and size == 1:
            return self._replace(owner, name, numbers)
        if owner.rule is None or (owner.name, name) in memory.initial:
            # A number for all edges needs no index of millions of entries.
            index = slice(None) if np.ndim(numbers) == 0 and size == members.size else positions
            return partial(memory.put, owner.name, name, index, numbers, self.step - 1)
        # A copy: memory changes when all values of the call have passed.
        new = np.array(memory[owner.name, name], np.float64)
        new[positions] = numbers
        changed[name] = new
        return self._check_parameter(owner, name, new, numbers, where)

    def _replace(self, owner: Projection | Drive, name: str, numbers: Any) -> Assignment:
        new = np.atleast_1d(np.array(numbers, np.float64))

        def assign() -> None:
            self.memory[owner.name, name] = new

        return assign

    def _check_parameter(
        self,
        owner: View | Projection,
        name: str,
        new: np.ndarray,
        numbers: Any,
        where: str,
    ) -> Assignment:
        """Return the assignment of a parameter; ``numbers`` are those values that are checked."""
        memory = self.memory
        decaying = []
        if isinstance(owner, View):
            unit = declared_unit(owner, name)
            self._require_source_value(owner, numbers, unit, where)
            if unit.exponents == TIME and name in time_constants(owner.population.cell):
                remedy = "The equations divide by it: give a positive time."
                require_range(numbers, POSITIVE, where=where, declared=unit, remedy=remedy)
            if name == self.program.populations[owner.name].refractory:
                require_range(
                    numbers, NOT_NEGATIVE, where=f"{where}: refractory time", declared=unit
                )
                # Refused here, at the user's line: memory counts the steps later.
                to_steps(numbers, self.program.dt, where=f"{where}: refractory time")
        elif owner.rule is not None:
            forms = closed_forms(owner.rule)
            decaying = [variable for variable, form in forms.items() if name in form.parameters]
            if any(form.time_constant == name for form in forms.values()):
                require_range(
                    numbers,
                    POSITIVE,
                    where=where,
                    unit=owner.rule.parameter(name).unit,
                    remedy="Give a positive time.",
                )

        def assign() -> None:
            # A change of a coefficient counts as an assignment of the variables that it drives.
            before = self.step - 1
            for variable in decaying:
                values = memory.now(owner.name, variable, before)
                memory.put(owner.name, variable, slice(None), values, before)
            memory.write(owner.name, name, new)

        return assign

    def _require_source_value(
        self,
        view: View,
        value: Any,
        unit: Unit,
        where: str,
    ) -> None:
        population = view.population
        shape: Any = 1.0
        if has_shape(population.cell):
            shape = self.memory[view.name, "shape"]
            if unit.exponents == NUMBER:
                raise NetworkError(
                    f"{where}: found a shape, expected the rate alone: the shape of the intervals "
                    "of a source is fixed. Add a source of this shape."
                )
        require_source_value(
            population.cell,
            value,
            size=population.size,
            dt=self.program.dt,
            where=where,
            declared=unit,
            shape=shape,
        )

    def _sample(
        self,
        length: str,
        where: str,
        members: np.ndarray,
        distribution: Distribution,
        key: str,
    ) -> np.ndarray:
        """Return the numbers of a random draw in a text, one per member."""
        return self._read(distribution, unit("1"), length, members, f"{where}, {key}")

    def _read(
        self,
        value: Any,
        unit: Unit,
        length: str,
        members: np.ndarray,
        where: str,
    ) -> Any:
        """Return a number or one value per member, in engine units.

        The draw of a member does not depend on the other members that are set with it.
        """
        number = read_quantity(value, unit, sizes={length: members.size}, where=where)
        if isinstance(number, Distribution):
            # Views may divide a population; edges are always set together.
            drawing = members if length == "one per neuron" else ALL
            self._drawn.append((where, drawing))
            stream = self.streams.stream(where, drawing)
            number = number.sample(stream, members, unit=unit, where=where)
        self.memory.round(np.asarray(number), where=where)  # raises if it is too large
        return number
