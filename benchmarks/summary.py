"""Writes the tables of README.md anew from the JSON in results/; run with ``python -m benchmarks.summary``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .report import RESULTS

README = Path(__file__).parent / "README.md"
BEGIN, END = "<!-- compared: begin -->", "<!-- compared: end -->"
BOUNDED = ("memory", "threads", "recording", "trials")


def main() -> None:
    """Replace what stands between the marks."""
    text = README.read_text()
    before, rest = text.split(BEGIN)
    README.write_text(f"{before}{BEGIN}\n{summary(RESULTS)}\n{END}{rest.split(END)[1]}")


def summary(folder: Path) -> str:
    """Return the tables of all results that are there."""
    found = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}
    parts = [_compared(found["cpu"]["rows"])] if "cpu" in found else []
    measures = [value for name in BOUNDED if name in found for value in found[name]["measures"]]
    if measures:
        rows = [[m["measure"], f"{m['value']:.3g} {m['unit']}", m["asked"], _bold(m["outcome"])] for m in measures]
        parts.append(markdown(["", "measured", "asked", ""], rows))
    if "cost" in found:
        parts.append(_costs(found["cost"]))
    return "\n\n".join(parts)


def _compared(rows: Sequence[dict[str, Any]]) -> str:
    """Return the comparison: a line for each network, peer and precision, and how many numbers were reached."""
    lines = []
    for r in rows:
        head = [r["network"], r["peer"], r["precision"]]
        if "seconds" not in r:
            lines.append([*head, "", "", "", "", f"{r['asked']:g}", "", r["outcome"]])
            continue
        times = [f"{r['seconds'][who]['median']:.3g} ({_quartiles(r['seconds'][who])})" for who in ("ours", "peer")]
        threads = f"{r['threads']['ours']} : {r['threads']['peer']}"
        ratio, share = f"{r['ratio']['median']:.2f}", f"{r['share of the limit']:.0%}"
        lines.append([*head, *times, threads, ratio, f"{r['asked']:g}", share, _bold(r["outcome"])])
    reached = sum(r["outcome"] == "reached" for r in rows)
    heads = ["network", "peer", "precision", "ours, s", "peer, s", "threads", "times faster", "asked", "of the limit", ""]
    return f"Reached: {reached} of {len(rows)}.\n\n{markdown(heads, lines)}"


def _costs(found: dict[str, Any]) -> str:
    rows = [[r["neurons"], r["threads"], f"{r['ns per update']['median']:.3f}", f"{r['GB/s']:.0f} ({r['share']:.0%} of {r['level']})",
             f"{r['ns per event']['median']:.2f}"] for r in found["rows"]]
    speeds = ", ".join(f"{where} {speed}" for where, speed in found["memory"]["GB/s"].items())
    heads = ["neurons", "threads", "ns per update", "GB/s", "ns per event"]
    return f"{markdown(heads, rows)}\n\nCopying in the same run, GB/s by level and threads: {speeds}."


def markdown(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return a table of Markdown."""
    return "\n".join("| " + " | ".join(map(str, cells)) + " |" for cells in (heads, ["---"] * len(heads), *rows))


def _bold(outcome: str) -> str:
    return f"**{outcome}**" if outcome == "not reached" else outcome


def _quartiles(values: dict[str, Any]) -> str:
    return " - ".join(f"{v:.3g}" for v in values["quartiles"])


if __name__ == "__main__":
    main()
