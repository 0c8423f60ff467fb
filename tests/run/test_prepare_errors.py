"""What is refused when a network is checked, prepared or run: draws, backends, memory; and what the
report says of rules.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from support.messages import parts
from support.refusals import LIF, gain, network, populate, project

import neurosim as ns
from neurosim import LoweringError, Network, NetworkError, Rule
from neurosim.backend import free_memory
from neurosim.backend.memory_estimate import items
from neurosim.draws import sampling

# ---- what an open run refuses, and what the report says of rules


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"delay": "1 ms"},
            (
                "projection 'first' has no state, parameter or variable 'delay'.",
                "are: tau, w, x.",
                "Delays are fixed when a run is prepared:",
                "give another to net.project, and prepare again.",
            ),
        ),
        (
            {"back": 1},
            (
                "projection 'first' has no state, parameter or variable 'back'.",
                "Delays are fixed when a run is prepared",
            ),
        ),
        (
            {"tau": [1.0] * 12},
            (
                "set 'first', tau: found an array, expected one value for all edges.",
                "Declare it in the rule with Parameter('ms', ..., per='edge').",
            ),
        ),
    ],
)
def test_delays_and_arrays_for_one_value_are_refused_with_what_to_do_instead(values, message):
    run = ns.prepare(network(), backend="reference")
    with pytest.raises(NetworkError, match=parts(*message)) as error:
        run.set("first", **values)
    assert "<projection" not in str(error.value)


@pytest.mark.parametrize(
    ("handlers", "reason"),
    [
        ([("pre", "out += w")], "rule 'r'."),
        (
            [("pre", "w = w"), ("on_dawn", "w = w")],
            "rule 'r'. It listens to signal 'on_dawn'. It delivers nothing.",
        ),
        (
            [("pre", "out += w"), ("night", "w = w"), ("day", "w = w")],
            "rule 'r'. It listens to signals 'night', 'day'.",
        ),
    ],
)
def test_the_report_of_a_rule_says_what_it_waits_for_and_whether_it_delivers(
    backend, handlers, reason
):
    net = network()
    project(rule=Rule(edge="w : mV", handlers=handlers, name="r"), port="in", name="new")(net)
    (row,) = (
        row for row in ns.check(net, backend=backend).rows if str(row.place) == "projection 'new'"
    )
    assert (row.status, row.reason) == ("exact", reason)


# ---- what only draws can show, when a run is prepared


def prepared(act, **options):
    net = network()
    net.projections.pop("spread")
    net.inputs[:] = [i for i in net.inputs if i.name != "spread"]
    act(net)
    return lambda: ns.prepare(net, backend="reference", **options)


DRAWN = {
    "an expression that divides by 0": (
        populate(tau="1*ms / i"),
        "population 'p', tau: the expression gives a value that is not finite",
        "expected numbers.",
        "Correct it.",
    ),
    "bounds that no draw meets": (
        populate(tau=ns.normal("1 ms", "0 ms", low="3 ms")),
        "population 'p', tau: normal(mean=1 ms, sd=0 ms, low=3 ms) still falls outside",
        "after 1000 draws.",
        "Widen the bounds.",
    ),
    "more partners than there are": (
        project(connector=ns.fixed_indegree(9)),
        "projection 'a->b.in' (a -> b): fixed indegree 9: 9 edges are asked for",
        "where only 4 different ones are possible.",
        "Use n=4 or less, or multapses=True.",
    ),
    "weights of as many edges as are not drawn": (
        project(connector=ns.fixed_probability(0.5), weight=[1.0] * 13),
        "weight: found an array of length 13",
        "expected one for each of",
        "edges.",
        "Correct its length.",
    ),
    "links of as many edges as are not drawn": (
        project(
            connector=ns.fixed_probability(0.5), rule=lambda net: gain(net["a"]["v"].by([0] * 13))
        ),
        "link 'gain'",
        "13",
        "expected one for each of",
    ),
}


@pytest.mark.parametrize("case", DRAWN.values(), ids=DRAWN)
def test_what_only_draws_show_is_refused_when_a_run_is_prepared(case):
    act, *message = case
    with pytest.raises(NetworkError, match=parts(*message)):
        prepared(act)()


def test_an_exact_method_over_a_table_is_refused_with_the_report(backend):
    net = network()
    cell = ns.Cell("dv/dt = -v / tau : 1", parameters={"tau": "1 ms"}, method="exact")
    net.population("varying", 1, cell, tau=ns.table([1.0, 2.0], every="1 ms"))
    with pytest.raises(
        LoweringError,
        match=parts(
            f"backend {backend!r} cannot run network 'net':",
            "population 'varying': cell 'cell', equation of v: method 'exact' cannot take it",
            "Use method='euler', or leave the method out.",
        ),
    ) as error:
        ns.prepare(net, backend=backend)
    assert [str(row.place) for row in error.value.report.of("impossible")] == [
        "population 'varying'"
    ]
    assert not error.value.report.possible


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ns.prepare(5, backend="reference"),
            ("network: found 5, expected a Network.", "Make one with ns.Network(name, dt=...)."),
        ),
        (
            lambda: ns.check("net", backend="reference"),
            ("network: found 'net', expected a Network.",),
        ),
        (
            lambda: ns.simulate(None, 1, backend="reference"),
            ("network: found None, expected a Network.",),
        ),
        (
            lambda: ns.prepare(network(), backend="cpuu"),
            ("there is no backend 'cpuu'.", "Did you mean 'cpu'?", "The backends are:"),
        ),
        (
            lambda: ns.prepare(network(), backend=5),
            (
                "backend: found 5, expected the name of a backend, such as 'cpu'.",
                "Give one of these names.",
            ),
        ),
        (
            lambda: ns.prepare(network(), backend="reference", threads=2),
            ("backend 'reference' has no option 'threads'.", "The options are: replica."),
        ),
        (
            lambda: ns.simulate(network(), -1, backend="reference"),
            ("run: duration: found -1, expected one time of 0 ms or more.", "Give it such as"),
        ),
        (
            lambda: ns.simulate(network(), "1 mV", backend="reference"),
            ("run: duration: '1 mV' is a voltage (mV), but a time (ms) is expected.",),
        ),
    ],
)
def test_runs_of_what_is_no_network_no_backend_or_no_time_are_refused(call, message):
    with pytest.raises(NetworkError, match=parts(*message)):
        call()


# ---- memory


class Untouched:
    """A connector that must not be asked to draw."""

    def __init__(self, edges: float) -> None:
        self.edges = edges

    def count(self, n_source: int, n_target: int, *, recurrent: bool) -> ns.EdgeCount:
        return ns.EdgeCount(self.edges, exact=False)

    def show(self) -> str:
        return "untouched"

    def connect(self, *arguments, **options):
        raise AssertionError("edges were drawn")


def test_a_network_beyond_memory_is_refused_before_anything_is_drawn_naming_the_three_largest_items(
    backend,
):
    net = Network("huge", dt=1)
    # 2**31 neurons: no array of that length may be made
    neurons = net.population("neurons", 2**31 - 1, LIF, tau=ns.uniform(1, 2))
    for name, edges in (("small", 10.0), ("large", 1e15), ("larger", 2e15), ("largest", 3e15)):
        net.project(
            neurons,
            neurons,
            Untouched(edges),
            weight=ns.uniform(0, 1),
            delay=ns.uniform(1, 2),
            round_delays=True,
            name=name,
        )
    net.record(neurons, "spikes")
    with pytest.raises(
        NetworkError,
        match=parts(
            "network 'huge' needs about",
            "GB of memory, but",
            "GB are available.",
            "The largest items are",
            "projection 'largest' (3e+15 edges)",
            "projection 'larger' (2e+15 edges)",
            "projection 'large' (1e+15 edges)",
            "Use fewer edges, one weight for all edges of a projection, precision='float32' on",
            "or a larger machine; for a run on several, backend='nest' with ranks=, or SpiNNaker",
            "boards. The page on other simulators has a table of the memory of each.",
        ),
    ) as error:
        ns.prepare(net, backend=backend)
    (row,) = ns.check(net, backend=backend).of("impossible")
    assert row.reason == str(error.value) and row.place.kind == "network"
    assert "'small'" not in str(error.value) and "neurons'" not in str(error.value)


@pytest.mark.parametrize("size", [1000, 70_000])
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_preparing_takes_the_memory_that_was_foretold(precision, size, monkeypatch):
    """Between 0.9 and 1.05 of it. Edges of float32 need their weights twice, in 12 bytes, though 4
    of them are kept.
    """
    pytest.importorskip("numba")
    monkeypatch.setattr(sampling, "MANY", 0)
    for module in ("sampling", "compiled_edges"):
        monkeypatch.setattr(f"neurosim.draws.{module}.BLOCK", 1 << 12)
    for edges in (1000, 2_000_000):  # few edges load and compile what is not
        net = Network("foretold", dt=1)
        a, b = net.population("a", 100, LIF), net.population("b", size, LIF)
        net.project(
            a,
            b,
            ns.fixed_outdegree(edges // 100, multapses=True),
            weight=ns.uniform(0, 1),
            name="edges",
        )
        tracemalloc.start()
        ns.prepare(net, backend="cpu", precision=precision, threads=1)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    foretold = sum(size for _, size in items(net, rounded=precision == "float32"))
    assert 0.9 * foretold < peak < 1.05 * foretold


@pytest.mark.parametrize("values", [9, 100_000])
def test_the_positions_of_shared_weights_are_foretold(values, monkeypatch):
    """6 bytes for each edge: 2 for its target and 4 for its position, not 8 for a weight."""
    pytest.importorskip("numba")
    monkeypatch.setattr(sampling, "BLOCK", 1 << 12)
    for edges in (1000, 4_000_000):  # few edges load and compile what is not
        net = Network("foretold", dt=1)
        a, b = net.population("a", 100, LIF), net.population("b", edges // 100, LIF)
        weight = ns.shared(np.ones(values), index=np.arange(edges) % values)
        net.project(a, b, ns.all_to_all(), weight=weight, name="edges")
        tracemalloc.start()
        ns.prepare(net, backend="cpu", threads=1)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    sizes = dict(items(net))
    of_edges = next(size for name, size in sizes.items() if "edges" in name)
    assert 6 * edges < of_edges < 6.5 * edges
    assert 0.85 * sum(sizes.values()) < peak < 1.05 * sum(sizes.values())


MEASURE = """
import ctypes
import sys
import numpy as np
import neurosim as ns
from neurosim.backend.memory_estimate import items
from neurosim.models import cells
from support.refusals import LIF

