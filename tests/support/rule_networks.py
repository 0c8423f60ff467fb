"""Edges that hear given spikes, for the tests of the library's rules."""

import numpy as np

import neurosim as ns
from neurosim.models.plasticity import inhibitory_stdp, reward_stdp, short_term, stdp, triplet_stdp

# Spikes when told to by port "go", and adds up in `heard` what a rule delivers.
LISTENER = ns.Cell(
    "fired : 1; heard : nA",
    receives={"go": ns.Port("1"), "synaptic": ns.Port("nA", into="heard")},
    step="fired = go",
    spike="fired > 0",
)
STDP = {"a_plus": 0.02, "a_minus": 0.03, "tau_plus": "7 ms", "tau_minus": "11 ms"}
FAMILY = {
    "stdp": stdp(),
    "stdp-multiplicative": stdp(dependence="multiplicative"),
    "stdp-power-law": stdp(dependence="power-law", w_max="3 nA", w_ref="1 nA"),
    "stdp-guetig": stdp(dependence="guetig"),
    "stdp-nearest": stdp(pairing="nearest"),
    "stdp-reduced": stdp(pairing="reduced-symmetric"),
    "triplet_stdp": triplet_stdp(a2_plus=0.01, a3_minus=0.002),
    "triplet_stdp-nearest": triplet_stdp(pairing="nearest"),
    "reward_stdp": reward_stdp(reward=1.0),
    "inhibitory_stdp": inhibitory_stdp(eta=0.02),
    "short_term": short_term(),
    "short_term-facilitating": short_term(tau_facil="100 ms", U=0.1),
    "short_term-edge": short_term(per="edge", tau_facil="100 ms"),
}


def prepare(rule, backend, pre, post, *, weight=0.5, dt="1 ms", record=(), **options):
    """One edge, source and target for each list of steps of `pre` and `post`; the target of an edge
    spikes in exactly these steps (above 0).
    """
    net = ns.Network("pairs", dt=dt)
    source = net.spike_source("source", len(pre), steps=pre)
    teacher = net.spike_source(
        "teacher", len(post), steps=[np.asarray(steps) - 1 for steps in post]
    )
    target = net.population("target", len(post), LISTENER)
    net.project(teacher, target, ns.one_to_one(), weight=1.0, port="go")
    net.project(
        source,
        target,
        ns.one_to_one(),
        rule=rule,
        weight=weight,
        port="synaptic",
        name="edge",
        **options,
    )
    if record:
        net.record(target, *record)
    return ns.prepare(net, backend=backend)


def changes(rule, backend, pre, post, *, steps, weight=0.5, name="w", **options):
    """Run, and return by how much a variable of each edge has changed."""
    run = prepare(rule, backend, pre, post, weight=weight, **options)
    before = np.array(run.get("edge", name))
    run.run(steps * run.program.dt, progress=False)
    return run.get("edge", name) - before


def trains(seed, *, edges=12, steps=400, p=0.06):
    """Random steps of sources and of targets: often in the same step, for half of the target's
    spikes follow the source's.
    """
    rng = np.random.default_rng(seed)
    pre = [np.flatnonzero(rng.random(steps) < p) + 1 for _ in range(edges)]
    post = [
        np.unique(
            np.concatenate(
                [
                    np.flatnonzero(rng.random(steps) < p / 2) + 1,
                    rng.choice(spike_steps, spike_steps.size // 2, replace=False),
                ]
            )
        )
        for spike_steps in pre
    ]
    return pre, post


def decay(distance, tau):
    return np.exp(-np.abs(distance) / tau)
