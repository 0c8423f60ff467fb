"""The CPU engine beside Brian 2 and NEST; ``python -m benchmarks.cpu`` measures all rows, ``--row NAME`` some, ``--list`` names them."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from .limit import Memory, least_seconds, measure_memory
from .peers.job import Job
from .report import RESULTS, machine, spread, table, write
from .rows import ROWS, Against, Row

PACKAGES = {"brian": "brian2", "nest": "nest"}
PRECISIONS = ("float64", "float32")
PATIENCE = 1800.0  # seconds for one process
HOPELESS = 1.5  # a number of threads that is slower than the other by this factor is not measured further

Contestant = tuple[str, int | None, str, str]  # program, threads, precision, arguments as JSON
Report = dict[str, Any]


def main() -> None:
    """Measure, print and write."""
    chosen = _options()
    if chosen.list:
        print("\n".join(f"{row.name:18} {', '.join(a.label for a in row.against)}" for row in ROWS))
        return
    described, memory = machine(), measure_memory()
    print("\n".join(f"{name}: {value}" for name, value in described.items()), f"memory: {memory.plain()}", sep="\n")
    known = _known(chosen.out)
    for row in (row for row in ROWS if not chosen.row or row.name in chosen.row):
        with tempfile.TemporaryDirectory() as folder:
            reports = compete(row, chosen.repetitions or row.repetitions, Path(folder))
        for result in (judge(row, against, precision, reports, memory) for against in row.against for precision in PRECISIONS):
            known[row.name, result["peer"], result["precision"]] = result | {"machine": described, "memory": memory.plain()}
        mine = [r for r in known.values() if r["network"] == row.name]
        print(f"\n{table(HEADS, [line(r) for r in mine])}", flush=True)
        write(chosen.out, "cpu", {"rows": in_order(known.values())})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    names = [row.name for row in ROWS]
    parser.add_argument("--row", action="append", choices=names, metavar="NAME", help="measure this row only; may be repeated")
    parser.add_argument("--repetitions", type=int, metavar="N", help="of every row, instead of its own number; at least 3")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="where cpu.json is, or goes; other rows in it are kept")
    parser.add_argument("--list", action="store_true", help="name the rows and their peers")
    chosen = parser.parse_args()
    if chosen.repetitions is not None and chosen.repetitions < 3:
        parser.error("--repetitions: expected 3 at least, so that rates can be compared over seeds.")
    return chosen


def _known(folder: Path) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Return the rows that are there already."""
    path = folder / "cpu.json"
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    return {(r["network"], r["peer"], r["precision"]): r for r in rows}


