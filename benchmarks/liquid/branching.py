"""Branching factors of static and of organised liquids beside the published ones (checks F6, S2).

Run with ``python -m benchmarks.liquid.branching --data DIR``. After 500 presentations the branching
factor has settled, so liquids organise themselves with as many and not with 50 000.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from neurosim.models.astrocyte_liquid.experiment import homeostasis, static_branching
from neurosim.models.astrocyte_liquid.published import BRANCHING, BRANCHING_STATIC

from ..report import table
from .rows import Job, Row, parse_words, run_missing

NETWORKS = 3
MARGIN = 0.05  # by which the published range is widened
WATCHED = (0.6, 0.8)  # weights of check S2 that are measured over more networks


def jobs(seeds: int) -> list[Job]:
    """Return the questions: all gains and weights for 3 networks, two weights for more.

    Parameters
    ----------
    seeds : int
        Networks of the two weights.
    """
    asked: list[Job] = []
    for seed in range(NETWORKS):
        for gain in BRANCHING:
            run = partial(homeostasis, "cpu", gain=gain, seed=seed)
            asked.append(({"variant": "astrocyte", "gain": gain, "seed": seed}, run))
    for seed in range(max(seeds, NETWORKS)):
        for weight in BRANCHING_STATIC if seed < NETWORKS else WATCHED:
            question = {"variant": "static", "weight": weight, "seed": seed}
            asked.append((question, partial(_static, weight=weight, seed=seed)))
    return asked


def compare(rows: list[Row]) -> list[Row]:
    """Return the mean of the first three networks at each gain and weight beside the published.

    Parameters
    ----------
    rows : list of row
    """
    compared = []
    for variant, name, published in (
        ("astrocyte", "gain", BRANCHING),
        ("static", "weight", BRANCHING_STATIC),
    ):
        for value, (mean, least, largest) in published.items():
            factors = _factors(rows, variant, name, value)[:NETWORKS]
            if not factors:
                continue
            ours = float(np.mean(factors))
            inside = least - MARGIN <= ours <= largest + MARGIN
            compared.append(
                {
                    "variant": variant,
                    name: value,
                    "mean": ours,
                    "networks": len(factors),
                    "published": mean,
                    "range": [least, largest],
                    "inside": inside,
                }
            )
    return compared


def statistics(rows: list[Row]) -> list[Row]:
    """Return mean, deviation and standard error of static liquids over all their networks.

    Parameters
    ----------
    rows : list of row
    """
    summaries = []
    for weight in WATCHED:
        factors = _factors(rows, "static", "weight", weight)
        if len(factors) < 2:
            continue
        deviation = float(np.std(factors, ddof=1))
        summaries.append(
            {
                "weight": weight,
                "networks": len(factors),
                "mean": float(np.mean(factors)),
                "deviation": deviation,
                "standard error": deviation / len(factors) ** 0.5,
                "first three": float(np.mean(factors[:NETWORKS])),
                "published": BRANCHING_STATIC[weight][0],
            }
        )
    return summaries


def _factors(rows: list[Row], variant: str, name: str, value: float) -> list[float]:
    """Return branching factors in the order of seeds."""
    chosen = [row for row in rows if row["variant"] == variant and row.get(name) == value]
    return [row["branching"] for row in sorted(chosen, key=lambda row: row["seed"])]


def _static(weight: float, seed: int) -> Row:
    (factor,) = static_branching("cpu", seed=seed, weights=[weight]).values()
    return {"branching": factor}


def _print(rows: list[Row]) -> None:
    lines = []
    for row in compare(rows):
        setting = f"gain {row['gain']:g}" if "gain" in row else f"weight {row['weight']:g}"
        low, high = row["range"]
        verdict = "inside" if row["inside"] else "outside"
        lines.append(
            [setting, f"{row['mean']:.3f}", f"{row['published']:.3f}", f"{low}-{high}", verdict]
        )
    print(table(["", "ours", "published", "its range", f"+- {MARGIN}"], lines))
    spread = [
        [
            f"weight {row['weight']:g}",
            row["networks"],
            f"{row['mean']:.3f}",
            f"{row['deviation']:.3f}",
            f"{row['standard error']:.3f}",
            f"{row['first three']:.3f}",
            f"{row['published']:.3f}",
        ]
        for row in statistics(rows)
    ]
    heads = ["", "networks", "mean", "deviation", "error", "first three", "published"]
    print("\n" + table(heads, spread))


if __name__ == "__main__":
    words = parse_words(__doc__, seeds=20)
    path = words.out / "liquid_branching.json"
    _print(run_missing(path, jobs(words.seeds), title="branching factors"))
