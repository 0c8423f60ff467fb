"""Settings of the networks: sizes, the way of training, rows of the lateral circuits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from neurosim.errors import NetworkError, describe

WAYS = ("dsr", "bptt", "ottt")
FEEDBACK = ("same", "random", "sign-concordant")
THRESHOLD = 0.3  # of neurons for DSR; the published program trains it in the first task
STEP = 0.05  # ms, dt of neurons for DSR; their time constant is 1 ms
HEIGHT = THRESHOLD / STEP  # of a spike of such a neuron

# Subspace neurons that the authors' published code adds in each of ten tasks.
PUBLISHED_ROWS: Mapping[str, tuple[int, ...]] = {
    "layer1": (80, 70, 70, 50, 50, 50, 30, 30, 30, 10),
    "layer2": (200, 70, 70, 50, 50, 50, 30, 30, 30, 10),
    "head": (100, 70, 70, 50, 50, 50, 30, 30, 30, 10),
}
# Of five tasks with two hidden layers of 200 neurons.
SMALL_ROWS: Mapping[str, tuple[int, ...]] = {
    "layer1": (80, 60),
    "layer2": (60, 25),
    "head": (60, 25),
}


@dataclass(frozen=True)
class Settings:
    """Numbers that one may want to change.

    Source: the authors' published code; sizes of the small experiment are this project's.

    Attributes
    ----------
    way : "dsr", "bptt" or "ottt"
        How the network is trained, and with which neurons.
    inputs, hidden, layers, classes : int
        Sizes; ``layers`` hidden layers of ``hidden`` neurons.
    heads : int
        Output layers, one for each task; 0: one that all tasks share.
    steps : int
        T; 0: 20 for DSR, 6 otherwise.
    epochs, batch : int
    rate : float (1)
        Learning rate of SGD.
    momentum : float (1)
        Of SGD; each task has a fresh optimiser.
    feedback : "same", "random" or "sign-concordant"
        Matrices that send errors backward.
    levels : int
        Of spiking lateral neurons; 0: linear ones.
    """

    way: str = "dsr"
    inputs: int = 784
    hidden: int = 200
    layers: int = 2
    classes: int = 10
    heads: int = 0
    steps: int = 0
    epochs: int = 4
    batch: int = 64
    rate: float = 0.1
    momentum: float = 0.0
    feedback: str = "same"
    levels: int = 0

    def __post_init__(self) -> None:
        for name, value, valid in (("way", self.way, WAYS), ("feedback", self.feedback, FEEDBACK)):
            if value not in valid:
                raise NetworkError(
                    f"orthogonal projection, {name}: found {describe(value)}, expected one of "
                    f"{', '.join(valid)}. Choose one."
                )

    @property
    def duration(self) -> int:
        """T steps of input."""
        return self.steps or (20 if self.way == "dsr" else 6)


DEFAULTS = Settings()
FULL = Settings(hidden=800, epochs=1)

SETTINGS: dict[str, Any] = {
    "strategy": "hlop",
    "tasks": 5,
    "images": 8000,
    "tests": -2000,
    **asdict(DEFAULTS),
}
"""Settings by name: the strategy, the task, the network."""
