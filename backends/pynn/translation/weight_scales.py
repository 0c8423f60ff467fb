"""Weights on SpiNNaker: 16 bits per synapse, in steps that depend on all input of a receptor.

The steps follow from the largest sum of weights that the receptor is expected to receive in one
time step.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from neurosim.backend.report_rows import Place

from .plan import PlannedPopulation, PlannedProjection, PlannedRule
from .rows import Rows, format_range

# Of sPyNNaker 7.4.1, spynnaker.cfg and population_vertex.py.
_EXPECTED_RATE = 30.0  # Hz, of every source
_RING_BUFFER_SIGMA = 5.0  # standard deviations of the input that are allowed for
_SPIKES_SIGMA = 3.0  # standard deviations of the number of spikes in a step

RECEPTORS = ("excitatory", "inhibitory")  # in the order in which sPyNNaker counts them
GAIN = {"IF_cond_exp": 1024.0}  # conductances are counted in units of 2**-10 uS


@dataclass(frozen=True)
class WeightScale:
    """Scale of one receptor.

    Attributes
    ----------
    step : float
        A weight is a whole multiple of it.
    shift : int
        Its binary logarithm, as sPyNNaker counts it.
    projection : str
        The projection with the largest weight.
    largest_weight : float
    """

    step: float
    shift: int
    projection: str
    largest_weight: float


Scales = Mapping[tuple[str, str], WeightScale]


def weight_scales(
    populations: Iterable[PlannedPopulation], projections: Iterable[PlannedProjection], dt: float
) -> dict[tuple[str, str], WeightScale]:
    """Return the scale of every (population, receptor) that receives something.

    Parameters
    ----------
    populations, projections : iterables
        Of the plan.
    dt : float, ms
    """
    by_receptor: dict[tuple[str, str], list[PlannedProjection]] = {}
    for q in projections:
        by_receptor.setdefault((q.target, q.receptor), []).append(q)
    gains = {p.name: GAIN.get(p.cell, 1.0) for p in populations}
    return {
        (target, receptor): weight_scale(inputs, dt, gain=gains[target])
        for (target, receptor), inputs in by_receptor.items()
    }


def weight_scale(
    projections: Sequence[PlannedProjection], dt: float, *, gain: float = 1.0
) -> WeightScale:
    """Return the scale of the receptor that projections go to.

    Every source counts as one that fires with 30 Hz, Poisson sources too.

    Parameters
    ----------
    projections : sequence of PlannedProjection
        All that go to the receptor.
    dt : float, ms
    gain : float
        Of the cell, from ``GAIN``.

    Notes
    -----
    Source: sPyNNaker 7.4.1, ``population_vertex.py``, ``get_ring_buffer_shifts``.
    """
    spikes_per_step = _EXPECTED_RATE / (1000.0 / dt)
    total = 0.0
    largest = 0.0
    delay_spread = 0.0
    for q in projections:
        edges = _most_edges(q)
        total += max(1.0, spikes_per_step) * _largest_weight(q) * edges
        largest = max(largest, gain * _largest_weight(q))
        delay_spread += float(np.var(q.delay)) * (edges - 1) if q.delay.size else 0.0
    highest = max(total, largest)
    if delay_spread > 0.0:
        bound = _ring_buffer_bound(projections, gain, spikes_per_step)
        highest = max(min(bound, total), largest)
    shift = 0 if highest <= 0 else math.ceil(max(0.0, math.log2(highest)))
    # A power of two is its own upper bound, and the sum must stay below it.
    shift += 2.0**shift <= highest
    strongest = max(projections, key=_largest_weight)
    return WeightScale(
        2.0 ** (shift - 15) / gain, shift, strongest.origin, _largest_weight(strongest)
    )


def _largest_weight(q: PlannedProjection) -> float:
    """Return the largest weight that a projection has or may come to have."""
    limit = 0.0 if q.rule is None else abs(q.rule.weights["w_max"])
    return max(float(np.abs(q.weight).max(initial=0.0)), limit)


def _most_edges(q: PlannedProjection) -> int:
    """Return the number of edges to the neuron that has the most."""
    return int(np.bincount(q.post).max(initial=0)) if q.post.size else 0


def _ring_buffer_bound(
    projections: Sequence[PlannedProjection], gain: float, spikes_per_step: float
) -> float:
    """Return the sum of weights in one step that is rarely exceeded.

    It is the mean and some standard deviations of a Poisson number of random weights.
    """
    from scipy import special

    moments = [_weight_moments(q, gain) for q in projections]
    n = np.array([_most_edges(q) for q in projections], np.float64)
    mean, variance = np.array(moments).T
    total = n.sum()
    weight_mean = (n * mean).sum() / total
    deviations = (variance * (n - 1)).sum() + (n * (mean - weight_mean) ** 2).sum()
    weight_variance = deviations / max(total - 1, 1)
    arrivals = total * spikes_per_step
    last = int(round(arrivals + _SPIKES_SIGMA * math.sqrt(arrivals)))
    extra = 0.0
    if weight_variance > 0:
        log_ratio = math.log(arrivals) * last - special.gammaln(1 + last)
        # As sPyNNaker: beyond it the exponential would overflow, and the term is left out.
        if -701.0 < log_ratio < 701.0 and log_ratio != 0.0:
            inside = math.exp(arrivals) * special.gammaincc(1 + last, arrivals)
            inside -= math.exp(log_ratio)
            extra = math.exp(-arrivals) * arrivals * weight_variance * inside
    deviation = math.sqrt(arrivals * weight_mean**2 + extra)
    return arrivals * weight_mean + _RING_BUFFER_SIGMA * deviation


def _weight_moments(q: PlannedProjection, gain: float) -> tuple[float, float]:
    """Return mean and variance of weights; plastic ones all count as the largest."""
    if q.rule is not None:
        return gain * _largest_weight(q), 0.0
    if not q.weight.size:
        return 0.0, 0.0
    magnitudes = np.abs(q.weight)
    return gain * float(magnitudes.mean()), gain**2 * float(magnitudes.var())


def round_weights(weights: np.ndarray, step: float) -> np.ndarray:
    """Return magnitudes of weights as the machine stores them: whole multiples of a step.

    Parameters
    ----------
    weights : (E,)
        In the unit of the receptor.
    step : float
        Of the same unit.
    """
    return np.rint(np.abs(weights) / step) * step


# ---- rows of the report


def report_weights(
    populations: Sequence[PlannedPopulation],
    projections: Sequence[PlannedProjection],
    dt: float,
    *,
    rows: Rows,
) -> None:
    """Report for every projection how SpiNNaker rounds its weights.

    Parameters
    ----------
    populations, projections : sequences
        Of the plan.
    dt : float, ms
    rows : Rows
        Collects the rows of the report.
    """
    scales = weight_scales(populations, projections, dt)
    _report_saturation(populations, projections, scales, dt=dt, rows=rows)
    for q in projections:
        scale = scales[q.target, q.receptor]
        _report_rounding(q, scale, rows)
        if q.rule is not None:
            _report_learning(q, q.rule, scale, rows)


def _report_rounding(q: PlannedProjection, scale: WeightScale, rows: Rows) -> None:
    place = Place("projection", q.origin, f"weights ({q.receptor})")
    magnitudes = np.abs(q.weight)
    rounded = round_weights(q.weight, scale.step)
    difference = np.abs(rounded - magnitudes)
    lost = int(((rounded == 0) & (q.weight != 0)).sum())
    cause = (
        f"steps of {scale.step:.6g}, set by what may meet in a step at {q.receptor} of "
        f"{q.target!r} (largest weight: {scale.largest_weight:.6g}, of {scale.projection!r})"
    )
    if lost:
        rows.approximated(
            place,
            f"{lost} of {rounded.size} weights become 0: {cause}.",
            "Split the population's inputs, or bring the weights closer together.",
        )
    elif difference.any():
        relative = difference / np.where(q.weight == 0, 1.0, magnitudes)
        rows.approximated(place, f"rounded, by up to {100 * relative.max():.3g} %: {cause}.")
    else:
        rows.exact(place, f"{format_range(rounded)} kept to the bit: {cause}.")


def _report_learning(
    q: PlannedProjection,
    rule: PlannedRule,
    scale: WeightScale,
    rows: Rows,
) -> None:
    unit = 1.0 if rule.absolute else abs(rule.weights["w_max"])
    up, down = (rule.timing[name] * unit / scale.step for name in ("A_plus", "A_minus"))
    smallest = min((change for change in (up, down) if change > 0), default=1.0)
    lost = " What is less than a step is lost." if smallest < 1 else ""
    rows.approximated(
        Place("projection", q.origin, f"learning ({q.receptor})"),
        f"a weight is cut down to a whole step of {scale.step:.6g} whenever its source fires, "
        f"which costs half a step ({scale.step / 2:.3g}) on average each time it changed; a pair "
        f"changes it by up to {up:.3g} steps up and {down:.3g} down.{lost}",
        "Larger changes, or a smaller largest weight, which makes the steps smaller.",
    )


def _report_saturation(
    populations: Iterable[PlannedPopulation],
    projections: Iterable[PlannedProjection],
    scales: Scales,
    *,
    dt: float,
    rows: Rows,
) -> None:
    """Report receptors that Poisson sources alone nearly fill in a mean step."""
    spikes_per_step = {
        p.name: np.max(p.parameters["rate"]) / 1000.0 * dt
        for p in populations
        if p.cell == "SpikeSourcePoisson"
    }
    mean_input: dict[tuple[str, str], float] = {}
    for q in projections:
        if q.source in spikes_per_step and q.post.size:
            largest_sum = float(np.bincount(q.post, weights=np.abs(q.weight)).max())
            key = (q.target, q.receptor)
            added = spikes_per_step[q.source] * largest_sum
            mean_input[key] = mean_input.get(key, 0.0) + added
    for (target, receptor), mean in mean_input.items():
        capacity = scales[target, receptor].step * (1 << 16)
        if mean > capacity / 2:
            rows.approximated(
                Place("population", target, receptor),
                f"Poisson sources bring {mean:.3g} in a mean step and the sum saturates at "
                f"{capacity:.3g}: sPyNNaker expects 30 Hz of every source.",
                "Use more sources of lower rate, or smaller weights.",
            )
