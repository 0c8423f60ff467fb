"""Reports as text: counts first, then what is not exact, equal rows as one line."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .report_rows import Row

_NAMED = 4  # owners that a line of several names; the others are counted
_INDENT = 15  # of continued lines: the width of a status and its margins


@dataclass(frozen=True)
class RowGroup:
    """Rows of one status with the same explanation.

    Parameters
    ----------
    status, kind, explanation : str
        As of each of the rows.
    owners, aspects : tuple of str
        Every owner has a row for every aspect.
    places : tuple of str
        Of all rows, as text.
    """

    status: str
    kind: str
    explanation: str
    owners: tuple[str, ...]
    aspects: tuple[str, ...]
    places: tuple[str, ...]

    @property
    def place(self) -> str:
        """The place of a single row; of several, their number, names and aspects."""
        if len(self.places) == 1:
            return self.places[0]
        aspects = " and ".join(aspect for aspect in self.aspects if aspect)
        if self.kind == "recording":
            return f"recording of {aspects} of {_names(self.owners)}"
        if len(self.owners) == 1:
            return f"{self.kind} {self.owners[0]!r}, {aspects}"
        subject = f"{len(self.owners)} {self.kind}s ({_names(self.owners)})"
        return f"{subject}, {aspects}" if aspects else subject

    def __str__(self) -> str:
        return f"{self.status:<12} {self.place}: {self.explanation}"


def group_rows(rows: Iterable[Row]) -> list[RowGroup]:
    """Return rows in groups, in the order of the first row of each.

    Parameters
    ----------
    rows : iterable of Row
    """
    # First by aspect; then aspects that the same owners share for the same reason become one line.
    by_aspect: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        key = (row.status, row.place.kind, row.place.aspect, row.explanation)
        by_aspect.setdefault(key, []).append(row)
    by_owners: dict[tuple[object, ...], list[list[Row]]] = {}
    for (status, kind, _, explanation), equal in by_aspect.items():
        owners = tuple(row.place.owner for row in equal)
        by_owners.setdefault((status, kind, explanation, owners), []).append(equal)
    return [_group([row for equal in parts for row in equal]) for parts in by_owners.values()]


def _group(rows: Sequence[Row]) -> RowGroup:
    first = rows[0]
    return RowGroup(
        first.status,
        first.place.kind,
        first.explanation,
        tuple(dict.fromkeys(row.place.owner for row in rows)),
        tuple(dict.fromkeys(row.place.aspect for row in rows)),
        tuple(str(row.place) for row in rows),
    )


def _names(owners: Sequence[str]) -> str:
    named = [repr(owner) for owner in owners[:_NAMED]]
    others = len(owners) - len(named)
    if others:
        return f"{', '.join(named)} and {others} more"
    return " and ".join([", ".join(named[:-1]), named[-1]]) if len(named) > 1 else named[0]


def wrap_lines(lines: Iterable[str], width: int | None) -> str:
    """Return indented lines as one text, wrapped to a width if there is one.

    Parameters
    ----------
    lines : iterable of str
    width : int, optional
        Characters of a line.
    """
    if width is None:
        return "\n".join(f"  {line}" for line in lines)
    return "\n".join(
        textwrap.fill(
            line,
            max(width, 2 * _INDENT),
            initial_indent="  ",
            subsequent_indent=" " * _INDENT,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in lines
    )
