"""Reports: for every part of a network, whether a backend runs it exactly, approximated or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import LoweringError, NetworkError, describe_unknown
from .report_rows import STATUSES, Row, Status
from .report_text import group_rows, wrap_lines


@dataclass(frozen=True)
class Report:
    """Rows for every part of a network on one backend; ``report["ca3"]`` has those of one owner.

    Parameters
    ----------
    backend, network : str
        Names.
    rows : tuple of Row
    """

    backend: str
    network: str
    rows: tuple[Row, ...]

    @property
    def possible(self) -> bool:
        """Whether no row is impossible."""
        return all(row.status != "impossible" for row in self.rows)

    def of(self, status: Status) -> tuple[Row, ...]:
        """Return the rows of one status."""
        return tuple(row for row in self.rows if row.status == status)

    def owners(self) -> list[str]:
        """Return the names of all parts of the network that have rows."""
        # A dictionary keeps the order of the network; a set would lose it.
        return list(dict.fromkeys(row.place.owner for row in self.rows if row.place.owner))

    def __getitem__(self, owner: str) -> tuple[Row, ...]:
        """Return the rows of a population, projection or drive, its recordings included.

        Raises
        ------
        NetworkError
            If the report has no row of this name.
        """
        # `owner and`: rows without an owner hold an empty name, which no caller can mean.
        rows = tuple(row for row in self.rows if owner and row.place.owner == owner)
        if not rows:
            owner_text = f"report of {self.network!r}"
            raise NetworkError(describe_unknown("part", owner, self.owners(), owner=owner_text))
        return rows

    def _ipython_key_completions_(self) -> list[str]:
        return self.owners()

    def with_rows(self, rows: Sequence[Row]) -> Report:
        """Return the report with further rows, in place of those about the same parts."""
        places = {row.place for row in rows}
        other_rows = [row for row in self.rows if row.place not in places]
        return replace(self, rows=(*other_rows, *rows))

    def demand(self) -> None:
        """Raise LoweringError if anything is impossible."""
        impossible = self.of("impossible")
        if impossible:
            # All of them in one error: users mend everything before they try again.
            lines = "\n".join(f"  {row.place}: {row.explanation}" for row in impossible)
            raise LoweringError(
                f"backend {self.backend!r} cannot run network {self.network!r}:\n{lines}", self
            )

    def data(self) -> dict[str, Any]:
        """Return the report as JSON data: names, the number of rows by status, and every row."""
        return {
            "network": self.network,
            "backend": self.backend,
            "counts": {status: len(self.of(status)) for status in STATUSES},
            "rows": [row.data() for row in self.rows],
        }

    def text(self, *, every: bool = False, width: int | None = None) -> str:
        """Return the report as text: counts, then rows, those that are not exact first.

        Parameters
        ----------
        every : bool
            One line for each row, in the order of the network; else rows with the same words are
            one line.
        width : int, optional
            Characters of a line; longer ones are wrapped.
        """
        counts = [f"{len(self.of(s))} {s}" for s in reversed(STATUSES) if self.of(s)]
        title = f"network {self.network!r} on backend {self.backend!r}: "
        lines = [title + (", ".join(counts) or "nothing in it")]
        if every:
            texts = [str(row) for row in self.rows]
        else:
            groups = group_rows(self.rows)
            texts = [str(g) for s in reversed(STATUSES) for g in groups if g.status == s]
        return "\n".join([*lines, wrap_lines(texts, width)]) if texts else lines[0]

    def __str__(self) -> str:
        return self.text()
