"""DelayGroups: which edges an event concerns, beside a search through all edges; and values of
edges, in views of any order, in little memory.
"""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest

import neurosim as ns
from neurosim.draws import compiled_edges as rows
from neurosim.draws import sampling
from neurosim.draws.streams import Stream
from neurosim.errors import LoweringError
from neurosim.ir import delay_groups as slots
from neurosim.ir.concretise import concretise
from neurosim.ir.discretise import discretise
from neurosim.models import cells

RANDOM = np.random.default_rng(3)
SOURCES = np.sort(RANDOM.integers(0, 12, 400)).astype(np.int32)
TARGETS = RANDOM.integers(0, 9, 400).astype(np.int32)
POINTER = np.searchsorted(SOURCES, np.arange(14))  # the last source has no edge
DELAYS = {
    "one number": 4,
    "all equal": np.full(400, 3),
    "few": RANDOM.integers(2, 6, 400),
    "many": RANDOM.integers(0, 10**6, 400),
    "zero": np.zeros(400, np.int64),
}


@pytest.mark.parametrize("delay", DELAYS.values(), ids=DELAYS)
@pytest.mark.parametrize("side", ["outgoing", "incoming"])
@pytest.mark.parametrize("many", [0, math.inf])
def test_a_slot_lists_the_edges_of_one_neuron_and_one_delay_in_their_order(
    side, delay, many, monkeypatch
):
    monkeypatch.setattr(sampling, "MANY", many)
    monkeypatch.setattr(sampling, "BLOCK", 64)
    groups = (
        slots.outgoing(POINTER, delay) if side == "outgoing" else slots.incoming(10, TARGETS, delay)
    )
    neurons, size = (SOURCES, 13) if side == "outgoing" else (TARGETS, 10)
    steps = np.broadcast_to(delay, 400)
    edges = np.arange(400) if groups.edges is None else groups.edges
    assert groups.delays.tolist() == sorted(set(steps.tolist()))
    pairs = [
        (n, d)
        for n in range(size)
        for d in groups.delays.tolist()
        if groups.uniform or ((neurons == n) & (steps == d)).any()
    ]
    assert list(zip(groups.neuron.tolist(), groups.delay.tolist(), strict=True)) == pairs
    for slot, (neuron, step) in enumerate(pairs):
        listed = np.flatnonzero((neurons == neuron) & (steps == step))
        assert edges[groups.pointer[slot] : groups.pointer[slot + 1]].tolist() == listed.tolist()
        assert (groups.of_edge[listed] == slot).all()
    assert groups.pointer[0] == 0 and groups.pointer[-1] == 400
    # also those without edges
    every = [(n, d) for d in groups.delays[::-1] for n in range(size)]
    positions = groups.find(
        np.array([n for n, _ in every], np.int32), np.array([d for _, d in every])
    )
    assert positions.tolist() == [pairs.index(pair) for pair in every if pair in pairs]
    assert [groups.first[n] for n in range(size + 1)] == [
        sum(m < n for m, _ in pairs) for n in range(size + 1)
    ]


def test_positions_of_rows_are_listed_row_by_row_also_of_none_and_of_empty_ones():
    pointer = np.array([0, 3, 3, 5])
    for rows_asked, positions in (([2, 0], [3, 4, 0, 1, 2]), ([1], []), ([], [])):
        listed = slots.positions_of(np.array(rows_asked, np.int32), pointer)
        assert listed.tolist() == positions and listed.dtype == np.int64


def test_more_edges_than_32_bits_can_number_are_refused_where_they_are_listed():
    many = np.broadcast_to(np.int32(0), 2**31)
    with pytest.raises(
        LoweringError,
        match=r"found 2147483648 edges .* expected fewer than 2147483648\. Split the projection",
    ):
        slots.incoming(1, many, 0)


def network(delay=1.0, *, shuffled=True, weight=None):
    net = ns.Network("views", dt="0.1 ms", seed=5)
    a = net.population("a", 60, cells.lif_exponential())
    b = net.population("b", 70, cells.lif_exponential())
    orders = (
        [np.random.default_rng(k).permutation(n) for k, n in enumerate((50, 55))]
        if shuffled
        else [np.arange(50), np.arange(3, 58)]
    )
    weight = ns.normal(1.0, 0.5, low=0.2) if weight is None else weight
    p = net.project(
        a[orders[0]],
        b[orders[1]],
        ns.fixed_outdegree(20),
        weight=weight,
        delay=delay,
        port="excitatory",
        name="p",
    )
    return net, p, orders


