"""A name of the user that is a unit, too: one meaning everywhere, or a refusal with both."""

from typing import Any

import numpy as np
import pytest
from support.messages import parts

import neurosim as ns
from neurosim.draws.streams import Stream

STATES = ("s", "m", "h", "V")


@pytest.mark.parametrize("name", STATES)
def test_a_state_hides_no_unit_in_a_quantity(name, backend):
    quantities = {"tau": "0.1 s", "level": "-0.05 V", "length": "0.001 m", "day": "0.5 h"}
    units = {"tau": "ms", "level": "mV", "length": "um", "day": "ms"}
    declared = {key: ns.Parameter(unit, 1) for key, unit in units.items()}
    cell = ns.Cell(f"d{name}/dt = -{name} / tau : 1", parameters=declared)
    own = ns.Cell(f"d{name}/dt = -{name} / tau : 1", parameters=quantities)
    net = ns.Network("net", dt="1 ms")
    population = net.population("given", 2, cell, **quantities)
    net.population("own", 2, own)
    later = net.population("later", 2, cell)
    run = ns.prepare(net, backend=backend)
    run.set(later, **quantities)
    for owner in ("given", "own", "later"):
        for key, value in {"tau": 100.0, "length": 1000.0, "level": -50.0, "day": 1.8e6}.items():
            got = run.get(owner, key)
            if owner == "own":  # declared by the quantity itself
                continue
            assert np.all(np.asarray(got) == pytest.approx(value)), (owner, key)
    assert population.values["tau"] == 100.0


@pytest.mark.parametrize("text", ["5/s", "5 / s"])
def test_a_rate_over_the_name_of_a_state_is_refused_with_the_remedy(text):
    cell = ns.Cell("s : 1", parameters={"rate": ns.Parameter("1/s", 1)})
    net = ns.Network("net", dt="1 ms")
    message = parts("population 'p', rate", repr(text), "expected one of them", "'5 1/s'")
    with pytest.raises(ns.ModelError, match=message):
        net.population("p", 1, cell, rate=text)
    net.population("p", 1, cell, rate="5 1/s")
    assert net["p"].values["rate"] == pytest.approx(0.005)


def test_initial_values_and_parameters_of_a_cell_are_refused_alike():
    for bad in (
        lambda: ns.Cell("s : 1; x : 1/s", initial={"x": "2/s"}),
        lambda: ns.Cell("x : 1", parameters={"s": 1, "rate": "2/s"}),
        lambda: ns.Cell("x : 1", parameters={"V": 1, "rest": ns.Parameter("mV", "2*V")}),
    ):
        with pytest.raises(ns.ModelError, match="is a quantity, and an expression over"):
            bad()
    # Only one of the two meanings has the declared unit.
    cell = ns.Cell("h : 1", parameters={"gain": ns.Parameter("1", 1)}, initial={"h": 0.5})
    net = ns.Network("net", dt="1 ms")
    net.population("p", 1, cell, gain="2*h")
    run = ns.prepare(net, backend="reference")
    assert run.get("p", "gain") == 1.0


@pytest.mark.parametrize("name", ["edges", "weight", "delay", "back", "draw0"])
def test_a_parameter_of_a_rule_named_as_a_stream_of_the_engine_has_its_own_numbers(name):
    """Equal draws would make a parameter of an edge follow its weight, or its connection."""

    def values(variable):
        net = ns.Network("net", dt="1 ms", seed=3)
        p = net.population("p", 20, ns.Cell("a : 1", receives={"a": ns.Port("1", into="a")}))
        draw = ns.uniform(0, 1)
        rule = ns.Rule(
            edge="w : 1; seen : 1",
            handlers=[("step", "seen = uniform()")],
            parameters={variable: ns.Parameter("1", draw, per="edge")},
        )
        net.project(p, p, ns.fixed_probability(0.5), rule=rule, weight=draw, name="e")
        run = ns.prepare(net, backend="reference")
        run.run("1 ms")
        return {key: run.get("e", key) for key in ("w", variable, "seen")}

    got = values(name)
    others = [got["w"], got["seen"]]
    assert not any((got[name] == other).any() for other in others)
    plain = values("ordinary")
    assert (plain["w"] == got["w"]).all() and (plain["seen"] == got["seen"]).all()


def test_a_parameter_named_as_a_draw_of_the_equations_has_its_own_numbers(backend):
    cell = ns.Cell("seen : 1", step="seen = uniform()", parameters={"draw0": 0, "other": 0})
    net = ns.Network("net", dt="1 ms", seed=3)
    net.population("p", 50, cell, draw0=ns.uniform(0, 1), other=ns.uniform(0, 1))
    run = ns.prepare(net, backend=backend)
    first = run.get("p", "draw0")
    run.run("1 ms")
    assert not (run.get("p", "seen") == first).any()


def test_other_names_keep_the_streams_that_they_had():
    net = ns.Network("net", dt="1 ms", seed=5)
    net.population("p", 3, ns.Cell("a : 1"), a=ns.uniform(0, 1))
    run = ns.prepare(net, backend="reference")
    assert (run.get("p", "a") == Stream(5, "p/a").uniform(np.arange(3))).all()


# Values that `project` would take for its own argument, or refuse with a reason of its own.
ARGUMENTS = {
    "delay": "5 ms",
    "back": "5 ms",
    "box": "5 um",
    "weight": 2.0,
    "dendritic_fraction": 0.5,
    "name": 3.0,
    "port": 3.0,
    "round_delays": 3.0,
    "same_step": [1, 0, 1, 0],
}


