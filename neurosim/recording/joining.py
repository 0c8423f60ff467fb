"""Spikes and traces of successive parts of one run, joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..errors import NetworkError
from .samples import Spikes, Trace


def join_spikes(parts: Sequence[Spikes | None]) -> Spikes | None:
    """Return the spikes of all parts, None if no part has any.

    Raises
    ------
    NetworkError
        If the parts are of different neurons.
    """
    recorded = [spikes for spikes in parts if spikes is not None]
    if not recorded:
        return None
    # All parts of a streamed run hold the members of the spikes, so they can be compared.
    head = recorded[0]
    for spikes in recorded:
        if not np.array_equal(spikes.members, head.members):
            raise NetworkError(
                f"concatenate: one part holds spikes of {len(head.members)} neurons, "
                f"another of {len(spikes.members)} others; expected the same neurons. "
                "Give parts of one run."
            )
    index = np.concatenate([spikes.index for spikes in recorded])
    step = np.concatenate([spikes.step for spikes in recorded])
    steps = sum(spikes.steps for spikes in recorded)
    return replace(head, index=index, step=step, steps=steps)


def join_traces(parts: Sequence[Mapping[str, Trace]]) -> dict[str, Trace]:
    """Return the traces of all parts by name; a part without a sample is skipped.

    Raises
    ------
    NetworkError
        If samples are missing between two parts, or members differ.
    """
    joined = {}
    for name, head in parts[0].items():
        # A part that is shorter than the distance of samples has none, and then no members either;
        # if no part has any, the first still knows the members.
        filled = [part[name] for part in parts if len(part[name].values)] or [head]
        for before, after in zip(filled, filled[1:], strict=False):
            _require_successor(name, before, after)
        # The state before the run is that of the first part, whether it has samples or not.
        values = np.concatenate([trace.values for trace in filled])
        joined[name] = replace(filled[0], values=values, initial=head.initial)
    return joined


def _require_successor(name: str, before: Trace, after: Trace) -> None:
    # Samples are checked, not parts: a part may begin between two samples.
    due = before.first + before.every * len(before.values)
    same_members = np.array_equal(before.members, after.members)
    if after.first != due or before.every != after.every or not same_members:
        raise NetworkError(
            f"trace {name!r}: a part begins with step {after.first}, expected {due}, "
            "the same members and the same distance of samples. "
            "Give all parts of one run in order."
        )
