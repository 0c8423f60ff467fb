"""Trials beyond the publication: random memories, retention, short presentations, limits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

import neurosim as ns

from .experiment import EXPERIMENTS, Experiment, Played, counts, judge, play, spaced, spikes, tally
from .memory import CA3Memory
from .network import Settings, fast, slow
from .operations import HOLD, Operation, answers, by_content, by_cue, learn, raster
from .residues import shortest_spacing

Result = dict[str, Any]
SEEDS = range(10)


def published(backend: str, *, name: str, amplitude: float = 6.0) -> Result:
    """Play E1, E2 or E3, and return its counts of spikes, its outcomes, and all its spikes.

    Parameters
    ----------
    backend : str
    name : str
    amplitude : float, nA
        Of the STDP.
    """
    experiment = EXPERIMENTS[name]()
    if amplitude != experiment.settings.amplitude:
        experiment = EXPERIMENTS[name](replace(experiment.settings, amplitude=amplitude))
    played = play(experiment, backend)
    return {"counts": counts(played), "tally": tally(judge(played)), "spikes": _list_spikes(played)}


def _list_spikes(played: Played) -> list[list[Any]]:
    return sorted(
        [name, step, neuron] for name, pairs in spikes(played).items() for step, neuron in pairs
    )


def thresholds(backend: str) -> Result:
    """Return whether one spike of each weight (nA) fires a rested neuron of each kind."""
    # Both sides of both thresholds, a hundredth apart.
    weights = [3.29, 3.30, 3.35, 3.36]
    net = ns.Network("rested", dt="1 ms")
    source = net.spike_source("source", 1, steps=[[2]])
    for cell in (slow(), fast()):
        rested = net.population(cell.name, len(weights), cell)
        net.record(rested, "spikes")
        net.project(source, rested, ns.all_to_all(), weight=weights, port="excitatory")
    recording = ns.simulate(net, "10 ms", backend=backend, progress=False)
    return {
        name: {
            str(w): bool(n) for w, n in zip(weights, recording[name].spikes.count(), strict=True)
        }
        for name in ("slow", "fast")
    }


def latencies(backend: str) -> Result:
    """Play each operation, far apart, and an overwriting.

    Returns
    -------
    dict
        By operation, the populations whose spikes differ from the published offsets.
    """
    s = Settings()
    operations = [learn(s, 2, {0, 1, 4}), by_cue(s, 2), by_content(s, {4}), learn(s, 2, {1, 7})]
    # 40 ms are more than ten time constants of the traces: no operation acts on the next.
    schedule = spaced(operations, 40)
    by_population = spikes(play(Experiment("latencies", s, schedule, 160), backend))
    result = {}
    for (start, operation), answer in zip(schedule, answers(schedule), strict=True):
        expected = raster(operation, answer)
        came = {
            name: {
                (step - start, i) for step, i in by_population[name] if start <= step < start + 40
            }
            for name in expected
        }
        result[str(operation)] = {
            "differ": [name for name in expected if came[name] != expected[name]],
            "offsets": {
                name: sorted({offset for offset, _ in pairs}) for name, pairs in came.items()
            },
        }
    return result


def weights(backend: str) -> list[float]:
    """Return the weights from cue 3 to the content at the end of step 71 of E1, nA."""
    return play(EXPERIMENTS["E1"](), backend, steps=72).to_content[3].tolist()


def random_memories(
    backend: str,
    *,
    cues: int,
    content_size: int,
    spacing: int,
    private: bool = False,
    relearned: int = 0,
    recalls: int = 30,
    recall_spacing: int | None = None,
) -> Result:
    """Learn random contents, then recall at random, half by cue; for each of ten seeds.

    Parameters
    ----------
    backend : str
    cues, content_size : int
    spacing, recall_spacing : int, ms
        After a learning, and after a recall.
    private : bool
        Contents share no bit, and queries are subsets of a memory's bits; else they are single
        bits.
    relearned : int
        Times that every cue learns anew before the recalls.
    recalls : int

    Returns
    -------
    dict
        The tally of all operations.
    """
    outcomes = []
    for seed in SEEDS:
        s = Settings(cues, content_size)
        # Other sizes draw other contents, also with the same seed.
        rng = np.random.default_rng([seed, cues, content_size, relearned])
        contents = [_contents(rng, s, private) for _ in range(1 + relearned)]
        learning = [learn(s, cue, bits) for round_ in contents for cue, bits in enumerate(round_)]
        recalling = [
            _recall(rng, s, contents[-1] if private else None, number < recalls // 2)
            for number in range(recalls)
        ]
        operations = [*learning, *(recalling[i] for i in rng.permutation(recalls))]
        schedule = spaced(operations, spacing, recall=recall_spacing)
        outcomes += judge(play(Experiment("random", s, schedule, schedule[-1][0] + 20), backend))
    return tally(outcomes)


def _contents(rng: np.random.Generator, s: Settings, private: bool) -> list[set[int]]:
    if private:
        # A permutation cut into equal parts: no bit is in two contents.
        return [set(bits.tolist()) for bits in np.split(rng.permutation(s.content_size), s.cues)]
    return [
        set(rng.choice(s.content_size, rng.integers(1, s.content_size + 1), replace=False).tolist())
        for _ in range(s.cues)
    ]


def _recall(
    rng: np.random.Generator,
    s: Settings,
    contents: list[set[int]] | None,
    cue: bool,
) -> Operation:
    if cue:
        return by_cue(s, int(rng.integers(s.cues)))
    if contents is None:
        return by_content(s, {int(rng.integers(s.content_size))})
    # Sorted: the order of a set is not that of its draws, and `choice` depends on it.
    bits = sorted(contents[rng.integers(s.cues)])
    return by_content(s, rng.choice(bits, rng.integers(1, len(bits) + 1), replace=False).tolist())


def map_of_states(backend: str, *, cells: int) -> Result:
    """Learn one of six states for every cell, recall the cells of each, and return the tally."""
    s = Settings(cells, 6)
    # Some state may be drawn for no cell: its recall then has an empty answer.
    states = np.random.default_rng([0, cells]).integers(6, size=cells)
    operations = [learn(s, cell, {int(state)}) for cell, state in enumerate(states)] + [
        by_content(s, {state}) for state in range(6)
    ]
    return tally(
        judge(play(Experiment("map", s, spaced(operations, 10), 10 * len(operations)), backend))
    )


def retention(backend: str, *, silence: float = 2000.0) -> Result:
    """Recall memories by cue and by every bit after a silence (ms), and return [correct, all]."""
    memory = CA3Memory(5, 10, backend=backend)
    stored = {0: {0, 1, 8, 9}, 3: {4, 5, 6}, 4: {1, 5, 6}}
    for cue, bits in stored.items():
        memory.learn(cue, bits)
    # Traces decay within milliseconds; only weights can hold a memory for so long.
    memory.wait(silence)
    right = [memory.recall_by_cue(cue) == stored.get(cue, set()) for cue in range(5)]
    right += [
        memory.recall_by_content({bit}) == {cue for cue, bits in stored.items() if bit in bits}
        for bit in range(10)
    ]
    return {"by cue and by content": [sum(right), len(right)], "silence": silence}


def short_presentations(backend: str) -> Result:
    """Learn from presentations of 1, 2 and 3 steps.

    Returns
    -------
    dict
        By steps, whether recall by cue and by content works, and the weights, nA.
    """
    s = Settings()
    by_steps = {}
    for steps in (1, 2, HOLD):
        schedule = spaced([learn(s, 1, {2, 5}, steps=steps), by_cue(s, 1), by_content(s, {5})], 20)
        # Weights are read before the recalls, which change them.
        learned = play(Experiment("short", s, schedule, 60), backend, steps=20)
        outcomes = judge(play(Experiment("short", s, schedule, 60), backend))
        by_steps[str(steps)] = {
            "recalled": all(o["correct"] for o in outcomes[1:]),
            "to content": float(learned.to_content[1, 5]),
            "to cue": float(learned.to_cue[5, 1]),
        }
    return by_steps


def foreign_bits(backend: str, *, freeze: bool = False, spacing: int = 10) -> Result:
    """Recall four times by a bit of memory 0 and a foreign one, then by the foreign bit alone.

    Parameters
    ----------
    backend : str
    freeze : bool
        Let synapses change while learning only.
    spacing : int, ms

    Returns
    -------
    dict
        The cues that answer to the foreign bit before and after.
    """
    memory = CA3Memory(5, 10, backend=backend, freeze=freeze, spacing=spacing)
    memory.learn(0, {0, 1})
    memory.learn(1, {1, 2})
    before = sorted(memory.recall_by_content({2}))
    # Each recall strengthens the synapses between the foreign bit and the cue of memory 0.
    for _ in range(4):
        memory.recall_by_content({0, 2})
    return {"before": before, "after": sorted(memory.recall_by_content({2}))}


def rounds_of_recall(
    backend: str,
    *,
    bits: int,
    spacing: int | None = None,
    most: int,
) -> Result:
    """Ask for three memories by all of their bits, in turn, until an answer is wrong.

    Parameters
    ----------
    backend : str
    bits : int
        Of each content; no bit is in two contents.
    spacing : ms, optional
        The default of `CA3Memory` unless given.
    most : int
        Rounds after which to stop.

    Returns
    -------
    {"spacing", "right"}
        ms, and the rounds that were right throughout.
    """
    memory = CA3Memory(3, 3 * bits, backend=backend, spacing=spacing or shortest_spacing(bits))
    contents = np.arange(3 * bits).reshape(3, bits).tolist()
    for cue, content in enumerate(contents):
        memory.learn(cue, content)
    for number in range(most):
        if any(memory.recall_by_content(content) != {cue} for cue, content in enumerate(contents)):
            return {"spacing": memory.spacing, "right": number}
    return {"spacing": memory.spacing, "right": most}


def forgotten_bits(backend: str) -> Result:
    """Overwrite a content, then ask for one of its bits, and for two at once.

    Returns
    -------
    {"one", "two"}
        The cues that answer; none should.
    """
    answers = {}
    for name, bits in (("one", {0}), ("two", {0, 1})):
        memory = CA3Memory(5, 10, backend=backend)
        memory.learn(0, {0, 1})
        memory.learn(0, {5})
        answers[name] = sorted(memory.recall_by_content(bits))
    return answers
