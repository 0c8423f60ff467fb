"""Every library cell, printed as Triton, makes the steps of the reference bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from support.library_cells import CELLS

pytest.importorskip("triton")

import torch  # noqa: E402

import neurosim as ns  # noqa: E402
from neurosim.backends.gpu.triton.engine import TritonEngine  # noqa: E402
from neurosim.backends.reference.engine import ReferenceEngine  # noqa: E402
from neurosim.ir.concretise import concretise  # noqa: E402
from neurosim.ir.discretise import discretise  # noqa: E402

SIZE = 256
LEAST, MOST = 10, 60  # steps; until 50 spikes


def engines(cell: ns.Cell, **options) -> tuple[ReferenceEngine, TritonEngine]:
    net = ns.Network("net", dt="0.5 ms", seed=11)
    net.population("p", SIZE, cell)
    concrete = concretise(net)
    program = discretise(concrete)
    device = torch.device("cpu")
    triton = TritonEngine(program, concrete, device=device, **options)
    return ReferenceEngine(program, concrete), triton


def drive(memories: list, port: str, number: int, strength: float, k: int) -> None:
    """Write the same sums at a port into memories; the first port excites."""
    random = np.random.default_rng([k, number])
    sums = random.uniform(0, strength if number == 0 else 0.1 * strength, SIZE)
    for memory in memories:
        memory["p", f"_port_{port}"][:] = sums


# The interpreter takes seconds for the many functions of these.
SLOW = ("hodgkin_huxley", "noisy")
NAMES = [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in CELLS]


@pytest.mark.parametrize("name", NAMES)
def test_a_cell_printed_as_triton_makes_every_step_of_the_reference(name):
    cell, strength = CELLS[name]
    reference, triton = engines(cell)
    code = reference.program.populations["p"].code
    count = k = 0
    while k < LEAST or k < MOST and count < 50:
        for number, port in enumerate(code.ports):
            drive([reference.memory, triton.memory], port, number, 2 * strength, k)
        assert reference.advance(k, 1).finite
        assert triton.advance(k, 1).finite
        spikes = reference.memory.spikes("p", k)
        assert (triton.memory.spikes("p", k) == spikes).all()
        for state in code.states:
            assert (triton.memory["p", state] == reference.memory["p", state]).all(), (k, state)
        count += spikes.size
        k += 1
    assert count >= 50 or cell.spike is None


@pytest.mark.parametrize("name", ["lif_conductance", "izhikevich-exponential", "noisy"])
def test_a_cell_in_float32_is_near_that_in_float64(name):
    cell, strength = CELLS[name]
    double, single = engines(cell)[1], engines(cell, precision="float32")[1]
    for k in range(6):
        for number, port in enumerate(double.program.populations["p"].code.ports):
            drive([double.memory, single.memory], port, number, strength, k)
        double.advance(k, 1)
        single.advance(k, 1)
    for state in double.program.populations["p"].code.states:
        assert single.memory["p", state].dtype == np.float32
        assert single.memory["p", state] == pytest.approx(
            double.memory["p", state], rel=1e-3, abs=1e-3
        )
