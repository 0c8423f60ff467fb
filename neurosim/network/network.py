"""Network: what the user describes, checked at every line, drawn and run by nobody here."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ..draws.ranges import NOT_NEGATIVE, require_range
from ..draws.values import Distribution
from ..errors import NetworkError, describe, describe_unknown
from ..model.binding import bind
from ..model.cell import Cell
from ..model.rule import Rule
from ..units import to_engine, unit
from .populations import Drive, Population, Probe, Projection, View
from .projections import delays, edge_count, links, port_unit, rule_values, weights
from .sources import BERNOULLI, GIVEN, POISSON, given_spikes, limits_of
from .validation import (
    population_values,
    read_duration,
    read_quantity,
    read_whole_number,
    refractory_steps,
    take_courses,
    to_steps,
)
from .wiring import Connector

MOST = 2**31 - 1  # neurons of a population: engines number them with 32 bits


class Network:
    """Populations, projections, sources and probes.

    Parameters
    ----------
    name : str
    dt : time
        Length of a step.
    seed : int
        Of every random draw, before and during a run.
    """

    def __init__(self, name: str, *, dt: Any, seed: int = 0) -> None:
        self.name = _identifier(name, "network")
        self.dt = read_duration(dt, where=f"network {name!r}, dt")
        self.seed = read_whole_number(seed, where=f"network {name!r}, seed", least=0)
        self.populations: dict[str, Population] = {}
        self.projections: dict[str, Projection] = {}
        self.inputs: list[Projection | Drive] = []  # in creation order: the order of every sum
        self.probes: list[Probe] = []

    def __getitem__(self, name: str) -> Population | Projection | Drive:
        return _named(self.owners(), name, f"network {self.name!r}")

    def __repr__(self) -> str:
        neurons = sum(p.size for p in self.populations.values())
        return f"<network {self.name!r}: {len(self.populations)} populations, {neurons} neurons, {len(self.projections)} projections, dt {self.dt:g} ms>"

    def population(
        self, name: str, size: int, cell: Cell, *, positions: Any = None, **values: Any
    ) -> Population:
        """Add neurons.

        Parameters
        ----------
        name : str
        size : int
        cell : Cell
        positions : (N, 3), um, optional
            Readable as x, y, z in expressions.
        **values
            Parameters, initial values of states, and draws of other names that expressions read:
            numbers, quantities, arrays (N,), draws, tables over time, or text over other names, ``i`` and ``N``; a parameter's text
            may also read the time ``t`` (see `Cell.following`), and follows when `Run.set` changes a parameter that it reads.

        Raises
        ------
        NetworkError, ModelError
            Unknown names, wrong units or shapes, values that are not finite, a name in use.
        """
        self._free(name, "population")
        where = f"population {name!r}"
        size = read_whole_number(size, where=f"{where}, size", most=MOST)
        if not isinstance(cell, Cell):
            raise NetworkError(
                f"{where}: found {describe(cell)}, expected a Cell. Make one with ns.Cell or neurosim.models.cells."
            )
        if positions is not None:
            positions = np.array(
                to_engine(positions, unit("um"), where=f"{where}, positions", error=NetworkError),
                np.float64,
            )
            if positions.shape != (size, 3) or not np.isfinite(positions).all():
                raise NetworkError(
                    f"{where}: found positions of shape {positions.shape}, expected ({size}, 3), all finite. Reshape them."
                )
        cell, values = take_courses(where, cell, values)
        checked = population_values(
            where,
            cell,
            size,
            {**dict(cell.initial), **values},
            dt=self.dt,
            positions=positions is not None,
        )
        refractory_steps(where, cell, checked, self.dt)
        self.populations[name] = Population(name, size, cell, checked, positions)
        return self.populations[name]

    def poisson(self, name: str, size: int, *, rate: Any) -> Population:
        """Add Poisson sources; ``rate`` in Hz: a number, one per neuron, a draw, a table over time, or text over ``i`` and ``N``."""
        return self._source(name, size, POISSON, {"rate": rate})

    def bernoulli(self, name: str, size: int, *, p: Any) -> Population:
        """Add sources that spike in each step with probability ``p``: a number, one per neuron, a draw, a table, or text over ``i`` and ``N``."""
        return self._source(name, size, BERNOULLI, {"p": p})

    def _source(self, name: str, size: int, cell: Cell, values: dict[str, Any]) -> Population:
        self._free(name, "population")
        where = f"population {name!r}"
        size = read_whole_number(size, where=f"{where}, size", most=MOST)
        checked = population_values(where, cell, size, values, dt=self.dt, positions=False)
        for parameter, value in checked.items():
            require_range(
                value,
                limits_of(cell),
                where=f"{where}, {parameter}",
                declared=cell.parameter(parameter).unit,
            )
        self.populations[name] = Population(name, size, cell, checked)
        return self.populations[name]

    def spike_source(
        self, name: str, size: int, *, times: Any = None, steps: Any = None
    ) -> Population:
        """Add a source of given spikes: ``times`` (ms) or ``steps``, a list for each neuron or (indices, times)."""
        self._free(name, "population")
        size = read_whole_number(size, where=f"population {name!r}, size", most=MOST)
        if times is None and steps is None:
            steps = [[]] * size
        spikes = given_spikes(size, self.dt, times=times, steps=steps, where=f"population {name!r}")
        self.populations[name] = Population(name, size, GIVEN, {}, None, spikes)
        return self.populations[name]

    def project(
        self,
        source: Population | View,
        target: Population | View,
        connector: Connector,
        *,
        weight: Any = None,
        delay: Any = 0.0,
        port: str | None = None,
        rule: Rule | None = None,
        name: str | None = None,
        dendritic_fraction: float = 1.0,
        back: Any = None,
        round_delays: bool = False,
        same_step: bool = False,
        **values: Any,
    ) -> Projection:
        """Add edges from ``source`` to ``target``.

        Parameters
        ----------
        connector
            Who connects to whom.
        weight : quantity, array (E,) in the connector's order of edges, draw, or `Shared`
            In the unit of the port; the initial ``w`` of a rule. The connector's order is that of the entries given to `from_arrays` and
            `from_sparse`, else by position within ``source``, then within ``target``; `Run.get` and `Run.set` sort by neurons instead.
        delay : time, array (E,) in the same order, or draw
            In whole steps; ``dendritic_fraction`` of it lies between synapse and soma, the rest before the synapse.
        port : str, optional
            May be left out where the target has one port.
        back : time, array (E,) in the same order, or draw, optional
            From the target's spike to the synapse; the dendritic part of the delay unless given.
        **values
            Parameters and edge variables of the rule; arrays over edges in the same order.

        Raises
        ------
        NetworkError, ModelError
            Ports, units, shapes, delays, a statement whose result would depend on the order of edges, a name in use.
        """
        source, target = self._view(source, "source"), self._view(target, "target")
        if port is None and len(target.population.cell.receives) == 1:
            port = target.population.cell.receives[0][0]
        name = (
            f"{source.name}->{target.name}" + (f".{port}" if isinstance(port, str) else "")
            if name is None
            else name
        )
        self._free(name, "projection", plain=False)
        where = f"projection {name!r} ({source.name} -> {target.name})"
        if isinstance(connector, type) or not isinstance(connector, Connector):
            raise NetworkError(
                f"{where}: found {describe(connector)}, expected a connector such as ns.all_to_all(). Give one third."
            )
        if rule is not None and not isinstance(rule, Rule):
            raise NetworkError(
                f"{where}: found rule {describe(rule)}, expected a Rule. Make one with ns.Rule or neurosim.models.plasticity."
            )
        edges = edge_count(connector, source, target, where)
        expected = port_unit(target.population.cell, port, rule, where)
        read, sides = links(rule, source, target, known=self.owners(), edges=edges, where=where)
        bound = None
        if rule is not None:
            bound = bind(
                rule,
                source.population.cell,
                target.population.cell,
                links=sides,
                out=expected and expected.exponents,
                where=where,
            )
        weight = weights(weight, rule, connector, unit=expected, edges=edges, where=where)
        delay = delays(
            delay, dt=self.dt, rounded=round_delays, edges=edges, where=f"{where}: delay"
        )
        fraction = read_quantity(
            dendritic_fraction, unit("1"), sizes={}, where=f"{where}, dendritic_fraction"
        )
        if not isinstance(fraction, float) or not 0.0 <= fraction <= 1.0:
            raise NetworkError(
                f"{where}: found dendritic_fraction {describe(dendritic_fraction)}, expected one number from 0 to 1. Correct it."
            )
        for part in (fraction, 1.0 - fraction):
            if not isinstance(delay, Distribution):
                to_steps(
                    part * np.asarray(delay),
                    self.dt,
                    where=f"{where}: a part of the delay (dendritic_fraction {fraction:g})",
                    rounded=round_delays,
                )
        back = (
            None
            if back is None
            else delays(back, dt=self.dt, rounded=round_delays, edges=edges, where=f"{where}: back")
        )
        checked = rule_values(
            rule,
            values,
            counts={"source": len(source), "target": len(target), "edge": edges},
            where=where,
        )
        made = Projection(
            name,
            source,
            target,
            connector,
            weight,
            delay,
            fraction,
            back,
            bool(round_delays),
            bool(same_step),
            port,
            rule,
            bound,
            read,
            checked,
        )
        self.projections[name] = made
        self.inputs.append(made)
        return made

    def poisson_drive(
        self,
        target: Population | View,
        *,
        n: int = 1,
        rate: Any,
        weight: Any,
        port: str | None = None,
        name: str | None = None,
    ) -> Drive:
        """Add Poisson counts of ``n`` independent trains of ``rate`` (Hz) each to a port of every target, each with ``weight``."""
        view = self._view(target, "target")
        if port is None and len(view.population.cell.receives) == 1:
            port = view.population.cell.receives[0][0]
        name = f"poisson_drive->{view.name}.{port}" if name is None else name
        self._free(name, "drive", plain=False)
        where = f"drive {name!r} (-> {view.name})"
        expected = port_unit(view.population.cell, port, None, where)
        sizes = {"one per target": len(view)}
        rate = read_quantity(rate, unit("Hz"), sizes=sizes, where=f"{where}, rate")
        require_range(rate, NOT_NEGATIVE, where=f"{where}, rate", declared=unit("Hz"))
        made = Drive(
            name,
            view,
            port,
            read_whole_number(n, where=f"{where}, n"),
            rate,
            read_quantity(weight, expected, sizes=sizes, where=f"{where}, weight"),
        )
        self.inputs.append(made)
        return made

    def record(
        self,
        owner: Population | View | Projection,
        *variables: str,
        every: Any = None,
        edges: Any = None,
    ) -> None:
        """Record ``"spikes"`` or variables of a population, view or projection, every ``every`` (one step unless given).

        ``edges``: indices of the recorded edges of a projection, all unless given.
        """
        if not variables:
            raise NetworkError(
                "record: found no variable, expected 'spikes' or names of states. Name what to record."
            )
        made = [self._probe(owner, variable, every, edges) for variable in variables]
        for i, probe in enumerate(made):
            if any(
                (p.owner.name, p.variable) == (probe.owner.name, probe.variable)
                for p in (*self.probes, *made[:i])
            ):
                raise NetworkError(
                    f"record: {probe.variable!r} of {probe.owner.name!r} is recorded already. Record all its members in one call."
                )
        if every is not None and all(
            probe.variable == "spikes" and isinstance(probe.owner, View) for probe in made
        ):
            raise NetworkError(
                f"record: found every={describe(every)} with 'spikes' alone, expected it with states: every spike is recorded, "
                "at its step. Leave it out, or name a state."
            )
        self.probes.extend(made)

    def owners(self) -> dict[str, Population | Projection | Drive]:
        """Return everything that has a name."""
        return {**self.populations, **{i.name: i for i in self.inputs}}

    def _free(self, name: str, what: str, *, plain: bool = True) -> None:
        _identifier(name, what, more="" if plain else "->.[]:")
        if name in self.owners():
            raise NetworkError(
                f"{what} {name!r}: the name is in use in network {self.name!r}. Choose another with name=..., every name once."
            )

    def _view(self, owner: Any, end: str) -> View:
        view = owner.view if isinstance(owner, Population) else owner
        if not isinstance(view, View):
            raise NetworkError(
                f"{end}: found {describe(owner)}, expected a population of this network or a view of one. Give what net.population returned."
            )
        if self.populations.get(view.name) is not view.population:
            raise NetworkError(
                f"{end}: population {view.name!r} belongs to another network. Use one of: {', '.join(self.populations)}."
            )
        return view

    def _probe(self, owner: Any, variable: str, every: Any, edges: Any) -> Probe:
        steps = (
            1
            if every is None
            else int(
                to_steps(
                    read_duration(every, where="record, every"), self.dt, where="record: every"
                )
            )
        )
        if isinstance(owner, Projection):
            if self.projections.get(owner.name) is not owner:
                raise NetworkError(
                    f"record: projection {owner.name!r} belongs to another network, expected one of network {self.name!r}. Add it there."
                )
            known = (
                {"w": None}
                if owner.rule is None
                else {v.name: v.unit for v in (*owner.rule.edge, *owner.rule.pre, *owner.rule.post)}
            )
            if not isinstance(variable, str) or variable not in known:
                raise NetworkError(
                    f"record: {describe_unknown('variable', variable, known, owner=f'projection {owner.name!r}')}"
                )
            this = known[variable] or unit(owner.target.population.cell.port(owner.port).unit)
            return Probe(
                owner, variable, this, steps, None if edges is None else _edge_numbers(edges, owner)
            )
        view = self._view(owner, "record")
        if edges is not None:
            raise NetworkError(
                f"record: found edges= for population {view.name!r}, expected it for projections only. Record a view of the population."
            )
        cell = view.population.cell
        if isinstance(variable, str) and variable == "spikes":
            if cell.spike is None and view.population.given is None:
                states = ", ".join(s.name for s in cell.states) or "none"
                raise NetworkError(
                    f"record: population {view.name!r} ({cell.name}) never spikes, expected one that does. Record one of its states: {states}."
                )
            return Probe(view, variable, None)
        states = {s.name: s.unit for s in cell.states}
        if not isinstance(variable, str) or variable not in states:
            raise NetworkError(
                f"record: {describe_unknown('state', variable, ['spikes', *states], owner=f'population {view.name!r}')}"
            )
        return Probe(view, variable, states[variable], steps)


def _identifier(name: Any, what: str, more: str = "") -> str:
    if not isinstance(name, str) or not re.fullmatch(
        rf"[A-Za-z][\w{re.escape(more)}-]*", name, re.ASCII
    ):
        extra = f" or one of {' '.join(more)}" if more else ""
        raise NetworkError(
            f"{what} name: found {describe(name)}, expected letters, digits, '_' or '-'{extra}, beginning with a letter. Choose another name."
        )
    return name


def _edge_numbers(edges: Any, projection: Projection) -> np.ndarray:
    """Return the numbers of recorded edges, (M,) int64."""
    found = np.asarray(edges)
    most = projection.edge_count().most
    if (
        found.ndim != 1
        or found.dtype.kind not in "iu"
        or found.size == 0
        or found.min() < 0
        or found.max() >= most
    ):
        raise NetworkError(
            f"record: found edges {describe(edges)}, expected whole numbers from 0 to {most - 1:.0f}, in one dimension. Correct edges."
        )
    return found.astype(np.int64)


def _named(things: dict[str, Any], name: str, owner: str) -> Any:
    if not isinstance(name, str) or name not in things:
        raise NetworkError(
            describe_unknown("population, projection or drive", name, things, owner=owner)
        )
    return things[name]
