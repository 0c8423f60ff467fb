"""Draws of `set` and `emit`: others in each replica and at each call, and reproducible."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from support.backends import ready

import neurosim as ns
from neurosim import Cell, Network, Port, Rule

CELL = Cell(
    "v : 1; u : 1",
    parameters={"bias": 0.0, "other": 0.0},
    receives={"x": Port("1", into="u")},
    step="v = 0.5 * v",
    spike="v > 9",
    name="halving",
)
SHAKEN = Rule(
    edge="w : 1",
    pre="x : 1",
    parameters={"gain": ns.Parameter("1", 0.0, per="edge"), "scale": 1.0},
    handlers=[
        ("pre", "out += w"),
        ("shake", "w = uniform(); x = normal()"),
        ("stir", "w = uniform()"),
    ],
    name="shaken",
)
# Brian 2 takes a second for each run, and is given what its own code draws: signals.
BACKENDS = ("reference", "cpu")
# What draws -> the call, and what it changes.
DRAWS = {
    "states": (lambda run: run.set("cells", v=ns.uniform(0, 1)), ("cells", "v")),
    "parameters": (lambda run: run.set("cells", bias=ns.normal(0, 1)), ("cells", "bias")),
    "weights": (lambda run: run.set("fixed", w=ns.uniform(0, 1)), ("fixed", "w")),
    "parameters of edges": (lambda run: run.set("rule", gain=ns.uniform(0, 1)), ("rule", "gain")),
    "a drive": (lambda run: run.set("drive", weight=ns.uniform(0, 1)), ("drive", "weight")),
    "text of weights": (lambda run: run.set("fixed", w="2 * uniform()"), ("fixed", "w")),
    "text of edges": (lambda run: run.set("rule", gain="normal() + uniform()"), ("rule", "gain")),
    "text of sources": (lambda run: run.set("rule", x="normal() * N_pre"), ("rule", "x")),
    "text of one value": (lambda run: run.set("rule", scale="uniform()"), ("rule", "scale")),
    "text of a drive": (
        lambda run: run.set("drive", weight="(1 + uniform())"),
        ("drive", "weight"),
    ),
    "a signal": (lambda run: run.emit("shake"), ("rule", "w")),
}


def prepared(backend: str, **options) -> ns.Run:
    net = Network("net", dt="1 ms", seed=3)
    cells = net.population("cells", 5, CELL)
    net.project(cells, cells, ns.all_to_all(), weight=1.0, name="fixed")
    net.project(cells, cells, ns.all_to_all(), rule=SHAKEN, weight=1.0, name="rule")
    net.poisson_drive(cells, rate=1, weight=1.0, port="x", name="drive")
    run = ns.prepare(net, backend=backend, **options)
    run.run("3 ms", progress=False)
    return run


def drawn(run: ns.Run, name: str, calls: int = 1) -> list[np.ndarray]:
    """Return the values after each of some calls at the same step."""
    call, owner_and_name = DRAWS[name]
    values = []
    for _ in range(calls):
        call(run)
        values.append(np.array(run.get(*owner_and_name)))
    return values


@pytest.mark.parametrize("name", DRAWS)
def test_each_call_and_each_replica_draws_other_numbers(backend, name):
    first, second, third = drawn(prepared(backend), name, calls=3)
    other = drawn(prepared(backend, replica=1), name, calls=2)
    for a, b in combinations((first, second, third, *other), 2):
        assert not np.isin(a, b).any()
    later = prepared(backend)
    later.run("1 ms", progress=False)
    assert not np.isin(drawn(later, name)[0], (first, second, third)).any()


@pytest.mark.parametrize(
    ("engine", "name"), [*(("cpu", name) for name in DRAWS), ("brian", "a signal")]
)
def test_the_same_calls_draw_the_same_numbers_in_every_run_and_on_every_backend(engine, name):
    expected = drawn(prepared("reference", replica=2), name, calls=3)
    values = drawn(prepared(ready(engine), replica=2), name, calls=3)
    assert np.array_equal(expected, values)


@pytest.mark.parametrize("name", DRAWS)
def test_draws_go_on_from_files_and_snapshots_as_if_the_run_had_never_stopped(
    backend, name, tmp_path
):
    run = prepared(backend)
    drawn(run, name, calls=2)
    run.save(tmp_path / "state.npz")
    snapshot = run.snapshot()
    expected = drawn(run, name, calls=2)
    loaded = prepared(backend)
    loaded.load(tmp_path / "state.npz")
    assert np.array_equal(drawn(loaded, name, calls=2), expected)
    run.restore(snapshot)  # the clock was not set back: draws are new ones
    assert not np.isin(drawn(run, name)[0], expected).any()
    run.restore(snapshot, clock=True)
    assert np.array_equal(drawn(run, name, calls=2), expected)
    run.run("2 ms", progress=False)
    run.restore(snapshot, clock=True)
    assert np.array_equal(drawn(run, name, calls=2), expected)


def test_draws_of_other_names_and_signals_do_not_shift_one_another(backend):
    plain, mixed = prepared(backend), prepared(backend)
    mixed.set("cells", u=ns.uniform(0, 1), bias=ns.uniform(0, 1))
    mixed.emit("stir")
    for name in ("states", "a signal"):
        assert np.array_equal(drawn(plain, name), drawn(mixed, name))


def test_a_draw_belongs_to_its_neuron_whichever_views_drew_before(backend):
    def values(*views) -> list:
        run = prepared(backend)
        cells = run.owners["cells"]
        assert isinstance(cells, ns.Population)
        for view in views:
            run.set(cells[view], v=ns.uniform(0, 1))
        return run.get("cells", "v").tolist()

    once = values(slice(None))
    assert once == values([0, 3], [4, 1, 2])
    twice = values(slice(None), slice(None))
    assert values([0, 3], slice(None))[0] == twice[0] != once[0]


def test_a_refused_call_changes_no_later_draw(backend):
    plain, refused = prepared(backend), prepared(backend)
    with pytest.raises(ns.NetworkError, match="there is no|has no"):
        refused.set("cells", v=ns.uniform(0, 1), nothing=1.0)
    assert np.array_equal(drawn(plain, "states"), drawn(refused, "states"))


def test_the_handler_of_a_signal_draws_as_before_in_the_steps_that_follow(backend):
    """The keys of its draws are changed for a repeated signal alone."""
    assert np.array_equal(
        drawn(prepared(backend), "a signal"), drawn(prepared(backend), "a signal", calls=1)
    )
    run = prepared(backend)
    drawn(run, "a signal", calls=3)
    run.run("1 ms", progress=False)
    fresh = prepared(backend)
    fresh.run("1 ms", progress=False)
    assert np.array_equal(drawn(run, "a signal"), drawn(fresh, "a signal"))


def test_a_neuron_that_drew_less_often_than_others_gets_new_numbers_all_the_same(backend):
    """The draw of all had the number of those that had drawn before."""
    run = prepared(backend)
    cells = run.owners["cells"]
    assert isinstance(cells, ns.Population)
    run.set(cells[:2], v=ns.uniform(0, 1))
    run.set(cells, v=ns.uniform(0, 1))
    together = run.get("cells", "v")
    run.set(cells[2:], v=ns.uniform(0, 1))
    alone = run.get("cells", "v")
    assert (alone[:2] == together[:2]).all() and (alone[2:] != together[2:]).all()
