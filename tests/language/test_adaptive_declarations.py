"""What the adaptive method is told, what it refuses, and what reports say about it."""

import math
from typing import Any

import numpy as np
import pytest

import neurosim as ns

EQUATION = "dv/dt = -v * v / (mV*ms) : mV; u : 1"


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"relative": 0}, r"found relative=0, expected a number from 1e-13 to 0.1"),
        ({"relative": math.nan}, r"found relative=nan, expected a number from"),
        ({"relative": "1e-6"}, r"found relative='1e-6', expected a number from"),
        ({"sub_steps": 0}, r"found sub_steps=0, expected a whole number from 1 to"),
        ({"sub_steps": 1.5}, r"found sub_steps=1.5, expected a whole number"),
        ({"absolute": {"v": "1 ms"}}, r"absolute tolerance of v: .*1 ms"),
        ({"absolute": {"v": 0}}, r"absolute tolerance of v: found 0, expected one value"),
        ({"absolute": {"v": [1, 2]}}, r"absolute tolerance of v: found \[1, 2\], expected"),
        ({"absolute": {"u": 1}}, r"expected states with an equation: 'u' has none"),
        ({"absolute": {"w": 1}}, r"has no state 'w'"),
        ({"absolute": "1 mV"}, r"found absolute '1 mV', expected a mapping of names"),
    ],
)
def test_wrong_tolerances_are_refused_at_their_cell(arguments, message):
    with pytest.raises(ns.ModelError, match="cell 'c', method 'adaptive'.*" + message):
        ns.Cell(EQUATION, method=ns.Adaptive(**arguments), name="c")


def test_noise_step_statements_and_rules_do_not_go_with_it():
    with pytest.raises(ns.ModelError, match="method 'adaptive' cannot take it.*contains noise"):
        ns.Cell("dv/dt = -v / ms + xi / ms**0.5 : 1", method="adaptive")
    with pytest.raises(ns.ModelError, match="has both 'step' and a method"):
        ns.Cell("v : 1", step="v = 0", method=ns.Adaptive())
    methods: tuple[Any, ...] = ("adaptive", ns.Adaptive())
    for method in methods:
        with pytest.raises(
            ns.ModelError, match="found the method 'adaptive', expected one of.*for cells alone"
        ):
            ns.Rule(edge="dx/dt = -x*x / ms : 1", method=method, name="r")


CELL = ns.Cell(
    "dv/dt = -v * v / (mV*ms) : mV",
    method=ns.Adaptive(relative=1e-8, absolute={"v": "1 nV"}),
    name="c",
)


def network(cell: ns.Cell = CELL) -> ns.Network:
    net = ns.Network("net", dt="1 ms")
    net.population("p", 1, cell)
    return net


def test_reports_and_prints_name_order_and_tolerances():
    text = "relative 1e-08, absolute 1e-06 mV of v, up to 10000 sub-steps"
    assert f"v: adaptive (fifth order, in sub-steps). Error of a sub-step: {text}." in str(
        ns.check(network())
    )
    assert f"method: adaptive, {text}" in repr(CELL)


@pytest.mark.parametrize(
    "backend, options, reason",
    [
        ("cpu", {"precision": "float32"}, "keeps errors below what float32 resolves"),
        ("gpu", {"device": "cpu"}, "here all take the same steps"),
        ("brian", {}, "repeats its statements, which Brian 2 runs once"),
    ],
)
def test_backends_without_it_say_so_and_what_to_do(backend, options, reason):
    report = ns.check(network(), backend=backend, **options)
    (row,) = [row for row in report.rows if row.status == "impossible"]
    assert row.place.owner == "p"
    assert reason in row.reason
    assert "rk4" in row.remedy
    with pytest.raises(ns.LoweringError, match=reason):
        ns.prepare(network(), backend=backend, **options)


def test_tolerances_are_part_of_the_hash():
    def bits(relative: float) -> str:
        cell = ns.Cell("dv/dt = -v * v / ms : 1", method=ns.Adaptive(relative=relative))
        run = ns.prepare(network(cell), backend="reference")
        run.run("1 ms")
        return run.result().header["hash"]

    assert bits(1e-6) != bits(1e-7)
    assert bits(1e-6) == bits(np.float64(1e-6))
