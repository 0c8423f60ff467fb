"""The CA3 memory held open: it answers, forgets, keeps through silence and files, and refuses what
it cannot do.
"""

import numpy as np
import pytest
from support.backends import ready

import neurosim as ns
from neurosim.models.ca3_memory import CA3Memory, Settings, model
from neurosim.models.ca3_memory.experiment import functional, play
from neurosim.models.ca3_memory.network import TO_CONTENT, TO_CUE
from neurosim.models.ca3_memory.operations import BY_CONTENT, BY_CUE, LEARN
from neurosim.models.ca3_memory.trials import foreign_bits

pytestmark = pytest.mark.experiment

MEMORIES = {0: {0, 1, 8, 9}, 4: {1, 5, 6}, 3: {4, 5, 6}}


def filled(backend, **options):
    memory = CA3Memory(5, 10, backend=backend, **options)
    for cue, bits in MEMORIES.items():
        memory.learn(cue, bits)
    return memory


def test_a_memory_answers_by_cue_and_by_any_bit_and_forgets_what_is_overwritten(backend):
    memory = filled(backend)
    assert memory.recall_by_cue(0) == {0, 1, 8, 9} and memory.recall_by_cue(1) == set()
    assert memory.recall_by_content({6}) == {3, 4}
    assert memory.recall_by_content([0, 4]) == {0, 3}
    assert memory.recall_by_content({7}) == set()
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
    for tested_memory in (memory, other):
        tested_memory.wait("300 ms")
        assert [tested_memory.recall_by_cue(cue) for cue in (0, 3, 4)] == [
            {0, 1, 8, 9},
            {4, 5, 6},
            {1, 5, 6},
        ]
        assert tested_memory.recall_by_content({5}) == {3, 4}


def test_reading_changes_synapses_unless_they_are_frozen(backend):
    """Bit 2, asked for four times together with bit 0, which is all that cue 0 shares with the
    query: cue 0 answers to it ever after.
    """
    assert foreign_bits(backend) == {"before": [1], "after": [0, 1]}
    assert foreign_bits(backend, freeze=True) == {"before": [1], "after": [1]}
    memory = filled(backend, freeze=True)
    before = [memory.run.get(name, "w").copy() for name in (TO_CONTENT, TO_CUE)]
    memory.recall_by_cue(0), memory.recall_by_content({1, 4})
    assert all(
        (memory.run.get(name, "w") == w).all()
        for name, w in zip((TO_CONTENT, TO_CUE), before, strict=True)
    )
    memory.learn(3, {2})
    assert memory.recall_by_cue(3) == {2}
    assert memory.recall_by_content({4}) == set()
    assert memory.recall_by_content({2}) == {3}


@pytest.mark.parametrize("error", [KeyboardInterrupt, ns.SimulationError("a value is not finite")])
def test_learning_that_is_broken_off_leaves_a_frozen_memory_frozen(
    fast_backend, monkeypatch, error
):
    memory = filled(fast_backend, freeze=True)

    def broken(*time, **options):
        raise error

    with (
        monkeypatch.context() as patch,
        pytest.raises(type(error) if isinstance(error, Exception) else error),
    ):
        patch.setattr(memory.run, "run", broken)
        memory.learn(1, {2})
    assert [
        memory.run.get(name, a) for name in (TO_CONTENT, TO_CUE) for a in ("a_plus", "a_minus")
    ] == [0.0] * 4
    memory.learn(1, {2})
    assert memory.recall_by_cue(1) == {2}


@pytest.mark.parametrize("spacing", ["8 ms", "14 ms"])
def test_an_operation_reads_its_own_steps_and_never_the_whole_recording(
    backend, monkeypatch, spacing
):
    """So a memory does not slow down with age; what it answers is what the recording holds at the
    steps of the answers.
    """
    memory = CA3Memory(4, 6, backend=backend, spacing=spacing)
    whole, answers, rng = memory.run.result, [], np.random.default_rng(1)
    monkeypatch.setattr(memory.run, "result", lambda: pytest.fail("the whole recording was read"))
    for _ in range(40):
        cue, bits = int(rng.integers(4)), set(rng.choice(6, 2, replace=False).tolist())
        act = [
            lambda c, b: memory.learn(c, b) or set(),
            lambda c, b: {4 + bit for bit in memory.recall_by_cue(c)},
            lambda c, b: memory.recall_by_content(b),
        ]
        answers.append(act[rng.integers(3)](cue, bits))
    out = whole()["OUT"].spikes
    for (start, operation), answer in zip(memory.schedule, answers, strict=True):
        at = set(out.index[out.step == start + 6].tolist())
        expected = {
            LEARN: set(),
            BY_CUE: {i for i in at if i >= 4},
            BY_CONTENT: {i for i in at if i < 4},
        }
        assert answer == expected[operation.kind]
    assert sum(map(len, answers)) > 20


def test_answers_are_plain_numbers_whatever_the_sizes_were_given_as(fast_backend):
    memory = CA3Memory(np.int64(3), np.int64(4), backend=fast_backend)
    memory.learn(np.int64(1), np.array([2, 3]))
    assert {type(i) for i in memory.recall_by_cue(1) | memory.recall_by_content({2})} == {int}
    assert memory.recall_by_cue(1) == {2, 3}


def test_operations_are_refused_where_runs_go_once_from_start_to_end():
    with pytest.raises(
        ns.NetworkError, match=r"run on 'nest': it has no set\(\), because it runs once"
    ):
        CA3Memory(5, 10, backend=ready("nest")).learn(0, {1})


