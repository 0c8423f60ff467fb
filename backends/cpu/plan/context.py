"""The context of a run's plan: program, memory and all else that each part of the plan needs."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from neurosim.compiled.machine_code import Function
from neurosim.draws.streams import key_of
from neurosim.ir.memory import Key, Memory
from neurosim.ir.program import Program, ProjectionProgram

from .. import cache
from ..codegen.precision import Precision
from ..codegen.printing import Layout, wrapper
from ..kernels.operations import History
from .tables import Tables

_LONGEST_STEM = 60  # characters of a name that a file's name begins with


class Kernels:
    """Loads compiled kernels, and keeps the source of those that were printed.

    Parameters
    ----------
    precision : Precision

    Attributes
    ----------
    sources : list of str
        Printed source, in the order in which it was loaded.
    """

    def __init__(self, precision: Precision) -> None:
        self._precision = precision
        self.sources: list[str] = []

    def load(self, name: str, source: str) -> dict[str, Function]:
        """Return the compiled functions of a cell or rule of some name."""
        self.sources.append(source)
        # The name becomes part of a file's name, and a cell may be called "a/b".
        return cache.functions(re.sub(r"\W", "_", name[:_LONGEST_STEM], flags=re.ASCII), source)

    def address(self, module: str, function: str) -> int:
        """Return the address of a kernel of a module in `kernels`."""
        # Through printed source too, since only that keeps its machine code.
        source = wrapper(module, function, self._precision)
        return cache.functions(function, source)[function].address


@dataclass(frozen=True, eq=False)
class Context:
    """Everything that the parts of a plan share; none of them knows another, or the engine.

    A run that is dropped therefore frees its arrays at once: no object refers to its owner.

    Attributes
    ----------
    program : Program
    memory : Memory
    tables : Tables
    kernels : Kernels
    precision : Precision
    partitions : int
    bounds : dict of str to (P + 1,) int64
        First neurons of the partitions of a population, and its size.
    dt : (1,) float64, ms
        Compiled code reads it there.
    replica : int
        Replica word of the random numbers.
    """

    program: Program
    memory: Memory
    tables: Tables
    kernels: Kernels
    precision: Precision
    partitions: int
    bounds: dict[str, np.ndarray]
    dt: np.ndarray
    replica: int

    def history(self, population: str) -> History:
        """Return the arguments by which operations find the spikes of a population."""
        spikes = self.memory[population, "_history"]
        return History(
            spikes=(population, "_history"),
            counts=(population, "_count"),
            partitions=self.partitions,
            neurons=spikes.shape[1],
            depth=spikes.shape[0],
            starts=self.tables.keep(self.bounds[population][:-1]),
        )

    def stream_key(self, name: str) -> tuple[int, int]:
        """Return the key words of a random stream."""
        return key_of(self.program.seed, name)

    def ring(self, p: ProjectionProgram) -> Key:
        """Return where a projection adds up its term.

        It is the port itself if the projection is the port's first and its term lands at once.
        """
        # The first term is added to a port of 0, which gives the term itself: it may be summed in
        # the port. A ring of several steps holds terms of later steps too, and stays apart.
        population = self.program.populations[p.target]
        port = str(p.port)
        terms = population.contributions[port] + population.same_step[port]
        if terms[0] == p.name and self.memory[p.name, "_ring"].shape[0] == 1:
            return p.target, f"_port_{p.port}"
        return p.name, "_ring"

    def layout(self, owner: str, name: str) -> Layout:
        """Return how the values of a population or projection lie for a rule that reads them."""
        population = self.program.populations.get(owner)
        if population is not None and name in population.code.states:
            return "per_neuron"
        layout = self.tables.rely_on_layout((owner, name))
        if population is None and layout != "scalar":
            return "per_neuron"
        return layout