@pytest.mark.parametrize("shuffled", [True, False])
@pytest.mark.parametrize("has_array", [True, False])
@pytest.mark.parametrize("many", [0, math.inf])
def test_values_of_edges_follow_their_edges_through_views_in_any_order(
    shuffled, has_array, many, monkeypatch
):
    """Positions of a view become absolute indices; the value of an edge is that of its place in the
    view.
    """
    own = np.arange(1000.0) if has_array else None
    net, p, (sources, targets) = network(shuffled=shuffled, weight=own)
    edges = p.connector.connect(Stream(5, "p/edges"), sources, targets, recurrent=False)
    row = edges.source()
    stream, nano = Stream(5, "p/weight"), ns.units.unit("nA")
    values = (
        own
        if has_array
        else p.weight.sample(
            stream, np.arange(1000) - edges.pointer[row], row=row, unit=nano, where="test"
        )
    )
    monkeypatch.setattr(sampling, "MANY", many)
    monkeypatch.setattr(sampling, "BLOCK", 100)
    projection = concretise(net).projections["p"]
    expected = sorted(
        zip(sources[row].tolist(), targets[edges.target].tolist(), values.tolist(), strict=True)
    )
    assert (
        list(
            zip(
                projection.sources.tolist(),
                projection.targets.tolist(),
                projection.weight.tolist(),
                strict=True,
            )
        )
        == expected
    )
    assert not has_array or not np.shares_memory(projection.weight, p.weight)


@pytest.mark.parametrize(
    "distribution",
    [
        ns.uniform(1, 2),
        ns.normal(1, 1, low=0),
        ns.lognormal(1.0, 0.5, high=2),
        ns.exponential(0.3),
        ns.integers(2, 9),
        ns.gamma(1.2, 1.0),
        ns.gamma(0.5, 1.0, high=2),
        ns.binomial(20, 0.3),
        ns.normal(0, 1, low=-0.5, high=0.1),
    ],
    ids=str,
)
def test_draws_for_rows_of_edges_are_those_of_each_row_and_index(distribution, monkeypatch):
    pointer = np.concatenate([[0, 0], np.cumsum(RANDOM.integers(0, 300, 50))])
    row = np.repeat(np.arange(51), np.diff(pointer))
    plain = ns.units.unit("1")
    expected = distribution.sample(
        Stream(1, "x"), np.arange(row.size) - pointer[row], row=row, unit=plain, where="test"
    )
    for many, block in ((math.inf, 1), (0, 1 << 17), (0, 500)):
        monkeypatch.setattr(sampling, "MANY", many)
        monkeypatch.setattr(rows, "BLOCK", block)
        np.testing.assert_array_equal(
            distribution.sample_rows(Stream(1, "x"), pointer, unit=plain, where="test"), expected
        )


@pytest.mark.parametrize("many", [0, math.inf])
def test_bounds_that_no_draw_meets_are_refused(many, monkeypatch):
    monkeypatch.setattr(sampling, "MANY", many)
    with pytest.raises(
        ns.NetworkError, match="still falls outside its bounds after 1000 draws. Widen the bounds"
    ):
        ns.normal(0, 1, low=50).sample_rows(
            Stream(1, "x"), np.array([0, 3]), unit=ns.units.unit("1"), where="test"
        )


@pytest.mark.parametrize("weight, most", [(0.1, 6.5), (ns.uniform(0, 1), 11)])
def test_a_network_is_made_in_little_more_memory_than_it_keeps(weight, most, monkeypatch):
    """Bytes per edge at the worst moment, of which 2 and 10 are kept."""
    monkeypatch.setattr(sampling, "MANY", 0)
    for module in (sampling, rows):
        monkeypatch.setattr(module, "BLOCK", 1 << 12)
    for _ in range(2):  # the first time compiles what is not
        net = ns.Network("large", dt="0.1 ms")
        a = net.population("a", 1000, cells.lif_exponential())
        net.project(a[:900], a, ns.fixed_indegree(300), weight=weight, port="excitatory", name="p")
        tracemalloc.start()
        program = discretise(concretise(net))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert program.projections["p"].targets.size == 300_000 and peak < most * 300_000 + 500_000


@pytest.mark.parametrize("longest, bytes_per_edge", [(30.0, 12), (70_000.0, 14)])
def test_edges_whose_delays_differ_keep_a_target_a_weight_and_a_delay_and_no_more(
    longest, bytes_per_edge
):
    """Bytes per edge; room for what spikes bring is not counted, for its pages are taken when they
    do.
    """
    pytest.importorskip("numba")
    sizes = {}
    for indegree in (10, 1010, 10, 1010):  # the first two compile what is not
        net = ns.Network("spread", dt="1 ms")
        a = net.population("a", 20, cells.lif_exponential())
        b = net.population("b", 300, cells.lif_exponential())
        net.project(
            a,
            b,
            ns.fixed_indegree(indegree, multapses=True),
            weight=ns.uniform(0, 1),
            delay=ns.uniform(0, longest),
            round_delays=True,
            port="excitatory",
            name="p",
        )
        tracemalloc.start()
        run = ns.prepare(net, backend="cpu", threads=2)
        run.run(1.0, progress=False)
        snapshot = tracemalloc.take_snapshot().filter_traces(
            [tracemalloc.Filter(False, "*late_events.py")]
        )
        tracemalloc.stop()
        sizes[indegree] = sum(trace.size for trace in snapshot.traces)
    assert sizes[1010] - sizes[10] == pytest.approx(bytes_per_edge * 300 * 1000, rel=0.02)
