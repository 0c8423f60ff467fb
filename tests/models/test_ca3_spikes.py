"""The experiments of the CA3 memory, spike by spike: the published tables, the equations of the
specification, and the judge.
"""

import sys
from dataclasses import replace

import numpy as np
import pytest

import neurosim as ns
from neurosim.models.ca3_memory import Settings
from neurosim.models.ca3_memory.experiment import (
    PUBLISHED,
    Experiment,
    counts,
    functional,
    judge,
    play,
    predicted,
    spaced,
    spikes,
    state_map,
    stress,
    tally,
)
from neurosim.models.ca3_memory.network import build
from neurosim.models.ca3_memory.operations import answers, by_content, by_cue, learn
from neurosim.models.plasticity import stdp
from neurosim.recording.recorded import PopulationRecording

pytestmark = pytest.mark.experiment

# ---- the experiments


@pytest.mark.parametrize("experiment", [functional(), state_map()], ids=["E1", "E3"])
def test_every_spike_is_where_the_published_tables_put_it(backend, experiment):
    played = play(experiment, backend)
    assert counts(played) == PUBLISHED[experiment.name]
    measured, expected = spikes(played), predicted(experiment.schedule)
    assert {name: measured[name] ^ expected[name] for name in expected} == dict.fromkeys(
        expected, set()
    )
    assert sum(map(len, expected.values())) == {"E1": 262, "E3": 402}[experiment.name]
    assert all(outcome["correct"] for outcome in judge(played))


def test_the_stress_test_gives_its_1567_spikes(fast_backend):
    """Three rounds of 20 operations, the second overwriting each memory by its complement, the
    third undoing that.
    """
    experiment = stress()
    played = play(experiment, fast_backend)
    measured, expected = spikes(played), predicted(experiment.schedule)
    assert counts(played) == PUBLISHED["E2"]
    assert all(measured[name] == expected[name] for name in expected)
    assert tally(judge(played))["all"] == [60, 60]
    assert experiment.schedule[0][0] == 1
    assert experiment.schedule[20][0] == 281


def test_weights_during_the_first_experiment_are_those_of_the_prototype(backend):
    played = play(functional(), backend, steps=72)
    np.testing.assert_allclose(
        played.to_content[3, [1, 3, 8, 4, 5, 6]], [5.12, 5.12, 5.12, 5.11, 0.0, 0.0], atol=0.01
    )
    # what forgetting leaves
    np.testing.assert_allclose(
        play(functional(), backend).to_cue[[6, 5, 0], 3], [2.97, 3.29, 3.32], atol=0.005
    )


@pytest.mark.parametrize(("scale", "differing"), [(0.8, 141), (0.95, 0), (1.05, 0), (1.2, 129)])
def test_another_amplitude_of_the_plasticity_shows_in_the_spikes(fast_backend, scale, differing):
    measured = spikes(play(stress(Settings(amplitude=6.0 * scale)), fast_backend))
    right = predicted(stress().schedule)
    assert sum(len(measured[name] ^ right[name]) for name in right) == differing


def swapped(**options):
    rule, changed = stdp(**options), object.__new__(ns.Rule)
    changed.__dict__.update(rule.__dict__, handlers=rule.handlers[::-1])
    return changed


@pytest.mark.parametrize(
    ("rule", "differing"),
    [
        (swapped, [22, 571, 0]),
        (lambda **options: stdp(**options, pairing="nearest"), [0, 0, 3]),
        (lambda **options: stdp(**options, relative=True), [25, 189, 27]),
    ],
    ids=["handlers swapped", "nearest pairing", "amplitude times w_max"],
)
def test_another_plasticity_makes_as_many_spikes_differ_as_in_the_prototype(
    fast_backend, monkeypatch, rule, differing
):
    monkeypatch.setattr(sys.modules[build.__module__], "stdp", rule)
    numbers = []
    for experiment in (functional(), stress(), state_map()):
        came, right = spikes(play(experiment, fast_backend)), predicted(experiment.schedule)
        numbers.append(sum(len(came[name] ^ right[name]) for name in right))
    assert numbers == differing


