"""The verdict on a row: agreement of the networks, speed ratio, and share of the limit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from .limit import Memory, least_seconds
from .report import quartiles, spread, verdict
from .rows import PRECISIONS, ROWS, Against, Row
from .turns import PACKAGES, Contestant, Entry, Report, ours, theirs

EDGES = 0.01  # numbers of edges may differ by this share
# share of the limit asked of networks that learn: the trial engine reached 8 %, and the gap was to
# be halved
LEARNING = 0.16
FEWEST = 3  # turns that both sides finished; fewer show nothing about rates
WORK = ("neurons", "updates", "edges", "targets", "static", "plastic", "back", "spikes")

HEADS = [
    "processor",
    "network",
    "peer",
    "precision",
    "ours, s",
    "peer, s",
    "threads",
    "times faster",
    "asked",
    "of the limit",
    "spikes, ratio",
    "",
]
LEARNING_HEADS = [
    "processor",
    "network that learns",
    "peer",
    "precision",
    "threads",
    "ns per plastic event, at most",
    "of the limit",
    "asked",
    "",
]


def judge(
    row: Row, against: Against, precision: str, entries: Mapping[Contestant, Entry], memory: Memory
) -> dict[str, Any]:
    """Return the row of the table: times only if the networks agree, and then whether what was
    asked is reached.
    """
    mine = entries[ours(row, against, precision)]
    peers = {c[1]: entries[c] for c in theirs(row, against) if c in entries}
    evidence = {"ours": _evidence(mine)} | {
        f"peer, {n} thread{'s' * (n > 1)}": _evidence(entry) for n, entry in peers.items()
    }
    result = unmeasured(row, against, precision) | {"contestants": evidence, "clock": row.clock}
    shared = {n: sorted(mine.runs.keys() & entry.runs.keys()) for n, entry in peers.items()}
    able = [n for n in peers if len(shared[n]) >= FEWEST]
    if not able:
        return result | {"outcome": f"skipped: {_reason(against, mine, peers)}"}
    best = min(able, key=lambda n: np.median(_simulations(peers[n].runs.values())))
    first, second = ([entry.runs[seed] for seed in shared[best]] for entry in (mine, peers[best]))
    result |= agreement(first, second, row.bound)
    if result["outcome"]:
        return result
    number = 8 if precision == "float64" else 4
    least = [
        least_seconds(memory, row.traffic, r, number=number, threads=min(r["threads"], 2))
        for r in first
    ]
    ratio = spread(np.divide(_simulations(second), _simulations(first)))
    return result | {
        "seconds": {"ours": spread(_simulations(first)), "peer": spread(_simulations(second))},
        "ratio": ratio,
        **verdict(ratio, against.times(precision)),
        **{
            what: {"ours": first[0][what], "peer": second[0][what]}
            for what in ("threads", "version")
        },
        "phases": {"ours": _phases(mine, first), "peer": _phases(peers[best], second)},
        "work": {what: float(np.median([r[what] for r in first])) for what in WORK},
        "limit": float(np.median(least)),
        **_share(row, first, least),
    }


def unmeasured(row: Row, against: Against, precision: str) -> dict[str, Any]:
    """Return what is known of a row before it is measured."""
    none = {"outcome": "not measured"}
    known = {
        "network": row.name,
        "peer": against.label,
        "precision": precision,
        "asked": against.times(precision),
        **none,
    }
    return known | ({"learning": {"asked": LEARNING, **none}} if row.learns else {})


def agreement(first: Sequence[Report], second: Sequence[Report], bound: float) -> dict[str, Any]:
    """Return rates, spikes and edges of both sides, and as ``outcome`` how they differ by more than
    they may; empty if they do not.
    """
    rates = {"ours": _rates(first), "peer": _rates(second)}
    means = {
        who: {name: float(np.mean(values)) for name, values in of.items()}
        for who, of in rates.items()
    }
    edges = {
        who: float(np.mean([r["edges"] for r in reports]))
        for who, reports in (("ours", first), ("peer", second))
    }
    spikes = sum(r["spikes"] for r in first) / max(sum(r["spikes"] for r in second), 1)
    comparison = {
        "rates": means,
        "rates by seed": rates,
        "bound": bound,
        "spikes, ratio": spikes,
        "number of edges": edges,
    }
    a, b = edges.values()
    if abs(a - b) > EDGES * b:
        return comparison | {"outcome": f"edges differ: {a:.0f} and {b:.0f}"}
    apart = disagreement(rates["ours"], rates["peer"], bound)
    return comparison | {"outcome": apart and f"rates differ: {apart}"}


def disagreement(
    first: Mapping[str, Sequence[float]], second: Mapping[str, Sequence[float]], bound: float
) -> str:
    """Say which population's mean rates are not shown to differ by less than a share of the
    second's; nothing if all are.

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
            return (
                f"{name} {a.mean():.2f} and {b.mean():.2f} Hz, standard error {error:.2f}, "
                f"bound {bound:.0%}"
            )
    return ""


