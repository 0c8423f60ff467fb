"""Rung 1, units: the table and pint agree, engine units are coherent, and quantities of a wrong
kind are refused.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import partial

import numpy as np
import pint
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import examples
from support.messages import parts

import neurosim as ns
from neurosim.errors import ModelError, NetworkError
from neurosim.models import cells
from neurosim.models.cells import lif
from neurosim.quantities import as_array, find_unit, to_engine
from neurosim.units import (
    CAPACITANCE,
    CONCENTRATION,
    CONDUCTANCE,
    CURRENT,
    LENGTH,
    NUMBER,
    RATE,
    RESISTANCE,
    SUBSTANCE,
    TABLE,
    TIME,
    VOLTAGE,
    measure_pint,
    multiply,
    name_of,
    of,
    read,
    unit,
)

REGISTRY = pint.UnitRegistry()
MS = unit("ms")


@pytest.mark.parametrize("name", [n for n in TABLE if n != "h"] + ["h"])
def test_the_table_agrees_with_pint(name):
    size, exponents = TABLE[name]
    pint_name = {"Mohm": "megaohm", "Gohm": "gigaohm", "kohm": "kiloohm"}.get(name, name)
    pint_size, dimension = measure_pint(REGISTRY.Quantity(1.0, pint_name))
    assert pint_size == pytest.approx(size, rel=1e-14) and dimension == exponents
    quantity = REGISTRY.Quantity(0.3, pint_name)
    text = f"0.3 {name}"
    same = to_engine(text, unit(name), where="")
    # Pint's short form of molar, M, is one that the table lacks: it is read with two roundings.
    expected = pytest.approx(same, rel=3e-16) if name == "molar" else same
    assert to_engine(quantity, unit(name), where="") == expected


def test_engine_units_are_coherent():
    """nF mV = nA ms, uS mV = nA, Mohm nA = mV: equations need no factor."""
    assert CAPACITANCE == multiply(multiply(CURRENT, TIME), VOLTAGE, -1)
    assert CONDUCTANCE == multiply(CURRENT, VOLTAGE, -1) == multiply(NUMBER, RESISTANCE, -1)
    assert all(
        TABLE[name][0] == 1.0
        for name in ("ms", "mV", "nA", "nF", "uS", "Mohm", "kHz", "um", "mM", "amol")
    )


@pytest.mark.parametrize(
    ("text", "size", "exponents"),
    [
        ("mV/ms", 1.0, multiply(VOLTAGE, TIME, -1)),
        ("V", 1e3, VOLTAGE),
        ("nA*ms**2", 1.0, multiply(CURRENT, TIME, 2)),
        ("1/s", 1e-3, RATE),
        ("s**-1", 1e-3, RATE),
        ("1/(ms*mV)", 1.0, multiply(RATE, VOLTAGE, -1)),
        ("ms**0.5", 1.0, multiply(NUMBER, TIME, Fraction(1, 2))),
        ("pA / ms**0.5", 1e-3, multiply(CURRENT, TIME, Fraction(-1, 2))),
        ("", 1.0, NUMBER),
        ("1", 1.0, NUMBER),
        ("m", 1e6, LENGTH),
        ("minute", 6e4, TIME),
        ("J / C", 1e3, VOLTAGE),
        ("siemens", 1e6, CONDUCTANCE),
        ("dimensionless", 1.0, NUMBER),
        ("mol", 1e18, SUBSTANCE),
        ("umol/l", 1e-3, CONCENTRATION),
        ("mol/m**3", 1.0, CONCENTRATION),
        ("M", 1e3, CONCENTRATION),
        ("uM/s", 1e-6, multiply(CONCENTRATION, TIME, -1)),
        ("%", 0.01, NUMBER),
    ],
)
def test_texts_of_units_are_read(text, size, exponents):
    parsed = unit(text)
    assert (parsed.size, parsed.exponents) == (pytest.approx(size, rel=1e-12), exponents)


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=6, max_size=6))
def test_the_name_of_a_dimension_reads_back_as_the_dimension(powers):
    exponents = tuple(Fraction(p, 2) for p in powers)
    assert unit(name_of(exponents)).exponents == exponents


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("20 ms", 20.0),
        ("0.02 s", 20.0),
        ("20ms", 20.0),
        (" 20  ms ", 20.0),
        ("-5 ms", -5.0),
        ("+.5 s", 500.0),
        ("1e-3 s", 1.0),
        ("20*ms", 20.0),
        ("5 /kHz", 5.0),
        ("1 min", 6e4),
        ("1000 us", 1.0),
    ],
)
def test_quantities_are_read_into_engine_units(text, value):
    assert to_engine(text, MS, where="here") == pytest.approx(value, rel=1e-14)


def test_plain_numbers_are_in_the_declared_unit():
    assert to_engine(20, MS, where="here") == 20.0
    assert to_engine(0.05, unit("V"), where="here") == 50.0
    assert to_engine([1, 2], unit("1/s"), where="here").tolist() == [0.001, 0.002]
    assert to_engine(1, unit("mS/cm**2"), where="here") == pytest.approx(1e-5, rel=1e-14)
    assert (
        to_engine(20, unit("Hz"), where="here")
        == to_engine("20 Hz", unit("Hz"), where="here")
        == pytest.approx(0.02)
    )
    assert to_engine(20, unit("1/ms"), where="here") == 20.0
    assert list(to_engine([1, 2], MS, where="here")) == [1.0, 2.0]
    assert list(to_engine(REGISTRY.Quantity([1.0, 2.0], "s"), MS, where="here")) == [1000.0, 2000.0]


def test_text_over_names_of_the_user_is_no_quantity():
    """With a parameter ``b`` the text ``2*b`` is twice the parameter, not two bits."""
    assert read("2*b")[0] == 2.0 and read("2*b", reserved={"b"}) is None
    assert read("2*h*rho", reserved={"h", "rho"}) is None
    assert read("20 %")[0] == read("20%")[0] == 20.0 and read("20 % 3") is None
    assert read("2 - 3") is None and read("tau") is None and read("-65 + 15*rho**2") is None


@pytest.mark.parametrize("text", ["0.1 s", "0.1s", " 0.1  s ", "5 1/s", "-70 mV", "3 mV/s"])
def test_a_number_and_a_unit_are_a_quantity_whatever_names_there_are(text):
    """As expressions these texts could not be read at all."""
    assert read(text, reserved={"s", "mV", "h", "V"}) == read(text)


@pytest.mark.parametrize(
    ("text", "quantity", "expression"),
    [
        ("5/s", "5 1/s", "(5) /s"),
        ("5 * s", "5 s", "(5) * s"),
        ("0.1*mV/ms", "0.1 mV/ms", "(0.1) *mV/ms"),
    ],
)
def test_a_text_with_two_meanings_is_refused_with_both(text, quantity, expression):
    names = {"s", "mV"}
    message = parts(
        "here:", repr(text), "is a quantity, and an expression over", quantity, expression
    )
    with pytest.raises(ModelError, match=message):
        read(text, reserved=names, where="here")
    # Both remedies have one meaning, and a text whose unit cannot be meant has one, too.
    assert read(quantity, reserved=names) == read(text)
    assert read(expression, reserved=names) is None
    assert read(text, reserved=names, declared=unit("mol")) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "mVV",
            ("unit 'mVV': there is no unit 'mVV'.", "Did you mean 'mV'?", "The units are: A, F,"),
        ),
        (
            "ms**",
            ("unit 'ms**': cannot be read.", "Write units as products and powers, such as 'mV/ms'"),
        ),
        ("ms ms", ("unit 'ms ms': cannot be read.", "Write units")),
        ("ms\0", ("cannot be read.",)),
        ("(" * 300 + "ms" + ")" * 300, ("cannot be read.",)),
        ("-" * 100_000 + "ms", ("cannot be read.",)),
        (
            "ms**x",
            ("unit 'ms**x': the power 'x' is not a number.", "Write a power such as 'ms**2'."),
        ),
        ("ms**(1/3)", ("the power '1/3' is not a number.",)),
        (
            "ms + mV",
            (
                "unit 'ms + mV': found 'ms + mV', expected the name of a unit.",
                "Write units as products and powers",
            ),
        ),
        ("2*ms", ("found '2', expected the name of a unit.",)),
        ("True", ("found 'True', expected the name of a unit.",)),
        ("mV/0", ("found '0'",)),
        ("ms.real", ("found 'ms.real'",)),
        ("__import__('os')", ("found \"__import__('os')\", expected the name of a unit.",)),
        (
            "V**400",
            (
                "unit 'V**400': its size in ms, mV and nA is no number that can be computed with.",
                "Use a smaller power.",
            ),
        ),
        ("us**200", ("is no number that can be computed with",)),
        ("1/us**200", ("is no number that can be computed with",)),
        (
            "degC",
            (
                "unit 'degC': 'degC' does not count from zero, expected a unit of which twice as "
                "many are twice as much.",
                "Use K.",
            ),
        ),
        (
            "candela",
            ("its dimension has luminosity, expected time, voltage, current", "Give it in these."),
        ),
        (5, ("unit 5: expected text.", "Write units such as 'mV/ms'")),
        (None, ("unit None: expected text.",)),
    ],
)
def test_what_is_no_unit_is_refused(text, message):
    with pytest.raises(ModelError, match=parts(*message)):
        unit(text)
    with pytest.raises(ModelError, match=parts("cell 'c', parameter 'a': ", *message)):
        unit(text, where="cell 'c', parameter 'a'")


ENDLESS: list = [1.0]
ENDLESS.append(ENDLESS)


class Hostile:
    """Raises whatever it is asked for."""

    def __getattr__(self, name):
        raise (AttributeError if name.startswith("_") else RuntimeError)(name)

    def __repr__(self):
        raise RuntimeError("no text")


class HostileArray:
    """Is an array until it is read."""

    def __array__(self, dtype=None, copy=None):
        raise KeyError("array")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("20 mV", ("'20 mV' is a voltage (mV), but a time (ms) is expected.", "Give it in ms.")),
        ("20", ("'20' has no unit, but a time (ms) is expected.", "Write '20 ms'.")),
        (
            "20 parsec",
            ("'20 parsec' is a length (parsec), but a time (ms) is expected.", "Give it in ms."),
        ),
        ("2 mV*ms", ("is a quantity in mV*ms, but a time (ms) is expected.",)),
        ("20 msec2", ("unit 'msec2': there is no unit 'msec2'.",)),
        ("ms", ("'ms' is not a quantity.", "Write a number and a unit, such as '20 ms'.")),
        ("nan ms", ("is not a quantity.",)),
        ("", ("is not a quantity.",)),
        (
            REGISTRY.Quantity(3.0, "mV"),
            ("is a voltage (mV), but a time (ms) is expected.", "Give it in ms."),
        ),
        (None, ("None is not a quantity.", "Give a number, an array, or text such as '20 ms'.")),
        (object, ("is not a quantity.",)),
        (1j, ("is not a quantity.",)),
        ([1, [2]], ("is not a quantity.",)),
        ({"a": 1}, ("is not a quantity.",)),
        (np.array(["a"]), ("is not a quantity.",)),
        (b"1 ms", ("is not a quantity.",)),
        (True, ("True (truth values) is not a quantity.", "Give a number, an array")),
        (np.bool_(True), ("(truth values) is not a quantity.",)),
        ([1.0, True], ("True (truth values) is not a quantity.",)),
        (np.array([True]), ("an array of shape (1,) (truth values) is not a quantity.",)),
        (np.array([1j]), ("an array of shape (1,) (complex numbers) is not a quantity.",)),
        ([1.0, 1j], ("1j (complex numbers) is not a quantity.",)),
        (np.array(["2020-01-01"], "M8[s]"), ("(dates) is not a quantity.",)),
        (np.array([1], "m8[s]"), ("(spans of time) is not a quantity.",)),
        (np.zeros(2, "i4,f8"), ("(records) is not a quantity.",)),
        (np.ma.array([1.0, 2.0]), ("(masked) is not a quantity.", "Fill the gaps with numpy.ma")),
        ([np.ma.masked, 1.0], ("(masked) is not a quantity.",)),
        (REGISTRY.Quantity(np.array([1j]), "ms"), ("(complex numbers) is not a quantity.",)),
        (["1", "2"], ("'1' has no unit, but a time (ms) is expected.", "Write '1 ms'.")),
        (np.array(["1 ms", "x"]), ("'x' is not a quantity.",)),
        (np.array([b"1"]), ("(bytes) is not a quantity.",)),
        (10**400, ("(too large for a float) is not a quantity.",)),
        ([1, 10**400], ("(with a number too large for a float) is not a quantity.",)),
        ([[1, 2], [3]], ("[[1, 2], [3]] (its rows differ in length) is not a quantity.",)),
        (ENDLESS, ("found lists within lists, more than 16 deep", "contains itself")),
        (Hostile(), ("a Hostile cannot be read as a quantity (RuntimeError).", "Give a number")),
        ([1.0, Hostile()], ("cannot be read as a quantity (RuntimeError).",)),
        (HostileArray(), ("a HostileArray cannot be read as a quantity (KeyError).",)),
    ],
)
@pytest.mark.parametrize("error", [ModelError, NetworkError])
def test_quantities_of_a_wrong_kind_are_refused(value, message, error):
    with pytest.raises(error, match=parts("here: ", *message)):
        to_engine(value, MS, where="here", error=error)


class Broken:
    """Raises a user's error when it is read."""

    problem = KeyError("sensor 7 is off")

    def __array__(self, dtype=None, copy=None):
        raise self.problem

    def __len__(self):
        return 3

    def __iter__(self):
        raise self.problem

    def __contains__(self, item):
        return False


