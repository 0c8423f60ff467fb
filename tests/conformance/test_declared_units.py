"""Numbers of a name are in the unit in which it was declared: written, set, read and recorded."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

import neurosim as ns

BACKENDS = ("reference", "cpu", "brian")  # translations run no cell of this file
UNITS = (
    "percent",
    "umolar",
    "mM",
    "V",
    "uV",
    "pA",
    "A",
    "nS",
    "s",
    "min",
    "kHz",
    "Hz",
    "1/s",
    "pF",
    "ohm",
    "mS/cm**2",
)


def holder(unit: str) -> ns.Cell:
    """Return a cell with a state and a parameter of a unit."""
    return ns.Cell(
        f"x : {unit}",
        parameters={"p": ns.Parameter(unit, 2)},
        receives={"jump": ns.Port(unit, into="x")},
    )


def started(net: ns.Network, backend: str, time: str = "1 ms") -> ns.Run:
    run = ns.prepare(net, backend=backend)
    run.run(time, progress=False)
    return run


@pytest.mark.parametrize("unit", UNITS)
def test_plain_numbers_come_out_as_they_went_in(backend, unit):
    net = ns.Network("net", dt="0.1 ms")
    cells = net.population("cells", 3, holder(unit), x=0.05, p=[1, 2, 3])
    net.record(cells, "x")
    run = started(net, backend)
    trace = run.result()["cells"].trace("x")
    assert trace.unit == unit
    np.testing.assert_allclose(trace.values, 0.05, rtol=1e-15)
    np.testing.assert_allclose(trace.initial, 0.05, rtol=1e-15)
    np.testing.assert_allclose(run.get(cells, "p"), [1, 2, 3], rtol=1e-15)
    run.set(cells[1:], x=[0.3, 0.7], p=35)
    np.testing.assert_allclose(run.get(cells, "x"), [0.05, 0.3, 0.7], rtol=1e-15)
    np.testing.assert_allclose(run.get(cells, "p"), [1, 35, 35], rtol=1e-15)
    run.reset(cells, "x")
    np.testing.assert_allclose(run.get(cells, "x"), 0.05, rtol=1e-15)


@pytest.mark.parametrize("unit", UNITS)
def test_a_plain_number_is_the_same_as_its_text_with_the_unit(backend, unit):
    net = ns.Network("net", dt="0.1 ms")
    net.population("plain", 2, holder(unit), x=35, p=0.7)
    net.population("text", 2, holder(unit), x=f"35 {unit}", p=f"0.7 {unit}")
    run = started(net, backend)
    for name in ("x", "p"):
        np.testing.assert_array_equal(run.get("plain", name), run.get("text", name))


def test_initial_values_defaults_and_values_of_cells_are_in_the_unit_of_their_name(backend):
    cell = ns.Cell(
        "v : V; n : 1",
        parameters={
            "rest": "-0.07 V",
            "base": ns.Parameter("V", -0.06),
            "gain": ["2 pA", "0.5 nA"],
        },
        initial={"v": -0.065},
    )
    net = ns.Network("net", dt="0.1 ms")
    net.population("cells", 2, cell)
    net.population("others", 2, cell, rest=-0.05)
    run = started(net, backend)
    assert run.get("cells", "v").tolist() == [-0.065] * 2
    assert (run.get("cells", "rest"), run.get("others", "rest")) == (-0.07, -0.05)
    assert run.get("cells", "base") == -0.06
    np.testing.assert_allclose(run.get("cells", "gain"), [2, 500], rtol=1e-15)


def test_equations_are_unaffected_by_the_units_that_names_are_declared_in(backend):
    """The same membrane in V, A and s as in mV, nA and ms."""
    small = ns.Cell(
        "dv/dt = (rest - v + r * i_in) / tau : mV",
        parameters={
            "rest": ns.Parameter("mV", -70),
            "tau": ns.Parameter("ms", 20),
            "r": ns.Parameter("Mohm", 100),
            "i_in": ns.Parameter("nA", 0.25),
        },
        initial={"v": -60},
    )
    large = ns.Cell(
        "dv/dt = (rest - v + r * i_in) / tau : V",
        parameters={
            "rest": ns.Parameter("V", -0.07),
            "tau": ns.Parameter("s", 0.02),
            "r": ns.Parameter("ohm", 1e8),
            "i_in": ns.Parameter("A", 0.25e-9),
        },
        initial={"v": -0.06},
    )
    net = ns.Network("net", dt="0.1 ms")
    for name, cell in (("small", small), ("large", large)):
        net.record(net.population(name, 1, cell), "v")
    result = started(net, backend, "30 ms").result()
    np.testing.assert_allclose(
        result["large"].trace("v").values * 1e3, result["small"].trace("v").values, rtol=1e-13
    )


def test_draws_are_in_the_unit_of_their_name(backend):
    draws = {
        "uniform": ns.uniform(0.2, 0.3),
        "normal": ns.normal(0.25, 0.01, low=0.2, high=0.3),
        "lognormal": ns.lognormal(0.25, 0.05, low=0.2, high=0.3),
    }
    net = ns.Network("net", dt="0.1 ms")
    for name, draw in draws.items():
        net.population(name, 200, holder("uV"), x=draw, p=draw)
    net.population("exponential", 2000, holder("uV"), x=ns.exponential(0.25))
    net.population("integers", 200, holder("V"), x=ns.integers(2, 5))
    net.population("text", 200, holder("uV"), x=ns.uniform("200 nV", 0.3))
    run = started(net, backend)
    for name in (*draws, "text"):
        assert 0.2 <= run.get(name, "x").min() < 0.23 < 0.27 < run.get(name, "x").max() <= 0.3
    assert run.get("exponential", "x").mean() == pytest.approx(0.25, rel=0.1)
    assert set(run.get("integers", "x")) == {2, 3, 4}
    run.set("uniform", x=ns.uniform(1, 2))
    assert 1 <= run.get("uniform", "x").min() < run.get("uniform", "x").max() <= 2


def test_tables_are_in_the_unit_of_their_parameter_unless_they_name_another(backend):
    follower = ns.Cell("x : V", parameters={"p": ns.Parameter("V", 0)}, step="x = p")
    net = ns.Network("net", dt="1 ms")
    net.population("plain", 1, follower, p=ns.table([0.01, 0.02], every="1 ms"))
    net.population("named", 1, follower, p=ns.table([10, 20], every="1 ms", unit="mV"))
    net.population("text", 1, follower, p=ns.table(["10 mV", "0.02 V"], every="1 ms"))
    for population in net.populations.values():
        net.record(population, "x")
    run = started(net, backend, "2 ms")
    for name in net.populations:
        values = run.result()[name].trace("x").values[:, 0]
        np.testing.assert_allclose(values, [0.01, 0.02], rtol=1e-15)
    run.set("plain", p=ns.table([0.03, 0.04], every="1 ms"))
    run.run("1 ms")
    assert run.get("plain", "x") == pytest.approx(0.03, rel=1e-15)


def test_weights_are_in_the_unit_of_the_port_and_drives_as_well(backend):
    net = ns.Network("net", dt="0.1 ms")
    source = net.spike_source("source", 1, steps=[[1]])
    target = net.population("target", 2, holder("pA"))
    still = net.project(source, target, ns.all_to_all(), weight=40, name="still")
    drawn = net.project(source, target, ns.all_to_all(), weight=ns.uniform(1, 2), name="drawn")
    drive = net.poisson_drive(target, rate=7, n=3, weight=50, name="drive")
    net.record(still, "w")
    run = started(net, backend, "0.2 ms")
    trace = run.result()["still"].trace("w")
    assert (trace.unit, trace.values[-1].tolist(), trace.initial.tolist()) == (
        "pA",
        [40, 40],
        [40, 40],
    )
    assert run.get(still, "w") == 40
    assert ((run.get(drawn, "w") > 1) & (run.get(drawn, "w") < 2)).all()
    assert (run.get(drive, "rate"), run.get(drive, "weight")) == (pytest.approx(7), 50)
    run.set(still, weight=[10, 20])
    run.set(drive, weight=0.3, rate=11)
    assert run.get(still, "w").tolist() == [10, 20]
    assert (run.get(drive, "rate"), run.get(drive, "weight")) == (
        pytest.approx(11),
        pytest.approx(0.3),
    )


def test_values_of_rules_are_in_the_unit_of_their_name(backend):
    rule = ns.Rule(
        edge="w : nS; e : V",
        pre="dx/dt = -x / tau : s",
        post="y : kHz",
        handlers=[("pre", "out += w; x += step_x; e += gain")],
        parameters={
            "tau": ns.Parameter("s", 0.02),
            "step_x": "0.5 s",
            "gain": ns.Parameter("V", 0.001, per="edge"),
        },
    )
    net = ns.Network("net", dt="1 ms")
    source = net.spike_source("source", 1, steps=[[0]])
    target = net.population("target", 2, holder("uS"))
    plastic = net.project(
        source,
        target,
        ns.all_to_all(),
        rule=rule,
        weight=3,
        e=0.05,
        y=2,
        gain=[0.1, 0.2],
        name="plastic",
    )
    net.record(plastic, "w", "e", "x", "y")
    run = started(net, backend, "2 ms")
    result = run.result()["plastic"]
    units = {name: trace.unit for name, trace in result.traces.items()}
    assert units == {"w": "nS", "e": "V", "x": "s", "y": "kHz"}
    for name, last in {"w": [3, 3], "e": [0.15, 0.25], "y": [2, 2]}.items():
        np.testing.assert_allclose(result.trace(name).values[-1], last, rtol=1e-14)
        np.testing.assert_allclose(run.get(plastic, name), last, rtol=1e-14)
    np.testing.assert_allclose(result.trace("x").values[0], 0.5, rtol=1e-14)
    np.testing.assert_allclose(run.get("target", "x"), 0.003, rtol=1e-14)
    edges = run.edges(plastic)
    np.testing.assert_allclose(edges["e"], [0.15, 0.25], rtol=1e-14)
    assert (edges.weights.tolist(), edges.units["e"]) == ([3, 3], "V")
    run.set(plastic, tau=0.05, e=0.4, w=[1, 2], gain=0.7)
    assert (run.get(plastic, "tau"), run.get(plastic, "w").tolist()) == (0.05, [1, 2])
    np.testing.assert_allclose(run.get(plastic, "e"), 0.4, rtol=1e-15)
    np.testing.assert_allclose(run.get(plastic, "gain"), 0.7, rtol=1e-15)


def test_plain_numbers_of_texts_over_parameters_count_in_the_declared_unit(backend):
    net = ns.Network("net", dt="0.1 ms")
    net.population("cells", 3, holder("V"), x="0.01 * i", p="0.5 + 0.5 * rho", rho=ns.uniform(0, 1))
    net.population("units", 3, holder("V"), x="5 * mV + 1 * mV * i")
    run = started(net, backend)
    np.testing.assert_allclose(run.get("cells", "x"), [0, 0.01, 0.02], rtol=1e-15)
    assert ((run.get("cells", "p") > 0.5) & (run.get("cells", "p") < 1)).all()
    np.testing.assert_allclose(run.get("units", "x"), [0.005, 0.006, 0.007], rtol=1e-15)


def test_pictures_exports_and_files_have_the_numbers_of_the_unit_beside_them(backend, tmp_path):
    net = ns.Network("net", dt="1 ms")
    net.record(net.population("cells", 1, holder("V"), x=0.05), "x")
    run = ns.prepare(net, backend=backend, stream=tmp_path / "stream")
    run.run("2 ms", progress=False)
    result = run.result()
    assert result["cells"].trace("x").values.tolist() == [[0.05], [0.05]]
    assert ns.Recording.load(tmp_path / "stream")["cells"].trace("x").unit == "V"
    saved = ns.Recording.load(result.save(tmp_path / "result.npz"))
    assert saved["cells"].trace("x").values.tolist() == [[0.05], [0.05]]
    axes = ns.plot.traces(result["cells"], "x")[0].axes
    assert axes.get_ylabel() == "cells: x (V)"
    assert axes.get_lines()[0].get_ydata()[0] == 0.05
    if find_spec("neo") is not None:
        signal = result.to_neo().segments[0].analogsignals[0]
        assert float(signal.rescale("mV")[0, 0]) == pytest.approx(50)
    if find_spec("xarray") is not None:
        values = result.to_xarray()["cells"]["x"]
        assert (values.attrs["units"], float(values[0, 0])) == ("V", 0.05)
    if find_spec("pynwb") is not None:
        series = result.to_nwb().acquisition["cells.x"]
        assert (series.unit, series.data[0][0]) == ("V", 0.05)


def test_a_state_saved_in_the_middle_goes_on_in_the_same_unit(backend, tmp_path):
    net = ns.Network("net", dt="1 ms")
    net.record(net.population("cells", 1, holder("V"), x=0.05), "x")
    run = started(net, backend)
    run.save(tmp_path / "state.npz")
    other = ns.prepare(net, backend=backend)
    other.load(tmp_path / "state.npz")
    other.run("1 ms", progress=False)
    assert other.result()["cells"].trace("x").values.tolist() == [[0.05], [0.05]]


def test_ranges_are_told_in_the_unit_of_the_name(backend):
    """A time constant and a refractory time that are declared in s."""
    rule = ns.Rule(
        edge="w : 1",
        pre="dx/dt = -x / tau : 1",
        handlers=[("pre", "x += 1; w = x")],
        parameters={"tau": ns.Parameter("s", 0.02)},
    )
    pausing = ns.Cell(
        "x : 1",
        parameters={"pause": ns.Parameter("s", 0.002)},
        spike="x > 1",
        refractory="pause",
    )
    net = ns.Network("net", dt="1 ms")
    source, target = net.spike_source("source", 1), net.population("target", 1, pausing)
    net.project(source, target, ns.all_to_all(), rule=rule, name="plastic")
    run = started(net, backend)
    with pytest.raises(ns.NetworkError, match="found -0.5 s, expected more than 0 s"):
        run.set("plastic", tau=-0.5)
    with pytest.raises(ns.NetworkError, match="refractory time: found -0.5 s, expected 0 s or"):
        run.set("target", pause=-0.5)
    with pytest.raises(ns.NetworkError, match="refractory time: found -0.5 s, expected 0 s or"):
        net.population("other", 1, pausing, pause=-0.5)
    with pytest.raises(ns.ModelError, match="found -0.5 s, expected more than 0 s"):
        ns.Rule(
            edge="w : 1",
            pre="dx/dt = -x / tau : 1",
            handlers=[("pre", "x += 1")],
            parameters={"tau": ns.Parameter("s", -0.5)},
        )
