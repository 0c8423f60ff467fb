"""Compiled code of the CPU engine: it is vectorised, its arrays are aligned, and users' names do
not meet those of its source.
"""

from __future__ import annotations

import ast

import pytest
from numba.core.errors import NumbaError
from support.cpu_networks import named, plastic, same_bits
from support.machine_code import packed

import neurosim as ns
from neurosim.backends.cpu.codegen import printing
from neurosim.backends.cpu.codegen.precision import PRECISIONS
from neurosim.expr.functions import FUNCTIONS
from neurosim.models import cells

CELLS = [cells.lif(), cells.lif_conductance(), cells.izhikevich(synapse="exponential", noise=1.0)]


@pytest.mark.parametrize("cell", CELLS, ids=lambda c: c.name)
def test_integration_is_vectorised_and_a_loop_that_cannot_be_is_seen(cell):
    """The control reads the neighbour's new voltage, which must be there before."""
    net = ns.Network("one", dt="0.1 ms")
    net.population("p", 100, cell)
    source = ns.prepare(net, backend="cpu").source
    dependent = source.replace("load(_at_v, _n, 'v')", "load(_at_v, _n - 1, 'v')")
    assert dependent != source
    assert packed(source) >= 5 and packed(dependent) == 0


def test_a_rule_over_neighbours_is_vectorised_and_one_over_scattered_targets_is_not():
    vectors = []
    for wiring in (ns.all_to_all(), ns.fixed_probability(0.5)):
        net = ns.Network("one", dt="0.1 ms")
        p = net.population("p", 100, cells.lif_delta())
        net.project(
            p,
            p,
            wiring,
            rule=ns.Rule(
                edge="w : mV", handlers=[("step", "out += where(i_post < i_pre, w, 0 * mV)")]
            ),
            port="synaptic",
        )
        vectors.append(
            packed(ns.prepare(net, backend="cpu").engine.context.kernels.sources[-1], "handler0_0")
        )
    assert vectors[0] >= 1 and vectors[1] == 0


def test_arrays_over_neurons_begin_on_a_cache_line_also_when_they_were_replaced():
    """Vectors that cross lines made CUBA half as fast again."""
    run = ns.prepare(plastic(), backend="cpu", threads=2)
    run.set(run.owners["a"][0:1], rest="-57 mV")
    begins = {
        key: array.ctypes.data % 64
        for key, array in run.memory.arrays.items()
        if key[0] in "ab" or key[1] == "_ring"
    }
    assert len(begins) > 20 and run.memory["a", "rest"].size == 90 and not any(begins.values())


@pytest.fixture(scope="module")
def named_on_the_reference() -> ns.Run:
    run = ns.prepare(named(), backend="reference")
    run.run("30 ms")
    return run


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.compiled
def test_users_names_do_not_meet_those_of_printed_source(threads, named_on_the_reference):
    compiled = ns.prepare(named(), backend="cpu", threads=threads)
    compiled.run("30 ms")
    runs = [named_on_the_reference, compiled]
    one, two = (run.result()["p"] for run in runs)
    assert one.spikes == two.spikes and one.spikes.index.size > 20
    assert same_bits(one.trace("v").values, two.trace("v").values)
    assert all(
        same_bits(runs[0].get("rule", name), runs[1].get("rule", name))
        for name in ("count", "first", "edge")
    )


def test_names_that_are_not_kept_apart_are_noticed(monkeypatch):
    monkeypatch.setattr(printing, "RESERVED", frozenset())
    with pytest.raises((NumbaError, UnboundLocalError)):
        ns.prepare(named(), backend="cpu")


@pytest.mark.parametrize("precision", PRECISIONS.values(), ids=PRECISIONS)
def test_every_name_that_the_head_of_printed_source_binds_is_kept_from_users(precision):
    """Those of the language's functions are refused to users anyway."""
    bound = {
        word
        for node in ast.parse(precision.header).body
        for word in (
            [a.asname or a.name for a in node.names]
            if isinstance(node, ast.ImportFrom)
            else [t.id for t in node.targets]
        )
    }
    assert {"load_short", "kernel", "exp"} < bound <= printing.RESERVED | FUNCTIONS.keys()
