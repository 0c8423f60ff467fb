"""Spikes that arrive: the delay groups and edges that they reach, in the order of the contract."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from neurosim.ir.delay_groups import DelayGroups


def whole_numbers(array: np.ndarray, device: torch.device) -> Tensor:
    """Return whole numbers as an index of torch, int64."""
    return torch.from_numpy(np.array(array, np.int64)).to(device)


@dataclass(frozen=True)
class Reach:
    """The elements of some samples on which statements act.

    Attributes
    ----------
    sample : (A,) int64 or None
        None: sample 0, the only one.
    element : (A,) int64 or None
        Numbers of edges or delay groups; None: all of all samples.
    """

    sample: Tensor | None = None
    element: Tensor | None = None

    def flat(self, index: Tensor, size: int) -> Tensor:
        """Return positions in a flat tensor of all samples, of which each has ``size`` elements."""
        return index if self.sample is None else self.sample * size + index


EVERYONE = Reach()


class SpikeRing:
    """Spikes of the last steps of a population.

    Attributes
    ----------
    spiked : (D, B, N) bool
        Row ``step % D``.
    any : list of bool
        Whether there are spikes in a row.
    """

    def __init__(
        self,
        depth: int,
        *,
        samples: int,
        size: int,
        device: torch.device,
    ) -> None:
        self.spiked = torch.zeros((depth, samples, size), dtype=torch.bool, device=device)
        self.any = [False] * depth

    def put(self, step: int, spiked: Tensor) -> bool:
        """Store who spiked in a step, (B, N) bool; return whether anybody did."""
        row = step % len(self.any)
        self.spiked[row] = spiked
        # Read once here, and not by each projection: on a GPU the host waits for it.
        self.any[row] = bool(spiked.any())
        return self.any[row]

    def at(self, step: int) -> Tensor:
        """Return who spiked in a step, (B, N) bool."""
        return self.spiked[step % len(self.spiked)]


class ArrivingSpikes:
    """The delay groups of one side of a projection, oldest spike first, then by neuron.

    Parameters
    ----------
    groups : DelayGroups
    samples : int
    device : torch.device
    """

    def __init__(self, groups: DelayGroups, *, samples: int, device: torch.device) -> None:
        self._samples = samples
        self.shared_delay = int(groups.delays[0]) if groups.uniform else None
        self.longest = int(groups.delays.max(initial=0))
        # The contract's order of events: longer delays first, since their spikes are older.
        order = np.lexsort((np.arange(groups.delay.size), -groups.delay))
        self._number = whole_numbers(order, device)
        self._neuron = whole_numbers(groups.neuron[order], device)
        self._delay = whole_numbers(groups.delay[order], device)
        self._first = whole_numbers(groups.pointer[:-1], device)
        self._count = whole_numbers(np.diff(groups.pointer), device)
        self._edges = None if groups.edges is None else whole_numbers(groups.edges, device)

    def groups(self, ring: SpikeRing, step: int, since: np.ndarray) -> Reach | None:
        """Return the groups that spikes reach in a step; None if there are none.

        Parameters
        ----------
        ring : SpikeRing
        step : int
        since : (B,) steps
            Spikes of earlier steps do not arrive.
        """
        if self.shared_delay is not None:
            emitted = step - self.shared_delay
            # Most steps of a small population are quiet: no operation is queued for them.
            if not ring.any[emitted % len(ring.any)]:
                return None
            mask = ring.at(emitted)
        elif not any(ring.any):
            return None
        else:
            rows = torch.remainder(step - self._delay, len(ring.spiked))
            mask = ring.spiked[rows, :, self._neuron].T
        # Only soon after a reset can a spike be older than it.
        if step - self.longest < since.max():
            mask = mask & self._in_flight(step, since, mask.device)
        if not mask.any():
            return None
        sample, position = mask.nonzero(as_tuple=True)
        element = position if self.shared_delay is not None else self._number[position]
        return Reach(None if self._samples == 1 else sample, element)

    def _in_flight(self, step: int, since: np.ndarray, device: torch.device) -> Tensor:
        first = whole_numbers(since, device)[:, None]
        if self.shared_delay is not None:
            return step - self.shared_delay >= first
        return step - self._delay >= first

    def edges(self, groups: Reach) -> Reach:
        """Return the edges of delay groups, group by group."""
        assert groups.element is not None
        counts = self._count[groups.element]
        total = int(counts.sum())
        # Of each group, the distance from the number of an edge in this list to its position.
        shift = self._first[groups.element] - (counts.cumsum(0) - counts)
        position = torch.repeat_interleave(shift, counts, output_size=total)
        position = position + torch.arange(total, device=position.device)
        sample = groups.sample
        if sample is not None:
            sample = torch.repeat_interleave(sample, counts, output_size=total)
        return Reach(sample, position if self._edges is None else self._edges[position])
