"""The network: ten populations wired by hand, two plastic projections, neurons of SpiNNaker."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from numbers import Real
from typing import Any

import numpy as np

import neurosim as ns
from neurosim.errors import NetworkError, describe

from ..plasticity import stdp

STRENGTH = 6.0  # nA: fires a rested neuron in the step of its arrival
TAU = 3.0  # ms, time constant of both traces of the STDP
# The plastic projections, which hold the content of a cue and the cues of a content.
TO_CONTENT = "CueCue->ContCue"
TO_CUE = "ContCont->CueCont"


@dataclass(frozen=True)
class Settings:
    """Sizes of the memory, and the amplitude of its STDP.

    Parameters
    ----------
    cues, content_size : int
        5 and 10 in the first two experiments of the publication.
    amplitude : float, nA
        6 in the publication.

    Raises
    ------
    NetworkError
        If a size is below 1, or the amplitude not positive.
    """

    cues: int = 5
    content_size: int = 10
    amplitude: float = STRENGTH

    def __post_init__(self) -> None:
        for name in ("cues", "content_size"):
            size = getattr(self, name)
            # True is an int to Python, and no size.
            if not isinstance(size, int | np.integer) or isinstance(size, bool) or size < 1:
                raise NetworkError(
                    f"CA3 memory, {name}: found {describe(size)}, expected a whole number of at "
                    "least 1. Correct it."
                )
        if (
            not isinstance(self.amplitude, Real)
            or isinstance(self.amplitude, bool)
            or not 0 < self.amplitude < inf
        ):
            raise NetworkError(
                f"CA3 memory, amplitude: found {describe(self.amplitude)}, expected one number "
                "above 0, in nA. Use 6, the published one."
            )


def slow(*, threshold: str = "-57 mV") -> ns.Cell:
    """Return the neuron that integrates over some steps."""
    return _neuron("slow", capacity="0.27 nF", tau="3 ms", threshold=threshold)


def fast() -> ns.Cell:
    """Return the neuron that forgets nearly all of its input within a step."""
    return _neuron("fast", capacity="0.14 nF", tau="0.5 ms", threshold="-57 mV")


def _neuron(name: str, **parameters: str) -> ns.Cell:
    """Return PyNN's IF_curr_exp as SpiNNaker computes it.

    A spike counts by the mean of its decaying current over the step.
    """
    return ns.Cell(
        """dv/dt = (steady - v) / tau : mV
           dexcitation/dt = -excitation / tau_syn : nA
           dinhibition/dt = -inhibition / tau_syn : nA
           steady = rest + tau / capacity * (excitation - inhibition) : mV
           kappa = tau_syn / dt * (1 - exp(-dt / tau_syn)) : 1""",
        parameters={**parameters, "tau_syn": "0.3 ms", "rest": "-60 mV"},
        receives={"excitatory": ns.Port("nA"), "inhibitory": ns.Port("nA")},
        step="""excitation = excitation * exp(-dt / tau_syn) + kappa * excitatory
                inhibition = inhibition * exp(-dt / tau_syn) + kappa * inhibitory
                v = steady - (steady - v) * exp(-dt / tau)""",
        spike="v >= threshold",
        after_spike="v = rest",
        # One step: a neuron may spike in every other one, as the published offsets show.
        refractory=ns.Refractory("1 ms", freezes="v"),
        initial={"v": "rest"},
        name=name,
    )


def build(settings: Settings, spikes: tuple[np.ndarray, np.ndarray] | None = None) -> ns.Network:
    """Return the network, recording nothing.

    Population ``IN`` takes given spikes: first the cues, then the bits of the content.

    Parameters
    ----------
    settings : Settings
    spikes : (S,) indices and (S,) steps, optional
        Of ``IN``; none unless given.
    """
    c = settings.cues
    k = settings.content_size
    net = ns.Network("ca3_memory", dt="1 ms")
    source = net.spike_source("IN", c + k, steps=spikes)
    cells = {
        "CueCue": (c, slow()),
        "ContCue": (k, slow()),
        "Cond": (k, fast()),
        # One neuron for all bits: it tells the gates that a content is present.
        "Int": (1, fast()),
        "CueCont": (c, fast()),
        "ContCont": (k, slow()),
        "MergeCue": (c, slow()),
        "MergeCont": (k, slow()),
        # A lower threshold, so that one spike of a merging neuron is enough.
        "OUT": (c + k, slow(threshold="-57.5 mV")),
    }
    at = {name: net.population(name, size, cell) for name, (size, cell) in cells.items()}
    ends = at | {
        "IN cue": source[:c],
        "IN content": source[c:],
        "OUT cue": at["OUT"][:c],
        "OUT content": at["OUT"][c:],
    }
    # Spikes that arrive in a step are integrated in the next here, in the same on SpiNNaker.
    for start, end, connector, port, weight, delay in _static(c, k):
        net.project(ends[start], ends[end], connector, weight=weight, delay=delay - 1.0, port=port)
    # As strong as the largest weight: one pair of spikes at no distance teaches a synapse fully.
    rule = stdp(
        tau_plus=TAU,
        tau_minus=TAU,
        a_plus=settings.amplitude,
        a_minus=settings.amplitude,
        w_max=f"{STRENGTH} nA",
    )
    for name in (TO_CONTENT, TO_CUE):
        start, end = name.split("->")
        net.project(
            at[start],
            at[end],
            ns.all_to_all(),
            rule=rule,
            weight=0.0,
            back="1 ms",
            port="excitatory",
            name=name,
        )
    return net


def _static(c: int, k: int) -> Iterator[tuple[str, str, ns.Connector, str, float, int]]:
    """Yield the projections that do not learn.

    Each is source, target, connector, port, weight in nA, and delay on SpiNNaker in steps.
    """
    namesake = ns.one_to_one()
    all_ = ns.all_to_all()
    others = ns.from_arrays(*np.nonzero(~np.eye(c, dtype=bool)))
    # Inhibition by others outweighs the excitation by all k bits of a content.
    yield "IN cue", "CueCue", namesake, "excitatory", STRENGTH, 1
    yield "IN content", "ContCue", namesake, "excitatory", STRENGTH, 1
    yield "CueCue", "CueCont", namesake, "excitatory", STRENGTH, 2
    yield "CueCue", "CueCont", others, "inhibitory", STRENGTH * k, 3
    yield "CueCue", "Cond", all_, "inhibitory", STRENGTH, 2
    yield "ContCue", "Cond", namesake, "excitatory", 9.0, 1
    yield "ContCue", "Int", all_, "excitatory", STRENGTH, 1
    yield "Int", "Cond", all_, "excitatory", 2.0, 1
    yield "Cond", "ContCont", namesake, "excitatory", STRENGTH, 1
    yield "CueCont", "CueCont", others, "inhibitory", STRENGTH * k, 2
    yield "CueCue", "MergeCue", namesake, "excitatory", STRENGTH, 3
    yield "CueCont", "MergeCue", namesake, "excitatory", STRENGTH, 1
    yield "ContCue", "MergeCont", namesake, "excitatory", STRENGTH, 3
    yield "ContCont", "MergeCont", namesake, "excitatory", STRENGTH, 1
    yield "MergeCue", "OUT cue", namesake, "excitatory", STRENGTH, 1
    yield "MergeCont", "OUT content", namesake, "excitatory", STRENGTH, 1


def network(*, seed: int = 0, **settings: Any) -> ns.Network:
    """Return the network of some settings, recording all spikes; nothing in it is random.

    Parameters
    ----------
    seed : int
        Without effect.
    **settings
        Fields of `Settings`.
    """
    net = build(Settings(**settings))
    record(net)
    return net


def record(net: ns.Network) -> None:
    """Record the spikes of every population."""
    for population in net.populations.values():
        net.record(population, "spikes")
