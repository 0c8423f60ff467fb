"""Spikes that come from outside the machine: lists of spikes, and Poisson draws of this package.

The draws are those of `cpu`, by the same keys, so that both run on the same input.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from neurosim.compiled.functions import FUNCTIONS
from neurosim.draws.compiled_streams import philox4x32, uniform_block
from neurosim.draws.streams import MOST_COUNTS, MOST_MEAN, NEXT_DRAW
from neurosim.expr.functions import FUNCTIONS as FUNCTIONS_OF_NUMPY

from .arithmetic.products import compile_body

_MASK = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
# Uniform numbers have a grain of 2**-32 and lie in the middle of it.
_GRAINS = 2.0**32
_LARGEST_DRAW = 1.0 - 2.0**-33
_ABOVE_ALL = 2**33  # a level that no word reaches
_BLOCK = 64  # sources that are searched for spikes together
_exp = FUNCTIONS["exp"]
CELLS = 256
_CELL_SHIFT = 24  # bits of a word below those that number its cell


class GivenSpikes(NamedTuple):
    """Listed spikes of all sources, sorted by step, then source.

    Attributes
    ----------
    step : (S,) int64
    source : (S,) int32
    """

    step: np.ndarray
    source: np.ndarray


class PoissonSources(NamedTuple):
    """Populations of Poisson sources.

    Attributes
    ----------
    key : (P, 2) int64
    source : (P,) int64
        First source of each population.
    size : (P,) int64
    level : (L,) int64
        A source spikes in a step if its word is below: row by row, of all populations one after
        the other.
    first : (P,) int64
        Where those of a population begin.
    width : (P,) int64
        Levels in a row: 1 or the size of the population.
    every, start, rows : (P,) int64
        Steps for which a row holds, first step of the first one, and number of rows.
    draws : uint32
        Room for the words of a population.
    """

    key: np.ndarray
    source: np.ndarray
    size: np.ndarray
    level: np.ndarray
    first: np.ndarray
    width: np.ndarray
    every: np.ndarray
    start: np.ndarray
    rows: np.ndarray
    draws: np.ndarray


class Drives(NamedTuple):
    """Poisson drives, of one source for each driven neuron.

    Attributes
    ----------
    key : (D, 2) int64
    first : (D + 1,) int64
        Edges ``first[d]`` to ``first[d + 1]`` are those of drive d.
    neuron : (E,) int64
        Driven neuron within its population, which numbers its draws; ascending for each drive.
    mean : (E,) float64
        Spikes per step.
    slot : (E,) uint32
    weight : (E,) uint16
    level : (D, Q) int64
        For drives of one mean: a word of at least ``level[d, k]`` has more than k spikes.
    begins : (D, CELLS) int64
        Spikes that words of each of as many parts of their range have at least; -1: the drive has
        no such table.
    draws : uint32
        Room for the words of a drive.
    """

    key: np.ndarray
    first: np.ndarray
    neuron: np.ndarray
    mean: np.ndarray
    slot: np.ndarray
    weight: np.ndarray
    level: np.ndarray
    begins: np.ndarray
    draws: np.ndarray


@compile_body
def words(block, key0, key1, step, replica):
    """Return the four words of a block of draws of a step.

    Parameters
    ----------
    block : int
        Of four indices.
    key0, key1 : int
        Words of the key.
    step, replica : int
    """
    # Counter: block, low and high word of the step, replica; as in `neurosim.draws.streams`.
    number = np.uint64(step)
    return philox4x32(
        np.uint64(block) & _MASK,
        number & _MASK,
        number >> _HALF,
        np.uint64(replica) & _MASK,
        np.uint64(key0),
        np.uint64(key1),
    )


@compile_body
def uniform_at(key, index, step, replica):
    """Return the uniform number of one index.

    Parameters
    ----------
    key : (2,) int64
    index, step, replica : int
    """
    # Four indices share a block: their last two bits choose its word.
    w0, w1, w2, w3 = words(index >> 2, key[0], key[1], step, replica)
    return uniform_block(w0, w1, w2, w3)[index & 3]


@compile_body
def fill_words(draws, blocks, first, key, step, replica):
    """Write the words of successive blocks of four.

    They are compared as they are: their uniform numbers would take twice the room.

    Parameters
    ----------
    draws : uint32
        Written.
    blocks, first : int
        Number of blocks, and the first of them.
    key : (2,) int64
    step, replica : int
    """
    # Read once: LLVM does not know that the draws which are written are not the key.
    key0 = key[0]
    key1 = key[1]
    for block in range(blocks):
        w0, w1, w2, w3 = words(first + block, key0, key1, step, replica)
        draws[4 * block] = np.uint32(w0)
        draws[4 * block + 1] = np.uint32(w1)
        draws[4 * block + 2] = np.uint32(w2)
        draws[4 * block + 3] = np.uint32(w3)


@compile_body
def find_below(draws, level, base, spiking):
    """Collect the sources whose words are below one level; return their number.

    Parameters
    ----------
    draws : (N,) uint32
    level : int
        From 0 to 2**32.
    base : int
        Number of the first source.
    spiking : int32
        Receives the sources.
    """
    count = 0
    if level <= 0:
        return count
    last = np.uint32(level - 1)
    for first in range(0, draws.size, _BLOCK):
        block = draws[first : first + _BLOCK]
        # Most blocks have no spike, which is found for several sources at once.
        below = 0
        for i in range(block.size):
            below += block[i] <= last
        if below:
            for i in range(block.size):
                if block[i] <= last:
                    spiking[count] = base + first + i
                    count += 1
    return count


@compile_body
def emit_poisson(sources, population, step, replica, spiking):
    """Draw the spikes of a population of Poisson sources; return their number.

    Parameters
    ----------
    sources : PoissonSources
    population, step, replica : int
    spiking : int32
        Receives the sources that spike.
    """
    # The last row of a table of rates stays in force.
    elapsed = max(step - sources.start[population], 0)
    row = elapsed // sources.every[population]
    row = min(row, sources.rows[population] - 1)
    width = sources.width[population]
    first = sources.first[population] + row * width
    base = sources.source[population]
    size = sources.size[population]
    key = sources.key[population]
    draws = sources.draws[:size]
    fill_words(sources.draws, (size + 3) >> 2, 0, key, step, replica)
    if width == 1:
        return find_below(draws, sources.level[first], base, spiking)
    count = 0
    level = sources.level[first : first + width]
    for index in range(size):
        if np.int64(draws[index]) < level[index]:
            spiking[count] = base + index
            count += 1
    return count


@compile_body
def poisson_count(mean, number):
    """Return the Poisson count at a quantile, by search from zero."""
    chance = _exp(-mean)
    cumulated = chance
    count = 0.0
    # A chance that has sunk to 0 adds nothing, and the search would not end.
    while number >= cumulated and chance > 0.0:
        count += 1.0
        chance = chance * mean / count
        cumulated += chance
    return count


@compile_body
def poisson_sum(mean, key, index, step, replica):
    """Return a Poisson count of any mean, as `neurosim.draws.streams.poisson_counts` does.

    Parameters
    ----------
    mean : float
        Spikes per step.
    key : (2,) int64
    index, step, replica : int
    """
    # exp(-mean) of a large mean is 0: several draws share it, each of steps far away.
    draws = 1
    if MOST_MEAN < mean <= 2 * MOST_COUNTS:
        draws = int(np.ceil(mean / MOST_MEAN))
    total = 0.0
    for number in range(draws):
        drawn = uniform_at(key, index, step + number * NEXT_DRAW, replica)
        total += poisson_count(mean / draws, drawn)
    return int(total)


@compile_body
def drive(drives, number, step, replica, slots):
    """Draw the spikes of a drive in a step, and add them to the slots of the next.

    Parameters
    ----------
    drives : Drives
    number, step, replica : int
    slots : (depth, 2 N) uint32
        Changed.
    """
    sums = slots[(step + 1) % slots.shape[0]]
    key = drives.key[number]
    inside = slice(drives.first[number], drives.first[number + 1])
    neuron = drives.neuron[inside]
    slot = drives.slot[inside]
    weight = drives.weight[inside]
    # No table serves a drive whose neurons differ in their means.
    if drives.begins[number, 0] < 0 or neuron.size == 0:
        mean = drives.mean[inside]
        for edge in range(slot.size):
            count = poisson_sum(mean[edge], key, neuron[edge], step, replica)
            sums[slot[edge]] += np.uint32(count * weight[edge])
        return
    # Neurons ascend, so that their draws lie in the blocks from the first to the last.
    first = neuron[0] >> 2
    blocks = (neuron[-1] >> 2) - first + 1
    fill_words(drives.draws, blocks, first, key, step, replica)
    level = drives.level[number]
    begins = drives.begins[number]
    for edge in range(slot.size):
        word = np.int64(drives.draws[neuron[edge] - 4 * first])
        # The table of parts begins the search next to its end.
        count = begins[word >> _CELL_SHIFT]
        while word >= level[count]:
            count += 1
        sums[slot[edge]] += np.uint32(count * weight[edge])


@lru_cache(maxsize=64)
def tabulate(mean: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the levels of Poisson counts, and the least count of each of `CELLS` parts.

    Parameters
    ----------
    mean : float
        From 0 to `MOST_MEAN`.
    """
    # The operations of `poisson_count`, in their order: both find the same counts.
    chance = float(FUNCTIONS_OF_NUMPY["exp"](np.float64(-mean)))
    cumulated = chance
    quantiles = []
    while cumulated <= _LARGEST_DRAW and chance > 0.0:
        quantiles.append(cumulated)
        chance = chance * mean / len(quantiles)
        cumulated += chance
    table = np.array(quantiles)
    lower_ends = np.arange(CELLS) / CELLS
    begins = np.searchsorted(table, lower_ends, side="right")
    return np.append(level_of(table), _ABOVE_ALL), begins


def level_of(chance: np.ndarray) -> np.ndarray:
    """Return the words whose uniform numbers are below probabilities: those below a level.

    Parameters
    ----------
    chance : (N,) float64

    Returns
    -------
    (N,) int64
        From 0 to 2**32.
    """
    # A word w is the number (w + 0.5) / 2**32; the product is exact, and the difference rounds only
    # what is far below 1.
    level = np.ceil(np.clip(chance, 0.0, 1.0) * _GRAINS - 0.5)
    return np.maximum(level, 0).astype(np.int64)
