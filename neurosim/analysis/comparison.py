"""Whether two recordings are equal, or statistically alike: differences held against bounds that
were stated beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import NetworkError, describe
from ..recording.recorded import PopulationRecording, ProjectionRecording
from ..recording.recording import Recording
from ..recording.samples import Spikes, Trace
from .measure import correlation, cv_intervals, rate

PARTS = 10  # of a recording: how a measure varies between them says how well it is known
QUANTILE = 1.645  # of the normal distribution, 95 %: two one-sided tests at 5 %


@dataclass(frozen=True)
class Bounds:
    """How far means may differ between recordings that count as alike.

    Attributes
    ----------
    rate : of the rate of the first recording
    cv : coefficient of variation of intervals
    correlation : of the counts of two neurons in bins of ``bin`` ms, mean over pairs
    weight : of the mean size of the weights of the first recording

    Raises
    ------
    NetworkError
        If one is negative or no number, or the bin is not above 0.
    """

    rate: float = 0.1
    cv: float = 0.1
    correlation: float = 0.02
    weight: float = 0.05
    bin: float = 5.0

    def __post_init__(self) -> None:
        if not self.bin > 0:
            raise NetworkError(
                f"compare: bin: found {self.bin:g} ms, expected more than 0 ms. "
                "Give a positive time."
            )
        for name in ("rate", "cv", "correlation", "weight"):
            if not getattr(self, name) >= 0:  # also where it is NaN
                raise NetworkError(
                    f"compare: {name}: found {getattr(self, name):g}, expected at least 0. "
                    "Correct it."
                )


def compare(
    a: Recording, b: Recording, *, statistical: bool = False, bounds: Bounds = Bounds()
) -> list[dict[str, Any]]:
    """Hold two recordings against each other.

    Parameters
    ----------
    statistical : bool
        False: every spike and every sample must be the same. True: rates, variability of intervals,
        correlations and weights must be alike.
        That is an equivalence test: it passes where the 90 % interval of the difference lies within
        the bounds, so too short a recording
        cannot pass (Schuirmann 1987, two one-sided tests). Rates and correlations are compared part
        of the time by part of the time, intervals
        neuron by neuron and weights edge by edge, where both recordings have the same ones. Traces
        are not looked at.

    Returns
    -------
    list of {quantity, measured, expected, pass}
        At least one; what is in one recording alone has not passed.

    Raises
    ------
    NetworkError
        If they have nothing in common that can be compared, or different time steps (for equality).
    """
    for each in (a, b):
        if not isinstance(each, Recording):
            raise NetworkError(
                f"compare: found {describe(each)}, expected two recordings. "
                "Load them with Recording.load(path)."
            )
    shared = [name for name in a if name in b]
    if not shared:
        raise NetworkError(
            "compare: the recordings have no population or projection in common: "
            f"{', '.join(a) or 'none'}, and {', '.join(b) or 'none'}. "
            "Record the same in both."
        )
    if not statistical and a.dt != b.dt:
        raise NetworkError(
            f"compare: time steps of {a.dt:g} and {b.dt:g} ms, expected the same. "
            "Compare them statistically."
        )
    rows = [
        row
        for name in shared
        for row in (
            _alike(name, a[name], b[name], bounds)
            if statistical
            else _equal(name, a[name], b[name])
        )
    ]
    rows += [
        _row(f"{name}: recorded", "in one only", "in both", False) for name in sorted({*a} ^ {*b})
    ]
    if not rows:  # no row at all would count as a comparison that passed
        found, remedy = (
            ("spikes or weights", "spikes, or w of a projection")
            if statistical
            else ("spikes or samples", "something")
        )
        raise NetworkError(
            f"compare: found no {found} of {', '.join(shared)} in either recording, expected some "
            "in both. "
            f"Record {remedy}, and run for longer than its distance between samples."
        )
    return rows


def _row(quantity: str, measured: Any, expected: str, passed: bool) -> dict[str, Any]:
    return {"quantity": quantity, "measured": measured, "expected": expected, "pass": passed}


# ---- equality


def _equal(name: str, a: Any, b: Any) -> Iterator[dict[str, Any]]:
    if isinstance(a, PopulationRecording) and a.recorded is not None and b.recorded is not None:
        pairs = [
            {*zip(each.spikes.step.tolist(), each.spikes.index.tolist(), strict=True)}
            for each in (a, b)
        ]
        differing = sorted(pairs[0] ^ pairs[1])
        found = [f"{len(a.spikes)} and {len(b.spikes)}"]
        if differing:
            step, neuron = differing[0]
            found.append(
                f"{len(differing)} differ, first: neuron {neuron} at {(step + 1) * a.spikes.dt:g} "
                "ms"
            )
        if (a.spikes.first, a.spikes.steps) != (b.spikes.first, b.spikes.steps):
            found.append("over other times")
        if not np.array_equal(np.sort(a.spikes.members), np.sort(b.spikes.members)):
            found.append("of other neurons")
        yield _row(f"{name}: spikes", ", ".join(found), "the same", len(found) == 1)
    for variable in [v for v in a.traces if v in b.traces]:
        yield _row(f"{name}: {variable}", *_samples(a.traces[variable], b.traces[variable]))
    yield from _lone(name, *({*each.traces, *_statistics(each)} for each in (a, b)))


def _lone(name: str, a: set[str], b: set[str]) -> Iterator[dict[str, Any]]:
    """Yield a row for each thing that only one of two recordings has."""
    yield from (_row(f"{name}: {each}", "in one only", "in both", False) for each in sorted(a ^ b))


def _samples(a: Trace, b: Trace) -> tuple[str, str, bool]:
    if (
        a.values.shape != b.values.shape
        or a.every != b.every
        or not np.array_equal(a.members, b.members)
    ):
        return (
            f"{a.values.shape} and {b.values.shape} samples, every {a.every} and {b.every} steps",
            "the same",
            False,
        )
    differs = ~((a.values == b.values) | (np.isnan(a.values) & np.isnan(b.values)))
    if not differs.any():
        return f"{a.values.size} samples", "the same", True
    row, column = np.argwhere(differs)[0]
    largest = np.nanmax(np.abs(a.values - b.values))
    return (
        (
            f"{np.count_nonzero(differs)} of {a.values.size} differ, by up to {largest:.3g} "
            f"{a.unit}, first: member {a.members[column]} at "
            f"{a.times()[row]:g} ms"
        ),
        "the same",
        False,
    )


# ---- likeness


def _statistics(recorded: PopulationRecording | ProjectionRecording) -> set[str]:
    """Return the name of what is compared statistically, where it was recorded."""
    if isinstance(recorded, PopulationRecording):
        return set() if recorded.recorded is None else {"spikes"}
    return {"w"} if "w" in recorded.traces and len(recorded.traces["w"].values) else set()


def _alike(name: str, a: Any, b: Any, bounds: Bounds) -> Iterator[dict[str, Any]]:
    yield from _lone(name, _statistics(a), _statistics(b))
    if not _statistics(a) & _statistics(b):
        return
    if isinstance(a, PopulationRecording):
        mean = rate(a.spikes)
        together = (
            len(
                {
                    (each.spikes.first * each.spikes.dt, each.spikes.steps * each.spikes.dt)
                    for each in (a, b)
                }
            )
            == 1
        )
        rates, binned = (
            [_parts(each.spikes, of) for each in (a, b)]
            for of in (rate, lambda part: correlation(part, bounds.bin))
        )
        yield _judge(
            f"{name}: rate, Hz",
            *rates,
            bounds.rate * mean,
            together,
            f"{100 * bounds.rate:g} %",
            none=False,
        )
        yield _judge(
            f"{name}: CV of intervals",
            *(cv_intervals(each.spikes) for each in (a, b)),
            bounds.cv,
            np.array_equal(a.spikes.members, b.spikes.members),
        )
        yield _judge(
            f"{name}: correlation, {bounds.bin:g} ms bins", *binned, bounds.correlation, together
        )
    else:
        last = [each.traces["w"].values[-1] for each in (a, b)]
        bound = bounds.weight * float(np.mean(np.abs(last[0])))
        same = (
            all(np.array_equal(getattr(a, end), getattr(b, end)) for end in ("source", "target"))
            and last[0].shape == last[1].shape
        )
        yield _judge(
            f"{name}: weights at the end, {a.traces['w'].unit}",
            *last,
            bound,
            same,
            f"{100 * bounds.weight:g} %",
        )


def _parts(spikes: Spikes, measured: Callable[[Spikes], float]) -> np.ndarray:
    """Return a measure of the parts of a recording, one after the other."""
    edges = (spikes.first + np.arange(PARTS + 1) * (spikes.steps // PARTS)) * spikes.dt
    return np.array(
        [
            measured(spikes.window(start, stop))
            for start, stop in zip(edges[:-1], edges[1:], strict=True)
            if stop > start
        ]
    )


def _judge(
    quantity: str,
    a: np.ndarray,
    b: np.ndarray,
    bound: float,
    paired: bool,
    relative: str = "",
    *,
    none: bool = True,
) -> dict[str, Any]:
    """Judge the difference of two means; of pairs (one time, one neuron, one edge), so that what
    they share does not count as uncertainty.

    ``none``: whether both are alike if neither has a value, as intervals of silent neurons have
    none.
    """
    known = [~np.isnan(each) for each in (a, b)]
    a, b = (
        (a[known[0] & known[1]], b[known[0] & known[1]]) if paired else (a[known[0]], b[known[1]])
    )
    expected = f"differ by at most {bound:.3g}" + (f" ({relative})" if relative else "")
    if min(a.size, b.size) < 2:
        return _row(
            quantity,
            f"from {a.size} and {b.size} values: too few to say",
            expected,
            none and a.size == b.size == 0,
        )
    difference = abs(a.mean() - b.mean())
    uncertain = QUANTILE * np.sqrt(
        (a - b).var(ddof=1) / a.size if paired else a.var(ddof=1) / a.size + b.var(ddof=1) / b.size
    )
    return _row(
        quantity,
        f"{a.mean():.4g} and {b.mean():.4g}, differ by {difference:.3g} ± {uncertain:.2g}",
        expected,
        bool(difference + uncertain <= bound),
    )
