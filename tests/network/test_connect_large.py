"""Many edges: blocks, compiled code and memory change none; no row depends on another."""

import math
import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from support.connecting import RANDOM, STREAM, joined

from neurosim.draws import compiled_edges, sampling, sorting
from neurosim.draws.streams import Stream
from neurosim.network.wiring.connectors import (
    fixed_indegree,
    fixed_outdegree,
    fixed_probability,
    fixed_total_number,
)


@pytest.mark.parametrize(
    "connector",
    [c for c in RANDOM if not isinstance(c, fixed_total_number)],
    ids=lambda c: c.show(),
)
def test_a_row_does_not_depend_on_which_other_rows_are_drawn(connector):
    inward = isinstance(connector, fixed_indegree)
    many, few = [*range(16)], [11, 3, 7]

    def rows(neurons):
        return joined(connector, *((many, neurons) if inward else (neurons, many)), recurrent=True)

    own = 1 if inward else 0
    assert sorted(rows(few)) == sorted(edge for edge in rows(many) if edge[own] in few)


@pytest.mark.parametrize("connector", RANDOM, ids=lambda c: c.show())
def test_blocks_and_widths_of_draws_do_not_change_the_edges(connector, monkeypatch):
    before = joined(connector, 16, 16, recurrent=True)
    monkeypatch.setattr(sampling, "BLOCK", 50)
    assert joined(connector, 16, 16, recurrent=True) == before
    monkeypatch.setattr(sampling, "_ample", lambda mean: 1)
    assert joined(connector, 16, 16, recurrent=True) == before


LARGER = [
    fixed_probability(1e-3),
    fixed_probability(0.5, autapses=False),
    fixed_outdegree(200),
    fixed_outdegree(450, autapses=False),
    fixed_outdegree(200, multapses=True),
    fixed_indegree(70, autapses=False),
    fixed_indegree(301),
    fixed_indegree(65, multapses=True),
    fixed_total_number(5000, autapses=False),
    fixed_total_number(200_000),
    fixed_total_number(5001, multapses=True),
]


@pytest.mark.parametrize("connector", [*RANDOM, *LARGER], ids=lambda c: c.show())
def test_compiled_code_draws_the_same_edges_as_numpy_whatever_the_blocks_and_threads(
    connector, monkeypatch
):
    """Views in any order, which overlap in part, so that some rows have a refused edge and some
    have none; rows of several chunks of draws.
    """
    sources, targets = np.arange(16), np.arange(16)
    if connector in LARGER:
        sources = np.random.default_rng(1).permutation(700)[:520]
        targets = np.random.default_rng(2).permutation(700)[:513]
    expected = joined(connector, sources, targets, recurrent=True)
    monkeypatch.setattr(sampling, "MANY", 0)
    assert joined(connector, sources, targets, recurrent=True) == expected
    monkeypatch.setattr(compiled_edges, "BLOCK", 1 << 10)
    monkeypatch.setattr(compiled_edges, "cores", lambda: 3)
    assert joined(connector, sources, targets, recurrent=True) == expected


@pytest.mark.parametrize("many", [0, math.inf])
def test_order_sorts_keys_and_leaves_equal_ones_as_they_stand(many, monkeypatch):
    monkeypatch.setattr(sampling, "MANY", many)
    pointer, order = sampling.sort_keys(np.array([3, 1, 3, 0, 1, 3, 5], np.int32), below=7)
    assert order.tolist() == [3, 1, 4, 0, 2, 5, 6] and order.dtype == np.int32
    assert pointer.tolist() == [0, 1, 3, 3, 6, 6, 7, 7]


