"""Random numbers over tensors: code objects of `draws.streams` over int64 and torch functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurosim.draws import streams
from neurosim.draws.streams import MOST_COUNTS, MOST_MEAN, NEXT_DRAW, Key
from neurosim.expr.functions import FUNCTIONS as NUMPY_FUNCTIONS

from .functions import FUNCTIONS

_MASK = 0xFFFFFFFF
# Constants of unsigned words as Python numbers: products of int64 wrap to the same low 64 bits, and
# the mask drops the signs that a shift to the right fills in.
_NAMESPACE = {
    name: int(value) if isinstance(value, np.unsignedinteger) else value
    for name, value in vars(streams).items()
}


def _rebuild(body: Any) -> Any:
    return FunctionType(body.__code__, _NAMESPACE, body.__name__)


_philox4x32 = _rebuild(streams.philox4x32)
_uniform_block = _rebuild(streams.uniform_block)


def _multiply(factor: int, word: Any) -> tuple[Any, Any]:
    """Return the high and the low word of a product of words, without overflow."""
    # Halves of 16 bits: both products, and their sum, have less than 49 bits.
    lower = factor * (word & 0xFFFF)
    middle = factor * (word >> 16) + (lower >> 16)
    return middle >> 16, ((middle & 0xFFFF) << 16) | (lower & 0xFFFF)


def _philox_without_overflow(
    c0: Any,
    c1: Any,
    c2: Any,
    c3: Any,
    k0: Any,
    k1: Any,
) -> tuple[Any, ...]:
    """Return what `streams.philox4x32` returns.

    Inductor prints products as C++, in which a signed overflow is undefined: compilers conclude
    that a product of positive numbers is positive, and leave out the mask that follows.
    """
    for _ in range(10):
        high0, low0 = _multiply(_NAMESPACE["_M0"], c0)
        high1, low1 = _multiply(_NAMESPACE["_M1"], c2)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0 = (k0 + _NAMESPACE["_W0"]) & _MASK
        k1 = (k1 + _NAMESPACE["_W1"]) & _MASK
    return c0, c1, c2, c3


def _words(
    block: Tensor,
    step: Any,
    replica: Any,
    k0: Any,
    k1: Any,
) -> tuple[Tensor, ...]:
    """Return the four words of each block of the generator as float64, which is exact."""
    # Four words: block, the step in two words, and the replica.
    counter = (block & _MASK, step & _MASK, (step >> 32) & _MASK, replica & _MASK)
    philox = _philox_without_overflow if torch.compiler.is_compiling() else _philox4x32
    # A sum of int64 and a Python number would be float32.
    return tuple(word.to(torch.float64) for word in philox(*counter, k0, k1))


def _normal_block(
    w0: Tensor,
    w1: Tensor,
    w2: Tensor,
    w3: Tensor,
) -> tuple[Tensor, ...]:
    """Return what `streams.normal_block` returns, by operations over both pairs of words."""
    grain = streams._GRAIN
    first = (torch.stack((w0, w2)) + 0.5) * grain
    angle = streams._TURN * ((torch.stack((w1, w3)) + 0.5) * grain)
    radius = FUNCTIONS["sqrt"](-2.0 * FUNCTIONS["log"](first))
    cosines = radius * FUNCTIONS["cos"](angle)
    sines = radius * FUNCTIONS["sin"](angle)
    return cosines[0], sines[0], cosines[1], sines[1]


@dataclass(frozen=True)
class DrawFunctions:
    """The parts of a draw, as they are or compiled.

    Attributes
    ----------
    words : function (block, step, replica, k0, k1) -> four tensors
    uniform, normal : functions of four words -> four tensors
    takes_numbers : bool
        Whether step, replica and key may be Python numbers: they would be compiled in otherwise.
    """

    words: Callable[..., tuple[Tensor, ...]]
    uniform: Callable[..., tuple[Tensor, ...]]
    normal: Callable[..., tuple[Tensor, ...]]
    takes_numbers: bool = True


PLAIN = DrawFunctions(_words, _uniform_block, _normal_block)


def uniform(
    key: Key,
    index: Tensor,
    step: Any,
    *,
    replica: Any = 0,
) -> Tensor:
    """Draw uniformly from (0, 1), as `neurosim.draws.streams.uniform`.

    Parameters
    ----------
    key : two 32-bit words
    index : (..., N) int64
    step, replica : int, or int64 that broadcast with the index

    Returns
    -------
    float64 of the broadcast shape
    """
    return draw("uniform", key, index, step, replica=replica)


def normal(
    key: Key,
    index: Tensor,
    step: Any,
    *,
    replica: Any = 0,
) -> Tensor:
    """Draw from the standard normal distribution, as `neurosim.draws.streams.normal`.

    Parameters
    ----------
    key, index, step, replica
        As of `uniform`.
    """
    return draw("normal", key, index, step, replica=replica)


def draw(
    distribution: str,
    key: Key,
    index: Tensor,
    step: Any,
    *,
    replica: Any = 0,
    functions: DrawFunctions = PLAIN,
) -> Tensor:
    """Draw numbers at any indices: "normal" or "xi", which are the same, or "uniform".

    Parameters
    ----------
    distribution : str
    key, index, step, replica
        As of `uniform`.
    functions : DrawFunctions
    """
    # Four neighbours share a block of the generator; the last two bits choose its lane.
    lanes = _lanes(distribution, key, index >> 2, step, replica=replica, functions=functions)
    position = (index & 3).expand(lanes[0].shape)
    numbers = torch.stack(lanes, dim=-1)
    return numbers.gather(-1, position.unsqueeze(-1)).squeeze(-1)


def draw_range(
    distribution: str,
    key: Key,
    blocks: Tensor,
    step: Any,
    *,
    size: int,
    replica: Any = 0,
    functions: DrawFunctions = PLAIN,
) -> Tensor:
    """Draw the first ``size`` numbers of blocks of four neighbours, each of which is made once.

    Parameters
    ----------
    distribution : str
    key : two 32-bit words
    blocks : (ceil(size / 4),) int64
        Block n has the indices 4 n to 4 n + 3.
    step, replica : int or int64
        A replica of shape (B, 1) gives B rows, steps of shape (K, 1) or (K, 1, 1) K times as many.
    size : int
    functions : DrawFunctions

    Returns
    -------
    (size,), (B, size), (K, size) or (K, B, size) float64
    """
    parts = _lanes(distribution, key, blocks, step, replica=replica, functions=functions)
    lanes = torch.stack(parts, dim=-1)
    return lanes.flatten(-2)[..., :size]


def _lanes(
    distribution: str,
    key: Key,
    block: Tensor,
    step: Any,
    *,
    replica: Any,
    functions: DrawFunctions = PLAIN,
) -> tuple[Tensor, ...]:
    arguments = (step, replica, *key)
    if not functions.takes_numbers:
        arguments = tuple(torch.as_tensor(a, device=block.device) for a in arguments)
    words = functions.words(block, *arguments)
    return (functions.uniform if distribution == "uniform" else functions.normal)(*words)


@dataclass(frozen=True)
class PoissonTable:
    """Poisson counts of fixed means, as `neurosim.draws.streams.poisson_counts` draws them.

    Attributes
    ----------
    cumulated : (K, J)
        Of each mean, the probability of at most j events; infinite where no more is added.
    row : (..., M) int64
        Row of each target.
    draws : (..., M) int64
        Draws whose counts are added: a mean above 700 is shared equally.
    valid : (..., M) bool
    most : int
        The largest number of draws.
    """

    cumulated: Tensor
    row: Tensor
    draws: Tensor
    valid: Tensor
    most: int

    @classmethod
    def of(cls, mean: np.ndarray, device: torch.device) -> PoissonTable:
        """Return the table of means.

        Parameters
        ----------
        mean : (..., M) float64
        device : torch.device
        """
        parts = np.maximum(np.ceil(mean / MOST_MEAN), 1.0)
        # A mean beyond the limit is not valid: it is not cut into parts, which would be very many.
        wanted = np.where(mean <= 2 * MOST_COUNTS, parts, 1.0)
        part = mean / wanted
        share, row = np.unique(part, return_inverse=True)
        columns = [_cumulated(float(one)) for one in share]
        longest = max(map(len, columns), default=0)
        # Infinite: a search never goes beyond the end of a shorter column.
        table = np.full((share.size, longest), np.inf)
        for number, column in enumerate(columns):
            table[number, : len(column)] = column
        row = row.reshape(mean.shape).astype(np.int64)
        valid = (part >= 0.0) & (part <= MOST_MEAN)
        return cls(
            cumulated=torch.from_numpy(table).to(device),
            row=torch.from_numpy(row).to(device),
            draws=torch.from_numpy(wanted.astype(np.int64)).to(device),
            valid=torch.from_numpy(valid).to(device),
            most=int(wanted.max(initial=1.0)),
        )

    def counts(self, step: int, uniform_at: Callable[[int], Tensor]) -> Tensor:
        """Draw a count for each target.

        Parameters
        ----------
        step : int
        uniform_at : function from a step to (..., M) float64
            Draws a number between 0 and 1 for each target.

        Returns
        -------
        (..., M) float64
        """
        total = torch.zeros((), dtype=torch.float64, device=self.row.device)
        for number in range(self.most):
            # Steps so far apart that no run reaches them otherwise.
            u = uniform_at(step + number * NEXT_DRAW)
            count = torch.where(self.draws > number, self._quantile(u), 0.0)
            total = total + count
        # A state that receives NaN is not finite, which ends the run with a message.
        return torch.where(self.valid, total, float("nan"))

    def _quantile(self, u: Tensor) -> Tensor:
        # Contiguous: torch warns of others, and copies them anyway.
        if self.cumulated.shape[0] == 1:
            counts = torch.searchsorted(self.cumulated[0], u.contiguous(), right=True)
            return counts.double()
        rows = self.cumulated[self.row.expand(u.shape)]
        wanted = u.unsqueeze(-1).contiguous()
        counts = torch.searchsorted(rows, wanted, right=True)
        return counts.squeeze(-1).double()


def _cumulated(mean: float) -> list[float]:
    """Return the cumulated probabilities of 0, 1, 2, ... events, in the order of a search."""
    if not 0.0 <= mean <= MOST_MEAN:
        return []
    p = float(NUMPY_FUNCTIONS["exp"](-mean))
    cumulated = p
    column = []
    count = 0
    # No draw is as large as 1 - 2**-33: a later entry is never reached.
    while p > 0.0:
        column.append(cumulated)
        if cumulated >= 1.0:
            break
        count += 1
        p = p * mean / count
        cumulated += p
    return column
