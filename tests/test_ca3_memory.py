"""The CA3 memory: spike for spike as published, against a plain NumPy version, its operations, limits, picture and checks."""

import json
import pickle
import sys
from dataclasses import replace

import numpy as np
import pytest

import neurosim as ns
from neurosim.models.ca3_memory import CA3Memory, Settings, model
from neurosim.models.ca3_memory.checks import CHECKS, EXPERIMENTS
from neurosim.models.ca3_memory.demonstrate import judged
from neurosim.models.ca3_memory.experiment import PUBLISHED, Experiment, counts, functional, judge, play, predicted, spaced, spikes, state_map, stress, tally
from neurosim.models.ca3_memory.network import TO_CONTENT, TO_CUE, build, network
from neurosim.models.ca3_memory.operations import BY_CONTENT, BY_CUE, LEARN, answers, by_content, by_cue, learn
from neurosim.models.ca3_memory.picture import draw
from neurosim.models.ca3_memory.trials import foreign_bits, latencies, map_of_states, random_memories, retention, short_presentations, thresholds
from neurosim.models.plasticity import stdp

MEMORIES = {0: {0, 1, 8, 9}, 4: {1, 5, 6}, 3: {4, 5, 6}}


def filled(backend, **options):
    memory = CA3Memory(5, 10, backend=backend, **options)
    for cue, bits in MEMORIES.items():
        memory.learn(cue, bits)
    return memory


# ---- the experiments


@pytest.mark.parametrize("experiment", [functional(), state_map()], ids=["E1", "E3"])
def test_every_spike_is_where_the_published_tables_put_it(backend, experiment):
    played = play(experiment, backend)
    assert counts(played) == PUBLISHED[experiment.name]
    found, expected = spikes(played), predicted(experiment.schedule)
    assert {name: found[name] ^ expected[name] for name in expected} == dict.fromkeys(expected, set())
    assert sum(map(len, expected.values())) == {"E1": 262, "E3": 402}[experiment.name]
    assert all(outcome["correct"] for outcome in judge(played))


def test_the_stress_test_gives_its_1567_spikes(fast_backend):
    """Three rounds of 20 operations, the second overwriting each memory by its complement, the third undoing that."""
    experiment = stress()
    played = play(experiment, fast_backend)
    found, expected = spikes(played), predicted(experiment.schedule)
    assert counts(played) == PUBLISHED["E2"] and all(found[name] == expected[name] for name in expected)
    assert tally(judge(played))["all"] == [60, 60] and experiment.schedule[0][0] == 1 and experiment.schedule[20][0] == 281


def test_weights_during_the_first_experiment_are_those_of_the_prototype(backend):
    played = play(functional(), backend, steps=72)
    np.testing.assert_allclose(played.to_content[3, [1, 3, 8, 4, 5, 6]], [5.12, 5.12, 5.12, 5.11, 0.0, 0.0], atol=0.01)
    np.testing.assert_allclose(play(functional(), backend).to_cue[[6, 5, 0], 3], [2.97, 3.29, 3.32], atol=0.005)  # what forgetting leaves


@pytest.mark.parametrize(("scale", "differing"), [(0.8, 141), (0.95, 0), (1.05, 0), (1.2, 129)])
def test_another_amplitude_of_the_plasticity_shows_in_the_spikes(fast_backend, scale, differing):
    found, right = spikes(play(stress(Settings(amplitude=6.0 * scale)), fast_backend)), predicted(stress().schedule)
    assert sum(len(found[name] ^ right[name]) for name in right) == differing


def swapped(**options):
    rule, changed = stdp(**options), object.__new__(ns.Rule)
    changed.__dict__.update(rule.__dict__, handlers=rule.handlers[::-1])
    return changed


@pytest.mark.parametrize(("rule", "differing"), [
    (swapped, [22, 571, 0]), (lambda **options: stdp(**options, pairing="nearest"), [0, 0, 3]),
    (lambda **options: stdp(**options, relative=True), [25, 189, 27]),
], ids=["handlers swapped", "nearest pairing", "amplitude times w_max"])
def test_another_plasticity_makes_as_many_spikes_differ_as_in_the_prototype(fast_backend, monkeypatch, rule, differing):
    monkeypatch.setattr(sys.modules[build.__module__], "stdp", rule)
    found = []
    for experiment in (functional(), stress(), state_map()):
        came, right = spikes(play(experiment, fast_backend)), predicted(experiment.schedule)
        found.append(sum(len(came[name] ^ right[name]) for name in right))
    assert found == differing


