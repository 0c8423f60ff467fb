"""Parameters that follow an expression over time, and weights that edges share."""

import numpy as np
import pytest

import neurosim as ns
from neurosim.models import cells


def integrator(**parameters):
    return ns.Cell("dx/dt = drive : ms", parameters={"drive": 0.0, "scale": 2.0} | parameters)


def test_a_parameter_follows_text_over_time_in_the_network(backend):
    net = ns.Network("course", dt="0.5 ms")
    net.record(
        net.population("x", 3, integrator(), drive="scale * (1 + i) * t / ms", scale=3.0), "x"
    )
    steps = np.arange(8)
    expected = np.cumsum(0.5 * 3.0 * np.outer(0.5 * steps, [1, 2, 3]), axis=0)
    assert ns.simulate(net, "4 ms", backend=backend)["x"].trace("x").values == pytest.approx(
        expected, rel=1e-12
    )


def test_a_cell_that_follows_a_course_equals_one_written_with_it(backend):
    def trace(cell):
        net = ns.Network("course", dt="0.1 ms")
        net.record(net.population("x", 1, cell), "v")
        return ns.simulate(net, "20 ms", backend=backend)["x"].trace("v").values

    assert (
        trace(cells.lif().following(current="0.3*nA * sin(2*pi*t / (10*ms))"))
        != trace(cells.lif(current="0 nA"))
    ).any()
    written = ns.Cell("dx/dt = drive : ms\ndrive = 2 * t / ms : 1", initial={"x": "1 ms"})
    followed = ns.Cell(
        "dx/dt = drive : ms", parameters={"drive": 0.0}, initial={"x": "1 ms"}
    ).following(drive="2 * t / ms")
    assert followed.definitions == written.definitions


def test_draws_of_a_course_have_streams_of_their_own(backend):
    net = ns.Network("course", dt="1 ms")
    cell = ns.Cell("x : 1; y : 1", parameters={"drive": 0.0}, step="x = normal(); y = drive")
    net.record(net.population("x", 50, cell, drive="normal() + 0*t/ms"), "x", "y")
    traces = ns.simulate(net, "20 ms", backend=backend)["x"].traces
    assert abs(np.corrcoef(traces["x"].values.ravel(), traces["y"].values.ravel())[0, 1]) < 0.1


def test_a_course_of_the_wrong_unit_is_refused_with_the_cell_and_the_units():
    with pytest.raises(
        ns.ModelError,
        match=(
            r"cell 'lif.*', equation of current: .* is a voltage \(mV\), but a current \(nA\) "
            r"is expected"
        ),
    ):
        cells.lif().following(current="3*mV * t / ms")


def test_a_course_of_an_unknown_parameter_is_answered_with_the_parameters():
    with pytest.raises(ns.ModelError, match="has no parameter 'curent'. Did you mean 'current'"):
        cells.lif().following(curent="t / ms * nA")


def test_an_index_of_shared_weights_outside_the_table_is_refused():
    with pytest.raises(
        ns.NetworkError,
        match=(
            r"shared weights: found an index .*expected one whole number from 0 to 1 for each "
            r"edge"
        ),
    ):
        ns.shared([1.0, 2.0], index=[0, 2])
