"""Values at spikes: messages, files, comparison, threads, and what other tools get."""

import numpy as np
import pytest

import neurosim as ns
from neurosim.analysis.comparison import compare
from neurosim.models import cells
from neurosim.recording.recorded import PopulationRecording
from neurosim.recording.recording import Recording, concatenate
from neurosim.recording.samples import Spikes
from neurosim.recording.spike_values import SpikeValues

HEADER = {"dt": 0.1, "steps": 40}


def values(numbers=(1.0, 2.0, 4.0), *, first: int = 0, unit: str = "mV") -> SpikeValues:
    spikes = Spikes([1, 0, 1], [0, 3, 9], size=2, dt=0.1, steps=40)
    spikes = Spikes(spikes.index, spikes.step + first, size=2, dt=0.1, steps=40, first=first)
    return SpikeValues(spikes, np.array(numbers), unit)


def recording(at_spikes: SpikeValues | None = None, *, first: int = 0) -> Recording:
    at_spikes = at_spikes or values(first=first)
    population = PopulationRecording("p", 2, at_spikes={"v": at_spikes})
    return Recording({**HEADER, "first": first}, {"p": population})


def firing(size: int = 2, *, rate: str = "1 kHz") -> ns.Network:
    net = ns.Network("net", dt="0.1 ms", seed=1)
    cell = ns.Cell(
        "dx/dt = 1 : ms",
        parameters={"period": "1 ms"},
        spike="x > period",
        after_spike="x = 0*ms",
        initial={"x": "0 ms"},
    )
    net.population("p", size, cell, period=ns.uniform("0 ms", "1 ms"))
    return net


def test_values_are_read_by_neuron_and_window():
    assert values().of(1).tolist() == [1, 4]
    assert values().window("0.2 ms", "1 ms").values.tolist() == [2, 4]
    assert values().times().tolist() == pytest.approx([0.1, 0.4, 1.0])
    assert repr(values()) == "<3 values at spikes, in mV>"


def test_parts_join_and_files_hold_them(tmp_path):
    joined = concatenate([recording(), recording(first=40)])
    assert joined["p"].at_spikes("v").values.tolist() == [1, 2, 4, 1, 2, 4]
    assert joined["p"].at_spikes("v").step.tolist() == [0, 3, 9, 40, 43, 49]
    assert Recording.load(joined.save(tmp_path / "r.npz")) == joined
    assert "v at spikes" in str(joined)


def test_a_damaged_value_is_refused():
    with pytest.raises(ns.NetworkError, match=r"found values of shape \(2,\) for 3 spikes"):
        values([1.0, 2.0])
    with pytest.raises(ns.NetworkError, match="its spikes are of 2 neurons, expected 3"):
        PopulationRecording("p", 3, at_spikes={"v": values()})


def test_comparison_names_the_first_difference():
    rows = compare(recording(), recording(values([1.0, 2.0, 4.5])))
    assert [(r["quantity"], r["pass"]) for r in rows] == [("p: v at spikes", False)]
    assert rows[0]["measured"] == "1 of 3 differ, by up to 0.5 mV, first: neuron 1 at 1 ms"
    assert compare(recording(), recording(values(unit="V")))[0]["measured"] == "in mV and in V"
    alone = Recording(HEADER, {"p": PopulationRecording("p", 2)})
    assert compare(recording(), alone)[0] == {
        "quantity": "p: v at spikes",
        "measured": "in one only",
        "expected": "in both",
        "pass": False,
    }
    assert compare(recording(), recording())[0]["pass"]


def test_threads_and_full_buffers_change_nothing():
    recordings = []
    for backend, options in (("reference", {}), ("cpu", {"threads": 2}), ("cpu", {"threads": 1})):
        net = firing(3000)
        net.record(net["p"], "x", at="spikes")
        recordings.append(ns.simulate(net, "8 ms", backend=backend, **options))
    # More than one buffer of 65536 spikes holds.
    assert len(recordings[0]["p"].at_spikes("x")) > 1 << 16
    assert all(v["pass"] for r in recordings[1:] for v in compare(recordings[0], r))


def test_single_precision_records_them_too():
    net = firing()
    net.record(net["p"], "x", at="spikes")
    double = ns.simulate(net, "8 ms", backend="cpu")["p"].at_spikes("x")
    single = ns.simulate(net, "8 ms", backend="cpu", precision="float32")["p"].at_spikes("x")
    np.testing.assert_allclose(single.values, double.values, rtol=1e-5)


def test_what_is_not_recorded_names_the_line_that_records_it():
    net = firing()
    net.record(net["p"], "x")
    result = ns.simulate(net, "1 ms")
    with pytest.raises(ns.NetworkError, match=r'Call net.record\(p, "x", at="spikes"\) before'):
        result["p"].at_spikes("x")


