"""A connector that a user writes: it runs on every engine, and mistakes in it are answered."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from support.connecting import RANDOM, STREAM

import neurosim as ns
from neurosim.backend.memory_estimate import items
from neurosim.models import cells
from neurosim.recording.samples import equal


@dataclass(frozen=True)
class ring:
    """Each source connects to its next neighbours, as the docstring of Connector has it."""

    n: int

    def count(self, n_source: int, n_target: int, *, recurrent: bool) -> ns.EdgeCount:
        if n_source != n_target:
            raise ns.NetworkError(
                f"{self.show()}: {n_source} sources, {n_target} targets. Join as many."
            )
        return ns.EdgeCount(n_source * self.n)

    def connect(
        self, stream: ns.Stream, sources: np.ndarray, targets: np.ndarray, *, recurrent: bool
    ) -> ns.Edges:
        source = np.repeat(np.arange(sources.size), self.n)
        step = np.tile(np.arange(1, self.n + 1), sources.size)
        return ns.Edges.from_pairs(
            source, (source + step) % targets.size, n_source=sources.size, n_target=targets.size
        )

    def show(self) -> str:
        return f"ring of {self.n}"


@dataclass(frozen=True)
class by_chance:
    """Each pair by its own draw, rows written without help."""

    p: float

    def count(self, n_source: int, n_target: int, *, recurrent: bool) -> ns.EdgeCount:
        return ns.EdgeCount(n_source * n_target, exact=False)

    def connect(
        self, stream: ns.Stream, sources: np.ndarray, targets: np.ndarray, *, recurrent: bool
    ) -> ns.Edges:
        joined = stream.uniform(targets, row=sources[:, None]) < self.p
        pointer = np.concatenate([[0], np.cumsum(joined.sum(axis=1))])
        return ns.Edges(pointer, np.nonzero(joined)[1])

    def show(self) -> str:
        return f"by chance {self.p:g}"


@dataclass(frozen=True)
class returning:
    """Returns what a test gives it."""

    edges: Any

    def count(self, n_source: int, n_target: int, *, recurrent: bool) -> ns.EdgeCount:
        return ns.EdgeCount(4)

    def connect(
        self, stream: ns.Stream, sources: np.ndarray, targets: np.ndarray, *, recurrent: bool
    ) -> ns.Edges:
        return self.edges

    def show(self) -> str:
        return "returning"


def network(connector: ns.Connector, **options) -> ns.Network:
    net = ns.Network("own", dt="0.1 ms", seed=3)
    source = net.spike_source("source", 6, steps=[[i, 40 + i] for i in range(6)])
    target = net.population("target", 6, cells.lif())
    options = {"weight": "3 nA", "delay": "0.5 ms", **options}
    net.project(source, target, connector, name="wires", **options)
    net.record(target, "v", "spikes")
    return net


@pytest.mark.parametrize("connector", [ring(2), by_chance(0.4)], ids=lambda c: c.show())
def test_a_connector_of_the_user_runs_as_its_list_of_edges_does(connector, backend):
    run = ns.prepare(network(connector), backend=backend)
    run.run("20 ms")
    edges = run.network.projections["wires"]
    assert edges.sources.size
    listed = network(ns.from_arrays(edges.sources, edges.targets))
    again = ns.simulate(listed, "20 ms", backend=backend)
    np.testing.assert_array_equal(
        run.result()["target"].trace("v").values, again["target"].trace("v").values
    )
    assert equal(run.result()["target"].spikes, again["target"].spikes)


def test_values_per_edge_follow_the_order_in_which_the_connector_lists_edges(backend):
    """Neighbour 2 of source 5 is target 1, below neighbour 1 of source 4: edges are sorted."""
    delay = np.tile([0.1, 0.3], 6)
    run = ns.prepare(network(ring(2), weight=np.arange(12.0), delay=delay), backend=backend)
    edges = run.network.projections["wires"]
    step = (edges.targets - edges.sources) % 6
    np.testing.assert_array_equal(run.get("wires", "w"), 2 * edges.sources + step - 1)


def test_draws_depend_on_the_seed_and_on_the_neurons_alone(backend):
    def targets(seed: int) -> list[int]:
        net = network(by_chance(0.4))
        net.seed = seed
        return ns.prepare(net, backend=backend).network.projections["wires"].targets.tolist()

    assert targets(3) == targets(3) != targets(4)


def test_the_estimate_of_memory_and_the_text_of_a_projection_ask_the_connector():
    net = network(ring(2))
    assert [what for what, _ in items(net) if "wires" in what] == ["projection 'wires' (12 edges)"]
    assert "ring of 2" in repr(net["wires"])
    with pytest.raises(ns.NetworkError, match=r"array of shape \(3,\), expected .* length 12"):
        network(ring(2), weight=np.ones(3))
    big = network(ring(10**12))
    with pytest.raises(ns.NetworkError, match=r"projection 'wires' \(6e\+12 edges\)"):
        ns.prepare(big, backend="reference")


def test_record_counts_the_edges_of_the_connector():
    net = network(ring(2))
    with pytest.raises(ns.NetworkError, match="expected whole numbers from 0 to 11"):
        net.record(net["wires"], "w", edges=[12])


def test_a_refusal_names_the_projection():
    net = network(ring(1))
    message = "projection 'x' (source -> target): ring of 1: 6 sources, 3 targets. Join as many."
    with pytest.raises(ns.NetworkError, match=f"^{re.escape(message)}$"):
        net.project(net["source"], net["target"][:3], ring(1), weight="1 nA", name="x")


@pytest.mark.parametrize("connector", [ns.all_to_all, None, lambda: 0, ns.Edges])
def test_what_is_no_connector_is_refused(connector):
    with pytest.raises(ns.NetworkError, match="expected a connector such as ns.all_to_all()"):
        network(connector)


@pytest.mark.parametrize(
    "edges, message",
    [
        ([0, 1], "returning: connect returned [0, 1], expected Edges."),
        (ns.Edges(np.arange(6), np.zeros(5, int)), "found a pointer of shape (6,)"),
        (ns.Edges(np.arange(7), np.zeros((6, 1), int)), "targets of shape (6, 1)"),
        (ns.Edges(np.arange(7), np.zeros(5, int)), "a pointer from 0 to 6"),
        (ns.Edges(np.arange(1, 8), np.zeros(7, int)), "a pointer from 1 to 7"),
        (ns.Edges(np.array([0, 3, 2, 4, 4, 4, 4]), np.arange(4)), "expected one that ascends"),
        (ns.Edges(np.arange(7), np.arange(1, 7)), "found targets from 1 to 6"),
        (ns.Edges(np.arange(7), np.arange(-1, 5)), "found targets from -1 to 4"),
        (
            ns.Edges(np.array([0, 1, 4, 4, 4, 4, 4]), np.array([5, 0, 3, 2])),
            "found targets that do not ascend within the edges of a source",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_edges_that_are_not_well_formed_are_refused_before_they_reach_an_engine(
    edges, message, backend
):
    with pytest.raises(
        ns.NetworkError, match=rf"^projection 'wires' \(source -> target\): .*{re.escape(message)}"
    ):
        ns.prepare(network(returning(edges)), backend=backend)


@pytest.mark.parametrize(
    "sources, targets, message",
    [([-1], [0], "sources from -1 to -1"), ([0, 1], [0, 6], "targets from 0 to 6")],
)
def test_pairs_outside_the_views_are_refused(sources, targets, message):
    with pytest.raises(ns.NetworkError, match=message):
        ns.Edges.from_pairs(sources, targets, n_source=6, n_target=6)


def test_targets_may_restart_only_where_the_edges_of_a_source_begin():
    """Also across the blocks in which the order is checked."""
    n = 300_000
    target = np.zeros(2 * n, np.int64)
    target[:n] = target[n:] = np.arange(n)
    ns.Edges(np.array([0, n, 2 * n]), target).check(2, n)
    with pytest.raises(ns.NetworkError, match="do not ascend"):
        ns.Edges(np.array([0, n + 1, 2 * n]), target).check(2, n)
    for swapped in (1 << 18, (1 << 18) + 1, n - 1):
        wrong = target.copy()
        wrong[[swapped - 1, swapped]] = wrong[[swapped, swapped - 1]]
        with pytest.raises(ns.NetworkError, match="do not ascend"):
            ns.Edges(np.array([0, n, 2 * n]), wrong).check(2, n)


def test_the_edges_of_the_librarys_connectors_pass_the_check():
    for connector in (*RANDOM, ns.all_to_all(autapses=False), ns.one_to_one()):
        edges = connector.connect(STREAM, np.arange(15), np.arange(15), recurrent=True)
        assert edges.trusted
        edges.check(15, 15)
