"""The Triton engine, interpreted, runs programs as the reference does, with all verbs of a run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import support.random_networks as rn
from hypothesis import given, settings
from support.rule_networks import LISTENER
from support.stories import SAME, SEED, played

pytest.importorskip("triton")

from support.triton_backend import backend  # noqa: E402

import neurosim as ns  # noqa: E402
from neurosim.backends.gpu.triton.engine import TritonEngine  # noqa: E402

# The interpreter computes with NumPy, which warns where numbers are not finite.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:triton")
SUMMER = ns.Cell(
    "dv/dt = -v / tau : 1",
    parameters={"tau": "7 ms", "threshold": 1.0},
    receives={"x": ns.Port("1", into="v")},
    spike="v > threshold",
    after_spike="v = 0",
)

# Edges that learn, and halve at a signal.
SCALED = ns.Rule(
    edge="w : 1",
    pre="dx/dt = -x / tau : 1",
    parameters={"tau": "9 ms"},
    handlers=[("pre", "out += w; x += 1"), ("post", "w += 0.05 * x"), ("halve", "w = 0.5 * w")],
    name="scaled",
)


def agree(story: rn.Story) -> None:
    expected = rn.outcome(played(story, "reference"))
    run = rn.play(ns.prepare(story.net, backend=backend), story.actions)
    assert rn.differences(expected, rn.outcome(run)) == []


@SEED
@settings(SAME, max_examples=1)
@given(rn.stories())
def test_triton_and_reference_agree_to_the_last_bit(story):
    agree(story)


@pytest.mark.slow
@SEED
@settings(SAME, max_examples=40)
@given(rn.stories())
def test_triton_and_reference_agree_on_forty_networks(story):
    agree(story)


def driven() -> ns.Network:
    """A network with given spikes, a Poisson drive, a table and delays that differ."""
    net = ns.Network("driven", dt="1 ms", seed=5)
    source = net.spike_source("given", 3, steps=[[1, 4, 9], [2], [5, 6, 7]])
    bias = ns.table([0.3, 0.5, 0.4], every="4 ms")
    cells = net.population("cells", 8, SUMMER, threshold=bias)
    net.poisson_drive(cells, rate="300 Hz", weight=0.4, port="x")
    net.project(
        source,
        cells,
        ns.all_to_all(),
        weight=ns.uniform(0, 0.4),
        delay=ns.uniform("1 ms", "4 ms"),
        round_delays=True,
        port="x",
    )
    net.record(cells, "spikes", "v")
    net.record(cells, "v", at="spikes")
    return net


@pytest.mark.parametrize("delivery", ["pull", "push"])
def test_sources_and_recordings_are_those_of_the_reference(delivery):
    net = driven()
    runs = [ns.prepare(net), ns.prepare(net, backend=backend, delivery=delivery)]
    for run in runs:
        run.run("12 ms", progress=False)
    expected, result = (run.result()["cells"] for run in runs)
    assert (expected.spikes.step == result.spikes.step).all()
    assert (expected.spikes.index == result.spikes.index).all()
    assert expected.spikes.index.size >= 20
    exact = np.array_equal if delivery == "pull" else np.allclose
    assert exact(expected.trace("v").values, result.trace("v").values)


@pytest.mark.parametrize("delivery", ["pull", "push"])
def test_a_snapshot_goes_on_with_the_spikes_in_flight(delivery):
    """Those that are pushed stand in sums of fixed point, which no snapshot holds."""
    run = ns.prepare(driven(), backend=backend, delivery=delivery)
    run.run("6 ms", progress=False)
    snapshot = run.snapshot()
    run.run("5 ms", progress=False)
    once = run.get("cells", "v")
    run.restore(snapshot, clock=True)
    run.run("5 ms", progress=False)
    assert (run.get("cells", "v") == once).all()


def test_samples_side_by_side_equal_replicas_one_by_one():
    net = ns.Network("samples", dt="1 ms", seed=3)
    source = net.bernoulli("source", 12, p=0.4)
    cells = net.population("cells", 10, SUMMER, threshold=0.8)
    edges = net.project(
        source, cells, ns.fixed_probability(0.5), weight=0.4, rule=SCALED, port="x", name="edges"
    )
    net.project(cells, cells, ns.fixed_probability(0.3), weight=0.1, delay="2 ms", port="x")
    net.record(cells, "spikes")
    batch = ns.prepare(net, backend=backend, replica=7, batch=3)
    runs = [ns.prepare(net, replica=7 + sample) for sample in range(3)]
    batch.run("6 ms", progress=False)
    for run in runs:
        run.run("6 ms", progress=False)
    batch[1].emit("halve")
    runs[1].emit("halve")
    for run in (batch, *runs):
        run.run("6 ms", progress=False)
    for sample, run in zip(batch, runs, strict=True):
        assert sample.result()["cells"].spikes == run.result()["cells"].spikes
        assert (sample.get(edges, "w") == run.get(edges, "w")).all()
    weights = {run.get(edges, "w").tobytes() for run in runs}
    assert len(weights) == 3


def test_one_sample_has_a_rate_and_another_one_a_rate_for_each_target():
    batch = ns.prepare(driven(), backend=backend, batch=2)
    name = next(iter(batch[0].program.drives))
    rates = np.linspace(100, 900, 8)
    batch[1].set(name, rate=rates)
    batch.run("6 ms", progress=False)
    run = ns.prepare(driven(), replica=1)
    run.set(name, rate=rates)
    run.run("6 ms", progress=False)
    assert (batch[1].get("cells", "v") == run.get("cells", "v")).all()


def test_more_samples_than_a_launch_has_are_refused_before_anything_is_built():
    cuda: Any = SimpleNamespace(type="cuda")
    none: Any = None
    with pytest.raises(RuntimeError, match="at most 65535 samples, found 70000"):
        TritonEngine(none, none, device=cuda, count=70_000)


@pytest.mark.parametrize("statement", ["integrate", "reset"])
def test_a_value_that_is_not_finite_ends_the_run_in_its_step(statement):
    late = "where(count > 4, 1 / (count - 5), 0)"
    cell = ns.Cell(
        "v : 1; count : 1",
        step=f"count += 1; v = {late if statement == 'integrate' else '0'}",
        spike="count > 0",
        after_spike=f"v = {late}",
    )
    net = ns.Network("net", dt="1 ms")
    net.population("cells", 3, cell)
    messages = []
    for name in ("reference", backend):
        run = ns.prepare(net, backend=name)
        with pytest.raises(ns.SimulationError) as error:
            run.run("10 ms", progress=False)
        messages.append((str(error.value), run.time))
    assert messages[0] == messages[1]


def test_a_same_step_projection_with_shared_weights_is_that_of_the_reference():
    net = ns.Network("layers", dt="1 ms", seed=4)
    source = net.bernoulli("source", 16, p=0.5)
    kernel = np.arange(9.0).reshape(1, 1, 3, 3) / 30
    edges = ns.convolution(kernel, shape=(1, 4, 4), padding=1)
    layer = net.population("layer", 16, SUMMER, threshold=0.5)
    top = net.population("top", 3, LISTENER)
    net.project(source, layer, edges, port="x", same_step=True)
    net.project(layer, top, ns.all_to_all(), weight=0.2, port="synaptic", same_step=True)
    net.record(layer, "spikes")
    runs = [ns.prepare(net, backend=name) for name in ("reference", backend)]
    for run in runs:
        run.run("8 ms", progress=False)
    assert (runs[0].get("top", "heard") == runs[1].get("top", "heard")).all()
    assert runs[0].result()["layer"].spikes.index.size >= 20


def test_a_rule_that_changes_states_of_cells_does_so_as_on_the_reference():
    cell = ns.Cell(
        "dv/dt = -v / tau : 1; theta : 1; seen : 1",
        parameters={"tau": "8 ms"},
        receives={"x": ns.Port("1", into="v")},
        spike="v > 0.6 + theta",
        after_spike="v = 0",
        refractory=ns.Refractory("1 ms", freezes="v"),
    )
    rule = ns.Rule(
        edge="w : 1",
        handlers=[
            ("pre", "v_post += w; out += 0.1 * w; seen_post = t / ms * uniform()"),
            ("post", "theta_post = 2 * theta_post + 0.01; v_pre -= w / 8"),
            ("step", "theta_post += -0.001 * w"),
            ("calm", "theta_post = 0"),
        ],
    )
    net = ns.Network("net", dt="1 ms", seed=6)
    source = net.population("source", 6, cell, v=ns.uniform(0.5, 1))
    target = net.population("target", 8, cell)
    net.poisson_drive(source, rate="400 Hz", weight=0.5, port="x")
    edges = ns.fixed_probability(0.6)
    net.project(source, target, edges, rule=rule, weight=ns.uniform(0.1, 0.5), port="x", name="e")
    net.record(target, "spikes", "v", "theta", "seen")
    runs = [ns.prepare(net, backend=name) for name in ("reference", backend)]
    for run in runs:
        run.run("8 ms", progress=False)
        run.emit("calm")
        run.run("4 ms", progress=False)
    expected, result = (run.result()["target"] for run in runs)
    assert expected.spikes == result.spikes and len(expected.spikes) >= 5
    for state in ("v", "theta", "seen"):
        assert (expected.trace(state).values == result.trace(state).values).all()
    assert (runs[0].get("source", "v") == runs[1].get("source", "v")).all()
