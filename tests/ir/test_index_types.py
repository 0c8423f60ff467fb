"""Indices of 2 bytes: at the border of 65 536 neurons or slots nothing but the memory that edges
take changes.
"""

from __future__ import annotations

import numpy as np
import pytest

import neurosim as ns
from neurosim.draws import sampling
from neurosim.draws.sampling import index_type
from neurosim.draws.streams import Stream
from neurosim.ir import delay_groups as slots
from neurosim.ir import edge_values as ends
from neurosim.ir.concretise import concretise
from neurosim.network import edges
from neurosim.network.wiring import connectors as connect

pytest.importorskip("numba")

BORDER = 1 << 16
LISTENER = ns.Cell(
    "v : 1; heard : 1",
    receives={"x": ns.Port("1", into="heard")},
    step="v = heard; heard = 0.5 * heard",
    spike="v > top",
    parameters={"top": 0.9},
    name="listener",
)
LEARNING = ns.Rule(
    pre="dx/dt = -x / tau : 1",
    post="dy/dt = -y / tau : 1",
    edge="w : 1",
    parameters={"tau": "5 ms"},
    name="learning",
    handlers=[
        ("pre", "w = w - 0.1 * w * y; out += w; x += 1"),
        ("post", "w = w + 0.1 * (2 - w) * x; y += 1"),
    ],
)
LOOKING = ns.Rule(  # post-spikes cannot wait: a "step" handler changes weights, too
    pre="dx/dt = -x / tau : 1",
    post="dy/dt = -y / tau : 1; q : 1",
    edge="w : 1",
    parameters={"tau": "5 ms"},
    name="looking",
    handlers=[
        ("pre", "w = w - 0.1 * w * y; out += w; x += 1"),
        ("post", "w = w + 0.1 * (2 - w) * x; y += 1"),
        ("step", "q = 0; q += w * x; w = 0.999 * w"),
    ],
)


def wide(monkeypatch):
    """Let all indices take 4 bytes."""
    for module in (connect, ends, edges, sampling, slots):
        monkeypatch.setattr(module, "index_type", lambda below: np.int32)


@pytest.mark.parametrize(
    "below, dtype",
    [(1, np.uint16), (BORDER, np.uint16), (BORDER + 1, np.int32), (2**31 - 1, np.int32)],
)
def test_an_index_takes_two_bytes_where_all_below_its_bound_fit(below, dtype):
    assert index_type(below) is dtype and np.iinfo(dtype).max >= below - 1


CONNECTORS = [
    ns.all_to_all(),
    ns.all_to_all(autapses=False),
    ns.fixed_probability(1e-3),
    ns.fixed_probability(0.6, autapses=False),
    ns.fixed_outdegree(700),
    ns.fixed_outdegree(BORDER - 1, autapses=False),
    ns.fixed_outdegree(900, multapses=True, autapses=False),
    ns.fixed_indegree(2),
    ns.fixed_total_number(4000),
    ns.from_arrays([2, 0, 2, 1], [BORDER - 1, 0, BORDER - 1, 7]),
]


@pytest.mark.parametrize("many", [0, 1 << 30])
@pytest.mark.parametrize("size", [BORDER, BORDER + 1])
@pytest.mark.parametrize("connector", CONNECTORS, ids=lambda c: c.show())
def test_connectors_draw_the_same_edges_in_two_bytes_as_in_four(connector, size, many, monkeypatch):
    monkeypatch.setattr(sampling, "MANY", many)
    sources, targets = np.array([size - 1, 3, 40]), np.arange(size)
    edges = connector.connect(Stream(7, "edges"), sources, targets, recurrent=True)
    wide(monkeypatch)
    expected = connector.connect(Stream(7, "edges"), sources, targets, recurrent=True)
    assert edges.target.dtype == (np.uint16 if size == BORDER else np.int32)
    assert expected.target.dtype == np.int32
    np.testing.assert_array_equal(edges.target, expected.target)
    np.testing.assert_array_equal(edges.pointer, expected.pointer)