def plain(settings, schedule, steps):
    """Section 2 of the specification with its own delays, written anew with matrices. Returns the
    spikes of all populations but IN.
    """
    c, k = settings.cues, settings.content_size
    sizes = {
        "CueCue": c,
        "ContCue": k,
        "Cond": k,
        "Int": 1,
        "CueCont": c,
        "ContCont": k,
        "MergeCue": c,
        "MergeCont": k,
        "OUT": c + k,
    }
    quick = {"Cond", "Int", "CueCont"}
    eye, others = np.eye, lambda n: np.ones((n, n)) - np.eye(n)
    top = {"cue": np.eye(c, c + k), "content": np.eye(k, c + k, c)}
    static = [
        ("IN", "CueCue", top["cue"].T * 6, 1, 1),
        ("IN", "ContCue", top["content"].T * 6, 1, 1),
        ("CueCue", "CueCont", eye(c) * 6, 2, 1),
        ("CueCue", "CueCont", others(c) * 6 * k, 3, -1),
        ("CueCue", "Cond", np.full((c, k), 6.0), 2, -1),
        ("ContCue", "Cond", eye(k) * 9, 1, 1),
        ("ContCue", "Int", np.full((k, 1), 6.0), 1, 1),
        ("Int", "Cond", np.full((1, k), 2.0), 1, 1),
        ("Cond", "ContCont", eye(k) * 6, 1, 1),
        ("CueCont", "CueCont", others(c) * 6 * k, 2, -1),
        ("CueCue", "MergeCue", eye(c) * 6, 3, 1),
        ("CueCont", "MergeCue", eye(c) * 6, 1, 1),
        ("ContCue", "MergeCont", eye(k) * 6, 3, 1),
        ("ContCont", "MergeCont", eye(k) * 6, 1, 1),
        ("MergeCue", "OUT", top["cue"] * 6, 1, 1),
        ("MergeCont", "OUT", top["content"] * 6, 1, 1),
    ]
    plastic = {("CueCue", "ContCue"): np.zeros((c, k)), ("ContCont", "CueCont"): np.zeros((k, c))}
    x, y = {s: np.zeros(sizes[s]) for s, _ in plastic}, {t: np.zeros(sizes[t]) for _, t in plastic}
    inputs = {
        (start + after, neuron)
        for start, operation in schedule
        for neuron, after in zip(*operation.spikes(settings), strict=True)
    }
    v = {n: np.full(size, -60.0) for n, size in sizes.items()}
    rest = {n: np.zeros(size, int) for n, size in sizes.items()}
    currents = {n: np.zeros((2, size)) for n, size in sizes.items()}
    kappa, fade = 0.3 * (1 - np.exp(-1 / 0.3)), np.exp(-1 / 3.0)
    fired = []
    arriving = {n: np.zeros(size) for n, size in sizes.items()}
    spikes = {n: set() for n in sizes}
    for t in range(steps):
        now = {"IN": np.array([(t, i) in inputs for i in range(c + k)], float)}
        for name, size in sizes.items():
            sums = np.zeros((2, size))
            for source, target, w, delay, sign in static:
                if target == name and t >= delay:
                    sums[0 if sign > 0 else 1] += fired[t - delay][source] @ w
            sums[0] += arriving[name]
            currents[name] = currents[name] * np.exp(-1 / 0.3) + kappa * sums
            capacity, tau = (0.14, 0.5) if name in quick else (0.27, 3.0)
            steady = -60 + tau / capacity * (currents[name][0] - currents[name][1])
            awake = rest[name] == 0
            v[name] = np.where(awake, steady - (steady - v[name]) * np.exp(-1 / tau), v[name])
            spiking = awake & (v[name] >= (-57.5 if name == "OUT" else -57.0))
            v[name] = np.where(spiking, -60.0, v[name])
            rest[name] = np.where(spiking, 1, np.maximum(rest[name] - 1, 0))
            now[name] = spiking.astype(float)
            spikes[name] |= {(t, int(i)) for i in np.flatnonzero(spiking)}
        for (
            (source, target),
            w,
        ) in (
            plastic.items()
        ):  # order of section 2.4: late post-spikes, then pre-spikes, then delivery
            x[source], y[target] = x[source] * fade, y[target] * fade
            back = fired[t - 1][target] if t else np.zeros(sizes[target])
            w += 6 * np.outer(x[source], back)
            np.clip(w, 0, 6, out=w)
            y[target] = y[target] + back
            w -= 6 * np.outer(now[source], y[target])
            np.clip(w, 0, 6, out=w)
            x[source] = x[source] + now[source]
            arriving[target] = now[source] @ w
        fired.append(now)
    return spikes


