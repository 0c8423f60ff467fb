"""Courses of tasks: tasks, the accuracy matrix, strategies by name, resuming, pictures."""

from __future__ import annotations

import math

import numpy as np
import pytest

import neurosim as ns
from neurosim.datasets import Images

torch = pytest.importorskip("torch")

from neurosim.gpu import Trainer  # noqa: E402
from neurosim.models.continual_learning import (  # noqa: E402
    AccuracyMatrix,
    Ewc,
    Learner,
    Rehearsal,
    Samples,
    draw_accuracies,
    learn_tasks,
    permuted,
    samples_of,
    sequence,
    split,
)
from neurosim.models.continual_learning.strategies import minibatches, stored  # noqa: E402
from neurosim.models.orthogonal_projection import experiment  # noqa: E402
from neurosim.models.orthogonal_projection.learner import make_learner, projected  # noqa: E402
from neurosim.models.orthogonal_projection.settings import Settings  # noqa: E402

SETTINGS = Settings(way="bptt", inputs=20, hidden=30, classes=4, batch=16, epochs=2)
ROWS = {"layer1": 4, "layer2": 5, "head": 5}


def samples(count: int = 12, classes: int = 4, size: int = 6) -> Samples:
    values = np.arange(count * size, dtype=np.float32).reshape(count, size)
    return Samples(values, np.arange(count) % classes)


# ---- tasks


def test_permuted_tasks_have_the_same_numbers_in_another_order_each():
    tasks = permuted(samples(), samples(8), count=3, seed=1)
    first, second = (t.train.take(slice(None)) for t in tasks[:2])
    assert np.array_equal(np.sort(first), np.sort(second)) and not np.array_equal(first, second)
    # Test samples are permuted as training samples are, and again by the same seed.
    order = tasks[1].train.columns
    assert np.array_equal(tasks[1].test.take(slice(0, 1)), samples(8).values[:1, order])
    assert np.array_equal(order, permuted(samples(), samples(), count=2, seed=1)[1].train.columns)
    assert not np.array_equal(order, permuted(samples(), samples(), count=2)[1].train.columns)
    # Ten tasks hold one copy of the samples.
    assert tasks[0].train.values is tasks[2].train.values


def test_split_tasks_have_the_samples_of_their_classes_and_labels_from_0():
    tasks = split(samples(), samples(8), groups=[(3, 1), (0, 2)])
    assert [t.name for t in tasks] == ["classes 3, 1", "classes 0, 2"]
    assert tasks[0].train.labels.tolist() == [1, 0, 1, 0, 1, 0]
    assert tasks[0].train.values[0, 0] == 6.0  # the first sample of class 1
    shared = split(samples(), samples(8), groups=[(3, 1), (0, 2)], relabel=False)
    assert shared[0].train.labels.tolist() == [1, 3, 1, 3, 1, 3]


@pytest.mark.parametrize("groups", [[(0, 9)], [(0, 1), (1, 2)], [()], []])
def test_groups_of_unknown_or_repeated_classes_are_refused(groups):
    with pytest.raises(ns.DataError, match="split tasks: found groups .* each class once"):
        split(samples(), samples(), groups=groups)


def test_data_sets_of_one_size_make_a_sequence_and_others_are_refused():
    parts = [("first", samples(), samples()), ("second", samples(size=5), samples())]
    assert [t.name for t in sequence(parts[:1])] == ["first"]
    with pytest.raises(ns.DataError, match="'second': found training samples of 5 numbers, exp"):
        sequence(parts)
    with pytest.raises(ns.DataError, match="tasks: found none"):
        sequence([])
    with pytest.raises(ns.DataError, match=r"found values of shape \(3,\)"):
        Samples(np.zeros(3, np.float32), np.zeros(3, np.int64))
    values = np.zeros((4, 2), np.float32)
    values[2:, 1] = np.nan, np.inf
    with pytest.raises(ns.DataError, match="found 2 with values that are not finite, such as sam"):
        Samples(values, np.zeros(4, np.int64))


def test_images_become_channels_of_padded_and_scaled_numbers():
    grey = Images(np.full((2, 2, 2), 255, np.uint8), np.array([0, 1], np.uint8))
    padded = samples_of(grey, mean=0.5, deviation=0.5, side=4, channels=3)
    grid = padded.values.reshape(2, 3, 4, 4)
    assert grid[0, :, 1, 1].tolist() == [1.0, 1.0, 1.0] and grid[0, 2, 0, 0] == -1.0
    values = np.zeros((1, 1, 1, 3), np.uint8)
    values[0, 0, 0] = 255, 51, 0
    colours = samples_of(Images(values, np.zeros(1, np.uint8)), mean=(1, 0, 0), deviation=(1, 2, 1))
    assert np.allclose(colours.values, [[0.0, 0.1, 0.0]])


def test_labels_without_an_output_are_named_with_their_task():
    learner = make_learner(SETTINGS, 1)
    values = np.zeros((16, 20), np.float32)
    with pytest.raises(ns.DataError, match="task 1, loss: found labels from 0 to 4 .*for each"):
        learner.loss_of(values, np.arange(16) % 5, 0)