@pytest.mark.parametrize("size", [BORDER, BORDER + 1])
def test_one_to_one_reaches_the_last_of_many(size):
    edges = ns.one_to_one().connect(
        Stream(7, "edges"), np.arange(size), np.arange(size), recurrent=True
    )
    np.testing.assert_array_equal(edges.target, np.arange(size))


@pytest.mark.parametrize("first, dtype", [(0, np.uint16), (1, np.int32)])
def test_the_highest_neuron_of_a_view_decides_and_not_how_many_it_holds(first, dtype):
    net = ns.Network("views", dt="1 ms")
    many = net.population("many", BORDER + 1, LISTENER)
    net.project(
        many[:2],
        many[first : first + BORDER],
        ns.from_arrays([0, 1], [BORDER - 1, 5]),
        weight=1.0,
        port="x",
        name="edges",
    )
    net.project(many[:2], many[[BORDER, 4]], ns.all_to_all(), weight=1.0, port="x", name="turned")
    projections = concretise(net).projections
    assert projections["edges"].targets.tolist() == [first + BORDER - 1, first + 5]
    assert projections["edges"].targets.dtype == dtype
    assert projections["turned"].targets.tolist() == [4, BORDER] * 2


# ---- engines


def network(size: int) -> ns.Network:
    """Return a few edges of every kind onto, and from, the first and last of many neurons."""
    random = np.random.default_rng(3)
    net = ns.Network("border", dt="1 ms", seed=2)
    source = net.spike_source(
        "source", 4, steps=[np.flatnonzero(random.random(40) < 0.15) for _ in range(4)]
    )
    many = net.population("many", size, LISTENER)
    few = net.population("few", 20, LISTENER, top=ns.uniform(1, 20))
    at = np.unique([*random.integers(0, size, 30), 0, BORDER - 1, size - 2, size - 1])
    onto = ns.from_arrays(np.repeat(np.arange(4), at.size), np.tile(at, 4))
    away = ns.from_arrays(np.repeat(at, 20), np.tile(np.arange(20), at.size))
    weights = ns.uniform(0.0, 0.4)
    delays = ns.integers(0, 6)
    later = {"delay": "2 ms", "dendritic_fraction": 0.5}
    net.project(source, many, onto, weight=0.2, port="x", name="shared")
    net.project(source, many, onto, weight=weights, port="x", name="each")
    net.project(source, many, onto, weight=weights, delay=delays, port="x", name="spread")
    net.project(
        source, many, onto, weight=weights, rule=LEARNING, port="x", name="deferred", **later
    )
    net.project(
        source,
        many,
        onto,
        weight=weights,
        rule=LEARNING,
        delay=delays,
        port="x",
        name="deferred-spread",
    )
    net.project(
        source,
        many,
        onto,
        weight=weights,
        rule=LOOKING,
        delay=delays,
        dendritic_fraction=0.4,
        round_delays=True,
        port="x",
        name="looking-spread",
    )
    net.project(
        many, few, away, weight=ns.uniform(0.0, 0.3), rule=LOOKING, port="x", name="from-many"
    )
    net.project(
        many,
        few,
        away,
        weight=ns.uniform(0.0, 0.3),
        rule=LEARNING,
        delay=delays,
        port="x",
        name="from-many-spread",
    )
    for population in (many[at], few):
        net.record(population, "spikes", "heard")
    net.record(net["looking-spread"], "w")
    return net


def outcome(run: ns.Run) -> dict:
    run.run(40.0, progress=False)
    recording = run.result()
    arrays = {
        name: (
            recording[name].spikes.index,
            recording[name].spikes.step,
            recording[name].trace("heard").values,
        )
        for name in ("many", "few")
    }
    arrays["edges"] = (
        recording["looking-spread"].trace("w").values,
        recording["looking-spread"].source,
        recording["looking-spread"].target,
    )
    return arrays | {name: (run.get(name, "w"),) for name in run.program.plastic}


