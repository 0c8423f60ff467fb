"""A trial of the prediction reservoir with learning; run with ``python -m benchmarks.trials``."""

from __future__ import annotations

from time import perf_counter

from neurosim.models.prediction_reservoir.network import Settings
from neurosim.models.prediction_reservoir.trials import Learner, Truth

from .report import held, machine, options, spread, verdicts, write

TRIAL = 30.0  # ms at most


def main() -> None:
    """Measure, print and write."""
    chosen = options(__doc__, repetitions=25)
    described, settings = machine(), Settings()
    learner = Learner("cpu", settings=settings, seed=0)
    wall = []
    for trial in range(chosen.repetitions + 1):
        began = perf_counter()
        learner.train(Truth(0.8), trial % 2)
        wall.append((perf_counter() - began) * 1000)
    if not any(weights.any() for weights in learner.weights()):
        raise SystemExit("prediction reservoir: no weight has changed, so no trial with learning was measured.")
    took = spread(wall[1:])
    values = [held(f"prediction reservoir: a trial of {settings.trial:g} ms with learning", took["median"], TRIAL, unit="ms", spread=took)]
    print("\n".join(f"{name}: {value}" for name, value in described.items()), "", verdicts(values), sep="\n")
    write(chosen.out, "trials", {"machine": described, "measures": values})


if __name__ == "__main__":
    main()
