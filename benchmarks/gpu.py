"""A device, checked and timed in one call of at most eight minutes.

Run with ``python -m benchmarks.gpu`` on a machine with a CUDA device, or in small with
``python -m benchmarks.gpu --device cpu --small``. What would end later than ``--minutes`` is left
out, and the JSON says so; it is written again after each part, so that nothing measured is lost.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from neurosim.backends.gpu.devices import find_device
from neurosim.backends.gpu.static_sums import Delivery

from .devices import agreement, networks
from .devices.layers import Work, contestants, time_layers
from .report import RESULTS, held, machine, verdicts, write


@dataclass(frozen=True)
class Part:
    """Something that is checked or timed.

    Attributes
    ----------
    name : str
    seconds : float
        That it takes at most on an H200, by estimate; it is left out if fewer are left.
    measure : function that returns results
    judge : function from results to verdicts, see `report.held`
    """

    name: str
    seconds: float
    measure: Callable[[], Any]
    judge: Callable[[Any], list[dict[str, Any]]] = lambda result: []


def main() -> None:
    """Check, time, print and write."""
    chosen = _options()
    device = find_device(chosen.device)
    began = perf_counter()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    content = {
        "device": name,
        "small": chosen.small,
        "torch": torch.__version__,
        "machine": machine(),
        "parts": {},
        "measures": [],
    }
    failed = []
    for part in parts(device, small=chosen.small):
        left = 60 * chosen.minutes - (perf_counter() - began)
        if not chosen.small and part.seconds > left:
            content["parts"][part.name] = {"left out": f"{left:.0f} s were left"}
            continue
        print(f"{part.name} ...", flush=True)
        content["parts"][part.name] = result = _result(part, content["measures"])
        if "failed" in result:
            failed.append(part.name)
            print(f"  failed: {result['failed']}", flush=True)
        write(chosen.out, chosen.name, content)
    print(f"\ndevice: {name}\n", verdicts(content["measures"]), sep="\n")
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", help="cuda, cuda:N or cpu (a CUDA device)")
    parser.add_argument("--small", action="store_true", help="in about a minute on a processor")
    parser.add_argument("--minutes", type=float, default=8.0, help="that it takes at most (8)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder (benchmarks/results)")
    parser.add_argument("--name", default="gpu", help="of the file (gpu)")
    return parser.parse_args()


def _result(part: Part, measures: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the results of a part, or why it failed: the others are measured all the same."""
    began = perf_counter()
    try:
        result = part.measure()
    # Whatever a driver, a compiler or a peer raises: the JSON says it in its words.
    except Exception as error:
        return {"failed": f"{type(error).__name__}: {error}"}
    measures += part.judge(result)
    return {"result": result, "took": round(perf_counter() - began, 1)}


def parts(device: torch.device, *, small: bool) -> list[Part]:
    """Return all parts, checks before times."""
    return [*_checks(device, small=small), *_times(device, small=small)]


def _checks(device: torch.device, *, small: bool) -> list[Part]:
    name = str(device)
    compare = [
        Part(f"equal to cpu: {title}", 25, partial(agreement.agree, build, time, name), _equal)
        for title, (build, time) in agreement.networks(small=small).items()
    ]
    return [
        Part(
            "functions and draws in Triton: values that differ",
            40,
            partial(agreement.functions_and_draws, device, small=small),
            lambda r: [held("values that differ", sum(r.values()), 0, unit="")],
        ),
        *compare,
        Part(
            "sums that are pushed",
            30,
            partial(agreement.pushed, device, small=small),
            lambda r: [held("pushed twice: other bits", not r["the same bits twice"], 0, unit="")],
        ),
    ]


def _equal(result: dict[str, Any]) -> list[dict[str, Any]]:
    if not result["spikes"]:
        raise ValueError("no neuron spikes")
    wrong = result["populations that differ"] + len(result["arrays that differ"])
    return [held("spikes and arrays that differ from cpu", wrong, 0, unit="")]


def _times(device: torch.device, *, small: bool) -> list[Part]:
    layer = Work((64, 64), 10, 4) if small else Work((16_384, 16_384), 500, 16, rate=0.02)
    large: list[tuple[Delivery, float]] = [("push", 0.1), ("pull", 0.3)]
    # Compiling steps would take most of the time.
    names = [name for name in contestants() if name != "Trainer, compiled"]
    digits = Work((784, 128, 10), 25, 16 if small else 128)
    return [
        *(
            Part(
                f"100 000 Izhikevich x 1000 synapses, 1 s, {delivery}",
                100,
                partial(networks.izhikevich, device, small=small, delivery=delivery),
                partial(_seconds, what=f"100 000 x 1000, 1 s, {delivery}", most=most, small=small),
            )
            for delivery, most in large
        ),
        Part(
            "16 384 LIF behind a dense layer, batch 16, 500 steps, there and back",
            90,
            partial(time_layers, layer, device, repetitions=3, names=names),
            partial(_layer, small=small),
        ),
        Part(
            "784-128-10, T 25", 30, partial(time_layers, digits, device, repetitions=5, names=names)
        ),
        Part(
            "plastic liquid, batch 256",
            45,
            partial(networks.liquid, str(device), small=small),
            partial(_samples, small=small),
        ),
        Part("device='cpu' beside cpu", 60, partial(networks.beside_cpu, small=small)),
        Part(
            "cortical microcircuit, full scale, 1 s",
            180,
            partial(networks.microcircuit, device, small=small),
            partial(_seconds, what="microcircuit, 1 s", most=0.25, small=small),
        ),
    ]


def _seconds(
    result: dict[str, Any], *, what: str, most: float, small: bool
) -> list[dict[str, Any]]:
    return [] if small else [held(what, result["seconds"], most, unit="s")]


def _samples(result: dict[str, Any], *, small: bool) -> list[dict[str, Any]]:
    rate = result["samples per second"]
    return [] if small else [held("liquid: samples of 250 ms", rate, 1000, unit="1/s", least=True)]


def _layer(result: dict[str, Any], *, small: bool) -> list[dict[str, Any]]:
    if small:
        return []
    median = {name: times["median"] for name, times in result["seconds"].items()}
    ours = median["Trainer"]
    floor = median.pop("matrix products alone")
    return [
        held("16 384 LIF: time of its matrix products", ours / floor, 1.5, unit="x"),
        *(
            held(f"16 384 LIF: time of {name}", ours / seconds, 1.0, unit="x")
            for name, seconds in median.items()
            if name != "Trainer"
        ),
    ]


if __name__ == "__main__":
    main()
