"""How many partitions a network is cut into, and where they begin.

As many as the work of a step pays for; one if a result would depend on several partitions.
"""

from __future__ import annotations

import numpy as np

from neurosim.compiled.cores import cores
from neurosim.expr.tree import Binary, Call, Draw, Expr, Unary, walk
from neurosim.ir.program import PopulationProgram, Program, StaticProjection

# Nanoseconds on one thread, in round numbers (`python -m benchmarks.cost`): they only decide which
# networks are worth a try on two threads.
OPERATION = 0.05
FUNCTION = 1.0
DRAW = 0.4
DRIVEN = 0.6
STATIC = 1.5  # an edge whose source spikes
PLASTIC = 6.0  # the same of a plastic edge, whose target spikes, too
RATE = 5.0  # Hz, unknown before a run
SUB_STEPS = 4  # of a neuron in a step, by the adaptive method
WORTH = 4500.0  # a step that takes as long: a barrier takes two threads 200 to 300
CHEAP = {"where", "clip", "min", "max", "abs", "floor", "sqrt"}
ALIGNED = 64  # neurons: 8 cache lines of states, one line of bytes that mark spikes


def default_partitions(program: Program) -> int:
    """Return 1 for small networks, otherwise the number of available cores, at most 2.

    If one thread executes both, two partitions cost 10 to 20 % more than one, since the edges of
    each source are cut in two.
    """
    return min(2, cores()) if step_cost(program) >= WORTH else 1


def first_neurons(size: int, partitions: int) -> np.ndarray:
    """Return the first neurons of equal ranges and the size, (P + 1,) int64.

    Ranges begin at multiples of 64, so that no two threads write to one cache line.
    """
    begins = [round(size * i / partitions / ALIGNED) * ALIGNED for i in range(partitions)]
    return np.array([*(min(begin, size) for begin in begins), size], np.int64)


def step_cost(program: Program) -> float:
    """Return the estimated time of a step on one thread, in nanoseconds."""
    spikes = RATE * program.dt / 1000
    edges = sum(
        p.targets.size * (STATIC if isinstance(p, StaticProjection) else PLASTIC)
        for p in program.projections.values()
    )
    drives = sum(d.indices.size for d in program.drives.values())
    return sum(map(_update_cost, program.populations.values())) + DRIVEN * drives + edges * spikes


def _update_cost(p: PopulationProgram) -> float:
    if p.is_spike_source:
        return 0.0
    trees = [s.value for s in p.code.integrate]
    if p.code.detect is not None:
        trees.append(p.code.detect)
    if p.code.sub_steps is not None:
        trees += SUB_STEPS * p.code.sub_steps.trees
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


def most_partitions(program: Program, wanted: int) -> int:
    """Return ``wanted``, or 1 if a result would depend on several partitions within a step.

    That holds for sums into pre variables, links to variables of projections, drives whose targets
    do not ascend, and states of cells that rules change and other partitions read.
    """
    if _changes_what_others_read(program):
        return 1
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


def _changes_what_others_read(program: Program) -> bool:
    """Return whether rules change states of sources, or states that other partitions read."""
    changed = {
        (p.target if s.side == "post" else "", p.symbols[s.target].origin)
        for p in program.plastic.values()
        for _, statements in p.code.handlers
        for s in statements
        if s.action in ("add_to_cell", "assign_cell")
    }
    if not changed:
        return False
    read = {
        (p.source, symbol.origin)
        for p in program.plastic.values()
        for symbol in p.symbols.values()
        if symbol.role == "cell" and symbol.side == "pre"
    }
    read |= {(link.owner, link.name) for p in program.plastic.values() for link in p.links.values()}
    return any(not owner or (owner, state) in read for owner, state in changed)
