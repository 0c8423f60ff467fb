"""The CA3 memory's first experiment, spike for spike: the sharpest test of what happens in which
order within a step.

Casanueva-Morato et al. (2024): neurons, wiring and plasticity as released with the article. What
every population must do follows
from two tables of offsets: what each operation fires, and what an overwritten memory echoes once.
Nothing here is fitted.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import neurosim as ns

pytestmark = pytest.mark.experiment

CUES, BITS = 5, 10
SIZES = {
    "CueCue": CUES,
    "ContCue": BITS,
    "Cond": BITS,
    "Int": 1,
    "CueCont": CUES,
    "ContCont": BITS,
    "MergeCue": CUES,
    "MergeCont": BITS,
    "OUT": CUES + BITS,
}
HANDLERS = [
    ("post", "w = min(w + a * x, w_max); y += 1"),
    ("pre", "w = max(w - a * y, 0); out += w; x += 1"),
]

# (step, operation, cue or None, content)
OPERATIONS = [
    (0, "learn", 0, {0, 1, 8, 9}),
    (10, "learn", 4, {1, 5, 6}),
    (20, "learn", 3, {4, 5, 6}),
    (30, "cue", 0, set()),
    (40, "content", None, {6}),
    (50, "content", None, {0, 4}),
    (60, "learn", 3, {1, 3, 4, 8}),
    (70, "cue", 3, set()),
    (80, "content", None, {6}),
]
# Steps after the first input spike in which the neurons of a population fire that belong to the
# cue(s) or the content concerned.
OFFSETS = {
    "learn": {
        "CueCue": (1, 3),
        "ContCue": (1, 3),
        "Cond": (2, 4),
        "Int": (2, 4),
        "CueCont": (3, 5),
        "ContCont": (3, 5),
        "MergeCue": (4, 6),
        "MergeCont": (4, 6),
        "OUT cue": (5, 7),
        "OUT content": (5, 7),
    },
    "cue": {
        "CueCue": (1,),
        "ContCue": (2,),
        "Int": (3,),
        "CueCont": (3,),
        "MergeCue": (4,),
        "MergeCont": (5,),
        "OUT cue": (5,),
        "OUT content": (6,),
    },
    "content": {
        "ContCue": (1,),
        "Cond": (2,),
        "Int": (2,),
        "CueCont": (4,),
        "ContCont": (3,),
        "MergeCue": (5,),
        "MergeCont": (4,),
        "OUT cue": (6,),
        "OUT content": (5,),
    },
    "echo": {
        "ContCue": (2,),
        "Cond": (3,),
        "ContCont": (4,),
        "MergeCont": (5,),
        "OUT content": (6,),
    },
}
OF_CUE = {"CueCue", "CueCont", "MergeCue", "OUT cue"}


def expected_spikes() -> set[tuple[str, int, int]]:
    """Return (population, neuron, step) of all that must fire, from the tables alone."""
    memory: dict[int, set[int]] = {}
    spikes: set[tuple[str, int, int]] = set()

    def add(operation: str, start: int, cues: set[int], content: set[int]) -> None:
        for population, offsets in OFFSETS[operation].items():
            neurons = {0} if population == "Int" else cues if population in OF_CUE else content
            shift = CUES if population == "OUT content" else 0
            spikes.update(
                (population.split()[0], neuron + shift, start + offset)
                for neuron in neurons
                for offset in offsets
            )

    for start, operation, cue, content in OPERATIONS:
        if operation == "learn":
            add("learn", start, {cue}, content)
            add("echo", start, set(), memory.get(cue, set()) - content)
            memory[cue] = content
        elif operation == "cue":
            add("cue", start, {cue}, memory[cue])
        else:
            add("content", start, {c for c, stored in memory.items() if stored & content}, content)
    return spikes


def input_spikes() -> tuple[list[int], list[int]]:
    index: list[int] = []
    step: list[int] = []
    for start, operation, cue, content in OPERATIONS:
        for k in range(3 if operation == "learn" else 1):
            neurons = ([cue] if cue is not None else []) + [CUES + bit for bit in content]
            index += neurons
            step += [start + k] * len(neurons)
    return index, step


def neuron(cm: float, tau: float, threshold: float = -57.0) -> ns.Cell:
    """Current-based LIF of SpiNNaker: synaptic input is the mean of its decay over a step (kappa),
    integrated after it has arrived.
    """
    return ns.Cell(
        """v : mV; exc : nA; inh : nA
           goal = rest + tau / cm * (exc - inh) : mV""",
        parameters={
            "cm": f"{cm} nF",
            "tau": f"{tau} ms",
            "tau_syn": "0.3 ms",
            "rest": "-60 mV",
            "threshold": f"{threshold} mV",
            "kappa": "tau_syn / ms * (1 - exp(-ms / tau_syn))",
        },
        receives={"excitatory": ns.Port("nA"), "inhibitory": ns.Port("nA")},
        step="""
            exc = exc * exp(-dt / tau_syn) + kappa * excitatory
            inh = inh * exp(-dt / tau_syn) + kappa * inhibitory
            v = goal - (goal - v) * exp(-dt / tau)""",
        spike="v >= threshold",
        after_spike="v = rest",
        refractory=ns.Refractory("1 ms", "v"),
        initial={"v": "-60 mV"},
    )


def stdp(handlers: list[tuple[str, str]]) -> ns.Rule:
    return ns.Rule(
        pre="dx/dt = -x / tau : 1",
        post="dy/dt = -y / tau : 1",
        edge="w : nA",
        handlers=handlers,
        parameters={"tau": "3 ms", "a": "6 nA", "w_max": "6 nA"},
    )


def memory(handlers: list[tuple[str, str]] = HANDLERS) -> ns.Network:
    """Return the network; delays are written one step shorter than on SpiNNaker, where a spike of
    delay d is integrated in step k + d.
    """
    slow, fast, out = neuron(0.27, 3.0), neuron(0.14, 0.5), neuron(0.27, 3.0, -57.5)
    net = ns.Network("ca3", dt="1 ms")
    source = net.spike_source("IN", CUES + BITS, steps=input_spikes())
    p = {
        n: net.population(
            n, size, out if n == "OUT" else fast if n in ("Cond", "Int", "CueCont") else slow
        )
        for n, size in SIZES.items()
    }
    one, every = ns.one_to_one(), ns.all_to_all()
    others = ns.from_arrays(*np.nonzero(~np.eye(CUES, dtype=bool)))
    excite = [
        (source[:CUES], p["CueCue"], one, 6.0, 1),
        (source[CUES:], p["ContCue"], one, 6.0, 1),
        (p["CueCue"], p["CueCont"], one, 6.0, 2),
        (p["ContCue"], p["Cond"], one, 9.0, 1),
        (p["ContCue"], p["Int"], every, 6.0, 1),
        (p["Int"], p["Cond"], every, 2.0, 1),
        (p["Cond"], p["ContCont"], one, 6.0, 1),
        (p["CueCue"], p["MergeCue"], one, 6.0, 3),
        (p["CueCont"], p["MergeCue"], one, 6.0, 1),
        (p["ContCue"], p["MergeCont"], one, 6.0, 3),
        (p["ContCont"], p["MergeCont"], one, 6.0, 1),
        (p["MergeCue"], p["OUT"][:CUES], one, 6.0, 1),
        (p["MergeCont"], p["OUT"][CUES:], one, 6.0, 1),
    ]
    inhibit = [
        (p["CueCue"], p["CueCont"], others, 6.0 * BITS, 3),
        (p["CueCue"], p["Cond"], every, 6.0, 2),
        (p["CueCont"], p["CueCont"], ns.all_to_all(autapses=False), 6.0 * BITS, 2),
    ]
    for port, rows in (("excitatory", excite), ("inhibitory", inhibit)):
        for number, (pre, post, connector, weight, delay) in enumerate(rows):
            net.project(
                pre,
                post,
                connector,
                weight=weight,
                delay=delay - 1.0,
                port=port,
                name=f"{port}{number}",
            )
    for pre, post in (("CueCue", "ContCue"), ("ContCont", "CueCont")):
        net.project(
            p[pre],
            p[post],
            every,
            weight=0.0,
            port="excitatory",
            rule=stdp(handlers),
            back="1 ms",
            name=f"{pre}-{post}",
        )
    for population in p.values():
        net.record(population, "spikes")
    return net


def spikes_of(net: ns.Network, backend: str) -> set[tuple[str, int, int]]:
    result = ns.simulate(net, "90 ms", backend=backend, progress=False)
    return {
        (name, int(i), int(k))
        for name in SIZES
        for i, k in zip(result[name].spikes.index, result[name].spikes.step, strict=True)
    }


def test_the_expected_list_has_the_published_number_of_spikes_per_population():
    """The authors' result table: 262 in all."""
    counts = Counter(population for population, _, _ in expected_spikes())
    assert counts == {
        "CueCue": 10,
        "ContCue": 42,
        "Cond": 34,
        "Int": 13,
        "CueCont": 15,
        "ContCont": 34,
        "MergeCue": 15,
        "MergeCont": 42,
        "OUT": 57,
    }
    assert sum(counts.values()) == 262


def test_no_spike_of_262_differs_from_the_list_that_follows_from_the_tables(backend):
    assert spikes_of(memory(), backend) ^ expected_spikes() == set()


def test_with_the_handlers_in_the_wrong_order_spikes_differ(backend):
    """Pre before post: a spike that returns in the step of an arriving one no longer depresses it.
    The prototype found 22.
    """
    assert len(spikes_of(memory(HANDLERS[::-1]), backend) ^ expected_spikes()) == 22


def test_the_weights_of_cue_3_after_it_was_learned_again(backend):
    """At the end of step 71: bits 1, 3, 8 at 5.12, bit 4 (in both contents) at 5.11, the forgotten
    bits 5 and 6 at 0.
    """
    net = memory()
    run = ns.prepare(net, backend=backend)
    run.run("72 ms", progress=False)
    weights = run.get("CueCue-ContCue", "w").reshape(CUES, BITS)[3]
    assert weights[[1, 3, 8]] == pytest.approx(5.12, abs=0.02)
    assert weights[4] == pytest.approx(5.11, abs=0.02)
    assert weights[[5, 6]] == pytest.approx(0.0, abs=0.01)
