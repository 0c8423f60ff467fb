"""Experiments of the prediction reservoir, comparators, and the model in the catalogue."""

import importlib
import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from support.good_results import reservoir_results
from support.predictions import NEAR, SMALL, learner

import neurosim as ns
from neurosim.cli.verification import verify
from neurosim.models.prediction_reservoir import model
from neurosim.models.prediction_reservoir.checks import CHECKS
from neurosim.models.prediction_reservoir.comparators import (
    MERGED,
    UNGATED,
    LeastSquares,
    least_squares,
    merged,
    noisy,
    without_feedback,
    without_gate,
)
from neurosim.models.prediction_reservoir.demonstrate import judge
from neurosim.models.prediction_reservoir.experiment import (
    SWITCHES,
    TESTED,
    acquisition,
    blocks,
    probability_scan,
    subspaces,
    switches,
)
from neurosim.models.prediction_reservoir.measures import relative_error
from neurosim.models.prediction_reservoir.network import DEFAULTS
from neurosim.models.prediction_reservoir.picture import draw
from neurosim.models.prediction_reservoir.trials import Learner, Prediction, Truth, times

pytestmark = pytest.mark.experiment

# ---- experiments and comparators


def test_least_squares_solves_the_regularised_normal_equations(backend):
    squares = LeastSquares(learner(backend, scheme=MERGED))
    rng = np.random.default_rng(1)
    x, wanted = rng.normal(size=(40, 60)), rng.normal(size=(40, 2))
    for row, target in zip(x, wanted, strict=True):
        squares.update(row, target)
    expected = np.linalg.solve(x.T @ x + np.eye(60) * 0.02 / 10, x.T @ wanted)
    np.testing.assert_allclose(squares.weights, expected, rtol=1e-8, atol=1e-10)


def test_least_squares_learns_through_the_loop_and_leaves_the_local_rule_out(backend):
    reservoir = learner(backend, settings=replace(SMALL, rate_when=0.0), scheme=MERGED)
    squares = LeastSquares(reservoir, every=10)
    for _ in range(2):
        squares.train(NEAR, 0)
    what, when = reservoir.weights()
    np.testing.assert_array_equal(when, squares.weights.T)
    assert when[0].any() and not when[1].any() and not what.any()
    assert relative_error(reservoir.test(), Truth(1.0, NEAR.latencies), SMALL) < 1.0


def test_experiments_return_plain_data_that_repeats(fast_backend):
    settings = replace(SMALL, trial=80.0, size=40, trials=2, tests=1)
    results = acquisition(fast_backend, seed=1, settings=settings)
    assert results == acquisition(fast_backend, seed=1, settings=settings)
    assert results != acquisition(fast_backend, seed=2, settings=settings)
    assert results["tested"] == [1, 2] and len(results["errors"]) == 2
    one = (Truth(0.5, (30.0, 60.0)),)
    two = (Truth(0.1, (30.0, 60.0)), Truth(0.9, (30.0, 60.0)))
    four = tuple(Truth(p, (t, t + 20.0)) for p in (0.2, 0.8) for t in (20.0, 40.0))
    for run, options in (
        (switches, {"truths": one}),
        (least_squares, {"truths": one}),
        (probability_scan, {"truths": two}),
        (subspaces, {"conditions": four}),
    ):
        json.dumps(run(fast_backend, seed=1, settings=settings, **options))


def test_each_level_of_the_scan_is_learned_afresh(fast_backend):
    settings = replace(SMALL, noise=0.0)
    levels = (Truth(0.2, NEAR.latencies), Truth(0.9, NEAR.latencies))
    forth = probability_scan(fast_backend, seed=1, settings=settings, truths=levels)
    back = probability_scan(fast_backend, seed=1, settings=settings, truths=levels[::-1])
    assert forth["amplitudes"] == back["amplitudes"][::-1] and forth["what"] == back["what"][::-1]
    assert np.any(forth["amplitudes"])


