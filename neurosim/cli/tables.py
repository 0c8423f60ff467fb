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
    lines: list[str] = []
    for row in rows:
        lines += _lines(row, widths)
    return "\n".join(lines)


def verdict_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows {id or quantity, measured, expected, pass} as a table."""
    # Checks of a model have an id, rows of demonstrations and comparisons a quantity.
    head = next((key for key in ("id", "quantity") if rows and key in rows[0]), "quantity")
    verdict = {True: "pass", False: "MISS", None: ""}
    table: list[Sequence[str]] = [(head, "measured", "expected", "")]
    for row in rows:
        values = [brief(row.get(key)) for key in (head, "measured", "expected")]
        table.append((*values, verdict[row.get("pass")]))
    return columns(table)


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
            return ", ".join(f"{key} {brief(entry)}" for key, entry in value.items())
        case list() | tuple():
            return "[" + ", ".join(map(brief, value)) + "]"
    return str(value)


def _lines(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Return a row as lines of text: cells that are too wide continue in the next line."""
    wrapped = [textwrap.wrap(cell, width) or [""] for cell, width in zip(row, widths, strict=True)]
    lines = []
    for cells in zip_longest(*wrapped, fillvalue=""):
        padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
        lines.append(GAP.join(padded).rstrip())
    return lines
