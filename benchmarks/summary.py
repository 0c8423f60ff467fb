"""The tables of both README.md files, written anew from the JSON in results/.

Run with ``python -m benchmarks.summary``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .judging import HEADS, LEARNING_HEADS, in_order, learning_line, line, processor
from .pages import markdown, replace_between
from .report import RESULTS, quartiles
from .speeds import best_of_peer, draw, name_of, times_asked

README = Path(__file__).parent / "README.md"
FRONT = Path(__file__).parents[1] / "README.md"
PICTURE = RESULTS / "speeds.png"
BOUNDED = ("memory", "billion", "threads", "recording", "trials", "startup")


def main() -> None:
    """Replace what stands between the marks."""
    results = {path.stem: json.loads(path.read_text()) for path in RESULTS.glob("*.json")}
    for path, mark, tables in (
        (README, "compared", summary(results)),
        (README, "results", by_itself(results)),
        (FRONT, "speed", in_short(results)),
    ):
        path.write_text(replace_between(path.read_text(), tables, mark=mark))
    draw(compared(results), PICTURE)


def summary(results: dict[str, Any]) -> str:
    """Return the tables of what has a number asked of it, by the names of the files."""
    parts = [_compared(results["cpu"]["rows"])] if "cpu" in results else []
    measures = [value for name in BOUNDED if name in results for value in results[name]["measures"]]
    if measures:
        rows = [
            [m["measure"], f"{m['value']:.3g} {m['unit']}", m["asked"], _bold(m["outcome"])]
            for m in measures
        ]
        parts.append(markdown(["", "measured", "asked", ""], rows))
    if "cost" in results:
        parts.append(_costs(results["cost"]))
    return "\n\n".join(parts)


def _compared(measured: Sequence[dict[str, Any]]) -> str:
    """Return the comparison: a line for each network, peer and precision, measured or not, and how
    many numbers were reached.
    """
    rows = in_order(measured)
    newest = max(
        (r["machine"] for r in rows if "machine" in r), key=lambda m: m.get("date", ""), default={}
    ).get("commit")
    lines = [line(r | {"network": r["network"] + " *" * _older(r, newest)}) for r in rows]
    learning = [r for r in rows if "learning" in r]
    parts = [
        _reached("times faster than the peer", rows),
        markdown(HEADS, [[*cells, _bold(last)] for *cells, last in lines]),
    ]
    if any(_older(r, newest) for r in rows):
        parts.append(
            "\\* measured with another state of the package than the newest rows, which are of "
            f"commit {newest}."
        )
    lines = [learning_line(r) for r in learning]
    parts += [
        _reached("share of the limit, networks that learn", [r["learning"] for r in learning]),
        markdown(LEARNING_HEADS, [[*cells, _bold(last)] for *cells, last in lines]),
    ]
    return "\n\n".join(parts)


def _reached(what: str, rows: Sequence[dict[str, Any]]) -> str:
    reached = [r for r in rows if r["outcome"] == "reached"]
    narrowly = sum(r.get("narrow", False) for r in reached)
    return (
        f"Reached, {what}: {len(reached)} of "
        f"{len(rows)}{f', {narrowly} of them narrowly' if narrowly else ''}."
    )


def _older(r: dict[str, Any], newest: str | None) -> bool:
    return "machine" in r and r["machine"].get("commit") != newest


def compared(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of all processors, and those of which only the ratio was told."""
    measured = in_order(results["cpu"]["rows"] if "cpu" in results else [])
    return [*measured, *results.get("told", {"rows": []})["rows"]]


def in_short(results: dict[str, Any]) -> str:
    """Return the picture, and in how many rows of every processor what was asked is reached."""
    rows = best_of_peer(compared(results))
    lines = []
    for words in dict.fromkeys(processor(r) for r in rows):
        mine = [r for r in rows if processor(r) == words]
        reached = sum(r["ratio"]["median"] >= times_asked(r) for r in mine)
        lines.append(f"- {name_of(words)}: {reached} of {len(mine)} points reach what was asked.")
    picture = PICTURE.relative_to(FRONT.parent)
    return "\n".join(
        [f"![times faster than Brian 2 and NEST, by network and processor]({picture})", "", *lines]
    )


def by_itself(results: dict[str, Any]) -> str:
    """Return the tables of the engine by itself and of its start."""
    parts = []
    if "engine" in results:
        rows = []
        for r in results["engine"]["networks"]:
            scale = 1000 / r["biological seconds"]
            times = (
                f"{r['seconds']['median'] * scale:.1f} ({quartiles(r['seconds'], '{:.1f}', scale)})"
            )
            rows.append(
                [
                    f"{r['network']} ({r['neurons']} neurons, {r['edges']} edges)",
                    r["threads"],
                    times,
                    f"{r['updates per second'] / 1e6:.0f}",
                    f"{r['events per second'] / 1e6:.0f}",
                    f"{r['rate']:.2f}",
                    f"{r['ratio to one thread']:.2f}",
                ]
            )
        heads = [
            "network",
            "threads",
            "ms per biological second",
            "million updates/s",
            "million events/s",
            "rate, Hz",
            "time, ratio to one thread",
        ]
        more = " and ".join(
            f"{o['us']['median']:.0f} us ({o['threads']} thread{'s' * (o['threads'] > 1)})"
            for o in results["engine"]["overhead"]
        )
        parts += [
            markdown(heads, rows),
            f"`run.run` of one step and one `run.set`, CUBA 4000, cost {more} more than the step "
            "itself.",
        ]
    if "startup" in results:
        phases = ["import", "describe", "prepare", "in all"]
        rows = [
            [
                f"{s['network']}, {s['cache']} cache",
                *(f"{s['seconds'][phase]['median']:.2f}" for phase in phases),
            ]
            for s in results["startup"]["first step"]
        ]
        imports = {part: value["median"] for part, value in results["startup"]["imports"].items()}
        parts += [
            markdown(["from the import to the end of the first step, s", *phases], rows),
            f"`import neurosim` takes {imports['together']:.3f} s, of which NumPy "
            f"{imports['numpy']:.3f} s.",
        ]
    return "\n\n".join(parts)


def _costs(results: dict[str, Any]) -> str:
    rows = [
        [
            r["neurons"],
            r["threads"],
            f"{r['ns per update']['median']:.3f}",
            f"{r['GB/s']:.0f} ({r['share']:.0%} of {r['level']})",
            f"{r['ns per event']['median']:.2f}",
        ]
        for r in results["rows"]
    ]
    speeds = ", ".join(f"{where} {speed}" for where, speed in results["memory"]["GB/s"].items())
    heads = ["neurons", "threads", "ns per update", "GB/s", "ns per event"]
    return (
        f"{markdown(heads, rows)}\n\nCopying in the same run, GB/s by level and threads: {speeds}."
    )


def _bold(outcome: str) -> str:
    """Make a miss stand out; what nothing was asked of has no outcome."""
    return outcome if not outcome or outcome.startswith("reached") else f"**{outcome}**"


if __name__ == "__main__":
    main()
