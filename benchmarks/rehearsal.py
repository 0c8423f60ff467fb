"""What the arithmetic of SpiNNaker changes: networks on `cpu`, and rehearsed for the machine.

Run with ``python -m benchmarks.rehearsal``. A balanced network of 1000 neurons with listed input,
the neurons of the prediction reservoir with fixed weights, and the liquid with frozen weights,
whose readout tells the loss of accuracy (``--images`` of MNIST, which ``NEUROSIM_DATA`` holds).
Each gets the same input on both. Times are of the processor, after a run that compiles.
"""

from __future__ import annotations

import argparse
import math
import time
from typing import Any

import numpy as np

import neurosim as ns
from neurosim.analysis.changes import find_spike_changes
from neurosim.models import cells
from neurosim.models.astrocyte_liquid import Liquid, frozen
from neurosim.models.astrocyte_liquid.classification import encode, load
from neurosim.models.astrocyte_liquid.frozen import PERIOD, counts_of_samples, input_spikes
from neurosim.models.astrocyte_liquid.readout import convex
from neurosim.models.prediction_reservoir.network import DEFAULTS
from neurosim.recording.recording import Recording

BACKENDS = ("cpu", "spinnaker-rehearsal")
ORGANISING = 300  # images that the liquid learns from


def balanced(*, rate: float = 15.0, steps: int = 1000, seed: int = 1) -> ns.Network:
    """Return 1000 neurons after Brunel (2000), each with 80 and 20 synapses, and listed input.

    Parameters
    ----------
    rate : float, Hz
        Of each of 1000 sources, of which a neuron hears 100.
    steps : int
        For which spikes are listed, of 1 ms.
    seed : int
    """
    net = ns.Network("balanced", dt="1 ms", seed=seed)
    cell = cells.lif_exponential(tau_exc="5 ms", tau_inh="5 ms")
    neurons = net.population("neurons", 1000, cell)
    chance = np.random.default_rng(seed).random((1000, steps)) < rate / 1000
    source = net.spike_source("input", 1000, steps=[np.flatnonzero(row) for row in chance])
    for start, port, weight in (
        (source, "excitatory", "0.1 nA"),
        (neurons[:800], "excitatory", "0.1 nA"),
        (neurons[800:], "inhibitory", "0.5 nA"),
    ):
        net.project(
            start, neurons, ns.fixed_probability(0.1), weight=weight, port=port, delay="1 ms"
        )
    net.record(neurons, "spikes")
    return net


def reservoir(*, dt: float = 1.0, seed: int = 1) -> ns.Network:
    """Return the neurons of the prediction reservoir with their fixed weights, after a cue.

    Without noise, readouts and feedback, which SpiNNaker lacks; numbers of the model are nA.

    Parameters
    ----------
    dt : float, ms
    seed : int
    """
    s = DEFAULTS
    net = ns.Network("fixed_reservoir", dt=dt, seed=seed)
    draws = np.random.default_rng(seed)
    rho = draws.random(s.size)
    excites = np.arange(s.size) < s.size - round(s.inhibitory * s.size)
    cue = s.cue * np.abs(draws.standard_normal(s.size))
    bias = draws.random(s.size) * np.where(excites, 8.0, 4.0)
    neurons = net.population(
        "reservoir",
        s.size,
        _izhikevich(s.tau_s),
        a=np.where(excites, 0.02, 0.02 + 0.08 * rho),
        b=np.where(excites, 0.2, 0.25 - 0.05 * rho),
        c=np.where(excites, -65.0 + 15.0 * rho**2, -65.0),
        d=np.where(excites, 8.0 - 6.0 * rho**2, 2.0),
        drive=ns.table(np.stack([bias + cue, bias]), every=f"{s.cue_length} ms", unit="nA"),
    )
    top = 2 * s.weight / math.sqrt(s.density * s.size)
    wiring = ns.fixed_probability(s.density, autapses=False)
    count = int(excites.sum())
    for start, low, high in (
        (neurons[:count], 0.0, top),
        (neurons[count:], -top * s.balance, 0.0),
    ):
        net.project(
            start, neurons, wiring, weight=ns.uniform(low, high), port="synaptic", delay="0 ms"
        )
    net.record(neurons, "spikes")
    return net


