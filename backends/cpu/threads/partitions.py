"""How many threads a network is prepared for: as many as the work of a step pays for, and one where a result would cross threads."""

from __future__ import annotations

import numpy as np

from neurosim.compiled.cores import cores
from neurosim.expr.tree import Binary, Call, Draw, Expr, Unary, walk
from neurosim.ir.program import PopulationProgram, Program, StaticProjection

# Nanoseconds on one thread, in round numbers (`python -m benchmarks.cost`): they only decide which networks are worth a try on two threads.
OPERATION, FUNCTION, DRAW, DRIVEN = 0.05, 1.0, 0.4, 2.0
STATIC, PLASTIC = 1.5, 6.0  # an edge whose source spikes; of a plastic one its target spikes, too
RATE = 5.0  # Hz, not known before a run
WORTH = 4500.0  # a step that takes as long: to meet takes two threads 200 to 300
CHEAP = {"where", "clip", "min", "max", "abs", "floor", "sqrt"}


def default_threads(program: Program) -> int:
    """Return one thread for small networks, else all available cores, at most two.

    Where they end up on one thread all the same, two parts cost 10 to 20 % more than one, for rows of edges are cut in two.
    """
    return min(2, cores()) if step_cost(program) >= WORTH else 1


def step_cost(program: Program) -> float:
    """Return about how many nanoseconds a step takes on one thread."""
    spikes = RATE * program.dt / 1000
    edges = sum(
        p.targets.size * (STATIC if isinstance(p, StaticProjection) else PLASTIC)
        for p in program.projections.values()
    )
    drives = sum(d.indices.size for d in program.drives.values())
    return sum(map(_update_cost, program.populations.values())) + DRIVEN * drives + edges * spikes


def _update_cost(p: PopulationProgram) -> float:
    if p.given:
        return 0.0
    trees = [s.value for s in p.code.integrate] + ([] if p.code.detect is None else [p.code.detect])
    return p.size * sum(_node_cost(node) for tree in trees for node in walk(tree))


def _node_cost(node: Expr) -> float:
    match node:
        case Call(function=function) if function not in CHEAP:
            return FUNCTION
        case Draw():
            return DRAW
        case Binary() | Unary() | Call():
            return OPERATION
    return 0.0


def most_threads(program: Program, wanted: int) -> int:
    """Return 1 where a result would cross threads within a step: sums into pre variables, links to variables of projections."""
    for p in program.plastic.values():
        sums = any(
            s.action == "sum" and s.side == "pre"
            for _, statements in p.code.handlers
            for s in statements
        )
        if sums or any(link.owner in program.projections for link in p.links.values()):
            return 1
    if any((np.diff(d.indices) < 0).any() for d in program.drives.values()):
        return 1
    return wanted