def test_what_a_cue_forgot_comes_back_if_it_is_asked_for_just_before_the_cue(backend):
    """Forgetting leaves 3.08 nA of a bit, and 0.24 of what was learned 10 ms before. A neuron
    fires at 3.36 nA, and a pair at 11 ms adds 6 exp(-11 / 3) = 0.15, one at 15 ms 0.04: why 10 ms
    are too dense where memories are overwritten.
    """
    recalled = []
    for spacing in ("10 ms", "14 ms"):
        memory = CA3Memory(5, 10, backend=backend, spacing=spacing)
        memory.learn(0, {1, 2})
        memory.learn(1, {1, 7})
        memory.learn(0, {5})
        memory.wait("40 ms")
        answers = [memory.recall_by_content({1}), memory.recall_by_cue(0)]
        memory.wait("40 ms")
        recalled.append([*answers, memory.recall_by_content({1})])
    assert recalled == [[{1}, {5}, {0, 1}], [{1}, {5}, {1}]]


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (
            lambda m: m.learn(1, []),
            r"CA3 memory, learn: found content \[\], expected indices of bits, at least one of 0 "
            r"\.\.\. 9\. Give a set such as",
        ),
        (lambda m: m.learn(1, 3), r"learn: found content 3, expected indices of bits"),
        (lambda m: m.learn(1, "12"), r"learn: found content '12', expected indices of bits"),
        (lambda m: m.learn(1, {0.5}), r"learn: found content \{0.5\}, expected indices of bits"),
        (
            lambda m: m.learn(1, b"\x01\x02"),
            r"CA3 memory, learn: found content b'.*', expected indices of bits.*Give a set such "
            r"as \{0, 3\}",
        ),
        (
            lambda m: m.learn(1, {1: 2}),
            r"CA3 memory, learn: found content \{1: 2\}, expected indices of bits",
        ),
        (
            lambda m: m.recall_by_content(b"\x01"),
            r"CA3 memory, recall by content: found content b'.*', expected indices of bits",
        ),
        (
            lambda m: m.learn([0, 1], {2}),
            r"learn: found cue \[0, 1\], expected the index of one cue, 0 \.\.\. 4\. "
            r"Present several cues one after another",
        ),
        (
            lambda m: m.learn(5, {2}),
            r"learn: found cue 5, expected 0 \.\.\. 4\. Use one of these, or a memory of more cues",
        ),
        (lambda m: m.learn(-1, {2}), r"learn: found cue -1, expected"),
        (lambda m: m.learn(True, {2}), r"learn: found cue True, expected the index of one cue"),
        (
            lambda m: m.learn(1, {2, 10}),
            r"learn: found bit 10 in the content, expected 0 \.\.\. 9\. "
            r"Use these, or a memory of a larger content_size",
        ),
        (
            lambda m: m.recall_by_cue((1, 2)),
            r"recall by cue: found cue \(1, 2\), expected the index of one cue",
        ),
        (lambda m: m.recall_by_cue(9), r"recall by cue: found cue 9, expected 0"),
        (
            lambda m: m.recall_by_content(set()),
            r"recall by content: found content set\(\), expected indices of bits, at least one",
        ),
        (lambda m: m.recall_by_content({-1}), r"recall by content: found bit -1 in the content"),
        (lambda m: m.wait("0.5 ms"), "is not a multiple of dt"),
    ],
)
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


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: CA3Memory(0, 10),
            r"CA3 memory, cues: found 0, expected a whole number of at least 1. Correct it",
        ),
        (
            lambda: CA3Memory(5, 2.5),
            r"CA3 memory, content_size: found 2.5, expected a whole number",
        ),
        (
            lambda: CA3Memory(5, 10, spacing="7 ms"),
            r"spacing: found 7 ms, expected at least 8 ms, in which an operation is over. "
            r"Leave it out: 22 ms keep contents of 10 bits apart",
        ),
        (lambda: CA3Memory(5, 10, spacing="9.5 ms"), r"CA3 memory, spacing.*not a multiple"),
        (
            lambda: CA3Memory(5, 10, amplitude=0),
            r"CA3 memory, amplitude: found 0, expected one number above 0, in nA. "
            r"Use 6, the published one",
        ),
        (
            lambda: CA3Memory(5, 10, amplitude=-6.0),
            r"CA3 memory, amplitude: found -6.0, expected one number above 0",
        ),
        (
            lambda: CA3Memory(5, 10, amplitude=float("nan")),
            r"CA3 memory, amplitude: found nan, expected one number above 0",
        ),
        (
            lambda: Settings(5, 10, float("inf")),
            r"CA3 memory, amplitude: found inf, expected one number above 0",
        ),
        (
            lambda: CA3Memory(5, 10, amplitude="6 nA"),
            r"CA3 memory, amplitude: found '6 nA', expected one number above 0",
        ),
        (
            lambda: CA3Memory(5, 10, freeze="yes"),
            r"CA3 memory, freeze: found 'yes', expected True or False. Give one of these",
        ),
        (lambda: model.demonstrate(cues=3), r"CA3 memory, learn: found cue 4, expected 0 \.\.\. 2"),
    ],
)
def test_a_memory_that_cannot_be_is_refused(make, message):
    with pytest.raises(ns.NetworkError, match=message):
        make()


def test_a_memory_may_have_one_cue_and_one_bit(backend):
    memory = CA3Memory(1, 1, backend=backend)
    memory.learn(0, {0})
    assert memory.recall_by_cue(0) == {0} and memory.recall_by_content({0}) == {0}
