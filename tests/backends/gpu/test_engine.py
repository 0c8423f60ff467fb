"""The engine over tensors equals the reference; its options, reports and messages."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import support.random_networks as rn
from hypothesis import given, settings
from support.examples import examples
from support.stories import FRESH, SAME, SEED, lively, played

import neurosim as ns
from neurosim.models import cells

torch = pytest.importorskip("torch")

from neurosim.backends.gpu.tensors.rules import add  # noqa: E402

ON_CPU = {"backend": "gpu", "device": "cpu"}


def agree(story: rn.Story) -> None:
    expected = rn.outcome(played(story, "reference"))
    assert rn.differences(expected, rn.outcome(played(story, **ON_CPU))) == []


@SEED
@settings(SAME, max_examples=examples(40))
@given(rn.stories())
def test_random_networks_agree_with_the_reference_to_the_last_bit(story):
    agree(story)


@pytest.mark.slow
@settings(FRESH, max_examples=150)
@given(rn.stories())
def test_150_fresh_networks_agree_with_the_reference_to_the_last_bit(story):
    agree(story)


def test_a_run_on_one_engine_continues_on_the_other(tmp_path):
    story = lively()
    run = played(story, **ON_CPU)
    run.save(tmp_path / "state.npz")
    other = ns.prepare(story.net, backend="reference")
    other.load(tmp_path / "state.npz")
    rn.play(other, [("run", 30)])
    assert rn.differences(rn.outcome(rn.play(run, [("run", 30)])), rn.outcome(other)) == []


def test_spikes_are_read_anew_when_a_snapshot_of_another_time_is_restored():
    """Spikes in flight are rows of a ring: they move with the state."""
    net = ns.Network("net", dt=1.0)
    source = net.spike_source("source", 2, steps=[[3], [4]])
    cell = net.population("cell", 2, ns.Cell("v : 1", receives={"x": ns.Port("1", into="v")}))
    net.project(source, cell, ns.one_to_one(), weight=1.0, port="x", delay=6.0)
    run, reference = (ns.prepare(net, **b) for b in (ON_CPU, {"backend": "reference"}))
    for one in (run, reference):
        one.run(5)
        snapshot = one.snapshot()
        one.run(17)
        one.restore(snapshot)
        one.run(6)
    assert run.get(cell, "v").tolist() == reference.get(cell, "v").tolist() == [1.0, 0.0]


@pytest.mark.parametrize("rule", [None, ns.Rule(edge="w : 1", handlers=[("pre", "out += w")])])
def test_sums_of_spikes_with_several_delays_begin_with_the_oldest(rule):
    """Weights of all sizes: a sum in another order has other bits."""
    net = ns.Network("net", dt=1.0, seed=3)
    source = net.bernoulli("source", 60, p=0.5)
    cell = net.population("cell", 3, ns.Cell("v : 1", receives={"y": ns.Port("1", "v")}))
    delays = {"delay": ns.uniform(0, 6), "round_delays": True}
    delays |= {} if rule is None else {"dendritic_fraction": 0.0}
    weight = ns.normal(0, 1)
    net.project(source, cell, ns.all_to_all(), weight=weight, port="y", rule=rule, **delays)
    net.record(cell, "v")
    story = rn.Story(net, [("run", 40)])
    expected = rn.outcome(played(story, "reference"))
    assert rn.differences(expected, rn.outcome(played(story, **ON_CPU))) == []


def test_stages_of_a_step_and_shared_weights_agree_with_the_reference():
    net = ns.Network("net", dt=1.0, seed=3)
    source = net.bernoulli("source", 20, p=0.3)
    first = net.population("first", 10, rn.LIF, bias=0.9)
    second = net.population("second", 8, rn.LIF, bias=0.9)
    shared = ns.shared([0.1, 0.3, -0.1], index=np.arange(200) % 3)
    net.project(source, first, ns.all_to_all(), weight=shared, port="y", same_step=True)
    rule = {"weight": ns.uniform(0, 0.5), "rule": rn.PAIR, "same_step": True}
    net.project(first, second, ns.fixed_probability(0.5), port="y", name="learns", **rule)
    net.project(second, first, ns.all_to_all(), weight=0.05, port="x", delay=2.0)
    net.record(second, "spikes", "v")
    story = rn.Story(net, [("run", 100)])
    expected = rn.outcome(played(story, "reference"))
    assert expected["spikes", "second", "step"].size > 50
    assert rn.differences(expected, rn.outcome(played(story, **ON_CPU))) == []


def test_the_source_is_that_of_each_cell_and_rule_once():
    net = lively().net
    net.population("more", 5, rn.LIF)
    source = ns.prepare(net, **ON_CPU).generated_code
    assert source.count("Cell 'exact'") == 1 and source.count("Rule 'pair'") == 1


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_sums_over_edges_keep_their_order_on_any_number_of_threads(threads):
    random = np.random.default_rng(0)
    index = random.integers(0, 50, 500_000)
    values = random.normal(size=index.size)
    expected = np.zeros(50)
    np.add.at(expected, index, values)
    total = torch.zeros(50, dtype=torch.float64)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        add(total, torch.from_numpy(index), torch.from_numpy(values))
    finally:
        torch.set_num_threads(before)
    assert (total.numpy() == expected).all()
    # Another order gives other bits, so that the comparison can fail.
    other = np.zeros(50)
    np.add.at(other, index[::-1], values[::-1])
    assert (other != expected).any()


# ---- options


def test_without_a_cuda_device_the_error_names_the_processor(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for named in ({}, {"device": "cuda"}, {"device": "cuda:3"}):
        with pytest.raises(ns.NetworkError, match="found no CUDA device.*device='cpu'"):
            ns.prepare(lively().net, backend="gpu", **named)


def test_a_cuda_device_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ns.NetworkError, match="found 2 CUDA devices.*expected 'cuda:2'"):
        ns.prepare(lively().net, backend="gpu", device="cuda:2")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "tpu"}, "device: found 'tpu', expected 'cuda', 'cuda:N' or 'cpu'"),
        ({"device": "cuda:x"}, "device: found 'cuda:x'"),
        ({"device": 0}, "device: found 0"),
        ({"precision": "half"}, "precision: found 'half', expected 'float64'"),
        ({"replica": -1}, "replica"),
        ({"replica": 1 << 32}, "replica"),
        ({"threads": 2}, "has no option 'threads'"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_drawn(options, message):
    with pytest.raises(ns.NetworkError, match=message):
        ns.check(lively().net, backend="gpu", **options)


def test_replicas_draw_other_numbers_as_on_the_reference():
    story = lively()
    expected = rn.outcome(played(story, "reference", replica=3))
    assert rn.differences(expected, rn.outcome(played(story, replica=3, **ON_CPU))) == []
    assert rn.differences(expected, rn.outcome(played(story, **ON_CPU))) != []


# ---- reports


def test_on_the_processor_in_float64_all_rows_are_those_of_the_reference():
    net = lively().net
    rows = ns.check(net, **ON_CPU).rows
    assert rows == ns.check(net, backend="reference").rows


def test_a_report_says_what_float32_rounds_and_that_a_gpu_adds_in_any_order():
    net = lively().net
    single = ns.check(net, precision="float32", **ON_CPU)
    assert {row.status for row in single["cells"]} == {"approximated"}
    assert "rounded, to 6.0e-8" in str(single) and "any order" not in str(single)
    on_gpu = ns.check(net, backend="gpu")
    assert {row.status for row in on_gpu["plastic"]} == {"approximated"}
    assert "added in any order" in str(on_gpu)
    assert {row.status for row in on_gpu["cells"]} == {"exact"}


@pytest.mark.process
def test_a_report_does_not_load_torch():
    code = (
        "import sys, neurosim as ns; from neurosim.models import cells;"
        "net = ns.Network('net', dt=1.0); net.population('p', 2, cells.lif());"
        "print(ns.check(net, backend='gpu').backend, 'torch' in sys.modules)"
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout.split() == ["gpu", "False"]


# ---- float32


def test_float32_runs_in_float32_and_stays_near_float64():
    """Until the first spike that rounding moves: the membrane alone, with a strong current."""
    net = ns.Network("net", dt=0.1)
    cell = net.population("cell", 50, cells.lif(), current=ns.uniform("0 nA", "0.19 nA"))
    net.record(cell, "v")
    single, double = (
        ns.prepare(net, precision=precision, **ON_CPU) for precision in ("float32", "float64")
    )
    for run in (single, double):
        run.run("50 ms")
    assert single.memory["cell", "v"].dtype == np.float32
    a, b = (run.result()["cell"].trace("v").values for run in (single, double))
    assert (a != b).any()
    np.testing.assert_allclose(a, b, rtol=3e-5)


@SEED
@settings(SAME, max_examples=examples(15))
@given(rn.stories())
def test_float32_runs_every_random_network_and_repeats_itself(story):
    one, other = (rn.outcome(played(story, precision="float32", **ON_CPU)) for _ in range(2))
    assert rn.differences(one, other) == []
    assert all(
        a.dtype != np.float64
        for (content, *_), a in one.items()
        if content == "memory" and a.ndim > 1
    )


def test_float32_spikes_nearly_as_often_as_float32_on_the_cpu_engine():
    counts = []
    for options in ({"backend": "cpu"}, ON_CPU):
        run = played(lively(), precision="float32", **options)
        counts.append(run.result()["cells"].recorded.index.size)
    assert counts[0] > 100
    assert abs(counts[0] - counts[1]) <= 0.02 * counts[0]


def test_a_number_that_float32_would_make_infinite_is_refused():
    net = ns.Network("net", dt=1.0)
    net.population("p", 2, ns.Cell("v : 1"), v=1e300)
    with pytest.raises(ns.NetworkError, match="the largest number of precision 'float32'"):
        ns.prepare(net, precision="float32", **ON_CPU)


# ---- values that are not finite


def test_a_value_that_is_not_finite_ends_the_run_in_its_step_as_on_the_reference():
    net = ns.Network("net", dt=1.0)
    cell = ns.Cell("v : 1; w : 1", step="v = where(t > 4 * ms, v / w, v)")
    net.record(net.population("p", 3, cell, v=[1, 2, 3], w=[1.0, 0.0, 1.0]), "v")
    errors = []
    for options in ({"backend": "reference"}, ON_CPU):
        with pytest.raises(ns.SimulationError) as caught:
            ns.prepare(net, **options).run(20)
        errors.append(caught.value)
    assert str(errors[0]) == str(errors[1])
    assert "neuron 1: v is inf at 6 ms" in str(errors[1])
    a, b = (error.recording["p"].trace("v").values for error in errors)
    assert a.shape == b.shape == (5, 3)
