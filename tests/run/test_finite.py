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
    snapshot = run.snapshot()
    for _ in range(2):
        with pytest.raises(
            SimulationError, match=parts("z is inf at 9 ms (all were finite at 5 ms)")
        ):
            run.run("4 ms", progress=False)
        run.restore(snapshot, clock=True)


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
    assert values.shape == (3, 4)
    assert values[:, 2].tolist() == [1e100, 1e200, 1e300]
    assert (values[:, 0] == 1.0).all()
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


# ---- the reset


def resetting(backend: str, steps: int, after: str, **options) -> ns.Run:
    """Return a run of 200 neurons, enough for several partitions, that spike in step 2."""
    net = Network("net", dt="1 ms")
    cell = Cell(
        "v : 1; u : 1",
        step="v = where(v < 1e30, v + 1, 0)",  # which would hide a wrong value in the next step
        spike="v == 3",
        after_spike=after,
        name="resetting",
    )
    first, second = net.population("first", 200, cell), net.population("second", 200, cell)
    net.record(first, "spikes", "v")
    net.record(second, "v")
    run = ns.prepare(net, backend=backend, **options)
    run.run(steps, progress=False)
    return run


@pytest.mark.parametrize("steps", [3, 4, 10])
@pytest.mark.parametrize("options", [{}, {"threads": 2}, {"precision": "float32"}])
def test_a_reset_that_is_not_finite_ends_the_run_in_its_own_step(backend, options, steps):
    """In the last step of a run, and in the middle."""
    options = options if backend == "cpu" else {}
    after = "u = where(i == 150, exp(1000 + u), 0); v = where(i == 190, log(u - 1), 0)"
    with pytest.raises(
        SimulationError,
        match=parts("population 'first', neuron 190: v is nan at 3 ms", "expected a finite value"),
    ) as caught:
        resetting(backend, steps, after, **options)
    result = caught.value.recording
    assert caught.value.time == 3.0 and result.header["steps"] == 2
    assert len(result["first"].spikes) == 0 and result["first"].trace("v").values.shape == (2, 200)


def test_a_reset_whose_values_are_finite_ends_nothing(backend):
    run = resetting(backend, 10, "u = log(u - 1); u = 0; v = 0")
    assert run.step == 10 and len(run.result()["first"].spikes) == 600


# ---- numbers beyond the precision


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"v": 1e39}, "'cells', v: found 1e+39, expected at most 3.4e+38"),
        ({"factor": [1, 1e40, 1]}, "'cells', factor: found 1e+40, expected at most 3.4e+38"),
        ({"factor": ns.table([1, 1e40], every=1)}, "'cells', factor: found 1e+40"),
        ({"a": 1e30, "b": 1e30}, "'cells', a constant of its equations: found 1e+60"),
    ],
)
def test_what_float32_would_make_infinite_is_refused_when_a_run_is_prepared_and_in_set(
    fast_backend, values, message
):
    cell = Cell(
        "v : 1",
        parameters={"factor": 1.0, "a": 1.0, "b": 1.0},
        step="v = v * factor(t) + v / (a * b)",
        name="scaled",
    )

    def network(**values) -> Network:
        net = Network("net", dt=1)
        factor = {"factor": ns.table([1.0, 2.0], every=1)} if "factor" in values else {}
        net.population("cells", 3, cell, **(factor | values))
        return net

    # A table can be set where there was a table.
    small = {"factor": ns.table([1.0, 2.0], every=1)}
    remedy = "Give a smaller one, or prepare the run with precision='float64'."
    with pytest.raises(ns.NetworkError, match=parts(message, "of precision 'float32'", remedy)):
        ns.prepare(network(**values), backend=fast_backend, precision="float32")
    assert prepared(fast_backend, 1, network(**values)).step == 1
    run = ns.prepare(
        network(**{name: small.get(name, 1.0) for name in values}),
        backend=fast_backend,
        precision="float32",
    )
    before = run.memory.portable()
    with pytest.raises(ns.NetworkError, match="found 1e"):
        run.set("cells", **values)
    after = run.memory.portable()
    assert all(np.array_equal(before[key], after[key]) for key in before)


def test_weights_that_float32_would_make_infinite_are_refused(fast_backend):
    for weight in (1e39, np.array([1.0, 1e39])):
        for rule in (None, GROWING):
            net = Network("net", dt="1 ms")
            source = net.spike_source("source", 2, steps=[[1], [2]])
            cell = Cell("v : 1", receives={"x": ns.Port("1", into="v")}, name="summing")
            cells = net.population("cells", 1, cell)
            net.project(source, cells, ns.all_to_all(), weight=weight, rule=rule, name="p")
            with pytest.raises(ns.NetworkError, match=parts("'p', w: found 1e+39, expected at")):
                ns.prepare(net, backend=fast_backend, precision="float32")


def test_a_number_in_equations_that_float32_would_make_infinite_is_refused(fast_backend):
    net = Network("net", dt="1 ms")
    net.population("cells", 1, Cell("v : 1", step="v = v / 1e39 + 1", name="dividing"))
    with pytest.raises(ns.NetworkError, match=parts("precision 'float32': found the number 1e+39")):
        ns.prepare(net, backend=fast_backend, precision="float32")


def test_what_a_signal_makes_infinite_is_found_although_the_step_was_checked_before(backend):
    net = Network("net", dt="1 ms")
    cells = net.population("cells", 2, STEPPED)
    rule = Rule(edge="w : 1; z : 1", handlers=[("burst", "z = exp(1000 + w)")], name="bursting")
    net.project(cells, cells, ns.all_to_all(), weight=0.0, rule=rule, name="p")
    run = prepared(backend, 3, net)
    run.result()
    run.emit("burst")
    with pytest.raises(SimulationError, match=parts("projection 'p', edge 0: z is inf at 3 ms")):
        run.result()