def _share(row: Row, first: Sequence[Report], least: Sequence[float]) -> dict[str, Any]:
    """Return the share of the limit, and for networks that learn a verdict on it and the cost of a
    plastic event.

    A plastic event is a spike that arrives at one plastic edge. Its cost is processor time, threads
    times seconds, of the whole run, neurons and static edges included: its own is less.
    """
    times = _simulations(first)
    share = spread(np.divide(least, times))
    shares: dict[str, Any] = {"share of the limit": share["median"]}
    if not row.learns:
        return shares
    cost = spread(
        [
            1e9 * r["threads"] * seconds / max(r["plastic"], 1)
            for r, seconds in zip(first, times, strict=True)
        ]
    )
    return shares | {
        "learning": {
            "ns per plastic event, at most": cost,
            "share": share,
            "asked": LEARNING,
            **verdict(share, LEARNING),
        }
    }


def _evidence(entry: Entry) -> dict[str, Any]:
    """Return the seconds of a contestant's trials and counted runs, and why there are no more."""
    return {
        "trials": entry.tried(),
        "runs": _simulations(entry.runs.values()),
        "refused": entry.refused,
    }


def _reason(against: Against, mine: Entry, peers: Mapping[int, Entry]) -> str:
    package = PACKAGES[against.program]
    if not peers and not find_spec(package) and not mine.refused:
        return f"{package} is not installed"
    return mine.refused or next(
        (entry.refused for entry in peers.values() if entry.refused), "fewer than three turns"
    )


def _simulations(reports: Iterable[Report]) -> list[float]:
    return [r["seconds"]["simulation"] for r in reports]


def _rates(reports: Sequence[Report]) -> dict[str, list[float]]:
    return {name: [r["rates"][name] for r in reports] for name in reports[0]["rates"]}


def _phases(entry: Entry, runs: Sequence[Report]) -> dict[str, float]:
    """Return the seconds of everything but the simulation: medians, and what the trial took to
    compile for the first time.
    """
    parts = {
        part: float(np.median([r["seconds"][part] for r in runs]))
        for part in ("import", "construction", "compilation")
    }
    trial = entry.trials[0]["seconds"]
    return parts | {"import and compilation, first": trial["import"] + trial["compilation"]}


# ---- tables


def in_order(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return rows for everything that ROWS asks for, one for each processor that was measured; what
    was not measured at all has one, too, and what is asked for no more is left out.
    """
    known: dict[tuple[str, ...], dict[str, dict[str, Any]]] = {}
    for r in rows:
        of_row = known.setdefault((r["network"], r["peer"], r["precision"]), {})
        of_row[processor(r)] = dict(r)
    wanted = [
        unmeasured(row, against, precision)
        for row in ROWS
        for against in row.against
        for precision in PRECISIONS
    ]
    return [
        r | measured
        for r in wanted
        for measured in known.get((r["network"], r["peer"], r["precision"]), {"": {}}).values()
    ]


def processor(r: Mapping[str, Any]) -> str:
    """Return the processor that a row was measured on, what code was compiled for if that is
    another, and whether the processor's clock was read; empty if it was not measured.
    """
    machine = r.get("machine", {})
    words = [machine.get("recognised as", "")]
    if machine.get("target"):
        words.append(f"compiled for {machine['target']}")
    if r.get("clock") == "processor":
        words.append("processor time")
    return ", ".join(word for word in words if word)


def line(r: Mapping[str, Any]) -> list[str]:
    """Return a row of the table under HEADS."""
    head = [processor(r), r["network"], r["peer"], r["precision"]]
    if "seconds" not in r:
        return [*head, *[""] * 4, f"{r['asked']:g}", "", _spikes(r), said(r)]
    times = [
        f"{r['seconds'][who]['median']:.3g} ({quartiles(r['seconds'][who])})"
        for who in ("ours", "peer")
    ]
    ratio = f"{r['ratio']['median']:.2f} ({quartiles(r['ratio'])})"
    return [
        *head,
        *times,
        f"{r['threads']['ours']} : {r['threads']['peer']}",
        ratio,
        f"{r['asked']:g}",
        f"{r['share of the limit']:.0%}",
        _spikes(r),
        said(r),
    ]


def learning_line(r: Mapping[str, Any]) -> list[str]:
    """Return a row of the table under LEARNING_HEADS, of a network that learns."""
    learning = r["learning"]
    head = [processor(r), r["network"], r["peer"], r["precision"]]
    if "share" not in learning:
        return [*head, "", "", "", f"{learning['asked']:.0%}", said(learning)]
    cost, share = learning["ns per plastic event, at most"], learning["share"]
    share_words = f"{share['median']:.0%} ({quartiles(share, '{:.0%}')})"
    costs = f"{cost['median']:.3g} ({quartiles(cost)})"
    return [
        *head,
        str(r["threads"]["ours"]),
        costs,
        share_words,
        f"{learning['asked']:.0%}",
        said(learning),
    ]


def said(r: Mapping[str, Any]) -> str:
    """Return an outcome in words: whether it was narrow, and who refused."""
    reasons = {who: of["refused"] for who, of in r.get("contestants", {}).items()}
    refused = [
        f"{who}: {reason}"
        for who, reason in reasons.items()
        if reason and reason not in r["outcome"]
    ]
    return "; ".join([r["outcome"] + ", narrowly" * r.get("narrow", False), *refused])


def _spikes(r: Mapping[str, Any]) -> str:
    return f"{r['spikes, ratio']:.3f}" if "spikes, ratio" in r else ""