def plain(settings, schedule, steps):
    """Section 2 of the specification with its own delays, written anew with matrices. Returns the spikes of all populations but IN."""
    c, k = settings.cues, settings.content_size
    sizes = {"CueCue": c, "ContCue": k, "Cond": k, "Int": 1, "CueCont": c, "ContCont": k, "MergeCue": c, "MergeCont": k, "OUT": c + k}
    quick = {"Cond", "Int", "CueCont"}
    eye, others = np.eye, lambda n: np.ones((n, n)) - np.eye(n)
    top = {"cue": np.eye(c, c + k), "content": np.eye(k, c + k, c)}
    static = [("IN", "CueCue", top["cue"].T * 6, 1, 1), ("IN", "ContCue", top["content"].T * 6, 1, 1), ("CueCue", "CueCont", eye(c) * 6, 2, 1),
              ("CueCue", "CueCont", others(c) * 6 * k, 3, -1), ("CueCue", "Cond", np.full((c, k), 6.0), 2, -1), ("ContCue", "Cond", eye(k) * 9, 1, 1),
              ("ContCue", "Int", np.full((k, 1), 6.0), 1, 1), ("Int", "Cond", np.full((1, k), 2.0), 1, 1), ("Cond", "ContCont", eye(k) * 6, 1, 1),
              ("CueCont", "CueCont", others(c) * 6 * k, 2, -1), ("CueCue", "MergeCue", eye(c) * 6, 3, 1), ("CueCont", "MergeCue", eye(c) * 6, 1, 1),
              ("ContCue", "MergeCont", eye(k) * 6, 3, 1), ("ContCont", "MergeCont", eye(k) * 6, 1, 1), ("MergeCue", "OUT", top["cue"] * 6, 1, 1),
              ("MergeCont", "OUT", top["content"] * 6, 1, 1)]
    plastic = {("CueCue", "ContCue"): np.zeros((c, k)), ("ContCont", "CueCont"): np.zeros((k, c))}
    x, y = {s: np.zeros(sizes[s]) for s, _ in plastic}, {t: np.zeros(sizes[t]) for _, t in plastic}
    given = {(start + after, neuron) for start, each in schedule for neuron, after in zip(*each.spikes(settings), strict=True)}
    v, rest = {n: np.full(size, -60.0) for n, size in sizes.items()}, {n: np.zeros(size, int) for n, size in sizes.items()}
    currents = {n: np.zeros((2, size)) for n, size in sizes.items()}
    kappa, fade = 0.3 * (1 - np.exp(-1 / 0.3)), np.exp(-1 / 3.0)
    fired, arriving, found = [], {n: np.zeros(size) for n, size in sizes.items()}, {n: set() for n in sizes}
    for t in range(steps):
        now = {"IN": np.array([(t, i) in given for i in range(c + k)], float)}
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
            v[name], rest[name] = np.where(spiking, -60.0, v[name]), np.where(spiking, 1, np.maximum(rest[name] - 1, 0))
            now[name] = spiking.astype(float)
            found[name] |= {(t, int(i)) for i in np.flatnonzero(spiking)}
        for (source, target), w in plastic.items():  # order of section 2.4: late post-spikes, then pre-spikes, then delivery
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
    return found


@pytest.mark.parametrize("spacing", [6, 10])
def test_random_operations_give_the_spikes_of_the_equations_in_the_specification(backend, spacing):
    """Learning, relearning and all queries, several bits at a time too, so densely that many answers are wrong: the same wrong ones."""
    s, rng = Settings(6, 8), np.random.default_rng(spacing)
    operations = []
    for _ in range(60):
        bits = rng.choice(8, rng.integers(1, 6), replace=False).tolist()
        cue = int(rng.integers(6))
        operations.append([learn(s, cue, bits), by_cue(s, cue), by_content(s, bits)][rng.integers(3)])
    experiment = Experiment("random", s, spaced(operations, spacing), 60 * spacing + 10)
    played, expected = play(experiment, backend), plain(s, experiment.schedule, experiment.steps)
    found = {n: set(zip(p.spikes.step.tolist(), p.spikes.index.tolist(), strict=True)) for n, p in played.recording.populations.items() if n != "IN"}
    assert found == expected
    correct, number = tally(judge(played))["all"]
    assert sum(map(len, found.values())) > 1000 and correct < number


