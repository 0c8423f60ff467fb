"""Network: what the user describes, checked at every line, drawn and run by nobody here."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from .binding import bind
from .checks import MS, duration, population_values, quantity, whole_number, whole_steps
from .connect import Connector
from .errors import ModelError, NetworkError, unknown
from .model import Cell, Rule
from .population import Drive, Population, Probe, Projection, Reference, View
from .sources import GIVEN, bernoulli_cell, given_spikes, poisson_cell
from .units import Exponents, Unit, unit
from .values import Distribution


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
        self.dt = duration(dt, where=f"network {name!r}, dt")
        self.seed = whole_number(seed, where=f"network {name!r}, seed", least=0)
        self.populations: dict[str, Population] = {}
        self.projections: dict[str, Projection] = {}
        self.inputs: list[Projection | Drive] = []  # in creation order: the order of every sum
        self.probes: list[Probe] = []

    def __getitem__(self, name: str) -> Population | Projection | Drive:
        return _named(self.owners(), name, f"network {self.name!r}")

    def __repr__(self) -> str:
        neurons = sum(p.size for p in self.populations.values())
        return f"<network {self.name!r}: {len(self.populations)} populations, {neurons} neurons, {len(self.projections)} projections, dt {self.dt:g} ms>"

    def population(self, name: str, size: int, cell: Cell, *, positions: Any = None, **values: Any) -> Population:
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
            numbers, quantities, arrays (N,), draws, tables over time, or text over other names, ``i`` and ``N``.

        Raises
        ------
        NetworkError, ModelError
            Unknown names, wrong units or shapes, values that are not finite, a name in use.
        """
        self._free(name, "population")
        where = f"population {name!r}"
        size = whole_number(size, where=f"{where}, size")
        if not isinstance(cell, Cell):
            raise NetworkError(f"{where}: found {cell!r}, expected a Cell. Make one with ns.Cell or neurosim.models.cells.")
        if positions is not None:
            positions = np.asarray(positions, np.float64)
            if positions.shape != (size, 3) or not np.isfinite(positions).all():
                raise NetworkError(f"{where}: found positions of shape {positions.shape}, expected ({size}, 3), all finite. Reshape them.")
        checked = population_values(where, cell, size, {**dict(cell.initial), **values}, dt=self.dt, positions=positions is not None)
        self.populations[name] = Population(name, size, cell, checked, positions)
        return self.populations[name]

    def poisson(self, name: str, size: int, *, rate: Any) -> Population:
        """Add Poisson sources; ``rate`` in Hz: a number, one per neuron, a draw, or a table over time."""
        _not_negative(rate, f"population {name!r}, rate")
        return self.population(name, size, poisson_cell(0.0), rate=rate)

    def bernoulli(self, name: str, size: int, *, p: Any) -> Population:
        """Add sources that spike in each step with probability ``p``: a number, one per neuron, a draw, or a table."""
        found = p.values if hasattr(p, "values") else p
        if not isinstance(found, Distribution | str) and not ((np.asarray(found, np.float64) >= 0) & (np.asarray(found, np.float64) <= 1)).all():
            raise NetworkError(f"population {name!r}: found a probability outside 0 ... 1 ({p!r}), expected 0 to 1. Correct p.")
        return self.population(name, size, bernoulli_cell(0.0), p=p)

    def spike_source(self, name: str, size: int, *, times: Any = None, steps: Any = None) -> Population:
        """Add a source of given spikes: ``times`` (ms) or ``steps``, a list for each neuron or (indices, times)."""
        self._free(name, "population")
        size = whole_number(size, where=f"population {name!r}, size")
        if times is None and steps is None:
            steps = [[]] * size
        spikes = given_spikes(size, self.dt, times=times, steps=steps, where=f"population {name!r}")
        self.populations[name] = Population(name, size, GIVEN, {}, None, spikes)
        return self.populations[name]

    def project(self, source: Population | View, target: Population | View, connector: Connector, *, weight: Any = None, delay: Any = 0.0,
                port: str | None = None, rule: Rule | None = None, name: str | None = None, dendritic_fraction: float = 1.0, back: Any = None,
                round_delays: bool = False, same_step: bool = False, **values: Any) -> Projection:
        """Add edges from ``source`` to ``target``.

        Parameters
        ----------
        connector
            Who connects to whom.
        weight : quantity, array (E,) in (source, target) order, or draw
            In the unit of the port; the initial ``w`` of a rule.
        delay : time, array (E,), or draw
            In whole steps; ``dendritic_fraction`` of it lies between synapse and soma, the rest before the synapse.
        port : str, optional
            May be left out where the target has one port.
        back : time, optional
            From the target's spike to the synapse; the dendritic part of the delay unless given.
        **values
            Parameters and edge variables of the rule.

        Raises
        ------
        NetworkError, ModelError
            Ports, units, shapes, delays, a statement whose result would depend on the order of edges, a name in use.
        """
        source, target = self._view(source, "source"), self._view(target, "target")
        if port is None and len(target.population.cell.receives) == 1:
            port = target.population.cell.receives[0][0]
        name = name or f"{source.name}->{target.name}" + (f".{port}" if port else "")
        self._free(name, "projection", plain=False)
        where = f"projection {name!r} ({source.name} -> {target.name})"
        if not hasattr(connector, "connect"):
            raise NetworkError(f"{where}: found {connector!r}, expected a connector such as ns.all_to_all(). Give one third.")
        expected = self._wiring(connector, len(source), len(target), where)
        port_unit = self._port(target.population.cell, port, rule, where)
        links, sides = self._links(rule, source, target, where)
        bound = None
        if rule is not None:
            bound = bind(rule, source.population.cell, target.population.cell, links=sides, out=port_unit and port_unit.exponents, where=where)
        weight = self._weight(weight, rule, connector, port_unit, expected, where)
        delay = self._delay(delay, round_delays, where)
        fraction = float(dendritic_fraction)
        if not 0.0 <= fraction <= 1.0:
            raise NetworkError(f"{where}: dendritic_fraction {dendritic_fraction!r}, expected 0 to 1. Correct it.")
        for part in (fraction, 1.0 - fraction):
            if not isinstance(delay, Distribution):
                whole_steps(part * np.asarray(delay), self.dt, where=f"{where}: a part of the delay (dendritic_fraction {fraction:g})", rounded=round_delays)
        back = None if back is None else self._delay(back, round_delays, f"{where}, back")
        checked = self._rule_values(rule, values, len(source), len(target), where)
        made = Projection(name, source, target, connector, weight, delay, fraction, back, bool(round_delays), bool(same_step), port, rule, bound, links, checked)
        self.projections[name] = made
        self.inputs.append(made)
        return made

    def poisson_drive(self, target: Population | View, *, n: int = 1, rate: Any, weight: Any, port: str | None = None, name: str | None = None) -> Drive:
        """Add Poisson counts of ``n`` independent trains of ``rate`` (Hz) each to a port of every target, each with ``weight``."""
        view = self._view(target, "target")
        if port is None and len(view.population.cell.receives) == 1:
            port = view.population.cell.receives[0][0]
        name = name or f"poisson_drive->{view.name}.{port}"
        self._free(name, "drive", plain=False)
        where = f"drive {name!r} (-> {view.name})"
        port_unit = self._port(view.population.cell, port, None, where)
        _not_negative(rate, f"{where}, rate")
        sizes = {"one per target": len(view)}
        made = Drive(name, view, port, whole_number(n, where=f"{where}, n"), quantity(rate, unit("Hz"), sizes=sizes, where=f"{where}, rate"),
                     quantity(weight, port_unit, sizes=sizes, where=f"{where}, weight"))
        self.inputs.append(made)
        return made

    def record(self, owner: Population | View | Projection, *variables: str, every: Any = None, edges: Any = None) -> None:
        """Record ``"spikes"`` or variables of a population, view or projection, every ``every`` (one step unless given).

        ``edges``: indices of the recorded edges of a projection, all unless given.
        """
        if not variables:
            raise NetworkError("record: found no variable, expected 'spikes' or names of states. Name what to record.")
        made = [self._probe(owner, variable, every, edges) for variable in variables]
        for probe in made:
            if any((p.owner.name, p.variable) == (probe.owner.name, probe.variable) for p in self.probes):
                raise NetworkError(f"record: {probe.variable!r} of {probe.owner!r} is recorded already. Record all its members in one call.")
        self.probes.extend(made)

    def owners(self) -> dict[str, Population | Projection | Drive]:
        """Return everything that has a name."""
        return {**self.populations, **{i.name: i for i in self.inputs}}

    def _free(self, name: str, what: str, *, plain: bool = True) -> None:
        if plain:
            _identifier(name, what)
        if name in self.owners():
            raise NetworkError(f"{what} {name!r}: the name is in use in network {self.name!r}. Choose another with name=..., every name once.")

    def _view(self, owner: Any, end: str) -> View:
        view = owner.view if isinstance(owner, Population) else owner
        if not isinstance(view, View):
            raise NetworkError(f"{end}: found {owner!r}, expected a population of this network or a view of one.")
        if self.populations.get(view.name) is not view.population:
            raise NetworkError(f"{end}: population {view.name!r} belongs to another network. Use one of: {', '.join(self.populations)}.")
        return view

    def _wiring(self, connector: Connector, n_source: int, n_target: int, where: str) -> float:
        try:
            return connector.expected(n_source, n_target)
        except NetworkError as error:
            raise NetworkError(f"{where}: {error}") from None

    def _port(self, cell: Cell, port: str | None, rule: Rule | None, where: str) -> Unit | None:
        if port is None:
            if rule is not None and not any(s.target == "out" for h in rule.handlers for s in h.statements):
                return None
            valid = ", ".join(k for k, _ in cell.receives) or "none"
            raise NetworkError(f"{where}: no port given, expected one of {cell.name}'s ports: {valid}. Give port=...")
        try:
            found = cell.port(port)
        except ModelError as error:
            raise NetworkError(f"{where}: {error}") from None
        graded = rule is not None and not any(s.target == "out" for h in rule.handlers if h.trigger != "step" for s in h.statements)
        if found.into is None and cell.step is None and not graded:
            raise NetworkError(f"{where}: spikes into port {port!r} of cell {cell.name!r}, which jumps no state: a pulse whose area would depend on dt. "
                               "Give the port into=..., write the cell with step=..., or deliver in a 'step' handler.")
        return unit(found.unit)

    def _weight(self, weight: Any, rule: Rule | None, connector: Connector, port_unit: Unit | None, expected: float, where: str) -> Any:
        w = next((v for v in rule.edge if v.name == "w"), None) if rule is not None else None
        if rule is not None and w is None:
            if weight is not None:
                raise NetworkError(f"{where}: found weight={weight!r}, but rule {rule.name!r} has no edge variable 'w' to take it. Leave the weight out.")
            return None
        if weight is None:
            weight = getattr(connector, "weights", None)
            if weight is None and w is None:
                raise NetworkError(f"{where}: no weight given, expected {port_unit}. Give weight=...")
            if weight is None:
                weight = 0.0
        return quantity(weight, w.unit if w is not None else port_unit, sizes={}, where=f"{where}, weight")

    def _delay(self, delay: Any, rounded: bool, where: str) -> Any:
        checked = quantity(delay, MS, sizes={}, where=f"{where}: delay")
        if isinstance(checked, Distribution):
            low = checked.low if checked.low is not None else checked.arguments[0] if checked.kind in ("uniform", "integers") else None
            if checked.kind not in ("exponential", "lognormal") and (low is None or quantity(low, MS, sizes={}, where=where) < 0):
                raise NetworkError(f"{where}: delay drawn from {checked} can be negative, expected 0 ms or more. Give low='0 ms' or a larger bound.")
            if not rounded and checked.kind != "integers":
                raise NetworkError(f"{where}: delay drawn from {checked} is in general no multiple of dt ({self.dt:g} ms). Give round_delays=True.")
            return checked
        if (np.asarray(checked) < 0).any():
            raise NetworkError(f"{where}: delay {np.min(checked):g} ms is negative, expected 0 ms or more. Correct it.")
        whole_steps(checked, self.dt, where=f"{where}: delay", rounded=rounded)
        return checked

    def _links(self, rule: Rule | None, source: View, target: View, where: str) -> tuple[dict[str, Reference], dict[str, tuple[str, Exponents]]]:
        links: dict[str, Reference] = {}
        sides: dict[str, tuple[str, Exponents]] = {}
        for link in rule.reads if rule is not None else ():
            reference = link.reference
            place = f"{where}, link {link.symbol!r}"
            if not isinstance(reference, Reference):
                raise NetworkError(f"{place}: found {reference!r}, expected a state such as population['v'] or a variable such as projection['z'].")
            owner = reference.owner
            if self.owners().get(owner.name) is not (owner.population if isinstance(owner, View) else owner):
                raise NetworkError(f"{place}: {owner.name!r} is no population or earlier projection of network {self.name!r}. Add it before this projection.")
            links[link.symbol] = reference
            sides[link.symbol] = _link_side(reference, len(source), len(target), place)
        return links, sides

    def _rule_values(self, rule: Rule | None, values: dict[str, Any], n_source: int, n_target: int, where: str) -> dict[str, Any]:
        checked: dict[str, Any] = {}
        declared = {} if rule is None else {p.name: (p.unit, p.per) for p in rule.parameters}
        if rule is not None:
            sides = (("edge", rule.edge), ("source", rule.pre), ("target", rule.post))
            declared |= {v.name: (v.unit, side) for side, variables in sides for v in variables if v.name != "w"}
        for name, value in values.items():
            if name not in declared:
                raise NetworkError(unknown("parameter or variable", name, declared, owner=where))
            this, per = declared[name]
            sizes = {None: {"one value": 1}, "source": {"one per source": n_source}, "target": {"one per target": n_target}, "edge": {}}[per]
            checked[name] = quantity(value, this, sizes=sizes, where=f"{where}, {name}")
            if per is None and (isinstance(checked[name], np.ndarray)):
                raise NetworkError(f"{where}, {name}: found an array, expected one value. Declare the parameter with Parameter(..., per='source', 'target' or 'edge').")
        return checked

    def _probe(self, owner: Any, variable: str, every: Any, edges: Any) -> Probe:
        steps = 1 if every is None else int(whole_steps(duration(every, where="record, every"), self.dt, where="record: every"))
        if isinstance(owner, Projection):
            if self.projections.get(owner.name) is not owner:
                raise NetworkError(f"record: projection {owner.name!r} belongs to another network.")
            known = {"w": None} if owner.rule is None else {v.name: v.unit for v in (*owner.rule.edge, *owner.rule.pre, *owner.rule.post)}
            if variable not in known:
                raise NetworkError(f"record: {unknown('variable', variable, known, owner=f'projection {owner.name!r}')}")
            this = known[variable] or unit(owner.target.population.cell.port(owner.port).unit)
            chosen = None if edges is None else np.asarray(edges, np.int64)
            return Probe(owner, variable, this, max(steps, 1), chosen)
        view = self._view(owner, "record")
        cell = view.population.cell
        if variable == "spikes":
            if cell.spike is None and view.population.given is None:
                raise NetworkError(f"record: population {view.name!r} ({cell.name}) never spikes. Record one of its states: {', '.join(s.name for s in cell.states)}.")
            return Probe(view, variable, None)
        states = {s.name: s.unit for s in cell.states}
        if variable not in states:
            raise NetworkError(f"record: {unknown('state', variable, ['spikes', *states], owner=f'population {view.name!r}')}")
        return Probe(view, variable, states[variable], max(steps, 1))


