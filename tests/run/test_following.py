"""What follows from a set: parameters written as text over others, tables of some neurons, draws
per neuron, given spikes in time.
"""

from __future__ import annotations

import numpy as np
import pytest
from support.messages import parts
from support.open_runs import STEPPED, prepared, same, states

import neurosim as ns
from neurosim import Cell, Network, NetworkError, Parameter, Port, Refractory, Rule

SPIKING = Cell(
    "dv/dt = (rest - v + drive) / tau : mV",
    parameters={
        "rest": "-70 mV",
        "drive": "30 mV",
        "tau": "10 ms",
        "pause": "tau / 10",
        "reset": "rest - step",
        "threshold": "reset + 20 * mV",
        "step": "0 mV",
    },
    receives={"x": Port("mV", into="v")},
    spike="v > threshold",
    after_spike="v = reset",
    refractory=Refractory("pause", "v"),
    name="spiking",
)
FADING = Rule(
    pre="dx/dt = -x / tau : 1",
    edge="w : mV",
    handlers=[("pre", "out += min(w * (1 + x), most); x += gain")],
    name="fading",
    parameters={
        "base": "4 ms",
        "tau": "base * 2",
        "most": "unit_w * 3",
        "unit_w": "1 mV",
        "half": 0.5,
        "gain": Parameter("1", "half * 2", per="source"),
    },
)


def spiking(plastic=None, **values) -> Network:
    """Return a network whose cells and rule have parameters of text over text."""
    net = Network("net", dt="0.5 ms", seed=4)
    cells = net.population("cells", 6, SPIKING, v=np.linspace(-69, -61, 6), **values)
    rule = net.project(
        cells,
        cells,
        ns.all_to_all(autapses=False),
        weight="0.7 mV",
        delay="1 ms",
        rule=FADING,
        name="plastic",
        **(plastic or {}),
    )
    net.record(cells, "spikes", "v")
    net.record(rule, "x", every="2 ms")
    return net


def parameters(run: ns.Run) -> dict:
    cells = {
        ("cells", name): run.get("cells", name)
        for name in ("rest", "tau", "pause", "reset", "threshold", "step")
    }
    return cells | {
        ("plastic", name): run.get("plastic", name)
        for name in ("base", "tau", "most", "gain", "half")
    }


CHANGES = [
    ({"rest": -65.5}, {}),
    ({"tau": 5.0}, {}),
    ({"step": 1.3, "rest": -60.2}, {}),
    ({}, {"base": 1.7}),
    ({}, {"half": 0.3, "unit_w": 0.123}),
    ({"rest": [-70.0, -65.0, -71.0, -66.0, -60.0, -70.5]}, {}),
]


@pytest.mark.parametrize(("values", "plastic"), CHANGES)
def test_what_is_written_over_a_value_set_at_the_start_acts_as_if_prepared_with_it(
    backend, values, plastic
):
    """Through one and two texts, of cells and rules, to the last bit; refractory times and decays
    included.
    """
    late, early = prepared(backend, 0, spiking()), prepared(backend, 80, spiking(plastic, **values))
    for owner, changed in (("cells", values), ("plastic", plastic)):
        if changed:
            late.set(owner, **changed)
    assert all(
        np.array_equal(value, parameters(early)[key]) for key, value in parameters(late).items()
    )
    late.run(40, progress=False)
    one, other = late.result(), early.result()
    assert one["cells"].spikes == other["cells"].spikes and len(one["cells"].spikes) > 5
    assert (one["cells"].trace("v").values == other["cells"].trace("v").values).all()
    assert (one["plastic"].trace("x").values == other["plastic"].trace("x").values).all()


def test_a_set_in_the_midst_of_a_run_is_followed_alike_on_every_backend(backend):
    def course(name: str) -> ns.Recording:
        run = prepared(name, 21, spiking())
        run.set("cells", rest="-66 mV", tau="8.5 ms", pause="1 ms")
        run.set("plastic", base="1.5 ms", half=0.3)
        run.run(30, progress=False)
        return run.result()

    assert course(backend)["cells"] == course("reference")["cells"]
    assert course(backend)["plastic"] == course("reference")["plastic"]


def test_variables_decay_until_a_set_with_the_time_constant_before_it(backend):
    run = prepared(backend, 0, spiking())
    run.set("plastic", x=1.0)
    run.set("cells", drive=0.0)
    run.run(4, progress=False)
    run.set("plastic", base="1 ms")
    run.run(3, progress=False)
    assert run.get("plastic", "x") == pytest.approx([np.exp(-4 / 8 - 3 / 2)] * 6, rel=1e-12)


