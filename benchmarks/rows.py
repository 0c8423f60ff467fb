"""The rows of the comparison: network, duration, peers, required ratios, bounds of rates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .limit import Traffic

PRECISIONS = ("float64", "float32")


@dataclass(frozen=True)
class Against:
    """A peer.

    Attributes
    ----------
    program : ``brian`` or ``nest``
    asked : (2,) 1
        How many times faster than the peer we have to be in float64, and in float32.
    name : str
        As printed; the program's unless given.
    ours, theirs : mapping
        Arguments that the network has besides those of the row, in neurosim and in the peer.
    """

    program: str
    asked: tuple[float, float]
    name: str = ""
    ours: Mapping[str, Any] = field(default_factory=dict)
    theirs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return self.name or self.program

    def times(self, precision: str) -> float:
        """Return how many times faster we have to be."""
        return self.asked[PRECISIONS.index(precision)]


@dataclass(frozen=True)
class Row:
    """A network of the comparison.

    Attributes
    ----------
    name, network : str
        Of the row, and of the function that makes the network in each simulator.
    time : ms
        Of the model, in one repetition.
    bound : 1
        Mean rates of every population must be shown to differ by less than this share of the
        peer's, over the seeds of all repetitions.
    repetitions : int
        Each with a seed of its own; more where rates vary much between seeds.
    learns : bool
        It has plastic edges, for which a share of the limit is asked.
    clock, target : str
        As of `peers.job.Job`. With the processor's clock every side has one thread.
    """

    name: str
    network: str
    time: float
    against: tuple[Against, ...]
    traffic: Traffic
    arguments: Mapping[str, Any] = field(default_factory=dict)
    bound: float = 0.1
    repetitions: int = 7
    learns: bool = False
    clock: str = "wall"
    target: str = ""


def _sparse(
    name: str,
    network: str,
    *,
    bound: float = 0.1,
    repetitions: int = 7,
    method: str | None = None,
    **arguments: Any,
) -> Row:
    """Return a row against Brian 2 without delay, and NEST with its smallest and with a longer one:
    it exchanges spikes once per delay.

    ``method``: that of Brian 2, which ours has beside it.
    """
    asked = (8.0, 12.0)
    later = {"delay": 1.5}
    return Row(
        name,
        network,
        1000.0,
        (
            Against("brian", (2.5, 3.5), ours={"method": method} if method else {}),
            Against("nest", asked, "nest, 0.1 ms", theirs={"delay": 0.1}),
            Against("nest", asked, "nest, 1.5 ms", ours=later, theirs=later),
        ),
        Traffic(numbers=7),
        arguments,
        bound,
        repetitions,
    )


def _izhikevich(name: str, time: float, *, repetitions: int = 7, **arguments: Any) -> Row:
    against = Against("brian", (2.0, 3.0)), Against("nest", (5.0, 7.0))
    return Row(
        name,
        "izhikevich_2003",
        time,
        against,
        Traffic(numbers=9, draws=1, weights=1),
        arguments,
        repetitions=repetitions,
    )


ROWS = (
    _sparse("cuba-4000", "cuba", bound=0.12, repetitions=12, size=4000),
    _sparse("cuba-16000", "cuba", size=16_000),
    _sparse("cuba-40000", "cuba", repetitions=5, size=40_000),
    _sparse("cuba-40000-dense", "cuba", repetitions=5, size=40_000, inputs=1000),
    _sparse("coba-4000", "coba", bound=0.15, repetitions=12, method="exponential_euler", size=4000),
    _izhikevich("izhikevich-1000", 10_000.0, repetitions=9, size=1000),
    _izhikevich("izhikevich-10000", 1000.0, size=10_000, inputs=1000),
    _izhikevich("izhikevich-100000", 300.0, repetitions=3, size=100_000, inputs=1000),
    Row(
        "polychronous",
        "polychronous_network",
        60_000.0,
        (Against("brian", (2.5, 3.0)),),
        Traffic(numbers=7, weights=1),
        bound=0.2,
        repetitions=9,
        learns=True,
    ),
    # NEST has no rule like that of the row above, but pair STDP on the same wiring: so have we in
    # this row.
    Row(
        "polychronous-pairs",
        "polychronous_pairs",
        60_000.0,
        (Against("nest", (5.0, 7.0)),),
        Traffic(numbers=7, weights=1),
        bound=0.2,
        repetitions=9,
        learns=True,
    ),
    Row(
        "plastic-balanced",
        "plastic_balanced_network",
        1000.0,
        (Against("brian", (4.0, 7.0)), Against("nest", (6.0, 10.0), ours={"dendritic": 1.0})),
        Traffic(numbers=3, draws=1, weights=1),
        repetitions=5,
        learns=True,
    ),
    Row(
        "microcircuit",
        "cortical_microcircuit",
        1000.0,
        (Against("nest", (5.0, 7.0)),),
        Traffic(numbers=5, draws=1, weights=1),
        {"scale": 0.1},
        bound=0.15,
    ),
)
