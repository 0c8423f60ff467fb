"""ConcreteNetwork: the network with every random draw made; arrays only, continuous time, engine units."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..draws.sampling import blocks
from ..draws.streams import Stream
from ..draws.values import Distribution, Shared, Table
from ..errors import ModelError, NetworkError
from ..expr.evaluate import evaluate
from ..expr.tree import Expr, names
from ..model.binding import BoundRule
from ..model.cell import Cell
from ..model.rule import Rule
from ..network.network import Network
from ..network.populations import Population, View
from ..network.probes import Probe
from ..network.projections import Drive, Projection
from ..units import Unit, to_engine, unit
from .derived import Written
from .edges import Drawn, EdgeValues, absolute

Value = float | np.ndarray | Table


@dataclass(frozen=True, eq=False)
class ConcretePopulation:
    """A population with values: parameters a number, (N,) or a table; initial states (N,)."""

    name: str
    size: int
    cell: Cell
    parameters: dict[str, Value]
    written: Written
    initial: dict[str, np.ndarray]
    refractory: str | float | None  # ms, or the parameter that holds it
    given: tuple[np.ndarray, np.ndarray] | None


@dataclass(frozen=True, eq=False)
class ConcreteLink:
    """A symbol of a rule and where its value lies: ``index`` per source or target neuron (N,) or per edge (E,); None: the same index."""

    owner: str
    name: str
    side: str
    index: np.ndarray | None


@dataclass(frozen=True, eq=False)
class ConcreteProjection:
    """Edges sorted by source, then target, as absolute indices; weights and delays a number or (E,); delays in ms."""

    name: str
    source: str
    target: str
    port: str | None
    pointer: np.ndarray  # (N_source + 1,) int64
    targets: np.ndarray  # (E,) uint16 or int32, see `neurosim.sampling.index_type`
    weight: Value | Shared | None
    delay: float | np.ndarray | Drawn | None
    dendritic_fraction: float
    back: float | np.ndarray | Drawn | None
    round_delays: bool
    same_step: bool
    rule: Rule | None
    bound: BoundRule | None
    links: dict[str, ConcreteLink]
    values: dict[str, Value]
    written: Written
    initial: dict[str, np.ndarray | Drawn | float]

    @property
    def sources(self) -> np.ndarray:
        """Source of each edge, (E,) int32."""
        return np.repeat(np.arange(self.pointer.size - 1, dtype=np.int32), np.diff(self.pointer))


@dataclass(frozen=True, eq=False)
class ConcreteDrive:
    """Poisson counts with ``mean rate`` n * rate (1/ms) per target; ``weight`` and ``rate`` a number or (M,)."""

    name: str
    target: str
    indices: np.ndarray
    port: str
    rate: float | np.ndarray
    weight: float | np.ndarray


@dataclass(frozen=True, eq=False)
class ConcreteNetwork:
    """All draws made. ``order`` names projections and drives in creation order, the order of every sum."""

    name: str
    dt: float
    seed: int
    populations: dict[str, ConcretePopulation]
    projections: dict[str, ConcreteProjection]
    drives: dict[str, ConcreteDrive]
    order: tuple[str, ...]
    probes: tuple[Probe, ...]

    def hash(self) -> str:
        """Return a digest of everything that a run depends on."""
        digest = hashlib.blake2b(
            repr((self.name, self.dt, self.seed, self.order)).encode(), digest_size=16
        )
        for thing in (
            *self.populations.values(),
            *self.projections.values(),
            *self.drives.values(),
        ):
            for field, value in sorted(vars(thing).items()):
                digest.update(field.encode())
                _update(digest, value)
        return digest.hexdigest()

    def outline(self) -> ConcreteNetwork:
        """Return the network without what a run holds in another form: static weights, of which its memory may have copies, and delays."""
        return replace(
            self,
            projections={
                name: replace(p, weight=None, delay=None, back=None)
                for name, p in self.projections.items()
            },
        )


def concretise(network: Network) -> ConcreteNetwork:
    """Make every random draw of a network; the result shares nothing with it that could change.

    Raises
    ------
    NetworkError
        Weights or delays that turn out invalid, arrays that do not match the number of edges.
    """
    populations = {p.name: _population(p, network.seed) for p in network.populations.values()}
    projections = {p.name: _projection(p, network) for p in network.projections.values()}
    drives = {d.name: _drive(d, network.seed) for d in network.inputs if isinstance(d, Drive)}
    order = tuple(i.name for i in network.inputs)
    return ConcreteNetwork(
        network.name,
        network.dt,
        network.seed,
        populations,
        projections,
        drives,
        order,
        tuple(network.probes),
    )


def _population(population: Population, seed: int) -> ConcretePopulation:
    cell, where = population.cell, f"population {population.name!r}"
    given: dict[str, Any] = (
        {p.name: p.value for p in cell.parameters}
        | {s.name: 0.0 for s in cell.states}
        | population.values
    )
    declared: dict[str, Unit] = {t.name: t.unit for t in (*cell.states, *cell.parameters)}
    found: dict[str, Any] = {
        "i": np.arange(population.size, dtype=np.float64),
        "N": float(population.size),
    }
    if population.positions is not None:
        found |= dict(zip("xyz", population.positions.T, strict=True))
    everyone = np.arange(population.size)
    for name in [n for n, v in given.items() if not isinstance(v, Expr)]:
        value = given.pop(name)
        if isinstance(value, Distribution):
            value = value.sample(
                Stream(seed, f"{population.name}/{name}"),
                everyone,
                unit=declared.get(name, unit("1")),
                where=f"{where}, {name}",
            )
        found[name] = value
    trees: dict[str, Expr] = {}
    while given:
        ready = [n for n, v in given.items() if not names(v) & given.keys()]
        if not ready:
            raise ModelError(
                f"{where}: {', '.join(sorted(given))} are written in a circle. Give one of them a value."
            )
        for name in ready:
            trees[name] = given.pop(name)
            found[name] = evaluate(trees[name], found.__getitem__)
            if not np.isfinite(found[name]).all():
                raise NetworkError(
                    f"{where}, {name}: the expression gives a value that is not finite, expected numbers. Correct it."
                )
    parameters = {p.name: _tidy(found[p.name]) for p in cell.parameters}
    trees = {name: tree for name, tree in trees.items() if name in parameters}
    written = Written(
        trees,
        {n: _tidy(found[n]) for tree in trees.values() for n in names(tree) - parameters.keys()},
    )
    initial = {
        s.name: np.array(np.broadcast_to(np.asarray(found[s.name], np.float64), population.size))
        for s in cell.states
    }
    return ConcretePopulation(
        population.name,
        population.size,
        cell,
        parameters,
        written,
        initial,
        _refractory(cell, parameters),
        population.given,
    )


def _refractory(cell: Cell, parameters: dict[str, Value]) -> str | float | None:
    """Return the refractory time in ms, or the parameter that holds it."""
    if cell.refractory is None:
        return None
    time = cell.refractory.time
    return (
        time
        if isinstance(time, str) and time in parameters
        else to_engine(time, unit("ms"), where="refractory")
    )


def _tidy(value: Any) -> Value:
    if isinstance(value, Table):
        return value
    array = np.array(value, np.float64)
    return float(array) if array.ndim == 0 else array


def _projection(p: Projection, network: Network) -> ConcreteProjection:
    where = f"projection {p.name!r} ({p.source.name} -> {p.target.name})"
    edges = p.connect(network.seed)
    pointer, targets, moved = absolute(p, edges)
    drawn = EdgeValues(p, edges.pointer, edges.order, moved, network.seed, where)
    del edges
    rule = p.rule
    initial: dict[str, Any] = {}
    values: dict[str, Any] = {}
    trees: dict[str, Expr] = {}
    weight = None
    if rule is None:
        weight = drawn("weight", p.weight, unit("1"))
    else:
        for v in rule.edge:
            given = p.weight if v.name == "w" else p.values.get(v.name, 0.0)
            initial[v.name] = drawn(
                "weight" if v.name == "w" else v.name, given, v.unit, again=True
            )
        for side, view, variables in (
            ("source", p.source, rule.pre),
            ("target", p.target, rule.post),
        ):
            for v in variables:
                initial[v.name] = _spread(
                    p.values.get(v.name, 0.0),
                    view,
                    f"{p.name}/{v.name}",
                    network.seed,
                    v.unit,
                    f"{where}, {v.name} per {side}",
                )
        trees = {
            c.name: c.value
            for c in rule.parameters
            if c.name not in p.values and isinstance(c.value, Expr)
        }
        for c in rule.parameters:
            values[c.name] = _rule_parameter(p, c, drawn, network.seed, values, where)
    delay = drawn("delay", p.delay, unit("ms"), again=True)
    back = None if p.back is None else drawn("back", p.back, unit("ms"), again=True)
    links = {symbol: _link(symbol, p, drawn) for symbol in p.links}
    return ConcreteProjection(
        p.name,
        p.source.name,
        p.target.name,
        p.port,
        pointer,
        targets,
        weight,
        delay,
        p.dendritic_fraction,
        back,
        p.round_delays,
        p.same_step,
        rule,
        p.bound,
        links,
        values,
        Written(trees, {}),
        initial,
    )


def _spread(value: Any, view: View, name: str, seed: int, declared: Unit, where: str) -> np.ndarray:
    """Return values per neuron of the whole population, 0 outside the view."""
    if isinstance(value, Distribution):
        value = value.sample(Stream(seed, name), np.arange(len(view)), unit=declared, where=where)
    result = np.zeros(view.population.size)
    result[view.indices] = value
    return result


def _rule_parameter(
    p: Projection, c: Any, drawn: EdgeValues, seed: int, known: dict[str, Any], where: str
) -> Value:
    value = p.values.get(c.name, c.value)
    if isinstance(value, Expr):
        value = evaluate(value, lambda name: known[name])
    if c.per == "edge":
        found = drawn(c.name, value, c.unit)
        return found if np.ndim(found) else np.full(drawn.count, float(found))
    if c.per is None:
        if isinstance(value, Distribution):
            value = value.sample(
                Stream(seed, f"{p.name}/{c.name}"), np.zeros(1, int), unit=c.unit, where=where
            )[0]
        return float(value)
    view = p.source if c.per == "source" else p.target
    if isinstance(value, float | int):
        return np.full(view.population.size, float(value))
    return _spread(value, view, f"{p.name}/{c.name}", seed, c.unit, where)


def _link(symbol: str, p: Projection, drawn: EdgeValues) -> ConcreteLink:
    reference = p.links[symbol]
    owner, side = reference.owner, p.bound.symbols[symbol].side
    if isinstance(owner, View):
        indices = owner.indices
    else:
        post = reference.name in {v.name for v in owner.rule.post} | {
            c.name for c in owner.rule.parameters if c.per == "target"
        }
        indices = (owner.target if post else owner.source).indices
    if side == "one":
        return ConcreteLink(owner.name, reference.name, side, np.asarray(indices[:1], np.int32))
    if side == "edge":
        along = drawn(f"link {symbol!r}", reference.along.astype(np.float64), unit("1")).astype(
            np.int64
        )
        return ConcreteLink(owner.name, reference.name, side, np.asarray(indices[along], np.int32))
    view = p.source if side == "pre" else p.target
    index = np.zeros(view.population.size, np.int32)
    index[view.indices] = indices
    return ConcreteLink(
        owner.name, reference.name, side, None if (index == np.arange(index.size)).all() else index
    )


def _drive(drive: Drive, seed: int) -> ConcreteDrive:
    def values(name: str, value: Any, declared: Unit) -> Any:
        if isinstance(value, Distribution):
            return value.sample(
                Stream(seed, f"{drive.name}/{name}"),
                np.arange(len(drive.target)),
                unit=declared,
                where=f"drive {drive.name!r}, {name}",
            )
        return value

    rate = values("rate", drive.rate, unit("Hz"))
    weight = values(
        "weight", drive.weight, unit(drive.target.population.cell.port(drive.port).unit)
    )
    return ConcreteDrive(
        drive.name, drive.target.name, drive.target.indices, drive.port, rate * drive.n, weight
    )


def _update(digest: Any, value: Any) -> None:
    if isinstance(value, np.ndarray):
        kind = (
            np.dtype(np.int32) if value.dtype == np.uint16 else value.dtype
        )  # equal indices are equal, however many bytes they take
        digest.update(str(kind).encode())
        for block in blocks(value.size, width=1) if kind != value.dtype else [...]:
            digest.update(
                np.ascontiguousarray(value[block], kind).data.cast("B") if value.size else b""
            )
    elif isinstance(value, Drawn):
        _update(digest, np.asarray(value))
    elif isinstance(value, dict):
        for key in sorted(value):
            digest.update(key.encode())
            _update(digest, value[key])
    elif isinstance(value, Table):
        _update(digest, value.values)
        _update(digest, value.every)
    elif isinstance(value, Cell):
        digest.update(
            repr(
                (
                    value.states,
                    value.definitions,
                    value.spike,
                    value.after_spike,
                    value.step,
                    value.method,
                    value.refractory,
                )
            ).encode()
        )
    elif isinstance(value, ConcreteLink | Written):
        _update(digest, vars(value))
    elif isinstance(value, Rule):
        digest.update(
            repr((value.edge, value.pre, value.post, value.handlers, value.definitions)).encode()
        )
    elif isinstance(value, tuple):
        for item in value:
            _update(digest, item)
    elif not isinstance(value, BoundRule):
        digest.update(repr(value).encode())
