"""From a Network to a ConcreteNetwork, by making every random draw."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..draws.streams import Stream, user_stream
from ..draws.values import Distribution, Shared, Table
from ..errors import NetworkError
from ..expr.evaluate import evaluate
from ..expr.tree import Expr, names
from ..model.cell import Cell
from ..model.declarations import Constant
from ..network.drawn_values import draw_population
from ..network.network import Network
from ..network.observed import observed_definitions
from ..network.populations import Population, View
from ..network.projections import Drive, Projection
from ..network.references import Reference
from ..network.sources import require_drive_rate, require_source_value
from ..network.values.coefficients import (
    Ends,
    ValuesOfCells,
    require_rule_coefficients,
    require_update_coefficients,
)
from ..network.values.population import require_time_constants
from ..quantities import to_engine
from ..units import Unit, unit
from .concrete import (
    ConcreteDrive,
    ConcreteLink,
    ConcreteNetwork,
    ConcretePopulation,
    ConcreteProjection,
    Value,
)
from .derived import Derived
from .discretise import expand
from .edge_values import Drawn, EdgeValues, to_absolute


def concretise(network: Network) -> ConcreteNetwork:
    """Make every random draw of a network; the result shares nothing with it that could change.

    Raises
    ------
    NetworkError
        If drawn weights or delays are invalid, or an array does not match the number of edges.
    """
    seed = network.seed
    dt = network.dt
    populations = {p.name: _population(p, seed, dt) for p in network.populations.values()}
    for update in network.updates:
        name = update.view.name
        where = f"every, population {name!r}"
        require_update_coefficients(update, populations[name].parameters, where=where)

    def of_cells(population: Population, name: str) -> Value:
        return populations[population.name].parameters[name]

    return ConcreteNetwork(
        name=network.name,
        dt=dt,
        seed=seed,
        populations=populations,
        projections={p.name: _projection(p, seed, of_cells) for p in network.projections.values()},
        drives={name: _drive(drive, seed, dt) for name, drive in network.drives.items()},
        order=tuple(i.name for i in network.inputs),
        probes=tuple(network.probes),
        updates=tuple(network.updates),
        signals=tuple(network.signals),
        observed={
            name: _observed(populations[name], definitions, dt)
            for name, definitions in observed_definitions(network).items()
        },
    )


# ---- populations


def _population(population: Population, seed: int, dt: float) -> ConcretePopulation:
    cell = population.cell
    values, trees = draw_population(population, seed)
    parameters = {p.name: _plain(values[p.name]) for p in cell.parameters}
    # The network checked numbers; what was drawn or written as text is known only now.
    require_time_constants(f"population {population.name!r}", cell, parameters)
    for p in cell.parameters:
        where = f"population {population.name!r}, {p.name}"
        value = parameters[p.name]
        size = population.size
        shape = parameters.get("shape", 1.0)
        require_source_value(
            cell, value, size=size, dt=dt, where=where, declared=p.unit, shape=shape
        )
    # Initial values are computed once; only parameters follow later changes.
    trees = {name: tree for name, tree in trees.items() if name in parameters}
    read = {name for tree in trees.values() for name in names(tree)}
    # Draws are stored as they were made: an expression that is evaluated later reads the same.
    known = {name: _plain(values[name]) for name in read - parameters.keys()}
    initial = {
        s.name: np.array(np.broadcast_to(np.asarray(values[s.name], np.float64), population.size))
        for s in cell.states
    }
    return ConcretePopulation(
        name=population.name,
        size=population.size,
        cell=cell,
        parameters=parameters,
        derived=Derived(trees, known),
        initial=initial,
        refractory=_refractory(cell, parameters),
        source_spikes=population.source_spikes,
    )


def _observed(
    p: ConcretePopulation, definitions: tuple[str, ...], dt: float
) -> dict[str, np.ndarray]:
    """Return the values of definitions before the first step: without input and random draws."""
    known: dict[str, Any] = {
        "t": 0.0,
        "dt": dt,
        "i": np.arange(p.size, dtype=np.float64),
        "N": float(p.size),
        **{f"_port_{name}": 0.0 for name, _ in p.cell.receives},
        **p.initial,
    }
    for name, value in p.parameters.items():
        known[name] = value.values[0] if isinstance(value, Table) else value
    trees = {d.name: d.tree for d in p.cell.definitions}
    plain = expand(p.cell)
    return {
        name: np.array(
            np.broadcast_to(evaluate(plain(trees[name]), known.__getitem__, lambda _: 0.0), p.size),
            np.float64,
        )
        for name in definitions
    }


def _refractory(cell: Cell, parameters: dict[str, Value]) -> str | float | None:
    """Return the refractory time in ms, or the parameter that holds it."""
    if cell.refractory is None:
        return None
    time = cell.refractory.time
    if isinstance(time, str) and time in parameters:
        return time
    return to_engine(time, unit("ms"), where="refractory")


def _plain(value: Any) -> Value:
    """Return a table as it is, anything else as a number or an array of its own."""
    if isinstance(value, Table):
        return value
    array = np.array(value, np.float64)
    return float(array) if array.ndim == 0 else array


# ---- projections


def _projection(p: Projection, seed: int, of_cells: ValuesOfCells) -> ConcreteProjection:
    edges = p.connect(seed)
    pointer, targets, moved = to_absolute(p, edges)
    where = f"projection {p.name!r} ({p.source.name} -> {p.target.name})"
    draw = EdgeValues(
        projection=p,
        pointer=edges.pointer,
        order=edges.order,
        moved=moved,
        seed=seed,
        absolute=pointer,
        targets=targets,
        where=where,
    )
    del edges  # they take as much memory as the absolute ones
    # With a rule the weight is a variable, see `_initial_variables`.
    weight = draw("weight", p.weight, unit("1")) if p.rule is None else None
    initial = _initial_variables(p, draw)
    values, trees = _rule_parameters(p, draw)
    require_rule_coefficients(
        p, values, of_cells=of_cells, where=where, ends=Ends(pointer, targets)
    )
    return ConcreteProjection(
        name=p.name,
        source=p.source.name,
        target=p.target.name,
        port=p.port,
        pointer=pointer,
        targets=targets,
        weight=weight,
        # A program turns delays into steps, so the milliseconds need not be stored.
        delay=draw("delay", p.delay, unit("ms"), redrawn=True),
        dendritic_fraction=p.dendritic_fraction,
        back=None if p.back is None else draw("back", p.back, unit("ms"), redrawn=True),
        round_delays=p.round_delays,
        same_step=p.same_step,
        rule=p.rule,
        bound=p.bound,
        links={symbol: _link(symbol, p, draw) for symbol in p.links},
        values=values,
        derived=Derived(trees, {}),
        initial=initial,
    )


def _initial_variables(p: Projection, draw: EdgeValues) -> dict[str, np.ndarray | Drawn | float]:
    """Return the values with which the variables of the rule begin."""
    initial: dict[str, np.ndarray | Drawn | float] = {}
    if p.rule is None:
        return initial
    for v in p.rule.edge:
        if v.name == "w":
            initial["w"] = _written_out(draw("weight", p.weight, v.unit, redrawn=True))
        else:
            value = p.values.get(v.name, 0.0)
            initial[v.name] = draw(v.name, value, v.unit, redrawn=True, named=True)
    ends = (("source", p.source, p.rule.pre), ("target", p.target, p.rule.post))
    for side, view, variables in ends:
        for v in variables:
            stream = user_stream(draw.seed, p.name, v.name, of="projection")
            where = f"{draw.where}, {v.name} per {side}"
            value = p.values.get(v.name, 0.0)
            initial[v.name] = _spread(value, view, stream, declared=v.unit, where=where)
    return initial


def _written_out(weight: Any) -> np.ndarray | Drawn | float:
    """Return weights of which each edge has its own: a rule changes them edge by edge."""
    return weight.values[weight.index] if isinstance(weight, Shared) else weight


def _rule_parameters(p: Projection, draw: EdgeValues) -> tuple[dict[str, Value], dict[str, Expr]]:
    """Return the parameters of the rule, and the expressions of those written as text."""
    values: dict[str, Value] = {}
    trees: dict[str, Expr] = {}
    for constant in p.rule.parameters if p.rule is not None else ():
        if constant.name not in p.values and isinstance(constant.value, Expr):
            trees[constant.name] = constant.value
        values[constant.name] = _rule_parameter(p, constant, draw, known=values)
    return values, trees


def _rule_parameter(
    p: Projection,
    constant: Constant,
    draw: EdgeValues,
    *,
    known: dict[str, Value],
) -> Value:
    name = constant.name
    stream = user_stream(draw.seed, p.name, name, of="projection")
    value = p.values.get(name, constant.value)
    if isinstance(value, Expr):
        # Parameters are in order of dependence: all that are read are known.
        value = evaluate(value, known.__getitem__)
    if constant.per == "edge":
        values = draw(name, value, constant.unit, named=True)
        return values if np.ndim(values) else np.full(draw.count, float(values))
    if constant.per is None:
        if isinstance(value, Distribution):
            # One value is the first draw of its stream.
            first = np.zeros(1, int)
            value = value.sample(stream, first, unit=constant.unit, where=draw.where)[0]
        return float(value)
    view = p.source if constant.per == "source" else p.target
    if isinstance(value, float | int):
        return np.full(view.population.size, float(value))
    return _spread(value, view, stream, declared=constant.unit, where=draw.where)


def _spread(
    value: Any,
    view: View,
    stream: Stream,
    *,
    declared: Unit,
    where: str,
) -> np.ndarray:
    """Return values per neuron of the whole population, (N,), 0 outside the view."""
    if isinstance(value, Distribution):
        value = value.sample(stream, np.arange(len(view)), unit=declared, where=where)
    # Neurons outside of the view have no edge that could read the zeros.
    result = np.zeros(view.population.size)
    result[view.indices] = value
    return result


def _link(symbol: str, p: Projection, draw: EdgeValues) -> ConcreteLink:
    if p.bound is None:
        raise NetworkError(f"{draw.where}: found the link {symbol!r} and no rule. Name a rule.")
    reference = p.links[symbol]
    side = p.bound.symbols[symbol].side
    indices = _indices_of_link(reference)
    index: np.ndarray | None
    if side == "one":
        index = np.asarray(indices[:1], np.int32)
    elif side == "edge":
        # Sorted like weights, which are floats: float64 holds every index exactly.
        along = np.asarray(reference.along, np.float64)
        along = draw(f"link {symbol!r}", along, unit("1")).astype(np.int64)
        index = np.asarray(indices[along], np.int32)
    else:
        view = p.source if side == "pre" else p.target
        index = np.zeros(view.population.size, np.int32)
        index[view.indices] = indices if reference.which is None else indices[reference.which]
        # Engines save a look-up per access if each neuron reads its own index.
        if (index == np.arange(index.size)).all():
            index = None
    return ConcreteLink(reference.owner.name, reference.name, side, index)


def _indices_of_link(reference: Reference) -> np.ndarray:
    """Return the neurons, of a whole population, that a link can read."""
    owner = reference.owner
    if isinstance(owner, View):
        return owner.indices
    assert isinstance(owner, Projection)  # the network has checked every link
    per_target = owner.linkable()[reference.name][1] == "target"
    return (owner.target if per_target else owner.source).indices


# ---- drives


def _drive(drive: Drive, seed: int, dt: float) -> ConcreteDrive:
    port = drive.target.population.cell.port(drive.port)
    rate = _per_target(drive, "rate", drive.rate, unit("Hz"), seed=seed)
    require_drive_rate(rate, n=drive.n, dt=dt, where=f"drive {drive.name!r}, rate")
    weight = _per_target(drive, "weight", drive.weight, unit(port.unit), seed=seed)
    return ConcreteDrive(
        name=drive.name,
        target=drive.target.name,
        indices=drive.target.indices,
        port=drive.port,
        # The sum of n independent Poisson trains is one train of n times the rate.
        rate=rate * drive.n,
        weight=weight,
    )


def _per_target(
    drive: Drive,
    name: str,
    value: Any,
    declared: Unit,
    *,
    seed: int,
) -> Any:
    """Return a number or (M,), drawn if it is a distribution."""
    if not isinstance(value, Distribution):
        return value
    stream = Stream(seed, f"{drive.name}/{name}")
    everyone = np.arange(len(drive.target))
    where = f"drive {drive.name!r}, {name}"
    return value.sample(stream, everyone, unit=declared, where=where)