def in_order(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows in the order of ROWS."""
    order = [row.name for row in ROWS]
    return sorted(rows, key=lambda r: order.index(r["network"]))


# ---- running


def contestants(row: Row) -> list[Contestant]:
    """Return all that take turns: neurosim with its own choice of threads, peers with one and with two."""
    found: dict[Contestant, None] = {}
    for against in row.against:
        for precision in PRECISIONS:
            found[ours(row, against, precision)] = None
        if find_spec(PACKAGES[against.program]):
            found |= dict.fromkeys(theirs(row, against))
    return list(found)


def ours(row: Row, against: Against, precision: str) -> Contestant:
    return "neurosim", None, precision, json.dumps({**row.arguments, **against.ours})


def theirs(row: Row, against: Against) -> list[Contestant]:
    return [(against.program, threads, "float64", json.dumps({**row.arguments, **against.theirs})) for threads in (1, 2)]


def compete(row: Row, repetitions: int, folder: Path) -> dict[Contestant, list[Report]]:
    """Let all contestants run in turn, every time in a new process, and return their reports.

    The first report is of a trial that does not count: it compiles; who refuses, or is hopelessly slower than with another number of
    threads, does not run again.
    """
    trial = {c: [run(c, row, 0, folder)] for c in contestants(row)}
    going = [c for c, reports in trial.items() if not _beaten(c, trial)]
    for seed in range(1, repetitions + 1):
        for c in going:
            trial[c].append(run(c, row, seed, folder))
            print(f"{row.name}, {seed}/{repetitions}: {_words(c)}: {_outcome(trial[c][-1])}", file=sys.stderr)
    return trial


def _beaten(c: Contestant, trial: Mapping[Contestant, list[Report]]) -> bool:
    same = [reports[0] for other, reports in trial.items() if other[0] == c[0] and other[2:] == c[2:] and "seconds" in reports[0]]
    mine = trial[c][0]
    return "seconds" not in mine or mine["seconds"]["simulation"] > HOPELESS * min(r["seconds"]["simulation"] for r in same)


def run(c: Contestant, row: Row, seed: int, folder: Path) -> Report:
    """Return what a process reports, or why it does not."""
    program, threads, precision, arguments = c
    place = folder / f"{program}-{threads}-{abs(hash(c))}"
    place.mkdir(exist_ok=True)
    job = Job(row.network, row.time, seed, threads, precision, json.loads(arguments), str(place))
    environment = os.environ | {"NEUROSIM_CACHE": str(folder / "cache")}
    command = [sys.executable, "-m", f"benchmarks.peers.{program}_networks", job.dump()]
    try:
        done = subprocess.run(command, env=environment, cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return {"refused": f"no result within {PATIENCE:.0f} s"}
    if done.returncode:
        return {"refused": (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]}
    return json.loads(done.stdout.strip().splitlines()[-1])


# ---- judging


def judge(row: Row, against: Against, precision: str, reports: Mapping[Contestant, list[Report]], memory: Memory) -> dict[str, Any]:
    """Return the row of the table: times only if rates agree, and then whether what was asked is reached."""
    mine = reports[ours(row, against, precision)]
    asked = against.asked[PRECISIONS.index(precision)]
    result = {"network": row.name, "peer": against.label, "precision": precision, "asked": asked}
    if "refused" in mine[0]:
        return result | {"outcome": f"skipped: {mine[0]['refused']}"}
    rivals = [reports[c] for c in theirs(row, against) if len(reports.get(c, ())) > 1]
    if not rivals:
        package = PACKAGES[against.program]
        return result | {"outcome": "skipped: the peer has no result" if find_spec(package) else f"skipped: {package} is not installed"}
    best = min(rivals, key=lambda r: spread(_simulations(r))["median"])
    rates = {"ours": _rates(mine), "peer": _rates(best)}
    means = {who: {name: float(np.mean(values)) for name, values in found.items()} for who, found in rates.items()}
    result |= {"rates": means, "bound": row.bound}
    apart = disagreement(rates["ours"], rates["peer"], row.bound)
    if apart:
        return result | {"outcome": f"rates differ: {apart}"}
    seconds = {"ours": spread(_simulations(mine)), "peer": spread(_simulations(best))}
    ratio = spread(np.divide(_simulations(best), _simulations(mine)))
    least = _limit(row, mine, precision, memory)
    return result | {"seconds": seconds, "ratio": ratio, "outcome": "reached" if ratio["median"] >= asked else "not reached",
                     **{what: {"ours": mine[1][what], "peer": best[1][what]} for what in ("threads", "version")},
                     "phases": {"ours": _phases(mine), "peer": _phases(best)},
                     "limit": least, "share of the limit": least / seconds["ours"]["median"]}


def disagreement(first: Mapping[str, Sequence[float]], second: Mapping[str, Sequence[float]], bound: float) -> str:
    """Say which population's mean rates are not shown to differ by less than a share of the second's; nothing if all are.

    Two one-sided t-tests at 5 %, as many values as seeds (Welch's degrees of freedom).
    """
    from scipy.stats import t

    if first.keys() != second.keys():
        return f"populations {', '.join(first)} here, {', '.join(second)} there"
    for name in first:
        a, b = np.asarray(first[name]), np.asarray(second[name])
        parts = np.array([a.var(ddof=1) / a.size, b.var(ddof=1) / b.size])
        error = np.sqrt(parts.sum())
        freedom = parts.sum() ** 2 / (parts**2 / [a.size - 1, b.size - 1]).sum() if error else 1.0
        if not abs(a.mean() - b.mean()) + t.ppf(0.95, freedom) * error < bound * b.mean():
            return f"{name} {a.mean():.2f} and {b.mean():.2f} Hz, standard error {error:.2f}, bound {bound:.0%}"
    return ""


def _simulations(reports: Sequence[Report]) -> list[float]:
    return [r["seconds"]["simulation"] for r in reports[1:]]


def _rates(reports: Sequence[Report]) -> dict[str, list[float]]:
    return {name: [r["rates"][name] for r in reports[1:]] for name in reports[1]["rates"]}


def _phases(reports: Sequence[Report]) -> dict[str, float]:
    """Return the seconds of everything but the simulation: medians, and what the trial took to compile for the first time."""
    parts = {part: float(np.median([r["seconds"][part] for r in reports[1:]])) for part in ("import", "construction", "compilation")}
    return parts | {"import and compilation, first": reports[0]["seconds"]["import"] + reports[0]["seconds"]["compilation"]}


def _limit(row: Row, mine: Sequence[Report], precision: str, memory: Memory) -> float:
    """Return the median over seeds of the least time in which this memory could do the work, in seconds."""
    number = 8 if precision == "float64" else 4
    steps = [least_seconds(memory, row.traffic, r, number=number, threads=min(r["threads"], 2)) for r in mine[1:]]
    return float(np.median(steps))


# ---- words

HEADS = ["network", "peer", "precision", "ours, s", "quartiles", "peer, s", "quartiles", "threads", "times faster", "asked", "of limit", ""]


def line(r: Mapping[str, Any]) -> list[str]:
    """Return a row of the printed table."""
    head = [r["network"], r["peer"], r["precision"]]
    if "seconds" not in r:
        return [*head, *[""] * 6, f"{r['asked']:g}", "", r["outcome"]]
    times = [cell for who in ("ours", "peer") for cell in (f"{r['seconds'][who]['median']:.4g}", _quartiles(r["seconds"][who]))]
    ratio = f"{r['ratio']['median']:.2f} ({_quartiles(r['ratio'])})"
    threads = f"{r['threads']['ours']} : {r['threads']['peer']}"
    return [*head, *times, threads, ratio, f"{r['asked']:g}", f"{r['share of the limit']:.0%}", r["outcome"]]


def _quartiles(values: Mapping[str, Any]) -> str:
    return " - ".join(f"{v:.3g}" for v in values["quartiles"])


def _words(c: Contestant) -> str:
    return " ".join(str(part) for part in c if part is not None)


def _outcome(report: Report) -> str:
    return f"{report['seconds']['simulation']:.4g} s" if "seconds" in report else report["refused"]


if __name__ == "__main__":
    main()
