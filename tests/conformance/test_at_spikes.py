"""States at the moment of spikes: as the spike finds them, integrated, before the reset."""

import numpy as np
import pytest

import neurosim as ns
from neurosim.analysis.comparison import compare


def network(*, view: bool = False, size: int = 5) -> ns.Network:
    net = ns.Network("net", dt="0.5 ms", seed=3)
    cell = ns.Cell(
        """dv/dt = (drive - v) / tau : mV
           dslow/dt = -slow / (50*ms) : 1
           above = v - level : mV""",
        parameters={"drive": "12 mV", "tau": "8 ms", "level": "10 mV"},
        receives={"push": ns.Port("mV", into="v")},
        spike="v > level",
        after_spike="v = 0*mV; slow += 1",
        name="cell",
    )
    p = net.population("p", size, cell, drive=ns.uniform("11 mV", "16 mV"))
    net.project(p, p, ns.fixed_probability(0.4), weight=ns.uniform("0.2 mV", "0.6 mV"), name="e")
    recorded = p[[3, 1]] if view else p
    net.record(recorded, "v", "slow", "above", at="spikes")
    net.record(recorded, "spikes")
    net.record(recorded, "v")
    return net


def test_the_value_is_that_of_the_spike_before_its_reset(backend):
    result = ns.simulate(network(), "60 ms", backend=backend)["p"]
    v, slow = result.at_spikes("v"), result.at_spikes("slow")
    assert len(v) == len(result.spikes) > 20
    assert v.unit == "mV" and slow.unit == "1"
    np.testing.assert_array_equal(v.index, result.spikes.index)
    np.testing.assert_array_equal(v.times(), result.spikes.times())
    assert (v.values > 10).all()  # a trace shows 0 there, the value after the reset
    assert (result.trace("v").values[v.step, v.index] == 0).all()
    # The first spike finds no adaptation, and each later one that of those before.
    for neuron in range(5):
        times = result.spikes.of(neuron)
        expected = [np.sum(np.exp(-(t - times[times < t]) / 50)) for t in times]
        np.testing.assert_allclose(slow.of(neuron), expected, rtol=1e-12, atol=1e-15)


def test_definitions_are_read_with_the_states_of_the_spike(backend):
    result = ns.simulate(network(), "60 ms", backend=backend)["p"]
    np.testing.assert_array_equal(
        result.at_spikes("above").values, result.at_spikes("v").values - 10
    )


def test_a_view_is_recorded_alone(backend):
    whole = ns.simulate(network(), "60 ms", backend=backend)["p"].at_spikes("v")
    part = ns.simulate(network(view=True), "60 ms", backend=backend)["p"].at_spikes("v")
    of_part = np.isin(whole.index, [1, 3])
    assert part.spikes.members.tolist() == [3, 1]
    np.testing.assert_array_equal(part.values, whole.values[of_part])
    np.testing.assert_array_equal(part.index, whole.index[of_part])
    with pytest.raises(ns.NetworkError, match="spikes of neuron 0: they were not recorded"):
        part.of(0)


def test_engines_agree_however_a_run_is_cut(backend, tmp_path):
    reference = ns.simulate(network(size=200), "60 ms", backend="reference")
    run = ns.prepare(network(size=200), backend=backend)
    for _ in range(2):
        run.run("15 ms")
    run.save(tmp_path / "state.npz")
    run = ns.prepare(network(size=200), backend=backend)
    run.load(tmp_path / "state.npz")
    run.run("30 ms")
    verdicts = compare(reference, run.result())
    assert [v for v in verdicts if not v["pass"]] == []
    assert "p: v at spikes" in {v["quantity"] for v in verdicts}


def test_results_on_disk_hold_the_values(backend, tmp_path):
    result = ns.simulate(network(), "60 ms", backend=backend)
    assert ns.Recording.load(result.save(tmp_path / "r.npz")) == result
    ns.simulate(network(), "60 ms", backend=backend, stream=tmp_path / "parts")
    parts = ns.Recording.load(tmp_path / "parts")
    assert parts["p"].at_spikes("slow") == result["p"].at_spikes("slow")


def test_a_restored_clock_drops_later_values(backend):
    run = ns.prepare(network(), backend=backend)
    run.run("30 ms")
    before = run.result()["p"].at_spikes("v")
    snapshot = run.snapshot()
    run.run("30 ms")
    whole = run.result()["p"].at_spikes("v")
    run.restore(snapshot, clock=True)
    assert run.result()["p"].at_spikes("v") == before
    assert len(before) < len(whole)
    run.run("30 ms")
    assert run.result()["p"].at_spikes("v") == whole


def test_a_reset_that_is_not_finite_leaves_the_steps_before(backend):
    net = ns.Network("net", dt="1 ms")
    cell = ns.Cell(
        "v : 1",
        step="v = v + 1",
        spike="v % 4 == 0",
        after_spike="v = where(v > 7, 1 / (v - v), v)",
    )
    net.population("p", 3, cell)
    net.record(net["p"], "v", at="spikes")
    with pytest.raises(ns.SimulationError) as error:
        ns.simulate(net, "20 ms", backend=backend)
    assert error.value.recording is not None
    recorded = error.value.recording["p"].at_spikes("v")
    assert recorded.values.tolist() == [4, 4, 4]
