"""Equations over several lines, units with powers, and words that come from elsewhere."""

import numpy as np
import pytest
from support.messages import parts

import neurosim as ns

PARAMETERS = {"tau": "10 ms", "rest": "-70 mV"}
ONE_LINE = "dv/dt = (rest - v) / tau + rest / tau : mV; w : 1"


@pytest.mark.parametrize(
    "text",
    [
        "dv/dt = (rest - v) / tau\n    + rest / tau : mV\nw : 1",
        "dv/dt = (rest - v) / tau + # a comment; with : and (\n  rest / tau : mV\nw : 1",
        "dv/dt = (rest - v) / tau \\\n  + rest / tau : mV\n w : 1",
        "dv/dt =\n (rest - v) / tau + rest / tau\n : mV ; w : 1",
        "dv/dt = (rest\n - v\n) / tau + rest / tau : mV\nw : 1",
        "dv/dt = (rest - v) /\n\n tau + rest / tau : mV\nw : 1",
    ],
)
def test_an_equation_ends_with_its_unit_over_however_many_lines(text):
    assert ns.Cell(text, parameters=PARAMETERS) == ns.Cell(ONE_LINE, parameters=PARAMETERS)


@pytest.mark.parametrize("text", ["v : 1\nw", "dv/dt = -v / tau\ndw/dt = -w / tau : 1", "v\nw : 1"])
def test_a_line_without_unit_before_another_equation_is_refused(text):
    with pytest.raises(ns.ModelError, match="has no unit. End it with ': unit'"):
        ns.Cell(text, parameters=PARAMETERS)


def test_statements_and_conditions_continue_over_lines():
    cell = ns.Cell(
        ONE_LINE,
        parameters=PARAMETERS,
        spike="v > rest and\n  (w < 3\n or v > 0 * mV)",
        after_spike="v = rest\n  - 5 * mV\nw = max(w,\n  2) +\n 1",
    )
    same = ns.Cell(
        ONE_LINE,
        parameters=PARAMETERS,
        spike="v > rest and (w < 3 or v > 0 * mV)",
        after_spike="v = rest - 5 * mV; w = max(w, 2) + 1",
    )
    assert cell == same


def test_units_with_powers_stand_in_expressions(backend):
    """A published cell per area: 1 uF/cm2 and 0.3 mS/cm2, over an area of 20000 um2."""
    cell = ns.Cell(
        """dv/dt = (0.3 * mS/cm**2 * (-54.4 * mV - v)
                    + current / (20000 * um**2)) / (1 * uF*cm**-2) : mV
           a = 20000 * um**2 : cm**2
           c = 3 * mM : mM
           d = 2 * umol / cm**3 : mM""",
        parameters={"current": "20 pA"},
        method="euler",
    )
    net = ns.Network("net", dt="0.1 ms")
    net.population("p", 1, cell)
    run = ns.prepare(net, backend=backend)
    run.run("0.1 ms")
    slope = 0.3 * -54.4 + 20e-6 / 20000e-8  # mS/cm2 mV = uA/cm2, and 20 pA = 20e-6 uA
    assert run.get("p", "v")[0] == pytest.approx(0.1 * slope, rel=1e-12)


@pytest.mark.parametrize(
    "name",
    ["cm", "m", "mM", "umolar", "msiemens", "uamp", "mvolt", "nmol", "K", "minute", "kelvin"],
)
def test_common_units_are_known(name):
    assert ns.Cell(f"a = 2 * {name} : {name}").definitions[0].unit.text == name


@pytest.mark.parametrize("name", ["EL", "gNa", "g", "a", "C", "Em", "b", "bit", "point"])
def test_short_names_that_only_pint_takes_for_units_are_unknown(name):
    """EL would be exalitres: a forgotten parameter has the message of a forgotten parameter."""
    with pytest.raises(ns.ModelError, match=f"there is no name '{name}'"):
        ns.Cell(f"dv/dt = {name} * v / ms : mV")


@pytest.mark.parametrize(
    ("function", "remedy"), [("rand", "uniform()"), ("randn", "normal()"), ("atan", "arctan(x)")]
)
def test_functions_of_other_languages_are_answered_with_ours(function, remedy):
    message = parts(f"there is no function {function!r}.", f"Write {remedy}.")
    with pytest.raises(ns.ModelError, match=message):
        ns.Cell(f"v = {function}() : 1")


def test_unless_refractory_freezes_a_state(backend):
    def values(equations, refractory):
        cell = ns.Cell(
            equations,
            parameters={"tau": "10 ms"},
            spike="v > 0.5",
            after_spike="v = 0.2",
            refractory=refractory,
        )
        net = ns.Network("net", dt="1 ms")
        net.population("p", 1, cell)
        net.record(net["p"], "v")
        return ns.simulate(net, "30 ms", backend=backend)["p"].trace("v").values

    flagged = values("dv/dt = (1 - v) / tau : 1 (unless refractory)", "3 ms")
    frozen = values("dv/dt = (1 - v) / tau : 1", ns.Refractory("3 ms", freezes="v"))
    free = values("dv/dt = (1 - v) / tau : 1", "3 ms")
    assert (flagged == frozen).all() and not np.array_equal(flagged, free)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("dv/dt = -v / ms : 1 (unless refractory)", {}), "expected a refractory time with it"),
        (("dv/dt = -v / ms : 1 (constant)", {}), "expected the unit alone. Leave it out"),
        (
            ("dv/dt = -v / ms : 1 (unless refractorry)", {}),
            r"has '\(unless refractorry\)' after its unit, expected the unit alone or '\(unless",
        ),
        (
            ("dv/dt = -v / ms : 1", {"spike": "v > 1", "refractory": "v / 2"}),
            "expected a time or the name of a parameter. Give it such as '2 ms'.",
        ),
    ],
)
def test_words_after_a_unit_and_conditions_for_times_are_answered(arguments, message):
    equations, fields = arguments
    with pytest.raises(ns.ModelError, match=message):
        ns.Cell(equations, **fields)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("2 ^ v", "Write it with '**' for a power."),
        ("np.exp(v)", "Write it with exp(...) alone."),
        ("(v > 1) & (v < 2)", "Write it with 'and' and 'or'."),
    ],
)
def test_habits_of_other_languages_are_answered(text, remedy):
    with pytest.raises(ns.ModelError, match=parts("equation of a", remedy)):
        ns.Cell(f"v : 1; a = {text} : 1")


@pytest.mark.parametrize("whole", [True, False])
def test_by_of_neurons_names_the_value_that_is_missing(whole):
    net = ns.Network("net", dt="1 ms")
    p = net.population("p", 3, ns.Cell("v : 1"))
    message = parts(
        "population 'p': found .by('target') of neurons", "population['v'].by('target')"
    )
    with pytest.raises(ns.NetworkError, match=message):
        (p if whole else p[:2]).by("target")
