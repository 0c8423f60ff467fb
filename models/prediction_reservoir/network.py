"""Settings and network of the reservoir: Izhikevich neurons, readouts, the feedback loop."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import neurosim as ns
from neurosim.draws.values import Table

from ..plasticity import three_factor

CHANNELS = ("A", "B")


@dataclass(frozen=True)
class Settings:
    """All numbers of the model; times in ms.

    Only `size` is published: all others are choices of this re-creation.
    """

    size: int = 1000
    inhibitory: float = 0.2  # share of the neurons
    density: float = 0.1
    weight: float = 1.0  # mean excitatory weight times sqrt(density * size)
    balance: float = 4.0  # inhibitory weights in units of excitatory ones
    tau_s: float = 100.0
    noise: float = 0.1
    cue: float = 30.0
    cue_length: float = 20.0
    feedback: float = 4.0
    tau_r: float = 40.0
    width: float = 40.0  # standard deviation of a target bump
    reach: float = 120.0  # half width of the attention window around a latency
    opens: float = 0.15  # own prediction above which the gate opens outside of this window
    rate_when: float = 0.05  # relative to the power of the centred activity
    rate_what: float = 0.05  # share of the estimate that one trial replaces
    trial: float = 1000.0
    trials: int = 100  # per block
    tests: int = 5  # cue-only trials per test


DEFAULTS = Settings()


def neuron() -> ns.Cell:
    """Return the Izhikevich neuron with a slow synapse, noise, a cue and feedback.

    Numbers stand for mV. Two half-steps for v, then one step for u.

    Source: Izhikevich 2003, IEEE Trans. Neural Networks 14:1569, eqs. 1-3.
    """
    return ns.Cell(
        """dv/dt = slope : 1
           du/dt = a * (b*v - u) / ms : 1
           dcurrent/dt = -current / tau_s : 1
           slope = (0.04*v*v + 5*v + 140 - u + drive) / ms : 1/ms
           drive = bias + current + noise*normal() + cue*cue_on + feedback : 1""",
        parameters={
            "a": 0.02,
            "b": 0.2,
            "c": -65.0,
            "d": 8.0,
            "bias": 0.0,
            "noise": 0.0,
            "cue": 0.0,
            "cue_on": 0.0,
            "tau_s": "100 ms",
        },
        receives={"synaptic": ns.Port("1", into="current"), "feedback": ns.Port("1")},
        step="""v = min(v + 0.5*dt*slope, 30)
                v = min(v + 0.5*dt*slope, 30)
                u = u + dt*a*(b*v - u)/ms
                current = current * exp(-dt/tau_s)""",
        spike="v >= 30",
        after_spike="v = c; u = u + d",
        name="izhikevich",
    )


def channel() -> ns.Cell:
    """Return the cell of one event: its target over time, its window, and its delivery."""
    # A population, so that the rules read the teacher's values by links, without a script.
    return ns.Cell(
        "since : ms; target : 1; window : 1",
        parameters={
            "latency": "0 ms",
            "width": "40 ms",
            "reach": "120 ms",
            "attended": 0.0,
            "delivered": 0.0,
            "height": 1.0,
        },
        step="""since = since + dt
                target = height * exp(-(since - latency)**2 / (2*width**2))
                window = abs(since - latency) <= reach""",
        name="channel",
    )


def what_rule(when: ns.Projection) -> ns.Rule:
    """Return the rule of the identity readout, which learns at the end of a trial.

    Its two factors are the mean activity of the source, and outcome minus estimate y.
    """
    return ns.Rule(
        pre="average : 1/ms",
        post="y : 1",
        edge="w : ms",
        handlers=[
            ("step", "average += r * dt / trial"),
            ("trial_end", "y = 0; y += w * average; w += eta * (delivered_post - y) * average"),
        ],
        parameters={"trial": "1000 ms", "eta": "0 ms**2"},
        reads={"r": when["r"].by("source")},
        name="what",
    )


def build(settings: Settings, seed: int) -> ns.Network:
    """Return the network, recording nothing.

    Its loop is ``reservoir`` -> ``when``, ``what`` -> ``channels`` -> ``feedback`` ->
    ``reservoir``.
    """
    s = settings
    net = ns.Network("prediction_reservoir", dt="1 ms", seed=seed)
    n_e = s.size - round(s.inhibitory * s.size)
    excitatory = f"i < {n_e}"
    reservoir = net.population(
        "reservoir",
        s.size,
        neuron(),
        # One number per neuron decides about all its parameters, as in the published program.
        rho=ns.uniform(0, 1),
        share=ns.uniform(0, 1),
        cue_draw=ns.normal(0, 1),
        v_draw=ns.uniform(0, 10),
        a=f"where({excitatory}, 0.02, 0.02 + 0.08*rho)",
        b=f"where({excitatory}, 0.2, 0.25 - 0.05*rho)",
        c=f"where({excitatory}, -65 + 15*rho**2, -65)",
        d=f"where({excitatory}, 8 - 6*rho**2, 2)",
        bias=f"share * where({excitatory}, 8, 4)",
        cue=f"{s.cue!r} * abs(cue_draw)",
        cue_on=cue(s),
        noise=s.noise,
        tau_s=s.tau_s,
        v="-65 + v_draw",
        u="b*v",
    )
    channels = net.population(
        "channels",
        len(CHANNELS),
        channel(),
        latency=[0.0] * 2,
        attended=[0.0] * 2,
        delivered=[0.0] * 2,
        height=[1.0] * 2,
        width=s.width,
        reach=s.reach,
    )
    # Uniform from 0, so twice the mean; the root keeps the variance of input at any size.
    top = 2 * s.weight / math.sqrt(s.density * s.size)
    wiring = ns.fixed_probability(s.density, autapses=False)
    net.project(
        reservoir[:n_e],
        reservoir,
        wiring,
        weight=ns.uniform(0.0, top),
        port="synaptic",
        name="excitation",
    )
    net.project(
        reservoir[n_e:],
        reservoir,
        wiring,
        weight=ns.uniform(-top * s.balance, 0.0),
        port="synaptic",
        name="inhibition",
    )
    taught = {name: channels[name].by("target") for name in ("target", "window", "attended")}
    rule = three_factor(mean=ns.Parameter("1/ms", 0.0, per="source")).reading(**taught)
    when = net.project(
        reservoir, channels, ns.all_to_all(), rule=rule, name="when", tau=s.tau_r, opens=s.opens
    )
    net.project(
        reservoir, channels, ns.all_to_all(), rule=what_rule(when), name="what", trial=s.trial
    )
    # Continuous, without spikes: the readout itself is fed back, in every step.
    loop = ns.Rule(
        edge="w : 1",
        parameters={"gain": s.feedback},
        handlers=[("step", "out += gain * w * z")],
        reads={"z": when["z"].by("source")},
        name="loop",
    )
    net.project(
        channels,
        reservoir,
        ns.all_to_all(),
        weight=ns.uniform(-1.0, 1.0),
        port="feedback",
        rule=loop,
        name="feedback",
    )
    return net


def cue(settings: Settings) -> Table:
    """Return the time course of the cue, from the moment in which it is set."""
    return ns.table([1.0] * round(settings.cue_length) + [0.0], every="1 ms")


def network(*, seed: int = 0, **settings: Any) -> ns.Network:
    """Return the network of some settings, recording spikes and timing readouts.

    Parameters
    ----------
    seed : int
        Of all draws.
    **settings
        Fields of `Settings`.
    """
    net = build(Settings(**settings), seed)
    net.record(net.populations["reservoir"], "spikes")
    net.record(net.projections["when"], "z")
    return net
