"""Operations: their spikes of input, and those of all populations by the published tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurosim.errors import NetworkError, describe

from .network import Settings

LEARN = "learn"
BY_CUE = "recall by cue"
BY_CONTENT = "recall by content"
HOLD = 3  # steps for which cue and content are presented together
ANSWER = 6  # steps from the presentation to what is recalled, in OUT
FIRST, LAST = 5, 7  # steps from the presentation to the first and the last spike of OUT

# Spikes of each population in steps after the first input: learn, recall by cue, recall by content.
OFFSETS: dict[str, tuple[tuple[int, ...], ...]] = {
    "CueCue": ((1, 3), (1,), ()),
    "ContCue": ((1, 3), (2,), (1,)),
    "Cond": ((2, 4), (), (2,)),
    "Int": ((2, 4), (3,), (2,)),
    "CueCont": ((3, 5), (3,), (4,)),
    "ContCont": ((3, 5), (), (3,)),
    "MergeCue": ((4, 6), (4,), (5,)),
    "MergeCont": ((4, 6), (5,), (4,)),
    "OUT cue": ((5, 7), (5,), (6,)),
    "OUT content": ((5, 7), (6,), (5,)),
}
# Spikes of bits that a cue forgets while it learns others, in steps after the first input.
ECHO = {"ContCue": 2, "Cond": 3, "ContCont": 4, "MergeCont": 5, "OUT content": 6}
# Populations with a neuron per bit; those of the others stand for cues, or for the whole.
_BY_BIT = ("ContCue", "Cond", "ContCont", "MergeCont", "OUT content")


@dataclass(frozen=True)
class Operation:
    """One operation; `learn`, `by_cue` and `by_content` return valid ones.

    Attributes
    ----------
    kind : str
        `LEARN`, `BY_CUE` or `BY_CONTENT`.
    cue : int or None
        None for a recall by content.
    content : frozenset of int
        Bits; empty for a recall by cue.
    steps : int
        Duration of the input.
    """

    kind: str
    cue: int | None
    content: frozenset[int]
    steps: int = 1

    def spikes(self, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
        """Return neurons of IN and steps after the first input, (S,) each."""
        neurons = [] if self.cue is None else [self.cue]
        neurons += [settings.cues + bit for bit in sorted(self.content)]
        # Sorted by step, as sources of given spikes store them.
        return np.tile(neurons, self.steps), np.repeat(np.arange(self.steps), len(neurons))

    def __str__(self) -> str:
        bits = "{" + ", ".join(map(str, sorted(self.content))) + "}"
        if self.kind == LEARN:
            return f"learn {self.cue}: {bits}"
        return f"cue {self.cue}?" if self.kind == BY_CUE else f"{bits}?"


Schedule = Sequence[tuple[int, Operation]]  # first step of each operation, ascending


def learn(
    settings: Settings,
    cue: Any,
    content: Any,
    *,
    steps: int = HOLD,
) -> Operation:
    """Return the operation that stores a content under a cue.

    Parameters
    ----------
    settings : Settings
    cue : int
    content : iterable of int
        Bits, at least one.
    steps : int
        Duration of the input.

    Raises
    ------
    NetworkError
        If the cue is not one index of a cue, or the content is empty or has an index out of range.
        `by_cue` and `by_content` raise it likewise.
    """
    return Operation(LEARN, _cue(settings, cue, LEARN), _content(settings, content, LEARN), steps)


def by_cue(settings: Settings, cue: Any) -> Operation:
    """Return the operation that asks for the content of a cue."""
    return Operation(BY_CUE, _cue(settings, cue, BY_CUE), frozenset())


def by_content(settings: Settings, content: Any) -> Operation:
    """Return the operation that asks for all cues whose content has one of these bits."""
    return Operation(BY_CONTENT, None, _content(settings, content, BY_CONTENT))


def _cue(settings: Settings, cue: Any, operation: str) -> int:
    if not _whole(cue):
        raise NetworkError(
            f"CA3 memory, {operation}: found cue {describe(cue)}, expected the index of one cue, "
            f"0 ... {settings.cues - 1}. "
            "Present several cues one after another."
        )
    if not 0 <= cue < settings.cues:
        raise NetworkError(
            f"CA3 memory, {operation}: found cue {cue}, expected 0 ... {settings.cues - 1}. "
            "Use one of these, or a memory of more cues."
        )
    return int(cue)


def _content(settings: Settings, content: Any, operation: str) -> frozenset[int]:
    # Iteration over some of these gives whole numbers, which nobody meant as bits.
    other = isinstance(content, str | bytes | bytearray | memoryview | Mapping)
    bits = list(content) if isinstance(content, Iterable) and not other else None
    if not bits or not all(map(_whole, bits)):
        raise NetworkError(
            f"CA3 memory, {operation}: found content {describe(content)}, expected indices of "
            f"bits, at least one of 0 ... {settings.content_size - 1}. "
            "Give a set such as {0, 3}."
        )
    for bit in bits:
        if not 0 <= bit < settings.content_size:
            raise NetworkError(
                f"CA3 memory, {operation}: found bit {bit} in the content, expected 0 ... "
                f"{settings.content_size - 1}. "
                "Use these, or a memory of a larger content_size."
            )
    return frozenset(map(int, bits))


def _whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


@dataclass(frozen=True)
class Answer:
    """The answer to an operation: cues, bits, and forgotten bits that may echo."""

    cues: frozenset[int]
    content: frozenset[int]
    echo: frozenset[int] = frozenset()


def answers(schedule: Schedule) -> list[Answer]:
    """Return the answer of a perfect memory to each operation.

    A content is answered by the cues of all memories that share a bit with it.
    """
    stored: dict[int, frozenset[int]] = {}
    expected = []
    for _, operation in schedule:
        cue = operation.cue
        content = operation.content
        if cue is None:  # recall by content
            holders = frozenset(holder for holder, bits in stored.items() if bits & content)
            expected.append(Answer(holders, content))
            continue
        before = stored.get(cue, frozenset())
        if operation.kind == LEARN:
            # A cue holds one content: the new one replaces it.
            stored[cue] = content
            expected.append(Answer(frozenset([cue]), content, echo=before - content))
        else:
            expected.append(Answer(frozenset([cue]), before))
    return expected


def raster(operation: Operation, answer: Answer) -> dict[str, set[tuple[int, int]]]:
    """Return the spikes of each population that the tables give for an operation.

    They are pairs (step after the first input, neuron), echoes included. The two halves of OUT
    count their neurons from 0. Populations of contents do not answer a cue without memory.
    """
    column = (LEARN, BY_CUE, BY_CONTENT).index(operation.kind)
    by_population = {}
    for name, offsets in OFFSETS.items():
        members = (
            answer.content
            if name in _BY_BIT
            else answer.cues
            if name != "Int"
            else {0}
            if answer.content
            else set()
        )
        # A shorter presentation gives the first spike alone: the second is that of the third step.
        times = (
            offsets[column]
            if operation.kind != LEARN or operation.steps == HOLD
            else offsets[column][:1]
        )
        by_population[name] = {(offset, neuron) for offset in times for neuron in members}
        if name in ECHO:
            by_population[name] |= {(ECHO[name], bit) for bit in answer.echo}
    return by_population