def _identifier(name: Any, what: str) -> str:
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][\w-]*", name):
        raise NetworkError(f"{what} name: found {name!r}, expected letters, digits, '_' or '-', beginning with a letter. Choose another name.")
    return name


def _named(things: dict[str, Any], name: str, owner: str) -> Any:
    if name not in things:
        raise NetworkError(unknown("population, projection or drive", str(name), things, owner=owner))
    return things[name]


def _not_negative(rate: Any, where: str) -> None:
    values = rate.values if hasattr(rate, "values") else rate
    if not isinstance(values, Distribution) and (np.asarray(quantity(values, unit("Hz"), sizes={}, where=where) if np.ndim(values) < 2 else values) < 0).any():
        raise NetworkError(f"{where}: found a negative rate, expected 0 Hz or more. Correct it.")


def _link_side(reference: Reference, n_source: int, n_target: int, place: str) -> tuple[str, Exponents]:
    owner = reference.owner
    if isinstance(owner, View):
        cell = owner.population.cell
        thing = next(t for t in (*cell.states, *cell.parameters) if t.name == reference.name)
        length = len(owner)
    else:
        thing = next(t for t in (*owner.rule.pre, *owner.rule.post, *owner.rule.parameters) if t.name == reference.name)
        pre, post = [v.name for v in owner.rule.pre], [v.name for v in owner.rule.post]
        per = getattr(thing, "per", None)
        length = len(owner.source) if thing.name in pre or per == "source" else len(owner.target) if thing.name in post or per == "target" else 1
        if per == "edge":
            raise NetworkError(f"{place}: {reference.name!r} has one value per edge of {owner.name!r}, expected a value per neuron. Link to a pre or post variable.")
    along = reference.along
    if along is None:
        if length != 1:
            raise NetworkError(f"{place}: {reference.name!r} of {owner.name!r} has {length} values, expected 1. "
                               "Say which one an edge reads: .by('source'), .by('target') or .by(indices).")
        return "one", thing.unit.exponents
    if isinstance(along, str):
        expected = n_source if along == "source" else n_target
        if length != expected:
            raise NetworkError(f"{place}: {reference.name!r} of {owner.name!r} has {length} values, expected one for each of {expected} {along} neurons.")
        return ("pre" if along == "source" else "post"), thing.unit.exponents
    if along.size and (along.min() < 0 or along.max() >= length):
        raise NetworkError(f"{place}: found an index outside 0 ... {length - 1}, expected indices of {owner.name!r}. Correct the index array.")
    return "edge", thing.unit.exponents


