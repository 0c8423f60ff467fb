"""The CPU engine: lays a Program out as lists of operations and tables of addresses, and runs the compiled time loop over them."""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor
from time import perf_counter
from typing import Any

import numpy as np

from neurosim.backend.engine import Chunk
from neurosim.ir.concrete import ConcreteNetwork
from neurosim.ir.memory import Memory
from neurosim.ir.program import PopulationProgram, Program

from . import cache
from .codegen.cells import print_cell
from .codegen.precision import PRECISIONS
from .codegen.printing import wrapper
from .kernels import loop
from .plan.delivery import Delivery
from .plan.recording import Recording
from .plan.tables import Tables, aligned, kind
from .threads.cores import Cores
from .threads.pace import Pace
from .threads.partitions import default_threads, most_threads

LOOP = '''"""The time loop, compiled once; it serves all networks."""

from numba import cfunc

from {place} import loop


@cfunc("int64(int64, int64, int64, int64, int64, int64, int64)", error_model="numpy", cache=True)
def run_steps(plan, parts, phases, first, steps, thread, shared):
    return loop.run_steps(plan, parts, phases, first, steps, thread, shared)
'''


class CpuEngine:
    """Runs a Program over a Memory with compiled code; see `neurosim.backends.cpu.kernels.loop` for the operations.

    Parameters
    ----------
    threads : int, optional
        Unless given, large networks are prepared for two and run on one or both, whichever takes less time; the numbers are the same.
    replica : int
        Replica word of the random numbers.
    precision : ``float64`` or ``float32``
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
        self.program, self.replica, self.precision = program, replica, PRECISIONS[precision]
        self.threads = most_threads(program, threads or default_threads(program))
        bounds = {p.name: partition(p.size, self.threads) for p in program.populations.values()}
        self.memory = Memory(program, network, bounds, dtype=self.precision.dtype)
        self._loop = cache.load("loop", LOOP.format(place=self.precision.place)).run_steps
        self._pool: tuple[int, ThreadPoolExecutor] | None = (
            None  # process that made it, threads beside the caller's
        )
        self.pace = Pace((self.threads,) if threads else tuple(range(1, self.threads + 1)))
        self._shared = aligned(np.zeros(loop.ARRIVED + 8 * self.threads, np.int64))
        self._build()

    def source(self) -> str:
        return "\n\n".join(dict.fromkeys(self._sources))

    def refresh(self) -> None:
        """Follow arrays that the host replaced; lay everything out anew where a parameter became one per neuron, or the like."""
        if any(
            self._tables.kinds.get(key, kind(self.memory, key)) != kind(self.memory, key)
            for key in self.memory.replaced
        ):
            self._build()
        else:
            self._tables.follow(self.memory.replaced)
        self.memory.replaced.clear()
        self._delivery.synchronise()
        self._recording.synchronise()

    def emit(self, signal: str, step: int) -> None:
        self._delivery.emit(signal, step)

    def advance(self, first: int, steps: int, *, more: bool = False) -> Chunk:
        """Run at most ``steps`` steps; ``more``: others follow before the host looks at memory, so that work may be put off until then."""
        deferral = self._delivery.deferral
        self._recording.prepare(first, steps)
        deferral.begin(first)
        self.pace.begin()
        done = asked = 0
        while done < steps and not asked:
            threads, count = self.pace.piece(steps - done)
            self._shared[:] = 0
            self._shared[loop.THREADS] = threads
            began = perf_counter()
            found = self._together(
                [
                    (self._loop, *self._plan, first + done, count, thread, self._shared.ctypes.data)
                    for thread in range(threads)
                ]
            )
            self.pace.learn(threads, found, perf_counter() - began)
            done += found
            asked = int(self._shared[loop.ASKED : loop.FAILED : 8].sum()) & ~loop.LATE
        chunk = Chunk(done, bool(asked < loop.NOT_FINITE))
        if not more or not chunk.finite or deferral.overdue(first + steps):
            for calls in deferral.settle():
                self._together(calls)
        self._recording.collect(chunk, first)
        return chunk

    def _together(self, calls: list[tuple[Any, ...]]) -> int:
        """Call compiled functions, each with its arguments and on a thread of its own; return the result of the first."""
        cores = Cores()
        others: list[Future[int]] = []

        def one(call: tuple[Any, ...]) -> int:
            try:
                if len(calls) > 1:
                    cores.take()
                function, *arguments = call
                return int(function.ctypes(*arguments))
            except BaseException:
                self._shared[loop.FAILED] = 1  # the others wait for this thread
                raise

        try:
            for call in calls[1:]:
                others.append(self._workers().submit(one, call))
            result = one(calls[0])
            for other in others:
                other.result()
            return result
        except BaseException:
            self._shared[loop.FAILED] = 1
            if self._pool is not None:
                self._pool[1].shutdown(cancel_futures=True)  # what was submitted must not run later
            self._pool = None
            raise

    def _workers(self) -> ThreadPoolExecutor:
        """Return the threads beside the caller's: new ones in a process that was forked, for those of its parent do not exist there."""
        if self._pool is None or self._pool[0] != os.getpid():
            self._pool = os.getpid(), ThreadPoolExecutor(self.threads - 1)
        return self._pool[1]

    # ---- layout

    def _build(self) -> None:
        for key, array in self.memory.arrays.items():
            if (
                key[0] in self.program.populations or key[1] == "_ring"
            ):  # what loops over neurons run through
                self.memory[key] = aligned(array)
        self._tables = Tables(self.memory)
        self._sources: list[str] = []
        self._dt = np.array([self.program.dt])
        self._delivery = Delivery(self)
        self._recording = Recording(self)
        self._rows: list[list[list[Any]]] = [[] for _ in range(self.threads)]
        resets: list[tuple[int, list[Any]]] = []
        for p in self.program.populations.values():
            resets += self._population(p)
        for rows in self._rows:
            rows.append([loop.MEET])
        self._delivery.lay_out(self._rows)
        for thread, row in resets:
            self._rows[thread].append(row)
        self._recording.lay_out(self._rows)
        self._ops = [self._tables.block(rows, loop.WIDTH) for rows in self._rows]
        meetings = [[n for n, row in enumerate(rows) if row[0] == loop.MEET] for rows in self._rows]
        plan = self._tables.block(
            [[ops, 0, *meet, len(ops)] for ops, meet in zip(self._ops, meetings, strict=True)],
            3 + len(meetings[0]),
        )
        self._plan = plan.ctypes.data, self.threads, 1 + len(meetings[0])
        self.memory.replaced.clear()

    def history(self, population: str) -> list[Any]:
        """The arguments 1 to 6 by which operations find the spikes of a population."""
        memory = self.memory
        history, bounds = memory[population, "_history"], memory.bounds[population]
        return [
            (population, "_history"),
            (population, "_count"),
            bounds.size - 1,
            history.shape[1],
            history.shape[0],
            self._tables.keep(bounds[:-1]),
        ]

    def kernel(self, name: str, source: str, function: str) -> int:
        """Return the address of a compiled kernel; its source joins `source`."""
        self._sources.append(source)
        return getattr(cache.load(name, source), function).address

    def own_kernel(self, module: str, function: str) -> int:
        """Return the address of a kernel of a module of this engine."""
        return getattr(
            cache.load(function, wrapper(module, function, self.precision)), function
        ).address

    def _population(self, p: PopulationProgram) -> list[tuple[int, list[Any]]]:
        """Add the phases 1 to 3 of a population to every thread; return phase 5."""
        bounds = self.memory.bounds[p.name]
        places = self.history(p.name)
        if p.given:
            for thread, rows in enumerate(self._rows):
                rows.append(
                    [
                        loop.GIVEN,
                        *places[:5],
                        bounds[thread],
                        bounds[thread + 1],
                        (p.name, "_given_step"),
                        (p.name, "_given_index"),
                        ("size", (p.name, "_given_step")),
                    ]
                )
            return []
        propagators = p.code.propagator.names if p.code.propagator else []
        shapes = {
            n: kind(self.memory, (p.name, n))
            for n in (*p.code.parameters, *(n for n, _ in p.code.hosted), *propagators)
        }
        self._tables.kinds |= {(p.name, n): s for n, s in shapes.items()}
        source, entries = print_cell(p.code, shapes, precision=self.precision)
        integrate = self.kernel(_plain(p.code.name), source, "integrate")
        fired = self._tables.keep(aligned(np.zeros((p.size + 63) // 64 * 64, np.uint8)))
        draws = {
            f"@draw{d.key}": self._tables.keep(aligned(np.zeros(p.size + 8, self.precision.dtype)))
            for d in p.code.draws
        }
        special = {
            "@dt": self._tables.keep(self._dt),
            "@fired": fired,
            "@size": p.size,
            "#_refractory": ("size", (p.name, "_refractory")),
            **draws,
        }
        table = self._tables.block([[special.get(e, (p.name, e)) for e in entries]], len(entries))
        resets = []
        for thread, rows in enumerate(self._rows):
            start, stop = bounds[thread], bounds[thread + 1]
            for d in p.code.draws:
                keys = self._tables.block(
                    [[draws[f"@draw{d.key}"], *self.key(f"{p.name}/draw{d.key}"), self.replica]], 4
                )
                rows.append(
                    [
                        loop.KERNEL,
                        self.own_kernel("draws", "uniforms" if d.kind == "uniform" else "normals"),
                        keys,
                        start,
                        stop,
                    ]
                )
            rows.append([loop.INTEGRATE, integrate, table, start, stop])
            if p.code.detect is not None:
                rows.append([loop.COLLECT, *places[:5], start, stop, fired])
                if p.code.after or p.code.refractory:
                    resets.append(
                        (
                            thread,
                            [
                                loop.RESET,
                                *places,
                                self.kernel(_plain(p.code.name), source, "reset"),
                                table,
                            ],
                        )
                    )
        return resets

    def key(self, name: str) -> tuple[int, int]:
        """Return the key words of a stream."""
        from neurosim.draws.streams import key_of

        return key_of(self.program.seed, name)


def partition(size: int, threads: int) -> np.ndarray:
    """Return the first neurons of equal ranges, (T + 1,); ranges begin at multiples of 64 so that no two threads share a cache line."""
    return np.array(
        [min(round(size * t / threads / 64) * 64, size) for t in range(threads)] + [size], np.int64
    )


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name)
