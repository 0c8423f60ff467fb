"""The comparison of two recordings: equality to the last bit, or likeness within stated bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import ModelError, NetworkError, describe
from ..recording.recorded import PopulationRecording, ProjectionRecording, Recorded
from ..recording.recording import Recording
from ..recording.samples import Spikes, Trace
from ..recording.spike_values import SpikeValues
from ..units import unit
from .measure import correlation, cv_intervals, rate

PARTS = 10  # of a recording: the spread of a measure between them says how well it is known
QUANTILE = 1.645  # of the normal distribution, 95 %: two one-sided tests at 5 %

Verdict = dict[str, Any]


@dataclass(frozen=True)
class Bounds:
    """Largest differences of means between recordings that count as alike.

    Parameters
    ----------
    rate : float, 1
        As a fraction of the rate of the first recording.
    cv : float, 1
        Of the coefficient of variation of intervals.
    correlation : float, 1
        Of the spike counts of two neurons in bins of ``bin``, mean over pairs.
    weight : float, 1
        As a fraction of the mean absolute weight of the first recording.
    bin : float, ms

    Raises
    ------
    NetworkError
        If a bound is negative or no number, or the bin is not above 0.
    """

    rate: float = 0.1
    cv: float = 0.1
    correlation: float = 0.02
    weight: float = 0.05
    bin: float = 5.0

    def __post_init__(self) -> None:
        if not self.bin > 0:
            raise NetworkError(
                f"compare: bin: found {self.bin:.12g} ms, expected more than 0 ms. "
                "Give a positive time."
            )
        for name in ("rate", "cv", "correlation", "weight"):
            bound = getattr(self, name)
            if not bound >= 0:  # NaN is refused likewise
                raise NetworkError(
                    f"compare: {name}: found {bound:g}, expected at least 0. Correct it."
                )


def compare(
    a: Recording,
    b: Recording,
    *,
    statistical: bool = False,
    bounds: Bounds = Bounds(),
) -> list[Verdict]:
    """Compare two recordings.

    Parameters
    ----------
    a, b : Recording
    statistical : bool
        False: every spike and every sample must be the same. True: rates, variability of
        intervals, correlations and weights must be alike. This is an equivalence test: it passes
        if the 90 % interval of the difference lies within the bounds, so too short a recording
        cannot pass. Rates and correlations are paired by part of the time, intervals by neuron
        and weights by edge, if both recordings have the same ones. Traces are not compared.
    bounds : Bounds
        Of the statistical comparison.

    Returns
    -------
    list of {quantity, measured, expected, pass}
        At least one row. Whatever is in one recording alone has not passed.

    Raises
    ------
    NetworkError
        If they have nothing in common that can be compared, or different time steps (for
        equality).

    Notes
    -----
    Source: Schuirmann 1987, two one-sided tests.
    """
    shared = _shared_names(a, b, statistical=statistical)
    rows: list[Verdict] = []
    for name in shared:
        if statistical:
            rows += _judge_likeness(name, a[name], b[name], bounds)
        else:
            rows += _judge_equality(name, a[name], b[name])
    for name in sorted({*a} ^ {*b}):
        rows.append(_verdict(f"{name}: recorded", "in one only", "in both", False))
    if not rows:  # no row at all would count as a comparison that passed
        nouns = "spikes or samples"
        remedy = "something"
        if statistical:
            nouns = "spikes or weights"
            remedy = "spikes, or w of a projection"
        raise NetworkError(
            f"compare: found no {nouns} of {', '.join(shared)} in either recording, "
            f"expected some in both. Record {remedy}, and run for longer than its distance "
            "between samples."
        )
    return rows


def _shared_names(a: Recording, b: Recording, *, statistical: bool) -> list[str]:
    for recording in (a, b):
        if not isinstance(recording, Recording):
            raise NetworkError(
                f"compare: found {describe(recording)}, expected two recordings. "
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
            f"compare: time steps of {a.dt:g} and {b.dt:.12g} ms, expected the same. "
            "Compare them statistically."
        )
    return shared


def _verdict(
    quantity: str,
    measured: Any,
    expected: str,
    passed: bool,
) -> Verdict:
    return {"quantity": quantity, "measured": measured, "expected": expected, "pass": passed}


def _judge_lone(name: str, a: set[str], b: set[str]) -> Iterator[Verdict]:
    """Yield a row for each quantity that only one of two recordings has."""
    for quantity in sorted(a ^ b):
        yield _verdict(f"{name}: {quantity}", "in one only", "in both", False)


# ---- equality


def _judge_equality(name: str, a: Recorded, b: Recorded) -> Iterator[Verdict]:
    if isinstance(a, PopulationRecording) and isinstance(b, PopulationRecording):
        if a.recorded is not None and b.recorded is not None:
            differences = _spike_differences(a.recorded, b.recorded)
            counts = f"{len(a.recorded)} and {len(b.recorded)}"
            measured = ", ".join([counts, *differences])
            yield _verdict(f"{name}: spikes", measured, "the same", not differences)
    for variable in [v for v in a.traces if v in b.traces]:
        # The first difference tells most: later ones follow from it.
        difference = _trace_difference(a.traces[variable], b.traces[variable])
        measured = difference or f"{a.traces[variable].values.size} samples"
        yield _verdict(f"{name}: {variable}", measured, "the same", not difference)
    # Projections have no spikes, and so no values at them.
    at_a = getattr(a, "values_at_spikes", {})
    at_b = getattr(b, "values_at_spikes", {})
    for variable in [v for v in at_a if v in at_b]:
        difference = _difference_at_spikes(at_a[variable], at_b[variable])
        measured = difference or f"{len(at_a[variable])} values"
        yield _verdict(f"{name}: {variable} at spikes", measured, "the same", not difference)
    in_a = {*a.traces, *_statistics(a), *(f"{v} at spikes" for v in at_a)}
    in_b = {*b.traces, *_statistics(b), *(f"{v} at spikes" for v in at_b)}
    yield from _judge_lone(name, in_a, in_b)


def _spike_differences(a: Spikes, b: Spikes) -> list[str]:
    """Return in words every way in which spikes differ."""
    differences = []
    # Sets, not arrays: one spike too many must not make all later ones count as different.
    in_a = {*zip(a.step.tolist(), a.index.tolist(), strict=True)}
    in_b = {*zip(b.step.tolist(), b.index.tolist(), strict=True)}
    differing = sorted(in_a ^ in_b)
    if differing:
        step, neuron = differing[0]
        time = (step + 1) * a.dt
        differences.append(f"{len(differing)} differ, first: neuron {neuron} at {time:.12g} ms")
    if (a.first, a.steps) != (b.first, b.steps):
        differences.append("over other times")
    if not np.array_equal(np.sort(a.members), np.sort(b.members)):
        differences.append("of other neurons")
    return differences


def _difference_at_spikes(a: SpikeValues, b: SpikeValues) -> str:
    """Return in words how values at spikes differ; empty if they do not."""
    differences = _spike_differences(a.spikes, b.spikes)
    if differences:
        return ", ".join(differences)
    if a.unit != b.unit:
        return f"in {a.unit} and in {b.unit}"
    both_nan = np.isnan(a.values) & np.isnan(b.values)
    differs = ~((a.values == b.values) | both_nan)
    if not differs.any():
        return ""
    first = int(np.argmax(differs))
    largest = np.nanmax(np.abs(a.values - b.values))
    return (
        f"{np.count_nonzero(differs)} of {len(a)} differ, by up to {largest:.3g} {a.unit}, "
        f"first: neuron {a.index[first]} at {a.times()[first]:.12g} ms"
    )


def _trace_difference(a: Trace, b: Trace) -> str:
    """Return in words how two traces differ; empty if they do not."""
    b = _in_unit_of(a, b)
    if a.unit != b.unit:
        return f"in {a.unit} and in {b.unit}"
    same_shape = a.values.shape == b.values.shape and a.every == b.every
    if not same_shape or not np.array_equal(a.members, b.members):
        shapes = f"{a.values.shape} and {b.values.shape} samples"
        return f"{shapes}, every {a.every} and {b.every} steps"
    # NaN equals NaN here: two runs that fail alike are the same to the last bit.
    both_nan = np.isnan(a.values) & np.isnan(b.values)
    differs = ~((a.values == b.values) | both_nan)
    if not differs.any():
        return ""
    sample, column = np.argwhere(differs)[0]
    largest = np.nanmax(np.abs(a.values - b.values))
    return (
        f"{np.count_nonzero(differs)} of {a.values.size} differ, by up to {largest:.3g} {a.unit}, "
        f"first: member {a.members[column]} at {a.times()[sample]:.12g} ms"
    )


def _in_unit_of(a: Trace, b: Trace) -> Trace:
    """Return the second trace in the unit of the first, if both measure the same."""
    if a.unit == b.unit:
        return b
    try:
        target = unit(a.unit)
        own = unit(b.unit)
    except ModelError:
        return b  # made by hand, in a unit that no run has
    if target.exponents != own.exponents:
        return b
    return replace(b, values=b.values * own.size / target.size, unit=a.unit)


# ---- likeness


def _statistics(recorded: Recorded) -> set[str]:
    """Return the name of the quantity that is compared statistically, if it was recorded."""
    if isinstance(recorded, PopulationRecording):
        return set() if recorded.recorded is None else {"spikes"}
    return {"w"} if "w" in recorded.traces and len(recorded.traces["w"].values) else set()


def _judge_likeness(
    name: str,
    a: Recorded,
    b: Recorded,
    bounds: Bounds,
) -> Iterator[Verdict]:
    yield from _judge_lone(name, _statistics(a), _statistics(b))
    if not _statistics(a) & _statistics(b):
        return
    if isinstance(a, PopulationRecording) and isinstance(b, PopulationRecording):
        yield from _judge_spikes(name, a.spikes, b.spikes, bounds)
    elif isinstance(a, ProjectionRecording) and isinstance(b, ProjectionRecording):
        yield _judge_weights(name, a, b, bounds)


def _judge_spikes(
    name: str,
    a: Spikes,
    b: Spikes,
    bounds: Bounds,
) -> Iterator[Verdict]:
    same_time = _window(a) == _window(b)
    yield _judge_means(
        f"{name}: rate, Hz",
        _over_parts(a, rate),
        _over_parts(b, rate),
        bound=bounds.rate * rate(a),
        paired=same_time,
        relative=f"{100 * bounds.rate:g} %",
        alike_without_values=False,
    )
    # Silent neurons have no intervals: recordings without any are alike in this.
    yield _judge_means(
        f"{name}: CV of intervals",
        cv_intervals(a),
        cv_intervals(b),
        bound=bounds.cv,
        paired=np.array_equal(a.members, b.members),
    )

    def binned_correlation(part: Spikes) -> float:
        return correlation(part, bounds.bin)

    yield _judge_means(
        f"{name}: correlation, {bounds.bin:.12g} ms bins",
        _over_parts(a, binned_correlation),
        _over_parts(b, binned_correlation),
        bound=bounds.correlation,
        paired=same_time,
    )


def _judge_weights(
    name: str,
    a: ProjectionRecording,
    b: ProjectionRecording,
    bounds: Bounds,
) -> Verdict:
    # Only the last sample: weights in the middle of learning depend on how far each run has come.
    last_a = a.traces["w"].values[-1]
    last_b = _in_unit_of(a.traces["w"], b.traces["w"]).values[-1]
    same_ends = np.array_equal(a.source, b.source) and np.array_equal(a.target, b.target)
    return _judge_means(
        f"{name}: weights at the end, {a.traces['w'].unit}",
        last_a,
        last_b,
        bound=bounds.weight * float(np.mean(np.abs(last_a))),
        paired=same_ends and last_a.shape == last_b.shape,
        relative=f"{100 * bounds.weight:g} %",
    )


def _window(spikes: Spikes) -> tuple[float, float]:
    """Return start and length of the recorded window, ms."""
    return spikes.first * spikes.dt, spikes.steps * spikes.dt


def _over_parts(spikes: Spikes, measure: Callable[[Spikes], float]) -> np.ndarray:
    """Return a measure of successive parts of a recording."""
    # Parts of equal length; steps that are left over are in none, so that all parts weigh the same.
    bounds = (spikes.first + np.arange(PARTS + 1) * (spikes.steps // PARTS)) * spikes.dt
    windows = [window for window in zip(bounds, bounds[1:], strict=False) if window[1] > window[0]]
    return np.array([measure(spikes.window(start, stop)) for start, stop in windows])


def _judge_means(
    quantity: str,
    a: np.ndarray,
    b: np.ndarray,
    *,
    bound: float,
    paired: bool,
    relative: str = "",
    alike_without_values: bool = True,
) -> Verdict:
    """Judge the difference of two means.

    Parameters
    ----------
    quantity : str
    a, b : (n,) float64
        NaN: no value.
    bound : float
        Of the difference.
    paired : bool
        Values belong together (one time, one neuron, one edge): variation that they share then
        does not count as uncertainty.
    relative : str
        The bound in words.
    alike_without_values : bool
        Verdict if neither has a value.
    """
    has_a = ~np.isnan(a)
    has_b = ~np.isnan(b)
    if paired:
        has_a = has_b = has_a & has_b
    a = a[has_a]
    b = b[has_b]
    expected = f"differ by at most {bound:.3g}" + (f" ({relative})" if relative else "")
    # One value has no spread, so nothing is known about how well it is known.
    if min(a.size, b.size) < 2:
        measured = f"from {a.size} and {b.size} values: too few to say"
        neither = a.size == b.size == 0
        return _verdict(quantity, measured, expected, alike_without_values and neither)
    difference = abs(a.mean() - b.mean())
    if paired:
        # Of the differences: what both share, such as slow waves, cancels.
        variance = (a - b).var(ddof=1) / a.size
    else:
        variance = a.var(ddof=1) / a.size + b.var(ddof=1) / b.size
    uncertainty = QUANTILE * np.sqrt(variance)
    means = f"{a.mean():.4g} and {b.mean():.4g}"
    measured = f"{means}, differ by {difference:.3g} ± {uncertainty:.2g}"
    # Two one-sided tests pass if the whole interval of the difference lies within the bounds.
    return _verdict(quantity, measured, expected, bool(difference + uncertainty <= bound))
