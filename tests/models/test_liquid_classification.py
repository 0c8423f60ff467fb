"""The liquid classifies: encoding, readouts, work that is resumed, settings and their errors."""

from __future__ import annotations

import gzip
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neurosim.cli.catalogue import find
from neurosim.cli.main import main
from neurosim.datasets import Images, Recordings
from neurosim.datasets.catalogue import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS
from neurosim.errors import NetworkError
from neurosim.models.astrocyte_liquid import (
    VARIANTS,
    Classification,
    Liquid,
    Settings,
    Task,
    kernel_rank,
)
from neurosim.models.astrocyte_liquid.encoding import Events, Probabilities
from neurosim.models.astrocyte_liquid.measures import watched
from neurosim.models.astrocyte_liquid.readout import (
    choose_convex,
    convex,
    loss,
    normalise,
    published,
    soft_targets,
)

pytestmark = pytest.mark.experiment

SMALL = Settings(side=3, density=0.5, gain=0.1)
TASK = Task(samples=12, validation=4, tests=6, presentations=30)


def write_idx(path: Path, values: np.ndarray) -> None:
    header = bytes((0, 0, 8, values.ndim)) + np.array(values.shape, ">u4").tobytes()
    path.write_bytes(gzip.compress(header + values.astype(np.uint8).tobytes()))


@pytest.fixture
def digits(tmp_path, monkeypatch) -> Path:
    """A data set of two kinds of images of 6 x 6 pixels, named as if it were MNIST."""
    home = tmp_path / "data" / "mnist"
    home.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for count, images, labels in ((20, TRAIN_IMAGES, TRAIN_LABELS), (8, TEST_IMAGES, TEST_LABELS)):
        classes = np.arange(count) % 2
        values = rng.integers(0, 60, (count, 6, 6))
        values[classes == 0, :3] += 190
        values[classes == 1, 3:] += 190
        write_idx(home / images, values)
        write_idx(home / labels, classes)
    monkeypatch.setenv("NEUROSIM_DATA", str(home.parent))
    return tmp_path


def work(folder: Path, **changes) -> Classification:
    task = replace(TASK, **{k: v for k, v in changes.items() if k in vars(TASK)})
    rest = {k: v for k, v in changes.items() if k not in vars(TASK)}
    options = {"settings": SMALL, "seed": 3, "progress": False} | rest
    return Classification(task, folder=folder, **options)


def counts(done: Classification) -> dict[str, np.ndarray]:
    list(done.organise())
    return {name: np.array(table) for name, table in done.show().counts.items()}


# ---- encoding


def test_images_have_the_same_drive_and_the_largest_probability_is_one():
    values = np.random.default_rng(1).integers(0, 256, (5, 4, 4)).astype(np.uint8)
    values[3] = 0
    encoded = Probabilities(Images(values, np.zeros(5, np.uint8)))
    rows = np.array([encoded.whole(n) for n in range(len(encoded))])
    totals = rows.sum(axis=1)
    assert rows.max() == 1.0 and encoded.inputs == 16 and totals[3] == 0
    np.testing.assert_allclose(np.delete(totals, 3), totals[0], rtol=1e-12)
    np.testing.assert_array_equal(encoded.part(2, 0.7), rows[2])


def test_events_of_a_recording_count_once_per_ms_and_late_ones_are_dropped():
    times = np.array([400, 900, 1100, 3000, 9600, 12_000])
    recording = Recordings(
        x=np.array([1, 1, 2, 3, 4, 5], np.uint8),
        y=np.array([0, 0, 0, 1, 0, 0], np.uint8),
        polarity=np.array([1, 1, 1, 0, 0, 0], np.uint8),
        time=times.astype(np.int32),
        offsets=np.array([0, 6]),
        labels=np.array([4], np.uint8),
    )
    encoded = Events(recording, time=10, part_time=3)
    table = encoded.whole(0)
    assert table.shape == (10, 2312) and encoded.inputs == 2312
    on = 34 * 34
    # 0.4 ms is rounded to 0, 0.9 and 1.1 ms to 1, 9.6 ms to 10, which is too late.
    assert [tuple(map(int, at)) for at in np.argwhere(table)] == [
        (0, on + 1),
        (1, on + 1),
        (1, on + 2),
        (3, 34 + 3),
    ]
    # Windows start from 1 to 278 ms.
    assert [int(n) for n in np.argwhere(encoded.part(0, 0.0))[:, 0]] == [0, 0, 2]
    assert not encoded.part(0, 0.9999).any()


