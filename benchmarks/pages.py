"""Tables of Markdown, and pages in which such tables stand between two marks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from neurosim.errors import NetworkError


def markdown(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return a table of Markdown.

    Parameters
    ----------
    heads : sequence of str
    rows : sequence of sequences
        A cell for each head.
    """
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(map(str, cells)) + " |" for cells in lines)


def replace_between(text: str, table: str, *, mark: str) -> str:
    """Return a page with a table between its marks.

    Parameters
    ----------
    text : str
        The page.
    table : str
    mark : str
        Name in ``<!-- NAME: begin -->`` and ``<!-- NAME: end -->``.

    Raises
    ------
    NetworkError
        If the page has no such marks.
    """
    begin, end = f"<!-- {mark}: begin -->", f"<!-- {mark}: end -->"
    before, first, rest = text.partition(begin)
    _, last, after = rest.partition(end)
    if not (first and last):
        raise NetworkError(f"page: found no {begin} ... {end}, expected both. Add them to it.")
    return f"{before}{begin}\n{table}\n{end}{after}"
