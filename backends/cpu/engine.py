"""The CPU engine: lays a Program out as operations and arguments, and runs the compiled loop."""

from __future__ import annotations

from time import perf_counter

import numpy as np

from neurosim.backend.engine import Chunk
from neurosim.ir.concrete import ConcreteNetwork
from neurosim.ir.memory import Memory
from neurosim.ir.program import Program

from . import cache
from .codegen.precision import PRECISIONS
from .kernels import sizes
from .plan.context import Context, Kernels
from .plan.delivery import Delivery
from .plan.populations import Populations
from .plan.recording import Recording
from .plan.schedule import Schedule
from .plan.tables import Tables, align
from .threads.pace import Pace
from .threads.partitions import default_partitions, first_neurons, most_partitions
from .threads.workers import Workers

# Printed like a cell, although it never differs: only functions in files of the cache are compiled
# once for all processes.
LOOP = '''"""The time loop, compiled once; it serves all networks."""

from neurosim.compiled.cached import cfunc

from {kernels} import loop


@cfunc("int64(int64, int64, int64, int64, int64, int64, int64)")
def run_steps(plan, partitions, phases, first, steps, thread, shared):
    return loop.run_steps(plan, partitions, phases, first, steps, thread, shared)
'''


class CpuEngine:
    """Runs a Program over a Memory with compiled code; `kernels.operations` lists the operations.

    Parameters
    ----------
    program, network : Program, ConcreteNetwork
    threads : int, optional
        Partitions of the network, and most threads. By default, large networks are prepared for two
        and run on one or both, whichever takes less time; the numbers are the same.
    replica : int
        Replica word of the random numbers.
    precision : ``float64`` or ``float32``

    Attributes
    ----------
    memory : Memory
    partitions : int
    pace : Pace
        Chooses the number of threads.
    """

    def __init__(
        self,
        program: Program,
        network: ConcreteNetwork,
        *,
        threads: int | None = None,
        replica: int = 0,
        precision: str = "float64",
    ) -> None:
        self.program = program
        self.replica = replica
        self.precision = PRECISIONS[precision]
        self.partitions = most_partitions(program, threads or default_partitions(program))
        bounds = {
            name: first_neurons(p.size, self.partitions) for name, p in program.populations.items()
        }
        self.memory = Memory(program, network, bounds, dtype=self.precision.dtype)
        source = LOOP.format(kernels=self.precision.kernels)
        self._loop = cache.functions("loop", source)["run_steps"]
        self.pace = Pace((self.partitions,) if threads else tuple(range(1, self.partitions + 1)))
        # Eight numbers per entry, one cache line: a thread that polls its neighbour's counter does
        # not slow down stores to the other counters.
        self._shared = shared = align(np.zeros(sizes.ARRIVED + 8 * self.partitions, np.int64))

        self._address: int = shared.ctypes.data

        def fail() -> None:
            shared[sizes.FAILED] = 1

        self._workers = Workers(self.partitions, fail)
        self._build()

    def source(self) -> str:
        """Return the printed source of cells and rules."""
        return "\n\n".join(dict.fromkeys(self.context.kernels.sources))

    def refresh(self) -> None:
        """Follow changes by the host; lay everything out anew if the layout of values changed."""
        # Printed source depends on layouts, but not on addresses and sizes: those are numbers in
        # tables, and `set` of a parameter between two runs compiles nothing.
        replaced = self.memory.replaced
        if replaced:
            if self.context.tables.are_outdated(replaced):
                self._build()
            else:
                self.context.tables.follow(replaced)
            replaced.clear()
        self.delivery.synchronise()
        self._recording.synchronise()

    def emit(self, signal: str, step: int, *, repeat: int = 0) -> None:
        """Run the handlers of a signal between two steps; see `neurosim.backend.engine`."""
        self.delivery.emit(signal, step, repeat)

    def advance(self, first: int, steps: int, *, more: bool = False) -> Chunk:
        """Run at most ``steps`` steps from step ``first``.

        Parameters
        ----------
        first, steps : int
            First step, and number of steps.
        more : bool
            Whether other steps follow before the host reads memory, so that work may be deferred.

        Returns
        -------
        Chunk
            Recorded spikes and values, and the number of steps done: fewer if a buffer of spikes
            is full or a value is not finite.
        """
        deferral = self._deferral
        self._recording.begin(first, steps)
        deferral.begin(first)
        self.pace.begin()
        done = requests = 0
        while done < steps and not requests:
            threads, count = self.pace.piece(steps - done)
            advanced, requests = self._run(first + done, count, threads=threads, fresh=not done)
            done += advanced
        chunk = Chunk(done, bool(requests < sizes.NOT_FINITE))
        if requests >= sizes.RESET_NOT_FINITE:
            chunk.steps -= 1  # the reset belongs to this step, which is not whole
            chunk.suspects = self._suspects()
        # An error message reads variables too, so that deferred work is done before it.
        if deferral.sweeps and (not more or not chunk.finite or deferral.overdue(first + steps)):
            for calls in deferral.settle():
                self._workers.call(calls)
        self._recording.collect(chunk, first)
        return chunk

    def _run(
        self,
        first: int,
        steps: int,
        *,
        threads: int,
        fresh: bool,
    ) -> tuple[int, int]:
        """Run steps on some threads; return the number of steps done, and the reasons to stop.

        ``fresh``: no step was done since memory was read.
        """
        shared = self._shared
        # Requests of an earlier call that no thread has read would end this one at once.
        shared[:] = 0
        shared[sizes.THREADS] = threads
        shared[sizes.STAGES] = len(self.program.stages)
        arguments = *self._plan_arguments, first, steps
        calls = [(self._loop, *arguments, thread, self._address) for thread in range(threads)]
        began = perf_counter()
        done = self._workers.call(calls, together=fresh)
        self.pace.learn(threads, done, perf_counter() - began)
        # Of a list: a sum of an array takes as long as a step of a small network.
        requests = sum(shared[sizes.REQUESTS : sizes.FAILED : 8].tolist())
        return done, requests & ~sizes.LATE  # waiting long ends a piece, not the stretch

    def _suspects(self) -> dict[str, np.ndarray]:
        """Return by population the neurons of partitions whose reset made a wrong value, (N,)."""
        wrong = self._shared[sizes.WRONG :: 8] != 0
        return {name: np.repeat(wrong, np.diff(b)) for name, b in self.memory.bounds.items()}

    def _build(self) -> None:
        """Lay out arrays, arguments and operations."""
        for key, array in self.memory.arrays.items():
            if key[0] in self.program.populations or key[1] == "_ring":
                self.memory[key] = align(array)  # loops over neurons run through it
        tables = Tables(self.memory)
        self.context = Context(
            program=self.program,
            memory=self.memory,
            tables=tables,
            kernels=Kernels(self.precision),
            precision=self.precision,
            partitions=self.partitions,
            bounds=self.memory.bounds,
            dt=tables.keep(np.array([self.program.dt])),
            replica=self.replica,
        )
        # Operations execute in this order. Delivery needs a barrier in front of it, since it reads
        # the spikes of all partitions. Reset and traces concern a partition's own neurons, and
        # spikes that are recorded have not changed since that barrier.
        schedule = Schedule(self.partitions)
        populations = Populations(self.context)
        self.delivery = Delivery(self.context)
        self._deferral = self.delivery.deferral
        for stage, names in enumerate(self.program.stages):
            if stage > 0:
                schedule.begin_phase()
                self.delivery.append_within(names, schedule)
            populations.append(names, schedule)
        populations.append_signals(schedule)
        schedule.begin_phase()
        self._recording = Recording(self.context)
        self._recording.begin_delivery(schedule)
        self.delivery.append(schedule)
        populations.reset(schedule)
        self._recording.end_step(schedule)
        plan, phases = schedule.write(tables)
        self._plan_arguments = plan.ctypes.data, self.partitions, phases
        self.memory.replaced.clear()
