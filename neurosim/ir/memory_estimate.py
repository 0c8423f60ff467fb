"""How much memory a network will need, from its description alone; refused before anything is drawn or allocated."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..draws import sampling
from ..draws.sampling import index_type
from ..draws.values import Distribution
from ..errors import NetworkError
from ..model.declarations import decay_constant
from ..network.network import Network
from ..network.projections import Drive, Projection
from ..units import unit

_MARGIN = 1.03  # what is asked for to what arrays hold, as measured
_NOTED = 16  # edges per slot from which on spikes of targets are noted
_GROUP = Path("/sys/fs/cgroup")
_LITTLE = 1e8  # bytes that are there: to ask for them takes longer than a short run


def items(network: Network, *, rounded: bool = False) -> list[tuple[str, float]]:
    """Return (what, bytes) for every population and projection, largest first.

    A neuron takes 8 bytes for each state, parameter and port, 4 for each step of the longest delay after which its spikes are needed, and 8 for each
    step of the longest dendritic delay of each projection onto it. An edge takes what `_edge` says, and at least 8 while it is drawn; a slot of a
    rule (a neuron and one of the delays of its edges) about 95, mostly while slots are numbered, and 115 more where edges are so many that an engine
    may put off what spikes of targets do; a block of edges in work 16 for each. With ``rounded``, a run has numbers of 4 bytes: while values of
    edges are rounded, they lie beside those.
    """
    found: list[tuple[str, float]] = []
    for p in network.populations.values():
        values = 4 + len(p.cell.states) + len(p.cell.parameters) + len(p.cell.receives)
        found.append(
            (
                f"population {p.name!r} ({p.size} neurons)",
                p.size * (8.0 * values + _delayed(network, p.name) / network.dt),
            )
        )
    for p in network.inputs:
        if isinstance(p, Drive):
            continue
        edges = p.edge_count().most
        size = (
            edges * max(_edge(p, rounded=rounded), 8.0) * _MARGIN
            + 16.0 * min(edges, sampling.BLOCK)
            + _slots(p, edges, network.dt)
        )
        found.append((f"projection {p.name!r} ({edges:.3g} edges)", size))
    return sorted(found, key=lambda item: -item[1])


def _edge(p: Projection, *, rounded: bool) -> float:
    """Return the bytes of an edge while its run is prepared: 2 or 4 for its target, 8 for each value of its own, and 8 more where values are drawn
    and not kept, or edges are sorted by delays: 2 for each of these without a rule. Weights without a rule that are rounded take 4 more meanwhile.

    A user's array of delays takes 8 more. So does that with which a variable begins, to which it is reset, and a variable that decays: for the
    step of its last assignment. With a rule that acts on spikes of the target, 4 are for the way back; with any, 4 for each part of the delay that
    differs, and up to 8 for which edges and slots it concerns.
    """
    index, differ = (
        np.dtype(index_type(p.target.population.size)).itemsize,
        not isinstance(p.delay, float),
    )
    size = index + 8.0 * isinstance(p.delay, np.ndarray)
    if p.rule is None:
        return size + 10.0 * differ + (12.0 if rounded else 8.0) * (not isinstance(p.weight, float))
    begin = {v.name: p.weight if v.name == "w" else p.values.get(v.name, 0.0) for v in p.rule.edge}
    for v in p.rule.edge:
        size += (
            (4.0 if rounded else 8.0)
            + 8.0 * isinstance(begin[v.name], np.ndarray)
            + 8.0 * (decay_constant(v) is not None)
        )
    back = _goes_back(p)
    size += 4.125 * back + 16.0 * sum(c.per == "edge" for c in p.rule.parameters)
    size += 8.0 * (
        differ or any(isinstance(each, Distribution) for each in (p.back, *begin.values()))
    )
    axonal, dendritic, split = _differing(p)
    own = back and p.back is not None and split
    return size + (8.0 + index) * axonal + 4.0 * dendritic + index * split + 4.0 * own


def _goes_back(p: Projection) -> bool:
    return bool(p.rule.post) or any(handler.trigger == "post" for handler in p.rule.handlers)


def _differing(p: Projection) -> tuple[bool, bool, bool]:
    """Return which delays of an edge with a rule differ: to the synapse, from there on, and back."""
    differ = not isinstance(p.delay, float)
    dendritic = differ and p.dendritic_fraction > 0
    back = dendritic if p.back is None else not isinstance(p.back, float)
    return differ and p.dendritic_fraction < 1, dendritic, back and _goes_back(p)


def _slots(p: Projection, edges: float, dt: float) -> float:
    """Return the bytes of the expected number of slots; delays without bounds, of which nobody knows how many differ, count as one."""
    if p.rule is None:
        return 0.0
    axonal, _, back = _differing(p)
    returning = p.delay if p.back is None else p.back
    sides = [(len(p.source), p.delay if axonal else 0.0, 1 - p.dendritic_fraction)]
    if _goes_back(p):
        sides.append(
            (
                len(p.target),
                returning if back else 0.0,
                p.dendritic_fraction if p.back is None else 1.0,
            )
        )
    found = []
    for neurons, delay, part in sides:
        shortest, longest = _bounds(delay)
        places = neurons * (1 + part * (longest - shortest) / dt)
        found.append(-places * np.expm1(-edges / places))
    return (210.0 if edges >= _NOTED * max(found) else 95.0) * sum(found)


def _delayed(network: Network, population: str) -> float:
    """Return the bytes that a neuron takes for each step of delays, times the step (ms): spikes kept, and what lands later."""
    kept, landing = [0.0], 0.0
    for p in network.projections.values():
        longest = _bounds(p.delay)[1]
        dendritic = longest * p.dendritic_fraction if p.rule is not None else 0.0
        if p.source.name == population:
            kept.append(longest - dendritic)
        if p.target.name == population and p.rule is not None:
            landing += dendritic
            if _goes_back(p):
                kept.append(dendritic if p.back is None else _bounds(p.back)[1])
    return 4.0 * max(kept) + 8.0 * landing


def _bounds(delay: float | np.ndarray | Distribution) -> tuple[float, float]:
    """Return the shortest and longest delay (ms); 0 and 0 where nobody knows before a draw."""
    low, high = (
        delay.bounds(unit("ms"))
        if isinstance(delay, Distribution)
        else (np.min(delay, initial=np.inf), np.max(delay, initial=-np.inf))
    )
    return (float(low), float(high)) if np.isfinite(high - low) else (0.0, 0.0)


def available() -> float:
    """Return the bytes of memory that are free for new arrays, on the machine and for a container; infinity where the system does not say."""
    return min(_machine_memory(), _container_memory())


def _machine_memory() -> float:
    try:
        with open("/proc/meminfo") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return float(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (ValueError, OSError, AttributeError):
        return float("inf")


def _container_memory() -> float:
    """Return what a group of processes with a limit may still take (Linux, second version of groups); what the system could drop counts as free."""
    try:
        limit, taken = ((_GROUP / name).read_text() for name in ("memory.max", "memory.current"))
        dropped = next(
            line.split()[1]
            for line in (_GROUP / "memory.stat").read_text().splitlines()
            if line.startswith("inactive_file ")
        )
        return float(limit) - float(taken) + float(dropped)  # "max": none
    except (OSError, ValueError, StopIteration):
        return float("inf")


def demand_memory(network: Network, *, rounded: bool = False) -> None:
    """Raise NetworkError if the network will not fit into memory; the three largest items are named. See `items`."""
    parts = items(network, rounded=rounded)
    needed, free = sum(size for _, size in parts), available()
    if needed > free:
        largest = "; ".join(f"{what}: {_gigabytes(size)}" for what, size in parts[:3])
        raise NetworkError(
            f"network {network.name!r} needs about {_gigabytes(needed)} of memory, but {_gigabytes(free)} are available. "
            f"The largest items are {largest}. Use fewer edges, one weight for all edges of a projection, or a larger machine."
        )


def demand_traces(traces: Sequence[tuple[str, float]], *, held: float, time: float) -> None:
    """Raise NetworkError if what is going to be recorded, (what, bytes), will not fit into memory; the three largest traces are named.

    All that is recorded is needed twice, what is ``held`` already too: a recording is made of a copy.
    """
    new = sum(size for _, size in traces)
    needed = 2 * new + held
    if not new or needed < _LITTLE:
        return
    free = available()
    if needed > free:
        largest = "; ".join(
            f"{what}: {_gigabytes(size)}"
            for what, size in sorted(traces, key=lambda item: -item[1])[:3]
        )
        raise NetworkError(
            f"run: recording {time:g} ms needs about {_gigabytes(needed)} of memory, a copy for the result included, but "
            f"{_gigabytes(free)} are available. The largest traces are {largest}. Record with a longer every=, fewer neurons or "
            "edges, or to disk: stream= of ns.prepare and ns.simulate."
        )


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.3g} GB"
