"""Connections: a projection as an operation over samples, chosen by how its edges lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from neurosim.ir.program import StaticProjection

from .gradients.operations import EdgeLists, Slots, linear, sparse

Form = Literal["matrix", "edges", "shared", "one"]

# A matrix of all pairs costs time for pairs without an edge, a list of edges memory for each
# sample: the matrix wins unless it is large and nearly empty.
_LARGE = 1 << 22
_FILLED = 0.02


@dataclass(frozen=True, eq=False)
class Connection:
    """A static projection.

    Attributes
    ----------
    name, source, target, port : str
    same_step : bool
    form : Form
        How the weight lies: a matrix (N_target, N_source); one per edge; those that edges share;
        one for all.
    delays : tuple of int
        The distinct delays in steps, ascending.
    edges : EdgeLists
        Of all delays.
    of_delay : (E,) int64
        Position of the delay of each edge.
    shared : (E,) int64 or None
        Position of the weight of each edge.
    dense : bool
        Whether a matrix is multiplied.
    slots : Slots
    """

    name: str
    source: str
    target: str
    port: str
    same_step: bool
    form: Form
    delays: tuple[int, ...]
    edges: EdgeLists
    of_delay: Tensor
    shared: Tensor | None
    dense: bool
    slots: Slots

    def layout(self, weight: np.ndarray) -> np.ndarray:
        """Return the weights of memory as they learn.

        Parameters
        ----------
        weight : (1,), (E,) or (K,)
            In the order of edges.
        """
        if self.form in ("shared", "one"):
            return weight.copy()
        full = np.broadcast_to(weight, self.edges.sources.numel())
        if self.form == "edges":
            return full.copy()
        # By source in memory; torch has the targets first.
        return full.reshape(self.edges.sources_size, self.edges.size).T.copy()

    def per_edge(self, weight: np.ndarray) -> np.ndarray:
        """Return weights as memory holds them: the inverse of `layout`."""
        return weight.T.reshape(-1).copy() if self.form == "matrix" else weight.copy()

    def prepare(self, weight: Tensor) -> tuple[Tensor, ...]:
        """Return for each delay the operand of `deliver`: a matrix, or weights of edges.

        Parameters
        ----------
        weight : Tensor
            As it learns.
        """
        if self.form == "matrix":
            return (weight,)
        per_edge = (
            weight.expand(self.edges.sources.numel())
            if self.shared is None
            else (weight[self.shared])
        )
        parts = []
        for number in range(len(self.delays)):
            chosen, edges = self._of(number)
            values = per_edge if chosen is None else per_edge[chosen]
            if self.dense:
                matrix = values.new_zeros(edges.size, edges.sources_size)
                values = matrix.index_put((edges.targets, edges.sources), values, accumulate=True)
            parts.append(values)
        return tuple(parts)

    def deliver(
        self, x: Tensor, operands: tuple[Tensor, ...], number: int, *, trace: Tensor | None = None
    ) -> Tensor:
        """Return what spikes add to the port, for the edges of one delay.

        Parameters
        ----------
        x : (..., N_source)
        operands : tuple
            Of `prepare`.
        number : int
            Position of the delay.
        trace : (..., N_source), optional
            Multiplies the error in place of x.
        """
        if self.dense:
            return linear(x, operands[number], self.slots, trace=trace)
        return sparse(x, operands[number], self._of(number)[1], self.slots, trace=trace)

    def _of(self, number: int) -> tuple[Tensor | None, EdgeLists]:
        """Return the positions of the edges of a delay, None for all, and the edges."""
        if len(self.delays) == 1:
            return None, self.edges
        chosen = torch.nonzero(self.of_delay == number).squeeze(1)
        e = self.edges
        return chosen, EdgeLists(e.sources[chosen], e.targets[chosen], e.size, e.sources_size)


def connection_of(
    p: StaticProjection,
    weight: np.ndarray,
    *,
    learns: bool,
    sources_size: int,
    device: torch.device,
) -> Connection:
    """Return the operation of a projection.

    Parameters
    ----------
    p : StaticProjection
    weight : (1,), (E,) or (K,)
        As in memory.
    learns : bool
        One weight for all edges learns as one for each.
    sources_size : int
        Neurons of the source.
    device : torch.device
    """
    count = p.targets.size
    delays, of_delay = np.unique(np.asarray(p.axonal), return_inverse=True)
    of_delay = np.broadcast_to(of_delay, count)
    index = p.shared
    full = _joins_all(p, sources_size)
    form: Form = "edges"
    if index is not None:
        form = "shared"
    elif full and delays.size == 1:
        form = "matrix"
    elif weight.size == 1 and not learns:
        form = "one"

    def tensor(values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.array(values, np.int64)).to(device)

    pairs = sources_size * p.size
    return Connection(
        name=p.name,
        source=p.source,
        target=p.target,
        port=p.port,
        same_step=p.same_step,
        form=form,
        delays=tuple(int(d) for d in delays),
        edges=EdgeLists(tensor(p.sources), tensor(p.targets), p.size, sources_size),
        of_delay=tensor(of_delay),
        shared=None if index is None else tensor(index),
        dense=form == "matrix" or pairs <= _LARGE or count >= _FILLED * pairs,
        slots=Slots(),
    )


def _joins_all(p: StaticProjection, sources_size: int) -> bool:
    """Return whether each source has one edge to each target."""
    if p.targets.size != sources_size * p.size or (np.diff(p.pointer) != p.size).any():
        return False
    rows = p.targets.reshape(sources_size, p.size)
    return bool((rows == np.arange(p.size)).all())
