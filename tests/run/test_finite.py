"""Values that are not finite end a run, where they appear or as soon as variables of rules are
looked at; and how often they are.
"""

from __future__ import annotations

import numpy as np
import pytest
from support.messages import parts
from support.open_runs import STEPPED, prepared

import neurosim as ns
from neurosim import Cell, Network, Rule, SimulationError
from neurosim.models.cells import hodgkin_huxley
from neurosim.run import finite as watch

GROWING = Rule(edge="w : 1; z : 1", handlers=[("pre", "z = (z + 1) * 1e200")], name="growing")


def learning(backend: str) -> ns.Run:
    """Return a run in which the second edge of one source becomes infinite in step 7, which ends at
    8 ms.
    """
    net = Network("net", dt="1 ms")
    source = net.spike_source("source", 2, steps=[[1], [6, 7]])
    cells = net.population("cells", 2, STEPPED)
    net.project(source, cells, ns.all_to_all(), weight=0.0, rule=GROWING, name="p")
    net.record(cells, "v")
    return ns.prepare(net, backend=backend)


def test_a_run_that_is_too_short_to_be_looked_at_is_seen_before_anything_is_handed_out(
    backend, tmp_path, monkeypatch
):
    monkeypatch.setattr(watch, "_COST", 1e6)
    for look in (ns.Run.result, ns.Run.snapshot, lambda run: run.save(tmp_path / "state.npz")):
        run = learning(backend)
        for time in ("5 ms", "4 ms", "1 ms"):
            run.run(time, progress=False)
        with pytest.raises(
            SimulationError,
            match=parts(
                "projection 'p', edge 2: z is inf at 10 ms (all were finite at 5 ms)",
                "expected a finite value.",
            ),
        ) as caught:
            look(run)
        assert caught.value.time == 10.0 and caught.value.recording.header["steps"] == 10
        assert run.result().header["finished"] is False and np.isinf(run.get("p", "z")).sum() == 2


def test_the_first_run_is_looked_at_however_short_it_is(backend, monkeypatch):
    monkeypatch.setattr(watch, "_COST", 1e6)
    with pytest.raises(SimulationError, match=parts("z is inf at 9 ms (all were finite at 0 ms)")):
        learning(backend).run("9 ms", progress=False)


def test_runs_are_looked_at_as_often_as_their_time_of_computing_pays_for():
    run = learning("reference")
    watched = watch.Watch(run.program, run.memory)
    cost = 1e-10 * 8 * (4 + 4)  # two variables of four edges
    assert watched.earn(0.0, more=False) and not watched.earn(0.0, more=True)
    assert watched.find(3) is None and not watched.earn(0.9 * cost / 0.05, more=False)
    assert watched.earn(0.2 * cost / 0.05, more=False) and not watched.earn(0.0, more=True)
    assert watched.earn(cost / 0.05, more=True)


def test_a_restored_run_is_looked_at_again(backend, monkeypatch):
    monkeypatch.setattr(watch, "_COST", 0.0)
    run = learning(backend)
    run.run("5 ms", progress=False)
    kept = run.snapshot()
    for _ in range(2):
        with pytest.raises(
            SimulationError, match=parts("z is inf at 9 ms (all were finite at 5 ms)")
        ):
            run.run("4 ms", progress=False)
        run.restore(kept, clock=True)


def growing(backend: str, **values) -> ns.Run:
    net = Network("net", dt="0.5 ms")
    cells = net.population(
        "cells",
        4,
        Cell(
            "v : 1; u : 1",
            parameters={"factor": 1.0},
            step="u = u + 1; v = v * factor",
            name="growing",
        ),
        v=1.0,
        factor=[1.0, 1.0, 1e100, 1.0],
        **values,
    )
    net.record(cells, "v")
    return ns.prepare(net, backend=backend)


