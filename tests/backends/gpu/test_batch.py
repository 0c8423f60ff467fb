"""Samples side by side equal runs one by one; values and results of each; bad input."""

from __future__ import annotations

import numpy as np
import pytest
import support.random_networks as rn
from hypothesis import given, settings
from support.examples import examples
from support.stories import SAME, SEED, lively

import neurosim as ns
from neurosim.backend.discovery import find
from neurosim.backend.lowering import Configured

pytest.importorskip("torch")

ON_CPU = {"backend": "gpu", "device": "cpu"}
SAMPLES = 3


def play(batch: ns.Batch, actions: list[tuple]) -> None:
    """Carry out the actions of a story in all samples, as `random_networks.play` does in one."""
    for verb, *arguments in actions:
        if verb == "run":
            batch.run(arguments[0] * batch[0].program.dt, progress=False)
        elif verb == "set":
            batch.set(arguments[0], **arguments[1])
        elif verb == "rewind":
            snapshots = batch.snapshot()
            batch.run(arguments[0] * batch[0].program.dt, progress=False)
            batch.restore(snapshots, clock=arguments[1])
        else:
            getattr(batch, verb)(*arguments)


def differences(batch: ns.Batch, alone: list[ns.Run]) -> list[str]:
    pairs = zip(batch, alone, strict=True)
    return [text for a, b in pairs for text in rn.differences(rn.outcome(a), rn.outcome(b))]


@SEED
@settings(SAME, max_examples=examples(8))
@given(rn.stories())
def test_random_networks_side_by_side_equal_replicas_one_by_one(story):
    alone = [ns.prepare(story.net, replica=r, **ON_CPU) for r in range(SAMPLES)]
    batch = ns.prepare(story.net, batch=SAMPLES, **ON_CPU)
    try:
        play(batch, story.actions)
    except ns.SimulationError:
        return  # one sample has ended all, at a step at which the others still run alone
    for run in alone:
        rn.play(run, story.actions)
    assert differences(batch, alone) == []


def prepare(**options) -> tuple[ns.Batch, list[ns.Run]]:
    """Return a network that learns as a batch, and as replicas on the reference."""
    net = lively().net
    net.record(net.projections["plastic"], "w", every=5.0)
    batch = ns.prepare(net, batch=SAMPLES, **ON_CPU, **options)
    return batch, [ns.prepare(net, backend="reference", replica=r) for r in range(SAMPLES)]


def test_samples_draw_learn_and_record_their_own():
    batch, alone = prepare()
    for one in (batch, *alone):
        one.run(60)
    assert differences(batch, alone) == []
    weights = batch.get("plastic", "w")
    assert weights.shape[0] == len(batch) == SAMPLES
    assert not (weights[0] == weights[1]).all()
    counts = [result["cells"].recorded.index.size for result in batch.result()]
    assert min(counts) > 100 and len(set(counts)) > 1
    assert [result.header["replica"] for result in batch.result()] == [0, 1, 2]


def test_rows_of_an_array_are_values_of_samples_and_other_values_hold_for_all():
    batch, alone = prepare()
    currents = np.linspace(0.5, 1.2, SAMPLES * 150).reshape(SAMPLES, 150)
    edges = batch.get("plastic", "w").shape[1]
    weights = np.linspace(0, 1, SAMPLES * edges).reshape(SAMPLES, edges)
    batch.set("cells", bias=currents, threshold=0.8, v=[[0.1], [0.2], [0.3]])
    batch.set("plastic", w=weights)
    for sample, run in enumerate(alone):
        run.set("cells", bias=currents[sample], threshold=0.8, v=[0.1, 0.2, 0.3][sample])
        run.set("plastic", w=weights[sample])
    for one in (batch, *alone):
        one.run(30)
    assert differences(batch, alone) == []
    assert batch.get("cells", "bias").shape == (SAMPLES, 150)
    assert batch.get("cells", "threshold").tolist() == [0.8] * SAMPLES


def test_one_sample_may_have_values_of_another_shape_and_tables_and_spikes_of_its_own():
    cell = ns.Cell(
        "v : 1; u : 1",
        parameters={"drive": 1.0, "gain": 1.0},
        step="v += gain * drive(t) + x; u = gain",
        receives={"x": ns.Port("1")},
    )
    net = ns.Network("net", dt=1.0)
    p = net.population("p", 4, cell, drive=ns.table([1.0, 2.0], every=3.0))
    source = net.spike_source("source", 2, steps=[[1], [4]])
    net.project(source, p, ns.all_to_all(), weight=10.0, port="x", name="edges")
    net.record(p, "v")
    batch = ns.prepare(net, batch=SAMPLES, **ON_CPU)
    alone = [ns.prepare(net, backend="reference") for _ in range(SAMPLES)]
    for samples in (batch, alone):
        samples[1].set("p", gain=np.arange(4.0))
        samples[1].set("p", drive=ns.table(np.arange(20.0).reshape(5, 4), every=2.0))
        samples[2].set("source", steps=[[0, 2, 6], []])
        samples[0].set("edges", w=5.0)
    for one in (batch, *alone):
        one.run(12)
        one.set("p", u=0.0)
        one.run(1)
    for sample, run in zip(batch, alone, strict=True):
        assert rn.differences(rn.outcome(sample), rn.outcome(run)) == []
    assert batch.get("p", "gain").shape == (SAMPLES, 4)


