"""From a ConcreteNetwork to a Program: equations become statements of one step, times become whole steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..draws.sampling import blocks
from ..draws.values import Table
from ..errors import LoweringError
from ..expr.evaluate import evaluate
from ..expr.tree import (
    Assign,
    Binary,
    Call,
    Expr,
    Lookup,
    Name,
    Number,
    Unary,
    draws,
    inline,
    names,
    rewrite,
    substitute,
)
from ..model.binding import BoundRule, BoundStatement
from ..model.cell import Cell
from ..model.methods import choose, statements
from ..network.validation import to_steps
from .concrete import ConcreteNetwork, ConcretePopulation, ConcreteProjection
from .delay_groups import shared_delay
from .edge_values import Drawn
from .program import (
    CellProgram,
    PlasticProjection,
    PopulationProgram,
    Program,
    RuleProgram,
    StaticProjection,
)


def discretise(network: ConcreteNetwork) -> Program:
    """Turn a network into explicit steps of ``network.dt``.

    Raises
    ------
    LoweringError
        For what no step of this middle says yet: same-step projections.
    """
    for p in network.projections.values():
        if p.same_step:
            raise LoweringError(
                f"projection {p.name!r}: same_step=True is not lowered yet. Use a delay of 0, which the next step feels."
            )
    projections = {p.name: _projection(p, network) for p in network.projections.values()}
    history = dict.fromkeys(network.populations, 2)
    for p in projections.values():
        history[p.source] = max(history[p.source], int(np.max(p.axonal)) + 2)
        if isinstance(p, PlasticProjection) and p.back is not None:
            history[p.target] = max(history[p.target], int(np.max(p.back)) + 2)
    populations = {
        p.name: _population(p, network, history[p.name]) for p in network.populations.values()
    }
    return Program(
        network.name,
        network.dt,
        network.seed,
        populations,
        projections,
        network.drives,
        network.probes,
    )


def _population(p: ConcretePopulation, network: ConcreteNetwork, history: int) -> PopulationProgram:
    tables = tuple(name for name, value in p.parameters.items() if isinstance(value, Table))
    inputs = {**network.projections, **network.drives}
    contributions = {
        port: tuple(
            n for n in network.order if inputs[n].target == p.name and inputs[n].port == port
        )
        for port, _ in p.cell.receives
    }
    return PopulationProgram(
        p.name,
        p.size,
        cell_program(p.cell, tables),
        p.refractory,
        p.given is not None,
        history,
        contributions,
    )


def written_out(cell: Cell) -> Callable[[Expr], Expr]:
    """Return what writes an expression of a cell out: no definitions, tables by name, ports without a state as ``_port_x``."""
    definitions = {d.name: d.tree for d in cell.definitions}
    ports: dict[str, Expr] = {
        key: Name(f"_port_{key}") for key, port in cell.receives if port.into is None
    }
    return lambda tree: substitute(
        rewrite(inline(tree, definitions), lambda n: Name(n.table) if isinstance(n, Lookup) else n),
        ports,
    )


def cell_program(cell: Cell, tables: tuple[str, ...] = ()) -> CellProgram:
    """Return the statements of a cell; ``tables`` are the parameters whose values change over time."""
    where = f"cell {cell.name!r}"
    plain = written_out(cell)
    constants = {p.name for p in cell.parameters} - set(tables)
    jumps = [
        Assign(port.into, "=", Binary("+", Name(port.into), Name(f"_port_{key}")))
        for key, port in cell.receives
        if port.into is not None
    ]
    propagator, methods = None, {}
    if cell.step is not None:
        body = [Assign(s.target, "=", plain(s.result)) for s in cell.step]
    else:
        derivatives = {s.name: plain(s.derivative) for s in cell.states if s.derivative is not None}
        methods = choose(derivatives, cell.method, constants, where=where)
        body, propagator = statements(derivatives, methods, where=where)
    host = _Host(constants | {"dt"})
    if propagator is not None:
        host.constants |= set(propagator.names)
    body = _fold_inputs([replace(s, value=host(s.value)) for s in body], host)
    detect = host(plain(cell.spike)) if cell.spike is not None else None
    after = tuple(Assign(s.target, "=", host(plain(s.result))) for s in cell.after_spike)
    found = set().union(
        *(draws(s.value) for s in (*body, *after)), draws(detect) if detect is not None else set()
    )
    return CellProgram(
        cell.name,
        tuple(s.name for s in cell.states),
        tuple(p.name for p in cell.parameters),
        tables,
        tuple(k for k, _ in cell.receives),
        tuple(jumps + body),
        cell.refractory.freezes if cell.refractory else (),
        detect,
        after,
        cell.refractory is not None,
        tuple(sorted(found, key=lambda d: d.key)),
        tuple(host.hosted.items()),
        propagator,
        tuple(methods.items()),
    )


class _Host:
    """Takes sub-expressions over constants out of the step; numbers among numbers are folded."""

    def __init__(self, constants: set[str]) -> None:
        self.constants = constants
        self.hosted: dict[str, Expr] = {}

    def __call__(self, tree: Expr) -> Expr:
        read = names(tree)
        if not draws(tree) and isinstance(tree, Unary | Binary | Call):
            if not read:
                return Number(float(evaluate(tree, lambda name: None)))
            if read <= self.constants:
                for name, known in self.hosted.items():
                    if known == tree:
                        return Name(name)
                name = f"_c{len(self.hosted)}"
                self.hosted[name] = tree
                return Name(name)
        match tree:
            case Unary():
                return replace(tree, operand=self(tree.operand))
            case Binary(op="**", left=left):
                return replace(
                    tree,
                    left=self(left),
                    right=tree.right if not names(tree.right) else self(tree.right),
                )
            case Binary(left=left, right=right):
                return replace(tree, left=self(left), right=self(right))
            case Call(arguments=arguments):
                return replace(tree, arguments=tuple(self(a) for a in arguments))
        return tree


def _fold_inputs(body: list[Assign], host: _Host) -> list[Assign]:
    """Inputs of linear groups that turned out constant go to the host together with their propagator."""
    fixed = {
        s.target: s.value
        for s in body
        if s.target.startswith("_input_")
        and isinstance(s.value, Name | Number)
        and names(s.value) <= host.constants | host.hosted.keys()
    }
    host.constants |= host.hosted.keys()
    return [
        replace(s, value=host(substitute(s.value, fixed))) for s in body if s.target not in fixed
    ]


def _projection(
    p: ConcreteProjection, network: ConcreteNetwork
) -> StaticProjection | PlasticProjection:
    where = f"projection {p.name!r} ({p.source} -> {p.target}): delay"

    def steps(time: float | np.ndarray | Drawn, fraction: float = 1.0) -> np.ndarray:
        time = np.asarray(time)  # draws are made here, and not kept
        if time.ndim == 0:
            return to_steps(fraction * time, network.dt, where=where, rounded=p.round_delays)
        longest = time.max(initial=0.0) / network.dt
        found = np.empty(
            time.size,
            np.uint16
            if longest < 65535 and p.rule is None
            else np.int32
            if longest < 2**30
            else np.int64,
        )
        for block in blocks(time.size, width=1):
            found[block] = to_steps(
                fraction * time[block], network.dt, where=where, rounded=p.round_delays
            )
        return found

    size = network.populations[p.target].size
    total = steps(p.delay)
    if p.rule is None:  # the whole delay of a static projection acts like one along the axon
        return StaticProjection(
            name=p.name,
            source=p.source,
            target=p.target,
            port=p.port,
            pointer=p.pointer,
            targets=p.targets,
            size=size,
            axonal=_one_or_each(total),
        )
    dendritic = steps(p.delay, p.dendritic_fraction)
    back = dendritic if p.back is None else steps(p.back)
    has_post = any(trigger == "post" for trigger, _ in p.bound.handlers) or any(
        s.role == "variable" and s.side == "post" for s in p.bound.symbols.values()
    )
    return PlasticProjection(
        name=p.name,
        source=p.source,
        target=p.target,
        port=p.port,
        pointer=p.pointer,
        targets=p.targets,
        size=size,
        axonal=_one_or_each(total - dendritic),
        dendritic=_one_or_each(dendritic),
        back=_one_or_each(back) if has_post else None,
        code=rule_program(p.rule.name, p.bound),
        links=p.links,
    )


def _one_or_each(delay: np.ndarray) -> int | np.ndarray:
    """Return one number where all edges share it."""
    shared = shared_delay(delay)
    return delay if shared is None else shared


def rule_program(name: str, bound: BoundRule) -> RuleProgram:
    """Return the statements of a bound rule, constants taken out."""
    host = _Host(
        {s.name for s in bound.symbols.values() if s.role == "parameter" and s.side == "one"}
        | {"dt"}
    )

    def tidy(statement: BoundStatement) -> BoundStatement:
        tree = rewrite(statement.value, lambda n: Name(n.table) if isinstance(n, Lookup) else n)
        return replace(statement, value=host(tree))

    handlers = tuple((trigger, tuple(tidy(s) for s in found)) for trigger, found in bound.handlers)
    used = {n for _, found in handlers for s in found for n in names(s.value) | {s.target}} | {
        n for t in host.hosted.values() for n in names(t)
    }
    used |= {s.decay for s in bound.symbols.values() if s.decay}
    symbols = tuple(
        (k, s)
        for k, s in bound.symbols.items()
        if s.role in ("variable", "parameter", "link") or k in used
    )
    return RuleProgram(name, symbols, handlers, tuple(host.hosted.items()))
