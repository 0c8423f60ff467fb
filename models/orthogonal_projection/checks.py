"""Acceptance checks U1 to U5, P1 to P5 and S1 to S5, judged from results of the experiments."""

from __future__ import annotations

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
    rounded = {name: round(r["alignment"]["100"], 4) for name, r in results.items()}
    passed = all(r["alignment"]["100"] >= 0.99 and r["deviation"] <= 0.01 for r in results.values())
    return rounded, passed


def _second(results: Results) -> Judgement:
    rounded = {name: round(r["smallest cosine"], 4) for name, r in results.items()}
    passed = all(
        r["smallest cosine"] >= 0.99 and r["deviation of both"] <= 0.01 and r["overlap"] <= 0.01
        for r in results.values()
    )
    return rounded, passed


def _leak(results: Results) -> Judgement:
    early = float(np.median([r["leak"]["100"] for r in results.values()]))
    late = max(r["leak"]["500"] for r in results.values())
    kept_share = min(r["kept"] for r in results.values())
    measured = {"median after 100": early, "worst after 500": late, "kept": round(kept_share, 3)}
    return measured, early <= 0.02 and late <= 1e-3 and kept_share >= 0.85


def _few(results: Results) -> Judgement:
    gaps = [abs(r["held"] - r["optimal"]) for r in results.values()]
    held = [round(r["held"], 4) for r in results.values()]
    return held, max(gaps) <= 0.01


def _spiking(results: Results) -> Judgement:
    least = {"10": 0.80, "20": 0.93, "40": 0.97, "1000": 0.995}
    passed = True
    for result in results.values():
        values = [result["alignment"][levels] for levels in least]
        high = all(v >= bound for v, bound in zip(values, least.values(), strict=True))
        passed = passed and high and values == sorted(values)
    rounded = [[round(v, 3) for v in r["alignment"].values()] for r in results.values()]
    return rounded, passed


def _pairs(results: Results) -> list[tuple[Any, Any]]:
    """Return results with projection beside those without, seed by seed."""
    names = [name for name in results if "-hlop-" in name]
    return [(results[n], results[n.replace("-hlop-", "-plain-")]) for n in names]


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
        rows.append({n: round(result[n], 2) for n in ("acc", "bwt")} | {"lost": round(lost, 2)})
        passed = passed and result["acc"] >= 94.0 and result["bwt"] >= -1.5 and lost <= 1.5
    return rows, passed


def _forgets(results: Results) -> Judgement:
    pairs = _pairs(results)
    passed = all(h["bwt"] - p["bwt"] >= 5 and h["acc"] - p["acc"] >= 4 for h, p in pairs)
    return _summary(pairs), passed


def _plastic(results: Results) -> Judgement:
    lasts = [[100 * r["matrix"][-1][-1] for r in pair] for pair in _pairs(results)]
    rounded = [[round(value, 2) for value in pair] for pair in lasts]
    return rounded, all(abs(hlop - plain) <= 1.5 for hlop, plain in lasts)


def _repeats(results: Results) -> Judgement:
    names = [name for name in results if name.startswith("short-")]
    pairs = [(results[n], results[n.replace("short-", "again-")]) for n in names]
    # As text: NaN of tasks that were not tested equals no number.
    same = all(str(a["matrix"]) == str(b["matrix"]) for a, b in pairs)
    learned = all(a["acc"] > 30 for a, _ in pairs)
    return "identical" if same else "different", same and learned


def _large(results: Results) -> Judgement:
    pairs = _pairs(results)
    passed = all(
        h["acc"] >= 90.5 and h["bwt"] >= -1.5 and p["bwt"] <= -3.5 and h["acc"] - p["acc"] >= 2.5
        for h, p in pairs
    )
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
    names = {
        "F1": ["permuted dsr hlop"],
        "F2": [f"permuted {way} {s}" for way in ("bptt", "ottt") for s in ("hlop", "plain")],
        "F6": [
            f"permuted bptt {feedback} {s}"
            for feedback in ("random", "sign-concordant")
            for s in ("hlop", "plain")
        ],
    }
    courses = {n: partial(full_course, name=n) for needs in names.values() for n in needs}
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
    passed = all(r["acc"] >= 94 and r["bwt"] >= -3 for r in results.values())
    return {name: {"acc": r["acc"], "bwt": r["bwt"]} for name, r in results.items()}, passed


def _beside_plain(results: Results) -> list[tuple[Any, Any]]:
    names = [name for name in results if name.endswith("hlop")]
    return [(results[n], results[n.removesuffix("hlop") + "plain"]) for n in names]


def _full_beside_plain(results: Results) -> Judgement:
    hlop = {name: r for name, r in results.items() if name.endswith("hlop")}
    _, passed = _in_band(hlop)
    pairs = _beside_plain(results)
    apart = all(h["acc"] - p["acc"] >= 4 and h["bwt"] - p["bwt"] >= 5 for h, p in pairs)
    return _summary(pairs), passed and apart


def _feedback(results: Results) -> Judgement:
    pairs = _beside_plain(results)
    return _summary(pairs), all(h["bwt"] > p["bwt"] for h, p in pairs)


EXPERIMENTS = experiments([0])
CHECKS = checks([0])