BOTH_SIDES = Rule(
    pre="dx/dt = -x / tau_x : 1",
    post="dy/dt = -y / tau_y : 1",
    edge="w : mV; dz/dt = -z / tau_z : 1",
    handlers=[("pre", "out += w; x += 1"), ("post", "y += 1")],
    parameters={
        "tau_x": Parameter("ms", "8 ms", per="source"),
        "tau_y": Parameter("ms", "8 ms", per="target"),
        "tau_z": Parameter("ms", "8 ms", per="edge"),
    },
    name="both_sides",
)


@pytest.mark.parametrize("own", [False, True], ids=["one time constant", "one per value"])
@pytest.mark.parametrize("variable", ["x", "y", "z"])
def test_a_recorded_trace_decays_with_the_time_constant_that_was_set(backend, variable, own):
    """From 1, four steps of 0.5 ms with the first time constants and four with the second; three
    edges, from three sources to three targets, of any side.
    """
    first, second = (8.0, 2.0) if not own else (np.array([8.0, 4, 2]), np.array([2.0, 8, 4]))
    net = Network("net", dt="0.5 ms")
    quiet = net.population("quiet", 3, SPIKING, drive=0.0, v="-70 mV")
    p = net.project(
        quiet,
        quiet,
        ns.one_to_one(),
        weight="0 mV",
        rule=BOTH_SIDES,
        name="plastic",
        **{variable: 1.0, f"tau_{variable}": first},
    )
    net.record(p, variable)
    run = prepared(backend, 4, net)
    run.set(p, **{f"tau_{variable}": second})
    run.run(2, progress=False)
    elapsed = 0.5 * np.arange(1, 9)[:, None]
    exponents = np.minimum(elapsed, 2) / first + np.maximum(elapsed - 2, 0) / second
    values = run.result()["plastic"].trace(variable).values
    assert values == pytest.approx(np.broadcast_to(np.exp(-exponents), (8, 3)), rel=1e-12)


def test_a_parameter_that_was_set_itself_follows_no_longer(backend):
    run = prepared(backend, 0, spiking())
    run.set("cells", rest=-60.0, reset=-72.0)
    assert (run.get("cells", "reset"), run.get("cells", "threshold")) == (-72.0, -52.0)
    run.set("cells", rest=-50.0, step=3.0)
    assert (run.get("cells", "reset"), run.get("cells", "threshold")) == (-72.0, -52.0)
    run.set("cells", reset=-73.0)
    assert run.get("cells", "threshold") == -53.0
    run.set("plastic", tau=3.0)
    run.set("plastic", base=100.0)
    assert run.get("plastic", "tau") == 3.0


def test_what_a_network_gives_a_number_never_follows(backend):
    run = prepared(backend, 0, spiking({"tau": 3.0}, reset=-72.0))
    run.set("cells", rest=-50.0)
    run.set("plastic", base=100.0)
    assert (
        run.get("cells", "reset"),
        run.get("cells", "threshold"),
        run.get("plastic", "tau"),
    ) == (-72.0, -52.0, 3.0)


def test_on_a_view_only_its_neurons_follow_or_cease_to(backend):
    run = prepared(backend, 0, spiking())
    cells = run.owners["cells"]
    run.set(cells[[4, 1]], rest=[-64.0, -61.0])
    assert run.get("cells", "reset").tolist() == [-70, -61, -70, -70, -64, -70]
    assert run.get("cells", "threshold").tolist() == [-50, -41, -50, -50, -44, -50]
    run.set(cells[:2], reset=-80.0)
    run.set("cells", rest=-55.0)
    assert run.get("cells", "reset").tolist() == [-80, -80, -55, -55, -55, -55]
    assert run.get("cells", "threshold").tolist() == [-60, -60, -35, -35, -35, -35]
    run.run(5, progress=False)


def test_snapshots_and_files_know_what_follows(backend, tmp_path):
    run = prepared(backend, 0, spiking())
    following = run.snapshot()
    run.set(run.owners["cells"][:3], reset=-72.0)
    run.save(tmp_path / "state.npz")
    loaded = prepared(backend, 0, spiking())
    loaded.load(tmp_path / "state.npz")
    loaded.set("cells", rest=-60.0)
    assert loaded.get("cells", "reset").tolist() == [-72, -72, -72, -60, -60, -60]
    run.restore(following)
    run.set("cells", rest=-60.0)
    assert np.unique(run.get("cells", "reset")).tolist() == [-60.0]


