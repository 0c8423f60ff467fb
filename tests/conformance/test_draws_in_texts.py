"""Random draws within the texts of a population's values."""

import numpy as np
import pytest
from support.messages import parts

import neurosim as ns

CELL = ns.Cell(
    "v : mV; u : mV; two = 2 * uniform() : 1",
    parameters={"tau": "10 ms", "double": "2 * tau"},
)


def drawn(backend, **values):
    """Return the initial v and u of 2000 neurons."""
    net = ns.Network("drawn", dt="1 ms", seed=3)
    net.record(net.population("p", 2000, CELL, **values), "v", "u")
    traces = ns.simulate(net, "1 ms", backend=backend)["p"].traces
    return traces["v"].values[0], traces["u"].values[0]


def test_a_text_may_draw_for_each_neuron(backend):
    v, u = drawn(backend, v="(i / N - 70 + 5 * normal()) * mV", u="4 + uniform()")
    assert v.mean() == pytest.approx(-69.5, abs=0.4) and v.std() == pytest.approx(5, abs=0.3)
    assert u.min() >= 4 and u.max() <= 5 and u.std() == pytest.approx(12**-0.5, abs=0.02)


def test_each_occurrence_and_each_name_has_numbers_of_its_own(backend):
    v, u = drawn(backend, v="normal() - normal()", u="normal()")
    assert v.std() == pytest.approx(2**0.5, abs=0.1)
    assert abs(np.corrcoef(v, u)[0, 1]) < 0.1


def test_draws_do_not_depend_on_the_texts_of_others(backend):
    alone, _ = drawn(backend, v="normal()")
    beside, _ = drawn(backend, u="normal() + uniform()", v="normal()")
    assert (alone == beside).all()


def test_parameters_that_follow_a_drawn_one_read_its_numbers():
    net = ns.Network("drawn", dt="1 ms", seed=3)
    population = net.population("p", 50, CELL, tau="5*ms + 10*ms * uniform()")
    run = ns.prepare(net)
    tau = run.get(population, "tau")
    assert len(set(tau)) == 50 and (run.get(population, "double") == 2 * tau).all()


def test_initial_values_of_a_cell_may_draw():
    cell = ns.Cell("v : mV", initial={"v": "10*mV * uniform()"})
    net = ns.Network("drawn", dt="1 ms", seed=3)
    net.population("p", 50, cell)
    assert len(set(ns.prepare(net).get("p", "v"))) == 50


@pytest.mark.parametrize(
    "text, message",
    [
        ("normal() * ms", "'normal() * ms' is a time (ms), but a voltage (mV) is expected."),
        ("normal() * t", "'normal() * t' depends on time (t)"),
        ("two * mV", "'2 * uniform() * mV' depends on a random draw (uniform())"),
    ],
)
def test_texts_with_draws_are_checked_at_their_line(text, message):
    net = ns.Network("drawn", dt="1 ms")
    with pytest.raises(ns.ModelError, match=parts("population 'p', v: ", message)):
        net.population("p", 3, CELL, v=text)


SOURCES = {
    "poisson": lambda net, **values: net.poisson("s", 2, rate=5, **values),
    "bernoulli": lambda net, **values: net.bernoulli("s", 2, p=0.1, **values),
    "regular": lambda net, **values: net.regular("s", 2, rate=5, **values),
    "gamma": lambda net, **values: net.gamma("s", 2, rate=5, shape=2, **values),
    "given": lambda net, **values: net.spike_source("s", 2, **values),
}


@pytest.mark.parametrize("source", SOURCES)
def test_sources_have_positions_that_texts_over_pairs_read(source):
    net = ns.Network("placed", dt="1 ms")
    sources = SOURCES[source](net, positions=[[0, 0], [30, 40]])
    cell = ns.Cell("v : 1", receives={"v": ns.Port("1", into="v")})
    target = net.population("t", 1, cell, positions=[[0, 0]])
    net.project(sources, target, ns.all_to_all(), weight="distance / um", name="p")
    assert ns.prepare(net).edges("p").weights == pytest.approx([0, 50])


def test_rates_of_sources_may_be_text_over_their_positions():
    net = ns.Network("placed", dt="1 ms")
    net.poisson("s", 2, rate="x / um * Hz", positions=[[3, 0], [7, 0]])
    assert ns.prepare(net).get("s", "rate") == pytest.approx([3, 7])


def test_positions_of_sources_are_checked_before_anything_is_added():
    net = ns.Network("placed", dt="1 ms")
    with pytest.raises(ns.NetworkError, match="found positions of shape"):
        net.spike_source("s", 3, positions=[[0, 0]])
    assert not net.populations


def test_texts_of_drives_draw_for_each_target():
    cell = ns.Cell("v : mV", receives={"v": ns.Port("mV", into="v")})
    net = ns.Network("driven", dt="1 ms", seed=3)
    population = net.population("p", 500, cell)
    for name in ("first", "second"):
        net.poisson_drive(population, rate=5, weight="(10 + normal()) * mV", name=name)
    run = ns.prepare(net)
    first, second = run.get("first", "weight"), run.get("second", "weight")
    assert first.mean() == pytest.approx(10, abs=0.2) and first.std() == pytest.approx(1, abs=0.1)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.15
