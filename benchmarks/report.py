"""Parts that all benchmarks share: the machine in words, medians, tables and JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from neurosim.compiled.cores import cores
from neurosim.distribution import DISTRIBUTION

RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    """Return what measured times depend on, and how busy the machine is with other things."""
    import llvmlite.binding as llvm

    return {
        "processor": _processor(),
        "recognised as": llvm.get_host_cpu_name(),
        "cores": cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in (DISTRIBUTION, "numpy", "numba", "llvmlite")},
        "compiler": _said("g++", "--version"),
        "commit": _commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "load at the start": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")),
        platform.processor(),
    )


def _commit() -> str | None:
    """Return the last commit that changed the package, with + where its files were changed since;
    none where there is no repository.
    """
    here = ("git", "-C", str(RESULTS.parent))
    package = ("--", ":/neurosim", ":/backends", ":/models")
    commit = _said(*here, "log", "-1", "--format=%h", *package)
    changed = _said(*here, "status", "--porcelain", "--untracked-files=no", *package)
    return commit and commit + "+" * bool(changed)


def _said(*command: str) -> str | None:
    """Return the first line that a program prints; None if it is missing or fails."""
    try:
        lines = subprocess.run(
            command, capture_output=True, text=True, check=True
        ).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        return None
    return lines[0].strip() if lines else None


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Return median, quartiles, least value and number of repetitions."""
    low, middle, high = np.percentile(values, [25, 50, 75])
    return {
        "median": float(middle),
        "quartiles": [float(low), float(high)],
        "least": float(min(values)),
        "repetitions": len(values),
    }


def quartiles(values: Mapping[str, Any], form: str = "{:.3g}", scale: float = 1.0) -> str:
    """Return the quartiles of a spread, as printed."""
    return " - ".join(form.format(v * scale) for v in values["quartiles"])


def verdict(values: Mapping[str, Any], asked: float) -> dict[str, Any]:
    """Return whether the median of a spread is at least what was asked, and whether that is narrow:
    the quartiles lie on both sides.
    """
    low, high = values["quartiles"]
    return {
        "outcome": "reached" if values["median"] >= asked else "not reached",
        "narrow": bool(low <= asked <= high),
    }


def held(
    measure: str, value: float, asked: float, *, unit: str, least: bool = False, **more: Any
) -> dict[str, Any]:
    """Return a measured value beside what was asked of it: at most so much, or at ``least``."""
    reached = value >= asked if least else value <= asked
    return {
        "measure": measure,
        "value": value,
        "unit": unit,
        "asked": f"{'at least' if least else 'at most'} {asked:g}",
        "outcome": "reached" if reached else "not reached",
        **more,
    }


def verdicts(values: Sequence[dict[str, Any]]) -> str:
    """Return a table of what `held` returned."""
    rows = [
        [v["measure"], f"{v['value']:.4g}", v["unit"], v["asked"], v["outcome"]] for v in values
    ]
    return table(["", "measured", "", "asked", ""], rows)


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return rows under their heads, the first column to the left, the others to the right."""
    texts = [list(heads), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[c]) for row in texts) for c in range(len(heads))]
    lines = [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True)),
            ]
        )
        for row in texts
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def options(description: str, *, repetitions: int) -> argparse.Namespace:
    """Read the command line that benchmarks share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--repetitions",
        type=int,
        default=repetitions,
        metavar="N",
        help=f"of every measurement, in turn ({repetitions})",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=RESULTS,
        metavar="DIR",
        help="where the JSON goes (benchmarks/results)",
    )
    return parser.parse_args()


def write(folder: Path, name: str, content: dict[str, Any]) -> None:
    """Write results as JSON and say so."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")
    print(f"\nwritten: {name}.json")