BROKEN_USES = {
    "a parameter": lambda net, a: net.population("b", 3, cells.lif(), tau=Broken()),
    "a weight": lambda net, a: net.project(a, a, ns.one_to_one(), weight=[1, Broken(), 1]),
    "positions": lambda net, a: net.population("b", 3, cells.lif(), positions=Broken()),
    "a view": lambda net, a: a[Broken()],
    "indices": lambda net, a: ns.from_arrays(Broken(), [1]),
    "times": lambda net, a: net.spike_source("b", 3, times=Broken()),
    "a duration": lambda net, a: ns.simulate(net, Broken(), backend="reference"),
}


@pytest.mark.parametrize("use", BROKEN_USES.values(), ids=BROKEN_USES)
def test_the_error_of_a_user_object_is_the_cause_of_ours(use):
    net = ns.Network("broken", dt=1.0)
    with pytest.raises(NetworkError, match="KeyError") as refused:
        use(net, net.population("a", 3, cells.lif()))
    assert refused.value.__cause__ is Broken.problem


@pytest.mark.parametrize("read", [partial(to_engine, declared=MS), as_array])
def test_an_exception_that_interrupts_the_reading_of_numbers_is_let_through(read, monkeypatch):
    def alarm(*_, **__):
        raise TimeoutError("the time is over")

    for function in ("asarray", "array"):
        monkeypatch.setattr(f"neurosim.quantities.np.{function}", alarm)
    with pytest.raises(TimeoutError, match="the time is over"):
        read(np.ones(3, int), where="here")


