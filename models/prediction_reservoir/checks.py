"""Acceptance checks B1 to B18, judged from results of the experiments over several seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from neurosim.cli.catalogue import Check, Judgement

from .comparators import least_squares, merged, noisy, without_feedback, without_gate
from .experiment import acquisition, probability_scan, subspaces, switches

Results = Mapping[str, Any]
SEEDS = range(5)  # over these the specification states its bounds


def experiments(seeds: Sequence[int]) -> Mapping[str, Callable[[str], Any]]:
    """Return the experiments of the checks over some seeds, by name and seed.

    Parameters
    ----------
    seeds : sequence of int
        Comparators that are reported but not judged run for the first three of them.
    """
    # The first seed runs again, which shows whether results repeat.
    runs = (
        ("least-squares", least_squares, seeds),
        ("scan", probability_scan, seeds),
        ("subspaces", subspaces, seeds),
        ("switches", switches, seeds),
        ("noisy", noisy, seeds),
        ("open-loop", without_feedback, seeds),
        ("merged", merged, seeds[:3]),
        ("ungated", without_gate, seeds[:3]),
        ("acquisition", acquisition, seeds),
        ("again", acquisition, seeds[:1]),
    )
    # Partials of functions of a module: experiments run in processes, to which lambdas cannot be
    # sent.
    return {f"{name}-{seed}": partial(run, seed=seed) for name, run, some in runs for seed in some}


def _all(results: Results, name: str) -> list[Any]:
    # Names hold hyphens themselves, so only the last one separates the seed.
    keys = [key for key in sorted(results) if key.rsplit("-", 1)[0] == name]
    return [results[key] for key in keys]


def _errors(
    results: Results,
    name: str,
    trials: tuple[int, ...],
    *,
    over: slice = slice(None),
) -> np.ndarray:
    """Return errors after some trials of some blocks, (seeds, blocks, trials)."""
    errors = []
    for run in _all(results, name):
        # Errors are listed by test, and tests are made after some trials only.
        tests = [run["tested"].index(trial) for trial in trials]
        blocks = run["blocks"][over]
        errors.append([[block["errors"][test] for test in tests] for block in blocks])
    return np.array(errors)


def _mean(values: Any) -> Any:
    return np.round(np.mean(values, axis=0), 3).tolist()


def _activity(results: Results) -> Judgement:
    runs = _all(results, "acquisition")
    names = ("excitatory", "inhibitory", "silent")
    rates = {name: _mean([run[name] for run in runs]) for name in names}
    # The extreme of all seeds: a mean would hide one reservoir that runs away.
    fastest = max(run["fastest"] for run in runs)
    rates["fastest"] = round(fastest, 3)
    moderate = 5 <= rates["excitatory"] <= 15 and 8 <= rates["inhibitory"] <= 20
    return rates, moderate and rates["silent"] < 0.05 and rates["fastest"] < 120


def _dale(results: Results) -> Judgement:
    runs = _all(results, "switches")
    signs = all(run["dale"] for run in runs)
    unchanged = all(run["unchanged"] for run in runs)
    return {"signs": signs, "unchanged": unchanged}, signs and unchanged


def _repeats(results: Results) -> Judgement:
    # Two processes on purpose: nothing that one remembers can make the results equal.
    (again,) = (name for name in results if name.startswith("again-"))
    same = results[again.replace("again", "acquisition")] == results[again]
    return "identical" if same else "different", same


def _learning(results: Results, limits: Mapping[int, float]) -> Judgement:
    ratios: dict[int, list[float]] = {t: [] for t in limits}
    for run in _all(results, "acquisition"):
        errors = run["errors"]
        for t in limits:
            test = run["tested"].index(t)
            # Ratios within a seed: reservoirs differ in how well they begin.
            ratios[t].append(errors[test] / errors[0])
    means = {f"E({t})/E(1)": _mean(ratios[t]) for t in limits}
    pairs = zip(means.values(), limits.values(), strict=True)
    return means, all(value <= limit for value, limit in pairs)


def _peaks(results: Results) -> Judgement:
    # Sizes before the mean: peaks that come early must not make up for late ones.
    sizes = [np.abs(run["timing"]) for run in _all(results, "acquisition")]
    a, b = _mean(sizes)
    return {"A, p 0.8": a, "B, p 0.2": b}, a <= 20 and b <= 40


def _switching(results: Results) -> Judgement:
    # From the second block on: the first follows no switch.
    errors = _errors(results, "switches", (35, 100), over=slice(1, None)).mean(axis=0)
    early, late = errors.T
    runs = _all(results, "switches")
    before = [[block["before"] for block in run["blocks"][1:]] for run in runs]
    measured = {
        "before": _mean(before),
        "E(35)": np.round(early, 3).tolist(),
        "E(100)": np.round(late, 3).tolist(),
    }
    return measured, bool((early <= 0.5).all() and (late <= 0.45).all())


def _peaks_of_blocks(results: Results) -> Judgement:
    likely = ((0,), (0,), (1,), (0, 1))  # channels with p of at least one half
    # A peak of an event that rarely comes is too low to be timed well.
    worst = {}
    for name in sorted(results):
        seed = name.rsplit("-", 1)[1]
        blocks = zip(results[name]["blocks"], likely, strict=True)
        worst[seed] = [max(abs(block["timing"][k]) for k in which) for block, which in blocks]
    largest = np.max(list(worst.values()))
    return worst, bool(largest <= 40)


def _drift(results: Results) -> Judgement:
    errors = _errors(results, "switches", (100,))[:, :, 0].mean(axis=0)
    first = errors[0]
    last = errors[3]
    # The bound has a constant, since twice a very small first error would be a very strict one.
    holds = bool(last <= 2 * first + 0.1)
    return {"block 1": round(first, 3), "block 4": round(last, 3)}, holds


def _amplitude_a(results: Results) -> Judgement:
    r = _mean([r["r_a"] for r in _all(results, "scan")])
    return r, r >= 0.95


def _amplitude_b(results: Results) -> Judgement:
    r, y = _mean([[r["r_b"], r["r_what_b"]] for r in _all(results, "scan")])
    return {"amplitude": r, "what alone": y}, r <= -0.90 and y <= -0.95


def _components(results: Results) -> Judgement:
    runs = _all(results, "subspaces")
    p, latency, *variance = _mean([[run["p"], run["latency"], *run["variance"]] for run in runs])
    # Shares of the variance are reported alone: the specification bounds the correlations.
    measured = {"p": p, "latency": latency, "variance": variance}
    return measured, p >= 0.85 and latency >= 0.85


def _directions(results: Results) -> Judgement:
    angle = _mean([r["angle"] for r in _all(results, "subspaces")])
    return angle, angle >= 75


def _separation(results: Results) -> Judgement:
    runs = _all(results, "switches")
    angles = np.array([[block["angles"] for block in run["blocks"]] for run in runs])
    # The worst block of each seed: subspaces must stay apart all the time.
    smaller, larger = angles.min(axis=1).T
    measured = {"smaller": _mean(smaller), "larger": _mean(larger)}
    return measured, bool(smaller.mean() >= 65)


def _relearning(results: Results) -> Judgement:
    names = {
        "local": "switches",
        "least squares": "least-squares",
        "merged": "merged",
        "without gate": "ungated",
    }
    errors = {}
    for label, name in names.items():
        # Comparators that are not judged ran for some seeds only.
        if _all(results, name):
            last_block = _errors(results, name, (10, 20), over=slice(3, 4))[:, 0]
            errors[label] = np.round(last_block.mean(axis=0), 3).tolist()
    pairs = zip(errors["local"], errors["least squares"], strict=True)
    return errors, all(local < squares for local, squares in pairs)


def _first_trial(results: Results) -> Judgement:
    names = {"local": "switches", "least squares": "least-squares"}
    errors = {}
    for label, name in names.items():
        first = _errors(results, name, (1,), over=slice(0, 1))
        errors[label] = round(float(first.mean()), 3)
    return errors, errors["least squares"] < errors["local"]


def _noise(results: Results) -> Judgement:
    by_block = _errors(results, "noisy", (100,))[:, :, 0].mean(axis=0)
    errors = np.round(by_block, 3).tolist()
    # The same limit as with the usual noise, of which it is three times as much.
    return errors, max(errors) <= 0.45


def _loop(results: Results) -> Judgement:
    late = (20, 35, 50, 75, 100)
    # Late trials of blocks after a switch, when learning has settled.
    with_feedback = _errors(results, "switches", late, over=slice(1, None))
    without = _errors(results, "open-loop", late, over=slice(1, None))
    closed = float(with_feedback.mean())
    opened = float(without.mean())
    measured = {
        "with feedback": round(closed, 3),
        "without": round(opened, 3),
        "ratio": round(opened / closed, 3),
    }
    return measured, opened >= 1.5 * closed


@dataclass(frozen=True)
class _Statement:
    """A check over any seeds; ``needs`` names experiments without their seeds."""

    id: str
    expected: str
    judge: Callable[[Results], Judgement]
    needs: tuple[str, ...]

    def over(self, seeds: Sequence[int]) -> Check:
        names = tuple(key for key in experiments(seeds) if key.rsplit("-", 1)[0] in self.needs)
        which = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {_show(seeds)}"
        # The seeds belong to the statement: a bound of a mean says nothing without them.
        expected = f"{self.expected} ({which})"
        return Check(self.id, expected, names, self.judge)


def _show(seeds: Sequence[int]) -> str:
    if list(seeds) == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds))


def _check(
    id: str,
    expected: str,
    judge: Callable[[Results], Judgement],
    *needs: str,
) -> _Statement:
    return _Statement(id, expected, judge, needs)


_STATEMENTS = (
    _check(
        "B1",
        "cue-only activity: excitatory 5-15 Hz, inhibitory 8-20 Hz, < 5 % silent, none above 120 "
        "Hz",
        _activity,
        "acquisition",
    ),
    _check(
        "B2", "Dale's law holds and recurrent weights do not change, exactly", _dale, "switches"
    ),
    _check("B3", "same seed, identical output", _repeats, "acquisition", "again"),
    _check("B4", "X1: E(100)/E(1) <= 0.44", partial(_learning, limits={100: 0.44}), "acquisition"),
    _check(
        "B5",
        "X1: E(10)/E(1) <= 0.80 and E(50)/E(1) <= 0.48",
        partial(_learning, limits={10: 0.80, 50: 0.48}),
        "acquisition",
    ),
    _check(
        "B6",
        "X1: peak timing error at trial 100 <= 20 ms (p >= 0.5) and <= 40 ms (p = 0.2)",
        _peaks,
        "acquisition",
    ),
    _check("B7", "X2: after each switch E(35) <= 0.5 and E(100) <= 0.45", _switching, "switches"),
    _check(
        "B8",
        "X2: peak timing error of channels with p >= 0.5 <= 40 ms after each block, every seed",
        _peaks_of_blocks,
        "switches",
    ),
    _check("B9", "X2: E(100) of block 4 <= 2 x E(100) of block 1 + 0.1", _drift, "switches"),
    _check("B10", "X3: Pearson r of the A amplitude with p_A >= 0.95", _amplitude_a, "scan"),
    _check(
        "B11",
        "X3: Pearson r of the B amplitude <= -0.90, of the what readout alone <= -0.95",
        _amplitude_b,
        "scan",
    ),
    _check(
        "B12",
        "X4: one of PC1, PC2 correlates with p_A, the other with t_A, both >= 0.85",
        _components,
        "subspaces",
    ),
    _check(
        "B13",
        "X4: angle between the directions of p_A and t_A >= 75 degrees",
        _directions,
        "subspaces",
    ),
    _check(
        "B14", "X2: principal angles between what and when >= 65 degrees", _separation, "switches"
    ),
    _check(
        "B15",
        "X5: E(10) and E(20) after the third switch below those of least squares",
        _relearning,
        "switches",
        "least-squares",
        "merged",
        "ungated",
    ),
    _check(
        "B16",
        "X5: least squares is better than the local rule after the first trial",
        _first_trial,
        "switches",
        "least-squares",
    ),
    _check("B17", "X2 with noise 0.3: E(100) <= 0.45 in each block", _noise, "noisy"),
    _check(
        "B18",
        "X5: without feedback the error over trials 20-100 of blocks 2-4 is at least 1.5 times as "
        "large",
        _loop,
        "switches",
        "open-loop",
    ),
)


def checks(seeds: Sequence[int]) -> tuple[Check, ...]:
    """Return the checks B1 to B18 over some seeds.

    Parameters
    ----------
    seeds : sequence of int
        Bounds hold for the mean over them, unless they say "every seed" or "none".
    """
    return tuple(statement.over(seeds) for statement in _STATEMENTS)


EXPERIMENTS = experiments(SEEDS)
CHECKS = checks(SEEDS)