def test_least_squares_predicts_without_an_identity_readout(fast_backend):
    block = least_squares(fast_backend, seed=1, settings=SMALL, truths=(NEAR,))["blocks"][0]
    assert block["what"] == [0.0, 0.0] and block["before"] == 1.0 and 1.0 not in block["errors"]


def test_the_recurrent_weights_keep_sign_and_value(fast_backend):
    results = switches(fast_backend, seed=1, settings=SMALL, truths=(NEAR,))
    assert results["dale"] and results["unchanged"]


def test_blocks_are_tested_before_they_begin_and_when_they_end(fast_backend):
    reservoir, seen = learner(fast_backend), []
    truths = (NEAR, Truth(0.5, NEAR.latencies))
    results = list(
        blocks(
            reservoir,
            truths,
            train=reservoir.train,
            watch=lambda block, trial, test: seen.append((block, trial)),
        )
    )
    assert seen == [(0, 0), (0, 1), (0, 3), (1, 0), (1, 1), (1, 3)]
    assert results[0]["before"] == 1.0 and results[1]["before"] != 1.0


def test_a_comparator_changes_the_one_thing_that_its_name_says(fast_backend):
    def result(experiment, **options):
        return experiment(fast_backend, seed=1, truths=(NEAR,), **options)

    changes = {
        merged: {"settings": SMALL, "scheme": MERGED},
        without_feedback: {"settings": replace(SMALL, feedback=0.0)},
        without_gate: {"settings": replace(SMALL, reach=SMALL.trial), "scheme": UNGATED},
        noisy: {"settings": replace(SMALL, noise=0.3)},
    }
    plain = result(switches, settings=SMALL)
    for comparator, options in changes.items():
        compared = result(comparator, settings=SMALL)
        assert compared == result(switches, **options) != plain


def test_the_default_settings_are_those_for_which_the_bounds_of_the_checks_were_fixed():
    assert asdict(DEFAULTS) == {
        "size": 1000,
        "inhibitory": 0.2,
        "density": 0.1,
        "weight": 1.0,
        "balance": 4.0,
        "tau_s": 100.0,
        "noise": 0.1,
        "cue": 30.0,
        "cue_length": 20.0,
        "feedback": 4.0,
        "tau_r": 40.0,
        "width": 40.0,
        "reach": 120.0,
        "opens": 0.15,
        "rate_when": 0.05,
        "rate_what": 0.05,
        "trial": 1000.0,
        "trials": 100,
        "tests": 5,
    }


class Halfway:
    """A learner whose predictions are half of the truth."""

    settings, seed = SMALL, 1

    def test(self) -> Prediction:
        what, when = NEAR.probabilities / 2, NEAR.bumps(SMALL)
        return Prediction(what * when, when, what)

    def weights(self) -> tuple[np.ndarray, np.ndarray]:
        return np.eye(4)[:2], np.eye(4)[2:]


def test_a_block_has_recovered_at_the_first_test_whose_error_is_one_half_or_less():
    (block,) = blocks(Halfway(), (NEAR,), train=lambda truth, delivered: None)
    assert block["errors"] == [0.5, 0.5] and block["recovered"] == 1


# ---- the model in the catalogue


def test_the_demonstration_leaves_a_picture_and_its_results(fast_backend, tmp_path):
    rows = model.demonstrate(
        seed=1,
        backend=fast_backend,
        out=tmp_path / "new",
        progress=False,
        size=40,
        trials=2,
        tests=1,
    )
    assert (tmp_path / "new" / "prediction_reservoir.png").read_bytes()[:4] == b"\x89PNG"
    written = json.loads((tmp_path / "new" / "results.json").read_text())
    assert written["rows"] == rows
    assert len(written["blocks"]) == 4
    assert written["settings"] == {"size": 40, "trials": 2, "tests": 1}
    assert all(row.keys() == {"quantity", "measured", "expected", "pass"} for row in rows)


