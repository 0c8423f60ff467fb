"""From a ConcreteNetwork to a Program: statements of one step, delays in whole steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache, reduce

import numpy as np

from ..draws.sampling import blocks
from ..draws.values import Shared, Table
from ..errors import LoweringError
from ..expr.evaluate import evaluate
from ..expr.phases import count_steps
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
from ..model.binding import BoundEquations, BoundRule, BoundStatement
from ..model.cell import Cell
from ..model.integration.methods import Propagator, choose, statements
from ..model.integration.sub_steps import NOW, SubSteps, adaptive_trial, within_tolerance
from ..model.names import Method
from ..model.parts import Identical
from ..network.validation import to_steps
from .concrete import ConcreteNetwork, ConcretePopulation, ConcreteProjection, Delay
from .delay_groups import shared_delay
from .edge_values import Drawn
from .program import (
    HELD,
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
    NetworkError
        If a delay is no whole number of steps.
    """
    projections = {p.name: _projection(p, network) for p in network.projections.values()}
    # Spikes of this step are stored, and those of the next, which another thread may have begun.
    history = dict.fromkeys(network.populations, 2)
    for p in projections.values():
        history[p.source] = max(history[p.source], int(np.max(p.axonal)) + 2)
        if isinstance(p, PlasticProjection) and p.back is not None:
            history[p.target] = max(history[p.target], int(np.max(p.back)) + 2)
    inputs = {**network.projections, **network.drives}
    # Creation order: it fixes the order of the sums of ports, and with it the last bit.
    terms: dict[str, list[str]] = {name: [] for name in network.populations}
    for name in network.order:
        terms[inputs[name].target].append(name)
    populations = {
        p.name: _population(p, network, history=history[p.name], inputs=terms[p.name])
        for p in network.populations.values()
    }
    return Program(
        name=network.name,
        dt=network.dt,
        seed=network.seed,
        populations=populations,
        projections=projections,
        drives=network.drives,
        probes=network.probes,
        updates=network.updates,
        signals=network.signals,
    )


def _population(
    p: ConcretePopulation,
    network: ConcreteNetwork,
    *,
    history: int,
    inputs: list[str],
) -> PopulationProgram:
    tables = tuple(name for name, value in p.parameters.items() if isinstance(value, Table))
    projections = network.projections
    same_step = {n for n in inputs if n in projections and projections[n].same_step}
    ports = {n: (projections[n] if n in projections else network.drives[n]).port for n in inputs}
    terms = {port: [n for n in inputs if ports[n] == port] for port, _ in p.cell.receives}
    return PopulationProgram(
        name=p.name,
        size=p.size,
        code=cell_program(p.cell, tables, observed=tuple(network.observed.get(p.name, ()))),
        refractory=p.refractory,
        is_spike_source=p.source_spikes is not None,
        history=history,
        contributions={k: tuple(n for n in v if n not in same_step) for k, v in terms.items()},
        same_step={k: tuple(n for n in v if n in same_step) for k, v in terms.items()},
    )


def expand(cell: Cell, *, time: Name | None = None) -> Callable[[Expr], Expr]:
    """Return the function that expands expressions of a cell.

    Definitions are inlined, tables are read by their name, and a port without a state is
    ``_port_x``. Another ``time`` than ``t``, the beginning of the step, stands in its place.
    """
    # Definitions are written out first, since they may read tables and ports.
    definitions = {d.name: d.tree for d in cell.definitions}
    ports: dict[str, Expr] = {
        key: Name(f"_port_{key}") for key, port in cell.receives if port.into is None
    }
    own = cell.symbols().keys()

    def expanded(tree: Expr) -> Expr:
        tree = inline(tree, definitions)
        if time is not None:
            # Before steps are counted: they remain those of the network.
            tree = substitute(tree, {"t": time})
        tree = count_steps(tree, own)
        tree = rewrite(tree, lambda n: Name(n.table) if isinstance(n, Lookup) else n)
        return substitute(tree, ports)

    return expanded


def cell_program(
    cell: Cell, tables: tuple[str, ...] = (), *, observed: tuple[str, ...] = ()
) -> CellProgram:
    """Return the statements of a cell.

    Parameters
    ----------
    cell : Cell
    tables : names
        The parameters whose values change over time.
    observed : names
        Definitions that are stored in each step, as states are.
    """
    return _translate(Identical(cell), tables, observed)