class WithUnit(np.ndarray):
    """An array with a unit as astropy's quantities have it."""

    unit = "ms"


def of_brian(numbers):
    return numbers * pytest.importorskip("brian2").ms


def of_quantities(numbers):
    return numbers * pytest.importorskip("quantities").ms


def of_astropy(numbers):
    return np.array(numbers).view(WithUnit)


@pytest.mark.parametrize(
    ("quantity", "name"),
    [
        pytest.param(of_brian, "brian2.Quantity", marks=pytest.mark.simulator),
        (of_quantities, "quantities.Quantity"),
        (of_astropy, "test_units.WithUnit"),
    ],
)
def test_quantities_of_other_libraries_are_refused_and_never_lose_their_unit(quantity, name):
    """NumPy takes the number alone: 0.3 ms of Brian 2 would be 0.0003 ms."""
    message = parts(
        f"here: found a quantity of another library ({name}), expected text, plain numbers or "
        "pint's. ",
        "Write it as text, such as '0.3 ms', or give its numbers in ms.",
    )
    one, many = quantity(0.3), quantity(np.full(3, 0.3))
    for value in (
        one,
        many,
        [one, one],
        (1.0, one),
        [[0.1], [one]],
        [many, many],
        np.array([1.0, one, None], dtype=object),
    ):
        with pytest.raises(NetworkError, match=message):
            to_engine(value, MS, where="here", error=NetworkError)


