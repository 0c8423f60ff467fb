"""Random numbers of calls between steps: each call of `set` or `emit` has numbers of its own."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..draws.streams import Stream
from ..errors import NetworkError, describe

ALL = np.zeros(1, np.int64)
"""The only member of draws that are made for all neurons or edges at once."""


_MOST = 2**30  # draws before one step


def require_counts(counts: Mapping[str, np.ndarray], *, where: str) -> None:
    """Raise NetworkError unless all arrays are counts as `CallStreams.arrays` returns them."""
    for name, array in counts.items():
        whole = isinstance(array, np.ndarray) and array.ndim == 1 and array.dtype == np.int32
        if not whole or (array.size and not (array.min() >= 0 and array.max() < _MOST)):
            raise NetworkError(
                f"{where}: found {describe(array)} as the draws of {describe(name)}, expected "
                f"numbers of 4 bytes from 0 to {_MOST}. "
                "The state is damaged: load another copy or run again."
            )


class CallStreams:
    """Streams named after the step and the number of earlier draws before the same step.

    Parameters
    ----------
    seed : int
        Of the network.
    replica : int
        Replica word of the run.
    """

    def __init__(self, seed: int, replica: int) -> None:
        self._seed = seed
        self._replica = replica
        self._step = 0
        self._counts: dict[str, np.ndarray] = {}

    def begin(self, step: int) -> None:
        """Count from 0 unless the run is still before the same step."""
        if step != self._step:
            self._step = step
            self._counts = {}

    def earlier(self, name: str, members: np.ndarray = ALL) -> int:
        """Return how many draws of a name have been made before this step.

        Parameters
        ----------
        name : str
        members : (M,) indices
            Neurons that draw now; the largest number of any of them counts, so that the draw of a
            neuron does not depend on draws of others that it was not part of.
        """
        counts = self._counts.get(name)
        if counts is None:
            return 0
        return int(counts[members[members < counts.size]].max(initial=0))

    def count(self, name: str, members: np.ndarray = ALL) -> None:
        """Count a draw of these members."""
        number = 1 + self.earlier(name, members)
        size = 1 + int(members.max(initial=0))
        counts = self._counts.get(name, np.zeros(0, np.int32))
        counts = np.pad(counts, (0, max(size - counts.size, 0)))
        counts[members] = number
        self._counts[name] = counts

    def stream(self, name: str, members: np.ndarray = ALL) -> Stream:
        """Return the stream of the next draw of a name."""
        number = self.earlier(name, members)
        return Stream(self._seed, f"{name}/{self._step}/{self._replica}/{number}")

    def arrays(self) -> dict[str, np.ndarray]:
        """Return copies of all counts by name; the names are part of files."""
        return {name: counts.copy() for name, counts in self._counts.items()}

    def restore(self, step: int, counts: Mapping[str, np.ndarray]) -> None:
        """Take over what `arrays` returned before ``step``."""
        self._step = step
        self._counts = {name: array.copy() for name, array in counts.items()}
