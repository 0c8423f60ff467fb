"""Launches: kernels with their arguments, in the order of a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import triton.language as tl
from torch import Tensor

from neurosim.draws.streams import Key as StreamKey
from neurosim.ir.memory import Key
from neurosim.ir.program import Program

from ..tensors.samples import Samples
from . import kernels
from .printing import Argument, Arguments
from .words import Words

# Lanes of a program on a GPU. The interpreter is slow by the program, not by the lane.
_COMPILED = 256
_INTERPRETED = 1 << 16
OPTIONS = {"num_warps": 4, "enable_fp_fusion": False}


@dataclass(frozen=True)
class Launch:
    """A kernel with its arguments.

    Attributes
    ----------
    kernel : Triton kernel
    grid : (programs, samples)
    arguments : tuple
    constants : name -> number
        Arguments that the compiler knows.
    """

    kernel: Any
    grid: tuple[int, int]
    arguments: tuple[Any, ...]
    constants: Mapping[str, Any]

    def run(self) -> None:
        """Run the kernel, or queue it on the current stream of the device."""
        # Without fusion: a fused product and sum is rounded once, and engines round it twice.
        self.kernel[self.grid](*self.arguments, **self.constants, **OPTIONS)


@dataclass
class Device:
    """Everything that launches share.

    Attributes
    ----------
    program : Program
    samples : Samples
    words : Words
    clock : int64
        See `words`.
    fired : (B, D, W) uint8
        The spikes of the last D steps, of all populations side by side.
    columns : population -> int
        Its first column in ``fired``.
    structure : key -> tensor
        Arrays that memory does not hold: indices of edges and groups, marks, terms of sums.
    sources : source -> kernels
        Printed source, each once.
    """

    program: Program
    samples: Samples
    words: Words
    clock: Tensor
    fired: Tensor
    columns: dict[str, int]
    structure: dict[Key, Tensor] = field(default_factory=dict)
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    _kernels: dict[str, Any] = field(default_factory=dict)

    @property
    def device(self) -> torch.device:
        return self.clock.device

    @property
    def single(self) -> bool:
        """Whether numbers are float32."""
        return self.words.namespace["_REAL"] == tl.float32

    @property
    def real(self) -> torch.dtype:
        """The type of the run's numbers."""
        return torch.float32 if self.single else torch.float64

    @property
    def count(self) -> int:
        """Samples side by side."""
        return self.fired.shape[0]

    @property
    def block(self) -> int:
        """Lanes of a program."""
        return _INTERPRETED if self.words.interpreted else _COMPILED

    @property
    def lanes(self) -> int:
        """Lanes of a block of folds."""
        return 1024 if self.words.interpreted else kernels.LANES

    @property
    def ring(self) -> tuple[Tensor, int, int]:
        """The ring of spikes, its depth and its width."""
        return self.fired, self.fired.shape[1], self.fired.shape[2]

    # ---- arrays

    def tensor(self, key: Key) -> Tensor:
        """Return an array of memory or of the structure."""
        return self.structure[key] if key in self.structure else self.samples.tensors[key]

    def hold(self, key: Key, values: np.ndarray, dtype: type = np.int32) -> Tensor:
        """Keep an array of the structure on the device.

        Parameters
        ----------
        key : Key
        values : array of any shape
            Copied.
        dtype : type
            Of the elements on the device.

        Returns
        -------
        Tensor
            Of the same shape; one 0 if there is no element.
        """
        array = np.ascontiguousarray(values, dtype)
        # One element at least: an empty tensor has no address that a kernel could take.
        if array.size == 0:
            array = np.zeros(1, dtype)
        self.structure[key] = torch.from_numpy(array).to(self.device, copy=True)
        return self.structure[key]

    def room(self, key: Key, size: int, dtype: torch.dtype) -> Tensor:
        """Keep an array of zeros of each sample.

        Parameters
        ----------
        key : Key
            If it is there already, the array stays as it is.
        size : int
        dtype : torch.dtype

        Returns
        -------
        (B, size) tensor
        """
        if key not in self.structure:
            shape = (self.count, max(size, 1))
            self.structure[key] = torch.zeros(shape, dtype=dtype, device=self.device)
        return self.structure[key]

    def size(self, key: Key) -> int:
        """Return the distance between two samples in an array, 0 if they share it."""
        tensor = self.tensor(key)
        # A distance of 0 lets all samples read the same row.
        return 0 if tensor.shape[0] == 1 else tensor[0].numel()

    def keys(self, streams: list[StreamKey]) -> Tensor:
        """Return the keys of draws as kernels read them."""
        words = [word for key in streams for word in key] or [0, 0]
        return torch.tensor(words, dtype=torch.int64, device=self.device)

    # ---- launches

    def launch(
        self,
        body: Callable[..., Any],
        lanes: int,
        *arguments: Any,
        block: int = 0,
        **constants: Any,
    ) -> Launch:
        """Return the launch of a kernel of `kernels`.

        Parameters
        ----------
        body : function
        lanes : int
        *arguments
            After the clock.
        block : int
            Lanes of a program; 0: as usual.
        **constants
        """
        name = body.__name__
        if name not in self._kernels:
            self._kernels[name] = self.words.kernel(body)
        kernel = self._kernels[name]
        return self._launch(kernel, lanes, (self.clock, *arguments), constants, block=block)

    def printed(
        self,
        source: str,
        name: str,
        *,
        arguments: Arguments,
        first: tuple[Any, ...],
        lanes: int,
    ) -> Launch:
        """Return the launch of a kernel of printed source.

        Parameters
        ----------
        source : str
        name : str
            Of the kernel.
        arguments : Arguments
        first : tuple
            The arguments in front of them, after the clock.
        lanes : int
        """
        if source not in self.sources:
            self.sources[source] = self.words.load(source, title=name)
        values = [self._resolve(entry) for entry in arguments.entries.values()]
        kernel = self.sources[source][name]
        return self._launch(kernel, lanes, (self.clock, *first, *values), {}, block=0)

    def _launch(
        self,
        kernel: Any,
        lanes: int,
        arguments: tuple[Any, ...],
        constants: Mapping[str, Any],
        *,
        block: int,
    ) -> Launch:
        # Blocks of the interpreter are as small as the lanes allow: it computes a whole block.
        # Compiled ones have one width, so that a kernel is compiled once for all sizes.
        width = block or min(self.block, max(32, 1 << (lanes - 1).bit_length()))
        width = width if block or self.words.interpreted else self.block
        programs = max(1, -(-lanes // width))
        grid = (programs, self.count)
        return Launch(kernel, grid, arguments, {**constants, "BLOCK": width})

    def _resolve(self, argument: Argument) -> Any:
        match argument.what:
            case "array":
                return self.tensor(argument.key)
            case "size":
                return self.size(argument.key)
            case "width":
                return self.tensor(argument.key).shape[-1]
            case "stride":
                return int(self.tensor(argument.key).shape[-1] > 1)
