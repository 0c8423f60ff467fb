"""The functions and operators of the language have one value on every engine."""

import math
import re

import numpy as np
import pytest

import neurosim as ns

X = np.concatenate([np.linspace(-9.5, 9.5, 39), [-1e-9, 1e-9, 1e-30, 12.678]])
TEXTS = {
    "exprel(x)": lambda x: math.expm1(x) / x if x else 1.0,
    "x / exprel(x)": lambda x: x * x / math.expm1(x) if x else 0.0,
    "log10(abs(x) + 1)": lambda x: math.log10(abs(x) + 1),
    "arctan(x)": math.atan,
    "sign(x)": lambda x: float(np.sign(x)),
    "ceil(x)": math.ceil,
    "round(x)": round,
    "int(x)": math.trunc,
    "int(x > 2) + int(-x > 2)": lambda x: float(abs(x) > 2),
    "x % 3": lambda x: x % 3,
    "x // 3": lambda x: x // 3,
    "x % -2.5": lambda x: x % -2.5,
    "-x // 0.1": lambda x: -x // 0.1,
    "2 * x % 3 - x": lambda x: 2 * x % 3 - x,
}


def network(text: str) -> ns.Network:
    cell = ns.Cell(
        "x : 1; y : 1; z : 1",
        step=f"y = {text}; z = where(round(t / ms) % 2 == 0, z + y, z)",
    )
    # A rule and an equation that a method integrates print the same function in other places.
    of_source = re.sub(r"\bx\b", "x_pre", text)
    rule = ns.Rule(edge="w : 1", handlers=[("step", f"w = {of_source}")])
    other = ns.Cell(f"x : 1; dv/dt = ({text} - v * v) / (50 * ms) : 1")
    net = ns.Network("net", dt="1 ms")
    p = net.population("p", X.size, cell, x=X)
    net.population("q", X.size, other, x=X)
    net.project(p, p, ns.one_to_one(), rule=rule, name="e")
    return net


@pytest.mark.parametrize("text", TEXTS)
def test_a_function_has_the_value_of_mathematics_and_one_set_of_bits(text, backend):
    run, reference = (ns.prepare(network(text), backend=b) for b in (backend, "reference"))
    for open_run in (run, reference):
        open_run.run("3 ms")
    expected = np.array([TEXTS[text](float(x)) for x in X], float)
    np.testing.assert_allclose(run.get("p", "y"), expected, rtol=1e-14)
    for owner, name in (("p", "y"), ("p", "z"), ("q", "v")):
        assert (run.get(owner, name) == reference.get(owner, name)).all(), (owner, name)
    assert (run.get("e", "w") == run.get("p", "y")).all()


@pytest.mark.parametrize("text", TEXTS)
def test_single_precision_rounds_the_function_once(text):
    x = X.astype(np.float32).astype(float)
    cell = ns.Cell("x : 1; y : 1", step=f"y = {text}")
    net = ns.Network("net", dt="1 ms")
    net.population("p", x.size, cell, x=x)
    run = ns.prepare(net, backend="cpu", precision="float32")
    run.run("1 ms")
    if text in ("exprel(x)", "arctan(x)", "sign(x)", "ceil(x)", "round(x)", "int(x)", "x % 3"):
        expected = np.array([TEXTS[text](float(v)) for v in x], float)
        np.testing.assert_allclose(run.get("p", "y"), expected, rtol=3e-7, atol=1e-37)
    assert np.isfinite(run.get("p", "y")).all()


def test_units_follow_remainders_quotients_and_signs():
    def refuse(text: str, unit: str, message: str) -> None:
        with pytest.raises(ns.ModelError, match=message):
            ns.Cell(f"v : mV; a = {text} : {unit}")

    ns.Cell("v : mV; a = v % (3 * mV) : mV; b = v // (3 * mV) : 1; c = sign(v) : 1")
    refuse("v % (3 * ms)", "mV", "Both must have one unit")
    refuse("v // (3 * mV)", "mV", "is a plain number, but a voltage")
    refuse("round(v)", "mV", "a plain number is expected")
    refuse("arctan(v)", "1", "a plain number is expected")


def test_a_phase_of_time_in_whole_steps_is_right_in_every_step(backend):
    """`t` is k dt, so its quotient by dt is rounded; floor of it would miss steps."""
    cell = ns.Cell("n : 1", step="n = n + (round(t / dt) % 7 == 0)")
    net = ns.Network("net", dt="0.1 ms")
    net.population("p", 1, cell)
    run = ns.prepare(net, backend=backend)
    run.run("70 ms")
    assert run.get("p", "n")[0] == 100


def test_a_parameter_may_have_the_name_of_a_function_that_the_cell_calls(backend):
    """A name and a call are told apart by the bracket, in printed code too."""
    names = ("exprel", "log10", "arctan", "sign", "ceil", "round", "int", "mod", "quotient")
    calls = " + ".join(f"{name} * {name}(x)" for name in names[:7])
    cell = ns.Cell(
        "x : 1; y : 1; z : 1",
        step=f"y = {calls}; z = mod * (x % 3) + quotient * (x // 3)",
        parameters={name: 2.0 for name in names},
    )
    net = ns.Network("net", dt="1 ms")
    net.population("p", 1, cell, x=4.5)
    run = ns.prepare(net, backend=backend)
    run.run("1 ms")
    x = 4.5
    parts = (math.expm1(x) / x, math.log10(x), math.atan(x), 1, 5, 4, 4)
    assert run.get("p", "y")[0] == pytest.approx(2 * sum(parts), rel=1e-14)
    assert run.get("p", "z")[0] == 2 * 1.5 + 2 * 1
