"""Rows of reports: how a backend runs one part of a network, why, and the remedy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

Status = Literal["exact", "approximated", "impossible"]
STATUSES: tuple[Status, ...] = get_args(Status)


@dataclass(frozen=True)
class Place:
    """The part of a network that a row of a report is about.

    Parameters
    ----------
    kind : str
        "population", "projection", "drive", "recording" or "network"; without an owner the
        subject of the row itself, such as "dt".
    owner : str
        Name of the population, projection, drive or network.
    aspect : str
        The subject within it, such as "weights"; of a recording, the variable.
    """

    kind: str
    owner: str = ""
    aspect: str = ""

    def of(self, aspect: str) -> Place:
        """Return the place of one aspect of this part."""
        return replace(self, aspect=aspect)

    def __str__(self) -> str:
        # Only a setting of the network itself, such as dt, has no owner; its kind then is the
        # subject.
        if not self.owner:
            return self.kind
        if self.kind == "recording":
            return f"recording of {self.aspect!r} of {self.owner!r}"
        part = f"{self.kind} {self.owner!r}"
        return f"{part}, {self.aspect}" if self.aspect else part


@dataclass(frozen=True)
class Row:
    """One line of a report.

    Parameters
    ----------
    place : Place
    status : {"exact", "approximated", "impossible"}
    reason : str
        Sentences: how the part is run, or why it differs or cannot be run.
    remedy : str
        Sentence: the way to an exact run, if there is one.
    """

    place: Place
    status: Status
    reason: str
    remedy: str = ""

    @property
    def explanation(self) -> str:
        """Reason and remedy as one text."""
        return f"{self.reason} {self.remedy}" if self.remedy else self.reason

    def data(self) -> dict[str, str]:
        """Return the row as headers of recordings hold it."""
        # The keys are part of the format of recordings.
        return {
            "place": str(self.place),
            "status": self.status,
            "reason": self.reason,
            "remedy": self.remedy,
        }

    def __str__(self) -> str:
        return f"{self.status:<12} {self.place}: {self.explanation}"
