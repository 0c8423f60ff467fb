"""The pages for those who come from other simulators: the code of every row runs."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib.pyplot
import numpy as np
import pytest
from scipy import sparse

import neurosim as ns
from neurosim.models import cells, plasticity

matplotlib.use("Agg")

FOLDER = Path(__file__).parents[2] / "docs/coming_from"
PAGES = sorted(path.stem for path in FOLDER.glob("*.md") if path.stem != "index")


def rows(page: str) -> list[list[str]]:
    """Return the cells of each row of the first table of a page."""
    table = (FOLDER / f"{page}.md").read_text().partition("\n|---|---|\n")[2]
    lines = table.partition("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


CODE = [
    pytest.param(text, id=f"{page}: {there[:40]}")
    for page in PAGES
    for there, here in rows(page)
    for text in re.findall(r"`([^`]+)`", here)[:1]
]


def words() -> dict[str, object]:
    """Return the names that the tables use, as the index of the pages explains them."""
    net = ns.Network("page", dt="0.1 ms", seed=1)
    cell = cells.lif()
    a, b = net.population("a", 10, cell), net.population("b", 10, cell)
    edges = net.project(a, b, ns.one_to_one(), rule=plasticity.stdp(), weight=0.1, name="edges")
    net.record(a, "spikes", "v")
    return {
        "ns": ns,
        "np": np,
        "sparse": sparse,
        "cells": cells,
        "plasticity": plasticity,
        "net": net,
        "cell": cell,
        "a": a,
        "b": b,
        "edges": edges,
    }


def test_the_tables_are_read():
    assert PAGES == ["brian2", "nest", "pynn", "snntorch"]
    assert all(len(rows(page)) > 10 for page in PAGES)
    assert all(len(cells) == 2 for page in PAGES for cells in rows(page))
    assert len(CODE) == sum(len(rows(page)) for page in PAGES)


@pytest.mark.parametrize("text", CODE)
def test_the_code_of_a_row_runs(text, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    names = words()
    if "net.record(a" in text:
        names["net"].probes.clear()
    if "run" in text:
        run = names["run"] = ns.prepare(names["net"])
        run.run("5 ms")
    exec(text, names)
    matplotlib.pyplot.close("all")


def spiking(refractory: str, *, start: float = 0.0) -> ns.Network:
    """Return one neuron that is at its threshold in every step in which it may spike."""
    net = ns.Network("one", dt="0.1 ms")
    cell = ns.Cell("v : 1", step="v = v + 1", spike="v > 0", refractory=refractory)
    net.record(net.population("one", 1, cell, v=start), "spikes", "v")
    return net


@pytest.mark.simulator
def test_times_and_refractoriness_are_those_of_brian_after_what_the_page_says():
    """A neuron that could always spike: Brian's 1 ms is ours less one step."""
    brian2 = pytest.importorskip("brian2")
    brian2.prefs.codegen.target = "numpy"
    brian2.defaultclock.dt = 0.1 * brian2.ms
    group = brian2.NeuronGroup(1, "v : 1", threshold="True", refractory=1 * brian2.ms)
    monitor = brian2.SpikeMonitor(group)
    network = brian2.Network(group, monitor)
    network.run(5 * brian2.ms)
    spikes = ns.simulate(spiking("0.9 ms"), "5 ms", progress=False)["one"].spikes
    theirs = np.asarray(monitor.t / brian2.ms)
    assert spikes.times(convention="start") == pytest.approx(theirs)
    assert spikes.times() == pytest.approx(theirs + 0.1)


@pytest.mark.simulator
def test_recorded_states_are_those_of_brian_from_the_second_on():
    brian2 = pytest.importorskip("brian2")
    brian2.prefs.codegen.target = "numpy"
    brian2.defaultclock.dt = 0.1 * brian2.ms
    group = brian2.NeuronGroup(1, "dv/dt = -v/(5*ms) : 1", method="exact")
    group.v = 1
    monitor = brian2.StateMonitor(group, "v", record=True)
    network = brian2.Network(group, monitor)
    network.run(2 * brian2.ms)
    net = ns.Network("one", dt="0.1 ms")
    cell = ns.Cell("dv/dt = -v / tau : 1", parameters={"tau": "5 ms"}, initial={"v": 1})
    net.record(net.population("one", 1, cell), "v")
    ours = ns.simulate(net, "2 ms", progress=False)["one"].trace("v").of(0)
    assert monitor.v[0][0] == 1
    assert ours[:-1] == pytest.approx(monitor.v[0][1:], rel=1e-12)


def test_a_cell_with_the_words_of_snntorch_computes_what_its_layer_computes():
    """Reset by subtraction in the step of the spike: ``reset_delay=False`` there."""
    beta, inputs = 0.9, np.array([0.6, 0.7, 0.0, 0.9, 0.9, 0.2])
    cell = ns.Cell(
        "mem : 1",
        parameters={"beta": beta, "x": 0.0},
        step="mem = beta * mem + x(t)",
        spike="mem > 1",
        after_spike="mem -= 1",
    )
    net = ns.Network("layer", dt="1 ms")
    layer = net.population("layer", 1, cell, x=ns.table(inputs, every="1 ms"))
    net.record(layer, "spikes", "mem")
    result = ns.simulate(net, "6 ms", progress=False)["layer"]
    mem, expected, fired = 0.0, [], []
    for step, x in enumerate(inputs):
        mem = beta * mem + x
        if mem > 1:
            fired.append(step)
            mem -= 1
        expected.append(mem)
    assert result.trace("mem").of(0) == pytest.approx(expected)
    assert result.spikes.step.tolist() == fired == [1, 3, 5]
