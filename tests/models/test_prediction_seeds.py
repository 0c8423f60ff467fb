"""Checks of the prediction reservoir over other seeds: which, how far apart, and which miss."""

from __future__ import annotations

import json

import pytest
from support.good_results import reservoir_results, with_blocks

import neurosim as ns
from neurosim.cli import catalogue
from neurosim.cli.main import main
from neurosim.models.ca3_memory import model as memory
from neurosim.models.prediction_reservoir import model, spread
from neurosim.models.prediction_reservoir.checks import CHECKS, EXPERIMENTS, checks, experiments

SEEDS = (7, 8, 9)


def results() -> dict:
    held = {name: reservoir_results(name) for name in experiments(SEEDS)}
    held["switches-8"] = with_blocks(held["switches-8"], timing=[-43.0, 2.0])
    return held


def test_every_check_says_over_which_seeds_it_is_judged():
    assert {check.expected.rsplit(" (", 1)[1] for check in CHECKS} == {"seeds 0 to 4)"}
    other = checks(range(100, 110))
    assert all(check.expected.endswith("(seeds 100 to 109)") for check in other)
    assert [check.id for check in other] == [check.id for check in CHECKS]
    assert checks((3,))[0].expected.endswith("(seed 3)")


def test_experiments_over_other_seeds_are_those_of_the_checks():
    over = model.over_seeds(SEEDS)
    assert {name for check in over.checks for name in check.needs} == set(over.experiments)
    assert {run.keywords["seed"] for run in over.experiments.values()} == set(SEEDS)
    assert len(EXPERIMENTS) == 42 and "again-7" in over.experiments
    assert "ungated-9" in over.experiments and "ungated-3" not in model.experiments


def test_means_spread_and_seeds_that_miss_are_told_per_check():
    rows = {row["id"]: row for row in spread.summarise(results(), SEEDS)}
    assert [row["id"] for row in rows.values() if not row["pass"]] == ["B8"]
    timed = rows["B8"]
    assert timed["measured"]["8"][0] == 43.0
    assert timed["misses"] == [8]
    assert timed["seeds"] == [7, 8, 9]
    first = timed["spread"]["1"]
    assert first == {"mean": 17.6667, "sd": 21.9393, "least": 5.0, "largest": 43.0}
    assert rows["B3"]["seeds"] == [7] and set(rows["B15"]["spread"]) >= {"merged 1", "local 2"}
    assert rows["B7"]["spread"]["E(100) 3"]["sd"] == 0.0 and rows["B15"]["misses"] == []


def test_checks_are_judged_over_the_seeds_whose_results_are_there():
    held = results()
    del held["noisy-8"], held["least-squares-7"]
    rows = {row["id"]: row for row in spread.summarise(held, SEEDS)}
    assert rows["B17"]["seeds"] == [7, 9] and rows["B17"]["expected"].endswith("(seeds 7, 9)")
    assert rows["B15"]["seeds"] == [8, 9] and rows["B1"]["seeds"] == [7, 8, 9]


def test_missing_results_are_made_and_held_ones_are_read(tmp_path, monkeypatch, capsys):
    for name, result in results().items():
        (tmp_path / f"{name}.json").write_text(json.dumps(result))
    (tmp_path / "noisy-8.json").unlink()
    constant_results = {
        name: lambda backend: reservoir_results("noisy-8") for name in experiments(SEEDS)
    }
    monkeypatch.setattr(spread, "experiments", lambda seeds: constant_results)
    out = tmp_path / "out" / "figures.json"
    spread.main(["--seeds", "7-9", "--results", str(tmp_path), "--out", str(out)])
    assert capsys.readouterr().out.startswith("noisy-8: ") and (tmp_path / "noisy-8.json").exists()
    figures = json.loads(out.read_text())
    assert figures["seeds"] == "7-9"
    assert figures["versions"]["numpy"]
    assert len(figures["checks"]) == 18


@pytest.mark.parametrize(
    ("text", "seeds"), [("3", (3,)), ("1,2, 1", (1, 2)), ("100-102,5", (100, 101, 102, 5))]
)
def test_seeds_are_numbers_and_ranges(text, seeds):
    assert catalogue.read_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "5-3", "-1", "1.5", "1-2-3", "²"])
def test_other_seeds_are_refused(text, capsys):
    with pytest.raises(ns.NetworkError, match="Write such as 1,2,3 or 100-109"):
        catalogue.read_seeds(text)
    assert main(["verify", "prediction-reservoir", f"--seeds={text}"]) != 0
    assert "expected whole numbers of at least 0" in capsys.readouterr().err


def test_a_model_whose_checks_have_no_seeds_refuses_them():
    with pytest.raises(ns.NetworkError, match="its checks have fixed ones. Leave them out"):
        memory.over_seeds((1, 2))
