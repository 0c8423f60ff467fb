"""Which handlers of post-spikes are deferred, and the notes that a run keeps of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from neurosim.expr.tree import names
from neurosim.ir.program import PlasticProjection, RuleProgram
from neurosim.model.binding import BoundStatement, Symbol

from ..kernels.operations import NoteArguments
from ..kernels.sizes import CHUNK, DEPTH
from .tables import Tables

LEAST = 16  # edges per group: with fewer, the search for spikes costs more than it saves
MOST_STEPS = 1 << 30  # of a stretch: notes count steps in 32 bits


def is_deferred(p: PlasticProjection) -> bool:
    """Return whether "post" handlers are deferred.

    The rule must allow it, and there must be at least `LEAST` edges per source group (scanned on
    catch-up) and per target group (whose spike times are stored).
    """
    if not deferrable(p.code):
        return False
    sources = p.groups("pre").neuron.size
    targets = p.groups("post").neuron.size
    return p.targets.size >= LEAST * max(sources, targets)


def deferrable(code: RuleProgram) -> bool:
    """Return whether a rule allows that its "post" handler is deferred.

    The handler must assign edge variables, and read only these, parameters, and pre variables that
    "pre" handlers alone change: these change when the edge catches up, and not before.
    """
    triggers = [trigger for trigger, _ in code.handlers]
    if triggers.count("pre") != 1 or triggers.count("post") != 1:
        return False
    handlers = dict(code.handlers)
    post = [s for s in handlers["post"] if s.action != "assign" or s.side == "edge"]
    if not post or any(s.action != "assign" for s in post):
        return False
    if all(s.side != "edge" for s in handlers["pre"]):
        return False  # arriving spikes do not visit edges, so nothing is gained
    in_steps = [s for trigger, statements in code.handlers if trigger == "step" for s in statements]
    in_steps += code.integrate
    # Variables that are read in each step count too: a deferred change would come too late.
    changing = {s.target for s in in_steps}.union(*(names(s.value) for s in in_steps))
    assigned = {s.target for s in post}
    return not changing & assigned and _reads_only_lasting(dict(code.symbols), post, changing)


def _reads_only_lasting(
    symbols: dict[str, Symbol], statements: list[BoundStatement], changing: set[str]
) -> bool:
    """Return whether statements read nothing that may change before their edge catches up."""
    read = {s.target for s in statements}.union(*(names(s.value) for s in statements))

    def lasts(symbol: Symbol) -> bool:
        if symbol.role in ("parameter", "word"):
            return True
        return symbol.role == "variable" and symbol.side != "post" and symbol.name not in changing

    return all(lasts(symbols[name]) for name in read if name in symbols)


class Deferral:
    """The deferred work of a run: notes of post-spikes, by projection and partition.

    Parameters
    ----------
    tables : Tables

    Attributes
    ----------
    sweeps : dict of str to list
        Projection -> calls, one per partition, by which all its edges catch up.
    """

    def __init__(self, tables: Tables) -> None:
        self.sweeps: dict[str, list[tuple[Any, ...]]] = {}
        self._tables = tables
        self._settled = True
        # (array, its value where nothing is noted)
        self._notes: list[tuple[np.ndarray, int]] = []
        self._first = tables.keep(np.zeros(1, np.int64))  # notes count steps from here

    def begin(self, step: int) -> None:
        """Count steps from here if nothing is deferred."""
        # Otherwise notes hold steps since an earlier one, which must stay.
        if self._settled and self.sweeps:
            self._first[0] = step
            self._settled = False

    def overdue(self, step: int) -> bool:
        """Return whether steps will soon be too many to be counted in 32 bits."""
        return step - int(self._first[0]) >= MOST_STEPS

    def settle(self) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the calls after which nothing is deferred, those of each projection together.

        All calls must be made before the next ones are requested.
        """
        # The calls of a projection may run side by side: each changes edges of its own partition.
        yield from self.sweeps.values()
        self._settled = True

    def forget(self) -> None:
        """Drop deferred work, which belongs to a state that the host has replaced."""
        if self._settled:
            return
        for array, empty in self._notes:
            array[...] = empty
        self._settled = True

    def notes(self, p: PlasticProjection, bounds: np.ndarray) -> list[NoteArguments]:
        """Return room for the notes of every partition; ``bounds`` are those of the targets."""
        keep = self._tables.keep
        pre = p.groups("pre")
        post = p.groups("post")
        # Each spike of a target is noted by the partition that owns the target.
        counts = self._note(np.zeros(post.neuron.size, np.int32))
        steps = self._note(np.full((DEPTH, post.neuron.size), -1, np.int32))
        longest = int(np.diff(pre.pointer).max(initial=0))
        # One more, since `pending` writes an entry before it knows whether to count it.
        room = min(longest, CHUNK) * DEPTH + 1
        return [
            NoteArguments(
                groups=post.neuron.size,
                counts=counts,
                steps=steps,
                done=self._note(np.full(pre.neuron.size, -1, np.int32)),
                edges=keep(np.zeros(room, np.int32)),
                when=keep(np.zeros(room, np.int32)),
                first=self._first,
                full=self._note(np.zeros(1, np.int64)),
                pre_groups=pre.neuron.size,
                begin=post.first[begin],
                end=post.first[end],
            )
            for begin, end in zip(bounds[:-1], bounds[1:], strict=True)
        ]

    def _note(self, empty: np.ndarray) -> np.ndarray:
        """Keep an array that is now as it is if nothing is noted."""
        array = self._tables.keep(empty)
        # All its elements are equal now, so one tells how to empty it.
        value = int(array.flat[0]) if array.size else 0
        self._notes.append((array, value))
        return array
