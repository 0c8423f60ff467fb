"""Weights on SpiNNaker: 16 bits per synapse, whose scale follows from all that one receptor of a population may receive in a step."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from neurosim.backend.report import Place

from .plan import PlannedPopulation, PlannedProjection, Rows, span

# Of sPyNNaker 7.4.1, spynnaker.cfg and population_vertex.py: the rate that neurons are expected to fire with, and standard deviations allowed for.
RATE, SIGMA, LIMIT = 30.0, 5.0, 3.0
RECEPTORS = ("excitatory", "inhibitory")  # in the order in which sPyNNaker counts them
GAIN = {"IF_cond_exp": 1024.0}  # conductances are counted in units of 2**-10 uS


@dataclass(frozen=True)
class Scale:
    """Scale of one receptor: a weight is a whole multiple of ``step``; ``by`` names the projection with the largest weight, ``most``."""

    step: float
    shift: int
    by: str
    most: float


def scale(projections: Sequence[PlannedProjection], dt: float, *, gain: float = 1.0) -> Scale:
    """Return the scale of the receptor into which these projections go; after sPyNNaker 7.4.1, ``get_ring_buffer_shifts``.

    It takes every source for one that fires with 30 Hz, Poisson sources too. ``gain`` is that of the cell, from the table above.
    """
    per_second = 1000.0 / dt
    totals, biggest, counts, means, variances, spread = 0.0, 0.0, [], [], [], 0.0
    for p in projections:
        size, most = np.abs(p.weight), _most(p)
        count = int(np.bincount(p.post).max(initial=0)) if p.post.size else 0
        totals += max(1.0, RATE / per_second) * most * count
        biggest = max(biggest, gain * most)
        counts.append(count)
        means.append(gain * (most if p.rule else float(size.mean()) if size.size else 0.0))
        variances.append(gain**2 * (0.0 if p.rule else float(size.var()) if size.size else 0.0))
        spread += float(np.var(p.delay)) * (count - 1) if p.delay.size else 0.0
    highest = (
        max(totals, biggest)
        if spread <= 0.0
        else max(min(_bound(counts, means, variances, RATE / per_second), totals), biggest)
    )
    shift = 0 if highest <= 0 else math.ceil(max(0.0, math.log2(highest)))
    shift += 2.0**shift <= highest
    by = max(projections, key=_most)
    return Scale(2.0 ** (shift - 15) / gain, shift, by.of, _most(by))


def _most(p: PlannedProjection) -> float:
    """Return the largest weight that a projection has or may come to have."""
    return max(
        float(np.abs(p.weight).max(initial=0.0)),
        0.0 if p.rule is None else abs(p.rule.weights["w_max"]),
    )


def _bound(
    counts: Iterable[int], means: Iterable[float], variances: Iterable[float], rate: float
) -> float:
    """Return the sum of a step that is rarely exceeded: mean and standard deviations of a Poisson number of weights."""
    from scipy import special

    n, w, var = (np.asarray(list(x), np.float64) for x in (counts, means, variances))
    total = n.sum()
    mean = (n * w).sum() / total
    spread = ((var * (n - 1)).sum() + (n * (w - mean) ** 2).sum()) / max(total - 1, 1)
    arrivals = total * rate
    last = int(round(arrivals + LIMIT * math.sqrt(arrivals)))
    extra = 0.0
    if spread > 0:
        ratio = math.log(arrivals) * last - special.gammaln(1 + last)
        if -701.0 < ratio < 701.0 and ratio != 0.0:
            inside = math.exp(arrivals) * special.gammaincc(1 + last, arrivals) - math.exp(ratio)
            extra = math.exp(-arrivals) * arrivals * spread * inside
    return arrivals * mean + SIGMA * math.sqrt(arrivals * mean**2 + extra)


def scales(
    populations: Iterable[PlannedPopulation], projections: Iterable[PlannedProjection], dt: float
) -> dict[tuple[str, str], Scale]:
    """Return the scale of every (population, receptor) that receives something."""
    by_receptor: dict[tuple[str, str], list[PlannedProjection]] = {}
    for p in projections:
        by_receptor.setdefault((p.target, p.receptor), []).append(p)
    gains = {p.name: GAIN.get(p.cell, 1.0) for p in populations}
    return {key: scale(found, dt, gain=gains[key[0]]) for key, found in by_receptor.items()}


def kept(weights: np.ndarray, step: float) -> np.ndarray:
    """Return weights as the machine keeps them: whole multiples of a step, magnitudes."""
    return np.rint(np.abs(weights) / step) * step


def quantise(
    populations: Sequence[PlannedPopulation],
    projections: Sequence[PlannedProjection],
    dt: float,
    rows: Rows,
) -> None:
    """Report for every projection what becomes of its weights."""
    found = scales(populations, projections, dt)
    _saturation(populations, projections, found, dt, rows)
    for p in projections:
        s = found[p.target, p.receptor]
        now = kept(p.weight, s.step)
        lost = int(((now == 0) & (p.weight != 0)).sum())
        wrong = np.abs(now - np.abs(p.weight))
        relative = wrong / np.where(p.weight == 0, 1.0, np.abs(p.weight))
        place = Place("projection", p.of, f"weights ({p.receptor})")
        why = f"steps of {s.step:.6g}, set by what may meet in a step at {p.receptor} of {p.target!r} (largest weight: {s.most:.6g}, of {s.by!r})"
        if lost:
            rows.approximated(
                place,
                f"{lost} of {now.size} weights become 0: {why}.",
                "Split the population's inputs, or bring the weights closer together.",
            )
        elif wrong.any():
            rows.approximated(place, f"rounded, by up to {100 * relative.max():.3g} %: {why}.")
        else:
            rows.exact(place, f"{span(now)} kept to the bit: {why}.")
        if p.rule is not None:
            most = [
                p.rule.timing[name] * abs(p.rule.weights["w_max"]) / s.step
                for name in ("A_plus", "A_minus")
            ]
            lost = " What is less than a step is lost." if min(m for m in most if m > 0) < 1 else ""
            rows.approximated(
                f"projection {p.of!r}, learning ({p.receptor})",
                f"a weight is cut down to a whole step of {s.step:.6g} whenever its source "
                f"fires; a pair changes it by up to {most[0]:.3g} steps up and {most[1]:.3g} down.{lost}",
                "Larger changes, or a smaller largest weight, which makes the steps smaller.",
            )


def _saturation(
    populations: Iterable[PlannedPopulation],
    projections: Iterable[PlannedProjection],
    found: dict[tuple[str, str], Scale],
    dt: float,
    rows: Rows,
) -> None:
    """Report where Poisson sources alone bring more in a mean step than a receptor can hold."""
    rates = {
        p.name: np.max(p.parameters["rate"]) / 1000.0 * dt
        for p in populations
        if p.cell == "SpikeSourcePoisson"
    }
    sums: dict[tuple[str, str], float] = {}
    for p in projections:
        if p.source in rates and p.post.size:
            most = np.bincount(p.post, weights=np.abs(p.weight)).max()
            sums[p.target, p.receptor] = sums.get((p.target, p.receptor), 0.0) + rates[
                p.source
            ] * float(most)
    for (target, receptor), mean in sums.items():
        most = found[target, receptor].step * (1 << 16)
        if mean > most / 2:
            rows.approximated(
                f"population {target!r}, {receptor}",
                f"Poisson sources bring {mean:.3g} in a mean step and the sum saturates at {most:.3g}: "
                "sPyNNaker expects 30 Hz of every source.",
                "Use more sources of lower rate, or smaller weights.",
            )