# ---- the memory held open


def test_a_memory_answers_by_cue_and_by_any_bit_and_forgets_what_is_overwritten(backend):
    memory = filled(backend)
    assert memory.recall_by_cue(0) == {0, 1, 8, 9} and memory.recall_by_cue(1) == set()
    assert memory.recall_by_content({6}) == {3, 4} and memory.recall_by_content([0, 4]) == {0, 3} and memory.recall_by_content({7}) == set()
    memory.learn(3, np.array([1, 3, 4, 8]))
    assert memory.recall_by_cue(3) == {1, 3, 4, 8}
    assert memory.recall_by_content({6}) == {4} and memory.recall_by_content(range(3, 5)) == {3}


def test_the_methods_do_what_the_first_experiment_does(backend):
    """The same operations at the same steps: all 262 spikes."""
    memory = filled(backend, spacing="10 ms", watch=True)
    memory.recall_by_cue(0), memory.recall_by_content({6}), memory.recall_by_content({0, 4})
    memory.learn(3, {1, 3, 4, 8})
    memory.recall_by_cue(3), memory.recall_by_content({6})
    assert memory.schedule == functional().schedule
    recording, expected = memory.run.result(), play(functional(), backend).recording
    assert recording.populations == expected.populations


def test_memories_survive_silence_and_a_saved_file(backend, tmp_path):
    memory = filled(backend)
    memory.run.save(tmp_path / "memory.npz")
    other = CA3Memory(5, 10, backend=backend)
    other.run.load(tmp_path / "memory.npz")
    for each in (memory, other):
        each.wait("300 ms")
        assert [each.recall_by_cue(cue) for cue in (0, 3, 4)] == [{0, 1, 8, 9}, {4, 5, 6}, {1, 5, 6}]
        assert each.recall_by_content({5}) == {3, 4}


def test_reading_changes_synapses_unless_they_are_frozen(backend):
    """Bit 2, asked for four times together with bit 0, which is all that cue 0 shares with the query: cue 0 answers to it ever after."""
    assert foreign_bits(backend) == {"before": [1], "after": [0, 1]}
    assert foreign_bits(backend, freeze=True) == {"before": [1], "after": [1]}
    memory = filled(backend, freeze=True)
    before = [memory.run.get(name, "w").copy() for name in (TO_CONTENT, TO_CUE)]
    memory.recall_by_cue(0), memory.recall_by_content({1, 4})
    assert all((memory.run.get(name, "w") == w).all() for name, w in zip((TO_CONTENT, TO_CUE), before, strict=True))
    memory.learn(3, {2})
    assert memory.recall_by_cue(3) == {2} and memory.recall_by_content({4}) == set() and memory.recall_by_content({2}) == {3}


@pytest.mark.parametrize("error", [KeyboardInterrupt, ns.SimulationError("a value is not finite")])
def test_learning_that_is_broken_off_leaves_a_frozen_memory_frozen(fast_backend, monkeypatch, error):
    memory = filled(fast_backend, freeze=True)

    def broken(*time, **options):
        raise error

    with monkeypatch.context() as patch, pytest.raises(type(error) if isinstance(error, Exception) else error):
        patch.setattr(memory.run, "run", broken)
        memory.learn(1, {2})
    assert [memory.run.get(name, a) for name in (TO_CONTENT, TO_CUE) for a in ("a_plus", "a_minus")] == [0.0] * 4
    memory.learn(1, {2})
    assert memory.recall_by_cue(1) == {2}


