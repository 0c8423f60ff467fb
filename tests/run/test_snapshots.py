"""A snapshot fits every run of its network: of another engine, of other threads, at an earlier
time.
"""

from __future__ import annotations

from typing import Any

import pytest
from support.backends import ready
from support.cpu_networks import plastic, scattered

import neurosim as ns
from neurosim import Cell, Port, Rule

ENGINES = {
    "reference": {"backend": "reference"},
    "brian": {"backend": "brian"},
    "1 thread": {"backend": "cpu", "threads": 1},
    "2 threads": {"backend": "cpu", "threads": 2},
    "3 threads": {"backend": "cpu", "threads": 3},
}
BEAT = Cell(
    "v : 1", step="v += 0.03 + 0.07 * i / N", spike="v >= 1", after_spike="v = 0", name="beat"
)
# fires when something lands
ECHO = Cell(
    "v : 1",
    step="v = x",
    receives={"x": Port("1")},
    spike="v > 0.5",
    refractory="1 ms",
    name="echo",
)
LEARNING = Rule(
    pre="dx/dt = -x / tau : 1",
    edge="w : 1",
    parameters={"tau": "5 ms"},
    name="learning",
    handlers=[("pre", "x += 1; out += w * x"), ("post", "w = min(0.3 + 0.1 * w * x, 1)")],
)
DELAYS: dict[str, dict[str, Any]] = {
    "equal": {"delay": "5 ms"},
    "differing": {"delay": ns.uniform(1, 5), "round_delays": True},
    "plastic": {"delay": "5 ms", "dendritic_fraction": 0, "rule": LEARNING},
    "plastic and differing": {
        "delay": ns.uniform(1, 5),
        "round_delays": True,
        "dendritic_fraction": 0,
        "rule": LEARNING,
    },
    "dendritic": {
        "delay": ns.uniform(1, 5),
        "round_delays": True,
        "dendritic_fraction": 1,
        "rule": LEARNING,
    },
}


def echo(delay: str) -> ns.Network:
    net = ns.Network("echo", dt="1 ms", seed=3)
    beat, heard = net.population("beat", 130, BEAT), net.population("echo", 150, ECHO)
    net.project(beat, heard, ns.fixed_indegree(2), weight=0.6, port="x", **DELAYS[delay])
    for population in (beat, heard):
        net.record(population, "spikes")
    return net


def prepared(net: ns.Network, engine: str) -> ns.Run:
    ready(ENGINES[engine]["backend"])
    return ns.prepare(net, **ENGINES[engine])


def since(run: ns.Run, first: int) -> dict[str, list[tuple[int, int]]]:
    """Return (step, neuron) of the spikes since a step, steps counted from there."""
    recorded = {
        name: p.spikes for name, p in run.result().populations.items() if p.recorded is not None
    }
    pairs = {
        name: zip(s.step.tolist(), s.index.tolist(), strict=True) for name, s in recorded.items()
    }
    return {
        name: [(k - first, n) for k, n in events if k >= first] for name, events in pairs.items()
    }


@pytest.mark.parametrize("build", [scattered, plastic])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1 thread", "2 threads"),
        ("2 threads", "1 thread"),
        ("2 threads", "3 threads"),
        ("3 threads", "1 thread"),
        ("reference", "2 threads"),
        ("3 threads", "reference"),
    ],
)
def test_a_snapshot_goes_on_in_a_run_of_other_threads_and_of_another_engine(build, one, other):
    """A run keeps spikes in segments, one for each of its parts; those of a snapshot belong to no
    part.
    """
    runs = [prepared(build(), engine) for engine in (one, other)]
    runs[1].run("25 ms", progress=False)  # its own spikes are forgotten
    runs[0].run("20 ms", progress=False)
    runs[1].restore(runs[0].snapshot(), clock=True)
    for run in runs:
        run.run("20 ms", progress=False)
    assert since(runs[1], 200) == since(runs[0], 200) and len(since(runs[0], 200)["b"]) > 100


@pytest.mark.parametrize("engine", ["reference", "1 thread", "2 threads", "brian"])
@pytest.mark.parametrize("delay", DELAYS)
@pytest.mark.parametrize("clock", [0, 3])
def test_spikes_in_flight_land_when_a_snapshot_is_put_at_an_earlier_time(engine, delay, clock):
    """Some of them were emitted before step 0 of the run that goes on."""
    first, second = (prepared(echo(delay), engine) for _ in range(2))
    first.run("100 ms", progress=False)
    snapshot = first.snapshot()
    second.run(clock * 1.0, progress=False)
    second.restore(snapshot)
    for run in (first, second):
        run.run("30 ms", progress=False)
    assert second.step == clock + 30 and since(second, clock) == since(first, 100)
    assert any(k < 3 for k, _ in since(first, 100)["echo"]), "some landed that were in flight"