def test_static_weights_are_held_once_until_a_sample_has_its_own():
    net = ns.Network("net", dt=1.0, seed=2)
    source = net.bernoulli("source", 20, p=0.5)
    cells = net.population("cells", 20, rn.LIF, bias=0.5)
    net.project(source, cells, ns.all_to_all(), weight=ns.uniform(0, 0.2), port="x", name="e")
    batch = ns.prepare(net, batch=SAMPLES, **ON_CPU)
    assert batch[0].memory["e", "w"].base is batch[1].memory["e", "w"].base
    alone = [ns.prepare(net, backend="reference", replica=r) for r in range(SAMPLES)]
    for samples in (batch, alone):
        samples[1].set("e", w=np.linspace(0, 0.3, 400))
    for one in (batch, *alone):
        one.run(40)
    assert differences(batch, alone) == []
    assert (batch[0].get("e", "w") == alone[0].get("e", "w")).all()


def test_a_state_may_have_the_name_of_an_argument():
    net = ns.Network("net", dt=1.0)
    net.population("p", 2, ns.Cell("owner : 1"))
    batch = ns.prepare(net, batch=SAMPLES, **ON_CPU)
    batch.set("p", owner=2.0)
    assert (batch.get("p", "owner") == 2.0).all()


def test_a_signal_may_be_emitted_to_one_sample():
    rule = ns.Rule(edge="w : 1", handlers=[("pre", "out += w"), ("end", "w = w + uniform()")])
    net = lively(rule).net
    batch = ns.prepare(net, batch=SAMPLES, **ON_CPU)
    alone = [ns.prepare(net, backend="reference", replica=r) for r in range(SAMPLES)]
    for samples in (batch, alone):
        samples[2].emit("end")
    batch.emit("end")
    for run in alone:
        run.emit("end")
    assert differences(batch, alone) == []


def test_statements_at_times_and_signals_of_spikes_act_in_each_sample_by_itself():
    rule = ns.Rule(edge="w : 1", handlers=[("pre", "out += w"), ("alarm", "w = w + 0.01")])
    net = lively(rule).net
    net.every("4 ms", net["cells"], "v = v + 0.1 * uniform()")
    net.signal("alarm", net["cells"][:3])
    batch = ns.prepare(net, batch=SAMPLES, **ON_CPU)
    alone = [ns.prepare(net, backend="reference", replica=r) for r in range(SAMPLES)]
    for one in (batch, *alone):
        one.run(50)
    assert differences(batch, alone) == []
    weights = batch.get("plastic", "w").sum(axis=1)
    assert len(set(weights)) == SAMPLES


def test_functions_are_called_at_times_with_the_batch_or_with_a_sample():
    batch, _ = prepare()
    calls = []
    stop = batch.each("10 ms", lambda b: calls.append(b.time))
    batch[1].each("10 ms", lambda run: run.set("cells", v=0.5))
    batch.run(25)
    stop()
    batch.run(25)
    assert calls == [0.0, 10.0, 20.0]
    with pytest.raises(ns.NetworkError, match="expected a function of the batch"):
        batch.each("10 ms", 3)


def test_a_batch_is_saved_loaded_and_restored(tmp_path):
    batch, _ = prepare()
    batch.run(20)
    batch.save(tmp_path / "states")
    snapshots = batch.snapshot()
    batch.run(20)
    again, _ = prepare()
    again.load(tmp_path / "states")
    again.run(20)
    assert differences(again, list(batch)) == []
    again.restore(snapshots, clock=True)
    again.run(20)
    assert differences(again, list(batch)) == []


def test_a_sample_continues_as_a_run_of_its_own(tmp_path):
    batch, alone = prepare()
    batch.run(20)
    batch.save(tmp_path / "states")
    alone[2].load(tmp_path / "states" / "2.npz")
    alone[2].run(20)
    batch.run(20)
    assert rn.differences(rn.outcome(batch[2]), rn.outcome(alone[2])) == []


def test_recordings_stream_into_a_folder_per_sample(tmp_path):
    batch, alone = prepare(stream=tmp_path)
    for one in (batch, alone[1]):
        one.run(30)
    batch.result()
    rows = ns.compare(ns.Recording.load(tmp_path / "1"), alone[1].result())
    assert len(rows) > 2 and all(row["pass"] for row in rows)


