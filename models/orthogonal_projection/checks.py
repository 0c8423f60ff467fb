"""Acceptance checks U1 to U5, P1 to P5 and S1 to S5, judged from results of the experiments."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from neurosim.cli.catalogue import Check, Experiments, Judgement

from .settings import DEFAULTS, FULL, PUBLISHED_ROWS, SMALL_ROWS, Settings

Results = Mapping[str, Any]
LEAK_SEEDS = range(5)
# Of five tasks: the last number holds for the fifth as well.
LARGE_ROWS = {name: rows[:5] for name, rows in PUBLISHED_ROWS.items()}
LARGE = Settings(way="bptt", hidden=FULL.hidden, epochs=1)
LARGE_TASK = {"rows": LARGE_ROWS, "images": 20_000, "tests": 2000, "shuffled": True}


def experiment(backend: str, name: str, **options: Any) -> Any:
    """Run an experiment of `neurosim.models.orthogonal_projection.experiment`.

    Parameters
    ----------
    backend : str
    name : str
        Of the function.
    **options
        Its arguments.
    """
    # Imported here: torch is optional, and a list of models must not need it.
    from . import experiment as experiments

    return getattr(experiments, name)(backend, **options)


def experiments(seeds: Sequence[int]) -> Experiments:
    """Return the experiments of some seeds; the longest come first, so that no core waits for one.

    Parameters
    ----------
    seeds : sequence of int
    """
    by_label: dict[str, Callable[[str], Any]] = {}

    def add(label: str, name: str, **options: Any) -> None:
        by_label[label] = partial(experiment, name=name, **options)

    for seed in seeds:
        small: dict[str, Any] = {"settings": DEFAULTS, "rows": SMALL_ROWS, "seed": seed}
        large = {"settings": LARGE, **LARGE_TASK, "seed": seed}
        for strategy in ("hlop", "plain"):
            add(f"large-{strategy}-{seed}", "course", strategy=strategy, **large)
            add(f"small-{strategy}-{seed}", "course", strategy=strategy, **small)
    for seed in seeds:
        add(f"short-{seed}", "repeated", seed=seed)
        add(f"again-{seed}", "repeated", seed=seed)
        add(f"principal-{seed}", "principal", seed=seed)
        add(f"few-{seed}", "too_few", seed=seed)
        add(f"spiking-{seed}", "spiking", seed=seed)
    for seed in LEAK_SEEDS:
        add(f"interference-{seed}", "interference", seed=seed)
    for name in ("neuron_for_rates", "gradients", "frozen"):
        add(name, name)
    return by_label


def _rates(results: Results) -> Judgement:
    result = results["neuron_for_rates"]
    measured = {"spikes": result["spikes"], "rates": np.round(result["rates"], 4).tolist()}
    expected = [0.5685, 1.2481, 2.0551, 6.0, 6.0]
    near = np.allclose(result["rates"], expected, rtol=0, atol=1e-3)
    same = result["spikes"] == [2, 4, 7, 20, 20] and result["steps of 1.0"] == [2, 8, 14, 20]
    return measured, bool(near and same)


def _gain(results: Results) -> Judgement:
    gain = results["neuron_for_rates"]["gain"]
    return round(gain, 6), abs(gain - 1.08175) <= 1e-4


def _forward(results: Results) -> Judgement:
    result = results["gradients"]
    # Outputs of nothing are equal as well, and so are those of circuits without effect.
    has_effect = result["output"] > 1 and result["changed"] > 1e-6
    return result["equal"], bool(result["equal"] and has_effect)


def _gradient(results: Results) -> Judgement:
    error = results["gradients"]["error"]
    return float(f"{error:.2g}"), error < 1e-5


def _frozen(results: Results) -> Judgement:
    result = results["frozen"]
    return result["identical"], bool(result["identical"] and result["learned"] > 1e-4)


def _principal(results: Results) -> Judgement:
    rounded = {name: round(result["alignment"]["100"], 4) for name, result in results.items()}
    aligned = all(result["alignment"]["100"] >= 0.99 for result in results.values())
    orthonormal = all(result["deviation"] <= 0.01 for result in results.values())
    return rounded, aligned and orthonormal


def _second(results: Results) -> Judgement:
    rounded = {name: round(result["smallest cosine"], 4) for name, result in results.items()}
    passed = True
    for result in results.values():
        orthonormal = result["deviation of both"] <= 0.01 and result["overlap"] <= 0.01
        passed = passed and orthonormal and result["smallest cosine"] >= 0.99
    return rounded, passed


def _leak(results: Results) -> Judgement:
    early = float(np.median([result["leak"]["100"] for result in results.values()]))
    late = max(result["leak"]["500"] for result in results.values())
    remaining = min(result["kept"] for result in results.values())
    measured = {"median after 100": early, "worst after 500": late, "kept": round(remaining, 3)}
    return measured, early <= 0.02 and late <= 1e-3 and remaining >= 0.85


def _few(results: Results) -> Judgement:
    gaps = [abs(result["held"] - result["optimal"]) for result in results.values()]
    held = [round(result["held"], 4) for result in results.values()]
    return held, max(gaps) <= 0.01


def _spiking(results: Results) -> Judgement:
    least = {"10": 0.80, "20": 0.93, "40": 0.97, "1000": 0.995}
    passed = True
    rounded = []
    for result in results.values():
        alignment = result["alignment"]
        are_high = all(alignment[levels] >= bound for levels, bound in least.items())
        # More levels come nearer to linear neurons.
        values = [alignment[levels] for levels in least]
        passed = passed and are_high and values == sorted(values)
        rounded.append([round(value, 3) for value in alignment.values()])
    return rounded, passed


def _pairs(results: Results) -> list[tuple[Any, Any]]:
    """Return results with projection beside those without, seed by seed."""
    return [
        (hlop, results[name.replace("-hlop-", "-plain-")])
        for name, hlop in results.items()
        if "-hlop-" in name
    ]


def _summary(pairs: list[tuple[Any, Any]]) -> list[dict[str, float]]:
    return [
        {
            "acc": round(hlop["acc"], 2),
            "bwt": round(hlop["bwt"], 2),
            "plain acc": round(plain["acc"], 2),
            "plain bwt": round(plain["bwt"], 2),
        }
        for hlop, plain in pairs
    ]


def _small(results: Results) -> Judgement:
    rows = []
    passed = True
    for result in results.values():
        first = 100 * np.array(result["matrix"])[:, 0]
        lost = float(first[0] - first[-1])
        row = {quantity: round(result[quantity], 2) for quantity in ("acc", "bwt")}
        rows.append(row | {"lost": round(lost, 2)})
        passed = passed and result["acc"] >= 94.0 and result["bwt"] >= -1.5 and lost <= 1.5
    return rows, passed


def _forgets(results: Results) -> Judgement:
    pairs = _pairs(results)
    passed = True
    for hlop, plain in pairs:
        is_better = hlop["bwt"] - plain["bwt"] >= 5 and hlop["acc"] - plain["acc"] >= 4
        passed = passed and is_better
    return _summary(pairs), passed


def _plastic(results: Results) -> Judgement:
    rounded = []
    passed = True
    for hlop, plain in _pairs(results):
        # Of the last task, after it has been learned.
        last_of_hlop = 100 * hlop["matrix"][-1][-1]
        last_of_plain = 100 * plain["matrix"][-1][-1]
        rounded.append([round(last_of_hlop, 2), round(last_of_plain, 2)])
        passed = passed and abs(last_of_hlop - last_of_plain) <= 1.5
    return rounded, passed


def _repeats(results: Results) -> Judgement:
    are_same = have_learned = True
    for name, result in results.items():
        if name.startswith("short-"):
            again = results[name.replace("short-", "again-")]
            # As text: NaN of tasks that were not tested equals no number.
            are_same = are_same and str(result["matrix"]) == str(again["matrix"])
            have_learned = have_learned and result["acc"] > 30
    return "identical" if are_same else "different", are_same and have_learned


def _large(results: Results) -> Judgement:
    pairs = _pairs(results)
    passed = True
    for hlop, plain in pairs:
        is_good = hlop["acc"] >= 90.5 and hlop["bwt"] >= -1.5
        is_better = plain["bwt"] <= -3.5 and hlop["acc"] - plain["acc"] >= 2.5
        passed = passed and is_good and is_better
    return _summary(pairs), passed


def checks(seeds: Sequence[int]) -> tuple[Check, ...]:
    """Return the checks over some seeds.

    Parameters
    ----------
    seeds : sequence of int
    """

    def of(*names: str) -> tuple[str, ...]:
        return tuple(f"{name}-{seed}" for name in names for seed in seeds)

    leaks = tuple(f"interference-{seed}" for seed in LEAK_SEEDS)
    rates = ("neuron_for_rates",)
    small = of("small-hlop", "small-plain")
    return (
        Check("U1", "2, 4, 7, 20, 20 spikes; rates 0.5685 to 6, to 1e-3", rates, _rates),
        Check("U2", "T sum w^2 / (sum w)^2: 1.08175 +- 1e-4", rates, _gain),
        Check("U3", "the same output with and without projection", ("gradients",), _forward),
        Check("U4", "gradient as plain one times I - H^T H, to 1e-5", ("gradients",), _gradient),
        Check("U5", "old rows: identical bits after a task", ("frozen",), _frozen),
        Check("P1", "alignment at least 0.99, H H^T - I at most 0.01", of("principal"), _principal),
        Check("P2", "two subspaces: smallest cosine at least 0.99", of("principal"), _second),
        Check("P3", "leak at most 0.02 (median), 1e-3 (all); 85 % kept", leaks, _leak),
        Check("P4", "too few rows: held variance within 0.01 of the best", of("few"), _few),
        Check("P5", "spiking: at least 0.80, 0.93, 0.97, 0.995", of("spiking"), _spiking),
        Check("S1", "ACC at least 94 %, BWT -1.5; task 1 loses 1.5", of("small-hlop"), _small),
        Check("S2", "plain: BWT 5 worse, ACC 4 lower, at least", small, _forgets),
        Check("S3", "last task alone within 1.5 points of plain", small, _plastic),
        Check("S4", "same seed, identical matrix", of("short", "again"), _repeats),
        Check(
            "S5",
            "BPTT: ACC 90.5, BWT -1.5; plain: BWT at most -3.5, ACC 2.5 lower",
            of("large-hlop", "large-plain"),
            _large,
        ),
    )


def full_course(_: str, name: str) -> Any:
    """Run a course of `neurosim.models.orthogonal_projection.full_runs`.

    Parameters
    ----------
    name : str
        Of the course.
    """
    # Imported here: torch is optional, and a list of models must not need it.
    from .full_runs import full_result

    return full_result(name)


def full() -> tuple[Experiments, tuple[Check, ...]]:
    """Return experiments and checks of full size: F1, F2 and F6."""
    names = {"F1": ["permuted dsr hlop"], "F2": [], "F6": []}
    for way in ("bptt", "ottt"):
        names["F2"] += [f"permuted {way} {strategy}" for strategy in ("hlop", "plain")]
    for feedback in ("random", "sign-concordant"):
        names["F6"] += [f"permuted bptt {feedback} {strategy}" for strategy in ("hlop", "plain")]
    courses = {name: partial(full_course, name=name) for name in itertools.chain(*names.values())}
    band = "ACC at least 94 %, BWT at least -3 %"
    return courses, (
        Check("F1", f"ten tasks, DSR: {band}", tuple(names["F1"]), _in_band),
        Check(
            "F2",
            f"BPTT, OTTT: {band}; plain: ACC 4 lower, BWT 5 worse",
            tuple(names["F2"]),
            _full_beside_plain,
        ),
        Check("F6", "random and sign-concordant: better BWT", tuple(names["F6"]), _feedback),
    )


def _in_band(results: Results) -> Judgement:
    measured = {
        name: {"acc": result["acc"], "bwt": result["bwt"]} for name, result in results.items()
    }
    passed = all(result["acc"] >= 94 and result["bwt"] >= -3 for result in results.values())
    return measured, passed


def _beside_plain(results: Results) -> list[tuple[Any, Any]]:
    """Return courses with projection beside those without, by their names."""
    return [
        (hlop, results[name.removesuffix("hlop") + "plain"])
        for name, hlop in results.items()
        if name.endswith("hlop")
    ]


def _full_beside_plain(results: Results) -> Judgement:
    with_projection = {name: result for name, result in results.items() if name.endswith("hlop")}
    _, passed = _in_band(with_projection)
    pairs = _beside_plain(results)
    for hlop, plain in pairs:
        is_better = hlop["acc"] - plain["acc"] >= 4 and hlop["bwt"] - plain["bwt"] >= 5
        passed = passed and is_better
    return _summary(pairs), passed


def _feedback(results: Results) -> Judgement:
    pairs = _beside_plain(results)
    return _summary(pairs), all(hlop["bwt"] > plain["bwt"] for hlop, plain in pairs)


EXPERIMENTS = experiments([0])
CHECKS = checks([0])
