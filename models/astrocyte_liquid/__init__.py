"""Astrocyte liquid: one astrocyte holds a liquid near the edge of chaos (Ivanov 2021).

Source: Ivanov & Michmizos 2021.

It implements V. A. Ivanov and K. P. Michmizos, "Increasing Liquid State Machine Performance with
Edge-of-Chaos Dynamics Organized by Astrocyte-modulated Plasticity", NeurIPS 2021, arXiv:2111.01760,
with the equations and values of the authors' published code.
"""

from .measures import branching_factor
from .network import DEFAULTS, Settings, build, network
from .samples import Liquid

__all__ = ["DEFAULTS", "Liquid", "Settings", "branching_factor", "build", "network"]
