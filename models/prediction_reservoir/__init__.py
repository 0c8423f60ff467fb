"""Prediction reservoir: it learns what comes, when, and how likely (Yamada & Chao 2025).

It re-creates the mechanism of Y. Yamada and Z. C. Chao, "Joint encoding of 'what' and 'when'
predictions through error-modulated plasticity in reservoir spiking networks", arXiv:2510.14382
(2025); Communications Biology (2026), doi:10.1038/s42003-026-10836-2. Architecture, kind of
learning rule, task and main results were known; equations and almost all parameter values were not,
and are choices of this project. It does not claim to reproduce the authors' figures.
"""

from dataclasses import asdict

from neurosim.cli.catalogue import Model

from .checks import CHECKS, EXPERIMENTS, checks, experiments
from .demonstrate import demonstrate
from .network import DEFAULTS, network

model = Model(
    "prediction-reservoir",
    "A spiking reservoir that learns what comes, when, and how likely (after Yamada & Chao 2025).",
    asdict(DEFAULTS),
    network,
    demonstrate,
    EXPERIMENTS,
    CHECKS,
    over=lambda seeds: (experiments(seeds), checks(seeds)),
)
