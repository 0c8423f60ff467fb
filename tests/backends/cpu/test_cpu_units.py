"""Declared units on the compiled engine, in both precisions."""

from __future__ import annotations

import numpy as np
import pytest

import neurosim as ns


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_powers_of_concentrations_have_room_in_either_precision(precision):
    """A Hill function of calcium: 0.2 uM against a half of 0.4 uM, to the fourth power."""
    cell = ns.Cell(
        "open : 1; c : umolar",
        parameters={"half": ns.Parameter("umolar", 0.4)},
        step="open = c**4 / (c**4 + half**4)",
        initial={"c": 0.2},
    )
    net = ns.Network("net", dt="1 ms")
    net.record(net.population("cells", 1, cell), "open", "c")
    run = ns.prepare(net, backend="cpu", precision=precision)
    run.run("1 ms", progress=False)
    result = run.result()["cells"]
    assert result.trace("open").values[0, 0] == pytest.approx(1 / 17, rel=1e-6)
    assert (result.trace("c").values[0, 0], result.trace("c").unit) == (
        pytest.approx(0.2, rel=1e-7),
        "umolar",
    )


@pytest.mark.parametrize("unit", ["V", "uV", "pA", "min", "kHz", "mS/cm**2", "umolar"])
def test_in_float32_samples_and_initial_values_are_rounded_alike(unit):
    net = ns.Network("net", dt="1 ms")
    net.record(net.population("cells", 2, ns.Cell(f"x : {unit}"), x=[0.05, 35]), "x")
    run = ns.prepare(net, backend="cpu", precision="float32")
    run.run("1 ms", progress=False)
    trace = run.result()["cells"].trace("x")
    np.testing.assert_allclose(trace.values[0], [0.05, 35], rtol=6e-8)
    np.testing.assert_array_equal(trace.values[0], trace.initial)
    np.testing.assert_array_equal(trace.values[0], run.get("cells", "x"))
