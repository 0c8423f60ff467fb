"""The limit that memory sets: bandwidth per level, cost of an event, least time of a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

DRAW = 0.33e-9  # s, see `Traffic.draws`
ROUNDS = 4  # in which all of memory is measured; the best counts
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
USUAL = {"L1": 32 << 10, "L2": 512 << 10, "L3": 16 << 20}  # bytes, where the system does not say


@dataclass(frozen=True)
class Memory:
    """Bandwidths of copying (bytes read and written per second) by (level, threads), sizes of the
    levels in bytes, seconds of one event.
    """

    sizes: dict[str, int]
    copy: dict[tuple[str, int], float]
    event: float

    def plain(self) -> dict[str, object]:
        """Return it in GB/s and ns, as JSON takes it."""
        return {
            "GB/s": {
                f"{level}, {threads}": round(value / 1e9, 1)
                for (level, threads), value in self.copy.items()
            },
            "KiB": {level: size >> 10 for level, size in self.sizes.items()},
            "ns per event in L1": round(self.event * 1e9, 3),
        }

    def level(self, size: float) -> str:
        """Return the smallest level that holds so many bytes."""
        return next((level for level, most in self.sizes.items() if size <= most), "DRAM")


@dataclass(frozen=True)
class Traffic:
    """What one step moves.

    Attributes
    ----------
    numbers : int
        Numbers read or written per neuron update: states, and input that is summed for one step,
        twice; refractoriness, and parameters that differ between neurons, once.
    draws : int
        Random numbers per neuron update. Each is taken to need `DRAW`, 0.33 ns, which is not
        measured in the run: it is what a normal number from a counter took in a prototype of this
        engine, in float32, vectorised with AVX-512.
    weights : int
        Numbers per edge besides its target; 0 where edges share one.
    """

    numbers: int
    draws: int = 0
    weights: int = 0

    def update(
        self, memory: Memory, neurons: int, *, number: int = 8, threads: int = 1
    ) -> tuple[int, str]:
        """Return the bytes that an update moves, and the level of a thread's share of the neurons:
        what moves twice lies there once.
        """
        return self.numbers * number, memory.level(
            neurons * (self.numbers + 1) // 2 * number / threads
        )


def least_seconds(
    memory: Memory, traffic: Traffic, work: Mapping[str, int], *, number: int = 8, threads: int = 1
) -> float:
    """Return the time that no engine can go below: state at the bandwidth of its level, then events
    by streaming their rows or by adding.

    Parameters
    ----------
    work : mapping
        Numbers of ``neurons``, ``updates``, ``edges``, bytes of their ``targets``, events
        ``static``, ``plastic`` (which write their weights) and ``back``.
    number : bytes
        Of a number: 8 or 4.
    """
    state, near = traffic.update(memory, work["neurons"], number=number, threads=threads)
    integrate = work["updates"] * (
        state / memory.copy[near, threads] + traffic.draws * DRAW / threads
    )
    row = work["targets"] / max(work["edges"], 1) + traffic.weights * number
    level = memory.level(work["edges"] * row / threads)
    moved = (work["static"] + work["plastic"]) * row + (work["plastic"] + work["back"]) * number
    events = work["static"] + work["plastic"] + work["back"]
    return integrate + max(moved / memory.copy[level, threads], events * memory.event / threads)


def measure_memory(
    *,
    threads: tuple[int, ...] = (1, 2),
    seconds: float = 0.15,
    clock: Callable[[], float] = perf_counter,
) -> Memory:
    """Measure copies that fit into each level, and additions at random places of a vector in L1.

    All take turns, and the best of each counts: a core that was busy for a while would lower a
    bandwidth, and with it the limit.
    """
    sizes = cache_sizes()
    copy, scatter = _kernels()
    spans = {level: size // 2 for level, size in sizes.items()} | {
        "DRAM": max(8 * sizes["L3"], 256 << 20)
    }
    target = np.random.default_rng(0).integers(0, 2048, 4096).astype(np.uint16)
    vector, weights = np.zeros(2048), np.ones(4096)
    speeds = {(level, count): 0.0 for level in spans for count in threads}
    event = np.inf
    for _ in range(ROUNDS):
        for level, count in speeds:
            part = spans[level] // (count if level in ("L3", "DRAM") else 1) // 16
            arrays = [(np.ones(part), np.zeros(part)) for _ in range(count)]
            wall = _per_turn(lambda turns, a=arrays: _together(copy, a, turns), seconds, clock)
            speeds[level, count] = max(
                speeds[level, count], sum(2 * a.nbytes for a, _ in arrays) / wall
            )
        event = min(
            event,
            _per_turn(lambda turns: scatter(vector, target, weights, turns), seconds, clock)
            / target.size,
        )
    return Memory(sizes, speeds, event)


def cache_sizes() -> dict[str, int]:
    """Return bytes of the data caches that one core sees."""
    sizes = dict(USUAL)
    for index in sorted(CACHES.glob("index*")):
        if (index / "type").read_text().strip() != "Instruction":
            sizes[f"L{(index / 'level').read_text().strip()}"] = (
                int((index / "size").read_text().strip().removesuffix("K")) << 10
            )
    return sizes


def _kernels():
    """Return compiled loops that do not hold the interpreter's lock."""
    from numba import njit

    @njit("void(float64[::1], float64[::1], int64)", nogil=True)
    def copy(a, b, turns):
        for turn in range(turns):
            for i in range(a.size):
                b[i] = a[i] + turn

    @njit("void(float64[::1], uint16[::1], float64[::1], int64)", nogil=True)
    def scatter(vector, target, weights, turns):
        for _ in range(turns):
            for i in range(target.size):
                vector[target[i]] += weights[i]

    return copy, scatter


def _together(kernel, arguments, turns: int) -> None:
    with ThreadPoolExecutor(len(arguments)) as pool:
        list(pool.map(lambda pair: kernel(*pair, turns), arguments))


def _per_turn(call, seconds: float, clock: Callable[[], float]) -> float:
    """Return the least seconds of one turn over five tries, each long enough to be measured."""
    call(1)
    turns, wall = 1, 0.0
    while wall < seconds / 5:
        turns = max(2 * turns, 1) if wall < seconds / 50 else int(turns * seconds / 4 / wall) + 1
        began = clock()
        call(turns)
        wall = clock() - began
    least = wall
    for _ in range(4):
        began = clock()
        call(turns)
        least = min(least, clock() - began)
    return least / turns
