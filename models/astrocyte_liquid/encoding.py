"""Encoding: images as probabilities of events, recordings of an event camera as the events."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurosim.datasets import Images, Recordings

CAMERA = (2, 34, 34)  # polarities, rows and columns of an event camera's recording
LATEST = 278  # ms, last start of a short window of a recording of 300 ms


class Probabilities:
    """Images as probabilities of an event per ms, (M,) each, made when they are asked for.

    Each image is divided by its sum, and all by the largest value that is left in the whole part of
    the data set, so that all have the same total drive. Source: the authors' published code.

    Parameters
    ----------
    images : Images
        The whole part, since its largest value counts.

    Attributes
    ----------
    inputs : int
        M.
    """

    def __init__(self, images: Images) -> None:
        self._pixels = images.values.reshape(len(images), -1)
        sums = self._pixels.sum(axis=1, dtype=np.int64)
        # An image without a bright pixel has no events.
        self._sums = np.maximum(sums, 1).astype(np.float64)
        brightest = self._pixels.max(axis=1) / self._sums
        # One value for all images: otherwise the total drive of each would depend on its peak.
        self._largest = float(np.max(brightest))
        self.inputs = self._pixels.shape[1]

    def __len__(self) -> int:
        return len(self._pixels)

    def whole(self, number: int) -> NDArray[np.float64]:
        """Return an image, (M,)."""
        return self._pixels[number] / self._sums[number] / self._largest

    def part(self, number: int, chance: float) -> NDArray[np.float64]:
        """Return an image for a short sample, (M,): the same.

        Parameters
        ----------
        number : int
        chance : float, 1
            Without effect: an image is the same all the time.
        """
        return self.whole(number)


class Events:
    """Recordings as certain events, (T, M) each; several within 1 ms count once.

    Input ``(polarity * 34 + y) * 34 + x`` is a pixel. Source: the authors' published code; the
    order of the inputs is a choice.

    Parameters
    ----------
    recordings : Recordings
    time, part_time : int, ms
        Duration of a sample, and of a short one. Later events are dropped.

    Attributes
    ----------
    inputs : int
        M.
    """

    def __init__(self, recordings: Recordings, *, time: int = 250, part_time: int = 20) -> None:
        self._recordings = recordings
        self._time = time
        self._part_time = part_time
        self.inputs = int(np.prod(CAMERA))

    def __len__(self) -> int:
        return len(self._recordings)

    def whole(self, number: int) -> NDArray[np.float64]:
        """Return the events of a recording from its start, (T, M) of 0 and 1."""
        return self._window(number, 0, self._time)

    def part(self, number: int, chance: float) -> NDArray[np.float64]:
        """Return a short window of a recording, (T, M) of 0 and 1.

        Parameters
        ----------
        number : int
        chance : float, 1
            Says where the window starts, uniformly from 1 to 278 ms.
        """
        # Never from 0 ms: the published program counts its steps from 1.
        first = 1 + int(chance * LATEST)
        return self._window(number, first, self._part_time)

    def _window(self, number: int, first: int, time: int) -> NDArray[np.float64]:
        """Return the events of some ms of a recording, (T, M) of 0 and 1."""
        recordings = self._recordings
        events = slice(recordings.offsets[number], recordings.offsets[number + 1])
        # The camera writes microseconds.
        ms = np.rint(recordings.time[events] / 1000).astype(np.int64) - first
        # Wide before the product: polarity is one byte, which would overflow.
        polarity = recordings.polarity[events].astype(np.int64)
        _, rows, columns = CAMERA
        line = polarity * rows + recordings.y[events]
        pixel = line * columns + recordings.x[events]
        inside = (ms >= 0) & (ms < time)
        table = np.zeros((time, self.inputs))
        # Assigned, not added: several events within 1 ms count once.
        table[ms[inside], pixel[inside]] = 1.0
        return table
