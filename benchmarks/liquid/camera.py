"""Accuracy of the liquid on a subset of N-MNIST, by cross-validation, with its interval.

Run with ``python -m benchmarks.liquid.camera --data DIR``.
"""

from __future__ import annotations

from functools import partial

from neurosim.models.astrocyte_liquid.experiment import camera

from .rows import parse_words, run_missing

ASKED = 0.87

if __name__ == "__main__":
    words = parse_words(__doc__, seeds=1)
    jobs = [
        ({"dataset": "nmnist", "seed": seed}, partial(camera, "cpu", seed=seed))
        for seed in range(words.seeds)
    ]
    for row in run_missing(words.out / "liquid_camera.json", jobs, title="recordings"):
        low, high = (100 * end for end in row["interval"])
        outcome = "reached" if row["accuracy"] >= ASKED else "missed"
        share = 100 * row["accuracy"]
        print(f"seed {row['seed']}: {share:.1f} % ({low:.1f}-{high:.1f}), asked 87 %: {outcome}")