def test_wrong_requests_are_refused_at_their_line():
    net = firing()
    p = net["p"]
    silent = net.population("silent", 1, ns.Cell("x : 1"))
    net.project(p, net.population("q", 2, cells.lif()), ns.all_to_all(), weight=1, name="e")
    for match, call in {
        "found at='crossings', expected at='spikes'": lambda: net.record(p, "x", at="crossings"),
        "at='spikes' for projection 'e'": lambda: net.record(net["e"], "w", at="spikes"),
        "found every= with at='spikes'": lambda: net.record(p, "x", at="spikes", every="1 ms"),
        "found 'spikes' with at='spikes'": lambda: net.record(p, "spikes", at="spikes"),
        "has no state 'y'": lambda: net.record(p, "y", at="spikes"),
        "population 'silent' .* never spikes": lambda: net.record(silent, "x", at="spikes"),
    }.items():
        with pytest.raises(ns.NetworkError, match=match):
            call()
    assert net.probes == []
    net.record(p, "x", at="spikes")
    with pytest.raises(ns.NetworkError, match="'x' of 'p' is recorded already"):
        net.record(p, "x", at="spikes")
    net.record(p, "x")  # a trace of the same name is another thing


def test_simulators_behind_pynn_say_that_they_cannot():
    net = ns.Network("net", dt="0.1 ms")
    net.record(net.population("p", 2, cells.lif_exponential()), "v", at="spikes")
    rows = ns.check(net, backend="nest").rows
    row = next(r for r in rows if r.status == "impossible")
    assert "PyNN records 'v' at intervals, not at spikes" in str(row)


def test_neo_gets_an_irregular_signal_per_neuron():
    pytest.importorskip("neo")
    signals = recording().to_neo().segments[0].irregularlysampledsignals
    assert [s.annotations["neuron"] for s in signals] == [0, 1]
    assert signals[1].name == "p.v at spikes"
    assert signals[1].magnitude.ravel().tolist() == [1, 4]
    assert signals[1].times.rescale("ms").magnitude == pytest.approx([0.1, 1.0])


def test_xarray_gets_values_along_their_spikes():
    pytest.importorskip("xarray")
    v = recording().to_xarray()["p"]["v_at_spikes"]
    assert v.values.tolist() == [1, 2, 4]
    assert v.attrs["units"] == "mV"
    assert v["v_spike_neuron"].values.tolist() == [1, 0, 1]
    assert v["v_spike_time"].values.tolist() == pytest.approx([0.1, 0.4, 1.0])


def test_traces_with_names_of_the_tree_have_their_own_in_xarray():
    pytest.importorskip("xarray")
    net = ns.Network("net", dt="1 ms")
    cell = ns.Cell(
        "v : 1; spike_step : 1; v_time : 1; v_at_spikes : 1; free : 1",
        step="v = v + 1; spike_step = 20; v_time = 30; v_at_spikes = 40; free = 50",
        receives={"v": ns.Port("1", into="v")},
        spike="v >= 1",
    )
    p = net.population("p", 1, cell)
    rule = ns.Rule(edge="w : 1; source : 1", handlers=[("step", "source = 60")])
    e = net.project(p, p, ns.all_to_all(), rule=rule, weight=0.0, name="e")
    net.record(p, "spikes", "v", "spike_step", "v_time", "v_at_spikes", "free")
    net.record(p, "v", at="spikes")
    net.record(e, "source")
    tree = ns.simulate(net, "2 ms", backend="reference").to_xarray()
    names = {"spike_step": 20, "v_time": 30, "v_at_spikes": 40}
    for name, value in names.items():
        assert (tree["p"][f"recorded_{name}"] == value).all()
    assert (tree["p"]["free"] == 50).all()
    assert tree["p"]["spike_step"].values.tolist() == [0, 1]
    assert tree["p"]["v_time"].values.tolist() == [1, 2]
    assert tree["p"]["v_at_spikes"].values.tolist() == [1, 2]
    assert (tree["e"]["recorded_source"] == 60).all()
    assert tree["e"]["source"].values.tolist() == [0]


def test_nwb_gets_a_table_of_values(tmp_path):
    pynwb = pytest.importorskip("pynwb")
    path = tmp_path / "run.nwb"
    with pynwb.NWBHDF5IO(path, "w") as out:
        out.write(recording().to_nwb(identifier="run 1"))
    with pynwb.NWBHDF5IO(path, "r") as source:
        table = source.read().acquisition["p.v at spikes"]
        assert table["value"][:].tolist() == [1, 2, 4]
        assert table["neuron"][:].tolist() == [1, 0, 1]
        assert table["time"][:].tolist() == pytest.approx([1e-4, 4e-4, 1e-3])


def test_pandas_gets_a_row_per_spike():
    pytest.importorskip("pandas")
    frame = values().frame()
    assert list(frame.columns) == ["neuron", "time", "value"]
    assert frame.value.tolist() == [1, 2, 4]
