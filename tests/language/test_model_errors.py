"""Every message of cells and rules, read for its four parts: where, what was found, what was
expected, what to do.
"""

from __future__ import annotations

import numpy as np
import pytest
from support.messages import parts

import neurosim as ns
from neurosim import Cell, ModelError, Parameter, Port, Refractory, Rule
from neurosim.errors import describe_unknown

TAU = {"tau": "10 ms"}


def lif(**changes) -> Cell:
    parts = {
        "parameters": {"tau": "10 ms", "theta": "1 mV"},
        "receives": {"in": Port("mV", into="v")},
        "spike": "v > theta",
        "after_spike": "v = 0",
    }
    return Cell("dv/dt = -v / tau : mV", **(parts | changes))


def definitions(number: int, operation: str) -> str:
    return (
        "x0 = 1 + 1 : 1; "
        + "; ".join(f"x{i + 1} = x{i} {operation} : 1" for i in range(number))
        + f"; dv/dt = x{number} / ms : 1"
    )


CELLS = {
    # texts
    "an equation that is no text": (
        lambda: Cell(5),
        "cell 'cell', equations: found 5, expected text.",
        "Put it between quotes.",
    ),
    "a spike condition that is no text": (
        lambda: Cell("v : 1", spike=5),
        "cell 'cell', spike: found 5, expected text.",
        "Put it between quotes.",
    ),
    "an unknown unit": (
        lambda: Cell("dv/dt = 1 : mVV", name="lif"),
        "cell 'lif', equation of v: unit 'mVV': there is no unit 'mVV'.",
        "Did you mean 'mV'?",
    ),
    "an unknown name": (
        lambda: Cell("dv/dt = -v / taw : mV", parameters=TAU),
        "cell 'cell', equation of v: there is no name 'taw'.",
        "Did you mean 'tau'?",
        "The names are: N, dt, i, step, t, tau, v.",
    ),
    "a port that jumps a state, read as a symbol": (
        lambda: Cell("dv/dt = p / ms : mV", receives={"p": Port("mV", into="v")}),
        "equation of v: there is no name 'p'.",
        "The names are:",
    ),
    "units that differ in a sum": (
        lambda: Cell("dv/dt = (v + 1 * ms) / ms : mV"),
        "equation of v: 'v + 1 * ms': 'v' is a voltage (mV)",
        "but '1 * ms' is a time (ms).",
        "multiply or divide one of them.",
    ),
    "a derivative of another unit": (
        lambda: Cell("dv/dt = v : mV"),
        "equation of v: 'v' is a voltage (mV)",
        "but a quantity in mV/ms is expected.",
        "Multiply or divide it by what is missing.",
    ),
    "a condition with a unit": (
        lambda: Cell("v : mV", spike="v"),
        "cell 'cell', spike: 'v' is a voltage (mV)",
        "but a plain number is expected.",
        "Multiply",
    ),
    "a reset with another unit": (
        lambda: lif(after_spike="v = 1"),
        "after_spike: '1' is a plain number",
        "but a voltage (mV) is expected.",
        "Multiply",
    ),
    "a reset of what is no state": (
        lambda: lif(after_spike="u = 1"),
        "cell 'cell' has no state 'u'.",
        "The states are: v.",
    ),
    "a reset of a parameter": (
        lambda: lif(after_spike="theta = 1*mV"),
        "cell 'cell': found an assignment to the parameter 'theta', expected a state.",
        "Declare it in the equations, 'theta : mV', and give its value with initial=.",
    ),
    "a factor with a unit": (
        lambda: lif(after_spike="v *= 1*mV"),
        "after_spike: '1 * mV' is a voltage (mV)",
        "but a plain number is expected.",
    ),
    "an attribute": (
        lambda: lif(after_spike="v = v.real"),
        "cell 'cell', after_spike: 'v.real' is outside the language",
        "Write it with these.",
    ),
    "a constant that is not finite": (
        lambda: Cell("dv/dt = 1 / 0 / ms : 1"),
        "equation of v: '1 / 0 / ms' is not finite",
        "expected a number.",
        "Correct it.",
    ),
    "noise in a condition": (
        lambda: Cell("v : 1", spike="xi > 0"),
        "cell 'cell', spike: 'xi > 0': xi is noise in continuous time",
        "expected only in an equation 'dx/dt = ...'.",
        "Write normal().",
    ),
    "noise in a step": (
        lambda: Cell("v : 1", step="v = xi"),
        "cell 'cell', step: 'xi': xi is noise",
        "expected only",
        "Write normal().",
    ),
    "noise by way of a definition": (
        lambda: Cell("v : 1; n = xi * ms**0.5 : 1; m = n : 1", spike="m > 0"),
        "cell 'cell', spike: m contains xi",
        "expected only in an equation",
        "Write normal().",
    ),
    # names
    "two states of one name": (
        lambda: Cell("v : 1; v : 1"),
        "cell 'cell': 'v' is defined twice",
        "expected each name once.",
        "Rename one of them.",
    ),
    "a parameter named like a state": (
        lambda: Cell("v : 1", parameters={"v": 1}),
        "'v' is defined twice",
        "expected each name once.",
        "Rename",
    ),
    "a port named like a state that it does not jump": (
        lambda: Cell("v : 1", receives={"v": Port("1")}),
        "'v' is defined twice",
        "Rename",
    ),
    "a port named like another state": (
        lambda: Cell("v : 1; u : 1", receives={"u": Port("1", into="v")}),
        "'u' is defined twice",
        "Rename the port or the other.",
    ),
    "a word as a name": (
        lambda: Cell("v : 1", parameters={"normal": 1}),
        "parameter 'normal' cannot have this name: it is a word",
        "Choose another.",
    ),
    "a name that is no identifier": (
        lambda: Cell("v : 1", parameters={"a b": 1}),
        "parameter 'a b' cannot have this name",
        "expected letters",
        "Choose another.",
    ),
    "a name that is no text": (
        lambda: Cell("v : 1", parameters={5: 1}),
        "parameter 5 cannot have this name",
        "expected letters",
        "Choose another.",
    ),
    "a port's name that is no identifier": (
        lambda: Cell("v : 1", receives={"a b": Port("1")}),
        "port 'a b' cannot have this name",
        "Choose another.",
    ),
    # definitions
    "definitions in a circle": (
        lambda: Cell("x = y : 1; y = x : 1"),
        "cell 'cell', equations of x, y: they need each other",
        "expected a definition over other names.",
        "Make one of the names a state.",
    ),
    "definitions that explode": (
        lambda: Cell(
            "x0 = 1 + 1 : 1; "
            + "; ".join(f"x{i + 1} = x{i} * x{i} : 1" for i in range(40))
            + "; dv/dt = x40 / ms : 1"
        ),
        "cell 'cell': 'x11 * x11' with its definitions written out has 16383 operations",
        "expected at most 10000",
        "Make one of the definitions a state",
    ),
    "definitions in a long chain": (
        lambda: Cell(definitions(1500, "+ 1")),
        "with its definitions written out has",
        "101 deep; expected at most",
        "Make one",
    ),
    # parameters
    "parameters that are no mapping": (
        lambda: Cell("v : 1", parameters=[1]),
        "cell 'cell': found parameters [1], expected a mapping of names.",
        "Write parameters={'name': ...}.",
    ),
    "a parameter without a value": (
        lambda: Cell("v : 1", parameters={"a": None}),
        "cell 'cell', parameter 'a': None is not a quantity.",
        "Give a number",
    ),
    "a parameter that is NaN": (
        lambda: Cell("v : 1", parameters={"a": float("nan")}),
        "parameter 'a': nan is not finite",
        "expected a number.",
        "Give a finite value.",
    ),
    "a parameter that is infinite": (
        lambda: Cell("v : 1", parameters={"a": "1e999 ms"}),
        "parameter 'a': '1e999 ms' is not finite",
        "Give a finite value.",
    ),
    "a parameter of another unit": (
        lambda: Cell("v : 1", parameters={"a": Parameter("mV", "1 ms")}),
        "parameter 'a': '1 ms' is a time (ms)",
        "but a voltage (mV) is expected.",
        "Give it in mV.",
    ),
    "a parameter of an unknown unit": (
        lambda: Cell("v : 1", parameters={"a": Parameter("foo", 1)}),
        "parameter 'a': unit 'foo': there is no unit 'foo'.",
        "The units are:",
    ),
    "an expression of another unit": (
        lambda: Cell("v : 1", parameters={"b": "1 ms", "a": Parameter("mV", "3 * b")}),
        "parameter 'a': '3 * b' is a time (ms)",
        "but a voltage (mV) is expected.",
    ),
    "an expression over an unknown name": (
        lambda: Cell("v : 1", parameters={"a": "b + 1"}),
        "parameter 'a': there is no name 'b'.",
        "The names are: N, i.",
    ),
    "a definition that reads itself": (
        lambda: Cell("x = 1 + x : 1"),
        "cell 'cell', equation of x: it needs itself, expected a definition over other names.",
    ),
    "a parameter that reads itself": (
        lambda: Cell("v : 1", parameters={"a": "a + 1"}),
        "cell 'cell': parameter a reads itself, expected a value or other names.",
        "Give a a value.",
    ),
    "parameters in a circle": (
        lambda: Cell("v : 1", parameters={"a": "b + 1", "b": "a + 1"}),
        "parameters a, b are written in a circle",
        "expected one with a value.",
        "Give one of them a value.",
    ),
    "a parameter over time": (
        lambda: Cell("v : 1", parameters={"a": "t / ms"}),
        "parameter 'a': 't / ms' depends on time (t)",
        "expected a value for the whole run.",
        "Write it in an equation.",
    ),
    "a parameter with a draw in its text": (
        lambda: Cell("v : 1", parameters={"a": "uniform()"}),
        "'uniform()' depends on a random draw",
        "expected a value for the whole run.",
        "Give a draw such as ns.uniform(0, 1), or write it in the network.",
    ),
    "a parameter over a table": (
        lambda: Cell("v : 1", parameters={"a": "b(t)", "b": 3}),
        "'b(t)' depends on time (b(t))",
        "Give the table itself, ns.table(values, every=...), or write it in an equation.",
    ),
    "a table at another time": (
        lambda: Cell("dx/dt = wave(t - 1*ms) / ms : 1", parameters={"wave": 1.0}),
        "'wave(t - 1*ms)'",
        "a table is read at the time of the step, wave(t), and each neuron reads its own column.",
        "Write these values into its columns, or send them as a signal over delays: "
        "'out += x_pre' in the 'step' handler of a rule.",
    ),
    "a table with an index": (
        lambda: Cell("dx/dt = wave(t, i) / ms : 1", parameters={"wave": 1.0}),
        "a table is read at the time of the step, wave(t)",
    ),
    "a value of another population": (
        lambda: Cell("x : 1 (linked)"),
        "has '(linked)' after its unit, expected the unit alone.",
        "a port without into= takes 'out += x_pre' of the 'step' handler of a rule.",
    ),
    "a type in place of a unit": (
        lambda: Cell("x : boolean"),
        "there is no unit 'boolean'. Write 1: numbers have no types, true is 1.",
    ),
    "noise with a name": (
        lambda: Cell("dx/dt = -x / ms + xi_1 / ms**0.5 : 1"),
        "there is no name 'xi_1'.",
        "Write xi: in each place where it stands it is noise of its own.",
    ),
    "infinity": (
        lambda: Cell("dv/dt = clip(v, 0, inf) / ms : 1"),
        "there is no name 'inf': all numbers are finite.",
        "Write max(x, low) or min(x, high) in place of clip.",
    ),
    "a quantity within an expression": (
        lambda: Cell("dv/dt = (10 mV - v) / ms : mV"),
        "cannot be read",
        "A unit is multiplied: write '10 * mV'.",
    ),
    "a unit that touches its number": (
        lambda: Cell("dv/dt = (5mV - v) / ms : mV"),
        "cannot be read",
        "A unit is multiplied: write '5 * mV'.",
    ),
    "a power of other languages in a unit": (
        lambda: Cell("v : 1", parameters={"g": "1 mS/cm^2"}),
        "'1 mS/cm^2' cannot be read",
        "A power is written with '**': '1 mS/cm**2'.",
    ),
    "a decimal comma": (
        lambda: Cell("v : 1", parameters={"tau": "0,5 ms"}),
        "'0,5 ms' cannot be read",
        "Decimals follow a point: write '0.5 ms'.",
    ),
    "an assignment in place of a condition": (
        lambda: Cell("v : mV", spike="v = 1*mV"),
        "spike: 'v = 1*mV' cannot be read",
        "Conditions compare with '==', '>' or '>='.",
    ),
    "a choice in a statement": (
        lambda: Cell("v : 1", step="if v > 2: v = 0"),
        "'if v > 2: v = 0' is not a statement.",
        "Write 'name = where(condition, expression, name)'.",
    ),
    "an addition the wrong way round": (
        lambda: Cell("v : 1", step="v =+ 1"),
        "'v =+ 1' has '=+', which assigns, expected '=' or '+='.",
        "Write 'v += ...' to add.",
    ),
    "a local name in a handler": (
        lambda: Rule(edge="w : 1", handlers=[("pre", "twice = 2 * w; out += twice")]),
        "rule 'rule', handler 'pre': there is no variable 'twice'. The variables are: out, w.",
        "A value that is only read is a definition: definitions='twice = ... : 1'.",
    ),
    "a draw of another unit": (
        lambda: Cell("v : 1", parameters={"a": Parameter("mV", ns.uniform("1 ms", "2 ms"))}),
        "parameter 'a', uniform(low=1 ms, high=2 ms): low",
        "is a time (ms), but a voltage (mV) is expected.",
        "Give it in mV.",
    ),
    "a table of another unit": (
        lambda: Cell(
            "v : 1", parameters={"a": Parameter("mV", ns.table([1, 2], every="1 ms", unit="ms"))}
        ),
        "parameter 'a': the table is a time (ms)",
        "but a voltage (mV) is expected.",
        "Give it in mV.",
    ),
    "a side in a cell": (
        lambda: Cell("v : 1", parameters={"a": Parameter("1", 1, per="edge")}),
        "parameter 'a': found per='edge', which is for rules only.",
        "Leave it out: a population gives arrays.",
    ),
    "an unknown side": (
        lambda: Cell("v : 1", parameters={"a": Parameter("1", 1, per="edges")}),
        "parameter 'a': there is no side 'edges'.",
        "Did you mean 'edge'?",
    ),
    "an unknown table": (
        lambda: Cell("dv/dt = rate(t) / ms : 1", parameters={"rates": 1}),
        "equation of v: there is no table 'rate'.",
        "Did you mean 'rates'?",
        "Read it without (t), or make it a parameter of a cell.",
    ),
    # ports
    "a port that is no Port": (
        lambda: Cell("v : mV", receives={"p": "mV"}),
        "cell 'cell', port 'p': found 'mV', expected a Port.",
        "Write ns.Port('mV', into='v').",
    ),
    "a port into an unknown state": (
        lambda: Cell("v : 1", receives={"p": Port("1", into="u")}),
        "port 'p': the cell has no state 'u'.",
        "The states are: v.",
    ),
    "a port of another unit than its state": (
        lambda: Cell("v : 1", receives={"p": Port("mV", into="v")}),
        "port 'p': it is a voltage (mV)",
        "but its state 'v' is a plain number.",
        "Give both one unit.",
    ),
    "a port of an unknown unit": (
        lambda: Cell("v : 1", receives={"p": Port("mVV")}),
        "cell 'cell', port 'p': unit 'mVV': there is no unit 'mVV'.",
        "Did you mean 'mV'?",
    ),
    "ports that are no mapping": (
        lambda: Cell("v : 1", receives=["p"]),
        "found receives ['p'], expected a mapping of names.",
        "Write receives={'name': ...}.",
    ),
    # methods, spikes, refractoriness, initial values
    "an unknown method": (
        lambda: Cell("v : 1", method="eul"),
        "cell 'cell': there is no method 'eul'.",
        "Did you mean 'euler'?",
        "The methods are: adaptive, euler, exact",
    ),
    "a step and a method": (
        lambda: Cell("v : 1", step="v = v", method="euler"),
        "has both 'step' and a method ('euler')",
        "expected one of them.",
        "Leave one out.",
    ),
    "a reset without a spike": (
        lambda: Cell("v : 1", after_spike="v = 0"),
        "has after_spike but no spike condition",
        "expected both.",
        "Add spike='...'",
    ),
    "refractoriness without a spike": (
        lambda: Cell("v : 1", refractory="1 ms"),
        "has a refractory time but no spike condition",
        "expected both.",
        "Add spike=",
    ),
    "a negative refractory time": (
        lambda: lif(refractory="-1 ms"),
        "cell 'cell', refractory: found '-1 ms'",
        "expected one time of 0 ms or more.",
        "Give it such as '2 ms', or name a parameter.",
    ),
    "a refractory time that is NaN": (
        lambda: lif(refractory=float("nan")),
        "refractory: found nan",
        "expected one time of 0 ms or more.",
    ),
    "several refractory times": (
        lambda: lif(refractory=[1, 2]),
        "refractory: found [1, 2]",
        "expected one time of 0 ms or more.",
    ),
    "a refractory time in mV": (
        lambda: lif(refractory="1 mV"),
        "refractory: '1 mV' is a voltage (mV)",
        "but a time (ms) is expected.",
        "Give it in ms.",
    ),
    "a refractory time of an unknown name": (
        lambda: lif(refractory="taw"),
        "cell 'cell' has no parameter 'taw'.",
        "Did you mean 'tau'?",
    ),
    "a refractory parameter in mV": (
        lambda: lif(refractory="theta"),
        "refractory: 'theta' is a voltage (mV)",
        "but a time (ms) is expected.",
        "Name a time.",
    ),
    "freezing an unknown state": (
        lambda: lif(refractory=Refractory("1 ms", "u")),
        "cell 'cell' has no state 'u'.",
        "The states are: v.",
    ),
    "freezing what is no name": (
        lambda: lif(refractory=Refractory("1 ms", 5)),
        "refractory: found freezes=5, expected names of states.",
        "Write freezes='v'.",
    ),
    "an initial value of what is no state": (
        lambda: lif(initial={"tau": 1}),
        "cell 'cell' has no state 'tau'.",
        "The states are: v.",
    ),
    "an initial value of another unit": (
        lambda: lif(initial={"v": "1 ms"}),
        "initial 'v': '1 ms' is a time (ms)",
        "but a voltage (mV) is expected.",
        "Give it in mV.",
    ),
    "an initial value that is NaN": (
        lambda: lif(initial={"v": float("nan")}),
        "initial 'v': nan is not finite",
        "expected a number.",
        "Give a finite value.",
    ),
    "an initial draw of another unit": (
        lambda: lif(initial={"v": ns.normal("1 ms", "1 ms")}),
        "initial 'v', normal(mean=1 ms, sd=1 ms): mean",
        "a voltage (mV) is expected.",
    ),
}

