"""CA3Memory: the memory held open, with one method for each operation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import neurosim as ns
from neurosim.errors import NetworkError
from neurosim.network.validation import read_duration, to_steps
from neurosim.units import Time

from .network import TO_CONTENT, TO_CUE, Settings, build, record
from .operations import ANSWER, LAST, LEARN, Operation, by_content, by_cue, learn
from .residues import shortest_spacing


class CA3Memory:
    """A content-addressable memory of spiking neurons.

    It stores contents, sets of bits, under cues, and recalls them by cue or by any of their bits.

    Parameters
    ----------
    cues, content_size : int
        Each cue holds one content, a set of bits 0 ... content_size - 1 that is not empty.
    backend : str
        One that can hold a run open.
    spacing : quantity, ms, optional
        From the beginning of one operation to the next, at least 8 ms. Traces of an operation still
        act on the next one, and their residues in the weights add up over the bits of a content.
        Unless given, `residues.shortest_spacing` of the content's size: 22 ms for 10 bits, at which
        every memory can be recalled 100 times before it is learned again.
    freeze : bool
        Let synapses change while learning only. As published they always do: recall by several
        bits, of which a memory has only some, slowly makes it answer to the others too.
    amplitude : float, nA
        Of the STDP.
    watch : bool
        Record the spikes of all populations, not of OUT alone, for `picture.draw`.

    Attributes
    ----------
    run : Run
        The open run.
    schedule : list of (int, Operation)
        First step of each operation so far.

    Raises
    ------
    NetworkError
        If a size is below 1, the amplitude not positive, or the spacing too short. Every method
        raises it for a cue or content that it cannot take, and changes nothing.
    """

    def __init__(
        self,
        cues: int,
        content_size: int,
        *,
        backend: str = "cpu",
        spacing: Time | None = None,
        freeze: bool = False,
        amplitude: float = 6.0,
        watch: bool = False,
    ) -> None:
        if not isinstance(freeze, bool):
            raise NetworkError(
                f"CA3 memory, freeze: found {freeze!r}, expected True or False. Give one of these."
            )
        self.settings = Settings(cues, content_size, amplitude)
        net = build(self.settings)
        self.spacing = _read_spacing(spacing, content_size, net.dt)
        if watch:
            record(net)
        else:
            net.record(net.populations["OUT"], "spikes")
        self.freeze = freeze
        self.schedule = []
        # Prepared once: each operation continues where the one before has ended.
        self.run = ns.prepare(net, backend=backend)
        if freeze:
            self._learning(False)

    def learn(self, cue: int, content: Iterable[int]) -> None:
        """Store a content under a cue, in place of its present content.

        Parameters
        ----------
        cue : int
        content : iterable of int
            Bits, at least one.
        """
        operation = learn(self.settings, cue, content)
        if not self.freeze:
            self._do(operation)
            return
        # Also after Ctrl-C the synapses are frozen again.
        self._learning(True)
        try:
            self._do(operation)
        finally:
            self._learning(False)

    def recall_by_cue(self, cue: int) -> set[int]:
        """Return the bits of the content stored under a cue; none if there is no content."""
        return {
            int(i - self.settings.cues)
            for i in self._do(by_cue(self.settings, cue))
            if i >= self.settings.cues
        }

    def recall_by_content(self, bits: Iterable[int]) -> set[int]:
        """Return the cues whose content has one or more of some bits."""
        return {i for i in self._do(by_content(self.settings, bits)) if i < self.settings.cues}

    def wait(self, time: Any) -> None:
        """Run for a time (ms, or a quantity) without input."""
        self.run.run(time, progress=False)

    def _do(self, operation: Operation) -> list[int]:
        """Present an operation, run until the next, and return the neurons of OUT that answered."""
        start = self.run.step
        neurons, after = operation.spikes(self.settings)
        self.run.set("IN", steps=(neurons, start + after))
        self.run.run(ANSWER + 1, progress=False)
        # Read from memory in the step of the answer: joining the recording takes longer the more
        # was recorded.
        answer = self.run.memory.spikes("OUT", start + ANSWER).tolist()
        self.run.run(self.spacing - ANSWER - 1, progress=False)
        self.schedule.append((start, operation))
        return answer if operation.kind != LEARN else []

    def _learning(self, on: bool) -> None:
        # Amplitudes of 0 leave the traces running, so that learning begins with the right ones.
        amplitude = self.settings.amplitude if on else 0.0
        for name in (TO_CONTENT, TO_CUE):
            self.run.set(name, a_plus=amplitude, a_minus=amplitude)


def _read_spacing(spacing: Time | None, content_size: int, dt: float) -> int:
    shortest = shortest_spacing(content_size)
    if spacing is None:
        return shortest
    where = "CA3 memory, spacing"
    steps = int(to_steps(read_duration(spacing, where=where), dt, where=where))
    if steps <= LAST:
        raise NetworkError(
            f"{where}: found {steps} ms, expected at least {LAST + 1} ms, in which an operation is "
            f"over. Leave it out: {shortest} ms keep contents of {content_size} bits apart."
        )
    return steps
