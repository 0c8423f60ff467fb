"""Edges of a run through PyNN: what is known of them before and after it."""

import numpy as np
import pytest

pytest.importorskip("pyNN")
pytest.importorskip("nest")

import neurosim as ns  # noqa: E402
from neurosim.models import cells, plasticity  # noqa: E402

WEIGHTS = [0.01, 0.02, 0.03]


def prepared(*, every: str | None) -> ns.Run:
    net = ns.Network("edges", dt="0.1 ms")
    source = net.spike_source("source", 3, steps=[[5, 40]] * 3)
    target = net.population("target", 2, cells.lif())
    ends = ns.from_arrays([2, 0, 2], [1, 0, 0])
    net.project(source, target, ends, weight=WEIGHTS, delay="0.5 ms", name="still")
    rule = plasticity.stdp(relative=True, w_max="1 nA")
    edge = net.project(
        source, target, ends, weight=WEIGHTS, delay=[0.5, 0.5, 0.7], rule=rule, name="learns"
    )
    if every:
        net.record(edge, "w", every=every)
    return ns.prepare(net, backend="nest")


def test_edges_are_known_before_the_run_and_recorded_weights_after_it():
    run = prepared(every="5 ms")
    for name, delays in (("still", [0.5] * 3), ("learns", [0.5, 0.7, 0.5])):
        edges = run.edges(name)
        assert (edges.sources.tolist(), edges.targets.tolist()) == ([0, 2, 2], [0, 0, 1])
        assert edges.delays.tolist() == delays
        assert edges.weights.tolist() == pytest.approx([0.02, 0.03, 0.01], abs=1e-15)
    run.run("10 ms", progress=False)
    recorded = run.result()["learns"].trace("w").values[-1]
    np.testing.assert_array_equal(run.edges("learns").weights, recorded)
    assert len(run.edges("still").weights) == 3


def test_weights_that_nobody_recorded_are_unknown_after_the_run():
    run = prepared(every=None)
    run.run("10 ms", progress=False)
    assert run.edges("learns").delays.size == 3
    with pytest.raises(
        ns.NetworkError, match="edges of 'learns'.*no edge variable 'w'.*record 'w' of all"
    ):
        _ = run.edges("learns").weights
    with pytest.raises(ns.NetworkError, match="has no projection 'other'"):
        run.edges("other")
