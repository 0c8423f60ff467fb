"""Values that are not finite end a run, where they appear or as soon as variables of rules are looked at; and how often they are."""

from __future__ import annotations

import numpy as np
import pytest
from messages import parts

import neurosim as ns
from neurosim import Cell, Network, Rule, SimulationError, watch

STEPPED = Cell("v : 1", parameters={"current": 0.0}, step="v += current", name="stepped")
GROWING = Rule(edge="w : 1; z : 1", handlers=[("pre", "z = (z + 1) * 1e200")], name="growing")


def prepared(backend: str) -> ns.Run:
    """Return a run in which the second edge of one source becomes infinite in step 7, which ends at 8 ms."""
    net = Network("net", dt="1 ms")
    source = net.spike_source("source", 2, steps=[[1], [6, 7]])
    cells = net.population("cells", 2, STEPPED)
    net.project(source, cells, ns.all_to_all(), weight=0.0, rule=GROWING, name="p")
    net.record(cells, "v")
    return ns.prepare(net, backend=backend)


def test_a_run_that_is_too_short_to_be_looked_at_is_seen_before_anything_is_handed_out(backend, tmp_path, monkeypatch):
    monkeypatch.setattr(watch, "_COST", 1e6)
    for look in (ns.Run.result, ns.Run.snapshot, lambda run: run.save(tmp_path / "state.npz")):
        run = prepared(backend)
        for time in ("5 ms", "4 ms", "1 ms"):
            run.run(time, progress=False)
        with pytest.raises(SimulationError, match=parts("projection 'p', edge 2: z is inf at 10 ms (all were finite at 5 ms)", "expected a finite value.")
                           ) as caught:
            look(run)
        assert caught.value.time == 10.0 and caught.value.recording.header["steps"] == 10
        assert run.result().header["finished"] is False and np.isinf(run.get("p", "z")).sum() == 2


def test_the_first_run_is_looked_at_however_short_it_is(backend, monkeypatch):
    monkeypatch.setattr(watch, "_COST", 1e6)
    with pytest.raises(SimulationError, match=parts("z is inf at 9 ms (all were finite at 0 ms)")):
        prepared(backend).run("9 ms", progress=False)


def test_runs_are_looked_at_as_often_as_their_time_of_computing_pays_for():
    run = prepared("reference")
    watched = watch.Watch(run.program, run.memory)
    cost = 1e-10 * 8 * (4 + 4)  # two variables of four edges
    assert watched.due(0.0, more=False) and not watched.due(0.0, more=True)
    assert watched.look(3) is None and not watched.due(0.9 * cost / 0.05, more=False)
    assert watched.due(0.2 * cost / 0.05, more=False) and not watched.due(0.0, more=True)
    assert watched.due(cost / 0.05, more=True)


def test_a_restored_run_is_looked_at_again(backend, monkeypatch):
    monkeypatch.setattr(watch, "_COST", 0.0)
    run = prepared(backend)
    run.run("5 ms", progress=False)
    kept = run.snapshot()
    for _ in range(2):
        with pytest.raises(SimulationError, match=parts("z is inf at 9 ms (all were finite at 5 ms)")):
            run.run("4 ms", progress=False)
        run.restore(kept, clock=True)
