"""Weights that edges share: stored once, equal to the same weights written out."""

from __future__ import annotations

import numpy as np
import pytest

import neurosim as ns

BACKENDS = ("reference", "cpu", "brian", "gpu")

CELL = ns.Cell(
    "dv/dt = -v / tau : nA",
    parameters={"tau": "7 ms"},
    receives={"v": ns.Port("nA", into="v")},
    spike="v > 3*nA",
    after_spike="v = 0*nA",
)
VALUES = np.array([0.1, 0.7, -0.2, 0.45, 1.3])


def network(*, shared, many=False, **values):
    """Return random edges whose weights are shared or written out; ``many``: 75 000 values."""
    net = ns.Network("shared", dt="1 ms", seed=3)
    source = net.poisson("source", 40, rate=120)
    target = net.population("target", 70, CELL)
    generator = np.random.default_rng(5)
    ends = generator.integers(0, 40, 1200), generator.integers(0, 70, 1200)
    weights = np.tile(VALUES, 15_000) if many else VALUES
    index = generator.integers(0, weights.size, 1200)
    weight = ns.shared(weights, index=index) if shared else weights[index]
    net.project(source, target, ns.from_arrays(*ends), weight=weight, name="edges", **values)
    net.record(target, "v", "spikes")
    return net


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"delay": "3 ms"},
        {"delay": ns.uniform("0 ms", "6 ms"), "round_delays": True},
        {"same_step": True},
        {"many": True},
        {"many": True, "delay": ns.uniform("0 ms", "6 ms"), "round_delays": True},
    ],
    ids=["no delay", "one delay", "delays", "within the step", "many", "many, delays"],
)
def test_shared_weights_act_as_the_same_weights_written_out(backend, values):
    shared, own = (
        ns.simulate(network(shared=shared, **values), "40 ms", backend=backend)
        for shared in (True, False)
    )
    assert shared["target"].spikes.step.size > 20
    assert shared["target"] == own["target"]


def test_get_and_set_mean_the_values_and_edges_have_one_each(backend):
    run = ns.prepare(network(shared=True), backend=backend)
    assert run.memory["edges", "w"].shape == (5,)
    assert run.get("edges", "w").tolist() == VALUES.tolist()
    before = run.edges("edges").weights
    assert before.size == 1200 and set(before) == set(VALUES)
    run.set("edges", w=-2 * VALUES)
    assert run.get("edges", "w").tolist() == (-2 * VALUES).tolist()
    assert (run.get("edges", "w", per_edge=True) == -2 * before).all()
    run.set("edges", weight="300 pA")
    assert run.get("edges", "w").tolist() == [0.3] * 5
    with pytest.raises(
        ns.NetworkError, match=r"array of shape \(1200,\).*length 5 \(one per shared weight\)"
    ):
        run.set("edges", w=before)
    assert run.get("edges", "w").tolist() == [0.3] * 5


def test_values_that_are_set_act_from_then_on(backend):
    shared, own = (ns.prepare(network(shared=s), backend=backend) for s in (True, False))
    for run in (shared, own):
        run.run("10 ms")
    index = np.searchsorted(np.sort(VALUES), own.get("edges", "w"))
    new = np.array([0.9, 0.8, 0.7, -0.6, 0.5])
    shared.set("edges", w=new)
    # By the order of values: each edge keeps its place among them.
    own.set("edges", w=new[np.argsort(VALUES)][index])
    for run in (shared, own):
        run.run("20 ms")
    assert shared.result()["target"] == own.result()["target"]


def test_recordings_have_one_value_per_edge(backend):
    net = network(shared=True)
    net.record(net["edges"], "w", every="5 ms")
    net.record(net["edges"], "w", every="5 ms", edges=[7, 3], name="some")
    run = ns.prepare(net, backend=backend)
    run.run("5 ms")
    run.set("edges", w=VALUES[::-1])
    run.run("5 ms")
    trace = run.result()["edges"].trace("w").values
    weights = run.edges("edges").weights
    assert trace.shape == (2, 1200)
    assert (trace[1] == weights).all()
    assert (trace[0] == replacing(VALUES[::-1], VALUES)(weights)).all()
    assert (run.result()["edges"].trace("some").values == trace[:, [7, 3]]).all()


def replacing(keys, values):
    """Return the function that replaces numbers by others."""
    return np.vectorize(dict(zip(keys, values, strict=True)).__getitem__)


def test_states_and_snapshots_hold_the_values(backend, tmp_path):
    run = ns.prepare(network(shared=True), backend=backend)
    run.run("10 ms")
    run.set("edges", w=VALUES[::-1])
    run.save(tmp_path / "state.npz")
    snapshot = run.snapshot()
    run.run("10 ms")
    expected = run.result()["target"]
    run.set("edges", w=0)
    run.restore(snapshot, clock=True)
    run.run("10 ms")
    assert run.result()["target"] == expected
    other = ns.prepare(network(shared=True), backend=backend)
    other.load(tmp_path / "state.npz")
    other.run("10 ms")
    assert other.result()["target"] == expected


def test_another_index_is_another_network():
    """Recordings and states of the one are no states of the other."""
    net = network(shared=True)
    other = network(shared=True)
    other["edges"].weight.index[600] += 1
    hashes = {ns.prepare(n, backend="reference").result().header["hash"] for n in (net, other)}
    assert len(hashes) == 2


def test_a_rule_begins_with_shared_weights_and_changes_each_edge(backend):
    halving = ns.Rule(edge="w : nA", handlers=[("pre", "out += w; w *= 0.5")], name="halving")
    net = ns.Network("rule", dt="1 ms")
    source = net.spike_source("source", 2, steps=[[0], []])
    target = net.population("target", 2, CELL)
    net.project(
        source,
        target,
        ns.all_to_all(),
        rule=halving,
        weight=ns.shared(["0.4 nA", "800 pA"], index=[0, 1, 1, 0]),
        name="edges",
    )
    assert "Shared weights are written out: each edge changes its own." in str(
        ns.check(net, backend=backend)
    )
    run = ns.prepare(net, backend=backend)
    run.run("2 ms")
    assert run.get("edges", "w").tolist() == [0.2, 0.4, 0.8, 0.4]


def test_one_shared_value_is_one_weight(backend):
    net = ns.Network("one", dt="1 ms")
    source, target = net.spike_source("source", 2), net.population("target", 2, CELL)
    net.project(
        source, target, ns.all_to_all(), weight=ns.shared([0.5], index=[0] * 4), name="edges"
    )
    run = ns.prepare(net, backend=backend)
    assert run.get("edges", "w") == 0.5 and (run.edges("edges").weights == 0.5).all()