# Thousands of populations may be of one cell, which reports and estimates translate as well.
@lru_cache(maxsize=32)
def _translate(
    identical: Identical[Cell], tables: tuple[str, ...], observed: tuple[str, ...]
) -> CellProgram:
    cell = identical.cell
    plain = expand(cell)
    # A table changes from row to row, so neither propagators nor constants may depend on it.
    constants = {p.name for p in cell.parameters} - set(tables)
    body, propagator, methods = _integration(cell, constants)
    host = _Host(constants | {"dt"})
    if propagator is not None:
        # Propagators are computed by the host as well, and may be factors of its constants.
        host.constants |= set(propagator.names)
    body = _fold_inputs([replace(s, value=host(s.value)) for s in body], host)
    # One host serves all statements: a constant that occurs twice is computed once.
    held = [Assign(HELD, "=", host(plain(tree))) for tree in _holding(cell)]
    detect = host(plain(cell.spike)) if cell.spike is not None else None
    if detect is not None and held:
        detect = Binary("and", detect, Unary("not", Name(HELD)))
    jumps = _port_jumps(cell)
    sub_steps = _sub_steps(cell, methods, host, detect=detect, after=len(held) + len(jumps))
    after = tuple(Assign(s.target, "=", host(plain(s.result))) for s in cell.after_spike)
    stored = [Assign(d, "=", host(plain(find_definition(cell, d)))) for d in observed]
    body += stored
    # After a reset they follow the new states; the inputs of the step are gone by then.
    inputs = {f"_port_{key}" for key, _ in cell.receives}
    if after:
        after += tuple(s for s in stored if not names(s.value) & inputs)
    trees = [s.value for s in (*held, *body, *after)] + ([] if detect is None else [detect])
    trees += [] if sub_steps is None else sub_steps.trees
    drawn = {draw for tree in trees for draw in draws(tree)}
    return CellProgram(
        name=cell.name,
        states=(*(s.name for s in cell.states), *observed),
        parameters=tuple(p.name for p in cell.parameters),
        tables=tables,
        ports=tuple(key for key, _ in cell.receives),
        # Jumps come before the integration, as the contract of a step demands.
        integrate=tuple(held + jumps + body),
        frozen=_frozen_states(cell),
        detect=detect,
        after=after,
        refractory=cell.refractory is not None,
        draws=tuple(sorted(drawn, key=lambda draw: draw.key)),
        hosted=tuple(host.hosted.items()),
        propagator=propagator,
        methods=tuple(methods.items()),
        sub_steps=sub_steps,
    )


def _sub_steps(
    cell: Cell,
    methods: dict[str, Method],
    host: _Host,
    *,
    detect: Expr | None,
    after: int,
) -> SubSteps | None:
    """Return the loop of a cell whose method is adaptive, else None.

    Parameters
    ----------
    cell : Cell
    methods : state -> method
    host : _Host
    detect : Expr or None
        The spike condition of the program.
    after : int
        Statements of phase 2 that come before.
    """
    if cell.tolerances is None or not methods:
        return None
    plain = expand(cell, time=NOW)
    derivatives = {s.name: plain(s.derivative) for s in cell.states if s.derivative is not None}
    # A state that its reset moves may have no finite value long after its threshold.
    moved = {s.target for s in cell.after_spike}
    held = () if detect is None else tuple(s for s in derivatives if s in moved & names(detect))
    trial = adaptive_trial(derivatives, cell.tolerances, frozen=_frozen_states(cell), held=held)
    return SubSteps(
        states=tuple(derivatives),
        trial=tuple(replace(s, value=host(s.value)) for s in trial),
        accepted=host(within_tolerance(tuple(derivatives), growth=False)),
        small=host(within_tolerance(tuple(derivatives), growth=True)),
        spike=detect if held else None,
        after=after,
        tolerances=cell.tolerances,
    )


def find_definition(cell: Cell, name: str) -> Expr:
    """Return the expression of a definition, as its user wrote it."""
    return next(d.tree for d in cell.definitions if d.name == name)


