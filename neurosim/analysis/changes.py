"""What became of each spike and weight from one recording to another of the same network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..errors import NetworkError, describe
from ..recording.recorded import ProjectionRecording
from ..recording.recording import Recording
from ..recording.samples import Spikes
from ..recording.schema import is_whole
from .measure import rate

WITHIN = 5
"""Steps by which a spike may move and still count as the same one."""
KEPT, MOVED, ALONE = range(3)


@dataclass(frozen=True, eq=False)
class SpikeChanges:
    """The spikes of a population in two recordings, paired one to one.

    Spikes of one neuron in the same step are kept. Of the others, as many as possible are paired
    with one of the same neuron at most ``within`` steps away: these have moved. The rest is lost
    (of the first recording) or new (of the second).

    Attributes
    ----------
    name : str
    first, second : Spikes
        Of the steps and neurons that both recorded.
    within : int
    fates : ((S,), (S,)) int8
        Of the spikes of both: KEPT, MOVED or ALONE.
    shifts : (M,) int64
        Steps by which spikes moved, positive for later ones, by neuron, then step.
    """

    name: str
    first: Spikes
    second: Spikes
    within: int
    fates: tuple[np.ndarray, np.ndarray]
    shifts: np.ndarray

    @property
    def kept(self) -> int:
        """Number of spikes in the same step."""
        return int((self.fates[0] == KEPT).sum())

    @property
    def moved(self) -> int:
        """Number of spikes that come in another step."""
        return self.shifts.size

    @property
    def lost(self) -> int:
        """Number of spikes of the first recording alone."""
        return int((self.fates[0] == ALONE).sum())

    @property
    def new(self) -> int:
        """Number of spikes of the second recording alone."""
        return int((self.fates[1] == ALONE).sum())

    @cached_property
    def rates(self) -> tuple[float, float]:
        """Mean rates in Hz; NaN if there is no step or no neuron."""
        return _rate(self.first), _rate(self.second)

    @property
    def first_difference(self) -> tuple[int, int] | None:
        """Step and neuron of the first spike that is not kept; None if all are."""
        first_ones = []
        for spikes, fate in zip((self.first, self.second), self.fates, strict=True):
            differing = np.flatnonzero(fate != KEPT)
            if differing.size:
                # Spikes are in order of time.
                at = differing[0]
                first_ones.append((int(spikes.step[at]), int(spikes.index[at])))
        return min(first_ones, default=None)

    def chosen(self, recording: int, fate: int) -> Spikes:
        """Return the spikes of one fate.

        Parameters
        ----------
        recording : int
            0 for the first, 1 for the second.
        fate : KEPT, MOVED or ALONE
        """
        spikes = (self.first, self.second)[recording]
        inside = self.fates[recording] == fate
        return replace(spikes, index=spikes.index[inside], step=spikes.step[inside])


@dataclass(frozen=True, eq=False)
class WeightChanges:
    """The last weights that two recordings of a projection have.

    Attributes
    ----------
    name : str
    first, second : (E,) float64
    unit : str
    """

    name: str
    first: np.ndarray
    second: np.ndarray
    unit: str

    @property
    def differing(self) -> int:
        """Number of edges whose weights differ."""
        return int((self.first != self.second).sum())

    @property
    def largest(self) -> float:
        """Largest difference of the two weights of an edge."""
        return float(np.abs(self.first - self.second).max(initial=0.0))


def find_spike_changes(
    a: Recording, b: Recording, *, within: int = WITHIN
) -> tuple[SpikeChanges, ...]:
    """Return what became of the spikes of every population that both recorded.

    Parameters
    ----------
    a, b : Recording
        Of one network, on two backends.
    within : int
        Steps by which a spike may move.

    Returns
    -------
    tuple of SpikeChanges
        Without populations that share no step; empty if the time steps differ.

    Raises
    ------
    NetworkError
        If ``within`` is negative or no whole number.
    """
    if not is_whole(within):
        raise NetworkError(
            f"compare: within: found {describe(within)}, expected a whole number of steps of at "
            "least 0. Correct it."
        )
    if a.dt != b.dt:
        return ()
    changes = []
    for name, population in a.populations.items():
        other = b.populations.get(name)
        if other is None or population.recorded is None or other.recorded is None:
            continue
        if population.size == other.size:
            changes += _changes_of(name, population.recorded, other.recorded, within)
    return tuple(changes)


def find_weight_changes(a: Recording, b: Recording) -> tuple[WeightChanges, ...]:
    """Return the last weights of every projection whose weights both recorded, edge by edge.

    Parameters
    ----------
    a, b : Recording
    """
    changes: list[WeightChanges] = []
    for name, projection in a.projections.items():
        if name in b.projections:
            changes += _weights_of(name, projection, b.projections[name])
    return tuple(changes)


def _changes_of(
    name: str,
    a: Spikes,
    b: Spikes,
    within: int,
) -> Iterator[SpikeChanges]:
    """Yield the changes of one population, over the steps and neurons that both recorded."""
    first = max(a.first, b.first)
    end = min(a.first + a.steps, b.first + b.steps)
    if end <= first:
        return
    # A neuron that one did not record has neither kept nor lost a spike.
    shared = np.intersect1d(a.members, b.members)
    a = _cut(a, first, end, shared)
    b = _cut(b, first, end, shared)
    fates = np.full(len(a), ALONE, np.int8), np.full(len(b), ALONE, np.int8)
    keys = _keys(a, end), _keys(b, end)
    _, *same = np.intersect1d(*keys, assume_unique=True, return_indices=True)
    for fate, positions in zip(fates, same, strict=True):
        fate[positions] = KEPT
    pairs = _pair(keys, fates, within=within, width=end)
    for fate, positions in zip(fates, pairs.T, strict=True):
        fate[positions] = MOVED
    shifts = b.step[pairs[:, 1]] - a.step[pairs[:, 0]]
    yield SpikeChanges(name, a, b, within, fates, shifts)


def _cut(
    spikes: Spikes,
    first: int,
    end: int,
    members: np.ndarray,
) -> Spikes:
    """Return the spikes of some members in the steps from ``first`` to before ``end``."""
    inside = (spikes.step >= first) & (spikes.step < end)
    inside &= np.isin(spikes.index, members)
    return replace(
        spikes,
        index=spikes.index[inside],
        step=spikes.step[inside],
        first=first,
        steps=end - first,
        members=members,
    )


def _keys(spikes: Spikes, width: int) -> np.ndarray:
    """Return one number per spike: all of a neuron lie together, by their steps."""
    return spikes.index.astype(np.int64) * width + spikes.step


def _pair(
    keys: tuple[np.ndarray, np.ndarray],
    fates: tuple[np.ndarray, np.ndarray],
    *,
    within: int,
    width: int,
) -> np.ndarray:
    """Return positions of spikes that belong together, (M, 2): as many as possible."""
    # Positions of unpaired spikes, those of a neuron together and by their steps.
    orders = []
    for key, fate in zip(keys, fates, strict=True):
        alone = np.flatnonzero(fate == ALONE)
        orders.append(alone[np.argsort(key[alone])])
    first = keys[0][orders[0]].tolist()
    second = keys[1][orders[1]].tolist()
    pairs: list[tuple[int, int]] = []
    i = j = 0
    # Earliest with earliest: no other pairing of two ascending trains has more pairs.
    while i < len(first) and j < len(second):
        same_neuron = first[i] // width == second[j] // width
        if same_neuron and abs(first[i] - second[j]) <= within:
            pairs.append((i, j))
            i += 1
            j += 1
        elif first[i] < second[j]:
            i += 1
        else:
            j += 1
    chosen = np.array(pairs, np.int64).reshape(-1, 2)
    return np.column_stack([orders[0][chosen[:, 0]], orders[1][chosen[:, 1]]])


def _rate(spikes: Spikes) -> float:
    try:
        return rate(spikes)
    except NetworkError:
        return float("nan")


def _weights_of(
    name: str, a: ProjectionRecording, b: ProjectionRecording
) -> Iterator[WeightChanges]:
    first = a.traces.get("w")
    second = b.traces.get("w")
    if first is None or second is None or not len(first.values) or not len(second.values):
        return
    same_edges = np.array_equal(first.members, second.members)
    same_ends = np.array_equal(a.source, b.source) and np.array_equal(a.target, b.target)
    if same_edges and same_ends and first.unit == second.unit:
        yield WeightChanges(name, first.values[-1], second.values[-1], first.unit)