@pytest.mark.parametrize(
    "quantity",
    [pytest.param(of_brian, marks=pytest.mark.simulator), of_quantities, of_astropy],
)
def test_networks_and_cells_refuse_quantities_of_other_libraries(quantity):
    net = ns.Network("net", dt="0.1 ms")
    for act in (
        lambda: net.population("p", 2, lif(), tau=quantity(0.3)),
        lambda: net.population("p", 2, lif(), tau=[quantity(0.3)] * 2),
        lambda: lif(tau=quantity(0.3)),
        lambda: ns.Network("net", dt=quantity(0.3)),
        lambda: net.poisson("q", 2, rate=1 / quantity(np.ones(2))),
        lambda: net.spike_source("s", 1, times=[quantity(np.ones(2))]),
        lambda: ns.table([quantity(1.0)], every="1 ms"),
        lambda: net.population("p", 2, lif(), tau=ns.normal(quantity(3.0), "1 ms")),
    ):
        with pytest.raises((ModelError, NetworkError), match="found a quantity of another library"):
            act()
    assert not net.populations


def test_arrays_without_a_unit_are_plain_numbers():
    values = (
        [1, 2],
        (1.0, 2.0),
        np.array([1, 2]),
        np.array([1.0, 2.0], np.float32),
        np.array([1, 2], dtype=object),
        [np.float64(1), np.int8(2)],
        [np.array(1.0), np.array(2)],
        memoryview(np.array([1.0, 2.0])),
    )
    for value in values:
        assert to_engine(value, MS, where="here").tolist() == [1.0, 2.0]
    assert (
        to_engine(np.float32(2.0), MS, where="here")
        == to_engine(np.array(2), MS, where="here")
        == 2.0
    )