@pytest.mark.parametrize("name", ARGUMENTS)
@pytest.mark.parametrize("part", ["variable", "parameter"])
def test_an_argument_that_is_also_a_name_of_the_rule_is_refused(name, part):
    unit = "ms" if name in ("delay", "back", "box") else "1"
    edge = f"x : 1; {name} : {unit}" if part == "variable" else "x : 1"
    parameters = {name: ns.Parameter(unit, 5.0)} if part == "parameter" else {}
    rule = ns.Rule(edge=edge, parameters=parameters, handlers=[("pre", "out += x")], name="two")
    cell = ns.Cell("v : 1", receives={"v": ns.Port("1", into="v")})
    net = ns.Network("net", dt="1 ms")
    p = net.population("p", 2, cell, positions=[[0, 0, 0], [1, 0, 0]])
    message = (
        rf"p\): found {name}=, .* a name of rule 'two', expected one meaning\. Rename it in the"
    )
    with pytest.raises(ns.NetworkError, match=message):
        values: dict[str, Any] = {name: ARGUMENTS[name]}
        net.project(p, p, ns.all_to_all(), rule=rule, **values)
    assert net.projections == {}
    # Its own value serves, and arguments that can mean nothing else are taken.
    projection = net.project(
        p, p, ns.all_to_all(), rule=rule, name="q", port="v", round_delays=True, same_step=False
    )
    assert projection.name == "q" and projection.round_delays


@pytest.mark.parametrize("name", ["source", "target", "connector"])
def test_a_name_of_the_rule_that_was_given_by_position_is_refused(name):
    cell = ns.Cell("v : 1", receives={"v": ns.Port("1", into="v")})
    net = ns.Network("net", dt="1 ms")
    p = net.population("p", 2, cell)
    rule = ns.Rule(edge=f"w : 1; {name} : 1", handlers=[("pre", "out += w")])
    with pytest.raises(ns.NetworkError, match=rf"project: found {name}=, .* rename it there"):
        values: dict[str, Any] = {name: 1.0}
        net.project(p, p, ns.all_to_all(), rule=rule, **values)
    assert net.projections == {}
    edges = net.project(p, p, ns.all_to_all(), rule=rule)
    run = ns.prepare(net, backend="reference")
    run.set(edges, **{name: 2.0})
    assert (run.get(edges, name) == 2.0).all()


@pytest.mark.parametrize("name", ["name", "size", "cell"])
def test_a_name_of_the_cell_that_was_given_by_position_is_refused(name):
    cell = ns.Cell(f"dv/dt = ({name} - v) / ms : 1", parameters={name: 2.0})
    net = ns.Network("net", dt="1 ms")
    with pytest.raises(ns.NetworkError, match=rf"population: found {name}=, .* expected it once"):
        values: dict[str, Any] = {name: 1.0}
        net.population("p", 2, cell, **values)
    assert net.populations == {}
    # By name they are the arguments, and the value of the cell serves.
    net.population(name="p", size=2, cell=cell)
    run = ns.prepare(net, backend="reference")
    assert run.get("p", name) == 2.0
    run.set("p", **{name: 3.0})
    assert run.get("p", name) == 3.0


def test_positions_are_no_state_of_the_cell():
    cell = ns.Cell("positions : um", name="two")
    net = ns.Network("net", dt="1 ms")
    with pytest.raises(ns.NetworkError, match="'p': found positions=, .* a name of cell 'two'"):
        net.population("p", 1, cell, positions=[[0, 0, 0]])
    net.population("p", 1, cell)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0.5*i", [0, 0.5, 1]),
        ("2 * N", [6, 6, 6]),
        ("2*x/um", [2, 6, 10]),
        ("2*rho", [6, 6, 6]),
        ("2*step", [4, 4, 4]),
        ("2*t/ms", [4, 4, 4]),
    ],
)
def test_a_number_and_a_word_of_the_language_are_an_expression(text, values):
    """With ``1*`` in front, `i` was taken for a unit that nobody knows."""
    cell = ns.Cell("v : 1", parameters={"k": 1.0})
    net = ns.Network("net", dt="1 ms")
    rho = {"rho": ns.uniform(3, 3)} if "rho" in text else {}
    net.population("p", 3, cell, positions=[[1, 0], [3, 0], [5, 0]], k=text, **rho)
    run = ns.prepare(net, backend="reference")
    run.run("3 ms")
    assert np.broadcast_to(run.get("p", "k"), 3).tolist() == values


def test_initial_values_of_a_cell_begin_with_a_number_as_well():
    cell = ns.Cell("v : 1; u : 1", parameters={"b": 2.0}, initial={"v": "2*b", "u": "3*i"})
    net = ns.Network("net", dt="1 ms")
    net.population("p", 2, cell)
    run = ns.prepare(net, backend="reference")
    assert run.get("p", "v").tolist() == [4, 4] and run.get("p", "u").tolist() == [0, 3]


@pytest.mark.parametrize("text", ["2*t/ms", "t*2/ms", "2*dt/ms", "dt/ms"])
def test_text_over_time_is_refused_where_a_value_stays(text):
    net = ns.Network("net", dt="1 ms")
    cell = ns.Cell("v : 1", receives={"v": ns.Port("1", into="v")})
    p = net.population("p", 2, cell)
    message = r"depends on time \(d?t\), expected a value for the whole run"
    with pytest.raises(ns.ModelError, match=message):
        net.project(p, p, ns.all_to_all(), weight=text)
    run = ns.prepare(net, backend="reference")
    with pytest.raises(ns.NetworkError, match=message):
        run.set("p", v=text)


def test_a_state_of_the_name_of_spikes_is_no_spikes():
    net = ns.Network("net", dt="1 ms")
    p = net.population("p", 1, ns.Cell("spikes : 1; v : 1", name="counter"))
    with pytest.raises(
        ns.NetworkError, match=r"states: v\. Rename its state 'spikes' to record it"
    ):
        net.record(p, "spikes")
