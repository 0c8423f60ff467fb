"""What a network refuses of a projection at the line of a mistake, changing nothing; and of a rule
between two cells.
"""

from __future__ import annotations

import numpy as np
import pytest
from support.refusals import STDP, STRANGER, gain, project, refused

import neurosim as ns
from neurosim import ModelError, NetworkError, Parameter, Rule

NAN, INF = float("nan"), float("inf")


def sided(per: str) -> Rule:
    return Rule(
        edge="w : mV",
        handlers=[("pre", "out += a * w")],
        parameters={"a": Parameter("1", [1, 2], per=per)},
    )


PROJECTIONS = {
    "no source": (
        project(source=None),
        "source: found None",
        "expected a population of this network or a view of one.",
        "Give what net.population returned.",
    ),
    "a source of another network": (
        project(source=STRANGER),
        "source: population 'a' belongs to another network.",
        "Use one of: a, b, s, two, pulse.",
    ),
    "a target that is a projection": (
        project(target="first"),
        "target: found <projection 'first'",
        "expected a population",
    ),
    "no connector": (
        project(connector="all"),
        "projection 'a->b.in' (a -> b): found 'all', expected a connector such as ns.all_to_all().",
        "Give one third.",
    ),
    "an unknown port": (
        project(port="inn"),
        "projection 'a->b.inn' (a -> b): cell 'lif' has no port 'inn'.",
        "Did you mean 'in'?",
        "The ports are: in.",
    ),
    "a port that is no text": (project(port=5), "cell 'lif' has no port 5.", "The ports are: in."),
    "a target without ports": (
        project(target="s"),
        "projection 'a->s' (a -> s): cell 'given spikes' has no ports",
        "expected a target that receives.",
        "give its cell a port: receives={'v': ns.Port('mV', into='v')}.",
    ),
    "one of two ports": (
        project(target="two"),
        "projection 'a->two' (a -> two): no port given",
        "ports: ex, inh.",
        "Give port=...",
    ),
    "a name in use": (
        project(name="first"),
        "projection 'first': the name is in use in network 'net'.",
        "Choose another with name=..., every name once.",
    ),
    "a name of a population": (
        project(name="a"),
        "projection 'a': the name is in use",
        "Choose another",
    ),
    "a name that is a path": (
        project(name="../.."),
        "projection name: found '../..'",
        "expected letters",
        "Choose another name.",
    ),
    # weights
    "no weight": (
        project(weight=None),
        "no weight given",
        "expected a voltage (mV).",
        "Give weight=...",
    ),
    "a weight in nA": (
        project(weight="1 nA"),
        "projection 'a->b.in' (a -> b), weight: '1 nA' is a current (nA)",
        "but a voltage (mV) is expected.",
        "Give it in mV.",
    ),
    "a weight that is NaN": (
        project(weight=NAN),
        "weight: found a value that is not finite (NaN or infinity)",
        "expected finite numbers.",
        "Replace it.",
    ),
    "infinite weights": (
        project(weight=[INF] * 12),
        "weight: found a value that is not finite",
        "Replace it.",
    ),
    "too few weights": (
        project(weight=[1.0] * 5),
        "weight: found an array of shape (5,)",
        "of length 12 (one per edge).",
        "Reshape it.",
    ),
    "a matrix of weights": (
        project(weight=np.ones((4, 3))),
        "weight: found an array of shape (4, 3)",
        "of length 12 (one per edge).",
        "Reshape it.",
    ),
    "a drawn weight in nA": (
        project(weight=ns.uniform("1 nA", "2 nA")),
        "weight, uniform(low=1 nA, high=2 nA): low: '1 nA' is a current (nA)",
    ),
    "weights over time": (
        project(weight=ns.table([1], every=1)),
        "weight: found a table over time",
        "Only parameters of populations can be tables",
    ),
    "weights as an expression of another unit": (
        project(weight="1*mV + 2*nA"),
        "weight: '1 * mV + 2 * nA': '1 * mV' is a voltage (mV) but",
        "Both must have one unit",
    ),
    "a weight for a rule without one": (
        project(rule=Rule(edge="z : 1", handlers=[("pre", "z = 1")], name="r")),
        "found weight=1.0, but rule 'r' has no edge variable 'w'",
        "Leave the weight out.",
    ),
    # delays
    "a negative delay": (
        project(delay=-1),
        "projection 'a->b.in' (a -> b): delay -1 ms is negative",
        "expected 0 ms or more.",
        "Correct it.",
    ),
    "a delay between the steps": (
        project(delay="0.25 ms"),
        "delay 0.25 ms is not a multiple of dt (0.1 ms).",
        "Use 0.2 ms or 0.3 ms, a smaller dt, or round_delays=True.",
    ),
    "a delay in mV": (
        project(delay="1 mV"),
        "delay: '1 mV' is a voltage (mV)",
        "but a time (ms) is expected.",
    ),
    "a delay that is NaN": (project(delay=NAN), "delay: found a value that is not finite"),
    "too few delays": (
        project(delay=[0.1, 0.2]),
        "delay: found an array of shape (2,)",
        "of length 12 (one per edge).",
    ),
    "a drawn delay without rounding": (
        project(delay=ns.uniform(0, 1)),
        "delay drawn from uniform(low=0, high=1) is in general no multiple of dt (0.1 ms).",
        "Give round_delays=True.",
    ),
    "a drawn delay below 0": (
        project(delay=ns.normal(1, 1), round_delays=True),
        "delay drawn from normal(mean=1, sd=1) can be negative",
        "expected 0 ms or more.",
        "Give low='0 ms' or a larger bound.",
    ),
    "a fraction above 1": (
        project(delay=1, dendritic_fraction=2),
        "found dendritic_fraction 2",
        "expected one number from 0 to 1.",
        "Correct it.",
    ),
    "a fraction that is text": (
        project(delay=1, dendritic_fraction="a"),
        "dendritic_fraction: 'a' is not a quantity.",
    ),
    "a part of a delay between the steps": (
        project(delay="0.1 ms", dendritic_fraction=0.5, rule=STDP),
        "a part of the delay (dendritic_fraction 0.5) 0.05 ms is not",
        "Use 0 ms or 0.1 ms",
    ),
    "a negative way back": (
        project(rule=STDP, back=-1),
        "back -1 ms is negative",
        "expected 0 ms or more.",
    ),
    "a way back between the steps": (
        project(rule=STDP, back=0.15),
        "back 0.15 ms is not a multiple of dt",
        "round_delays=True.",
    ),
    # wiring
    "one to one of unequal sizes": (
        project(connector=ns.one_to_one()),
        "projection 'a->b.in' (a -> b): one to one: there are 4 sources and 3 targets",
        "expected as many",
        "Join views of equal size",
    ),
    "an edge from no neuron": (
        project(connector=ns.from_arrays([9], [0])),
        "sources holds 9, but the view has 4 neurons: expected 3 or less.",
        "from 0.",
    ),
    "a pulse into a derivative": (
        project(target="pulse"),
        "projection 'a->pulse.p' (a -> pulse): spikes into port 'p' of cell 'rate', which jumps "
        "no state",
        "a pulse whose area would depend on dt.",
        "Give the port into=..., write the cell with step=...",
    ),
    # rules
    "a rule that is none": (
        project(rule="stdp"),
        "projection 'a->b.in' (a -> b): found rule 'stdp', expected a Rule.",
        "Make one with ns.Rule",
    ),
    "an unknown parameter": (
        project(rule=STDP, tua=3),
        "has no parameter or variable 'tua'.",
        "Did you mean 'tau'?",
        "are: tau, x.",
    ),
    "a value without a rule": (
        project(tau=3),
        "has no parameter or variable 'tau'.",
        "It has no parameters or variables at all.",
    ),
    "a time constant of zero": (
        project(rule=STDP, tau=0),
        "projection 'a->b.in' (a -> b), tau: found 0 ms",
        "expected more than 0 ms.",
        "Give a positive time.",
    ),
    "an array for one value": (
        project(rule=STDP, tau=[1, 2]),
        "tau: found an array",
        "expected one value.",
        "Declare the parameter with Parameter(..., per=",
    ),
    "a table for a rule": (
        project(rule=STDP, tau=ns.table([1], every=1)),
        "tau: found a table over time",
        "a rule can link to them.",
    ),
    "too few values per source": (
        project(rule=STDP, x=[1, 2]),
        "x: found an array of shape (2,)",
        "of length 4 (one per source).",
    ),
    "too few values per edge in the rule": (
        project(rule=sided("edge")),
        "a: found an array of shape (2,)",
        "of length 12 (one per edge).",
    ),
    "too few values per source in the rule": (
        project(rule=sided("source")),
        "a: found an array of shape (2,)",
        "of length 4 (one per source).",
    ),
    # links
    "a link to a number": (
        project(rule=lambda net: gain(5)),
        "link 'gain': found 5",
        "expected a state such as population['v']",
    ),
    "a link to another network": (
        project(rule=lambda net: gain(STRANGER["v"])),
        "link 'gain': 'a' is no population or earlier projection of this network.",
        "Add it before",
    ),
    "a link without a way": (
        project(rule=lambda net: gain(net["a"]["v"])),
        "link 'gain': 'v' of 'a' has 4 values, expected 1.",
        "Say which one an edge reads: .by('source'), .by('target') or .by(indices).",
    ),
    "a link by a side of another size": (
        project(rule=lambda net: gain(net["b"]["v"].by("source"))),
        "'v' of 'b' has 3 values",
        "expected one for each of 4 source neurons.",
        "Link to as many, or say which one each neuron reads: .by('source', indices).",
    ),
    "a link by a side of fewer neurons": (
        project(rule=lambda net: gain(net["a"]["v"].by("target"))),
        "'v' of 'a' has 4 values",
        "expected one for each of 3 target neurons.",
        "Link to as many, or say which one each neuron reads: .by('target', indices).",
    ),
    "a link by too few regions": (
        project(rule=lambda net: gain(net["b"]["v"].by("source", [0]))),
        "link 'gain': found an array of shape (1,)",
        "of length 4 (one per source neuron).",
    ),
    "a link to no region": (
        project(rule=lambda net: gain(net["b"]["v"].by("target", [0, 3, 1]))),
        "link 'gain': found an index outside 0 ... 2",
        "Correct the index array.",
    ),
    "a link by regions that are no indices": (
        project(rule=lambda net: gain(net["b"]["v"].by("target", [0.5, 1.0, 1.0]))),
        "link to 'v': .by() found an array of float64 with shape (3,)",
        "expected one whole index for each target neuron. Give whole numbers.",
    ),
    "a link by edges and by neurons": (
        project(rule=lambda net: gain(net["b"]["v"].by([0] * 12, [0, 1, 2]))),
        "link to 'v': .by() found indices of edges and of neurons",
        "Give 'source' or 'target' first, or the indices of edges alone.",
    ),
    "a link to no neuron": (
        project(rule=lambda net: gain(net["a"]["v"].by([9] * 12))),
        "found an index outside 0 ... 3",
        "expected indices of 'a'.",
        "Correct the index array.",
    ),
    "a link with too few indices": (
        project(rule=lambda net: gain(net["a"]["v"].by([0]))),
        "link 'gain': found an array of shape (1,)",
        "of length 12 (one per edge).",
    ),
    "a link to a trace that is split by delays": (
        project(rule=lambda net: gain(net["spread"]["x"].by("source"))),
        "link 'gain': 'x'",
        "has one value per neuron and delay of 'spread'",
        "expected one per neuron.",
        "Give the edges of that projection one delay.",
    ),
    "a link to another unit": (
        project(rule=lambda net: gain(net["a"]["tau"].by("source"))),
        "projection 'a->b.in' (a -> b), link 'gain': "
        "'tau' of 'a' is a time (ms), but a voltage (mV) is expected",
        "as of the parameter that it replaces.",
        "Link to a value of that unit.",
    ),
    "a slice of a projection": (
        lambda net: net["first"][:2],
        "projection 'first': found [slice(None, 2, None)], expected the name of a variable",
        "no views.",
        "Record some of the edges with record(..., edges=[...]); "
        "set them all, with one value per edge.",
    ),
    "a link to one value per edge": (
        project(rule=lambda net: gain(net["valued"]["e"])),
        "link 'gain': 'e' has one value per edge of 'valued'",
        "expected a value per neuron.",
        "Link to a pre or post variable.",
    ),
    "a link to an unknown state": (
        lambda net: net["a"]["vv"],
        "population 'a' has no state or parameter 'vv'.",
        "Did you mean 'v'?",
    ),
    "a link to an edge variable": (
        lambda net: net["first"]["w"],
        "projection 'first' has no pre or post variable 'w'.",
        "are: tau, x.",
    ),
    "a link by a word": (
        lambda net: net["a"]["v"].by("src"),
        "link to 'v': .by() found 'src'",
        "expected 'source', 'target' or an index array.",
        "Give one of these.",
    ),
    "a link by fractions": (
        lambda net: net["a"]["v"].by([0.5]),
        "link to 'v': .by() found an array of float64",
        "expected one whole index for each edge.",
        "Give whole",
    ),
}

