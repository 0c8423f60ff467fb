"""Every library cell, printed over tensors, makes the steps of the reference."""

from __future__ import annotations

import numpy as np
import pytest
from support.library_cells import CELLS

import neurosim as ns
from neurosim.backends.reference.engine import ReferenceEngine
from neurosim.draws import streams
from neurosim.ir.concretise import concretise
from neurosim.ir.discretise import discretise
from neurosim.ir.program import CellProgram

torch = pytest.importorskip("torch")

from neurosim.backends.gpu.tensors.cells import CellFunctions, cell_functions  # noqa: E402
from neurosim.backends.gpu.tensors.printing import words  # noqa: E402

SIZE = 40
STEPS = 120


def values_of(engine: ReferenceEngine, code: CellProgram, k: int) -> dict[str, torch.Tensor]:
    """Return everything that the printed functions may read, as the engine holds it."""
    values = {
        name: torch.from_numpy(array.copy())
        for (owner, name), array in engine.memory.arrays.items()
        if owner == "p"
    }
    for d in code.draws:
        draw = streams.uniform if d.kind == "uniform" else streams.normal
        key = streams.key_of(engine.program.seed, f"p/draw{d.key}")
        values[f"_draw{d.key}"] = torch.from_numpy(draw(key, np.arange(SIZE), k))
    if code.refractory:
        values["_active"] = k > values["_until"]
    one = torch.float64
    return values | {
        "t": torch.tensor(k * engine.program.dt, dtype=one),
        "dt": torch.tensor(engine.program.dt, dtype=one),
        "i": torch.arange(SIZE, dtype=one),
        "N": torch.tensor(float(SIZE), dtype=one),
    }


def prepare(cell: ns.Cell) -> tuple[ReferenceEngine, CellFunctions]:
    net = ns.Network("net", dt="0.5 ms", seed=11)
    net.population("p", SIZE, cell)
    concrete = concretise(net)
    program = discretise(concrete)
    engine = ReferenceEngine(program, concrete)
    return engine, cell_functions(program.populations["p"].code, words())


def step(functions: CellFunctions, values: dict[str, torch.Tensor]) -> np.ndarray:
    """Make phases 2, 3 and 5 of a step in ``values``; return the neurons that spike."""
    values.update(functions.integrate(values))
    spikes = torch.zeros(SIZE, dtype=torch.bool)
    if functions.detect is not None:
        spikes = functions.detect(values) & values.get("_active", torch.tensor(True))
    for name, new in functions.after(values).items():
        values[name] = torch.where(spikes, new, values[name])
    return np.flatnonzero(spikes.numpy())


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_printed_over_tensors_makes_every_step_of_the_reference(name):
    cell, strength = CELLS[name]
    engine, functions = prepare(cell)
    code = engine.program.populations["p"].code
    random = np.random.default_rng(4)
    count = 0
    for k in range(STEPS):
        for number, port in enumerate(code.ports):
            # The first port excites; others hold back, so that cells of two ports spike as well.
            most = strength if number == 0 else 0.1 * strength
            engine.memory["p", f"_port_{port}"][:] = most * random.uniform(0, 1, SIZE)
        values = values_of(engine, code, k)
        engine.advance(k, 1)
        spikes = step(functions, values)
        assert (spikes == engine.memory.spikes("p", k)).all()
        for state in code.states:
            assert (values[state].numpy() == engine.memory["p", state]).all(), (k, state)
        count += spikes.size
    assert count >= 1 or cell.spike is None


@pytest.mark.parametrize("name", CELLS)
def test_constants_printed_over_tensors_are_those_of_the_host(name):
    engine, functions = prepare(CELLS[name][0])
    code = engine.program.populations["p"].code
    values = values_of(engine, code, 0)
    hosted = {n: values.pop(n) for n, _ in code.hosted}
    for constant, value in functions.constants(values).items():
        assert (value == hosted[constant]).all(), constant


@pytest.mark.parametrize("name", CELLS)
def test_functions_read_the_names_that_they_announce_and_change_no_tensor(name):
    engine, functions = prepare(CELLS[name][0])
    code = engine.program.populations["p"].code
    values = values_of(engine, code, 3)
    before = {n: x.clone() for n, x in values.items()}
    read = {n: values[n] for n in functions.reads["integrate"]}
    values |= functions.integrate(read)
    if functions.detect is not None:
        functions.detect({n: values[n] for n in functions.reads["detect"]})
    functions.after({n: values[n] for n in functions.reads["after"]})
    assert all((read[n] == before[n]).all() for n in read)


def test_samples_in_front_of_the_neurons_are_computed_as_one_by_one():
    engine, functions = prepare(CELLS["izhikevich-delta"][0])
    values = values_of(engine, engine.program.populations["p"].code, 0)
    v = torch.linspace(-80, 40, 3 * SIZE, dtype=torch.float64).reshape(3, SIZE)
    together = functions.integrate(values | {"v": v})
    for sample in range(3):
        alone = functions.integrate(values | {"v": v[sample]})
        assert all((alone[n] == together[n][sample]).all() for n in ("v",))


def test_the_margin_of_a_spike_condition_has_its_sign_and_only_a_comparison_has_one():
    engine, functions = prepare(CELLS["lif"][0])
    values = values_of(engine, engine.program.populations["p"].code, 0)
    values["v"] = torch.tensor([-60.0, -50.0, -40.0], dtype=torch.float64)
    assert functions.margin is not None and functions.detect is not None
    assert ((functions.margin(values) >= 0) == functions.detect(values)).all()
    assert prepare(CELLS["odd"][0])[1].margin is None
    assert prepare(CELLS["leaky_readout"][0])[1].detect is None


def test_gradients_reach_parameters_and_states_through_the_printed_functions():
    cell = ns.Cell(
        "dv/dt = (bias - v) / tau : 1", parameters={"tau": "9 ms", "bias": 2.0}, method="euler"
    )
    engine, functions = prepare(cell)
    values = values_of(engine, engine.program.populations["p"].code, 0)
    bias = values["bias"] = values["bias"].requires_grad_()
    tau = values["tau"] = values["tau"].requires_grad_()
    values |= functions.constants(values)
    functions.integrate(values)["v"].sum().backward()
    assert bias.grad is not None and tau.grad is not None
    assert bias.grad.item() == pytest.approx(SIZE * 0.5 / 9)
    assert tau.grad.item() == pytest.approx(-SIZE * 2.0 * 0.5 / 81)


def test_the_source_holds_the_equations_under_the_names_of_the_user():
    source = prepare(CELLS["izhikevich-delta"][0])[1].source
    assert "def integrate(values):" in source and 'v = values["v"]' in source.replace("'", '"')