def test_simulate_returns_a_recording_for_each_sample():
    net = lively().net
    results = ns.simulate(net, 30, batch=2, progress=False, **ON_CPU)
    assert len(results) == 2
    alone = ns.simulate(net, 30, backend="cpu", replica=1, progress=False)
    assert all(row["pass"] for row in ns.compare(results[1], alone))


def test_float32_side_by_side_equals_float32_one_by_one():
    net = lively().net
    batch = ns.prepare(net, batch=2, precision="float32", **ON_CPU)
    alone = [ns.prepare(net, replica=r, precision="float32", **ON_CPU) for r in range(2)]
    for one in (batch, *alone):
        one.run(30)
    assert differences(batch, alone) == []


# ---- bad input


def test_a_value_that_is_not_finite_names_its_sample_and_ends_all():
    net = ns.Network("net", dt=1.0)
    cell = ns.Cell("v : 1", step="v = v / where(t > 4 * ms, w, 1)", parameters={"w": 1.0})
    net.record(net.population("p", 2, cell, v=1.0), "v")
    batch = ns.prepare(net, batch=SAMPLES, **ON_CPU)
    batch[1].set("p", w=0.0)
    with pytest.raises(ns.SimulationError, match="sample 1: population 'p', neuron 0: v is inf"):
        batch.run(20)
    assert [result["p"].trace("v").values.shape for result in batch.result()] == [(5, 2)] * 3
    with pytest.raises(ns.NetworkError, match="no longer whole"):
        batch.run(1)


def test_values_that_do_not_fit_the_samples_change_nothing():
    batch, _ = prepare()
    before = batch.get("cells", "v")
    with pytest.raises(ns.NetworkError, match="set, v: found an array of 2 rows, expected 3"):
        batch.set("cells", v=np.zeros((2, 150)))
    with pytest.raises(ns.NetworkError, match="one per neuron"):
        batch.set("cells", bias=1.0, v=np.ones((SAMPLES, 149)))
    values = np.ones((SAMPLES, 150)).tolist()
    values[2] = values[2][:-1] + ["much"]
    with pytest.raises(ns.NetworkError):
        batch.set("cells", v=values)
    assert (batch.get("cells", "v") == before).all()


@pytest.mark.parametrize("verb", ["run", "load", "restore"])
def test_the_clock_of_a_sample_is_that_of_the_batch(verb, tmp_path):
    batch, _ = prepare()
    batch[0].save(tmp_path / "state.npz")
    actions = {
        "run": lambda: batch[0].run(1),
        "load": lambda: batch[0].load(tmp_path / "state.npz"),
        "restore": lambda: batch[0].restore(batch[0].snapshot(), clock=True),
    }
    with pytest.raises(ns.NetworkError, match=f"{verb}: found one sample of a batch"):
        actions[verb]()
    batch.run(1)


def test_states_of_other_moments_or_numbers_are_refused_and_change_nothing(tmp_path):
    batch, _ = prepare()
    early = batch.snapshot()
    batch.save(tmp_path / "early")
    batch.run(5)
    batch.save(tmp_path / "late")
    late = batch.snapshot()
    before = batch.get("cells", "v")
    with pytest.raises(ns.NetworkError, match="found snapshots of several moments"):
        batch.restore([early[0], *late[1:]], clock=True)
    with pytest.raises(ns.NetworkError, match="found 2 snapshots, expected 3"):
        batch.restore(late[:2])
    (tmp_path / "early" / "0.npz").replace(tmp_path / "late" / "0.npz")
    with pytest.raises(ns.NetworkError, match="files of several moments"):
        batch.load(tmp_path / "late")
    with pytest.raises(FileNotFoundError, match=r"0\.npz does not exist"):
        batch.load(tmp_path / "early")
    assert (batch.get("cells", "v") == before).all()
    batch.run(5)


@pytest.mark.parametrize("batch", [0, -1, 2.5, "two", True])
def test_a_number_of_samples_that_is_none_is_refused(batch):
    with pytest.raises(ns.NetworkError, match="batch"):
        ns.prepare(lively().net, batch=batch, **ON_CPU)


def test_other_backends_have_no_batch():
    with pytest.raises(ns.NetworkError, match="backend 'cpu' has no option 'batch'"):
        ns.prepare(lively().net, batch=2)


def test_a_batch_among_the_options_of_a_configured_backend_is_refused():
    """`neurosim run MODEL --option batch=2`: a model holds one run open."""
    backend = Configured(find("gpu"), {"device": "cpu", "batch": 2})
    with pytest.raises(ns.NetworkError, match="found batch=2 among the options of a backend"):
        ns.prepare(lively().net, backend=backend)


def test_a_batch_that_does_not_fit_into_memory_is_refused_before_anything_is_drawn():
    with pytest.raises(ns.NetworkError, match="needs about"):
        ns.prepare(lively().net, batch=1 << 20, **ON_CPU)
