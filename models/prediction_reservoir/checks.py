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
    # Partials of functions of a module: experiments run in processes, to which lambdas cannot be
    # sent.
    return {
        f"{name}-{seed}": partial(run, seed=seed)
        for name, run, some in (
            ("least-squares", least_squares, seeds),
            ("scan", probability_scan, seeds),
            ("subspaces", subspaces, seeds),
            ("switches", switches, seeds),
            ("noisy", noisy, seeds),
            ("open-loop", without_feedback, seeds),
            ("merged", merged, seeds[:3]),
            ("ungated", without_gate, seeds[:3]),
            ("acquisition", acquisition, seeds),
        )
        for seed in some
    } | {f"again-{seeds[0]}": partial(acquisition, seed=seeds[0])}


def _all(results: Results, name: str) -> list[Any]:
    return [results[key] for key in sorted(results) if key.rsplit("-", 1)[0] == name]


def _errors(
    results: Results, name: str, trials: tuple[int, ...], *, over: slice = slice(None)
) -> np.ndarray:
    """Return errors after some trials of some blocks, (seeds, blocks, trials)."""
    return np.array(
        [
            [[block["errors"][r["tested"].index(t)] for t in trials] for block in r["blocks"][over]]
            for r in _all(results, name)
        ]
    )


def _mean(values: Any) -> Any:
    return np.round(np.mean(values, axis=0), 3).tolist()


def _activity(results: Results) -> Judgement:
    rates = {
        k: _mean([r[k] for r in _all(results, "acquisition")])
        for k in ("excitatory", "inhibitory", "silent")
    }
    # The extreme of all seeds: a mean would hide one reservoir that runs away.
    rates["fastest"] = round(max(r["fastest"] for r in _all(results, "acquisition")), 3)
    moderate = 5 <= rates["excitatory"] <= 15 and 8 <= rates["inhibitory"] <= 20
    return rates, moderate and rates["silent"] < 0.05 and rates["fastest"] < 120


def _dale(results: Results) -> Judgement:
    runs = _all(results, "switches")
    holds = {"signs": all(r["dale"] for r in runs), "unchanged": all(r["unchanged"] for r in runs)}
    return holds, all(holds.values())


def _repeats(results: Results) -> Judgement:
    # Two processes on purpose: nothing that one remembers can make the results equal.
    (again,) = (name for name in results if name.startswith("again-"))
    same = results[again.replace("again", "acquisition")] == results[again]
    return "identical" if same else "different", same


def _learning(results: Results, limits: Mapping[int, float]) -> Judgement:
    ratios: dict[int, list[float]] = {t: [] for t in limits}
    for r in _all(results, "acquisition"):
        for t in limits:
            # Ratios within a seed: reservoirs differ in how well they begin.
            ratios[t].append(r["errors"][r["tested"].index(t)] / r["errors"][0])
    means = {f"E({t})/E(1)": _mean(ratios[t]) for t in limits}
    return means, all(
        value <= limit for value, limit in zip(means.values(), limits.values(), strict=True)
    )


def _peaks(results: Results) -> Judgement:
    a, b = _mean([np.abs(r["timing"]) for r in _all(results, "acquisition")])
    return {"A, p 0.8": a, "B, p 0.2": b}, a <= 20 and b <= 40


def _switching(results: Results) -> Judgement:
    # From the second block on: the first follows no switch.
    errors = _errors(results, "switches", (35, 100), over=slice(1, None)).mean(axis=0)
    before = _mean(
        [[block["before"] for block in r["blocks"][1:]] for r in _all(results, "switches")]
    )
    measured = {
        "before": before,
        "E(35)": np.round(errors[:, 0], 3).tolist(),
        "E(100)": np.round(errors[:, 1], 3).tolist(),
    }
    return measured, bool((errors[:, 0] <= 0.5).all() and (errors[:, 1] <= 0.45).all())