@pytest.mark.parametrize("spacing", ["8 ms", "14 ms"])
def test_an_operation_reads_its_own_steps_and_never_the_whole_recording(backend, monkeypatch, spacing):
    """So a memory does not slow down with age; what it answers is what the recording holds at the steps of the answers."""
    memory = CA3Memory(4, 6, backend=backend, spacing=spacing)
    whole, answers, rng = memory.run.result, [], np.random.default_rng(1)
    monkeypatch.setattr(memory.run, "result", lambda: pytest.fail("the whole recording was read"))
    for _ in range(40):
        cue, bits = int(rng.integers(4)), set(rng.choice(6, 2, replace=False).tolist())
        act = [lambda c, b: memory.learn(c, b) or set(), lambda c, b: {4 + bit for bit in memory.recall_by_cue(c)}, lambda c, b: memory.recall_by_content(b)]
        answers.append(act[rng.integers(3)](cue, bits))
    out = whole()["OUT"].spikes
    for (start, operation), answer in zip(memory.schedule, answers, strict=True):
        at = set(out.index[out.step == start + 6].tolist())
        expected = {LEARN: set(), BY_CUE: {i for i in at if i >= 4}, BY_CONTENT: {i for i in at if i < 4}}
        assert answer == expected[operation.kind]
    assert sum(map(len, answers)) > 20


def test_answers_are_plain_numbers_whatever_the_sizes_were_given_as(fast_backend):
    memory = CA3Memory(np.int64(3), np.int64(4), backend=fast_backend)
    memory.learn(np.int64(1), np.array([2, 3]))
    assert {type(i) for i in memory.recall_by_cue(1) | memory.recall_by_content({2})} == {int} and memory.recall_by_cue(1) == {2, 3}


def test_what_a_cue_forgot_comes_back_if_it_is_asked_for_just_before_the_cue(backend):
    """Forgetting leaves 3.31 nA of a bit that another cue learned meanwhile. A neuron fires at 3.36, and a pair at 11 ms adds 6 exp(-11 / 3) = 0.15,
    one at 15 ms 0.04: why 10 ms are too dense where memories are overwritten.
    """
    found = []
    for spacing in ("10 ms", "14 ms"):
        memory = CA3Memory(5, 10, backend=backend, spacing=spacing)
        memory.learn(0, {1, 2})
        memory.learn(1, {1, 7})
        memory.learn(0, {5})
        memory.wait("40 ms")
        answers = [memory.recall_by_content({1}), memory.recall_by_cue(0)]
        memory.wait("40 ms")
        found.append([*answers, memory.recall_by_content({1})])
    assert found == [[{1}, {5}, {0, 1}], [{1}, {5}, {1}]]


@pytest.mark.parametrize(("use", "message"), [
    (lambda m: m.learn(1, []), r"CA3 memory, learn: found content \[\], expected indices of bits, at least one of 0 \.\.\. 9\. Give a set such as"),
    (lambda m: m.learn(1, 3), r"learn: found content 3, expected indices of bits"),
    (lambda m: m.learn(1, "12"), r"learn: found content '12', expected indices of bits"),
    (lambda m: m.learn(1, {0.5}), r"learn: found content \{0.5\}, expected indices of bits"),
    (lambda m: m.learn(1, b"\x01\x02"), r"CA3 memory, learn: found content b'.*', expected indices of bits.*Give a set such as \{0, 3\}"),
    (lambda m: m.learn(1, {1: 2}), r"CA3 memory, learn: found content \{1: 2\}, expected indices of bits"),
    (lambda m: m.recall_by_content(b"\x01"), r"CA3 memory, recall by content: found content b'.*', expected indices of bits"),
    (lambda m: m.learn([0, 1], {2}), r"learn: found cue \[0, 1\], expected the index of one cue, 0 \.\.\. 4\. Present several cues one after another"),
    (lambda m: m.learn(5, {2}), r"learn: found cue 5, expected 0 \.\.\. 4\. Use one of these, or a memory of more cues"),
    (lambda m: m.learn(-1, {2}), r"learn: found cue -1, expected"),
    (lambda m: m.learn(True, {2}), r"learn: found cue True, expected the index of one cue"),
    (lambda m: m.learn(1, {2, 10}), r"learn: found bit 10 in the content, expected 0 \.\.\. 9\. Use these, or a memory of a larger content_size"),
    (lambda m: m.recall_by_cue((1, 2)), r"recall by cue: found cue \(1, 2\), expected the index of one cue"),
    (lambda m: m.recall_by_cue(9), r"recall by cue: found cue 9, expected 0"),
    (lambda m: m.recall_by_content(set()), r"recall by content: found content set\(\), expected indices of bits, at least one"),
    (lambda m: m.recall_by_content({-1}), r"recall by content: found bit -1 in the content"),
    (lambda m: m.wait("0.5 ms"), "is not a multiple of dt"),
])
@pytest.mark.parametrize("freeze", [False, True])
def test_what_cannot_be_done_is_refused_and_changes_nothing(backend, freeze, use, message):
    memory = filled(backend, freeze=freeze)
    before, schedule = memory.run.snapshot(), list(memory.schedule)
    with pytest.raises(ns.NetworkError, match=message):
        use(memory)
    after = memory.run.snapshot()
    assert after.step == before.step and memory.schedule == schedule
    for key, array in before.arrays.items():
        np.testing.assert_array_equal(after.arrays[key], array, err_msg=str(key))
    assert memory.recall_by_content({1}) == {0, 4}