@pytest.mark.parametrize("spacing", [6, 10])
def test_random_operations_give_the_spikes_of_the_equations_in_the_specification(backend, spacing):
    """Learning, relearning and all queries, several bits at a time too, so densely that many
    answers are wrong: the same wrong ones.
    """
    s, rng = Settings(6, 8), np.random.default_rng(spacing)
    operations = []
    for _ in range(60):
        bits = rng.choice(8, rng.integers(1, 6), replace=False).tolist()
        cue = int(rng.integers(6))
        operations.append(
            [learn(s, cue, bits), by_cue(s, cue), by_content(s, bits)][rng.integers(3)]
        )
    experiment = Experiment("random", s, spaced(operations, spacing), 60 * spacing + 10)
    played, expected = play(experiment, backend), plain(s, experiment.schedule, experiment.steps)
    measured = {
        n: set(zip(p.spikes.step.tolist(), p.spikes.index.tolist(), strict=True))
        for n, p in played.recording.populations.items()
        if n != "IN"
    }
    assert measured == expected
    correct, number = tally(judge(played))["all"]
    assert sum(map(len, measured.values())) > 1000 and correct < number


# ---- what is expected, and the judge


def test_a_perfect_memory_answers_with_the_union_of_all_memories_that_share_a_bit():
    perfect = answers(functional().schedule)
    assert [sorted(a.cues) for a in perfect] == [[0], [4], [3], [0], [3, 4], [0, 3], [3], [3], [4]]
    assert [sorted(a.content) for a in perfect][3] == [0, 1, 8, 9]
    assert sorted(perfect[6].echo) == [5, 6]
    assert not perfect[2].echo


def test_the_judge_counts_what_is_missing_what_is_wrong_and_forgives_an_echo(backend):
    played = play(functional(), backend)
    out = played.recording["OUT"].spikes

    def judged_with(steps, index):
        order = np.lexsort((index, steps))
        changed = replace(out, index=np.asarray(index)[order], step=np.asarray(steps)[order])
        populations = played.recording.populations | {
            "OUT": replace_spikes(played.recording["OUT"], changed)
        }
        return judge(
            replace(played, recording=ns.Recording(played.recording.header, populations, {}))
        )

    assert all(o["correct"] for o in judged_with(out.step, out.index))
    keep = ~((out.step == 36) & (out.index == 13))  # bit 8 of the answer to cue 0
    assert [
        (i, o["missing"], o["wrong"])
        for i, o in enumerate(judged_with(out.step[keep], out.index[keep]))
        if not o["correct"]
    ] == [(3, 1, 0)]
    late = judged_with([*out.step, 37], [*out.index, 0])
    assert [(i, o["missing"], o["wrong"]) for i, o in enumerate(late) if not o["correct"]] == [
        (3, 0, 1)
    ]
    quiet = ~((out.step == 66) & (out.index > 9))  # the echoes
    assert quiet.sum() == len(out) - 2
    assert all(o["correct"] for o in judged_with(out.step[quiet], out.index[quiet]))


def replace_spikes(population, changed):
    return PopulationRecording(population.name, population.size, changed, None)