# What a rule does with cells is known where the two meet.
BINDINGS = {
    "an unknown name": (
        "w : mV",
        "",
        [("pre", "w = v_pst")],
        "handler 'pre': there is no name 'v_pst'.",
        "Did you mean 'v_post'",
        "The names are:",
    ),
    "a word of cells": (
        "w : mV",
        "",
        [("pre", "w = i * mV")],
        "there is no name 'i'.",
        "The names are: N_post, N_pre, dt, i_post, i_pre, step, t,",
    ),
    "a delivery of another unit": (
        "w : nA",
        "",
        [("pre", "out += w")],
        "handler 'pre': 'out += w': 'w' is a current (nA)",
        "but a voltage (mV) is expected.",
        "Multiply",
    ),
    "an assignment of another unit": (
        "w : mV",
        "",
        [("pre", "w = v_pre * v_post")],
        "'w = v_pre * v_post'",
        "is a quantity in mV**2",
        "a voltage (mV) is expected.",
    ),
    "noise": (
        "w : mV",
        "",
        [("pre", "w = xi * mV * ms**0.5")],
        "xi is noise in continuous time",
        "expected only in an equation",
        "Write normal().",
    ),
    "a table": (
        "w : mV",
        "",
        [("pre", "w = tau(t) * mV / ms")],
        "there is no table 'tau'.",
        "Read it without (t), or make it a parameter of a cell.",
    ),
    "an assignment to a shared variable": (
        "w : mV",
        "y : 1",
        [("pre", "y = 1")],
        "handler 'pre': 'y = 1': its result would depend on the order of edges",
        "several edges share one 'y' per target neuron, and '=' would keep the last edge's value.",
        "Add with '+=' an expression that does not read 'y',",
        "or read only what belongs to the target side in a 'post' or 'step' handler.",
    ),
    "an edge assigned to a neuron": (
        "w : mV",
        "y : mV",
        [("step", "y = w")],
        "'y = w': its result would depend on the order of edges",
        "Add with '+='",
    ),
    "a factor from edges": (
        "w : mV",
        "y : 1",
        [("step", "y *= w / mV")],
        "'y *= w / mV': its result would depend on the order of edges",
        "Add with '+='",
    ),
    "a sum that reads what it adds to": (
        "w : mV",
        "y : mV",
        [("step", "y += w * y / mV")],
        "its result would depend on the order of edges: it reads the variable that edges add to",
        "Add with '+=' an expression that does not read 'y'",
    ),
    "the other side": (
        "w : mV",
        "y : mV",
        [("step", "y = v_pre")],
        "'y = v_pre': its result would depend on the order of edges",
        "read only what belongs to the target side.",
    ),
    "a delivery on a signal": (
        "w : mV",
        "",
        [("night", "out += w")],
        "handler 'night': 'out += w': a signal acts between steps and cannot deliver.",
        "Deliver in a 'pre', 'post' or 'step' handler.",
    ),
    "a difference from edges": (
        "w : mV",
        "y : mV",
        [("pre", "y -= w + v_pre")],
        "handler 'pre': 'y -= w + v_pre': found '-=', expected '+=' where several edges share one "
        "'y' per target neuron.",
        "Write 'y += -(w + v_pre)'.",
    ),
    "a variable of the rule with an end": (
        "w : mV",
        "y : mV",
        [("pre", "w = y_post")],
        "handler 'pre': there is no name 'y_post', expected what belongs to the rule by its own "
        "name, without '_post'.",
        "Write 'y'.",
    ),
    "an unknown name with an end": (
        "w : mV",
        "y : mV",
        [("pre", "w = q_post")],
        "handler 'pre': there is no name 'q_post'.",
        "The names are:",
    ),
    "a name that begins like a variable": (
        "w : mV",
        "y : mV",
        [("pre", "w = y_other")],
        "handler 'pre': there is no name 'y_other'.",
        "The names are:",
    ),
    "a state without its end": (
        "w : mV",
        "",
        [("pre", "w = v")],
        "handler 'pre': there is no name 'v'.",
        "The names are:",
        "What belongs to a cell is named with its end.",
        "Write 'v_pre' or 'v_post'.",
    ),
    "a variable named like a state at an end": (
        "w : mV; v_pre : 1",
        "",
        [("pre", "out += w")],
        "rule 'r' defines 'v_pre', which is 'v' of the source cell already",
        "expected each name once.",
        "Rename it in the rule.",
    ),
    "a variable named like a word": (
        "w : mV; i_post : 1",
        "",
        [("pre", "out += w")],
        "rule 'r' defines 'i_post', which is a word of the language already",
        "Rename it in the rule.",
    ),
}


@pytest.mark.parametrize(
    "case", PROJECTIONS.values(), ids=[f"projection: {name}" for name in PROJECTIONS]
)
def test_what_is_wrong_is_refused_at_its_line_and_changes_nothing(case):
    act, *message = case
    refused(act, *message, error=(NetworkError, ModelError))


@pytest.mark.parametrize("case", BINDINGS.values(), ids=BINDINGS)
def test_a_rule_that_does_not_fit_its_cells_is_refused_where_they_meet(case):
    edge, post, handlers, *message = case
    rule = Rule(edge=edge, post=post, handlers=handlers, parameters={"tau": "10 ms"}, name="r")
    refused(project(rule=rule), "projection 'a->b.in' (a -> b)", *message, error=ModelError)