RULES = {
    "handlers that are text": (
        lambda: Rule(edge="w : 1", handlers="pre"),
        "rule 'rule': found handlers 'pre', expected pairs (trigger, statements).",
        "Write [('pre', 'out += w')].",
    ),
    "handlers of three parts": (
        lambda: Rule(edge="w : 1", handlers=[("pre", "w = 1", "x")]),
        "expected pairs (trigger, statements).",
        "Write",
    ),
    "handlers as a mapping": (
        lambda: Rule(edge="w : 1", handlers={"pre": "w = 1"}),
        "expected pairs (trigger, statements).",
        "Write",
    ),
    "statements that are no text": (
        lambda: Rule(edge="w : 1", handlers=[("pre", 5)]),
        "rule 'rule', handler 'pre': found 5, expected text.",
        "Put it",
    ),
    "a trigger that is no name": (
        lambda: Rule(edge="w : 1", handlers=[("p re", "w = 1")]),
        "signal 'p re' cannot have this name",
        "Choose another.",
    ),
    "no handlers": (
        lambda: Rule(edge="w : 1", handlers=[]),
        "rule 'rule': found no handlers, expected at least one",
        "Write [('pre', 'out += w')].",
    ),
    **{
        f"a signal like an event: {trigger}": (
            lambda trigger=trigger: Rule(edge="w : 1", handlers=[(trigger, "w = 1")]),
            f"rule 'rule', handler '{trigger}': found '{trigger}', expected 'pre', 'post', "
            "'step', or the name of a signal that cannot be mistaken",
            f"Write '{meant}', or name the signal otherwise.",
        )
        for trigger, meant in {
            "on_pre": "pre",
            "on_post": "post",
            "Post": "post",
            "pst": "post",
            "steps": "step",
        }.items()
    },
    "an assignment to a variable with an end": (
        lambda: Rule(edge="w : 1", post="y : 1", handlers=[("pre", "y_post = 1")]),
        "handler 'pre': found an assignment to 'y_post', expected a variable of the rule by its "
        "own name, without '_post'.",
        "Write 'y'.",
    ),
    "an assignment to nothing known": (
        lambda: Rule(edge="w : 1", handlers=[("pre", "u = 1")], name="stdp"),
        "rule 'stdp', handler 'pre': there is no variable 'u'.",
        "The variables are: out, w.",
    ),
    "a delivery that assigns": (
        lambda: Rule(edge="w : 1", handlers=[("pre", "out = w")]),
        "handler 'pre': 'out =' is not a delivery.",
        "Write 'out += ...'.",
    ),
    "a decay without a time constant": (
        lambda: Rule(edge="dw/dt = -w : 1"),
        "rule 'rule', equation of w: '-w' is a plain number, but a rate (1/ms) is expected.",
        "Multiply or divide it by what is missing.",
    ),
    "an equation over a mistyped name": (
        lambda: Rule(pre="dx/dt = (1 - x) / tua : 1", parameters=TAU),
        "rule 'rule', equation of x: there is no name 'tua'.",
        "Did you mean 'tau'?",
    ),
    "a rate of another unit": (
        lambda: Rule(
            edge="dw/dt = rate * (1 - w) : 1", parameters={"rate": "1 mV"}, name="relaxing"
        ),
        "rule 'relaxing', equation of w: 'rate * (1 - w)' is a voltage (mV), but a rate (1/ms) is "
        "expected.",
    ),
    "an unknown method of a rule": (
        lambda: Rule(edge="dw/dt = -w * w / ms : 1", method="rk5"),
        "rule 'rule': there is no method 'rk5'.",
        "Did you mean 'rk4'?",
    ),
    "a method that is no text": (
        lambda: Rule(edge="dw/dt = -w * w / ms : 1", method=["rk4"]),
        "rule 'rule': there is no method ['rk4']",
    ),
    "a time constant in mV": (
        lambda: Rule(edge="dw/dt = -w / tau : 1", parameters={"tau": "1 mV"}),
        "equation of w: 'tau' is a voltage (mV)",
        "but a time (ms) is expected.",
        "Give it in ms.",
    ),
    "a time constant of zero": (
        lambda: Rule(edge="dw/dt = -w / tau : 1", parameters={"tau": "0 ms"}),
        "equation of w: time constant 'tau': found 0 ms",
        "expected more than 0 ms.",
        "Give a positive time.",
    ),
    "a time constant of another side": (
        lambda: Rule(
            pre="dx/dt = -x / tau : 1", parameters={"tau": Parameter("ms", 1, per="edge")}
        ),
        "equation of x: 'tau' has one value per edge, but 'x' one per pre neuron.",
        "Declare it with per='source'",
    ),
    "a definition among variables": (
        lambda: Rule(edge="w = 1 : 1"),
        "rule 'rule', edge variable 'w': a rule's variables are 'x : unit'",
        "under definitions=.",
    ),
    "a derivative among definitions": (
        lambda: Rule(edge="w : 1", definitions="dx/dt = 1 / ms : 1"),
        "definition 'x' is not of the form 'name = expression : unit'.",
        "Write it so.",
    ),
    "two variables of one name": (
        lambda: Rule(edge="w : 1", pre="w : 1"),
        "rule 'rule': 'w' is defined twice",
        "expected each name once.",
        "Rename one of them.",
    ),
    "a link that is no name": (
        lambda: Rule(edge="w : 1", reads={"x y": 5}),
        "link 'x y' cannot have this name",
        "Choose another.",
    ),
    "a link to no parameter": (
        lambda: Rule(edge="w : 1", handlers=[("pre", "out += w")], parameters={"gain": 1}).reading(
            gian=1
        ),
        "rule 'rule' has no parameter 'gian'.",
        "Did you mean 'gain'?",
    ),
    "a link of what a parameter is computed from": (
        lambda: Rule(
            edge="w : 1", handlers=[("pre", "out += w")], parameters={"a": 1, "b": "2*a + 1"}
        ).reading(a=1),
        "rule 'rule': 'a' is read by parameter 'b', which is not computed anew in each step,",
        "and cannot be linked.",
        "Make 'b' a definition.",
    ),
    "a parameter over the index": (
        lambda: Rule(edge="w : 1", parameters={"a": "2 + i"}),
        "rule 'rule', parameter 'a': there is no name 'i'.",
    ),
    "a parameter over one of many values": (
        lambda: Rule(edge="w : 1", parameters={"a": Parameter("1", 1, per="source"), "b": "a + 1"}),
        "parameter 'b': 'a + 1' reads 'a', which has one value per source",
        "expected parameters of one value.",
        "Compute it in a definition.",
    ),
    "a parameter that is a table": (
        lambda: Rule(edge="w : 1", parameters={"a": ns.table([1, 2], every="1 ms")}),
        "rule 'rule', parameter 'a': found a table",
        "expected a number, array or draw.",
        "Give a population the table as a parameter, and link to it.",
    ),
    "an array for one value": (
        lambda: Rule(edge="w : 1", parameters={"a": [1, 2]}),
        "parameter 'a': found an array, expected one value.",
        "Declare it with Parameter(unit, values, per='source', 'target' or 'edge').",
    ),
    "definitions in a circle": (
        lambda: Rule(edge="w : 1", definitions="a = b : 1; b = a : 1"),
        "rule 'rule', equations of a, b: they need each other",
        "Make one",
    ),
}

