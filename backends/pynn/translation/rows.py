"""Rows of a report, collected while a network is translated."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurosim.backend.report_rows import Place, Row


class Rows:
    """Collects rows; each method adds one."""

    def __init__(self) -> None:
        self._rows: list[Row] = []

    def exact(self, place: Place, reason: str) -> None:
        """Report a part that the target runs as this package does."""
        self._rows.append(Row(place, "exact", reason))

    def approximated(self, place: Place, reason: str, remedy: str = "") -> None:
        """Report a part that differs on the target, and by how much.

        Parameters
        ----------
        place : Place
        reason, remedy : str
            A sentence each; without a remedy the difference remains.
        """
        self._rows.append(Row(place, "approximated", reason, remedy))

    def impossible(self, place: Place, reason: str, remedy: str = "") -> None:
        """Report a part that the target cannot run.

        Parameters
        ----------
        place : Place
        reason, remedy : str
            A sentence each.
        """
        self._rows.append(Row(place, "impossible", reason, remedy))

    def collected(self) -> tuple[Row, ...]:
        """Return all rows, in the order in which they were added."""
        return tuple(self._rows)


def format_range(values: Any) -> str:
    """Return a number, or the range of several, as text for a reason."""
    array = np.asarray(values, np.float64)
    if array.size == 0:
        return "none"
    # Seven digits: more would show the binary fraction next to a decimal number.
    low = array.min()
    high = array.max()
    return f"{low:.7g}" if low == high else f"{low:.7g} to {high:.7g}"