def test_a_value_that_is_not_finite_ends_the_run_where_it_appears_and_what_was_recorded_is_kept(
    backend,
):
    """1e100 to the fourth power overflows in the fourth step, step 3, which ends at 2 ms; three
    steps are whole.
    """
    run = growing(backend)
    with pytest.raises(
        SimulationError,
        match=parts(
            "population 'cells', neuron 2: v is inf at 2 ms",
            "expected a finite value.",
            "The run has ended",
            "Try a smaller dt, another method, or bounded inputs.",
        ),
    ) as caught:
        run.run("50 ms", progress=False)
    error = caught.value
    assert (error.population, error.index, error.variable, error.time) == ("cells", 2, "v", 2.0)
    values = error.recording["cells"].trace("v").values
    assert (
        values.shape == (3, 4)
        and values[:, 2].tolist() == [1e100, 1e200, 1e300]
        and (values[:, 0] == 1.0).all()
    )
    assert error.recording.header["finished"] is False and error.recording.header["steps"] == 3


def spikes_of_hodgkin_huxley(backend: str, method: str, dt: str) -> int:
    net = Network("net", dt=dt)
    net.record(
        net.population("cells", 1, hodgkin_huxley(method=method, current="0.9 nA")), "spikes"
    )
    return len(ns.simulate(net, "6 ms", backend=backend, progress=False)["cells"].spikes)


def test_a_step_too_long_for_a_method_is_named_as_such_and_the_remedies_help(backend):
    """In a spike v of this cell approaches its rest at up to 53 per ms; rk4 is stable up to 2.785 /
    53 ms, Heun up to 2 / 53 ms.
    """
    for method in ("rk4", "heun"):
        with pytest.raises(
            SimulationError,
            match=parts(
                "population 'cells', neuron 0: ",
                " at ",
                " ms, expected a finite value. The run has ended",
                f"Method '{method}' is unstable where dt (0.1 ms) is long against the fastest "
                "change: try a "
                "smaller dt, method='exponential_euler' (it takes equations that are linear in "
                "their own state)"
                ", or bounded inputs.",
            ),
        ):
            spikes_of_hodgkin_huxley(backend, method, "0.1 ms")
    for method, dt in (("rk4", "0.05 ms"), ("heun", "0.025 ms"), ("exponential_euler", "0.1 ms")):
        assert spikes_of_hodgkin_huxley(backend, method, dt) == 1


def test_nan_is_found_too_and_is_no_spike(backend):
    net = Network("net", dt="1 ms")
    cells = net.population(
        "cells",
        2,
        Cell(
            "v : 1",
            parameters={"a": 1.0},
            step="v = a / (a - t / ms) * (a - t / ms) / (a - t / ms)",
            spike="v > 100",
            name="dividing",
        ),
        a=[2.0, 9.0],
    )
    net.record(cells, "spikes")
    with pytest.raises(
        SimulationError, match=parts("population 'cells', neuron 0: v is nan at 3 ms")
    ) as caught:
        prepared(backend, 20, net)
    assert len(caught.value.recording["cells"].spikes) == 0


def test_a_variable_of_a_rule_that_is_not_finite_is_named_with_its_edge(backend):
    net = Network("net", dt="1 ms")
    source = net.spike_source("source", 2, steps=[[1], [1, 2, 3, 4]])
    cells = net.population("cells", 2, STEPPED)
    rule = Rule(edge="w : 1; z : 1", handlers=[("pre", "z = (z + 1) * 1e200")], name="growing")
    net.project(source, cells, ns.all_to_all(), weight=0.0, rule=rule, name="p")
    with pytest.raises(
        SimulationError,
        match=parts("projection 'p', edge 2: z is inf at", "expected a finite value."),
    ) as caught:
        prepared(backend, 20, net)
    assert (caught.value.population, caught.value.index, caught.value.variable) == ("p", 2, "z")
    assert caught.value.recording.header["finished"] is False


def test_simulate_passes_the_error_on_with_the_recording(backend):
    net = Network("net", dt="1 ms")
    net.record(
        net.population(
            "cells", 1, Cell("v : 1", step="v = v * 1e200", initial={"v": 1.0}, name="bursting")
        ),
        "v",
    )
    with pytest.raises(SimulationError) as caught:
        ns.simulate(net, "1 s", backend=backend, progress=False)
    assert caught.value.recording["cells"].trace("v").values.ravel().tolist() == [1e200]
