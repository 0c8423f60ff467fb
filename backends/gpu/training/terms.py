"""Terms: the summands of a port, known for all steps or made step by step."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from .connections import Connection
from .gradients.methods import Method
from .gradients.responses import Response

History = dict[str, list[Tensor]]
"""Spikes of each step, (B, N), of the populations of a group; traces of projections as well."""


class Term(Protocol):
    """A summand of a port."""

    def at(self, k: int, history: History) -> Tensor | None:
        """Return what phase 2 of step k reads, (B, N); None: nothing."""
        ...


@dataclass(frozen=True)
class Series:
    """A summand that is known for all steps, (T, B, N)."""

    values: Tensor

    @cached_property
    def steps(self) -> tuple[Tensor, ...]:
        """The values of each step."""
        # Indexing would make a gradient of all steps for each step; this makes one of them all.
        return self.values.unbind(0)

    def at(self, k: int, history: History) -> Tensor | None:
        return self.steps[k]


@dataclass(frozen=True)
class Recurrent:
    """A projection within a group, whose spikes are made step by step.

    Attributes
    ----------
    connection : Connection
    operands : tuple of Tensor
        See `Connection.prepare`.
    method : Method
    response : Response or None
        Of the target, if traces replace spikes in the weight gradient.
    """

    connection: Connection
    operands: tuple[Tensor, ...]
    method: Method
    response: Response | None

    def at(self, k: int, history: History) -> Tensor | None:
        total: Tensor | None = None
        for number in range(len(self.connection.delays)):
            emitted = k - self.late(number)
            # Nothing was sent before the first step.
            if emitted < 0:
                continue
            spikes = history[self.connection.source][emitted]
            if self.method.cuts_spikes(emitted, k):
                spikes = spikes.detach()
            trace = None if self.response is None else self._trace(emitted, history)
            arriving = self.connection.deliver(spikes, self.operands, number, trace=trace)
            total = arriving if total is None else total + arriving
        return total

    def late(self, number: int) -> int:
        """Return the steps from a spike to its arrival, for the edges of one delay.

        Parameters
        ----------
        number : int
            Position of the delay.
        """
        return 0 if self.connection.same_step else self.connection.delays[number] + 1

    def rows(self, spikes: Tensor, history: History) -> Tensor:
        """Return what multiplies the error of the projection, of steps after another.

        Parameters
        ----------
        spikes : (T, B, N)
            Of the source.
        history : History
            Of all steps.
        """
        if self.response is None:
            return spikes
        read = [self.response.read(trace) for trace in history.get(self._trace_name, [])]
        return torch.stack(read) if read else spikes[:0]

    @property
    def _trace_name(self) -> str:
        return f"{self.connection.name}@trace"

    def _trace(self, emitted: int, history: History) -> Tensor:
        """Return the trace of the source after the spikes of a step."""
        if self.response is None:
            raise LookupError(f"projection {self.connection.name!r} has no traces")
        traces = history.setdefault(self._trace_name, [])
        # Several delays read one trace, which is followed once for each step.
        while len(traces) <= emitted:
            spikes = history[self.connection.source][len(traces)]
            before = traces[-1] if traces else None
            traces.append(self.response.follow(before, spikes))
        return self.response.read(traces[emitted])


def sum_at(terms: Iterable[Term], k: int, history: History) -> Tensor | None:
    """Return the sum of terms that phase 2 of a step reads, (B, N); None: nothing arrives.

    Parameters
    ----------
    terms : iterable of Term
    k : int
        Step.
    history : History
        Of the steps before.
    """
    # A left fold in the order of creation, as on all engines.
    total: Tensor | None = None
    for term in terms:
        summand = term.at(k, history)
        if summand is not None:
            total = summand if total is None else total + summand
    return total