def _integration(
    cell: Cell, constants: set[str]
) -> tuple[list[Assign], Propagator | None, dict[str, Method]]:
    """Return the statements that integrate a cell, its propagator, and the method per state."""
    plain = expand(cell)
    if cell.step is not None:
        return [Assign(s.target, "=", plain(s.result)) for s in cell.step], None, {}
    where = f"cell {cell.name!r}"
    derivatives = {s.name: plain(s.derivative) for s in cell.states if s.derivative is not None}
    methods = choose(derivatives, cell.method, constants, where=where)
    if cell.method == "adaptive":
        return [], None, methods
    body, propagator = statements(derivatives, methods, where=where)
    return body, propagator, methods


def _port_jumps(cell: Cell) -> list[Assign]:
    """Return the statements by which ports move their states."""
    return [
        Assign(port.into, "=", Binary("+", Name(port.into), Name(f"_port_{key}")))
        for key, port in cell.receives
        if port.into is not None
    ]


def _holding(cell: Cell) -> list[Expr]:
    """Return the condition that forbids a spike if it holds at the beginning of a step, or none."""
    conditions = [] if cell.pause is None else [cell.pause]
    if cell.crossing and cell.spike is not None:
        # What is true already cannot become true.
        conditions.append(cell.spike)
    return [reduce(lambda a, b: Binary("or", a, b), conditions)] if conditions else []


def _frozen_states(cell: Cell) -> tuple[str, ...]:
    """Return the states that keep their values while a neuron is refractory."""
    if cell.refractory is None:
        return ()
    freezes = cell.refractory.freezes
    return (freezes,) if isinstance(freezes, str) else freezes


class _Host:
    """Moves sub-expressions over constants from the step to the host, and folds numbers."""

    def __init__(self, constants: set[str]) -> None:
        self.constants = constants
        self.hosted: dict[str, Expr] = {}

    def __call__(self, tree: Expr) -> Expr:
        read = names(tree)
        # A draw is new in every step; names and numbers alone cost nothing there.
        if not draws(tree) and isinstance(tree, Unary | Binary | Call):
            if not read:
                # Folded by the functions of the language: the bits are those of a computation in
                # the step.
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
                    # A literal exponent stays as it is, because printers write the power as a
                    # product.
                    right=tree.right if not names(tree.right) else self(tree.right),
                )
            case Binary(left=left, right=right):
                return replace(tree, left=self(left), right=self(right))
            case Call(arguments=arguments):
                return replace(tree, arguments=tuple(self(a) for a in arguments))
        return tree