DRAWS = {
    "two bounds exchanged": (
        lambda: lif(initial={"v": ns.uniform(2, 1)}),
        "initial 'v', uniform(low=2, high=1): low is above high",
        "expected low below high.",
        "Exchange them.",
    ),
    "limits exchanged": (
        lambda: lif(initial={"v": ns.normal(0, 1, low=2, high=1)}),
        "normal(mean=0, sd=1, low=2, high=1): low is above high",
        "Exchange them.",
    ),
    "a negative width": (
        lambda: lif(initial={"v": ns.normal(0, -1)}),
        "normal(mean=0, sd=-1): sd is negative",
        "expected 0 or more.",
        "Change its sign.",
    ),
    "a negative median": (
        lambda: lif(initial={"v": ns.lognormal(-1, 1)}),
        "median is not above zero",
        "expected a positive number.",
        "Correct it.",
    ),
    "an exponential mean of zero": (
        lambda: lif(initial={"v": ns.exponential(0)}),
        "exponential(mean=0): mean is not above zero",
        "Correct it.",
    ),
    "an array as a bound": (
        lambda: lif(initial={"v": ns.uniform([1, 2], 3)}),
        "uniform(low=[1, 2], high=3): low is [1, 2]",
        "expected one finite number.",
        "Correct it.",
    ),
    "a bound that is NaN": (
        lambda: lif(initial={"v": ns.uniform(float("nan"), 3)}),
        "low is nan, expected one finite number.",
        "Correct it.",
    ),
    "integers that are not whole": (
        lambda: lif(initial={"v": ns.integers(0.5, 3)}),
        "integers(low=0.5, high=3): low is 0.5",
        "expected one whole number.",
    ),
    "an empty range of integers": (
        lambda: lif(initial={"v": ns.integers(3, 3)}),
        "low is above high",
        "Exchange them.",
    ),
    "a width in mV of a lognormal": (
        lambda: lif(initial={"v": ns.lognormal(1, "1 mV")}),
        "sigma: '1 mV' is a voltage (mV)",
        "but a plain number is expected.",
    ),
    "a limit of another unit": (
        lambda: lif(initial={"v": ns.normal(1, 1, low="3 ms")}),
        "low: '3 ms' is a time (ms)",
        "but a voltage (mV) is expected.",
    ),
}


