"""Rows of results that are written one by one, so that an interrupt loses one of them."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from ..report import RESULTS, machine

Row = dict[str, Any]
Job = tuple[Mapping[str, Any], Callable[[], Mapping[str, Any]]]


def run_missing(path: Path, jobs: Iterable[Job], *, title: str) -> list[Row]:
    """Run the jobs that have no row in a file yet, add a row after each, and return all rows.

    Parameters
    ----------
    path : Path
        JSON; made if it is missing.
    jobs : (question, function) pairs
        A row is the question with what the function returns.
    title : str
        Of the bar.
    """
    content: Row = {"machine": machine(), "rows": []}
    if path.exists():
        content["rows"] = json.loads(path.read_text())["rows"]
    rows = content["rows"]
    waiting = [job for job in jobs if not any(_answers(row, job[0]) for row in rows)]
    path.parent.mkdir(parents=True, exist_ok=True)
    for question, answer in tqdm(waiting, desc=title, disable=None):
        rows.append({**question, **answer()})
        path.write_text(json.dumps(content, indent=1) + "\n")
    return rows


def parse_words(
    description: str | None, *, folder: bool = False, **options: int
) -> argparse.Namespace:
    """Return the options of the command line, and let ``--data`` name the data of this process.

    Parameters
    ----------
    description : str or None
    folder : bool
        Ask for the folder of a finished run, and allow ``--work``.
    **options
        Whole numbers by name, with their defaults.
    """
    parser = argparse.ArgumentParser(description=description)
    if folder:
        parser.add_argument("folder", type=Path, help="of neurosim run astrocyte-liquid")
        parser.add_argument("--work", type=Path, metavar="DIR", help="keeps what takes long")
    for name, default in options.items():
        parser.add_argument(f"--{name}", type=int, default=default, metavar="N")
    parser.add_argument("--data", metavar="DIR", help="folder of data sets (NEUROSIM_DATA)")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR")
    words = parser.parse_args()
    if words.data:
        os.environ["NEUROSIM_DATA"] = words.data
    return words


def _answers(row: Row, question: Mapping[str, Any]) -> bool:
    return all(row.get(name) == value for name, value in question.items())