# ---- readouts


def clusters(count: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Counts of 30 neurons, three of which answer more to each class."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 10
    rates = 4 + 4 * (np.arange(30) % 10 == labels[:, None])
    return rng.poisson(rates).astype(np.uint8), labels.astype(np.uint8)


def test_soft_targets_are_published_and_a_silent_sample_has_a_finite_loss():
    values = sorted(set(soft_targets([3])[0].tolist()))
    assert values == pytest.approx([0.061016, 0.450853], abs=1e-6)
    silent = normalise(np.zeros((1, 5)))
    value, by_weights, by_bias = loss(
        np.ones((5, 10)), np.zeros(10), silent, soft_targets([3]), 0.1
    )
    assert value == pytest.approx(math.log(10) + 0.05 * 50)
    np.testing.assert_allclose(by_weights, 0.1)
    assert by_bias.sum() == pytest.approx(0, abs=1e-7)


def test_gradients_of_the_loss_are_those_of_differences():
    rng = np.random.default_rng(2)
    x, targets = rng.normal(size=(7, 4)), soft_targets(np.arange(7))
    weights, bias = rng.normal(size=(4, 10)), rng.normal(size=10)
    _, by_weights, by_bias = loss(weights, bias, x, targets, 0.3)
    for array, gradient in ((weights, by_weights), (bias, by_bias)):
        at = tuple(0 for _ in array.shape)
        value = []
        for sign in (1, -1):
            array[at] += sign * 1e-6
            value.append(loss(weights, bias, x, targets, 0.3)[0])
            array[at] -= sign * 1e-6
        assert (value[0] - value[1]) / 2e-6 == pytest.approx(gradient[at], rel=1e-6)


def test_the_convex_readout_ends_where_the_gradient_is_zero():
    table, labels = clusters(400)
    readout = convex(table, labels, penalty=0.01)
    x = (normalise(table) - readout.mean) / readout.scale
    hard = np.eye(10)[labels]
    _, by_weights, by_bias = loss(readout.weights, readout.bias, x, hard, 0.01)
    assert max(np.abs(by_weights).max(), np.abs(by_bias).max()) < 1e-4
    assert readout.accuracy(*clusters(300, seed=1)) > 0.7


def test_both_readouts_classify_and_validation_chooses():
    training, chosen, test = (clusters(n, seed=n) for n in (400, 200, 300))
    readout, penalty, score = choose_convex(*training, *chosen)
    assert score == readout.accuracy(*chosen) and penalty in (0.1, 0.03, 0.01, 0.003, 0.001)
    passes = []
    slow, best, score = published(
        *training, *chosen, passes=40, batch=50, after_pass=lambda *row: passes.append(row)
    )
    assert len(passes) == 40 and score == max(accuracy for _, accuracy in passes)
    assert passes[best - 1][1] == score == slow.accuracy(*chosen)
    # The published one is not converged after 40 passes.
    assert slow.accuracy(*test) > 0.5 and readout.accuracy(*test) > 0.7


def test_a_neuron_that_never_spikes_and_a_silent_sample_do_not_spoil_the_readout():
    table, labels = clusters(200)
    table[:, 4] = 0
    table[17] = 0
    readout = convex(table, labels, penalty=0.01)
    assert np.isfinite(readout.weights).all() and readout.accuracy(table, labels) > 0.6
    assert readout.predict(np.zeros((1, 30))).shape == (1,)


def test_watched_samples_are_spread_evenly_over_the_first_batch():
    numbers = watched(60_000)
    assert (numbers[0], numbers[-1], len(numbers)) == (0, 249, 20)
    assert set(np.diff(numbers)) == {13, 14}
    assert watched(5).tolist() == [0, 1, 2, 3, 4]


def test_kernel_ranks_count_independent_answers():
    labels = np.repeat([0, 1], 20)
    rng = np.random.default_rng(0)
    assert kernel_rank(rng.random((40, 9)), labels, draws=3, each=10) == 9
    assert kernel_rank(np.ones((40, 9)), labels, draws=3, each=10) == 1
    with pytest.raises(NetworkError, match="found a class of 20 samples, expected at least 100"):
        kernel_rank(np.ones((40, 9)), labels)


# ---- work that is resumed


def test_results_depend_neither_on_cores_nor_on_an_interrupt(digits):
    whole = work(digits / "whole")
    weights = whole.liquid.weights()["excitation"]
    expected = counts(whole)
    assert np.abs(whole.liquid.weights()["excitation"] - weights).max() > 0.01
    assert expected["train"].sum() > 100 and len(np.unique(expected["train"], axis=0)) == 12

    first = work(digits / "cut", cores=2)
    stages = first.organise(stops=(7, 20))
    assert [next(stages), next(stages)] == [0, 7]
    stages.close()  # as an interrupt would
    resumed = work(digits / "cut")
    assert next(resumed.organise()) == 7
    assert list(resumed.organise(stops=(20,))) == [7, 20, 30]
    partly = resumed.liquid.counts([(2, resumed.encoded["train"].whole(2))])
    (_, row), *_ = partly
    np.testing.assert_array_equal(row, expected["train"][2])
    np.testing.assert_array_equal(counts(resumed)["test"], expected["test"])
    # A row that was left half written is shown again; others are not.
    table = np.lib.format.open_memmap(digits / "cut" / "counts-train.npy", mode="r+")
    table[3, 5] = 255
    table[4] = 7
    again = counts(work(digits / "cut"))["train"]
    np.testing.assert_array_equal(again[3], expected["train"][3])
    assert (again[4] == 7).all()


def test_a_folder_of_another_experiment_is_refused(digits):
    counts(work(digits / "out"))
    for changes, named in (
        ({"samples": 11}, "samples"),
        ({"seed": 4}, "its seed"),
        ({"settings": replace(SMALL, gain=0.2)}, "gain"),
    ):
        with pytest.raises(
            NetworkError, match=f"found another experiment, which differs in {named}; expected this"
        ):
            work(digits / "out", **changes)


def test_a_folder_written_before_a_setting_existed_is_the_one_with_its_default(digits):
    work(digits / "out")
    path = digits / "out" / "experiment.json"
    experiment = json.loads(path.read_text())
    del experiment["settings"]["regions"]
    path.write_text(json.dumps(experiment))
    with pytest.raises(NetworkError, match="differs in regions"):
        work(digits / "out", settings=replace(SMALL, regions=2))
    work(digits / "out")
    assert json.loads(path.read_text())["settings"]["regions"] == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"samples": 21}, r"samples: found 21, expected 0 \(all\) to 20, as many as mnist has"),
        ({"tests": -1}, r"tests: found -1, expected 0 \(all\) to 8"),
        ({"validation": 12}, "validation: found 12, expected 1 to 11: some of the 12 samples must"),
        ({"presentations": -5}, "presentations: found -5, expected 0 or more"),
        ({"dataset": "cifar10"}, "dataset: found 'cifar10', expected one of mnist, fashion-mnist"),
    ],
)
def test_numbers_that_do_not_fit_the_data_are_refused(digits, changes, message):
    with pytest.raises(NetworkError, match=message):
        work(digits / "out", **changes)
    assert not (digits / "out").exists()


