"""Edges in the order of a fold: block by block of lanes, so that neighbours read neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Fold:
    """The edges of each lane, oldest spike first, then ascending.

    Lanes come in blocks; position p of lane l of a block stands at ``begins[block] + p * L + l``.

    Attributes
    ----------
    lanes, block : int
        All lanes, and L, those of a block.
    edges : int32
        Positions of what edges add, -1 behind the last edge of a lane.
    groups : int32
        The delay group of each of these edges whose event reaches it.
    begins, mosts : (blocks,) int64, int32
        Where a block begins, and the largest number of edges of its lanes.
    """

    lanes: int
    block: int
    edges: Tensor
    groups: Tensor
    begins: Tensor
    mosts: Tensor


def arrange(
    lane: np.ndarray,
    lanes: int,
    *,
    delay: np.ndarray,
    group: np.ndarray,
    block: int,
    device: torch.device,
    value: np.ndarray | None = None,
) -> Fold:
    """Return the fold of edges.

    Parameters
    ----------
    lane : (E,) indices
        Lane of each edge.
    lanes : int
    delay : (E,) or (1,), steps
        From the spike to the event; the longest is folded first.
    group : (E,) indices
    block : int
        Lanes of a block.
    device : torch.device
    value : (E,) indices, optional
        Positions of what edges add; None: of edge e it is e.
    """
    edges = np.argsort(lane, kind="stable")
    if delay.size > 1:
        edges = np.lexsort((-delay, lane))
    counts = np.bincount(lane, minlength=lanes)
    blocks = max(1, -(-lanes // block))
    padded = np.zeros(blocks * block, np.int64)
    padded[:lanes] = counts
    mosts = padded.reshape(blocks, block).max(axis=1)
    begins = np.concatenate([[0], np.cumsum(mosts * block)])
    sorted_lane = lane[edges].astype(np.int64)
    first = np.cumsum(counts) - counts
    position = np.arange(lane.size) - first[sorted_lane]
    positions = begins[sorted_lane // block] + position * block + sorted_lane % block
    # One element at least: a tensor without elements has no address.
    of_position = np.full(max(int(begins[-1]), 1), -1, np.int32)
    of_position[positions] = edges if value is None else value[edges]
    groups = np.zeros(of_position.size, np.int32)
    groups[positions] = group[edges]

    def tensor(array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(device)

    return Fold(
        lanes,
        block,
        tensor(of_position),
        tensor(groups),
        tensor(begins[:-1].astype(np.int64)),
        tensor(mosts.astype(np.int32)),
    )
