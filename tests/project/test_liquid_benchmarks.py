"""Scripts that hold the liquid against its publication: what they collect, compare and continue."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

pytest.importorskip(
    "benchmarks",
    reason="benchmarks are no part of the package: run python -m pytest where they are",
)

import numpy as np

from benchmarks.liquid import accuracy, branching, extensions, ranks
from benchmarks.liquid.rows import run_missing
from neurosim.datasets import Images
from neurosim.models.astrocyte_liquid import VARIANTS, Task


def write_run(folder: Path, name: str, *, seed: int, test: float, **changes: object) -> None:
    """Write the results of a run of the published size, with changes."""
    variant = str(changes.pop("variant", "astrocyte"))
    task = Task(dataset=str(changes.pop("dataset", "mnist")), samples=60_000, presentations=50_000)
    published = changes.pop("published", None)
    results = {
        "model": "astrocyte-liquid",
        "seed": seed,
        "variant": variant,
        "settings": asdict(replace(VARIANTS[variant], **changes)),
        "task": asdict(task),
        "convex": {"test": test},
        **({"published": published} if published else {}),
        "seconds": 60.0,
        "course": [],
        "rows": [],
    }
    (folder / name).mkdir(parents=True)
    (folder / name / "results.json").write_text(json.dumps(results))


def test_runs_that_differ_by_their_seed_alone_are_one_row_beside_the_published_mean(tmp_path):
    for seed, test in ((0, 0.959), (1, 0.961)):
        write_run(tmp_path, f"f1-{seed}", seed=seed, test=test)
    write_run(tmp_path, "large", seed=0, test=0.97, side=20, gain=0.0075)
    write_run(tmp_path, "own", seed=0, test=0.95, regions=2)
    (tmp_path / "unfinished").mkdir()
    rows = accuracy.summarise(accuracy.read_runs(tmp_path))
    assert [row["neurons"] for row in rows] == [1000, 8000, 1000]
    assert rows[0]["seeds"] == [0, 1]
    assert rows[0]["convex"]["mean"] == pytest.approx(96.0)
    assert rows[0]["convex"]["deviation"] == pytest.approx(0.2 / 2**0.5)
    assert [row.get("published mean") for row in rows] == [95.96, 97.49, None]
    assert rows[2]["extension"] == "regions=2"
    table = accuracy.table(rows).splitlines()
    assert table[2].endswith("| 2 | 96.00 +- 0.14 | - | - | 95.96 +- 0.13 |")


def test_the_mean_of_the_authors_readout_is_of_the_runs_with_the_most_passes(tmp_path):
    for seed, passes, test in ((0, 5000, 0.957), (1, 100, 0.94), (2, 5000, 0.959)):
        readout = {"test": test, "passes": passes}
        write_run(tmp_path, f"f1-{seed}", seed=seed, test=0.966, published=readout)
    (row,) = accuracy.summarise(accuracy.read_runs(tmp_path))
    assert row["published"]["mean"] == pytest.approx(95.8)
    assert row["passes"] == 5000
    line = accuracy.table([row]).splitlines()[2]
    assert line.endswith("| 95.80 +- 0.14 (2 of 3 networks) | 5000 | 95.96 +- 0.13 |")


@pytest.mark.parametrize(
    ("scores", "outcome"),
    [
        ((0.960, 0.955, 0.90, 0.952), "order reached, static reached"),
        ((0.956, 0.955, 0.90, 0.952), "order missed, static reached"),
        ((0.960, 0.955, 0.93, 0.952), "order missed, static reached"),
        ((0.960, 0.955, 0.90, 0.962), "order reached, static above"),
    ],
)
def test_the_order_of_the_variants_is_judged_once_all_are_there(tmp_path, scores, outcome):
    checks = {}
    for variant, test in zip(("astrocyte", "calcium", "stdp", "static"), scores, strict=True):
        write_run(tmp_path, variant, seed=0, test=test, variant=variant)
        # Without the static liquid, which comes last, there is no order to judge.
        answers = accuracy.judge(accuracy.summarise(accuracy.read_runs(tmp_path)))
        checks = {answer["check"]: answer["outcome"] for answer in answers}
        assert ("F5" in checks) == (variant == "static")
    assert checks["F5"] == outcome


@pytest.mark.parametrize(
    ("test", "outcome"), [(0.95, "missed"), (0.96, "reached"), (0.97, "above")]
)
def test_an_accuracy_is_below_inside_or_above_its_band(tmp_path, test, outcome):
    write_run(tmp_path, "f1", seed=0, test=test)
    rows = accuracy.summarise(accuracy.read_runs(tmp_path))
    assert accuracy.judge(rows)[0]["outcome"] == outcome


def test_rows_are_kept_one_by_one_and_only_the_missing_ones_are_run(tmp_path):
    path = tmp_path / "rows.json"
    ran = []

    def answer(number: int) -> dict[str, int]:
        if number == 2 and len(ran) == 2:
            raise KeyboardInterrupt
        ran.append(number)
        return {"square": number**2}

    jobs = [({"number": n}, lambda n=n: answer(n)) for n in range(4)]
    with pytest.raises(KeyboardInterrupt):
        run_missing(path, jobs, title="squares")
    assert [row["square"] for row in json.loads(path.read_text())["rows"]] == [0, 1]
    ran.append(-1)
    rows = run_missing(path, jobs, title="squares")
    assert ran == [0, 1, -1, 2, 3]
    assert [row["square"] for row in rows] == [0, 1, 4, 9]


def test_branching_factors_are_held_against_the_published_range():
    rows = [
        {"variant": "static", "weight": 0.6, "seed": seed, "branching": factor}
        for seed, factor in ((2, 0.7), (0, 0.78), (1, 0.76), (3, 0.5))
    ]
    (row,) = branching.compare(rows)
    # The first three networks: their mean is 0.747, and the range ends at 0.733 + 0.05.
    assert row["mean"] == pytest.approx(2.24 / 3)
    assert row["inside"]
    rows[1]["branching"] = 0.95
    assert not branching.compare(rows)[0]["inside"]
    (spread,) = branching.statistics(rows)
    assert spread["networks"] == 4
    assert spread["standard error"] == pytest.approx(spread["deviation"] / 2)


def test_extensions_are_compared_with_the_liquid_of_the_same_seed(tmp_path):
    for seed, test in ((0, 0.93), (1, 0.94)):
        write_run(tmp_path, f"plain-{seed}", seed=seed, test=test)
    write_run(tmp_path, "regions-1", seed=1, test=0.945, regions=2)
    write_run(tmp_path, "spread-2", seed=2, test=0.95, spread=0.5)
    (row,) = extensions.compare(accuracy.read_runs(tmp_path))
    assert row["extension"] == "regions"
    assert row["points"]["each"] == [0.5]


def test_noise_stays_within_the_range_of_pixels_and_keeps_labels():
    pixels = np.full((3, 5, 5), 128, np.uint8)
    images = Images(pixels, np.arange(3, dtype=np.uint8))
    changed = ranks.noisy(images)
    assert changed.values.dtype == np.uint8
    assert {changed.values.min(), changed.values.max()} == {0, 255}
    assert changed.labels.tolist() == [0, 1, 2]


@pytest.mark.parametrize("name", ["liquid_branching"])
def test_committed_branching_factors_are_complete_and_inside(name):
    path = Path(branching.__file__).parents[1] / "results" / f"{name}.json"
    rows = json.loads(path.read_text())["rows"]
    compared = branching.compare(rows)
    assert len(compared) == 18
    assert {row["networks"] for row in compared} == {3}
    assert all(row["inside"] for row in compared)
    assert [row["networks"] for row in branching.statistics(rows)] == [20, 20]
