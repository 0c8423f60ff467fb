"""Orthogonal projection: tasks are learned one after the other without forgetting (Xiao 2024).

It implements M. Xiao, Q. Meng, Z. Zhang, D. He and Z. Lin, "Hebbian Learning based Orthogonal
Projection for Continual Learning of Spiking Neural Networks", ICLR 2024, arXiv:2402.11984, with the
equations and values of the authors' published code. `protect` of
`neurosim.models.orthogonal_projection.lateral` puts its lateral circuits around layers of any
Trainer.
"""

from typing import Any

from neurosim.cli.catalogue import Model

from .checks import CHECKS, EXPERIMENTS, checks, experiments, full
from .network import episode, network
from .settings import DEFAULTS, FULL, PUBLISHED_ROWS, SETTINGS, Settings

__all__ = ["DEFAULTS", "FULL", "PUBLISHED_ROWS", "Settings", "model", "network"]


def _demonstrate(**options: Any) -> list[dict[str, Any]]:
    """Learn permuted MNIST; see `neurosim.models.orthogonal_projection.demonstrate`.

    Parameters
    ----------
    **options
        Seed, backend, folder, progress, settings.
    """
    # Imported here: torch is optional, and a list of models must not need it.
    from .demonstrate import demonstrate

    return demonstrate(**options)


model = Model(
    "orthogonal-projection",
    "Tasks learned one after the other without forgetting, by lateral circuits (Xiao et al. 2024).",
    SETTINGS,
    network,
    _demonstrate,
    EXPERIMENTS,
    CHECKS,
    over=lambda seeds: (experiments(seeds), checks(seeds)),
    full=full,
    episode=episode,
)
