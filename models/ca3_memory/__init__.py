"""CA3 memory: content-addressable, stored and read by spikes (Casanueva-Morato 2024).

Source: Casanueva-Morato et al. 2024.

It implements D. Casanueva-Morato, A. Ayuso-Martinez, J. P. Dominguez-Morales, A. Jimenez-Fernandez
and G. Jimenez-Moreno, "Bio-inspired computational memory model of the Hippocampus: An approach to a
neuromorphic spike-based Content-Addressable Memory", Neural Networks 178:106474 (2024),
doi:10.1016/j.neunet.2024.106474. Its three experiments give the authors' recorded numbers of
spikes, population by population.
"""

from dataclasses import asdict

from neurosim.cli.catalogue import Model

from .checks import CHECKS, EXPERIMENTS
from .demonstrate import demonstrate
from .experiment import episode
from .memory import CA3Memory
from .network import Settings, network

__all__ = ["CA3Memory", "Settings", "model"]

model = Model(
    "ca3-memory",
    "A spiking content-addressable memory: recall by cue or by any part of the content "
    "(Casanueva-Morato et al. 2024).",
    asdict(Settings()),
    network,
    demonstrate,
    EXPERIMENTS,
    CHECKS,
    episode=episode,
)