@pytest.mark.parametrize(
    "value",
    [
        ["10 ms", "0.02 s"],
        ("10 ms", "20 ms"),
        [10, "20 ms"],
        ["0.01 s", 20.0],
        np.array(["10 ms", "20 ms"]),
        np.array(["10 ms", 20], dtype=object),
        [REGISTRY.Quantity(10, "ms"), REGISTRY.Quantity(0.02, "s")],
        [REGISTRY.Quantity(0.01, "s"), "20 ms"],
        REGISTRY.Quantity([0.01, 0.02], "s"),
        [np.float32(10), np.int16(20)],
        range(10, 30, 10),
    ],
)
def test_lists_of_quantities_are_read_as_arrays(value):
    np.testing.assert_allclose(to_engine(value, MS, where="here"), [10.0, 20.0], rtol=1e-14)


def test_arrays_without_a_dimension_are_read_as_their_item():
    for value in (np.array("20 ms"), np.array("20 ms", object), np.array(20), np.float16(20)):
        assert to_engine(value, MS, where="here") == 20.0


def test_lists_within_lists_are_arrays_of_more_dimensions():
    values = to_engine([["1 ms", 2], REGISTRY.Quantity([3, 4], "ms")], MS, where="here")
    np.testing.assert_allclose(values, [[1, 2], [3, 4]], rtol=1e-14)
    assert to_engine([], MS, where="here").shape == (0,)


def test_numbers_in_quotes_are_refused_in_columns_of_plain_numbers():
    """Alone, such a text is an expression like any other."""
    for value in (["1", "2"], np.array(["1", "2"]), [1, "2"]):
        with pytest.raises(NetworkError, match=r"here: found the text '[12]', expected a number"):
            to_engine(value, unit("1"), where="here", error=NetworkError)
    assert to_engine("2", unit("1"), where="here") == 2.0
    assert to_engine("2", unit("percent"), where="here") == 0.02


def test_a_value_names_the_first_of_its_units():
    assert find_unit([1, "2 pA", "3 nA"]).text == "pA"
    assert find_unit([[REGISTRY.Quantity(1, "uV")]]).text == "uV"
    for value in (1, [1, 2], "2", "a b", np.zeros(2), ENDLESS, Hostile(), ["1 parrot"], None):
        assert find_unit(value) is None


def test_units_say_what_they_measure():
    assert [str(unit(text)) for text in ("mV", "1", "s", "mV/ms")] == [
        "a voltage (mV)",
        "a plain number",
        "a time (s)",
        "a quantity in mV/ms",
    ]
    assert str(of(multiply(VOLTAGE, TIME, -1))) == "a quantity in mV/ms"
    assert str(of(RATE)) == "a rate (1/ms)"


def test_infinity_is_left_to_the_checks_that_know_the_place():
    assert math.isinf(to_engine("1e999 ms", MS, where="here"))