def _izhikevich(tau: float) -> ns.Cell:
    return ns.Cell(
        """dv/dt = 0.04 * v**2 / (mV * ms) + 5 * v / ms + 140 * mV / ms - u
                   + (current + drive) / nF : mV
           du/dt = a * (b * v - u) / ms : mV/ms
           dcurrent/dt = -current / tau : nA""",
        parameters={
            "a": 0.02,
            "b": ns.Parameter("1/ms", 0.2),
            "c": ns.Parameter("mV", -65.0),
            "d": ns.Parameter("mV/ms", 8.0),
            "drive": "0 nA",
            "tau": f"{tau} ms",
        },
        receives={"synaptic": ns.Port("nA", into="current")},
        spike="v >= 30 * mV",
        after_spike="v = c; u = u + d",
        initial={"v": "-65 mV", "u": "-13 mV/ms"},
        name="izhikevich",
    )


def both(net: ns.Network, duration: Any) -> tuple[dict[str, Recording], dict[str, float]]:
    """Return recordings and seconds of a second run on both backends."""
    recordings = {}
    seconds = {}
    for backend in BACKENDS:
        options: Any = {"threads": 1} if backend == "cpu" else {}
        ns.simulate(net, duration, backend=backend, progress=False, **options)
        run = ns.prepare(net, backend=backend, **options)
        began = time.process_time()
        run.run(duration, progress=False)
        seconds[backend] = time.process_time() - began
        recordings[backend] = run.result()
    return recordings, seconds


def compare(name: str, net: ns.Network, duration: Any) -> dict[str, Recording]:
    """Print what becomes of the spikes of a network; return both recordings."""
    recordings, seconds = both(net, duration)
    first, second = (recordings[backend] for backend in BACKENDS)
    for changes in find_spike_changes(first, second):
        print(
            f"{name:10} {len(changes.first)} and {len(changes.second)} spikes: "
            f"{changes.kept} kept, {changes.moved} moved by up to {changes.within} steps, "
            f"{changes.lost} lost, {changes.new} new; "
            f"{seconds[BACKENDS[1]] / seconds[BACKENDS[0]]:.2f} times the time of cpu"
        )
    for row in second.header["report"]:
        if "slots" in row["place"]:
            print(f"{'':10} {row['reason']}")
    return recordings


def liquid(images: int) -> None:
    """Print the accuracy of a readout of the frozen liquid, trained on counts of `cpu`."""
    data = load("mnist", "train")
    encoded = encode(data)
    organised = Liquid(seed=1, threads=1)
    organised.self_organise(encoded.whole(n) for n in range(ORGANISING))
    last = ORGANISING + images
    labels = np.asarray(data.labels[ORGANISING:last])
    samples = [encoded.whole(n) for n in range(ORGANISING, last)]
    net = frozen(organised, input_spikes(organised, samples, first=ORGANISING))
    recordings = compare("liquid", net, float(images * PERIOD))
    counts = {
        backend: counts_of_samples(recording["liquid"].spikes, samples=images)
        for backend, recording in recordings.items()
    }
    train = slice(0, 2 * images // 3)
    test = slice(2 * images // 3, images)
    readout = convex(counts["cpu"][train], labels[train], penalty=1e-2)
    again = convex(counts[BACKENDS[1]][train], labels[train], penalty=1e-2)
    for words, layer, backend in (
        ("cpu, trained there", readout, "cpu"),
        ("rehearsal, trained on cpu", readout, BACKENDS[1]),
        ("rehearsal, trained there", again, BACKENDS[1]),
    ):
        accuracy = layer.accuracy(counts[backend][test], labels[test])
        print(f"{'':10} accuracy on {words}: {100 * accuracy:.1f} %")


def main() -> None:
    """Run all comparisons and print them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=int, default=0, help="of MNIST for the liquid (0: none)")
    options = parser.parse_args()
    compare("balanced", balanced(), 1000.0)
    # At 1 ms its neurons run away there: a midpoint step from far below rest ends far above.
    compare("reservoir", reservoir(), 1000.0)
    compare("at 0.1 ms", reservoir(dt=0.1), 1000.0)
    if options.images:
        liquid(options.images)


if __name__ == "__main__":
    main()