@pytest.mark.parametrize(
    "case",
    [*CELLS.values(), *RULES.values(), *DRAWS.values()],
    ids=[*CELLS, *(f"rule: {n}" for n in RULES), *(f"draw: {n}" for n in DRAWS)],
)
def test_what_is_wrong_in_a_model_is_refused_where_it_is_written(case):
    make, *message = case
    with pytest.raises(ModelError, match=parts(*message)):
        make()


@pytest.mark.parametrize(
    ("method", "equation", "message"),
    [
        (
            "exact",
            "dv/dt = -v ** 2 / ms : 1",
            (
                "method 'exact' cannot take it, because it is not linear with constant "
                "coefficients.",
                "Use method='euler'",
            ),
        ),
        (
            "exponential_euler",
            "dv/dt = -v ** 2 / ms : 1",
            (
                "method 'exponential_euler' cannot take it, because it is not linear in v.",
                "Use method='euler'",
            ),
        ),
        (
            "rk4",
            "dv/dt = -v / ms + xi / ms**0.5 : 1",
            ("method 'rk4' cannot take it, because it contains noise.", "Use method='euler'"),
        ),
        (
            "euler",
            "dv/dt = xi ** 2 : 1",
            (
                "xi appears other than as 'expression * xi'.",
                "Write noise as an added term, such as 'sigma * xi'.",
            ),
        ),
        (
            None,
            "n = xi ** 2 : 1/ms; dv/dt = n : 1",
            ("xi appears other than as 'expression * xi'.", "Write noise as an added term"),
        ),
    ],
)
def test_a_method_that_cannot_take_an_equation_is_refused_where_the_cell_is_written(
    method, equation, message
):
    with pytest.raises(ModelError, match=parts("cell 'c', equation of v: ", *message)):
        Cell(equation, method=method, name="c")


