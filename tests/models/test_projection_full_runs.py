"""Full runs of the orthogonal projection: their courses in small, tasks, checks and settings."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest

import neurosim as ns
from neurosim.datasets import Images

torch = pytest.importorskip("torch")

from neurosim.cli.catalogue import find  # noqa: E402
from neurosim.errors import SimulationError  # noqa: E402
from neurosim.models.orthogonal_projection import experiment, full_runs  # noqa: E402
from neurosim.models.orthogonal_projection.checks import CHECKS, EXPERIMENTS, full  # noqa: E402
from neurosim.models.orthogonal_projection.demonstrate import demonstrate  # noqa: E402
from neurosim.models.orthogonal_projection.network import build_convolutional  # noqa: E402
from neurosim.models.orthogonal_projection.settings import Settings  # noqa: E402

TINY_ROWS = {"layer1": (4, 2), "layer2": (5, 3), "head": (5, 3)}


def small(case: full_runs.Case) -> full_runs.Case:
    """Return a case with tiny tasks in place of images."""
    settings = replace(case.settings, inputs=20, hidden=30, classes=4, batch=16)
    return replace(
        case, settings=settings, rows=TINY_ROWS, tasks=lambda seed: experiment._tiny_tasks(2)
    )


@pytest.fixture
def tiny(monkeypatch):
    """Courses of permuted tasks alone, in small."""
    listed = {n: small(c) for n, c in full_runs.cases().items() if n.startswith("permuted bptt")}
    monkeypatch.setattr(full_runs, "cases", lambda: listed)
    return listed


def test_courses_are_run_once_and_all_results_are_written_together(tiny, tmp_path, capsys):
    out = tmp_path / "all.json"
    words = ["--results", str(tmp_path / "runs"), "--out", str(out), "--only", "bptt random"]
    full_runs.main(words)
    content = json.loads(out.read_text())
    names = [course["name"] for course in content["courses"]]
    assert names == ["permuted bptt random hlop", "permuted bptt random plain"]
    assert content["versions"]["torch"] == torch.__version__
    hlop = content["courses"][0]
    assert np.shape(hlop["matrix"]) == (2, 2) and hlop["matrix"][0][1] is None
    assert hlop["deployed"]["differing"] == 0 and hlop["deployed"]["spikes"] > 50
    assert [row["layer2"]["rows"] for row in hlop["rows"]] == [5, 8]
    assert len(hlop["seconds"]) == 2 and hlop["seed"] == 2022
    path = tmp_path / "runs" / "permuted_bptt_random_hlop.json"
    path.write_text(json.dumps(hlop | {"acc": 12.0}))
    full_runs.main(words)
    assert json.loads(out.read_text())["courses"][0]["acc"] == 12.0


def test_a_course_that_diverges_is_told_and_the_others_go_on(tiny, tmp_path, capsys, monkeypatch):
    run = full_runs.run

    def diverge(name, case, **options):
        if name.endswith("hlop"):
            raise SimulationError("optimizer: found a gradient that is not finite")
        return run(name, case, **options)

    monkeypatch.setattr(full_runs, "run", diverge)
    out = tmp_path / "all.json"
    words = ["--results", str(tmp_path / "runs"), "--out", str(out), "--only", "bptt random"]
    full_runs.main(words)
    names = [course["name"] for course in json.loads(out.read_text())["courses"]]
    assert names == ["permuted bptt random plain"]
    message = "permuted bptt random hlop: no result. optimizer: found a gradient"
    assert message in capsys.readouterr().out


def test_the_strength_of_consolidation_is_chosen_on_another_seed(tiny, tmp_path):
    case = tiny["permuted bptt ewc"]
    result = full_runs.run("ewc", case, seed=1, folder=tmp_path, progress=False)
    tried = result["ewc"]["tried"]
    assert set(tried) == {"10.0", "100.0", "1000.0"}
    assert tried[str(result["ewc"]["strength"])] == max(tried.values())


def test_sets_of_different_pictures_become_tasks_of_one_size(monkeypatch):
    def load(name, split):
        rng = np.random.default_rng(len(name))
        shape = (9000, 32, 32, 3) if name == "cifar10" else (9000, 28, 28)
        count = 9000 if name == "kmnist" else 20
        labels = (np.arange(count) % 10).astype(np.uint8)
        return Images(rng.integers(0, 255, (count, *shape[1:])).astype(np.uint8), labels)

    monkeypatch.setattr(full_runs.datasets, "load", load)
    tasks = full_runs.five_sets(0)
    assert [t.name for t in tasks] == list(full_runs.SETS)
    assert {t.train.values.shape[1] for t in tasks} == {3072}
    # KMNIST has a test part alone: it is divided.
    assert [len(t.train) for t in tasks] == [20, 20, 8000, 20, 20]
    assert abs(float(tasks[0].train.values.mean())) < 1e-3
    colours = full_runs.split_colours(0)
    assert [t.name for t in colours][0] == "classes 0, 1" and len(colours) == 5
    one = full_runs.one_head(0, name="mnist")
    assert one[4].train.labels.tolist() == [8, 9, 8, 9]


def test_convolutions_halve_pictures_and_learn_with_circuits():
    settings = Settings(way="bptt", inputs=48, heads=2, classes=2, epochs=1, batch=16)
    net = build_convolutional(settings, 1, shape=(3, 4, 4), channels=(6, 8))
    assert [p.size for p in net.populations.values()] == [48, 24, 8, 2, 2]
    samples = full_runs.Samples(
        np.random.default_rng(1).normal(size=(64, 48)).astype(np.float32), np.arange(64) % 2
    )
    tasks = [full_runs.Task(f"task {k}", samples, samples) for k in range(2)]
    learner = full_runs.make_learner(settings, 1, net=net)
    rows = {"layer1": 3, "layer2": 4}
    strategy = full_runs.projected(learner, settings, rows, seed=1, most=100)
    full_runs.learn_tasks(learner, tasks, strategy=strategy, progress=False)
    assert strategy.course[-1]["layer1"]["rows"] == 6 and learner.trainer["layer1"].ndim == 4
    # A sample of patches teaches nearly what all of them teach.
    assert strategy.course[-1]["layer1"]["deviation"] < 0.9


# ---- checks and the command line


def good(name: str):
    """Return a result as good as its experiment could give it."""
    family = name.partition("-")[0]
    matrix = [[0.95] + [None] * 4, *[[0.95] * (k + 1) + [None] * (4 - k) for k in range(1, 5)]]
    matrix = [[float("nan") if v is None else v for v in row] for row in matrix]
    course = {"matrix": matrix, "acc": 95.0, "bwt": -0.5}
    if "plain" in name:
        course |= {"acc": 87.0, "bwt": -10.0}
    if family in ("large", "small", "short", "again") or name.startswith("permuted"):
        return course
    return {
        "neuron_for_rates": {
            "spikes": [2, 4, 7, 20, 20],
            "rates": [0.5685, 1.2481, 2.0551, 6.0, 6.0],
            "steps of 1.0": [2, 8, 14, 20],
            "gain": 1.08175,
        },
        "gradients": {"equal": True, "output": 5.0, "error": 1e-7, "changed": 0.1},
        "frozen": {"identical": True, "learned": 0.1},
        "principal": {
            "alignment": {"100": 0.999},
            "deviation": 0.002,
            "smallest cosine": 0.998,
            "deviation of both": 0.002,
            "overlap": 0.001,
        },
        "interference": {"leak": {"100": 1e-4, "500": 1e-6}, "kept": 0.94},
        "few": {"held": 0.825, "optimal": 0.828},
        "spiking": {"alignment": {"10": 0.89, "20": 0.97, "40": 0.99, "1000": 0.999}},
    }[family]


SPOILED = {
    "U1": {"spikes": [2, 4, 8, 20, 20]},
    "U2": {"gain": 1.082},
    "U3": {"equal": False},
    "U4": {"error": 1e-4},
    "U5": {"identical": False},
    "P1": {"deviation": 0.02},
    "P2": {"overlap": 0.02},
    "P3": {"kept": 0.8},
    "P4": {"held": 0.81},
    "P5": {"alignment": {"10": 0.89, "20": 0.88, "40": 0.99, "1000": 0.999}},
    "S1": {"bwt": -2.0},
    "S2": {"acc": 90.0, "bwt": -5.0},
    "S3": {"matrix": [[0.95] * 5] * 4 + [[0.95] * 4 + [0.92]]},
    "S4": {"matrix": [[0.5]]},
    "S5": {"acc": 90.0},
    "F1": {"acc": 93.0},
    "F2": {"bwt": -4.0},
    "F6": {"bwt": -20.0},
}
FULL = full()


@pytest.mark.parametrize("check", [*CHECKS, *FULL[1]], ids=lambda c: c.id)
def test_each_check_accepts_good_results_and_refuses_spoiled_ones(check):
    results = {name: good(name) for name in check.needs}
    measured, passed = check.judge(results)
    assert passed, measured
    json.dumps(measured)
    # Of the first experiment, as good ones of the others stay.
    first = check.needs[0]
    if check.id == "P5":
        assert list(SPOILED["P5"]["alignment"].values()) != sorted(
            SPOILED["P5"]["alignment"].values()
        )
    assert not check.judge(results | {first: results[first] | SPOILED[check.id]})[1]


def test_every_check_needs_experiments_that_exist_and_travel_to_other_processes():
    for checks, experiments in ((CHECKS, EXPERIMENTS), (FULL[1], FULL[0])):
        assert {n for c in checks for n in c.needs} == set(experiments)
        for run in experiments.values():
            assert pickle.loads(pickle.dumps(run)).keywords == run.keywords
    assert {n for n in FULL[0]} <= set(full_runs.cases())


def test_checks_of_full_size_are_added_by_a_word_and_refused_by_other_models():
    model = find("orthogonal-projection")
    assert [c.id for c in model.in_full().checks] == [*SPOILED]
    with pytest.raises(ns.NetworkError, match="found no checks of full size"):
        find("ca3-memory").in_full()


def test_the_demonstration_draws_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "neurosim.models.orthogonal_projection.demonstrate.permuted_digits",
        lambda count, **_: experiment._tiny_tasks(count),
    )
    monkeypatch.setattr("neurosim.models.orthogonal_projection.demonstrate.SMALL_ROWS", TINY_ROWS)
    options = {"tasks": 2, "way": "bptt", "inputs": 20, "hidden": 30, "classes": 4, "epochs": 1}
    rows = demonstrate(out=tmp_path, progress=False, seed=1, **options)
    assert [r["quantity"] for r in rows] == [
        f"{name}: {q} (%)" for name in ("hlop", "plain") for q in ("ACC", "BWT")
    ]
    for name in ("accuracies.png", "subspaces.png"):
        assert (tmp_path / name).stat().st_size > 10_000
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["settings"]["way"] == "bptt" and results["courses"]["hlop"]["acc"] > 20
    again = demonstrate(out=tmp_path, progress=False, seed=1, **options)
    assert again == rows
    with pytest.raises(ns.NetworkError, match="no strategy 'hope'"):
        demonstrate(out=tmp_path, progress=False, strategy="hope", **options)


@pytest.mark.parametrize("name", ["way", "feedback"])
def test_unknown_words_of_settings_are_refused(name):
    with pytest.raises(ns.NetworkError, match=f"{name}: found 'hope', expected one of"):
        Settings(**{name: "hope"})
