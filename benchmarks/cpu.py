"""The CPU engine beside Brian 2 and NEST: all rows, or those that ``--row NAME`` names.

Run with ``python -m benchmarks.cpu``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from .judging import HEADS, LEARNING_HEADS, in_order, judge, learning_line, line
from .limit import measure_memory
from .report import RESULTS, machine, table, write
from .rows import PRECISIONS, ROWS
from .turns import compete


def main() -> None:
    """Measure, print and write."""
    chosen = _options()
    if chosen.list:
        print("\n".join(f"{row.name:18} {', '.join(a.label for a in row.against)}" for row in ROWS))
        return
    described, memory = machine(), measure_memory()
    print(
        "\n".join(f"{name}: {value}" for name, value in described.items()),
        f"memory: {memory.plain()}",
        sep="\n",
    )
    known = _known(chosen.out)
    for row in (row for row in ROWS if not chosen.row or row.name in chosen.row):
        with tempfile.TemporaryDirectory() as folder:
            entries = compete(row, chosen.repetitions or row.repetitions, Path(folder))
        for result in (
            judge(row, against, precision, entries, memory)
            for against in row.against
            for precision in PRECISIONS
        ):
            known[row.name, result["peer"], result["precision"]] = result | {
                "machine": described,
                "memory": memory.plain(),
            }
        mine = [r for r in in_order(known.values()) if r["network"] == row.name]
        print(f"\n{table(HEADS, [line(r) for r in mine])}")
        if learning := [r for r in mine if "learning" in r]:
            print(f"\n{table(LEARNING_HEADS, [learning_line(r) for r in learning])}", flush=True)
        write(chosen.out, "cpu", {"rows": [r for r in in_order(known.values()) if "machine" in r]})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    names = [row.name for row in ROWS]
    parser.add_argument(
        "--row",
        action="append",
        choices=names,
        metavar="NAME",
        help="measure this row only; may be repeated",
    )
    parser.add_argument(
        "--repetitions",
        type=int,
        metavar="N",
        help="of every row, instead of its own number; at least 3",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=RESULTS,
        metavar="DIR",
        help="where cpu.json is, or goes; other rows in it are kept",
    )
    parser.add_argument("--list", action="store_true", help="name the rows and their peers")
    chosen = parser.parse_args()
    if chosen.repetitions is not None and chosen.repetitions < 3:
        parser.error(
            "--repetitions: expected 3 at least, so that rates can be compared over seeds."
        )
    return chosen


def _known(folder: Path) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Return the rows that are there already."""
    path = folder / "cpu.json"
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    return {(r["network"], r["peer"], r["precision"]): r for r in rows}


if __name__ == "__main__":
    main()
