"""What a message shows of what it found: on one line, short, and readable whatever was given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.messages import parts

import neurosim as ns
from neurosim.errors import describe
from neurosim.models import cells, plasticity


def network() -> ns.Network:
    net = ns.Network("net", dt="1 ms")
    a, b = net.population("a", 5, cells.lif()), net.population("b", 3, cells.lif())
    net.project(
        a,
        b,
        ns.all_to_all(),
        weight="1 nA",
        rule=plasticity.stdp(w_max="1 nA"),
        port="synaptic",
        name="p",
    )
    net.record(a, "spikes")
    return net


NET = network()
RUN = ns.prepare(NET, backend="reference")
VALUES = {
    "an array": np.ones((2, 2)),
    "a number without a dimension": np.array(2.5),
    "a number of NumPy": np.float64(-2.5),
    "a long list": list(range(300)),
    "a list of names": ["v", "spikes"],
    "a mapping": {"v": np.ones(3)},
    "an object": object(),
    "a function": lambda: 1,
    "a class": ns.Cell,
    "a cell": cells.lif(),
    "a rule": plasticity.stdp(w_max="1 nA"),
    "a draw": ns.uniform(np.ones(2), 1),
    "a table": ns.table([1, 2], every="1 ms"),
    "shared weights": ns.shared(np.ones(2), index=[0, 1]),
    "a run": RUN,
    "a snapshot": RUN.snapshot(),
    "a recording": RUN.result(),
    "nothing": None,
}
TAKES = {
    "set": lambda x: RUN.set("a", v=x),
    "set, owner": lambda x: RUN.set(x, v=1),
    "get": lambda x: RUN.get("a", x),
    "run": lambda x: RUN.run(x),
    "emit": lambda x: RUN.emit(x),
    "reset": lambda x: RUN.reset("a", x),
    "record": lambda x: network().record(x, "v"),
    "record, name": lambda x: NET.record(NET["a"], x),
    "record, name of a projection": lambda x: NET.record(NET["p"], x),
    "record, edges": lambda x: network().record(NET["p"], "w", edges=x),
    "view": lambda x: NET["a"][[x]],
    "network": lambda x: NET[x],
    "size": lambda x: network().population("c", x, cells.lif()),
    "cell": lambda x: network().population("c", 2, x),
    "value": lambda x: network().population("c", 2, cells.lif(), tau=x),
    "times": lambda x: network().spike_source("c", 3, times=x),
    "connector": lambda x: network().project(NET["a"], NET["b"], x),
    "number": lambda x: ns.fixed_indegree(x),
    "dt": lambda x: ns.Network("n", dt=x),
    "port": lambda x: connect(port=value_or(x, "x")),
    "rule": lambda x: connect(rule=value_or(x, 1)),
    "delay": lambda x: connect(delay=[x, "x"]),
    "method": lambda x: ns.Cell("dv/dt = -v / ms : 1", method=value_or(x, "x")),
    "restore": lambda x: RUN.restore([x]),
    "prepare": lambda x: ns.prepare([x]),
    "recording": lambda x: RUN.result()[x],
    "trace": lambda x: RUN.result()["a"].trace(x),
}


def value_or(value: object, otherwise: object) -> object:
    """Return the value, or what else is wrong where None is right."""
    return otherwise if value is None else value


def connect(**values) -> None:
    net = network()
    net.project(
        net["a"], net["b"], ns.all_to_all(), weight=1.0, **{"port": "synaptic"} | values, name="q"
    )


@pytest.mark.parametrize("take", TAKES.values(), ids=TAKES)
def test_a_message_shows_what_was_found_on_one_line_without_the_words_of_python(take):
    refused = 0
    for what, value in VALUES.items():
        try:
            take(value)
        except ns.NeurosimError as error:
            message = str(error)
            refused += 1
            assert len(message) < 420 and not any(
                bad in message for bad in (" at 0x", "array(", "np.", "<class", "\n", "exponents=")
            ), (what, message)
    assert refused >= 10


@pytest.mark.parametrize(
    "value, expected",
    [
        (np.ones((2, 3)), "an array of shape (2, 3)"),
        (np.int64(-3), "-3"),
        (ns.Cell, "the class Cell"),
        (cells.lif(), "a Cell"),
        (object(), "an object"),
        ("x" * 100, "'" + "x" * 79 + "..."),
        ([1, 2], "[1, 2]"),
        (RUN.result(), "a Recording"),
        (ns.uniform(1, "2 ms"), "uniform(low=1, high=2 ms)"),
        (NET["a"], "<population 'a': 5 x lif>"),
        ({"a": np.ones(2)}, "a dict"),
    ],
)
def test_a_value_is_shown_as_itself_if_that_can_be_read_and_else_by_its_kind(value, expected):
    assert describe(value) == expected


@pytest.mark.parametrize(
    "act, message",
    [
        (
            lambda: RUN.get("a", ["v", "tau"]),
            ("population 'a' has no state, parameter or variable ['v', 'tau'].", "are: current, "),
        ),
        (
            lambda: RUN.reset("a", ["v"]),
            ("reset: 'a' has no state or variable ['v'].", "are: synaptic, v."),
        ),
        (
            lambda: NET.record(NET["a"], ["spikes", "v"]),
            ("record: population 'a' has no state ['spikes', 'v'].", "are: spikes, synaptic, v."),
        ),
        (
            lambda: NET.record(NET["a"], "spikes"),
            ("record: 'spikes' of 'a' is recorded already.", "Record all its members in one call."),
        ),
        (
            lambda: RUN.result()["a"].trace(["v"]),
            ("population 'a' has no trace ['v'].", "Give a name."),
        ),
    ],
)
def test_a_list_where_a_name_is_expected_is_refused_with_the_names(act, message):
    with pytest.raises(ns.NetworkError, match=parts(*message)):
        act()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: ns.Cell("dv/dt = -v / ms : 1", **BRIAN["cell"]),
            "ns.Cell has no argument 'threshold'. The arguments are: after_spike, equations, .* "
            "Write spike='v > ...'.",
        ),
        (
            lambda: ns.Rule(edge="w : 1", **BRIAN["rule"]),
            r"ns.Rule has no argument 'on_pre'. .* Write handlers=\[\('pre', ...\)\].",
        ),
        (
            lambda: ns.Cell("v : 1", **BRIAN["typo"]),
            "ns.Cell has no argument 'refractoriness'. Did you mean 'refractory'",
        ),
        (
            lambda: ns.Cell("dv/dt = -v / \u03c4 : 1"),
            "is outside the language .* Write it with names of letters without accents.",
        ),
    ],
)
def test_words_of_others_are_answered_with_ours(make, message):
    with pytest.raises(ns.ModelError, match=message):
        make()


BRIAN: dict[str, dict[str, Any]] = {
    "cell": {"threshold": "v > 1"},
    "rule": {"on_pre": "v_post += w"},
    "typo": {"refractoriness": "2 ms"},
}


def test_what_people_try_at_a_network_is_answered_with_what_to_write():
    net = ns.Network("net", dt="1 ms")
    with pytest.raises(ns.NetworkError, match=r"found a function, .* Call it: cells.lif\(\)."):
        net.population("p", 1, cells.lif)  # pyright: ignore[reportArgumentType]
    p = net.population("p", 1, cells.lif())
    with pytest.raises(ns.NetworkError, match=r"found weights=, expected .* Write weight=."):
        values: dict[str, Any] = {"weights": "1 nA"}
        net.project(p, p, ns.all_to_all(), **values)
    with pytest.raises(ns.NetworkError, match=r"Give names one after another: net.record\("):
        net.record(p, ["v", "spikes"])  # pyright: ignore[reportArgumentType]
    with pytest.raises(ns.NetworkError, match="The populations, projections or drives are: p"):
        net["q"]