def _peaks_of_blocks(results: Results) -> Judgement:
    likely = ((0,), (0,), (1,), (0, 1))  # channels with p of at least one half
    # A peak of an event that rarely comes is too low to be timed well.
    worst = {
        name.rsplit("-", 1)[1]: [
            max(abs(block["timing"][k]) for k in which)
            for block, which in zip(results[name]["blocks"], likely, strict=True)
        ]
        for name in sorted(results)
    }
    return worst, bool(np.max(list(worst.values())) <= 40)


def _drift(results: Results) -> Judgement:
    errors = _errors(results, "switches", (100,))[:, :, 0].mean(axis=0)
    return {"block 1": round(errors[0], 3), "block 4": round(errors[3], 3)}, bool(
        errors[3] <= 2 * errors[0] + 0.1
    )


def _amplitude_a(results: Results) -> Judgement:
    r = _mean([r["r_a"] for r in _all(results, "scan")])
    return r, r >= 0.95


def _amplitude_b(results: Results) -> Judgement:
    r, y = _mean([[r["r_b"], r["r_what_b"]] for r in _all(results, "scan")])
    return {"amplitude": r, "what alone": y}, r <= -0.90 and y <= -0.95


def _components(results: Results) -> Judgement:
    p, latency, *variance = _mean(
        [[r["p"], r["latency"], *r["variance"]] for r in _all(results, "subspaces")]
    )
    return {"p": p, "latency": latency, "variance": variance}, p >= 0.85 and latency >= 0.85


def _directions(results: Results) -> Judgement:
    angle = _mean([r["angle"] for r in _all(results, "subspaces")])
    return angle, angle >= 75


def _separation(results: Results) -> Judgement:
    # The worst block of each seed: subspaces must stay apart all the time.
    angles = np.array(
        [[block["angles"] for block in r["blocks"]] for r in _all(results, "switches")]
    ).min(axis=1)
    return {"smaller": _mean(angles[:, 0]), "larger": _mean(angles[:, 1])}, bool(
        angles[:, 0].mean() >= 65
    )


def _relearning(results: Results) -> Judgement:
    names = {
        "local": "switches",
        "least squares": "least-squares",
        "merged": "merged",
        "without gate": "ungated",
    }
    errors = {
        label: np.round(
            _errors(results, name, (10, 20), over=slice(3, 4))[:, 0].mean(axis=0), 3
        ).tolist()
        for label, name in names.items()
        if _all(results, name)
    }
    return errors, all(a < b for a, b in zip(errors["local"], errors["least squares"], strict=True))


def _first_trial(results: Results) -> Judgement:
    names = {"local": "switches", "least squares": "least-squares"}
    errors = {
        label: round(float(_errors(results, name, (1,), over=slice(0, 1)).mean()), 3)
        for label, name in names.items()
    }
    return errors, errors["least squares"] < errors["local"]


def _noise(results: Results) -> Judgement:
    # The same limit as with the usual noise, of which it is three times as much.
    errors = np.round(_errors(results, "noisy", (100,))[:, :, 0].mean(axis=0), 3).tolist()
    return errors, max(errors) <= 0.45


def _loop(results: Results) -> Judgement:
    late = (20, 35, 50, 75, 100)
    # Late trials of blocks after a switch, when learning has settled.
    closed, opened = (
        float(_errors(results, name, late, over=slice(1, None)).mean())
        for name in ("switches", "open-loop")
    )
    return {
        "with feedback": round(closed, 3),
        "without": round(opened, 3),
        "ratio": round(opened / closed, 3),
    }, opened >= 1.5 * closed


@dataclass(frozen=True)
class _Statement:
    """A check over any seeds; ``needs`` names experiments without their seeds."""

    id: str
    expected: str
    judge: Callable[[Results], Judgement]
    needs: tuple[str, ...]

    def over(self, seeds: Sequence[int]) -> Check:
        names = (key for key in experiments(seeds) if key.rsplit("-", 1)[0] in self.needs)
        which = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {_show(seeds)}"
        return Check(self.id, f"{self.expected} ({which})", tuple(names), self.judge)


def _show(seeds: Sequence[int]) -> str:
    if list(seeds) == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds))


def _check(
    id: str, expected: str, judge: Callable[[Results], Judgement], *needs: str
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
