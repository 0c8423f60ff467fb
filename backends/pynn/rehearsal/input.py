"""The input of a run from its memory: listed spikes, rates of Poisson sources, and drives."""

from __future__ import annotations

import numpy as np

from neurosim.draws.streams import MOST_MEAN, key_of
from neurosim.ir.memory import Memory
from neurosim.ir.program import PopulationProgram, Program
from neurosim.network.sources import BERNOULLI, POISSON

from ..translation.plan import Plan
from .layout import Layout, slots_of_edges, store_weights
from .sources import CELLS, Drives, GivenSpikes, PoissonSources, level_of, tabulate


def is_poisson(program: Program, name: str) -> bool:
    """Return whether a population emits spikes by chance."""
    return program.populations[name].code.name in (POISSON.name, BERNOULLI.name)


def read_given(memory: Memory, program: Program, layout: Layout) -> GivenSpikes:
    """Return the listed spikes of all sources.

    Parameters
    ----------
    memory : Memory
    program : Program
    layout : Layout
    """
    step = [np.zeros(0, np.int64)]
    source = [np.zeros(0, np.int64)]
    for name, population in program.populations.items():
        if population.is_spike_source:
            step.append(memory[name, "_given_step"])
            source.append(memory[name, "_given_index"] + layout.numbering.sources[name])
    steps = np.concatenate(step)
    sources = np.concatenate(source).astype(np.int32)
    if len(step) > 2:  # those of one population are sorted already
        order = np.lexsort((sources, steps))
        steps = steps[order]
        sources = sources[order]
    return GivenSpikes(steps, sources)


def read_poisson(memory: Memory, program: Program, layout: Layout) -> PoissonSources:
    """Return all populations of Poisson sources.

    Parameters
    ----------
    memory : Memory
    program : Program
    layout : Layout
    """
    names = [name for name in program.populations if is_poisson(program, name)]
    chances = [np.zeros((0, 1))]
    tables = []
    for name in names:
        chance, table = _read_chances(memory, program.populations[name], dt=program.dt)
        chances.append(chance)
        tables.append(table)
    # The first of `chances` is empty, so that the first population begins at 0.
    sizes = [chance.size for chance in chances]
    columns = np.array(tables, np.int64).reshape(-1, 3).T
    keys = [_key_of(program, name) for name in names]
    sources = [layout.numbering.sources[name] for name in names]
    members = [program.populations[name].size for name in names]
    return PoissonSources(
        key=np.array(keys, np.int64).reshape(-1, 2),
        source=np.array(sources, np.int64),
        size=np.array(members, np.int64),
        level=level_of(np.concatenate([chance.ravel() for chance in chances])),
        first=np.cumsum(sizes[:-1]).astype(np.int64),
        width=np.array([chance.shape[1] for chance in chances[1:]], np.int64),
        every=columns[0].copy(),
        start=columns[1].copy(),
        rows=columns[2].copy(),
        # Drawn in blocks of four, the last of which may reach beyond the population.
        draws=np.zeros(4 + max(members, default=0), np.uint32),
    )


def _key_of(program: Program, name: str) -> tuple[int, int]:
    (draw,) = program.populations[name].code.draws
    return key_of(program.seed, f"{name}/draw{draw.key}")


def _read_chances(
    memory: Memory, population: PopulationProgram, *, dt: float
) -> tuple[np.ndarray, tuple[int, int, int]]:
    """Return the chances of a spike, (rows, 1 or N), and what `Memory` says of the rows."""
    (parameter,) = population.code.parameters
    name = population.name
    values = memory[name, parameter]
    # Engine units: a rate is per ms, dt in ms.
    chance = values * dt if parameter == "rate" else values
    if (name, f"{parameter}@rows") in memory:
        every, start, rows = (int(number) for number in memory[name, f"{parameter}@rows"])
        return chance, (every, start, rows)
    return np.atleast_2d(chance), (1, 0, 1)


def read_drives(
    memory: Memory,
    program: Program,
    plan: Plan,
    layout: Layout,
) -> Drives:
    """Return all drives.

    Parameters
    ----------
    memory : Memory
    program : Program
    plan : Plan
    layout : Layout
    """
    edges = [projection for name in program.drives for projection in plan.parts(name)]
    nothing = np.zeros(0)
    means = [nothing]
    indices = [nothing]
    for projection in edges:
        size = program.drives[projection.origin].indices.size
        rate = np.broadcast_to(memory[projection.origin, "rate"], size)
        # In the order of the draws of other engines: a rate times dt, rounded once.
        means.append((rate * program.dt)[projection.edges])
        indices.append(projection.post)
    keys = [key_of(program.seed, f"{projection.origin}/counts") for projection in edges]
    slots = [slots_of_edges(projection, layout.numbering) for projection in edges]
    weights = []
    for projection in edges:
        shift = layout.shifts[projection.target, projection.receptor]
        weights.append(store_weights(projection.weight, shift))
    tables = [_tabulate(mean) for mean in means[1:]]
    longest = max((levels.size for levels, _ in tables), default=1)
    # A block of four more at either end than the neurons themselves take.
    widths = (int(np.ptp(projection.post)) + 8 for projection in edges if projection.post.size)
    # The last level is above every word: no search reaches the padding of a row.
    padded = [np.pad(levels, (0, longest - levels.size)) for levels, _ in tables]
    return Drives(
        key=np.array(keys, np.int64).reshape(-1, 2),
        first=np.cumsum([0, *(projection.post.size for projection in edges)]),
        neuron=np.concatenate(indices).astype(np.int64),
        mean=np.concatenate(means),
        slot=np.concatenate([nothing, *slots]).astype(np.uint32),
        weight=np.concatenate([nothing, *weights]).astype(np.uint16),
        level=np.array(padded, np.int64).reshape(-1, longest),
        begins=np.array([begins for _, begins in tables], np.int64).reshape(-1, CELLS),
        draws=np.zeros(max(widths, default=0), np.uint32),
    )


def _tabulate(means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the table of a drive's counts, or none if its neurons differ in their means."""
    if means.size and means[0] <= MOST_MEAN and (means == means[0]).all():
        return tabulate(float(means[0]))
    return np.zeros(1, np.int64), np.full(CELLS, -1)
