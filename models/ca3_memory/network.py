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
TO_CONTENT, TO_CUE = (
    "CueCue->ContCue",
    "ContCont->CueCont",
)  # the plastic projections: content of a cue, cues of a content


@dataclass(frozen=True)
class Settings:
    """Sizes of the memory, and the amplitude of its STDP in nA, 6 in the publication."""

    cues: int = 5
    content_size: int = 10
    amplitude: float = STRENGTH

    def __post_init__(self) -> None:
        for name in ("cues", "content_size"):
            found = getattr(self, name)
            if not isinstance(found, int | np.integer) or isinstance(found, bool) or found < 1:
                raise NetworkError(
                    f"CA3 memory, {name}: found {describe(found)}, expected a whole number of at "
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
    """Neuron that integrates over some steps."""
    return _neuron("slow", capacity="0.27 nF", tau="3 ms", threshold=threshold)


def fast() -> ns.Cell:
    """Neuron that all but forgets within a step."""
    return _neuron("fast", capacity="0.14 nF", tau="0.5 ms", threshold="-57 mV")


def _neuron(name: str, **parameters: str) -> ns.Cell:
    """Return PyNN's IF_curr_exp as SpiNNaker computes it: of a spike, the mean of its decaying
    current over the step counts.
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
        refractory=ns.Refractory("1 ms", freezes="v"),
        initial={"v": "rest"},
        name=name,
    )


def build(settings: Settings) -> ns.Network:
    """Return the network, recording nothing. Population ``IN`` takes given spikes: first the cues,
    then the bits of the content.

    A delay of d steps on SpiNNaker is one of d - 1 here, where what arrives in a step is integrated
    in the next.
    """
    c, k = settings.cues, settings.content_size
    net = ns.Network("ca3_memory", dt="1 ms")
    source = net.spike_source("IN", c + k)
    cells = {
        "CueCue": (c, slow()),
        "ContCue": (k, slow()),
        "Cond": (k, fast()),
        "Int": (1, fast()),
        "CueCont": (c, fast()),
        "ContCont": (k, slow()),
        "MergeCue": (c, slow()),
        "MergeCont": (k, slow()),
        "OUT": (c + k, slow(threshold="-57.5 mV")),
    }
    at = {name: net.population(name, size, cell) for name, (size, cell) in cells.items()}
    ends = at | {
        "IN cue": source[:c],
        "IN content": source[c:],
        "OUT cue": at["OUT"][:c],
        "OUT content": at["OUT"][c:],
    }
    for start, end, connector, port, weight, delay in _static(c, k):
        net.project(ends[start], ends[end], connector, weight=weight, delay=delay - 1.0, port=port)
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
    """Give source, target, connector, port, weight in nA and delay on SpiNNaker in steps of every
    projection that does not learn.
    """
    each, all_ = ns.one_to_one(), ns.all_to_all()
    others = ns.from_arrays(
        *np.nonzero(~np.eye(c, dtype=bool))
    )  # all pairs but a neuron with its namesake
    yield "IN cue", "CueCue", each, "excitatory", STRENGTH, 1
    yield "IN content", "ContCue", each, "excitatory", STRENGTH, 1
    yield "CueCue", "CueCont", each, "excitatory", STRENGTH, 2
    yield "CueCue", "CueCont", others, "inhibitory", STRENGTH * k, 3
    yield "CueCue", "Cond", all_, "inhibitory", STRENGTH, 2
    yield "ContCue", "Cond", each, "excitatory", 9.0, 1
    yield "ContCue", "Int", all_, "excitatory", STRENGTH, 1
    yield "Int", "Cond", all_, "excitatory", 2.0, 1
    yield "Cond", "ContCont", each, "excitatory", STRENGTH, 1
    yield "CueCont", "CueCont", others, "inhibitory", STRENGTH * k, 2
    yield "CueCue", "MergeCue", each, "excitatory", STRENGTH, 3
    yield "CueCont", "MergeCue", each, "excitatory", STRENGTH, 1
    yield "ContCue", "MergeCont", each, "excitatory", STRENGTH, 3
    yield "ContCont", "MergeCont", each, "excitatory", STRENGTH, 1
    yield "MergeCue", "OUT cue", each, "excitatory", STRENGTH, 1
    yield "MergeCont", "OUT content", each, "excitatory", STRENGTH, 1


def network(*, seed: int = 0, **settings: Any) -> ns.Network:
    """Return the network of some settings, recording all spikes; nothing in it is random."""
    net = build(Settings(**settings))
    record(net)
    return net


def record(net: ns.Network) -> None:
    """Record the spikes of every population."""
    for population in net.populations.values():
        net.record(population, "spikes")
