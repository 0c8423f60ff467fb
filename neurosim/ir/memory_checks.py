"""Checks that arrays from outside fit a memory: names, shapes, types, and ranges of indices."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..errors import NetworkError, describe
from .memory import OF_ENGINE, Key, Memory
from .program import PopulationProgram, Program, StaticProjection

Layouts = Mapping[Key, tuple[tuple[int, ...], np.dtype]]
"""Shapes and types of arrays by owner and name."""

_FAR = 2**53  # steps; the clock and all steps of a memory are nearer to 0


def require_layouts(
    layouts: Layouts,
    memory: Memory,
    program: Program,
    *,
    where: str,
) -> None:
    """Raise NetworkError unless arrays have the names, shapes and types of a memory.

    Spikes are those of one segment, as `Memory.portable` returns them.

    Parameters
    ----------
    layouts : mapping of (owner, name) to (shape, dtype)
    memory : Memory
    program : Program
    where : str
        Begins the message.
    """
    differing = layouts.keys() ^ memory.arrays.keys()
    if differing:
        key = min(differing, key=repr)
        presence = "found" if key in layouts else "found no"
        raise NetworkError(
            f"{where}: {presence} array {describe(key)}, expected the arrays of this run. "
            "Save the state with this version, or load another copy."
        )
    for (owner, name), (shape, dtype) in layouts.items():
        array = memory.arrays[owner, name]
        if dtype != array.dtype or not _fits(shape, owner, name, memory, program):
            raise NetworkError(
                f"{where}: array {name!r} of {owner!r} has the shape {shape} and the type "
                f"{dtype}, expected such as {array.shape} and {array.dtype}. "
                "Load another copy or run again."
            )


def _fits(
    shape: tuple[int, ...],
    owner: str,
    name: str,
    memory: Memory,
    program: Program,
) -> bool:
    """Return whether an array may have a shape in some run of the network."""
    present = memory.arrays[owner, name].shape
    if name in ("_given_step", "_given_index"):
        return len(shape) == 1  # spikes are set in any number
    if name == "_count":
        return shape == (present[0], 1)
    if name.startswith(OF_ENGINE):
        return shape == present
    population = program.populations.get(owner)
    if population is not None:
        if (owner, f"{name}@rows") in memory:
            return len(shape) == 2 and shape[0] > 0 and shape[1] in (1, population.size)
        states = name in population.code.states or name.startswith("_port_")
        if states or name in ("_until", "_history") or name.endswith("@rows"):
            return shape == present
        return shape in ((1,), (population.size,))  # `set` may make one value many
    if owner in program.drives:
        return shape in ((1,), (program.drives[owner].indices.size,))
    projection = program.projections[owner]
    if isinstance(projection, StaticProjection) and name == "w" and projection.shared is None:
        return shape in ((1,), (projection.targets.size,))
    return shape == present


def require_values(
    arrays: Mapping[Key, np.ndarray],
    program: Program,
    *,
    step: int,
    where: str,
) -> None:
    """Raise NetworkError unless all indices and steps among arrays are in range.

    Parameters
    ----------
    arrays : mapping of (owner, name) to array
        Of shapes and types that fit.
    program : Program
    step : int
        The step that comes next.
    where : str
        Begins the message.
    """
    for population in program.populations.values():
        _require_history(arrays, population, where=where)
        if population.is_spike_source:
            _require_given(arrays, population, where=where)
    # Decays are looked up by the steps since the last assignment: none may lie ahead.
    ranges = {
        "@last": (-_FAR, step - 1),
        "_since": (-_FAR, step),
        "_until": (-_FAR, 2 * _FAR),
        "_refractory": (0, _FAR),
    }
    for (owner, name), array in arrays.items():
        ending = name[name.find("@") :] if "@" in name else name
        if ending == "@rows":
            _require_rows(array, len(arrays[owner, name.removesuffix(ending)]), owner, name, where)
        elif ending in ranges:
            least, most = ranges[ending]
            _require_range(array, least, most, where=where, owner=owner, name=name)
    for drive in program.drives:
        rate = arrays[drive, "rate"]
        if not (np.isfinite(rate) & (rate >= 0)).all():
            raise _misfit(where, drive, "rate", "finite rates of 0 or more")


def _require_rows(
    array: np.ndarray,
    length: int,
    owner: str,
    name: str,
    where: str,
) -> None:
    """Raise NetworkError unless (steps per row, first step, number of rows) fit a table."""
    every, first, rows = (int(number) for number in array)
    if not (0 < every < _FAR and rows == length and abs(first) < _FAR):
        raise _misfit(where, owner, name, f"1 or more, a step, and {length}")


def _require_history(
    arrays: Mapping[Key, np.ndarray], population: PopulationProgram, *, where: str
) -> None:
    """Raise NetworkError unless the stored spikes of each step are ascending neurons."""
    name = population.name
    size = population.size
    history = arrays[name, "_history"]
    count = arrays[name, "_count"]
    _require_range(count, 0, size, where=where, owner=name, name="_count")
    _require_range(history, 0, size - 1, where=where, owner=name, name="_history")
    for neurons, (spikes,) in zip(history, count, strict=True):
        if (np.diff(neurons[:spikes]) <= 0).any():
            raise _misfit(where, name, "_history", "the ascending neurons of each step")


def _require_given(
    arrays: Mapping[Key, np.ndarray], population: PopulationProgram, *, where: str
) -> None:
    """Raise NetworkError unless given spikes are sorted neurons, each once in a step."""
    name = population.name
    steps = arrays[name, "_given_step"]
    neurons = arrays[name, "_given_index"]
    if steps.size != neurons.size:
        raise _misfit(where, name, "_given_index", f"a neuron for each of {steps.size} spikes")
    _require_range(steps, 0, _FAR, where=where, owner=name, name="_given_step")
    _require_range(neurons, 0, population.size - 1, where=where, owner=name, name="_given_index")
    later = np.diff(steps)
    if not ((later > 0) | ((later == 0) & (np.diff(neurons) > 0))).all():
        raise _misfit(where, name, "_given_step", "spikes sorted by step, then neuron")


def _require_range(
    array: np.ndarray,
    least: int,
    most: int,
    *,
    where: str,
    owner: str,
    name: str,
) -> None:
    if array.size and not (array.min() >= least and array.max() <= most):
        raise _misfit(where, owner, name, f"whole numbers from {least} to {most}")


def _misfit(
    where: str,
    owner: str,
    name: str,
    expected: str,
) -> NetworkError:
    return NetworkError(
        f"{where}: array {name!r} of {owner!r} holds values that no run has, expected {expected}. "
        "The state is damaged: load another copy or run again."
    )