@pytest.mark.parametrize(("make", "message"), [
    (lambda: CA3Memory(0, 10), r"CA3 memory, cues: found 0, expected a whole number of at least 1. Correct it"),
    (lambda: CA3Memory(5, 2.5), r"CA3 memory, content_size: found 2.5, expected a whole number"),
    (lambda: CA3Memory(5, 10, spacing="7 ms"), r"spacing: found 7 ms, expected at least 8 ms, in which an operation is over. Use 10 ms, or 14 to 20 ms"),
    (lambda: CA3Memory(5, 10, spacing="9.5 ms"), r"CA3 memory, spacing.*not a multiple"),
    (lambda: CA3Memory(5, 10, amplitude=0), r"CA3 memory, amplitude: found 0, expected one number above 0, in nA. Use 6, the published one"),
    (lambda: CA3Memory(5, 10, amplitude=-6.0), r"CA3 memory, amplitude: found -6.0, expected one number above 0"),
    (lambda: CA3Memory(5, 10, amplitude=float("nan")), r"CA3 memory, amplitude: found nan, expected one number above 0"),
    (lambda: Settings(5, 10, float("inf")), r"CA3 memory, amplitude: found inf, expected one number above 0"),
    (lambda: CA3Memory(5, 10, amplitude="6 nA"), r"CA3 memory, amplitude: found '6 nA', expected one number above 0"),
    (lambda: CA3Memory(5, 10, freeze="yes"), r"CA3 memory, freeze: found 'yes', expected True or False. Give one of these"),
    (lambda: model.demonstrate(cues=3), r"CA3 memory, learn: found cue 4, expected 0 \.\.\. 2"),
])
def test_a_memory_that_cannot_be_is_refused(make, message):
    with pytest.raises(ns.NetworkError, match=message):
        make()


def test_a_memory_may_have_one_cue_and_one_bit(backend):
    memory = CA3Memory(1, 1, backend=backend)
    memory.learn(0, {0})
    assert memory.recall_by_cue(0) == {0} and memory.recall_by_content({0}) == {0}


# ---- what is expected, and the judge


def test_a_perfect_memory_answers_with_the_union_of_all_memories_that_share_a_bit():
    found = answers(functional().schedule)
    assert [sorted(a.cues) for a in found] == [[0], [4], [3], [0], [3, 4], [0, 3], [3], [3], [4]]
    assert [sorted(a.content) for a in found][3] == [0, 1, 8, 9] and sorted(found[6].echo) == [5, 6] and not found[2].echo


def test_the_judge_counts_what_is_missing_what_is_wrong_and_forgives_an_echo(backend):
    played = play(functional(), backend)
    out = played.recording["OUT"].spikes

    def judged_with(steps, index):
        order = np.lexsort((index, steps))
        changed = replace(out, index=np.asarray(index)[order], step=np.asarray(steps)[order])
        populations = played.recording.populations | {"OUT": replace_spikes(played.recording["OUT"], changed)}
        return judge(replace(played, recording=ns.Recording(played.recording.header, populations, {})))

    assert all(o["correct"] for o in judged_with(out.step, out.index))
    keep = ~((out.step == 36) & (out.index == 13))  # bit 8 of the answer to cue 0
    assert [(i, o["missing"], o["wrong"]) for i, o in enumerate(judged_with(out.step[keep], out.index[keep])) if not o["correct"]] == [(3, 1, 0)]
    late = judged_with([*out.step, 37], [*out.index, 0])
    assert [(i, o["missing"], o["wrong"]) for i, o in enumerate(late) if not o["correct"]] == [(3, 0, 1)]
    quiet = ~((out.step == 66) & (out.index > 9))  # the echoes
    assert quiet.sum() == len(out) - 2 and all(o["correct"] for o in judged_with(out.step[quiet], out.index[quiet]))


