"""Stories of random networks played on an engine, the same ones every time."""

from __future__ import annotations

import support.random_networks as rn
from hypothesis import HealthCheck, seed, settings

import neurosim as ns
from neurosim import Rule

# The same stories every time, so that a failure on another machine is a failure here; `slow` draws
# new ones. A seed, because `derandomize` draws other stories whenever the text of a test changes.
SEED = seed(4)


SAME = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))


FRESH = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=1000)


def played(story: rn.Story, backend: str, actions: list[tuple] | None = None, **options) -> ns.Run:
    return rn.play(
        ns.prepare(story.net, backend=backend, **options),
        story.actions if actions is None else actions,
    )


def lively(rule: Rule = rn.PAIR) -> rn.Story:
    """A network that spikes and learns, with coincident spikes of both sides, and enough neurons
    for two threads.
    """
    net = ns.Network("lively", dt=1.0, seed=3)
    source = net.bernoulli("source", 150, p=0.2)
    cells = net.population("cells", 150, rn.LIF, bias=0.8, threshold=0.9)
    net.project(
        source,
        cells,
        ns.fixed_probability(0.1),
        weight=ns.uniform(0, 0.8),
        port="x",
        rule=rule,
        name="plastic",
    )
    net.record(cells, "spikes", "v")
    return rn.Story(net, [("run", 40)])
