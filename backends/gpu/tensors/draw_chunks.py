"""Random numbers of many steps, made together: they depend on no state."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from neurosim.draws.streams import Key

from .draws import PLAIN, DrawFunctions, draw_range

MOST_STEPS = 64
# Numbers of a chunk: of more, intermediate results do not fit into the caches of a processor.
_MOST_NUMBERS = 1 << 16


class DrawChunks:
    """The numbers of one draw at fixed indices, chunk by chunk of steps.

    A number depends on its key, index, step and replica alone, so that a chunk stays right
    whatever the host changes, and whichever step comes next.

    Parameters
    ----------
    distribution : "uniform", "normal" or "xi"
    key : two 32-bit words
    index : (N,) int64
    replica : int or (B, 1) int64
    dtype : torch.dtype
        To which numbers are rounded.
    functions : DrawFunctions

    Attributes
    ----------
    steps : int
        Of a chunk.
    """

    def __init__(
        self,
        distribution: str,
        key: Key,
        index: Tensor,
        *,
        replica: Any,
        dtype: torch.dtype,
        functions: DrawFunctions = PLAIN,
    ) -> None:
        self._distribution = distribution
        self._key = key
        self._replica = replica
        self._dtype = dtype
        self._functions = functions
        # Four neighbours share a block of the generator, which is made once for all of them.
        self._blocks, position = torch.unique(index >> 2, return_inverse=True)
        self._lanes = 4 * position + (index & 3)
        samples = replica.shape[0] if isinstance(replica, Tensor) else 1
        self._axes = (1, 1) if isinstance(replica, Tensor) else (1,)
        numbers = max(1, samples * index.numel())
        self.steps = max(1, min(MOST_STEPS, _MOST_NUMBERS // numbers))
        self._chunk: int | None = None
        self._numbers = torch.zeros(0)

    def at(self, step: int) -> Tensor:
        """Return the numbers of a step, (N,) or (B, N)."""
        chunk, row = divmod(step, self.steps)
        if chunk != self._chunk:
            self._numbers = self._make(chunk * self.steps)
            self._chunk = chunk
        return self._numbers[row]

    def _make(self, first: int) -> Tensor:
        """Return the numbers of a chunk that begins with a step, (K, N) or (K, B, N)."""
        steps = torch.arange(first, first + self.steps, device=self._blocks.device)
        numbers = draw_range(
            self._distribution,
            self._key,
            self._blocks,
            steps.view(-1, *self._axes),
            size=4 * self._blocks.numel(),
            replica=self._replica,
            functions=self._functions,
        )
        return numbers[..., self._lanes].to(self._dtype)