def test_what_is_read_of_draws_initial_values_and_places_is_not_drawn_again(backend):
    cell = Cell("v : 1", parameters={"a": 1.0, "b": 2.0, "c": 3.0}, step="v += a", name="named")
    net = Network("net", dt=1, seed=3)
    cells = net.population(
        "cells",
        5,
        cell,
        a=ns.uniform(0, 1),
        b="a * c + rho + i / N + x / um + v",
        c=2.0,
        rho=ns.normal(0, 1),
        v=ns.uniform(0, 9),
        positions=np.arange(15.0).reshape(5, 3),
    )
    run = prepared(backend, 0, net)
    a = run.get(cells, "a")
    b = run.get(cells, "b")
    rest = run.get(cells, "b") - run.get(cells, "a") * 2
    assert len(set(rest - run.get(cells, "v"))) == 5
    run.run(4, progress=False)
    run.set(cells, c=10.0)
    assert run.get(cells, "a").tolist() == a.tolist()
    assert run.get(cells, "b") == pytest.approx(a * 10 + rest, rel=1e-12)
    run.set(cells, c=2.0)
    assert run.get(cells, "b") == pytest.approx(b, rel=1e-15)
    run.set(cells[:2], a=ns.uniform(5, 6))
    assert run.get(cells, "b") == pytest.approx(run.get(cells, "a") * 2 + rest, rel=1e-12)
    assert (run.get(cells, "b")[2:] == b[2:]).all()


@pytest.mark.parametrize(
    ("owner", "values", "message"),
    [
        (
            "cells",
            {"v": 1, "tau": "7 ms"},
            (
                "set 'cells', tau: pause, which follows it: refractory time 0.7 ms is not",
                "Use 0.5 ms or 1 ms",
            ),
        ),
        (
            "cells",
            {"v": 1, "tau": -10},
            (
                "set 'cells', tau: found -10 ms, expected more than 0 ms.",
                "The equations divide by it: give a positive time.",
            ),
        ),
        (
            "cells",
            {"v": 1, "rest": -1e308, "step": 1e308},
            (
                "set 'cells', rest, step: reset, which follows it, is 'rest - step'",
                "not finite",
                "expected finite numbers.",
                "Set 'reset' as well, to a value of its own,",
            ),
        ),
        (
            "plastic",
            {"w": 1, "base": -1},
            (
                "set 'plastic', base: tau, which follows it: found -2 ms, expected more than 0 ms.",
                "Give a positive time.",
            ),
        ),
    ],
)
def test_a_value_that_what_follows_cannot_follow_is_refused_and_changes_nothing(
    backend, owner, values, message
):
    run = prepared(backend, 3, spiking())
    before = states(run)
    with pytest.raises(NetworkError, match=parts(*message)):
        run.set(owner, **values)
    assert same(states(run), before)


def test_a_table_goes_on_for_the_neurons_that_a_set_leaves_out(backend):
    net = Network("net", dt=1)
    cells = net.population("cells", 3, STEPPED, current=ns.table([1.0, 10.0, 100.0], every="2 ms"))
    run = prepared(backend, 1, net)
    run.set(cells[[2, 0]], current=[0.5, 0.25])
    assert run.get(cells, "current").tolist() == [0.25, 1.0, 0.5]
    run.run(5, progress=False)
    assert run.get(cells, "v").tolist() == [1 + 5 * 0.25, 1 + 1 + 10 + 10 + 100 + 100, 1 + 5 * 0.5]
    run.set(cells[:1], current=7.0)
    assert run.get(cells, "current").tolist() == [7.0, 100.0, 0.5]


def test_draws_in_a_run_differ_between_views_and_belong_to_the_neurons(backend):
    def drawn(*views) -> list:
        net = Network("net", dt=1, seed=8)
        cells = net.population("cells", 6, STEPPED)
        run = prepared(backend, 2, net)
        for view in views:
            run.set(cells[view], current=ns.uniform(0, 1))
        return run.get(cells, "current").tolist()

    halves = drawn(slice(0, 3), slice(3, 6))
    assert len(set(halves)) == 6 and halves == drawn(slice(0, 6)) == drawn([5, 3, 4], [2, 0, 1])


@pytest.mark.parametrize(
    ("spikes", "message"),
    [
        (
            {"times": [[12.0], [4.0, 9.0]]},
            (
                "set 'source': found a spike of neuron 1 at 4 ms (step 3), but the run is at 10 "
                "ms;",
                "expected 11 ms (step 10) or later: times are model time, from the start of the "
                "run.",
                "Leave out what is past",
            ),
        ),
        (
            {"steps": [[9], []]},
            ("found a spike of neuron 0 at 10 ms (step 9)", "add run.time to times from now."),
        ),
    ],
)
def test_given_spikes_in_the_past_are_refused_and_change_nothing(backend, spikes, message):
    net = Network("net", dt=1)
    source = net.spike_source("source", 2, steps=[[3, 12], [30]])
    net.record(source, "spikes")
    run = prepared(backend, 10, net)
    before = states(run)
    with pytest.raises(NetworkError, match=parts(*message)):
        run.set(source, **spikes)
    assert same(states(run), before)
    run.set(source, times=[[11.0], []])
    run.run(9, progress=False)
    assert run.result()["source"].spikes.times().tolist() == [4.0, 11.0]