def test_what_is_right_is_not_refused():
    """Names of Python where no equation reads them, units as names, gates named like units,
    computed parameters in any order.
    """
    cell = Cell(
        "dh/dt = (1 - h) / tau : 1; n = h ** 2 : 1",
        parameters={"tau": "2*a", "a": "3 ms", "b": "n0 + 2*tau / ms", "n0": 1},
        receives={"in": Port("1", into="h"), "global": Port("1", into="h")},
        spike="h > 0.5",
        after_spike="h = 0",
        refractory="tau",
        initial={"h": "0.1 + 0.01 * i"},
    )
    assert cell.parameter("tau").unit.exponents == cell.parameter("a").unit.exponents
    assert {name: p.unit.text for name, p in ((p.name, p) for p in cell.parameters)} == {
        "a": "ms",
        "n0": "1",
        "tau": "ms",
        "b": "1",
    }
    rule = Rule(
        edge="w : 1",
        parameters={"a": "b + 1", "b": 3},
        handlers=[("pre", "w = a"), ("in", "w = 0"), ("pre", "out += w")],
    )
    assert [p.name for p in rule.parameters] == ["b", "a"] and rule.signals == ("in",)


@pytest.mark.parametrize(
    "name", ["stop", "prune", "reset", "start", "sample_end", "second", "on_reward"]
)
def test_a_signal_may_have_any_name_that_is_not_mistaken_for_an_event(name):
    assert Rule(edge="w : 1", handlers=[(name, "w = 1")]).signals == (name,)