def _fold_inputs(body: list[Assign], host: _Host) -> list[Assign]:
    """Move constant inputs of linear groups to the host, together with their propagators."""
    # An input that is constant makes its product with a propagator constant, too.
    fixed: dict[str, Expr] = {
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
    size = network.populations[p.target].size
    total = _delay_steps(p, p.delay, network.dt)
    if p.rule is None or p.bound is None:
        if p.port is None:
            raise LoweringError(f"projection {p.name!r}: found no port, expected one. Name a port.")
        return StaticProjection(
            name=p.name,
            source=p.source,
            target=p.target,
            port=p.port,
            pointer=p.pointer,
            targets=p.targets,
            size=size,
            axonal=_one_or_each(total),
            same_step=p.same_step,
            shared=p.weight.index if isinstance(p.weight, Shared) else None,
        )
    axonal, dendritic = _split_delay(p, total, network.dt)
    back = dendritic if p.back is None else _delay_steps(p, p.back, network.dt)
    return PlasticProjection(
        name=p.name,
        source=p.source,
        target=p.target,
        port=p.port,
        pointer=p.pointer,
        targets=p.targets,
        size=size,
        axonal=_one_or_each(axonal),
        same_step=p.same_step,
        dendritic=_one_or_each(dendritic),
        # Groups of the targets cost memory per edge, and few rules need them.
        back=_one_or_each(back) if _reads_post_spikes(p.bound) else None,
        code=rule_program(p.rule.name, p.bound),
        links=p.links,
    )


def _split_delay(
    p: ConcreteProjection, total: np.ndarray, dt: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the steps before and behind the synapse; those of the whole may be used for them."""
    if p.dendritic_fraction == 1:
        return np.zeros((), np.int64), total
    dendritic = _delay_steps(p, p.delay, dt, fraction=p.dendritic_fraction)
    # The rest of the delay, not a rounding of its own: both parts always add up to the whole.
    return np.subtract(total, dendritic, out=total if np.ndim(total) else None), dendritic


def _reads_post_spikes(bound: BoundRule) -> bool:
    """Return whether a rule has a post handler or a post variable."""
    handlers = any(trigger == "post" for trigger, _ in bound.handlers)
    return handlers or any(
        s.role == "variable" and s.side == "post" for s in bound.symbols.values()
    )


def _delay_steps(
    p: ConcreteProjection,
    delay: Delay | None,
    dt: float,
    *,
    fraction: float = 1.0,
) -> np.ndarray:
    """Return a fraction of a delay in steps, () or (E,), in the smallest type that serves.

    Raises
    ------
    NetworkError
        If a delay is no whole number of steps.
    """
    where = f"projection {p.name!r} ({p.source} -> {p.target}): delay"
    if delay is None:
        raise LoweringError(f"{where}: found an outline, expected the network with its delays.")
    if not isinstance(delay, Drawn | np.ndarray):
        return to_steps(fraction * delay, dt, where=where, rounded=p.round_delays)
    # Steps are as many as edges. Those of rules are subtracted from each other, hence signed.
    steps = np.empty(p.targets.size, np.uint16 if p.rule is None else np.int32)
    for edges, time in _parts_of(delay):
        part = to_steps(fraction * time, dt, where=where, rounded=p.round_delays)
        longest = part.max(initial=0)
        if longest >= (65535 if steps.itemsize == 2 else 2**30):
            steps = steps.astype(np.int32 if longest < 2**30 else np.int64)
        steps[edges] = part
    return steps


def _parts_of(delay: np.ndarray | Drawn) -> Iterator[tuple[slice, np.ndarray]]:
    """Return some edges at a time and their delays; draws are made here, and not stored."""
    if isinstance(delay, Drawn):
        yield from delay.parts()
    else:
        for block in blocks(delay.size, width=1):
            yield block, delay[block]


def _one_or_each(delay: np.ndarray) -> int | np.ndarray:
    """Return one number if all edges share it, else all."""
    shared = shared_delay(delay)
    return delay if shared is None else shared


def rule_program(name: str, bound: BoundRule) -> RuleProgram:
    """Return the statements of a bound rule; constants are computed on the host."""
    # Values per neuron or edge stay in the step, and those of links change between steps.
    shared = {k for k, s in bound.symbols.items() if s.role == "parameter" and s.side == "one"}
    host = _Host(shared | {"dt"})

    def tidy(statement: BoundStatement) -> BoundStatement:
        tree = rewrite(statement.value, lambda n: Name(n.table) if isinstance(n, Lookup) else n)
        return replace(statement, value=host(tree))

    handlers = tuple((trigger, tuple(tidy(s) for s in body)) for trigger, body in bound.handlers)
    integrate: list[BoundStatement] = []
    propagators = []
    for equations in bound.equations:
        body, propagator = _integration_of_side(equations, host, where=f"rule {name!r}")
        integrate += body
        propagators += [] if propagator is None else [propagator]
    # Engines load every symbol for every edge: words and states that nobody reads are dropped.
    used: set[str] = set()
    for s in (*integrate, *(s for _, body in handlers for s in body)):
        used |= names(s.value) | {s.target}
    for tree in host.hosted.values():
        used |= names(tree)
    symbols = tuple(
        (key, s)
        for key, s in bound.symbols.items()
        if s.role in ("variable", "parameter", "link") or key in used
    )
    return RuleProgram(
        name,
        symbols,
        handlers,
        integrate=tuple(integrate),
        hosted=(*host.hosted.items(), *bound.coefficients),
        propagators=tuple(propagators),
    )


def _integration_of_side(
    equations: BoundEquations, host: _Host, *, where: str
) -> tuple[list[BoundStatement], Propagator | None]:
    """Return the statements that integrate the equations of one side, and their propagator."""
    variables = dict(equations.derivatives)
    body, propagator = statements(variables, dict(equations.methods), where=where)
    if propagator is not None:
        host.constants |= set(propagator.names)
    body = _fold_inputs([replace(s, value=host(s.value)) for s in body], host)
    return [
        BoundStatement(
            "assign" if s.target in variables else "compute", equations.side, s.target, s.value
        )
        for s in body
    ], propagator