@pytest.mark.parametrize("size", [BORDER, BORDER + 1])
@pytest.mark.compiled
def test_engines_agree_on_targets_and_sources_up_to_the_last_neuron(size):
    """Of 65 537 neurons the last would be neuron 0 in 2 bytes."""
    expected = outcome(ns.prepare(network(size), backend="reference"))
    assert {0, BORDER - 1, size - 1} <= set(expected["many"][0])
    assert size - 1 in expected["edges"][2]
    assert expected["few"][0].size > 20
    assert all(np.ptp(values[0]) > 0 for name, values in expected.items())
    for threads in (1, 2):
        run = ns.prepare(network(size), backend="cpu", threads=threads)
        assert run.engine.partitions == threads
        measured = outcome(run)
        for name, arrays in expected.items():
            for a, b in zip(arrays, measured[name], strict=True):
                np.testing.assert_array_equal(a, b, err_msg=f"{name}, {threads} threads")


@pytest.mark.parametrize("rule", [LEARNING, LOOKING], ids=lambda rule: rule.name)
@pytest.mark.compiled
def test_engines_agree_where_slots_exceed_what_two_bytes_count_and_neurons_do_not(rule):
    """Three edges of three delays from, and onto, each of 30 000 neurons; those of the highest
    slots are at work.
    """
    size, delays = 30_000, np.tile([0.0, 1.0, 2.0], 30_000)
    source = np.repeat(np.arange(size), 3)
    target = (source + 7 * delays.astype(int)) % size
    random = np.random.default_rng(1)
    steps = [
        np.flatnonzero(random.random(40) < 0.2) if n % 150 == 0 or n > size - 40 else []
        for n in range(size)
    ]

    def arrays_of_engine(backend: str, **options) -> tuple:
        net = ns.Network("slots", dt="1 ms", seed=4)
        one = net.spike_source("one", size, steps=steps)
        other = net.population("other", size, LISTENER)
        net.project(
            one,
            other,
            ns.from_arrays(source, target),
            weight=ns.uniform(0.3, 1.2),
            rule=rule,
            delay=delays,
            dendritic_fraction=0.0,
            back=delays,
            port="x",
            name="edges",
        )
        net.record(other, "spikes")
        run = ns.prepare(net, backend=backend, **options)
        run.run(40.0, progress=False)
        p = run.program.projections["edges"]
        assert p.pre_groups.neuron.size == p.post_groups.neuron.size == 3 * size > BORDER
        assert p.targets.itemsize == p.sources.itemsize == 2
        spikes = run.result()["other"].spikes
        return spikes.index, spikes.step, run.get("edges", "w")

    expected = arrays_of_engine("reference")
    assert expected[0].size > 100
    for threads in (1, 2):
        for a, b in zip(expected, arrays_of_engine("cpu", threads=threads), strict=True):
            np.testing.assert_array_equal(a, b)


# ---- what users see


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_ends_of_edges_in_a_recording_take_four_bytes_as_documented(backend, tmp_path):
    run = ns.prepare(network(BORDER), backend=backend)
    assert run.program.projections["each"].targets.dtype == np.uint16
    run.run(2.0, progress=False)
    result = run.result()
    result.save(tmp_path / "recording.npz")
    for recording in (result, ns.Recording.load(tmp_path / "recording.npz")):
        edges = recording["looking-spread"]
        assert (edges.source.dtype, edges.target.dtype, recording["many"].spikes.index.dtype) == (
            np.int32,
        ) * 3
        assert edges.target.max() == BORDER - 1


def test_the_hash_of_a_network_by_which_states_are_known_does_not_depend_on_the_type_of_indices(
    monkeypatch,
):
    narrow = concretise(network(BORDER)).hash()
    wide(monkeypatch)
    concrete = concretise(network(BORDER))
    assert concrete.projections["each"].targets.dtype == np.int32 and concrete.hash() == narrow
