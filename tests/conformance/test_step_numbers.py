"""The number of a step and phases of time are right in every step, on every engine."""

from __future__ import annotations

import numpy as np
import pytest

import neurosim as ns
from neurosim import Cell, Network, Rule

STEPS = 4000
BACKENDS = ("reference", "cpu", "brian")
CELL = Cell(
    "k : 1; floored : 1; phase : ms; early : 1; late : 1; own : 1; course : 1; period : 1",
    parameters={"p": "1 ms", "other": "0.25 ms", "input": 0.0},
    step="""
        k = step
        floored = floor(t / dt)
        phase = t % p
        early = t % p < 0.3*ms
        late = t % (1.5*ms) >= 0.7*ms
        own = step % 7 == 3
        course = input
        period = t // p""",
    name="counting",
)


def counted(backend: str, dt: float, *, steps: int, **options) -> tuple[np.ndarray, ...]:
    net = Network("net", dt=dt)
    cells = net.population("cells", 1, CELL, input="where(step % 20 < 5, 1, 0)")
    states = [state.name for state in CELL.states]
    net.record(cells, *states)
    run = ns.prepare(net, backend=backend, **options)
    run.run(steps * dt, progress=False)
    traces = run.result()["cells"].traces
    return tuple(traces[state].values[:, 0] for state in states)


@pytest.mark.parametrize("dt", [0.1, 0.05, 0.025, 0.5])
def test_steps_and_phases_are_right_in_every_step(backend, dt):
    """Long on the compiled engine alone; a step of the others takes a thousand times as long."""
    compiled = ({}, {"threads": 2}, {"precision": "float32"})
    steps = STEPS if backend == "cpu" else STEPS // 10
    for options in compiled if backend == "cpu" else ({},):
        require_steps_and_phases(
            counted(backend, dt, steps=steps, **options),
            dt,
            unit=np.float32 if options.get("precision") else np.float64,
        )


def require_steps_and_phases(counts: tuple[np.ndarray, ...], dt: float, *, unit: type) -> None:
    number, floored, phase, early, late, own, course, period = counts
    k = np.arange(number.size)
    steps = {time: round(time / dt) for time in (1.0, 0.3, 1.5, 0.7)}
    assert np.array_equal(number, k) and np.array_equal(floored, k)
    # The nearest number to the decimal one: 0.3, where 3 * 0.1 is 0.30000000000000004.
    assert np.array_equal(phase, (k % steps[1.0] / unit(round(1 / dt))).astype(unit))
    if dt != 0.5:
        assert np.array_equal(early, k % steps[1.0] < steps[0.3])
        assert np.array_equal(late, k % steps[1.5] >= steps[0.7])
    assert np.array_equal(own, k % 7 == 3) and np.array_equal(course, k % 20 < 5)
    assert np.array_equal(period, k // steps[1.0])


def test_phases_of_a_period_that_is_no_multiple_of_dt_are_computed_as_written(backend):
    net = Network("net", dt=0.1)
    cell = Cell("x : ms; n : 1", step="x = t % (0.25*ms); n = t // (0.25*ms)", name="odd")
    net.record(net.population("cells", 1, cell), "x", "n")
    run = ns.prepare(net, backend=backend)
    run.run(20, progress=False)
    t = 0.1 * np.arange(200)
    assert np.array_equal(run.result()["cells"].trace("x").values[:, 0], np.fmod(t, 0.25))
    assert np.array_equal(run.result()["cells"].trace("n").values[:, 0], np.floor_divide(t, 0.25))


def test_rules_know_the_step_and_may_have_a_step_of_their_own(backend):
    net = Network("net", dt=0.1)
    cells = net.population("cells", 2, Cell("v : 1", spike="v > 9", name="quiet"))
    counting = Rule(
        edge="w : 1; n : 1; due : 1",
        handlers=[("step", "n = step; due += t % (0.7*ms) < dt; w += 1")],
        name="counting",
    )
    stepping = Rule(
        edge="w : 1", parameters={"step": 0.5}, handlers=[("step", "w += step")], name="stepping"
    )
    for rule in (counting, stepping):
        net.project(cells, cells, ns.one_to_one(), rule=rule, weight=0.0, name=rule.name)
    run = ns.prepare(net, backend=backend)
    run.run(28, progress=False)
    assert run.get("counting", "n").tolist() == [279, 279]
    assert run.get("counting", "due").tolist() == [40, 40]
    assert run.get("stepping", "w").tolist() == [140, 140]


def test_a_cell_may_have_a_step_of_its_own(backend):
    net = Network("net", dt=1)
    cell = Cell("v : 1", parameters={"step": 3.0}, step="v += step", name="stepping")
    cells = net.population("cells", 1, cell)
    run = ns.prepare(net, backend=backend)
    run.run(4, progress=False)
    assert run.get(cells, "v").tolist() == [12]


def test_regular_statements_know_the_step_between_which_they_run(backend):
    net = Network("net", dt=0.1)
    cells = net.population("cells", 1, Cell("v : 1", step="v = v", name="holding"))
    net.every("0.7 ms", cells, "v = step")
    run = ns.prepare(net, backend=backend)
    run.run("7.3 ms", progress=False)
    assert run.get(cells, "v").tolist() == [70]