def replace_spikes(population, changed):
    return ns.recording.PopulationRecording(population.name, population.size, changed, None)


# ---- trials and checks


def test_thresholds_and_latencies_are_as_published(backend):
    found = thresholds(backend)
    assert found["slow"] == {"3.29": False, "3.3": True, "3.35": True, "3.36": True}
    assert found["fast"] == {"3.29": False, "3.3": False, "3.35": False, "3.36": True}
    assert [each["differ"] for each in latencies(backend).values()] == [[], [], [], []]
    assert latencies(backend)["learn 2: {1, 7}"]["offsets"]["OUT content"] == [5, 6, 7]


def test_short_presentations_are_learned_with_less_margin_and_silence_takes_nothing(backend):
    found = short_presentations(backend)
    assert all(each["recalled"] for each in found.values())
    assert [round(found[n]["to cue"], 2) for n in "123"] == [4.3, 4.3, 6.0]
    assert retention(backend, silence=200.0)["by cue and by content"] == [15, 15]


def test_random_memories_are_recalled_until_operations_come_too_densely(fast_backend):
    apart = random_memories(fast_backend, cues=5, content_size=20, spacing=10, private=True, recalls=40)
    assert apart["all"] == [225, 225] and set(apart) == {LEARN, BY_CUE, BY_CONTENT, "all", "missing, wrong"}
    dense = random_memories(fast_backend, cues=5, content_size=10, spacing=7, recall_spacing=6)
    assert dense[BY_CUE][0] == dense[BY_CUE][1] == 75 and dense[BY_CONTENT][0] < 50
    assert map_of_states(fast_backend, cells=16)["all"] == [22, 22]


PERFECT = {LEARN: [5, 5], BY_CUE: [9, 9], BY_CONTENT: [8, 8], "all": [22, 22], "missing, wrong": [0, 0]}


def good(name):
    """Results as good as the model can give them."""
    family = name.partition(" ")[0]
    if family == "amplitude":
        return {"counts": PUBLISHED["E2"] if name.endswith("5") else PUBLISHED["E1"], "tally": PERFECT, "spikes": [["OUT cue", 3, 1]]}
    return {"thresholds": {"slow": {"3.29": False, "3.3": True}, "fast": {"3.35": False, "3.36": True}},
            "latencies": {"learn": {"differ": []}, "cue": {"differ": []}}, "weights": [0, 5.12, 0, 5.12, 5.11, 0, 0, 0, 5.12, 0.3],
            "retention": {"by cue and by content": [15, 15], "silence": 2000.0},
            "short": {n: {"recalled": True, "to cue": w, "to content": w} for n, w in (("1", 4.3), ("2", 4.3), ("3", 6.0))},
            "foreign": {"before": [1], "after": [0, 1]}, "dense": PERFECT | {BY_CONTENT: [3, 8]},
            **{e: {"counts": PUBLISHED[e], "tally": PERFECT, "spikes": []} for e in PUBLISHED}}.get(family, PERFECT)