RULE = ns.Rule(pre="dx/dt = -x / tau : 1", post="dy/dt = -y / tau : 1", edge="w : mV",
               parameters={"tau": "20 ms"}, name="rule",
               handlers=[("pre", "w = w - y * mV; out += w; x += 1"),
                         ("post", "w = w + x * mV; y += 1")])

def build(edges):
    net = ns.Network("measured", dt=0.5)
    if "neurons" in sys.argv[1]:
        values = {"v": ns.uniform(0, 1)} if "drawn" in sys.argv[1] else {}
        cell = LIF
        if "tau" in sys.argv[1]:
            cell, values = cells.lif_exponential(), {"tau": ns.uniform(10, 20)}
        net.population("a", edges // 12, cell, **values)
        return net
    a, b = net.population("a", 1000, LIF), net.population("b", int(sys.argv[2]), LIF)
    options = {}
    connector = ns.fixed_outdegree(edges // 1000, multapses=True)
    if "listed" in sys.argv[1]:
        draw = np.random.default_rng(1)
        connector = ns.from_arrays(draw.integers(0, 1000, edges), draw.integers(0, len(b), edges))
    if "where" in sys.argv[1]:  # the text is the same for any number of edges: compiled once
        chosen = net.population("chosen", edges // 250, LIF)
        several = "several" in sys.argv[1]
        connector = ns.where(p=0.25, n=ns.integers(3, 6) if several else 1)
        b = chosen[: len(chosen) // 4] if several else chosen
    if "reversed" in sys.argv[1]:
        a, b = (a, b[::-1]) if "targets" in sys.argv[1] else (a[::-1], b)
    if "text delays" in sys.argv[1]:
        options = {"delay": "0.5*ms * (1 + i % 20)"}
    elif "delays" in sys.argv[1]:
        options = {"delay": ns.uniform(0.5, 10), "round_delays": True,
                   "dendritic_fraction": float(sys.argv[4])}
    rule = RULE if "rule" in sys.argv[1] else None
    weight = 1.0 if "shared weights" in sys.argv[1] else ns.uniform(0, 1)
    net.project(a, b, connector, weight=weight, rule=rule, **options)
    return net

def status(name):
    lines = open("/proc/self/status")
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))

ns.prepare(build(1_200_000), backend="cpu", threads=1)  # loads and compiles what many edges need
net = build(int(sys.argv[3]))  # so many edges that the process itself weighs little
ctypes.CDLL(None).malloc_trim(0)  # what was free to be used again would not show as growth
open("/proc/self/clear_refs", "w").write("5")  # lists of the user's own had a peak before
before = status("VmRSS")
run = ns.prepare(net, backend="cpu", threads=1)
print(status("VmHWM") - before, sum(size for _, size in items(net)))
"""


@pytest.mark.process
@pytest.mark.skipif(
    not Path("/proc/self/status").exists(),
    reason="the system does not say how much memory a process had at most",
)
@pytest.mark.parametrize(
    ("what", "size", "edges", "fraction"),
    [
        ("weights", 1000, 6_000_000, 1.0),
        ("shared weights", 1000, 6_000_000, 1.0),
        ("neurons", 1000, 6_000_000, 1.0),
        ("drawn neurons", 1000, 6_000_000, 1.0),
        ("neurons with tau of their own", 1000, 6_000_000, 1.0),
        ("listed, weights", 1000, 6_000_000, 1.0),
        ("listed, shared weights", 1000, 6_000_000, 1.0),
        ("where, weights", 1000, 6_000_000, 1.0),
        ("where, shared weights", 1000, 6_000_000, 1.0),
        ("where with several edges of a pair, weights", 1000, 6_000_000, 1.0),
        ("reversed sources, shared weights", 1000, 6_000_000, 1.0),
        ("reversed sources, weights and delays", 1000, 6_000_000, 1.0),
        ("reversed targets, weights", 1000, 6_000_000, 1.0),
        ("reversed targets, weights of a rule", 1000, 6_000_000, 1.0),
        ("reversed targets, weights and delays of a rule", 1000, 6_000_000, 1.0),
        ("listed and reversed targets, weights", 1000, 6_000_000, 1.0),
        ("weights and text delays", 1000, 6_000_000, 1.0),
        ("weights and delays", 1000, 6_000_000, 1.0),
        ("weights of a rule", 1000, 6_000_000, 1.0),
        *(
            ("weights and delays of a rule", 1000, 6_000_000, fraction)
            for fraction in (0.0, 0.5, 1.0)
        ),
        ("weights and delays of a rule", 70_000, 6_000_000, 1.0),
    ],
)
def test_a_process_grows_by_what_was_foretold(what, size, edges, fraction):
    """At its peak; within 10 per cent of it, with what is drawn for a moment, and slots of delays:
    1.4 million for 70 000 targets. Of drawn neurons, 20: the estimate counts freed memory that a
    system usually keeps.
    """
    pytest.importorskip("numba")
    words = [sys.executable, "-c", MEASURE, *map(str, (what, size, edges, fraction))]
    environment = os.environ | {
        "PYTHONPATH": str(Path(__file__).parents[1]),
        # Freed arrays return to the system at once. Otherwise some processes keep 60 to 75 MB
        # of them, and only much larger networks could be told from that.
        "MALLOC_MMAP_THRESHOLD_": "65536",
    }
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    peak, foretold = map(float, done.stdout.split())
    least = 0.8 if what == "drawn neurons" else 0.9
    assert least * foretold < peak < 1.1 * foretold


@pytest.mark.parametrize("fraction", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("delay", [2000.0, ns.uniform(1, 2000)])
def test_what_long_delays_keep_is_foretold_for_each_neuron(fraction, delay):
    """Spikes on their way at 4 bytes a step, and what lands later at 8: at the source, at the
    target, or at both.
    """
    net = Network("long", dt=1)
    a, b = net.population("a", 300, LIF), net.population("b", 5000, LIF)
    rule = ns.Rule(
        edge="w : mV",
        pre="dx/dt = -x / tau : 1",
        parameters={"tau": "20 ms"},
        handlers=[("pre", "out += w; x += 1"), ("post", "w = w + x * mV")],
    )
    net.project(
        a,
        b,
        ns.fixed_outdegree(10),
        weight=1.0,
        rule=rule,
        delay=delay,
        dendritic_fraction=fraction,
        round_delays=True,
    )
    foretold = dict(items(net))
    memory = ns.prepare(net, backend="reference").memory
    for view in (a, b):
        held = sum(
            array.nbytes
            for (owner, name), array in memory.arrays.items()
            if owner == view.name or name == "_ring" and view is b
        )
        assert (
            abs(foretold[f"population {view.name!r} ({view.size} neurons)"] - held)
            < 0.1 * held + 64 * view.size
        )


def test_the_limit_of_a_container_counts_where_it_is_lower_than_the_machine(tmp_path, monkeypatch):
    machine = free_memory.available()
    for name, text in (
        ("memory.max", "3000000"),
        ("memory.current", "2500000"),
        ("memory.stat", "anon 5\ninactive_file 100000\n"),
    ):
        (tmp_path / name).write_text(text + "\n")
    monkeypatch.setattr(free_memory, "_GROUP", tmp_path)
    assert free_memory.available() == 600_000
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory.available() == pytest.approx(machine, rel=0.5)


def test_connectors_say_beforehand_what_their_edges_will_need():
    net = Network("huge", dt=1)
    neurons = net.population("neurons", 10**7, LIF)
    net.project(neurons, neurons, ns.fixed_probability(0.5), weight=1.0, name="dense")
    with pytest.raises(
        NetworkError, match=parts("network 'huge' needs about", "projection 'dense' (5e+13 edges)")
    ):
        ns.prepare(net, backend="reference")


FOLLOWING = Rule(edge="w : mV", handlers=[("pre", "out += w")], name="following")
DRAWN = ns.uniform(1, 9)


@pytest.mark.parametrize(
    ("options", "rounded", "size"),
    [
        ({}, False, 2),  # for the target, which is written to its place when it is drawn
        ({"weight": DRAWN}, False, 2 + 8),
        ({"weight": DRAWN}, True, 2 + 12),
        ({"weight": DRAWN, "delay": DRAWN}, False, 2 + 8 + 2),
        ({"rule": FOLLOWING}, False, 2 + 8),
        ({"rule": FOLLOWING, "weight": DRAWN}, False, 2 + 8),
        ({"rule": FOLLOWING, "weight": DRAWN}, True, 2 + 4),
        ({"rule": FOLLOWING, "delay": DRAWN}, False, 2 + 8 + 4),
    ],
)
def test_the_bytes_of_an_edge_are_foretold_as_documented(options, rounded, size, monkeypatch):
    """The difference that a million edges make, beside 16 for each edge in work and 3 % in all."""
    monkeypatch.setattr(sampling, "BLOCK", 0)
    foretold = []
    for edges in (10_000_000, 11_000_000):
        net = Network("foretold", dt=1)
        neurons = net.population("neurons", 1000, LIF)
        connector = ns.fixed_outdegree(edges // 1000, multapses=True)
        arguments = {"weight": 1.0, "round_delays": True} | options
        net.project(neurons, neurons, connector, name="edges", **arguments)
        foretold.append(
            dict(items(net, rounded=rounded))[f"projection 'edges' ({edges:.3g} edges)"]
        )
    assert foretold[1] - foretold[0] == pytest.approx(1.03e6 * size, rel=1e-3)


def test_a_rate_that_follows_text_over_time_cannot_be_set():
    net = ns.Network("net", dt="1 ms")
    source = net.poisson("source", 3, rate="(1 + sin(t / (5*ms))) * 10*Hz")
    run = ns.prepare(net)
    with pytest.raises(
        ns.NetworkError,
        match="'rate' follows from its text: set a parameter that it reads, or a table.",
    ):
        run.set(source, rate=5)