# ---- the matrix


def test_acc_and_bwt_are_means_of_the_last_row_and_of_its_changes():
    matrix = AccuracyMatrix.empty(3)
    assert matrix.finished == 0 and math.isnan(matrix.acc)
    matrix = matrix.with_row(0, [0.9])
    assert (matrix.acc, matrix.finished) == (0.9, 1) and math.isnan(matrix.bwt)
    matrix = matrix.with_row(1, [0.8, 0.7]).with_row(2, [0.6, 0.8, 1.0])
    assert matrix.acc == pytest.approx(0.8)
    assert matrix.bwt == pytest.approx(((0.6 - 0.9) + (0.8 - 0.7)) / 2)
    # Of joint training only the end is known.
    joint = AccuracyMatrix.empty(2).with_row(1, [0.5, 0.7])
    assert joint.acc == pytest.approx(0.6) and math.isnan(joint.bwt)


def test_each_sample_is_learned_once_in_an_epoch_and_tasks_are_mixed():
    parts = list(minibatches({0: 10, 1: 7}, 4, seed=1, name="epoch"))
    for task, size in ((0, 10), (1, 7)):
        chosen = np.concatenate([p.chosen for p in parts if p.task == task])
        assert np.array_equal(np.sort(chosen), np.arange(size))
    assert [p.task for p in parts] != sorted(p.task for p in parts)
    labels = np.array([0] * 8 + [1] * 2)
    memory = stored(labels, 3, seed=1, name="memory")
    assert labels[memory].tolist() == [0, 0, 0, 1, 1]


# ---- strategies


def course_of(strategy, *, tasks: int = 3, **options):
    learner = make_learner(SETTINGS, 1)
    listed = experiment._tiny_tasks(tasks)
    if strategy == "hlop":
        strategy = projected(learner, SETTINGS, ROWS, seed=1)
    return learner, learn_tasks(learner, listed, strategy=strategy, progress=False, **options)


@pytest.mark.parametrize("strategy", ["plain", "ewc", "rehearsal", "joint", "hlop"])
@pytest.mark.compiled
def test_every_strategy_learns_all_tasks(strategy):
    _, done = course_of(Ewc(100.0, samples=40) if strategy == "ewc" else strategy)
    assert done.strategy == strategy and done.accuracy.acc > 0.6
    rows = done.accuracy.values
    if strategy == "joint":
        assert np.isnan(rows[:2]).all() and done.finished == 1
    else:
        assert np.isfinite(rows[np.tril_indices(3)]).all() and done.finished == 3


def change_of_head(strategy) -> float:
    """Return how far the weights of the head move in the second task."""
    weights = []
    learner = make_learner(SETTINGS, 1)

    def note(*_) -> None:
        weights.append(learner.trainer["head"].detach().clone())

    learn_tasks(
        learner,
        experiment._tiny_tasks(2),
        strategy=strategy,
        progress=False,
        after_task=note,
    )
    return float((weights[1] - weights[0]).norm())


def test_strong_consolidation_keeps_weights_and_rehearsal_changes_them():
    assert change_of_head(Ewc(50.0, samples=40)) < 0.85 * change_of_head("plain")
    ends = [course_of(s)[0].trainer["head"] for s in ("plain", Rehearsal(per_class=5, rate=0.1))]
    assert not torch.allclose(*ends)


def test_the_penalty_of_two_tasks_is_the_sum_of_two_parabolas():
    learner = make_learner(SETTINGS, 1)
    ewc = Ewc(2.0)
    assert ewc.penalty(learner) is None
    start = learner.trainer["head"].detach()
    ewc._importance = {"head": torch.full_like(start, 3.0)}
    ewc._pull = {"head": 1.0 * start + 2.0 * (start + 1)}
    ewc._rest = float((start**2 + 2 * (start + 1) ** 2).sum())
    # Two tasks of importance 1 and 2; the second ended at weights larger by 1.
    assert float(ewc.penalty(learner).detach()) == pytest.approx(2 * start.numel(), rel=1e-4)


# ---- resuming


@pytest.mark.parametrize("strategy", ["ewc", "hlop", "rehearsal"])
def test_a_course_goes_on_after_an_interrupt_with_the_same_bits(tmp_path, strategy):
    class Interrupted(Exception):
        pass

    def interrupt(task: int, _) -> None:
        if task == 0:
            raise Interrupted

    def make():
        return Ewc(samples=20) if strategy == "ewc" else strategy

    path = tmp_path / "course.pt"
    whole, expected = course_of(make())
    with pytest.raises(Interrupted):
        course_of(make(), checkpoint=path, after_task=interrupt)
    learner, done = course_of(make(), checkpoint=path)
    assert np.array_equal(done.accuracy.values, expected.accuracy.values, equal_nan=True)
    assert done.losses == expected.losses and done.finished == 3
    for name in whole.trainer.learns:
        assert torch.equal(learner.trainer[name], whole.trainer[name])


