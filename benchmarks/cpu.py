"""The CPU engine beside Brian 2 and NEST: all rows, or those that ``--row NAME`` names.

Run with ``python -m benchmarks.cpu``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from time import process_time
from typing import Any

from .judging import HEADS, LEARNING_HEADS, in_order, judge, learning_line, line, processor
from .limit import measure_memory
from .report import RESULTS, machine, table, write
from .rows import PRECISIONS, ROWS, Row
from .turns import compete


def main() -> None:
    """Measure, print and write."""
    chosen = _options()
    if chosen.list:
        print("\n".join(f"{row.name:18} {', '.join(a.label for a in row.against)}" for row in ROWS))
        return
    described = machine() | {"target": chosen.target}
    # The time of two threads is the sum of both, of which no bandwidth follows.
    one = {"clock": process_time, "threads": (1,)} if chosen.busy else {}
    memory = measure_memory(**one)
    print(
        "\n".join(f"{name}: {value}" for name, value in described.items()),
        f"memory: {memory.plain()}",
        sep="\n",
    )
    known = _known(chosen.out)
    for row in (_chosen(row, chosen) for row in ROWS):
        if not row.against or chosen.row and row.name not in chosen.row:
            continue
        with tempfile.TemporaryDirectory() as folder:
            entries = compete(row, chosen.repetitions or row.repetitions, Path(folder))
        for result in (
            judge(row, against, precision, entries, memory)
            for against in row.against
            for precision in PRECISIONS
        ):
            result |= {"machine": described, "memory": memory.plain()}
            known[_key(result)] = result
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
    parser.add_argument(
        "--peer", choices=["brian", "nest"], help="measure beside this simulator only"
    )
    parser.add_argument(
        "--busy",
        action="store_true",
        help="the machine does other things: one thread on each side, processor time",
    )
    parser.add_argument(
        "--target",
        default="",
        metavar="NAME",
        help="compile for this processor, such as x86-64-v3 (AVX2), here and in Brian 2",
    )
    parser.add_argument("--list", action="store_true", help="name the rows and their peers")
    chosen = parser.parse_args()
    if chosen.repetitions is not None and chosen.repetitions < 3:
        parser.error(
            "--repetitions: expected 3 at least, so that rates can be compared over seeds."
        )
    return chosen


def _chosen(row: Row, chosen: argparse.Namespace) -> Row:
    """Return a row with the peers, the clock and the target that were chosen."""
    against = tuple(a for a in row.against if chosen.peer in (None, a.program))
    clock = "processor" if chosen.busy else "wall"
    return replace(row, against=against, clock=clock, target=chosen.target)


def _key(r: dict[str, Any]) -> tuple[str, str, str, str]:
    return r["network"], r["peer"], r["precision"], processor(r)


def _known(folder: Path) -> dict[tuple[str, str, str, str], dict[str, Any]]:
    """Return the rows that are there already."""
    path = folder / "cpu.json"
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    return {_key(r): r for r in rows}


if __name__ == "__main__":
    main()