# ---- baselines


def test_calcium_lets_a_weight_change_only_within_its_band():
    settings = replace(SMALL, inputs=36, calcium=40.0, band=20.0, start=0.5)
    moved = {}
    for level in (0.0, 30.0, 50.0, 90.0):
        liquid = Liquid(settings, seed=1)
        liquid.run.set("input", p=np.full(36, 0.3))
        before = liquid.weights()
        liquid.run.set("liquid", calcium=level)
        liquid.run.run("20 ms", progress=False)
        change = np.concatenate([liquid.weights()[n] - before[n] for n in before])
        moved[level] = (float(change.min()), float(change.max()))
    assert moved[0.0] == moved[90.0] == (0, 0)
    assert moved[30.0][0] < 0 and moved[30.0][1] == 0
    assert moved[50.0][0] == 0 and moved[50.0][1] > 0


def test_calcium_passes_on_from_sample_to_sample():
    """It would never reach its threshold within the 20 ms of one."""
    liquid = Liquid(replace(VARIANTS["calcium"], side=3, inputs=36, density=0.5), seed=0)
    for _ in range(2):
        liquid.self_organise([np.full(36, 0.3)])
    calcium, spikes = (np.array(liquid.run.get("liquid", v)) for v in ("calcium", "spikes"))
    assert calcium.max() > spikes.max() > 0