SPOILED = {
    "A1": ("thresholds", lambda r: r | {"slow": {"3.29": True, "3.3": True}}), "A2": ("latencies", lambda r: r | {"cue": {"differ": ["Int"]}}),
    "A3": ("E2", lambda r: r | {"tally": PERFECT | {"all": [21, 22]}}), "A4": ("E3", lambda r: r | {"counts": r["counts"] | {"Int": 37}}),
    "A5": ("amplitude x 0.8", lambda r: r | {"counts": PUBLISHED["E2"]}), "A6": ("weights", lambda r: [*r[:4], 5.08, *r[5:]]),
    "A7": ("private 16x64, 14 ms", lambda r: r | {"missing, wrong": [1, 0]}), "A8": ("random 16x6, 10 ms", lambda r: r | {"all": [21, 22]}),
    "A9": ("relearned 3 x, 8x16, 20 ms", lambda r: r | {"all": [21, 22]}), "A10": ("map of 64", lambda r: r | {"all": [69, 70]}),
    "A11": ("retention", lambda r: r | {"by cue and by content": [14, 15]}), "A12": ("short", lambda r: r | {"2": r["2"] | {"recalled": False}}),
    "A13": ("foreign bits", lambda r: r | {"after": [1]}),
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_each_check_accepts_good_results_and_refuses_spoiled_ones(check):
    results = {name: good(name) for name in check.needs}
    measured, passed = check.judge(results)
    assert passed
    json.dumps(measured)
    name, spoil = SPOILED[check.id]
    assert not check.judge(results | {name: spoil(results[name])})[1]


def test_every_check_needs_experiments_that_exist_and_travel_to_other_processes():
    assert [check.id for check in CHECKS] == [f"A{k}" for k in range(1, 14)]
    assert {name for check in CHECKS for name in check.needs} == EXPERIMENTS.keys() and all(check.needs for check in CHECKS)
    assert next(check for check in CHECKS if check.id == "A3").needs == ("E1", "E2", "E3")
    for experiment in EXPERIMENTS.values():
        assert callable(pickle.loads(pickle.dumps(experiment)))


# ---- the model in the catalogue


def test_the_demonstration_leaves_pictures_and_its_results(fast_backend, tmp_path):
    rows = model.demonstrate(backend=fast_backend, out=tmp_path / "new", progress=False)
    written = json.loads((tmp_path / "new" / "results.json").read_text())
    assert written["rows"] == rows and len(rows) == 33 and all(row["pass"] for row in rows)
    for name in ("E1", "E3"):
        assert (tmp_path / "new" / f"{name}.png").read_bytes()[:4] == b"\x89PNG"


def test_rows_of_the_demonstration_show_what_differs_from_the_tables():
    found = {"counts": PUBLISHED["E1"] | {"Int": 12}, "tally": {"all": [8, 9]}}
    assert [row["quantity"] for row in judged("E1", found) if not row["pass"]] == ["E1: correct operations", "E1: spikes of Int"]


def test_a_picture_shows_the_answers_that_came(backend, tmp_path, monkeypatch):
    """Of a memory that answers wrongly the picture must show what it answered, not what was expected."""
    from matplotlib.axes import Axes

    written, annotate = [], Axes.annotate
    monkeypatch.setattr(Axes, "annotate", lambda ax, text, *more, **options: written.append(text) or annotate(ax, text, *more, **options))
    memory = CA3Memory(5, 10, backend=backend, watch=True)
    memory.learn(0, {0, 1})
    memory.run.set(TO_CUE, w=0.0)
    assert memory.recall_by_content({1}) == set()
    draw(tmp_path / "picture.png", memory.run.result(), memory.schedule, memory.settings)
    assert {"learn 0\n{0, 1}", "{1}?\n= {}"} <= set(written)
    assert (tmp_path / "picture.png").stat().st_size > 10_000


def test_the_network_of_the_catalogue_has_the_published_size_and_records_all_of_it():
    net = network(seed=3, cues=16, content_size=6)
    assert sum(p.size for p in net.populations.values()) - net["IN"].size == 4 * 16 + 5 * 6 + 1
    assert {probe.owner.name for probe in net.probes} == set(net.populations) and not build(Settings()).probes
    assert model.settings == {"cues": 5, "content_size": 10, "amplitude": 6.0}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_the_acceptance_checks_of_the_specification_hold_but_for_the_densest_relearning(check, fast_backend, results):
    """A9 asks for 100 % at 10 ms too, where a few recalls by content find what a cue forgot (see above); at 14 and 20 ms all are right."""
    measured, passed = check.judge({name: results[name] for name in check.needs})
    wrong = [name for name, found in measured.items() if len(set(found.split("/"))) == 2] if check.id == "A9" else []
    assert wrong == (["relearned 1 x, 5x10, 10 ms"] if check.id == "A9" else []) and passed != bool(wrong), measured


@pytest.fixture(scope="module")
def results(fast_backend):
    return {name: experiment(fast_backend) for name, experiment in EXPERIMENTS.items()}
