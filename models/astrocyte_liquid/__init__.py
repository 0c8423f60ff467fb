"""Astrocyte liquid: one astrocyte holds a liquid near the edge of chaos (Ivanov 2021).

Source: Ivanov & Michmizos 2021.

It implements V. A. Ivanov and K. P. Michmizos, "Increasing Liquid State Machine Performance with
Edge-of-Chaos Dynamics Organized by Astrocyte-modulated Plasticity", NeurIPS 2021, arXiv:2111.01760,
with the equations and values of the authors' published code.
"""

from neurosim.cli.catalogue import Model

from .checks import CHECKS, EXPERIMENTS
from .classification import Classification
from .demonstrate import branching, demonstrate
from .encoding import Events, Probabilities
from .frozen import frozen
from .measures import branching_factor, kernel_rank
from .network import build, episode, network
from .readout import convex
from .samples import Liquid
from .settings import DEFAULTS, SETTINGS, VARIANTS, Settings, Task

__all__ = [
    "DEFAULTS",
    "VARIANTS",
    "Classification",
    "Events",
    "Liquid",
    "Probabilities",
    "Settings",
    "Task",
    "branching",
    "branching_factor",
    "build",
    "convex",
    "frozen",
    "kernel_rank",
    "network",
]

model = Model(
    "astrocyte-liquid",
    "A liquid state machine organised by an astrocyte, and read out (Ivanov & Michmizos 2021).",
    SETTINGS,
    network,
    demonstrate,
    EXPERIMENTS,
    CHECKS,
    episode=episode,
)
