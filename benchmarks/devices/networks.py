"""Times of networks on a device: large ones, and many samples of a small one that learns."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
import torch

import neurosim as ns
from neurosim.backends.gpu.static_sums import Delivery
from neurosim.models import astrocyte_liquid
from neurosim.models.balanced_networks import cuba, izhikevich_2003
from neurosim.models.cortical_microcircuit import cortical_microcircuit

from ..engine import recurrent
from .agreement import open_engine


def _time_steps(
    net: ns.Network, device: torch.device, delivery: Delivery, *, steps: int
) -> dict[str, Any]:
    """Return the seconds of some steps of a network, after a tenth of them, and its rate."""
    began = perf_counter()
    engine = open_engine(net, device, precision="float32", delivery=delivery)
    first = max(1, steps // 10)
    _advance(engine, 0, first)
    opened = perf_counter() - began
    began = perf_counter()
    spikes = _advance(engine, first, steps)
    took = perf_counter() - began
    program = engine.program
    neurons = sum(p.size for p in program.populations.values())
    return {
        "seconds": took,
        "biological seconds": steps * program.dt / 1000,
        "seconds to build and compile": opened,
        "edges": sum(p.targets.size for p in program.projections.values()),
        "rate, Hz": spikes / neurons / (steps * program.dt / 1000),
        "delivery": delivery,
    }


def _advance(engine: Any, first: int, steps: int) -> int:
    """Run steps, and return the number of recorded spikes."""
    done = spikes = 0
    while done < steps:
        chunk = engine.advance(first + done, steps - done, more=done + 1 < steps)
        if not chunk.finite:
            raise ValueError("a value is not finite")
        done += chunk.steps
        spikes += sum(neurons.size for neurons, _ in chunk.spikes.values())
    return spikes


def izhikevich(device: torch.device, *, small: bool, delivery: Delivery) -> dict[str, Any]:
    """Time 100 000 neurons with 1000 synapses each for 1 s of dt 1 ms.

    Parameters
    ----------
    device : torch.device
    small : bool
        100 neurons for 15 ms.
    delivery : "pull" or "push"
    """
    size, inputs, steps = (100, 30, 15) if small else (100_000, 1000, 1000)
    net = izhikevich_2003(size, inputs=inputs, seed=1)
    measured = _time_steps(net, device, delivery, steps=steps)
    return _require_rate(measured, least=0.0 if small else 1.0, most=1000.0 if small else 40.0)


def microcircuit(device: torch.device, *, small: bool) -> dict[str, Any]:
    """Time the cortical microcircuit for 1 s of dt 0.1 ms, at full scale.

    Parameters
    ----------
    device : torch.device
    small : bool
        A hundredth of it, for 0.5 ms.
    """
    net = cortical_microcircuit(0.01 if small else 1.0, seed=1)
    measured = _time_steps(net, device, "push", steps=5 if small else 10_000)
    return _require_rate(measured, least=0.0 if small else 1.0, most=1000.0 if small else 10.0)


def _require_rate(measured: dict[str, Any], *, least: float, most: float) -> dict[str, Any]:
    rate = measured["rate, Hz"]
    if not least <= rate <= most:
        raise ValueError(f"found a rate of {rate:.2f} Hz, expected {least:g} to {most:g} Hz")
    return measured


def liquid(device: str, *, small: bool) -> dict[str, Any]:
    """Return how many samples of 250 ms of the plastic liquid run per second, side by side.

    Parameters
    ----------
    device : str
        As the backend ``gpu`` names it.
    small : bool
        Two samples of 10 ms.
    """
    batch, time = (2, 10.0) if small else (256, 250.0)
    net = astrocyte_liquid.network(seed=0)
    samples = ns.prepare(net, backend="gpu", device=device, precision="float32", batch=batch)
    inputs = net.populations["input"].size
    samples.set("input", p=22.04 / inputs)
    samples.run(1.0, progress=False)
    began = perf_counter()
    samples.run(time, progress=False)
    took = perf_counter() - began
    spikes = np.array([s.result()["liquid"].spikes.index.size for s in samples])
    if not spikes.all():
        raise ValueError("a sample has no spikes")
    return {
        "samples": batch,
        "ms": time,
        "seconds": took,
        "samples per second": batch / took * time / 250.0,
        "spikes of a sample": float(spikes.mean()),
    }


def beside_cpu(*, small: bool) -> dict[str, Any]:
    """Time CUBA 4000 and the reservoir on the processor, by ``gpu`` and by ``cpu`` in turn.

    Parameters
    ----------
    small : bool
        Shorter.
    """
    time = 20.0 if small else 200.0
    works: dict[str, Callable[[], ns.Network]] = {
        "CUBA 4000": lambda: cuba(seed=1),
        "reservoir": recurrent,
    }
    result = {}
    for name, build in works.items():
        net = build()
        runs = {
            "cpu": ns.prepare(net, backend="cpu"),
            "gpu": ns.prepare(net, backend="gpu", device="cpu"),
        }
        seconds = {}
        for backend, run in runs.items():
            run.run(time, progress=False)
            began = perf_counter()
            run.run(time, progress=False)
            seconds[backend] = perf_counter() - began
        results = [run.result().populations for run in runs.values()]
        for population, recorded in results[0].items():
            if recorded.recorded != results[1][population].recorded:
                raise ValueError(f"{name}: spikes of {population!r} differ")
        result[name] = {"ms": time, "seconds": seconds, "ratio": seconds["gpu"] / seconds["cpu"]}
    return result
