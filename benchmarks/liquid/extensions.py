"""Accuracy of extensions of the liquid beside the liquid itself: 8000 training samples of MNIST.

Run with ``python -m benchmarks.liquid.extensions FOLDER --data DIR``. Each of twelve runs takes
about three minutes of processor time and is kept in FOLDER: the same command continues.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from neurosim.errors import NetworkError
from neurosim.models.astrocyte_liquid.demonstrate import demonstrate

from ..report import machine, write
from .accuracy import read_runs, summarise, table
from .rows import Row, parse_words

TASK = {"samples": 8000, "validation": 1000, "presentations": 5000}
# One value of each, chosen before any run: none was tuned on the result.
EXTENSIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "adaptation": {"adaptation": 2.0},
    "spread": {"spread": 0.5},
    "regions": {"regions": 2},
}
SEEDS = (0, 1, 2)


def run_missing(folder: Path) -> None:
    """Run what has no results in a folder yet.

    Parameters
    ----------
    folder : Path
    """
    for seed in SEEDS:
        for name, settings in EXTENSIONS.items():
            out = folder / f"{name}-{seed}"
            if not (out / "results.json").exists():
                print(out.name)
                demonstrate(seed=seed, out=out, **TASK, **settings)


def compare(runs: list[Row]) -> list[Row]:
    """Return for each extension how many points its test accuracy lies above the plain liquid's.

    Parameters
    ----------
    runs : rows
        As `read_runs` returns them, named after the extension and the seed.
    """
    score = {run["name"]: 100 * run["convex"]["test"] for run in runs}
    compared = []
    for name in EXTENSIONS:
        pairs = [
            score[f"{name}-{seed}"] - score[f"plain-{seed}"]
            for seed in SEEDS
            if {f"{name}-{seed}", f"plain-{seed}"} <= score.keys()
        ]
        if name != "plain" and pairs:
            # Of the same seed: the wiring and the order of images are equal.
            points = {"each": [round(p, 2) for p in pairs], "mean": float(np.mean(pairs))}
            compared.append({"extension": name, "points": points, "networks": len(pairs)})
    return compared


if __name__ == "__main__":
    words = parse_words(__doc__, folder=True)
    described = machine()
    try:
        run_missing(words.folder)
    except KeyboardInterrupt:
        print("stopped: the same command continues")
    finished = [run for run in read_runs(words.folder) if run["name"].split("-")[0] in EXTENSIONS]
    if not finished:
        raise NetworkError(
            f"folder {words.folder}: found no finished run, expected at least one. Run it again."
        )
    print(table(summarise(finished)))
    differences = compare(finished)
    for row in differences:
        print(f"{row['extension']}: {row['points']['mean']:+.2f} points {row['points']['each']}")
    write(
        words.out,
        "liquid_extensions",
        {
            "machine": described,
            "groups": summarise(finished),
            "differences": differences,
            "missing": len(EXTENSIONS) * len(SEEDS) - len(finished),
        },
    )
