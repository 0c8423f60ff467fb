"""Samples side by side: a memory for each on the host, and tensors of all on the device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurosim.ir.concrete import ConcreteNetwork
from neurosim.ir.memory import Key, Memory
from neurosim.ir.program import Program, StaticProjection

# Arrays that only the host reads: the engine keeps spikes as a ring of conditions.
_HOST = ("_history", "_count", "_given_step", "_given_index", "_since")
_HOST_ENDS = ("@rows", "@follows")


class SampleMemory(Memory):
    """The memory of one sample, whose arrays are rows of arrays of all samples.

    Attributes
    ----------
    was_taken : bool
        Whether a snapshot or file was taken over since the engine asked.
    """

    was_taken = False

    def put(
        self,
        owner: str,
        name: str,
        index: Any,
        values: Any,
        step: int,
    ) -> None:
        """Assign some elements of an array, of this sample alone.

        Parameters
        ----------
        owner, name : str
        index : of the elements
        values : their new values
        step : int
        """
        # Weights that samples share become this sample's own first.
        self._own((owner, name))
        super().put(owner, name, index, values, step)

    def take(self, arrays: Mapping[Key, np.ndarray]) -> None:
        for key, array in arrays.items():
            if not self.arrays[key].flags.writeable and not np.array_equal(self[key], array):
                self._own(key)
        super().take({k: a for k, a in arrays.items() if self.arrays[k].flags.writeable})
        self.was_taken = True

    def _own(self, key: Key) -> None:
        """Copy an array that samples share, before it is written to."""
        if not self.arrays[key].flags.writeable:
            self[key] = self.arrays[key].copy()


class Samples:
    """Memories of B samples, and tensors (B, ...) of the same numbers.

    On the CPU device a tensor and the arrays of memory are the same numbers. On another device
    `push` and `pull` copy them. Static weights that are equal for all samples are held once.

    Parameters
    ----------
    program : Program
    network : ConcreteNetwork
    count : int
        B.
    dtype : numpy type
        Of all numbers that are not whole.
    device : torch.device

    Attributes
    ----------
    memories : list of SampleMemory
    dtype : torch.dtype
        Of all numbers that are not whole.
    tensors : key -> (B, ...) or (1, ...) tensor
        Changed in place alone, until `follow` replaces some.
    """

    def __init__(
        self,
        program: Program,
        network: ConcreteNetwork,
        *,
        count: int,
        dtype: type,
        device: torch.device,
    ) -> None:
        bounds = {p.name: np.array([0, p.size]) for p in program.populations.values()}
        self.memories = [SampleMemory(program, network, bounds, dtype=dtype) for _ in range(count)]
        self.device = device
        self.dtype = torch.from_numpy(np.zeros(0, dtype)).dtype
        self.tensors: dict[Key, Tensor] = {}
        self._bases: dict[Key, np.ndarray] = {}
        self._uneven: set[Key] = set()
        static = (p for p in program.projections.values() if isinstance(p, StaticProjection))
        self._static: set[Key] = {(p.name, "w") for p in static}
        self._keys = [key for key in self.memories[0].arrays if not _is_of_host(key[1])]
        if count > 1:
            self._share_weights(program)
        self.follow()

    def _share_weights(self, program: Program) -> None:
        # Not writeable: a host that changes weights of one sample must replace the array.
        for p in program.projections.values():
            if isinstance(p, StaticProjection):
                weights = self.memories[0][p.name, "w"].view()
                weights.flags.writeable = False
                for memory in self.memories:
                    memory.adopt((p.name, "w"), weights)

    def follow(self) -> None:
        """Follow arrays that the host has replaced or changed."""
        replaced = set().union(*(memory.replaced for memory in self.memories))
        for key in self._keys:
            if key not in self._bases or key in replaced or key in self._uneven:
                self._join(key)
        for memory in self.memories:
            memory.replaced.clear()
        self.push()

    def _join(self, key: Key) -> None:
        """Make one array, and one tensor, of the arrays of all samples."""
        arrays = [memory.arrays[key] for memory in self.memories]
        self._uneven.discard(key)
        if all(array is arrays[0] for array in arrays):
            base = arrays[0][None]
        elif all(array.shape == arrays[0].shape for array in arrays):
            base = np.stack(arrays)
            for memory, row in zip(self.memories, base, strict=True):
                memory.adopt(key, row)
        else:
            # One value here and one per neuron there, or tables of several lengths: copied again
            # whenever the host changed anything.
            base = _stack_uneven(arrays)
            self._uneven.add(key)
        self._bases[key] = base
        # Torch warns of arrays that cannot be written to; nobody writes to shared weights.
        shared = base if base.flags.writeable else base.copy()
        self.tensors[key] = torch.from_numpy(shared).to(self.device)

    def push(self) -> None:
        """Copy all numbers of memory to the device."""
        if self.device.type != "cpu":
            for key, base in self._bases.items():
                # Arrays that samples share are replaced, never written to: `_join` copies them.
                if base.flags.writeable:
                    self.tensors[key].copy_(torch.from_numpy(np.ascontiguousarray(base)))

    def pull(self) -> None:
        """Copy all numbers that the device changes to memory."""
        if self.device.type != "cpu":
            for key, base in self._bases.items():
                # No engine changes static weights, which may be most of all numbers.
                if key in self._static or key in self._uneven:
                    continue
                if base.flags.writeable:
                    base[...] = self.tensors[key].cpu().numpy()

    def take_over(self) -> bool:
        """Return whether spikes of earlier steps were replaced since the last call."""
        taken = any(memory.was_taken for memory in self.memories)
        for memory in self.memories:
            memory.was_taken = False
        return taken


def _is_of_host(name: str) -> bool:
    return name in _HOST or name.endswith(_HOST_ENDS)


def _stack_uneven(arrays: list[np.ndarray]) -> np.ndarray:
    """Stack arrays of several widths, 1 or N, and, of tables, several numbers of rows."""
    width = max(array.shape[-1] for array in arrays)
    rows = max(len(array) for array in arrays)
    stacked = []
    for array in arrays:
        if array.ndim == 1:
            stacked.append(np.broadcast_to(array, width))
            continue
        array = np.broadcast_to(array, (len(array), width))
        # After the last row it stays in force, as if it were repeated.
        stacked.append(np.concatenate([array, np.repeat(array[-1:], rows - len(array), axis=0)]))
    return np.stack(stacked)
