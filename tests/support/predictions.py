"""A small prediction reservoir for its tests."""

import numpy as np

from neurosim.models.prediction_reservoir.network import Settings
from neurosim.models.prediction_reservoir.trials import SPLIT, Calibration, Learner, Truth

SMALL = Settings(size=60, density=0.3, trial=150.0, width=15.0, reach=40.0, trials=3, tests=2)
NEAR = Truth(0.7, (60.0, 110.0))


def learner(backend, *, settings=SMALL, scheme=SPLIT, seed=3):
    mean = np.linspace(0.0, 0.02, settings.size)
    return Learner(
        backend,
        settings=settings,
        seed=seed,
        scheme=scheme,
        calibration=Calibration(mean, 0.02, np.zeros(settings.size)),
    )
