"""Tables of text for the command line: brief values, cells wrapped to the terminal's width."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

GAP = "  "


def columns(rows: Sequence[Sequence[str]], *, width: int | None = None) -> str:
    """Return rows of cells as text; the widest columns are wrapped if they exceed the terminal.

    Parameters
    ----------
    rows : sequence of sequences of str
        Of equal length.
    width : int, optional
        Characters of a line; those of the terminal unless given.
    """
    if not rows:
        return ""
    available = width or shutil.get_terminal_size((120, 24)).columns
    widths = [max(max(map(len, column)), 1) for column in zip(*rows, strict=True)]
    # The widest column gives way first: short ones, such as names, stay on one line.
    while sum(widths) + len(GAP) * len(widths) > available and max(widths) > 12:
        widths[widths.index(max(widths))] -= 1
    return "\n".join(line for row in rows for line in _lines(row, widths))


def verdict_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows {id or quantity, measured, expected, pass} as a table."""
    # Checks of a model have an id, rows of demonstrations and comparisons a quantity.
    head = next((key for key in ("id", "quantity") if rows and key in rows[0]), "quantity")
    verdict = {True: "pass", False: "MISS", None: ""}
    cells = [
        (
            brief(row[head]),
            brief(row["measured"]),
            brief(row.get("expected")),
            verdict[row.get("pass")],
        )
        for row in rows
    ]
    return columns([(head, "measured", "expected", ""), *cells])


def brief(value: Any) -> str:
    """Return JSON data as one line: numbers to four digits, lists and dictionaries by commas."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case Mapping():
            return ", ".join(f"{key} {brief(part)}" for key, part in value.items())
        case list() | tuple():
            return "[" + ", ".join(brief(part) for part in value) + "]"
    return str(value)


def _lines(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    cells = [textwrap.wrap(cell, width) or [""] for cell, width in zip(row, widths, strict=True)]
    lines = zip_longest(*cells, fillvalue="")
    return [
        GAP.join(part.ljust(width) for part, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
