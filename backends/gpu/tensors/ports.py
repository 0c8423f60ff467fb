"""Static projections, Poisson drives, and the sums of ports."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurosim.draws import streams
from neurosim.draws.streams import NEXT_DRAW
from neurosim.ir.concrete import ConcreteDrive
from neurosim.ir.program import Program, StaticProjection

from .delivery import ArrivingSpikes, SpikeRing, whole_numbers
from .draw_chunks import DrawChunks
from .draws import PLAIN, DrawFunctions, PoissonTable, draw
from .populations import Clock
from .reading import gather
from .rules import add
from .samples import Samples


class TensorEdges:
    """A static projection over tensors.

    Parameters
    ----------
    p : StaticProjection
    samples : Samples
    ring : SpikeRing
        Of its source.
    """

    def __init__(self, p: StaticProjection, samples: Samples, ring: SpikeRing) -> None:
        self.p = p
        self._samples = samples
        self._ring = ring
        self._arriving = ArrivingSpikes(
            p.pre_groups, samples=len(samples.memories), device=samples.device
        )
        self._targets = whole_numbers(p.targets, samples.device)
        self._shared = None if p.shared is None else whole_numbers(p.shared, samples.device)
        self.follow()

    def follow(self) -> None:
        """Follow changes of memory by the host."""
        self._since = np.array([m[self.p.name, "_since"][0] for m in self._samples.memories])

    def deliver(self, clock: Clock, sides: Set[str]) -> None:
        """Add the weights of spikes that arrive to the term of this step, if "pre" is named."""
        if "pre" not in sides:
            return
        groups = self._arriving.groups(self._ring, clock.step, self._since)
        if groups is None:
            return
        edges = self._arriving.edges(groups)
        assert edges.element is not None
        weights = gather(self._samples.tensors[self.p.name, "w"], self._shared, edges)
        # The whole delay lies before the synapse, so the ring of a static projection has one row.
        targets = self._targets[edges.element]
        index = edges.flat(targets, self.p.size)
        ring = self._samples.tensors[self.p.name, "_ring"]
        add(ring.view(-1), index, weights)


class TensorDrive:
    """A Poisson drive over tensors.

    Parameters
    ----------
    drive : ConcreteDrive
    program : Program
    samples : Samples
    replica : int or (B, 1) int64
    functions : DrawFunctions
    """

    def __init__(
        self,
        drive: ConcreteDrive,
        program: Program,
        samples: Samples,
        *,
        replica: Any,
        functions: DrawFunctions = PLAIN,
    ) -> None:
        self._name = drive.name
        self._samples = samples
        self._replica = replica
        self._functions = functions
        self._dt = program.dt
        self._key = streams.key_of(program.seed, f"{drive.name}/counts")
        self._targets = whole_numbers(drive.indices, samples.device)
        self._first_draw = DrawChunks(
            "uniform",
            self._key,
            self._targets,
            replica=replica,
            dtype=torch.float64,
            functions=functions,
        )
        self._means = np.zeros((0, 0))
        self.follow()

    def follow(self) -> None:
        """Follow changes of memory by the host: other rates need another table."""
        rates = [memory[self._name, "rate"] * self._dt for memory in self._samples.memories]
        shape = (len(rates), self._targets.numel())
        means = np.stack([np.broadcast_to(rate, shape[1]) for rate in rates])
        # Most changes by the host leave the rates as they are.
        if means.shape != self._means.shape or not np.array_equal(means, self._means):
            self._means = means
            self._table = PoissonTable.of(means, self._samples.device)

    def add_to(self, total: Any, clock: Clock) -> None:
        """Add weights times counts of this step to the sum of a port, (B, N)."""
        counts = self._table.counts(clock.step, self._uniform_at)
        weight = self._samples.tensors[self._name, "weight"]
        total[:, self._targets] += weight * counts.to(total.dtype)

    def _uniform_at(self, step: int) -> Tensor:
        if step < NEXT_DRAW:
            return self._first_draw.at(step)
        # Means above 700 need more draws, possibly very many, none of which is stored.
        return draw(
            "uniform",
            self._key,
            self._targets,
            step,
            replica=self._replica,
            functions=self._functions,
        )


def add_terms(
    inputs: tuple[str, ...],
    port: tuple[str, str],
    samples: Samples,
    *,
    drives: Mapping[str, TensorDrive],
    clock: Clock,
) -> None:
    """Add the terms of projections and drives to a port, one after the other.

    Parameters
    ----------
    inputs : names of projections and drives
    port : population and port
    samples : Samples
    drives : name -> TensorDrive
    clock : Clock
    """
    total = samples.tensors[port[0], f"_port_{port[1]}"]
    for name in inputs:
        if name in drives:
            drives[name].add_to(total, clock)
            continue
        ring = samples.tensors[name, "_ring"]
        row = ring[:, clock.step % ring.shape[1]]
        total.add_(row)
        # The row is free for the terms of a later step.
        row.zero_()
