"""Trials of the models: the prediction reservoir with learning, the plastic liquid.

Run with ``python -m benchmarks.trials``.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np

from neurosim.models.astrocyte_liquid import Liquid
from neurosim.models.prediction_reservoir.network import Settings
from neurosim.models.prediction_reservoir.trials import Learner, Truth

from .report import held, machine, options, spread, verdicts, write

TRIAL, SAMPLE = 30.0, 25.0  # ms at most, of the prediction reservoir, and of the liquid per core
IMAGES = 20  # shown at once
# Events per ms of an image, as of all of MNIST's test images (authors' scaling, measured on them).
DRIVE = 22.04


def main() -> None:
    """Measure, print and write."""
    chosen = options(__doc__, repetitions=25)
    described = machine()
    values = [prediction(chosen.repetitions), *liquid(chosen.repetitions)]
    print(
        "\n".join(f"{name}: {value}" for name, value in described.items()),
        "",
        verdicts(values),
        sep="\n",
    )
    write(chosen.out, "trials", {"machine": described, "measures": values})


def prediction(repetitions: int) -> dict[str, Any]:
    """Return what a trial of the prediction reservoir takes."""
    settings = Settings()
    learner, wall = Learner("cpu", settings=settings, seed=0), []
    for trial in range(repetitions + 1):
        began = perf_counter()
        learner.train(Truth(0.8), trial % 2)
        wall.append((perf_counter() - began) * 1000)
    if not any(weights.any() for weights in learner.weights()):
        raise SystemExit(
            "prediction reservoir: no weight has changed, so no trial with learning was measured."
        )
    took = spread(wall[1:])
    return held(
        f"prediction reservoir: a trial of {settings.trial:g} ms with learning",
        took["median"],
        TRIAL,
        unit="ms",
        spread=took,
    )


def liquid(repetitions: int) -> list[dict[str, Any]]:
    """Return what a sample of 250 ms takes of one core, one after another and two side by side,
    after a hundred presentations.
    """
    rng = np.random.default_rng(0)
    images = [DRIVE * image / image.sum() for image in rng.random((100, 784)) ** 4]
    open_liquid = Liquid(seed=0, threads=1)
    open_liquid.self_organise(images)
    counts, wall = {}, {1: [], 2: []}
    for turn in range(max(3, repetitions // 3) + 1):
        for cores in wall:
            began = perf_counter()
            counts[cores] = open_liquid.present(images[:IMAGES], cores=cores)
            if turn:
                wall[cores].append((perf_counter() - began) * 1000 * cores / IMAGES)
    if not counts[1].any() or not np.array_equal(counts[1], counts[2]):
        raise SystemExit("astrocyte liquid: no spikes, or others where samples run side by side.")
    took = {cores: spread(times) for cores, times in wall.items()}
    edges = sum(w.size for w in open_liquid.weights().values())
    return [
        held(
            f"astrocyte liquid, {edges} plastic edges: a sample of 250 ms, {how}, per core",
            took[cores]["median"],
            SAMPLE,
            unit="ms",
            spread=took[cores],
        )
        for cores, how in ((1, "one after another"), (2, "two side by side"))
    ]


if __name__ == "__main__":
    main()
