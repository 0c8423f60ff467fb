"""The polychronous network of Izhikevich (2006): delays up to 20 ms, and STDP.

Source: Izhikevich 2006, Neural Computation 18:245.

The author published it as programs too, spnet.m and spnet.cpp. This network follows them in all
that the paper leaves open. A step t of the program detects spikes and resets, changes traces and
collects changes of weights, adds what arrives to the input, and integrates. A step here integrates
first, and what arrives is felt in the next: our step k is the end of the program's t = k and the
beginning of t = k + 1. So the network does what the program does, begun one millisecond earlier and
without input. Three things differ by it:

- *Delays.* What the program calls 1 to 20 ms is felt by the integration that follows 0 to 19 ms
  after a spike.
- *Potentiation.* The program reads the source's trace of one step before the spike arrives. So the
  arriving spike sets a trace to ``LTP / DECAY`` here, and a target that fires in the next step, the
  first in which that spike can move it, reads ``LTP``.
- *Target and source in one step.* The program takes the spikes of targets first. If a source's
  spike arrives in the step in which the target fires, the target was first: the synapse is
  depressed by the whole of ``LTD``, and not potentiated.

Where the two programs differ, this is spnet.cpp: no neuron has two synapses onto another or one
onto itself, and which target has which delay is random. Different from both: traces decay by a
closed form, not by a product per step, which is the same up to rounding.
"""

from __future__ import annotations

import math

import numpy as np

from neurosim.draws.streams import Stream
from neurosim.model.cell import Cell
from neurosim.model.declarations import Port
from neurosim.model.rule import Rule
from neurosim.network.network import Network
from neurosim.network.wiring import connectors as connect
from neurosim.run.run import Run

from .cells import IZHIKEVICH, parameters

EXCITATORY = 800
INHIBITORY = 200
SYNAPSES, DELAYS = 100, 20  # of each neuron; an excitatory one has equally many of each delay
START, INHIBITION, MOST, INPUT = 6.0, -5.0, 10.0, 20.0  # weights and thalamic input, mV/ms
LTP, LTD, DECAY = 0.1, 0.12, 0.95  # traces, mV/ms, and the share that a millisecond leaves of them
# Per second: the gain of every weight, mV/ms, and the share that is left of collected changes.
DRIFT = 0.01
REMAINING = 0.9


def polychronous_network(*, seed: int = 0) -> Network:
    """Return the network, recording the spikes of its 1000 ``neurons``, of which 800 excite.

    Projections are ``input`` (each millisecond one neuron, drawn from all, gets 20 mV/ms),
    ``excitation`` (plastic, with its weights ``w`` and collected changes ``sd``) and
    ``inhibition``. Weights change on the signal ``second``: run the network with `run_for`.

    Parameters
    ----------
    seed : int
        Of all draws.
    """
    size = EXCITATORY + INHIBITORY
    excites = f"i < {EXCITATORY}"
    net = Network("polychronous_network", dt="1 ms", seed=seed)
    neurons = net.population(
        "neurons",
        size,
        neuron(),
        a=f"where({excites}, 0.02, 0.1) / ms",
        d=f"where({excites}, 8, 2) * mV/ms",
    )
    thalamus = net.population(
        "thalamus",
        1,
        # One neuron that draws an index: so all targets agree which of them is chosen.
        Cell("chosen : 1", step=f"chosen = floor({size} * uniform())", name="thalamus"),
    )
    excitatory = neurons[:EXCITATORY]
    inhibitory = neurons[EXCITATORY:]
    net.project(
        thalamus,
        neurons,
        connect.all_to_all(),
        rule=thalamic_input(),
        port="injected",
        name="input",
    )
    net.project(
        excitatory,
        neurons,
        connect.fixed_outdegree(SYNAPSES, autapses=False),
        rule=plasticity(),
        weight=START,
        delay=delays(seed),
        dendritic_fraction=0.0,
        port="injected",
        name="excitation",
    )
    net.project(
        inhibitory,
        excitatory,
        connect.fixed_outdegree(SYNAPSES),
        weight=INHIBITION,
        port="injected",
        name="inhibition",
    )
    net.record(neurons, "spikes")
    return net


def neuron() -> Cell:
    """Return the neuron as the program steps it: two half-steps of v, then one step of u.

    v may overshoot its peak of 30 mV.
    """
    # Not `QUADRATIC`: the program factors v out, and rounding depends on it.
    slope = "(0.04 * v / mV + 5) * v / ms + 140 * mV/ms - u + injected"
    half_step = f"v = v + dt / 2 * ({slope})"
    return Cell(
        f"dv/dt = {slope} : mV; du/dt = a * (b * v - u) : mV/ms",
        parameters=parameters(IZHIKEVICH, a=0.02, b=0.2, c=-65.0, d=8.0),
        receives={"injected": Port("mV/ms")},
        step=f"{half_step}; {half_step}; u = u + dt * a * (b * v - u)",
        spike="v >= 30 * mV",
        after_spike="v = c; u = u + d",
        initial={"v": "-65 mV", "u": "b * v"},
        name="izhikevich_2006",
    )


def plasticity() -> Rule:
    """Return the rule of the excitatory synapses.

    Nearest spikes change ``sd``, and once per second ``sd`` changes the weight.
    """
    return Rule(
        edge="w : mV/ms; sd : mV/ms",
        pre="dx/dt = -x / tau : mV/ms",
        post="dy/dt = -y / tau : mV/ms",
        handlers=[
            ("post", "sd += x; y = ltd"),
            ("pre", "out += w; sd -= y; x = ltp"),
            ("second", "w = clip(drift + w + sd, 0 * mV/ms, most); sd = kept * sd"),
        ],
        parameters={
            # repr writes all digits: a rounded time constant would drift from the program's
            # product.
            "tau": f"{-1 / math.log(DECAY)!r} ms",
            "ltp": f"{LTP / DECAY!r} mV/ms",
            "ltd": f"{LTD} mV/ms",
            "drift": f"{DRIFT} mV/ms",
            "kept": REMAINING,
            "most": f"{MOST} mV/ms",
        },
        name="plasticity",
    )


def thalamic_input() -> Rule:
    """Return the rule of the input: the neuron chosen by the thalamus gets it in every step."""
    return Rule(
        handlers=[("step", "out += where(i_post == chosen_pre, strength, 0 * mV/ms)")],
        parameters={"strength": f"{INPUT} mV/ms"},
        name="thalamic_input",
    )


def delays(seed: int) -> np.ndarray:
    """Return the (E,) delays of the excitatory synapses in ms, by source, then target.

    Each source has five synapses of each delay, in random order.
    """
    # The order of random numbers is a random permutation, and each source has a row of its own.
    draws = Stream(seed, "polychronous_network/delays").uniform(
        np.arange(SYNAPSES), np.arange(EXCITATORY)[:, None]
    )
    return (np.argsort(draws, axis=1) // (SYNAPSES // DELAYS)).ravel().astype(np.float64)


def run_for(run: Run, seconds: int) -> None:
    """Run for whole seconds, and let the weights change at the end of each.

    Parameters
    ----------
    run : Run
    seconds : int
        Counted from the last full second.
    """
    for _ in range(seconds):
        # A run that was stopped within a second first completes it.
        run.run(1000.0 - run.time % 1000.0, progress=False)
        run.emit("second")