def test_the_picture_names_its_axes_and_shows_all_predictions_on_one_scale(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures.append(figure))
    silent = Prediction(np.zeros((150, 2)), np.zeros((150, 2)), np.zeros(2))
    draw(
        tmp_path / "picture.png",
        SMALL,
        spikes=ns.Spikes([1, 59], [2, 9], size=60, dt=1.0, steps=150),
        tests={(block, trial): silent for block in range(4) for trial in (0, SMALL.trials)},
        errors=[[1.0, 0.5, 0.2]] * 4,
        tested=[1, 3],
    )
    raster, predictions, errors = (part.axes for part in figures[0].subfigs)
    assert [ax.get_xlabel() for ax in (*raster, *errors)] == ["time (ms)", "trials"]
    assert [ax.get_xlabel() for ax in predictions] == [""] * 4 + ["time since the cue (ms)"] * 4
    assert [bool(ax.get_ylabel()) for ax in predictions] == [True, False, False, False] * 2
    first = predictions[0]
    assert all(first.get_shared_y_axes().joined(first, other) for other in predictions[1:])


def test_a_demonstration_keeps_its_results_where_ctrl_c_ends_it_or_its_picture_fails(
    fast_backend, tmp_path, monkeypatch
):
    """Ctrl-C comes with the first trial of the third block; a folder stands where the picture
    should go.
    """
    demonstration = importlib.import_module("neurosim.models.prediction_reservoir.demonstrate")
    options = {
        "seed": 1,
        "backend": fast_backend,
        "progress": False,
        "size": 40,
        "trials": 2,
        "tests": 1,
    }
    (tmp_path / "whole" / "prediction_reservoir.png").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        model.demonstrate(out=tmp_path / "whole", **options)
    whole = json.loads((tmp_path / "whole" / "results.json").read_text())
    assert whole["finished"] and len(whole["blocks"]) == 4

    class Interrupted(Learner):
        def train(self, truth: Truth, outcome: int) -> None:
            if truth == SWITCHES[2]:
                raise KeyboardInterrupt
            super().train(truth, outcome)

    monkeypatch.setattr(demonstration, "Learner", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.demonstrate(out=tmp_path / "part", **options)
    part = json.loads((tmp_path / "part" / "results.json").read_text())
    assert not part["finished"] and part["blocks"] == whole["blocks"][:2]
    assert part["rows"] == [
        row for row in whole["rows"] if row["quantity"].startswith(("block 1", "block 2"))
    ]
    assert [path.name for path in (tmp_path / "part").iterdir()] == ["results.json"]


def test_rows_of_the_demonstration_hold_misses_against_their_limits():
    block = reservoir_results("switches-0")["blocks"][0]
    rows = judge(
        [
            block,
            block | {"errors": [0.9] * 8},
            block | {"timing": [0.0, 50.0]},
            block | {"angles": [10.0, 20.0]},
        ],
        list(TESTED),
    )
    missed = {row["quantity"] for row in rows if not row["pass"]}
    assert missed == {
        "block 2: E(35)",
        "block 2: E(100)",
        "block 3: peak timing error of B (ms)",
        "block 4: smaller angle between what and when (degrees)",
    }


def test_the_network_of_the_catalogue_records_what_it_shows(backend):
    recording = ns.simulate(model.network(seed=2, size=50), "20 ms", backend=backend)
    assert len(recording["reservoir"].spikes)
    assert recording["when"].trace("z").values.shape == (
        20,
        2,
    )


def test_times_are_those_of_the_ends_of_steps():
    assert times(SMALL)[0] == 1.0 and times(SMALL)[-1] == 150.0
    assert Truth(0.5, (60.0, 100.0)).bumps(SMALL)[59, 0] == 1.0


@pytest.mark.slow
@pytest.mark.parametrize("id", [check.id for check in CHECKS])
def test_the_acceptance_checks_of_the_specification_hold(id, verified):
    assert verified[id]["pass"], verified[id]["measured"]


@pytest.fixture(scope="module")
def verified(fast_backend):
    return {row["id"]: row for row in verify(model, backend=fast_backend, progress=False)}