def test_checkpoints_of_other_courses_are_refused(tmp_path):
    path = tmp_path / "course.pt"
    course_of("plain", tasks=1, checkpoint=path)
    with pytest.raises(ns.NetworkError, match="strategy: found 'plain', expected 'joint'"):
        course_of("joint", tasks=1, checkpoint=path)
    with pytest.raises(ns.NetworkError, match="tasks: found .* it belongs to another course"):
        course_of("plain", tasks=2, checkpoint=path)
    with pytest.raises(ns.NetworkError, match="seed: found 0, expected 5"):
        course_of("plain", tasks=1, checkpoint=path, seed=5)
    path.write_bytes(b"nothing")
    with pytest.raises(ns.NetworkError, match="found no checkpoint"):
        course_of("plain", tasks=1, checkpoint=path)
    torch.save({"format": 1, "tasks": ["first"]}, path)
    with pytest.raises(ns.NetworkError, match="found a file of another form"):
        course_of("plain", tasks=1, checkpoint=path)


@pytest.mark.parametrize("cut", [0.2, 0.9])
def test_a_checkpoint_that_was_cut_is_refused_and_changes_nothing(tmp_path, cut):
    path = tmp_path / "course.pt"
    course_of("plain", tasks=1, checkpoint=path)
    data = path.read_bytes()
    path.write_bytes(data[: int(cut * len(data))])
    with pytest.raises(ns.NetworkError, match="found no checkpoint"):
        course_of("plain", tasks=1, checkpoint=path)
    # One bit of a weight: torch reads it as it reads any other.
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    path.write_bytes(flipped)
    with pytest.raises(ns.NetworkError, match="found no checkpoint"):
        course_of("plain", tasks=1, checkpoint=path)


@pytest.mark.parametrize(
    ("entry", "value"),
    [("generator", [1, 2]), ("accuracy", None), ("losses", 3.0), ("seed", torch.zeros(3))],
)
def test_a_checkpoint_with_an_entry_of_another_type_is_refused(tmp_path, entry, value):
    path = tmp_path / "course.pt"
    course_of("plain", tasks=1, checkpoint=path)
    state = torch.load(path, weights_only=True)
    torch.save({**state, entry: value}, path)
    with pytest.raises(ns.NetworkError, match="found a file of another form"):
        course_of("plain", tasks=1, checkpoint=path)


def test_names_and_heads_that_do_not_fit_are_refused():
    with pytest.raises(ns.NetworkError, match="no strategy 'hope'"):
        course_of("hope")
    with pytest.raises(ns.NetworkError, match="tasks, strategy: found 3, expected a Strategy"):
        course_of(3)
    learner = make_learner(Settings(way="bptt", inputs=20, hidden=9, classes=4, heads=2), 1)
    with pytest.raises(ns.NetworkError, match="heads: found 2 for 3 tasks"):
        learn_tasks(learner, experiment._tiny_tasks(3), progress=False)


def test_each_task_learns_its_own_head_and_first_only_names_stay_afterwards():
    settings = Settings(way="bptt", inputs=20, hidden=30, classes=2, heads=2, batch=16, epochs=3)
    whole = experiment._tiny_tasks(1)[0]
    tasks = split(whole.train, whole.test, groups=[(0, 1), (2, 3)])
    learner = make_learner(settings, 1)
    heads = []
    done = learn_tasks(
        learner,
        tasks,
        progress=False,
        after_task=lambda *_: heads.append(learner.trainer["head1"].detach().clone()),
    )
    assert torch.equal(*heads) and done.accuracy.values[1].min() > 0.8


def test_a_model_of_ones_own_learns_tasks_too():
    """Any Trainer will do: here spikes come in, and spikes are counted."""
    net = ns.Network("own", dt="1 ms", seed=1)
    source = net.spike_source("inputs", 20)
    cell = ns.Cell(
        "v : 1",
        receives={"x": ns.Port("1")},
        step="v = 0.9 * v + x",
        spike="v >= 1",
        after_spike="v = 0",
        parameters={"gain": 1.0},
    )
    output = net.population("output", 4, cell)
    everyone = ns.all_to_all()
    net.project(source, output, everyone, weight=ns.uniform(0, 0.3), same_step=True, name="w")
    learner = Learner(
        Trainer(net, inputs="inputs", outputs="output", train=["w"]),
        encode=lambda values: (values > 1).expand(8, -1, -1).float(),
        loss=lambda output, labels: torch.nn.functional.cross_entropy(output.sum(0), labels),
        answer=lambda output: output.sum(0),
        optimizer=lambda trainer: torch.optim.Adam(trainer.parameters(), lr=0.02),
        epochs=4,
        batch=16,
    )
    done = learn_tasks(learner, experiment._tiny_tasks(2), progress=False)
    assert done.accuracy.values[0, 0] > 0.5


def test_courses_are_drawn(tmp_path):
    _, plain = course_of("plain", tasks=2)
    _, joint = course_of("joint", tasks=2)
    path = tmp_path / "accuracies.png"
    draw_accuracies(path, {"plain": plain, "joint": joint})
    assert path.stat().st_size > 10_000


@pytest.mark.filterwarnings("ignore:No artists with labels")
def test_no_courses_are_an_empty_picture(tmp_path):
    draw_accuracies(tmp_path / "empty.png", {})
    assert (tmp_path / "empty.png").exists()