def test_after_it_was_organised_a_liquid_of_calcium_does_not_learn():
    settings = replace(SMALL, inputs=36, calcium=1.0, band=100.0, start=0.5)
    liquid = Liquid(settings, seed=1)
    image = np.full(36, 0.3)
    liquid.self_organise([image] * 3)
    learned = liquid.weights()
    assert any(np.ptp(np.abs(w)) > 0 for w in learned.values())
    assert liquid.present([image], time="60 ms").sum() > 0
    for run in liquid._others:
        for name, w in learned.items():
            np.testing.assert_array_equal(run.get(name, "w"), w)


def test_each_baseline_is_a_few_settings_of_the_same_class():
    assert set(VARIANTS) == {"astrocyte", "static", "stdp", "calcium"}
    for name, settings in VARIANTS.items():
        liquid = Liquid(replace(settings, side=3, inputs=36), seed=0)
        before = liquid.weights()
        liquid.self_organise([np.full(36, 0.3)] * 2)
        same = all(np.array_equal(w, before[n]) for n, w in liquid.weights().items())
        # Calcium has not reached its threshold after two samples.
        assert same == (name in ("static", "calcium"))


# ---- the command


def test_the_command_writes_results_and_pictures_and_continues(digits, capsys):
    small = [f"--set={name}" for name in ("side=3", "density=0.5", "samples=12", "validation=4")]
    more = [f"--set={name}" for name in ("tests=6", "presentations=30", "published_passes=3")]
    words = ["run", "astrocyte-liquid", "--out", str(digits / "out"), *small, *more]
    assert main(words) == 0
    results = json.loads((digits / "out" / "results.json").read_text())
    assert [p["presentations"] for p in results["course"]] == [0, 20, 30]
    assert results["convex"]["test"] == 1.0 and results["published"]["passes"] == 3
    assert {p.name for p in (digits / "out").glob("*.png")} == {"organisation.png", "answers.png"}
    assert "test accuracy, convex readout (%)" in capsys.readouterr().out
    assert main(words) == 0
    again = json.loads((digits / "out" / "results.json").read_text())
    assert {k: v for k, v in again.items() if k != "seconds"} == {
        k: v for k, v in results.items() if k != "seconds"
    }
    assert main([*words, "--set=variant=none"]) == 2
    assert "variant: found 'none', expected one of astrocyte, static" in capsys.readouterr().err


def test_without_data_the_command_says_what_to_put_where(monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("NEUROSIM_DATA", raising=False)
    assert main(["run", "astrocyte-liquid", "--out", str(tmp_path / "out")]) == 2
    assert "Fetch it: neurosim data fetch mnist --data DIR" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_catalogue_knows_the_liquid_and_its_checks():
    model = find("astrocyte-liquid")
    assert [c.id for c in model.checks] == [f"U{n}" for n in range(1, 10)] + [
        f"S{n}" for n in range(1, 10)
    ]
    assert {need for check in model.checks for need in check.needs} == set(model.experiments)
    assert model.settings["samples"] == 8000 and "inputs" not in model.settings


@pytest.mark.parametrize("id", [*(f"U{n}" for n in range(1, 10)), "S6", "S7"])
def test_checks_without_data_pass(id):
    model = find("astrocyte-liquid")
    check = next(check for check in model.checks if check.id == id)
    results = {need: model.experiments[need]("cpu") for need in check.needs}
    measured, passed = check.judge(results)
    assert passed, measured
