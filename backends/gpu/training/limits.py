"""Limits that a user gives: bounds of what learns, widths of surrogates."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any, TypeAlias

from neurosim.errors import NetworkError, describe, describe_unknown
from neurosim.network.network import Network

Bounds: TypeAlias = tuple[float | None, float | None]
"""The lower and the upper bound in engine units; None: none."""


def read_bounds(bounds: object, learns: Collection[str]) -> dict[str, Bounds]:
    """Return bounds by label.

    Parameters
    ----------
    bounds : mapping of label -> (low, high), or None
    learns : labels

    Raises
    ------
    NetworkError
        If a name does not learn, or bounds are no pair of numbers in order.
    """
    result: dict[str, Bounds] = {}
    for label, pair in _mapping(bounds, "bounds").items():
        if label not in learns:
            raise NetworkError(
                f"Trainer, bounds: {describe_unknown('learning name', label, learns)}"
            )
        where = f"Trainer, bounds of {label!r}"
        if not isinstance(pair, tuple | list) or len(pair) != 2 or not all(map(_is_bound, pair)):
            raise NetworkError(
                f"{where}: found {describe(pair)}, expected (low, high), two numbers in engine "
                "units, or None for no bound. Correct them."
            )
        low, high = pair
        is_empty = low is None and high is None
        if is_empty or (low is not None and high is not None and low > high):
            raise NetworkError(
                f"{where}: found {describe(pair)}, expected low below high, and one of them at "
                "least. Correct them."
            )
        result[str(label)] = (low, high)
    return result


def read_widths(widths: object, network: Network) -> dict[str, float]:
    """Return widths of surrogates by population.

    Parameters
    ----------
    widths : mapping of population -> float, or None
    network : Network

    Raises
    ------
    NetworkError
        If there is no such spiking population, or a width is not above 0.
    """
    spiking = [
        population.name
        for population in network.populations.values()
        if population.cell.spike is not None
    ]
    result: dict[str, float] = {}
    for name, width in _mapping(widths, "width").items():
        if name not in spiking:
            raise NetworkError(
                f"Trainer, width: {describe_unknown('spiking population', name, spiking)}"
            )
        if not isinstance(width, int | float) or not _is_bound(width) or width <= 0:
            raise NetworkError(
                f"Trainer, width of {name!r}: found {describe(width)}, expected a number above 0, "
                "in engine units. Correct it."
            )
        result[str(name)] = float(width)
    return result


def _mapping(value: object, argument: str) -> Mapping[Any, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise NetworkError(
            f"Trainer, {argument}: found {describe(value)}, expected a dictionary by name. "
            "Correct it."
        )
    return value


def _is_bound(bound: object) -> bool:
    if bound is None:
        return True
    # True is an int of Python, and surely a mistake here.
    if not isinstance(bound, int | float) or isinstance(bound, bool):
        return False
    return math.isfinite(bound)