def test_a_cell_and_a_rule_cannot_be_changed():
    cell, rule = lif(), Rule(edge="w : 1", handlers=[("pre", "out += w")])
    for frozen, field in (
        (cell, "name"),
        (cell, "states"),
        (rule, "edge"),
        (cell.states[0], "name"),
    ):
        with pytest.raises(AttributeError):
            setattr(frozen, field, None)


def test_reading_gives_a_new_rule_and_leaves_the_old_one():
    rule = Rule(
        edge="w : 1",
        parameters={"gain": 1.0, "other": 2.0},
        handlers=[("pre", "out += gain * other * w")],
    )
    net = ns.Network("n", dt=1)
    glia = net.population("glia", 1, Cell("a : 1"))
    linked = rule.reading(gain=glia["a"])
    assert [p.name for p in rule.parameters] == ["gain", "other"] and rule.reads == ()
    assert [p.name for p in linked.parameters] == ["other"]
    assert [link.symbol for link in linked.reads] == ["gain"]


def test_arrays_of_a_cell_are_kept_in_engine_units():
    cell = Cell(
        "v : 1",
        parameters={
            "rate": Parameter("Hz", [1.0, 2.0]),
            "tau": Parameter("ms", np.array([3.0, 4.0])),
        },
    )
    assert list(cell.parameter("rate").value) == pytest.approx([0.001, 0.002])
    assert list(cell.parameter("tau").value) == [3.0, 4.0]


@pytest.mark.parametrize(
    ("noun", "expected"),
    [
        ("port", "ports"),
        ("strategy", "strategies"),
        ("axis", "axes"),
        ("state or variable", "states or variables"),
        ("value at spikes", "values at spikes"),
    ],
)
def test_messages_have_the_plural_of_what_is_unknown(noun, expected):
    assert f" The {expected} are: a." in describe_unknown(noun, "z", ["a"])
    assert f" It has no {expected} at all." in describe_unknown(noun, "z", [])
