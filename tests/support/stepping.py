"""Cells that count, and runs of a few steps, for the tests of the contract."""

from __future__ import annotations

import neurosim as ns
from neurosim import Cell, Network, Port
from neurosim.expr.functions import FUNCTIONS

COUNTER = Cell("v : 1", receives={"x": Port("1", into="v")}, name="counter")


def exp(x: float) -> float:
    """The language's own."""
    return float(FUNCTIONS["exp"](x))


def network(dt: float = 1.0) -> Network:
    return Network("contract", dt=dt)


def prepare(net: Network, backend: str, steps: int = 0) -> ns.Run:
    run = ns.prepare(net, backend=backend)
    run.run(steps * net.dt, progress=False)
    return run


def traces(run: ns.Run, owner: str, variable: str) -> list:
    """Return the values of a single member, one per step."""
    return [float(x) for x in run.result()[owner].trace(variable).values[:, 0]]
