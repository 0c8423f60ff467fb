"""A growing list of chunks, in which many short ones are joined to few long ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ..backend.engine import Chunk, join_at_spikes

Part = tuple[int, Chunk]
"""First step and recordings of some steps."""

_TOGETHER = 64  # chunks that are joined to one
_LARGE = 1 << 20  # bytes of a chunk whose objects take little beside its arrays


class JoinedChunks:
    """Chunks in the order of their steps.

    A run of one step records a kilobyte of objects, whatever it records in them. So 64 chunks in a
    row become one, 64 of those again, and so on, until they are large.

    Parameters
    ----------
    parts : iterable of (int, Chunk)
    """

    def __init__(self, parts: Iterable[Part] = ()) -> None:
        self._parts: list[Part] = list(parts)
        self._levels = [0] * len(self._parts)  # how often each was joined; -1: it is large

    def __iter__(self) -> Iterator[Part]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def append(self, step: int, chunk: Chunk) -> None:
        """Append the chunk that begins at a step."""
        self._parts.append((step, chunk))
        self._levels.append(0)
        while len(self._parts) >= _TOGETHER and self._levels[-1] >= 0:
            last = self._levels[-1]
            if self._levels[-_TOGETHER] != last:
                return
            joined = _join(self._parts[-_TOGETHER:])
            if joined is None:
                return
            self._parts[-_TOGETHER:] = [joined]
            self._levels[-_TOGETHER:] = [-1 if count_bytes(joined[1]) > _LARGE else last + 1]

    def since(self, step: int) -> list[Part]:
        """Return the chunks that end after a step."""
        count = 0
        for start, chunk in reversed(self._parts):
            if start + chunk.steps <= step:
                break
            count += 1
        return self._parts[len(self._parts) - count :]


def count_bytes(chunk: Chunk) -> int:
    """Return the bytes of all arrays of a chunk."""
    # Loops and no lists: they are counted after every step of a closed loop.
    size = 0
    for trace in chunk.traces.values():
        size += trace.nbytes
    for arrays in (*chunk.spikes.values(), *chunk.at_spikes.values()):
        for array in arrays:
            size += array.nbytes
    return size


def _join(parts: Sequence[Part]) -> Part | None:
    """Return successive chunks as one; None if steps are missing between them."""
    first = parts[0][0]
    end = first
    for start, chunk in parts:
        if start != end:
            return None
        end += chunk.steps
    chunks = [chunk for _, chunk in parts]
    joined = Chunk(end - first, chunks[-1].finite)
    for number in chunks[0].spikes:
        neurons, steps = zip(*(chunk.spikes[number] for chunk in chunks), strict=True)
        joined.spikes[number] = np.concatenate(neurons), np.concatenate(steps)
    for number in chunks[0].traces:
        traces = [chunk.traces[number] for chunk in chunks]
        # A trace without a sample may have lost its width.
        joined.traces[number] = np.concatenate([t for t in traces if len(t)] or traces[:1])
    for number in chunks[0].at_spikes:
        joined.at_spikes[number] = join_at_spikes(chunk.at_spikes[number] for chunk in chunks)
    return first, joined