def test_to_sort_takes_little_room_however_many_cores_there_are(monkeypatch):
    """Bytes per key at the worst moment: 4 are the result, and with 64 cores counts alone would be
    128.
    """
    monkeypatch.setattr(sorting, "cores", lambda: 64)
    keys = np.random.default_rng(1).integers(0, 100_000, 400_000).astype(np.int32)
    for _ in range(2):  # the first time compiles what is not
        tracemalloc.start()
        pointer, order = sorting.sort_keys(keys, below=100_000)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 30 * keys.size
    assert np.array_equal(order, np.argsort(keys, kind="stable"))
    assert np.array_equal(np.diff(pointer), np.bincount(keys, minlength=100_000))


@pytest.mark.process
def test_few_edges_are_drawn_without_loading_numba():
    code = """import sys, numpy, neurosim as ns
from neurosim.draws.streams import Stream
degrees = (ns.fixed_indegree(9), ns.fixed_outdegree(9))
for connector in (ns.fixed_probability(0.1), *degrees, ns.fixed_total_number(99)):
    connector.connect(Stream(0, "edges"), numpy.arange(99), numpy.arange(99), recurrent=True)
print("numba" in sys.modules)"""
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        == "False\n"
    )


@pytest.mark.process
def test_a_second_process_draws_many_edges_without_compiling(tmp_path):
    code = """import numpy, neurosim as ns
from numba.core import event
from neurosim.draws import sampling
from neurosim.draws.streams import Stream
sampling.MANY = 0
seen = event.RecordingListener()
with event.install_listener("numba:run_pass", seen):
    neurons = numpy.arange(99)
    edges = ns.fixed_indegree(9).connect(Stream(0, "edges"), neurons, neurons, recurrent=True)
print(len(seen.buffer), edges.target.sum())"""
    environment = {**os.environ, "NEUROSIM_CACHE": str(tmp_path)}
    first, second = (
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        ).stdout.split()
        for _ in range(2)
    )
    assert int(first[0]) > 0 and second == ["0", first[1]]


@pytest.mark.parametrize(
    "connector, most",
    [
        (fixed_probability(0.1), 2.5),
        (fixed_outdegree(500), 2.5),
        (fixed_indegree(500), 6.5),
        (fixed_total_number(1_000_000, multapses=True), 10.5),
    ],
    ids=lambda x: x.show() if hasattr(x, "show") else "",
)
def test_a_million_edges_need_little_memory_beside_their_targets(connector, most, monkeypatch):
    """Bytes per edge at the worst moment; 2 remain. One number more per edge, of 8 bytes, would
    break each bound.
    """
    monkeypatch.setattr(sampling, "MANY", 0)
    for module in (sampling, compiled_edges):
        monkeypatch.setattr(module, "BLOCK", 1 << 12)
    # compiles what is not
    edges = connector.connect(STREAM, np.arange(2000), np.arange(2000), recurrent=False)
    count = edges.target.size
    del edges
    tracemalloc.start()
    edges = connector.connect(STREAM, np.arange(2000), np.arange(2000), recurrent=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert edges.target.size == count > 390_000 and peak < most * count + 500_000


def test_a_fixed_probability_needs_little_memory_beside_its_edges(monkeypatch):
    """A million edges are 2 MB, twice that while blocks are joined; candidates drawn all at once
    would take more than 50 MB.
    """
    monkeypatch.setattr(sampling, "BLOCK", 1 << 14)
    tracemalloc.start()
    edges = fixed_probability(0.1).connect(
        STREAM, np.arange(2000), np.arange(5000), recurrent=False
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert edges.target.nbytes == pytest.approx(2e6, rel=0.01) and peak < 8e6


@pytest.mark.parametrize("connector", RANDOM, ids=lambda c: c.show())
def test_equal_streams_draw_the_same_and_other_names_or_seeds_something_else(connector):
    drawn = joined(connector, 16, 16, recurrent=True)
    assert joined(connector, 16, 16, recurrent=True, stream=Stream(7, "a to b")) == drawn
    assert joined(connector, 16, 16, recurrent=True, stream=Stream(7, "a to c")) != drawn
    assert joined(connector, 16, 16, recurrent=True, stream=Stream(8, "a to b")) != drawn
