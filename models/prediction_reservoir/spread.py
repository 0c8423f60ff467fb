"""Means and spread of the checks over seeds, and the seeds over which each of them holds.

Run with ``python -m neurosim.models.prediction_reservoir.spread --seeds 100-109 --results DIR``.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from neurosim.cli.catalogue import Check, Judgement, read_seeds
from neurosim.cli.verification import plain_data
from neurosim.distribution import DISTRIBUTION
from neurosim.recording.files import write_json

from .checks import checks, experiments


def main(words: Sequence[str] | None = None) -> None:
    """Run experiments that have no result yet, one after another, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="100-109", metavar="100-109")
    parser.add_argument("--results", type=Path, required=True, metavar="DIR", help="one file each")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="figures as JSON")
    parser.add_argument("--held", action="store_true", help="judge the results that are there")
    options = parser.parse_args(words)
    options.results.mkdir(parents=True, exist_ok=True)
    seeds = read_seeds(options.seeds)
    seconds: dict[str, float] = {}
    for name, run in experiments(seeds).items():
        path = options.results / f"{name}.json"
        if not path.exists() and not options.held:
            began = time.perf_counter()
            result = plain_data(run("cpu"))
            seconds[name] = round(time.perf_counter() - began, 1)
            write_json(path, result)
            print(f"{name}: {seconds[name]} s", flush=True)
    results = {p.stem: json.loads(p.read_text()) for p in options.results.glob("*.json")}
    figures = {
        "seeds": options.seeds,
        "versions": {name: version(name) for name in (DISTRIBUTION, "numpy", "numba")},
        "machine": platform.machine(),
        "seconds": seconds,
        "checks": summarise(results, seeds),
    }
    write_json(options.out, figures)
    print(options.out)


def summarise(results: Mapping[str, Any], seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Return a row per check: its verdict over all seeds, and the spread over single ones.

    Parameters
    ----------
    results : experiment and seed -> result
    seeds : sequence of int

    Returns
    -------
    list of {id, expected, measured, pass, seeds, misses, spread}
        ``seeds``: those with results. ``misses``: seeds that alone miss the check. ``spread``: of
        each figure the mean, standard deviation, least and largest value over single seeds.
    """
    rows: list[dict[str, Any]] = []
    by_seed = [checks((seed,)) for seed in seeds]
    for number, alone in enumerate(zip(*by_seed, strict=True)):
        singles = dict(zip(seeds, alone, strict=True))
        judged = [seed for seed in seeds if _has(results, singles[seed], seed)]
        # A mean over no seed would pass or fail for no reason.
        if not judged:
            continue
        check = checks(judged)[number]
        measured, passed = _judge(check, results)
        single = {seed: _judge(singles[seed], results) for seed in judged}
        rows.append(
            {
                "id": check.id,
                "expected": check.expected,
                "measured": plain_data(measured),
                "pass": bool(passed),
                "seeds": judged,
                "misses": [seed for seed, (_, holds) in single.items() if not holds],
                "spread": _spread([_figures(figures) for figures, _ in single.values()]),
            }
        )
    return rows


def _judge(check: Check, results: Mapping[str, Any]) -> Judgement:
    """Return the judgement of a check from those of its results that are there."""
    needed = {name: results[name] for name in check.needs if name in results}
    return check.judge(needed)


def _has(results: Mapping[str, Any], check: Check, seed: int) -> bool:
    """Return whether all results are there that decide about a check over one seed."""
    optional = {f"merged-{seed}", f"ungated-{seed}"}  # reported beside, for the first seeds alone
    return results.keys() >= set(check.needs) - optional


def _figures(measured: Any, name: str = "") -> dict[str, float]:
    """Return the numbers of a judgement by where they stand."""
    if isinstance(measured, Mapping):
        parts = measured.items()
    elif isinstance(measured, list | tuple):
        parts = enumerate(measured, start=1)
    else:
        number = isinstance(measured, float | int) and not isinstance(measured, bool)
        return {name or "value": float(measured)} if number else {}
    figures: dict[str, float] = {}
    for key, part in parts:
        # A seed names the figures of a single one.
        label = "" if str(key).isdecimal() and isinstance(part, list) else str(key)
        figures |= _figures(part, f"{name} {label}".strip())
    return figures


def _spread(figures: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    names = dict.fromkeys(name for values in figures for name in values)
    spread: dict[str, dict[str, float]] = {}
    measures: dict[str, Callable[[np.ndarray], Any]] = {
        "mean": np.mean,
        "sd": lambda values: np.std(values, ddof=1) if values.size > 1 else 0.0,
        "least": np.min,
        "largest": np.max,
    }
    for name in names:
        values = np.array([held[name] for held in figures if name in held])
        spread[name] = {key: round(float(f(values)), 4) for key, f in measures.items()}
    return spread


if __name__ == "__main__":
    main()
