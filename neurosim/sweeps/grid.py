"""The points of a sweep: values along axes, and seeds."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from ..errors import NetworkError, describe
from ..recording.files import plain

SEED = "seed"  # the argument of `build` that is no axis


@dataclass(frozen=True)
class Point:
    """One run of a sweep.

    Attributes
    ----------
    values : dict of str to JSON data
        Arguments of `build`, by axis.
    seed : int
    """

    values: dict[str, Any]
    seed: int

    def text(self) -> str:
        """Return the point as messages name it."""
        axes = [f"{name}={describe(value)}" for name, value in self.values.items()]
        return ", ".join([*axes, f"seed {self.seed}"])

    def data(self) -> dict[str, Any]:
        """Return the point as JSON data."""
        return {"values": self.values, "seed": self.seed}


def read_grid(grid: Any) -> dict[str, tuple[Any, ...]]:
    """Return the values of each axis as JSON data.

    Raises
    ------
    NetworkError
        If an axis is empty, holds a value twice or anything but data, or has no usable name.
    """
    if not isinstance(grid, Mapping):
        raise NetworkError(
            f"sweep, grid: found {describe(grid)}, expected a dictionary of axes. "
            'Give it such as {"rate": [5, 10, 20]}.'
        )
    return {_read_name(name): _read_axis(name, values) for name, values in grid.items()}


def _read_name(name: Any) -> str:
    if not isinstance(name, str) or not name.isidentifier() or name == SEED:
        remedy = "Give seeds= instead." if name == SEED else "Rename it, here and in build."
        raise NetworkError(
            f"sweep, grid: found the axis {describe(name)}, expected the name of an argument of "
            f"build other than {SEED!r}. {remedy}"
        )
    return name


def _read_axis(name: str, values: Any) -> tuple[Any, ...]:
    where = f"sweep, grid, {name!r}"
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise NetworkError(
            f"{where}: found {describe(values)}, expected a list of values. Write [...] around it."
        )
    # NumPy's numbers have no JSON; arrays within arrays become lists.
    items = values.tolist() if isinstance(values, np.ndarray) else list(values)
    axis = tuple(plain(items, where))
    if not axis:
        raise NetworkError(
            f"{where}: found no values, expected at least one. Add some, or leave the axis out."
        )
    texts = [json.dumps(value, sort_keys=True) for value in axis]
    for number, text in enumerate(texts):
        if text in texts[:number] or text == "NaN":
            what = "no number" if text == "NaN" else "a value twice"
            raise NetworkError(
                f"{where}: found {what} ({text}), expected values that differ. Remove it."
            )
    return axis


def read_seeds(seeds: Any) -> tuple[int, ...]:
    """Return seeds as a tuple.

    Raises
    ------
    NetworkError
        Unless there is at least one, and all are different whole numbers of at least 0.
    """
    listed = isinstance(seeds, Iterable) and not isinstance(seeds, str | bytes | Mapping)
    values = list(seeds) if listed else []
    whole = [isinstance(s, int | np.integer) and not isinstance(s, bool) and s >= 0 for s in values]
    if not values or not all(whole) or len(set(values)) < len(values):
        raise NetworkError(
            f"sweep, seeds: found {describe(seeds)}, expected one or more different whole numbers "
            "of at least 0. Give them such as range(5)."
        )
    return tuple(int(seed) for seed in values)


def points(grid: Mapping[str, tuple[Any, ...]], seeds: tuple[int, ...]) -> Iterator[Point]:
    """Yield all points, the last axis fastest and seeds faster still."""
    for values in product(*grid.values()):
        for seed in seeds:
            yield Point(dict(zip(grid, values, strict=True)), seed)


def require_arguments(build: Any, axes: Iterable[str]) -> None:
    """Raise NetworkError unless `build` takes every axis and the seed by name, and needs no more.

    Parameters
    ----------
    build : function
    axes : names
    """
    names = [*axes, SEED]
    try:
        signature = inspect.signature(build)
    except (TypeError, ValueError):  # built-in functions have none
        return
    try:
        signature.bind(**dict.fromkeys(names))
    except TypeError as error:
        name = getattr(build, "__name__", "build")
        raise NetworkError(
            f"sweep, {name}: found the arguments {signature}, expected to be called with "
            f"{', '.join(f'{n}=' for n in names)} ({error}). Correct the arguments or the grid."
        ) from error


def require_function(function: Any, noun: str) -> Callable[..., Any]:
    """Return a function, or raise NetworkError for anything that cannot be called."""
    if not callable(function):
        raise NetworkError(
            f"sweep, {noun}: found {describe(function)}, expected a function. "
            "Define one with def, and give its name without brackets."
        )
    return function
