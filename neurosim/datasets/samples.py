"""Labelled samples: images, recordings of event cameras, and sounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Images:
    """Labelled images.

    Attributes
    ----------
    values : (B, H, W) or (B, H, W, 3) uint8
        Grey values, or red, green and blue.
    labels : (B,) uint8
    """

    values: NDArray[np.uint8]
    labels: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Recordings:
    """Labelled recordings of an event camera, one after another.

    Attributes
    ----------
    x, y : (S,) uint8
        Column and row of each event.
    polarity : (S,) uint8
        1: brighter, 0: darker.
    time : (S,) int32, us
        From the start of its recording, ascending within it.
    offsets : (B + 1,) int64
        Recording b has the events ``offsets[b]`` to ``offsets[b + 1]``.
    labels : (B,) uint8
    """

    x: NDArray[np.uint8]
    y: NDArray[np.uint8]
    polarity: NDArray[np.uint8]
    time: NDArray[np.int32]
    offsets: NDArray[np.int64]
    labels: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Sounds:
    """Labelled sounds, one after another.

    Attributes
    ----------
    values : (S,) int16
        Pressure, in whole numbers, at ``rate``.
    offsets : (B + 1,) int64
        Sound b has the values ``offsets[b]`` to ``offsets[b + 1]``.
    labels, speakers : (B,) uint8
    rate : float, Hz
    """

    values: NDArray[np.int16]
    offsets: NDArray[np.int64]
    labels: NDArray[np.uint8]
    speakers: NDArray[np.uint8]
    rate: float

    def __len__(self) -> int:
        return len(self.labels)
